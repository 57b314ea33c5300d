#include "base/buf.h"
#include "base/hash.h"
#include "tests/live/live.h"
#include "tests/live/mover.h"
#include "tests/live/servers.h"
#include "tests/live/wallet.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>
#include <treaty/at.h>
#include <treaty/xa.h>

/*
 * Four modes in one global transaction: AT on PostgreSQL, XA on MariaDB, TCC
 * and a saga's branch on two SQLite files. Each moves the same sum from wallet
 * 0 to wallet 1, so afterwards all four agree or it was not one transaction.
 * SEED=n repeats the random choices.
 */

static struct servers servers;
static uint64_t seed = 4711;

enum side { SIDE_AT, SIDE_XA, SIDE_TCC, SIDE_SAGA, SIDES };

#define EACH_SIDE(side) for (int side = 0; side < SIDES; side++)

struct world {
	struct treatyd d;
	struct treaty *t;
	char dsn[SIDES][200];
	struct cashier pg; /* what AT has wrapped */
	struct treaty_at *at;
	struct treaty_xa *xa;
	struct wallet wallet;
	struct mover mover;
};

static enum cashier_kind kind_of(int side)
{
	static const enum cashier_kind kinds[SIDES] = {
		[SIDE_AT] = CASHIER_PG,
		[SIDE_XA] = CASHIER_MYSQL,
		[SIDE_TCC] = CASHIER_SQLITE,
		[SIDE_SAGA] = CASHIER_SQLITE,
	};

	return kinds[side];
}

static void put_dsn(struct world *w, int side, const char *a, const char *b)
{
	struct buf text;

	buf_init(&text, &mem_heap);
	buf_printf(&text, "%s%s", a, b);
	REQUIRE(text.len < sizeof w->dsn[side]);
	memcpy(w->dsn[side], buf_text(&text), text.len + 1);
	buf_fini(&text);
}

static void start_daemon(struct world *w)
{
	assert_true(treatyd_start(&w->d, "--retry-first=20ms",
				  "--retry-max=100ms", NULL));
}

static void open_agent(struct world *w)
{
	struct treaty_options o;

	treaty_options_init(&o, sizeof o);
	o.address = w->d.agents;
	o.application = "mixed";
	o.threads = 4;
	o.request_timeout_ms = 20000;
	REQUIRE(treaty_open(&w->t, &o) == TREATY_OK);
}

#define OKAY(call)                                                             \
	do {                                                                   \
		if ((call) != TREATY_OK)                                       \
			fail_msg("%s: %s", #call, treaty_last_error());        \
	} while (0)

static void world_open(struct world *w)
{
	memset(w, 0, sizeof *w);
	put_dsn(w, SIDE_AT, servers.postgresql, "");
	put_dsn(w, SIDE_XA, servers.mariadb, "");
	put_dsn(w, SIDE_TCC, "sqlite:", servers.dir);
	put_dsn(w, SIDE_TCC, w->dsn[SIDE_TCC], "/tcc.db");
	put_dsn(w, SIDE_SAGA, "sqlite:", servers.dir);
	put_dsn(w, SIDE_SAGA, w->dsn[SIDE_SAGA], "/saga.db");
	EACH_SIDE(side)
	{
		struct cashier c;

		cashier_open(&c, kind_of(side), w->dsn[side]);
		cashier_tables(&c);
		cashier_close(&c);
	}
	start_daemon(w);
	open_agent(w);
	cashier_open(&w->pg, CASHIER_PG, w->dsn[SIDE_AT]);
	OKAY(treaty_at_wrap_pg(w->t, w->pg.native, NULL, &w->at));
	OKAY(treaty_xa_connect(w->t, w->dsn[SIDE_XA], NULL, &w->xa));
	wallet_init(&w->wallet, CASHIER_SQLITE, w->dsn[SIDE_TCC]);
	wallet_offer(&w->wallet, w->t, 0);
	mover_init(&w->mover, CASHIER_SQLITE, w->dsn[SIDE_SAGA]);
	mover_offer(&w->mover, w->t);
}

static void world_close(struct world *w)
{
	treaty_at_unwrap(w->at);
	treaty_xa_close(w->xa);
	cashier_close(&w->pg);
	assert_int_equal(treaty_close(w->t), TREATY_OK);
	treatyd_remove(&w->d);
}

static void want_arrived(struct world *w, int64_t sum)
{
	assert_true(live_quiet(&w->d, 30000));
	EACH_SIDE(side)
	{
		struct cashier c;

		cashier_open(&c, kind_of(side), w->dsn[side]);
		assert_int_equal(cashier_balance(&c, 0), WALLET_START - sum);
		assert_int_equal(cashier_balance(&c, 1), WALLET_START + sum);
		assert_int_equal(cashier_frozen(&c, 0), 0);
		cashier_close(&c);
	}
}

/* ---- the four sides ---- */

#define TAKE "UPDATE wallet SET balance = balance - 10 WHERE id = 0"
#define GIVE "UPDATE wallet SET balance = balance + 10 WHERE id = 1"

static int move_at(struct world *w)
{
	int rc = treaty_at_begin(w->at);

	if (rc == TREATY_OK)
		rc = treaty_at_exec(w->at, TAKE, NULL, 0, NULL);
	if (rc == TREATY_OK)
		rc = treaty_at_exec(w->at, GIVE, NULL, 0, NULL);
	if (rc == TREATY_OK)
		return treaty_at_commit(w->at);
	(void)treaty_at_rollback(w->at);
	return rc;
}

static int move_xa(struct world *w)
{
	int rc = treaty_xa_start(w->xa), end;

	if (rc != TREATY_OK)
		return rc;
	rc = treaty_xa_run(w->xa, TAKE);
	if (rc == TREATY_OK)
		rc = treaty_xa_run(w->xa, GIVE);
	end = treaty_xa_end(w->xa);
	return rc == TREATY_OK ? end : rc;
}

static int move_tcc(struct world *w)
{
	return treaty_tcc_try(w->t, w->wallet.action, "{\"sum\":\"10\"}", NULL);
}

static int in_barrier(struct cashier *c, const struct treaty_saga_branch *b)
{
	const struct treaty_barrier barrier = treaty_saga_barrier_of(b);
	enum treaty_barrier_verdict verdict;
	int rc = cashier_barrier(c, &barrier, &verdict);

	if (rc == OK && verdict != TREATY_BARRIER_RUN)
		return E_STATE;
	if (rc == OK)
		rc = cashier_sql(c, TAKE);
	return rc == OK ? cashier_sql(c, GIVE) : rc;
}

static int move_saga(struct world *w)
{
	struct treaty_saga_branch b;
	struct cashier c;
	int rc = treaty_saga_branch(w->t, w->mover.service, "{\"sum\":10}", &b);

	if (rc != TREATY_OK)
		return rc;
	cashier_open(&c, CASHIER_SQLITE, w->dsn[SIDE_SAGA]);
	rc = cashier_begin(&c);
	if (rc == OK)
		rc = in_barrier(&c, &b);
	if (rc == OK)
		rc = cashier_commit(&c);
	else
		cashier_rollback(&c);
	cashier_close(&c);
	return rc;
}

static int move(struct world *w, int side)
{
	static int (*const moves[SIDES])(struct world *) = {
		[SIDE_AT] = move_at,
		[SIDE_XA] = move_xa,
		[SIDE_TCC] = move_tcc,
		[SIDE_SAGA] = move_saga,
	};

	return moves[side](w);
}

/* ---- the tests ---- */

static struct treaty_tx *begin(struct world *w)
{
	struct treaty_tx *tx;

	OKAY(treaty_begin(w->t, "mixed", 60000, &tx));
	return tx;
}

static void test_four_modes_commit_together(void **state)
{
	struct treaty_tx *tx;
	struct world w;

	(void)state;
	world_open(&w);
	for (int i = 1; i <= 3; i++) {
		tx = begin(&w);
		EACH_SIDE(side)
		OKAY(move(&w, side));
		OKAY(treaty_commit(tx));
		OKAY(treaty_release(tx));
		want_arrived(&w, 10 * i);
	}
	assert_int_equal(w.mover.compensations, 0);
	world_close(&w);
}

/* However many of them have done their part. */
static void test_four_modes_roll_back_together(void **state)
{
	struct treaty_tx *tx;
	struct world w;

	(void)state;
	world_open(&w);
	for (int n = 0; n <= SIDES; n++) {
		tx = begin(&w);
		for (int side = 0; side < n; side++)
			OKAY(move(&w, side));
		OKAY(treaty_rollback(tx, "changed mind"));
		OKAY(treaty_release(tx));
		want_arrived(&w, 0);
	}
	assert_int_equal(w.mover.verdicts[1][TREATY_BARRIER_RUN], 1);
	world_close(&w);
}

/* Whether it committed; treatyd is killed at some moment. */
static bool one(struct world *w, uint64_t *random)
{
	uint64_t fatal = random_next(random) % (SIDES + 3);
	struct treaty_tx *tx = begin(w);
	int rc = TREATY_OK;

	for (int side = 0; side < SIDES && rc == TREATY_OK; side++) {
		if (fatal == (uint64_t)side) {
			treatyd_kill(&w->d);
			start_daemon(w);
		}
		rc = move(w, side);
	}
	if (fatal == SIDES) {
		treatyd_kill(&w->d);
		start_daemon(w);
	}
	if (rc == TREATY_OK && random_next(random) % 4 != 0)
		rc = treaty_commit(tx);
	else
		rc = treaty_rollback(tx, "test") == TREATY_OK ? E_ROLLED_BACK
							      : E_UNKNOWN;
	if (fatal == SIDES + 1) { /* the decision is known */
		treatyd_kill(&w->d);
		start_daemon(w);
	}
	if (rc != TREATY_OK && rc != TREATY_E_ROLLED_BACK &&
	    rc != TREATY_E_NOTFOUND)
		fail_msg("%s", treaty_last_error());
	OKAY(treaty_release(tx));
	return rc == TREATY_OK;
}

static void test_a_killed_coordinator_divides_nobody(void **state)
{
	uint64_t random = seed;
	int committed = 0;
	struct world w;

	(void)state;
	world_open(&w);
	for (int i = 0; i < 20; i++) {
		committed += one(&w, &random);
		want_arrived(&w, 10 * committed);
	}
	print_message("%d of 20 committed\n", committed);
	assert_in_range(committed, 1, 19);
	world_close(&w);
}

static int start_servers(void **state)
{
	(void)state;
	seed = live_seed(seed);
	treaty_set_log(NULL, NULL, TREATY_LOG_ERROR);
	return servers_start(&servers, SERVERS_POSTGRESQL | SERVERS_MARIADB);
}

static int stop_servers(void **state)
{
	(void)state;
	servers_stop(&servers);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_four_modes_commit_together),
		cmocka_unit_test(test_four_modes_roll_back_together),
		cmocka_unit_test(test_a_killed_coordinator_divides_nobody),
	};

	return cmocka_run_group_tests(tests, start_servers, stop_servers);
}
