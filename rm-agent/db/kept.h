#ifndef RM_AGENT_DB_KEPT_H
#define RM_AGENT_DB_KEPT_H

/*
 * Statements kept prepared on one connection, found by their SQL, the least
 * recently used one first to go. Bounded.
 */

#include "base/list.h"
#include "base/map.h"

struct kept_stmt {
	struct map_node node;
	struct list age; /* newest last */
	char *sql;
	size_t len;
	uint64_t id; /* unique on the connection */
	void *handle;
};

struct kept {
	const struct mem *mem;
	struct map map;
	struct list by_age;
	size_t limit;
	uint64_t last_id;
};

MUST_CHECK int kept_init(struct kept *k, const struct mem *mem, size_t limit);
/* Nothing may be left in it. Fine on a zeroed struct. */
void kept_fini(struct kept *k);

/* The statement with this SQL, now the youngest; or NULL. */
struct kept_stmt *kept_find(struct kept *k, struct bytes sql);
/* The one that must go before another is added; NULL while there is room. */
struct kept_stmt *kept_victim(struct kept *k);
/* Any one, NULL if none. */
struct kept_stmt *kept_any(struct kept *k);
/* E_NOMEM. There must be room. */
MUST_CHECK int kept_add(struct kept *k, struct bytes sql, void *handle,
			struct kept_stmt **out);
/* Forget and free it; the handle is the caller's business. */
void kept_remove(struct kept *k, struct kept_stmt *s);

#endif
