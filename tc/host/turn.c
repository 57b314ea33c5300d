#include "tc/host/turn.h"

static void list_setup(struct effect_list *l, const struct mem *mem)
{
	*l = (struct effect_list){ .mem = mem };
	arena_init(&l->arena, mem, 65536);
}

static void list_free(struct effect_list *l)
{
	arena_fini(&l->arena);
	mem_free(l->mem, l->items);
}

static void list_reset(struct effect_list *l)
{
	arena_reset(&l->arena);
	l->n = 0;
}

void turn_init(struct turn *t, const struct mem *mem)
{
	*t = (struct turn){ 0 };
	list_setup(&t->rows, mem);
	list_setup(&t->out, mem);
}

void turn_fini(struct turn *t)
{
	list_free(&t->rows);
	list_free(&t->out);
}

static struct effect *grow(struct effect_list *l)
{
	size_t cap = l->cap ? l->cap * 2 : 64;
	struct effect *items;

	if (l->n < l->cap)
		return &l->items[l->n++];
	items = mem_array(l->mem, cap, sizeof *items);
	if (!items)
		return NULL;
	if (l->n > 0)
		memcpy(items, l->items, l->n * sizeof *items);
	mem_free(l->mem, l->items);
	l->items = items;
	l->cap = cap;
	return &l->items[l->n++];
}

static bool own(struct arena *a, struct bytes *b)
{
	if (b->len == 0) {
		*b = (struct bytes){ 0 };
		return true;
	}
	*b = arena_bytes(a, *b);
	return b->data != NULL;
}

static bool own_reply(struct arena *a, struct reply *r)
{
	return own(a, &r->xid) && own(a, &r->holder) && own(a, &r->key) &&
	       own(a, &r->text) && own(a, &r->detail) && own(a, &r->name) &&
	       own(a, &r->version) && own(a, &r->change);
}

static bool own_command(struct arena *a, struct command *c)
{
	return own(a, &c->xid) && own(a, &c->resource) &&
	       own(a, &c->application_data) && own(a, &c->values) &&
	       own(a, &c->participant) && own(a, &c->service) &&
	       own(a, &c->method);
}

static bool own_effect(struct arena *a, struct effect *fx)
{
	switch (fx->type) {
	case FX_PUT:
	case FX_DELETE:
		return own(a, &fx->row.name) && own(a, &fx->row.body);
	case FX_HISTORY:
		return own(a, &fx->history.text);
	case FX_ARCHIVE:
		return own(a, &fx->archive.name) &&
		       own(a, &fx->archive.application) &&
		       own(a, &fx->archive.detail);
	case FX_AUDIT:
		return own(a, &fx->audit.actor) && own(a, &fx->audit.action) &&
		       own(a, &fx->audit.xid) && own(a, &fx->audit.reason) &&
		       own(a, &fx->audit.detail);
	case FX_REPLY:
		return own_reply(a, &fx->reply);
	case FX_COMMAND:
		return own_command(a, &fx->command);
	}
	return true;
}

static bool goes_out(const struct effect *fx)
{
	return fx->type == FX_REPLY || fx->type == FX_COMMAND;
}

static int add(struct effect_list *l, const struct effect *fx)
{
	struct effect *copy = grow(l);

	if (!copy)
		return E_NOMEM;
	*copy = *fx;
	return own_effect(&l->arena, copy) ? OK : E_NOMEM;
}

int turn_add(struct turn *t, const struct effects *fx, uint64_t now_ms)
{
	for (size_t i = 0; i < fx->n; i++) {
		const struct effect *e = &fx->items[i];
		int rc;

		if (!goes_out(e) && t->rows.n == 0)
			t->oldest_ms = now_ms;
		rc = add(goes_out(e) ? &t->out : &t->rows, e);
		if (rc != OK)
			return rc;
	}
	if (fx->seq != 0)
		t->seq = fx->seq;
	t->forced = t->forced || fx->forced;
	return OK;
}

int turn_reply(struct turn *t, const struct reply *reply)
{
	struct effect fx = { .type = FX_REPLY, .reply = *reply };

	return add(&t->out, &fx);
}

void turn_stored(struct turn *t)
{
	list_reset(&t->rows);
	t->forced = false;
}

void turn_sent(struct turn *t)
{
	list_reset(&t->out);
}
