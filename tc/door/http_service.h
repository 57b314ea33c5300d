#ifndef TC_DOOR_HTTP_SERVICE_H
#define TC_DOOR_HTTP_SERVICE_H

/*
 * Which URLs a state machine calls. The core checks a definition; this only
 * asks of each service that a state, or a graph's step, names by a URL whether
 * it may be called.
 *
 * Inside of the http door only.
 */

#include "tc/door/http_body.h"

/* False: *answer says which member names what is not allowed. `document` is
 * valid JSON, and stands at `at`. */
bool services_allowed(const struct http_api *api, struct http_call *call,
		      struct http_answer *answer, const struct body_path *at,
		      struct bytes document);

#endif
