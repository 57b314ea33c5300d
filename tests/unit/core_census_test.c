#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "tests/fakes/desk.h"

/* How many there are of what: counted again by core_check() at each step. */

static int setup(void **state)
{
	struct core_config config = desk_config();

	config.in_flight_per_peer_max = 1;
	config.command_timeout_ms = 1000;
	*state = desk_new(&config, true);
	return 0;
}

static int teardown(void **state)
{
	desk_free(*state);
	return 0;
}

static struct core_census census(struct desk *d, uint64_t wall_ms)
{
	struct core_census c;

	core_census(d->core, wall_ms, &c);
	return c;
}

/* When the oldest began, by the wall clock. */
static bool first(void *ctx, struct gtx_view v)
{
	*(uint64_t *)ctx = v.began_wall_ms;
	return false;
}

static uint64_t began(struct desk *d)
{
	const struct gtx_filter any = { .status = -1, .limit = 1 };
	uint64_t wall_ms = 0;

	(void)core_list(d->core, &any, d->now_ms, first, &wall_ms);
	return wall_ms;
}

static void end(struct desk *d, struct bytes xid, bool commit)
{
	assert_int_equal(desk_reply(d, desk_ask_end(d, xid, commit, 0))->err,
			 OK);
}

static void test_transactions_are_counted_by_kind_and_status(void **state)
{
	struct desk *d = *state;
	struct bytes a = desk_begin(d), b = desk_begin(d);
	struct core_census c;

	desk_peer(d, 1, "app", "i1", "R");
	(void)desk_register(d, a, 1, MODE_TCC, "R", "");
	(void)desk_register(d, b, 1, MODE_TCC, "R", "");
	(void)desk_begin(d);
	end(d, a, true);
	end(d, b, false);
	(void)desk_ask(d, (struct request){ .type = RQ_BEGIN,
					    .name = BYTES("m"),
					    .kind = KIND_MESSAGE });
	c = census(d, 0);
	assert_int_equal(c.gtx[KIND_PLAIN][GTX_BEGIN], 1);
	assert_int_equal(c.gtx[KIND_PLAIN][GTX_COMMITTING], 1);
	assert_int_equal(c.gtx[KIND_PLAIN][GTX_ROLLBACKING], 1);
	assert_int_equal(c.gtx[KIND_MESSAGE][GTX_BEGIN], 1);
	assert_int_equal(c.gtx[KIND_SAGA][GTX_BEGIN], 0);
	assert_int_equal(c.agents, 1);
	assert_int_equal(c.in_flight, 1); /* only one at once */
	assert_int_equal(c.queued, 1);
	assert_int_equal(c.resources_unserved, 0);
}

static void test_ages_count_from_the_begin_by_the_wall_clock(void **state)
{
	struct desk *d = *state;
	uint64_t then;
	struct core_census c;

	(void)desk_begin(d);
	then = began(d);
	assert_true(then > 0);
	c = census(d, then + 999);
	assert_int_equal(c.older[0], 0);
	assert_int_equal(c.oldest_ms, 999);
	c = census(d, then + 60000);
	assert_int_equal(c.older[0], 1);
	assert_int_equal(c.older[2], 1);
	assert_int_equal(c.older[3], 0);
	assert_int_equal(c.hung_older[0], 0);
	assert_int_equal(c.oldest_hung_ms, 0);
	assert_int_equal(c.oldest_decided_ms, 0);
	c = census(d, then - 1); /* the clock went back */
	assert_int_equal(c.oldest_ms, 0);
	assert_int_equal(c.older[0], 0);
}

static void test_what_hangs_is_counted_with_its_age(void **state)
{
	struct desk *d = *state;
	struct bytes xid = desk_begin(d);
	struct core_census c;
	uint64_t branch;

	desk_peer(d, 1, "app", "i1", "R");
	branch = desk_register(d, xid, 1, MODE_TCC, "R", "");
	end(d, xid, true);
	desk_done(d, desk_command(d, branch), BRANCH_COMMIT_UNRETRYABLE, "no");
	c = census(d, began(d) + 3600000);
	assert_int_equal(c.gtx[KIND_PLAIN][GTX_COMMIT_FAILED], 1);
	assert_int_equal(c.hung_older[5], 1);
	assert_int_equal(c.hung_older[6], 0);
	assert_int_equal(c.oldest_hung_ms, 3600000);
	assert_true(c.oldest_decided_ms >= 3600000 - 1000);
	assert_int_equal(c.hung, 1);
	assert_int_equal(c.in_flight, 0);
}

static void test_a_resource_that_nobody_has_is_noticed(void **state)
{
	struct desk *d = *state;
	struct bytes xid = desk_begin(d);

	desk_peer(d, 1, "app", "i1", "R");
	(void)desk_register(d, xid, 1, MODE_TCC, "R", "");
	desk_gone(d, 1);
	assert_int_equal(census(d, 0).resources_unserved, 0);
	end(d, xid, true);
	assert_int_equal(census(d, 0).resources_unserved, 1);
	assert_int_equal(census(d, 0).agents, 0);
	assert_int_equal(census(d, 0).queued, 1);
	desk_peer(d, 2, "app", "i2", "R");
	assert_int_equal(census(d, 0).resources_unserved, 0);
	assert_int_equal(census(d, 0).in_flight, 1);
	desk_pass(d, 1000); /* and never answers */
	assert_int_equal(census(d, 0).agents_suspect, 1);
	assert_int_equal(census(d, 0).due, 1);
}

static void test_what_is_done_is_counted_no_more(void **state)
{
	struct desk *d = *state;
	struct bytes xid = desk_begin(d);
	static const struct core_census nothing;
	struct core_census c;
	uint64_t branch;

	desk_peer(d, 1, "app", "i1", "R");
	branch = desk_register(d, xid, 1, MODE_XA, "R", "");
	end(d, xid, true);
	desk_done(d, desk_command(d, branch), BRANCH_COMMITTED, "");
	c = census(d, UINT64_MAX);
	assert_int_equal(c.agents, 1);
	c.agents = 0;
	assert_memory_equal(&c, &nothing, sizeof c);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_transactions_are_counted_by_kind_and_status),
		T(test_ages_count_from_the_begin_by_the_wall_clock),
		T(test_what_hangs_is_counted_with_its_age),
		T(test_a_resource_that_nobody_has_is_noticed),
		T(test_what_is_done_is_counted_no_more),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
