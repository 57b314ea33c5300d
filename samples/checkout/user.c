/*
 * user: the wallet. One table of balances, one of deductions already made, so
 * that a deduction asked for twice (its answer was lost) is made once.
 */

#include "samples/checkout/app.h"

#define BALANCE_MAX 1000000000000

static const char *const schema[] = {
	"CREATE TABLE IF NOT EXISTS wallet (user_id VARCHAR(64) NOT NULL "
	"PRIMARY KEY, balance BIGINT NOT NULL)",
	"CREATE TABLE IF NOT EXISTS deduction (token VARCHAR(64) NOT NULL "
	"PRIMARY KEY, user_id VARCHAR(64) NOT NULL, amount BIGINT NOT NULL)",
	NULL,
};

static int known_deduction(struct connection *c, const char *token, bool *known)
{
	struct treaty_value p = treaty_text(token);
	struct treaty_result *r = NULL;
	int rc = database_exec(
		c, "SELECT amount FROM deduction WHERE token = ?", &p, 1, &r);

	if (rc == TREATY_OK)
		*known = treaty_result_rows(r) > 0;
	treaty_result_free(r);
	return rc;
}

static int take_money(struct connection *c, struct exchange *x,
		      const char *user, int64_t amount)
{
	struct treaty_value p[] = { treaty_int(amount), treaty_text(user),
				    treaty_int(amount) };
	struct treaty_result *r = NULL;
	int rc = database_exec(c,
			       "UPDATE wallet SET balance = balance - ? "
			       "WHERE user_id = ? AND balance >= ?",
			       p, 3, &r);

	if (rc == TREATY_OK && treaty_result_affected(r) == 0)
		answer_error(x, 409, "balance too low");
	treaty_result_free(r);
	return rc;
}

static int deduct(struct connection *c, struct exchange *x)
{
	const char *token, *user;
	bool known = false;
	int64_t amount;
	int rc;

	if (!want_text(x, "token", &token) || !want_text(x, "user", &user) ||
	    !want_number(x, "amount", &amount))
		return TREATY_OK;
	rc = known_deduction(c, token, &known);
	if (rc == TREATY_OK && !known) {
		struct treaty_value p[] = { treaty_text(token),
					    treaty_text(user),
					    treaty_int(amount) };

		rc = database_exec(c,
				   "INSERT INTO deduction (token, user_id, "
				   "amount) VALUES (?, ?, ?)",
				   p, 3, NULL);
		if (rc == TREATY_OK)
			rc = take_money(c, x, user, amount);
	}
	if (rc == TREATY_OK)
		cJSON_AddBoolToObject(x->answer, "repeated", known);
	return rc;
}

/* Writing a row as it is takes its lock like any other UPDATE. */
static int claim_wallet(struct connection *c, struct exchange *x)
{
	struct treaty_value p;
	const char *user;

	if (!want_text(x, "user", &user))
		return TREATY_OK;
	p = treaty_text(user);
	return database_exec(
		c, "UPDATE wallet SET balance = balance WHERE user_id = ?", &p,
		1, NULL);
}

static void handle_deduct(void *app, struct exchange *x)
{
	static const struct part part = { deduct, claim_wallet };

	app_participate(app, x, &part);
}

/* Set up a wallet; for the demo, outside any transaction. */
static void handle_put_wallet(void *app, struct exchange *x)
{
	struct treaty_value p[2];
	const char *user;
	int64_t balance;

	if (!want_text(x, "user", &user) ||
	    !want_number(x, "balance", &balance))
		return;
	if (balance > BALANCE_MAX) {
		answer_error(x, 400, "nobody is that rich");
		return;
	}
	p[0] = treaty_text(user);
	p[1] = treaty_int(balance);
	app_exec(app, x, "INSERT INTO wallet (user_id, balance) VALUES (?, ?)",
		 p, 2, NULL);
}

static void handle_get_wallet(void *app, struct exchange *x)
{
	const char *user = query_text(x, "user");
	struct treaty_value p = treaty_text(user);
	struct treaty_result *r = NULL;

	if (!app_exec(app, x, "SELECT balance FROM wallet WHERE user_id = ?",
		      &p, 1, &r))
		return;
	if (treaty_result_rows(r) == 0)
		answer_error(x, 404, "no such wallet");
	else
		cJSON_AddNumberToObject(x->answer, "balance",
					(double)treaty_result_int(r, 0, 0));
	treaty_result_free(r);
}

static void handle_audit(void *app, struct exchange *x)
{
	struct treaty_result *r = NULL;

	if (!app_exec(app, x, "SELECT coalesce(sum(balance), 0) FROM wallet",
		      NULL, 0, &r))
		return;
	cJSON_AddNumberToObject(x->answer, "balance",
				(double)treaty_result_int(r, 0, 0));
	treaty_result_free(r);
	app_count_undo(app, x);
}

int main(int argc, char **argv)
{
	static const struct route routes[] = {
		{ "POST", "/deduct", handle_deduct },
		{ "POST", "/wallet", handle_put_wallet },
		{ "GET", "/wallet", handle_get_wallet },
		{ "GET", "/audit", handle_audit },
	};
	struct app app;
	int rc = app_start(&app, "user", argc, argv, schema);

	if (rc != 0)
		return rc;
	rc = service_run(app.name, app.port, routes,
			 sizeof routes / sizeof routes[0], &app);
	app_stop(&app);
	return rc;
}
