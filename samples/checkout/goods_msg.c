/*
 * goods in mode msg: it names the price when asked, and picks when it hears
 * that the money was paid.
 */

#include "samples/checkout/goods.h"
#include "samples/checkout/msg.h"
#include "samples/checkout/sql.h"

static bool pick(struct connection *c, const cJSON *what)
{
	const struct treaty_value n =
		treaty_int(barrier_number(what, "quantity"));
	const struct treaty_value p[] = {
		n,
		treaty_text(barrier_text(what, "item")),
		n,
	};
	struct sql_row row;

	if (!sql_run(c,
		     "UPDATE stock SET quantity = quantity - ? "
		     "WHERE item = ? AND quantity >= ?",
		     p, 3, &row))
		return false;
	/* A dead letter, until somebody has filled the shelf. */
	return row.changed == 1 || barrier_refuse(c, "out of stock");
}

static struct msg_part part = { .consumer = "checkout-goods", .work = pick };

static bool start(struct app *app)
{
	return msg_offer(app, &part) &&
	       msg_subscribe(app, "goods", part.consumer);
}

static void serve(struct app *app, struct exchange *x)
{
	(void)goods_answer_price(app, x);
}

const struct mode goods_msg = { .name = "msg", .start = start, .serve = serve };
