#include "tc/saga/run.h"

/* ---- before: what is under way comes to its end ---- */

static bool is_refused(const struct task *t)
{
	return t->refused && !t->doubt;
}

static void settle_task(struct run *r, struct task *t)
{
	struct frame *child;

	switch (t->st) {
	case TASK_WAIT:
		if (t->asking)
			break; /* it is at work; undoing now would race it */
		t->lost = true;
		task_settle(r, t,
			    t->attempt == 0 ? TASK_DROPPED
			    : is_refused(t) ? TASK_FAILED
					    : TASK_UNKNOWN);
		break;
	case TASK_STUCK:
		t->lost = true;
		task_settle(r, t, is_refused(t) ? TASK_FAILED : TASK_UNKNOWN);
		break;
	case TASK_SUB:
		child = r->frames[t->child];
		if (child->mode == FRAME_FORWARD)
			frame_fail(
				r, child,
				(struct failure){ BYTES("parent"),
						  BYTES("the machine around it "
							"is undone") });
		break;
	default:
		break;
	}
}

int compensate_settle(struct run *r, uint32_t frame)
{
	size_t active = 0;

	for (size_t i = 0; i < r->n_tasks; i++) {
		struct task *t = r->tasks[i];

		if (t->frame != frame || t->of != NONE || !task_active(t))
			continue;
		settle_task(r, t);
		active += task_active(t);
	}
	if (active == 0) {
		r->frames[frame]->mode = FRAME_COMPENSATING;
		r->moved = true;
	}
	return OK;
}

/* ---- one after another ---- */

static bool is_undoable(const struct run *r, const struct task *t)
{
	const struct state *s = task_def(r, t);

	if (t->undone || t->of != NONE || (s->loop && t->loop == NONE))
		return false;
	if (t->st != TASK_DONE && t->st != TASK_UNKNOWN &&
	    t->st != TASK_SKIPPED)
		return false;
	if (s->type == STATE_SUB)
		return t->child != NONE &&
		       r->frames[t->child]->result == SAGA_SUCCEEDED;
	return s->compensate != NO_STATE;
}

static struct task *last_completed(const struct run *r, uint32_t frame)
{
	struct task *last = NULL;

	for (size_t i = 0; i < r->n_tasks; i++) {
		struct task *t = r->tasks[i];

		if (t->frame == frame && is_undoable(r, t) &&
		    (!last || t->seq > last->seq))
			last = t;
	}
	return last;
}

static bool is_busy(const struct run *r, uint32_t frame)
{
	for (size_t i = 0; i < r->n_tasks; i++)
		if (r->tasks[i]->frame == frame && r->tasks[i]->of != NONE &&
		    task_active(r->tasks[i]))
			return true;
	return false;
}

static int start(struct run *r, struct task *of)
{
	const struct state *s = task_def(r, of);
	const struct frame *f = r->frames[of->frame];
	uint32_t state = s->compensate;
	struct frame *child;
	struct task *t;
	int rc = run_add_task(r, of->frame,
			      state == NO_STATE ? of->state : state, &t);

	if (rc != OK)
		return rc;
	r->moved = true;
	t->of = of->id;
	if (s->type != STATE_SUB ||
	    (state != NO_STATE && f->def->states[state].type == STATE_SERVICE))
		return task_prepare(r, t);
	child = r->frames[of->child];
	t->child = of->child;
	t->st = TASK_SUB;
	t->attempt = 1;
	child->mode = FRAME_COMPENSATING;
	child->resume = NO_STATE;
	child->error = BYTES("parent");
	child->message = BYTES("the machine around it is undone");
	return OK;
}

static int all_undone(struct run *r, uint32_t frame)
{
	struct frame *f = r->frames[frame];

	for (size_t i = 0; i < r->n_tasks; i++)
		f->undone |= r->tasks[i]->frame == frame && r->tasks[i]->undone;
	if (f->resume == NO_STATE)
		return frame_ended(r, frame,
				   f->undone ? SAGA_COMPENSATED : SAGA_FAILED);
	r->moved = true;
	f->mode = FRAME_FORWARD;
	f->end = GOES_ON;
	f->next = f->resume;
	f->resume = NO_STATE;
	return OK;
}

int compensate_advance(struct run *r, uint32_t frame)
{
	struct task *of;

	if (is_busy(r, frame))
		return OK;
	of = last_completed(r, frame);
	return of ? start(r, of) : all_undone(r, frame);
}

void compensate_done(struct run *r, struct task *t, enum task_state st)
{
	task_settle(r, t, st);
	t->error = t->message = (struct bytes){ 0 };
	r->tasks[t->of]->undone = true;
}

/* ---- the end of a machine, and what it means to the one around it ---- */

int frame_ended(struct run *r, uint32_t frame, enum saga_status result)
{
	struct frame *f = r->frames[frame];
	struct task *t = NULL;

	r->moved = true;
	f->mode = FRAME_ENDED;
	f->result = result;
	for (size_t i = 0; i < r->n_tasks; i++)
		if (r->tasks[i]->st == TASK_SUB && r->tasks[i]->child == frame)
			t = r->tasks[i];
	if (!t)
		return OK;
	if (result == SAGA_SUCCEEDED || t->of != NONE)
		return task_done(r, t, f->data);
	return task_failed(
		r, t, true,
		(struct failure){ f->error.len ? f->error : BYTES("failed"),
				  f->message });
}
