#ifndef RM_AGENT_AT_LINK_H
#define RM_AGENT_AT_LINK_H

/*
 * What AT asks of the agent: rm-agent/agent.h as a table of functions, so that
 * tests put a coordinator of their own behind it.
 *
 * Rules
 * -----
 *  - Codes and meanings are those of rm-agent/agent.h.
 *  - A transaction object may be gone by the next call: hold on to its serial,
 *    not to the pointer.
 */

#include "rm-agent/agent.h"

struct at_link {
	void *ctx;
	struct treaty_tx *(*current)(void *ctx); /* of this thread, or NULL */
	uint64_t (*serial)(void *ctx, const struct treaty_tx *tx);
	const char *(*xid)(void *ctx, const struct treaty_tx *tx);
	int (*check)(void *ctx, struct treaty_tx *tx);
	int (*enlist)(void *ctx, struct treaty_tx *tx,
		      const struct agent_branch *branch, uint64_t *branch_id,
		      struct agent_conflict *conflict);
	void (*failed)(void *ctx, struct treaty_tx *tx, uint64_t branch_id);
	/* tx NULL: free of everybody */
	int (*lock_check)(void *ctx, struct treaty_tx *tx,
			  struct bytes resource, const struct bytes *keys,
			  size_t n_keys, uint64_t wait_ms,
			  struct agent_conflict *conflict);
	int (*status)(void *ctx, const char *xid, int *status);
	int (*offer)(void *ctx, struct bytes resource,
		     const struct agent_handler *handler, void *handler_ctx);
	void *(*offered)(void *ctx, struct bytes resource);
};

/* The link to a real handle. */
struct at_link at_link_to(struct treaty *t);

#endif
