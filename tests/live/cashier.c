#include "tests/live/cashier.h"

#include "base/buf.h"
#include "rm-agent/db/my.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <libpq-fe.h>
#include <mysql.h>
#include <sqlite3.h>

/* Threads of a test can't use cmocka's jumps; a broken promise ends it all. */
static void must(int rc, const char *what, const char *why)
{
	if (rc == OK)
		return;
	print_error("%s: %s: %s\n", what, err_name(rc), why);
	REQUIRE(rc == OK);
}

const char *cashier_kind_name(enum cashier_kind kind)
{
	static const char *const names[] = { "postgresql", "mariadb",
					     "sqlite" };

	return names[kind];
}

static void open_pg(struct cashier *t, const char *dsn)
{
	struct db_error error = { 0 };
	PGconn *conn = PQconnectdb(dsn);

	if (PQstatus(conn) != CONNECTION_OK)
		must(E_IO, dsn, PQerrorMessage(conn));
	must(db_of_pg(&t->db, &mem_heap, conn, &error), dsn, error.message);
	t->native = conn;
}

static void open_mysql(struct cashier *t, const char *dsn)
{
	MYSQL *conn = mysql_init(NULL);
	struct db_error error = { 0 };
	struct arena arena;
	struct my_dsn d;

	arena_init(&arena, &mem_heap, 0);
	must(my_dsn_parse(&arena, dsn, &d), "dsn", dsn);
	if (!mysql_real_connect(conn, d.host, d.user, d.password, d.database,
				d.port, d.socket, 0))
		must(E_IO, dsn, mysql_error(conn));
	arena_fini(&arena);
	must(db_of_mysql(&t->db, &mem_heap, conn, &error), dsn, error.message);
	t->native = conn;
}

static void open_sqlite(struct cashier *t, const char *dsn)
{
	struct db_error error = { 0 };
	sqlite3 *conn;

	must(sqlite3_open(dsn + strlen("sqlite:"), &conn) == SQLITE_OK ? OK
								       : E_IO,
	     dsn, "sqlite3_open");
	sqlite3_busy_timeout(conn, 20000);
	must(db_of_sqlite(&t->db, &mem_heap, conn, &error), dsn, error.message);
	t->native = conn;
}

void cashier_open(struct cashier *t, enum cashier_kind kind, const char *dsn)
{
	*t = (struct cashier){ .kind = kind };
	if (kind == CASHIER_PG)
		open_pg(t, dsn);
	else if (kind == CASHIER_MYSQL)
		open_mysql(t, dsn);
	else
		open_sqlite(t, dsn);
}

void cashier_close(struct cashier *t)
{
	db_free(t->db);
	if (t->kind == CASHIER_PG)
		PQfinish(t->native);
	else if (t->kind == CASHIER_MYSQL)
		mysql_close(t->native);
	else
		(void)sqlite3_close(t->native);
	*t = (struct cashier){ 0 };
}

/* ---- SQL ---- */

static int run(struct cashier *t, const char *sql, int64_t *number)
{
	struct db_stmt stmt = { .sql = bytes_of(sql) };
	struct db_result r;
	struct arena arena;
	char text[32] = "";
	int rc;

	arena_init(&arena, &mem_heap, 0);
	rc = db_exec(t->db, &stmt, &arena, &r);
	t->affected = rc == OK ? r.affected : 0;
	if (rc == OK && number) {
		REQUIRE(r.n_rows == 1 && r.n_columns == 1);
		REQUIRE(db_value(&r, 0, 0).data.len < sizeof text);
		memcpy(text, db_value(&r, 0, 0).data.data,
		       db_value(&r, 0, 0).data.len);
		*number = strtoimax(text, NULL, 10);
	}
	arena_fini(&arena);
	return rc;
}

int cashier_sql(struct cashier *t, const char *fmt, ...)
{
	struct buf sql;
	va_list args;
	int rc;

	buf_init(&sql, &mem_heap);
	va_start(args, fmt);
	buf_vprintf(&sql, fmt, args);
	va_end(args);
	rc = run(t, buf_text(&sql), NULL);
	buf_fini(&sql);
	return rc;
}

int64_t cashier_number(struct cashier *t, const char *fmt, ...)
{
	int64_t number = 0;
	struct buf sql;
	va_list args;

	buf_init(&sql, &mem_heap);
	va_start(args, fmt);
	buf_vprintf(&sql, fmt, args);
	va_end(args);
	must(run(t, buf_text(&sql), &number), buf_text(&sql),
	     db_error(t->db)->message);
	buf_fini(&sql);
	return number;
}

int64_t cashier_balance(struct cashier *t, int row)
{
	return cashier_number(t, "SELECT balance FROM wallet WHERE id = %d",
			      row);
}

int64_t cashier_frozen(struct cashier *t, int row)
{
	return cashier_number(t, "SELECT frozen FROM wallet WHERE id = %d",
			      row);
}

void cashier_tables(struct cashier *t)
{
	must(cashier_sql(t, "DROP TABLE IF EXISTS wallet"), "drop wallet",
	     db_error(t->db)->message);
	must(cashier_sql(t, "DROP TABLE IF EXISTS barrier"), "drop barrier",
	     db_error(t->db)->message);
	must(cashier_sql(t, "CREATE TABLE wallet (id integer PRIMARY KEY,"
			    " balance bigint NOT NULL,"
			    " frozen bigint NOT NULL)"),
	     "create wallet", db_error(t->db)->message);
	for (int i = 0; i < WALLET_ROWS; i++)
		must(cashier_sql(t, "INSERT INTO wallet VALUES (%d, %d, 0)", i,
				 WALLET_START),
		     "insert", db_error(t->db)->message);
	must(cashier_create(t, NULL), "create barrier", treaty_last_error());
}

/* ---- local transactions ---- */

int cashier_begin(struct cashier *t)
{
	return db_begin(t->db);
}

int cashier_commit(struct cashier *t)
{
	return db_commit(t->db);
}

void cashier_rollback(struct cashier *t)
{
	must(db_rollback(t->db), "rollback", db_error(t->db)->message);
}

/* ---- the barrier ---- */

int cashier_barrier(struct cashier *t, const struct treaty_barrier *b,
		    enum treaty_barrier_verdict *verdict)
{
	if (t->kind == CASHIER_PG)
		return treaty_barrier_call_pg(t->native, b, verdict);
	if (t->kind == CASHIER_MYSQL)
		return treaty_barrier_call_mysql(t->native, b, verdict);
	return treaty_barrier_call_sqlite(t->native, b, verdict);
}

int cashier_query(struct cashier *t, const char *gid, enum treaty_prepared *out)
{
	if (t->kind == CASHIER_PG)
		return treaty_barrier_query_prepared_pg(t->native, NULL, gid,
							out);
	if (t->kind == CASHIER_MYSQL)
		return treaty_barrier_query_prepared_mysql(t->native, NULL, gid,
							   out);
	return treaty_barrier_query_prepared_sqlite(t->native, NULL, gid, out);
}

int cashier_create(struct cashier *t, const char *table)
{
	if (t->kind == CASHIER_PG)
		return treaty_barrier_create_pg(t->native, table);
	if (t->kind == CASHIER_MYSQL)
		return treaty_barrier_create_mysql(t->native, table);
	return treaty_barrier_create_sqlite(t->native, table);
}

int cashier_purge(struct cashier *t, uint64_t older_than_s, uint32_t rows_max,
		  uint64_t *n)
{
	if (t->kind == CASHIER_PG)
		return treaty_barrier_purge_pg(t->native, NULL, older_than_s,
					       rows_max, n);
	if (t->kind == CASHIER_MYSQL)
		return treaty_barrier_purge_mysql(t->native, NULL, older_than_s,
						  rows_max, n);
	return treaty_barrier_purge_sqlite(t->native, NULL, older_than_s,
					   rows_max, n);
}
