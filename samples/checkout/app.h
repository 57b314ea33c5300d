#ifndef SAMPLES_CHECKOUT_APP_H
#define SAMPLES_CHECKOUT_APP_H

/*
 * What the three programs share: their command line, the agent, the database,
 * and the choice of a mode for each request.
 */

#include "samples/checkout/database.h"
#include "samples/checkout/service.h"

#include <treaty/treaty.h>

struct app;

/*
 * One way of taking part in a global transaction. Each service does its one
 * work (order: a checkout, user: pay, goods: pick) in every mode that it
 * has; SERVICE_MODE.c is the whole of it.
 */
struct mode {
	const char *name; /* "at", "tcc", …: the request's "mode" */
	/* Get ready, before the first request: offer to the coordinator what
	 * it may have to finish here. NULL: nothing to do. Returns false
	 * after printing why not. */
	bool (*start)(struct app *app);
	/* NULL: what it does, it does for the coordinator alone. */
	void (*serve)(struct app *app, struct exchange *x);
	/* Before the databases are closed: wait until nothing of this mode
	 * uses them. NULL: nothing does. */
	void (*stop)(void);
};

struct app {
	const char *name;
	const char *dsn;
	const char *user_url;   /* order only */
	const char *goods_url;  /* order only */
	const char *points_url; /* order only; NULL: there are no points */
	uint16_t port;
	struct treaty *treaty;
	struct database *database;       /* wrapped for AT mode */
	struct database *plain;          /* of a mode that wants it, or NULL */
	struct database *xa;             /* likewise */
	const struct mode *const *modes; /* NULL at the end */
};

/*
 * --port N --db DSN --treaty ADDRESS [--user URL --goods URL [--points URL]].
 * Opens the agent and the database with its tables, and starts the modes.
 * Returns 0, or a program's exit status after saying what is wrong.
 */
int app_start(struct app *app, const char *name, int argc, char **argv,
	      const char *const *schema, const struct mode *const *modes);
/* Serve these routes, and those of the demo's breakpoints, until told to end;
 * then stop the app. Returns a program's exit status. */
int app_run(struct app *app, const struct route *routes, size_t n);
void app_stop(struct app *app);

/* Do the service's work in the mode that the request names; "at" if none. */
void app_serve(void *app, struct exchange *x);

/* Run one statement outside any transaction; false after answering an error. */
bool app_exec(struct app *app, struct exchange *x, const char *sql,
	      const struct treaty_value *params, size_t n,
	      struct treaty_result **result);

/* For the audit: what a SELECT of one number gives, added to a member of the
 * answer; app_count_left() to a member of its "left": what must be 0 when
 * nothing is unfinished. */
void app_add_sum(struct app *app, struct exchange *x, const char *name,
		 const char *sql);
void app_count_left(struct app *app, struct exchange *x, const char *name,
		    const char *sql);
/* What every mode may leave behind in any service. */
void app_count_all_left(struct app *app, struct exchange *x);

/* The HTTP status that fits a code of Treaty: 409 for a row that another
 * transaction holds, 503 for what may work later, 500 otherwise. */
int app_http_status(int code);

#endif
