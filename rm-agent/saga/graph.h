#ifndef RM_AGENT_SAGA_GRAPH_H
#define RM_AGENT_SAGA_GRAPH_H

/*
 * Graphs of steps as they are written in C: each step becomes its JSON when it
 * is added, the document is put around them when it is asked for.
 */

#include "base/arena.h"
#include "base/buf.h"
#include "base/list.h"

#include <treaty/saga.h>

struct graph_step {
	struct list link;
	struct bytes name;
	struct bytes json;
	const struct bytes *after;
	size_t n_after;
};

struct treaty_saga_graph {
	const struct mem *mem;
	struct arena arena; /* of names and steps */
	struct list steps;
	struct bytes name;
	struct bytes version;
	bool forward;
	uint32_t deadline_ms;
	struct bytes retry; /* JSON, or empty */
	struct buf document;
	int err; /* the first one, and why */
	struct buf why;
};

/* treaty_saga_graph_new() with a heap of the caller's. */
struct treaty_saga_graph *graph_new(const struct mem *mem, const char *name,
				    const char *version);

#endif
