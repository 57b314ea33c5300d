#include "undo/compensate.h"

#include "base/hash.h"
#include "undo/plan.h"

/* ---- tables, then and now ---- */

static int refuse(struct buf *why, const struct table *t, const char *before,
		  struct bytes name, const char *behind)
{
	if (why) {
		buf_put_text(why, "table ");
		table_put_name(why, t);
		buf_put_text(why, before);
		buf_put(why, name);
		buf_put_text(why, behind);
	}
	return E_UNSUPPORTED;
}

#define REPAIR                                                                 \
	"; undo it by hand from the undo record, or restore the table as it "  \
	"was and retry"

static int check_column(const struct table *was, const struct column *c,
			const struct table *now, struct buf *why)
{
	size_t at = table_find_column(now, c->name);
	const struct column *n;

	if (at == now->n_columns)
		return refuse(why, was, ": column ", c->name,
			      " is gone since the branch wrote it" REPAIR);
	n = &now->columns[at];
	if (!bytes_equal(c->type, n->type) || c->class != n->class)
		return refuse(why, was, ": column ", c->name,
			      " has another type since the branch wrote "
			      "it" REPAIR);
	if (c->generated != n->generated)
		return refuse(why, was, ": column ", c->name,
			      " became generated, or ceased to be, since the "
			      "branch wrote it" REPAIR);
	return OK;
}

static bool same_key(const struct table *was, const struct table *now)
{
	if (was->n_key != now->n_key)
		return false;
	for (size_t i = 0; i < was->n_key; i++) {
		struct bytes name = was->columns[was->key[i]].name;

		if (!table_is_key(now, table_find_column(now, name)))
			return false;
	}
	return true;
}

static int check_table(const struct table *was, const struct table *now,
		       struct buf *why)
{
	if (!now)
		return refuse(why, was, "", (struct bytes){ 0 },
			      " is gone or renamed since the branch wrote "
			      "it" REPAIR);
	if (now->dialect != was->dialect)
		return refuse(why, was, "", (struct bytes){ 0 },
			      " is of another kind of database now; this is "
			      "not the database that the branch wrote");
	for (size_t i = 0; i < was->n_columns; i++) {
		int rc = check_column(was, &was->columns[i], now, why);

		if (rc != OK)
			return rc;
	}
	if (!same_key(was, now))
		return refuse(why, was, "", (struct bytes){ 0 },
			      " has another key since the branch wrote "
			      "it" REPAIR);
	return OK;
}

static bool same_name(const struct table *a, const struct table *b)
{
	return bytes_equal(a->schema, b->schema) &&
	       bytes_equal(a->name, b->name);
}

/* One row under two descriptions would be taken for two rows. */
static int check_names(const struct record *r, size_t i, struct buf *why)
{
	for (size_t k = 0; k < i; k++)
		if (same_name(r->tables[i], r->tables[k]))
			return refuse(why, r->tables[i], "",
				      (struct bytes){ 0 },
				      " was altered while the branch "
				      "ran" REPAIR);
	return OK;
}

static bool has_always_identity(const struct table *t)
{
	for (size_t i = 0; i < t->n_columns; i++)
		if (t->columns[i].always_identity)
			return true;
	return false;
}

static int add_tables(struct plan *p, const struct table *const *now,
		      struct buf *why)
{
	const struct record *r = p->record;

	p->tables = arena_array(p->arena, r->n_tables, sizeof *p->tables);
	if (!p->tables)
		return E_NOMEM;
	for (size_t i = 0; i < r->n_tables; i++) {
		int rc = check_table(r->tables[i], now[i], why);

		if (rc == OK)
			rc = check_names(r, i, why);
		if (rc != OK)
			return rc;
		p->tables[i].was = r->tables[i];
		p->tables[i].overriding = has_always_identity(now[i]);
	}
	return OK;
}

/* ---- rows ---- */

static uint64_t subject_hash(const struct plan *p, size_t table,
			     const struct row *key)
{
	return hash_u64(table, row_key_hash(p->tables[table].was, key));
}

struct subject *plan_find(const struct plan *p, size_t table,
			  const struct row *key)
{
	const struct table *t = p->tables[table].was;
	struct map_node *node =
		map_find(&p->subjects, subject_hash(p, table, key));

	for (; node; node = map_find_next(node)) {
		struct subject *s = CONTAINER_OF(node, struct subject, node);

		if (s->table == table && row_same_key(t, s->key, key))
			return s;
	}
	return NULL;
}

static struct subject *find_or_add(struct plan *p, size_t table,
				   const struct row *key)
{
	struct subject *s = plan_find(p, table, key);

	if (s)
		return s;
	s = arena_alloc(p->arena, sizeof *s);
	if (!s)
		return NULL;
	s->table = table;
	s->key = key;
	map_insert(&p->subjects, &s->node, subject_hash(p, table, key));
	p->tables[table].n++;
	return s;
}

static struct touch *add_touch(struct plan *p, struct subject *s, size_t item)
{
	struct touches *touches = &p->items[item];
	struct touch *t = arena_alloc(p->arena, sizeof *t);

	if (!t)
		return NULL;
	t->subject = s;
	t->item = item;
	if (s->last)
		s->last->next = t;
	else
		s->first = t;
	s->last = t;
	touches->list[touches->n++] = t;
	return t;
}

/* The touch of this row by this item, made if need be; I2. */
static struct touch *touch_row(struct plan *p, size_t item,
			       const struct row *row)
{
	struct subject *s = find_or_add(p, p->record->items[item].table, row);

	if (!s)
		return NULL;
	if (s->last && s->last->item == item)
		return s->last;
	return add_touch(p, s, item);
}

static int twice(struct buf *why, const struct table *t)
{
	(void)refuse(why, t, "", (struct bytes){ 0 },
		     ": the undo record has a row twice in one image");
	return E_CORRUPT;
}

static int add_item(struct plan *p, size_t i, struct buf *why)
{
	const struct record_item *item = &p->record->items[i];
	const struct table *table = p->record->tables[item->table];

	p->items[i].table = item->table;
	p->items[i].list =
		arena_array(p->arena, item->before.n_rows + item->after.n_rows,
			    sizeof(struct touch *));
	if (!p->items[i].list)
		return E_NOMEM;
	for (size_t k = 0; k < item->before.n_rows; k++) {
		struct touch *t = touch_row(p, i, &item->before.rows[k]);

		if (!t)
			return E_NOMEM;
		if (t->before)
			return twice(why, table);
		t->before = &item->before.rows[k];
	}
	for (size_t k = 0; k < item->after.n_rows; k++) {
		struct touch *t = touch_row(p, i, &item->after.rows[k]);

		if (!t)
			return E_NOMEM;
		if (t->after)
			return twice(why, table);
		t->after = &item->after.rows[k];
	}
	return OK;
}

static bool is_idle(const struct table *t, const struct subject *s)
{
	for (const struct touch *k = s->first; k; k = k->next)
		if (!row_equal(t, k->before, k->after))
			return false;
	return true;
}

/* List the subjects of each table in the order of their first touch; I3. */
static int list_subjects(struct plan *p)
{
	for (size_t i = 0; i < p->record->n_tables; i++) {
		struct plan_table *t = &p->tables[i];

		t->subjects = arena_array(p->arena, t->n, sizeof *t->subjects);
		if (!t->subjects)
			return E_NOMEM;
		t->n = 0;
	}
	for (size_t i = 0; i < p->record->n_items; i++) {
		for (size_t k = 0; k < p->items[i].n; k++) {
			struct touch *touch = p->items[i].list[k];
			struct subject *s = touch->subject;
			struct plan_table *t = &p->tables[s->table];

			if (s->first != touch)
				continue;
			s->idle = is_idle(t->was, s);
			if (!s->idle)
				t->subjects[t->n++] = s;
		}
	}
	return OK;
}

bool plan_reserve_rows(struct plan *p, size_t n)
{
	const struct row **rows;

	if (n <= p->cap_rows)
		return true;
	rows = arena_array(p->arena, n, sizeof *rows);
	if (!rows)
		return false;
	p->rows = rows;
	p->cap_rows = n;
	return true;
}

static int fill(struct plan *p, const struct table *const *now, struct buf *why)
{
	int rc = map_init(&p->subjects, &p->arena->as_mem);

	if (rc == OK)
		rc = add_tables(p, now, why);
	if (rc != OK)
		return rc;
	p->items = arena_array(p->arena, plan_items(p), sizeof *p->items);
	if (!p->items)
		return E_NOMEM;
	for (size_t i = 0; rc == OK && i < p->record->n_items; i++)
		rc = add_item(p, i, why);
	return rc == OK ? list_subjects(p) : rc;
}

int plan_new(struct plan **out, struct arena *arena,
	     const struct record *record, const struct table *const *now,
	     struct buf *why)
{
	struct plan *p = arena_alloc(arena, sizeof *p);
	int rc;

	if (!p)
		return E_NOMEM;
	p->arena = arena;
	p->record = record;
	sql_init(&p->sql, arena);
	rc = fill(p, now, why);
	if (rc != OK)
		return rc;
	if (plan_rows(p) == 0)
		p->state = PLAN_READ;
	*out = p;
	return OK;
}

size_t plan_items(const struct plan *p)
{
	return p->record->n_items + p->record->n_tables;
}

size_t plan_rows(const struct plan *p)
{
	size_t n = 0;

	for (size_t i = 0; i < p->record->n_tables; i++)
		n += p->tables[i].n;
	return n;
}
