#include "tc/door/http_body.h"
#include "tc/door/http_route.h"
#include "tc/door/http_view.h"

/*
 * Dead letters: deliveries that were refused, or given up after their last
 * attempt. They stay until somebody has them tried again.
 *
 *   GET  /api/v1/dead-letters?after&limit
 *   POST /api/v1/dead-letters/{xid}/{branch}/replay  {"reason"}
 *
 * A page ends with the transaction that fills it, so it may be a little longer
 * than asked for, and after so many transactions that were looked at.
 */

#define LIMIT_DEFAULT 50
#define LIMIT_MAX     1000
#define SCAN_MAX      5000

struct page {
	const struct http_api *api;
	struct json *json;
	struct gtx_view gtx; /* whose branches are looked at */
	uint64_t now_ms;
	uint64_t limit;
	uint64_t given, seen;
	uint64_t last;
	bool more;
	int rc;
};

static bool is_dead(const struct branch_view *b)
{
	return b->mode == MODE_MSG && (b->status == BRANCH_COMMIT_UNRETRYABLE ||
				       b->status == BRANCH_STOP_RETRY);
}

static void each_branch(void *ctx, struct branch_view branch)
{
	struct page *page = ctx;
	struct bytes coordinator = page->api->port->coordinator;

	if (!is_dead(&branch))
		return;
	json_object(page->json, NULL);
	view_xid(page->json, "xid", coordinator, page->gtx.number);
	json_id(page->json, "branch", branch.id);
	json_text(page->json, "name", page->gtx.name);
	json_text(page->json, "application", page->gtx.application);
	view_when(page->json, "began_at", page->gtx.began_wall_ms);
	view_letter(page->json, &branch);
	json_end(page->json);
	page->given++;
}

static bool each_gtx(void *ctx, struct gtx_view gtx)
{
	struct page *page = ctx;
	const struct door_port *port = page->api->port;
	struct gtx_view again;

	if (page->given >= page->limit || page->seen == SCAN_MAX) {
		page->more = true;
		return false;
	}
	page->seen++;
	page->last = gtx.number;
	page->gtx = gtx;
	page->rc = core_show(port->core(port->ctx), gtx.number, page->now_ms,
			     &again, each_branch, page);
	return page->rc == OK;
}

static bool parse_page(struct http_call *call, struct http_answer *answer,
		       struct gtx_filter *filter, struct page *page)
{
	const struct target *t = &call->parsed;

	for (size_t i = 0; i < t->n_params; i++) {
		struct target_param p = t->params[i];

		if (bytes_equal(p.name, BYTES("after")) &&
		    http_number(p.value, INT64_MAX, &filter->after))
			continue;
		if (bytes_equal(p.name, BYTES("limit")) &&
		    http_number(p.value, LIMIT_MAX, &page->limit) &&
		    page->limit > 0)
			continue;
		http_problem(answer, PROBLEM_BAD_QUERY,
			     "the query's %.*s=%.*s is not valid: give limit, "
			     "a number from 1 to 1000, and after, the \"next\" "
			     "of the page before",
			     SHORT(p.name), SHORT(p.value));
		return false;
	}
	return true;
}

enum http_verdict http_letters(const struct http_api *api,
			       struct http_call *call,
			       struct http_answer *answer,
			       struct request *request)
{
	const struct door_port *port = api->port;
	struct gtx_filter filter = { .kinds = 1u << KIND_PLAIN |
					      1u << KIND_MESSAGE,
				     .status = -1,
				     .limit = SCAN_MAX + 1 };
	struct page page = { .api = api,
			     .now_ms = port->now_ms(port->ctx),
			     .limit = LIMIT_DEFAULT };
	struct json j;

	(void)request;
	if (!parse_page(call, answer, &filter, &page))
		return HTTP_ANSWERED;
	j = http_answer_json(answer, 200);
	page.json = &j;
	json_object(&j, NULL);
	json_array(&j, "dead_letters");
	(void)core_list(port->core(port->ctx), &filter, page.now_ms, each_gtx,
			&page);
	json_end(&j);
	if (page.more)
		json_id(&j, "next", page.last);
	else
		json_null(&j, "next");
	json_end(&j);
	return page.rc == OK ? HTTP_ANSWERED : http_no_memory(answer);
}

/* ---- replay ---- */

struct found {
	uint64_t id;
	bool dead;
};

static void look_at(void *ctx, struct branch_view branch)
{
	struct found *found = ctx;

	if (branch.id == found->id)
		found->dead = is_dead(&branch);
}

enum http_verdict http_letter_replay(const struct http_api *api,
				     struct http_call *call,
				     struct http_answer *answer,
				     struct request *request)
{
	const struct door_port *port = api->port;
	enum http_verdict v = http_retry(api, call, answer, request);
	struct found found = { request->branch, false };
	struct gtx_view gtx;
	int rc;

	if (v != HTTP_ASKED)
		return v;
	rc = core_show(port->core(port->ctx), call->number,
		       port->now_ms(port->ctx), &gtx, look_at, &found);
	if (found.dead || rc != OK) /* why there is none, the core knows */
		return v;
	http_problem(answer, PROBLEM_NO_BRANCH,
		     "branch %.*s of transaction %.*s is no dead letter: it is "
		     "delivered, or still tried",
		     SHORT(call->vars[1]), SHORT(call->xid));
	return HTTP_ANSWERED;
}
