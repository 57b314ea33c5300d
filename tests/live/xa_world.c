#include "tests/live/xa_world.h"

#include "rm-agent/db/my.h"

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define PATIENCE_MS 20000

const struct treaty_xa_options xa_world_options = {
	.recover_every_ms = 100,
	.recover_after_ms = 300,
	.pinned_wait_ms = 10000,
};

void xa_nap(unsigned ms)
{
	(void)poll(NULL, 0, (int)ms);
}

void xa_ok(int rc, const char *what)
{
	if (rc != OK)
		fail_msg("%s: %s: %s", what, err_name(rc), treaty_last_error());
}

void xa_says(const char *part)
{
	if (!strstr(treaty_last_error(), part))
		fail_msg("\"%s\" does not say \"%s\"", treaty_last_error(),
			 part);
}

/* ---- connections ---- */

PGconn *xa_world_pg(const char *dsn)
{
	PGconn *conn = PQconnectdb(dsn);

	if (PQstatus(conn) != CONNECTION_OK)
		fail_msg("%s", PQerrorMessage(conn));
	return conn;
}

MYSQL *xa_world_my(const char *dsn)
{
	MYSQL *conn = mysql_init(NULL);
	struct arena arena;
	struct my_dsn d;

	arena_init(&arena, &mem_heap, 0);
	assert_int_equal(my_dsn_parse(&arena, dsn, &d), OK);
	mysql_options(conn, MYSQL_SET_CHARSET_NAME, "utf8mb4");
	if (!mysql_real_connect(conn, d.host, d.user, d.password, d.database,
				d.port, d.socket, 0))
		fail_msg("%s", mysql_error(conn));
	arena_fini(&arena);
	return conn;
}

/* ---- looking ---- */

static struct db *open_eye(const char *dsn)
{
	struct db_error error = { 0 };
	struct db *db;

	/* A server that was killed needs a moment. */
	for (int i = 0; db_open(&db, &mem_heap, dsn, &error) != OK; i++) {
		if (i == 100)
			fail_msg("%s", error.message);
		xa_nap(100);
	}
	return db;
}

static struct db *eye(struct xa_world *w)
{
	if (db_state(w->eye) == DB_GONE) {
		db_free(w->eye);
		w->eye = open_eye(w->dsn);
	}
	return w->eye;
}

void xa_sql(struct xa_world *w, const char *sql)
{
	struct db *db = eye(w);

	if (db_command(db, sql) == E_CLOSED)
		assert_int_equal(db_command(eye(w), sql), OK);
	else if (db_error(db)->message[0] && db_state(db) != DB_IDLE &&
		 db_state(db) != DB_IN_TX)
		fail_msg("%s: %s", sql, db_error(db)->message);
}

int64_t xa_count(struct xa_world *w, const char *sql)
{
	const char *value[1];
	struct arena arena;
	int64_t n;
	int rc;

	arena_init(&arena, &mem_heap, 0);
	rc = xa_row(eye(w), sql, &arena, value, 1);
	if (rc == E_CLOSED)
		rc = xa_row(eye(w), sql, &arena, value, 1);
	if (rc != OK)
		fail_msg("%s: %s", sql, db_error(w->eye)->message);
	n = strtoll(value[0], NULL, 10);
	arena_fini(&arena);
	return n;
}

void xa_until(struct xa_world *w, const char *sql, int64_t n)
{
	int64_t have = xa_count(w, sql);

	for (int ms = 0; have != n; ms += 20) {
		if (ms > PATIENCE_MS)
			fail_msg("%s gives %lld, not %lld", sql,
				 (long long)have, (long long)n);
		xa_nap(20);
		have = xa_count(w, sql);
	}
}

size_t xa_listed(struct xa_world *w)
{
	const struct xa_server *s = xa_server_of(db_dialect(eye(w)));
	struct arena arena;
	struct xa_gid *all;
	size_t n = 0;
	int rc;

	arena_init(&arena, &mem_heap, 0);
	rc = s->list(eye(w), &arena, &all, &n);
	if (rc == E_UNKNOWN || rc == E_CLOSED)
		rc = s->list(eye(w), &arena, &all, &n);
	assert_int_equal(rc, OK);
	arena_fini(&arena);
	return n;
}

void xa_until_listed(struct xa_world *w, size_t n)
{
	for (int ms = 0; xa_listed(w) != n; ms += 20) {
		if (ms > PATIENCE_MS)
			fail_msg("%zu are listed, not %zu", xa_listed(w), n);
		xa_nap(20);
	}
}

void xa_until_status(struct xa_world *w, const char *xid, int status)
{
	int have = -1;

	for (int ms = 0; ms <= PATIENCE_MS; ms += 20) {
		if (treaty_status(w->t, xid, &have) == OK && have == status)
			return;
		xa_nap(20);
	}
	fail_msg("%s is %s, not %s", xid, treaty_status_name(have),
		 treaty_status_name(status));
}

/* ---- the program ---- */

void xa_work(struct xa_world *w, const char *sql)
{
	if (w->pg) {
		PGresult *r = PQexec(w->pg, sql);
		ExecStatusType s = PQresultStatus(r);

		if (s != PGRES_COMMAND_OK && s != PGRES_TUPLES_OK)
			fail_msg("%s: %s", sql, PQerrorMessage(w->pg));
		PQclear(r);
		return;
	}
	if (mysql_query(w->my, sql))
		fail_msg("%s: %s", sql, mysql_error(w->my));
	mysql_free_result(mysql_store_result(w->my));
}

void xa_begin(struct xa_world *w)
{
	OKAY(treaty_begin(w->t, "xa", 60000, &w->tx));
	OKAY(treaty_xa_start(w->xa));
}

void xa_release(struct xa_world *w)
{
	OKAY(treaty_release(w->tx));
	w->tx = NULL;
}

/* ---- the world ---- */

static void fill(struct xa_world *w)
{
	xa_sql(w, "DROP TABLE IF EXISTS t");
	xa_sql(w, "CREATE TABLE t (id int PRIMARY KEY, v int NOT NULL)");
	xa_sql(w, "INSERT INTO t VALUES (1,0),(2,0),(3,0),(4,0),(5,0),(6,0),"
		  "(7,0),(8,0),(9,0)");
	assert_int_equal(xa_count(w, "SELECT COUNT(*) FROM t"), 9);
}

void xa_world_prepare(struct xa_world *w, struct servers *s, bool pg)
{
	*w = (struct xa_world){ .servers = s,
				.dsn = pg ? s->postgresql : s->mariadb };
	assert_true(treatyd_start(&w->d, NULL, NULL));
	w->eye = open_eye(w->dsn);
	assert_int_equal(xa_listed(w), 0); /* what a test left behind */
	fill(w);
}

void xa_world_handle(struct xa_world *w)
{
	struct treaty_options o;

	treaty_options_init(&o, sizeof o);
	o.address = w->d.agents;
	o.application = "live";
	o.rollback_wait_ms = 0;
	OKAY(treaty_open(&w->t, &o));
}

void xa_world_agent(struct xa_world *w)
{
	xa_world_handle(w);
	if (db_dialect(w->eye) == DIALECT_POSTGRES) {
		w->pg = xa_world_pg(w->dsn);
		OKAY(treaty_xa_wrap_pg(w->t, w->pg, &xa_world_options, &w->xa));
	} else {
		w->my = xa_world_my(w->dsn);
		OKAY(treaty_xa_wrap_mysql(w->t, w->my, &xa_world_options,
					  &w->xa));
	}
}

void xa_world_open(struct xa_world *w, struct servers *s, bool pg)
{
	xa_world_prepare(w, s, pg);
	xa_world_agent(w);
}

void xa_world_close(struct xa_world *w)
{
	treaty_xa_close(w->xa);
	if (w->tx)
		OKAY(treaty_release(w->tx));
	if (w->t)
		OKAY(treaty_close(w->t));
	db_free(w->eye);
	treatyd_remove(&w->d);
}

/* ---- a process that dies ---- */

static int die_at_phase_two(void *ctx, const struct treaty_hook_event *e)
{
	(void)ctx;
	if (e->step == TREATY_STEP_PHASE_TWO_COMMIT && !e->after)
		(void)raise(SIGKILL);
	return OK;
}

/* cmocka's failures must not run on in two processes. */
#define MUST(call)                                                             \
	do {                                                                   \
		if ((call) != OK)                                              \
			_exit(1);                                              \
	} while (0)

static _Noreturn void live_and_die(struct xa_world *w, enum xa_doom doom)
{
	struct treaty_options o;
	struct treaty_tx *tx;
	struct treaty_xa *xa;

	treaty_options_init(&o, sizeof o);
	o.address = w->d.agents;
	o.application = "live";
	MUST(treaty_open(&w->t, &o));
	MUST(treaty_hook_add(w->t, die_at_phase_two, NULL));
	MUST(treaty_xa_connect(w->t, w->dsn, &xa_world_options, &xa));
	MUST(treaty_begin(w->t, "dies", 3000, &tx));
	MUST(treaty_xa_start(xa));
	MUST(treaty_xa_run(xa, "UPDATE t SET v = 5 WHERE id = 1"));
	if (doom == XA_DIES_ACTIVE)
		(void)raise(SIGKILL);
	MUST(treaty_xa_end(xa));
	if (doom == XA_DIES_PREPARED)
		(void)raise(SIGKILL);
	MUST(treaty_commit(tx));
	(void)pause();
	_exit(1);
}

void xa_child(struct xa_world *w, enum xa_doom doom)
{
	pid_t pid = fork();
	int status = 0;

	assert_true(pid >= 0);
	if (pid == 0)
		live_and_die(w, doom);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}
