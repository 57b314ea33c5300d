#ifndef SQLPARSE_WORD_H
#define SQLPARSE_WORD_H

/*
 * The words of SQL that the parser looks at. Every other word is just a name.
 *
 * Pure.
 */

#include "sqlparse/sql.h"

enum word {
	W_NONE, /* not a word, or none of ours */
#define WORD(name, reserved) W_##name,
#include "sqlparse/words.def"
#undef WORD
	W_COUNT,
};

/* W_NONE if it is none of ours. The case of ASCII letters does not matter. */
enum word word_find(struct bytes text);

/* The word in capitals. */
const char *word_name(enum word w);

/* Whether the dialect never takes the word for a bare name. */
bool word_reserved(enum word w, enum sql_dialect dialect);

#endif
