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

static const enum word mysql_modifiers[] = {
	W_ALL,
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
	W_NONE,
};

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

static bool into_clause(struct parser *p)
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

/* ---- ORDER BY, LIMIT, FOR UPDATE ---- */

/* LIMIT a, b; LIMIT b OFFSET a; OFFSET a ROWS; FETCH FIRST b ROWS ONLY */
static bool limit_clause(struct parser *p, struct sql_statement *out)
{
	if (accept_word(p, W_LIMIT)) {
		if (p->dialect == SQL_POSTGRES && accept_word(p, W_ALL))
			return true;
		if (!parse_expr(p, &out->limit))
			return false;
		if (p->dialect == SQL_POSTGRES || !accept_kind(p, T_COMMA))
			return true;
		out->offset = out->limit;
		return parse_expr(p, &out->limit);
	}
	if (accept_word(p, W_OFFSET)) {
		if (!parse_expr(p, &out->offset))
			return false;
		if (!accept_word(p, W_ROW))
			accept_word(p, W_ROWS);
		return true;
	}
	take_token(p); /* FETCH */
	if (!accept_word(p, W_FIRST) && !accept_word(p, W_NEXT))
		return parse_fail(p, "FIRST or NEXT behind FETCH");
	if (!is_word(p, W_ROW) && !is_word(p, W_ROWS) &&
	    !parse_expr(p, &out->limit))
		return false;
	if (!accept_word(p, W_ROW) && !accept_word(p, W_ROWS))
		return parse_fail(p, "ROWS");
	if (accept_word(p, W_ONLY))
		return true;
	return expect_word(p, W_WITH) && expect_word(p, W_TIES);
}

static bool at_limit(const struct parser *p)
{
	return is_word(p, W_LIMIT) || is_word(p, W_OFFSET) ||
	       (is_word(p, W_FETCH) && p->dialect != SQL_SQLITE);
}

static bool order_clause(struct parser *p, struct sql_statement *out)
{
	if (!accept_words(p, W_ORDER, W_BY))
		return true;
	return parse_expr_list(p, &out->order_by);
}

/* NOWAIT, SKIP LOCKED, WAIT n */
static bool lock_wait(struct parser *p, struct sql_lock *lock)
{
	if (accept_word(p, W_NOWAIT)) {
		lock->wait = SQL_NOWAIT;
	} else if (accept_words(p, W_SKIP, W_LOCKED)) {
		lock->wait = SQL_SKIP_LOCKED;
	} else if (p->dialect == SQL_MYSQL && accept_word(p, W_WAIT)) {
		lock->wait = SQL_WAIT_SECONDS;
		return parse_expr(p, &lock->seconds);
	}
	return true;
}

static bool lock_of(struct parser *p, struct sql_lock *lock)
{
	if (!accept_word(p, W_OF))
		return true;
	do {
		struct sql_name *items =
			list_room(p, lock->of, lock->n_of, sizeof *items);

		if (!items)
			return false;
		lock->of = items;
		if (!name_expect(p, "a table or alias behind OF",
				 &items[lock->n_of++]))
			return false;
		while (accept_kind(p, T_DOT)) {
			items[lock->n_of - 1] = (struct sql_name){ 0 };
			if (!is_name(p, 0))
				return parse_fail(p, "a name behind the dot");
			if (!name_take(p, &items[lock->n_of - 1]))
				return false;
		}
	} while (accept_kind(p, T_COMMA));
	return true;
}

static bool lock_strength(struct parser *p, struct sql_lock *lock)
{
	if (accept_word(p, W_LOCK)) {
		lock->strength = SQL_FOR_SHARE;
		return expect_word(p, W_IN) && expect_word(p, W_SHARE) &&
		       expect_word(p, W_MODE);
	}
	take_token(p); /* FOR */
	lock->strength = SQL_FOR_UPDATE;
	if (accept_word(p, W_UPDATE))
		return true;
	lock->strength = SQL_FOR_SHARE;
	if (accept_word(p, W_SHARE))
		return true;
	if (p->dialect != SQL_POSTGRES)
		return parse_fail(p, "UPDATE or SHARE behind FOR");
	lock->strength = SQL_FOR_KEY_SHARE;
	if (accept_words(p, W_KEY, W_SHARE))
		return true;
	lock->strength = SQL_FOR_NO_KEY_UPDATE;
	return expect_word(p, W_NO) && expect_word(p, W_KEY) &&
	       expect_word(p, W_UPDATE);
}

static bool lock_clause(struct parser *p, struct sql_statement *out)
{
	struct sql_lock *items =
		list_room(p, out->locks, out->n_locks, sizeof *items);
	struct sql_lock *lock;
	size_t from = p->pos;

	if (!items)
		return false;
	out->locks = items;
	lock = &items[out->n_locks++];
	if (!lock_strength(p, lock) || !lock_of(p, lock) || !lock_wait(p, lock))
		return false;
	lock->span = span_of(p, from, p->pos);
	p->flags |= SQL_HAS_LOCK;
	if (lock->wait == SQL_SKIP_LOCKED)
		p->flags |= SQL_HAS_SKIP_LOCKED;
	return true;
}

static bool at_lock(const struct parser *p)
{
	if (p->dialect == SQL_SQLITE)
		return false;
	return is_word(p, W_FOR) ||
	       (p->dialect == SQL_MYSQL && is_word(p, W_LOCK) &&
		is_word_at(p, 1, W_IN));
}

bool tail_clauses(struct parser *p, struct sql_statement *out, bool locks)
{
	size_t from = p->pos;

	if (!order_clause(p, out))
		return false;
	while (at_limit(p)) {
		if (!limit_clause(p, out))
			return false;
	}
	if (p->pos > from)
		out->tail = span_of(p, from, p->pos);
	while (locks) {
		if (p->dialect == SQL_POSTGRES && is_word(p, W_FOR) &&
		    is_word_at(p, 1, W_READ) && is_word_at(p, 2, W_ONLY))
			p->pos += 3;
		else if (at_lock(p)) {
			if (!lock_clause(p, out))
				return false;
		} else if (is_word(p, W_INTO) && p->into == INTO_NOTHING) {
			if (!into_clause(p))
				return false;
		} else {
			break;
		}
	}
	if (locks && at_limit(p))
		return parse_fail(p, "LIMIT and OFFSET before FOR UPDATE");
	return true;
}

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
