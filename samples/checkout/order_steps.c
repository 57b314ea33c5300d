#include "samples/checkout/call.h"
#include "samples/checkout/hold.h"
#include "samples/checkout/order.h"

#include <string.h>

#define TRIES        3     /* of a call whose answer is lost */
#define COMMIT_TRIES 3     /* each waits as long as the agent's time-out */
#define TIMEOUT_MS   60000 /* of the global transaction, if none is asked for */

bool checkout_read(struct exchange *x, struct checkout *co)
{
	*co = (struct checkout){ 0 };
	return want_text(x, "token", &co->token) &&
	       want_text(x, "user", &co->user) &&
	       want_text(x, "item", &co->item) &&
	       want_number(x, "quantity", &co->quantity);
}

bool checkout_number(struct app *app, struct exchange *x, struct checkout *co)
{
	uint64_t id;

	if (treaty_id_next(app->treaty, &id) != TREATY_OK) {
		answer_error(x, 409, treaty_last_error());
		return false;
	}
	co->id = (int64_t)id;
	return true;
}

cJSON *checkout_describe(const struct checkout *co, const char *xid)
{
	cJSON *what = cJSON_CreateObject();

	put_id(what, "id", co->id);
	cJSON_AddStringToObject(what, "token", co->token);
	cJSON_AddStringToObject(what, "xid", xid);
	cJSON_AddStringToObject(what, "user", co->user);
	cJSON_AddStringToObject(what, "item", co->item);
	cJSON_AddNumberToObject(what, "quantity", (double)co->quantity);
	cJSON_AddNumberToObject(what, "amount", (double)co->amount);
	return what;
}

/* Call a service; false after answering what it (or its silence) said. */
static bool call(struct exchange *x, const char *base, const char *path,
		 const struct ask *ask, cJSON *body, cJSON **answer)
{
	const cJSON *error;
	long status;

	cJSON_AddStringToObject(body, "mode", ask->mode);
	if (ask->branch)
		cJSON_AddStringToObject(body, "branch", ask->branch);
	status = call_post(base, path, ask->xid, body, TRIES, answer);

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

bool ask_goods(struct app *app, struct exchange *x, struct checkout *co,
	       const struct ask *ask)
{
	cJSON *body = cJSON_CreateObject(), *answer = NULL;
	const cJSON *amount;

	cJSON_AddStringToObject(body, "token", co->token);
	cJSON_AddStringToObject(body, "item", co->item);
	cJSON_AddNumberToObject(body, "quantity", (double)co->quantity);
	if (!call(x, app->goods_url, "/pick", ask, body, &answer))
		return false;
	amount = cJSON_GetObjectItemCaseSensitive(answer, "amount");
	co->amount = cJSON_IsNumber(amount) ? (int64_t)amount->valuedouble : -1;
	cJSON_Delete(answer);
	if (co->amount < 0)
		answer_error(x, 409, "goods named no price");
	return co->amount >= 0;
}

bool ask_user(struct app *app, struct exchange *x, struct checkout *co,
	      const struct ask *ask)
{
	cJSON *body = cJSON_CreateObject(), *answer = NULL;
	bool ok;

	cJSON_AddStringToObject(body, "token", co->token);
	cJSON_AddStringToObject(body, "user", co->user);
	cJSON_AddNumberToObject(body, "amount", (double)co->amount);
	ok = call(x, app->user_url, "/deduct", ask, body, &answer);
	cJSON_Delete(answer);
	return ok;
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

/* The last moment before the decision, where the demo can hold and refuse. */
static bool still_wanted(struct exchange *x, const char *token, const char *xid)
{
	int64_t hold_ms = number_or(x, "hold_ms", 0);

	if (hold_ms > 0 && hold_wait(token, xid, hold_ms)) {
		answer_error(x, 409, "refused at the last moment");
		return false;
	}
	return true;
}

static void roll_back(struct exchange *x, struct treaty_tx *tx)
{
	const cJSON *error =
		cJSON_GetObjectItemCaseSensitive(x->answer, "error");

	/* If nobody hears this, the time-out rolls it back. */
	(void)treaty_rollback(tx, error ? error->valuestring : NULL);
}

void checkout_in_transaction(struct app *app, struct exchange *x,
			     bool (*work)(struct app *app, struct exchange *x,
					  const char *xid, struct checkout *co))
{
	struct checkout co;
	struct treaty_tx *tx;

	if (!checkout_read(x, &co))
		return;
	if (treaty_begin(app->treaty, "checkout",
			 (uint32_t)number_or(x, "timeout_ms", TIMEOUT_MS),
			 &tx) != TREATY_OK) {
		answer_error(x, 503, treaty_last_error());
		return;
	}
	cJSON_AddStringToObject(x->answer, "xid", treaty_xid(tx));
	if (work(app, x, treaty_xid(tx), &co) &&
	    still_wanted(x, co.token, treaty_xid(tx)))
		decide(x, tx, &co);
	else
		roll_back(x, tx);
	treaty_release(tx);
}
