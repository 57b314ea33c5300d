#include "rm-agent/at/image_sql.h"

#include "undo/quote.h"

struct bytes image_sql_qualifier(const struct image_source *s)
{
	const struct sql_table *t = &s->st->target;

	return sql_text(s->script,
			t->alias.text.len ? t->alias.span : t->name.span);
}

static void put_column(struct buf *out, enum dialect dialect, struct bytes q,
		       struct bytes name)
{
	if (q.len) {
		buf_put(out, q);
		buf_put_char(out, '.');
	}
	quote_name(out, dialect, name);
}

/* A column through one of the catalog's spellings. */
static void put_spelled(struct buf *out, const struct target *t, size_t column,
			struct bytes spelling, struct bytes q)
{
	struct buf name;

	buf_init(&name, out->mem);
	put_column(&name, t->table->dialect, q, t->table->columns[column].name);
	if (buf_error(&name) != OK)
		out->error = buf_error(&name);
	else
		catalog_put_sql(out, spelling, buf_bytes(&name), BYTES(""));
	buf_fini(&name);
}

void image_sql_list(struct buf *out, const struct target *t, struct bytes q)
{
	const struct table *table = t->table;

	for (size_t i = 0; i < table->n_columns; i++) {
		if (i)
			buf_put_text(out, ", ");
		put_spelled(out, t, i, t->cat.columns[i].read, q);
	}
	for (size_t i = 0; i < table->n_key; i++) {
		size_t k = table->key[i];

		if (!table->columns[k].folds)
			continue;
		buf_put_text(out, ", ");
		put_spelled(out, t, k, t->cat.columns[k].lock, q);
	}
}

static int copy(struct buf *out, struct sql_binds *binds,
		const struct image_source *s, const char *before,
		struct sql_span span)
{
	if (!span.len)
		return OK;
	buf_put_text(out, before);
	return sql_copy(s->script, s->st, span, binds, out);
}

/* What the statement reads from, its own table first or where it stands. */
static int put_from(struct buf *out, struct sql_binds *binds,
		    const struct image_source *s)
{
	const struct sql_statement *st = s->st;
	int rc;

	if (st->joined || st->kind == SQL_SELECT_LOCK)
		return copy(out, binds, s, " FROM ", st->from.span);
	rc = copy(out, binds, s, " FROM ", st->target.span);
	if (rc == OK)
		rc = copy(out, binds, s, ", ", st->from.span);
	return rc;
}

/* A lock as strong as the statement's own, so that nobody gets between. */
static int put_lock(struct buf *out, struct sql_binds *binds,
		    const struct image_source *s)
{
	const struct sql_statement *st = s->st;
	enum dialect dialect = s->target->table->dialect;
	int rc = OK;

	for (size_t i = 0; rc == OK && i < st->n_locks; i++)
		rc = copy(out, binds, s, " ", st->locks[i].span);
	if (rc != OK || st->kind == SQL_SELECT_LOCK ||
	    dialect == DIALECT_SQLITE)
		return rc;
	if (dialect == DIALECT_POSTGRES && st->kind == SQL_UPDATE)
		buf_put_text(out, " FOR NO KEY UPDATE");
	else
		buf_put_text(out, " FOR UPDATE");
	if (dialect == DIALECT_POSTGRES) {
		buf_put_text(out, " OF ");
		buf_put(out, image_sql_qualifier(s));
	}
	return OK;
}

int image_sql_before(struct buf *out, struct sql_binds *binds,
		     const struct image_source *s)
{
	int rc = copy(out, binds, s, "", s->st->with);

	if (rc != OK)
		return rc;
	buf_put_text(out, s->st->with.len ? " SELECT " : "SELECT ");
	image_sql_list(out, s->target, image_sql_qualifier(s));
	rc = put_from(out, binds, s);
	if (rc == OK)
		rc = copy(out, binds, s, " WHERE ", s->st->where.span);
	if (rc == OK)
		rc = copy(out, binds, s, " ", s->st->tail);
	if (rc == OK)
		rc = put_lock(out, binds, s);
	return rc;
}

/* ---- by key ---- */

static void put_placeholder(struct buf *out, enum dialect dialect, size_t n)
{
	if (dialect == DIALECT_POSTGRES)
		buf_printf(out, "$%zu", n);
	else
		buf_put_char(out, '?');
}

/* column = parameter, the parameter as the catalog wants it. */
static void put_equal(struct buf *out, const struct target *t, size_t column,
		      struct bytes q, struct bytes param)
{
	const struct catalog_column *c = &t->cat.columns[column];
	struct buf name;

	buf_init(&name, out->mem);
	put_column(&name, t->table->dialect, q, t->table->columns[column].name);
	if (buf_error(&name) != OK) {
		out->error = buf_error(&name);
	} else {
		buf_put(out, buf_bytes(&name));
		buf_put_text(out, " = ");
		catalog_put_sql(out, c->param, buf_bytes(&name), param);
	}
	buf_fini(&name);
}

void image_sql_key_condition(struct buf *out, const struct target *t, size_t n,
			     size_t first)
{
	const struct table *table = t->table;
	struct buf param;

	buf_init(&param, out->mem);
	for (size_t r = 0; r < n; r++) {
		buf_put_text(out, r ? " OR (" : "(");
		for (size_t i = 0; i < table->n_key; i++) {
			if (i)
				buf_put_text(out, " AND ");
			buf_clear(&param);
			put_placeholder(&param, table->dialect,
					first + r * table->n_key + i);
			put_equal(out, t, table->key[i], BYTES(""),
				  buf_bytes(&param));
		}
		buf_put_char(out, ')');
	}
	if (buf_error(&param) != OK)
		out->error = buf_error(&param);
	buf_fini(&param);
}

void image_sql_by_key(struct buf *out, const struct target *t, size_t n)
{
	const struct table *table = t->table;

	buf_put_text(out, "SELECT ");
	image_sql_list(out, t, BYTES(""));
	buf_put_text(out, " FROM ");
	quote_table(out, table->dialect, table->schema, table->name);
	buf_put_text(out, " WHERE ");
	image_sql_key_condition(out, t, n, 1);
	/* A plain read may show an older version of a row that the statement
	 * left as it was. */
	if (table->dialect == DIALECT_MYSQL)
		buf_put_text(out, " FOR UPDATE");
}

/* ---- literals ---- */

static void put_hex(struct buf *out, struct bytes b)
{
	for (size_t i = 0; i < b.len; i++)
		buf_printf(out, "%02x", b.data[i]);
}

/* Of unknown type, like a parameter: the column decides. */
static void put_pg_literal(struct buf *out, struct value v)
{
	if (v.type == VALUE_BYTES) {
		buf_put_text(out, "decode('");
		put_hex(out, v.data);
		buf_put_text(out, "', 'hex')");
		return;
	}
	buf_put_text(out, "E'");
	for (size_t i = 0; i < v.data.len; i++) {
		char c = (char)v.data.data[i];

		if (c == '\'' || c == '\\')
			buf_put_char(out, '\\');
		buf_put_char(out, c);
	}
	buf_put_char(out, '\'');
}

static void put_other_literal(struct buf *out, enum dialect dialect,
			      struct value v)
{
	if (v.type == VALUE_INT || v.type == VALUE_NUMBER ||
	    v.type == VALUE_FLOAT) {
		buf_put(out, v.data);
	} else if (v.type == VALUE_BYTES) {
		buf_put_text(out, "X'");
		put_hex(out, v.data);
		buf_put_char(out, '\'');
	} else if (dialect == DIALECT_SQLITE) {
		buf_put_text(out, "CAST(X'");
		put_hex(out, v.data);
		buf_put_text(out, "' AS TEXT)");
	} else {
		buf_put_text(out, "_utf8mb4 X'");
		put_hex(out, v.data);
		buf_put_char(out, '\'');
	}
}

void image_sql_literal(struct buf *out, enum dialect dialect, struct value v)
{
	if (v.type == VALUE_NULL)
		buf_put_text(out, "NULL");
	else if (dialect == DIALECT_POSTGRES)
		put_pg_literal(out, v);
	else
		put_other_literal(out, dialect, v);
}

void image_sql_pin(struct buf *out, const struct image *img,
		   const struct target *t, struct bytes q)
{
	const struct table *table = t->table;
	struct buf literal;

	if (img->n_rows == 0) {
		buf_put_text(out, "1 = 0");
		return;
	}
	buf_init(&literal, out->mem);
	for (size_t r = 0; r < img->n_rows; r++) {
		buf_put_text(out, r ? " OR (" : "(");
		for (size_t i = 0; i < table->n_key; i++) {
			size_t k = table->key[i];

			if (i)
				buf_put_text(out, " AND ");
			buf_clear(&literal);
			image_sql_literal(&literal, table->dialect,
					  img->rows[r].values[k]);
			put_equal(out, t, k, q, buf_bytes(&literal));
		}
		buf_put_char(out, ')');
	}
	if (buf_error(&literal) != OK)
		out->error = buf_error(&literal);
	buf_fini(&literal);
}

int at_binds_values(const struct sql_binds *binds, const struct value *params,
		    size_t n, struct arena *arena, struct value **out)
{
	struct value *v = arena_array(arena, binds->n + 1, sizeof *v);

	if (!v)
		return E_NOMEM;
	for (size_t i = 0; i < binds->n; i++) {
		if (binds->numbers[i] == 0 || binds->numbers[i] > n)
			return E_INVALID;
		v[i] = params[binds->numbers[i] - 1];
	}
	*out = v;
	return OK;
}
