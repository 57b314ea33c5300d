#include "tc/door/http_route.h"
#include "tc/door/http_view.h"

/*
 * GET /api/v1/transactions/{xid}. An unfinished one comes from the core with
 * its branches; a finished one from the archive; one that the archive has
 * dropped may still have a tombstone.
 */

struct parts {
	struct json *json;
	struct bytes coordinator;
	int *kind;
	bool run; /* what the archive kept of a saga's run belongs here */
};

void http_put_run(struct json *j, struct bytes run)
{
	if (run.len > 0 && json_valid(run))
		json_raw(j, "run", run);
	else
		json_null(j, "run");
}

static void each_branch(void *ctx, struct branch_view branch)
{
	struct parts *parts = ctx;

	view_branch(parts->json, &branch);
}

static void the_archived(void *ctx, const struct archive *gtx)
{
	struct parts *parts = ctx;

	*parts->kind = (int)gtx->kind;
	view_archived(parts->json, parts->coordinator, gtx);
	if (parts->run)
		http_put_run(parts->json, gtx->detail);
}

static void each_line(void *ctx, const struct history *line)
{
	struct parts *parts = ctx;

	view_history(parts->json, line);
}

/* The branches are handed out during core_show(), its own view is only there
 * at the end: so they are written aside, and put behind it. */
static int show_unfinished(const struct http_api *api, struct http_call *call,
			   struct json *j, int *kind, const struct bytes *run)
{
	const struct door_port *port = api->port;
	struct gtx_view gtx;
	struct buf branches;
	struct json inner;
	struct parts parts = { &inner, port->coordinator, NULL, false };
	int rc;

	buf_init(&branches, &call->arena->as_mem);
	json_init(&inner, &branches);
	json_array(&inner, NULL);
	rc = core_show(port->core(port->ctx), call->number,
		       port->now_ms(port->ctx), &gtx, each_branch, &parts);
	if (rc != OK)
		return rc;
	json_end(&inner);
	*kind = (int)gtx.kind;
	view_gtx(j, port->coordinator, &gtx);
	if (run)
		http_put_run(j, *run);
	json_raw(j, "branches", buf_bytes(&branches));
	return buf_error(&branches);
}

static int show_finished(const struct http_api *api, struct http_call *call,
			 struct json *j, int *kind)
{
	const struct door_port *port = api->port;
	struct parts parts = { j, port->coordinator, kind, *kind == KIND_SAGA };
	enum gtx_status status;
	int rc = store_archived_one(port->store(port->ctx), call->number,
				    the_archived, &parts);

	if (rc == E_NOTFOUND &&
	    core_outcome(port->core(port->ctx), call->number, &status) == OK) {
		view_outcome(j, port->coordinator, call->number, status);
		if (parts.run)
			json_null(j, "run");
		rc = OK;
	}
	if (rc != OK)
		return rc;
	json_array(j, "branches");
	json_end(j);
	return OK;
}

static int show_history(const struct http_api *api, struct http_call *call,
			struct json *j)
{
	const struct door_port *port = api->port;
	struct parts parts = { j, port->coordinator, NULL, false };
	int rc;

	json_array(j, "history");
	rc = store_history(port->store(port->ctx), call->number, each_line,
			   &parts);
	json_end(j);
	return rc;
}

static void say_unknown(const struct http_api *api,
			const struct http_call *call,
			struct http_answer *answer, int kind)
{
	const struct door_port *port = api->port;

	if (core_gave(port->core(port->ctx), call->number))
		http_problem(answer, PROBLEM_NO_TRANSACTION,
			     "%s %.*s is not known; it never began, did "
			     "nothing, or finished too long ago",
			     kind < 0 ? "transaction"
				      : view_kind((enum gtx_kind)kind),
			     SHORT(call->xid));
	else
		http_problem(answer, PROBLEM_OTHER_LIFE,
			     "transaction %.*s is of another life of this "
			     "coordinator, whose store was replaced since; "
			     "nothing is known of it",
			     SHORT(call->xid));
}

/* Everything but the history, as long as it is of the right kind. */
static int show(const struct http_api *api, struct http_call *call,
		struct json *j, int want, const struct bytes *run)
{
	int kind = want;
	int rc = show_unfinished(api, call, j, &kind, run);

	if (rc == E_NOTFOUND) {
		kind = want;
		rc = show_finished(api, call, j, &kind);
	}
	return rc == OK && want >= 0 && kind != want ? E_NOTFOUND : rc;
}

enum http_verdict http_show_kind(const struct http_api *api,
				 struct http_call *call,
				 struct http_answer *answer, int kind,
				 const struct bytes *run)
{
	struct json j;
	int rc;

	if (!http_which(api, call, answer))
		return HTTP_ANSWERED;
	j = http_answer_json(answer, 200);
	json_object(&j, NULL);
	rc = show(api, call, &j, kind, run);
	if (rc == E_NOTFOUND) {
		say_unknown(api, call, answer, kind);
		return HTTP_ANSWERED;
	}
	if (rc == OK)
		rc = show_history(api, call, &j);
	json_end(&j);
	if (rc == E_NOMEM)
		return http_no_memory(answer);
	if (rc != OK)
		http_store_problem(api, answer, rc);
	return HTTP_ANSWERED;
}

enum http_verdict http_show(const struct http_api *api, struct http_call *call,
			    struct http_answer *answer, struct request *request)
{
	(void)request;
	return http_show_kind(api, call, answer, -1, NULL);
}
