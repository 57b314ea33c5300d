#include "sqlparse/literal.h"
#include "sqlparse/parser.h"

bool name_take(struct parser *p, struct sql_name *out)
{
	const struct token *t = peek_token(p);
	int rc;

	REQUIRE(is_name(p, 0));
	out->quoted = t->kind == T_NAME;
	out->span = (struct sql_span){ t->at, t->len };
	rc = literal_name(p->arena, p->dialect, token_text(p, t), out->quoted,
			  &out->text);
	if (rc == E_NOMEM)
		return out_of_memory(p);
	if (rc != OK || out->text.len == 0)
		return parse_fail(p,
				  "a name that is not empty and has no broken "
				  "escape");
	take_token(p);
	if (is_word(p, W_UESCAPE))
		return parse_fail(p, "a name without UESCAPE");
	return true;
}

bool name_expect(struct parser *p, const char *what, struct sql_name *out)
{
	return is_free_name(p, 0) ? name_take(p, out) : parse_fail(p, what);
}

/* The next part behind a dot, where reserved words are free too. */
static bool dotted(struct parser *p, struct sql_name *out)
{
	take_token(p);
	return is_name(p, 0) ? name_take(p, out)
			     : parse_fail(p, "a name behind the dot");
}

bool table_name(struct parser *p, struct sql_table *out)
{
	size_t from = p->pos;

	if (!name_expect(p, "a table name", &out->name))
		return false;
	if (is_kind(p, T_DOT)) {
		out->schema = out->name;
		if (!dotted(p, &out->name))
			return false;
	}
	if (is_kind(p, T_DOT) && p->dialect == SQL_POSTGRES) {
		out->database = out->schema;
		out->schema = out->name;
		if (!dotted(p, &out->name))
			return false;
	}
	out->name_span = span_of(p, from, p->pos);
	out->span = out->name_span;
	return true;
}

/* Words that some dialect would take for an alias, but that start a clause
 * at the places where an alias can stand. */
static const enum word clause_words[] = { W_SET,    W_RETURNING, W_WINDOW,
					  W_CROSS,  W_INNER,     W_LEFT,
					  W_RIGHT,  W_OUTER,     W_NATURAL,
					  W_JOIN,   W_INDEXED,   W_FOR,
					  W_VALUES, W_SELECT,    W_NONE };

bool alias_take(struct parser *p, struct sql_name *out)
{
	if (accept_word(p, W_AS))
		return is_name(p, 0) ? name_take(p, out)
				     : parse_fail(p, "an alias behind AS");
	if (!is_free_name(p, 0) ||
	    (is_kind(p, T_WORD) &&
	     is_one_of(peek_token(p)->word, clause_words)) ||
	    (is_word(p, W_FULL) && p->dialect != SQL_MYSQL))
		return true;
	return name_take(p, out);
}

/* What PostgreSQL allows behind a column to mean a part of it. */
static bool column_part(struct parser *p, struct sql_column *out)
{
	struct sql_name field;

	while (is_kind(p, T_DOT) || is_kind(p, T_OPEN)) {
		out->part = true;
		if (is_kind(p, T_DOT) ? !dotted(p, &field) : !parse_loose(p))
			return false;
	}
	return true;
}

bool column_take(struct parser *p, struct sql_column *out)
{
	size_t from = p->pos;

	if (!name_expect(p, "a column name", &out->name))
		return false;
	if (p->dialect == SQL_POSTGRES && !column_part(p, out))
		return false;
	if (is_kind(p, T_DOT) && p->dialect == SQL_MYSQL) {
		out->qualifier = out->name;
		if (!dotted(p, &out->name))
			return false;
	}
	if (is_kind(p, T_DOT) && p->dialect == SQL_MYSQL) {
		out->qualifier = out->name;
		if (!dotted(p, &out->name))
			return false;
	}
	out->span = span_of(p, from, p->pos);
	return true;
}

bool column_list(struct parser *p, struct sql_column **items, size_t *n)
{
	if (!expect_kind(p, T_LEFT))
		return false;
	do {
		struct sql_column *bigger =
			list_room(p, *items, *n, sizeof *bigger);

		if (!bigger)
			return false;
		*items = bigger;
		if (!column_take(p, &bigger[(*n)++]))
			return false;
	} while (accept_kind(p, T_COMMA));
	return expect_kind(p, T_RIGHT);
}

bool is_cte(const struct parser *p, const struct sql_table *t)
{
	for (size_t i = 0; t->schema.text.len == 0 && i < p->n_ctes; i++) {
		if (sql_same_name(p->dialect, p->ctes[i].text, t->name.text))
			return true;
	}
	return false;
}
