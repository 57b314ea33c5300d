#include "rm-agent/at/insert_sql.h"

#include "undo/quote.h"

/* ---- columns and places ---- */

static bool in_implicit_list(const struct table *t, size_t c)
{
	const struct column *col = &t->columns[c];

	if (col->rowid)
		return false;
	return !(col->generated && t->dialect == DIALECT_SQLITE);
}

static size_t find_column(const struct insert *in, struct bytes name)
{
	const struct table *t = in->target->table;

	for (size_t c = 0; c < t->n_columns; c++)
		if (sql_same_name(in->script->dialect, t->columns[c].name,
				  name))
			return c;
	/* Any name of SQLite's rowid, also for an INTEGER PRIMARY KEY. */
	if (t->dialect == DIALECT_SQLITE &&
	    (sql_same_name(SQL_SQLITE, name, BYTES("rowid")) ||
	     sql_same_name(SQL_SQLITE, name, BYTES("oid")) ||
	     sql_same_name(SQL_SQLITE, name, BYTES("_rowid_"))) &&
	    t->n_key == 1)
		return t->key[0];
	return t->n_columns;
}

static int place(struct insert *in, struct bytes name, size_t at,
		 struct bytes *what)
{
	size_t c = find_column(in, name);

	if (c == in->target->table->n_columns) {
		*what = name;
		return E_INVALID;
	}
	in->places[c] = at;
	return OK;
}

static int place_all(struct insert *in, struct bytes *what)
{
	const struct sql_statement *st = in->st;
	const struct table *t = in->target->table;
	size_t next = 0;
	int rc = OK;

	if (st->source == SQL_FROM_DEFAULTS)
		return OK;
	if (st->source == SQL_FROM_SET) {
		for (size_t i = 0; rc == OK && i < st->n_assigns; i++)
			rc = place(in, st->assigns[i].columns[0].name.text, i,
				   what);
		return rc;
	}
	if (st->has_columns) {
		for (size_t i = 0; rc == OK && i < st->n_columns; i++)
			rc = place(in, st->columns[i].name.text, i, what);
		return rc;
	}
	for (size_t c = 0; c < t->n_columns; c++)
		if (in_implicit_list(t, c))
			in->places[c] = next++;
	return OK;
}

int insert_init(struct insert *in, const struct image_source *s,
		const struct value *params, size_t n_params,
		struct arena *arena, struct bytes *what)
{
	size_t n = s->target->table->n_columns;

	*in = (struct insert){ .script = s->script,
			       .st = s->st,
			       .target = s->target,
			       .params = params,
			       .n_params = n_params };
	in->places = arena_array(arena, n, sizeof *in->places);
	if (!in->places)
		return E_NOMEM;
	for (size_t c = 0; c < n; c++)
		in->places[c] = SIZE_MAX;
	if (s->st->source == SQL_FROM_VALUES)
		in->n_rows = s->st->n_rows;
	else if (s->st->source != SQL_FROM_SELECT)
		in->n_rows = s->st->n_rows ? s->st->n_rows : 1;
	return place_all(in, what);
}

/* ---- values ---- */

/* The expression for a column of a row, or NULL: not there. */
static const struct sql_expr *expr_of(const struct insert *in, size_t row,
				      size_t column)
{
	const struct sql_statement *st = in->st;
	size_t at = in->places[column];

	if (at == SIZE_MAX || st->source == SQL_FROM_DEFAULTS)
		return NULL;
	if (st->source == SQL_FROM_SET)
		return &st->assigns[at].value;
	if (at >= st->rows[row].n_values)
		return NULL;
	return &st->rows[row].values[at];
}

/* The value of a parameter, if it is one. */
static const struct value *param_of(const struct insert *in,
				    const struct sql_expr *e)
{
	size_t number;

	if (e->simple != SQL_PARAM)
		return NULL;
	number = in->st->params[e->param].number;
	return number >= 1 && number <= in->n_params ? &in->params[number - 1]
						     : NULL;
}

static bool is_null(const struct insert *in, const struct sql_expr *e)
{
	const struct value *v = param_of(in, e);

	return e->simple == SQL_NULL || (v && v->type == VALUE_NULL);
}

static bool is_auto(const struct column *c)
{
	return c->auto_increment || c->rowid || c->always_identity;
}

/* MySQL's auto_increment also takes zero for "a new one". */
static bool looks_zero(const struct insert *in, const struct sql_expr *e)
{
	const struct value *v = param_of(in, e);
	struct bytes text = v ? v->data : e->text;

	if (!v && e->simple == SQL_EXPR)
		return true;
	for (size_t i = 0; i < text.len; i++)
		if (text.data[i] >= '1' && text.data[i] <= '9')
			return false;
	return true;
}

static enum insert_given absent(const struct insert *in, size_t column)
{
	const struct target *t = in->target;
	struct bytes d = { 0 };

	if (is_auto(&t->table->columns[column]))
		return GIVEN_AUTO;
	if (!t->loaded_unique)
		return GIVEN_UNKNOWN;
	d = t->defaults[column];
	if (!d.data || (d.len == 4 && memcmp(d.data, "NULL", 4) == 0))
		return GIVEN_NULL;
	return memchr(d.data, '(', d.len) ? GIVEN_UNKNOWN : GIVEN_DEFAULT;
}

enum insert_given insert_given(const struct insert *in, size_t row,
			       size_t column, const struct sql_expr **expr)
{
	const struct column *c = &in->target->table->columns[column];
	enum dialect dialect = in->target->table->dialect;
	const struct sql_expr *e = expr_of(in, row, column);

	if (!e || e->simple == SQL_DEFAULT)
		return absent(in, column);
	if (is_null(in, e))
		return is_auto(c) && dialect != DIALECT_POSTGRES ? GIVEN_AUTO
								 : GIVEN_NULL;
	if (e->flags != 0)
		return GIVEN_UNKNOWN;
	if (dialect == DIALECT_MYSQL && is_auto(c) && looks_zero(in, e))
		return GIVEN_UNKNOWN;
	if (c->always_identity && !in->st->overriding_system)
		return GIVEN_AUTO;
	*expr = e;
	return GIVEN_VALUE;
}

/* ---- conditions ---- */

static void put_name(const struct insert *in, struct buf *out, size_t column)
{
	const struct table *t = in->target->table;

	quote_table(out, t->dialect, BYTES(""), t->name);
	buf_put_char(out, '.');
	quote_name(out, t->dialect, t->columns[column].name);
}

/* The value as the column will keep it. PostgreSQL converts on assignment
 * what it would not on comparing: 1.6 becomes 2 in an integer column. */
static int put_value(const struct insert *in, struct buf *out,
		     struct sql_binds *b, size_t column,
		     const struct sql_expr *e)
{
	const struct table *t = in->target->table;
	bool cast = t->dialect == DIALECT_POSTGRES;
	int rc;

	buf_put_text(out, cast ? "CAST((" : "(");
	rc = sql_copy(in->script, in->st, e->span, b, out);
	buf_put_char(out, ')');
	if (cast) {
		buf_put_text(out, " AS ");
		buf_put(out, t->columns[column].type);
		buf_put_char(out, ')');
	}
	return rc;
}

bool insert_knows_keys(const struct insert *in)
{
	const struct table *t = in->target->table;
	const struct sql_expr *e;

	for (size_t r = 0; r < in->n_rows; r++)
		for (size_t k = 0; k < t->n_key; k++)
			if (insert_given(in, r, t->key[k], &e) != GIVEN_VALUE)
				return false;
	return in->n_rows > 0;
}

int insert_put_keys(const struct insert *in, struct sql_binds *b,
		    struct buf *out)
{
	const struct table *t = in->target->table;
	int rc = OK;

	for (size_t r = 0; rc == OK && r < in->n_rows; r++) {
		buf_put_text(out, r ? " OR (" : "(");
		for (size_t k = 0; rc == OK && k < t->n_key; k++) {
			const struct sql_expr *e = NULL;

			(void)insert_given(in, r, t->key[k], &e);
			if (k)
				buf_put_text(out, " AND ");
			put_name(in, out, t->key[k]);
			buf_put_text(out, " = ");
			rc = put_value(in, out, b, t->key[k], e);
		}
		buf_put_char(out, ')');
	}
	return rc;
}

/* Whether a row can meet another one by this key: it cannot if a column is
 * NULL or made up by the database. */
static int meets(const struct insert *in, size_t row, const struct unique *u,
		 bool *can, const char **why)
{
	const struct sql_expr *e;

	*can = true;
	for (size_t i = 0; i < u->n; i++) {
		switch (insert_given(in, row, u->columns[i], &e)) {
		case GIVEN_NULL:
		case GIVEN_AUTO:
			*can = false;
			return OK;
		case GIVEN_UNKNOWN:
			*why = "a value of a unique key is an expression whose "
			       "result cannot be known before it runs; compute "
			       "it first and give it as a parameter";
			return E_UNSUPPORTED;
		default:
			break;
		}
	}
	return OK;
}

static int put_match(const struct insert *in, size_t row,
		     const struct unique *u, struct sql_binds *b,
		     struct buf *out)
{
	int rc = OK;

	buf_put_char(out, '(');
	for (size_t i = 0; rc == OK && i < u->n; i++) {
		const struct sql_expr *e = NULL;
		size_t c = u->columns[i];

		if (i)
			buf_put_text(out, " AND ");
		put_name(in, out, c);
		buf_put_text(out, " = ");
		if (insert_given(in, row, c, &e) == GIVEN_VALUE)
			rc = put_value(in, out, b, c, e);
		else
			buf_put(out, in->target->defaults[c]);
	}
	buf_put_char(out, ')');
	return rc;
}

static int put_row(const struct insert *in, size_t row, struct sql_binds *b,
		   struct buf *out, bool *any, const char **why)
{
	bool found = false, can;
	int rc = OK;

	for (size_t i = 0; rc == OK && i < in->target->n_uniques; i++) {
		const struct unique *u = &in->target->uniques[i];

		rc = meets(in, row, u, &can, why);
		if (rc != OK || !can)
			continue;
		buf_put_text(out, *any ? " OR " : "");
		rc = put_match(in, row, u, b, out);
		*any = found = true;
	}
	return rc != OK ? rc : found ? OK : E_NOTFOUND;
}

/* ---- INSERT … SELECT ---- */

/* How many columns the query must have. */
static size_t query_width(const struct insert *in)
{
	size_t n = 0;

	for (size_t c = 0; c < in->target->table->n_columns; c++)
		n += in->places[c] != SIZE_MAX;
	return n;
}

int insert_put_with(const struct insert *in, struct sql_binds *b,
		    struct buf *out)
{
	int rc = OK;

	if (in->st->with.len) {
		rc = sql_copy(in->script, in->st, in->st->with, b, out);
		buf_put_text(out, ", ");
	} else {
		buf_put_text(out, "WITH ");
	}
	buf_put_text(out, "treaty_s (");
	for (size_t i = 0; i < query_width(in); i++)
		buf_printf(out, i ? ", c%zu" : "c%zu", i);
	buf_put_text(out, ") AS (");
	if (rc == OK)
		rc = sql_copy(in->script, in->st, in->st->query.span, b, out);
	buf_put_text(out, ") ");
	return rc;
}

/* One unique key: EXISTS, unless a column is always NULL or made up. */
static int put_exists(const struct insert *in, const struct unique *u,
		      struct buf *out, bool *any, const char **why)
{
	size_t start = out->len;

	buf_put_text(out, *any ? " OR " : "");
	buf_put_text(out, "EXISTS (SELECT 1 FROM treaty_s WHERE ");
	for (size_t i = 0; i < u->n; i++) {
		size_t c = u->columns[i];
		enum insert_given g = GIVEN_VALUE;

		if (in->places[c] == SIZE_MAX)
			g = absent(in, c);
		if (g == GIVEN_NULL || g == GIVEN_AUTO) {
			out->len = start;
			return OK;
		}
		if (g == GIVEN_UNKNOWN) {
			*why = "a column of a unique key has a default that "
			       "cannot be known before the statement runs";
			return E_UNSUPPORTED;
		}
		buf_put_text(out, i ? " AND " : "");
		put_name(in, out, c);
		if (g == GIVEN_VALUE) {
			buf_printf(out, " = treaty_s.c%zu", in->places[c]);
		} else {
			buf_put_text(out, " = ");
			buf_put(out, in->target->defaults[c]);
		}
	}
	buf_put_char(out, ')');
	*any = true;
	return OK;
}

int insert_put_conflicts(const struct insert *in, struct sql_binds *b,
			 struct buf *out, bool *loose, const char **why)
{
	bool any = false;
	int rc = OK;

	*loose = false;
	if (in->target->odd_unique) {
		*why = "the table has a unique index over an expression or a "
		       "part of a column; which rows it would meet cannot be "
		       "told";
		return E_UNSUPPORTED;
	}
	if (in->st->source == SQL_FROM_SELECT) {
		for (size_t i = 0; rc == OK && i < in->target->n_uniques; i++)
			rc = put_exists(in, &in->target->uniques[i], out, &any,
					why);
		*loose = !any;
	}
	for (size_t r = 0; rc == OK && r < in->n_rows; r++) {
		rc = put_row(in, r, b, out, &any, why);
		if (rc == E_NOTFOUND) {
			*loose = true;
			rc = OK;
		}
	}
	if (!any)
		buf_put_text(out, "1 = 0");
	return rc;
}
