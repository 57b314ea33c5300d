#include "tests/fakes/flaky.h"

#include <stdlib.h>

static void *flaky_alloc(void *ctx, size_t size)
{
	struct flaky *f = ctx;

	if (f->calls++ == f->fail_at)
		return NULL;
	f->live++;
	return calloc(1, size ? size : 1);
}

static void flaky_free(void *ctx, void *p)
{
	if (p)
		((struct flaky *)ctx)->live--;
	free(p);
}

void flaky_init(struct flaky *f, long fail_at)
{
	*f = (struct flaky){ .fail_at = fail_at };
	f->mem = (struct mem){ flaky_alloc, flaky_free, f };
}
