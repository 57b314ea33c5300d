#ifndef TC_CORE_TOMBS_H
#define TC_CORE_TOMBS_H

/*
 * Outcomes of finished transactions, so that a repeated commit hears the
 * truth. Bounded by count and age, oldest first.
 *
 * Pure. One owner at a time.
 */

#include "base/list.h"
#include "base/map.h"
#include "base/status.h"

struct saga_key;

struct tomb {
	struct map_node by_number;
	struct list by_age;
	uint64_t number;
	enum gtx_status status;
	uint64_t seq; /* of the row that it rests on; 0: on none */
	bool lazy;    /* nothing forces that row: it must be put once more */
	struct saga_key *key; /* the caller's: what goes with it; or NULL */
	uint64_t expires_ms;
};

struct tombs {
	const struct mem *mem;
	uint64_t seed;
	struct map by_number;
	struct list by_age;
};

MUST_CHECK int tombs_init(struct tombs *t, const struct mem *mem,
			  uint64_t seed);
void tombs_fini(struct tombs *t);

struct tomb *tombs_find(const struct tombs *t, uint64_t number);
/* Take it over; allocated from the same memory. */
void tombs_add(struct tombs *t, struct tomb *tomb);
void tombs_remove(struct tombs *t, struct tomb *tomb); /* and free */
struct tomb *tombs_oldest(const struct tombs *t);
size_t tombs_count(const struct tombs *t);

#endif
