#ifndef RM_AGENT_SESSION_OUTBOX_H
#define RM_AGENT_SESSION_OUTBOX_H

/*
 * What a session keeps to send: requests until they end, and answers to
 * commands until they are sent.
 *
 *   fresh:   to be sent (again) ---sent---> waiting ---due or doubt---> fresh
 *   dones:   to be sent, then forgotten
 *   ended:   until the session has handed the end out
 *
 * Rules
 * -----
 *  - A request is on exactly one of fresh, waiting and ended, and on the map
 *    and the heap unless it has ended.
 *  - bytes is the sum of all kept bodies and never exceeds bytes_max.
 *
 * Pure. One owner at a time.
 */

#include "base/heap.h"
#include "base/list.h"
#include "base/map.h"
#include "wire/msg.h"

struct pending {
	struct list link;
	struct map_node by_id;
	struct heap_node due;
	uint64_t id;
	uint64_t deadline_ms;
	uint64_t patience_ms; /* until it is sent again */
	enum msg_level level; /* who understands less does not get it */
	bool sent;            /* at least once */
	bool queued;          /* on fresh */
	void *tag;
	int err; /* once it has ended */
	struct buf body;
};

struct outbox {
	const struct mem *mem;
	struct list fresh;
	struct list waiting;
	struct list ended;
	struct list dones;
	struct map by_id;
	struct heap due;
	size_t n_dones;
	size_t bytes;
	size_t requests_max;
	size_t dones_max;
	size_t bytes_max;
	size_t message_max;
	uint64_t resend_ms_max;
};

MUST_CHECK int outbox_init(struct outbox *o, const struct mem *mem);
void outbox_fini(struct outbox *o);

/* E_NOMEM, E_LIMIT: nothing changed. */
MUST_CHECK int outbox_add(struct outbox *o, const struct msg *m,
			  uint64_t deadline_ms, uint64_t patience_ms,
			  void *tag);
MUST_CHECK int outbox_add_done(struct outbox *o, const struct msg *m);

struct pending *outbox_find(const struct outbox *o, uint64_t id);
/* What goes first: an answer, then a request; NULL if nothing. */
struct pending *outbox_first(const struct outbox *o);
/* The first one was sent. */
void outbox_sent(struct outbox *o, uint64_t now_ms);
/* Not now: send it again after its patience. */
void outbox_defer(struct outbox *o, struct pending *p, uint64_t now_ms);
/* Everything that was sent goes out again, before what is newer. */
void outbox_doubt(struct outbox *o);
/* End what only a higher level understands: E_VERSION, or E_UNKNOWN if it was
 * sent to somebody before. */
void outbox_refuse(struct outbox *o, uint64_t level);
/* What has come due: send it again, or end it at its deadline. */
void outbox_time(struct outbox *o, uint64_t now_ms);
void outbox_end(struct outbox *o, struct pending *p, int err);
/* End all of them: those that were sent with E_UNKNOWN, the others so. */
void outbox_end_all(struct outbox *o, int err_unsent);
/* Free one that has ended. */
void outbox_forget(struct outbox *o, struct pending *p);

void outbox_check(const struct outbox *o);

#endif
