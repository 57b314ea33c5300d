#ifndef TC_DOOR_HTTP_TO_H
#define TC_DOOR_HTTP_TO_H

/*
 * Whom a document names: an HTTP participant by its URLs, a resource that
 * agents offer, or a topic; as the core wants to be told.
 *
 * Inside of the http door only.
 */

#include "tc/door/http_body.h"

/* One URL, and the member that it stands in. */
struct to_url {
	const char *name;
	struct bytes url; /* empty: not given */
};

struct to {
	struct to_url commit, rollback, check;
	struct bytes headers; /* JSON object, or empty */
};

/*
 * Check the URLs, and that they may be called; *resource becomes their origin,
 * *participant the document for the caller. False: *answer says what is wrong.
 */
bool to_urls(const struct http_api *api, struct http_call *call,
	     struct http_answer *answer, const struct body_path *at,
	     const struct to *to, struct bytes *resource,
	     struct bytes *participant);

/* `name` is an URL (of the kind that `to` has, its URL is filled in here) or
 * the name of a resource. */
bool to_any(const struct http_api *api, struct http_call *call,
	    struct http_answer *answer, const struct body_path *at,
	    struct to *to, struct to_url *place, struct bytes name,
	    struct bytes *resource, struct bytes *participant);

/* ---- deliveries of messages ---- */

struct delivery {
	struct bytes to, topic; /* one of them */
	struct bytes data, headers;
	uint64_t deliver_after_ms;
	uint64_t timeout_ms; /* of one call */
	struct bytes schedule_ms;
};

/* Of a document that is a delivery and nothing else. */
extern const struct field delivery_members[];
extern const size_t delivery_n_members;

/* Make a REGISTER of it; xid and client_key are the caller's business. */
bool delivery_request(const struct http_api *api, struct http_call *call,
		      struct http_answer *answer, const struct body_path *at,
		      const struct delivery *d, struct request *request);

#endif
