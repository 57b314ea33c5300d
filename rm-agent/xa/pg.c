#include "rm-agent/xa/server.h"

#include <libpq-fe.h>

/*
 * PostgreSQL. Judged by command tags: PREPARE TRANSACTION and COMMIT succeed
 * in a failed transaction and mean ROLLBACK.
 */

#define LIST_MAX 10000

/* Run one command; OK only with this tag ("": any). */
static int run(struct db *db, const char *sql, const char *tag)
{
	PGconn *conn = db_pg(db);
	PGresult *r = PQexec(conn, sql);
	ExecStatusType status = PQresultStatus(r);
	int rc = OK;

	if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) {
		rc = db_native_error(db, r, true);
		if (db_error(db)->class == DB_LOST ||
		    PQstatus(conn) == CONNECTION_BAD)
			rc = E_UNKNOWN;
	} else if (tag[0] && strcmp(PQcmdStatus(r), tag) != 0) {
		rc = E_ROLLED_BACK;
	}
	PQclear(r);
	return rc;
}

static int run_on(struct db *db, const char *verb, const struct xa_gid *gid,
		  const char *tag)
{
	struct buf sql;
	int rc;

	buf_init(&sql, &mem_heap);
	buf_printf(&sql, "%s '", verb);
	xa_gid_put_text(&sql, gid);
	buf_put_char(&sql, '\'');
	rc = buf_error(&sql);
	if (rc == OK)
		rc = run(db, buf_text(&sql), tag);
	buf_fini(&sql);
	return rc;
}

static int session(struct db *db, uint64_t *out)
{
	*out = (uint64_t)PQbackendPID(db_pg(db));
	return OK;
}

/* A backend that waits for a lock must notice that its client died: else it
 * goes on and prepares long after everybody gave it up. */
static int begin(struct db *db, const struct xa_gid *gid, bool read_only)
{
	const bool checks = PQserverVersion(db_pg(db)) >= 140000;
	struct buf sql;
	int rc;

	(void)gid;
	buf_init(&sql, &mem_heap);
	buf_put_text(&sql, read_only ? "BEGIN READ ONLY" : "BEGIN");
	if (checks)
		buf_put_text(&sql, "; SET LOCAL client_connection_check_"
				   "interval = '2s'");
	rc = buf_error(&sql);
	if (rc == OK)
		rc = run(db, buf_text(&sql), checks ? "SET" : "BEGIN");
	buf_fini(&sql);
	return rc;
}

static int mark(struct db *db, const struct xa_gid *gid, struct xa_mark *m,
		bool *wrote)
{
	PGresult *r =
		PQexec(db_pg(db), "SELECT pg_catalog.pg_current_xact_id_if_"
				  "assigned()::text");
	int rc = OK;

	(void)gid;
	if (PQresultStatus(r) != PGRES_TUPLES_OK) {
		rc = db_native_error(db, r, true);
	} else {
		*wrote = !PQgetisnull(r, 0, 0);
		memset(m->xact, 0, sizeof m->xact);
		memcpy(m->xact, PQgetvalue(r, 0, 0),
		       strnlen(PQgetvalue(r, 0, 0), sizeof m->xact - 1));
	}
	PQclear(r);
	return rc;
}

static int prepare(struct db *db, const struct xa_gid *gid)
{
	return run_on(db, "PREPARE TRANSACTION", gid, "PREPARE TRANSACTION");
}

static int commit(struct db *db, const struct xa_gid *gid)
{
	(void)gid;
	return run(db, "COMMIT", "COMMIT");
}

static int undo(struct db *db, const struct xa_gid *gid)
{
	(void)gid;
	if (PQtransactionStatus(db_pg(db)) == PQTRANS_IDLE ||
	    PQstatus(db_pg(db)) == CONNECTION_BAD)
		return OK;
	return run(db, "ROLLBACK", "ROLLBACK");
}

static int finish(struct db *db, const struct xa_gid *gid, bool yes,
		  enum xa_answer *answer)
{
	int rc;

	if (db_state(db) != DB_IDLE)
		return E_STATE;
	rc = yes ? run_on(db, "COMMIT PREPARED", gid, "COMMIT PREPARED")
		 : run_on(db, "ROLLBACK PREPARED", gid, "ROLLBACK PREPARED");
	if (rc == OK)
		*answer = XA_ANSWER_DONE;
	else if (rc != E_UNKNOWN &&
		 strcmp(db_error(db)->sqlstate, "42704") == 0)
		*answer = XA_ANSWER_NOTA;
	else
		return rc;
	return OK;
}

static int listed(struct db *db, const struct xa_gid *gid, bool *out)
{
	const char *n[1];
	struct arena arena;
	struct buf sql;
	int rc;

	arena_init(&arena, &mem_heap, 0);
	buf_init(&sql, &arena.as_mem);
	buf_put_text(&sql, "SELECT count(*)::text FROM "
			   "pg_catalog.pg_prepared_xacts WHERE database = "
			   "current_database() AND gid = '");
	xa_gid_put_text(&sql, gid);
	buf_put_char(&sql, '\'');
	rc = buf_error(&sql);
	if (rc == OK)
		rc = xa_row(db, buf_text(&sql), &arena, n, 1);
	if (rc == OK)
		*out = strcmp(n[0], "0") != 0;
	arena_fini(&arena);
	return rc;
}

static int trace(struct db *db, const struct xa_gid *gid,
		 const struct xa_mark *m, enum xa_trace *out)
{
	const char *status[1];
	struct arena arena;
	struct buf sql;
	int rc;

	(void)gid;
	*out = XA_TRACE_NONE;
	if (!m->xact[0])
		return OK;
	arena_init(&arena, &mem_heap, 0);
	buf_init(&sql, &arena.as_mem);
	/* An id from after a restore from a backup is an error: no trace. */
	buf_printf(&sql,
		   "SELECT CASE WHEN '%s'::xid8 < pg_catalog.pg_snapshot_xmax("
		   "pg_catalog.pg_current_snapshot()) THEN "
		   "pg_catalog.pg_xact_status('%s'::xid8) END",
		   m->xact, m->xact);
	rc = buf_error(&sql);
	if (rc == OK)
		rc = xa_row(db, buf_text(&sql), &arena, status, 1);
	if (rc == OK && strcmp(status[0], "committed") == 0)
		*out = XA_TRACE_COMMITTED;
	else if (rc == OK && strcmp(status[0], "aborted") == 0)
		*out = XA_TRACE_ABORTED;
	else if (rc == OK && strcmp(status[0], "in progress") == 0)
		*out = XA_TRACE_OPEN;
	arena_fini(&arena);
	return rc;
}

static int session_gone(struct db *db, uint64_t id, bool *gone)
{
	(void)db;
	(void)id;
	*gone = true; /* a prepared transaction belongs to no session */
	return OK;
}

static int evict(struct db *db, uint64_t id)
{
	(void)db;
	(void)id;
	return OK;
}

static int list(struct db *db, struct arena *arena, struct xa_gid **out,
		size_t *n)
{
	struct db_stmt stmt = { 0 };
	struct db_result r;
	struct buf sql;
	int rc;

	buf_init(&sql, &arena->as_mem);
	buf_printf(&sql,
		   "SELECT gid FROM pg_catalog.pg_prepared_xacts WHERE "
		   "database = current_database() AND starts_with(gid, '%d_') "
		   "ORDER BY prepared LIMIT %d",
		   XA_FORMAT, LIST_MAX);
	rc = buf_error(&sql);
	stmt.sql = buf_bytes(&sql);
	if (rc == OK)
		rc = db_exec(db, &stmt, arena, &r);
	if (rc != OK)
		return rc;
	*n = 0;
	*out = arena_array(arena, r.n_rows + 1, sizeof **out);
	if (!*out)
		return E_NOMEM;
	for (size_t i = 0; i < r.n_rows; i++)
		*n += xa_gid_of_text(&(*out)[*n], db_value(&r, i, 0).data) ==
		      OK;
	return OK;
}

static int purge(struct db *db, const struct xa_mark *m, uint32_t days,
		 size_t *n)
{
	(void)db;
	(void)m;
	(void)days;
	*n = 0;
	return OK;
}

/* It only ever runs short commands; the client must not wait for ever. */
static int set_up(struct db *db)
{
	int rc = run(db, "SET statement_timeout = '30s'", "SET");

	if (rc == OK)
		rc = run(db, "SET tcp_user_timeout = '30s'", "SET");
	return rc;
}

const struct xa_server xa_pg = {
	.session = session,
	.begin = begin,
	.mark = mark,
	.prepare = prepare,
	.commit = commit,
	.undo = undo,
	.finish = finish,
	.listed = listed,
	.trace = trace,
	.session_gone = session_gone,
	.evict = evict,
	.list = list,
	.purge = purge,
	.set_up = set_up,
};
