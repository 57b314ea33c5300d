/*
 * user in AT mode: ordinary SQL. Treaty undoes it if the checkout fails.
 */

#include "samples/checkout/at.h"
#include "samples/checkout/user.h"

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

static void serve(struct app *app, struct exchange *x)
{
	static const struct part part = { deduct, claim_wallet };

	at_participate(app, x, &part);
}

const struct mode user_at = { .name = "at", .serve = serve };
