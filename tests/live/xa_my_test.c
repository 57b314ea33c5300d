#include "tests/live/xa_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

/* XA on a real MariaDB. M1 … M13 are the facts of this server that a resource
 * manager has to live with; docs/xa.md lists them. */

static struct servers servers;

static int start_servers(void **state)
{
	(void)state;
	return servers_start(&servers, SERVERS_MARIADB);
}

static int stop_servers(void **state)
{
	(void)state;
	servers_stop(&servers);
	return 0;
}

static const char changed[] = "SELECT v FROM t WHERE id = 1";
static const char change[] = "UPDATE t SET v = 5 WHERE id = 1";

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
	assert_true(treaty_xa_pinned(w->xa));
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

static struct db *raw_open(struct xa_world *w)
{
	struct db *db;

	assert_int_equal(db_open(&db, &mem_heap, w->dsn, NULL), OK);
	assert_int_equal(xa_my.set_up(db), OK);
	return db;
}

/* Prepared on a connection that the agent knows nothing of. */
static void raw_prepared(struct xa_world *w, struct db *raw, const char *xid,
			 struct xa_gid *gid, struct xa_mark *mark,
			 const char *sql)
{
	uint64_t session;
	bool wrote;

	(void)w;
	*mark = (struct xa_mark){ .table = "test.treaty_xa" };
	assert_int_equal(xa_my.session(raw, &session), OK);
	assert_int_equal(xa_gid_make(gid, bytes_of(xid), 9, session), OK);
	assert_int_equal(xa_my.begin(raw, gid, false), OK);
	assert_int_equal(mysql_query(db_mysql(raw), sql), 0);
	assert_int_equal(xa_my.mark(raw, gid, mark, &wrote), OK);
	assert_int_equal(xa_my.prepare(raw, gid), OK);
}

static void test_a_branch_is_committed_or_leaves_no_trace(void **state)
{
	struct treaty_xa_stats stats;
	struct xa_world w;

	(void)state;
	xa_world_open(&w, &servers, false);
	prepared_branch(&w);
	assert_null(treaty_xa_mysql(w.xa)); /* hands off */
	treaty_xa_stats(w.xa, &stats);
	assert_int_equal(stats.pinned, 1);
	assert_commits(&w);
	OKAY(treaty_xa_wait(w.xa, 5000));
	assert_ptr_equal(treaty_xa_mysql(w.xa), w.my);

	xa_begin(&w);
	xa_work(&w, "UPDATE t SET v = 6 WHERE id = 1");
	OKAY(treaty_xa_end(w.xa));
	OKAY(treaty_rollback(w.tx, NULL));
	xa_until_listed(&w, 0);
	assert_int_equal(xa_count(&w, changed), 5);
	xa_release(&w);

	OKAY(treaty_xa_wait(w.xa, 5000));
	xa_begin(&w);
	xa_work(&w, "UPDATE t SET v = 7 WHERE id = 1");
	OKAY(treaty_xa_rollback(w.xa));
	assert_int_equal(treaty_commit(w.tx), TREATY_E_STATE);
	xa_release(&w);
	assert_int_equal(xa_count(&w, changed), 5);
	treaty_xa_stats(w.xa, &stats);
	assert_int_equal(stats.prepared, 2);
	assert_int_equal(stats.finished, 2);
	assert_int_equal(stats.pinned, 0);
	assert_int_equal(stats.alarms, 0);
	xa_world_close(&w);
}

static void test_M1_a_commit_that_a_reset_has_lost_is_not_called_done(
	void **state)
{
	struct treaty_xa_stats stats;
	struct xa_world w;

	(void)state;
	xa_world_open(&w, &servers, false);
	prepared_branch(&w);
	/* What a pool would do, and what docs/xa.md forbids. */
	assert_int_equal(mysql_reset_connection(w.my), 0);
	OKAY(treaty_commit(w.tx));
	xa_nap(3000);
	assert_int_equal(xa_count(&w, changed), 0);
	treaty_xa_stats(w.xa, &stats);
	assert_true(stats.alarms > 0);
	/* Only a restart brings it back; then it is committed. */
	assert_int_equal(servers_kill(&servers, "mariadb"), 0);
	assert_int_equal(servers_again(&servers, "mariadb"), 0);
	xa_until(&w, changed, 5);
	xa_until_listed(&w, 0);
	xa_until_status(&w, treaty_xid(w.tx), TREATY_STATUS_COMMITTED);
	xa_release(&w);
	xa_world_close(&w);
}

static void test_M2_the_branch_of_a_dead_agent_is_committed_and_looked_at(
	void **state)
{
	struct xa_world w;

	(void)state;
	xa_world_prepare(&w, &servers, false);
	xa_child(&w, XA_DIES_COMMITTED);
	xa_world_handle(&w);
	OKAY(treaty_xa_serve(w.t, w.dsn, &xa_world_options));
	xa_until(&w, changed, 5);
	xa_until_listed(&w, 0);
	xa_world_close(&w);
}

static void test_M2_a_session_lost_after_the_prepare_is_waited_for(void **state)
{
	struct xa_world w;
	struct buf sql;

	(void)state;
	xa_world_open(&w, &servers, false);
	for (int i = 0; i < 5; i++) {
		prepared_branch(&w);
		buf_init(&sql, &mem_heap);
		buf_printf(&sql, "KILL %lu", mysql_thread_id(w.my));
		xa_sql(&w, buf_text(&sql));
		buf_fini(&sql);
		assert_commits(&w); /* races the end of the session */
		treaty_xa_close(w.xa);
		xa_sql(&w, "UPDATE t SET v = 0");
		w.my = xa_world_my(w.dsn);
		OKAY(treaty_xa_wrap_mysql(w.t, w.my, &xa_world_options, &w.xa));
	}
	xa_world_close(&w);
}

static void test_M3_a_branch_of_a_living_session_is_not_taken_for_finished(
	void **state)
{
	enum xa_answer answer;
	enum xa_trace trace;
	struct xa_world w;
	struct xa_mark mark;
	struct xa_gid gid;
	struct db *owner, *other;
	bool listed = false, gone = true;

	(void)state;
	xa_world_open(&w, &servers, false);
	owner = raw_open(&w);
	other = raw_open(&w);
	raw_prepared(&w, owner, "other:1:7", &gid, &mark, change);
	assert_int_equal(xa_my.finish(other, &gid, true, &answer), OK);
	assert_int_equal(answer, XA_ANSWER_NOTA);
	assert_int_equal(xa_my.listed(other, &gid, &listed), OK);
	assert_true(listed);
	assert_int_equal(xa_my.session_gone(other, gid.session, &gone), OK);
	assert_false(gone);
	assert_int_equal(xa_my.trace(other, &gid, &mark, &trace), OK);
	assert_int_equal(trace, XA_TRACE_OPEN);
	/* Ended, it can be finished by another. */
	assert_int_equal(xa_my.evict(other, gid.session), OK);
	for (int i = 0; !gone && i < 200; i++) {
		xa_nap(20);
		assert_int_equal(xa_my.session_gone(other, gid.session, &gone),
				 OK);
	}
	assert_true(gone);
	xa_nap(200);
	assert_int_equal(xa_my.finish(other, &gid, true, &answer), OK);
	assert_int_equal(answer, XA_ANSWER_DONE);
	assert_int_equal(xa_my.trace(other, &gid, &mark, &trace), OK);
	assert_int_equal(trace, XA_TRACE_COMMITTED);
	assert_int_equal(xa_count(&w, changed), 5);
	db_free(owner);
	db_free(other);
	xa_world_close(&w);
}

/* Two agents of one application; the one that holds the branch has left the
 * coordinator, its session lives on. */
static void test_M3_a_session_that_nobody_can_reach_is_ended(void **state)
{
	struct xa_mark mark;
	struct xa_world w;
	struct xa_gid gid;
	struct db *owner;
	struct buf why;

	(void)state;
	xa_world_open(&w, &servers, false);
	owner = raw_open(&w);
	raw_prepared(&w, owner, "other:1:8", &gid, &mark, change);
	buf_init(&why, &mem_heap);
	assert_int_equal(xa_finish(w.xa->r, &gid, &mark, true, 1, &why),
			 BRANCH_COMMIT_NOTA);
	assert_non_null(strstr(buf_text(&why), "session that still lives"));
	(void)xa_finish(w.xa->r, &gid, &mark, true, 3, &why);
	assert_int_equal(xa_finish(w.xa->r, &gid, &mark, true, 4, &why),
			 BRANCH_COMMITTED);
	assert_int_equal(xa_count(&w, changed), 5);
	buf_fini(&why);
	db_free(owner);
	xa_world_close(&w);
}

static void test_M4_a_pinned_connection_waits_for_its_phase_two(void **state)
{
	struct treaty_xa_options o = xa_world_options;
	struct treaty_tx *first;
	struct xa_world w;

	(void)state;
	o.pinned_wait_ms = 200;
	xa_world_prepare(&w, &servers, false);
	xa_world_handle(&w);
	w.my = xa_world_my(w.dsn);
	OKAY(treaty_xa_wrap_mysql(w.t, w.my, &o, &w.xa));
	prepared_branch(&w);
	assert_int_not_equal(mysql_query(w.my, "SELECT * FROM t"), 0);
	assert_int_equal(mysql_errno(w.my), 1399);
	first = treaty_unbind(w.t);
	OKAY(treaty_begin(w.t, "second", 60000, &w.tx));
	assert_int_equal(treaty_xa_start(w.xa), TREATY_E_TIMEOUT);
	xa_says("waits for its second phase");
	OKAY(treaty_release(treaty_unbind(w.t)));
	w.tx = first;
	OKAY(treaty_bind(w.tx));
	assert_commits(&w);
	xa_world_close(&w);
}

static void test_M4_closing_a_pinned_connection_leaves_it_to_phase_two(
	void **state)
{
	struct xa_world w;

	(void)state;
	xa_world_open(&w, &servers, false);
	prepared_branch(&w);
	treaty_xa_close(w.xa);
	w.xa = NULL;
	w.my = NULL;
	assert_int_equal(xa_listed(&w), 1);
	assert_commits(&w);
	xa_world_close(&w);
}

static void finish_listed(struct xa_world *w)
{
	enum xa_answer answer;
	struct xa_gid *all;
	struct arena arena;
	size_t n;

	arena_init(&arena, &mem_heap, 0);
	assert_int_equal(xa_my.list(w->eye, &arena, &all, &n), OK);
	assert_int_equal(n, 1);
	assert_int_equal(xa_my.finish(w->eye, &all[0], false, &answer), OK);
	assert_int_equal(answer, XA_ANSWER_DONE);
	arena_fini(&arena);
}

static void test_M4_closing_the_handle_leaves_the_branch_to_another(
	void **state)
{
	struct xa_world w;
	char xid[XID_LEN_MAX + 1] = "";

	(void)state;
	xa_world_open(&w, &servers, false);
	prepared_branch(&w);
	memcpy(xid, treaty_xid(w.tx), strlen(treaty_xid(w.tx)));
	treaty_xa_close(w.xa);
	OKAY(treaty_close(w.t));
	xa_release(&w);
	assert_int_equal(xa_listed(&w), 1);
	xa_world_handle(&w);
	w.xa = NULL;
	OKAY(treaty_xa_serve(w.t, w.dsn, &xa_world_options));
	OKAY(treaty_join(w.t, xid, &w.tx));
	xa_release(&w);
	/* Undecided until its time-out; an operator may do it by hand. */
	finish_listed(&w);
	assert_int_equal(xa_count(&w, changed), 0);
	xa_world_close(&w);
}

static void kill_session(struct xa_world *w)
{
	struct buf sql;

	buf_init(&sql, &mem_heap);
	buf_printf(&sql, "KILL %lu", mysql_thread_id(w->my));
	xa_sql(w, buf_text(&sql));
	buf_fini(&sql);
	xa_nap(200);
}

static void test_M5_a_session_that_dies_before_the_prepare_votes_no(
	void **state)
{
	struct xa_world w;

	(void)state;
	xa_world_open(&w, &servers, false);
	xa_begin(&w);
	xa_work(&w, change);
	kill_session(&w);
	assert_int_equal(treaty_xa_end(w.xa), TREATY_E_CLOSED);
	assert_voted_no(&w);
	xa_world_close(&w);
}

static void test_M6_a_read_only_branch_is_ended_in_one_phase(void **state)
{
	struct treaty_xa_stats stats;
	struct xa_world w;

	(void)state;
	xa_world_open(&w, &servers, false);
	OKAY(treaty_begin(w.t, "xa", 60000, &w.tx));
	OKAY(treaty_xa_start_read_only(w.xa));
	xa_work(&w, "SELECT * FROM t");
	OKAY(treaty_xa_end(w.xa));
	assert_false(treaty_xa_pinned(w.xa));
	assert_int_equal(xa_listed(&w), 0);
	OKAY(treaty_commit(w.tx));
	xa_until_status(&w, treaty_xid(w.tx), TREATY_STATUS_COMMITTED);
	xa_release(&w);
	treaty_xa_stats(w.xa, &stats);
	assert_int_equal(stats.read_only, 1);

	OKAY(treaty_begin(w.t, "xa", 60000, &w.tx));
	OKAY(treaty_xa_start_read_only(w.xa));
	assert_int_not_equal(mysql_query(w.my, change), 0);
	assert_int_equal(mysql_errno(w.my), 1792);
	assert_int_equal(treaty_xa_check(w.xa), TREATY_E_STATE);
	assert_int_equal(treaty_xa_end(w.xa), TREATY_E_STATE);
	assert_voted_no(&w);
	xa_world_close(&w);
}

/* One that only read and did not say so: the trace makes it a writer, so it
 * survives everything that a writer survives. */
static void test_M6_an_orphan_that_only_read_is_committed_all_the_same(
	void **state)
{
	struct xa_world w;

	(void)state;
	xa_world_open(&w, &servers, false);
	xa_begin(&w);
	xa_work(&w, "SELECT * FROM t");
	OKAY(treaty_xa_end(w.xa));
	kill_session(&w);
	OKAY(treaty_commit(w.tx));
	xa_until_listed(&w, 0);
	xa_until_status(&w, treaty_xid(w.tx), TREATY_STATUS_COMMITTED);
	xa_release(&w);
	xa_world_close(&w);
}

static void test_M7_a_deadlock_makes_the_branch_vote_no(void **state)
{
	struct xa_world w;
	MYSQL *other;

	(void)state;
	xa_world_open(&w, &servers, false);
	other = xa_world_my(w.dsn);
	xa_begin(&w);
	xa_work(&w, change);
	assert_int_equal(mysql_query(other, "BEGIN"), 0);
	/* The heavier one survives. */
	assert_int_equal(mysql_query(other, "UPDATE t SET v = v + 1 WHERE id "
					    "BETWEEN 2 AND 9"),
			 0);
	assert_int_equal(mysql_send_query(other, change, sizeof change - 1), 0);
	xa_nap(500);
	assert_int_not_equal(
		mysql_query(w.my, "UPDATE t SET v = 3 WHERE id = 2"), 0);
	assert_int_equal(mysql_errno(w.my), 1213);
	assert_int_equal(mysql_read_query_result(other), 0);
	assert_int_equal(mysql_query(other, "ROLLBACK"), 0);
	/* Even if the program is sure that it knows better. */
	assert_int_equal(treaty_xa_end(w.xa), TREATY_E_STATE);
	xa_says("rollback-only");
	assert_voted_no(&w);
	mysql_close(other);
	xa_world_close(&w);
}

static void test_M7_a_statement_that_timed_out_makes_it_vote_no_or_is_forgiven(
	void **state)
{
	struct xa_world w;
	MYSQL *other;

	(void)state;
	xa_world_open(&w, &servers, false);
	other = xa_world_my(w.dsn);
	assert_int_equal(mysql_query(other, "BEGIN"), 0);
	assert_int_equal(mysql_query(other, "UPDATE t SET v = 3 WHERE id = 2"),
			 0);
	xa_work(&w, "SET innodb_lock_wait_timeout = 1");
	for (int forgive = 0; forgive < 2; forgive++) {
		xa_begin(&w);
		xa_work(&w, change);
		assert_int_not_equal(
			mysql_query(w.my, "UPDATE t SET v = 5 WHERE id = 2"),
			0);
		assert_int_equal(mysql_errno(w.my), 1205);
		assert_int_equal(treaty_xa_check(w.xa), TREATY_E_STATE);
		xa_work(&w, "SELECT 1"); /* hides the native error */
		if (forgive == 0) {
			assert_int_equal(treaty_xa_end(w.xa), TREATY_E_STATE);
			assert_voted_no(&w);
			continue;
		}
		OKAY(treaty_xa_forgive(w.xa));
		OKAY(treaty_xa_end(w.xa));
		assert_commits(&w);
	}
	assert_int_equal(mysql_query(other, "ROLLBACK"), 0);
	assert_int_equal(xa_count(&w, "SELECT v FROM t WHERE id = 2"), 0);
	mysql_close(other);
	xa_world_close(&w);
}

static void test_M8_states_that_xa_refuses_are_refused_early(void **state)
{
	struct xa_mark mark;
	struct xa_world w;
	struct xa_gid gid;
	struct db *a, *b;

	(void)state;
	xa_world_open(&w, &servers, false);
	OKAY(treaty_begin(w.t, "xa", 60000, &w.tx));
	xa_work(&w, "SET autocommit = 0");
	assert_int_equal(treaty_xa_start(w.xa), TREATY_E_STATE);
	xa_says("autocommit is off");
	xa_work(&w, "SET autocommit = 1");
	xa_work(&w, "BEGIN");
	assert_int_equal(treaty_xa_start(w.xa), TREATY_E_STATE);
	xa_says("local transaction is open");
	xa_work(&w, "ROLLBACK");
	OKAY(treaty_xa_start(w.xa));
	xa_work(&w, change);
	assert_int_not_equal(
		treaty_xa_run(w.xa, "CREATE TABLE nothing (i int)"), OK);
	assert_int_equal(treaty_xa_end(w.xa), TREATY_E_STATE);
	assert_voted_no(&w);
	/* A gid has one owner. */
	a = raw_open(&w);
	b = raw_open(&w);
	raw_prepared(&w, a, "other:1:7", &gid, &mark, change);
	assert_int_not_equal(xa_my.begin(b, &gid, false), OK);
	assert_int_equal(db_error(b)->native, 1440);
	assert_int_equal(db_error(b)->err, E_CONFLICT);
	assert_int_equal(xa_my.undo(a, &gid), OK);
	assert_int_equal(xa_listed(&w), 0);
	db_free(a);
	db_free(b);
	xa_world_close(&w);
}

static void must(MYSQL *conn, const char *sql)
{
	if (mysql_query(conn, sql))
		fail_msg("%s: %s", sql, mysql_error(conn));
}

static void test_M9_M10_others_branches_are_read_over_and_left_alone(
	void **state)
{
	/* raw bytes; our format with parts that are not ours; another
	 * coordinator's */
	static const char *const foreign[] = {
		"X'00FF27',X'0A5C',7",
		"X'00',X'FF',1414681689",
		"'somebody',''",
		"'another.host:1:5','1.1',1414681689",
	};
	MYSQL *raw[ARRAY_LEN(foreign)];
	struct xa_world w;
	struct buf sql;

	(void)state;
	xa_world_open(&w, &servers, false);
	for (size_t i = 0; i < ARRAY_LEN(foreign); i++) {
		static const char *const steps[] = { "START", "END",
						     "PREPARE" };

		raw[i] = xa_world_my(w.dsn);
		for (size_t k = 0; k < ARRAY_LEN(steps); k++) {
			buf_init(&sql, &mem_heap);
			buf_printf(&sql, "XA %s %s", steps[k], foreign[i]);
			must(raw[i], buf_text(&sql));
			buf_fini(&sql);
		}
	}
	xa_begin(&w);
	xa_work(&w, change);
	OKAY(treaty_xa_end(w.xa));
	assert_int_equal(xa_listed(&w), 2); /* with the other coordinator's */
	xa_nap(1500);                       /* scans */
	OKAY(treaty_commit(w.tx));
	xa_until(&w, changed, 5);
	xa_release(&w);
	for (size_t i = 0; i < ARRAY_LEN(foreign); i++) {
		buf_init(&sql, &mem_heap);
		buf_printf(&sql, "XA ROLLBACK %s", foreign[i]);
		must(raw[i], buf_text(&sql)); /* still there */
		buf_fini(&sql);
		mysql_close(raw[i]);
	}
	xa_world_close(&w);
}

static void test_M11_prepared_work_survives_kill_9_of_the_server(void **state)
{
	struct xa_world w;

	(void)state;
	xa_world_open(&w, &servers, false);
	prepared_branch(&w);
	assert_int_equal(servers_kill(&servers, "mariadb"), 0);
	assert_int_equal(servers_again(&servers, "mariadb"), 0);
	assert_int_equal(xa_listed(&w), 1);
	assert_commits(&w);
	xa_world_close(&w);
}

static void test_M11_weak_settings_are_refused_early(void **state)
{
	struct treaty_xa_options o = xa_world_options;
	struct treaty_xa *xa;
	struct xa_world w;

	(void)state;
	xa_world_prepare(&w, &servers, false);
	xa_world_handle(&w);
	xa_sql(&w, "SET GLOBAL innodb_flush_log_at_trx_commit = 2");
	assert_int_equal(treaty_xa_connect(w.t, w.dsn, &o, &xa),
			 TREATY_E_UNSUPPORTED);
	xa_says("set innodb_flush_log_at_trx_commit = 1");
	o.weak_durability = true;
	OKAY(treaty_xa_connect(w.t, w.dsn, &o, &w.xa));
	xa_sql(&w, "SET GLOBAL innodb_flush_log_at_trx_commit = 1");
	xa_world_close(&w);
}

static void test_missing_rights_are_named_at_registration(void **state)
{
	struct treaty_xa_options o = xa_world_options;
	struct xa_world w;
	struct buf dsn;

	(void)state;
	xa_world_prepare(&w, &servers, false);
	xa_world_handle(&w);
	xa_sql(&w, "CREATE OR REPLACE USER clerk@'%' IDENTIFIED BY 'c'");
	xa_sql(&w, "GRANT ALL ON test.* TO clerk@'%'");
	buf_init(&dsn, &mem_heap);
	buf_put_text(&dsn, "mysql://clerk:c@");
	buf_put_text(&dsn, strchr(w.dsn, '@') + 1);
	assert_int_equal(treaty_xa_connect(w.t, buf_text(&dsn), &o, &w.xa),
			 TREATY_E_DENIED);
	xa_says("GRANT PROCESS");
	xa_sql(&w, "GRANT PROCESS ON *.* TO clerk@'%'");
	o.table = "not_there";
	o.no_create_table = true;
	assert_int_equal(treaty_xa_connect(w.t, buf_text(&dsn), &o, &w.xa),
			 TREATY_E_NOTFOUND);
	xa_says("CREATE TABLE IF NOT EXISTS `test`.`not_there`");
	OKAY(treaty_xa_connect(w.t, buf_text(&dsn), &xa_world_options, &w.xa));
	w.my = treaty_xa_mysql(w.xa);
	prepared_branch(&w);
	assert_commits(&w);
	buf_fini(&dsn);
	xa_world_close(&w);
}

static void test_M12_a_blocked_prepare_is_a_no(void **state)
{
	struct xa_world w;
	MYSQL *backup;

	(void)state;
	xa_world_open(&w, &servers, false);
	backup = xa_world_my(w.dsn);
	xa_work(&w, "SET lock_wait_timeout = 1");
	xa_begin(&w);
	xa_work(&w, change);
	/* So that only the prepare is left to be blocked. */
	assert_int_equal(
		xa_my.mark(w.xa->db, &w.xa->gid, &w.xa->mark, &(bool){ false }),
		OK);
	must(backup, "FLUSH TABLES WITH READ LOCK");
	assert_int_equal(xa_my.prepare(w.xa->db, &w.xa->gid), E_TIMEOUT);
	must(backup, "UNLOCK TABLES");
	assert_int_equal(treaty_xa_end(w.xa), TREATY_E_STATE);
	assert_voted_no(&w);
	assert_int_equal(
		xa_count(&w, "SELECT COUNT(*) FROM treaty_xa WHERE gtrid = ''"),
		0);
	mysql_close(backup);
	xa_world_close(&w);
}

static char log_text[65536];
static size_t log_len;

static void keep_log(void *ctx, struct bytes line)
{
	(void)ctx;
	if (line.len < sizeof log_text - log_len - 1) {
		memcpy(log_text + log_len, line.data, line.len);
		log_len += line.len;
	}
}

static void test_M13_tables_that_are_no_part_of_it_are_warned_of(void **state)
{
	struct xa_world w;

	(void)state;
	xa_world_prepare(&w, &servers, false);
	xa_sql(&w, "CREATE OR REPLACE TABLE ledger (i int) ENGINE = MyISAM");
	log_set_sink(keep_log, NULL);
	xa_world_agent(&w);
	log_set_sink(NULL, NULL);
	assert_non_null(strstr(log_text, "tables that are not InnoDB"));
	assert_non_null(strstr(log_text, "first=ledger"));
	xa_sql(&w, "DROP TABLE ledger");
	xa_world_close(&w);
}

static void test_an_agent_killed_before_the_decision_leaves_nothing(
	void **state)
{
	struct xa_world w;

	(void)state;
	xa_world_prepare(&w, &servers, false);
	xa_child(&w, XA_DIES_PREPARED);
	assert_int_equal(xa_listed(&w), 1);
	xa_world_agent(&w);
	xa_until_listed(&w, 0);
	assert_int_equal(xa_count(&w, changed), 0);
	xa_world_close(&w);

	xa_world_prepare(&w, &servers, false);
	xa_child(&w, XA_DIES_ACTIVE);
	xa_until(&w, "SELECT COUNT(*) FROM information_schema.innodb_trx", 0);
	assert_int_equal(xa_count(&w, changed), 0);
	xa_world_close(&w);
}

static void test_an_operators_rollback_is_reported_and_not_hidden(void **state)
{
	struct xa_world w;
	struct buf sql;

	(void)state;
	xa_world_open(&w, &servers, false);
	prepared_branch(&w);
	kill_session(&w);
	buf_init(&sql, &mem_heap);
	buf_printf(&sql, "XA ROLLBACK %s", treaty_xa_gid(w.xa));
	xa_sql(&w, buf_text(&sql));
	assert_int_equal(xa_listed(&w), 0);
	OKAY(treaty_commit(w.tx));
	xa_until_status(&w, treaty_xid(w.tx), TREATY_STATUS_COMMIT_FAILED);
	buf_fini(&sql);
	xa_release(&w);
	xa_world_close(&w);
}

static void test_what_was_committed_by_hand_is_done(void **state)
{
	struct xa_world w;
	struct buf sql;

	(void)state;
	xa_world_open(&w, &servers, false);
	prepared_branch(&w);
	kill_session(&w);
	buf_init(&sql, &mem_heap);
	buf_printf(&sql, "XA COMMIT %s", treaty_xa_gid(w.xa));
	xa_sql(&w, buf_text(&sql));
	assert_commits(&w);
	buf_fini(&sql);
	xa_world_close(&w);
}

static void test_recovery_finishes_what_its_session_still_holds(void **state)
{
	struct treaty_xa_stats stats;
	struct xa_world w;
	struct buf text;

	(void)state;
	xa_world_open(&w, &servers, false);
	prepared_branch(&w);
	/* The coordinator has forgotten the branch, but gave its number: so it
	 * was rolled back, by its word. */
	treatyd_kill(&w.d);
	buf_init(&text, &mem_heap);
	buf_printf(&text, "rm -rf %s", w.d.data);
	assert_int_equal(system(buf_text(&text)), 0);
	buf_clear(&text);
	buf_printf(&text, "--first-id=%s", strrchr(treaty_xid(w.tx), ':') + 1);
	assert_true(treatyd_start(&w.d, buf_text(&text), NULL));
	buf_fini(&text);
	xa_until_listed(&w, 0);
	OKAY(treaty_xa_wait(w.xa, 5000));
	assert_int_equal(xa_count(&w, changed), 0);
	for (int i = 0; i < 100; i++) {
		treaty_xa_stats(w.xa, &stats);
		if (stats.recovered == 1)
			break;
		xa_nap(20);
	}
	assert_int_equal(stats.recovered, 1);
	xa_release(&w);
	xa_world_close(&w);
}

static void test_a_timeout_while_the_program_works_makes_it_vote_no(
	void **state)
{
	struct xa_world w;

	(void)state;
	xa_world_open(&w, &servers, false);
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
	xa_world_open(&w, &servers, false);
	xa_begin(&w);
	xa_work(&w, change);
	OKAY(treaty_xa_end_one_phase(w.xa));
	assert_false(treaty_xa_pinned(w.xa));
	assert_int_equal(xa_count(&w, changed), 5);
	assert_commits(&w);
	xa_world_close(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test(test_##name)
		T(a_branch_is_committed_or_leaves_no_trace),
		T(M2_the_branch_of_a_dead_agent_is_committed_and_looked_at),
		T(M2_a_session_lost_after_the_prepare_is_waited_for),
		T(M3_a_branch_of_a_living_session_is_not_taken_for_finished),
		T(M3_a_session_that_nobody_can_reach_is_ended),
		T(M4_a_pinned_connection_waits_for_its_phase_two),
		T(M4_closing_a_pinned_connection_leaves_it_to_phase_two),
		T(M4_closing_the_handle_leaves_the_branch_to_another),
		T(M5_a_session_that_dies_before_the_prepare_votes_no),
		T(M6_a_read_only_branch_is_ended_in_one_phase),
		T(M6_an_orphan_that_only_read_is_committed_all_the_same),
		T(M7_a_deadlock_makes_the_branch_vote_no),
		T(M7_a_statement_that_timed_out_makes_it_vote_no_or_is_forgiven),
		T(M8_states_that_xa_refuses_are_refused_early),
		T(M9_M10_others_branches_are_read_over_and_left_alone),
		T(M11_prepared_work_survives_kill_9_of_the_server),
		T(M11_weak_settings_are_refused_early),
		T(missing_rights_are_named_at_registration),
		T(M12_a_blocked_prepare_is_a_no),
		T(M13_tables_that_are_no_part_of_it_are_warned_of),
		T(an_agent_killed_before_the_decision_leaves_nothing),
		T(an_operators_rollback_is_reported_and_not_hidden),
		T(what_was_committed_by_hand_is_done),
		T(recovery_finishes_what_its_session_still_holds),
		T(a_timeout_while_the_program_works_makes_it_vote_no),
		T(one_phase_commits_at_once_and_the_commit_finds_it_done),
		T(M1_a_commit_that_a_reset_has_lost_is_not_called_done),
#undef T
	};

	return cmocka_run_group_tests(tests, start_servers, stop_servers);
}
