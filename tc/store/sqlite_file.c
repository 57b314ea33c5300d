/* Opening, checking and creating the file. */
#include "tc/store/sqlite_impl.h"

#include "base/status.h"

#include <errno.h>

const char *const table_names[ROW_TABLES] = {
	[ROW_META] = "meta",     [ROW_GTX] = "gtx",
	[ROW_BRANCH] = "branch", [ROW_TOMBSTONE] = "tombstone",
	[ROW_SAGA] = "saga",     [ROW_MACHINE] = "machine",
	[ROW_TOPIC] = "topic",
};

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

/* ---- a new file ---- */

static void put_names(struct buf *b, const char *column,
		      const char *(*name)(int), int n)
{
	buf_printf(b, "CASE %s", column);
	for (int i = 0; i < n; i++)
		buf_printf(b, " WHEN %d THEN '%s'", i, name(i));
	buf_printf(b, " ELSE 'number ' || %s END", column);
}

static void put_time(struct buf *b, const char *column, const char *name)
{
	buf_printf(b,
		   "strftime('%%Y-%%m-%%d %%H:%%M:%%f', %s / 1000.0, "
		   "'unixepoch') AS %s",
		   column, name);
}

static void put_tables(struct buf *b)
{
	for (int t = 0; t < ROW_TABLES; t++)
		buf_printf(b,
			   "CREATE TABLE %s(id INTEGER PRIMARY KEY, "
			   "gtx INTEGER NOT NULL, status INTEGER NOT NULL, "
			   "name TEXT NOT NULL, changed_ms INTEGER NOT NULL, "
			   "checksum INTEGER NOT NULL, body BLOB NOT NULL);",
			   table_names[t]);
	buf_put_text(b, "CREATE TABLE archive(gtx INTEGER PRIMARY KEY,"
			" status INTEGER NOT NULL, name TEXT NOT NULL,"
			" application TEXT NOT NULL,"
			" began_ms INTEGER NOT NULL, ended_ms INTEGER NOT NULL,"
			" branches INTEGER NOT NULL);"
			"CREATE TABLE history(gtx INTEGER, line INTEGER,"
			" wall_ms INTEGER NOT NULL, text TEXT NOT NULL,"
			" PRIMARY KEY(gtx, line)) WITHOUT ROWID;"
			"CREATE TABLE fence(epoch INTEGER NOT NULL,"
			" digest INTEGER NOT NULL);"
			"INSERT INTO fence VALUES(0, 0);");
}

static void put_views(struct buf *b)
{
	buf_put_text(b,
		     "CREATE VIEW unfinished AS SELECT id AS number, name, ");
	put_names(b, "status", gtx_status_name, GTX_STATUSES);
	buf_put_text(b, " AS status, ");
	put_time(b, "changed_ms", "changed");
	buf_put_text(b, " FROM gtx;"
			"CREATE VIEW branches AS SELECT id AS branch, "
			"gtx AS number, name AS resource, ");
	put_names(b, "status", branch_status_name, BRANCH_STATUSES);
	buf_put_text(b, " AS status, ");
	put_time(b, "changed_ms", "changed");
	buf_put_text(b, " FROM branch;"
			"CREATE VIEW finished AS SELECT gtx AS number, name, "
			"application, branches, ");
	put_names(b, "status", gtx_status_name, GTX_STATUSES);
	buf_put_text(b, " AS status, ");
	put_time(b, "began_ms", "began");
	buf_put_text(b, ", ");
	put_time(b, "ended_ms", "ended");
	buf_put_text(b, " FROM archive;"
			"CREATE VIEW story AS SELECT gtx AS number, ");
	put_time(b, "wall_ms", "at");
	buf_put_text(b, ", text FROM history ORDER BY gtx, line;");
}

static int create(struct store_sqlite *s)
{
	struct buf b;
	int rc = SQLITE_NOMEM;

	buf_init(&b, s->base.mem);
	buf_put_text(&b, "BEGIN IMMEDIATE;");
	put_tables(&b);
	put_views(&b);
	buf_printf(&b, "PRAGMA application_id=%d; PRAGMA user_version=%d;",
		   STORE_APPLICATION_ID, STORE_SQLITE_VERSION);
	buf_put_text(&b, "COMMIT;");
	if (buf_error(&b) == OK)
		rc = sqlite_run(s, buf_text(&b));
	buf_fini(&b);
	if (rc == SQLITE_OK)
		return OK;
	return sqlite_refuse(s, "creating the tables");
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
		rc = fresh ? create(s) : check_pages(s);
	return rc;
}
