#ifndef BASE_ARENA_H
#define BASE_ARENA_H

/*
 * Memory for one piece of work, given back all at once.
 *
 * Rules
 * -----
 *  - What an arena hands out is zeroed, aligned for anything, and valid until
 *    arena_reset() or arena_fini().
 *  - arena_reset() keeps one chunk, so a loop that resets each turn allocates
 *    nothing once it is warm.
 *
 * Pure. One owner at a time.
 */

#include "base/base.h"

struct arena_chunk;

struct arena {
	const struct mem *mem;
	struct arena_chunk *chunks; /* newest first */
	size_t chunk_size;
	struct mem as_mem; /* hands out of this arena; free does nothing */
};

/* chunk_size 0 takes 8 KiB. Allocates nothing yet. The arena must not move
 * afterwards (as_mem points back at it). */
void arena_init(struct arena *a, const struct mem *mem, size_t chunk_size);
void arena_fini(struct arena *a);
void arena_reset(struct arena *a);

void *arena_alloc(struct arena *a, size_t size); /* zeroed, or NULL */
void *arena_array(struct arena *a, size_t n, size_t size);
/* A copy with a NUL behind it; on no memory .data is NULL. */
struct bytes arena_bytes(struct arena *a, struct bytes b);
char *arena_text(struct arena *a, struct bytes b);

#endif
