/* Opening and checking the file. */
#include "tc/store/sqlite_impl.h"

#include <errno.h>

/* ---- errors ---- */

struct trouble {
	int code; /* SQLite's, primary or extended */
	int err;
	const char *what;
	const char *advice;
};

static const struct trouble troubles[] = {
	{ SQLITE_IOERR_FSYNC, E_IO, "a sync failed",
	  "what was written may not be on the disk: look at the kernel's log "
	  "and the disk, then start again; nothing acknowledged is lost" },
	{ SQLITE_FULL, E_IO, "the disk is full",
	  "free some space, then start again; nothing acknowledged is lost" },
	{ SQLITE_CORRUPT, E_CORRUPT, "the file is damaged",
	  "keep a copy of it and its -wal file, then restore a backup, or save "
	  "what can be read with `sqlite3 FILE .recover`" },
	{ SQLITE_NOTADB, E_CORRUPT, "this is not a SQLite file",
	  "check the path of the data directory; if it is the right one, the "
	  "file is damaged: restore a backup" },
	{ SQLITE_BUSY, E_CONFLICT, "another process has it open",
	  "stop the other treatyd (or sqlite3) or choose another data "
	  "directory" },
	{ SQLITE_LOCKED, E_CONFLICT, "another process has it open",
	  "stop the other treatyd (or sqlite3) or choose another data "
	  "directory" },
	{ SQLITE_READONLY, E_IO, "it cannot be written",
	  "check owner and mode of the file and its folder and whether the "
	  "file system is mounted read-only" },
	{ SQLITE_CANTOPEN, E_IO, "it cannot be opened",
	  "check that the folder exists and that its owner and mode let this "
	  "user write there" },
	{ SQLITE_PERM, E_IO, "it may not be opened",
	  "check owner and mode of the file and its folder" },
	{ SQLITE_AUTH, E_IO, "it may not be opened",
	  "check owner and mode of the file and its folder" },
	{ SQLITE_NOMEM, E_NOMEM, "out of memory",
	  "give the process more memory, then start again; nothing "
	  "acknowledged is lost" },
	{ SQLITE_IOERR, E_IO, "the disk failed",
	  "look at the kernel's log and the disk, then start again; nothing "
	  "acknowledged is lost" },
};

static const struct trouble *trouble_of(int extended)
{
	for (size_t i = 0; i < ARRAY_LEN(troubles); i++)
		if (troubles[i].code == extended)
			return &troubles[i];
	for (size_t i = 0; i < ARRAY_LEN(troubles); i++)
		if (troubles[i].code == (extended & 0xff))
			return &troubles[i];
	return &troubles[ARRAY_LEN(troubles) - 1];
}

int sqlite_refuse(struct store_sqlite *s, const char *doing)
{
	int code = s->db ? sqlite3_extended_errcode(s->db) : SQLITE_NOMEM;
	const struct trouble *t = trouble_of(code);
	int os = s->db ? sqlite3_system_errno(s->db) : 0;

	return store_refuse(&s->base, t->err,
			    "%s: %s while %s (SQLite %d: %s%s%s); %s", s->path,
			    t->what, doing, code,
			    s->db ? sqlite3_errmsg(s->db) : "no memory",
			    os ? ", " : "", os ? strerror(os) : "", t->advice);
}

void sqlite_checkpoint_on_close(struct store_sqlite *s, bool on)
{
	(void)sqlite3_db_config(s->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, !on,
				(int *)NULL);
}

int sqlite_fail(struct store_sqlite *s, const char *doing)
{
	(void)sqlite_refuse(s, doing);
	s->base.failed = E_IO;
	/* What is in the WAL now is for the next load to judge. */
	sqlite_checkpoint_on_close(s, false);
	return E_IO;
}

/* ---- small calls ---- */

int sqlite_run(struct store_sqlite *s, const char *sql)
{
	return sqlite3_exec(s->db, sql, NULL, NULL, NULL);
}

int sqlite_number(struct store_sqlite *s, const char *sql, int64_t *out)
{
	sqlite3_stmt *st;
	int rc = sqlite3_prepare_v2(s->db, sql, -1, &st, NULL);

	if (rc != SQLITE_OK)
		return rc;
	rc = sqlite3_step(st);
	*out = rc == SQLITE_ROW ? sqlite3_column_int64(st, 0) : 0;
	return sqlite3_finalize(st);
}

int sqlite_checkpoint(struct store_sqlite *s, int mode)
{
	if (sqlite3_wal_checkpoint_v2(s->db, NULL, mode, NULL, NULL) !=
	    SQLITE_OK)
		return sqlite_fail(s, "moving the WAL into the file");
	s->wal_pages = 0;
	return OK;
}

#define REWRITE_STEP 65536

static int rewrite(sqlite3_file *wal, uint8_t *block)
{
	const sqlite3_io_methods *io = wal->pMethods;
	sqlite3_int64 size = 0;
	int rc = io->xFileSize(wal, &size);

	for (sqlite3_int64 at = 0; at < size && rc == SQLITE_OK;
	     at += REWRITE_STEP) {
		int n = size - at < REWRITE_STEP ? (int)(size - at)
						 : REWRITE_STEP;

		rc = io->xRead(wal, block, n, at);
		if (rc == SQLITE_OK)
			rc = io->xWrite(wal, block, n, at);
	}
	return rc == SQLITE_OK ? io->xSync(wal, SQLITE_SYNC_FULL) : rc;
}

int sqlite_rewrite_wal(struct store_sqlite *s)
{
	sqlite3_file *wal = NULL;
	uint8_t *block;
	int rc = sqlite3_file_control(s->db, "main",
				      SQLITE_FCNTL_JOURNAL_POINTER, &wal);

	if (rc != SQLITE_OK || !wal || !wal->pMethods)
		return OK; /* there is none yet */
	block = mem_alloc(s->base.mem, REWRITE_STEP);
	if (!block)
		return store_refuse(&s->base, E_NOMEM, "out of memory");
	rc = rewrite(wal, block);
	mem_free(s->base.mem, block);
	if (rc == SQLITE_OK)
		return OK;
	return store_refuse(&s->base, E_IO,
			    "%s-wal: cannot be rewritten (SQLite %d: %s); look "
			    "at the disk and how full it is, then start "
			    "again; nothing acknowledged is lost",
			    s->path, rc, sqlite3_errstr(rc));
}

/* ---- is it ours? ---- */

static int check_identity(struct store_sqlite *s, bool *fresh)
{
	int64_t app = 0, version = 0, things = 0;

	if (sqlite_number(s, "PRAGMA application_id", &app) ||
	    sqlite_number(s, "PRAGMA user_version", &version) ||
	    sqlite_number(s, "SELECT count(*) FROM sqlite_master", &things))
		return sqlite_refuse(s, "reading its header");
	*fresh = app == 0 && version == 0 && things == 0;
	if (*fresh)
		return OK;
	if (app != STORE_APPLICATION_ID)
		return store_refuse(&s->base, E_CORRUPT,
				    "%s: a SQLite file of another program "
				    "(application_id %lld), left untouched; "
				    "choose another data directory",
				    s->path, (long long)app);
	if (version > STORE_SQLITE_VERSION)
		return store_refuse(&s->base, E_VERSION,
				    "%s: written by a newer treatyd (format "
				    "%lld, this one reads up to %d), left "
				    "untouched; start that newer version",
				    s->path, (long long)version,
				    STORE_SQLITE_VERSION);
	return OK;
}

static int check_pages(struct store_sqlite *s)
{
	sqlite3_stmt *st;
	const char *text;
	int rc = sqlite3_prepare_v2(s->db, "PRAGMA quick_check(1)", -1, &st,
				    NULL);

	if (rc != SQLITE_OK)
		return sqlite_refuse(s, "checking it");
	rc = sqlite3_step(st);
	text = rc == SQLITE_ROW ? (const char *)sqlite3_column_text(st, 0)
				: NULL;
	if (text && strcmp(text, "ok") != 0)
		rc = store_refuse(&s->base, E_CORRUPT,
				  "%s: the file is damaged: %s; keep a copy of "
				  "it and its -wal file, then restore a "
				  "backup, or save what can be read with "
				  "`sqlite3 FILE .recover`",
				  s->path, text);
	else
		rc = text ? OK : sqlite_refuse(s, "checking it");
	(void)sqlite3_finalize(st);
	return rc;
}

static int set_modes(struct store_sqlite *s)
{
	if (sqlite_run(s, "PRAGMA journal_mode=WAL;"
			  "PRAGMA synchronous=FULL;"
			  "PRAGMA wal_autocheckpoint=0;"
			  "PRAGMA cache_size=-65536;"
			  "PRAGMA temp_store=MEMORY;"
			  "PRAGMA trusted_schema=OFF;") != SQLITE_OK)
		return sqlite_refuse(s, "switching it to WAL mode");
	s->full = true;
	return OK;
}

int sqlite_open_file(struct store_sqlite *s)
{
	bool fresh = false;
	int rc;

	rc = sqlite3_open_v2(s->path, &s->db,
			     SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE |
				     SQLITE_OPEN_NOMUTEX,
			     sqlite_vfs_name(s->vfs));
	if (rc != SQLITE_OK)
		return sqlite_refuse(s, "opening it");
	(void)sqlite3_extended_result_codes(s->db, 1);
	sqlite_checkpoint_on_close(s, false); /* it may not be ours */
	if (sqlite3_db_readonly(s->db, "main") == 1)
		return store_refuse(&s->base, E_IO,
				    "%s: it cannot be written; check owner and "
				    "mode of the file and whether the file "
				    "system is mounted read-only",
				    s->path);
	if (sqlite_run(s, "PRAGMA locking_mode=EXCLUSIVE") != SQLITE_OK)
		return sqlite_refuse(s, "opening it");
	rc = check_identity(s, &fresh);
	if (rc == OK)
		rc = set_modes(s);
	if (rc == OK)
		rc = fresh ? sqlite_create(s) : check_pages(s);
	return rc;
}
