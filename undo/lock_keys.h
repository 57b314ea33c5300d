#ifndef UNDO_LOCK_KEYS_H
#define UNDO_LOCK_KEYS_H

/*
 * The lock keys of the rows that a branch touches, each once.
 *
 * Rules
 * -----
 *  - A key is resource, table name, one text for each key column, as
 *    base/lock_key.h puts them together.
 *  - Equal for the database, equal bytes: numbers are brought to one spelling
 *    here (1 = 1.0 = 1e0, -0 = 0), for columns that fold the row's lock text
 *    is taken. A fold that was not delivered is refused, never guessed.
 *  - Order is that of first appearance.
 */

#include "base/lock_key.h"
#include "base/map.h"
#include "undo/image.h"

struct lock_keys {
	struct arena *arena; /* owns the keys */
	struct map seen;
	struct bytes resource;
	struct bytes *keys;
	size_t n;
	size_t cap;
};

/* Copies resource. E_NOMEM. */
MUST_CHECK int lock_keys_init(struct lock_keys *k, struct arena *arena,
			      struct bytes resource);
/* Gives back what is not the arena's. Fine on a zeroed struct. */
void lock_keys_fini(struct lock_keys *k);

/*
 * Add the rows of an image; call it for before and after.
 * E_UNSUPPORTED: a column that folds came without lock text.
 * E_NOMEM. Keys added before the failure stay.
 */
MUST_CHECK int lock_keys_add(struct lock_keys *k, const struct image *img);

/* The key of one row, appended to *out. E_UNSUPPORTED as above. */
MUST_CHECK int lock_keys_put(struct buf *out, struct bytes resource,
			     const struct table *t, const struct row *row);

#endif
