#ifndef TC_STORE_SQLITE_VFS_H
#define TC_STORE_SQLITE_VFS_H

/*
 * A file layer for SQLite that passes everything to the one below and counts
 * and times the syncs: they are what a coordinator's speed is made of, and
 * SQLite itself does not tell.
 */

#include "tc/store/store.h"

struct sqlite_vfs;

/*
 * Register one on top of the file layer `below` (NULL: SQLite's default). It
 * adds to stats->syncs and stats->sync_us_total.
 * OK, E_NOMEM, or E_NOTFOUND: there is no file layer of that name.
 */
MUST_CHECK int sqlite_vfs_new(struct sqlite_vfs **out, const struct mem *mem,
			      const char *below, struct store_stats *stats);
const char *sqlite_vfs_name(const struct sqlite_vfs *v);
/* Every connection over it must be closed. NULL is fine. */
void sqlite_vfs_free(struct sqlite_vfs *v);

#endif
