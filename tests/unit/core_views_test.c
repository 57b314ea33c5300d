/* What people see of locks, of who waits for them, and of who is there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/buf.h"
#include "tests/fakes/desk.h"

static struct buf seen;
static size_t stop_after; /* callbacks that say go on */

static int setup(void **state)
{
	struct core_config config = desk_config();
	struct desk *d;

	config.lock_wait_ms_max = 5000;
	d = desk_new(&config, true);
	desk_peer(d, 1, "app", "i1", "R");
	desk_peer(d, 2, "app", "i2", "S");
	buf_init(&seen, &mem_heap);
	stop_after = SIZE_MAX;
	*state = d;
	return 0;
}

static int teardown(void **state)
{
	buf_fini(&seen);
	desk_free(*state);
	return 0;
}

static void assert_seen(const char *want)
{
	assert_string_equal(buf_text(&seen), want);
	buf_clear(&seen);
}

static bool go_on(void)
{
	return stop_after == SIZE_MAX || --stop_after > 0;
}

/* Numbers are told from that of the first transaction. */
static uint64_t first;

static unsigned from_first(uint64_t number)
{
	return (unsigned)(number - first);
}

/* ---- locks ---- */

static bool see_lock(void *ctx, struct lock_view v)
{
	(void)ctx;
	buf_printf(&seen, "%.*s/%.*s %u/%u %s %u ms %zu;", (int)v.resource.len,
		   (const char *)v.resource.data, (int)v.key.len,
		   (const char *)v.key.data, from_first(v.gtx),
		   from_first(v.branch), gtx_status_name((int)v.status),
		   (unsigned)v.age_ms, v.n_waiters);
	return go_on();
}

static size_t locks(const struct desk *d, struct lock_filter f)
{
	if (f.limit == 0)
		f.limit = 100;
	return core_locks(d->core, &f, d->now_ms, see_lock, NULL);
}

/* The first: keys a, b on R (0/1), c on S (0/2). The second: d on R (3/4). */
static void two_holders(struct desk *d, struct bytes xid[2])
{
	xid[0] = desk_begin(d);
	first = desk_register(d, xid[0], 1, MODE_AT, "R", "ab") - 1;
	desk_register(d, xid[0], 2, MODE_AT, "S", "c");
	desk_pass(d, 10);
	xid[1] = desk_begin(d);
	desk_register(d, xid[1], 1, MODE_AT, "R", "d");
}

static void test_locks_are_told_by_holder_oldest_first(void **state)
{
	struct desk *d = *state;
	struct bytes xid[2], third = desk_begin(d);

	two_holders(d, xid);
	desk_ask_register(d, third, 1, MODE_AT, "R", "b", 1000, 7);
	assert_int_equal(locks(d, (struct lock_filter){ .limit = 100 }), 4);
	assert_seen("R/a 0/1 Begin 10 ms 0;R/b 0/1 Begin 10 ms 1;"
		    "S/c 0/2 Begin 10 ms 0;R/d 3/4 Begin 0 ms 0;");
	locks(d, (struct lock_filter){ .resource = BYTES("S") });
	assert_seen("S/c 0/2 Begin 10 ms 0;");
	locks(d, (struct lock_filter){ .waited_for = true });
	assert_seen("R/b 0/1 Begin 10 ms 1;");
	desk_ask_end(d, xid[0], false, 0); /* refuses who waits */
	assert_int_equal(locks(d, (struct lock_filter){ .waited_for = true }),
			 0);
	locks(d, (struct lock_filter){ .resource = BYTES("S") });
	assert_seen("S/c 0/2 Rollbacking 10 ms 0;");
	desk_ask_end(d, xid[1], true, 0); /* gives them up */
	locks(d, (struct lock_filter){ .after_gtx = first + 2 });
	assert_seen("");
}

static void test_locks_come_in_pages_of_whole_branches(void **state)
{
	struct desk *d = *state;
	struct bytes xid[2];
	struct lock_filter f = { .limit = 1 };

	two_holders(d, xid);
	assert_int_equal(locks(d, f), 2);
	assert_seen("R/a 0/1 Begin 10 ms 0;R/b 0/1 Begin 10 ms 0;");
	f.after_gtx = first;
	f.after_branch = first + 1;
	assert_int_equal(locks(d, f), 1);
	assert_seen("S/c 0/2 Begin 10 ms 0;");
	f.after_branch = first + 2;
	assert_int_equal(locks(d, f), 1);
	assert_seen("R/d 3/4 Begin 0 ms 0;");
	f.after_gtx = first + 3;
	f.after_branch = first + 4;
	assert_int_equal(locks(d, f), 0);
	f.after_gtx = first + 1; /* a holder that is gone */
	assert_int_equal(locks(d, f), 1);
	assert_seen("R/d 3/4 Begin 0 ms 0;");
	stop_after = 1;
	assert_int_equal(locks(d, (struct lock_filter){ .limit = 9 }), 1);
	assert_seen("R/a 0/1 Begin 10 ms 0;");
}

/* ---- waits ---- */

static bool see_wait(void *ctx, struct wait_view v)
{
	(void)ctx;
	buf_printf(&seen, "%u %s %u for %.*s/%.*s%s %u+%u;",
		   from_first(v.waiter), v.takes ? "waits" : "looks",
		   from_first(v.holder), (int)v.resource.len,
		   (const char *)v.resource.data, (int)v.key.len,
		   (const char *)v.key.data, v.held ? "" : ", too",
		   (unsigned)v.waited_ms, (unsigned)v.left_ms);
	return go_on();
}

static void test_the_edges_of_the_wait_for_graph(void **state)
{
	struct desk *d = *state;
	struct bytes a = desk_begin(d), b, c, key = BYTES("x");

	first = desk_register(d, a, 1, MODE_AT, "R", "x") - 1;
	core_waits(d->core, d->now_ms, see_wait, NULL);
	assert_seen("");
	b = desk_begin(d);
	c = desk_begin(d);
	desk_ask_register(d, b, 1, MODE_AT, "R", "xy", 1000, 7);
	desk_pass(d, 30);
	desk_ask(d, (struct request){ .type = RQ_LOCK_CHECK,
				      .xid = c,
				      .peer = 1,
				      .resource = BYTES("R"),
				      .lock_keys = &key,
				      .n_lock_keys = 1,
				      .wait_ms = 100 });
	desk_pass(d, 20);
	core_waits(d->core, d->now_ms, see_wait, NULL);
	assert_seen("2 waits 0 for R/x 50+950;3 looks 0 for R/x 20+80;"
		    "3 looks 2 for R/x, too 20+80;");
	stop_after = 2;
	core_waits(d->core, d->now_ms, see_wait, NULL);
	assert_seen("2 waits 0 for R/x 50+950;3 looks 0 for R/x 20+80;");
	stop_after = SIZE_MAX;
	desk_pass(d, 100);
	core_waits(d->core, d->now_ms, see_wait, NULL);
	assert_seen("2 waits 0 for R/x 150+850;");
	desk_ask_end(d, a, true, 0);
	core_waits(d->core, d->now_ms, see_wait, NULL);
	assert_seen(""); /* it has them */
}

/* ---- peers ---- */

static bool see_name(void *ctx, struct bytes name)
{
	(void)ctx;
	buf_printf(&seen, " %.*s", (int)name.len, (const char *)name.data);
	return go_on();
}

struct seen_peer {
	uint64_t peer; /* which; 0: the origin */
	struct peer_view view;
	size_t n;
};

static bool see_peer(void *ctx, struct peer_view v)
{
	struct seen_peer *s = ctx;

	s->n++;
	if (v.peer == s->peer || (s->peer == 0 && v.url))
		s->view = v;
	return go_on();
}

static struct seen_peer peer(const struct desk *d, uint64_t id)
{
	struct seen_peer s = { .peer = id };

	core_peers(d->core, see_peer, &s);
	return s;
}

static void test_a_peer_is_told_with_what_it_does_just_now(void **state)
{
	struct desk *d = *state;
	struct bytes xid = desk_begin(d);
	uint64_t b = desk_register(d, xid, 1, MODE_TCC, "R", "");
	struct seen_peer s = peer(d, 1);

	assert_int_equal(s.n, 2);
	assert_true(bytes_equal(s.view.application, BYTES("app")));
	assert_true(bytes_equal(s.view.instance, BYTES("i1")));
	assert_int_equal(s.view.n_resources, 1);
	assert_int_equal(s.view.n_in_flight, 0);
	assert_false(s.view.url || s.view.suspect);
	desk_ask_end(d, xid, true, 0);
	assert_int_equal(peer(d, 1).view.n_in_flight, 1);
	assert_int_equal(peer(d, 2).view.n_in_flight, 0);
	desk_pass(d, d->config.command_timeout_ms);
	assert_true(peer(d, 1).view.suspect);
	desk_done(d, desk_command(d, b), BRANCH_COMMITTED, NULL);
	assert_false(peer(d, 1).view.suspect);
	desk_gone(d, 2);
	assert_int_equal(peer(d, 1).n, 1);
	assert_int_equal(core_peer_resources(d->core, 2, see_name, NULL),
			 E_NOTFOUND);
	assert_int_equal(core_peer_resources(d->core, 1, see_name, NULL), OK);
	assert_seen(" R");
}

static void test_commands_queue_up_at_a_peer_that_is_full(void **state)
{
	struct desk *d = *state;
	struct core_config config = d->config;
	struct bytes xid = desk_begin(d);

	config.in_flight_per_peer_max = 1;
	assert_int_equal(core_reconfigure(d->core, &config), OK);
	for (int i = 0; i < 3; i++)
		(void)desk_register(d, xid, 1, MODE_TCC, "R", "");
	desk_ask_end(d, xid, true, 0);
	assert_int_equal(peer(d, 1).view.n_in_flight, 1);
	assert_int_equal(peer(d, 1).view.n_queued, 2);
}

static void test_an_origin_is_a_peer_while_it_is_called(void **state)
{
	struct desk *d = *state;
	struct bytes xid = desk_begin(d);
	struct seen_peer s;

	(void)desk_register(d, xid, 1, MODE_TCC, "http://a:1", "");
	s = peer(d, 0);
	assert_int_equal(s.n, 3);
	assert_true(s.view.url && peer_is_url(s.view.peer));
	assert_int_equal(s.view.application.len, 0);
	assert_int_equal(
		core_peer_resources(d->core, s.view.peer, see_name, NULL), OK);
	assert_seen(" http://a:1");
	stop_after = 1;
	assert_int_equal(peer(d, 0).n, 1);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_locks_are_told_by_holder_oldest_first),
		T(test_locks_come_in_pages_of_whole_branches),
		T(test_the_edges_of_the_wait_for_graph),
		T(test_a_peer_is_told_with_what_it_does_just_now),
		T(test_commands_queue_up_at_a_peer_that_is_full),
		T(test_an_origin_is_a_peer_while_it_is_called),
	};

	return cmocka_run_group_tests_name("views", tests, NULL, NULL);
}
