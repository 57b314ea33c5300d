#include "sqlparse/sql.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static struct sql_script *parse_with(enum sql_dialect dialect,
				     const struct sql_options *options,
				     struct bytes text)
{
	struct sql_script *s = NULL;

	assert_int_equal(sql_parse(&mem_heap, dialect, options, text, &s), OK);
	assert_true(s->n_statements >= 1);
	return s;
}

static struct sql_script *parse(enum sql_dialect dialect, const char *text)
{
	return parse_with(dialect, NULL, bytes_of(text));
}

static void assert_text(const struct sql_script *s, struct sql_span span,
			const char *expected)
{
	assert_true(bytes_equal(sql_text(s, span), bytes_of(expected)));
}

static void assert_kinds(enum sql_dialect dialect, const char *text,
			 const enum sql_kind *kinds, size_t n)
{
	struct sql_script *s = parse(dialect, text);

	assert_int_equal(s->n_statements, n);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(s->statements[i].kind, kinds[i]);
	sql_script_free(s);
}

static void test_a_text_is_cut_into_its_statements(void **state)
{
	struct sql_script *s =
		parse(SQL_POSTGRES, "; BEGIN ;UPDATE t SET a = ';' -- ;\n;; "
				    "SELECT $$;$$; /* ; */ COMMIT");

	(void)state;
	assert_int_equal(s->n_statements, 4);
	assert_text(s, s->statements[0].span, "BEGIN");
	assert_text(s, s->statements[1].span, "UPDATE t SET a = ';'");
	assert_text(s, s->statements[2].span, "SELECT $$;$$");
	assert_text(s, s->statements[3].span, "COMMIT");
	sql_script_free(s);
}

static void test_parameters_are_counted_in_each_statement(void **state)
{
	struct sql_script *s = parse(SQL_SQLITE, "DELETE FROM t WHERE a = ?; "
						 "DELETE FROM t WHERE a = ? "
						 "AND b = :b AND c = ?");

	(void)state;
	assert_int_equal(s->statements[0].n_params, 1);
	assert_int_equal(s->statements[1].n_params, 3);
	assert_int_equal(s->statements[1].params[0].number, 1);
	assert_int_equal(s->statements[1].params[1].number, 2);
	assert_true(bytes_equal(s->statements[1].params[1].name, BYTES(":b")));
	assert_int_equal(s->statements[1].params[2].number, 3);
	sql_script_free(s);
}

static void test_a_broken_statement_does_not_hide_the_others(void **state)
{
	const enum sql_kind kinds[] = { SQL_READ, SQL_UNKNOWN, SQL_DELETE };

	(void)state;
	assert_kinds(SQL_MYSQL, "SELECT 1; UPDATE SET; DELETE FROM t", kinds,
		     3);
}

static void test_what_has_no_end_takes_the_rest(void **state)
{
	const enum sql_kind kinds[] = { SQL_READ, SQL_UNKNOWN };

	(void)state;
	assert_kinds(SQL_MYSQL, "SELECT 1; UPDATE t SET a = 'x; DELETE FROM t",
		     kinds, 2);
	assert_kinds(SQL_POSTGRES, "SELECT 1; SELECT (2; DELETE FROM t", kinds,
		     2);
}

static void test_a_trigger_of_sqlite_ends_where_it_ends(void **state)
{
	const enum sql_kind kinds[] = { SQL_DDL, SQL_DELETE };

	(void)state;
	assert_kinds(SQL_SQLITE,
		     "CREATE TEMP TRIGGER x AFTER UPDATE ON t BEGIN "
		     "UPDATE u SET a = CASE WHEN 1 THEN 2 END; "
		     "DELETE FROM v; END; DELETE FROM t",
		     kinds, 2);
}

static void test_bodies_take_the_rest_of_the_text(void **state)
{
	const enum sql_kind ddl[] = { SQL_DDL };
	const enum sql_kind two[] = { SQL_DDL, SQL_READ };

	(void)state;
	assert_kinds(SQL_MYSQL,
		     "CREATE DEFINER = 'a'@'b' PROCEDURE p() BEGIN "
		     "DELETE FROM t; END; SELECT 1",
		     ddl, 1);
	assert_kinds(SQL_POSTGRES,
		     "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC "
		     "DELETE FROM t; SELECT 1; END; SELECT 1",
		     ddl, 1);
	assert_kinds(SQL_POSTGRES,
		     "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS "
		     "'SELECT 1; SELECT 2'; SELECT 1",
		     two, 2);
}

static void assert_refused(enum sql_dialect dialect,
			   const struct sql_options *options, struct bytes text,
			   const char *why)
{
	struct sql_script *s = parse_with(dialect, options, text);
	const struct sql_statement *st = &s->statements[s->n_statements - 1];

	assert_int_equal(st->kind, SQL_UNKNOWN);
	assert_int_equal(st->verdict, SQL_REFUSE);
	assert_non_null(st->reason);
	if (!strstr(st->reason, why))
		fail_msg("%s: not because of %s", st->reason, why);
	sql_script_free(s);
}

static void test_a_nul_byte_is_refused(void **state)
{
	(void)state;
	for (int d = 0; d < SQL_DIALECTS; d++)
		assert_refused((enum sql_dialect)d, NULL,
			       BYTES("UPDATE t SET a = 1\0 WHERE b = 2"),
			       "a NUL byte");
}

static void test_a_byte_order_mark_is_refused(void **state)
{
	(void)state;
	for (int d = 0; d < SQL_DIALECTS; d++)
		assert_refused((enum sql_dialect)d, NULL,
			       BYTES("\xef\xbb\xbfUPDATE t SET a = 1"),
			       "line 1, column 1");
}

static void test_limits_are_said(void **state)
{
	struct sql_options text = { .text_max = 10 };
	struct sql_options tokens = { .tokens_max = 4 };
	struct sql_options statements = { .statements_max = 2 };

	(void)state;
	assert_refused(SQL_MYSQL, &text, BYTES("SELECT 1234"), "longer");
	assert_refused(SQL_MYSQL, &tokens, BYTES("SELECT 1, 2, 3"),
		       "more tokens");
	assert_refused(SQL_MYSQL, &statements,
		       BYTES("SELECT 1; SELECT 2; SELECT 3"),
		       "more statements");
}

/* `text`, `n` times. */
static char *repeated(const char *before, const char *text, size_t n)
{
	size_t head = strlen(before), len = strlen(text);
	char *all = calloc(1, head + n * len + 1);

	assert_non_null(all);
	memcpy(all, before, head);
	for (size_t i = 0; i < n; i++)
		memcpy(all + head + i * len, text, len);
	return all;
}

static void test_deep_nesting_meets_the_limit_and_not_the_stack(void **state)
{
	static const char *const opening[] = {
		"(",
		"(SELECT ",
		"CASE ",
		"f(",
		"(SELECT 1 FROM (",
		"NOT (",
		"(WITH x AS (",
		"EXISTS (SELECT ",
		"- (",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(opening); i++) {
		char *text = repeated("SELECT ", opening[i], 60000);

		for (int d = 0; d < SQL_DIALECTS; d++)
			assert_refused((enum sql_dialect)d, NULL,
				       bytes_of(text), "line 1, column ");
		free(text);
	}
}

static void test_deep_brackets_before_a_statement_meet_the_limit(void **state)
{
	static const char *const before[] = {
		"",
		"INSERT INTO t ",
		"SELECT * FROM ",
		"EXPLAIN ANALYZE ",
		"DELETE FROM t WHERE ",
		"UPDATE t SET a = ",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(before); i++) {
		char *text = repeated(before[i], "(", 60000);

		assert_refused(SQL_POSTGRES, NULL, bytes_of(text), "line 1");
		free(text);
		text = repeated(before[i], "EXPLAIN ANALYZE ", 60000);
		assert_refused(SQL_POSTGRES, NULL, bytes_of(text), "line 1");
		free(text);
	}
}

static void test_brackets_up_to_the_limit_are_read(void **state)
{
	struct sql_options o = { .depth_max = 3 };
	struct sql_script *s = parse_with(
		SQL_SQLITE, &o, BYTES("DELETE FROM t WHERE ((a = 1))"));

	(void)state;
	assert_int_equal(s->statements[0].kind, SQL_DELETE);
	sql_script_free(s);
	assert_refused(SQL_SQLITE, &o, BYTES("DELETE FROM t WHERE ((((a))))"),
		       "fewer nested");
}

static void test_errors_say_line_and_column_in_characters(void **state)
{
	struct sql_script *s =
		parse(SQL_POSTGRES, "UPDATE t\nSET größe = 1 nonsense");

	(void)state;
	assert_string_equal(s->statements[0].reason,
			    "line 2, column 15: expected the end of the "
			    "statement, found \"nonsense\"");
	assert_int_equal(sql_place(s, s->statements[0].reason_at).line, 2);
	assert_int_equal(sql_place(s, s->statements[0].reason_at).column, 15);
	sql_script_free(s);
}

static void test_an_error_never_shows_a_literal(void **state)
{
	struct sql_script *s =
		parse(SQL_POSTGRES, "UPDATE t SET a = 1 'secret'");

	(void)state;
	assert_null(strstr(s->statements[0].reason, "secret"));
	sql_script_free(s);
}

static void test_a_line_break_joins_strings_of_postgres(void **state)
{
	struct sql_script *s =
		parse(SQL_POSTGRES, "INSERT INTO t VALUES (E'a\\n' -- c\n"
				    " 'b\\'c')");

	(void)state;
	assert_int_equal(s->statements[0].verdict, SQL_PROTECT);
	assert_int_equal(s->statements[0].rows[0].n_values, 1);
	assert_true(bytes_equal(s->statements[0].rows[0].values[0].text,
				BYTES("a\nb'c")));
	sql_script_free(s);
}

static void test_mysql_wants_white_space_behind_two_dashes(void **state)
{
	struct sql_script *s =
		parse(SQL_MYSQL, "UPDATE t SET a = 1 --\n, b = 2 --\tx\n, "
				 "c = 3--1");

	(void)state;
	assert_int_equal(s->statements[0].verdict, SQL_PROTECT);
	assert_int_equal(s->statements[0].n_assigns, 3);
	assert_text(s, s->statements[0].assigns[2].value.span, "3--1");
	sql_script_free(s);
}

static void test_names_compare_by_the_dialects_rule(void **state)
{
	(void)state;
	assert_true(sql_same_name(SQL_POSTGRES, BYTES("a"), BYTES("a")));
	assert_false(sql_same_name(SQL_POSTGRES, BYTES("a"), BYTES("A")));
	assert_true(sql_same_name(SQL_MYSQL, BYTES("aB"), BYTES("Ab")));
	assert_true(sql_same_name(SQL_SQLITE, BYTES("aB"), BYTES("Ab")));
	assert_false(sql_same_name(SQL_SQLITE, BYTES("aB"), BYTES("Abc")));
}

static void test_every_kind_and_verdict_has_a_name(void **state)
{
	(void)state;
	for (int k = 0; k < SQL_KINDS; k++)
		assert_true(strlen(sql_kind_name((enum sql_kind)k)) > 1);
	for (int v = 0; v < SQL_VERDICTS; v++)
		assert_true(strlen(sql_verdict_name((enum sql_verdict)v)) > 1);
}

static void test_ten_thousand_rows_are_read(void **state)
{
	char *text = repeated("INSERT INTO t (a, b) VALUES (1, 'x')",
			      ", (2, 'y')", 9999);
	struct sql_script *s = parse(SQL_MYSQL, text);

	(void)state;
	assert_int_equal(s->statements[0].verdict, SQL_PROTECT);
	assert_int_equal(s->statements[0].n_rows, 10000);
	assert_int_equal(s->statements[0].rows[9999].n_values, 2);
	sql_script_free(s);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_text_is_cut_into_its_statements),
		cmocka_unit_test(test_parameters_are_counted_in_each_statement),
		cmocka_unit_test(
			test_a_broken_statement_does_not_hide_the_others),
		cmocka_unit_test(test_what_has_no_end_takes_the_rest),
		cmocka_unit_test(test_a_trigger_of_sqlite_ends_where_it_ends),
		cmocka_unit_test(test_bodies_take_the_rest_of_the_text),
		cmocka_unit_test(test_a_nul_byte_is_refused),
		cmocka_unit_test(test_a_byte_order_mark_is_refused),
		cmocka_unit_test(test_limits_are_said),
		cmocka_unit_test(
			test_deep_nesting_meets_the_limit_and_not_the_stack),
		cmocka_unit_test(
			test_deep_brackets_before_a_statement_meet_the_limit),
		cmocka_unit_test(test_brackets_up_to_the_limit_are_read),
		cmocka_unit_test(test_errors_say_line_and_column_in_characters),
		cmocka_unit_test(test_an_error_never_shows_a_literal),
		cmocka_unit_test(test_a_line_break_joins_strings_of_postgres),
		cmocka_unit_test(
			test_mysql_wants_white_space_behind_two_dashes),
		cmocka_unit_test(test_names_compare_by_the_dialects_rule),
		cmocka_unit_test(test_every_kind_and_verdict_has_a_name),
		cmocka_unit_test(test_ten_thousand_rows_are_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
