#include "tc/saga/run.h"

struct saga_limits saga_limits_default(void)
{
	return (struct saga_limits){
		.data_max = 256 * 1024,
		.tasks_max = 2000,
		.ask_again_ms = 1000,
		.timeout_ms = 30000,
		.unknown = { 1000, 2000, 60000, 5 },
		.recovery = { 1000, 2000, 60000, 0 },
	};
}

void saga_turn_init(struct saga_turn *turn, const struct mem *mem)
{
	*turn = (struct saga_turn){ .due_ms = UINT64_MAX };
	arena_init(&turn->arena, mem, 0);
}

void saga_turn_fini(struct saga_turn *turn)
{
	arena_fini(&turn->arena);
}

/* ---- what comes out ---- */

static enum saga_status status_of(const struct run *r)
{
	bool stuck = false, moves = false;

	if (r->frames[0]->mode == FRAME_ENDED)
		return r->frames[0]->result;
	for (size_t i = 0; i < r->n_tasks; i++) {
		stuck |= r->tasks[i]->st == TASK_STUCK;
		moves |= r->tasks[i]->st <= TASK_CALL;
	}
	if (stuck && !moves)
		return SAGA_HUNG;
	return r->frames[0]->mode == FRAME_FORWARD ? SAGA_RUNNING
						   : SAGA_COMPENSATING;
}

static uint64_t due_of(const struct run *r)
{
	uint64_t due = UINT64_MAX;

	if (r->deadline_ms && r->frames[0]->mode == FRAME_FORWARD)
		due = r->deadline_ms;
	for (size_t i = 0; i < r->n_tasks; i++) {
		const struct task *t = r->tasks[i];

		if (t->st == TASK_WAIT || (t->st == TASK_CALL && t->due_ms))
			due = t->due_ms < due ? t->due_ms : due;
	}
	return due;
}

/* A failure that hangs is what people want to see first. */
static void say_why(const struct run *r, struct saga_turn *turn)
{
	turn->error = r->frames[0]->error;
	turn->message = r->frames[0]->message;
	for (size_t i = 0; i < r->n_tasks; i++)
		if (r->tasks[i]->st == TASK_STUCK) {
			turn->error = r->tasks[i]->error;
			turn->message = r->tasks[i]->message;
			return;
		}
}

static bool is_retrying(const struct run *r)
{
	for (size_t i = 0; i < r->n_tasks; i++)
		if (r->tasks[i]->st <= TASK_CALL && r->tasks[i]->failures > 0)
			return true;
	return false;
}

static int say(const struct run *r, struct saga_turn *turn)
{
	turn->status = status_of(r);
	turn->backward = r->frames[0]->mode != FRAME_FORWARD &&
			 r->frames[0]->resume == NO_STATE &&
			 turn->status != SAGA_SUCCEEDED;
	turn->retrying = is_retrying(r);
	turn->due_ms = due_of(r);
	turn->calls = r->calls;
	turn->n_calls = r->n_calls;
	say_why(r, turn);
	return val_print(r->frames[0]->data, r->a, &turn->data);
}

static int finish(struct run *r, struct saga_turn *turn)
{
	int rc = frames_advance(r);

	if (rc == OK)
		rc = run_encode(r, &turn->state);
	return rc == OK ? say(r, turn) : rc;
}

static struct run run_of(const struct saga_def *def,
			 const struct saga_limits *limits,
			 struct saga_turn *turn, uint64_t now_ms)
{
	arena_reset(&turn->arena);
	return (struct run){ .def = def,
			     .limits = limits,
			     .a = &turn->arena,
			     .now_ms = now_ms };
}

int saga_begin(const struct saga_def *def, const struct saga_limits *limits,
	       const struct saga_start *start, struct saga_turn *turn)
{
	struct run r = run_of(def, limits, turn, start->now_ms);
	const struct val *key;
	struct failure why;
	struct bytes text;
	struct frame *f;
	int rc;

	if (start->deadline_ms && def->forward)
		return E_INVALID;
	r.deadline_ms = start->deadline_ms;
	if (!r.deadline_ms && def->deadline_ms)
		r.deadline_ms = start->now_ms + def->deadline_ms;
	rc = run_add_frame(&r, def, &f);
	if (rc == OK && start->input.len > 0)
		rc = val_parse(r.a, start->input, &f->data);
	if (rc == OK && f->data->type != JSON_OBJECT)
		rc = E_INVALID;
	if (rc == OK && start->business_key.len > 0) {
		key = val_text(r.a, start->business_key);
		rc = key ? val_set(r.a, &f->data, BYTES("businessKey"), key)
			 : E_NOMEM;
	}
	if (rc != OK)
		return rc;
	rc = data_print(&r, f->data, &text, &why);
	if (rc != OK)
		return rc == E_INVALID ? E_LIMIT : rc;
	return finish(&r, turn);
}

/* ---- time ---- */

static int on_time(struct run *r)
{
	struct failure late = { BYTES("timeout"), BYTES("no answer in time") };
	struct frame *f = r->frames[0];
	int rc = OK;

	if (r->deadline_ms && r->deadline_ms <= r->now_ms &&
	    f->mode == FRAME_FORWARD)
		frame_fail(
			r, f,
			(struct failure){ BYTES("deadline"),
					  BYTES("the saga's time is over") });
	for (size_t i = 0; rc == OK && i < r->n_tasks; i++) {
		struct task *t = r->tasks[i];

		if (t->st == TASK_CALL && t->due_ms && t->due_ms <= r->now_ms)
			rc = task_failed(r, t, false, late);
	}
	return rc;
}

static int on_resume(struct run *r)
{
	uint64_t latest = r->limits->recovery.ceiling_ms;
	int rc = OK;

	if (latest < 3600000)
		latest = 3600000; /* that of a retry rule without one */
	for (size_t i = 0; rc == OK && i < r->n_tasks; i++) {
		struct task *t = r->tasks[i];

		if (t->st == TASK_CALL)
			rc = task_call(r, t, true);
		if (t->st == TASK_WAIT && t->due_ms > r->now_ms + latest)
			t->due_ms = r->now_ms + latest;
	}
	return rc;
}

/* ---- answers ---- */

static int on_progress(struct run *r, struct task *t)
{
	if (t->lost_ms && t->lost_ms <= r->now_ms)
		return task_failed(
			r, t, false,
			(struct failure){ BYTES("timeout"),
					  BYTES("in progress for too long") });
	t->asking = true;
	t->st = TASK_WAIT;
	t->due_ms = r->now_ms + r->limits->ask_again_ms;
	return OK;
}

static int on_done(struct run *r, struct task *t, struct bytes output)
{
	const struct val *v = &val_null;
	int rc = OK;

	if (output.len > 0)
		rc = val_parse(r->a, output, &v);
	return rc == OK ? task_done(r, t, v) : rc;
}

static int on_answer(struct run *r, const struct saga_event *e)
{
	struct failure why = { e->error, e->message };
	struct task *t;

	if (e->task >= r->n_tasks || e->answer >= SAGA_ANSWERS)
		return E_NOTFOUND;
	t = r->tasks[e->task];
	if (task_def(r, t)->type != STATE_SERVICE || e->attempt == 0 ||
	    e->attempt > t->attempt)
		return E_NOTFOUND;
	if (!task_active(t))
		return OK;
	if (e->answer == SAGA_DONE)
		return on_done(r, t, e->output);
	if (t->st != TASK_CALL || e->attempt != t->attempt)
		return OK;
	if (e->answer == SAGA_IN_PROGRESS)
		return on_progress(r, t);
	return task_failed(r, t, e->answer == SAGA_REFUSED, why);
}

/* ---- operators ---- */

static bool is_failing(const struct task *t)
{
	return t->st == TASK_STUCK || (t->st == TASK_WAIT && t->failures > 0);
}

/* Everything that fails and is (no) compensation, at once again. */
static int again(struct run *r, bool compensation, size_t *n)
{
	int rc = OK;

	for (size_t i = 0; rc == OK && i < r->n_tasks; i++) {
		struct task *t = r->tasks[i];

		if (!is_failing(t) || (t->of != NONE) != compensation)
			continue;
		++*n;
		t->st = TASK_WAIT;
		t->failures = 0;
		t->due_ms = r->now_ms;
		if (task_def(r, t)->type == STATE_SCRIPT) {
			t->st = TASK_DROPPED;
			rc = frame_enter(r, t->frame, t->state);
		} else if (task_def(r, t)->loop && t->loop == NONE &&
			   t->of == NONE) {
			rc = loop_prepare(r, t);
		} else if (t->input.len == 0) {
			rc = task_prepare(r, t);
		}
	}
	return rc;
}

static int on_compensate(struct run *r, const struct saga_event *e)
{
	struct failure why = { BYTES("operator"), e->message };
	struct frame *f = r->frames[0];
	size_t n = 0;
	int rc = data_copy(r, why, &why);

	if (rc == OK)
		rc = again(r, true, &n);
	if (rc != OK)
		return rc;
	if (f->mode == FRAME_FORWARD) {
		frame_fail(r, f, why);
		return OK;
	}
	if (f->mode == FRAME_ENDED && f->result == SAGA_SUCCEEDED)
		f->mode = FRAME_COMPENSATING;
	else if (f->mode == FRAME_ENDED || f->resume == NO_STATE)
		return n > 0 ? OK : E_STATE;
	f->resume = NO_STATE; /* a trigger would have gone on */
	f->error = why.error;
	f->message = why.message;
	return OK;
}

static int on_skip(struct run *r, const struct saga_event *e)
{
	size_t n = 0;

	if (e->task != SAGA_NO_TASK && e->task >= r->n_tasks)
		return E_NOTFOUND;
	for (size_t i = 0; i < r->n_tasks; i++) {
		struct task *t = r->tasks[i];

		if (!is_failing(t) ||
		    (e->task != SAGA_NO_TASK && e->task != t->id))
			continue;
		n++;
		if (t->of != NONE) {
			compensate_done(r, t, TASK_SKIPPED);
			continue;
		}
		task_settle(r, t, TASK_SKIPPED);
		task_route(r, t);
	}
	return n > 0 ? OK : E_STATE;
}

static int on_event(struct run *r, const struct saga_event *e)
{
	size_t n = 0;
	int rc;

	switch (e->type) {
	case SAGA_EV_TIME:
		return on_time(r);
	case SAGA_EV_RESUME:
		return on_resume(r);
	case SAGA_EV_ANSWER:
		return on_answer(r, e);
	case SAGA_EV_FORWARD:
		rc = again(r, false, &n);
		if (rc == OK)
			rc = again(r, true, &n);
		return rc == OK && n == 0 ? E_STATE : rc;
	case SAGA_EV_COMPENSATE:
		return on_compensate(r, e);
	case SAGA_EV_SKIP:
		return on_skip(r, e);
	default:
		return E_INVALID;
	}
}

int saga_step(const struct saga_def *def, const struct saga_limits *limits,
	      struct bytes state, const struct saga_event *event,
	      struct saga_turn *turn)
{
	struct run r = run_of(def, limits, turn, event->now_ms);
	int rc = run_decode(&r, state);

	if (rc == OK)
		rc = on_event(&r, event);
	return rc == OK ? finish(&r, turn) : rc;
}

/* ---- looking ---- */

int saga_look(const struct saga_def *def, struct bytes state,
	      struct saga_turn *turn)
{
	struct run r = run_of(def, NULL, turn, 0);
	int rc = run_decode(&r, state);

	turn->state = state;
	return rc == OK ? say(&r, turn) : rc;
}

static void put_task(struct json *j, const struct run *r, const struct task *t)
{
	static const char *const names[] = {
		"waiting", "calling", "sub-machine", "loop",    "hung",
		"done",    "refused", "unknown",     "skipped", "dropped"
	};
	const struct state *s = task_def(r, t);

	json_object(j, NULL);
	json_number(j, "task", t->id);
	json_text(j, "machine", r->frames[t->frame]->def->name);
	json_text(j, "state", s->name);
	if (t->of != NONE)
		json_number(j, "of", t->of);
	if (t->loop != NONE)
		json_number(j, "index", t->index);
	json_text(j, "is", bytes_of(names[t->st]));
	json_number(j, "attempts", t->attempt);
	if (t->error.len > 0) {
		json_text(j, "error", t->error);
		json_text(j, "message", t->message);
	}
	json_end(j);
}

int saga_path(const struct saga_def *def, struct bytes state,
	      const struct mem *mem, struct buf *out)
{
	struct run r = { .def = def };
	struct arena a;
	struct json j;
	int rc;

	arena_init(&a, mem, 0);
	r.a = &a;
	rc = run_decode(&r, state);
	json_init(&j, out);
	if (rc == OK) {
		json_array(&j, NULL);
		for (size_t i = 0; i < r.n_tasks; i++)
			put_task(&j, &r, r.tasks[i]);
		json_end(&j);
		rc = buf_error(out);
	}
	arena_fini(&a);
	return rc;
}
