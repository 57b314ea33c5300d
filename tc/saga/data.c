#include "tc/saga/run.h"

static int set_number(struct run *r, const struct val **root, struct bytes key,
		      size_t n)
{
	const struct val *v = val_number(r->a, (int64_t)n);

	return v ? val_set(r->a, root, key, v) : E_NOMEM;
}

/* An element of a loop sees itself and its number. */
static int add_element(struct run *r, const struct task *t,
		       const struct val **root)
{
	const struct loop *loop = task_def(r, t)->loop;
	const struct task *all = r->tasks[t->loop];
	const struct val *list;
	int rc = val_parse(r->a, all->output, &list);

	if (rc != OK || !loop || t->index >= list->n)
		return rc == E_NOMEM ? rc : E_CORRUPT;
	if (loop->element.len > 0)
		rc = val_set(r->a, root, loop->element, list->items[t->index]);
	if (rc == OK && loop->index.len > 0)
		rc = set_number(r, root, loop->index, t->index);
	return rc;
}

int data_scope(struct run *r, const struct frame *f, const struct task *t,
	       struct expr_scope *out)
{
	const struct task *element = t;

	*out = (struct expr_scope){ .root = f->data };
	if (t && t->of != NONE)
		element = r->tasks[t->of];
	if (!element || element->loop == NONE)
		return OK;
	return add_element(r, element, &out->root);
}

/* ---- expressions ---- */

static int explain(struct run *r, int rc, const struct expr_error *from,
		   struct failure *why)
{
	struct buf b;

	if (rc != E_INVALID)
		return rc;
	buf_init(&b, &r->a->as_mem);
	buf_printf(&b, "at %zu of the expression: %s", from->at, from->what);
	if (buf_error(&b) != OK)
		return E_NOMEM;
	why->error = BYTES("expression");
	why->message = buf_bytes(&b);
	return E_INVALID;
}

int data_eval(struct run *r, const struct expr *e,
	      const struct expr_scope *scope, const struct val **out,
	      struct failure *why)
{
	struct expr_error from;
	int rc = expr_eval(e, scope, r->a, out, &from);

	return explain(r, rc, &from, why);
}

int data_test(struct run *r, const struct expr *e,
	      const struct expr_scope *scope, bool *out, struct failure *why)
{
	struct expr_error from;
	int rc = expr_test(e, scope, r->a, out, &from);

	return explain(r, rc, &from, why);
}

static int nest(struct run *r, const struct form *form,
		const struct expr_scope *scope, const struct val **out,
		struct failure *why)
{
	struct val *v = arena_alloc(r->a, sizeof *v);
	int rc = OK;

	if (!v)
		return E_NOMEM;
	v->type = form->object ? JSON_OBJECT : JSON_ARRAY;
	v->n = form->n;
	v->items = arena_array(r->a, form->n ? form->n : 1, sizeof *v->items);
	v->keys = arena_array(r->a, form->n ? form->n : 1, sizeof *v->keys);
	if (!v->items || !v->keys)
		return E_NOMEM;
	for (size_t i = 0; rc == OK && i < form->n; i++) {
		if (form->object)
			v->keys[i] = form->keys[i];
		rc = data_form(r, form->items[i], scope, &v->items[i], why);
	}
	*out = v;
	return rc;
}

int data_form(struct run *r, const struct form *form,
	      const struct expr_scope *scope, const struct val **out,
	      struct failure *why)
{
	if (form->value) {
		*out = form->value;
		return OK;
	}
	if (form->expr)
		return data_eval(r, form->expr, scope, out, why);
	return nest(r, form, scope, out, why);
}

/* ---- what is kept ---- */

/* Too deep is too much as well: it could not be read back. */
int data_print(struct run *r, const struct val *v, struct bytes *out,
	       struct failure *why)
{
	struct buf b;

	buf_init(&b, &r->a->as_mem);
	b.limit = r->limits->data_max;
	val_write(v, &b);
	if (buf_error(&b) == E_NOMEM)
		return E_NOMEM;
	if (buf_error(&b) != OK || !json_valid(buf_bytes(&b))) {
		why->error = BYTES("limit");
		why->message = BYTES("more data, or more deeply nested, than "
				     "a saga may keep");
		return E_INVALID;
	}
	*out = buf_bytes(&b);
	return OK;
}

int data_assign(struct run *r, struct frame *f, const struct val *values,
		struct failure *why)
{
	const struct val *data = f->data;
	struct bytes text;
	int rc = OK;

	for (size_t i = 0; rc == OK && i < values->n; i++)
		rc = val_set(r->a, &data, values->keys[i], values->items[i]);
	if (rc == OK)
		rc = data_print(r, data, &text, why);
	if (rc == OK)
		f->data = data;
	return rc;
}

int data_copy(struct run *r, struct failure from, struct failure *out)
{
	out->error = arena_bytes(r->a, from.error);
	out->message = arena_bytes(r->a, from.message);
	return out->error.data && out->message.data ? OK : E_NOMEM;
}
