/* What is asked of HTTP participants, and what their answers mean. */
#include "tc/door/caller_outcome.h"
#include "tc/door/caller_request.h"
#include "tests/fakes/flaky.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define XID "10.0.0.1:8091:77"
#define TCC                                                                    \
	"{\"commit\":\"http://pay/confirm?a=b\",\"rollback\":"                 \
	"\"http://pay/cancel\",\"check\":\"http://pay/check\",\"headers\":"    \
	"{\"Authorization\":\"Bearer x\"}}"

struct fixture {
	struct arena arena;
	struct buf why;
	struct caller_request rq;
};

static void setup(struct fixture *f)
{
	arena_init(&f->arena, &mem_heap, 0);
	buf_init(&f->why, &mem_heap);
}

static void teardown(struct fixture *f)
{
	arena_fini(&f->arena);
	buf_fini(&f->why);
}

static struct command command(enum command_type type, enum branch_mode mode)
{
	return (struct command){
		.peer = PEER_URL | 1,
		.type = type,
		.mode = mode,
		.xid = BYTES(XID),
		.branch = 18446744073709551615u,
		.resource = BYTES("http://pay:80"),
		.participant = BYTES(TCC),
		.application_data = BYTES("{\"amount\":3}"),
	};
}

static const char *header(const struct caller_request *rq, const char *name)
{
	size_t n = strlen(name);

	for (size_t i = 0; i < rq->n_headers; i++)
		if (strncmp(rq->headers[i], name, n) == 0 &&
		    rq->headers[i][n] == ':')
			return rq->headers[i] + n + 2;
	return NULL;
}

static void expect(struct command c, const char *url, const char *key)
{
	struct fixture f;
	int rc;

	setup(&f);
	rc = caller_request_make(&f.rq, &f.arena, &c, &f.why);
	if (rc != OK)
		print_error("%s\n", buf_text(&f.why));
	assert_int_equal(rc, OK);
	assert_string_equal(f.rq.url, url);
	assert_string_equal(header(&f.rq, "Idempotency-Key"), key);
	assert_string_equal(header(&f.rq, "TX_XID"), XID);
	teardown(&f);
}

#define QUERY(type, op)                                                        \
	"gid=10.0.0.1%3A8091%3A77&trans_type=" type                            \
	"&branch_id=18446744073709551615&op=" op
#define KEY(op) XID "/18446744073709551615/" op

static void test_each_command_asks_for_what_it_is(void **state)
{
	(void)state;
	expect(command(COMMAND_COMMIT, MODE_TCC),
	       "http://pay/confirm?a=b&" QUERY("tcc", "confirm"),
	       KEY("confirm"));
	expect(command(COMMAND_ROLLBACK, MODE_TCC),
	       "http://pay/cancel?" QUERY("tcc", "cancel"), KEY("cancel"));
	expect(command(COMMAND_ROLLBACK, MODE_SAGA),
	       "http://pay/cancel?" QUERY("saga", "compensate"),
	       KEY("compensate"));
	expect(command(COMMAND_COMMIT, MODE_MSG),
	       "http://pay/confirm?a=b&" QUERY("msg", "action"), KEY("action"));
	expect(command(COMMAND_COMMIT, MODE_XA),
	       "http://pay/confirm?a=b&" QUERY("xa", "commit"), KEY("commit"));
	expect(command(COMMAND_ROLLBACK, MODE_AT),
	       "http://pay/cancel?" QUERY("at", "rollback"), KEY("rollback"));
	expect(command(COMMAND_CHECK, MODE_AT),
	       "http://pay/check?" QUERY("msg", "msg"), KEY("msg"));
}

static struct command call_of(struct bytes service, struct bytes method)
{
	struct command c = command(COMMAND_CALL, MODE_AT);

	c.service = service;
	c.method = method;
	return c;
}

static void test_a_sagas_call_goes_to_the_service_and_its_method(void **state)
{
	struct command c = call_of(BYTES("http://pay/wallet"), BYTES("deduct"));

	(void)state;
	expect(c, "http://pay/wallet/deduct?" QUERY("saga", "action"),
	       KEY("action"));
	c.compensation = true;
	expect(c, "http://pay/wallet/deduct?" QUERY("saga", "compensate"),
	       KEY("compensate"));
	expect(call_of(BYTES("http://pay/wallet/"), BYTES("deduct")),
	       "http://pay/wallet/deduct?" QUERY("saga", "action"),
	       KEY("action"));
	expect(call_of(BYTES("http://pay/wallet"), BYTES("/deduct")),
	       "http://pay/wallet/deduct?" QUERY("saga", "action"),
	       KEY("action"));
	expect(call_of(BYTES("http://pay/wallet?x=y"), BYTES("deduct")),
	       "http://pay/wallet/deduct?x=y&" QUERY("saga", "action"),
	       KEY("action"));
	expect(call_of(BYTES("http://pay"), BYTES("")),
	       "http://pay?" QUERY("saga", "action"), KEY("action"));
}

static void test_body_headers_and_what_is_shown(void **state)
{
	struct command c = command(COMMAND_COMMIT, MODE_TCC);
	struct fixture f;

	(void)state;
	setup(&f);
	assert_int_equal(caller_request_make(&f.rq, &f.arena, &c, &f.why), OK);
	assert_false(f.rq.get);
	assert_true(bytes_equal(f.rq.body, BYTES("{\"amount\":3}")));
	assert_string_equal(header(&f.rq, "Content-Type"), "application/json");
	assert_string_equal(header(&f.rq, "Authorization"), "Bearer x");
	assert_true(bytes_equal(f.rq.origin, BYTES("http://pay:80")));
	assert_true(
		bytes_equal(f.rq.display, BYTES("POST http://pay:80/confirm")));
	c.application_data = (struct bytes){ 0 };
	assert_int_equal(caller_request_make(&f.rq, &f.arena, &c, &f.why), OK);
	assert_int_equal(f.rq.body.len, 0);
	assert_null(header(&f.rq, "Content-Type"));
	c = command(COMMAND_CHECK, MODE_AT);
	assert_int_equal(caller_request_make(&f.rq, &f.arena, &c, &f.why), OK);
	assert_true(f.rq.get);
	assert_int_equal(f.rq.body.len, 0);
	teardown(&f);
}

static void expect_nothing(struct command c, const char *why)
{
	struct fixture f;

	setup(&f);
	assert_int_equal(caller_request_make(&f.rq, &f.arena, &c, &f.why),
			 E_INVALID);
	if (!strstr(buf_text(&f.why), why))
		print_error("%s\n", buf_text(&f.why));
	assert_non_null(strstr(buf_text(&f.why), why));
	teardown(&f);
}

static void test_what_cannot_be_called_is_said(void **state)
{
	struct command c = command(COMMAND_COMMIT, MODE_TCC);

	(void)state;
	c.participant = BYTES("{\"rollback\":\"http://pay/x\"}");
	expect_nothing(c, "without a URL");
	c.participant = (struct bytes){ 0 };
	expect_nothing(c, "without a URL");
	c.participant = BYTES("[]");
	expect_nothing(c, "JSON object");
	expect_nothing(call_of(BYTES("http://pay"), BYTES("../x")),
		       "dot segment");
	expect_nothing(call_of(BYTES("http://pay"), BYTES("a b")), "escaped");
	expect_nothing(call_of(BYTES("wallet"), BYTES("x")),
		       "does not begin with http");
	expect_nothing(call_of((struct bytes){ 0 }, BYTES("x")), "refused");
}

static void test_a_request_without_memory_is_none(void **state)
{
	int rc = E_NOMEM;

	(void)state;
	for (long n = 0; rc != OK; n++) {
		struct command c = command(COMMAND_COMMIT, MODE_TCC);
		struct caller_request rq = { .n_headers = 99 };
		struct arena arena;
		struct flaky f;
		struct buf why;

		flaky_init(&f, n);
		arena_init(&arena, &f.mem, 16);
		buf_init(&why, &f.mem);
		rc = caller_request_make(&rq, &arena, &c, &why);
		assert_true(rc == OK || rc == E_NOMEM);
		assert_int_equal(rq.n_headers == 99, rc != OK);
		buf_fini(&why);
		arena_fini(&arena);
		assert_int_equal(f.live, 0);
		assert_true(n < 200);
	}
}

/* ---- outcomes ---- */

static struct branch_done outcome(struct fixture *f, enum command_type type,
				  struct caller_answer answer)
{
	struct branch_done done = { .type = type };

	f->rq.display = BYTES("POST http://pay:80/x");
	caller_outcome(&done, &f->arena, &f->rq, &answer);
	return done;
}

static void expect_status(enum command_type type, int http,
			  enum branch_status status, bool in_progress)
{
	struct fixture f;
	struct branch_done done;

	setup(&f);
	done = outcome(&f, type,
		       (struct caller_answer){ .http = http,
					       .why = BYTES("it broke") });
	if (done.status != status || done.in_progress != in_progress)
		print_error("%d %d\n", (int)type, http);
	assert_int_equal(done.status, status);
	assert_int_equal(done.in_progress, in_progress);
	assert_int_equal(
		done.error.len > 0,
		status != BRANCH_COMMITTED &&
			(status != BRANCH_ROLLBACKED || type == COMMAND_CHECK));
	teardown(&f);
}

static void test_the_table_of_outcomes(void **state)
{
	static const int unknown[] = { 0,   199, 300, 301, 302, 304, 307,
				       308, 400, 401, 403, 404, 408, 410,
				       418, 429, 500, 502, 503, 504, 999 };
	static const enum command_type types[] = { COMMAND_COMMIT,
						   COMMAND_CHECK,
						   COMMAND_CALL };

	(void)state;
	for (size_t t = 0; t < ARRAY_LEN(types); t++) {
		for (size_t i = 0; i < ARRAY_LEN(unknown); i++)
			expect_status(types[t], unknown[i],
				      BRANCH_COMMIT_RETRYABLE, false);
		expect_status(types[t], 425, BRANCH_COMMIT_RETRYABLE, true);
		expect_status(types[t], 200, BRANCH_COMMITTED, false);
		expect_status(types[t], 204, BRANCH_COMMITTED, false);
		expect_status(types[t], 299, BRANCH_COMMITTED, false);
	}
	for (size_t i = 0; i < ARRAY_LEN(unknown); i++)
		expect_status(COMMAND_ROLLBACK, unknown[i],
			      BRANCH_ROLLBACK_RETRYABLE, false);
	expect_status(COMMAND_ROLLBACK, 425, BRANCH_ROLLBACK_RETRYABLE, true);
	expect_status(COMMAND_ROLLBACK, 200, BRANCH_ROLLBACKED, false);
	expect_status(COMMAND_ROLLBACK, 409, BRANCH_ROLLBACK_UNRETRYABLE,
		      false);
	expect_status(COMMAND_COMMIT, 409, BRANCH_COMMIT_UNRETRYABLE, false);
	expect_status(COMMAND_CALL, 409, BRANCH_COMMIT_UNRETRYABLE, false);
	expect_status(COMMAND_CHECK, 409, BRANCH_ROLLBACKED, false);
}

static void expect_call(const char *type, struct bytes body, bool cut,
			enum branch_status status, const char *detail)
{
	struct fixture f;
	struct branch_done done;

	setup(&f);
	done = outcome(&f, COMMAND_CALL,
		       (struct caller_answer){ .http = 200,
					       .type = bytes_of(type),
					       .body = body,
					       .cut = cut });
	assert_int_equal(done.status, status);
	assert_true(bytes_equal(done.detail, bytes_of(detail)));
	teardown(&f);
}

static void test_the_output_of_a_call_is_json_that_says_so(void **state)
{
	struct bytes json = BYTES("{\"a\":1}");

	(void)state;
	expect_call("application/json", json, false, BRANCH_COMMITTED,
		    "{\"a\":1}");
	expect_call("application/JSON ; charset=utf-8", json, false,
		    BRANCH_COMMITTED, "{\"a\":1}");
	expect_call("application/vnd.x+json", json, false, BRANCH_COMMITTED,
		    "{\"a\":1}");
	expect_call("application/json", BYTES("7"), false, BRANCH_COMMITTED,
		    "7");
	expect_call("application/json", BYTES(""), false, BRANCH_COMMITTED,
		    NULL);
	expect_call("text/plain", json, false, BRANCH_COMMITTED, NULL);
	expect_call("text/plain", BYTES("x"), true, BRANCH_COMMITTED, NULL);
	expect_call("application/xjson", json, false, BRANCH_COMMITTED, NULL);
	expect_call(NULL, json, false, BRANCH_COMMITTED, NULL);
	/* Done without its output would be a guess. */
	expect_call("application/json", BYTES("{\"a\":"), false,
		    BRANCH_COMMIT_RETRYABLE, NULL);
	expect_call("application/json", json, true, BRANCH_COMMIT_RETRYABLE,
		    NULL);
	expect_call("application/json", BYTES("\"\xff\""), false,
		    BRANCH_COMMIT_RETRYABLE, NULL);
}

static void test_bodies_mean_nothing_but_for_calls(void **state)
{
	struct fixture f;
	struct branch_done done;
	struct caller_answer a = { .http = 200,
				   .type = BYTES("application/json"),
				   .body = BYTES("{"),
				   .cut = true };

	(void)state;
	setup(&f);
	done = outcome(&f, COMMAND_COMMIT, a);
	assert_int_equal(done.status, BRANCH_COMMITTED);
	assert_int_equal(done.detail.len, 0);
	done = outcome(&f, COMMAND_CHECK, a);
	assert_int_equal(done.status, BRANCH_COMMITTED);
	teardown(&f);
}

static void test_a_refusal_has_a_name_and_a_message(void **state)
{
	struct fixture f;
	struct branch_done done;
	struct caller_answer a = {
		.http = 409,
		.body = BYTES("{\"error\":\"No\\u004doney\",\"message\":"
			      "\"empty\",\"x\":{}}"),
	};

	(void)state;
	setup(&f);
	done = outcome(&f, COMMAND_CALL, a);
	assert_true(bytes_equal(done.error_name, BYTES("NoMoney")));
	assert_true(bytes_equal(done.error, BYTES("empty")));
	a.body = BYTES("{\"error\":7,\"message\":[]}");
	done = outcome(&f, COMMAND_CALL, a);
	assert_int_equal(done.error_name.len, 0);
	assert_true(bytes_equal(
		done.error, BYTES("POST http://pay:80/x answered 409 "
				  "\"{\\\"error\\\":7,\\\"message\\\":[]}\"")));
	a.body = BYTES("no");
	done = outcome(&f, COMMAND_CALL, a);
	assert_int_equal(done.error_name.len, 0);
	assert_true(bytes_equal(done.error,
				BYTES("POST http://pay:80/x answered 409 "
				      "\"no\"")));
	teardown(&f);
}

static void test_a_refusal_without_memory_is_not_known(void **state)
{
	static const char body[] = "{\"error\":\"E\",\"message\":\"m\"}";
	bool refused = false;

	(void)state;
	for (long n = 0; !refused; n++) {
		struct branch_done done = { .type = COMMAND_CALL };
		struct caller_request rq = { .display = BYTES("POST x") };
		struct caller_answer a = { .http = 409,
					   .body = bytes_of(body) };
		struct arena arena;
		struct flaky f;

		flaky_init(&f, n);
		arena_init(&arena, &f.mem, 16);
		caller_outcome(&done, &arena, &rq, &a);
		refused = done.status == BRANCH_COMMIT_UNRETRYABLE;
		assert_true(refused || done.status == BRANCH_COMMIT_RETRYABLE);
		assert_true(bytes_equal(done.error_name,
					refused ? BYTES("E") : BYTES("")));
		arena_fini(&arena);
		assert_int_equal(f.live, 0);
		assert_true(n < 50);
	}
}

static void expect_error(struct caller_answer a, const char *error)
{
	struct fixture f;
	struct branch_done done;

	setup(&f);
	done = outcome(&f, COMMAND_COMMIT, a);
	if (!bytes_equal(done.error, bytes_of(error)))
		print_error("%.*s\n", (int)done.error.len,
			    (const char *)done.error.data);
	assert_true(bytes_equal(done.error, bytes_of(error)));
	teardown(&f);
}

static void test_errors_say_what_was_asked_and_answered(void **state)
{
	struct buf body, want;

	(void)state;
	expect_error((struct caller_answer){ .why = BYTES("it broke") },
		     "POST http://pay:80/x: it broke");
	expect_error((struct caller_answer){ .http = 500 },
		     "POST http://pay:80/x answered 500");
	expect_error((struct caller_answer){ .http = 302 },
		     "POST http://pay:80/x answered 302; redirects are not "
		     "followed");
	expect_error(
		(struct caller_answer){ .http = 500,
					.body = BYTES("a\r\n\x1b[31m\xff") },
		"POST http://pay:80/x answered 500 "
		"\"a\\r\\n\\u001b[31m\xef\xbf\xbd\"");
	/* Never half a character. */
	buf_init(&body, &mem_heap);
	buf_init(&want, &mem_heap);
	buf_put_text(&want, "POST http://pay:80/x answered 500 \"x");
	buf_put_char(&body, 'x');
	for (int i = 0; i < 200; i++) {
		buf_put_text(&body, "ü");
		if (i < 99)
			buf_put_text(&want, "ü");
	}
	buf_put_text(&want, "\"…");
	expect_error(
		(struct caller_answer){ .http = 500, .body = buf_bytes(&body) },
		buf_text(&want));
	buf_fini(&body);
	buf_fini(&want);
}

static void test_not_called_is_never_done(void **state)
{
	static const struct {
		enum command_type type;
		bool for_ever;
		enum branch_status status;
	} cases[] = {
		{ COMMAND_COMMIT, false, BRANCH_COMMIT_RETRYABLE },
		{ COMMAND_COMMIT, true, BRANCH_COMMIT_UNRETRYABLE },
		{ COMMAND_ROLLBACK, false, BRANCH_ROLLBACK_RETRYABLE },
		{ COMMAND_ROLLBACK, true, BRANCH_ROLLBACK_UNRETRYABLE },
		{ COMMAND_CALL, false, BRANCH_COMMIT_RETRYABLE },
		{ COMMAND_CALL, true, BRANCH_COMMIT_UNRETRYABLE },
		{ COMMAND_CHECK, false, BRANCH_COMMIT_RETRYABLE },
		{ COMMAND_CHECK, true, BRANCH_COMMIT_RETRYABLE },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct branch_done done = { .type = cases[i].type };

		caller_not_called(&done, cases[i].for_ever, BYTES("why"));
		assert_int_equal(done.status, cases[i].status);
		assert_true(bytes_equal(done.error, BYTES("why")));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_command_asks_for_what_it_is),
		cmocka_unit_test(
			test_a_sagas_call_goes_to_the_service_and_its_method),
		cmocka_unit_test(test_body_headers_and_what_is_shown),
		cmocka_unit_test(test_what_cannot_be_called_is_said),
		cmocka_unit_test(test_a_request_without_memory_is_none),
		cmocka_unit_test(test_the_table_of_outcomes),
		cmocka_unit_test(
			test_the_output_of_a_call_is_json_that_says_so),
		cmocka_unit_test(test_bodies_mean_nothing_but_for_calls),
		cmocka_unit_test(test_a_refusal_has_a_name_and_a_message),
		cmocka_unit_test(test_a_refusal_without_memory_is_not_known),
		cmocka_unit_test(test_errors_say_what_was_asked_and_answered),
		cmocka_unit_test(test_not_called_is_never_done),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
