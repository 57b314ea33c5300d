#ifndef RM_AGENT_TRANSPORT_H
#define RM_AGENT_TRANSPORT_H

/*
 * Messages to and from the coordinator over libnanomsg (a raw REQ socket).
 *
 * Rules
 * -----
 *  - nanomsg connects by itself and says nothing about it: a message that was
 *    taken may still be lost. transport_renewed() tells that there is a new
 *    connection, sooner or later; the session's pings tell the rest.
 *  - nanomsg may also connect in vain for ever: bytes that an old connection
 *    brought and nobody had read are taken for the first ones of the next, of
 *    which some are left for the one after that. Only transport_reconnect()
 *    begins anew, so whoever is not answered must call it.
 *  - One address at a time; transport_reconnect() goes on to the next.
 *  - Nothing blocks but the waits. These and the wakes may be called by any
 *    thread at any time, everything else under the agent's lock.
 *  - There are two who may wait, each with a wake of its own: the loop, and a
 *    call that does the loop's work while it waits for its answer.
 */

#include "base/base.h"

struct transport;

/*
 * Addresses: "tcp://host:port" and "ipc:///path", separated by commas. E_INVALID
 * for anything else; E_IO (descriptors are used up, …), E_NOMEM; *why is a
 * sentence then (static).
 */
MUST_CHECK int transport_open(struct transport **out, const char *addresses,
			      size_t message_max, const char **why);
void transport_close(struct transport *t); /* NULL is fine */

/* E_AGAIN: not connected, or busy. E_IO: the socket is broken. */
MUST_CHECK int transport_send(struct transport *t, struct bytes body,
			      uint32_t id);
/* The next message; give it back by transport_free(). E_AGAIN: none is there;
 * E_IO. */
MUST_CHECK int transport_receive(struct transport *t, struct bytes *body);
void transport_free(struct bytes body);

/* True once after each new connection. */
bool transport_renewed(struct transport *t);
/* E_IO: nothing is connected to, or the old address still is; call it again
 * after a while. *why is a sentence then (of nanomsg, static). */
MUST_CHECK int transport_reconnect(struct transport *t, const char **why);
/* The address that is in use; borrowed until close. */
const char *transport_address(const struct transport *t);

/* Whether "it can send again" ends a wait; off at first. */
void transport_watch_send(struct transport *t, bool on);

/* Readable when something arrived, when it can send again (if watched), or
 * after transport_wake(). */
int transport_fd(const struct transport *t);
/* The loop waits for that, at most so long (< 0: for ever). */
void transport_wait(struct transport *t, int timeout_ms);
void transport_wake(struct transport *t);
/* The loop waits for nothing but its wake. */
void transport_park(struct transport *t, int timeout_ms);
/* Forget the loop's wakes so far. */
void transport_awake(struct transport *t);

/* A call waits for the same as the loop, but for its own wake. */
void transport_wait_call(struct transport *t, bool watch_send, int timeout_ms);
void transport_wake_call(struct transport *t);
void transport_awake_call(struct transport *t);

#endif
