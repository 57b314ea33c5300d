#include "rm-agent/db/catalog_build.h"
#include "rm-agent/db/pg.h"

/* $1 schema or "", $2 name: as the session's search_path finds it. */
#define TABLE_OID                                                              \
	"pg_catalog.to_regclass(CASE WHEN $1 = '' THEN ''"                     \
	" ELSE pg_catalog.quote_ident($1) || '.' END"                          \
	" || pg_catalog.quote_ident($2))"

static const char about_table[] =
	"SELECT c.oid, n.nspname, c.relname, c.relkind, c.relpersistence,"
	" c.relispartition, EXISTS (SELECT FROM pg_catalog.pg_inherits i"
	" WHERE i.inhparent = c.oid), EXISTS (SELECT"
	" FROM pg_catalog.pg_partition_tree(c.oid) p"
	" JOIN pg_catalog.pg_class f ON f.oid = p.relid AND f.relkind = 'f')"
	" FROM pg_catalog.pg_class c"
	" JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
	" WHERE c.oid = " TABLE_OID;

/* A type outside of pg_catalog is named with its schema, because whoever reads
 * the name later has another search_path. */
static const char about_columns[] =
	"SELECT a.attname, CASE WHEN tn.nspname = 'pg_catalog'"
	" THEN pg_catalog.format_type(a.atttypid, a.atttypmod)"
	" ELSE pg_catalog.quote_ident(tn.nspname) || '.'"
	" || pg_catalog.quote_ident(t.typname) || "
	"coalesce(pg_catalog.substring("
	"pg_catalog.format_type(a.atttypid, a.atttypmod), '[(][^)]*[)]$'), '')"
	" END, a.atttypid, a.attnotnull, a.attgenerated <> '',"
	" a.attidentity::pg_catalog.text, "
	"coalesce(pg_catalog.pg_get_expr(d.adbin, d.adrelid),"
	" ''), a.atttypmod, t.typname, a.attnum"
	" FROM pg_catalog.pg_attribute a"
	" JOIN pg_catalog.pg_type t ON t.oid = a.atttypid"
	" JOIN pg_catalog.pg_namespace tn ON tn.oid = t.typnamespace"
	" LEFT JOIN pg_catalog.pg_attrdef d"
	" ON d.adrelid = a.attrelid AND d.adnum = a.attnum"
	" WHERE a.attrelid = $1::pg_catalog.oid AND a.attnum > 0"
	" AND NOT a.attisdropped ORDER BY a.attnum";

/* Unique indexes over whole columns that hold at once and for all rows. */
static const char about_keys[] =
	"SELECT i.indexrelid, a.attname, a.attnotnull,"
	" coalesce(co.collisdeterministic, true)"
	" FROM pg_catalog.pg_index i, LATERAL ROWS FROM ("
	"pg_catalog.unnest(i.indkey::pg_catalog.int2[]),"
	" pg_catalog.unnest(i.indcollation::pg_catalog.oid[]))"
	" WITH ORDINALITY k(att, coll, ord)"
	" JOIN pg_catalog.pg_attribute a ON a.attnum = k.att"
	" LEFT JOIN pg_catalog.pg_collation co ON co.oid = k.coll"
	" WHERE i.indrelid = $1::pg_catalog.oid AND a.attrelid = i.indrelid"
	" AND i.indisunique AND i.indisvalid AND i.indimmediate"
	" AND i.indpred IS NULL AND i.indexprs IS NULL"
	" AND k.ord <= i.indnkeyatts"
	" ORDER BY NOT i.indisprimary, i.indnkeyatts, i.indexrelid, k.ord";

/* Functions of pg_catalog change the row itself only, which images see. */
static const char about_triggers[] =
	"SELECT g.tgname, g.tgtype FROM pg_catalog.pg_trigger g"
	" JOIN pg_catalog.pg_proc p ON p.oid = g.tgfoid"
	" JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace"
	" WHERE (g.tgrelid = $1::pg_catalog.oid OR g.tgrelid IN (SELECT t.relid"
	" FROM pg_catalog.pg_partition_tree($1::pg_catalog.oid) t))"
	" AND NOT g.tgisinternal AND g.tgenabled IN ('O', 'A')"
	" AND n.nspname <> 'pg_catalog' ORDER BY g.tgname";

static const char about_foreign_keys[] =
	"SELECT f.conname, r.relname, f.confdeltype, f.confupdtype,"
	" (SELECT pg_catalog.bool_and(a.attname = ANY("
	"$2::pg_catalog.text::pg_catalog.text[]))"
	" FROM pg_catalog.pg_attribute a WHERE a.attrelid = f.confrelid"
	" AND a.attnum = ANY(f.confkey))"
	" FROM pg_catalog.pg_constraint f"
	" JOIN pg_catalog.pg_class r ON r.oid = f.conrelid"
	" WHERE f.contype = 'f' AND f.confrelid = $1::pg_catalog.oid"
	" AND f.conparentid = 0 AND (f.confdeltype IN ('c', 'n', 'd')"
	" OR f.confupdtype IN ('c', 'n', 'd')) ORDER BY f.conname";

static const char about_rules[] =
	"SELECT r.rulename, r.ev_type FROM pg_catalog.pg_rewrite r"
	" WHERE r.ev_class = $1::pg_catalog.oid AND r.ev_type <> '1'"
	" AND r.ev_enabled <> 'D' ORDER BY r.rulename";

/* The xmin of a catalog row changes with every ALTER and not with ANALYZE. */
static const char probe_head[] =
	"SELECT pg_catalog.concat_ws('/', c.oid, c.xmin,"
	" (SELECT pg_catalog.string_agg(a.xmin::text, ',' ORDER BY a.attnum)"
	" FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid),"
	" (SELECT pg_catalog.string_agg(i.xmin::text, ',' ORDER BY "
	"i.indexrelid)"
	" FROM pg_catalog.pg_index i WHERE i.indrelid = c.oid),"
	" (SELECT pg_catalog.string_agg(g.xmin::text, ',' ORDER BY g.oid)"
	" FROM pg_catalog.pg_trigger g WHERE g.tgrelid = c.oid),"
	" (SELECT pg_catalog.string_agg(f.xmin::text, ',' ORDER BY f.oid)"
	" FROM pg_catalog.pg_constraint f WHERE f.confrelid = c.oid),"
	" (SELECT pg_catalog.string_agg(r.xmin::text, ',' ORDER BY r.oid)"
	" FROM pg_catalog.pg_rewrite r WHERE r.ev_class = c.oid))"
	" FROM pg_catalog.pg_class c"
	" WHERE c.oid = pg_catalog.to_regclass(";

static void put_literal(struct buf *out, struct bytes text)
{
	/* E'': whatever standard_conforming_strings says. */
	buf_put_text(out, "E'");
	for (size_t i = 0; i < text.len; i++) {
		if (text.data[i] == '\'' || text.data[i] == '\\')
			buf_put_u8(out, text.data[i]);
		buf_put_u8(out, text.data[i]);
	}
	buf_put_char(out, '\'');
}

/* By the name as it was asked for, so that a change of search_path or another
 * table of that name shows, too. */
static int make_probe(struct build *b, struct bytes schema, struct bytes name)
{
	struct buf sql;

	buf_init(&sql, &b->arena->as_mem);
	buf_put_text(&sql, probe_head);
	if (schema.len > 0) {
		buf_put_text(&sql, "pg_catalog.quote_ident(");
		put_literal(&sql, schema);
		buf_put_text(&sql, ") || '.' || ");
	}
	buf_put_text(&sql, "pg_catalog.quote_ident(");
	put_literal(&sql, name);
	buf_put_text(&sql, "))");
	b->out->probe_sql = buf_bytes(&sql);
	return buf_error(&sql);
}

static void judge_table(struct build *b, const struct db_result *r)
{
	char kind = (char)*db_value(r, 0, 3).data.data;
	char persistence = (char)*db_value(r, 0, 4).data.data;

	b->out->partitioned = kind == 'p';
	if (kind == 'v' || kind == 'm')
		build_refuse(b, ON_ALL, "it is a view; write to its tables");
	else if (kind == 'f')
		build_refuse(b, ON_ALL,
			     "it is a foreign table; its rows are "
			     "in another database");
	else if (kind != 'r' && kind != 'p')
		build_refuse(b, ON_ALL, "it is not a table");
	if (persistence == 't')
		build_refuse(b, ON_ALL,
			     "it is temporary: no other session "
			     "could undo a change of it");
	if (persistence == 'u')
		build_refuse(b, ON_ALL, "it is unlogged: a crash empties it");
	if (value_is(db_value(r, 0, 5), "t"))
		build_refuse(b, ON_ALL,
			     "it is a partition; write through the "
			     "partitioned table, so that a row has "
			     "one name");
	if (kind == 'r' && value_is(db_value(r, 0, 6), "t"))
		build_refuse(b, ON_ALL, "other tables inherit from it");
	if (value_is(db_value(r, 0, 7), "t"))
		build_refuse(b, ON_ALL,
			     "some of its partitions are foreign "
			     "tables");
	if (value_is(db_value(r, 0, 1), "pg_catalog") ||
	    value_is(db_value(r, 0, 1), "information_schema"))
		build_refuse(b, ON_ALL, "it belongs to the database itself");
}

/* The type under domains. */
static int base_type(struct pg_db *p, uint32_t oid, const struct pg_type **out)
{
	int rc = pg_type_find(p, oid, out);

	while (rc == OK && (*out)->shape == PG_DOMAIN)
		rc = pg_type_find(p, (*out)->element, out);
	return rc;
}

/* Whether only the server can spell it, looking into arrays and ranges. */
static int is_opaque(struct pg_db *p, const struct pg_type *t, bool *opaque)
{
	int rc = OK;

	while (rc == OK && t->element != 0)
		rc = pg_type_find(p, t->element, &t);
	*opaque = t->shape == PG_OPAQUE;
	return rc;
}

static int read_column(struct build *b, const struct db_result *r, size_t i)
{
	struct pg_db *p = pg_of(b->db);
	uint32_t oid = (uint32_t)value_number(db_value(r, i, 2));
	struct value identity = db_value(r, i, 5);
	const struct pg_type *t;
	bool opaque;
	int rc = base_type(p, oid, &t);

	if (rc == OK)
		rc = is_opaque(p, t, &opaque);
	if (rc != OK)
		return rc;
	b->columns[i] = (struct column){
		.name = db_value(r, i, 0).data,
		.type = db_value(r, i, 1).data,
		.class = pg_class(t->oid),
		.nullable = !value_is(db_value(r, i, 3), "t"),
		.generated = value_is(db_value(r, i, 4), "t"),
		.always_identity = value_is(identity, "a"),
		.auto_increment = identity.data.len > 0 ||
				  value_starts(db_value(r, i, 6), "nextval("),
	};
	if (opaque)
		b->spelled[i].read = BYTES("%C::pg_catalog.text");
	return OK;
}

/* Types whose equal values have one spelling need no lock text. What equality
 * means for the others is not known here: then all rows share one lock, which
 * is slow and safe. */
static const char *lock_of(const struct pg_type *base, struct value typname,
			   bool deterministic, struct value typmod)
{
	static const struct {
		const char *name, *lock;
	} known[] = {
		{ "numeric", "pg_catalog.trim_scale(%C)::pg_catalog.text" },
		{ "real", "(%C + 0::pg_catalog.float8)" }, /* -0 = 0 */
		{ "double precision", "(%C + 0::pg_catalog.float8)" },
		{ "interval", "pg_catalog.justify_interval(%C)" },
	};
	static const char coarse[] = "'*'::pg_catalog.text";

	if (value_is(typname, "citext"))
		return "pg_catalog.lower(%C::pg_catalog.text)";
	if (!deterministic)
		return coarse;
	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		if (strcmp(base->name, known[i].name) == 0)
			return known[i].lock;
	if (strcmp(base->name, "character") == 0 && value_is(typmod, "-1"))
		return "%C::pg_catalog.text";
	if (strcmp(base->name, "jsonb") == 0)
		return coarse; /* 1.0 = 1.00 inside */
	return base->shape == PG_SCALAR || base->shape == PG_TEXT ? NULL
								  : coarse;
}

static int read_key(struct build *b, const struct db_result *columns,
		    const struct db_result *keys, size_t first, size_t n)
{
	for (size_t i = first; i < first + n; i++) {
		size_t at = build_find(b, db_value(keys, i, 1).data);
		const struct pg_type *base;
		const char *lock;
		int rc;

		REQUIRE(at < b->table->n_columns);
		rc = base_type(pg_of(b->db),
			       (uint32_t)value_number(db_value(columns, at, 2)),
			       &base);
		if (rc != OK)
			return rc;
		lock = lock_of(base, db_value(columns, at, 8),
			       value_is(db_value(keys, i, 3), "t"),
			       db_value(columns, at, 7));
		if (lock)
			build_fold(b, at, lock);
		b->key[i - first] = at;
	}
	b->table->n_key = n;
	return OK;
}

static int choose_key(struct build *b, const struct db_result *columns,
		      struct bytes oid)
{
	struct db_result r;
	int rc = build_query(b, about_keys, &oid, 1, &r);

	for (size_t i = 0, n; rc == OK && i < r.n_rows; i += n) {
		bool usable = true;

		for (n = 0; i + n < r.n_rows &&
			    bytes_equal(db_value(&r, i + n, 0).data,
					db_value(&r, i, 0).data);
		     n++)
			usable =
				usable && value_is(db_value(&r, i + n, 2), "t");
		if (usable)
			return read_key(b, columns, &r, i, n);
	}
	return rc;
}

static int judge_triggers(struct build *b, struct bytes oid)
{
	struct db_result r;
	int rc = build_query(b, about_triggers, &oid, 1, &r);

	for (size_t i = 0; rc == OK && i < r.n_rows; i++) {
		uint64_t type = value_number(db_value(&r, i, 1));
		unsigned on = (type & 4 ? ON_INSERT : 0u) |
			      (type & 8 ? ON_DELETE : 0u) |
			      (type & 16 ? ON_UPDATE : 0u);

		if (on)
			build_hidden(b, on,
				     "trigger %.*s may change other rows",
				     TEXT(db_value(&r, i, 0)));
	}
	return rc;
}

/* The names of the key columns as an array literal. */
static struct bytes key_names(struct build *b)
{
	struct buf out;

	buf_init(&out, &b->arena->as_mem);
	buf_put_char(&out, '{');
	for (size_t i = 0; i < b->table->n_key; i++) {
		struct bytes name = b->columns[b->key[i]].name;

		buf_put_text(&out, i ? ",\"" : "\"");
		for (size_t j = 0; j < name.len; j++) {
			if (name.data[j] == '"' || name.data[j] == '\\')
				buf_put_char(&out, '\\');
			buf_put_u8(&out, name.data[j]);
		}
		buf_put_char(&out, '"');
	}
	buf_put_char(&out, '}');
	return buf_error(&out) == OK ? buf_bytes(&out) : BYTES("{}");
}

/* An update of key columns is refused anyway, so cascades from them alone
 * cannot happen. */
static int judge_foreign_keys(struct build *b, struct bytes oid)
{
	struct bytes params[] = { oid, key_names(b) };
	struct db_result r;
	int rc = build_query(b, about_foreign_keys, params, 2, &r);

	for (size_t i = 0; rc == OK && i < r.n_rows; i++) {
		struct value del = db_value(&r, i, 2), up = db_value(&r, i, 3);
		unsigned on = 0;

		if (value_is(del, "c") || value_is(del, "n") ||
		    value_is(del, "d"))
			on |= ON_DELETE;
		if ((value_is(up, "c") || value_is(up, "n") ||
		     value_is(up, "d")) &&
		    !value_is(db_value(&r, i, 4), "t"))
			on |= ON_UPDATE;
		if (on)
			build_hidden(b, on,
				     "foreign key %.*s of table %.*s changes "
				     "rows there when one is %s here",
				     TEXT(db_value(&r, i, 0)),
				     TEXT(db_value(&r, i, 1)),
				     on == ON_UPDATE ? "updated" : "deleted");
	}
	return rc;
}

static int judge_rules(struct build *b, struct bytes oid)
{
	struct db_result r;
	int rc = build_query(b, about_rules, &oid, 1, &r);

	for (size_t i = 0; rc == OK && i < r.n_rows; i++) {
		struct value event = db_value(&r, i, 1);

		/* A view's INSTEAD rules are covered by its being a view. */
		build_refuse(b,
			     value_is(event, "2")   ? ON_UPDATE
			     : value_is(event, "3") ? ON_INSERT
						    : ON_DELETE,
			     "rule %.*s rewrites statements",
			     TEXT(db_value(&r, i, 0)));
	}
	return rc;
}

int catalog_load_pg(struct build *b, struct bytes schema, struct bytes name)
{
	struct bytes names[] = { schema, name }, oid;
	struct db_result r = { 0 }, columns = { 0 };
	int rc = build_query(b, about_table, names, 2, &r);

	if (rc == OK && r.n_rows == 0)
		return E_NOTFOUND;
	if (rc == OK)
		rc = make_probe(b, schema, name);
	if (rc != OK)
		return rc;
	oid = db_value(&r, 0, 0).data;
	b->table->schema = db_value(&r, 0, 1).data;
	b->table->name = db_value(&r, 0, 2).data;
	judge_table(b, &r);
	rc = build_query(b, about_columns, &oid, 1, &columns);
	if (rc == OK)
		rc = build_columns(b, columns.n_rows);
	for (size_t i = 0; rc == OK && i < columns.n_rows; i++)
		rc = read_column(b, &columns, i);
	if (rc == OK)
		rc = choose_key(b, &columns, oid);
	if (rc == OK)
		rc = judge_triggers(b, oid);
	if (rc == OK)
		rc = judge_foreign_keys(b, oid);
	return rc == OK ? judge_rules(b, oid) : rc;
}
