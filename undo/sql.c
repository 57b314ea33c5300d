#include "undo/sql.h"

#include "undo/quote.h"

void sql_init(struct sql *s, struct arena *arena)
{
	*s = (struct sql){ .arena = arena };
	buf_init(&s->text, &arena->as_mem);
}

static void start(struct sql *s, const char *text)
{
	buf_clear(&s->text);
	s->n = 0;
	s->no_memory = false;
	buf_put_text(&s->text, text);
}

static int finish(struct sql *s)
{
	(void)buf_text(&s->text); /* puts a NUL behind it */
	return s->no_memory || buf_error(&s->text) != OK ? E_NOMEM : OK;
}

static bool reserve(struct sql *s)
{
	size_t cap = s->cap ? 2 * s->cap : 16;
	struct value *params;

	if (s->n < s->cap)
		return true;
	params = arena_array(s->arena, cap, sizeof *params);
	if (!params)
		return false;
	if (s->n)
		memcpy(params, s->params, s->n * sizeof *params);
	s->params = params;
	s->cap = cap;
	return true;
}

static void put_param(struct sql *s, const struct table *t, size_t column,
		      struct value v)
{
	if (!reserve(s)) {
		s->no_memory = true;
		return;
	}
	s->params[s->n++] = v;
	quote_param(&s->text, t->dialect, &t->columns[column], s->n);
}

static void put_name(struct sql *s, const struct table *t, size_t column)
{
	quote_name(&s->text, t->dialect, t->columns[column].name);
}

static void put_table(struct sql *s, const struct table *t)
{
	quote_table(&s->text, t->dialect, t->schema, t->name);
}

/* ---- WHERE ---- */

static void put_key_names(struct sql *s, const struct table *t)
{
	buf_put_text(&s->text, t->n_key > 1 ? "(" : "");
	for (size_t i = 0; i < t->n_key; i++) {
		buf_put_text(&s->text, i ? ", " : "");
		put_name(s, t, t->key[i]);
	}
	buf_put_text(&s->text, t->n_key > 1 ? ")" : "");
}

static void put_key_values(struct sql *s, const struct table *t,
			   const struct row *row)
{
	buf_put_text(&s->text, t->n_key > 1 ? "(" : "");
	for (size_t i = 0; i < t->n_key; i++) {
		buf_put_text(&s->text, i ? ", " : "");
		put_param(s, t, t->key[i], row_key(t, row, i));
	}
	buf_put_text(&s->text, t->n_key > 1 ? ")" : "");
}

static void put_one_key(struct sql *s, const struct table *t,
			const struct row *row)
{
	for (size_t i = 0; i < t->n_key; i++) {
		buf_put_text(&s->text, i ? " AND " : "");
		put_name(s, t, t->key[i]);
		buf_put_text(&s->text, " = ");
		put_param(s, t, t->key[i], row_key(t, row, i));
	}
}

static void put_where(struct sql *s, const struct table *t,
		      const struct row *const *keys, size_t n)
{
	buf_put_text(&s->text, " WHERE ");
	if (n == 1) {
		put_one_key(s, t, keys[0]);
		return;
	}
	put_key_names(s, t);
	/* SQLite knows no list of row values, but a VALUES. */
	buf_put_text(&s->text, t->dialect == DIALECT_SQLITE && t->n_key > 1
				       ? " IN (VALUES "
				       : " IN (");
	for (size_t i = 0; i < n; i++) {
		buf_put_text(&s->text, i ? ", " : "");
		put_key_values(s, t, keys[i]);
	}
	buf_put_char(&s->text, ')');
}

/* ---- statements ---- */

int sql_select(struct sql *s, const struct table *t,
	       const struct row *const *keys, size_t n)
{
	start(s, "SELECT ");
	for (size_t i = 0; i < t->n_columns; i++) {
		buf_put_text(&s->text, i ? ", " : "");
		put_name(s, t, i);
	}
	buf_put_text(&s->text, " FROM ");
	put_table(s, t);
	put_where(s, t, keys, n);
	if (t->dialect != DIALECT_SQLITE)
		buf_put_text(&s->text, " FOR UPDATE");
	return finish(s);
}

int sql_delete(struct sql *s, const struct table *t,
	       const struct row *const *keys, size_t n)
{
	start(s, "DELETE FROM ");
	put_table(s, t);
	put_where(s, t, keys, n);
	return finish(s);
}

static bool is_written(const struct table *t, const bool *given, size_t column)
{
	return !t->columns[column].generated && (!given || given[column]);
}

static void put_row(struct sql *s, const struct table *t, const struct row *row,
		    const bool *given)
{
	const char *between = "(";

	for (size_t i = 0; i < t->n_columns; i++) {
		if (!is_written(t, given, i))
			continue;
		buf_put_text(&s->text, between);
		put_param(s, t, i, row->values[i]);
		between = ", ";
	}
	buf_put_char(&s->text, ')');
}

int sql_insert(struct sql *s, const struct table *t,
	       const struct row *const *rows, size_t n, const bool *given,
	       bool overriding)
{
	const char *between = " (";

	start(s, "INSERT INTO ");
	put_table(s, t);
	for (size_t i = 0; i < t->n_columns; i++) {
		if (!is_written(t, given, i))
			continue;
		buf_put_text(&s->text, between);
		put_name(s, t, i);
		between = ", ";
	}
	buf_put_text(&s->text, overriding && t->dialect == DIALECT_POSTGRES
				       ? ") OVERRIDING SYSTEM VALUE VALUES "
				       : ") VALUES ");
	for (size_t i = 0; i < n; i++) {
		buf_put_text(&s->text, i ? ", " : "");
		put_row(s, t, rows[i], given);
	}
	return finish(s);
}

int sql_update(struct sql *s, const struct table *t, const struct row *from,
	       const struct row *to)
{
	const char *between = " SET ";

	start(s, "UPDATE ");
	put_table(s, t);
	for (size_t i = 0; i < t->n_columns; i++) {
		if (t->columns[i].generated ||
		    value_equal(from->values[i], to->values[i]))
			continue;
		buf_put_text(&s->text, between);
		put_name(s, t, i);
		buf_put_text(&s->text, " = ");
		put_param(s, t, i, to->values[i]);
		between = ", ";
	}
	put_where(s, t, &from, 1);
	return finish(s);
}
