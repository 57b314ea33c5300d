#include "tc/door/http_route.h"
#include "tc/door/http_view.h"

/*
 * The core's replies as answers, and its errors as problems.
 */

enum http_verdict http_no_memory(struct http_answer *answer)
{
	http_problem(answer, PROBLEM_NO_MEMORY,
		     "out of memory; nothing was done, try again");
	return HTTP_ANSWERED;
}

void http_store_problem(const struct http_api *api, struct http_answer *answer,
			int err)
{
	http_problem(answer, PROBLEM_STORE,
		     "the store could not be read (%s): %s", err_name(err),
		     store_error(api->port->store(api->port->ctx)));
}

/* ---- errors ---- */

enum http_problem http_problem_of(const struct reply *reply,
				  enum http_problem not_found)
{
	switch (reply->err) {
	case E_NOTFOUND:
		return not_found;
	case E_STATE:
		return PROBLEM_WRONG_STATE;
	case E_CONFLICT:
		return reply->type == RQ_REGISTER ? PROBLEM_LOCKED
						  : PROBLEM_EXISTS;
	case E_DEADLOCK:
		return PROBLEM_DEADLOCK;
	case E_LIMIT:
		return PROBLEM_LIMIT;
	case E_INVALID:
		return PROBLEM_BAD_REQUEST;
	case E_CLOSED:
		return PROBLEM_CLOSING;
	case E_NOMEM:
		return PROBLEM_NO_MEMORY;
	case E_TIMEOUT:
		return reply->type == RQ_REGISTER ? PROBLEM_LOCK_TIMEOUT
						  : PROBLEM_OUTCOME_UNKNOWN;
	case E_UNKNOWN: /* this store never gave such a number */
		return PROBLEM_OTHER_LIFE;
	default:
		return PROBLEM_INTERNAL;
	}
}

void http_refuse_as(struct http_call *call, const struct reply *reply,
		    struct http_answer *answer, enum http_problem not_found)
{
	enum http_problem problem = http_problem_of(reply, not_found);

	if (reply->err == E_STATE && call->xid.len > 0)
		answer->transaction_status =
			gtx_status_name((int)reply->status);
	if (reply->err == E_NOMEM)
		(void)http_no_memory(answer);
	else if (reply->text.len > 0)
		http_problem(answer, problem, "%.*s", (int)reply->text.len,
			     (const char *)reply->text.data);
	else if (reply->err == E_NOTFOUND && call->xid.len > 0)
		http_problem(answer, problem,
			     "transaction %.*s, or the branch that was named, "
			     "is not among the unfinished ones",
			     SHORT(call->xid));
	else if (call->xid.len > 0)
		http_problem(
			answer, problem, "transaction %.*s is %s: refused (%s)",
			SHORT(call->xid), gtx_status_name((int)reply->status),
			err_name(reply->err));
	else
		http_problem(answer, problem, "refused (%s)",
			     err_name(reply->err));
}

/* What was not found: the branch, if its transaction is there. */
static enum http_problem missing(const struct http_api *api,
				 const struct http_call *call)
{
	struct gtx_view gtx;

	if (call->vars[1].len > 0 && http_look(api, call, &gtx) == OK)
		return PROBLEM_NO_BRANCH;
	return PROBLEM_NO_TRANSACTION;
}

void http_refuse(const struct http_api *api, struct http_call *call,
		 const struct reply *reply, struct http_answer *answer)
{
	http_refuse_as(call, reply, answer, missing(api, call));
}

/* ---- what went well ---- */

struct json http_put_where(struct http_answer *answer, unsigned status,
			   const struct reply *reply, struct bytes xid)
{
	struct json j = http_answer_json(answer, status);

	json_object(&j, NULL);
	json_text(&j, "xid", xid);
	json_text(&j, "status", bytes_of(gtx_status_name((int)reply->status)));
	json_number(&j, "status_code", (uint64_t)reply->status);
	json_bool(&j, "finished", gtx_status_finished((int)reply->status));
	json_bool(&j, "hung", gtx_status_hung((int)reply->status));
	return j;
}

enum http_verdict http_said(const struct http_api *api, struct http_call *call,
			    const struct reply *reply,
			    struct http_answer *answer, struct request *request)
{
	struct json j;

	(void)request;
	if (reply->err != OK) {
		http_refuse(api, call, reply, answer);
		return HTTP_ANSWERED;
	}
	j = http_put_where(answer, 200, reply, call->xid);
	json_end(&j);
	return HTTP_ANSWERED;
}

/* ---- finding what is asked about ---- */

static void no_branch(void *ctx, struct branch_view branch)
{
	(void)ctx;
	(void)branch;
}

int http_look(const struct http_api *api, const struct http_call *call,
	      struct gtx_view *gtx)
{
	const struct door_port *port = api->port;

	return core_show(port->core(port->ctx), call->number,
			 port->now_ms(port->ctx), gtx, no_branch, NULL);
}

bool http_about(const struct http_api *api, struct http_call *call,
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
