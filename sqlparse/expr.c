#include "sqlparse/parser.h"

/*
 * Expressions: where they end and what is in them. No tree is built. Outside
 * brackets operands and operators alternate, so that a word is never taken
 * for the wrong one of clause, operator and name; within brackets nothing can
 * end but the bracket, so only sub-queries, calls and names matter there.
 */

/* ---- operands ---- */

static const enum word time_units[] = { W_MICROSECOND,
					W_SECOND,
					W_MINUTE,
					W_HOUR,
					W_DAY,
					W_WEEK,
					W_MONTH,
					W_QUARTER,
					W_YEAR,
					W_SECOND_MICROSECOND,
					W_MINUTE_MICROSECOND,
					W_MINUTE_SECOND,
					W_HOUR_MICROSECOND,
					W_HOUR_SECOND,
					W_HOUR_MINUTE,
					W_DAY_MICROSECOND,
					W_DAY_SECOND,
					W_DAY_MINUTE,
					W_DAY_HOUR,
					W_YEAR_MONTH,
					W_NONE };

/* PostgreSQL: YEAR TO MONTH, SECOND(3), ... behind an interval. */
static bool interval_fields(struct parser *p)
{
	if (!is_kind(p, T_WORD) || !is_one_of(peek_token(p)->word, time_units))
		return true;
	do {
		take_token(p);
	} while (accept_word(p, W_TO));
	return !is_kind(p, T_LEFT) || parse_group(p);
}

/* WITH TIME ZONE, WITHOUT TIME ZONE */
static void accept_time_zone(struct parser *p)
{
	if ((is_word(p, W_WITH) || is_word(p, W_WITHOUT)) &&
	    is_word_at(p, 1, W_TIME) && is_word_at(p, 2, W_ZONE))
		p->pos += 3;
}

static bool array_bounds(struct parser *p)
{
	accept_word(p, W_ARRAY);
	while (is_kind(p, T_OPEN)) {
		if (!brackets(p))
			return false;
	}
	return true;
}

bool type_name(struct parser *p)
{
	bool interval = is_word(p, W_INTERVAL);

	do {
		if (!is_name(p, 0))
			return parse_fail(p, "a type name");
		take_token(p);
	} while (accept_kind(p, T_DOT));
	while (accept_word(p, W_PRECISION) || accept_word(p, W_VARYING))
		;
	if (is_kind(p, T_LEFT) && !parse_group(p))
		return false;
	accept_time_zone(p);
	if (interval && !interval_fields(p))
		return false;
	return array_bounds(p);
}

/* PostgreSQL: INTERVAL '1 day', INTERVAL(3) '1', INTERVAL '1' DAY */
static bool interval(struct parser *p)
{
	take_token(p);
	if (is_kind(p, T_LEFT) && !parse_group(p))
		return false;
	if (!accept_kind(p, T_STRING))
		return parse_fail(p, "a string behind INTERVAL");
	return interval_fields(p);
}

/* Reserved words that are operands, and those that are when they have
 * arguments. The others end an expression. */
static const enum word value_words[] = { W_NULL,
					 W_TRUE,
					 W_FALSE,
					 W_DEFAULT,
					 W_CURRENT_DATE,
					 W_CURRENT_TIME,
					 W_CURRENT_TIMESTAMP,
					 W_CURRENT_USER,
					 W_CURRENT_ROLE,
					 W_LOCALTIME,
					 W_LOCALTIMESTAMP,
					 W_USER,
					 W_NONE };

static const enum word call_words[] = {
	W_ANY,     W_ALL,    W_ARRAY,  W_CAST,     W_CHARACTER, W_CONVERT,
	W_DEFAULT, W_EXISTS, W_GLOB,   W_IF,       W_INSERT,    W_LEFT,
	W_LIKE,    W_MATCH,  W_MOD,    W_REPEAT,   W_REPLACE,   W_RIGHT,
	W_ROW,     W_SOME,   W_VALUES, W_INTERVAL, W_BINARY,    W_NONE
};

/* a.b.c, a.*, f(...), type 'literal' */
static bool chain(struct parser *p)
{
	const struct token *first = peek_token(p), *last = take_token(p);
	bool parts = false;

	while (accept_kind(p, T_DOT)) {
		parts = true;
		last = peek_token(p);
		if (!is_name(p, 0) && !is_op(p, "*"))
			return parse_fail(p, "a name behind the dot");
		take_token(p);
	}
	if (is_kind(p, T_LEFT)) {
		note_name(p, last);
		if (!parse_group(p))
			return false;
	} else if (!parts) {
		note_name(p, last);
	} else {
		p->flags |= SQL_HAS_COLUMN;
		/* s.nextval and the like */
		if (p->dialect == SQL_MYSQL && last->kind == T_WORD &&
		    function_flags(p->dialect, token_text(p, last)) &
			    SQL_HAS_VOLATILE)
			p->flags |= SQL_HAS_VOLATILE;
	}
	if (p->dialect == SQL_POSTGRES && first->kind == T_WORD) {
		while (accept_word(p, W_PRECISION) || accept_word(p, W_VARYING))
			;
		accept_time_zone(p);
	}
	if (p->dialect == SQL_POSTGRES && is_kind(p, T_STRING))
		take_token(p);
	if (p->dialect == SQL_MYSQL &&
	    (is_kind(p, T_STRING) || is_kind(p, T_BYTES)) &&
	    (first->word == W_DATE || first->word == W_TIME ||
	     first->word == W_TIMESTAMP ||
	     (first->kind == T_WORD && token_text(p, first).data[0] == '_')))
		take_token(p);
	return true;
}

/* NOT, and what else stands before an operand. In MySQL INTERVAL does, and
 * its unit comes behind an operand. */
static bool prefix(struct parser *p, size_t *units)
{
	if (is_kind(p, T_OP)) {
		if (is_op(p, "*") || is_op(p, "=") || is_op(p, "::") ||
		    is_op(p, ":") || is_op(p, ":="))
			return false;
		take_token(p);
		return true;
	}
	if (accept_word(p, W_NOT))
		return true;
	if (p->dialect != SQL_MYSQL)
		return false;
	if (accept_word(p, W_INTERVAL)) {
		++*units;
		return true;
	}
	return token_ahead(p, 1)->kind != T_LEFT && accept_word(p, W_BINARY);
}

static bool word_operand(struct parser *p)
{
	const struct token *t = peek_token(p);
	bool call = token_ahead(p, 1)->kind == T_LEFT;
	bool dot = token_ahead(p, 1)->kind == T_DOT;

	if (t->word == W_CASE)
		return case_expr(p);
	if (t->word == W_INTERVAL && p->dialect == SQL_POSTGRES &&
	    (token_ahead(p, 1)->kind == T_STRING || call))
		return interval(p);
	if (t->word == W_ARRAY && token_ahead(p, 1)->kind == T_OPEN) {
		take_token(p);
		return array_bounds(p);
	}
	if (word_reserved(t->word, p->dialect) &&
	    !is_one_of(t->word, value_words) &&
	    !(call && is_one_of(t->word, call_words)) &&
	    !(dot && t->word == W_VALUES))
		return parse_fail(p, "an expression");
	return chain(p);
}

static bool operand(struct parser *p, size_t *units)
{
	while (prefix(p, units))
		;
	switch (peek_token(p)->kind) {
	case T_STRING:
		do {
			take_token(p);
		} while (p->dialect == SQL_MYSQL && is_kind(p, T_STRING));
		return true;
	case T_VARIABLE:
		p->flags |= SQL_HAS_VARIABLE;
		take_token(p);
		return true;
	case T_NUMBER:
	case T_BYTES:
	case T_PARAM:
		take_token(p);
		return true;
	case T_LEFT:
		return parse_group(p);
	case T_NAME:
		return chain(p);
	case T_WORD:
		return word_operand(p);
	default:
		return parse_fail(p, "an expression");
	}
}

/* ---- what follows an operand ---- */

enum after {
	AFTER_END,     /* the expression ends here */
	AFTER_OPERAND, /* an operator: an operand must follow */
	AFTER_MORE,    /* something that belongs to the operand */
	AFTER_FAILED,
};

static enum after more_if(bool ok)
{
	return ok ? AFTER_MORE : AFTER_FAILED;
}

static enum after after_is(struct parser *p)
{
	static const enum word states[] = { W_NULL,    W_TRUE,     W_FALSE,
					    W_UNKNOWN, W_DOCUMENT, W_NORMALIZED,
					    W_NONE };

	take_token(p);
	accept_word(p, W_NOT);
	if (is_kind(p, T_WORD) && is_one_of(peek_token(p)->word, states)) {
		take_token(p);
		return AFTER_MORE;
	}
	if (accept_words(p, W_DISTINCT, W_FROM))
		return AFTER_OPERAND;
	if (p->dialect == SQL_SQLITE)
		return AFTER_OPERAND;
	parse_fail(p, "NULL, TRUE, FALSE, UNKNOWN or DISTINCT FROM behind IS");
	return AFTER_FAILED;
}

/* NOT LIKE and the like; NOT alone ends the expression. */
static enum after after_not(struct parser *p)
{
	static const enum word negated[] = { W_LIKE,    W_ILIKE,   W_IN,
					     W_BETWEEN, W_SIMILAR, W_REGEXP,
					     W_GLOB,    W_MATCH,   W_RLIKE,
					     W_NONE };
	const struct token *t = token_ahead(p, 1);

	if (t->kind != T_WORD)
		return AFTER_END;
	if (t->word == W_NULL && p->dialect == SQL_SQLITE) {
		p->pos += 2;
		return AFTER_MORE;
	}
	if (!is_one_of(t->word, negated))
		return AFTER_END;
	take_token(p);
	return AFTER_MORE;
}

static enum after after_in(struct parser *p)
{
	struct sql_table t = { 0 };

	take_token(p);
	if (p->dialect != SQL_SQLITE || !is_free_name(p, 0))
		return AFTER_OPERAND;
	p->flags |= SQL_HAS_SUBQUERY; /* IN table */
	if (!table_ref(p, false, &t))
		return AFTER_FAILED;
	return AFTER_MORE;
}

static enum after after_collate(struct parser *p)
{
	take_token(p);
	do {
		if (!is_name(p, 0) && !is_kind(p, T_STRING)) {
			parse_fail(p, "a collation");
			return AFTER_FAILED;
		}
		take_token(p);
	} while (accept_kind(p, T_DOT));
	return AFTER_MORE;
}

/* OVER w, OVER (...), FILTER (...), WITHIN GROUP (...) */
static enum after after_call(struct parser *p)
{
	if (is_word(p, W_OVER) && is_free_name(p, 1)) {
		p->pos += 2;
		return AFTER_MORE;
	}
	if (is_word(p, W_WITHIN) && is_word_at(p, 1, W_GROUP))
		take_token(p);
	if (token_ahead(p, 1)->kind != T_LEFT)
		return AFTER_END;
	take_token(p);
	return more_if(parse_group(p));
}

static enum after two_words(struct parser *p, enum word second, enum after then)
{
	if (!is_word_at(p, 1, second))
		return AFTER_END;
	p->pos += 2;
	return then;
}

/* Operators that are words, by dialect. */
static bool word_operator(const struct parser *p, enum word w)
{
	static const enum word all[] = { W_AND, W_OR, W_LIKE, W_ESCAPE,
					 W_NONE };
	static const enum word postgres[] = { W_ILIKE, W_OVERLAPS, W_NONE };
	static const enum word mysql[] = { W_XOR,   W_DIV,     W_MOD, W_REGEXP,
					   W_RLIKE, W_AGAINST, W_NONE };
	static const enum word sqlite[] = { W_REGEXP, W_GLOB, W_MATCH, W_NONE };
	static const enum word *const own[] = { postgres, mysql, sqlite };

	return is_one_of(w, all) || is_one_of(w, own[p->dialect]);
}

static enum after after_word(struct parser *p, size_t *units)
{
	enum word w = peek_token(p)->word;

	if (word_operator(p, w)) {
		take_token(p);
		return AFTER_OPERAND;
	}
	if (*units > 0 && is_one_of(w, time_units)) {
		take_token(p);
		--*units;
		return AFTER_MORE;
	}
	switch (w) {
	case W_NOT:
		return after_not(p);
	case W_IN:
		return after_in(p);
	case W_IS:
		return after_is(p);
	case W_COLLATE:
		return after_collate(p);
	case W_BETWEEN:
		take_token(p);
		if (p->dialect == SQL_POSTGRES && !accept_word(p, W_SYMMETRIC))
			accept_word(p, W_ASYMMETRIC);
		return AFTER_OPERAND;
	case W_SIMILAR:
		return two_words(p, W_TO, AFTER_OPERAND);
	case W_SOUNDS:
		return two_words(p, W_LIKE, AFTER_OPERAND);
	case W_MEMBER:
		return two_words(p, W_OF, AFTER_OPERAND);
	case W_IGNORE:
	case W_RESPECT:
		return two_words(p, W_NULLS, AFTER_MORE);
	case W_AT:
		if (p->dialect != SQL_POSTGRES)
			return AFTER_END;
		if (is_word_at(p, 1, W_LOCAL))
			return two_words(p, W_LOCAL, AFTER_MORE);
		if (!is_word_at(p, 2, W_ZONE))
			return AFTER_END;
		take_token(p);
		return two_words(p, W_ZONE, AFTER_OPERAND);
	case W_OVER:
	case W_FILTER:
	case W_WITHIN:
		return after_call(p);
	case W_OPERATOR:
		if (p->dialect != SQL_POSTGRES ||
		    token_ahead(p, 1)->kind != T_LEFT)
			return AFTER_END;
		take_token(p);
		return parse_group(p) ? AFTER_OPERAND : AFTER_FAILED;
	case W_UESCAPE:
		if (p->dialect != SQL_POSTGRES)
			return AFTER_END;
		take_token(p);
		return AFTER_OPERAND;
	default:
		break;
	}
	if ((w == W_ISNULL || w == W_NOTNULL) && p->dialect != SQL_MYSQL) {
		take_token(p);
		return AFTER_MORE;
	}
	return AFTER_END;
}

static enum after after_operand(struct parser *p, size_t *units)
{
	switch (peek_token(p)->kind) {
	case T_OP:
		if (p->dialect == SQL_POSTGRES && accept_op(p, "::"))
			return more_if(type_name(p));
		if (p->dialect == SQL_POSTGRES &&
		    (is_op(p, ":") || is_op(p, ":=")))
			return AFTER_END;
		if (is_op(p, ":="))
			p->flags |= SQL_HAS_VOLATILE;
		take_token(p);
		return AFTER_OPERAND;
	case T_OPEN:
		return more_if(brackets(p));
	case T_DOT:
		take_token(p);
		if (!is_name(p, 0) && !is_op(p, "*"))
			return more_if(parse_fail(p, "a field behind the dot"));
		take_token(p);
		return AFTER_MORE;
	case T_WORD:
		return after_word(p, units);
	default:
		return AFTER_END;
	}
}

static bool scan(struct parser *p)
{
	enum after after = AFTER_OPERAND;
	size_t units = 0; /* MySQL intervals whose unit is still to come */

	while (after != AFTER_END) {
		if (after == AFTER_OPERAND && !operand(p, &units))
			return false;
		after = after_operand(p, &units);
		if (after == AFTER_FAILED)
			return false;
	}
	return true;
}

/* ---- the descriptions ---- */

/* The first of the statement's parameters that is not before `at`. */
static size_t param_at(const struct parser *p, size_t at)
{
	size_t low = 0, high = p->st->n_params;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (p->st->params[middle].span.at < at)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

void expr_begin(struct parser *p, unsigned *outer)
{
	*outer = p->flags;
	p->flags = 0;
}

bool expr_end(struct parser *p, size_t from, unsigned outer,
	      struct sql_expr *out)
{
	struct sql_span span = span_of(p, from, p->pos);

	*out = (struct sql_expr){ .span = span, .flags = p->flags };
	out->first_param = param_at(p, span.at);
	out->n_params = param_at(p, span.at + span.len) - out->first_param;
	p->flags |= outer;
	return simple_value(p, from, p->pos, out);
}

bool parse_expr(struct parser *p, struct sql_expr *out)
{
	size_t from = p->pos;
	unsigned outer;

	expr_begin(p, &outer);
	return scan(p) && expr_end(p, from, outer, out);
}

/* ASC, DESC, USING op, NULLS FIRST */
static void accept_order(struct parser *p)
{
	if (!accept_word(p, W_ASC) && !accept_word(p, W_DESC) &&
	    p->dialect == SQL_POSTGRES && is_word(p, W_USING) &&
	    token_ahead(p, 1)->kind == T_OP)
		p->pos += 2;
	if (is_word(p, W_NULLS) &&
	    (is_word_at(p, 1, W_FIRST) || is_word_at(p, 1, W_LAST)))
		p->pos += 2;
}

bool parse_expr_list(struct parser *p, struct sql_expr *out)
{
	size_t from = p->pos;
	unsigned outer;

	expr_begin(p, &outer);
	do {
		if (!scan(p))
			return false;
		accept_order(p);
	} while (accept_kind(p, T_COMMA));
	return expr_end(p, from, outer, out);
}
