#include "rm-agent/agent.h"
#include "rm-agent/saga/service.h"
#include "tests/fakes/coordinator.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>

#include <cmocka.h>

/* Sagas against a coordinator of the test's own, which keeps what it was told.
 * tests/live/saga_test.c has the real one. */

#define KEEP 200

struct rig {
	struct fake_coordinator fake;
	struct treaty *t;

	/* What was told; written by the fake's thread before it answers. */
	struct msg told; /* its texts are below */
	char text[8][KEEP];
	enum msg_type type;
	struct msg reply; /* what to answer, if .answer_with */
	bool answer_with;

	/* What the callback does and saw. */
	enum treaty_saga_answer answer;
	const char *output, *error_name, *error;
	int output_rc, close_rc;
	char xid[KEEP], service[KEEP], method[KEEP], input[KEEP];
	uint64_t task, attempt;
	bool compensates;
	_Atomic int calls;
};

static struct bytes keep(char to[KEEP], struct bytes b)
{
	REQUIRE(b.len < KEEP);
	if (b.len > 0)
		memcpy(to, b.data, b.len);
	to[b.len] = '\0';
	return (struct bytes){ (const uint8_t *)to, b.len };
}

static enum fake_verdict answer(void *ctx, const struct msg *m,
				struct msg *reply)
{
	struct rig *r = ctx;

	if (m->type == MSG_BEGIN || m->type == MSG_ROLLBACK)
		return FAKE_DEFAULT;
	r->type = m->type;
	r->told = *m;
	r->told.text = keep(r->text[0], m->text);
	r->told.name = keep(r->text[1], m->name);
	r->told.version = keep(r->text[2], m->version);
	r->told.business_key = keep(r->text[3], m->business_key);
	r->told.input = keep(r->text[4], m->input);
	r->told.participant = keep(r->text[5], m->participant);
	r->told.resource = keep(r->text[6], m->resource);
	r->told.application_data = keep(r->text[7], m->application_data);
	if (!r->answer_with)
		return FAKE_DEFAULT;
	*reply = r->reply;
	return FAKE_REPLY;
}

static enum treaty_saga_answer on_call(void *ctx, struct treaty_saga_call *call)
{
	struct rig *r = ctx;

	keep(r->xid, bytes_of(treaty_saga_xid(call)));
	keep(r->service, bytes_of(treaty_saga_service_name(call)));
	keep(r->method, bytes_of(treaty_saga_method(call)));
	keep(r->input, bytes_of(treaty_saga_input(call)));
	r->task = treaty_saga_task(call);
	r->attempt = treaty_saga_attempt(call);
	r->compensates = treaty_saga_compensates(call);
	r->close_rc = treaty_close(r->t);
	if (r->output)
		r->output_rc = treaty_saga_output(call, r->output);
	if (r->error_name || r->error)
		treaty_saga_error(call, r->error_name, r->error);
	atomic_fetch_add(&r->calls, 1);
	return r->answer;
}

static const struct treaty_saga_service service = { .size = sizeof service,
						    .on_call = on_call };

static void rig_start(struct rig *r)
{
	struct treaty_options o;

	*r = (struct rig){ .fake = { .answer = answer, .ctx = r } };
	fake_start(&r->fake);
	treaty_options_init(&o, sizeof o);
	o.address = r->fake.address;
	o.application = "order";
	o.request_timeout_ms = 5000;
	assert_int_equal(treaty_open(&r->t, &o), TREATY_OK);
	assert_int_equal(treaty_saga_service_add(r->t, "stock", &service, r),
			 TREATY_OK);
	assert_true(fake_wait(&r->fake, MSG_HELLO, 1, 5000));
}

static void rig_stop(struct rig *r)
{
	assert_int_equal(treaty_close(r->t), TREATY_OK);
	fake_stop(&r->fake);
}

static void answer_with(struct rig *r, struct msg reply)
{
	r->answer_with = true;
	r->reply = reply;
	r->reply.type = MSG_REPLY;
}

static void assert_says(const char *part)
{
	if (!strstr(treaty_last_error(), part))
		fail_msg("\"%s\" does not say \"%s\"", treaty_last_error(),
			 part);
}

static void assert_text(struct bytes b, const char *text)
{
	if (!bytes_equal(b, bytes_of(text)))
		fail_msg("\"%.*s\" is not \"%s\"", (int)b.len,
			 (const char *)b.data, text);
}

/* ---- services ---- */

static struct msg call_of(uint64_t id)
{
	return (struct msg){ .type = MSG_COMMAND,
			     .id = id,
			     .xid = BYTES("fake:1:7"),
			     .branch = 3,
			     .mode = MODE_SAGA,
			     .resource = BYTES("saga:stock"),
			     .command = AGENT_CALL,
			     .service = BYTES("stock"),
			     .method = BYTES("take"),
			     .attempt = 2,
			     .application_data = BYTES("[1]") };
}

static void called(struct rig *r, struct msg m)
{
	unsigned n = fake_seen(&r->fake, MSG_BRANCH_DONE);

	fake_command(&r->fake, m);
	assert_true(fake_wait(&r->fake, MSG_BRANCH_DONE, n + 1, 5000));
	assert_int_equal(r->fake.done_id, m.id);
}

static void test_a_call_is_told_whole(void **state)
{
	struct msg m = call_of(9);
	struct rig r;

	(void)state;
	rig_start(&r);
	r.answer = TREATY_SAGA_DONE;
	called(&r, m);
	assert_string_equal(r.xid, "fake:1:7");
	assert_string_equal(r.service, "stock");
	assert_string_equal(r.method, "take");
	assert_string_equal(r.input, "[1]");
	assert_int_equal(r.task, 3);
	assert_int_equal(r.attempt, 2);
	assert_false(r.compensates);
	assert_int_equal(r.close_rc, TREATY_E_STATE);
	m.compensation = true;
	m.method = m.application_data = (struct bytes){ 0 };
	m.branch = 0; /* tasks are counted from 0 */
	m.id++;
	called(&r, m);
	assert_true(r.compensates);
	assert_string_equal(r.method, "");
	assert_string_equal(r.input, "{}");
	assert_int_equal(r.task, 0);
	rig_stop(&r);
}

static void test_answers_become_the_commands_end(void **state)
{
	static const struct {
		int answer;
		enum branch_status status;
		bool in_progress;
		const char *text, *name, *detail;
	} rows[] = {
		{ TREATY_SAGA_DONE, BRANCH_COMMITTED, false, "", "", "[5]" },
		{ TREATY_SAGA_REFUSED, BRANCH_COMMIT_UNRETRYABLE, false,
		  "none left", "sold_out", "" },
		{ TREATY_SAGA_UNKNOWN, BRANCH_COMMIT_RETRYABLE, false,
		  "none left", "sold_out", "" },
		{ TREATY_SAGA_IN_PROGRESS, BRANCH_COMMIT_RETRYABLE, true, "",
		  "", "" },
		{ 77, BRANCH_COMMIT_RETRYABLE, false,
		  "none left (it answered 77, which means nothing)", "sold_out",
		  "" },
	};
	struct rig r;

	(void)state;
	rig_start(&r);
	r.error = "none left";
	r.error_name = "sold_out";
	r.output = "[5]";
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		r.answer = (enum treaty_saga_answer)rows[i].answer;
		called(&r, call_of(100 + i));
		assert_int_equal(r.fake.done_status, rows[i].status);
		assert_int_equal(r.fake.done_in_progress, rows[i].in_progress);
		assert_string_equal(r.fake.done_text, rows[i].text);
		assert_string_equal(r.fake.done_error_name, rows[i].name);
		assert_string_equal(r.fake.done_detail, rows[i].detail);
	}
	rig_stop(&r);
}

static void test_without_a_reason_it_says_so(void **state)
{
	struct rig r;

	(void)state;
	rig_start(&r);
	r.answer = TREATY_SAGA_REFUSED;
	called(&r, call_of(1));
	assert_string_equal(r.fake.done_text, "it gave no reason");
	assert_string_equal(r.fake.done_error_name, "");
	rig_stop(&r);
}

static void test_an_output_is_json_or_refused(void **state)
{
	static const char *const wrong[] = { "", "{", "'a'", "\"\xff\"" };
	struct rig r;

	(void)state;
	rig_start(&r);
	r.answer = TREATY_SAGA_DONE;
	for (unsigned i = 0; i < ARRAY_LEN(wrong); i++) {
		r.output = wrong[i];
		called(&r, call_of(1 + i));
		assert_int_equal(r.output_rc, TREATY_E_INVALID);
		assert_string_equal(r.fake.done_detail, "");
	}
	rig_stop(&r);
}

static void test_a_long_output_is_refused(void **state)
{
	static char big[SERVICE_OUTPUT_MAX + 2];
	struct service own = { .resource = (char[]){ "saga:stock" } };
	struct treaty_saga_call call = { .service = &own };

	(void)state;
	memset(big, ' ', sizeof big - 1);
	big[0] = '1';
	assert_int_equal(treaty_saga_output(&call, big), TREATY_E_LIMIT);
	assert_says("service stock");
	assert_null(call.output);
	big[SERVICE_OUTPUT_MAX] = '\0';
	assert_int_equal(treaty_saga_output(&call, big), TREATY_OK);
	assert_int_equal(treaty_saga_output(&call, "[2]"), TREATY_OK);
	assert_string_equal(call.output, "[2]"); /* the last one counts */
	service_call_fini(&call);
}

static void test_rollbacks_of_branches_are_compensations(void **state)
{
	struct msg m = call_of(1);
	struct rig r;

	(void)state;
	rig_start(&r);
	m.command = AGENT_ROLLBACK;
	m.branch = UINT64_MAX;
	m.service = m.method = (struct bytes){ 0 };
	r.answer = TREATY_SAGA_DONE;
	r.error = "busy";
	called(&r, m);
	assert_int_equal(r.fake.done_status, BRANCH_ROLLBACKED);
	assert_true(r.compensates);
	assert_true(r.task == UINT64_MAX);
	assert_string_equal(r.method, "");
	for (unsigned i = 0; i < 4; i++) {
		static const int rows[][2] = {
			{ TREATY_SAGA_UNKNOWN, BRANCH_ROLLBACK_RETRYABLE },
			{ -1, BRANCH_ROLLBACK_RETRYABLE },
			{ TREATY_SAGA_IN_PROGRESS, BRANCH_ROLLBACK_RETRYABLE },
			{ TREATY_SAGA_REFUSED, BRANCH_ROLLBACK_UNRETRYABLE },
		};

		r.answer = (enum treaty_saga_answer)rows[i][0];
		m.id++;
		called(&r, m);
		assert_int_equal(r.fake.done_status, rows[i][1]);
		assert_int_equal(r.fake.done_in_progress, i == 2);
	}
	/* its commit is nobody's business */
	r.answer = TREATY_SAGA_UNKNOWN;
	m.command = AGENT_COMMIT;
	m.id++;
	called(&r, m);
	assert_int_equal(r.fake.done_status, BRANCH_COMMITTED);
	assert_int_equal(r.calls, 5);
	rig_stop(&r);
}

static void test_long_reasons_are_cut_between_characters(void **state)
{
	static char text[1200];
	struct treaty_saga_call call = { 0 };

	(void)state;
	for (size_t i = 0; i + 1 < sizeof text; i += 2)
		memcpy(text + i, "\xc3\xa4", 2);
	text[sizeof text - 1] = '\0';
	treaty_saga_error(&call, text, text + 1); /* in the middle */
	assert_int_equal(strlen(call.error_name), 128);
	assert_int_equal(strlen(call.error), 999);
	treaty_saga_error(&call, NULL, "short");
	assert_string_equal(call.error_name, "");
	assert_string_equal(call.error, "short");
}

static void test_a_service_that_makes_no_sense_is_refused(void **state)
{
	struct treaty_saga_service s = service;
	char name[126];
	struct rig r;

	(void)state;
	rig_start(&r);
	assert_int_equal(treaty_saga_service_add(r.t, "stock", &s, &r),
			 TREATY_E_STATE);
	assert_int_equal(treaty_saga_service_add(r.t, "", &s, &r),
			 TREATY_E_INVALID);
	assert_int_equal(treaty_saga_service_add(r.t, NULL, &s, &r),
			 TREATY_E_INVALID);
	assert_int_equal(treaty_saga_service_add(r.t, "a\nb", &s, &r),
			 TREATY_E_INVALID);
	assert_int_equal(treaty_saga_service_add(NULL, "a", &s, &r),
			 TREATY_E_INVALID);
	memset(name, 'x', 124);
	name[124] = '\0';
	assert_int_equal(treaty_saga_service_add(r.t, name, &s, &r),
			 TREATY_E_INVALID);
	assert_int_equal(treaty_saga_service_add(r.t, name + 1, &s, &r),
			 TREATY_OK);
	s.barrier_table = "a;b";
	assert_int_equal(treaty_saga_service_add(r.t, "a", &s, &r),
			 TREATY_E_INVALID);
	assert_says("barrier_table");
	s = service;
	s.on_call = NULL;
	assert_int_equal(treaty_saga_service_add(r.t, "a", &s, &r),
			 TREATY_E_INVALID);
	s = service;
	s.size = 0;
	assert_int_equal(treaty_saga_service_add(r.t, "a", &s, &r),
			 TREATY_E_INVALID);
	assert_says("size");
	rig_stop(&r);
}

/* ---- starting ---- */

static void test_a_start_says_everything(void **state)
{
	const struct treaty_saga_options o = { .size = sizeof o,
					       .machine = "sell",
					       .version = "2",
					       .business_key = "order-1",
					       .input = "{\"n\":1}",
					       .deadline_ms = 5000,
					       .wait_ms = 700,
					       .headers = "{\"A\":\"b\"}" };
	struct treaty_saga_run run;
	struct rig r;

	(void)state;
	rig_start(&r);
	answer_with(&r, (struct msg){ .xid = BYTES("fake:1:9"),
				      .status = GTX_COMMITTED,
				      .existed = true,
				      .detail = BYTES("{\"data\":1}") });
	assert_int_equal(treaty_saga_start(r.t, &o, &run), TREATY_OK);
	assert_int_equal(r.type, MSG_SAGA_START);
	assert_text(r.told.name, "sell");
	assert_text(r.told.version, "2");
	assert_text(r.told.business_key, "order-1");
	assert_text(r.told.input, "{\"n\":1}");
	assert_text(r.told.participant, "{\"headers\":{\"A\":\"b\"}}");
	assert_text(r.told.text, "");
	assert_int_equal(r.told.timeout_ms, 5000);
	assert_int_equal(r.told.wait_ms, 700);
	assert_string_equal(run.xid, "fake:1:9");
	assert_true(run.existed);
	assert_int_equal(run.status, TREATY_STATUS_COMMITTED);
	assert_string_equal(run.json, "{\"data\":1}");
	treaty_saga_free(run.json);
	rig_stop(&r);
}

static void test_a_start_without_a_key_gets_one_of_its_own(void **state)
{
	struct treaty_saga_options o = { .size = sizeof o,
					 .document = "{\"name\":\"g\"}" };
	struct treaty_saga_run run;
	char first[KEEP];
	struct rig r;

	(void)state;
	rig_start(&r);
	answer_with(&r, (struct msg){ .xid = BYTES("fake:1:9"),
				      .status = GTX_BEGIN,
				      .existed = true });
	assert_int_equal(treaty_saga_start(r.t, &o, &run), TREATY_OK);
	assert_text(r.told.text, "{\"name\":\"g\"}");
	assert_text(r.told.name, "");
	assert_text(r.told.participant, "");
	assert_in_range(r.told.business_key.len, 20, 100);
	assert_false(run.existed); /* nobody else has that key */
	assert_null(run.json);
	keep(first, r.told.business_key);
	assert_int_equal(treaty_saga_start(r.t, &o, &run), TREATY_OK);
	assert_false(bytes_equal(bytes_of(first), r.told.business_key));
	rig_stop(&r);
}

static void start_says(struct rig *r, struct treaty_saga_options o,
		       const char *why)
{
	struct treaty_saga_run run;
	unsigned asked = fake_seen(&r->fake, MSG_SAGA_START);

	assert_int_equal(treaty_saga_start(r->t, &o, &run), TREATY_E_INVALID);
	assert_says(why);
	assert_int_equal(fake_seen(&r->fake, MSG_SAGA_START), asked);
}

static void test_options_that_make_no_sense_are_refused(void **state)
{
	const size_t size = sizeof(struct treaty_saga_options);
	struct treaty_saga_run run;
	struct rig r;

	(void)state;
	rig_start(&r);
	start_says(&r, (struct treaty_saga_options){ .machine = "m" },
		   "size of its options");
	start_says(&r, (struct treaty_saga_options){ .size = size },
		   "a machine's name or a document");
	start_says(&r,
		   (struct treaty_saga_options){
			   .size = size, .machine = "m", .document = "{}" },
		   "not both");
	start_says(&r,
		   (struct treaty_saga_options){
			   .size = size, .document = "{}", .version = "1" },
		   "version of a document");
	start_says(&r,
		   (struct treaty_saga_options){
			   .size = size, .machine = "m", .input = "[1]" },
		   "its input must be a JSON object");
	start_says(&r,
		   (struct treaty_saga_options){
			   .size = size, .machine = "m", .headers = "{" },
		   "its headers must be");
	assert_int_equal(treaty_saga_start(r.t, NULL, &run), TREATY_E_INVALID);
	assert_int_equal(
		treaty_saga_start(NULL,
				  &(struct treaty_saga_options){
					  .size = size, .machine = "m" },
				  &run),
		TREATY_E_INVALID);
	rig_stop(&r);
}

static void test_a_graph_is_started_as_its_document(void **state)
{
	struct treaty_saga_options o = { .size = sizeof o,
					 .business_key = "k",
					 .wait_ms = 5 };
	struct treaty_saga_graph *g = treaty_saga_graph_new("g", NULL);
	struct treaty_saga_run run;
	struct rig r;

	(void)state;
	rig_start(&r);
	answer_with(&r, (struct msg){ .xid = BYTES("fake:1:9") });
	assert_int_equal(treaty_saga_graph_start(g, r.t, &o, &run),
			 TREATY_E_INVALID);
	assert_says("it has no step");
	assert_int_equal(fake_seen(&r.fake, MSG_SAGA_START), 0);
	treaty_saga_graph_step(g,
			       &(struct treaty_saga_step){
				       .size = sizeof(struct treaty_saga_step),
				       .name = "a",
				       .action = "stock" });
	assert_int_equal(treaty_saga_graph_start(g, r.t, &o, &run), TREATY_OK);
	assert_text(r.told.text, "{\"name\":\"g\",\"steps\":[{\"name\":\"a\","
				 "\"action\":\"stock\"}]}");
	assert_text(r.told.business_key, "k");
	assert_int_equal(r.told.wait_ms, 5);
	assert_int_equal(treaty_saga_graph_start(g, r.t, NULL, &run),
			 TREATY_OK);
	o.machine = "m";
	assert_int_equal(treaty_saga_graph_start(g, r.t, &o, &run),
			 TREATY_E_INVALID);
	o.size = 0;
	assert_int_equal(treaty_saga_graph_start(g, r.t, &o, &run),
			 TREATY_E_INVALID);
	assert_int_equal(treaty_saga_graph_start(NULL, r.t, NULL, &run),
			 TREATY_E_NOMEM);
	treaty_saga_graph_free(g);
	rig_stop(&r);
}

static void test_what_the_coordinator_refuses_is_told(void **state)
{
	const struct treaty_saga_options o = { .size = sizeof o,
					       .machine = "m" };
	struct treaty_saga_machine machine;
	struct treaty_saga_run run = { .xid = "untouched" };
	struct rig r;

	(void)state;
	rig_start(&r);
	answer_with(&r, (struct msg){ .err = (uint64_t)-E_NOTFOUND,
				      .text = BYTES("there is no m") });
	assert_int_equal(treaty_saga_start(r.t, &o, &run), TREATY_E_NOTFOUND);
	assert_says("there is no m");
	assert_string_equal(run.xid, "untouched");
	answer_with(&r, (struct msg){ .err = (uint64_t)-E_INVALID,
				      .text = BYTES("$.x: no such key") });
	assert_int_equal(treaty_saga_machine_put(r.t, "{}", &machine),
			 TREATY_E_INVALID);
	assert_says("$.x: no such key");
	assert_int_equal(treaty_saga_machine_put(r.t, NULL, &machine),
			 TREATY_E_INVALID);
	assert_says("NULL");
	rig_stop(&r);
}

/* ---- machines, moves ---- */

static void test_machines_are_put_and_dropped(void **state)
{
	struct treaty_saga_machine m;
	struct rig r;

	(void)state;
	rig_start(&r);
	answer_with(&r, (struct msg){ .name = BYTES("sell"),
				      .version = BYTES("2"),
				      .existed = true });
	assert_int_equal(treaty_saga_machine_put(r.t, "{\"a\":1}", &m),
			 TREATY_OK);
	assert_int_equal(r.type, MSG_MACHINE_PUT);
	assert_text(r.told.text, "{\"a\":1}");
	assert_string_equal(m.name, "sell");
	assert_string_equal(m.version, "2");
	assert_true(m.existed);
	assert_int_equal(treaty_saga_machine_put(r.t, "{\"a\":1}", NULL),
			 TREATY_OK);
	assert_int_equal(treaty_saga_machine_drop(r.t, "sell", NULL),
			 TREATY_OK);
	assert_int_equal(r.type, MSG_MACHINE_DROP);
	assert_text(r.told.name, "sell");
	assert_text(r.told.version, "");
	assert_int_equal(treaty_saga_machine_drop(r.t, "sell", "2"), TREATY_OK);
	assert_text(r.told.version, "2");
	assert_int_equal(treaty_saga_machine_drop(r.t, "", "2"),
			 TREATY_E_INVALID);
	rig_stop(&r);
}

static void test_moves_say_what_to_move(void **state)
{
	struct rig r;

	(void)state;
	rig_start(&r);
	assert_int_equal(treaty_saga_forward(r.t, "fake:1:9", "it is back"),
			 TREATY_OK);
	assert_int_equal(r.type, MSG_SAGA_MOVE);
	assert_int_equal(r.told.move, AGENT_SAGA_FORWARD);
	assert_text(r.told.text, "it is back");
	assert_int_equal(treaty_saga_compensate(r.t, "fake:1:9", NULL),
			 TREATY_OK);
	assert_int_equal(r.told.move, AGENT_SAGA_COMPENSATE);
	assert_int_equal(treaty_saga_skip(r.t, "fake:1:9", 4, "done by hand"),
			 TREATY_OK);
	assert_int_equal(r.told.move, AGENT_SAGA_SKIP);
	assert_int_equal(r.told.task, 4);
	assert_int_equal(treaty_saga_skip(r.t, "fake:1:9", TREATY_SAGA_ALL, ""),
			 TREATY_OK);
	assert_int_equal(r.told.task, UINT32_MAX);
	assert_int_equal(treaty_saga_forward(r.t, "nonsense", NULL),
			 TREATY_E_INVALID);
	answer_with(&r, (struct msg){ .err = (uint64_t)-E_STATE,
				      .text = BYTES("it has ended") });
	assert_int_equal(treaty_saga_forward(r.t, "fake:1:9", NULL),
			 TREATY_E_STATE);
	assert_says("it has ended");
	rig_stop(&r);
}

static void test_show_gives_the_whole(void **state)
{
	char *json = NULL;
	struct rig r;

	(void)state;
	rig_start(&r);
	answer_with(&r, (struct msg){ .detail = BYTES("{\"path\":[]}") });
	assert_int_equal(treaty_saga_show(r.t, "fake:1:9", &json), TREATY_OK);
	assert_int_equal(r.type, MSG_SAGA_SHOW);
	assert_string_equal(json, "{\"path\":[]}");
	treaty_saga_free(json);
	json = NULL;
	answer_with(&r, (struct msg){ .err = (uint64_t)-E_NOTFOUND,
				      .text = BYTES("no such saga") });
	assert_int_equal(treaty_saga_show(r.t, "fake:1:9", &json),
			 TREATY_E_NOTFOUND);
	assert_null(json);
	/* it has ended: the coordinator only knows how */
	answer_with(&r, (struct msg){ .status = GTX_COMMITTED });
	assert_int_equal(treaty_saga_show(r.t, "fake:1:9", &json),
			 TREATY_E_NOTFOUND);
	assert_says("fake:1:9 has ended");
	assert_null(json);
	rig_stop(&r);
}

/* ---- waiting ---- */

static void test_a_wait_ends_with_the_run_or_its_time(void **state)
{
	struct rig r;
	int status;

	(void)state;
	rig_start(&r);
	answer_with(&r, (struct msg){ .status = GTX_BEGIN });
	assert_int_equal(treaty_saga_status(r.t, "fake:1:9", 0, &status),
			 TREATY_OK);
	assert_int_equal(status, TREATY_STATUS_BEGIN);
	assert_int_equal(fake_seen(&r.fake, MSG_STATUS), 1);
	assert_int_equal(treaty_saga_status(r.t, "fake:1:9", 60, &status),
			 TREATY_OK);
	assert_int_equal(status, TREATY_STATUS_BEGIN);
	assert_in_range(fake_seen(&r.fake, MSG_STATUS), 3, 8);
	/* a minute would be too long for the test */
	r.reply.status = GTX_COMMITTED;
	assert_int_equal(treaty_saga_status(r.t, "fake:1:9", 60000, &status),
			 TREATY_OK);
	assert_int_equal(status, TREATY_STATUS_COMMITTED);
	r.reply.status = GTX_COMMIT_FAILED;
	assert_int_equal(treaty_saga_status(r.t, "fake:1:9", 60000, &status),
			 TREATY_OK);
	assert_false(treaty_saga_ended(status));
	rig_stop(&r);
}

/* ---- branches ---- */

static struct treaty_tx *begin(struct rig *r)
{
	struct treaty_tx *tx;

	assert_int_equal(treaty_begin(r->t, "mixed", 0, &tx), TREATY_OK);
	return tx;
}

static void test_a_branch_is_registered_with_its_compensation(void **state)
{
	struct treaty_saga_branch branch;
	struct treaty_barrier b;
	struct treaty_tx *tx;
	struct rig r;

	(void)state;
	rig_start(&r);
	tx = begin(&r);
	assert_int_equal(
		treaty_saga_branch(r.t, "refund", "{\"n\":1}", &branch),
		TREATY_OK);
	assert_int_equal(r.told.mode, MODE_SAGA);
	assert_text(r.told.resource, "saga:refund");
	assert_text(r.told.participant, "");
	assert_text(r.told.application_data, "{\"n\":1}");
	b = treaty_saga_barrier_of(&branch);
	assert_string_equal(b.trans_type, "saga");
	assert_string_equal(b.gid, treaty_xid(tx));
	assert_string_equal(b.branch_id, "1");
	assert_string_equal(b.op, "action");
	assert_int_equal(treaty_saga_branch(r.t, "http://Bank/refund?a=\"b\"",
					    NULL, &branch),
			 TREATY_E_INVALID);
	assert_int_equal(treaty_saga_branch(r.t, "http://Bank/refund?a=b", NULL,
					    &branch),
			 TREATY_OK);
	assert_text(r.told.resource, "http://bank:80");
	assert_text(r.told.participant,
		    "{\"rollback\":\"http://Bank/refund?a=b\"}");
	assert_text(r.told.application_data, "{}");
	assert_int_equal(branch.id, 2);
	assert_int_equal(treaty_rollback(tx, NULL), TREATY_OK);
	assert_int_equal(treaty_release(tx), TREATY_OK);
	rig_stop(&r);
}

static void test_a_branch_that_makes_no_sense_is_refused(void **state)
{
	struct treaty_saga_branch b;
	struct treaty_tx *tx;
	struct rig r;

	(void)state;
	rig_start(&r);
	assert_int_equal(treaty_saga_branch(r.t, "refund", NULL, &b),
			 TREATY_E_STATE);
	tx = begin(&r);
	assert_int_equal(treaty_saga_branch(r.t, NULL, NULL, &b),
			 TREATY_E_INVALID);
	assert_int_equal(treaty_saga_branch(r.t, "", NULL, &b),
			 TREATY_E_INVALID);
	assert_int_equal(treaty_saga_branch(r.t, "refund", "{", &b),
			 TREATY_E_INVALID);
	assert_int_equal(treaty_saga_branch(r.t, "https://", NULL, &b),
			 TREATY_E_INVALID);
	assert_int_equal(fake_seen(&r.fake, MSG_REGISTER), 0);
	assert_int_equal(treaty_rollback(tx, NULL), TREATY_OK);
	assert_int_equal(treaty_release(tx), TREATY_OK);
	rig_stop(&r);
}

/* ---- a program with a loop of its own ---- */

static void test_without_threads_services_run_while_it_waits(void **state)
{
	struct treaty_options o;
	struct msg m = call_of(1);
	struct treaty *t;
	struct rig r;
	int status;

	(void)state;
	rig_start(&r);
	assert_int_equal(treaty_close(r.t), TREATY_OK);
	treaty_options_init(&o, sizeof o);
	o.address = r.fake.address;
	o.application = "order";
	o.threads = 0;
	assert_int_equal(treaty_open(&t, &o), TREATY_OK);
	r.t = t;
	r.answer = TREATY_SAGA_DONE;
	answer_with(&r, (struct msg){ .status = GTX_BEGIN });
	assert_int_equal(treaty_saga_service_add(t, "stock", &service, &r),
			 TREATY_OK);
	assert_int_equal(treaty_saga_status(t, "fake:1:9", 0, &status),
			 TREATY_OK);
	fake_command(&r.fake, m);
	assert_int_equal(treaty_saga_status(t, "fake:1:9", 300, &status),
			 TREATY_OK);
	assert_int_equal(r.calls, 1);
	assert_true(fake_wait(&r.fake, MSG_BRANCH_DONE, 1, 1000));
	rig_stop(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_call_is_told_whole),
		cmocka_unit_test(test_answers_become_the_commands_end),
		cmocka_unit_test(test_without_a_reason_it_says_so),
		cmocka_unit_test(test_an_output_is_json_or_refused),
		cmocka_unit_test(test_a_long_output_is_refused),
		cmocka_unit_test(test_rollbacks_of_branches_are_compensations),
		cmocka_unit_test(test_long_reasons_are_cut_between_characters),
		cmocka_unit_test(test_a_service_that_makes_no_sense_is_refused),
		cmocka_unit_test(test_a_start_says_everything),
		cmocka_unit_test(
			test_a_start_without_a_key_gets_one_of_its_own),
		cmocka_unit_test(test_options_that_make_no_sense_are_refused),
		cmocka_unit_test(test_a_graph_is_started_as_its_document),
		cmocka_unit_test(test_what_the_coordinator_refuses_is_told),
		cmocka_unit_test(test_machines_are_put_and_dropped),
		cmocka_unit_test(test_moves_say_what_to_move),
		cmocka_unit_test(test_show_gives_the_whole),
		cmocka_unit_test(test_a_wait_ends_with_the_run_or_its_time),
		cmocka_unit_test(
			test_a_branch_is_registered_with_its_compensation),
		cmocka_unit_test(test_a_branch_that_makes_no_sense_is_refused),
		cmocka_unit_test(
			test_without_threads_services_run_while_it_waits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
