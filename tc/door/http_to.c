#include "tc/door/http_to.h"

#include "tc/door/http_route.h"
#include "tc/door/participant.h"

/* ---- URLs ---- */

static bool check_url(const struct http_api *api, struct http_call *call,
		      struct http_answer *answer, const struct body_path *at,
		      const struct to_url *place)
{
	const char *why;
	struct url url;
	struct buf text;

	if (place->url.len == 0)
		return true;
	buf_init(&text, &call->arena->as_mem);
	if (url_parse(&url, place->url, &why) != OK) {
		buf_printf(&text, "a URL that can be called: %s", why);
		return body_refuse(call, answer, at, place->name,
				   buf_text(&text));
	}
	if (allow_list_url(api->port->allow_list, &url, &text) == OK)
		return true;
	if (buf_error(&text) != OK)
		(void)http_no_memory(answer);
	else
		body_problem(call, answer, PROBLEM_TARGET_DENIED, at,
			     place->name, buf_text(&text));
	return false;
}

static bool bad_participant(struct http_call *call, struct http_answer *answer,
			    const struct body_path *at, const char *name,
			    struct buf *why, int rc)
{
	struct buf text;

	if (rc == E_NOMEM || buf_error(why) != OK) {
		(void)http_no_memory(answer);
		return false;
	}
	buf_init(&text, &call->arena->as_mem);
	buf_printf(&text, "fit to call: %s", buf_text(why));
	return body_refuse(call, answer, at, name, buf_text(&text));
}

static bool read_headers(struct http_call *call, struct http_answer *answer,
			 const struct body_path *at, struct bytes headers,
			 struct participant *p)
{
	struct buf document, why;
	struct json j;
	int rc;

	*p = (struct participant){ .n_headers = 0 };
	if (headers.len == 0)
		return true;
	buf_init(&why, &call->arena->as_mem);
	buf_init(&document, &call->arena->as_mem);
	json_init(&j, &document);
	json_object(&j, NULL);
	json_raw(&j, "headers", headers);
	json_end(&j);
	rc = buf_error(&document);
	if (rc == OK)
		rc = participant_read(p, call->arena, buf_bytes(&document),
				      &why);
	return rc == OK ||
	       bad_participant(call, answer, at, "headers", &why, rc);
}

bool to_urls(const struct http_api *api, struct http_call *call,
	     struct http_answer *answer, const struct body_path *at,
	     const struct to *to, struct bytes *resource,
	     struct bytes *participant)
{
	struct buf origin, document, why;
	struct participant p;
	int rc;

	if (!check_url(api, call, answer, at, &to->commit) ||
	    !check_url(api, call, answer, at, &to->rollback) ||
	    !check_url(api, call, answer, at, &to->check) ||
	    !read_headers(call, answer, at, to->headers, &p))
		return false;
	p.commit = to->commit.url;
	p.rollback = to->rollback.url;
	p.check = to->check.url;
	buf_init(&why, &call->arena->as_mem);
	rc = participant_check(&p, &why);
	if (rc != OK)
		return bad_participant(call, answer, at, NULL, &why, rc);
	buf_init(&origin, &call->arena->as_mem);
	buf_init(&document, &call->arena->as_mem);
	rc = participant_origin(&origin, &p);
	REQUIRE(rc == OK || rc == E_NOTFOUND);
	participant_put(&document, &p);
	*resource = buf_bytes(&origin);
	*participant = buf_bytes(&document);
	if (buf_error(&origin) == OK && buf_error(&document) == OK)
		return true;
	(void)http_no_memory(answer);
	return false;
}

bool to_any(const struct http_api *api, struct http_call *call,
	    struct http_answer *answer, const struct body_path *at,
	    struct to *to, struct to_url *place, struct bytes name,
	    struct bytes *resource, struct bytes *participant)
{
	if (url_is_http(name)) {
		place->url = name;
		return to_urls(api, call, answer, at, to, resource,
			       participant);
	}
	if (to->headers.len > 0)
		return body_refuse(call, answer, at, "headers",
				   "left out: only what is called by URL has "
				   "headers");
	if (memmem(name.data, name.len, "://", 3))
		return body_refuse(call, answer, at, place->name,
				   "a URL with http or https, or the name of "
				   "a resource");
	*resource = name;
	return true;
}

/* ---- deliveries ---- */

#define SCHEDULE_MAX 100 /* attempts */

const struct field delivery_members[] = {
	FIELD(struct delivery, to, FIELD_TEXT, false, URL_LEN_MAX),
	FIELD(struct delivery, topic, FIELD_TEXT, false, TEXT_MAX),
	FIELD(struct delivery, data, FIELD_ANY, false, 0),
	FIELD(struct delivery, headers, FIELD_OBJECT, false, 0),
	FIELD(struct delivery, deliver_after_ms, FIELD_NUMBER, false, SPAN_MAX),
	FIELD(struct delivery, timeout_ms, FIELD_NUMBER, false, SPAN_MAX),
	FIELD(struct delivery, schedule_ms, FIELD_LIST, false, SCHEDULE_MAX),
};
const size_t delivery_n_members = ARRAY_LEN(delivery_members);

static bool read_schedule(struct http_call *call, struct http_answer *answer,
			  const struct body_path *at, struct bytes list,
			  struct request *request)
{
	struct bytes *items;
	uint64_t *spans;
	size_t n;

	if (list.len == 0)
		return true;
	items = body_items(call, answer, list, &n);
	spans = items ? arena_array(call->arena, n + 1, sizeof *spans) : NULL;
	if (!spans) {
		(void)http_no_memory(answer);
		return false;
	}
	for (size_t i = 0; i < n; i++)
		if (!http_number(items[i], SPAN_MAX, &spans[i]))
			return body_refuse(call, answer, at, "schedule_ms",
					   "a list of whole numbers, the "
					   "milliseconds before each further "
					   "attempt");
	request->schedule_ms = spans;
	request->n_schedule = n;
	return true;
}

static bool begins_with_msg(struct bytes name)
{
	return name.len > 4 && memcmp(name.data, "msg:", 4) == 0;
}

bool delivery_request(const struct http_api *api, struct http_call *call,
		      struct http_answer *answer, const struct body_path *at,
		      const struct delivery *d, struct request *request)
{
	struct to to = { .commit = { .name = "to" }, .headers = d->headers };

	*request = (struct request){
		.type = RQ_REGISTER,
		.mode = MODE_MSG,
		.application_data = d->data,
		.deliver_after_ms = d->deliver_after_ms,
		.call_timeout_ms = d->timeout_ms,
	};
	if ((d->to.len > 0) == (d->topic.len > 0))
		return body_refuse(call, answer, at, "to",
				   "given, or \"topic\" in its place");
	if (d->to.len > 0 && !url_is_http(d->to) && !begins_with_msg(d->to))
		return body_refuse(call, answer, at, "to",
				   "a URL, or \"msg:NAME\" for what an agent "
				   "consumes");
	if (!read_schedule(call, answer, at, d->schedule_ms, request))
		return false;
	if (d->to.len > 0)
		return to_any(api, call, answer, at, &to, &to.commit, d->to,
			      &request->resource, &request->participant);
	if (d->headers.len > 0)
		return body_refuse(call, answer, at, "headers",
				   "left out: each subscriber of a topic has "
				   "its own");
	request->topic = true;
	request->resource = d->topic;
	return true;
}
