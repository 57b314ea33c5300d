#ifndef TC_DOOR_AGENTS_H
#define TC_DOOR_AGENTS_H

/*
 * The door for agents: SP framing (tc/door/sp.h) around the messages of
 * wire/msg.h. A connection is a peer of the core from its hello until it goes.
 *
 * Rules
 * -----
 *  - MSG_HELLO comes first; whatever else comes before it is answered with
 *    MSG_HELLO_WANTED and not looked at. A second hello renews the resources.
 *  - MSG_PING is answered with MSG_PONG. A peer that is silent for three
 *    heartbeats, also with half a message, is gone.
 *  - Malformed input is answered with MSG_BYE and the reason, then the
 *    connection is closed. It cost the others nothing.
 *  - There is no authentication yet: an address that other machines can reach
 *    is refused unless allow_unauthenticated says so.
 */

#include "base/buf.h"
#include "tc/door/door.h"

struct agents_config {
	const char *const *addresses; /* tcp://host:port, ipc:///path */
	size_t n_addresses;
	size_t connections_max;
	size_t message_max; /* bytes of one message */
	size_t output_max;  /* bytes waiting for one slow reader */
	uint64_t heartbeat_ms;
	uint64_t hello_ms; /* from connecting to the hello */
	bool allow_unauthenticated;
};

/* Sensible values for everything but the addresses. */
void agents_config_default(struct agents_config *config);

/*
 * Listen, and fill in *out (see door.h). `port` and `mem` must outlive it; the
 * configuration is copied. out->close() frees everything.
 *
 * OK
 * E_INVALID   an address is not one; *error says what and what to do
 * E_DENIED    an address is open to other machines without authentication
 * E_IO        it cannot be listened on (in use, not allowed, …)
 * E_NOMEM
 */
MUST_CHECK int agents_open(struct door *out, const struct mem *mem,
			   const struct agents_config *config,
			   const struct door_port *port, struct buf *error);

#endif
