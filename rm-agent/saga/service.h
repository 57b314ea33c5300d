#ifndef RM_AGENT_SAGA_SERVICE_H
#define RM_AGENT_SAGA_SERVICE_H

/*
 * An offered service, and what its callback holds: one call.
 *
 * Rules
 * -----
 *  - A service lives from treaty_saga_service_add() to treaty_close(), and is
 *    the agent's.
 *  - A call belongs to the thread that runs the callback.
 */

#include "rm-agent/agent.h"

#include <treaty/saga.h>

#define SERVICE_PREFIX     "saga:" /* of the resource's name */
#define SERVICE_NAME_MAX   123     /* 128 with the prefix */
#define SERVICE_OUTPUT_MAX (1024 * 1024)

struct service {
	char *resource;      /* "saga:NAME" */
	char *barrier_table; /* NULL: the default */
	struct treaty_saga_service s;
	void *ctx;
};

struct treaty_saga_call {
	const struct service *service;
	const struct agent_command *command;
	bool compensates;
	char task[24];
	char *method; /* owned */
	char *input;  /* owned */
	char *output; /* owned; NULL: none */
	char error_name[129];
	char error[1001];
};

/* 1 to 123 bytes without control characters. */
bool service_name_ok(const char *name);

/* .method and .input become copies. E_NOMEM. */
MUST_CHECK int service_call_init(struct treaty_saga_call *call,
				 const struct service *service,
				 const struct agent_command *command);
void service_call_fini(struct treaty_saga_call *call);

#endif
