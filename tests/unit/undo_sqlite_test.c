/*
 * Undo against a real database, SQLite in memory: random statements in random
 * order, recorded, written to bytes, read back and undone. What is left must
 * be what was there before, byte for byte.
 */

#include "base/hash.h"
#include "undo/compensate.h"
#include "undo/json.h"
#include "undo/undo_log.h"

#include <setjmp.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define XID    BYTES("127.0.0.1:8091:1")
#define ROUNDS 300

struct db {
	sqlite3 *h;
	struct arena arena;
	uint64_t seed;
	struct record record;
};

#define TABLES 4

#define COL(n, cls, flag)                                                      \
	{                                                                      \
		.name = { (const uint8_t *)(n), sizeof(n) - 1 }, .class = cls, \
		flag                                                           \
	}
#define PLAIN .nullable = false
#define NAME(n)                                                                \
	{                                                                      \
		(const uint8_t *)(n), sizeof(n) - 1                            \
	}

static const struct column a_columns[] = {
	COL("id", VALUE_INT, PLAIN),
	COL("u", VALUE_INT, PLAIN),
	COL("v", VALUE_OTHER, .nullable = true),
	COL("g", VALUE_INT, .generated = true),
};
static const struct column b_columns[] = {
	COL("k1", VALUE_TEXT, PLAIN),
	COL("k2", VALUE_INT, PLAIN),
	COL("v", VALUE_BYTES, .nullable = true),
};
static const struct column c_columns[] = {
	COL("rowid", VALUE_INT, .rowid = true),
	COL("v", VALUE_OTHER, .nullable = true),
	COL("w", VALUE_FLOAT, .nullable = true),
};
static const struct column d_columns[] = {
	COL("id", VALUE_INT, PLAIN),
	COL("a", VALUE_INT, .nullable = true),
};
static const size_t first_column[] = { 0 }, two_columns[] = { 1, 0 };

static const struct table tables[TABLES] = {
	{ DIALECT_SQLITE, NAME("main"), NAME("a"), a_columns, 4, first_column,
	  1 },
	{ DIALECT_SQLITE, NAME(""), NAME("b \"q`"), b_columns, 3, two_columns,
	  2 },
	{ DIALECT_SQLITE, NAME("main"), NAME("c"), c_columns, 3, first_column,
	  1 },
	{ DIALECT_SQLITE, NAME("main"), NAME("d"), d_columns, 2, first_column,
	  1 },
};

static const char *const schema =
	"PRAGMA foreign_keys = ON;"
	"CREATE TABLE a (id INTEGER PRIMARY KEY, u INTEGER NOT NULL UNIQUE, v,"
	" g INTEGER GENERATED ALWAYS AS (u * 2) STORED);"
	"CREATE TABLE \"b \"\"q`\" (k1 TEXT NOT NULL, k2 INTEGER NOT NULL,"
	" v BLOB, PRIMARY KEY (k1, k2));"
	"CREATE TABLE c (v, w REAL);"
	"CREATE TABLE d (id INTEGER PRIMARY KEY, a INTEGER REFERENCES a (id));";

/* ---- the database ---- */

static void must(struct db *db, const char *sql)
{
	if (sqlite3_exec(db->h, sql, NULL, NULL, NULL) != SQLITE_OK)
		fail_msg("%s: %s", sql, sqlite3_errmsg(db->h));
}

static int setup(void **state)
{
	struct db *db = calloc(1, sizeof *db);

	assert_int_equal(sqlite3_open(":memory:", &db->h), SQLITE_OK);
	arena_init(&db->arena, &mem_heap, 0);
	must(db, schema);
	*state = db;
	return 0;
}

static int teardown(void **state)
{
	struct db *db = *state;

	arena_fini(&db->arena);
	sqlite3_close(db->h);
	free(db);
	return 0;
}

static struct value float_value(struct db *db, double d)
{
	struct value v = { VALUE_FLOAT, { 0 } };
	struct buf b;

	buf_init(&b, &mem_heap);
	buf_printf(&b, "%.17g", d);
	v.data = arena_bytes(&db->arena, buf_bytes(&b));
	buf_fini(&b);
	return v;
}

static struct value column_value(struct db *db, sqlite3_stmt *st, int i)
{
	struct value v = { VALUE_NULL, { 0 } };
	struct bytes data;

	switch (sqlite3_column_type(st, i)) {
	case SQLITE_INTEGER:
		v.type = VALUE_INT;
		break;
	case SQLITE_FLOAT:
		return float_value(db, sqlite3_column_double(st, i));
	case SQLITE_TEXT:
		v.type = VALUE_TEXT;
		break;
	case SQLITE_BLOB:
		v.type = VALUE_BYTES;
		break;
	default:
		return v;
	}
	data.data = sqlite3_column_blob(st, i);
	if (v.type == VALUE_INT)
		data.data = sqlite3_column_text(st, i);
	data.len = (size_t)sqlite3_column_bytes(st, i);
	v.data = arena_bytes(&db->arena, data);
	return v;
}

static void bind(struct db *db, sqlite3_stmt *st, const struct statement *s)
{
	assert_int_equal(sqlite3_bind_parameter_count(st), s->n_params);
	for (size_t i = 0; i < s->n_params; i++) {
		struct value v = s->params[i];
		const char *text = arena_text(&db->arena, v.data);
		int at = (int)i + 1, len = (int)v.data.len;

		if (v.type == VALUE_NULL)
			sqlite3_bind_null(st, at);
		else if (v.type == VALUE_INT)
			sqlite3_bind_int64(st, at, strtoll(text, NULL, 10));
		else if (v.type == VALUE_FLOAT)
			sqlite3_bind_double(st, at, strtod(text, NULL));
		else if (v.type == VALUE_BYTES)
			sqlite3_bind_blob(st, at, text, len, NULL);
		else
			sqlite3_bind_text(st, at, text, len, NULL);
	}
}

static sqlite3_stmt *prepare(struct db *db, struct bytes sql)
{
	sqlite3_stmt *st;

	assert_int_equal(sql.data[sql.len], 0);
	if (sqlite3_prepare_v2(db->h, (const char *)sql.data, -1, &st, NULL))
		fail_msg("%s: %s", sql.data, sqlite3_errmsg(db->h));
	return st;
}

static void read_rows(struct db *db, struct plan *p, const struct statement *s,
		      size_t columns)
{
	sqlite3_stmt *st = prepare(db, s->sql);
	struct value values[8];
	size_t n = 0;

	bind(db, st, s);
	while (sqlite3_step(st) == SQLITE_ROW) {
		assert_int_equal(sqlite3_column_count(st), columns);
		for (size_t i = 0; i < columns; i++)
			values[i] = column_value(db, st, (int)i);
		assert_int_equal(plan_row(p, values), OK);
		n++;
	}
	assert_true(n <= s->rows);
	assert_int_equal(sqlite3_finalize(st), SQLITE_OK);
}

static void write_rows(struct db *db, const struct statement *s)
{
	sqlite3_stmt *st = prepare(db, s->sql);

	bind(db, st, s);
	if (sqlite3_step(st) != SQLITE_DONE)
		fail_msg("%s: %s", s->sql.data, sqlite3_errmsg(db->h));
	sqlite3_finalize(st);
	assert_int_equal(sqlite3_changes(db->h), s->rows);
}

/* All rows of a table. Not every rowid is part of the data. */
static struct image snapshot(struct db *db, const struct table *t,
			     const char *order)
{
	struct value values[8];
	sqlite3_stmt *st;
	struct image img;
	struct buf sql;

	buf_init(&sql, &mem_heap);
	buf_put_text(&sql, "SELECT ");
	for (size_t i = 0; i < t->n_columns; i++) {
		buf_put_text(&sql, i ? ", " : "");
		quote_name(&sql, DIALECT_SQLITE, t->columns[i].name);
	}
	buf_put_text(&sql, " FROM ");
	quote_table(&sql, DIALECT_SQLITE, t->schema, t->name);
	buf_put_text(&sql, order);
	(void)buf_text(&sql);
	st = prepare(db, buf_bytes(&sql));
	buf_fini(&sql);
	image_init(&img, &db->arena, t);
	while (sqlite3_step(st) == SQLITE_ROW) {
		for (size_t i = 0; i < t->n_columns; i++)
			values[i] = column_value(db, st, (int)i);
		assert_int_equal(image_add(&img, values, NULL), OK);
	}
	sqlite3_finalize(st);
	return img;
}

/* Everything that is in the database, as text. */
static char *dump(struct db *db)
{
	struct buf b;
	char *text;

	buf_init(&b, &mem_heap);
	for (size_t i = 0; i < TABLES; i++) {
		struct image img = snapshot(db, &tables[i], " ORDER BY 1, 2");

		buf_printf(&b, "-- %zu\n", i);
		for (size_t r = 0; r < img.n_rows; r++) {
			for (size_t c = 0; c < tables[i].n_columns; c++) {
				json_put_value(&b, VALUE_NULL,
					       img.rows[r].values[c]);
				buf_put_char(&b, ' ');
			}
			buf_put_char(&b, '\n');
		}
	}
	assert_int_equal(buf_error(&b), OK);
	text = arena_text(&db->arena, buf_bytes(&b));
	buf_fini(&b);
	return text;
}

/* ---- random statements ---- */

static unsigned int roll(struct db *db, unsigned int n)
{
	return (unsigned int)(random_next(&db->seed) >> 33) % n;
}

static const char *any(struct db *db)
{
	static const char *const literals[] = {
		"NULL",
		"0",
		"-9223372036854775808",
		"9223372036854775807",
		"1.5",
		"0.1",
		"5e-324",
		"-1.7976931348623157e308",
		"9e999",
		"''",
		"'1'",
		"'it''s \"x\" \\'",
		"CAST(x'fffe80' AS TEXT)",
		"CAST(x'610062' AS TEXT)",
		"x''",
		"x'00ff'",
		"'\xf0\x9f\x92\xb0'",
	};

	return literals[roll(db, ARRAY_LEN(literals))];
}

static void random_statement(struct db *db, struct buf *sql)
{
	unsigned int x = roll(db, 8), y = roll(db, 8), z = roll(db, 12);

	switch (roll(db, 16)) {
	case 0:
	case 1:
		buf_printf(sql,
			   "INSERT INTO a (id, u, v) VALUES "
			   "(%u, %u, %s), (%u, %u, %s)",
			   x, z, any(db), x + 5, z + 3, any(db));
		break;
	case 2:
		buf_printf(sql, "REPLACE INTO a (id, u, v) VALUES (%u, %u, %s)",
			   x, z, any(db));
		break;
	case 3:
		buf_printf(sql, "UPDATE a SET u = u + 1 WHERE id >= %u", x);
		break;
	case 4:
		buf_printf(sql,
			   "UPDATE a SET u = u - 1, v = %s "
			   "WHERE id BETWEEN %u AND %u",
			   any(db), x, y);
		break;
	case 5:
		buf_printf(sql, "UPDATE a SET v = %s WHERE id %% 2", any(db));
		break;
	case 6:
		buf_printf(sql, "DELETE FROM a WHERE id %% 3 = %u", x % 3);
		break;
	case 7:
		buf_printf(sql,
			   "INSERT INTO a (id, u, v) VALUES (%u, %u, 1)"
			   " ON CONFLICT DO UPDATE SET v = %s, u = %u",
			   x, z, any(db), y);
		break;
	case 8:
		buf_printf(sql,
			   "INSERT INTO \"b \"\"q`\" VALUES "
			   "('k%u', %u, %s), ('K%u', %u, %s)",
			   x, y % 3, any(db), x, y % 3, any(db));
		break;
	case 9:
		buf_printf(sql,
			   "UPDATE \"b \"\"q`\" SET v = %s "
			   "WHERE k2 = %u",
			   any(db), y % 3);
		break;
	case 10:
		buf_printf(sql, "DELETE FROM \"b \"\"q`\" WHERE k2 = %u",
			   y % 3);
		break;
	case 11:
		buf_printf(sql, "INSERT INTO c SELECT v, %s FROM a", any(db));
		break;
	case 12:
		buf_printf(sql, "UPDATE c SET w = %s WHERE rowid > %u", any(db),
			   x);
		break;
	case 13:
		buf_printf(sql, "DELETE FROM c WHERE rowid %% 2 = %u", x % 2);
		break;
	case 14:
		buf_printf(sql, "INSERT INTO d VALUES (%u, %u)", y, x);
		break;
	default:
		buf_printf(sql, "DELETE FROM d WHERE id >= %u", y);
		break;
	}
}

static const struct row *find(const struct image *img, const struct row *key)
{
	for (size_t i = 0; i < img->n_rows; i++)
		if (row_same_key(img->table, &img->rows[i], key))
			return &img->rows[i];
	return NULL;
}

/* Keep what differs in the other image, and now and then what does not. */
static struct image only_changed(struct db *db, const struct image *img,
				 const struct image *other, uint64_t luck)
{
	struct image out;

	image_init(&out, &db->arena, img->table);
	for (size_t i = 0; i < img->n_rows; i++) {
		const struct row *row = &img->rows[i];
		uint64_t h = row_key_hash(img->table, row);

		if (!row_equal(img->table, row, find(other, row)) ||
		    hash_u64(luck, h) % 4 == 0)
			assert_int_equal(image_add(&out, row->values, NULL),
					 OK);
	}
	return out;
}

static void record_change(struct db *db, const struct image *before,
			  const struct image *after)
{
	uint64_t luck = random_next(&db->seed);
	struct image b = only_changed(db, before, after, luck);
	struct image a = only_changed(db, after, before, luck);
	enum item_kind kind = b.n_rows == 0   ? ITEM_INSERT
			      : a.n_rows == 0 ? ITEM_DELETE
					      : ITEM_MIXED;

	assert_int_equal(record_add(&db->record, kind, &b, &a), OK);
}

static void run_and_record(struct db *db, const char *sql)
{
	struct image before[TABLES];

	for (size_t i = 0; i < TABLES; i++)
		before[i] = snapshot(db, &tables[i], " ORDER BY rowid");
	if (sqlite3_exec(db->h, sql, NULL, NULL, NULL) != SQLITE_OK)
		return; /* a key or foreign key was in the way: no change */
	for (size_t i = 0; i < TABLES; i++) {
		struct image after =
			snapshot(db, &tables[i], " ORDER BY rowid");

		record_change(db, &before[i], &after);
	}
}

static void run_branch(struct db *db, unsigned int statements)
{
	struct buf sql;

	buf_init(&sql, &mem_heap);
	assert_int_equal(record_init(&db->record, &db->arena, XID, 1), OK);
	for (unsigned int i = 0; i < statements; i++) {
		buf_clear(&sql);
		random_statement(db, &sql);
		run_and_record(db, buf_text(&sql));
	}
	buf_fini(&sql);
}

/* Through bytes and back, as if read from undo_log. */
static struct record store_and_load(struct db *db)
{
	struct record_limits limits = record_limits_default();
	struct record_parts parts;
	struct bytes *infos;
	struct record got;

	limits.part_max = 1024;
	limits.compress_from = roll(db, 2) ? 512 : 1 << 20;
	assert_int_equal(
		record_encode(&db->record, &limits, &db->arena, &parts, NULL),
		OK);
	infos = arena_array(&db->arena, parts.n, sizeof *infos);
	for (size_t i = 0; i < parts.n; i++)
		infos[i] = parts.parts[i].info;
	assert_int_equal(record_decode(&got, &db->arena, XID, 1, infos, parts.n,
				       &limits, NULL),
			 OK);
	return got;
}

static struct plan *read_plan(struct db *db, const struct record *r)
{
	const struct table *table;
	struct statement s;
	struct plan *p;
	int rc;

	assert_int_equal(plan_new(&p, &db->arena, r, r->tables, NULL), OK);
	while ((rc = plan_next_read(p, 1 + roll(db, 5), &s, &table)) == OK) {
		read_rows(db, p, &s, table->n_columns);
		plan_read_done(p);
	}
	assert_int_equal(rc, E_NOTFOUND);
	return p;
}

static unsigned int write_plan(struct db *db, struct plan *p)
{
	unsigned int n = 0;
	struct statement s;
	int rc;

	while ((rc = plan_next_write(p, 1 + roll(db, 5), &s)) == OK) {
		write_rows(db, &s);
		n++;
	}
	assert_int_equal(rc, E_NOTFOUND);
	return n;
}

static void prepare_round(struct db *db, uint64_t seed)
{
	struct buf sql;

	buf_init(&sql, &mem_heap);
	db->seed = seed;
	arena_reset(&db->arena);
	must(db, "DELETE FROM d; DELETE FROM a; DELETE FROM \"b \"\"q`\";"
		 "DELETE FROM c;");
	for (unsigned int i = 0; i < 10; i++) {
		buf_clear(&sql);
		random_statement(db, &sql);
		(void)sqlite3_exec(db->h, buf_text(&sql), NULL, NULL, NULL);
	}
	buf_fini(&sql);
}

static void same(const char *a, const char *b, uint64_t seed)
{
	if (strcmp(a, b) != 0)
		fail_msg("seed %llu:\n%s\nbecame\n%s", (unsigned long long)seed,
			 a, b);
}

static void test_a_branch_is_undone_to_the_byte(void **state)
{
	struct db *db = *state;
	unsigned int undone = 0;

	for (uint64_t seed = 1; seed <= ROUNDS; seed++) {
		struct record r;
		struct plan *p;
		char *was;

		prepare_round(db, seed);
		was = dump(db);
		run_branch(db, 1 + roll(db, 8));
		r = store_and_load(db);
		p = read_plan(db, &r);
		assert_int_equal(plan_check(p, NULL), OK);
		undone += write_plan(db, p) > 0;
		same(was, dump(db), seed);

		/* once more: all is undone already */
		p = read_plan(db, &r);
		assert_int_equal(plan_check(p, NULL), OK);
		assert_int_equal(write_plan(db, p), 0);
		same(was, dump(db), seed);
	}
	assert_true(undone > ROUNDS / 2);
}

/* A row of table a that the branch left otherwise than it was. */
static const struct row *changed_row(const struct image *was,
				     const struct image *now)
{
	for (size_t i = 0; i < was->n_rows; i++)
		if (!row_equal(was->table, &was->rows[i],
			       find(now, &was->rows[i])))
			return &was->rows[i];
	for (size_t i = 0; i < now->n_rows; i++)
		if (!find(was, &now->rows[i]))
			return &now->rows[i];
	return NULL;
}

static void foreign_write(struct db *db, const struct row *row)
{
	struct buf sql;

	buf_init(&sql, &mem_heap);
	buf_put_text(&sql, "INSERT INTO a (id, u, v) VALUES (");
	buf_put(&sql, row_key(&tables[0], row, 0).data);
	buf_put_text(&sql, ", 1000, 'foreign')"
			   " ON CONFLICT (id) DO UPDATE SET v = 'foreign'");
	must(db, buf_text(&sql));
	buf_fini(&sql);
}

static void test_a_foreign_write_stops_everything(void **state)
{
	struct db *db = *state;
	unsigned int stopped = 0;

	for (uint64_t seed = 1; seed <= ROUNDS; seed++) {
		struct image before, after;
		const struct row *row;
		struct buf difference;
		struct statement s;
		struct record r;
		struct plan *p;
		char *was, *foreign;

		prepare_round(db, seed);
		was = dump(db);
		before = snapshot(db, &tables[0], " ORDER BY rowid");
		run_branch(db, 4);
		after = snapshot(db, &tables[0], " ORDER BY rowid");
		row = changed_row(&before, &after);
		if (!row)
			continue;
		stopped++;
		foreign_write(db, row);
		foreign = dump(db);
		r = store_and_load(db);
		p = read_plan(db, &r);
		buf_init(&difference, &mem_heap);
		assert_int_equal(plan_check(p, &difference), E_DIRTY);
		assert_int_equal(json_check(buf_bytes(&difference)), OK);
		assert_non_null(strstr(buf_text(&difference), "\"foreign\""));
		assert_non_null(
			strstr(buf_text(&difference), "\"dirty\":\"1\""));
		buf_fini(&difference);
		assert_int_equal(plan_next_write(p, 1, &s), E_STATE);
		same(foreign, dump(db), seed);

		/* an operator says: undo it all the same */
		assert_int_equal(
			plan_resolve(p, BYTES("{\"choice\":\"undo\"}"), NULL),
			OK);
		assert_int_equal(plan_check(p, NULL), OK);
		write_plan(db, p);
		same(was, dump(db), seed);
	}
	assert_true(stopped > ROUNDS / 3);
}

/* ---- the undo_log table ---- */

static struct undo_log the_log(void)
{
	return (struct undo_log){ DIALECT_SQLITE, BYTES("main"),
				  BYTES("undo \"log") };
}

/* Run a text; returns the step's result, *first gets column 0 of a row. */
static int run(struct db *db, enum undo_log_text which,
	       const struct value *params, size_t n, struct value *first)
{
	struct undo_log log = the_log();
	struct statement s = { .params = params, .n_params = n };
	sqlite3_stmt *st;
	struct buf b;
	int rc;

	buf_init(&b, &mem_heap);
	if (which == UNDO_LOG_TEXTS)
		undo_log_put_delete(&b, &log, n / 2);
	else
		undo_log_put(&b, &log, which);
	(void)buf_text(&b);
	st = prepare(db, buf_bytes(&b));
	bind(db, st, &s);
	rc = sqlite3_step(st);
	if (first && rc == SQLITE_ROW)
		*first = column_value(db, st, 0);
	sqlite3_finalize(st);
	buf_fini(&b);
	return rc;
}

#define TEXT(t) ((struct value){ VALUE_TEXT, BYTES(t) })
#define INT(t)  ((struct value){ VALUE_INT, BYTES(t) })
#define BLOB(t) ((struct value){ VALUE_BYTES, BYTES(t) })

static void test_the_undo_log_keeps_late_phase_ones_out(void **state)
{
	struct db *db = *state;
	const struct value insert[] = {
		TEXT("h:1:1"),   INT("5"),     INT("1"),
		TEXT("context"), BLOB("info"), INT("0")
	};
	const struct value branch[] = { TEXT("h:1:1"), INT("5") };
	struct value got;

	assert_int_equal(run(db, UNDO_LOG_CREATE, NULL, 0, NULL), SQLITE_DONE);
	assert_int_equal(run(db, UNDO_LOG_CREATE_INDEX, NULL, 0, NULL),
			 SQLITE_DONE);
	assert_int_equal(run(db, UNDO_LOG_CREATE, NULL, 0, NULL), SQLITE_DONE);
	assert_int_equal(run(db, UNDO_LOG_CREATE_INDEX, NULL, 0, NULL),
			 SQLITE_DONE);
	assert_int_equal(run(db, UNDO_LOG_DEFEND, branch, 2, NULL),
			 SQLITE_DONE);
	assert_int_equal(run(db, UNDO_LOG_INSERT, insert, 6, NULL),
			 SQLITE_CONSTRAINT);
	assert_int_equal(run(db, UNDO_LOG_DELETE, branch, 2, NULL),
			 SQLITE_DONE);
	assert_int_equal(run(db, UNDO_LOG_INSERT, insert, 6, NULL),
			 SQLITE_DONE);
	assert_int_equal(run(db, UNDO_LOG_DEFEND, branch, 2, NULL),
			 SQLITE_CONSTRAINT);
	assert_int_equal(run(db, UNDO_LOG_SELECT, branch, 2, &got), SQLITE_ROW);
	assert_true(value_equal(got, INT("1")));
}

static void test_age_purges_defence_rows_only(void **state)
{
	struct db *db = *state;
	const struct value insert[] = {
		TEXT("h:1:1"),   INT("5"),     INT("1"),
		TEXT("context"), BLOB("info"), INT("0")
	};
	const struct value other[] = { TEXT("h:1:2"), INT("6") };
	const struct value hour[] = { INT("3600"), INT("10") };
	const struct value both[] = { TEXT("h:1:1"), INT("5"), TEXT("h:1:2"),
				      INT("6") };
	struct value got;

	must(db, "DROP TABLE IF EXISTS \"undo \"\"log\"");
	assert_int_equal(run(db, UNDO_LOG_CREATE, NULL, 0, NULL), SQLITE_DONE);
	assert_int_equal(run(db, UNDO_LOG_INSERT, insert, 6, NULL),
			 SQLITE_DONE);
	assert_int_equal(run(db, UNDO_LOG_DEFEND, other, 2, NULL), SQLITE_DONE);
	assert_int_equal(run(db, UNDO_LOG_PURGE, hour, 2, NULL), SQLITE_DONE);
	assert_int_equal(sqlite3_changes(db->h), 0);
	assert_int_equal(run(db, UNDO_LOG_LIST_OLD, hour, 2, NULL),
			 SQLITE_DONE);
	must(db, "UPDATE \"undo \"\"log\" SET log_created = "
		 "strftime('%Y-%m-%d %H:%M:%f', 'now', '-3601 seconds')");
	assert_int_equal(run(db, UNDO_LOG_LIST_OLD, hour, 2, &got), SQLITE_ROW);
	assert_true(value_equal(got, TEXT("h:1:1")));
	assert_int_equal(run(db, UNDO_LOG_PURGE, hour, 2, NULL), SQLITE_DONE);
	assert_int_equal(sqlite3_changes(db->h), 1);
	assert_int_equal(run(db, UNDO_LOG_DEFEND, other, 2, NULL), SQLITE_DONE);
	assert_int_equal(run(db, UNDO_LOG_TEXTS, both, 4, NULL), SQLITE_DONE);
	assert_int_equal(sqlite3_changes(db->h), 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_a_branch_is_undone_to_the_byte),
		TEST(test_a_foreign_write_stops_everything),
		TEST(test_the_undo_log_keeps_late_phase_ones_out),
		TEST(test_age_purges_defence_rows_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
