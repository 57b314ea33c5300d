#include "undo/table.h"

size_t table_find_column(const struct table *t, struct bytes name)
{
	size_t i = 0;

	while (i < t->n_columns && !bytes_equal(t->columns[i].name, name))
		i++;
	return i;
}

bool table_is_key(const struct table *t, size_t column)
{
	for (size_t i = 0; i < t->n_key; i++)
		if (t->key[i] == column)
			return true;
	return false;
}

static int complain(const struct table *t, struct buf *why, int err,
		    const char *what)
{
	if (why) {
		buf_put_text(why, "table ");
		table_put_name(why, t);
		buf_put_text(why, what);
	}
	return err;
}

static bool key_is_sound(const struct table *t)
{
	for (size_t i = 0; i < t->n_key; i++) {
		if (t->key[i] >= t->n_columns)
			return false;
		for (size_t j = 0; j < i; j++)
			if (t->key[j] == t->key[i])
				return false;
	}
	return true;
}

int table_check(const struct table *t, struct buf *why)
{
	if (t->name.len == 0 || t->n_columns == 0)
		return complain(t, why, E_INVALID, " has no name or column");
	for (size_t i = 0; i < t->n_columns; i++)
		if (t->columns[i].name.len == 0 ||
		    table_find_column(t, t->columns[i].name) != i)
			return complain(t, why, E_INVALID,
					" has two columns of one name");
	if (!key_is_sound(t))
		return complain(t, why, E_INVALID,
				" has a key of columns it does not have");
	if (t->n_key == 0)
		return complain(t, why, E_UNSUPPORTED,
				" has no primary key and no unique key over "
				"NOT NULL columns, so a changed row could not "
				"be found again; add one");
	return OK;
}

static bool column_equal(const struct column *a, const struct column *b)
{
	return bytes_equal(a->name, b->name) && bytes_equal(a->type, b->type) &&
	       a->class == b->class && a->nullable == b->nullable &&
	       a->generated == b->generated &&
	       a->always_identity == b->always_identity &&
	       a->auto_increment == b->auto_increment && a->rowid == b->rowid &&
	       a->folds == b->folds;
}

bool table_equal(const struct table *a, const struct table *b)
{
	if (a == b)
		return true;
	if (a->dialect != b->dialect || !bytes_equal(a->schema, b->schema) ||
	    !bytes_equal(a->name, b->name) || a->n_columns != b->n_columns ||
	    a->n_key != b->n_key)
		return false;
	for (size_t i = 0; i < a->n_columns; i++)
		if (!column_equal(&a->columns[i], &b->columns[i]))
			return false;
	for (size_t i = 0; i < a->n_key; i++)
		if (a->key[i] != b->key[i])
			return false;
	return true;
}

static bool copy_bytes(struct arena *arena, struct bytes *b)
{
	*b = arena_bytes(arena, *b);
	return b->data != NULL;
}

static struct column *copy_columns(struct arena *arena, const struct table *t)
{
	struct column *columns =
		arena_array(arena, t->n_columns, sizeof *columns);

	if (!columns)
		return NULL;
	for (size_t i = 0; i < t->n_columns; i++) {
		columns[i] = t->columns[i];
		if (!copy_bytes(arena, &columns[i].name) ||
		    !copy_bytes(arena, &columns[i].type))
			return NULL;
	}
	return columns;
}

const struct table *table_copy(struct arena *arena, const struct table *t)
{
	struct table *copy = arena_alloc(arena, sizeof *copy);
	size_t *key = arena_array(arena, t->n_key, sizeof *key);

	if (!copy || !key)
		return NULL;
	*copy = *t;
	for (size_t i = 0; i < t->n_key; i++)
		key[i] = t->key[i];
	copy->key = key;
	copy->columns = copy_columns(arena, t);
	if (!copy->columns || !copy_bytes(arena, &copy->schema) ||
	    !copy_bytes(arena, &copy->name))
		return NULL;
	return copy;
}

void table_put_name(struct buf *out, const struct table *t)
{
	if (t->schema.len > 0) {
		buf_put(out, t->schema);
		buf_put_char(out, '.');
	}
	buf_put(out, t->name);
}
