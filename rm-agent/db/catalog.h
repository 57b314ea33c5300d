#ifndef RM_AGENT_DB_CATALOG_H
#define RM_AGENT_DB_CATALOG_H

/*
 * What the database knows about a table: columns, key, and everything that
 * decides whether a change to it can be taken back.
 *
 * Rules
 * -----
 *  - Names are resolved as the connection would (search_path, current
 *    database, SQLite's temp before main before attached).
 *  - A table that exists is always described; whether it can be protected is
 *    a verdict with a reason for the developer, not an error.
 *  - Nothing is kept here. The description lives in the arena; whoever caches
 *    it runs the probe to notice that the schema changed.
 */

#include "rm-agent/db/db.h"

struct table; /* undo/table.h */

enum catalog_verdict {
	CATALOG_OK = 0,
	/* Triggers or cascading foreign keys may change rows that an image
	 * cannot see; a setting may turn the refusal into a warning. */
	CATALOG_HIDDEN_CHANGES = 1,
	CATALOG_REFUSED = 2, /* no key, not a table, not transactional, … */
};

/* How a column is spelled in SQL so that no setting of the session (time zone,
 * character set, sql_mode, DateStyle, …) changes the value. %C stands for the
 * column (qualified as need be), %P for a placeholder: see catalog_put_sql(). */
struct catalog_column {
	/* In a select list; its type is that of the table's column: hand it
	 * to db_exec() in db_stmt.as. Usually just "%C". */
	struct bytes read;
	/* A parameter in UTF-8 compared with or assigned to the column on a
	 * connection of the application. Usually just "%P". */
	struct bytes param;
	/* Key columns with .folds: text that is the same for all values that
	 * the column takes as equal; else empty. SQLite: also an expression. */
	struct bytes lock;
};

struct catalog_table {
	const struct table *table; /* for CATALOG_REFUSED as much as is known */
	const struct catalog_column *columns; /* beside table->columns */
	enum catalog_verdict verdict;         /* the worst that applies */
	/* Verdicts for each kind of statement: a trigger on INSERT says
	 * nothing about DELETE. Each at most .verdict. */
	enum catalog_verdict on_insert, on_update, on_delete;
	/* PostgreSQL: an INSERT cannot return system columns of it. */
	bool partitioned;
	struct bytes why; /* every reason, "; " between; empty for CATALOG_OK */
	/* One statement with one text value that changes when the table's
	 * definition does. May ride in a pipeline with others. */
	struct bytes probe_sql;
	struct bytes probe; /* its value when the description was read */
};

/*
 * Describe a table. `schema` may be empty: then as the connection resolves
 * it. Names are as stored, unquoted and case-folded by the caller as its
 * dialect does.
 *
 * OK, E_NOTFOUND (no such table, view or other relation), E_NOMEM, or as
 * db_exec().
 */
MUST_CHECK int catalog_load(struct db *db, struct bytes schema,
			    struct bytes name, struct arena *arena,
			    struct catalog_table *out);

/* True in *same if the definition is as it was. Codes as db_exec(). */
MUST_CHECK int catalog_unchanged(struct db *db, const struct catalog_table *t,
				 struct arena *arena, bool *same);

struct buf;
/* Append a spelling with its %C and %P filled in, both quoted already. */
void catalog_put_sql(struct buf *out, struct bytes spelling,
		     struct bytes column, struct bytes param);

#endif
