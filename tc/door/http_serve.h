#ifndef TC_DOOR_HTTP_SERVE_H
#define TC_DOOR_HTTP_SERVE_H

/*
 * The http door's inside: its connections and requests, and what
 * libmicrohttpd calls.
 *
 * Invariants
 *   I1  a connection is on `conns` exactly while it is not suspended
 *   I2  `conns` and `asked` are in the order of due_ms
 *   I3  `busy` counts the calls that are served and not completed
 *   I4  the core cannot be asked from within a reply, so what comes next is
 *       on `steps` until the next flush
 */

#include "base/list.h"
#include "tc/door/http_api.h"

#include <microhttpd.h>

struct conn {
	struct list on; /* http_door.conns; unlinked while suspended */
	int fd;
	uint64_t due_ms;
};

enum call_state {
	CALL_NEW,      /* its request line was seen */
	CALL_ADMITTED, /* its headers were; the body comes */
	CALL_REFUSED,
	CALL_ASKED,    /* the core has it, or will have its next step */
	CALL_ANSWERED, /* the answer is there */
	CALL_SENT,     /* the library has the answer */
};

struct call {
	struct list on; /* http_door.asked or .steps */
	struct http_door *door;
	struct MHD_Connection *connection;
	struct conn *conn;
	enum call_state state;
	uint64_t id;
	uint64_t due_ms;
	struct arena arena;
	struct buf body;
	struct http_call http;
	struct http_answer answer;
	struct request request; /* on `steps`: what to ask next */
};

struct http_door {
	const struct mem *mem;
	const struct door_port *port;
	struct http_api api;
	uint64_t request_ms;
	uint64_t reply_ms;
	char address[64];
	char version[32];
	int listen_fd;
	struct MHD_Daemon *daemon;
	uint64_t now_ms;
	uint64_t library_due_ms; /* when MHD_run() wants to be called */
	uint64_t ids;
	struct list conns;
	struct list asked;
	struct list steps;
	size_t busy; /* calls between the end of their request and their end */
	struct door_stats stats;
};

/* The client has request_ms from now on for what it must do. */
void http_conn_expect(struct http_door *d, struct conn *c);

/* Put to the core what is in call->request; its answer comes by
 * http_call_replied(), also that there is no memory. */
void http_call_ask(struct call *call);
/* The core said something. True: the answer is complete. */
bool http_call_replied(struct call *call, const struct reply *reply);

/* The library's callbacks; ctx is the door. http_on_target() is the first that
 * hears of a request; what it returns is the *context of the others. */
void http_on_connection(void *ctx, struct MHD_Connection *connection,
			void **context,
			enum MHD_ConnectionNotificationCode code);
void *http_on_target(void *ctx, const char *uri,
		     struct MHD_Connection *connection);
enum MHD_Result http_on_request(void *ctx, struct MHD_Connection *connection,
				const char *url, const char *method,
				const char *version, const char *data,
				size_t *len, void **context);
void http_on_completed(void *ctx, struct MHD_Connection *connection,
		       void **context, enum MHD_RequestTerminationCode code);

#endif
