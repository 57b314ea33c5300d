#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tc/core/record.h"
#include "tests/fakes/flaky.h"

static struct buf body;

static int setup(void **state)
{
	(void)state;
	buf_init(&body, &mem_heap);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	buf_fini(&body);
	return 0;
}

static struct gtx_record some_gtx(void)
{
	return (struct gtx_record){ .status = GTX_COMMITTING,
				    .name = BYTES("buy"),
				    .application = BYTES("shop"),
				    .timeout_ms = 60000,
				    .began_wall_ms = 123456789012,
				    .n_branches = 3,
				    .ordered = true,
				    .kind = KIND_SAGA };
}

static const struct bytes keys[] = { { (const uint8_t *)"k1", 2 },
				     { (const uint8_t *)"k\0002", 3 } };

static struct branch_record some_branch(void)
{
	return (struct branch_record){ .mode = MODE_XA,
				       .status = BRANCH_ROLLBACK_NOTA,
				       .client_key = UINT64_MAX,
				       .resource = BYTES("R"),
				       .application = BYTES("A"),
				       .instance = BYTES("I"),
				       .application_data = BYTES("{}"),
				       .participant = BYTES("{\"a\":1}"),
				       .call_timeout_ms = 250,
				       .attempts = 7,
				       .failures = 5,
				       .resolution = RESOLVE_VALUES,
				       .values = BYTES("v"),
				       .error = BYTES("e"),
				       .detail = BYTES("d"),
				       .lock_keys = keys,
				       .n_lock_keys = 2 };
}

static void test_a_transaction_comes_back_as_it_went(void **state)
{
	struct gtx_record in = some_gtx(), out;

	(void)state;
	record_put_gtx(&body, &in);
	assert_int_equal(record_get_gtx(&out, buf_bytes(&body)), OK);
	assert_int_equal(out.status, in.status);
	assert_true(bytes_equal(out.name, in.name));
	assert_true(bytes_equal(out.application, in.application));
	assert_int_equal(out.timeout_ms, in.timeout_ms);
	assert_int_equal(out.began_wall_ms, in.began_wall_ms);
	assert_int_equal(out.n_branches, 3);
	assert_true(out.ordered);
	assert_int_equal(out.kind, KIND_SAGA);
}

static void test_a_branch_comes_back_as_it_went(void **state)
{
	struct branch_record in = some_branch(), out;

	(void)state;
	record_put_branch(&body, &in);
	assert_int_equal(record_get_branch(&out, &mem_heap, buf_bytes(&body)),
			 OK);
	assert_int_equal(out.mode, in.mode);
	assert_int_equal(out.status, in.status);
	assert_true(out.client_key == in.client_key);
	assert_true(bytes_equal(out.resource, in.resource));
	assert_true(bytes_equal(out.application, in.application));
	assert_true(bytes_equal(out.instance, in.instance));
	assert_true(bytes_equal(out.application_data, in.application_data));
	assert_true(bytes_equal(out.participant, in.participant));
	assert_int_equal(out.call_timeout_ms, 250);
	assert_int_equal(out.attempts, 7);
	assert_int_equal(out.failures, 5);
	assert_int_equal(out.resolution, RESOLVE_VALUES);
	assert_true(bytes_equal(out.values, in.values));
	assert_true(bytes_equal(out.error, in.error));
	assert_true(bytes_equal(out.detail, in.detail));
	assert_int_equal(out.n_lock_keys, 2);
	assert_true(bytes_equal(out.lock_keys[0], keys[0]));
	assert_true(bytes_equal(out.lock_keys[1], keys[1]));
	mem_free(&mem_heap, (void *)(uintptr_t)out.lock_keys);
}

static void test_a_message_comes_back_as_it_went(void **state)
{
	struct gtx_record in = some_gtx(), out;
	struct branch_record b = some_branch(), got;
	struct topic_record t = { BYTES("T"), BYTES("S"), BYTES("R"),
				  BYTES("{}") };
	struct topic_record back;
	struct buf schedule;

	(void)state;
	in.kind = KIND_MESSAGE;
	in.check = BYTES("http://orders:80");
	in.participant = BYTES("{}");
	in.call_timeout_ms = 700;
	in.decided_wall_ms = 99;
	in.business_key = BYTES("o-7");
	record_put_gtx(&body, &in);
	assert_int_equal(record_get_gtx(&out, buf_bytes(&body)), OK);
	assert_int_equal(out.kind, KIND_MESSAGE);
	assert_true(bytes_equal(out.check, in.check));
	assert_true(bytes_equal(out.participant, in.participant));
	assert_int_equal(out.call_timeout_ms, 700);
	assert_int_equal(out.decided_wall_ms, 99);
	assert_true(bytes_equal(out.business_key, in.business_key));

	buf_clear(&body);
	buf_init(&schedule, &mem_heap);
	buf_put_u64(&schedule, 0);
	buf_put_u64(&schedule, 4711);
	b.n_lock_keys = 0;
	b.deliver_after_ms = 3000;
	b.schedule = buf_bytes(&schedule);
	b.topic = BYTES("T");
	b.subscriber = BYTES("S");
	record_put_branch(&body, &b);
	assert_int_equal(record_get_branch(&got, &mem_heap, buf_bytes(&body)),
			 OK);
	assert_int_equal(got.deliver_after_ms, 3000);
	assert_int_equal(record_schedule_len(got.schedule), 2);
	assert_int_equal(record_schedule(got.schedule, 0), 0);
	assert_int_equal(record_schedule(got.schedule, 1), 4711);
	assert_true(bytes_equal(got.topic, b.topic));
	assert_true(bytes_equal(got.subscriber, b.subscriber));
	b.schedule.len--;
	buf_clear(&body);
	record_put_branch(&body, &b);
	assert_int_equal(record_get_branch(&got, &mem_heap, buf_bytes(&body)),
			 E_CORRUPT);
	schedule.data[0] = 255; /* longer than anybody could wait */
	b.schedule.len++;
	buf_clear(&body);
	record_put_branch(&body, &b);
	assert_int_equal(record_get_branch(&got, &mem_heap, buf_bytes(&body)),
			 E_CORRUPT);
	buf_fini(&schedule);

	buf_clear(&body);
	record_put_topic(&body, &t);
	assert_int_equal(record_get_topic(&back, buf_bytes(&body)), OK);
	assert_true(bytes_equal(back.topic, t.topic));
	assert_true(bytes_equal(back.subscriber, t.subscriber));
	assert_true(bytes_equal(back.resource, t.resource));
	assert_true(bytes_equal(back.participant, t.participant));
	t.resource.len = 0;
	buf_clear(&body);
	record_put_topic(&body, &t);
	assert_int_equal(record_get_topic(&back, buf_bytes(&body)), E_CORRUPT);
}

/* An older version would roll it back after its time-out. */
static void test_an_older_version_must_not_read_a_message(void **state)
{
	struct gtx_record g = some_gtx();

	(void)state;
	g.kind = KIND_PLAIN;
	record_put_gtx(&body, &g);
	assert_int_equal(body.data[0], 1);
	buf_clear(&body);
	g.kind = KIND_MESSAGE;
	record_put_gtx(&body, &g);
	assert_int_equal(body.data[0], 2);
	buf_clear(&body);
	g.kind = KIND_PLAIN; /* nobody is asked about it */
	g.check = BYTES("R");
	record_put_gtx(&body, &g);
	assert_int_equal(record_get_gtx(&g, buf_bytes(&body)), E_CORRUPT);
	buf_clear(&body);
	g.check = BYTES(""); /* nor begun twice */
	g.business_key = BYTES("o-7");
	record_put_gtx(&body, &g);
	assert_int_equal(record_get_gtx(&g, buf_bytes(&body)), E_CORRUPT);
}

static void test_fields_of_a_later_version_are_skipped(void **state)
{
	struct branch_record b = some_branch();
	struct tombstone_record t = { .status = GTX_ROLLBACKED,
				      .ended_wall_ms = 5 };
	struct gtx_record g = some_gtx();
	uint64_t number;

	(void)state;
	record_put_gtx(&body, &g);
	buf_put_u8(&body, 200);
	buf_put_bytes(&body, BYTES("who knows"));
	assert_int_equal(record_get_gtx(&g, buf_bytes(&body)), OK);
	assert_int_equal(g.status, GTX_COMMITTING);
	buf_clear(&body);
	b.n_lock_keys = 0;
	record_put_branch(&body, &b);
	buf_put_u8(&body, 200);
	buf_put_bytes(&body, BYTES("12345678"));
	assert_int_equal(record_get_branch(&b, &mem_heap, buf_bytes(&body)),
			 OK);
	assert_null(b.lock_keys);
	buf_clear(&body);
	record_put_tombstone(&body, &t);
	buf_put_u8(&body, 200);
	buf_put_bytes(&body, BYTES(""));
	t.status = GTX_UNKNOWN;
	assert_int_equal(record_get_tombstone(&t, buf_bytes(&body)), OK);
	assert_int_equal(t.status, GTX_ROLLBACKED);
	assert_int_equal(t.ended_wall_ms, 5);
	buf_clear(&body);
	record_put_number(&body, 99);
	buf_put_u8(&body, 200);
	buf_put_bytes(&body, BYTES("x"));
	assert_int_equal(record_get_number(&number, buf_bytes(&body)), OK);
	assert_int_equal(number, 99);
}

/* Every prefix and every single wrong byte: an error or a sane record. */
static void try_all(struct bytes b)
{
	struct gtx_record g;
	struct branch_record r = { 0 };
	struct tombstone_record t;
	uint64_t n;

	if (record_get_gtx(&g, b) == OK)
		assert_in_range(g.status, 1, GTX_STATUSES - 1);
	if (record_get_branch(&r, &mem_heap, b) == OK) {
		assert_in_range(r.status, 1, BRANCH_STATUSES - 1);
		mem_free(&mem_heap, (void *)(uintptr_t)r.lock_keys);
	}
	if (record_get_tombstone(&t, b) == OK)
		assert_true(gtx_status_finished((int)t.status));
	(void)!record_get_number(&n, b);
}

static void test_damage_never_makes_an_insane_record(void **state)
{
	struct branch_record b = some_branch();
	struct tombstone_record t = { .status = GTX_COMMITTED,
				      .ended_wall_ms = 5 };
	struct gtx_record g = some_gtx();

	(void)state;
	for (int kind = 0; kind < 4; kind++) {
		buf_clear(&body);
		if (kind == 0)
			record_put_gtx(&body, &g);
		else if (kind == 1)
			record_put_branch(&body, &b);
		else if (kind == 2)
			record_put_tombstone(&body, &t);
		else
			record_put_number(&body, 4);
		for (size_t n = 0; n < body.len; n++) {
			uint8_t keep = body.data[n];

			try_all((struct bytes){ body.data, n });
			for (int v = 0; v < 256; v++) {
				body.data[n] = (uint8_t)v;
				try_all(buf_bytes(&body));
			}
			body.data[n] = keep;
		}
	}
}

static void test_a_cut_off_body_is_corrupt_and_a_newer_one_says_so(void **state)
{
	struct branch_record b = some_branch();
	struct tombstone_record t = { .status = GTX_COMMITTED,
				      .ended_wall_ms = 5 };
	struct gtx_record g = some_gtx();
	struct bytes whole;
	uint64_t n;

	(void)state;
	record_put_gtx(&body, &g);
	whole = buf_bytes(&body);
	whole.len--;
	assert_int_equal(record_get_gtx(&g, whole), E_CORRUPT);
	assert_int_equal(record_get_branch(&b, &mem_heap, whole), E_CORRUPT);
	assert_int_equal(record_get_tombstone(&t, whole), E_CORRUPT);
	assert_int_equal(record_get_number(&n, whole), E_CORRUPT);
	body.data[0] = RECORD_VERSION + 1;
	whole = buf_bytes(&body);
	assert_int_equal(record_get_gtx(&g, whole), E_VERSION);
	assert_int_equal(record_get_branch(&b, &mem_heap, whole), E_VERSION);
	assert_int_equal(record_get_tombstone(&t, whole), E_VERSION);
	assert_int_equal(record_get_number(&n, whole), E_VERSION);
	body.data[0] = 0;
	assert_int_equal(record_get_gtx(&g, whole), E_CORRUPT);
	assert_int_equal(record_get_gtx(&g, BYTES("")), E_CORRUPT);
}

static void test_the_list_of_keys_may_find_no_memory(void **state)
{
	struct branch_record b = some_branch();
	struct flaky flaky;

	(void)state;
	record_put_branch(&body, &b);
	flaky_init(&flaky, 0);
	assert_int_equal(record_get_branch(&b, &flaky.mem, buf_bytes(&body)),
			 E_NOMEM);
	assert_int_equal(b.n_lock_keys, 2); /* untouched */
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_a_transaction_comes_back_as_it_went),
		T(test_a_branch_comes_back_as_it_went),
		T(test_a_message_comes_back_as_it_went),
		T(test_an_older_version_must_not_read_a_message),
		T(test_fields_of_a_later_version_are_skipped),
		T(test_damage_never_makes_an_insane_record),
		T(test_a_cut_off_body_is_corrupt_and_a_newer_one_says_so),
		T(test_the_list_of_keys_may_find_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
