#ifndef RM_AGENT_TX_H
#define RM_AGENT_TX_H

/*
 * A transaction object and its binding to a thread.
 *
 *   ACTIVE --commit answered--> COMMITTED or ROLLED_BACK
 *      |  \--commit not answered--> COMMIT_UNKNOWN (commit or rollback again)
 *      |----rollback answered--> ROLLED_BACK or COMMITTED
 *      \----rollback not answered--> ROLLBACK_UNKNOWN (rollback again)
 *
 * Rules
 * -----
 *  - An object belongs to the thread that it is bound to, or, if to none, to
 *    the one that uses it. Only .bound is looked at by others.
 *  - It outlives its handle: treaty_release() works after treaty_close().
 */

#include "rm-agent/handle.h"

#include <stdatomic.h>

enum tx_state {
	TX_ACTIVE,
	TX_COMMIT_UNKNOWN,
	TX_ROLLBACK_UNKNOWN,
	TX_COMMITTED,
	TX_ROLLED_BACK,
	TX_STATES, /* how many */
};

struct treaty_tx {
	struct treaty *t;
	char xid[XID_LEN_MAX + 1];
	bool began;   /* else joined */
	bool message; /* commit does not wait for its phase two */
	enum tx_state state;
	int status;
	uint64_t serial;
	unsigned open; /* branches that must be ended before a commit */
	bool doomed;   /* a branch has voted no: it may only be rolled back */
	_Atomic uint64_t bound;  /* number of the thread; 0: none */
	struct treaty_tx *next;  /* bound to the same thread, other handles */
	struct treaty_tx *outer; /* put aside for this one; may be NULL */
};

/* ---- bind.c ---- */

/* The calling thread's number; never 0, never used twice. */
uint64_t thread_number(void);
struct treaty_tx *bound_find(const struct treaty *t);
/* OK or E_STATE with a text: may the calling thread bind another one? */
MUST_CHECK int bind_check(const struct treaty *t);
/* Bind to the calling thread; what was bound is put aside (bind_check). */
void bind_now(struct treaty_tx *tx);
/* End its binding to the calling thread, if there is one; what was put aside
 * for it is bound again. */
void unbind_now(struct treaty_tx *tx);
/* The same for one that will be freed: it is not bound again either. */
void unbind_for_good(struct treaty_tx *tx);
/* E_STATE with a text if it is bound to another thread. */
MUST_CHECK int bound_elsewhere(const struct treaty_tx *tx);

#endif
