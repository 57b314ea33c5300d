#include "tests/fakes/http_world.h"
#include "tests/fuzz/fuzz.h"

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
	IS_HEAD = 2,
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
	world.lines[0] = (struct history){ 10, 123456789012, error };
}

static void check_answer(struct http_answer *a, bool may_lack_memory)
{
	if (buf_error(&a->body) != OK) {
		REQUIRE(may_lack_memory);
		return;
	}
	REQUIRE(a->status >= 200 && a->status <= 599);
	REQUIRE(a->status != 405 || a->allow);
	REQUIRE(json_valid(buf_bytes(&a->body)));
}

static void check_request(const struct request *rq)
{
	REQUIRE(rq->type == RQ_RETRY || rq->type == RQ_RESOLVE);
	REQUIRE(rq->peer == 0 && rq->xid.len > 0);
	REQUIRE(rq->xid.len > world_port.coordinator.len);
	REQUIRE(memcmp(rq->xid.data, world_port.coordinator.data,
		       world_port.coordinator.len) == 0);
	if (rq->type != RQ_RESOLVE)
		return;
	REQUIRE(rq->branch != 0);
	REQUIRE(rq->resolution > RESOLVE_NONE &&
		rq->resolution <= RESOLVE_VALUES);
	if (rq->text.len)
		REQUIRE(json_valid(rq->text));
}

static void check_replies(const struct http_api *api,
			  const struct http_call *call,
			  const struct request *rq, bool may_lack_memory)
{
	for (int err = OK; err >= E_ROLLED_BACK; err--) {
		struct http_answer a;
		struct reply r = { .type = rq->type,
				   .err = err,
				   .status = GTX_ROLLBACKING,
				   .xid = rq->xid,
				   .branch = rq->branch,
				   .text = BYTES("some \"text\" \xff") };

		http_answer_init(&a, &call->arena->as_mem);
		http_reply(api, call, &r, &a);
		check_answer(&a, may_lack_memory);
	}
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
	call.method = *bits & IS_POST   ? BYTES("POST")
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
	if (bits & OUT_OF_MEMORY)
		flaky.fail_at = (long)(in.len % 16);
	http_answer_init(&answer, &arena.as_mem);
	if (http_admit(&api, &call, &answer))
		asked = http_handle(&api, &call, &answer, &rq) == HTTP_ASKED;
	if (asked) {
		check_request(&rq);
		check_replies(&api, &call, &rq, bits & OUT_OF_MEMORY);
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
