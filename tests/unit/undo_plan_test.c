#include "tests/fakes/flaky.h"
#include "undo/compensate.h"
#include "undo/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define XID BYTES("127.0.0.1:8091:1")

struct fixture {
	struct arena arena;
	struct buf why;
	struct column columns[4];
	size_t key[1];
	struct table t;   /* as it was */
	struct table now; /* as it is */
	struct column now_columns[5];
	struct record record;
	struct plan *plan;
	struct image db; /* what the database holds */
};

static struct column column(const char *name, const char *type,
			    enum value_type class)
{
	return (struct column){ .name = bytes_of(name),
				.type = bytes_of(type),
				.class = class };
}

static void shape(struct fixture *f, enum dialect dialect)
{
	f->columns[0] = column("id", "bigint", VALUE_INT);
	f->columns[1] = column("owner", "text", VALUE_TEXT);
	f->columns[2] = column("balance", "numeric(10,2)", VALUE_NUMBER);
	f->columns[3] = column("twice", "numeric(12,2)", VALUE_NUMBER);
	f->columns[1].nullable = true;
	f->columns[3].generated = true;
	f->t = (struct table){ .dialect = dialect,
			       .schema = BYTES("public"),
			       .name = BYTES("account"),
			       .columns = f->columns,
			       .n_columns = 4,
			       .key = f->key,
			       .n_key = 1 };
	memcpy(f->now_columns, f->columns, sizeof f->columns);
	f->now = f->t;
	f->now.columns = f->now_columns;
	image_init(&f->db, &f->arena, &f->t);
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);

	arena_init(&f->arena, &mem_heap, 0);
	buf_init(&f->why, &mem_heap);
	shape(f, DIALECT_POSTGRES);
	assert_int_equal(record_init(&f->record, &f->arena, XID, 7), OK);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	buf_fini(&f->why);
	arena_fini(&f->arena);
	free(f);
	return 0;
}

/* "id owner balance", "-" for NULL */
static void add(struct image *img, const char *id, const char *owner,
		const char *balance)
{
	struct value row[4] = { { VALUE_INT, bytes_of(id) },
				{ VALUE_TEXT, bytes_of(owner) },
				{ VALUE_NUMBER, bytes_of(balance) },
				{ VALUE_NUMBER, bytes_of("0") } };

	if (strcmp(owner, "-") == 0)
		row[1] = (struct value){ VALUE_NULL, { 0 } };
	assert_int_equal(image_add(img, row, NULL), OK);
}

struct change {
	struct image before, after;
};

static struct change change(struct fixture *f)
{
	struct change c;

	image_init(&c.before, &f->arena, &f->t);
	image_init(&c.after, &f->arena, &f->t);
	return c;
}

static void did(struct fixture *f, enum item_kind kind, struct change *c)
{
	assert_int_equal(record_add(&f->record, kind, &c->before, &c->after),
			 OK);
}

static void updated(struct fixture *f, const char *id, const char *from,
		    const char *to)
{
	struct change c = change(f);

	add(&c.before, id, "ann", from);
	add(&c.after, id, "ann", to);
	did(f, ITEM_UPDATE, &c);
}

static void inserted(struct fixture *f, const char *id)
{
	struct change c = change(f);

	add(&c.after, id, "ann", "1.00");
	did(f, ITEM_INSERT, &c);
}

static void deleted(struct fixture *f, const char *id)
{
	struct change c = change(f);

	add(&c.before, id, "-", "1.00");
	did(f, ITEM_DELETE, &c);
}

static int new_plan(struct fixture *f)
{
	const struct table *now = &f->now;

	buf_clear(&f->why);
	return plan_new(&f->plan, &f->arena, &f->record, &now, &f->why);
}

/* Answer the reads from f->db, whatever is asked for. */
static void read_all(struct fixture *f)
{
	const struct table *t;
	struct statement s;
	bool first = true;

	assert_int_equal(new_plan(f), OK);
	while (plan_next_read(f->plan, 1000, &s, &t) == OK) {
		assert_true(first);
		first = false;
		for (size_t i = 0; i < f->db.n_rows; i++)
			assert_int_equal(
				plan_row(f->plan, f->db.rows[i].values), OK);
		plan_read_done(f->plan);
	}
}

static int check(struct fixture *f)
{
	int rc;

	buf_clear(&f->why);
	rc = plan_check(f->plan, &f->why);
	if (rc == E_DIRTY)
		assert_int_equal(json_check(buf_bytes(&f->why)), OK);
	return rc;
}

static void says(struct fixture *f, const char *text)
{
	if (!strstr(buf_text(&f->why), text))
		fail_msg("\"%s\" does not say \"%s\"", buf_text(&f->why), text);
}

/* The next write is this text, with these values: "a|b|". */
static void writes(struct fixture *f, size_t batch, const char *sql,
		   const char *params, size_t rows)
{
	struct statement s;
	struct buf b;

	assert_int_equal(plan_next_write(f->plan, batch, &s), OK);
	assert_string_equal((const char *)s.sql.data, sql);
	assert_int_equal(s.rows, rows);
	buf_init(&b, &mem_heap);
	for (size_t i = 0; i < s.n_params; i++) {
		if (s.params[i].type == VALUE_NULL)
			buf_put_text(&b, "NULL");
		buf_put(&b, s.params[i].data);
		buf_put_char(&b, '|');
	}
	assert_string_equal(buf_text(&b), params);
	buf_fini(&b);
}

static void writes_no_more(struct fixture *f)
{
	struct statement s;

	assert_int_equal(plan_next_write(f->plan, 100, &s), E_NOTFOUND);
}

static int resolve(struct fixture *f, const char *json)
{
	buf_clear(&f->why);
	return plan_resolve(f->plan, bytes_of(json), &f->why);
}

/* ---- SQL ---- */

static void test_postgresql_is_told_the_type_of_each_value(void **state)
{
	struct fixture *f = *state;
	const struct table *t;
	struct statement s;

	updated(f, "1", "10.00", "7.50");
	inserted(f, "2");
	deleted(f, "3");
	assert_int_equal(new_plan(f), OK);
	assert_int_equal(plan_rows(f->plan), 3);
	assert_int_equal(plan_next_read(f->plan, 2, &s, &t), OK);
	assert_string_equal(
		(const char *)s.sql.data,
		"SELECT \"id\", \"owner\", \"balance\", \"twice\" FROM "
		"\"public\".\"account\" WHERE \"id\" IN ($1::bigint, "
		"$2::bigint) FOR UPDATE");
	assert_int_equal(plan_next_read(f->plan, 2, &s, &t), E_STATE);
	add(&f->db, "1", "ann", "7.50");
	add(&f->db, "2", "ann", "1.00");
	assert_int_equal(plan_row(f->plan, f->db.rows[1].values), OK);
	assert_int_equal(plan_row(f->plan, f->db.rows[0].values), OK);
	assert_int_equal(plan_row(f->plan, f->db.rows[0].values), E_INVALID);
	plan_read_done(f->plan);
	assert_int_equal(check(f), E_STATE);
	assert_int_equal(plan_next_read(f->plan, 2, &s, &t), OK);
	assert_string_equal(
		(const char *)s.sql.data,
		"SELECT \"id\", \"owner\", \"balance\", \"twice\" FROM "
		"\"public\".\"account\" WHERE \"id\" = $1::bigint FOR UPDATE");
	plan_read_done(f->plan);
	assert_int_equal(plan_next_read(f->plan, 2, &s, &t), E_NOTFOUND);
	assert_int_equal(plan_next_write(f->plan, 2, &s), E_STATE);
	assert_int_equal(check(f), OK);
	writes(f, 9,
	       "INSERT INTO \"public\".\"account\" (\"id\", \"owner\", "
	       "\"balance\") VALUES ($1::bigint, $2::text, "
	       "$3::numeric(10,2))",
	       "3|NULL|1.00|", 1);
	writes(f, 9,
	       "DELETE FROM \"public\".\"account\" WHERE \"id\" = $1::bigint",
	       "2|", 1);
	writes(f, 9,
	       "UPDATE \"public\".\"account\" SET \"balance\" = "
	       "$1::numeric(10,2) WHERE \"id\" = $2::bigint",
	       "10.00|1|", 1);
	writes_no_more(f);
}

static void test_mysql_compares_numbers_as_numbers(void **state)
{
	struct fixture *f = *state;
	size_t key[2] = { 0, 1 };

	shape(f, DIALECT_MYSQL);
	f->columns[0].type = BYTES("bigint(20) unsigned");
	f->columns[2].type = BYTES("decimal(10,2)");
	f->columns[3] = column("flags", "bit(8)", VALUE_BIT);
	memcpy(f->now_columns, f->columns, sizeof f->columns);
	f->t.key = f->now.key = key;
	f->t.n_key = f->now.n_key = 2;
	updated(f, "1", "10.00", "7.50");
	add(&f->db, "1", "ann", "7.50");
	read_all(f);
	assert_int_equal(check(f), OK);
	writes(f, 1,
	       "UPDATE `public`.`account` SET `balance` = "
	       "CAST(? AS DECIMAL(10,2)) WHERE `id` = CAST(? AS UNSIGNED) AND "
	       "`owner` = ?",
	       "10.00|1|ann|", 1);
	writes_no_more(f);
}

static void test_identity_columns_are_overridden(void **state)
{
	struct fixture *f = *state;

	f->now_columns[0].always_identity = true;
	deleted(f, "3");
	read_all(f);
	assert_int_equal(check(f), OK);
	writes(f, 1,
	       "INSERT INTO \"public\".\"account\" (\"id\", \"owner\", "
	       "\"balance\") OVERRIDING SYSTEM VALUE VALUES ($1::bigint, "
	       "$2::text, $3::numeric(10,2))",
	       "3|NULL|1.00|", 1);
}

static void test_rows_of_an_item_go_in_batches(void **state)
{
	struct fixture *f = *state;
	struct change c = change(f);
	struct statement s;

	add(&c.after, "1", "a", "1");
	add(&c.after, "2", "a", "2");
	add(&c.after, "3", "a", "3");
	f->db = c.after;
	did(f, ITEM_INSERT, &c);
	read_all(f);
	assert_int_equal(check(f), OK);
	writes(f, 2,
	       "DELETE FROM \"public\".\"account\" WHERE \"id\" IN "
	       "($1::bigint, $2::bigint)",
	       "3|2|", 2);
	assert_int_equal(plan_next_write(f->plan, 2, &s), OK);
	assert_int_equal(s.rows, 1);
	writes_no_more(f);
}

/* ---- what is compared with what ---- */

static void test_unchanged_rows_cost_nothing(void **state)
{
	struct fixture *f = *state;

	updated(f, "1", "1.00", "1.00");
	read_all(f);
	assert_int_equal(plan_rows(f->plan), 0);
	assert_int_equal(check(f), OK);
	writes_no_more(f);
}

static void test_an_empty_record_needs_nothing(void **state)
{
	struct fixture *f = *state;

	read_all(f);
	assert_int_equal(check(f), OK);
	writes_no_more(f);
}

static void test_generated_columns_are_not_compared(void **state)
{
	struct fixture *f = *state;
	struct value row[4] = { { VALUE_INT, BYTES("1") },
				{ VALUE_TEXT, BYTES("ann") },
				{ VALUE_NUMBER, BYTES("7.50") },
				{ VALUE_NUMBER, BYTES("15.00") } };

	updated(f, "1", "10.00", "7.50");
	assert_int_equal(image_add(&f->db, row, NULL), OK);
	read_all(f);
	assert_int_equal(check(f), OK);
}

static void test_what_is_undone_already_is_left_alone(void **state)
{
	struct fixture *f = *state;

	updated(f, "1", "10.00", "7.50");
	inserted(f, "2");
	deleted(f, "3");
	add(&f->db, "1", "ann", "10.00");
	add(&f->db, "3", "-", "1.00");
	read_all(f);
	assert_int_equal(check(f), OK);
	writes_no_more(f);
}

static void test_only_the_last_state_of_a_row_is_compared(void **state)
{
	struct fixture *f = *state;

	inserted(f, "1");
	updated(f, "1", "1.00", "2.00");
	updated(f, "1", "2.00", "3.00");
	add(&f->db, "1", "ann", "3.00");
	read_all(f);
	assert_int_equal(plan_rows(f->plan), 1);
	assert_int_equal(check(f), OK);
	writes(f, 9,
	       "UPDATE \"public\".\"account\" SET \"balance\" = "
	       "$1::numeric(10,2) WHERE \"id\" = $2::bigint",
	       "2.00|1|", 1);
	writes(f, 9,
	       "UPDATE \"public\".\"account\" SET \"balance\" = "
	       "$1::numeric(10,2) WHERE \"id\" = $2::bigint",
	       "1.00|1|", 1);
	writes(f, 9,
	       "DELETE FROM \"public\".\"account\" WHERE \"id\" = $1::bigint",
	       "1|", 1);
	writes_no_more(f);
}

static void test_a_state_in_between_is_dirty(void **state)
{
	struct fixture *f = *state;

	updated(f, "1", "1.00", "2.00");
	updated(f, "1", "2.00", "3.00");
	add(&f->db, "1", "ann", "2.00");
	read_all(f);
	assert_int_equal(check(f), E_DIRTY);
	says(f, "changed from outside");
	says(f, "\"before\":\"1.00\",\"after\":\"3.00\",\"now\":\"2.00\"");
}

static void test_a_write_that_no_image_saw_is_dirty(void **state)
{
	struct fixture *f = *state;

	updated(f, "1", "1.00", "2.00");
	updated(f, "1", "5.00", "6.00");
	add(&f->db, "1", "ann", "6.00");
	read_all(f);
	assert_int_equal(check(f), E_DIRTY);
	says(f, "did not see");
	assert_int_equal(
		plan_resolve(f->plan, BYTES("{\"choice\":\"undo\"}"), NULL),
		OK);
	assert_int_equal(check(f), OK);
	writes(f, 9,
	       "UPDATE \"public\".\"account\" SET \"balance\" = "
	       "$1::numeric(10,2) WHERE \"id\" = $2::bigint",
	       "5.00|1|", 1);
	writes(f, 9,
	       "UPDATE \"public\".\"account\" SET \"balance\" = "
	       "$1::numeric(10,2) WHERE \"id\" = $2::bigint",
	       "1.00|1|", 1);
	writes_no_more(f);
}

static void test_inserted_and_deleted_again_needs_nothing(void **state)
{
	struct fixture *f = *state;
	struct change c = change(f);

	inserted(f, "1");
	add(&c.before, "1", "ann", "1.00");
	did(f, ITEM_DELETE, &c);
	read_all(f);
	assert_int_equal(check(f), OK);
	writes_no_more(f);
	/* and a foreign row with that key is nobody's business */
	add(&f->db, "1", "eve", "9.00");
	read_all(f);
	assert_int_equal(check(f), OK);
	writes_no_more(f);
}

static void test_a_row_gone_or_new_is_dirty(void **state)
{
	struct fixture *f = *state;

	inserted(f, "1");
	updated(f, "2", "1.00", "2.00");
	deleted(f, "3");
	add(&f->db, "1", "eve", "1.00");
	add(&f->db, "3", "eve", "1.00");
	read_all(f);
	assert_int_equal(check(f), E_DIRTY);
	says(f, "\"dirty\":\"3\"");
	says(f, "deleted from outside");
	says(f, "inserted from outside");
	says(f, "\"seen\":\"absent\"");
}

static void test_a_key_spelled_otherwise_is_dirty(void **state)
{
	struct fixture *f = *state;

	f->columns[0].folds = true;
	inserted(f, "abc");
	deleted(f, "x");
	add(&f->db, "ABC ", "ann", "1.00");
	read_all(f);
	assert_int_equal(check(f), E_DIRTY);
	says(f, "spelled otherwise");
	says(f, "\"dirty\":\"1\"");
	f->db.n_rows = 0;
	add(&f->db, "\xc3\xa4", "ann", "1.00"); /* may be any of them */
	read_all(f);
	assert_int_equal(check(f), E_DIRTY);
	says(f, "\"dirty\":\"2\"");
}

static void test_rows_are_taken_only_when_asked_for(void **state)
{
	struct fixture *f = *state;
	const struct table *t;
	struct statement s;

	inserted(f, "1");
	add(&f->db, "1", "ann", "1.00");
	assert_int_equal(new_plan(f), OK);
	assert_int_equal(plan_row(f->plan, f->db.rows[0].values), E_STATE);
	assert_int_equal(resolve(f, "{\"choice\":\"keep\"}"), E_STATE);
	assert_int_equal(plan_next_read(f->plan, 0, &s, &t), OK);
	assert_int_equal(s.rows, 1);
}

static void test_reads_keep_to_the_limit_of_parameters(void **state)
{
	struct fixture *f = *state;
	struct change c = change(f);
	const struct table *t;
	struct statement s;
	struct buf b;

	buf_init(&b, &mem_heap);
	for (int i = 0; i < 30001; i++) {
		buf_clear(&b);
		buf_printf(&b, "%d", i);
		add(&c.before, buf_text(&b), "ann", "1.00");
	}
	buf_fini(&b);
	did(f, ITEM_DELETE, &c);
	assert_int_equal(new_plan(f), OK);
	assert_int_equal(plan_next_read(f->plan, SIZE_MAX, &s, &t), OK);
	assert_int_equal(s.n_params, 30000);
	plan_read_done(f->plan);
	assert_int_equal(plan_next_read(f->plan, SIZE_MAX, &s, &t), OK);
	assert_int_equal(s.n_params, 1);
	plan_read_done(f->plan);
	assert_int_equal(check(f), OK);
	assert_int_equal(plan_next_write(f->plan, SIZE_MAX, &s), OK);
	assert_int_equal(s.rows, 30000 / 4);
}

static void test_a_table_may_not_have_two_shapes(void **state)
{
	struct fixture *f = *state;
	const struct table *now[2] = { &f->now, &f->now };

	inserted(f, "1");
	f->columns[1].nullable = false;
	inserted(f, "2");
	assert_int_equal(f->record.n_tables, 2);
	assert_int_equal(
		plan_new(&f->plan, &f->arena, &f->record, now, &f->why),
		E_UNSUPPORTED);
	says(f, "altered while the branch ran");
}

/* ---- tables that changed ---- */

static void test_a_new_column_does_no_harm(void **state)
{
	struct fixture *f = *state;

	f->now_columns[4] = f->now_columns[3];
	f->now_columns[3] = column("since", "date", VALUE_DATE);
	f->now.n_columns = 5;
	deleted(f, "3");
	read_all(f);
	assert_int_equal(check(f), OK);
	writes(f, 1,
	       "INSERT INTO \"public\".\"account\" (\"id\", \"owner\", "
	       "\"balance\") VALUES ($1::bigint, $2::text, $3::numeric(10,2))",
	       "3|NULL|1.00|", 1);
}

static void refused(struct fixture *f, const char *text)
{
	assert_int_equal(new_plan(f), E_UNSUPPORTED);
	says(f, text);
	says(f, "public.account");
	memcpy(f->now_columns, f->columns, sizeof f->columns);
}

static void test_other_changes_stop_the_undo_with_a_reason(void **state)
{
	struct fixture *f = *state;
	const struct table *none = NULL;
	size_t other_key[] = { 1 };

	deleted(f, "3");
	f->now_columns[1].name = BYTES("holder");
	refused(f, "column owner is gone");
	f->now_columns[2].type = BYTES("numeric(12,2)");
	refused(f, "column balance has another type");
	f->now_columns[1].generated = true;
	refused(f, "column owner became generated");
	f->now.key = other_key;
	refused(f, "has another key");
	f->now.key = f->key;
	f->now.dialect = DIALECT_MYSQL;
	refused(f, "another kind of database");
	buf_clear(&f->why);
	assert_int_equal(
		plan_new(&f->plan, &f->arena, &f->record, &none, &f->why),
		E_UNSUPPORTED);
	says(f, "gone or renamed");
}

static void test_a_row_twice_in_an_image_is_refused(void **state)
{
	struct fixture *f = *state;
	struct change c = change(f);

	add(&c.before, "1", "a", "1");
	add(&c.before, "1", "a", "1");
	did(f, ITEM_DELETE, &c);
	assert_int_equal(new_plan(f), E_CORRUPT);
	says(f, "twice");
}

/* ---- an operator decides ---- */

static void dirty_rows(struct fixture *f)
{
	updated(f, "1", "10.00", "7.50");
	updated(f, "2", "0.00", "1.00");
	updated(f, "4", "1.00", "2.00");
	add(&f->db, "1", "eve", "99.00");
	add(&f->db, "4", "ann", "2.00");
	read_all(f);
	assert_int_equal(check(f), E_DIRTY);
	says(f, "\"dirty\":\"2\"");
}

static void test_keep_skips_dirty_rows_only(void **state)
{
	struct fixture *f = *state;

	dirty_rows(f);
	assert_int_equal(resolve(f, "{\"choice\":\"keep\"}"), OK);
	assert_int_equal(check(f), OK);
	writes(f, 1,
	       "UPDATE \"public\".\"account\" SET \"balance\" = "
	       "$1::numeric(10,2) WHERE \"id\" = $2::bigint",
	       "1.00|4|", 1);
	writes_no_more(f);
	assert_int_equal(resolve(f, "{\"choice\":\"keep\"}"), E_STATE);
}

static void test_undo_restores_whatever_is_there(void **state)
{
	struct fixture *f = *state;

	dirty_rows(f);
	assert_int_equal(resolve(f, "{\"choice\":\"undo\"}"), OK);
	assert_int_equal(check(f), OK);
	writes(f, 1,
	       "UPDATE \"public\".\"account\" SET \"owner\" = $1::text, "
	       "\"balance\" = $2::numeric(10,2) WHERE \"id\" = $3::bigint",
	       "ann|7.50|1|", 1);
	writes(f, 1,
	       "INSERT INTO \"public\".\"account\" (\"id\", \"owner\", "
	       "\"balance\") VALUES ($1::bigint, $2::text, $3::numeric(10,2))",
	       "2|ann|1.00|", 1);
	writes(f, 1,
	       "UPDATE \"public\".\"account\" SET \"balance\" = "
	       "$1::numeric(10,2) WHERE \"id\" = $2::bigint",
	       "1.00|4|", 1);
	writes(f, 1,
	       "UPDATE \"public\".\"account\" SET \"balance\" = "
	       "$1::numeric(10,2) WHERE \"id\" = $2::bigint",
	       "0.00|2|", 1);
	writes(f, 1,
	       "UPDATE \"public\".\"account\" SET \"balance\" = "
	       "$1::numeric(10,2) WHERE \"id\" = $2::bigint",
	       "10.00|1|", 1);
	writes_no_more(f);
}

static void test_values_are_written_as_given(void **state)
{
	struct fixture *f = *state;

	dirty_rows(f);
	assert_int_equal(
		resolve(f,
			"{\"rows\":[{\"table\":\"public.account\","
			"\"key\":{\"id\":\"1\"},\"choice\":\"values\","
			"\"values\":{\"balance\":\"5.00\",\"owner\":null}},"
			"{\"table\":\"public.account\",\"key\":{\"id\":\"2\"}"
			",\"choice\":\"values\",\"seen\":\"absent\","
			"\"values\":{\"balance\":\"6.00\"}}]}"),
		OK);
	assert_int_equal(check(f), OK);
	writes(f, 1,
	       "UPDATE \"public\".\"account\" SET \"balance\" = "
	       "$1::numeric(10,2) WHERE \"id\" = $2::bigint",
	       "1.00|4|", 1);
	writes(f, 1,
	       "INSERT INTO \"public\".\"account\" (\"id\", \"balance\") "
	       "VALUES ($1::bigint, $2::numeric(10,2))",
	       "2|6.00|", 1);
	writes(f, 1,
	       "UPDATE \"public\".\"account\" SET \"owner\" = $1::text, "
	       "\"balance\" = $2::numeric(10,2) WHERE \"id\" = $3::bigint",
	       "NULL|5.00|1|", 1);
	writes_no_more(f);
}

static void test_values_null_deletes_the_row(void **state)
{
	struct fixture *f = *state;

	dirty_rows(f);
	assert_int_equal(resolve(f, "{\"choice\":\"keep\",\"rows\":[{\"table\":"
				    "\"public.account\",\"key\":{\"id\":\"1\"},"
				    "\"choice\":\"values\",\"values\":null}]}"),
			 OK);
	assert_int_equal(check(f), OK);
	writes(f, 1,
	       "UPDATE \"public\".\"account\" SET \"balance\" = "
	       "$1::numeric(10,2) WHERE \"id\" = $2::bigint",
	       "1.00|4|", 1);
	writes(f, 1,
	       "DELETE FROM \"public\".\"account\" WHERE \"id\" = $1::bigint",
	       "1|", 1);
	writes_no_more(f);
}

static void test_a_decision_about_another_sight_does_not_count(void **state)
{
	struct fixture *f = *state;

	dirty_rows(f);
	assert_int_equal(resolve(f,
				 "{\"choice\":\"keep\",\"rows\":[{\"table\":"
				 "\"public.account\",\"key\":{\"id\":\"1\"},"
				 "\"choice\":\"undo\",\"seen\":\"absent\"}]}"),
			 OK);
	assert_int_equal(check(f), E_DIRTY);
	says(f, "\"dirty\":\"1\"");
	says(f, "changed again");
}

#define ROW(key, rest)                                                         \
	"{\"rows\":[{\"table\":\"public.account\",\"key\":" key "," rest "}]}"
#define ROW1(values)                                                           \
	ROW("{\"id\":\"1\"}", "\"choice\":\"values\",\"values\":" values)

static void test_a_malformed_decision_changes_nothing(void **state)
{
	static const char *const bad[] = {
		"",
		"[]",
		"{}",
		"{\"choice\":\"values\"}",
		"{\"choice\":\"maybe\"}",
		"{\"choice\":1}",
		"{\"choice\":\"keep\",\"rows\":{}}",
		"{\"choice\":\"keep\",\"rows\":[1]}",
		"{\"choice\":\"keep\",\"rows\":[{\"table\":\"account\"}]}",
		ROW("{\"id\":\"77\"}", "\"choice\":\"keep\""),
		ROW("{}", "\"choice\":\"keep\""),
		ROW("{\"id\":1}", "\"choice\":\"keep\""),
		ROW("{\"id\":\"1\"}", "\"choice\":\"keep\",\"seen\":7"),
		ROW1("{\"id\":\"2\"}"),
		ROW1("{\"balance\":5}"),
		ROW1("{\"balance\":null}"),
		ROW1("{\"twice\":\"5\"}"),
		ROW1("{\"nothing\":\"5\"}"),
		ROW1("[]"),
	};
	struct fixture *f = *state;

	dirty_rows(f);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		if (resolve(f, bad[i]) != E_INVALID)
			fail_msg("taken: %s", bad[i]);
		says(f, "resolution: ");
		assert_int_equal(check(f), E_DIRTY);
		says(f, "\"dirty\":\"2\"");
	}
}

static void test_a_long_difference_is_cut(void **state)
{
	struct fixture *f = *state;
	struct change c = change(f);
	struct buf b;
	size_t n = 0;

	buf_init(&b, &mem_heap);
	for (int i = 0; i < 250; i++) {
		buf_clear(&b);
		buf_printf(&b, "%d", i);
		add(&c.after, buf_text(&b), "ann", "1.00");
	}
	buf_fini(&b);
	did(f, ITEM_INSERT, &c);
	add(&f->db, "0", "eve", "1.00");
	read_all(f);
	assert_int_equal(check(f), E_DIRTY);
	says(f, "\"dirty\":\"1\"");
	record_truncate(&f->record, 0);
	c.before = c.after;
	c.after.n_rows = 0;
	did(f, ITEM_DELETE, &c);
	f->db.n_rows = 0;
	for (size_t i = 0; i < 250; i++) {
		struct value v[4];

		memcpy(v, c.before.rows[i].values, sizeof v);
		v[1] = (struct value){ VALUE_TEXT, BYTES("eve") };
		assert_int_equal(image_add(&f->db, v, NULL), OK);
	}
	read_all(f);
	assert_int_equal(check(f), E_DIRTY);
	says(f, "\"dirty\":\"250\"");
	for (const char *p = buf_text(&f->why); (p = strstr(p, "\"table\""));
	     p++)
		n++;
	assert_int_equal(n, 100);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_postgresql_is_told_the_type_of_each_value),
		TEST(test_mysql_compares_numbers_as_numbers),
		TEST(test_identity_columns_are_overridden),
		TEST(test_rows_of_an_item_go_in_batches),
		TEST(test_unchanged_rows_cost_nothing),
		TEST(test_an_empty_record_needs_nothing),
		TEST(test_generated_columns_are_not_compared),
		TEST(test_what_is_undone_already_is_left_alone),
		TEST(test_only_the_last_state_of_a_row_is_compared),
		TEST(test_a_state_in_between_is_dirty),
		TEST(test_a_write_that_no_image_saw_is_dirty),
		TEST(test_inserted_and_deleted_again_needs_nothing),
		TEST(test_a_row_gone_or_new_is_dirty),
		TEST(test_a_key_spelled_otherwise_is_dirty),
		TEST(test_rows_are_taken_only_when_asked_for),
		TEST(test_reads_keep_to_the_limit_of_parameters),
		TEST(test_a_table_may_not_have_two_shapes),
		TEST(test_a_new_column_does_no_harm),
		TEST(test_other_changes_stop_the_undo_with_a_reason),
		TEST(test_a_row_twice_in_an_image_is_refused),
		TEST(test_keep_skips_dirty_rows_only),
		TEST(test_undo_restores_whatever_is_there),
		TEST(test_values_are_written_as_given),
		TEST(test_values_null_deletes_the_row),
		TEST(test_a_decision_about_another_sight_does_not_count),
		TEST(test_a_malformed_decision_changes_nothing),
		TEST(test_a_long_difference_is_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
