#ifndef UNDO_RECORD_H
#define UNDO_RECORD_H

/*
 * An undo record: what one branch changed in one database, in the order in
 * which it changed it, with enough of the tables' shape to undo it later. And
 * its form as bytes for the undo_log table.
 *
 * Rules
 * -----
 *  - One record for a branch; encoded into one or more parts, each the
 *    rollback_info of one row of undo_log, numbered from 1.
 *  - A part is a line of text,
 *
 *      treaty-undo/1 part=1/3 zstd=1 raw=81234 len=20480 all=… sum=…\n
 *
 *    followed by its share of the (compressed) JSON. `all` is the checksum of
 *    the whole, `sum` that of this part with its line; both cover xid and
 *    branch. So a changed byte, a missing part, a part of another branch or
 *    of another writing of this one is always found.
 *  - JSON: every value is a string with the exact text, null, or base64; ids
 *    are strings. A reader ignores members that it does not know, so that a
 *    newer writer of the same version may add some.
 *  - Decoding trusts nothing: sizes, nesting, places are checked first.
 */

#include "undo/image.h"

#define RECORD_VERSION 1

enum item_kind {
	ITEM_INSERT = 1,
	ITEM_UPDATE = 2,
	ITEM_DELETE = 3,
	ITEM_MIXED =
		4, /* REPLACE, upsert, MERGE: any of the three, row by row */
};

/* What one statement did to one table. A row that is only in `after` was
 * inserted, one only in `before` was deleted, one in both was updated. */
struct record_item {
	enum item_kind kind;
	size_t table;        /* place in record.tables */
	struct image before; /* of record.tables[table] */
	struct image after;
};

struct record {
	struct arena *arena;
	struct bytes xid;
	uint64_t branch;
	const struct table **tables; /* as they were, each once */
	size_t n_tables;
	size_t cap_tables;
	struct record_item *items; /* in the order of execution */
	size_t n_items;
	size_t cap_items;
};

/* An empty record; copies the xid. E_NOMEM; E_INVALID: xid empty or longer
 * than XID_LEN_MAX, branch 0. */
MUST_CHECK int record_init(struct record *r, struct arena *arena,
			   struct bytes xid, uint64_t branch);

/*
 * Append what a statement did. Both images are of the same table (the pointer
 * or an equal description); their rows must live as long as the record's
 * arena, the table is copied. Fine with two empty images: adds nothing.
 *
 * E_INVALID: the images are of different tables, or the kind contradicts
 * them (an insert with rows before, a delete with rows after).
 * E_NOMEM; E_UNSUPPORTED as table_check(). The record is as it was then.
 */
MUST_CHECK int record_add(struct record *r, enum item_kind kind,
			  const struct image *before,
			  const struct image *after);

/* Forget the items behind the first n: ROLLBACK TO SAVEPOINT. */
void record_truncate(struct record *r, size_t n_items);

struct record_limits {
	size_t compress_from; /* compress what is longer; default 64 KiB */
	size_t part_max;  /* a part is never longer; default 1 MiB, min 1 KiB */
	size_t raw_max;   /* the JSON is never longer; default 256 MiB */
	size_t parts_max; /* default 4096 */
};

/* The defaults above. */
struct record_limits record_limits_default(void);

struct record_part {
	struct bytes info;    /* rollback_info */
	struct bytes context; /* "serializer=treaty-json/1&compressorType=…" */
};

struct record_parts {
	const struct record_part *parts;
	size_t n;
};

/*
 * Write a record as parts, which live in `arena`; temporary memory comes from
 * arena->mem and is given back.
 * E_NOMEM; E_LIMIT: longer than raw_max or parts_max admit; *why says so.
 */
MUST_CHECK int record_encode(const struct record *r,
			     const struct record_limits *limits,
			     struct arena *arena, struct record_parts *out,
			     struct buf *why);

/*
 * Read the parts of a branch, in any order, into *out, which lives in `arena`.
 * xid and branch are those of the rows that the parts came from.
 *
 * E_CORRUPT  damaged, incomplete, doubled or mixed up; *why says which part
 * E_VERSION  written by a version that this one does not know
 * E_LIMIT    longer than the limits admit
 * E_NOMEM
 */
MUST_CHECK int record_decode(struct record *out, struct arena *arena,
			     struct bytes xid, uint64_t branch,
			     const struct bytes *parts, size_t n,
			     const struct record_limits *limits,
			     struct buf *why);

#endif
