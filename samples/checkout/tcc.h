#ifndef SAMPLES_CHECKOUT_TCC_H
#define SAMPLES_CHECKOUT_TCC_H

/*
 * TCC mode, in each service: its one action, each of whose operations is one
 * local transaction with the barrier.
 */

#include "samples/checkout/barrier.h"

#include <treaty/tcc.h>

struct tcc_part {
	const char *action; /* the same name in every version of the service */
	barrier_work on_try, on_confirm, on_cancel;
	struct app *app; /* set by tcc_offer() */
};

/* Offer the action: what is left to confirm or cancel comes at once. The part
 * must live as long as the program. False after printing why not. */
bool tcc_offer(struct app *app, struct tcc_part *part);

/* The request of a branch that the caller has registered: its try. The request
 * and the branch's context have the same members. False after answering why
 * not. */
bool tcc_try(struct app *app, struct exchange *x, const struct tcc_part *part);

#endif
