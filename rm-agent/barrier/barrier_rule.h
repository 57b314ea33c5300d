#ifndef RM_AGENT_BARRIER_BARRIER_RULE_H
#define RM_AGENT_BARRIER_BARRIER_RULE_H

/*
 * The barrier on a neutral connection. Contracts and codes are those of
 * <treaty/barrier.h>; arguments are checked by the caller. Every failure has
 * set the text of treaty_last_error().
 */

#include "rm-agent/db/db.h"

#include <treaty/barrier.h>

MUST_CHECK int barrier_call(struct db *db, const struct treaty_barrier *b,
			    enum treaty_barrier_verdict *verdict);
MUST_CHECK int barrier_query(struct db *db, const struct treaty_barrier *b,
			     enum treaty_prepared *out);
MUST_CHECK int barrier_create(struct db *db, const char *table);
MUST_CHECK int barrier_purge(struct db *db, const char *table,
			     uint64_t older_than_s, uint32_t rows_max,
			     uint64_t *n);

#endif
