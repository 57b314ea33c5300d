#ifndef TESTS_LIVE_MOVER_H
#define TESTS_LIVE_MOVER_H

/*
 * A saga's service on one of the three databases: money goes from wallet 0 to
 * wallet 1, and back in the compensation.
 *
 * Each call is one local transaction with the barrier in front, on a connection
 * of its own. The input is {"sum":10}, the output {"moved":10}.
 */

#include "tests/live/cashier.h"

#include <treaty/saga.h>

#include <stdatomic.h>

#define MOVER_STORY_MAX 256

/* What several movers have done, in order: "+p -p", plus for actions. */
struct mover_story {
	_Atomic int n;
	char text[MOVER_STORY_MAX][4];
	_Atomic int active, peak; /* actions at once */
};

struct mover {
	enum cashier_kind kind;
	char dsn[200];
	char service[32];          /* its name: "move.mariadb" */
	struct mover_story *story; /* NULL: none */

	/* What the test wants to go wrong; set before. */
	_Atomic int refuse;      /* so many actions, "poor"; -1: all */
	_Atomic int progress;    /* so many calls, before the work */
	_Atomic int fail_before; /* so many calls are unknown, not done … */
	_Atomic int fail_after;  /* … or done */
	_Atomic int before_ms;   /* how long an action waits before and … */
	_Atomic int after_ms;    /* … after its work */
	_Atomic int stall;       /* actions do not come back; tell on stdout */

	/* What happened. */
	_Atomic int actions, compensations; /* calls */
	_Atomic int verdicts[2][5];         /* [action, compensation] */
};

void mover_init(struct mover *m, enum cashier_kind kind, const char *dsn);
void mover_offer(struct mover *m, struct treaty *t);

/* Wallets 0 and 1 hold what they held together. */
bool mover_conserved(struct mover *m);
/* How much has arrived in wallet 1. */
int64_t mover_arrived(struct mover *m);

/* "+p +m -m -p" so far; static. */
const char *mover_tell(struct mover_story *s);

#endif
