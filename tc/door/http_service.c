#include "tc/door/http_service.h"

#include "tc/door/http_route.h"

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
		  struct bytes state, const char *member, struct bytes service)
{
	const char *wrong;
	struct buf text, why;
	struct url url;

	buf_init(&text, &call->arena->as_mem);
	buf_init(&why, &call->arena->as_mem);
	buf_put(&text, service);
	put_method(call, &text, state);
	if (!service.data || buf_error(&text) != OK) {
		(void)http_no_memory(answer);
		return false;
	}
	if (!url_is_http(service))
		return true;
	if (url_parse(&url, buf_bytes(&text), &wrong) != OK) {
		buf_printf(&why, "a URL that can be called: %s", wrong);
		return body_refuse(call, answer, at, member, buf_text(&why));
	}
	if (allow_list_url(api->port->allow_list, &url, &why) == OK)
		return true;
	body_problem(call, answer, PROBLEM_TARGET_DENIED, at, member,
		     buf_text(&why));
	return false;
}

/* A state, or a step of a graph: those of its members that name services. */
static bool check_state(const struct http_api *api, struct http_call *call,
			struct http_answer *answer, const struct body_path *at,
			struct bytes state)
{
	static const char *const names[] = { "ServiceName", "action",
					     "compensation" };
	struct bytes key, value;
	struct json_walk walk;

	if (json_type(state) != JSON_OBJECT)
		return true; /* the core will say so */
	json_walk_init(&walk, state);
	while (json_walk(&walk, &key, &value)) {
		struct bytes name = said(call, key);

		if (!name.data) {
			(void)http_no_memory(answer);
			return false;
		}
		for (size_t i = 0; i < ARRAY_LEN(names); i++)
			if (json_type(value) == JSON_TEXT &&
			    bytes_equal(name, bytes_of(names[i])) &&
			    !check(api, call, answer, at, state, names[i],
				   said(call, value)))
				return false;
	}
	return true;
}

/* The members of "States", or the items of "steps". */
static bool check_states(const struct http_api *api, struct http_call *call,
			 struct http_answer *answer, const struct body_path *at,
			 struct bytes states)
{
	struct bytes key, value;
	struct json_walk walk;
	size_t index = 0;

	json_walk_init(&walk, states);
	while (json_walk(&walk, &key, &value)) {
		struct body_path here = { at, NULL, index++ };

		if (key.len > 0)
			here.name = (const char *)said(call, key).data;
		if (!check_state(api, call, answer, &here, value))
			return false;
	}
	return true;
}

bool services_allowed(const struct http_api *api, struct http_call *call,
		      struct http_answer *answer, const struct body_path *at,
		      struct bytes document)
{
	struct bytes key, value;
	struct json_walk walk;

	json_walk_init(&walk, document);
	while (json_walk(&walk, &key, &value)) {
		struct body_path here = { at, NULL, 0 };
		struct bytes name = said(call, key);

		if (bytes_equal(name, BYTES("States")))
			here.name = "States";
		else if (bytes_equal(name, BYTES("steps")))
			here.name = "steps";
		if (!name.data) {
			(void)http_no_memory(answer);
			return false;
		}
		if (here.name && !check_states(api, call, answer, &here, value))
			return false;
	}
	return true;
}
