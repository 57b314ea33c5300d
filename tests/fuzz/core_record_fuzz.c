#include "tc/core/record.h"
#include "tests/fuzz/fuzz.h"

/*
 * A body that is understood says the same after writing and reading, and
 * nothing in it is out of range.
 *
 * Input: which kind of body u8, then the body.
 */

static void require_answer(int rc)
{
	REQUIRE(rc == OK || rc == E_CORRUPT || rc == E_VERSION);
}

static void check_gtx(struct bytes body)
{
	struct gtx_record g, again;
	struct buf b;
	int rc = record_get_gtx(&g, body);

	require_answer(rc);
	if (rc != OK)
		return;
	REQUIRE((unsigned)g.status < GTX_STATUSES);
	buf_init(&b, &mem_heap);
	record_put_gtx(&b, &g);
	REQUIRE(record_get_gtx(&again, buf_bytes(&b)) == OK);
	REQUIRE(again.status == g.status && again.ordered == g.ordered);
	REQUIRE(again.kind == g.kind);
	REQUIRE(bytes_equal(again.name, g.name));
	REQUIRE(bytes_equal(again.application, g.application));
	REQUIRE(again.timeout_ms == g.timeout_ms);
	REQUIRE(again.began_wall_ms == g.began_wall_ms);
	REQUIRE(again.n_branches == g.n_branches);
	REQUIRE(again.decided_wall_ms == g.decided_wall_ms);
	REQUIRE(bytes_equal(again.check, g.check));
	REQUIRE(bytes_equal(again.participant, g.participant));
	REQUIRE(again.call_timeout_ms == g.call_timeout_ms);
	REQUIRE(bytes_equal(again.business_key, g.business_key));
	buf_fini(&b);
}

static void require_same(const struct branch_record *a,
			 const struct branch_record *b)
{
	REQUIRE(a->mode == b->mode && a->status == b->status);
	REQUIRE(a->client_key == b->client_key);
	REQUIRE(bytes_equal(a->resource, b->resource));
	REQUIRE(bytes_equal(a->application, b->application));
	REQUIRE(bytes_equal(a->instance, b->instance));
	REQUIRE(bytes_equal(a->application_data, b->application_data));
	REQUIRE(bytes_equal(a->participant, b->participant));
	REQUIRE(a->call_timeout_ms == b->call_timeout_ms);
	REQUIRE(a->deliver_after_ms == b->deliver_after_ms);
	REQUIRE(bytes_equal(a->schedule, b->schedule));
	for (size_t i = 0; i < record_schedule_len(a->schedule); i++)
		REQUIRE(record_schedule(a->schedule, i) < UINT64_MAX / 4);
	REQUIRE(bytes_equal(a->topic, b->topic));
	REQUIRE(bytes_equal(a->subscriber, b->subscriber));
	REQUIRE(a->attempts == b->attempts && a->failures == b->failures);
	REQUIRE(a->resolution == b->resolution);
	REQUIRE(bytes_equal(a->values, b->values));
	REQUIRE(bytes_equal(a->error, b->error));
	REQUIRE(bytes_equal(a->detail, b->detail));
	REQUIRE(a->n_lock_keys == b->n_lock_keys);
	for (size_t i = 0; i < a->n_lock_keys; i++)
		REQUIRE(bytes_equal(a->lock_keys[i], b->lock_keys[i]));
}

static void check_branch(struct bytes body)
{
	struct branch_record r, again;
	struct arena a;
	struct buf b;
	int rc;

	arena_init(&a, &mem_heap, 0);
	buf_init(&b, &mem_heap);
	rc = record_get_branch(&r, &a.as_mem, body);
	require_answer(rc);
	if (rc == OK) {
		REQUIRE((unsigned)r.status < BRANCH_STATUSES);
		REQUIRE((unsigned)r.resolution <= RESOLVE_VALUES);
		record_put_branch(&b, &r);
		REQUIRE(record_get_branch(&again, &a.as_mem, buf_bytes(&b)) ==
			OK);
		require_same(&r, &again);
	}
	buf_fini(&b);
	arena_fini(&a);
}

static void check_tombstone(struct bytes body)
{
	struct tombstone_record t, again;
	struct buf b;
	int rc = record_get_tombstone(&t, body);

	require_answer(rc);
	if (rc != OK)
		return;
	buf_init(&b, &mem_heap);
	record_put_tombstone(&b, &t);
	REQUIRE(record_get_tombstone(&again, buf_bytes(&b)) == OK);
	REQUIRE(again.status == t.status);
	REQUIRE(again.ended_wall_ms == t.ended_wall_ms);
	REQUIRE(bytes_equal(again.machine, t.machine));
	REQUIRE(bytes_equal(again.business_key, t.business_key));
	buf_fini(&b);
}

static void check_topic(struct bytes body)
{
	struct topic_record t, again;
	struct buf b;
	int rc = record_get_topic(&t, body);

	require_answer(rc);
	if (rc != OK)
		return;
	buf_init(&b, &mem_heap);
	record_put_topic(&b, &t);
	REQUIRE(record_get_topic(&again, buf_bytes(&b)) == OK);
	REQUIRE(bytes_equal(again.topic, t.topic));
	REQUIRE(bytes_equal(again.subscriber, t.subscriber));
	REQUIRE(bytes_equal(again.resource, t.resource));
	REQUIRE(bytes_equal(again.participant, t.participant));
	buf_fini(&b);
}

static void check_saga(struct bytes body)
{
	struct saga_record s, again;
	struct buf b;
	int rc = record_get_saga(&s, body);

	require_answer(rc);
	if (rc != OK)
		return;
	buf_init(&b, &mem_heap);
	record_put_saga(&b, &s);
	REQUIRE(record_get_saga(&again, buf_bytes(&b)) == OK);
	REQUIRE(again.machine == s.machine);
	REQUIRE(bytes_equal(again.state, s.state));
	REQUIRE(bytes_equal(again.participant, s.participant));
	REQUIRE(bytes_equal(again.business_key, s.business_key));
	buf_fini(&b);
}

static void check_machine(struct bytes body)
{
	struct machine_record m, again;
	struct buf b;
	int rc = record_get_machine(&m, body);

	require_answer(rc);
	if (rc != OK)
		return;
	buf_init(&b, &mem_heap);
	record_put_machine(&b, &m);
	REQUIRE(record_get_machine(&again, buf_bytes(&b)) == OK);
	REQUIRE(bytes_equal(again.document, m.document));
	REQUIRE(again.added_wall_ms == m.added_wall_ms);
	buf_fini(&b);
}

static void check_number(struct bytes body)
{
	uint64_t n, again;
	struct buf b;
	int rc = record_get_number(&n, body);

	require_answer(rc);
	if (rc != OK)
		return;
	buf_init(&b, &mem_heap);
	record_put_number(&b, n);
	REQUIRE(record_get_number(&again, buf_bytes(&b)) == OK);
	REQUIRE(again == n);
	buf_fini(&b);
}

void fuzz_one(struct bytes in)
{
	static void (*const checks[])(struct bytes body) = {
		check_gtx,  check_branch,  check_tombstone, check_number,
		check_saga, check_machine, check_topic
	};
	struct reader r = reader_of(in);
	size_t kind = read_u8(&r) % ARRAY_LEN(checks);

	checks[kind](read_raw(&r, reader_left(&r)));
}

void fuzz_seeds(const struct fuzz_sink *sink)
{
	static const struct bytes keys[] = { { (const uint8_t *)"k1", 2 },
					     { (const uint8_t *)"k\0002", 3 } };
	const struct gtx_record gtx = {
		.status = GTX_COMMITTING,
		.name = BYTES("buy"),
		.application = BYTES("shop"),
		.timeout_ms = 60000,
		.began_wall_ms = 123456789012,
		.n_branches = 3,
		.ordered = true,
		.kind = KIND_MESSAGE,
		.decided_wall_ms = 123456789013,
		.check = BYTES("http://orders:80"),
		.participant = BYTES("{}"),
		.call_timeout_ms = 700,
		.business_key = BYTES("o-7"),
	};
	const struct branch_record branch = {
		.mode = MODE_XA,
		.status = BRANCH_ROLLBACK_NOTA,
		.client_key = UINT64_MAX,
		.resource = BYTES("R"),
		.application = BYTES("A"),
		.instance = BYTES("I"),
		.application_data = BYTES("{}"),
		.participant = BYTES("{\"commit\":\"http://h/c\"}"),
		.call_timeout_ms = 250,
		.deliver_after_ms = 3000,
		.schedule = BYTES("\0\0\0\0\0\0\0\7\0\0\0\0\0\0\1\0"),
		.topic = BYTES("T"),
		.subscriber = BYTES("S"),
		.attempts = 7,
		.failures = 5,
		.resolution = RESOLVE_VALUES,
		.values = BYTES("v"),
		.error = BYTES("e"),
		.detail = BYTES("d"),
		.lock_keys = keys,
		.n_lock_keys = 2,
	};
	struct buf b;

	buf_init(&b, &mem_heap);
	buf_put_u8(&b, 0);
	record_put_gtx(&b, &gtx);
	fuzz_seed(sink, &b);
	buf_put_u8(&b, 1);
	record_put_branch(&b, &branch);
	fuzz_seed(sink, &b);
	buf_put_u8(&b, 2);
	record_put_tombstone(&b, &(struct tombstone_record){
					 .status = GTX_ROLLBACKED,
					 .ended_wall_ms = 5,
					 .machine = BYTES("trip"),
					 .business_key = BYTES("order 5") });
	fuzz_seed(sink, &b);
	buf_put_u8(&b, 3);
	record_put_number(&b, 4711);
	fuzz_seed(sink, &b);
	buf_put_u8(&b, 4);
	record_put_saga(&b,
			&(struct saga_record){ .machine = 7,
					       .state = BYTES("s"),
					       .participant = BYTES("{}"),
					       .business_key = BYTES("k") });
	fuzz_seed(sink, &b);
	buf_put_u8(&b, 5);
	record_put_machine(&b,
			   &(struct machine_record){ .document = BYTES("{}"),
						     .added_wall_ms = 9 });
	fuzz_seed(sink, &b);
	buf_put_u8(&b, 6);
	record_put_topic(
		&b, &(struct topic_record){ .topic = BYTES("T"),
					    .subscriber = BYTES("S"),
					    .resource = BYTES("http://r:80"),
					    .participant = BYTES("{}") });
	fuzz_seed(sink, &b);
	buf_fini(&b);
}
