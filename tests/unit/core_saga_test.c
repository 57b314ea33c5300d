/* Sagas in the core: machines, runs, what is durable when, operators. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "tests/fakes/desk.h"

#define GRAPH                                                                  \
	"{\"name\":\"trip\",\"version\":\"1\",\"steps\":["                     \
	"{\"name\":\"hotel\",\"action\":\"book\",\"compensation\":\"unbook\"}" \
	","                                                                    \
	"{\"name\":\"plane\",\"action\":\"fly\",\"compensation\":\"unfly\"}]}"

static struct desk *d;

static int set_up(void **state)
{
	struct core_config config = desk_config();

	(void)state;
	d = desk_new(&config, true);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	desk_free(d);
	return 0;
}

/* ---- short forms ---- */

static const struct reply *put(const char *document)
{
	return desk_reply(
		d, desk_ask(d, (struct request){ .type = RQ_MACHINE_PUT,
						 .text = bytes_of(document) }));
}

static const struct reply *drop(const char *name, const char *version)
{
	return desk_reply(
		d,
		desk_ask(d, (struct request){ .type = RQ_MACHINE_DROP,
					      .name = bytes_of(name),
					      .version = bytes_of(version) }));
}

static uint64_t ask_start(const char *machine, const char *key,
			  const char *input, uint64_t wait_ms)
{
	return desk_ask(d, (struct request){ .type = RQ_SAGA_START,
					     .name = bytes_of(machine),
					     .business_key = bytes_of(key),
					     .input = bytes_of(input),
					     .wait_ms = wait_ms });
}

static struct bytes start(const char *machine, const char *key)
{
	const struct reply *r = desk_reply(d, ask_start(machine, key, "{}", 0));

	assert_int_equal(r->err, OK);
	assert_false(r->existed);
	return r->xid;
}

static uint64_t ask_move(struct bytes xid, enum saga_move move)
{
	return desk_ask(d, (struct request){ .type = RQ_SAGA_MOVE,
					     .xid = xid,
					     .move = move,
					     .task = UINT32_MAX,
					     .reason = BYTES("said Ann") });
}

static const char *show(struct bytes xid)
{
	uint64_t id = desk_ask(
		d, (struct request){ .type = RQ_SAGA_SHOW, .xid = xid });
	const struct reply *r = desk_reply(d, id);

	assert_int_equal(r->err, OK);
	return (const char *)r->detail.data;
}

static bool has(struct bytes text, const char *part)
{
	return text.data && strstr((const char *)text.data, part);
}

/* The last command; with this service. */
static const struct command *called(const char *service)
{
	const struct command *co = &d->commands[d->n_commands - 1];

	assert_true(d->n_commands > 0);
	assert_int_equal(co->type, COMMAND_CALL);
	if (!bytes_equal(co->service, bytes_of(service)))
		fail_msg("%.*s is called, not %s", (int)co->service.len,
			 (const char *)co->service.data, service);
	return co;
}

static void answer(const struct command *co, struct branch_done how)
{
	struct event e = { .type = EV_BRANCH_DONE, .done = how };

	e.done.peer = co->peer;
	e.done.command = co->id;
	e.done.type = COMMAND_CALL;
	e.done.xid = co->xid;
	e.done.branch = co->branch;
	assert_int_equal(desk_step(d, e), OK);
}

static void done(const char *service, const char *output)
{
	answer(called(service),
	       (struct branch_done){ .status = BRANCH_COMMITTED,
				     .detail = bytes_of(output) });
}

static void refused(const char *service, const char *error)
{
	answer(called(service),
	       (struct branch_done){ .status = BRANCH_COMMIT_UNRETRYABLE,
				     .error_name = bytes_of(error),
				     .error = BYTES("no") });
}

static void unknown(const char *service)
{
	answer(called(service),
	       (struct branch_done){ .status = BRANCH_COMMIT_RETRYABLE,
				     .error = BYTES("it broke") });
}

static void agents(void)
{
	static const char *const names[] = { "saga:book", "saga:unbook",
					     "saga:fly", "saga:unfly" };

	for (uint64_t i = 0; i < ARRAY_LEN(names); i++)
		desk_peer(d, i + 1, "shop", "i", names[i]);
}

/* ---- machines ---- */

static void test_a_machine_is_put_once_and_stays_as_it_is(void **state)
{
	const struct reply *r = put(GRAPH);

	(void)state;
	assert_int_equal(r->err, OK);
	assert_false(r->existed);
	assert_true(bytes_equal(r->name, BYTES("trip")));
	assert_true(bytes_equal(r->version, BYTES("1")));
	assert_int_equal(desk_count(d, ROW_MACHINE), 1);
	r = put(GRAPH);
	assert_true(r->err == OK && r->existed);
	assert_true(bytes_equal(r->name, BYTES("trip")));
	assert_int_equal(desk_count(d, ROW_MACHINE), 1);
	r = put("{\"name\":\"trip\",\"version\":\"1\",\"steps\":["
		"{\"name\":\"hotel\",\"action\":\"book\"}]}");
	assert_int_equal(r->err, E_CONFLICT);
	assert_true(has(r->text, "another version"));
}

static void test_a_machine_that_makes_no_sense_is_refused_with_its_path(
	void **state)
{
	const struct reply *r =
		put("{\"name\":\"m\",\"steps\":[{\"name\":\"a\"}]}");

	(void)state;
	assert_int_equal(r->err, E_INVALID);
	assert_true(has(r->text, "steps[0]"));
	r = put("{");
	assert_int_equal(r->err, E_INVALID);
	r = put("{\"name\":\"m\",\"steps\":[{\"name\":\"a\",\"action\":"
		"\"http://x:1/../y\"}]}");
	assert_int_equal(r->err, E_INVALID);
	assert_true(has(r->text, "http://x:1/../y"));
	assert_int_equal(desk_count(d, ROW_MACHINE), 0);
}

#define PARENT(version)                                                        \
	"{\"Name\":\"outer\",\"Version\":\"" version                           \
	"\",\"StartState\":\"S\",\"States\":{\"S\":{\"Type\":"                 \
	"\"SubStateMachine\",\"StateMachineName\":\"trip\",\"Next\":\"E\"},"   \
	"\"E\":{\"Type\":\"Succeed\"}}}"
#define GRAPH_2                                                                \
	"{\"name\":\"trip\",\"version\":\"2\",\"steps\":["                     \
	"{\"name\":\"train\",\"action\":\"ride\"}]}"

static void test_a_machine_in_use_cannot_be_dropped(void **state)
{
	struct bytes xid;

	(void)state;
	agents();
	assert_int_equal(drop("trip", "1")->err, E_NOTFOUND);
	assert_int_equal(put(PARENT("1"))->err, E_INVALID);
	put(GRAPH);
	assert_int_equal(put(PARENT("1"))->err, OK);
	xid = start("outer", "");
	assert_true(has(drop("trip", "1")->text, "part of 1 other"));
	assert_int_equal(drop("outer", "1")->err, E_STATE);
	assert_int_equal(desk_crash(d), OK);
	agents();
	assert_int_equal(drop("trip", "1")->err, E_STATE);
	assert_true(has(drop("outer", "1")->text, "1 unfinished"));
	done("book", "1");
	done("fly", "1");
	assert_int_equal(desk_status(d, xid), GTX_COMMITTED);
	assert_int_equal(drop("outer", "1")->err, OK);
	assert_int_equal(drop("trip", "1")->err, OK);
	assert_int_equal(drop("trip", "1")->err, E_NOTFOUND);
	assert_int_equal(desk_count(d, ROW_MACHINE), 0);
}

static bool list_machine(void *ctx, struct machine_view v)
{
	buf_printf(ctx, "%.*s %.*s %zu;", (int)v.name.len,
		   (const char *)v.name.data, (int)v.version.len,
		   (const char *)v.version.data, v.n_runs);
	return true;
}

static void test_versions_live_side_by_side_and_keep_their_parts(void **state)
{
	struct bytes xid;
	struct buf b;

	(void)state;
	agents();
	desk_peer(d, 9, "shop", "i", "saga:ride");
	put(GRAPH);
	put(PARENT("1"));
	put(GRAPH_2);
	put(PARENT("2"));
	xid = start("trip", ""); /* the newest */
	called("ride");
	desk_ask(d, (struct request){ .type = RQ_SAGA_START,
				      .name = BYTES("outer"),
				      .version = BYTES("1") });
	called("book");
	assert_int_equal(desk_crash(d), OK);
	desk_peer(d, 9, "shop", "i", "saga:ride");
	start("outer", ""); /* the second one, with the second trip */
	called("ride");
	agents();
	called("book");
	buf_init(&b, &mem_heap);
	core_machines(d->core, list_machine, &b);
	assert_string_equal(buf_text(&b),
			    "outer 1 1;outer 2 1;trip 1 0;trip 2 1;");
	buf_fini(&b);
	assert_int_equal(desk_status(d, xid), GTX_BEGIN);
}

/* ---- runs ---- */

static void test_a_saga_goes_through_its_steps_and_commits(void **state)
{
	const struct command *co;
	struct bytes xid;
	uint64_t id;

	(void)state;
	agents();
	put(GRAPH);
	id = desk_ask(
		d, (struct request){ .type = RQ_SAGA_START,
				     .name = BYTES("trip"),
				     .input = BYTES("{\"who\":\"Bo\"}"),
				     .participant = BYTES("{\"headers\":{}}"),
				     .wait_ms = 60000 });
	assert_null(desk_find_reply(d, id));
	co = called("book");
	assert_true(bytes_equal(co->resource, BYTES("saga:book")));
	assert_true(
		bytes_equal(co->application_data, BYTES("{\"who\":\"Bo\"}")));
	assert_true(bytes_equal(co->participant, BYTES("{\"headers\":{}}")));
	assert_int_equal(co->attempt, 1);
	assert_int_equal(co->branch, 0);
	assert_int_equal(co->mode, MODE_SAGA);
	assert_int_equal(co->timeout_ms, d->config.command_timeout_ms);
	xid = co->xid;
	assert_int_equal(desk_status(d, xid), GTX_BEGIN);
	done("book", "{\"room\":7}");
	assert_int_equal(called("fly")->branch, 1);
	assert_non_null(strstr(show(xid), "\"room\":7"));
	done("fly", "");
	assert_int_equal(desk_reply(d, id)->err, OK);
	assert_int_equal(desk_reply(d, id)->status, GTX_COMMITTED);
	assert_true(has(desk_reply(d, id)->detail, "\"status\":\"succeeded\""));
	assert_true(has(desk_reply(d, id)->detail, "{\"room\":7}"));
	assert_int_equal(desk_status(d, xid), GTX_COMMITTED);
	assert_int_equal(desk_count(d, ROW_SAGA), 0);
	assert_int_equal(desk_count(d, ROW_GTX), 0);
	assert_int_equal(d->n_archives, 1);
	assert_int_equal(d->archives[0].kind, KIND_SAGA);
	assert_true(has(d->archives[0].detail, "\"path\":[{\"task\":0"));
	assert_true(desk_said(d, "task 0 \"hotel\" attempt 1: call book"));
	assert_true(desk_said(d, "task 0 \"hotel\" attempt 1: done"));
	assert_true(desk_said(d, "saga succeeded"));
}

static void test_a_refusal_undoes_what_was_done(void **state)
{
	struct bytes xid;

	(void)state;
	agents();
	put(GRAPH);
	xid = start("trip", "");
	done("book", "1");
	refused("fly", "full");
	assert_int_equal(desk_status(d, xid), GTX_ROLLBACKING);
	assert_int_equal(called("unbook")->branch, 0);
	assert_true(called("unbook")->compensation);
	unknown("unbook");
	assert_int_equal(desk_status(d, xid), GTX_ROLLBACK_RETRYING);
	desk_pass(d, 1000);
	assert_int_equal(called("unbook")->attempt, 2);
	done("unbook", "");
	assert_int_equal(desk_status(d, xid), GTX_ROLLBACKED);
	assert_true(desk_said(d, "saga compensating: full: no"));
	assert_true(desk_said(d, "(undoes task 0) attempt 2: done"));
	assert_true(has(d->archives[0].detail, "\"error\":\"full\""));
}

static void test_no_call_leaves_before_its_state_is_durable(void **state)
{
	(void)state;
	agents();
	put(GRAPH);
	d->auto_store = false;
	ask_start("trip", "", "{}", 0);
	assert_int_equal(d->n_commands, 0);
	assert_int_equal(d->n_replies, 1); /* of the machine */
	desk_store(d);
	assert_int_equal(d->n_replies, 2);
	done("book", "1");
	assert_int_equal(d->n_commands, 1);
	desk_store(d);
	called("fly");
}

static void test_a_key_is_given_once_as_long_as_it_is_remembered(void **state)
{
	const struct reply *r;
	struct bytes xid;
	uint64_t waits;

	(void)state;
	agents();
	put(GRAPH);
	xid = start("trip", "order 5");
	r = desk_reply(d, ask_start("trip", "order 5", "{}", 0));
	assert_true(r->err == OK && r->existed);
	assert_true(bytes_equal(r->xid, xid));
	assert_int_equal(r->status, GTX_BEGIN);
	assert_int_equal(desk_crash(d), OK);
	agents();
	waits = ask_start("trip", "order 5", "{}", 5000);
	assert_null(desk_find_reply(d, waits));
	done("book", "1");
	done("fly", "2");
	r = desk_reply(d, waits);
	assert_true(r->existed);
	assert_int_equal(r->status, GTX_COMMITTED);
	assert_true(has(r->detail, "\"business_key\":\"order 5\""));
	for (int i = 0; i < 2; i++) {
		r = desk_reply(d, ask_start("trip", "order 5", "{}", 9));
		assert_true(r->err == OK && r->existed);
		assert_int_equal(r->status, GTX_COMMITTED);
		assert_true(bytes_equal(r->xid, xid));
		assert_int_equal(desk_crash(d), OK);
	}
	desk_pass(d, d->config.tombstone_keep_ms + 1);
	assert_false(bytes_equal(start("trip", "order 5"), xid));
}

static void test_a_crash_calls_again_what_was_not_answered(void **state)
{
	struct bytes xid;

	(void)state;
	agents();
	put(GRAPH);
	xid = start("trip", "");
	done("book", "1");
	called("fly");
	assert_int_equal(desk_crash(d), OK);
	assert_int_equal(d->n_commands, 0);
	assert_int_equal(desk_status(d, xid), GTX_BEGIN);
	agents();
	assert_int_equal(called("fly")->attempt, 1);
	/* It may have been done unheard, so it is undone. */
	refused("fly", "full");
	done("unfly", "");
	done("unbook", "");
	assert_int_equal(desk_status(d, xid), GTX_ROLLBACKED);
}

static void test_a_saga_brings_a_document_of_its_own(void **state)
{
	const struct reply *r;
	uint64_t id;

	(void)state;
	agents();
	id = desk_ask(d, (struct request){ .type = RQ_SAGA_START,
					   .text = BYTES(GRAPH),
					   .business_key = BYTES("k") });
	assert_int_equal(desk_reply(d, id)->err, OK);
	assert_int_equal(desk_count(d, ROW_MACHINE), 1);
	assert_int_equal(desk_reply(d, ask_start("trip", "", "{}", 0))->err,
			 E_NOTFOUND); /* nobody else's */
	assert_int_equal(desk_crash(d), OK);
	agents();
	r = desk_reply(
		d, desk_ask(d, (struct request){ .type = RQ_SAGA_START,
						 .text = BYTES(GRAPH),
						 .business_key = BYTES("k") }));
	assert_true(r->existed);
	done("book", "1");
	done("fly", "1");
	assert_int_equal(desk_count(d, ROW_MACHINE), 0);
	assert_int_equal(desk_status(d, r->xid), GTX_COMMITTED);
}

static void test_operators_move_a_saga_and_say_why(void **state)
{
	const struct reply *r;
	struct bytes xid;

	(void)state;
	agents();
	put(GRAPH);
	xid = start("trip", "");
	r = desk_reply(d, ask_move(xid, MOVE_FORWARD));
	assert_int_equal(r->err, E_STATE);
	assert_true(has(r->text, "nothing to try again"));
	unknown("book");
	r = desk_reply(d, ask_move(xid, MOVE_FORWARD));
	assert_int_equal(r->err, OK);
	assert_int_equal(called("book")->attempt, 2);
	unknown("book");
	assert_int_equal(desk_reply(d, ask_move(xid, MOVE_SKIP))->err, OK);
	called("fly");
	r = desk_reply(d, ask_move(xid, MOVE_COMPENSATE));
	assert_int_equal(r->err, OK);
	assert_int_equal(r->status, GTX_ROLLBACKING);
	done("fly", "1");
	done("unfly", "");
	done("unbook", "");
	assert_int_equal(desk_status(d, xid), GTX_ROLLBACKED);
	r = desk_reply(d, ask_move(xid, MOVE_FORWARD));
	assert_int_equal(r->err, E_STATE);
	assert_int_equal(r->status, GTX_ROLLBACKED);
	assert_true(desk_said(d, "operator: skip: said Ann"));
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_a_machine_is_put_once_and_stays_as_it_is),
		T(test_a_machine_that_makes_no_sense_is_refused_with_its_path),
		T(test_a_machine_in_use_cannot_be_dropped),
		T(test_versions_live_side_by_side_and_keep_their_parts),
		T(test_a_saga_goes_through_its_steps_and_commits),
		T(test_a_refusal_undoes_what_was_done),
		T(test_no_call_leaves_before_its_state_is_durable),
		T(test_a_key_is_given_once_as_long_as_it_is_remembered),
		T(test_a_crash_calls_again_what_was_not_answered),
		T(test_a_saga_brings_a_document_of_its_own),
		T(test_operators_move_a_saga_and_say_why),
	};

	return cmocka_run_group_tests_name("core saga", tests, NULL, NULL);
}
