#include "tc/door/http_service.h"

#include "tc/door/http_route.h"

/* The members that name a service: of Seata's state language, and of a graph's
 * steps. */
static bool names_service(struct bytes member)
{
	return bytes_equal(member, BYTES("ServiceName")) ||
	       bytes_equal(member, BYTES("action")) ||
	       bytes_equal(member, BYTES("compensation"));
}

/* What a text says, in the arena; no bytes if memory ran out. */
static struct bytes said(struct http_call *call, struct bytes text)
{
	struct buf b;

	buf_init(&b, &call->arena->as_mem);
	json_get_text(&b, text);
	buf_put_char(&b, '\0');
	if (buf_error(&b) != OK)
		return (struct bytes){ 0 };
	return (struct bytes){ b.data, b.len - 1 };
}

/* "/method" of this state, if it has one. */
static void put_method(struct http_call *call, struct buf *out,
		       struct bytes state)
{
	struct bytes key, value;
	struct json_walk walk;

	json_walk_init(&walk, state);
	while (json_walk(&walk, &key, &value)) {
		if (json_type(value) != JSON_TEXT ||
		    !bytes_equal(said(call, key), BYTES("ServiceMethod")))
			continue;
		buf_put_char(out, '/');
		buf_put(out, said(call, value));
	}
}

static bool check(const struct http_api *api, struct http_call *call,
		  struct http_answer *answer, const struct body_path *at,
		  struct bytes state, struct bytes service)
{
	const char *wrong;
	struct buf text, why;
	struct url url;

	if (!url_is_http(service))
		return true;
	buf_init(&text, &call->arena->as_mem);
	buf_init(&why, &call->arena->as_mem);
	buf_put(&text, service);
	if (at->name && strcmp(at->name, "ServiceName") == 0)
		put_method(call, &text, state);
	if (buf_error(&text) != OK) {
		(void)http_no_memory(answer);
		return false;
	}
	if (url_parse(&url, buf_bytes(&text), &wrong) != OK) {
		buf_printf(&why, "a URL that can be called: %s", wrong);
		return body_refuse(call, answer, at, NULL, buf_text(&why));
	}
	if (allow_list_url(api->port->allow_list, &url, &why) == OK)
		return true;
	body_problem(call, answer, PROBLEM_TARGET_DENIED, at, NULL,
		     buf_text(&why));
	return false;
}

bool services_allowed(const struct http_api *api, struct http_call *call,
		      struct http_answer *answer, const struct body_path *at,
		      struct bytes document)
{
	struct bytes key, value;
	struct json_walk walk;
	size_t index = 0;

	json_walk_init(&walk, document);
	while (json_walk(&walk, &key, &value)) {
		struct body_path here = { at, NULL, index++ };
		struct bytes name = { 0 };

		if (key.len > 0) {
			name = said(call, key);
			here.name = (const char *)name.data;
			if (!here.name) {
				(void)http_no_memory(answer);
				return false;
			}
		}
		if (json_type(value) != JSON_TEXT) {
			/* As deep as json_valid() lets it be. */
			if (!services_allowed(api, call, answer, &here, value))
				return false;
		} else if (names_service(name) &&
			   !check(api, call, answer, &here, document,
				  said(call, value))) {
			return false;
		}
	}
	return true;
}
