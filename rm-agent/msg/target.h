#ifndef RM_AGENT_MSG_TARGET_H
#define RM_AGENT_MSG_TARGET_H

/*
 * Who gets a message, and who answers for a producer: names of programs as
 * resources of the coordinator, or URLs.
 */

#include "rm-agent/agent.h"

#define CONSUMER_PREFIX "msg:"
#define PRODUCER_PREFIX "producer:"
#define MSG_NAME_MAX    123 /* bytes of a name */

struct target {
	struct buf resource;
	struct buf participant; /* of a URL */
};

void target_init(struct target *x);
void target_fini(struct target *x);

/* A consumer may be written with its prefix, as in the HTTP interface.
 * `headers` as <treaty/msg.h> says; only a URL may have some. OK, or E_INVALID
 * or E_NOMEM with a text. */
MUST_CHECK int target_consumer(struct target *x, const char *to,
			       const char *headers);
MUST_CHECK int target_producer(struct target *x, const char *producer,
			       const char *headers);

/* Not empty, not too long, no control characters, no URL, and not a name with
 * a prefix already. */
bool msg_name_ok(const char *name);

/* prefix and name as one text; NULL: no memory. */
char *msg_resource(const char *prefix, const char *name);

#endif
