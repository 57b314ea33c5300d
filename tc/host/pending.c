#include "tc/host/pending.h"

#include "base/hash.h"

#define WAYS 4 /* places for one number */

static bool is_at(const struct pending_entry *e, uint64_t a, uint64_t b)
{
	return e->a == a && e->b == b;
}

static struct pending_entry *places(const struct pending *p, uint64_t a,
				    uint64_t b)
{
	uint64_t hash = hash_u64(a, b);

	return &p->entries[hash % (PENDING_PLACES / WAYS) * WAYS];
}

int pending_init(struct pending *p, const struct mem *mem)
{
	*p = (struct pending){ 0 };
	p->entries = mem_array(mem, PENDING_PLACES, sizeof *p->entries);
	return p->entries ? OK : E_NOMEM;
}

void pending_fini(struct pending *p, const struct mem *mem)
{
	mem_free(mem, p->entries);
	*p = (struct pending){ 0 };
}

void pending_put(struct pending *p, uint64_t a, uint64_t b, uint64_t at_us,
		 unsigned tag)
{
	struct pending_entry *e = places(p, a, b), *to = e;

	for (size_t i = 0; i < WAYS; i++)
		if (is_at(&e[i], a, b))
			return;
	for (size_t i = 0; i < WAYS && !is_at(to, 0, 0); i++)
		if (is_at(&e[i], 0, 0) || e[i].at_us < to->at_us)
			to = &e[i];
	p->lost += !is_at(to, 0, 0);
	*to = (struct pending_entry){ a, b, at_us, tag };
}

bool pending_take(struct pending *p, uint64_t a, uint64_t b, uint64_t *at_us,
		  unsigned *tag)
{
	struct pending_entry *e = places(p, a, b);

	for (size_t i = 0; i < WAYS; i++) {
		if (!is_at(&e[i], a, b))
			continue;
		*at_us = e[i].at_us;
		*tag = e[i].tag;
		e[i] = (struct pending_entry){ 0 };
		return true;
	}
	return false;
}
