#ifndef TC_HOST_DATA_DIR_H
#define TC_HOST_DATA_DIR_H

/*
 * The folder that a coordinator lives in:
 *
 *   treaty.db     the store (with treaty.db-wal while it runs)
 *   lock          held while it runs; the process id
 *   coordinator   host:port in front of its xids, from the first start on
 *   address       where it listens just now, one `name address` a line;
 *                 written when it is ready, removed when it stops
 */

#include "base/buf.h"

struct data_dir {
	const struct mem *mem;
	struct buf path;
	struct buf store; /* the path of treaty.db */
	int lock;
};

/*
 * Create the folder with mode 0700 if it isn't there, and take its lock.
 * E_CONFLICT: another process has it. E_IO. E_NOMEM. *error says what to do.
 */
MUST_CHECK int data_dir_open(struct data_dir *d, const struct mem *mem,
			     const char *path, struct buf *error);

/* Read a small file into *out, without its last newline. E_NOTFOUND, E_IO. */
MUST_CHECK int data_dir_read(struct data_dir *d, const char *name,
			     struct buf *out);
/* Replace a small file as a whole, durably. E_IO, E_NOMEM. */
MUST_CHECK int data_dir_write(struct data_dir *d, const char *name,
			      struct bytes text);
void data_dir_remove(struct data_dir *d, const char *name);

/* Give the lock back. Fine on a zeroed one. */
void data_dir_close(struct data_dir *d);

#endif
