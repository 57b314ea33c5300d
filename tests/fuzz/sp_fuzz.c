#include "tc/door/sp.h"
#include "tests/fuzz/fuzz.h"

/*
 * However a stream is split, the same messages come out of it and the same
 * complaint. And what is put comes out as it went in.
 *
 * Input: transport u8, step u8, then the stream.
 */

enum { BODY_MAX = 512 };

struct seen {
	struct buf bodies; /* each with its length in front */
	size_t used;
	int rc;
	const char *why;
};

static void take_all(struct seen *s, struct sp *p, struct bytes in, size_t end)
{
	struct bytes body;
	size_t used;

	do {
		used = SIZE_MAX;
		s->rc = sp_take(
			p, (struct bytes){ in.data + s->used, end - s->used },
			&used, &body, &s->why);
		if (s->rc != OK && s->rc != E_AGAIN)
			return;
		REQUIRE(used <= end - s->used);
		s->used += used;
		if (s->rc == OK) {
			REQUIRE(body.len <= BODY_MAX);
			buf_put_bytes(&s->bodies, body);
		}
	} while (s->rc == OK);
}

/* In pieces of at most `step` bytes, as a socket would. */
static void feed(struct seen *s, enum sp_transport t, struct bytes in,
		 size_t step)
{
	struct sp p;
	size_t end = 0;

	*s = (struct seen){ .rc = E_AGAIN };
	buf_init(&s->bodies, &mem_heap);
	sp_init(&p, t, SP_REQ, BODY_MAX);
	while (end < in.len && s->rc == E_AGAIN) {
		end = step < in.len - end ? end + step : in.len;
		take_all(s, &p, in, end);
	}
	REQUIRE(s->rc == E_AGAIN || s->rc == E_INVALID || s->rc == E_LIMIT);
	REQUIRE(s->rc == E_AGAIN || (s->why && *s->why));
}

static void require_same(const struct seen *a, const struct seen *b)
{
	REQUIRE(a->rc == b->rc);
	REQUIRE(bytes_equal(buf_bytes(&a->bodies), buf_bytes(&b->bodies)));
	if (a->rc == E_AGAIN)
		REQUIRE(a->used == b->used);
	else
		REQUIRE(strcmp(a->why, b->why) == 0);
}

/* The messages that came, put into a stream again, come again. */
static void check_put(const struct seen *s, enum sp_transport t)
{
	struct reader r = reader_of(buf_bytes(&s->bodies));
	struct seen again;
	struct buf b;

	buf_init(&b, &mem_heap);
	sp_put_hello(&b, SP_REQ);
	while (reader_left(&r) > 0) {
		size_t begin = sp_put_begin(&b, t, 42);

		buf_put(&b, read_bytes(&r));
		sp_put_end(&b, begin);
	}
	feed(&again, t, buf_bytes(&b), SIZE_MAX);
	REQUIRE(again.rc == E_AGAIN && again.used == b.len);
	REQUIRE(bytes_equal(buf_bytes(&again.bodies), buf_bytes(&s->bodies)));
	buf_fini(&again.bodies);
	buf_fini(&b);
}

void fuzz_one(struct bytes in)
{
	struct reader r = reader_of(in);
	enum sp_transport t = read_u8(&r) % 2 ? SP_IPC : SP_TCP;
	size_t step = (size_t)read_u8(&r) + 1;
	struct seen whole, bytewise, pieces;
	struct bytes stream = read_raw(&r, reader_left(&r));

	feed(&whole, t, stream, SIZE_MAX);
	feed(&bytewise, t, stream, 1);
	feed(&pieces, t, stream, step);
	require_same(&whole, &bytewise);
	require_same(&whole, &pieces);
	check_put(&whole, t);
	buf_fini(&whole.bodies);
	buf_fini(&bytewise.bodies);
	buf_fini(&pieces.bodies);
}

void fuzz_seeds(const struct fuzz_sink *sink)
{
	struct buf b;

	buf_init(&b, &mem_heap);
	for (int t = SP_TCP; t <= SP_IPC; t++) {
		for (size_t n = 0; n < 4; n++) {
			buf_put_u8(&b, t == SP_IPC);
			buf_put_u8(&b, (uint8_t)(3 * n));
			sp_put_hello(&b, n == 3 ? SP_REP : SP_REQ);
			for (size_t i = 0; i < n; i++) {
				size_t begin = sp_put_begin(
					&b, (enum sp_transport)t, i + 1);

				buf_put_text(&b, i == 1 ? "" : "some text");
				sp_put_end(&b, begin);
			}
			fuzz_seed(sink, &b);
		}
	}
	buf_fini(&b);
}
