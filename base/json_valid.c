#include "base/json.h"
#include "base/utf8.h"

/*
 * A strict reader that keeps nothing. The nesting is a stack of closing
 * brackets and not of calls, so hostile input cannot exhaust the C stack.
 */

struct text {
	const uint8_t *p;
	const uint8_t *end;
};

static int peek(const struct text *t)
{
	return t->p < t->end ? *t->p : -1;
}

static bool take(struct text *t, int c)
{
	if (peek(t) != c)
		return false;
	t->p++;
	return true;
}

static void skip_blanks(struct text *t)
{
	while (take(t, ' ') || take(t, '\t') || take(t, '\n') || take(t, '\r'))
		;
}

static bool is_digit(int c)
{
	return c >= '0' && c <= '9';
}

static bool digits(struct text *t)
{
	if (!is_digit(peek(t)))
		return false;
	while (is_digit(peek(t)))
		t->p++;
	return true;
}

static bool number(struct text *t)
{
	(void)take(t, '-');
	if (!take(t, '0') && !digits(t))
		return false;
	if (take(t, '.') && !digits(t))
		return false;
	if (take(t, 'e') || take(t, 'E')) {
		if (!take(t, '+'))
			(void)take(t, '-');
		return digits(t);
	}
	return true;
}

static bool literal(struct text *t, const char *word)
{
	size_t len = strlen(word);

	if ((size_t)(t->end - t->p) < len || memcmp(t->p, word, len) != 0)
		return false;
	t->p += len;
	return true;
}

static bool is_hex(int c)
{
	return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static bool escape(struct text *t)
{
	int c = peek(t);

	if (c < 0)
		return false;
	t->p++;
	if (c != 'u')
		return c != 0 && strchr("\"\\/bfnrt", c) != NULL;
	for (int i = 0; i < 4; i++, t->p++)
		if (!is_hex(peek(t)))
			return false;
	return true;
}

static bool string(struct text *t)
{
	if (!take(t, '"'))
		return false;
	while (peek(t) >= 0x20) {
		uint32_t code;
		size_t n;

		if (take(t, '"'))
			return true;
		if (take(t, '\\')) {
			if (!escape(t))
				return false;
			continue;
		}
		n = utf8_decode((struct bytes){ t->p, (size_t)(t->end - t->p) },
				&code);
		if (n == 0)
			return false;
		t->p += n;
	}
	return false;
}

static bool scalar(struct text *t)
{
	switch (peek(t)) {
	case '"':
		return string(t);
	case 't':
		return literal(t, "true");
	case 'f':
		return literal(t, "false");
	case 'n':
		return literal(t, "null");
	default:
		return number(t);
	}
}

static bool member_name(struct text *t)
{
	skip_blanks(t);
	if (!string(t))
		return false;
	skip_blanks(t);
	return take(t, ':');
}

/* Enter nested values until a scalar or an empty one is done. */
static bool descend(struct text *t, char *closes, size_t *depth)
{
	for (;;) {
		bool object;

		skip_blanks(t);
		object = peek(t) == '{';
		if (!object && peek(t) != '[')
			return scalar(t);
		if (*depth == JSON_DEPTH_MAX)
			return false;
		t->p++;
		skip_blanks(t);
		if (take(t, object ? '}' : ']'))
			return true;
		closes[(*depth)++] = object ? '}' : ']';
		if (object && !member_name(t))
			return false;
	}
}

bool json_valid(struct bytes document)
{
	struct text t = { document.data, document.data + document.len };
	char closes[JSON_DEPTH_MAX];
	size_t depth = 0;

	for (;;) {
		if (!descend(&t, closes, &depth))
			return false;
		skip_blanks(&t);
		while (depth > 0 && take(&t, closes[depth - 1])) {
			depth--;
			skip_blanks(&t);
		}
		if (depth == 0)
			return t.p == t.end;
		if (!take(&t, ','))
			return false;
		if (closes[depth - 1] == '}' && !member_name(&t))
			return false;
	}
}
