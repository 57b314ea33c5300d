#ifndef SAMPLES_CHECKOUT_ORDER_MACHINE_H
#define SAMPLES_CHECKOUT_ORDER_MACHINE_H

/*
 * The checkout as a state machine, in the language of Seata's designer.
 */

#define ORDER_MACHINE "checkout-machine"

/* The document, to be freed. points_url: of the service that credits points;
 * NULL: without that state. */
char *order_machine(const char *points_url);

#endif
