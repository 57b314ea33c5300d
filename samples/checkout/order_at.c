/*
 * order in AT mode: its own row is ordinary SQL, too.
 */

#include "samples/checkout/order.h"

bool order_write_at(struct app *app, struct exchange *x, const char *xid,
		    struct checkout *co, const char *state)
{
	struct treaty_value p[8];

	if (!checkout_number(app, x, co))
		return false;
	p[0] = treaty_int(co->id);
	p[1] = treaty_text(co->token);
	p[2] = treaty_text(xid);
	p[3] = treaty_text(co->user);
	p[4] = treaty_text(co->item);
	p[5] = treaty_int(co->quantity);
	p[6] = treaty_int(co->amount);
	p[7] = treaty_text(state);
	if (app_exec(app, x,
		     "INSERT INTO orders (id, token, xid, user_id, item, "
		     "quantity, amount, state) "
		     "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
		     p, 8, NULL))
		return true;
	x->status = 409;
	return false;
}

static bool work(struct app *app, struct exchange *x, const char *xid,
		 struct checkout *co)
{
	const struct ask ask = { .mode = "at", .xid = xid };

	return ask_goods(app, x, co, &ask) && ask_user(app, x, co, &ask) &&
	       order_write_at(app, x, xid, co, "paid");
}

static void serve(struct app *app, struct exchange *x)
{
	checkout_in_transaction(app, x, work);
}

const struct mode order_at = { .name = "at", .serve = serve };
