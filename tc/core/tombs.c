#include "tc/core/tombs.h"

#include "base/hash.h"

int tombs_init(struct tombs *t, const struct mem *mem, uint64_t seed)
{
	*t = (struct tombs){ .mem = mem, .seed = seed };
	list_init(&t->by_age);
	return map_init(&t->by_number, mem);
}

void tombs_fini(struct tombs *t)
{
	if (!t->mem)
		return;
	while (tombs_oldest(t))
		tombs_remove(t, tombs_oldest(t));
	map_fini(&t->by_number);
}

struct tomb *tombs_find(const struct tombs *t, uint64_t number)
{
	struct map_node *n = map_find(&t->by_number, hash_u64(t->seed, number));

	for (; n; n = map_find_next(n)) {
		struct tomb *tomb = CONTAINER_OF(n, struct tomb, by_number);

		if (tomb->number == number)
			return tomb;
	}
	return NULL;
}

void tombs_add(struct tombs *t, struct tomb *tomb)
{
	REQUIRE(!tombs_find(t, tomb->number));
	list_init(&tomb->by_age);
	list_append(&t->by_age, &tomb->by_age);
	map_insert(&t->by_number, &tomb->by_number,
		   hash_u64(t->seed, tomb->number));
}

void tombs_remove(struct tombs *t, struct tomb *tomb)
{
	list_remove(&tomb->by_age);
	map_remove(&t->by_number, &tomb->by_number);
	mem_free(t->mem, tomb);
}

struct tomb *tombs_oldest(const struct tombs *t)
{
	struct list *first = list_first(&t->by_age);

	return first ? CONTAINER_OF(first, struct tomb, by_age) : NULL;
}

size_t tombs_count(const struct tombs *t)
{
	return t->by_number.count;
}
