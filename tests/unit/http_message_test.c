#include "tests/fakes/flaky.h"
#include "tests/fakes/http_exchange.h"

#include <stdio.h>

/*
 * Messages in one request, dead letters, topics.
 */

#define MESSAGES "/api/v1/messages"
#define XID      "10.0.0.1:8091:7"

static const char two[] =
	"{\"name\":\"order paid\",\"application\":\"shop\",\"ordered\":true,"
	"\"timeout_ms\":4000,\"check\":\"http://shop/check?o=7\","
	"\"headers\":{\"X\":\"y\"},\"check_timeout_ms\":900,"
	"\"submit\":%s,"
	"\"deliveries\":[{\"to\":\"http://stock/take\",\"data\":{\"n\":1},"
	"\"deliver_after_ms\":5,\"timeout_ms\":6},"
	"{\"topic\":\"orders\",\"data\":[]}]}";

static int setup(void **state)
{
	(void)state;
	world = (struct world){ .now_ms = 1000, .state = HOST_READY };
	world_allow("http://shop http://stock");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	world_allow(NULL);
	return 0;
}

static void ask_two(bool submit)
{
	static char body[1000];

	(void)snprintf(body, sizeof body, two, submit ? "true" : "false");
	ask_core("POST", MESSAGES, body, RQ_BEGIN);
}

/* The reply to BEGIN; its bytes do not outlive the call. */
static void tell_begun(void)
{
	char xid[] = XID;

	assert_int_equal(tell((struct reply){ .type = RQ_BEGIN,
					      .status = GTX_BEGIN,
					      .xid = bytes_of(xid) }),
			 0);
	memset(xid, 'x', sizeof xid - 1);
}

static void tell_registered(uint64_t branch, unsigned answer)
{
	assert_int_equal(x.request.type, RQ_REGISTER);
	EXPECT_BYTES(x.request.xid, XID);
	assert_int_equal(tell((struct reply){ .type = RQ_REGISTER,
					      .status = GTX_BEGIN,
					      .branch = branch }),
			 answer);
}

static void test_a_message_is_begun_registered_and_submitted(void **state)
{
	(void)state;
	ask_two(true);
	assert_int_equal(x.request.kind, KIND_MESSAGE);
	assert_true(x.request.ordered);
	assert_int_equal(x.request.timeout_ms, 4000);
	assert_int_equal(x.request.call_timeout_ms, 900);
	EXPECT_BYTES(x.request.check, "http://shop:80");
	EXPECT_BYTES(x.request.participant,
		     "{\"check\":\"http://shop/check?o=7\","
		     "\"headers\":{\"X\":\"y\"}}");
	tell_begun();
	assert_int_equal(x.request.mode, MODE_MSG);
	EXPECT_BYTES(x.request.resource, "http://stock:80");
	EXPECT_BYTES(x.request.participant,
		     "{\"commit\":\"http://stock/take\"}");
	EXPECT_BYTES(x.request.application_data, "{\"n\":1}");
	assert_int_equal(x.request.deliver_after_ms, 5);
	assert_int_equal(x.request.call_timeout_ms, 6);
	tell_registered(8, 0);
	assert_true(x.request.topic);
	EXPECT_BYTES(x.request.resource, "orders");
	tell_registered(UINT64_MAX, 0);
	assert_int_equal(x.request.type, RQ_COMMIT);
	EXPECT_BYTES(x.request.xid, XID);
	EXPECT_TOLD(201,
		    "{\"xid\":\"" XID "\",\"status\":\"Committing\","
		    "\"status_code\":2,\"finished\":false,\"hung\":false,"
		    "\"existed\":false,\"branches\":[\"8\","
		    "\"18446744073709551615\"]}",
		    .type = RQ_COMMIT, .status = GTX_COMMITTING);
	end();
}

static void test_a_message_that_is_prepared_waits(void **state)
{
	(void)state;
	ask_two(false);
	tell_begun();
	tell_registered(8, 0);
	tell_registered(9, 201);
	EXPECT_SAYS("\"status\":\"Begin\"");
	EXPECT_SAYS("\"branches\":[\"8\",\"9\"]");
	end();
}

/* ---- repeated ---- */

static void begin_again(bool submit, enum gtx_status status)
{
	static char body[1000];

	(void)snprintf(body, sizeof body, two, submit ? "true" : "false");
	begin("POST", MESSAGES, body);
	x.call.idempotency_key = BYTES("order-7");
	assert_int_equal(run(), 0);
	EXPECT_BYTES(x.request.business_key, "order-7");
	assert_int_equal(tell((struct reply){ .type = RQ_BEGIN,
					      .status = status,
					      .existed = true,
					      .xid = BYTES(XID) }),
			 status == GTX_BEGIN || submit ? 0 : 200);
}

static void test_a_repeat_goes_on_where_the_first_stopped(void **state)
{
	(void)state;
	begin_again(true, GTX_BEGIN);
	assert_int_equal(x.request.client_key, 1);
	tell_registered(8, 0);
	assert_int_equal(x.request.client_key, 2);
	tell_registered(9, 0);
	assert_int_equal(x.request.type, RQ_COMMIT);
	EXPECT_TOLD(200, "\"existed\":true,\"branches\":[\"8\",\"9\"]}",
		    .type = RQ_COMMIT, .status = GTX_COMMITTING);
	end();
	/* It is submitted already: only its end is waited for. */
	begin_again(true, GTX_COMMITTED);
	assert_int_equal(x.request.type, RQ_COMMIT);
	EXPECT_TOLD(200, "\"existed\":true,\"branches\":null}",
		    .type = RQ_COMMIT, .status = GTX_COMMITTED);
	end();
	begin_again(false, GTX_COMMITTED);
	EXPECT_SAYS("\"status\":\"Committed\"");
	EXPECT_SAYS("\"existed\":true,\"branches\":null}");
	end();
	/* Without a key nothing is known again. */
	ask_two(true);
	assert_int_equal(x.request.business_key.len, 0);
	tell_begun();
	assert_int_equal(x.request.client_key, 0);
	end();
}

static void test_a_repeat_never_undoes_what_another_one_decided(void **state)
{
	(void)state;
	begin_again(true, GTX_BEGIN);
	tell_registered(8, 0);
	assert_int_equal(tell((struct reply){ .type = RQ_REGISTER,
					      .err = E_STATE,
					      .status = GTX_COMMITTING }),
			 0);
	assert_int_equal(x.request.type, RQ_COMMIT);
	EXPECT_TOLD(200, "\"branches\":null", .type = RQ_COMMIT,
		    .status = GTX_COMMITTED);
	end();
	begin_again(false, GTX_BEGIN);
	EXPECT_TOLD(409, "\"transaction_status\":\"Committing\"",
		    .type = RQ_REGISTER, .err = E_STATE,
		    .status = GTX_COMMITTING);
	end();
	begin_again(true, GTX_BEGIN);
	EXPECT_TOLD(422, "\"code\":\"idempotency_key_reused\"",
		    .type = RQ_REGISTER, .err = E_INVALID);
	EXPECT_SAYS("deliveries[0]");
	end();
	/* Nor what another one may still be at. */
	begin_again(true, GTX_BEGIN);
	tell_registered(8, 0);
	EXPECT_TOLD(404, "\"code\":\"topic_not_found\"", .type = RQ_REGISTER,
		    .err = E_NOTFOUND);
	end();
	begin_again(true, GTX_BEGIN);
	tell_registered(8, 0);
	tell_registered(9, 0);
	EXPECT_TOLD(503, "\"code\":\"no_memory\"", .type = RQ_COMMIT,
		    .err = E_NOMEM);
	end();
}

static void test_a_refused_delivery_undoes_the_message(void **state)
{
	(void)state;
	ask_two(true);
	tell_begun();
	tell_registered(8, 0);
	assert_int_equal(tell((struct reply){ .type = RQ_REGISTER,
					      .err = E_NOTFOUND,
					      .text = BYTES("no topic") }),
			 0);
	assert_int_equal(x.request.type, RQ_ROLLBACK);
	EXPECT_BYTES(x.request.xid, XID);
	EXPECT_BYTES(x.request.text, "deliveries[1]: no topic");
	EXPECT_TOLD(404,
		    "\"detail\":\"deliveries[1]: no topic; the message is "
		    "rolled back, nothing of it is delivered\",\"xid\":\"" XID
		    "\"",
		    .type = RQ_ROLLBACK, .status = GTX_ROLLBACKED);
	EXPECT_SAYS("\"code\":\"topic_not_found\"");
	end();
	ask_two(true);
	tell_begun();
	assert_int_equal(
		tell((struct reply){ .type = RQ_REGISTER, .err = E_NOMEM }), 0);
	EXPECT_TOLD(503, "rolling it back was not confirmed (closed)",
		    .type = RQ_ROLLBACK, .err = E_CLOSED);
	EXPECT_SAYS("\"code\":\"no_memory\"");
	EXPECT_SAYS(XID);
	end();
}

static void test_a_submission_in_doubt_is_left_alone(void **state)
{
	static const int errors[] = { E_CLOSED, E_UNKNOWN, E_TIMEOUT };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(errors); i++) {
		ask_two(true);
		tell_begun();
		tell_registered(8, 0);
		tell_registered(9, 0);
		EXPECT_TOLD(504, "\"code\":\"outcome_unknown\"",
			    .type = RQ_COMMIT, .err = errors[i]);
		EXPECT_SAYS("\"xid\":\"" XID "\"");
		end();
	}
	ask_two(true);
	tell_begun();
	tell_registered(8, 0);
	tell_registered(9, 0);
	EXPECT_TOLD(409, "\"transaction_status\":\"TimeoutRollbacked\"",
		    .type = RQ_COMMIT, .err = E_STATE,
		    .status = GTX_TIMEOUT_ROLLBACKED);
	end();
	ask_two(true);
	tell_begun();
	tell_registered(8, 0);
	tell_registered(9, 0);
	assert_int_equal(
		tell((struct reply){ .type = RQ_COMMIT, .err = E_NOMEM }), 0);
	assert_int_equal(x.request.type, RQ_ROLLBACK);
	EXPECT_TOLD(503, "nothing of it is delivered", .type = RQ_ROLLBACK);
	end();
}

static void test_what_did_not_begin_needs_no_undoing(void **state)
{
	(void)state;
	ask_two(true);
	EXPECT_TOLD(503, "\"code\":\"closing\"", .type = RQ_BEGIN,
		    .err = E_CLOSED);
	end();
	ask_two(true);
	tell_begun();
	tell_registered(8, 0);
	http_give_up(&x.call, &x.answer);
	assert_int_equal(x.answer.status, 504);
	EXPECT_SAYS("\"xid\":\"" XID "\"");
	end();
}

static void test_a_message_that_is_not_clear_is_refused(void **state)
{
	static const struct {
		const char *body, *path;
	} bad[] = {
		{ "{}", "name" },
		{ "{\"name\":\"n\",\"submit\":true}", "deliveries" },
		{ "{\"name\":\"n\",\"submit\":true,\"deliveries\":[]}",
		  "deliveries" },
		{ "{\"name\":\"n\",\"deliveries\":[{\"to\":\"msg:a\"}]}",
		  "submit" },
		{ "{\"name\":\"n\",\"submit\":1,\"deliveries\":[{\"to\":"
		  "\"msg:a\"}]}",
		  "submit" },
		{ "{\"name\":\"n\",\"submit\":true,\"deliveries\":[7]}",
		  "deliveries[0]" },
		{ "{\"name\":\"n\",\"submit\":true,\"deliveries\":[{\"to\":"
		  "\"msg:a\"},{}]}",
		  "deliveries[1].to" },
		{ "{\"name\":\"n\",\"submit\":true,\"deliveries\":[{\"to\":"
		  "\"msg:a\"},{\"to\":\"msg:a\",\"too\":1}]}",
		  "deliveries[1].too" },
		{ "{\"name\":\"n\",\"submit\":true,\"deliveries\":[{\"to\":"
		  "\"msg:a\",\"schedule_ms\":[1,\"2\"]}]}",
		  "deliveries[0].schedule_ms" },
		{ "{\"name\":\"n\",\"submit\":true,\"headers\":{\"a\":\"b\"},"
		  "\"deliveries\":[{\"to\":\"msg:a\"}]}",
		  "headers" },
		{ "{\"name\":\"n\",\"submit\":false,\"wait_ms\":5,"
		  "\"deliveries\":[{\"to\":\"msg:a\"}]}",
		  "wait_ms" },
		{ "{\"name\":\"n\",\"submit\":true,\"check\":\"http://\","
		  "\"deliveries\":[{\"to\":\"msg:a\"}]}",
		  "check" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		char parameter[100];

		(void)snprintf(parameter, sizeof parameter,
			       "\"parameter\":\"%s\"", bad[i].path);
		begin("POST", MESSAGES, bad[i].body);
		if (run() != 400 || !says(parameter))
			fail_msg("%s: %u %s", bad[i].body, x.answer.status,
				 buf_text(&x.answer.body));
		end();
	}
	expect_post(MESSAGES,
		    "{\"name\":\"n\",\"submit\":true,\"deliveries\":[{\"to\":"
		    "\"http://stock/a\"},{\"to\":\"http://evil/\"}]}",
		    403, "\"parameter\":\"deliveries[1].to\"");
}

/* ---- those that are there ---- */

static void fill_two(void)
{
	world.gtx[0] = (struct gtx_view){ .number = 7,
					  .kind = KIND_PLAIN,
					  .status = GTX_COMMIT_FAILED,
					  .name = BYTES("plain one") };
	world.gtx[1] = (struct gtx_view){ .number = 9,
					  .kind = KIND_MESSAGE,
					  .status = GTX_BEGIN,
					  .name = BYTES("a message"),
					  .check = BYTES("http://shop:80") };
	world.n_gtx = 2;
	world.archived[0] = (struct archive){ .gtx = 6, .kind = KIND_MESSAGE };
	world.archived[1] = (struct archive){ .gtx = 5, .kind = KIND_PLAIN };
	world.n_archived = 2;
}

static void test_messages_are_told_from_others(void **state)
{
	(void)state;
	fill_two();
	expect_get(MESSAGES, 200,
		   "{\"transactions\":[{\"xid\":"
		   "\"10.0.0.1:8091:9\"");
	assert_int_equal(world.filter.kinds, 1u << KIND_MESSAGE);
	expect_get(MESSAGES "?kind=saga", 400, "bad_query");
	expect_get(MESSAGES "?state=finished", 200,
		   "{\"transactions\":[{\"xid\":\"10.0.0.1:8091:6\"");
	expect_get("/api/v1/transactions?kind=plain&state=finished", 200,
		   "{\"transactions\":[{\"xid\":\"10.0.0.1:8091:5\"");
	expect_get(MESSAGES "/9", 200, "\"check\":\"http://shop:80\"");
	expect_get(MESSAGES "/7", 404, "\"code\":\"transaction_not_found\"");
	expect_get(MESSAGES "/6", 200, "\"kind\":\"message\"");
	expect_get(MESSAGES "/5", 404, "message 10.0.0.1:8091:5 is not known");
	ask_core("POST", MESSAGES "/9/submit", "{\"wait_ms\":7}", RQ_COMMIT);
	assert_int_equal(x.request.wait_ms, 7);
	EXPECT_TOLD(200, "\"status\":\"Committing\"", .type = RQ_COMMIT,
		    .status = GTX_COMMITTING);
	end();
	ask_core("POST", MESSAGES "/9/abort", "{\"reason\":\"r\"}",
		 RQ_ROLLBACK);
	end();
	ask_core("POST", MESSAGES "/6/submit", "", RQ_COMMIT);
	end();
	expect_post(MESSAGES "/7/submit", "", 404, "its kind is plain");
	expect_post(MESSAGES "/7/abort", "", 404, "its kind is plain");
}

static void fill_letters(void)
{
	fill_two();
	world.branches[0] = (struct branch_view){
		.id = 20,
		.mode = MODE_MSG,
		.status = BRANCH_COMMIT_UNRETRYABLE,
		.resource = BYTES("http://stock:80"),
		.participant =
			BYTES("{\"commit\":\"http://stock/take\","
			      "\"headers\":{\"Authorization\":\"secret\"}}"),
		.topic = BYTES("orders"),
		.subscriber = BYTES("stock"),
		.attempts = 3,
		.last_error = BYTES("409: sold out"),
		.application_data = BYTES("{\"n\":1}"),
	};
	world.branches[1] = world.branches[0];
	world.branches[1].id = 21;
	world.branches[1].status = BRANCH_REGISTERED;
	world.branches[2] = world.branches[0];
	world.branches[2].id = 22;
	world.branches[2].mode = MODE_TCC;
	world.branches[3] = world.branches[0];
	world.branches[3].id = 23;
	world.branches[3].status = BRANCH_STOP_RETRY;
	world.n_branches = 4;
}

static void test_dead_letters_are_listed(void **state)
{
	(void)state;
	fill_letters();
	expect_get("/api/v1/dead-letters", 200,
		   "{\"dead_letters\":[{\"xid\":\"10.0.0.1:8091:7\","
		   "\"branch\":\"20\",\"name\":\"plain one\","
		   "\"application\":\"\",\"began_at\":null,"
		   "\"status\":\"PhaseTwo_CommitFailed_Unretryable\","
		   "\"status_code\":7,\"resource\":\"http://stock:80\","
		   "\"topic\":\"orders\",\"subscriber\":\"stock\","
		   "\"attempts\":3,\"last_error\":\"409: sold out\","
		   "\"application_data\":\"{\\\"n\\\":1}\","
		   "\"application_data_len\":7,"
		   "\"participant\":{\"commit\":\"http://stock/take\","
		   "\"headers\":{\"Authorization\":\"***\"}}},"
		   "{\"xid\":\"10.0.0.1:8091:7\",\"branch\":\"23\"");
	assert_int_equal(world.filter.kinds,
			 1u << KIND_PLAIN | 1u << KIND_MESSAGE);
	expect_get("/api/v1/dead-letters?limit=3", 200, "\"next\":null}");
	expect_get("/api/v1/dead-letters?limit=2", 200, "\"next\":\"7\"}");
	begin("GET", "/api/v1/dead-letters?limit=1", NULL);
	assert_int_equal(run(), 200);
	EXPECT_SAYS("\"branch\":\"23\"");
	assert_false(says("10.0.0.1:8091:9"));
	EXPECT_SAYS("\"next\":\"7\"}");
	end();
	expect_get("/api/v1/dead-letters?after=7", 200,
		   "{\"dead_letters\":[{\"xid\":\"10.0.0.1:8091:9\"");
	expect_get("/api/v1/dead-letters?after=7", 200, "\"next\":null}");
	expect_get("/api/v1/dead-letters?limit=0", 400, "bad_query");
	expect_get("/api/v1/dead-letters?topic=a", 400, "bad_query");
}

static void test_a_dead_letter_is_replayed(void **state)
{
	static const char letters[] = "/api/v1/dead-letters";
	char path[100];

	(void)state;
	fill_letters();
	(void)snprintf(path, sizeof path, "%s/7/20/replay", letters);
	ask_core("POST", path, "{\"reason\":\"stock is back\"}", RQ_RETRY);
	assert_int_equal(x.request.branch, 20);
	EXPECT_BYTES(x.request.text, "stock is back");
	EXPECT_TOLD(200, "\"status\":\"CommitRetrying\"",
		    .status = GTX_COMMIT_RETRYING);
	end();
	for (int branch = 21; branch < 25; branch++) {
		if (branch == 23)
			continue;
		(void)snprintf(path, sizeof path, "%s/7/%d/replay", letters,
			       branch);
		expect_post(path, "", 404, "is no dead letter");
	}
	/* Whether it finished, or is of another life, the core knows. */
	(void)snprintf(path, sizeof path, "%s/99/20/replay", letters);
	ask_core("POST", path, "", RQ_RETRY);
	EXPECT_TOLD(404, "\"code\":\"transaction_not_found\"",
		    .err = E_NOTFOUND);
	EXPECT_TOLD(410, "\"code\":\"other_life\"", .err = E_UNKNOWN);
	end();
}

/* ---- topics ---- */

static void test_a_subscriber_is_put_and_dropped(void **state)
{
	static const char subscribers[] = "/api/v1/topics/a%2Fb/subscribers";

	(void)state;
	ask_core("POST", subscribers,
		 "{\"subscriber\":\"stock\",\"to\":\"http://stock/in\","
		 "\"headers\":{\"X\":\"y\"}}",
		 RQ_SUBSCRIBE);
	EXPECT_BYTES(x.request.name, "a/b");
	EXPECT_BYTES(x.request.subscriber, "stock");
	EXPECT_BYTES(x.request.resource, "http://stock:80");
	EXPECT_BYTES(x.request.participant, "{\"commit\":\"http://stock/in\","
					    "\"headers\":{\"X\":\"y\"}}");
	EXPECT_TOLD(200, "{\"topic\":\"a/b\",\"subscriber\":\"stock\"}",
		    .type = RQ_SUBSCRIBE);
	EXPECT_TOLD(429, "limit_reached", .type = RQ_SUBSCRIBE, .err = E_LIMIT);
	end();
	ask_core("POST", subscribers,
		 "{\"subscriber\":\"mail\",\"to\":\"msg:mail\"}", RQ_SUBSCRIBE);
	EXPECT_BYTES(x.request.resource, "msg:mail");
	assert_int_equal(x.request.participant.len, 0);
	end();
	expect_post(subscribers, "{\"subscriber\":\"s\",\"to\":\"mail\"}", 400,
		    "\"parameter\":\"to\"");
	expect_post(subscribers, "{\"subscriber\":\"s\"}", 400,
		    "\"parameter\":\"to\"");
	expect_post(subscribers,
		    "{\"subscriber\":\"s\",\"to\":\"http://evil/\"}", 403,
		    "target_not_allowed");
	ask_core("DELETE", "/api/v1/topics/a%2Fb/subscribers/stock", NULL,
		 RQ_UNSUBSCRIBE);
	EXPECT_BYTES(x.request.name, "a/b");
	EXPECT_BYTES(x.request.subscriber, "stock");
	EXPECT_TOLD(200, "\"subscriber\":\"stock\"", .type = RQ_UNSUBSCRIBE);
	EXPECT_TOLD(404, "\"code\":\"topic_not_found\"", .type = RQ_UNSUBSCRIBE,
		    .err = E_NOTFOUND);
	end();
	begin("DELETE", "/api/v1/topics/a/subscribers/b", NULL);
	x.call.origin = BYTES("http://evil.example");
	assert_int_equal(run(), 403);
	end();
}

static void test_subscribers_are_listed(void **state)
{
	(void)state;
	world.topics[0] = (struct topic_view){
		.topic = BYTES("a"),
		.subscriber = BYTES("mail"),
		.resource = BYTES("msg:mail"),
	};
	world.topics[1] = (struct topic_view){
		.topic = BYTES("b"),
		.subscriber = BYTES("stock"),
		.resource = BYTES("http://stock:80"),
		.participant = BYTES("{\"commit\":\"http://stock/in\"}"),
	};
	world.n_topics = 2;
	expect_get("/api/v1/topics", 200,
		   "{\"subscribers\":[{\"topic\":\"a\",\"subscriber\":\"mail\","
		   "\"resource\":\"msg:mail\",\"participant\":null},"
		   "{\"topic\":\"b\"");
	expect_get("/api/v1/topics/b/subscribers", 200,
		   "{\"subscribers\":[{\"topic\":\"b\","
		   "\"subscriber\":\"stock\",\"resource\":\"http://stock:80\","
		   "\"participant\":{\"commit\":\"http://stock/in\"}}]}");
	expect_get("/api/v1/topics/c/subscribers", 404, "topic_not_found");
}

/* ---- memory ---- */

/* Every allocation fails once, in the document or between the steps: either it
 * goes on rightly, or what was begun is undone. */
static void test_out_of_memory_undoes_what_was_begun(void **state)
{
	static char body[1000];
	bool whole = false;

	(void)state;
	(void)snprintf(body, sizeof body, two, "true");
	for (long n = 0; !whole; n++) {
		struct http_answer answer;
		struct flaky f;
		struct arena arena;
		enum http_verdict v = HTTP_ANSWERED;
		uint64_t branch = 8;
		bool undone = false;

		assert_true(n < 300);
		begin("POST", MESSAGES, body);
		flaky_init(&f, n);
		arena_init(&arena, &f.mem, 64);
		x.call.arena = &arena;
		http_answer_init(&answer, &mem_heap);
		if (http_admit(&x.api, &x.call, &answer))
			v = http_handle(&x.api, &x.call, &answer, &x.request);
		while (v == HTTP_ASKED) {
			struct reply r = { .type = x.request.type,
					   .xid = BYTES(XID),
					   .branch = branch++ };

			undone = undone || r.type == RQ_ROLLBACK;
			v = http_reply(&x.api, &x.call, &r, &answer,
				       &x.request);
		}
		whole = answer.status == 201;
		if (!whole)
			assert_int_equal(answer.status, 503);
		assert_true(!undone || !whole);
		buf_fini(&answer.body);
		arena_fini(&arena);
		assert_int_equal(f.live, 0);
		end();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			test_a_message_is_begun_registered_and_submitted, setup,
			teardown),
		cmocka_unit_test_setup_teardown(
			test_a_message_that_is_prepared_waits, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_a_repeat_goes_on_where_the_first_stopped, setup,
			teardown),
		cmocka_unit_test_setup_teardown(
			test_a_repeat_never_undoes_what_another_one_decided,
			setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_a_refused_delivery_undoes_the_message, setup,
			teardown),
		cmocka_unit_test_setup_teardown(
			test_a_submission_in_doubt_is_left_alone, setup,
			teardown),
		cmocka_unit_test_setup_teardown(
			test_what_did_not_begin_needs_no_undoing, setup,
			teardown),
		cmocka_unit_test_setup_teardown(
			test_a_message_that_is_not_clear_is_refused, setup,
			teardown),
		cmocka_unit_test_setup_teardown(
			test_messages_are_told_from_others, setup, teardown),
		cmocka_unit_test_setup_teardown(test_dead_letters_are_listed,
						setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_dead_letter_is_replayed,
						setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_a_subscriber_is_put_and_dropped, setup, teardown),
		cmocka_unit_test_setup_teardown(test_subscribers_are_listed,
						setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_out_of_memory_undoes_what_was_begun, setup,
			teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
