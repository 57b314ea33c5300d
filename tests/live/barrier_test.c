#include "base/buf.h"
#include "base/hash.h"
#include "tests/live/cashier.h"
#include "tests/live/servers.h"

#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/*
 * The barrier on three real databases. Each test runs on each of them.
 * SEED=n repeats the random choices.
 */

static struct servers servers;
static uint64_t seed = 20240601;

#define EACH_KIND(kind)                                                        \
	for (enum cashier_kind kind = 0; kind < CASHIER_KINDS; kind++)

static void open_on(struct cashier *t, enum cashier_kind kind)
{
	struct buf file;

	buf_init(&file, &mem_heap);
	buf_printf(&file, "sqlite:%s/cashier.db", servers.dir);
	cashier_open(t, kind,
		     kind == CASHIER_PG      ? servers.postgresql
		     : kind == CASHIER_MYSQL ? servers.mariadb
					     : buf_text(&file));
	buf_fini(&file);
}

static void open_fresh(struct cashier *t, enum cashier_kind kind)
{
	open_on(t, kind);
	cashier_tables(t);
}

static void nap(int ms)
{
	(void)poll(NULL, 0, ms);
}

static struct treaty_barrier tcc(const char *gid, const char *op,
				 unsigned number)
{
	return (struct treaty_barrier){ .trans_type = "tcc",
					.gid = gid,
					.branch_id = "7",
					.op = op,
					.number = number };
}

/* One operation in a local transaction of its own, tried again as long as the
 * database says so. */
static enum treaty_barrier_verdict once(struct cashier *t,
					const struct treaty_barrier *b,
					bool commit)
{
	enum treaty_barrier_verdict verdict = 0;
	int rc = E_AGAIN;

	for (int i = 0; rc != OK && i < 100; i++) {
		rc = cashier_begin(t);
		if (rc == OK)
			rc = cashier_barrier(t, b, &verdict);
		if (rc == OK && commit)
			rc = cashier_commit(t);
		if (rc != OK || !commit)
			cashier_rollback(t);
		if (rc == E_INVALID || rc == E_STATE)
			break;
	}
	if (rc != OK)
		print_error("%s: %s\n", cashier_kind_name(t->kind),
			    treaty_last_error());
	REQUIRE(rc == OK);
	return verdict;
}

static enum treaty_barrier_verdict op(struct cashier *t, const char *gid,
				      const char *name)
{
	const struct treaty_barrier b = tcc(gid, name, 1);

	return once(t, &b, true);
}

/* ---- the truth table, against a model of three bits ---- */

enum { TRY, CONFIRM, CANCEL, OPS };
static const char *const names[OPS] = { "try", "confirm", "cancel" };

struct model {
	bool tried, confirmed, cancelled, closed; /* closed: no try any more */
};

static enum treaty_barrier_verdict expect(struct model *m, int what)
{
	enum treaty_barrier_verdict v = TREATY_BARRIER_RUN;

	if (what == TRY) {
		if (m->closed)
			return TREATY_BARRIER_SUSPENDED;
		if (m->tried)
			v = TREATY_BARRIER_DUPLICATE;
		m->tried = true;
	} else if (what == CONFIRM) {
		if (m->confirmed)
			v = TREATY_BARRIER_DUPLICATE;
		m->confirmed = true;
	} else {
		if (m->cancelled)
			v = TREATY_BARRIER_DUPLICATE;
		else if (!m->tried)
			v = TREATY_BARRIER_EMPTY;
		m->closed = m->closed || !m->tried;
		m->cancelled = true;
	}
	return v;
}

/* Sequence number n in base OPS + 1; 0 ends it. */
static void play(struct cashier *t, int n)
{
	struct model m = { 0 };
	struct buf gid;

	buf_init(&gid, &mem_heap);
	buf_printf(&gid, "order-%d", n);
	for (int rest = n; rest > 0; rest /= OPS + 1) {
		int what = rest % (OPS + 1) - 1;
		enum treaty_barrier_verdict got, want;

		if (what < 0)
			break;
		want = expect(&m, what);
		got = op(t, buf_text(&gid), names[what]);
		if (got != want)
			fail_msg("%s, sequence %d, %s: %s and not %s",
				 cashier_kind_name(t->kind), n, names[what],
				 treaty_barrier_verdict_text((int)got),
				 treaty_barrier_verdict_text((int)want));
	}
	buf_fini(&gid);
}

static void test_every_order_of_three_gives_its_verdict(void **state)
{
	struct cashier t;

	(void)state;
	EACH_KIND(kind)
	{
		open_fresh(&t, kind);
		for (int n = 1; n < (OPS + 1) * (OPS + 1) * (OPS + 1); n++)
			play(&t, n);
		cashier_close(&t);
	}
}

static void test_what_is_rolled_back_never_was(void **state)
{
	uint64_t random = seed;
	struct cashier t;

	(void)state;
	EACH_KIND(kind)
	{
		open_fresh(&t, kind);
		for (int g = 0; g < 25; g++) {
			struct model m = { 0 }, kept;
			struct buf gid;

			buf_init(&gid, &mem_heap);
			buf_printf(&gid, "random-%d", g);
			for (int i = 0; i < 6; i++) {
				uint64_t r = random_next(&random);
				int what = (int)(r % OPS);
				bool commit = r / 8 % 2 == 0;
				struct treaty_barrier b =
					tcc(buf_text(&gid), names[what], 1);

				kept = m;
				assert_int_equal(once(&t, &b, commit),
						 expect(&m, what));
				if (!commit)
					m = kept;
			}
			buf_fini(&gid);
		}
		cashier_close(&t);
	}
}

static void test_barriers_of_a_branch_are_independent(void **state)
{
	struct cashier t;

	(void)state;
	EACH_KIND(kind)
	{
		struct treaty_barrier b = tcc("g", "try", 1);

		open_fresh(&t, kind);
		assert_int_equal(once(&t, &b, true), TREATY_BARRIER_RUN);
		b = tcc("g", "cancel", 2); /* died between its two parts */
		assert_int_equal(once(&t, &b, true), TREATY_BARRIER_EMPTY);
		b.number = 0; /* is 1 */
		assert_int_equal(once(&t, &b, true), TREATY_BARRIER_RUN);
		b.number = 1;
		assert_int_equal(once(&t, &b, true), TREATY_BARRIER_DUPLICATE);
		b = tcc("g", "try", 2);
		assert_int_equal(once(&t, &b, true), TREATY_BARRIER_SUSPENDED);
		b.branch_id = "8";
		assert_int_equal(once(&t, &b, true), TREATY_BARRIER_RUN);
		cashier_close(&t);
	}
}

static void test_a_saga_has_the_same_rule(void **state)
{
	struct cashier t;

	(void)state;
	EACH_KIND(kind)
	{
		open_fresh(&t, kind);
		assert_int_equal(op(&t, "a", "action"), TREATY_BARRIER_RUN);
		assert_int_equal(op(&t, "a", "compensate"), TREATY_BARRIER_RUN);
		assert_int_equal(op(&t, "b", "compensate"),
				 TREATY_BARRIER_EMPTY);
		assert_int_equal(op(&t, "b", "action"),
				 TREATY_BARRIER_SUSPENDED);
		assert_int_equal(op(&t, "c", "rollback"), TREATY_BARRIER_EMPTY);
		assert_int_equal(op(&t, "c", "action"),
				 TREATY_BARRIER_SUSPENDED);
		cashier_close(&t);
	}
}

/* ---- at the same time ---- */

#define CROWD 20

struct worker {
	enum cashier_kind kind;
	const char *gid, *op;
	pthread_barrier_t *gate;
	pthread_t thread;

	enum treaty_barrier_verdict verdict;
};

static int work(struct cashier *t, const struct worker *w,
		enum treaty_barrier_verdict *verdict)
{
	const struct treaty_barrier b = tcc(w->gid, w->op, 1);
	int sign = strcmp(w->op, "try") == 0 ? 1 : -1;
	int rc = cashier_begin(t);

	if (rc == OK)
		rc = cashier_barrier(t, &b, verdict);
	if (rc == OK && *verdict == TREATY_BARRIER_RUN)
		rc = cashier_sql(t,
				 "UPDATE wallet SET balance = balance - %d, "
				 "frozen = frozen + %d WHERE id = 0",
				 10 * sign, 10 * sign);
	if (rc == OK)
		rc = cashier_commit(t);
	if (rc != OK)
		cashier_rollback(t);
	return rc;
}

static void *crowd_run(void *arg)
{
	struct worker *w = arg;
	struct cashier t;
	int rc = E_AGAIN;

	open_on(&t, w->kind);
	(void)pthread_barrier_wait(w->gate);
	for (int i = 0; rc != OK && i < 1000; i++) {
		if (i > 0)
			(void)usleep(5000); /* let who is in the way end */
		rc = work(&t, w, &w->verdict);
	}
	REQUIRE(rc == OK);
	cashier_close(&t);
	return NULL;
}

/* All at once; counts[verdict] of the tries, counts[8 + verdict] of cancels. */
static void crowd(enum cashier_kind kind, const char *gid, int n_cancel,
		  int counts[16])
{
	struct worker w[CROWD];
	pthread_barrier_t gate;

	memset(counts, 0, 16 * sizeof *counts);
	assert_int_equal(pthread_barrier_init(&gate, NULL, CROWD), 0);
	for (int i = 0; i < CROWD; i++) {
		w[i] = (struct worker){
			.kind = kind,
			.gid = gid,
			.gate = &gate,
			.op = i % CROWD < n_cancel ? "cancel" : "try",
		};
		assert_int_equal(
			pthread_create(&w[i].thread, NULL, crowd_run, &w[i]),
			0);
	}
	for (int i = 0; i < CROWD; i++) {
		assert_int_equal(pthread_join(w[i].thread, NULL), 0);
		counts[(i < n_cancel ? 8 : 0) + (int)w[i].verdict]++;
	}
	(void)pthread_barrier_destroy(&gate);
}

static void test_of_twenty_at_once_one_runs(void **state)
{
	struct cashier t;
	int n[16];

	(void)state;
	EACH_KIND(kind)
	{
		open_fresh(&t, kind);
		crowd(kind, "crowd", 0, n);
		assert_int_equal(n[TREATY_BARRIER_RUN], 1);
		assert_int_equal(n[TREATY_BARRIER_DUPLICATE], CROWD - 1);
		assert_int_equal(cashier_balance(&t, 0), WALLET_START - 10);
		assert_int_equal(cashier_frozen(&t, 0), 10);
		cashier_close(&t);
	}
}

static void test_try_and_cancel_at_once_end_with_nothing_done(void **state)
{
	struct cashier t;
	int n[16], first[2] = { 0 };

	(void)state;
	EACH_KIND(kind)
	{
		open_fresh(&t, kind);
		for (int g = 0; g < 6; g++) {
			struct buf gid;
			bool ran;

			buf_init(&gid, &mem_heap);
			buf_printf(&gid, "both-%d", g);
			crowd(kind, buf_text(&gid), CROWD / 2, n);
			buf_fini(&gid);
			ran = n[TREATY_BARRIER_RUN] == 1;
			first[ran]++;
			/* either one try ran and one cancel undid it … */
			assert_int_equal(n[TREATY_BARRIER_RUN], ran);
			assert_int_equal(n[8 + TREATY_BARRIER_RUN], ran);
			/* … or one cancel was empty and no try got in */
			assert_int_equal(n[8 + TREATY_BARRIER_EMPTY], !ran);
			assert_int_equal(n[TREATY_BARRIER_SUSPENDED],
					 ran ? 0 : CROWD / 2);
			assert_int_equal(n[8 + TREATY_BARRIER_DUPLICATE],
					 CROWD / 2 - 1);
			assert_int_equal(cashier_balance(&t, 0), WALLET_START);
			assert_int_equal(cashier_frozen(&t, 0), 0);
		}
		cashier_close(&t);
	}
	print_message("try first %d times, cancel first %d times\n", first[1],
		      first[0]);
}

/* ---- while the other is open ---- */

struct second {
	enum cashier_kind kind;
	_Atomic bool done;
	enum treaty_barrier_verdict verdict;
	enum treaty_prepared prepared;
	bool query;
	pthread_t thread;
};

static void *second_run(void *arg)
{
	struct second *s = arg;
	struct cashier t;
	int rc = OK;

	open_on(&t, s->kind);
	if (s->query)
		do
			rc = cashier_query(&t, "open", &s->prepared);
		while (rc == E_TIMEOUT || rc == E_DEADLOCK || rc == E_CONFLICT);
	else
		s->verdict = op(&t, "open", "cancel");
	REQUIRE(rc == OK);
	atomic_store(&s->done, true);
	cashier_close(&t);
	return NULL;
}

/* The first is open, the second comes, waits, and the first ends. */
static struct second meet(enum cashier_kind kind, bool query, bool commit)
{
	static struct second s;
	struct treaty_barrier b = tcc("open", "try", 1);
	enum treaty_barrier_verdict verdict;
	struct cashier t;

	if (query)
		b = treaty_barrier_of_message("open");
	open_fresh(&t, kind);
	s = (struct second){ .kind = kind, .query = query };
	assert_int_equal(cashier_begin(&t), OK);
	assert_int_equal(cashier_barrier(&t, &b, &verdict), OK);
	assert_int_equal(verdict, TREATY_BARRIER_RUN);
	assert_int_equal(pthread_create(&s.thread, NULL, second_run, &s), 0);
	nap(300);
	assert_false(atomic_load(&s.done));
	if (commit)
		assert_int_equal(cashier_commit(&t), OK);
	else
		cashier_rollback(&t);
	assert_int_equal(pthread_join(s.thread, NULL), 0);
	cashier_close(&t);
	return s;
}

static void test_cancel_waits_for_an_open_try(void **state)
{
	(void)state;
	EACH_KIND(kind)
	{
		assert_int_equal(meet(kind, false, true).verdict,
				 TREATY_BARRIER_RUN);
		assert_int_equal(meet(kind, false, false).verdict,
				 TREATY_BARRIER_EMPTY);
	}
}

/* ---- messages ---- */

static void test_the_question_is_answered_while_it_is_open(void **state)
{
	(void)state;
	EACH_KIND(kind)
	{
		assert_int_equal(meet(kind, true, true).prepared,
				 TREATY_PREPARED_COMMITTED);
		assert_int_equal(meet(kind, true, false).prepared,
				 TREATY_PREPARED_ABORTED);
	}
}

static void test_the_question_shuts_out_who_is_late(void **state)
{
	struct treaty_barrier b = treaty_barrier_of_message("m1");
	enum treaty_prepared found;
	struct cashier t;

	(void)state;
	EACH_KIND(kind)
	{
		b.gid = "m1";
		open_fresh(&t, kind);
		assert_int_equal(cashier_query(&t, "m1", &found), OK);
		assert_int_equal(found, TREATY_PREPARED_ABORTED);
		assert_int_equal(once(&t, &b, true), TREATY_BARRIER_SUSPENDED);
		assert_int_equal(cashier_query(&t, "m1", &found), OK);
		assert_int_equal(found, TREATY_PREPARED_ABORTED);
		b.gid = "m2";
		assert_int_equal(once(&t, &b, true), TREATY_BARRIER_RUN);
		assert_int_equal(cashier_query(&t, "m2", &found), OK);
		assert_int_equal(found, TREATY_PREPARED_COMMITTED);
		assert_int_equal(once(&t, &b, true), TREATY_BARRIER_DUPLICATE);
		/* an answer is final, so it needs a transaction of its own */
		assert_int_equal(cashier_begin(&t), OK);
		assert_int_equal(cashier_query(&t, "m3", &found), E_STATE);
		cashier_rollback(&t);
		cashier_close(&t);
	}
}

/* ---- crashes ---- */

/* A process of its own that tries one after the other until it is killed. */
static _Noreturn void doomed(enum cashier_kind kind)
{
	struct worker w = { .kind = kind, .op = "try" };
	enum treaty_barrier_verdict verdict;
	struct cashier t;
	struct buf gid;

	open_on(&t, kind);
	buf_init(&gid, &mem_heap);
	for (int i = 0;; i++) {
		buf_clear(&gid);
		buf_printf(&gid, "doomed-%d", i);
		w.gid = buf_text(&gid);
		(void)work(&t, &w, &verdict);
	}
}

/* Cancel all that it can have tried; returns how many had run. */
static int cancel_until_empty(struct cashier *t)
{
	struct worker w = { .op = "cancel" };
	enum treaty_barrier_verdict verdict = TREATY_BARRIER_RUN;
	struct buf gid;
	int n = 0;

	buf_init(&gid, &mem_heap);
	while (verdict != TREATY_BARRIER_EMPTY) {
		int rc = E_AGAIN;

		buf_clear(&gid);
		buf_printf(&gid, "doomed-%d", n);
		w.gid = buf_text(&gid);
		for (int i = 0; rc != OK && i < 100; i++)
			rc = work(t, &w, &verdict);
		assert_int_equal(rc, OK);
		n += verdict == TREATY_BARRIER_RUN;
	}
	buf_fini(&gid);
	return n;
}

static void test_a_killed_try_is_there_or_not(void **state)
{
	uint64_t random = seed + 1;
	struct cashier t;
	int n = 0;

	(void)state;
	EACH_KIND(kind)
	{
		for (int life = 0; life < 5; life++) {
			pid_t pid;

			open_fresh(&t, kind);
			cashier_close(&t); /* SQLite is not to be forked open */
			pid = fork();
			assert_true(pid >= 0);
			if (pid == 0)
				doomed(kind);
			nap(60 + (int)(random_next(&random) % 60));
			assert_int_equal(kill(pid, SIGKILL), 0);
			assert_int_equal(waitpid(pid, NULL, 0), pid);
			open_on(&t, kind);
			n += cancel_until_empty(&t);
			assert_int_equal(cashier_balance(&t, 0), WALLET_START);
			assert_int_equal(cashier_frozen(&t, 0), 0);
			cashier_close(&t);
		}
	}
	print_message("%d tries had run before the kills\n", n);
	assert_true(n > 15);
}

/* ---- old snapshots ---- */

static void test_mariadb_sees_past_its_snapshot(void **state)
{
	const struct treaty_barrier b = tcc("snap", "try", 1);
	enum treaty_barrier_verdict verdict;
	struct cashier t, other;

	(void)state;
	open_fresh(&t, CASHIER_MYSQL);
	open_on(&other, CASHIER_MYSQL);
	assert_int_equal(cashier_begin(&t), OK);
	assert_int_equal(cashier_number(&t, "SELECT count(*) FROM barrier"), 0);
	assert_int_equal(op(&other, "snap", "cancel"), TREATY_BARRIER_EMPTY);
	assert_int_equal(cashier_barrier(&t, &b, &verdict), OK);
	assert_int_equal(verdict, TREATY_BARRIER_SUSPENDED);
	cashier_rollback(&t);
	cashier_close(&other);
	cashier_close(&t);
}

static void test_postgresql_says_run_again_for_an_old_snapshot(void **state)
{
	const struct treaty_barrier b = tcc("snap", "try", 1);
	enum treaty_barrier_verdict verdict;
	struct cashier t, other;

	(void)state;
	open_fresh(&t, CASHIER_PG);
	open_on(&other, CASHIER_PG);
	assert_int_equal(cashier_begin(&t), OK);
	assert_int_equal(
		cashier_sql(&t,
			    "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"),
		OK);
	assert_int_equal(cashier_number(&t, "SELECT count(*) FROM barrier"), 0);
	assert_int_equal(op(&other, "snap", "cancel"), TREATY_BARRIER_EMPTY);
	assert_int_equal(cashier_barrier(&t, &b, &verdict), E_CONFLICT);
	cashier_rollback(&t);
	assert_int_equal(once(&t, &b, true), TREATY_BARRIER_SUSPENDED);
	cashier_close(&other);
	cashier_close(&t);
}

/* ---- misuse ---- */

static void test_misuse_is_told(void **state)
{
	enum treaty_barrier_verdict verdict = 0;
	struct cashier t;

	(void)state;
	EACH_KIND(kind)
	{
		struct treaty_barrier b = tcc("g", "try", 1);

		open_fresh(&t, kind);
		assert_int_equal(cashier_barrier(&t, &b, &verdict), E_STATE);
		assert_non_null(strstr(treaty_last_error(), "begin one"));
		assert_int_equal(cashier_begin(&t), OK);
		b.table = "no_such_table";
		assert_int_equal(cashier_barrier(&t, &b, &verdict), E_INVALID);
		assert_non_null(strstr(treaty_last_error(), "no_such_table"));
		if (kind == CASHIER_PG) {
			b.table = NULL;
			assert_int_equal(cashier_barrier(&t, &b, &verdict),
					 E_STATE);
		}
		assert_int_equal(cashier_create(&t, NULL), E_STATE);
		assert_int_equal(cashier_purge(&t, 1, 0, NULL), E_STATE);
		cashier_rollback(&t);
		assert_int_equal(verdict, 0);
		assert_int_equal(
			cashier_number(&t, "SELECT count(*) FROM barrier"), 0);
		cashier_close(&t);
	}
}

static void test_without_autocommit_none_need_be_begun(void **state)
{
	const struct treaty_barrier b = tcc("g", "try", 1);
	enum treaty_barrier_verdict verdict;
	struct cashier t;

	(void)state;
	open_fresh(&t, CASHIER_MYSQL);
	assert_int_equal(cashier_sql(&t, "SET autocommit = 0"), OK);
	assert_int_equal(cashier_barrier(&t, &b, &verdict), OK);
	assert_int_equal(verdict, TREATY_BARRIER_RUN);
	cashier_rollback(&t);
	assert_int_equal(cashier_number(&t, "SELECT count(*) FROM barrier"), 0);
	cashier_close(&t);
}

/* ---- the table ---- */

static void *create_run(void *arg)
{
	struct cashier t;

	open_on(&t, *(enum cashier_kind *)arg);
	REQUIRE(cashier_create(&t, "other_barrier") == OK);
	cashier_close(&t);
	return NULL;
}

static void test_the_table_may_be_created_by_many(void **state)
{
	pthread_t threads[8];
	struct cashier t;

	(void)state;
	EACH_KIND(kind)
	{
		struct treaty_barrier b = tcc("g", "try", 1);

		open_fresh(&t, kind);
		assert_int_equal(
			cashier_sql(&t, "DROP TABLE IF EXISTS other_barrier"),
			OK);
		for (size_t i = 0; i < ARRAY_LEN(threads); i++)
			assert_int_equal(pthread_create(&threads[i], NULL,
							create_run, &kind),
					 0);
		for (size_t i = 0; i < ARRAY_LEN(threads); i++)
			assert_int_equal(pthread_join(threads[i], NULL), 0);
		b.table = "other_barrier";
		assert_int_equal(once(&t, &b, true), TREATY_BARRIER_RUN);
		assert_int_equal(cashier_number(&t, "SELECT count(*) FROM "
						    "other_barrier"),
				 1);
		assert_int_equal(op(&t, "g", "try"), TREATY_BARRIER_RUN);
		cashier_close(&t);
	}
}

/* As another client of the same table would write it. */
static void test_a_row_of_somebody_else_counts(void **state)
{
	struct cashier t;

	(void)state;
	EACH_KIND(kind)
	{
		open_fresh(&t, kind);
		assert_int_equal(
			cashier_sql(&t, "INSERT INTO barrier (trans_type, gid,"
					" branch_id, op, barrier_id, reason)"
					" VALUES ('tcc', 'g', '7', 'try', '01',"
					" 'cancel')"),
			OK);
		assert_int_equal(op(&t, "g", "try"), TREATY_BARRIER_SUSPENDED);
		cashier_close(&t);
	}
}

static void test_purge_takes_what_is_old(void **state)
{
	static const char *const ages[] = {
		"UPDATE barrier SET create_time = now() - interval '2 days'",
		("UPDATE barrier SET create_time ="
		 " UTC_TIMESTAMP() - INTERVAL 2 DAY"),
		"UPDATE barrier SET create_time = datetime('now', '-2 days')",
	};
	struct cashier t;
	uint64_t n;

	(void)state;
	EACH_KIND(kind)
	{
		open_fresh(&t, kind);
		for (int i = 0; i < 3; i++) {
			static const char *const gids[] = { "a", "b", "c" };

			(void)op(&t, gids[i], "try");
		}
		assert_int_equal(cashier_sql(&t, "%s", ages[kind]), OK);
		(void)op(&t, "young", "try");
		assert_int_equal(cashier_purge(&t, 3 * 86400, 0, &n), OK);
		assert_int_equal(n, 0);
		assert_int_equal(cashier_purge(&t, 86400, 2, &n), OK);
		assert_int_equal(n, 2);
		assert_int_equal(cashier_purge(&t, 86400, 0, &n), OK);
		assert_int_equal(n, 1);
		assert_int_equal(op(&t, "young", "try"),
				 TREATY_BARRIER_DUPLICATE);
		assert_int_equal(cashier_purge(&t, 0, 0, &n), E_INVALID);
		cashier_close(&t);
	}
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_order_of_three_gives_its_verdict),
		cmocka_unit_test(test_what_is_rolled_back_never_was),
		cmocka_unit_test(test_barriers_of_a_branch_are_independent),
		cmocka_unit_test(test_a_saga_has_the_same_rule),
		cmocka_unit_test(test_of_twenty_at_once_one_runs),
		cmocka_unit_test(
			test_try_and_cancel_at_once_end_with_nothing_done),
		cmocka_unit_test(test_cancel_waits_for_an_open_try),
		cmocka_unit_test(
			test_the_question_is_answered_while_it_is_open),
		cmocka_unit_test(test_the_question_shuts_out_who_is_late),
		cmocka_unit_test(test_a_killed_try_is_there_or_not),
		cmocka_unit_test(test_mariadb_sees_past_its_snapshot),
		cmocka_unit_test(
			test_postgresql_says_run_again_for_an_old_snapshot),
		cmocka_unit_test(test_misuse_is_told),
		cmocka_unit_test(test_without_autocommit_none_need_be_begun),
		cmocka_unit_test(test_the_table_may_be_created_by_many),
		cmocka_unit_test(test_a_row_of_somebody_else_counts),
		cmocka_unit_test(test_purge_takes_what_is_old),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
