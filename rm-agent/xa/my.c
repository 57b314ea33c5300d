#include "rm-agent/db/my.h"

#include "rm-agent/xa/server.h"

#include <stdlib.h>

/*
 * MySQL and MariaDB. A prepared branch belongs to its session while that
 * lives; then it can be finished by any other, but MariaDB may answer OK and
 * do nothing when the two meet. So each branch writes a row, and whether that
 * row is there decides, not the answer.
 */

enum {
	ER_LOCK_WAIT = 1205,
	ER_DEADLOCKED = 1213,
	ER_NOTA = 1397,
	ER_RBROLLBACK = 1402,
	ER_RBTIMEOUT = 1613,
	ER_RBDEADLOCK = 1614,
	ER_NOWAIT = 3572,
};

static int failed(struct db *db)
{
	int rc = db_native_error(db, NULL, true);

	return db_error(db)->class == DB_LOST ? E_UNKNOWN : rc;
}

static int run(struct db *db, const char *sql)
{
	MYSQL *conn = db_mysql(db);
	MYSQL_RES *rows;

	if (mysql_real_query(conn, sql, (unsigned long)strlen(sql)))
		return failed(db);
	rows = mysql_store_result(conn);
	if (rows)
		mysql_free_result(rows);
	return OK;
}

static int run_on(struct db *db, const char *verb, const struct xa_gid *gid,
		  const char *tail)
{
	struct buf sql;
	int rc;

	buf_init(&sql, &mem_heap);
	buf_printf(&sql, "XA %s ", verb);
	xa_gid_put_parts(&sql, gid);
	buf_put_text(&sql, tail);
	rc = buf_error(&sql);
	if (rc == OK)
		rc = run(db, buf_text(&sql));
	buf_fini(&sql);
	return rc;
}

/* When the server was started, in seconds: thread ids begin anew then. The
 * difference is exact to a second, whatever the clock does meanwhile. */
static int started(struct db *db, uint64_t *out)
{
	static const char *const sql[] = {
		"SELECT UNIX_TIMESTAMP() - VARIABLE_VALUE FROM "
		"information_schema.GLOBAL_STATUS WHERE VARIABLE_NAME = "
		"'UPTIME'",
		"SELECT UNIX_TIMESTAMP() - VARIABLE_VALUE FROM "
		"performance_schema.global_status WHERE VARIABLE_NAME = "
		"'Uptime'",
	};
	int rc = E_IO;

	for (size_t i = 0; i < ARRAY_LEN(sql) && rc != OK; i++) {
		MYSQL_RES *rows;
		MYSQL_ROW row;

		if (mysql_query(db_mysql(db), sql[i])) {
			rc = failed(db);
			continue;
		}
		rows = mysql_store_result(db_mysql(db));
		row = rows ? mysql_fetch_row(rows) : NULL;
		rc = row && row[0] ? OK : E_IO;
		if (rc == OK)
			*out = strtoull(row[0], NULL, 10);
		mysql_free_result(rows);
	}
	return rc;
}

static int session(struct db *db, uint64_t *out)
{
	uint64_t start = 0;
	int rc = started(db, &start);

	*out = start << 32 | (mysql_thread_id(db_mysql(db)) & 0xffffffffu);
	return rc;
}

static int begin(struct db *db, const struct xa_gid *gid, bool read_only)
{
	int rc = OK;

	my_of(db)->failed = false;
	if (read_only)
		rc = run(db, "SET TRANSACTION READ ONLY");
	return rc == OK ? run_on(db, "START", gid, "") : rc;
}

static int mark(struct db *db, const struct xa_gid *gid, struct xa_mark *m,
		bool *wrote)
{
	struct buf sql;
	int rc;

	*wrote = true;
	buf_init(&sql, &mem_heap);
	buf_printf(&sql, "INSERT INTO %s (gtrid, bqual) VALUES (", m->table);
	xa_gid_put_hex(&sql, gid->gtrid);
	buf_put_char(&sql, ',');
	xa_gid_put_hex(&sql, gid->bqual);
	buf_put_char(&sql, ')');
	rc = buf_error(&sql);
	if (rc == OK)
		rc = run(db, buf_text(&sql));
	buf_fini(&sql);
	return rc;
}

/* Whatever state the branch is in; nothing may be left. */
static int undo(struct db *db, const struct xa_gid *gid)
{
	struct db_error why = my_of(db)->db.error;
	int rc;

	if (db_state(db) == DB_GONE)
		return OK;
	(void)!run_on(db, "END", gid, "");
	rc = run_on(db, "ROLLBACK", gid, "");
	if (rc != OK && db_error(db)->native == ER_NOTA)
		rc = OK;
	my_of(db)->failed = false;
	if (rc == OK)
		my_of(db)->db.error = why;
	return rc;
}

static int prepare(struct db *db, const struct xa_gid *gid)
{
	int rc = run_on(db, "END", gid, "");

	return rc == OK ? run_on(db, "PREPARE", gid, "") : rc;
}

static int commit(struct db *db, const struct xa_gid *gid)
{
	int rc = run_on(db, "END", gid, "");

	return rc == OK ? run_on(db, "COMMIT", gid, " ONE PHASE") : rc;
}

static int finish(struct db *db, const struct xa_gid *gid, bool yes,
		  enum xa_answer *answer)
{
	int rc = run_on(db, yes ? "COMMIT" : "ROLLBACK", gid, "");

	my_of(db)->failed = false;
	if (rc == OK) {
		*answer = XA_ANSWER_DONE;
		return OK;
	}
	switch (rc == E_UNKNOWN ? 0 : db_error(db)->native) {
	case ER_NOTA:
	case ER_RBROLLBACK:
	case ER_RBTIMEOUT:
	case ER_RBDEADLOCK:
		*answer = XA_ANSWER_NOTA;
		return OK;
	default:
		return rc;
	}
}

/* ---- looking ---- */

static bool gid_of_row(struct xa_gid *out, MYSQL_ROW row,
		       const unsigned long *len)
{
	unsigned long g = row[1] ? strtoul(row[1], NULL, 10) : 0;
	unsigned long b = row[2] ? strtoul(row[2], NULL, 10) : 0;
	const uint8_t *data = (const uint8_t *)row[3];

	return row[0] && row[3] && g <= XA_PART_MAX && b <= XA_PART_MAX &&
	       len[3] == g + b &&
	       xa_gid_of_parts(out, strtoull(row[0], NULL, 10),
			       (struct bytes){ data, g },
			       (struct bytes){ data + g, b }) == OK;
}

/* Plain XA RECOVER: raw bytes and two lengths, which needs no quoting and is
 * the same on both. */
static int list(struct db *db, struct arena *arena, struct xa_gid **out,
		size_t *n)
{
	MYSQL *conn = db_mysql(db);
	MYSQL_RES *rows;
	MYSQL_ROW row;

	*n = 0;
	if (mysql_query(conn, "XA RECOVER"))
		return failed(db);
	rows = mysql_store_result(conn);
	if (!rows)
		return failed(db);
	*out = arena_array(arena, (size_t)mysql_num_rows(rows) + 1,
			   sizeof **out);
	while (*out && (row = mysql_fetch_row(rows)))
		*n += gid_of_row(&(*out)[*n], row, mysql_fetch_lengths(rows));
	mysql_free_result(rows);
	return *out ? OK : E_NOMEM;
}

static int listed(struct db *db, const struct xa_gid *gid, bool *out)
{
	struct arena arena;
	struct xa_gid *all;
	size_t n;
	int rc;

	arena_init(&arena, &mem_heap, 0);
	rc = list(db, &arena, &all, &n);
	*out = false;
	for (size_t i = 0; rc == OK && i < n; i++)
		*out = *out || xa_gid_equal(&all[i], gid);
	arena_fini(&arena);
	return rc;
}

/* *found: the row is there and committed. */
static int row_is_there(struct db *db, const struct xa_gid *gid,
			const struct xa_mark *m, const char *tail, bool *found)
{
	MYSQL *conn = db_mysql(db);
	MYSQL_RES *rows;
	struct buf sql;
	int rc;

	buf_init(&sql, &mem_heap);
	buf_printf(&sql, "SELECT 1 FROM %s WHERE gtrid = ", m->table);
	xa_gid_put_hex(&sql, gid->gtrid);
	buf_put_text(&sql, " AND bqual = ");
	xa_gid_put_hex(&sql, gid->bqual);
	buf_put_text(&sql, tail);
	rc = buf_error(&sql);
	if (rc == OK && mysql_query(conn, buf_text(&sql)))
		rc = failed(db);
	buf_fini(&sql);
	if (rc != OK)
		return rc;
	rows = mysql_store_result(conn);
	if (!rows)
		return failed(db);
	*found = mysql_num_rows(rows) > 0;
	mysql_free_result(rows);
	return OK;
}

static int trace(struct db *db, const struct xa_gid *gid,
		 const struct xa_mark *m, enum xa_trace *out)
{
	bool found = false;
	int rc = row_is_there(db, gid, m, "", &found), native;

	if (rc == OK && !found)
		rc = row_is_there(db, gid, m, " FOR UPDATE NOWAIT", &found);
	native = db_error(db)->native;
	if (rc != OK && rc != E_UNKNOWN &&
	    (native == ER_LOCK_WAIT || native == ER_NOWAIT ||
	     native == ER_DEADLOCKED)) {
		my_of(db)->failed = false;
		*out = XA_TRACE_OPEN;
		return OK;
	}
	*out = found ? XA_TRACE_COMMITTED : XA_TRACE_ABORTED;
	return rc;
}

static int session_gone(struct db *db, uint64_t id, bool *gone)
{
	const char *n[1];
	struct arena arena;
	struct buf sql;
	uint64_t start = 0;
	int rc = started(db, &start);

	*gone = rc == OK && start > (id >> 32) + 1;
	if (rc != OK || *gone)
		return rc;
	id &= 0xffffffffu;
	arena_init(&arena, &mem_heap, 0);
	buf_init(&sql, &arena.as_mem);
	buf_printf(&sql,
		   "SELECT (SELECT COUNT(*) FROM information_schema.innodb_trx "
		   "WHERE trx_mysql_thread_id = %llu) + ",
		   (unsigned long long)id);
	buf_printf(&sql,
		   "(SELECT COUNT(*) FROM information_schema.processlist "
		   "WHERE id = %llu)",
		   (unsigned long long)id);
	rc = buf_error(&sql);
	if (rc == OK)
		rc = xa_row(db, buf_text(&sql), &arena, n, 1);
	if (rc == OK)
		*gone = strcmp(n[0], "0") == 0;
	arena_fini(&arena);
	return rc;
}

static int evict(struct db *db, uint64_t id)
{
	const int no_such_thread = 1094;
	struct buf sql;
	int rc;

	buf_init(&sql, &mem_heap);
	buf_printf(&sql, "KILL %llu", (unsigned long long)(id & 0xffffffffu));
	rc = buf_error(&sql);
	if (rc == OK)
		rc = run(db, buf_text(&sql));
	buf_fini(&sql);
	if (rc != OK && db_error(db)->native == no_such_thread)
		rc = OK;
	return rc;
}

static int purge(struct db *db, const struct xa_mark *m, uint32_t days,
		 size_t *n)
{
	struct buf sql;
	int rc;

	buf_init(&sql, &mem_heap);
	buf_printf(&sql,
		   "DELETE FROM %s WHERE written < NOW() - INTERVAL %u DAY "
		   "LIMIT 1000",
		   m->table, (unsigned)days);
	rc = buf_error(&sql);
	if (rc == OK)
		rc = run(db, buf_text(&sql));
	buf_fini(&sql);
	*n = rc == OK ? (size_t)mysql_affected_rows(db_mysql(db)) : 0;
	return rc;
}

/* Nothing that it looks at may make it wait, or lock more than a row. */
static int set_up(struct db *db)
{
	int rc = run(db, "SET SESSION innodb_lock_wait_timeout = 2");

	if (rc == OK)
		rc = run(db, "SET SESSION TRANSACTION ISOLATION LEVEL READ "
			     "COMMITTED");
	return rc;
}

const struct xa_server xa_my = {
	.session = session,
	.begin = begin,
	.mark = mark,
	.prepare = prepare,
	.commit = commit,
	.undo = undo,
	.finish = finish,
	.listed = listed,
	.trace = trace,
	.verify = true,
	.pinned = true,
	.session_gone = session_gone,
	.evict = evict,
	.list = list,
	.purge = purge,
	.set_up = set_up,
};
