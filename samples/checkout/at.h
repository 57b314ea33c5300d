#ifndef SAMPLES_CHECKOUT_AT_H
#define SAMPLES_CHECKOUT_AT_H

/*
 * AT mode, in user and goods: a part of somebody else's transaction.
 */

#include "samples/checkout/app.h"

/*
 * `work` runs in one local transaction, hence one branch. It fills the answer
 * and returns TREATY_OK to commit; with another code, or a status of 400 and
 * above in the answer, everything it did is rolled back.
 *
 * What `work` refuses with 409 it may refuse because of a row that another
 * global transaction has changed and may yet roll back; and a local transaction
 * that met such a row's lock is rolled back. Then `claim` takes the global lock
 * of the row in question with a statement of its own, which waits for the other
 * one to end, and `work` looks again.
 */
struct part {
	int (*work)(struct connection *c, struct exchange *x);
	int (*claim)(struct connection *c, struct exchange *x);
};

/* Do it for the transaction that the request's header TX_XID names. */
void at_participate(struct app *app, struct exchange *x,
		    const struct part *part);

#endif
