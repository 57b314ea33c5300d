#ifndef TESTS_LIVE_POST_H
#define TESTS_LIVE_POST_H

/*
 * A shop and its customers' points on one of the three databases, for messages:
 * the producer takes a sum out of wallet 0 in a local transaction, the consumer
 * of its message puts it into wallet 1.
 *
 * So whatever happens, and however often something comes: when all is quiet,
 * what has left wallet 0 is in wallet 1. The payload is {"sum":"10"}.
 */

#include "tests/live/cashier.h"

#include <treaty/msg.h>

#include <stdatomic.h>

struct post {
	enum cashier_kind kind;
	char dsn[200];
	char consumer[32]; /* "points.mariadb" */
	char producer[32]; /* "shop.mariadb" */

	/* What the test wants to go wrong. */
	_Atomic int say_retry;   /* so often, after the work is committed */
	_Atomic int say_busy;    /* so often, before the work: in progress */
	_Atomic int say_refused; /* as long as it is set, before the work */
	_Atomic int stall; /* do not come back, after the work is committed */

	/* What happened. */
	_Atomic int calls;
	_Atomic int verdicts[5];
	_Atomic int clock;  /* *order at the last delivery that was done */
	_Atomic int *order; /* shared by several; or NULL */
	_Atomic uint64_t came_ms; /* the first call, monotonic */
	char key[200];            /* of the last delivery */
};

void post_init(struct post *p, enum cashier_kind kind, const char *dsn);
/* Take messages, and answer for the shop. */
void post_consume(struct post *p, struct treaty *t);
void post_produce(struct post *p, struct treaty *t);

/* A message to our own consumer is prepared; fails the test. */
struct treaty_msg *post_prepare(struct post *p, struct treaty *t,
				uint32_t timeout_ms, int64_t sum);
struct treaty_msg_delivery post_delivery(const struct post *p);

/* The work in a local transaction that is open on the connection; 0 or -1. */
int post_pay(struct cashier *c, int64_t sum);
/* The barrier of a message, on whichever database. */
int post_barrier(struct treaty_msg *m, struct cashier *c);
/* treaty_msg_local_…() on a connection of its own; `fail`: the work does not
 * succeed. */
int post_local(struct post *p, struct treaty_msg *m, int64_t sum, bool fail);

/* How much has left wallet 0, and arrived in wallet 1. */
int64_t post_left(struct post *p);
int64_t post_arrived(struct post *p);

#endif
