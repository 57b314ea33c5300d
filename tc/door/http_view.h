#ifndef TC_DOOR_HTTP_VIEW_H
#define TC_DOOR_HTTP_VIEW_H

/*
 * Transactions, branches and counters as JSON, the same wherever they appear.
 *
 * Rules
 * -----
 *  - Ids are strings, statuses come as Seata's name and number, instants as
 *    RFC 3339 in UTC, spans in milliseconds; "there is none" is null.
 *  - What an agent sent is never trusted to be JSON or UTF-8.
 *
 * Pure.
 */

#include "base/json.h"
#include "tc/core/core.h"
#include "tc/door/door.h"
#include "tc/store/store.h"

void view_xid(struct json *j, const char *key, struct bytes coordinator,
	      uint64_t number);

/* The members all transactions have, inside an open object. */
void view_gtx(struct json *j, struct bytes coordinator,
	      const struct gtx_view *gtx);
void view_archived(struct json *j, struct bytes coordinator,
		   const struct archive *gtx);
/* Of a finished one only the outcome is known any more. */
void view_outcome(struct json *j, struct bytes coordinator, uint64_t number,
		  enum gtx_status status);

/* One object each. */
void view_branch(struct json *j, const struct branch_view *branch);
/* What is told of a dead letter, inside an open object. */
void view_letter(struct json *j, const struct branch_view *branch);
void view_history(struct json *j, const struct history *line);
void view_core_stats(struct json *j, const char *key,
		     const struct core_stats *stats);
void view_store_stats(struct json *j, const char *key,
		      const struct store_stats *stats);
void view_caller_stats(struct json *j, const char *key,
		       const struct door_stats *stats);

/* "2026-11-21T12:34:56.789Z" */
void view_instant(struct buf *out, uint64_t wall_ms);
/* The same as a member; null for 0. */
void view_when(struct json *j, const char *key, uint64_t wall_ms);

/* "plain", "message", "saga" */
const char *view_kind(enum gtx_kind kind);

/* How an HTTP participant is called, without the values of its headers; null
 * if that is no such document. */
void view_participant(struct json *j, const char *key, struct bytes document);

#endif
