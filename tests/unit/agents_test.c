/* The agents' door between a real socket and a core that only takes notes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <unistd.h>

#include "base/buf.h"
#include "tc/door/agents.h"
#include "tc/door/agents_target.h"
#include "tc/door/agents_wire.h"
#include "tests/fakes/flaky.h"
#include "tests/fakes/sp_client.h"

struct fixture {
	struct flaky flaky;
	struct door_port port;
	struct door door;
	bool open;
	char dir[32];
	struct buf address;
	struct sp_client c;
	uint64_t now_ms;
	struct buf notes; /* one word for each event */
	struct event last;
	uint64_t peer;
	int answer; /* of port->event() */
};

/* ---- the core that takes notes ---- */

static int take_note(void *ctx, struct event *ev)
{
	static const char *const names[EV_TYPES] = {
		[EV_PEER_UP] = "up",
		[EV_PEER_GONE] = "gone",
		[EV_REQUEST] = "request",
		[EV_BRANCH_DONE] = "done",
	};
	struct fixture *f = ctx;

	if (f->answer != OK)
		return f->answer;
	f->last = *ev;
	if (ev->type == EV_PEER_UP)
		f->peer = ev->up.peer;
	buf_printf(&f->notes, "%s ", names[ev->type]);
	if (ev->type == EV_REQUEST)
		buf_printf(&f->notes, "%d:%.*s ", (int)ev->request.type,
			   (int)ev->request.xid.len,
			   (const char *)ev->request.xid.data);
	if (ev->type == EV_PEER_UP)
		buf_printf(&f->notes, "%zu ", ev->up.n_resources);
	return OK;
}

static uint64_t clock_now(void *ctx)
{
	return ((struct fixture *)ctx)->now_ms;
}

static void pump(struct fixture *f)
{
	for (int i = 0; i < 3; i++) {
		while (f->door.process(f->door.self, f->now_ms))
			;
		f->door.flush(f->door.self);
	}
}

static int open_door(struct fixture *f)
{
	const char *address = buf_text(&f->address);
	struct agents_config config;
	struct buf error;
	int rc;

	agents_config_default(&config);
	config.addresses = &address;
	config.n_addresses = 1;
	config.heartbeat_ms = 1000;
	config.message_max = 100000;
	config.output_max = 200000;
	buf_init(&error, &mem_heap);
	rc = agents_open(&f->door, &f->flaky.mem, &config, &f->port, &error);
	f->open = rc == OK;
	buf_fini(&error);
	return rc;
}

static int set_up(void **state)
{
	struct fixture *f = mem_alloc(&mem_heap, sizeof *f);

	flaky_init(&f->flaky, -1);
	f->now_ms = 1000;
	f->port = (struct door_port){ .ctx = f,
				      .event = take_note,
				      .now_ms = clock_now,
				      .coordinator = BYTES("h:1") };
	memcpy(f->dir, "/tmp/treaty-agents-XXXXXX", 26);
	assert_non_null(mkdtemp(f->dir));
	buf_init(&f->address, &mem_heap);
	buf_printf(&f->address, "ipc://%s/s", f->dir);
	buf_init(&f->notes, &mem_heap);
	sp_client_init(&f->c);
	*state = f;
	return open_door(f);
}

static void close_door(struct fixture *f)
{
	if (f->open)
		f->door.close(f->door.self);
	f->open = false;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;
	long live;

	sp_client_fini(&f->c);
	close_door(f);
	live = f->flaky.live;
	(void)rmdir(f->dir);
	buf_fini(&f->address);
	buf_fini(&f->notes);
	mem_free(&mem_heap, f);
	return live == 0 ? 0 : -1;
}

/* ---- talking ---- */

static struct msg hear(struct fixture *f)
{
	struct msg m;

	pump(f);
	assert_int_equal(sp_recv(&f->c, &m, 1000), OK);
	return m;
}

static void say(struct fixture *f, const struct msg *m)
{
	assert_int_equal(sp_send(&f->c, m), OK);
	pump(f);
}

static struct msg hello_msg(const struct bytes *resources, size_t n)
{
	return (struct msg){ .type = MSG_HELLO,
			     .id = 1,
			     .application = BYTES("shop"),
			     .instance = BYTES("shop-1"),
			     .list = resources,
			     .n_list = n };
}

static void join(struct fixture *f)
{
	struct msg m = hello_msg(NULL, 0);

	assert_int_equal(sp_connect(&f->c, buf_text(&f->address)), OK);
	say(f, &m);
	m = hear(f);
	assert_int_equal(m.type, MSG_WELCOME);
	assert_int_equal(m.heartbeat_ms, 1000);
	assert_true(bytes_equal(m.coordinator, BYTES("h:1")));
	buf_clear(&f->notes);
}

/* ---- tests ---- */

static void test_each_request_becomes_the_event_it_means(void **state)
{
	static const struct {
		enum msg_type msg;
		enum request_type request;
	} pairs[] = {
		{ MSG_BEGIN, RQ_BEGIN },
		{ MSG_REGISTER, RQ_REGISTER },
		{ MSG_REPORT, RQ_REPORT },
		{ MSG_COMMIT, RQ_COMMIT },
		{ MSG_ROLLBACK, RQ_ROLLBACK },
		{ MSG_STATUS, RQ_STATUS },
		{ MSG_LOCK_CHECK, RQ_LOCK_CHECK },
		{ MSG_IDS, RQ_IDS },
		{ MSG_SUBSCRIBE, RQ_SUBSCRIBE },
		{ MSG_UNSUBSCRIBE, RQ_UNSUBSCRIBE },
		{ MSG_SAGA_START, RQ_SAGA_START },
		{ MSG_SAGA_MOVE, RQ_SAGA_MOVE },
		{ MSG_SAGA_SHOW, RQ_SAGA_SHOW },
		{ MSG_MACHINE_PUT, RQ_MACHINE_PUT },
		{ MSG_MACHINE_DROP, RQ_MACHINE_DROP },
	};
	struct fixture *f = *state;

	join(f);
	for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
		struct msg m = { .type = pairs[i].msg,
				 .id = 100 + i,
				 .xid = BYTES("h:1:5"),
				 .branch = 6,
				 .timeout_ms = 7,
				 .ordered = true,
				 .mode = MODE_XA,
				 .client_key = 8,
				 .wait_ms = 9,
				 .status = BRANCH_PHASE_ONE_DONE,
				 .count = 10 };

		say(f, &m);
		assert_int_equal(f->last.type, EV_REQUEST);
		assert_int_equal(f->last.request.type, pairs[i].request);
		assert_int_equal(f->last.request.peer, f->peer);
		assert_int_equal(f->last.request.id, 100 + i);
		assert_int_equal(f->last.request.branch, 6);
		assert_int_equal(f->last.request.timeout_ms, 7);
		assert_true(f->last.request.ordered);
		assert_int_equal(f->last.request.mode, MODE_XA);
		assert_int_equal(f->last.request.client_key, 8);
		assert_int_equal(f->last.request.wait_ms, 9);
		assert_int_equal(f->last.request.report, BRANCH_PHASE_ONE_DONE);
		assert_int_equal(f->last.request.count, 10);
	}
	assert_non_null(strstr(buf_text(&f->notes), "0:h:1:5"));
	assert_int_equal(door_of_peer(f->peer), DOOR_AGENTS);
}

/* Everything that services ask for comes through both ways. */
static void test_a_services_request_is_whole(void **state)
{
	static const uint64_t ms[] = { 100, 200, 400 };
	const struct msg m = { .type = MSG_REGISTER,
			       .kind = KIND_MESSAGE,
			       .check = BYTES("producer:a"),
			       .participant = BYTES("{}"),
			       .call_timeout_ms = 1,
			       .deliver_after_ms = 2,
			       .schedule_ms = ms,
			       .n_schedule = 3,
			       .topic = true,
			       .version = BYTES("v"),
			       .business_key = BYTES("k"),
			       .input = BYTES("i"),
			       .move = MOVE_SKIP,
			       .task = UINT32_MAX,
			       .subscriber = BYTES("s") };
	struct event ev;
	const struct request *q = &ev.request;
	const char *why;

	(void)state;
	assert_int_equal(event_of_msg(&ev, &m, 1, "", &why), OK);
	assert_int_equal(q->kind, KIND_MESSAGE);
	assert_true(bytes_equal(q->check, m.check));
	assert_true(bytes_equal(q->participant, m.participant));
	assert_int_equal(q->call_timeout_ms, 1);
	assert_int_equal(q->deliver_after_ms, 2);
	assert_int_equal(q->n_schedule, 3);
	assert_int_equal(q->schedule_ms[2], 400);
	assert_true(q->topic);
	assert_true(bytes_equal(q->version, m.version));
	assert_true(bytes_equal(q->business_key, m.business_key));
	assert_true(bytes_equal(q->input, m.input));
	assert_int_equal(q->move, MOVE_SKIP);
	assert_int_equal(q->task, UINT32_MAX);
	assert_true(bytes_equal(q->subscriber, m.subscriber));
}

static void test_an_order_to_a_saga_has_its_reason(void **state)
{
	const struct msg m = { .type = MSG_SAGA_MOVE, .text = BYTES("why") };
	struct event ev;
	const char *why;

	(void)state;
	assert_int_equal(event_of_msg(&ev, &m, 1, "", &why), OK);
	assert_true(bytes_equal(ev.request.reason, m.text));
}

static void test_what_services_hear_is_whole(void **state)
{
	const struct reply r = { .detail = BYTES("d"),
				 .name = BYTES("n"),
				 .version = BYTES("v"),
				 .existed = true };
	const struct command c = { .type = COMMAND_CALL,
				   .participant = BYTES("{}"),
				   .timeout_ms = 5,
				   .service = BYTES("s"),
				   .method = BYTES("m"),
				   .compensation = true };
	struct msg m = msg_of_reply(&r);

	(void)state;
	assert_true(bytes_equal(m.detail, r.detail));
	assert_true(bytes_equal(m.name, r.name));
	assert_true(bytes_equal(m.version, r.version));
	assert_true(m.existed);
	m = msg_of_command(&c);
	assert_int_equal(m.command, COMMAND_CALL);
	assert_true(bytes_equal(m.participant, c.participant));
	assert_int_equal(m.timeout_ms, 5);
	assert_true(bytes_equal(m.service, c.service));
	assert_true(bytes_equal(m.method, c.method));
	assert_true(m.compensation);
}

/* An agent of the first release sends no .command with its answer. */
static void test_what_an_answer_is_to_is_known_of_old_agents_too(void **state)
{
	static const struct {
		uint64_t said;
		enum branch_status status;
		enum command_type type;
	} cases[] = {
		{ 0, BRANCH_COMMITTED, COMMAND_COMMIT },
		{ 0, BRANCH_COMMIT_RETRYABLE, COMMAND_COMMIT },
		{ 0, BRANCH_ROLLBACKED, COMMAND_ROLLBACK },
		{ 0, BRANCH_ROLLBACK_RETRYABLE, COMMAND_ROLLBACK },
		{ 0, BRANCH_ROLLBACK_UNRETRYABLE, COMMAND_ROLLBACK },
		{ 0, BRANCH_ROLLBACK_NOTA, COMMAND_ROLLBACK },
		{ 1, BRANCH_ROLLBACKED, COMMAND_ROLLBACK },
		{ 2, BRANCH_ROLLBACKED, COMMAND_CHECK },
		{ 3, BRANCH_COMMITTED, COMMAND_CALL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct msg m = { .type = MSG_BRANCH_DONE,
				       .command = cases[i].said,
				       .status = cases[i].status,
				       .in_progress = true,
				       .error_name = BYTES("e") };
		struct event ev;
		const char *why;

		assert_int_equal(event_of_msg(&ev, &m, 1, "", &why), OK);
		assert_int_equal(ev.done.type, cases[i].type);
		assert_true(ev.done.in_progress);
		assert_true(bytes_equal(ev.done.error_name, m.error_name));
	}
}

/* ---- participants by URL ---- */

#define BOTH                                                                   \
	"{\"commit\":\"http://10.0.0.1/a\",\"rollback\":"                      \
	"\"http://10.0.0.1/b\"}"

static void test_only_urls_that_are_allowed_are_registered(void **state)
{
#define TO  "{\"commit\":\"http://10.0.0.1/a\"}"
#define ASK "{\"check\":\"http://10.0.0.1/a\"}"
	static const struct {
		enum request_type type;
		enum branch_mode mode;
		const char *target, *participant;
		int rc;
		const char *why;
	} cases[] = {
		{ RQ_REGISTER, MODE_TCC, "stock", "", OK, "" },
		{ RQ_REGISTER, MODE_TCC, "http://10.0.0.1:80", BOTH, OK, "" },
		{ RQ_REGISTER, MODE_XA, "http://10.0.0.1:80", BOTH, OK, "" },
		{ RQ_REGISTER, MODE_MSG, "http://10.0.0.1:80", TO, OK, "" },
		{ RQ_SUBSCRIBE, MODE_AT, "http://10.0.0.1:80", TO, OK, "" },
		{ RQ_BEGIN, MODE_AT, "http://10.0.0.1:80", ASK, OK, "" },
		{ RQ_SAGA_START, MODE_AT, "", "{\"headers\":{\"a\":\"b\"}}", OK,
		  "" },
		{ RQ_REGISTER, MODE_AT, "http://10.0.0.1:80", BOTH, E_INVALID,
		  "mode AT" },
		{ RQ_REGISTER, MODE_TCC, "http://10.0.0.1:80", TO, E_INVALID,
		  "no URL \"rollback\"" },
		{ RQ_REGISTER, MODE_SAGA, "http://10.0.0.1:80", TO, E_INVALID,
		  "no URL \"rollback\"" },
		{ RQ_REGISTER, MODE_MSG, "http://10.0.0.1:80", ASK, E_INVALID,
		  "no URL \"commit\"" },
		{ RQ_SUBSCRIBE, MODE_AT, "http://10.0.0.1:80", ASK, E_INVALID,
		  "no URL \"commit\"" },
		{ RQ_BEGIN, MODE_AT, "http://10.0.0.1:80", TO, E_INVALID,
		  "no URL \"check\"" },
		{ RQ_REGISTER, MODE_TCC, "http://10.0.0.1:80", "", E_INVALID,
		  "needs a document" },
		{ RQ_REGISTER, MODE_TCC, "HTTP://10.0.0.1:80", BOTH, E_INVALID,
		  "http://10.0.0.1:80" },
		{ RQ_REGISTER, MODE_TCC, "http://10.0.0.2:80", BOTH, E_INVALID,
		  "http://10.0.0.1:80" },
		{ RQ_REGISTER, MODE_TCC, "stock", BOTH, E_INVALID,
		  "not their origin" },
		{ RQ_REGISTER, MODE_MSG, "http://10.0.0.1:81",
		  "{\"commit\":\"http://10.0.0.1:81/a\"}", E_DENIED, "" },
		{ RQ_REGISTER, MODE_MSG, "http://10.0.0.1:80", "{", E_INVALID,
		  "" },
	};
	struct allow_list *list;
	struct arena arena;
	struct buf why;

	(void)state;
	arena_init(&arena, &mem_heap, 0);
	buf_init(&why, &mem_heap);
	assert_int_equal(allow_list_new(&list, &mem_heap,
					BYTES("http://10.0.0.1/"), &why),
			 OK);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct request q = { .type = cases[i].type,
				     .mode = cases[i].mode,
				     .participant =
					     bytes_of(cases[i].participant) };

		if (q.type == RQ_BEGIN)
			q.check = bytes_of(cases[i].target);
		else
			q.resource = bytes_of(cases[i].target);
		buf_clear(&why);
		assert_int_equal(agents_target_check(list, &arena, &q, &why),
				 cases[i].rc);
		assert_non_null(strstr(buf_text(&why), cases[i].why));
		assert_true((why.len > 0) == (cases[i].rc != OK));
		/* Nothing is allowed without a list. */
		if (cases[i].rc == OK && q.participant.len > 0 &&
		    q.type != RQ_SAGA_START)
			assert_int_equal(
				agents_target_check(NULL, &arena, &q, &why),
				E_DENIED);
	}
	allow_list_free(list);
	buf_fini(&why);
	arena_fini(&arena);
}

static void test_services_of_a_definition_must_be_allowed(void **state)
{
#define STATE(more)                                                            \
	"{\"States\":{\"A b\":{\"ServiceName\":\"http://10.0.0.1/x\""          \
	",\"ServiceMethod\":" more "}}}"
	static const struct {
		const char *text;
		int rc;
		const char *why;
	} cases[] = {
		{ "", OK, "" },
		{ "no JSON at all", OK, "" }, /* the core will say so */
		{ "{\"steps\":7,\"States\":[1,{\"action\":7}]}", OK, "" },
		{ "{\"steps\":[{\"action\":\"stock\"}]}", OK, "" },
		{ "{\"steps\":[{\"action\":\"http://10.0.0.1/a/\"}]}", OK, "" },
		{ "{\"steps\":[{\"action\":\"x\"},"
		  "{\"compensation\":\"http://10.0.0.2/a\"}]}",
		  E_DENIED, "$.steps[1].compensation: " },
		{ "{\"steps\":[{\"action\":\"HTTP://10.0.0.1/a#b\"}]}",
		  E_INVALID,
		  "$.steps[0].action: this must be a URL that can be called" },
		{ "{\"st\\u0065ps\":[{\"action\":\"http://10.0.0.1/b\"}]}",
		  E_DENIED, "$.steps[0].action: " },
		{ STATE("\"a\""), E_DENIED, "$.States.A b.ServiceName: " },
		{ STATE("7"), E_DENIED, "$.States.A b.ServiceName: " },
	};
	struct allow_list *list;
	struct arena arena;
	struct buf why;

	(void)state;
	arena_init(&arena, &mem_heap, 0);
	buf_init(&why, &mem_heap);
	assert_int_equal(allow_list_new(&list, &mem_heap,
					BYTES("http://10.0.0.1/a"), &why),
			 OK);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct request q = { .type = i % 2 ? RQ_MACHINE_PUT
						   : RQ_SAGA_START,
				     .text = bytes_of(cases[i].text) };

		buf_clear(&why);
		assert_int_equal(agents_target_check(list, &arena, &q, &why),
				 cases[i].rc);
		assert_memory_equal(buf_text(&why), cases[i].why,
				    strlen(cases[i].why));
		assert_true((why.len > 0) == (cases[i].rc != OK));
		/* a reason of an operator is no definition */
		q.type = RQ_ROLLBACK;
		assert_int_equal(agents_target_check(list, &arena, &q, &why),
				 OK);
	}
	allow_list_free(list);
	buf_fini(&why);
	arena_fini(&arena);
}

static void test_a_check_without_memory_registers_nothing(void **state)
{
	const struct request q = { .type = RQ_REGISTER,
				   .mode = MODE_TCC,
				   .resource = BYTES("http://10.0.0.1:80"),
				   .participant = BYTES(BOTH) };
	struct allow_list *list;
	struct buf why;
	int rc = E_NOMEM;

	(void)state;
	buf_init(&why, &mem_heap);
	assert_int_equal(allow_list_new(&list, &mem_heap,
					BYTES("http://10.0.0.1/"), &why),
			 OK);
	for (long n = 0; rc != OK; n++) {
		struct flaky flaky;
		struct arena arena;

		assert_true(n < 100);
		flaky_init(&flaky, n);
		arena_init(&arena, &flaky.mem, 64);
		rc = agents_target_check(list, &arena, &q, &why);
		assert_true(rc == OK || rc == E_NOMEM);
		arena_fini(&arena);
		assert_int_equal(flaky.live, 0);
	}
	allow_list_free(list);
	buf_fini(&why);
}

static void test_a_url_that_is_not_allowed_costs_no_connection(void **state)
{
	struct fixture *f = *state;
	struct msg m = { .type = MSG_REGISTER,
			 .id = 7,
			 .mode = MODE_TCC,
			 .resource = BYTES("http://10.0.0.1:80"),
			 .participant = BYTES(BOTH) };

	join(f);
	say(f, &m);
	m = hear(f);
	assert_int_equal(m.type, MSG_REPLY);
	assert_int_equal(m.id, 7);
	assert_int_equal(m.err, -E_DENIED);
	assert_true(m.text.len > 10);
	assert_string_equal(buf_text(&f->notes), "");
	m = (struct msg){ .type = MSG_PING };
	say(f, &m);
	assert_int_equal(hear(f).type, MSG_PONG);
}

static void test_a_finished_branch_is_handed_in(void **state)
{
	struct fixture *f = *state;
	struct msg m = { .type = MSG_BRANCH_DONE,
			 .id = 55,
			 .xid = BYTES("h:1:5"),
			 .branch = 6,
			 .status = BRANCH_ROLLBACKED };

	join(f);
	say(f, &m);
	assert_int_equal(f->last.type, EV_BRANCH_DONE);
	assert_int_equal(f->last.done.command, 55);
	assert_int_equal(f->last.done.branch, 6);
	assert_int_equal(f->last.done.status, BRANCH_ROLLBACKED);
}

static void test_replies_and_commands_reach_their_peer(void **state)
{
	struct fixture *f = *state;
	struct reply r = { .id = 9,
			   .err = E_CONFLICT,
			   .status = GTX_BEGIN,
			   .xid = BYTES("h:1:5"),
			   .holder = BYTES("h:1:4"),
			   .key = BYTES("k"),
			   .holder_age_ms = 12,
			   .text = BYTES("held") };
	struct command c = { .id = 77,
			     .type = COMMAND_ROLLBACK,
			     .xid = BYTES("h:1:5"),
			     .branch = 6,
			     .resource = BYTES("db"),
			     .attempt = 2,
			     .resolution = RESOLVE_USE_UNDO };
	struct msg m;

	join(f);
	r.peer = c.peer = f->peer;
	f->door.reply(f->door.self, &r);
	f->door.command(f->door.self, &c);
	m = hear(f);
	assert_int_equal(m.type, MSG_REPLY);
	assert_int_equal(m.id, 9);
	assert_int_equal(m.err, -E_CONFLICT);
	assert_true(bytes_equal(m.holder, r.holder));
	assert_int_equal(m.holder_age_ms, 12);
	m = hear(f);
	assert_int_equal(m.type, MSG_COMMAND);
	assert_int_equal(m.command, COMMAND_ROLLBACK);
	assert_int_equal(m.attempt, 2);
	assert_int_equal(m.resolution, RESOLVE_USE_UNDO);
}

static void test_a_peer_that_goes_is_noted_and_its_answers_dropped(void **state)
{
	struct fixture *f = *state;
	struct reply r = { .id = 9 };
	struct command c = { .id = 9 };

	join(f);
	sp_disconnect(&f->c);
	pump(f);
	assert_string_equal(buf_text(&f->notes), "gone ");
	r.peer = c.peer = f->peer;
	f->door.reply(f->door.self, &r);
	f->door.command(f->door.self, &c);
	pump(f);
	assert_int_equal(f->door.stats(f->door.self).connections_now, 0);
}

static void test_a_peer_without_hello_never_was_one(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(sp_connect(&f->c, buf_text(&f->address)), OK);
	pump(f);
	assert_int_equal(f->door.stats(f->door.self).connections_now, 1);
	sp_disconnect(&f->c);
	pump(f);
	assert_string_equal(buf_text(&f->notes), "");
}

static void test_a_second_hello_renews_the_resources(void **state)
{
	struct fixture *f = *state;
	struct bytes both[] = { BYTES("db1"), BYTES("db2") };
	struct msg m = hello_msg(both, 2);
	uint64_t peer;

	join(f);
	peer = f->peer;
	say(f, &m);
	assert_int_equal(hear(f).type, MSG_WELCOME);
	assert_string_equal(buf_text(&f->notes), "up 2 ");
	assert_int_equal(f->peer, peer);
}

static void test_a_core_without_memory_is_told_to_the_agent(void **state)
{
	struct fixture *f = *state;
	struct msg m = { .type = MSG_BEGIN, .id = 5 };

	join(f);
	f->answer = E_NOMEM;
	say(f, &m);
	m = hear(f);
	assert_int_equal(m.type, MSG_REPLY);
	assert_int_equal(m.id, 5);
	assert_int_equal(m.err, -E_NOMEM);
	f->answer = OK;
}

static void assert_bye(struct fixture *f, const struct msg *m)
{
	struct msg r;

	join(f);
	say(f, m);
	r = hear(f);
	assert_int_equal(r.type, MSG_BYE);
	assert_true(r.text.len > 10);
	assert_int_equal(sp_recv(&f->c, &r, 1000), E_CLOSED);
	assert_string_equal(buf_text(&f->notes), "gone ");
}

static void test_what_agents_must_not_send_ends_the_connection(void **state)
{
	struct fixture *f = *state;
	struct msg bad[] = {
		{ .type = MSG_WELCOME },
		{ .type = MSG_COMMAND },
		{ .type = MSG_REGISTER, .mode = 99 },
		{ .type = MSG_REPORT, .status = 99 },
		{ .type = MSG_BRANCH_DONE, .status = UINT64_MAX },
		{ .type = MSG_BRANCH_DONE, .command = 4 },
		{ .type = MSG_BEGIN, .kind = 3 },
		{ .type = MSG_SAGA_MOVE, .move = 3 },
		{ .type = MSG_SAGA_MOVE, .task = UINT64_MAX },
		{ .type = MSG_HELLO },
	};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_bye(f, &bad[i]);
	assert_int_equal(f->door.stats(f->door.self).malformed, ARRAY_LEN(bad));
}

static void test_messages_behind_a_bad_one_are_not_looked_at(void **state)
{
	struct fixture *f = *state;
	struct msg bad = { .type = MSG_WELCOME }, good = { .type = MSG_COMMIT };

	join(f);
	sp_queue(&f->c, &bad);
	sp_queue(&f->c, &good);
	assert_int_equal(sp_push(&f->c), OK);
	pump(f);
	assert_string_equal(buf_text(&f->notes), "gone ");
}

static void test_silence_ends_after_three_heartbeats(void **state)
{
	struct fixture *f = *state;

	join(f);
	assert_true(f->door.deadline(f->door.self) <= f->now_ms + 5000);
	f->now_ms += 2999;
	pump(f);
	assert_string_equal(buf_text(&f->notes), "");
	f->now_ms += 3000; /* the timer may have been set for the hello */
	pump(f);
	f->now_ms += 3000;
	pump(f);
	assert_string_equal(buf_text(&f->notes), "gone ");
}

static void test_an_answer_too_many_ends_a_reader_that_sleeps(void **state)
{
	struct fixture *f = *state;
	struct buf big;
	struct reply r = { .id = 9 };

	join(f);
	r.peer = f->peer;
	buf_init(&big, &mem_heap);
	for (int i = 0; i < 50000; i++)
		buf_put_char(&big, 'x');
	r.text = buf_bytes(&big);
	for (int i = 0; i < 100 && buf_bytes(&f->notes).len == 0; i++) {
		f->door.reply(f->door.self, &r);
		f->door.flush(f->door.self);
	}
	assert_string_equal(buf_text(&f->notes), "gone ");
	buf_fini(&big);
}

static void test_draining_lets_nobody_new_in(void **state)
{
	struct fixture *f = *state;
	struct sp_client late;
	struct msg m = { .type = MSG_PING };

	join(f);
	f->door.drain(f->door.self);
	sp_client_init(&late);
	assert_int_not_equal(sp_connect(&late, buf_text(&f->address)), OK);
	say(f, &m);
	assert_int_equal(hear(f).type, MSG_PONG);
	sp_client_fini(&late);
}

/* Whatever allocation fails: no crash, no leak, and the door lives on. */
static void test_out_of_memory_costs_at_most_the_connection(void **state)
{
	struct fixture *f = *state;
	bool through = false;

	for (long n = 0; !through; n++) {
		struct bytes resource = BYTES("db");
		struct msg m = hello_msg(&resource, 1), r;

		assert_true(n < 200);
		sp_disconnect(&f->c);
		close_door(f);
		assert_int_equal(f->flaky.live, 0);
		flaky_init(&f->flaky, n);
		if (open_door(f) != OK)
			continue;
		assert_int_equal(sp_connect(&f->c, buf_text(&f->address)), OK);
		pump(f);
		if (sp_send(&f->c, &m) != OK)
			continue;
		pump(f);
		through = sp_recv(&f->c, &r, 0) == OK &&
			  r.type == MSG_WELCOME && f->flaky.calls <= n;
		f->flaky.fail_at = -1;
		join(f); /* a new connection is welcome */
	}
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(test_each_request_becomes_the_event_it_means),
		T(test_a_services_request_is_whole),
		T(test_an_order_to_a_saga_has_its_reason),
		T(test_what_services_hear_is_whole),
		T(test_what_an_answer_is_to_is_known_of_old_agents_too),
		T(test_only_urls_that_are_allowed_are_registered),
		T(test_services_of_a_definition_must_be_allowed),
		T(test_a_check_without_memory_registers_nothing),
		T(test_a_url_that_is_not_allowed_costs_no_connection),
		T(test_a_finished_branch_is_handed_in),
		T(test_replies_and_commands_reach_their_peer),
		T(test_a_peer_that_goes_is_noted_and_its_answers_dropped),
		T(test_a_peer_without_hello_never_was_one),
		T(test_a_second_hello_renews_the_resources),
		T(test_a_core_without_memory_is_told_to_the_agent),
		T(test_what_agents_must_not_send_ends_the_connection),
		T(test_messages_behind_a_bad_one_are_not_looked_at),
		T(test_silence_ends_after_three_heartbeats),
		T(test_an_answer_too_many_ends_a_reader_that_sleeps),
		T(test_draining_lets_nobody_new_in),
		T(test_out_of_memory_costs_at_most_the_connection),
	};

	return cmocka_run_group_tests_name("agents", tests, NULL, NULL);
}
