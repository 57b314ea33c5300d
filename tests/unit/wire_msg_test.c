#include "base/arena.h"
#include "base/hash.h"
#include "tests/fakes/flaky.h"
#include "tests/fakes/msg_fields.h"
#include "wire/msg.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static const enum msg_type types[] = {
	MSG_HELLO,        MSG_PING,        MSG_BEGIN,       MSG_REGISTER,
	MSG_REPORT,       MSG_COMMIT,      MSG_ROLLBACK,    MSG_STATUS,
	MSG_LOCK_CHECK,   MSG_IDS,         MSG_WELCOME,     MSG_PONG,
	MSG_REPLY,        MSG_BRANCH_DONE, MSG_COMMAND,     MSG_BYE,
	MSG_HELLO_WANTED, MSG_SUBSCRIBE,   MSG_UNSUBSCRIBE, MSG_SAGA_START,
	MSG_SAGA_MOVE,    MSG_SAGA_SHOW,   MSG_MACHINE_PUT, MSG_MACHINE_DROP,
};

static struct bytes random_bytes(struct arena *a, uint64_t *seed, size_t max)
{
	size_t len = (size_t)(random_next(seed) % (max + 1));
	uint8_t *p = arena_alloc(a, len + 1);

	assert_non_null(p);
	for (size_t i = 0; i < len; i++)
		p[i] = (uint8_t)random_next(seed);
	return (struct bytes){ p, len };
}

static struct msg random_msg(struct arena *a, uint64_t *seed)
{
	struct msg m = { 0 };
	uint64_t *numbers[] = MSG_NUMBERS(&m);
	struct bytes *texts[] = MSG_TEXTS(&m);
	bool *flags[] = MSG_FLAGS(&m);
	struct bytes *list;
	uint64_t *schedule;

	m.type = types[random_next(seed) % ARRAY_LEN(types)];
	m.id = random_next(seed);
	for (size_t i = 0; i < ARRAY_LEN(flags); i++)
		*flags[i] = random_next(seed) % 2;
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
		if (random_next(seed) % 2)
			*numbers[i] =
				random_next(seed) >> (random_next(seed) % 64);
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		if (random_next(seed) % 2)
			*texts[i] = random_bytes(a, seed, 40);
	m.n_list = (size_t)(random_next(seed) % 5);
	list = arena_array(a, m.n_list + 1, sizeof *list);
	assert_non_null(list);
	for (size_t i = 0; i < m.n_list; i++)
		list[i] = random_bytes(a, seed, 20);
	m.list = list;
	m.n_schedule = (size_t)(random_next(seed) % 5);
	schedule = arena_array(a, m.n_schedule + 1, sizeof *schedule);
	assert_non_null(schedule);
	for (size_t i = 0; i < m.n_schedule; i++)
		schedule[i] = random_next(seed);
	m.schedule_ms = schedule;
	return m;
}

static void assert_same(struct msg a, struct msg b)
{
	uint64_t *na[] = MSG_NUMBERS(&a), *nb[] = MSG_NUMBERS(&b);
	struct bytes *ta[] = MSG_TEXTS(&a), *tb[] = MSG_TEXTS(&b);
	bool *fa[] = MSG_FLAGS(&a), *fb[] = MSG_FLAGS(&b);

	assert_int_equal(a.type, b.type);
	assert_true(a.id == b.id);
	for (size_t i = 0; i < ARRAY_LEN(fa); i++)
		assert_int_equal(*fa[i], *fb[i]);
	for (size_t i = 0; i < ARRAY_LEN(na); i++)
		assert_true(*na[i] == *nb[i]);
	for (size_t i = 0; i < ARRAY_LEN(ta); i++)
		assert_true(bytes_equal(*ta[i], *tb[i]));
	assert_int_equal(a.n_list, b.n_list);
	for (size_t i = 0; i < a.n_list; i++)
		assert_true(bytes_equal(a.list[i], b.list[i]));
	assert_int_equal(a.n_schedule, b.n_schedule);
	for (size_t i = 0; i < a.n_schedule; i++)
		assert_true(a.schedule_ms[i] == b.schedule_ms[i]);
}

static void test_the_field_lists_of_this_test_are_complete(void **state)
{
	size_t bytes = MSG_N_TEXTS * sizeof(struct bytes) + MSG_N_NUMBERS * 8;

	(void)state;
	/* type, id, and the flags (all but id padded to 8): ordered; topic;
	 * existed and in_progress; compensation. List and schedule. */
	assert_int_equal(sizeof(struct msg), bytes + 10 * 8);
}

static void test_random_messages_come_back_as_they_went(void **state)
{
	uint64_t seed = 20260101;
	struct arena a;
	struct buf b;

	(void)state;
	arena_init(&a, &mem_heap, 0);
	buf_init(&b, &mem_heap);
	for (int i = 0; i < 3000; i++) {
		struct msg m = random_msg(&a, &seed), got;

		buf_clear(&b);
		assert_int_equal(msg_encode(&b, &m), OK);
		assert_int_equal(msg_decode(&got, &a.as_mem, buf_bytes(&b)),
				 OK);
		assert_same(m, got);
		arena_reset(&a);
	}
	buf_fini(&b);
	arena_fini(&a);
}

/* A cut at a field's end is a valid, shorter message; it must then say just
 * what was kept. Any other cut is refused. */
static void test_a_cut_is_refused_unless_it_is_between_fields(void **state)
{
	struct bytes keys[] = { BYTES("k1"), BYTES("") };
	struct msg m = { .type = MSG_REGISTER,
			 .id = 9,
			 .xid = BYTES("h:1:2"),
			 .mode = 1,
			 .ordered = true,
			 .list = keys,
			 .n_list = 2 };
	/* version, type, id | xid | ordered | mode | k1 | "" */
	const size_t ends[] = { 10, 20, 26, 39, 46, 51 };
	struct arena a;
	struct buf b;
	size_t at = 0;

	(void)state;
	arena_init(&a, &mem_heap, 0);
	buf_init(&b, &mem_heap);
	assert_int_equal(msg_encode(&b, &m), OK);
	assert_int_equal(b.len, ends[ARRAY_LEN(ends) - 1]);
	for (size_t n = 0; n <= b.len; n++) {
		/* a copy of exactly n bytes, for the address sanitizer */
		uint8_t *cut = malloc(n ? n : 1);
		struct msg got;
		int rc;

		assert_non_null(cut);
		memcpy(cut, b.data, n);
		rc = msg_decode(&got, &a.as_mem, (struct bytes){ cut, n });
		assert_int_equal(rc, n == ends[at] ? OK : E_INVALID);
		at += rc == OK;
		free(cut);
	}
	assert_int_equal(at, ARRAY_LEN(ends));
	buf_fini(&b);
	arena_fini(&a);
}

static void test_a_damaged_message_is_refused_or_well_formed(void **state)
{
	uint64_t seed = 7;
	struct arena a;
	struct buf b, again;

	(void)state;
	arena_init(&a, &mem_heap, 0);
	buf_init(&b, &mem_heap);
	buf_init(&again, &mem_heap);
	for (int i = 0; i < 20000; i++) {
		struct msg m = random_msg(&a, &seed), got, twice;
		int hits = 1 + (int)(random_next(&seed) % 4);
		int rc;

		buf_clear(&b);
		buf_clear(&again);
		assert_int_equal(msg_encode(&b, &m), OK);
		while (hits-- > 0)
			b.data[random_next(&seed) % b.len] =
				(uint8_t)random_next(&seed);
		rc = msg_decode(&got, &a.as_mem, buf_bytes(&b));
		assert_true(rc == OK || rc == E_INVALID || rc == E_VERSION);
		if (rc == OK) {
			assert_int_equal(msg_encode(&again, &got), OK);
			assert_int_equal(msg_decode(&twice, &a.as_mem,
						    buf_bytes(&again)),
					 OK);
			assert_same(got, twice);
		}
		arena_reset(&a);
	}
	buf_fini(&again);
	buf_fini(&b);
	arena_fini(&a);
}

static void start(struct buf *b, uint8_t version, uint8_t type)
{
	buf_clear(b);
	buf_put_u8(b, version);
	buf_put_u8(b, type);
	buf_put_u64(b, 5);
}

static void field(struct buf *b, uint8_t tag, size_t len)
{
	buf_put_u8(b, tag);
	buf_put_u32(b, (uint32_t)len);
	while (len-- > 0)
		buf_put_u8(b, 1);
}

static int decode(struct arena *a, struct buf *b, struct msg *m)
{
	assert_int_equal(buf_error(b), OK);
	return msg_decode(m, &a->as_mem, buf_bytes(b));
}

static void test_what_is_newer_is_skipped_and_what_is_wrong_refused(
	void **state)
{
	struct arena a;
	struct msg m;
	struct buf b;

	(void)state;
	arena_init(&a, &mem_heap, 0);
	buf_init(&b, &mem_heap);

	start(&b, MSG_VERSION, MSG_PING);
	field(&b, 250, 3);
	field(&b, 250, 0);
	field(&b, 3, 8); /* branch */
	assert_int_equal(decode(&a, &b, &m), OK);
	assert_int_equal(m.type, MSG_PING);
	assert_true(m.branch == 0x0101010101010101u);

	start(&b, MSG_VERSION + 1, MSG_PING);
	assert_int_equal(decode(&a, &b, &m), E_VERSION);
	start(&b, MSG_VERSION, 63);
	assert_int_equal(decode(&a, &b, &m), E_INVALID);
	start(&b, MSG_VERSION, 0);
	assert_int_equal(decode(&a, &b, &m), E_INVALID);
	start(&b, MSG_VERSION, MSG_PING);
	field(&b, 3, 7);
	assert_int_equal(decode(&a, &b, &m), E_INVALID);
	start(&b, MSG_VERSION, MSG_PING);
	field(&b, 8, 2); /* ordered */
	assert_int_equal(decode(&a, &b, &m), E_INVALID);
	start(&b, MSG_VERSION, MSG_PING);
	field(&b, 3, 8);
	field(&b, 3, 8);
	assert_int_equal(decode(&a, &b, &m), E_INVALID);
	buf_fini(&b);
	arena_fini(&a);
}

static void test_a_list_has_a_limit(void **state)
{
	struct msg m = { .type = MSG_REGISTER, .n_list = MSG_LIST_MAX };
	struct bytes *list = calloc(MSG_LIST_MAX + 1, sizeof *list);
	struct arena a;
	struct buf b;

	(void)state;
	assert_non_null(list);
	arena_init(&a, &mem_heap, 0);
	buf_init(&b, &mem_heap);
	m.list = list;
	assert_int_equal(msg_encode(&b, &m), OK);
	assert_int_equal(decode(&a, &b, &m), OK);
	assert_int_equal(m.n_list, MSG_LIST_MAX);
	field(&b, 1, 0);
	assert_int_equal(decode(&a, &b, &m), E_LIMIT);
	m.list = list;
	m.n_list = MSG_LIST_MAX + 1;
	buf_clear(&b);
	assert_int_equal(msg_encode(&b, &m), E_LIMIT);
	buf_fini(&b);
	arena_fini(&a);
	free(list);
}

static void test_a_schedule_is_whole_and_has_a_limit(void **state)
{
	static const uint64_t ms[MSG_SCHEDULE_MAX + 1] = { 100, 200 };
	struct msg m = { .type = MSG_REGISTER,
			 .schedule_ms = ms,
			 .n_schedule = MSG_SCHEDULE_MAX };
	struct arena a;
	struct buf b;

	(void)state;
	arena_init(&a, &mem_heap, 0);
	buf_init(&b, &mem_heap);
	assert_int_equal(msg_encode(&b, &m), OK);
	assert_int_equal(decode(&a, &b, &m), OK);
	assert_int_equal(m.n_schedule, MSG_SCHEDULE_MAX);
	assert_true(m.schedule_ms[1] == 200);
	m.n_schedule++;
	assert_int_equal(msg_encode(&b, &m), E_LIMIT);
	start(&b, MSG_VERSION, MSG_REGISTER);
	field(&b, 38, 9); /* one and a bit */
	assert_int_equal(decode(&a, &b, &m), E_INVALID);
	start(&b, MSG_VERSION, MSG_REGISTER);
	field(&b, 38, (MSG_SCHEDULE_MAX + 1) * 8);
	assert_int_equal(decode(&a, &b, &m), E_LIMIT);
	buf_fini(&b);
	arena_fini(&a);
}

/* What the first release knows is sent to it; what it would take for something
 * else is not. */
static void test_the_level_is_that_of_the_first_who_understands(void **state)
{
	const struct msg first[] = {
		{ .type = MSG_BEGIN, .name = BYTES("n"), .timeout_ms = 5 },
		{ .type = MSG_REGISTER, .mode = MODE_AT },
		{ .type = MSG_REGISTER, .mode = MODE_XA },
		{ .type = MSG_COMMIT },
		{ .type = MSG_HELLO, .level = LEVEL_OURS },
		{ .type = MSG_BRANCH_DONE, .command = 3 },
	};
	const struct msg services[] = {
		{ .type = MSG_BEGIN, .kind = 1 },
		{ .type = MSG_BEGIN, .check = BYTES("msg:x") },
		{ .type = MSG_REGISTER, .mode = MODE_MSG },
		{ .type = MSG_REGISTER, .mode = MODE_SAGA },
		{ .type = MSG_REGISTER,
		  .mode = MODE_TCC,
		  .participant = BYTES("{}") },
		{ .type = MSG_REGISTER,
		  .mode = MODE_TCC,
		  .application = BYTES("user") },
		{ .type = MSG_SUBSCRIBE },
		{ .type = MSG_UNSUBSCRIBE },
		{ .type = MSG_SAGA_START },
		{ .type = MSG_SAGA_MOVE },
		{ .type = MSG_SAGA_SHOW },
		{ .type = MSG_MACHINE_PUT },
		{ .type = MSG_MACHINE_DROP },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(first); i++)
		assert_int_equal(msg_level(&first[i]), LEVEL_FIRST);
	for (size_t i = 0; i < ARRAY_LEN(services); i++)
		assert_int_equal(msg_level(&services[i]), LEVEL_SERVICES);
}

static void test_every_type_has_a_name(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(types); i++)
		assert_string_not_equal(msg_type_name(types[i]), "unknown");
	assert_string_equal(msg_type_name(MSG_BRANCH_DONE), "branch_done");
	assert_string_equal(msg_type_name((enum msg_type)200), "unknown");
}

static void test_memory_may_fail_anywhere(void **state)
{
	struct bytes list[] = { BYTES("a"), BYTES("b") };
	const uint64_t ms[] = { 1, 2 };
	struct msg m = { .type = MSG_HELLO,
			 .list = list,
			 .n_list = 2,
			 .schedule_ms = ms,
			 .n_schedule = 2 };
	struct msg got;
	struct flaky f;
	int rc = E_NOMEM;

	(void)state;
	for (long n = 0; rc != OK; n++) {
		struct arena a;
		struct buf b;

		flaky_init(&f, n);
		arena_init(&a, &f.mem, 0);
		buf_init(&b, &f.mem);
		rc = msg_encode(&b, &m);
		if (rc == OK)
			rc = msg_decode(&got, &a.as_mem, buf_bytes(&b));
		assert_true(rc == OK || rc == E_NOMEM);
		buf_fini(&b);
		arena_fini(&a);
		assert_int_equal(f.live, 0);
	}
	assert_true(f.calls >= 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			test_the_field_lists_of_this_test_are_complete),
		cmocka_unit_test(test_random_messages_come_back_as_they_went),
		cmocka_unit_test(
			test_a_cut_is_refused_unless_it_is_between_fields),
		cmocka_unit_test(
			test_a_damaged_message_is_refused_or_well_formed),
		cmocka_unit_test(
			test_what_is_newer_is_skipped_and_what_is_wrong_refused),
		cmocka_unit_test(test_a_list_has_a_limit),
		cmocka_unit_test(test_a_schedule_is_whole_and_has_a_limit),
		cmocka_unit_test(
			test_the_level_is_that_of_the_first_who_understands),
		cmocka_unit_test(test_every_type_has_a_name),
		cmocka_unit_test(test_memory_may_fail_anywhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
