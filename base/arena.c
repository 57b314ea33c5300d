#include "base/arena.h"

#include <stdalign.h>

struct arena_chunk {
	struct arena_chunk *next;
	size_t used;
	size_t size;
	alignas(max_align_t) uint8_t data[];
};

static void *as_mem_alloc(void *ctx, size_t size)
{
	return arena_alloc(ctx, size);
}

static void as_mem_free(void *ctx, void *p)
{
	(void)ctx;
	(void)p;
}

void arena_init(struct arena *a, const struct mem *mem, size_t chunk_size)
{
	*a = (struct arena){ .mem = mem,
			     .chunk_size = chunk_size ? chunk_size : 8192 };
	a->as_mem = (struct mem){ as_mem_alloc, as_mem_free, a };
}

void arena_fini(struct arena *a)
{
	while (a->chunks) {
		struct arena_chunk *c = a->chunks;

		a->chunks = c->next;
		mem_free(a->mem, c);
	}
}

void arena_reset(struct arena *a)
{
	struct arena_chunk *keep = NULL;

	while (a->chunks) {
		struct arena_chunk *c = a->chunks;

		a->chunks = c->next;
		if (!keep && c->size == a->chunk_size)
			keep = c;
		else
			mem_free(a->mem, c);
	}
	if (keep) {
		keep->next = NULL;
		keep->used = 0;
	}
	a->chunks = keep;
}

static struct arena_chunk *add_chunk(struct arena *a, size_t size)
{
	struct arena_chunk *c;

	if (size < a->chunk_size)
		size = a->chunk_size;
	c = mem_alloc(a->mem, sizeof *c + size);
	if (!c)
		return NULL;
	c->size = size;
	c->next = a->chunks;
	a->chunks = c;
	return c;
}

void *arena_alloc(struct arena *a, size_t size)
{
	const size_t align = alignof(max_align_t);
	struct arena_chunk *c = a->chunks;
	void *p;

	if (size > SIZE_MAX / 4)
		return NULL;
	size = (size + align - 1) & ~(align - 1);
	if (!c || c->size - c->used < size)
		c = add_chunk(a, size);
	if (!c)
		return NULL;
	p = c->data + c->used;
	c->used += size;
	memset(p, 0, size);
	return p;
}

void *arena_array(struct arena *a, size_t n, size_t size)
{
	if (size && n > SIZE_MAX / size)
		return NULL;
	return arena_alloc(a, n * size);
}

char *arena_text(struct arena *a, struct bytes b)
{
	return mem_text(&a->as_mem, b);
}

struct bytes arena_bytes(struct arena *a, struct bytes b)
{
	const char *text = arena_text(a, b);

	return (struct bytes){ (const uint8_t *)text, text ? b.len : 0 };
}
