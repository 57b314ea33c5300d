#ifndef SQLPARSE_PARSER_H
#define SQLPARSE_PARSER_H

/*
 * Inside the parser: its state, and the functions that its files share.
 *
 * Rules
 * -----
 *  - A parsing function returns false after it called parse_fail() (or found no
 *    memory); its caller returns false too, and nothing parsed counts.
 *  - parse_refuse() is not a failure: parsing goes on, and the first reason stays.
 *
 * Pure.
 */

#include "base/arena.h"
#include "sqlparse/token.h"

/* What a script keeps to itself. */
struct sql_tokens {
	const struct mem *mem;
	struct arena arena;
	struct tokens cut;
};

enum into { INTO_NOTHING, INTO_TABLE, INTO_FILE, INTO_VARIABLE };

struct parser {
	struct sql_script *script;
	struct arena *arena;
	enum sql_dialect dialect;
	const struct sql_options *options;
	const struct token *tokens;
	size_t pos;
	size_t end; /* behind the statement's last token */
	size_t depth;
	struct sql_statement *st;

	unsigned flags;        /* of what is being read; see parse_expr() */
	struct sql_name *ctes; /* names of WITH queries in sight */
	size_t n_ctes;
	enum into into;           /* SELECT ... INTO */
	enum sql_kind with_write; /* a write in WITH; SQL_UNKNOWN: none */

	bool nomem;
	const char *error;
	size_t error_at;
};

/* ---- cursor.c: looking at tokens ---- */

/* The token `ahead` places on; a T_END behind the statement. */
const struct token *token_ahead(const struct parser *p, size_t ahead);
const struct token *peek_token(const struct parser *p);
const struct token *take_token(struct parser *p);
struct bytes token_text(const struct parser *p, const struct token *t);

bool is_kind(const struct parser *p, enum token_kind kind);
bool is_word(const struct parser *p, enum word w);
bool is_word_at(const struct parser *p, size_t at, enum word w);
/* Whether the word is one of those in a W_NONE-ended list. */
bool is_one_of(enum word w, const enum word list[]);
/* Whether the token is this text, whatever its letters' case. */
bool is_text_at(const struct parser *p, size_t at, const char *text);
bool is_op(const struct parser *p, const char *op);
/* A word or quoted name, whatever it says. */
bool is_name(const struct parser *p, size_t at);
/* A name that may stand alone: quoted, or not reserved. */
bool is_free_name(const struct parser *p, size_t at);

bool accept_kind(struct parser *p, enum token_kind kind);
bool accept_word(struct parser *p, enum word w);
bool accept_op(struct parser *p, const char *op);
bool expect_kind(struct parser *p, enum token_kind kind);
bool expect_word(struct parser *p, enum word w);
/* Both words or none. */
bool accept_words(struct parser *p, enum word first, enum word second);

/* "line 1, column 8: expected ..., found ...". Always false. */
bool parse_fail(struct parser *p, const char *expected);
/* No memory: always false. */
bool out_of_memory(struct parser *p);
/* The statement is understood, but not safe. The first reason stays. */
void parse_refuse(struct parser *p, const char *reason);
/* One level deeper; fails at the limit. nest_leave() after each true. */
bool nest_enter(struct parser *p);
void nest_leave(struct parser *p);

/* The span of the tokens [from, to). */
struct sql_span span_of(const struct parser *p, size_t from, size_t to);
/* Room for one more element behind items[0..n): items itself or a bigger
 * copy; NULL without memory. */
void *list_room(struct parser *p, void *items, size_t n, size_t size);

/* ---- name.c: names of things ---- */

bool name_take(struct parser *p, struct sql_name *out);
/* A name that may stand alone, or parse_fail("expected ..."). */
bool name_expect(struct parser *p, const char *what, struct sql_name *out);
/* a, a.b or a.b.c; no alias. */
bool table_name(struct parser *p, struct sql_table *out);
/* [AS] alias, if there is one. */
bool alias_take(struct parser *p, struct sql_name *out);
bool column_take(struct parser *p, struct sql_column *out);
/* (a, b, c); items may be NULL to throw them away. */
bool column_list(struct parser *p, struct sql_column **items, size_t *n);
bool is_cte(const struct parser *p, const struct sql_table *t);

/* ---- bracket.c: where order does not matter ---- */

/* A name was passed; flag what it means, as a call if ( follows. */
void note_name(struct parser *p, const struct token *t);
/* CASE ... END and [ ... ], from their first token on. */
bool case_expr(struct parser *p);
bool brackets(struct parser *p);
/* ( ... ), with sub-queries in it. */
bool parse_group(struct parser *p);
/* One token of no importance, or a group; fails at an end. */
bool parse_loose(struct parser *p);
/* true if a query starts here. */
bool at_query(const struct parser *p, size_t at);

/* ---- expr.c: expressions ---- */

/* One expression, to where a clause ends it. */
bool parse_expr(struct parser *p, struct sql_expr *out);
/* a, b DESC NULLS LAST, c */
bool parse_expr_list(struct parser *p, struct sql_expr *out);
/* What lies between here and the end of an expression from token `from`. */
void expr_begin(struct parser *p, unsigned *outer);
bool expr_end(struct parser *p, size_t from, unsigned outer,
	      struct sql_expr *out);
/* If tokens [from, to) are one value, set simple, text and param. */
bool simple_value(struct parser *p, size_t from, size_t to,
		  struct sql_expr *out);
/* Type name behind :: */
bool type_name(struct parser *p);

/* Flags for a call of the function, or for the bare word. */
unsigned function_flags(enum sql_dialect dialect, struct bytes name);
unsigned bare_word_flags(enum sql_dialect dialect, struct bytes name);

/* ---- value.c ---- */

/* Fill st->equals from the tokens of WHERE. */
bool find_equals(struct parser *p, size_t from, size_t to);

/* ---- query.c, from.c, tail.c: SELECT and its parts ---- */

struct refs {
	struct sql_table *tables; /* a sub-query: name.text.len is 0 */
	size_t n;
	bool joined; /* more than one table, or anything but a table */
};

/* A query with everything; `out` NULL for a sub-query. */
bool parse_query(struct parser *p, struct sql_statement *out);
bool with_clause(struct parser *p);
bool from_list(struct parser *p, struct refs *refs, struct sql_expr *out);
/* One table with alias and hints, counted as read unless `target`. */
bool table_ref(struct parser *p, bool target, struct sql_table *out);
bool where_clause(struct parser *p, struct sql_statement *out);
/* ORDER BY and LIMIT, and what else a dialect has there. */
bool tail_clauses(struct parser *p, struct sql_statement *out, bool locks);
bool returning_clause(struct parser *p);
/* INTO a table, file or variables, if it is there. */
bool into_clause(struct parser *p);
/* The rows behind VALUES; `out` may be NULL. */
bool value_rows(struct parser *p, struct sql_statement *out);

/* ---- statements ---- */

bool insert_statement(struct parser *p);
bool update_statement(struct parser *p);
bool delete_statement(struct parser *p);
/* a = 1, (b, c) = (2, 3) */
bool assign_list(struct parser *p, struct sql_assign **items, size_t *n);
/* SET, RESET, PRAGMA */
bool set_statement(struct parser *p);
bool pragma_statement(struct parser *p);
/* True with *is false if it is no transaction control. */
bool txn_statement(struct parser *p, bool *is);
/* Everything: one statement from pos to end. */
bool parse_statement(struct parser *p);
bool explain_statement(struct parser *p);
/* Move to the end of the statement without looking. */
bool skip_rest(struct parser *p);

#endif
