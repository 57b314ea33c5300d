#include "tc/core/branch.h"

#define MOVE(to)                                                               \
	{                                                                      \
		VERDICT_MOVE, BRANCH_##to                                      \
	}
#define STAY                                                                   \
	{                                                                      \
		VERDICT_STAY, BRANCH_UNKNOWN                                   \
	}
#define REFUSE                                                                 \
	{                                                                      \
		VERDICT_REFUSE, BRANCH_UNKNOWN                                 \
	}

/* A failed command; from any status that still has to be worked on. */
#define COMMIT_FAILS(s)                                                        \
	[s][BRANCH_EV_COMMITTED] = MOVE(COMMITTED),                            \
	[s][BRANCH_EV_COMMIT_NEVER] = MOVE(COMMIT_UNRETRYABLE),                \
	[s][BRANCH_EV_COMMIT_GAVE_UP] = MOVE(STOP_RETRY)
#define ROLLBACK_FAILS(s)                                                      \
	[s][BRANCH_EV_ROLLBACKED] = MOVE(ROLLBACKED),                          \
	[s][BRANCH_EV_ROLLBACK_NEVER] = MOVE(ROLLBACK_UNRETRYABLE),            \
	[s][BRANCH_EV_ROLLBACK_GAVE_UP] = MOVE(STOP_RETRY)

/* A hung branch can only be taken up again, or turn out to be done. */
#define COMMIT_HANGS(s)                                                        \
	[s][BRANCH_EV_COMMITTED] = MOVE(COMMITTED),                            \
	[s][BRANCH_EV_COMMIT_LATER] = STAY, [s][BRANCH_EV_COMMIT_NOTA] = STAY, \
	[s][BRANCH_EV_COMMIT_NEVER] = STAY,                                    \
	[s][BRANCH_EV_COMMIT_TAKEN_UP] = MOVE(COMMIT_RETRYABLE)
#define ROLLBACK_HANGS(s)                                                      \
	[s][BRANCH_EV_ROLLBACKED] = MOVE(ROLLBACKED),                          \
	[s][BRANCH_EV_ROLLBACK_LATER] = STAY,                                  \
	[s][BRANCH_EV_ROLLBACK_NOTA] = STAY,                                   \
	[s][BRANCH_EV_ROLLBACK_NEVER] = STAY,                                  \
	[s][BRANCH_EV_ROLLBACK_TAKEN_UP] = MOVE(ROLLBACK_RETRYABLE)

/* clang-format off: one line a rule is what makes this a table. */
/* What is not written here is forbidden; branch_test.c walks every pair. */
static const struct branch_rule rules[BRANCH_STATUSES][BRANCH_EVENTS] = {
	[BRANCH_REGISTERED][BRANCH_EV_DONE] = MOVE(PHASE_ONE_DONE),
	[BRANCH_REGISTERED][BRANCH_EV_RDONLY] = MOVE(RDONLY),
	[BRANCH_REGISTERED][BRANCH_EV_FAILED] = MOVE(PHASE_ONE_FAILED),
	COMMIT_FAILS(BRANCH_REGISTERED),
	[BRANCH_REGISTERED][BRANCH_EV_COMMIT_LATER] = MOVE(COMMIT_RETRYABLE),
	[BRANCH_REGISTERED][BRANCH_EV_COMMIT_NOTA] = MOVE(COMMIT_NOTA),
	ROLLBACK_FAILS(BRANCH_REGISTERED),
	[BRANCH_REGISTERED][BRANCH_EV_ROLLBACK_LATER] =
		MOVE(ROLLBACK_RETRYABLE),
	[BRANCH_REGISTERED][BRANCH_EV_ROLLBACK_NOTA] = MOVE(ROLLBACK_NOTA),

	[BRANCH_PHASE_ONE_DONE][BRANCH_EV_DONE] = STAY,
	[BRANCH_PHASE_ONE_DONE][BRANCH_EV_RDONLY] = REFUSE,
	[BRANCH_PHASE_ONE_DONE][BRANCH_EV_FAILED] = REFUSE, /* work was done */
	COMMIT_FAILS(BRANCH_PHASE_ONE_DONE),
	[BRANCH_PHASE_ONE_DONE][BRANCH_EV_COMMIT_LATER] =
		MOVE(COMMIT_RETRYABLE),
	[BRANCH_PHASE_ONE_DONE][BRANCH_EV_COMMIT_NOTA] = MOVE(COMMIT_NOTA),
	ROLLBACK_FAILS(BRANCH_PHASE_ONE_DONE),
	[BRANCH_PHASE_ONE_DONE][BRANCH_EV_ROLLBACK_LATER] =
		MOVE(ROLLBACK_RETRYABLE),
	[BRANCH_PHASE_ONE_DONE][BRANCH_EV_ROLLBACK_NOTA] = MOVE(ROLLBACK_NOTA),

	[BRANCH_PHASE_ONE_FAILED][BRANCH_EV_DONE] = REFUSE,
	[BRANCH_PHASE_ONE_FAILED][BRANCH_EV_RDONLY] = REFUSE,
	[BRANCH_PHASE_ONE_FAILED][BRANCH_EV_FAILED] = STAY,

	[BRANCH_RDONLY][BRANCH_EV_DONE] = REFUSE,
	[BRANCH_RDONLY][BRANCH_EV_RDONLY] = STAY,
	[BRANCH_RDONLY][BRANCH_EV_FAILED] = REFUSE,

	COMMIT_FAILS(BRANCH_COMMIT_RETRYABLE),
	[BRANCH_COMMIT_RETRYABLE][BRANCH_EV_COMMIT_LATER] = STAY,
	[BRANCH_COMMIT_RETRYABLE][BRANCH_EV_COMMIT_NOTA] = MOVE(COMMIT_NOTA),

	COMMIT_FAILS(BRANCH_COMMIT_NOTA),
	[BRANCH_COMMIT_NOTA][BRANCH_EV_COMMIT_LATER] = MOVE(COMMIT_RETRYABLE),
	[BRANCH_COMMIT_NOTA][BRANCH_EV_COMMIT_NOTA] = STAY,

	COMMIT_HANGS(BRANCH_COMMIT_UNRETRYABLE),

	[BRANCH_COMMITTED][BRANCH_EV_COMMITTED] = STAY,
	[BRANCH_COMMITTED][BRANCH_EV_COMMIT_LATER] = STAY,
	[BRANCH_COMMITTED][BRANCH_EV_COMMIT_NOTA] = STAY,
	[BRANCH_COMMITTED][BRANCH_EV_COMMIT_NEVER] = STAY,

	ROLLBACK_FAILS(BRANCH_ROLLBACK_RETRYABLE),
	[BRANCH_ROLLBACK_RETRYABLE][BRANCH_EV_ROLLBACK_LATER] = STAY,
	[BRANCH_ROLLBACK_RETRYABLE][BRANCH_EV_ROLLBACK_NOTA] =
		MOVE(ROLLBACK_NOTA),

	ROLLBACK_FAILS(BRANCH_ROLLBACK_NOTA),
	[BRANCH_ROLLBACK_NOTA][BRANCH_EV_ROLLBACK_LATER] =
		MOVE(ROLLBACK_RETRYABLE),
	[BRANCH_ROLLBACK_NOTA][BRANCH_EV_ROLLBACK_NOTA] = STAY,

	ROLLBACK_HANGS(BRANCH_ROLLBACK_UNRETRYABLE),

	[BRANCH_ROLLBACKED][BRANCH_EV_ROLLBACKED] = STAY,
	[BRANCH_ROLLBACKED][BRANCH_EV_ROLLBACK_LATER] = STAY,
	[BRANCH_ROLLBACKED][BRANCH_EV_ROLLBACK_NOTA] = STAY,
	[BRANCH_ROLLBACKED][BRANCH_EV_ROLLBACK_NEVER] = STAY,

	COMMIT_HANGS(BRANCH_STOP_RETRY),
	ROLLBACK_HANGS(BRANCH_STOP_RETRY),
};
/* clang-format on */

struct branch_rule branch_rule(enum branch_status status,
			       enum branch_event event)
{
	struct branch_rule rule;

	REQUIRE((int)status >= 0 && status < BRANCH_STATUSES);
	REQUIRE((int)event >= 0 && event < BRANCH_EVENTS);
	rule = rules[status][event];
	if (rule.verdict != VERDICT_MOVE)
		rule.next = status;
	return rule;
}

bool branch_finished(enum branch_status status)
{
	return status == BRANCH_COMMITTED || status == BRANCH_ROLLBACKED ||
	       status == BRANCH_RDONLY || status == BRANCH_PHASE_ONE_FAILED;
}

bool branch_hung(enum branch_status status)
{
	return status == BRANCH_COMMIT_UNRETRYABLE ||
	       status == BRANCH_ROLLBACK_UNRETRYABLE ||
	       status == BRANCH_STOP_RETRY;
}

enum branch_event branch_answer(bool commit, enum branch_status answer)
{
	switch (answer) {
	case BRANCH_COMMITTED:
		return commit ? BRANCH_EV_COMMITTED : BRANCH_EV_ROLLBACK_LATER;
	case BRANCH_COMMIT_NOTA:
		return commit ? BRANCH_EV_COMMIT_NOTA
			      : BRANCH_EV_ROLLBACK_LATER;
	case BRANCH_COMMIT_UNRETRYABLE:
		return commit ? BRANCH_EV_COMMIT_NEVER
			      : BRANCH_EV_ROLLBACK_LATER;
	case BRANCH_ROLLBACKED:
		return commit ? BRANCH_EV_COMMIT_LATER : BRANCH_EV_ROLLBACKED;
	case BRANCH_ROLLBACK_NOTA:
		return commit ? BRANCH_EV_COMMIT_LATER
			      : BRANCH_EV_ROLLBACK_NOTA;
	case BRANCH_ROLLBACK_UNRETRYABLE:
		return commit ? BRANCH_EV_COMMIT_LATER
			      : BRANCH_EV_ROLLBACK_NEVER;
	default:
		return commit ? BRANCH_EV_COMMIT_LATER
			      : BRANCH_EV_ROLLBACK_LATER;
	}
}
