#ifndef RM_AGENT_XA_VERDICT_H
#define RM_AGENT_XA_VERDICT_H

/*
 * What a phase-two command has come to, judged from facts: what the database
 * answered, whether it still lists the branch, and the trace that a finished
 * branch leaves (PostgreSQL: the status of its transaction id; MySQL: a row
 * that was written within the branch).
 *
 * Rules
 * -----
 *  - "No such transaction" alone decides nothing: it may be attached to another
 *    session, finished by us before, finished by somebody else, or never have
 *    been prepared.
 *  - Done is only said on positive evidence. What contradicts the decision is
 *    a heuristic outcome and waits for an operator.
 *
 * Pure.
 */

#include "base/status.h"

enum xa_answer {
	XA_ANSWER_DONE, /* the database says it did it */
	XA_ANSWER_NOTA, /* it knows no such transaction */
	XA_ANSWERS,
};

enum xa_trace {
	XA_TRACE_NONE,      /* nothing is known of it */
	XA_TRACE_COMMITTED, /* what it wrote is there */
	XA_TRACE_ABORTED,   /* what it wrote is not there and never will be */
	XA_TRACE_OPEN,      /* neither: something still holds it */
	XA_TRACES,
};

struct xa_verdict {
	enum branch_status status;
	const char *text; /* for people; "" if all is well */
	bool alarm;       /* a database has broken its promise */
};

struct xa_verdict xa_judge(bool commit, enum xa_answer answer, bool listed,
			   enum xa_trace trace);

#endif
