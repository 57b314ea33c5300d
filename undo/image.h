#ifndef UNDO_IMAGE_H
#define UNDO_IMAGE_H

/*
 * An image: the rows of one table that a statement touches, before or after.
 *
 * Rules
 * -----
 *  - A row has a value for each column of the table, in the table's order.
 *  - Rows are in the order in which the statement met them, as far as known.
 *    Undo walks them backwards.
 *  - No two rows of an image have the same key.
 *  - Lock text: for key columns with .folds the driver brings a text that is
 *    the same for all values the database takes as equal (PostgreSQL: a
 *    collation sort key or lower(); MySQL: HEX(WEIGHT_STRING(c)); SQLite:
 *    folded and trimmed as NOCASE and RTRIM do). It serves lock keys only and
 *    is not stored in undo records.
 *  - Everything is copied into the arena given at the start.
 */

#include "undo/table.h"

struct row {
	const struct value *values;    /* table->n_columns */
	const struct bytes *lock_text; /* table->n_key, or NULL; .data NULL:
					  the value itself serves */
};

struct image {
	struct arena *arena;
	const struct table *table; /* borrowed */
	struct row *rows;
	size_t n_rows;
	size_t cap;
};

/* An empty image; allocates nothing. */
void image_init(struct image *img, struct arena *arena,
		const struct table *table);

/*
 * Append a copy of a row. lock_text may be NULL.
 * E_UNSUPPORTED: a key value is NULL, so the row cannot be found again.
 * E_NOMEM.
 */
MUST_CHECK int image_add(struct image *img, const struct value *values,
			 const struct bytes *lock_text);

/* A copy of a row without lock text in the arena, or NULL. */
const struct row *row_copy(struct arena *arena, const struct table *t,
			   const struct value *values);

/* The i-th key value of a row. */
struct value row_key(const struct table *t, const struct row *row, size_t i);
bool row_same_key(const struct table *t, const struct row *a,
		  const struct row *b);
uint64_t row_key_hash(const struct table *t, const struct row *row);

/*
 * True if both rows have equal values in every column that is not generated;
 * NULL stands for "no such row".
 */
bool row_equal(const struct table *t, const struct row *a, const struct row *b);
/* A number that is the same for rows that row_equal() calls equal. */
uint64_t row_hash(const struct table *t, const struct row *row);

/*
 * For operators: what three states of a row differ in, as one JSON object
 *
 *   {"table":"public.account","key":{"id":"1"},
 *    "before":"present","after":"present","now":"absent",
 *    "columns":[{"name":"balance","type":"numeric(10,2)",
 *                "before":"10.00","after":"7.50","now":null}]}
 *
 * NULL stands for "no such row", and is "absent" then. Only columns that are
 * not the same in all states are listed. A value is null, a string (its exact
 * text), or {"base64":"…"} for bytes and for text that is not UTF-8; a value
 * whose type is not the column's class has {"type":"…","text":"…"}.
 */
void row_difference(struct buf *out, const struct table *t,
		    const struct row *before, const struct row *after,
		    const struct row *now);
/* The same without the braces, to put more members beside. */
void row_difference_members(struct buf *out, const struct table *t,
			    const struct row *before, const struct row *after,
			    const struct row *now);

#endif
