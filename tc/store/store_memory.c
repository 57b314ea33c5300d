#include "tc/store/store_memory.h"

#include "base/hash.h"
#include "base/list.h"
#include "base/map.h"
#include "tc/store/store_impl.h"

/*
 * Rows live on a map. A batch that is not durable leaves on `undo` what takes
 * it back, newest first; a durable one forgets all of that.
 */

struct kept_row {
	struct map_node node;
	struct row row; /* .name and .body point behind the struct */
	uint64_t checksum;
};

/* What was there before one row operation; .before NULL: nothing was. */
struct undo {
	struct list link;
	uint64_t batch;
	enum row_table table;
	uint64_t id;
	struct kept_row *before;
};

struct line {
	struct list link;
	struct history history;
};

struct finished {
	struct list link;
	struct archive archive;
};

struct written {
	struct list link;
	struct audit audit;
};

struct store_memory {
	struct store base;
	struct map rows;
	struct list undo; /* head is the newest */
	struct list lines;
	struct list archive; /* head is the newest */
	struct list audits;  /* the same */
	uint64_t n_audits;
	uint64_t epoch;
	uint64_t batch;
	uint64_t batch_durable;
	enum store_fault fault;
	uint64_t fault_in;
	bool loaded;
};

static struct store_memory *self(struct store *s)
{
	return CONTAINER_OF(s, struct store_memory, base);
}

/* ---- rows ---- */

static uint64_t hash_row(enum row_table table, uint64_t id)
{
	return hash_u64((uint64_t)table, id);
}

static struct kept_row *row_find(const struct store_memory *s,
				 enum row_table table, uint64_t id)
{
	struct map_node *n = map_find(&s->rows, hash_row(table, id));

	for (; n; n = map_find_next(n)) {
		struct kept_row *k = CONTAINER_OF(n, struct kept_row, node);

		if (k->row.table == table && k->row.id == id)
			return k;
	}
	return NULL;
}

static struct bytes copy_at(uint8_t *at, struct bytes b)
{
	if (b.len > 0)
		memcpy(at, b.data, b.len);
	return (struct bytes){ at, b.len };
}

static struct kept_row *row_copy(const struct mem *mem, const struct row *row)
{
	struct kept_row *k =
		mem_alloc(mem, sizeof *k + row->name.len + row->body.len);
	uint8_t *tail = (uint8_t *)(k + 1);

	if (!k)
		return NULL;
	k->row = *row;
	k->row.name = copy_at(tail, row->name);
	k->row.body = copy_at(tail + row->name.len, row->body);
	k->checksum = row_checksum(&k->row);
	return k;
}

/* ---- undo ---- */

static void undo_forget(struct store_memory *s)
{
	LIST_EACH(l, &s->undo) {
		struct undo *u = CONTAINER_OF(l, struct undo, link);

		list_remove(l);
		mem_free(s->base.mem, u->before);
		mem_free(s->base.mem, u);
	}
}

/* Take back every operation of batches above `batch`. */
static void undo_to(struct store_memory *s, uint64_t batch)
{
	LIST_EACH(l, &s->undo) {
		struct undo *u = CONTAINER_OF(l, struct undo, link);
		struct kept_row *now = row_find(s, u->table, u->id);

		if (u->batch <= batch)
			return;
		if (now) {
			map_remove(&s->rows, &now->node);
			mem_free(s->base.mem, now);
		}
		if (u->before)
			map_insert(&s->rows, &u->before->node,
				   hash_row(u->table, u->id));
		list_remove(l);
		mem_free(s->base.mem, u);
	}
}

/* Put `fresh` (NULL: nothing) in the place of a row; the old one goes onto
 * the undo list. */
static int replace(struct store_memory *s, const struct row *row,
		   struct kept_row *fresh)
{
	struct undo *u = mem_alloc(s->base.mem, sizeof *u);

	if (!u) {
		mem_free(s->base.mem, fresh);
		return E_NOMEM;
	}
	u->batch = s->batch + 1;
	u->table = row->table;
	u->id = row->id;
	u->before = row_find(s, row->table, row->id);
	list_init(&u->link);
	list_append(s->undo.next, &u->link); /* before the first: newest */
	if (u->before)
		map_remove(&s->rows, &u->before->node);
	if (fresh)
		map_insert(&s->rows, &fresh->node,
			   hash_row(row->table, row->id));
	return OK;
}

/* ---- apply ---- */

static int put_row(struct store_memory *s, const struct row *row)
{
	struct kept_row *k = row_copy(s->base.mem, row);

	return k ? replace(s, row, k) : E_NOMEM;
}

static int put_history(struct store_memory *s, const struct history *h)
{
	struct line *l = mem_alloc(s->base.mem, sizeof *l + h->text.len);

	if (!l)
		return E_NOMEM;
	l->history = *h;
	l->history.text = copy_at((uint8_t *)(l + 1), h->text);
	list_init(&l->link);
	list_append(&s->lines, &l->link);
	return OK;
}

static struct finished *archive_find(struct store_memory *s, uint64_t gtx)
{
	LIST_EACH(l, &s->archive) {
		struct finished *f = CONTAINER_OF(l, struct finished, link);

		if (f->archive.gtx == gtx)
			return f;
	}
	return NULL;
}

static void put_sorted(struct store_memory *s, struct finished *f)
{
	struct list *place = &s->archive;

	LIST_EACH(l, &s->archive) {
		if (CONTAINER_OF(l, struct finished, link)->archive.gtx <
		    f->archive.gtx) {
			place = l;
			break;
		}
	}
	list_init(&f->link);
	list_append(place, &f->link);
}

static int put_archive(struct store_memory *s, const struct archive *a)
{
	struct finished *old = archive_find(s, a->gtx);
	size_t len = a->name.len + a->application.len + a->detail.len;
	struct finished *f = mem_alloc(s->base.mem, sizeof *f + len);
	uint8_t *tail = (uint8_t *)(f + 1);

	if (!f)
		return E_NOMEM;
	f->archive = *a;
	f->archive.name = copy_at(tail, a->name);
	f->archive.application = copy_at(tail + a->name.len, a->application);
	f->archive.detail =
		copy_at(tail + a->name.len + a->application.len, a->detail);
	if (old) {
		list_remove(&old->link);
		mem_free(s->base.mem, old);
	}
	put_sorted(s, f);
	return OK;
}

static int put_audit(struct store_memory *s, const struct audit *a)
{
	size_t len = a->actor.len + a->action.len + a->xid.len + a->reason.len +
		     a->detail.len;
	struct written *w = mem_alloc(s->base.mem, sizeof *w + len);
	uint8_t *tail = (uint8_t *)(w + 1);

	if (!w)
		return E_NOMEM;
	w->audit = *a;
	w->audit.id = ++s->n_audits;
	w->audit.actor = copy_at(tail, a->actor);
	w->audit.action = copy_at(tail += a->actor.len, a->action);
	w->audit.xid = copy_at(tail += a->action.len, a->xid);
	w->audit.reason = copy_at(tail += a->xid.len, a->reason);
	w->audit.detail = copy_at(tail + a->reason.len, a->detail);
	list_init(&w->link);
	list_append(s->audits.next, &w->link); /* before the first: newest */
	return OK;
}

static int apply_one(struct store_memory *s, const struct effect *fx)
{
	switch (fx->type) {
	case FX_PUT:
		return put_row(s, &fx->row);
	case FX_DELETE:
		return row_find(s, fx->row.table, fx->row.id)
			       ? replace(s, &fx->row, NULL)
			       : OK;
	case FX_HISTORY:
		return put_history(s, &fx->history);
	case FX_ARCHIVE:
		return put_archive(s, &fx->archive);
	case FX_AUDIT:
		return put_audit(s, &fx->audit);
	case FX_REPLY:
	case FX_COMMAND:
		break;
	}
	return OK;
}

static int fail(struct store_memory *s, int err, const char *why)
{
	s->base.failed = err;
	return store_refuse(&s->base, err, "memory store: %s", why);
}

static int apply_all(struct store_memory *s, const struct effect *effects,
		     size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (apply_one(s, &effects[i]) != OK) {
			undo_to(s, s->batch);
			return fail(s, E_IO, "out of memory");
		}
		s->base.stats.rows += effects[i].type != FX_REPLY &&
				      effects[i].type != FX_COMMAND;
	}
	return OK;
}

static int apply(struct store *base, const struct effect *effects, size_t n,
		 uint64_t epoch, bool durable)
{
	struct store_memory *s = self(base);
	bool faulty = s->fault_in > 0 && --s->fault_in == 0;

	REQUIRE(s->loaded);
	if (epoch != s->epoch)
		return fail(s, E_STATE, "another coordinator took over");
	if (faulty && s->fault == STORE_FAULT_BEFORE)
		return fail(s, E_IO, "told to fail before the batch");
	if (apply_all(s, effects, n) != OK)
		return E_IO;
	s->batch++;
	if (durable) {
		s->batch_durable = s->batch;
		undo_forget(s);
	}
	base->stats.batches++;
	base->stats.batches_durable += durable;
	base->stats.syncs += durable;
	if (faulty)
		return fail(s, E_IO, "told to fail after the batch");
	return OK;
}

/* ---- the rest ---- */

static int load(struct store *base,
		int (*each)(void *ctx, const struct row *row), void *ctx,
		uint64_t *epoch)
{
	struct store_memory *s = self(base);
	const struct map_node *n = NULL;

	REQUIRE(!s->loaded);
	while ((n = map_next(&s->rows, n))) {
		const struct kept_row *k =
			CONTAINER_OF(n, struct kept_row, node);
		int rc = k->checksum == row_checksum(&k->row)
				 ? each(ctx, &k->row)
				 : E_CORRUPT;

		if (rc != OK)
			return rc;
	}
	s->loaded = true;
	*epoch = ++s->epoch;
	return OK;
}

static bool idle(struct store *s, uint64_t wall_ms)
{
	(void)s;
	(void)wall_ms;
	return false;
}

static int archived(struct store *base, uint64_t before, size_t limit,
		    bool (*each)(void *ctx, const struct archive *), void *ctx)
{
	LIST_EACH(l, &self(base)->archive) {
		struct finished *f = CONTAINER_OF(l, struct finished, link);

		if (before != 0 && f->archive.gtx >= before)
			continue;
		if (limit-- == 0 || !each(ctx, &f->archive))
			break;
	}
	return OK;
}

static int archived_one(struct store *base, uint64_t number,
			void (*each)(void *ctx, const struct archive *),
			void *ctx)
{
	struct finished *f = archive_find(self(base), number);

	if (!f)
		return E_NOTFOUND;
	each(ctx, &f->archive);
	return OK;
}

static int history(struct store *base, uint64_t number,
		   void (*each)(void *ctx, const struct history *), void *ctx)
{
	LIST_EACH(l, &self(base)->lines) {
		struct line *line = CONTAINER_OF(l, struct line, link);

		if (line->history.gtx == number)
			each(ctx, &line->history);
	}
	return OK;
}

static int audits(struct store *base, uint64_t before, size_t limit,
		  bool (*each)(void *ctx, const struct audit *), void *ctx)
{
	size_t n = 0;

	LIST_EACH(l, &self(base)->audits) {
		struct written *w = CONTAINER_OF(l, struct written, link);

		if (before && w->audit.id >= before)
			continue;
		if (n++ == limit || !each(ctx, &w->audit))
			break;
	}
	return OK;
}

static void close_store(struct store *base)
{
	struct store_memory *s = self(base);
	struct map_node *n;

	undo_forget(s);
	while ((n = map_next(&s->rows, NULL))) {
		map_remove(&s->rows, n);
		mem_free(base->mem, CONTAINER_OF(n, struct kept_row, node));
	}
	map_fini(&s->rows);
	LIST_EACH(l, &s->lines)
		mem_free(base->mem, CONTAINER_OF(l, struct line, link));
	LIST_EACH(f, &s->archive)
		mem_free(base->mem, CONTAINER_OF(f, struct finished, link));
	LIST_EACH(a, &s->audits)
		mem_free(base->mem, CONTAINER_OF(a, struct written, link));
	store_fini(base);
	mem_free(base->mem, s);
}

static const struct store_ops ops = {
	.load = load,
	.apply = apply,
	.idle = idle,
	.archived = archived,
	.archived_one = archived_one,
	.history = history,
	.audits = audits,
	.close = close_store,
};

int store_memory_new(struct store **out, const struct mem *mem)
{
	struct store_memory *s = mem_alloc(mem, sizeof *s);

	if (!s)
		return E_NOMEM;
	if (map_init(&s->rows, mem) != OK) {
		mem_free(mem, s);
		return E_NOMEM;
	}
	store_init(&s->base, &ops, mem);
	list_init(&s->undo);
	list_init(&s->lines);
	list_init(&s->archive);
	list_init(&s->audits);
	*out = &s->base;
	return OK;
}

void store_memory_fail(struct store *base, enum store_fault fault, uint64_t n)
{
	self(base)->fault = fault;
	self(base)->fault_in = n;
}

void store_memory_crash(struct store *base, size_t keep)
{
	struct store_memory *s = self(base);

	if (s->batch_durable + keep < s->batch) {
		undo_to(s, s->batch_durable + keep);
		s->batch = s->batch_durable + keep;
	}
	undo_forget(s);
	s->batch_durable = s->batch;
	s->fault_in = 0;
	s->loaded = false;
	base->failed = OK;
}

size_t store_memory_at_risk(const struct store *base)
{
	const struct store_memory *s =
		CONTAINER_OF(base, const struct store_memory, base);

	return (size_t)(s->batch - s->batch_durable);
}
