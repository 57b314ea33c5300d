#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/fakes/desk.h"

/* Participants that are called by URL, that are busy, and that have nothing to
 * do. */

#define SHOP  "http://shop:80"
#define STOCK "https://stock:443"

static int setup(void **state)
{
	struct core_config config = desk_config();

	config.in_flight_per_peer_max = 2;
	config.attempts_max = 2;
	config.command_timeout_ms = 1000;
	config.retry_ms_first = 100;
	config.retry_ms_max = 400;
	config.peers_max = 1;
	*state = desk_new(&config, true);
	return 0;
}

static int teardown(void **state)
{
	desk_free(*state);
	return 0;
}

static const struct reply *answer(struct desk *d, struct request rq)
{
	return desk_reply(d, desk_ask(d, rq));
}

static uint64_t branch(struct desk *d, struct bytes xid, enum branch_mode mode,
		       const char *resource)
{
	return desk_register(d, xid, 0, mode, resource, "");
}

static void busy(struct desk *d, const struct command *command,
		 const char *error)
{
	struct event e = { .type = EV_BRANCH_DONE };

	e.done = (struct branch_done){ .peer = command->peer,
				       .command = command->id,
				       .type = command->type,
				       .branch = command->branch,
				       .status = BRANCH_COMMIT_RETRYABLE,
				       .in_progress = true,
				       .error = bytes_of(error) };
	assert_int_equal(desk_step(d, e), OK);
}

static bool keep_view(void *ctx, struct gtx_view v)
{
	*(struct gtx_view *)ctx = v;
	return true;
}

static struct gtx_view first_view(struct desk *d)
{
	struct gtx_filter filter = { .status = -1, .limit = 1 };
	struct gtx_view v;

	assert_int_equal(core_list(d->core, &filter, d->now_ms, keep_view, &v),
			 1);
	return v;
}

/* ---- origins ---- */

static void test_an_origin_is_called_without_anybody_connected(void **state)
{
	struct desk *d = *state;
	struct bytes xid = desk_begin(d);
	uint64_t one = branch(d, xid, MODE_TCC, SHOP);
	uint64_t two = branch(d, xid, MODE_TCC, STOCK);
	const struct command *a, *b;

	desk_ask_end(d, xid, true, 0);
	a = desk_command(d, one);
	b = desk_command(d, two);
	assert_non_null(a);
	assert_non_null(b);
	assert_true(peer_is_url(a->peer) && peer_is_url(b->peer));
	assert_true(a->peer != b->peer);
	assert_true(bytes_equal(a->resource, BYTES(SHOP)));
	assert_int_equal(core_stats(d->core).origins_now, 2);
	assert_int_equal(core_stats(d->core).peers_now, 0);
	desk_done(d, a, BRANCH_COMMITTED, "");
	desk_done(d, b, BRANCH_COMMITTED, "");
	assert_int_equal(desk_status(d, xid), GTX_COMMITTED);
	desk_pass(d, 1);
	assert_int_equal(core_stats(d->core).origins_now, 0);
}

static void test_an_origin_is_one_peer_for_all_who_use_it(void **state)
{
	struct desk *d = *state;
	struct bytes xid = desk_begin(d);
	uint64_t branches[3];
	size_t first;

	desk_peer(d, 7, "app", "i7", "R");
	branches[0] = branch(d, xid, MODE_TCC, SHOP);
	branches[1] = desk_register(d, xid, 7, MODE_TCC, SHOP, "");
	branches[2] = branch(d, xid, MODE_MSG, SHOP);
	desk_ask_end(d, xid, true, 0);
	assert_int_equal(d->n_commands, 2); /* in_flight_per_peer_max */
	assert_true(d->commands[0].peer == d->commands[1].peer);
	desk_done(d, &d->commands[0], BRANCH_COMMITTED, "");
	assert_int_equal(d->n_commands, 3);
	first = d->commands[0].branch == branches[0];
	assert_int_equal(first, 1);
	assert_true(d->commands[2].peer == d->commands[0].peer);
}

static void test_origins_take_no_agents_place(void **state)
{
	struct desk *d = *state;
	struct bytes xid = desk_begin(d);

	branch(d, xid, MODE_TCC, SHOP);
	branch(d, xid, MODE_TCC, STOCK);
	desk_peer(d, 7, "app", "i7", "R"); /* peers_max is 1 */
	assert_int_equal(core_stats(d->core).peers_now, 1);
	assert_int_equal(core_stats(d->core).origins_now, 2);
}

static void test_an_origin_is_nobodys_to_offer(void **state)
{
	struct desk *d = *state;
	struct bytes xid = desk_begin(d);
	uint64_t b;

	desk_peer(d, 7, "app", "i7", SHOP);
	b = branch(d, xid, MODE_TCC, SHOP);
	desk_peer(d, 7, "app", "i7", "HTTP://shop:80");
	desk_ask_end(d, xid, true, 0);
	assert_int_equal(d->n_commands, 1);
	assert_true(peer_is_url(desk_command(d, b)->peer));
	desk_pass(d, 1000); /* lost */
	desk_pass(d, 100);
	assert_int_equal(d->n_commands, 2);
	assert_true(peer_is_url(desk_command(d, b)->peer));
}

static void test_a_url_that_is_no_origin_is_refused(void **state)
{
	static const char *const bad[] = {
		"http://shop",      "http://shop:80/",
		"http://Shop:80",   "HTTP://shop:80",
		"http://",          "http://shop:080",
		"http://a@shop:80", "https://shop:80?a=b",
	};
	struct desk *d = *state;
	struct request rq = { .type = RQ_REGISTER, .mode = MODE_TCC };

	rq.xid = desk_begin(d);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		rq.resource = bytes_of(bad[i]);
		assert_int_equal(answer(d, rq)->err, E_INVALID);
	}
	rq.resource = BYTES("http://[::1]:80");
	assert_int_equal(answer(d, rq)->err, OK);
}

static void test_a_silent_origin_gets_one_call_at_a_time(void **state)
{
	struct desk *d = *state;
	struct bytes xid = desk_begin(d), other;
	uint64_t b;

	branch(d, xid, MODE_TCC, SHOP);
	branch(d, xid, MODE_TCC, SHOP);
	desk_ask_end(d, xid, true, 0);
	assert_int_equal(d->n_commands, 2);
	desk_pass(d, 1000); /* both lost */
	desk_pass(d, 100);
	assert_int_equal(d->n_commands, 3);
	other = desk_begin(d);
	b = branch(d, other, MODE_TCC, STOCK);
	desk_ask_end(d, other, true, 0);
	assert_non_null(desk_command(d, b)); /* another origin's business */
	desk_done(d, &d->commands[2], BRANCH_COMMITTED, "");
	assert_int_equal(d->n_commands, 5);
}

static void test_an_origin_comes_back_with_its_branches(void **state)
{
	struct desk *d = *state;
	struct bytes xid = desk_begin(d);
	uint64_t b = branch(d, xid, MODE_TCC, SHOP);

	desk_ask_end(d, xid, false, 0);
	assert_int_equal(desk_crash(d), OK);
	assert_int_equal(desk_command(d, b)->type, COMMAND_ROLLBACK);
	desk_done(d, desk_command(d, b), BRANCH_ROLLBACKED, "");
	assert_int_equal(desk_status(d, xid), GTX_ROLLBACKED);
}

/* ---- in progress ---- */

static void test_in_progress_is_no_failure_and_backs_off(void **state)
{
	struct desk *d = *state;
	struct bytes xid = desk_begin(d);
	uint64_t b = branch(d, xid, MODE_TCC, SHOP);
	uint64_t pauses = 0;

	desk_ask_end(d, xid, true, 0);
	for (int i = 0; i < 20; i++) { /* attempts_max is 2 */
		const struct command *command = desk_command(d, b);
		uint64_t began = d->now_ms;

		busy(d, command, i % 2 ? "printing" : "");
		assert_int_equal(desk_status(d, xid), GTX_COMMITTING);
		assert_true(first_view(d).last_error.len >= 11);
		while (desk_command(d, b)->id == command->id)
			desk_pass(d, 1);
		assert_true(d->now_ms - began <= 400);
		pauses += d->now_ms - began;
	}
	assert_true(pauses > 20 * 100);
	assert_true(desk_said(d, "attempt 1: in progress"));
	assert_false(desk_said(d, "attempt 2: in progress")); /* once */
	assert_int_equal(desk_command(d, b)->attempt, 21);
	desk_done(d, desk_command(d, b), BRANCH_COMMIT_RETRYABLE, "ill");
	assert_int_equal(desk_status(d, xid), GTX_COMMIT_RETRYING);
	desk_pass(d, 400);
	desk_done(d, desk_command(d, b), BRANCH_COMMITTED, "");
	assert_int_equal(desk_status(d, xid), GTX_COMMITTED);
}

static void test_a_late_in_progress_changes_nothing(void **state)
{
	struct desk *d = *state;
	struct bytes xid = desk_begin(d);
	uint64_t b = branch(d, xid, MODE_TCC, SHOP);
	struct command first;

	desk_ask_end(d, xid, true, 0);
	first = *desk_command(d, b);
	desk_pass(d, 1000 + 100); /* lost, and sent again */
	assert_true(desk_command(d, b)->id != first.id);
	busy(d, &first, "");
	assert_true(bytes_equal(first_view(d).last_error,
				BYTES("no answer within 1000 ms")));
	desk_done(d, desk_command(d, b), BRANCH_COMMITTED, "");
	busy(d, &first, "");
	assert_int_equal(desk_status(d, xid), GTX_COMMITTED);
}

/* ---- silent branches ---- */

static void test_a_sagas_step_has_nothing_to_commit(void **state)
{
	struct desk *d = *state;
	struct bytes xid = desk_begin(d);

	branch(d, xid, MODE_SAGA, SHOP);
	branch(d, xid, MODE_SAGA, "saga:stock");
	assert_int_equal(desk_reply(d, desk_ask_end(d, xid, true, 0))->err, OK);
	assert_int_equal(d->n_commands, 0);
	assert_int_equal(desk_status(d, xid), GTX_COMMITTED);
	assert_true(desk_said(d, "PhaseTwo_Committed, nothing to be done"));
	assert_int_equal(desk_count(d, ROW_BRANCH), 0);
	assert_int_equal(desk_count(d, ROW_GTX), 0);
}

static void test_a_sagas_step_is_compensated_by_whoever_offers_it(void **state)
{
	struct desk *d = *state;
	struct bytes xid = desk_begin(d);
	uint64_t by_url = branch(d, xid, MODE_SAGA, SHOP);
	uint64_t by_agent = branch(d, xid, MODE_SAGA, "saga:stock");

	desk_peer(d, 7, "store", "i7", "saga:stock");
	desk_ask_end(d, xid, false, 0);
	assert_int_equal(desk_command(d, by_url)->type, COMMAND_ROLLBACK);
	assert_int_equal(desk_command(d, by_agent)->peer, 7);
	desk_done(d, desk_command(d, by_url), BRANCH_ROLLBACKED, "");
	desk_done(d, desk_command(d, by_agent), BRANCH_ROLLBACKED, "");
	assert_int_equal(desk_status(d, xid), GTX_ROLLBACKED);
}

static void test_a_message_is_dropped_with_its_transaction(void **state)
{
	struct desk *d = *state;
	struct bytes xid = desk_begin(d);
	uint64_t tcc = branch(d, xid, MODE_TCC, SHOP);
	uint64_t msg = branch(d, xid, MODE_MSG, SHOP);

	desk_ask_end(d, xid, false, 0);
	assert_null(desk_command(d, msg));
	assert_true(desk_said(d, "PhaseTwo_Rollbacked, nothing to be done"));
	assert_int_equal(desk_status(d, xid), GTX_ROLLBACKING);
	desk_done(d, desk_command(d, tcc), BRANCH_ROLLBACKED, "");
	assert_int_equal(desk_status(d, xid), GTX_ROLLBACKED);
}

static void test_what_is_silent_waits_for_its_turn_in_an_order(void **state)
{
	struct desk *d = *state;
	const struct reply *r = answer(
		d, (struct request){ .type = RQ_BEGIN, .ordered = true });
	struct bytes xid = r->xid;
	uint64_t first = branch(d, xid, MODE_TCC, SHOP), last;

	branch(d, xid, MODE_SAGA, SHOP);
	last = branch(d, xid, MODE_TCC, STOCK);
	desk_ask_end(d, xid, true, 0);
	assert_null(desk_command(d, last));
	assert_false(desk_said(d, "nothing to be done"));
	desk_done(d, desk_command(d, first), BRANCH_COMMITTED, "");
	assert_true(desk_said(d, "nothing to be done"));
	desk_done(d, desk_command(d, last), BRANCH_COMMITTED, "");
	assert_int_equal(desk_status(d, xid), GTX_COMMITTED);
}

static void test_what_is_silent_is_finished_after_a_restart(void **state)
{
	struct core_config config = desk_config();
	struct desk *d = desk_new(&config, false);
	struct bytes xid;

	(void)state;
	desk_ask(d, (struct request){ .type = RQ_BEGIN });
	desk_store(d);
	xid = d->replies[0].xid;
	desk_ask(d, (struct request){ .type = RQ_REGISTER,
				      .xid = xid,
				      .mode = MODE_MSG,
				      .resource = BYTES(SHOP) });
	desk_store(d);
	desk_ask_end(d, xid, false, 0);
	desk_store(d); /* the decision; that the branch is done is lost */
	assert_int_equal(desk_crash(d), OK);
	assert_int_equal(desk_status(d, xid), GTX_ROLLBACKED);
	assert_int_equal(d->n_commands, 0);
	desk_free(d);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_an_origin_is_called_without_anybody_connected),
		T(test_an_origin_is_one_peer_for_all_who_use_it),
		T(test_origins_take_no_agents_place),
		T(test_an_origin_is_nobodys_to_offer),
		T(test_a_url_that_is_no_origin_is_refused),
		T(test_a_silent_origin_gets_one_call_at_a_time),
		T(test_an_origin_comes_back_with_its_branches),
		T(test_in_progress_is_no_failure_and_backs_off),
		T(test_a_late_in_progress_changes_nothing),
		T(test_a_sagas_step_has_nothing_to_commit),
		T(test_a_sagas_step_is_compensated_by_whoever_offers_it),
		T(test_a_message_is_dropped_with_its_transaction),
		T(test_what_is_silent_waits_for_its_turn_in_an_order),
		T(test_what_is_silent_is_finished_after_a_restart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
