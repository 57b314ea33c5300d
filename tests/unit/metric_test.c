#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/metric.h"
#include "tests/fakes/flaky.h"

static const uint64_t bounds[] = { 50, 1000, 2500000 };

static void test_a_value_is_counted_in_the_first_bucket_that_holds_it(
	void **state)
{
	struct histogram h;

	(void)state;
	histogram_init(&h, bounds, 3);
	histogram_add(&h, 0);
	histogram_add(&h, 50);
	histogram_add(&h, 51);
	histogram_add(&h, 2500000);
	histogram_add(&h, 2500001);
	assert_int_equal(h.counts[0], 2);
	assert_int_equal(h.counts[1], 1);
	assert_int_equal(h.counts[2], 1);
	assert_int_equal(h.counts[3], 1);
	assert_int_equal(histogram_count(&h), 5);
	assert_int_equal(h.sum, 50 + 51 + 2500000 + 2500001);
}

static void test_a_histogram_is_written_with_buckets_that_add_up(void **state)
{
	static const struct metric_label label[METRIC_LABELS] = {
		{ "request", { (const uint8_t *)"begin", 5 } }
	};
	struct histogram h;
	struct buf b;

	(void)state;
	buf_init(&b, &mem_heap);
	histogram_init(&h, bounds, 3);
	histogram_add(&h, 40);
	histogram_add(&h, 999);
	histogram_add(&h, 3000000);
	metric_head(&b, "x_seconds", METRIC_HISTOGRAM, "How long.");
	metric_put_histogram(&b, "x_seconds", label, &h, 1000000);
	assert_string_equal(
		buf_text(&b),
		"# HELP x_seconds How long.\n"
		"# TYPE x_seconds histogram\n"
		"x_seconds_bucket{request=\"begin\",le=\"0.00005\"} 1\n"
		"x_seconds_bucket{request=\"begin\",le=\"0.001\"} 2\n"
		"x_seconds_bucket{request=\"begin\",le=\"2.5\"} 2\n"
		"x_seconds_bucket{request=\"begin\",le=\"+Inf\"} 3\n"
		"x_seconds_sum{request=\"begin\"} 3.001039\n"
		"x_seconds_count{request=\"begin\"} 3\n");
	buf_clear(&b);
	metric_put_histogram(&b, "rows", NULL, &h, 1);
	assert_non_null(strstr(buf_text(&b), "rows_bucket{le=\"50\"} 1\n"));
	assert_non_null(strstr(buf_text(&b), "\nrows_sum 3001039\n"));
	buf_fini(&b);
}

static void test_values_are_never_rounded(void **state)
{
	static const struct {
		uint64_t value, per;
		const char *text;
	} t[] = {
		{ 0, 1, "n 0\n" },
		{ 7, 1, "n 7\n" },
		{ 0, 1000, "n 0\n" },
		{ 1, 1000000000, "n 0.000000001\n" },
		{ 1000, 1000, "n 1\n" },
		{ 1050, 1000, "n 1.05\n" },
		{ UINT64_MAX, 1, "n 18446744073709551615\n" },
		{ UINT64_MAX, 1000, "n 18446744073709551.615\n" },
	};
	struct buf b;

	(void)state;
	buf_init(&b, &mem_heap);
	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		buf_clear(&b);
		metric_put(&b, "n", NULL, t[i].value, t[i].per);
		assert_string_equal(buf_text(&b), t[i].text);
	}
	buf_fini(&b);
}

static void test_what_would_break_a_line_is_escaped(void **state)
{
	static const struct metric_label labels[METRIC_LABELS] = {
		{ "a", { (const uint8_t *)"x\"y\\z\n", 6 } },
		{ "b", { NULL, 0 } },
	};
	struct buf b;

	(void)state;
	buf_init(&b, &mem_heap);
	metric_head(&b, "n", METRIC_GAUGE, "a \"b\" \\ c\nd");
	metric_put(&b, "n", labels, 1, 1);
	assert_string_equal(buf_text(&b), "# HELP n a \"b\" \\\\ c\\nd\n"
					  "# TYPE n gauge\n"
					  "n{a=\"x\\\"y\\\\z\\n\",b=\"\"} 1\n");
	buf_fini(&b);
}

static void test_without_memory_the_text_says_so(void **state)
{
	struct flaky f;
	struct buf b;

	(void)state;
	flaky_init(&f, 0);
	buf_init(&b, &f.mem);
	metric_put(&b, "n", NULL, 1, 1);
	assert_int_equal(buf_error(&b), E_NOMEM);
	buf_fini(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			test_a_value_is_counted_in_the_first_bucket_that_holds_it),
		cmocka_unit_test(
			test_a_histogram_is_written_with_buckets_that_add_up),
		cmocka_unit_test(test_values_are_never_rounded),
		cmocka_unit_test(test_what_would_break_a_line_is_escaped),
		cmocka_unit_test(test_without_memory_the_text_says_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
