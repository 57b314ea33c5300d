#ifndef SQLPARSE_LEXER_H
#define SQLPARSE_LEXER_H

/*
 * Inside the lexer: its state, and the parts that live in files of their own.
 */

#include "sqlparse/token.h"

struct lexer {
	const uint8_t *s;
	size_t n;
	size_t at;
	enum sql_dialect dialect;
	const struct sql_options *options;
	bool in_version;   /* between a version comment's marks */
	const char *error; /* static text; set once, stops everything */
};

/* The byte `ahead` places on, or 0 behind the end. (NUL is never text.) */
static inline uint8_t look(const struct lexer *l, size_t ahead)
{
	return ahead < l->n - l->at ? l->s[l->at + ahead] : 0;
}

static inline bool is_digit(uint8_t c)
{
	return c >= '0' && c <= '9';
}

static inline bool is_hex(uint8_t c)
{
	return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static inline bool is_letter(uint8_t c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
	       c >= 0x80;
}

static inline bool is_space(uint8_t c)
{
	return c == ' ' || (c >= '\t' && c <= '\r' && c != '\v');
}

/* Move behind white space and comments. Wrong ones set error. */
void skip_blank(struct lexer *l);

/* If a quoted thing starts here, move behind it and return true with *kind;
 * one without an end sets error. */
bool lex_quoted(struct lexer *l, uint8_t *kind);

/* The same for numbers and for MySQL's names that start with a digit. */
bool lex_number(struct lexer *l, uint8_t *kind);

#endif
