#ifndef TC_STORE_STORE_SQLITE_H
#define TC_STORE_STORE_SQLITE_H

/*
 * The embedded store: one SQLite file, written by one process.
 *
 * How it keeps its word
 * ---------------------
 *  - WAL with synchronous=FULL: a durable batch is one transaction and one
 *    sync. The WAL is moved into the file by checkpoints of our own, at quiet
 *    moments (store_idle) and when it outgrows wal_pages_max.
 *  - A batch that need not be durable is committed with synchronous=NORMAL:
 *    it reaches the kernel (so it survives kill -9) but no sync waits for it;
 *    the next durable one carries it along. Measured, three row operations
 *    on a busy 2-core machine: 65 us against 430 us. Keeping it back in
 *    memory instead would save the 65 us and lose the rows with the process.
 *  - Each row carries a checksum over its body and columns, and the fence row
 *    the sum of all of them: a row that changed is found, and also one that
 *    vanished or came back (a lost or misdirected write of a whole page).
 *  - A load first writes the WAL once more, syncs it and moves it into the
 *    file. A sync that failed in the life before may have left holes in it
 *    that only a power loss would show; after the load nothing rests on them.
 *  - After a failure nothing is written again, not even when closing.
 *
 * For an operator: `sqlite3 -readonly treaty.db` while treatyd is stopped.
 * The views unfinished, branches, sagas, finished, story and audits have names for
 * numbers and times as text (UTC). application_id is 0x54725479 ("TrTy").
 *
 * A file of an older format is brought to this one when it is loaded; from then
 * on older programs refuse it.
 */

#include "tc/store/store.h"

#define STORE_SQLITE_VERSION 4 /* user_version of the file */

struct store_sqlite_options {
	const char *path; /* copied */
	const char *vfs;  /* file layer below ours; NULL: SQLite's default */

	uint32_t wal_pages_max;  /* then a checkpoint that can't wait */
	uint32_t wal_pages_idle; /* enough for one at a quiet moment */

	size_t archive_max; /* finished transactions kept for people */
	uint64_t archive_keep_ms;
	size_t history_max; /* lines in all */
	size_t history_per_gtx_max;
	uint64_t history_keep_ms;
	size_t audit_max; /* what operators did */
	uint64_t audit_keep_ms;
};

/* Everything but .path. */
void store_sqlite_defaults(struct store_sqlite_options *options);

/*
 * A store that has not touched its file yet: store_load() opens or creates it
 * and says what is wrong with it. OK, E_NOMEM, or E_NOTFOUND: no such vfs.
 */
MUST_CHECK int store_sqlite_new(struct store **out, const struct mem *mem,
				const struct store_sqlite_options *options);

#endif
