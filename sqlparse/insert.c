#include "sqlparse/parser.h"

/*
 * INSERT and REPLACE.
 */

/* Between the verb and the table. */
static bool insert_words(struct parser *p)
{
	struct sql_statement *st = p->st;

	if (p->dialect == SQL_SQLITE && accept_word(p, W_OR)) {
		if (accept_word(p, W_IGNORE))
			st->on_conflict = SQL_CONFLICT_IGNORE;
		else if (accept_word(p, W_REPLACE))
			st->on_conflict = SQL_CONFLICT_REPLACE;
		else if (accept_word(p, W_ROLLBACK))
			parse_refuse(
				p,
				"OR ROLLBACK ends the transaction behind the "
				"agent's back: use OR ABORT");
		else if (accept_word(p, W_FAIL))
			parse_refuse(p,
				     "OR FAIL keeps a part of the statement's "
				     "changes: use OR ABORT");
		else if (!accept_word(p, W_ABORT))
			return parse_fail(p, "an action behind OR");
	}
	while (p->dialect == SQL_MYSQL) {
		if (accept_word(p, W_IGNORE)) {
			st->on_conflict = SQL_CONFLICT_IGNORE;
		} else if (accept_word(p, W_DELAYED)) {
			parse_refuse(p, "DELAYED rows are written after the "
					"transaction: leave it away");
		} else if (!accept_word(p, W_LOW_PRIORITY) &&
			   !accept_word(p, W_HIGH_PRIORITY)) {
			accept_word(p, W_INTO);
			return true;
		}
	}
	return expect_word(p, W_INTO);
}

static bool insert_target(struct parser *p)
{
	struct sql_table *t = &p->st->target;
	size_t from = p->pos;

	if (!table_name(p, t))
		return false;
	if (p->dialect == SQL_MYSQL && is_word(p, W_PARTITION)) {
		size_t at = p->pos;

		take_token(p);
		if (!parse_group(p))
			return false;
		t->partition = span_of(p, at, p->pos);
	}
	if (is_word(p, W_AS) && p->dialect != SQL_MYSQL &&
	    !alias_take(p, &t->alias))
		return false;
	t->span = span_of(p, from, p->pos);
	return true;
}

/* (a, b), unless the bracket opens a query. MySQL's may be empty. */
static bool insert_columns(struct parser *p)
{
	struct sql_statement *st = p->st;
	size_t in = 0;

	while (token_ahead(p, in)->kind == T_LEFT)
		in++;
	if (in == 0 || at_query(p, in) || is_word_at(p, in, W_VALUES))
		return true;
	st->has_columns = true;
	if (p->dialect == SQL_MYSQL && token_ahead(p, 1)->kind == T_RIGHT) {
		p->pos += 2;
		return true;
	}
	return column_list(p, &st->columns, &st->n_columns);
}

static bool overriding(struct parser *p)
{
	if (p->dialect != SQL_POSTGRES || !accept_word(p, W_OVERRIDING))
		return true;
	if (accept_word(p, W_SYSTEM))
		p->st->overriding_system = true;
	else if (accept_word(p, W_USER))
		p->st->overriding_user = true;
	else
		return parse_fail(p, "SYSTEM or USER behind OVERRIDING");
	return expect_word(p, W_VALUE);
}

static bool insert_query(struct parser *p)
{
	size_t from = p->pos;
	unsigned outer;

	p->st->source = SQL_FROM_SELECT;
	expr_begin(p, &outer);
	if (!parse_query(p, NULL))
		return false;
	return expr_end(p, from, outer, &p->st->query);
}

/* A row of VALUES must fit the columns, if they were named. */
static bool check_rows(struct parser *p)
{
	const struct sql_statement *st = p->st;
	size_t want = st->has_columns ? st->n_columns : st->rows[0].n_values;

	for (size_t i = 0; i < st->n_rows; i++) {
		if (st->rows[i].n_values != want)
			parse_refuse(
				p, "a row has more or fewer values than there "
				   "are columns");
	}
	return true;
}

static bool insert_values(struct parser *p)
{
	struct sql_statement *st = p->st;

	take_token(p);
	st->source = SQL_FROM_VALUES;
	if (!value_rows(p, st))
		return false;
	if (st->rows[0].n_values == 0 && p->dialect != SQL_MYSQL)
		return parse_fail(p, "a value");
	if (st->rows[0].n_values == 0 && st->n_rows == 1 && st->n_columns == 0)
		st->source = SQL_FROM_DEFAULTS;
	return check_rows(p);
}

/* MySQL: INSERT t SET a = 1 */
static bool insert_set(struct parser *p)
{
	struct sql_statement *st = p->st;
	size_t from;

	take_token(p);
	from = p->pos;
	st->source = SQL_FROM_SET;
	if (!assign_list(p, &st->assigns, &st->n_assigns))
		return false;
	st->set = span_of(p, from, p->pos);
	return true;
}

static bool insert_source(struct parser *p)
{
	bool mysql = p->dialect == SQL_MYSQL;

	if (is_word(p, W_VALUES) || (mysql && is_word(p, W_VALUE)))
		return insert_values(p);
	if (mysql && is_word(p, W_SET))
		return insert_set(p);
	if (!mysql && accept_words(p, W_DEFAULT, W_VALUES)) {
		p->st->source = SQL_FROM_DEFAULTS;
		return true;
	}
	if (at_query(p, 0) || is_kind(p, T_LEFT))
		return insert_query(p);
	return parse_fail(p, "VALUES or SELECT");
}

/* MySQL 8: AS new (a, b) */
static bool row_alias(struct parser *p)
{
	size_t from = p->pos;

	if (p->dialect != SQL_MYSQL || !is_word(p, W_AS))
		return true;
	if (!alias_take(p, &p->st->row_name) ||
	    (is_kind(p, T_LEFT) && !parse_group(p)))
		return false;
	p->st->row_alias = span_of(p, from, p->pos);
	return true;
}

/* ---- ON CONFLICT, ON DUPLICATE KEY ---- */

/* An item of a conflict target: a column, maybe with collation and order, or
 * an expression. */
static bool target_item(struct parser *p, struct sql_upsert *u)
{
	struct sql_column *items;
	struct sql_expr item;
	bool column =
		is_free_name(p, 0) && (token_ahead(p, 1)->kind == T_COMMA ||
				       token_ahead(p, 1)->kind == T_RIGHT);

	if (!column) {
		u->target_exprs = true;
		if (!parse_expr(p, &item))
			return false;
		/* PostgreSQL: an operator class. */
		if (is_free_name(p, 0) && p->dialect == SQL_POSTGRES)
			take_token(p);
		if (!accept_word(p, W_ASC))
			accept_word(p, W_DESC);
		return true;
	}
	items = list_room(p, u->columns, u->n_columns, sizeof *items);
	if (!items)
		return false;
	u->columns = items;
	return column_take(p, &items[u->n_columns++]);
}

static bool conflict_target(struct parser *p, struct sql_upsert *u)
{
	size_t from = p->pos;

	if (p->dialect == SQL_POSTGRES && accept_words(p, W_ON, W_CONSTRAINT))
		return name_expect(p, "a constraint's name", &u->constraint);
	if (!is_kind(p, T_LEFT))
		return true;
	take_token(p);
	do {
		if (!target_item(p, u))
			return false;
	} while (accept_kind(p, T_COMMA));
	if (!expect_kind(p, T_RIGHT))
		return false;
	u->target = span_of(p, from, p->pos);
	return !accept_word(p, W_WHERE) || parse_expr(p, &u->target_where);
}

static bool on_conflict(struct parser *p, struct sql_upsert *u)
{
	if (!conflict_target(p, u) || !expect_word(p, W_DO))
		return false;
	if (accept_word(p, W_NOTHING)) {
		u->action = SQL_CONFLICT_NOTHING;
		return true;
	}
	u->action = SQL_CONFLICT_UPDATE;
	if (!expect_word(p, W_UPDATE) || !expect_word(p, W_SET) ||
	    !assign_list(p, &u->assigns, &u->n_assigns))
		return false;
	return !accept_word(p, W_WHERE) || parse_expr(p, &u->where);
}

static bool on_duplicate(struct parser *p, struct sql_upsert *u)
{
	u->action = SQL_CONFLICT_DUPLICATE;
	return expect_word(p, W_DUPLICATE) && expect_word(p, W_KEY) &&
	       expect_word(p, W_UPDATE) &&
	       assign_list(p, &u->assigns, &u->n_assigns);
}

static bool upserts(struct parser *p)
{
	struct sql_statement *st = p->st;

	while (is_word(p, W_ON)) {
		struct sql_upsert *items =
			list_room(p, st->upserts, st->n_upserts, sizeof *items);
		size_t from = p->pos;

		if (!items)
			return false;
		st->upserts = items;
		items += st->n_upserts++;
		take_token(p);
		if (p->dialect == SQL_MYSQL ? !on_duplicate(p, items)
					    : !expect_word(p, W_CONFLICT) ||
						      !on_conflict(p, items))
			return false;
		items->span = span_of(p, from, p->pos);
		if (p->dialect != SQL_SQLITE)
			break;
	}
	return true;
}

bool insert_statement(struct parser *p)
{
	struct sql_statement *st = p->st;
	size_t from = p->pos;

	st->kind = SQL_INSERT;
	if (is_word(p, W_REPLACE)) {
		st->kind = SQL_REPLACE;
		st->on_conflict = SQL_CONFLICT_REPLACE;
	}
	take_token(p);
	if (!insert_words(p))
		return false;
	st->verb = span_of(p, from, p->pos);
	if (!insert_target(p) || !insert_columns(p) || !overriding(p) ||
	    !insert_source(p) || !row_alias(p) || !upserts(p))
		return false;
	if (is_cte(p, &st->target))
		parse_refuse(p,
			     "the table has the name of a WITH query: rename "
			     "the query");
	return returning_clause(p);
}
