/* The tables and views: of a new file, and brought up from an older format. */
#include "tc/store/sqlite_impl.h"

#include "base/status.h"

/*
 * Formats (user_version):
 *   1  meta, gtx, branch, tombstone; archive, history, fence
 *   2  also saga, machine, topic; archive has kind and detail
 *   3  history has kind, branch, task and attempt
 *   4  also audit
 *
 * What changes a format: raise STORE_SQLITE_VERSION, let put_tables() make the
 * new one, and add a step to sqlite_upgrade() and a file of the old one,
 * tests/fakes/store_vN.sql. Views belong to no format: they are made anew.
 */

const char *const table_names[ROW_TABLES] = {
	[ROW_META] = "meta",     [ROW_GTX] = "gtx",
	[ROW_BRANCH] = "branch", [ROW_TOMBSTONE] = "tombstone",
	[ROW_SAGA] = "saga",     [ROW_MACHINE] = "machine",
	[ROW_TOPIC] = "topic",
};

static const char *kind_name(int kind)
{
	static const char *const names[] = {
		[KIND_PLAIN] = "transaction",
		[KIND_MESSAGE] = "message",
		[KIND_SAGA] = "saga",
	};

	return names[kind];
}

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

/* ---- tables ---- */

static void put_row_table(struct buf *b, enum row_table t)
{
	buf_printf(b,
		   "CREATE TABLE %s(id INTEGER PRIMARY KEY, "
		   "gtx INTEGER NOT NULL, status INTEGER NOT NULL, "
		   "name TEXT NOT NULL, changed_ms INTEGER NOT NULL, "
		   "checksum INTEGER NOT NULL, body BLOB NOT NULL);",
		   table_names[t]);
}

/* AUTOINCREMENT: a number that was dropped is not given again, so that a page
 * of the log never goes back. */
static void put_audit(struct buf *b)
{
	buf_put_text(b, "CREATE TABLE audit("
			"id INTEGER PRIMARY KEY AUTOINCREMENT,"
			" wall_ms INTEGER NOT NULL, actor TEXT NOT NULL,"
			" action TEXT NOT NULL, xid TEXT NOT NULL,"
			" branch INTEGER NOT NULL, reason TEXT NOT NULL,"
			" detail TEXT NOT NULL, err INTEGER NOT NULL);");
}

static void put_tables(struct buf *b)
{
	for (int t = 0; t < ROW_TABLES; t++)
		put_row_table(b, (enum row_table)t);
	buf_put_text(b, "CREATE TABLE archive(gtx INTEGER PRIMARY KEY,"
			" status INTEGER NOT NULL, name TEXT NOT NULL,"
			" application TEXT NOT NULL,"
			" began_ms INTEGER NOT NULL, ended_ms INTEGER NOT NULL,"
			" branches INTEGER NOT NULL,"
			" kind INTEGER NOT NULL DEFAULT 0,"
			" detail TEXT NOT NULL DEFAULT '');"
			"CREATE TABLE history(gtx INTEGER, line INTEGER,"
			" wall_ms INTEGER NOT NULL, text TEXT NOT NULL,"
			" kind INTEGER NOT NULL DEFAULT 0,"
			" branch INTEGER NOT NULL DEFAULT 0,"
			" task INTEGER NOT NULL DEFAULT 0,"
			" attempt INTEGER NOT NULL DEFAULT 0,"
			" PRIMARY KEY(gtx, line)) WITHOUT ROWID;"
			"CREATE TABLE fence(epoch INTEGER NOT NULL,"
			" digest INTEGER NOT NULL);"
			"INSERT INTO fence VALUES(0, 0);");
	put_audit(b);
}

/* ---- views ---- */

static void put_unfinished(struct buf *b)
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
			"CREATE VIEW sagas AS SELECT id AS number, "
			"name AS machine, ");
	put_names(b, "status", gtx_status_name, GTX_STATUSES);
	buf_put_text(b, " AS status, ");
	put_time(b, "changed_ms", "changed");
	buf_put_text(b, " FROM saga;");
}

static void put_finished(struct buf *b)
{
	buf_put_text(b, "CREATE VIEW finished AS SELECT gtx AS number, name, "
			"application, branches, ");
	put_names(b, "status", gtx_status_name, GTX_STATUSES);
	buf_put_text(b, " AS status, ");
	put_time(b, "began_ms", "began");
	buf_put_text(b, ", ");
	put_time(b, "ended_ms", "ended");
	buf_put_text(b, ", ");
	put_names(b, "kind", kind_name, KIND_SAGA + 1);
	buf_put_text(b, " AS kind, detail FROM archive;"
			"CREATE VIEW story AS SELECT gtx AS number, ");
	put_time(b, "wall_ms", "at");
	buf_put_text(b, ", ");
	put_names(b, "kind", history_kind_name, HISTORY_KINDS);
	buf_put_text(b,
		     " AS kind, branch, nullif(task, 0) - 1 AS task, attempt, "
		     "text FROM history ORDER BY gtx, line;");
}

static void put_audits(struct buf *b)
{
	buf_put_text(b, "CREATE VIEW audits AS SELECT id, ");
	put_time(b, "wall_ms", "at");
	buf_printf(b,
		   ", actor, action, xid, branch, reason, "
		   "CASE err WHEN %d THEN 'done' ELSE 'refused' END AS answer, "
		   "detail FROM audit ORDER BY id;",
		   OK);
}

static void put_views(struct buf *b)
{
	static const char *const views[] = {
		"unfinished", "branches", "sagas", "finished", "story", "audits"
	};

	for (size_t i = 0; i < ARRAY_LEN(views); i++)
		buf_printf(b, "DROP VIEW IF EXISTS %s;", views[i]);
	put_unfinished(b);
	put_finished(b);
	put_audits(b);
}

/* ---- doing it ---- */

static int run_script(struct store_sqlite *s, struct buf *script,
		      const char *doing)
{
	int rc = SQLITE_NOMEM;

	buf_printf(script, "PRAGMA user_version=%d; COMMIT;",
		   STORE_SQLITE_VERSION);
	if (buf_error(script) == OK)
		rc = sqlite_run(s, buf_text(script));
	buf_fini(script);
	if (rc == SQLITE_OK)
		return OK;
	rc = sqlite_refuse(s, doing);
	(void)sqlite_run(s, "ROLLBACK");
	return rc;
}

int sqlite_create(struct store_sqlite *s)
{
	struct buf b;

	buf_init(&b, s->base.mem);
	buf_put_text(&b, "BEGIN IMMEDIATE;");
	put_tables(&b);
	put_views(&b);
	buf_printf(&b, "PRAGMA application_id=%d;", STORE_APPLICATION_ID);
	return run_script(s, &b, "creating the tables");
}

static void put_format_2(struct buf *b)
{
	for (int t = ROW_SAGA; t <= ROW_TOPIC; t++)
		put_row_table(b, (enum row_table)t);
	buf_put_text(b, "ALTER TABLE archive ADD COLUMN"
			" kind INTEGER NOT NULL DEFAULT 0;"
			"ALTER TABLE archive ADD COLUMN"
			" detail TEXT NOT NULL DEFAULT '';");
}

static void put_format_3(struct buf *b)
{
	static const char *const columns[] = { "kind", "branch", "task",
					       "attempt" };

	for (size_t i = 0; i < ARRAY_LEN(columns); i++)
		buf_printf(b,
			   "ALTER TABLE history ADD COLUMN"
			   " %s INTEGER NOT NULL DEFAULT 0;",
			   columns[i]);
}

int sqlite_upgrade(struct store_sqlite *s)
{
	int64_t version = 0;
	struct buf b;

	if (sqlite_number(s, "PRAGMA user_version", &version) != SQLITE_OK)
		return sqlite_refuse(s, "reading its header");
	if (version == STORE_SQLITE_VERSION)
		return OK;
	buf_init(&b, s->base.mem);
	buf_put_text(&b, "BEGIN IMMEDIATE;");
	if (version < 2)
		put_format_2(&b);
	if (version < 3)
		put_format_3(&b);
	if (version < 4)
		put_audit(&b);
	put_views(&b);
	return run_script(s, &b, "bringing it to this version's format");
}
