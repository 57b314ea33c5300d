#include "tests/fakes/msg_fields.h"
#include "tests/fuzz/fuzz.h"

/* A message that is understood says the same after encoding and decoding. */

static void require_same(struct msg a, struct msg b)
{
	uint64_t *na[] = MSG_NUMBERS(&a), *nb[] = MSG_NUMBERS(&b);
	struct bytes *ta[] = MSG_TEXTS(&a), *tb[] = MSG_TEXTS(&b);
	bool *fa[] = MSG_FLAGS(&a), *fb[] = MSG_FLAGS(&b);

	REQUIRE(a.type == b.type && a.id == b.id);
	for (size_t i = 0; i < ARRAY_LEN(fa); i++)
		REQUIRE(*fa[i] == *fb[i]);
	for (size_t i = 0; i < ARRAY_LEN(na); i++)
		REQUIRE(*na[i] == *nb[i]);
	for (size_t i = 0; i < ARRAY_LEN(ta); i++)
		REQUIRE(bytes_equal(*ta[i], *tb[i]));
	REQUIRE(a.n_list == b.n_list);
	for (size_t i = 0; i < a.n_list; i++)
		REQUIRE(bytes_equal(a.list[i], b.list[i]));
	REQUIRE(a.n_schedule == b.n_schedule);
	for (size_t i = 0; i < a.n_schedule; i++)
		REQUIRE(a.schedule_ms[i] == b.schedule_ms[i]);
}

void fuzz_one(struct bytes in)
{
	struct msg m, again;
	struct arena a;
	struct buf b;
	int rc;

	arena_init(&a, &mem_heap, 0);
	buf_init(&b, &mem_heap);
	rc = msg_decode(&m, &a.as_mem, in);
	REQUIRE(rc == OK || rc == E_INVALID || rc == E_VERSION ||
		rc == E_LIMIT);
	if (rc == OK) {
		REQUIRE(strcmp(msg_type_name(m.type), "unknown") != 0);
		REQUIRE(msg_encode(&b, &m) == OK);
		REQUIRE(b.len <= in.len);
		REQUIRE(msg_decode(&again, &a.as_mem, buf_bytes(&b)) == OK);
		require_same(m, again);
	}
	buf_fini(&b);
	arena_fini(&a);
}

void fuzz_seeds(const struct fuzz_sink *sink)
{
	static const struct bytes list[] = { { (const uint8_t *)"k1", 2 },
					     { (const uint8_t *)"", 0 } };
	static const uint64_t ms[] = { 100, 200 };
	struct msg m = { .id = 7,
			 .list = list,
			 .n_list = 2,
			 .schedule_ms = ms,
			 .n_schedule = 2 };
	bool *flags[] = MSG_FLAGS(&m);
	uint64_t *numbers[] = MSG_NUMBERS(&m);
	struct bytes *texts[] = MSG_TEXTS(&m);
	struct buf b;

	buf_init(&b, &mem_heap);
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
		*numbers[i] = i + 1;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		*texts[i] = BYTES("text");
	for (size_t i = 0; i < ARRAY_LEN(flags); i++)
		*flags[i] = true;
	for (int type = MSG_HELLO; type <= MSG_BYE; type++) {
		m.type = (enum msg_type)type;
		if (strcmp(msg_type_name(m.type), "unknown") == 0)
			continue;
		REQUIRE(msg_encode(&b, &m) == OK);
		fuzz_seed(sink, &b);
	}
	buf_fini(&b);
}
