#include "base/arena.h"
#include "base/hash.h"
#include "base/heap.h"
#include "base/list.h"
#include "base/lock_key.h"
#include "base/log.h"
#include "base/map.h"
#include "base/status.h"
#include "base/xid.h"
#include "tests/fakes/flaky.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static void test_what_is_put_is_read_back(void **state)
{
	struct buf b;
	struct reader r;

	(void)state;
	buf_init(&b, &mem_heap);
	buf_put_u8(&b, 7);
	buf_put_u16(&b, 0x1234);
	buf_put_u32(&b, 0xdeadbeef);
	buf_put_u64(&b, 0x0102030405060708u);
	buf_put_bytes(&b, BYTES("hello"));
	buf_printf(&b, "%d-%s", 42, "x");
	assert_int_equal(buf_error(&b), OK);
	r = reader_of(buf_bytes(&b));
	assert_int_equal(read_u8(&r), 7);
	assert_int_equal(read_u16(&r), 0x1234);
	assert_int_equal(read_u32(&r), 0xdeadbeef);
	assert_true(read_u64(&r) == 0x0102030405060708u);
	assert_true(bytes_equal(read_bytes(&r), BYTES("hello")));
	assert_true(bytes_equal(read_raw(&r, 4), BYTES("42-x")));
	assert_true(reader_done(&r));
	assert_int_equal(read_u8(&r), 0);
	assert_true(r.failed);
	buf_fini(&b);
}

static void test_a_buffer_remembers_that_it_failed(void **state)
{
	struct flaky f;
	struct buf b;

	(void)state;
	flaky_init(&f, 0);
	buf_init(&b, &f.mem);
	buf_put_text(&b, "lost");
	buf_put_text(&b, "also lost");
	assert_int_equal(buf_error(&b), E_NOMEM);
	assert_string_equal(buf_text(&b), "");
	buf_fini(&b);
	assert_int_equal(f.live, 0);

	buf_init(&b, &mem_heap);
	b.limit = 4;
	buf_put_text(&b, "1234");
	assert_int_equal(buf_error(&b), OK);
	buf_put_char(&b, '5');
	assert_int_equal(buf_error(&b), E_LIMIT);
	buf_fini(&b);
}

static void test_a_length_that_lies_is_caught(void **state)
{
	const uint8_t lie[] = { 0xff, 0xff, 0xff, 0xff, 1 };
	struct reader r = reader_of((struct bytes){ lie, sizeof lie });

	(void)state;
	assert_int_equal(read_bytes(&r).len, 0);
	assert_true(r.failed);
}

static void test_an_arena_gives_zeroed_memory_again(void **state)
{
	struct arena a;
	char *first;

	(void)state;
	arena_init(&a, &mem_heap, 128);
	first = arena_alloc(&a, 16);
	memset(first, 'x', 16);
	assert_non_null(arena_alloc(&a, 4096));
	arena_reset(&a);
	first = arena_alloc(&a, 16);
	for (int i = 0; i < 16; i++)
		assert_int_equal(first[i], 0);
	assert_string_equal(arena_text(&a, BYTES("abc")), "abc");
	assert_null(arena_array(&a, SIZE_MAX / 2, 4));
	arena_fini(&a);
}

/* The vector of the paper's appendix A: checksums on disk depend on it. */
static void test_the_hash_is_siphash(void **state)
{
	uint8_t input[15];

	(void)state;
	for (uint8_t i = 0; i < sizeof input; i++)
		input[i] = i;
	assert_true(hash_keyed(0x0706050403020100u, 0x0f0e0d0c0b0a0908u,
			       (struct bytes){ input, sizeof input }) ==
		    0xa129ca6149be45e5u);
	assert_true(hash_bytes(0, BYTES("a")) != hash_bytes(1, BYTES("a")));
}

struct item {
	struct map_node node;
	struct heap_node due;
	struct list link;
	uint64_t key;
};

static void test_map_finds_what_was_put(void **state)
{
	struct item items[200] = { 0 };
	struct map m;
	size_t seen = 0;

	(void)state;
	assert_int_equal(map_init(&m, &mem_heap), OK);
	for (size_t i = 0; i < ARRAY_LEN(items); i++) {
		items[i].key = i;
		map_insert(&m, &items[i].node, hash_u64(1, i % 100));
	}
	for (struct map_node *n = map_next(&m, NULL); n; n = map_next(&m, n))
		seen++;
	assert_int_equal(seen, ARRAY_LEN(items));
	for (size_t i = 0; i < 100; i++)
		map_remove(&m, &items[i].node);
	for (size_t i = 0; i < 100; i++) {
		struct map_node *n = map_find(&m, hash_u64(1, i));

		assert_ptr_equal(CONTAINER_OF(n, struct item, node),
				 &items[i + 100]);
		assert_null(map_find_next(n));
	}
	assert_int_equal(m.count, 100);
	map_fini(&m);
}

static void test_map_works_without_memory_to_grow(void **state)
{
	struct item items[100] = { 0 };
	struct flaky f;
	struct map m;

	(void)state;
	flaky_init(&f, 0);
	assert_int_equal(map_init(&m, &f.mem), E_NOMEM);
	flaky_init(&f, 1);
	assert_int_equal(map_init(&m, &f.mem), OK);
	for (size_t i = 0; i < ARRAY_LEN(items); i++)
		map_insert(&m, &items[i].node, hash_u64(1, i));
	for (size_t i = 0; i < ARRAY_LEN(items); i++)
		assert_ptr_equal(map_find(&m, hash_u64(1, i)), &items[i].node);
	map_fini(&m);
	assert_int_equal(f.live, 0);
}

/* Against the plainest model: look at every item for the earliest. */
static void test_heap_hands_out_the_earliest(void **state)
{
	struct item items[64] = { 0 };
	uint64_t seed = 42;
	struct heap h;

	(void)state;
	heap_init(&h, &mem_heap);
	assert_int_equal(heap_reserve(&h, ARRAY_LEN(items)), OK);
	for (int step = 0; step < 5000; step++) {
		struct item *it = &items[random_next(&seed) % 64];
		uint64_t least = UINT64_MAX;

		if (random_next(&seed) % 3)
			heap_set(&h, &it->due, random_next(&seed) % 100);
		else
			heap_remove(&h, &it->due);
		for (size_t i = 0; i < ARRAY_LEN(items); i++)
			if (items[i].due.at && items[i].due.due < least)
				least = items[i].due.due;
		if (heap_first(&h))
			assert_true(heap_first(&h)->due == least);
		else
			assert_true(least == UINT64_MAX);
	}
	heap_fini(&h);
}

static void test_heap_is_first_come_among_equals(void **state)
{
	struct item items[10] = { 0 };
	struct heap h;

	(void)state;
	heap_init(&h, &mem_heap);
	assert_int_equal(heap_reserve(&h, 10), OK);
	for (size_t i = 0; i < 10; i++)
		heap_set(&h, &items[i].due, 5);
	for (size_t i = 0; i < 10; i++) {
		assert_ptr_equal(heap_first(&h), &items[i].due);
		heap_remove(&h, &items[i].due);
	}
	heap_fini(&h);
}

static void test_list_keeps_order_and_survives_removal(void **state)
{
	struct item items[4] = { 0 };
	struct list head;
	uint64_t sum = 0;

	(void)state;
	list_init(&head);
	for (size_t i = 0; i < 4; i++) {
		items[i].key = i;
		list_init(&items[i].link);
		list_append(&head, &items[i].link);
	}
	LIST_EACH(n, &head) {
		sum = sum * 10 + CONTAINER_OF(n, struct item, link)->key;
		list_remove(n);
		list_remove(n);
	}
	assert_int_equal(sum, 123);
	assert_true(list_empty(&head));
	assert_null(list_first(&head));
}

static void test_xid_is_taken_apart_and_put_together(void **state)
{
	static const char *const bad[] = { "",
					   "1",
					   ":1",
					   "a:",
					   "a:0",
					   "a:01",
					   "a:-1",
					   "a:1 ",
					   "a: 1",
					   "a:1x",
					   "a:99999999999999999999",
					   "a:9223372036854775808" };
	struct bytes tc;
	uint64_t number;
	struct buf b;

	(void)state;
	assert_int_equal(xid_parse(BYTES("[::1]:8091:42"), &tc, &number), OK);
	assert_true(bytes_equal(tc, BYTES("[::1]:8091")));
	assert_int_equal(number, 42);
	buf_init(&b, &mem_heap);
	xid_format(&b, tc, number);
	assert_string_equal(buf_text(&b), "[::1]:8091:42");
	buf_fini(&b);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(xid_parse(bytes_of(bad[i]), &tc, &number),
				 E_INVALID);
}

static void test_lock_key_cannot_be_forged_by_a_separator(void **state)
{
	struct buf a, b;
	struct bytes resource, table, values;

	(void)state;
	buf_init(&a, &mem_heap);
	buf_init(&b, &mem_heap);
	lock_key_begin(&a, BYTES("r"), BYTES("t"));
	lock_key_value(&a, BYTES("1,2"));
	lock_key_begin(&b, BYTES("r"), BYTES("t"));
	lock_key_value(&b, BYTES("1"));
	lock_key_value(&b, BYTES("2"));
	assert_false(bytes_equal(buf_bytes(&a), buf_bytes(&b)));
	assert_int_equal(
		lock_key_parse(buf_bytes(&b), &resource, &table, &values), OK);
	assert_true(bytes_equal(table, BYTES("t")));
	buf_clear(&a);
	lock_key_begin(&a, BYTES("r"), BYTES("goods"));
	lock_key_value(&a, BYTES("-17"));
	lock_key_value(&a, BYTES("it's"));
	lock_key_null(&a);
	buf_clear(&b);
	lock_key_print(&b, buf_bytes(&a));
	assert_string_equal(buf_text(&b), "goods(-17, 'it\\'s', NULL)");
	buf_clear(&b);
	lock_key_print(&b, BYTES("ab"));
	assert_string_equal(buf_text(&b), "6162");
	buf_fini(&a);
	buf_fini(&b);
}

static void keep_line(void *ctx, struct bytes line)
{
	buf_clear(ctx);
	buf_put(ctx, line);
}

static void test_a_log_line_is_quoted_and_hides_secrets(void **state)
{
	struct buf line;

	(void)state;
	buf_init(&line, &mem_heap);
	log_set_sink(keep_line, &line);
	LOG_INFO("two words", LOG_S("xid", "h:1:2"), LOG_U("branch", 7),
		 LOG_I("delta", -3), LOG_SECRET("password"),
		 LOG_S("error", "a \"b\"\nc"));
	log_set_sink(NULL, NULL);
	assert_non_null(strstr(buf_text(&line),
			       " level=info msg=\"two words\" xid=h:1:2 "
			       "branch=7 delta=-3 password=*** "
			       "error=\"a \\\"b\\\"\\nc\"\n"));
	buf_fini(&line);
}

static void test_every_status_has_its_seata_name(void **state)
{
	(void)state;
	assert_string_equal(gtx_status_name(13), "TimeoutRollbacked");
	assert_string_equal(branch_status_name(10),
			    "PhaseTwo_RollbackFailed_Unretryable");
	assert_string_equal(branch_mode_name(3), "XA");
	for (int s = 0; s < GTX_STATUSES; s++) {
		assert_non_null(gtx_status_name(s));
		assert_false(gtx_status_finished(s) && gtx_status_hung(s));
	}
	assert_string_equal(gtx_status_name(-1), "Unknown");
	assert_string_equal(err_name(E_DIRTY), "dirty row");
	assert_string_equal(err_name(-99), "unknown error code");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_put_is_read_back),
		cmocka_unit_test(test_a_buffer_remembers_that_it_failed),
		cmocka_unit_test(test_a_length_that_lies_is_caught),
		cmocka_unit_test(test_an_arena_gives_zeroed_memory_again),
		cmocka_unit_test(test_the_hash_is_siphash),
		cmocka_unit_test(test_map_finds_what_was_put),
		cmocka_unit_test(test_map_works_without_memory_to_grow),
		cmocka_unit_test(test_heap_hands_out_the_earliest),
		cmocka_unit_test(test_heap_is_first_come_among_equals),
		cmocka_unit_test(test_list_keeps_order_and_survives_removal),
		cmocka_unit_test(test_xid_is_taken_apart_and_put_together),
		cmocka_unit_test(test_lock_key_cannot_be_forged_by_a_separator),
		cmocka_unit_test(test_a_log_line_is_quoted_and_hides_secrets),
		cmocka_unit_test(test_every_status_has_its_seata_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
