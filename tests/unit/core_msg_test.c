#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/xid.h"
#include "tests/fakes/desk.h"

/* Messages: prepared, in doubt, delivered, delayed, given up, published. */

#define CONSUMER "http://points:80"
#define PRODUCER "http://orders:80"

static int setup(void **state)
{
	struct core_config config = desk_config();

	config.command_timeout_ms = 1000;
	config.retry_ms_first = 100;
	config.retry_ms_max = 400;
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

static struct bytes prepare(struct desk *d, const char *check)
{
	const struct reply *r =
		answer(d, (struct request){ .type = RQ_BEGIN,
					    .kind = KIND_MESSAGE,
					    .name = BYTES("ordered"),
					    .check = bytes_of(check),
					    .participant = BYTES("{\"c\":1}"),
					    .call_timeout_ms = 700,
					    .timeout_ms = 5000 });

	assert_int_equal(r->err, OK);
	return r->xid;
}

static struct request to(struct bytes xid, const char *resource)
{
	return (struct request){ .type = RQ_REGISTER,
				 .xid = xid,
				 .mode = MODE_MSG,
				 .resource = bytes_of(resource),
				 .application_data = BYTES("{\"order\":7}") };
}

static uint64_t deliver_to(struct desk *d, struct bytes xid,
			   const char *resource)
{
	const struct reply *r = answer(d, to(xid, resource));

	assert_int_equal(r->err, OK);
	return r->branch;
}

static struct request subscription(const char *topic, const char *subscriber,
				   const char *resource)
{
	return (struct request){ .type = RQ_SUBSCRIBE,
				 .name = bytes_of(topic),
				 .subscriber = bytes_of(subscriber),
				 .resource = bytes_of(resource) };
}

static bool keep_view(void *ctx, struct gtx_view v)
{
	*(struct gtx_view *)ctx = v;
	return true;
}

static struct gtx_view first_view(struct desk *d)
{
	struct gtx_filter filter = { .status = -1,
				     .limit = 1,
				     .kinds = 1u << KIND_MESSAGE };
	struct gtx_view v;

	assert_int_equal(core_list(d->core, &filter, d->now_ms, keep_view, &v),
			 1);
	return v;
}

static void keep_branch(void *ctx, struct branch_view v)
{
	*(struct branch_view *)ctx = v; /* the last one */
}

static struct branch_view last_branch(struct desk *d)
{
	struct branch_view v = { 0 };
	struct gtx_view g;

	assert_int_equal(core_show(d->core, first_view(d).number, d->now_ms, &g,
				   keep_branch, &v),
			 OK);
	return v;
}

static void check_says(struct desk *d, const struct command *command,
		       enum branch_status status, const char *error)
{
	assert_int_equal(command->type, COMMAND_CHECK);
	desk_done(d, command, status, error);
}

static void fail_until_sent_again(struct desk *d, uint64_t branch,
				  uint64_t *pause)
{
	uint64_t began = d->now_ms;
	uint64_t id = desk_command(d, branch)->id;

	desk_done(d, desk_command(d, branch), BRANCH_COMMIT_RETRYABLE, "no");
	while (desk_command(d, branch)->id == id && d->now_ms - began < 100000)
		desk_pass(d, 1);
	*pause = d->now_ms - began;
}

/* ---- begun once ---- */

static const struct reply *begin_with(struct desk *d, const char *name,
				      const char *key)
{
	return answer(d, (struct request){ .type = RQ_BEGIN,
					   .kind = KIND_MESSAGE,
					   .name = bytes_of(name),
					   .business_key = bytes_of(key),
					   .timeout_ms = 5000 });
}

/* Is this the message that is answered? */
static void expect_known(struct desk *d, struct bytes xid,
			 enum gtx_status status)
{
	const struct reply *r = begin_with(d, "ordered", "o-7");

	assert_int_equal(r->err, OK);
	assert_true(r->existed);
	assert_true(bytes_equal(r->xid, xid));
	assert_int_equal(r->status, status);
}

static void test_a_message_with_a_key_is_begun_once(void **state)
{
	struct desk *d = *state;
	const struct reply *r = begin_with(d, "ordered", "o-7");
	struct bytes xid = r->xid;
	uint64_t b;

	assert_int_equal(r->err, OK);
	assert_false(r->existed);
	expect_known(d, xid, GTX_BEGIN);
	assert_false(begin_with(d, "ordered", "o-8")->existed);
	assert_false(begin_with(d, "paid", "o-7")->existed);
	assert_false(begin_with(d, "ordered", "")->existed);
	assert_false(begin_with(d, "ordered", "")->existed);
	b = deliver_to(d, xid, CONSUMER);
	assert_int_equal(desk_crash(d), OK);
	expect_known(d, xid, GTX_BEGIN);
	/* Only what has a row is known after a crash. */
	assert_false(begin_with(d, "ordered", "o-8")->existed);
	desk_ask_end(d, xid, true, 0);
	expect_known(d, xid, GTX_ASYNC_COMMITTING);
	assert_int_equal(desk_crash(d), OK);
	expect_known(d, xid, GTX_ASYNC_COMMITTING);
	desk_done(d, desk_command(d, b), BRANCH_COMMITTED, "");
	expect_known(d, xid, GTX_COMMITTED);
	desk_store(d);
	assert_int_equal(desk_crash(d), OK);
	expect_known(d, xid, GTX_COMMITTED);
	desk_pass(d, d->config.tombstone_keep_ms + 1);
	assert_false(begin_with(d, "ordered", "o-7")->existed);
}

static void test_a_key_is_free_again_when_nothing_was_sent(void **state)
{
	struct desk *d = *state;
	struct bytes first = begin_with(d, "ordered", "o-7")->xid, second;

	deliver_to(d, first, CONSUMER);
	desk_ask_end(d, first, false, 0);
	assert_int_equal(desk_status(d, first), GTX_ROLLBACKED);
	second = begin_with(d, "ordered", "o-7")->xid;
	assert_false(bytes_equal(first, second));
	deliver_to(d, second, CONSUMER);
	assert_int_equal(desk_crash(d), OK);
	expect_known(d, second, GTX_BEGIN);
	desk_pass(d, 5000); /* its time-out */
	assert_int_equal(desk_status(d, second), GTX_TIMEOUT_ROLLBACKED);
	assert_false(begin_with(d, "ordered", "o-7")->existed);
}

static void test_only_messages_have_such_keys(void **state)
{
	struct desk *d = *state;
	struct request rq = { .type = RQ_BEGIN,
			      .name = BYTES("ordered"),
			      .business_key = BYTES("o-7") };
	uint8_t longest[4097];

	memset(longest, 'k', sizeof longest);
	assert_int_equal(answer(d, rq)->err, E_INVALID);
	rq.kind = KIND_MESSAGE;
	rq.business_key = (struct bytes){ longest, d->config.text_max + 1 };
	assert_int_equal(answer(d, rq)->err, E_LIMIT);
	rq.business_key.len--;
	assert_int_equal(answer(d, rq)->err, OK);
}

/* ---- prepared, submitted, dropped ---- */

static void test_a_submitted_message_is_delivered(void **state)
{
	struct desk *d = *state;
	struct bytes xid = prepare(d, PRODUCER);
	uint64_t b = deliver_to(d, xid, CONSUMER);
	const struct command *command;

	assert_int_equal(first_view(d).kind, KIND_MESSAGE);
	assert_true(bytes_equal(first_view(d).check, BYTES(PRODUCER)));
	assert_int_equal(d->n_commands, 0);
	assert_int_equal(desk_reply(d, desk_ask_end(d, xid, true, 0))->status,
			 GTX_ASYNC_COMMITTING);
	command = desk_command(d, b);
	assert_int_equal(command->type, COMMAND_COMMIT);
	assert_int_equal(command->mode, MODE_MSG);
	assert_true(
		bytes_equal(command->application_data, BYTES("{\"order\":7}")));
	desk_done(d, command, BRANCH_COMMITTED, "");
	assert_int_equal(desk_status(d, xid), GTX_COMMITTED);
	assert_true(desk_said(d, "delivered to " CONSUMER));
	assert_int_equal(d->archives[0].kind, KIND_MESSAGE);
	assert_int_equal(core_stats(d->core).delivered, 1);
	assert_int_equal(core_stats(d->core).messages, 1);
	assert_int_equal(core_stats(d->core).checks, 0);
}

static void test_a_dropped_message_is_never_delivered(void **state)
{
	struct desk *d = *state;
	struct bytes xid = prepare(d, PRODUCER);

	deliver_to(d, xid, CONSUMER);
	desk_ask_end(d, xid, false, 0);
	assert_int_equal(desk_status(d, xid), GTX_ROLLBACKED);
	desk_pass(d, 100000);
	assert_int_equal(d->n_commands, 0);
	assert_int_equal(core_stats(d->core).delivered, 0);
}

static void test_one_write_prepares_and_one_submits(void **state)
{
	struct desk *d = *state;
	uint64_t before = d->forced_steps;
	struct bytes xid = prepare(d, PRODUCER);

	assert_int_equal(d->forced_steps - before, 0);
	deliver_to(d, xid, CONSUMER);
	assert_int_equal(d->forced_steps - before, 1);
	desk_ask_end(d, xid, true, 0);
	assert_int_equal(d->forced_steps - before, 2);
	desk_done(d, &d->commands[0], BRANCH_COMMITTED, "");
	assert_int_equal(d->forced_steps - before, 2);
	assert_int_equal(desk_count(d, ROW_GTX) + desk_count(d, ROW_BRANCH), 0);
}

static void test_a_delivery_in_a_plain_transaction_goes_with_it(void **state)
{
	struct desk *d = *state;
	struct bytes xid = desk_begin(d);
	uint64_t tcc, msg;

	desk_peer(d, 1, "app", "i1", "R");
	desk_peer(d, 2, "points", "i2", "msg:points");
	tcc = desk_register(d, xid, 1, MODE_TCC, "R", "");
	msg = desk_register(d, xid, 1, MODE_MSG, "msg:points", "");
	assert_int_equal(desk_reply(d, desk_ask_end(d, xid, true, 0))->status,
			 GTX_COMMITTING);
	assert_int_equal(desk_command(d, msg)->peer, 2); /* any application */
	desk_done(d, desk_command(d, msg), BRANCH_COMMITTED, "");
	desk_done(d, desk_command(d, tcc), BRANCH_COMMITTED, "");
	assert_int_equal(desk_status(d, xid), GTX_COMMITTED);
}

/* ---- in doubt ---- */

static void test_who_knows_is_asked_when_the_producer_is_silent(void **state)
{
	struct desk *d = *state;
	struct bytes xid = prepare(d, PRODUCER);
	const struct command *command;

	deliver_to(d, xid, CONSUMER);
	desk_pass(d, 4999);
	assert_int_equal(d->n_commands, 0);
	desk_pass(d, 1);
	command = desk_command(d, 0);
	assert_int_equal(command->type, COMMAND_CHECK);
	assert_true(bytes_equal(command->resource, BYTES(PRODUCER)));
	assert_true(bytes_equal(command->participant, BYTES("{\"c\":1}")));
	assert_true(bytes_equal(command->xid, xid));
	assert_int_equal(command->timeout_ms, 700);
	assert_int_equal(command->attempt, 1);
	assert_int_equal(desk_status(d, xid), GTX_BEGIN);
	assert_non_null(strstr(first_view(d).why, "silent"));
	assert_true(desk_said(d, "is asked whether it was committed"));
	check_says(d, command, BRANCH_COMMITTED, "");
	assert_true(desk_said(d, "says that the local transaction was "
				 "committed"));
	assert_int_equal(desk_status(d, xid), GTX_ASYNC_COMMITTING);
	assert_int_equal(core_stats(d->core).checks, 1);
}

static void test_a_producer_that_rolled_back_drops_it(void **state)
{
	struct desk *d = *state;
	struct bytes xid = prepare(d, PRODUCER);
	uint64_t b = deliver_to(d, xid, CONSUMER);

	desk_pass(d, 5000);
	check_says(d, desk_command(d, 0), BRANCH_ROLLBACKED, "");
	assert_int_equal(desk_status(d, xid), GTX_ROLLBACKED);
	assert_null(desk_command(d, b));
}

static void test_it_is_asked_until_it_is_known(void **state)
{
	static const enum branch_status not_known[] = {
		BRANCH_COMMIT_RETRYABLE,   BRANCH_ROLLBACK_RETRYABLE,
		BRANCH_COMMIT_UNRETRYABLE, BRANCH_UNKNOWN,
		BRANCH_PHASE_ONE_DONE,     BRANCH_ROLLBACK_UNRETRYABLE,
	};
	struct desk *d = *state;
	struct bytes xid = prepare(d, PRODUCER);
	struct branch_done done = { .status = BRANCH_COMMITTED,
				    .in_progress = true };
	struct event e = { .type = EV_BRANCH_DONE };

	deliver_to(d, xid, CONSUMER);
	desk_pass(d, 5000);
	for (size_t i = 0; i < ARRAY_LEN(not_known); i++) {
		check_says(d, desk_command(d, 0), not_known[i], "");
		assert_int_equal(desk_status(d, xid), GTX_BEGIN);
		assert_true(first_view(d).last_error.len > 0);
		assert_true(first_view(d).next_due_ms <= 400);
		desk_pass(d, 400);
		assert_int_equal(desk_command(d, 0)->attempt, i + 2);
	}
	done.command = desk_command(d, 0)->id;
	done.type = COMMAND_CHECK;
	done.xid = xid;
	e.done = done;
	assert_int_equal(desk_step(d, e), OK);
	assert_int_equal(desk_status(d, xid), GTX_BEGIN);
	desk_pass(d, 400);
	desk_pass(d, 700); /* no answer at all */
	assert_true(bytes_equal(first_view(d).last_error,
				BYTES("no answer within 700 ms")));
	desk_pass(d, 400);
	check_says(d, desk_command(d, 0), BRANCH_COMMITTED, "");
	assert_int_equal(desk_status(d, xid), GTX_ASYNC_COMMITTING);
}

static void test_a_late_yes_or_no_counts_and_a_late_dont_know_does_not(
	void **state)
{
	struct desk *d = *state;
	struct bytes xid = prepare(d, PRODUCER);
	struct command first;
	size_t n;

	deliver_to(d, xid, CONSUMER);
	desk_pass(d, 5000);
	first = *desk_command(d, 0);
	desk_pass(d, 700 + 100);
	n = d->n_commands;
	assert_int_equal(n, 2);
	check_says(d, &first, BRANCH_COMMIT_RETRYABLE, "open");
	assert_true(bytes_equal(first_view(d).last_error,
				BYTES("no answer within 700 ms")));
	check_says(d, &first, BRANCH_COMMITTED, "");
	assert_int_equal(desk_status(d, xid), GTX_ASYNC_COMMITTING);
	check_says(d, &first, BRANCH_ROLLBACKED, ""); /* too late */
	assert_int_equal(desk_status(d, xid), GTX_ASYNC_COMMITTING);
}

static void test_nobody_decides_who_was_not_asked(void **state)
{
	struct desk *d = *state;
	struct bytes xid = prepare(d, PRODUCER), plain = desk_begin(d);
	struct event e = { .type = EV_BRANCH_DONE };
	static const char *const xids[] = { "", "tc:1:9999", "other:1:3" };

	deliver_to(d, xid, CONSUMER);
	e.done = (struct branch_done){ .type = COMMAND_CHECK,
				       .status = BRANCH_COMMITTED };
	for (size_t i = 0; i < ARRAY_LEN(xids); i++) {
		e.done.xid = bytes_of(xids[i]);
		assert_int_equal(desk_step(d, e), OK);
	}
	e.done.xid = plain;
	assert_int_equal(desk_step(d, e), OK);
	e.done.xid = xid;
	assert_int_equal(desk_step(d, e), OK);
	assert_int_equal(desk_status(d, xid), GTX_BEGIN);
	assert_int_equal(desk_status(d, plain), GTX_BEGIN);
	desk_pass(d, 5000);
	assert_int_equal(d->n_commands, 1);
	assert_int_equal(desk_crash(d), OK); /* asked by one who is no more */
	desk_pass(d, 4000);
	assert_int_equal(desk_step(d, e), OK);
	assert_int_equal(desk_status(d, xid), GTX_BEGIN);
}

static void test_the_producer_may_still_decide_itself(void **state)
{
	struct desk *d = *state;
	struct bytes xid = prepare(d, PRODUCER);
	uint64_t b = deliver_to(d, xid, CONSUMER);

	desk_pass(d, 5000);
	assert_int_equal(d->n_commands, 1);
	assert_int_equal(desk_reply(d, desk_ask_end(d, xid, true, 0))->err, OK);
	assert_non_null(desk_command(d, b));
	desk_pass(d, 700); /* nobody waits for the check any more */
	assert_int_equal(desk_status(d, xid), GTX_ASYNC_COMMITTING);
	assert_int_equal(d->n_commands, 2);
}

static void test_doubt_survives_a_restart(void **state)
{
	struct desk *d = *state;
	struct bytes xid = prepare(d, "msg:orders");
	struct event e = { .type = EV_BRANCH_DONE };
	uint64_t b = deliver_to(d, xid, CONSUMER);

	desk_pass(d, 5000);
	assert_int_equal(d->n_commands, 0); /* nobody is there */
	assert_non_null(strstr(first_view(d).why, "nobody is connected"));
	e.done = (struct branch_done){ .type = COMMAND_CHECK,
				       .xid = xid,
				       .status = BRANCH_COMMITTED };
	assert_int_equal(desk_step(d, e), OK); /* nobody was asked */
	assert_int_equal(desk_status(d, xid), GTX_BEGIN);
	assert_int_equal(desk_crash(d), OK);
	desk_peer(d, 3, "orders", "i3", "msg:orders");
	desk_pass(d, 5000);
	assert_int_equal(desk_command(d, 0)->peer, 3);
	assert_true(bytes_equal(desk_command(d, 0)->participant,
				BYTES("{\"c\":1}")));
	assert_int_equal(desk_command(d, 0)->timeout_ms, 700);
	check_says(d, desk_command(d, 0), BRANCH_COMMITTED, "");
	assert_non_null(desk_command(d, b));
}

static void test_without_a_check_silence_drops_it(void **state)
{
	struct desk *d = *state;
	struct bytes xid = prepare(d, ""), empty = prepare(d, PRODUCER);

	deliver_to(d, xid, CONSUMER);
	desk_pass(d, 5000);
	assert_int_equal(desk_status(d, xid), GTX_TIMEOUT_ROLLBACKED);
	assert_int_equal(desk_status(d, empty), GTX_TIMEOUT_ROLLBACKED);
	assert_int_equal(d->n_commands, 0);
}

static void test_an_operator_has_it_asked_now(void **state)
{
	struct desk *d = *state;
	struct bytes xid = prepare(d, PRODUCER);
	struct request rq = { .type = RQ_RETRY, .xid = xid };

	deliver_to(d, xid, CONSUMER);
	assert_int_equal(answer(d, rq)->err, E_STATE); /* not in doubt yet */
	desk_pass(d, 5000);
	assert_int_equal(answer(d, rq)->err, OK); /* is being asked */
	assert_int_equal(d->n_commands, 1);
	check_says(d, desk_command(d, 0), BRANCH_UNKNOWN, "");
	assert_int_equal(answer(d, rq)->err, OK);
	assert_int_equal(d->n_commands, 2);
}

static void test_it_is_asked_ever_more_seldom(void **state)
{
	struct desk *d = *state;
	struct bytes xid = prepare(d, PRODUCER);
	uint64_t first, pause = 0;

	deliver_to(d, xid, CONSUMER);
	desk_pass(d, 5000);
	check_says(d, desk_command(d, 0), BRANCH_UNKNOWN, "");
	first = first_view(d).next_due_ms;
	assert_in_range(first, 50, 100);
	for (int i = 0; i < 4; i++) {
		desk_pass(d, 400);
		check_says(d, desk_command(d, 0), BRANCH_UNKNOWN, "");
		pause = first_view(d).next_due_ms;
	}
	assert_in_range(pause, 200, 400);
	/* the history is not filled with it */
	assert_int_equal(d->n_history, 3);
}

/* ---- delays ---- */

static struct request delayed(struct bytes xid, uint64_t ms)
{
	struct request rq = to(xid, CONSUMER);

	rq.deliver_after_ms = ms;
	return rq;
}

static void test_nothing_is_delivered_before_its_time(void **state)
{
	struct desk *d = *state;
	struct bytes xid = prepare(d, PRODUCER);
	uint64_t b = answer(d, delayed(xid, 3000))->branch;
	uint64_t now = deliver_to(d, xid, CONSUMER);

	desk_pass(d, 2000);
	desk_ask_end(d, xid, true, 0);
	assert_non_null(desk_command(d, now));
	desk_done(d, desk_command(d, now), BRANCH_COMMITTED, "");
	assert_null(desk_command(d, b));
	desk_pass(d, 2999);
	assert_null(desk_command(d, b));
	desk_pass(d, 1);
	assert_non_null(desk_command(d, b));
}

static void test_a_delay_goes_on_after_a_restart(void **state)
{
	struct desk *d = *state;
	struct bytes xid = prepare(d, PRODUCER);
	uint64_t b = answer(d, delayed(xid, 3000))->branch;

	desk_ask_end(d, xid, true, 0);
	desk_pass(d, 1000);
	assert_int_equal(last_branch(d).next_due_ms, 2000);
	assert_int_equal(last_branch(d).deliver_after_ms, 3000);
	assert_string_equal(last_branch(d).why, "its delay is not over");
	d->wall_skew_ms = 500; /* half a second down */
	assert_int_equal(desk_crash(d), OK);
	assert_int_equal(last_branch(d).next_due_ms, 1500);
	d->wall_skew_ms = -1000000; /* then the clock is set back */
	assert_int_equal(desk_crash(d), OK);
	assert_int_equal(last_branch(d).next_due_ms, 3000);
	assert_null(desk_command(d, b));
	d->wall_skew_ms = 1000000;
	assert_int_equal(desk_crash(d), OK);
	assert_non_null(desk_command(d, b));
}

static void test_a_delay_begins_after_a_restart_as_well(void **state)
{
	struct desk *d = *state;
	struct bytes xid = prepare(d, PRODUCER);
	uint64_t b = answer(d, delayed(xid, 3000))->branch;

	assert_int_equal(desk_crash(d), OK);
	desk_pass(d, 4000);
	desk_ask_end(d, xid, true, 0);
	desk_pass(d, 2999);
	assert_null(desk_command(d, b));
	desk_pass(d, 1);
	assert_non_null(desk_command(d, b));
}

static void test_a_retry_of_all_leaves_delays_and_one_of_it_does_not(
	void **state)
{
	struct desk *d = *state;
	struct bytes xid = prepare(d, PRODUCER);
	uint64_t b = answer(d, delayed(xid, 3000))->branch;
	struct request rq = { .type = RQ_RETRY, .xid = xid };

	desk_ask_end(d, xid, true, 0);
	assert_int_equal(answer(d, rq)->err, OK);
	assert_null(desk_command(d, b));
	rq.branch = b;
	assert_int_equal(answer(d, rq)->err, OK);
	assert_non_null(desk_command(d, b));
}

static void test_ordered_deliveries_wait_for_each_others_delay(void **state)
{
	struct desk *d = *state;
	const struct reply *r =
		answer(d, (struct request){ .type = RQ_BEGIN,
					    .kind = KIND_MESSAGE,
					    .ordered = true });
	struct bytes xid = r->xid;
	uint64_t first = answer(d, delayed(xid, 1000))->branch;
	uint64_t last = answer(d, delayed(xid, 1500))->branch;

	desk_ask_end(d, xid, true, 0);
	assert_string_equal(last_branch(d).why,
			    "another branch must be finished first");
	desk_pass(d, 1000);
	assert_non_null(desk_command(d, first));
	desk_pass(d, 100);
	desk_done(d, desk_command(d, first), BRANCH_COMMITTED, "");
	assert_null(desk_command(d, last));
	assert_int_equal(last_branch(d).next_due_ms, 400);
	desk_pass(d, 400);
	assert_non_null(desk_command(d, last));
}

/* ---- schedules and dead letters ---- */

static const uint64_t schedule[] = { 50, 0, 9000 };

static struct request scheduled(struct bytes xid)
{
	struct request rq = to(xid, CONSUMER);

	rq.schedule_ms = schedule;
	rq.n_schedule = ARRAY_LEN(schedule);
	return rq;
}

static void test_a_schedule_says_when_and_how_often(void **state)
{
	struct desk *d = *state;
	struct bytes xid = prepare(d, PRODUCER);
	uint64_t b = answer(d, scheduled(xid))->branch, pause;

	desk_ask_end(d, xid, true, 0);
	for (size_t i = 0; i < ARRAY_LEN(schedule); i++) {
		fail_until_sent_again(d, b, &pause);
		assert_int_equal(pause, schedule[i]);
		assert_int_equal(last_branch(d).failures, i + 1);
	}
	desk_done(d, desk_command(d, b), BRANCH_COMMIT_RETRYABLE, "no");
	assert_int_equal(desk_status(d, xid), GTX_COMMIT_RETRY_TIMEOUT);
	assert_int_equal(last_branch(d).status, BRANCH_STOP_RETRY);
	assert_non_null(strstr(last_branch(d).why, "dead letter"));
	assert_int_equal(core_stats(d->core).dead_letters_now, 1);
	desk_pass(d, 100000);
	assert_int_equal(d->n_commands, 4);
}

static void test_a_replay_begins_the_schedule_again(void **state)
{
	struct desk *d = *state;
	struct bytes xid = prepare(d, PRODUCER);
	uint64_t b = answer(d, scheduled(xid))->branch, pause;
	struct request rq = { .type = RQ_RETRY, .xid = xid };

	desk_ask_end(d, xid, true, 0);
	for (size_t i = 0; i < ARRAY_LEN(schedule); i++)
		fail_until_sent_again(d, b, &pause);
	desk_done(d, desk_command(d, b), BRANCH_COMMIT_RETRYABLE, "no");
	assert_int_equal(desk_crash(d), OK); /* it stays one */
	assert_int_equal(core_stats(d->core).dead_letters_now, 1);
	assert_int_equal(d->n_commands, 0);
	assert_int_equal(last_branch(d).n_schedule, ARRAY_LEN(schedule));

	rq.branch = b;
	assert_int_equal(answer(d, rq)->status, GTX_COMMIT_RETRYING);
	assert_int_equal(core_stats(d->core).dead_letters_now, 0);
	fail_until_sent_again(d, b, &pause);
	assert_int_equal(pause, schedule[0]);
	fail_until_sent_again(d, b, &pause);
	assert_int_equal(pause, schedule[1]);
	desk_done(d, desk_command(d, b), BRANCH_COMMITTED, "");
	assert_int_equal(desk_status(d, xid), GTX_COMMITTED);
	assert_int_equal(core_stats(d->core).dead_letters_now, 0);
}

static void test_what_is_refused_is_a_dead_letter_at_once(void **state)
{
	struct desk *d = *state;
	struct bytes xid = prepare(d, PRODUCER);
	uint64_t b = deliver_to(d, xid, CONSUMER), other;

	other = deliver_to(d, xid, "http://mail:80");
	desk_ask_end(d, xid, true, 0);
	desk_done(d, desk_command(d, b), BRANCH_COMMIT_UNRETRYABLE, "unknown");
	assert_int_equal(desk_status(d, xid), GTX_COMMIT_FAILED);
	assert_int_equal(core_stats(d->core).dead_letters, 1);
	desk_done(d, desk_command(d, other), BRANCH_COMMITTED, "");
	assert_int_equal(desk_status(d, xid), GTX_COMMIT_FAILED);
	assert_true(bytes_equal(first_view(d).last_error, BYTES("unknown")));
	assert_int_equal(core_stats(d->core).delivered, 1);
	desk_done(d, desk_command(d, b), BRANCH_COMMITTED, ""); /* after all */
	assert_int_equal(desk_status(d, xid), GTX_COMMITTED);
	assert_int_equal(core_stats(d->core).dead_letters_now, 0);
	assert_int_equal(core_stats(d->core).delivered, 2);
}

static void test_in_progress_uses_up_no_time_of_a_schedule(void **state)
{
	struct desk *d = *state;
	struct bytes xid = prepare(d, PRODUCER);
	uint64_t b = answer(d, scheduled(xid))->branch, pause;
	struct event e = { .type = EV_BRANCH_DONE };

	desk_ask_end(d, xid, true, 0);
	for (int i = 0; i < 10; i++) {
		const struct command *command = desk_command(d, b);

		e.done = (struct branch_done){
			.command = command->id,
			.branch = b,
			.in_progress = true,
			.status = BRANCH_COMMIT_RETRYABLE,
		};
		assert_int_equal(desk_step(d, e), OK);
		assert_non_null(strstr(last_branch(d).why, "busy"));
		desk_pass(d, 400);
	}
	assert_int_equal(last_branch(d).failures, 0);
	fail_until_sent_again(d, b, &pause);
	assert_int_equal(pause, schedule[0]);
}

/* ---- topics ---- */

static void test_a_message_to_a_topic_goes_to_all_or_nobody(void **state)
{
	struct desk *d = *state;
	struct bytes xid = prepare(d, PRODUCER);
	struct request rq = to(xid, "orders");
	const struct reply *r;
	struct branch_view v;

	rq.topic = true;
	rq.client_key = 77;
	assert_int_equal(answer(d, rq)->err, E_NOTFOUND);
	answer(d, subscription("orders", "points", CONSUMER));
	answer(d, subscription("orders", "mail", "msg:mail"));
	answer(d, subscription("other", "mail", "msg:other"));
	r = answer(d, rq);
	assert_int_equal(r->err, OK);
	assert_int_equal(r->count, 2);
	v = last_branch(d);
	assert_int_equal(v.id, r->branch + 1);
	assert_true(bytes_equal(v.topic, BYTES("orders")));
	assert_true(bytes_equal(v.subscriber, BYTES("points")));
	assert_true(desk_said(d, "subscriber mail of topic orders"));

	/* the same again is the same, whoever came in between */
	answer(d, subscription("orders", "new", "msg:new"));
	assert_int_equal(answer(d, rq)->branch, r->branch);
	assert_int_equal(answer(d, rq)->count, 2);
	assert_int_equal(first_view(d).n_branches, 2);
	rq.topic = false;
	assert_int_equal(answer(d, rq)->err, E_INVALID);

	assert_int_equal(desk_crash(d), OK);
	assert_true(bytes_equal(last_branch(d).topic, BYTES("orders")));
	desk_ask_end(d, xid, true, 0);
	assert_true(
		bytes_equal(desk_command(d, v.id)->resource, BYTES(CONSUMER)));
}

static void test_a_topic_that_is_too_much_is_refused_as_a_whole(void **state)
{
	struct desk *d = *state;
	struct core_config config = d->config;
	struct bytes xid = prepare(d, PRODUCER);
	struct request rq = to(xid, "orders");

	config.branches_per_gtx_max = 2;
	config.subscribers_max = 3;
	assert_int_equal(core_reconfigure(d->core, &config), OK);
	answer(d, subscription("orders", "a", "msg:a"));
	answer(d, subscription("orders", "b", "msg:b"));
	answer(d, subscription("orders", "c", "msg:c"));
	assert_int_equal(answer(d, subscription("orders", "d", "msg:d"))->err,
			 E_LIMIT);
	rq.topic = true;
	assert_int_equal(answer(d, rq)->err, E_LIMIT);
	assert_int_equal(first_view(d).n_branches, 0);
}

static void test_a_topic_waits_for_all_its_numbers(void **state)
{
	struct core_config config = desk_config();
	struct desk *d;
	struct bytes xid;
	struct request rq;

	(void)state;
	config.id_block = 1;
	d = desk_new(&config, true);
	answer(d, subscription("t", "a", "msg:a"));
	answer(d, subscription("t", "b", "msg:b"));
	answer(d, subscription("t", "c", "msg:c"));
	xid = prepare(d, "");
	rq = to(xid, "t");
	rq.topic = true;
	assert_int_equal(answer(d, rq)->count, 3);
	desk_free(d);
}

struct names {
	char text[256];
	int stop_after;
};

static bool name_subscriber(void *ctx, struct topic_view v)
{
	struct names *n = ctx;
	size_t len = strlen(n->text);

	memcpy(n->text + len, v.topic.data, v.topic.len);
	len += v.topic.len;
	n->text[len++] = '/';
	memcpy(n->text + len, v.subscriber.data, v.subscriber.len);
	len += v.subscriber.len;
	n->text[len++] = '=';
	memcpy(n->text + len, v.resource.data, v.resource.len);
	n->text[len + v.resource.len] = ' ';
	return --n->stop_after != 0;
}

static void expect_topics(struct desk *d, const char *expected)
{
	struct names n = { 0 };

	core_topics(d->core, name_subscriber, &n);
	assert_string_equal(n.text, expected);
}

static void test_subscribers_come_change_and_go(void **state)
{
	struct desk *d = *state;
	struct request rq = subscription("b", "2", "msg:x");
	struct names n = { .stop_after = 1 };

	assert_false(answer(d, rq)->existed);
	assert_true(answer(d, rq)->existed);
	answer(d, subscription("b", "1", "msg:y"));
	answer(d, subscription("a", "9", "msg:z"));
	expect_topics(d, "a/9=msg:z b/1=msg:y b/2=msg:x ");
	assert_false(answer(d, subscription("b", "2", CONSUMER))->existed);
	expect_topics(d, "a/9=msg:z b/1=msg:y b/2=" CONSUMER " ");
	assert_int_equal(desk_count(d, ROW_TOPIC), 3);
	assert_int_equal(desk_crash(d), OK);
	expect_topics(d, "a/9=msg:z b/1=msg:y b/2=" CONSUMER " ");
	core_topics(d->core, name_subscriber, &n);
	assert_string_equal(n.text, "a/9=msg:z ");

	rq = subscription("a", "9", "");
	rq.type = RQ_UNSUBSCRIBE;
	assert_int_equal(answer(d, rq)->err, OK);
	assert_int_equal(answer(d, rq)->err, E_NOTFOUND);
	rq.name = BYTES("b");
	assert_int_equal(answer(d, rq)->err, E_NOTFOUND);
	expect_topics(d, "b/1=msg:y b/2=" CONSUMER " ");
	assert_int_equal(desk_count(d, ROW_TOPIC), 2);
	assert_int_equal(core_stats(d->core).subscribers_now, 2);
}

static void test_a_subscription_is_told_when_it_is_durable(void **state)
{
	struct core_config config = desk_config();
	struct desk *d = desk_new(&config, false);
	struct request rq = subscription("t", "a", "msg:a");
	uint64_t first, again;

	(void)state;
	first = desk_ask(d, rq);
	again = desk_ask(d, rq);
	assert_null(desk_find_reply(d, first));
	assert_null(desk_find_reply(d, again));
	desk_store(d);
	assert_int_equal(desk_reply(d, first)->err, OK);
	assert_true(desk_reply(d, again)->existed);
	assert_int_equal(d->forced_steps, 2); /* with the numbers */
	rq.type = RQ_UNSUBSCRIBE;
	first = desk_ask(d, rq);
	assert_null(desk_find_reply(d, first));
	desk_store(d);
	assert_int_equal(desk_reply(d, first)->err, OK);
	assert_int_equal(d->forced_steps, 3);
	desk_free(d);
}

/* ---- what is wrong ---- */

static void test_nonsense_is_refused(void **state)
{
	struct desk *d = *state;
	struct bytes xid = prepare(d, PRODUCER), plain = desk_begin(d);
	struct bytes key = BYTES("k");
	static uint64_t many[101];
	struct request rq = { .type = RQ_BEGIN, .kind = KIND_SAGA };

	assert_int_equal(answer(d, rq)->err, E_INVALID);
	rq.kind = KIND_PLAIN;
	rq.check = BYTES(PRODUCER);
	assert_int_equal(answer(d, rq)->err, E_INVALID);
	rq.kind = KIND_MESSAGE;
	rq.check = BYTES("http://no-port");
	assert_int_equal(answer(d, rq)->err, E_INVALID);

	rq = to(xid, CONSUMER);
	rq.mode = MODE_TCC;
	assert_int_equal(answer(d, rq)->err, E_INVALID);
	rq = to(xid, CONSUMER);
	rq.lock_keys = &key;
	rq.n_lock_keys = 1;
	assert_int_equal(answer(d, rq)->err, E_INVALID);
	rq = to(xid, CONSUMER);
	rq.schedule_ms = many;
	rq.n_schedule = ARRAY_LEN(many);
	assert_int_equal(answer(d, rq)->err, E_LIMIT);
	rq.n_schedule = 1;
	many[0] = d->config.delay_ms_max + 1;
	assert_int_equal(answer(d, rq)->err, E_LIMIT);
	assert_int_equal(answer(d, delayed(xid, many[0]))->err, E_LIMIT);
	rq = to(xid, CONSUMER);
	rq.application_data.len = d->config.application_data_max + 1;
	assert_int_equal(answer(d, rq)->err, E_LIMIT);
	rq = to(xid, CONSUMER);
	rq.topic = true;
	rq.resource.len = d->config.text_max + 1;
	assert_int_equal(answer(d, rq)->err, E_LIMIT);
	rq = subscription("", "a", "b");
	rq.type = RQ_UNSUBSCRIBE;
	assert_int_equal(answer(d, rq)->err, E_INVALID);
	rq = delayed(plain, 5);
	rq.mode = MODE_TCC;
	assert_int_equal(answer(d, rq)->err, E_INVALID);
	assert_int_equal(first_view(d).n_branches, 0);

	assert_int_equal(answer(d, subscription("", "a", "b"))->err, E_INVALID);
	assert_int_equal(answer(d, subscription("a", "", "b"))->err, E_INVALID);
	assert_int_equal(answer(d, subscription("a", "b", ""))->err, E_INVALID);
	assert_int_equal(answer(d, subscription("a", "b", "http://x"))->err,
			 E_INVALID);
	rq = subscription("a", "b", "c");
	rq.subscriber.len = d->config.text_max + 1;
	assert_int_equal(answer(d, rq)->err, E_LIMIT);
	assert_int_equal(core_stats(d->core).subscribers_now, 0);
}

static void test_a_delivery_has_no_phase_one(void **state)
{
	struct desk *d = *state;
	struct bytes xid = prepare(d, PRODUCER);
	struct request rq = { .type = RQ_REPORT, .xid = xid };

	rq.branch = deliver_to(d, xid, CONSUMER);
	rq.report = BRANCH_PHASE_ONE_FAILED;
	assert_int_equal(answer(d, rq)->err, E_INVALID);
	assert_int_equal(last_branch(d).status, BRANCH_REGISTERED);
}

/* ---- for people ---- */

struct wanted {
	uint64_t branch;
	const char *why;
};

static void find_branch(void *ctx, struct branch_view v)
{
	struct wanted *w = ctx;

	if (v.id == w->branch)
		w->why = v.why;
}

static const char *why(struct desk *d, struct bytes xid, uint64_t branch)
{
	struct wanted w = { .branch = branch, .why = "not found" };
	struct bytes coordinator;
	struct gtx_view g;
	uint64_t number;

	assert_int_equal(xid_parse(xid, &coordinator, &number), OK);
	assert_int_equal(
		core_show(d->core, number, d->now_ms, &g, find_branch, &w), OK);
	return w.why;
}

static void test_people_see_why_it_waits(void **state)
{
	struct core_config config = desk_config();
	struct desk *d;
	struct bytes xid, at;
	uint64_t a, b, c, e;

	(void)state;
	config.in_flight_per_peer_max = 1;
	d = desk_new(&config, true);
	desk_peer(d, 1, "app", "i1", "R");
	xid = desk_begin(d);
	at = desk_begin(d);
	a = desk_register(d, xid, 1, MODE_TCC, "R", "");
	b = desk_register(d, xid, 1, MODE_TCC, "R", "");
	c = desk_register(d, xid, 1, MODE_TCC, "S", "");
	e = desk_register(d, at, 0, MODE_AT, "R", "k");
	assert_string_equal(why(d, xid, a), "it is not decided yet");
	desk_ask_end(d, xid, true, 0);
	assert_string_equal(why(d, xid, a),
			    "its participant has not answered yet");
	assert_string_equal(why(d, xid, b),
			    "its participant has no free place");
	assert_string_equal(why(d, xid, c),
			    "nobody who has this resource is connected");
	desk_done(d, desk_command(d, a), BRANCH_COMMIT_RETRYABLE, "ill");
	assert_string_equal(why(d, xid, a),
			    "the last attempt failed; the next is due");
	desk_done(d, desk_command(d, b), BRANCH_COMMITTED, "");
	assert_null(why(d, xid, b));

	desk_ask_end(d, at, false, 0);
	desk_done(d, desk_command(d, e), BRANCH_ROLLBACK_UNRETRYABLE, "dirty");
	assert_string_equal(why(d, at, e), "it needs an operator");
	d->auto_store = false;
	desk_ask(d, (struct request){ .type = RQ_RESOLVE,
				      .xid = at,
				      .branch = e,
				      .resolution = RESOLVE_USE_UNDO });
	assert_string_equal(why(d, at, e), "a resolution is being stored");
	desk_free(d);
}

static void test_what_who_was_asked_says_is_seen(void **state)
{
	struct desk *d = *state;
	struct bytes xid = prepare(d, PRODUCER);

	deliver_to(d, xid, CONSUMER);
	desk_pass(d, 5000);
	check_says(d, desk_command(d, 0), BRANCH_COMMIT_RETRYABLE, "locked");
	assert_true(bytes_equal(first_view(d).last_error, BYTES("locked")));
	assert_true(desk_said(d, "to be asked again: locked"));
}

/* ---- damaged rows ---- */

static struct desk_row *a_row(struct desk *d, enum row_table table)
{
	for (size_t i = 0; i < d->n_rows; i++)
		if (d->rows[i].table == table)
			return &d->rows[i];
	return NULL;
}

static void test_a_number_that_nobody_gave_is_no_subscriber(void **state)
{
	struct desk *d = *state;

	answer(d, subscription("t", "a", "msg:a"));
	a_row(d, ROW_TOPIC)->id += 1000000;
	assert_int_equal(desk_crash(d), E_CORRUPT);
}

static void test_a_subscriber_is_there_once(void **state)
{
	struct desk *d = *state;
	struct desk_row *row;

	answer(d, subscription("t", "a", "msg:a"));
	row = a_row(d, ROW_TOPIC);
	d->rows[d->n_rows] = *row;
	d->rows[d->n_rows].id--;
	d->rows[d->n_rows].body =
		(struct bytes){ (const uint8_t *)mem_text(&mem_heap, row->body),
				row->body.len };
	d->n_rows++;
	assert_int_equal(desk_crash(d), E_CORRUPT);
}

static void test_a_damaged_subscriber_stops_the_start(void **state)
{
	struct desk *d = *state;

	answer(d, subscription("t", "a", "msg:a"));
	a_row(d, ROW_TOPIC)->body.len--;
	assert_int_equal(desk_crash(d), E_CORRUPT);
}

/* ---- XA ---- */

static void test_an_xa_branch_that_failed_forbids_commit(void **state)
{
	struct desk *d = *state;
	struct bytes xid = desk_begin(d);
	struct request rq = { .type = RQ_REPORT, .xid = xid };
	const struct reply *r;
	uint64_t other;

	desk_peer(d, 1, "app", "i1", "R");
	rq.branch = desk_register(d, xid, 1, MODE_XA, "R", "");
	other = desk_register(d, xid, 1, MODE_XA, "R", "");
	rq.report = BRANCH_PHASE_ONE_FAILED;
	assert_int_equal(answer(d, rq)->err, OK);
	r = desk_reply(d, desk_ask_end(d, xid, true, 60000));
	assert_int_equal(r->err, E_STATE);
	assert_int_equal(r->status, GTX_ROLLBACKING);
	assert_non_null(strstr((const char *)r->text.data, "XA branch failed"));
	assert_int_equal(desk_command(d, other)->type, COMMAND_ROLLBACK);
	desk_done(d, desk_command(d, other), BRANCH_ROLLBACKED, "");
	r = desk_reply(d, desk_ask_end(d, xid, true, 0));
	assert_int_equal(r->err, E_STATE);
	assert_int_equal(r->status, GTX_ROLLBACKED);
}

static void test_other_modes_may_lose_a_branch(void **state)
{
	struct desk *d = *state;
	struct bytes xid = desk_begin(d);
	struct request rq = { .type = RQ_REPORT, .xid = xid };

	rq.branch = desk_register(d, xid, 0, MODE_TCC, "R", "");
	rq.report = BRANCH_PHASE_ONE_FAILED;
	assert_int_equal(answer(d, rq)->err, OK);
	assert_int_equal(desk_reply(d, desk_ask_end(d, xid, true, 0))->status,
			 GTX_COMMITTED);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_a_message_with_a_key_is_begun_once),
		T(test_a_key_is_free_again_when_nothing_was_sent),
		T(test_only_messages_have_such_keys),
		T(test_a_submitted_message_is_delivered),
		T(test_a_dropped_message_is_never_delivered),
		T(test_one_write_prepares_and_one_submits),
		T(test_a_delivery_in_a_plain_transaction_goes_with_it),
		T(test_who_knows_is_asked_when_the_producer_is_silent),
		T(test_a_producer_that_rolled_back_drops_it),
		T(test_it_is_asked_until_it_is_known),
		T(test_a_late_yes_or_no_counts_and_a_late_dont_know_does_not),
		T(test_nobody_decides_who_was_not_asked),
		T(test_the_producer_may_still_decide_itself),
		T(test_doubt_survives_a_restart),
		T(test_without_a_check_silence_drops_it),
		T(test_an_operator_has_it_asked_now),
		T(test_it_is_asked_ever_more_seldom),
		T(test_nothing_is_delivered_before_its_time),
		T(test_a_delay_goes_on_after_a_restart),
		T(test_a_delay_begins_after_a_restart_as_well),
		T(test_a_retry_of_all_leaves_delays_and_one_of_it_does_not),
		T(test_ordered_deliveries_wait_for_each_others_delay),
		T(test_a_schedule_says_when_and_how_often),
		T(test_a_replay_begins_the_schedule_again),
		T(test_what_is_refused_is_a_dead_letter_at_once),
		T(test_in_progress_uses_up_no_time_of_a_schedule),
		T(test_a_message_to_a_topic_goes_to_all_or_nobody),
		T(test_a_topic_that_is_too_much_is_refused_as_a_whole),
		T(test_a_topic_waits_for_all_its_numbers),
		T(test_subscribers_come_change_and_go),
		T(test_a_subscription_is_told_when_it_is_durable),
		T(test_nonsense_is_refused),
		T(test_a_delivery_has_no_phase_one),
		T(test_people_see_why_it_waits),
		T(test_what_who_was_asked_says_is_seen),
		T(test_a_number_that_nobody_gave_is_no_subscriber),
		T(test_a_subscriber_is_there_once),
		T(test_a_damaged_subscriber_stops_the_start),
		T(test_an_xa_branch_that_failed_forbids_commit),
		T(test_other_modes_may_lose_a_branch),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
