#include "tc/core/roll.h"

void roll_init(struct roll *r, const struct mem *mem)
{
	*r = (struct roll){ .mem = mem };
}

void roll_fini(struct roll *r)
{
	if (r->mem)
		mem_free(r->mem, r->entries);
	*r = (struct roll){ .mem = r->mem };
}

int roll_reserve(struct roll *r)
{
	struct roll_entry *entries;
	size_t cap = r->cap ? r->cap * 2 : 64;

	if (r->n < r->cap)
		return OK;
	entries = mem_array(r->mem, cap, sizeof *entries);
	if (!entries)
		return E_NOMEM;
	if (r->n)
		memcpy(entries, r->entries, r->n * sizeof *entries);
	mem_free(r->mem, r->entries);
	r->entries = entries;
	r->cap = cap;
	return OK;
}

void roll_append(struct roll *r, uint64_t number, void *item)
{
	REQUIRE(r->n < r->cap && item);
	r->entries[r->n++] = (struct roll_entry){ number, item };
	r->count++;
}

void roll_add(struct roll *r, uint64_t number, void *item)
{
	REQUIRE(r->n == 0 || r->entries[r->n - 1].number < number);
	roll_append(r, number, item);
}

static void swap(struct roll_entry *a, struct roll_entry *b)
{
	struct roll_entry t = *a;

	*a = *b;
	*b = t;
}

static void sink(struct roll_entry *e, size_t at, size_t n)
{
	for (;;) {
		size_t child = 2 * at + 1;

		if (child >= n)
			return;
		if (child + 1 < n && e[child].number < e[child + 1].number)
			child++;
		if (e[at].number >= e[child].number)
			return;
		swap(&e[at], &e[child]);
		at = child;
	}
}

/* Heap sort: in place, n log n in every case. */
bool roll_sort(struct roll *r)
{
	for (size_t i = r->n / 2; i-- > 0;)
		sink(r->entries, i, r->n);
	for (size_t n = r->n; n > 1; n--) {
		swap(&r->entries[0], &r->entries[n - 1]);
		sink(r->entries, 0, n - 1);
	}
	for (size_t i = 1; i < r->n; i++)
		if (r->entries[i - 1].number == r->entries[i].number)
			return false;
	return true;
}

/* Index of the first entry above `number`. */
static size_t above(const struct roll *r, uint64_t number)
{
	size_t low = 0, high = r->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (r->entries[mid].number > number)
			high = mid;
		else
			low = mid + 1;
	}
	return low;
}

static struct roll_entry *entry(const struct roll *r, uint64_t number)
{
	size_t i = above(r, number);

	return i > 0 && r->entries[i - 1].number == number ? &r->entries[i - 1]
							   : NULL;
}

void *roll_find(const struct roll *r, uint64_t number)
{
	const struct roll_entry *e = entry(r, number);

	return e ? e->item : NULL;
}

static void close_holes(struct roll *r)
{
	size_t n = 0;

	for (size_t i = 0; i < r->n; i++)
		if (r->entries[i].item)
			r->entries[n++] = r->entries[i];
	r->n = n;
}

void roll_remove(struct roll *r, uint64_t number)
{
	struct roll_entry *e = entry(r, number);

	REQUIRE(e && e->item);
	e->item = NULL;
	r->count--;
	while (r->n > 0 && !r->entries[r->n - 1].item)
		r->n--;
	if (r->n - r->count > r->count + 16)
		close_holes(r);
}

void *roll_after(const struct roll *r, uint64_t number)
{
	for (size_t i = above(r, number); i < r->n; i++)
		if (r->entries[i].item)
			return r->entries[i].item;
	return NULL;
}
