#ifndef TC_CORE_TOPICS_H
#define TC_CORE_TOPICS_H

/*
 * Who gets a message that is published to a topic.
 *
 * Rules
 * -----
 *  - A topic is there while it has a subscriber. A subscriber's name is unique
 *    in its topic; so is its id in all.
 *  - A message is for those who subscribe when it is registered.
 *  - Walks go by name of topic, then of subscriber, byte by byte.
 *  - A failed call leaves everything as it was.
 *
 * Pure. One owner at a time.
 */

#include "base/list.h"
#include "base/map.h"

struct topic {
	struct map_node by_name;
	struct list of_all;
	struct bytes name; /* owned */
	struct list subscribers;
	size_t n;
};

struct subscriber {
	struct list of_topic;
	struct topic *topic;
	uint64_t id;              /* of its row */
	uint64_t seq;             /* the row that it rests on; 0: durable */
	struct bytes name;        /* owned */
	struct bytes resource;    /* owned: the target */
	struct bytes participant; /* owned */
};

struct topics {
	const struct mem *mem;
	uint64_t seed;
	struct map by_name;
	struct list all;
	size_t n_subscribers;
};

MUST_CHECK int topics_init(struct topics *t, const struct mem *mem,
			   uint64_t seed);
void topics_fini(struct topics *t);

struct topic *topics_find(const struct topics *t, struct bytes name);
struct subscriber *topic_find(const struct topic *topic, struct bytes name);

struct subscription {
	uint64_t id;
	struct bytes topic, subscriber, resource, participant;
};

/* Add it, or give the one of this name another target (its id stays). OK or
 * E_NOMEM. */
MUST_CHECK int topics_put(struct topics *t, const struct subscription *what,
			  struct subscriber **out);
void topics_drop(struct topics *t, struct subscriber *s);

/* Invariants; for tests and the simulator. */
void topics_check(const struct topics *t);

#define SUBSCRIBER_OF(node) CONTAINER_OF(node, struct subscriber, of_topic)
#define TOPIC_OF(node)      CONTAINER_OF(node, struct topic, of_all)

#endif
