#include "rm-agent/db/my.h"

/* Exact writes: an instant is UTC, text is UTF-8, a value that does not fit is
 * an error, and what was stored before (zero dates, an id of 0) is accepted. A
 * row or table that somebody holds must not hold a worker for long: the
 * coordinator tries again. */
static const char settings[] =
	"SET SESSION time_zone = '+00:00', autocommit = 1,"
	" innodb_lock_wait_timeout = 2, lock_wait_timeout = 2,"
	" sql_mode = 'STRICT_ALL_TABLES,ALLOW_INVALID_DATES,"
	"NO_AUTO_VALUE_ON_ZERO,NO_ENGINE_SUBSTITUTION'";

static enum db_state my_state(struct db *db)
{
	struct my_db *m = my_of(db);
	unsigned status = m->conn->server_status;

	if (m->lost || !m->conn->net.pvio)
		return DB_GONE;
	if (m->conn->status != MYSQL_STATUS_READY ||
	    mysql_more_results(m->conn))
		return DB_BUSY;
	if (m->failed)
		return DB_FAILED;
	return status & SERVER_STATUS_IN_TRANS ? DB_IN_TX : DB_IDLE;
}

static bool my_autocommit(struct db *db)
{
	return (my_of(db)->conn->server_status & SERVER_STATUS_AUTOCOMMIT) != 0;
}

static int set_charset(struct charset *c, const char *name)
{
	/* character_set_results = NULL: text as it is stored */
	if (!name)
		name = "binary";
	return charset_set(c,
			   strcmp(name, "latin1") == 0 ? "mysql:latin1" : name);
}

static int use_settings(struct my_db *m, MYSQL_RES *rows)
{
	MYSQL_ROW row = rows ? mysql_fetch_row(rows) : NULL;

	if (!row)
		return my_fail(m, mysql_errno(m->conn), mysql_sqlstate(m->conn),
			       mysql_error(m->conn));
	m->rollback_on_timeout = row[2] && *row[2] == '1';
	if (set_charset(&m->db.charset, row[0]) == OK &&
	    set_charset(&m->results, row[1]) == OK)
		return OK;
	return driver_fail(&m->db, E_UNSUPPORTED, DB_OTHER, "", 0,
			   "the session's character set cannot be turned into "
			   "UTF-8 without loss; SET NAMES utf8mb4");
}

static int my_refresh(struct db *db)
{
	static const char sql[] = "SELECT @@character_set_client,"
				  " @@character_set_results,"
				  " @@innodb_rollback_on_timeout";
	struct my_db *m = my_of(db);
	MYSQL_RES *rows;
	int rc;

	if (mysql_real_query(m->conn, sql, sizeof(sql) - 1))
		return my_fail(m, mysql_errno(m->conn), mysql_sqlstate(m->conn),
			       mysql_error(m->conn));
	rows = mysql_store_result(m->conn);
	rc = use_settings(m, rows);
	mysql_free_result(rows);
	return rc;
}

static int command(struct db *db, const char *sql)
{
	struct my_db *m = my_of(db);
	int rc = my_command(db, sql);

	if (rc == OK && strcmp(sql, "ROLLBACK") == 0)
		m->failed = false;
	return rc;
}

static int my_commit(struct db *db)
{
	struct my_db *m = my_of(db);
	struct db_error why;
	int rc;

	if (m->failed) {
		rc = command(db, "ROLLBACK");
		return rc != OK ? rc
				: driver_fail(db, E_STATE, DB_ABORTED, "", 0,
					      "the server had rolled back the "
					      "transaction before COMMIT");
	}
	rc = my_command(db, "COMMIT");
	if (rc == OK)
		return OK;
	why = db->error;
	if (!my_surely_rolled_back(why.class)) {
		/* Lost, or an error in the midst of committing. */
		why.err = E_UNKNOWN;
		m->lost = true;
	} else {
		(void)command(db, "ROLLBACK");
	}
	db->error = why;
	return why.err;
}

/* MariaDB's server_uid (of 10.6.11 on) or MySQL's server_uuid; for others the
 * host's name and port. */
static int my_identity(struct db *db, struct buf *out)
{
	static const char *const ids[] = {
		"@@server_uid",
		"@@server_uuid",
		"CONCAT(@@hostname, ':', @@port, ':', @@server_id)",
	};
	struct my_db *m = my_of(db);

	for (size_t i = 0; i < ARRAY_LEN(ids); i++) {
		const unsigned no_such_variable = 1193;
		MYSQL_RES *rows;
		MYSQL_ROW row;
		struct buf sql;
		int failed;

		buf_init(&sql, db->mem);
		buf_printf(&sql, "SELECT %s, DATABASE()", ids[i]);
		failed = mysql_query(m->conn, buf_text(&sql));
		buf_fini(&sql);
		if (failed && mysql_errno(m->conn) == no_such_variable)
			continue;
		if (failed)
			break;
		rows = mysql_store_result(m->conn);
		row = rows ? mysql_fetch_row(rows) : NULL;
		if (row)
			buf_printf(out, "mysql:%s/%s", row[0] ? row[0] : "",
				   row[1] ? row[1] : "");
		mysql_free_result(rows);
		if (row)
			return OK;
	}
	return my_fail(m, mysql_errno(m->conn), mysql_sqlstate(m->conn),
		       mysql_error(m->conn));
}

static int my_native(struct db *db, const void *result, bool was_in_tx)
{
	struct my_db *m = my_of(db);

	(void)result;
	(void)was_in_tx;
	return my_fail(m, mysql_errno(m->conn), mysql_sqlstate(m->conn),
		       mysql_error(m->conn));
}

static void my_close(struct db *db)
{
	struct my_db *m = my_of(db);

	if (db->owned)
		mysql_close(m->conn);
	charset_fini(&m->results);
	driver_fini(db);
	mem_free(db->mem, m);
}

static const struct driver my_driver = {
	.dialect = DIALECT_MYSQL,
	.exec = my_exec,
	.command = command,
	.commit = my_commit,
	.state = my_state,
	.autocommit = my_autocommit,
	.identity = my_identity,
	.refresh = my_refresh,
	.drop = my_drop,
	.native = my_native,
	.close = my_close,
};

int db_of_mysql(struct db **out, const struct mem *mem, struct st_mysql *conn,
		struct db_error *error)
{
	my_bool reconnect = 0;
	struct my_db *m;

	(void)mysql_get_option(conn, MYSQL_OPT_RECONNECT, &reconnect);
	if (reconnect)
		return error_set(error, E_UNSUPPORTED, DB_OTHER, "", 0,
				 "MYSQL_OPT_RECONNECT is on: a lost "
				 "transaction would go unnoticed; turn it off");
	m = mem_alloc(mem, sizeof(*m));
	if (!m || driver_init(&m->db, &my_driver, mem) != OK) {
		mem_free(mem, m);
		return error_set(error, E_NOMEM, DB_OTHER, "", 0,
				 "out of memory");
	}
	m->conn = conn;
	m->db.mariadb = mariadb_connection(conn);
	m->db.stale = true;
	*out = &m->db;
	return OK;
}

struct st_mysql *db_mysql(const struct db *db)
{
	return db->driver == &my_driver
		       ? CONTAINER_OF(db, struct my_db, db)->conn
		       : NULL;
}

static int connect_to(MYSQL *conn, const struct my_dsn *d,
		      struct db_error *error)
{
	unsigned int no = 0, connect_s = 10, silent_s = 60;

	(void)mysql_options(conn, MYSQL_OPT_CONNECT_TIMEOUT, &connect_s);
	(void)mysql_options(conn, MYSQL_OPT_READ_TIMEOUT, &silent_s);
	(void)mysql_options(conn, MYSQL_OPT_WRITE_TIMEOUT, &silent_s);
	(void)mysql_options(conn, MYSQL_SET_CHARSET_NAME, "utf8mb4");
	(void)mysql_options(conn, MYSQL_OPT_LOCAL_INFILE, &no);
	if (!mysql_real_connect(conn, d->host, d->user, d->password,
				d->database, d->port, d->socket,
				CLIENT_FOUND_ROWS))
		return my_connect_failed(conn, error);
	if (mysql_real_query(conn, settings, sizeof(settings) - 1))
		return my_connect_failed(conn, error);
	return OK;
}

int my_open(struct db **out, const struct mem *mem, const char *dsn,
	    struct db_error *error)
{
	struct arena arena;
	struct my_dsn d;
	MYSQL *conn;
	int rc;

	arena_init(&arena, mem, 1024);
	rc = my_dsn_parse(&arena, dsn, &d);
	if (rc != OK) {
		arena_fini(&arena);
		return error_set(error, rc, DB_OTHER, "", 0,
				 "expected mysql://user:password@host:port/"
				 "database?socket=/path");
	}
	conn = mysql_init(NULL);
	rc = conn ? connect_to(conn, &d, error)
		  : error_set(error, E_NOMEM, DB_OTHER, "", 0, "out of memory");
	arena_fini(&arena);
	if (rc == OK)
		rc = db_of_mysql(out, mem, conn, error);
	if (rc == OK)
		(*out)->owned = true;
	else if (conn)
		mysql_close(conn);
	return rc;
}
