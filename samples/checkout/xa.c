#include "samples/checkout/xa.h"
#include "samples/checkout/hold.h"
#include "samples/checkout/sql.h"

bool xa_start(struct app *app)
{
	if (database_kind_of(app->dsn) == SQLITE)
		return true;
	app->xa = database_open(app->treaty, app->dsn, DATABASE_XA, NULL);
	return app->xa && barrier_open(app);
}

/* Between start and end. What the database refused must not be prepared; on
 * MariaDB the rest of the branch could be. */
static bool do_work(struct connection *c, barrier_work work, const cJSON *what)
{
	if (work(c, what))
		return true;
	treaty_xa_doom(c->xa, c->error);
	return false;
}

static int on_connection(struct connection *c, const char *xid,
			 barrier_work work, const cJSON *what)
{
	int rc = treaty_xa_start(c->xa);

	if (rc != TREATY_OK)
		return rc;
	if (!do_work(c, work, what)) {
		(void)treaty_xa_rollback(c->xa);
		return TREATY_E_ROLLED_BACK;
	}
	hold_at("phase one", xid);
	rc = treaty_xa_end(c->xa);
	hold_at("phase one done", xid);
	return rc;
}

bool xa_branch(struct app *app, struct exchange *x, barrier_work work,
	       const cJSON *what)
{
	struct connection *c;
	int rc;

	if (!app->xa) {
		answer_error(x, 400, "SQLite has no XA");
		return false;
	}
	c = database_take(app->xa);
	if (!c) {
		answer_error(x, 503, "the database cannot be reached");
		return false;
	}
	c->error[0] = 0;
	rc = on_connection(c, treaty_current_xid(app->treaty), work, what);
	if (rc != TREATY_OK)
		answer_error(x, app_http_status(rc),
			     c->error[0] ? c->error : treaty_last_error());
	c->failed = c->failed || rc == TREATY_E_CLOSED || rc == TREATY_E_IO ||
		    rc == TREATY_E_UNKNOWN;
	database_give(app->xa, c);
	return rc == TREATY_OK;
}

/* The barrier with an operation of our own only stops what comes again. */
static bool first_time(struct app *app, const char *xid)
{
	const struct treaty_barrier barrier = { .trans_type = "xa",
						.gid = xid,
						.branch_id = app->name,
						.op = "request" };
	struct connection *c = database_take(app->plain);
	enum treaty_barrier_verdict verdict = TREATY_BARRIER_DUPLICATE;

	if (!c)
		return false;
	if (sql_begin(c) && barrier_ask(c, &barrier, &verdict) == TREATY_OK &&
	    !sql_commit(c))
		verdict = TREATY_BARRIER_DUPLICATE;
	database_give(app->plain, c);
	return verdict == TREATY_BARRIER_RUN;
}

static void participate_once(struct app *app, struct exchange *x,
			     barrier_work work)
{
	struct treaty_tx *tx = NULL;

	if (!first_time(app, x->xid)) {
		answer_error(x, 409, "this request was here before");
		return;
	}
	if (treaty_join(app->treaty, x->xid, &tx) != TREATY_OK) {
		answer_error(x, 400, treaty_last_error());
		return;
	}
	(void)xa_branch(app, x, work, x->body);
	treaty_release(tx);
}

void xa_participate(struct app *app, struct exchange *x, barrier_work work)
{
	if (!app->xa)
		answer_error(x, 400, "SQLite has no XA");
	else if (!x->xid)
		answer_error(x, 400, "the header TX_XID is missing");
	else
		participate_once(app, x, work);
}
