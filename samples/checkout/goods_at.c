/*
 * goods in AT mode, in SQLite, written with SQLite's own calls: it differs from
 * a program without Treaty by the prefix treaty_ only.
 */

#include "samples/checkout/at.h"
#include "samples/checkout/goods.h"

#include <treaty/sqlite.h>

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

static void serve(struct app *app, struct exchange *x)
{
	static const struct part part = { pick, claim_item };

	at_participate(app, x, &part);
}

const struct mode goods_at = { .name = "at", .serve = serve };
