/*
 * goods in mode delay: AT, and what was picked can also be brought back.
 */

#include "samples/checkout/at.h"
#include "samples/checkout/goods.h"

static int run(struct connection *c, const char *sql,
	       const struct treaty_value *p, size_t n, uint64_t *changed)
{
	struct treaty_result *r = NULL;
	int rc = database_exec(c, sql, p, n, &r);

	if (rc == TREATY_OK)
		*changed = treaty_result_affected(r);
	treaty_result_free(r);
	return rc;
}

/* The picking goes with it, so that nothing is brought back twice. */
static int bring_back(struct connection *c, const char *token, const char *item,
		      int64_t quantity)
{
	const struct treaty_value key = treaty_text(token);
	const struct treaty_value p[] = { treaty_int(quantity),
					  treaty_text(item) };
	uint64_t changed = 0;
	int rc = run(c, "DELETE FROM picking WHERE token = ?", &key, 1,
		     &changed);

	if (rc != TREATY_OK || changed == 0)
		return rc;
	return run(c, "UPDATE stock SET quantity = quantity + ? WHERE item = ?",
		   p, 2, &changed);
}

static int back(struct connection *c, struct exchange *x)
{
	const char *token, *item;
	int64_t quantity;

	if (!want_text(x, "token", &token) || !want_text(x, "item", &item) ||
	    !want_number(x, "quantity", &quantity))
		return TREATY_OK;
	return bring_back(c, token, item, quantity);
}

static int claim(struct connection *c, struct exchange *x)
{
	struct treaty_value p;
	const char *item;
	uint64_t changed;

	if (!want_text(x, "item", &item))
		return TREATY_OK;
	p = treaty_text(item);
	return run(c, "UPDATE stock SET quantity = quantity WHERE item = ?", &p,
		   1, &changed);
}

static void serve(struct app *app, struct exchange *x)
{
	static const struct part part = { back, claim };

	if (number_or(x, "back", 0))
		at_participate(app, x, &part);
	else
		goods_at.serve(app, x);
}

const struct mode goods_delay = { .name = "delay", .serve = serve };
