#include "rm-agent/at/target.h"

#include "undo/quote.h"

/*
 * Unique keys and defaults from the catalog: what an INSERT with a conflict
 * clause must look at before it runs.
 */

/* index, column or NULL (an expression, or a part of the column), in order */
static const char *const unique_sql[] = {
	[DIALECT_POSTGRES] =
		"SELECT i.indexrelid::text, a.attname::text "
		"FROM pg_catalog.pg_index i CROSS JOIN LATERAL "
		"unnest(i.indkey::int2[]) WITH ORDINALITY AS k (n, place) "
		"LEFT JOIN pg_catalog.pg_attribute a "
		"ON a.attrelid = i.indrelid AND a.attnum = k.n "
		"WHERE i.indrelid = CAST($1 AS regclass) AND i.indisunique "
		"AND k.place <= i.indnkeyatts "
		"ORDER BY i.indexrelid, k.place",
	[DIALECT_MYSQL] =
		"SELECT index_name, IF(sub_part IS NULL, column_name, NULL) "
		"FROM information_schema.statistics WHERE table_schema = ? "
		"AND table_name = ? AND non_unique = 0 "
		"ORDER BY index_name, seq_in_index",
	[DIALECT_SQLITE] =
		"SELECT l.name, i.name FROM pragma_index_list(?2, ?1) AS l, "
		"pragma_index_info(l.name, ?1) AS i WHERE l.\"unique\" "
		"ORDER BY l.seq, i.seqno",
};

/* column, SQL of the default */
static const char *const default_sql[] = {
	[DIALECT_POSTGRES] =
		"SELECT a.attname::text, pg_get_expr(d.adbin, d.adrelid) "
		"FROM pg_catalog.pg_attrdef d JOIN pg_catalog.pg_attribute a "
		"ON a.attrelid = d.adrelid AND a.attnum = d.adnum "
		"WHERE d.adrelid = CAST($1 AS regclass) "
		"AND a.attgenerated = ''",
	[DIALECT_MYSQL] =
		"SELECT column_name, column_default "
		"FROM information_schema.columns WHERE table_schema = ? "
		"AND table_name = ? AND column_default IS NOT NULL",
	[DIALECT_SQLITE] =
		"SELECT name, dflt_value FROM pragma_table_xinfo(?2, ?1) "
		"WHERE dflt_value IS NOT NULL",
};

static int ask(struct target *t, struct db *db, const char *sql,
	       struct db_result *out)
{
	const struct table *table = t->table;
	struct value v[2] = { { VALUE_TEXT, table->schema },
			      { VALUE_TEXT, table->name } };
	struct db_stmt stmt = { .sql = bytes_of(sql),
				.params = v,
				.n_params = 2 };
	struct buf name;

	if (table->dialect == DIALECT_POSTGRES) {
		buf_init(&name, &t->arena.as_mem);
		quote_table(&name, table->dialect, table->schema, table->name);
		if (buf_error(&name) != OK)
			return E_NOMEM;
		v[0].data = buf_bytes(&name);
		stmt.n_params = 1;
	}
	return db_exec(db, &stmt, &t->arena, out);
}

/* One index: rows from..to of the answer. */
static int add_unique(struct target *t, const struct db_result *r, size_t from,
		      size_t to, struct unique *u)
{
	size_t *columns = arena_array(&t->arena, to - from, sizeof *columns);

	if (!columns)
		return E_NOMEM;
	for (size_t i = from; i < to; i++) {
		struct value name = db_value(r, i, 1);
		size_t c = t->table->n_columns;

		if (name.type != VALUE_NULL)
			c = table_find_column(t->table, name.data);
		if (c == t->table->n_columns)
			t->odd_unique = true;
		else
			columns[u->n++] = c;
	}
	u->columns = columns;
	return OK;
}

static int load_uniques(struct target *t, struct db *db)
{
	const struct table *table = t->table;
	struct db_result r;
	struct unique *list;
	size_t n = 0;
	int rc = ask(t, db, unique_sql[table->dialect], &r);

	if (rc != OK)
		return rc;
	list = arena_array(&t->arena, r.n_rows + 1, sizeof *list);
	if (!list)
		return E_NOMEM;
	list[n++] = (struct unique){ table->key, table->n_key };
	for (size_t from = 0, to; rc == OK && from < r.n_rows; from = to) {
		struct bytes index = db_value(&r, from, 0).data;

		for (to = from + 1; to < r.n_rows; to++)
			if (!bytes_equal(db_value(&r, to, 0).data, index))
				break;
		rc = add_unique(t, &r, from, to, &list[n]);
		if (list[n].n == to - from)
			n++;
	}
	t->uniques = list;
	t->n_uniques = n;
	return rc;
}

static int load_defaults(struct target *t, struct db *db)
{
	const struct table *table = t->table;
	struct bytes *list =
		arena_array(&t->arena, table->n_columns, sizeof *list);
	struct db_result r;
	int rc = ask(t, db, default_sql[table->dialect], &r);

	if (rc != OK)
		return rc;
	if (!list)
		return E_NOMEM;
	for (size_t i = 0; i < r.n_rows; i++) {
		size_t c = table_find_column(table, db_value(&r, i, 0).data);

		if (c < table->n_columns)
			list[c] = db_value(&r, i, 1).data;
	}
	t->defaults = list;
	return OK;
}

int target_load_unique(struct target *t, struct db *db)
{
	int rc;

	if (t->loaded_unique)
		return OK;
	t->odd_unique = false;
	rc = load_uniques(t, db);
	if (rc == OK)
		rc = load_defaults(t, db);
	t->loaded_unique = rc == OK;
	return rc;
}
