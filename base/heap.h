#ifndef BASE_HEAP_H
#define BASE_HEAP_H

/*
 * An intrusive binary heap of due times: the earliest first, and among equals
 * the one that was pushed first.
 *
 * Reserve before you promise: heap_reserve() is the only call that can fail;
 * after it that many nodes can be on the heap at once without another check.
 *
 * Pure. One owner at a time.
 */

#include "base/base.h"

struct heap_node {
	uint64_t due;
	uint64_t turn; /* order among equal due times */
	size_t at;     /* 1-based place; 0: on no heap */
};

struct heap {
	const struct mem *mem;
	struct heap_node **nodes; /* nodes[0] is not used */
	size_t count;
	size_t cap;
	uint64_t turns;
};

void heap_init(struct heap *h, const struct mem *mem);
void heap_fini(struct heap *h);

MUST_CHECK int heap_reserve(struct heap *h, size_t count); /* E_NOMEM */

/* Put it on, or move it if it is already there. */
void heap_set(struct heap *h, struct heap_node *node, uint64_t due);
/* Fine for a node that is on no heap. */
void heap_remove(struct heap *h, struct heap_node *node);
/* The earliest, or NULL. */
struct heap_node *heap_first(const struct heap *h);

#endif
