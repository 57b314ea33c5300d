/* Bodies of rows that outlive an upgrade. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/tagged.h"

static void test_fields_are_read_as_written_and_zeros_are_left_out(void **state)
{
	struct reader r;
	struct tagged t;
	struct buf b;
	uint64_t v = 0;

	(void)state;
	buf_init(&b, &mem_heap);
	tagged_begin(&b, 3);
	tagged_put_number(&b, 1, 0);
	tagged_put_bytes(&b, 2, BYTES(""));
	tagged_put_number(&b, 3, 0x0102030405060708);
	tagged_put_bytes(&b, 255, BYTES("text"));
	assert_int_equal(tagged_open(&r, buf_bytes(&b), 3), OK);
	assert_true(tagged_next(&r, &t));
	assert_int_equal(t.tag, 3);
	assert_true(tagged_number(&t, UINT64_MAX, &v));
	assert_true(v == 0x0102030405060708);
	assert_false(tagged_number(&t, v - 1, &v));
	assert_true(tagged_next(&r, &t));
	assert_int_equal(t.tag, 255);
	assert_true(bytes_equal(t.bytes, BYTES("text")));
	assert_false(tagged_number(&t, UINT64_MAX, &v)); /* not 8 bytes */
	assert_false(tagged_next(&r, &t));
	assert_false(r.failed);
	buf_fini(&b);
}

static void test_versions_and_cuts_are_told(void **state)
{
	struct reader r;
	struct tagged t;
	struct buf b;

	(void)state;
	buf_init(&b, &mem_heap);
	tagged_begin(&b, 2);
	tagged_put_bytes(&b, 1, BYTES("ab"));
	assert_int_equal(tagged_open(&r, buf_bytes(&b), 1), E_VERSION);
	assert_int_equal(tagged_open(&r, BYTES(""), 1), E_CORRUPT);
	assert_int_equal(tagged_open(&r, BYTES("\0"), 1), E_CORRUPT);
	for (size_t n = 2; n < b.len; n++) {
		assert_int_equal(
			tagged_open(&r, (struct bytes){ b.data, n }, 2), OK);
		assert_false(tagged_next(&r, &t));
		assert_true(r.failed);
		assert_false(tagged_next(&r, &t)); /* for good */
	}
	buf_fini(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			test_fields_are_read_as_written_and_zeros_are_left_out),
		cmocka_unit_test(test_versions_and_cuts_are_told),
	};
	return cmocka_run_group_tests_name("tagged", tests, NULL, NULL);
}
