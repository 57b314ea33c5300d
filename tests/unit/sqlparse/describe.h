#ifndef TESTS_UNIT_SQLPARSE_DESCRIBE_H
#define TESTS_UNIT_SQLPARSE_DESCRIBE_H

/*
 * A statement's description as one line, for tables of expectations: only what
 * is there, in a fixed order, spans as the text they cover.
 */

#include "sqlparse/sql.h"

static void put_span(struct buf *b, const struct sql_script *s,
		     const char *what, struct sql_span span)
{
	if (span.len == 0)
		return;
	buf_put_text(b, b->len ? " " : "");
	buf_put_text(b, what);
	buf_put_char(b, '{');
	buf_put(b, sql_text(s, span));
	buf_put_char(b, '}');
}

static void put_word(struct buf *b, bool is, const char *word)
{
	if (!is)
		return;
	buf_put_text(b, b->len ? " " : "");
	buf_put_text(b, word);
}

static void put_flags(struct buf *b, unsigned flags)
{
	static const struct {
		unsigned flag;
		const char *name;
	} names[] = {
		{ SQL_HAS_SUBQUERY, "/subquery" },
		{ SQL_HAS_VOLATILE, "/volatile" },
		{ SQL_HAS_CALL, "/call" },
		{ SQL_HAS_VARIABLE, "/variable" },
		{ SQL_HAS_LOCK, "/lock" },
		{ SQL_HAS_SKIP_LOCKED, "/skip" },
		{ SQL_HAS_DEFAULT, "/default" },
	};

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (flags & names[i].flag)
			buf_put_text(b, names[i].name);
	}
}

/* Control characters as <number>. */
static void put_string(struct buf *b, struct bytes text)
{
	buf_put_char(b, '\'');
	for (size_t i = 0; i < text.len; i++) {
		if (text.data[i] < ' ')
			buf_printf(b, "<%u>", text.data[i]);
		else
			buf_put_u8(b, text.data[i]);
	}
	buf_put_char(b, '\'');
}

/* A value: a literal by its meaning, everything else by its text. */
static void put_value(struct buf *b, const struct sql_script *s,
		      const struct sql_statement *st, const struct sql_expr *e)
{
	switch (e->simple) {
	case SQL_NULL:
		buf_put_text(b, "null");
		break;
	case SQL_NUMBER:
		buf_put_text(b, "#");
		buf_put(b, e->text);
		break;
	case SQL_STRING:
		put_string(b, e->text);
		break;
	case SQL_BYTES:
		buf_put_text(b, "x");
		for (size_t i = 0; i < e->text.len; i++)
			buf_printf(b, "%02x", e->text.data[i]);
		break;
	case SQL_BOOL:
		buf_put(b, e->text);
		break;
	case SQL_DEFAULT:
		buf_put_text(b, "default");
		break;
	case SQL_PARAM:
		buf_printf(b, ":%zu", st->params[e->param].number);
		break;
	case SQL_EXPR:
	default:
		buf_put(b, sql_text(s, e->span));
		put_flags(b, e->flags);
		if (e->n_params)
			buf_printf(b, "/p%zu+%zu", e->first_param, e->n_params);
		break;
	}
}

static void put_expr(struct buf *b, const struct sql_script *s,
		     const struct sql_statement *st, const char *what,
		     const struct sql_expr *e)
{
	if (e->span.len == 0)
		return;
	buf_put_text(b, b->len ? " " : "");
	buf_put_text(b, what);
	buf_put_char(b, '{');
	put_value(b, s, st, e);
	buf_put_char(b, '}');
}

static void put_column(struct buf *b, const struct sql_column *c)
{
	if (c->qualifier.text.len) {
		buf_put(b, c->qualifier.text);
		buf_put_char(b, '.');
	}
	buf_put(b, c->name.text);
	if (c->part)
		buf_put_text(b, "[..]");
}

static void put_columns(struct buf *b, const struct sql_column *c, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		buf_put_text(b, i ? "," : "");
		put_column(b, &c[i]);
	}
}

static void put_assigns(struct buf *b, const struct sql_script *s,
			const struct sql_statement *st,
			const struct sql_assign *a, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		buf_put_text(b, i ? "; " : "");
		buf_put_text(b, a[i].row ? "(" : "");
		put_columns(b, a[i].columns, a[i].n_columns);
		buf_put_text(b, a[i].row ? ")=" : "=");
		put_value(b, s, st, &a[i].value);
	}
}

static void put_suffix(struct buf *b, const struct sql_script *s,
		       const char *sign, struct sql_span span)
{
	if (span.len == 0)
		return;
	buf_put_text(b, sign);
	buf_put(b, sql_text(s, span));
}

/* schema.name=alias, with what is special about it */
static void put_table(struct buf *b, const struct sql_script *s,
		      const struct sql_table *t)
{
	if (t->database.text.len) {
		buf_put(b, t->database.text);
		buf_put_char(b, '.');
	}
	if (t->schema.text.len) {
		buf_put(b, t->schema.text);
		buf_put_char(b, '.');
	}
	buf_put(b, t->name.text);
	if (t->alias.text.len) {
		buf_put_char(b, '=');
		buf_put(b, t->alias.text);
	}
	buf_put_text(b, t->only ? "/only" : "");
	buf_put_text(b, t->star ? "/star" : "");
	put_suffix(b, s, "/", t->partition);
	put_suffix(b, s, "/", t->index);
}

static void put_upsert(struct buf *b, const struct sql_script *s,
		       const struct sql_statement *st,
		       const struct sql_upsert *u)
{
	buf_put_text(b, b->len ? " conflict{" : "conflict{");
	if (u->constraint.text.len) {
		buf_put_text(b, "on ");
		buf_put(b, u->constraint.text);
	}
	if (u->target.len) {
		buf_put_char(b, '(');
		put_columns(b, u->columns, u->n_columns);
		buf_put_text(b, u->target_exprs ? ",..)" : ")");
	}
	put_expr(b, s, st, "if", &u->target_where);
	if (u->action == SQL_CONFLICT_NOTHING)
		buf_put_text(b, " nothing");
	if (u->action == SQL_CONFLICT_UPDATE)
		buf_put_text(b, " update ");
	if (u->action == SQL_CONFLICT_DUPLICATE)
		buf_put_text(b, "duplicate ");
	put_assigns(b, s, st, u->assigns, u->n_assigns);
	put_expr(b, s, st, "where", &u->where);
	buf_put_char(b, '}');
}

static void put_lock(struct buf *b, const struct sql_script *s,
		     const struct sql_statement *st, const struct sql_lock *l)
{
	static const char *const strengths[] = { "key share", "share",
						 "no key update", "update" };
	static const char *const waits[] = { "", " nowait", " skip", " wait " };

	buf_put_text(b, b->len ? " lock{" : "lock{");
	buf_put_text(b, strengths[l->strength]);
	for (size_t i = 0; i < l->n_of; i++) {
		buf_put_text(b, i ? "," : " of ");
		buf_put(b, l->of[i].text);
	}
	buf_put_text(b, waits[l->wait]);
	if (l->wait == SQL_WAIT_SECONDS)
		put_value(b, s, st, &l->seconds);
	buf_put_char(b, '}');
}

static void put_txn(struct buf *b, const struct sql_script *s,
		    const struct sql_txn *t)
{
	static const char *const sorts[] = {
		"",          "begin",       "commit",  "rollback",
		"savepoint", "rollback to", "release", "set",
		"set later", "autocommit",  "prepare", "xa",
	};

	if (t->sort == SQL_TXN_NONE)
		return;
	put_word(b, true, sorts[t->sort]);
	if (t->sort == SQL_TXN_AUTOCOMMIT)
		put_word(b, true, t->autocommit ? "on" : "off");
	if (t->savepoint.text.len) {
		buf_put_char(b, ' ');
		buf_put(b, t->savepoint.text);
	}
	put_span(b, s, "options", t->options);
	put_word(b, t->chain, "chain");
	put_word(b, t->read_only, "read-only");
}

static void put_insert(struct buf *b, const struct sql_script *s,
		       const struct sql_statement *st)
{
	put_word(b, st->has_columns, "columns(");
	put_columns(b, st->columns, st->n_columns);
	buf_put_text(b, st->has_columns ? ")" : "");
	put_word(b, st->overriding_system, "overriding-system");
	put_word(b, st->overriding_user, "overriding-user");
	put_word(b, st->source == SQL_FROM_DEFAULTS, "defaults");
	for (size_t r = 0; r < st->n_rows; r++) {
		put_word(b, true, "row(");
		for (size_t i = 0; i < st->rows[r].n_values; i++) {
			buf_put_text(b, i ? ", " : "");
			put_value(b, s, st, &st->rows[r].values[i]);
		}
		buf_put_char(b, ')');
	}
	put_expr(b, s, st, "query", &st->query);
	put_span(b, s, "row-alias", st->row_alias);
	for (size_t i = 0; i < st->n_upserts; i++)
		put_upsert(b, s, st, &st->upserts[i]);
}

static void put_conditions(struct buf *b, const struct sql_script *s,
			   const struct sql_statement *st)
{
	put_expr(b, s, st, "where", &st->where);
	if (st->n_equals == 0)
		return;
	put_word(b, true, st->equals_all ? "exactly{" : "equals{");
	for (size_t i = 0; i < st->n_equals; i++) {
		buf_put_text(b, i ? "; " : "");
		put_column(b, &st->equals[i].column);
		buf_put_char(b, '=');
		put_value(b, s, st, &st->equals[i].value);
	}
	buf_put_char(b, '}');
}

static void put_reads(struct buf *b, const struct sql_script *s,
		      const struct sql_statement *st)
{
	if (st->n_reads == 0)
		return;
	put_word(b, true, "reads{");
	for (size_t i = 0; i < st->n_reads; i++) {
		buf_put_text(b, i ? " " : "");
		put_table(b, s, &st->reads[i]);
	}
	buf_put_char(b, '}');
}

/* The target on its own: "schema.name=alias", "" for none. */
static void describe_table(struct buf *b, const struct sql_script *s,
			   const struct sql_statement *st)
{
	put_table(b, s, &st->target);
}

static void describe(struct buf *b, const struct sql_script *s,
		     const struct sql_statement *st)
{
	static const char *const conflicts[] = { "", "ignore", "or-replace" };

	put_txn(b, s, &st->txn);
	put_word(b, st->changes_syntax, "syntax");
	put_span(b, s, "with", st->with);
	if (st->kind != SQL_REPLACE)
		put_word(b, st->on_conflict != SQL_CONFLICT_FAILS,
			 conflicts[st->on_conflict]);
	put_insert(b, s, st);
	put_word(b, st->n_assigns > 0, "set{");
	put_assigns(b, s, st, st->assigns, st->n_assigns);
	buf_put_text(b, st->n_assigns ? "}" : "");
	put_span(b, s, "select", st->select_list);
	put_expr(b, s, st, st->joined ? "joined" : "from", &st->from);
	put_conditions(b, s, st);
	put_span(b, s, "tail", st->tail);
	put_expr(b, s, st, "limit", &st->limit);
	put_expr(b, s, st, "offset", &st->offset);
	put_span(b, s, "returning", st->returning);
	for (size_t i = 0; i < st->n_locks; i++)
		put_lock(b, s, st, &st->locks[i]);
	if (st->kind == SQL_READ || st->kind == SQL_SELECT_LOCK)
		put_word(b, !st->one_table, "no-rows-of-one-table");
	put_reads(b, s, st);
}

#endif
