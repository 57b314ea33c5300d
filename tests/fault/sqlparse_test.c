#include "sqlparse/sql.h"
#include "tests/fakes/flaky.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* One text of each shape; long ones, so that every list has to grow. */
static const struct {
	enum sql_dialect dialect;
	const char *text;
} texts[] = {
	{ SQL_POSTGRES,
	  "WITH x AS (SELECT 1), y AS (SELECT 2), z AS (SELECT 3), "
	  "w AS (SELECT 4), v AS (SELECT 5) "
	  "UPDATE ONLY \"T\" AS a SET (b, c) = (SELECT 1, 2 FROM u), d = E'x' "
	  "|| $1, e = 1, f = 2, g = 3 FROM h, i, j, k, l WHERE a = $2 AND "
	  "b = $3 AND c = 'x' AND d = -4 AND e = 5 AND f = $2 RETURNING *" },
	{ SQL_POSTGRES,
	  "INSERT INTO t (a, b, c, d, e) VALUES (1, 2, 3, 4, 'x'), "
	  "(1, 2, 3, 4, 5), (1, 2, 3, 4, 5), (1, 2, 3, 4, 5), (1, 2, 3, 4, 5) "
	  "ON CONFLICT (a, b, c, d, e) DO UPDATE SET a = 1, b = 2, c = 3, "
	  "d = 4, e = 5 WHERE t.a = $1" },
	{ SQL_MYSQL,
	  "DELETE x FROM t AS x JOIN u ON x.a = u.a JOIN v USING (b) "
	  "WHERE x.c = ? AND u.d = X'41' AND v.e = 'a\\'b'" },
	{ SQL_MYSQL,
	  "SELECT a FROM t WHERE b = 1 FOR UPDATE OF t, u, v, w, x NOWAIT; "
	  "UPDATE t SET nonsense; SELECT 'no end" },
	{ SQL_SQLITE,
	  "INSERT INTO t VALUES (:a, :b, :c, :d, :e, :a) ON CONFLICT (a) DO "
	  "NOTHING ON CONFLICT (b) DO UPDATE SET c = 1; SAVEPOINT x; "
	  "ROLLBACK TO x; PRAGMA a; COMMIT; ; SELECT 1" },
};

static int copy_all(const struct mem *mem, const struct sql_script *s)
{
	struct sql_binds binds;
	struct buf out;
	int rc = OK;

	sql_binds_init(&binds, mem, 1);
	buf_init(&out, mem);
	for (size_t i = 0; rc == OK && i < s->n_statements; i++) {
		if (s->statements[i].kind != SQL_UNKNOWN)
			rc = sql_copy(s, &s->statements[i],
				      s->statements[i].span, &binds, &out);
	}
	buf_fini(&out);
	sql_binds_fini(&binds);
	return rc;
}

static int parse_and_copy(const struct mem *mem, size_t i)
{
	struct sql_script *s = NULL;
	int rc = sql_parse(mem, texts[i].dialect, NULL, bytes_of(texts[i].text),
			   &s);

	if (rc != OK) {
		assert_null(s);
		return rc;
	}
	rc = copy_all(mem, s);
	sql_script_free(s);
	return rc;
}

static void test_out_of_memory_leaves_no_trace(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct flaky f;
		int rc = E_NOMEM;

		for (long n = 0; rc != OK; n++) {
			assert_true(n < 1000);
			flaky_init(&f, n);
			rc = parse_and_copy(&f.mem, i);
			assert_true(rc == OK || rc == E_NOMEM);
			assert_int_equal(f.live, 0);
		}
	}
}

static void test_a_copy_beyond_its_limit_says_so(void **state)
{
	struct sql_script *s = NULL;
	struct sql_binds binds;
	struct buf out;

	(void)state;
	assert_int_equal(sql_parse(&mem_heap, SQL_MYSQL, NULL,
				   BYTES("DELETE FROM t WHERE a = ? AND b = ?"),
				   &s),
			 OK);
	sql_binds_init(&binds, &mem_heap, 1);
	buf_init(&out, &mem_heap);
	out.limit = 5;
	assert_int_equal(sql_copy(s, &s->statements[0],
				  s->statements[0].where.span, &binds, &out),
			 E_LIMIT);
	buf_fini(&out);
	sql_binds_fini(&binds);
	sql_script_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_out_of_memory_leaves_no_trace),
		cmocka_unit_test(test_a_copy_beyond_its_limit_says_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
