#include "tests/unit/sqlparse/damage.h"

#include <setjmp.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

/*
 * What SQLite itself says about a statement, through its authorizer, against
 * what the parser says: which table is written, which columns, which tables
 * are read, how parameters are numbered and where the statement ends. Cases
 * of all dialects and damaged ones; what SQLite does not take is no witness.
 * SEED=n repeats a run, ROUNDS=n makes it longer.
 */

enum { NAMES_MAX = 64, NAME_MAX_LEN = 80 };

struct names {
	char list[NAMES_MAX][NAME_MAX_LEN];
	size_t n;
};

static void add(struct names *names, const char *name)
{
	size_t len = strlen(name);

	for (size_t i = 0; i < names->n; i++) {
		if (sqlite3_stricmp(names->list[i], name) == 0)
			return;
	}
	if (names->n == NAMES_MAX || len >= NAME_MAX_LEN)
		return;
	memcpy(names->list[names->n++], name, len + 1);
}

/* What SQLite asked leave for while it compiled a statement. */
struct witness {
	struct names written;
	struct names columns; /* of UPDATE; with conflict clauses too */
	struct names read;
	bool other; /* schema, transactions, pragmas, ... */
};

static int authorize(void *ctx, int action, const char *a, const char *b,
		     const char *database, const char *inner)
{
	struct witness *w = ctx;

	(void)database;
	(void)inner;
	/* Table functions are created when they are first used. */
	if (a && sqlite3_strnicmp(a, "sqlite_", 7) == 0)
		return SQLITE_OK;
	switch (action) {
	case SQLITE_INSERT:
	case SQLITE_DELETE:
		add(&w->written, a);
		break;
	case SQLITE_UPDATE:
		add(&w->written, a);
		add(&w->columns, b);
		break;
	case SQLITE_READ:
		add(&w->read, a);
		break;
	case SQLITE_SELECT:
	case SQLITE_FUNCTION:
	case SQLITE_RECURSIVE:
		break;
	default:
		w->other = true;
		break;
	}
	return SQLITE_OK;
}

static const char *const tables[] = { "t", "u", "v", "w", "account" };

/* Not a WITH query, nor a table function. */
static bool is_table(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(tables); i++) {
		if (sqlite3_stricmp(tables[i], name) == 0)
			return true;
	}
	return false;
}

static sqlite3 *open_database(void)
{
	sqlite3 *db = NULL;

	assert_int_equal(sqlite3_open(":memory:", &db), SQLITE_OK);
	for (size_t i = 0; i < ARRAY_LEN(tables); i++) {
		char *sql = sqlite3_mprintf(
			"CREATE TABLE %s (id INTEGER PRIMARY KEY, a UNIQUE, b, "
			"c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, x, "
			"y, z, name, balance, count, parent, left_, right_, "
			"end_, UNIQUE (b), UNIQUE (a, b)); "
			"CREATE INDEX idx_%s ON %s (c)",
			tables[i], tables[i], tables[i]);

		assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL),
				 SQLITE_OK);
		sqlite3_free(sql);
	}
	return db;
}

/* The text at hand, for what a failed check prints. */
static const char *text_now;

#define AGREE(cond)                                                            \
	do {                                                                   \
		if (!(cond))                                                   \
			fail_msg("%s\n  not: %s", text_now, #cond);            \
	} while (0)

static bool named(const struct sql_name *name, const char *text)
{
	return sql_same_name(SQL_SQLITE, name->text, bytes_of(text));
}

static bool is_write(const struct sql_statement *st)
{
	return st->kind == SQL_INSERT || st->kind == SQL_REPLACE ||
	       st->kind == SQL_UPDATE || st->kind == SQL_DELETE;
}

static void check_written(const struct sql_statement *st,
			  const struct witness *w, sqlite3_stmt *compiled)
{
	if (st->verdict == SQL_PASS && st->kind == SQL_READ && !w->other)
		AGREE(sqlite3_stmt_readonly(compiled));
	if (w->written.n == 0 || w->other || st->verdict == SQL_REFUSE)
		return;
	AGREE(st->verdict == SQL_PROTECT);
	AGREE(is_write(st));
	AGREE(w->written.n == 1);
	AGREE(named(&st->target.name, w->written.list[0]));
}

static bool assigns(const struct sql_assign *a, size_t n, const char *column)
{
	for (size_t i = 0; i < n; i++) {
		for (size_t c = 0; c < a[i].n_columns; c++) {
			if (named(&a[i].columns[c].name, column))
				return true;
		}
	}
	return false;
}

static void check_columns(const struct sql_statement *st,
			  const struct witness *w)
{
	if (st->verdict != SQL_PROTECT)
		return;
	for (size_t i = 0; i < w->columns.n; i++) {
		const char *column = w->columns.list[i];
		bool found = assigns(st->assigns, st->n_assigns, column);

		for (size_t u = 0; u < st->n_upserts; u++)
			found |= assigns(st->upserts[u].assigns,
					 st->upserts[u].n_assigns, column);
		AGREE(found);
	}
}

static void check_read(const struct sql_statement *st, const struct witness *w)
{
	if (st->verdict == SQL_REFUSE || !(is_write(st) || st->select_list.len))
		return;
	for (size_t i = 0; i < w->read.n; i++) {
		bool found = named(&st->target.name, w->read.list[i]) ||
			     !is_table(w->read.list[i]);

		for (size_t r = 0; r < st->n_reads; r++)
			found |= named(&st->reads[r].name, w->read.list[i]);
		AGREE(found);
	}
}

static void check_params(const struct sql_statement *st, sqlite3_stmt *compiled)
{
	size_t largest = 0;

	for (size_t i = 0; i < st->n_params; i++) {
		const struct sql_param *p = &st->params[i];
		const char *name =
			sqlite3_bind_parameter_name(compiled, (int)p->number);

		if (p->number > largest)
			largest = p->number;
		if (p->style == SQL_PARAM_NAMED)
			AGREE(name && bytes_equal(p->name, bytes_of(name)));
	}
	AGREE((size_t)sqlite3_bind_parameter_count(compiled) == largest);
}

/* True if SQLite took it as well as we did. */
static bool compare(sqlite3 *db, const char *text)
{
	struct witness w = { 0 };
	struct sql_script *s = NULL;
	const struct sql_statement *st;
	sqlite3_stmt *compiled = NULL;
	const char *tail = text;
	bool taken = false;

	text_now = text;
	sqlite3_set_authorizer(db, authorize, &w);
	(void)sqlite3_prepare_v2(db, text, -1, &compiled, &tail);
	assert_int_equal(
		sql_parse(&mem_heap, SQL_SQLITE, NULL, bytes_of(text), &s), OK);
	st = &s->statements[0];
	/* An EXPLAIN asks leave for what it does not do. */
	if (compiled && st->kind != SQL_UNKNOWN &&
	    !sqlite3_stmt_isexplain(compiled)) {
		check_written(st, &w, compiled);
		check_columns(st, &w);
		check_read(st, &w);
		check_params(st, compiled);
		AGREE(st->span.at + st->span.len <= (size_t)(tail - text));
		if (s->n_statements > 1)
			AGREE(s->statements[1].span.at >=
			      (size_t)(tail - text));
		taken = true;
	}
	sql_script_free(s);
	sqlite3_finalize(compiled);
	return taken;
}

static void test_sqlite_agrees_about_every_case(void **state)
{
	sqlite3 *db = open_database();
	size_t agreed = 0;

	(void)state;
	for (size_t t = 0; t < ARRAY_LEN(all_cases); t++) {
		for (size_t i = 0; i < all_cases[t].n; i++)
			agreed += compare(db, all_cases[t].cases[i].text);
	}
	print_message("%zu texts compared\n", agreed);
	assert_true(agreed > 150);
	sqlite3_close(db);
}

static void test_sqlite_agrees_about_damaged_texts(void **state)
{
	uint64_t seed = from_environment("SEED", 31337);
	uint64_t rounds = from_environment("ROUNDS", 30000);
	struct random r = { seed };
	sqlite3 *db = open_database();
	size_t agreed = 0;
	struct text t;

	(void)state;
	print_message("SEED=%llu\n", (unsigned long long)seed);
	for (uint64_t i = 0; i < rounds; i++) {
		char text[TEXT_MAX + 1] = { 0 };

		load(&t, any_case(&r)->text);
		damage(&r, &t);
		if (draw(&r, 2))
			damage(&r, &t);
		memcpy(text, t.data, t.len);
		agreed += compare(db, text);
	}
	print_message("%zu texts compared\n", agreed);
	assert_true(rounds < 10000 || agreed > rounds / 100);
	sqlite3_close(db);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sqlite_agrees_about_every_case),
		cmocka_unit_test(test_sqlite_agrees_about_damaged_texts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
