#ifndef UNDO_COMPENSATE_H
#define UNDO_COMPENSATE_H

/*
 * Undoing a branch: which rows to read, whether that may be undone, and the
 * SQL that does it. The caller runs the SQL, all of it in one local
 * transaction together with the deletion of the branch's undo_log rows.
 *
 *   plan_new(&p, arena, record, now, &why)
 *   while (plan_next_read(p, 500, &s) == OK)
 *           run s; plan_row(p, values) for each row; plan_read_done(p)
 *   plan_resolve(p, json, &why)                        only with an operator
 *   plan_check(p, &difference)                 E_DIRTY: write nothing
 *   while (plan_next_write(p, 500, &s) == OK)
 *           run s; roll back unless it affected s.rows rows
 *
 * What is compared with what
 * --------------------------
 * A row may be touched by several items. Of its touches t1 … tk (in the order
 * of execution, each with a before and an after) only two states can be in the
 * database if nobody interfered, because the undo is one local transaction:
 *
 *   now = after(tk)    nothing is undone yet: undo it
 *   now = before(t1)   everything is undone already: leave it alone
 *   anything else      dirty
 *
 * and "no such row" is a state like any other. Between them the record must
 * agree with itself: after(ti) = before(ti+1). Where it does not, something
 * the images could not see wrote the row inside of the branch; dirty, too. When
 * before(t1) = after(tk) but now differs, nothing is left to restore and the
 * row is left alone.
 *
 * Then the items are undone one by one from the last to the first, so that
 * each statement of ours meets the state which its item left, and foreign and
 * unique keys hold on the way back as they did on the way there. Inside of an
 * item: first rows that were inserted are deleted, then updated ones restored,
 * then deleted ones inserted; each group from the last row to the first. Rows
 * that an item left as they were cost nothing.
 *
 * A row that one statement moved past a unique key of another one is undone in
 * the reverse order of the image. If that order was not the statement's, the
 * database may refuse a write; then nothing is undone and nothing is lost.
 * PostgreSQL: SET CONSTRAINTS ALL DEFERRED spares deferrable keys from that.
 *
 * Everything is checked before the first write is handed out.
 *
 * Tables may have changed since. A new column is fine: it is not compared, an
 * inserted row gets its default. A column that is gone or has another type,
 * a column that can no longer be written, another key, a table that is gone or
 * renamed: E_UNSUPPORTED with what to do.
 *
 * Pure. A plan lives in its arena and borrows the record and the tables.
 */

#include "undo/record.h"

struct plan;

struct statement {
	struct bytes sql;           /* with a NUL behind it */
	const struct value *params; /* $1 … or the ?s from left to right */
	size_t n_params;
	size_t rows; /* a write: it must match exactly so many rows (MySQL:
			CLIENT_FOUND_ROWS); a read: at most so many */
};

/*
 * now[i] is the present description of record->tables[i], NULL if there is no
 * such table any more. E_UNSUPPORTED: see above, *why says it. E_NOMEM.
 */
MUST_CHECK int plan_new(struct plan **out, struct arena *arena,
			const struct record *record,
			const struct table *const *now, struct buf *why);

/* How many rows there are to read, and how many tables. */
size_t plan_rows(const struct plan *p);

/*
 * The next read: up to `keys` rows of one table by key, locked (FOR UPDATE)
 * where the dialect can; SQLite must be in a transaction begun IMMEDIATE. Fewer
 * if the database's limit on parameters wants it. The result's columns
 * are those of the record's snapshot of the table, *table, in its order;
 * their classes say what to call values that a driver cannot tell.
 * E_NOTFOUND: that was all. E_NOMEM. E_STATE: the last read is not done.
 */
MUST_CHECK int plan_next_read(struct plan *p, size_t keys,
			      struct statement *out,
			      const struct table **table);
/* One row of the result of the last read; copied. E_NOMEM. E_INVALID: the same
 * row came twice. */
MUST_CHECK int plan_row(struct plan *p, const struct value *values);
/* The result of the last read is complete: what did not come is absent. */
void plan_read_done(struct plan *p);

/*
 * An operator's decision about dirty rows, as JSON:
 *
 *   {"choice":"undo"}                          for all dirty rows
 *   {"choice":"keep",
 *    "rows":[{"table":"public.account","key":{"id":"1"},"choice":"values",
 *             "seen":"9f…","values":{"balance":"10.00","note":null}},
 *            {"table":"public.log","key":{"id":"7"},"choice":"undo"}]}
 *
 * undo    restore the state before the branch, whatever is there now: first
 *         the row is put back to what the branch left, then all is undone
 * keep    leave the row as it is
 * values  write these columns (others stay; a row that is absent is inserted
 *         with them); "values":null deletes the row
 *
 * Values are written as the difference shows them. "seen" is the fingerprint in
 * the difference; if given and the row looks different by now, the row stays
 * dirty. Rows that are not dirty are not touched by any of this. A row named
 * here that the branch never touched is E_INVALID, as is anything malformed;
 * *why says what. After the last read and before plan_check() says OK, else
 * E_STATE. E_NOMEM. A failed call changes nothing.
 */
MUST_CHECK int plan_resolve(struct plan *p, struct bytes json, struct buf *why);

/*
 * Whether it may be undone. Once all is read and until it says OK,
 * else E_STATE.
 *
 * OK       yes; plan_next_write() hands out statements
 * E_DIRTY  no; *difference (JSON, for operators) has gained
 *          {"dirty":n,"rows":[{…row_difference()…,"statement":"update",
 *          "seen":"9f…","reason":"…"}, …]} with the first 100 of them
 * E_NOMEM
 */
MUST_CHECK int plan_check(struct plan *p, struct buf *difference);

/* The next write, batching up to `rows` deletes or inserts of an item.
 * E_NOTFOUND: that was all. E_NOMEM: ask again. E_STATE: not checked. */
MUST_CHECK int plan_next_write(struct plan *p, size_t rows,
			       struct statement *out);

#endif
