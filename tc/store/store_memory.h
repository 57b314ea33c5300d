#ifndef TC_STORE_STORE_MEMORY_H
#define TC_STORE_STORE_MEMORY_H

/*
 * A store without a disk, for tests and the simulator: it fails and crashes
 * when told to. Nothing outlives the process.
 */

#include "tc/store/store.h"

/* OK or E_NOMEM. `mem` must outlive the store. */
MUST_CHECK int store_memory_new(struct store **out, const struct mem *mem);

enum store_fault {
	STORE_FAULT_NONE,
	STORE_FAULT_BEFORE, /* fails and nothing of the batch is there */
	STORE_FAULT_AFTER,  /* fails, and yet the batch is there: unknown */
};

/* Let the n-th apply from now fail (1: the next one). */
void store_memory_fail(struct store *s, enum store_fault fault, uint64_t n);

/*
 * Power loss: of the batches since the last durable one only the first `keep`
 * stay. Afterwards the store can be loaded again, as after a restart, and a
 * failure of before is forgotten.
 */
void store_memory_crash(struct store *s, size_t keep);

/* Batches that a crash could take away. */
size_t store_memory_at_risk(const struct store *s);

#endif
