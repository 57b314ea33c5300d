#ifndef TC_DOOR_HTTP_H
#define TC_DOOR_HTTP_H

/*
 * The door for operators: REST under /api/v1, /healthz and /readyz, by
 * libmicrohttpd run from the loop's own epoll.
 *
 * Rules
 * -----
 *  - Loopback only: there is no login yet, so an address that another machine
 *    could reach is refused at the start.
 *  - A Host header that names neither the loopback nor our own address is
 *    refused (DNS rebinding), and so is a POST that a foreign page could have
 *    made: it must be application/json and come from our own origin.
 *  - Every phase of a connection (a request's arrival, an answer's departure)
 *    has the same time limit, so that trickling byte by byte gains nothing.
 *  - A question is answered from memory at once. An action goes through the
 *    core; its connection is suspended until the reply comes. If none comes
 *    in time the answer is 504 "outcome unknown", never a guess.
 *  - Bodies need a Content-Length, and never exceed body_max.
 */

#include "base/buf.h"
#include "tc/door/door.h"

#define HTTP_ADDRESS_DEFAULT "127.0.0.1:7091"

struct http_config {
	const char *address; /* "127.0.0.1:7091", "[::1]:7091"; port 0: any */
	const char *version; /* of the program; in /api/v1/stats */
	unsigned connections_max;
	size_t body_max;     /* bytes of a request's body */
	uint64_t request_ms; /* for a request to arrive, an answer to leave */
	uint64_t reply_ms;   /* for the core's reply to an action */
};

/* Sensible values for everything. */
void http_config_default(struct http_config *config);

/*
 * Listen, and fill in *out (see door.h). `port` and `mem` must outlive it; the
 * configuration is copied. out->close() frees everything.
 *
 * OK
 * E_INVALID   the address is not one; *error says what and what to do
 * E_DENIED    the address is not of the loopback
 * E_IO        it cannot be listened on (in use, not allowed, …)
 * E_NOMEM
 */
MUST_CHECK int http_open(struct door *out, const struct mem *mem,
			 const struct http_config *config,
			 const struct door_port *port, struct buf *error);

#endif
