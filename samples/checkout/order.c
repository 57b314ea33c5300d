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

static const char *const schema[] = {
	"CREATE TABLE IF NOT EXISTS orders (id BIGINT NOT NULL PRIMARY KEY, "
	"token VARCHAR(64) NOT NULL UNIQUE, xid VARCHAR(128) NOT NULL, "
	"user_id VARCHAR(64) NOT NULL, item VARCHAR(64) NOT NULL, "
	"quantity BIGINT NOT NULL, amount BIGINT NOT NULL, "
	"state VARCHAR(16) NOT NULL)",
	NULL,
};

/* A row is there: is its transaction decided, and how? Rows of rolled-back
 * transactions vanish before the coordinator forgets them, so a row whose xid
 * it does not know any more was committed long ago. */
static void answer_known(struct app *app, struct exchange *x, int64_t id,
			 const char *xid)
{
	int status = TREATY_STATUS_UNKNOWN;
	int rc = treaty_status(app->treaty, xid, &status);

	switch (status) {
	case TREATY_STATUS_COMMITTING:
	case TREATY_STATUS_COMMIT_RETRYING:
	case TREATY_STATUS_ASYNC_COMMITTING:
	case TREATY_STATUS_COMMITTED:
		rc = TREATY_E_NOTFOUND;
		break;
	default:
		break;
	}
	cJSON_AddStringToObject(x->answer, "xid", xid);
	if (rc == TREATY_E_NOTFOUND)
		put_id(x->answer, "order", id);
	else
		answer_error(x, 503,
			     "this checkout is not decided yet; ask again");
}

/* True if the token was seen before; then the answer is given. */
static bool answer_repeated(struct app *app, struct exchange *x,
			    const char *token)
{
	struct treaty_value p = treaty_text(token);
	struct treaty_result *r = NULL;
	bool found;

	if (!app_exec(app, x, "SELECT id, xid FROM orders WHERE token = ?", &p,
		      1, &r))
		return true;
	found = treaty_result_rows(r) > 0;
	if (found)
		answer_known(app, x, treaty_result_int(r, 0, 0),
			     treaty_result_text(r, 0, 1));
	treaty_result_free(r);
	return found;
}

static void handle_checkout(void *app, struct exchange *x)
{
	struct checkout co;

	if (checkout_read(x, &co) && !answer_repeated(app, x, co.token))
		app_serve(app, x);
}

static void handle_audit(void *ctx, struct exchange *x)
{
	struct app *app = ctx;

	app_add_sum(app, x, "orders",
		    "SELECT count(*) FROM orders WHERE state = 'paid'");
	app_add_sum(app, x, "stock",
		    "SELECT coalesce(sum(quantity), 0) FROM orders "
		    "WHERE state = 'paid'");
	app_add_sum(app, x, "money",
		    "SELECT coalesce(sum(amount), 0) FROM orders "
		    "WHERE state = 'paid'");
	app_count_all_left(app, x);
}

int main(int argc, char **argv)
{
	static const struct mode *const modes[] = { &order_at, NULL };
	static const struct route routes[] = {
		{ "POST", "/checkout", handle_checkout },
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
