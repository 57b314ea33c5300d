#ifndef TC_CORE_SAGA_RUN_H
#define TC_CORE_SAGA_RUN_H

/*
 * Runs of sagas: a transaction of kind SAGA is decided by tc/saga. What happens
 * (an answer, a time, an operator) is given to the run's last state; the next
 * state becomes a row, and the calls that came with it leave when it is there.
 *
 *   tc/saga's status           the transaction's
 *   running                    Begin; also while a trigger compensates
 *   compensating               Rollbacking; RollbackRetrying while it retries
 *   hung on the way there      CommitFailed
 *   hung on the way back       RollbackFailed
 *   succeeded                  Committed
 *   failed, compensated        Rollbacked
 *
 * Rules
 * -----
 *  - A state that makes calls, or changes the transaction's status, is forced;
 *    any other one is lazy: losing it means that the same is asked again. The
 *    end is forced if somebody waits for it, or as soon as somebody asks.
 *  - An attempt is a struct call. What tc/saga takes for lost leaves the queue;
 *    one that is under way keeps its place at the peer until the peer has had
 *    its time, so that a peer that never answers is found out.
 *  - A call whose peer went away is answered "unknown": it may have been made.
 *  - A late "done" counts: attempts are kept a while for that.
 *  - Times of tc/saga are the core's clock plus an offset to the wall clock,
 *    which is looked at once, when the core is ready.
 */

#include "tc/core/job.h"
#include "tc/core/machines.h"
#include "tc/core/saga_key.h"

struct gtx;
struct tomb;

struct saga_run {
	struct machine *machine;
	struct bytes state;       /* owned */
	struct bytes participant; /* owned; handed out with each call */
	struct saga_key *key;     /* NULL: none */
	struct bytes error;       /* owned; "name: message", for people */
	enum saga_status status;
	bool backward;
	uint32_t tasks;      /* called up to here, since it was loaded */
	struct list calls;   /* attempts, oldest first */
	struct list resumes; /* on saga_core.resumes after a load */

	uint64_t number;         /* of its transaction */
	uint64_t machine_id;     /* while loading */
	struct bytes loaded_key; /* while loading; owned */
};

struct call {
	struct job job;
	struct list of_run;
	struct list dead;
	struct list lost; /* on saga_core.lost: its peer went away */
	struct gtx *gtx;
	uint32_t task;
	uint32_t attempt;
	uint32_t of; /* compensation: the task that is undone */
	bool compensation;
	bool given_up;     /* tc/saga takes it for lost */
	uint64_t lost_ms;  /* when it will; 0: never */
	struct bytes step; /* these point behind the struct */
	struct bytes service;
	struct bytes method;
	struct bytes input;
};

/* What the core has for sagas. */
struct saga_core {
	struct machines machines;
	struct saga_keys keys;
	struct saga_turn turn; /* of the unit that is at work */
	uint64_t offset_ms; /* tc/saga's clock less the core's, modulo 2^64 */
	struct list resumes;
	struct list lost;
	struct list orphans; /* loading: runs, by .resumes */
	struct list dead_calls;
	struct list dead_machines;
};

/* The end of a transaction, staged. */
struct ending {
	enum gtx_status status;
	bool lazy;
	struct tomb *tomb;
	struct bytes detail; /* of a saga: in the step's arena */
};

/* A move of a run that is staged. */
struct saga_move_staged {
	bool idle; /* nothing changed */
	struct bytes state, error;
	struct list calls;
	enum gtx_status next;
	bool news; /* another status, for those who ask */
	bool ends;
	bool forced;
	struct ending ending;
};

#endif
