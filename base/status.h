#ifndef BASE_STATUS_H
#define BASE_STATUS_H

/*
 * Status codes of global transactions and branches, and branch modes: the
 * numbers and names of Apache Seata 2.x (core/model/GlobalStatus.java,
 * BranchStatus.java, BranchType.java), so that people and programs that know
 * those know these. Modes from 32 up are Treaty's own.
 */

#include "base/base.h"

enum gtx_status {
	GTX_UNKNOWN = 0,
	GTX_BEGIN = 1,
	GTX_COMMITTING = 2,
	GTX_COMMIT_RETRYING = 3,
	GTX_ROLLBACKING = 4,
	GTX_ROLLBACK_RETRYING = 5,
	GTX_TIMEOUT_ROLLBACKING = 6,
	GTX_TIMEOUT_ROLLBACK_RETRYING = 7,
	GTX_ASYNC_COMMITTING = 8,
	GTX_COMMITTED = 9,
	GTX_COMMIT_FAILED = 10, /* hung: an operator must look */
	GTX_ROLLBACKED = 11,
	GTX_ROLLBACK_FAILED = 12, /* hung */
	GTX_TIMEOUT_ROLLBACKED = 13,
	GTX_TIMEOUT_ROLLBACK_FAILED = 14, /* hung */
	GTX_FINISHED = 15, /* Seata's answer for an unknown xid; never ours */
	GTX_COMMIT_RETRY_TIMEOUT = 16,   /* hung: gave up retrying */
	GTX_ROLLBACK_RETRY_TIMEOUT = 17, /* hung: gave up retrying */
	GTX_DELETING = 18,
	GTX_STOP_COMMIT = 19,   /* an operator stopped the retries */
	GTX_STOP_ROLLBACK = 20, /* an operator stopped the retries */
	GTX_STATUSES,           /* how many */
};

enum branch_status {
	BRANCH_UNKNOWN = 0,
	BRANCH_REGISTERED = 1,
	BRANCH_PHASE_ONE_DONE = 2,
	BRANCH_PHASE_ONE_FAILED = 3,
	BRANCH_PHASE_ONE_TIMEOUT = 4,
	BRANCH_COMMITTED = 5,
	BRANCH_COMMIT_RETRYABLE = 6,
	BRANCH_COMMIT_UNRETRYABLE = 7,
	BRANCH_ROLLBACKED = 8,
	BRANCH_ROLLBACK_RETRYABLE = 9,
	BRANCH_ROLLBACK_UNRETRYABLE = 10,
	BRANCH_COMMIT_NOTA = 11,
	BRANCH_ROLLBACK_NOTA = 12,
	BRANCH_RDONLY = 13,
	BRANCH_STOP_RETRY = 14,
	BRANCH_PREPARE_FAILED = 15,
	BRANCH_STATUSES, /* how many */
};

enum branch_mode {
	MODE_AT = 0,
	MODE_TCC = 1,
	MODE_SAGA = 2,
	MODE_XA = 3,
	MODE_SAGA_ANNOTATION = 4,
	MODE_MSG = 32,
};

/* Names as Seata spells them, e.g. "RollbackRetrying"; "Unknown" for a number
 * that has none. Never NULL. */
const char *gtx_status_name(int status);
const char *branch_status_name(int status);
const char *branch_mode_name(int mode); /* "AT", "TCC", … */

/* Nothing more will happen by itself and nothing is left to do. */
bool gtx_status_finished(int status);
/* Will not finish without an operator. */
bool gtx_status_hung(int status);

#endif
