/*
 * order in XA mode: it is only a branch like the others.
 */

#include "samples/checkout/order.h"
#include "samples/checkout/sql.h"
#include "samples/checkout/xa.h"

static bool insert_paid(struct connection *c, const cJSON *what)
{
	const struct treaty_value p[] = {
		treaty_int(barrier_number(what, "id")),
		treaty_text(barrier_text(what, "token")),
		treaty_text(barrier_text(what, "xid")),
		treaty_text(barrier_text(what, "user")),
		treaty_text(barrier_text(what, "item")),
		treaty_int(barrier_number(what, "quantity")),
		treaty_int(barrier_number(what, "amount")),
	};

	return sql_run(c,
		       "INSERT INTO orders (id, token, xid, user_id, item, "
		       "quantity, amount, state) "
		       "VALUES (?, ?, ?, ?, ?, ?, ?, 'paid')",
		       p, 7, NULL);
}

static bool write_order(struct app *app, struct exchange *x, const char *xid,
			const struct checkout *co)
{
	cJSON *what = checkout_describe(co, xid);
	bool ok = xa_branch(app, x, insert_paid, what);

	cJSON_Delete(what);
	if (!ok)
		x->status = 409;
	return ok;
}

static bool work(struct app *app, struct exchange *x, const char *xid,
		 struct checkout *co)
{
	const struct ask ask = { .mode = "xa", .xid = xid };

	return ask_goods(app, x, co, &ask) && ask_user(app, x, co, &ask) &&
	       checkout_number(app, x, co) && write_order(app, x, xid, co);
}

static void serve(struct app *app, struct exchange *x)
{
	checkout_in_transaction(app, x, work);
}

const struct mode order_xa = { .name = "xa",
			       .start = xa_start,
			       .serve = serve };
