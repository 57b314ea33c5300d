#ifndef TC_CORE_OPERATION_H
#define TC_CORE_OPERATION_H

/*
 * A request of somebody who operates: what it would do, compare-and-set, and
 * the audit log, the same for every request.
 *
 *  - operate() looks whether the transaction is still what the operator saw,
 *    and lets the request's own handler do the rest.
 *  - The handler stages, and says its answer: answer_stage() hands that to
 *    operation_note(). What is staged then is what is about to be done, so the
 *    sentences for people are read off it and cannot differ from it.
 *  - A dry run ends there: the handler hears that there is no memory for the
 *    answer, and takes back everything, as it must.
 *  - Else FX_AUDIT joins the step, and the answer waits until it is durable.
 */

#include "tc/core/core.h"

struct answer;
struct gtx;

struct operation {
	const struct request *rq;
	size_t mark;           /* effects before it are not its own */
	struct answer *answer; /* of a dry run, in the step's arena; or NULL */
};

/* Does it say who asks, what was seen, or that it is only tried? */
bool is_operated(const struct request *rq);
/* handle_request() for those that do. One unit. */
MUST_CHECK int operate(struct core *c, const struct request *rq);
/* One operation is under way and will be answered so. OK, with what it adds to
 * the answer and which row that rests on; or E_NOMEM. */
MUST_CHECK int operation_note(struct core *c, struct answer *a,
			      uint64_t *rests_on);

/* Why, and who: for the history. Cut; in the step's arena or borrowed. */
struct bytes request_why(struct core *c, const struct request *rq);

/* What people can see of its state as a number: another state, another number;
 * the same state, the same number, also after a restart. Never 0. */
uint64_t gtx_revision(const struct gtx *g);

#endif
