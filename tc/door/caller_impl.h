#ifndef TC_DOOR_CALLER_IMPL_H
#define TC_DOOR_CALLER_IMPL_H

/* Inside of the caller only: its door (caller.c), its queues (caller_queue.c)
 * and one transfer of libcurl's (caller_call.c). */

#include "base/heap.h"
#include "base/list.h"
#include "base/map.h"
#include "tc/door/caller.h"
#include "tc/door/caller_outcome.h"

#include <curl/curl.h>

struct target {
	struct map_node by_origin;
	struct bytes origin; /* owned, behind the struct */
	struct list waiting;
	struct list ready; /* on caller.ready: has one waiting and a place */
	size_t n_active;
	bool suspect;     /* gave no answer in time: one call at once */
	struct list idle; /* on caller.suspects: kept only to remember that */
};

/* What a call says about its target. */
enum opinion { TARGET_AS_BEFORE, TARGET_ANSWERS, TARGET_SUSPECT };

/* WAITING -> ACTIVE -> FINISHED -> idle; a call may skip some of them.
 * WAITING: on target->waiting and on caller.due. ACTIVE: on caller.active, its
 * handle in the multi. FINISHED: on caller.finished. Idle: on caller.idle. */
enum call_state { CALL_IDLE, CALL_WAITING, CALL_ACTIVE, CALL_FINISHED };

struct call {
	struct list on;
	struct caller *caller;
	enum call_state state;
	struct heap_node due;
	uint64_t due_ms;
	uint64_t began_ms;
	struct target *target;

	struct arena arena;
	struct caller_request request;
	struct branch_done done;
	struct buf body;
	bool cut;        /* the body went on */
	struct buf deny; /* why an address was refused */

	CURL *easy;
	struct curl_slist *headers;
	char error[CURL_ERROR_SIZE];
};

struct caller {
	const struct mem *mem;
	const struct door_port *port;
	struct caller_config config;
	struct buf user_agent;
	struct curl_slist *resolve;
	CURLM *multi;
	int epoll;
	uint64_t now_ms;
	uint64_t timer_due_ms; /* libcurl's; as of the last process() */
	uint64_t retry_due_ms; /* the core found no memory */

	uint64_t seed;
	struct map targets;
	struct list ready; /* targets, first come */
	struct list suspects;
	size_t n_suspects;
	struct heap due; /* of waiting calls */
	struct list active;
	struct list finished;
	struct list idle;
	size_t n_active;
	size_t n_idle;

	struct door_stats stats;
	uint64_t told_ms;  /* when a refusal was logged last */
	uint64_t not_told; /* refusals since */
};

/* ---- caller_queue.c ---- */

/* Let it wait for a place at its target. E_NOMEM: it waits nowhere. */
MUST_CHECK int caller_queue(struct caller *c, struct call *call);
/* The next one to start, taken from its queue, its place taken; or NULL. */
struct call *caller_queue_next(struct caller *c);
/* One that waits and whose time is over, taken from its queue; or NULL. */
struct call *caller_queue_late(struct caller *c);
/* Take a waiting one from its queue. */
void caller_queue_leave(struct caller *c, struct call *call);
/* An active one gives its place back. */
void caller_queue_done(struct caller *c, struct call *call,
		       enum opinion opinion);
bool caller_queue_startable(const struct caller *c);
/* Forget every target; none has a call. */
void caller_queue_fini(struct caller *c);

/* ---- caller_call.c ---- */

/* A call with an easy handle, for the command; NULL without memory. What
 * cannot be called is FINISHED already. */
struct call *caller_call_new(struct caller *c, const struct command *command);
/* Hand it to libcurl. E_NOMEM. */
MUST_CHECK int caller_call_start(struct call *call);
enum opinion caller_call_opinion(CURLcode code);
/* libcurl is done with it: what came of it, into call->done. */
void caller_call_end(struct call *call, CURLcode code);
/* It never got that far. The sentence is copied. */
void caller_call_fail(struct call *call, const char *why);
/* Keep it for another command, or free it. It is on no list. */
void caller_call_put(struct call *call);
void caller_call_free(struct call *call);

#endif
