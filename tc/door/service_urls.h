#ifndef TC_DOOR_SERVICE_URLS_H
#define TC_DOOR_SERVICE_URLS_H

/*
 * Which URLs a state machine or a graph of steps calls, and whether they may be
 * called. Everything else about a definition is for the core to check.
 *
 * Pure.
 */

#include "base/json.h"
#include "tc/door/allow_list.h"

/* Where in the document a service stands. */
struct service_at {
	const char *list;   /* "States" or "steps" */
	struct bytes state; /* its name; empty: [index] */
	size_t index;
	const char *member; /* "ServiceName", "action", "compensation" */
};

/*
 * Ask the list for each service that is a URL; with its ServiceMethod behind
 * it, as it will be called. What is no JSON names no service.
 *
 * OK
 * E_INVALID  this is no URL that can be called; *at and *why (a sentence's end:
 *            "a URL that can be called: …")
 * E_DENIED   it is not allowed; *at, and *why says how to allow it
 * E_NOMEM
 */
MUST_CHECK int service_urls_check(const struct allow_list *list,
				  struct arena *arena, struct bytes document,
				  struct service_at *at, struct buf *why);

/* Append "$.States.Pay.ServiceName". */
void service_at_put(struct buf *out, const struct service_at *at);

#endif
