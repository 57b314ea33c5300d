#include "tc/core/fx.h"

#include "base/xid.h"

void fx_init(struct fx *fx, const struct mem *mem)
{
	*fx = (struct fx){ .mem = mem };
	arena_init(&fx->arena, mem, 0);
}

void fx_fini(struct fx *fx)
{
	arena_fini(&fx->arena);
	mem_free(fx->mem, fx->items);
	fx->items = NULL;
}

void fx_reset(struct fx *fx)
{
	arena_reset(&fx->arena);
	fx->n = 0;
	fx->failed = false;
}

bool fx_ok(const struct fx *fx)
{
	return !fx->failed;
}

void fx_undo(struct fx *fx, size_t mark)
{
	REQUIRE(mark <= fx->n);
	fx->n = mark;
	fx->failed = false;
}

static bool grow(struct fx *fx)
{
	size_t cap = fx->cap ? fx->cap * 2 : 32;
	struct effect *items = mem_array(fx->mem, cap, sizeof *items);

	if (!items)
		return false;
	if (fx->n)
		memcpy(items, fx->items, fx->n * sizeof *items);
	mem_free(fx->mem, fx->items);
	fx->items = items;
	fx->cap = cap;
	return true;
}

struct effect *fx_add(struct fx *fx, enum effect_type type)
{
	struct effect *e = &fx->nowhere;

	if (!fx->failed && fx->n == fx->cap && !grow(fx))
		fx->failed = true;
	if (!fx->failed)
		e = &fx->items[fx->n++];
	*e = (struct effect){ .type = type };
	return e;
}

struct bytes fx_copy(struct fx *fx, struct bytes b)
{
	struct bytes copy = { 0 };

	if (b.len == 0)
		return copy;
	copy = arena_bytes(&fx->arena, b);
	if (!copy.data)
		fx->failed = true;
	return copy;
}

struct bytes fx_take(struct fx *fx, struct buf *b)
{
	if (buf_error(b) != OK)
		fx->failed = true;
	return buf_bytes(b);
}

struct bytes fx_printf(struct fx *fx, const char *fmt, ...)
{
	struct buf b;
	va_list args;

	buf_init(&b, &fx->arena.as_mem);
	va_start(args, fmt);
	buf_vprintf(&b, fmt, args);
	va_end(args);
	return fx_take(fx, &b);
}

struct bytes fx_xid(struct fx *fx, struct bytes coordinator, uint64_t number)
{
	struct buf b;

	buf_init(&b, &fx->arena.as_mem);
	xid_format(&b, coordinator, number);
	return fx_take(fx, &b);
}
