#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "base/hash.h"
#include "tc/core/roll.h"
#include "tests/fakes/flaky.h"

static int items[3000];

static void test_what_was_added_is_found_in_order(void **state)
{
	const char *text = getenv("SEED");
	uint64_t rng = text ? strtoull(text, NULL, 10) : 3, at = 0;
	bool here[3000] = { false };
	size_t count = 0;
	struct roll r;

	(void)state;
	roll_init(&r, &mem_heap);
	for (uint64_t n = 1; n < 3000; n++) {
		uint64_t victim = 1 + random_next(&rng) % n;

		assert_int_equal(roll_reserve(&r), OK);
		roll_add(&r, n, &items[n]);
		here[n] = true;
		count++;
		for (int i = 0; i < 2; i++, victim = n / 2 + 1) {
			if (!here[victim] || random_next(&rng) % 3 == 0)
				continue;
			roll_remove(&r, victim);
			here[victim] = false;
			count--;
		}
		assert_int_equal(r.count, count);
		assert_true(r.n <= 2 * count + 16); /* holes are closed */
	}
	for (uint64_t n = 0; n < 3000; n++) {
		assert_ptr_equal(roll_find(&r, n), here[n] ? &items[n] : NULL);
		if (!here[n])
			continue;
		assert_ptr_equal(roll_after(&r, at), &items[n]);
		at = n;
	}
	assert_null(roll_after(&r, at));
	roll_fini(&r);
}

static void test_loading_takes_any_order(void **state)
{
	struct roll r;

	(void)state;
	roll_init(&r, &mem_heap);
	for (uint64_t n = 0; n < 1000; n++) {
		uint64_t number = (n * 379) % 1000 + 1;

		assert_int_equal(roll_reserve(&r), OK);
		roll_append(&r, number, &items[number]);
	}
	assert_true(roll_sort(&r));
	for (uint64_t n = 1; n <= 1000; n++)
		assert_ptr_equal(roll_after(&r, n - 1), &items[n]);
	assert_int_equal(roll_reserve(&r), OK);
	roll_append(&r, 500, &items[500]);
	assert_false(roll_sort(&r)); /* a number came twice */
	roll_fini(&r);
}

static void test_an_empty_roll_has_nothing(void **state)
{
	struct roll r;

	(void)state;
	roll_init(&r, &mem_heap);
	assert_true(roll_sort(&r));
	assert_null(roll_find(&r, 1));
	assert_null(roll_after(&r, 0));
	roll_fini(&r);
}

static void test_no_memory_leaves_it_as_it_was(void **state)
{
	struct flaky flaky;
	struct roll r;

	(void)state;
	flaky_init(&flaky, 1);
	roll_init(&r, &flaky.mem);
	for (uint64_t n = 1; n <= 64; n++) {
		assert_int_equal(roll_reserve(&r), OK);
		roll_add(&r, n, &items[n]);
	}
	assert_int_equal(roll_reserve(&r), E_NOMEM);
	assert_int_equal(r.count, 64);
	assert_ptr_equal(roll_find(&r, 64), &items[64]);
	roll_fini(&r);
	assert_int_equal(flaky.live, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_was_added_is_found_in_order),
		cmocka_unit_test(test_loading_takes_any_order),
		cmocka_unit_test(test_an_empty_roll_has_nothing),
		cmocka_unit_test(test_no_memory_leaves_it_as_it_was),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
