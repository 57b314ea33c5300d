#ifndef TC_DOOR_CALLER_REQUEST_H
#define TC_DOOR_CALLER_REQUEST_H

/*
 * The HTTP request that a command becomes (docs/http-participants.md).
 *
 *   COMMIT, ROLLBACK   POST the URL that was registered for it
 *   CHECK              GET the check URL
 *   CALL               POST the service's URL, "/" and the method behind it
 *
 * Rules
 * -----
 *  - gid, trans_type, branch_id and op join the query. They, and so the
 *    Idempotency-Key "xid/branch/op", are the same whenever the same thing is
 *    asked again, in whichever life of the coordinator.
 *  - Everything in it lives in the arena. Texts end in NUL, for libcurl.
 *
 * Pure.
 */

#include "base/arena.h"
#include "base/url.h"
#include "tc/core/core.h"
#include "tc/door/participant.h"

#define CALLER_HEADERS_MAX (PARTICIPANT_HEADERS_MAX + 8)

struct caller_request {
	bool get; /* else POST */
	const char *url;
	struct url target;    /* of .url */
	struct bytes origin;  /* "http://host:port" */
	struct bytes display; /* "POST http://host:port/path": no query */
	const char *headers[CALLER_HEADERS_MAX]; /* "Name: value" */
	size_t n_headers;
	struct bytes body;
};

/* "tcc" and "confirm", and so on: what participants know them by. */
const char *caller_trans_type(const struct command *c);
const char *caller_op(const struct command *c);

/*
 * OK
 * E_INVALID   there is nothing that could be called; *why says so
 * E_NOMEM
 */
MUST_CHECK int caller_request_make(struct caller_request *out,
				   struct arena *arena, const struct command *c,
				   struct buf *why);

#endif
