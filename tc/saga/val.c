#include "tc/saga/val.h"

#include "tc/saga/number.h"

const struct val val_null = { .type = JSON_NULL };
const struct val val_true = { .type = JSON_BOOL, .truth = true };
const struct val val_false = { .type = JSON_BOOL };
const struct val val_empty = { .type = JSON_OBJECT };

/* ---- reading ---- */

static int text_of(struct arena *a, struct bytes quoted, struct bytes *out)
{
	struct buf b;
	int rc;

	buf_init(&b, &a->as_mem);
	json_get_text(&b, quoted);
	rc = buf_error(&b);
	*out = buf_bytes(&b); /* stays in the arena */
	return rc;
}

static size_t members(struct bytes json)
{
	struct bytes key, value;
	struct json_walk w;
	size_t n = 0;

	json_walk_init(&w, json);
	while (json_walk(&w, &key, &value))
		n++;
	return n;
}

static struct val *nest(struct arena *a, enum json_type type, size_t n)
{
	struct val *v = arena_alloc(a, sizeof *v);

	if (!v)
		return NULL;
	v->type = type;
	v->n = n;
	v->items = arena_array(a, n ? n : 1, sizeof *v->items);
	if (type == JSON_OBJECT)
		v->keys = arena_array(a, n ? n : 1, sizeof *v->keys);
	if (!v->items || (type == JSON_OBJECT && !v->keys))
		return NULL;
	for (size_t i = 0; i < n; i++)
		v->items[i] = &val_null;
	return v;
}

static int build(struct arena *a, struct bytes json, const struct val **out);

static int build_nest(struct arena *a, struct bytes json, enum json_type type,
		      const struct val **out)
{
	struct val *v = nest(a, type, members(json));
	struct bytes key, value;
	struct json_walk w;
	int rc = v ? OK : E_NOMEM;

	json_walk_init(&w, json);
	for (size_t i = 0; rc == OK && json_walk(&w, &key, &value); i++) {
		rc = build(a, value, &v->items[i]);
		if (rc == OK && type == JSON_OBJECT)
			rc = text_of(a, key, &v->keys[i]);
	}
	if (rc == OK)
		*out = v;
	return rc;
}

static struct bytes trimmed(struct bytes b)
{
	while (b.len > 0 && b.data[0] <= ' ') {
		b.data++;
		b.len--;
	}
	while (b.len > 0 && b.data[b.len - 1] <= ' ')
		b.len--;
	return b;
}

static int build_scalar(struct arena *a, struct bytes json, enum json_type type,
			const struct val **out)
{
	struct val *v = arena_alloc(a, sizeof *v);
	int rc = v ? OK : E_NOMEM;

	if (rc != OK)
		return rc;
	v->type = type;
	json = trimmed(json);
	if (type == JSON_BOOL)
		v->truth = json.data[0] == 't';
	else if (type == JSON_TEXT)
		rc = text_of(a, json, &v->text);
	else if (type == JSON_NUMBER)
		v->text = arena_bytes(a, json);
	if (type == JSON_NUMBER && !v->text.data)
		rc = E_NOMEM;
	if (rc == OK)
		*out = v;
	return rc;
}

/* Recursion is bounded: json_valid() knows a deepest nesting. */
static int build(struct arena *a, struct bytes json, const struct val **out)
{
	enum json_type type = json_type(json);

	if (type == JSON_OBJECT || type == JSON_ARRAY)
		return build_nest(a, json, type, out);
	return build_scalar(a, json, type, out);
}

int val_parse(struct arena *a, struct bytes json, const struct val **out)
{
	if (!json_valid(json))
		return E_INVALID;
	return build(a, json, out);
}

/* ---- writing ---- */

static void write_nest(const struct val *v, struct buf *out)
{
	bool object = v->type == JSON_OBJECT;

	buf_put_char(out, object ? '{' : '[');
	for (size_t i = 0; i < v->n; i++) {
		if (i > 0)
			buf_put_char(out, ',');
		if (object) {
			json_put_text(out, v->keys[i]);
			buf_put_char(out, ':');
		}
		val_write(v->items[i], out);
	}
	buf_put_char(out, object ? '}' : ']');
}

void val_write(const struct val *v, struct buf *out)
{
	switch (v->type) {
	case JSON_OBJECT:
	case JSON_ARRAY:
		write_nest(v, out);
		break;
	case JSON_TEXT:
		json_put_text(out, v->text);
		break;
	case JSON_NUMBER:
		buf_put(out, v->text);
		break;
	case JSON_BOOL:
		buf_put_text(out, v->truth ? "true" : "false");
		break;
	default:
		buf_put_text(out, "null");
		break;
	}
}

int val_print(const struct val *v, struct arena *a, struct bytes *out)
{
	struct buf b;
	int rc;

	buf_init(&b, &a->as_mem);
	val_write(v, &b);
	rc = buf_error(&b);
	if (rc == OK)
		*out = buf_bytes(&b);
	return rc;
}

/* ---- making ---- */

const struct val *val_text(struct arena *a, struct bytes text)
{
	struct val *v = arena_alloc(a, sizeof *v);

	if (!v)
		return NULL;
	v->type = JSON_TEXT;
	v->text = arena_bytes(a, text);
	return v->text.data ? v : NULL;
}

const struct val *val_number(struct arena *a, int64_t n)
{
	struct val *v = arena_alloc(a, sizeof *v);
	struct buf b;

	if (!v)
		return NULL;
	buf_init(&b, &a->as_mem);
	buf_printf(&b, "%lld", (long long)n);
	v->type = JSON_NUMBER;
	v->text = buf_bytes(&b);
	return buf_error(&b) == OK ? v : NULL;
}

const struct val *val_array(struct arena *a, size_t n)
{
	return nest(a, JSON_ARRAY, n);
}

/* ---- members ---- */

const struct val *val_find(const struct val *object, struct bytes key)
{
	if (object->type != JSON_OBJECT)
		return NULL;
	for (size_t i = object->n; i > 0; i--)
		if (bytes_equal(object->keys[i - 1], key))
			return object->items[i - 1];
	return NULL;
}

const struct val *val_member(const struct val *object, struct bytes key)
{
	const struct val *v = val_find(object, key);

	return v ? v : &val_null;
}

int val_set(struct arena *a, const struct val **object, struct bytes key,
	    const struct val *value)
{
	const struct val *old = *object;
	size_t n = old->type == JSON_OBJECT ? old->n : 0, at = 0;
	struct val *v;

	while (at < n && !bytes_equal(old->keys[at], key))
		at++;
	v = nest(a, JSON_OBJECT, at < n ? n : n + 1);
	if (!v)
		return E_NOMEM;
	if (n > 0) {
		memcpy(v->items, old->items, n * sizeof *v->items);
		memcpy(v->keys, old->keys, n * sizeof *v->keys);
	}
	v->items[at] = value;
	v->keys[at] = arena_bytes(a, key);
	if (!v->keys[at].data)
		return E_NOMEM;
	*object = v;
	return OK;
}

/* ---- equality ---- */

static bool numbers_equal(struct bytes a, struct bytes b)
{
	struct number x, y;

	if (bytes_equal(a, b))
		return true;
	return number_parse(a, &x) == OK && number_parse(b, &y) == OK &&
	       number_compare(x, y) == 0;
}

static bool objects_equal(const struct val *a, const struct val *b)
{
	for (size_t i = 0; i < a->n; i++) {
		const struct val *other = val_find(b, a->keys[i]);

		if (!other || !val_equal(a->items[i], other))
			return false;
	}
	for (size_t i = 0; i < b->n; i++)
		if (!val_find(a, b->keys[i]))
			return false;
	return true;
}

static bool arrays_equal(const struct val *a, const struct val *b)
{
	if (a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++)
		if (!val_equal(a->items[i], b->items[i]))
			return false;
	return true;
}

bool val_equal(const struct val *a, const struct val *b)
{
	if (a->type != b->type)
		return false;
	switch (a->type) {
	case JSON_OBJECT:
		return objects_equal(a, b);
	case JSON_ARRAY:
		return arrays_equal(a, b);
	case JSON_TEXT:
		return bytes_equal(a->text, b->text);
	case JSON_NUMBER:
		return numbers_equal(a->text, b->text);
	case JSON_BOOL:
		return a->truth == b->truth;
	default:
		return true;
	}
}
