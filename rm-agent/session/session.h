#ifndef RM_AGENT_SESSION_SESSION_H
#define RM_AGENT_SESSION_SESSION_H

/*
 * The agent's side of the protocol (wire/msg.h) as a step machine: it is told
 * what happened and says what to send, what has been answered, and what the
 * coordinator wants done.
 *
 *              connected, hello wanted, silent
 *            +--------------------------------+
 *            v                                |
 *        GREETING --welcome--> READY ---------+
 *         |    ^                 |
 *        bye  due               bye
 *         v    |                 |
 *        REFUSED <---------------+
 *
 * Rules
 * -----
 *  - Only a hello leaves while GREETING, nothing while REFUSED; requests and
 *    answers wait. After a welcome everything that is unanswered and may have
 *    been lost is sent again, with the same ids.
 *  - A request ends exactly once: with its reply, or at its deadline, or by
 *    session_end(), or when the coordinator refuses this agent for good.
 *  - What the coordinator that welcomed us is too old for (msg_level()) is not
 *    sent to it: it would be taken for something else.
 *  - A reply with E_CLOSED (the coordinator stops) does not end a request: it
 *    is sent again later.
 *  - Without an answer a request is sent again after its .wait_ms plus
 *    resend_ms_first, then in growing steps up to resend_ms_max.
 *  - After heartbeat_ms without any message a ping is sent; unanswered for
 *    twice that time, the connection counts as dead (SESSION_RECONNECT).
 *  - While there is no welcome SESSION_RECONNECT comes again and again, after
 *    1 s at first, after 6 to 8 s in the end, whatever becomes of the
 *    connections meanwhile: who makes them need not be right about them.
 *  - BRANCH_DONE is sent once and forgotten: if it is lost the coordinator
 *    asks again.
 *  - After each input take the outputs until there are none, then send. What an
 *    output points at is borrowed until the next call.
 *
 * Pure: no I/O, clock, threads; one owner at a time. now_ms is monotonic.
 */

#include "wire/msg.h"

struct session;

struct session_config {
	struct bytes application; /* copied */
	struct bytes instance;    /* copied */
	size_t requests_max;      /* unanswered at once */
	size_t bytes_max;         /* of all kept messages together */
	size_t message_max;       /* of one message */
	size_t dones_max;         /* BRANCH_DONE waiting to be sent */
	uint64_t heartbeat_ms; /* the coordinator may ask for a shorter one */
	uint64_t resend_ms_first;
	uint64_t resend_ms_max;
};

enum session_state { SESSION_GREETING, SESSION_READY, SESSION_REFUSED };

enum session_output_type {
	SESSION_DONE,      /* .tag's request ended with .err (and .msg) */
	SESSION_COMMAND,   /* .msg is a MSG_COMMAND */
	SESSION_RECONNECT, /* close the connection, try the next address */
	SESSION_WELCOMED,  /* .msg is the MSG_WELCOME; for logs */
	SESSION_BYE,       /* .err and .text say why; for logs */
};

struct session_output {
	enum session_output_type type;
	void *tag;
	/*
	 * DONE: OK         .msg is the reply; its .err is the coordinator's
	 *       E_TIMEOUT  at the deadline, and never sent: nothing happened
	 *       E_UNKNOWN  at the deadline or the end, and sent before
	 *       E_CLOSED   session_end(), and never sent
	 *       E_DENIED, E_VERSION, E_INVALID, …  refused for good, never sent
	 *       E_VERSION  also: too much for this coordinator, never sent
	 * BYE:  what the coordinator said
	 */
	int err;
	struct bytes text; /* of a refusal */
	struct msg msg;    /* OK, COMMAND, WELCOMED */
	struct bytes body; /* the bytes that .msg borrows from */
};

/* E_NOMEM; E_INVALID: a limit or time is 0, a name is empty. */
MUST_CHECK int session_new(struct session **out, const struct mem *mem,
			   const struct session_config *config,
			   uint64_t now_ms);
void session_free(struct session *s); /* NULL is fine */

/* ---- inputs ---- */

/*
 * Ask the coordinator; m->id is given by the session. The tag comes back with
 * the end. E_NOMEM, E_LIMIT (requests_max, bytes_max, message_max), E_VERSION
 * (the coordinator is too old for it): nothing changed.
 */
MUST_CHECK int session_request(struct session *s, const struct msg *m,
			       uint64_t deadline_ms, void *tag,
			       uint64_t now_ms);
/* Answer a command; m->id is the command's. E_NOMEM, E_LIMIT: it is dropped,
 * the coordinator will ask again. */
MUST_CHECK int session_done(struct session *s, const struct msg *m);
/* All resources that this process serves; says hello again. E_NOMEM, E_LIMIT:
 * nothing changed. */
MUST_CHECK int session_resources(struct session *s, const struct bytes *ids,
				 size_t n, uint64_t now_ms);
/* A message arrived. E_NOMEM: nothing changed, as if it was lost. E_INVALID,
 * E_VERSION, E_LIMIT: it makes no sense and is ignored. */
MUST_CHECK int session_receive(struct session *s, struct bytes body,
			       uint64_t now_ms);
/* A new connection was made; what was sent before may be lost. */
void session_connected(struct session *s, uint64_t now_ms);
/* session_deadline() has come. */
void session_time(struct session *s, uint64_t now_ms);
/* End every request. */
void session_end(struct session *s);

/* ---- outputs ---- */

bool session_take(struct session *s, struct session_output *out);

/* What to send next; false if nothing. Call session_sent() when the transport
 * has taken it, else the same message comes again. */
bool session_next(struct session *s, struct bytes *body);
void session_sent(struct session *s, uint64_t now_ms);

uint64_t session_deadline(const struct session *s); /* UINT64_MAX: never */
enum session_state session_state(const struct session *s);
/* Requests that have not ended. */
size_t session_pending(const struct session *s);

/* Walk everything and REQUIRE its invariants. For tests. */
void session_check(const struct session *s);

#endif
