#include "sqlparse/lexer.h"

/*
 * Strings and quoted names: where they end. What they mean is literal.c's.
 */

/* Behind the closing quote; l->at stands on the opening one. A doubled quote
 * is one character of the string. */
static void skip_quoted(struct lexer *l, uint8_t close, bool doubles, bool back)
{
	size_t from = l->at++;

	while (l->at < l->n) {
		if (back && look(l, 0) == '\\') {
			l->at += l->n - l->at < 2 ? 1 : 2;
		} else if (look(l, 0) != close) {
			l->at++;
		} else if (doubles && look(l, 1) == close) {
			l->at += 2;
		} else {
			l->at++;
			return;
		}
	}
	l->at = from;
	l->error = close == '\'' ? "a string has no end"
				 : "a quoted name or string has no end";
}

/* PostgreSQL goes on with a string after a line break, in the same manner. */
static bool continues(const struct lexer *l, size_t *gap)
{
	struct lexer ahead = *l;
	bool line = false;

	for (;;) {
		uint8_t c = look(&ahead, 0);

		if (c == '\n' || c == '\r')
			line = true;
		if (c && is_space(c)) {
			ahead.at++;
		} else if (c == '-' && look(&ahead, 1) == '-') {
			while (look(&ahead, 0) && look(&ahead, 0) != '\n' &&
			       look(&ahead, 0) != '\r')
				ahead.at++;
		} else {
			break;
		}
	}
	*gap = ahead.at - l->at;
	return line && look(&ahead, 0) == '\'';
}

static void skip_pg_string(struct lexer *l, bool back)
{
	size_t gap;

	skip_quoted(l, '\'', true, back);
	while (!l->error && continues(l, &gap)) {
		l->at += gap;
		skip_quoted(l, '\'', true, back);
	}
}

/* $tag$ ... $tag$; false if none starts here. */
static bool lex_dollar(struct lexer *l)
{
	size_t from = l->at, tag = 1;

	if (is_digit(look(l, 1)))
		return false;
	while (is_letter(look(l, tag)) || is_digit(look(l, tag)))
		tag++;
	if (look(l, tag) != '$')
		return false;
	tag++;
	for (l->at += tag; tag <= l->n - l->at; l->at++) {
		if (memcmp(l->s + l->at, l->s + from, tag) == 0) {
			l->at += tag;
			return true;
		}
	}
	l->at = from;
	l->error = "a dollar-quoted string has no end";
	return true;
}

static bool lex_postgres(struct lexer *l, uint8_t *kind)
{
	uint8_t c = look(l, 0) | 0x20, next = look(l, 1);

	*kind = T_STRING;
	if (look(l, 0) == '\'') {
		skip_pg_string(l, l->options->backslash_strings);
	} else if (look(l, 0) == '"') {
		*kind = T_NAME;
		skip_quoted(l, '"', true, false);
	} else if (look(l, 0) == '$') {
		return lex_dollar(l);
	} else if (c == 'e' && next == '\'') {
		l->at++;
		skip_pg_string(l, true);
	} else if (c == 'n' && next == '\'') {
		l->at++;
		skip_pg_string(l, l->options->backslash_strings);
	} else if ((c == 'b' || c == 'x') && next == '\'') {
		*kind = T_BYTES;
		l->at++;
		skip_pg_string(l, false);
	} else if (c == 'u' && next == '&' && look(l, 2) == '\'') {
		l->at += 2;
		skip_pg_string(l, false);
	} else if (c == 'u' && next == '&' && look(l, 2) == '"') {
		*kind = T_NAME;
		l->at += 2;
		skip_quoted(l, '"', true, false);
	} else {
		return false;
	}
	return true;
}

static bool lex_mysql(struct lexer *l, uint8_t *kind)
{
	bool back = !l->options->no_backslash_escapes;
	uint8_t c = look(l, 0) | 0x20, next = look(l, 1);

	*kind = T_STRING;
	if (look(l, 0) == '\'') {
		skip_quoted(l, '\'', true, back);
	} else if (look(l, 0) == '"' && !l->options->ansi_quotes) {
		skip_quoted(l, '"', true, back);
	} else if (look(l, 0) == '"' || look(l, 0) == '`') {
		*kind = T_NAME;
		skip_quoted(l, look(l, 0), true, false);
	} else if (c == 'n' && next == '\'') {
		l->at++;
		skip_quoted(l, '\'', true, back);
	} else if ((c == 'b' || c == 'x') && next == '\'') {
		*kind = T_BYTES;
		l->at++;
		skip_quoted(l, '\'', false, false);
	} else {
		return false;
	}
	return true;
}

static bool lex_sqlite(struct lexer *l, uint8_t *kind)
{
	*kind = T_NAME;
	if (look(l, 0) == '\'') {
		*kind = T_STRING;
		skip_quoted(l, '\'', true, false);
	} else if (look(l, 0) == '"' || look(l, 0) == '`') {
		skip_quoted(l, look(l, 0), true, false);
	} else if (look(l, 0) == '[') {
		skip_quoted(l, ']', false, false);
	} else if ((look(l, 0) | 0x20) == 'x' && look(l, 1) == '\'') {
		*kind = T_BYTES;
		l->at++;
		skip_quoted(l, '\'', false, false);
	} else {
		return false;
	}
	return true;
}

bool lex_quoted(struct lexer *l, uint8_t *kind)
{
	switch (l->dialect) {
	case SQL_POSTGRES:
		return lex_postgres(l, kind);
	case SQL_MYSQL:
		return lex_mysql(l, kind);
	case SQL_SQLITE:
	default:
		return lex_sqlite(l, kind);
	}
}
