#ifndef SAMPLES_CHECKOUT_XA_H
#define SAMPLES_CHECKOUT_XA_H

/*
 * XA mode, in each service: plain SQL in a transaction that the database keeps
 * prepared until the decision. PostgreSQL and MariaDB can; SQLite cannot, and a
 * service on it answers that it cannot.
 */

#include "samples/checkout/barrier.h"

/* A mode's start: the connections, hence phase two and recovery. */
bool xa_start(struct app *app);

/* One branch of this thread's transaction; false after answering why not. The
 * work runs SQL by sql_run(). */
bool xa_branch(struct app *app, struct exchange *x, barrier_work work,
	       const cJSON *what);

/*
 * The request of user or goods, for the transaction that its header TX_XID
 * names: a branch, once. A branch's rows are locked until the decision, so the
 * same request again could not even look whether it was here before; it is
 * refused, and the checkout rolled back.
 */
void xa_participate(struct app *app, struct exchange *x, barrier_work work);

#endif
