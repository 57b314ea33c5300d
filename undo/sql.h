#ifndef UNDO_SQL_H
#define UNDO_SQL_H

/*
 * The four statements that undo makes: SELECT, DELETE, INSERT and UPDATE of
 * rows by key, with typed parameters.
 *
 * Rules
 * -----
 *  - Each call starts a new text; the text, the parameters and the struct
 *    statement made of them are borrowed until the next one.
 *  - Values are never part of the text.
 */

#include "undo/image.h"

struct sql {
	struct buf text;
	struct arena *arena;
	struct value *params;
	size_t n;
	size_t cap;
	bool no_memory;
};

/* How many parameters the most modest of the databases admits. */
#define SQL_PARAMS_MAX 30000

/* Its memory is the arena's; there is nothing to give back. */
void sql_init(struct sql *s, struct arena *arena);

/* All of these: OK or E_NOMEM, and n >= 1. */
MUST_CHECK int sql_select(struct sql *s, const struct table *t,
			  const struct row *const *keys, size_t n);
MUST_CHECK int sql_delete(struct sql *s, const struct table *t,
			  const struct row *const *keys, size_t n);
/* given says which columns to write, NULL for all; what is generated never
 * is. `overriding`: there is an identity column that is GENERATED ALWAYS. */
MUST_CHECK int sql_insert(struct sql *s, const struct table *t,
			  const struct row *const *rows, size_t n,
			  const bool *given, bool overriding);
/* Write the columns in which the rows differ; at least one does. */
MUST_CHECK int sql_update(struct sql *s, const struct table *t,
			  const struct row *from, const struct row *to);

#endif
