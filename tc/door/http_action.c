#include "tc/door/http_body.h"
#include "tc/door/http_route.h"

/*
 * What an operator does to a transaction.
 *
 *   POST …/retry                {"reason"}
 *   POST …/branches/{}/retry    {"reason"}
 *   POST …/branches/{}/resolve  {"resolution","values","rows","reason"}
 *
 * "rows" are what the operator saw of a dirty branch: the "table", "key" and
 * "seen" of each row of the difference. Then only these rows are resolved, each
 * only if it still looks the same; others stay dirty.
 */

#define ROWS_MAX 1000

struct body {
	struct bytes reason;
	struct bytes resolution;
	struct bytes values; /* JSON as it was sent */
	struct bytes rows;   /* the same: the rows that the operator saw */
};

static const struct field members[] = {
	FIELD(struct body, reason, FIELD_TEXT, false, REASON_MAX),
	FIELD(struct body, resolution, FIELD_TEXT, true, 20),
	FIELD(struct body, values, FIELD_OBJECT, false, 0),
	FIELD(struct body, rows, FIELD_LIST, false, ROWS_MAX),
};

enum http_verdict http_retry(const struct http_api *api, struct http_call *call,
			     struct http_answer *answer,
			     struct request *request)
{
	struct body body = { .reason = { 0 } };

	if (!http_about(api, call, answer, RQ_RETRY, request) ||
	    !body_read(call, answer, members, 1, &body))
		return HTTP_ANSWERED;
	request->text = body.reason;
	return HTTP_ASKED;
}

/* ---- resolve ---- */

static enum resolution resolution_of(struct bytes text)
{
	if (bytes_equal(text, BYTES("use_undo")))
		return RESOLVE_USE_UNDO;
	if (bytes_equal(text, BYTES("keep_current")))
		return RESOLVE_KEEP_CURRENT;
	if (bytes_equal(text, BYTES("values")))
		return RESOLVE_VALUES;
	return RESOLVE_NONE;
}

static bool check_resolve(struct http_call *call, struct http_answer *answer,
			  const struct body *body)
{
	enum resolution resolution = resolution_of(body->resolution);

	if (resolution == RESOLVE_NONE)
		return body_refuse(call, answer, NULL, "resolution",
				   "\"use_undo\", \"keep_current\" or "
				   "\"values\"");
	if (body->reason.len == 0)
		return body_refuse(call, answer, NULL, "reason",
				   "given: who reads the history will want to "
				   "know why");
	if ((body->values.len > 0) != (resolution == RESOLVE_VALUES))
		return body_refuse(call, answer, NULL, "values",
				   "given with the resolution \"values\", and "
				   "with no other");
	if (body->rows.len > 0 && resolution == RESOLVE_VALUES)
		return body_refuse(call, answer, NULL, "rows",
				   "left out: with the resolution \"values\" "
				   "they are inside of it");
	return true;
}

/* ---- the rows that were seen, as the agent wants them told ---- */

struct seen_row {
	struct bytes table, key, seen;
};

static const struct field row_members[] = {
	FIELD(struct seen_row, table, FIELD_TEXT, true, 1000),
	FIELD(struct seen_row, key, FIELD_OBJECT, true, 0),
	FIELD(struct seen_row, seen, FIELD_TEXT, true, 1000),
};

/* Only these rows, each only if it still looks the same: see
 * undo/compensate.h. */
static bool put_rows(struct http_call *call, struct http_answer *answer,
		     struct body *body)
{
	struct bytes choice = bytes_equal(body->resolution, BYTES("use_undo"))
				      ? BYTES("undo")
				      : BYTES("keep");
	struct body_path rows = { NULL, "rows", 0 };
	size_t n;
	struct bytes *items = body_items(call, answer, body->rows, &n);
	struct buf text;
	struct json j;

	if (!items)
		return false;
	buf_init(&text, &call->arena->as_mem);
	json_init(&j, &text);
	json_object(&j, NULL);
	json_array(&j, "rows");
	for (size_t i = 0; i < n; i++) {
		struct body_path at = { &rows, NULL, i };
		struct seen_row row = { .table = { 0 } };

		if (!body_read_at(call, answer, &at, items[i], row_members,
				  ARRAY_LEN(row_members), &row))
			return false;
		json_object(&j, NULL);
		json_text(&j, "table", row.table);
		json_raw(&j, "key", row.key);
		json_text(&j, "choice", choice);
		json_text(&j, "seen", row.seen);
		json_end(&j);
	}
	json_end(&j);
	json_end(&j);
	body->values = buf_bytes(&text);
	if (buf_error(&text) == OK)
		return true;
	(void)http_no_memory(answer);
	return false;
}

enum http_verdict http_resolve(const struct http_api *api,
			       struct http_call *call,
			       struct http_answer *answer,
			       struct request *request)
{
	struct body body = { .reason = { 0 } };

	if (!http_about(api, call, answer, RQ_RESOLVE, request) ||
	    !body_read(call, answer, members, ARRAY_LEN(members), &body) ||
	    !check_resolve(call, answer, &body) ||
	    (body.rows.len > 0 && !put_rows(call, answer, &body)))
		return HTTP_ANSWERED;
	request->resolution = resolution_of(body.resolution);
	request->text = body.values;
	request->reason = body.reason;
	return HTTP_ASKED;
}
