/*
 * order in mode msg: the wallet decides, and tells all others by a message that
 * it was paid; the order's row is written when that arrives here.
 */

#include "samples/checkout/call.h"
#include "samples/checkout/msg.h"
#include "samples/checkout/order.h"
#include "samples/checkout/sql.h"

#define TRIES 3 /* of a call whose answer is lost */

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

static struct msg_part part = { .consumer = "checkout-order",
				.work = insert_paid };

static bool start(struct app *app)
{
	return msg_offer(app, &part) &&
	       msg_subscribe(app, "order", part.consumer) &&
	       (!app->points_url ||
		msg_subscribe(app, "points", app->points_url));
}

/* What was paid for goes with the payment, as the consumers must hear it. */
static cJSON *payment(const struct checkout *co)
{
	cJSON *body = cJSON_CreateObject();

	cJSON_AddStringToObject(body, "mode", "msg");
	put_id(body, "id", co->id);
	cJSON_AddStringToObject(body, "token", co->token);
	cJSON_AddStringToObject(body, "user", co->user);
	cJSON_AddStringToObject(body, "item", co->item);
	cJSON_AddNumberToObject(body, "quantity", (double)co->quantity);
	cJSON_AddNumberToObject(body, "amount", (double)co->amount);
	return body;
}

/* The answer is the wallet's: the order that was paid, now or before. */
static void pay(struct app *app, struct exchange *x, const struct checkout *co)
{
	cJSON *body = payment(co), *answer = NULL;
	long status =
		call_post(app->user_url, "/deduct", NULL, body, TRIES, &answer);

	cJSON_Delete(body);
	if (status == 200) {
		cJSON_AddStringToObject(x->answer, "order",
					barrier_text(answer, "order"));
		cJSON_AddStringToObject(x->answer, "xid",
					barrier_text(answer, "xid"));
	} else {
		answer_error(x, status == 409 ? 409 : 503,
			     answer ? barrier_text(answer, "error")
				    : "user did not answer; ask again");
	}
	cJSON_Delete(answer);
}

static void serve(struct app *app, struct exchange *x)
{
	const struct ask ask = { .mode = "msg" };
	struct checkout co;

	if (checkout_read(x, &co) && checkout_number(app, x, &co) &&
	    ask_goods(app, x, &co, &ask))
		pay(app, x, &co);
}

const struct mode order_msg = { .name = "msg", .start = start, .serve = serve };
