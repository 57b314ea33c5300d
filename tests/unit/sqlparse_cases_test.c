#include "tests/unit/sqlparse/cases.h"
#include "tests/unit/sqlparse/describe.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

/*
 * The case tables, and the table of kinds by dialect that docs show:
 *
 *   unit_sqlparse_cases_test --kinds       Markdown on standard output
 */

static struct sql_script *parse(const struct sql_case *c, unsigned bit)
{
	struct sql_script *s = NULL;
	struct sql_options options;
	enum sql_dialect dialect = server_options(bit, &options);
	int rc = sql_parse(&mem_heap, dialect, &options, bytes_of(c->text), &s);

	assert_int_equal(rc, OK);
	return s;
}

static bool starts_with(const char *text, const char *with)
{
	if (!text || !with)
		return text == with;
	return strncmp(text, with, strlen(with)) == 0;
}

static bool check_case(const struct sql_case *c, unsigned bit)
{
	struct sql_script *s = parse(c, bit);
	const struct sql_statement *st = &s->statements[0];
	struct buf table, parts;
	bool ok;

	buf_init(&table, &mem_heap);
	buf_init(&parts, &mem_heap);
	describe_table(&table, s, st);
	describe(&parts, s, st);
	ok = s->n_statements == 1 && st->kind == c->kind &&
	     st->verdict == c->verdict && starts_with(st->reason, c->why) &&
	     strcmp(buf_text(&table), c->table) == 0 &&
	     strcmp(buf_text(&parts), c->parts) == 0;
	if (!ok)
		print_error("server %u: %s\n  %s, %s, table \"%s\"\n  %s\n"
			    "  reason: %s\n",
			    1u << bit, c->text, sql_kind_name(st->kind),
			    sql_verdict_name(st->verdict), buf_text(&table),
			    buf_text(&parts), st->reason ? st->reason : "none");
	buf_fini(&table);
	buf_fini(&parts);
	sql_script_free(s);
	return ok;
}

static void test_every_case_is_described_as_written(void **state)
{
	size_t wrong = 0, rows = 0;

	(void)state;
	for (size_t t = 0; t < ARRAY_LEN(all_cases); t++) {
		for (size_t i = 0; i < all_cases[t].n; i++) {
			const struct sql_case *c = &all_cases[t].cases[i];

			rows++;
			for (unsigned bit = 0; bit < SERVERS; bit++) {
				if (c->servers & (1u << bit))
					wrong += !check_case(c, bit);
			}
		}
	}
	assert_true(rows >= 400);
	assert_int_equal(wrong, 0);
}

/* ---- the table of kinds ---- */

/* Which verdicts the tables hold for a kind in a dialect, as bits. */
static unsigned verdicts(enum sql_kind kind, enum sql_dialect dialect)
{
	unsigned found = 0;

	for (size_t t = 0; t < ARRAY_LEN(all_cases); t++) {
		for (size_t i = 0; i < all_cases[t].n; i++) {
			const struct sql_case *c = &all_cases[t].cases[i];

			for (unsigned bit = 0; bit < SERVERS; bit++) {
				struct sql_options o;

				if ((c->servers & (1u << bit)) &&
				    c->kind == kind &&
				    server_options(bit, &o) == dialect)
					found |= 1u << c->verdict;
			}
		}
	}
	return found;
}

static void print_cell(unsigned found)
{
	bool first = true;

	for (int v = SQL_PROTECT; v >= SQL_REFUSE; v--) {
		if (!(found & (1u << v)))
			continue;
		printf("%s%s", first ? "" : ", ",
		       sql_verdict_name((enum sql_verdict)v));
		first = false;
	}
	printf("%s | ", first ? "-" : "");
}

static void print_kinds(void)
{
	printf("| statement | PostgreSQL | MySQL, MariaDB | SQLite |\n"
	       "|---|---|---|---|\n");
	for (int kind = 0; kind < SQL_KINDS; kind++) {
		printf("| %s | ", sql_kind_name((enum sql_kind)kind));
		for (int d = 0; d < SQL_DIALECTS; d++)
			print_cell(verdicts((enum sql_kind)kind,
					    (enum sql_dialect)d));
		printf("\n");
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_case_is_described_as_written),
	};

	if (argc > 1 && strcmp(argv[1], "--kinds") == 0) {
		print_kinds();
		return 0;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
