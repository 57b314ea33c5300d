#ifndef RM_AGENT_AT_IMAGE_SQL_H
#define RM_AGENT_AT_IMAGE_SQL_H

/*
 * SQL that reads images: by the statement's own condition, and by key; and the
 * condition that ties a statement to the rows of its before image.
 *
 * Rules
 * -----
 *  - The columns of the result are those of the table, in its order, then a
 *    lock text for each key column that folds.
 *  - Parameters of the application's text go along; at_binds_values() puts
 *    their values into the order in which the new text wants them.
 *
 * Pure.
 */

#include "rm-agent/at/target.h"
#include "sqlparse/sql.h"
#include "undo/image.h"

/* A statement of one table, and what to read it with. */
struct image_source {
	const struct sql_script *script;
	const struct sql_statement *st;
	const struct target *target;
};

/* What the statement's rows are called in it: alias or table name. */
struct bytes image_sql_qualifier(const struct image_source *s);

/* The select list, columns qualified by `q` (SQL; may be empty). */
void image_sql_list(struct buf *out, const struct target *t, struct bytes q);

/*
 * The rows that an UPDATE or DELETE will change, or a locking SELECT has
 * locked: SELECT list FROM its tables WHERE its condition, locked where the
 * dialect can (by the SELECT's own clause). Codes as sql_copy().
 */
MUST_CHECK int image_sql_before(struct buf *out, struct sql_binds *binds,
				const struct image_source *s);

/* Rows by key: n rows, one parameter for each key value, row by row. */
void image_sql_by_key(struct buf *out, const struct target *t, size_t n);
/* Only its condition, parameters counted from `first`. */
void image_sql_key_condition(struct buf *out, const struct target *t, size_t n,
			     size_t first);

/* The same condition for the rows of an image, values as literals, columns
 * qualified: for pinning a statement to these rows. No rows: never true. */
void image_sql_pin(struct buf *out, const struct image *img,
		   const struct target *t, struct bytes q);

/* A value as a literal that has no second meaning in any mode. */
void image_sql_literal(struct buf *out, enum dialect dialect, struct value v);

/* Values in the order of binds. E_NOMEM; E_INVALID: there are too few. */
MUST_CHECK int at_binds_values(const struct sql_binds *binds,
			       const struct value *params, size_t n,
			       struct arena *arena, struct value **out);

#endif
