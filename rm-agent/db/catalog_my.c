#include "rm-agent/db/catalog_my.h"

#include <strings.h>

/* MySQL and MariaDB: tables, columns and keys; docs/operations names the rights
 * that an agent needs. */

#define SCHEMA "COALESCE(NULLIF(?, ''), DATABASE())"

static const char about_table[] =
	"SELECT t.TABLE_SCHEMA, t.TABLE_NAME, t.TABLE_TYPE, t.ENGINE,"
	" e.TRANSACTIONS, DATABASE() FROM information_schema.TABLES t"
	" LEFT JOIN information_schema.ENGINES e ON e.ENGINE = t.ENGINE"
	" WHERE t.TABLE_SCHEMA = " SCHEMA " AND t.TABLE_NAME = ?";

static const char about_columns[] =
	"SELECT COLUMN_NAME, COLUMN_TYPE, DATA_TYPE, IS_NULLABLE, EXTRA,"
	" CHARACTER_SET_NAME, DATETIME_PRECISION, COLLATION_NAME"
	" FROM information_schema.COLUMNS"
	" WHERE TABLE_SCHEMA = ? AND TABLE_NAME = ? ORDER BY ORDINAL_POSITION";

static const char about_keys[] =
	"SELECT INDEX_NAME, COLUMN_NAME, NULLABLE, SUB_PART, NON_UNIQUE"
	" FROM information_schema.STATISTICS"
	" WHERE TABLE_SCHEMA = ? AND TABLE_NAME = ?"
	" ORDER BY INDEX_NAME <> 'PRIMARY', INDEX_NAME, SEQ_IN_INDEX";

/* Sums of checksums, because GROUP_CONCAT cuts off without an error. */
static const char probe_text[] =
	"SELECT CONCAT_WS('/', (SELECT CONCAT(COUNT(*), '.', SUM(CRC32("
	"CONCAT_WS('|', ORDINAL_POSITION, COLUMN_NAME, COLUMN_TYPE,"
	" IS_NULLABLE, EXTRA, COLLATION_NAME, COLUMN_KEY))))"
	" FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = %1"
	" AND TABLE_NAME = %2), (SELECT CONCAT(COUNT(*), '.', SUM(CRC32("
	"CONCAT_WS('|', INDEX_NAME, SEQ_IN_INDEX, COLUMN_NAME, SUB_PART))))"
	" FROM information_schema.STATISTICS WHERE TABLE_SCHEMA = %1"
	" AND TABLE_NAME = %2 AND NON_UNIQUE = 0),"
	" (SELECT CONCAT(COUNT(*), '.', SUM(CRC32(CONCAT_WS('|', TRIGGER_NAME,"
	" EVENT_MANIPULATION, ACTION_STATEMENT))))"
	" FROM information_schema.TRIGGERS WHERE EVENT_OBJECT_SCHEMA = %1"
	" AND EVENT_OBJECT_TABLE = %2), (SELECT ENGINE"
	" FROM information_schema.TABLES WHERE TABLE_SCHEMA = %1"
	" AND TABLE_NAME = %2), ";

/* X'…': independent of sql_mode and of the session's character set. */
const char *my_literal(struct build *b, struct bytes text)
{
	struct buf out;

	buf_init(&out, &b->arena->as_mem);
	buf_put_text(&out, "CONVERT(X'");
	for (size_t i = 0; i < text.len; i++)
		buf_printf(&out, "%02x", text.data[i]);
	buf_put_text(&out, "' USING utf8mb3)");
	return buf_text(&out);
}

void my_put_sql(struct buf *out, const char *sql, const char *schema,
		const char *name)
{
	for (const char *p = sql; *p; p++) {
		if (p[0] == '%' && (p[1] == '1' || p[1] == '2'))
			buf_put_text(out, *++p == '1' ? schema : name);
		else
			buf_put_char(out, *p);
	}
}

static int make_probe(struct build *b, struct bytes asked_schema,
		      enum my_sight sight)
{
	struct buf sql;
	const char *schema = asked_schema.len > 0
				     ? my_literal(b, b->table->schema)
				     : "DATABASE()";
	const char *name = my_literal(b, b->table->name);

	buf_init(&sql, &b->arena->as_mem);
	my_put_sql(&sql, probe_text, schema, name);
	my_put_sql(&sql, my_foreign_probe(b, sight), schema, name);
	buf_put_char(&sql, ')');
	b->out->probe_sql = buf_bytes(&sql);
	return buf_error(&sql);
}

static void judge_table(struct build *b, const struct db_result *r)
{
	struct value type = db_value(r, 0, 2);
	struct value schema = db_value(r, 0, 0);

	if (value_contains(type, "VIEW"))
		build_refuse(b, ON_ALL, "it is a view; write to its tables");
	else if (value_is(type, "SYSTEM VERSIONED"))
		build_refuse(b, ON_ALL,
			     "it is system-versioned: an undo would "
			     "leave a trace in its history");
	else if (!value_is(type, "BASE TABLE"))
		build_refuse(b, ON_ALL, "it is not a table");
	else if (!value_is(db_value(r, 0, 4), "YES"))
		build_refuse(b, ON_ALL,
			     "its engine %.*s has no transactions; "
			     "ALTER TABLE … ENGINE = InnoDB",
			     TEXT(db_value(r, 0, 3)));
	if (value_is(schema, "mysql") || value_is(schema, "performance_schema"))
		build_refuse(b, ON_ALL, "it belongs to the database itself");
}

static void put_name(struct buf *sql, const struct build *b)
{
	struct bytes parts[2] = { b->table->schema, b->table->name };

	for (size_t i = 0; i < 2; i++) {
		if (parts[i].len == 0) /* the current database */
			continue;
		buf_put_text(sql, i && parts[0].len ? ".`" : "`");
		for (size_t j = 0; j < parts[i].len; j++) {
			if (parts[i].data[j] == '`')
				buf_put_char(sql, '`');
			buf_put_u8(sql, parts[i].data[j]);
		}
		buf_put_char(sql, '`');
	}
}

static int ask_by_name(struct build *b, const char *head, const char *tail,
		       struct db_result *out)
{
	struct db_stmt stmt = { 0 };
	struct buf sql;

	buf_init(&sql, &b->arena->as_mem);
	buf_put_text(&sql, head);
	put_name(&sql, b);
	buf_put_text(&sql, tail);
	if (buf_error(&sql) != OK)
		return E_NOMEM;
	stmt.sql = buf_bytes(&sql);
	return db_exec(b->db, &stmt, b->arena, out);
}

/* information_schema does not list temporary tables, but they hide others. */
static int judge_temporary(struct build *b, const char *why)
{
	struct db_result r;
	int rc = ask_by_name(b, "SHOW CREATE TABLE ", "", &r);

	if (rc == OK && r.n_rows == 1 && r.n_columns >= 2 &&
	    value_starts(db_value(&r, 0, 1), "CREATE TEMPORARY"))
		build_refuse(b, ON_ALL, "%s", why);
	return rc;
}

/* information_schema leaves columns out that the user has no right on; an
 * image without them could not bring a row back. */
static int judge_rights(struct build *b)
{
	struct db_result r;
	int rc = ask_by_name(b, "SELECT * FROM ", " LIMIT 0", &r);

	if (rc != E_DENIED)
		return rc;
	build_refuse(b, ON_ALL,
		     "this user may not read all of its columns; GRANT SELECT "
		     "on the whole table");
	return OK;
}

/* ---- columns ---- */

enum spelling {
	PLAIN,
	STRING,   /* any character set */
	CHAR,     /* padded under PAD_CHAR_TO_FULL_LENGTH */
	BITS,     /* a text would be taken as bytes */
	INSTANT,  /* TIMESTAMP: in the session's zone otherwise */
	DOCUMENT, /* JSON of MySQL */
};

static const struct type {
	const char *name;
	enum value_type class;
	enum spelling spelling;
} types[] = {
	{ "tinyint", VALUE_INT, PLAIN },
	{ "smallint", VALUE_INT, PLAIN },
	{ "mediumint", VALUE_INT, PLAIN },
	{ "int", VALUE_INT, PLAIN },
	{ "bigint", VALUE_INT, PLAIN },
	{ "year", VALUE_INT, PLAIN },
	{ "decimal", VALUE_NUMBER, PLAIN },
	{ "float", VALUE_FLOAT, PLAIN },
	{ "double", VALUE_FLOAT, PLAIN },
	{ "bit", VALUE_BIT, BITS },
	{ "char", VALUE_TEXT, CHAR },
	{ "varchar", VALUE_TEXT, STRING },
	{ "tinytext", VALUE_TEXT, STRING },
	{ "text", VALUE_TEXT, STRING },
	{ "mediumtext", VALUE_TEXT, STRING },
	{ "longtext", VALUE_TEXT, STRING },
	{ "enum", VALUE_TEXT, STRING },
	{ "set", VALUE_TEXT, STRING },
	{ "binary", VALUE_BYTES, PLAIN },
	{ "varbinary", VALUE_BYTES, PLAIN },
	{ "tinyblob", VALUE_BYTES, PLAIN },
	{ "blob", VALUE_BYTES, PLAIN },
	{ "mediumblob", VALUE_BYTES, PLAIN },
	{ "longblob", VALUE_BYTES, PLAIN },
	{ "date", VALUE_DATE, PLAIN },
	{ "time", VALUE_TIME, PLAIN },
	{ "datetime", VALUE_TIMESTAMP, PLAIN },
	{ "timestamp", VALUE_TIMESTAMPTZ, INSTANT },
	{ "json", VALUE_JSON, DOCUMENT },
	{ "geometry", VALUE_BYTES, PLAIN },
	{ "point", VALUE_BYTES, PLAIN },
	{ "linestring", VALUE_BYTES, PLAIN },
	{ "polygon", VALUE_BYTES, PLAIN },
	{ "multipoint", VALUE_BYTES, PLAIN },
	{ "multilinestring", VALUE_BYTES, PLAIN },
	{ "multipolygon", VALUE_BYTES, PLAIN },
	{ "geometrycollection", VALUE_BYTES, PLAIN },
	{ "geomcollection", VALUE_BYTES, PLAIN },
	{ "uuid", VALUE_OTHER, PLAIN },
	{ "inet4", VALUE_OTHER, PLAIN },
	{ "inet6", VALUE_OTHER, PLAIN },
};

/* Some characters of these have two codes, so text would not come back as the
 * bytes it was. */
static bool is_lossy(struct value charset)
{
	static const char *const names[] = { "sjis", "cp932", "ujis", "eucjpms",
					     "big5" };

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (value_is(charset, names[i]))
			return true;
	return false;
}

/* Text leaves as bytes of UTF-8: nothing converts those on the way. */
#define AS_UTF8(text) "CAST(CONVERT(" text " USING utf8mb4) AS BINARY)"
/* TRIM() of ORACLE's sql_mode makes NULL of an empty string. */
#define UNPADDED "COALESCE(TRIM(TRAILING ' ' FROM %C), LEFT(%C, 0))"

/* By seconds since 1970, which know no zone; a zero timestamp is 0. */
static struct bytes instant(struct build *b, struct value precision)
{
	uint64_t digits = value_number(precision);
	struct buf out;

	buf_init(&out, &b->arena->as_mem);
	buf_printf(&out,
		   "IF(UNIX_TIMESTAMP(%%C) = 0, '0000-00-00 00:00:00%.*s'"
		   ", CAST(TIMESTAMP'1970-01-01 00:00:00'"
		   " + INTERVAL UNIX_TIMESTAMP(%%C) SECOND AS CHAR))",
		   digits > 0 && digits <= 6 ? (int)digits + 1 : 0, ".000000");
	return buf_bytes(&out);
}

static void spell(struct build *b, struct catalog_column *s,
		  enum spelling spelling, struct value precision)
{
	switch (spelling) {
	case PLAIN:
		break;
	case STRING:
		s->read = BYTES(AS_UTF8("%C"));
		break;
	case CHAR:
		s->read = BYTES(AS_UTF8(UNPADDED));
		break;
	case DOCUMENT:
		s->read = BYTES(AS_UTF8("CAST(%C AS CHAR)"));
		break;
	case BITS:
		s->param = BYTES("CAST(CONV(%P, 2, 10) AS UNSIGNED)");
		break;
	case INSTANT:
		s->read = instant(b, precision);
		s->param = BYTES("CONVERT_TZ(%P, '+00:00', "
				 "@@session.time_zone)");
		break;
	}
}

static void read_column(struct build *b, const struct db_result *r, size_t i)
{
	struct value extra = db_value(r, i, 4);
	struct type t = { "", VALUE_OTHER, PLAIN };

	for (size_t k = 0; k < ARRAY_LEN(types); k++)
		if (value_is(db_value(r, i, 2), types[k].name))
			t = types[k];
	if (is_lossy(db_value(r, i, 5)))
		build_refuse(b, ON_ALL,
			     "column %.*s has character set %.*s, whose text "
			     "does not survive a round trip; use utf8mb4",
			     TEXT(db_value(r, i, 0)), TEXT(db_value(r, i, 5)));
	b->columns[i] = (struct column){
		.name = db_value(r, i, 0).data,
		.type = db_value(r, i, 1).data,
		.class = t.class,
		.nullable = value_is(db_value(r, i, 3), "YES"),
		.generated = value_contains(extra, "VIRTUAL") ||
			     value_contains(extra, "STORED") ||
			     value_contains(extra, "PERSISTENT"),
		.auto_increment = value_contains(extra, "auto_increment"),
	};
	spell(b, &b->spelled[i], t.spelling, db_value(r, i, 6));
}

/* ---- keys ---- */

/* WEIGHT_STRING does not drop the trailing blanks that PAD SPACE ignores. */
#define WEIGHTS(text) "WEIGHT_STRING(" text ")"
#define READ_AS(set, text)                                                     \
	AS_UTF8("CONVERT(CAST(" text " AS BINARY) USING " set ")")

/* Other characters may weigh as much as a blank, e.g. U+00A0. */
#define BLANK "HEX(" WEIGHTS("CONCAT(LEFT(%C, 0), ' ')") ")"
#define TRIMMED_WEIGHTS                                                        \
	"COALESCE(TRIM(TRAILING " BLANK " FROM HEX(" WEIGHTS(UNPADDED) ")), "  \
								       "'')"

/* For people, too, where that is as exact as hexadecimal: weights that are
 * code points of two bytes or of one, and _bin, which has all letters apart.
 * [0] as it is, [1] without trailing blanks. */
static const struct lock_text {
	const char *charset, *collation; /* a part of it */
	const char *sql[2];
} lock_texts[] = {
	{ "utf8", "_bin", { AS_UTF8("%C"), AS_UTF8(UNPADDED) } },
	{ "latin1", "_bin", { AS_UTF8("%C"), AS_UTF8(UNPADDED) } },
	{ "utf8",
	  "_general_",
	  { READ_AS("ucs2", WEIGHTS("%C")),
	    READ_AS("ucs2", WEIGHTS(UNPADDED)) } },
	{ "latin1",
	  "",
	  { READ_AS("latin1", WEIGHTS("%C")),
	    READ_AS("latin1", WEIGHTS(UNPADDED)) } },
};

static const char *lock_of_text(const struct build *b,
				const struct db_result *columns, size_t at)
{
	struct value collation = db_value(columns, at, 7);
	/* CHAR has none stored. */
	bool trim = value_is(db_value(columns, at, 2), "char") ||
		    !(value_contains(collation, "nopad") ||
		      value_contains(collation, "_0900_"));

	for (size_t i = 0; db_is_mariadb(b->db) && i < ARRAY_LEN(lock_texts);
	     i++)
		if (value_starts(db_value(columns, at, 5),
				 lock_texts[i].charset) &&
		    (!*lock_texts[i].collation ||
		     value_contains(collation, lock_texts[i].collation)))
			return lock_texts[i].sql[trim];
	return trim ? TRIMMED_WEIGHTS : "HEX(" WEIGHTS("%C") ")";
}

static const char *lock_of(const struct build *b,
			   const struct db_result *columns, size_t at)
{
	struct value data_type = db_value(columns, at, 2);

	if (value_is(data_type, "enum") || value_is(data_type, "set"))
		return "(%C + 0)";
	if (b->columns[at].class == VALUE_TEXT)
		return lock_of_text(b, columns, at);
	if (b->columns[at].class == VALUE_FLOAT)
		return "(%C + 0e0)"; /* -0 = 0 */
	return NULL;
}

static void read_key(struct build *b, const struct db_result *columns,
		     const struct db_result *keys, size_t first, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		size_t at = build_find(b, db_value(keys, first + i, 1).data);
		const char *lock;

		REQUIRE(at < b->table->n_columns);
		lock = lock_of(b, columns, at);
		if (lock)
			build_fold(b, at, lock);
		b->key[i] = at;
	}
	b->table->n_key = n;
}

/* The first index that identifies rows, without NULL and expressions (which
 * have NULL for the column). */
static void choose_key(struct build *b, const struct db_result *columns,
		       const struct db_result *r)
{
	for (size_t i = 0, n; i < r->n_rows; i += n) {
		bool usable = value_is(db_value(r, i, 4), "0");

		for (n = 0; i + n < r->n_rows &&
			    bytes_equal(db_value(r, i + n, 0).data,
					db_value(r, i, 0).data);
		     n++)
			usable = usable &&
				 db_value(r, i + n, 1).type != VALUE_NULL &&
				 !value_is(db_value(r, i + n, 2), "YES") &&
				 db_value(r, i + n, 3).type == VALUE_NULL;
		if (usable) {
			read_key(b, columns, r, i, n);
			return;
		}
	}
}

/* Foreign keys can refer to whatever has an index. */
static bool has_more_indexed(const struct build *b, const struct db_result *r)
{
	for (size_t i = 0; i < r->n_rows; i++)
		if (!table_is_key(b->table,
				  build_find(b, db_value(r, i, 1).data)))
			return true;
	return false;
}

/* A temporary table, or none at all. */
static int load_unlisted(struct build *b, struct bytes schema,
			 struct bytes name)
{
	int rc;

	b->table->schema = schema;
	b->table->name = name;
	rc = judge_temporary(b, "it is temporary: no other session could undo "
				"a change of it");
	if (rc == E_NOMEM || rc == E_CLOSED)
		return rc;
	if (rc != OK || b->out->verdict == CATALOG_OK)
		return E_NOTFOUND;
	return make_probe(b, schema, MY_BLIND);
}

static int load_columns(struct build *b, const struct bytes names[2],
			enum my_sight sight)
{
	struct db_result columns = { 0 }, keys = { 0 };
	int rc = build_query(b, about_columns, names, 2, &columns);

	if (rc == OK)
		rc = build_columns(b, columns.n_rows);
	for (size_t i = 0; rc == OK && i < columns.n_rows; i++)
		read_column(b, &columns, i);
	if (rc != OK || b->out->verdict == CATALOG_REFUSED)
		return rc;
	rc = build_query(b, about_keys, names, 2, &keys);
	if (rc == OK)
		choose_key(b, &columns, &keys);
	if (rc == OK)
		rc = my_judge_triggers(b);
	if (rc == OK)
		rc = my_judge_foreign_keys(b, sight,
					   has_more_indexed(b, &keys));
	return rc;
}

int catalog_load_my(struct build *b, struct bytes schema, struct bytes name)
{
	struct bytes names[2] = { schema, name };
	enum my_sight sight = MY_BLIND;
	struct db_result r = { 0 };
	int rc = build_query(b, about_table, names, 2, &r);

	if (rc == OK && r.n_rows == 0)
		return load_unlisted(b, schema, name);
	if (rc != OK)
		return rc;
	names[0] = b->table->schema = db_value(&r, 0, 0).data;
	names[1] = b->table->name = db_value(&r, 0, 1).data;
	judge_table(b, &r);
	rc = my_look(b, db_value(&r, 0, 3), &sight);
	if (rc == OK)
		rc = make_probe(b, schema, sight);
	if (rc == OK && b->out->verdict == CATALOG_OK)
		rc = judge_rights(b);
	if (rc == OK && b->out->verdict == CATALOG_OK)
		rc = judge_temporary(b, "a temporary table of this name hides "
					"it");
	return rc == OK ? load_columns(b, names, sight) : rc;
}
