#ifndef TC_DOOR_CALLER_OUTCOME_H
#define TC_DOOR_CALLER_OUTCOME_H

/*
 * What the answer of an HTTP participant means for the branch, message or saga.
 *
 *            COMMIT          ROLLBACK          CHECK            CALL
 *   2xx      committed       rolled back       committed        done, output
 *   409      hung            hung              rolled back      refused
 *   425      in progress     in progress       in progress      in progress
 *   others   retryable       retryable         retryable        retryable
 *
 * Rules
 * -----
 *  - An answer that did not arrive in full is no answer: unknown, try again.
 *    Only where the body has no meaning (all but CALL) one that is too long is
 *    cut, as its status has been said.
 *  - The output of a CALL is a body of type application/json (or …+json). One
 *    that says so and is not JSON, or is too long, is no answer either: done
 *    without its output would be a guess. Bodies of other types are passed over.
 *  - A refused CALL may say {"error": NAME, "message": TEXT}.
 *
 * Pure.
 */

#include "base/arena.h"
#include "tc/core/core.h"
#include "tc/door/caller_request.h"

struct caller_answer {
	int http;          /* its status; 0: there is no whole answer */
	struct bytes why;  /* then: a sentence's end, "it was not reached" */
	struct bytes type; /* Content-Type */
	struct bytes body; /* as much as was kept */
	bool cut;          /* of more */
};

/*
 * Fill in what .type of the command says about the answer: .status,
 * .in_progress, .error, .error_name, .detail; the rest of *done is left alone.
 * Texts live in the arena or are the answer's. Without memory the outcome is
 * retryable.
 */
void caller_outcome(struct branch_done *done, struct arena *arena,
		    const struct caller_request *rq,
		    const struct caller_answer *answer);

/* Nothing was called: that may change (retryable), or never will. */
void caller_not_called(struct branch_done *done, bool for_ever,
		       struct bytes why);

#endif
