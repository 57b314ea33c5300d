#ifndef UNDO_UNDO_LOG_H
#define UNDO_UNDO_LOG_H

/*
 * The undo_log table in the business database, and every SQL text about it.
 * Seata's columns, plus the number of the part.
 *
 * Rules
 * -----
 *  - (xid, branch_id, part) is the primary key and parts count from 1. So the
 *    defence row (part 1) of a rollback that came first makes a late phase one
 *    fail on the unique key, and the other way round.
 *  - log_status: 0 a branch's record, 1 a defence row.
 *  - Age is measured by the database's own clock, in UTC.
 *  - A record (log_status 0) is never purged by age alone: its branch may hang
 *    and wait for an operator. List old ones, ask the coordinator, delete by
 *    (xid, branch).
 */

#include "undo/quote.h"

#define UNDO_LOG_NORMAL  0
#define UNDO_LOG_DEFENCE 1

struct undo_log {
	enum dialect dialect;
	struct bytes schema; /* may be empty */
	struct bytes name;   /* usually "undo_log" */
};

enum undo_log_text {
	/* Creates the table if it is not there. No parameters. */
	UNDO_LOG_CREATE,
	/* Index for the purge; PostgreSQL and SQLite need it apart, in MySQL it
	 * is in the table and this text is empty. */
	UNDO_LOG_CREATE_INDEX,
	/* One part: xid text, branch_id int, part int, context text,
	 * rollback_info bytes, log_status int. */
	UNDO_LOG_INSERT,
	/* xid text, branch_id int -> part, context, rollback_info, log_status in
	 * the order of parts; locks them where the dialect can. */
	UNDO_LOG_SELECT,
	/* xid text, branch_id int. */
	UNDO_LOG_DELETE,
	/* Defence row: xid text, branch_id int. */
	UNDO_LOG_DEFEND,
	/* Defence rows older than: seconds int, at most: rows int. */
	UNDO_LOG_PURGE,
	/* Branches with a record older than: seconds int, at most: rows int ->
	 * xid, branch_id, oldest first. */
	UNDO_LOG_LIST_OLD,
	UNDO_LOG_TEXTS, /* how many */
};

/* Append a text. */
void undo_log_put(struct buf *out, const struct undo_log *log,
		  enum undo_log_text which);

/* Delete the rows of n branches at once: xid, branch_id, xid, … n >= 1 and at
 * most UNDO_LOG_DELETE_MAX. */
#define UNDO_LOG_DELETE_MAX 1000
void undo_log_put_delete(struct buf *out, const struct undo_log *log, size_t n);

#endif
