#include "tc/door/http_body.h"
#include "tc/door/http_route.h"

/*
 * A transaction from beginning to decision.
 *
 *   POST /api/v1/transactions        {"name","application","timeout_ms",
 *                                     "ordered"}
 *   POST …/{}/branches/{}/report     {"status","data"}
 *   POST …/{}/commit                 {"wait_ms"}
 *   POST …/{}/rollback               {"reason","wait_ms"}
 */

/* ---- begin ---- */

static const struct field begin_members[] = {
	FIELD(struct request, name, FIELD_TEXT, true, TEXT_MAX),
	FIELD(struct request, application, FIELD_TEXT, false, TEXT_MAX),
	FIELD(struct request, timeout_ms, FIELD_NUMBER, false, SPAN_MAX),
	FIELD(struct request, ordered, FIELD_FLAG, false, 0),
};

enum http_verdict http_begin(const struct http_api *api, struct http_call *call,
			     struct http_answer *answer,
			     struct request *request)
{
	(void)api;
	*request = (struct request){ .type = RQ_BEGIN, .kind = KIND_PLAIN };
	return body_read(call, answer, begin_members, ARRAY_LEN(begin_members),
			 request)
		       ? HTTP_ASKED
		       : HTTP_ANSWERED;
}

enum http_verdict http_begun(const struct http_api *api, struct http_call *call,
			     const struct reply *reply,
			     struct http_answer *answer,
			     struct request *request)
{
	struct json j;

	if (reply->err != OK)
		return http_said(api, call, reply, answer, request);
	j = http_put_where(answer, 201, reply, reply->xid);
	json_end(&j);
	return HTTP_ANSWERED;
}

/* ---- report ---- */

struct report {
	struct bytes status;
	struct bytes data;
};

static const struct field report_members[] = {
	FIELD(struct report, status, FIELD_TEXT, true, 100),
	FIELD(struct report, data, FIELD_ANY, false, 0),
};

static bool report_status(struct bytes text, enum branch_status *status)
{
	static const enum branch_status known[] = { BRANCH_PHASE_ONE_DONE,
						    BRANCH_PHASE_ONE_FAILED,
						    BRANCH_RDONLY };

	for (size_t i = 0; i < ARRAY_LEN(known); i++) {
		*status = known[i];
		if (bytes_equal(text,
				bytes_of(branch_status_name((int)known[i]))))
			return true;
	}
	return false;
}

enum http_verdict http_report(const struct http_api *api,
			      struct http_call *call,
			      struct http_answer *answer,
			      struct request *request)
{
	struct report report = { .status = { 0 } };

	if (!http_about(api, call, answer, RQ_REPORT, request) ||
	    !body_read(call, answer, report_members, ARRAY_LEN(report_members),
		       &report))
		return HTTP_ANSWERED;
	if (!report_status(report.status, &request->report)) {
		(void)body_refuse(call, answer, NULL, "status",
				  "\"PhaseOne_Done\", \"PhaseOne_Failed\" or "
				  "\"PhaseOne_RDONLY\"");
		return HTTP_ANSWERED;
	}
	request->application_data = report.data;
	return HTTP_ASKED;
}

/* ---- decide ---- */

struct decision {
	uint64_t wait_ms;
	struct bytes reason;
};

static const struct field decision_members[] = {
	FIELD(struct decision, wait_ms, FIELD_NUMBER, false, WAIT_MAX),
	FIELD(struct decision, reason, FIELD_TEXT, false, REASON_MAX),
};

static enum http_verdict decide(const struct http_api *api,
				struct http_call *call,
				struct http_answer *answer,
				struct request *request, enum request_type type)
{
	struct decision d = { .wait_ms = 0 };

	if (!http_about(api, call, answer, type, request) ||
	    !body_read(call, answer, decision_members,
		       type == RQ_ROLLBACK ? 2 : 1, &d))
		return HTTP_ANSWERED;
	request->wait_ms = call->wait_ms = d.wait_ms;
	request->text = d.reason;
	return HTTP_ASKED;
}

enum http_verdict http_commit(const struct http_api *api,
			      struct http_call *call,
			      struct http_answer *answer,
			      struct request *request)
{
	return decide(api, call, answer, request, RQ_COMMIT);
}

enum http_verdict http_rollback(const struct http_api *api,
				struct http_call *call,
				struct http_answer *answer,
				struct request *request)
{
	return decide(api, call, answer, request, RQ_ROLLBACK);
}
