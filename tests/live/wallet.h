#ifndef TESTS_LIVE_WALLET_H
#define TESTS_LIVE_WALLET_H

/*
 * A TCC participant on one of the three databases: money leaves wallet 0 and
 * arrives in wallet 1.
 *
 *   try      balance of 0 -> frozen of 0, refused if there is not enough
 *   confirm  frozen of 0 -> balance of 1
 *   cancel   frozen of 0 -> balance of 0
 *
 * Each operation is one local transaction with the barrier in front, on a
 * connection of its own. The context is {"sum":"10"}.
 */

#include "tests/live/cashier.h"

#include <treaty/tcc.h>

#include <stdatomic.h>

struct wallet {
	enum cashier_kind kind;
	char dsn[200];
	char action[32]; /* its name: "deduct.mariadb" */

	/* What the test wants to go wrong; set before. */
	_Atomic int say_retry;   /* so often, after the work is committed */
	_Atomic int say_refused; /* always, before the work */
	/* 1: try adds "ref":"77" to the context; 2: it also saves that, writes
	 * "78" and fails, all after the work is committed */
	_Atomic int amend;
	_Atomic int before_ms,
		after_ms;  /* how long try waits around the work */
	_Atomic int stall; /* do not come back from confirm */

	/* What happened. */
	_Atomic int tries, confirms, cancels; /* calls */
	_Atomic int verdicts[3][5];           /* [try, confirm, cancel] */
	_Atomic int clock;                    /* *order at the last confirm */
	_Atomic int *order;                   /* shared by several; or NULL */
	char context[200];                    /* that phase two saw */
};

void wallet_init(struct wallet *w, enum cashier_kind kind, const char *dsn);
void wallet_offer(struct wallet *w, struct treaty *t, uint32_t attempts_max);

/* Wallets 0 and 1 hold what they held together, and nothing is frozen. */
bool wallet_conserved(struct wallet *w);
/* How much has arrived in wallet 1. */
int64_t wallet_arrived(struct wallet *w);

#endif
