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
};

static void each_branch(void *ctx, struct branch_view branch)
{
	struct parts *parts = ctx;

	view_branch(parts->json, &branch);
}

static void the_archived(void *ctx, const struct archive *gtx)
{
	struct parts *parts = ctx;

	view_archived(parts->json, parts->coordinator, gtx);
}

static void each_line(void *ctx, const struct history *line)
{
	struct parts *parts = ctx;

	view_history(parts->json, line);
}

/* The branches are handed out during core_show(), its own view is only there
 * at the end: so they are written aside, and put behind it. */
static int show_unfinished(const struct http_api *api, struct http_call *call,
			   struct json *j)
{
	const struct door_port *port = api->port;
	struct gtx_view gtx;
	struct buf branches;
	struct json inner;
	struct parts parts = { &inner, port->coordinator };
	int rc;

	buf_init(&branches, &call->arena->as_mem);
	json_init(&inner, &branches);
	json_array(&inner, NULL);
	rc = core_show(port->core(port->ctx), call->number,
		       port->now_ms(port->ctx), &gtx, each_branch, &parts);
	if (rc != OK)
		return rc;
	json_end(&inner);
	view_gtx(j, port->coordinator, &gtx);
	json_raw(j, "branches", buf_bytes(&branches));
	return buf_error(&branches);
}

static int show_finished(const struct http_api *api, struct http_call *call,
			 struct json *j)
{
	const struct door_port *port = api->port;
	struct parts parts = { j, port->coordinator };
	enum gtx_status status;
	int rc = store_archived_one(port->store(port->ctx), call->number,
				    the_archived, &parts);

	if (rc == E_NOTFOUND &&
	    core_outcome(port->core(port->ctx), call->number, &status) == OK) {
		view_outcome(j, port->coordinator, call->number, status);
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
	struct parts parts = { j, port->coordinator };
	int rc;

	json_array(j, "history");
	rc = store_history(port->store(port->ctx), call->number, each_line,
			   &parts);
	json_end(j);
	return rc;
}

static void say_unknown(const struct http_api *api,
			const struct http_call *call,
			struct http_answer *answer)
{
	const struct door_port *port = api->port;

	if (core_gave(port->core(port->ctx), call->number))
		http_problem(answer, PROBLEM_NO_TRANSACTION,
			     "transaction %.*s is not known; it never began, "
			     "did nothing, or finished too long ago",
			     SHORT(call->xid));
	else
		http_problem(answer, PROBLEM_OTHER_LIFE,
			     "transaction %.*s is of another life of this "
			     "coordinator, whose store was replaced since; "
			     "nothing is known of it",
			     SHORT(call->xid));
}

enum http_verdict http_show(const struct http_api *api, struct http_call *call,
			    struct http_answer *answer, struct request *request)
{
	struct json j;
	int rc;

	(void)request;
	if (!http_which(api, call, answer))
		return HTTP_ANSWERED;
	j = http_answer_json(answer, 200);
	json_object(&j, NULL);
	rc = show_unfinished(api, call, &j);
	if (rc == E_NOTFOUND)
		rc = show_finished(api, call, &j);
	if (rc == E_NOTFOUND) {
		say_unknown(api, call, answer);
		return HTTP_ANSWERED;
	}
	if (rc == OK)
		rc = show_history(api, call, &j);
	json_end(&j);
	if (rc == E_NOMEM)
		http_problem(answer, PROBLEM_NO_MEMORY,
			     "out of memory; try again");
	else if (rc != OK)
		http_store_problem(api, answer, rc);
	return HTTP_ANSWERED;
}
