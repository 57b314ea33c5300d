/*
 * user: the wallet. One table of balances (and of what is frozen of them, for
 * the modes that freeze), one of deductions already made, so
 * that a deduction asked for twice (its answer was lost) is made once. How money
 * is deducted is in user_at.c, user_tcc.c, …
 *
 *   POST /deduct {"mode", "token", "user", "amount"} and the header TX_XID
 */

#include "samples/checkout/user.h"

#define BALANCE_MAX 1000000000000

static const char *const schema[] = {
	"CREATE TABLE IF NOT EXISTS wallet (user_id VARCHAR(64) NOT NULL "
	"PRIMARY KEY, balance BIGINT NOT NULL, "
	"frozen BIGINT NOT NULL)",
	"CREATE TABLE IF NOT EXISTS deduction (token VARCHAR(64) NOT NULL "
	"PRIMARY KEY, user_id VARCHAR(64) NOT NULL, amount BIGINT NOT NULL)",
	NULL,
};

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
	app_exec(app, x,
		 "INSERT INTO wallet (user_id, balance, frozen) VALUES (?, ?, "
		 "0)",
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

static void handle_audit(void *ctx, struct exchange *x)
{
	struct app *app = ctx;

	app_add_sum(app, x, "money",
		    "SELECT coalesce(sum(balance + frozen), 0) FROM wallet");
	app_count_left(app, x, "frozen",
		       "SELECT coalesce(sum(frozen), 0) FROM wallet");
	app_count_all_left(app, x);
}

int main(int argc, char **argv)
{
	static const struct mode *const modes[] = { &user_at,  &user_tcc,
						    &user_xa,  &user_saga,
						    &user_msg, NULL };
	static const struct route routes[] = {
		{ "POST", "/deduct", app_serve },
		{ "POST", "/wallet", handle_put_wallet },
		{ "GET", "/wallet", handle_get_wallet },
		{ "GET", "/audit", handle_audit },
	};
	struct app app;
	int rc = app_start(&app, "user", argc, argv, schema, modes);

	if (rc != 0)
		return rc;
	return app_run(&app, routes, sizeof routes / sizeof routes[0]);
}
