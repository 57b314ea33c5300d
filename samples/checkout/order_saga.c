/*
 * order in the modes saga and machine: it starts a saga and waits for its end,
 * which comes without it, too. The order's own row is the saga's last step. In
 * mode saga the steps are a graph written here, in mode machine they are a
 * state machine that the coordinator keeps: order_machine.h.
 */

#include "samples/checkout/order.h"
#include "samples/checkout/order_machine.h"
#include "samples/checkout/saga.h"
#include "samples/checkout/sql.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WAIT_MS     15000 /* for the end, each time */
#define ASK_TIMES   4
#define CALL_MS     3000  /* one call of a service, if not asked for */
#define DEADLINE_MS 60000 /* then it is undone, if none is asked for */

/* ---- the order's own step ---- */

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

static bool set_cancelled(struct connection *c, const cJSON *what)
{
	const struct treaty_value p = treaty_int(barrier_number(what, "id"));

	return sql_run(c, "UPDATE orders SET state = 'cancelled' WHERE id = ?",
		       &p, 1, NULL);
}

static struct saga_part part = {
	.service = "checkout-order",
	.action = insert_paid,
	.undo = set_cancelled,
};

/* ---- starting it ---- */

static char *input_of(const struct checkout *co)
{
	cJSON *input = cJSON_CreateObject();
	char *text;

	put_id(input, "id", co->id);
	cJSON_AddStringToObject(input, "token", co->token);
	cJSON_AddStringToObject(input, "user", co->user);
	cJSON_AddStringToObject(input, "item", co->item);
	cJSON_AddNumberToObject(input, "quantity", (double)co->quantity);
	text = cJSON_PrintUnformatted(input);
	cJSON_Delete(input);
	return text;
}

struct wanted {
	struct treaty_saga_options options;
	uint32_t call_ms; /* for one call of a service */
};

typedef int start_fn(struct app *app, const struct wanted *want,
		     struct treaty_saga_run *run);

struct writing { /* a graph */
	struct treaty_saga_graph *g;
	uint32_t call_ms;
};

static void add_step(const struct writing *w, const char *name,
		     const char *service, const char *input,
		     const char *const *after, size_t n_after)
{
	/* What is not certain is asked again soon, and for long. */
	static const struct treaty_saga_retry retry = { .interval_ms = 200,
							.ceiling_ms = 1000,
							.attempts = 60 };
	const struct treaty_saga_step step = {
		.size = sizeof step,
		.name = name,
		.action = service,
		.compensation = service,
		.input = input,
		.after = after,
		.n_after = n_after,
		.timeout_ms = w->call_ms,
		.retry = &retry,
	};

	treaty_saga_graph_step(w->g, &step);
}

/* Money and points at the same time, when the price is known; the order when
 * nothing can fail any more. */
static struct treaty_saga_graph *graph_of(const struct app *app,
					  uint32_t call_ms)
{
	static const char *const priced[] = { "goods" };
	static const char *const done[] = { "wallet", "points" };
	const struct writing w = { treaty_saga_graph_new("checkout", "1"),
				   call_ms };

	add_step(&w, "goods", "checkout-goods",
		 "{\"item\": \"$.item\", \"quantity\": \"$.quantity\"}", NULL,
		 0);
	add_step(&w, "wallet", "checkout-user",
		 "{\"user\": \"$.user\", \"amount\": \"$.goods.amount\"}",
		 priced, 1);
	if (app->points_url)
		add_step(&w, "points", app->points_url,
			 "{\"user\": \"$.user\", "
			 "\"amount\": \"$.goods.amount\"}",
			 priced, 1);
	add_step(&w, "order", "checkout-order",
		 "{\"id\": \"$.id\", \"token\": \"$.token\", "
		 "\"user\": \"$.user\", \"item\": \"$.item\", "
		 "\"quantity\": \"$.quantity\", "
		 "\"amount\": \"$.goods.amount\"}",
		 done, app->points_url ? 2 : 1);
	return w.g;
}

static int start_graph(struct app *app, const struct wanted *want,
		       struct treaty_saga_run *run)
{
	struct treaty_saga_graph *g = graph_of(app, want->call_ms);
	int rc = treaty_saga_graph_start(g, app->treaty, &want->options, run);

	treaty_saga_graph_free(g);
	return rc;
}

static int start_machine(struct app *app, const struct wanted *want,
			 struct treaty_saga_run *run)
{
	struct treaty_saga_options o = want->options;

	o.machine = ORDER_MACHINE;
	return treaty_saga_start(app->treaty, &o, run);
}

/* ---- and hearing how it ends ---- */

static void answer_refused(struct exchange *x, const struct treaty_saga_run *r)
{
	cJSON *end = r->json ? cJSON_Parse(r->json) : NULL;
	const char *why = barrier_text(end, "message");

	answer_error(x,
		     strcmp(barrier_text(end, "error"), "deadline") ? 409 : 408,
		     *why ? why : "refused");
	cJSON_Delete(end);
}

/* The first one that was started with this token has the order. */
static void answer_order(struct app *app, struct exchange *x, const char *token)
{
	const struct treaty_value p = treaty_text(token);
	struct treaty_result *r = NULL;

	if (!app_exec(app, x,
		      "SELECT id FROM orders WHERE token = ? "
		      "AND state = 'paid'",
		      &p, 1, &r))
		return;
	if (treaty_result_rows(r) == 1)
		put_id(x->answer, "order", treaty_result_int(r, 0, 0));
	else
		answer_error(x, 500, "the saga succeeded without an order");
	treaty_result_free(r);
}

/* The business key makes it the same saga, however often it is started: so an
 * answer that is lost is asked for again. */
static int start_and_wait(struct app *app, const struct wanted *want,
			  start_fn *start, struct treaty_saga_run *run)
{
	int rc = TREATY_E_UNKNOWN;

	for (int i = 0; i < ASK_TIMES; i++) {
		rc = start(app, want, run);
		if (rc == TREATY_OK && treaty_saga_ended(run->status))
			break;
		if (rc != TREATY_OK && rc != TREATY_E_UNKNOWN &&
		    rc != TREATY_E_TIMEOUT)
			break;
	}
	return rc;
}

static void answer_end(struct app *app, struct exchange *x, int rc,
		       const struct treaty_saga_run *run, const char *token)
{
	if (rc == TREATY_OK)
		cJSON_AddStringToObject(x->answer, "xid", run->xid);
	if (rc != TREATY_OK)
		answer_error(x, 503, treaty_last_error());
	else if (run->status == TREATY_STATUS_ROLLBACKED)
		answer_refused(x, run);
	else if (!treaty_saga_ended(run->status))
		answer_error(x, 503, "it is not at its end yet; ask again");
	else
		answer_order(app, x, token);
}

static void checkout_by(struct app *app, struct exchange *x, start_fn *start)
{
	struct treaty_saga_run run = { .json = NULL };
	struct wanted want = { .options = { .size = sizeof want.options } };
	struct checkout co;
	char *input;
	int rc;

	if (!checkout_read(x, &co) || !checkout_number(app, x, &co))
		return;
	input = input_of(&co);
	want.options.business_key = co.token;
	want.options.input = input;
	want.options.wait_ms = WAIT_MS;
	want.options.deadline_ms =
		(uint64_t)number_or(x, "timeout_ms", DEADLINE_MS);
	want.call_ms = (uint32_t)number_or(x, "call_ms", CALL_MS);
	rc = start_and_wait(app, &want, start, &run);
	answer_end(app, x, rc, &run, co.token);
	treaty_saga_free(run.json);
	free(input);
}

static void serve_graph(struct app *app, struct exchange *x)
{
	checkout_by(app, x, start_graph);
}

static void serve_machine(struct app *app, struct exchange *x)
{
	checkout_by(app, x, start_machine);
}

static bool offer_step(struct app *app)
{
	return saga_offer(app, &part);
}

static bool put_machine(struct app *app)
{
	char *document = order_machine(app->points_url);
	int rc = treaty_saga_machine_put(app->treaty, document, NULL);

	free(document);
	if (rc != TREATY_OK)
		fprintf(stderr, "order: %s\n", treaty_last_error());
	return rc == TREATY_OK;
}

const struct mode order_saga = { .name = "saga",
				 .start = offer_step,
				 .serve = serve_graph };
const struct mode order_by_machine = { .name = "machine",
				       .start = put_machine,
				       .serve = serve_machine };
