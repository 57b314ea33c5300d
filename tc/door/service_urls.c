#include "tc/door/service_urls.h"

struct looking {
	const struct allow_list *list;
	struct arena *arena;
	struct service_at *at;
	struct buf *why;
};

/* What a text says, in the arena; .data is NULL if memory ran out. */
static struct bytes said(struct arena *arena, struct bytes text)
{
	struct buf b;

	buf_init(&b, &arena->as_mem);
	json_get_text(&b, text);
	buf_put_char(&b, '\0');
	if (buf_error(&b) != OK)
		return (struct bytes){ 0 };
	return (struct bytes){ b.data, b.len - 1 };
}

/* "/method" of this state, if it has one. */
static void put_method(struct looking *l, struct buf *out, struct bytes state)
{
	struct bytes key, value;
	struct json_walk walk;

	json_walk_init(&walk, state);
	while (json_walk(&walk, &key, &value)) {
		if (json_type(value) != JSON_TEXT ||
		    !bytes_equal(said(l->arena, key), BYTES("ServiceMethod")))
			continue;
		buf_put_char(out, '/');
		buf_put(out, said(l->arena, value));
	}
}

static int check(struct looking *l, struct bytes state, struct bytes service)
{
	const char *wrong;
	struct buf text;
	struct url url;

	buf_init(&text, &l->arena->as_mem);
	buf_put(&text, service);
	put_method(l, &text, state);
	if (!service.data || buf_error(&text) != OK)
		return E_NOMEM;
	if (!url_is_http(service))
		return OK;
	if (url_parse(&url, buf_bytes(&text), &wrong) == OK)
		return allow_list_url(l->list, &url, l->why);
	buf_printf(l->why, "a URL that can be called: %s", wrong);
	return E_INVALID;
}

/* A state, or a step of a graph: those of its members that name services. */
static int check_state(struct looking *l, struct bytes state)
{
	static const char *const names[] = { "ServiceName", "action",
					     "compensation" };
	struct bytes key, value;
	struct json_walk walk;
	int rc = OK;

	json_walk_init(&walk, state);
	while (rc == OK && json_walk(&walk, &key, &value)) {
		struct bytes name = said(l->arena, key);

		if (!name.data)
			return E_NOMEM;
		for (size_t i = 0; rc == OK && i < ARRAY_LEN(names); i++) {
			if (json_type(value) != JSON_TEXT ||
			    !bytes_equal(name, bytes_of(names[i])))
				continue;
			l->at->member = names[i];
			rc = check(l, state, said(l->arena, value));
		}
	}
	return rc;
}

/* The members of "States", or the items of "steps". */
static int check_states(struct looking *l, struct bytes states)
{
	struct bytes key, value;
	struct json_walk walk;
	size_t index = 0;
	int rc = OK;

	json_walk_init(&walk, states);
	while (rc == OK && json_walk(&walk, &key, &value)) {
		l->at->index = index++;
		l->at->state = (struct bytes){ 0 };
		if (key.len > 0) {
			l->at->state = said(l->arena, key);
			if (!l->at->state.data)
				return E_NOMEM;
		}
		if (json_type(value) == JSON_OBJECT)
			rc = check_state(l, value);
	}
	return rc;
}

int service_urls_check(const struct allow_list *list, struct arena *arena,
		       struct bytes document, struct service_at *at,
		       struct buf *why)
{
	static const char *const lists[] = { "States", "steps" };
	struct looking l = { list, arena, at, why };
	struct bytes key, value;
	struct json_walk walk;
	int rc = OK;

	if (!json_valid(document))
		return OK;
	json_walk_init(&walk, document);
	while (rc == OK && json_walk(&walk, &key, &value)) {
		struct bytes name = said(arena, key);

		if (!name.data)
			return E_NOMEM;
		for (size_t i = 0; rc == OK && i < ARRAY_LEN(lists); i++) {
			if (!bytes_equal(name, bytes_of(lists[i])))
				continue;
			at->list = lists[i];
			rc = check_states(&l, value);
		}
	}
	return rc;
}

void service_at_put(struct buf *out, const struct service_at *at)
{
	buf_printf(out, "$.%s", at->list);
	if (at->state.len > 0) {
		buf_put_char(out, '.');
		buf_put(out, at->state);
	} else {
		buf_printf(out, "[%zu]", at->index);
	}
	buf_printf(out, ".%s", at->member);
}
