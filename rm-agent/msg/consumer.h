#ifndef RM_AGENT_MSG_CONSUMER_H
#define RM_AGENT_MSG_CONSUMER_H

/*
 * An offered consumer, and what its callback holds: one delivery.
 *
 * Rules
 * -----
 *  - A consumer lives until treaty_close(), which waits for its callbacks.
 *  - A delivery belongs to the thread that runs the callback.
 */

#include "rm-agent/agent.h"

#include <treaty/msg.h>

struct consumer {
	char *resource;
	char *barrier_table; /* NULL: the default */
	struct treaty_msg_consumer c;
	void *ctx;
};

struct treaty_delivery {
	const struct consumer *consumer;
	const struct agent_command *command;
	char *payload; /* owned */
	char *key;     /* owned */
	char branch_text[24];
	char error[1001];
};

/* Borrows the command. E_NOMEM: nothing to fini. */
MUST_CHECK int delivery_init(struct treaty_delivery *d,
			     const struct consumer *consumer,
			     const struct agent_command *command);
void delivery_fini(struct treaty_delivery *d);

#endif
