#ifndef RM_AGENT_HANDLE_H
#define RM_AGENT_HANDLE_H

/*
 * The inside of a handle: one lock, the session, the transport, the runner of
 * phase two, and who is inside a call.
 *
 * Rules
 * -----
 *  - treaty.lock guards everything here but what is said to be constant. It is
 *    never held while a callback of the program or a mode runs, nor while
 *    anything waits for the network.
 *  - A call of the public interface is between handle_enter() and
 *    handle_leave(); as long as one is inside, nothing is freed.
 *  - struct treaty itself is never freed, so that a use after the close is an
 *    error code and not a crash. It is small, the rest hangs on .agent.
 */

#include "rm-agent/agent.h"
#include "rm-agent/runner.h"
#include "rm-agent/session/session.h"
#include "rm-agent/transport.h"

#include <pthread.h>

#define HOOKS_MAX 8

enum handle_state { HANDLE_OPEN, HANDLE_CLOSING, HANDLE_CLOSED };

struct hook {
	treaty_hook call;
	void *ctx;
};

/* A block of numbers: next … end - 1. */
struct id_block {
	uint64_t next;
	uint64_t end;
};

struct call;

struct agent {
	/* constant */
	struct treaty_options options; /* text of it is not kept */
	bool threaded;

	char coordinator[XID_LEN_MAX]; /* name of who welcomed us last */
	struct session *session;
	struct transport *transport;
	struct runner runner;
	uint32_t sp_id;         /* of the last message that was sent */
	bool blocked;           /* the transport took nothing the last time */
	uint64_t loop_until_ms; /* the loop's thread sleeps that long */

	/* Of the calls that wait, one does the loop's work; see call.c. */
	struct list waiting;     /* the others */
	const struct call *pump; /* that one; NULL: none */
	bool pump_sleeps;        /* … in transport_wait_call() */
	bool pump_woken;         /* … and was woken */
	uint64_t pump_until_ms;
	uint64_t random; /* state of random_next(), for client keys */
	struct hook hooks[HOOKS_MAX];
	size_t n_hooks;
	struct id_block ids;
	struct id_block ids_spare;
	bool ids_wanted; /* a block is being fetched ahead */

	bool stop; /* threads end */
	bool loop_runs;
	pthread_t loop;
};

struct treaty {
	struct treaty *next; /* all that were ever opened */
	pthread_mutex_t lock;
	pthread_cond_t changed; /* users or running commands became fewer */
	enum handle_state state;
	bool in_close;
	unsigned users;      /* calls that are inside */
	unsigned generation; /* forks before the opening; constant */
	struct agent *agent; /* NULL: closed */
};

/* ---- inside a call ---- */

/* OK: count as inside, until handle_leave(). E_INVALID (NULL), E_STATE (after
 * fork), E_CLOSED; with a text. The lock is not held. */
MUST_CHECK int handle_enter(struct treaty *t);
void handle_leave(struct treaty *t);
void handle_lock(struct treaty *t);
void handle_unlock(struct treaty *t);

/* E_STATE with a text if this process was forked after the opening. */
MUST_CHECK int handle_check_fork(const struct treaty *t);

/* Callbacks of the program run between these; treaty_close() refuses then. */
void callback_enter(void);
void callback_leave(void);
bool callback_inside(void);

/* ---- the loop ---- */

uint64_t clock_ms(void); /* monotonic */

/* Read, act, send: what is possible now. Locked. */
void loop_turn(struct treaty *t);
/* Send what is queued, wake who does the loop's work if it sleeps too long.
 * Locked. */
void loop_flush(struct treaty *t);
/* What the session wants us to do. Locked. */
void loop_outputs(struct treaty *t);
/* When the next turn is wanted; locked. */
uint64_t loop_deadline(const struct treaty *t);
/* Wait for something to do until then; not locked. */
void loop_wait(struct treaty *t, uint64_t until_ms);
/* Milliseconds from now until then, for poll(): -1 for never. */
int loop_timeout(uint64_t until_ms);
MUST_CHECK int loop_start(struct treaty *t);
void loop_stop(struct treaty *t);

/* ---- hooks ---- */

/* Call all; the first negative code, or OK. Not locked. */
int hooks_run(struct treaty *t, const struct treaty_hook_event *event);

#endif
