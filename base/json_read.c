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

/* One value of any depth; the cursor ends up behind it. */
static bool skip_value(struct text *t)
{
	char closes[JSON_DEPTH_MAX];
	size_t depth = 0;

	for (;;) {
		if (!descend(t, closes, &depth))
			return false;
		for (;;) {
			if (depth == 0)
				return true;
			skip_blanks(t);
			if (!take(t, closes[depth - 1]))
				break;
			depth--;
		}
		if (!take(t, ','))
			return false;
		if (closes[depth - 1] == '}' && !member_name(t))
			return false;
	}
}

bool json_valid(struct bytes document)
{
	struct text t = { document.data, document.data + document.len };

	if (!skip_value(&t))
		return false;
	skip_blanks(&t);
	return t.p == t.end;
}

/* ---- walking ---- */

enum json_type json_type(struct bytes value)
{
	struct text t = { value.data, value.data + value.len };

	skip_blanks(&t);
	switch (peek(&t)) {
	case '{':
		return JSON_OBJECT;
	case '[':
		return JSON_ARRAY;
	case '"':
		return JSON_TEXT;
	case 't':
	case 'f':
		return JSON_BOOL;
	case 'n':
		return JSON_NULL;
	default:
		return JSON_NUMBER;
	}
}

void json_walk_init(struct json_walk *w, struct bytes document)
{
	enum json_type type = json_type(document);
	struct text t = { document.data, document.data + document.len };

	*w = (struct json_walk){ { 0 }, type == JSON_OBJECT };
	if (type != JSON_OBJECT && type != JSON_ARRAY)
		return;
	skip_blanks(&t);
	w->rest = (struct bytes){ t.p + 1, (size_t)(t.end - t.p) - 1 };
}

static struct bytes between(const uint8_t *p, const struct text *t)
{
	return (struct bytes){ p, (size_t)(t->p - p) };
}

bool json_walk(struct json_walk *w, struct bytes *key, struct bytes *value)
{
	struct text t = { w->rest.data, w->rest.data + w->rest.len };
	const uint8_t *begin;

	*key = (struct bytes){ 0 };
	skip_blanks(&t);
	(void)take(&t, ',');
	skip_blanks(&t);
	if (peek(&t) < 0 || peek(&t) == '}' || peek(&t) == ']')
		return false;
	if (w->object) {
		begin = t.p;
		REQUIRE(string(&t));
		*key = between(begin, &t);
		skip_blanks(&t);
		REQUIRE(take(&t, ':'));
		skip_blanks(&t);
	}
	begin = t.p;
	REQUIRE(skip_value(&t));
	*value = between(begin, &t);
	w->rest = (struct bytes){ t.p, (size_t)(t.end - t.p) };
	return true;
}

/* ---- strings ---- */

static void put_utf8(struct buf *out, uint32_t code)
{
	if (code >= 0xd800 && code <= 0xdfff)
		code = 0xfffd; /* half a pair */
	if (code < 0x80) {
		buf_put_u8(out, (uint8_t)code);
	} else if (code < 0x800) {
		buf_put_u8(out, (uint8_t)(0xc0 | code >> 6));
		buf_put_u8(out, (uint8_t)(0x80 | (code & 0x3f)));
	} else if (code < 0x10000) {
		buf_put_u8(out, (uint8_t)(0xe0 | code >> 12));
		buf_put_u8(out, (uint8_t)(0x80 | (code >> 6 & 0x3f)));
		buf_put_u8(out, (uint8_t)(0x80 | (code & 0x3f)));
	} else {
		buf_put_u8(out, (uint8_t)(0xf0 | code >> 18));
		buf_put_u8(out, (uint8_t)(0x80 | (code >> 12 & 0x3f)));
		buf_put_u8(out, (uint8_t)(0x80 | (code >> 6 & 0x3f)));
		buf_put_u8(out, (uint8_t)(0x80 | (code & 0x3f)));
	}
}

/* The four hexadecimal digits behind \u. */
static uint32_t hex4(const uint8_t *p)
{
	uint32_t v = 0;

	for (int i = 0; i < 4; i++) {
		uint32_t c = p[i];

		c = c <= '9' ? c - '0' : (c | 0x20u) - 'a' + 10;
		v = v << 4 | c;
	}
	return v;
}

static void unescape_unicode(struct text *t, struct buf *out)
{
	uint32_t code = hex4(t->p);

	t->p += 4;
	if (code >= 0xd800 && code <= 0xdbff && t->end - t->p >= 6 &&
	    t->p[0] == '\\' && t->p[1] == 'u') {
		uint32_t low = hex4(t->p + 2);

		if (low >= 0xdc00 && low <= 0xdfff) {
			code = 0x10000 + ((code - 0xd800) << 10) +
			       (low - 0xdc00);
			t->p += 6;
		}
	}
	put_utf8(out, code);
}

void json_get_text(struct buf *out, struct bytes text)
{
	static const char letters[] = "bfnrt";
	static const char means[] = "\b\f\n\r\t";
	struct text t = { text.data, text.data + text.len };

	skip_blanks(&t);
	REQUIRE(take(&t, '"'));
	while (!take(&t, '"')) {
		const char *letter;
		int c = peek(&t);

		REQUIRE(c >= 0);
		t.p++;
		if (c != '\\') {
			buf_put_u8(out, (uint8_t)c);
			continue;
		}
		c = peek(&t);
		REQUIRE(c > 0);
		t.p++;
		letter = strchr(letters, c);
		if (c == 'u')
			unescape_unicode(&t, out);
		else
			buf_put_char(out, letter ? means[letter - letters]
						 : (char)c);
	}
}

/* The code unit of the escape at p; UINT32_MAX: there is none. */
static uint32_t unit_at(const struct text *t, const uint8_t *p)
{
	if (t->end - p < 6 || p[0] != '\\' || p[1] != 'u')
		return UINT32_MAX;
	return hex4(p + 2);
}

bool json_text_whole(struct bytes text)
{
	struct text t = { text.data, text.data + text.len };

	while (t.p < t.end) {
		uint32_t unit = unit_at(&t, t.p), low;

		if (unit == UINT32_MAX) {
			t.p += *t.p == '\\' ? 2 : 1;
			continue;
		}
		t.p += 6;
		if (unit == 0 || (unit >= 0xdc00 && unit <= 0xdfff))
			return false;
		if (unit < 0xd800 || unit > 0xdbff)
			continue;
		low = unit_at(&t, t.p);
		if (low < 0xdc00 || low > 0xdfff)
			return false;
		t.p += 6;
	}
	return true;
}
