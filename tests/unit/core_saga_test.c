/* Sagas in the core: machines, runs, what is durable when, operators. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "tc/core/record.h"
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

/* ---- machines ---- */

static void test_a_machine_is_put_once_and_stays_as_it_is(void **state)
{
	const struct reply *r = saga_put(TRIP);

	(void)state;
	assert_int_equal(r->err, OK);
	assert_false(r->existed);
	assert_true(bytes_equal(r->name, BYTES("trip")));
	assert_true(bytes_equal(r->version, BYTES("1")));
	assert_int_equal(desk_count(d, ROW_MACHINE), 1);
	r = saga_put(TRIP);
	assert_true(r->err == OK && r->existed);
	assert_true(bytes_equal(r->name, BYTES("trip")));
	assert_int_equal(desk_count(d, ROW_MACHINE), 1);
	r = saga_put("{\"name\":\"trip\",\"version\":\"1\",\"steps\":["
		     "{\"name\":\"hotel\",\"action\":\"book\"}]}");
	assert_int_equal(r->err, E_CONFLICT);
	assert_true(saga_has(r->text, "another version"));
}

static void test_a_machine_that_makes_no_sense_is_refused_with_its_path(
	void **state)
{
	const struct reply *r =
		saga_put("{\"name\":\"m\",\"steps\":[{\"name\":\"a\"}]}");

	(void)state;
	assert_int_equal(r->err, E_INVALID);
	assert_true(saga_has(r->text, "steps[0]"));
	r = saga_put("{");
	assert_int_equal(r->err, E_INVALID);
	r = saga_put("{\"name\":\"m\",\"steps\":[{\"name\":\"a\",\"action\":"
		     "\"http://x:1/../y\"}]}");
	assert_int_equal(r->err, E_INVALID);
	assert_true(saga_has(r->text, "http://x:1/../y"));
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
	saga_agents();
	assert_int_equal(saga_drop("trip", "1")->err, E_NOTFOUND);
	assert_int_equal(saga_put(PARENT("1"))->err, E_INVALID);
	saga_put(TRIP);
	assert_int_equal(saga_put(PARENT("1"))->err, OK);
	xid = saga_start("outer", "");
	assert_true(saga_has(saga_drop("trip", "1")->text, "part of 1 other"));
	assert_int_equal(saga_drop("outer", "1")->err, E_STATE);
	assert_int_equal(desk_crash(d), OK);
	saga_agents();
	assert_int_equal(saga_drop("trip", "1")->err, E_STATE);
	assert_true(saga_has(saga_drop("outer", "1")->text, "1 unfinished"));
	saga_done("book", "1");
	saga_done("fly", "1");
	assert_int_equal(desk_status(d, xid), GTX_COMMITTED);
	assert_int_equal(saga_drop("outer", "1")->err, OK);
	assert_int_equal(saga_drop("trip", "1")->err, OK);
	assert_int_equal(saga_drop("trip", "1")->err, E_NOTFOUND);
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
	saga_agents();
	desk_peer(d, 9, "shop", "i", "saga:ride");
	saga_put(TRIP);
	saga_put(PARENT("1"));
	saga_put(GRAPH_2);
	saga_put(PARENT("2"));
	xid = saga_start("trip", ""); /* the newest */
	saga_called("ride");
	desk_ask(d, (struct request){ .type = RQ_SAGA_START,
				      .name = BYTES("outer"),
				      .version = BYTES("1") });
	saga_called("book");
	assert_int_equal(desk_crash(d), OK);
	desk_peer(d, 9, "shop", "i", "saga:ride");
	saga_start("outer", ""); /* the second one, with the second trip */
	saga_called("ride");
	saga_agents();
	saga_called("book");
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
	saga_agents();
	saga_put(TRIP);
	id = desk_ask(
		d, (struct request){ .type = RQ_SAGA_START,
				     .name = BYTES("trip"),
				     .input = BYTES("{\"who\":\"Bo\"}"),
				     .participant = BYTES("{\"headers\":{}}"),
				     .wait_ms = 60000 });
	assert_null(desk_find_reply(d, id));
	co = saga_called("book");
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
	saga_done("book", "{\"room\":7}");
	assert_int_equal(saga_called("fly")->branch, 1);
	assert_non_null(strstr(saga_show(xid), "\"room\":7"));
	saga_done("fly", "");
	assert_int_equal(desk_reply(d, id)->err, OK);
	assert_int_equal(desk_reply(d, id)->status, GTX_COMMITTED);
	assert_true(saga_has(desk_reply(d, id)->detail,
			     "\"status\":\"succeeded\""));
	assert_true(saga_has(desk_reply(d, id)->detail, "{\"room\":7}"));
	assert_int_equal(desk_status(d, xid), GTX_COMMITTED);
	assert_int_equal(desk_count(d, ROW_SAGA), 0);
	assert_int_equal(desk_count(d, ROW_GTX), 0);
	assert_int_equal(d->n_archives, 1);
	assert_int_equal(d->archives[0].kind, KIND_SAGA);
	assert_true(saga_has(d->archives[0].detail, "\"path\":[{\"task\":0"));
	assert_true(desk_said(d, "task 0 \"hotel\" attempt 1: call book"));
	assert_true(desk_said(d, "task 0 \"hotel\" attempt 1: done"));
	assert_true(desk_said(d, "saga succeeded"));
}

static void test_a_refusal_undoes_what_was_done(void **state)
{
	struct bytes xid;

	(void)state;
	saga_agents();
	saga_put(TRIP);
	xid = saga_start("trip", "");
	saga_done("book", "1");
	saga_refused("fly", "full");
	assert_int_equal(desk_status(d, xid), GTX_ROLLBACKING);
	assert_int_equal(saga_called("unbook")->branch, 0);
	assert_true(saga_called("unbook")->compensation);
	saga_unknown("unbook");
	assert_int_equal(desk_status(d, xid), GTX_ROLLBACK_RETRYING);
	desk_pass(d, 1000);
	assert_int_equal(saga_called("unbook")->attempt, 2);
	saga_done("unbook", "");
	assert_int_equal(desk_status(d, xid), GTX_ROLLBACKED);
	assert_true(desk_said(d, "saga compensating: full: no"));
	assert_true(desk_said(d, "(undoes task 0) attempt 2: done"));
	assert_true(saga_has(d->archives[0].detail, "\"error\":\"full\""));
}

static void test_no_call_leaves_before_its_state_is_durable(void **state)
{
	(void)state;
	saga_agents();
	saga_put(TRIP);
	d->auto_store = false;
	saga_ask_start("trip", "", "{}", 0);
	assert_int_equal(d->n_commands, 0);
	assert_int_equal(d->n_replies, 1); /* of the machine */
	desk_store(d);
	assert_int_equal(d->n_replies, 2);
	saga_done("book", "1");
	assert_int_equal(d->n_commands, 1);
	desk_store(d);
	saga_called("fly");
}

static void test_a_key_is_given_once_as_long_as_it_is_remembered(void **state)
{
	const struct reply *r;
	struct bytes xid;
	uint64_t waits;

	(void)state;
	saga_agents();
	saga_put(TRIP);
	xid = saga_start("trip", "order 5");
	r = desk_reply(d, saga_ask_start("trip", "order 5", "{}", 0));
	assert_true(r->err == OK && r->existed);
	assert_true(bytes_equal(r->xid, xid));
	assert_int_equal(r->status, GTX_BEGIN);
	assert_int_equal(desk_crash(d), OK);
	saga_agents();
	waits = saga_ask_start("trip", "order 5", "{}", 5000);
	assert_null(desk_find_reply(d, waits));
	saga_done("book", "1");
	saga_done("fly", "2");
	r = desk_reply(d, waits);
	assert_true(r->existed);
	assert_int_equal(r->status, GTX_COMMITTED);
	assert_true(saga_has(r->detail, "\"business_key\":\"order 5\""));
	for (int i = 0; i < 2; i++) {
		r = desk_reply(d, saga_ask_start("trip", "order 5", "{}", 9));
		assert_true(r->err == OK && r->existed);
		assert_int_equal(r->status, GTX_COMMITTED);
		assert_true(bytes_equal(r->xid, xid));
		assert_int_equal(desk_crash(d), OK);
	}
	desk_pass(d, d->config.tombstone_keep_ms + 1);
	assert_false(bytes_equal(saga_start("trip", "order 5"), xid));
}

static void test_a_crash_calls_again_what_was_not_answered(void **state)
{
	struct bytes xid;

	(void)state;
	saga_agents();
	saga_put(TRIP);
	xid = saga_start("trip", "");
	saga_done("book", "1");
	saga_called("fly");
	assert_int_equal(desk_crash(d), OK);
	assert_int_equal(d->n_commands, 0);
	assert_int_equal(desk_status(d, xid), GTX_BEGIN);
	saga_agents();
	assert_int_equal(saga_called("fly")->attempt, 1);
	/* It may have been done unheard, so it is undone. */
	saga_refused("fly", "full");
	saga_done("unfly", "");
	saga_done("unbook", "");
	assert_int_equal(desk_status(d, xid), GTX_ROLLBACKED);
}

static void test_a_saga_brings_a_document_of_its_own(void **state)
{
	const struct reply *r;
	uint64_t id;

	(void)state;
	saga_agents();
	id = desk_ask(d, (struct request){ .type = RQ_SAGA_START,
					   .text = BYTES(TRIP),
					   .business_key = BYTES("k") });
	assert_int_equal(desk_reply(d, id)->err, OK);
	assert_int_equal(desk_count(d, ROW_MACHINE), 1);
	assert_int_equal(
		desk_reply(d, saga_ask_start("trip", "", "{}", 0))->err,
		E_NOTFOUND); /* nobody else's */
	assert_int_equal(desk_crash(d), OK);
	saga_agents();
	r = desk_reply(
		d, desk_ask(d, (struct request){ .type = RQ_SAGA_START,
						 .text = BYTES(TRIP),
						 .business_key = BYTES("k") }));
	assert_true(r->existed);
	saga_done("book", "1");
	saga_done("fly", "1");
	assert_int_equal(desk_count(d, ROW_MACHINE), 0);
	assert_int_equal(desk_status(d, r->xid), GTX_COMMITTED);
}

static void test_operators_move_a_saga_and_say_why(void **state)
{
	const struct reply *r;
	struct bytes xid;

	(void)state;
	saga_agents();
	saga_put(TRIP);
	xid = saga_start("trip", "");
	r = saga_move(xid, MOVE_FORWARD);
	assert_int_equal(r->err, E_STATE);
	assert_true(saga_has(r->text, "nothing to try again"));
	saga_unknown("book");
	r = saga_move(xid, MOVE_FORWARD);
	assert_int_equal(r->err, OK);
	assert_int_equal(saga_called("book")->attempt, 2);
	saga_unknown("book");
	assert_int_equal(saga_move(xid, MOVE_SKIP)->err, OK);
	saga_called("fly");
	r = saga_move(xid, MOVE_COMPENSATE);
	assert_int_equal(r->err, OK);
	assert_int_equal(r->status, GTX_ROLLBACKING);
	saga_done("fly", "1");
	saga_done("unfly", "");
	saga_done("unbook", "");
	assert_int_equal(desk_status(d, xid), GTX_ROLLBACKED);
	r = saga_move(xid, MOVE_FORWARD);
	assert_int_equal(r->err, E_STATE);
	assert_int_equal(r->status, GTX_ROLLBACKED);
	assert_true(desk_said(d, "operator: skip: said Ann"));
}

/* ---- rows that contradict each other ---- */

static struct desk_row *row_of(enum row_table table, size_t nth)
{
	for (size_t i = 0; i < d->n_rows; i++)
		if (d->rows[i].table == table && nth-- == 0)
			return &d->rows[i];
	fail_msg("no such row");
	return NULL;
}

static void set_body(struct desk_row *row, struct buf *b)
{
	free((void *)(uintptr_t)row->body.data);
	row->body =
		(struct bytes){ (uint8_t *)mem_text(&mem_heap, buf_bytes(b)),
				b->len };
	buf_fini(b);
}

static void drop_row(enum row_table table, size_t nth)
{
	struct desk_row *row = row_of(table, nth);

	free((void *)(uintptr_t)row->body.data);
	*row = d->rows[--d->n_rows];
}

/* Two runs, the second with a document of its own; then load it all. */
static void begin_again(void)
{
	static void *none;

	tear_down(&none);
	set_up(&none);
	saga_agents();
	saga_put(TRIP);
	saga_start("trip", "k");
	desk_ask(d, (struct request){ .type = RQ_SAGA_START,
				      .text = BYTES(TRIP),
				      .business_key = BYTES("l") });
}

static void put_run(size_t nth, const char *key, const char *state)
{
	struct desk_row *row = row_of(ROW_SAGA, nth);
	struct saga_record run;
	struct buf b;

	assert_int_equal(record_get_saga(&run, row->body), OK);
	if (key)
		run.business_key = bytes_of(key);
	if (state)
		run.state = bytes_of(state);
	buf_init(&b, &mem_heap);
	record_put_saga(&b, &run);
	set_body(row, &b);
}

static void put_document(size_t nth, const char *document)
{
	struct machine_record m = { .document = bytes_of(document) };
	struct buf b;

	buf_init(&b, &mem_heap);
	record_put_machine(&b, &m);
	set_body(row_of(ROW_MACHINE, nth), &b);
}

static void test_rows_that_contradict_each_other_stop_the_start(void **state)
{
	(void)state;
	begin_again();
	assert_int_equal(desk_crash(d), OK); /* as it is, it is fine */
	for (size_t nth = 0; nth < 2; nth++) {
		begin_again();
		drop_row(ROW_SAGA, nth);
		assert_int_equal(desk_crash(d), E_CORRUPT);
		begin_again();
		drop_row(ROW_GTX, nth);
		assert_int_equal(desk_crash(d), E_CORRUPT);
		begin_again();
		drop_row(ROW_MACHINE, nth);
		assert_int_equal(desk_crash(d), E_CORRUPT);
		begin_again();
		put_document(nth, "{\"name\":\"trip\"}");
		assert_int_equal(desk_crash(d), E_CORRUPT);
		begin_again();
		put_document(nth, TRIP " "); /* not the one it ran with */
		assert_int_equal(desk_crash(d), E_VERSION);
		begin_again();
		put_run(nth, NULL, "nonsense and more of it");
		assert_int_equal(desk_crash(d), E_VERSION);
		begin_again();
		put_run(nth, nth ? "k" : "l", NULL); /* given twice */
		assert_int_equal(desk_crash(d), E_CORRUPT);
		begin_again();
		row_of(ROW_SAGA, nth)->gtx++;
		assert_int_equal(desk_crash(d), E_CORRUPT);
		begin_again();
		row_of(ROW_MACHINE, nth)->id += 1000000000;
		assert_int_equal(desk_crash(d), E_CORRUPT);
	}
	begin_again();
	row_of(ROW_MACHINE, 0)->gtx = row_of(ROW_MACHINE, 0)->id;
	assert_int_equal(desk_crash(d), E_CORRUPT); /* nobody's own */
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
		T(test_rows_that_contradict_each_other_stop_the_start),
	};

	return cmocka_run_group_tests_name("core saga", tests, NULL, NULL);
}
