/*
 * order in TCC mode: each branch is registered here, with what its service
 * needs to confirm or cancel it, and before the service is asked to try. So it
 * may be asked twice, or too late: its barrier knows the branch. The order's
 * own branch is a row that is pending, then paid or cancelled.
 */

#include "samples/checkout/order.h"
#include "samples/checkout/sql.h"
#include "samples/checkout/tcc.h"

#include <stdlib.h>

static bool insert_pending(struct connection *c, const cJSON *what)
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
		       "VALUES (?, ?, ?, ?, ?, ?, ?, 'pending')",
		       p, 7, NULL);
}

static bool set_state(struct connection *c, const cJSON *what,
		      const char *state)
{
	const struct treaty_value p[] = {
		treaty_text(state),
		treaty_int(barrier_number(what, "id")),
	};
	struct sql_row row;

	if (!sql_run(c,
		     "UPDATE orders SET state = ? "
		     "WHERE id = ? AND state = 'pending'",
		     p, 2, &row))
		return false;
	return row.changed == 1 || barrier_refuse(c, "it is not pending");
}

static bool set_paid(struct connection *c, const cJSON *what)
{
	return set_state(c, what, "paid");
}

static bool set_cancelled(struct connection *c, const cJSON *what)
{
	return set_state(c, what, "cancelled");
}

static struct tcc_part part = {
	.action = "checkout-order",
	.on_try = insert_pending,
	.on_confirm = set_paid,
	.on_cancel = set_cancelled,
};

static bool start(struct app *app)
{
	return tcc_offer(app, &part);
}

/* What a branch is about, for its try, and later for confirm or cancel. */
static char *describe(const struct checkout *co, const char *xid)
{
	cJSON *context = checkout_describe(co, xid);
	char *text = cJSON_PrintUnformatted(context);

	cJSON_Delete(context);
	return text;
}

bool order_ask_tcc(struct app *app, struct exchange *x, struct checkout *co,
		   const char *xid, const char *service, const char *action,
		   bool (*ask)(struct app *app, struct exchange *x,
			       struct checkout *co, const struct ask *ask))
{
	char *context = describe(co, xid);
	struct treaty_tcc_branch branch;
	int rc = treaty_tcc_branch_of(app->treaty, service, action, context,
				      &branch);
	const struct ask how = { .mode = "tcc",
				 .xid = xid,
				 .branch = branch.branch_id };

	free(context);
	if (rc == TREATY_OK)
		return ask(app, x, co, &how);
	answer_error(x, 409, treaty_last_error());
	return false;
}

/* The order's own: registered and tried in one call. */
static bool try_order(struct app *app, struct exchange *x,
		      const struct checkout *co, const char *xid)
{
	char *context = describe(co, xid);
	int rc = treaty_tcc_try(app->treaty, part.action, context, NULL);

	free(context);
	if (rc != TREATY_OK)
		answer_error(x, 409, treaty_last_error());
	return rc == TREATY_OK;
}

static bool work(struct app *app, struct exchange *x, const char *xid,
		 struct checkout *co)
{
	return order_ask_tcc(app, x, co, xid, "goods", "checkout-pick",
			     ask_goods) &&
	       order_ask_tcc(app, x, co, xid, "user", "checkout-pay",
			     ask_user) &&
	       checkout_number(app, x, co) && try_order(app, x, co, xid);
}

static void serve(struct app *app, struct exchange *x)
{
	checkout_in_transaction(app, x, work);
}

const struct mode order_tcc = { .name = "tcc", .start = start, .serve = serve };
