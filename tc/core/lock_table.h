#ifndef TC_CORE_LOCK_TABLE_H
#define TC_CORE_LOCK_TABLE_H

/*
 * Global row locks: who may write a row between the local commit of a branch
 * and the end of its global transaction.
 *
 * Rules
 * -----
 *  - A key has at most one owner, a party (a global transaction). A party may
 *    hold a key several times, once for each branch that named it; the key is
 *    free when all of them gave it up.
 *  - A lock_set is what one branch, or one request that waits, names. Making it
 *    pins its keys (the only part that needs memory); claiming and releasing
 *    pinned keys cannot fail. A set is claimed as a whole or not at all.
 *  - Who waits for a key stands in its queue (lock_wait.h). A queue is first
 *    come, first served: who asks later goes behind, even if the key is free.
 *  - What may let somebody in a queue go on is remembered until
 *    lock_wait_grantable() has looked at it; so nothing is lost when the grant
 *    finds no memory and is tried again later.
 *
 * Pure. One owner at a time. Keys are copied in.
 */

#include "base/base.h"
#include "base/list.h"
#include "base/map.h"

struct lock_wait;

/* Embedded in a transaction; zeroed but for .number and lock_party_init(). */
struct lock_party {
	uint64_t number; /* never 0; a higher one is younger */
	bool closing;    /* rolls back: nobody may wait for it any more */
	size_t n_held;   /* keys of all its claimed sets together */
	struct list waits;
	struct list claimed; /* on the table's list of that name */
	/* used by lock_wait_cycle() */
	uint64_t mark;
	struct lock_party *next;
	struct lock_party *from;
	struct lock_wait *via;
};

struct lock {
	struct map_node node;
	struct lock_party *owner;
	size_t holds;      /* of claimed sets */
	size_t pins;       /* of all sets; the lock lives while there is one */
	struct list queue; /* of struct lock_slot */
	struct list freed; /* on the table's list of freed keys */
	uint64_t made_for; /* the last set that pinned it */
	size_t len;
	uint8_t key[];
};

struct lock_set {
	size_t n;
	bool claimed;
	struct bytes *keys;  /* n; borrowed from the locks */
	struct lock **locks; /* n */
};

struct lock_table {
	const struct mem *mem;
	uint64_t seed;
	struct map by_key;
	struct list freed;   /* keys that somebody in their queue may take */
	struct list claimed; /* parties that claimed keys while they wait */
	size_t n_owned;      /* keys that have an owner */
	uint64_t marks;      /* searches so far */
	uint64_t sets;       /* made so far */
};

MUST_CHECK int lock_table_init(struct lock_table *t, const struct mem *mem,
			       uint64_t seed);
/* Every set must have been freed. Fine on a zeroed table. */
void lock_table_fini(struct lock_table *t);

void lock_party_init(struct lock_party *p, uint64_t number);
/* It must hold nothing and wait for nothing. */
void lock_party_fini(struct lock_party *p);

/* Pin keys[0..n), n > 0, none empty; a repeated one is pinned once. OK or
 * E_NOMEM. */
MUST_CHECK int lock_set_new(struct lock_set **out, struct lock_table *t,
			    const struct bytes keys[], size_t n);
/* Release if claimed, and unpin. NULL is fine. */
void lock_set_free(struct lock_set *s, struct lock_table *t);

/* Who stands in the way, and over which key. */
struct lock_block {
	struct lock_party *by;
	size_t key;   /* index in the set */
	bool closing; /* `by` holds it and rolls back: do not wait */
};

/*
 * True if `who` cannot have the whole set now: a key is held by another party,
 * or another party that wants to take it stands in its queue before `self`
 * (NULL: anywhere in the queue). A key that `who` holds already is no
 * obstacle. Of several obstacles a closing holder is told first.
 */
bool lock_set_blocked(const struct lock_set *s, const struct lock_party *who,
		      const struct lock_wait *self, struct lock_block *block);

/* How many keys would come to be owned by a claim. */
size_t lock_set_fresh(const struct lock_set *s);

/* True if no other party owns a key of the set. */
bool lock_set_free_for(const struct lock_set *s, const struct lock_party *who);

/* Take the keys; lock_set_free_for() must be true. */
void lock_set_claim(struct lock_set *s, struct lock_table *t,
		    struct lock_party *who);
/* Give them up; fine if not claimed. They stay pinned. */
void lock_set_release(struct lock_set *s, struct lock_table *t);

/* Walk the table and REQUIRE its invariants. For tests and the simulator. */
void lock_table_check(const struct lock_table *t);

/* For lock_wait.c: somebody in this key's queue may go on now. */
void lock_table_touch(struct lock_table *t, struct lock *l);

#endif
