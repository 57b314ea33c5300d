#ifndef TESTS_FAKES_HTTP_PEER_H
#define TESTS_FAKES_HTTP_PEER_H

/*
 * An HTTP participant that does what its path says, well or badly; a thread for
 * each connection, which is kept as long as the other side likes.
 *
 *   /s/NNN         answers NNN with the text "as told"
 *   /echo          200, the request's body back, with its Content-Type
 *   /json/…        200, application/json, the rest of the path as the body
 *   /refuse        409 {"error":"NoMoney","message":"the wallet is empty"}
 *   /slow/NNN      200 after NNN ms
 *   /never         no answer
 *   /trickle       a header that never ends, byte by byte
 *   /drip          a body byte by byte
 *   /flood         headers without end, as fast as they are taken
 *   /huge          200 with 4 MiB (/huge/json: as application/json)
 *   /redirect      302 to /s/200
 *   /reset         half of a 200's body, then RST
 *   /cut           half of a 200's body, then the end
 *   /close         the end without an answer
 *   /garbage       something that isn't HTTP
 *   /bare          a body without a status line (HTTP 0.9)
 *   /gzip          200, says gzip and isn't
 *   /continue      100, then 200
 *   /last          200, then closes although it has not said so
 *
 * Everything ends the test process by REQUIRE when it cannot be done.
 */

#include "base/base.h"

struct http_peer;

/* On a free port of this address; of IPv6, too. */
struct http_peer *http_peer_start(const char *address);
void http_peer_stop(struct http_peer *p);

unsigned http_peer_port(const struct http_peer *p);
/* Requests, and connections, until now. */
size_t http_peer_requests(struct http_peer *p);
size_t http_peer_connections(struct http_peer *p);
/* The most requests that were being answered at the same time. */
size_t http_peer_at_once(struct http_peer *p);
/* The Idempotency-Key of the n-th request (0, 1, …), "" if it had none or there
 * was no n-th; to be freed as below. */
char *http_peer_key(struct http_peer *p, size_t n);
/* The last request as it came, head and body, up to 16 KiB; with NUL. To be
 * freed by mem_free(&mem_heap). */
char *http_peer_last(struct http_peer *p);

#endif
