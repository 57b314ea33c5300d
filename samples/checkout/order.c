/*
 * order: begins the global transaction of a checkout, has goods pick the item
 * and user pay it, writes its own row, and decides. How is in order_at.c,
 * order_tcc.c, …
 *
 *   POST /checkout {"token", "user", "item", "quantity"
 *                   [, "mode"] [, "timeout_ms"] [, "hold_ms"]}
 *     200 {"order": "…"}   bought; the same token again gives the same order
 *     409 {"error": "…"}   refused, nothing was done (or it is being undone)
 *     408                  timed out, likewise
 *     503 {"error", "xid"} not known yet; ask again with the same token
 */

#include "samples/checkout/order.h"

#include <stdio.h>
#include <string.h>

static const char *const schema[] = {
	"CREATE TABLE IF NOT EXISTS orders (id BIGINT NOT NULL PRIMARY KEY, "
	"token VARCHAR(64) NOT NULL UNIQUE, xid VARCHAR(128) NOT NULL, "
	"user_id VARCHAR(64) NOT NULL, item VARCHAR(64) NOT NULL, "
	"quantity BIGINT NOT NULL, amount BIGINT NOT NULL, "
	"state VARCHAR(16) NOT NULL)",
	NULL,
};

static bool is_committed(int status)
{
	return status == TREATY_STATUS_COMMITTING ||
	       status == TREATY_STATUS_COMMIT_RETRYING ||
	       status == TREATY_STATUS_ASYNC_COMMITTING ||
	       status == TREATY_STATUS_COMMITTED;
}

/* A row is there: is its transaction decided, and how? A row that says "paid"
 * and will be undone vanishes before the coordinator forgets its transaction,
 * so one whose xid is not known any more was committed long ago. */
static void answer_known(struct app *app, struct exchange *x, int64_t id,
			 const char *xid, const char *state)
{
	int status = TREATY_STATUS_UNKNOWN;
	int rc = treaty_status(app->treaty, xid, &status);

	cJSON_AddStringToObject(x->answer, "xid", xid);
	if (strcmp(state, "cancelled") == 0)
		answer_error(x, 409, "this checkout was cancelled");
	else if ((rc == TREATY_OK && is_committed(status)) ||
		 (rc == TREATY_E_NOTFOUND && strcmp(state, "paid") == 0))
		put_id(x->answer, "order", id);
	else
		answer_error(x, 503,
			     "this checkout is not decided yet; ask again");
}

/* True if the token was seen before, in another transaction than this one;
 * then the answer is given. */
static bool answer_repeated(struct app *app, struct exchange *x,
			    const char *token, const char *xid)
{
	const struct treaty_value p[] = { treaty_text(token),
					  treaty_text(xid) };
	struct treaty_result *r = NULL;
	bool found;

	if (!app_exec(app, x,
		      "SELECT id, xid, state FROM orders "
		      "WHERE token = ? AND xid <> ?",
		      p, 2, &r))
		return true;
	found = treaty_result_rows(r) > 0;
	if (found) {
		answer_forget(x);
		answer_known(app, x, treaty_result_int(r, 0, 0),
			     treaty_result_text(r, 0, 1),
			     treaty_result_text(r, 0, 2));
	}
	treaty_result_free(r);
	return found;
}

static void handle_checkout(void *ctx, struct exchange *x)
{
	struct app *app = ctx;
	struct checkout co;
	const cJSON *xid;

	if (!checkout_read(x, &co) || answer_repeated(app, x, co.token, ""))
		return;
	app_serve(app, x);
	xid = cJSON_GetObjectItemCaseSensitive(x->answer, "xid");
	/* Another one with this token may have come in between. */
	if (x->status == 409 && xid)
		(void)answer_repeated(app, x, co.token, xid->valuestring);
}

static void handle_audit(void *ctx, struct exchange *x)
{
	struct app *app = ctx;

	app_add_sum(app, x, "orders",
		    "SELECT count(*) FROM orders WHERE state = 'paid'");
	app_add_sum(app, x, "stock",
		    "SELECT coalesce(sum(quantity), 0) FROM orders "
		    "WHERE state IN ('paid', 'unpaid')");
	app_add_sum(app, x, "money",
		    "SELECT coalesce(sum(amount), 0) FROM orders "
		    "WHERE state = 'paid'");
	/* What the other services must have heard of. */
	app_add_sum(app, x, "bonus",
		    "SELECT coalesce(sum(amount), 0) FROM orders "
		    "WHERE state = 'paid' AND (token LIKE 'saga-%' OR "
		    "token LIKE 'machine-%' OR token LIKE 'msg-%' OR "
		    "token LIKE 'mixed-%')");
	app_add_sum(app, x, "to_tell",
		    "SELECT count(*) FROM orders "
		    "WHERE state = 'paid' AND token LIKE 'msg-%'");
	app_count_left(app, x, "pending orders",
		       "SELECT count(*) FROM orders WHERE state = 'pending'");
	app_count_left(app, x, "unpaid orders",
		       "SELECT count(*) FROM orders WHERE state = 'unpaid'");
	app_count_all_left(app, x);
}

int main(int argc, char **argv)
{
	static const struct mode *const modes[] = {
		&order_at,    &order_tcc,        &order_xa,
		&order_saga,  &order_by_machine, &order_msg,
		&order_delay, &order_mixed,      NULL,
	};
	static const struct route routes[] = {
		{ "POST", "/checkout", handle_checkout },
		{ "POST", "/pay", order_handle_pay },
		{ "GET", "/audit", handle_audit },
	};
	struct app app;
	int rc = app_start(&app, "order", argc, argv, schema, modes);

	if (rc != 0)
		return rc;
	if (!app.user_url || !app.goods_url) {
		fprintf(stderr, "order: --user and --goods are needed\n");
		app_stop(&app);
		return 2;
	}
	return app_run(&app, routes, sizeof routes / sizeof routes[0]);
}
