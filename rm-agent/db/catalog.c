#include "rm-agent/db/catalog_build.h"

#include <strings.h>

/* ---- what the readers share ---- */

int build_query(struct build *b, const char *sql, const struct bytes *params,
		size_t n, struct db_result *out)
{
	struct value *values = arena_array(b->arena, n + 1, sizeof(*values));
	struct db_stmt stmt = { .sql = bytes_of(sql),
				.params = values,
				.n_params = n,
				.keep = true };

	if (!values)
		return E_NOMEM;
	for (size_t i = 0; i < n; i++)
		values[i] = (struct value){ VALUE_TEXT, params[i] };
	return db_exec(b->db, &stmt, b->arena, out);
}

int build_columns(struct build *b, size_t n)
{
	b->columns = arena_array(b->arena, n + 1, sizeof(*b->columns));
	b->spelled = arena_array(b->arena, n + 1, sizeof(*b->spelled));
	b->key = arena_array(b->arena, n + 1, sizeof(*b->key));
	if (!b->columns || !b->spelled || !b->key)
		return E_NOMEM;
	for (size_t i = 0; i < n; i++)
		b->spelled[i] = (struct catalog_column){ .read = BYTES("%C"),
							 .param = BYTES("%P") };
	b->table->columns = b->columns;
	b->table->n_columns = n;
	b->table->key = b->key;
	b->out->columns = b->spelled;
	return OK;
}

static void raise_to(enum catalog_verdict *to, enum catalog_verdict v)
{
	if (*to < v)
		*to = v;
}

static void judge(struct build *b, unsigned events, enum catalog_verdict v,
		  const char *fmt, va_list args)
{
	if (events & ON_INSERT)
		raise_to(&b->out->on_insert, v);
	if (events & ON_UPDATE)
		raise_to(&b->out->on_update, v);
	if (events & ON_DELETE)
		raise_to(&b->out->on_delete, v);
	raise_to(&b->out->verdict, v);
	if (b->why.len > 0)
		buf_put_text(&b->why, "; ");
	buf_vprintf(&b->why, fmt, args);
}

void build_refuse(struct build *b, unsigned events, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	judge(b, events, CATALOG_REFUSED, fmt, args);
	va_end(args);
}

void build_hidden(struct build *b, unsigned events, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	judge(b, events, CATALOG_HIDDEN_CHANGES, fmt, args);
	va_end(args);
}

void build_fold(struct build *b, size_t column, const char *lock)
{
	b->columns[column].folds = true;
	b->spelled[column].lock = bytes_of(lock);
}

static bool same_name(const struct build *b, struct bytes x, struct bytes y)
{
	/* Column names of PostgreSQL alone tell case apart. */
	if (db_dialect(b->db) == DIALECT_POSTGRES)
		return bytes_equal(x, y);
	return x.len == y.len && strncasecmp((const char *)x.data,
					     (const char *)y.data, x.len) == 0;
}

size_t build_find(const struct build *b, struct bytes name)
{
	size_t i = 0;

	while (i < b->table->n_columns &&
	       !same_name(b, b->columns[i].name, name))
		i++;
	return i;
}

bool value_is(struct value v, const char *text)
{
	return bytes_equal(v.data, bytes_of(text));
}

bool value_starts(struct value v, const char *with)
{
	struct bytes w = bytes_of(with);

	return v.data.len >= w.len && memcmp(v.data.data, w.data, w.len) == 0;
}

bool value_contains(struct value v, const char *word)
{
	struct bytes w = bytes_of(word);

	return v.data.len >= w.len &&
	       memmem(v.data.data, v.data.len, w.data, w.len) != NULL;
}

uint64_t value_number(struct value v)
{
	uint64_t n = 0;

	for (size_t i = 0; i < v.data.len; i++) {
		if (v.data.data[i] < '0' || v.data.data[i] > '9')
			return 0;
		n = n * 10 + (v.data.data[i] - '0');
	}
	return n;
}

/* ---- catalog.h ---- */

static int probe(struct db *db, struct bytes sql, struct arena *arena,
		 struct bytes *out)
{
	struct db_stmt stmt = { .sql = sql, .keep = true };
	struct db_result r;
	int rc = db_exec(db, &stmt, arena, &r);

	if (rc != OK)
		return rc;
	*out = r.n_rows == 1 ? db_value(&r, 0, 0).data : (struct bytes){ 0 };
	return OK;
}

static int finish(struct build *b)
{
	struct buf why;

	b->out->table = b->table;
	if (b->table->n_columns == 0 || b->out->verdict == CATALOG_REFUSED)
		goto done;
	buf_init(&why, &b->arena->as_mem);
	if (table_check(b->table, &why) != OK)
		build_refuse(b, ON_ALL, "%s", buf_text(&why));
done:
	if (buf_error(&b->why) != OK)
		return E_NOMEM;
	b->out->why = buf_bytes(&b->why);
	return OK;
}

int catalog_load(struct db *db, struct bytes schema, struct bytes name,
		 struct arena *arena, struct catalog_table *out)
{
	struct catalog_table result = { 0 };
	struct build b = { .db = db, .arena = arena, .out = &result };
	int rc = E_NOMEM;

	buf_init(&b.why, &arena->as_mem);
	b.table = arena_alloc(arena, sizeof(*b.table));
	if (!b.table || build_columns(&b, 0) != OK)
		return E_NOMEM;
	b.table->dialect = db_dialect(db);
	switch (b.table->dialect) {
	case DIALECT_POSTGRES:
		rc = catalog_load_pg(&b, schema, name);
		break;
	case DIALECT_MYSQL:
		rc = catalog_load_my(&b, schema, name);
		break;
	case DIALECT_SQLITE:
		rc = catalog_load_lite(&b, schema, name);
		break;
	}
	if (rc == OK)
		rc = finish(&b);
	if (rc == OK)
		rc = probe(db, result.probe_sql, arena, &result.probe);
	if (rc == OK)
		*out = result;
	return rc;
}

int catalog_unchanged(struct db *db, const struct catalog_table *t,
		      struct arena *arena, bool *same)
{
	struct bytes now;
	int rc = probe(db, t->probe_sql, arena, &now);

	if (rc == OK)
		*same = bytes_equal(now, t->probe);
	return rc;
}

void catalog_put_sql(struct buf *out, struct bytes spelling,
		     struct bytes column, struct bytes param)
{
	for (size_t i = 0; i < spelling.len; i++) {
		uint8_t c = spelling.data[i];
		uint8_t next = i + 1 < spelling.len ? spelling.data[i + 1] : 0;

		if (c == '%' && (next == 'C' || next == 'P')) {
			buf_put(out, next == 'C' ? column : param);
			i++;
		} else {
			buf_put_u8(out, c);
		}
	}
}
