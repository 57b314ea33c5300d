#ifndef TC_DOOR_HTTP_LISTEN_H
#define TC_DOOR_HTTP_LISTEN_H

/*
 * A listening socket on the loopback, and nowhere else.
 */

#include "base/buf.h"

/*
 * `address` is "127.0.0.1:7091" or "[::1]:7091"; port 0 takes any. *fd is then
 * listening, not blocking, and the caller's; `name` has the true address.
 *
 * OK
 * E_INVALID   not an address; *error says what one looks like
 * E_DENIED    an address that other machines could reach
 * E_IO        in use, not allowed, …; *error says
 */
MUST_CHECK int http_listen(const char *address, int *fd, char *name,
			   size_t name_size, struct buf *error);

#endif
