#ifndef TESTS_FAKES_FAULT_VFS_H
#define TESTS_FAKES_FAULT_VFS_H

/*
 * A file system in memory below SQLite whose disk fails and loses power when
 * told to. What was written but not synced is lost in any subset, sector by
 * sector, as on a real disk.
 *
 *   fault_vfs_cut(v, n);          power goes at the n-th write, sync or cut
 *   … work until it fails, then close …
 *   fault_vfs_restart(v, &random);   and look what is left
 */

#include "base/base.h"

struct fault_vfs;

enum fault_loss {
	FAULT_LOSE_NOTHING, /* kill -9: the kernel still has it all */
	FAULT_LOSE_ALL,     /* power loss: everything that was not synced */
	FAULT_LOSE_SOME,    /* power loss: any subset, sectors torn */
};

struct fault_vfs *fault_vfs_new(void);
void fault_vfs_free(struct fault_vfs *v); /* every file must be closed */
const char *fault_vfs_name(const struct fault_vfs *v);

/* Writes, syncs and truncations so far, and syncs alone. */
long fault_vfs_ops(const struct fault_vfs *v);
long fault_vfs_syncs(const struct fault_vfs *v);

/* From the n-th operation on (0: the next) everything fails. */
void fault_vfs_cut(struct fault_vfs *v, long n);
/* The n-th operation on from now fails with this SQLite code, once. A failed
 * sync leaves its data unsynced for ever, as a kernel does. */
void fault_vfs_fail(struct fault_vfs *v, long n, int code);

/* Power on again, faults forgotten. */
void fault_vfs_restart(struct fault_vfs *v, enum fault_loss loss,
		       uint64_t *random);

/* Flip one bit; E_NOTFOUND if there is no such file or byte. */
MUST_CHECK int fault_vfs_flip(struct fault_vfs *v, const char *file, size_t at);
/* The size of a file; 0 if there is none. */
size_t fault_vfs_size(const struct fault_vfs *v, const char *file);
/* Put a page of a file back to what it was: a lost write. First keep, then
 * revert. */
void fault_vfs_keep(struct fault_vfs *v, const char *file);
MUST_CHECK int fault_vfs_revert(struct fault_vfs *v, const char *file,
				size_t at, size_t len);

#endif
