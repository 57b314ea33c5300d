/* A shop that sells, and points that follow each sale: a message goes with the
 * local transaction of the sale, or not at all.
 *
 *   cc msg.c $(pkg-config --cflags --libs treaty sqlite3) -o msg
 *   ./msg tcp://127.0.0.1:7090 shop.db 40          sell for 40
 *   ./msg tcp://127.0.0.1:7090 shop.db 40 die      crash after the local commit
 *   ./msg tcp://127.0.0.1:7090 shop.db             only do what is left to do
 *
 * Shop and points would be two programs with a database each; here they are one
 * for the sake of brevity. Both tables always agree in the end.
 */
#include <poll.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <treaty/msg.h>
#include <unistd.h>

#define TABLES                                                                 \
	"CREATE TABLE IF NOT EXISTS sale (sum INTEGER);"                       \
	"CREATE TABLE IF NOT EXISTS points (sum INTEGER)"

static int run_sql(sqlite3 *db, const char *sql)
{
	char *why = NULL;
	int rc = sqlite3_exec(db, sql, NULL, NULL, &why);

	if (rc != SQLITE_OK)
		fprintf(stderr, "%s\n", why);
	sqlite3_free(why);
	return rc == SQLITE_OK ? TREATY_OK : TREATY_E_IO;
}

static int insert(sqlite3 *db, const char *table, long sum)
{
	char sql[80];

	snprintf(sql, sizeof sql, "INSERT INTO %s VALUES (%ld)", table, sum);
	return run_sql(db, sql);
}

static sqlite3 *open_db(const char *file)
{
	sqlite3 *db = NULL;

	if (sqlite3_open(file, &db) == SQLITE_OK)
		sqlite3_busy_timeout(db, 5000);
	return db;
}

/* ---- the points: take the message, once ---- */

static enum treaty_msg_answer on_message(void *file, struct treaty_delivery *d)
{
	enum treaty_barrier_verdict verdict = TREATY_BARRIER_RUN;
	sqlite3 *db = open_db(file);
	int rc = run_sql(db, "BEGIN IMMEDIATE");

	if (rc == TREATY_OK)
		rc = treaty_delivery_barrier_sqlite(d, db, 1, &verdict);
	if (rc == TREATY_OK && verdict == TREATY_BARRIER_RUN)
		rc = insert(db, "points",
			    strtol(treaty_delivery_payload(d), NULL, 10));
	if (rc == TREATY_OK)
		rc = run_sql(db, "COMMIT");
	sqlite3_close(db); /* rolls back what is not committed */
	return rc == TREATY_OK ? TREATY_MSG_DONE : TREATY_MSG_RETRY;
}

/* ---- the shop: sell, and say so ---- */

static int sell(void *sum, sqlite3 *db)
{
	return insert(db, "sale", *(long *)sum);
}

/* What treaty_msg_local_sqlite() does, up to the point where power goes. */
static void die_between(struct treaty_msg *m, sqlite3 *db, long sum)
{
	if (run_sql(db, "BEGIN IMMEDIATE") ||
	    treaty_msg_barrier_sqlite(m, db) || sell(&sum, db) ||
	    run_sql(db, "COMMIT"))
		fprintf(stderr, "%s\n", treaty_last_error());
	_exit(3);
}

static int buy(struct treaty *t, sqlite3 *db, const char *text, int die)
{
	const struct treaty_msg_options o = { .size = sizeof o,
					      .name = "sale",
					      .producer = "shop",
					      .timeout_ms = 2000 };
	const struct treaty_msg_delivery to_points = { .size = sizeof to_points,
						       .to = "points",
						       .payload = text };
	long sum = strtol(text, NULL, 10);
	struct treaty_msg *m = NULL;
	int rc = treaty_msg_prepare(t, &o, &m);

	if (rc == TREATY_OK)
		rc = treaty_msg_add(m, &to_points, NULL);
	if (rc == TREATY_OK && die)
		die_between(m, db, sum);
	if (rc == TREATY_OK)
		rc = treaty_msg_local_sqlite(m, db, sell, &sum);
	if (rc != TREATY_OK)
		fprintf(stderr, "%s\n", treaty_last_error());
	treaty_msg_free(m);
	return rc;
}

/* A service would run for ever; this one until points and sales agree. */
static int agree(sqlite3 *db)
{
	sqlite3_stmt *stmt = NULL;
	int yes = 0;

	if (sqlite3_prepare_v2(db,
			       "SELECT (SELECT total(sum) FROM sale) = (SELECT "
			       "total(sum) FROM points)",
			       -1, &stmt, NULL) == SQLITE_OK &&
	    sqlite3_step(stmt) == SQLITE_ROW)
		yes = sqlite3_column_int(stmt, 0);
	sqlite3_finalize(stmt);
	return yes;
}

static int serve(struct treaty **t, char **argv, const char *dsn)
{
	const struct treaty_msg_producer shop = { .size = sizeof shop,
						  .dsn = dsn };
	const struct treaty_msg_consumer points = { .size = sizeof points,
						    .on_message = on_message };
	struct treaty_options o;
	int rc;

	treaty_options_init(&o, sizeof o);
	o.address = argv[1];
	o.application = "shop";
	rc = treaty_open(t, &o);
	if (rc == TREATY_OK)
		rc = treaty_msg_producer_add(*t, "shop", &shop, NULL);
	if (rc == TREATY_OK)
		rc = treaty_msg_consumer_add(*t, "points", &points, argv[2]);
	return rc;
}

int main(int argc, char **argv)
{
	int die = argc > 4 && strcmp(argv[4], "die") == 0;
	struct treaty *t = NULL;
	char dsn[500];
	sqlite3 *db;
	int rc = 0;

	if (argc < 3)
		return fprintf(stderr, "msg ADDRESS FILE [SUM [die]]\n"), 2;
	snprintf(dsn, sizeof dsn, "sqlite:%s", argv[2]);
	db = open_db(argv[2]);
	if (run_sql(db, TABLES) || treaty_barrier_create_sqlite(db, NULL) ||
	    serve(&t, argv, dsn))
		return fprintf(stderr, "%s\n", treaty_last_error()), 1;
	if (argc > 3)
		rc = buy(t, db, argv[3], die);
	for (int i = 0; i < 200 && !agree(db); i++)
		(void)poll(NULL, 0, 50);
	printf("points and sales %s\n", agree(db) ? "agree" : "differ");
	rc = rc || !agree(db);
	treaty_close(t);
	sqlite3_close(db);
	return rc;
}
