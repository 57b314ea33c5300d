/*
 * goods in XA mode: plain SQL, and nobody sees it before the decision.
 */

#include "samples/checkout/goods.h"
#include "samples/checkout/sql.h"
#include "samples/checkout/xa.h"

static bool pick(struct connection *c, const cJSON *what)
{
	struct treaty_value n = treaty_int(barrier_number(what, "quantity"));
	struct treaty_value p[] = { n, treaty_text(barrier_text(what, "item")),
				    n };
	struct sql_row row;

	if (!sql_run(c,
		     "UPDATE stock SET quantity = quantity - ? "
		     "WHERE item = ? AND quantity >= ?",
		     p, 3, &row))
		return false;
	return row.changed == 1 || barrier_refuse(c, "out of stock");
}

static void serve(struct app *app, struct exchange *x)
{
	if (goods_answer_price(app, x))
		xa_participate(app, x, pick);
}

const struct mode goods_xa = { .name = "xa",
			       .start = xa_start,
			       .serve = serve };
