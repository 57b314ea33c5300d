#include "base/buf.h"
#include "base/hash.h"
#include "tests/live/live.h"
#include "tests/live/post.h"
#include "tests/live/servers.h"
#include "tests/live/wire.h"

#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

#include <treaty/at.h>
#include <treaty/sqlite.h>

/*
 * Messages with a real treatyd and three real databases: what has left wallet 0
 * in a local transaction arrives in wallet 1, once, whoever dies.
 *
 * The program also is the producer and consumer that gets killed: msg_test MODE
 * ADDRESS PG MARIADB SQLITE; see serve(). SEED=n repeats the random choices.
 */

static struct servers servers;
static uint64_t seed = 20261121;

#define EACH_KIND(kind)                                                        \
	for (enum cashier_kind kind = 0; kind < CASHIER_KINDS; kind++)

/* ---- the world ---- */

struct world {
	struct treatyd d;
	struct treaty *t;
	struct post p[CASHIER_KINDS];
	char dsn[CASHIER_KINDS][200];
};

static void start_daemon(struct world *w)
{
	assert_true(treatyd_start(&w->d, "--retry-first=20ms",
				  "--retry-max=100ms", "--command-timeout=5s",
				  "--timeout=5s", NULL));
}

static struct treaty *open_agent(const char *address, const char *application)
{
	struct treaty_options o;
	struct treaty *t;

	treaty_options_init(&o, sizeof o);
	o.address = address;
	o.application = application;
	o.threads = 4;
	o.request_timeout_ms = 20000;
	REQUIRE(treaty_open(&t, &o) == TREATY_OK);
	return t;
}

static void put_dsn(struct world *w)
{
	struct buf file;

	buf_init(&file, &mem_heap);
	buf_printf(&file, "sqlite:%s/shop.db", servers.dir);
	memcpy(w->dsn[CASHIER_PG], servers.postgresql,
	       sizeof servers.postgresql);
	memcpy(w->dsn[CASHIER_MYSQL], servers.mariadb, sizeof servers.mariadb);
	memcpy(w->dsn[CASHIER_SQLITE], buf_text(&file), file.len + 1);
	buf_fini(&file);
}

/* Everything fresh; an agent that produces, and nobody who consumes yet. */
static void world_prepare(struct world *w)
{
	memset(w, 0, sizeof *w);
	put_dsn(w);
	EACH_KIND(kind)
	{
		struct cashier c;

		post_init(&w->p[kind], kind, w->dsn[kind]);
		cashier_open(&c, kind, w->dsn[kind]);
		cashier_tables(&c);
		cashier_close(&c);
	}
	start_daemon(w);
	w->t = open_agent(w->d.agents, "shop");
}

static void world_open(struct world *w)
{
	world_prepare(w);
	EACH_KIND(kind)
	{
		post_consume(&w->p[kind], w->t);
		post_produce(&w->p[kind], w->t);
	}
}

static void world_close(struct world *w)
{
	if (w->t)
		assert_int_equal(treaty_close(w->t), TREATY_OK);
	treatyd_remove(&w->d);
}

/* ---- looking ---- */

/* Wait until it has ended, or hangs. */
static int settled(struct treaty *t, const char *xid)
{
	uint64_t end = live_now_ms() + 20000;
	int status = 0;

	do {
		if (treaty_status(t, xid, &status) == TREATY_OK &&
		    status >= TREATY_STATUS_COMMITTED)
			break;
		live_nap(5);
	} while (live_now_ms() < end);
	return status;
}

static int status_of(struct world *w, const char *xid)
{
	int status = 0;

	assert_int_equal(treaty_status(w->t, xid, &status), TREATY_OK);
	return status;
}

/* So much has left, and arrived, in each database. */
static void want_moved(struct world *w, int64_t sum)
{
	EACH_KIND(kind)
	{
		assert_int_equal(post_left(&w->p[kind]), sum);
		assert_int_equal(post_arrived(&w->p[kind]), sum);
	}
}

static void copy_xid(char out[TREATY_XID_MAX + 1], const struct treaty_msg *m)
{
	memcpy(out, treaty_msg_xid(m), strlen(treaty_msg_xid(m)) + 1);
}

/* ---- the plain ways ---- */

static void test_a_message_goes_with_its_local_transaction(void **state)
{
	struct treaty_msg *m;
	struct world w;

	(void)state;
	world_open(&w);
	EACH_KIND(kind)
	{
		m = post_prepare(&w.p[kind], w.t, 5000, 10);
		assert_non_null(m);
		assert_int_equal(status_of(&w, treaty_msg_xid(m)),
				 TREATY_STATUS_BEGIN);
		assert_int_equal(post_local(&w.p[kind], m, 10, false),
				 TREATY_OK);
		assert_int_equal(settled(w.t, treaty_msg_xid(m)),
				 TREATY_STATUS_COMMITTED);
		treaty_msg_free(m);

		m = post_prepare(&w.p[kind], w.t, 5000, 10);
		assert_int_equal(post_local(&w.p[kind], m, 10, true),
				 TREATY_E_DENIED);
		assert_int_equal(settled(w.t, treaty_msg_xid(m)),
				 TREATY_STATUS_ROLLBACKED);
		treaty_msg_free(m);
		assert_int_equal(w.p[kind].calls, 1);
	}
	want_moved(&w, 10);
	world_close(&w);
}

/* The same by hand, on each database. */
static void test_the_barrier_and_submit_may_be_called_apart(void **state)
{
	struct world w;

	(void)state;
	world_open(&w);
	EACH_KIND(kind)
	{
		struct treaty_msg *m = post_prepare(&w.p[kind], w.t, 5000, 10);
		struct cashier c;

		cashier_open(&c, kind, w.dsn[kind]);
		assert_int_equal(cashier_begin(&c), OK);
		assert_int_equal(post_barrier(m, &c), TREATY_OK);
		assert_int_equal(post_pay(&c, 10), OK);
		assert_int_equal(w.p[kind].calls, 0);
		assert_int_equal(cashier_commit(&c), OK);
		assert_int_equal(treaty_msg_submit(m), TREATY_OK);
		assert_int_equal(treaty_msg_abort(m, "late"), TREATY_E_STATE);
		assert_int_equal(settled(w.t, treaty_msg_xid(m)),
				 TREATY_STATUS_COMMITTED);
		cashier_close(&c);
		treaty_msg_free(m);
	}
	want_moved(&w, 10);
	world_close(&w);
}

static void test_what_is_published_arrives(void **state)
{
	char xid[TREATY_XID_MAX + 1];
	struct world w;

	(void)state;
	world_open(&w);
	EACH_KIND(kind)
	{
		struct treaty_msg_delivery d = post_delivery(&w.p[kind]);

		assert_int_equal(treaty_msg_publish(w.t, "gift", &d, xid),
				 TREATY_OK);
		assert_int_equal(settled(w.t, xid), TREATY_STATUS_COMMITTED);
		assert_int_equal(post_arrived(&w.p[kind]), 10);
		assert_non_null(strstr(w.p[kind].key, xid));
	}
	world_close(&w);
}

/* Without a thread of its own the agent runs consumers and answers for
 * producers in treaty_process(). */
static void test_a_program_with_its_own_loop_needs_no_thread(void **state)
{
	struct treaty_options o;
	struct treaty_msg *m;
	struct cashier c;
	struct treaty *t;
	struct world w;

	(void)state;
	world_prepare(&w);
	treaty_options_init(&o, sizeof o);
	o.address = w.d.agents;
	o.application = "loop";
	o.threads = 0;
	assert_int_equal(treaty_open(&t, &o), TREATY_OK);
	post_consume(&w.p[CASHIER_SQLITE], t);
	post_produce(&w.p[CASHIER_SQLITE], t);
	m = post_prepare(&w.p[CASHIER_SQLITE], t, 300, 10);
	assert_non_null(m);
	cashier_open(&c, CASHIER_SQLITE, w.dsn[CASHIER_SQLITE]);
	assert_int_equal(cashier_begin(&c), OK);
	assert_int_equal(post_barrier(m, &c), TREATY_OK);
	assert_int_equal(post_pay(&c, 10), OK);
	assert_int_equal(cashier_commit(&c), OK);
	cashier_close(&c);
	treaty_msg_free(m);
	for (int i = 0; i < 2000 && w.p[CASHIER_SQLITE].calls == 0; i++) {
		(void)!treaty_process(t, 20);
		live_nap(5);
	}
	assert_int_equal(post_arrived(&w.p[CASHIER_SQLITE]), 10);
	assert_int_equal(treaty_close(t), TREATY_OK);
	world_close(&w);
}

/* ---- a producer that is silent ---- */

static void test_who_never_submits_is_asked(void **state)
{
	struct world w;

	(void)state;
	world_open(&w);
	EACH_KIND(kind)
	{
		struct treaty_msg *sent =
			post_prepare(&w.p[kind], w.t, 300, 10);
		struct treaty_msg *never =
			post_prepare(&w.p[kind], w.t, 300, 10);
		char xids[2][TREATY_XID_MAX + 1];
		struct cashier c;

		copy_xid(xids[0], sent);
		copy_xid(xids[1], never);
		cashier_open(&c, kind, w.dsn[kind]);
		assert_int_equal(cashier_begin(&c), OK);
		assert_int_equal(post_barrier(sent, &c), TREATY_OK);
		assert_int_equal(post_pay(&c, 10), OK);
		assert_int_equal(cashier_commit(&c), OK);
		treaty_msg_free(sent); /* forgotten, not aborted */
		assert_int_equal(settled(w.t, xids[0]),
				 TREATY_STATUS_COMMITTED);
		assert_int_equal(settled(w.t, xids[1]),
				 TREATY_STATUS_ROLLBACKED);
		/* Too late now, and it is told before anything is done. */
		assert_int_equal(cashier_begin(&c), OK);
		assert_int_equal(post_barrier(never, &c), TREATY_E_ROLLED_BACK);
		cashier_rollback(&c);
		assert_int_equal(treaty_msg_submit(never),
				 TREATY_E_ROLLED_BACK);
		treaty_msg_free(never);
		cashier_close(&c);
	}
	want_moved(&w, 10);
	world_close(&w);
}

/* The question comes while the local transaction is open: no answer is given
 * before its end, and then the true one. */
static void open_while_asked(struct world *w, enum cashier_kind kind,
			     bool commit)
{
	struct treaty_msg *m = post_prepare(&w->p[kind], w->t, 200, 10);
	struct cashier c;

	cashier_open(&c, kind, w->dsn[kind]);
	assert_int_equal(cashier_begin(&c), OK);
	assert_int_equal(post_barrier(m, &c), TREATY_OK);
	assert_int_equal(post_pay(&c, 10), OK);
	live_nap(3000); /* asked, waited for, asked again */
	assert_int_equal(status_of(w, treaty_msg_xid(m)), TREATY_STATUS_BEGIN);
	if (commit)
		assert_int_equal(cashier_commit(&c), OK);
	else
		cashier_rollback(&c);
	cashier_close(&c);
	assert_int_equal(settled(w->t, treaty_msg_xid(m)),
			 commit ? TREATY_STATUS_COMMITTED
				: TREATY_STATUS_ROLLBACKED);
	treaty_msg_free(m);
}

static void test_an_open_local_transaction_is_waited_for(void **state)
{
	struct world w;

	(void)state;
	world_open(&w);
	EACH_KIND(kind)
	{
		open_while_asked(&w, kind, true);
		open_while_asked(&w, kind, false);
	}
	want_moved(&w, 10);
	world_close(&w);
}

static void test_without_a_producer_it_is_dropped_in_time(void **state)
{
	const struct treaty_msg_options o = { .size = sizeof o,
					      .timeout_ms = 300 };
	struct treaty_msg_delivery d;
	struct treaty_msg *m;
	struct world w;

	(void)state;
	world_open(&w);
	d = post_delivery(&w.p[0]);
	assert_int_equal(treaty_msg_prepare(w.t, &o, &m), TREATY_OK);
	assert_int_equal(treaty_msg_add(m, &d, NULL), TREATY_OK);
	assert_int_equal(settled(w.t, treaty_msg_xid(m)),
			 TREATY_STATUS_TIMEOUT_ROLLBACKED);
	assert_int_equal(treaty_msg_submit(m), TREATY_E_ROLLED_BACK);
	treaty_msg_free(m);
	assert_int_equal(w.p[0].calls, 0);
	world_close(&w);
}

/* ---- a database that dies under the local transaction ---- */

static int crash(struct cashier *c)
{
	static const char *const names[] = { "postgresql", "mariadb" };
	int rc = post_pay(c, 10);

	return rc == OK ? servers_kill(&servers, names[c->kind]) : rc;
}

static int crash_pg(void *ctx, struct pg_conn *conn)
{
	(void)conn;
	return crash(ctx);
}

static int crash_mysql(void *ctx, struct st_mysql *conn)
{
	(void)conn;
	return crash(ctx);
}

/* COMMIT is not answered: neither submitted nor aborted, but found out. */
static void test_an_unanswered_local_commit_is_found_out(void **state)
{
	struct world w;

	(void)state;
	world_open(&w);
	for (enum cashier_kind kind = CASHIER_PG; kind <= CASHIER_MYSQL;
	     kind++) {
		struct treaty_msg *m = post_prepare(&w.p[kind], w.t, 300, 10);
		struct cashier c;
		int rc;

		cashier_open(&c, kind, w.dsn[kind]);
		rc = kind == CASHIER_PG
			     ? treaty_msg_local_pg(m, c.native, crash_pg, &c)
			     : treaty_msg_local_mysql(m, c.native, crash_mysql,
						      &c);
		assert_int_equal(rc, TREATY_E_UNKNOWN);
		cashier_close(&c);
		live_nap(600); /* asked, and nothing can be known */
		assert_int_equal(status_of(&w, treaty_msg_xid(m)),
				 TREATY_STATUS_BEGIN);
		assert_int_equal(servers_again(&servers, kind == CASHIER_PG
								 ? "postgresql"
								 : "mariadb"),
				 0);
		assert_int_equal(settled(w.t, treaty_msg_xid(m)),
				 TREATY_STATUS_ROLLBACKED);
		treaty_msg_free(m);
	}
	want_moved(&w, 0);
	world_close(&w);
}

/* A crash of the coordinator while it waits for the producer. */
static void test_the_question_survives_the_coordinator(void **state)
{
	char xids[CASHIER_KINDS][TREATY_XID_MAX + 1];
	struct world w;

	(void)state;
	world_prepare(&w);
	EACH_KIND(kind)
	{
		struct treaty_msg *m = post_prepare(&w.p[kind], w.t, 300, 10);
		struct cashier c;

		copy_xid(xids[kind], m);
		cashier_open(&c, kind, w.dsn[kind]);
		assert_int_equal(cashier_begin(&c), OK);
		assert_int_equal(post_barrier(m, &c), TREATY_OK);
		assert_int_equal(post_pay(&c, 10), OK);
		assert_int_equal(cashier_commit(&c), OK);
		cashier_close(&c);
		treaty_msg_free(m);
	}
	live_nap(500); /* asked, and nobody is there who knows */
	treatyd_kill(&w.d);
	start_daemon(&w);
	EACH_KIND(kind)
	{
		assert_int_equal(status_of(&w, xids[kind]),
				 TREATY_STATUS_BEGIN);
		post_produce(&w.p[kind], w.t);
		post_consume(&w.p[kind], w.t);
	}
	EACH_KIND(kind)
	assert_int_equal(settled(w.t, xids[kind]), TREATY_STATUS_COMMITTED);
	want_moved(&w, 10);
	world_close(&w);
}

/* ---- deliveries ---- */

static void test_duplicates_have_no_second_effect(void **state)
{
	struct world w;

	(void)state;
	world_open(&w);
	EACH_KIND(kind)
	{
		struct post *p = &w.p[kind];
		struct treaty_msg *m = post_prepare(p, w.t, 5000, 10);

		atomic_store(&p->say_busy, 2);
		atomic_store(&p->say_retry, 3);
		assert_int_equal(post_local(p, m, 10, false), TREATY_OK);
		assert_int_equal(settled(w.t, treaty_msg_xid(m)),
				 TREATY_STATUS_COMMITTED);
		treaty_msg_free(m);
		assert_int_equal(p->calls, 6);
		assert_int_equal(p->verdicts[TREATY_BARRIER_RUN], 1);
		assert_int_equal(p->verdicts[TREATY_BARRIER_DUPLICATE], 3);
	}
	want_moved(&w, 10);
	world_close(&w);
}

static void order(struct world *w, const char *what, const char *xid)
{
	struct buf request;
	char *answer;

	buf_init(&request, &mem_heap);
	buf_printf(&request, "POST /api/v1/transactions/%s/%s", xid, what);
	answer = live_http(&w->d, buf_text(&request), "{}");
	assert_int_equal(live_http_code(answer) / 100, 2);
	free(answer);
	buf_fini(&request);
}

/* A dead letter stays until somebody sends it again. */
static void test_a_refused_delivery_is_a_dead_letter(void **state)
{
	struct treaty_msg *m;
	struct world w;

	(void)state;
	world_open(&w);
	EACH_KIND(kind)
	{
		struct post *p = &w.p[kind];

		atomic_store(&p->say_refused, 1);
		m = post_prepare(p, w.t, 5000, 10);
		assert_int_equal(post_local(p, m, 10, false), TREATY_OK);
		assert_int_equal(settled(w.t, treaty_msg_xid(m)),
				 TREATY_STATUS_COMMIT_FAILED);
		live_nap(300);
		assert_int_equal(p->calls, 1); /* not again by itself */
		treatyd_kill(&w.d);
		start_daemon(&w);
		assert_int_equal(status_of(&w, treaty_msg_xid(m)),
				 TREATY_STATUS_COMMIT_FAILED);
		atomic_store(&p->say_refused, 0);
		order(&w, "retry", treaty_msg_xid(m));
		assert_int_equal(settled(w.t, treaty_msg_xid(m)),
				 TREATY_STATUS_COMMITTED);
		treaty_msg_free(m);
		assert_int_equal(p->calls, 2);
	}
	want_moved(&w, 10);
	world_close(&w);
}

static void test_a_schedule_ends_in_a_dead_letter(void **state)
{
	static const uint64_t ms[] = { 100, 300 };
	struct treaty_msg_delivery d;
	char xid[TREATY_XID_MAX + 1];
	struct world w;
	uint64_t begun;
	int status;

	(void)state;
	world_open(&w);
	d = post_delivery(&w.p[0]);
	d.schedule_ms = ms;
	d.n_schedule = 2;
	atomic_store(&w.p[0].say_retry, 1000);
	begun = live_now_ms();
	assert_int_equal(treaty_msg_publish(w.t, "gift", &d, xid), TREATY_OK);
	status = settled(w.t, xid);
	assert_true(live_now_ms() - begun >= 400);
	assert_true(status == TREATY_STATUS_COMMIT_FAILED ||
		    status == TREATY_STATUS_COMMIT_RETRY_TIMEOUT);
	assert_int_equal(w.p[0].calls, 3);
	atomic_store(&w.p[0].say_retry, 0);
	order(&w, "retry", xid);
	assert_int_equal(settled(w.t, xid), TREATY_STATUS_COMMITTED);
	assert_int_equal(post_arrived(&w.p[0]), 10);
	world_close(&w);
}

static void test_ordered_deliveries_keep_the_order(void **state)
{
	const struct treaty_msg_options o = { .size = sizeof o,
					      .name = "ordered",
					      .ordered = true };
	static _Atomic int order_of_all;
	struct treaty_msg *m;
	struct world w;

	(void)state;
	world_open(&w);
	atomic_store(&order_of_all, 0);
	assert_int_equal(treaty_msg_prepare(w.t, &o, &m), TREATY_OK);
	EACH_KIND(kind)
	{
		struct treaty_msg_delivery d = post_delivery(&w.p[kind]);

		w.p[kind].order = &order_of_all;
		assert_int_equal(treaty_msg_add(m, &d, NULL), TREATY_OK);
	}
	atomic_store(&w.p[0].say_retry, 3); /* the others wait for it */
	assert_int_equal(treaty_msg_submit(m), TREATY_OK);
	assert_int_equal(settled(w.t, treaty_msg_xid(m)),
			 TREATY_STATUS_COMMITTED);
	treaty_msg_free(m);
	EACH_KIND(kind)
	{
		assert_int_equal(w.p[kind].clock, (int)kind);
		assert_int_equal(post_arrived(&w.p[kind]), 10);
	}
	assert_int_equal(w.p[0].calls, 4);
	world_close(&w);
}

static void test_a_delay_counts_on_over_a_crash(void **state)
{
	struct treaty_msg_delivery d;
	char xid[TREATY_XID_MAX + 1];
	struct world w;
	uint64_t begun;

	(void)state;
	world_open(&w);
	d = post_delivery(&w.p[0]);
	d.deliver_after_ms = 3000;
	begun = live_now_ms();
	assert_int_equal(treaty_msg_publish(w.t, "gift", &d, xid), TREATY_OK);
	live_nap(1000);
	assert_int_equal(w.p[0].calls, 0);
	treatyd_kill(&w.d);
	live_nap(500);
	start_daemon(&w);
	assert_int_equal(settled(w.t, xid), TREATY_STATUS_COMMITTED);
	assert_true(w.p[0].came_ms - begun >= 2900);
	assert_true(w.p[0].came_ms - begun < 5000);
	assert_int_equal(post_arrived(&w.p[0]), 10);
	world_close(&w);
}

/* ---- topics ---- */

static int publish_to(struct world *w, const char *topic,
		      char xid[TREATY_XID_MAX + 1])
{
	const struct treaty_msg_delivery d = { .size = sizeof d,
					       .topic = topic,
					       .payload = "{\"sum\":\"10\"}" };

	return treaty_msg_publish(w->t, "topic", &d, xid);
}

static void test_every_subscriber_of_a_topic_gets_its_own(void **state)
{
	char xid[TREATY_XID_MAX + 1];
	struct world w;

	(void)state;
	world_open(&w);
	assert_int_equal(publish_to(&w, "sold", xid), TREATY_E_NOTFOUND);
	EACH_KIND(kind)
	assert_int_equal(treaty_topic_subscribe(w.t, "sold", w.p[kind].consumer,
						w.p[kind].consumer, NULL),
			 TREATY_OK);
	treatyd_kill(&w.d);
	start_daemon(&w);
	/* One that retries does not hold the others up. */
	atomic_store(&w.p[CASHIER_PG].say_retry, 2);
	assert_int_equal(publish_to(&w, "sold", xid), TREATY_OK);
	assert_int_equal(settled(w.t, xid), TREATY_STATUS_COMMITTED);
	EACH_KIND(kind)
	assert_int_equal(post_arrived(&w.p[kind]), 10);

	assert_int_equal(
		treaty_topic_unsubscribe(w.t, "sold", w.p[CASHIER_PG].consumer),
		TREATY_OK);
	assert_int_equal(
		treaty_topic_unsubscribe(w.t, "sold", w.p[CASHIER_PG].consumer),
		TREATY_E_NOTFOUND);
	assert_int_equal(publish_to(&w, "sold", xid), TREATY_OK);
	assert_int_equal(settled(w.t, xid), TREATY_STATUS_COMMITTED);
	assert_int_equal(post_arrived(&w.p[CASHIER_PG]), 10);
	assert_int_equal(post_arrived(&w.p[CASHIER_MYSQL]), 20);
	assert_int_equal(post_arrived(&w.p[CASHIER_SQLITE]), 20);
	world_close(&w);
}

/* ---- with a global transaction ---- */

/* AT takes money out of wallet 0 and the same transaction sends it. */
static void outbox(struct world *w, bool commit)
{
	struct treaty_msg_delivery d = post_delivery(&w->p[CASHIER_PG]);
	struct treaty_at *at;
	struct treaty_tx *tx;
	sqlite3 *db;

	assert_int_equal(
		sqlite3_open(w->dsn[CASHIER_SQLITE] + strlen("sqlite:"), &db),
		SQLITE_OK);
	sqlite3_busy_timeout(db, 10000);
	assert_int_equal(treaty_at_wrap_sqlite(w->t, db, NULL, &at), TREATY_OK);
	assert_int_equal(treaty_begin(w->t, "buy", 10000, &tx), TREATY_OK);
	if (treaty_at_exec(at,
			   "UPDATE wallet SET balance = balance - 10 WHERE "
			   "id = 0",
			   NULL, 0, NULL) != TREATY_OK)
		fail_msg("%s", treaty_last_error());
	assert_int_equal(treaty_msg_send(w->t, &d, NULL), TREATY_OK);
	live_nap(200);
	assert_int_equal(w->p[CASHIER_PG].calls, 0);
	assert_int_equal(commit ? treaty_commit(tx) : treaty_rollback(tx, "no"),
			 TREATY_OK);
	assert_int_equal(settled(w->t, treaty_xid(tx)),
			 commit ? TREATY_STATUS_COMMITTED
				: TREATY_STATUS_ROLLBACKED);
	assert_int_equal(treaty_release(tx), TREATY_OK);
	treaty_at_unwrap(at);
	sqlite3_close(db);
}

static void test_an_outbox_goes_with_its_global_transaction(void **state)
{
	struct world w;

	(void)state;
	world_open(&w);
	outbox(&w, false);
	live_nap(300);
	assert_int_equal(w.p[CASHIER_PG].calls, 0);
	assert_int_equal(post_left(&w.p[CASHIER_SQLITE]), 0);
	outbox(&w, true);
	assert_int_equal(post_left(&w.p[CASHIER_SQLITE]), 10);
	assert_int_equal(post_arrived(&w.p[CASHIER_PG]), 10);
	world_close(&w);
}

/* ---- processes that get killed ---- */

/*
 * Modes: "serve" consumes and answers for the shop; "stall" the same, but
 * never comes back from a delivery; "before" dies before its local commits,
 * "after" between those and the submits; "load" buys one after the other and
 * consumes; "topic" publishes to a topic. Each that was told committed is a
 * line on stdout, one that is not known a line "u".
 */
static void buy_and_wait(struct world *w, bool commit)
{
	struct cashier c[CASHIER_KINDS];

	EACH_KIND(kind)
	{
		struct treaty_msg *m = post_prepare(&w->p[kind], w->t, 700, 10);

		REQUIRE(m);
		cashier_open(&c[kind], kind, w->dsn[kind]);
		REQUIRE(cashier_begin(&c[kind]) == OK);
		REQUIRE(post_barrier(m, &c[kind]) == TREATY_OK);
		REQUIRE(post_pay(&c[kind], 10) == OK);
		REQUIRE(!commit || cashier_commit(&c[kind]) == OK);
	}
	(void)!write(STDOUT_FILENO, "x\n", 2);
	for (;;)
		live_nap(1000);
}

static void buy(struct world *w, uint64_t i)
{
	struct post *p = &w->p[i % CASHIER_KINDS];
	struct treaty_msg *m = post_prepare(p, w->t, 1000, 10);
	int rc;

	if (!m)
		return;
	rc = post_local(p, m, 10, i % 5 == 4);
	if (rc == TREATY_OK)
		(void)!write(STDOUT_FILENO, "c\n", 2);
	treaty_msg_free(m);
}

static void publish(struct world *w)
{
	char xid[TREATY_XID_MAX + 1];
	int rc = publish_to(w, "sold", xid);

	if (rc == TREATY_OK)
		(void)!write(STDOUT_FILENO, "c\n", 2);
	if (rc == TREATY_E_UNKNOWN)
		(void)!write(STDOUT_FILENO, "u\n", 2);
}

static _Noreturn void serve(char **argv)
{
	static struct world w;
	const char *mode = argv[1];
	bool buys = strcmp(mode, "before") == 0 || strcmp(mode, "after") == 0 ||
		    strcmp(mode, "topic") == 0;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	w.t = open_agent(argv[2], "points");
	EACH_KIND(kind)
	{
		size_t n = strlen(argv[3 + kind]) + 1;

		REQUIRE(n <= sizeof w.dsn[kind]);
		memcpy(w.dsn[kind], argv[3 + kind], n);
		post_init(&w.p[kind], kind, argv[3 + kind]);
		w.p[kind].stall = strcmp(mode, "stall") == 0;
		if (buys)
			continue;
		post_consume(&w.p[kind], w.t);
		post_produce(&w.p[kind], w.t);
	}
	while (strcmp(mode, "topic") == 0)
		publish(&w);
	if (buys)
		buy_and_wait(&w, strcmp(mode, "after") == 0);
	for (uint64_t i = 0; strcmp(mode, "load") == 0; i++)
		buy(&w, i);
	for (;;)
		live_nap(1000);
}

struct child {
	pid_t pid;
	int out;
	int told;    /* lines so far */
	int unknown; /* those of them that say so */
};

static struct child spawn_at(struct world *w, const char *mode, char *address)
{
	char *args[] = { (char *)"msg_test",
			 (char *)(uintptr_t)mode,
			 address,
			 w->dsn[0],
			 w->dsn[1],
			 w->dsn[2],
			 NULL };
	struct child c = { 0 };
	int ends[2];

	assert_int_equal(pipe(ends), 0);
	c.pid = fork();
	assert_true(c.pid >= 0);
	if (c.pid == 0) {
		(void)dup2(ends[1], STDOUT_FILENO);
		(void)close(ends[0]);
		(void)close(ends[1]);
		(void)execv("/proc/self/exe", args);
		_exit(127);
	}
	(void)close(ends[1]);
	c.out = ends[0];
	return c;
}

static struct child spawn(struct world *w, const char *mode)
{
	return spawn_at(w, mode, w->d.agents);
}

/* Read lines for so long, or until there is one if `first`. */
static void hear(struct child *c, uint64_t ms, bool first)
{
	uint64_t end = live_now_ms() + ms;
	char text[256];

	while (live_now_ms() < end && !(first && c->told > 0)) {
		struct pollfd f = { .fd = c->out, .events = POLLIN };
		ssize_t n;

		if (poll(&f, 1, 10) <= 0)
			continue;
		n = read(c->out, text, sizeof text);
		if (n <= 0)
			return;
		for (ssize_t i = 0; i < n; i++) {
			c->told += text[i] == '\n';
			c->unknown += text[i] == 'u';
		}
	}
}

static void kill_9(struct child *c)
{
	assert_int_equal(kill(c->pid, SIGKILL), 0);
	assert_int_equal(waitpid(c->pid, NULL, 0), c->pid);
	hear(c, 1000, false); /* what was still in the pipe */
	(void)close(c->out);
}

static void want_quiet(struct world *w)
{
	if (live_quiet(&w->d, 30000))
		return;
	fail_msg("%s", live_http(&w->d, "GET /api/v1/transactions", NULL));
}

static void killed_when(const char *mode, int64_t arrives)
{
	struct child dead, alive;
	struct world w;

	world_prepare(&w);
	dead = spawn(&w, mode);
	hear(&dead, 20000, true);
	assert_int_equal(dead.told, 1);
	kill_9(&dead);
	live_nap(1000); /* its time is over, and nobody can answer */
	assert_int_equal(live_stat(&w.d, "transactions_now"), CASHIER_KINDS);
	alive = spawn(&w, "serve");
	want_quiet(&w);
	want_moved(&w, arrives);
	kill_9(&alive);
	world_close(&w);
}

static void test_killed_before_the_local_commit(void **state)
{
	(void)state;
	killed_when("before", 0);
}

static void test_killed_between_local_commit_and_submit(void **state)
{
	(void)state;
	killed_when("after", 10);
}

static void test_killed_in_the_middle_of_a_delivery(void **state)
{
	struct child dead, alive;
	struct world w;

	(void)state;
	world_prepare(&w);
	dead = spawn(&w, "stall");
	EACH_KIND(kind)
	{
		struct treaty_msg *m = post_prepare(&w.p[kind], w.t, 5000, 10);

		assert_int_equal(post_local(&w.p[kind], m, 10, false),
				 TREATY_OK);
		treaty_msg_free(m);
		for (int i = 0; i < 2000 && !post_arrived(&w.p[kind]); i++)
			live_nap(5);
	}
	want_moved(&w, 10); /* done, and not answered */
	assert_int_equal(live_stat(&w.d, "transactions_now"), CASHIER_KINDS);
	kill_9(&dead);
	alive = spawn(&w, "serve");
	want_quiet(&w);
	want_moved(&w, 10);
	kill_9(&alive);
	world_close(&w);
}

/* Producer, consumer and coordinator are killed at random moments. */
static void test_kills_at_random_lose_and_repeat_nothing(void **state)
{
	struct child a, b, alive;
	uint64_t random = seed;
	int64_t all = 0;
	struct world w;
	int told = 0;

	(void)state;
	world_prepare(&w);
	for (int life = 0; life < 5; life++) {
		a = spawn(&w, "load");
		b = spawn(&w, "load");
		hear(&a, 500 + random_next(&random) % 300, false);
		if (random_next(&random) % 2 == 0) {
			treatyd_kill(&w.d);
			hear(&b, random_next(&random) % 100, false);
			start_daemon(&w);
		}
		hear(&b, 300 + random_next(&random) % 300, false);
		kill_9(&a);
		live_nap(random_next(&random) % 50);
		kill_9(&b);
		told += a.told + b.told;
	}
	alive = spawn(&w, "serve");
	live_nap(1500); /* the time of the last one that nobody submitted */
	want_quiet(&w);
	EACH_KIND(kind)
	{
		assert_int_equal(post_left(&w.p[kind]),
				 post_arrived(&w.p[kind]));
		all += post_arrived(&w.p[kind]) / 10;
	}
	print_message("%d were told, %d are there\n", told, (int)all);
	assert_true(all >= told);
	assert_true(told > 5);
	kill_9(&alive);
	world_close(&w);
}

/* Requests and answers get lost, and are asked again: also the addition of a
 * whole topic is one addition. */
static void test_a_bad_network_loses_and_repeats_nothing(void **state)
{
	struct child buyer, publisher, alive;
	uint64_t random = seed;
	int64_t gifts;
	struct wire wire;
	struct world w;

	(void)state;
	world_prepare(&w);
	EACH_KIND(kind)
	assert_int_equal(treaty_topic_subscribe(w.t, "sold", w.p[kind].consumer,
						w.p[kind].consumer, NULL),
			 TREATY_OK);
	wire_start(&wire, w.d.agents);
	buyer = spawn_at(&w, "load", wire.address);
	publisher = spawn_at(&w, "topic", wire.address);
	for (int i = 0; i < 25; i++) {
		hear(&buyer, 100 + random_next(&random) % 100, false);
		atomic_store(random_next(&random) % 2 ? &wire.c->hold_down
						      : &wire.c->hold_up,
			     1);
		hear(&publisher, random_next(&random) % 60, false);
		if (random_next(&random) % 4)
			wire_cut(&wire);
		atomic_store(&wire.c->hold_down, 0);
		atomic_store(&wire.c->hold_up, 0);
	}
	kill_9(&buyer);
	kill_9(&publisher);
	alive = spawn(&w, "serve");
	live_nap(1500);
	want_quiet(&w);
	gifts = post_arrived(&w.p[0]) - post_left(&w.p[0]);
	EACH_KIND(kind)
	assert_int_equal(post_arrived(&w.p[kind]) - post_left(&w.p[kind]),
			 gifts);
	print_message("%d bought; %d published, %d of them in doubt, %d are "
		      "there\n",
		      buyer.told, publisher.told, publisher.unknown,
		      (int)gifts / 10);
	assert_true(gifts >= 10 * (publisher.told - publisher.unknown));
	/* one more may have been killed before it told */
	assert_true(gifts <= 10 * (publisher.told + 1));
	assert_true(buyer.told > 5 && publisher.told > 5);
	kill_9(&alive);
	wire_stop(&wire);
	world_close(&w);
}

/* ---- the example of the documentation ---- */

static int example(struct world *w, const char *file, const char *sum,
		   const char *die)
{
	char *args[] = { (char *)"msg",           w->d.agents,
			 (char *)(uintptr_t)file, (char *)(uintptr_t)sum,
			 (char *)(uintptr_t)die,  NULL };
	int status = 0;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		(void)execv(EXAMPLE_MSG, args);
		_exit(127);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void want_sums(const char *dsn, int64_t sale, int64_t points)
{
	struct cashier c;

	cashier_open(&c, CASHIER_SQLITE, dsn);
	assert_int_equal(cashier_number(&c, "SELECT sum(sum) FROM sale"), sale);
	assert_int_equal(
		cashier_number(&c, "SELECT coalesce(sum(sum), 0) FROM points"),
		points);
	cashier_close(&c);
}

static void test_the_example_does_what_it_says(void **state)
{
	struct buf dsn;
	const char *file;
	struct world w;

	(void)state;
	world_prepare(&w);
	buf_init(&dsn, &mem_heap);
	buf_printf(&dsn, "sqlite:%s/example.db", servers.dir);
	file = buf_text(&dsn) + strlen("sqlite:");
	assert_int_equal(example(&w, file, "40", "die"), 3);
	want_sums(buf_text(&dsn), 40, 0);
	assert_int_equal(example(&w, file, NULL, NULL), 0);
	want_sums(buf_text(&dsn), 40, 40);
	assert_int_equal(example(&w, file, "7", NULL), 0);
	want_sums(buf_text(&dsn), 47, 47);
	buf_fini(&dsn);
	world_close(&w);
}

static int start(void **state)
{
	const char *text = getenv("SEED");

	(void)state;
	if (text)
		seed = strtoull(text, NULL, 0);
	print_message("SEED=%" PRIu64 "\n", seed);
	return servers_start(&servers, SERVERS_POSTGRESQL | SERVERS_MARIADB);
}

static int stop(void **state)
{
	(void)state;
	servers_stop(&servers);
	return 0;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			test_a_message_goes_with_its_local_transaction),
		cmocka_unit_test(
			test_the_barrier_and_submit_may_be_called_apart),
		cmocka_unit_test(test_what_is_published_arrives),
		cmocka_unit_test(
			test_a_program_with_its_own_loop_needs_no_thread),
		cmocka_unit_test(test_who_never_submits_is_asked),
		cmocka_unit_test(test_an_open_local_transaction_is_waited_for),
		cmocka_unit_test(test_without_a_producer_it_is_dropped_in_time),
		cmocka_unit_test(test_the_question_survives_the_coordinator),
		cmocka_unit_test(test_an_unanswered_local_commit_is_found_out),
		cmocka_unit_test(test_duplicates_have_no_second_effect),
		cmocka_unit_test(test_a_refused_delivery_is_a_dead_letter),
		cmocka_unit_test(test_a_schedule_ends_in_a_dead_letter),
		cmocka_unit_test(test_ordered_deliveries_keep_the_order),
		cmocka_unit_test(test_a_delay_counts_on_over_a_crash),
		cmocka_unit_test(test_every_subscriber_of_a_topic_gets_its_own),
		cmocka_unit_test(
			test_an_outbox_goes_with_its_global_transaction),
		cmocka_unit_test(test_killed_before_the_local_commit),
		cmocka_unit_test(test_killed_between_local_commit_and_submit),
		cmocka_unit_test(test_killed_in_the_middle_of_a_delivery),
		cmocka_unit_test(test_kills_at_random_lose_and_repeat_nothing),
		cmocka_unit_test(test_a_bad_network_loses_and_repeats_nothing),
		cmocka_unit_test(test_the_example_does_what_it_says),
	};

	if (argc == 6)
		serve(argv);
	if (argc == 2)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests(tests, start, stop);
}
