#ifndef TC_CORE_ROLL_H
#define TC_CORE_ROLL_H

/*
 * Unfinished transactions by number: found, and walked from any number on, in
 * O(log n). Numbers only go up, so adding is appending; holes are closed when
 * they are the greater part.
 *
 * Rules
 * -----
 *  - Reserve before you promise: roll_reserve() is the only call that can fail.
 *  - roll_append() takes any order until roll_sort(); roll_add() a number above
 *    all others.
 *
 * Pure. One owner at a time.
 */

#include "base/base.h"

struct roll_entry {
	uint64_t number;
	void *item; /* NULL: a hole */
};

struct roll {
	const struct mem *mem;
	struct roll_entry *entries;
	size_t n; /* with holes */
	size_t cap;
	size_t count; /* without */
};

void roll_init(struct roll *r, const struct mem *mem);
void roll_fini(struct roll *r);
/* Room for one more. OK or E_NOMEM. */
MUST_CHECK int roll_reserve(struct roll *r);
void roll_add(struct roll *r, uint64_t number, void *item);
/* While loading: any order; then sort once. False: a number came twice. */
void roll_append(struct roll *r, uint64_t number, void *item);
MUST_CHECK bool roll_sort(struct roll *r);
/* It must be there. */
void roll_remove(struct roll *r, uint64_t number);
/* NULL if it is not there. */
void *roll_find(const struct roll *r, uint64_t number);
/* The item with the lowest number above `number`; NULL at the end. */
void *roll_after(const struct roll *r, uint64_t number);

#endif
