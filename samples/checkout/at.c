#include "samples/checkout/at.h"
#include "samples/checkout/hold.h"

/* With places where the demo can stop it, and kill it. */
static int end_part(struct connection *c, struct exchange *x)
{
	int rc;

	hold_at("phase one", x->xid);
	rc = treaty_at_commit(c->at);
	hold_at("phase one done", x->xid);
	return rc;
}

static int work_once(struct connection *c, struct exchange *x,
		     const struct part *part)
{
	int rc = treaty_at_begin(c->at);

	if (rc != TREATY_OK)
		return rc;
	rc = part->work(c, x);
	if (rc == TREATY_OK && x->status < 400)
		return end_part(c, x);
	treaty_at_rollback(c->at);
	return rc;
}

/* Did another global transaction decide this, one that is itself undecided? */
static bool doubtful(int rc, const struct exchange *x)
{
	return rc == TREATY_E_CONFLICT || rc == TREATY_E_TIMEOUT ||
	       rc == TREATY_E_DEADLOCK || (rc == TREATY_OK && x->status == 409);
}

static int do_part(struct connection *c, struct exchange *x,
		   const struct part *part)
{
	int rc = work_once(c, x, part);

	if (!doubtful(rc, x))
		return rc;
	answer_forget(x);
	rc = part->claim(c, x);
	if (rc != TREATY_OK || x->status != 200)
		return rc;
	return work_once(c, x, part);
}

void at_participate(struct app *app, struct exchange *x,
		    const struct part *part)
{
	struct treaty_tx *tx = NULL;
	struct connection *c;
	int rc;

	if (!x->xid) {
		answer_error(x, 400, "the header TX_XID is missing");
		return;
	}
	rc = treaty_join(app->treaty, x->xid, &tx);
	if (rc != TREATY_OK) {
		answer_error(x, 400, treaty_last_error());
		return;
	}
	c = database_take(app->database);
	if (c) {
		rc = do_part(c, x, part);
		if (rc != TREATY_OK)
			answer_error(x, app_http_status(rc),
				     treaty_last_error());
		database_give(app->database, c);
	} else {
		answer_error(x, 503, "the database cannot be reached");
	}
	treaty_release(tx);
}
