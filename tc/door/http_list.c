#include "tc/door/http_route.h"
#include "tc/door/http_view.h"

/*
 * GET /api/v1/transactions; messages and sagas are listed by the same
 * questions. Unfinished ones come from the core, oldest first;
 * finished ones from the archive, newest first. `next` is the cursor for
 * `after`, null on the last page.
 */

#define LIMIT_DEFAULT 50
#define LIMIT_MAX     1000
/* Archived transactions looked at for one page; a rare match then takes more
 * pages, and no question blocks the loop for long. */
#define SCAN_MAX 5000

struct question {
	struct gtx_filter filter;
	bool finished;
	bool any_kind; /* the query may say which */
};

struct page {
	struct json *json;
	struct bytes coordinator;
	const struct gtx_filter *filter;
	size_t given;
	size_t seen;
	uint64_t last; /* number of the last one that was looked at */
	bool more;
};

/* ---- the query ---- */

static bool parse_status(struct bytes text, int *status)
{
	uint64_t code;

	for (int i = 0; i < GTX_STATUSES; i++) {
		if (bytes_equal(text, bytes_of(gtx_status_name(i)))) {
			*status = i;
			return true;
		}
	}
	if (!http_number(text, GTX_STATUSES - 1, &code))
		return false;
	*status = (int)code;
	return true;
}

static bool parse_flag(struct bytes text, bool *flag)
{
	bool yes = bytes_equal(text, BYTES("true")) ||
		   bytes_equal(text, BYTES("1"));

	*flag = yes;
	return yes || bytes_equal(text, BYTES("false")) ||
	       bytes_equal(text, BYTES("0"));
}

/* "1500ms", "90s", "5m", "2h", "1d" */
static bool parse_span(struct bytes text, uint64_t *ms)
{
	static const struct {
		const char *unit;
		uint64_t ms;
	} units[] = { { "ms", 1 },
		      { "s", 1000 },
		      { "m", 60000 },
		      { "h", 3600000 },
		      { "d", 86400000 } };
	struct bytes unit = text;
	uint64_t n;

	while (unit.len > 0 && unit.data[0] >= '0' && unit.data[0] <= '9') {
		unit.data++;
		unit.len--;
	}
	text.len -= unit.len;
	for (size_t i = 0; i < ARRAY_LEN(units); i++) {
		if (!bytes_equal(unit, bytes_of(units[i].unit)))
			continue;
		if (!http_number(text, UINT64_MAX / units[i].ms / 2, &n))
			return false;
		*ms = n * units[i].ms;
		return true;
	}
	return false;
}

static bool parse_state(struct bytes text, bool *finished)
{
	*finished = bytes_equal(text, BYTES("finished"));
	return *finished || bytes_equal(text, BYTES("unfinished"));
}

static bool parse_kind(struct bytes text, unsigned *kinds)
{
	for (int kind = KIND_PLAIN; kind <= KIND_SAGA; kind++) {
		*kinds = 1u << kind;
		if (bytes_equal(text, bytes_of(view_kind((enum gtx_kind)kind))))
			return true;
	}
	return false;
}

static bool parse_limit(struct bytes text, size_t *limit)
{
	uint64_t n;

	if (!http_number(text, LIMIT_MAX, &n) || n == 0)
		return false;
	*limit = (size_t)n;
	return true;
}

/* NULL if the parameter was understood, else what it should look like. */
static const char *parse_param(struct question *q, struct target_param p)
{
	struct gtx_filter *f = &q->filter;

	if (bytes_equal(p.name, BYTES("state")))
		return parse_state(p.value, &q->finished)
			       ? NULL
			       : "unfinished or finished";
	if (bytes_equal(p.name, BYTES("kind")) && q->any_kind)
		return parse_kind(p.value, &f->kinds)
			       ? NULL
			       : "plain, message or saga";
	if (bytes_equal(p.name, BYTES("status")))
		return parse_status(p.value, &f->status)
			       ? NULL
			       : "a status name such as RollbackRetrying, or "
				 "its "
				 "number";
	if (bytes_equal(p.name, BYTES("hung")))
		return parse_flag(p.value, &f->hung) ? NULL : "true or false";
	if (bytes_equal(p.name, BYTES("min_age")))
		return parse_span(p.value, &f->age_ms_min)
			       ? NULL
			       : "a number with a unit: 500ms, 30s, 5m, 2h, 1d";
	if (bytes_equal(p.name, BYTES("after")))
		return http_number(p.value, INT64_MAX, &f->after)
			       ? NULL
			       : "the \"next\" of the page before";
	if (bytes_equal(p.name, BYTES("limit")))
		return parse_limit(p.value, &f->limit)
			       ? NULL
			       : "a number from 1 to 1000";
	if (bytes_equal(p.name, BYTES("text")))
		f->text = p.value;
	else if (bytes_equal(p.name, BYTES("resource")))
		f->resource = p.value;
	else
		return "one of state, status, kind, hung, text, resource, "
		       "min_age, after, limit (kind only of transactions)";
	return NULL;
}

static bool parse_question(const struct http_call *call, struct question *q,
			   struct http_answer *answer, unsigned kinds)
{
	const struct target *t = &call->parsed;

	*q = (struct question){
		.filter = { .status = -1,
			    .limit = LIMIT_DEFAULT,
			    .kinds = kinds },
		.any_kind = kinds == 0,
	};
	for (size_t i = 0; i < t->n_params; i++) {
		const char *want = parse_param(q, t->params[i]);
		struct buf name;

		if (!want)
			continue;
		buf_init(&name, &call->arena->as_mem);
		buf_put(&name, t->params[i].name);
		http_problem_at(answer, PROBLEM_BAD_QUERY, buf_text(&name),
				"the query's %.*s=%.*s is not valid: give %s",
				SHORT(t->params[i].name),
				SHORT(t->params[i].value), want);
		return false;
	}
	return true;
}

/* What finished transactions are not kept with cannot be asked for. */
static bool check_finished(const struct question *q, struct http_answer *answer)
{
	const char *wrong = q->filter.hung               ? "hung"
			    : q->filter.resource.len > 0 ? "resource"
			    : q->filter.age_ms_min > 0   ? "min_age"
							 : NULL;

	if (!wrong)
		return true;
	http_problem_at(answer, PROBLEM_BAD_QUERY, wrong,
			"%s cannot be asked of finished transactions; leave it "
			"or state=finished out",
			wrong);
	return false;
}

/* ---- the two sources ---- */

static bool each_unfinished(void *ctx, struct gtx_view gtx)
{
	struct page *page = ctx;

	if (page->given == page->filter->limit) {
		page->more = true;
		return false;
	}
	json_object(page->json, NULL);
	view_gtx(page->json, page->coordinator, &gtx);
	json_end(page->json);
	page->given++;
	page->last = gtx.number;
	return true;
}

static void list_unfinished(const struct http_api *api, struct page *page)
{
	const struct door_port *port = api->port;
	struct gtx_filter filter = *page->filter;

	filter.limit++; /* the one more says that there is a next page */
	(void)core_list(port->core(port->ctx), &filter, port->now_ms(port->ctx),
			each_unfinished, page);
}

static bool contains(struct bytes text, struct bytes part)
{
	return part.len == 0 ||
	       (text.len > 0 &&
		memmem(text.data, text.len, part.data, part.len) != NULL);
}

static bool wanted(const struct gtx_filter *f, const struct archive *gtx)
{
	return (f->status < 0 || f->status == (int)gtx->status) &&
	       (f->kinds == 0 || (f->kinds & 1u << gtx->kind)) &&
	       (contains(gtx->name, f->text) ||
		contains(gtx->application, f->text));
}

static bool each_finished(void *ctx, const struct archive *gtx)
{
	struct page *page = ctx;

	if (page->given == page->filter->limit || page->seen == SCAN_MAX) {
		page->more = true;
		return false;
	}
	page->seen++;
	page->last = gtx->gtx;
	if (!wanted(page->filter, gtx))
		return true;
	json_object(page->json, NULL);
	view_archived(page->json, page->coordinator, gtx);
	json_end(page->json);
	page->given++;
	return true;
}

static int list_finished(const struct http_api *api, struct page *page)
{
	return store_archived(api->port->store(api->port->ctx),
			      page->filter->after, SCAN_MAX + 1, each_finished,
			      page);
}

enum http_verdict http_list_kinds(const struct http_api *api,
				  struct http_call *call,
				  struct http_answer *answer, unsigned kinds)
{
	struct question q;
	struct page page = { .coordinator = api->port->coordinator,
			     .filter = &q.filter };
	struct json j;
	int rc = OK;

	if (!parse_question(call, &q, answer, kinds) ||
	    (q.finished && !check_finished(&q, answer)))
		return HTTP_ANSWERED;
	j = http_answer_json(answer, 200);
	page.json = &j;
	json_object(&j, NULL);
	json_array(&j, "transactions");
	if (q.finished)
		rc = list_finished(api, &page);
	else
		list_unfinished(api, &page);
	json_end(&j);
	if (page.more)
		json_id(&j, "next", page.last);
	else
		json_null(&j, "next");
	json_end(&j);
	if (rc != OK)
		http_store_problem(api, answer, rc);
	return HTTP_ANSWERED;
}

enum http_verdict http_list(const struct http_api *api, struct http_call *call,
			    struct http_answer *answer, struct request *request)
{
	(void)request;
	return http_list_kinds(api, call, answer, 0);
}
