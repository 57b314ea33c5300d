#ifndef TC_CORE_PEERS_H
#define TC_CORE_PEERS_H

/*
 * Who can run phase two of what: peers, the resources they have, and the
 * queues in which commands wait for a free place at a peer.
 *
 * Rules
 * -----
 *  - A lane is a queue of what may go to the same peers: one resource, one
 *    application, AT or not. What cannot be sent now waits in its lane, or in
 *    the queue of the very instance that registered it.
 *  - A peer takes in_flight_max commands at once. One that let a command time
 *    out is suspect until it answers, be it late, or comes anew: what waited
 *    for it alone goes back to the lanes, and of these it gets one at a time,
 *    and only what nobody healthy has a place for, which would wait anyway.
 *    So a black hole holds up nobody, and is asked again if need be.
 *  - A resource that is an origin ("http://…") is nobody's to offer: while
 *    there are lanes of it, it has a peer of its own, made up (peer_is_url),
 *    that takes what is in them, whatever their application is.
 *  - A lane without an application and with .at is for whoever has the
 *    resource.
 *  - Each call costs what is near it: the resources of one peer, the peers of
 *    one resource; never all that waits.
 *
 * What waits is a list node of the caller's. Pure. One owner at a time.
 */

#include "base/list.h"
#include "base/map.h"
#include "tc/core/core.h"

struct resource {
	struct map_node by_name;
	struct bytes name; /* owned */
	size_t refs;       /* links and lanes */
	struct list links;
	struct list lanes;
	struct peer *called; /* an origin's own peer, else NULL */
	uint64_t stamp;      /* scratch of the caller */
};

struct lane {
	struct list of_resource;
	struct resource *resource;
	struct bytes application; /* owned */
	bool at;
	size_t refs;
	size_t n_own; /* peers of this application that have the resource */
	struct list waiting;
};

struct peer {
	struct map_node by_id;
	struct map_node by_instance;
	uint64_t id;
	struct bytes application; /* owned */
	struct bytes instance;    /* owned */
	struct list links;
	struct list queue;  /* waits for this peer */
	struct list flight; /* sent, not answered */
	size_t n_in_flight;
	bool suspect;
	struct list ready;   /* on peers.ready: may have work and a place */
	struct list waiters; /* of the caller: lock requests of this peer */
};

struct peers {
	const struct mem *mem;
	uint64_t seed;
	size_t peers_max;
	size_t in_flight_max;
	size_t n_agents;      /* peers but for those of origins */
	uint64_t last_called; /* number of the last peer made up */
	struct map by_id;
	struct map by_instance;
	struct map resources;
	struct list ready;
};

MUST_CHECK int peers_init(struct peers *ps, const struct mem *mem,
			  uint64_t seed);
void peers_fini(struct peers *ps); /* every lane must have been put back */

/* How many agents there may be, and how much each takes at once. */
void peers_limit(struct peers *ps, size_t peers_max, size_t in_flight_max);

/* What a peer can do, in no order; ends when `each` returns false. */
void peer_resources(const struct peer *p,
		    bool (*each)(void *ctx, struct bytes name), void *ctx);

struct peer *peers_find(const struct peers *ps, uint64_t id);

/* A peer came, or has other resources now; URLs among them are passed over.
 * OK, E_NOMEM, E_LIMIT: peers_max. */
MUST_CHECK int peers_up(struct peers *ps, const struct peer_up *up,
			struct peer **out);
/* Its queue, flight and waiters must be empty. */
void peers_gone(struct peers *ps, struct peer *p);

/* The lane for this; lane_put() gives it back. OK or E_NOMEM. */
MUST_CHECK int lane_get(struct lane **out, struct peers *ps,
			struct bytes resource, struct bytes application,
			bool at);
void lane_put(struct peers *ps, struct lane *lane); /* NULL is fine */

/* Is there anybody who takes what is in it? */
bool lane_served(const struct lane *lane);

/* Let it wait for a place: at the healthy peer that is this instance, else in
 * the lane. The node must be on no list. */
void peers_queue(struct peers *ps, struct lane *lane, struct bytes instance,
		 struct list *node);

/* What can be sent now and to whom; it stays first in its queue until
 * peers_sent(). NULL if there's nothing. */
struct list *peers_next(struct peers *ps, struct peer **to);
void peers_sent(struct peer *p, struct list *node);
/* Answered, lost or not wanted any more: a place is free again. */
void peers_back(struct peers *ps, struct peer *p, struct list *node);

void peers_suspect(struct peer *p);
void peers_trust(struct peers *ps, struct peer *p);

/* Invariants; for tests and the simulator. */
void peers_check(const struct peers *ps);

#endif
