#ifndef RM_AGENT_DB_CATALOG_BUILD_H
#define RM_AGENT_DB_CATALOG_BUILD_H

/*
 * A table description in the making: what the three readers of catalogs share.
 * Everything lives in the arena; a failure just leaves it there.
 */

#include "base/buf.h"
#include "rm-agent/db/catalog.h"
#include "undo/table.h"

enum {
	ON_INSERT = 1,
	ON_UPDATE = 2,
	ON_DELETE = 4,
	ON_ALL = 7,
};

struct build {
	struct db *db;
	struct arena *arena;
	struct catalog_table *out;
	struct table *table;
	struct column *columns;
	struct catalog_column *spelled;
	size_t *key;
	struct buf why;
};

/* Run a catalog query; its parameters are texts. Codes as db_exec(). */
MUST_CHECK int build_query(struct build *b, const char *sql,
			   const struct bytes *params, size_t n,
			   struct db_result *out);

/* Make room for n columns, spelled plainly and none in the key. E_NOMEM. */
MUST_CHECK int build_columns(struct build *b, size_t n);

/* The table cannot be protected, for all or some events. The reason is a
 * sentence without capital and full stop. */
void build_refuse(struct build *b, unsigned events, const char *fmt, ...)
	PRINTF_LIKE(3, 4);
/* Changes that images cannot see. */
void build_hidden(struct build *b, unsigned events, const char *fmt, ...)
	PRINTF_LIKE(3, 4);

/* A key column folds and this is its lock text. */
void build_fold(struct build *b, size_t column, const char *lock);

/* The place of a column, or n_columns; NOCASE for SQLite. */
size_t build_find(const struct build *b, struct bytes name);

/* printf's "%.*s" for a text value. */
#define TEXT(v) (int)(v).data.len, (const char *)(v).data.data

bool value_is(struct value v, const char *text);
bool value_starts(struct value v, const char *with);
bool value_contains(struct value v, const char *word);
uint64_t value_number(struct value v); /* 0 if it is none */

MUST_CHECK int catalog_load_pg(struct build *b, struct bytes schema,
			       struct bytes name);
MUST_CHECK int catalog_load_my(struct build *b, struct bytes schema,
			       struct bytes name);
MUST_CHECK int catalog_load_lite(struct build *b, struct bytes schema,
				 struct bytes name);

#endif
