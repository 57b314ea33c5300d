#include "rm-agent/db/catalog_build.h"
#include "undo/quote.h"

#include <ctype.h>
#include <strings.h>

/* SQLite: pragmas as functions, so that names can be parameters. */

static const char about_schemas[] =
	"SELECT name FROM pragma_database_list ORDER BY name <> 'temp', seq";

static const char about_table[] =
	"SELECT name, type, wr, strict FROM pragma_table_list"
	" WHERE schema = ? COLLATE NOCASE AND name = ? COLLATE NOCASE";

static const char about_columns[] =
	"SELECT name, type, \"notnull\", pk, hidden"
	" FROM pragma_table_xinfo(?2, ?1) ORDER BY cid";

static const char about_keys[] =
	"SELECT l.name, l.origin, x.cid, x.name, x.coll"
	" FROM pragma_index_list(?2, ?1) l, pragma_index_xinfo(l.name, ?1) x"
	" WHERE l.\"unique\" AND NOT l.partial AND x.key"
	" ORDER BY l.origin <> 'pk', l.origin, l.seq DESC, x.seqno";

/* Of a schema, NOCASE; the schema's name goes in with quote_name(). */
static const char about_triggers[] =
	" WHERE type = 'trigger' AND tbl_name = ?2 COLLATE NOCASE"
	" AND ?1 = ?1 ORDER BY name";

static const char about_foreign_keys[] =
	" m JOIN pragma_foreign_key_list(m.name, ?1) f"
	" WHERE m.type = 'table' AND f.\"table\" = ?2 COLLATE NOCASE"
	" ORDER BY m.name, f.id, f.seq";

/* "SELECT what FROM "schema".sqlite_schema" + tail, with (schema, name). */
static int query_schema(struct build *b, const char *what, struct bytes schema,
			const char *tail, struct db_result *out)
{
	struct bytes params[] = { b->table->schema, b->table->name };
	struct buf sql;

	buf_init(&sql, &b->arena->as_mem);
	buf_printf(&sql, "SELECT %s FROM ", what);
	quote_name(&sql, DIALECT_SQLITE, schema);
	buf_printf(&sql, ".sqlite_schema%s", tail);
	if (buf_error(&sql) != OK)
		return E_NOMEM;
	return build_query(b, buf_text(&sql), params, 2, out);
}

static int try_schema(struct build *b, struct bytes schema, struct bytes name,
		      struct db_result *out)
{
	struct bytes params[] = { schema, name };
	int rc = build_query(b, about_table, params, 2, out);

	if (rc == OK && out->n_rows > 0) {
		b->table->schema = schema;
		b->table->name = db_value(out, 0, 0).data;
	}
	return rc;
}

/* temp, main, then what is attached. */
static int find_table(struct build *b, struct bytes schema, struct bytes name,
		      struct db_result *out)
{
	struct db_result schemas;
	int rc;

	if (schema.len > 0) {
		rc = try_schema(b, schema, name, out);
		return rc == OK && out->n_rows == 0 ? E_NOTFOUND : rc;
	}
	rc = build_query(b, about_schemas, NULL, 0, &schemas);
	for (size_t i = 0; rc == OK && i < schemas.n_rows; i++) {
		rc = try_schema(b, db_value(&schemas, i, 0).data, name, out);
		if (rc == OK && out->n_rows > 0)
			return OK;
	}
	return rc == OK ? E_NOTFOUND : rc;
}

static void judge_table(struct build *b, const struct db_result *r)
{
	struct value type = db_value(r, 0, 1);
	struct value name = { VALUE_TEXT, b->table->name };

	if (value_is(type, "view"))
		build_refuse(b, ON_ALL, "it is a view; write to its tables");
	else if (!value_is(type, "table"))
		build_refuse(b, ON_ALL, "it is a virtual table");
	if (value_starts(name, "sqlite_"))
		build_refuse(b, ON_ALL, "it belongs to the database itself");
	if (b->table->schema.len == 4 &&
	    strncasecmp((const char *)b->table->schema.data, "temp", 4) == 0)
		build_refuse(b, ON_ALL,
			     "it is temporary: no other connection "
			     "could undo a change of it");
	else if (!bytes_equal(b->table->schema, BYTES("main")))
		build_refuse(b, ON_ALL,
			     "it is in an attached database, which "
			     "is not this resource; open that file "
			     "as one of its own");
}

/* ---- columns ---- */

static bool has_part(struct bytes text, const char *part)
{
	size_t len = strlen(part);

	for (size_t i = 0; i + len <= text.len; i++)
		if (strncasecmp((const char *)text.data + i, part, len) == 0)
			return true;
	return false;
}

/* SQLite's own rules, in its order, for the declared type. */
static enum value_type affinity(struct bytes type)
{
	static const struct {
		const char *part;
		enum value_type class;
	} rules[] = {
		{ "int", VALUE_INT },    { "char", VALUE_TEXT },
		{ "clob", VALUE_TEXT },  { "text", VALUE_TEXT },
		{ "blob", VALUE_OTHER }, { "real", VALUE_FLOAT },
		{ "floa", VALUE_FLOAT }, { "doub", VALUE_FLOAT },
	};

	if (type.len == 0)
		return VALUE_OTHER;
	for (size_t i = 0; i < ARRAY_LEN(rules); i++)
		if (has_part(type, rules[i].part))
			return rules[i].class;
	return VALUE_NUMBER;
}

static bool is_word(struct bytes text, const char *word)
{
	return text.len == strlen(word) &&
	       strncasecmp((const char *)text.data, word, text.len) == 0;
}

static void read_column(const struct db_result *r, size_t i, struct column *c)
{
	struct bytes type = db_value(r, i, 1).data;
	enum value_type class = affinity(type);

	*c = (struct column){
		.name = db_value(r, i, 0).data,
		.type = type,
		/* NUMERIC holds integers, reals and text alike. */
		.class = class == VALUE_NUMBER ? VALUE_OTHER : class,
		.nullable = !value_is(db_value(r, i, 2), "1"),
		.generated = value_is(db_value(r, i, 4), "2") ||
			     value_is(db_value(r, i, 4), "3"),
	};
}

/* ---- keys ---- */

/* 1 and 1.0 are equal; without an affinity both are kept. */
#define ONE_NUMBER                                                             \
	"CASE WHEN typeof(%C) = 'real' AND %C = CAST(%C AS INTEGER)"           \
	" THEN CAST(%C AS INTEGER) ELSE %C END"

static void fold(struct build *b, size_t at, struct value collation)
{
	struct bytes type = b->columns[at].type;

	if (is_word(collation.data, "nocase"))
		build_fold(b, at, "lower(%C)");
	else if (is_word(collation.data, "rtrim"))
		build_fold(b, at, "rtrim(%C, ' ')");
	else if (!is_word(collation.data, "binary"))
		build_fold(b, at, "'*'"); /* unknown: one lock for all rows */
	else if (affinity(type) == VALUE_OTHER)
		build_fold(b, at, ONE_NUMBER);
}

static bool not_null(const struct build *b, size_t at, bool without_rowid,
		     bool primary)
{
	return !b->columns[at].nullable || (without_rowid && primary);
}

/* The first unique index whose columns are all NOT NULL. */
static int choose_index(struct build *b, const struct db_result *r,
			bool without_rowid)
{
	for (size_t i = 0, n; i < r->n_rows; i += n) {
		bool primary = value_is(db_value(r, i, 1), "pk");
		bool usable = true;

		for (n = 0; i + n < r->n_rows &&
			    bytes_equal(db_value(r, i + n, 0).data,
					db_value(r, i, 0).data);
		     n++) {
			size_t at = build_find(b, db_value(r, i + n, 3).data);

			usable = usable &&
				 !value_starts(db_value(r, i + n, 2), "-") &&
				 at < b->table->n_columns &&
				 not_null(b, at, without_rowid, primary);
		}
		for (size_t k = 0; usable && k < n; k++) {
			b->key[k] = build_find(b, db_value(r, i + k, 3).data);
			if (without_rowid && primary)
				b->columns[b->key[k]].nullable = false;
			fold(b, b->key[k], db_value(r, i + k, 4));
		}
		if (usable) {
			b->table->n_key = n;
			return OK;
		}
	}
	return E_NOTFOUND;
}

/* The one column that is another name for the rowid, or n_columns: INTEGER
 * PRIMARY KEY, for which SQLite makes no index. */
static size_t rowid_column(const struct build *b, const struct db_result *cols,
			   const struct db_result *keys)
{
	size_t found = b->table->n_columns;

	for (size_t i = 0; i < cols->n_rows; i++) {
		if (value_is(db_value(cols, i, 3), "0"))
			continue;
		if (found != b->table->n_columns ||
		    !is_word(db_value(cols, i, 1).data, "integer"))
			return b->table->n_columns;
		found = i;
	}
	for (size_t i = 0; i < keys->n_rows; i++)
		if (value_is(db_value(keys, i, 1), "pk"))
			return b->table->n_columns;
	return found;
}

static const char *free_alias(const struct db_result *cols)
{
	static const char *const aliases[] = { "rowid", "_rowid_", "oid" };

	for (size_t a = 0; a < ARRAY_LEN(aliases); a++) {
		bool hidden = false;

		for (size_t i = 0; i < cols->n_rows; i++)
			hidden = hidden ||
				 is_word(db_value(cols, i, 0).data, aliases[a]);
		if (!hidden)
			return aliases[a];
	}
	return NULL;
}

/* The columns again, with the rowid in front. */
static int add_rowid(struct build *b, const struct db_result *cols,
		     const char *alias)
{
	int rc = build_columns(b, cols->n_rows + 1);

	if (rc != OK)
		return rc;
	b->columns[0] = (struct column){ .name = bytes_of(alias),
					 .type = BYTES("INTEGER"),
					 .class = VALUE_INT,
					 .auto_increment = true,
					 .rowid = true };
	for (size_t i = 0; i < cols->n_rows; i++)
		read_column(cols, i, &b->columns[i + 1]);
	b->key[0] = 0;
	b->table->n_key = 1;
	return OK;
}

static int choose_key(struct build *b, const struct db_result *cols,
		      const struct bytes names[2], bool without_rowid)
{
	struct db_result keys;
	const char *alias;
	size_t at;
	int rc = build_query(b, about_keys, names, 2, &keys);

	if (rc != OK)
		return rc;
	at = without_rowid ? b->table->n_columns : rowid_column(b, cols, &keys);
	if (at < b->table->n_columns) {
		b->columns[at].class = VALUE_INT;
		b->columns[at].nullable = false;
		b->columns[at].auto_increment = true;
		b->key[0] = at;
		b->table->n_key = 1;
		return OK;
	}
	if (choose_index(b, &keys, without_rowid) == OK || without_rowid)
		return OK;
	alias = free_alias(cols);
	return alias ? add_rowid(b, cols, alias) : OK;
}

/* ---- what images cannot see ---- */

/* The next word of SQL, past blanks, comments and quoted names; length 0 at
 * the end. Anything quoted comes as one word with its quote in front. */
static struct bytes next_word(struct bytes *sql)
{
	const char *p = (const char *)sql->data, *end = p + sql->len, *start;

	while (p < end && isspace((unsigned char)*p))
		p++;
	start = p;
	if (p < end && strchr("\"'`[", *p)) {
		char close = *p == '[' ? ']' : *p;

		for (p++; p < end && *p != close; p++)
			;
		p += p < end;
	} else if (p + 1 < end && p[0] == '-' && p[1] == '-') {
		while (p < end && *p != '\n')
			p++;
	} else if (p < end && (isalnum((unsigned char)*p) || *p == '_')) {
		while (p < end && (isalnum((unsigned char)*p) || *p == '_' ||
				   (unsigned char)*p >= 0x80))
			p++;
	} else if (p < end) {
		p++;
	}
	*sql = (struct bytes){ (const uint8_t *)p, (size_t)(end - p) };
	return (struct bytes){ (const uint8_t *)start, (size_t)(p - start) };
}

/* CREATE [TEMP] TRIGGER name [BEFORE|AFTER|INSTEAD OF] event … ON table.
 * The event is the last such word before ON. */
static unsigned trigger_events(struct bytes sql)
{
	unsigned on = 0;

	for (;;) {
		struct bytes w = next_word(&sql);

		if (w.len == 0)
			return ON_ALL;
		if (is_word(w, "insert"))
			on = ON_INSERT;
		else if (is_word(w, "update"))
			on = ON_UPDATE;
		else if (is_word(w, "delete"))
			on = ON_DELETE;
		else if (is_word(w, "on") && on)
			return on;
	}
}

static int judge_triggers(struct build *b, struct bytes schema)
{
	struct db_result r;
	int rc = query_schema(b, "name, sql", schema, about_triggers, &r);

	for (size_t i = 0; rc == OK && i < r.n_rows; i++)
		build_hidden(b, trigger_events(db_value(&r, i, 1).data),
			     "trigger %.*s may change other rows",
			     TEXT(db_value(&r, i, 0)));
	return rc;
}

static bool changes(struct value rule)
{
	return value_is(rule, "CASCADE") || value_starts(rule, "SET ");
}

static int judge_foreign_keys(struct build *b)
{
	struct db_result r;
	int rc = query_schema(b, "m.name, f.on_delete, f.on_update, f.\"to\"",
			      b->table->schema, about_foreign_keys, &r);

	for (size_t i = 0; rc == OK && i < r.n_rows; i++) {
		struct value to = db_value(&r, i, 3);
		/* NULL: the primary key */
		bool key = to.type == VALUE_NULL ||
			   table_is_key(b->table, build_find(b, to.data));
		unsigned on =
			(changes(db_value(&r, i, 1)) ? ON_DELETE : 0u) |
			(changes(db_value(&r, i, 2)) && !key ? ON_UPDATE : 0u);

		if (on)
			build_hidden(b, on,
				     "a foreign key of table %.*s changes rows "
				     "there when one is %s here",
				     TEXT(db_value(&r, i, 0)),
				     on == ON_UPDATE ? "updated" : "deleted");
	}
	return rc;
}

/* ---- conflict clauses of the table itself ---- */

static bool is_word_at(struct bytes text, size_t at, const char *word)
{
	size_t n = strlen(word);

	return at + n <= text.len &&
	       strncasecmp((const char *)text.data + at, word, n) == 0;
}

/* "… UNIQUE ON CONFLICT REPLACE": a plain INSERT or UPDATE then deletes rows,
 * or leaves out some, without saying so. */
static int judge_conflict_clauses(struct build *b)
{
	static const char *const actions[] = { "replace", "ignore", "fail",
					       "rollback" };
	struct db_result r;
	struct bytes text;
	int rc = query_schema(b, "sql", b->table->schema,
			      " WHERE type = 'table' AND name = ?2", &r);

	if (rc != OK || r.n_rows == 0)
		return rc;
	text = db_value(&r, 0, 0).data;
	for (size_t i = 0; i + 8 < text.len; i++) {
		size_t at = i + 8;

		if (!is_word_at(text, i, "conflict"))
			continue;
		while (at < text.len && strchr(" \t\r\n", text.data[at]))
			at++;
		for (size_t k = 0; k < ARRAY_LEN(actions); k++)
			if (is_word_at(text, at, actions[k]))
				build_refuse(b, ON_INSERT | ON_UPDATE,
					     "a constraint of it has ON "
					     "CONFLICT %s, which changes rows "
					     "behind the statement's back",
					     actions[k]);
	}
	return OK;
}

/* ---- the whole ---- */

/* The text of everything that makes the table what it is. */
static int make_probe(struct build *b)
{
	struct buf sql;

	buf_init(&sql, &b->arena->as_mem);
	buf_put_text(&sql, "SELECT (SELECT schema_version FROM "
			   "pragma_schema_version) || '/' || (SELECT count(*) "
			   "FROM sqlite_temp_schema)");
	b->out->probe_sql = buf_bytes(&sql);
	return buf_error(&sql);
}

int catalog_load_lite(struct build *b, struct bytes schema, struct bytes name)
{
	struct db_result r = { 0 }, cols = { 0 };
	struct bytes names[2];
	bool without_rowid;
	int rc = find_table(b, schema, name, &r);

	if (rc != OK)
		return rc;
	judge_table(b, &r);
	without_rowid = value_is(db_value(&r, 0, 2), "1");
	names[0] = b->table->schema;
	names[1] = b->table->name;
	rc = make_probe(b);
	if (rc == OK)
		rc = build_query(b, about_columns, names, 2, &cols);
	if (rc == OK)
		rc = build_columns(b, cols.n_rows);
	for (size_t i = 0; rc == OK && i < cols.n_rows; i++)
		read_column(&cols, i, &b->columns[i]);
	if (rc == OK && b->out->verdict == CATALOG_OK)
		rc = choose_key(b, &cols, names, without_rowid);
	if (rc == OK)
		rc = judge_conflict_clauses(b);
	if (rc == OK)
		rc = judge_triggers(b, b->table->schema);
	if (rc == OK && bytes_equal(b->table->schema, BYTES("main")))
		rc = judge_triggers(b, BYTES("temp"));
	return rc == OK ? judge_foreign_keys(b) : rc;
}
