#include "sqlparse/parser.h"

/*
 * What stands in brackets and between CASE and END: tokens of no importance,
 * but for sub-queries, calls and names.
 */

void note_name(struct parser *p, const struct token *t)
{
	struct bytes name = token_text(p, t);

	if (t->kind == T_NAME && name.len >= 2)
		name = (struct bytes){ name.data + 1, name.len - 2 };
	if (is_kind(p, T_LEFT))
		p->flags |= function_flags(p->dialect, name);
	else if (t->kind == T_NAME)
		p->flags |= SQL_HAS_COLUMN;
	else if (t->word == W_DEFAULT)
		p->flags |= SQL_HAS_DEFAULT;
	else
		p->flags |= bare_word_flags(p->dialect, name);
}

/* CASE ... END; CASE was not passed yet. */
bool case_expr(struct parser *p)
{
	if (!nest_enter(p))
		return false;
	take_token(p);
	while (!accept_word(p, W_END)) {
		if (!parse_loose(p))
			return false;
	}
	nest_leave(p);
	return true;
}

bool brackets(struct parser *p)
{
	if (!nest_enter(p))
		return false;
	take_token(p);
	while (!accept_kind(p, T_CLOSE)) {
		if (!parse_loose(p))
			return false;
	}
	nest_leave(p);
	return true;
}

bool parse_loose(struct parser *p)
{
	const struct token *t = peek_token(p);

	switch (t->kind) {
	case T_END:
	case T_RIGHT:
	case T_CLOSE:
	case T_SEMICOLON:
		return parse_fail(p, "the closing bracket or END");
	case T_LEFT:
		return parse_group(p);
	case T_OPEN:
		return brackets(p);
	case T_DOT:
		take_token(p);
		if (!is_name(p, 0))
			return true;
		t = take_token(p);
		if (is_kind(p, T_LEFT))
			note_name(p, t);
		return true;
	case T_WORD:
		if (t->word == W_CASE)
			return case_expr(p);
		if (t->word == W_SELECT)
			return parse_query(p, NULL);
		break;
	case T_VARIABLE:
		p->flags |= SQL_HAS_VARIABLE;
		break;
	case T_OP:
		if (p->dialect == SQL_MYSQL && is_op(p, ":="))
			p->flags |= SQL_HAS_VOLATILE;
		break;
	default:
		break;
	}
	take_token(p);
	if (t->kind == T_WORD || t->kind == T_NAME)
		note_name(p, t);
	return true;
}

bool at_query(const struct parser *p, size_t at)
{
	const struct token *t = token_ahead(p, at);

	if (t->kind != T_WORD)
		return false;
	/* MySQL's VALUES(a) is a function. */
	return t->word == W_SELECT || t->word == W_WITH ||
	       (t->word == W_VALUES && p->dialect != SQL_MYSQL) ||
	       (t->word == W_TABLE && p->dialect != SQL_SQLITE);
}

bool parse_group(struct parser *p)
{
	if (!nest_enter(p) || !expect_kind(p, T_LEFT))
		return false;
	if (at_query(p, 0)) {
		p->flags |= SQL_HAS_SUBQUERY;
		if (!parse_query(p, NULL))
			return false;
		if (!is_kind(p, T_RIGHT))
			return parse_fail(p, "the end of the sub-query");
	}
	while (!accept_kind(p, T_RIGHT)) {
		if (!parse_loose(p))
			return false;
	}
	nest_leave(p);
	return true;
}
