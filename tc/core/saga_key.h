#ifndef TC_CORE_SAGA_KEY_H
#define TC_CORE_SAGA_KEY_H

/*
 * Business keys: which run of a machine was given this one. A key lives as long
 * as its run, and then as long as the tombstone remembers how that ended.
 *
 * Pure. One owner at a time.
 */

#include "base/map.h"

struct saga_key {
	struct map_node node;
	uint64_t number;   /* of the run */
	struct bytes name; /* of its machine */
	struct bytes key;  /* never empty; both behind the struct */
};

struct saga_keys {
	const struct mem *mem;
	uint64_t seed;
	struct map map;
};

MUST_CHECK int saga_keys_init(struct saga_keys *ks, const struct mem *mem,
			      uint64_t seed);
void saga_keys_fini(struct saga_keys *ks); /* and every key */

struct saga_key *saga_keys_find(const struct saga_keys *ks, struct bytes name,
				struct bytes key);
/* Not among them yet. NULL: no memory. */
struct saga_key *saga_key_new(const struct saga_keys *ks, uint64_t number,
			      struct bytes name, struct bytes key);
void saga_keys_add(struct saga_keys *ks, struct saga_key *k);
/* Out and gone; NULL is fine. */
void saga_keys_drop(struct saga_keys *ks, struct saga_key *k);

#endif
