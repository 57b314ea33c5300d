#ifndef TC_HOST_TURN_H
#define TC_HOST_TURN_H

/*
 * What the steps of the core left to do: rows that wait for the next batch,
 * and what goes out at the end of the turn. Everything is copied, because the
 * core's effects are gone with its next step.
 */

#include "base/arena.h"
#include "tc/core/core.h"

struct effect_list {
	struct arena arena;
	const struct mem *mem;
	struct effect *items;
	size_t n;
	size_t cap;
};

struct turn {
	struct effect_list rows; /* PUT, DELETE, HISTORY, ARCHIVE, AUDIT */
	struct effect_list out;  /* REPLY, COMMAND */
	uint64_t seq;            /* of the last step in rows */
	bool forced;             /* one of them is waited for */
	uint64_t oldest_ms;      /* when the first of them came */
};

void turn_init(struct turn *t, const struct mem *mem);
void turn_fini(struct turn *t);

/* Add the effects of one step. E_NOMEM: they are incomplete, so the process
 * must end without storing any of them. */
MUST_CHECK int turn_add(struct turn *t, const struct effects *fx,
			uint64_t now_ms);

/* Add one reply that is not the core's. E_NOMEM. */
MUST_CHECK int turn_reply(struct turn *t, const struct reply *reply);

/* Forget what was stored, or sent. */
void turn_stored(struct turn *t);
void turn_sent(struct turn *t);

#endif
