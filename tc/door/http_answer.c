#include "tc/door/http_answer.h"

static const struct {
	unsigned status;
	const char *code;
	const char *title;
} problems[PROBLEMS] = {
	[PROBLEM_BAD_REQUEST] = { 400, "bad_request", "Bad request" },
	[PROBLEM_BAD_QUERY] = { 400, "bad_query", "Bad query" },
	[PROBLEM_BAD_JSON] = { 400, "bad_json", "Bad JSON" },
	[PROBLEM_BAD_MACHINE] = { 400, "bad_machine", "Bad state machine" },
	[PROBLEM_CROSS_SITE] = { 403, "cross_site", "Cross-site request" },
	[PROBLEM_TARGET_DENIED] = { 403, "target_not_allowed",
				    "Target not allowed" },
	[PROBLEM_NOT_FOUND] = { 404, "not_found", "Not found" },
	[PROBLEM_NO_TRANSACTION] = { 404, "transaction_not_found",
				     "No such transaction" },
	[PROBLEM_NO_BRANCH] = { 404, "branch_not_found", "No such branch" },
	[PROBLEM_NO_TOPIC] = { 404, "topic_not_found",
			       "No such topic or subscriber" },
	[PROBLEM_NO_MACHINE] = { 404, "machine_not_found",
				 "No such state machine" },
	[PROBLEM_NO_TASK] = { 404, "task_not_found", "No such task" },
	[PROBLEM_METHOD] = { 405, "method_not_allowed", "Method not allowed" },
	[PROBLEM_WRONG_STATE] = { 409, "wrong_state",
				  "Not possible in this state" },
	[PROBLEM_EXISTS] = { 409, "already_exists", "Exists already" },
	[PROBLEM_LOCKED] = { 409, "lock_conflict", "Locked by another one" },
	[PROBLEM_DEADLOCK] = { 409, "deadlock", "Waiting would never end" },
	[PROBLEM_LOCK_TIMEOUT] = { 409, "lock_timeout", "Locked for too long" },
	[PROBLEM_OTHER_LIFE] = { 410, "other_life",
				 "Of another life of this coordinator" },
	[PROBLEM_LENGTH_REQUIRED] = { 411, "length_required",
				      "Length required" },
	[PROBLEM_TOO_LARGE] = { 413, "too_large", "Body too large" },
	[PROBLEM_MEDIA_TYPE] = { 415, "unsupported_media_type",
				 "Unsupported media type" },
	[PROBLEM_WRONG_HOST] = { 421, "wrong_host", "Wrong host" },
	[PROBLEM_KEY_REUSED] = { 422, "idempotency_key_reused",
				 "Idempotency-Key used before" },
	[PROBLEM_LIMIT] = { 429, "limit_reached", "A limit is reached" },
	[PROBLEM_INTERNAL] = { 500, "internal", "Internal error" },
	[PROBLEM_NO_MEMORY] = { 503, "no_memory", "Out of memory" },
	[PROBLEM_STORE] = { 503, "store_failed", "The store failed" },
	[PROBLEM_CLOSING] = { 503, "closing", "Not working now" },
	[PROBLEM_OUTCOME_UNKNOWN] = { 504, "outcome_unknown",
				      "The outcome is not known" },
};

void http_answer_init(struct http_answer *a, const struct mem *mem)
{
	*a = (struct http_answer){ .status = 500 };
	buf_init(&a->body, mem);
}

struct json http_answer_json(struct http_answer *a, unsigned status)
{
	struct json j;

	buf_clear(&a->body);
	a->status = status;
	a->type = "application/json";
	a->allow = NULL;
	a->file = NULL;
	a->etag = NULL;
	json_init(&j, &a->body);
	return j;
}

unsigned http_problem_status(enum http_problem problem)
{
	return problems[problem].status;
}

const char *http_problem_code(enum http_problem problem)
{
	return problems[problem].code;
}

static void put_problem(struct http_answer *a, enum http_problem problem,
			const char *parameter, const char *fmt, va_list args)
{
	struct json j = http_answer_json(a, problems[problem].status);
	const char *code = problems[problem].code;
	struct buf text;

	a->type = "application/problem+json";
	buf_init(&text, a->body.mem);
	json_object(&j, NULL);
	buf_printf(&text, "urn:treaty:problem:%s", code);
	json_text(&j, "type", buf_bytes(&text));
	json_text(&j, "title", bytes_of(problems[problem].title));
	json_number(&j, "status", a->status);
	json_text(&j, "code", bytes_of(code));
	buf_clear(&text);
	buf_vprintf(&text, fmt, args);
	json_text(&j, "detail", buf_bytes(&text));
	if (parameter)
		json_text(&j, "parameter", bytes_of(parameter));
	if (a->xid.len)
		json_text(&j, "xid", a->xid);
	if (a->transaction_status)
		json_text(&j, "transaction_status",
			  bytes_of(a->transaction_status));
	json_end(&j);
	buf_fini(&text);
}

void http_problem(struct http_answer *a, enum http_problem problem,
		  const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	put_problem(a, problem, NULL, fmt, args);
	va_end(args);
}

void http_problem_at(struct http_answer *a, enum http_problem problem,
		     const char *parameter, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	put_problem(a, problem, parameter, fmt, args);
	va_end(args);
}
