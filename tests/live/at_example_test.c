#include "base/buf.h"
#include "tests/live/cashier.h"
#include "tests/live/live.h"
#include "tests/live/servers.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <libpq-fe.h>
#include <mysql.h>
#include <treaty/pq.h>

/* The example of docs/at.md, which must be this very text: with a sale that
 * works, ones that are refused on either side, and many at once. */

/* example { */
/* Sells pens: they leave the shelf in PostgreSQL and are paid from a wallet in
 * MariaDB. Both connections were wrapped once, by treaty_at_wrap_pg() and
 * treaty_at_wrap_mysql(). */
static int take_pens(PGconn *shelf, const char *pens)
{
	const char *values[] = { pens };
	PGresult *r;
	int rc;

	/* libpq's own call, with treaty_ in front. */
	r = treaty_PQexecParams(shelf,
				"UPDATE shelf SET pens = pens - $1::int "
				"WHERE id = 1 AND pens >= $1::int",
				1, NULL, values, NULL, NULL, 0);
	if (PQresultStatus(r) != PGRES_COMMAND_OK)
		rc = TREATY_E_IO;
	else
		rc = strcmp(PQcmdTuples(r), "1") == 0 ? TREATY_OK
						      : TREATY_E_DENIED;
	PQclear(r);
	return rc;
}

static int pay(struct treaty_at *wallet, const char *pens)
{
	/* The same for any database. */
	struct treaty_value n = treaty_int(strtoll(pens, NULL, 10));
	struct treaty_value params[] = { n, n };
	struct treaty_result *r = NULL;
	int rc = treaty_at_exec(wallet,
				"UPDATE wallet SET balance = balance - 10 * ? "
				"WHERE id = 1 AND balance >= 10 * ?",
				params, 2, &r);

	if (rc == TREATY_OK && treaty_result_affected(r) != 1)
		rc = TREATY_E_DENIED; /* not enough money */
	treaty_result_free(r);
	return rc;
}

static int sell(struct treaty *t, PGconn *shelf, struct treaty_at *wallet,
		const char *pens)
{
	struct treaty_tx *tx;
	int rc = treaty_begin(t, "sell pens", 30000, &tx);

	if (rc != TREATY_OK)
		return rc;
	rc = take_pens(shelf, pens);
	if (rc == TREATY_OK)
		rc = pay(wallet, pens);
	if (rc == TREATY_OK)
		rc = treaty_commit(tx);
	else
		(void)treaty_rollback(tx, "not sold");
	treaty_release(tx);
	return rc;
}
/* } example */

static struct servers servers;
static struct treatyd d;
static struct treaty *t;

struct shop {
	struct cashier shelf, wallet;
	struct treaty_at *at_shelf, *at_wallet;
};

static void shop_open(struct shop *s)
{
	cashier_open(&s->shelf, CASHIER_PG, servers.postgresql);
	cashier_open(&s->wallet, CASHIER_MYSQL, servers.mariadb);
	REQUIRE(treaty_at_wrap_pg(t, s->shelf.native, NULL, &s->at_shelf) ==
		TREATY_OK);
	REQUIRE(treaty_at_wrap_mysql(t, s->wallet.native, NULL,
				     &s->at_wallet) == TREATY_OK);
}

static void shop_close(struct shop *s)
{
	treaty_at_unwrap(s->at_shelf);
	treaty_at_unwrap(s->at_wallet);
	cashier_close(&s->shelf);
	cashier_close(&s->wallet);
}

static int shop_sell(struct shop *s, const char *pens)
{
	return sell(t, s->shelf.native, s->at_wallet, pens);
}

/* Fresh tables; seen past Treaty. */
static void stock(int pens, int balance)
{
	struct cashier c;

	cashier_open(&c, CASHIER_PG, servers.postgresql);
	(void)cashier_sql(&c, "DROP TABLE shelf");
	assert_int_equal(cashier_sql(&c, "CREATE TABLE shelf (id int PRIMARY "
					 "KEY, pens int NOT NULL)"),
			 OK);
	assert_int_equal(
		cashier_sql(&c, "INSERT INTO shelf VALUES (1, %d)", pens), OK);
	cashier_close(&c);
	cashier_open(&c, CASHIER_MYSQL, servers.mariadb);
	(void)cashier_sql(&c, "DROP TABLE wallet");
	assert_int_equal(cashier_sql(&c, "CREATE TABLE wallet (id int PRIMARY "
					 "KEY, balance int NOT NULL)"),
			 OK);
	assert_int_equal(
		cashier_sql(&c, "INSERT INTO wallet VALUES (1, %d)", balance),
		OK);
	cashier_close(&c);
}

static void want(int pens, int balance)
{
	struct cashier shelf, wallet;

	assert_true(live_quiet(&d, 20000));
	cashier_open(&shelf, CASHIER_PG, servers.postgresql);
	cashier_open(&wallet, CASHIER_MYSQL, servers.mariadb);
	assert_int_equal(cashier_number(&shelf, "SELECT pens FROM shelf"),
			 pens);
	assert_int_equal(cashier_number(&wallet, "SELECT balance FROM wallet"),
			 balance);
	cashier_close(&shelf);
	cashier_close(&wallet);
}

static void test_the_example_sells_or_leaves_no_trace(void **state)
{
	struct shop s;

	(void)state;
	stock(5, 30);
	shop_open(&s);
	assert_int_equal(shop_sell(&s, "2"), TREATY_OK);
	want(3, 10);
	/* the shelf is changed and then undone */
	assert_int_equal(shop_sell(&s, "2"), TREATY_E_DENIED);
	want(3, 10);
	/* the shelf itself says no */
	assert_int_equal(shop_sell(&s, "4"), TREATY_E_DENIED);
	want(3, 10);
	assert_int_equal(shop_sell(&s, "1"), TREATY_OK);
	want(2, 0);
	shop_close(&s);
}

static void *buyer(void *arg)
{
	_Atomic int *sold = arg;
	struct shop s;

	shop_open(&s);
	for (int i = 0; i < 10; i++)
		if (shop_sell(&s, "1") == TREATY_OK)
			atomic_fetch_add(sold, 1);
	shop_close(&s);
	return NULL;
}

static void test_many_buyers_never_buy_more_than_there_is(void **state)
{
	static _Atomic int sold;
	pthread_t buyers[4];

	(void)state;
	stock(100, 250); /* money for 25 of 40 */
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&buyers[i], NULL, buyer, &sold),
				 0);
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_join(buyers[i], NULL), 0);
	assert_in_range(sold, 1, 25);
	want(100 - sold, 250 - 10 * sold);
}

/* ---- the text of the page ---- */

static void read_whole(struct buf *out, const char *path)
{
	char block[4096];
	FILE *f = fopen(path, "r");
	size_t n;

	assert_non_null(f);
	buf_init(out, &mem_heap);
	while ((n = fread(block, 1, sizeof block, f)) > 0)
		buf_put(out, (struct bytes){ (const uint8_t *)block, n });
	(void)fclose(f);
}

static void test_the_page_shows_what_is_compiled_here(void **state)
{
	struct buf source, page;
	const char *from, *to;
	char *example;

	(void)state;
	read_whole(&source, __FILE__);
	from = strstr(buf_text(&source), "/* example { */\n");
	assert_non_null(from);
	from = strchr(from, '\n') + 1;
	to = strstr(from, "/* } example */");
	assert_non_null(to);
	example = mem_text(&mem_heap, (struct bytes){ (const uint8_t *)from,
						      (size_t)(to - from) });
	read_whole(&page, AT_PAGE);
	assert_non_null(strstr(buf_text(&page), example));
	mem_free(&mem_heap, example);
	buf_fini(&source);
	buf_fini(&page);
}

static int set_up(void **state)
{
	struct treaty_options o;

	(void)state;
	if (servers_start(&servers, SERVERS_POSTGRESQL | SERVERS_MARIADB) != 0)
		return -1;
	assert_true(treatyd_start(&d, NULL, NULL));
	treaty_options_init(&o, sizeof o);
	o.address = d.agents;
	o.application = "shop";
	o.threads = 4;
	return treaty_open(&t, &o);
}

static int tear_down(void **state)
{
	(void)state;
	if (t)
		(void)!treaty_close(t);
	treatyd_remove(&d);
	servers_stop(&servers);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_example_sells_or_leaves_no_trace),
		cmocka_unit_test(test_many_buyers_never_buy_more_than_there_is),
		cmocka_unit_test(test_the_page_shows_what_is_compiled_here),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
