#ifndef RM_AGENT_AT_INSERT_SQL_H
#define RM_AGENT_AT_INSERT_SQL_H

/*
 * What an INSERT's text says about the rows it will make: which value goes to
 * which column, and the condition that finds the rows by them.
 *
 * Rules
 * -----
 *  - A value counts as known only if evaluating its text again gives the same:
 *    literals, parameters, and expressions without functions that are not
 *    known to be free of surprises.
 *
 * Pure.
 */

#include "rm-agent/at/image_sql.h"

struct insert {
	const struct sql_script *script;
	const struct sql_statement *st;
	const struct target *target;
	const struct value *params;
	size_t n_params;
	/* For each column of the table: the place in a row of values, or
	 * SIZE_MAX. */
	size_t *places;
	size_t n_rows; /* of values; 0 for INSERT … SELECT */
};

/* E_NOMEM; E_INVALID: a column that the table does not have; *what is it. */
MUST_CHECK int insert_init(struct insert *in, const struct image_source *s,
			   const struct value *params, size_t n_params,
			   struct arena *arena, struct bytes *what);

enum insert_given {
	GIVEN_VALUE,   /* by the text */
	GIVEN_DEFAULT, /* a default that is plain SQL */
	GIVEN_NULL,
	GIVEN_AUTO,    /* the database makes up a new one */
	GIVEN_UNKNOWN, /* cannot be known before it has run */
};

/* Where a column's value of a row comes from; *expr for GIVEN_VALUE. */
enum insert_given insert_given(const struct insert *in, size_t row,
			       size_t column, const struct sql_expr **expr);

/* All key columns of all rows are known. */
bool insert_knows_keys(const struct insert *in);
/* Append the condition that finds the rows by key. As sql_copy(). */
MUST_CHECK int insert_put_keys(const struct insert *in, struct sql_binds *b,
			       struct buf *out);

/*
 * Append the condition that finds every row that may be in the way of this
 * INSERT by any unique key.
 * E_UNSUPPORTED: cannot be said; *why is a sentence. *loose: some row of the
 * INSERT has no key by which it could be found afterwards.
 */
MUST_CHECK int insert_put_conflicts(const struct insert *in,
				    struct sql_binds *b, struct buf *out,
				    bool *loose, const char **why);

/* Append "WITH … treaty_s (c1, c2, …) AS (query) ", for INSERT … SELECT. */
MUST_CHECK int insert_put_with(const struct insert *in, struct sql_binds *b,
			       struct buf *out);

#endif
