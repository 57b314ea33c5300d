#ifndef TC_HOST_PENDING_H
#define TC_HOST_PENDING_H

/*
 * When something began whose end is still to come: a fixed number of places,
 * for measuring only.
 *
 * Rules
 * -----
 *  - Nothing is ever waited for: when the places for a number are taken, the
 *    oldest of them is forgotten and counted as lost. So what never ends costs
 *    nothing but that.
 *  - Both numbers 0 is no key.
 *
 * Pure. One owner at a time.
 */

#include "base/base.h"

#define PENDING_PLACES 16384

struct pending_entry {
	uint64_t a, b;
	uint64_t at_us;
	unsigned tag;
};

struct pending {
	struct pending_entry *entries;
	uint64_t lost;
};

MUST_CHECK int pending_init(struct pending *p, const struct mem *mem);
void pending_fini(struct pending *p, const struct mem *mem);

/* It began. If it is there already, it stays as it is. */
void pending_put(struct pending *p, uint64_t a, uint64_t b, uint64_t at_us,
		 unsigned tag);
/* It ended: false if it is not known when it began. */
bool pending_take(struct pending *p, uint64_t a, uint64_t b, uint64_t *at_us,
		  unsigned *tag);

#endif
