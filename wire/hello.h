#ifndef WIRE_HELLO_H
#define WIRE_HELLO_H

/*
 * What an agent and the coordinator sign to prove who they are. Both sides make
 * the same bytes here; the HMAC over them is theirs.
 *
 * Not asked for yet: the agents' door takes every hello.
 *
 * The hello
 * ---------
 *   agent        hello: application, instance, key id, nonce (32 bytes)
 *   coordinator  challenge: its own nonce (32 bytes), its name
 *   agent        hello again, with signature = HMAC-SHA256(secret, transcript)
 *   coordinator  welcome, with a signature of its own
 *
 * The transcript is, each with its length (u32, big-endian) in front:
 *   "treaty hello 1", "agent" or "coordinator" (who signs), application,
 *   instance, key id, the coordinator's name, its nonce, the agent's nonce,
 *   channel binding (empty without TLS), then each resource that is offered.
 *
 * Why so
 *  - The coordinator's nonce is fresh for each connection and good for one
 *    answer (tc/auth/challenge.h): what was recorded cannot be played again.
 *    No clock is needed on either side.
 *  - Who signs is in it, so that no side's answer can be sent back to it. The
 *    agent learns that the coordinator has the key, too.
 *  - Lengths are in it, so that no two hellos have the same bytes.
 *  - The coordinator's name is in it: an answer for one is worth nothing at
 *    another. Addresses are not: they change on the way (NAT, proxies).
 *  - Without TLS it proves who begins the connection, and protects nothing that
 *    is said on it later: who can change packets can wait for the welcome. The
 *    channel binding is there for the day that TLS is.
 *
 * Pure.
 */

#include "base/buf.h"

#define HELLO_NONCE_LEN 32

enum hello_side { HELLO_AGENT, HELLO_COORDINATOR };

struct hello {
	struct bytes application, instance, key_id;
	struct bytes coordinator;       /* "host:port" of its xids */
	struct bytes coordinator_nonce; /* HELLO_NONCE_LEN bytes each */
	struct bytes agent_nonce;
	struct bytes channel; /* channel binding, or empty */
	const struct bytes *resources;
	size_t n_resources;
};

/* Append what `side` signs. E_INVALID: a nonce has another length. Else as the
 * buffer says. */
MUST_CHECK int hello_transcript(struct buf *out, const struct hello *h,
				enum hello_side side);

#endif
