#include "tests/live/at_world.h"

#include <treaty/mysql.h>
#include <treaty/pq.h>
#include <treaty/sqlite.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/* Programs written for libpq, libmysqlclient and SQLite, with treaty_ in front
 * of the names. */

static struct servers servers;

#define COUNT(w, sql) ((int)world_count(w, sql))

/* ---- PostgreSQL ---- */

static void pg_open_world(struct at_world *w)
{
	world_open(w, servers.postgresql, NULL);
	world_sql(w, "DROP TABLE IF EXISTS t;\n"
		     "CREATE TABLE t (id serial PRIMARY KEY, n int, s text);\n"
		     "INSERT INTO t (n, s) VALUES (1, 'one'), (2, 'two')");
}

static void want_pg(PGconn *conn, PGresult *r, ExecStatusType status)
{
	if (PQresultStatus(r) != status)
		fail_msg("%s, not %s: %s", PQresStatus(PQresultStatus(r)),
			 PQresStatus(status), treaty_PQerrorMessage(conn));
}

static void test_libpq_calls_give_libpq_results(void **state)
{
	struct at_world w;
	struct treaty_tx *tx;
	const char *values[] = { "5", "1" };
	Oid types[] = { 23, 23 };
	PGconn *conn;
	PGresult *r;

	(void)state;
	pg_open_world(&w);
	conn = w.native;
	r = treaty_PQprepare(conn, "set_n", "UPDATE t SET n = $1 WHERE id = $2",
			     2, types);
	want_pg(conn, r, PGRES_COMMAND_OK);
	PQclear(r);
	tx = at_desk_begin(&w.desk);
	r = treaty_PQexecPrepared(conn, "set_n", 2, values, NULL, NULL, 0);
	want_pg(conn, r, PGRES_COMMAND_OK);
	assert_string_equal(PQcmdStatus(r), "UPDATE 1");
	PQclear(r);
	r = treaty_PQexec(conn, "INSERT INTO t (n, s) SELECT n + 10, s FROM t");
	want_pg(conn, r, PGRES_COMMAND_OK);
	assert_string_equal(PQcmdStatus(r), "INSERT 0 2");
	PQclear(r);
	r = treaty_PQexecParams(
		conn, "DELETE FROM t WHERE id = $1::int RETURNING s", 1, NULL,
		(const char *const[]){ "2" }, NULL, NULL, 0);
	want_pg(conn, r, PGRES_TUPLES_OK);
	assert_string_equal(PQgetvalue(r, 0, 0), "two");
	PQclear(r);
	r = treaty_PQexec(conn, "SELECT count(*) FROM t");
	want_pg(conn, r, PGRES_TUPLES_OK);
	assert_string_equal(PQgetvalue(r, 0, 0), "3");
	PQclear(r);
	assert_int_equal(w.at->stats.branches, 3);
	assert_int_equal(at_desk_rollback(&w.desk, tx), 0);
	assert_int_equal(COUNT(&w, "SELECT sum(n) * 100 + count(*) FROM t"),
			 302);
	world_close(&w);
}

static void test_libpq_returning_stays_the_applications(void **state)
{
	struct at_world w;
	struct treaty_tx *tx;
	PGresult *r;

	(void)state;
	pg_open_world(&w);
	tx = at_desk_begin(&w.desk);
	r = treaty_PQexec(w.native, "INSERT INTO t (n, s) VALUES (3, 'x'), "
				    "(4, NULL) RETURNING s, id AS made");
	want_pg(w.native, r, PGRES_TUPLES_OK);
	assert_int_equal(PQnfields(r), 2);
	assert_string_equal(PQfname(r, 1), "made");
	assert_string_equal(PQcmdStatus(r), "INSERT 0 2");
	assert_string_equal(PQgetvalue(r, 0, 0), "x");
	assert_string_equal(PQgetvalue(r, 0, 1), "3");
	assert_true(PQgetisnull(r, 1, 0));
	PQclear(r);
	r = treaty_PQexecParams(w.native,
				"INSERT INTO t VALUES (1, 50), (77, 5) "
				"ON CONFLICT (id) DO UPDATE SET n = excluded.n "
				"RETURNING id",
				0, NULL, NULL, NULL, NULL, 1);
	want_pg(w.native, r, PGRES_TUPLES_OK);
	assert_int_equal(PQntuples(r), 2);
	assert_int_equal(PQgetlength(r, 0, 0), 4);
	PQclear(r);
	assert_int_equal(COUNT(&w, "SELECT sum(n) FROM t"), 64);
	assert_int_equal(at_desk_rollback(&w.desk, tx), 0);
	assert_int_equal(COUNT(&w, "SELECT sum(n) * 100 + count(*) FROM t"),
			 302);
	world_close(&w);
}

static void test_binary_parameters_are_understood(void **state)
{
	struct at_world w;
	struct treaty_tx *tx;
	uint32_t id = htobe32(2);
	const char *values[] = { (const char *)&id };
	int lengths[] = { 4 }, formats[] = { 1 };
	Oid types[] = { 23 };
	PGresult *r;

	(void)state;
	pg_open_world(&w);
	tx = at_desk_begin(&w.desk);
	r = treaty_PQexecParams(w.native, "DELETE FROM t WHERE id = $1", 1,
				types, values, lengths, formats, 0);
	want_pg(w.native, r, PGRES_COMMAND_OK);
	PQclear(r);
	assert_int_equal(COUNT(&w, "SELECT count(*) FROM t"), 1);
	assert_int_equal(at_desk_rollback(&w.desk, tx), 0);
	assert_int_equal(COUNT(&w, "SELECT count(*) FROM t"), 2);
	world_close(&w);
}

static void test_libpq_transactions_are_one_branch(void **state)
{
	static const char *const steps[] = {
		"BEGIN",
		"UPDATE t SET n = 7 WHERE id = 1",
		"SAVEPOINT a",
		"DELETE FROM t WHERE id = 2",
		"ROLLBACK TO SAVEPOINT a",
		"INSERT INTO t (n) VALUES (3), (4)",
		"COMMIT",
	};
	struct at_world w;
	struct treaty_tx *tx;

	(void)state;
	pg_open_world(&w);
	tx = at_desk_begin(&w.desk);
	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		PGresult *r = treaty_PQexec(w.native, steps[i]);

		want_pg(w.native, r, PGRES_COMMAND_OK);
		PQclear(r);
	}
	assert_int_equal(w.at->stats.branches, 1);
	assert_int_equal(COUNT(&w, "SELECT count(*) FROM t"), 4);
	assert_int_equal(at_desk_rollback(&w.desk, tx), 0);
	assert_int_equal(COUNT(&w, "SELECT sum(n) * 100 + count(*) FROM t"),
			 302);
	world_close(&w);
}

static void test_libpq_errors_say_why(void **state)
{
	struct at_world w;
	struct treaty_tx *tx;
	PGresult *r;

	(void)state;
	pg_open_world(&w);
	tx = at_desk_begin(&w.desk);
	r = treaty_PQexec(w.native, "TRUNCATE t");
	want_pg(w.native, r, PGRES_FATAL_ERROR);
	assert_non_null(strstr(treaty_PQerrorMessage(w.native), "refused"));
	PQclear(r);
	r = treaty_PQexec(w.native, "UPDATE t SET n = 'x' WHERE id = 1");
	want_pg(w.native, r, PGRES_FATAL_ERROR);
	assert_non_null(strstr(PQresultErrorMessage(r), "integer"));
	PQclear(r);
	assert_int_equal(at_desk_commit(&w.desk, tx), 0);
	r = treaty_PQexec(w.native, "TRUNCATE t");
	want_pg(w.native, r, PGRES_COMMAND_OK);
	PQclear(r);
	world_close(&w);
}

/* ---- MariaDB ---- */

static void my_open_world(struct at_world *w)
{
	world_open(w, servers.mariadb, NULL);
	world_sql(w, "DROP TABLE IF EXISTS t;\n"
		     "CREATE TABLE t (id int AUTO_INCREMENT PRIMARY KEY, "
		     "n int, s varchar(20));\n"
		     "INSERT INTO t (n, s) VALUES (1, 'one'), (2, 'two')");
}

static void query(MYSQL *m, const char *sql)
{
	if (treaty_mysql_query(m, sql))
		fail_msg("%s: %s", sql, treaty_mysql_error(m));
}

static void test_mysql_calls_give_mysql_results(void **state)
{
	struct at_world w;
	struct treaty_tx *tx;
	MYSQL_RES *res;
	MYSQL *m;

	(void)state;
	my_open_world(&w);
	m = w.native;
	tx = at_desk_begin(&w.desk);
	query(m, "INSERT INTO t (n, s) VALUES (3, 'x'), (4, 'y')");
	assert_int_equal(treaty_mysql_affected_rows(m), 2);
	assert_int_equal(treaty_mysql_insert_id(m), 3);
	query(m, "UPDATE t SET n = n + 1 WHERE id > 2");
	assert_int_equal(treaty_mysql_affected_rows(m), 2);
	query(m, "INSERT INTO t (n, s) SELECT n, s FROM t WHERE id < 3");
	assert_int_equal(treaty_mysql_affected_rows(m), 2);
	query(m, "SELECT COUNT(*) FROM t");
	res = treaty_mysql_store_result(m);
	assert_string_equal(mysql_fetch_row(res)[0], "6");
	mysql_free_result(res);
	assert_int_not_equal(treaty_mysql_query(m, "TRUNCATE t"), 0);
	assert_int_equal(treaty_mysql_errno(m), TREATY_MYSQL_ERRNO);
	assert_non_null(strstr(treaty_mysql_error(m), "refused"));
	assert_int_not_equal(
		treaty_mysql_query(m, "INSERT INTO t VALUES (1, 0, '')"), 0);
	assert_int_equal(treaty_mysql_errno(m), 1062);
	assert_int_equal(at_desk_rollback(&w.desk, tx), 0);
	assert_int_equal(COUNT(&w, "SELECT SUM(n) * 100 + COUNT(*) FROM t"),
			 302);
	query(m, "UPDATE t SET n = 9 WHERE id = 1");
	assert_int_equal(treaty_mysql_affected_rows(m), 1);
	world_close(&w);
}

static void test_mysql_transactions_are_one_branch(void **state)
{
	struct at_world w;
	struct treaty_tx *tx;
	MYSQL *m;

	(void)state;
	my_open_world(&w);
	m = w.native;
	assert_false(treaty_mysql_autocommit(m, 0));
	tx = at_desk_begin(&w.desk);
	query(m, "UPDATE t SET n = 5 WHERE id = 1");
	query(m, "DELETE FROM t WHERE id = 2");
	assert_int_equal(w.at->stats.branches, 0);
	if (treaty_mysql_commit(m))
		fail_msg("%s", treaty_mysql_error(m));
	assert_int_equal(w.at->stats.branches, 1);
	query(m, "UPDATE t SET n = 6 WHERE id = 1");
	assert_false(treaty_mysql_rollback(m));
	assert_int_equal(COUNT(&w, "SELECT SUM(n) FROM t"), 5);
	assert_int_equal(at_desk_rollback(&w.desk, tx), 0);
	assert_int_equal(COUNT(&w, "SELECT SUM(n) * 100 + COUNT(*) FROM t"),
			 302);
	world_close(&w);
}

static void test_mysql_statements_take_their_parameters(void **state)
{
	static const char sql[] = "UPDATE t SET n = ?, s = ? WHERE n > ? "
				  "ORDER BY id LIMIT 1";
	struct at_world w;
	struct treaty_tx *tx;
	MYSQL_STMT *stmt;
	int n = 40, more = 0;
	char text[] = "forty";
	unsigned long len = 5;
	MYSQL_BIND bind[3] = { { 0 } };

	(void)state;
	my_open_world(&w);
	stmt = mysql_stmt_init(w.native);
	assert_int_equal(treaty_mysql_stmt_prepare(stmt, sql, strlen(sql)), 0);
	bind[0].buffer_type = bind[2].buffer_type = MYSQL_TYPE_LONG;
	bind[0].buffer = &n;
	bind[1].buffer_type = MYSQL_TYPE_STRING;
	bind[1].buffer = text;
	bind[1].length = &len;
	bind[2].buffer = &more;
	assert_false(treaty_mysql_stmt_bind_param(stmt, bind));
	tx = at_desk_begin(&w.desk);
	for (int i = 0; i < 2; i++) {
		if (treaty_mysql_stmt_execute(stmt))
			fail_msg("%s", treaty_mysql_stmt_error(stmt));
		n++;
	}
	assert_int_equal(COUNT(&w, "SELECT n FROM t WHERE s = 'forty'"), 41);
	assert_int_equal(at_desk_rollback(&w.desk, tx), 0);
	assert_int_equal(COUNT(&w, "SELECT SUM(n) * 100 + COUNT(*) FROM t"),
			 302);
	if (treaty_mysql_stmt_execute(stmt))
		fail_msg("%s", treaty_mysql_stmt_error(stmt));
	assert_int_equal(mysql_stmt_affected_rows(stmt), 1);
	treaty_mysql_stmt_close(stmt);
	world_close(&w);
}

/* ---- SQLite ---- */

static void lite_open_world(struct at_world *w)
{
	static int n;
	char dsn[300];

	snprintf(dsn, sizeof dsn, "sqlite:%s/native%d.db?create=1", servers.dir,
		 n++);
	world_open(w, dsn, NULL);
	world_sql(w, "CREATE TABLE t (id INTEGER PRIMARY KEY, n int, s text);\n"
		     "INSERT INTO t (n, s) VALUES (1, 'one'), (2, 'two')");
}

static void want_lite(sqlite3 *db, int code, int wanted)
{
	if (code != wanted)
		fail_msg("code %d, not %d: %s", code, wanted,
			 treaty_sqlite3_errmsg(db));
}

static void test_sqlite_calls_give_sqlite_results(void **state)
{
	struct at_world w;
	struct treaty_tx *tx;
	sqlite3_stmt *stmt;
	sqlite3 *db;

	(void)state;
	lite_open_world(&w);
	db = w.native;
	tx = at_desk_begin(&w.desk);
	want_lite(db,
		  treaty_sqlite3_prepare_v2(
			  db, "UPDATE t SET n = ?1, s = ?2 WHERE id = ?3", -1,
			  &stmt, NULL),
		  SQLITE_OK);
	for (int id = 1; id <= 2; id++) {
		treaty_sqlite3_bind_double(stmt, 1, 0.1 * id);
		treaty_sqlite3_bind_text(stmt, 2, "tenth", -1,
					 SQLITE_TRANSIENT);
		treaty_sqlite3_bind_int(stmt, 3, id);
		want_lite(db, treaty_sqlite3_step(stmt), SQLITE_DONE);
		assert_int_equal(treaty_sqlite3_changes(db), 1);
		want_lite(db, treaty_sqlite3_reset(stmt), SQLITE_OK);
	}
	want_lite(db, treaty_sqlite3_finalize(stmt), SQLITE_OK);
	want_lite(db,
		  treaty_sqlite3_exec(db,
				      "INSERT INTO t (n) VALUES (8), (9); "
				      "SELECT 1",
				      NULL, NULL, NULL),
		  SQLITE_OK);
	assert_int_equal(sqlite3_last_insert_rowid(db), 4);
	assert_int_equal(w.at->stats.branches, 3);
	want_lite(db, treaty_sqlite3_exec(db, "DROP TABLE t", NULL, NULL, NULL),
		  SQLITE_AUTH);
	assert_int_equal(at_desk_rollback(&w.desk, tx), 0);
	assert_int_equal(COUNT(&w, "SELECT SUM(n) * 100 + COUNT(*) FROM t"),
			 302);
	world_close(&w);
}

static void test_sqlite_returning_is_protected_at_its_end(void **state)
{
	struct at_world w;
	struct treaty_tx *tx;
	sqlite3_stmt *stmt;
	sqlite3 *db;

	(void)state;
	lite_open_world(&w);
	db = w.native;
	tx = at_desk_begin(&w.desk);
	treaty_sqlite3_prepare_v2(db, "DELETE FROM t RETURNING s", -1, &stmt,
				  NULL);
	want_lite(db, treaty_sqlite3_step(stmt), SQLITE_ROW);
	assert_string_equal(sqlite3_column_text(stmt, 0), "one");
	want_lite(db, treaty_sqlite3_step(stmt), SQLITE_ROW);
	want_lite(db, treaty_sqlite3_step(stmt), SQLITE_DONE);
	assert_int_equal(w.at->stats.branches, 1);
	want_lite(db, treaty_sqlite3_finalize(stmt), SQLITE_OK);
	assert_int_equal(COUNT(&w, "SELECT COUNT(*) FROM t"), 0);
	treaty_sqlite3_prepare_v2(db,
				  "INSERT INTO t VALUES (7, 7, 'x'), "
				  "(8, 8, 'y') RETURNING n",
				  -1, &stmt, NULL);
	want_lite(db, treaty_sqlite3_step(stmt), SQLITE_ROW);
	want_lite(db, treaty_sqlite3_finalize(stmt), SQLITE_OK);
	assert_int_equal(COUNT(&w, "SELECT SUM(n) FROM t"), 15);
	/* None of them ran twice. */
	assert_int_equal(w.at->stats.retries, 0);
	assert_int_equal(at_desk_rollback(&w.desk, tx), 0);
	assert_int_equal(COUNT(&w, "SELECT COUNT(*) FROM t"), 2);
	world_close(&w);
}

static void open_native_second(struct at_world *second, struct at_world *w,
			       bool respect)
{
	const struct treaty_at_options o = { .lock_wait_ms = 200,
					     .respect_global_locks = respect };

	world_open_second(second, w, &o);
}

static void test_sqlite_returning_gives_no_row_that_is_held(void **state)
{
	struct treaty_tx *holder, *mine;
	struct at_world w, second;
	sqlite3_stmt *stmt;

	(void)state;
	lite_open_world(&w);
	open_native_second(&second, &w, false);
	holder = at_desk_begin(&w.desk);
	world_exec(&w, "UPDATE t SET n = n + 5 WHERE id = 2", OK);
	mine = at_desk_begin(&w.desk);
	treaty_sqlite3_prepare_v2(second.native, "DELETE FROM t RETURNING s",
				  -1, &stmt, NULL);
	want_lite(second.native, treaty_sqlite3_step(stmt), SQLITE_BUSY);
	assert_non_null(
		strstr(treaty_sqlite3_errmsg(second.native), holder->xid));
	assert_true(sqlite3_get_autocommit(second.native));
	assert_int_equal(COUNT(&w, "SELECT COUNT(*) FROM t"), 2);
	assert_int_equal(at_desk_commit(&w.desk, holder), 0);
	want_lite(second.native, treaty_sqlite3_reset(stmt), SQLITE_OK);
	want_lite(second.native, treaty_sqlite3_step(stmt), SQLITE_ROW);
	want_lite(second.native, treaty_sqlite3_finalize(stmt), SQLITE_OK);
	assert_int_equal(second.at->stats.branches, 1);
	assert_int_equal(COUNT(&w, "SELECT COUNT(*) FROM t"), 0);
	assert_int_equal(at_desk_rollback(&w.desk, mine), 0);
	assert_int_equal(COUNT(&w, "SELECT COUNT(*) FROM t"), 2);
	world_close_second(&second);
	world_close(&w);
}

static void test_sqlite_returning_outside_respects_and_commits(void **state)
{
	static const char *const sql[] = {
		"INSERT INTO t (id, n) VALUES (1, 0) RETURNING n",
		"UPDATE t SET s = 'x' WHERE id = 2 RETURNING n",
	};
	struct at_world w, second;
	struct treaty_tx *holder;
	sqlite3_stmt *stmt;

	(void)state;
	lite_open_world(&w);
	open_native_second(&second, &w, true);
	for (size_t i = 0; i < ARRAY_LEN(sql); i++) {
		holder = at_desk_begin(&w.desk);
		world_exec(&w, "DELETE FROM t WHERE id = 1", OK);
		world_exec(&w, "UPDATE t SET n = n + 5 WHERE id = 2", OK);
		at_desk_bind(NULL);
		treaty_sqlite3_prepare_v2(second.native, sql[i], -1, &stmt,
					  NULL);
		want_lite(second.native, treaty_sqlite3_step(stmt),
			  SQLITE_BUSY);
		(void)treaty_sqlite3_reset(stmt);
		assert_int_equal(at_desk_commit(&w.desk, holder), 0);
		want_lite(second.native, treaty_sqlite3_step(stmt), SQLITE_ROW);
		want_lite(second.native, treaty_sqlite3_step(stmt),
			  SQLITE_DONE);
		want_lite(second.native, treaty_sqlite3_finalize(stmt),
			  SQLITE_OK);
		assert_true(sqlite3_get_autocommit(second.native));
	}
	assert_int_equal(second.at->stats.branches, 0);
	assert_int_equal(COUNT(&w, "SELECT COUNT(*) FROM t"), 1);
	world_close_second(&second);
	world_close(&w);
}

static void test_sqlite_transactions_are_one_branch(void **state)
{
	struct at_world w;
	struct treaty_tx *tx;

	(void)state;
	lite_open_world(&w);
	tx = at_desk_begin(&w.desk);
	want_lite(w.native,
		  treaty_sqlite3_exec(w.native,
				      "BEGIN; UPDATE t SET n = 5; "
				      "INSERT INTO t (n) VALUES (1); COMMIT",
				      NULL, NULL, NULL),
		  SQLITE_OK);
	assert_int_equal(w.at->stats.branches, 1);
	assert_int_equal(COUNT(&w, "SELECT SUM(n) FROM t"), 11);
	assert_int_equal(at_desk_rollback(&w.desk, tx), 0);
	assert_int_equal(COUNT(&w, "SELECT SUM(n) FROM t"), 3);
	world_close(&w);
}

static int start(void **state)
{
	(void)state;
	return servers_start(&servers, SERVERS_POSTGRESQL | SERVERS_MARIADB);
}

static int stop(void **state)
{
	(void)state;
	servers_stop(&servers);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_libpq_calls_give_libpq_results),
		cmocka_unit_test(test_libpq_returning_stays_the_applications),
		cmocka_unit_test(test_binary_parameters_are_understood),
		cmocka_unit_test(test_libpq_transactions_are_one_branch),
		cmocka_unit_test(test_libpq_errors_say_why),
		cmocka_unit_test(test_mysql_calls_give_mysql_results),
		cmocka_unit_test(test_mysql_transactions_are_one_branch),
		cmocka_unit_test(test_mysql_statements_take_their_parameters),
		cmocka_unit_test(test_sqlite_calls_give_sqlite_results),
		cmocka_unit_test(test_sqlite_returning_is_protected_at_its_end),
		cmocka_unit_test(
			test_sqlite_returning_gives_no_row_that_is_held),
		cmocka_unit_test(
			test_sqlite_returning_outside_respects_and_commits),
		cmocka_unit_test(test_sqlite_transactions_are_one_branch),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
