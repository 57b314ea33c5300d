/*
 * order in mode mixed: one global transaction of several modes. Its own row and
 * the shelf are AT, the wallet is TCC, and the bonus points are a step with a
 * compensation at a service that knows Treaty only by what it is asked over
 * HTTP.
 */

#include "samples/checkout/call.h"
#include "samples/checkout/order.h"

#include <stdio.h>
#include <stdlib.h>
#include <treaty/saga.h>

#define TRIES 3 /* of a call whose answer is lost */

static cJSON *credit(const struct checkout *co)
{
	cJSON *body = cJSON_CreateObject();

	cJSON_AddStringToObject(body, "user", co->user);
	cJSON_AddNumberToObject(body, "amount", (double)co->amount);
	return body;
}

/* Its compensation is durable with the coordinator before it is asked to act;
 * so a credit that nobody hears of is taken back, too, and one that comes after
 * that is refused. */
static bool credit_points(struct app *app, struct exchange *x,
			  const struct checkout *co)
{
	cJSON *body = credit(co), *answer = NULL;
	char *payload = cJSON_PrintUnformatted(body);
	struct treaty_saga_branch branch;
	char query[300];
	long status = 0;
	int rc = treaty_saga_branch(app->treaty, app->points_url, payload,
				    &branch);

	if (rc == TREATY_OK) {
		snprintf(query, sizeof query,
			 "?gid=%s&trans_type=saga&branch_id=%s&op=action",
			 branch.xid, branch.branch_id);
		status = call_post(app->points_url, query, branch.xid, body,
				   TRIES, &answer);
	}
	if (rc != TREATY_OK)
		answer_error(x, 409, treaty_last_error());
	else if (status != 200)
		answer_error(x, 409, "no points were credited");
	cJSON_Delete(answer);
	cJSON_Delete(body);
	free(payload);
	return rc == TREATY_OK && status == 200;
}

static bool work(struct app *app, struct exchange *x, const char *xid,
		 struct checkout *co)
{
	const struct ask at = { .mode = "at", .xid = xid };

	return ask_goods(app, x, co, &at) &&
	       order_ask_tcc(app, x, co, xid, "user", "checkout-pay",
			     ask_user) &&
	       credit_points(app, x, co) &&
	       order_write_at(app, x, xid, co, "paid");
}

static void serve(struct app *app, struct exchange *x)
{
	checkout_in_transaction(app, x, work);
}

const struct mode order_mixed = { .name = "mixed", .serve = serve };
