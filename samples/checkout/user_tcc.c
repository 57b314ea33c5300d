/*
 * user in TCC mode: money is frozen, then taken or given back.
 */

#include "samples/checkout/sql.h"
#include "samples/checkout/tcc.h"
#include "samples/checkout/user.h"

/* Frozen money is still the user's, but nobody can spend it. */
static bool freeze(struct connection *c, const cJSON *what)
{
	struct treaty_value amount = treaty_int(barrier_number(what, "amount"));
	struct treaty_value p[] = { amount, amount,
				    treaty_text(barrier_text(what, "user")),
				    amount };
	struct sql_row row;

	if (!sql_run(c,
		     "UPDATE wallet SET balance = balance - ?, "
		     "frozen = frozen + ? WHERE user_id = ? AND balance >= ?",
		     p, 4, &row))
		return false;
	return row.changed == 1 || barrier_refuse(c, "balance too low");
}

static bool take(struct connection *c, const cJSON *what)
{
	struct treaty_value amount = treaty_int(barrier_number(what, "amount"));
	struct treaty_value p[] = { amount,
				    treaty_text(barrier_text(what, "user")),
				    amount };
	struct sql_row row;

	if (!sql_run(c,
		     "UPDATE wallet SET frozen = frozen - ? "
		     "WHERE user_id = ? AND frozen >= ?",
		     p, 3, &row))
		return false;
	return row.changed == 1 || barrier_refuse(c, "it is not frozen");
}

static bool give_back(struct connection *c, const cJSON *what)
{
	struct treaty_value amount = treaty_int(barrier_number(what, "amount"));
	struct treaty_value p[] = { amount, amount,
				    treaty_text(barrier_text(what, "user")),
				    amount };
	struct sql_row row;

	if (!sql_run(c,
		     "UPDATE wallet SET balance = balance + ?, "
		     "frozen = frozen - ? WHERE user_id = ? AND frozen >= ?",
		     p, 4, &row))
		return false;
	return row.changed == 1 || barrier_refuse(c, "it is not frozen");
}

static struct tcc_part part = {
	.action = "checkout-pay",
	.on_try = freeze,
	.on_confirm = take,
	.on_cancel = give_back,
};

static bool start(struct app *app)
{
	return tcc_offer(app, &part);
}

static void serve(struct app *app, struct exchange *x)
{
	(void)tcc_try(app, x, &part);
}

const struct mode user_tcc = { .name = "tcc", .start = start, .serve = serve };
