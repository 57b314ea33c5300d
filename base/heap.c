#include "base/heap.h"

void heap_init(struct heap *h, const struct mem *mem)
{
	*h = (struct heap){ .mem = mem };
}

void heap_fini(struct heap *h)
{
	mem_free(h->mem, h->nodes);
	*h = (struct heap){ .mem = h->mem };
}

int heap_reserve(struct heap *h, size_t count)
{
	struct heap_node **nodes;
	size_t cap = h->cap ? h->cap : 16;

	if (count <= h->cap)
		return OK;
	while (cap < count)
		cap *= 2;
	nodes = mem_array(h->mem, cap + 1, sizeof(struct heap_node *));
	if (!nodes)
		return E_NOMEM;
	if (h->count)
		memcpy(nodes, h->nodes,
		       (h->count + 1) * sizeof(struct heap_node *));
	mem_free(h->mem, h->nodes);
	h->nodes = nodes;
	h->cap = cap;
	return OK;
}

static bool before(const struct heap_node *a, const struct heap_node *b)
{
	return a->due != b->due ? a->due < b->due : a->turn < b->turn;
}

static void place(struct heap *h, struct heap_node *node, size_t at)
{
	h->nodes[at] = node;
	node->at = at;
}

static void sift(struct heap *h, struct heap_node *node)
{
	size_t at = node->at;

	for (; at > 1 && before(node, h->nodes[at / 2]); at /= 2)
		place(h, h->nodes[at / 2], at);
	for (;;) {
		size_t child = at * 2;

		if (child > h->count)
			break;
		if (child < h->count &&
		    before(h->nodes[child + 1], h->nodes[child]))
			child++;
		if (!before(h->nodes[child], node))
			break;
		place(h, h->nodes[child], at);
		at = child;
	}
	place(h, node, at);
}

void heap_set(struct heap *h, struct heap_node *node, uint64_t due)
{
	if (node->at == 0) {
		REQUIRE(h->count < h->cap);
		place(h, node, ++h->count);
	}
	node->due = due;
	node->turn = h->turns++;
	sift(h, node);
}

void heap_remove(struct heap *h, struct heap_node *node)
{
	struct heap_node *last;

	if (node->at == 0)
		return;
	REQUIRE(node->at <= h->count && h->nodes[node->at] == node);
	last = h->nodes[h->count--];
	if (last != node) {
		place(h, last, node->at);
		sift(h, last);
	}
	node->at = 0;
}

struct heap_node *heap_first(const struct heap *h)
{
	return h->count ? h->nodes[1] : NULL;
}
