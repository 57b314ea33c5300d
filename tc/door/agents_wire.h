#ifndef TC_DOOR_AGENTS_WIRE_H
#define TC_DOOR_AGENTS_WIRE_H

/* Messages of agents to events of the core, effects to messages. Pure. */

#include "tc/core/core.h"
#include "wire/msg.h"

/* The event that a message is, for MSG_HELLO and everything from MSG_BEGIN to
 * MSG_BRANCH_DONE. Borrows from the message. E_INVALID: *why says it. */
MUST_CHECK int event_of_msg(struct event *out, const struct msg *m,
			    uint64_t peer, const char *address,
			    const char **why);

struct msg msg_of_reply(const struct reply *r);
struct msg msg_of_command(const struct command *c);

#endif
