/*
 * The expression language: what each form means, where each error stands, and
 * that nothing made from it at random does harm.
 */

#include "base/hash.h"
#include "tc/saga/expr.h"
#include "tests/fakes/flaky.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static const char *const root =
	"{\"a\":\"x\",\"n\":2,\"f\":19.99,\"t\":true,\"z\":null,"
	"\"id\":9007199254740993,\"huge\":1e100,\"list\":[10,{\"k\":\"v\"}],"
	"\"o\":{\"p\":{\"q\":\"deep\"},\"with space\":1},"
	"\"o2\":{\"with space\":1.0,\"p\":{\"q\":\"deep\"}},"
	"\"\xc3\xa4\":\"umlaut\",\"7\":\"seven\",\"android\":5}";

static int eval(struct arena *a, const char *source, struct bytes *out,
		struct expr_error *why)
{
	struct expr_scope scope = { .exception = BYTES("out_of_stock") };
	const struct val *value;
	const struct expr *e;
	int rc = val_parse(a, bytes_of(root), &scope.root);

	if (rc == OK)
		rc = expr_compile(a, bytes_of(source), &e, why);
	if (rc == OK)
		rc = expr_eval(e, &scope, a, &value, why);
	if (rc == OK)
		rc = val_print(value, a, out);
	return rc;
}

static void gives(const char *source, const char *expected)
{
	struct expr_error why = { 0 };
	struct bytes out = { 0 };
	struct arena a;
	int rc;

	arena_init(&a, &mem_heap, 0);
	rc = eval(&a, source, &out, &why);
	if (rc != OK)
		fail_msg("%s: %s at %zu", source, why.what, why.at);
	if (!bytes_equal(out, bytes_of(expected)))
		fail_msg("%s gave %.*s, not %s", source, (int)out.len,
			 (const char *)out.data, expected);
	arena_fini(&a);
}

static void fails(const char *source, size_t at, const char *what)
{
	struct expr_error why = { 0 };
	struct bytes out = { 0 };
	struct arena a;
	int rc;

	arena_init(&a, &mem_heap, 0);
	rc = eval(&a, source, &out, &why);
	if (rc != E_INVALID)
		fail_msg("%s did not fail", source);
	if (why.at != at || !strstr(why.what, what))
		fail_msg("%s: '%s' at %zu", source, why.what, why.at);
	arena_fini(&a);
}

static void test_paths_lead_to_what_is_there_or_to_null(void **state)
{
	(void)state;
	gives("[a]", "\"x\"");
	gives("a", "\"x\"");
	gives("['a']", "\"x\"");
	gives("[ a ]", "\"x\"");
	gives("#root.a", "\"x\"");
	gives("#root[a]", "\"x\"");
	gives("[o].p.q", "\"deep\"");
	gives("o.p.q", "\"deep\"");
	gives("[o]['p'][q]", "\"deep\"");
	gives("[o]['with space']", "1");
	gives("[o][with space]", "1");
	gives("[list][0]", "10");
	gives("[list][1].k", "\"v\"");
	gives("[list][2]", "null");
	gives("[list].k", "null");
	gives("[nowhere].at.all[3]", "null");
	gives("[\xc3\xa4]", "\"umlaut\"");
	gives("\xc3\xa4", "\"umlaut\"");
	gives("[7]", "\"seven\"");
	gives("#root[7]", "\"seven\"");
	gives("1", "1");
	gives("-1.50", "-1.5");
}

static void test_conditions_of_state_machines(void **state)
{
	(void)state;
	gives("[a] == 'x'", "true");
	gives("[a] == \"x\"", "true");
	gives("[a] != 'x'", "false");
	gives("[n] > 1", "true");
	gives("[n] >= 2 and [n] <= 2", "true");
	gives("[n] < 2 || [t] == true", "true");
	gives("#root == null", "false");
	gives("#root != null", "true");
	gives("[z] == null && [nowhere] == null", "true");
	gives("$Exception{out_of_stock}", "true");
	gives("$Exception{java.lang.Throwable}", "true");
	gives("$Exception{io.x.Other}", "false");
	gives("not [t]", "false");
	gives("!(1 == 2)", "true");
	gives("!!true", "true");
	gives("true or false and false", "true");
	gives("android == 5", "true");
	gives("'it''s' == \"it's\"", "true");
	gives("[a] == 2", "false");
	gives("[o] == [o2]", "true");
	gives("[list] == [o]", "false");
	gives("'abc' < 'abd'", "true");
}

static void test_numbers_are_exact(void **state)
{
	(void)state;
	gives("[id] == 9007199254740992", "false");
	gives("[id] > 9007199254740992", "true");
	gives("[id]", "9007199254740993");
	gives("0.1 + 0.2 == 0.3", "true");
	gives("0.1 + 0.2", "0.3");
	gives("[f] * 100 == 1999", "true");
	gives("1 == 1.000", "true");
	gives("100e-2 == 1", "true");
	gives("1.5e3", "1.5e3");
	gives("1 / 3 < 0.34", "true");
	gives("1 / 3 + 2 / 3 == 1 * 1", "true");
	gives("2 / 5 >= 0.4", "true");
	gives("7 % 4", "3");
	gives("1 - 2 - 3", "-4");
	gives("2 + 3 * 4", "14");
	gives("1 / 8", "0.125");
	gives("-1 / 8", "-0.125");
	gives("-[n] < 0", "true");
	gives("-3 < -2", "true");
	gives("-0.01 + 0", "-0.01");
	gives("[huge] == [huge]", "true");
	gives("9223372036854775807 > 9223372036854775806", "true");
}

static void test_and_or_leave_what_is_decided_alone(void **state)
{
	(void)state;
	gives("true or [a] > 1", "true");
	gives("false and [a] > 1", "false");
	fails("false or [a] > 1", 13, "order");
}

static void test_errors_have_a_position(void **state)
{
	(void)state;
	fails("", 0, "a value");
	fails("[a] == ", 7, "a value");
	fails("[a", 2, "]");
	fails("[]", 1, "a name");
	fails("[a] = 'x'", 4, "an operator");
	fails("'open", 0, "no end");
	fails("(1", 2, ")");
	fails("1 2", 2, "an operator");
	fails("1 == 1 == 1", 7, "an operator");
	fails("[list].size() > 0", 11, "no calls");
	fails("T(java.lang.Runtime)", 1, "no calls");
	fails("$Sequence.BUSINESS_KEY", 0, "a value");
	fails("$Exception{", 11, "the name");
	fails("#other", 0, "a value");
	fails("12ab", 0, "no number");
	fails("a.", 2, "a name");
	fails("[a] > 1", 4, "order");
	fails("[z] < 1", 4, "order");
	fails("[a] + 1", 0, "not a number");
	fails("[n] and true", 0, "neither");
	fails("true and [n]", 9, "neither");
	fails("not [n]", 4, "neither");
	fails("1 / 0", 2, "quotient");
	fails("1.5 % 2", 4, "quotient");
	fails("1 / 3", 2, "decimal");
	fails("[huge] + 1", 0, "too big");
	fails("[huge] == 1", 0, "too big");
	fails("9223372036854775807 + 1 > 0", 20, "too big");
	fails("\xff", 0, "UTF-8");
}

static void test_depth_is_bounded(void **state)
{
	static const char signs[] = "(!-[.";
	char source[4096];

	(void)state;
	for (size_t s = 0; s < sizeof signs - 1; s++) {
		struct expr_error why;
		struct bytes out;
		struct arena a;

		memset(source, signs[s], sizeof source - 1);
		source[sizeof source - 1] = '\0';
		if (signs[s] == '.')
			for (size_t i = 0; i < sizeof source - 1; i += 2)
				source[i] = 'a';
		arena_init(&a, &mem_heap, 0);
		assert_int_equal(eval(&a, source, &out, &why), E_INVALID);
		arena_fini(&a);
	}
}

static void test_anything_at_random_is_an_answer(void **state)
{
	static const char *const pieces[] = {
		"[a]",  "[n]",   "==",   " < ",   "and ",
		" or ", "not ",  "!",    "(",     ")",
		"1",    "'x'",   "null", "true",  ".p",
		"[0]",  "#root", "-",    "+",     "$Exception{x}",
		"/",    "%",     "[o]",  "0.5e2", "\"",
		"\\",   "[",     "]",    "*",     ">=",
		"!=",   "&&",
	};
	uint64_t seed = 7;
	size_t taken = 0;

	(void)state;
	for (int i = 0; i < 60000; i++) {
		size_t n = 1 + random_next(&seed) % 7;
		struct expr_error why = { 0 };
		struct bytes out;
		struct arena a;
		struct buf b;
		int rc;

		buf_init(&b, &mem_heap);
		while (n-- > 0)
			buf_put_text(
				&b,
				pieces[random_next(&seed) % ARRAY_LEN(pieces)]);
		arena_init(&a, &mem_heap, 0);
		rc = eval(&a, buf_text(&b), &out, &why);
		assert_true(rc == OK || rc == E_INVALID);
		if (rc == OK) {
			assert_true(json_valid(out));
			taken++;
		} else {
			assert_non_null(why.what);
			assert_in_range(why.at, 0, b.len);
		}
		arena_fini(&a);
		buf_fini(&b);
	}
	assert_in_range(taken, 1000, 50000);
}

static void test_no_memory_is_said_and_leaks_nothing(void **state)
{
	struct expr_error why;
	struct bytes out;
	struct flaky f;
	long n = -1;
	int rc;

	(void)state;
	do {
		struct arena a;

		flaky_init(&f, ++n);
		arena_init(&a, &f.mem, 1);
		rc = eval(&a,
			  "[o].p['q'] == 'it''s' or -[n] * 3 < 1 and "
			  "$Exception{x}",
			  &out, &why);
		assert_int_equal(rc, f.calls > n ? E_NOMEM : OK);
		arena_fini(&a);
		assert_int_equal(f.live, 0);
	} while (f.calls > n);
	assert_true(n > 40);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_paths_lead_to_what_is_there_or_to_null),
		cmocka_unit_test(test_conditions_of_state_machines),
		cmocka_unit_test(test_numbers_are_exact),
		cmocka_unit_test(test_and_or_leave_what_is_decided_alone),
		cmocka_unit_test(test_errors_have_a_position),
		cmocka_unit_test(test_depth_is_bounded),
		cmocka_unit_test(test_anything_at_random_is_an_answer),
		cmocka_unit_test(test_no_memory_is_said_and_leaks_nothing),
	};

	return cmocka_run_group_tests_name("saga_expr", tests, NULL, NULL);
}
