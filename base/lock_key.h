#ifndef BASE_LOCK_KEY_H
#define BASE_LOCK_KEY_H

/*
 * A lock key names one row: resource, table, primary-key values.
 *
 * Every part is length-prefixed (u32, big-endian), so no value can be mistaken
 * for a separator; a NULL value has length 0xffffffff. Two rows have the same
 * key exactly when the bytes are equal; making equal values equal bytes (case-
 * insensitive collations, 1 and 1.0) is the business of who writes the values.
 *
 * Pure.
 */

#include "base/buf.h"

/* Start a key; then one lock_key_value() for each primary-key column in the
 * order of the key. */
void lock_key_begin(struct buf *out, struct bytes resource, struct bytes table);
void lock_key_value(struct buf *out, struct bytes value);
void lock_key_null(struct buf *out);

/* The parts of a key, borrowed from it. E_INVALID if it is not a key. */
MUST_CHECK int lock_key_parse(struct bytes key, struct bytes *resource,
			      struct bytes *table, struct bytes *values);

/* For people: `table(1, 'x')`; bytes that are not printable ASCII or UTF-8
 * come as \xNN. A key that cannot be parsed comes as hexadecimal. */
void lock_key_print(struct buf *out, struct bytes key);

#endif
