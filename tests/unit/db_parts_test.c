#include "base/buf.h"
#include "rm-agent/db/catalog.h"
#include "rm-agent/db/charset.h"
#include "rm-agent/db/kept.h"
#include "rm-agent/db/my.h"
#include "rm-agent/db/number.h"
#include "rm-agent/db/pg.h"
#include "tests/fakes/flaky.h"

#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

/* ---- numbers ---- */

static void prints(double d, const char *text)
{
	struct buf b;

	buf_init(&b, &mem_heap);
	put_double(&b, d);
	assert_string_equal(buf_text(&b), text);
	buf_fini(&b);
}

static void test_doubles_are_short_and_exact(void **state)
{
	struct buf b;
	uint64_t seed = 1;

	(void)state;
	prints(0.1, "0.1");
	prints(-0.0, "-0");
	prints(1e23, "1e+23");
	prints(0.1 + 0.2, "0.30000000000000004");
	prints(NAN, "NaN");
	prints(-HUGE_VAL, "-Infinity");
	buf_init(&b, &mem_heap);
	for (int i = 0; i < 20000; i++) {
		uint64_t bits = (seed = seed * 6364136223846793005u + 1);
		double d;
		float f;

		memcpy(&d, &bits, sizeof(d));
		memcpy(&f, &bits, sizeof(f));
		if (!isnan(d)) {
			buf_clear(&b);
			put_double(&b, d);
			assert_true(double_of(buf_text(&b)) == d);
		}
		if (!isnan(f)) {
			buf_clear(&b);
			put_float(&b, f);
			assert_true((float)double_of(buf_text(&b)) == f);
		}
	}
	buf_fini(&b);
}

/* ---- character sets ---- */

static void test_text_changes_its_character_set_and_back(void **state)
{
	struct charset c = { 0 };
	struct bytes out, back;
	struct arena a;

	(void)state;
	arena_init(&a, &mem_heap, 0);
	assert_int_equal(charset_set(&c, "LATIN1"), OK);
	assert_int_equal(charset_to_utf8(&c, &a, BYTES("k\xe4se"), &out), OK);
	assert_true(bytes_equal(out, BYTES("k\xc3\xa4se")));
	assert_int_equal(charset_from_utf8(&c, &a, out, &back), OK);
	assert_true(bytes_equal(back, BYTES("k\xe4se")));
	assert_int_equal(charset_from_utf8(&c, &a, BYTES("\xe2\x82\xac"), &out),
			 E_INVALID);
	assert_int_equal(charset_set(&c, "utf8mb4"), OK);
	assert_int_equal(charset_to_utf8(&c, &a, BYTES("\xc3\xa4"), &out), OK);
	assert_true(bytes_equal(out, BYTES("\xc3\xa4")));
	assert_int_equal(charset_set(&c, "SJIS"), E_UNSUPPORTED);
	assert_string_equal(c.name, "utf8mb4");
	charset_fini(&c);
	arena_fini(&a);
}

/* ---- kept statements ---- */

static void test_the_oldest_kept_statement_goes_first(void **state)
{
	struct kept_stmt *a, *b, *c;
	struct kept k;

	(void)state;
	assert_int_equal(kept_init(&k, &mem_heap, 2), OK);
	assert_null(kept_victim(&k));
	assert_int_equal(kept_add(&k, BYTES("a"), NULL, &a), OK);
	assert_int_equal(kept_add(&k, BYTES("b"), NULL, &b), OK);
	assert_ptr_equal(kept_victim(&k), a);
	assert_ptr_equal(kept_find(&k, BYTES("a")), a);
	assert_ptr_equal(kept_victim(&k), b);
	kept_remove(&k, b);
	assert_null(kept_find(&k, BYTES("b")));
	assert_int_equal(kept_add(&k, BYTES("c"), NULL, &c), OK);
	assert_true(c->id > a->id);
	kept_remove(&k, a);
	kept_remove(&k, c);
	assert_null(kept_any(&k));
	kept_fini(&k);
}

/* ---- DSNs ---- */

static void test_a_mysql_dsn_comes_apart(void **state)
{
	static const char *const bad[] = {
		"mysql:x",        "mysql://h:0/d",       "mysql://h:65536/d",
		"mysql://h:1x/d", "mysql://u:%4@h/d",    "mysql://u:%00@h/d",
		"mysql://[::1/d", "mysql://h/d?other=1",
	};
	struct my_dsn d;
	struct arena a;

	(void)state;
	arena_init(&a, &mem_heap, 0);
	assert_int_equal(
		my_dsn_parse(&a, "mysql://u%40:p:%2F@h:33/d?socket=/s", &d),
		OK);
	assert_string_equal(d.user, "u@");
	assert_string_equal(d.password, "p:/");
	assert_string_equal(d.host, "h");
	assert_int_equal(d.port, 33);
	assert_string_equal(d.database, "d");
	assert_string_equal(d.socket, "/s");
	assert_int_equal(my_dsn_parse(&a, "mariadb://[::1]:7", &d), OK);
	assert_string_equal(d.host, "::1");
	assert_int_equal(d.port, 7);
	assert_null(d.user);
	assert_null(d.database);
	assert_int_equal(my_dsn_parse(&a, "mysql:///d", &d), OK);
	assert_null(d.host);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(my_dsn_parse(&a, bad[i], &d), E_INVALID);
	arena_fini(&a);
}

/* ---- damaged binary values ---- */

static void test_a_value_cut_short_is_an_error(void **state)
{
	static const uint32_t oids[] = { 16,   20,   21,   23,   26,   600,
					 601,  602,  603,  604,  628,  650,
					 700,  701,  718,  790,  869,  1082,
					 1083, 1114, 1184, 1186, 1266, 1560,
					 1562, 1700, 2950 };
	struct buf b;

	(void)state;
	buf_init(&b, &mem_heap);
	for (size_t i = 0; i < ARRAY_LEN(oids); i++)
		assert_int_equal(
			pg_put_scalar(&b, oids[i], (struct bytes){ NULL, 0 }),
			E_CORRUPT);
	/* More bytes than the type has. */
	assert_int_equal(pg_put_scalar(&b, 23, BYTES("12345")), E_CORRUPT);
	/* A count far beyond the data. */
	assert_int_equal(pg_put_scalar(&b, 604, BYTES("\xff\xff\xff\xff")),
			 E_CORRUPT);
	assert_int_equal(pg_put_scalar(&b, 1560, BYTES("\xff\xff\xff\xff")),
			 E_CORRUPT);
	assert_int_equal(pg_put_scalar(&b, 1700, BYTES("\xff\xff\0\0\0\0\0\0")),
			 E_CORRUPT);
	buf_fini(&b);
}

/* ---- no memory ---- */

static int little_of_everything(const struct mem *mem)
{
	struct value one = { VALUE_TEXT, BYTES("x") };
	struct db_stmt stmts[] = {
		{ .sql = BYTES("CREATE TABLE t (id INTEGER PRIMARY KEY, v)") },
		{ .sql = BYTES("INSERT INTO t (v) VALUES (?)"),
		  .params = &one,
		  .n_params = 1,
		  .keep = true },
		{ .sql = BYTES("SELECT * FROM t"), .keep = true },
	};
	struct catalog_table t;
	struct db_result r[3];
	struct arena a;
	size_t done;
	struct db *db;
	int rc = db_open(&db, mem, "sqlite::memory:", NULL);

	if (rc != OK)
		return rc;
	arena_init(&a, mem, 64);
	rc = db_exec_all(db, stmts, 3, &a, r, &done);
	if (rc == OK) {
		assert_int_equal(done, 3);
		assert_int_equal(r[2].n_rows, 1);
		assert_true(value_equal(db_value(&r[2], 0, 1), one));
		rc = catalog_load(db, BYTES(""), BYTES("t"), &a, &t);
	}
	arena_fini(&a);
	db_free(db);
	return rc;
}

static void test_out_of_memory_leaves_no_trace(void **state)
{
	struct flaky f;
	int rc = E_NOMEM;

	(void)state;
	for (long n = 0; rc != OK; n++) {
		assert_true(n < 2000);
		flaky_init(&f, n);
		rc = little_of_everything(&f.mem);
		assert_true(rc == OK || rc == E_NOMEM);
		assert_int_equal(f.live, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_doubles_are_short_and_exact),
		cmocka_unit_test(test_text_changes_its_character_set_and_back),
		cmocka_unit_test(test_the_oldest_kept_statement_goes_first),
		cmocka_unit_test(test_a_mysql_dsn_comes_apart),
		cmocka_unit_test(test_a_value_cut_short_is_an_error),
		cmocka_unit_test(test_out_of_memory_leaves_no_trace),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
