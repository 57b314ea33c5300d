#ifndef SAMPLES_CHECKOUT_ORDER_H
#define SAMPLES_CHECKOUT_ORDER_H

/*
 * What a checkout is in every mode, and order's modes.
 */

#include "samples/checkout/app.h"

struct checkout {
	const char *token, *user, *item;
	int64_t quantity;
	int64_t amount; /* known when goods has answered */
	int64_t id;     /* checkout_number() gives it */
};

/* Borrows from the request; false after answering what is wrong with it. */
bool checkout_read(struct exchange *x, struct checkout *co);

/* The order's number; false after answering an error. */
bool checkout_number(struct app *app, struct exchange *x, struct checkout *co);

/* All of it as JSON, for whoever deletes it. */
cJSON *checkout_describe(const struct checkout *co, const char *xid);

/* How a service is to be asked. */
struct ask {
	const char *mode;
	const char *xid;    /* NULL: no header TX_XID */
	const char *branch; /* the request's "branch"; NULL: none */
};

/* Have goods pick, have user pay. An answer that is lost is asked for again.
 * False after answering 409: then it may have been done or not. */
bool ask_goods(struct app *app, struct exchange *x, struct checkout *co,
	       const struct ask *ask);
bool ask_user(struct app *app, struct exchange *x, struct checkout *co,
	      const struct ask *ask);

/*
 * The checkout as one global transaction: begin, `work`, and commit if it
 * returns true; else it has answered why not, and all is rolled back. Gives the
 * answer.
 */
void checkout_in_transaction(struct app *app, struct exchange *x,
			     bool (*work)(struct app *app, struct exchange *x,
					  const char *xid,
					  struct checkout *co));

/* In AT mode: write the order's row. False after answering why not. */
bool order_write_at(struct app *app, struct exchange *x, const char *xid,
		    struct checkout *co, const char *state);
/* In TCC mode: register a branch whose try another service makes, and ask it.
 * False after answering why not. */
bool order_ask_tcc(struct app *app, struct exchange *x, struct checkout *co,
		   const char *xid, const char *service, const char *action,
		   bool (*ask)(struct app *app, struct exchange *x,
			       struct checkout *co, const struct ask *ask));
/* POST /pay, of order_delay. */
void order_handle_pay(void *app, struct exchange *x);

extern const struct mode order_at, order_tcc, order_xa, order_saga,
	order_by_machine, order_msg, order_delay, order_mixed;

#endif
