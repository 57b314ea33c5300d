#ifndef TC_SAGA_RUN_H
#define TC_SAGA_RUN_H

/*
 * One run while a step works on it: decoded into an arena, moved, encoded.
 *
 * A frame is a machine (or graph) that runs, the outermost one first; a task
 * is one state entered by a frame, or the compensation of another task.
 *
 *   frame  FORWARD --failure, trigger--> SETTLING --nothing under way-->
 *          COMPENSATING --nothing left--> FORWARD again (trigger) or ENDED
 *
 *   task   WAIT <-> CALL, SUB, LOOP, STUCK (active)
 *          DONE, FAILED, UNKNOWN, SKIPPED, DROPPED (settled, for good)
 */

#include "tc/saga/def.h"

#define NONE UINT32_MAX

enum frame_mode {
	FRAME_FORWARD,
	FRAME_SETTLING,
	FRAME_COMPENSATING,
	FRAME_ENDED,
	FRAME_MODES, /* how many */
};

enum frame_end { GOES_ON, AT_LAST_STATE, AT_SUCCEED, FRAME_ENDS };

enum task_state {
	TASK_WAIT, /* to be called at due_ms */
	TASK_CALL, /* called; lost at due_ms, if any */
	TASK_SUB,  /* its child frame works */
	TASK_LOOP, /* its elements work */
	TASK_STUCK,
	TASK_DONE,
	TASK_FAILED,  /* definitely not done */
	TASK_UNKNOWN, /* perhaps done */
	TASK_SKIPPED, /* an operator says so */
	TASK_DROPPED, /* never called */
	TASK_STATES,  /* how many */
};

struct frame {
	const struct saga_def *def;
	uint32_t up;       /* frame that this is in; NONE for the outermost */
	uint32_t up_state; /* and the state of it */
	enum frame_mode mode;
	enum frame_end end;
	enum saga_status result; /* ENDED */
	bool undone;             /* something was compensated */
	uint32_t next;           /* state to enter; NO_STATE for none */
	uint32_t resume;         /* behind the trigger */
	const struct val *data;
	struct bytes error;
	struct bytes message;
};

struct task {
	uint32_t id;
	uint32_t frame;
	uint32_t state;
	uint32_t loop;  /* element: task of the loop; NONE */
	uint32_t index; /* element: which */
	uint32_t of;    /* compensation: the task it undoes; NONE */
	uint32_t child; /* frame of a sub-machine; NONE */
	enum task_state st;
	bool undone;
	bool asking;  /* the last answer was: in progress */
	bool refused; /* the last failure was no unknown one */
	bool doubt;   /* some attempt may have done it unheard */
	bool lost;    /* settled by a failure and not by a Status */
	uint32_t attempt;
	uint32_t failures; /* since it was last good */
	uint32_t seq;      /* order of completion, from 1; 0: not yet */
	uint64_t due_ms;
	uint64_t lost_ms; /* in progress no longer than this; 0: no end */
	struct bytes input;
	struct bytes output; /* loop: the collection; element: its Output */
	struct bytes error;
	struct bytes message;
};

struct run {
	const struct saga_def *def;
	const struct saga_limits *limits;
	struct arena *a;
	uint64_t now_ms;
	uint64_t deadline_ms; /* 0: none */
	uint32_t seq;
	struct frame **frames;
	size_t n_frames;
	size_t cap_frames;
	struct task **tasks;
	size_t n_tasks;
	size_t cap_tasks;
	struct saga_call *calls;
	size_t n_calls;
	size_t cap_calls;
	bool moved; /* something changed since it was cleared */
};

/* What went wrong, for a task or a frame. */
struct failure {
	struct bytes error;
	struct bytes message;
};

static inline bool task_active(const struct task *t)
{
	return t->st <= TASK_STUCK;
}

static inline const struct state *task_def(const struct run *r,
					   const struct task *t)
{
	return &r->frames[t->frame]->def->states[t->state];
}

/* ---- state.c; E_NOMEM all ---- */

MUST_CHECK int run_add_frame(struct run *r, const struct saga_def *def,
			     struct frame **out);
MUST_CHECK int run_add_task(struct run *r, uint32_t frame, uint32_t state,
			    struct task **out);
MUST_CHECK int run_encode(const struct run *r, struct bytes *out);
/* E_CORRUPT, E_VERSION too. r->def, limits and a are set before. */
MUST_CHECK int run_decode(struct run *r, struct bytes state);

/* ---- data.c: E_INVALID means that *why is filled ---- */

/* What the expressions of a task (or of a frame: task NULL) see. */
MUST_CHECK int data_scope(struct run *r, const struct frame *f,
			  const struct task *t, struct expr_scope *out);
MUST_CHECK int data_form(struct run *r, const struct form *form,
			 const struct expr_scope *scope, const struct val **out,
			 struct failure *why);
MUST_CHECK int data_eval(struct run *r, const struct expr *e,
			 const struct expr_scope *scope, const struct val **out,
			 struct failure *why);
MUST_CHECK int data_test(struct run *r, const struct expr *e,
			 const struct expr_scope *scope, bool *out,
			 struct failure *why);
/* The frame's data with the members of `values` set. */
MUST_CHECK int data_assign(struct run *r, struct frame *f,
			   const struct val *values, struct failure *why);
/* As JSON that stays; E_INVALID if it is too much. */
MUST_CHECK int data_print(struct run *r, const struct val *v, struct bytes *out,
			  struct failure *why);
MUST_CHECK int data_copy(struct run *r, struct failure from,
			 struct failure *out);

/* ---- task.c ---- */

/* Fill in the input and let it be called. */
MUST_CHECK int task_prepare(struct run *r, struct task *t);
MUST_CHECK int task_call(struct run *r, struct task *t, bool again);
MUST_CHECK int task_done(struct run *r, struct task *t,
			 const struct val *output);
MUST_CHECK int task_failed(struct run *r, struct task *t, bool refused,
			   struct failure why);
/* It cannot be retried: catch, or fail the frame. */
MUST_CHECK int task_give_up(struct run *r, struct task *t, enum task_state st);
void task_settle(struct run *r, struct task *t, enum task_state st);
/* Go on behind a settled task. */
void task_route(struct run *r, const struct task *t);

/* ---- loop.c ---- */

MUST_CHECK int loop_prepare(struct run *r, struct task *t);
MUST_CHECK int loop_advance(struct run *r, struct task *t);

/* ---- frame.c ---- */

/* The frame goes no further; what it did will be undone. */
void frame_fail(struct run *r, struct frame *f, struct failure why);
MUST_CHECK int frame_new(struct run *r, struct task *t);
/* Move everything until only the world can move it. */
MUST_CHECK int frames_advance(struct run *r);
MUST_CHECK int frame_enter(struct run *r, uint32_t frame, uint32_t state);

/* ---- compensate.c ---- */

MUST_CHECK int compensate_settle(struct run *r, uint32_t frame);
MUST_CHECK int compensate_advance(struct run *r, uint32_t frame);
void compensate_done(struct run *r, struct task *t, enum task_state st);
MUST_CHECK int frame_ended(struct run *r, uint32_t frame,
			   enum saga_status result);

#endif
