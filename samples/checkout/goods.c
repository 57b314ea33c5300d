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
	"quantity INTEGER NOT NULL, frozen INTEGER NOT NULL, "
	"price INTEGER NOT NULL)",
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
		 "INSERT INTO stock (item, quantity, frozen, price) VALUES (?, "
		 "?, 0, ?)",
		 p, 3, NULL);
}

bool goods_answer_price(struct app *app, struct exchange *x)
{
	const char *item;
	struct treaty_value p;
	struct treaty_result *r = NULL;
	int64_t quantity;

	if (!want_text(x, "item", &item) ||
	    !want_number(x, "quantity", &quantity))
		return false;
	p = treaty_text(item);
	if (!app_exec(app, x, "SELECT price FROM stock WHERE item = ?", &p, 1,
		      &r))
		return false;
	if (treaty_result_rows(r) == 0)
		answer_error(x, 404, "no such item");
	else
		cJSON_AddNumberToObject(
			x->answer, "amount",
			(double)(treaty_result_int(r, 0, 0) * quantity));
	treaty_result_free(r);
	return x->status == 200;
}

static void handle_audit(void *ctx, struct exchange *x)
{
	struct app *app = ctx;

	app_add_sum(app, x, "stock",
		    "SELECT coalesce(sum(quantity + frozen), 0) FROM stock");
	app_count_left(app, x, "frozen",
		       "SELECT coalesce(sum(frozen), 0) FROM stock");
	app_count_all_left(app, x);
}

int main(int argc, char **argv)
{
	static const struct mode *const modes[] = { &goods_at,  &goods_tcc,
						    &goods_xa,  &goods_saga,
						    &goods_msg, &goods_delay,
						    NULL };
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
