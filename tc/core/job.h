#ifndef TC_CORE_JOB_H
#define TC_CORE_JOB_H

/*
 * A job is something that a participant has to be told until it answers: phase
 * two of a branch, the back-check of a message, a call of a saga. This is what
 * they have in common: the wait for a place at a peer, the command under way,
 * the time after which it counts as lost, and the pause until the next attempt.
 *
 *                job_queue()
 *   NONE, DUE, … -----------> QUEUED <----------------------------+
 *                               |  (its row is not durable: HELD) |
 *               a place is free |                                 |
 *                               v                                 |
 *   NONE <----- answered ---- FLIGHT --- the peer went away ------+
 *                               |                                 |
 *        failed, or no answer:  v  job_due()               due    |
 *                              DUE -------------------------------+
 *
 * BLOCKED, SILENT and HUNG are the owner's: nothing happens there by itself
 * but what the owner does.
 *
 * A kind of job is added like this:
 *  1. a value of enum job_kind, and a row of the table in job.c: its hooks;
 *  2. a struct that has the job in it: job_init() when it is made (the lane is
 *     the owner's to get, job.lane, and job_fini() puts it back), job_fini()
 *     when it is freed;
 *  3. a line in handle_done() (job.c): who hears the answer. The owner finds
 *     the object, asks job_answered_by() whether the answer is that of the
 *     attempt under way, and in its own unit moves the job on: job_place(),
 *     job_due() or job_queue(). The peer is trusted again by job.c.
 *
 * Rules
 * -----
 *  - Only job_place() and what is built on it changes .place, .at and .peer.
 *  - A command leaves only when every row up to .rests_on is durable: an owner
 *    whose command follows from a row calls job_hold() with that row's number
 *    and then job_queue().
 *  - A lost command, a late answer and a repeated one are all normal: hooks get
 *    every one of them.
 *
 * Pure.
 */

#include "tc/core/await.h"
#include "tc/core/peers.h"

enum job_kind {
	JOB_BRANCH, /* phase two of a branch (phase_two.c) */
	JOB_CHECK,  /* was a message's local transaction committed? */
	JOB_CALL,   /* a saga's action or compensation */
	JOB_KINDS,  /* how many */
};

enum place {
	PLACE_NONE,    /* nothing is to be told now */
	PLACE_BLOCKED, /* something else must be finished first */
	PLACE_SILENT,  /* finishes without a command; .at: core.silent */
	PLACE_QUEUED,  /* waits for a place at a peer */
	PLACE_FLIGHT,  /* a command is under way; .timer: then it is lost */
	PLACE_DUE,     /* .timer: then it is tried again */
	PLACE_HELD,    /* its row is on its way to the disk */
	PLACE_HUNG,    /* waits for an operator */
	PLACES,        /* how many */
};

struct job {
	enum job_kind kind;
	enum place place;
	struct list at;        /* queue or flight of a peer, or a lane */
	struct lane *lane;     /* who may be told; put back by job_fini() */
	struct bytes instance; /* preferred, the owner's; empty: any */
	struct peer *peer;     /* PLACE_FLIGHT */
	uint64_t command;      /* of the last attempt */
	struct timer timer;
	uint64_t timeout_ms; /* of a command; 0: as configured */
	uint32_t attempts;   /* commands sent */
	uint32_t failures;   /* attempts that count as failed */
	uint32_t busy;       /* answers "in progress" one after another */
	uint64_t rests_on;   /* the row that must be durable first */
	struct promise held; /* for it */
};

/* What is particular to a kind. */
struct job_hooks {
	/* Fill in the rest: .peer, .id, .attempt, .resource, .xid and
	 * .timeout_ms are there. Texts may come from the step's arena; no
	 * memory is noticed by the caller (fx_ok). Changes nothing. */
	void (*command)(struct core *c, const struct job *j,
			struct command *out);
	/* It has left: .peer, .command and .attempts are new. Or NULL. */
	void (*sent)(struct core *c, struct job *j);
	/* No answer in time; `error` says so. One unit: OK, and it is not in
	 * PLACE_FLIGHT any more, or E_NOMEM and nothing has happened. */
	int (*lost)(struct core *c, struct job *j, struct bytes error);
	/* Its peer went away while it was under way. It is not in PLACE_FLIGHT
	 * any more afterwards. NULL: it is queued again. */
	void (*gone)(struct core *c, struct job *j);
	/* The transaction that it belongs to. */
	uint64_t (*gtx)(const struct job *j);
};

/* OK, or E_NOMEM: no room for its timer. The struct must be zeroed. */
MUST_CHECK int job_init(struct core *c, struct job *j, enum job_kind kind);
/* It must be in no queue: job_place(PLACE_NONE) came first. */
void job_fini(struct core *c, struct job *j);

/* Out of wherever it is, and there. Not for QUEUED, FLIGHT and DUE. */
void job_place(struct core *c, struct job *j, enum place place);
/* Tell it as soon as there is a place. */
void job_queue(struct core *c, struct job *j);
/* The same, so long from now. */
void job_due(struct core *c, struct job *j, uint64_t in_ms);
/* No command leaves before every row up to `seq` is durable. What is queued
 * already must be queued again; what is under way stays so. */
void job_hold(struct core *c, struct job *j, uint64_t seq);
/* Its promise is kept (unit_promise). */
void job_held(struct core *c, struct job *j);

/* Invariants; for tests and the simulator (check.c). */
void job_check(const struct job *j);

/* Is this the answer of the attempt under way? */
bool job_answered_by(const struct job *j, const struct branch_done *done);

/* How long to wait after so many failures, with jitter: from retry_ms_first to
 * retry_ms_max. */
uint64_t job_back_off(struct core *c, uint32_t failures);

/* What the caller of core_step() says. */
MUST_CHECK int handle_done(struct core *c, const struct branch_done *done);
MUST_CHECK int handle_peer_up(struct core *c, const struct peer_up *up);
void handle_peer_gone(struct core *c, uint64_t id);

/* Units: 1 did something, 0 nothing to do, E_NOMEM. */
MUST_CHECK int unit_send(struct core *c);
/* The timer of PLACE_FLIGHT or PLACE_DUE ran out. OK or E_NOMEM. */
MUST_CHECK int job_timer(struct core *c, struct job *j);

#endif
