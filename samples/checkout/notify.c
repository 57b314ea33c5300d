/*
 * notify: writes down whom it would have told that an order was paid. Nobody
 * waits for it: what it cannot do soon becomes a dead letter, for an operator.
 *
 *   POST /down {"down": 0 or 1}   out of service, for the demo
 *   GET /audit
 */

#include "samples/checkout/msg.h"
#include "samples/checkout/sql.h"

#include <stdatomic.h>

static const char *const schema[] = {
	"CREATE TABLE IF NOT EXISTS notification ("
	"order_id INTEGER NOT NULL, user_id TEXT NOT NULL)",
	NULL,
};

static atomic_bool down;

/* No unique key: only the barrier keeps it from telling twice. */
static bool tell(struct connection *c, const cJSON *what)
{
	const struct treaty_value p[] = {
		treaty_int(barrier_number(what, "id")),
		treaty_text(barrier_text(what, "user")),
	};

	return sql_run(c,
		       "INSERT INTO notification (order_id, user_id) "
		       "VALUES (?, ?)",
		       p, 2, NULL);
}

static bool in_service(struct app *app)
{
	(void)app;
	return !atomic_load(&down);
}

static struct msg_part part = { .consumer = "checkout-notify",
				.work = tell,
				.ready = in_service };

static bool start(struct app *app)
{
	return msg_offer(app, &part);
}

static const struct mode notify_msg = { .name = "msg", .start = start };

static void handle_down(void *app, struct exchange *x)
{
	(void)app;
	atomic_store(&down, number_or(x, "down", 0) != 0);
}

static void handle_audit(void *ctx, struct exchange *x)
{
	struct app *app = ctx;

	app_add_sum(app, x, "told", "SELECT count(*) FROM notification");
	app_count_left(app, x, "told twice",
		       "SELECT count(*) - count(DISTINCT order_id) "
		       "FROM notification");
	app_count_all_left(app, x);
}

int main(int argc, char **argv)
{
	static const struct mode *const modes[] = { &notify_msg, NULL };
	static const struct route routes[] = {
		{ "POST", "/down", handle_down },
		{ "GET", "/audit", handle_audit },
	};
	struct app app;
	int rc = app_start(&app, "notify", argc, argv, schema, modes);

	if (rc != 0)
		return rc;
	return app_run(&app, routes, sizeof routes / sizeof routes[0]);
}
