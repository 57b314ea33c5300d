#include "tc/door/http_api.h"

#include "base/xid.h"
#include "tc/door/http_files.h"

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
	answer->xid = call->xid;
	if (buf_error(&xid) == OK)
		return true;
	(void)http_no_memory(answer);
	return false;
}

/* ---- routes ---- */

static bool is_method(const struct http_call *call, const char *method)
{
	return bytes_equal(call->method, bytes_of(method)) ||
	       (bytes_equal(call->method, BYTES("HEAD")) &&
		strcmp(method, "GET") == 0);
}

static bool is_path(struct http_call *call, const struct http_route *route)
{
	memset(call->vars, 0, sizeof call->vars);
	return target_matches(&call->parsed, route->pattern, call->vars,
			      ARRAY_LEN(call->vars));
}

/* The route of this path; of this method, if there is one. */
static const struct http_route *find_route(struct http_call *call)
{
	const struct http_route *found = NULL;

	for (size_t i = 0; i < http_n_routes; i++) {
		if (!is_path(call, &http_routes[i]))
			continue;
		found = &http_routes[i];
		if (is_method(call, found->method))
			break;
	}
	if (!found && http_file_path(&call->parsed))
		found = &http_file_route;
	return found;
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

/* What changes something must not come from another page. */
static bool admit_origin(struct http_call *call, struct http_answer *answer)
{
	if (!is_cross_site(call))
		return true;
	http_problem(answer, PROBLEM_CROSS_SITE,
		     "a page of %.*s must not act here; use the "
		     "coordinator's own pages or the treaty command",
		     SHORT(call->origin));
	return false;
}

static bool admit_type(struct http_call *call, struct http_answer *answer)
{
	if (is_json(call->content_type))
		return true;
	http_problem(answer, PROBLEM_MEDIA_TYPE,
		     "send the body with Content-Type: application/json (also "
		     "an empty one)");
	return false;
}

static bool admit_change(struct http_call *call, struct http_answer *answer)
{
	if (is_method(call, "GET"))
		return true;
	if (!admit_origin(call, answer))
		return false;
	return !is_method(call, "POST") || admit_type(call, answer);
}

static bool admit_body(const struct http_api *api, struct http_call *call,
		       struct http_answer *answer)
{
	bool post = is_method(call, "POST");
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
		(void)http_no_memory(answer);
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

/* "GET, HEAD, POST": what this path knows. */
static const char *methods_here(struct http_call *call)
{
	struct buf text;

	buf_init(&text, &call->arena->as_mem);
	for (size_t i = 0; i < http_n_routes; i++) {
		const char *method = http_routes[i].method;

		if (is_path(call, &http_routes[i]))
			buf_printf(&text, "%s%s%s", text.len ? ", " : "",
				   method,
				   strcmp(method, "GET") == 0 ? ", HEAD" : "");
	}
	if (text.len == 0)
		buf_put_text(&text, "GET, HEAD"); /* the console's */
	return buf_text(&text);
}

static bool admit_method(struct http_call *call, struct http_answer *answer)
{
	const char *here;

	if (is_method(call, call->route->method))
		return true;
	here = methods_here(call);
	http_problem(answer, PROBLEM_METHOD, "%.*s is not possible here; %s is",
		     SHORT(call->method), here);
	answer->allow = here;
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
	return admit_method(call, answer) && admit_change(call, answer);
}

/* ---- serving ---- */

static enum http_verdict checked(enum http_verdict verdict,
				 struct http_answer *answer)
{
	if (verdict == HTTP_ANSWERED && buf_error(&answer->body) != OK)
		return http_no_memory(answer);
	return verdict;
}

enum http_verdict http_handle(const struct http_api *api,
			      struct http_call *call,
			      struct http_answer *answer,
			      struct request *request)
{
	REQUIRE(call->route);
	return checked(call->route->serve(api, call, answer, request), answer);
}

enum http_verdict http_reply(const struct http_api *api, struct http_call *call,
			     const struct reply *reply,
			     struct http_answer *answer,
			     struct request *request)
{
	http_reply_fn *said =
		call->route->reply ? call->route->reply : http_said;
	enum http_verdict verdict = said(api, call, reply, answer, request);

	if (verdict == HTTP_ANSWERED && buf_error(&answer->body) != OK)
		http_problem(answer, PROBLEM_OUTCOME_UNKNOWN,
			     "it was accepted, but memory for the answer ran "
			     "out; look at the transaction");
	return verdict;
}

void http_give_up(const struct http_call *call, struct http_answer *answer)
{
	answer->xid = call->xid;
	if (call->xid.len > 0)
		http_problem(answer, PROBLEM_OUTCOME_UNKNOWN,
			     "the coordinator took the request for %.*s but "
			     "has not confirmed it in time; look at the "
			     "transaction before asking again",
			     SHORT(call->xid));
	else
		http_problem(
			answer, PROBLEM_OUTCOME_UNKNOWN,
			"the coordinator took the request but has not "
			"confirmed it in time; what it began, if anything, "
			"is in the list");
}
