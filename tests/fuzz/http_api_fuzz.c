#include "tests/fakes/http_world.h"
#include "tests/fuzz/fuzz.h"

#include "base/hash.h"
#include "base/url.h"
#include "tc/door/http_api.h"
#include "tests/fakes/flaky.h"

/*
 * Whatever is asked: an answer that is whole and, if it is JSON, valid; or a
 * question to the core that makes sense, whose every reply makes an answer.
 *
 * Input: what is right about the request (bits) u8, target up to a newline,
 * then the body.
 */

enum {
	IS_POST = 1,
	IS_HEAD = 2, /* with IS_POST: DELETE */
	NO_TYPE = 4,
	WRONG_LENGTH = 8,
	WRONG_HOST = 16,
	OUT_OF_MEMORY = 32,
	DRAINING = 64,
};

static void set_world(unsigned bits)
{
	static const struct bytes error = { (const uint8_t *)"\"no\xff\n", 6 };
	static const struct bytes dirty = { (const uint8_t *)"{\"a\":[1]}", 9 };
	static const struct bytes key = { (const uint8_t *)"\0\0\0\1R", 5 };

	world = (struct world){ .now_ms = 1000,
				.state = bits & DRAINING ? HOST_DRAINING
							 : HOST_READY,
				.tombstone = 3,
				.n_gtx = 4,
				.n_branches = 2,
				.n_archived = 2,
				.n_machines = 1,
				.n_topics = 1,
				.n_lines = 1 };
	for (size_t i = 0; i < world.n_gtx; i++)
		world.gtx[i] = (struct gtx_view){
			.number = 10 + i,
			.status = i == 2 ? GTX_ROLLBACK_FAILED : GTX_BEGIN,
			.name = error,
			.next_due_ms = UINT64_MAX,
		};
	for (size_t i = 0; i < world.n_branches; i++)
		world.branches[i] = (struct branch_view){
			.id = 20 + i,
			.status = BRANCH_ROLLBACK_UNRETRYABLE,
			.resource = BYTES("R"),
			.last_error = error,
			.detail = i ? dirty : error,
			.lock_keys = &key,
			.n_lock_keys = 1,
		};
	for (size_t i = 0; i < world.n_archived; i++)
		world.archived[i] = (struct archive){ .gtx = 9 - i,
						      .status = GTX_COMMITTED,
						      .name = error };
	world.machines[0] = (struct machine_view){ .name = BYTES("m"),
						   .version = error,
						   .document = dirty };
	world.topics[0] = (struct topic_view){ .topic = BYTES("t"),
					       .subscriber = error,
					       .participant = dirty };
	world.branches[1].mode = MODE_MSG;
	world.branches[1].status = BRANCH_STOP_RETRY;
	world.gtx[3].kind = KIND_SAGA;
	world.lines[0] = (struct history){ .gtx = 10,
					   .wall_ms = 123456789012,
					   .text = error };
}

static void check_answer(struct http_answer *a, bool may_lack_memory)
{
	if (buf_error(&a->body) != OK) {
		REQUIRE(may_lack_memory);
		return;
	}
	REQUIRE(a->status >= 200 && a->status <= 599);
	REQUIRE(a->status != 405 || a->allow);
	REQUIRE(a->file || json_valid(buf_bytes(&a->body)));
}

static bool about_one(const struct request *rq)
{
	switch (rq->type) {
	case RQ_BEGIN:
	case RQ_SAGA_START:
	case RQ_MACHINE_PUT:
	case RQ_MACHINE_DROP:
	case RQ_SUBSCRIBE:
	case RQ_UNSUBSCRIBE:
		return false;
	default:
		return true;
	}
}

/* Nothing may be called that is not on the list. */
static void check_origin(struct bytes resource)
{
	if (url_is_http(resource))
		REQUIRE(bytes_equal(resource, BYTES("http://a:80")) ||
			bytes_equal(resource, BYTES("https://a:443")));
}

static void check_request(const struct request *rq)
{
	REQUIRE((unsigned)rq->type < RQ_TYPES);
	REQUIRE(rq->type != RQ_IDS && rq->type != RQ_LOCK_CHECK);
	REQUIRE(rq->peer == 0);
	if (about_one(rq)) {
		REQUIRE(rq->xid.len > world_port.coordinator.len);
		REQUIRE(memcmp(rq->xid.data, world_port.coordinator.data,
			       world_port.coordinator.len) == 0);
	}
	if (rq->type == RQ_REGISTER || rq->type == RQ_SUBSCRIBE) {
		REQUIRE(rq->resource.len > 0);
		REQUIRE((rq->participant.len > 0) == url_is_http(rq->resource));
	}
	check_origin(rq->resource);
	check_origin(rq->check);
	if (rq->type == RQ_MACHINE_PUT)
		REQUIRE(json_valid(rq->text));
	if (rq->input.len)
		REQUIRE(json_valid(rq->input));
	if (rq->participant.len)
		REQUIRE(json_valid(rq->participant));
	if (rq->application_data.len)
		REQUIRE(json_valid(rq->application_data));
	if (rq->type != RQ_RESOLVE)
		return;
	REQUIRE(rq->branch != 0);
	REQUIRE(rq->resolution > RESOLVE_NONE &&
		rq->resolution <= RESOLVE_VALUES);
	if (rq->text.len)
		REQUIRE(json_valid(rq->text));
}

/* What the core might say, mostly that all is well. */
static struct reply reply_to(const struct request *rq, uint64_t *seed)
{
	uint64_t r = random_next(seed);

	return (struct reply){
		.type = rq->type,
		.err = r % 4 ? OK : -(int)(r / 4 % 19),
		.status = GTX_ROLLBACKING,
		.xid = BYTES("10.0.0.1:8091:77"),
		.branch = r,
		.name = BYTES("m\xff"),
		.detail = r % 8 < 4 ? BYTES("{\"a\":1}") : (struct bytes){ 0 },
		.existed = r % 16 < 8,
		.text = BYTES("some \"text\" \xff"),
	};
}

/* However many questions it takes, there is an answer at the end. */
static void talk(const struct http_api *api, struct http_call *call,
		 struct request *rq, uint64_t seed, bool may_lack_memory)
{
	enum http_verdict verdict = HTTP_ASKED;
	struct http_answer a;

	http_answer_init(&a, &call->arena->as_mem);
	for (int steps = 0; verdict == HTTP_ASKED; steps++) {
		struct reply r = reply_to(rq, &seed);

		REQUIRE(steps < 2000);
		check_request(rq);
		verdict = http_reply(api, call, &r, &a, rq);
	}
	check_answer(&a, may_lack_memory);
	http_give_up(call, &a);
	check_answer(&a, may_lack_memory);
}

static struct bytes take_line(struct reader *r)
{
	size_t left = reader_left(r);
	const uint8_t *end = left ? memchr(r->p, '\n', left) : NULL;
	struct bytes line = read_raw(r, end ? (size_t)(end - r->p) : left);

	if (end)
		(void)read_u8(r);
	return line;
}

static struct http_call call_of(struct bytes in, unsigned *bits,
				struct arena *arena, struct buf *length)
{
	struct reader r = reader_of(in);
	struct http_call call = { .arena = arena };

	*bits = read_u8(&r);
	call.target = take_line(&r);
	call.body = read_raw(&r, reader_left(&r));
	call.method = (*bits & 3) == 3  ? BYTES("DELETE")
		      : *bits & IS_POST ? BYTES("POST")
		      : *bits & IS_HEAD ? BYTES("HEAD")
					: BYTES("GET");
	call.host = *bits & WRONG_HOST ? call.target : BYTES("localhost:7091");
	if (!(*bits & NO_TYPE))
		call.content_type = BYTES("application/json");
	buf_printf(length, "%zu", call.body.len);
	call.content_length =
		*bits & WRONG_LENGTH ? call.body : buf_bytes(length);
	return call;
}

static void allow_one(void)
{
	static struct allow_list *list;
	struct buf why;

	buf_init(&why, &mem_heap);
	if (!list)
		REQUIRE(allow_list_new(&list, &mem_heap,
				       BYTES("http://a https://a"),
				       &why) == OK);
	world_port.allow_list = list;
	buf_fini(&why);
}

void fuzz_one(struct bytes in)
{
	static const struct http_api api = { &world_port, "1.2.3", 4096, 0 };
	struct http_answer answer;
	struct request rq = { 0 };
	struct flaky flaky;
	struct arena arena;
	struct buf length;
	struct http_call call;
	unsigned bits;
	bool asked = false;

	buf_init(&length, &mem_heap);
	flaky_init(&flaky, -1);
	arena_init(&arena, &flaky.mem, 64);
	call = call_of(in, &bits, &arena, &length);
	set_world(bits);
	allow_one();
	if (bits & OUT_OF_MEMORY)
		flaky.fail_at = (long)(in.len % 16);
	http_answer_init(&answer, &arena.as_mem);
	if (http_admit(&api, &call, &answer))
		asked = http_handle(&api, &call, &answer, &rq) == HTTP_ASKED;
	if (asked) {
		talk(&api, &call, &rq, hash_bytes(bits, in),
		     bits & OUT_OF_MEMORY);
	} else {
		check_answer(&answer, bits & OUT_OF_MEMORY);
	}
	arena_fini(&arena);
	REQUIRE(flaky.live == 0);
	buf_fini(&length);
}

void fuzz_seeds(const struct fuzz_sink *sink)
{
	static const struct {
		unsigned bits;
		const char *rest;
	} seeds[] = {
		{ 0, "/healthz" },
		{ 0, "/readyz" },
		{ DRAINING, "/readyz" },
		{ 0, "/api/v1/stats" },
		{ 0, "/api/v1/transactions" },
		{ 0, "/api/v1/transactions?state=unfinished&status=Begin" },
		{ 0, "/api/v1/transactions?hung=true&text=a%20b&limit=2" },
		{ 0, "/api/v1/transactions?state=finished&after=9&limit=1" },
		{ 0, "/api/v1/transactions?resource=R&min_age=5000" },
		{ 0, "/api/v1/transactions/10" },
		{ 0, "/api/v1/transactions/10.0.0.1:8091:10" },
		{ 0, "/api/v1/transactions/9" },
		{ 0, "/api/v1/transactions/3" },
		{ 0, "/api/v1/transactions/12?x=%C3%A9+%00" },
		{ IS_HEAD, "/api/v1/transactions/10" },
		{ WRONG_HOST, "/api/v1/stats" },
		{ IS_POST, "/api/v1/transactions/12/retry\n"
			   "{\"reason\":\"now\"}" },
		{ IS_POST, "/api/v1/transactions/12/branches/20/retry\n{}" },
		{ IS_POST, "/api/v1/transactions/12/branches/20/resolve\n"
			   "{\"resolution\":\"use_undo\",\"reason\":\"x\"}" },
		{ IS_POST,
		  "/api/v1/transactions/12/branches/21/resolve\n"
		  "{\"resolution\":\"values\",\"values\":{\"a\":\"1\"},"
		  "\"rows\":[{\"table\":\"t\",\"key\":{\"id\":\"1\"},"
		  "\"seen\":{\"a\":\"2\"}}],\"reason\":\"x\"}" },
		{ IS_POST, "/api/v1/transactions/12/branches/21/resolve\n"
			   "{\"resolution\":\"keep_current\",\"rows\":[]}" },
		{ 0, "/api/v1/transactions?kind=saga&limit=2" },
		{ IS_POST, "/api/v1/transactions\n"
			   "{\"name\":\"n\",\"timeout_ms\":1,"
			   "\"ordered\":false}" },
		{ IS_POST, "/api/v1/transactions/12/branches\n"
			   "{\"mode\":\"TCC\",\"confirm\":\"http://a/b\","
			   "\"cancel\":\"http://a/c\",\"data\":[1],"
			   "\"headers\":{\"X\":\"y\"},\"lock_keys\":["
			   "{\"table\":\"t\",\"key\":[\"1\"]}]}" },
		{ IS_POST, "/api/v1/transactions/12/branches\n"
			   "{\"mode\":\"MSG\",\"to\":\"msg:a\","
			   "\"schedule_ms\":[1,2]}" },
		{ IS_POST, "/api/v1/transactions/12/branches/7/report\n"
			   "{\"status\":\"PhaseOne_Done\",\"data\":{}}" },
		{ IS_POST, "/api/v1/transactions/12/commit\n"
			   "{\"wait_ms\":5}" },
		{ IS_POST, "/api/v1/transactions/12/rollback\n"
			   "{\"reason\":\"\\ud83d\\ude00\"}" },
		{ IS_POST, "/api/v1/messages\n"
			   "{\"name\":\"n\",\"check\":\"http://a/b\","
			   "\"headers\":{\"X\":\"y\"},\"submit\":true,"
			   "\"wait_ms\":9,\"deliveries\":[{\"to\":"
			   "\"https://a/\",\"data\":{}},{\"topic\":\"t\","
			   "\"schedule_ms\":[1]},{\"to\":\"msg:a\"}]}" },
		{ 0, "/api/v1/messages?hung=true" },
		{ 0, "/api/v1/messages/10" },
		{ IS_POST, "/api/v1/messages/10/submit\n{}" },
		{ IS_POST, "/api/v1/messages/10/abort\n{\"reason\":\"r\"}" },
		{ 0, "/api/v1/dead-letters?limit=1&after=2" },
		{ IS_POST, "/api/v1/dead-letters/10/21/replay\n{}" },
		{ 0, "/api/v1/topics" },
		{ 0, "/api/v1/topics/t/subscribers" },
		{ IS_POST, "/api/v1/topics/t/subscribers\n"
			   "{\"subscriber\":\"s\",\"to\":\"http://a/\"}" },
		{ IS_POST | IS_HEAD, "/api/v1/topics/t/subscribers/s" },
		{ IS_POST, "/api/v1/sagas\n"
			   "{\"machine\":\"m\",\"version\":\"1\","
			   "\"business_key\":\"k\",\"input\":{},"
			   "\"headers\":{\"X\":\"y\"},\"deadline_ms\":1,"
			   "\"wait_ms\":1}" },
		{ IS_POST, "/api/v1/sagas\n"
			   "{\"definition\":{\"steps\":[{\"action\":"
			   "\"http://a/\",\"compensation\":\"x\"}]}}" },
		{ 0, "/api/v1/sagas?text=a" },
		{ 0, "/api/v1/sagas/13" },
		{ IS_POST, "/api/v1/sagas/13/skip\n"
			   "{\"task\":1,\"reason\":\"r\"}" },
		{ IS_POST, "/api/v1/machines\n"
			   "{\"States\":{\"A\":{\"ServiceName\":"
			   "\"http://a\",\"ServiceMethod\":\"m\"}}}" },
		{ 0, "/api/v1/machines" },
		{ 0, "/api/v1/machines/m?version=1" },
		{ IS_POST | IS_HEAD, "/api/v1/machines/m?version=1" },
		{ IS_POST | NO_TYPE, "/api/v1/transactions/12/retry\n{}" },
		{ IS_POST | WRONG_LENGTH, "/api/v1/transactions/12/retry\n7" },
	};
	struct buf b;

	buf_init(&b, &mem_heap);
	for (size_t i = 0; i < ARRAY_LEN(seeds); i++) {
		for (unsigned more = 0; more <= OUT_OF_MEMORY;
		     more += OUT_OF_MEMORY) {
			buf_put_u8(&b, (uint8_t)(seeds[i].bits | more));
			buf_put_text(&b, seeds[i].rest);
			fuzz_seed(sink, &b);
		}
	}
	buf_fini(&b);
}
