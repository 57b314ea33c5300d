#include "sqlparse/parser.h"

/*
 * FROM: tables, sub-queries, functions and how they are joined.
 */

static bool add_read(struct parser *p, const struct sql_table *t)
{
	struct sql_table *items;

	if (is_cte(p, t))
		return true;
	items = list_room(p, p->st->reads, p->st->n_reads, sizeof *items);
	if (!items)
		return false;
	p->st->reads = items;
	items[p->st->n_reads++] = *t;
	return true;
}

/* USE INDEX (a), FORCE KEY FOR JOIN (b), ... and SQLite's INDEXED BY. */
static bool index_hints(struct parser *p, struct sql_table *out)
{
	size_t from = p->pos;

	if (p->dialect == SQL_SQLITE) {
		struct sql_name index = { 0 };

		if (accept_words(p, W_INDEXED, W_BY) &&
		    !name_expect(p, "an index name", &index))
			return false;
		accept_words(p, W_NOT, W_INDEXED);
	}
	while (p->dialect == SQL_MYSQL &&
	       (is_word(p, W_USE) || is_word(p, W_FORCE) ||
		is_word(p, W_IGNORE)) &&
	       (is_word_at(p, 1, W_KEY) || is_word_at(p, 1, W_INDEX))) {
		p->pos += 2;
		while (is_kind(p, T_WORD)) /* FOR JOIN, FOR ORDER BY */
			take_token(p);
		if (!parse_group(p))
			return false;
		accept_kind(p, T_COMMA);
	}
	if (p->pos > from)
		out->index = span_of(p, from, p->pos);
	return true;
}

/* PARTITION (p0, p1) */
static bool partition(struct parser *p, struct sql_table *out)
{
	size_t from = p->pos;

	if (p->dialect != SQL_MYSQL || !is_word(p, W_PARTITION) ||
	    token_ahead(p, 1)->kind != T_LEFT)
		return true;
	take_token(p);
	if (!parse_group(p))
		return false;
	out->partition = span_of(p, from, p->pos);
	return true;
}

/* MariaDB: FOR SYSTEM_TIME ..., FOR PORTION OF .... */
static bool no_periods(struct parser *p)
{
	if (is_word(p, W_FOR) &&
	    (is_word_at(p, 1, W_SYSTEM_TIME) || is_word_at(p, 1, W_PORTION)))
		return parse_fail(p, "a table without a period of time");
	return true;
}

bool table_ref(struct parser *p, bool target, struct sql_table *out)
{
	size_t from = p->pos;
	bool bracket = false;

	if (p->dialect == SQL_POSTGRES && accept_word(p, W_ONLY)) {
		out->only = true;
		bracket = accept_kind(p, T_LEFT);
	}
	if (!table_name(p, out) || (bracket && !expect_kind(p, T_RIGHT)))
		return false;
	if (p->dialect == SQL_POSTGRES)
		out->star = accept_op(p, "*");
	if (!partition(p, out) || !no_periods(p) ||
	    !alias_take(p, &out->alias) || !index_hints(p, out))
		return false;
	out->span = span_of(p, from, p->pos);
	return target || add_read(p, out);
}

/* (a, b text, c) behind an alias */
static bool alias_columns(struct parser *p)
{
	return !is_kind(p, T_LEFT) || parse_group(p);
}

/* PostgreSQL: TABLESAMPLE method (n) [REPEATABLE (n)] */
static bool sample(struct parser *p)
{
	if (p->dialect != SQL_POSTGRES || !is_word(p, W_TABLESAMPLE))
		return true;
	p->flags |= SQL_HAS_VOLATILE;
	take_token(p);
	if (!is_name(p, 0))
		return parse_fail(p, "a sampling method");
	take_token(p);
	if (!parse_group(p))
		return false;
	return !accept_word(p, W_REPEATABLE) || parse_group(p);
}

/* f(...) [WITH ORDINALITY] [AS alias (...)] */
static bool function_ref(struct parser *p, struct sql_table *out)
{
	struct sql_expr call;

	if (!parse_expr(p, &call))
		return false;
	accept_words(p, W_WITH, W_ORDINALITY);
	/* AS (a int, b text), without an alias */
	if (is_word(p, W_AS) && token_ahead(p, 1)->kind == T_LEFT)
		take_token(p);
	else if (!alias_take(p, &out->alias))
		return false;
	return alias_columns(p);
}

static bool is_function(const struct parser *p)
{
	size_t at = 0;

	if (!is_name(p, 0))
		return false;
	while (token_ahead(p, at + 1)->kind == T_DOT && is_name(p, at + 2))
		at += 2;
	return token_ahead(p, at + 1)->kind == T_LEFT;
}

static bool add_ref(struct parser *p, struct refs *refs,
		    const struct sql_table *t)
{
	struct sql_table *items =
		list_room(p, refs->tables, refs->n, sizeof *items);

	if (!items)
		return false;
	refs->tables = items;
	items[refs->n++] = *t;
	if (refs->n > 1 || t->name.text.len == 0 || is_cte(p, t))
		refs->joined = true;
	return true;
}

static bool join_tree(struct parser *p, struct refs *refs);

/* Whether the bracket here holds a query, and not tables: one in brackets of
 * its own may be the first table of a join. */
static bool holds_query(const struct parser *p)
{
	static const enum word behind[] = { W_UNION, W_INTERSECT, W_EXCEPT,
					    W_ORDER, W_LIMIT,     W_OFFSET,
					    W_FETCH, W_FOR,       W_MINUS,
					    W_NONE };
	size_t in = 0, at, depth = 1;

	while (token_ahead(p, in)->kind == T_LEFT)
		in++;
	if (!at_query(p, in) && token_ahead(p, in)->word != W_VALUES)
		return false;
	for (at = in; depth > 0 && token_ahead(p, at)->kind != T_END; at++) {
		if (token_ahead(p, at)->kind == T_LEFT)
			depth++;
		else if (token_ahead(p, at)->kind == T_RIGHT)
			depth--;
	}
	return in == 1 || token_ahead(p, at)->kind == T_RIGHT ||
	       is_one_of(token_ahead(p, at)->word, behind);
}

/* ( query ) or ( a JOIN b ); in the second case the tables are ours. */
static bool bracket_ref(struct parser *p, struct refs *refs,
			struct sql_table *out, bool *tables)
{
	*tables = !holds_query(p);
	if (!*tables) {
		p->flags |= SQL_HAS_SUBQUERY;
		if (!parse_group(p))
			return false;
		return alias_take(p, &out->alias) && alias_columns(p);
	}
	refs->joined = true;
	if (!nest_enter(p))
		return false;
	take_token(p);
	do {
		if (!join_tree(p, refs))
			return false;
	} while (accept_kind(p, T_COMMA));
	nest_leave(p);
	return expect_kind(p, T_RIGHT) && alias_take(p, &out->alias);
}

static bool one_ref(struct parser *p, struct refs *refs)
{
	struct sql_table t = { 0 };
	bool tables = false;
	size_t from;

	accept_word(p, W_LATERAL);
	from = p->pos;
	if (is_kind(p, T_LEFT)) {
		if (!bracket_ref(p, refs, &t, &tables))
			return false;
	} else if (is_function(p) && !is_word(p, W_ONLY)) {
		if (!function_ref(p, &t))
			return false;
	} else if (is_word(p, W_ROWS) && is_word_at(p, 1, W_FROM)) {
		p->pos += 2;
		if (!parse_group(p) || !alias_take(p, &t.alias) ||
		    !alias_columns(p))
			return false;
	} else {
		if (!table_ref(p, false, &t) || !alias_columns(p) || !sample(p))
			return false;
	}
	t.span = span_of(p, from, p->pos);
	return tables || add_ref(p, refs, &t);
}

/* [NATURAL] [INNER | CROSS | LEFT [OUTER] ...] JOIN; *is says if. */
static bool join_word(struct parser *p, bool *is)
{
	static const enum word before[] = {
		W_NATURAL, W_INNER, W_CROSS, W_LEFT,
		W_RIGHT,   W_FULL,  W_OUTER, W_NONE
	};
	size_t n = 0;

	while (token_ahead(p, n)->kind == T_WORD &&
	       is_one_of(token_ahead(p, n)->word, before))
		n++;
	*is = is_word_at(p, n, W_JOIN);
	if (*is)
		p->pos += n + 1;
	else if (n == 0 && p->dialect == SQL_MYSQL)
		*is = accept_word(p, W_STRAIGHT_JOIN);
	else if (n > 0 && is_word(p, W_CROSS))
		return parse_fail(p, "JOIN behind CROSS");
	return true;
}

/* ON of INSERT, not of a join. */
static bool at_upsert(const struct parser *p)
{
	return (is_word_at(p, 1, W_CONFLICT) &&
		(token_ahead(p, 2)->kind == T_LEFT || is_word_at(p, 2, W_ON) ||
		 is_word_at(p, 2, W_DO))) ||
	       (is_word_at(p, 1, W_DUPLICATE) && is_word_at(p, 2, W_KEY));
}

/* ON condition or USING (columns) */
static bool join_condition(struct parser *p, size_t *open)
{
	struct sql_expr condition;
	struct sql_name alias = { 0 };

	while (*open > 0) {
		if (is_word(p, W_ON) && !at_upsert(p)) {
			take_token(p);
			if (!parse_expr(p, &condition))
				return false;
		} else if (is_word(p, W_USING) &&
			   token_ahead(p, 1)->kind == T_LEFT) {
			take_token(p);
			if (!parse_group(p) ||
			    (p->dialect == SQL_POSTGRES && is_word(p, W_AS) &&
			     !alias_take(p, &alias)))
				return false;
		} else {
			break;
		}
		--*open;
	}
	return true;
}

static bool join_tree(struct parser *p, struct refs *refs)
{
	size_t open = 0; /* joins whose condition is still to come */
	bool join = false;

	do {
		if (!one_ref(p, refs) || !join_condition(p, &open) ||
		    !join_word(p, &join))
			return false;
		open += join;
	} while (join);
	return true;
}

bool from_list(struct parser *p, struct refs *refs, struct sql_expr *out)
{
	size_t from = p->pos;
	unsigned outer;

	*refs = (struct refs){ 0 };
	expr_begin(p, &outer);
	do {
		if (!join_tree(p, refs))
			return false;
	} while (accept_kind(p, T_COMMA));
	return expr_end(p, from, outer, out);
}
