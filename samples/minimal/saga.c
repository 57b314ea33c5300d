/* A sale as a saga: take pens from the shelf, then the money from the wallet.
 * If there is not enough money, the pens go back on the shelf.
 *
 *   cc saga.c $(pkg-config --cflags --libs treaty sqlite3) -o saga
 *   ./saga tcp://127.0.0.1:7090 shop.db 3 order-1        sell three pens
 *
 * shop.db has: CREATE TABLE shop (id TEXT PRIMARY KEY, n INTEGER) with the rows
 * 'shelf' and 'wallet'; a pen costs 10. Both services are in this one program,
 * and a real one keeps running: a saga that it leaves behind when it is killed
 * goes on when a program offers its services again. Starting order-1 again
 * shows what became of it.
 */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <treaty/saga.h>

#define TAKE      "UPDATE shop SET n = n - ?1 WHERE id = ?2 AND n >= ?1"
#define GIVE_BACK "UPDATE shop SET n = n + ?1 WHERE id = ?2"

/* Who plays which service: its row in the table and what one pen is there. */
struct service {
	const char *row, *file;
	int each;
};

/* 0; 1 if there is not enough; -1 with the database's reason. */
static int work(sqlite3 *db, struct treaty_saga_call *call,
		const struct service *s)
{
	const char *sql = treaty_saga_compensates(call) ? GIVE_BACK : TAKE;
	sqlite3_stmt *stmt = NULL;
	int rc = sqlite3_prepare_v2(db, sql, -1, &stmt, NULL);

	/* The input is the number of pens. */
	if (rc == SQLITE_OK)
		rc = sqlite3_bind_int64(
			stmt, 1,
			s->each * strtoll(treaty_saga_input(call), NULL, 10));
	if (rc == SQLITE_OK)
		rc = sqlite3_bind_text(stmt, 2, s->row, -1, SQLITE_STATIC);
	if (rc == SQLITE_OK)
		rc = sqlite3_step(stmt);
	sqlite3_finalize(stmt);
	return rc != SQLITE_DONE ? -1 : sqlite3_changes(db) != 1;
}

/* One local transaction: the barrier first, then the work if it says so. What
 * is not certain is left at UNKNOWN: the coordinator asks again. */
static enum treaty_saga_answer locally(sqlite3 *db,
				       struct treaty_saga_call *call,
				       const struct service *s)
{
	enum treaty_barrier_verdict verdict;
	int rc = 0;

	if (sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL) ||
	    treaty_saga_barrier_sqlite(call, db, 1, &verdict))
		return TREATY_SAGA_UNKNOWN;
	if (verdict == TREATY_BARRIER_SUSPENDED) {
		treaty_saga_error(call, "late", "it is undone already");
		return TREATY_SAGA_REFUSED;
	}
	if (verdict == TREATY_BARRIER_RUN)
		rc = work(db, call, s);
	if (rc == 1) {
		treaty_saga_error(call, "not_enough", s->row);
		return TREATY_SAGA_REFUSED;
	}
	if (rc || sqlite3_exec(db, "COMMIT", NULL, NULL, NULL)) {
		treaty_saga_error(call, NULL, sqlite3_errmsg(db));
		return TREATY_SAGA_UNKNOWN;
	}
	return TREATY_SAGA_DONE;
}

static enum treaty_saga_answer on_call(void *ctx, struct treaty_saga_call *call)
{
	enum treaty_saga_answer answer = TREATY_SAGA_UNKNOWN;
	const struct service *s = ctx;
	sqlite3 *db = NULL;

	if (sqlite3_open(s->file, &db) == SQLITE_OK &&
	    sqlite3_busy_timeout(db, 5000) == SQLITE_OK)
		answer = locally(db, call, s);
	sqlite3_close(db); /* rolls back what is not committed */
	return answer;
}

static int prepare(struct treaty **t, const char *address, struct service s[2])
{
	const struct treaty_saga_service service = { .size = sizeof service,
						     .on_call = on_call };
	struct treaty_options o;
	sqlite3 *db = NULL;
	int rc = sqlite3_open(s[0].file, &db);

	if (rc == SQLITE_OK)
		rc = treaty_barrier_create_sqlite(db, NULL);
	sqlite3_close(db);
	treaty_options_init(&o, sizeof o);
	o.address = address;
	o.application = "shop";
	if (rc == TREATY_OK)
		rc = treaty_open(t, &o);
	for (int i = 0; rc == TREATY_OK && i < 2; i++)
		rc = treaty_saga_service_add(*t, s[i].row, &service, &s[i]);
	return rc;
}

/* One step behind the other, each undone by the service that does it. */
static int sell(struct treaty *t, const char *pens, const char *order,
		struct treaty_saga_run *run)
{
	static const char *const rows[] = { "shelf", "wallet" };
	const struct treaty_saga_options o = { .size = sizeof o,
					       .business_key = order,
					       .wait_ms = 30000 };
	struct treaty_saga_graph *g = treaty_saga_graph_new("sell", "1");
	int rc;

	for (int i = 0; i < 2; i++)
		treaty_saga_graph_step(
			g, &(struct treaty_saga_step){
				   .size = sizeof(struct treaty_saga_step),
				   .name = rows[i],
				   .action = rows[i],
				   .compensation = rows[i],
				   .input = pens });
	rc = treaty_saga_graph_start(g, t, &o, run);
	treaty_saga_graph_free(g);
	return rc;
}

int main(int argc, char **argv)
{
	struct service s[2];
	struct treaty_saga_run run = { 0 };
	struct treaty *t;

	if (argc != 5)
		return fprintf(stderr, "saga ADDRESS FILE PENS ORDER\n"), 2;
	s[0] = (struct service){ "shelf", argv[2], 1 };
	s[1] = (struct service){ "wallet", argv[2], 10 };
	if (prepare(&t, argv[1], s) || sell(t, argv[3], argv[4], &run))
		return fprintf(stderr, "%s\n", treaty_last_error()), 1;
	printf("%s: %s\n", run.xid, treaty_status_name(run.status));
	if (run.json)
		printf("%s\n", run.json);
	treaty_saga_free(run.json);
	treaty_close(t);
	return run.status == TREATY_STATUS_COMMITTED ? 0 : 1;
}
