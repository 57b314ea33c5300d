/* A wallet as a TCC participant: a payment freezes money, then takes it or
 * gives it back.
 *
 *   cc tcc.c $(pkg-config --cflags --libs treaty sqlite3) -o tcc
 *   ./tcc tcp://127.0.0.1:7090 wallet.db 40          pay
 *   ./tcc tcp://127.0.0.1:7090 wallet.db 40 no       freeze, then change mind
 *
 * wallet.db has: CREATE TABLE wallet (id TEXT PRIMARY KEY, balance INTEGER,
 * frozen INTEGER). A real service keeps running: what this one leaves behind
 * when it is killed is finished when it runs again.
 */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <treaty/tcc.h>

#define FREEZE                                                                 \
	"UPDATE wallet SET balance = balance - ?1, frozen = frozen + ?1 "      \
	"WHERE id = 'alice' AND balance >= ?1"
#define TAKE "UPDATE wallet SET frozen = frozen - ?1 WHERE id = 'alice'"
#define GIVE_BACK                                                              \
	"UPDATE wallet SET balance = balance + ?1, frozen = frozen - ?1 "      \
	"WHERE id = 'alice'"

/* The sum is the whole context: a JSON number. 0, or -1 with a text. */
static int work(sqlite3 *db, struct treaty_tcc *op, const char *sql)
{
	sqlite3_stmt *stmt = NULL;
	int rc = sqlite3_prepare_v2(db, sql, -1, &stmt, NULL);

	if (rc == SQLITE_OK)
		rc = sqlite3_bind_int64(
			stmt, 1, strtoll(treaty_tcc_context(op), NULL, 10));
	if (rc == SQLITE_OK)
		rc = sqlite3_step(stmt);
	sqlite3_finalize(stmt);
	if (rc != SQLITE_DONE)
		treaty_tcc_error(op, sqlite3_errmsg(db));
	else if (sqlite3_changes(db) != 1)
		treaty_tcc_error(op, "there is not enough money");
	return rc == SQLITE_DONE && sqlite3_changes(db) == 1 ? 0 : -1;
}

/* One local transaction: the barrier first, then the work if it says so. */
static int locally(const char *file, struct treaty_tcc *op, const char *sql)
{
	enum treaty_barrier_verdict verdict;
	sqlite3 *db = NULL;
	int rc = sqlite3_open(file, &db);

	sqlite3_busy_timeout(db, 5000);
	if (rc == SQLITE_OK)
		rc = sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL);
	if (rc == SQLITE_OK)
		rc = treaty_tcc_barrier_sqlite(op, db, 1, &verdict);
	if (rc == TREATY_OK && verdict == TREATY_BARRIER_SUSPENDED)
		rc = -1; /* it is cancelled already */
	if (rc == TREATY_OK && verdict == TREATY_BARRIER_RUN)
		rc = work(db, op, sql);
	if (rc == TREATY_OK)
		rc = sqlite3_exec(db, "COMMIT", NULL, NULL, NULL);
	sqlite3_close(db); /* rolls back what is not committed */
	return rc;
}

static int on_try(void *file, struct treaty_tcc *op, void *arg)
{
	(void)arg;
	return locally(file, op, FREEZE) ? TREATY_E_DENIED : TREATY_OK;
}

static enum treaty_tcc_outcome on_confirm(void *file, struct treaty_tcc *op)
{
	return locally(file, op, TAKE) ? TREATY_TCC_RETRY : TREATY_TCC_DONE;
}

static enum treaty_tcc_outcome on_cancel(void *file, struct treaty_tcc *op)
{
	return locally(file, op, GIVE_BACK) ? TREATY_TCC_RETRY
					    : TREATY_TCC_DONE;
}

static int prepare(struct treaty **t, char **argv)
{
	const struct treaty_tcc_action deduct = { .size = sizeof deduct,
						  .on_try = on_try,
						  .on_confirm = on_confirm,
						  .on_cancel = on_cancel };
	struct treaty_options o;
	sqlite3 *db = NULL;
	int rc = sqlite3_open(argv[2], &db);

	if (rc == SQLITE_OK)
		rc = treaty_barrier_create_sqlite(db, NULL);
	sqlite3_close(db);
	treaty_options_init(&o, sizeof o);
	o.address = argv[1];
	o.application = "wallet";
	/* wait for the second phase, so that the program can end then */
	o.commit_wait_ms = o.rollback_wait_ms = 10000;
	if (rc == TREATY_OK)
		rc = treaty_open(t, &o);
	if (rc == TREATY_OK)
		rc = treaty_tcc_register(*t, "deduct", &deduct, argv[2]);
	return rc;
}

int main(int argc, char **argv)
{
	struct treaty_tx *tx;
	struct treaty *t;
	int rc;

	if (argc < 4)
		return fprintf(stderr, "tcc ADDRESS FILE SUM [no]\n"), 2;
	if (prepare(&t, argv) || treaty_begin(t, "pay", 10000, &tx))
		return fprintf(stderr, "%s\n", treaty_last_error()), 1;
	rc = treaty_tcc_try(t, "deduct", argv[3], NULL);
	if (rc)
		fprintf(stderr, "%s\n", treaty_last_error());
	if (rc == TREATY_OK && argc == 4)
		rc = treaty_commit(tx);
	else
		(void)treaty_rollback(tx, rc ? "try failed" : "changed mind");
	printf("%s: %s\n", treaty_xid(tx),
	       treaty_status_name(treaty_tx_status(tx)));
	treaty_release(tx);
	treaty_close(t);
	return rc ? 1 : 0;
}
