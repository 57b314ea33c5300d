#ifndef BASE_TAGGED_H
#define BASE_TAGGED_H

/*
 * Bodies of stored rows that outlive an upgrade and the way back.
 *
 *   body  = version u8, then fields
 *   field = tag u8, len u32, len bytes
 *
 * Rules
 * -----
 *  - A field with its zero value is not written, a missing one is zero, one
 *    with an unknown tag is skipped by the reader. Tags are never used again.
 *  - Numbers are 8 bytes, big-endian.
 *  - What is read borrows from the body.
 *
 * Pure.
 */

#include "base/buf.h"

void tagged_begin(struct buf *out, uint8_t version);
void tagged_put_bytes(struct buf *out, int tag, struct bytes b);
void tagged_put_number(struct buf *out, int tag, uint64_t v);

struct tagged {
	uint8_t tag;
	struct bytes bytes;
};

/* E_CORRUPT: there is no version; E_VERSION: it is above `version_max`. */
MUST_CHECK int tagged_open(struct reader *r, struct bytes body,
			   uint8_t version_max);
/* The next field. False at the end; then r->failed says whether the body was
 * cut off. */
bool tagged_next(struct reader *r, struct tagged *t);
/* The field as a number within 0 … max. False: it is none. */
bool tagged_number(const struct tagged *t, uint64_t max, uint64_t *out);

#endif
