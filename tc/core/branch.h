#ifndef TC_CORE_BRANCH_H
#define TC_CORE_BRANCH_H

/*
 * What a branch may do next, as a table.
 *
 *   Registered --report--> PhaseOne_Done, _RDONLY (finished), _Failed (finished)
 *
 *   Registered, PhaseOne_Done --command--> PhaseTwo_Committed / _Rollbacked
 *        |                        ^                  (finished)
 *        +--> …Failed_Retryable --+--> STOP_RETRY (gave up; hung)
 *        |    …NOTA_Retryable     |    …Failed_Unretryable (hung)
 *        |                        |         |
 *        |                        +---------+ taken up again by an operator
 *
 * Which side a branch is on is the transaction's decision; a branch that is
 * finished stays as it is whatever late or repeated answers say.
 *
 * Pure.
 */

#include "tc/core/gtx.h"

enum branch_event {
	BRANCH_EV_DONE,   /* report: the local work is committed or prepared */
	BRANCH_EV_RDONLY, /* report: nothing was changed */
	BRANCH_EV_FAILED, /* report: nothing was done */

	BRANCH_EV_COMMITTED,
	BRANCH_EV_COMMIT_LATER,
	BRANCH_EV_COMMIT_NOTA,
	BRANCH_EV_COMMIT_NEVER,
	BRANCH_EV_COMMIT_GAVE_UP,
	BRANCH_EV_COMMIT_TAKEN_UP,

	BRANCH_EV_ROLLBACKED,
	BRANCH_EV_ROLLBACK_LATER,
	BRANCH_EV_ROLLBACK_NOTA,
	BRANCH_EV_ROLLBACK_NEVER,
	BRANCH_EV_ROLLBACK_GAVE_UP,
	BRANCH_EV_ROLLBACK_TAKEN_UP,
	BRANCH_EVENTS, /* how many */
};

struct branch_rule {
	enum verdict verdict;
	enum branch_status next; /* the present one but for MOVE */
};

struct branch_rule branch_rule(enum branch_status status,
			       enum branch_event event);

/* Nothing is left to do. */
bool branch_finished(enum branch_status status);
/* Waits for an operator. */
bool branch_hung(enum branch_status status);

/* What an answer to a command means on this side of the decision. Anything
 * that is not an answer to that command counts as "later". */
enum branch_event branch_answer(bool commit, enum branch_status answer);

#endif
