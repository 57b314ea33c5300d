#include "undo/undo_log.h"

/*
 * In a template, @ stands for the table, ~ for its name without the schema,
 * # for the schema in front of an index (SQLite), %% for a % and % for the next
 * parameter: then comes its PostgreSQL type, up to a blank.
 */

static const char *const postgres[UNDO_LOG_TEXTS] = {
	[UNDO_LOG_CREATE] = "CREATE TABLE IF NOT EXISTS @ ("
			    "branch_id bigint NOT NULL, "
			    "xid varchar(128) NOT NULL, "
			    "part integer NOT NULL, "
			    "context varchar(128) NOT NULL, "
			    "rollback_info bytea NOT NULL, "
			    "log_status integer NOT NULL, "
			    "log_created timestamp(6) NOT NULL, "
			    "log_modified timestamp(6) NOT NULL, "
			    "PRIMARY KEY (xid, branch_id, part))",
	[UNDO_LOG_CREATE_INDEX] = "CREATE INDEX IF NOT EXISTS "
				  "undo_log_age ON @ (log_status, log_created)",
	[UNDO_LOG_INSERT] =
		"INSERT INTO @ (xid, branch_id, part, context, rollback_info, "
		"log_status, log_created, log_modified) VALUES (%varchar , "
		"%bigint , %integer , %varchar , %bytea , %integer , "
		"now() AT TIME ZONE 'UTC', now() AT TIME ZONE 'UTC')",
	[UNDO_LOG_SELECT] = "SELECT part, context, rollback_info, log_status "
			    "FROM @ WHERE xid = %varchar AND branch_id = "
			    "%bigint ORDER BY part FOR UPDATE",
	[UNDO_LOG_DELETE] = "DELETE FROM @ WHERE xid = %varchar AND "
			    "branch_id = %bigint ",
	[UNDO_LOG_DEFEND] =
		"INSERT INTO @ (xid, branch_id, part, context, rollback_info, "
		"log_status, log_created, log_modified) VALUES (%varchar , "
		"%bigint , 1, 'serializer=none', '', 1, "
		"now() AT TIME ZONE 'UTC', now() AT TIME ZONE 'UTC')",
	[UNDO_LOG_PURGE] =
		"DELETE FROM @ WHERE ctid = ANY (ARRAY(SELECT ctid FROM @ "
		"WHERE log_status = 1 AND log_created < now() AT TIME ZONE "
		"'UTC' - %bigint * interval '1 second' LIMIT %bigint )) "
		"AND log_status = 1",
	[UNDO_LOG_LIST_OLD] =
		"SELECT xid, branch_id FROM @ WHERE log_status = 0 AND "
		"part = 1 AND log_created < now() AT TIME ZONE 'UTC' - "
		"%bigint * interval '1 second' ORDER BY log_created, "
		"xid, branch_id LIMIT %bigint ",
};

static const char *const mysql[UNDO_LOG_TEXTS] = {
	[UNDO_LOG_CREATE] =
		"CREATE TABLE IF NOT EXISTS @ ("
		"branch_id bigint NOT NULL, "
		"xid varchar(128) CHARACTER SET utf8mb4 "
		"COLLATE utf8mb4_bin NOT NULL, "
		"part int NOT NULL, "
		"context varchar(128) CHARACTER SET utf8mb4 NOT NULL, "
		"rollback_info longblob NOT NULL, "
		"log_status int NOT NULL, "
		"log_created datetime(6) NOT NULL, "
		"log_modified datetime(6) NOT NULL, "
		"PRIMARY KEY (xid, branch_id, part), "
		"KEY undo_log_age (log_status, log_created)) ENGINE=InnoDB",
	[UNDO_LOG_CREATE_INDEX] = "",
	[UNDO_LOG_INSERT] =
		"INSERT INTO @ (xid, branch_id, part, context, rollback_info, "
		"log_status, log_created, log_modified) VALUES (% , % , % , "
		"% , % , % , utc_timestamp(6), utc_timestamp(6))",
	[UNDO_LOG_SELECT] =
		"SELECT part, context, rollback_info, log_status "
		"FROM @ WHERE xid = % AND branch_id = CAST(% AS SIGNED) "
		"ORDER BY part FOR UPDATE",
	[UNDO_LOG_DELETE] = "DELETE FROM @ WHERE xid = % AND branch_id = "
			    "CAST(% AS SIGNED) ",
	[UNDO_LOG_DEFEND] =
		"INSERT INTO @ (xid, branch_id, part, context, rollback_info, "
		"log_status, log_created, log_modified) VALUES (% , % , 1, "
		"'serializer=none', '', 1, utc_timestamp(6), utc_timestamp(6))",
	[UNDO_LOG_PURGE] = "DELETE FROM @ WHERE log_status = 1 AND "
			   "log_created < utc_timestamp(6) - INTERVAL % "
			   "SECOND LIMIT % ",
	[UNDO_LOG_LIST_OLD] =
		"SELECT xid, branch_id FROM @ WHERE log_status = 0 AND "
		"part = 1 AND log_created < utc_timestamp(6) - INTERVAL % "
		"SECOND ORDER BY log_created, xid, branch_id LIMIT % ",
};

#define SQLITE_NOW "strftime('%%Y-%%m-%%d %%H:%%M:%%f', 'now')"
#define SQLITE_AGO                                                             \
	"strftime('%%Y-%%m-%%d %%H:%%M:%%f', 'now', '-' || % || ' seconds')"

static const char *const sqlite[UNDO_LOG_TEXTS] = {
	[UNDO_LOG_CREATE] = "CREATE TABLE IF NOT EXISTS @ ("
			    "branch_id INTEGER NOT NULL, "
			    "xid TEXT NOT NULL, "
			    "part INTEGER NOT NULL, "
			    "context TEXT NOT NULL, "
			    "rollback_info BLOB NOT NULL, "
			    "log_status INTEGER NOT NULL, "
			    "log_created TEXT NOT NULL, "
			    "log_modified TEXT NOT NULL, "
			    "PRIMARY KEY (xid, branch_id, part))",
	[UNDO_LOG_CREATE_INDEX] = "CREATE INDEX IF NOT EXISTS #undo_log_age "
				  "ON ~ (log_status, log_created)",
	[UNDO_LOG_INSERT] =
		"INSERT INTO @ (xid, branch_id, part, context, rollback_info, "
		"log_status, log_created, log_modified) VALUES (% , % , % , "
		"% , % , % , " SQLITE_NOW ", " SQLITE_NOW ")",
	[UNDO_LOG_SELECT] = "SELECT part, context, rollback_info, log_status "
			    "FROM @ WHERE xid = % AND branch_id = % "
			    "ORDER BY part",
	[UNDO_LOG_DELETE] = "DELETE FROM @ WHERE xid = % AND branch_id = % ",
	[UNDO_LOG_DEFEND] =
		"INSERT INTO @ (xid, branch_id, part, context, rollback_info, "
		"log_status, log_created, log_modified) VALUES (% , % , 1, "
		"'serializer=none', x'', 1, " SQLITE_NOW ", " SQLITE_NOW ")",
	[UNDO_LOG_PURGE] =
		"DELETE FROM @ WHERE rowid IN (SELECT rowid FROM @ WHERE "
		"log_status = 1 AND log_created < " SQLITE_AGO " LIMIT % )",
	[UNDO_LOG_LIST_OLD] =
		"SELECT xid, branch_id FROM @ WHERE log_status = 0 AND "
		"part = 1 AND log_created < " SQLITE_AGO
		" ORDER BY log_created, xid, branch_id LIMIT % ",
};

static const char *template_of(enum dialect dialect, enum undo_log_text which)
{
	REQUIRE((unsigned int)which < UNDO_LOG_TEXTS);
	switch (dialect) {
	case DIALECT_POSTGRES:
		return postgres[which];
	case DIALECT_MYSQL:
		return mysql[which];
	case DIALECT_SQLITE:
		break;
	}
	return sqlite[which];
}

/* Write the parameter at p, just behind its %; returns where the text goes
 * on. */
static const char *put_param(struct buf *out, enum dialect dialect,
			     const char *p, size_t n)
{
	size_t len = 0;

	while (p[len] && p[len] != ' ')
		len++;
	quote_param_as(out, dialect, NULL, n);
	if (len > 0) {
		buf_put_text(out, "::");
		buf_put(out, (struct bytes){ (const uint8_t *)p, len });
	}
	return p + len;
}

static void put_schema(struct buf *out, const struct undo_log *log)
{
	if (log->schema.len > 0) {
		quote_name(out, log->dialect, log->schema);
		buf_put_char(out, '.');
	}
}

void undo_log_put(struct buf *out, const struct undo_log *log,
		  enum undo_log_text which)
{
	const char *p = template_of(log->dialect, which);
	size_t n = 0;

	while (*p) {
		char c = *p++;

		if (c == '@')
			quote_table(out, log->dialect, log->schema, log->name);
		else if (c == '~')
			quote_name(out, log->dialect, log->name);
		else if (c == '#')
			put_schema(out, log);
		else if (c == '%' && *p == '%')
			buf_put_char(out, *p++);
		else if (c == '%')
			p = put_param(out, log->dialect, p, ++n);
		else
			buf_put_char(out, c);
	}
}

void undo_log_put_delete(struct buf *out, const struct undo_log *log, size_t n)
{
	REQUIRE(n >= 1 && n <= UNDO_LOG_DELETE_MAX);
	buf_put_text(out, "DELETE FROM ");
	quote_table(out, log->dialect, log->schema, log->name);
	buf_put_text(out, " WHERE (xid, branch_id) IN (");
	if (log->dialect == DIALECT_SQLITE)
		buf_put_text(out, "VALUES ");
	for (size_t i = 0; i < n; i++) {
		buf_put_text(out, i ? ", (" : "(");
		quote_param_as(out, log->dialect, "varchar", 2 * i + 1);
		buf_put_text(out, ", ");
		/* MySQL would compare a string with a number as doubles. */
		buf_put_text(out, log->dialect == DIALECT_MYSQL ? "CAST(" : "");
		quote_param_as(out, log->dialect, "bigint", 2 * i + 2);
		buf_put_text(out, log->dialect == DIALECT_MYSQL ? " AS SIGNED))"
								: ")");
	}
	buf_put_char(out, ')');
}
