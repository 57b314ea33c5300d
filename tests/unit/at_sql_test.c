#include "rm-agent/at/insert_sql.h"
#include "tests/fakes/flaky.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* The SQL of images, by its text: no database in sight. */

static struct column columns[] = {
	{ .name = { (const uint8_t *)"id", 2 },
	  .type = { (const uint8_t *)"integer", 7 },
	  .class = VALUE_INT },
	{ .name = { (const uint8_t *)"code", 4 },
	  .type = { (const uint8_t *)"text", 4 },
	  .class = VALUE_TEXT,
	  .folds = true },
	{ .name = { (const uint8_t *)"n", 1 },
	  .type = { (const uint8_t *)"integer", 7 },
	  .class = VALUE_INT,
	  .nullable = true },
};
static const size_t key_id[] = { 0 }, key_both[] = { 0, 1 }, key_code[] = { 1 };
static const struct catalog_column spellings[] = {
	{ { (const uint8_t *)"%C", 2 }, { (const uint8_t *)"%P", 2 }, { 0 } },
	{ { (const uint8_t *)"%C", 2 },
	  { (const uint8_t *)"%P", 2 },
	  { (const uint8_t *)"lower(%C)", 9 } },
	{ { (const uint8_t *)"%C", 2 }, { (const uint8_t *)"%P", 2 }, { 0 } },
};
static const struct unique uniques[] = { { key_id, 1 }, { key_code, 1 } };
static const struct bytes defaults[3];

struct fixture {
	struct table table;
	struct target target;
	struct sql_script *script;
	struct image_source source;
	struct arena arena;
	struct sql_binds binds;
	struct buf out;
};

static void open_fixture(struct fixture *f, enum dialect dialect,
			 const size_t *key, size_t n_key, const char *sql)
{
	static const enum sql_dialect parser[] = {
		[DIALECT_POSTGRES] = SQL_POSTGRES,
		[DIALECT_MYSQL] = SQL_MYSQL,
		[DIALECT_SQLITE] = SQL_SQLITE,
	};

	memset(f, 0, sizeof *f);
	f->table = (struct table){ .dialect = dialect,
				   .schema = BYTES("s"),
				   .name = BYTES("t"),
				   .columns = columns,
				   .n_columns = 3,
				   .key = key,
				   .n_key = n_key };
	f->target = (struct target){ .table = &f->table,
				     .cat = { .table = &f->table,
					      .columns = spellings },
				     .loaded_unique = true,
				     .uniques = uniques,
				     .n_uniques = 2,
				     .defaults = defaults };
	arena_init(&f->arena, &mem_heap, 0);
	buf_init(&f->out, &mem_heap);
	sql_binds_init(&f->binds, &mem_heap, 1);
	assert_int_equal(sql_parse(&mem_heap, parser[dialect], NULL,
				   bytes_of(sql), &f->script),
			 OK);
	f->source = (struct image_source){ f->script, &f->script->statements[0],
					   &f->target };
}

static void close_fixture(struct fixture *f)
{
	sql_script_free(f->script);
	sql_binds_fini(&f->binds);
	buf_fini(&f->out);
	arena_fini(&f->arena);
}

static void want_before(enum dialect dialect, const char *sql,
			const char *wanted)
{
	struct fixture f;

	open_fixture(&f, dialect, key_both, 2, sql);
	assert_int_equal(image_sql_before(&f.out, &f.binds, &f.source), OK);
	assert_string_equal(buf_text(&f.out), wanted);
	close_fixture(&f);
}

static void test_a_before_image_has_the_statements_own_condition(void **state)
{
	(void)state;
	want_before(DIALECT_POSTGRES,
		    "UPDATE t SET n = $1 WHERE code = $2 AND n > $3",
		    "SELECT t.\"id\", t.\"code\", t.\"n\", lower(t.\"code\") "
		    "FROM t WHERE code = $1 AND n > $2 "
		    "FOR NO KEY UPDATE OF t");
	want_before(DIALECT_POSTGRES,
		    "DELETE FROM s.t a USING o WHERE o.id = a.id",
		    "SELECT a.\"id\", a.\"code\", a.\"n\", lower(a.\"code\") "
		    "FROM s.t a, o WHERE o.id = a.id FOR UPDATE OF a");
	want_before(DIALECT_MYSQL,
		    "UPDATE t SET n = ? WHERE n < ? ORDER BY n LIMIT 3",
		    "SELECT t.`id`, t.`code`, t.`n`, lower(t.`code`) FROM t "
		    "WHERE n < ? ORDER BY n LIMIT 3 FOR UPDATE");
	want_before(DIALECT_SQLITE, "DELETE FROM t",
		    "SELECT t.\"id\", t.\"code\", t.\"n\", lower(t.\"code\") "
		    "FROM t");
}

static void test_parameters_go_along_in_the_order_wanted(void **state)
{
	struct value params[] = { { VALUE_INT, BYTES("1") },
				  { VALUE_INT, BYTES("2") },
				  { VALUE_INT, BYTES("3") } };
	struct value *v;
	struct fixture f;

	(void)state;
	open_fixture(&f, DIALECT_POSTGRES, key_id, 1,
		     "UPDATE t SET n = $1 WHERE id = $3 OR n = $2");
	assert_int_equal(image_sql_before(&f.out, &f.binds, &f.source), OK);
	assert_int_equal(f.binds.n, 2);
	assert_int_equal(at_binds_values(&f.binds, params, 3, &f.arena, &v),
			 OK);
	assert_true(value_equal(v[0], params[2]));
	assert_true(value_equal(v[1], params[1]));
	assert_int_equal(at_binds_values(&f.binds, params, 2, &f.arena, &v),
			 E_INVALID);
	close_fixture(&f);
}

static void test_rows_are_read_again_by_key(void **state)
{
	struct fixture f;

	(void)state;
	open_fixture(&f, DIALECT_POSTGRES, key_both, 2, "SELECT 1");
	image_sql_by_key(&f.out, &f.target, 2);
	assert_string_equal(
		buf_text(&f.out),
		"SELECT \"id\", \"code\", \"n\", lower(\"code\") FROM "
		"\"s\".\"t\" WHERE (\"id\" = $1 AND \"code\" = $2) OR "
		"(\"id\" = $3 AND \"code\" = $4)");
	close_fixture(&f);
}

static void test_a_literal_has_no_second_meaning(void **state)
{
	struct value nasty = { VALUE_TEXT, BYTES("'\\';--") };
	struct value bytes = { VALUE_BYTES, BYTES("\x00\xff") };
	struct buf out;

	(void)state;
	buf_init(&out, &mem_heap);
	image_sql_literal(&out, DIALECT_POSTGRES, nasty);
	assert_string_equal(buf_text(&out), "E'\\'\\\\\\';--'");
	buf_clear(&out);
	image_sql_literal(&out, DIALECT_MYSQL, nasty);
	assert_string_equal(buf_text(&out), "_utf8mb4 X'275c273b2d2d'");
	buf_clear(&out);
	image_sql_literal(&out, DIALECT_SQLITE, nasty);
	assert_string_equal(buf_text(&out), "CAST(X'275c273b2d2d' AS TEXT)");
	buf_clear(&out);
	image_sql_literal(&out, DIALECT_POSTGRES, bytes);
	assert_string_equal(buf_text(&out), "decode('00ff', 'hex')");
	buf_fini(&out);
}

static void test_no_rows_pin_to_nothing(void **state)
{
	struct fixture f;
	struct image img;

	(void)state;
	open_fixture(&f, DIALECT_SQLITE, key_id, 1, "SELECT 1");
	image_init(&img, &f.arena, &f.table);
	image_sql_pin(&f.out, &img, &f.target, BYTES("t"));
	assert_string_equal(buf_text(&f.out), "1 = 0");
	close_fixture(&f);
}

static int conflicts(struct fixture *f, struct insert *in, bool *loose,
		     const char **why)
{
	struct bytes what;

	assert_int_equal(insert_init(in, &f->source, NULL, 0, &f->arena, &what),
			 OK);
	return insert_put_conflicts(in, &f->binds, &f->out, loose, why);
}

static void test_rows_in_the_way_are_found_by_every_unique_key(void **state)
{
	const char *why = "";
	struct insert in;
	struct fixture f;
	bool loose;

	(void)state;
	open_fixture(&f, DIALECT_SQLITE, key_id, 1,
		     "REPLACE INTO t VALUES (1, 'a', 2), (3, 'b', 4)");
	assert_int_equal(conflicts(&f, &in, &loose, &why), OK);
	assert_false(loose);
	assert_string_equal(buf_text(&f.out),
			    "(\"t\".\"id\" = (1)) OR (\"t\".\"code\" = ('a')) "
			    "OR (\"t\".\"id\" = (3)) OR (\"t\".\"code\" = "
			    "('b'))");
	assert_true(insert_knows_keys(&in));
	close_fixture(&f);
}

static void test_what_cannot_be_known_is_not_guessed(void **state)
{
	const char *why = "";
	struct insert in;
	struct fixture f;
	bool loose;

	(void)state;
	open_fixture(&f, DIALECT_SQLITE, key_id, 1,
		     "INSERT OR IGNORE INTO t VALUES (random(), 'a', 2)");
	assert_int_equal(conflicts(&f, &in, &loose, &why), E_UNSUPPORTED);
	assert_non_null(strstr(why, "parameter"));
	assert_false(insert_knows_keys(&in));
	close_fixture(&f);

	open_fixture(&f, DIALECT_SQLITE, key_id, 1,
		     "INSERT OR IGNORE INTO t (n) VALUES (2)");
	assert_int_equal(conflicts(&f, &in, &loose, &why), OK);
	assert_true(loose);
	assert_string_equal(buf_text(&f.out), "1 = 0");
	close_fixture(&f);

	open_fixture(&f, DIALECT_SQLITE, key_id, 1,
		     "REPLACE INTO t VALUES (1, 'a', 2)");
	f.target.odd_unique = true;
	assert_int_equal(conflicts(&f, &in, &loose, &why), E_UNSUPPORTED);
	close_fixture(&f);
}

static void test_out_of_memory_is_said(void **state)
{
	int rc = E_NOMEM;

	(void)state;
	for (long n = 0; rc != OK; n++) {
		struct flaky heap;
		struct sql_binds binds;
		struct fixture f;
		struct buf out;

		assert_true(n < 1000);
		open_fixture(&f, DIALECT_POSTGRES, key_both, 2,
			     "UPDATE t SET n = 1 WHERE id = $1");
		flaky_init(&heap, n);
		buf_init(&out, &heap.mem);
		sql_binds_init(&binds, &heap.mem, 1);
		rc = image_sql_before(&out, &binds, &f.source);
		if (rc == OK)
			rc = buf_error(&out);
		assert_true(rc == OK || rc == E_NOMEM);
		buf_fini(&out);
		sql_binds_fini(&binds);
		assert_int_equal(heap.live, 0);
		close_fixture(&f);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			test_a_before_image_has_the_statements_own_condition),
		cmocka_unit_test(test_parameters_go_along_in_the_order_wanted),
		cmocka_unit_test(test_rows_are_read_again_by_key),
		cmocka_unit_test(test_a_literal_has_no_second_meaning),
		cmocka_unit_test(test_no_rows_pin_to_nothing),
		cmocka_unit_test(
			test_rows_in_the_way_are_found_by_every_unique_key),
		cmocka_unit_test(test_what_cannot_be_known_is_not_guessed),
		cmocka_unit_test(test_out_of_memory_is_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
