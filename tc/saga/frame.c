#include "tc/saga/run.h"

void frame_fail(struct run *r, struct frame *f, struct failure why)
{
	REQUIRE(f->mode == FRAME_FORWARD);
	r->moved = true;
	f->mode = FRAME_SETTLING;
	f->next = f->resume = NO_STATE;
	f->error = why.error;
	f->message = why.message;
}

/* The child of a SubStateMachine's task, with the task's input as its data. */
int frame_new(struct run *r, struct task *t)
{
	struct frame *f;
	int rc = run_add_frame(r, task_def(r, t)->sub, &f);

	if (rc != OK)
		return rc;
	f->up = t->frame;
	f->up_state = t->state;
	t->child = (uint32_t)r->n_frames - 1;
	t->st = TASK_SUB;
	t->due_ms = 0;
	return val_parse(r->a, t->input, &f->data);
}

/* ---- entering a state ---- */

static void fail_at(struct run *r, struct frame *f, struct task *t,
		    struct failure why)
{
	t->error = why.error;
	t->message = why.message;
	task_settle(r, t, TASK_FAILED);
	frame_fail(r, f, why);
}

static int enter_choice(struct run *r, struct frame *f, struct task *t)
{
	const struct state *s = task_def(r, t);
	struct expr_scope scope = { .root = f->data };
	uint32_t next = s->next;
	struct failure why = {
		BYTES("no_choice"),
		BYTES("no choice fits, and there is no Default")
	};

	for (size_t i = 0; i < s->n_choices; i++) {
		bool fits;
		int rc = data_test(r, s->choices[i].when, &scope, &fits, &why);

		if (rc == E_INVALID)
			fail_at(r, f, t, why);
		if (rc != OK)
			return rc == E_INVALID ? OK : rc;
		if (fits) {
			next = s->choices[i].next;
			break;
		}
	}
	if (next == NO_STATE) {
		fail_at(r, f, t, why);
		return OK;
	}
	task_settle(r, t, TASK_DONE);
	f->next = next;
	return OK;
}

static int run_script(struct run *r, struct frame *f, const struct state *s,
		      struct failure *why)
{
	struct expr_scope scope = { .root = f->data };
	const struct val *v = &val_null;
	int rc = OK;

	if (s->input) {
		rc = data_form(r, s->input, &scope, &v, why);
		if (rc == OK)
			scope.root = v->n > 0 ? v->items[0] : &val_null;
	}
	if (rc == OK)
		rc = data_eval(r, s->script, &scope, &v, why);
	if (rc != OK || !s->output)
		return rc;
	scope.root = v;
	rc = data_form(r, s->output, &scope, &v, why);
	return rc == OK ? data_assign(r, f, v, why) : rc;
}

static int enter_script(struct run *r, struct frame *f, struct task *t)
{
	struct failure why;
	int rc = run_script(r, f, task_def(r, t), &why);

	if (rc == E_INVALID) {
		t->error = why.error;
		t->message = why.message;
		t->refused = true;
		return task_give_up(r, t, TASK_FAILED);
	}
	if (rc != OK)
		return rc;
	task_settle(r, t, TASK_DONE);
	task_route(r, t);
	return OK;
}

static int enter_task(struct run *r, struct frame *f, struct task *t)
{
	const struct state *s = task_def(r, t);

	if (s->async) { /* the machine goes on at once */
		f->next = s->next;
		if (s->next == NO_STATE)
			f->end = AT_LAST_STATE;
	}
	return s->loop ? loop_prepare(r, t) : task_prepare(r, t);
}

static void enter_fail(struct run *r, struct frame *f, struct task *t)
{
	const struct state *s = task_def(r, t);

	fail_at(r, f, t,
		(struct failure){ s->error.len ? s->error : BYTES("failed"),
				  s->message });
	t->st = TASK_DONE; /* it did what it is for */
}

int frame_enter(struct run *r, uint32_t frame, uint32_t state)
{
	struct frame *f = r->frames[frame];
	struct task *t;
	int rc;

	r->moved = true;
	f->next = NO_STATE;
	if (r->n_tasks >= r->limits->tasks_max) {
		frame_fail(r, f,
			   (struct failure){ BYTES("limit"),
					     BYTES("too many tasks") });
		return OK;
	}
	rc = run_add_task(r, frame, state, &t);
	if (rc != OK)
		return rc;
	switch (f->def->states[state].type) {
	case STATE_CHOICE:
		return enter_choice(r, f, t);
	case STATE_SCRIPT:
		return enter_script(r, f, t);
	case STATE_TRIGGER:
		task_settle(r, t, TASK_DONE);
		f->mode = FRAME_SETTLING;
		f->resume = f->def->states[state].next;
		return OK;
	case STATE_SUCCEED:
		task_settle(r, t, TASK_DONE);
		f->end = AT_SUCCEED;
		return OK;
	case STATE_FAIL:
		enter_fail(r, f, t);
		return OK;
	default:
		return enter_task(r, f, t);
	}
}

/* ---- moving ---- */

static const struct task *task_at(const struct run *r, uint32_t frame,
				  uint32_t state)
{
	for (size_t i = 0; i < r->n_tasks; i++)
		if (r->tasks[i]->frame == frame && r->tasks[i]->of == NONE &&
		    r->tasks[i]->state == state)
			return r->tasks[i];
	return NULL;
}

static bool is_ready(const struct run *r, uint32_t frame, const struct state *s)
{
	for (size_t i = 0; i < s->n_after; i++) {
		const struct task *t = task_at(r, frame, s->after[i]);

		if (!t || (t->st != TASK_DONE && t->st != TASK_SKIPPED))
			return false;
	}
	return true;
}

static int advance_graph(struct run *r, uint32_t frame)
{
	struct frame *f = r->frames[frame];
	size_t steps = f->def->n_states / 2, settled = 0;
	int rc = OK;

	for (uint32_t i = 0; rc == OK && i < steps; i++) {
		const struct task *t = task_at(r, frame, i);

		if (t)
			settled += !task_active(t);
		else if (is_ready(r, frame, &f->def->states[i]))
			rc = frame_enter(r, frame, i);
		if (f->mode != FRAME_FORWARD)
			return rc;
	}
	if (rc == OK && settled == steps)
		return frame_ended(r, frame, SAGA_SUCCEEDED);
	return rc;
}

static const struct task *last_of(const struct run *r, uint32_t frame,
				  bool *active)
{
	const struct task *last = NULL;

	*active = false;
	for (size_t i = 0; i < r->n_tasks; i++) {
		const struct task *t = r->tasks[i];

		if (t->frame != frame || t->of != NONE)
			continue;
		*active |= task_active(t);
		if (t->loop == NONE && !task_def(r, t)->async)
			last = t;
	}
	return last;
}

/* A chain that ends behind a state that was not done has failed. */
static int end_machine(struct run *r, uint32_t frame)
{
	struct frame *f = r->frames[frame];
	const struct task *last;
	bool active;

	last = last_of(r, frame, &active);
	if (active)
		return OK;
	if (f->end == AT_LAST_STATE && last &&
	    (last->st == TASK_FAILED || last->st == TASK_UNKNOWN)) {
		frame_fail(r, f,
			   (struct failure){
				   BYTES("status"),
				   BYTES("the last state was not done") });
		return OK;
	}
	return frame_ended(r, frame,
			   f->undone ? SAGA_COMPENSATED : SAGA_SUCCEEDED);
}

static int frame_advance(struct run *r, uint32_t frame)
{
	struct frame *f = r->frames[frame];

	switch (f->mode) {
	case FRAME_FORWARD:
		if (f->def->graph)
			return advance_graph(r, frame);
		if (f->next != NO_STATE)
			return frame_enter(r, frame, f->next);
		return f->end == GOES_ON ? OK : end_machine(r, frame);
	case FRAME_SETTLING:
		return compensate_settle(r, frame);
	case FRAME_COMPENSATING:
		return compensate_advance(r, frame);
	default:
		return OK;
	}
}

static int tasks_advance(struct run *r)
{
	int rc = OK;

	for (size_t i = 0; rc == OK && i < r->n_tasks; i++) {
		struct task *t = r->tasks[i];

		if (t->st == TASK_LOOP)
			rc = loop_advance(r, t);
		else if (t->st == TASK_WAIT && t->due_ms <= r->now_ms)
			rc = task_call(r, t, false);
	}
	return rc;
}

int frames_advance(struct run *r)
{
	int rc = OK;

	do {
		r->moved = false;
		for (uint32_t i = 0; rc == OK && i < r->n_frames; i++)
			rc = frame_advance(r, i);
		if (rc == OK)
			rc = tasks_advance(r);
	} while (rc == OK && r->moved);
	return rc;
}
