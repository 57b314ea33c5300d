#ifndef RM_AGENT_TCC_OPERATION_H
#define RM_AGENT_TCC_OPERATION_H

/*
 * An offered action, and what a callback holds: one operation of one branch.
 *
 * Rules
 * -----
 *  - An action lives from treaty_tcc_register() to treaty_close(), which waits
 *    for every call and handler that is inside; so who is inside the handle
 *    may keep a pointer to it.
 *  - An operation belongs to the thread that runs the callback.
 */

#include "base/list.h"
#include "rm-agent/agent.h"

#include <treaty/tcc.h>

#define TCC_NAME_MAX 128

struct action {
	struct list link;
	struct treaty *t;
	char *name;
	char *barrier_table; /* NULL: the default */
	struct treaty_tcc_action a;
	void *ctx;
};

enum operation_type { OPERATION_TRY, OPERATION_CONFIRM, OPERATION_CANCEL };

struct treaty_tcc {
	const struct action *action;
	enum operation_type type;
	struct treaty_tx *tx; /* in try, else NULL */
	const char *xid;
	uint64_t branch;
	char branch_text[24];
	uint64_t attempt;
	char *context; /* owned */
	bool changed;  /* not stored yet */
	char error[1001];
};

/* The action of that name that this handle offers, or NULL. Inside it. */
const struct action *action_find(const struct treaty *t, const char *name);

/* op->context becomes a copy. The rest is filled in by the caller. E_NOMEM. */
MUST_CHECK int operation_init(struct treaty_tcc *op,
			      const struct action *action,
			      enum operation_type type, struct bytes context);
void operation_fini(struct treaty_tcc *op);

/* .branch and .branch_text */
void operation_set_branch(struct treaty_tcc *op, uint64_t branch);

/* OK, or E_INVALID with a text; NULL is fine and means {}. */
MUST_CHECK int context_check(const char *context);
struct bytes context_bytes(const char *context);

#endif
