#include "rm-agent/barrier/barrier_sql.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>
#include <sqlite3.h>

/* The barrier without a server: its arguments, its SQL, and SQLite in memory.
 * tests/live/barrier_test.c has the rest. */

static sqlite3 *open_memory(void)
{
	sqlite3 *db;

	assert_int_equal(sqlite3_open(":memory:", &db), SQLITE_OK);
	return db;
}

static void sql(sqlite3 *db, const char *text)
{
	char *error = NULL;

	if (sqlite3_exec(db, text, NULL, NULL, &error) != SQLITE_OK)
		fail_msg("%s: %s", text, error);
}

static enum treaty_barrier_verdict once(sqlite3 *db, struct treaty_barrier b)
{
	enum treaty_barrier_verdict verdict;

	sql(db, "BEGIN");
	assert_int_equal(treaty_barrier_call_sqlite(db, &b, &verdict),
			 TREATY_OK);
	sql(db, "COMMIT");
	return verdict;
}

static const struct treaty_barrier a_try = {
	.trans_type = "tcc", .gid = "h:1:2", .branch_id = "7", .op = "try"
};

static void test_the_text_of_the_table_makes_the_table(void **state)
{
	struct treaty_barrier b = a_try;
	sqlite3 *db = open_memory();

	(void)state;
	sql(db, treaty_barrier_ddl(TREATY_SQLITE));
	assert_int_equal(treaty_barrier_create_sqlite(db, NULL), TREATY_OK);
	assert_int_equal(once(db, b), TREATY_BARRIER_RUN);
	assert_int_equal(once(db, b), TREATY_BARRIER_DUPLICATE);
	b.op = "cancel";
	assert_int_equal(once(db, b), TREATY_BARRIER_RUN);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
	assert_non_null(strstr(treaty_barrier_ddl(TREATY_MYSQL), "InnoDB"));
	assert_non_null(
		strstr(treaty_barrier_ddl(TREATY_POSTGRESQL), "CREATE INDEX"));
	assert_null(treaty_barrier_ddl(3));
	assert_null(treaty_barrier_ddl(-1));
}

static void test_a_table_may_have_another_name_and_schema(void **state)
{
	struct treaty_barrier b = a_try;
	sqlite3 *db = open_memory();

	(void)state;
	sql(db, "ATTACH ':memory:' AS side");
	assert_int_equal(treaty_barrier_create_sqlite(db, "side.fence"),
			 TREATY_OK);
	b.table = "side.fence";
	assert_int_equal(once(db, b), TREATY_BARRIER_RUN);
	sql(db, "DELETE FROM side.fence WHERE gid = 'h:1:2'");
	assert_int_equal(sqlite3_changes(db), 1);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void test_a_name_that_could_be_sql_is_refused(void **state)
{
	static const char *const bad[] = {
		"",
		"1a",
		"a b",
		"a;b",
		"a.",
		".a",
		"a.b.c",
		"a-b",
		"\"a\"",
		"a.1b",
		"`a`",
		"b\xc3\xa4rrier",
		("aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeee"
		 "ffffffffff1234"),
	};
	sqlite3 *db = open_memory();

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		assert_false(barrier_table_ok(bad[i]));
		assert_int_equal(treaty_barrier_create_sqlite(db, bad[i]),
				 TREATY_E_INVALID);
	}
	assert_true(barrier_table_ok("barrier"));
	assert_true(barrier_table_ok("dtm_barrier.barrier"));
	assert_true(barrier_table_ok("_B2"));
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void refused(struct treaty_barrier b, const char *says)
{
	const char *why = NULL;

	assert_int_equal(barrier_check(&b, &why), E_INVALID);
	if (!strstr(why, says))
		fail_msg("\"%s\" does not say \"%s\"", why, says);
}

static void test_texts_that_do_not_fit_are_refused(void **state)
{
	char text[130];
	struct treaty_barrier b = a_try;
	const char *why;

	(void)state;
	memset(text, 'x', sizeof text);
	text[128] = '\0';
	b.gid = b.branch_id = text;
	assert_int_equal(barrier_check(&b, &why), OK);
	text[128] = 'x';
	text[129] = '\0';
	refused(b, "gid");
	b.gid = "g";
	refused(b, "branch_id");
	b = a_try;
	b.op = text + 129 - 46;
	refused(b, "op");
	b.op = text + 129 - 45;
	assert_int_equal(barrier_check(&b, &why), OK);
	b.trans_type = NULL;
	refused(b, "trans_type");
	b = a_try;
	b.gid = "ends with a blank ";
	refused(b, "gid");
	b.gid = "m\xc3\xbcnze";
	refused(b, "gid");
	b = a_try;
	b.number = 10000;
	refused(b, "number");
	b.number = 9999;
	assert_int_equal(barrier_check(&b, &why), OK);
	b.table = "a;b";
	refused(b, "table");
}

static void test_misuse_is_an_error(void **state)
{
	enum treaty_barrier_verdict verdict = 0;
	sqlite3 *db = open_memory();
	uint64_t n;

	(void)state;
	assert_int_equal(treaty_barrier_call_sqlite(NULL, &a_try, &verdict),
			 TREATY_E_INVALID);
	assert_int_equal(treaty_barrier_call_pg(NULL, &a_try, &verdict),
			 TREATY_E_INVALID);
	assert_int_equal(treaty_barrier_call_mysql(NULL, &a_try, &verdict),
			 TREATY_E_INVALID);
	assert_int_equal(treaty_barrier_call_sqlite(db, &a_try, &verdict),
			 TREATY_E_STATE);
	assert_int_equal(verdict, 0);
	assert_int_equal(treaty_barrier_purge_sqlite(db, NULL, 0, 0, &n),
			 TREATY_E_INVALID);
	assert_int_equal(
		treaty_barrier_purge_sqlite(db, NULL, UINT64_MAX, 0, &n),
		TREATY_E_INVALID);
	assert_int_equal(treaty_barrier_purge_sqlite(db, NULL, 60, 0, &n),
			 TREATY_E_INVALID); /* no such table */
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void test_what_undoes_what(void **state)
{
	(void)state;
	assert_string_equal(barrier_origin("cancel"), "try");
	assert_string_equal(barrier_origin("compensate"), "action");
	assert_string_equal(barrier_origin("rollback"), "action");
	assert_null(barrier_origin("try"));
	assert_null(barrier_origin("confirm"));
	assert_null(barrier_origin("msg"));
}

static void test_verdicts_have_a_word(void **state)
{
	(void)state;
	assert_string_equal(treaty_barrier_verdict_text(TREATY_BARRIER_RUN),
			    "run");
	assert_string_equal(
		treaty_barrier_verdict_text(TREATY_BARRIER_DUPLICATE),
		"duplicate");
	assert_string_equal(treaty_barrier_verdict_text(TREATY_BARRIER_EMPTY),
			    "empty");
	assert_string_equal(
		treaty_barrier_verdict_text(TREATY_BARRIER_SUSPENDED),
		"suspended");
	assert_string_equal(treaty_barrier_verdict_text(0), "unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_text_of_the_table_makes_the_table),
		cmocka_unit_test(test_a_table_may_have_another_name_and_schema),
		cmocka_unit_test(test_a_name_that_could_be_sql_is_refused),
		cmocka_unit_test(test_texts_that_do_not_fit_are_refused),
		cmocka_unit_test(test_misuse_is_an_error),
		cmocka_unit_test(test_what_undoes_what),
		cmocka_unit_test(test_verdicts_have_a_word),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
