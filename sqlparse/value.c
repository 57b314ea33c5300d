#include "sqlparse/literal.h"
#include "sqlparse/parser.h"

/*
 * Expressions that are one value, and conditions that compare a column with
 * one: what the agent can use without asking the database.
 */

/* The text of a number is copied: its sign may stand apart. */
static bool number(struct parser *p, const struct token *sign,
		   const struct token *t, struct sql_expr *out)
{
	struct bytes text = token_text(p, t);
	uint8_t *copy;

	if (text.len > 1 && text.data[0] == '0' &&
	    (text.data[1] | 0x20) >= 'a' && (text.data[1] | 0x20) != 'e')
		return true; /* 0x..: signs and sizes differ too much */
	copy = arena_alloc(p->arena, text.len + 1);
	if (!copy)
		return out_of_memory(p);
	out->simple = SQL_NUMBER;
	out->text = (struct bytes){ copy, text.len };
	if (sign && token_text(p, sign).data[0] == '-') {
		*copy++ = '-';
		out->text.len++;
	}
	memcpy(copy, text.data, text.len);
	return true;
}

static bool decoded(struct parser *p, const struct token *t,
		    struct sql_expr *out)
{
	struct bytes text = token_text(p, t);
	int rc =
		t->kind == T_STRING
			? literal_string(p->arena, p->dialect, p->options, text,
					 &out->text)
			: literal_bytes(p->arena, p->dialect, text, &out->text);

	if (rc == E_NOMEM)
		return out_of_memory(p);
	if (rc == OK)
		out->simple = t->kind == T_STRING ? SQL_STRING : SQL_BYTES;
	return true;
}

static void word_value(const struct parser *p, enum word w,
		       struct sql_expr *out)
{
	if (w == W_NULL)
		out->simple = SQL_NULL;
	else if (w == W_DEFAULT)
		out->simple = SQL_DEFAULT;
	/* In SQLite a column may have these names. */
	if (p->dialect == SQL_SQLITE || (w != W_TRUE && w != W_FALSE))
		return;
	out->simple = SQL_BOOL;
	out->text = w == W_TRUE ? BYTES("true") : BYTES("false");
	out->flags &= ~(unsigned)SQL_HAS_COLUMN;
}

bool simple_value(struct parser *p, size_t from, size_t to,
		  struct sql_expr *out)
{
	const struct token *t = &p->tokens[from];
	const struct token *sign = NULL;

	out->simple = SQL_EXPR;
	if (to - from == 2 && t->kind == T_OP && t->len == 1 &&
	    (token_text(p, t).data[0] == '-' ||
	     token_text(p, t).data[0] == '+') &&
	    t[1].kind == T_NUMBER)
		sign = t++;
	else if (to - from != 1)
		return true;
	switch (t->kind) {
	case T_NUMBER:
		return number(p, sign, t, out);
	case T_STRING:
	case T_BYTES:
		return decoded(p, t, out);
	case T_PARAM:
		out->simple = SQL_PARAM;
		out->param = out->first_param;
		return true;
	case T_WORD:
		word_value(p, t->word, out);
		if (out->simple != SQL_EXPR)
			out->flags &= ~(unsigned)SQL_HAS_COLUMN;
		return true;
	default:
		return true;
	}
}

/* ---- column = value ---- */

struct range {
	size_t from;
	size_t to;
};

/* Move *i behind whatever is opened there, or by one token. Within brackets
 * only brackets count: END may be a name there. */
static void step(const struct parser *p, size_t *i, size_t to)
{
	size_t depth = 0, cases = 0;

	do {
		const struct token *t = &p->tokens[*i];
		bool dotted = *i > 0 && t[-1].kind == T_DOT;

		if (t->kind == T_LEFT || t->kind == T_OPEN)
			depth++;
		else if ((t->kind == T_RIGHT || t->kind == T_CLOSE) && depth)
			depth--;
		else if (t->kind == T_WORD && depth == 0 && !dotted)
			cases = t->word == W_CASE           ? cases + 1
				: t->word == W_END && cases ? cases - 1
							    : cases;
		++*i;
	} while (depth + cases > 0 && *i < to);
}

enum joint { JOINT_NONE, JOINT_AND, JOINT_OR, JOINT_BETWEEN };

static enum joint joint(const struct parser *p, size_t i)
{
	const struct token *t = &p->tokens[i];
	struct bytes text = token_text(p, t);

	if (t->kind == T_OP && p->dialect == SQL_MYSQL) {
		if (bytes_equal(text, BYTES("||")))
			return JOINT_OR;
		if (bytes_equal(text, BYTES("&&")))
			return JOINT_AND;
	}
	if (t->kind != T_WORD || (i > 0 && t[-1].kind == T_DOT))
		return JOINT_NONE;
	switch (t->word) {
	case W_AND:
		return JOINT_AND;
	case W_OR:
	case W_XOR:
		return JOINT_OR;
	case W_BETWEEN:
		return JOINT_BETWEEN;
	default:
		return JOINT_NONE;
	}
}

/* Where the first condition of the range ends; its AND is there, or the end.
 * An OR anywhere makes the whole range one condition. */
static size_t first_condition(const struct parser *p, struct range r)
{
	size_t end = r.to, betweens = 0;

	for (size_t i = r.from; i < r.to; step(p, &i, r.to)) {
		switch (joint(p, i)) {
		case JOINT_OR:
			return r.to;
		case JOINT_BETWEEN:
			betweens++;
			break;
		case JOINT_AND:
			if (betweens > 0)
				betweens--;
			else if (end == r.to)
				end = i;
			break;
		case JOINT_NONE:
			break;
		}
	}
	return end;
}

static bool is_column(const struct parser *p, struct range r)
{
	const struct token *t = &p->tokens[r.from];
	size_t n = r.to - r.from;

	if (n != 1 && n != 3 && n != 5)
		return false;
	for (size_t i = 0; i < n; i++) {
		bool name = t[i].kind == T_WORD || t[i].kind == T_NAME;

		if (i % 2 == 0 ? !name : t[i].kind != T_DOT)
			return false;
	}
	return n > 1 || t->kind == T_NAME ||
	       (!word_reserved(t->word, p->dialect) &&
		!(bare_word_flags(p->dialect, token_text(p, t)) &
		  SQL_HAS_VOLATILE) &&
		t->word != W_TRUE && t->word != W_FALSE &&
		t->word != W_CURRENT_DATE && t->word != W_CURRENT_TIME &&
		t->word != W_CURRENT_TIMESTAMP && t->word != W_CURRENT_USER &&
		t->word != W_CURRENT_ROLE && t->word != W_LOCALTIME &&
		t->word != W_LOCALTIMESTAMP);
}

/* A range that is_column(), as a column; the parser reads it again. */
static bool read_column(struct parser *p, struct range r,
			struct sql_column *out)
{
	size_t pos = p->pos, n = r.to - r.from;
	bool ok;

	p->pos = r.to - 1;
	ok = name_take(p, &out->name);
	if (ok && n > 1) {
		p->pos = r.to - 3;
		ok = name_take(p, &out->qualifier);
	}
	out->span = span_of(p, r.from, r.to);
	p->pos = pos;
	return ok;
}

static bool value_of(struct parser *p, struct range r, struct sql_expr *out)
{
	size_t pos = p->pos;
	unsigned outer;
	bool ok;

	expr_begin(p, &outer);
	p->pos = r.to;
	ok = expr_end(p, r.from, outer, out);
	p->pos = pos;
	return ok;
}

static bool add_equal(struct parser *p, struct range column, struct range value,
		      bool *found)
{
	struct sql_equal *items, e = { 0 };

	if (!is_column(p, column) || value.to - value.from > 2)
		return true;
	if (!value_of(p, value, &e.value))
		return false;
	if (e.value.simple == SQL_EXPR || e.value.simple == SQL_NULL ||
	    e.value.simple == SQL_DEFAULT)
		return true;
	if (!read_column(p, column, &e.column))
		return false;
	items = list_room(p, p->st->equals, p->st->n_equals, sizeof *items);
	if (!items)
		return false;
	p->st->equals = items;
	items[p->st->n_equals++] = e;
	*found = true;
	return true;
}

static bool is_equals_sign(const struct parser *p, size_t i)
{
	struct bytes text = token_text(p, &p->tokens[i]);

	return p->tokens[i].kind == T_OP &&
	       (bytes_equal(text, BYTES("=")) ||
		(p->dialect == SQL_SQLITE && bytes_equal(text, BYTES("=="))));
}

/* One condition without a top-level AND. */
static bool condition(struct parser *p, struct range r)
{
	bool found = false;
	size_t i = r.from;

	while (i < r.to && !is_equals_sign(p, i))
		i++;
	if (i > r.from && i + 1 < r.to) {
		struct range left = { r.from, i }, right = { i + 1, r.to };

		if (!add_equal(p, left, right, &found) ||
		    (!found && !add_equal(p, right, left, &found)))
			return false;
	}
	if (!found)
		p->st->equals_all = false;
	return true;
}

/* Whether one pair of brackets holds the whole range, and no query. */
static bool bracketed(const struct parser *p, struct range r)
{
	size_t i = r.from;

	if (r.to - r.from < 3 || p->tokens[i].kind != T_LEFT ||
	    p->tokens[i + 1].word == W_SELECT ||
	    p->tokens[i + 1].word == W_WITH ||
	    p->tokens[i + 1].word == W_VALUES)
		return false;
	step(p, &i, r.to);
	return i == r.to;
}

static bool conditions(struct parser *p, struct range r)
{
	while (r.from < r.to) {
		struct range one = { r.from, first_condition(p, r) };

		if (!bracketed(p, one)) {
			if (!condition(p, one))
				return false;
		} else {
			struct range in = { one.from + 1, one.to - 1 };

			if (!nest_enter(p) || !conditions(p, in))
				return false;
			nest_leave(p);
		}
		r.from = one.to + 1;
	}
	return true;
}

bool find_equals(struct parser *p, size_t from, size_t to)
{
	struct range all = { from, to };

	p->st->equals_all = true;
	return conditions(p, all);
}
