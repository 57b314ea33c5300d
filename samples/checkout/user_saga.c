/*
 * user in the modes saga and machine: deducted at once, given back if the rest
 * fails.
 */

#include "samples/checkout/saga.h"
#include "samples/checkout/sql.h"
#include "samples/checkout/user.h"

static bool change(struct connection *c, const cJSON *what, int64_t by,
		   struct sql_row *row)
{
	const struct treaty_value p[] = {
		treaty_int(by),
		treaty_text(barrier_text(what, "user")),
		treaty_int(-by),
	};

	return sql_run(c,
		       "UPDATE wallet SET balance = balance + ? "
		       "WHERE user_id = ? AND balance >= ?",
		       p, 3, row);
}

static bool deduct(struct connection *c, const cJSON *what)
{
	struct sql_row row;

	if (!change(c, what, -barrier_number(what, "amount"), &row))
		return false;
	return row.changed == 1 || barrier_refuse(c, "balance too low");
}

static bool give_back(struct connection *c, const cJSON *what)
{
	struct sql_row row;

	return change(c, what, barrier_number(what, "amount"), &row);
}

static struct saga_part part = {
	.service = "checkout-user",
	.action = deduct,
	.undo = give_back,
};

static bool start(struct app *app)
{
	return saga_offer(app, &part);
}

const struct mode user_saga = { .name = "saga", .start = start };
