#include "sqlparse/parser.h"

/*
 * SELECT, VALUES and TABLE, with WITH in front and set operations between.
 * The same code reads a whole statement and a sub-query; only the first has
 * somewhere to put its clauses.
 */

/* ---- WITH ---- */

static bool add_cte(struct parser *p, struct sql_name name)
{
	struct sql_name *items =
		list_room(p, p->ctes, p->n_ctes, sizeof *items);

	if (!items)
		return false;
	/* The array is a stack: what a sub-query left behind is replaced. */
	p->ctes = items;
	items[p->n_ctes++] = name;
	return true;
}

static enum sql_kind write_kind(enum word w)
{
	switch (w) {
	case W_INSERT:
		return SQL_INSERT;
	case W_UPDATE:
		return SQL_UPDATE;
	case W_DELETE:
		return SQL_DELETE;
	case W_MERGE:
		return SQL_MERGE;
	default:
		return SQL_UNKNOWN;
	}
}

/* The brackets of a WITH query; a write in them is noted and skipped. */
static bool cte_body(struct parser *p)
{
	size_t verb = 1;
	enum sql_kind kind;

	if (!is_kind(p, T_LEFT))
		return parse_fail(p, "( behind AS");
	kind = write_kind(token_ahead(p, verb)->word);
	if (kind != SQL_UNKNOWN && token_ahead(p, verb)->kind == T_WORD) {
		p->with_write = kind;
		parse_refuse(p,
			     "a write inside WITH changes rows that no image "
			     "covers: make it a statement of its own");
	}
	return parse_group(p);
}

static bool one_cte(struct parser *p, bool recursive)
{
	struct sql_name name = { 0 };

	if (!name_expect(p, "a name behind WITH", &name) ||
	    (recursive && !add_cte(p, name)))
		return false;
	if (is_kind(p, T_LEFT) && !parse_group(p))
		return false;
	if (!expect_word(p, W_AS))
		return false;
	accept_word(p, W_NOT);
	accept_word(p, W_MATERIALIZED);
	return cte_body(p) && (recursive || add_cte(p, name));
}

bool with_clause(struct parser *p)
{
	bool recursive;

	take_token(p);
	recursive = accept_word(p, W_RECURSIVE) || p->dialect == SQL_SQLITE;
	do {
		if (!one_cte(p, recursive))
			return false;
	} while (accept_kind(p, T_COMMA));
	return true;
}

/* ---- SELECT ---- */

static const enum word mysql_modifiers[] = { W_ALL,
					     W_DISTINCT,
					     W_DISTINCTROW,
					     W_HIGH_PRIORITY,
					     W_STRAIGHT_JOIN,
					     W_SQL_SMALL_RESULT,
					     W_SQL_BIG_RESULT,
					     W_SQL_BUFFER_RESULT,
					     W_SQL_CACHE,
					     W_SQL_NO_CACHE,
					     W_SQL_CALC_FOUND_ROWS,
					     W_NONE };

/* ALL, DISTINCT [ON (...)], and MySQL's. */
static bool modifiers(struct parser *p, bool *one_table)
{
	if (p->dialect != SQL_MYSQL) {
		if (accept_word(p, W_ALL))
			return true;
		if (!accept_word(p, W_DISTINCT))
			return true;
		*one_table = false;
		return p->dialect != SQL_POSTGRES || !accept_word(p, W_ON) ||
		       parse_group(p);
	}
	while (is_kind(p, T_WORD) &&
	       is_one_of(peek_token(p)->word, mysql_modifiers)) {
		if (is_word(p, W_DISTINCT) || is_word(p, W_DISTINCTROW))
			*one_table = false;
		take_token(p);
	}
	return true;
}

static bool column_alias(struct parser *p)
{
	struct sql_name alias = { 0 };

	if (p->dialect != SQL_POSTGRES &&
	    (is_kind(p, T_STRING) ||
	     (is_word(p, W_AS) && token_ahead(p, 1)->kind == T_STRING))) {
		accept_word(p, W_AS);
		take_token(p);
		return true;
	}
	return alias_take(p, &alias);
}

/* *, t.*, a + 1 AS b: up to where no comma follows. */
static bool item_list(struct parser *p)
{
	struct sql_expr item;

	do {
		if (accept_op(p, "*"))
			continue;
		if (!parse_expr(p, &item) || !column_alias(p))
			return false;
	} while (accept_kind(p, T_COMMA));
	return true;
}

bool into_clause(struct parser *p)
{
	struct sql_table table = { 0 };

	if (!accept_word(p, W_INTO))
		return true;
	if (p->dialect == SQL_SQLITE)
		return parse_fail(p, "no INTO");
	if (p->dialect == SQL_POSTGRES) {
		p->into = INTO_TABLE;
		while (accept_word(p, W_TEMP) || accept_word(p, W_TEMPORARY) ||
		       accept_word(p, W_UNLOGGED) || accept_word(p, W_TABLE))
			;
		return table_name(p, &table);
	}
	if (is_word(p, W_OUTFILE) || is_word(p, W_DUMPFILE)) {
		p->into = INTO_FILE;
		return skip_rest(p);
	}
	p->into = INTO_VARIABLE;
	do {
		if (!accept_kind(p, T_VARIABLE))
			return parse_fail(p, "a variable, OUTFILE or DUMPFILE "
					     "behind INTO");
	} while (accept_kind(p, T_COMMA));
	return true;
}

bool where_clause(struct parser *p, struct sql_statement *out)
{
	size_t from;

	if (!accept_word(p, W_WHERE))
		return true;
	if (is_word(p, W_CURRENT) && is_word_at(p, 1, W_OF)) {
		parse_refuse(
			p, "WHERE CURRENT OF names a row that only the cursor "
			   "knows: use its primary key");
		p->pos += 2;
	}
	from = p->pos;
	if (!parse_expr(p, &out->where))
		return false;
	return out != p->st || find_equals(p, from, p->pos);
}

/* GROUP BY, HAVING, WINDOW */
static bool grouping(struct parser *p, bool *one_table)
{
	struct sql_expr list;
	size_t from = p->pos;

	if (accept_words(p, W_GROUP, W_BY)) {
		if (!accept_word(p, W_ALL))
			accept_word(p, W_DISTINCT);
		if (is_word(p, W_GROUPING) && is_word_at(p, 1, W_SETS))
			take_token(p);
		if (!parse_expr_list(p, &list))
			return false;
		accept_words(p, W_WITH, W_ROLLUP);
	}
	if (accept_word(p, W_HAVING) && !parse_expr(p, &list))
		return false;
	if (is_word(p, W_WINDOW)) {
		do {
			take_token(p);
			if (!is_name(p, 0) || !is_word_at(p, 1, W_AS))
				return parse_fail(p, "a window");
			p->pos += 2;
			if (!parse_group(p))
				return false;
		} while (is_kind(p, T_COMMA));
	}
	if (p->pos > from)
		*one_table = false;
	return true;
}

static bool select_core(struct parser *p, struct sql_statement *out)
{
	struct refs refs = { 0 };
	bool one_table = true;
	size_t from;

	take_token(p);
	if (!modifiers(p, &one_table))
		return false;
	from = p->pos;
	if (!(p->dialect == SQL_POSTGRES &&
	      (is_word(p, W_FROM) || is_word(p, W_INTO))) &&
	    !item_list(p))
		return false;
	out->select_list = span_of(p, from, p->pos);
	one_table &= !(p->flags & SQL_HAS_AGGREGATE);
	if (!into_clause(p))
		return false;
	if (accept_word(p, W_FROM) && !from_list(p, &refs, &out->from))
		return false;
	if (!where_clause(p, out) || !grouping(p, &one_table))
		return false;
	if (one_table && refs.n == 1 && !refs.joined) {
		out->one_table = true;
		out->target = refs.tables[0];
	}
	return true;
}

/* ---- VALUES ---- */

static bool one_row(struct parser *p, struct sql_row *row)
{
	size_t from = p->pos;

	if (p->dialect == SQL_MYSQL)
		accept_word(p, W_ROW);
	if (!expect_kind(p, T_LEFT))
		return false;
	while (!is_kind(p, T_RIGHT)) {
		struct sql_expr *items =
			list_room(p, row->values, row->n_values, sizeof *items);

		if (!items)
			return false;
		row->values = items;
		if (!parse_expr(p, &items[row->n_values++]))
			return false;
		if (!accept_kind(p, T_COMMA))
			break;
		if (is_kind(p, T_RIGHT))
			return parse_fail(p, "an expression");
	}
	if (!expect_kind(p, T_RIGHT))
		return false;
	row->span = span_of(p, from, p->pos);
	return true;
}

bool value_rows(struct parser *p, struct sql_statement *out)
{
	do {
		struct sql_row *rows =
			list_room(p, out->rows, out->n_rows, sizeof *rows);

		if (!rows)
			return false;
		out->rows = rows;
		if (!one_row(p, &rows[out->n_rows++]))
			return false;
	} while (accept_kind(p, T_COMMA));
	return true;
}

/* ---- RETURNING ---- */

bool returning_clause(struct parser *p)
{
	size_t from;

	if (!accept_word(p, W_RETURNING))
		return true;
	from = p->pos;
	if (!item_list(p))
		return false;
	p->st->returning = span_of(p, from, p->pos);
	return true;
}

/* ---- all of it ---- */

static bool query_here(struct parser *p, struct sql_statement *out);

static bool core(struct parser *p, struct sql_statement *out)
{
	struct sql_table table = { 0 };

	if (is_word(p, W_SELECT))
		return select_core(p, out);
	if (accept_word(p, W_VALUES))
		return value_rows(p, out);
	if (p->dialect != SQL_SQLITE && accept_word(p, W_TABLE)) {
		if (!table_ref(p, false, &table))
			return false;
		if (!is_cte(p, &table)) {
			out->target = table;
			out->one_table = true;
		}
		return true;
	}
	if (!is_kind(p, T_LEFT) || p->dialect == SQL_SQLITE)
		return parse_fail(p, "SELECT");
	if (!nest_enter(p))
		return false;
	take_token(p);
	if (!query_here(p, out))
		return false;
	nest_leave(p);
	return expect_kind(p, T_RIGHT);
}

static bool set_operation(struct parser *p)
{
	if (!accept_word(p, W_UNION) && !accept_word(p, W_INTERSECT) &&
	    !accept_word(p, W_EXCEPT) &&
	    !(p->dialect == SQL_MYSQL && accept_word(p, W_MINUS)))
		return false;
	if (!accept_word(p, W_ALL))
		accept_word(p, W_DISTINCT);
	return true;
}

/* No clause of one side speaks for a whole set operation. */
static void forget_clauses(struct sql_statement *out)
{
	out->one_table = false;
	out->target = (struct sql_table){ 0 };
	out->from = out->where = (struct sql_expr){ 0 };
	out->select_list = (struct sql_span){ 0, 0 };
	out->n_equals = 0;
	out->equals_all = false;
}

/* `out` is not NULL. */
static bool query_here(struct parser *p, struct sql_statement *out)
{
	size_t n_ctes = p->n_ctes;

	if (is_word(p, W_WITH) && !with_clause(p))
		return false;
	if (!core(p, out))
		return false;
	while (set_operation(p)) {
		if (!core(p, out))
			return false;
		forget_clauses(out);
	}
	if (!tail_clauses(p, out, true))
		return false;
	p->n_ctes = n_ctes;
	return true;
}

bool parse_query(struct parser *p, struct sql_statement *out)
{
	unsigned outer = p->flags;
	bool ok;

	if (!nest_enter(p))
		return false;
	p->flags = 0;
	if (!out)
		out = arena_alloc(p->arena, sizeof *out);
	ok = out ? query_here(p, out) : out_of_memory(p);
	/* What counts rows in there counts none out here. */
	p->flags = outer | (p->flags & ~(unsigned)SQL_HAS_AGGREGATE);
	nest_leave(p);
	return ok;
}
