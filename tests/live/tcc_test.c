#include "base/buf.h"
#include "base/hash.h"
#include "tests/fakes/treatyd_proc.h"
#include "tests/live/servers.h"
#include "tests/live/wallet.h"

#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

/*
 * TCC with a real treatyd and three real databases. One global transaction
 * moves the same sum in each of them, so afterwards all three agree or the
 * transaction was not one.
 *
 * The program also is the participant that gets killed: tcc_test MODE ADDRESS
 * PG MARIADB SQLITE; see serve(). SEED=n repeats the random choices.
 */

static struct servers servers;
static uint64_t seed = 20240602;

#define EACH_KIND(kind)                                                        \
	for (enum cashier_kind kind = 0; kind < CASHIER_KINDS; kind++)

static void nap(int ms)
{
	(void)poll(NULL, 0, ms);
}

static uint64_t now_ms(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* ---- the world ---- */

struct world {
	struct treatyd d;
	struct treaty *t;
	struct wallet w[CASHIER_KINDS];
	char dsn[CASHIER_KINDS][200];
};

static void start_daemon(struct world *w)
{
	assert_true(treatyd_start(&w->d, "--retry-first=20ms",
				  "--retry-max=100ms", "--command-timeout=2s",
				  NULL));
}

static struct treaty *open_agent_as(const char *address,
				    const char *application)
{
	struct treaty_options o;
	struct treaty *t;

	treaty_options_init(&o, sizeof o);
	o.address = address;
	o.application = application;
	o.threads = 3;
	o.request_timeout_ms = 20000;
	REQUIRE(treaty_open(&t, &o) == TREATY_OK);
	return t;
}

static struct treaty *open_agent(const char *address)
{
	return open_agent_as(address, "wallet");
}

static void put_dsn(struct world *w)
{
	struct buf file;

	buf_init(&file, &mem_heap);
	buf_printf(&file, "sqlite:%s/wallet.db", servers.dir);
	memcpy(w->dsn[CASHIER_PG], servers.postgresql,
	       sizeof servers.postgresql);
	memcpy(w->dsn[CASHIER_MYSQL], servers.mariadb, sizeof servers.mariadb);
	memcpy(w->dsn[CASHIER_SQLITE], buf_text(&file), file.len + 1);
	buf_fini(&file);
}

/* Everything fresh; no agent yet. */
static void world_prepare(struct world *w)
{
	memset(w, 0, sizeof *w);
	put_dsn(w);
	EACH_KIND(kind)
	{
		struct cashier c;

		wallet_init(&w->w[kind], kind, w->dsn[kind]);
		cashier_open(&c, kind, w->dsn[kind]);
		cashier_tables(&c);
		cashier_close(&c);
	}
	start_daemon(w);
}

static void world_open(struct world *w, uint32_t attempts_max)
{
	world_prepare(w);
	w->t = open_agent(w->d.agents);
	EACH_KIND(kind)
	wallet_offer(&w->w[kind], w->t, attempts_max);
}

static void world_close(struct world *w)
{
	if (w->t)
		assert_int_equal(treaty_close(w->t), TREATY_OK);
	treatyd_remove(&w->d);
}

static struct treaty_tx *begin(struct world *w)
{
	struct treaty_tx *tx;

	if (treaty_begin(w->t, "tcc", 60000, &tx) != TREATY_OK)
		fail_msg("%s", treaty_last_error());
	return tx;
}

static int try_all(struct world *w, const char *context)
{
	int rc = TREATY_OK;

	for (int k = 0; k < CASHIER_KINDS && rc == TREATY_OK; k++)
		rc = treaty_tcc_try(w->t, w->w[k].action, context, NULL);
	return rc;
}

/* Wait for the end of a transaction. */
static int settled(struct treaty *t, const char *xid)
{
	uint64_t end = now_ms() + 20000;
	int status = 0, rc;

	do {
		rc = treaty_status(t, xid, &status);
		if (rc == TREATY_OK && status >= TREATY_STATUS_COMMITTED)
			break;
		nap(5);
	} while (now_ms() < end);
	return status;
}

static void want_arrived(struct world *w, int64_t sum)
{
	EACH_KIND(kind)
	{
		assert_true(wallet_conserved(&w->w[kind]));
		assert_int_equal(wallet_arrived(&w->w[kind]), sum);
	}
}

/* ---- the plain ways ---- */

static void test_commit_confirms_every_branch(void **state)
{
	struct treaty_tx *tx;
	struct world w;

	(void)state;
	world_open(&w, 0);
	tx = begin(&w);
	assert_int_equal(try_all(&w, "{\"sum\":\"10\"}"), TREATY_OK);
	EACH_KIND(kind)
	{
		struct cashier c;

		cashier_open(&c, kind, w.dsn[kind]);
		assert_int_equal(cashier_frozen(&c, 0), 10);
		cashier_close(&c);
	}
	assert_int_equal(treaty_commit(tx), TREATY_OK);
	assert_int_equal(settled(w.t, treaty_xid(tx)), TREATY_STATUS_COMMITTED);
	want_arrived(&w, 10);
	EACH_KIND(kind)
	{
		assert_int_equal(w.w[kind].cancels, 0);
		assert_string_equal(w.w[kind].context, "{\"sum\":\"10\"}");
	}
	assert_int_equal(treaty_release(tx), TREATY_OK);
	world_close(&w);
}

static void test_rollback_cancels_every_branch(void **state)
{
	struct treaty_tx *tx;
	struct world w;

	(void)state;
	world_open(&w, 0);
	tx = begin(&w);
	assert_int_equal(try_all(&w, "{\"sum\":\"10\"}"), TREATY_OK);
	assert_int_equal(treaty_rollback(tx, "test"), TREATY_OK);
	assert_int_equal(settled(w.t, treaty_xid(tx)),
			 TREATY_STATUS_ROLLBACKED);
	want_arrived(&w, 0);
	EACH_KIND(kind)
	assert_int_equal(w.w[kind].verdicts[2][TREATY_BARRIER_RUN], 1);
	assert_int_equal(treaty_release(tx), TREATY_OK);
	world_close(&w);
}

static void test_a_refused_try_is_cancelled_empty(void **state)
{
	struct treaty_tx *tx;
	struct world w;

	(void)state;
	world_open(&w, 0);
	EACH_KIND(kind)
	{
		const char *action = w.w[kind].action;

		tx = begin(&w);
		assert_int_equal(treaty_tcc_try(w.t, action,
						"{\"sum\":\"600000\"}", NULL),
				 TREATY_OK);
		assert_int_equal(treaty_tcc_try(w.t, action,
						"{\"sum\":\"600000\"}", NULL),
				 TREATY_E_DENIED);
		assert_non_null(strstr(treaty_last_error(), "not enough"));
		assert_non_null(strstr(treaty_last_error(), treaty_xid(tx)));
		assert_int_equal(treaty_rollback(tx, "poor"), TREATY_OK);
		assert_int_equal(settled(w.t, treaty_xid(tx)),
				 TREATY_STATUS_ROLLBACKED);
		assert_int_equal(treaty_release(tx), TREATY_OK);
		assert_int_equal(w.w[kind].verdicts[2][TREATY_BARRIER_RUN], 1);
		assert_int_equal(w.w[kind].verdicts[2][TREATY_BARRIER_EMPTY],
				 1);
	}
	want_arrived(&w, 0);
	world_close(&w);
}

/* ---- contexts ---- */

static void test_what_try_wrote_reaches_confirm_past_a_crash(void **state)
{
	struct treaty_tx *tx;
	struct world w;

	(void)state;
	world_open(&w, 0);
	EACH_KIND(kind)
	atomic_store(&w.w[kind].amend, 1);
	tx = begin(&w);
	assert_int_equal(try_all(&w, "{\"sum\":\"10\"}"), TREATY_OK);
	treatyd_kill(&w.d);
	start_daemon(&w);
	assert_int_equal(treaty_commit(tx), TREATY_OK);
	assert_int_equal(settled(w.t, treaty_xid(tx)), TREATY_STATUS_COMMITTED);
	EACH_KIND(kind)
	assert_string_equal(w.w[kind].context,
			    "{\"sum\":\"10\",\"ref\":\"77\"}");
	want_arrived(&w, 10);
	assert_int_equal(treaty_release(tx), TREATY_OK);
	world_close(&w);
}

static void test_what_try_saved_reaches_cancel_though_it_failed(void **state)
{
	struct world w;

	(void)state;
	world_open(&w, 0);
	EACH_KIND(kind)
	{
		struct treaty_tx *tx = begin(&w);

		atomic_store(&w.w[kind].amend, 2);
		assert_int_equal(treaty_tcc_try(w.t, w.w[kind].action,
						"{\"sum\":\"10\"}", NULL),
				 TREATY_E_AGAIN);
		assert_int_equal(treaty_rollback(tx, NULL), TREATY_OK);
		assert_int_equal(settled(w.t, treaty_xid(tx)),
				 TREATY_STATUS_ROLLBACKED);
		assert_string_equal(w.w[kind].context,
				    "{\"sum\":\"10\",\"ref\":\"77\"}");
		assert_int_equal(w.w[kind].verdicts[2][TREATY_BARRIER_RUN], 1);
		assert_int_equal(treaty_release(tx), TREATY_OK);
	}
	want_arrived(&w, 0);
	world_close(&w);
}

/* The time-out rolls back while try still runs, before its work or after. */
static void overtaken(struct world *w, enum cashier_kind kind, bool before)
{
	struct wallet *v = &w->w[kind];
	struct treaty_tx *tx;
	int empty, undone;

	atomic_store(&v->before_ms, before ? 1500 : 0);
	atomic_store(&v->after_ms, before ? 0 : 1500);
	atomic_store(&v->amend, 1);
	empty = atomic_load(&v->verdicts[2][TREATY_BARRIER_EMPTY]);
	undone = atomic_load(&v->verdicts[2][TREATY_BARRIER_RUN]);
	assert_int_equal(treaty_begin(w->t, "slow", 500, &tx), TREATY_OK);
	assert_int_equal(
		treaty_tcc_try(w->t, v->action, "{\"sum\":\"10\"}", NULL),
		TREATY_E_STATE);
	assert_int_equal(settled(w->t, treaty_xid(tx)),
			 TREATY_STATUS_TIMEOUT_ROLLBACKED);
	assert_int_equal(atomic_load(&v->verdicts[2][TREATY_BARRIER_EMPTY]),
			 empty + before);
	assert_int_equal(atomic_load(&v->verdicts[2][TREATY_BARRIER_RUN]),
			 undone + !before);
	assert_int_equal(treaty_commit(tx), TREATY_E_ROLLED_BACK);
	assert_int_equal(treaty_release(tx), TREATY_OK);
}

static void test_a_try_that_is_overtaken_by_its_cancel_fails(void **state)
{
	struct world w;

	(void)state;
	world_open(&w, 0);
	EACH_KIND(kind)
	{
		overtaken(&w, kind, true);
		assert_int_equal(
			w.w[kind].verdicts[0][TREATY_BARRIER_SUSPENDED], 1);
		overtaken(&w, kind, false);
	}
	want_arrived(&w, 0);
	world_close(&w);
}

static void test_after_the_time_out_there_is_no_try(void **state)
{
	struct treaty_tx *tx;
	struct world w;

	(void)state;
	world_open(&w, 0);
	atomic_store(&w.w[CASHIER_PG].amend, 1);
	assert_int_equal(treaty_begin(w.t, "slow", 300, &tx), TREATY_OK);
	nap(600);
	assert_int_equal(treaty_tcc_try(w.t, w.w[CASHIER_PG].action,
					"{\"sum\":\"10\"}", NULL),
			 TREATY_E_STATE);
	assert_int_equal(w.w[CASHIER_PG].tries, 0); /* no branch, no try */
	assert_int_equal(treaty_rollback(tx, NULL), TREATY_OK);
	assert_int_equal(treaty_release(tx), TREATY_OK);
	want_arrived(&w, 0);
	world_close(&w);
}

/* ---- duplicates, late and missing tries ---- */

static void test_duplicates_move_no_more_money(void **state)
{
	struct treaty_tx *tx;
	struct world w;

	(void)state;
	world_open(&w, 0);
	EACH_KIND(kind)
	atomic_store(&w.w[kind].say_retry, 3);
	for (int commit = 0; commit < 2; commit++) {
		tx = begin(&w);
		assert_int_equal(try_all(&w, "{\"sum\":\"10\"}"), TREATY_OK);
		assert_int_equal(commit ? treaty_commit(tx)
					: treaty_rollback(tx, NULL),
				 TREATY_OK);
		assert_int_equal(settled(w.t, treaty_xid(tx)),
				 commit ? TREATY_STATUS_COMMITTED
					: TREATY_STATUS_ROLLBACKED);
		assert_int_equal(treaty_release(tx), TREATY_OK);
		EACH_KIND(kind)
		{
			int what = commit ? 1 : 2;

			assert_int_equal(w.w[kind].verdicts[what][1], 1);
			assert_int_equal(w.w[kind].verdicts[what][2], 3);
			atomic_store(&w.w[kind].say_retry, 3);
		}
	}
	want_arrived(&w, 10);
	world_close(&w);
}

/* The application registers, somebody rolls back, and the try comes then. */
static void test_a_late_try_is_kept_out(void **state)
{
	struct world w;

	(void)state;
	world_open(&w, 0);
	EACH_KIND(kind)
	{
		enum treaty_barrier_verdict verdict;
		struct treaty_tcc_branch branch;
		struct treaty_tx *tx = begin(&w);
		struct treaty_barrier b;
		struct cashier c;

		assert_int_equal(treaty_tcc_branch(w.t, w.w[kind].action,
						   "{\"sum\":\"1\"}", &branch),
				 TREATY_OK);
		assert_string_equal(branch.xid, treaty_xid(tx));
		assert_int_equal(treaty_rollback(tx, NULL), TREATY_OK);
		assert_int_equal(settled(w.t, branch.xid),
				 TREATY_STATUS_ROLLBACKED);
		assert_int_equal(treaty_release(tx), TREATY_OK);
		assert_int_equal(w.w[kind].verdicts[2][TREATY_BARRIER_EMPTY],
				 1);
		b = treaty_tcc_barrier_of(&branch);
		cashier_open(&c, kind, w.dsn[kind]);
		assert_int_equal(cashier_begin(&c), OK);
		assert_int_equal(cashier_barrier(&c, &b, &verdict), OK);
		assert_int_equal(verdict, TREATY_BARRIER_SUSPENDED);
		cashier_rollback(&c);
		cashier_close(&c);
	}
	want_arrived(&w, 0);
	world_close(&w);
}

static void test_a_try_of_the_applications_own_is_confirmed(void **state)
{
	struct world w;

	(void)state;
	world_open(&w, 0);
	EACH_KIND(kind)
	{
		enum treaty_barrier_verdict verdict;
		struct treaty_tcc_branch branch;
		struct treaty_tx *tx = begin(&w);
		struct treaty_barrier b;
		struct cashier c;

		assert_int_equal(
			treaty_tcc_branch(w.t, w.w[kind].action, NULL, &branch),
			TREATY_OK);
		b = treaty_tcc_barrier_of(&branch);
		cashier_open(&c, kind, w.dsn[kind]);
		assert_int_equal(cashier_begin(&c), OK);
		assert_int_equal(cashier_barrier(&c, &b, &verdict), OK);
		assert_int_equal(verdict, TREATY_BARRIER_RUN);
		assert_int_equal(cashier_sql(&c, "UPDATE wallet SET balance ="
						 " balance - 5, frozen = 5"
						 " WHERE id = 0"),
				 OK);
		assert_int_equal(cashier_commit(&c), OK);
		cashier_close(&c);
		assert_int_equal(
			treaty_tcc_branch_save(w.t, &branch, "{\"sum\":\"5\"}"),
			TREATY_OK);
		assert_int_equal(treaty_commit(tx), TREATY_OK);
		assert_int_equal(settled(w.t, branch.xid),
				 TREATY_STATUS_COMMITTED);
		assert_int_equal(treaty_release(tx), TREATY_OK);
	}
	want_arrived(&w, 5);
	world_close(&w);
}

/* The caller of a service registers the service's branch, of an action that it
 * offers by the same name, too, and that means something else there. */
static void test_a_branch_of_another_application_is_finished_there(void **state)
{
	struct treaty_tcc_branch branch;
	struct wallet other;
	struct treaty_tx *tx;
	struct treaty *shop;
	struct world w;

	(void)state;
	world_open(&w, 0);
	shop = open_agent_as(w.d.agents, "shop");
	wallet_init(&other, CASHIER_PG, w.dsn[CASHIER_PG]);
	wallet_offer(&other, shop, 0);
	assert_int_equal(treaty_begin(shop, "buy", 60000, &tx), TREATY_OK);
	EACH_KIND(kind)
	assert_int_equal(treaty_tcc_branch_of(shop, "wallet", w.w[kind].action,
					      "{\"sum\":\"1\"}", &branch),
			 TREATY_OK);
	assert_int_equal(treaty_rollback(tx, NULL), TREATY_OK);
	assert_int_equal(settled(shop, branch.xid), TREATY_STATUS_ROLLBACKED);
	assert_int_equal(treaty_release(tx), TREATY_OK);
	EACH_KIND(kind)
	assert_int_equal(w.w[kind].verdicts[2][TREATY_BARRIER_EMPTY], 1);
	assert_int_equal(other.cancels, 0);
	assert_int_equal(treaty_close(shop), TREATY_OK);
	want_arrived(&w, 0);
	world_close(&w);
}

/* ---- what will not end by itself ---- */

static void test_a_refused_confirm_hangs_and_is_not_repeated(void **state)
{
	struct treaty_tx *tx;
	struct world w;
	int status;

	(void)state;
	world_open(&w, 0);
	tx = begin(&w);
	assert_int_equal(try_all(&w, "{\"sum\":\"10\"}"), TREATY_OK);
	atomic_store(&w.w[CASHIER_PG].say_refused, 1);
	assert_int_equal(treaty_commit(tx), TREATY_OK);
	assert_int_equal(settled(w.t, treaty_xid(tx)),
			 TREATY_STATUS_COMMIT_FAILED);
	nap(500);
	assert_int_equal(w.w[CASHIER_PG].confirms, 1);
	assert_int_equal(treaty_status(w.t, treaty_xid(tx), &status),
			 TREATY_OK);
	assert_int_equal(status, TREATY_STATUS_COMMIT_FAILED);
	/* the others don't wait for it */
	assert_int_equal(wallet_arrived(&w.w[CASHIER_MYSQL]), 10);
	assert_int_equal(wallet_arrived(&w.w[CASHIER_SQLITE]), 10);
	assert_int_equal(wallet_arrived(&w.w[CASHIER_PG]), 0);
	assert_int_equal(treaty_release(tx), TREATY_OK);
	world_close(&w);
}

static void test_retries_end_at_the_actions_limit(void **state)
{
	struct treaty_tx *tx;
	struct world w;

	(void)state;
	world_open(&w, 4);
	atomic_store(&w.w[CASHIER_MYSQL].say_retry, 1000);
	for (int commit = 0; commit < 2; commit++) {
		tx = begin(&w);
		assert_int_equal(try_all(&w, "{\"sum\":\"10\"}"), TREATY_OK);
		assert_int_equal(commit ? treaty_commit(tx)
					: treaty_rollback(tx, NULL),
				 TREATY_OK);
		assert_int_equal(settled(w.t, treaty_xid(tx)),
				 commit ? TREATY_STATUS_COMMIT_FAILED
					: TREATY_STATUS_ROLLBACK_FAILED);
		nap(300);
		assert_int_equal(treaty_release(tx), TREATY_OK);
	}
	assert_int_equal(w.w[CASHIER_MYSQL].cancels, 4);
	assert_int_equal(w.w[CASHIER_MYSQL].confirms, 4);
	want_arrived(&w, 10);
	world_close(&w);
}

static void test_ordered_phase_two_keeps_the_order(void **state)
{
	const struct treaty_begin_options o = { .size = sizeof o,
						.name = "ordered",
						.timeout_ms = 60000,
						.ordered = true };
	static _Atomic int order;
	struct treaty_tx *tx;
	struct world w;

	(void)state;
	world_open(&w, 0);
	atomic_store(&order, 0);
	EACH_KIND(kind)
	w.w[kind].order = &order;
	atomic_store(&w.w[0].say_retry, 2); /* the others wait for it */
	assert_int_equal(treaty_begin_with(w.t, &o, &tx), TREATY_OK);
	assert_int_equal(try_all(&w, "{\"sum\":\"10\"}"), TREATY_OK);
	assert_int_equal(treaty_commit(tx), TREATY_OK);
	assert_int_equal(settled(w.t, treaty_xid(tx)), TREATY_STATUS_COMMITTED);
	assert_int_equal(w.w[0].clock, 2); /* 0, 1, 2: its third call */
	assert_int_equal(w.w[1].clock, 3);
	assert_int_equal(w.w[2].clock, 4);
	want_arrived(&w, 10);
	assert_int_equal(treaty_release(tx), TREATY_OK);
	world_close(&w);
}

/* ---- the participant that gets killed ---- */

/*
 * Modes: "serve" only offers the actions; "stall" makes one transaction,
 * commits it, and its confirm never comes back; "undecided" makes one that
 * nobody commits; "load" makes one after the other. Each decided commit is
 * told on stdout as a line.
 */
static int one(struct world *w, const char *mode, uint64_t i)
{
	bool undecided = strcmp(mode, "undecided") == 0;
	struct treaty_tx *tx;
	int rc = treaty_begin(w->t, "load", undecided ? 1500 : 5000, &tx);

	if (rc != TREATY_OK)
		return rc;
	rc = try_all(w, "{\"sum\":\"10\"}");
	if (undecided && rc == TREATY_OK)
		(void)!write(STDOUT_FILENO, "u\n", 2);
	while (undecided)
		nap(1000);
	if (rc == TREATY_OK && i % 4 != 3)
		rc = treaty_commit(tx);
	else
		(void)treaty_rollback(tx, "load");
	if (rc == TREATY_OK && i % 4 != 3)
		(void)!write(STDOUT_FILENO, "c\n", 2);
	(void)treaty_release(tx);
	return rc;
}

static _Noreturn void serve(char **argv)
{
	static struct world w;
	const char *mode = argv[1];

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	w.t = open_agent(argv[2]);
	EACH_KIND(kind)
	{
		wallet_init(&w.w[kind], kind, argv[3 + kind]);
		w.w[kind].stall = strcmp(mode, "stall") == 0;
		wallet_offer(&w.w[kind], w.t, 0);
	}
	if (strcmp(mode, "stall") == 0 || strcmp(mode, "undecided") == 0)
		(void)one(&w, mode, 0);
	for (uint64_t i = 0; strcmp(mode, "load") == 0; i++)
		(void)one(&w, mode, i);
	for (;;)
		nap(1000);
}

struct participant {
	pid_t pid;
	int out;
	int told; /* lines so far */
};

static struct participant spawn(struct world *w, const char *mode)
{
	char *args[] = { (char *)"tcc_test",
			 (char *)(uintptr_t)mode,
			 w->d.agents,
			 w->dsn[0],
			 w->dsn[1],
			 w->dsn[2],
			 NULL };
	struct participant p = { 0 };
	int ends[2];

	assert_int_equal(pipe(ends), 0);
	p.pid = fork();
	assert_true(p.pid >= 0);
	if (p.pid == 0) {
		(void)dup2(ends[1], STDOUT_FILENO);
		(void)close(ends[0]);
		(void)close(ends[1]);
		(void)execv("/proc/self/exe", args);
		_exit(127);
	}
	(void)close(ends[1]);
	p.out = ends[0];
	return p;
}

/* Read lines for so long, or until there is one if `first`. */
static void hear(struct participant *p, int ms, bool first)
{
	uint64_t end = now_ms() + (uint64_t)ms;
	char text[256];

	while (now_ms() < end && !(first && p->told > 0)) {
		struct pollfd f = { .fd = p->out, .events = POLLIN };
		ssize_t n;

		if (poll(&f, 1, 10) <= 0)
			continue;
		n = read(p->out, text, sizeof text);
		if (n <= 0)
			return;
		for (ssize_t i = 0; i < n; i++)
			p->told += text[i] == '\n';
	}
}

static void kill_9(struct participant *p)
{
	assert_int_equal(kill(p->pid, SIGKILL), 0);
	assert_int_equal(waitpid(p->pid, NULL, 0), p->pid);
	hear(p, 1000, false); /* what was still in the pipe */
	(void)close(p->out);
}

static bool all_conserved(struct world *w)
{
	EACH_KIND(kind)
	if (!wallet_conserved(&w->w[kind]))
		return false;
	return true;
}

/* Nothing is frozen any more, for a while. */
static void want_settled(struct world *w)
{
	uint64_t end = now_ms() + 30000;
	int quiet = 0;

	while (quiet < 3 && now_ms() < end) {
		quiet = all_conserved(w) ? quiet + 1 : 0;
		nap(100);
	}
	assert_int_equal(quiet, 3);
}

static void killed_in(const char *mode, int64_t arrives)
{
	struct participant p, again;
	struct world w;

	world_prepare(&w);
	p = spawn(&w, mode);
	hear(&p, 20000, true);
	assert_int_equal(p.told, 1);
	nap(100);
	kill_9(&p);
	EACH_KIND(kind)
	{
		struct cashier c;

		cashier_open(&c, kind, w.dsn[kind]);
		assert_int_equal(cashier_frozen(&c, 0), 10);
		cashier_close(&c);
	}
	again = spawn(&w, "serve");
	want_settled(&w);
	want_arrived(&w, arrives);
	kill_9(&again);
	world_close(&w);
}

static void test_killed_between_try_and_confirm(void **state)
{
	(void)state;
	killed_in("stall", 10);
}

static void test_killed_between_try_and_the_decision(void **state)
{
	(void)state;
	killed_in("undecided", 0);
}

static void test_a_killed_coordinator_remembers_the_decision(void **state)
{
	struct participant p, again;
	struct world w;

	(void)state;
	world_prepare(&w);
	p = spawn(&w, "stall");
	hear(&p, 20000, true);
	assert_int_equal(p.told, 1);
	treatyd_kill(&w.d);
	kill_9(&p);
	start_daemon(&w);
	again = spawn(&w, "serve");
	want_settled(&w);
	want_arrived(&w, 10);
	kill_9(&again);
	world_close(&w);
}

/* Both are killed at random moments under load. */
static void test_kills_at_random_lose_no_money(void **state)
{
	struct participant p, again;
	uint64_t random = seed;
	int64_t arrived;
	struct world w;
	int told = 0;

	(void)state;
	world_prepare(&w);
	for (int life = 0; life < 6; life++) {
		bool coordinator = random_next(&random) % 2 == 0;

		p = spawn(&w, "load");
		hear(&p, 600 + (int)(random_next(&random) % 300), false);
		if (coordinator) {
			treatyd_kill(&w.d);
			hear(&p, 100, false);
			start_daemon(&w);
			hear(&p, 600, false);
		}
		kill_9(&p);
		told += p.told;
	}
	again = spawn(&w, "serve");
	nap(5500); /* the time-out of the last that nobody decided */
	want_settled(&w);
	arrived = wallet_arrived(&w.w[0]);
	print_message("%d commits were told, %d are there\n", told,
		      (int)(arrived / 10));
	want_arrived(&w, arrived); /* all three agree */
	assert_true(arrived >= 10 * told);
	assert_true(told > 5);
	kill_9(&again);
	world_close(&w);
}

/* ---- the example of the documentation ---- */

static int example(struct world *w, const char *file, const char *sum,
		   const char *no)
{
	char *args[] = { (char *)"tcc",           w->d.agents,
			 (char *)(uintptr_t)file, (char *)(uintptr_t)sum,
			 (char *)(uintptr_t)no,   NULL };
	int status = 0;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		(void)execv(EXAMPLE_TCC, args);
		_exit(127);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void test_the_example_does_what_it_says(void **state)
{
	static struct buf file;
	struct cashier c;
	struct world w;

	(void)state;
	world_prepare(&w);
	buf_init(&file, &mem_heap);
	buf_printf(&file, "sqlite:%s/example.db", servers.dir);
	cashier_open(&c, CASHIER_SQLITE, buf_text(&file));
	assert_int_equal(cashier_sql(&c, "CREATE TABLE wallet (id TEXT PRIMARY"
					 " KEY, balance INTEGER,"
					 " frozen INTEGER)"),
			 OK);
	assert_int_equal(
		cashier_sql(&c, "INSERT INTO wallet VALUES ('alice', 100, 0)"),
		OK);
	assert_int_equal(example(&w, buf_text(&file) + 7, "40", NULL), 0);
	assert_int_equal(cashier_number(&c, "SELECT balance FROM wallet"), 60);
	assert_int_equal(cashier_number(&c, "SELECT frozen FROM wallet"), 0);
	assert_int_equal(example(&w, buf_text(&file) + 7, "40", "no"), 0);
	assert_int_equal(example(&w, buf_text(&file) + 7, "70", NULL), 1);
	assert_int_equal(cashier_number(&c, "SELECT balance FROM wallet"), 60);
	assert_int_equal(cashier_number(&c, "SELECT frozen FROM wallet"), 0);
	cashier_close(&c);
	buf_fini(&file);
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
		cmocka_unit_test(test_commit_confirms_every_branch),
		cmocka_unit_test(test_rollback_cancels_every_branch),
		cmocka_unit_test(test_a_refused_try_is_cancelled_empty),
		cmocka_unit_test(
			test_what_try_wrote_reaches_confirm_past_a_crash),
		cmocka_unit_test(
			test_what_try_saved_reaches_cancel_though_it_failed),
		cmocka_unit_test(
			test_a_try_that_is_overtaken_by_its_cancel_fails),
		cmocka_unit_test(test_after_the_time_out_there_is_no_try),
		cmocka_unit_test(test_duplicates_move_no_more_money),
		cmocka_unit_test(test_a_late_try_is_kept_out),
		cmocka_unit_test(
			test_a_try_of_the_applications_own_is_confirmed),
		cmocka_unit_test(
			test_a_refused_confirm_hangs_and_is_not_repeated),
		cmocka_unit_test(test_retries_end_at_the_actions_limit),
		cmocka_unit_test(test_ordered_phase_two_keeps_the_order),
		cmocka_unit_test(
			test_a_branch_of_another_application_is_finished_there),
		cmocka_unit_test(test_killed_between_try_and_confirm),
		cmocka_unit_test(test_killed_between_try_and_the_decision),
		cmocka_unit_test(
			test_a_killed_coordinator_remembers_the_decision),
		cmocka_unit_test(test_kills_at_random_lose_no_money),
		cmocka_unit_test(test_the_example_does_what_it_says),
	};

	if (argc == 6)
		serve(argv);
	return cmocka_run_group_tests(tests, start, stop);
}
