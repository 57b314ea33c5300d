#include "base/map.h"

int map_init(struct map *m, const struct mem *mem)
{
	const size_t buckets = 16;

	*m = (struct map){ .mem = mem, .mask = buckets - 1 };
	m->buckets = mem_array(mem, buckets, sizeof(struct map_node *));
	return m->buckets ? OK : E_NOMEM;
}

void map_fini(struct map *m)
{
	if (m->mem)
		mem_free(m->mem, m->buckets);
	*m = (struct map){ 0 };
}

/* Doubling keeps the relative order within a chain by appending. */
static void grow(struct map *m)
{
	size_t buckets = (m->mask + 1) * 2;
	struct map_node **fresh =
		mem_array(m->mem, buckets, sizeof(struct map_node *));

	if (!fresh)
		return;
	for (size_t b = 0; b <= m->mask; b++) {
		while (m->buckets[b]) {
			struct map_node *n = m->buckets[b];
			struct map_node **p = &fresh[n->hash & (buckets - 1)];

			m->buckets[b] = n->next;
			while (*p)
				p = &(*p)->next;
			n->next = NULL;
			*p = n;
		}
	}
	mem_free(m->mem, m->buckets);
	m->buckets = fresh;
	m->mask = buckets - 1;
}

void map_insert(struct map *m, struct map_node *node, uint64_t hash)
{
	struct map_node **p;

	if (m->count > m->mask)
		grow(m);
	p = &m->buckets[hash & m->mask];
	node->hash = hash;
	node->next = *p;
	*p = node;
	m->count++;
}

void map_remove(struct map *m, struct map_node *node)
{
	struct map_node **p = &m->buckets[node->hash & m->mask];

	while (*p && *p != node)
		p = &(*p)->next;
	REQUIRE(*p == node);
	*p = node->next;
	node->next = NULL;
	m->count--;
}

static struct map_node *same_hash(struct map_node *n, uint64_t hash)
{
	while (n && n->hash != hash)
		n = n->next;
	return n;
}

struct map_node *map_find(const struct map *m, uint64_t hash)
{
	return m->buckets ? same_hash(m->buckets[hash & m->mask], hash) : NULL;
}

struct map_node *map_find_next(const struct map_node *node)
{
	return same_hash(node->next, node->hash);
}

struct map_node *map_next(const struct map *m, const struct map_node *node)
{
	size_t b = 0;

	if (!m->buckets)
		return NULL;
	if (node) {
		if (node->next)
			return node->next;
		b = (node->hash & m->mask) + 1;
	}
	for (; b <= m->mask; b++)
		if (m->buckets[b])
			return m->buckets[b];
	return NULL;
}
