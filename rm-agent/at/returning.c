#include "rm-agent/at/returning.h"

/* One flag for each row of the last result, in the order of the rows. */
static int keep_fresh(struct work *w, const struct db_result *r, size_t column)
{
	w->fresh = arena_array(w->arena, r->n_rows + 1, sizeof *w->fresh);
	if (!w->fresh)
		return at_fail(w->at, E_NOMEM, "out of memory");
	for (size_t i = 0; i < r->n_rows; i++) {
		struct bytes v = db_value(r, i, column).data;

		w->fresh[i] = v.len > 0 && v.data[0] == 't';
	}
	return OK;
}

/* Only an upsert can return rows that were there before; and an INSERT into a
 * partitioned table cannot return system columns. */
static bool asks_fresh(const struct work *w)
{
	const struct sql_statement *st = w->st;

	return w->at->dialect == DIALECT_POSTGRES && st->n_upserts &&
	       !w->target->cat.partitioned;
}

static void put_list(struct work *w, struct buf *out)
{
	const struct image_source source = { w->script, w->st, w->target };
	/* SQLite knows no table names in RETURNING. */
	bool bare = w->at->dialect != DIALECT_POSTGRES;
	struct bytes q = bare ? BYTES("") : image_sql_qualifier(&source);

	image_sql_list(out, w->target, q);
	if (!asks_fresh(w))
		return;
	buf_put_text(out, ", (");
	buf_put(out, q);
	buf_put_text(out, ".xmax = 0)");
}

int returning_run_text(struct work *w, struct bytes text, struct image *img)
{
	struct db_result *r = &w->done.rows;
	size_t n = w->target->n_select;
	struct buf sql;
	int rc;

	buf_init(&sql, &w->arena->as_mem);
	buf_put(&sql, text);
	buf_put_text(&sql, "\nRETURNING ");
	put_list(w, &sql);
	if (buf_error(&sql) != OK)
		return at_fail(w->at, E_NOMEM, "out of memory");
	w->run->as = w->target->as;
	w->run->n_as = n;
	rc = work_run(w, buf_bytes(&sql), true);
	if (rc != OK)
		return rc;
	if (asks_fresh(w))
		rc = keep_fresh(w, r, n);
	if (rc == OK)
		rc = image_add_rows(w->at, w->target, r, img);
	if (rc == OK && w->fresh && img->n_rows != r->n_rows)
		return at_fail(w->at, E_CORRUPT, "a row was given back twice");
	return rc;
}

/* The statement's own text, without a semicolon behind it. */
static struct bytes own_text(const struct work *w)
{
	return sql_text(w->script, w->st->span);
}

int returning_run(struct work *w, struct image *img)
{
	return returning_run_text(w, own_text(w), img);
}

int returning_check_fresh(struct work *w, const struct image *img)
{
	const struct table *t = w->target->table;

	if (!w->fresh)
		return OK;
	for (size_t i = 0; i < img->n_rows; i++) {
		bool known = w->fresh[i];

		for (size_t k = 0; !known && k < w->before.n_rows; k++)
			known = row_same_key(t, &w->before.rows[k],
					     &img->rows[i]);
		if (!known)
			return at_fail(w->at, E_AGAIN,
				       "a row that the statement updated came "
				       "into being after its image was taken");
	}
	return OK;
}

/* ---- beside the application's own RETURNING ---- */

/* The statement with `list` in front of its own RETURNING list. */
static int run_with(struct work *w, struct bytes list, size_t columns)
{
	struct sql_span own = w->st->span, returning = w->st->returning;
	const uint8_t *text = w->script->text.data;
	struct buf sql;
	int rc;

	buf_init(&sql, &w->arena->as_mem);
	buf_put(&sql, (struct bytes){ text + own.at, returning.at - own.at });
	buf_put(&sql, list);
	buf_put_text(&sql, ", ");
	buf_put(&sql, (struct bytes){ text + returning.at,
				      own.at + own.len - returning.at });
	if (buf_error(&sql) != OK)
		return at_fail(w->at, E_NOMEM, "out of memory");
	w->run->as = w->target->as;
	w->run->n_as = w->target->n_select;
	w->run->hidden = columns;
	rc = work_run(w, buf_bytes(&sql), true);
	w->run->hidden = 0;
	return rc;
}

static void put_key_texts(struct work *w, struct buf *out)
{
	const struct table *t = w->target->table;
	const struct image_source source = { w->script, w->st, w->target };
	struct bytes q = image_sql_qualifier(&source);

	for (size_t k = 0; k < t->n_key; k++) {
		buf_put_text(out, "CAST(");
		buf_put(out, q);
		buf_put_char(out, '.');
		quote_name(out, t->dialect, t->columns[t->key[k]].name);
		buf_put_text(out, " AS text), ");
	}
	if (!asks_fresh(w)) {
		buf_put_text(out, "CAST('t' AS text)");
		return;
	}
	buf_put_text(out, "CAST((");
	buf_put(out, q);
	buf_put_text(out, ".xmax = 0) AS text)");
}

/* A key as text is spelled as the session likes; where that is not the only
 * way it cannot be compared. */
static bool key_texts_are_plain(const struct table *t)
{
	for (size_t k = 0; k < t->n_key; k++) {
		enum value_type class = t->columns[t->key[k]].class;

		if (class == VALUE_FLOAT || class == VALUE_BYTES ||
		    class == VALUE_DATE || class == VALUE_TIME ||
		    class == VALUE_TIMESTAMP || class == VALUE_TIMESTAMPTZ ||
		    class == VALUE_BOOL)
			return false;
	}
	return true;
}

static int add_key_rows(struct work *w, struct image *img)
{
	const struct table *t = w->target->table;
	const struct db_result *r = &w->done.rows;
	struct value *v = arena_array(w->arena, t->n_columns, sizeof *v);
	int rc = v ? OK : E_NOMEM;

	for (size_t i = 0; rc == OK && i < r->n_rows; i++) {
		for (size_t k = 0; k < t->n_key; k++)
			v[t->key[k]] =
				(struct value){ t->columns[t->key[k]].class,
						db_value(r, i, k).data };
		rc = image_add(img, v, NULL);
	}
	return rc == OK ? keep_fresh(w, r, t->n_key)
			: at_fail(w->at, rc, "no keys of the returned rows");
}

int returning_run_own(struct work *w, struct image *img)
{
	const struct table *t = w->target->table;
	bool fresh = asks_fresh(w);
	struct buf list;
	int rc;

	buf_init(&list, &w->arena->as_mem);
	if (w->run->split == AT_SPLIT_TEXT) {
		if (!key_texts_are_plain(t))
			return at_fail(w->at, E_UNSUPPORTED,
				       "refused: its keys are made up by the "
				       "database, have a type whose text is "
				       "not always the same, and it has a "
				       "RETURNING of its own");
		put_key_texts(w, &list);
		rc = run_with(w, buf_bytes(&list), t->n_key + 1);
		return rc == OK ? add_key_rows(w, img) : rc;
	}
	put_list(w, &list);
	rc = run_with(w, buf_bytes(&list), w->target->n_select + fresh);
	if (rc == OK && fresh)
		rc = keep_fresh(w, &w->done.rows, w->target->n_select);
	return rc == OK ? image_add_rows(w->at, w->target, &w->done.rows, img)
			: rc;
}

/* ---- PostgreSQL: aside ---- */

#define ASIDE "pg_temp.treaty_keys"

static int make_aside(struct work *w)
{
	struct treaty_at *at = w->at;
	struct db_stmt ask = { .sql = BYTES("SELECT to_regclass('" ASIDE
					    "') IS NOT NULL"),
			       .keep = true };
	struct db_result r;
	int rc = db_exec(at->db, &ask, w->arena, &r);

	if (rc == OK && r.n_rows == 1 && db_value(&r, 0, 0).data.len == 1 &&
	    db_value(&r, 0, 0).data.data[0] == 't')
		return OK;
	if (rc == OK)
		rc = db_command(at->db,
				"CREATE TEMP TABLE treaty_keys (n bigint, "
				"fresh boolean, k text[]) "
				"ON COMMIT DELETE ROWS");
	return rc == OK ? OK : at_fail_db(at, rc, "making a temporary table");
}

static void put_key_array(struct work *w, struct buf *out)
{
	const struct table *t = w->target->table;
	const struct image_source source = { w->script, w->st, w->target };
	struct bytes q = image_sql_qualifier(&source);

	if (asks_fresh(w)) {
		buf_put(out, q);
		buf_put_text(out, ".xmax = 0");
	} else {
		buf_put_text(out, "TRUE");
	}
	buf_put_text(out, " AS fresh, ARRAY[");
	for (size_t k = 0; k < t->n_key; k++) {
		buf_put_text(out, k ? ", CAST(" : "CAST(");
		buf_put(out, q);
		buf_put_char(out, '.');
		quote_name(out, t->dialect, t->columns[t->key[k]].name);
		buf_put_text(out, " AS text)");
	}
	buf_put_text(out, "] AS k");
}

/* The rows by the keys laid aside; .fresh as the last column. */
static void put_aside_select(struct work *w, struct buf *out, uint64_t n)
{
	const struct table *t = w->target->table;

	buf_put_text(out, "SELECT ");
	image_sql_list(out, w->target, BYTES("treaty_t"));
	buf_put_text(out, ", treaty_k.fresh FROM ");
	quote_table(out, t->dialect, t->schema, t->name);
	buf_put_text(out, " AS treaty_t JOIN " ASIDE " AS treaty_k ON ");
	buf_printf(out, "treaty_k.n = %llu", (unsigned long long)n);
	for (size_t k = 0; k < t->n_key; k++) {
		const struct column *c = &t->columns[t->key[k]];

		buf_put_text(out, " AND treaty_t.");
		quote_name(out, t->dialect, c->name);
		buf_printf(out, " = CAST(treaty_k.k[%zu] AS ", k + 1);
		buf_put(out, c->type);
		buf_put_char(out, ')');
	}
}

static int read_aside(struct work *w, uint64_t n, struct image *img)
{
	struct db_stmt stmt = { .as = w->target->as,
				.n_as = w->target->n_select };
	struct db_result r;
	struct buf sql;
	int rc;

	buf_init(&sql, &w->arena->as_mem);
	put_aside_select(w, &sql, n);
	if (buf_error(&sql) != OK)
		return at_fail(w->at, E_NOMEM, "out of memory");
	stmt.sql = buf_bytes(&sql);
	rc = db_exec(w->at->db, &stmt, w->arena, &r);
	if (rc != OK)
		return at_fail_db(w->at, rc, "reading the rows' image");
	rc = keep_fresh(w, &r, r.n_columns - 1);
	return rc == OK ? image_add_rows(w->at, w->target, &r, img) : rc;
}

int returning_run_aside(struct work *w, struct image *img)
{
	uint64_t n = ++w->at->aside_count;
	struct buf sql;
	int rc = make_aside(w);

	if (rc != OK)
		return rc;
	buf_init(&sql, &w->arena->as_mem);
	buf_put_text(&sql, "WITH treaty_i AS (");
	buf_put(&sql, own_text(w));
	buf_put_text(&sql, "\nRETURNING ");
	put_key_array(w, &sql);
	buf_printf(&sql,
		   ") INSERT INTO " ASIDE " SELECT %llu, fresh, k "
		   "FROM treaty_i",
		   (unsigned long long)n);
	if (buf_error(&sql) != OK)
		return at_fail(w->at, E_NOMEM, "out of memory");
	rc = work_run(w, buf_bytes(&sql), false);
	return rc == OK ? read_aside(w, n, img) : rc;
}
