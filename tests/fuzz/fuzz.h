#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

/*
 * What a harness is: a function that must survive any bytes, and inputs to
 * begin with. A broken promise is a REQUIRE, so it aborts.
 *
 * Rules
 * -----
 *  - Each *_fuzz.c defines the two functions below, once for libFuzzer
 *    (libfuzzer.c) and once for the smoke run (smoke.c).
 *  - fuzz_one() keeps nothing: the same bytes do the same, every time.
 */

#include "base/arena.h"
#include "base/buf.h"

/* Where seeds go. They are borrowed for the call. */
struct fuzz_sink {
	void *ctx;
	void (*seed)(void *ctx, struct bytes seed);
};

void fuzz_one(struct bytes in);
void fuzz_seeds(const struct fuzz_sink *sink);

/* Hand over what is in the buffer, and empty it. */
static inline void fuzz_seed(const struct fuzz_sink *sink, struct buf *b)
{
	REQUIRE(buf_error(b) == OK);
	sink->seed(sink->ctx, buf_bytes(b));
	buf_clear(b);
}

#endif
