#include "undo/image.h"

#include "base/hash.h"
#include "undo/json.h"

void image_init(struct image *img, struct arena *arena,
		const struct table *table)
{
	*img = (struct image){ .arena = arena, .table = table };
}

static bool reserve(struct image *img)
{
	size_t cap = img->cap ? 2 * img->cap : 8;
	struct row *rows;

	if (img->n_rows < img->cap)
		return true;
	rows = arena_array(img->arena, cap, sizeof *rows);
	if (!rows)
		return false;
	if (img->n_rows)
		memcpy(rows, img->rows, img->n_rows * sizeof *rows);
	img->rows = rows;
	img->cap = cap;
	return true;
}

/* One piece of memory for a row: the values, then all of their data. */
static const struct value *copy_values(struct arena *arena,
				       const struct value *values, size_t n)
{
	size_t len = n * sizeof *values;
	struct value *copy;
	uint8_t *p;

	for (size_t i = 0; i < n; i++) {
		if (values[i].data.len > SIZE_MAX / 8 - len)
			return NULL;
		len += values[i].data.len;
	}
	copy = arena_alloc(arena, len);
	if (!copy)
		return NULL;
	p = (uint8_t *)(copy + n);
	for (size_t i = 0; i < n; i++) {
		size_t size = values[i].data.len;

		if (size > 0)
			memcpy(p, values[i].data.data, size);
		copy[i] = (struct value){ values[i].type, { p, size } };
		p += size;
	}
	return copy;
}

static const struct bytes *copy_lock_text(struct arena *arena,
					  const struct bytes *text, size_t n)
{
	struct bytes *copy = arena_array(arena, n, sizeof *copy);

	for (size_t i = 0; copy && i < n; i++) {
		if (!text[i].data)
			continue;
		copy[i] = arena_bytes(arena, text[i]);
		if (!copy[i].data)
			return NULL;
	}
	return copy;
}

int image_add(struct image *img, const struct value *values,
	      const struct bytes *lock_text)
{
	const struct table *t = img->table;
	struct row row = { 0 };

	for (size_t i = 0; i < t->n_key; i++)
		if (values[t->key[i]].type == VALUE_NULL)
			return E_UNSUPPORTED;
	if (!reserve(img))
		return E_NOMEM;
	row.values = copy_values(img->arena, values, t->n_columns);
	if (!row.values)
		return E_NOMEM;
	if (lock_text) {
		row.lock_text = copy_lock_text(img->arena, lock_text, t->n_key);
		if (!row.lock_text)
			return E_NOMEM;
	}
	img->rows[img->n_rows++] = row;
	return OK;
}

const struct row *row_copy(struct arena *arena, const struct table *t,
			   const struct value *values)
{
	struct row *row = arena_alloc(arena, sizeof *row);

	if (!row)
		return NULL;
	row->values = copy_values(arena, values, t->n_columns);
	return row->values ? row : NULL;
}

struct value row_key(const struct table *t, const struct row *row, size_t i)
{
	return row->values[t->key[i]];
}

bool row_same_key(const struct table *t, const struct row *a,
		  const struct row *b)
{
	for (size_t i = 0; i < t->n_key; i++)
		if (!value_equal(row_key(t, a, i), row_key(t, b, i)))
			return false;
	return true;
}

static uint64_t mix(uint64_t h, struct value v)
{
	h = hash_u64(h, (uint64_t)v.type);
	return v.type == VALUE_NULL ? h : hash_bytes(h, v.data);
}

uint64_t row_key_hash(const struct table *t, const struct row *row)
{
	uint64_t h = 0;

	for (size_t i = 0; i < t->n_key; i++)
		h = mix(h, row_key(t, row, i));
	return h;
}

bool row_equal(const struct table *t, const struct row *a, const struct row *b)
{
	if (!a || !b)
		return a == b;
	for (size_t i = 0; i < t->n_columns; i++)
		if (!t->columns[i].generated &&
		    !value_equal(a->values[i], b->values[i]))
			return false;
	return true;
}

uint64_t row_hash(const struct table *t, const struct row *row)
{
	uint64_t h = 1;

	for (size_t i = 0; row && i < t->n_columns; i++)
		if (!t->columns[i].generated)
			h = mix(h, row->values[i]);
	return h;
}

/* ---- the difference, for people ---- */

static bool same_in(const struct row *a, const struct row *b, size_t column)
{
	if (!a || !b)
		return a == b;
	return value_equal(a->values[column], b->values[column]);
}

static void put_state(struct buf *out, const char *name, const struct row *row)
{
	buf_printf(out, ",\"%s\":\"%s\"", name, row ? "present" : "absent");
}

static void put_cell(struct buf *out, const char *name,
		     const struct column *column, const struct row *row,
		     size_t i)
{
	buf_printf(out, ",\"%s\":", name);
	if (row)
		json_put_value(out, column->class, row->values[i]);
	else
		buf_put_text(out, "null");
}

static void put_column(struct buf *out, const struct table *t, size_t i,
		       const struct row *const states[3])
{
	const struct column *column = &t->columns[i];

	buf_put_text(out, "{\"name\":");
	json_put_string(out, column->name);
	buf_put_text(out, ",\"type\":");
	json_put_string(out, column->type);
	put_cell(out, "before", column, states[0], i);
	put_cell(out, "after", column, states[1], i);
	put_cell(out, "now", column, states[2], i);
	buf_put_char(out, '}');
}

static void put_key(struct buf *out, const struct table *t,
		    const struct row *row)
{
	for (size_t i = 0; i < t->n_key; i++) {
		const struct column *column = &t->columns[t->key[i]];

		buf_put_text(out, i ? "," : "");
		json_put_string(out, column->name);
		buf_put_char(out, ':');
		json_put_value(out, column->class, row_key(t, row, i));
	}
}

void row_difference_members(struct buf *out, const struct table *t,
			    const struct row *before, const struct row *after,
			    const struct row *now)
{
	const struct row *const states[3] = { before, after, now };
	const struct row *any = before ? before : after ? after : now;
	const char *between = "";

	buf_put_text(out, "\"table\":\"");
	json_put_escaped(out, t->schema);
	buf_put_text(out, t->schema.len > 0 ? "." : "");
	json_put_escaped(out, t->name);
	buf_put_text(out, "\",\"key\":{");
	if (any)
		put_key(out, t, any);
	buf_put_char(out, '}');
	put_state(out, "before", before);
	put_state(out, "after", after);
	put_state(out, "now", now);
	buf_put_text(out, ",\"columns\":[");
	for (size_t i = 0; i < t->n_columns; i++) {
		if (same_in(before, after, i) && same_in(after, now, i))
			continue;
		buf_put_text(out, between);
		put_column(out, t, i, states);
		between = ",";
	}
	buf_put_char(out, ']');
}

void row_difference(struct buf *out, const struct table *t,
		    const struct row *before, const struct row *after,
		    const struct row *now)
{
	buf_put_char(out, '{');
	row_difference_members(out, t, before, after, now);
	buf_put_char(out, '}');
}
