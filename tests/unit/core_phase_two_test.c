#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <time.h>

#include "tests/fakes/desk.h"

/* Commands, retries, peers that come and go, operators. */

static int setup(void **state)
{
	struct core_config config = desk_config();
	struct desk *d;

	config.in_flight_per_peer_max = 2;
	config.attempts_max = 3;
	config.command_timeout_ms = 1000;
	config.retry_ms_first = 100;
	config.retry_ms_max = 400;
	d = desk_new(&config, true);
	desk_peer(d, 1, "app", "i1", "R");
	*state = d;
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

static int retry(struct desk *d, struct bytes xid, uint64_t branch)
{
	return answer(d, (struct request){ .type = RQ_RETRY,
					   .xid = xid,
					   .branch = branch,
					   .text = BYTES("fixed") })
		->err;
}

static int resolve(struct desk *d, struct bytes xid, uint64_t branch,
		   enum resolution r)
{
	return answer(d, (struct request){ .type = RQ_RESOLVE,
					   .xid = xid,
					   .branch = branch,
					   .resolution = r,
					   .text = BYTES("{\"a\":1}") })
		->err;
}

/* A transaction with one branch, decided. */
static uint64_t one_branch(struct desk *d, enum branch_mode mode, bool commit,
			   struct bytes *xid)
{
	uint64_t b;

	*xid = desk_begin(d);
	b = desk_register(d, *xid, 1, mode, "R", mode == MODE_AT ? "a" : "");
	desk_ask_end(d, *xid, commit, 0);
	return b;
}

static bool keep_view(void *ctx, struct gtx_view v)
{
	*(struct gtx_view *)ctx = v;
	return true;
}

/* What was too long is replaced by a JSON text that says so. */
static void see_detail(void *ctx, struct branch_view v)
{
	(void)ctx;
	assert_true(v.detail.len > 3 && v.detail.data[0] == '"');
}

/* ---- attempts ---- */

static void test_failures_back_off_and_hang_in_the_end(void **state)
{
	struct desk *d = *state;
	struct bytes xid;
	uint64_t b = one_branch(d, MODE_TCC, true, &xid);
	uint64_t before;

	desk_done(d, desk_command(d, b), BRANCH_COMMIT_RETRYABLE, "busy");
	assert_int_equal(desk_status(d, xid), GTX_COMMIT_RETRYING);
	assert_true(desk_said(d, "attempt 1 failed"));
	before = d->n_commands;
	desk_pass(d, 49);
	assert_int_equal(d->n_commands, before);
	desk_pass(d, 51);
	assert_int_equal(desk_command(d, b)->attempt, 2);
	desk_pass(d, 1000); /* no answer: lost */
	assert_true(desk_said(d, "no answer within 1000 ms"));
	desk_pass(d, 200);
	assert_int_equal(desk_command(d, b)->attempt, 3);
	desk_done(d, desk_command(d, b), BRANCH_COMMIT_NOTA, "who?");
	assert_int_equal(desk_status(d, xid), GTX_COMMIT_RETRY_TIMEOUT);
	assert_int_equal(core_stats(d->core).hung, 1);
	before = d->n_commands;
	desk_pass(d, 100000);
	assert_int_equal(d->n_commands, before);
	assert_int_equal(retry(d, xid, 0), OK);
	assert_int_equal(desk_status(d, xid), GTX_COMMIT_RETRYING);
	/* The count starts anew, and a restart does not forget it. */
	desk_done(d, desk_command(d, b), BRANCH_COMMIT_RETRYABLE, "busy");
	assert_int_equal(desk_status(d, xid), GTX_COMMIT_RETRYING);
	desk_pass(d, 100);
	desk_done(d, desk_command(d, b), BRANCH_COMMIT_RETRYABLE, "busy");
	assert_int_equal(desk_crash(d), OK);
	desk_peer(d, 2, "app", "i1", "R");
	assert_int_equal(desk_command(d, b)->attempt, 6);
	desk_done(d, desk_command(d, b), BRANCH_COMMIT_RETRYABLE, "busy");
	assert_int_equal(desk_status(d, xid), GTX_COMMIT_RETRY_TIMEOUT);
	assert_int_equal(retry(d, xid, b), OK);
	desk_done(d, desk_command(d, b), BRANCH_COMMITTED, NULL);
	assert_int_equal(desk_status(d, xid), GTX_COMMITTED);
}

static void see_participant(void *ctx, struct branch_view v)
{
	*(struct bytes *)ctx = v.participant;
}

/* As long as the branch says, after a restart as well. */
static void test_a_command_is_lost_after_the_time_it_was_given(void **state)
{
	struct desk *d = *state;
	struct bytes xid = desk_begin(d), participant = { 0 };
	const struct reply *r =
		answer(d, (struct request){ .type = RQ_REGISTER,
					    .peer = 1,
					    .xid = xid,
					    .mode = MODE_TCC,
					    .resource = BYTES("R"),
					    .participant = BYTES("{\"x\":1}"),
					    .call_timeout_ms = 5000 });
	uint64_t branch = r->branch;
	struct gtx_view view;

	assert_int_equal(r->err, OK);
	desk_ask_end(d, xid, true, 0);
	assert_int_equal(desk_command(d, branch)->timeout_ms, 5000);
	assert_true(bytes_equal(desk_command(d, branch)->participant,
				BYTES("{\"x\":1}")));
	desk_pass(d, 4999);
	assert_int_equal(desk_status(d, xid), GTX_COMMITTING);
	desk_pass(d, 1);
	assert_int_equal(desk_status(d, xid), GTX_COMMIT_RETRYING);
	assert_true(desk_said(d, "no answer within 5000 ms"));

	assert_int_equal(desk_crash(d), OK);
	desk_peer(d, 2, "app", "i1", "R");
	assert_int_equal(desk_command(d, branch)->timeout_ms, 5000);
	assert_int_equal(core_show(d->core, branch - 1, d->now_ms, &view,
				   see_participant, &participant),
			 OK);
	assert_true(bytes_equal(participant, BYTES("{\"x\":1}")));
}

static void test_what_a_participant_may_ask_for_is_limited(void **state)
{
	struct desk *d = *state;
	struct request rq = { .type = RQ_REGISTER,
			      .mode = MODE_TCC,
			      .resource = BYTES("R") };
	static uint8_t big[16 * 1024 + 1];

	rq.xid = desk_begin(d);
	rq.participant = (struct bytes){ big, sizeof big };
	assert_int_equal(answer(d, rq)->err, E_LIMIT);
	rq.participant.len--;
	rq.call_timeout_ms = d->config.timeout_ms_max + 1;
	assert_int_equal(answer(d, rq)->err, E_LIMIT);
	rq.call_timeout_ms--;
	assert_int_equal(answer(d, rq)->err, OK);
}

static void test_a_late_done_counts_and_a_late_failure_does_not(void **state)
{
	struct desk *d = *state;
	struct bytes xid;
	uint64_t b = one_branch(d, MODE_AT, false, &xid);
	struct command first = *desk_command(d, b);

	desk_pass(d, 1200);
	assert_int_equal(desk_command(d, b)->attempt, 2);
	desk_done(d, &first, BRANCH_ROLLBACK_UNRETRYABLE, "late");
	assert_int_equal(desk_status(d, xid), GTX_ROLLBACK_RETRYING);
	desk_done(d, &first, BRANCH_ROLLBACKED, NULL);
	assert_int_equal(desk_status(d, xid), GTX_ROLLBACKED);
	desk_done(d, &first, BRANCH_ROLLBACKED, NULL);
	desk_done(d, &first, BRANCH_ROLLBACK_UNRETRYABLE, NULL);
	first.branch = 424242;
	desk_done(d, &first, BRANCH_ROLLBACKED, NULL);
	assert_int_equal(desk_status(d, xid), GTX_ROLLBACKED);
}

static void assert_line(const struct desk *d, const char *part,
			enum history_kind kind, uint64_t branch,
			uint32_t attempt)
{
	const struct history *h = desk_line(d, part);

	assert_string_equal(history_kind_name((int)h->kind),
			    history_kind_name((int)kind));
	assert_int_equal(h->branch, branch);
	assert_int_equal(h->attempt, attempt);
	assert_int_equal(h->task, 0);
}

static void test_a_line_of_history_says_what_it_is_about(void **state)
{
	struct desk *d = *state;
	struct bytes xid = desk_begin(d);
	uint64_t b1 = desk_register(d, xid, 1, MODE_TCC, "R", "");
	uint64_t b2 = desk_register(d, xid, 1, MODE_TCC, "R", "");
	uint64_t b3 = desk_register(d, xid, 1, MODE_SAGA, "R", "");
	uint64_t b4 = desk_register(d, xid, 1, MODE_TCC, "R", "");

	desk_ask(d, (struct request){ .type = RQ_REPORT,
				      .xid = xid,
				      .branch = b4,
				      .report = BRANCH_PHASE_ONE_FAILED });
	assert_line(d, "register branch", HISTORY_REGISTERED, b4, 0);
	assert_line(d, "PhaseOne_Failed", HISTORY_REPORTED, b4, 0);
	desk_ask_end(d, xid, true, 0);
	assert_line(d, "commit decided", HISTORY_DECIDED, 0, 0);
	assert_line(d, "nothing to be done", HISTORY_DONE, b3, 0);
	desk_done(d, desk_command(d, b1), BRANCH_COMMIT_RETRYABLE, "later");
	assert_line(d, "later", HISTORY_FAILED, b1, 1);
	desk_done(d, desk_command(d, b2), BRANCH_COMMIT_UNRETRYABLE, "no");
	assert_line(d, ": no", HISTORY_HUNG, b2, 1);
	desk_pass(d, 5000);
	desk_done(d, desk_command(d, b1), BRANCH_COMMITTED, NULL);
	assert_line(d, "PhaseTwo_Committed, att", HISTORY_DONE, b1,
		    desk_command(d, b1)->attempt);
	assert_true(desk_command(d, b1)->attempt > 1);
	desk_ask(d, (struct request){
			    .type = RQ_RETRY, .xid = xid, .branch = b2 });
	assert_line(d, "retry asked", HISTORY_OPERATOR, b2, 0);
	assert_string_equal(history_kind_name(HISTORY_KINDS), "note");
	assert_string_equal(history_kind_name(-1), "note");
	for (int i = 0; i < HISTORY_KINDS; i++)
		assert_non_null(history_kind_name(i));
}

static void test_a_late_done_frees_a_hung_branch(void **state)
{
	struct desk *d = *state;
	struct bytes xid = desk_begin(d);
	uint64_t b1 = desk_register(d, xid, 1, MODE_TCC, "R", "");
	uint64_t b2 = desk_register(d, xid, 1, MODE_TCC, "R", "");
	struct command first;

	desk_ask_end(d, xid, true, 0);
	first = *desk_command(d, b1);
	desk_done(d, &first, BRANCH_COMMIT_UNRETRYABLE, "never");
	assert_int_equal(desk_status(d, xid), GTX_COMMIT_FAILED);
	desk_done(d, &first, BRANCH_COMMITTED, NULL);
	assert_int_equal(desk_status(d, xid), GTX_COMMIT_RETRYING);
	desk_done(d, desk_command(d, b2), BRANCH_COMMITTED, NULL);
	assert_int_equal(desk_status(d, xid), GTX_COMMITTED);
}

static void test_an_answer_to_another_question_is_a_failure(void **state)
{
	struct desk *d = *state;
	struct bytes xid;
	uint64_t b = one_branch(d, MODE_TCC, true, &xid);

	desk_done(d, desk_command(d, b), BRANCH_ROLLBACKED, "mixed up");
	assert_int_equal(desk_status(d, xid), GTX_COMMIT_RETRYING);
}

static void test_nobody_is_done_before_the_decision_is_durable(void **state)
{
	struct desk *d = *state;
	struct bytes xid = desk_begin(d);
	struct command forged = { .peer = 1, .id = 1, .xid = xid };

	forged.branch = desk_register(d, xid, 1, MODE_AT, "R", "a");
	desk_done(d, &forged, BRANCH_COMMITTED, NULL);
	desk_done(d, &forged, BRANCH_ROLLBACKED, NULL);
	assert_int_equal(desk_status(d, xid), GTX_BEGIN);
	d->auto_store = false;
	desk_ask_end(d, xid, false, 0);
	desk_done(d, &forged, BRANCH_ROLLBACKED, NULL);
	assert_int_equal(core_stats(d->core).locks_now, 1);
	desk_store(d);
	assert_non_null(desk_command(d, forged.branch));
}

static void test_a_command_has_a_number_of_its_own_over_restarts(void **state)
{
	struct desk *d = *state;
	struct bytes xid;
	uint64_t b = one_branch(d, MODE_TCC, true, &xid);
	uint64_t first = desk_command(d, b)->id;

	assert_int_equal(desk_crash(d), OK);
	desk_peer(d, 2, "app", "i1", "R");
	assert_true(desk_command(d, b)->id > first);
}

struct dues {
	uint64_t min, max;
};

static void see_due(void *ctx, struct branch_view v)
{
	struct dues *s = ctx;

	if (v.next_due_ms < s->min)
		s->min = v.next_due_ms;
	if (v.next_due_ms > s->max)
		s->max = v.next_due_ms;
}

static void test_what_failed_together_does_not_come_back_together(void **state)
{
	struct desk *d = *state;
	struct gtx_filter f = { .status = -1, .limit = 1 };
	struct dues dues = { UINT64_MAX, 0 };
	struct bytes xid = desk_begin(d);
	struct gtx_view v = { 0 };
	uint64_t b[20];

	for (int i = 0; i < 20; i++)
		b[i] = desk_register(d, xid, 1, MODE_TCC, "R", "");
	desk_ask_end(d, xid, true, 0);
	for (int i = 0; i < 20; i++)
		desk_done(d, desk_command(d, b[i]), BRANCH_COMMIT_RETRYABLE,
			  "busy");
	core_list(d->core, &f, d->now_ms, keep_view, &v);
	assert_int_equal(
		core_show(d->core, v.number, d->now_ms, &v, see_due, &dues),
		OK);
	assert_in_range(dues.min, 50, 65);
	assert_in_range(dues.max, 85, 100);
}

/* ---- order ---- */

static void test_ordered_phase_two_goes_one_by_one(void **state)
{
	struct desk *d = *state;
	uint64_t b[3];

	for (int commit = 0; commit < 2; commit++) {
		struct bytes xid =
			answer(d, (struct request){ .type = RQ_BEGIN,
						    .ordered = true })
				->xid;

		for (int i = 0; i < 3; i++)
			b[i] = desk_register(d, xid, 1, MODE_TCC, "R", "");
		desk_ask_end(d, xid, commit, 0);
		for (int i = 0; i < 3; i++) {
			uint64_t due = b[commit ? i : 2 - i];

			assert_int_equal(d->n_commands, i + 1);
			assert_int_equal(d->commands[i].branch, due);
			desk_done(d, &d->commands[i],
				  commit ? BRANCH_COMMITTED : BRANCH_ROLLBACKED,
				  NULL);
		}
		assert_int_equal(desk_status(d, xid),
				 commit ? GTX_COMMITTED : GTX_ROLLBACKED);
		desk_clear(d);
	}
}

static void test_a_dirty_branch_holds_up_only_the_older_of_its_resource(
	void **state)
{
	struct desk *d = *state;
	struct bytes xid = desk_begin(d);
	uint64_t old, other, new;

	desk_peer(d, 2, "app", "i2", "S");
	old = desk_register(d, xid, 1, MODE_AT, "R", "a");
	other = desk_register(d, xid, 2, MODE_AT, "S", "b");
	new = desk_register(d, xid, 1, MODE_AT, "R", "c");
	desk_ask_end(d, xid, false, 0);
	desk_done(d, desk_command(d, new), BRANCH_ROLLBACK_UNRETRYABLE,
		  "dirty");
	desk_done(d, desk_command(d, other), BRANCH_ROLLBACKED, NULL);
	assert_null(desk_command(d, old));
	assert_int_equal(desk_status(d, xid), GTX_ROLLBACK_FAILED);
	assert_int_equal(core_stats(d->core).locks_now, 2);
	/* All of it is still so after a restart. */
	assert_int_equal(desk_crash(d), OK);
	desk_peer(d, 3, "app", "i1", "R");
	desk_pass(d, 10000);
	assert_int_equal(d->n_commands, 0);
	assert_int_equal(desk_status(d, xid), GTX_ROLLBACK_FAILED);
	assert_int_equal(resolve(d, xid, new, RESOLVE_KEEP_CURRENT), OK);
	assert_int_equal(desk_status(d, xid), GTX_ROLLBACK_RETRYING);
	assert_int_equal(desk_command(d, new)->resolution,
			 RESOLVE_KEEP_CURRENT);
	desk_done(d, desk_command(d, new), BRANCH_ROLLBACKED, NULL);
	desk_done(d, desk_command(d, old), BRANCH_ROLLBACKED, NULL);
	assert_int_equal(desk_status(d, xid), GTX_ROLLBACKED);
}

/* ---- operators ---- */

static void test_a_resolution_goes_only_when_it_is_durable(void **state)
{
	struct desk *d = *state;
	struct bytes xid;
	uint64_t b = one_branch(d, MODE_AT, false, &xid);
	uint64_t id, forced;

	desk_done(d, desk_command(d, b), BRANCH_ROLLBACK_UNRETRYABLE, "dirty");
	desk_clear(d);
	d->auto_store = false;
	forced = d->forced_steps;
	id = desk_ask(d, (struct request){ .type = RQ_RESOLVE,
					   .xid = xid,
					   .branch = b,
					   .resolution = RESOLVE_VALUES,
					   .text = BYTES("{}") });
	desk_pass(d, 5000);
	assert_int_equal(d->forced_steps, forced + 1);
	assert_null(desk_find_reply(d, id));
	assert_int_equal(d->n_commands, 0);
	desk_store(d);
	assert_int_equal(desk_reply(d, id)->err, OK);
	assert_true(bytes_equal(desk_command(d, b)->values, BYTES("{}")));
	assert_int_equal(desk_crash(d), OK);
	desk_peer(d, 2, "app", "i9", "R");
	assert_true(bytes_equal(desk_command(d, b)->values, BYTES("{}")));
}

static int acknowledge(struct desk *d, struct bytes xid, uint64_t branch)
{
	return answer(d, (struct request){ .type = RQ_RESOLVE,
					   .xid = xid,
					   .branch = branch,
					   .resolution = RESOLVE_KEEP_CURRENT })
		->err;
}

static void test_a_heuristic_outcome_ends_when_it_is_acknowledged(void **state)
{
	struct desk *d = *state;
	struct bytes xid;

	for (int commit = 0; commit < 2; commit++) {
		uint64_t b = one_branch(d, MODE_XA, commit, &xid);

		assert_int_equal(acknowledge(d, xid, b), E_STATE);
		desk_done(d, desk_command(d, b),
			  commit ? BRANCH_COMMIT_UNRETRYABLE
				 : BRANCH_ROLLBACK_UNRETRYABLE,
			  "heuristic outcome");
		assert_int_equal(resolve(d, xid, b, RESOLVE_KEEP_CURRENT),
				 E_INVALID);
		assert_int_equal(resolve(d, xid, b, RESOLVE_USE_UNDO),
				 E_INVALID);
		assert_int_equal(acknowledge(d, xid, b), OK);
		assert_int_equal(desk_command(d, b)->resolution,
				 RESOLVE_KEEP_CURRENT);
		desk_done(d, desk_command(d, b),
			  commit ? BRANCH_COMMITTED : BRANCH_ROLLBACKED, NULL);
		assert_int_equal(desk_status(d, xid),
				 commit ? GTX_COMMITTED : GTX_ROLLBACKED);
	}
}

static void test_a_resolution_overtakes_the_attempt_before_it(void **state)
{
	struct desk *d = *state;
	struct bytes xid;
	uint64_t b = one_branch(d, MODE_AT, false, &xid);
	struct command first = *desk_command(d, b);

	assert_int_equal(resolve(d, xid, b, RESOLVE_USE_UNDO), OK);
	desk_done(d, &first, BRANCH_ROLLBACK_UNRETRYABLE, "dirty");
	assert_int_equal(desk_status(d, xid), GTX_ROLLBACK_RETRYING);
	desk_pass(d, 100);
	assert_int_equal(desk_command(d, b)->resolution, RESOLVE_USE_UNDO);
	desk_done(d, desk_command(d, b), BRANCH_ROLLBACK_UNRETRYABLE, "again");
	assert_int_equal(desk_status(d, xid), GTX_ROLLBACK_FAILED);
	/* Twice before it is durable: the last one counts. */
	d->auto_store = false;
	desk_ask(d, (struct request){ .type = RQ_RESOLVE,
				      .xid = xid,
				      .branch = b,
				      .resolution = RESOLVE_USE_UNDO });
	desk_ask(d, (struct request){ .type = RQ_RESOLVE,
				      .xid = xid,
				      .branch = b,
				      .resolution = RESOLVE_KEEP_CURRENT });
	desk_store(d);
	assert_int_equal(desk_command(d, b)->resolution, RESOLVE_KEEP_CURRENT);
}

static void test_a_resolution_is_awaited_in_the_queue_as_well(void **state)
{
	struct desk *d = *state;
	struct bytes xid = desk_begin(d);
	uint64_t b, n;

	b = desk_register(d, xid, 1, MODE_AT, "R", "a");
	desk_gone(d, 1);
	desk_ask_end(d, xid, false, 0); /* nobody is there: it queues */
	d->auto_store = false;
	desk_ask(d, (struct request){ .type = RQ_RESOLVE,
				      .xid = xid,
				      .branch = b,
				      .resolution = RESOLVE_USE_UNDO });
	n = d->n_commands;
	desk_peer(d, 2, "app", "i1", "R");
	assert_int_equal(d->n_commands, n);
	desk_store(d);
	assert_int_equal(desk_command(d, b)->resolution, RESOLVE_USE_UNDO);
}

static void test_long_texts_are_cut_between_characters(void **state)
{
	struct core_config config = desk_config();
	struct event e = { .type = EV_BRANCH_DONE };
	struct gtx_filter f = { .status = -1, .limit = 1 };
	struct gtx_view v = { 0 };
	struct bytes xid;
	struct desk *d;
	uint64_t b;

	(void)state;
	config.text_max = 4;
	config.application_data_max = 3;
	d = desk_new(&config, true);
	xid = desk_begin(d);
	desk_peer(d, 1, "app", "i1", "R");
	b = desk_register(d, xid, 1, MODE_AT, "R", "a");
	desk_ask_end(d, xid, false, 0);
	e.done = (struct branch_done){ .peer = 1,
				       .command = desk_command(d, b)->id,
				       .branch = b,
				       .status = BRANCH_ROLLBACK_RETRYABLE,
				       .error = BYTES("ab\u20ac"),
				       .detail = BYTES("{\"now\":1}") };
	assert_int_equal(desk_step(d, e), OK);
	core_list(d->core, &f, d->now_ms, keep_view, &v);
	assert_true(bytes_equal(v.last_error, BYTES("ab")));
	assert_int_equal(
		core_show(d->core, v.number, d->now_ms, &v, see_detail, NULL),
		OK);
	desk_free(d);
}

static void test_operators_hear_what_cannot_be(void **state)
{
	struct desk *d = *state;
	struct bytes begin = desk_begin(d), xid, done;
	uint64_t active = desk_register(d, begin, 1, MODE_AT, "R", "z");
	uint64_t b = one_branch(d, MODE_TCC, false, &xid);
	uint64_t b2;

	assert_int_equal(retry(d, begin, 0), E_STATE);
	assert_int_equal(retry(d, xid, active), E_NOTFOUND);
	assert_int_equal(retry(d, BYTES("tc:1:77777"), 0), E_NOTFOUND);
	assert_int_equal(resolve(d, BYTES("x"), b, RESOLVE_USE_UNDO),
			 E_INVALID);
	assert_int_equal(resolve(d, xid, active, RESOLVE_USE_UNDO), E_NOTFOUND);
	assert_int_equal(resolve(d, xid, b, RESOLVE_NONE), E_INVALID);
	assert_int_equal(resolve(d, xid, b, (enum resolution)9), E_INVALID);
	assert_int_equal(resolve(d, xid, b, RESOLVE_USE_UNDO), E_INVALID);
	assert_int_equal(resolve(d, begin, active, RESOLVE_USE_UNDO), E_STATE);
	desk_done(d, desk_command(d, b), BRANCH_ROLLBACKED, NULL);
	assert_int_equal(retry(d, xid, 0), OK); /* finished: as wished */
	assert_int_equal(resolve(d, xid, b, RESOLVE_USE_UNDO), E_STATE);
	b2 = one_branch(d, MODE_AT, true, &done);
	assert_int_equal(resolve(d, done, b2, RESOLVE_USE_UNDO), E_STATE);
	d->config.application_data_max = 3;
	assert_int_equal(core_reconfigure(d->core, &d->config), OK);
	assert_int_equal(resolve(d, begin, active, RESOLVE_USE_UNDO), E_LIMIT);
	d->config.id_block = 0;
	assert_int_equal(core_reconfigure(d->core, &d->config), E_INVALID);
}

static void test_a_retry_of_one_branch_leaves_the_other_hung(void **state)
{
	struct desk *d = *state;
	struct bytes xid = desk_begin(d);
	uint64_t b1 = desk_register(d, xid, 1, MODE_TCC, "R", "");
	uint64_t b2 = desk_register(d, xid, 1, MODE_TCC, "R", "");

	desk_ask_end(d, xid, false, 0);
	desk_done(d, desk_command(d, b1), BRANCH_ROLLBACK_UNRETRYABLE, "x");
	desk_done(d, desk_command(d, b2), BRANCH_ROLLBACK_UNRETRYABLE, "y");
	assert_int_equal(retry(d, xid, b1), OK);
	assert_int_equal(desk_status(d, xid), GTX_ROLLBACK_FAILED);
	assert_int_equal(desk_command(d, b1)->attempt, 2);
	assert_int_equal(desk_command(d, b2)->attempt, 1);
	desk_done(d, desk_command(d, b1), BRANCH_ROLLBACK_RETRYABLE, "x");
	assert_int_equal(desk_status(d, xid), GTX_ROLLBACK_FAILED);
	assert_int_equal(retry(d, xid, b2), OK);
	assert_int_equal(desk_status(d, xid), GTX_ROLLBACK_RETRYING);
	assert_int_equal(retry(d, xid, 0), OK); /* also what is only due */
	assert_int_equal(desk_command(d, b1)->attempt, 3);
}

/* ---- peers ---- */

static void test_a_peer_takes_only_so_many_at_once(void **state)
{
	struct desk *d = *state;
	struct bytes xid = desk_begin(d);
	uint64_t b[5];

	for (int i = 0; i < 5; i++)
		b[i] = desk_register(d, xid, 1, MODE_TCC, "R", "");
	desk_ask_end(d, xid, true, 0);
	assert_int_equal(d->n_commands, 2);
	desk_done(d, desk_command(d, b[0]), BRANCH_COMMITTED, NULL);
	assert_int_equal(d->n_commands, 3);
	desk_peer(d, 2, "app", "i2", "R"); /* what waits for i1 waits on */
	assert_int_equal(d->n_commands, 3);
	desk_gone(d, 1); /* now the other one gets them */
	assert_int_equal(d->n_commands, 5);
	assert_int_equal(d->commands[4].peer, 2);
}

static void test_a_lost_peer_does_not_use_up_attempts(void **state)
{
	struct desk *d = *state;
	struct bytes xid;
	uint64_t b = one_branch(d, MODE_TCC, true, &xid);

	for (uint64_t peer = 2; peer < 12; peer++) {
		desk_gone(d, peer - 1);
		desk_peer(d, peer, "app", "i1", "R");
		assert_int_equal(desk_command(d, b)->peer, peer);
	}
	assert_int_equal(desk_status(d, xid), GTX_COMMITTING);
	desk_gone(d, 11);
	desk_pass(d, 1000000); /* nobody there: it just waits */
	assert_int_equal(desk_status(d, xid), GTX_COMMITTING);
	desk_gone(d, 11); /* unknown by now */
}

static void test_commands_go_where_they_can_be_done(void **state)
{
	struct desk *d = *state;
	struct bytes at, tcc;
	uint64_t b_at, b_tcc;

	desk_peer(d, 2, "other", "o1", "R");
	desk_gone(d, 1);
	desk_peer(d, 1, "app", "i1", "R");
	at = desk_begin(d);
	b_at = desk_register(d, at, 1, MODE_AT, "R", "a");
	tcc = desk_begin(d);
	b_tcc = desk_register(d, tcc, 1, MODE_TCC, "R", "");
	desk_gone(d, 1);
	desk_ask_end(d, at, false, 0);
	desk_ask_end(d, tcc, false, 0);
	/* AT needs only the database; the rest needs the application. */
	assert_int_equal(desk_command(d, b_at)->peer, 2);
	assert_null(desk_command(d, b_tcc));
	desk_peer(d, 3, "app", "i2", "R");
	assert_int_equal(desk_command(d, b_tcc)->peer, 3);
	desk_done(d, desk_command(d, b_at), BRANCH_ROLLBACK_RETRYABLE, "no");
	desk_pass(d, 100); /* and an own one comes before a foreign one */
	assert_int_equal(desk_command(d, b_at)->peer, 3);
}

static void test_a_branch_may_be_another_applications(void **state)
{
	struct desk *d = *state;
	struct bytes xid = desk_begin(d);
	uint64_t branch,
		id = desk_ask(d,
			      (struct request){ .type = RQ_REGISTER,
						.peer = 1,
						.xid = xid,
						.mode = MODE_TCC,
						.resource = BYTES("R"),
						.application = BYTES("other"),
						.client_key = 77 });

	branch = desk_reply(d, id)->branch;
	desk_ask_end(d, xid, true, 0);
	/* Who registered it has something of that name, but it is not that. */
	assert_null(desk_command(d, branch));
	desk_peer(d, 2, "other", "o1", "R");
	assert_int_equal(desk_command(d, branch)->peer, 2);
	desk_done(d, desk_command(d, branch), BRANCH_COMMITTED, NULL);
	assert_int_equal(desk_status(d, xid), GTX_COMMITTED);
}

static void test_a_black_hole_holds_up_nobody(void **state)
{
	struct desk *d = *state;
	struct bytes xid = desk_begin(d);
	uint64_t b[9];

	for (int i = 0; i < 9; i++)
		b[i] = desk_register(d, xid, 1, MODE_TCC, "R", "");
	desk_peer(d, 2, "app", "i2", "R");
	desk_ask_end(d, xid, true, 0); /* all to the instance, two at once */
	assert_int_equal(d->n_commands, 2);
	desk_pass(d, 1100); /* it does not answer */
	for (int i = 0; i < 40; i++) {
		for (int k = 0; k < 9; k++) {
			const struct command *co = desk_command(d, b[k]);

			if (co && co->peer == 2)
				desk_done(d, co, BRANCH_COMMITTED, NULL);
		}
		desk_pass(d, 100);
	}
	assert_int_equal(desk_status(d, xid), GTX_COMMITTED);
}

static void test_a_suspect_is_trusted_again_when_it_answers(void **state)
{
	struct desk *d = *state;
	struct bytes xid = desk_begin(d);
	uint64_t b[4];

	for (int i = 0; i < 4; i++)
		b[i] = desk_register(d, xid, 1, MODE_TCC, "R", "");
	desk_ask_end(d, xid, true, 0);
	desk_pass(d, 1000);
	assert_int_equal(d->n_commands, 3); /* one at a time from now on */
	desk_done(d, &d->commands[2], BRANCH_COMMITTED, NULL);
	assert_int_equal(d->n_commands, 4);
	desk_pass(d, 400);
	for (int i = 0; i < 4; i++)
		desk_done(d, desk_command(d, b[i]), BRANCH_COMMITTED, NULL);
	assert_int_equal(desk_status(d, xid), GTX_COMMITTED);
}

/* Nor does a branch lose time there again. */
static void test_what_timed_out_goes_to_who_is_healthy(void **state)
{
	struct desk *d = *state;

	desk_peer(d, 2, "app", "i2", "R");
	for (int i = 0; i < 4; i++) {
		struct bytes xid;
		uint64_t b = one_branch(d, MODE_TCC, true, &xid);

		assert_int_equal(desk_command(d, b)->peer, i ? 2 : 1);
		if (i == 0)
			desk_pass(d, 1100); /* no answer, and the back-off */
		assert_int_equal(desk_command(d, b)->peer, 2);
		desk_done(d, desk_command(d, b), BRANCH_COMMIT_RETRYABLE, "no");
		desk_pass(d, 200);
		assert_int_equal(desk_command(d, b)->peer, 2);
		desk_done(d, desk_command(d, b), BRANCH_COMMITTED, NULL);
		assert_int_equal(desk_status(d, xid), GTX_COMMITTED);
	}
	desk_done(d, &d->commands[0], BRANCH_COMMITTED, NULL); /* late */
	for (int i = 0; i < 2; i++) {
		struct bytes xid;
		uint64_t b = one_branch(d, MODE_TCC, true, &xid);

		assert_int_equal(desk_command(d, b)->peer, 1);
	}
}

static void test_a_peer_that_changes_its_resources(void **state)
{
	struct desk *d = *state;
	struct bytes xid;
	uint64_t b;

	desk_peer(d, 1, "app", "i1", "S");
	b = one_branch(d, MODE_TCC, true, &xid);
	assert_null(desk_command(d, b));
	desk_peer(d, 1, "app", "i1", "R");
	assert_int_equal(desk_command(d, b)->peer, 1);
}

static void test_new_limits_count_from_now_on(void **state)
{
	struct desk *d = *state;
	struct bytes xid = desk_begin(d), held = desk_begin(d);
	const struct reply *r;

	for (int i = 0; i < 5; i++)
		desk_register(d, xid, 1, MODE_TCC, "R", "");
	desk_register(d, held, 1, MODE_AT, "R", "abc");
	desk_ask_end(d, xid, true, 0);
	assert_int_equal(d->n_commands, 2);
	d->config.in_flight_per_peer_max = 4;
	d->config.locks_max = 2; /* three are held: they stay, none is added */
	assert_int_equal(core_reconfigure(d->core, &d->config), OK);
	core_check(d->core);
	desk_step(d, (struct event){ .type = EV_TIME });
	assert_int_equal(d->n_commands, 4);
	r = desk_reply(d,
		       desk_ask_register(d, held, 1, MODE_AT, "R", "x", 0, 0));
	assert_int_equal(r->err, E_LIMIT);
}

static void test_peers_have_a_limit(void **state)
{
	struct desk *d = *state;
	struct event e = { .type = EV_PEER_UP };

	d->config.peers_max = 1;
	assert_int_equal(core_reconfigure(d->core, &d->config), OK);
	e.up.peer = 2;
	assert_int_equal(desk_step(d, e), E_LIMIT);
	e.up.peer = 1;
	assert_int_equal(desk_step(d, e), OK);
}

/* ---- many ---- */

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

struct storm {
	struct core *core;
	uint64_t now, seq, next;
	struct command queue[100000];
	size_t n;
	struct bytes xid; /* of the last begin */
	char text[64];
};

static void storm_step(struct storm *s, struct event e)
{
	struct effects fx;

	e.now_ms = s->now;
	assert_int_equal(core_step(s->core, &e, &fx), OK);
	for (size_t i = 0; i < fx.n; i++) {
		const struct effect *f = &fx.items[i];

		if (f->type == FX_COMMAND)
			s->queue[s->n++] = f->command;
		if (f->type == FX_REPLY && f->reply.type == RQ_BEGIN) {
			memcpy(s->text, f->reply.xid.data, f->reply.xid.len);
			s->xid = (struct bytes){ (uint8_t *)s->text,
						 f->reply.xid.len };
		}
	}
	if (fx.seq) {
		struct event stored = { .type = EV_STORED, .seq = fx.seq };

		storm_step(s, stored);
	}
}

static void storm_peer(struct storm *s, uint64_t peer)
{
	struct bytes r = BYTES("R");
	struct event e = { .type = EV_PEER_UP };

	e.up = (struct peer_up){ .peer = peer,
				 .application = BYTES("app"),
				 .instance = BYTES("i"),
				 .resources = &r,
				 .n_resources = 1 };
	storm_step(s, e);
}

static bool count_one(void *ctx, struct gtx_view v)
{
	(void)v;
	++*(size_t *)ctx;
	return true;
}

#define STORM 50000

/* Time is only a guard against n² here: at 50 000 that takes minutes. */
static void test_fifty_thousand_due_branches_are_no_storm(void **state)
{
	struct core_config config = desk_config();
	struct storm *s = calloc(1, sizeof *s);
	struct gtx_filter filter = { .status = -1, .limit = 100 };
	double began = seconds();
	size_t done = 0, seen = 0;

	(void)state;
	assert_non_null(s);
	s->now = 1;
	assert_int_equal(core_new(&s->core, &mem_heap, &config), OK);
	storm_step(s, (struct event){ .type = EV_READY });
	for (int i = 0; i < STORM; i++) {
		struct event e = { .type = EV_REQUEST };

		e.request.type = RQ_BEGIN;
		storm_step(s, e);
		e.request = (struct request){ .type = RQ_REGISTER,
					      .xid = s->xid,
					      .application = BYTES("app"),
					      .resource = BYTES("R") };
		storm_step(s, e);
		e.request =
			(struct request){ .type = RQ_COMMIT, .xid = s->xid };
		storm_step(s, e);
	}
	assert_int_equal(s->n, 0);
	assert_int_equal(core_list(s->core, &filter, s->now, count_one, &seen),
			 100);
	filter.after = 99000;
	core_list(s->core, &filter, s->now, count_one, &seen);
	assert_true(seen > 100);
	storm_peer(s, 1);
	storm_peer(s, 2);
	assert_int_equal(s->n, 2 * config.in_flight_per_peer_max);
	for (; done < s->n; done++) {
		struct event e = { .type = EV_BRANCH_DONE };

		e.done = (struct branch_done){ .peer = s->queue[done].peer,
					       .command = s->queue[done].id,
					       .branch = s->queue[done].branch,
					       .status = BRANCH_COMMITTED };
		storm_step(s, e);
	}
	assert_int_equal(done, STORM);
	assert_int_equal(core_stats(s->core).gtx_now, 0);
	core_check(s->core);
	core_free(s->core);
	free(s);
	print_message("%d branches in %.2f s\n", STORM, seconds() - began);
	assert_true(seconds() - began < 20);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_failures_back_off_and_hang_in_the_end),
		T(test_a_command_is_lost_after_the_time_it_was_given),
		T(test_what_a_participant_may_ask_for_is_limited),
		T(test_a_late_done_counts_and_a_late_failure_does_not),
		T(test_a_line_of_history_says_what_it_is_about),
		T(test_a_late_done_frees_a_hung_branch),
		T(test_an_answer_to_another_question_is_a_failure),
		T(test_nobody_is_done_before_the_decision_is_durable),
		T(test_a_command_has_a_number_of_its_own_over_restarts),
		T(test_what_failed_together_does_not_come_back_together),
		T(test_ordered_phase_two_goes_one_by_one),
		T(test_a_dirty_branch_holds_up_only_the_older_of_its_resource),
		T(test_a_resolution_goes_only_when_it_is_durable),
		T(test_a_heuristic_outcome_ends_when_it_is_acknowledged),
		T(test_a_resolution_overtakes_the_attempt_before_it),
		T(test_a_resolution_is_awaited_in_the_queue_as_well),
		cmocka_unit_test(test_long_texts_are_cut_between_characters),
		T(test_operators_hear_what_cannot_be),
		T(test_a_retry_of_one_branch_leaves_the_other_hung),
		T(test_a_peer_takes_only_so_many_at_once),
		T(test_a_lost_peer_does_not_use_up_attempts),
		T(test_commands_go_where_they_can_be_done),
		T(test_a_branch_may_be_another_applications),
		T(test_a_black_hole_holds_up_nobody),
		T(test_a_suspect_is_trusted_again_when_it_answers),
		T(test_what_timed_out_goes_to_who_is_healthy),
		T(test_a_peer_that_changes_its_resources),
		T(test_new_limits_count_from_now_on),
		T(test_peers_have_a_limit),
		cmocka_unit_test(test_fifty_thousand_due_branches_are_no_storm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
