#ifndef SAMPLES_CHECKOUT_CALL_H
#define SAMPLES_CHECKOUT_CALL_H

/*
 * One service calls another: JSON over HTTP with libcurl, the transaction's
 * id in the header TX_XID.
 */

#include <cjson/cJSON.h>

/*
 * POST `body` to base + path. Returns the HTTP status and the answer's JSON
 * (to be deleted by the caller; may be NULL), or 0 if no answer came: then it
 * is not known whether the work was done.
 *
 * An answer that is lost is asked for again, up to `tries` times in all; so
 * the callee must know a request that it has seen before (the token).
 */
long call_post(const char *base, const char *path, const char *xid,
	       const cJSON *body, int tries, cJSON **answer);

#endif
