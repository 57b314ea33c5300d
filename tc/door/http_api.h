#ifndef TC_DOOR_HTTP_API_H
#define TC_DOOR_HTTP_API_H

/*
 * What the URLs mean: a request in, an answer out, or first questions to the
 * core. http_routes.c lists them; docs/http.md tells services how to use them,
 * treatyd(8) names them all.
 *
 * {xid} in a path is the whole xid, or its number alone. HEAD is GET without a
 * body.
 *
 * No socket and no clock in here; the core and the store are only asked.
 */

#include "tc/door/door.h"
#include "tc/door/http_answer.h"
#include "tc/door/http_target.h"

struct http_api {
	const struct door_port *port;
	const char *version;
	size_t body_max;
	uint64_t began_ms; /* for the uptime */
};

struct http_call {
	struct arena *arena; /* of this request alone */
	struct bytes method;
	struct bytes target; /* as it was sent: path and query */
	/* Headers; no bytes if there is none. */
	struct bytes host;
	struct bytes origin;
	struct bytes content_type;
	struct bytes content_length;
	struct bytes transfer_encoding;
	struct bytes idempotency_key;
	struct bytes accept_encoding;
	struct bytes if_none_match;
	struct bytes body;

	/* The api's own, from http_admit() on. */
	struct target parsed;
	struct bytes vars[2];
	const struct http_route *route;
	uint64_t number;
	struct bytes xid;
	struct bytes about; /* what else was named, for the answer */
	uint64_t wait_ms;   /* how long the core was asked to wait */
	void *work;         /* what a route keeps from question to question */
};

enum http_verdict {
	HTTP_ANSWERED, /* *answer is complete */
	HTTP_ASKED,    /* step the core with *request, then http_reply() */
};

/*
 * With the headers known and no body read yet: false if the request is refused,
 * *answer says why. Then the rest of it need not be read.
 */
bool http_admit(const struct http_api *api, struct http_call *call,
		struct http_answer *answer);

/* An admitted call with its body. What *request points at lives in the call's
 * arena and the call's body; its .id is the caller's business. */
enum http_verdict http_handle(const struct http_api *api,
			      struct http_call *call,
			      struct http_answer *answer,
			      struct request *request);

/*
 * The core's reply to what was asked, or one that says E_NOMEM if it could not
 * be asked. HTTP_ASKED: it takes another step; *request is like that of
 * http_handle(), and nothing of *reply is needed any more.
 */
enum http_verdict http_reply(const struct http_api *api, struct http_call *call,
			     const struct reply *reply,
			     struct http_answer *answer,
			     struct request *request);

/* The reply has not come in time. */
void http_give_up(const struct http_call *call, struct http_answer *answer);

#endif
