#include "base/hash.h"
#include "tc/door/http_openapi.h"
#include "tc/door/http_view.h"
#include "tests/fakes/flaky.h"
#include "tests/fakes/http_exchange.h"

static int setup(void **state)
{
	static const struct bytes none;

	(void)state;
	world = (struct world){ .now_ms = 1000, .state = HOST_READY };
	for (size_t i = 0; i < 5; i++) {
		world.gtx[i] = (struct gtx_view){
			.number = 10 + i,
			.status = i == 2 ? GTX_ROLLBACK_FAILED : GTX_BEGIN,
			.name = BYTES("checkout"),
			.application = BYTES("shop"),
			.began_wall_ms = 1763728496789u,
			.age_ms = 5000,
			.timeout_ms = 60000,
			.n_branches = 1,
			.n_locks = 2,
			.next_due_ms = i == 2 ? UINT64_MAX : 250,
			.last_error = i == 2 ? BYTES("dirty \"row\"") : none,
		};
	}
	world.n_gtx = 5;
	return 0;
}

/* ---- targets ---- */

static int parse(struct target *t, const char *text)
{
	static struct arena arena;

	if (arena.mem)
		arena_fini(&arena);
	arena_init(&arena, &mem_heap, 0);
	return target_parse(t, &arena, bytes_of(text));
}

static void test_a_target_is_taken_apart(void **state)
{
	struct bytes vars[2];
	struct target t;

	(void)state;
	assert_int_equal(parse(&t, "/a%2fb/c+d/?x=1+%262&y&=z&&z=a=b"), OK);
	assert_int_equal(t.n_segments, 3);
	assert_true(bytes_equal(t.segments[0], BYTES("a/b")));
	assert_true(bytes_equal(t.segments[1], BYTES("c+d")));
	assert_int_equal(t.segments[2].len, 0);
	assert_int_equal(t.n_params, 3);
	assert_true(bytes_equal(t.params[0].value, BYTES("1 &2")));
	assert_true(bytes_equal(t.params[1].name, BYTES("y")));
	assert_int_equal(t.params[1].value.len, 0);
	assert_true(bytes_equal(t.params[2].value, BYTES("a=b")));
	assert_int_equal(parse(&t, "/v/10.0.0.1%3A8091%3a7/retry"), OK);
	assert_true(target_matches(&t, "/v/{}/retry", vars, 2));
	assert_true(bytes_equal(vars[0], BYTES("10.0.0.1:8091:7")));
	assert_false(target_matches(&t, "/v/{}", vars, 2));
	assert_false(target_matches(&t, "/v/{}/retry/x", vars, 2));
	assert_false(target_matches(&t, "/v/{}/retr", vars, 2));
	assert_int_equal(parse(&t, "/v//retry"), OK);
	assert_false(target_matches(&t, "/v/{}/retry", vars, 2));
	assert_int_equal(parse(&t, "/"), OK);
	assert_int_equal(t.n_segments, 1);
}

static void test_a_broken_target_is_refused(void **state)
{
	static const char *const bad[] = {
		"",        "a",       "http://h/", "*",        "/%",
		"/%4",     "/%zz",    "/%00",      "/%ff",     "/a?b=%",
		"/a?%c3=", "/a?b=%0", "?a=1",      "/a%c0%af",
	};
	struct target t;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (parse(&t, bad[i]) != E_INVALID)
			fail_msg("taken: %s", bad[i]);
	assert_int_equal(parse(&t, "/1/2/3/4/5/6/7/8/9/10"), OK);
	assert_int_equal(parse(&t, "/1/2/3/4/5/6/7/8/9/10/11"), E_LIMIT);
	assert_int_equal(parse(&t, "/?a&b&c&d&e&f&g&h&i&j&k&l&m&n&o&p&q"),
			 E_LIMIT);
}

/* ---- pages ---- */

static void test_health_and_readiness_differ(void **state)
{
	(void)state;
	expect_get("/healthz", 200, "{\"status\":\"ok\"}");
	expect_get("/readyz", 200, "{\"status\":\"ok\"}");
	world.state = HOST_DRAINING;
	expect_get("/healthz", 200, "{\"status\":\"ok\"}");
	expect_get("/readyz", 503, "stopping");
	world.state = HOST_LOADING;
	expect_get("/readyz", 503, "\"code\":\"closing\"");
}

static void test_metrics_are_text_for_prometheus(void **state)
{
	(void)state;
	begin("GET", "/metrics", NULL);
	assert_int_equal(run(), 200);
	assert_string_equal(x.answer.type,
			    "text/plain; version=0.0.4; charset=utf-8");
	assert_true(bytes_equal(buf_bytes(&x.answer.body),
				BYTES("treaty_locks 7\n")));
	end();
	world.state = HOST_DRAINING;
	expect_get("/metrics", 200, "treaty_locks");
}

static void test_the_description_is_told_once(void **state)
{
	static const struct {
		const char *has;
		unsigned status;
	} tags[] = {
		{ "", 200 },        { "\"x\"", 200 },       { ",, ,", 200 },
		{ "%", 304 },       { "W/%", 304 },         { "*", 304 },
		{ "\"x\",%", 304 }, { "\"a\", \t% ", 304 }, { "W/", 200 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(tags); i++) {
		const char *at = strchr(tags[i].has, '%');
		struct buf tag;

		begin("GET", "/api/v1/openapi.json", NULL);
		buf_init(&tag, &x.arena.as_mem);
		if (at)
			buf_printf(&tag, "%.*s%s%s", (int)(at - tags[i].has),
				   tags[i].has, http_openapi_etag, at + 1);
		else
			buf_put_text(&tag, tags[i].has);
		x.call.if_none_match = buf_bytes(&tag);
		assert_true(http_admit(&x.api, &x.call, &x.answer));
		assert_int_equal(
			http_handle(&x.api, &x.call, &x.answer, &x.request),
			HTTP_ANSWERED);
		assert_int_equal(x.answer.status, tags[i].status);
		assert_string_equal(x.answer.etag, http_openapi_etag);
		if (tags[i].status == 304)
			assert_int_equal(x.answer.body.len, 0);
		else
			EXPECT_SAYS("\"openapi\": \"3.1.0\"");
		end();
	}
	expect_get("/api/v1/openapi.yaml", 404, "not_found");
	assert_null(x.answer.etag);
}

static void test_stats_have_core_and_store(void **state)
{
	(void)state;
	expect_get(
		"/api/v1/stats", 200,
		"{\"version\":\"1.2.3\",\"coordinator\":\"10.0.0.1:8091\","
		"\"state\":\"ready\",\"uptime_ms\":1000,\"core\":{\"begun\":7"
		",");
	expect_get("/api/v1/stats", 200, "\"store\":{\"batches\":5,");
	expect_get("/api/v1/unfinished", 200,
		   "\"statuses\":[{\"status\":\"Begin\",\"status_code\":1,"
		   "\"hung\":false,\"count\":4},{\"status\":\"CommitFailed\","
		   "\"status_code\":10,\"hung\":true,\"count\":3}]");
	expect_get("/api/v1/unfinished", 200,
		   "{\"older_than_ms\":10000,\"count\":5,\"hung\":2}");
	expect_get("/api/v1/stats", 200, "\"caller\":{\"calls\":12,");
}

static void test_a_list_gives_what_is_unfinished(void **state)
{
	(void)state;
	expect_get("/api/v1/transactions?limit=1", 200,
		   "{\"transactions\":[{\"xid\":\"10.0.0.1:8091:10\","
		   "\"number\":\"10\",\"status\":\"Begin\",\"status_code\":1,"
		   "\"finished\":false,\"hung\":false,"
		   "\"kind\":\"plain\",\"name\":\"checkout\","
		   "\"application\":\"shop\","
		   "\"began_at\":\"2025-11-21T12:34:56.789Z\","
		   "\"ended_at\":null,\"age_ms\":5000,\"timeout_ms\":60000,"
		   "\"branch_count\":1,\"lock_count\":2,\"next_due_ms\":250,"
		   "\"last_error\":null,\"why\":null,"
		   "\"check\":null,\"machine\":null,"
		   "\"version\":null,\"business_key\":null}],\"next\":\"10\"}");
	expect_get("/api/v1/transactions?after=12&limit=2", 200,
		   "\"next\":null}");
	expect_get("/api/v1/transactions", 200,
		   "\"status\":\"RollbackFailed\",\"status_code\":12,"
		   "\"finished\":false,\"hung\":true");
}

static void test_pages_join_without_gap_or_overlap(void **state)
{
	static const char *const pages[] = { "0", "11", "13" };
	size_t seen = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(pages); i++) {
		struct buf target;

		buf_init(&target, &mem_heap);
		buf_printf(&target, "/api/v1/transactions?limit=2&after=%s",
			   pages[i]);
		begin("GET", buf_text(&target), NULL);
		assert_int_equal(run(), 200);
		for (const char *p = buf_text(&x.answer.body);
		     (p = strstr(p, "\"number\":")) != NULL; p++)
			seen++;
		EXPECT_SAYS(i == 0   ? "\"next\":\"11\""
			    : i == 1 ? "\"next\":\"13\""
				     : "\"next\":null");
		end();
		buf_fini(&target);
	}
	assert_int_equal(seen, 5);
}

static void test_filters_reach_the_core(void **state)
{
	(void)state;
	expect_get("/api/v1/transactions?status=RollbackRetrying&hung=true&"
		   "text=a%20b&resource=pg%3A%2F%2Fx&min_age=2m&after=7&"
		   "limit=1000",
		   200, "transactions");
	assert_int_equal(world.filter.status, GTX_ROLLBACK_RETRYING);
	assert_true(world.filter.hung);
	assert_int_equal(world.filter.age_ms_min, 120000);
	assert_int_equal(world.filter.after, 7);
	assert_int_equal(world.filter.limit, 1001);
	expect_get("/api/v1/transactions?status=5&hung=0&min_age=1500ms", 200,
		   "transactions");
	assert_int_equal(world.filter.status, 5);
	assert_false(world.filter.hung);
	assert_int_equal(world.filter.age_ms_min, 1500);
	expect_get("/api/v1/transactions", 200, "transactions");
	assert_int_equal(world.filter.status, -1);
	assert_int_equal(world.filter.limit, 51);
}

static void test_a_wrong_parameter_is_named(void **state)
{
	static const char *const wrong[][2] = {
		{ "limit=0", "limit" },
		{ "limit=1001", "limit" },
		{ "limit=-1", "limit" },
		{ "limit=1e2", "limit" },
		{ "status=Nope", "status" },
		{ "status=21", "status" },
		{ "hung=maybe", "hung" },
		{ "hung", "hung" },
		{ "min_age=5", "min_age" },
		{ "min_age=m", "min_age" },
		{ "min_age=99999999999999999999d", "min_age" },
		{ "after=x", "after" },
		{ "after=9223372036854775808", "after" },
		{ "state=open", "state" },
		{ "Limit=1", "Limit" },
		{ "state=finished&hung=1", "hung" },
		{ "state=finished&resource=r", "resource" },
		{ "state=finished&min_age=1s", "min_age" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		struct buf text;

		buf_init(&text, &mem_heap);
		buf_printf(&text, "/api/v1/transactions?%s", wrong[i][0]);
		begin("GET", buf_text(&text), NULL);
		if (run() != 400)
			fail_msg("taken: %s", wrong[i][0]);
		EXPECT_SAYS("\"code\":\"bad_query\"");
		buf_clear(&text);
		buf_printf(&text, "\"parameter\":\"%s\"", wrong[i][1]);
		EXPECT_SAYS(buf_text(&text));
		end();
		buf_fini(&text);
	}
}

static void fill_archive(void)
{
	for (size_t i = 0; i < 4; i++) {
		world.archived[i] = (struct archive){
			.gtx = 9 - i,
			.status = i % 2 ? GTX_ROLLBACKED : GTX_COMMITTED,
			.name = i == 3 ? BYTES("refund") : BYTES("checkout"),
			.application = BYTES("shop"),
			.began_wall_ms = 1000,
			.ended_wall_ms = 3500,
			.n_branches = 3,
		};
	}
	world.n_archived = 4;
}

static void test_finished_ones_come_newest_first(void **state)
{
	(void)state;
	fill_archive();
	expect_get("/api/v1/transactions?state=finished&limit=1", 200,
		   "[{\"xid\":\"10.0.0.1:8091:9\",\"number\":\"9\","
		   "\"status\":\"Committed\",\"status_code\":9,"
		   "\"finished\":true,\"hung\":false,\"kind\":\"plain\","
		   "\"name\":\"checkout\","
		   "\"application\":\"shop\","
		   "\"began_at\":\"1970-01-01T00:00:01.000Z\","
		   "\"ended_at\":\"1970-01-01T00:00:03.500Z\",\"age_ms\":2500,"
		   "\"timeout_ms\":null,\"branch_count\":3,\"lock_count\":0,"
		   "\"next_due_ms\":null,\"last_error\":null,\"why\":null,"
		   "\"check\":null,"
		   "\"machine\":null,\"version\":null,\"business_key\":null}],"
		   "\"next\":\"9\"}");
	expect_get("/api/v1/transactions?state=finished&text=ref", 200,
		   "[{\"xid\":\"10.0.0.1:8091:6\"");
	expect_get("/api/v1/transactions?state=finished&after=8&"
		   "status=Rollbacked",
		   200, "[{\"xid\":\"10.0.0.1:8091:6\"");
	world.store_error = E_IO;
	expect_get("/api/v1/transactions?state=finished", 503,
		   "the disk is on fire");
}

static void fill_branch(const struct bytes *keys, size_t n_keys)
{
	world.branches[0] = (struct branch_view){
		.id = UINT64_MAX,
		.mode = MODE_AT,
		.status = BRANCH_ROLLBACK_UNRETRYABLE,
		.resource = BYTES("goods"),
		.application = BYTES("shop"),
		.instance = BYTES("i-1"),
		.application_data = BYTES("\xff"),
		.attempts = 3,
		.next_due_ms = UINT64_MAX,
		.last_error = BYTES("dirty"),
		.why = "it needs an operator",
		.detail = BYTES("{\"dirty\":1}"),
		.lock_keys = keys,
		.n_lock_keys = n_keys,
	};
	world.n_branches = 1;
}

static void test_one_is_shown_with_branches_and_history(void **state)
{
	struct buf key;
	struct bytes keys[1];

	(void)state;
	buf_init(&key, &mem_heap);
	lock_key_begin(&key, BYTES("goods"), BYTES("stock"));
	lock_key_value(&key, BYTES("a'b"));
	keys[0] = buf_bytes(&key);
	fill_branch(keys, 1);
	world.lines[0] = (struct history){ .gtx = 12,
					   .wall_ms = 1000,
					   .text = BYTES("begun") };
	world.lines[1] = (struct history){ .gtx = 12,
					   .wall_ms = 1001,
					   .kind = HISTORY_FAILED,
					   .branch = UINT64_MAX,
					   .attempt = 3,
					   .text = BYTES("dirty") };
	world.lines[2] = (struct history){ .gtx = 12,
					   .kind = HISTORY_SENT,
					   .task = 1,
					   .attempt = 1,
					   .text = BYTES("call") };
	world.n_lines = 3;
	expect_get("/api/v1/transactions/10.0.0.1:8091:12", 200,
		   "\"last_error\":\"dirty "
		   "\\\"row\\\"\",\"why\":null,\"check\":null,\"machine\":null,"
		   "\"version\":"
		   "null,\"business_key\":null,\"branches\":[{"
		   "\"id\":\"18446744073709551615\",\"mode\":\"AT\","
		   "\"status\":\"PhaseTwo_RollbackFailed_Unretryable\","
		   "\"status_code\":10,\"resource\":\"goods\","
		   "\"application\":\"shop\",\"instance\":\"i-1\","
		   "\"attempts\":3,\"next_due_ms\":null,\"in_flight\":false,"
		   "\"last_error\":\"dirty\",\"why\":\"it needs an operator\","
		   "\"application_data\":null,"
		   "\"application_data_len\":1,"
		   "\"lock_keys\":[\"stock('a\\\\'b')\"],"
		   "\"detail\":{\"dirty\":1},\"participant\":null,"
		   "\"topic\":null,\"subscriber\":null}],"
		   "\"history\":[{\"at\":\"1970-01-01T00:00:01.000Z\","
		   "\"kind\":\"note\",\"branch\":null,\"task\":null,"
		   "\"attempt\":null,\"text\":\"begun\"},"
		   "{\"at\":\"1970-01-01T00:00:01.001Z\","
		   "\"kind\":\"failed\","
		   "\"branch\":\"18446744073709551615\",\"task\":null,"
		   "\"attempt\":3,\"text\":\"dirty\"},"
		   "{\"at\":null,\"kind\":\"sent\",\"branch\":null,"
		   "\"task\":0,\"attempt\":1,\"text\":\"call\"}]}");
	expect_get("/api/v1/transactions/10.0.0.1%3A8091%3A12", 200, "{");
	expect_get("/api/v1/transactions/12", 200,
		   "{\"xid\":\"10.0.0.1:8091:12\"");
	buf_fini(&key);
}

static void test_a_detail_that_is_not_json_stays_text(void **state)
{
	(void)state;
	fill_branch(NULL, 0);
	world.branches[0].detail = BYTES("{\"dirty\":1},\"hung\":false");
	expect_get("/api/v1/transactions/12", 200,
		   "\"detail\":\"{\\\"dirty\\\":1},\\\"hung\\\":false\"");
}

static void test_a_finished_one_is_found_in_archive_or_tombstone(void **state)
{
	(void)state;
	fill_archive();
	world.tombstone = 3;
	expect_get("/api/v1/transactions/8", 200,
		   "\"status\":\"Rollbacked\",\"status_code\":11,"
		   "\"finished\":true");
	expect_get("/api/v1/transactions/8", 200,
		   "\"branches\":[],\"history\":[]");
	expect_get(
		"/api/v1/transactions/3", 200,
		"\"status\":\"Committed\",\"status_code\":9,"
		"\"finished\":true,\"hung\":false,\"kind\":null,\"name\":null");
	expect_get("/api/v1/transactions/2", 404,
		   "\"code\":\"transaction_not_found\"");
	expect_get("/api/v1/transactions/9000000000000000002", 410,
		   "\"code\":\"other_life\"");
	world.store_error = E_IO;
	expect_get("/api/v1/transactions/12", 503, "\"code\":\"store_failed\"");
}

static void test_an_xid_must_be_ours(void **state)
{
	(void)state;
	expect_get("/api/v1/transactions/10.0.0.2:8091:12", 404,
		   "belongs to the coordinator 10.0.0.2:8091");
	expect_get("/api/v1/transactions/0", 400, "is not an xid");
	expect_get("/api/v1/transactions/012", 400, "is not an xid");
	expect_get("/api/v1/transactions/x", 400, "10.0.0.1:8091:42");
	expect_get("/api/v1/transactions/9223372036854775808", 400,
		   "is not an xid");
}

/* ---- admission ---- */

static void test_unknown_paths_and_methods_are_told_apart(void **state)
{
	(void)state;
	expect_get("/nope", 404, "\"code\":\"not_found\"");
	expect_get("/api/v1/transactions/", 404, "\"code\":\"not_found\"");
	expect_get("/api/v1/transactions/1/nope", 404, "not_found");
	expect_get("/%00", 400, "\"code\":\"bad_request\"");
	begin("DELETE", "/api/v1/transactions/1", NULL);
	assert_int_equal(run(), 405);
	assert_string_equal(x.answer.allow, "GET, HEAD");
	end();
	begin("GET", "/api/v1/transactions/1/retry", NULL);
	assert_int_equal(run(), 405);
	assert_string_equal(x.answer.allow, "POST");
	end();
	begin("HEAD", "/api/v1/transactions", NULL);
	assert_int_equal(run(), 200);
	end();
	begin("DELETE", "/api/v1/transactions", NULL);
	assert_int_equal(run(), 405);
	assert_string_equal(x.answer.allow, "GET, HEAD, POST");
	end();
}

static unsigned run_with_host(const char *host, const char *target)
{
	unsigned status;

	begin("GET", target, NULL);
	x.call.host = bytes_of(host);
	status = run();
	end();
	return status;
}

static void test_a_foreign_host_name_is_refused(void **state)
{
	static const char list[] = "/api/v1/transactions";

	(void)state;
	assert_int_equal(run_with_host("127.0.0.1:7091", list), 200);
	assert_int_equal(run_with_host("127.0.0.1", list), 200);
	assert_int_equal(run_with_host("LocalHost:1", list), 200);
	assert_int_equal(run_with_host("[::1]:7091", list), 200);
	assert_int_equal(run_with_host("[::1]", list), 200);
	assert_int_equal(run_with_host("evil.example:7091", list), 421);
	assert_int_equal(run_with_host("127.0.0.1.evil.example", list), 421);
	assert_int_equal(run_with_host("localhost:7091:x", list), 421);
	assert_int_equal(run_with_host("", list), 421);
	assert_int_equal(run_with_host("10.0.0.1:7091", "/healthz"), 200);
}

static void test_a_page_of_another_site_cannot_act(void **state)
{
	static const char retry[] = "/api/v1/transactions/12/retry";

	(void)state;
	begin("POST", retry, "{}");
	x.call.origin = BYTES("http://evil.example");
	assert_int_equal(run(), 403);
	end();
	begin("POST", retry, "{}");
	x.call.origin = BYTES("null");
	assert_int_equal(run(), 403);
	end();
	begin("POST", retry, "{}");
	x.call.origin = BYTES("http://localhost:7091");
	assert_int_equal(run(), 0);
	end();
	begin("POST", retry, "{}");
	x.call.content_type = BYTES("text/plain");
	assert_int_equal(run(), 415);
	end();
	begin("POST", retry, "{}");
	x.call.content_type = BYTES("application/jsonp");
	assert_int_equal(run(), 415);
	end();
	begin("POST", retry, "{}");
	x.call.content_type = BYTES("Application/JSON; charset=utf-8");
	assert_int_equal(run(), 0);
	end();
}

static void test_a_body_needs_a_length_within_the_limit(void **state)
{
	static const char retry[] = "/api/v1/transactions/12/retry";

	(void)state;
	begin("POST", retry, NULL);
	assert_int_equal(run(), 411);
	end();
	begin("POST", retry, "{}");
	x.call.transfer_encoding = BYTES("chunked");
	assert_int_equal(run(), 411);
	end();
	begin("POST", retry, "{}");
	x.call.content_length = BYTES("4097");
	assert_int_equal(run(), 413);
	EXPECT_SAYS("at most 4096 bytes");
	end();
	begin("POST", "/nowhere", "{}");
	x.call.content_length = BYTES("99999999999999999999999");
	assert_int_equal(run(), 413);
	end();
}

/* ---- actions ---- */

static void test_a_retry_is_asked_of_the_core(void **state)
{
	(void)state;
	begin("POST", "/api/v1/transactions/12/retry",
	      "{\"reason\":\"db is \\u0062ack\"}");
	assert_int_equal(run(), 0);
	assert_int_equal(x.request.type, RQ_RETRY);
	assert_true(bytes_equal(x.request.xid, BYTES("10.0.0.1:8091:12")));
	assert_int_equal(x.request.branch, 0);
	assert_int_equal(x.request.peer, 0);
	assert_true(bytes_equal(x.request.text, BYTES("db is back")));
	end();
	begin("POST", "/api/v1/transactions/12/branches/7/retry", "");
	assert_int_equal(run(), 0);
	assert_int_equal(x.request.branch, 7);
	end();
}

static void test_a_resolution_is_asked_of_the_core(void **state)
{
	(void)state;
	begin("POST", "/api/v1/transactions/12/branches/7/resolve",
	      "{\"resolution\":\"values\", \"reason\":\"by hand\","
	      " \"values\" : {\"choice\":\"keep\",\"n\":1.50}}");
	assert_int_equal(run(), 0);
	assert_int_equal(x.request.type, RQ_RESOLVE);
	assert_int_equal(x.request.branch, 7);
	assert_int_equal(x.request.resolution, RESOLVE_VALUES);
	assert_true(bytes_equal(x.request.text,
				BYTES("{\"choice\":\"keep\",\"n\":1.50}")));
	assert_true(bytes_equal(x.request.reason, BYTES("by hand")));
	end();
	begin("POST", "/api/v1/transactions/12/branches/7/resolve",
	      "{\"resolution\":\"use_undo\",\"reason\":\"r\"}");
	assert_int_equal(run(), 0);
	assert_int_equal(x.request.resolution, RESOLVE_USE_UNDO);
	assert_int_equal(x.request.text.len, 0);
	end();
	begin("POST", "/api/v1/transactions/12/branches/7/resolve",
	      "{\"resolution\":\"keep_current\",\"reason\":\"r\"}");
	assert_int_equal(run(), 0);
	assert_int_equal(x.request.resolution, RESOLVE_KEEP_CURRENT);
	end();
}

static void test_only_what_was_seen_is_resolved(void **state)
{
	static const char resolve[] =
		"/api/v1/transactions/12/branches/7/resolve";

	(void)state;
	begin("POST", resolve,
	      "{\"resolution\":\"use_undo\",\"reason\":\"r\",\"rows\":["
	      "{\"seen\":\"9f\",\"table\":\"s.t\",\"key\":{\"id\":\"1\"}},"
	      "{\"table\":\"u\",\"key\":{\"k\":null},\"seen\":\"absent\"}]}");
	assert_int_equal(run(), 0);
	assert_int_equal(x.request.resolution, RESOLVE_USE_UNDO);
	assert_true(bytes_equal(
		x.request.text,
		BYTES("{\"rows\":[{\"table\":\"s.t\",\"key\":{\"id\":\"1\"},"
		      "\"choice\":\"undo\",\"seen\":\"9f\"},"
		      "{\"table\":\"u\",\"key\":{\"k\":null},"
		      "\"choice\":\"undo\",\"seen\":\"absent\"}]}")));
	end();
	begin("POST", resolve,
	      "{\"resolution\":\"keep_current\",\"reason\":\"r\",\"rows\":["
	      "{\"seen\":\"9f\",\"table\":\"t\",\"key\":{}}]}");
	assert_int_equal(run(), 0);
	assert_true(
		bytes_equal(x.request.text,
			    BYTES("{\"rows\":[{\"table\":\"t\",\"key\":{},"
				  "\"choice\":\"keep\",\"seen\":\"9f\"}]}")));
	end();
}

static void test_an_order_that_is_not_clear_is_not_given(void **state)
{
	static const char resolve[] =
		"/api/v1/transactions/12/branches/7/resolve";
	static const char *const bad[] = {
		"",
		"x",
		"[]",
		"\"use_undo\"",
		"{}",
		"{\"resolution\":\"use_undo\"}",
		"{\"resolution\":\"use_undo\",\"reason\":\"\"}",
		"{\"resolution\":\"use_undo\",\"reason\":7}",
		"{\"resolution\":\"undo\",\"reason\":\"r\"}",
		"{\"resolution\":null,\"reason\":\"r\"}",
		"{\"resolution\":\"values\",\"reason\":\"r\"}",
		"{\"resolution\":\"values\",\"reason\":\"r\",\"values\":1}",
		"{\"resolution\":\"use_undo\",\"reason\":\"r\",\"values\":{}}",
		"{\"resolution\":\"use_undo\",\"reason\":\"r\",\"dry_run\":1}",
		"{\"resolution\":\"use_undo\",\"reason\":\"r\"} x",
		"{\"resolution\":\"use_undo\",\"reason\":\"r\",\"rows\":{}}",
		"{\"resolution\":\"use_undo\",\"reason\":\"r\",\"rows\":[1]}",
		"{\"resolution\":\"use_undo\",\"reason\":\"r\",\"rows\":["
		"{\"table\":\"t\",\"key\":{}}]}",
		"{\"resolution\":\"use_undo\",\"reason\":\"r\",\"rows\":["
		"{\"table\":\"t\",\"key\":{},\"seen\":1}]}",
		"{\"resolution\":\"use_undo\",\"reason\":\"r\",\"rows\":["
		"{\"table\":\"t\",\"key\":{},\"seen\":\"1\",\"x\":1}]}",
		"{\"resolution\":\"values\",\"reason\":\"r\",\"values\":{},"
		"\"rows\":[]}",
		"{\"resolution\":\"use_undo\",\"reason\":\"r\",}",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		expect_post(resolve, bad[i], 400, "\"code\":\"bad_json\"");
	expect_post("/api/v1/transactions/12/retry", "{\"resolution\":1}", 400,
		    "is not known");
	expect_post("/api/v1/transactions/12/branches/x/retry", "", 400,
		    "is not a branch id");
	expect_post("/api/v1/transactions/12/branches/0/retry", "", 400,
		    "is not a branch id");
	expect_post("/api/v1/transactions/x/retry", "", 400, "is not an xid");
}

static unsigned reply_to_retry(const char *target, struct reply reply,
			       const char *text)
{
	unsigned status;

	begin("POST", target, "");
	assert_int_equal(run(), 0);
	assert_int_equal(
		http_reply(&x.api, &x.call, &reply, &x.answer, &x.request),
		HTTP_ANSWERED);
	assert_true(json_valid(buf_bytes(&x.answer.body)));
	EXPECT_SAYS(text);
	status = x.answer.status;
	end();
	return status;
}

static void test_the_cores_reply_becomes_an_answer(void **state)
{
	static const char retry[] = "/api/v1/transactions/12/retry";
	static const char branch[] = "/api/v1/transactions/12/branches/9/retry";
	static const char gone[] = "/api/v1/transactions/99/branches/9/retry";
	struct reply reply = { .err = OK, .status = GTX_ROLLBACK_RETRYING };

	(void)state;
	assert_int_equal(reply_to_retry(retry, reply,
					"{\"xid\":\"10.0.0.1:8091:12\","
					"\"status\":\"RollbackRetrying\","
					"\"status_code\":5,\"finished\":false,"
					"\"hung\":false}"),
			 200);
	reply.err = E_NOTFOUND;
	assert_int_equal(reply_to_retry(retry, reply, "transaction_not_found"),
			 404);
	assert_int_equal(reply_to_retry(branch, reply, "branch_not_found"),
			 404);
	assert_int_equal(reply_to_retry(gone, reply, "transaction_not_found"),
			 404);
	reply.err = E_STATE;
	assert_int_equal(reply_to_retry(retry, reply, "is RollbackRetrying"),
			 409);
	reply.text = BYTES("nothing is due");
	assert_int_equal(reply_to_retry(retry, reply, "nothing is due"), 409);
	reply.err = E_CLOSED;
	assert_int_equal(reply_to_retry(retry, reply, "closing"), 503);
	reply.err = E_LIMIT;
	assert_int_equal(reply_to_retry(retry, reply, "limit_reached"), 429);
	reply.err = E_INVALID;
	assert_int_equal(reply_to_retry(retry, reply, "bad_request"), 400);
	reply.err = E_UNKNOWN;
	assert_int_equal(reply_to_retry(retry, reply, "other_life"), 410);
	reply.err = E_TIMEOUT;
	assert_int_equal(reply_to_retry(retry, reply, "outcome_unknown"), 504);
	reply.err = E_CORRUPT;
	assert_int_equal(reply_to_retry(retry, reply, "internal"), 500);
}

/* ---- damage ---- */

static void damage(uint8_t *text, size_t len, uint64_t *seed)
{
	static const char wild[] = "/?&=%+{}\",:0129azA.-\x7f\xc3 \t";
	size_t hits = random_next(seed) % 4;

	for (size_t i = 0; i < hits; i++)
		text[random_next(seed) % len] =
			(uint8_t)wild[random_next(seed) % (sizeof wild - 1)];
}

static bool is_expected(unsigned status)
{
	return status == 200 || status == 400 || status == 404 || status == 405;
}

static void test_damaged_requests_are_answered(void **state)
{
	static const char *const targets[] = {
		"/api/v1/transactions?status=Begin&limit=5&after=1&min_age=5m",
		"/api/v1/transactions?state=finished&text=%61b",
		"/api/v1/transactions/10.0.0.1:8091:12",
		"/api/v1/transactions/12/branches/7/resolve",
		"/api/v1/transactions/12/retry",
	};
	static const char resolve[] =
		"{\"resolution\":\"values\",\"values\":{\"choice\":\"keep\"},"
		"\"reason\":\"r\"}";
	uint64_t seed = 3;
	size_t asked = 0, right = 0;

	(void)state;
	fill_branch(NULL, 0);
	for (int round = 0; round < 30000; round++) {
		const char *whole =
			targets[random_next(&seed) % ARRAY_LEN(targets)];
		bool post = random_next(&seed) % 2;
		char target[128], body[128];
		unsigned status;

		memcpy(target, whole, strlen(whole) + 1);
		memcpy(body, resolve, sizeof resolve);
		damage((uint8_t *)target, strlen(target), &seed);
		damage((uint8_t *)body, strlen(body), &seed);
		begin(post ? "POST" : "GET", target, post ? body : NULL);
		status = run();
		asked += x.asked;
		right += status == 200;
		assert_true(x.asked ? post : is_expected(status));
		if (x.asked)
			assert_true(json_valid(x.call.body));
		end();
	}
	assert_true(asked > 100 && right > 100);
}

/* ---- instants, memory ---- */

static void expect_instant(uint64_t wall_ms, const char *text)
{
	struct buf b;

	buf_init(&b, &mem_heap);
	view_instant(&b, wall_ms);
	assert_string_equal(buf_text(&b), text);
	buf_fini(&b);
}

static void test_instants_follow_the_calendar(void **state)
{
	(void)state;
	expect_instant(0, "1970-01-01T00:00:00.000Z");
	expect_instant(951782400000u, "2000-02-29T00:00:00.000Z");
	expect_instant(951868800000u, "2000-03-01T00:00:00.000Z");
	expect_instant(1767225599999u, "2025-12-31T23:59:59.999Z");
	expect_instant(4107542400000u, "2100-03-01T00:00:00.000Z");
	expect_instant(13574563200000u, "2400-02-29T00:00:00.000Z");
	expect_instant(1583020799000u, "2020-02-29T23:59:59.000Z");
}

/* Every allocation of a request fails once: the answer is right, or says that
 * memory ran out, or cannot be given at all. */
static void sweep(const char *method, const char *target, const char *body,
		  unsigned right)
{
	unsigned status = 0;

	for (size_t n = 0; status != right; n++) {
		struct flaky f;

		assert_true(n < 200);
		flaky_init(&f, (long)n);
		begin(method, target, body);
		arena_fini(&x.arena);
		arena_init(&x.arena, &f.mem, 64);
		http_answer_init(&x.answer, &f.mem);
		if (body) {
			x.call.content_length = BYTES("2");
			x.call.body = bytes_of(body);
		}
		x.asked = false;
		if (http_admit(&x.api, &x.call, &x.answer))
			x.asked = http_handle(&x.api, &x.call, &x.answer,
					      &x.request) == HTTP_ASKED;
		status = x.asked ? 0 : x.answer.status;
		if (buf_error(&x.answer.body) == OK && !x.asked)
			assert_true(well_formed());
		if (status != right)
			assert_int_equal(status, 503);
		buf_fini(&x.answer.body);
		arena_fini(&x.arena);
		assert_int_equal(f.live, 0);
		if (x.asked && right == 0)
			break;
	}
}

static void test_out_of_memory_is_said(void **state)
{
	(void)state;
	fill_branch(NULL, 0);
	sweep("GET", "/api/v1/transactions?text=abc", NULL, 200);
	sweep("GET", "/api/v1/transactions/12", NULL, 200);
	sweep("GET", "/api/v1/stats", NULL, 200);
	sweep("GET", "/metrics", NULL, 200);
	sweep("GET", "/api/v1/openapi.json", NULL, 200);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_a_target_is_taken_apart, setup),
		cmocka_unit_test_setup(test_a_broken_target_is_refused, setup),
		cmocka_unit_test_setup(test_health_and_readiness_differ, setup),
		cmocka_unit_test_setup(test_metrics_are_text_for_prometheus,
				       setup),
		cmocka_unit_test_setup(test_the_description_is_told_once,
				       setup),
		cmocka_unit_test_setup(test_stats_have_core_and_store, setup),
		cmocka_unit_test_setup(test_a_list_gives_what_is_unfinished,
				       setup),
		cmocka_unit_test_setup(test_pages_join_without_gap_or_overlap,
				       setup),
		cmocka_unit_test_setup(test_filters_reach_the_core, setup),
		cmocka_unit_test_setup(test_a_wrong_parameter_is_named, setup),
		cmocka_unit_test_setup(test_finished_ones_come_newest_first,
				       setup),
		cmocka_unit_test_setup(
			test_one_is_shown_with_branches_and_history, setup),
		cmocka_unit_test_setup(
			test_a_detail_that_is_not_json_stays_text, setup),
		cmocka_unit_test_setup(
			test_a_finished_one_is_found_in_archive_or_tombstone,
			setup),
		cmocka_unit_test_setup(test_an_xid_must_be_ours, setup),
		cmocka_unit_test_setup(
			test_unknown_paths_and_methods_are_told_apart, setup),
		cmocka_unit_test_setup(test_a_foreign_host_name_is_refused,
				       setup),
		cmocka_unit_test_setup(test_a_page_of_another_site_cannot_act,
				       setup),
		cmocka_unit_test_setup(
			test_a_body_needs_a_length_within_the_limit, setup),
		cmocka_unit_test_setup(test_a_retry_is_asked_of_the_core,
				       setup),
		cmocka_unit_test_setup(test_a_resolution_is_asked_of_the_core,
				       setup),
		cmocka_unit_test_setup(test_only_what_was_seen_is_resolved,
				       setup),
		cmocka_unit_test_setup(
			test_an_order_that_is_not_clear_is_not_given, setup),
		cmocka_unit_test_setup(test_the_cores_reply_becomes_an_answer,
				       setup),
		cmocka_unit_test_setup(test_damaged_requests_are_answered,
				       setup),
		cmocka_unit_test_setup(test_instants_follow_the_calendar,
				       setup),
		cmocka_unit_test_setup(test_out_of_memory_is_said, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
