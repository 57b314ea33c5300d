#ifndef RM_AGENT_CALL_H
#define RM_AGENT_CALL_H

/*
 * One request to the coordinator, and the wait for its end.
 */

#include "base/arena.h"
#include "rm-agent/handle.h"

struct call {
	struct treaty *t;
	struct list link; /* with the others that wait */
	/* Instead of waking a waiter: what to do at the end. Locked. The call
	 * frees itself. */
	void (*then)(struct call *c, const struct session_output *end);
	pthread_cond_t ended;
	bool done;
	int err;
	struct buf body; /* what .reply borrows from */
	struct arena arena;
	struct msg reply;
	bool handlers; /* without threads: run phase two meanwhile */
};

/*
 * Ask and wait. OK: .reply is the answer, with an .err of its own. Else as the
 * session says (session.h: E_TIMEOUT, E_UNKNOWN, E_CLOSED, E_DENIED, …),
 * E_LIMIT, E_NOMEM; a text is set that starts with `what` and the message's
 * xid. call_fini() in any case. Not locked, but inside the handle.
 */
MUST_CHECK int call_wait(struct treaty *t, const struct msg *m,
			 uint64_t timeout_ms, const char *what, struct call *c);
void call_fini(struct call *c);

/* Ask; `then` is called with the end. On an error it is not. Locked. */
MUST_CHECK int call_later(struct treaty *t, const struct msg *m,
			  uint64_t timeout_ms, struct call *c);
/* Ask and forget. Not locked, but inside the handle. */
void call_forget(struct treaty *t, const struct msg *m);

/* Wake the call that does the loop's work. Locked. */
void call_wake(struct treaty *t);

/* The session has ended a request of ours. Locked. */
void call_end(struct call *c, const struct session_output *end);

/* The coordinator's own error code as ours; sets the text that it sent. */
int call_refused(const struct call *c, const char *what, struct bytes xid);

#endif
