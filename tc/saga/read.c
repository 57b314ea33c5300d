#include "tc/saga/def.h"

#include "tc/saga/number.h"

/* ---- errors ---- */

static void put_path(struct buf *b, const struct path *at)
{
	if (!at) {
		buf_put_char(b, '$');
		return;
	}
	put_path(b, at->up);
	if (at->key.len > 0) {
		buf_put_char(b, '.');
		buf_put(b, at->key);
	} else {
		buf_printf(b, "[%zu]", at->index);
	}
}

void reading_fail(struct reading *r, const struct path *at, const char *fmt,
		  ...)
{
	va_list args;

	if (r->rc != OK)
		return;
	r->rc = E_INVALID;
	put_path(r->why, at);
	buf_put_text(r->why, ": ");
	va_start(args, fmt);
	buf_vprintf(r->why, fmt, args);
	va_end(args);
}

void *reading_array(struct reading *r, size_t n, size_t size)
{
	void *p = arena_array(r->a, n ? n : 1, size);

	if (!p && r->rc == OK)
		r->rc = E_NOMEM;
	return p;
}

/* ---- members ---- */

static bool is_known(struct bytes key, const char *const known[])
{
	for (size_t i = 0; known[i]; i++)
		if (bytes_equal(key, bytes_of(known[i])))
			return true;
	return false;
}

bool read_keys(struct reading *r, const struct path *at, const struct val *v,
	       const char *const known[])
{
	if (v->type != JSON_OBJECT) {
		reading_fail(r, at, "an object is expected here");
		return false;
	}
	for (size_t i = 0; i < v->n; i++) {
		struct path here = { at, v->keys[i], 0 };

		if (!is_known(v->keys[i], known))
			reading_fail(r, &here, "this key is not known");
		for (size_t k = 0; k < i; k++)
			if (bytes_equal(v->keys[k], v->keys[i]))
				reading_fail(r, &here, "this key stands twice");
	}
	return r->rc == OK;
}

const struct val *read_member(struct reading *r, const struct path *at,
			      const struct val *v, const char *key,
			      enum json_type type, bool must)
{
	static const char *const names[] = { "an object", "an array",  "a text",
					     "a number",  "a boolean", "null" };
	struct path here = { at, bytes_of(key), 0 };
	const struct val *found = val_find(v, here.key);

	if (!found && must)
		reading_fail(r, &here, "this key is missing");
	if (found && found->type != type) {
		reading_fail(r, &here, "this must be %s", names[type]);
		return NULL;
	}
	return found;
}

static struct bytes read_short(struct reading *r, const struct path *at,
			       const struct val *v, const char *key, bool must,
			       size_t max)
{
	struct path here = { at, bytes_of(key), 0 };
	const struct val *name = read_member(r, at, v, key, JSON_TEXT, must);

	if (!name)
		return (struct bytes){ 0 };
	if (must && name->text.len == 0)
		reading_fail(r, &here, "this must not be empty");
	if (name->text.len > max)
		reading_fail(r, &here, "this is longer than %zu bytes", max);
	return name->text;
}

struct bytes read_name(struct reading *r, const struct path *at,
		       const struct val *v, const char *key, bool must)
{
	return read_short(r, at, v, key, must, 255);
}

struct bytes read_service(struct reading *r, const struct path *at,
			  const struct val *v, const char *key, bool must)
{
	return read_short(r, at, v, key, must, 2048);
}

bool read_flag(struct reading *r, const struct path *at, const struct val *v,
	       const char *key, bool missing)
{
	const struct val *flag = read_member(r, at, v, key, JSON_BOOL, false);

	return flag ? flag->truth : missing;
}

uint64_t read_number(struct reading *r, const struct path *at,
		     const struct val *v, const char *key, uint32_t by,
		     uint64_t missing)
{
	const struct val *n = read_member(r, at, v, key, JSON_NUMBER, false);
	struct path here = { at, bytes_of(key), 0 };
	struct number number;
	uint64_t out;

	if (!n)
		return missing;
	if (number_parse(n->text, &number) != OK ||
	    number_scale(number, by, &out) != OK || out > UINT32_MAX) {
		reading_fail(r, &here, "this number is out of range");
		return missing;
	}
	if (by == 1 && number.den != 1)
		reading_fail(r, &here, "this must be an integer");
	return out;
}

uint32_t def_find(const struct saga_def *def, struct bytes name)
{
	for (uint32_t i = 0; i < def->n_states; i++)
		if (bytes_equal(def->states[i].name, name))
			return i;
	return NO_STATE;
}

uint32_t read_state(struct reading *r, const struct path *at,
		    const struct val *v, const char *key, bool must)
{
	const struct val *name = read_member(r, at, v, key, JSON_TEXT, must);
	struct path here = { at, bytes_of(key), 0 };
	uint32_t s;

	if (!name)
		return NO_STATE;
	s = def_find(r->def, name->text);
	if (s == NO_STATE)
		reading_fail(r, &here, "no state is called '%.*s'",
			     (int)name->text.len,
			     (const char *)name->text.data);
	return s;
}

/* ---- expressions ---- */

const struct expr *read_expr(struct reading *r, const struct path *at,
			     struct bytes source)
{
	const struct expr *e = NULL;
	struct expr_error why;
	size_t skipped = 0;
	int rc;

	if (r->rc != OK)
		return NULL;
	if (source.len >= 2 && memcmp(source.data, "$.", 2) == 0) {
		skipped = 2;
		source.data += 2;
		source.len -= 2;
	}
	rc = expr_compile(r->a, source, &e, &why);
	if (rc == E_INVALID)
		reading_fail(r, at, "at %zu: %s", why.at + skipped, why.what);
	else
		r->rc = rc;
	return e;
}

const struct expr *read_condition(struct reading *r, const struct path *at,
				  const struct val *v, const char *key,
				  bool must)
{
	const struct val *text = read_member(r, at, v, key, JSON_TEXT, must);
	struct path here = { at, bytes_of(key), 0 };

	return text ? read_expr(r, &here, text->text) : NULL;
}

/* ---- forms ---- */

static const struct form *form_of(struct reading *r, const struct path *at,
				  const struct val *v);

static void fill_nest(struct reading *r, const struct path *at,
		      const struct val *v, struct form *f)
{
	f->object = v->type == JSON_OBJECT;
	f->n = v->n;
	f->keys = v->keys;
	f->items = reading_array(r, v->n, sizeof *f->items);
	for (size_t i = 0; r->rc == OK && i < v->n; i++) {
		struct path here = { at, { 0 }, i };

		if (f->object)
			here.key = v->keys[i];
		f->items[i] = form_of(r, &here, v->items[i]);
	}
}

static void fill_text(struct reading *r, const struct path *at,
		      const struct val *v, struct form *f)
{
	struct bytes t = v->text;
	struct val *plain;

	if (t.len == 0 || t.data[0] != '$') {
		f->value = v;
		return;
	}
	if (t.len > 1 && t.data[1] == '.') {
		f->expr = read_expr(r, at, t);
		return;
	}
	if (t.len < 2 || t.data[1] != '$') {
		reading_fail(r, at,
			     "a text that begins with $ is an "
			     "expression ($.…); write $$ for a $");
		return;
	}
	plain = reading_array(r, 1, sizeof *plain);
	if (!plain)
		return;
	*plain = *v;
	plain->text = (struct bytes){ t.data + 1, t.len - 1 };
	f->value = plain;
}

static const struct form *form_of(struct reading *r, const struct path *at,
				  const struct val *v)
{
	struct form *f = reading_array(r, 1, sizeof *f);

	if (!f || r->rc != OK)
		return NULL;
	if (v->type == JSON_OBJECT || v->type == JSON_ARRAY)
		fill_nest(r, at, v, f);
	else if (v->type == JSON_TEXT)
		fill_text(r, at, v, f);
	else
		f->value = v;
	return f;
}

const struct form *read_form(struct reading *r, const struct path *at,
			     const struct val *v, const char *key)
{
	struct path here = { at, bytes_of(key), 0 };
	const struct val *found = val_find(v, here.key);

	return found ? form_of(r, &here, found) : NULL;
}
