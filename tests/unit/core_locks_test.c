#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/fakes/desk.h"

/* Row locks and waiting for them, through the front door. */

static int setup(void **state)
{
	struct core_config config = desk_config();
	struct desk *d;

	config.waiters_max = 3;
	config.locks_max = 5;
	config.branches_per_gtx_max = 4;
	config.lock_keys_per_branch_max = 4;
	config.lock_wait_ms_max = 5000;
	d = desk_new(&config, true);
	desk_peer(d, 1, "app", "i1", "R");
	desk_peer(d, 2, "app", "i2", "R");
	*state = d;
	return 0;
}

static int teardown(void **state)
{
	desk_free(*state);
	return 0;
}

static uint64_t want(struct desk *d, struct bytes xid, const char *keys,
		     uint64_t wait_ms)
{
	return desk_ask_register(d, xid, 1, MODE_AT, "R", keys, wait_ms, 0);
}

static uint64_t look(struct desk *d, struct bytes xid, const char *key,
		     uint64_t wait_ms)
{
	struct bytes k = bytes_of(key);

	return desk_ask(d, (struct request){ .type = RQ_LOCK_CHECK,
					     .xid = xid,
					     .peer = 1,
					     .resource = BYTES("R"),
					     .lock_keys = &k,
					     .n_lock_keys = 1,
					     .wait_ms = wait_ms });
}

static int err_of(struct desk *d, uint64_t id)
{
	return desk_reply(d, id)->err;
}

static void test_a_conflict_names_the_holder(void **state)
{
	struct desk *d = *state;
	struct bytes t1 = desk_begin(d), t2 = desk_begin(d);
	const struct reply *r;

	desk_register(d, t1, 1, MODE_AT, "R", "ab");
	desk_pass(d, 70);
	r = desk_reply(d, want(d, t2, "cb", 0));
	assert_int_equal(r->err, E_CONFLICT);
	assert_true(bytes_equal(r->holder, t1));
	assert_true(bytes_equal(r->key, BYTES("b")));
	assert_int_equal(r->holder_age_ms, 70);
	assert_true(r->text.len > 0);
	assert_int_equal(core_stats(d->core).locks_now, 2);
	assert_int_equal(err_of(d, look(d, t2, "a", 0)), E_CONFLICT);
	assert_int_equal(err_of(d, look(d, t2, "c", 0)), OK);
	assert_int_equal(core_stats(d->core).locks_now, 2);
}

static void test_who_waits_is_served_when_the_holder_commits(void **state)
{
	struct desk *d = *state;
	struct bytes t1 = desk_begin(d), t2 = desk_begin(d);
	struct bytes t3 = desk_begin(d);
	uint64_t w2, w3, l3;

	desk_register(d, t1, 1, MODE_AT, "R", "a");
	w2 = want(d, t2, "a", 1000);
	w3 = want(d, t3, "a", 1000);
	l3 = look(d, t3, "a", 1000);
	assert_null(desk_find_reply(d, w2));
	desk_ask_end(d, t1, true, 0);
	assert_int_equal(err_of(d, w2), OK);
	assert_null(desk_find_reply(d, w3));
	desk_ask_end(d, t2, true, 0);
	assert_int_equal(err_of(d, w3), OK);
	assert_int_equal(err_of(d, l3), OK);
}

static void test_a_wait_ends_at_its_deadline(void **state)
{
	struct desk *d = *state;
	struct bytes t1 = desk_begin(d), t2 = desk_begin(d);
	uint64_t w;

	desk_register(d, t1, 1, MODE_AT, "R", "a");
	w = want(d, t2, "a", 300);
	desk_pass(d, 299);
	assert_null(desk_find_reply(d, w));
	desk_pass(d, 1);
	assert_int_equal(err_of(d, w), E_TIMEOUT);
	assert_true(bytes_equal(desk_reply(d, w)->holder, t1));
	assert_int_equal(core_stats(d->core).waiters_now, 0);
	w = want(d, t2, "a", 999999); /* cut to lock_wait_ms_max */
	desk_pass(d, 5000);
	assert_int_equal(err_of(d, w), E_TIMEOUT);
}

static void test_a_row_freed_at_the_deadline_is_granted(void **state)
{
	struct desk *d = *state;
	struct bytes t1 = desk_begin(d), t2 = desk_begin(d);
	uint64_t w;

	desk_register(d, t1, 1, MODE_AT, "R", "a");
	w = want(d, t2, "a", 300);
	desk_pass(d, 299);
	d->now_ms++; /* the commit is the first to be heard of this moment */
	desk_ask_end(d, t1, true, 0);
	assert_int_equal(err_of(d, w), OK);
}

static void test_the_youngest_of_a_cycle_is_refused(void **state)
{
	struct desk *d = *state;
	struct bytes t1 = desk_begin(d), t2 = desk_begin(d);
	uint64_t w1, w2;

	desk_register(d, t1, 1, MODE_AT, "R", "a");
	desk_register(d, t2, 1, MODE_AT, "R", "b");
	w2 = want(d, t2, "a", 1000);
	w1 = want(d, t1, "b", 1000); /* the older one closes it */
	assert_int_equal(err_of(d, w2), E_DEADLOCK);
	assert_true(bytes_equal(desk_reply(d, w2)->holder, t1));
	assert_null(desk_find_reply(d, w1));
	desk_ask_end(d, t2, true, 0);
	assert_int_equal(err_of(d, w1), OK);
	assert_int_equal(core_stats(d->core).deadlocks, 1);
}

/* A look over two keys stands in nobody's way, so a key that it wants can
 * still be taken; and that may close a cycle. */
static void look_into_a_cycle(struct desk *d, bool through_the_queue)
{
	struct bytes t1 = desk_begin(d), t2 = desk_begin(d);
	struct bytes t3 = desk_begin(d), t4 = desk_begin(d);
	struct bytes two[] = { BYTES("c"), BYTES("k") };
	uint64_t waits, looks, takes;

	desk_register(d, t1, 1, MODE_AT, "R", "a");
	desk_register(d, t3, 1, MODE_AT, "R", "k");
	if (through_the_queue)
		desk_register(d, t4, 1, MODE_AT, "R", "c");
	looks = desk_ask(d, (struct request){ .type = RQ_LOCK_CHECK,
					      .xid = t1,
					      .lock_keys = two,
					      .n_lock_keys = 2,
					      .wait_ms = 1000 });
	waits = want(d, t2, "a", 1000);
	assert_null(desk_find_reply(d, waits));
	takes = want(d, t2, "c", 1000);
	if (through_the_queue) {
		assert_null(desk_find_reply(d, waits));
		desk_ask_end(d, t4, true, 0);
	}
	assert_int_equal(err_of(d, takes), OK);
	assert_int_equal(err_of(d, waits), E_DEADLOCK);
	desk_ask_end(d, t2, true, 0);
	desk_ask_end(d, t3, true, 0);
	assert_int_equal(err_of(d, looks), OK);
	desk_ask_end(d, t1, true, 0);
}

static void test_taking_a_key_may_close_a_cycle(void **state)
{
	look_into_a_cycle(*state, false);
	look_into_a_cycle(*state, true);
}

static void test_a_rollback_refuses_who_waits_for_it(void **state)
{
	struct desk *d = *state;
	struct bytes t1 = desk_begin(d), t2 = desk_begin(d);
	uint64_t b = desk_register(d, t1, 1, MODE_AT, "R", "a");
	uint64_t w = want(d, t2, "a", 1000);

	desk_ask_end(d, t1, false, 0);
	assert_int_equal(err_of(d, w), E_CONFLICT);
	/* Nor may anybody begin to wait now. */
	assert_int_equal(err_of(d, want(d, t2, "a", 1000)), E_CONFLICT);
	desk_done(d, desk_command(d, b), BRANCH_ROLLBACKED, NULL);
	assert_int_equal(err_of(d, want(d, t2, "a", 1000)), OK);
}

static void test_a_waiter_leaves_with_its_transaction(void **state)
{
	struct desk *d = *state;
	struct bytes t1 = desk_begin(d), t2 = desk_begin(d);
	struct bytes t3 = desk_begin(d);
	uint64_t w2, w3;

	desk_register(d, t1, 1, MODE_AT, "R", "a");
	desk_register(d, t2, 1, MODE_AT, "R", "x");
	w2 = want(d, t2, "ab", 1000);
	w3 = want(d, t3, "b", 1000); /* behind t2 on a free key */
	assert_null(desk_find_reply(d, w3));
	desk_ask_end(d, t2, false, 0);
	assert_int_equal(err_of(d, w2), E_STATE);
	assert_int_equal(desk_reply(d, w2)->status, GTX_ROLLBACKING);
	assert_int_equal(err_of(d, w3), OK);
}

static void test_a_waiter_leaves_with_its_peer(void **state)
{
	struct desk *d = *state;
	struct bytes t1 = desk_begin(d), t2 = desk_begin(d);
	uint64_t w;

	desk_register(d, t1, 2, MODE_AT, "R", "a");
	w = want(d, t2, "a", 1000);
	desk_gone(d, 1);
	assert_int_equal(core_stats(d->core).waiters_now, 0);
	desk_ask_end(d, t1, true, 0);
	assert_null(desk_find_reply(d, w));
}

static void test_a_repeated_request_keeps_its_place(void **state)
{
	struct desk *d = *state;
	struct bytes t1 = desk_begin(d), t2 = desk_begin(d);
	struct bytes t3 = desk_begin(d);
	uint64_t first, again, late, behind;

	desk_register(d, t1, 2, MODE_AT, "R", "a");
	first = desk_ask_register(d, t2, 1, MODE_AT, "R", "a", 1000, 77);
	behind = desk_ask_register(d, t3, 2, MODE_AT, "R", "a", 1000, 0);
	desk_peer(d, 3, "app", "i1", "R"); /* it reconnects */
	again = desk_ask_register(d, t2, 3, MODE_AT, "R", "a", 1000, 77);
	desk_gone(d, 1);
	assert_int_equal(core_stats(d->core).waiters_now, 2);
	desk_ask_end(d, t1, true, 0);
	assert_null(desk_find_reply(d, first));
	assert_null(desk_find_reply(d, behind));
	assert_int_equal(err_of(d, again), OK);
	assert_int_equal(desk_reply(d, again)->peer, 3);
	late = desk_ask_register(d, t2, 3, MODE_AT, "R", "a", 1000, 77);
	assert_int_equal(desk_reply(d, late)->branch,
			 desk_reply(d, again)->branch);
}

static void test_limits_of_locks_say_which(void **state)
{
	struct desk *d = *state;
	struct bytes t1 = desk_begin(d), t2 = desk_begin(d);
	struct bytes t3 = desk_begin(d);
	const struct reply *r;

	r = desk_reply(d, want(d, t1, "abcde", 0));
	assert_int_equal(r->err, E_LIMIT);
	assert_non_null(
		strstr((const char *)r->text.data, "lock_keys_per_branch_max"));
	desk_register(d, t1, 1, MODE_AT, "R", "abcd");
	r = desk_reply(d, want(d, t2, "ef", 0));
	assert_int_equal(r->err, E_LIMIT);
	assert_non_null(strstr((const char *)r->text.data, "locks_max"));
	for (int i = 0; i < 3; i++)
		want(d, t2, "a", 1000);
	r = desk_reply(d, want(d, t3, "a", 1000));
	assert_int_equal(r->err, E_LIMIT);
	assert_non_null(strstr((const char *)r->text.data, "waiters_max"));
	for (int i = 0; i < 3; i++)
		desk_register(d, t1, 1, MODE_TCC, "R", "");
	r = desk_reply(d, want(d, t1, "", 0));
	assert_int_equal(r->err, E_LIMIT);
	assert_non_null(
		strstr((const char *)r->text.data, "branches_per_gtx_max"));
}

static void test_a_limit_is_looked_at_again_when_the_wait_ends(void **state)
{
	struct desk *d = *state;
	struct bytes t1 = desk_begin(d), t2 = desk_begin(d);
	struct bytes t3 = desk_begin(d);
	uint64_t w;

	desk_register(d, t1, 1, MODE_AT, "R", "a");
	w = want(d, t2, "axyz", 1000);
	desk_register(d, t3, 1, MODE_AT, "R", "bcd");
	desk_ask_end(d, t1, true, 0);
	assert_int_equal(err_of(d, w), E_LIMIT);
}

static void test_a_failed_branch_gives_its_locks_back(void **state)
{
	struct desk *d = *state;
	struct bytes t1 = desk_begin(d), t2 = desk_begin(d);
	uint64_t b1 = desk_register(d, t1, 1, MODE_AT, "R", "ab");
	uint64_t w;

	desk_register(d, t1, 1, MODE_AT, "R", "b"); /* also relies on b */
	w = want(d, t2, "a", 1000);
	desk_ask(d, (struct request){ .type = RQ_REPORT,
				      .xid = t1,
				      .branch = b1,
				      .report = BRANCH_PHASE_ONE_FAILED });
	assert_int_equal(err_of(d, w), OK);
	assert_int_equal(err_of(d, want(d, t2, "b", 0)), E_CONFLICT);
}

static void test_a_look_after_a_commit_waits_for_the_disk(void **state)
{
	struct desk *d = *state;
	struct bytes t1 = desk_begin(d), t2 = desk_begin(d);
	uint64_t l;

	desk_register(d, t1, 1, MODE_AT, "R", "a");
	d->auto_store = false;
	desk_ask_end(d, t1, true, 0);
	l = look(d, t2, "a", 0);
	assert_null(desk_find_reply(d, l));
	desk_store(d);
	assert_int_equal(err_of(d, l), OK);
}

static void test_a_look_that_waited_waits_for_the_disk_too(void **state)
{
	struct desk *d = *state;
	struct bytes t1 = desk_begin(d), t2 = desk_begin(d);
	uint64_t l;

	desk_register(d, t1, 1, MODE_AT, "R", "a");
	l = look(d, t2, "a", 1000);
	d->auto_store = false;
	desk_ask_end(d, t1, true, 0);
	assert_int_equal(core_stats(d->core).waiters_now, 0);
	assert_null(desk_find_reply(d, l));
	desk_store(d);
	assert_int_equal(err_of(d, l), OK);
}

static void test_locks_are_there_again_after_a_restart(void **state)
{
	struct desk *d = *state;
	struct bytes t1 = desk_begin(d), t2 = desk_begin(d);
	struct bytes t3 = desk_begin(d);

	desk_register(d, t1, 1, MODE_AT, "R", "a");
	desk_register(d, t2, 1, MODE_AT, "R", "b");
	desk_register(d, t3, 1, MODE_AT, "R", "c");
	desk_ask_end(d, t2, true, 0);
	desk_ask_end(d, t3, false, 0);
	assert_int_equal(desk_crash(d), OK);
	assert_int_equal(core_stats(d->core).locks_now, 2);
	desk_peer(d, 9, "app", "i1", "R");
	assert_int_equal(err_of(d, want(d, t1, "b", 0)), OK);
	assert_int_equal(err_of(d, want(d, t1, "c", 1000)), E_CONFLICT);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_a_conflict_names_the_holder),
		T(test_who_waits_is_served_when_the_holder_commits),
		T(test_a_wait_ends_at_its_deadline),
		T(test_a_row_freed_at_the_deadline_is_granted),
		T(test_the_youngest_of_a_cycle_is_refused),
		T(test_taking_a_key_may_close_a_cycle),
		T(test_a_rollback_refuses_who_waits_for_it),
		T(test_a_waiter_leaves_with_its_transaction),
		T(test_a_waiter_leaves_with_its_peer),
		T(test_a_repeated_request_keeps_its_place),
		T(test_limits_of_locks_say_which),
		T(test_a_limit_is_looked_at_again_when_the_wait_ends),
		T(test_a_failed_branch_gives_its_locks_back),
		T(test_a_look_after_a_commit_waits_for_the_disk),
		T(test_a_look_that_waited_waits_for_the_disk_too),
		T(test_locks_are_there_again_after_a_restart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
