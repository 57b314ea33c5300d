#ifndef RM_AGENT_RUNNER_H
#define RM_AGENT_RUNNER_H

/*
 * Phase two: resources, the commands that came for them, and the workers.
 *
 * Rules
 * -----
 *  - All functions want the handle's lock; runner_run() gives it up while the
 *    handler runs.
 *  - A branch has at most one command here. The same command again takes the
 *    place of the one that waits, or is answered by the one that runs; another
 *    one is refused as retryable while one runs.
 *  - Where there are workers, one is kept free of callbacks of the program: it
 *    does nothing but AT and XA. A callback may wait for a row or for the end
 *    of a global transaction of its own, and however many do, what they wait
 *    for goes on.
 *  - What finds no room, no resource or no memory is answered as retryable, so
 *    that the coordinator comes again.
 */

#include "base/arena.h"
#include "base/list.h"
#include "base/map.h"
#include "rm-agent/agent.h"
#include "wire/msg.h"

#include <pthread.h>

#define RESOURCES_MAX 4096

struct resource {
	struct map_node node;
	char *id;
	enum branch_mode mode;
	struct agent_handler handler;
	void *ctx;
	unsigned running;
};

struct runner {
	struct list queue; /* tasks that wait for a worker */
	struct list own;   /* those in which no code of the program runs */
	struct map tasks;  /* all, by xid and branch */
	struct map resources;
	size_t n_running;
	bool stop;
	pthread_cond_t work;
	pthread_cond_t own_work;
	pthread_t workers[64 + 1]; /* and one for .own alone */
	unsigned n_workers;
};

MUST_CHECK int runner_init(struct runner *r);
/* Start the workers; E_IO if the system refuses. Not locked. */
MUST_CHECK int runner_start(struct treaty *t, unsigned threads);
/* Drop what waits; nothing starts any more. */
void runner_drain(struct treaty *t);
/* End the workers. Not locked; nothing runs any more. */
void runner_stop(struct treaty *t);
/* Frees the resources. Not locked. */
void runner_fini(struct runner *r);

void runner_accept(struct treaty *t, const struct msg *command);
bool runner_waiting(const struct treaty *t);
/* Run the first task that waits; there must be one. */
void runner_run(struct treaty *t);

/* The resource of that id, or NULL. */
struct resource *resource_find(const struct runner *r, struct bytes id);
/* Not locked. */
void resources_free(struct runner *r);

#endif
