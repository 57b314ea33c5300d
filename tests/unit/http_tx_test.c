#include "base/lock_key.h"
#include "tests/fakes/flaky.h"
#include "tests/fakes/http_exchange.h"

#include <stdio.h>

/*
 * What a service does with a transaction: begin, register, report, decide.
 */

#define TX "/api/v1/transactions"

static int setup(void **state)
{
	(void)state;
	world = (struct world){ .now_ms = 1000, .state = HOST_READY };
	world.gtx[0] = (struct gtx_view){ .number = 12, .status = GTX_BEGIN };
	world.n_gtx = 1;
	world_allow("http://pay:8080 http://a https://a http://b");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	world_allow(NULL);
	return 0;
}

static void test_a_transaction_is_begun(void **state)
{
	(void)state;
	ask_core("POST", TX,
		 "{\"name\":\"check\\u006fut\",\"application\":\"shop\","
		 "\"timeout_ms\":5000,\"ordered\":true}",
		 RQ_BEGIN);
	EXPECT_BYTES(x.request.name, "checkout");
	EXPECT_BYTES(x.request.application, "shop");
	assert_int_equal(x.request.timeout_ms, 5000);
	assert_true(x.request.ordered);
	assert_int_equal(x.request.kind, KIND_PLAIN);
	EXPECT_TOLD(201,
		    "{\"xid\":\"10.0.0.1:8091:7\",\"status\":\"Begin\","
		    "\"status_code\":1,\"finished\":false,\"hung\":false}",
		    .xid = BYTES("10.0.0.1:8091:7"), .status = GTX_BEGIN);
	end();
	ask_core("POST", TX, "{\"name\":\"n\",\"timeout_ms\":null}", RQ_BEGIN);
	assert_int_equal(x.request.timeout_ms, 0);
	EXPECT_TOLD(503, "\"code\":\"closing\"", .err = E_CLOSED);
	end();
	ask_core("POST", TX, "{\"name\":\"n\"}", RQ_BEGIN);
	EXPECT_TOLD(429, "\"detail\":\"too many\"", .err = E_LIMIT,
		    .text = BYTES("too many"));
	end();
	ask_core("POST", TX, "{\"name\":\"n\"}", RQ_BEGIN);
	EXPECT_TOLD(503, "nothing was done", .err = E_NOMEM);
	end();
}

static void test_a_document_that_is_not_clear_is_refused(void **state)
{
	static const struct {
		const char *body, *path;
	} bad[] = {
		{ "", "\"name\"" },
		{ "{}", "\"name\"" },
		{ "[]", "\"body\"" },
		{ "{\"name\":\"\"}", "\"name\"" },
		{ "{\"name\":null}", "\"name\"" },
		{ "{\"name\":7}", "\"name\"" },
		{ "{\"name\":\"a\\u0000b\"}", "\"name\"" },
		{ "{\"name\":\"\\ud800\"}", "\"name\"" },
		{ "{\"name\":\"a\",\"name\":\"a\"}", "\"name\"" },
		{ "{\"name\":\"a\",\"n\\u0061me\":\"b\"}", "\"name\"" },
		{ "{\"name\":\"a\",\"timeout\":1}", "\"timeout\"" },
		{ "{\"name\":\"a\",\"timeout_ms\":-1}", "\"timeout_ms\"" },
		{ "{\"name\":\"a\",\"timeout_ms\":1.5}", "\"timeout_ms\"" },
		{ "{\"name\":\"a\",\"timeout_ms\":1e3}", "\"timeout_ms\"" },
		{ "{\"name\":\"a\",\"timeout_ms\":\"1\"}", "\"timeout_ms\"" },
		{ "{\"name\":\"a\",\"timeout_ms\":18446744073709551616}",
		  "\"timeout_ms\"" },
		{ "{\"name\":\"a\",\"timeout_ms\":31536000001}",
		  "\"timeout_ms\"" },
		{ "{\"name\":\"a\",\"ordered\":1}", "\"ordered\"" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		begin("POST", TX, bad[i].body);
		if (run() != 400)
			fail_msg("taken: %s", bad[i].body);
		EXPECT_SAYS("\"code\":\"bad_json\"");
		EXPECT_SAYS("\"parameter\":");
		EXPECT_SAYS(bad[i].path);
		end();
	}
	expect_post(TX, "{\"name\":\"a\"", 400, "is not one JSON value");
	expect_post(TX, "{\"name\":\"\xff\"}", 400, "is not one JSON value");
	expect_post(TX, "{\"name\":\"a\",\"x\\\"\\u0001\":1}", 400,
		    "\"parameter\":\"x\\\"\\u0001\"");
}

/* ---- branches ---- */

static const char branches[] = TX "/12/branches";

static void test_a_tcc_branch_is_two_urls(void **state)
{
	(void)state;
	begin("POST", branches,
	      "{\"mode\":\"TCC\",\"confirm\":\"http://Pay:8080/confirm?a=1\","
	      "\"cancel\":\"http://pay:8080/cancel\","
	      "\"data\": {\"n\": 1.50},\"headers\":{\"X-Shop\":\"7\"},"
	      "\"timeout_ms\":2500}");
	x.call.idempotency_key = BYTES("order-7/pay");
	assert_int_equal(run(), 0);
	assert_int_equal(x.request.type, RQ_REGISTER);
	assert_int_equal(x.request.mode, MODE_TCC);
	EXPECT_BYTES(x.request.xid, "10.0.0.1:8091:12");
	EXPECT_BYTES(x.request.resource, "http://pay:8080");
	EXPECT_BYTES(x.request.participant,
		     "{\"commit\":\"http://Pay:8080/confirm?a=1\","
		     "\"rollback\":\"http://pay:8080/cancel\","
		     "\"headers\":{\"X-Shop\":\"7\"}}");
	EXPECT_BYTES(x.request.application_data, "{\"n\": 1.50}");
	assert_int_equal(x.request.call_timeout_ms, 2500);
	assert_true(x.request.client_key != 0);
	assert_int_equal(x.request.n_lock_keys, 0);
	EXPECT_TOLD(201,
		    "{\"xid\":\"10.0.0.1:8091:12\",\"status\":\"Begin\","
		    "\"status_code\":1,\"finished\":false,\"hung\":false,"
		    "\"branch\":\"18446744073709551615\"}",
		    .status = GTX_BEGIN, .branch = UINT64_MAX);
	end();
}

static uint64_t key_of(const char *idempotency_key)
{
	uint64_t key;

	begin("POST", branches,
	      "{\"mode\":\"SAGA\",\"compensate\":\"http://a/undo\"}");
	x.call.idempotency_key = bytes_of(idempotency_key);
	assert_int_equal(run(), 0);
	key = x.request.client_key;
	end();
	return key;
}

static void test_the_same_key_is_the_same_branch(void **state)
{
	(void)state;
	assert_int_equal(key_of(NULL), 0);
	assert_int_equal(key_of("a"), key_of("a"));
	assert_true(key_of("a") != key_of("b"));
	/* Kept in the store: never another number for the same key. */
	assert_int_equal(key_of("order-7"), UINT64_C(0x79073ce8bbb097f1));
}

static void test_each_mode_has_its_own_urls(void **state)
{
	(void)state;
	ask_core("POST", branches,
		 "{\"mode\":\"SAGA\",\"compensate\":\"https://a/undo\"}",
		 RQ_REGISTER);
	assert_int_equal(x.request.mode, MODE_SAGA);
	EXPECT_BYTES(x.request.resource, "https://a:443");
	EXPECT_BYTES(x.request.participant,
		     "{\"rollback\":\"https://a/undo\"}");
	end();
	ask_core("POST", branches,
		 "{\"mode\":\"XA\",\"commit\":\"http://a/c\","
		 "\"rollback\":\"http://a/r\"}",
		 RQ_REGISTER);
	assert_int_equal(x.request.mode, MODE_XA);
	EXPECT_BYTES(x.request.participant, "{\"commit\":\"http://a/c\","
					    "\"rollback\":\"http://a/r\"}");
	end();
	ask_core("POST", branches,
		 "{\"mode\":\"MSG\",\"to\":\"http://a/in\",\"data\":[1],"
		 "\"deliver_after_ms\":9,\"schedule_ms\":[1,20,300]}",
		 RQ_REGISTER);
	assert_int_equal(x.request.mode, MODE_MSG);
	EXPECT_BYTES(x.request.participant, "{\"commit\":\"http://a/in\"}");
	EXPECT_BYTES(x.request.application_data, "[1]");
	assert_int_equal(x.request.deliver_after_ms, 9);
	assert_int_equal(x.request.n_schedule, 3);
	assert_int_equal(x.request.schedule_ms[2], 300);
	assert_false(x.request.topic);
	end();
	ask_core("POST", branches,
		 "{\"mode\":\"MSG\",\"topic\":\"orders\",\"data\":1}",
		 RQ_REGISTER);
	assert_true(x.request.topic);
	EXPECT_BYTES(x.request.resource, "orders");
	assert_int_equal(x.request.participant.len, 0);
	EXPECT_TOLD(404, "\"code\":\"topic_not_found\"", .type = RQ_REGISTER,
		    .err = E_NOTFOUND, .text = BYTES("nobody subscribes"));
	world.n_gtx = 0;
	EXPECT_TOLD(404, "\"code\":\"transaction_not_found\"",
		    .type = RQ_REGISTER, .err = E_NOTFOUND);
	world.n_gtx = 1;
	end();
	ask_core("POST", branches,
		 "{\"mode\":\"TCC\",\"resource\":\"deduct\","
		 "\"application\":\"wallet\"}",
		 RQ_REGISTER);
	EXPECT_BYTES(x.request.resource, "deduct");
	EXPECT_BYTES(x.request.application, "wallet");
	assert_int_equal(x.request.participant.len, 0);
	end();
}

static void test_a_branch_that_is_not_clear_is_refused(void **state)
{
	static const struct {
		const char *body, *path;
	} bad[] = {
		{ "{}", "mode" },
		{ "{\"mode\":\"AT\",\"resource\":\"r\"}", "mode" },
		{ "{\"mode\":\"tcc\",\"resource\":\"r\"}", "mode" },
		{ "{\"mode\":\"TCC\"}", "confirm" },
		{ "{\"mode\":\"TCC\",\"confirm\":\"http://a/\"}", "cancel" },
		{ "{\"mode\":\"TCC\",\"cancel\":\"http://a/\"}", "confirm" },
		{ "{\"mode\":\"TCC\",\"confirm\":\"a\",\"cancel\":\"b\"}",
		  "confirm" },
		{ "{\"mode\":\"TCC\",\"confirm\":\"http://a/\","
		  "\"cancel\":\"http://b/\"}",
		  "body" },
		{ "{\"mode\":\"TCC\",\"confirm\":\"http://u:p@a/\","
		  "\"cancel\":\"http://a/\"}",
		  "confirm" },
		{ "{\"mode\":\"TCC\",\"confirm\":\"http://a/?gid=1\","
		  "\"cancel\":\"http://a/\"}",
		  "body" },
		{ "{\"mode\":\"TCC\",\"resource\":\"r\","
		  "\"confirm\":\"http://a/\",\"cancel\":\"http://a/\"}",
		  "resource" },
		{ "{\"mode\":\"TCC\",\"resource\":\"http://a/\"}", "resource" },
		{ "{\"mode\":\"TCC\",\"resource\":\"r\","
		  "\"headers\":{\"a\":\"b\"}}",
		  "headers" },
		{ "{\"mode\":\"TCC\",\"confirm\":\"http://a/\","
		  "\"cancel\":\"http://a/\",\"application\":\"x\"}",
		  "application" },
		{ "{\"mode\":\"TCC\",\"compensate\":\"http://a/\"}",
		  "compensate" },
		{ "{\"mode\":\"SAGA\"}", "compensate" },
		{ "{\"mode\":\"SAGA\",\"compensate\":\"http://a/\","
		  "\"to\":\"http://a/\"}",
		  "to" },
		{ "{\"mode\":\"SAGA\",\"compensate\":\"http://a/\","
		  "\"headers\":{\"Host\":\"b\"}}",
		  "headers" },
		{ "{\"mode\":\"SAGA\",\"compensate\":\"http://a/\","
		  "\"headers\":{\"X\":1}}",
		  "headers" },
		{ "{\"mode\":\"SAGA\",\"compensate\":\"http://a/\","
		  "\"headers\":[]}",
		  "headers" },
		{ "{\"mode\":\"MSG\"}", "to" },
		{ "{\"mode\":\"MSG\",\"to\":\"msg:a\",\"topic\":\"b\"}", "to" },
		{ "{\"mode\":\"MSG\",\"to\":\"mail\"}", "to" },
		{ "{\"mode\":\"MSG\",\"to\":\"ftp://a/\"}", "to" },
		{ "{\"mode\":\"MSG\",\"to\":\"msg:a\",\"headers\":{\"a\":"
		  "\"b\"}}",
		  "headers" },
		{ "{\"mode\":\"MSG\",\"topic\":\"a\",\"headers\":{\"a\":"
		  "\"b\"}}",
		  "headers" },
		{ "{\"mode\":\"MSG\",\"to\":\"msg:a\",\"schedule_ms\":[-1]}",
		  "schedule_ms" },
		{ "{\"mode\":\"MSG\",\"to\":\"msg:a\",\"schedule_ms\":7}",
		  "schedule_ms" },
		{ "{\"mode\":\"MSG\",\"to\":\"msg:a\",\"resource\":\"r\"}",
		  "resource" },
		{ "{\"mode\":\"MSG\",\"to\":\"msg:a\",\"lock_keys\":[]}",
		  "lock_keys" },
		{ "{\"mode\":\"TCC\",\"resource\":\"r\",\"lock_keys\":[7]}",
		  "lock_keys[0]" },
		{ "{\"mode\":\"TCC\",\"resource\":\"r\",\"lock_keys\":["
		  "{\"table\":\"t\",\"key\":[\"1\"]},{\"table\":\"t\"}]}",
		  "lock_keys[1].key" },
		{ "{\"mode\":\"TCC\",\"resource\":\"r\",\"lock_keys\":["
		  "{\"table\":\"t\",\"key\":[1]}]}",
		  "lock_keys[0].key" },
		{ "{\"mode\":\"TCC\",\"resource\":\"r\",\"lock_keys\":["
		  "{\"table\":\"t\",\"key\":[\"1\"],\"row\":2}]}",
		  "lock_keys[0].row" },
		{ "{\"mode\":\"TCC\",\"resource\":\"r\","
		  "\"lock_wait_ms\":60001}",
		  "lock_wait_ms" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		char parameter[100];

		(void)snprintf(parameter, sizeof parameter,
			       "\"parameter\":\"%s\"", bad[i].path);
		begin("POST", branches, bad[i].body);
		if (run() != 400 || !says(parameter))
			fail_msg("%s: %u %s", bad[i].body, x.answer.status,
				 buf_text(&x.answer.body));
		EXPECT_SAYS("\"code\":\"bad_json\"");
		EXPECT_SAYS("\"xid\":\"10.0.0.1:8091:12\"");
		end();
	}
	expect_post(TX "/x/branches", "{}", 400, "is not an xid");
	expect_post(TX "/9.9.9.9:1:5/branches", "{}", 404,
		    "belongs to the coordinator");
}

static void test_only_what_is_allowed_is_called(void **state)
{
	(void)state;
	begin("POST", branches,
	      "{\"mode\":\"TCC\",\"confirm\":\"http://a/\","
	      "\"cancel\":\"http://169.254.169.254/\"}");
	assert_int_equal(run(), 403);
	EXPECT_SAYS("\"code\":\"target_not_allowed\"");
	EXPECT_SAYS("\"parameter\":\"cancel\"");
	EXPECT_SAYS("http_targets");
	end();
	world_allow(NULL);
	expect_post(branches, "{\"mode\":\"MSG\",\"to\":\"http://a/in\"}", 403,
		    "\"parameter\":\"to\"");
	ask_core("POST", branches, "{\"mode\":\"MSG\",\"to\":\"msg:stock\"}",
		 RQ_REGISTER);
	end();
}

static void test_locks_of_the_applications_own(void **state)
{
	struct buf key;

	(void)state;
	buf_init(&key, &mem_heap);
	lock_key_begin(&key, BYTES("http://a:80"), BYTES("seat"));
	lock_key_value(&key, BYTES("12"));
	lock_key_value(&key, BYTES("C"));
	ask_core("POST", branches,
		 "{\"mode\":\"TCC\",\"confirm\":\"http://a/c\","
		 "\"cancel\":\"http://a/r\",\"lock_wait_ms\":700,"
		 "\"lock_keys\":[{\"table\":\"seat\",\"key\":[\"12\",\"C\"]}]}",
		 RQ_REGISTER);
	assert_int_equal(x.request.n_lock_keys, 1);
	assert_true(bytes_equal(x.request.lock_keys[0], buf_bytes(&key)));
	assert_int_equal(x.request.wait_ms, 700);
	assert_int_equal(x.call.wait_ms, 700);
	EXPECT_TOLD(409, "\"code\":\"lock_conflict\"", .type = RQ_REGISTER,
		    .err = E_CONFLICT);
	EXPECT_TOLD(409, "\"code\":\"deadlock\"", .type = RQ_REGISTER,
		    .err = E_DEADLOCK);
	EXPECT_TOLD(409, "\"code\":\"lock_timeout\"", .type = RQ_REGISTER,
		    .err = E_TIMEOUT);
	end();
	buf_fini(&key);
}

/* ---- reports and decisions ---- */

static void test_a_branch_is_reported(void **state)
{
	static const char report[] = TX "/12/branches/7/report";

	(void)state;
	ask_core("POST", report,
		 "{\"status\":\"PhaseOne_Done\",\"data\":\"x\"}", RQ_REPORT);
	assert_int_equal(x.request.branch, 7);
	assert_int_equal(x.request.report, BRANCH_PHASE_ONE_DONE);
	EXPECT_BYTES(x.request.application_data, "\"x\"");
	EXPECT_TOLD(200, "\"status\":\"Begin\"", .status = GTX_BEGIN);
	EXPECT_TOLD(404, "\"code\":\"branch_not_found\"", .err = E_NOTFOUND);
	EXPECT_TOLD(409, "\"transaction_status\":\"Rollbacking\"",
		    .err = E_STATE, .status = GTX_ROLLBACKING);
	end();
	ask_core("POST", report, "{\"status\":\"PhaseOne_Failed\"}", RQ_REPORT);
	assert_int_equal(x.request.report, BRANCH_PHASE_ONE_FAILED);
	assert_int_equal(x.request.application_data.len, 0);
	end();
	ask_core("POST", report, "{\"status\":\"PhaseOne_RDONLY\"}", RQ_REPORT);
	assert_int_equal(x.request.report, BRANCH_RDONLY);
	end();
	expect_post(report, "{}", 400, "\"parameter\":\"status\"");
	expect_post(report, "{\"status\":\"PhaseTwo_Committed\"}", 400,
		    "\"parameter\":\"status\"");
	expect_post(TX "/12/branches/x/report", "{}", 400, "not a branch id");
}

static void test_commit_and_rollback_are_asked(void **state)
{
	(void)state;
	ask_core("POST", TX "/12/commit", "", RQ_COMMIT);
	assert_int_equal(x.request.wait_ms, 0);
	EXPECT_TOLD(200,
		    "{\"xid\":\"10.0.0.1:8091:12\",\"status\":\"Committed\","
		    "\"status_code\":9,\"finished\":true,\"hung\":false}",
		    .status = GTX_COMMITTED);
	end();
	ask_core("POST", TX "/10.0.0.1:8091:12/commit", "{\"wait_ms\":5000}",
		 RQ_COMMIT);
	assert_int_equal(x.request.wait_ms, 5000);
	assert_int_equal(x.call.wait_ms, 5000);
	EXPECT_TOLD(409, "\"transaction_status\":\"Rollbacked\"",
		    .err = E_STATE, .status = GTX_ROLLBACKED);
	EXPECT_SAYS("\"code\":\"wrong_state\"");
	EXPECT_SAYS("\"xid\":\"10.0.0.1:8091:12\"");
	end();
	ask_core("POST", TX "/12/rollback",
		 "{\"reason\":\"no stock\",\"wait_ms\":1}", RQ_ROLLBACK);
	EXPECT_BYTES(x.request.text, "no stock");
	assert_int_equal(x.request.wait_ms, 1);
	EXPECT_TOLD(404, "\"code\":\"transaction_not_found\"",
		    .err = E_NOTFOUND);
	end();
	expect_post(TX "/12/commit", "{\"reason\":\"x\"}", 400, "known");
	expect_post(TX "/12/commit", "{\"wait_ms\":60001}", 400, "wait_ms");
}

static void test_an_answer_that_does_not_come_is_unknown(void **state)
{
	(void)state;
	ask_core("POST", TX "/12/commit", "", RQ_COMMIT);
	http_give_up(&x.call, &x.answer);
	assert_int_equal(x.answer.status, 504);
	EXPECT_SAYS("\"code\":\"outcome_unknown\"");
	EXPECT_SAYS("\"xid\":\"10.0.0.1:8091:12\"");
	end();
	ask_core("POST", TX, "{\"name\":\"n\"}", RQ_BEGIN);
	http_give_up(&x.call, &x.answer);
	assert_int_equal(x.answer.status, 504);
	assert_false(says("\"xid\""));
	end();
}

/* ---- memory ---- */

/* Every allocation fails once: asked rightly, or said that nothing was done. */
static void sweep(const char *target, const char *body)
{
	bool asked = false;

	for (long n = 0; !asked; n++) {
		struct http_answer answer;
		struct request request;
		struct flaky f;
		struct arena arena;

		assert_true(n < 200);
		begin("POST", target, body);
		flaky_init(&f, n);
		arena_init(&arena, &f.mem, 64);
		x.call.arena = &arena;
		http_answer_init(&answer, &mem_heap);
		if (http_admit(&x.api, &x.call, &answer))
			asked = http_handle(&x.api, &x.call, &answer,
					    &request) == HTTP_ASKED;
		if (!asked)
			assert_int_equal(answer.status, 503);
		else
			assert_true(request.resource.len > 0);
		buf_fini(&answer.body);
		arena_fini(&arena);
		assert_int_equal(f.live, 0);
		end();
	}
}

static void test_out_of_memory_asks_nothing_half(void **state)
{
	(void)state;
	sweep(branches,
	      "{\"mode\":\"TCC\",\"confirm\":\"http://a/c\","
	      "\"cancel\":\"http://a/r\",\"headers\":{\"X\":\"y\"},"
	      "\"data\":{},\"lock_keys\":[{\"table\":\"t\",\"key\":[\"1\"]}]}");
	sweep(branches, "{\"mode\":\"MSG\",\"to\":\"http://a/c\","
			"\"schedule_ms\":[1,2,3]}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_a_transaction_is_begun,
						setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_a_document_that_is_not_clear_is_refused, setup,
			teardown),
		cmocka_unit_test_setup_teardown(test_a_tcc_branch_is_two_urls,
						setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_the_same_key_is_the_same_branch, setup, teardown),
		cmocka_unit_test_setup_teardown(test_each_mode_has_its_own_urls,
						setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_a_branch_that_is_not_clear_is_refused, setup,
			teardown),
		cmocka_unit_test_setup_teardown(
			test_only_what_is_allowed_is_called, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_locks_of_the_applications_own, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_branch_is_reported,
						setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_commit_and_rollback_are_asked, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_an_answer_that_does_not_come_is_unknown, setup,
			teardown),
		cmocka_unit_test_setup_teardown(
			test_out_of_memory_asks_nothing_half, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
