#ifndef TC_DOOR_SP_H
#define TC_DOOR_SP_H

/*
 * The SP protocol as nanomsg and nng speak it, REP side, for raw REQ sockets:
 *
 *   hello    00 'S' 'P' 00, u16 protocol (client 48 REQ, server 49 REP), u16 0
 *   message  u64 length, then that many bytes: u32 request id with the top bit
 *            set, body. Over ipc one byte 01 stands in front of the length.
 *
 * Rules
 * -----
 *  - A length is believed only up to body_max; nothing is reserved for it.
 *  - Request ids carry no meaning here: answers and pushed messages are known
 *    by the ids within their bodies. A message is sent with the low 31 bits of
 *    its own id.
 *
 * Pure.
 */

#include "base/buf.h"

enum sp_transport { SP_TCP, SP_IPC };

#define SP_REQ 48
#define SP_REP 49

struct sp {
	enum sp_transport transport;
	uint16_t expected; /* the peer's protocol */
	bool greeted;      /* its hello was read */
	size_t body_max;
};

void sp_init(struct sp *p, enum sp_transport transport, uint16_t expected,
	     size_t body_max);

/*
 * Take the next message off the front of `in`. *used says how much was taken,
 * also with E_AGAIN (the hello). *body is borrowed from `in`.
 *
 * OK         *body is a message
 * E_AGAIN    not all of it is there yet
 * E_INVALID  not this protocol; *why says what is wrong
 * E_LIMIT    a body longer than body_max; *why says so
 */
MUST_CHECK int sp_take(struct sp *p, struct bytes in, size_t *used,
		       struct bytes *body, const char **why);

void sp_put_hello(struct buf *out, uint16_t protocol);

/* Begin a message; what is appended until sp_put_end() is its body. Returns
 * what sp_put_end() wants. */
size_t sp_put_begin(struct buf *out, enum sp_transport transport, uint64_t id);
void sp_put_end(struct buf *out, size_t begin);

#endif
