#ifndef UNDO_QUOTE_H
#define UNDO_QUOTE_H

/*
 * How a database spells names and parameters in the SQL that we generate.
 *
 * What drivers owe, so that a parameter restores the exact value:
 *  - PostgreSQL: parameters of unspecified type, text format, but bytea may be
 *    binary; the text's cast to the column's type is in the SQL.
 *  - MySQL: VALUE_BYTES bound as a blob, everything else as utf8mb4 text; the
 *    session has time_zone '+00:00', no NO_ZERO_DATE/NO_ZERO_IN_DATE, strict
 *    mode on, NO_AUTO_VALUE_ON_ZERO on. Spatial values are VALUE_BYTES in
 *    the server's own form, as SELECT gives them.
 *  - SQLite: bound by the value's type: INT as int64, FLOAT as double, BYTES
 *    as blob, anything else as text. So the storage class is kept.
 */

#include "undo/table.h"

/* A name in quotes, quotes in it doubled. */
void quote_name(struct buf *out, enum dialect dialect, struct bytes name);
/* "schema"."name", or "name" if the schema is empty. */
void quote_table(struct buf *out, enum dialect dialect, struct bytes schema,
		 struct bytes name);

/* The n-th parameter (from 1) of a statement, for a value of this column,
 * with the cast that makes the database read it exactly. */
void quote_param(struct buf *out, enum dialect dialect,
		 const struct column *column, size_t n);
/* The same with a type named directly; no cast if it is NULL. */
void quote_param_as(struct buf *out, enum dialect dialect, const char *type,
		    size_t n);

#endif
