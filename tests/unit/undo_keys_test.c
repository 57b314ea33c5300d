#include "undo/lock_keys.h"
#include "undo/quote.h"
#include "undo/undo_log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

struct fixture {
	struct arena arena;
	struct buf b;
	struct column columns[2];
	size_t key[2];
	struct table t;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);

	arena_init(&f->arena, &mem_heap, 0);
	buf_init(&f->b, &mem_heap);
	f->columns[0] =
		(struct column){ .name = BYTES("a"), .class = VALUE_OTHER };
	f->columns[1] =
		(struct column){ .name = BYTES("b"), .class = VALUE_TEXT };
	f->key[1] = 1;
	f->t = (struct table){ .dialect = DIALECT_POSTGRES,
			       .schema = BYTES("s"),
			       .name = BYTES("t"),
			       .columns = f->columns,
			       .n_columns = 2,
			       .key = f->key,
			       .n_key = 1 };
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	buf_fini(&f->b);
	arena_fini(&f->arena);
	free(f);
	return 0;
}

/* The key's last value for one key column of this type and text. */
static struct bytes key_text(struct fixture *f, enum value_type type,
			     const char *text)
{
	struct value values[2] = { { type, bytes_of(text) } };
	struct row row = { values, NULL };
	struct bytes resource, table, rest;
	struct reader r;

	buf_clear(&f->b);
	assert_int_equal(lock_keys_put(&f->b, BYTES("db"), &f->t, &row), OK);
	assert_int_equal(
		lock_key_parse(buf_bytes(&f->b), &resource, &table, &rest), OK);
	assert_true(bytes_equal(resource, BYTES("db")));
	assert_true(bytes_equal(table, BYTES("s.t")));
	r = reader_of(rest);
	return read_bytes(&r);
}

static void test_a_number_has_one_spelling(void **state)
{
	static const struct {
		enum value_type type;
		const char *text, *key;
	} cases[] = {
		{ VALUE_INT, "0", "0" },
		{ VALUE_INT, "-0", "0" },
		{ VALUE_INT, "+7", "7" },
		{ VALUE_INT, "007", "7" },
		{ VALUE_INT, "-100", "-100" },
		{ VALUE_INT, "18446744073709551615", "18446744073709551615" },
		{ VALUE_NUMBER, "1", "1" },
		{ VALUE_NUMBER, "1.0", "1" },
		{ VALUE_NUMBER, "1.", "1" },
		{ VALUE_NUMBER, "01.500", "1.5" },
		{ VALUE_NUMBER, ".5", "0.5" },
		{ VALUE_NUMBER, "-0.000", "0" },
		{ VALUE_NUMBER, "100.00", "100" },
		{ VALUE_NUMBER, "100.010", "100.01" },
		{ VALUE_NUMBER, "0.00120", "0.0012" },
		{ VALUE_FLOAT, "1e0", "1" },
		{ VALUE_FLOAT, "1E+2", "100" },
		{ VALUE_FLOAT, "1.5e-3", "0.0015" },
		{ VALUE_FLOAT, "15e-4", "0.0015" },
		{ VALUE_FLOAT, "-0", "0" },
		{ VALUE_FLOAT, "5e-324", "5e-324" },
		{ VALUE_FLOAT, "50e-325", "5e-324" },
		{ VALUE_FLOAT, "1.7e+308", "17e307" },
		{ VALUE_FLOAT, "NaN", "NaN" },
		{ VALUE_FLOAT, "-Infinity", "-Infinity" },
		{ VALUE_FLOAT, "1e", "1e" },
		{ VALUE_NUMBER, "1.2.3", "1.2.3" },
		{ VALUE_NUMBER, ".", "." },
		{ VALUE_NUMBER, "", "" },
		{ VALUE_TEXT, "1.0", "1.0" },
		{ VALUE_BIT, "0010", "0010" },
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct bytes got = key_text(f, cases[i].type, cases[i].text);

		if (!bytes_equal(got, bytes_of(cases[i].key)))
			fail_msg("%s became %.*s", cases[i].text, (int)got.len,
				 (const char *)got.data);
	}
}

static struct image rows(struct fixture *f, size_t from, size_t to)
{
	struct image img;
	struct buf id;

	buf_init(&id, &mem_heap);
	image_init(&img, &f->arena, &f->t);
	for (size_t i = from; i < to; i++) {
		struct value v[2] = { { VALUE_INT, { 0 } },
				      { VALUE_TEXT, BYTES("x") } };

		buf_clear(&id);
		buf_printf(&id, "%zu", i);
		v[0].data = buf_bytes(&id);
		assert_int_equal(image_add(&img, v, NULL), OK);
	}
	buf_fini(&id);
	return img;
}

static void test_each_row_has_one_key(void **state)
{
	struct fixture *f = *state;
	struct image before = rows(f, 0, 6000), after = rows(f, 3000, 9000);
	struct lock_keys keys;

	assert_int_equal(lock_keys_init(&keys, &f->arena, BYTES("db")), OK);
	assert_int_equal(lock_keys_add(&keys, &before), OK);
	assert_int_equal(lock_keys_add(&keys, &after), OK);
	assert_int_equal(keys.n, 9000);
	lock_key_print(&f->b, keys.keys[8999]);
	assert_string_equal(buf_text(&f->b), "s.t(8999)");
	lock_keys_fini(&keys);
}

static void test_folded_columns_lock_by_their_lock_text(void **state)
{
	struct fixture *f = *state;
	struct value upper[2] = { { VALUE_TEXT, BYTES("ABC") } };
	struct value lower[2] = { { VALUE_TEXT, BYTES("abc") } };
	struct bytes text = BYTES("abc"), none = { 0 };
	struct lock_keys keys;
	struct image img;

	f->columns[0].folds = true;
	image_init(&img, &f->arena, &f->t);
	assert_int_equal(image_add(&img, upper, &text), OK);
	assert_int_equal(image_add(&img, lower, &text), OK);
	assert_int_equal(lock_keys_init(&keys, &f->arena, BYTES("db")), OK);
	assert_int_equal(lock_keys_add(&keys, &img), OK);
	assert_int_equal(keys.n, 1);
	assert_int_equal(image_add(&img, lower, &none), OK);
	assert_int_equal(lock_keys_add(&keys, &img), E_UNSUPPORTED);
	img.n_rows = 0;
	assert_int_equal(image_add(&img, lower, NULL), OK);
	assert_int_equal(lock_keys_add(&keys, &img), E_UNSUPPORTED);
	lock_keys_fini(&keys);
}

/* ---- quoting ---- */

static const char *param(struct fixture *f, enum dialect dialect,
			 enum value_type class, const char *type)
{
	struct column c = { .class = class, .type = bytes_of(type) };

	buf_clear(&f->b);
	quote_param(&f->b, dialect, &c, 12);
	return buf_text(&f->b);
}

static void test_names_are_quoted_as_the_database_wants(void **state)
{
	struct fixture *f = *state;

	quote_name(&f->b, DIALECT_POSTGRES, BYTES("a\"b`c"));
	quote_name(&f->b, DIALECT_MYSQL, BYTES("a\"b`c"));
	quote_table(&f->b, DIALECT_SQLITE, BYTES("s.\""), BYTES("t"));
	quote_table(&f->b, DIALECT_SQLITE, BYTES(""), BYTES("t"));
	assert_string_equal(buf_text(&f->b),
			    "\"a\"\"b`c\"`a\"b``c`\"s.\"\"\".\"t\"\"t\"");
}

static void test_parameters_bring_their_type(void **state)
{
	struct fixture *f = *state;

	assert_string_equal(
		param(f, DIALECT_POSTGRES, VALUE_OTHER, "public.mood[]"),
		"$12::public.mood[]");
	assert_string_equal(param(f, DIALECT_POSTGRES, VALUE_TEXT, ""), "$12");
	assert_string_equal(param(f, DIALECT_SQLITE, VALUE_INT, "int"), "?");
	assert_string_equal(param(f, DIALECT_MYSQL, VALUE_TEXT, "varchar(9)"),
			    "?");
	assert_string_equal(param(f, DIALECT_MYSQL, VALUE_INT, "int(11)"),
			    "CAST(? AS SIGNED)");
	assert_string_equal(
		param(f, DIALECT_MYSQL, VALUE_INT, "int(10) unsigned"),
		"CAST(? AS UNSIGNED)");
	assert_string_equal(
		param(f, DIALECT_MYSQL, VALUE_NUMBER, "decimal(65,0) unsigned"),
		"CAST(? AS DECIMAL(65,0))");
	assert_string_equal(param(f, DIALECT_MYSQL, VALUE_NUMBER, "decimal"),
			    "?");
	assert_string_equal(param(f, DIALECT_MYSQL, VALUE_BIT, "bit(8)"),
			    "CAST(CONV(?, 2, 10) AS UNSIGNED)");
	assert_string_equal(param(f, DIALECT_MYSQL, VALUE_FLOAT, "double"),
			    "CAST(? AS DOUBLE)");
}

static void test_every_undo_log_text_is_complete(void **state)
{
	struct fixture *f = *state;
	static const enum dialect dialects[] = { DIALECT_POSTGRES,
						 DIALECT_MYSQL,
						 DIALECT_SQLITE };

	for (size_t d = 0; d < ARRAY_LEN(dialects); d++) {
		struct undo_log log = { dialects[d], BYTES("s"),
					BYTES("undo_log") };

		for (int i = 0; i < UNDO_LOG_TEXTS; i++) {
			buf_clear(&f->b);
			undo_log_put(&f->b, &log, (enum undo_log_text)i);
			if (dialects[d] == DIALECT_MYSQL &&
			    i == UNDO_LOG_CREATE_INDEX)
				assert_int_equal(f->b.len, 0);
			else
				assert_non_null(
					strstr(buf_text(&f->b), "undo_log"));
			assert_null(strchr(buf_text(&f->b), '@'));
			assert_null(strchr(buf_text(&f->b), '~'));
			assert_null(strchr(buf_text(&f->b), '#'));
		}
		buf_clear(&f->b);
		undo_log_put_delete(&f->b, &log, 2);
		assert_non_null(strstr(buf_text(&f->b), "branch_id) IN ("));
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_a_number_has_one_spelling),
		TEST(test_each_row_has_one_key),
		TEST(test_folded_columns_lock_by_their_lock_text),
		TEST(test_names_are_quoted_as_the_database_wants),
		TEST(test_parameters_bring_their_type),
		TEST(test_every_undo_log_text_is_complete),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
