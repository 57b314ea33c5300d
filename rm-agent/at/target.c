#include "rm-agent/at/target.h"

#include "base/hash.h"

int targets_init(struct targets *t, const struct mem *mem)
{
	t->mem = mem;
	return map_init(&t->map, mem);
}

void targets_drop(struct targets *t, struct target *target)
{
	map_remove(&t->map, &target->node);
	arena_fini(&target->arena);
	mem_free(t->mem, target);
}

void targets_clear(struct targets *t)
{
	struct map_node *n = t->map.buckets ? map_next(&t->map, NULL) : NULL;

	while (n) {
		struct target *it = CONTAINER_OF(n, struct target, node);

		n = map_next(&t->map, n);
		targets_drop(t, it);
	}
}

void targets_fini(struct targets *t)
{
	targets_clear(t);
	map_fini(&t->map);
}

static uint64_t hash_of(struct bytes schema, struct bytes name)
{
	return hash_bytes(hash_bytes(1, schema), name);
}

static struct target *find(struct targets *t, struct bytes schema,
			   struct bytes name)
{
	struct map_node *n = map_find(&t->map, hash_of(schema, name));

	for (; n; n = map_find_next(n)) {
		struct target *it = CONTAINER_OF(n, struct target, node);

		if (bytes_equal(it->schema, schema) &&
		    bytes_equal(it->name, name))
			return it;
	}
	return NULL;
}

/* The types of the select list, and how long it is. */
static int describe_select(struct target *t)
{
	const struct table *table = t->table;

	t->as = arena_array(&t->arena, table->n_columns + table->n_key + 1,
			    sizeof *t->as);
	if (!t->as)
		return E_NOMEM;
	for (size_t i = 0; i < table->n_columns; i++)
		t->as[i] = table->dialect == DIALECT_SQLITE
				   ? VALUE_NULL
				   : table->columns[i].class;
	t->n_select = table->n_columns;
	for (size_t i = 0; i < table->n_key; i++)
		if (table->columns[table->key[i]].folds)
			t->as[t->n_select++] = VALUE_NULL;
	return OK;
}

static int load(struct target *t, struct db *db, struct bytes schema,
		struct bytes name)
{
	int rc;

	t->schema = arena_bytes(&t->arena, schema);
	t->name = arena_bytes(&t->arena, name);
	if (!t->schema.data || !t->name.data)
		return E_NOMEM;
	rc = catalog_load(db, schema, name, &t->arena, &t->cat);
	if (rc != OK)
		return rc;
	t->table = t->cat.table;
	return describe_select(t);
}

bool targets_has(struct targets *t, struct bytes schema, struct bytes name)
{
	return find(t, schema, name) != NULL;
}

int targets_get(struct targets *t, struct db *db, struct bytes schema,
		struct bytes name, struct target **out)
{
	struct target *it = find(t, schema, name);
	int rc;

	if (it) {
		*out = it;
		return OK;
	}
	it = mem_alloc(t->mem, sizeof *it);
	if (!it)
		return E_NOMEM;
	arena_init(&it->arena, t->mem, 0);
	rc = load(it, db, schema, name);
	if (rc != OK) {
		arena_fini(&it->arena);
		mem_free(t->mem, it);
		return rc;
	}
	map_insert(&t->map, &it->node, hash_of(schema, name));
	*out = it;
	return OK;
}
