/* Sagas in the core when things go wrong: peers that are not there, go away,
 * answer late, badly or never; what hangs; what is lazy; what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "tests/fakes/saga_desk.h"

static struct desk *d;

static int set_up(void **state)
{
	struct core_config config = desk_config();

	(void)state;
	d = saga_desk_new(&config);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	desk_free(d);
	return 0;
}

static void reconfigure(const struct core_config *config)
{
	d->config = *config;
	assert_int_equal(core_reconfigure(d->core, config), OK);
}

static size_t count_calls(const char *service)
{
	size_t n = 0;

	for (size_t i = 0; i < d->n_commands; i++)
		n += bytes_equal(d->commands[i].service, bytes_of(service));
	return n;
}

static const struct reply *ask(struct request rq)
{
	return desk_reply(d, desk_ask(d, rq));
}

/* ---- nobody there ---- */

static void test_an_agent_that_is_down_for_an_hour_refuses_nothing(void **state)
{
	struct bytes xid;

	(void)state;
	desk_peer(d, 1, "shop", "i", "saga:book");
	saga_put(TRIP);
	xid = saga_start("trip", "");
	saga_done("book", "1");
	desk_pass(d, 3600 * 1000);
	assert_int_equal(count_calls("fly"), 0);
	assert_int_equal(desk_status(d, xid), GTX_ROLLBACK_RETRYING);
	assert_non_null(strstr(saga_show(xid), "\"error\":\"timeout\""));
	assert_non_null(strstr(saga_show(xid), "\"is\":\"unknown\""));
	assert_true(desk_said(d, "attempt 1: nobody was there to take it"));
	/* The agent is back: what may have been done is undone, and no stale
	 * action leaves after its compensation. */
	saga_agents();
	desk_pass(d, 60 * 1000);
	assert_int_equal(count_calls("unfly"), 1);
	saga_done("unfly", "");
	saga_done("unbook", "");
	assert_int_equal(count_calls("fly"), 0);
	assert_int_equal(desk_status(d, xid), GTX_ROLLBACKED);
}

static void test_forward_recovery_waits_for_the_agent_as_long_as_it_takes(
	void **state)
{
	struct bytes xid;

	(void)state;
	saga_put("{\"name\":\"f\",\"recovery\":\"forward\",\"steps\":["
		 "{\"name\":\"a\",\"action\":\"book\"}]}");
	xid = saga_start("f", "");
	desk_pass(d, 10 * 3600 * 1000);
	assert_int_equal(d->n_commands, 0);
	assert_int_equal(desk_status(d, xid), GTX_BEGIN);
	saga_agents();
	desk_pass(d, 60 * 1000);
	assert_int_equal(d->n_commands, 1); /* only the attempt of now */
	saga_done("book", "");
	assert_int_equal(desk_status(d, xid), GTX_COMMITTED);
}

static void test_calls_that_wait_for_a_full_peer_all_get_their_turn(
	void **state)
{
	static const struct branch_done is_done = { .status =
							    BRANCH_COMMITTED };
	struct core_config config = desk_config();
	struct bytes xids[20];
	size_t n = ARRAY_LEN(xids);

	(void)state;
	config.in_flight_per_peer_max = 2;
	reconfigure(&config);
	saga_agents();
	saga_put("{\"name\":\"one\",\"steps\":[{\"name\":\"a\","
		 "\"action\":\"book\"}]}");
	for (size_t i = 0; i < n; i++)
		xids[i] = saga_start("one", "");
	for (size_t i = 0; i < n; i++) { /* first come, first served */
		assert_int_equal(d->n_commands, i + 2 < n ? i + 2 : n);
		assert_true(bytes_equal(d->commands[i].xid, xids[i]));
		saga_answer(&d->commands[i], is_done);
		assert_int_equal(desk_status(d, xids[i]), GTX_COMMITTED);
	}
}

static void assert_line(const char *part, enum history_kind kind, uint32_t task,
			uint32_t attempt)
{
	const struct history *h = desk_line(d, part);

	assert_string_equal(history_kind_name((int)h->kind),
			    history_kind_name((int)kind));
	assert_int_equal(h->task, task);
	assert_int_equal(h->attempt, attempt);
	assert_int_equal(h->branch, 0);
}

static void test_a_line_of_history_names_the_task_it_is_about(void **state)
{
	struct bytes xid;

	(void)state;
	saga_agents();
	saga_put(TRIP);
	xid = saga_start("trip", "");
	assert_line("saga begun", HISTORY_BEGUN, 0, 0);
	assert_line(": call book", HISTORY_SENT, 1, 1);
	saga_done("book", "");
	assert_line(": done", HISTORY_DONE, 1, 1);
	assert_line(": call fly", HISTORY_SENT, 2, 1);
	saga_refused("fly", "full");
	assert_line(": refused", HISTORY_FAILED, 2, 1);
	assert_line("saga compensating", HISTORY_DECIDED, 0, 0);
	saga_done("unbook", "");
	assert_line("saga compensated", HISTORY_ENDED, 0, 0);
	assert_int_equal(desk_status(d, xid), GTX_ROLLBACKED);
}

static void test_a_peer_that_goes_away_leaves_the_outcome_unknown(void **state)
{
	struct bytes xid;

	(void)state;
	saga_agents();
	saga_put(TRIP);
	xid = saga_start("trip", "");
	saga_called("book");
	desk_gone(d, 1);
	assert_true(desk_said(d, "attempt 1: not known whether it is done: "
				 "connection"));
	assert_int_equal(desk_status(d, xid), GTX_BEGIN);
	desk_pass(d, 1000);
	desk_peer(d, 11, "shop", "i", "saga:book");
	assert_int_equal(saga_called("book")->attempt, 2);
	assert_int_equal(saga_called("book")->peer, 11);
	/* Refused now; but the first attempt may have been made. */
	saga_refused("book", "full");
	saga_called("unbook");
	saga_done("unbook", "");
	assert_int_equal(desk_status(d, xid), GTX_ROLLBACKED);
}

/* ---- answers ---- */

static void test_a_late_done_counts_and_a_late_refusal_does_not(void **state)
{
	struct command first;
	struct bytes xid;

	(void)state;
	saga_agents();
	saga_put(TRIP);
	xid = saga_start("trip", "");
	first = *saga_called("book");
	desk_pass(d, d->config.command_timeout_ms + 1000);
	assert_true(desk_said(d, "attempt 1: no answer in time"));
	assert_int_equal(saga_called("book")->attempt, 2);
	saga_answer(&first, (struct branch_done){
				    .status = BRANCH_COMMIT_UNRETRYABLE });
	assert_int_equal(desk_status(d, xid), GTX_BEGIN);
	assert_int_equal(d->n_commands, 2);
	desk_pass(d, d->config.command_timeout_ms + 2000);
	assert_int_equal(saga_called("book")->attempt, 3);
	first = d->commands[1];
	saga_answer(&first, (struct branch_done){ .status = BRANCH_COMMITTED });
	saga_called("fly");
	saga_answer(&first, (struct branch_done){ .status = BRANCH_COMMITTED });
	assert_int_equal(count_calls("fly"), 1);
}

static void test_an_answer_for_something_else_changes_nothing(void **state)
{
	struct command co, changed;
	struct bytes xid;

	(void)state;
	saga_agents();
	saga_put(TRIP);
	xid = saga_start("trip", "");
	co = changed = *saga_called("book");
	changed.branch++;
	saga_answer(&changed,
		    (struct branch_done){ .status = BRANCH_COMMITTED });
	changed = co;
	changed.id++;
	saga_answer(&changed,
		    (struct branch_done){ .status = BRANCH_COMMITTED });
	changed = co;
	changed.xid = BYTES("tc:1:99999");
	saga_answer(&changed,
		    (struct branch_done){ .status = BRANCH_COMMITTED });
	changed.xid = BYTES("nonsense");
	saga_answer(&changed,
		    (struct branch_done){ .status = BRANCH_COMMITTED });
	changed.xid = desk_begin(d);
	saga_answer(&changed,
		    (struct branch_done){ .status = BRANCH_COMMITTED });
	assert_int_equal(count_calls("fly"), 0);
	/* Of an earlier life: its number is not one of this life's. */
	assert_int_equal(desk_crash(d), OK);
	saga_agents();
	assert_int_equal(saga_called("book")->attempt, 1);
	assert_true(saga_called("book")->id != co.id);
	saga_answer(&co, (struct branch_done){ .status = BRANCH_COMMITTED });
	assert_int_equal(count_calls("fly"), 0);
	assert_int_equal(desk_status(d, xid), GTX_BEGIN);
}

static void test_in_progress_is_asked_again_and_is_no_failure(void **state)
{
	(void)state;
	saga_agents();
	saga_put(TRIP);
	saga_start("trip", "");
	for (uint32_t i = 1; i < 20; i++) {
		assert_int_equal(saga_called("book")->attempt, i);
		saga_busy("book");
		desk_pass(d, d->config.saga_ask_again_ms);
	}
	saga_done("book", "");
	saga_called("fly");
}

static void test_an_output_that_is_no_json_is_an_unknown_outcome(void **state)
{
	struct core_config config = desk_config();
	struct bytes xid;

	(void)state;
	config.saga_data_max = 40;
	reconfigure(&config);
	saga_agents();
	saga_put(TRIP);
	xid = saga_start("trip", "");
	saga_done("book", "{\"room\":");
	assert_int_equal(desk_status(d, xid), GTX_BEGIN);
	assert_true(desk_said(d, "output: the participant said done, with an "
				 "output that is no JSON"));
	desk_pass(d, 1000);
	assert_int_equal(saga_called("book")->attempt, 2);
	saga_done("book", "\"12345678901234567890123456789012345678901\"");
	assert_true(desk_said(d, "longer than saga_data_max"));
	desk_pass(d, 1000);
	assert_int_equal(saga_called("book")->attempt, 3);
	saga_done("book", "7");
	saga_called("fly");
}

/* ---- URLs ---- */

static void test_a_service_that_is_a_url_is_called_at_its_origin(void **state)
{
	const struct command *co;

	(void)state;
	assert_int_equal(
		saga_put("{\"Name\":\"u\",\"StartState\":\"A\",\"States\":{"
			 "\"A\":{\"Type\":\"ServiceTask\",\"ServiceName\":"
			 "\"http://Shop:80/api?x=1\",\"ServiceMethod\":\"buy\","
			 "\"TimeoutSeconds\":2,\"Next\":\"E\"},"
			 "\"E\":{\"Type\":\"Succeed\"}}}")
			->err,
		OK);
	saga_start("u", "");
	co = saga_called("http://Shop:80/api?x=1");
	assert_true(peer_is_url(co->peer));
	assert_true(bytes_equal(co->resource, BYTES("http://shop:80")));
	assert_true(bytes_equal(co->method, BYTES("buy")));
	assert_int_equal(co->timeout_ms, 2000);
	saga_done("http://Shop:80/api?x=1", "");
	assert_int_equal(core_stats(d->core).origins_now, 0);
}

/* ---- what hangs ---- */

static void test_a_compensation_that_hangs_waits_for_an_operator(void **state)
{
	struct core_config config = desk_config();
	const struct reply *r;
	struct bytes xid;
	uint64_t waits;

	(void)state;
	config.attempts_max = 1;
	reconfigure(&config);
	saga_agents();
	saga_put(TRIP);
	waits = saga_ask_start("trip", "k", "{}", 60000);
	xid = saga_called("book")->xid;
	saga_done("book", "");
	saga_refused("fly", "full");
	saga_unknown("unbook");
	desk_pass(d, 1000);
	saga_unknown("unbook");
	assert_int_equal(desk_status(d, xid), GTX_ROLLBACK_FAILED);
	r = desk_reply(d, waits); /* nobody waits for what hangs */
	assert_int_equal(r->err, OK);
	assert_int_equal(r->status, GTX_ROLLBACK_FAILED);
	r = desk_reply(d, saga_ask_start("trip", "k", "", 60000));
	assert_int_equal(r->status, GTX_ROLLBACK_FAILED);
	assert_int_equal(core_stats(d->core).hung, 1);
	assert_int_equal(desk_crash(d), OK);
	saga_agents();
	assert_int_equal(desk_status(d, xid), GTX_ROLLBACK_FAILED);
	assert_int_equal(d->n_commands, 0);
	r = ask((struct request){ .type = RQ_RETRY, .xid = xid });
	assert_int_equal(r->err, OK);
	assert_int_equal(r->status, GTX_ROLLBACKING);
	saga_unknown("unbook");
	desk_pass(d, 1000);
	saga_unknown("unbook");
	r = saga_move(xid, MOVE_SKIP);
	assert_int_equal(r->status, GTX_ROLLBACKED);
	assert_true(saga_has(r->detail, "\"is\":\"skipped\""));
}

static void test_a_forward_step_that_hangs_is_a_failed_commit(void **state)
{
	struct core_config config = desk_config();
	struct gtx_view v;
	struct bytes xid;

	(void)state;
	config.attempts_max = 1;
	config.saga_attempts = 1;
	reconfigure(&config);
	saga_agents();
	saga_put("{\"name\":\"f\",\"recovery\":\"forward\",\"steps\":["
		 "{\"name\":\"a\",\"action\":\"book\",\"compensation\":"
		 "\"unbook\"},{\"name\":\"b\",\"action\":\"fly\"}]}");
	xid = saga_start("f", "");
	saga_done("book", "");
	for (int i = 0; i < 3; i++) {
		saga_refused("fly", "broken");
		desk_pass(d, 2000);
	}
	assert_int_equal(desk_status(d, xid), GTX_COMMIT_FAILED);
	assert_int_equal(core_show(d->core, 2, d->now_ms, &v, NULL, NULL), OK);
	assert_true(saga_has(v.last_error, "broken: no"));
	assert_int_equal(v.kind, KIND_SAGA);
	assert_true(bytes_equal(v.machine, BYTES("f")));
	assert_int_equal(v.next_due_ms, UINT64_MAX);
	assert_int_equal(
		ask((struct request){ .type = RQ_RETRY, .xid = xid })->status,
		GTX_BEGIN);
	saga_refused("fly", "broken");
	desk_pass(d, 2000);
	saga_refused("fly", "broken");
	desk_pass(d, 2000);
	/* From CommitFailed to Rollbacking: an operator may. */
	assert_int_equal(
		ask((struct request){ .type = RQ_ROLLBACK, .xid = xid })
			->status,
		GTX_ROLLBACKING);
	saga_done("unbook", "");
	assert_int_equal(desk_status(d, xid), GTX_ROLLBACKED);
}

/* ---- durability ---- */

static void test_an_end_is_lazy_until_somebody_asks(void **state)
{
	struct bytes xid;
	uint64_t forced, id;

	(void)state;
	saga_agents();
	saga_put(TRIP);
	forced = d->forced_steps;
	xid = saga_start("trip", "k");
	saga_done("book", "");
	assert_int_equal(d->forced_steps, forced + 2); /* one for each step */
	d->auto_store = false;
	saga_done("fly", "");
	assert_int_equal(d->forced_steps, forced + 2);
	assert_int_equal(core_stats(d->core).gtx_now, 0);
	id = saga_ask_start("trip", "k", "", 0);
	assert_null(desk_find_reply(d, id));
	assert_int_equal(d->forced_steps, forced + 3);
	id = desk_ask(d, (struct request){ .type = RQ_STATUS, .xid = xid });
	assert_int_equal(d->forced_steps, forced + 3); /* it is on its way */
	desk_store(d);
	assert_int_equal(desk_reply(d, id)->status, GTX_COMMITTED);
	assert_true(desk_reply(d, id - 1)->existed);
	id = desk_ask(d, (struct request){ .type = RQ_STATUS, .xid = xid });
	assert_int_equal(desk_reply(d, id)->status, GTX_COMMITTED);
	assert_int_equal(d->forced_steps, forced + 3);
}

static void test_a_lazy_end_that_is_lost_is_done_again(void **state)
{
	struct bytes xid;

	(void)state;
	saga_agents();
	saga_put(TRIP);
	xid = saga_start("trip", "k");
	saga_done("book", "");
	d->auto_store = false;
	saga_done("fly", "");
	assert_int_equal(desk_crash(d), OK);
	d->auto_store = true;
	saga_agents();
	saga_done("fly", "");
	assert_int_equal(desk_status(d, xid), GTX_COMMITTED);
}

static void test_who_waits_is_told_when_the_end_is_durable(void **state)
{
	uint64_t waits, rolls;
	struct bytes xid;

	(void)state;
	saga_agents();
	saga_put(TRIP);
	waits = saga_ask_start("trip", "", "{}", 60000);
	xid = saga_called("book")->xid;
	rolls = desk_ask(d, (struct request){ .type = RQ_ROLLBACK,
					      .xid = xid,
					      .wait_ms = 60000,
					      .text = BYTES("no more") });
	assert_null(desk_find_reply(d, rolls));
	assert_true(desk_said(d, "operator: compensate: no more"));
	d->auto_store = false;
	saga_refused("book", "");
	assert_null(desk_find_reply(d, waits));
	desk_store(d);
	assert_int_equal(desk_reply(d, waits)->status, GTX_ROLLBACKED);
	assert_int_equal(desk_reply(d, rolls)->status, GTX_ROLLBACKED);
	assert_true(saga_has(desk_reply(d, rolls)->detail, "\"path\""));
	/* Nothing was forced for the caller of a wait that ran out. */
	d->auto_store = true;
	waits = saga_ask_start("trip", "", "{}", 100);
	desk_pass(d, 100);
	assert_int_equal(desk_reply(d, waits)->status, GTX_BEGIN);
}

static void test_a_move_is_answered_when_it_is_durable(void **state)
{
	struct bytes xid;
	uint64_t id;

	(void)state;
	saga_agents();
	saga_put(TRIP);
	xid = saga_start("trip", "");
	d->auto_store = false;
	id = desk_ask(d, (struct request){ .type = RQ_SAGA_MOVE,
					   .xid = xid,
					   .move = MOVE_COMPENSATE });
	assert_null(desk_find_reply(d, id));
	desk_store(d);
	assert_int_equal(desk_reply(d, id)->status, GTX_ROLLBACKING);
}

static void test_a_saga_without_calls_ends_where_it_begins(void **state)
{
	const struct reply *r;

	(void)state;
	saga_put("{\"Name\":\"m\",\"StartState\":\"A\",\"States\":{\"A\":{"
		 "\"Type\":\"Succeed\"}}}");
	r = desk_reply(d, saga_ask_start("m", "k", "{\"a\":1}", 5));
	assert_int_equal(r->err, OK);
	assert_int_equal(r->status, GTX_COMMITTED);
	assert_true(saga_has(r->detail, "\"a\":1"));
	assert_int_equal(core_stats(d->core).gtx_now, 0);
	assert_int_equal(desk_crash(d), OK);
	assert_int_equal(desk_status(d, r->xid), GTX_COMMITTED);
	assert_true(desk_reply(d, saga_ask_start("m", "k", "", 5))->existed);
	/* Also one that brings its machine along. */
	r = ask((struct request){
		.type = RQ_SAGA_START,
		.text = BYTES("{\"Name\":\"o\",\"StartState\":\"A\","
			      "\"States\":{\"A\":{\"Type\":\"Succeed\"}}}") });
	assert_int_equal(r->status, GTX_COMMITTED);
	assert_int_equal(desk_count(d, ROW_MACHINE), 1);
	assert_int_equal(desk_crash(d), OK);
}

/* ---- time ---- */

static void test_a_deadline_undoes_what_is_done(void **state)
{
	const struct reply *r;

	(void)state;
	saga_agents();
	saga_put(TRIP);
	r = ask((struct request){ .type = RQ_SAGA_START,
				  .name = BYTES("trip"),
				  .timeout_ms = 5000 });
	saga_done("book", "");
	assert_int_equal(desk_crash(d), OK); /* it is a time of the wall */
	saga_agents();
	saga_called("fly");
	desk_pass(d, 5000);
	assert_int_equal(desk_status(d, r->xid), GTX_ROLLBACKING);
	assert_int_equal(count_calls("unbook"), 0); /* it may be under way */
	saga_unknown("fly");
	saga_done("unfly", "");
	saga_done("unbook", "");
	assert_int_equal(desk_status(d, r->xid), GTX_ROLLBACKED);
}

/* ---- what is refused ---- */

static void test_a_saga_is_no_transaction_to_join_or_commit(void **state)
{
	const struct reply *r;
	struct bytes xid, plain = desk_begin(d);

	(void)state;
	saga_agents();
	saga_put(TRIP);
	xid = saga_start("trip", "");
	r = ask((struct request){ .type = RQ_COMMIT, .xid = xid });
	assert_int_equal(r->err, E_STATE);
	assert_true(saga_has(r->text, "commits by itself"));
	r = ask((struct request){
		.type = RQ_REGISTER, .xid = xid, .resource = BYTES("R") });
	assert_int_equal(r->err, E_STATE);
	assert_true(saga_has(r->text, "has no branches"));
	r = ask((struct request){ .type = RQ_LOCK_CHECK,
				  .xid = xid,
				  .resource = BYTES("R"),
				  .lock_keys = &BYTES("k"),
				  .n_lock_keys = 1 });
	assert_int_equal(r->err, E_STATE);
	r = saga_move(plain, MOVE_FORWARD);
	assert_int_equal(r->err, E_STATE);
	assert_true(saga_has(r->text, "no saga"));
	r = ask((struct request){ .type = RQ_SAGA_SHOW, .xid = plain });
	assert_int_equal(r->err, E_STATE);
	r = saga_move(xid, (enum saga_move)7);
	assert_int_equal(r->err, E_INVALID);
	r = ask((struct request){ .type = RQ_SAGA_MOVE,
				  .xid = xid,
				  .move = MOVE_SKIP,
				  .task = 77 });
	assert_int_equal(r->err, E_NOTFOUND);
	assert_true(saga_has(r->text, "no such task"));
}

static void test_a_rollback_said_twice_is_fine(void **state)
{
	struct bytes xid;
	const struct reply *r;

	(void)state;
	saga_agents();
	saga_put(TRIP);
	xid = saga_start("trip", "");
	for (int i = 0; i < 3; i++) {
		r = ask((struct request){ .type = RQ_ROLLBACK, .xid = xid });
		assert_int_equal(r->err, OK);
		assert_int_equal(r->status, GTX_ROLLBACKING);
	}
	assert_int_equal(saga_move(xid, MOVE_COMPENSATE)->err, E_STATE);
	saga_refused("book", "");
	r = ask((struct request){ .type = RQ_ROLLBACK, .xid = xid });
	assert_int_equal(r->err, OK);
	assert_int_equal(r->status, GTX_ROLLBACKED);
	r = ask((struct request){ .type = RQ_SAGA_SHOW, .xid = xid });
	assert_int_equal(r->err, E_STATE);
	assert_int_equal(r->status, GTX_ROLLBACKED);
}

static void refuse(int err, const char *part, struct request rq)
{
	const struct reply *r;

	rq.type = RQ_SAGA_START;
	r = ask(rq);
	assert_int_equal(r->err, err);
	if (!saga_has(r->text, part))
		fail_msg("%s, not %s", (const char *)r->text.data, part);
}

static void test_starts_that_make_no_sense_are_refused_with_a_sentence(
	void **state)
{
	static char longer[2000];
	struct core_config config = desk_config();
	struct bytes trip = BYTES("trip"), text = { 0 };

	(void)state;
	memset(longer, 'x', sizeof longer);
	text = (struct bytes){ (uint8_t *)longer, sizeof longer };
	config.saga_data_max = 50;
	config.gtx_max = 1;
	reconfigure(&config);
	saga_put(TRIP);
	saga_put("{\"name\":\"f\",\"recovery\":\"forward\",\"steps\":["
		 "{\"name\":\"a\",\"action\":\"book\"}]}");
	refuse(E_INVALID, "needs the name", (struct request){ 0 });
	refuse(E_INVALID, "not both",
	       (struct request){ .name = trip, .text = BYTES(TRIP) });
	refuse(E_INVALID, "no JSON object",
	       (struct request){ .name = trip, .input = BYTES("[]") });
	refuse(E_INVALID, "no JSON object",
	       (struct request){ .name = trip, .input = BYTES("{") });
	refuse(E_INVALID, "no deadline",
	       (struct request){ .name = BYTES("f"), .timeout_ms = 5 });
	refuse(E_INVALID, "steps",
	       (struct request){
		       .text = BYTES("{\"name\":\"x\",\"steps\":0}") });
	refuse(E_NOTFOUND, "no machine nope",
	       (struct request){ .name = BYTES("nope") });
	refuse(E_NOTFOUND, "of version 9",
	       (struct request){ .name = trip, .version = BYTES("9") });
	refuse(E_LIMIT, "text_max", (struct request){ .name = text });
	refuse(E_LIMIT, "business key",
	       (struct request){ .name = trip, .business_key = text });
	refuse(E_LIMIT, "application",
	       (struct request){ .name = trip, .application = text });
	refuse(E_LIMIT, "saga_data_max",
	       (struct request){ .name = trip, .input = text });
	refuse(E_LIMIT, "saga_data_max",
	       (struct request){ .name = trip,
				 .input = BYTES("{\"a\":1}"),
				 .business_key = BYTES(
					 "0123456789012345678901234567890") });
	refuse(E_LIMIT, "thousand years",
	       (struct request){ .name = trip, .timeout_ms = UINT64_MAX });
	assert_int_equal(core_stats(d->core).gtx_now, 0);
	assert_int_equal(desk_count(d, ROW_MACHINE), 2);
	saga_start("trip", "");
	refuse(E_LIMIT, "gtx_max", (struct request){ .name = trip });
}

static void test_machines_have_limits(void **state)
{
	struct core_config config = desk_config();

	(void)state;
	config.machines_max = 1;
	config.application_data_max = 400;
	config.text_max = 8;
	reconfigure(&config);
	assert_int_equal(saga_put(TRIP)->err, OK);
	assert_true(
		saga_has(saga_put("{\"name\":\"b\",\"steps\":[{\"name\":\"a\","
				  "\"action\":\"book\"}]}")
				 ->text,
			 "machines_max"));
	assert_int_equal(saga_put(TRIP)->err, OK); /* it is there */
	assert_true(saga_has(saga_put(TRIP "                                "
					   "                                "
					   "                                "
					   "                                "
					   "                                "
					   "                                "
					   "                                "
					   "                                ")
				     ->text,
			     "application_data_max"));
	assert_true(saga_has(saga_put("{\"name\":\"much too long\",\"steps\":[{"
				      "\"name\":\"a\",\"action\":\"book\"}]}")
				     ->text,
			     "longer than text_max"));
}

static void test_a_start_waits_for_numbers(void **state)
{
	struct core_config config = desk_config();
	uint64_t a, b;

	(void)state;
	desk_free(d);
	config.id_block = 1;
	d = saga_desk_new(&config);
	d->auto_store = false;
	a = desk_ask(d, (struct request){ .type = RQ_MACHINE_PUT,
					  .text = BYTES(TRIP) });
	b = saga_ask_start("trip", "k", "{\"a\":1}", 0);
	(void)a;
	for (int i = 0; i < 5; i++)
		desk_store(d);
	assert_int_equal(desk_reply(d, a)->err, OK);
	/* It was first come, first served. */
	assert_false(desk_reply(d, b)->existed);
	assert_int_equal(desk_reply(d, b)->err, OK);
	b = saga_ask_start("trip", "k", "{\"a\":1}", 0);
	a = saga_ask_start("trip", "k", "{\"a\":1}", 0);
	for (int i = 0; i < 5; i++)
		desk_store(d);
	assert_true(desk_reply(d, b)->existed);
	assert_true(desk_reply(d, a)->existed);
}

static bool count_view(void *ctx, struct gtx_view v)
{
	*(size_t *)ctx += v.kind == KIND_SAGA;
	return true;
}

static void test_lists_can_be_of_sagas_only(void **state)
{
	struct gtx_filter f = { .kinds = 1u << KIND_SAGA,
				.status = -1,
				.limit = 10 };
	size_t sagas = 0;

	(void)state;
	saga_put(TRIP);
	desk_begin(d);
	saga_start("trip", "");
	assert_int_equal(core_list(d->core, &f, d->now_ms, count_view, &sagas),
			 1);
	assert_int_equal(sagas, 1);
	f.kinds = 0;
	assert_int_equal(core_list(d->core, &f, d->now_ms, count_view, &sagas),
			 2);
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_an_agent_that_is_down_for_an_hour_refuses_nothing),
		T(test_forward_recovery_waits_for_the_agent_as_long_as_it_takes),
		T(test_calls_that_wait_for_a_full_peer_all_get_their_turn),
		T(test_a_line_of_history_names_the_task_it_is_about),
		T(test_a_peer_that_goes_away_leaves_the_outcome_unknown),
		T(test_a_late_done_counts_and_a_late_refusal_does_not),
		T(test_an_answer_for_something_else_changes_nothing),
		T(test_in_progress_is_asked_again_and_is_no_failure),
		T(test_an_output_that_is_no_json_is_an_unknown_outcome),
		T(test_a_service_that_is_a_url_is_called_at_its_origin),
		T(test_a_compensation_that_hangs_waits_for_an_operator),
		T(test_a_forward_step_that_hangs_is_a_failed_commit),
		T(test_an_end_is_lazy_until_somebody_asks),
		T(test_a_lazy_end_that_is_lost_is_done_again),
		T(test_who_waits_is_told_when_the_end_is_durable),
		T(test_a_move_is_answered_when_it_is_durable),
		T(test_a_saga_without_calls_ends_where_it_begins),
		T(test_a_deadline_undoes_what_is_done),
		T(test_a_saga_is_no_transaction_to_join_or_commit),
		T(test_a_rollback_said_twice_is_fine),
		T(test_starts_that_make_no_sense_are_refused_with_a_sentence),
		T(test_machines_have_limits),
		T(test_a_start_waits_for_numbers),
		T(test_lists_can_be_of_sagas_only),
	};

	return cmocka_run_group_tests_name("core saga run", tests, NULL, NULL);
}
