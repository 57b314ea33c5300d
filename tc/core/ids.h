#ifndef TC_CORE_IDS_H
#define TC_CORE_IDS_H

/*
 * Numbers that are never given twice, over all restarts and whatever the clock
 * does: blocks of them are reserved in the store before the first one is used.
 *
 * Rules
 * -----
 *  - next … end - 1 may be used: the row that says `end` is durable.
 *  - One reservation at a time may be under way. It is made before the numbers
 *    run out: when half a block is left.
 *  - After a restart numbers go on at the stored end; what was left is lost.
 *  - The first number that a store ever gives is drawn at random and stored
 *    with the first block: so numbers of a former life are told from its own.
 *
 * Pure.
 */

#include "base/base.h"

struct ids {
	uint64_t first; /* that this store ever gave */
	uint64_t next;
	uint64_t end;
	uint64_t asked; /* the end that was sent to the store; >= end */
	uint64_t block;
};

/* A store that has given none yet, when end is first; never 0. */
static inline void ids_init(struct ids *ids, uint64_t first, uint64_t end,
			    uint64_t block)
{
	REQUIRE(first > 0 && first <= end);
	*ids = (struct ids){ first, end, end, end, block };
}

/* May the number have been given, in this life or before a restart? */
static inline bool ids_gave(const struct ids *ids, uint64_t number)
{
	return number >= ids->first && number < ids->end;
}

/* Nothing was ever reserved: the first number is not stored yet. */
static inline bool ids_new(const struct ids *ids)
{
	return ids->end == ids->first;
}

static inline bool ids_have(const struct ids *ids, uint64_t n)
{
	return ids->end - ids->next >= n;
}

/* The first of n numbers in a row; ids_have(n) must be true. */
static inline uint64_t ids_take(struct ids *ids, uint64_t n)
{
	uint64_t first = ids->next;

	REQUIRE(ids_have(ids, n));
	ids->next += n;
	return first;
}

/* The end to be stored next so that n numbers are there; 0 if none is wanted
 * or one is under way. */
static inline uint64_t ids_wanted(const struct ids *ids, uint64_t n)
{
	if (ids->asked != ids->end)
		return 0;
	if (ids_have(ids, n) && ids->end - ids->next > ids->block / 2)
		return 0;
	return ids->end + (n > ids->block ? n : ids->block);
}

static inline void ids_ask(struct ids *ids, uint64_t end)
{
	REQUIRE(ids->asked == ids->end && end > ids->end);
	ids->asked = end;
}

static inline void ids_stored(struct ids *ids)
{
	REQUIRE(ids->asked > ids->end);
	ids->end = ids->asked;
}

#endif
