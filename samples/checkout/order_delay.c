/*
 * order in mode delay: an order may be paid for a while. Its transaction also
 * sends a message that is delivered when that time is over, and then cancels
 * what is still unpaid. All in AT mode.
 *
 *   POST /checkout {"mode": "delay", …, "pay_within_ms"}
 *   POST /pay {"token"}   200 paid, 409 too late
 */

#include "samples/checkout/call.h"
#include "samples/checkout/hold.h"
#include "samples/checkout/order.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <treaty/msg.h>

#define CONSUMER      "checkout-unpaid"
#define PAY_WITHIN_MS 900000
#define TIMEOUT_MS    20000 /* of the transactions that pay and cancel */

struct unpaid {
	char token[65], user[65], item[65];
	int64_t id, quantity, amount;
};

/* ---- placing it ---- */

static bool send_reminder(struct app *app, struct exchange *x,
			  const struct checkout *co)
{
	cJSON *payload = cJSON_CreateObject();
	struct treaty_msg_delivery d = {
		.size = sizeof d,
		.to = CONSUMER,
		.deliver_after_ms =
			(uint64_t)number_or(x, "pay_within_ms", PAY_WITHIN_MS),
	};
	char *text;
	int rc;

	cJSON_AddStringToObject(payload, "token", co->token);
	text = cJSON_PrintUnformatted(payload);
	d.payload = text;
	rc = treaty_msg_send(app->treaty, &d, NULL);
	if (rc != TREATY_OK)
		answer_error(x, 409, treaty_last_error());
	free(text);
	cJSON_Delete(payload);
	return rc == TREATY_OK;
}

static bool work(struct app *app, struct exchange *x, const char *xid,
		 struct checkout *co)
{
	const struct ask ask = { .mode = "delay", .xid = xid };

	return ask_goods(app, x, co, &ask) &&
	       order_write_at(app, x, xid, co, "unpaid") &&
	       send_reminder(app, x, co);
}

static void serve(struct app *app, struct exchange *x)
{
	checkout_in_transaction(app, x, work);
}

/* ---- paying and cancelling ---- */

static int exec(struct app *app, const char *sql, const struct treaty_value *p,
		size_t n, struct treaty_result **r)
{
	struct connection *c = database_take(app->database);
	int rc = TREATY_E_IO;

	if (!c)
		return rc;
	rc = database_exec(c, sql, p, n, r);
	database_give(app->database, c);
	return rc;
}

static void keep_text(char *to, size_t size, struct treaty_result *r, size_t i)
{
	snprintf(to, size, "%s", treaty_result_text(r, 0, i));
}

static int read_order(struct app *app, const char *token, struct unpaid *o,
		      bool *found)
{
	const struct treaty_value p = treaty_text(token);
	struct treaty_result *r = NULL;
	int rc = exec(app,
		      "SELECT id, quantity, amount, token, user_id, item "
		      "FROM orders WHERE token = ? AND state = 'unpaid'",
		      &p, 1, &r);

	*found = rc == TREATY_OK && treaty_result_rows(r) == 1;
	if (*found) {
		o->id = treaty_result_int(r, 0, 0);
		o->quantity = treaty_result_int(r, 0, 1);
		o->amount = treaty_result_int(r, 0, 2);
		keep_text(o->token, sizeof o->token, r, 3);
		keep_text(o->user, sizeof o->user, r, 4);
		keep_text(o->item, sizeof o->item, r, 5);
	}
	treaty_result_free(r);
	return rc;
}

/* The row's lock first, which waits for who is paying or cancelling it: only
 * then it is certain what the row says. */
static int claim(struct app *app, const char *token)
{
	const struct treaty_value p = treaty_text(token);

	return exec(app, "UPDATE orders SET state = state WHERE token = ?", &p,
		    1, NULL);
}

static int set_state(struct app *app, const char *token, const char *state)
{
	const struct treaty_value p[] = { treaty_text(state),
					  treaty_text(token) };

	return exec(app, "UPDATE orders SET state = ? WHERE token = ?", p, 2,
		    NULL);
}

/* Ask a service once: unless it says yes, all is rolled back. */
static int ask(const char *base, const char *path, const char *xid, cJSON *body)
{
	cJSON *answer = NULL;
	long status = call_post(base, path, xid, body, 1, &answer);

	cJSON_Delete(answer);
	cJSON_Delete(body);
	return status == 200   ? TREATY_OK
	       : status == 409 ? TREATY_E_DENIED
			       : TREATY_E_IO;
}

static int take_money(struct app *app, const char *xid, const struct unpaid *o)
{
	cJSON *body = cJSON_CreateObject();

	cJSON_AddStringToObject(body, "mode", "at");
	cJSON_AddStringToObject(body, "token", o->token);
	cJSON_AddStringToObject(body, "user", o->user);
	cJSON_AddNumberToObject(body, "amount", (double)o->amount);
	return ask(app->user_url, "/deduct", xid, body);
}

static int bring_back(struct app *app, const char *xid, const struct unpaid *o)
{
	cJSON *body = cJSON_CreateObject();

	cJSON_AddStringToObject(body, "mode", "delay");
	cJSON_AddNumberToObject(body, "back", 1);
	cJSON_AddStringToObject(body, "token", o->token);
	cJSON_AddStringToObject(body, "item", o->item);
	cJSON_AddNumberToObject(body, "quantity", (double)o->quantity);
	return ask(app->goods_url, "/pick", xid, body);
}

/* How an order that is unpaid gets into another state. */
struct step {
	const char *name, *state;
	int (*other)(struct app *app, const char *xid, const struct unpaid *o);
};

static int in_transaction(struct app *app, struct treaty_tx *tx,
			  const struct step *s, const char *token, bool *did)
{
	struct unpaid o;
	int rc = claim(app, token);

	if (rc == TREATY_OK)
		rc = read_order(app, token, &o, did);
	if (rc == TREATY_OK && *did)
		rc = s->other(app, treaty_xid(tx), &o);
	if (rc == TREATY_OK && *did)
		rc = set_state(app, token, s->state);
	return rc;
}

/* TREATY_OK: *did says whether it was unpaid, and so is in the new state now. */
static int move(struct app *app, const struct step *s, const char *token,
		bool *did)
{
	struct treaty_tx *tx;
	int rc = treaty_begin(app->treaty, s->name, TIMEOUT_MS, &tx);

	*did = false;
	if (rc != TREATY_OK)
		return rc;
	rc = in_transaction(app, tx, s, token, did);
	if (rc == TREATY_OK && *did)
		rc = treaty_commit(tx);
	else
		(void)treaty_rollback(tx, NULL);
	treaty_release(tx);
	return rc;
}

/* What is paid stays paid. */
static bool was_paid(struct app *app, const char *token)
{
	const struct treaty_value p = treaty_text(token);
	struct treaty_result *r = NULL;
	bool paid;

	paid = exec(app,
		    "SELECT id FROM orders WHERE token = ? AND state = 'paid'",
		    &p, 1, &r) == TREATY_OK &&
	       treaty_result_rows(r) == 1;
	treaty_result_free(r);
	return paid;
}

void order_handle_pay(void *app, struct exchange *x)
{
	static const struct step pay = { "pay", "paid", take_money };
	const char *token;
	bool did;
	int rc;

	if (!want_text(x, "token", &token))
		return;
	rc = move(app, &pay, token, &did);
	if (rc != TREATY_OK)
		answer_error(x, rc == TREATY_E_DENIED ? 409 : 503,
			     "not paid; ask again");
	else if (!did && !was_paid(app, token))
		answer_error(x, 409, "it is not to be paid any more");
}

/* ---- deliveries ---- */

static struct {
	pthread_mutex_t lock;
	pthread_cond_t left;
	int inside;
	bool closed;
} gate = { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, false };

static bool gate_enter(void)
{
	bool open;

	pthread_mutex_lock(&gate.lock);
	open = !gate.closed;
	gate.inside += open;
	pthread_mutex_unlock(&gate.lock);
	return open;
}

static void gate_leave(void)
{
	pthread_mutex_lock(&gate.lock);
	gate.inside--;
	pthread_cond_broadcast(&gate.left);
	pthread_mutex_unlock(&gate.lock);
}

static void stop(void)
{
	pthread_mutex_lock(&gate.lock);
	gate.closed = true;
	while (gate.inside > 0)
		pthread_cond_wait(&gate.left, &gate.lock);
	pthread_mutex_unlock(&gate.lock);
}

static int cancel(struct app *app, struct treaty_delivery *d)
{
	static const struct step step = { "cancel", "cancelled", bring_back };
	cJSON *what = cJSON_Parse(treaty_delivery_payload(d));
	const cJSON *token = cJSON_GetObjectItemCaseSensitive(what, "token");
	bool did;
	int rc = TREATY_E_INVALID;

	if (cJSON_IsString(token))
		rc = move(app, &step, token->valuestring, &did);
	if (rc != TREATY_OK)
		treaty_delivery_error(d, treaty_last_error());
	cJSON_Delete(what);
	return rc;
}

/* No barrier: what is cancelled or paid already, stays so. */
static enum treaty_msg_answer on_time_over(void *app, struct treaty_delivery *d)
{
	int rc;

	if (!gate_enter())
		return TREATY_MSG_RETRY;
	hold_at("delivery", treaty_delivery_xid(d));
	rc = cancel(app, d);
	hold_at("delivery done", treaty_delivery_xid(d));
	gate_leave();
	return rc == TREATY_OK ? TREATY_MSG_DONE : TREATY_MSG_RETRY;
}

static bool start(struct app *app)
{
	static const struct treaty_msg_consumer consumer = {
		.size = sizeof consumer,
		.on_message = on_time_over,
	};

	if (treaty_msg_consumer_add(app->treaty, CONSUMER, &consumer, app) ==
	    TREATY_OK)
		return true;
	fprintf(stderr, "order: %s\n", treaty_last_error());
	return false;
}

const struct mode order_delay = {
	.name = "delay", .start = start, .serve = serve, .stop = stop
};
