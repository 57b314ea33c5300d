#include "rm-agent/db/kept.h"

#include "base/hash.h"

/* Only SQL of our own making is kept: no need for a secret seed. */
#define SEED 0x7265617479u

int kept_init(struct kept *k, const struct mem *mem, size_t limit)
{
	REQUIRE(limit > 0);
	*k = (struct kept){ .mem = mem, .limit = limit };
	list_init(&k->by_age);
	return map_init(&k->map, mem);
}

void kept_fini(struct kept *k)
{
	REQUIRE(k->map.count == 0);
	map_fini(&k->map);
}

struct kept_stmt *kept_find(struct kept *k, struct bytes sql)
{
	struct map_node *n = map_find(&k->map, hash_bytes(SEED, sql));

	for (; n; n = map_find_next(n)) {
		struct kept_stmt *s = CONTAINER_OF(n, struct kept_stmt, node);
		struct bytes have = { (uint8_t *)s->sql, s->len };

		if (bytes_equal(have, sql)) {
			list_remove(&s->age);
			list_append(&k->by_age, &s->age);
			return s;
		}
	}
	return NULL;
}

struct kept_stmt *kept_any(struct kept *k)
{
	struct list *oldest = list_first(&k->by_age);

	return oldest ? CONTAINER_OF(oldest, struct kept_stmt, age) : NULL;
}

struct kept_stmt *kept_victim(struct kept *k)
{
	return k->map.count < k->limit ? NULL : kept_any(k);
}

int kept_add(struct kept *k, struct bytes sql, void *handle,
	     struct kept_stmt **out)
{
	struct kept_stmt *s = mem_alloc(k->mem, sizeof(*s));

	REQUIRE(k->map.count < k->limit);
	if (!s)
		return E_NOMEM;
	s->sql = mem_text(k->mem, sql);
	if (!s->sql) {
		mem_free(k->mem, s);
		return E_NOMEM;
	}
	s->len = sql.len;
	s->id = ++k->last_id;
	s->handle = handle;
	list_init(&s->age);
	list_append(&k->by_age, &s->age);
	map_insert(&k->map, &s->node, hash_bytes(SEED, sql));
	*out = s;
	return OK;
}

void kept_remove(struct kept *k, struct kept_stmt *s)
{
	map_remove(&k->map, &s->node);
	list_remove(&s->age);
	mem_free(k->mem, s->sql);
	mem_free(k->mem, s);
}
