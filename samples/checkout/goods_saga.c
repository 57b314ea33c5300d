/*
 * goods in the modes saga and machine: picked at once, put back if the rest
 * fails.
 */

#include "samples/checkout/goods.h"
#include "samples/checkout/saga.h"
#include "samples/checkout/sql.h"

static bool change(struct connection *c, const cJSON *what, int64_t by,
		   struct sql_row *row)
{
	const struct treaty_value p[] = {
		treaty_int(by),
		treaty_text(barrier_text(what, "item")),
		treaty_int(-by),
	};

	return sql_run(c,
		       "UPDATE stock SET quantity = quantity + ? "
		       "WHERE item = ? AND quantity >= ?",
		       p, 3, row);
}

static bool pick(struct connection *c, const cJSON *what)
{
	struct sql_row row;

	if (!change(c, what, -barrier_number(what, "quantity"), &row))
		return false;
	return row.changed == 1 || barrier_refuse(c, "out of stock");
}

static bool put_back(struct connection *c, const cJSON *what)
{
	struct sql_row row;

	return change(c, what, barrier_number(what, "quantity"), &row);
}

/* Prices never change here; else the price would be kept with the picking. */
static bool amount(struct app *app, const cJSON *what, cJSON *out)
{
	const struct treaty_value p = treaty_text(barrier_text(what, "item"));
	struct connection *c = database_take(app->plain);
	struct sql_row row;
	bool ok;

	if (!c)
		return false;
	ok = sql_run(c, "SELECT price FROM stock WHERE item = ?", &p, 1, &row);
	database_give(app->plain, c);
	if (ok)
		cJSON_AddNumberToObject(
			out, "amount",
			(double)(sql_number(&row) *
				 barrier_number(what, "quantity")));
	return ok;
}

static struct saga_part part = {
	.service = "checkout-goods",
	.action = pick,
	.undo = put_back,
	.output = amount,
};

static bool start(struct app *app)
{
	return saga_offer(app, &part);
}

const struct mode goods_saga = { .name = "saga", .start = start };
