#include "rm-agent/at/resource_impl.h"
#include "tests/live/at_world.h"

#include <dirent.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

/*
 * Which undo rows the keeper purges and which it never touches, on each of the
 * three databases. The purge is called by hand, no thread is there.
 */

static struct servers servers;

/* What the coordinator answers, in place of the desk. */
static int answer, answers_code;
static unsigned asked;

static int answer_all(void *ctx, const char *xid, int *status)
{
	(void)ctx;
	(void)xid;
	asked++;
	*status = answer;
	return answers_code;
}

/* "committed" for the xid 127.0.0.1:7091:9999 alone. */
static int answer_last(void *ctx, const char *xid, int *status)
{
	(void)ctx;
	asked++;
	*status = strstr(xid, ":9999") ? GTX_COMMITTED : GTX_BEGIN;
	return OK;
}

static const char *dsn_of(int which)
{
	static char path[300];
	static int n;

	if (which == 0)
		return servers.postgresql;
	if (which == 1)
		return servers.mariadb;
	snprintf(path, sizeof path, "sqlite:%s/keep%d.db?create=1", servers.dir,
		 n++);
	return path;
}

static void open_each(struct at_world *w, int which)
{
	static const struct treaty_at_options o = { .no_thread = true,
						    .undo_keep_days = 3 };

	world_open(w, dsn_of(which), &o);
	w->at->resource->link.status = answer_all;
	answers_code = OK;
	asked = 0;
	if (w->dialect != DIALECT_SQLITE)
		world_sql(w, "DROP TABLE IF EXISTS t;\nDELETE FROM undo_log");
	world_sql(w, "CREATE TABLE t (id int NOT NULL PRIMARY KEY, n int);\n"
		     "INSERT INTO t VALUES (1, 10), (2, 20)");
}

#define EACH(w)                                                                \
	for (int which = 0; which < 3 && (open_each(&(w), which), 1);          \
	     which++, world_close(&(w)))

static void set_age(struct at_world *w, unsigned seconds)
{
	struct buf sql;

	buf_init(&sql, &mem_heap);
	buf_put_text(&sql, "UPDATE undo_log SET log_created = ");
	if (w->dialect == DIALECT_POSTGRES)
		buf_printf(&sql,
			   "now() AT TIME ZONE 'UTC' - %u * "
			   "interval '1 second'",
			   seconds);
	else if (w->dialect == DIALECT_MYSQL)
		buf_printf(&sql, "utc_timestamp(6) - INTERVAL %u SECOND",
			   seconds);
	else
		buf_printf(&sql,
			   "strftime('%%Y-%%m-%%d %%H:%%M:%%f', 'now', "
			   "'-%u seconds')",
			   seconds);
	world_sql(w, buf_text(&sql));
	buf_fini(&sql);
}

static int64_t rows_left(struct at_world *w)
{
	return world_count(w, "SELECT COUNT(*) FROM undo_log");
}

static int purge(struct at_world *w)
{
	return keeper_purge(w->at->resource);
}

static struct treaty_tx *branch(struct at_world *w)
{
	struct treaty_tx *tx = at_desk_begin(&w->desk);

	world_exec(w, "UPDATE t SET n = n + 1 WHERE id = 1", OK);
	at_desk_bind(NULL);
	return tx;
}

/* ---- rows of branches ---- */

static bool counts_as_committed(int status)
{
	return status == GTX_COMMITTED || status == GTX_COMMITTING ||
	       status == GTX_COMMIT_RETRYING || status == GTX_ASYNC_COMMITTING;
}

static const char alive[] = "SELECT COUNT(*) FROM undo_log "
			    "WHERE log_status = 0";

static void test_only_rows_of_committed_transactions_are_purged(void **state)
{
	struct at_world w;

	(void)state;
	EACH(w)
	{
		struct treaty_tx *tx = branch(&w);

		set_age(&w, 3600);
		for (answer = 0; answer < GTX_STATUSES; answer++) {
			if (counts_as_committed(answer))
				continue;
			assert_int_equal(purge(&w), OK);
			assert_int_equal(rows_left(&w), 1);
		}
		/* It can still be undone. */
		assert_int_equal(at_desk_rollback(&w.desk, tx), 0);
		assert_int_equal(world_count(&w, "SELECT n FROM t WHERE "
						 "id = 1"),
				 10);
		for (answer = 0; answer < GTX_STATUSES; answer++) {
			if (!counts_as_committed(answer))
				continue;
			tx = branch(&w);
			set_age(&w, 3600);
			assert_int_equal(purge(&w), OK);
			assert_int_equal(world_count(&w, alive), 0);
			assert_int_equal(at_desk_commit(&w.desk, tx), 0);
		}
	}
}

static void test_a_forgotten_transaction_is_not_purged(void **state)
{
	struct at_world w;

	(void)state;
	EACH(w)
	{
		(void)branch(&w);
		set_age(&w, 3600);
		answer = GTX_COMMITTED;
		answers_code = E_NOTFOUND;
		assert_int_equal(purge(&w), OK);
		assert_int_equal(asked, 1);
		assert_int_equal(rows_left(&w), 1);
	}
}

static void test_young_rows_are_not_asked_about(void **state)
{
	struct at_world w;

	(void)state;
	EACH(w)
	{
		(void)branch(&w);
		set_age(&w, 50);
		answer = GTX_COMMITTED;
		assert_int_equal(purge(&w), OK);
		assert_int_equal(asked, 0);
		assert_int_equal(rows_left(&w), 1);
		set_age(&w, 70);
		assert_int_equal(purge(&w), OK);
		assert_int_equal(rows_left(&w), 0);
	}
}

static void put_rows(struct at_world *w, int from, int n)
{
	static const char *const now[] = {
		[DIALECT_POSTGRES] = "now()",
		[DIALECT_MYSQL] = "utc_timestamp(6)",
		[DIALECT_SQLITE] = "strftime('%Y-%m-%d %H:%M:%f', 'now')",
	};
	const char *t = now[w->dialect];
	struct buf sql;

	buf_init(&sql, &mem_heap);
	buf_put_text(&sql, "INSERT INTO undo_log (branch_id, xid, part, "
			   "context, rollback_info, log_status, log_created, "
			   "log_modified) VALUES ");
	for (int i = from; i < from + n; i++)
		buf_printf(&sql,
			   "%s(7, '127.0.0.1:7091:%d', 1, '', '', 0, %s, %s)",
			   i > from ? ", " : "", i, t, t);
	world_sql(w, buf_text(&sql));
	buf_fini(&sql);
}

static void test_nobody_answers_so_nothing_is_purged(void **state)
{
	struct at_world w;

	(void)state;
	EACH(w)
	{
		put_rows(&w, 1, 20);
		set_age(&w, 3600);
		answer = GTX_COMMITTED;
		answers_code = E_TIMEOUT;
		assert_int_equal(purge(&w), E_TIMEOUT);
		/* Each answer that does not come costs a time-out. */
		assert_int_equal(asked, 1);
		assert_int_equal(rows_left(&w), 20);
		answers_code = OK;
		assert_int_equal(purge(&w), OK);
		assert_int_equal(rows_left(&w), 0);
	}
}

/* "Of another life" for each but the last. */
static int answer_other_life(void *ctx, const char *xid, int *status)
{
	int rc = answer_last(ctx, xid, status);

	return strstr(xid, ":9999") ? rc : E_UNKNOWN;
}

static void test_rows_of_another_life_stay_and_hide_no_finished_one(
	void **state)
{
	struct at_world w;

	(void)state;
	EACH(w)
	{
		w.at->resource->link.status = answer_other_life;
		put_rows(&w, 1000, 600);
		put_rows(&w, 9999, 1);
		set_age(&w, 3600);
		assert_int_equal(purge(&w), OK);
		assert_int_equal(asked, 601);
		assert_int_equal(rows_left(&w), 600);
	}
}

static void test_many_unfinished_ones_hide_no_finished_one(void **state)
{
	struct at_world w;

	(void)state;
	EACH(w)
	{
		w.at->resource->link.status = answer_last;
		put_rows(&w, 1000, 1200);
		put_rows(&w, 9999, 1);
		/* All of one age: the last by name is the last of the list. */
		set_age(&w, 3600);
		assert_int_equal(purge(&w), OK);
		assert_int_equal(asked, 1201);
		assert_int_equal(rows_left(&w), 1200);
		assert_int_equal(world_count(&w, "SELECT COUNT(*) FROM "
						 "undo_log WHERE xid = "
						 "'127.0.0.1:7091:9999'"),
				 0);
	}
}

/* ---- defence rows ---- */

/* Phase two before phase one: nothing to undo, and a row that says so. */
static void make_defence(struct at_world *w)
{
	struct treaty_tx *tx = branch(w);

	world_sql(w, "DELETE FROM undo_log;\n"
		     "UPDATE t SET n = 10 WHERE id = 1");
	assert_int_equal(at_desk_rollback(&w->desk, tx), 0);
	assert_int_equal(world_count(w, "SELECT COUNT(*) FROM undo_log WHERE "
					"log_status = 1"),
			 1);
}

static void test_defence_rows_go_by_age_alone(void **state)
{
	struct at_world w;

	(void)state;
	EACH(w)
	{
		make_defence(&w);
		answer = GTX_COMMITTED;
		set_age(&w, 3 * 86400 - 100);
		assert_int_equal(purge(&w), OK);
		assert_int_equal(rows_left(&w), 1);
		set_age(&w, 3 * 86400 + 100);
		answers_code = E_TIMEOUT;
		assert_int_equal(purge(&w), OK);
		assert_int_equal(rows_left(&w), 0);
		assert_int_equal(asked, 0);
	}
}

/* Of the thread of this number, as /proc tells. */
static unsigned long long blocked_signals(const char *tid)
{
	unsigned long long mask = 0;
	char path[320], line[128];
	FILE *f;

	snprintf(path, sizeof path, "/proc/self/task/%s/status", tid);
	f = fopen(path, "r");
	REQUIRE(f);
	while (fgets(line, sizeof line, f))
		if (strncmp(line, "SigBlk:", 7) == 0)
			mask = strtoull(line + 7, NULL, 16);
	fclose(f);
	return mask;
}

/* A program that waits for SIGTERM in one thread gets it there, and is not
 * ended by a thread of ours that has not blocked it. */
static void test_the_programs_signals_are_not_for_the_keeper(void **state)
{
	const struct treaty_at_options o = { .no_thread = false };
	struct dirent *task;
	struct at_world w;
	int threads = 0;
	sigset_t none;
	DIR *tasks;

	(void)state;
	/* Whatever the servers' harness has blocked. */
	(void)sigemptyset(&none);
	(void)pthread_sigmask(SIG_SETMASK, &none, NULL);
	world_open(&w, dsn_of(2), &o);
	/* A thread is born with all signals blocked, and then unblocks. */
	usleep(100000);
	tasks = opendir("/proc/self/task");
	REQUIRE(tasks);
	while ((task = readdir(tasks))) {
		if (task->d_name[0] == '.' ||
		    strtol(task->d_name, NULL, 10) == getpid())
			continue;
		threads++;
		assert_true(blocked_signals(task->d_name) &
			    1ULL << (SIGTERM - 1));
	}
	closedir(tasks);
	assert_int_equal(threads, 1);
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

#define T(name) cmocka_unit_test(name)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_only_rows_of_committed_transactions_are_purged),
		T(test_a_forgotten_transaction_is_not_purged),
		T(test_young_rows_are_not_asked_about),
		T(test_nobody_answers_so_nothing_is_purged),
		T(test_rows_of_another_life_stay_and_hide_no_finished_one),
		T(test_many_unfinished_ones_hide_no_finished_one),
		T(test_defence_rows_go_by_age_alone),
		T(test_the_programs_signals_are_not_for_the_keeper),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
