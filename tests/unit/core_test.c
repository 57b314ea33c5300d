#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/fakes/desk.h"

static int setup(void **state)
{
	struct core_config config = desk_config();
	struct desk *d = desk_new(&config, true);

	desk_peer(d, 1, "app", "i1", "R");
	*state = d;
	return 0;
}

static int teardown(void **state)
{
	desk_free(*state);
	return 0;
}

static void test_a_commit_ends_in_every_branch(void **state)
{
	struct desk *d = *state;
	struct bytes xid = desk_begin(d);
	uint64_t b1 = desk_register(d, xid, 1, MODE_AT, "R", "ab");
	uint64_t b2 = desk_register(d, xid, 1, MODE_TCC, "R", "");
	uint64_t id = desk_ask_end(d, xid, true, 5000);

	assert_null(desk_find_reply(d, id));
	assert_int_equal(desk_status(d, xid), GTX_COMMITTING);
	assert_int_equal(core_stats(d->core).locks_now, 0);
	desk_done(d, desk_command(d, b1), BRANCH_COMMITTED, NULL);
	assert_null(desk_find_reply(d, id));
	desk_done(d, desk_command(d, b2), BRANCH_COMMITTED, NULL);
	assert_int_equal(desk_reply(d, id)->status, GTX_COMMITTED);
	assert_int_equal(desk_status(d, xid), GTX_COMMITTED);
	assert_int_equal(desk_count(d, ROW_GTX), 0);
	assert_int_equal(desk_count(d, ROW_BRANCH), 0);
	assert_int_equal(desk_count(d, ROW_TOMBSTONE), 1);
}

static void test_a_rollback_undoes_the_newest_first(void **state)
{
	struct desk *d = *state;
	struct bytes xid = desk_begin(d);
	uint64_t b1 = desk_register(d, xid, 1, MODE_AT, "R", "a");
	uint64_t b2 = desk_register(d, xid, 1, MODE_AT, "R", "b");
	uint64_t id = desk_ask_end(d, xid, false, 0);

	assert_int_equal(desk_reply(d, id)->status, GTX_ROLLBACKING);
	assert_null(desk_command(d, b1));
	assert_int_equal(core_stats(d->core).locks_now, 2);
	desk_done(d, desk_command(d, b2), BRANCH_ROLLBACKED, NULL);
	assert_int_equal(core_stats(d->core).locks_now, 1);
	desk_done(d, desk_command(d, b1), BRANCH_ROLLBACKED, NULL);
	assert_int_equal(desk_status(d, xid), GTX_ROLLBACKED);
	assert_int_equal(core_stats(d->core).locks_now, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			test_a_commit_ends_in_every_branch, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_a_rollback_undoes_the_newest_first, setup,
			teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
