#ifndef RM_AGENT_AT_SCRIPTS_H
#define RM_AGENT_AT_SCRIPTS_H

/*
 * Statements that were parsed already, by their text.
 *
 * Rules
 * -----
 *  - A script stays until scripts_clear(); at `limit` texts everything is
 *    forgotten at once before the next one is parsed. So a script is borrowed
 *    until the next scripts_get().
 *  - What the parser was told (.options) must not change without a
 *    scripts_clear().
 */

#include "base/map.h"
#include "sqlparse/sql.h"

struct scripts {
	const struct mem *mem;
	enum sql_dialect dialect;
	struct sql_options options;
	struct map map;
	size_t limit;
};

/* E_NOMEM. */
MUST_CHECK int scripts_init(struct scripts *s, const struct mem *mem,
			    enum sql_dialect dialect, size_t limit);
void scripts_fini(struct scripts *s);
void scripts_clear(struct scripts *s);

/* E_NOMEM. A text that is broken is a script that says so. *again: it was
 * asked for before. */
MUST_CHECK int scripts_get(struct scripts *s, struct bytes text,
			   const struct sql_script **out, bool *again);

#endif
