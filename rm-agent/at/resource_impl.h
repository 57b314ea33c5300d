#ifndef RM_AGENT_AT_RESOURCE_IMPL_H
#define RM_AGENT_AT_RESOURCE_IMPL_H

/*
 * The inside of a resource, for resource.c, phase_two.c and keeper.c.
 */

#include "base/log.h"
#include "rm-agent/at/resource.h"

#include <pthread.h>

#define POOL_MAX  8     /* idle connections of phase two */
#define QUEUE_MAX 20000 /* committed branches whose undo rows are still there */

struct committed {
	char xid[XID_LEN_MAX + 1];
	uint64_t branch;
};

struct at_resource {
	struct at_link link;
	struct at_options opt;
	struct undo_log log;
	char *schema; /* .log's */
	char *id;
	struct at_undo_sql sql;

	pthread_mutex_t lock; /* guards what follows */
	pthread_cond_t changed;
	struct db *pool[POOL_MAX];
	size_t n_pool;
	struct committed *queue;
	size_t n_queue;
	uint64_t deleted;
	bool stopping;
	bool has_thread;
	pthread_t thread;
	pthread_mutex_t flushing; /* one flush at a time */
};

/* A connection of our own: an idle one or a new one. NULL: *error says why,
 * *rc is db_open()'s code. */
struct db *resource_take(struct at_resource *r, struct db_error *error,
			 int *rc);
/* Put it back; one that is not idle any more is closed. */
void resource_give(struct at_resource *r, struct db *db);

/* ---- phase_two.c ---- */

void phase_two_run(void *ctx, const struct agent_command *command,
		   struct agent_result *result);

/* ---- keeper.c ---- */

/* The branch is committed: its undo rows may go. E_LIMIT: too many wait. */
MUST_CHECK int keeper_add(struct at_resource *r, const char *xid,
			  uint64_t branch);
/* Start deleting in the background. E_IO. */
MUST_CHECK int keeper_start(struct at_resource *r);
/* Delete what waits and stop. */
void keeper_stop(struct at_resource *r);
/* Old defence rows, and undo rows that a crash has left. */
MUST_CHECK int keeper_purge(struct at_resource *r);

#endif
