#include "rm-agent/at/engine.h"

#include "base/hash.h"

static enum catalog_verdict verdict_of(const struct work *w)
{
	const struct catalog_table *c = &w->target->cat;

	switch (w->st->kind) {
	case SQL_UPDATE:
		return c->on_update;
	case SQL_DELETE:
		return c->on_delete;
	case SQL_INSERT:
	case SQL_REPLACE:
		if (w->st->on_conflict == SQL_CONFLICT_FAILS &&
		    w->st->n_upserts == 0)
			return c->on_insert;
		return c->verdict;
	default:
		/* A lock changes nothing; it only needs a key. */
		return c->verdict == CATALOG_HIDDEN_CHANGES ? CATALOG_OK
							    : c->verdict;
	}
}

/* ON CONFLICT DO UPDATE never deletes, but its verdict is on both others; the
 * whole table's is a little stricter than need be. */
static int judge(struct work *w)
{
	struct treaty_at *at = w->at;
	const struct catalog_table *c = &w->target->cat;
	enum catalog_verdict v = verdict_of(w);
	int why = (int)c->why.len;

	if (v == CATALOG_OK)
		return OK;
	/* Nothing is to be undone; only its keys are asked about. */
	if (v == CATALOG_HIDDEN_CHANGES && !w->tx &&
	    (w->st->kind == SQL_INSERT || w->st->kind == SQL_REPLACE))
		return OK;
	if (v == CATALOG_HIDDEN_CHANGES && at->opt.triggers == TREATY_WARN) {
		LOG_WARN("statement changes rows that cannot be undone",
			 LOG_B("table", w->target->name), LOG_B("why", c->why));
		return OK;
	}
	return at_fail(at, E_UNSUPPORTED, "refused: %.*s", why,
		       (const char *)c->why.data);
}

int work_target(struct work *w)
{
	const struct sql_table *t = &w->st->target;
	struct treaty_at *at = w->at;
	struct bytes undo = bytes_of(at->opt.undo_table);
	int rc;

	if (sql_same_name(w->script->dialect, t->name.text, undo))
		return at_fail(at, E_UNSUPPORTED,
			       "refused: %s is Treaty's own table",
			       at->opt.undo_table);
	if (!targets_has(&at->targets, t->schema.text, t->name.text)) {
		rc = at_begun(at);
		if (rc != OK)
			return rc;
	}
	rc = targets_get(&at->targets, at->db, t->schema.text, t->name.text,
			 &w->target);
	if (rc == E_NOTFOUND)
		return at_fail(at, E_INVALID, "there is no table %.*s",
			       (int)t->name.text.len,
			       (const char *)t->name.text.data);
	if (rc != OK)
		return at_fail_db(at, rc, "reading the catalog");
	return judge(w);
}

/* ---- BEGIN, the first read and the probe, in one round trip ---- */

int at_begun(struct treaty_at *at)
{
	int rc;

	if (!at->local.begin_due)
		return OK;
	at->local.begin_due = false;
	rc = db_begin(at->db);
	return rc == OK ? OK : at_fail_db(at, rc, "beginning");
}

static int judge_probe(struct work *w, const struct db_result *r);

/* `read` may be NULL, `probe` too. */
static int together(struct work *w, const struct db_stmt *read,
		    const struct db_stmt *probe, struct image *img)
{
	struct treaty_at *at = w->at;
	struct db_stmt stmts[3];
	struct db_result r[3];
	size_t n = 0, done = 0, first;
	int rc;

	if (at->local.begin_due)
		stmts[n++] = (struct db_stmt){ .sql = BYTES("BEGIN") };
	at->local.begin_due = false;
	first = n;
	if (read)
		stmts[n++] = *read;
	if (probe)
		stmts[n++] = *probe;
	rc = db_exec_all(at->db, stmts, n, w->arena, r, &done);
	if (rc != OK)
		return at_fail_db(at, rc, "reading the rows' image");
	if (read)
		rc = image_add_rows(at, w->target, &r[first], img);
	if (rc == OK && probe)
		rc = judge_probe(w, &r[n - 1]);
	return rc;
}

int work_read_first(struct work *w, const struct db_stmt *stmt,
		    struct image *img)
{
	bool check = w->target->checked != w->at->local.id;
	struct db_stmt probe = { .sql = w->target->cat.probe_sql,
				 .keep = true };
	int rc;

	if (w->at->dialect != DIALECT_MYSQL)
		return together(w, stmt, check ? &probe : NULL, img);
	rc = image_read(w->at, stmt, w->target, img);
	return rc == OK ? work_check_target(w) : rc;
}

/* ---- is the description still true? ---- */

/* Where AUTO_INCREMENT=n stands behind the columns, or the end. */
static const uint8_t *definition_end(struct bytes d)
{
	const uint8_t *paren = memrchr(d.data, ')', d.len);
	const uint8_t *found = NULL;

	if (paren)
		found = memmem(paren, (size_t)(d.data + d.len - paren),
			       "AUTO_INCREMENT=", 15);
	return found ? found : d.data + d.len;
}

static int changed(struct work *w)
{
	targets_drop(&w->at->targets, w->target);
	w->target = NULL;
	return at_fail(w->at, E_AGAIN,
		       "the table's definition has just changed");
}

static int judge_probe(struct work *w, const struct db_result *r)
{
	if (r->n_rows != 1 ||
	    !bytes_equal(db_value(r, 0, 0).data, w->target->cat.probe))
		return changed(w);
	w->target->checked = w->at->local.id;
	return OK;
}

/* MySQL's catalog takes milliseconds to ask, so the whole probe runs once in
 * FULL_CHECK_MS and the text of the table's definition is compared otherwise;
 * a new trigger or a foreign key of another table is noticed that much later. */
#define FULL_CHECK_MS 1000

static int read_definition(struct work *w, struct bytes *out)
{
	const struct table *t = w->target->table;
	struct db_stmt stmt = { .keep = true };
	struct db_result r;
	struct buf sql;
	int rc;

	buf_init(&sql, &w->arena->as_mem);
	buf_put_text(&sql, "SHOW CREATE TABLE ");
	quote_table(&sql, t->dialect, t->schema, t->name);
	if (buf_error(&sql) != OK)
		return at_fail(w->at, E_NOMEM, "out of memory");
	stmt.sql = buf_bytes(&sql);
	rc = db_exec(w->at->db, &stmt, w->arena, &r);
	if (rc != OK)
		return at_fail_db(w->at, rc, "reading the table's definition");
	*out = r.n_rows == 1 ? db_value(&r, 0, 1).data : BYTES("");
	/* It counts the numbers given out. */
	out->len -= (size_t)(out->data + out->len - definition_end(*out));
	return OK;
}

static int check_mysql(struct work *w)
{
	struct target *t = w->target;
	uint64_t now = at_now_ms();
	struct bytes definition;
	bool same = true;
	int rc = read_definition(w, &definition);

	if (rc != OK)
		return rc;
	if (t->full_check_ms && now - t->full_check_ms < FULL_CHECK_MS) {
		same = bytes_equal(definition, t->definition);
	} else {
		rc = catalog_unchanged(w->at->db, &t->cat, w->arena, &same);
		if (rc != OK)
			return at_fail_db(w->at, rc, "reading the catalog");
		if (!bytes_equal(definition, t->definition))
			t->definition = arena_bytes(&t->arena, definition);
		t->full_check_ms = now;
	}
	if (!same)
		return changed(w);
	t->checked = w->at->local.id;
	return OK;
}

int work_check_target(struct work *w)
{
	struct db_stmt probe = { .sql = w->target->cat.probe_sql,
				 .keep = true };

	if (w->target->checked == w->at->local.id)
		return OK;
	if (w->at->dialect == DIALECT_MYSQL)
		return check_mysql(w);
	return together(w, NULL, &probe, NULL);
}

/* ---- reading images ---- */

struct seen {
	struct map_node node;
	size_t row;
};

/* The row's key is on the map already, or it is put there. */
static int seen_before(struct map *seen, struct image *img, bool *before)
{
	const struct row *row = &img->rows[img->n_rows - 1];
	uint64_t hash = row_key_hash(img->table, row);
	struct map_node *n = map_find(seen, hash);
	struct seen *s;

	for (; n; n = map_find_next(n)) {
		s = CONTAINER_OF(n, struct seen, node);
		if (row_same_key(img->table, &img->rows[s->row], row)) {
			*before = true;
			return OK;
		}
	}
	s = arena_alloc(img->arena, sizeof *s);
	if (!s)
		return E_NOMEM;
	s->row = img->n_rows - 1;
	map_insert(seen, &s->node, hash);
	*before = false;
	return OK;
}

static int add_row(struct image *img, const struct target *t,
		   const struct db_result *r, size_t row, struct map *seen)
{
	const struct table *table = t->table;
	const struct value *values = &r->values[row * r->n_columns];
	struct bytes lock[32] = { { 0 } };
	size_t next = table->n_columns;
	bool before = false;
	int rc;

	if (table->n_key > ARRAY_LEN(lock))
		return E_LIMIT;
	for (size_t i = 0; i < table->n_key; i++)
		if (table->columns[table->key[i]].folds)
			lock[i] = values[next++].data;
	rc = image_add(img, values, lock);
	if (rc == OK)
		rc = seen_before(seen, img, &before);
	if (rc == OK && before)
		img->n_rows--;
	return rc;
}

int image_add_rows(struct treaty_at *at, const struct target *t,
		   const struct db_result *r, struct image *img)
{
	struct map seen;
	int rc;

	if (r->n_rows > at->opt.rows_max)
		return at_fail(at, E_LIMIT,
			       "the statement touches %zu rows, .rows_max "
			       "allows %u",
			       r->n_rows, at->opt.rows_max);
	if (r->n_columns < t->n_select)
		return at_fail(at, E_CORRUPT,
			       "the image of %.*s has %zu columns, not %zu",
			       (int)t->name.len, (const char *)t->name.data,
			       r->n_columns, t->n_select);
	rc = map_init(&seen, at->mem);
	for (size_t i = 0; rc == OK && i < r->n_rows; i++)
		rc = add_row(img, t, r, i, &seen);
	map_fini(&seen);
	if (rc == E_UNSUPPORTED)
		return at_fail(at, rc, "a row's key is NULL");
	return rc == OK ? OK : at_fail(at, rc, "out of memory for an image");
}

int image_read(struct treaty_at *at, const struct db_stmt *stmt,
	       const struct target *t, struct image *img)
{
	struct db_result r;
	int rc = at_begun(at);

	if (rc != OK)
		return rc;
	rc = db_exec(at->db, stmt, img->arena, &r);
	if (rc != OK)
		return at_fail_db(at, rc, "reading the rows' image");
	return image_add_rows(at, t, &r, img);
}

/* Keys of one read by key; far below every database's limit of parameters. */
#define KEYS_AT_ONCE 200

static int read_some(struct treaty_at *at, const struct target *t,
		     const struct image *of, size_t from, size_t n,
		     struct image *img)
{
	const struct table *table = t->table;
	struct value *v = arena_array(img->arena, n * table->n_key, sizeof *v);
	struct db_stmt stmt = { .params = v,
				.n_params = n * table->n_key,
				.as = t->as,
				.n_as = t->n_select,
				.keep = n == 1 };
	struct buf sql;

	if (!v)
		return at_fail(at, E_NOMEM, "out of memory for an image");
	for (size_t r = 0; r < n; r++)
		for (size_t i = 0; i < table->n_key; i++)
			v[r * table->n_key + i] =
				row_key(table, &of->rows[from + r], i);
	buf_init(&sql, &img->arena->as_mem);
	image_sql_by_key(&sql, t, n);
	if (buf_error(&sql) != OK)
		return at_fail(at, E_NOMEM, "out of memory for an image");
	stmt.sql = buf_bytes(&sql);
	return image_read(at, &stmt, t, img);
}

int image_read_again(struct treaty_at *at, const struct target *t,
		     const struct image *of, struct image *img)
{
	int rc = OK;

	for (size_t from = 0; rc == OK && from < of->n_rows;) {
		size_t n = of->n_rows - from;

		n = n > KEYS_AT_ONCE ? KEYS_AT_ONCE : n;
		rc = read_some(at, t, of, from, n, img);
		from += n;
	}
	return rc;
}
