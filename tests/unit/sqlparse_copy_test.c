#include "sqlparse/sql.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* A parsed text and what was copied out of it. */
struct fixture {
	struct sql_script *script;
	struct sql_statement *st;
	struct sql_binds binds;
	struct buf out;
};

static void open_fixture(struct fixture *f, enum sql_dialect dialect,
			 const char *text, size_t first)
{
	int rc =
		sql_parse(&mem_heap, dialect, NULL, bytes_of(text), &f->script);

	assert_int_equal(rc, OK);
	f->st = &f->script->statements[0];
	assert_int_equal(f->st->verdict, SQL_PROTECT);
	sql_binds_init(&f->binds, &mem_heap, first);
	buf_init(&f->out, &mem_heap);
}

static void close_fixture(struct fixture *f)
{
	buf_fini(&f->out);
	sql_binds_fini(&f->binds);
	sql_script_free(f->script);
}

static void copy(struct fixture *f, struct sql_span span)
{
	assert_int_equal(sql_copy(f->script, f->st, span, &f->binds, &f->out),
			 OK);
}

static void test_postgres_parameters_are_numbered_anew_and_shared(void **state)
{
	struct fixture f;

	(void)state;
	open_fixture(&f, SQL_POSTGRES,
		     "UPDATE t SET a = $1 WHERE b = $3 AND c > $2 OR d = $3",
		     1);
	copy(&f, f.st->where.span);
	assert_string_equal(buf_text(&f.out), "b = $1 AND c > $2 OR d = $1");
	assert_int_equal(f.binds.n, 2);
	assert_int_equal(f.binds.numbers[0], 3);
	assert_int_equal(f.binds.numbers[1], 2);
	close_fixture(&f);
}

static void test_spans_share_one_numbering(void **state)
{
	struct fixture f;

	(void)state;
	open_fixture(&f, SQL_POSTGRES,
		     "DELETE FROM t USING u WHERE u.x = $2 AND t.y = $1 "
		     "RETURNING $2, $7",
		     4);
	copy(&f, f.st->where.span);
	copy(&f, f.st->returning);
	assert_string_equal(buf_text(&f.out), "u.x = $4 AND t.y = $5$4, $6");
	assert_int_equal(f.binds.n, 3);
	assert_int_equal(f.binds.numbers[2], 7);
	close_fixture(&f);
}

static void test_mysql_question_marks_are_listed_one_by_one(void **state)
{
	struct fixture f;

	(void)state;
	open_fixture(&f, SQL_MYSQL,
		     "UPDATE t SET a = ? WHERE b = ? AND c = '?' LIMIT ?", 1);
	copy(&f, f.st->where.span);
	buf_put_char(&f.out, ' ');
	copy(&f, f.st->tail);
	assert_string_equal(buf_text(&f.out), "b = ? AND c = '?' LIMIT ?");
	assert_int_equal(f.binds.n, 2);
	assert_int_equal(f.binds.numbers[0], 2);
	assert_int_equal(f.binds.numbers[1], 3);
	close_fixture(&f);
}

static void test_sqlite_names_become_numbers(void **state)
{
	struct fixture f;

	(void)state;
	open_fixture(&f, SQL_SQLITE,
		     "UPDATE t SET a = :a WHERE b = ?5 AND c = :a AND d = ? "
		     "AND e = @x AND f = $y",
		     1);
	copy(&f, f.st->where.span);
	assert_string_equal(buf_text(&f.out), "b = ?1 AND c = ?2 AND d = ?3 "
					      "AND e = ?4 AND f = ?5");
	assert_int_equal(f.binds.n, 5);
	assert_int_equal(f.binds.numbers[0], 5);
	assert_int_equal(f.binds.numbers[1], 1);
	assert_int_equal(f.binds.numbers[2], 6);
	assert_int_equal(f.binds.numbers[3], 7);
	assert_int_equal(f.binds.numbers[4], 8);
	close_fixture(&f);
}

static void test_comments_fall_away_and_executed_ones_stay(void **state)
{
	struct fixture f;

	(void)state;
	open_fixture(&f, SQL_MYSQL,
		     "UPDATE t SET a = 1 WHERE b/*x*/= 2 -- y\n"
		     "AND /*!50100 c = 3 AND */ d = 4 # z",
		     1);
	copy(&f, f.st->where.span);
	assert_string_equal(buf_text(&f.out), "b = 2 AND c = 3 AND d = 4");
	close_fixture(&f);
}

static void test_a_string_in_pieces_is_copied_whole(void **state)
{
	struct fixture f;

	(void)state;
	open_fixture(&f, SQL_POSTGRES,
		     "DELETE FROM t WHERE a = 'x' -- y\n 'z' AND b = 1", 1);
	copy(&f, f.st->where.span);
	assert_string_equal(buf_text(&f.out), "a = 'x' -- y\n 'z' AND b = 1");
	assert_int_equal(f.st->n_equals, 2);
	assert_true(bytes_equal(f.st->equals[0].value.text, BYTES("xz")));
	close_fixture(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			test_postgres_parameters_are_numbered_anew_and_shared),
		cmocka_unit_test(test_spans_share_one_numbering),
		cmocka_unit_test(
			test_mysql_question_marks_are_listed_one_by_one),
		cmocka_unit_test(test_sqlite_names_become_numbers),
		cmocka_unit_test(
			test_comments_fall_away_and_executed_ones_stay),
		cmocka_unit_test(test_a_string_in_pieces_is_copied_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
