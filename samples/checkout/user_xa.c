/*
 * user in XA mode: plain SQL, and nobody sees it before the decision.
 */

#include "samples/checkout/sql.h"
#include "samples/checkout/user.h"
#include "samples/checkout/xa.h"

static bool deduct(struct connection *c, const cJSON *what)
{
	struct treaty_value amount = treaty_int(barrier_number(what, "amount"));
	struct treaty_value p[] = { amount,
				    treaty_text(barrier_text(what, "user")),
				    amount };
	struct sql_row row;

	if (!sql_run(c,
		     "UPDATE wallet SET balance = balance - ? "
		     "WHERE user_id = ? AND balance >= ?",
		     p, 3, &row))
		return false;
	return row.changed == 1 || barrier_refuse(c, "balance too low");
}

static void serve(struct app *app, struct exchange *x)
{
	xa_participate(app, x, deduct);
}

const struct mode user_xa = { .name = "xa", .start = xa_start, .serve = serve };
