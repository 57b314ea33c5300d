#ifndef TESTS_FAKES_AT_DESK_H
#define TESTS_FAKES_AT_DESK_H

/*
 * A coordinator in a struct, behind the link of AT: begins transactions, holds
 * row locks, and gives the phase-two commands to whoever offered the resource.
 *
 * Thread-safe. A thread's transaction is what it began or bound last.
 */

#include "rm-agent/at/link.h"

#include <pthread.h>

#define DESK_TXS      64
#define DESK_BRANCHES 512
#define DESK_LOCKS    4096
#define DESK_OFFERS   16

struct treaty_tx {
	char xid[XID_LEN_MAX + 1];
	uint64_t serial;
	int status;
};

struct desk_branch {
	uint64_t id, serial;
	char resource[512];
	bool done, failed;
};

struct desk_lock {
	uint64_t serial, branch;
	struct bytes key;
};

struct desk {
	pthread_mutex_t lock;
	struct treaty_tx txs[DESK_TXS];
	size_t n_txs;
	struct desk_branch branches[DESK_BRANCHES];
	size_t n_branches;
	struct desk_lock locks[DESK_LOCKS];
	size_t n_locks;
	struct {
		char resource[512];
		struct agent_handler handler;
		void *ctx;
	} offers[DESK_OFFERS];
	size_t n_offers;
	uint64_t next_number;
	unsigned checks;   /* lock checks asked for */
	unsigned enlisted; /* registrations asked for */
	int enlist_error;  /* the next one fails with it */
	/* Called inside of a registration that is granted. */
	void (*on_enlist)(void *ctx);
	void *on_enlist_ctx;
	/* What the last phase two said. */
	char error[2048];
	char detail[8192];
};

void desk_init(struct desk *d);
/* Frees locks and what was offered. */
void desk_fini(struct desk *d);
struct at_link desk_link(struct desk *d);

/* Begin and bind to this thread; owned by the desk. */
struct treaty_tx *desk_begin(struct desk *d);
/* NULL: nothing. */
void desk_bind(struct treaty_tx *tx);

/* Decide, give the locks up, run phase two of each branch, newest first for
 * rollback. Returns how many branches are not done. Unbinds the thread. */
unsigned desk_commit(struct desk *d, struct treaty_tx *tx);
unsigned desk_rollback(struct desk *d, struct treaty_tx *tx);
/* Run phase two of what is not done again, with an operator's decision. */
unsigned desk_again(struct desk *d, struct treaty_tx *tx,
		    enum agent_resolution resolution, const char *values);
/* Forget who offered what, without freeing it twice: the process "restarts". */
void desk_withdraw(struct desk *d);

#endif
