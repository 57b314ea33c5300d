/*
 * What databases do to a branch: restart, refuse to write, deadlock, run out of
 * connections, change their tables, lose or damage the undo row. A branch that
 * may get better is tried again; one that will not stops, with a reason, and
 * nothing is overwritten.
 */
#include "tests/live/at_world.h"
#include "tests/live/live.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <mysql.h>

static struct servers servers;

static const struct treaty_at_options quick = { .lock_wait_ms = 300,
						.retries = 2,
						.retry_for_ms = 1000 };

static const char *const names[] = { "postgresql", "mariadb", "sqlite" };

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

static void fill(struct at_world *w)
{
	if (w->dialect != DIALECT_SQLITE)
		world_sql(w, "DROP TABLE IF EXISTS t, moved, undo_copy");
	world_sql(w, "DELETE FROM undo_log;\n"
		     "CREATE TABLE t (id int NOT NULL PRIMARY KEY, n int, "
		     "s varchar(20));\n"
		     "INSERT INTO t VALUES (1, 10, 'a'), (2, 20, 'b')");
}

static void open_each(struct at_world *w, int which)
{
	char path[300];
	static int n;

	snprintf(path, sizeof path, "sqlite:%s/db%d.db?create=1", servers.dir,
		 n++);
	world_open(w,
		   which == 0   ? servers.postgresql
		   : which == 1 ? servers.mariadb
				: path,
		   &quick);
	fill(w);
}

#define EACH(w, n)                                                             \
	for (int which = 0; which < (n) && (open_each(&(w), which), 1);        \
	     which++, world_close(&(w)))

static int64_t sum(struct at_world *w)
{
	return world_count(w, "SELECT SUM(n) FROM t");
}

static int64_t undo_rows(struct at_world *w)
{
	return world_count(w, "SELECT count(*) FROM undo_log");
}

static void assert_error_says(const struct at_world *w, const char *text)
{
	if (!strstr(w->desk.error, text))
		fail_msg("\"%s\" does not say \"%s\"", w->desk.error, text);
}

static unsigned again(struct at_world *w, struct treaty_tx *tx)
{
	return at_desk_again(&w->desk, tx, AGENT_RESOLVE_NONE, NULL);
}

/* ---- restarts ---- */

/* The application's connection and the one that looks on are dead, too. */
static void open_anew(struct at_world *w, const struct at_world *old)
{
	world_open_second(w, old, &quick);
}

/* kill -9 with a local transaction open and another branch to undo. */
static void test_a_restart_leaves_nothing_and_only_delays(void **state)
{
	struct at_world w, after;

	(void)state;
	EACH(w, 2)
	{
		struct treaty_tx *old = at_desk_begin(&w.desk), *tx;

		world_exec(&w, "UPDATE t SET n = 25 WHERE id = 2", OK);
		world_exec(&w, "INSERT INTO t VALUES (3, 3, 'c')", OK);
		tx = at_desk_begin(&w.desk);
		assert_int_equal(treaty_at_begin(w.at), OK);
		world_exec(&w, "UPDATE t SET n = 0 WHERE id = 1", OK);
		assert_int_equal(servers_kill(&servers, names[which]), 0);
		world_exec(&w, "UPDATE t SET s = 'x' WHERE id = 1", E_CLOSED);
		assert_true(treaty_at_commit(w.at) != OK);
		assert_int_equal(at_desk_rollback(&w.desk, old), 2);
		assert_true(strlen(w.desk.error) > 0);
		assert_int_equal(servers_again(&servers, names[which]), 0);
		open_anew(&after, &w);
		assert_int_equal(sum(&after), 38);
		assert_int_equal(again(&w, old), 0);
		assert_int_equal(sum(&after), 30);
		at_desk_bind(tx);
		world_exec(&after, "UPDATE t SET n = n + 1 WHERE id = 1", OK);
		assert_int_equal(at_desk_rollback(&w.desk, tx), 0);
		assert_int_equal(sum(&after), 30);
		world_close_second(&after);
	}
}

/* ---- a server that does not take what it is given ---- */

static void admin(const char *sql)
{
	struct db_stmt stmt = { .sql = bytes_of(sql) };
	struct db_error error = { 0 };
	struct db_result r;
	struct arena arena;
	struct db *db;

	arena_init(&arena, &mem_heap, 0);
	assert_int_equal(db_open(&db, &mem_heap, servers.mariadb, &error), OK);
	if (db_exec(db, &stmt, &arena, &r) != OK)
		fail_msg("%s: %s", sql, db_error(db)->message);
	db_free(db);
	arena_fini(&arena);
}

/* A user to whom read_only applies. */
static void open_as_plain(struct at_world *w)
{
	const char *at = strchr(servers.mariadb, '@');
	char dsn[300];

	admin("CREATE OR REPLACE USER plain@'%' IDENTIFIED BY 'plain' "
	      "WITH MAX_USER_CONNECTIONS 50");
	admin("GRANT CREATE, DROP, SELECT, INSERT, UPDATE, DELETE ON test.* "
	      "TO plain@'%'");
	admin("GRANT PROCESS ON *.* TO plain@'%'");
	snprintf(dsn, sizeof dsn, "mysql://plain:plain%s", at);
	world_open(w, dsn, &quick);
	fill(w);
}

static void test_a_read_only_server_only_delays_phase_two(void **state)
{
	struct treaty_tx *tx;
	struct at_world w;

	(void)state;
	open_as_plain(&w);
	tx = at_desk_begin(&w.desk);
	world_exec(&w, "UPDATE t SET n = 0", OK);
	admin("SET GLOBAL read_only = 1");
	assert_true(treaty_at_exec(w.at, "DELETE FROM t", NULL, 0, NULL) != OK);
	assert_non_null(strstr(treaty_at_error(w.at)->message, "read-only"));
	assert_int_equal(at_desk_rollback(&w.desk, tx), 1);
	assert_error_says(&w, "read-only");
	admin("SET GLOBAL read_only = 0");
	assert_int_equal(again(&w, tx), 0);
	assert_int_equal(sum(&w), 30);
	world_close(&w);
}

/* Every connection of the user but the two of the test. */
static void kill_others(struct at_world *w)
{
	int64_t hand = (int64_t)mysql_thread_id(w->native), id;
	char sql[200];

	snprintf(sql, sizeof sql,
		 "SELECT ID FROM information_schema.PROCESSLIST WHERE USER = "
		 "'plain' AND ID NOT IN (CONNECTION_ID(), %lld) LIMIT 1",
		 (long long)hand);
	while ((id = world_count(w, sql)) != 0) {
		char kill[64];

		snprintf(kill, sizeof kill, "KILL %lld", (long long)id);
		admin(kill);
		live_nap(20);
	}
}

static void test_no_connection_left_only_delays_phase_two(void **state)
{
	struct treaty_tx *tx;
	struct at_world w;

	(void)state;
	open_as_plain(&w);
	tx = at_desk_begin(&w.desk);
	world_exec(&w, "UPDATE t SET n = 0", OK);
	admin("ALTER USER plain@'%' WITH MAX_USER_CONNECTIONS 2");
	kill_others(&w);
	assert_int_equal(at_desk_rollback(&w.desk, tx), 1);
	assert_error_says(&w, "max_user_connections");
	admin("ALTER USER plain@'%' WITH MAX_USER_CONNECTIONS 50");
	assert_int_equal(again(&w, tx), 0);
	assert_int_equal(sum(&w), 30);
	world_close(&w);
}

/* ---- locks and snapshots ---- */

struct rival {
	struct at_world *w;
	struct treaty_tx *tx;
	int rc;
};

static void *take_the_first(void *arg)
{
	struct rival *r = arg;

	at_desk_bind(r->tx);
	r->rc = treaty_at_exec(r->w->at, "UPDATE t SET n = n + 1 WHERE id = 1",
			       NULL, 0, NULL);
	at_desk_bind(NULL);
	return NULL;
}

/* Both hold one row and want the other: the database picks a victim, whose
 * local transaction is gone; the other one goes on. */
static void test_a_deadlock_costs_one_of_two(void **state)
{
	struct at_world w, other;

	(void)state;
	EACH(w, 2)
	{
		struct treaty_tx *mine = at_desk_begin(&w.desk), *its;
		struct rival rival;
		pthread_t thread;
		int rc;

		open_anew(&other, &w);
		assert_int_equal(treaty_at_begin(w.at), OK);
		world_exec(&w, "UPDATE t SET n = n + 1 WHERE id = 1", OK);
		its = at_desk_begin(&w.desk);
		assert_int_equal(treaty_at_begin(other.at), OK);
		world_exec(&other, "UPDATE t SET n = n + 1 WHERE id = 2", OK);
		rival = (struct rival){ &other, its, OK };
		pthread_create(&thread, NULL, take_the_first, &rival);
		at_desk_bind(mine);
		rc = treaty_at_exec(w.at, "UPDATE t SET n = n + 1 WHERE id = 2",
				    NULL, 0, NULL);
		if (rc == OK) /* lets the other one in, if that waits */
			assert_int_equal(treaty_at_commit(w.at), OK);
		pthread_join(thread, NULL);
		assert_true((rc == TREATY_E_DEADLOCK) !=
			    (rival.rc == TREATY_E_DEADLOCK));
		if (rc == OK)
			assert_true(treaty_at_commit(other.at) != OK);
		else
			assert_true(treaty_at_commit(w.at) != OK);
		assert_int_equal(db_state(w.hand), DB_IDLE);
		at_desk_bind(NULL);
		world_close_second(&other);
		assert_int_equal(at_desk_rollback(&w.desk, its), 0);
		assert_int_equal(at_desk_rollback(&w.desk, mine), 0);
		assert_int_equal(sum(&w), 30);
		assert_int_equal(world_count(&w, "SELECT count(*) FROM t "
						 "WHERE n IN (10, 20)"),
				 2);
	}
}

/* Somebody went for lunch with the row in an open transaction. */
static void hold_row(struct at_world *w)
{
	assert_int_equal(db_begin(w->eye), OK);
	world_sql(w, "UPDATE t SET s = 'held' WHERE id = 1");
}

static void test_a_held_row_ends_a_statement_by_its_time_out(void **state)
{
	struct at_world w;

	(void)state;
	EACH(w, 3)
	{
		struct treaty_tx *tx = at_desk_begin(&w.desk);

		if (which < 2)
			world_exec(&w,
				   which ? "SET innodb_lock_wait_timeout = 1"
					 : "SET lock_timeout = '300ms'",
				   OK);
		hold_row(&w);
		world_exec(&w, "UPDATE t SET n = 0 WHERE id = 1", E_TIMEOUT);
		assert_int_equal(db_state(w.hand), DB_IDLE);
		assert_int_equal(db_rollback(w.eye), OK);
		world_exec(&w, "UPDATE t SET n = 0 WHERE id = 1", OK);
		assert_int_equal(at_desk_rollback(&w.desk, tx), 0);
		assert_int_equal(sum(&w), 30);
	}
}

/* It must not hold the agent's worker as long as lunch takes. */
static void test_a_held_row_only_delays_phase_two(void **state)
{
	struct at_world w;

	(void)state;
	EACH(w, 2)
	{
		struct treaty_tx *tx = at_desk_begin(&w.desk);

		world_exec(&w, "UPDATE t SET n = 0", OK);
		hold_row(&w);
		assert_int_equal(at_desk_rollback(&w.desk, tx), 1);
		assert_int_equal(db_rollback(w.eye), OK);
		assert_int_equal(again(&w, tx), 0);
		assert_int_equal(sum(&w), 30);
	}
}

static void test_a_serialization_failure_leaves_nothing(void **state)
{
	struct treaty_tx *tx;
	struct at_world w;

	(void)state;
	open_each(&w, 0);
	tx = at_desk_begin(&w.desk);
	world_exec(&w, "BEGIN ISOLATION LEVEL REPEATABLE READ", OK);
	world_exec(&w, "SELECT * FROM t", OK);
	world_sql(&w, "UPDATE t SET n = 11 WHERE id = 1");
	assert_int_equal(
		treaty_at_exec(w.at, "UPDATE t SET n = n * 2", NULL, 0, NULL),
		TREATY_E_CONFLICT);
	assert_string_equal(treaty_at_error(w.at)->sqlstate, "40001");
	assert_true(treaty_at_commit(w.at) != OK);
	assert_int_equal(sum(&w), 31);
	world_exec(&w, "UPDATE t SET n = n * 2", OK);
	assert_int_equal(at_desk_rollback(&w.desk, tx), 0);
	assert_int_equal(sum(&w), 31);
	world_close(&w);
}

/* ---- other tables than were written ---- */

struct change {
	int skip; /* a database that does not do it; -1: none */
	const char *away, *back;
};

static void test_a_table_that_went_away_stops_the_undo(void **state)
{
	static const struct change changes[] = {
		{ -1, "ALTER TABLE t RENAME TO moved",
		  "ALTER TABLE moved RENAME TO t" },
		{ -1, "ALTER TABLE t RENAME COLUMN s TO other",
		  "ALTER TABLE t RENAME COLUMN other TO s" },
		{ 2, "ALTER TABLE t DROP CONSTRAINT t_pkey",
		  "ALTER TABLE t ADD PRIMARY KEY (id)" },
	};
	struct at_world w;

	(void)state;
	for (size_t i = 0; i < sizeof changes / sizeof *changes; i++)
		EACH(w, 3)
		{
			const struct change *c = &changes[i];
			struct treaty_tx *tx;

			if (c->skip >= 0 && which != 0)
				continue;
			tx = at_desk_begin(&w.desk);
			world_exec(&w, "UPDATE t SET n = 0", OK);
			world_sql(&w, c->away);
			assert_int_equal(at_desk_rollback(&w.desk, tx), 1);
			assert_true(strlen(w.desk.error) > 0);
			assert_int_equal(undo_rows(&w), 1);
			/* who repairs the table can have it tried again */
			world_sql(&w, c->back);
			assert_int_equal(sum(&w), 0);
			assert_int_equal(again(&w, tx), 0);
			assert_int_equal(sum(&w), 30);
		}
}

static void test_a_column_of_another_type_stops_the_undo(void **state)
{
	static const char *const sql[] = {
		"ALTER TABLE t ALTER COLUMN n TYPE varchar(9)",
		"ALTER TABLE t MODIFY COLUMN n varchar(9)",
	};
	struct at_world w;

	(void)state;
	EACH(w, 2)
	{
		struct treaty_tx *tx = at_desk_begin(&w.desk);

		world_exec(&w, "UPDATE t SET n = 5", OK);
		world_sql(&w, sql[which]);
		assert_int_equal(at_desk_rollback(&w.desk, tx), 1);
		assert_error_says(&w, "n");
		assert_int_equal(world_count(&w, "SELECT count(*) FROM t "
						 "WHERE n = '5'"),
				 2);
		assert_int_equal(undo_rows(&w), 1);
	}
}

/* ---- undo rows that are not what was written ---- */

static void test_a_damaged_undo_row_is_not_believed(void **state)
{
	static const char *const damages[][3] = {
		{ "UPDATE undo_log SET rollback_info = '\\x00'",
		  "UPDATE undo_log SET rollback_info = x'00'",
		  "UPDATE undo_log SET rollback_info = x'00'" },
		/* a cut */
		{ "UPDATE undo_log SET rollback_info = "
		  "substring(rollback_info from 1 for 150)",
		  "UPDATE undo_log SET rollback_info = "
		  "left(rollback_info, 150)",
		  "UPDATE undo_log SET rollback_info = "
		  "substr(rollback_info, 1, 150)" },
		/* a version to come: "treaty-undo/1" becomes "treaty-undo/9" */
		{ "UPDATE undo_log SET rollback_info = "
		  "set_byte(rollback_info, 12, 57)",
		  "UPDATE undo_log SET rollback_info = "
		  "insert(rollback_info, 13, 1, '9')",
		  "UPDATE undo_log SET rollback_info = "
		  "cast(replace(cast(rollback_info as text), "
		  "'treaty-undo/1', 'treaty-undo/9') as blob)" },
		/* one bit of the image, the sum of before */
		{ "UPDATE undo_log SET rollback_info = set_byte(rollback_info, "
		  "length(rollback_info) - 9, 33)",
		  "UPDATE undo_log SET rollback_info = insert(rollback_info, "
		  "length(rollback_info) - 9, 1, '!')",
		  "UPDATE undo_log SET rollback_info = "
		  "substr(rollback_info, 1, length(rollback_info) - 9) || "
		  "x'21' || substr(rollback_info, length(rollback_info) - 7)" },
	};
	struct at_world w;

	(void)state;
	EACH(w, 3)
	for (size_t i = 0; i < sizeof damages / sizeof *damages; i++) {
		struct treaty_tx *tx = at_desk_begin(&w.desk);

		world_exec(&w, "UPDATE t SET n = 0", OK);
		world_sql(&w, "CREATE TABLE undo_copy AS "
			      "SELECT * FROM undo_log");
		world_sql(&w, damages[i][which]);
		assert_int_equal(at_desk_rollback(&w.desk, tx), 1);
		assert_error_says(&w, "undo rows cannot be read");
		assert_int_equal(sum(&w), 0);
		assert_int_equal(undo_rows(&w), 1);
		world_sql(&w, "UPDATE undo_log SET rollback_info = "
			      "(SELECT rollback_info FROM undo_copy);\n"
			      "DROP TABLE undo_copy");
		assert_int_equal(again(&w, tx), 0);
		assert_int_equal(sum(&w), 30);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_restart_leaves_nothing_and_only_delays),
		cmocka_unit_test(test_a_read_only_server_only_delays_phase_two),
		cmocka_unit_test(test_no_connection_left_only_delays_phase_two),
		cmocka_unit_test(test_a_deadlock_costs_one_of_two),
		cmocka_unit_test(
			test_a_held_row_ends_a_statement_by_its_time_out),
		cmocka_unit_test(test_a_held_row_only_delays_phase_two),
		cmocka_unit_test(test_a_serialization_failure_leaves_nothing),
		cmocka_unit_test(test_a_table_that_went_away_stops_the_undo),
		cmocka_unit_test(test_a_column_of_another_type_stops_the_undo),
		cmocka_unit_test(test_a_damaged_undo_row_is_not_believed),
	};

	return cmocka_run_group_tests_name("fault_database", tests, start,
					   stop);
}
