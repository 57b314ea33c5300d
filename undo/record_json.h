#ifndef UNDO_RECORD_JSON_H
#define UNDO_RECORD_JSON_H

/*
 * The JSON inside of an undo record's parts.
 */

#include "undo/record.h"

void record_put_json(struct buf *out, const struct record *r);

/*
 * Read what record_put_json() wrote; unknown members are passed over.
 * E_CORRUPT, E_VERSION with *why (may be NULL) saying what; E_NOMEM.
 */
MUST_CHECK int record_get_json(struct record *out, struct arena *arena,
			       struct bytes json, struct buf *why);

#endif
