#ifndef SAMPLES_CHECKOUT_APP_H
#define SAMPLES_CHECKOUT_APP_H

/*
 * What the three programs share: their command line, the agent, the database,
 * and being a participant of somebody else's transaction.
 */

#include "samples/checkout/database.h"
#include "samples/checkout/service.h"

#include <treaty/treaty.h>

struct app {
	const char *name;
	const char *user_url;  /* order only */
	const char *goods_url; /* order only */
	uint16_t port;
	struct treaty *treaty;
	struct database *database;
};

/*
 * --port N --db DSN --treaty ADDRESS [--user URL --goods URL]. Opens the agent
 * and the database with its tables. Returns 0, or a program's exit status
 * after saying what is wrong.
 */
int app_start(struct app *app, const char *name, int argc, char **argv,
	      const char *const *schema);
void app_stop(struct app *app);

/*
 * A part of somebody else's transaction.
 *
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
void app_participate(struct app *app, struct exchange *x,
		     const struct part *part);

/* Run one statement outside any transaction; false after answering an error. */
bool app_exec(struct app *app, struct exchange *x, const char *sql,
	      const struct treaty_value *params, size_t n,
	      struct treaty_result **result);

/* The number of undo rows that are still there, into the answer. */
void app_count_undo(struct app *app, struct exchange *x);

/* The HTTP status that fits a code of Treaty: 409 for a row that another
 * transaction holds, 503 for what may work later, 500 otherwise. */
int app_http_status(int code);

#endif
