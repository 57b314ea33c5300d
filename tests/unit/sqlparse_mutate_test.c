#include "sqlparse/token.h"
#include "tests/unit/sqlparse/damage.h"
#include "tests/unit/sqlparse/describe.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/*
 * Every case's text, damaged: whatever comes of it must be a description whose
 * parts lie within the text, and a verdict. SEED=n repeats a run, ROUNDS=n
 * makes it longer.
 */

/* ---- what must hold for any text ---- */

static void check_within(struct sql_span part, struct sql_span whole)
{
	if (part.len == 0)
		return;
	assert_true(part.at >= whole.at);
	assert_true(part.at + part.len <= whole.at + whole.len);
}

static void check_expr(const struct sql_statement *st, const struct sql_expr *e)
{
	check_within(e->span, st->span);
	assert_true(e->first_param + e->n_params <= st->n_params);
	for (size_t i = 0; i < st->n_params; i++) {
		size_t at = st->params[i].span.at;
		bool in = at >= e->span.at && at < e->span.at + e->span.len;
		bool said =
			i >= e->first_param && i < e->first_param + e->n_params;

		assert_true(in == said);
	}
}

static void check_statement(const struct sql_script *s,
			    const struct sql_statement *st)
{
	struct buf b;

	assert_true(st->span.at + st->span.len <= s->text.len);
	assert_true(st->kind < SQL_KINDS && st->verdict < SQL_VERDICTS);
	assert_true((st->verdict == SQL_REFUSE) == (st->reason != NULL));
	check_expr(st, &st->where);
	check_expr(st, &st->from);
	check_expr(st, &st->query);
	check_expr(st, &st->limit);
	check_within(st->tail, st->span);
	check_within(st->set, st->span);
	check_within(st->with, st->span);
	check_within(st->returning, st->span);
	check_within(st->target.span, st->span);
	for (size_t i = 0; i < st->n_assigns; i++)
		check_expr(st, &st->assigns[i].value);
	for (size_t i = 0; i < st->n_equals; i++) {
		check_within(st->equals[i].column.span, st->where.span);
		check_within(st->equals[i].value.span, st->where.span);
	}
	for (size_t i = 0; i < st->n_params; i++)
		assert_true(st->params[i].number >= 1);
	if (st->verdict == SQL_PROTECT && st->kind != SQL_SELECT_LOCK)
		assert_true(st->target.name.text.len > 0);
	buf_init(&b, &mem_heap); /* describing touches everything */
	describe_table(&b, s, st);
	describe(&b, s, st);
	assert_int_equal(buf_error(&b), OK);
	buf_fini(&b);
}

/* A copied WHERE must read as the same kind of thing in a new statement. */
static void check_copy(const struct sql_script *s,
		       const struct sql_statement *st)
{
	struct sql_binds binds;
	struct sql_script *again;
	struct buf b;

	if (st->verdict != SQL_PROTECT || st->where.span.len == 0)
		return;
	sql_binds_init(&binds, &mem_heap, 1);
	buf_init(&b, &mem_heap);
	buf_put_text(&b, "DELETE FROM t WHERE ");
	assert_int_equal(sql_copy(s, st, st->where.span, &binds, &b), OK);
	assert_int_equal(
		sql_parse(&mem_heap, s->dialect, NULL, buf_bytes(&b), &again),
		OK);
	if (again->statements[0].verdict == SQL_PROTECT) {
		assert_int_equal(again->n_statements, 1);
		assert_int_equal(again->statements[0].n_equals, st->n_equals);
		assert_int_equal(again->statements[0].n_params,
				 st->where.n_params);
	}
	sql_script_free(again);
	buf_fini(&b);
	sql_binds_fini(&binds);
}

/* The lexer alone, on memory without a byte to spare, for the sanitizer. */
static void check_lexer(enum sql_dialect dialect, struct sql_options o,
			const uint8_t *text, size_t len)
{
	uint8_t *exact = malloc(len ? len : 1);
	struct tokens t;
	size_t end = 0;

	assert_non_null(exact);
	if (len)
		memcpy(exact, text, len);
	o.tokens_max = 1000000;
	assert_int_equal(tokens_cut(&t, &mem_heap, dialect, &o,
				    (struct bytes){ exact, len }),
			 OK);
	for (size_t i = 0; i < t.n; i++) {
		assert_true(t.items[i].at >= end);
		end = t.items[i].at + t.items[i].len;
	}
	assert_true(end <= len);
	tokens_fini(&t);
	free(exact);
}

static void check_text(unsigned bit, const uint8_t *text, size_t len)
{
	struct sql_script *s = NULL;
	struct sql_options o;
	enum sql_dialect dialect = server_options(bit, &o);

	check_lexer(dialect, o, text, len);
	assert_int_equal(sql_parse(&mem_heap, dialect, &o,
				   (struct bytes){ text, len }, &s),
			 OK);
	assert_true(s->n_statements >= 1);
	for (size_t i = 0; i < s->n_statements; i++) {
		check_statement(s, &s->statements[i]);
		if (bit < 3)
			check_copy(s, &s->statements[i]);
	}
	sql_script_free(s);
}

static void test_every_beginning_of_every_case_has_a_verdict(void **state)
{
	(void)state;
	for (size_t t = 0; t < ARRAY_LEN(all_cases); t++) {
		for (size_t i = 0; i < all_cases[t].n; i++) {
			const char *text = all_cases[t].cases[i].text;

			for (size_t n = 0; n <= strlen(text); n++) {
				for (unsigned bit = 0; bit < 3; bit++)
					check_text(bit, (const uint8_t *)text,
						   n);
			}
		}
	}
}

static void test_damaged_texts_have_a_verdict(void **state)
{
	uint64_t seed = from_environment("SEED", 20240229);
	uint64_t rounds = from_environment("ROUNDS", 60000);
	struct random r = { seed };
	struct text t;

	(void)state;
	print_message("SEED=%llu\n", (unsigned long long)seed);
	for (uint64_t i = 0; i < rounds; i++) {
		load(&t, any_case(&r)->text);
		for (uint32_t n = 1 + draw(&r, 4); n > 0; n--)
			damage(&r, &t);
		check_text(draw(&r, SERVERS), t.data, t.len);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			test_every_beginning_of_every_case_has_a_verdict),
		cmocka_unit_test(test_damaged_texts_have_a_verdict),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
