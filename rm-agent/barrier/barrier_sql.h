#ifndef RM_AGENT_BARRIER_BARRIER_SQL_H
#define RM_AGENT_BARRIER_BARRIER_SQL_H

/*
 * The barrier's SQL, and which names may go into it.
 *
 * Rules
 * -----
 *  - A table's name is written into the SQL as it is, so it passes
 *    barrier_table_ok() first. Everything else is a parameter.
 *  - Errors stick in the buffer.
 */

#include "base/buf.h"
#include "base/dialect.h"

#include <treaty/barrier.h>

/* "name" or "schema.name" of letters, digits and underscores. */
bool barrier_table_ok(const char *table);

/* OK, or E_INVALID with *why: a text that says what is wrong. */
MUST_CHECK int barrier_check(const struct treaty_barrier *b, const char **why);

/* The operation that `op` undoes, or NULL. */
const char *barrier_origin(const char *op);

/* Six parameters: trans_type, gid, branch_id, op, barrier_id, reason. A row
 * that is there already is no error and 0 rows. */
void barrier_sql_insert(struct buf *out, enum dialect d, const char *table);

/* The reason by gid, branch_id, op, barrier_id, as it is now and not as it was
 * in the transaction's snapshot. */
void barrier_sql_reason(struct buf *out, enum dialect d, const char *table);

void barrier_sql_purge(struct buf *out, enum dialect d, const char *table,
		       uint64_t older_than_s, uint32_t rows_max);

/* The i-th statement that creates the table; false if there are no more. */
bool barrier_sql_create(struct buf *out, enum dialect d, const char *table,
			unsigned i);

#endif
