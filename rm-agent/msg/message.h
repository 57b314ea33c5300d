#ifndef RM_AGENT_MSG_MESSAGE_H
#define RM_AGENT_MSG_MESSAGE_H

/*
 * A message of this program: a transaction object of kind MESSAGE.
 */

#include "rm-agent/agent.h"
#include "rm-agent/db/db.h"

#include <treaty/msg.h>

struct treaty_msg {
	struct treaty_tx *tx;
	char *barrier_table; /* NULL: the default */
	bool answered_for;   /* it has a producer */
	size_t n;            /* times that something was added */
	bool doubtful;       /* an addition may be there or not */
};

/* Its row in the barrier. */
struct treaty_barrier message_barrier(const struct treaty_msg *m);

/* OK if it is undecided and its deliveries are certain; else E_STATE. */
MUST_CHECK int message_check(const struct treaty_msg *m);

/* What the barrier's verdict means for the local transaction; OK: go on. */
MUST_CHECK int message_judge(const struct treaty_msg *m, int rc,
			     enum treaty_barrier_verdict verdict);

#endif
