#include "rm-agent/db/catalog_my.h"
#include "tests/live/at_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/*
 * MariaDB shows a user only some of what his statements will do. Whatever he
 * may not see is refused with the right that helps, never taken for absent.
 */

static struct servers servers;
static struct arena arena;
static struct db *root;
static char few_dsn[300];

static struct db *open_db(const char *dsn)
{
	struct db_error error;
	struct db *db;

	if (db_open(&db, &mem_heap, dsn, &error) != OK)
		fail_msg("%s: %s", dsn, error.message);
	return db;
}

static void admin(const char *sql)
{
	if (db_command(root, sql) != OK)
		fail_msg("%s: %s", sql, db_error(root)->message);
}

static int start(void **state)
{
	struct at_world w;

	(void)state;
	arena_init(&arena, &mem_heap, 0);
	if (servers_start(&servers, SERVERS_MARIADB) != 0)
		return -1;
	snprintf(few_dsn, sizeof few_dsn, "mysql://few:few%s",
		 strchr(servers.mariadb, '@'));
	world_open(&w, servers.mariadb, NULL); /* makes the undo table */
	world_close(&w);
	root = open_db(servers.mariadb);
	admin("CREATE DATABASE shop_x");
	admin("CREATE DATABASE other");
	admin("CREATE TABLE parent (id INT PRIMARY KEY, v INT)");
	admin("CREATE TABLE child (id INT PRIMARY KEY, p INT, FOREIGN KEY kin"
	      " (p) REFERENCES parent (id) ON DELETE CASCADE)");
	admin("CREATE TABLE wide (id INT PRIMARY KEY, v INT, u INT, KEY (u))");
	admin("CREATE TABLE wide_child (u INT, FOREIGN KEY kin2 (u) REFERENCES"
	      " wide (u) ON UPDATE CASCADE)");
	admin("CREATE TABLE lone (id INT PRIMARY KEY, v INT)");
	admin("CREATE TABLE far (id INT PRIMARY KEY)");
	admin("CREATE TABLE other.near (p INT, FOREIGN KEY kin3 (p)"
	      " REFERENCES test.far (id) ON DELETE SET NULL)");
	admin("CREATE TABLE `T\xc3\xbcr #1` (id INT PRIMARY KEY)");
	admin("CREATE TABLE odd (p INT, FOREIGN KEY kin4 (p)"
	      " REFERENCES `T\xc3\xbcr #1` (id) ON DELETE CASCADE)");
	admin("CREATE TABLE Far (id INT PRIMARY KEY)");
	admin("CREATE TABLE late (id INT PRIMARY KEY)");
	admin("CREATE TABLE fired (id INT PRIMARY KEY, v INT)");
	admin("CREATE TRIGGER pull BEFORE INSERT ON fired FOR EACH ROW"
	      " SET NEW.v = 1");
	return 0;
}

static int stop(void **state)
{
	(void)state;
	db_free(root);
	arena_fini(&arena);
	servers_stop(&servers);
	return 0;
}

#define ON_TABLE(name)                                                         \
	"GRANT SELECT, INSERT, UPDATE, DELETE ON " name " TO few@'%'"

/* A user with rights on single tables and on nothing else. */
static int one_by_one(void **state)
{
	static const char *const names[] = {
		ON_TABLE("undo_log"),
		ON_TABLE("parent"),
		ON_TABLE("wide"),
		ON_TABLE("lone"),
		ON_TABLE("far"),
		ON_TABLE("Far"),
		ON_TABLE("late"),
		ON_TABLE("fired"),
		ON_TABLE("`T\xc3\xbcr #1`"),
	};

	(void)state;
	admin("CREATE OR REPLACE USER few@'%' IDENTIFIED BY 'few'");
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		admin(names[i]);
	admin("DELETE FROM parent");
	admin("DELETE FROM lone");
	admin("INSERT INTO parent VALUES (1, 10), (2, 20)");
	admin("INSERT INTO child VALUES (11, 1), (12, 1), (21, 2)");
	admin("INSERT INTO lone VALUES (1, 10), (2, 20)");
	return 0;
}

static struct catalog_table load(struct db *db, const char *name)
{
	struct catalog_table t;
	int rc = catalog_load(db, BYTES(""), bytes_of(name), &arena, &t);

	if (rc != OK)
		fail_msg("%s: %s: %s", name, err_name(rc),
			 db_error(db)->message);
	return t;
}

/* What a new connection of the user is told. */
static void verdicts(const char *name, int insert, int update, int delete,
		     const char *why)
{
	struct db *db = open_db(few_dsn);
	struct catalog_table t = load(db, name);

	if (t.on_insert != (enum catalog_verdict)insert ||
	    t.on_update != (enum catalog_verdict)update ||
	    t.on_delete != (enum catalog_verdict) delete ||
	    (*why && !value_contains((struct value){ VALUE_TEXT, t.why }, why)))
		fail_msg("%s: %d %d %d: \"%.*s\", not \"%s\"", name,
			 t.on_insert, t.on_update, t.on_delete, (int)t.why.len,
			 (const char *)t.why.data, why);
	db_free(db);
}

static int64_t count(const char *table)
{
	char sql[100];
	struct db_stmt stmt = { 0 };
	struct db_result r;

	snprintf(sql, sizeof sql, "SELECT COUNT(*) FROM %s", table);
	stmt.sql = bytes_of(sql);
	assert_int_equal(db_exec(root, &stmt, &arena, &r), OK);
	return (int64_t)value_number(db_value(&r, 0, 0));
}

/* ---- foreign keys ---- */

static void test_what_cannot_be_seen_is_refused(void **state)
{
	(void)state;
	verdicts("parent", 0, 0, 1, "GRANT PROCESS ON *.* TO 'few'@'%'");
	verdicts("lone", 0, 0, 1, "GRANT PROCESS");
	/* Another table may follow an index that is not the key. */
	verdicts("wide", 0, 1, 1, "GRANT PROCESS");
	/* All of the database: a child may be in another one. */
	admin("GRANT ALL ON test.* TO few@'%'");
	verdicts("far", 0, 0, 1, "GRANT PROCESS");
	verdicts("parent", 0, 0, 1, "kin");
	/* Shows tables and not their keys. */
	admin("GRANT SELECT ON *.* TO few@'%'");
	verdicts("lone", 0, 0, 1, "GRANT PROCESS");
}

static void all_is_seen(void)
{
	verdicts("lone", 0, 0, 0, "");
	verdicts("parent", 0, 0, 1, "foreign key kin of table child changes");
	verdicts("wide", 0, 1, 0, "foreign key kin2 of table wide_child");
	verdicts("far", 0, 0, 1, "foreign key kin3 of table other.near");
	verdicts("T\xc3\xbcr #1", 0, 0, 1, "foreign key kin4 of table odd");
}

static void test_process_shows_every_foreign_key(void **state)
{
	(void)state;
	admin("GRANT PROCESS ON *.* TO few@'%'");
	all_is_seen();
	/* Names that differ by case are two tables here. */
	verdicts("Far", 0, 0, 0, "");
}

static void test_a_global_right_shows_every_foreign_key(void **state)
{
	(void)state;
	admin("GRANT DELETE ON *.* TO few@'%'");
	all_is_seen();
}

static void notices_new_child(const char *grant)
{
	struct catalog_table t;
	struct db *db;
	bool same;

	admin(grant);
	db = open_db(few_dsn);
	t = load(db, "late");
	assert_int_equal(t.on_delete, CATALOG_OK);
	assert_int_equal(catalog_unchanged(db, &t, &arena, &same), OK);
	assert_true(same);
	admin("CREATE TABLE other.late_child (p INT, FOREIGN KEY (p)"
	      " REFERENCES test.late (id) ON DELETE CASCADE)");
	assert_int_equal(catalog_unchanged(db, &t, &arena, &same), OK);
	assert_false(same);
	admin("DROP TABLE other.late_child");
	db_free(db);
}

static void test_a_new_foreign_key_elsewhere_is_noticed(void **state)
{
	(void)state;
	notices_new_child("GRANT PROCESS ON *.* TO few@'%'");
}

static void test_without_process_too(void **state)
{
	(void)state;
	notices_new_child("GRANT UPDATE ON *.* TO few@'%'");
}

/* ---- a whole transaction ---- */

static void refused(struct at_world *w, const char *sql, const char *why)
{
	world_exec(w, sql, E_UNSUPPORTED);
	if (!strstr(treaty_at_error(w->at)->message, why))
		fail_msg("%s: %s", sql, treaty_at_error(w->at)->message);
}

static void test_no_row_is_lost_to_an_unseen_cascade(void **state)
{
	struct treaty_tx *tx;
	struct at_world w;

	(void)state;
	world_open(&w, few_dsn, NULL);
	tx = at_desk_begin(&w.desk);
	refused(&w, "DELETE FROM parent WHERE id = 1", "GRANT PROCESS");
	refused(&w, "REPLACE INTO parent VALUES (1, 1)", "GRANT PROCESS");
	world_exec(&w, "UPDATE parent SET v = 0", OK);
	world_exec(&w, "INSERT INTO parent VALUES (3, 30)", OK);
	assert_int_equal(at_desk_rollback(&w.desk, tx), 0);
	assert_int_equal(count("parent WHERE v = id * 10"), 2);
	assert_int_equal(count("child"), 3);
	world_close(&w);
}

static void test_with_the_grant_it_is_protected_and_exact(void **state)
{
	struct treaty_tx *tx;
	struct at_world w;

	(void)state;
	admin("GRANT PROCESS ON *.* TO few@'%'");
	world_open(&w, few_dsn, NULL);
	tx = at_desk_begin(&w.desk);
	refused(&w, "DELETE FROM parent WHERE id = 1", "kin");
	world_exec(&w, "DELETE FROM lone WHERE id = 1", OK);
	world_exec(&w, "UPDATE lone SET v = 0", OK);
	assert_int_equal(count("lone"), 1);
	assert_int_equal(at_desk_rollback(&w.desk, tx), 0);
	assert_int_equal(count("lone WHERE v = id * 10"), 2);
	assert_int_equal(count("child"), 3);
	world_close(&w);
}

static void test_a_warning_instead_is_the_users_choice(void **state)
{
	const struct treaty_at_options warn = { .triggers = TREATY_WARN };
	struct treaty_tx *tx;
	struct at_world w;

	(void)state;
	world_open(&w, few_dsn, &warn);
	tx = at_desk_begin(&w.desk);
	world_exec(&w, "DELETE FROM lone WHERE id = 1", OK);
	assert_int_equal(at_desk_rollback(&w.desk, tx), 0);
	assert_int_equal(count("lone"), 2);
	world_close(&w);
}

/* ---- triggers and columns ---- */

static void test_a_trigger_shows_without_the_right(void **state)
{
	(void)state;
	verdicts("fired", 1, 0, 1, "trigger pull");
}

static bool may_trigger(const char *grant)
{
	struct table table = { .schema = BYTES("shop_x"), .name = BYTES("t") };
	struct catalog_table out = { 0 };
	struct build b = { .arena = &arena, .out = &out, .table = &table };
	bool may = false;

	admin("CREATE OR REPLACE USER few@'%' IDENTIFIED BY 'few'");
	admin("GRANT SELECT ON test.* TO few@'%'");
	admin(grant);
	b.db = open_db(few_dsn);
	assert_int_equal(my_may_trigger(&b, &may), OK);
	db_free(b.db);
	return may;
}

static void test_who_may_see_triggers_elsewhere(void **state)
{
	(void)state;
	admin("CREATE TABLE shop_x.t (id INT PRIMARY KEY)");
	admin("CREATE TABLE shop_x.t2 (id INT PRIMARY KEY)");
	assert_false(may_trigger("GRANT UPDATE ON shop_x.t TO few@'%'"));
	assert_false(may_trigger("GRANT TRIGGER ON shop_x.t2 TO few@'%'"));
	assert_false(may_trigger("GRANT TRIGGER ON test.* TO few@'%'"));
	assert_false(may_trigger("GRANT TRIGGER ON `shop%`.* TO few@'%'"));
	assert_true(may_trigger("GRANT TRIGGER ON shop_x.t TO few@'%'"));
	assert_true(may_trigger("GRANT TRIGGER ON shop_x.* TO few@'%'"));
	assert_true(may_trigger("GRANT TRIGGER ON `shop\\_x`.* TO few@'%'"));
	assert_true(may_trigger("GRANT TRIGGER ON *.* TO few@'%'"));
}

static void test_columns_that_cannot_be_read_are_refused(void **state)
{
	(void)state;
	admin("CREATE OR REPLACE USER few@'%' IDENTIFIED BY 'few'");
	admin("GRANT PROCESS ON *.* TO few@'%'");
	admin("GRANT SELECT (v), UPDATE (v) ON lone TO few@'%'");
	verdicts("lone", 2, 2, 2, "GRANT SELECT");
	admin("GRANT DELETE ON lone TO few@'%'");
	verdicts("lone", 2, 2, 2, "GRANT SELECT");
	admin("GRANT SELECT ON lone TO few@'%'");
	verdicts("lone", 0, 0, 0, "");
}

#define TEST(name) cmocka_unit_test_setup(name, one_by_one)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_what_cannot_be_seen_is_refused),
		TEST(test_process_shows_every_foreign_key),
		TEST(test_a_global_right_shows_every_foreign_key),
		TEST(test_a_new_foreign_key_elsewhere_is_noticed),
		TEST(test_without_process_too),
		TEST(test_no_row_is_lost_to_an_unseen_cascade),
		TEST(test_with_the_grant_it_is_protected_and_exact),
		TEST(test_a_warning_instead_is_the_users_choice),
		TEST(test_a_trigger_shows_without_the_right),
		TEST(test_who_may_see_triggers_elsewhere),
		TEST(test_columns_that_cannot_be_read_are_refused),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
