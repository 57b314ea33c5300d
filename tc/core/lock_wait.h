#ifndef TC_CORE_LOCK_WAIT_H
#define TC_CORE_LOCK_WAIT_H

/*
 * Waiting for row locks: a place in the queue of each key that is wanted, and
 * the search for cycles of parties that wait for each other.
 *
 * Rules
 * -----
 *  - Who waits holds nothing of what it waits for: all keys or none.
 *  - A wait that takes nothing (a look) has its turn in the queue like any
 *    other, but nobody waits for it.
 *  - A waits for B when B holds a key that A wants, or when B wants to take it
 *    and came first. The search follows the holder and the nearest one before
 *    in each queue; the others are reached through that one.
 *
 * Pure. One owner at a time.
 */

#include "tc/core/lock_table.h"

struct lock_slot {
	struct list in_queue;
	struct lock_wait *wait;
};

/* Embedded in whoever waits. */
struct lock_wait {
	struct list of_party;
	struct lock_party *party; /* NULL: it does not wait */
	bool takes;
	struct lock_set *set;    /* borrowed */
	struct lock_slot *slots; /* one for each key of the set */
};

/* Room to wait for a set; the only part that needs memory. Does not wait yet.
 * OK or E_NOMEM. */
MUST_CHECK int lock_wait_init(struct lock_wait *w, const struct mem *mem,
			      struct lock_set *set);
/* Leaves if it waits. Does not free the set. */
void lock_wait_fini(struct lock_wait *w, struct lock_table *t);

/* Go to the end of every queue. */
void lock_wait_join(struct lock_wait *w, struct lock_table *t,
		    struct lock_party *party, bool takes);
/* Leave every queue; who stood behind is looked at again. */
void lock_wait_leave(struct lock_wait *w, struct lock_table *t);

/*
 * Somebody who waits and can have its whole set now; NULL if there's none. The
 * same again until it left or something else changed, so a caller that finds no
 * memory may come back later.
 */
struct lock_wait *lock_wait_grantable(struct lock_table *t);

/*
 * A cycle of parties through `start`? Then the wait by which the youngest of
 * them waits for the next one; *next is whom it waits for. NULL if there's no
 * cycle.
 */
struct lock_wait *lock_wait_cycle(struct lock_table *t,
				  struct lock_party *start,
				  struct lock_party **next);

/* Whom w waits for on its i-th key: the holder (which 0), or who came before
 * and takes it (which 1). NULL if nobody. */
struct lock_party *lock_wait_for(const struct lock_wait *w, size_t i,
				 int which);

#endif
