#include "tc/door/http_api.h"

#include "base/xid.h"
#include "tc/door/http_route.h"
#include "tc/door/http_view.h"

#include <strings.h>

/* ---- what is the same for all ---- */

bool http_number(struct bytes text, uint64_t max, uint64_t *number)
{
	uint64_t n = 0;

	if (text.len == 0 || text.len > 20 ||
	    (text.len > 1 && text.data[0] == '0'))
		return false;
	for (size_t i = 0; i < text.len; i++) {
		uint64_t digit = (uint64_t)text.data[i] - '0';

		if (digit > 9 || digit > max || n > (max - digit) / 10)
			return false;
		n = n * 10 + digit;
	}
	*number = n;
	return n <= max;
}

bool http_which(const struct http_api *api, struct http_call *call,
		struct http_answer *answer)
{
	struct bytes text = call->vars[0], coordinator;
	struct buf xid;

	if (http_number(text, INT64_MAX, &call->number) && call->number > 0) {
		coordinator = api->port->coordinator;
	} else if (xid_parse(text, &coordinator, &call->number) != OK) {
		http_problem(answer, PROBLEM_BAD_REQUEST,
			     "\"%.*s\" is not an xid; one looks like "
			     "%.*s:42, and its number alone will do",
			     SHORT(text), SHORT(api->port->coordinator));
		return false;
	}
	if (!bytes_equal(coordinator, api->port->coordinator)) {
		http_problem(answer, PROBLEM_NO_TRANSACTION,
			     "transaction %.*s belongs to the coordinator "
			     "%.*s, this one is %.*s: ask there",
			     SHORT(text), SHORT(coordinator),
			     SHORT(api->port->coordinator));
		return false;
	}
	buf_init(&xid, &call->arena->as_mem);
	xid_format(&xid, coordinator, call->number);
	call->xid = buf_bytes(&xid);
	if (buf_error(&xid) == OK)
		return true;
	http_problem(answer, PROBLEM_NO_MEMORY, "out of memory; try again");
	return false;
}

void http_store_problem(const struct http_api *api, struct http_answer *answer,
			int err)
{
	http_problem(answer, PROBLEM_STORE,
		     "the store could not be read (%s): %s", err_name(err),
		     store_error(api->port->store(api->port->ctx)));
}

/* ---- small pages ---- */

static enum http_verdict health(const struct http_api *api,
				struct http_call *call,
				struct http_answer *answer,
				struct request *request)
{
	struct json j = http_answer_json(answer, 200);

	(void)api;
	(void)call;
	(void)request;
	json_object(&j, NULL);
	json_text(&j, "status", BYTES("ok"));
	json_end(&j);
	return HTTP_ANSWERED;
}

static enum http_verdict ready(const struct http_api *api,
			       struct http_call *call,
			       struct http_answer *answer,
			       struct request *request)
{
	switch (api->port->state(api->port->ctx)) {
	case HOST_LOADING:
		http_problem(answer, PROBLEM_CLOSING,
			     "transactions are still being loaded; try again "
			     "in a moment");
		return HTTP_ANSWERED;
	case HOST_DRAINING:
		http_problem(answer, PROBLEM_CLOSING,
			     "the coordinator is stopping; new transactions "
			     "go to another one, or wait for its restart");
		return HTTP_ANSWERED;
	case HOST_READY:
		break;
	}
	return health(api, call, answer, request);
}

static const char *state_name(enum host_state state)
{
	static const char *const names[] = {
		[HOST_LOADING] = "loading",
		[HOST_READY] = "ready",
		[HOST_DRAINING] = "draining",
	};

	return names[state];
}

static enum http_verdict stats(const struct http_api *api,
			       struct http_call *call,
			       struct http_answer *answer,
			       struct request *request)
{
	const struct door_port *port = api->port;
	struct core_stats core = core_stats(port->core(port->ctx));
	struct store_stats store = store_stats(port->store(port->ctx));
	struct json j = http_answer_json(answer, 200);

	(void)call;
	(void)request;
	json_object(&j, NULL);
	json_text(&j, "version", bytes_of(api->version));
	json_text(&j, "coordinator", port->coordinator);
	json_text(&j, "state", bytes_of(state_name(port->state(port->ctx))));
	json_number(&j, "uptime_ms", port->now_ms(port->ctx) - api->began_ms);
	view_core_stats(&j, "core", &core);
	view_store_stats(&j, "store", &store);
	json_end(&j);
	return HTTP_ANSWERED;
}

/* ---- routes ---- */

#define TRANSACTION "/api/v1/transactions/{}"

static const struct http_route routes[] = {
	{ "GET", "/healthz", true, health },
	{ "GET", "/readyz", true, ready },
	{ "GET", "/api/v1/stats", false, stats },
	{ "GET", "/api/v1/transactions", false, http_list },
	{ "GET", TRANSACTION, false, http_show },
	{ "POST", TRANSACTION "/retry", false, http_retry },
	{ "POST", TRANSACTION "/branches/{}/retry", false, http_retry },
	{ "POST", TRANSACTION "/branches/{}/resolve", false, http_resolve },
};

static const struct http_route *find_route(struct http_call *call)
{
	for (size_t i = 0; i < ARRAY_LEN(routes); i++)
		if (target_matches(&call->parsed, routes[i].pattern, call->vars,
				   ARRAY_LEN(call->vars)))
			return &routes[i];
	return NULL;
}

/* ---- admission ---- */

static bool same_word(struct bytes b, const char *word)
{
	return b.len == strlen(word) &&
	       strncasecmp((const char *)b.data, word, b.len) == 0;
}

/* "name:port" without the port; "[::1]:80" keeps its brackets. */
static struct bytes host_name(struct bytes host)
{
	for (size_t i = host.len; i > 0; i--) {
		uint8_t c = host.data[i - 1];

		if (c == ':')
			return (struct bytes){ host.data, i - 1 };
		if (c < '0' || c > '9')
			break;
	}
	return host;
}

/*
 * Names that only ever mean this machine. A foreign name could have been made
 * to point at the loopback by whoever owns it, and a browser would then let
 * that page read our answers.
 */
static bool is_loopback_name(struct bytes host)
{
	struct bytes name = host_name(host);

	return same_word(name, "localhost") || same_word(name, "127.0.0.1") ||
	       same_word(name, "[::1]");
}

/* A POST that a page of another origin could have made. */
static bool is_cross_site(const struct http_call *call)
{
	static const struct bytes scheme = { (const uint8_t *)"http://", 7 };
	struct bytes rest = call->origin;

	if (rest.len == 0)
		return false;
	if (rest.len <= scheme.len ||
	    memcmp(rest.data, scheme.data, scheme.len) != 0)
		return true;
	rest.data += scheme.len;
	rest.len -= scheme.len;
	return !bytes_equal(rest, call->host);
}

static bool is_json(struct bytes type)
{
	static const char json[] = "application/json";
	size_t len = sizeof json - 1;

	if (type.len < len ||
	    strncasecmp((const char *)type.data, json, len) != 0)
		return false;
	return type.len == len || type.data[len] == ';' ||
	       type.data[len] == ' ';
}

static bool admit_post(struct http_call *call, struct http_answer *answer)
{
	if (is_cross_site(call)) {
		http_problem(answer, PROBLEM_CROSS_SITE,
			     "a page of %.*s must not act here; use the "
			     "coordinator's own pages or the treaty command",
			     SHORT(call->origin));
		return false;
	}
	if (!is_json(call->content_type)) {
		http_problem(answer, PROBLEM_MEDIA_TYPE,
			     "send the body with Content-Type: "
			     "application/json (also an empty one)");
		return false;
	}
	return true;
}

static bool admit_body(const struct http_api *api, struct http_call *call,
		       struct http_answer *answer)
{
	bool post = bytes_equal(call->method, BYTES("POST"));
	uint64_t len = 0;

	if (call->transfer_encoding.len > 0 ||
	    (post && call->content_length.len == 0)) {
		http_problem(answer, PROBLEM_LENGTH_REQUIRED,
			     "send the body with a Content-Length, not in "
			     "chunks");
		return false;
	}
	if (call->content_length.len > 0 &&
	    (!http_number(call->content_length, SIZE_MAX, &len) ||
	     len > api->body_max)) {
		http_problem(answer, PROBLEM_TOO_LARGE,
			     "the body may have at most %zu bytes",
			     api->body_max);
		return false;
	}
	return true;
}

static bool admit_target(struct http_call *call, struct http_answer *answer)
{
	int rc = target_parse(&call->parsed, call->arena, call->target);

	if (rc == OK) {
		call->route = find_route(call);
		if (call->route)
			return true;
		http_problem(answer, PROBLEM_NOT_FOUND,
			     "there is nothing at %.*s; the interface begins "
			     "at /api/v1/transactions",
			     SHORT(call->target));
	} else if (rc == E_NOMEM) {
		http_problem(answer, PROBLEM_NO_MEMORY,
			     "out of memory; try again");
	} else {
		http_problem(
			answer, PROBLEM_BAD_REQUEST,
			rc == E_LIMIT
				? "the path or the query has too many parts"
				: "the path or the query is not valid: it "
				  "must begin with / and be UTF-8 with "
				  "correct %%-escapes");
	}
	return false;
}

static bool admit_method(struct http_call *call, struct http_answer *answer)
{
	bool head = bytes_equal(call->method, BYTES("HEAD"));
	const char *want = call->route->method;

	if (bytes_equal(call->method, bytes_of(want)) ||
	    (head && strcmp(want, "GET") == 0))
		return true;
	http_problem(answer, PROBLEM_METHOD, "%.*s is not possible here; %s is",
		     SHORT(call->method), want);
	answer->allow = strcmp(want, "GET") == 0 ? "GET, HEAD" : want;
	return false;
}

bool http_admit(const struct http_api *api, struct http_call *call,
		struct http_answer *answer)
{
	/* The body first: whatever else is wrong, a long one is not read. */
	if (!admit_body(api, call, answer) || !admit_target(call, answer))
		return false;
	if (!call->route->any_host && !is_loopback_name(call->host)) {
		http_problem(answer, PROBLEM_WRONG_HOST,
			     "the Host header says \"%.*s\"; only 127.0.0.1, "
			     "[::1] and localhost are answered",
			     SHORT(call->host));
		return false;
	}
	if (!admit_method(call, answer))
		return false;
	return !bytes_equal(call->method, BYTES("POST")) ||
	       admit_post(call, answer);
}

enum http_verdict http_handle(const struct http_api *api,
			      struct http_call *call,
			      struct http_answer *answer,
			      struct request *request)
{
	enum http_verdict verdict;

	REQUIRE(call->route);
	verdict = call->route->serve(api, call, answer, request);
	if (verdict == HTTP_ANSWERED && buf_error(&answer->body) != OK)
		http_problem(answer, PROBLEM_NO_MEMORY,
			     "out of memory; try again, or ask for less");
	return verdict;
}
