#ifndef TC_DOOR_PARTICIPANT_H
#define TC_DOOR_PARTICIPANT_H

/*
 * How an HTTP participant is called, as a JSON document:
 *
 *   {"commit": URL, "rollback": URL, "check": URL, "headers": {NAME: VALUE}}
 *
 * What is not used is absent. Doors make or check the document when something
 * is registered; the core only keeps it; the caller reads it back.
 *
 * Rules
 * -----
 *  - Every URL is one as base/url.h has it, and all have the same origin: it is
 *    the resource that the core queues by. Something with two origins is two
 *    participants.
 *  - Their queries don't have gid, trans_type, branch_id or op yet: the
 *    coordinator adds those.
 *  - Names of headers are tokens and given once. Refused are those that belong
 *    to one connection (Connection, TE, Upgrade, …), those that the coordinator
 *    writes (Host, Content-Length, Content-Type, TX_XID, Idempotency-Key, …),
 *    also with '-' and '_' swapped, as gateways read them alike.
 *  - Values are visible ASCII, blanks and tabs, without blanks around them.
 *    They may be secrets: show a document by participant_put_public() only.
 *  - A member that is not known is refused, not passed over.
 *
 * Pure.
 */

#include "base/arena.h"
#include "base/json.h"
#include "base/url.h"

#define PARTICIPANT_LEN_MAX     8192 /* of the document */
#define PARTICIPANT_HEADERS_MAX 32

struct participant_header {
	struct bytes name;
	struct bytes value;
};

struct participant {
	struct bytes commit; /* URLs; empty: none */
	struct bytes rollback;
	struct bytes check;
	struct participant_header headers[PARTICIPANT_HEADERS_MAX];
	size_t n_headers;
};

/*
 * Read and check a document; what is in *out lives in the arena. No bytes at
 * all are a participant without anything.
 *
 * OK
 * E_INVALID   *why says what is wrong with it
 * E_LIMIT     longer than PARTICIPANT_LEN_MAX or too many headers; *why
 * E_NOMEM
 */
MUST_CHECK int participant_read(struct participant *out, struct arena *arena,
				struct bytes document, struct buf *why);

/* The same checks of one that was not read from a document. */
MUST_CHECK int participant_check(const struct participant *p, struct buf *why);

/* Append the document. */
void participant_put(struct buf *out, const struct participant *p);
/* The same with "***" in place of the headers' values. */
void participant_put_public(struct buf *out, const struct participant *p);

/* Append the origin of its URLs ("http://host:port"): the resource to register
 * with the core. E_NOTFOUND: it has no URL. *p must have been checked. */
MUST_CHECK int participant_origin(struct buf *out, const struct participant *p);

#endif
