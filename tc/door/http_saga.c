#include "tc/door/http_route.h"
#include "tc/door/http_service.h"
#include "tc/door/http_to.h"
#include "tc/door/http_view.h"

/*
 * Runs of sagas.
 *
 *   POST /api/v1/sagas             {"machine","version" | "definition",
 *                                   "business_key","input","deadline_ms",
 *                                   "headers","application","wait_ms"}
 *   GET  /api/v1/sagas             as transactions are listed
 *   GET  /api/v1/sagas/{}          with "run": data, path, calls
 *   POST /api/v1/sagas/{}/forward|compensate|skip    {"task","reason"}
 */

/* ---- start ---- */

struct start {
	struct bytes machine, version, definition;
	struct bytes business_key, input, headers, application;
	uint64_t deadline_ms, wait_ms;
};

static const struct field start_members[] = {
	FIELD(struct start, machine, FIELD_TEXT, false, TEXT_MAX),
	FIELD(struct start, version, FIELD_TEXT, false, TEXT_MAX),
	FIELD(struct start, definition, FIELD_OBJECT, false, 0),
	FIELD(struct start, business_key, FIELD_TEXT, false, TEXT_MAX),
	FIELD(struct start, input, FIELD_OBJECT, false, 0),
	FIELD(struct start, headers, FIELD_OBJECT, false, 0),
	FIELD(struct start, application, FIELD_TEXT, false, TEXT_MAX),
	FIELD(struct start, deadline_ms, FIELD_NUMBER, false, SPAN_MAX),
	FIELD(struct start, wait_ms, FIELD_NUMBER, false, WAIT_MAX),
};

static bool check_start(const struct http_api *api, struct http_call *call,
			struct http_answer *answer, const struct start *s)
{
	struct body_path definition = { NULL, "definition", 0 };

	if ((s->machine.len > 0) == (s->definition.len > 0))
		return body_refuse(call, answer, NULL, "machine",
				   "given, or \"definition\" in its place");
	if (s->version.len > 0 && s->machine.len == 0)
		return body_refuse(call, answer, NULL, "version",
				   "left out: it belongs to \"machine\"");
	return s->definition.len == 0 ||
	       services_allowed(api, call, answer, &definition, s->definition);
}

enum http_verdict http_saga_start(const struct http_api *api,
				  struct http_call *call,
				  struct http_answer *answer,
				  struct request *request)
{
	struct start s = { .machine = { 0 } };
	struct to to = { .headers = { 0 } };
	struct bytes none;

	if (!body_read(call, answer, start_members, ARRAY_LEN(start_members),
		       &s) ||
	    !check_start(api, call, answer, &s))
		return HTTP_ANSWERED;
	*request = (struct request){
		.type = RQ_SAGA_START,
		.name = s.machine,
		.version = s.version,
		.text = s.definition,
		.application = s.application,
		.business_key = s.business_key,
		.input = s.input,
		.timeout_ms = s.deadline_ms,
		.wait_ms = s.wait_ms,
	};
	call->wait_ms = s.wait_ms;
	to.headers = s.headers;
	if (s.headers.len > 0 && !to_urls(api, call, answer, NULL, &to, &none,
					  &request->participant))
		return HTTP_ANSWERED;
	return HTTP_ASKED;
}

/* What is wrong with a definition is told with its place in it, "$.steps[1]".
 * Nothing else that is told begins so. */
static bool is_definition(const struct reply *reply)
{
	return reply->err == E_INVALID && reply->text.len > 0 &&
	       reply->text.data[0] == '$';
}

enum http_verdict http_saga_started(const struct http_api *api,
				    struct http_call *call,
				    const struct reply *reply,
				    struct http_answer *answer,
				    struct request *request)
{
	struct json j;

	(void)api;
	(void)request;
	if (is_definition(reply)) {
		http_problem(answer, PROBLEM_BAD_MACHINE, "%.*s",
			     (int)reply->text.len,
			     (const char *)reply->text.data);
		return HTTP_ANSWERED;
	}
	if (reply->err != OK) {
		http_refuse_as(call, reply, answer, PROBLEM_NO_MACHINE);
		return HTTP_ANSWERED;
	}
	j = http_put_where(answer, reply->existed ? 200 : 201, reply,
			   reply->xid);
	json_bool(&j, "existed", reply->existed);
	http_put_run(&j, reply->detail);
	json_end(&j);
	return HTTP_ANSWERED;
}

/* ---- look ---- */

enum http_verdict http_saga_list(const struct http_api *api,
				 struct http_call *call,
				 struct http_answer *answer,
				 struct request *request)
{
	(void)request;
	return http_list_kinds(api, call, answer, 1u << KIND_SAGA);
}

/* Of an unfinished one the core tells the run; of a finished one, the archive
 * does: http_show_kind(). */
enum http_verdict http_saga_show(const struct http_api *api,
				 struct http_call *call,
				 struct http_answer *answer,
				 struct request *request)
{
	struct gtx_view gtx;

	if (!http_about(api, call, answer, RQ_SAGA_SHOW, request))
		return HTTP_ANSWERED;
	if (http_look(api, call, &gtx) == OK && gtx.kind == KIND_SAGA)
		return HTTP_ASKED;
	return http_show_kind(api, call, answer, KIND_SAGA, NULL);
}

enum http_verdict http_saga_shown(const struct http_api *api,
				  struct http_call *call,
				  const struct reply *reply,
				  struct http_answer *answer,
				  struct request *request)
{
	if (reply->err == OK)
		return http_show_kind(api, call, answer, KIND_SAGA,
				      &reply->detail);
	if (reply->err == E_NOTFOUND || reply->err == E_STATE)
		return http_show_kind(api, call, answer, KIND_SAGA, NULL);
	return http_said(api, call, reply, answer, request);
}

/* ---- move ---- */

struct move {
	uint64_t task;
	struct bytes reason;
};

static const struct field move_members[] = {
	FIELD(struct move, reason, FIELD_TEXT, false, REASON_MAX),
	FIELD(struct move, task, FIELD_NUMBER, false, UINT32_MAX - 1),
};

static enum http_verdict move(const struct http_api *api,
			      struct http_call *call,
			      struct http_answer *answer,
			      struct request *request, enum saga_move way)
{
	struct move m = { .task = UINT32_MAX };

	if (!http_about(api, call, answer, RQ_SAGA_MOVE, request) ||
	    !body_read(call, answer, move_members, way == MOVE_SKIP ? 2 : 1,
		       &m))
		return HTTP_ANSWERED;
	if (way == MOVE_SKIP && m.reason.len == 0) {
		(void)body_refuse(
			call, answer, NULL, "reason",
			"given: what is skipped is taken as done, and "
			"who reads the history will want to know why");
		return HTTP_ANSWERED;
	}
	request->move = way;
	request->task = (uint32_t)m.task;
	request->reason = m.reason;
	return HTTP_ASKED;
}

enum http_verdict http_saga_forward(const struct http_api *api,
				    struct http_call *call,
				    struct http_answer *answer,
				    struct request *request)
{
	return move(api, call, answer, request, MOVE_FORWARD);
}

enum http_verdict http_saga_compensate(const struct http_api *api,
				       struct http_call *call,
				       struct http_answer *answer,
				       struct request *request)
{
	return move(api, call, answer, request, MOVE_COMPENSATE);
}

enum http_verdict http_saga_skip(const struct http_api *api,
				 struct http_call *call,
				 struct http_answer *answer,
				 struct request *request)
{
	return move(api, call, answer, request, MOVE_SKIP);
}

enum http_verdict http_saga_moved(const struct http_api *api,
				  struct http_call *call,
				  const struct reply *reply,
				  struct http_answer *answer,
				  struct request *request)
{
	struct gtx_view gtx;

	if (reply->err != E_NOTFOUND || http_look(api, call, &gtx) != OK)
		return http_said(api, call, reply, answer, request);
	http_refuse_as(call, reply, answer, PROBLEM_NO_TASK);
	return HTTP_ANSWERED;
}
