#ifndef SQLPARSE_TOKEN_H
#define SQLPARSE_TOKEN_H

/*
 * SQL text cut into tokens by the rules of a dialect.
 *
 * Rules
 * -----
 *  - White space, comments and the marks of version comments are not tokens;
 *    what stands in a version comment that runs is.
 *  - Lexing stops at the first thing that the dialect does not know, or at a
 *    limit: the last token is then T_BAD and tokens.error says what it is.
 *    Else the last token is T_END.
 *
 * Pure.
 */

#include "sqlparse/word.h"

enum token_kind {
	T_END,
	T_BAD,
	T_WORD, /* unquoted; .word if it is one of ours */
	T_NAME, /* quoted */
	T_STRING,
	T_NUMBER,
	T_BYTES, /* X'..', B'..', 0x.. */
	T_PARAM,
	T_VARIABLE, /* MySQL @x, @@x */
	T_OP,
	T_LEFT, /* ( */
	T_RIGHT,
	T_OPEN, /* [ */
	T_CLOSE,
	T_COMMA,
	T_SEMICOLON,
	T_DOT,
};

struct token {
	uint32_t at;
	uint32_t len;
	uint16_t word; /* enum word */
	uint8_t kind;  /* enum token_kind */
};

struct tokens {
	const struct mem *mem;
	struct token *items;
	size_t n;
	size_t cap;
	const char *error; /* of a T_BAD at the end */
};

/* Cut the text, at most 1 GiB of it. OK or E_NOMEM; tokens_fini() either way.*/
MUST_CHECK int tokens_cut(struct tokens *t, const struct mem *mem,
			  enum sql_dialect dialect,
			  const struct sql_options *options, struct bytes text);
void tokens_fini(struct tokens *t);

#endif
