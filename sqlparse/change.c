#include "sqlparse/parser.h"

/*
 * UPDATE and DELETE.
 */

/* ---- SET a = 1 ---- */

static bool assign_columns(struct parser *p, struct sql_assign *a)
{
	a->row = is_kind(p, T_LEFT);
	if (a->row && p->dialect != SQL_MYSQL)
		return column_list(p, &a->columns, &a->n_columns);
	a->columns = arena_array(p->arena, 1, sizeof *a->columns);
	if (!a->columns)
		return out_of_memory(p);
	a->n_columns = 1;
	return column_take(p, a->columns);
}

static bool assign(struct parser *p, struct sql_assign *a)
{
	size_t from = p->pos;

	if (!assign_columns(p, a))
		return false;
	if (!accept_op(p, "=") &&
	    !(p->dialect == SQL_MYSQL && accept_op(p, ":=")))
		return parse_fail(p, "=");
	if (!parse_expr(p, &a->value))
		return false;
	a->span = span_of(p, from, p->pos);
	return true;
}

bool assign_list(struct parser *p, struct sql_assign **items, size_t *n)
{
	do {
		struct sql_assign *bigger =
			list_room(p, *items, *n, sizeof *bigger);

		if (!bigger)
			return false;
		*items = bigger;
		if (!assign(p, &bigger[(*n)++]))
			return false;
	} while (accept_kind(p, T_COMMA));
	return true;
}

/* ---- what UPDATE and DELETE share ---- */

/* Words between the verb and the table: MySQL's modifiers, SQLite's OR. */
static bool or_action(struct parser *p)
{
	if (p->dialect != SQL_SQLITE || !accept_word(p, W_OR))
		return true;
	if (accept_word(p, W_IGNORE)) {
		p->st->on_conflict = SQL_CONFLICT_IGNORE;
	} else if (accept_word(p, W_REPLACE)) {
		p->st->on_conflict = SQL_CONFLICT_REPLACE;
	} else if (accept_word(p, W_ROLLBACK)) {
		parse_refuse(p, "OR ROLLBACK ends the transaction behind the "
				"agent's back: use OR ABORT");
	} else if (accept_word(p, W_FAIL)) {
		parse_refuse(p,
			     "OR FAIL keeps a part of the statement's changes: "
			     "use OR ABORT");
	} else if (!accept_word(p, W_ABORT)) {
		return parse_fail(p, "an action behind OR");
	}
	return true;
}

static void mysql_modifiers(struct parser *p)
{
	if (p->dialect != SQL_MYSQL)
		return;
	for (;;) {
		if (is_word(p, W_IGNORE))
			p->st->on_conflict = SQL_CONFLICT_IGNORE;
		else if (!is_word(p, W_LOW_PRIORITY) &&
			 !(is_word(p, W_QUICK) && is_name(p, 1)))
			return;
		take_token(p);
	}
}

/* A write's target that has the name of a WITH query is not a table. */
static bool check_target(struct parser *p)
{
	if (is_cte(p, &p->st->target))
		parse_refuse(p,
			     "the table has the name of a WITH query: rename "
			     "the query");
	return true;
}

static bool behind_where(struct parser *p)
{
	return where_clause(p, p->st) && returning_clause(p) &&
	       tail_clauses(p, p->st, false) &&
	       (p->st->returning.len > 0 || returning_clause(p));
}

/* Which of the references a name means: an alias, or a table without one. */
static bool means(const struct parser *p, const struct sql_table *t,
		  const struct sql_table *named)
{
	if (t->alias.text.len > 0)
		return named->schema.text.len == 0 &&
		       sql_same_name(p->dialect, t->alias.text,
				     named->name.text);
	return sql_same_name(p->dialect, t->name.text, named->name.text) &&
	       (named->schema.text.len == 0 || t->schema.text.len == 0 ||
		sql_same_name(p->dialect, t->schema.text, named->schema.text));
}

/* The one reference that is meant; NULL for none, or more than one. */
static const struct sql_table *resolve(const struct parser *p,
				       const struct refs *refs,
				       const struct sql_table *named)
{
	const struct sql_table *found = NULL;

	for (size_t i = 0; i < refs->n; i++) {
		if (!means(p, &refs->tables[i], named))
			continue;
		if (found)
			return NULL;
		found = &refs->tables[i];
	}
	return found;
}

static void set_joined_target(struct parser *p, const struct sql_table *t)
{
	if (!t || t->name.text.len == 0 || is_cte(p, t))
		parse_refuse(p,
			     "which table it changes is not clear: name one of "
			     "its tables by its alias");
	else
		p->st->target = *t;
}

/* ---- UPDATE ---- */

/* MySQL: the table of a joined update, by the qualifiers in SET. */
static void joined_update_target(struct parser *p, const struct refs *refs)
{
	const struct sql_table *target = NULL, *t;

	for (size_t i = 0; i < p->st->n_assigns; i++) {
		struct sql_table named = {
			.name = p->st->assigns[i].columns[0].qualifier
		};

		if (named.name.text.len == 0) {
			parse_refuse(
				p, "which table a column in SET belongs to is "
				   "not clear: put the table's alias in front");
			return;
		}
		t = resolve(p, refs, &named);
		if (target && t != target) {
			parse_refuse(p,
				     "it changes several tables: use an UPDATE "
				     "for each");
			return;
		}
		set_joined_target(p, t);
		target = t;
	}
}

/* Reads are noted while the references are parsed; the target is none. */
static void unread_target(struct parser *p)
{
	struct sql_statement *st = p->st;

	for (size_t i = 0; i < st->n_reads; i++) {
		if (st->reads[i].name_span.at != st->target.name_span.at)
			continue;
		memmove(&st->reads[i], &st->reads[i + 1],
			(st->n_reads - i - 1) * sizeof *st->reads);
		st->n_reads--;
		return;
	}
}

static bool update_mysql(struct parser *p)
{
	struct sql_statement *st = p->st;
	struct sql_expr list;
	struct refs refs;
	size_t from;

	if (!from_list(p, &refs, &list))
		return false;
	st->joined = refs.joined;
	if (st->joined)
		st->from = list;
	if (!expect_word(p, W_SET))
		return false;
	from = p->pos;
	if (!assign_list(p, &st->assigns, &st->n_assigns))
		return false;
	st->set = span_of(p, from, p->pos);
	if (st->joined)
		joined_update_target(p, &refs);
	else
		st->target = refs.tables[0];
	unread_target(p);
	return check_target(p) && behind_where(p);
}

bool update_statement(struct parser *p)
{
	struct sql_statement *st = p->st;
	size_t from = p->pos;
	struct refs refs;

	st->kind = SQL_UPDATE;
	take_token(p);
	if (!or_action(p))
		return false;
	mysql_modifiers(p);
	st->verb = span_of(p, from, p->pos);
	if (p->dialect == SQL_MYSQL)
		return update_mysql(p);
	if (!table_ref(p, true, &st->target) || !check_target(p) ||
	    !expect_word(p, W_SET))
		return false;
	from = p->pos;
	if (!assign_list(p, &st->assigns, &st->n_assigns))
		return false;
	st->set = span_of(p, from, p->pos);
	if (accept_word(p, W_FROM) && !from_list(p, &refs, &st->from))
		return false;
	return behind_where(p);
}

/* ---- DELETE ---- */

/* t, db.t or t.*; table_name() would take the star for a bad name. */
static bool delete_target(struct parser *p, struct sql_table *out)
{
	if (!name_expect(p, "a table name", &out->name))
		return false;
	if (is_kind(p, T_DOT) && is_name(p, 1)) {
		take_token(p);
		out->schema = out->name;
		if (!name_take(p, &out->name))
			return false;
	}
	if (accept_kind(p, T_DOT) && !accept_op(p, "*"))
		return parse_fail(p, "* behind the dot");
	return true;
}

/* MySQL: t, a.*, db.b: what a DELETE of the joined kind deletes from. */
static bool delete_targets(struct parser *p, struct refs *named)
{
	do {
		struct sql_table *items =
			list_room(p, named->tables, named->n, sizeof *items);

		if (!items)
			return false;
		named->tables = items;
		if (!delete_target(p, &items[named->n++]))
			return false;
	} while (accept_kind(p, T_COMMA));
	return true;
}

static bool delete_joined(struct parser *p, enum word before_refs)
{
	struct refs named = { 0 }, refs;

	p->st->joined = true;
	if (!delete_targets(p, &named) || !expect_word(p, before_refs) ||
	    !from_list(p, &refs, &p->st->from))
		return false;
	if (named.n > 1)
		parse_refuse(p,
			     "it deletes from several tables: use a DELETE for "
			     "each");
	set_joined_target(p, resolve(p, &refs, &named.tables[0]));
	unread_target(p);
	return where_clause(p, p->st) && returning_clause(p) &&
	       tail_clauses(p, p->st, false);
}

/* DELETE FROM a, b USING ... or DELETE FROM t.* USING ...: true if USING
 * comes before anything that ends a plain DELETE's table. */
static bool has_using(const struct parser *p)
{
	size_t at = 0;

	while (is_name(p, at) || token_ahead(p, at)->kind == T_DOT ||
	       token_ahead(p, at)->kind == T_COMMA ||
	       token_ahead(p, at)->kind == T_OP) {
		if (is_word_at(p, at, W_USING))
			return true;
		if (is_word_at(p, at, W_WHERE) || is_word_at(p, at, W_ORDER) ||
		    is_word_at(p, at, W_LIMIT))
			return false;
		at++;
	}
	return false;
}

static bool delete_mysql(struct parser *p)
{
	if (!is_word(p, W_FROM))
		return delete_joined(p, W_FROM);
	take_token(p);
	if (has_using(p))
		return delete_joined(p, W_USING);
	return table_ref(p, true, &p->st->target) && check_target(p) &&
	       behind_where(p);
}

bool delete_statement(struct parser *p)
{
	struct sql_statement *st = p->st;
	size_t from = p->pos;
	struct refs refs;

	st->kind = SQL_DELETE;
	take_token(p);
	mysql_modifiers(p);
	st->verb = span_of(p, from, p->pos);
	if (p->dialect == SQL_MYSQL)
		return delete_mysql(p);
	if (!expect_word(p, W_FROM) || !table_ref(p, true, &st->target) ||
	    !check_target(p))
		return false;
	if (p->dialect == SQL_POSTGRES && accept_word(p, W_USING) &&
	    !from_list(p, &refs, &st->from))
		return false;
	return behind_where(p);
}
