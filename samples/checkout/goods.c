/*
 * goods: the shelf, always in SQLite, written with SQLite's own calls: the
 * program differs from one without Treaty by the prefix treaty_ only.
 */

#include "samples/checkout/app.h"

#include <treaty/sqlite.h>

static const char *const schema[] = {
	"CREATE TABLE IF NOT EXISTS stock (item TEXT NOT NULL PRIMARY KEY, "
	"quantity INTEGER NOT NULL, price INTEGER NOT NULL)",
	"CREATE TABLE IF NOT EXISTS picking (token TEXT NOT NULL PRIMARY KEY, "
	"item TEXT NOT NULL, quantity INTEGER NOT NULL)",
	NULL,
};

/* One statement with up to three parameters; a text and two numbers. A first
 * column, if there is one, goes to *value. Returns SQLite's code: SQLITE_ROW
 * if there was a row, SQLITE_DONE if there was none. */
static int run(sqlite3 *db, const char *sql, const char *text, int64_t a,
	       int64_t b, int64_t *value)
{
	sqlite3_stmt *s = NULL;
	int rc = treaty_sqlite3_prepare_v2(db, sql, -1, &s, NULL);
	int parameters, end;

	if (rc != SQLITE_OK)
		return rc;
	parameters = sqlite3_bind_parameter_count(s);
	if (parameters > 0)
		treaty_sqlite3_bind_text(s, 1, text, -1, SQLITE_STATIC);
	if (parameters > 1)
		treaty_sqlite3_bind_int64(s, 2, a);
	if (parameters > 2)
		treaty_sqlite3_bind_int64(s, 3, b);
	rc = treaty_sqlite3_step(s);
	if (rc == SQLITE_ROW && value)
		*value = sqlite3_column_int64(s, 0);
	end = treaty_sqlite3_finalize(s);
	return end == SQLITE_OK ? rc : end;
}

static int insert_picking(sqlite3 *db, const char *token, const char *item,
			  int64_t quantity)
{
	sqlite3_stmt *s = NULL;
	int rc = treaty_sqlite3_prepare_v2(
		db,
		"INSERT INTO picking (token, item, quantity) VALUES (?, ?, ?)",
		-1, &s, NULL);

	if (rc != SQLITE_OK)
		return rc;
	treaty_sqlite3_bind_text(s, 1, token, -1, SQLITE_STATIC);
	treaty_sqlite3_bind_text(s, 2, item, -1, SQLITE_STATIC);
	treaty_sqlite3_bind_int64(s, 3, quantity);
	rc = treaty_sqlite3_step(s);
	treaty_sqlite3_finalize(s);
	return rc;
}

/* Take it off the shelf unless that was done before; SQLITE_DONE if all is
 * well or the answer says why it is not. */
static int take_off(sqlite3 *db, struct exchange *x, const char *token,
		    const char *item, int64_t quantity)
{
	int64_t price = 0;
	int rc = run(db, "SELECT price FROM stock WHERE item = ?", item, 0, 0,
		     &price);

	if (rc == SQLITE_DONE)
		answer_error(x, 404, "no such item");
	if (rc != SQLITE_ROW)
		return rc;
	cJSON_AddNumberToObject(x->answer, "amount",
				(double)(price * quantity));
	rc = run(db, "SELECT quantity FROM picking WHERE token = ?", token, 0,
		 0, NULL);
	if (rc == SQLITE_ROW)
		return SQLITE_DONE;
	if (rc == SQLITE_DONE)
		rc = insert_picking(db, token, item, quantity);
	if (rc != SQLITE_DONE)
		return rc;
	rc = run(db,
		 "UPDATE stock SET quantity = quantity - ?2 "
		 "WHERE item = ?1 AND quantity >= ?2",
		 item, quantity, 0, NULL);
	if (rc == SQLITE_DONE && treaty_sqlite3_changes(db) == 0)
		answer_error(x, 409, "out of stock");
	return rc;
}

static int answer_sqlite(struct connection *c, struct exchange *x, int rc)
{
	if (rc != SQLITE_DONE && x->status < 400)
		answer_error(x, rc == SQLITE_BUSY ? 409 : 500,
			     treaty_sqlite3_errmsg(c->native));
	return TREATY_OK;
}

static int pick(struct connection *c, struct exchange *x)
{
	const char *token, *item;
	int64_t quantity;

	if (!want_text(x, "token", &token) || !want_text(x, "item", &item) ||
	    !want_number(x, "quantity", &quantity))
		return TREATY_OK;
	return answer_sqlite(c, x,
			     take_off(c->native, x, token, item, quantity));
}

/* Writing a row as it is takes its lock like any other UPDATE. */
static int claim_item(struct connection *c, struct exchange *x)
{
	const char *item;

	if (!want_text(x, "item", &item))
		return TREATY_OK;
	return answer_sqlite(
		c, x,
		run(c->native,
		    "UPDATE stock SET quantity = quantity WHERE item = ?", item,
		    0, 0, NULL));
}

static void handle_pick(void *app, struct exchange *x)
{
	static const struct part part = { pick, claim_item };

	app_participate(app, x, &part);
}

/* Put something on the shelf; for the demo, outside any transaction. */
static void handle_put_stock(void *app, struct exchange *x)
{
	struct treaty_value p[3];
	int64_t quantity, price;
	const char *item;

	if (!want_text(x, "item", &item) ||
	    !want_number(x, "quantity", &quantity) ||
	    !want_number(x, "price", &price))
		return;
	p[0] = treaty_text(item);
	p[1] = treaty_int(quantity);
	p[2] = treaty_int(price);
	app_exec(app, x,
		 "INSERT INTO stock (item, quantity, price) VALUES (?, ?, ?)",
		 p, 3, NULL);
}

static void handle_audit(void *app, struct exchange *x)
{
	struct treaty_result *r = NULL;

	if (!app_exec(app, x, "SELECT coalesce(sum(quantity), 0) FROM stock",
		      NULL, 0, &r))
		return;
	cJSON_AddNumberToObject(x->answer, "quantity",
				(double)treaty_result_int(r, 0, 0));
	treaty_result_free(r);
	app_count_undo(app, x);
}

int main(int argc, char **argv)
{
	static const struct route routes[] = {
		{ "POST", "/pick", handle_pick },
		{ "POST", "/stock", handle_put_stock },
		{ "GET", "/audit", handle_audit },
	};
	struct app app;
	int rc = app_start(&app, "goods", argc, argv, schema);

	if (rc != 0)
		return rc;
	rc = service_run(app.name, app.port, routes,
			 sizeof routes / sizeof routes[0], &app);
	app_stop(&app);
	return rc;
}
