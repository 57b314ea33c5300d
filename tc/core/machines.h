#ifndef TC_CORE_MACHINES_H
#define TC_CORE_MACHINES_H

/*
 * State machines and graphs that sagas run: those that were put, found by name
 * and version, and those that a run brought along for itself.
 *
 * Rules
 * -----
 *  - Ids only go up. The newest version of a name is the one with the highest
 *    id, and a machine is bound to the sub-machines that were newest when it
 *    was put. Who is a part of another one, or has a run, stays. So loading
 *    them in the order of their ids binds them as they were.
 *  - What a run brought along has an owner: nobody else finds it, and it goes
 *    when the run ends.
 *
 * Pure. One owner at a time.
 */

#include "base/buf.h"
#include "base/list.h"
#include "base/map.h"
#include "tc/core/roll.h"
#include "tc/saga/saga.h"

struct machine {
	struct map_node by_name; /* if it was put */
	struct list put;         /* on machines.put, if it was */
	struct list dead;
	uint64_t id;
	uint64_t owner;        /* number of its run; 0: it was put */
	struct bytes document; /* owned */
	struct saga_def *def;  /* NULL only while loading */
	struct machine **subs; /* each once */
	size_t n_subs;
	size_t n_runs;  /* unfinished ones */
	size_t n_users; /* machines that it is a part of */
	uint64_t added_wall_ms;
	uint64_t seq; /* of its row */
};

struct machines {
	const struct mem *mem;
	uint64_t seed;
	struct roll by_id;
	struct map by_name;
	struct list put; /* by name, then id */
	size_t n_put;
};

MUST_CHECK int machines_init(struct machines *ms, const struct mem *mem,
			     uint64_t seed);
void machines_fini(struct machines *ms); /* and every machine */

/* Not among them yet. E_INVALID: *why gains "path: reason"; E_NOMEM. */
MUST_CHECK int machine_new(struct machine **out, struct machines *ms,
			   uint64_t id, uint64_t owner, struct bytes document,
			   struct buf *why);
/* Of one that is not among them (any more). */
void machine_free(struct machines *ms, struct machine *m);

/* Room for one more was reserved by machine_new(). Its id is the highest. */
void machines_add(struct machines *ms, struct machine *m);
/* It has no run and is no part of another one. */
void machines_remove(struct machines *ms, struct machine *m);

struct machine *machines_by_id(const struct machines *ms, uint64_t id);
/* The newest of this name; NULL if there is none. */
struct machine *machines_newest(const struct machines *ms, struct bytes name);
struct machine *machines_version(const struct machines *ms, struct bytes name,
				 struct bytes version);

/* Loading: any order, then all are built. E_NOMEM; E_CORRUPT: an id twice, or
 * a document that is not what it was. After E_NOMEM build again. */
MUST_CHECK int machines_load(struct machines *ms, uint64_t id, uint64_t owner,
			     struct bytes document, uint64_t added_wall_ms);
MUST_CHECK int machines_build(struct machines *ms);

/* Invariants; for tests and the simulator. */
void machines_check(const struct machines *ms);

#endif
