#include "tc/door/http_body.h"

#include "tc/door/http_route.h"

#include <inttypes.h>

#define SHOWN_MAX 200 /* bytes of what somebody else named */

/* ---- naming what is wrong ---- */

static void put_path(struct buf *out, const struct body_path *at)
{
	if (!at)
		return;
	put_path(out, at->up);
	if (!at->name)
		buf_printf(out, "[%zu]", at->index);
	else
		buf_printf(out, "%s%s", out->len ? "." : "", at->name);
}

static void name_member(struct buf *out, const struct body_path *at,
			const char *name)
{
	put_path(out, at);
	if (name)
		buf_printf(out, "%s%s", out->len ? "." : "", name);
	if (out->len == 0)
		buf_put_text(out, "body");
}

void body_problem(struct http_call *call, struct http_answer *answer,
		  enum http_problem problem, const struct body_path *at,
		  const char *name, const char *detail)
{
	struct buf path;

	buf_init(&path, &call->arena->as_mem);
	name_member(&path, at, name);
	http_problem_at(answer, problem, buf_text(&path), "%s: %s",
			buf_text(&path), detail);
}

bool body_refuse(struct http_call *call, struct http_answer *answer,
		 const struct body_path *at, const char *name, const char *want)
{
	struct buf path;

	buf_init(&path, &call->arena->as_mem);
	name_member(&path, at, name);
	http_problem_at(answer, PROBLEM_BAD_JSON, buf_text(&path),
			"%s must be %s", buf_text(&path), want);
	return false;
}

static bool refuse_with(struct http_call *call, struct http_answer *answer,
			const struct body_path *at, const char *name,
			const struct buf *want)
{
	struct buf text = *want;

	return body_refuse(call, answer, at, name, buf_text(&text));
}

static bool no_memory(struct http_answer *answer)
{
	(void)http_no_memory(answer);
	return false;
}

/* ---- one member ---- */

/* Where a member goes, and what is said about it. */
struct place {
	struct http_call *call;
	struct http_answer *answer;
	const struct body_path *at;
	const struct field *field;
	void *out;
};

static bool wrong(const struct place *p, const char *want)
{
	return body_refuse(p->call, p->answer, p->at, p->field->name, want);
}

static bool take_text(const struct place *p, struct bytes value)
{
	struct bytes *to = p->out;
	struct buf text, want;

	buf_init(&want, &p->call->arena->as_mem);
	buf_printf(&want, "a text of %s%" PRIu64 " bytes",
		   p->field->needed ? "1 to " : "at most ", p->field->max);
	if (json_type(value) != JSON_TEXT)
		return refuse_with(p->call, p->answer, p->at, p->field->name,
				   &want);
	if (!json_text_whole(value))
		return wrong(p, "a text without \\u0000 and without half "
				"surrogate pairs");
	buf_init(&text, &p->call->arena->as_mem);
	json_get_text(&text, value);
	if (buf_error(&text) != OK)
		return no_memory(p->answer);
	if (text.len > p->field->max || (p->field->needed && text.len == 0))
		return refuse_with(p->call, p->answer, p->at, p->field->name,
				   &want);
	*to = buf_bytes(&text);
	if (!to->data) /* given, and empty */
		*to = BYTES("");
	return true;
}

static bool take_number(const struct place *p, struct bytes value)
{
	struct buf want;

	if (http_number(value, p->field->max, p->out))
		return true;
	buf_init(&want, &p->call->arena->as_mem);
	buf_printf(&want, "a whole number from 0 to %" PRIu64, p->field->max);
	return refuse_with(p->call, p->answer, p->at, p->field->name, &want);
}

static bool take_flag(const struct place *p, struct bytes value)
{
	bool *to = p->out;

	if (json_type(value) != JSON_BOOL)
		return wrong(p, "true or false");
	*to = bytes_equal(value, BYTES("true"));
	return true;
}

static size_t count_items(struct bytes list)
{
	struct bytes none, item;
	struct json_walk walk;
	size_t n = 0;

	json_walk_init(&walk, list);
	while (json_walk(&walk, &none, &item))
		n++;
	return n;
}

static bool take_list(const struct place *p, struct bytes value)
{
	struct buf want;
	size_t n = 0;

	if (json_type(value) == JSON_ARRAY) {
		n = count_items(value);
		if (n <= p->field->max && (n > 0 || !p->field->needed)) {
			*(struct bytes *)p->out = value;
			return true;
		}
	}
	buf_init(&want, &p->call->arena->as_mem);
	buf_printf(&want, "a list of %s%" PRIu64 " items",
		   p->field->needed ? "1 to " : "at most ", p->field->max);
	return refuse_with(p->call, p->answer, p->at, p->field->name, &want);
}

static bool take_value(const struct place *p, struct bytes value)
{
	switch (p->field->type) {
	case FIELD_TEXT:
		return take_text(p, value);
	case FIELD_NUMBER:
		return take_number(p, value);
	case FIELD_FLAG:
		return take_flag(p, value);
	case FIELD_LIST:
		return take_list(p, value);
	case FIELD_OBJECT:
		if (json_type(value) != JSON_OBJECT)
			return wrong(p, "an object");
		break;
	case FIELD_ANY:
		break;
	}
	*(struct bytes *)p->out = value;
	return true;
}

/* ---- one object ---- */

/* OK, E_NOTFOUND or E_NOMEM. */
static int find_field(struct http_call *call, struct bytes key,
		      const struct field *fields, size_t n, size_t *found)
{
	struct buf name;

	buf_init(&name, &call->arena->as_mem);
	json_get_text(&name, key);
	if (buf_error(&name) != OK)
		return E_NOMEM;
	for (size_t i = 0; i < n; i++) {
		*found = i;
		if (bytes_equal(buf_bytes(&name), bytes_of(fields[i].name)))
			return OK;
	}
	return E_NOTFOUND;
}

static bool unknown(struct http_call *call, struct http_answer *answer,
		    const struct body_path *at, struct bytes key,
		    const struct field *fields, size_t n)
{
	struct buf path, names;

	buf_init(&path, &call->arena->as_mem);
	buf_init(&names, &call->arena->as_mem);
	put_path(&path, at);
	if (path.len)
		buf_put_char(&path, '.');
	json_get_text(&path, key);
	if (path.len > SHOWN_MAX)
		path.len = SHOWN_MAX;
	for (size_t i = 0; i < n; i++)
		buf_printf(&names, "%s%s", i ? ", " : "", fields[i].name);
	http_problem_at(answer, PROBLEM_BAD_JSON, buf_text(&path),
			"%s is not known here; known are: %s", buf_text(&path),
			n ? buf_text(&names) : "none");
	return false;
}

static bool check_needed(struct http_call *call, struct http_answer *answer,
			 const struct body_path *at, const struct field *fields,
			 size_t n, const bool *seen)
{
	for (size_t i = 0; i < n; i++)
		if (fields[i].needed && !seen[i])
			return body_refuse(call, answer, at, fields[i].name,
					   "given");
	return true;
}

bool body_read_at(struct http_call *call, struct http_answer *answer,
		  const struct body_path *at, struct bytes object,
		  const struct field *fields, size_t n, void *out)
{
	bool seen[FIELDS_MAX] = { false }, given[FIELDS_MAX] = { false };
	struct bytes key, value;
	struct json_walk walk;

	REQUIRE(n <= FIELDS_MAX);
	if (json_type(object) != JSON_OBJECT)
		return body_refuse(call, answer, at, NULL, "a JSON object");
	json_walk_init(&walk, object);
	while (json_walk(&walk, &key, &value)) {
		struct place p = { call, answer, at, NULL, NULL };
		size_t i;
		int rc = find_field(call, key, fields, n, &i);

		if (rc == E_NOMEM)
			return no_memory(answer);
		if (rc != OK)
			return unknown(call, answer, at, key, fields, n);
		p.field = &fields[i];
		p.out = (char *)out + fields[i].at;
		if (seen[i])
			return wrong(&p, "given once only");
		seen[i] = true;
		if (json_type(value) == JSON_NULL)
			continue;
		if (!take_value(&p, value))
			return false;
		given[i] = true;
	}
	return check_needed(call, answer, at, fields, n, given);
}

bool body_read(struct http_call *call, struct http_answer *answer,
	       const struct field *fields, size_t n, void *out)
{
	struct bytes body = call->body.len ? call->body : BYTES("{}");

	if (!json_valid(body)) {
		http_problem(answer, PROBLEM_BAD_JSON,
			     "the body is not one JSON value in UTF-8 (nested "
			     "at most %d deep)",
			     JSON_DEPTH_MAX);
		return false;
	}
	return body_read_at(call, answer, NULL, body, fields, n, out);
}

/* ---- lists ---- */

struct bytes *body_items(struct http_call *call, struct http_answer *answer,
			 struct bytes list, size_t *n)
{
	struct json_walk walk;
	struct bytes none, *items;
	size_t at = 0;

	*n = count_items(list);
	items = arena_array(call->arena, *n + 1, sizeof *items);
	if (!items) {
		(void)no_memory(answer);
		return NULL;
	}
	json_walk_init(&walk, list);
	while (json_walk(&walk, &none, &items[at]))
		at++;
	return items;
}
