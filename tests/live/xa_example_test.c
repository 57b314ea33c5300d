#include "tests/live/xa_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/* The example of docs/xa.md, which must be this very text, and a heap of
 * transfers by several threads whose sum must stay what it was. */

/* example { */
/* Moves an amount from an account in PostgreSQL to one in MariaDB. */
static int transfer(struct treaty *t, struct treaty_xa *from,
		    struct treaty_xa *to, int amount)
{
	struct treaty_tx *tx;
	char sql[128];
	int rc = treaty_begin(t, "transfer", 30000, &tx);

	if (rc != TREATY_OK)
		return rc;
	rc = treaty_xa_start(from);
	if (rc == TREATY_OK) {
		snprintf(sql, sizeof sql,
			 "UPDATE account SET balance = balance - %d", amount);
		rc = treaty_xa_run(from, sql);
		/* The branch is ended in any case; it says why it failed. */
		if (treaty_xa_end(from) != TREATY_OK && rc == TREATY_OK)
			rc = TREATY_E_ROLLED_BACK;
	}
	if (rc == TREATY_OK)
		rc = treaty_xa_start(to);
	if (rc == TREATY_OK) {
		snprintf(sql, sizeof sql,
			 "UPDATE account SET balance = balance + %d", amount);
		rc = treaty_xa_run(to, sql);
		if (treaty_xa_end(to) != TREATY_OK && rc == TREATY_OK)
			rc = TREATY_E_ROLLED_BACK;
	}
	if (rc == TREATY_OK)
		rc = treaty_commit(tx);
	else
		(void)treaty_rollback(tx, treaty_last_error());
	treaty_release(tx);
	return rc;
}
/* } example */

static struct servers servers;
static struct treatyd d;
static struct treaty *t;

static int set_up(void **state)
{
	struct treaty_options o;

	(void)state;
	if (servers_start(&servers, SERVERS_POSTGRESQL | SERVERS_MARIADB) != 0)
		return -1;
	assert_true(treatyd_start(&d, NULL, NULL));
	treaty_options_init(&o, sizeof o);
	o.address = d.agents;
	o.application = "bank";
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

static int64_t balance(const char *dsn)
{
	const char *value[1];
	struct arena arena;
	struct db *db;
	int64_t n;

	assert_int_equal(db_open(&db, &mem_heap, dsn, NULL), OK);
	arena_init(&arena, &mem_heap, 0);
	assert_int_equal(
		xa_row(db, "SELECT balance FROM account", &arena, value, 1),
		OK);
	n = strtoll(value[0], NULL, 10);
	arena_fini(&arena);
	db_free(db);
	return n;
}

static void make_account(const char *dsn, const char *check)
{
	struct db *db;
	struct buf sql;

	assert_int_equal(db_open(&db, &mem_heap, dsn, NULL), OK);
	(void)!db_command(db, "DROP TABLE account");
	buf_init(&sql, &mem_heap);
	buf_printf(&sql,
		   "CREATE TABLE account (id int PRIMARY KEY, balance int NOT "
		   "NULL %s)",
		   check);
	assert_int_equal(db_command(db, buf_text(&sql)), OK);
	assert_int_equal(db_command(db, "INSERT INTO account VALUES (1, 100)"),
			 OK);
	buf_fini(&sql);
	db_free(db);
}

static void until(int64_t pg, int64_t my)
{
	for (int i = 0; i < 1000; i++) {
		if (balance(servers.postgresql) == pg &&
		    balance(servers.mariadb) == my)
			return;
		xa_nap(20);
	}
	fail_msg("%lld and %lld", (long long)balance(servers.postgresql),
		 (long long)balance(servers.mariadb));
}

static void test_the_example_moves_money_between_two_kinds_of_databases(
	void **state)
{
	struct treaty_xa *pg, *my;

	(void)state;
	make_account(servers.postgresql, "CHECK (balance >= 0)");
	make_account(servers.mariadb, "CHECK (balance <= 150)");
	OKAY(treaty_xa_connect(t, servers.postgresql, NULL, &pg));
	OKAY(treaty_xa_connect(t, servers.mariadb, NULL, &my));
	OKAY(transfer(t, pg, my, 30));
	until(70, 130);
	/* refused by the first, then by the second */
	assert_int_equal(transfer(t, pg, my, 71), TREATY_E_INVALID);
	assert_int_equal(transfer(t, pg, my, 21), TREATY_E_INVALID);
	until(70, 130);
	OKAY(transfer(t, pg, my, 20));
	until(50, 150);
	treaty_xa_close(pg);
	treaty_xa_close(my);
}

/* ---- many at once, with a server that is killed meanwhile ---- */

#define TELLERS 4
#define EACH    25

static void *teller(void *arg)
{
	_Atomic int *moved = arg;
	struct treaty_xa *pg = NULL, *my = NULL;

	for (int i = 0; i < EACH; i++) {
		int rc;

		while (!pg &&
		       treaty_xa_connect(t, servers.postgresql, NULL, &pg))
			xa_nap(50);
		while (!my && treaty_xa_connect(t, servers.mariadb, NULL, &my))
			xa_nap(50);
		rc = transfer(t, pg, my, 1);
		if (rc == TREATY_OK) {
			(*moved)++;
			continue;
		}
		treaty_xa_close(pg);
		treaty_xa_close(my);
		pg = my = NULL;
	}
	treaty_xa_close(pg);
	treaty_xa_close(my);
	return NULL;
}

static void test_no_money_is_lost_when_servers_are_killed_meanwhile(
	void **state)
{
	static _Atomic int moved;
	pthread_t tellers[TELLERS];

	(void)state;
	make_account(servers.postgresql, "");
	make_account(servers.mariadb, "");
	for (int i = 0; i < TELLERS; i++)
		assert_int_equal(
			pthread_create(&tellers[i], NULL, teller, &moved), 0);
	xa_nap(300);
	assert_int_equal(servers_kill(&servers, "mariadb"), 0);
	assert_int_equal(servers_again(&servers, "mariadb"), 0);
	xa_nap(300);
	assert_int_equal(servers_kill(&servers, "postgresql"), 0);
	assert_int_equal(servers_again(&servers, "postgresql"), 0);
	for (int i = 0; i < TELLERS; i++)
		assert_int_equal(pthread_join(tellers[i], NULL), 0);
	assert_true(moved > 0);
	until(100 - moved, 100 + moved);
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
	read_whole(&page, XA_PAGE);
	assert_non_null(strstr(buf_text(&page), example));
	mem_free(&mem_heap, example);
	buf_fini(&source);
	buf_fini(&page);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			test_the_example_moves_money_between_two_kinds_of_databases),
		cmocka_unit_test(
			test_no_money_is_lost_when_servers_are_killed_meanwhile),
		cmocka_unit_test(test_the_page_shows_what_is_compiled_here),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
