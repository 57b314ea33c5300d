/* The SP parser: whole, byte by byte, and with whatever is wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/hash.h"
#include "tc/door/sp.h"

#define BODY_MAX 1000

struct seen {
	size_t n;
	struct buf text; /* bodies, each with a '|' behind it */
	int rc;
	const char *why;
};

/* Feed `in` in pieces of at most `step` bytes, as a socket would. */
static void feed(struct seen *s, struct sp *p, struct bytes in, size_t step)
{
	size_t at = 0, end = 0;

	*s = (struct seen){ .rc = E_AGAIN, .why = "" };
	buf_init(&s->text, &mem_heap);
	while (end < in.len && s->rc == E_AGAIN) {
		end = end + step < in.len ? end + step : in.len;
		do {
			struct bytes body;
			size_t used = 99999;

			s->rc = sp_take(
				p, (struct bytes){ in.data + at, end - at },
				&used, &body, &s->why);
			assert_true(used <= end - at);
			at += used;
			if (s->rc == OK) {
				s->n++;
				buf_put(&s->text, body);
				buf_put_char(&s->text, '|');
			}
		} while (s->rc == OK);
	}
}

static void put(struct buf *b, enum sp_transport t, uint64_t id,
		const char *body)
{
	size_t begin = sp_put_begin(b, t, id);

	buf_put_text(b, body);
	sp_put_end(b, begin);
}

static void test_the_bytes_are_those_of_nanomsg(void **state)
{
	static const uint8_t want[] = "\0SP\0\0\61\0\0"
				      "\0\0\0\0\0\0\0\6\200\0\1\2hi"
				      "\1\0\0\0\0\0\0\0\4\377\377\377\377";
	struct buf b;

	(void)state;
	buf_init(&b, &mem_heap);
	sp_put_hello(&b, SP_REP);
	put(&b, SP_TCP, 0x102, "hi");
	put(&b, SP_IPC, UINT64_MAX, "");
	assert_int_equal(b.len, sizeof want - 1);
	assert_memory_equal(b.data, want, b.len);
	buf_fini(&b);
}

static void test_any_split_gives_the_same_messages(void **state)
{
	static const enum sp_transport transports[] = { SP_TCP, SP_IPC };

	(void)state;
	for (size_t t = 0; t < ARRAY_LEN(transports); t++) {
		struct buf b;

		buf_init(&b, &mem_heap);
		sp_put_hello(&b, SP_REQ);
		put(&b, transports[t], 1, "first");
		put(&b, transports[t], 2, "");
		put(&b, transports[t], 3, "third");
		for (size_t step = 1; step <= b.len; step++) {
			struct seen s;
			struct sp p;

			sp_init(&p, transports[t], SP_REQ, BODY_MAX);
			feed(&s, &p, buf_bytes(&b), step);
			assert_int_equal(s.rc, E_AGAIN);
			assert_string_equal(buf_text(&s.text), "first||third|");
			buf_fini(&s.text);
		}
		buf_fini(&b);
	}
}

static void assert_refused(enum sp_transport t, struct bytes in, int rc,
			   const char *why)
{
	for (size_t step = 1; step <= in.len; step++) {
		struct seen s;
		struct sp p;

		sp_init(&p, t, SP_REQ, BODY_MAX);
		feed(&s, &p, in, step);
		assert_int_equal(s.rc, rc);
		assert_string_equal(s.why, why);
		assert_int_equal(s.n, 0);
		buf_fini(&s.text);
	}
}

#define HELLO "\0SP\0\0\60\0\0"

static void test_what_is_wrong_is_named(void **state)
{
	(void)state;
	assert_refused(SP_TCP, BYTES("GET / HTTP/1.1\r\n"), E_INVALID,
		       "not the SP protocol");
	assert_refused(SP_TCP, BYTES("\0SP\0\0\20\0\0"), E_INVALID,
		       "another SP protocol than expected");
	assert_refused(SP_TCP, BYTES(HELLO "\0\0\0\0\0\0\0\3abc"), E_INVALID,
		       "a message without request id");
	assert_refused(SP_TCP, BYTES(HELLO "\0\0\0\0\0\0\0\4\0\0\0\1"),
		       E_INVALID, "a request id without top bit");
	assert_refused(SP_IPC, BYTES(HELLO "\2\0\0\0\0\0\0\0\4"), E_INVALID,
		       "an ipc message of unknown type");
	assert_refused(SP_TCP, BYTES(HELLO "\377\377\377\377\377\377\377\377"),
		       E_LIMIT, "a message longer than allowed");
}

static void test_the_limit_is_exact(void **state)
{
	(void)state;
	for (size_t len = BODY_MAX - 1; len <= BODY_MAX + 1; len++) {
		struct seen s;
		struct buf b;
		struct sp p;
		size_t begin;

		buf_init(&b, &mem_heap);
		sp_put_hello(&b, SP_REQ);
		begin = sp_put_begin(&b, SP_TCP, 1);
		for (size_t i = 0; i < len; i++)
			buf_put_char(&b, 'x');
		sp_put_end(&b, begin);
		sp_init(&p, SP_TCP, SP_REQ, BODY_MAX);
		feed(&s, &p, buf_bytes(&b), b.len);
		assert_int_equal(s.n, len <= BODY_MAX);
		assert_int_equal(s.rc, len <= BODY_MAX ? E_AGAIN : E_LIMIT);
		buf_fini(&s.text);
		buf_fini(&b);
	}
}

static void test_noise_is_never_read_beyond_its_end(void **state)
{
	uint64_t random = 42;

	(void)state;
	for (int round = 0; round < 20000; round++) {
		size_t len = 1 + (size_t)(random_next(&random) % 40);
		uint8_t *exact = malloc(len); /* so that a tool sees it */
		struct seen s;
		struct sp p;

		for (size_t i = 0; i < len; i++)
			exact[i] = (uint8_t)(random_next(&random) >>
					     (random_next(&random) % 64));
		if (len > 8 && round % 2)
			memcpy(exact, HELLO, 8);
		sp_init(&p, round % 4 < 2 ? SP_TCP : SP_IPC, SP_REQ, BODY_MAX);
		feed(&s, &p, (struct bytes){ exact, len }, len);
		assert_true(s.rc == E_AGAIN || s.rc == E_INVALID ||
			    s.rc == E_LIMIT);
		buf_fini(&s.text);
		free(exact);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_bytes_are_those_of_nanomsg),
		cmocka_unit_test(test_any_split_gives_the_same_messages),
		cmocka_unit_test(test_what_is_wrong_is_named),
		cmocka_unit_test(test_the_limit_is_exact),
		cmocka_unit_test(test_noise_is_never_read_beyond_its_end),
	};

	return cmocka_run_group_tests_name("sp", tests, NULL, NULL);
}
