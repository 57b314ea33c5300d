#ifndef TC_DOOR_HTTP_ROUTE_H
#define TC_DOOR_HTTP_ROUTE_H

/*
 * Which function serves which path. Inside of the http door only.
 */

#include "tc/door/http_api.h"

struct http_route {
	const char *method;
	const char *pattern; /* see target_matches() */
	bool any_host;       /* probes name us by any address */
	enum http_verdict (*serve)(const struct http_api *api,
				   struct http_call *call,
				   struct http_answer *answer,
				   struct request *request);
};

/* http_list.c, http_show.c, http_action.c */
enum http_verdict http_list(const struct http_api *api, struct http_call *call,
			    struct http_answer *answer,
			    struct request *request);
enum http_verdict http_show(const struct http_api *api, struct http_call *call,
			    struct http_answer *answer,
			    struct request *request);
enum http_verdict http_retry(const struct http_api *api, struct http_call *call,
			     struct http_answer *answer,
			     struct request *request);
enum http_verdict http_resolve(const struct http_api *api,
			       struct http_call *call,
			       struct http_answer *answer,
			       struct request *request);

/* ---- what several of them need ---- */

/* A decimal number without sign, blanks or leading zeros. */
bool http_number(struct bytes text, uint64_t max, uint64_t *number);

/* vars[0] as a transaction of this coordinator, into call->number and
 * call->xid; false: *answer says what is wrong with it. */
bool http_which(const struct http_api *api, struct http_call *call,
		struct http_answer *answer);

/* An answer of the store that is not OK. */
void http_store_problem(const struct http_api *api, struct http_answer *answer,
			int err);

/* For %.*s: how much of it fits into a message, and where it is. */
#define SHORT(b) (int)((b).len > 200 ? 200 : (b).len), (const char *)(b).data

#endif
