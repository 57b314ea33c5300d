#include "rm-agent/barrier/barrier_rule.h"
#include "rm-agent/msg/message.h"

/*
 * A local transaction and its message in one call. The one thing that must not
 * happen is to abort the message of a local transaction that may be committed:
 * whatever is not certain is left to the producer's answer.
 */

struct work {
	int (*on_pg)(void *ctx, struct pg_conn *conn);
	int (*on_mysql)(void *ctx, struct st_mysql *conn);
	int (*on_sqlite)(void *ctx, struct sqlite3 *conn);
	void *ctx;
};

static int work(const struct work *w, const struct db *db)
{
	if (w->on_pg)
		return w->on_pg(w->ctx, db_pg(db));
	if (w->on_mysql)
		return w->on_mysql(w->ctx, db_mysql(db));
	return w->on_sqlite(w->ctx, db_sqlite(db));
}

static int db_failed(const struct treaty_msg *m, struct db *db, int rc,
		     const char *what)
{
	return agent_fail(rc, "message %s, %s: %s", treaty_msg_xid(m), what,
			  rc == E_NOMEM ? "out of memory"
					: db_error(db)->message);
}

/* ---- the ends ---- */

/* Drop the message if the local transaction is certainly gone. The text of the
 * thread's last error stays. */
static int give_up(struct treaty_msg *m, struct db *db, int rc)
{
	char why[1024];
	size_t len = strlen(treaty_last_error());

	memcpy(why, treaty_last_error(), len + 1);
	if (db_rollback(db) == OK)
		(void)!treaty_msg_abort(m, "its local transaction was rolled "
					   "back");
	return agent_fail(rc, "%s", why);
}

static int committed(struct treaty_msg *m)
{
	int rc = treaty_msg_submit(m);

	if (rc != E_ROLLED_BACK && rc != E_NOTFOUND)
		return OK;
	return agent_fail(E_CORRUPT,
			  "message %s: the local transaction is committed and "
			  "the coordinator has dropped the message. Does the "
			  "producer answer from this database and barrier "
			  "table, is the barrier purged too early, was the "
			  "coordinator's store lost?",
			  treaty_msg_xid(m));
}

static int commit(struct treaty_msg *m, struct db *db)
{
	int rc = db_commit(db);

	if (rc == OK)
		return committed(m);
	(void)db_failed(m, db, rc, "committing its local transaction");
	return rc == E_UNKNOWN ? rc : give_up(m, db, rc);
}

/* Work that ended the transaction itself may have committed it. */
static int not_ours(const struct treaty_msg *m)
{
	return agent_fail(E_STATE,
			  "message %s: the work has ended the local "
			  "transaction, or the connection is lost; whether it "
			  "is committed is found out by the producer's answer",
			  treaty_msg_xid(m));
}

/* ---- the way ---- */

static int run_work(struct treaty_msg *m, struct db *db, const struct work *w)
{
	int rc;

	agent_error_clear();
	rc = work(w, db);
	if (db_state(db) == DB_IDLE || db_state(db) == DB_GONE)
		return not_ours(m);
	if (rc == OK)
		return commit(m, db);
	if (!treaty_last_error()[0])
		(void)agent_fail(rc,
				 "message %s: the work of its local "
				 "transaction failed with %d",
				 treaty_msg_xid(m), rc);
	return give_up(m, db, rc < 0 ? rc : E_INVALID);
}

static int run(struct treaty_msg *m, struct db *db, const struct work *w)
{
	enum treaty_barrier_verdict verdict = TREATY_BARRIER_RUN;
	const struct treaty_barrier b = message_barrier(m);
	int rc = db_begin(db);

	/* Without a begin the message is still good for another try. */
	if (rc != OK)
		return db_failed(m, db, rc, "beginning its local transaction");
	rc = barrier_call(db, &b, &verdict);
	rc = message_judge(m, rc, verdict);
	return rc == OK ? run_work(m, db, w) : give_up(m, db, rc);
}

static int check(const struct treaty_msg *m, const void *conn, bool work_given)
{
	int rc = message_check(m);

	if (rc != OK)
		return rc;
	if (!conn || !work_given)
		return agent_fail(E_INVALID,
				  "message %s: there is no connection or no "
				  "work",
				  treaty_msg_xid(m));
	if (!m->answered_for)
		return agent_fail(E_STATE,
				  "message %s: it has no producer, so a crash "
				  "between commit and submit would lose it",
				  treaty_msg_xid(m));
	return OK;
}

static int finish(struct treaty_msg *m, int rc, struct db *db,
		  const struct db_error *error, const struct work *w)
{
	if (rc != OK)
		return agent_fail(rc, "message %s: %s", treaty_msg_xid(m),
				  error->message);
	rc = run(m, db, w);
	db_free(db);
	return rc;
}

int treaty_msg_local_pg(struct treaty_msg *m, struct pg_conn *conn,
			int (*on_pg)(void *ctx, struct pg_conn *conn),
			void *ctx)
{
	const struct work w = { .on_pg = on_pg, .ctx = ctx };
	struct db_error error = { 0 };
	struct db *db = NULL;
	int rc = check(m, conn, on_pg != NULL);

	if (rc != OK)
		return rc;
	rc = db_of_pg(&db, &mem_heap, conn, &error);
	return finish(m, rc, db, &error, &w);
}

int treaty_msg_local_mysql(struct treaty_msg *m, struct st_mysql *conn,
			   int (*on_mysql)(void *ctx, struct st_mysql *conn),
			   void *ctx)
{
	const struct work w = { .on_mysql = on_mysql, .ctx = ctx };
	struct db_error error = { 0 };
	struct db *db = NULL;
	int rc = check(m, conn, on_mysql != NULL);

	if (rc != OK)
		return rc;
	rc = db_of_mysql(&db, &mem_heap, conn, &error);
	return finish(m, rc, db, &error, &w);
}

int treaty_msg_local_sqlite(struct treaty_msg *m, struct sqlite3 *conn,
			    int (*on_sqlite)(void *ctx, struct sqlite3 *conn),
			    void *ctx)
{
	const struct work w = { .on_sqlite = on_sqlite, .ctx = ctx };
	struct db_error error = { 0 };
	struct db *db = NULL;
	int rc = check(m, conn, on_sqlite != NULL);

	if (rc != OK)
		return rc;
	rc = db_of_sqlite(&db, &mem_heap, conn, &error);
	return finish(m, rc, db, &error, &w);
}
