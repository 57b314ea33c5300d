#ifndef UNDO_TABLE_H
#define UNDO_TABLE_H

/*
 * A table as undo needs it: names, columns, and the columns that find a row.
 * Drivers fill it from the catalog.
 *
 * Rules
 * -----
 *  - Names are spelled as the catalog spells them, not quoted. A table has one
 *    spelling: it becomes part of lock keys.
 *  - The key is the primary key or a unique key whose columns are all NOT NULL.
 *    A SQLite table without one has its rowid as an ordinary column in front,
 *    named by the alias that no real column hides, with .rowid true. (Rowids
 *    move on VACUUM; that is the reason to prefer any other key. A SQLite
 *    PRIMARY KEY that admits NULL is not a key.)
 *  - Columns a statement can never write (.generated) are in images, so that
 *    they can be a key, but are neither compared nor written.
 *  - Plain data; whoever fills it owns it, usually through an arena.
 */

#include "base/arena.h"
#include "base/buf.h"
#include "base/dialect.h"
#include "undo/value.h"

struct column {
	struct bytes name;
	/* What the database would accept in a cast and the catalog prints:
	 * "numeric(10,2)", "bigint(20) unsigned", "public.mood"; SQLite: the
	 * declared type, may be empty. PostgreSQL: format_type(). */
	struct bytes type;
	enum value_type class; /* of its values; VALUE_OTHER when they vary */
	bool nullable;
	bool generated;       /* stored or virtual; never written */
	bool always_identity; /* PostgreSQL GENERATED ALWAYS AS IDENTITY */
	bool auto_increment;  /* gets its value from the database if absent */
	bool rowid;           /* SQLite's rowid, shown under an alias */
	/* Key columns: values that are equal for the database may be spelled
	 * differently (collation, citext, padding). Then each row brings the
	 * lock text of this column; see undo/image.h. */
	bool folds;
};

struct table {
	enum dialect dialect;
	struct bytes schema; /* MySQL: database; SQLite: "main", …; may be "" */
	struct bytes name;
	const struct column *columns;
	size_t n_columns;
	const size_t *key; /* places of the key columns, in the key's order */
	size_t n_key;
};

/* Place of a column by exact name, or n_columns. */
size_t table_find_column(const struct table *t, struct bytes name);
bool table_is_key(const struct table *t, size_t column);

/*
 * OK, or E_INVALID: no name, no column, a key column that does not exist or is
 * there twice, two columns of one name. E_UNSUPPORTED: no key, so a row cannot
 * be found again. Fill *why (may be NULL) with a sentence.
 */
MUST_CHECK int table_check(const struct table *t, struct buf *why);

/* True if both describe the same columns and key in the same way. */
bool table_equal(const struct table *a, const struct table *b);
/* A deep copy in the arena, or NULL. */
const struct table *table_copy(struct arena *arena, const struct table *t);
/* "schema.name", or "name" without a schema: for people and lock keys. */
void table_put_name(struct buf *out, const struct table *t);

#endif
