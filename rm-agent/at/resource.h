#ifndef RM_AGENT_AT_RESOURCE_H
#define RM_AGENT_AT_RESOURCE_H

/*
 * A database that takes part in AT: one for each resource id of a handle,
 * shared by all connections of the application to it. It answers the
 * coordinator's phase-two commands on connections of its own.
 *
 * Rules
 * -----
 *  - Thread-safe. Lives until the agent takes it away (treaty_close()).
 *  - Rollback is done when it is asked for. Undo rows of committed branches
 *    are deleted later, many at once; what a crash leaves is found by age and
 *    deleted when the coordinator says that its transaction is committed.
 */

#include "rm-agent/at/link.h"
#include "rm-agent/db/db.h"
#include "undo/undo_log.h"

#include <treaty/at.h>

struct at_resource;

/* The options with every default filled in; text is owned. */
struct at_options {
	char *resource;
	char *dsn;
	char *undo_table;
	bool create_undo_table;
	bool no_thread;
	bool respect_global_locks;
	uint32_t lock_wait_ms;
	uint32_t retries;
	uint32_t retry_for_ms;
	uint32_t rows_max;
	uint32_t undo_keep_days;
	enum treaty_policy triggers;
	enum treaty_policy unprotected;
};

/* `options` may be NULL. E_NOMEM. */
MUST_CHECK int at_options_init(struct at_options *out,
			       const struct treaty_at_options *options);
void at_options_fini(struct at_options *o);

/* SQL texts about the undo table. */
struct at_undo_sql {
	char *text[UNDO_LOG_TEXTS];
	char *touch; /* changes nothing, takes SQLite's write lock */
};
MUST_CHECK int at_undo_sql_init(struct at_undo_sql *u,
				const struct undo_log *log);
void at_undo_sql_fini(struct at_undo_sql *u);

/*
 * The resource of the database that `db` is connected to: the one that is
 * there already, or a new one that is offered to the coordinator. Creates the
 * undo table if need be and allowed. *options is taken over on OK.
 *
 * Codes as treaty_at_wrap_pg(); the text of treaty_last_error() is set.
 */
MUST_CHECK int at_resource_get(const struct at_link *link, struct db *db,
			       struct at_options *options,
			       struct at_resource **out);

const char *at_resource_id(const struct at_resource *r);
const struct at_undo_sql *at_resource_sql(const struct at_resource *r);
uint64_t at_resource_deleted(const struct at_resource *r);

/* Undo rows of committed branches are deleted now and not later. For tests and
 * a service that is about to stop. Codes as db_exec(). */
MUST_CHECK int at_resource_flush(struct at_resource *r);

#endif
