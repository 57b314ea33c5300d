#ifndef TC_DOOR_HTTP_API_H
#define TC_DOOR_HTTP_API_H

/*
 * What the URLs mean: a request in, an answer out, or first a question to the
 * core.
 *
 *   GET  /healthz                                       the process lives
 *   GET  /readyz                                        and takes work
 *   GET  /api/v1/stats
 *   GET  /api/v1/transactions?state&status&hung&text&resource&min_age
 *                             &after&limit
 *   GET  /api/v1/transactions/{xid}
 *   POST /api/v1/transactions/{xid}/retry               {"reason"}
 *   POST /api/v1/transactions/{xid}/branches/{id}/retry {"reason"}
 *   POST /api/v1/transactions/{xid}/branches/{id}/resolve
 *                             {"resolution","values","rows","reason"}
 *
 * "rows" are what the operator saw of a dirty branch: the "table", "key" and
 * "seen" of each row of the difference. Then only these rows are resolved, each
 * only if it still looks the same; others stay dirty.
 *
 * {xid} is the whole xid, or its number alone. HEAD is GET without a body.
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
	struct bytes body;

	/* The api's own, from http_admit() on. */
	struct target parsed;
	struct bytes vars[2];
	const struct http_route *route;
	uint64_t number;
	struct bytes xid;
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

/* The core's reply to what http_handle() asked. */
void http_reply(const struct http_api *api, const struct http_call *call,
		const struct reply *reply, struct http_answer *answer);

#endif
