#include "rm-agent/xa/verdict.h"

#define DONE(s)                                                                \
	{                                                                      \
		BRANCH_##s, "", false                                          \
	}
#define LATER(s, text)                                                         \
	{                                                                      \
		BRANCH_##s, text, false                                        \
	}
#define ALARM(s, text)                                                         \
	{                                                                      \
		BRANCH_##s, text, true                                         \
	}

#define GHOST                                                                  \
	"the database answered OK and did nothing: its engine holds the "      \
	"branch without a session until the server is restarted; restart it, " \
	"the branch is finished then"
#define ATTACHED                                                               \
	"the branch is prepared but belongs to a session that still lives"
#define HELD "the branch is not listed, but what it wrote is still held"

/* clang-format off: one line a rule is what makes this a table. */
static const struct xa_verdict commits[XA_ANSWERS][XA_TRACES] = {
	[XA_ANSWER_DONE][XA_TRACE_NONE] = ALARM(COMMIT_RETRYABLE, GHOST),
	[XA_ANSWER_DONE][XA_TRACE_COMMITTED] = DONE(COMMITTED),
	[XA_ANSWER_DONE][XA_TRACE_ABORTED] = ALARM(COMMIT_RETRYABLE, GHOST),
	[XA_ANSWER_DONE][XA_TRACE_OPEN] = ALARM(COMMIT_RETRYABLE, GHOST),
	[XA_ANSWER_NOTA][XA_TRACE_NONE] =
		ALARM(COMMIT_UNRETRYABLE, "heuristic outcome: the branch is "
					  "neither prepared nor is there "
					  "a trace that it was committed; "
					  "compare the data and resolve it"),
	[XA_ANSWER_NOTA][XA_TRACE_COMMITTED] = DONE(COMMITTED),
	[XA_ANSWER_NOTA][XA_TRACE_ABORTED] = ALARM(
		COMMIT_UNRETRYABLE,
		"heuristic outcome: the branch was rolled back by somebody "
		"else "
		"although its transaction is committed; repair the data and "
		"resolve it"),
	[XA_ANSWER_NOTA][XA_TRACE_OPEN] = ALARM(COMMIT_NOTA, HELD),
};
static const struct xa_verdict rollbacks[XA_ANSWERS][XA_TRACES] = {
	[XA_ANSWER_DONE][XA_TRACE_NONE] = DONE(ROLLBACKED),
	[XA_ANSWER_DONE][XA_TRACE_COMMITTED] = ALARM(
		ROLLBACK_UNRETRYABLE,
		"the database answered OK to the rollback, but the branch is "
		"committed"),
	[XA_ANSWER_DONE][XA_TRACE_ABORTED] = DONE(ROLLBACKED),
	[XA_ANSWER_DONE][XA_TRACE_OPEN] = ALARM(ROLLBACK_RETRYABLE, GHOST),
	/* Never prepared, or not yet: recovery looks again and again. */
	[XA_ANSWER_NOTA][XA_TRACE_NONE] = DONE(ROLLBACKED),
	[XA_ANSWER_NOTA][XA_TRACE_COMMITTED] = ALARM(
		ROLLBACK_UNRETRYABLE,
		"heuristic outcome: the branch was committed by somebody else "
		"although its transaction is rolled back; repair the data and "
		"resolve it"),
	[XA_ANSWER_NOTA][XA_TRACE_ABORTED] = DONE(ROLLBACKED),
	[XA_ANSWER_NOTA][XA_TRACE_OPEN] = LATER(ROLLBACK_NOTA, HELD),
};
/* clang-format on */

struct xa_verdict xa_judge(bool commit, enum xa_answer answer, bool listed,
			   enum xa_trace trace)
{
	static const struct xa_verdict attached[2] = {
		LATER(ROLLBACK_NOTA, ATTACHED),
		LATER(COMMIT_NOTA, ATTACHED),
	};

	REQUIRE((int)answer >= 0 && answer < XA_ANSWERS);
	REQUIRE((int)trace >= 0 && trace < XA_TRACES);
	if (answer == XA_ANSWER_NOTA && listed)
		return attached[commit];
	return commit ? commits[answer][trace] : rollbacks[answer][trace];
}
