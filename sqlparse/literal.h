#ifndef SQLPARSE_LITERAL_H
#define SQLPARSE_LITERAL_H

/*
 * What strings and names mean, once their quotes and escapes are undone.
 *
 * Each returns OK, E_NOMEM, or E_UNSUPPORTED if the meaning depends on more
 * than the token (a code page, a broken escape): then it is an expression
 * like any other. *out lives in the arena.
 *
 * Pure.
 */

#include "base/arena.h"
#include "sqlparse/token.h"

/* A T_STRING. */
MUST_CHECK int literal_string(struct arena *arena, enum sql_dialect dialect,
			      const struct sql_options *options,
			      struct bytes token, struct bytes *out);

/* A T_BYTES; PostgreSQL's are bit strings, so always E_UNSUPPORTED. */
MUST_CHECK int literal_bytes(struct arena *arena, enum sql_dialect dialect,
			     struct bytes token, struct bytes *out);

/* A T_WORD or T_NAME, folded by the dialect's rules. */
MUST_CHECK int literal_name(struct arena *arena, enum sql_dialect dialect,
			    struct bytes token, bool quoted, struct bytes *out);

#endif
