#include "undo/record_json.h"

#include "undo/json.h"

#include <cjson/cJSON.h>
#include <inttypes.h>
#include <stddef.h>

/* ---- names of what is not text ---- */

static const struct {
	const char *name;
	size_t at;
} flags[] = {
	{ "nullable", offsetof(struct column, nullable) },
	{ "generated", offsetof(struct column, generated) },
	{ "always_identity", offsetof(struct column, always_identity) },
	{ "auto_increment", offsetof(struct column, auto_increment) },
	{ "rowid", offsetof(struct column, rowid) },
	{ "folds", offsetof(struct column, folds) },
};

static bool *flag_of(struct column *c, size_t i)
{
	return (bool *)((char *)c + flags[i].at);
}

static const char *const dialects[] = {
	[DIALECT_POSTGRES] = "postgresql",
	[DIALECT_MYSQL] = "mysql",
	[DIALECT_SQLITE] = "sqlite",
};

static const char *const kinds[] = {
	[ITEM_INSERT] = "insert",
	[ITEM_UPDATE] = "update",
	[ITEM_DELETE] = "delete",
	[ITEM_MIXED] = "mixed",
};

/* ---- writing ---- */

static void put_column(struct buf *out, struct column c)
{
	buf_put_text(out, "{\"name\":");
	json_put_bytes(out, c.name);
	buf_put_text(out, ",\"type\":");
	json_put_bytes(out, c.type);
	buf_printf(out, ",\"class\":\"%s\"", value_type_name(c.class));
	for (size_t i = 0; i < ARRAY_LEN(flags); i++)
		if (*flag_of(&c, i))
			buf_printf(out, ",\"%s\":true", flags[i].name);
	buf_put_char(out, '}');
}

static void put_table(struct buf *out, const struct table *t)
{
	buf_printf(out,
		   "{\"dialect\":\"%s\",\"schema\":", dialects[t->dialect]);
	json_put_bytes(out, t->schema);
	buf_put_text(out, ",\"name\":");
	json_put_bytes(out, t->name);
	buf_put_text(out, ",\"columns\":[");
	for (size_t i = 0; i < t->n_columns; i++) {
		buf_put_text(out, i ? "," : "");
		put_column(out, t->columns[i]);
	}
	buf_put_text(out, "],\"key\":[");
	for (size_t i = 0; i < t->n_key; i++) {
		buf_put_text(out, i ? "," : "");
		json_put_bytes(out, t->columns[t->key[i]].name);
	}
	buf_put_text(out, "]}");
}

static void put_row(struct buf *out, const struct table *t,
		    const struct row *row)
{
	for (size_t i = 0; i < t->n_columns; i++) {
		buf_put_char(out, i ? ',' : '[');
		json_put_value(out, t->columns[i].class, row->values[i]);
	}
	buf_put_char(out, ']');
}

static void put_image(struct buf *out, const struct image *img)
{
	buf_put_char(out, '[');
	for (size_t i = 0; i < img->n_rows; i++) {
		buf_put_text(out, i ? ",\n" : "");
		put_row(out, img->table, &img->rows[i]);
	}
	buf_put_char(out, ']');
}

static void put_item(struct buf *out, const struct record_item *item)
{
	buf_printf(out, "{\"kind\":\"%s\",\"table\":\"%zu\",\"before\":",
		   kinds[item->kind], item->table);
	put_image(out, &item->before);
	buf_put_text(out, ",\"after\":");
	put_image(out, &item->after);
	buf_put_char(out, '}');
}

void record_put_json(struct buf *out, const struct record *r)
{
	buf_printf(out, "{\"version\":\"%d\",\"xid\":", RECORD_VERSION);
	json_put_bytes(out, r->xid);
	buf_printf(out, ",\"branch\":\"%" PRIu64 "\",\"tables\":[", r->branch);
	for (size_t i = 0; i < r->n_tables; i++) {
		buf_put_text(out, i ? ",\n" : "");
		put_table(out, r->tables[i]);
	}
	buf_put_text(out, "],\"items\":[");
	for (size_t i = 0; i < r->n_items; i++) {
		buf_put_text(out, i ? ",\n" : "");
		put_item(out, &r->items[i]);
	}
	buf_put_text(out, "]}");
}

/* ---- reading ---- */

static const cJSON *member(const cJSON *node, const char *name)
{
	return cJSON_GetObjectItemCaseSensitive(node, name);
}

/* A decimal without sign or leading zeros, in a string. */
static int get_number(const cJSON *node, uint64_t *out)
{
	const char *p = cJSON_GetStringValue(node);
	uint64_t v = 0;

	if (!p || !*p || (p[0] == '0' && p[1]))
		return E_CORRUPT;
	for (; *p; p++) {
		uint64_t digit = (uint64_t)(uint8_t)*p - '0';

		if (digit > 9 || v > (UINT64_MAX - digit) / 10)
			return E_CORRUPT;
		v = 10 * v + digit;
	}
	*out = v;
	return OK;
}

/* Which of the names it is; 0 if none (place 0 is never used). */
static size_t get_name(const cJSON *node, const char *const *names, size_t n)
{
	const char *text = cJSON_GetStringValue(node);

	for (size_t i = 1; text && i < n; i++)
		if (strcmp(names[i], text) == 0)
			return i;
	return 0;
}

static int get_bytes(const cJSON *node, struct arena *arena, struct bytes *out)
{
	struct bytes b;
	int rc = json_get_bytes(node, arena, &b);

	if (rc != OK)
		return rc == E_INVALID ? E_CORRUPT : rc;
	*out = arena_bytes(arena, b);
	return out->data ? OK : E_NOMEM;
}

static int get_column(const cJSON *node, struct arena *arena, struct column *c)
{
	const char *class = cJSON_GetStringValue(member(node, "class"));
	int rc = get_bytes(member(node, "name"), arena, &c->name);

	if (rc == OK)
		rc = get_bytes(member(node, "type"), arena, &c->type);
	if (rc == OK && value_type_parse(bytes_of(class), &c->class) != OK)
		rc = E_CORRUPT;
	for (size_t i = 0; i < ARRAY_LEN(flags); i++)
		*flag_of(c, i) = cJSON_IsTrue(member(node, flags[i].name));
	return rc;
}

static int get_columns(const cJSON *list, struct arena *arena, struct table *t)
{
	size_t n = (size_t)cJSON_GetArraySize(list);
	struct column *columns = arena_array(arena, n, sizeof *columns);
	const cJSON *node;
	int rc = OK;

	if (!columns)
		return E_NOMEM;
	t->columns = columns;
	cJSON_ArrayForEach(node, list)
	{
		rc = get_column(node, arena, &columns[t->n_columns++]);
		if (rc != OK)
			break;
	}
	return rc;
}

static int get_key(const cJSON *list, struct arena *arena, struct table *t)
{
	size_t n = (size_t)cJSON_GetArraySize(list);
	size_t *key = arena_array(arena, n, sizeof *key);
	struct bytes name;
	const cJSON *node;

	if (!key)
		return E_NOMEM;
	t->key = key;
	cJSON_ArrayForEach(node, list)
	{
		int rc = get_bytes(node, arena, &name);

		if (rc != OK)
			return rc;
		key[t->n_key++] = table_find_column(t, name);
	}
	return OK;
}

static int get_table(const cJSON *node, struct arena *arena,
		     const struct table **out)
{
	struct table *t = arena_alloc(arena, sizeof *t);
	int rc;

	if (!t)
		return E_NOMEM;
	t->dialect = (enum dialect)get_name(member(node, "dialect"), dialects,
					    ARRAY_LEN(dialects));
	if (!t->dialect)
		return E_CORRUPT;
	rc = get_bytes(member(node, "schema"), arena, &t->schema);
	if (rc == OK)
		rc = get_bytes(member(node, "name"), arena, &t->name);
	if (rc == OK)
		rc = get_columns(member(node, "columns"), arena, t);
	if (rc == OK)
		rc = get_key(member(node, "key"), arena, t);
	if (rc == OK && table_check(t, NULL) != OK)
		rc = E_CORRUPT;
	*out = t;
	return rc;
}

static int get_tables(const cJSON *list, struct record *r)
{
	const cJSON *node;

	r->cap_tables = (size_t)cJSON_GetArraySize(list);
	r->tables = arena_array(r->arena, r->cap_tables, sizeof *r->tables);
	if (!r->tables)
		return E_NOMEM;
	cJSON_ArrayForEach(node, list)
	{
		int rc = get_table(node, r->arena, &r->tables[r->n_tables]);

		if (rc != OK)
			return rc;
		r->n_tables++;
	}
	return OK;
}

/* `values` has room for a row. */
static int get_row(const cJSON *list, struct image *img, struct value *values,
		   struct arena *scratch)
{
	const struct table *t = img->table;
	const cJSON *node;
	size_t n = 0;
	int rc;

	cJSON_ArrayForEach(node, list)
	{
		if (n == t->n_columns)
			return E_CORRUPT;
		rc = json_get_value(node, t->columns[n].class, scratch,
				    &values[n]);
		if (rc != OK)
			return rc == E_INVALID ? E_CORRUPT : rc;
		n++;
	}
	if (n != t->n_columns)
		return E_CORRUPT;
	rc = image_add(img, values, NULL);
	return rc == E_UNSUPPORTED ? E_CORRUPT : rc;
}

static int get_image(const cJSON *list, struct arena *arena,
		     const struct table *table, struct image *img)
{
	struct value *values =
		arena_array(arena, table->n_columns, sizeof *values);
	struct arena scratch;
	const cJSON *node;
	int rc = OK;

	image_init(img, arena, table);
	if (!cJSON_IsArray(list))
		return E_CORRUPT;
	if (!values)
		return E_NOMEM;
	arena_init(&scratch, arena->mem, 0);
	cJSON_ArrayForEach(node, list)
	{
		rc = get_row(node, img, values, &scratch);
		if (rc != OK)
			break;
		arena_reset(&scratch);
	}
	arena_fini(&scratch);
	return rc;
}

static int get_item(const cJSON *node, struct record *r,
		    struct record_item *item)
{
	uint64_t table;
	int rc = get_number(member(node, "table"), &table);

	item->kind = (enum item_kind)get_name(member(node, "kind"), kinds,
					      ARRAY_LEN(kinds));
	if (rc != OK || table >= r->n_tables || !item->kind)
		return E_CORRUPT;
	item->table = (size_t)table;
	rc = get_image(member(node, "before"), r->arena, r->tables[table],
		       &item->before);
	if (rc == OK)
		rc = get_image(member(node, "after"), r->arena,
			       r->tables[table], &item->after);
	return rc;
}

static int get_items(const cJSON *list, struct record *r)
{
	const cJSON *node;

	r->cap_items = (size_t)cJSON_GetArraySize(list);
	r->items = arena_array(r->arena, r->cap_items, sizeof *r->items);
	if (!r->items)
		return E_NOMEM;
	cJSON_ArrayForEach(node, list)
	{
		int rc = get_item(node, r, &r->items[r->n_items]);

		if (rc != OK)
			return rc;
		r->n_items++;
	}
	return OK;
}

/* Whose it is, and whether we can read it. */
static int get_head(const cJSON *root, struct arena *arena, struct record *r)
{
	struct bytes xid;
	uint64_t version, branch;
	int rc = get_number(member(root, "version"), &version);

	if (rc != OK)
		return rc;
	if (version != RECORD_VERSION)
		return E_VERSION;
	rc = get_number(member(root, "branch"), &branch);
	if (rc == OK)
		rc = get_bytes(member(root, "xid"), arena, &xid);
	if (rc == OK)
		rc = record_init(r, arena, xid, branch);
	return rc == E_INVALID ? E_CORRUPT : rc;
}

static const char *complaint(int rc)
{
	switch (rc) {
	case E_CORRUPT:
		return "its JSON is not that of an undo record";
	case E_VERSION:
		return "its JSON is of a version that this agent cannot read; "
		       "roll back with the newer agent";
	default:
		return "out of memory";
	}
}

int record_get_json(struct record *out, struct arena *arena, struct bytes json,
		    struct buf *why)
{
	struct record r;
	cJSON *root = NULL;
	int rc = json_parse(json, &root);

	if (rc == E_INVALID)
		rc = E_CORRUPT;
	if (rc == OK)
		rc = get_head(root, arena, &r);
	if (rc == OK)
		rc = get_tables(member(root, "tables"), &r);
	if (rc == OK)
		rc = get_items(member(root, "items"), &r);
	cJSON_Delete(root);
	if (rc == OK)
		*out = r;
	else if (why)
		buf_put_text(why, complaint(rc));
	return rc;
}
