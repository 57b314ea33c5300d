#ifndef TC_SAGA_SAGA_H
#define TC_SAGA_SAGA_H

/*
 * Sagas without the world: a definition, the state of one run as bytes and one
 * thing that happened give the next state and the calls to make.
 *
 *   saga_def_new(&def, mem, json, &lookup, &why);
 *   saga_begin(def, &limits, &start, &turn);      store turn.state, then call
 *   saga_step(def, &limits, state, &event, &turn);  the same, until it ended
 *
 * Rules
 * -----
 *  - A call may be made only when the state that came with it is durable. After
 *    a crash hand SAGA_EV_RESUME to the last durable state: what may have been
 *    called and not answered is called again, with the same task and attempt.
 *    So a participant may see a call twice, and must know it by its task.
 *  - A failed function changes nothing: the old state stays good.
 *  - Times are milliseconds of one clock of the caller's that survives a
 *    restart. If it was set back, waiting lasts at most one ceiling longer.
 *  - A definition never changes; sub-machines are bound when it is made, and
 *    must live longer than it. A state only fits the definition (and versions
 *    of sub-machines) that it was made with.
 *
 * Data
 * ----
 *  - Each machine has data of its own, a JSON object: what it was started with
 *    and what Output put there; in a graph the result of each step under its
 *    name. Expressions (expr.h) see it as their root.
 *  - The elements of a loop also see ElementVariableName and ElementIndexName,
 *    and so do their compensations; CompletionCondition sees nrOfInstances,
 *    nrOfActiveInstances and nrOfCompletedInstances. What Output takes from the
 *    elements becomes a list in their order, null for those that did not run.
 *  - A sub-machine is started with the first object of its Input, and its data
 *    is the output of its state. Behind a Catch there is [exception] with name
 *    and message. A graph's step without "input" gets all data.
 *
 * Answers
 * -------
 *  - DONE with an output, REFUSED (definitely not done), IN_PROGRESS (ask
 *    again; no failure), UNKNOWN (everything else; retried). A call without an
 *    answer within timeout_ms is UNKNOWN by itself (error "timeout").
 *  - A refusal after an unknown attempt (or one that a crash left unheard) is
 *    still a refusal, but the step is undone: that attempt may have done it.
 *    So a compensation must bear that there is nothing to undo, and an action
 *    that comes after its compensation must do nothing (the barrier's rules).
 *  - DONE counts whichever attempt it answers; anything else only if it answers
 *    the attempt under way. Answers for what is settled change nothing.
 *
 * Failure
 * -------
 *  - A refusal is retried only if a retry rule names its error. An unknown
 *    outcome is retried by the first rule that fits or, without any rule, by
 *    limits.unknown. Then the first fitting Catch takes over.
 *  - Without one: recovery forward retries (limits.recovery) until it is done;
 *    recovery backward starts nothing new, waits for what is under way, and
 *    then undoes what is done or unknown, one after another, last completed
 *    first. A step without compensation needs none.
 *  - A compensation is never given up: it is retried whatever it answers. Where
 *    the attempts of a policy end, the saga hangs until an operator acts.
 *  - A Fail state undoes what is done and not yet compensated. A failed
 *    sub-machine undoes itself and then counts as refused in its parent, where
 *    a retry rule that names its error runs it anew; one that succeeded is
 *    undone in its place in the parent's order.
 *
 * Pure. No function here reads a clock or keeps anything.
 */

#include "base/arena.h"
#include "base/buf.h"

/* ---- definitions ---- */

struct saga_def;

/* Finds a machine that an earlier saga_def_new() made; NULL if there is none */
struct saga_lookup {
	const struct saga_def *(*find)(void *ctx, struct bytes name);
	void *ctx;
};

/* Seata's state language, or a graph of steps (a document with "steps").
 * E_INVALID: *why gains "path: reason" (the first one); E_NOMEM. lookup may be
 * NULL. Freed by saga_def_free(). */
MUST_CHECK int saga_def_new(struct saga_def **out, const struct mem *mem,
			    struct bytes json, const struct saga_lookup *lookup,
			    struct buf *why);
void saga_def_free(struct saga_def *def); /* NULL is fine */

struct bytes saga_def_name(const struct saga_def *def);
struct bytes saga_def_version(const struct saga_def *def); /* or empty */
/* Of the document and the sub-machines in it. */
uint64_t saga_def_fingerprint(const struct saga_def *def);
/* Every service that it calls itself, state by state: `method` is empty in a
 * graph, where a step gives its action and its compensation. Ends early, with
 * false, when `each` returns false. */
bool saga_def_services(const struct saga_def *def,
		       bool (*each)(void *ctx, struct bytes state,
				    struct bytes service, struct bytes method),
		       void *ctx);

/* ---- limits ---- */

struct saga_policy {
	uint64_t interval_ms;   /* before the first retry */
	uint32_t rate_permille; /* each one later by this; 1000: the same */
	uint64_t ceiling_ms;
	uint32_t attempts; /* retries; 0: no end */
};

struct saga_limits {
	size_t data_max;       /* bytes of a run's data, as JSON, per machine */
	size_t tasks_max;      /* states entered in one run, loops unrolled */
	uint64_t ask_again_ms; /* after IN_PROGRESS */
	uint64_t timeout_ms;   /* of a call that names none; 0: none */
	struct saga_policy unknown;  /* where no retry rule is given */
	struct saga_policy recovery; /* forward, and of compensations */
};

struct saga_limits saga_limits_default(void);

/* ---- what happens ---- */

struct saga_start {
	uint64_t now_ms;
	struct bytes business_key; /* may be empty; [businessKey] */
	struct bytes input;        /* JSON object; empty: {} */
	uint64_t deadline_ms;      /* absolute; 0: the definition's, if any */
};

enum saga_event_type {
	SAGA_EV_TIME,   /* turn.due_ms has come */
	SAGA_EV_RESUME, /* after a restart, once */
	SAGA_EV_ANSWER,
	SAGA_EV_FORWARD,    /* operator: go on now; what hangs, again */
	SAGA_EV_COMPENSATE, /* operator: undo, even what succeeded */
	SAGA_EV_SKIP,       /* operator: take what fails as done and go on */
	SAGA_EVENTS,        /* how many */
};

enum saga_answer {
	SAGA_DONE,
	SAGA_REFUSED,
	SAGA_IN_PROGRESS,
	SAGA_UNKNOWN,
	SAGA_ANSWERS, /* how many */
};

struct saga_event {
	enum saga_event_type type;
	uint64_t now_ms;
	uint32_t task;    /* ANSWER; SKIP: only this one, SAGA_NO_TASK: all */
	uint32_t attempt; /* ANSWER */
	enum saga_answer answer;
	struct bytes output;  /* DONE: JSON, or empty for null */
	struct bytes error;   /* REFUSED, UNKNOWN: its name, or empty */
	struct bytes message; /* for people */
};

#define SAGA_NO_TASK UINT32_MAX

/* ---- what to do about it ---- */

enum saga_status {
	SAGA_RUNNING,
	SAGA_COMPENSATING, /* or waiting for what is under way to do so */
	SAGA_HUNG,         /* nothing moves until an operator acts */
	SAGA_SUCCEEDED,
	SAGA_FAILED,      /* nothing was done that needed undoing */
	SAGA_COMPENSATED, /* all that was done is undone */
	SAGA_STATUSES,    /* how many */
};

struct saga_call {
	uint32_t task; /* the same for each attempt; an idempotency key */
	uint32_t attempt;
	bool compensation;
	uint32_t of;          /* compensation: the task that is undone */
	struct bytes step;    /* name of the state or step */
	struct bytes service; /* ServiceName; graph: action, compensation */
	struct bytes method;  /* ServiceMethod; graph: empty */
	struct bytes input;   /* JSON */
	uint64_t timeout_ms;  /* 0: none */
};

struct saga_turn {
	struct arena arena; /* owns everything below */
	struct bytes state; /* store this */
	enum saga_status status;
	bool backward;   /* it goes, or hangs, on the way back, and no trigger
			* lets it go on from there */
	bool retrying;   /* something failed and will be tried again */
	uint64_t due_ms; /* hand in SAGA_EV_TIME then; UINT64_MAX: never */
	const struct saga_call *calls;
	size_t n_calls;
	struct bytes data;    /* JSON: the outermost machine's data */
	struct bytes error;   /* why it failed: name … */
	struct bytes message; /* … and a sentence; empty if it did not */
};

/* One turn can be used again and again. */
void saga_turn_init(struct saga_turn *turn, const struct mem *mem);
void saga_turn_fini(struct saga_turn *turn);

/* E_INVALID: the input is no JSON object, or there is a deadline and recovery
 * is forward; E_LIMIT: more data than allowed; E_NOMEM. */
MUST_CHECK int saga_begin(const struct saga_def *def,
			  const struct saga_limits *limits,
			  const struct saga_start *start,
			  struct saga_turn *turn);

/* `state` must not be the turn's own.
 * E_NOTFOUND  ANSWER, SKIP: no such task
 * E_STATE     operator: it ended, or there is nothing to do this to
 * E_INVALID   ANSWER: the output is no JSON (count it as unknown)
 * E_CORRUPT   the state is damaged; E_VERSION: of another definition or by
 *             another version of this program
 * E_NOMEM */
MUST_CHECK int saga_step(const struct saga_def *def,
			 const struct saga_limits *limits, struct bytes state,
			 const struct saga_event *event,
			 struct saga_turn *turn);

/* ---- looking ---- */

/* What the turn that made this state said, without the calls; nothing happens.
 * turn->state is `state` itself. Errors as of saga_step(). */
MUST_CHECK int saga_look(const struct saga_def *def, struct bytes state,
			 struct saga_turn *turn);

/* The path taken, as a JSON array: one object for each state entered, in
 * order: task, machine, state, of (if it undoes that task), index (in a loop),
 * is, attempts, error, message. Errors as of saga_step(). */
MUST_CHECK int saga_path(const struct saga_def *def, struct bytes state,
			 const struct mem *mem, struct buf *out);

#endif
