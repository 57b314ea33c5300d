#include "undo/record.h"

#include "base/xid.h"

int record_init(struct record *r, struct arena *arena, struct bytes xid,
		uint64_t branch)
{
	struct bytes copy;

	if (xid.len == 0 || xid.len > XID_LEN_MAX || branch == 0)
		return E_INVALID;
	copy = arena_bytes(arena, xid);
	if (!copy.data)
		return E_NOMEM;
	*r = (struct record){ .arena = arena, .xid = copy, .branch = branch };
	return OK;
}

static bool kind_fits(enum item_kind kind, const struct image *before,
		      const struct image *after)
{
	switch (kind) {
	case ITEM_INSERT:
		return before->n_rows == 0;
	case ITEM_DELETE:
		return after->n_rows == 0;
	case ITEM_UPDATE:
	case ITEM_MIXED:
		return true;
	}
	return false;
}

/* A longer copy of an array in the arena, or NULL. */
static void *grown(struct arena *arena, const void *old, size_t n, size_t cap,
		   size_t size)
{
	void *p = arena_array(arena, cap, size);

	if (p && n > 0)
		memcpy(p, old, n * size);
	return p;
}

static bool reserve(struct record *r)
{
	if (r->n_tables == r->cap_tables) {
		size_t cap = r->cap_tables ? 2 * r->cap_tables : 4;
		void *p = grown(r->arena, r->tables, r->n_tables, cap,
				sizeof *r->tables);

		if (!p)
			return false;
		r->tables = p;
		r->cap_tables = cap;
	}
	if (r->n_items == r->cap_items) {
		size_t cap = r->cap_items ? 2 * r->cap_items : 4;
		void *p = grown(r->arena, r->items, r->n_items, cap,
				sizeof *r->items);

		if (!p)
			return false;
		r->items = p;
		r->cap_items = cap;
	}
	return true;
}

static size_t find_table(const struct record *r, const struct table *t)
{
	size_t i = 0;

	while (i < r->n_tables && !table_equal(r->tables[i], t))
		i++;
	return i;
}

int record_add(struct record *r, enum item_kind kind,
	       const struct image *before, const struct image *after)
{
	const struct table *table = before->table;
	size_t at;
	int rc;

	if (!table_equal(table, after->table) ||
	    !kind_fits(kind, before, after))
		return E_INVALID;
	if (before->n_rows == 0 && after->n_rows == 0)
		return OK;
	if (!reserve(r))
		return E_NOMEM;
	at = find_table(r, table);
	if (at == r->n_tables) {
		rc = table_check(table, NULL);
		if (rc != OK)
			return rc;
		table = table_copy(r->arena, table);
		if (!table)
			return E_NOMEM;
		r->tables[r->n_tables++] = table;
	}
	r->items[r->n_items] =
		(struct record_item){ kind, at, *before, *after };
	r->items[r->n_items].before.table = r->tables[at];
	r->items[r->n_items].after.table = r->tables[at];
	r->n_items++;
	return OK;
}

void record_truncate(struct record *r, size_t n_items)
{
	REQUIRE(n_items <= r->n_items);
	r->n_items = n_items;
}

struct record_limits record_limits_default(void)
{
	return (struct record_limits){
		.compress_from = (size_t)64 << 10,
		.part_max = (size_t)1 << 20,
		.raw_max = (size_t)256 << 20,
		.parts_max = 4096,
	};
}
