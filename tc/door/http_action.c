#include "base/utf8.h"
#include "tc/door/http_route.h"
#include "tc/door/http_view.h"

/*
 * What an operator does to a transaction. The body is read strictly: a member
 * that is not known is refused, because a misspelt one would be an order that
 * was not given.
 */

#define REASON_MAX 1000

struct body {
	struct bytes reason;
	enum resolution resolution;
	struct bytes values; /* JSON as it was sent */
	struct bytes rows;   /* the same: the rows that the operator saw */
};

static bool bad_member(struct http_answer *answer, const char *member,
		       const char *want)
{
	http_problem_at(answer, PROBLEM_BAD_JSON, member,
			"the body's \"%s\" must be %s", member, want);
	return false;
}

static bool get_text(struct http_call *call, struct bytes value,
		     struct bytes *out)
{
	struct buf text;

	buf_init(&text, &call->arena->as_mem);
	json_get_text(&text, value);
	*out = buf_bytes(&text);
	return buf_error(&text) == OK;
}

static bool parse_reason(struct http_call *call, struct bytes value,
			 struct body *body, struct http_answer *answer)
{
	if (json_type(value) != JSON_TEXT ||
	    !get_text(call, value, &body->reason) ||
	    body->reason.len > REASON_MAX)
		return bad_member(answer, "reason",
				  "a text of at most 1000 bytes");
	return true;
}

static bool parse_resolution(struct bytes value, struct body *body,
			     struct http_answer *answer)
{
	if (bytes_equal(value, BYTES("\"use_undo\"")))
		body->resolution = RESOLVE_USE_UNDO;
	else if (bytes_equal(value, BYTES("\"keep_current\"")))
		body->resolution = RESOLVE_KEEP_CURRENT;
	else if (bytes_equal(value, BYTES("\"values\"")))
		body->resolution = RESOLVE_VALUES;
	else
		return bad_member(answer, "resolution",
				  "\"use_undo\", \"keep_current\" or "
				  "\"values\"");
	return true;
}

static bool parse_member(struct http_call *call, bool resolve, struct bytes key,
			 struct bytes value, struct body *body,
			 struct http_answer *answer)
{
	if (bytes_equal(key, BYTES("\"reason\"")))
		return parse_reason(call, value, body, answer);
	if (resolve && bytes_equal(key, BYTES("\"resolution\"")))
		return parse_resolution(value, body, answer);
	if (resolve && bytes_equal(key, BYTES("\"values\""))) {
		if (json_type(value) != JSON_OBJECT)
			return bad_member(answer, "values",
					  "an object: {\"choice\":…,"
					  "\"rows\":[…]}");
		body->values = value;
		return true;
	}
	if (resolve && bytes_equal(key, BYTES("\"rows\""))) {
		body->rows = value;
		return json_type(value) == JSON_ARRAY ||
		       bad_member(answer, "rows", "a list");
	}
	http_problem(answer, PROBLEM_BAD_JSON,
		     "the body's %.*s is not known; give %s", SHORT(key),
		     resolve ? "\"resolution\", \"values\", \"reason\""
			     : "\"reason\"");
	return false;
}

static bool parse_body(struct http_call *call, bool resolve, struct body *body,
		       struct http_answer *answer)
{
	struct bytes key, value;
	struct json_walk walk;

	*body = (struct body){ .resolution = RESOLVE_NONE };
	if (call->body.len == 0 && !resolve)
		return true;
	if (!json_valid(call->body) || json_type(call->body) != JSON_OBJECT) {
		http_problem(answer, PROBLEM_BAD_JSON,
			     "the body is not a JSON object");
		return false;
	}
	json_walk_init(&walk, call->body);
	while (json_walk(&walk, &key, &value))
		if (!parse_member(call, resolve, key, value, body, answer))
			return false;
	return true;
}

/* The transaction and, if the path names one, the branch. */
static bool begin_request(const struct http_api *api, struct http_call *call,
			  struct http_answer *answer, enum request_type type,
			  struct request *request)
{
	*request = (struct request){ .type = type };
	if (!http_which(api, call, answer))
		return false;
	request->xid = call->xid;
	if (call->vars[1].len == 0)
		return true;
	if (!http_number(call->vars[1], UINT64_MAX, &request->branch) ||
	    request->branch == 0) {
		http_problem(answer, PROBLEM_BAD_REQUEST,
			     "\"%.*s\" is not a branch id, which is a number",
			     SHORT(call->vars[1]));
		return false;
	}
	return true;
}

enum http_verdict http_retry(const struct http_api *api, struct http_call *call,
			     struct http_answer *answer,
			     struct request *request)
{
	struct body body;

	if (!begin_request(api, call, answer, RQ_RETRY, request) ||
	    !parse_body(call, false, &body, answer))
		return HTTP_ANSWERED;
	request->text = body.reason;
	return HTTP_ASKED;
}

static bool check_resolve(const struct body *body, struct http_answer *answer)
{
	if (body->resolution == RESOLVE_NONE)
		return bad_member(answer, "resolution",
				  "\"use_undo\", \"keep_current\" or "
				  "\"values\"");
	if (body->reason.len == 0)
		return bad_member(answer, "reason",
				  "given: who reads the history will want to "
				  "know why");
	if ((body->values.len > 0) != (body->resolution == RESOLVE_VALUES))
		return bad_member(answer, "values",
				  "given with the resolution \"values\", and "
				  "with no other");
	if (body->rows.len > 0 && body->resolution == RESOLVE_VALUES)
		return bad_member(answer, "rows",
				  "left out: with the resolution \"values\" "
				  "they are inside of it");
	return true;
}

/* ---- the rows that were seen, as the agent wants them told ---- */

struct seen_row {
	struct bytes table, key, seen;
};

static bool parse_row(struct bytes object, struct seen_row *row)
{
	struct bytes key, value;
	struct json_walk walk;

	*row = (struct seen_row){ { 0 }, { 0 }, { 0 } };
	if (json_type(object) != JSON_OBJECT)
		return false;
	json_walk_init(&walk, object);
	while (json_walk(&walk, &key, &value)) {
		if (bytes_equal(key, BYTES("\"table\"")))
			row->table = value;
		else if (bytes_equal(key, BYTES("\"key\"")))
			row->key = value;
		else if (bytes_equal(key, BYTES("\"seen\"")))
			row->seen = value;
		else
			return false;
	}
	return row->table.len > 0 && row->key.len > 0 && row->seen.len > 0 &&
	       json_type(row->table) == JSON_TEXT &&
	       json_type(row->key) == JSON_OBJECT &&
	       json_type(row->seen) == JSON_TEXT;
}

/* Only these rows, each only if it still looks the same: see
 * undo/compensate.h. */
static bool put_rows(struct http_call *call, struct body *body,
		     struct http_answer *answer)
{
	struct bytes none, object;
	struct json_walk walk;
	struct buf text;
	struct json j;

	buf_init(&text, &call->arena->as_mem);
	json_init(&j, &text);
	json_object(&j, NULL);
	json_array(&j, "rows");
	json_walk_init(&walk, body->rows);
	while (json_walk(&walk, &none, &object)) {
		struct seen_row row;

		if (!parse_row(object, &row))
			return bad_member(answer, "rows",
					  "a list of {\"table\":TEXT,"
					  "\"key\":{…},\"seen\":TEXT}, as the "
					  "difference has them");
		json_object(&j, NULL);
		json_raw(&j, "table", row.table);
		json_raw(&j, "key", row.key);
		json_text(&j, "choice",
			  body->resolution == RESOLVE_USE_UNDO ? BYTES("undo")
							       : BYTES("keep"));
		json_raw(&j, "seen", row.seen);
		json_end(&j);
	}
	json_end(&j);
	json_end(&j);
	body->values = buf_bytes(&text);
	if (buf_error(&text) == OK)
		return true;
	http_problem(answer, PROBLEM_NO_MEMORY, "out of memory; try again");
	return false;
}

enum http_verdict http_resolve(const struct http_api *api,
			       struct http_call *call,
			       struct http_answer *answer,
			       struct request *request)
{
	struct body body;

	if (!begin_request(api, call, answer, RQ_RESOLVE, request) ||
	    !parse_body(call, true, &body, answer) ||
	    !check_resolve(&body, answer) ||
	    (body.rows.len > 0 && !put_rows(call, &body, answer)))
		return HTTP_ANSWERED;
	request->resolution = body.resolution;
	request->text = body.values;
	request->reason = body.reason;
	return HTTP_ASKED;
}

/* ---- the core's reply ---- */

static enum http_problem problem_of(int err)
{
	switch (err) {
	case E_STATE:
	case E_CONFLICT:
		return PROBLEM_WRONG_STATE;
	case E_LIMIT:
		return PROBLEM_LIMIT;
	case E_INVALID:
		return PROBLEM_BAD_REQUEST;
	case E_CLOSED:
		return PROBLEM_CLOSING;
	case E_NOMEM:
		return PROBLEM_NO_MEMORY;
	case E_UNKNOWN:
	case E_TIMEOUT:
		return PROBLEM_OUTCOME_UNKNOWN;
	default:
		return PROBLEM_INTERNAL;
	}
}

static void ignore_branch(void *ctx, struct branch_view branch)
{
	(void)ctx;
	(void)branch;
}

/* What was not found: the branch, if its transaction is there. */
static enum http_problem missing(const struct http_api *api,
				 const struct http_call *call)
{
	const struct door_port *port = api->port;
	struct gtx_view gtx;

	if (call->vars[1].len > 0 &&
	    core_show(port->core(port->ctx), call->number,
		      port->now_ms(port->ctx), &gtx, ignore_branch, NULL) == OK)
		return PROBLEM_NO_BRANCH;
	return PROBLEM_NO_TRANSACTION;
}

static void put_error(const struct http_api *api, const struct http_call *call,
		      const struct reply *reply, struct http_answer *answer)
{
	enum http_problem problem = reply->err == E_NOTFOUND
					    ? missing(api, call)
					    : problem_of(reply->err);

	if (reply->text.len > 0)
		http_problem(answer, problem, "%.*s", (int)reply->text.len,
			     (const char *)reply->text.data);
	else if (reply->err == E_NOTFOUND)
		http_problem(answer, problem,
			     "transaction %.*s, or the branch that was named, "
			     "is not among the unfinished ones",
			     SHORT(call->xid));
	else
		http_problem(
			answer, problem, "transaction %.*s is %s: refused (%s)",
			SHORT(call->xid), gtx_status_name((int)reply->status),
			err_name(reply->err));
}

void http_reply(const struct http_api *api, const struct http_call *call,
		const struct reply *reply, struct http_answer *answer)
{
	struct json j;

	if (reply->err != OK) {
		put_error(api, call, reply, answer);
		return;
	}
	j = http_answer_json(answer, 200);
	json_object(&j, NULL);
	json_text(&j, "xid", call->xid);
	json_text(&j, "status", bytes_of(gtx_status_name((int)reply->status)));
	json_number(&j, "status_code", (uint64_t)reply->status);
	json_bool(&j, "finished", gtx_status_finished((int)reply->status));
	json_bool(&j, "hung", gtx_status_hung((int)reply->status));
	json_end(&j);
	if (buf_error(&answer->body) != OK)
		http_problem(answer, PROBLEM_OUTCOME_UNKNOWN,
			     "it was accepted, but memory for the answer ran "
			     "out; look at the transaction");
}
