#include "rm-agent/db/pg.h"

/* One spelling, exact, UTF-8: for connections of our own. A row that somebody
 * holds for ever must not hold a worker for ever: the coordinator tries again. */
static const char settings[] =
	"SET client_encoding = 'UTF8'; SET datestyle = 'ISO, YMD';"
	"SET intervalstyle = 'postgres'; SET timezone = 'UTC';"
	"SET lc_monetary = 'C'; SET extra_float_digits = 3;"
	"SET bytea_output = 'hex'; SET xmloption = 'content';"
	"SET standard_conforming_strings = on;"
	"SET default_transaction_isolation = 'read committed';"
	"SET default_transaction_read_only = off;"
	"SET default_transaction_deferrable = off; SET lock_timeout = '2s'";

static enum db_state pg_state(struct db *db)
{
	PGconn *conn = pg_of(db)->conn;

	if (PQstatus(conn) == CONNECTION_BAD)
		return DB_GONE;
	if (PQpipelineStatus(conn) != PQ_PIPELINE_OFF)
		return DB_BUSY;
	switch (PQtransactionStatus(conn)) {
	case PQTRANS_IDLE:
		return DB_IDLE;
	case PQTRANS_ACTIVE:
		return DB_BUSY;
	case PQTRANS_INTRANS:
		return DB_IN_TX;
	case PQTRANS_INERROR:
		return DB_FAILED;
	case PQTRANS_UNKNOWN:
		break;
	}
	return DB_GONE;
}

static int pg_refresh(struct db *db)
{
	PGconn *conn = pg_of(db)->conn;
	const char *client = PQparameterStatus(conn, "client_encoding");
	const char *server = PQparameterStatus(conn, "server_encoding");

	/* Without conversion text is what the server stores. */
	if (client && strcmp(client, "SQL_ASCII") == 0 && server)
		client = server;
	if (!client || charset_set(&db->charset, client) != OK)
		return driver_fail(db, E_UNSUPPORTED, DB_OTHER, "", 0,
				   "the session's client_encoding cannot be "
				   "turned into UTF-8 without loss; SET "
				   "client_encoding = 'UTF8'");
	return OK;
}

/* The encoding is reported by the server with each change of it. */
static int checked_exec(struct db *db, const struct db_stmt *stmt,
			struct arena *arena, struct db_result *out)
{
	int rc = pg_refresh(db);

	return rc == OK ? pg_exec(db, stmt, arena, out) : rc;
}

static int checked_exec_all(struct db *db, const struct db_stmt *stmts,
			    size_t n, struct arena *arena,
			    struct db_result *results, size_t *done)
{
	int rc = pg_refresh(db);

	return rc == OK ? pg_exec_all(db, stmts, n, arena, results, done) : rc;
}

static int pg_command(struct db *db, const char *sql)
{
	struct pg_db *p = pg_of(db);
	PGresult *r = PQexecParams(p->conn, sql, 0, NULL, NULL, NULL, NULL, 0);
	ExecStatusType status = PQresultStatus(r);
	int rc = OK;

	if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK &&
	    status != PGRES_EMPTY_QUERY)
		rc = pg_fail(p, r);
	PQclear(r);
	return rc;
}

/*
 * By the command tag: a COMMIT in a failed transaction succeeds with the tag
 * ROLLBACK. An error of the server means that it rolled back, but not one that
 * ends the connection: that may come after the commit record was written.
 */
static int pg_commit(struct db *db)
{
	struct pg_db *p = pg_of(db);
	PGresult *r =
		PQexecParams(p->conn, "COMMIT", 0, NULL, NULL, NULL, NULL, 0);
	int rc;

	if (PQresultStatus(r) != PGRES_COMMAND_OK) {
		rc = pg_fail(p, r);
		if (db->error.class == DB_LOST ||
		    PQstatus(p->conn) == CONNECTION_BAD)
			rc = db->error.err = E_UNKNOWN;
	} else if (strcmp(PQcmdStatus(r), "COMMIT") == 0) {
		rc = OK;
	} else {
		rc = driver_fail(db, E_STATE, DB_ABORTED, "25P02", 0,
				 "the transaction had failed before; COMMIT "
				 "rolled it back");
	}
	PQclear(r);
	return rc;
}

static int pg_identity(struct db *db, struct buf *out)
{
	struct pg_db *p = pg_of(db);
	PGresult *r = PQexecParams(p->conn,
				   "SELECT s.system_identifier::text,"
				   " pg_catalog.current_database()::text"
				   " FROM pg_catalog.pg_control_system() s",
				   0, NULL, NULL, NULL, NULL, 0);
	int rc = OK;

	if (PQresultStatus(r) != PGRES_TUPLES_OK)
		rc = pg_fail(p, r);
	else
		buf_printf(out, "postgresql:%s/%s", PQgetvalue(r, 0, 0),
			   PQgetvalue(r, 0, 1));
	PQclear(r);
	return rc;
}

static int pg_native(struct db *db, const void *result, bool was_in_tx)
{
	(void)was_in_tx;
	return pg_fail(pg_of(db), result);
}

static void pg_close(struct db *db)
{
	struct pg_db *p = pg_of(db);

	if (db->owned)
		PQfinish(p->conn);
	pg_types_clear(p);
	driver_fini(db);
	mem_free(db->mem, p);
}

static const struct driver pg_driver = {
	.dialect = DIALECT_POSTGRES,
	.exec = checked_exec,
	.exec_all = checked_exec_all,
	.command = pg_command,
	.commit = pg_commit,
	.state = pg_state,
	.identity = pg_identity,
	.refresh = pg_refresh,
	.drop = pg_drop,
	.native = pg_native,
	.close = pg_close,
};

/* Out-parameter: with no connection yet. */
static int pg_new(struct pg_db **out, const struct mem *mem)
{
	struct pg_db *p = mem_alloc(mem, sizeof(*p));

	if (!p)
		return E_NOMEM;
	if (map_init(&p->types, mem) != OK) {
		mem_free(mem, p);
		return E_NOMEM;
	}
	if (driver_init(&p->db, &pg_driver, mem) != OK) {
		map_fini(&p->types);
		mem_free(mem, p);
		return E_NOMEM;
	}
	*out = p;
	return OK;
}

int db_of_pg(struct db **out, const struct mem *mem, struct pg_conn *conn,
	     struct db_error *error)
{
	struct pg_db *p;
	int rc = pg_new(&p, mem);

	if (rc != OK)
		return error_set(error, rc, DB_OTHER, "", 0, "out of memory");
	p->conn = conn;
	rc = pg_refresh(&p->db);
	if (rc != OK) {
		if (error)
			*error = p->db.error;
		pg_close(&p->db);
		return rc;
	}
	*out = &p->db;
	return OK;
}

struct pg_conn *db_pg(const struct db *db)
{
	return db->driver == &pg_driver
		       ? CONTAINER_OF(db, struct pg_db, db)->conn
		       : NULL;
}

/* libpq tells why by words only, before there is a session. */
static int connect_failed(PGconn *conn, struct db_error *error)
{
	const char *text = conn ? PQerrorMessage(conn) : "out of memory";
	int err = E_IO;

	if (!conn)
		err = E_NOMEM;
	else if (PQconnectionNeedsPassword(conn) ||
		 PQconnectionUsedPassword(conn) ||
		 strstr(text, "authentication failed") ||
		 strstr(text, "no pg_hba.conf entry"))
		err = E_DENIED;
	else if (strstr(text, "does not exist"))
		err = E_NOTFOUND;
	else if (strstr(text, "invalid") && PQsocket(conn) < 0 &&
		 !strstr(text, "connection to server"))
		err = E_INVALID;
	return error_set(error, err, err == E_DENIED ? DB_PERMISSION : DB_LOST,
			 "", 0, text);
}

/* Nobody reads what would go to stderr otherwise. */
static void ignore_notice(void *arg, const PGresult *result)
{
	(void)arg;
	(void)result;
}

static int set_up(struct pg_db *p)
{
	PGresult *r;
	int rc;

	(void)PQsetNoticeReceiver(p->conn, ignore_notice, NULL);
	r = PQexec(p->conn, settings);
	rc = PQresultStatus(r) == PGRES_COMMAND_OK ? OK : pg_fail(p, r);

	PQclear(r);
	return rc;
}

/* A host that swallows everything is given up; the DSN may say otherwise. */
static PGconn *connect_to(const char *dsn)
{
	static const char *const names[] = {
		"connect_timeout",
		"keepalives_idle",
		"keepalives_interval",
		"keepalives_count",
		"tcp_user_timeout",
		"dbname",
		NULL,
	};
	const char *const values[] = {
		"10", "30", "10", "3", "30000", dsn, NULL
	};

	return PQconnectdbParams(names, values, 1);
}

int pg_open(struct db **out, const struct mem *mem, const char *dsn,
	    struct db_error *error)
{
	PGconn *conn = connect_to(dsn);
	struct db *db;
	int rc;

	if (!conn || PQstatus(conn) != CONNECTION_OK) {
		rc = connect_failed(conn, error);
		PQfinish(conn);
		return rc;
	}
	if (PQsetClientEncoding(conn, "UTF8") != 0) {
		rc = connect_failed(conn, error);
		PQfinish(conn);
		return rc;
	}
	rc = db_of_pg(&db, mem, conn, error);
	if (rc != OK) {
		PQfinish(conn);
		return rc;
	}
	db->owned = true;
	rc = set_up(pg_of(db));
	if (rc != OK) {
		if (error)
			*error = db->error;
		db_free(db);
		return rc;
	}
	*out = db;
	return OK;
}
