#ifndef BASE_XID_H
#define BASE_XID_H

/*
 * The id of a global transaction as text: "host:port:number" (Seata's form),
 * at most XID_LEN_MAX bytes. host:port names the coordinator.
 */

#include "base/buf.h"

#define XID_LEN_MAX 128

/*
 * Split at the last colon. *coordinator borrows from text.
 * E_INVALID: too long, no colon, no host, or the number is not a decimal
 * between 1 and 2^63-1 without sign, blanks or leading zeros.
 */
MUST_CHECK int xid_parse(struct bytes text, struct bytes *coordinator,
			 uint64_t *number);

void xid_format(struct buf *out, struct bytes coordinator, uint64_t number);

#endif
