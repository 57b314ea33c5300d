#ifndef SAMPLES_CHECKOUT_BARRIER_H
#define SAMPLES_CHECKOUT_BARRIER_H

/*
 * One operation of a branch (try, confirm, cancel; action, compensate; …) in
 * one local transaction with Treaty's barrier.
 */

#include "samples/checkout/app.h"

#include <cjson/cJSON.h>
#include <treaty/barrier.h>

/* Does the operation by sql_run(). `what`: the request, or the context of the
 * branch. False: the database failed, or it is refused (then c->error says
 * why and c->failed is false). */
typedef bool (*barrier_work)(struct connection *c, const cJSON *what);

enum barrier_end {
	BARRIER_DONE,    /* now, or earlier, or there is nothing to do */
	BARRIER_REFUSED, /* by the work */
	BARRIER_LATE,    /* its undoing came first: it must never happen */
	BARRIER_FAILED,  /* not known; ask again */
};

/* Open app->plain with the barrier's table. False after printing why not. */
bool barrier_open(struct app *app);

/* Unless the end is BARRIER_DONE, nothing was changed (or, when it failed, it
 * is not known), and *why is the reason: 256 bytes. */
enum barrier_end barrier_run(struct app *app,
			     const struct treaty_barrier *barrier,
			     barrier_work work, const cJSON *what,
			     char why[256]);

/* Only ask, in the local transaction that is open. Treaty's codes; the text is
 * in c->error, too. */
int barrier_ask(struct connection *c, const struct treaty_barrier *barrier,
		enum treaty_barrier_verdict *verdict);

/* Answer an end with 200, 409 or 503. */
void barrier_answer(struct exchange *x, enum barrier_end end, const char *why);

/* For the work: a refusal; false. */
bool barrier_refuse(struct connection *c, const char *why);
/* Members of `what`; "" and 0 if they are missing. A number may be a text. */
const char *barrier_text(const cJSON *what, const char *name);
int64_t barrier_number(const cJSON *what, const char *name);

#endif
