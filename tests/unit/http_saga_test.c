#include "tests/fakes/http_exchange.h"

#include <stdio.h>

/*
 * Sagas and state machines over HTTP.
 */

#define SAGAS    "/api/v1/sagas"
#define MACHINES "/api/v1/machines"
#define XID      "10.0.0.1:8091:9"

static int setup(void **state)
{
	(void)state;
	world = (struct world){ .now_ms = 1000, .state = HOST_READY };
	world.gtx[0] = (struct gtx_view){ .number = 7, .status = GTX_BEGIN };
	world.gtx[1] = (struct gtx_view){ .number = 9,
					  .kind = KIND_SAGA,
					  .status = GTX_COMMIT_FAILED,
					  .machine = BYTES("buy"),
					  .version = BYTES("1.0"),
					  .business_key = BYTES("o-7") };
	world.n_gtx = 2;
	world.archived[0] = (struct archive){ .gtx = 6,
					      .kind = KIND_SAGA,
					      .status = GTX_COMMITTED,
					      .detail = BYTES("{\"a\":1}") };
	world.n_archived = 1;
	world.tombstone = 3;
	world_allow("http://stock/ http://pay/tx/");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	world_allow(NULL);
	return 0;
}

static void test_a_saga_is_started_by_its_machine(void **state)
{
	(void)state;
	ask_core("POST", SAGAS,
		 "{\"machine\":\"buy\",\"version\":\"1.0\","
		 "\"business_key\":\"o-7\",\"input\":{\"n\": 1},"
		 "\"deadline_ms\":5000,\"application\":\"shop\","
		 "\"headers\":{\"X\":\"y\"},\"wait_ms\":300}",
		 RQ_SAGA_START);
	EXPECT_BYTES(x.request.name, "buy");
	EXPECT_BYTES(x.request.version, "1.0");
	EXPECT_BYTES(x.request.business_key, "o-7");
	EXPECT_BYTES(x.request.input, "{\"n\": 1}");
	EXPECT_BYTES(x.request.application, "shop");
	EXPECT_BYTES(x.request.participant, "{\"headers\":{\"X\":\"y\"}}");
	assert_int_equal(x.request.timeout_ms, 5000);
	assert_int_equal(x.request.wait_ms, 300);
	assert_int_equal(x.call.wait_ms, 300);
	assert_int_equal(x.request.text.len, 0);
	EXPECT_TOLD(201,
		    "{\"xid\":\"" XID "\",\"status\":\"Begin\","
		    "\"status_code\":1,\"finished\":false,\"hung\":false,"
		    "\"existed\":false,\"run\":null}",
		    .xid = BYTES(XID), .status = GTX_BEGIN);
	EXPECT_TOLD(200, "\"existed\":true,\"run\":{\"a\":1}}",
		    .xid = BYTES(XID), .status = GTX_COMMITTED, .existed = true,
		    .detail = BYTES("{\"a\":1}"));
	EXPECT_TOLD(404, "\"code\":\"machine_not_found\"", .err = E_NOTFOUND);
	EXPECT_TOLD(400, "\"code\":\"bad_request\"", .err = E_INVALID,
		    .text = BYTES("bad input"));
	EXPECT_TOLD(400, "\"code\":\"bad_machine\"", .err = E_INVALID,
		    .text = BYTES("$.steps[1]: no"));
	EXPECT_TOLD(409, "\"code\":\"already_exists\"", .err = E_CONFLICT);
	end();
}

static const char graph[] = "{\"name\":\"g\",\"steps\":[{\"name\":\"take\","
			    "\"action\":\"http://stock/take\","
			    "\"compensation\":\"%s\"}]}";

static void test_a_saga_brings_its_own_definition(void **state)
{
	char definition[500], body[600];

	(void)state;
	(void)snprintf(definition, sizeof definition, graph,
		       "http://stock/back");
	(void)snprintf(body, sizeof body, "{\"definition\": %s }", definition);
	ask_core("POST", SAGAS, body, RQ_SAGA_START);
	EXPECT_BYTES(x.request.text, definition);
	assert_int_equal(x.request.name.len, 0);
	assert_int_equal(x.request.participant.len, 0);
	end();
	(void)snprintf(definition, sizeof definition, graph,
		       "http://169.254.169.254/x");
	(void)snprintf(body, sizeof body, "{\"definition\":%s}", definition);
	expect_post(SAGAS, body, 403,
		    "\"parameter\":\"definition.steps[0].compensation\"");
	expect_post(SAGAS, "{}", 400, "\"parameter\":\"machine\"");
	expect_post(SAGAS, "{\"machine\":\"a\",\"definition\":{}}", 400,
		    "\"parameter\":\"machine\"");
	expect_post(SAGAS, "{\"definition\":{},\"version\":\"1\"}", 400,
		    "\"parameter\":\"version\"");
	expect_post(SAGAS, "{\"machine\":\"a\",\"input\":[]}", 400,
		    "\"parameter\":\"input\"");
	expect_post(SAGAS, "{\"machine\":\"a\",\"headers\":{\"Host\":\"b\"}}",
		    400, "\"parameter\":\"headers\"");
	expect_post(SAGAS, "{\"machine\":\"a\",\"wait_ms\":99999}", 400,
		    "\"parameter\":\"wait_ms\"");
}

static void test_a_run_is_shown_by_the_core_or_the_archive(void **state)
{
	(void)state;
	ask_core("GET", SAGAS "/9", NULL, RQ_SAGA_SHOW);
	EXPECT_BYTES(x.request.xid, XID);
	EXPECT_TOLD(200,
		    "\"machine\":\"buy\",\"version\":\"1.0\","
		    "\"business_key\":\"o-7\",\"run\":{\"b\":[]},"
		    "\"branches\":[],\"history\":[]}",
		    .type = RQ_SAGA_SHOW, .detail = BYTES("{\"b\":[]}"));
	EXPECT_SAYS("\"hung\":true");
	EXPECT_TOLD(503, "\"code\":\"closing\"", .type = RQ_SAGA_SHOW,
		    .err = E_CLOSED);
	/* It ended in between. */
	world.n_gtx = 1;
	world.archived[0].gtx = 9;
	EXPECT_TOLD(200, "\"run\":{\"a\":1}", .type = RQ_SAGA_SHOW,
		    .err = E_NOTFOUND);
	end();
	world.archived[0].gtx = 6;
	expect_get(SAGAS "/6", 200, "\"kind\":\"saga\"");
	expect_get(SAGAS "/6", 200, "\"run\":{\"a\":1}");
	expect_get(SAGAS "/3", 200, "\"business_key\":null,\"run\":null");
	expect_get(SAGAS "/7", 404, "saga 10.0.0.1:8091:7 is not known");
	expect_get(SAGAS "/99", 404, "transaction_not_found");
	expect_get("/api/v1/transactions/6", 200, "\"branches\":[]");
}

static void test_sagas_are_listed(void **state)
{
	(void)state;
	expect_get(SAGAS, 200, "{\"transactions\":[{\"xid\":\"" XID "\"");
	assert_int_equal(world.filter.kinds, 1u << KIND_SAGA);
	expect_get(SAGAS "?state=finished", 200, "10.0.0.1:8091:6");
	expect_get(SAGAS "?hung=true&limit=5", 200, XID);
}

static void test_an_operator_moves_a_saga(void **state)
{
	(void)state;
	ask_core("POST", SAGAS "/9/forward", "{\"reason\":\"r\"}",
		 RQ_SAGA_MOVE);
	assert_int_equal(x.request.move, MOVE_FORWARD);
	assert_int_equal(x.request.task, UINT32_MAX);
	EXPECT_BYTES(x.request.reason, "r");
	EXPECT_TOLD(200, "\"status\":\"Begin\"", .type = RQ_SAGA_MOVE,
		    .status = GTX_BEGIN);
	EXPECT_TOLD(409, "\"code\":\"wrong_state\"", .type = RQ_SAGA_MOVE,
		    .err = E_STATE);
	EXPECT_TOLD(404, "\"code\":\"task_not_found\"", .type = RQ_SAGA_MOVE,
		    .err = E_NOTFOUND, .text = BYTES("no such task"));
	end();
	ask_core("POST", SAGAS "/9/compensate", "", RQ_SAGA_MOVE);
	assert_int_equal(x.request.move, MOVE_COMPENSATE);
	end();
	ask_core("POST", SAGAS "/9/skip", "{\"reason\":\"r\",\"task\":4}",
		 RQ_SAGA_MOVE);
	assert_int_equal(x.request.move, MOVE_SKIP);
	assert_int_equal(x.request.task, 4);
	end();
	ask_core("POST", SAGAS "/9/skip", "{\"reason\":\"r\"}", RQ_SAGA_MOVE);
	assert_int_equal(x.request.task, UINT32_MAX);
	end();
	expect_post(SAGAS "/9/skip", "{\"task\":4}", 400,
		    "\"parameter\":\"reason\"");
	expect_post(SAGAS "/9/skip", "{\"reason\":\"r\",\"task\":4294967295}",
		    400, "\"parameter\":\"task\"");
	expect_post(SAGAS "/9/forward", "{\"task\":4}", 400,
		    "\"parameter\":\"task\"");
}

/* ---- machines ---- */

static const char machine[] =
	"{\"Name\":\"buy\",\"StartState\":\"A\",\"States\":{\"A\":{\"Type\":"
	"\"ServiceTask\",\"ServiceName\":\"%s\",\"ServiceMethod\":\"%s\"}}}";

static void test_a_machine_is_put(void **state)
{
	char body[500];

	(void)state;
	(void)snprintf(body, sizeof body, machine, "saga:stock", "take");
	ask_core("POST", MACHINES, body, RQ_MACHINE_PUT);
	EXPECT_BYTES(x.request.text, body);
	EXPECT_TOLD(201,
		    "{\"name\":\"buy\",\"version\":\"1\",\"existed\":false}",
		    .type = RQ_MACHINE_PUT, .name = BYTES("buy"),
		    .version = BYTES("1"));
	EXPECT_TOLD(200, "\"existed\":true", .type = RQ_MACHINE_PUT,
		    .name = BYTES("buy"), .existed = true);
	EXPECT_TOLD(400, "\"code\":\"bad_machine\",\"detail\":\"States.A: no\"",
		    .type = RQ_MACHINE_PUT, .err = E_INVALID,
		    .text = BYTES("States.A: no"));
	EXPECT_TOLD(409, "\"code\":\"already_exists\"", .type = RQ_MACHINE_PUT,
		    .err = E_CONFLICT);
	end();
	expect_post(MACHINES, "", 400, "bad_json");
	expect_post(MACHINES, "[]", 400, "bad_json");
	expect_post(MACHINES, "{\"a\":\"\xff\"}", 400, "bad_json");
}

static void test_services_by_url_must_be_allowed(void **state)
{
	char body[500];

	(void)state;
	/* The path is that of the call, with the method behind it. */
	(void)snprintf(body, sizeof body, machine, "http://pay/tx", "charge");
	ask_core("POST", MACHINES, body, RQ_MACHINE_PUT);
	end();
	(void)snprintf(body, sizeof body, machine, "http://pay/txx", "charge");
	expect_post(MACHINES, body, 403,
		    "\"parameter\":\"States.A.ServiceName\"");
	(void)snprintf(body, sizeof body, machine, "http://pay/tx/../x", "m");
	expect_post(MACHINES, body, 400,
		    "\"parameter\":\"States.A.ServiceName\"");
	(void)snprintf(body, sizeof body, machine, "HTTPS://evil", "m");
	expect_post(MACHINES, body, 403, "target_not_allowed");
	/* Data is not a service. */
	ask_core("POST", MACHINES,
		 "{\"steps\":[{\"input\":{\"action\":\"http://evil/\"}}],"
		 "\"comment\":\"http://evil/\"}",
		 RQ_MACHINE_PUT);
	end();
	/* However the member is spelt. */
	expect_post(MACHINES,
		    "{\"steps\":[{\"a\\u0063tion\":\"http:\\/\\/evil\\/\"}]}",
		    403, "\"parameter\":\"steps[0].action\"");
}

static void test_machines_are_listed_and_shown(void **state)
{
	static const char *const versions[] = { "1.0", "2.0", "" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(versions); i++)
		world.machines[i] = (struct machine_view){
			.name = i < 2 ? BYTES("buy") : BYTES("a b"),
			.version = bytes_of(versions[i]),
			.document = i == 1 ? BYTES("{\"Name\":\"two\"}")
					   : BYTES("{\"Name\":\"x\"}"),
			.added_wall_ms = 1000,
			.n_runs = i,
		};
	world.n_machines = 3;
	expect_get(MACHINES, 200,
		   "{\"machines\":[{\"name\":\"buy\",\"version\":\"1.0\","
		   "\"added_at\":\"1970-01-01T00:00:01.000Z\",\"runs\":0},");
	expect_get(MACHINES "/buy", 200,
		   "\"version\":\"2.0\",\"added_at\":"
		   "\"1970-01-01T00:00:01.000Z\",\"runs\":1,"
		   "\"document\":{\"Name\":\"two\"}}");
	expect_get(MACHINES "/buy?version=1.0", 200,
		   "\"document\":{\"Name\":\"x\"}");
	expect_get(MACHINES "/a%20b?version=", 200, "\"name\":\"a b\"");
	expect_get(MACHINES "/buy?version=3.0", 404, "machine_not_found");
	expect_get(MACHINES "/sell", 404, "machine_not_found");
	expect_get(MACHINES "/buy?v=1", 400, "bad_query");
	expect_get(MACHINES "/buy?version=1&version=2", 400, "bad_query");
}

static void test_a_machine_is_dropped(void **state)
{
	(void)state;
	ask_core("DELETE", MACHINES "/buy?version=1.0", NULL, RQ_MACHINE_DROP);
	EXPECT_BYTES(x.request.name, "buy");
	EXPECT_BYTES(x.request.version, "1.0");
	EXPECT_TOLD(200, "{\"name\":\"buy\",\"version\":\"1.0\"}",
		    .type = RQ_MACHINE_DROP);
	EXPECT_TOLD(404, "machine_not_found", .type = RQ_MACHINE_DROP,
		    .err = E_NOTFOUND);
	EXPECT_TOLD(409, "\"detail\":\"3 runs use it\"",
		    .type = RQ_MACHINE_DROP, .err = E_STATE,
		    .text = BYTES("3 runs use it"));
	end();
	begin("DELETE", MACHINES "/buy", NULL);
	assert_int_equal(run(), 400);
	EXPECT_SAYS("\"parameter\":\"version\"");
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			test_a_saga_is_started_by_its_machine, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_a_saga_brings_its_own_definition, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_a_run_is_shown_by_the_core_or_the_archive, setup,
			teardown),
		cmocka_unit_test_setup_teardown(test_sagas_are_listed, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_an_operator_moves_a_saga,
						setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_machine_is_put, setup,
						teardown),
		cmocka_unit_test_setup_teardown(
			test_services_by_url_must_be_allowed, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_machines_are_listed_and_shown, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_machine_is_dropped,
						setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
