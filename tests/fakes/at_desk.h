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

#define AT_DESK_TXS      64
#define AT_DESK_BRANCHES 512
#define AT_DESK_LOCKS    4096
#define AT_DESK_OFFERS   16

struct treaty_tx {
	char xid[XID_LEN_MAX + 1];
	uint64_t serial;
	int status;
};

struct at_desk_branch {
	uint64_t id, serial;
	char resource[512];
	bool done, failed;
};

struct at_desk_lock {
	uint64_t serial, branch;
	struct bytes key;
};

struct at_desk {
	pthread_mutex_t lock;
	struct treaty_tx txs[AT_DESK_TXS];
	size_t n_txs;
	struct at_desk_branch branches[AT_DESK_BRANCHES];
	size_t n_branches;
	struct at_desk_lock locks[AT_DESK_LOCKS];
	size_t n_locks;
	struct {
		char resource[512];
		struct agent_handler handler;
		void *ctx;
	} offers[AT_DESK_OFFERS];
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

void at_desk_init(struct at_desk *d);
/* Frees locks and what was offered. */
void at_desk_fini(struct at_desk *d);
struct at_link at_desk_link(struct at_desk *d);

/* Begin and bind to this thread; owned by the desk. */
struct treaty_tx *at_desk_begin(struct at_desk *d);
/* NULL: nothing. */
void at_desk_bind(struct treaty_tx *tx);

/* Decide, give the locks up, run phase two of each branch, newest first for
 * rollback. Returns how many branches are not done. Unbinds the thread. */
unsigned at_desk_commit(struct at_desk *d, struct treaty_tx *tx);
unsigned at_desk_rollback(struct at_desk *d, struct treaty_tx *tx);
/* Run phase two of what is not done again, with an operator's decision. */
unsigned at_desk_again(struct at_desk *d, struct treaty_tx *tx,
		       enum agent_resolution resolution, const char *values);
/* Forget who offered what, without freeing it twice: the process "restarts". */
void at_desk_withdraw(struct at_desk *d);

#endif
