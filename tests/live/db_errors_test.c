#include "base/buf.h"
#include "rm-agent/db/db.h"
#include "tests/live/servers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include <libpq-fe.h>
#include <mysql.h>
#include <pthread.h>
#include <sqlite3.h>
#include <unistd.h>

static struct servers servers;
static struct arena arena;

static int start(void **state)
{
	(void)state;
	arena_init(&arena, &mem_heap, 0);
	return servers_start(&servers, SERVERS_POSTGRESQL | SERVERS_MARIADB);
}

static int stop(void **state)
{
	(void)state;
	arena_fini(&arena);
	servers_stop(&servers);
	return 0;
}

static struct db *open_db(const char *dsn)
{
	struct db_error error;
	struct db *db;

	if (db_open(&db, &mem_heap, dsn, &error) != OK)
		fail_msg("%s: %s", dsn, error.message);
	return db;
}

static struct db *open_lite(const char *name)
{
	struct buf dsn;
	struct db *db;

	buf_init(&dsn, &mem_heap);
	buf_printf(&dsn, "sqlite:%s/%s?create=1", servers.dir, name);
	db = open_db(buf_text(&dsn));
	buf_fini(&dsn);
	return db;
}

static int try(struct db *db, const char *sql)
{
	struct db_stmt stmt = { .sql = bytes_of(sql) };
	struct db_result r;

	return db_exec(db, &stmt, &arena, &r);
}

static void run(struct db *db, const char *sql)
{
	if (try(db, sql) != OK)
		fail_msg("%s: %s", sql, db_error(db)->message);
}

/* The first value of the first row as text. */
static const char *ask(struct db *db, const char *sql)
{
	struct db_stmt stmt = { .sql = bytes_of(sql) };
	struct db_result r;

	if (db_exec(db, &stmt, &arena, &r) != OK)
		fail_msg("%s: %s", sql, db_error(db)->message);
	return r.n_rows ? arena_text(&arena, db_value(&r, 0, 0).data) : "none";
}

static void expect(struct db *db, const char *sql, int err, enum db_class class)
{
	int rc = try(db, sql);

	if (rc != err || (rc != OK && db_error(db)->class != class))
		fail_msg("%s: %s, %s (%d %s %s)", sql, err_name(rc),
			 db_class_name(db_error(db)->class),
			 db_error(db)->native, db_error(db)->sqlstate,
			 db_error(db)->message);
}

/* ---- what is the same for the servers ---- */

struct job {
	struct db *db;
	const char *sql; /* NULL: COMMIT */
	int rc;
	pthread_t thread;
};

static void *work(void *arg)
{
	struct job *j = arg;
	struct arena own;
	struct db_result r;
	struct db_stmt stmt = { .sql = bytes_of(j->sql) };

	arena_init(&own, &mem_heap, 0);
	j->rc = j->sql ? db_exec(j->db, &stmt, &own, &r) : db_commit(j->db);
	arena_fini(&own);
	return NULL;
}

static void begin_job(struct job *j)
{
	assert_int_equal(pthread_create(&j->thread, NULL, work, j), 0);
}

static void end_job(struct job *j)
{
	assert_int_equal(pthread_join(j->thread, NULL), 0);
}

/* Wait until `sql` gives `what`. */
static void until(struct db *db, const char *sql, const char *what)
{
	/* InnoDB's tables are refreshed only when left alone for 100 ms. */
	for (int i = 0; i < 100; i++) {
		if (strcmp(ask(db, sql), what) == 0)
			return;
		(void)usleep(150000);
	}
	fail_msg("never %s: %s", what, sql);
}

static void deadlock(const char *dsn, const char *waits)
{
	struct db *a = open_db(dsn), *b = open_db(dsn), *c = open_db(dsn);
	struct job job = { .db = b, .sql = "UPDATE d SET v = 1 WHERE id = 1" };
	struct db *victim;
	int rc;

	run(c, "CREATE TABLE d (id INT PRIMARY KEY, v INT)");
	run(c, "INSERT INTO d VALUES (1, 0), (2, 0)");
	assert_int_equal(db_begin(a), OK);
	assert_int_equal(db_begin(b), OK);
	run(a, "UPDATE d SET v = 2 WHERE id = 1");
	run(b, "UPDATE d SET v = 2 WHERE id = 2");
	begin_job(&job);
	until(c, waits, "1");
	rc = try(a, "UPDATE d SET v = 1 WHERE id = 2");
	/* Whichever the database chose; the survivor must end for b to end. */
	if (rc == OK) {
		end_job(&job);
		rc = job.rc;
		victim = b;
	} else {
		victim = a;
	}
	assert_int_equal(rc, E_DEADLOCK);
	assert_int_equal(db_error(victim)->class, DB_DEADLOCK);
	assert_int_equal(db_state(victim), DB_FAILED);
	assert_int_equal(try(victim, "SELECT 1"), E_STATE);
	assert_int_equal(db_error(victim)->class, DB_ABORTED);
	assert_int_equal(db_commit(victim), E_STATE);
	assert_int_equal(db_state(victim), DB_IDLE);
	if (victim == a)
		end_job(&job);
	run(victim, "SELECT 1");
	assert_int_equal(db_commit(victim == a ? b : a), OK);
	run(c, "DROP TABLE d");
	db_free(a);
	db_free(b);
	db_free(c);
}

static void classes(const char *dsn)
{
	struct db *db = open_db(dsn);

	run(db, "CREATE TABLE k (id INT PRIMARY KEY, v SMALLINT NOT NULL)");
	run(db, "INSERT INTO k VALUES (1, 1)");
	expect(db, "SELEC", E_INVALID, DB_SYNTAX);
	expect(db, "SELECT * FROM nosuch", E_INVALID, DB_SYNTAX);
	expect(db, "SELECT nosuch FROM k", E_INVALID, DB_SYNTAX);
	expect(db, "INSERT INTO k VALUES (1, 1)", E_INVALID, DB_CONSTRAINT);
	expect(db, "INSERT INTO k VALUES (2, NULL)", E_INVALID, DB_CONSTRAINT);
	expect(db, "INSERT INTO k VALUES (2, 70000)", E_INVALID, DB_DATA);
	expect(db, "SELECT 1; SELECT 2", E_INVALID, DB_SYNTAX);
	assert_int_equal(db_state(db), DB_IDLE);
	assert_int_equal(db_commit(db), E_STATE);
	assert_int_equal(db_rollback(db), OK);
	assert_int_equal(db_command(db, "SET TRANSACTION READ ONLY"), OK);
	assert_int_equal(db_command(db, "START TRANSACTION READ ONLY"), OK);
	assert_int_equal(db_begin(db), E_STATE);
	expect(db, "INSERT INTO k VALUES (3, 3)", E_UNSUPPORTED, DB_READONLY);
	assert_int_equal(db_rollback(db), OK);
	assert_int_equal(db_state(db), DB_IDLE);
	run(db, "DROP TABLE k");
	db_free(db);
}

static void savepoints(struct db *db)
{
	run(db, "CREATE TABLE sp (id INT PRIMARY KEY)");
	assert_int_equal(db_begin(db), OK);
	run(db, "INSERT INTO sp VALUES (1)");
	assert_int_equal(db_savepoint(db, "treaty_1"), OK);
	run(db, "INSERT INTO sp VALUES (2)");
	assert_int_not_equal(try(db, "INSERT INTO sp VALUES (2)"), OK);
	assert_int_equal(db_rollback_to(db, "treaty_1"), OK);
	assert_int_equal(db_state(db), DB_IN_TX);
	assert_int_equal(db_release(db, "treaty_1"), OK);
	assert_int_equal(db_commit(db), OK);
	assert_string_equal(ask(db, "SELECT count(*) FROM sp"), "1");
	run(db, "DROP TABLE sp");
}

/* ---- PostgreSQL ---- */

static void test_postgresql_errors_have_their_class(void **state)
{
	struct db *db = open_db(servers.postgresql);

	(void)state;
	classes(servers.postgresql);
	savepoints(db);
	run(db, "CREATE TABLE secret (id int)");
	run(db, "CREATE ROLE nobody_special");
	run(db, "SET ROLE nobody_special");
	expect(db, "SELECT * FROM secret", E_DENIED, DB_PERMISSION);
	run(db, "RESET ROLE");
	run(db, "SET statement_timeout = 50");
	expect(db, "SELECT pg_sleep(10)", E_TIMEOUT, DB_CANCELLED);
	db_free(db);
}

static void test_postgresql_names_a_deadlock(void **state)
{
	(void)state;
	deadlock(servers.postgresql, "SELECT count(*) FROM pg_locks"
				     " WHERE NOT granted");
}

static void test_postgresql_locks_and_snapshots(void **state)
{
	struct db *a = open_db(servers.postgresql);
	struct db *b = open_db(servers.postgresql);

	(void)state;
	run(a, "CREATE TABLE l (id int PRIMARY KEY, v int)");
	run(a, "INSERT INTO l VALUES (1, 0)");
	assert_int_equal(db_begin(a), OK);
	run(a, "UPDATE l SET v = 1");
	run(b, "SET lock_timeout = 50");
	expect(b, "UPDATE l SET v = 2", E_TIMEOUT, DB_LOCK_TIMEOUT);
	expect(b, "SELECT * FROM l FOR UPDATE NOWAIT", E_TIMEOUT,
	       DB_LOCK_TIMEOUT);
	assert_int_equal(
		db_command(b, "START TRANSACTION ISOLATION LEVEL SERIALIZABLE"),
		OK);
	run(b, "SELECT * FROM l");
	assert_int_equal(db_commit(a), OK);
	expect(b, "UPDATE l SET v = 2", E_CONFLICT, DB_SERIALIZATION);
	assert_int_equal(db_state(b), DB_FAILED);
	assert_int_equal(db_rollback(b), OK);
	run(a, "DROP TABLE l");
	db_free(a);
	db_free(b);
}

static void test_postgresql_commit_of_a_failed_transaction_fails(void **state)
{
	struct db *db = open_db(servers.postgresql);

	(void)state;
	run(db, "CREATE TABLE f (id int)");
	assert_int_equal(db_begin(db), OK);
	run(db, "INSERT INTO f VALUES (1)");
	assert_int_equal(try(db, "SELECT 1/0"), E_INVALID);
	assert_int_equal(db_state(db), DB_FAILED);
	assert_int_equal(db_commit(db), E_STATE);
	assert_string_equal(ask(db, "SELECT count(*) FROM f"), "0");
	run(db, "DROP TABLE f");
	db_free(db);
}

/* A COMMIT that takes long enough to be shot at. */
static void slow_commit(struct db *db)
{
	run(db, "DROP TABLE IF EXISTS slow");
	run(db, "CREATE TABLE slow (id int)");
	run(db, "CREATE OR REPLACE FUNCTION slow() RETURNS trigger"
		" LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(20);"
		" RETURN NULL; END'");
	run(db, "CREATE CONSTRAINT TRIGGER slow AFTER INSERT ON slow"
		" DEFERRABLE INITIALLY DEFERRED FOR EACH ROW"
		" EXECUTE FUNCTION slow()");
}

static void test_postgresql_lost_in_commit_is_unknown(void **state)
{
	struct db *a = open_db(servers.postgresql);
	struct db *b = open_db(servers.postgresql);
	struct job job = { .db = a };

	(void)state;
	slow_commit(b);
	assert_int_equal(db_begin(a), OK);
	run(a, "INSERT INTO slow VALUES (1)");
	begin_job(&job);
	until(b,
	      "SELECT count(*) FROM pg_stat_activity"
	      " WHERE wait_event = 'PgSleep'",
	      "1");
	run(b, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
	       " WHERE wait_event = 'PgSleep'");
	end_job(&job);
	assert_int_equal(job.rc, E_UNKNOWN);
	assert_int_equal(db_error(a)->class, DB_LOST);
	assert_int_equal(db_state(a), DB_GONE);
	assert_string_equal(ask(b, "SELECT count(*) FROM slow"), "0");
	db_free(a);
	db_free(b);
}

static void test_postgresql_crash_in_commit_is_unknown(void **state)
{
	struct db *a = open_db(servers.postgresql);
	struct db *b = open_db(servers.postgresql);
	struct job job = { .db = a };

	(void)state;
	slow_commit(b);
	assert_int_equal(db_begin(a), OK);
	run(a, "INSERT INTO slow VALUES (1)");
	begin_job(&job);
	until(b,
	      "SELECT count(*) FROM pg_stat_activity"
	      " WHERE wait_event = 'PgSleep'",
	      "1");
	assert_int_equal(servers_kill(&servers, "postgresql"), 0);
	end_job(&job);
	assert_int_equal(job.rc, E_UNKNOWN);
	assert_int_equal(servers_again(&servers, "postgresql"), 0);
	db_free(a);
	db_free(b);
	a = open_db(servers.postgresql);
	assert_string_equal(ask(a, "SELECT count(*) FROM slow"), "0");
	db_free(a);
}

static void test_postgresql_lost_before_commit_is_no_commit(void **state)
{
	struct db *a = open_db(servers.postgresql);
	struct db *b = open_db(servers.postgresql);
	const char *pid;
	struct buf sql;

	(void)state;
	assert_int_equal(db_begin(a), OK);
	pid = ask(a, "SELECT pg_backend_pid()");
	buf_init(&sql, &mem_heap);
	buf_printf(&sql, "SELECT pg_terminate_backend(%s, 5000)", pid);
	run(b, buf_text(&sql));
	buf_fini(&sql);
	expect(a, "SELECT 1", E_CLOSED, DB_LOST);
	assert_int_equal(db_state(a), DB_GONE);
	assert_int_equal(db_commit(a), E_CLOSED);
	assert_int_equal(db_rollback(a), OK);
	db_free(a);
	db_free(b);
}

static int kept(struct db *db, struct db_result *r)
{
	struct value one = { VALUE_INT, BYTES("1") };
	struct db_stmt stmt = { .sql = BYTES("SELECT $1::int + 1"),
				.params = &one,
				.n_params = 1,
				.keep = true };

	return db_exec(db, &stmt, &arena, r);
}

static void test_postgresql_prepares_again_what_was_discarded(void **state)
{
	PGconn *conn = PQconnectdb(servers.postgresql);
	struct db_result r;
	struct db *db;

	(void)state;
	assert_int_equal(db_of_pg(&db, &mem_heap, conn, NULL), OK);
	assert_int_equal(kept(db, &r), OK);
	PQclear(PQexec(conn, "DISCARD ALL"));
	assert_int_equal(kept(db, &r), OK);
	assert_true(bytes_equal(db_value(&r, 0, 0).data, BYTES("2")));
	PQclear(PQexec(conn, "DEALLOCATE ALL"));
	assert_int_equal(db_begin(db), OK);
	assert_int_equal(kept(db, &r), E_AGAIN);
	assert_int_equal(db_error(db)->class, DB_STALE);
	assert_int_equal(db_state(db), DB_FAILED);
	assert_int_equal(db_rollback(db), OK);
	assert_int_equal(kept(db, &r), OK);
	db_free(db);
	/* Nothing of ours stays behind. */
	assert_int_equal(db_of_pg(&db, &mem_heap, conn, NULL), OK);
	assert_string_equal(
		ask(db, "SELECT count(*) FROM pg_prepared_statements"), "0");
	db_free(db);
	PQfinish(conn);
}

static void test_postgresql_in_use_is_left_alone(void **state)
{
	PGconn *conn = PQconnectdb(servers.postgresql);
	struct db *db;
	PGresult *r;

	(void)state;
	assert_int_equal(db_of_pg(&db, &mem_heap, conn, NULL), OK);
	assert_int_equal(PQsendQuery(conn, "SELECT generate_series(1, 3)"), 1);
	assert_int_equal(PQsetSingleRowMode(conn), 1);
	r = PQgetResult(conn);
	assert_int_equal(db_state(db), DB_BUSY);
	expect(db, "SELECT 1", E_STATE, DB_IN_USE);
	for (int rows = 0; r; rows++) {
		PQclear(r);
		r = PQgetResult(conn);
		assert_true(rows < 5);
	}
	expect(db, "SELECT 1", OK, DB_NONE);
	assert_int_equal(PQenterPipelineMode(conn), 1);
	expect(db, "SELECT 1", E_STATE, DB_IN_USE);
	assert_int_equal(PQexitPipelineMode(conn), 1);
	expect(db, "COPY (SELECT 1) TO STDOUT", E_UNSUPPORTED, DB_OTHER);
	expect(db, "COPY pg_class FROM STDIN", E_UNSUPPORTED, DB_OTHER);
	expect(db, "SELECT 1", OK, DB_NONE);
	db_free(db);
	PQfinish(conn);
}

/* ---- several statements ---- */

static void several(struct db *db)
{
	struct db_stmt stmts[] = {
		{ .sql = BYTES("INSERT INTO p VALUES (1, 'a')"), .keep = true },
		{ .sql = BYTES("SELECT id FROM p"), .keep = true },
		{ .sql = BYTES("INSERT INTO p VALUES (1, 'b')") },
		{ .sql = BYTES("SELECT 2") },
	};
	struct db_result r[4];
	size_t done;

	run(db, "CREATE TABLE p (id INT PRIMARY KEY, v VARCHAR(20))");
	for (int round = 0; round < 2; round++) {
		assert_int_equal(db_begin(db), OK);
		assert_int_equal(db_exec_all(db, stmts, 4, &arena, r, &done),
				 E_INVALID);
		assert_int_equal(done, 2);
		assert_int_equal(db_error(db)->class, DB_CONSTRAINT);
		assert_int_equal(r[0].affected, 1);
		assert_int_equal(r[1].n_rows, 1);
		assert_int_equal(db_rollback(db), OK);
		assert_string_equal(ask(db, "SELECT count(*) FROM p"), "0");
	}
	assert_int_equal(db_exec_all(db, stmts, 2, &arena, r, &done), OK);
	assert_int_equal(done, 2);
	assert_int_equal(db_exec_all(db, stmts, 0, &arena, r, &done), OK);
	run(db, "DROP TABLE p");
}

static void test_several_statements_stop_at_the_first_failure(void **state)
{
	const char *dsns[] = { servers.postgresql, servers.mariadb };
	struct db *db;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(dsns); i++) {
		db = open_db(dsns[i]);
		several(db);
		db_free(db);
	}
	db = open_lite("several.db");
	several(db);
	savepoints(db);
	db_free(db);
}

static void test_much_in_one_round_trip_does_not_jam(void **state)
{
	enum { N = 400, SIZE = 50000 };
	struct db *db = open_db(servers.postgresql);
	struct db_stmt *stmts = calloc(N, sizeof(*stmts));
	struct db_result *r = calloc(N, sizeof(*r));
	char *text = malloc(SIZE);
	struct value big = { VALUE_TEXT, { (uint8_t *)text, SIZE } };
	size_t done;

	(void)state;
	memset(text, 'x', SIZE);
	for (size_t i = 0; i < N; i++)
		stmts[i] = (struct db_stmt){ .sql = BYTES("SELECT $1::text"),
					     .params = &big,
					     .n_params = 1,
					     .keep = i % 2 };
	assert_int_equal(db_exec_all(db, stmts, N, &arena, r, &done), OK);
	assert_int_equal(done, N);
	for (size_t i = 0; i < N; i++)
		assert_true(value_equal(db_value(&r[i], 0, 0), big));
	free(text);
	free(stmts);
	free(r);
	arena_reset(&arena);
	db_free(db);
}

/* ---- MariaDB ---- */

static MYSQL *connect_my(void)
{
	const char *port = strrchr(servers.mariadb, ':');
	MYSQL *conn = mysql_init(NULL);

	if (!mysql_real_connect(conn, "127.0.0.1", "treaty", "treaty", "test",
				(unsigned)strtoul(port + 1, NULL, 10), NULL, 0))
		fail_msg("%s", mysql_error(conn));
	return conn;
}

static void test_mariadb_errors_have_their_class(void **state)
{
	struct db *db = open_db(servers.mariadb);

	(void)state;
	classes(servers.mariadb);
	savepoints(db);
	expect(db, "SET STATEMENT max_statement_time = 0.1 FOR SELECT SLEEP(9)",
	       E_TIMEOUT, DB_CANCELLED);
	expect(db, "XA COMMIT 'nosuch'", E_NOTFOUND, DB_OTHER);
	run(db, "CREATE USER poor@'%' IDENTIFIED BY 'x'");
	run(db, "CREATE TABLE secret (id INT)");
	run(db, "GRANT USAGE ON *.* TO poor@'%'");
	db_free(db);
}

static void test_mariadb_names_a_deadlock(void **state)
{
	(void)state;
	deadlock(servers.mariadb, "SELECT COUNT(*) FROM"
				  " information_schema.INNODB_TRX"
				  " WHERE trx_state = 'LOCK WAIT'");
}

static void test_mariadb_lock_timeout_keeps_the_transaction(void **state)
{
	struct db *a = open_db(servers.mariadb), *b = open_db(servers.mariadb);

	(void)state;
	run(a, "CREATE TABLE l (id INT PRIMARY KEY, v INT)");
	run(a, "INSERT INTO l VALUES (1, 0), (2, 0)");
	assert_int_equal(db_begin(a), OK);
	run(a, "UPDATE l SET v = 1 WHERE id = 1");
	run(b, "SET innodb_lock_wait_timeout = 1");
	assert_int_equal(db_begin(b), OK);
	run(b, "UPDATE l SET v = 2 WHERE id = 2");
	expect(b, "UPDATE l SET v = 2 WHERE id = 1", E_TIMEOUT,
	       DB_LOCK_TIMEOUT);
	expect(b, "SELECT * FROM l WHERE id = 1 FOR UPDATE NOWAIT", E_TIMEOUT,
	       DB_LOCK_TIMEOUT);
	assert_int_equal(db_state(b), DB_IN_TX);
	assert_int_equal(db_commit(b), OK);
	assert_int_equal(db_rollback(a), OK);
	assert_string_equal(ask(a, "SELECT v FROM l WHERE id = 2"), "2");
	run(a, "DROP TABLE l");
	db_free(a);
	db_free(b);
}

static void kill_connection(struct db *by, const char *id)
{
	struct buf sql;

	buf_init(&sql, &mem_heap);
	buf_printf(&sql, "KILL %s", id);
	assert_int_equal(db_command(by, buf_text(&sql)), OK);
	buf_fini(&sql);
}

static void test_mariadb_lost_in_commit_is_unknown(void **state)
{
	struct db *a = open_db(servers.mariadb), *b = open_db(servers.mariadb);
	struct job job = { .db = a };
	const char *id = ask(a, "SELECT CONNECTION_ID()");

	(void)state;
	run(b, "CREATE TABLE u (id INT PRIMARY KEY)");
	assert_int_equal(db_begin(a), OK);
	run(a, "INSERT INTO u VALUES (1)");
	assert_int_equal(db_command(b, "FLUSH TABLES WITH READ LOCK"), OK);
	begin_job(&job);
	until(b,
	      "SELECT COUNT(*) FROM information_schema.PROCESSLIST"
	      " WHERE INFO = 'COMMIT'",
	      "1");
	kill_connection(b, id);
	end_job(&job);
	assert_int_equal(job.rc, E_UNKNOWN);
	assert_int_equal(db_state(a), DB_GONE);
	assert_int_equal(db_command(b, "UNLOCK TABLES"), OK);
	run(b, "DROP TABLE u");
	db_free(a);
	db_free(b);
}

static void test_mariadb_lost_before_commit_is_no_commit(void **state)
{
	struct db *a = open_db(servers.mariadb), *b = open_db(servers.mariadb);

	(void)state;
	assert_int_equal(db_begin(a), OK);
	kill_connection(b, ask(a, "SELECT CONNECTION_ID()"));
	(void)usleep(100000);
	expect(a, "SELECT 1", E_CLOSED, DB_LOST);
	assert_int_equal(db_state(a), DB_GONE);
	assert_int_equal(db_commit(a), E_CLOSED);
	assert_int_equal(db_rollback(a), OK);
	db_free(a);
	db_free(b);
}

static void test_mariadb_in_use_is_left_alone(void **state)
{
	struct db_stmt stmt = { .sql = BYTES("SELECT 1"), .keep = true };
	MYSQL *conn = connect_my();
	struct db_result r;
	MYSQL_RES *rows;
	struct db *db;
	my_bool on = 1;

	(void)state;
	assert_int_equal(db_of_mysql(&db, &mem_heap, conn, NULL), OK);
	assert_int_equal(mysql_query(conn, "SELECT 1 UNION SELECT 2"), 0);
	rows = mysql_use_result(conn);
	assert_int_equal(db_state(db), DB_BUSY);
	expect(db, "SELECT 1", E_STATE, DB_IN_USE);
	assert_non_null(mysql_fetch_row(rows));
	expect(db, "SELECT 1", E_STATE, DB_IN_USE);
	mysql_free_result(rows);
	assert_int_equal(db_exec(db, &stmt, &arena, &r), OK);
	/* The kept statement is gone; also inside of a transaction. */
	assert_int_equal(mysql_reset_connection(conn), 0);
	assert_int_equal(db_begin(db), OK);
	assert_int_equal(db_exec(db, &stmt, &arena, &r), OK);
	assert_int_equal(db_state(db), DB_IN_TX);
	assert_int_equal(db_rollback(db), OK);
	assert_int_equal(mysql_query(conn, "SET autocommit = 0"), 0);
	assert_false(db_autocommit(db));
	db_free(db);
	(void)mysql_options(conn, MYSQL_OPT_RECONNECT, &on);
	assert_int_equal(db_of_mysql(&db, &mem_heap, conn, NULL),
			 E_UNSUPPORTED);
	mysql_close(conn);
}

static void test_native_errors_are_told_apart_too(void **state)
{
	PGconn *pg = PQconnectdb(servers.postgresql);
	MYSQL *my = connect_my();
	PGresult *r;
	struct db *db;

	(void)state;
	assert_int_equal(db_of_pg(&db, &mem_heap, pg, NULL), OK);
	r = PQexec(pg, "SELECT 1/0");
	assert_int_equal(db_native_error(db, r, false), E_INVALID);
	assert_int_equal(db_error(db)->class, DB_DATA);
	PQclear(r);
	db_free(db);
	PQfinish(pg);
	assert_int_equal(db_of_mysql(&db, &mem_heap, my, NULL), OK);
	assert_int_not_equal(mysql_query(my, "SELEC"), 0);
	assert_int_equal(db_native_error(db, NULL, false), E_INVALID);
	assert_int_equal(db_error(db)->class, DB_SYNTAX);
	db_free(db);
	mysql_close(my);
}

/* ---- SQLite ---- */

static void test_sqlite_errors_have_their_class(void **state)
{
	struct db *db = open_lite("classes.db");

	(void)state;
	run(db, "CREATE TABLE k (id INTEGER PRIMARY KEY, v TEXT NOT NULL)");
	run(db, "INSERT INTO k VALUES (1, 'a')");
	expect(db, "SELEC", E_INVALID, DB_SYNTAX);
	expect(db, "SELECT * FROM nosuch", E_INVALID, DB_SYNTAX);
	expect(db, "INSERT INTO k VALUES (1, 'b')", E_INVALID, DB_CONSTRAINT);
	expect(db, "INSERT INTO k VALUES (2, NULL)", E_INVALID, DB_CONSTRAINT);
	expect(db, "INSERT INTO k VALUES ('x', 'b')", E_INVALID, DB_DATA);
	expect(db, "SELECT 1; SELECT 2", E_INVALID, DB_SYNTAX);
	expect(db, "", E_INVALID, DB_SYNTAX);
	run(db, "SELECT 1; -- and no more");
	run(db, "PRAGMA query_only = 1");
	expect(db, "INSERT INTO k VALUES (2, 'b')", E_UNSUPPORTED, DB_READONLY);
	assert_int_equal(db_commit(db), E_STATE);
	db_free(db);
}

static void test_sqlite_busy_commit_may_be_tried_again(void **state)
{
	struct db *a = open_lite("busy.db"), *b = open_lite("busy.db");
	sqlite3_stmt *reading;

	(void)state;
	run(a, "CREATE TABLE t (id INTEGER PRIMARY KEY)");
	run(a, "INSERT INTO t VALUES (1)");
	(void)sqlite3_busy_timeout(db_sqlite(a), 20);
	(void)sqlite3_busy_timeout(db_sqlite(b), 20);
	assert_int_equal(sqlite3_prepare_v2(db_sqlite(b), "SELECT * FROM t", -1,
					    &reading, NULL),
			 SQLITE_OK);
	assert_int_equal(sqlite3_step(reading), SQLITE_ROW);
	assert_int_equal(db_begin(a), OK);
	run(a, "INSERT INTO t VALUES (2)");
	assert_int_equal(db_begin(b), E_TIMEOUT);
	assert_int_equal(db_error(b)->class, DB_LOCK_TIMEOUT);
	assert_int_equal(db_commit(a), E_AGAIN);
	assert_int_equal(db_state(a), DB_IN_TX);
	(void)sqlite3_finalize(reading);
	assert_int_equal(db_commit(a), OK);
	assert_string_equal(ask(b, "SELECT count(*) FROM t"), "2");
	db_free(a);
	db_free(b);
}

static void test_sqlite_full_ends_the_transaction(void **state)
{
	struct db *db = open_lite("full.db");

	(void)state;
	run(db, "CREATE TABLE t (v BLOB)");
	run(db, "PRAGMA max_page_count = 10");
	assert_int_equal(db_begin(db), OK);
	expect(db, "INSERT INTO t VALUES (zeroblob(100000))", E_LIMIT, DB_FULL);
	/* Whether SQLite rolled back by itself or not: nothing gets in. */
	if (db_state(db) == DB_FAILED) {
		expect(db, "INSERT INTO t VALUES (1)", E_STATE, DB_ABORTED);
		assert_int_equal(db_commit(db), E_STATE);
	} else {
		assert_int_equal(db_rollback(db), OK);
	}
	assert_int_equal(db_state(db), DB_IDLE);
	assert_string_equal(ask(db, "SELECT count(*) FROM t"), "0");
	db_free(db);
}

static void test_sqlite_rolled_back_by_itself_is_noticed(void **state)
{
	struct db *db = open_lite("itself.db");

	(void)state;
	run(db, "CREATE TABLE t (id INTEGER PRIMARY KEY)");
	assert_int_equal(db_begin(db), OK);
	run(db, "INSERT INTO t VALUES (1)");
	expect(db, "INSERT OR ROLLBACK INTO t VALUES (1)", E_INVALID,
	       DB_CONSTRAINT);
	assert_int_equal(db_state(db), DB_FAILED);
	expect(db, "INSERT INTO t VALUES (2)", E_STATE, DB_ABORTED);
	assert_int_equal(db_commit(db), E_STATE);
	assert_string_equal(ask(db, "SELECT count(*) FROM t"), "0");
	db_free(db);
}

static void test_sqlite_deferred_violation_is_no_commit(void **state)
{
	struct db *db = open_lite("deferred.db");

	(void)state;
	run(db, "CREATE TABLE a (id INTEGER PRIMARY KEY)");
	run(db,
	    "CREATE TABLE b (a REFERENCES a DEFERRABLE INITIALLY DEFERRED)");
	assert_int_equal(db_begin(db), OK);
	run(db, "INSERT INTO b VALUES (7)");
	assert_int_equal(db_commit(db), E_INVALID);
	assert_int_equal(db_error(db)->class, DB_CONSTRAINT);
	assert_int_equal(db_state(db), DB_IDLE);
	assert_string_equal(ask(db, "SELECT count(*) FROM b"), "0");
	db_free(db);
}

/* ---- connecting and identity ---- */

static void connect_fails(const char *dsn, int err)
{
	struct db_error error;
	struct db *db;
	int rc = db_open(&db, &mem_heap, dsn, &error);

	if (rc != err)
		fail_msg("%s: %s %s", dsn, err_name(rc), error.message);
	assert_true(error.message[0] != '\0');
	assert_null(strstr(error.message, "secret"));
}

static void test_a_failed_connection_says_why(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, &mem_heap);
	connect_fails("oracle://x", E_INVALID);
	connect_fails("mysql:/x", E_INVALID);
	connect_fails("mysql://u:p@h:0/x", E_INVALID);
	connect_fails("mysql://u:%zz@h/x", E_INVALID);
	connect_fails("postgresql://h:1:2:3/x?nosuch=1", E_INVALID);
	connect_fails("postgresql://u:secret@127.0.0.1:1/x", E_IO);
	connect_fails("mysql://u:secret@127.0.0.1:1/x", E_IO);
	connect_fails("sqlite:/nosuch/dir/x.db", E_NOTFOUND);
	buf_printf(&b, "%.*snosuch",
		   (int)(strlen(servers.postgresql) - strlen("postgres")),
		   servers.postgresql);
	connect_fails(buf_text(&b), E_NOTFOUND);
	buf_clear(&b);
	buf_printf(&b, "mysql://treaty:secret%s", strchr(servers.mariadb, '@'));
	connect_fails(buf_text(&b), E_DENIED);
	buf_fini(&b);
}

static void test_identity_names_the_database_not_the_way(void **state)
{
	const char *dsns[] = { servers.postgresql, servers.mariadb };
	struct bytes first, second;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(dsns); i++) {
		struct db *db = open_db(dsns[i]);

		assert_int_equal(db_identity(db, &arena, &first), OK);
		db_free(db);
		db = open_db(dsns[i]);
		assert_int_equal(db_identity(db, &arena, &second), OK);
		assert_true(bytes_equal(first, second));
		assert_true(first.len > 20);
		db_free(db);
	}
}

static void test_identity_of_sqlite_is_the_real_path(void **state)
{
	struct db *db = open_lite("id.db"), *link;
	struct bytes first, second;
	struct buf a, b;

	(void)state;
	buf_init(&a, &mem_heap);
	buf_init(&b, &mem_heap);
	buf_printf(&a, "%s/id.db", servers.dir);
	buf_printf(&b, "%s/link.db", servers.dir);
	assert_int_equal(symlink(buf_text(&a), buf_text(&b)), 0);
	link = open_lite("link.db");
	assert_int_equal(db_identity(db, &arena, &first), OK);
	assert_int_equal(db_identity(link, &arena, &second), OK);
	assert_true(bytes_equal(first, second));
	db_free(db);
	db_free(link);
	buf_fini(&a);
	buf_fini(&b);
	db = open_db("sqlite::memory:");
	assert_int_equal(db_identity(db, &arena, &first), E_UNSUPPORTED);
	db_free(db);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_postgresql_errors_have_their_class),
		cmocka_unit_test(test_postgresql_names_a_deadlock),
		cmocka_unit_test(test_postgresql_locks_and_snapshots),
		cmocka_unit_test(
			test_postgresql_commit_of_a_failed_transaction_fails),
		cmocka_unit_test(test_postgresql_lost_in_commit_is_unknown),
		cmocka_unit_test(
			test_postgresql_lost_before_commit_is_no_commit),
		cmocka_unit_test(
			test_postgresql_prepares_again_what_was_discarded),
		cmocka_unit_test(test_postgresql_in_use_is_left_alone),
		cmocka_unit_test(
			test_several_statements_stop_at_the_first_failure),
		cmocka_unit_test(test_much_in_one_round_trip_does_not_jam),
		cmocka_unit_test(test_mariadb_errors_have_their_class),
		cmocka_unit_test(test_mariadb_names_a_deadlock),
		cmocka_unit_test(
			test_mariadb_lock_timeout_keeps_the_transaction),
		cmocka_unit_test(test_mariadb_lost_in_commit_is_unknown),
		cmocka_unit_test(test_mariadb_lost_before_commit_is_no_commit),
		cmocka_unit_test(test_mariadb_in_use_is_left_alone),
		cmocka_unit_test(test_native_errors_are_told_apart_too),
		cmocka_unit_test(test_sqlite_errors_have_their_class),
		cmocka_unit_test(test_sqlite_busy_commit_may_be_tried_again),
		cmocka_unit_test(test_sqlite_full_ends_the_transaction),
		cmocka_unit_test(test_sqlite_rolled_back_by_itself_is_noticed),
		cmocka_unit_test(test_sqlite_deferred_violation_is_no_commit),
		cmocka_unit_test(test_a_failed_connection_says_why),
		cmocka_unit_test(test_identity_names_the_database_not_the_way),
		cmocka_unit_test(test_identity_of_sqlite_is_the_real_path),
		/* last: it takes the server down */
		cmocka_unit_test(test_postgresql_crash_in_commit_is_unknown),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
