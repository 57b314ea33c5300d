#include "sqlparse/literal.h"

enum escapes { ESC_NONE, ESC_POSTGRES, ESC_MYSQL, ESC_UNICODE };

struct decoder {
	const uint8_t *p;
	const uint8_t *end;
	uint8_t *out; /* as long as the token: nothing grows when decoded */
	size_t n;
	bool bad;
};

static uint8_t peek_at(const struct decoder *d, size_t ahead)
{
	return ahead < (size_t)(d->end - d->p) ? d->p[ahead] : 0;
}

static void put(struct decoder *d, unsigned c)
{
	d->out[d->n++] = (uint8_t)c;
}

static void put_code_point(struct decoder *d, unsigned long c)
{
	if (c == 0 || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff)) {
		d->bad = true; /* surrogate pairs are not worth the doubt */
	} else if (c < 0x80) {
		put(d, (unsigned)c);
	} else if (c < 0x800) {
		put(d, 0xc0 | (unsigned)(c >> 6));
		put(d, 0x80 | (unsigned)(c & 0x3f));
	} else if (c < 0x10000) {
		put(d, 0xe0 | (unsigned)(c >> 12));
		put(d, 0x80 | (unsigned)(c >> 6 & 0x3f));
		put(d, 0x80 | (unsigned)(c & 0x3f));
	} else {
		put(d, 0xf0 | (unsigned)(c >> 18));
		put(d, 0x80 | (unsigned)(c >> 12 & 0x3f));
		put(d, 0x80 | (unsigned)(c >> 6 & 0x3f));
		put(d, 0x80 | (unsigned)(c & 0x3f));
	}
}

static unsigned digit_value(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
		return (c | 0x20) - 'a' + 10u;
	return 99;
}

/* Up to n digits of a base; fewer than `least` are bad. */
static unsigned long digits(struct decoder *d, size_t least, size_t n,
			    unsigned base)
{
	unsigned long value = 0;
	size_t got = 0;

	while (got < n && digit_value(peek_at(d, 0)) < base) {
		value = value * base + digit_value(*d->p++);
		got++;
	}
	if (got < least)
		d->bad = true;
	return value;
}

/* Bytes by number could make half a character: only ASCII is taken. */
static void put_ascii(struct decoder *d, unsigned long c)
{
	if (c == 0 || c > 0x7f)
		d->bad = true;
	else
		put(d, (unsigned)c);
}

/* Behind the backslash of E'..'. */
static void escape_postgres(struct decoder *d)
{
	static const char from[] = "bfnrt", to[] = "\b\f\n\r\t";
	uint8_t c = peek_at(d, 0);

	for (size_t i = 0; from[i]; i++) {
		if (c == (uint8_t)from[i]) {
			d->p++;
			put(d, (uint8_t)to[i]);
			return;
		}
	}
	if (c >= '0' && c <= '7') {
		put_ascii(d, digits(d, 1, 3, 8));
		return;
	}
	d->p++;
	if (c == 'x' && digit_value(peek_at(d, 0)) < 16)
		put_ascii(d, digits(d, 1, 2, 16));
	else if (c == 'u')
		put_code_point(d, digits(d, 4, 4, 16));
	else if (c == 'U')
		put_code_point(d, digits(d, 8, 8, 16));
	else
		put(d, c);
}

static void escape_mysql(struct decoder *d)
{
	static const char from[] = "0bnrtZ", to[] = "\0\b\n\r\t\032";
	uint8_t c = *d->p++;

	for (size_t i = 0; from[i]; i++) {
		if (c == (uint8_t)from[i]) {
			put(d, (uint8_t)to[i]);
			return;
		}
	}
	if (c == '%' || c == '_')
		put(d, '\\'); /* kept for LIKE */
	put(d, c);
}

/* Behind the backslash of U&'..'. */
static void escape_unicode(struct decoder *d)
{
	if (peek_at(d, 0) == '\\') {
		d->p++;
		put(d, '\\');
	} else if (peek_at(d, 0) == '+') {
		d->p++;
		put_code_point(d, digits(d, 6, 6, 16));
	} else {
		put_code_point(d, digits(d, 4, 4, 16));
	}
}

static void escape(struct decoder *d, enum escapes escapes)
{
	if (d->p >= d->end)
		d->bad = true;
	else if (escapes == ESC_POSTGRES)
		escape_postgres(d);
	else if (escapes == ESC_MYSQL)
		escape_mysql(d);
	else
		escape_unicode(d);
}

/* From behind an opening quote to behind the closing one. */
static void decode_run(struct decoder *d, uint8_t close, bool doubles,
		       enum escapes escapes)
{
	while (d->p < d->end && !d->bad) {
		uint8_t c = *d->p++;

		if (c == close && doubles && peek_at(d, 0) == close)
			d->p++;
		else if (c == close)
			return;
		else if (c == '\\' && escapes != ESC_NONE) {
			escape(d, escapes);
			continue;
		}
		put(d, c);
	}
	d->bad = true; /* no closing quote */
}

static bool decoder_init(struct decoder *d, struct arena *arena,
			 struct bytes token)
{
	*d = (struct decoder){ .p = token.data,
			       .end = token.data + token.len,
			       .out = arena_alloc(arena, token.len + 1) };
	return d->out != NULL;
}

static int decoder_done(const struct decoder *d, struct bytes *out)
{
	if (d->bad)
		return E_UNSUPPORTED;
	*out = (struct bytes){ d->out, d->n };
	return OK;
}

/* To the next quote of a string in several pieces; false at the end. */
static bool next_piece(struct decoder *d)
{
	while (d->p < d->end) {
		if (*d->p == '\'')
			return true;
		if (*d->p == '-') { /* a comment between the pieces */
			while (d->p < d->end && *d->p != '\n' && *d->p != '\r')
				d->p++;
		} else {
			d->p++;
		}
	}
	return false;
}

static int dollar_string(struct bytes token, struct bytes *out)
{
	size_t tag = 1;

	while (token.data[tag] != '$')
		tag++;
	tag++;
	*out = (struct bytes){ token.data + tag, token.len - 2 * tag };
	return OK;
}

static enum escapes escapes_of(enum sql_dialect dialect,
			       const struct sql_options *options, uint8_t first)
{
	if (dialect == SQL_MYSQL)
		return options->no_backslash_escapes ? ESC_NONE : ESC_MYSQL;
	if (dialect == SQL_SQLITE)
		return ESC_NONE;
	if ((first | 0x20) == 'e')
		return ESC_POSTGRES;
	if ((first | 0x20) == 'u')
		return ESC_UNICODE;
	return options->backslash_strings ? ESC_POSTGRES : ESC_NONE;
}

int literal_string(struct arena *arena, enum sql_dialect dialect,
		   const struct sql_options *options, struct bytes token,
		   struct bytes *out)
{
	struct decoder d;
	uint8_t quote;

	REQUIRE(token.len >= 2);
	if (dialect == SQL_POSTGRES && token.data[0] == '$')
		return dollar_string(token, out);
	if (!decoder_init(&d, arena, token))
		return E_NOMEM;
	while (*d.p != '\'' && *d.p != '"')
		d.p++;
	quote = *d.p;
	do {
		d.p++;
		decode_run(&d, quote, true,
			   escapes_of(dialect, options, token.data[0]));
	} while (!d.bad && next_piece(&d));
	return decoder_done(&d, out);
}

static int hex_bytes(struct decoder *d, struct bytes *out)
{
	size_t n = 0;

	while (digit_value(peek_at(d, n)) < 16)
		n++;
	if (n % 2 == 1)
		put(d, digit_value(*d->p++));
	for (n -= n % 2; n > 0; n -= 2, d->p += 2)
		put(d, digit_value(d->p[0]) * 16 + digit_value(d->p[1]));
	return decoder_done(d, out);
}

static int bit_bytes(struct decoder *d, struct bytes *out)
{
	size_t n = 0;

	while (digit_value(peek_at(d, n)) < 2)
		n++;
	while (n > 0) {
		unsigned byte = 0;

		do {
			byte = byte * 2 + digit_value(*d->p++);
		} while (--n % 8 != 0);
		put(d, byte);
	}
	return decoder_done(d, out);
}

int literal_bytes(struct arena *arena, enum sql_dialect dialect,
		  struct bytes token, struct bytes *out)
{
	struct decoder d;
	size_t n = 0;

	REQUIRE(token.len >= 2);
	if (dialect == SQL_POSTGRES)
		return E_UNSUPPORTED;
	if (!decoder_init(&d, arena, token))
		return E_NOMEM;
	d.p += 2;
	while (digit_value(peek_at(&d, n)) < 16)
		n++;
	/* Quoted, it must be whole bytes up to the quote. */
	if (token.data[1] == '\'' && (peek_at(&d, n) != '\'' ||
				      (n % 2 && (token.data[0] | 0x20) == 'x')))
		return E_UNSUPPORTED;
	if ((token.data[0] | 0x20) == 'b' || token.data[1] == 'b')
		return bit_bytes(&d, out);
	return hex_bytes(&d, out);
}

/* PostgreSQL cuts names to 63 bytes, at the start of a character. */
static size_t cut_name(const uint8_t *s, size_t n)
{
	enum { NAME_MAX_BYTES = 63 };

	if (n <= NAME_MAX_BYTES)
		return n;
	n = NAME_MAX_BYTES;
	while (n > 0 && (s[n] & 0xc0) == 0x80)
		n--;
	return n;
}

static void fold(uint8_t *s, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (s[i] >= 'A' && s[i] <= 'Z')
			s[i] = (uint8_t)(s[i] - 'A' + 'a');
	}
}

static void decode_name(struct decoder *d, enum sql_dialect dialect)
{
	bool unicode = *d->p != '"' && dialect == SQL_POSTGRES;
	uint8_t close;

	while (*d->p != '"' && *d->p != '`' && *d->p != '[')
		d->p++;
	close = *d->p == '[' ? ']' : *d->p;
	d->p++;
	decode_run(d, close, close != ']', unicode ? ESC_UNICODE : ESC_NONE);
}

int literal_name(struct arena *arena, enum sql_dialect dialect,
		 struct bytes token, bool quoted, struct bytes *out)
{
	struct decoder d;

	REQUIRE(token.len >= 1);
	if (!decoder_init(&d, arena, token))
		return E_NOMEM;
	if (quoted) {
		decode_name(&d, dialect);
	} else {
		memcpy(d.out, token.data, token.len);
		d.n = token.len;
	}
	if (dialect == SQL_SQLITE || (dialect == SQL_POSTGRES && !quoted))
		fold(d.out, d.n);
	if (dialect == SQL_POSTGRES)
		d.n = cut_name(d.out, d.n);
	return decoder_done(&d, out);
}
