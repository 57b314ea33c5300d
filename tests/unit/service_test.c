#include "base/arena.h"
#include "rm-agent/agent.h"
#include "tests/fakes/coordinator.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>

#include <cmocka.h>

/* Requests about sagas and machines, and the commands that sagas give, between
 * the agent and a coordinator of the test's own. */

struct rig {
	struct fake_coordinator fake;
	struct treaty *t;
	struct buf kept[FAKE_TYPES];
	struct arena arena;
	struct msg replies[FAKE_TYPES]; /* .type: answer with this */
	unsigned silent;                /* so many times, then answer */

	/* of the handler */
	struct agent_command seen;
	char service[64], method[64];
	enum branch_status status;
	bool in_progress;
	size_t output;
	atomic_int runs;
};

static enum fake_verdict answer(void *ctx, const struct msg *m,
				struct msg *reply)
{
	struct rig *r = ctx;

	buf_clear(&r->kept[m->type]);
	REQUIRE(msg_encode(&r->kept[m->type], m) == OK);
	if (r->silent > 0) {
		r->silent--;
		return FAKE_SILENCE;
	}
	if (!r->replies[m->type].type)
		return FAKE_DEFAULT;
	*reply = r->replies[m->type];
	return FAKE_REPLY;
}

static void rig_start(struct rig *r)
{
	struct treaty_options o;

	*r = (struct rig){ .fake = { .answer = answer, .ctx = r } };
	for (size_t i = 0; i < FAKE_TYPES; i++)
		buf_init(&r->kept[i], &mem_heap);
	arena_init(&r->arena, &mem_heap, 0);
	fake_start(&r->fake);
	treaty_options_init(&o, sizeof o);
	o.address = r->fake.address;
	o.application = "order";
	o.request_timeout_ms = 3000;
	assert_int_equal(treaty_open(&r->t, &o), TREATY_OK);
	assert_true(fake_wait(&r->fake, MSG_HELLO, 1, 2000));
}

static void rig_stop(struct rig *r)
{
	assert_int_equal(treaty_close(r->t), TREATY_OK);
	fake_stop(&r->fake);
	for (size_t i = 0; i < FAKE_TYPES; i++)
		buf_fini(&r->kept[i]);
	arena_fini(&r->arena);
}

static struct msg told(struct rig *r, enum msg_type type)
{
	struct msg m = { 0 };

	assert_true(r->kept[type].len > 0);
	assert_int_equal(
		msg_decode(&m, &r->arena.as_mem, buf_bytes(&r->kept[type])),
		OK);
	return m;
}

static void assert_text(struct bytes b, const char *text)
{
	if (!bytes_equal(b, bytes_of(text)))
		fail_msg("\"%.*s\" is not \"%s\"", (int)b.len,
			 (const char *)b.data, text);
}

/* ---- requests ---- */

static void test_a_start_says_all_and_hears_all(void **state)
{
	const struct agent_saga s = { .machine = BYTES("checkout"),
				      .version = BYTES("2"),
				      .business_key = BYTES("order-7"),
				      .input = BYTES("{\"a\":1}"),
				      .timeout_ms = 60000,
				      .wait_ms = 500 };
	struct agent_saga_run run;
	struct buf detail;
	struct msg m;
	struct rig r;

	(void)state;
	rig_start(&r);
	buf_init(&detail, &mem_heap);
	r.replies[MSG_SAGA_START] = (struct msg){ .type = MSG_REPLY,
						  .xid = BYTES("fake:1:8"),
						  .status = GTX_COMMITTED,
						  .existed = true,
						  .detail = BYTES("{}") };
	assert_int_equal(agent_saga_start(r.t, &s, &run, &detail), OK);
	m = told(&r, MSG_SAGA_START);
	assert_text(m.name, "checkout");
	assert_text(m.version, "2");
	assert_text(m.business_key, "order-7");
	assert_text(m.input, "{\"a\":1}");
	assert_int_equal(m.timeout_ms, 60000);
	assert_int_equal(m.wait_ms, 500);
	assert_string_equal(run.xid, "fake:1:8");
	assert_int_equal(run.status, GTX_COMMITTED);
	assert_true(run.existed);
	assert_string_equal(buf_text(&detail), "{}");
	buf_fini(&detail);
	rig_stop(&r);
}

/* The answer is lost and the request sent again: the key of our own makes it
 * the same run. */
static void test_a_start_without_a_key_is_one_run_all_the_same(void **state)
{
	const struct agent_saga s = { .document = BYTES("{}") };
	struct agent_saga_run run;
	struct bytes first;
	struct rig r;

	(void)state;
	rig_start(&r);
	r.replies[MSG_SAGA_START] = (struct msg){ .type = MSG_REPLY,
						  .xid = BYTES("fake:1:8"),
						  .existed = true };
	r.silent = 1;
	assert_int_equal(agent_saga_start(r.t, &s, &run, NULL), OK);
	assert_int_equal(fake_seen(&r.fake, MSG_SAGA_START), 2);
	assert_false(run.existed);
	first = told(&r, MSG_SAGA_START).business_key;
	first = arena_bytes(&r.arena, first);
	assert_int_equal(first.len, strlen("run-") + 32);
	assert_int_equal(agent_saga_start(r.t, &s, &run, NULL), OK);
	assert_false(bytes_equal(first, told(&r, MSG_SAGA_START).business_key));
	r.replies[MSG_SAGA_START].xid = BYTES("");
	assert_int_equal(agent_saga_start(r.t, &s, &run, NULL), E_CORRUPT);
	rig_stop(&r);
}

static void test_runs_and_machines_are_ordered_about(void **state)
{
	struct buf name, version;
	bool existed = false;
	int status = 0;
	struct rig r;
	struct msg m;

	(void)state;
	rig_start(&r);
	buf_init(&name, &mem_heap);
	buf_init(&version, &mem_heap);
	assert_int_equal(agent_saga_move(r.t, "fake:1:8", AGENT_SAGA_SKIP, 5,
					 "seen", &status),
			 OK);
	m = told(&r, MSG_SAGA_MOVE);
	assert_text(m.xid, "fake:1:8");
	assert_int_equal(m.move, AGENT_SAGA_SKIP);
	assert_int_equal(m.task, 5);
	assert_text(m.text, "seen");
	assert_int_equal(status, GTX_BEGIN);
	assert_int_equal(agent_saga_move(r.t, "nonsense", AGENT_SAGA_SKIP, 5,
					 NULL, NULL),
			 E_INVALID);

	r.replies[MSG_MACHINE_PUT] = (struct msg){ .type = MSG_REPLY,
						   .name = BYTES("checkout"),
						   .version = BYTES("2"),
						   .existed = true };
	assert_int_equal(
		agent_machine_put(r.t, BYTES("{1}"), &name, &version, &existed),
		OK);
	assert_text(told(&r, MSG_MACHINE_PUT).text, "{1}");
	assert_string_equal(buf_text(&name), "checkout");
	assert_string_equal(buf_text(&version), "2");
	assert_true(existed);
	r.replies[MSG_MACHINE_DROP] = (struct msg){
		.type = MSG_REPLY,
		.err = (uint64_t)-E_STATE,
		.text = BYTES("two runs use it"),
	};
	assert_int_equal(agent_machine_drop(r.t, BYTES("checkout"), BYTES("2")),
			 E_STATE);
	assert_non_null(strstr(treaty_last_error(), "two runs use it"));
	assert_text(told(&r, MSG_MACHINE_DROP).version, "2");

	r.replies[MSG_SAGA_SHOW] = (struct msg){ .type = MSG_REPLY,
						 .status = GTX_ROLLBACKED,
						 .detail = BYTES("{\"x\":1}") };
	buf_clear(&name);
	assert_int_equal(agent_saga_show(r.t, "fake:1:8", &name, &status), OK);
	assert_string_equal(buf_text(&name), "{\"x\":1}");
	assert_int_equal(status, GTX_ROLLBACKED);
	r.silent = 10;
	assert_int_equal(agent_saga_show(r.t, "fake:1:8", &name, &status),
			 E_TIMEOUT);
	buf_fini(&name);
	buf_fini(&version);
	rig_stop(&r);
}

/* ---- URLs ---- */

static void test_urls_become_an_origin_and_a_document(void **state)
{
	const struct agent_urls whole = { .commit = "HTTP://Bank/a",
					  .rollback = "http://bank:80/b",
					  .check = "http://BANK/c",
					  .headers = "{\"k\":\"v\"}" };
	const struct agent_urls none = { 0 };
	const struct agent_urls two = { .commit = "http://bank/a",
					.check = "https://bank/a" };
	struct buf resource, document;

	(void)state;
	buf_init(&resource, &mem_heap);
	buf_init(&document, &mem_heap);
	assert_int_equal(agent_target(&whole, &resource, &document), OK);
	assert_string_equal(buf_text(&resource), "http://bank:80");
	assert_string_equal(buf_text(&document),
			    "{\"commit\":\"HTTP://Bank/a\",\"rollback\":"
			    "\"http://bank:80/b\",\"check\":\"http://BANK/c\","
			    "\"headers\":{\"k\":\"v\"}}");
	assert_int_equal(agent_target(&none, &resource, &document), E_INVALID);
	assert_int_equal(agent_target(&two, &resource, &document), E_INVALID);
	buf_fini(&resource);
	buf_fini(&document);
}

/* ---- commands ---- */

static void keep(char into[64], const char *text)
{
	REQUIRE(strlen(text) < 64);
	memcpy(into, text, strlen(text) + 1);
}

static void run(void *ctx, const struct agent_command *c,
		struct agent_result *result)
{
	struct rig *r = ctx;

	r->seen = *c;
	keep(r->service, c->service);
	keep(r->method, c->method);
	atomic_fetch_add(&r->runs, 1);
	result->status = r->status;
	result->in_progress = r->in_progress;
	buf_put_text(result->error, "why");
	buf_put_text(result->error_name, "NoMoney");
	for (size_t i = 0; i < r->output; i++)
		buf_put_char(result->detail, '1');
}

static void command(struct rig *r, struct msg m)
{
	unsigned n = fake_seen(&r->fake, MSG_BRANCH_DONE);

	m.id = 500 + n;
	fake_command(&r->fake, m);
	assert_true(fake_wait(&r->fake, MSG_BRANCH_DONE, n + 1, 5000));
	assert_int_equal(r->fake.done_id, m.id);
	assert_int_equal(r->fake.done_command, m.command);
}

static void serve(struct rig *r)
{
	const struct agent_handler h = { .run = run };
	unsigned hellos = fake_seen(&r->fake, MSG_HELLO);

	assert_int_equal(
		agent_resource_add(r->t, BYTES("saga:stock"), MODE_SAGA, &h, r),
		OK);
	assert_true(fake_wait(&r->fake, MSG_HELLO, hellos + 1, 2000));
}

static void test_a_call_is_run_and_its_end_told(void **state)
{
	struct msg m = { .xid = BYTES("fake:1:8"),
			 .branch = 0,
			 .command = AGENT_CALL,
			 .resource = BYTES("saga:stock"),
			 .application_data = BYTES("[1]"),
			 .attempt = 3,
			 .timeout_ms = 900,
			 .service = BYTES("stock"),
			 .method = BYTES("take"),
			 .compensation = true };
	struct rig r;

	(void)state;
	rig_start(&r);
	serve(&r);
	r.status = BRANCH_COMMIT_UNRETRYABLE;
	command(&r, m);
	assert_int_equal(r.seen.type, AGENT_CALL);
	assert_int_equal(r.seen.branch, 0);
	assert_int_equal(r.seen.attempt, 3);
	assert_int_equal(r.seen.timeout_ms, 900);
	assert_true(r.seen.compensation);
	assert_string_equal(r.service, "stock");
	assert_string_equal(r.method, "take");
	assert_int_equal(r.fake.done_status, BRANCH_COMMIT_UNRETRYABLE);
	assert_string_equal(r.fake.done_text, "why");
	assert_string_equal(r.fake.done_error_name, "NoMoney");
	assert_false(r.fake.done_in_progress);

	r.status = BRANCH_COMMITTED;
	r.output = 3;
	command(&r, m);
	assert_int_equal(r.fake.done_status, BRANCH_COMMITTED);
	assert_string_equal(r.fake.done_detail, "111");
	r.status = BRANCH_COMMIT_RETRYABLE;
	r.in_progress = true;
	command(&r, m);
	assert_true(r.fake.done_in_progress);

	/* An output that is lost is not an empty one. */
	r.status = BRANCH_COMMITTED;
	r.in_progress = false;
	r.output = 1024 * 1024 + 1;
	command(&r, m);
	assert_int_equal(r.fake.done_status, BRANCH_COMMIT_RETRYABLE);
	assert_non_null(strstr(r.fake.done_text, "longer than 1 MiB"));
	rig_stop(&r);
}

static void test_a_resource_gets_what_its_mode_is_for(void **state)
{
	struct msg m = { .xid = BYTES("fake:1:8"),
			 .branch = 4,
			 .resource = BYTES("saga:stock"),
			 .mode = MODE_SAGA,
			 .attempt = 1 };
	struct rig r;

	(void)state;
	rig_start(&r);
	serve(&r);
	r.status = BRANCH_ROLLBACKED;
	m.command = AGENT_ROLLBACK;
	command(&r, m);
	assert_int_equal(atomic_load(&r.runs), 1);
	m.mode = MODE_TCC;
	command(&r, m);
	m.mode = MODE_SAGA;
	m.command = AGENT_CHECK;
	command(&r, m);
	assert_int_equal(r.fake.done_status, BRANCH_COMMIT_RETRYABLE);
	assert_int_equal(atomic_load(&r.runs), 1);
	m.command = AGENT_CALL + 1; /* of a later version */
	m.id = 900;
	fake_command(&r.fake, m);
	m.command = AGENT_CALL;
	command(&r, m);
	assert_int_equal(atomic_load(&r.runs), 2);
	rig_stop(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_start_says_all_and_hears_all),
		cmocka_unit_test(
			test_a_start_without_a_key_is_one_run_all_the_same),
		cmocka_unit_test(test_runs_and_machines_are_ordered_about),
		cmocka_unit_test(test_urls_become_an_origin_and_a_document),
		cmocka_unit_test(test_a_call_is_run_and_its_end_told),
		cmocka_unit_test(test_a_resource_gets_what_its_mode_is_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
