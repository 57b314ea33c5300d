#ifndef BASE_MAP_H
#define BASE_MAP_H

/*
 * An intrusive hash table. The user embeds a struct map_node, computes the
 * hash and compares the keys; the table keeps chains and grows by doubling.
 *
 * Rules
 * -----
 *  - map_init() takes the only memory that must be there. Growing is best
 *    effort: without memory the chains just get longer.
 *  - Equal keys are the user's business; a node is on one map at a time.
 *  - Order of iteration is that of the buckets: the same inserts in the same
 *    order give the same order.
 *
 * Pure. One owner at a time.
 */

#include "base/base.h"

struct map_node {
	struct map_node *next;
	uint64_t hash;
};

struct map {
	const struct mem *mem;
	struct map_node **buckets;
	size_t mask; /* buckets - 1, buckets a power of two */
	size_t count;
};

MUST_CHECK int map_init(struct map *m, const struct mem *mem); /* E_NOMEM */
/* Forgets the nodes, frees only the table. Fine on a zeroed map. */
void map_fini(struct map *m);

void map_insert(struct map *m, struct map_node *node, uint64_t hash);
/* The node must be on this map. */
void map_remove(struct map *m, struct map_node *node);

/* First node with this hash, then the next one with it; NULL at the end. */
struct map_node *map_find(const struct map *m, uint64_t hash);
struct map_node *map_find_next(const struct map_node *node);

/* Walk everything: start with NULL. Removing the node just handed out is
 * allowed if its successor was fetched before. */
struct map_node *map_next(const struct map *m, const struct map_node *node);

#endif
