#include "tc/saga/expr_tree.h"

#include "base/utf8.h"

/*
 * Recursive descent, one function a level of precedence. The first error
 * stands in p->rc and p->why; every function gives NULL from then on.
 */

struct parser {
	struct arena *a;
	struct bytes s;
	size_t at;
	size_t depth;
	int rc;
	struct expr_error why;
};

static const struct expr *or_level(struct parser *p);

static const struct expr *fail(struct parser *p, size_t at, const char *what)
{
	if (p->rc == OK) {
		p->rc = E_INVALID;
		p->why = (struct expr_error){ at, what };
	}
	return NULL;
}

static void *no_memory(struct parser *p)
{
	if (p->rc == OK)
		p->rc = E_NOMEM;
	return NULL;
}

static int look(const struct parser *p, size_t ahead)
{
	return p->at + ahead < p->s.len ? p->s.data[p->at + ahead] : -1;
}

static void blanks(struct parser *p)
{
	while (look(p, 0) == ' ' || look(p, 0) == '\t' || look(p, 0) == '\n' ||
	       look(p, 0) == '\r')
		p->at++;
}

static bool is_digit(int c)
{
	return c >= '0' && c <= '9';
}

/* Of a name: letters, digits, _, and everything beyond ASCII. */
static bool is_word(int c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
	       is_digit(c) || c >= 0x80;
}

static bool take_sign(struct parser *p, const char *sign)
{
	size_t len = strlen(sign);

	blanks(p);
	if (p->s.len - p->at < len || memcmp(p->s.data + p->at, sign, len) != 0)
		return false;
	p->at += len;
	return true;
}

/* A word, and not the beginning of a longer one. */
static bool take_word(struct parser *p, const char *word)
{
	size_t before = p->at;

	if (take_sign(p, word) && !is_word(look(p, 0)))
		return true;
	p->at = before;
	return false;
}

static struct bytes cut(const struct parser *p, size_t from)
{
	return (struct bytes){ p->s.data + from, p->at - from };
}

static struct expr *node(struct parser *p, enum expr_op op, size_t at)
{
	struct expr *e = p->rc == OK ? arena_alloc(p->a, sizeof *e) : NULL;

	if (!e)
		return no_memory(p);
	e->op = op;
	e->at = at;
	return e;
}

static const struct expr *leaf(struct parser *p, enum expr_op op, size_t at,
			       const struct val *value)
{
	struct expr *e = node(p, op, at);

	if (e && !value)
		return no_memory(p);
	if (e)
		e->value = value;
	return e;
}

static const struct expr *pair(struct parser *p, enum expr_op op, size_t at,
			       const struct expr *left,
			       const struct expr *right)
{
	struct expr *e = left && right ? node(p, op, at) : NULL;

	if (e) {
		e->left = left;
		e->right = right;
	}
	return e;
}

static const struct expr *member(struct parser *p, size_t at,
				 const struct expr *of, struct bytes name)
{
	struct expr *e;

	if (!of)
		return NULL;
	e = node(p, EXPR_MEMBER, at);
	if (!e)
		return NULL;
	e->left = of;
	e->value = val_text(p->a, name);
	return e->value ? e : no_memory(p);
}

/* ---- what stands for a value ---- */

/* 'it''s' or "say ""yes""": a quote is doubled inside. NULL on an error. */
static const struct val *quoted(struct parser *p)
{
	size_t begin = p->at;
	uint8_t quote = p->s.data[p->at++];
	struct buf b;

	buf_init(&b, &p->a->as_mem);
	for (;;) {
		int c = look(p, 0);

		if (c < 0) {
			fail(p, begin, "this text has no end");
			return NULL;
		}
		p->at++;
		if (c == quote && look(p, 0) != quote)
			break;
		if (c == quote)
			p->at++;
		buf_put_u8(&b, (uint8_t)c);
	}
	if (buf_error(&b) != OK)
		return no_memory(p);
	return val_text(p->a, buf_bytes(&b));
}

static const struct expr *number(struct parser *p)
{
	size_t begin = p->at;
	const struct val *v = NULL;
	int rc;

	while (is_word(look(p, 0)) || look(p, 0) == '.' ||
	       ((look(p, 0) == '+' || look(p, 0) == '-') &&
		(p->s.data[p->at - 1] | 0x20) == 'e'))
		p->at++;
	if (!json_valid(cut(p, begin)))
		return fail(p, begin, "this is no number");
	rc = val_parse(p->a, cut(p, begin), &v);
	if (rc != OK)
		return no_memory(p);
	return leaf(p, EXPR_VALUE, begin, v);
}

static struct bytes name(struct parser *p)
{
	size_t begin = p->at;

	if (!is_digit(look(p, 0)))
		while (is_word(look(p, 0)))
			p->at++;
	if (p->at == begin)
		fail(p, begin, "a name is expected here");
	return cut(p, begin);
}

static bool all_digits(struct bytes b)
{
	for (size_t i = 0; i < b.len; i++)
		if (!is_digit(b.data[i]))
			return false;
	return b.len > 0;
}

static const struct expr *index_of(struct parser *p, size_t at,
				   const struct expr *of, struct bytes digits)
{
	struct expr *e = of ? node(p, EXPR_INDEX, at) : NULL;

	if (!e)
		return NULL;
	if (digits.len > 9)
		return fail(p, at, "this index is too big");
	for (size_t i = 0; i < digits.len; i++)
		e->index = e->index * 10 + (size_t)(digits.data[i] - '0');
	e->left = of;
	return e;
}

/* Behind the [: 'name', 0 or name, each up to the ]. */
static const struct expr *bracket(struct parser *p, size_t at,
				  const struct expr *of)
{
	const struct val *text = NULL;
	struct bytes inside;
	size_t begin;

	blanks(p);
	begin = p->at;
	if (look(p, 0) == '\'' || look(p, 0) == '"') {
		text = quoted(p);
		if (!text)
			return p->rc == OK ? no_memory(p) : NULL;
		if (!take_sign(p, "]"))
			return fail(p, p->at, "] is expected here");
		return member(p, at, of, text->text);
	}
	while (look(p, 0) >= 0 && look(p, 0) != ']' && look(p, 0) != '[')
		p->at++;
	inside = cut(p, begin);
	if (look(p, 0) != ']')
		return fail(p, p->at, "] is expected here");
	p->at++;
	while (inside.len > 0 && inside.data[inside.len - 1] == ' ')
		inside.len--;
	if (inside.len == 0)
		return fail(p, begin, "a name is expected here");
	if (all_digits(inside) && of && of->op != EXPR_ROOT)
		return index_of(p, at, of, inside);
	return member(p, at, of, inside);
}

static const struct expr *exception(struct parser *p, size_t at)
{
	size_t begin;

	if (!take_sign(p, "{"))
		return fail(p, p->at, "{ is expected here");
	begin = p->at;
	while (look(p, 0) >= 0 && look(p, 0) != '}')
		p->at++;
	if (look(p, 0) < 0 || p->at == begin)
		return fail(p, begin,
			    "the name of an error and } are expected");
	p->at++;
	return leaf(p, EXPR_EXCEPTION, at,
		    val_text(p->a, (struct bytes){ p->s.data + begin,
						   p->at - 1 - begin }));
}

static const struct expr *nested(struct parser *p)
{
	const struct expr *e;

	if (++p->depth > EXPR_DEPTH_MAX)
		return fail(p, p->at, "this is nested too deeply");
	e = or_level(p);
	p->depth--;
	if (e && !take_sign(p, ")"))
		return fail(p, p->at, ") is expected here");
	return e;
}

static const struct expr *primary(struct parser *p)
{
	size_t at;
	int c;

	blanks(p);
	at = p->at;
	c = look(p, 0);
	if (c == '\'' || c == '"')
		return leaf(p, EXPR_VALUE, at, quoted(p));
	if (is_digit(c))
		return number(p);
	if (take_sign(p, "("))
		return nested(p);
	if (take_sign(p, "["))
		return bracket(p, at, node(p, EXPR_ROOT, at));
	if (take_word(p, "#root"))
		return node(p, EXPR_ROOT, at);
	if (take_word(p, "$Exception"))
		return exception(p, at);
	if (take_word(p, "true"))
		return leaf(p, EXPR_VALUE, at, &val_true);
	if (take_word(p, "false"))
		return leaf(p, EXPR_VALUE, at, &val_false);
	if (take_word(p, "null"))
		return leaf(p, EXPR_VALUE, at, &val_null);
	if (!is_word(c))
		return fail(p, at, "a value is expected here");
	return member(p, at, node(p, EXPR_ROOT, at), name(p));
}

static const struct expr *postfix(struct parser *p)
{
	const struct expr *e = primary(p);
	size_t steps = 0;

	while (e) {
		size_t at = p->at;

		if (++steps > EXPR_DEPTH_MAX)
			return fail(p, at, "this path is too long");
		if (look(p, 0) == '[') {
			p->at++;
			e = bracket(p, at, e);
		} else if (look(p, 0) == '.') {
			p->at++;
			e = member(p, at, e, name(p));
		} else if (look(p, 0) == '(') {
			return fail(p, at, "there are no calls");
		} else {
			break;
		}
	}
	return e;
}

/* ---- levels, tightest first ---- */

static const struct expr *unary(struct parser *p)
{
	size_t at;
	struct expr *e;

	blanks(p);
	at = p->at;
	if (look(p, 0) == '!' || look(p, 0) == '-')
		p->at++;
	else if (!take_word(p, "not"))
		return postfix(p);
	if (++p->depth > EXPR_DEPTH_MAX)
		return fail(p, at, "this is nested too deeply");
	e = node(p, p->s.data[at] == '-' ? EXPR_MINUS : EXPR_NOT, at);
	if (e)
		e->left = unary(p);
	p->depth--;
	return e && e->left ? e : NULL;
}

static const struct expr *computed(struct parser *p, const char *signs,
				   const struct expr *(*level)(struct parser *))
{
	const struct expr *e = level(p);
	size_t n = 0;

	while (e) {
		struct expr *op;
		int c;

		blanks(p);
		c = look(p, 0);
		if (c <= 0 || !strchr(signs, c))
			break;
		if (++n > EXPR_DEPTH_MAX)
			return fail(p, p->at, "this has too many parts");
		op = node(p, EXPR_COMPUTE, p->at++);
		if (!op)
			return NULL;
		op->sign = (char)c;
		op->left = e;
		op->right = level(p);
		e = op->right ? op : NULL;
	}
	return e;
}

static const struct expr *factors(struct parser *p)
{
	return computed(p, "*/%", unary);
}

static const struct expr *terms(struct parser *p)
{
	return computed(p, "+-", factors);
}

static const struct expr *comparison(struct parser *p)
{
	static const struct {
		const char *sign;
		enum expr_op op;
	} signs[] = {
		{ "==", EXPR_EQUAL },      { "!=", EXPR_DIFFER },
		{ "<=", EXPR_LESS_EQUAL }, { "<", EXPR_LESS },
		{ ">=", EXPR_MORE_EQUAL }, { ">", EXPR_MORE },
	};
	const struct expr *e = terms(p);

	blanks(p);
	for (size_t i = 0; e && i < ARRAY_LEN(signs); i++) {
		size_t at = p->at;

		if (take_sign(p, signs[i].sign))
			return pair(p, signs[i].op, at, e, terms(p));
	}
	return e;
}

static const struct expr *joined(struct parser *p, enum expr_op op,
				 const char *word, const char *sign,
				 const struct expr *(*level)(struct parser *))
{
	const struct expr *e = level(p);
	size_t n = 0;

	while (e) {
		size_t at;

		blanks(p);
		at = p->at;
		if (!take_word(p, word) && !take_sign(p, sign))
			break;
		if (++n > EXPR_DEPTH_MAX)
			return fail(p, at, "this has too many parts");
		e = pair(p, op, at, e, level(p));
	}
	return e;
}

static const struct expr *and_level(struct parser *p)
{
	return joined(p, EXPR_AND, "and", "&&", comparison);
}

static const struct expr *or_level(struct parser *p)
{
	return joined(p, EXPR_OR, "or", "||", and_level);
}

int expr_compile(struct arena *a, struct bytes source, const struct expr **out,
		 struct expr_error *why)
{
	struct parser p = { .a = a, .s = source };
	const struct expr *e;

	if (!utf8_valid(source)) {
		*why = (struct expr_error){ 0, "this is not UTF-8" };
		return E_INVALID;
	}
	e = or_level(&p);
	blanks(&p);
	if (e && p.at < source.len)
		e = fail(&p, p.at, "an operator or the end is expected here");
	if (!e) {
		REQUIRE(p.rc != OK);
		*why = p.why;
		return p.rc;
	}
	*out = e;
	return OK;
}
