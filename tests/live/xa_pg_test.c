#include "tests/live/xa_world.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include <cmocka.h>

/* XA on a real PostgreSQL. P1 … P15 are the facts of this server that a
 * resource manager has to live with; docs/xa.md lists them. */

static struct servers servers;

static int start_servers(void **state)
{
	(void)state;
	return servers_start(&servers, SERVERS_POSTGRESQL);
}

static int stop_servers(void **state)
{
	(void)state;
	servers_stop(&servers);
	return 0;
}

static const char changed[] = "SELECT v FROM t WHERE id = 1";
static const char change[] = "UPDATE t SET v = 5 WHERE id = 1";

/* Nothing of the branch is there, and its transaction can only be rolled
 * back. */
static void assert_voted_no(struct xa_world *w)
{
	assert_int_equal(xa_listed(w), 0);
	assert_int_equal(xa_count(w, changed), 0);
	assert_int_equal(treaty_commit(w->tx), TREATY_E_STATE);
	OKAY(treaty_rollback(w->tx, "voted no"));
	xa_until_status(w, treaty_xid(w->tx), TREATY_STATUS_ROLLBACKED);
	xa_release(w);
}

static void prepared_branch(struct xa_world *w)
{
	xa_begin(w);
	xa_work(w, change);
	OKAY(treaty_xa_end(w->xa));
	assert_int_equal(xa_listed(w), 1);
	assert_int_equal(xa_count(w, changed), 0);
}

static void assert_commits(struct xa_world *w)
{
	OKAY(treaty_commit(w->tx));
	xa_until(w, changed, 5);
	xa_until_listed(w, 0);
	xa_until_status(w, treaty_xid(w->tx), TREATY_STATUS_COMMITTED);
	xa_release(w);
}

static void test_a_branch_is_committed_or_leaves_no_trace(void **state)
{
	struct treaty_xa_stats stats;
	struct xa_world w;

	(void)state;
	xa_world_open(&w, &servers, true);
	prepared_branch(&w);
	assert_false(treaty_xa_pinned(w.xa));
	assert_memory_equal(treaty_xa_gid(w.xa), "1414681689_", 11);
	assert_commits(&w);

	xa_begin(&w);
	xa_work(&w, "UPDATE t SET v = 6 WHERE id = 1");
	OKAY(treaty_xa_end(w.xa));
	OKAY(treaty_rollback(w.tx, NULL));
	xa_until_listed(&w, 0);
	assert_int_equal(xa_count(&w, changed), 5);
	xa_release(&w);

	xa_begin(&w);
	xa_work(&w, "UPDATE t SET v = 7 WHERE id = 1");
	OKAY(treaty_xa_rollback(w.xa));
	assert_int_equal(treaty_commit(w.tx), TREATY_E_STATE);
	xa_release(&w);
	assert_int_equal(xa_count(&w, changed), 5);
	treaty_xa_stats(w.xa, &stats);
	assert_int_equal(stats.prepared, 2);
	assert_int_equal(stats.finished, 2);
	assert_int_equal(stats.alarms, 0);
	xa_world_close(&w);
}

static void test_misuse_is_refused_with_a_clear_error(void **state)
{
	struct treaty_xa *lite;
	struct xa_world w;

	(void)state;
	xa_world_open(&w, &servers, true);
	assert_int_equal(treaty_xa_start(w.xa), TREATY_E_STATE);
	xa_says("no global transaction");
	assert_int_equal(treaty_xa_end(w.xa), TREATY_E_STATE);
	assert_int_equal(treaty_xa_wrap_sqlite(w.t, NULL, NULL, &lite),
			 TREATY_E_UNSUPPORTED);
	xa_says("SQLite does not support XA");
	assert_int_equal(treaty_xa_connect(w.t, "sqlite:/x", NULL, &lite),
			 TREATY_E_UNSUPPORTED);
	xa_begin(&w);
	assert_int_equal(treaty_xa_start(w.xa), TREATY_E_STATE);
	assert_int_equal(treaty_commit(w.tx), TREATY_E_STATE);
	xa_says("still being worked on");
	xa_work(&w, change);
	xa_work(&w, "COMMIT"); /* behind our back */
	assert_int_equal(treaty_xa_end(w.xa), TREATY_E_STATE);
	xa_says("ended the branch's transaction itself");
	assert_int_equal(treaty_commit(w.tx), TREATY_E_STATE);
	xa_says("can only be rolled back");
	xa_release(&w);
	xa_work(&w, "BEGIN");
	OKAY(treaty_begin(w.t, "xa", 60000, &w.tx));
	assert_int_equal(treaty_xa_start(w.xa), TREATY_E_STATE);
	xa_says("local transaction is open");
	xa_work(&w, "ROLLBACK");
	xa_world_close(&w);
}

static void test_P1_a_failed_transaction_is_never_taken_for_prepared(
	void **state)
{
	struct xa_gid gid;
	struct db *raw;
	struct xa_world w;

	(void)state;
	xa_world_open(&w, &servers, true);
	xa_begin(&w);
	xa_work(&w, change);
	PQclear(PQexec(w.pg, "SELECT 1 / 0"));
	assert_int_equal(treaty_xa_check(w.xa), TREATY_E_STATE);
	assert_int_equal(treaty_xa_end(w.xa), TREATY_E_STATE);
	assert_voted_no(&w);

	/* The same without looking first: the tag says it. */
	assert_int_equal(db_open(&raw, &mem_heap, w.dsn, NULL), OK);
	assert_int_equal(xa_gid_make(&gid, BYTES("h:1:1"), 1, 1), OK);
	PQclear(PQexec(db_pg(raw), "BEGIN; SELECT 1 / 0"));
	PQclear(PQexec(db_pg(raw), "SELECT 1 / 0"));
	PQclear(PQexec(db_pg(raw), "ROLLBACK"));
	PQclear(PQexec(db_pg(raw), "BEGIN"));
	PQclear(PQexec(db_pg(raw), "SELECT 1 / 0"));
	assert_int_equal(xa_pg.prepare(raw, &gid), E_ROLLED_BACK);
	assert_int_equal(xa_pg.prepare(raw, &gid), E_ROLLED_BACK);
	PQclear(PQexec(db_pg(raw), "BEGIN"));
	PQclear(PQexec(db_pg(raw), "SELECT 1 / 0"));
	assert_int_equal(xa_pg.commit(raw, &gid), E_ROLLED_BACK);
	db_free(raw);
	xa_world_close(&w);
}

static void kill_backends(struct xa_world *w)
{
	(void)xa_count(w, "SELECT count(pg_terminate_backend(pid)) FROM "
			  "pg_stat_activity WHERE pid <> pg_backend_pid() "
			  "AND backend_type = 'client backend'");
}

static void test_P2_a_lost_connection_is_looked_up_and_tried_again(void **state)
{
	struct xa_world w;

	(void)state;
	xa_world_open(&w, &servers, true);
	prepared_branch(&w);
	kill_backends(&w); /* the agent's, too */
	assert_commits(&w);
	OKAY(treaty_begin(w.t, "xa", 60000, &w.tx));
	/* The client library learns it at the first statement. */
	assert_int_equal(treaty_xa_start(w.xa), TREATY_E_CLOSED);
	assert_int_equal(treaty_xa_start(w.xa), TREATY_E_CLOSED);
	xa_release(&w);
	xa_world_close(&w);
}

static void test_P2_a_connection_lost_before_the_end_votes_no(void **state)
{
	struct xa_world w;

	(void)state;
	xa_world_open(&w, &servers, true);
	xa_begin(&w);
	xa_work(&w, change);
	kill_backends(&w);
	assert_int_equal(treaty_xa_end(w.xa), TREATY_E_CLOSED);
	assert_voted_no(&w);
	xa_world_close(&w);
}

static void raw_prepared(PGconn *conn, const char *xid, uint64_t branch,
			 const char *sql)
{
	struct xa_gid gid;
	struct buf text;
	PGresult *r;

	assert_int_equal(xa_gid_make(&gid, bytes_of(xid), branch, 1), OK);
	buf_init(&text, &mem_heap);
	buf_printf(&text, "BEGIN; %s; PREPARE TRANSACTION '", sql);
	xa_gid_put_text(&text, &gid);
	buf_put_text(&text, "'");
	r = PQexec(conn, buf_text(&text));
	assert_string_equal(PQcmdStatus(r), "PREPARE TRANSACTION");
	PQclear(r);
	buf_fini(&text);
}

/* An xid of which this coordinator knows nothing, though it is of the numbers
 * that it gives. */
static void unknown_xid(struct xa_world *w, struct buf *xid)
{
	struct bytes coordinator;
	struct treaty_tx *tx;
	uint64_t number;

	OKAY(treaty_begin(w->t, "a number", 0, &tx));
	assert_int_equal(
		xid_parse(bytes_of(treaty_xid(tx)), &coordinator, &number), OK);
	buf_init(xid, &mem_heap);
	xid_format(xid, coordinator, number + 10000);
	OKAY(treaty_rollback(tx, NULL));
	OKAY(treaty_release(tx));
}

static void test_P3_another_database_of_the_cluster_is_left_alone(void **state)
{
	struct xa_world w;
	struct buf dsn, xid;
	PGconn *other;

	(void)state;
	xa_world_open(&w, &servers, true);
	xa_sql(&w, "CREATE DATABASE other");
	buf_init(&dsn, &mem_heap);
	buf_put(&dsn, (struct bytes){ (const uint8_t *)w.dsn,
				      (size_t)(strrchr(w.dsn, '/') - w.dsn) });
	buf_put_text(&dsn, "/other");
	other = xa_world_pg(buf_text(&dsn));
	unknown_xid(&w, &xid);
	raw_prepared(other, buf_text(&xid), 1, "CREATE TABLE x (i int)");
	assert_int_equal(xa_listed(&w), 0);
	xa_nap(1000); /* several scans */
	assert_int_equal(xa_count(&w, "SELECT count(*) FROM pg_prepared_xacts"),
			 1);
	/* An agent of that database does it. */
	OKAY(treaty_xa_serve(w.t, buf_text(&dsn), &xa_world_options));
	xa_until(&w, "SELECT count(*) FROM pg_prepared_xacts", 0);
	PQfinish(other);
	buf_fini(&dsn);
	buf_fini(&xid);
	xa_world_close(&w);
}

static void finish_by_hand(struct xa_world *w, const char *verb)
{
	struct buf sql;

	buf_init(&sql, &mem_heap);
	buf_printf(&sql, "%s '%s'", verb, treaty_xa_gid(w->xa));
	xa_sql(w, buf_text(&sql));
	buf_fini(&sql);
	assert_int_equal(xa_listed(w), 0);
}

/* As an operator who has repaired the data. */
static void acknowledge(struct xa_world *w, const char *xid, uint64_t branch)
{
	struct buf order;

	buf_init(&order, &mem_heap);
	buf_printf(&order,
		   "curl -sS -f -o /dev/null -H 'Content-Type: "
		   "application/json' -d '{\"resolution\":\"keep_current\","
		   "\"reason\":\"repaired\"}' "
		   "http://%s/api/v1/transactions/%s/branches/%" PRIu64
		   "/resolve",
		   w->d.http, xid, branch);
	assert_int_equal(system(buf_text(&order)), 0);
	buf_fini(&order);
}

static void test_P4_an_operators_rollback_is_reported_and_not_hidden(
	void **state)
{
	struct treaty_xa_stats stats;
	struct xa_world w;

	(void)state;
	xa_world_open(&w, &servers, true);
	prepared_branch(&w);
	finish_by_hand(&w, "ROLLBACK PREPARED");
	OKAY(treaty_commit(w.tx));
	xa_until_status(&w, treaty_xid(w.tx), TREATY_STATUS_COMMIT_FAILED);
	treaty_xa_stats(w.xa, &stats);
	assert_int_equal(stats.alarms, 1);
	acknowledge(&w, treaty_xid(w.tx), w.xa->gid.branch);
	xa_until_status(&w, treaty_xid(w.tx), TREATY_STATUS_COMMITTED);
	xa_release(&w);

	prepared_branch(&w);
	finish_by_hand(&w, "COMMIT PREPARED");
	OKAY(treaty_rollback(w.tx, NULL));
	xa_until_status(&w, treaty_xid(w.tx), TREATY_STATUS_ROLLBACK_FAILED);
	acknowledge(&w, treaty_xid(w.tx), w.xa->gid.branch);
	xa_until_status(&w, treaty_xid(w.tx), TREATY_STATUS_ROLLBACKED);
	xa_release(&w);
	xa_world_close(&w);
}

static void test_P4_what_was_finished_as_decided_is_done(void **state)
{
	struct xa_world w;

	(void)state;
	xa_world_open(&w, &servers, true);
	prepared_branch(&w);
	finish_by_hand(&w, "COMMIT PREPARED");
	assert_commits(&w);
	xa_begin(&w);
	xa_work(&w, "UPDATE t SET v = 6 WHERE id = 1");
	OKAY(treaty_xa_end(w.xa));
	finish_by_hand(&w, "ROLLBACK PREPARED");
	OKAY(treaty_rollback(w.tx, NULL));
	xa_until_status(&w, treaty_xid(w.tx), TREATY_STATUS_ROLLBACKED);
	xa_release(&w);
	xa_world_close(&w);
}

static void test_P5_another_role_is_refused_at_registration(void **state)
{
	struct treaty_xa_options o = xa_world_options;
	struct xa_world w;
	struct buf dsn;

	(void)state;
	xa_world_prepare(&w, &servers, true);
	xa_world_handle(&w);
	xa_sql(&w, "DROP ROLE IF EXISTS clerk");
	xa_sql(&w, "CREATE ROLE clerk LOGIN");
	xa_sql(&w, "GRANT EXECUTE ON FUNCTION pg_control_system() TO clerk");
	buf_init(&dsn, &mem_heap);
	buf_put_text(&dsn, "postgresql://clerk@");
	buf_put_text(&dsn, strchr(w.dsn, '@') + 1);
	o.dsn = buf_text(&dsn);
	w.pg = xa_world_pg(w.dsn);
	assert_int_equal(treaty_xa_wrap_pg(w.t, w.pg, &o, &w.xa),
			 TREATY_E_INVALID);
	xa_says("would run as clerk");
	PQfinish(w.pg);
	w.xa = NULL;
	buf_fini(&dsn);
	xa_world_close(&w);
}

static void test_P6_phase_two_does_not_need_the_programs_session(void **state)
{
	struct xa_world w;

	(void)state;
	xa_world_open(&w, &servers, true);
	prepared_branch(&w);
	xa_work(&w, "BEGIN");
	xa_work(&w, "UPDATE t SET v = 8 WHERE id = 2");
	assert_commits(&w);
	xa_work(&w, "COMMIT");
	assert_int_equal(xa_count(&w, "SELECT v FROM t WHERE id = 2"), 8);
	xa_world_close(&w);
}

static void test_P7_an_error_at_prepare_is_a_no_with_its_class(void **state)
{
	struct xa_world w;
	PGconn *other;

	(void)state;
	xa_world_open(&w, &servers, true);
	xa_sql(&w, "CREATE TABLE IF NOT EXISTS late (id int UNIQUE DEFERRABLE "
		   "INITIALLY DEFERRED)");
	xa_begin(&w);
	xa_work(&w, change);
	xa_work(&w, "INSERT INTO late VALUES (1), (1)");
	assert_int_equal(treaty_xa_end(w.xa), TREATY_E_INVALID);
	assert_voted_no(&w);

	other = xa_world_pg(w.dsn);
	xa_begin(&w);
	xa_work(&w, "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE");
	PQclear(PQexec(other, "BEGIN ISOLATION LEVEL SERIALIZABLE"));
	xa_work(&w, "SELECT sum(v) FROM t");
	PQclear(PQexec(other, "SELECT sum(v) FROM t"));
	xa_work(&w, change);
	PQclear(PQexec(other, "UPDATE t SET v = 1 WHERE id = 2"));
	PQclear(PQexec(other, "COMMIT"));
	assert_int_equal(treaty_xa_end(w.xa), TREATY_E_CONFLICT);
	assert_voted_no(&w);
	PQfinish(other);
	xa_world_close(&w);
}

static void test_P8_what_can_never_be_prepared_is_unsupported(void **state)
{
	static const char *const sql[] = {
		"CREATE TEMP TABLE scratch (i int)",
		"LISTEN news",
		"NOTIFY news",
		"DECLARE c CURSOR WITH HOLD FOR SELECT 1",
	};
	struct xa_world w;

	(void)state;
	xa_world_open(&w, &servers, true);
	for (size_t i = 0; i < ARRAY_LEN(sql); i++) {
		xa_begin(&w);
		xa_work(&w, change);
		xa_work(&w, sql[i]);
		assert_int_equal(treaty_xa_end(w.xa), TREATY_E_UNSUPPORTED);
		assert_voted_no(&w);
	}
	xa_world_close(&w);
}

static void test_P9_the_same_gid_twice_is_refused_by_the_server(void **state)
{
	struct xa_world w;
	struct xa_gid gid;
	struct db *raw;

	(void)state;
	xa_world_open(&w, &servers, true);
	prepared_branch(&w);
	assert_int_equal(xa_gid_of_text(&gid, bytes_of(treaty_xa_gid(w.xa))),
			 OK);
	assert_int_equal(db_open(&raw, &mem_heap, w.dsn, NULL), OK);
	assert_int_equal(xa_pg.begin(raw, &gid, false), OK);
	PQclear(PQexec(db_pg(raw), "UPDATE t SET v = 9 WHERE id = 9"));
	assert_int_not_equal(xa_pg.prepare(raw, &gid), OK);
	assert_string_equal(db_error(raw)->sqlstate, "42710");
	assert_int_equal(db_state(raw), DB_IDLE);
	db_free(raw);
	assert_commits(&w);
	assert_int_equal(xa_count(&w, "SELECT v FROM t WHERE id = 9"), 0);
	xa_world_close(&w);
}

static void restart_with(const char *slots)
{
	struct db *db;
	struct buf sql;

	assert_int_equal(db_open(&db, &mem_heap, servers.postgresql, NULL), OK);
	buf_init(&sql, &mem_heap);
	buf_printf(&sql, "ALTER SYSTEM %s", slots);
	assert_int_equal(db_command(db, buf_text(&sql)), OK);
	buf_fini(&sql);
	/* Else replaying the log would need the slots. */
	assert_int_equal(db_command(db, "CHECKPOINT"), OK);
	db_free(db);
	assert_int_equal(servers_kill(&servers, "postgresql"), 0);
	assert_int_equal(servers_again(&servers, "postgresql"), 0);
}

static void test_P10_a_server_without_slots_is_refused_early(void **state)
{
	struct treaty_xa *second;
	struct xa_world w;

	(void)state;
	restart_with("SET max_prepared_transactions = 0");
	xa_world_prepare(&w, &servers, true);
	xa_world_handle(&w);
	assert_int_equal(
		treaty_xa_connect(w.t, w.dsn, &xa_world_options, &w.xa),
		TREATY_E_UNSUPPORTED);
	xa_says("set max_prepared_transactions");
	w.xa = NULL;
	xa_world_close(&w);

	restart_with("SET max_prepared_transactions = 1");
	xa_world_open(&w, &servers, true);
	OKAY(treaty_xa_connect(w.t, w.dsn, &xa_world_options, &second));
	prepared_branch(&w);
	OKAY(treaty_xa_start(second));
	OKAY(treaty_xa_run(second, "UPDATE t SET v = 5 WHERE id = 2"));
	assert_int_equal(treaty_xa_end(second), TREATY_E_LIMIT);
	assert_int_equal(treaty_commit(w.tx), TREATY_E_STATE);
	OKAY(treaty_rollback(w.tx, NULL));
	xa_until_listed(&w, 0);
	xa_release(&w);
	treaty_xa_close(second);
	xa_world_close(&w);
	restart_with("RESET max_prepared_transactions");
}

static void test_P11_a_branch_that_only_read_takes_no_slot(void **state)
{
	struct treaty_xa_stats stats;
	struct xa_world w;

	(void)state;
	xa_world_open(&w, &servers, true);
	xa_begin(&w);
	xa_work(&w, "SELECT * FROM t");
	OKAY(treaty_xa_end(w.xa));
	assert_int_equal(xa_listed(&w), 0);
	OKAY(treaty_commit(w.tx));
	xa_until_status(&w, treaty_xid(w.tx), TREATY_STATUS_COMMITTED);
	treaty_xa_stats(w.xa, &stats);
	assert_int_equal(stats.read_only, 1);
	assert_int_equal(stats.prepared, 0);
	xa_release(&w);
	/* A lock is not nothing. */
	xa_begin(&w);
	xa_work(&w, "SELECT * FROM t WHERE id = 1 FOR UPDATE");
	OKAY(treaty_xa_end(w.xa));
	assert_int_equal(xa_listed(&w), 1);
	OKAY(treaty_commit(w.tx));
	xa_until_listed(&w, 0);
	xa_release(&w);
	xa_world_close(&w);
}

static void test_P12_prepared_work_survives_kill_9_of_the_server(void **state)
{
	struct xa_world w;

	(void)state;
	xa_world_open(&w, &servers, true);
	prepared_branch(&w);
	assert_int_equal(servers_kill(&servers, "postgresql"), 0);
	assert_int_equal(servers_again(&servers, "postgresql"), 0);
	assert_int_equal(xa_listed(&w), 1);
	/* Nobody's, and still locked. */
	assert_true(xa_count(&w, "SELECT count(*) FROM pg_locks WHERE "
				 "virtualtransaction LIKE '-1/%'") > 0);
	assert_commits(&w);
	xa_world_close(&w);
}

static void test_P12_a_commit_decided_while_the_server_is_down_arrives(
	void **state)
{
	struct xa_world w;

	(void)state;
	xa_world_open(&w, &servers, true);
	prepared_branch(&w);
	assert_int_equal(servers_kill(&servers, "postgresql"), 0);
	OKAY(treaty_commit(w.tx));
	xa_nap(500);
	assert_int_equal(servers_again(&servers, "postgresql"), 0);
	xa_until(&w, changed, 5);
	xa_until_status(&w, treaty_xid(w.tx), TREATY_STATUS_COMMITTED);
	xa_release(&w);
	xa_world_close(&w);
}

static void test_P13_a_prepare_is_flushed_without_synchronous_commit(
	void **state)
{
	struct xa_world w;

	(void)state;
	xa_world_open(&w, &servers, true);
	xa_work(&w, "SET synchronous_commit = off");
	prepared_branch(&w);
	assert_int_equal(servers_kill(&servers, "postgresql"), 0);
	assert_int_equal(servers_again(&servers, "postgresql"), 0);
	assert_int_equal(xa_listed(&w), 1);
	assert_commits(&w);
	xa_world_close(&w);
}

static void test_P14_a_session_that_timed_out_votes_no(void **state)
{
	struct xa_world w;

	(void)state;
	xa_world_open(&w, &servers, true);
	xa_work(&w, "SET idle_in_transaction_session_timeout = 100");
	xa_begin(&w);
	xa_work(&w, change);
	xa_nap(600);
	assert_int_equal(treaty_xa_end(w.xa), TREATY_E_CLOSED);
	assert_voted_no(&w);
	xa_world_close(&w);
}

static void test_P15_what_prepares_late_is_rolled_back_again_and_again(
	void **state)
{
	struct treaty_xa_stats stats;
	struct xa_world w;
	struct buf xid;
	PGconn *raw;

	(void)state;
	xa_world_open(&w, &servers, true);
	raw = xa_world_pg(w.dsn);
	unknown_xid(&w, &xid);
	for (uint64_t i = 1; i <= 3; i++) {
		raw_prepared(raw, buf_text(&xid), i, change);
		xa_until_listed(&w, 0);
	}
	/* The same for one that the coordinator has rolled back. */
	OKAY(treaty_begin(w.t, "xa", 60000, &w.tx));
	OKAY(treaty_rollback(w.tx, NULL));
	raw_prepared(raw, treaty_xid(w.tx), 77, change);
	xa_until_listed(&w, 0);
	xa_release(&w);
	assert_int_equal(xa_count(&w, changed), 0);
	/* The counter follows the database by a moment. */
	for (int i = 0; i < 100; i++) {
		treaty_xa_stats(w.xa, &stats);
		if (stats.recovered == 4)
			break;
		xa_nap(20);
	}
	assert_int_equal(stats.recovered, 4);
	PQfinish(raw);
	buf_fini(&xid);
	xa_world_close(&w);
}

/* As it happens: the client is gone, its backend waits for a row lock, goes on
 * and prepares. */
static void test_P15_an_orphan_backend_that_prepares_is_found(void **state)
{
	struct xa_gid gid;
	struct xa_world w;
	struct buf xid, sql;
	PGconn *holder, *orphan;

	(void)state;
	xa_world_open(&w, &servers, true);
	unknown_xid(&w, &xid);
	holder = xa_world_pg(w.dsn);
	orphan = xa_world_pg(w.dsn);
	PQclear(PQexec(holder, "BEGIN"));
	PQclear(PQexec(holder, change));
	assert_int_equal(xa_gid_make(&gid, buf_bytes(&xid), 5, 1), OK);
	buf_init(&sql, &mem_heap);
	buf_printf(&sql, "BEGIN; %s; PREPARE TRANSACTION '", change);
	xa_gid_put_text(&sql, &gid);
	buf_put_text(&sql, "'");
	assert_int_equal(PQsendQuery(orphan, buf_text(&sql)), 1);
	(void)PQflush(orphan);
	xa_until(&w,
		 "SELECT count(*) FROM pg_stat_activity WHERE "
		 "wait_event_type = 'Lock'",
		 1);
	/* As if it were killed: its backend reads nothing while it waits. */
	(void)shutdown(PQsocket(orphan), SHUT_RDWR);
	PQfinish(orphan);
	xa_nap(1000); /* scans that find nothing */
	assert_int_equal(xa_listed(&w), 0);
	PQclear(PQexec(holder, "ROLLBACK"));
	xa_until_listed(&w, 1);
	xa_until_listed(&w, 0);
	assert_int_equal(xa_count(&w, changed), 0);
	PQfinish(holder);
	buf_fini(&sql);
	buf_fini(&xid);
	xa_world_close(&w);
}

static void test_recovery_leaves_what_is_not_ours_or_not_decided(void **state)
{
	struct xa_world w;
	PGconn *raw;

	(void)state;
	xa_world_open(&w, &servers, true);
	raw = xa_world_pg(w.dsn);
	PQclear(PQexec(raw, "BEGIN; UPDATE t SET v = 1 WHERE id = 7; "
			    "PREPARE TRANSACTION 'somebody else'"));
	raw_prepared(raw, "another.coordinator:1:5", 1,
		     "UPDATE t SET v = 1 WHERE id = 8");
	xa_begin(&w);
	xa_work(&w, change);
	OKAY(treaty_xa_end(w.xa)); /* undecided */
	xa_nap(1500);
	assert_int_equal(xa_count(&w, "SELECT count(*) FROM pg_prepared_xacts"),
			 3);
	OKAY(treaty_commit(w.tx));
	xa_until(&w, changed, 5);
	xa_release(&w);
	xa_sql(&w, "ROLLBACK PREPARED 'somebody else'");
	PQclear(PQexec(raw, "ROLLBACK PREPARED '1414681689_YW5vdGhlci5jb29yZGlu"
			    "YXRvcjoxOjU=_MS4x'"));
	xa_until(&w, "SELECT count(*) FROM pg_prepared_xacts", 0);
	PQfinish(raw);
	xa_world_close(&w);
}

static void test_an_agent_killed_before_the_decision_leaves_nothing(
	void **state)
{
	struct xa_world w;

	(void)state;
	xa_world_prepare(&w, &servers, true);
	xa_child(&w, XA_DIES_PREPARED);
	assert_int_equal(xa_listed(&w), 1);
	xa_world_agent(&w); /* of the same application */
	xa_until_listed(&w, 0);
	assert_int_equal(xa_count(&w, changed), 0);
	xa_world_close(&w);
}

static void test_an_agent_killed_after_the_decision_is_committed_by_another(
	void **state)
{
	struct xa_world w;

	(void)state;
	xa_world_prepare(&w, &servers, true);
	xa_child(&w, XA_DIES_COMMITTED);
	assert_int_equal(xa_listed(&w), 1);
	xa_world_handle(&w);
	OKAY(treaty_xa_serve(w.t, w.dsn, &xa_world_options));
	xa_until(&w, changed, 5);
	xa_until_listed(&w, 0);
	xa_world_close(&w);
}

static void test_a_coordinator_killed_after_the_prepare_still_decides(
	void **state)
{
	struct xa_world w;

	(void)state;
	xa_world_open(&w, &servers, true);
	prepared_branch(&w);
	treatyd_kill(&w.d);
	assert_true(treatyd_start(&w.d, NULL, NULL));
	assert_commits(&w);
	xa_begin(&w);
	xa_work(&w, "UPDATE t SET v = 6 WHERE id = 1");
	OKAY(treaty_xa_end(w.xa));
	OKAY(treaty_commit(w.tx));
	treatyd_kill(&w.d);
	assert_true(treatyd_start(&w.d, NULL, NULL));
	xa_until(&w, changed, 6);
	xa_until_status(&w, treaty_xid(w.tx), TREATY_STATUS_COMMITTED);
	xa_release(&w);
	xa_world_close(&w);
}

/* A store that was wiped knows nothing, and knows that it does. */
static void test_a_replaced_store_leaves_prepared_branches_to_people(
	void **state)
{
	struct treaty_xa_stats stats = { .alarms = 0 };
	struct xa_world w;
	char wipe[200];
	int status;

	(void)state;
	xa_world_open(&w, &servers, true);
	prepared_branch(&w);
	treatyd_kill(&w.d);
	(void)snprintf(wipe, sizeof wipe, "rm -r '%s'", w.d.data);
	assert_int_equal(system(wipe), 0);
	assert_true(treatyd_start(&w.d, NULL, NULL));
	for (int i = 0; i < 200 && stats.alarms == 0; i++) {
		xa_nap(50);
		treaty_xa_stats(w.xa, &stats);
	}
	xa_nap(500); /* more scans change nothing and say it no more */
	treaty_xa_stats(w.xa, &stats);
	assert_int_equal(stats.alarms, 1);
	assert_int_equal(stats.recovered, 0);
	assert_int_equal(stats.listed, 1);
	assert_int_equal(treaty_status(w.t, treaty_xid(w.tx), &status),
			 TREATY_E_UNKNOWN);
	xa_says("another life");
	assert_int_equal(treaty_commit(w.tx), TREATY_E_UNKNOWN);
	xa_says("another life");
	assert_int_equal(xa_listed(&w), 1);
	xa_sql(&w, "UPDATE t SET v = 1 WHERE id = 2"); /* it works again */
	xa_release(&w);
	/* What the handbook says a person does. */
	(void)snprintf(wipe, sizeof wipe, "COMMIT PREPARED '%s'",
		       treaty_xa_gid(w.xa));
	xa_sql(&w, wipe);
	assert_int_equal(xa_count(&w, changed), 5);
	xa_sql(&w, "UPDATE t SET v = 0 WHERE id = 1");
	prepared_branch(&w);
	OKAY(treaty_rollback(w.tx, NULL));
	xa_until_listed(&w, 0);
	xa_release(&w);
	xa_world_close(&w);
}

static void test_a_timeout_while_the_program_works_makes_it_vote_no(
	void **state)
{
	struct xa_world w;

	(void)state;
	xa_world_open(&w, &servers, true);
	OKAY(treaty_begin(w.t, "xa", 300, &w.tx));
	OKAY(treaty_xa_start(w.xa));
	xa_work(&w, change);
	xa_until_status(&w, treaty_xid(w.tx), TREATY_STATUS_TIMEOUT_ROLLBACKED);
	assert_int_equal(treaty_xa_end(w.xa), TREATY_E_ROLLED_BACK);
	assert_int_equal(xa_listed(&w), 0);
	assert_int_equal(xa_count(&w, changed), 0);
	xa_release(&w);
	xa_world_close(&w);
}

static void test_one_phase_commits_at_once_and_the_commit_finds_it_done(
	void **state)
{
	struct xa_world w;

	(void)state;
	xa_world_open(&w, &servers, true);
	xa_begin(&w);
	xa_work(&w, change);
	OKAY(treaty_xa_end_one_phase(w.xa));
	assert_int_equal(xa_listed(&w), 0);
	assert_int_equal(xa_count(&w, changed), 5);
	assert_commits(&w);
	/* Rolling back what is committed is a contradiction, and said so. */
	xa_begin(&w);
	xa_work(&w, "UPDATE t SET v = 6 WHERE id = 1");
	OKAY(treaty_xa_end_one_phase(w.xa));
	OKAY(treaty_rollback(w.tx, NULL));
	xa_until_status(&w, treaty_xid(w.tx), TREATY_STATUS_ROLLBACK_FAILED);
	xa_release(&w);
	xa_world_close(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test(test_##name)
		T(a_branch_is_committed_or_leaves_no_trace),
		T(misuse_is_refused_with_a_clear_error),
		T(P1_a_failed_transaction_is_never_taken_for_prepared),
		T(P2_a_lost_connection_is_looked_up_and_tried_again),
		T(P2_a_connection_lost_before_the_end_votes_no),
		T(P3_another_database_of_the_cluster_is_left_alone),
		T(P4_an_operators_rollback_is_reported_and_not_hidden),
		T(P4_what_was_finished_as_decided_is_done),
		T(P5_another_role_is_refused_at_registration),
		T(P6_phase_two_does_not_need_the_programs_session),
		T(P7_an_error_at_prepare_is_a_no_with_its_class),
		T(P8_what_can_never_be_prepared_is_unsupported),
		T(P9_the_same_gid_twice_is_refused_by_the_server),
		T(P11_a_branch_that_only_read_takes_no_slot),
		T(P12_prepared_work_survives_kill_9_of_the_server),
		T(P12_a_commit_decided_while_the_server_is_down_arrives),
		T(P13_a_prepare_is_flushed_without_synchronous_commit),
		T(P14_a_session_that_timed_out_votes_no),
		T(P15_what_prepares_late_is_rolled_back_again_and_again),
		T(P15_an_orphan_backend_that_prepares_is_found),
		T(recovery_leaves_what_is_not_ours_or_not_decided),
		T(a_replaced_store_leaves_prepared_branches_to_people),
		T(an_agent_killed_before_the_decision_leaves_nothing),
		T(an_agent_killed_after_the_decision_is_committed_by_another),
		T(a_coordinator_killed_after_the_prepare_still_decides),
		T(a_timeout_while_the_program_works_makes_it_vote_no),
		T(one_phase_commits_at_once_and_the_commit_finds_it_done),
		T(P10_a_server_without_slots_is_refused_early), /* restarts it */
#undef T
	};

	return cmocka_run_group_tests(tests, start_servers, stop_servers);
}
