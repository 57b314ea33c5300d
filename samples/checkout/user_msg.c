/*
 * user in mode msg: the wallet decides alone, in one local transaction. With it
 * goes a message to all who have to know that it was paid; if and only if that
 * transaction commits, whatever happens to this program.
 */

#include "samples/checkout/hold.h"
#include "samples/checkout/msg.h"
#include "samples/checkout/sql.h"
#include "samples/checkout/user.h"

#include <stdio.h>
#include <stdlib.h>

#define PRODUCER     "checkout-user"
#define PREPARED_MS  1500 /* then the coordinator asks what became of it */
#define NOTIFY_PAUSE 300  /* a notification that is late is of no use */

struct payment {
	const char *token, *user;
	int64_t amount;
	char *payload; /* what the consumers get */
};

/* ---- the message ---- */

static int add_deliveries(struct treaty_msg *m, const char *payload)
{
	static const uint64_t soon[] = { NOTIFY_PAUSE, NOTIFY_PAUSE };
	const struct treaty_msg_delivery paid = {
		.size = sizeof paid,
		.topic = TOPIC_PAID,
		.payload = payload,
	};
	const struct treaty_msg_delivery notify = {
		.size = sizeof notify,
		.to = "checkout-notify",
		.payload = payload,
		.schedule_ms = soon,
		.n_schedule = sizeof soon / sizeof soon[0],
	};
	int rc = treaty_msg_add(m, &paid, NULL);

	return rc == TREATY_OK ? treaty_msg_add(m, &notify, NULL) : rc;
}

static int barrier_of(struct treaty_msg *m, struct connection *c)
{
	switch (c->kind) {
	case POSTGRESQL:
		return treaty_msg_barrier_pg(m, c->native);
	case MARIADB:
		return treaty_msg_barrier_mysql(m, c->native);
	default:
		return treaty_msg_barrier_sqlite(m, c->native);
	}
}

/* ---- the local transaction ---- */

/* What this token paid before, if it did. */
static bool find_payment(struct connection *c, const char *token,
			 struct sql_row *row)
{
	const struct treaty_value p = treaty_text(token);

	return sql_run(c, "SELECT order_id, xid FROM payment WHERE token = ?",
		       &p, 1, row);
}

static bool pay(struct connection *c, const struct payment *what,
		const char *order, const char *xid)
{
	const struct treaty_value by = treaty_int(what->amount);
	const struct treaty_value row[] = { treaty_text(what->token),
					    treaty_text(order),
					    treaty_text(xid) };
	const struct treaty_value p[] = { by, treaty_text(what->user), by };
	struct sql_row r;

	if (!sql_run(c,
		     "INSERT INTO payment (token, order_id, xid) "
		     "VALUES (?, ?, ?)",
		     row, 3, NULL) ||
	    !sql_run(c,
		     "UPDATE wallet SET balance = balance - ? "
		     "WHERE user_id = ? AND balance >= ?",
		     p, 3, &r))
		return false;
	return r.changed == 1 || barrier_refuse(c, "balance too low");
}

enum end { PAID, REPEATED, NOT_PAID, NOT_KNOWN };

static enum end locally(struct connection *c, struct treaty_msg *m,
			const struct payment *what, const char *order,
			struct sql_row *before)
{
	if (!sql_begin(c))
		return NOT_PAID;
	if (barrier_of(m, c) != TREATY_OK) {
		snprintf(c->error, sizeof c->error, "%s", treaty_last_error());
		c->failed = true;
	} else if (find_payment(c, what->token, before) && before->found) {
		sql_rollback(c);
		return REPEATED;
	} else if (!c->failed && pay(c, what, order, treaty_msg_xid(m))) {
		hold_at("phase one", treaty_msg_xid(m));
		/* Not answered: only the producer's answer will tell. */
		return sql_commit(c) ? PAID : NOT_KNOWN;
	}
	sql_rollback(c);
	return NOT_PAID;
}

/* ---- the request ---- */

static void answer_paid(struct exchange *x, const char *order, const char *xid)
{
	cJSON_AddStringToObject(x->answer, "order", order);
	cJSON_AddStringToObject(x->answer, "xid", xid);
}

static void end_message(struct exchange *x, struct treaty_msg *m,
			struct connection *c, enum end end, const char *order,
			const struct sql_row *before)
{
	switch (end) {
	case PAID:
		hold_at("phase one done", treaty_msg_xid(m));
		/* If this is lost, the coordinator asks on_check. */
		(void)treaty_msg_submit(m);
		answer_paid(x, order, treaty_msg_xid(m));
		break;
	case REPEATED:
		(void)treaty_msg_abort(m, "paid before");
		answer_paid(x, before->text[0], before->text[1]);
		break;
	case NOT_PAID:
		(void)treaty_msg_abort(m, c->error);
		answer_error(x, c->failed ? 503 : 409, c->error);
		break;
	default:
		answer_error(x, 503, c->error);
	}
}

static void with_message(struct app *app, struct exchange *x,
			 struct treaty_msg *m, const struct payment *what,
			 const char *order)
{
	struct connection *c = database_take(app->plain);
	struct sql_row before = { .found = false };

	if (!c) {
		answer_error(x, 503, "the database cannot be reached");
		return;
	}
	c->error[0] = 0;
	end_message(x, m, c, locally(c, m, what, order, &before), order,
		    &before);
	database_give(app->plain, c);
}

static void serve(struct app *app, struct exchange *x)
{
	static const struct treaty_msg_options options = {
		.size = sizeof options,
		.name = "paid",
		.producer = PRODUCER,
		.timeout_ms = PREPARED_MS,
	};
	struct treaty_msg *m = NULL;
	struct payment what;
	const char *order;
	int rc;

	if (!want_text(x, "token", &what.token) ||
	    !want_text(x, "user", &what.user) || !want_text(x, "id", &order) ||
	    !want_number(x, "amount", &what.amount))
		return;
	what.payload = cJSON_PrintUnformatted(x->body);
	rc = treaty_msg_prepare(app->treaty, &options, &m);
	if (rc == TREATY_OK)
		rc = add_deliveries(m, what.payload);
	if (rc == TREATY_OK)
		with_message(app, x, m, &what, order);
	else
		answer_error(x, 503, treaty_last_error());
	treaty_msg_free(m);
	free(what.payload);
}

/* ---- start ---- */

static bool make_table(struct app *app)
{
	struct connection *c = database_take(app->plain);
	bool ok = c && sql_run(c,
			       "CREATE TABLE IF NOT EXISTS payment ("
			       "token VARCHAR(64) NOT NULL PRIMARY KEY, "
			       "order_id VARCHAR(24) NOT NULL, "
			       "xid VARCHAR(128) NOT NULL)",
			       NULL, 0, NULL);

	if (c && !ok)
		fprintf(stderr, "user: %s\n", c->error);
	if (c)
		database_give(app->plain, c);
	return ok;
}

static bool start(struct app *app)
{
	const struct treaty_msg_producer producer = { .size = sizeof producer,
						      .dsn = app->dsn };

	if (!barrier_open(app) || !make_table(app))
		return false;
	if (treaty_msg_producer_add(app->treaty, PRODUCER, &producer, NULL) ==
	    TREATY_OK)
		return true;
	fprintf(stderr, "user: %s\n", treaty_last_error());
	return false;
}

const struct mode user_msg = { .name = "msg", .start = start, .serve = serve };
