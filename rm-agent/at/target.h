#ifndef RM_AGENT_AT_TARGET_H
#define RM_AGENT_AT_TARGET_H

/*
 * Tables that statements write, as the engine knows them: the catalog's
 * description, the unique keys that an INSERT may meet, the columns' defaults.
 *
 * Rules
 * -----
 *  - Kept for a connection by the name as the statement spells it. Whatever
 *    may change what the name means (SET, USE, DDL, …) calls targets_clear().
 *  - A description is checked against the catalog once in each local
 *    transaction, while the rows (and with them the table) are locked.
 */

#include "base/map.h"
#include "rm-agent/db/catalog.h"
#include "undo/table.h"

/* A unique index: places of its columns in the table. */
struct unique {
	const size_t *columns;
	size_t n;
};

struct target {
	struct map_node node;
	struct bytes schema, name; /* as asked for */
	struct arena arena;
	struct catalog_table cat;
	const struct table *table; /* cat.table */
	/* Of an image's select list: the columns, then a lock text for each key
	 * column that folds. */
	enum value_type *as;
	size_t n_select;
	uint64_t checked; /* local transaction that has checked it */
	/* MySQL: see work.c. */
	uint64_t full_check_ms;
	struct bytes definition;

	bool loaded_unique;           /* what follows was read */
	const struct unique *uniques; /* the key first */
	size_t n_uniques;
	bool odd_unique; /* also one over an expression */
	const struct bytes
		*defaults; /* SQL for each column; .data NULL: none */
};

struct targets {
	const struct mem *mem;
	struct map map;
};

MUST_CHECK int targets_init(struct targets *t, const struct mem *mem);
void targets_fini(struct targets *t);
void targets_clear(struct targets *t);
/* Forget one; the pointer is dead then. */
void targets_drop(struct targets *t, struct target *target);

/* Known already. */
bool targets_has(struct targets *t, struct bytes schema, struct bytes name);
/* Codes as catalog_load(). Borrowed until it is cleared or dropped. */
MUST_CHECK int targets_get(struct targets *t, struct db *db,
			   struct bytes schema, struct bytes name,
			   struct target **out);

/* Read .uniques, .odd_unique and .defaults, if that was not done yet. Codes as
 * db_exec(). */
MUST_CHECK int target_load_unique(struct target *t, struct db *db);

#endif
