/*
 * goods in TCC mode: what is wanted is put aside, then handed out or put back.
 */

#include "samples/checkout/goods.h"
#include "samples/checkout/sql.h"
#include "samples/checkout/tcc.h"

static bool put_aside(struct connection *c, const cJSON *what)
{
	struct treaty_value n = treaty_int(barrier_number(what, "quantity"));
	struct treaty_value p[] = { n, n,
				    treaty_text(barrier_text(what, "item")),
				    n };
	struct sql_row row;

	if (!sql_run(c,
		     "UPDATE stock SET quantity = quantity - ?, "
		     "frozen = frozen + ? WHERE item = ? AND quantity >= ?",
		     p, 4, &row))
		return false;
	return row.changed == 1 || barrier_refuse(c, "out of stock");
}

static bool hand_out(struct connection *c, const cJSON *what)
{
	struct treaty_value n = treaty_int(barrier_number(what, "quantity"));
	struct treaty_value p[] = { n, treaty_text(barrier_text(what, "item")),
				    n };
	struct sql_row row;

	if (!sql_run(c,
		     "UPDATE stock SET frozen = frozen - ? "
		     "WHERE item = ? AND frozen >= ?",
		     p, 3, &row))
		return false;
	return row.changed == 1 || barrier_refuse(c, "it was not put aside");
}

static bool put_back(struct connection *c, const cJSON *what)
{
	struct treaty_value n = treaty_int(barrier_number(what, "quantity"));
	struct treaty_value p[] = { n, n,
				    treaty_text(barrier_text(what, "item")),
				    n };
	struct sql_row row;

	if (!sql_run(c,
		     "UPDATE stock SET quantity = quantity + ?, "
		     "frozen = frozen - ? WHERE item = ? AND frozen >= ?",
		     p, 4, &row))
		return false;
	return row.changed == 1 || barrier_refuse(c, "it was not put aside");
}

static struct tcc_part part = {
	.action = "checkout-pick",
	.on_try = put_aside,
	.on_confirm = hand_out,
	.on_cancel = put_back,
};

static bool start(struct app *app)
{
	return tcc_offer(app, &part);
}

static void serve(struct app *app, struct exchange *x)
{
	if (goods_answer_price(app, x))
		(void)tcc_try(app, x, &part);
}

const struct mode goods_tcc = { .name = "tcc", .start = start, .serve = serve };
