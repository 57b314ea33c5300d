/*
 * goods: the shelf, and what was picked from it for which checkout, so that it
 * is picked once even if it is asked for twice. How is in goods_at.c,
 * goods_tcc.c, …
 *
 *   POST /pick {"mode", "token", "item", "quantity"} and the header TX_XID
 *     200 {"amount": …}   what it costs
 */

#include "samples/checkout/goods.h"

static const char *const schema[] = {
	"CREATE TABLE IF NOT EXISTS stock (item TEXT NOT NULL PRIMARY KEY, "
	"quantity INTEGER NOT NULL, price INTEGER NOT NULL)",
	"CREATE TABLE IF NOT EXISTS picking (token TEXT NOT NULL PRIMARY KEY, "
	"item TEXT NOT NULL, quantity INTEGER NOT NULL)",
	NULL,
};

/* Put something on the shelf; for the demo, outside any transaction. */
static void handle_put_stock(void *app, struct exchange *x)
{
	struct treaty_value p[3];
	int64_t quantity, price;
	const char *item;

	if (!want_text(x, "item", &item) ||
	    !want_number(x, "quantity", &quantity) ||
	    !want_number(x, "price", &price))
		return;
	p[0] = treaty_text(item);
	p[1] = treaty_int(quantity);
	p[2] = treaty_int(price);
	app_exec(app, x,
		 "INSERT INTO stock (item, quantity, price) VALUES (?, ?, ?)",
		 p, 3, NULL);
}

static void handle_audit(void *ctx, struct exchange *x)
{
	struct app *app = ctx;

	app_add_sum(app, x, "stock",
		    "SELECT coalesce(sum(quantity), 0) FROM stock");
	app_count_all_left(app, x);
}

int main(int argc, char **argv)
{
	static const struct mode *const modes[] = { &goods_at, NULL };
	static const struct route routes[] = {
		{ "POST", "/pick", app_serve },
		{ "POST", "/stock", handle_put_stock },
		{ "GET", "/audit", handle_audit },
	};
	struct app app;
	int rc = app_start(&app, "goods", argc, argv, schema, modes);

	if (rc != 0)
		return rc;
	return app_run(&app, routes, sizeof routes / sizeof routes[0]);
}
