#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tc/core/record.h"
#include "tests/fakes/desk.h"

/* Starting from rows, sound and unsound ones; and looking at what is there. */

struct start {
	struct core *core;
	struct buf body;
};

static int setup(void **state)
{
	static struct start s;
	struct core_config config = desk_config();

	assert_int_equal(core_new(&s.core, &mem_heap, &config), OK);
	buf_init(&s.body, &mem_heap);
	*state = &s;
	return 0;
}

static int teardown(void **state)
{
	struct start *s = *state;

	core_check(s->core);
	core_free(s->core);
	buf_fini(&s->body);
	return 0;
}

static int load(struct start *s, enum row_table table, uint64_t id,
		uint64_t gtx)
{
	struct event e = { .type = EV_LOADED };
	struct effects fx;
	int rc;

	e.row.table = table;
	e.row.id = id;
	e.row.gtx = gtx;
	e.row.body = buf_bytes(&s->body);
	rc = core_step(s->core, &e, &fx);
	buf_clear(&s->body);
	return rc;
}

static int load_ids(struct start *s, uint64_t end)
{
	record_put_number(&s->body, end);
	return load(s, ROW_META, 1, 0);
}

static int load_first(struct start *s, uint64_t first)
{
	record_put_number(&s->body, first);
	return load(s, ROW_META, 2, 0);
}

static int load_gtx(struct start *s, uint64_t id, enum gtx_status status)
{
	struct gtx_record r = { .status = status, .timeout_ms = 1000 };

	record_put_gtx(&s->body, &r);
	return load(s, ROW_GTX, id, id);
}

static int load_branch(struct start *s, uint64_t id, uint64_t gtx,
		       enum branch_status status, const char *key)
{
	struct bytes k = bytes_of(key);
	struct branch_record r = { .mode = MODE_AT,
				   .status = status,
				   .resource = BYTES("R"),
				   .application = BYTES("app"),
				   .lock_keys = &k,
				   .n_lock_keys = k.len ? 1 : 0 };

	record_put_branch(&s->body, &r);
	return load(s, ROW_BRANCH, id, gtx);
}

static int load_tomb(struct start *s, uint64_t id)
{
	struct tombstone_record r = { .status = GTX_COMMITTED,
				      .ended_wall_ms = 1 };

	record_put_tombstone(&s->body, &r);
	return load(s, ROW_TOMBSTONE, id, id);
}

static int ready(struct start *s)
{
	struct event e = { .type = EV_READY, .now_ms = 10 };
	struct effects fx;

	return core_step(s->core, &e, &fx);
}

static void test_rows_come_in_any_order(void **state)
{
	struct start *s = *state;
	enum gtx_status outcome;

	assert_int_equal(load_branch(s, 9, 3, BRANCH_REGISTERED, "b"), OK);
	assert_int_equal(load_branch(s, 7, 3, BRANCH_PHASE_ONE_DONE, "a"), OK);
	assert_int_equal(load_branch(s, 8, 3, BRANCH_RDONLY, "x"), OK);
	assert_int_equal(load_tomb(s, 2), OK);
	assert_int_equal(load_gtx(s, 5, GTX_BEGIN), OK);
	assert_int_equal(load_gtx(s, 3, GTX_BEGIN), OK);
	assert_int_equal(load_ids(s, 100), OK);
	buf_put_text(&s->body, "of a later version");
	assert_int_equal(load(s, ROW_META, 99, 0), OK);
	assert_int_equal(ready(s), OK);
	assert_int_equal(core_stats(s->core).gtx_now, 2);
	assert_int_equal(core_stats(s->core).locks_now, 2);
	assert_int_equal(core_outcome(s->core, 2, &outcome), OK);
	assert_int_equal(outcome, GTX_COMMITTED);
	assert_int_equal(core_outcome(s->core, 3, &outcome), E_NOTFOUND);
}

/* A commit gave up its locks; whoever came next has them. */
static void test_a_committing_row_and_its_successor_share_a_key(void **state)
{
	struct start *s = *state;

	load_ids(s, 100);
	load_gtx(s, 1, GTX_ASYNC_COMMITTING);
	load_branch(s, 11, 1, BRANCH_COMMIT_RETRYABLE, "a");
	load_gtx(s, 2, GTX_BEGIN);
	load_branch(s, 12, 2, BRANCH_REGISTERED, "a");
	assert_int_equal(ready(s), OK);
	assert_int_equal(core_stats(s->core).locks_now, 1);
}

static void test_damaged_rows_stop_the_start(void **state)
{
	struct start *s = *state;

	assert_int_equal(load_gtx(s, 0, GTX_BEGIN), E_CORRUPT);
	assert_int_equal(load_gtx(s, UINT64_MAX, GTX_BEGIN), E_CORRUPT);
	assert_int_equal(load_gtx(s, 1, GTX_COMMITTED), E_CORRUPT);
	assert_int_equal(load_gtx(s, 1, GTX_FINISHED), E_CORRUPT);
	assert_int_equal(load_branch(s, 5, 0, BRANCH_REGISTERED, ""),
			 E_CORRUPT);
	assert_int_equal(load_branch(s, 5, 1, BRANCH_REGISTERED, ""), OK);
	assert_int_equal(load_branch(s, 5, 1, BRANCH_REGISTERED, ""),
			 E_CORRUPT);
	assert_int_equal(load_tomb(s, 4), OK);
	assert_int_equal(load_tomb(s, 4), E_CORRUPT);
	assert_int_equal(load_ids(s, 0), E_CORRUPT);
	assert_int_equal(load(s, ROW_META, 1, 0), E_CORRUPT);
	assert_int_equal(load(s, ROW_GTX, 1, 0), E_CORRUPT);
	assert_int_equal(load(s, ROW_BRANCH, 1, 0), E_CORRUPT);
	assert_int_equal(load(s, ROW_TOMBSTONE, 1, 0), E_CORRUPT);
	assert_int_equal(load(s, ROW_TABLES, 1, 0), E_VERSION);
}

/* One of an older version has no first number: it began with 1. */
static void test_a_store_without_a_first_number_began_with_one(void **state)
{
	struct start *s = *state;

	assert_int_equal(load_ids(s, 100), OK);
	assert_int_equal(load_gtx(s, 1, GTX_BEGIN), OK);
	assert_int_equal(ready(s), OK);
	assert_true(core_gave(s->core, 1));
	assert_true(core_gave(s->core, 99));
	assert_false(core_gave(s->core, 100));
}

static void test_what_was_there_before_the_first_number_stops_the_start(
	void **state)
{
	struct start *s = *state;

	assert_int_equal(load_first(s, 0), E_CORRUPT);
	assert_int_equal(load_ids(s, 100), OK);
	assert_int_equal(load_first(s, 50), OK);
	assert_int_equal(load_gtx(s, 49, GTX_BEGIN), OK);
	assert_int_equal(ready(s), E_CORRUPT);
}

static void test_a_first_number_above_the_end_stops_the_start(void **state)
{
	struct start *s = *state;

	assert_int_equal(load_first(s, 101), OK);
	assert_int_equal(load_ids(s, 100), OK);
	assert_int_equal(ready(s), E_CORRUPT);
}

static void test_a_first_number_without_an_end_stops_the_start(void **state)
{
	struct start *s = *state;

	assert_int_equal(load_first(s, 101), OK);
	assert_int_equal(ready(s), E_CORRUPT);
}

static void test_a_branch_needs_its_transaction(void **state)
{
	struct start *s = *state;

	load_ids(s, 100);
	load_branch(s, 5, 1, BRANCH_REGISTERED, "a");
	assert_int_equal(ready(s), E_CORRUPT);
}

static void test_a_transaction_comes_once(void **state)
{
	struct start *s = *state;

	load_ids(s, 100);
	load_gtx(s, 1, GTX_BEGIN);
	load_gtx(s, 2, GTX_BEGIN);
	load_gtx(s, 1, GTX_BEGIN);
	assert_int_equal(ready(s), E_CORRUPT);
}

static void test_a_key_has_one_owner_on_disk_too(void **state)
{
	struct start *s = *state;

	load_ids(s, 100);
	load_gtx(s, 1, GTX_BEGIN);
	load_gtx(s, 2, GTX_ROLLBACKING);
	load_branch(s, 5, 1, BRANCH_REGISTERED, "a");
	load_branch(s, 6, 2, BRANCH_REGISTERED, "a");
	assert_int_equal(ready(s), E_CORRUPT);
}

static void test_statuses_must_fit(void **state)
{
	static const struct {
		enum gtx_status gtx;
		enum branch_status branch;
		int rc;
	} pairs[] = {
		{ GTX_BEGIN, BRANCH_COMMIT_RETRYABLE, E_CORRUPT },
		{ GTX_BEGIN, BRANCH_STOP_RETRY, E_CORRUPT },
		{ GTX_COMMITTING, BRANCH_ROLLBACK_RETRYABLE, E_CORRUPT },
		{ GTX_ROLLBACKING, BRANCH_COMMIT_NOTA, E_CORRUPT },
		{ GTX_ROLLBACKING, BRANCH_ROLLBACKED, E_CORRUPT },
		{ GTX_ROLLBACKING, BRANCH_RDONLY, E_CORRUPT }, /* no work */
		{ GTX_ROLLBACKING, BRANCH_ROLLBACK_UNRETRYABLE, E_CORRUPT },
		{ GTX_ROLLBACK_FAILED, BRANCH_ROLLBACK_RETRYABLE, E_CORRUPT },
		{ GTX_COMMIT_FAILED, BRANCH_REGISTERED, E_CORRUPT },
		{ GTX_COMMITTING, BRANCH_STOP_RETRY, E_CORRUPT },
		{ GTX_ROLLBACK_RETRYING, BRANCH_ROLLBACK_NOTA, OK },
		{ GTX_ROLLBACK_FAILED, BRANCH_ROLLBACK_UNRETRYABLE, OK },
		{ GTX_COMMIT_RETRY_TIMEOUT, BRANCH_STOP_RETRY, OK },
		{ GTX_COMMIT_FAILED, BRANCH_COMMIT_UNRETRYABLE, OK },
	};

	for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
		struct start *s = *state;

		load_ids(s, 100);
		load_gtx(s, 1, pairs[i].gtx);
		load_branch(s, 5, 1, pairs[i].branch, "a");
		assert_int_equal(ready(s), pairs[i].rc);
		teardown(state);
		setup(state);
	}
}

static void test_numbers_in_use_were_reserved(void **state)
{
	struct start *s = *state;

	load_ids(s, 10);
	load_gtx(s, 10, GTX_BEGIN);
	assert_int_equal(ready(s), E_CORRUPT);
	teardown(state);
	setup(state);
	load_ids(s, 10);
	load_gtx(s, 1, GTX_BEGIN);
	load_branch(s, 10, 1, BRANCH_REGISTERED, "");
	assert_int_equal(ready(s), E_CORRUPT);
	teardown(state);
	setup(state);
	load_ids(s, 10);
	load_gtx(s, 1, GTX_BEGIN);
	load_tomb(s, 1);
	assert_int_equal(ready(s), E_CORRUPT);
}

static void test_a_configuration_must_make_sense(void **state)
{
	struct core_config good = desk_config(), bad;
	struct core *c = NULL;

	(void)state;
#define BAD(field, value)                                                      \
	do {                                                                   \
		bad = good;                                                    \
		bad.field = value;                                             \
		assert_int_equal(core_new(&c, &mem_heap, &bad), E_INVALID);    \
	} while (0)
	BAD(coordinator.len, 0);
	BAD(coordinator.len, 120);
	BAD(gtx_max, 0);
	BAD(branches_per_gtx_max, 0);
	BAD(locks_max, 0);
	BAD(lock_keys_per_branch_max, 0);
	BAD(tombstones_max, 0);
	BAD(peers_max, 0);
	BAD(text_max, 0);
	BAD(text_max, SIZE_MAX);
	BAD(application_data_max, SIZE_MAX);
	BAD(in_flight_per_peer_max, 0);
	BAD(id_block, 0);
	BAD(id_block, UINT64_MAX);
	BAD(timeout_ms_default, 0);
	BAD(timeout_ms_default, good.timeout_ms_max + 1);
	BAD(timeout_ms_max, UINT64_MAX);
	BAD(command_timeout_ms, 0);
	BAD(retry_ms_first, 0);
	BAD(retry_ms_first, good.retry_ms_max + 1);
	BAD(tombstone_keep_ms, UINT64_MAX);
#undef BAD
	core_free(NULL);
}

/* ---- looking ---- */

struct seen {
	uint64_t numbers[16];
	size_t n, stop_at;
	struct gtx_view last;
	struct branch_view branches[4];
	size_t n_branches;
};

static bool see(void *ctx, struct gtx_view v)
{
	struct seen *s = ctx;

	s->numbers[s->n++] = v.number;
	s->last = v;
	return s->n != s->stop_at;
}

static void see_branch(void *ctx, struct branch_view v)
{
	struct seen *s = ctx;

	s->branches[s->n_branches++] = v;
}

static size_t listed(const struct desk *d, struct gtx_filter f,
		     struct seen *seen)
{
	*seen = (struct seen){ .stop_at = seen->stop_at };
	if (f.limit == 0)
		f.limit = 16;
	return core_list(d->core, &f, d->now_ms, see, seen);
}

static void test_the_list_is_filtered_and_paged(void **state)
{
	struct core_config config = desk_config();
	struct desk *d = desk_new(&config, true);
	struct bytes xid[4];
	struct seen seen = { 0 };
	uint64_t b;

	(void)state;
	desk_peer(d, 1, "shop", "i", "R");
	for (int i = 0; i < 4; i++) {
		xid[i] = desk_begin(d);
		desk_pass(d, 100);
	}
	b = desk_register(d, xid[1], 1, MODE_TCC, "R", "");
	desk_ask_end(d, xid[1], true, 0);
	desk_done(d, desk_command(d, b), BRANCH_COMMIT_UNRETRYABLE, "no way");
	assert_int_equal(listed(d, (struct gtx_filter){ .status = -1 }, &seen),
			 4);
	assert_int_equal(seen.numbers[0] + 1, seen.numbers[1]);
	assert_int_equal(listed(d,
				(struct gtx_filter){ .status = -1,
						     .after = seen.numbers[1],
						     .limit = 1 },
				&seen),
			 1);
	assert_int_equal(
		listed(d, (struct gtx_filter){ .status = GTX_BEGIN }, &seen),
		3);
	assert_int_equal(
		listed(d, (struct gtx_filter){ .status = -1, .hung = true },
		       &seen),
		1);
	assert_int_equal(seen.last.status, GTX_COMMIT_FAILED);
	assert_true(bytes_equal(seen.last.last_error, BYTES("no way")));
	assert_int_equal(
		listed(d,
		       (struct gtx_filter){ .status = -1, .text = BYTES("uy") },
		       &seen),
		4);
	assert_int_equal(listed(d,
				(struct gtx_filter){ .status = -1,
						     .text = BYTES("ell") },
				&seen),
			 0);
	assert_int_equal(listed(d,
				(struct gtx_filter){ .status = -1,
						     .resource = BYTES("R") },
				&seen),
			 1);
	assert_int_equal(
		listed(d,
		       (struct gtx_filter){ .status = -1, .age_ms_min = 300 },
		       &seen),
		2);
	seen.stop_at = 2;
	assert_int_equal(listed(d, (struct gtx_filter){ .status = -1 }, &seen),
			 2);
	desk_free(d);
}

static void test_one_is_shown_with_its_branches(void **state)
{
	struct core_config config = desk_config();
	struct desk *d = desk_new(&config, true);
	struct seen seen = { 0 };
	struct bytes xid;
	uint64_t number, b;

	(void)state;
	desk_peer(d, 1, "shop", "i", "R");
	xid = desk_begin(d);
	b = desk_register(d, xid, 1, MODE_AT, "R", "ab");
	listed(d, (struct gtx_filter){ .status = -1 }, &seen);
	number = seen.numbers[0];
	assert_int_equal(core_show(d->core, number, d->now_ms + 5, &seen.last,
				   see_branch, &seen),
			 OK);
	assert_int_equal(seen.last.n_locks, 2);
	assert_int_equal(seen.last.n_branches, 1);
	assert_int_equal(seen.last.next_due_ms, 60000 - 5);
	assert_int_equal(seen.branches[0].id, b);
	assert_int_equal(seen.branches[0].n_lock_keys, 2);
	assert_true(bytes_equal(seen.branches[0].lock_keys[1], BYTES("b")));
	assert_true(bytes_equal(seen.branches[0].application, BYTES("shop")));
	assert_true(bytes_equal(seen.branches[0].instance, BYTES("i")));
	assert_true(seen.branches[0].next_due_ms == UINT64_MAX);
	desk_ask_end(d, xid, false, 0);
	seen.n_branches = 0;
	assert_int_equal(core_show(d->core, number, d->now_ms + 40000,
				   &seen.last, see_branch, &seen),
			 OK);
	assert_true(seen.branches[0].in_flight);
	assert_int_equal(seen.branches[0].attempts, 1);
	assert_int_equal(seen.branches[0].next_due_ms, 0); /* overdue */
	assert_int_equal(
		core_show(d->core, number, d->now_ms, &seen.last, NULL, NULL),
		OK);
	assert_int_equal(core_show(d->core, number + 50, d->now_ms, &seen.last,
				   NULL, NULL),
			 E_NOTFOUND);
	desk_free(d);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_rows_come_in_any_order),
		T(test_a_committing_row_and_its_successor_share_a_key),
		T(test_damaged_rows_stop_the_start),
		T(test_a_store_without_a_first_number_began_with_one),
		T(test_what_was_there_before_the_first_number_stops_the_start),
		T(test_a_first_number_above_the_end_stops_the_start),
		T(test_a_first_number_without_an_end_stops_the_start),
		T(test_a_branch_needs_its_transaction),
		T(test_a_transaction_comes_once),
		T(test_a_key_has_one_owner_on_disk_too),
		T(test_statuses_must_fit),
		T(test_numbers_in_use_were_reserved),
		cmocka_unit_test(test_a_configuration_must_make_sense),
		cmocka_unit_test(test_the_list_is_filtered_and_paged),
		cmocka_unit_test(test_one_is_shown_with_its_branches),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
