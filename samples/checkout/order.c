/*
 * order: begins the global transaction of a checkout, has goods pick the item
 * and user pay it, writes its own row, and decides.
 *
 *   POST /checkout {"token", "user", "item", "quantity"
 *                   [, "timeout_ms"] [, "hold_ms"]}
 *     200 {"order": "…"}   bought; the same token again gives the same order
 *     409 {"error": "…"}   refused, nothing was done (or it is being undone)
 *     408                  timed out, likewise
 *     503 {"error", "xid"} not known yet; ask again with the same token
 */

#include "samples/checkout/app.h"
#include "samples/checkout/call.h"
#include "samples/checkout/hold.h"

#include <stdio.h>
#include <string.h>

#define TRIES        3     /* of a call whose answer is lost */
#define COMMIT_TRIES 3     /* each waits as long as the agent's time-out */
#define TIMEOUT_MS   60000 /* of the global transaction, if none is asked for */

static const char *const schema[] = {
	"CREATE TABLE IF NOT EXISTS orders (id BIGINT NOT NULL PRIMARY KEY, "
	"token VARCHAR(64) NOT NULL UNIQUE, xid VARCHAR(128) NOT NULL, "
	"user_id VARCHAR(64) NOT NULL, item VARCHAR(64) NOT NULL, "
	"quantity BIGINT NOT NULL, amount BIGINT NOT NULL)",
	NULL,
};

struct checkout {
	const char *token, *user, *item;
	int64_t quantity, amount;
	int64_t id;
};

/* A row is there: is its transaction decided, and how? Rows of rolled-back
 * transactions vanish before the coordinator forgets them, so a row whose xid
 * it does not know any more was committed long ago. */
static void answer_known(struct app *app, struct exchange *x, int64_t id,
			 const char *xid)
{
	int status = TREATY_STATUS_UNKNOWN;
	int rc = treaty_status(app->treaty, xid, &status);

	switch (status) {
	case TREATY_STATUS_COMMITTING:
	case TREATY_STATUS_COMMIT_RETRYING:
	case TREATY_STATUS_ASYNC_COMMITTING:
	case TREATY_STATUS_COMMITTED:
		rc = TREATY_E_NOTFOUND;
		break;
	default:
		break;
	}
	cJSON_AddStringToObject(x->answer, "xid", xid);
	if (rc == TREATY_E_NOTFOUND)
		put_id(x->answer, "order", id);
	else
		answer_error(x, 503,
			     "this checkout is not decided yet; ask again");
}

/* True if the token was seen before; then the answer is given. */
static bool answer_repeated(struct app *app, struct exchange *x,
			    const char *token)
{
	struct treaty_value p = treaty_text(token);
	struct treaty_result *r = NULL;
	bool found;

	if (!app_exec(app, x, "SELECT id, xid FROM orders WHERE token = ?", &p,
		      1, &r))
		return true;
	found = treaty_result_rows(r) > 0;
	if (found)
		answer_known(app, x, treaty_result_int(r, 0, 0),
			     treaty_result_text(r, 0, 1));
	treaty_result_free(r);
	return found;
}

/* Call a service; false after answering what it (or its silence) said. */
static bool call(struct exchange *x, const char *base, const char *path,
		 const char *xid, cJSON *body, cJSON **answer)
{
	long status = call_post(base, path, xid, body, TRIES, answer);
	const cJSON *error;

	cJSON_Delete(body);
	if (status == 200)
		return true;
	error = cJSON_GetObjectItemCaseSensitive(*answer, "error");
	answer_error(x, 409,
		     cJSON_IsString(error) ? error->valuestring
					   : "a service did not answer");
	cJSON_Delete(*answer);
	*answer = NULL;
	return false;
}

static bool pick_goods(struct app *app, struct exchange *x, const char *xid,
		       struct checkout *co)
{
	cJSON *body = cJSON_CreateObject(), *answer = NULL;
	const cJSON *amount;

	cJSON_AddStringToObject(body, "token", co->token);
	cJSON_AddStringToObject(body, "item", co->item);
	cJSON_AddNumberToObject(body, "quantity", (double)co->quantity);
	if (!call(x, app->goods_url, "/pick", xid, body, &answer))
		return false;
	amount = cJSON_GetObjectItemCaseSensitive(answer, "amount");
	co->amount = cJSON_IsNumber(amount) ? (int64_t)amount->valuedouble : -1;
	cJSON_Delete(answer);
	if (co->amount < 0)
		answer_error(x, 409, "goods named no price");
	return co->amount >= 0;
}

static bool deduct_money(struct app *app, struct exchange *x, const char *xid,
			 const struct checkout *co)
{
	cJSON *body = cJSON_CreateObject(), *answer = NULL;
	bool ok;

	cJSON_AddStringToObject(body, "token", co->token);
	cJSON_AddStringToObject(body, "user", co->user);
	cJSON_AddNumberToObject(body, "amount", (double)co->amount);
	ok = call(x, app->user_url, "/deduct", xid, body, &answer);
	cJSON_Delete(answer);
	return ok;
}

static bool write_order(struct app *app, struct exchange *x, const char *xid,
			struct checkout *co)
{
	struct treaty_value p[7];
	uint64_t id;

	if (treaty_id_next(app->treaty, &id) != TREATY_OK) {
		answer_error(x, 409, treaty_last_error());
		return false;
	}
	co->id = (int64_t)id;
	p[0] = treaty_int(co->id);
	p[1] = treaty_text(co->token);
	p[2] = treaty_text(xid);
	p[3] = treaty_text(co->user);
	p[4] = treaty_text(co->item);
	p[5] = treaty_int(co->quantity);
	p[6] = treaty_int(co->amount);
	if (app_exec(app, x,
		     "INSERT INTO orders (id, token, xid, user_id, item, "
		     "quantity, amount) VALUES (?, ?, ?, ?, ?, ?, ?)",
		     p, 7, NULL))
		return true;
	x->status = 409;
	return false;
}

static void decide(struct exchange *x, struct treaty_tx *tx,
		   const struct checkout *co)
{
	int rc = TREATY_E_UNKNOWN;

	for (int i = 0; i < COMMIT_TRIES; i++) {
		rc = treaty_commit(tx);
		if (rc != TREATY_E_UNKNOWN && rc != TREATY_E_TIMEOUT)
			break;
	}
	if (rc == TREATY_OK)
		put_id(x->answer, "order", co->id);
	else if (rc == TREATY_E_ROLLED_BACK || rc == TREATY_E_NOTFOUND)
		answer_error(x,
			     strstr(treaty_status_name(treaty_tx_status(tx)),
				    "Timeout")
				     ? 408
				     : 409,
			     treaty_last_error());
	else
		answer_error(x, 503, treaty_last_error());
}

static void run_checkout(struct app *app, struct exchange *x,
			 struct treaty_tx *tx, struct checkout *co)
{
	const char *xid = treaty_xid(tx);
	int64_t hold_ms = number_or(x, "hold_ms", 0);
	bool ok = pick_goods(app, x, xid, co) &&
		  deduct_money(app, x, xid, co) && write_order(app, x, xid, co);

	if (ok && hold_ms > 0 && hold_wait(co->token, xid, hold_ms)) {
		answer_error(x, 409, "refused at the last moment");
		ok = false;
	}
	if (ok) {
		decide(x, tx, co);
	} else {
		const cJSON *error =
			cJSON_GetObjectItemCaseSensitive(x->answer, "error");

		/* If nobody hears this, the time-out rolls it back. */
		(void)treaty_rollback(tx, error ? error->valuestring : NULL);
	}
}

static void handle_checkout(void *ctx, struct exchange *x)
{
	struct app *app = ctx;
	struct checkout co = { 0 };
	struct treaty_tx *tx;

	if (!want_text(x, "token", &co.token) ||
	    !want_text(x, "user", &co.user) ||
	    !want_text(x, "item", &co.item) ||
	    !want_number(x, "quantity", &co.quantity))
		return;
	if (answer_repeated(app, x, co.token))
		return;
	if (treaty_begin(app->treaty, "checkout",
			 (uint32_t)number_or(x, "timeout_ms", TIMEOUT_MS),
			 &tx) != TREATY_OK) {
		answer_error(x, 503, treaty_last_error());
		return;
	}
	cJSON_AddStringToObject(x->answer, "xid", treaty_xid(tx));
	run_checkout(app, x, tx, &co);
	treaty_release(tx);
}

static void handle_holding(void *app, struct exchange *x)
{
	(void)app;
	cJSON_AddItemToObject(x->answer, "holding", hold_list());
}

static void handle_release(void *app, struct exchange *x)
{
	const char *token;

	(void)app;
	if (want_text(x, "token", &token) &&
	    !hold_release(token, number_or(x, "refuse", 0) != 0))
		answer_error(x, 404, "no checkout with this token holds");
}

static void handle_audit(void *app, struct exchange *x)
{
	struct treaty_result *r = NULL;

	if (!app_exec(app, x,
		      "SELECT count(*), coalesce(sum(quantity), 0), "
		      "coalesce(sum(amount), 0) FROM orders",
		      NULL, 0, &r))
		return;
	cJSON_AddNumberToObject(x->answer, "orders",
				(double)treaty_result_int(r, 0, 0));
	cJSON_AddNumberToObject(x->answer, "quantity",
				(double)treaty_result_int(r, 0, 1));
	cJSON_AddNumberToObject(x->answer, "amount",
				(double)treaty_result_int(r, 0, 2));
	treaty_result_free(r);
	app_count_undo(app, x);
}

int main(int argc, char **argv)
{
	static const struct route routes[] = {
		{ "POST", "/checkout", handle_checkout },
		{ "GET", "/holding", handle_holding },
		{ "POST", "/release", handle_release },
		{ "GET", "/audit", handle_audit },
	};
	struct app app;
	int rc = app_start(&app, "order", argc, argv, schema);

	if (rc != 0)
		return rc;
	if (!app.user_url || !app.goods_url) {
		fprintf(stderr, "order: --user and --goods are needed\n");
		app_stop(&app);
		return 2;
	}
	rc = service_run(app.name, app.port, routes,
			 sizeof routes / sizeof routes[0], &app);
	app_stop(&app);
	return rc;
}
