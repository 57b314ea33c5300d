#ifndef TESTS_CONFORMANCE_CASES_H
#define TESTS_CONFORMANCE_CASES_H

/*
 * The statements of the suite, read from text files. A file is made of lines
 * that begin with "-- word:", and of the statements behind them:
 *
 *   -- section: Changing rows           heading in docs
 *   -- group: UPDATE by the key         row of the table in docs
 *   -- case: with an expression         one statement
 *   -- on: postgresql mariadb sqlite    where; all unless said
 *   -- expect: protected, update, account, balance note
 *   -- because: the key column          refused: a part of the reason
 *   -- param: int 5                     one a parameter, in order
 *   UPDATE account SET …
 *
 * expect: the verdict, the parser's name of the kind, the table as the parser
 * names it, the columns written; from the second on they may be left out. The
 * verdict is one of
 *
 *   protected  runs and changes what it changes without Treaty; a rollback
 *              brings every byte back
 *   passed     runs as it does without Treaty; nothing to undo
 *   refused    does not run; TREATY_E_UNSUPPORTED with the reason
 *   failed     the database refuses it, with and without Treaty
 *
 * More words, all optional:
 *
 *   -- steps: yes          several statements, each ended by ";" at the end of
 *                          a line, on one connection: transactions, savepoints
 *   -- nothing: yes        protected, but changes no row
 *   -- volatile: yes       what it gives differs from run to run
 *   -- before: SQL         run before, outside of the global transaction
 *   -- after: SQL          run at the end, the same way
 *
 * A group may say "-- docs: no": it is tested, but not a row of the table.
 */

#include "base/arena.h"
#include "base/dialect.h"
#include "sqlparse/sql.h"

#include <treaty/at.h>

#define CASE_PARAMS 40

enum expect { EXPECT_PROTECTED, EXPECT_PASSED, EXPECT_REFUSED, EXPECT_FAILED };

struct conf_case {
	const char *file;
	unsigned line;
	const char *section, *group, *name;
	bool in_docs;
	unsigned on; /* 1 << enum dialect */
	enum expect expect;
	const char *kind, *table, *columns; /* NULL: not said */
	const char *because;
	bool steps, nothing, is_volatile;
	const char *before, *after;
	struct treaty_value params[CASE_PARAMS];
	size_t n_params;
	const char *sql;
};

struct cases {
	struct arena arena;
	struct conf_case *list;
	size_t n;
};

/* Read every *.sql of the folder, in the order of their names. False with a
 * word on standard error if a file cannot be read or makes no sense. */
bool cases_read(struct cases *out, const char *folder);
void cases_free(struct cases *c);

/* "postgresql", "mariadb" or "sqlite"; 0 if it is none. */
enum dialect dialect_of(const char *name);
const char *dialect_name(enum dialect dialect);
const char *expect_name(enum expect expect);

/* ---- parsed.c ---- */

/* Compare what the parser says with what the case expects. False with a word
 * on standard error if it differs. */
bool case_is_parsed(const struct conf_case *c, enum dialect dialect);

/* ---- statements.c ---- */

/* The Markdown page of statement kinds × dialects. */
void cases_document(const struct cases *c, struct buf *out);

#endif
