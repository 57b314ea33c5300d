#ifndef TC_CORE_GTX_H
#define TC_CORE_GTX_H

/*
 * What a global transaction may do next: Seata's status graph as a table.
 *
 *            commit                        rollback, time-out
 *   Begin ----------> [Async]Committing    ----------> [Timeout]Rollbacking
 *                       |       |                        |          |
 *              branches |       | one fails              |          |
 *              all done |       v                        v          v
 *                       |   CommitRetrying         RollbackRetrying |
 *                       |    |      |  ^ taken up    |     |   ^    |
 *                       v    v      v  | again       |     v   |    v
 *                     Committed   CommitFailed       |  RollbackFailed
 *                                 CommitRetryTimeout v  RollbackRetryTimeout
 *                                               Rollbacked
 *
 * The decision never changes: no path leads from the commit side to the
 * rollback side or back. Differences from Seata: AsyncCommitting may go to
 * CommitRetrying and CommitFailed (there a failing asynchronous branch is seen
 * by nobody), and hung transactions can be taken up again.
 *
 * Pure.
 */

#include "base/status.h"

enum gtx_event {
	GTX_EV_COMMIT,       /* asked */
	GTX_EV_COMMIT_ASYNC, /* asked, and every branch is AT */
	GTX_EV_ROLLBACK,     /* asked */
	GTX_EV_TIMEOUT,      /* too long in Begin */
	GTX_EV_RETRYING,     /* a branch failed and will be tried again */
	GTX_EV_GAVE_UP,      /* a branch failed too often */
	GTX_EV_FAILED,       /* a branch can't be finished */
	GTX_EV_TAKEN_UP,     /* no branch is hung any more */
	GTX_EV_DONE,         /* every branch is finished */
	GTX_EVENTS,          /* how many */
};

enum verdict {
	VERDICT_FORBIDDEN, /* cannot happen; asking for it is a bug */
	VERDICT_REFUSE,    /* may be asked; the answer is no */
	VERDICT_STAY,      /* fine, and nothing changes */
	VERDICT_MOVE,
};

struct gtx_rule {
	enum verdict verdict;
	enum gtx_status next; /* the present one but for MOVE */
};

struct gtx_rule gtx_rule(enum gtx_status status, enum gtx_event event);

/* Decided, not finished: phase two is under way, or hung. */
bool gtx_deciding_commit(enum gtx_status status);
bool gtx_deciding_rollback(enum gtx_status status);

#endif
