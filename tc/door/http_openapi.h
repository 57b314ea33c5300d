#ifndef TC_DOOR_HTTP_OPENAPI_H
#define TC_DOOR_HTTP_OPENAPI_H

/*
 * The interface, described by an OpenAPI 3.1 document: docs/openapi.json,
 * compiled in.
 *
 * Rules
 * -----
 *  - It names every path below /api/v1 and the probes, and every problem's
 *    code; tests hold it against the routes, and real answers against it.
 */

#include "base/base.h"

/* The document as it stands in docs/, and its hash with quotes, as an ETag is
 * sent. openapi.c in the build's folder, made by embed.cmake. */
extern const unsigned char http_openapi_json[];
extern const size_t http_openapi_json_len;
extern const char http_openapi_etag[];

#endif
