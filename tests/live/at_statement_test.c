#include "tests/live/at_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/*
 * Each statement three times on each database: rolled back (the tables are as
 * before), run past Treaty, and committed (the tables are as after that).
 */

static struct servers servers;

struct kind {
	const char *name;
	unsigned bit;
	const char *make;
	const char *reset;
};

enum { PG = 1, MY = 2, LITE = 4, ALL = 7 };

#define FILL                                                                   \
	"INSERT INTO account VALUES (1, 'ann', 100.00, NULL), "                \
	"(2, 'bob', 50.50, 'x'), (3, 'cid', 0.00, 'it''s \\ \"q\"');\n"        \
	"INSERT INTO item (code, n) VALUES ('a', 1), ('b', 2), ('c', 3);\n"    \
	"INSERT INTO pair VALUES (1, 'x', 10), (1, 'y', 20), (2, 'x', 30);\n"  \
	"INSERT INTO other VALUES (1, 1, 5), (2, 1, 7), (3, 2, 9)"

static const struct kind kinds[] = {
	{ "postgresql", PG,
	  "DROP TABLE IF EXISTS account, item, pair, other, nokey;\n"
	  "CREATE TABLE account (id int PRIMARY KEY, name varchar(40) NOT NULL "
	  "UNIQUE, balance numeric(12,2) NOT NULL DEFAULT 0, note text);\n"
	  "CREATE TABLE item (id serial PRIMARY KEY, code varchar(20) UNIQUE, "
	  "n int);\n"
	  "CREATE TABLE pair (a int, b varchar(10), v int, "
	  "PRIMARY KEY (a, b));\n"
	  "CREATE TABLE other (id int PRIMARY KEY, acc int, x int);\n"
	  "CREATE TABLE nokey (a int)",
	  "TRUNCATE account, item, pair, other, nokey RESTART "
	  "IDENTITY;\n" FILL },
	{ "mariadb", MY,
	  "DROP TABLE IF EXISTS account, item, pair, other, nokey;\n"
	  "CREATE TABLE account (id int PRIMARY KEY, name varchar(40) NOT NULL "
	  "UNIQUE, balance decimal(12,2) NOT NULL DEFAULT 0, note text);\n"
	  "CREATE TABLE item (id int AUTO_INCREMENT PRIMARY KEY, "
	  "code varchar(20) UNIQUE, n int);\n"
	  "CREATE TABLE pair (a int, b varchar(10), v int, "
	  "PRIMARY KEY (a, b));\n"
	  "CREATE TABLE other (id int PRIMARY KEY, acc int, x int);\n"
	  "CREATE TABLE nokey (a int)",
	  "TRUNCATE account;\nTRUNCATE item;\nTRUNCATE pair;\n"
	  "TRUNCATE other;\n" FILL },
	{ "sqlite", LITE,
	  "CREATE TABLE account (id INTEGER PRIMARY KEY, name varchar(40) NOT "
	  "NULL UNIQUE, balance numeric(12,2) NOT NULL DEFAULT 0, note text);\n"
	  "CREATE TABLE item (id INTEGER PRIMARY KEY, code varchar(20) UNIQUE, "
	  "n int);\n"
	  "CREATE TABLE pair (a int NOT NULL, b varchar(10) NOT NULL, v int, "
	  "PRIMARY KEY (a, b));\n"
	  "CREATE TABLE other (id INTEGER PRIMARY KEY, acc int, x int);\n"
	  "CREATE TABLE sly (id INTEGER PRIMARY KEY, u int UNIQUE ON CONFLICT "
	  "REPLACE)",
	  "DELETE FROM account;\nDELETE FROM item;\nDELETE FROM pair;\n"
	  "DELETE FROM other;\n" FILL },
};

struct sample {
	unsigned where;
	int expected;
	const char *sql;
};

static const struct sample samples[] = {
	/* UPDATE */
	{ ALL, OK, "UPDATE account SET balance = balance - 10 WHERE id = 1" },
	{ ALL, OK, "UPDATE account SET balance = balance + 1, note = 'n'" },
	{ ALL, OK, "UPDATE account SET note = NULL WHERE name LIKE '%b%'" },
	{ ALL, OK, "UPDATE account SET note = 'z' WHERE id = 99" },
	{ ALL, OK, "UPDATE account SET balance = balance WHERE id = 2" },
	{ ALL, OK, "UPDATE pair SET v = v * 2 WHERE b = 'x'" },
	{ ALL, OK,
	  "UPDATE account SET balance = 1 WHERE id IN (SELECT acc FROM other "
	  "WHERE x > 6)" },
	{ ALL, OK,
	  "UPDATE account SET balance = (SELECT SUM(x) FROM other WHERE acc = "
	  "account.id) WHERE EXISTS (SELECT 1 FROM other WHERE acc = "
	  "account.id)" },
	{ PG | LITE, OK,
	  "UPDATE account AS a SET balance = a.balance + o.x FROM other o "
	  "WHERE o.acc = a.id AND o.id = 3" },
	{ PG, OK,
	  "WITH big AS (SELECT acc FROM other WHERE x > 6) UPDATE account SET "
	  "note = 'big' WHERE id IN (SELECT acc FROM big)" },
	{ MY, OK,
	  "UPDATE account a JOIN other o ON o.acc = a.id SET a.balance = "
	  "a.balance + 1 WHERE o.x > 4" },
	{ MY, OK,
	  "UPDATE account SET balance = 7 ORDER BY balance DESC LIMIT 2" },
	{ ALL, E_UNSUPPORTED, "UPDATE account SET id = 9 WHERE id = 1" },
	{ PG | MY, E_UNSUPPORTED, "UPDATE nokey SET a = 1" },
	{ ALL, E_INVALID, "UPDATE account SET name = 'ann' WHERE id = 2" },
	{ PG | LITE, OK,
	  "UPDATE account SET balance = 3 WHERE id < 3 RETURNING id, balance" },

	/* DELETE */
	{ ALL, OK, "DELETE FROM account WHERE id = 2" },
	{ ALL, OK, "DELETE FROM account" },
	{ ALL, OK, "DELETE FROM pair WHERE a = 1 AND b = 'y'" },
	{ ALL, OK,
	  "DELETE FROM account WHERE id NOT IN (SELECT acc FROM other)" },
	{ PG, OK,
	  "DELETE FROM account a USING other o WHERE o.acc = a.id AND o.x = "
	  "9" },
	{ MY, OK,
	  "DELETE a FROM account a JOIN other o ON o.acc = a.id WHERE o.x = "
	  "5" },
	{ MY, OK, "DELETE FROM account ORDER BY id DESC LIMIT 1" },
	{ PG | LITE, OK, "DELETE FROM pair WHERE a = 1 RETURNING *" },

	/* INSERT */
	{ ALL, OK, "INSERT INTO account VALUES (4, 'dan', 1.5, NULL)" },
	{ ALL, OK,
	  "INSERT INTO account (name, id) VALUES ('eve', 5), ('fay', 6)" },
	{ ALL, OK, "INSERT INTO item (code, n) VALUES ('d', 4)" },
	{ ALL, OK, "INSERT INTO item (code, n) VALUES ('d', 4), ('e', 5)" },
	{ MY | LITE, OK, "INSERT INTO item VALUES (NULL, 'd', 4)" },
	{ PG | MY, OK, "INSERT INTO item VALUES (DEFAULT, 'd', 4)" },
	{ PG | LITE, OK, "INSERT INTO item DEFAULT VALUES" },
	{ MY, OK, "INSERT INTO item SET code = 'q', n = 9" },
	{ ALL, OK,
	  "INSERT INTO item (code, n) SELECT name, id FROM account WHERE id > "
	  "1" },
	{ ALL, OK, "INSERT INTO pair SELECT 9, b, v FROM pair WHERE a = 1" },
	{ ALL, E_INVALID, "INSERT INTO account VALUES (1, 'dup', 0, NULL)" },
	{ PG | LITE, OK,
	  "INSERT INTO item (id, code) VALUES (77, 'r') RETURNING id" },

	{ ALL, OK,
	  "INSERT INTO item (code, n) VALUES ('s', 1), ('t', 2) RETURNING n, "
	  "id" },

	/* conflict clauses */
	{ PG | LITE, OK,
	  "INSERT INTO item (code, n) VALUES ('a', 50), ('k', 60) "
	  "ON CONFLICT (code) DO UPDATE SET n = excluded.n RETURNING n" },
	{ PG | LITE, OK,
	  "INSERT INTO account VALUES (1, 'zed', 0, NULL), (8, 'hal', 0, NULL) "
	  "ON CONFLICT DO NOTHING" },
	{ PG | LITE, OK,
	  "INSERT INTO account VALUES (1, 'ann', 5, 'u'), (8, 'hal', 0, NULL) "
	  "ON CONFLICT (id) DO UPDATE SET balance = excluded.balance" },
	{ PG | LITE, OK,
	  "INSERT INTO item (code, n) VALUES ('a', 50), ('k', 60) "
	  "ON CONFLICT (code) DO UPDATE SET n = excluded.n" },
	{ PG | LITE, OK,
	  "INSERT INTO item (code, n) SELECT code, n + 100 FROM item WHERE n > "
	  "1 ON CONFLICT (code) DO UPDATE SET n = excluded.n" },
	{ MY, OK,
	  "INSERT INTO item (code, n) VALUES ('a', 50), ('k', 60) "
	  "ON DUPLICATE KEY UPDATE n = VALUES(n)" },
	{ MY, OK,
	  "INSERT IGNORE INTO item (code, n) VALUES ('a', 50), ('k', 60)" },
	{ MY | LITE, OK, "REPLACE INTO account VALUES (2, 'cid', 1, 'r')" },
	{ MY | LITE, OK,
	  "REPLACE INTO item (code, n) VALUES ('a', 50), ('k', 60)" },
	{ LITE, OK,
	  "INSERT OR IGNORE INTO account VALUES (1, 'zed', 0, NULL)" },
	{ LITE, OK,
	  "INSERT OR REPLACE INTO account VALUES (1, 'bob', 0, NULL)" },

	/* refused */
	{ ALL, E_UNSUPPORTED, "DROP TABLE pair" },
	{ PG | MY, E_UNSUPPORTED, "TRUNCATE TABLE pair" },
	{ ALL, E_UNSUPPORTED, "DELETE FROM undo_log" },
	{ ALL, E_UNSUPPORTED, "DELETE FROM pair; DELETE FROM item" },
	{ ALL, E_UNSUPPORTED, "FROB pair" },
	{ LITE, E_UNSUPPORTED, "INSERT INTO sly VALUES (1, 1)" },
	{ LITE, E_UNSUPPORTED, "UPDATE OR FAIL pair SET v = 1" },

	/* passed */
	{ ALL, OK, "SELECT * FROM account" },
	{ PG | MY, OK, "SELECT * FROM account WHERE id = 1 FOR UPDATE" },
};

static const char contents[] =
	"SELECT 'account', id, name, balance, note FROM account UNION ALL "
	"SELECT 'item', id, code, n, NULL FROM item UNION ALL "
	"SELECT 'pair', a, b, v, NULL FROM pair UNION ALL "
	"SELECT 'other', id, NULL, acc, NULL FROM other ORDER BY 1, 2, 3";

static void check_rollback(struct at_world *w, const struct sample *s)
{
	char *before = world_look(w, contents), *after;
	struct treaty_tx *tx = at_desk_begin(&w->desk);

	world_exec(w, s->sql, s->expected);
	if (at_desk_rollback(&w->desk, tx) != 0)
		fail_msg("%s\n  not undone: %s %s", s->sql, w->desk.error,
			 w->desk.detail);
	after = world_look(w, contents);
	if (strcmp(before, after) != 0)
		fail_msg("%s\n  before:\n%s  after undo:\n%s", s->sql, before,
			 after);
	assert_int_equal(world_count(w, "SELECT COUNT(*) FROM undo_log "
					"WHERE log_status = 0"),
			 0);
	free(before);
	free(after);
}

static void check_commit(struct at_world *w, const struct kind *k,
			 const struct sample *s)
{
	char *plain, *protected;
	struct treaty_tx *tx;

	world_sql(w, k->reset);
	world_sql(w, s->sql);
	plain = world_look(w, contents);
	world_sql(w, k->reset);
	tx = at_desk_begin(&w->desk);
	world_exec(w, s->sql, OK);
	assert_int_equal(at_desk_commit(&w->desk, tx), 0);
	protected = world_look(w, contents);
	if (strcmp(plain, protected) != 0)
		fail_msg("%s\n  past Treaty:\n%s  through it:\n%s", s->sql,
			 plain, protected);
	assert_int_equal(at_resource_flush(w->at->resource), OK);
	free(plain);
	free(protected);
}

static const char *dsn_of(const struct kind *k)
{
	static char path[200];

	if (k->bit == PG)
		return servers.postgresql;
	if (k->bit == MY)
		return servers.mariadb;
	snprintf(path, sizeof path, "sqlite:%s/statement.db?create=1",
		 servers.dir);
	return path;
}

static void each_statement(const struct kind *k)
{
	struct at_world w;
	unsigned n = 0;

	world_open(&w, dsn_of(k), NULL);
	world_sql(&w, k->make);
	for (size_t i = 0; i < ARRAY_LEN(samples); i++) {
		const struct sample *s = &samples[i];

		if (!(s->where & k->bit))
			continue;
		world_sql(&w, k->reset);
		check_rollback(&w, s);
		if (s->expected == OK)
			check_commit(&w, k, s);
		n++;
	}
	print_message("%s: %u statements\n", k->name, n);
	world_close(&w);
}

static void test_sqlite_is_as_before_after_rollback(void **state)
{
	(void)state;
	each_statement(&kinds[2]);
}

static void test_postgresql_is_as_before_after_rollback(void **state)
{
	(void)state;
	each_statement(&kinds[0]);
}

static void test_mariadb_is_as_before_after_rollback(void **state)
{
	(void)state;
	each_statement(&kinds[1]);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sqlite_is_as_before_after_rollback),
		cmocka_unit_test(test_postgresql_is_as_before_after_rollback),
		cmocka_unit_test(test_mariadb_is_as_before_after_rollback),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
