#ifndef SAMPLES_CHECKOUT_SAGA_H
#define SAMPLES_CHECKOUT_SAGA_H

/*
 * The modes saga (a graph of steps) and machine (a state machine), in each
 * service: an action and what undoes it, each one local transaction with the
 * barrier. The coordinator calls them; who started the saga need not live.
 */

#include "samples/checkout/barrier.h"

#include <treaty/saga.h>

struct saga_part {
	const char *service; /* the name that definitions call it by */
	barrier_work action, undo;
	/* What later steps and the caller hear of it; computed anew for a
	 * repeated call, so only from `what` and what never changes. NULL:
	 * nothing. False: it is not known now. */
	bool (*output)(struct app *app, const cJSON *what, cJSON *out);
	struct app *app; /* set by saga_offer() */
};

/* Offer the service: calls that wait for it come at once. The part must live as
 * long as the program. False after printing why not. */
bool saga_offer(struct app *app, struct saga_part *part);

#endif
