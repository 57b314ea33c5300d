#include "tests/live/at_world.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

/* What goes wrong between two transactions, on each of the three databases. */

static struct servers servers;

static const char *dsn_of(int which)
{
	static char path[300];
	static int n;

	if (which == 0)
		return servers.postgresql;
	if (which == 1)
		return servers.mariadb;
	snprintf(path, sizeof path, "sqlite:%s/fault%d.db?create=1",
		 servers.dir, n++);
	return path;
}

static const struct treaty_at_options quick = { .lock_wait_ms = 300,
						.retry_for_ms = 3000 };

static void open_each(struct at_world *w, int which,
		      const struct treaty_at_options *options)
{
	world_open(w, dsn_of(which), options);
	if (w->dialect != DIALECT_SQLITE)
		world_sql(w, "DROP TABLE IF EXISTS t;\n"
			     "DELETE FROM undo_log");
	world_sql(w, "CREATE TABLE t (id int NOT NULL PRIMARY KEY, n int, "
		     "s varchar(20));\n"
		     "INSERT INTO t VALUES (1, 10, 'a'), (2, 20, 'b')");
}

#define EACH(w, options)                                                       \
	for (int which = 0; which < 3 && (open_each(&(w), which, options), 1); \
	     which++, world_close(&(w)))

static int64_t sum(struct at_world *w)
{
	return world_count(w, "SELECT SUM(n) FROM t");
}

/* ---- conflicts ---- */

struct helper {
	struct at_world *w;
	struct treaty_tx *tx;
};

static unsigned checks(struct at_world *w)
{
	unsigned n;

	pthread_mutex_lock(&w->desk.lock);
	n = w->desk.checks;
	pthread_mutex_unlock(&w->desk.lock);
	return n;
}

/* Once somebody has met the lock. */
static void *commit_later(void *arg)
{
	struct helper *h = arg;

	for (int i = 0; i < 2000 && checks(h->w) == 0; i++)
		usleep(5000);
	usleep(20000);
	assert_int_equal(at_desk_commit(&h->w->desk, h->tx), 0);
	return NULL;
}

static void test_a_statement_waits_for_the_holder_and_runs_again(void **state)
{
	struct at_world w, second;

	(void)state;
	EACH(w, NULL)
	{
		struct helper h = { &w, at_desk_begin(&w.desk) };
		struct treaty_tx *mine;
		pthread_t thread;

		world_open_second(&second, &w, NULL);
		world_exec(&w, "UPDATE t SET n = n + 1 WHERE id = 1", OK);
		mine = at_desk_begin(&w.desk);
		pthread_create(&thread, NULL, commit_later, &h);
		world_exec(&second, "UPDATE t SET n = n * 2 WHERE id = 1", OK);
		pthread_join(thread, NULL);
		assert_true(second.at->stats.retries > 0);
		assert_int_equal(sum(&w), 42);
		assert_int_equal(at_desk_rollback(&w.desk, mine), 0);
		assert_int_equal(sum(&w), 31);
		world_close_second(&second);
	}
}

static void test_a_conflict_names_the_holder_and_holds_nothing(void **state)
{
	struct at_world w, second;

	(void)state;
	EACH(w, NULL)
	{
		struct treaty_tx *holder = at_desk_begin(&w.desk), *mine;
		const struct treaty_at_error *e;

		world_open_second(&second, &w, &quick);
		world_exec(&w, "DELETE FROM t WHERE id = 1", OK);
		mine = at_desk_begin(&w.desk);
		world_exec(&second, "INSERT INTO t VALUES (1, 0, 'x')",
			   E_TIMEOUT);
		e = treaty_at_error(second.at);
		assert_string_equal(e->holder, holder->xid);
		assert_non_null(strstr(e->message, holder->xid));
		assert_non_null(strstr(e->message, "t(1)"));
		assert_int_equal(db_state(second.hand), DB_IDLE);
		world_sql(&w, "UPDATE t SET n = 21 WHERE id = 2");
		assert_int_equal(at_desk_rollback(&w.desk, holder), 0);
		assert_int_equal(at_desk_rollback(&w.desk, mine), 0);
		assert_int_equal(sum(&w), 31);
		world_close_second(&second);
	}
}

static void test_a_conflict_ends_an_explicit_transaction(void **state)
{
	struct at_world w, second;

	(void)state;
	EACH(w, NULL)
	{
		struct treaty_tx *holder = at_desk_begin(&w.desk), *mine;

		world_open_second(&second, &w, &quick);
		world_exec(&w, "UPDATE t SET n = 11 WHERE id = 1", OK);
		mine = at_desk_begin(&w.desk);
		assert_int_equal(treaty_at_begin(second.at), OK);
		world_exec(&second, "UPDATE t SET n = 25 WHERE id = 2", OK);
		world_exec(&second, "UPDATE t SET n = 15 WHERE id = 1", OK);
		assert_int_equal(treaty_at_commit(second.at), E_TIMEOUT);
		assert_int_equal(db_state(second.hand), DB_IDLE);
		assert_int_equal(sum(&w), 31);
		assert_int_equal(at_desk_rollback(&w.desk, mine), 0);
		assert_int_equal(at_desk_rollback(&w.desk, holder), 0);
		assert_int_equal(sum(&w), 30);
		world_close_second(&second);
	}
}

static void test_a_locking_read_waits_for_the_holder(void **state)
{
	struct at_world w, second;

	(void)state;
	for (int which = 0; which < 2; which++) {
		struct helper h = { &w, NULL };
		struct treaty_result *r;
		struct treaty_tx *mine;
		pthread_t thread;

		open_each(&w, which, NULL);
		world_open_second(&second, &w, NULL);
		h.tx = at_desk_begin(&w.desk);
		world_exec(&w, "UPDATE t SET n = 11 WHERE id = 1", OK);
		mine = at_desk_begin(&w.desk);
		pthread_create(&thread, NULL, commit_later, &h);
		assert_int_equal(treaty_at_exec(second.at,
						"SELECT n FROM t WHERE id = 1 "
						"FOR UPDATE",
						NULL, 0, &r),
				 OK);
		pthread_join(thread, NULL);
		assert_int_equal(h.tx->status, GTX_COMMITTED);
		assert_int_equal(treaty_result_int(r, 0, 0), 11);
		treaty_result_free(r);
		assert_int_equal(at_desk_commit(&w.desk, mine), 0);
		world_close_second(&second);
		world_close(&w);
	}
}

static void test_locks_may_be_respected_outside(void **state)
{
	struct treaty_at_options o = quick;
	struct at_world w, second;

	(void)state;
	o.respect_global_locks = true;
	EACH(w, NULL)
	{
		struct treaty_tx *holder = at_desk_begin(&w.desk);

		world_open_second(&second, &w, &o);
		world_exec(&w, "UPDATE t SET n = 11 WHERE id = 1", OK);
		at_desk_bind(NULL);
		world_exec(&second, "UPDATE t SET n = 50 WHERE id = 1",
			   E_TIMEOUT);
		world_exec(&second, "UPDATE t SET n = 50 WHERE id = 2", OK);
		assert_int_equal(at_desk_rollback(&w.desk, holder), 0);
		assert_int_equal(sum(&w), 60);
		world_exec(&second, "UPDATE t SET n = 40 WHERE id = 1", OK);
		assert_int_equal(sum(&w), 90);
		assert_int_equal(second.at->stats.branches, 0);
		world_close_second(&second);
	}
}

static void test_an_insert_outside_waits_for_a_deleted_row(void **state)
{
	struct treaty_at_options o = { .lock_wait_ms = 5000 };
	struct at_world w, second;

	(void)state;
	o.respect_global_locks = true;
	EACH(w, NULL)
	{
		struct helper h = { &w, at_desk_begin(&w.desk) };
		pthread_t thread;

		world_open_second(&second, &w, &o);
		world_exec(&w, "DELETE FROM t WHERE id = 1", OK);
		at_desk_bind(NULL);
		pthread_create(&thread, NULL, commit_later, &h);
		world_exec(&second, "INSERT INTO t VALUES (1, 5, 'x')", OK);
		assert_int_equal(h.tx->status, GTX_COMMITTED);
		pthread_join(thread, NULL);
		assert_int_equal(db_state(second.hand), DB_IDLE);
		assert_int_equal(sum(&w), 25);
		world_close_second(&second);
	}
}

static void test_an_insert_outside_leaves_room_for_the_undo(void **state)
{
	struct treaty_at_options o = quick;
	struct at_world w, second;

	(void)state;
	o.respect_global_locks = true;
	EACH(w, NULL)
	{
		struct treaty_tx *holder = at_desk_begin(&w.desk);
		bool my = w.dialect == DIALECT_MYSQL;

		world_open_second(&second, &w, &o);
		world_exec(&w, "DELETE FROM t WHERE id = 1", OK);
		world_exec(&w, "UPDATE t SET n = 21 WHERE id = 2", OK);
		at_desk_bind(NULL);
		world_exec(&second,
			   "INSERT INTO t VALUES (3, 0, 'x'), (1, 0, 'x')",
			   E_TIMEOUT);
		assert_string_equal(treaty_at_error(second.at)->holder,
				    holder->xid);
		world_exec(&second,
			   my ? "INSERT INTO t VALUES (2, 0, 'x') ON DUPLICATE "
				"KEY UPDATE n = 0"
			      : "INSERT INTO t VALUES (2, 0, 'x') ON CONFLICT "
				"(id) DO UPDATE SET n = 0",
			   E_TIMEOUT);
		world_exec(&second, "INSERT INTO t SELECT 1, 0, 'x'",
			   E_TIMEOUT);
		assert_int_equal(db_state(second.hand), DB_IDLE);
		/* In a local transaction only the statement goes. */
		assert_int_equal(treaty_at_begin(second.at), OK);
		world_exec(&second, "INSERT INTO t VALUES (4, 4, 'x')", OK);
		world_exec(&second, "INSERT INTO t VALUES (1, 0, 'x')",
			   E_TIMEOUT);
		world_exec(&second, "INSERT INTO t VALUES (5, 5, 'x')", OK);
		assert_int_equal(treaty_at_commit(second.at), OK);
		assert_int_equal(sum(&w), 21 + 9);
		assert_int_equal(at_desk_rollback(&w.desk, holder), 0);
		assert_int_equal(sum(&w), 30 + 9);
		world_exec(&second, "INSERT INTO t VALUES (1, 0, 'x')",
			   E_INVALID);
		assert_int_equal(second.at->stats.branches, 0);
		world_close_second(&second);
	}
}

static void test_an_insert_outside_without_a_key_just_runs(void **state)
{
	struct treaty_at_options o = quick;
	struct at_world w;

	(void)state;
	o.respect_global_locks = true;
	EACH(w, &o)
	{
		world_sql(&w, "DROP TABLE IF EXISTS keyless;\n"
			      "CREATE TABLE keyless (n int)");
		world_exec(&w, "INSERT INTO keyless VALUES (1), (2)", OK);
		assert_int_equal(treaty_at_error(w.at)->code, OK);
		assert_int_equal(
			world_count(&w, "SELECT COUNT(*) FROM keyless"), 2);
	}
}

/* ---- undoing ---- */

static void test_a_dirty_row_is_left_alone_until_decided(void **state)
{
	struct at_world w;

	(void)state;
	EACH(w, NULL)
	{
		struct treaty_tx *tx = at_desk_begin(&w.desk);

		world_exec(&w, "UPDATE t SET n = n + 5", OK);
		world_sql(&w, "UPDATE t SET n = 99 WHERE id = 2");
		assert_int_equal(at_desk_rollback(&w.desk, tx), 1);
		assert_non_null(strstr(w.desk.detail, "\"now\":\"99\""));
		assert_int_equal(sum(&w), 15 + 99);
		assert_int_equal(
			at_desk_again(&w.desk, tx, AGENT_RESOLVE_USE_UNDO, ""),
			0);
		assert_int_equal(sum(&w), 30);
		tx = at_desk_begin(&w.desk);
		world_exec(&w, "UPDATE t SET n = n + 5", OK);
		world_sql(&w, "UPDATE t SET n = 99 WHERE id = 2");
		assert_int_equal(at_desk_rollback(&w.desk, tx), 1);
		assert_int_equal(at_desk_again(&w.desk, tx,
					       AGENT_RESOLVE_KEEP_CURRENT, ""),
				 0);
		assert_int_equal(sum(&w), 10 + 99);
	}
}

static void test_undo_twice_is_undo_once(void **state)
{
	struct at_world w;

	(void)state;
	EACH(w, NULL)
	{
		struct treaty_tx *tx = at_desk_begin(&w.desk);

		world_exec(&w, "UPDATE t SET n = 0 WHERE id = 1", OK);
		w.desk.branches[0].failed = false;
		assert_int_equal(at_desk_rollback(&w.desk, tx), 0);
		world_sql(&w, "UPDATE t SET n = 77 WHERE id = 1");
		w.desk.n_branches = 1;
		w.desk.branches[0].done = false;
		assert_int_equal(
			at_desk_again(&w.desk, tx, AGENT_RESOLVE_NONE, NULL),
			0);
		assert_int_equal(sum(&w), 97);
		assert_int_equal(world_count(&w,
					     "SELECT COUNT(*) FROM undo_log "
					     "WHERE log_status = 1"),
				 1);
	}
}

static void *roll_back_now(void *arg)
{
	struct helper *h = arg;

	h->tx->status = GTX_ROLLBACKED;
	(void)at_desk_again(&h->w->desk, h->tx, AGENT_RESOLVE_NONE, NULL);
	return NULL;
}

/* In another thread, as it would be: phase two overtakes the local commit. */
static void overtake(void *arg)
{
	pthread_t thread;

	pthread_create(&thread, NULL, roll_back_now, arg);
	pthread_join(thread, NULL);
}

static void test_a_late_phase_one_fails_on_the_defence_row(void **state)
{
	struct at_world w;

	(void)state;
	for (int which = 0; which < 2; which++) {
		struct helper h = { &w, NULL };

		open_each(&w, which, NULL);
		h.tx = at_desk_begin(&w.desk);
		w.desk.on_enlist = overtake;
		w.desk.on_enlist_ctx = &h;
		world_exec(&w, "UPDATE t SET n = 0 WHERE id = 1", E_STATE);
		assert_non_null(strstr(treaty_at_error(w.at)->message,
				       "rolled back before"));
		assert_int_equal(sum(&w), 30);
		world_close(&w);
	}
}

static void test_a_new_column_does_not_matter_a_lost_one_does(void **state)
{
	struct at_world w;

	(void)state;
	EACH(w, NULL)
	{
		struct treaty_tx *tx = at_desk_begin(&w.desk);

		world_exec(&w, "DELETE FROM t WHERE id = 1", OK);
		world_exec(&w, "UPDATE t SET n = 0 WHERE id = 2", OK);
		world_sql(&w, "ALTER TABLE t ADD COLUMN more int");
		assert_int_equal(at_desk_rollback(&w.desk, tx), 0);
		assert_int_equal(sum(&w), 30);
		/* The connection notices that the table is another one now. */
		tx = at_desk_begin(&w.desk);
		world_sql(&w, "UPDATE t SET more = 5");
		world_exec(&w, "DELETE FROM t WHERE id = 1", OK);
		assert_int_equal(at_desk_rollback(&w.desk, tx), 0);
		assert_int_equal(world_count(&w, "SELECT SUM(more) FROM t"),
				 10);
		tx = at_desk_begin(&w.desk);
		world_exec(&w, "UPDATE t SET n = 0 WHERE id = 2", OK);
		world_sql(&w, "ALTER TABLE t DROP COLUMN s");
		assert_int_equal(at_desk_rollback(&w.desk, tx), 1);
		assert_true(strlen(w.desk.error) > 0);
		assert_int_equal(sum(&w), 10);
	}
}

static void test_undo_goes_on_after_a_restart(void **state)
{
	struct at_world w, second;

	(void)state;
	EACH(w, NULL)
	{
		struct treaty_tx *tx = at_desk_begin(&w.desk);

		world_exec(&w, "UPDATE t SET n = 0", OK);
		world_exec(&w, "INSERT INTO t VALUES (3, 3, 'c')", OK);
		/* Everything that is the process's goes; the undo rows stay. */
		treaty_at_unwrap(w.at);
		w.at = NULL;
		at_desk_withdraw(&w.desk);
		assert_int_equal(at_desk_rollback(&w.desk, tx), 2);
		world_open_second(&second, &w, NULL);
		assert_int_equal(
			at_desk_again(&w.desk, tx, AGENT_RESOLVE_NONE, NULL),
			0);
		assert_int_equal(sum(&w), 30);
		world_close_second(&second);
	}
}

static void test_failed_registration_leaves_no_change(void **state)
{
	struct at_world w;

	(void)state;
	EACH(w, NULL)
	{
		struct treaty_tx *tx = at_desk_begin(&w.desk);

		w.desk.enlist_error = E_UNKNOWN;
		world_exec(&w, "UPDATE t SET n = 0", E_TIMEOUT);
		assert_int_equal(sum(&w), 30);
		assert_int_equal(db_state(w.hand), DB_IDLE);
		assert_int_equal(at_desk_rollback(&w.desk, tx), 0);
	}
}

static void test_a_connection_lost_in_commit_is_unknown(void **state)
{
	struct at_world w;
	struct treaty_tx *tx;

	(void)state;
	open_each(&w, 0, NULL);
	world_sql(&w, "CREATE OR REPLACE FUNCTION die() RETURNS trigger AS $$ "
		      "BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); "
		      "RETURN NULL; END $$ LANGUAGE plpgsql;\n"
		      "CREATE CONSTRAINT TRIGGER die AFTER INSERT ON undo_log "
		      "DEFERRABLE INITIALLY DEFERRED FOR EACH ROW "
		      "EXECUTE FUNCTION die()");
	tx = at_desk_begin(&w.desk);
	world_exec(&w, "UPDATE t SET n = 0", E_UNKNOWN);
	world_sql(&w, "DROP TRIGGER die ON undo_log");
	assert_int_equal(at_desk_rollback(&w.desk, tx), 0);
	assert_int_equal(sum(&w), 30);
	world_close(&w);
}

/* ---- rights ---- */

/* The world's DSN for another user, whose password is its name. */
static char *dsn_as(const struct at_world *w, const char *user)
{
	const char *host = strchr(w->dsn, '@');
	static char dsn[500];

	snprintf(dsn, sizeof dsn, "%s://%s:%s%s",
		 w->dialect == DIALECT_MYSQL ? "mysql" : "postgresql", user,
		 user, host);
	return dsn;
}

static void test_who_could_not_undo_may_not_begin(void **state)
{
	(void)state;
	for (int which = 0; which < 2; which++) {
		struct treaty_at_options options = { 0 };
		struct at_world w;

		open_each(&w, which, NULL);
		options.dsn = dsn_as(&w, "few");
		world_sql(&w,
			  which == 0 ? "CREATE ROLE few LOGIN PASSWORD 'few';\n"
				       "GRANT SELECT, INSERT, DELETE ON "
				       "undo_log TO few"
				     : "CREATE USER few@'%' IDENTIFIED BY "
				       "'few';\n"
				       "GRANT SELECT, INSERT, UPDATE ON "
				       "test.undo_log TO few@'%'");
		assert_int_equal(world_try(&w, &options), E_DENIED);
		assert_non_null(strstr(treaty_last_error(), "GRANT SELECT"));
		world_sql(&w, which == 0 ? "GRANT UPDATE ON undo_log TO few"
					 : "GRANT DELETE ON test.undo_log TO "
					   "few@'%'");
		assert_int_equal(world_try(&w, &options), OK);
		assert_int_equal(world_count(&w, "SELECT COUNT(*) FROM "
						 "undo_log"),
				 0);
		world_sql(&w, which == 0 ? "DROP OWNED BY few;\nDROP ROLE few"
					 : "DROP USER few@'%'");
		world_close(&w);
	}
}

/* ---- local transactions ---- */

static void test_savepoints_drop_what_came_after_them(void **state)
{
	struct at_world w;

	(void)state;
	EACH(w, NULL)
	{
		struct treaty_tx *tx = at_desk_begin(&w.desk);

		assert_int_equal(treaty_at_begin(w.at), OK);
		world_exec(&w, "UPDATE t SET n = 11 WHERE id = 1", OK);
		assert_int_equal(treaty_at_savepoint(w.at, "here"), OK);
		world_exec(&w, "DELETE FROM t WHERE id = 2", OK);
		assert_int_equal(treaty_at_rollback_to(w.at, "here"), OK);
		world_exec(&w, "UPDATE t SET n = n + 1 WHERE id = 1", OK);
		assert_int_equal(treaty_at_commit(w.at), OK);
		assert_int_equal(sum(&w), 32);
		assert_int_equal(w.at->stats.branches, 1);
		assert_int_equal(w.desk.n_locks, 1);
		assert_int_equal(at_desk_rollback(&w.desk, tx), 0);
		assert_int_equal(sum(&w), 30);
	}
}

static void test_a_read_only_transaction_is_no_branch(void **state)
{
	struct at_world w;

	(void)state;
	EACH(w, NULL)
	{
		struct treaty_tx *tx = at_desk_begin(&w.desk);

		assert_int_equal(treaty_at_begin(w.at), OK);
		world_exec(&w, "SELECT * FROM t", OK);
		world_exec(&w, "UPDATE t SET n = 1 WHERE id = 77", OK);
		assert_int_equal(treaty_at_commit(w.at), OK);
		assert_int_equal(w.desk.enlisted, 0);
		assert_int_equal(at_desk_commit(&w.desk, tx), 0);
	}
}

static void test_what_was_written_before_is_not_adopted(void **state)
{
	struct at_world w;

	(void)state;
	EACH(w, NULL)
	{
		struct treaty_tx *tx;

		at_desk_bind(NULL);
		world_exec(&w, "BEGIN", OK);
		world_exec(&w, "UPDATE t SET n = 1 WHERE id = 1", OK);
		tx = at_desk_begin(&w.desk);
		world_exec(&w, "UPDATE t SET n = 2 WHERE id = 2", E_STATE);
		world_exec(&w, "ROLLBACK", OK);
		world_exec(&w, "UPDATE t SET n = 2 WHERE id = 2", OK);
		assert_int_equal(at_desk_rollback(&w.desk, tx), 0);
		assert_int_equal(sum(&w), 30);
	}
}

static void test_another_transaction_cannot_end_it(void **state)
{
	struct at_world w;

	(void)state;
	EACH(w, NULL)
	{
		struct treaty_tx *a = at_desk_begin(&w.desk), *b;

		assert_int_equal(treaty_at_begin(w.at), OK);
		world_exec(&w, "UPDATE t SET n = 1 WHERE id = 1", OK);
		b = at_desk_begin(&w.desk);
		world_exec(&w, "UPDATE t SET n = 2 WHERE id = 2", E_STATE);
		assert_int_equal(treaty_at_commit(w.at), E_STATE);
		assert_int_equal(sum(&w), 30);
		assert_int_equal(at_desk_rollback(&w.desk, a), 0);
		assert_int_equal(at_desk_rollback(&w.desk, b), 0);
	}
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
		T(test_a_statement_waits_for_the_holder_and_runs_again),
		T(test_a_conflict_names_the_holder_and_holds_nothing),
		T(test_a_conflict_ends_an_explicit_transaction),
		T(test_a_locking_read_waits_for_the_holder),
		T(test_locks_may_be_respected_outside),
		T(test_an_insert_outside_waits_for_a_deleted_row),
		T(test_an_insert_outside_leaves_room_for_the_undo),
		T(test_an_insert_outside_without_a_key_just_runs),
		T(test_a_dirty_row_is_left_alone_until_decided),
		T(test_undo_twice_is_undo_once),
		T(test_a_late_phase_one_fails_on_the_defence_row),
		T(test_a_new_column_does_not_matter_a_lost_one_does),
		T(test_undo_goes_on_after_a_restart),
		T(test_failed_registration_leaves_no_change),
		T(test_a_connection_lost_in_commit_is_unknown),
		T(test_who_could_not_undo_may_not_begin),
		T(test_savepoints_drop_what_came_after_them),
		T(test_a_read_only_transaction_is_no_branch),
		T(test_what_was_written_before_is_not_adopted),
		T(test_another_transaction_cannot_end_it),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
