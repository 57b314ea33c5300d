#include "base/base.h"

#include <stdio.h>
#include <stdlib.h>

const char *err_name(int err)
{
	static const char *const names[] = {
		[-OK] = "ok",
		[-E_NOMEM] = "out of memory",
		[-E_LIMIT] = "limit reached",
		[-E_CONFLICT] = "conflict",
		[-E_INVALID] = "invalid",
		[-E_NOTFOUND] = "not found",
		[-E_STATE] = "wrong state",
		[-E_CORRUPT] = "corrupt",
		[-E_IO] = "input/output error",
		[-E_TIMEOUT] = "timeout",
		[-E_UNKNOWN] = "outcome unknown",
		[-E_UNSUPPORTED] = "unsupported",
		[-E_CLOSED] = "closed",
		[-E_DENIED] = "denied",
		[-E_DEADLOCK] = "deadlock",
		[-E_DIRTY] = "dirty row",
		[-E_VERSION] = "unknown version",
		[-E_AGAIN] = "try again",
		[-E_ROLLED_BACK] = "rolled back",
	};

	if (err > 0 || err <= -(int)ARRAY_LEN(names))
		return "unknown error code";
	return names[-err];
}

struct bytes bytes_of(const char *text)
{
	if (!text)
		return (struct bytes){ NULL, 0 };
	return (struct bytes){ (const uint8_t *)text, strlen(text) };
}

bool bytes_equal(struct bytes a, struct bytes b)
{
	return a.len == b.len &&
	       (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

int bytes_compare(struct bytes a, struct bytes b)
{
	size_t n = a.len < b.len ? a.len : b.len;
	int order = n ? memcmp(a.data, b.data, n) : 0;

	if (order != 0 || a.len == b.len)
		return order;
	return a.len < b.len ? -1 : 1;
}

static void *heap_alloc(void *ctx, size_t size)
{
	(void)ctx;
	return calloc(1, size ? size : 1);
}

static void heap_free(void *ctx, void *p)
{
	(void)ctx;
	free(p);
}

const struct mem mem_heap = { heap_alloc, heap_free, NULL };

void *mem_alloc(const struct mem *mem, size_t size)
{
	return mem->alloc(mem->ctx, size);
}

void *mem_array(const struct mem *mem, size_t n, size_t size)
{
	if (size && n > SIZE_MAX / size)
		return NULL;
	return mem->alloc(mem->ctx, n * size);
}

void mem_free(const struct mem *mem, void *p)
{
	mem->free(mem->ctx, p);
}

char *mem_text(const struct mem *mem, struct bytes b)
{
	char *text = b.len < SIZE_MAX ? mem_alloc(mem, b.len + 1) : NULL;

	if (text && b.len)
		memcpy(text, b.data, b.len);
	return text;
}

void base_panic(const char *cond, const char *file, int line)
{
	fprintf(stderr,
		"level=fatal msg=\"broken promise\" cond=\"%s\" at=%s:%d\n",
		cond, file, line);
	abort();
}
