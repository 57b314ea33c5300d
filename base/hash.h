#ifndef BASE_HASH_H
#define BASE_HASH_H

/*
 * SipHash-2-4 (Aumasson and Bernstein, 2012): a keyed 64-bit hash. With a
 * secret seed its tables cannot be flooded; with a fixed one it is a checksum.
 */

#include "base/base.h"

/* The function of the paper, key = k0 then k1, both little-endian. */
uint64_t hash_keyed(uint64_t k0, uint64_t k1, struct bytes b);
/* With the key (seed, ~seed). */
uint64_t hash_bytes(uint64_t seed, struct bytes b);
uint64_t hash_u64(uint64_t seed, uint64_t v);

/* A generator for jitter and tests (splitmix64); not for secrets. */
uint64_t random_next(uint64_t *state);

#endif
