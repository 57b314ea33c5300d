#include "tc/core/saga_key.h"

#include "base/hash.h"

int saga_keys_init(struct saga_keys *ks, const struct mem *mem, uint64_t seed)
{
	*ks = (struct saga_keys){ .mem = mem, .seed = seed };
	return map_init(&ks->map, mem);
}

void saga_keys_fini(struct saga_keys *ks)
{
	struct map_node *n;

	if (!ks->mem)
		return;
	while ((n = map_next(&ks->map, NULL)))
		saga_keys_drop(ks, CONTAINER_OF(n, struct saga_key, node));
	map_fini(&ks->map);
}

static uint64_t hash(const struct saga_keys *ks, struct bytes name,
		     struct bytes key)
{
	return hash_bytes(hash_bytes(ks->seed, name), key);
}

struct saga_key *saga_keys_find(const struct saga_keys *ks, struct bytes name,
				struct bytes key)
{
	struct map_node *n = map_find(&ks->map, hash(ks, name, key));

	for (; n; n = map_find_next(n)) {
		struct saga_key *k = CONTAINER_OF(n, struct saga_key, node);

		if (bytes_equal(k->name, name) && bytes_equal(k->key, key))
			return k;
	}
	return NULL;
}

struct saga_key *saga_key_new(const struct saga_keys *ks, uint64_t number,
			      struct bytes name, struct bytes key)
{
	struct saga_key *k = mem_alloc(ks->mem, sizeof *k + name.len + key.len);
	uint8_t *text = (uint8_t *)(k + 1);

	REQUIRE(key.len > 0);
	if (!k)
		return NULL;
	if (name.len > 0)
		memcpy(text, name.data, name.len);
	memcpy(text + name.len, key.data, key.len);
	k->number = number;
	k->name = (struct bytes){ text, name.len };
	k->key = (struct bytes){ text + name.len, key.len };
	return k;
}

void saga_keys_add(struct saga_keys *ks, struct saga_key *k)
{
	map_insert(&ks->map, &k->node, hash(ks, k->name, k->key));
}

void saga_keys_drop(struct saga_keys *ks, struct saga_key *k)
{
	if (!k)
		return;
	map_remove(&ks->map, &k->node);
	mem_free(ks->mem, k);
}
