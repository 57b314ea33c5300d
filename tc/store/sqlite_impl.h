#ifndef TC_STORE_SQLITE_IMPL_H
#define TC_STORE_SQLITE_IMPL_H

/* What the files of the SQLite store share. */

#include "tc/store/sqlite_vfs.h"
#include "tc/store/store_impl.h"
#include "tc/store/store_sqlite.h"

#include <sqlite3.h>

#define STORE_APPLICATION_ID 0x54725479

enum sql {
	SQL_BEGIN,
	SQL_COMMIT,
	SQL_FENCE,
	SQL_CHECKSUM,                        /* one for each table */
	SQL_PUT = SQL_CHECKSUM + ROW_TABLES, /* one for each table */
	SQL_DELETE = SQL_PUT + ROW_TABLES,   /* one for each table */
	SQL_ARCHIVE = SQL_DELETE + ROW_TABLES,
	SQL_HISTORY,
	SQL_AUDIT,
	SQL_HISTORY_TRIM,
	SQL_STATEMENTS,
};

struct store_sqlite {
	struct store base;
	struct store_sqlite_options options;
	char *path;
	struct sqlite_vfs *vfs;
	sqlite3 *db;
	sqlite3_stmt *statements[SQL_STATEMENTS];
	uint64_t epoch;   /* 0: not loaded */
	uint64_t digest;  /* sum of the checksums of all rows */
	bool full;        /* synchronous=FULL is set just now */
	int wal_pages;    /* not checkpointed yet */
	size_t n_archive; /* at most that many */
	size_t n_history;
	size_t n_audit;
	uint64_t history_line; /* the next line's place */
	uint64_t pruned_ms;
	bool prune_more;
};

extern const char *const table_names[ROW_TABLES];

/* Translate SQLite's last error into ours, with a story: what we were doing,
 * to which file, what can be done about it. */
int sqlite_refuse(struct store_sqlite *s, const char *doing);
/* The same, and the store refuses everything from now on. */
int sqlite_fail(struct store_sqlite *s, const char *doing);

/* Whether closing moves the WAL into the file and removes it. */
void sqlite_checkpoint_on_close(struct store_sqlite *s, bool on);

/* Run SQL that gives no rows. SQLite's code. */
int sqlite_run(struct store_sqlite *s, const char *sql);
/* The first column of the first row; 0 if there is none. SQLite's code. */
int sqlite_number(struct store_sqlite *s, const char *sql, int64_t *out);

/* Open the file, create it if there's none, and refuse what isn't ours.
 * E_CORRUPT, E_VERSION, E_CONFLICT, E_IO, E_NOMEM with a story. */
MUST_CHECK int sqlite_open_file(struct store_sqlite *s);

/* ---- tables and views (sqlite_schema.c); errors with a story ---- */

/* In an empty file. */
MUST_CHECK int sqlite_create(struct store_sqlite *s);
/* Bring a file of an older format to this one, all or nothing. */
MUST_CHECK int sqlite_upgrade(struct store_sqlite *s);

/* Write the WAL once more as it is and sync it: a sync that failed in the life
 * before may have left holes in it that only the disk has. */
MUST_CHECK int sqlite_rewrite_wal(struct store_sqlite *s);

/* Move the WAL into the file. E_IO: the store has failed. */
MUST_CHECK int sqlite_checkpoint(struct store_sqlite *s, int mode);

/* ---- archive and history (sqlite_archive.c) ---- */

/* SQLite's code. */
int sqlite_put_archive(struct store_sqlite *s, const struct archive *a);
int sqlite_put_history(struct store_sqlite *s, const struct history *h);
int sqlite_put_audit(struct store_sqlite *s, const struct audit *a);
/* Drop what is beyond age and count, a little. True: there is more. */
bool sqlite_prune(struct store_sqlite *s, uint64_t wall_ms);
int sqlite_archived(struct store *s, uint64_t before, size_t limit,
		    bool (*each)(void *ctx, const struct archive *), void *ctx);
int sqlite_archived_one(struct store *s, uint64_t number,
			void (*each)(void *ctx, const struct archive *),
			void *ctx);
int sqlite_history(struct store *s, uint64_t number,
		   void (*each)(void *ctx, const struct history *), void *ctx);
int sqlite_audits(struct store *s, uint64_t before, size_t limit,
		  bool (*each)(void *ctx, const struct audit *), void *ctx);

#endif
