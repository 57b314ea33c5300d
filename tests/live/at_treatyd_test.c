#include "tests/fakes/treatyd_proc.h"
#include "tests/live/servers.h"

#include "base/hash.h"
#include "rm-agent/at/engine.h"
#include "rm-agent/at/resource_impl.h"
#include "rm-agent/db/my.h"

#include <treaty/mysql.h>
#include <treaty/pq.h>
#include <treaty/sqlite.h>

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* The whole way: an application, the agent, treatyd, three databases. */

static struct servers servers;
static struct treatyd daemon_ = { 0 };
static char lite_path[200], lite_dsn[220];

struct app {
	struct treaty *t;
	PGconn *pg;
	MYSQL *my;
	sqlite3 *lite;
	struct treaty_at *at[3];
};

static void must(int rc, const char *what)
{
	if (rc != TREATY_OK)
		fail_msg("%s: %s: %s", what, treaty_error_text(rc),
			 treaty_last_error());
}

static struct treaty *open_handle(const char *application)
{
	struct treaty_options o;
	struct treaty *t;

	treaty_options_init(&o, sizeof o);
	o.address = daemon_.agents;
	o.application = application;
	o.rollback_wait_ms = 5000;
	o.commit_wait_ms = 2000;
	must(treaty_open(&t, &o), "treaty_open");
	return t;
}

static MYSQL *open_mysql(void)
{
	MYSQL *m = mysql_init(NULL);
	struct arena arena;
	struct my_dsn d;

	arena_init(&arena, &mem_heap, 0);
	assert_int_equal(my_dsn_parse(&arena, servers.mariadb, &d), OK);
	if (!mysql_real_connect(m, d.host, d.user, d.password, d.database,
				d.port, d.socket, 0))
		fail_msg("%s", mysql_error(m));
	arena_fini(&arena);
	return m;
}

static void app_connect(struct app *a, struct treaty *t)
{
	a->t = t;
	a->pg = PQconnectdb(servers.postgresql);
	assert_int_equal(PQstatus(a->pg), CONNECTION_OK);
	a->my = open_mysql();
	assert_int_equal(sqlite3_open(lite_path, &a->lite), SQLITE_OK);
	sqlite3_busy_timeout(a->lite, 2000);
	must(treaty_at_wrap_pg(t, a->pg, NULL, &a->at[0]), "wrap_pg");
	must(treaty_at_wrap_mysql(t, a->my, NULL, &a->at[1]), "wrap_mysql");
	must(treaty_at_wrap_sqlite(t, a->lite, NULL, &a->at[2]), "wrap_sqlite");
}

static void app_leave(struct app *a)
{
	treaty_PQfinish(a->pg);
	treaty_mysql_close(a->my);
	assert_int_equal(treaty_sqlite3_close(a->lite), SQLITE_OK);
}

static void exec(struct treaty_at *at, const char *sql)
{
	must(treaty_at_exec(at, sql, NULL, 0, NULL), sql);
}

static int64_t number(struct treaty_at *at, const char *sql)
{
	struct treaty_result *r;
	int64_t n;

	must(treaty_at_exec(at, sql, NULL, 0, &r), sql);
	n = strtoll(treaty_result_text(r, 0, 0), NULL, 10);
	treaty_result_free(r);
	return n;
}

static void fill(struct app *a)
{
	for (int i = 0; i < 3; i++) {
		exec(a->at[i], "DROP TABLE IF EXISTS acc");
		exec(a->at[i], "CREATE TABLE acc (id int NOT NULL PRIMARY KEY, "
			       "n int NOT NULL)");
		exec(a->at[i], "INSERT INTO acc VALUES (1, 100), (2, 100)");
	}
}

static int64_t total(struct app *a)
{
	int64_t n = 0;

	for (int i = 0; i < 3; i++)
		n += number(a->at[i], "SELECT SUM(n) FROM acc");
	return n;
}

/* Phase two may still run; undo rows of commits go a little later. */
static int64_t left_over(struct app *a)
{
	int64_t n = 0;

	for (int try = 0; try < 100; try++) {
		n = 0;
		for (int i = 0; i < 3; i++)
			n += number(a->at[i], "SELECT COUNT(*) FROM undo_log "
					      "WHERE log_status = 0");
		if (n == 0)
			return 0;
		usleep(50000);
	}
	return n;
}

static void test_three_databases_commit_and_roll_back_as_one(void **state)
{
	struct treaty *t = open_handle("at-test");
	struct treaty_tx *tx;
	struct app a;

	(void)state;
	app_connect(&a, t);
	fill(&a);
	must(treaty_begin(t, "one", 30000, &tx), "begin");
	exec(a.at[0], "UPDATE acc SET n = n - 30 WHERE id = 1");
	exec(a.at[1], "UPDATE acc SET n = n + 20 WHERE id = 2");
	exec(a.at[2], "INSERT INTO acc VALUES (3, 10)");
	must(treaty_rollback(tx, "because"), "rollback");
	must(treaty_release(tx), "release");
	assert_int_equal(total(&a), 600);
	assert_int_equal(left_over(&a), 0);
	assert_int_equal(number(a.at[0], "SELECT n FROM acc WHERE id = 1"),
			 100);
	must(treaty_begin(t, "two", 30000, &tx), "begin");
	exec(a.at[0], "UPDATE acc SET n = n - 30 WHERE id = 1");
	exec(a.at[1], "UPDATE acc SET n = n + 20 WHERE id = 2");
	exec(a.at[2], "INSERT INTO acc VALUES (3, 10)");
	must(treaty_commit(tx), "commit");
	must(treaty_release(tx), "release");
	assert_int_equal(total(&a), 600);
	assert_int_equal(number(a.at[0], "SELECT n FROM acc WHERE id = 1"), 70);
	assert_int_equal(left_over(&a), 0);
	app_leave(&a);
	must(treaty_close(t), "close");
}

/* ---- an agent that dies ---- */

static void child(int from_parent, int to_parent)
{
	char xid[TREATY_XID_MAX + 1] = "";
	struct treaty_tx *tx;
	struct app a;

	if (read(from_parent, xid, sizeof xid - 1) <= 0)
		_exit(1);
	app_connect(&a, open_handle("at-victim"));
	must(treaty_join(a.t, xid, &tx), "join");
	for (int i = 0; i < 3; i++)
		exec(a.at[i], "UPDATE acc SET n = n * 2");
	if (write(to_parent, "x", 1) != 1)
		_exit(1);
	pause();
	_exit(0);
}

static void prepare_tables(void)
{
	struct treaty *t = open_handle("at-test");
	struct app a;

	app_connect(&a, t);
	fill(&a);
	app_leave(&a);
	must(treaty_close(t), "close");
}

static void test_a_killed_agent_is_undone_by_its_successor(void **state)
{
	int down[2], up[2], status;
	struct treaty_tx *tx;
	struct treaty *t;
	struct app a;
	pid_t pid;
	char c;

	(void)state;
	assert_int_equal(pipe(down) | pipe(up), 0);
	pid = fork();
	if (pid == 0)
		child(down[0], up[1]);
	prepare_tables();
	t = open_handle("at-tm");
	must(treaty_begin(t, "kill", 30000, &tx), "begin");
	assert_true(write(down[1], treaty_xid(tx), strlen(treaty_xid(tx))) > 0);
	assert_int_equal(read(up[0], &c, 1), 1);
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	/* A coordinator that dies, too, forgets nothing. */
	treatyd_kill(&daemon_);
	assert_true(treatyd_start(&daemon_, NULL));
	must(treaty_rollback(tx, "the agent is dead"), "rollback");
	must(treaty_release(tx), "release");
	/* The successor: another process of that application. */
	must(treaty_at_serve(t, servers.postgresql, NULL), "serve");
	must(treaty_at_serve(t, servers.mariadb, NULL), "serve");
	must(treaty_at_serve(t, lite_dsn, NULL), "serve");
	app_connect(&a, t);
	for (int i = 0; i < 200 && total(&a) != 600; i++)
		usleep(50000);
	assert_int_equal(total(&a), 600);
	assert_int_equal(left_over(&a), 0);
	app_leave(&a);
	must(treaty_close(t), "close");
}

/* ---- an agent that dies between the decision and the deletion ---- */

static const char *const dsns[] = { servers.postgresql, servers.mariadb,
				    lite_dsn };

/* One transaction is committed, another never decided. */
static void commit_and_hang(int from_parent, int to_parent)
{
	char xid[TREATY_XID_MAX + 1] = "";
	struct treaty_tx *open, *done;
	struct app a;

	if (read(from_parent, xid, sizeof xid - 1) <= 0)
		_exit(1);
	app_connect(&a, open_handle("at-victim"));
	must(treaty_join(a.t, xid, &open), "join");
	for (int i = 0; i < 3; i++)
		exec(a.at[i], "UPDATE acc SET n = n * 2 WHERE id = 2");
	(void)treaty_unbind(a.t);
	must(treaty_begin(a.t, "done", 300000, &done), "begin");
	for (int i = 0; i < 3; i++) {
		exec(a.at[i], "UPDATE acc SET n = n + 1 WHERE id = 1");
		/* Nobody deletes what the coordinator has heard of. */
		pthread_mutex_lock(&a.at[i]->resource->flushing);
	}
	must(treaty_commit(done), "commit");
	if (write(to_parent, "x", 1) != 1)
		_exit(1);
	pause();
	_exit(0);
}

/* Past Treaty: an application that wraps starts the keeper. */
static int64_t look(const char *dsn, const char *sql)
{
	struct db_stmt stmt = { .sql = bytes_of(sql) };
	struct db_error error = { 0 };
	struct db_result r;
	struct arena arena;
	struct db *db;
	int64_t n = 0;

	arena_init(&arena, &mem_heap, 0);
	if (db_open(&db, &mem_heap, dsn, &error) != OK)
		fail_msg("%s: %s", dsn, error.message);
	if (db_exec(db, &stmt, &arena, &r) != OK)
		fail_msg("%s: %s", sql, db_error(db)->message);
	if (r.n_rows)
		n = strtoll((const char *)db_value(&r, 0, 0).data.data, NULL,
			    10);
	db_free(db);
	arena_fini(&arena);
	return n;
}

#define UNDO_ROWS "SELECT COUNT(*) FROM undo_log WHERE log_status = 0"

static void make_old(void)
{
	static const char *const sql[] = {
		"UPDATE undo_log SET log_created = log_created - "
		"interval '1 hour'",
		"UPDATE undo_log SET log_created = log_created - "
		"INTERVAL 1 HOUR",
		"UPDATE undo_log SET log_created = "
		"strftime('%Y-%m-%d %H:%M:%f', log_created, '-1 hour')",
	};

	for (int i = 0; i < 3; i++)
		(void)look(dsns[i], sql[i]);
}

static void purged_by_successor(struct treaty_tx *open)
{
	struct treaty *t = open_handle("at-victim");
	struct app a;

	for (int i = 0; i < 3; i++) {
		must(treaty_at_serve(t, dsns[i], NULL), "serve");
		for (int try = 0; try < 200 && look(dsns[i], UNDO_ROWS) > 1;
		     try++)
			usleep(50000);
		assert_int_equal(look(dsns[i], UNDO_ROWS), 1);
	}
	/* What is left is what the open one needs. */
	must(treaty_rollback(open, "the agent is dead"), "rollback");
	must(treaty_release(open), "release");
	app_connect(&a, t);
	assert_int_equal(left_over(&a), 0);
	assert_int_equal(total(&a), 603);
	app_leave(&a);
	must(treaty_close(t), "close");
}

static void test_undo_rows_of_a_killed_agent_are_purged(void **state)
{
	int down[2], up[2], status;
	struct treaty_tx *open;
	struct treaty *tm;
	pid_t pid;
	char c;

	(void)state;
	assert_int_equal(pipe(down) | pipe(up), 0);
	pid = fork();
	if (pid == 0)
		commit_and_hang(down[0], up[1]);
	prepare_tables();
	for (int i = 0; i < 3; i++)
		(void)look(dsns[i], "DELETE FROM undo_log");
	tm = open_handle("at-tm");
	must(treaty_begin(tm, "open", 300000, &open), "begin");
	assert_true(write(down[1], treaty_xid(open), strlen(treaty_xid(open))) >
		    0);
	assert_int_equal(read(up[0], &c, 1), 1);
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	for (int i = 0; i < 3; i++)
		assert_int_equal(look(dsns[i], UNDO_ROWS), 2);
	make_old();
	treatyd_kill(&daemon_);
	assert_true(treatyd_start(&daemon_, NULL));
	purged_by_successor(open);
	must(treaty_close(tm), "close");
}

/* ---- many at once ---- */

struct mover {
	struct treaty *t;
	pthread_t thread;
	uint64_t seed;
	int committed, rolled_back, refused;
};

static const char *const move_sql[2] = {
	"UPDATE acc SET n = n - 1 WHERE id = 1",
	"UPDATE acc SET n = n - 1 WHERE id = 2",
};
static const char *const back_sql[2] = {
	"UPDATE acc SET n = n + 1 WHERE id = 1",
	"UPDATE acc SET n = n + 1 WHERE id = 2",
};

static void move_once(struct mover *m, struct app *a)
{
	size_t from = random_next(&m->seed) % 3, to = random_next(&m->seed) % 3;
	size_t row = random_next(&m->seed) % 2;
	struct treaty_tx *tx;
	int rc;

	must(treaty_begin(m->t, "move", 30000, &tx), "begin");
	rc = treaty_at_exec(a->at[from], move_sql[row], NULL, 0, NULL);
	if (rc == TREATY_OK)
		rc = treaty_at_exec(a->at[to], back_sql[1 - row], NULL, 0,
				    NULL);
	if (rc != TREATY_OK)
		m->refused++;
	if (rc == TREATY_OK && random_next(&m->seed) % 3) {
		must(treaty_commit(tx), "commit");
		m->committed++;
	} else {
		must(treaty_rollback(tx, NULL), "rollback");
		m->rolled_back++;
	}
	must(treaty_release(tx), "release");
}

static void *move(void *arg)
{
	struct mover *m = arg;
	struct app a;

	app_connect(&a, m->t);
	for (int i = 0; i < 25; i++)
		move_once(m, &a);
	app_leave(&a);
	return NULL;
}

static void test_money_is_conserved_when_many_move_it(void **state)
{
	struct treaty *t = open_handle("at-movers");
	struct mover movers[4];
	struct app a;

	(void)state;
	app_connect(&a, t);
	fill(&a);
	for (size_t i = 0; i < ARRAY_LEN(movers); i++) {
		movers[i] = (struct mover){ .t = t, .seed = 100 + i };
		pthread_create(&movers[i].thread, NULL, move, &movers[i]);
	}
	for (size_t i = 0; i < ARRAY_LEN(movers); i++) {
		pthread_join(movers[i].thread, NULL);
		print_message("mover %zu: %d committed, %d rolled back, "
			      "%d of them refused\n",
			      i, movers[i].committed, movers[i].rolled_back,
			      movers[i].refused);
		assert_true(movers[i].committed > 0);
	}
	assert_int_equal(left_over(&a), 0);
	assert_int_equal(total(&a), 600);
	app_leave(&a);
	must(treaty_close(t), "close");
}

static int start(void **state)
{
	sqlite3 *lite;

	(void)state;
	if (servers_start(&servers, SERVERS_POSTGRESQL | SERVERS_MARIADB))
		return -1;
	snprintf(lite_path, sizeof lite_path, "%s/app.db", servers.dir);
	snprintf(lite_dsn, sizeof lite_dsn, "sqlite:%s", lite_path);
	if (sqlite3_open(lite_path, &lite) != SQLITE_OK ||
	    sqlite3_exec(lite, "PRAGMA journal_mode = WAL", NULL, NULL, NULL))
		return -1;
	sqlite3_close(lite);
	return treatyd_start(&daemon_, NULL) ? 0 : -1;
}

static int stop(void **state)
{
	(void)state;
	treatyd_remove(&daemon_);
	servers_stop(&servers);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			test_three_databases_commit_and_roll_back_as_one),
		cmocka_unit_test(
			test_a_killed_agent_is_undone_by_its_successor),
		cmocka_unit_test(test_undo_rows_of_a_killed_agent_are_purged),
		cmocka_unit_test(test_money_is_conserved_when_many_move_it),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
