#include "tc/saga/run.h"

/* ---- calling ---- */

static int child_data(struct run *r, const struct val *input,
		      const struct val **out)
{
	const struct val *key, *data = &val_empty;

	for (size_t i = 0; i < input->n; i++)
		if (input->items[i]->type == JSON_OBJECT) {
			data = input->items[i];
			break;
		}
	*out = data;
	key = val_find(r->frames[0]->data, BYTES("businessKey"));
	if (!key || val_find(data, BYTES("businessKey")))
		return OK;
	return val_set(r->a, out, BYTES("businessKey"), key);
}

static int input_of(struct run *r, const struct task *t, struct bytes *out,
		    struct failure *why)
{
	const struct frame *f = r->frames[t->frame];
	const struct state *s = task_def(r, t);
	const struct val *input;
	struct expr_scope scope;
	int rc = data_scope(r, f, t, &scope);

	if (rc != OK)
		return rc;
	input = scope.root; /* a step without input gets all there is */
	if (s->input) {
		rc = data_form(r, s->input, &scope, &input, why);
	} else if (!f->def->graph) {
		input = val_array(r->a, 0);
		rc = input ? OK : E_NOMEM;
	}
	if (rc == OK && s->type == STATE_SUB)
		rc = child_data(r, input, &input);
	return rc == OK ? data_print(r, input, out, why) : rc;
}

int task_prepare(struct run *r, struct task *t)
{
	struct failure why;
	int rc = input_of(r, t, &t->input, &why);

	if (rc != E_INVALID)
		return rc;
	t->error = why.error;
	t->message = why.message;
	t->refused = true; /* nothing was called */
	if (t->of != NONE) {
		t->st = TASK_STUCK;
		return OK;
	}
	return task_give_up(r, t, TASK_FAILED);
}

static int add_call(struct run *r, const struct task *t, uint64_t timeout_ms)
{
	const struct state *s = task_def(r, t);
	struct saga_call *more;

	if (r->n_calls == r->cap_calls) {
		more = arena_array(r->a, 2 * r->n_calls + 8, sizeof *more);
		if (!more)
			return E_NOMEM;
		if (r->n_calls > 0)
			memcpy(more, r->calls, r->n_calls * sizeof *more);
		r->calls = more;
		r->cap_calls = 2 * r->n_calls + 8;
	}
	r->calls[r->n_calls++] = (struct saga_call){
		.task = t->id,
		.attempt = t->attempt,
		.compensation = t->of != NONE,
		.of = t->of,
		.step = s->name,
		.service = s->service,
		.method = s->method,
		.input = t->input,
		.timeout_ms = timeout_ms,
	};
	return OK;
}

int task_call(struct run *r, struct task *t, bool again)
{
	const struct state *s = task_def(r, t);
	uint64_t timeout =
		s->timeout_ms ? s->timeout_ms : r->limits->timeout_ms;

	r->moved = true;
	t->doubt |= again;
	if (!again)
		t->attempt++;
	if (s->type == STATE_SUB)
		return frame_new(r, t);
	if (!t->asking)
		t->lost_ms = s->timeout_ms ? r->now_ms + s->timeout_ms : 0;
	t->st = TASK_CALL;
	t->due_ms = timeout ? r->now_ms + timeout : 0;
	return add_call(r, t, timeout);
}

/* ---- settling ---- */

void task_settle(struct run *r, struct task *t, enum task_state st)
{
	r->moved = true;
	t->st = st;
	t->asking = false;
	t->due_ms = 0;
	t->seq = ++r->seq;
}

void task_route(struct run *r, const struct task *t)
{
	struct frame *f = r->frames[t->frame];
	const struct state *s = task_def(r, t);

	if (f->mode != FRAME_FORWARD || t->loop != NONE || s->async ||
	    f->def->graph)
		return;
	f->next = s->next;
	if (s->next == NO_STATE)
		f->end = AT_LAST_STATE;
}

static int judge(struct run *r, const struct task *t,
		 const struct expr_scope *scope, enum task_state otherwise,
		 enum task_state *out, struct failure *why)
{
	static const enum task_state of[] = { TASK_DONE, TASK_FAILED,
					      TASK_UNKNOWN };
	const struct state *s = task_def(r, t);

	*out = otherwise;
	for (size_t i = 0; i < s->n_rules; i++) {
		bool fits;
		int rc = data_test(r, s->rules[i].when, scope, &fits, why);

		if (rc != OK)
			return rc;
		if (fits) {
			*out = of[s->rules[i].outcome];
			return OK;
		}
	}
	return OK;
}

/* What the output says about the outcome, and what is kept of it. */
static int take_output(struct run *r, struct task *t, const struct val *output,
		       enum task_state *st, struct failure *why)
{
	struct expr_scope scope = { .root = output };
	struct frame *f = r->frames[t->frame];
	const struct state *s = task_def(r, t);
	const struct val *values = &val_empty;
	int rc = judge(r, t, &scope, s->n_rules ? TASK_UNKNOWN : TASK_DONE, st,
		       why);

	if (rc == OK && s->output)
		rc = data_form(r, s->output, &scope, &values, why);
	if (rc == OK && s->graph_step)
		rc = val_set(r->a, &values, s->name, output);
	if (rc != OK)
		return rc;
	if (t->loop != NONE)
		return data_print(r, values, &t->output, why);
	return data_assign(r, f, values, why);
}

int task_done(struct run *r, struct task *t, const struct val *output)
{
	struct failure why = { 0 };
	enum task_state st;
	int rc;

	if (t->of != NONE) {
		compensate_done(r, t, TASK_DONE);
		return OK;
	}
	rc = take_output(r, t, output, &st, &why);
	if (rc == E_INVALID) { /* it is done, and must be undone */
		t->error = why.error;
		t->message = why.message;
		t->refused = false;
		return task_give_up(r, t, TASK_UNKNOWN);
	}
	if (rc != OK)
		return rc;
	t->error = t->message = (struct bytes){ 0 };
	task_settle(r, t, st);
	task_route(r, t);
	return OK;
}

/* ---- failing ---- */

static bool errors_fit(const struct errors *e, struct bytes error)
{
	for (size_t i = 0; i < e->n; i++)
		if (expr_names_error(e->names[i], error))
			return true;
	return false;
}

static const struct saga_policy *policy_of(const struct run *r,
					   const struct task *t)
{
	const struct state *s = task_def(r, t);

	for (size_t i = 0; i < s->n_retries; i++) {
		const struct retry *rule = &s->retries[i];

		if (errors_fit(&rule->errors, t->error) ||
		    (rule->errors.n == 0 && !t->refused))
			return &rule->policy;
	}
	if (!s->has_retry && !t->refused)
		return &r->limits->unknown;
	return NULL;
}

static uint64_t back_off(const struct saga_policy *p, uint32_t failures)
{
	uint64_t wait = p->interval_ms;

	for (uint32_t i = 1; i < failures && wait < p->ceiling_ms; i++)
		wait = wait / 1000 * p->rate_permille +
		       wait % 1000 * p->rate_permille / 1000;
	return wait < p->ceiling_ms ? wait : p->ceiling_ms;
}

static bool retry(struct run *r, struct task *t, const struct saga_policy *p,
		  uint32_t before)
{
	if (!p || (p->attempts > 0 && t->failures - before >= p->attempts))
		return false;
	t->failures++;
	t->st = TASK_WAIT;
	t->due_ms = r->now_ms + back_off(p, t->failures - before);
	return true;
}

/* Compensations, and forward recovery: on and on, or until somebody looks. */
static void recover(struct run *r, struct task *t)
{
	const struct saga_policy *p = policy_of(r, t);
	uint32_t before = t->of == NONE && p ? p->attempts : 0;

	if (before > t->failures)
		before = t->failures;
	if (!retry(r, t, &r->limits->recovery, before))
		t->st = TASK_STUCK;
}

static const struct catch *catch_of(const struct state *s, struct bytes error)
{
	for (size_t i = 0; i < s->n_catches; i++)
		if (errors_fit(&s->catches[i].errors, error))
			return &s->catches[i];
	return NULL;
}

static int remember(struct run *r, struct frame *f, const struct task *t)
{
	const struct val *name = val_text(r->a, t->error);
	const struct val *message = val_text(r->a, t->message);
	const struct val *e = &val_null, *values = &val_null;
	struct failure why;
	int rc = name && message ? OK : E_NOMEM;

	if (rc == OK)
		rc = val_set(r->a, &e, BYTES("name"), name);
	if (rc == OK)
		rc = val_set(r->a, &e, BYTES("message"), message);
	if (rc == OK)
		rc = val_set(r->a, &values, BYTES("exception"), e);
	if (rc == OK)
		rc = data_assign(r, f, values, &why);
	return rc == E_INVALID ? OK : rc; /* too full to remember */
}

int task_give_up(struct run *r, struct task *t, enum task_state st)
{
	struct frame *f = r->frames[t->frame];
	const struct catch *c = catch_of(task_def(r, t), t->error);
	bool element = t->loop != NONE;

	if (f->mode == FRAME_FORWARD && f->def->forward && !c) {
		/* An expression fails again; only a call may get better. */
		if (bytes_equal(t->error, BYTES("expression")) ||
		    bytes_equal(t->error, BYTES("limit")))
			t->st = TASK_STUCK;
		else
			recover(r, t);
		return OK;
	}
	t->lost = true;
	task_settle(r, t, st);
	if (element || f->mode != FRAME_FORWARD)
		return OK;
	if (!c) {
		frame_fail(r, f, (struct failure){ t->error, t->message });
		return OK;
	}
	f->next = c->next;
	f->end = GOES_ON;
	return remember(r, f, t);
}

/* Unknown stays unknown: no Status can make a timeout a "not done", and neither
 * can a refusal that comes after it ("no money left": taken by whom?). */
static int outcome_of(struct run *r, const struct task *t, enum task_state *st)
{
	struct expr_scope scope = { &val_null, t->error };
	struct failure why;
	int rc;

	*st = TASK_UNKNOWN;
	if (!t->refused)
		return OK;
	rc = judge(r, t, &scope, TASK_FAILED, st, &why);
	if (rc == E_INVALID || (*st == TASK_FAILED && t->doubt))
		*st = TASK_UNKNOWN;
	return rc == E_INVALID ? OK : rc;
}

int task_failed(struct run *r, struct task *t, bool refused, struct failure why)
{
	struct failure kept;
	enum task_state st;
	int rc;

	if (why.error.len == 0)
		why.error = refused ? BYTES("refused") : BYTES("unknown");
	rc = data_copy(r, why, &kept);
	if (rc != OK)
		return rc;
	r->moved = true;
	t->asking = false;
	t->refused = refused;
	t->doubt |= !refused;
	t->error = kept.error;
	t->message = kept.message;
	if (t->of != NONE) {
		recover(r, t);
		return OK;
	}
	if (r->frames[t->frame]->mode == FRAME_FORWARD &&
	    retry(r, t, policy_of(r, t), 0))
		return OK;
	rc = outcome_of(r, t, &st);
	if (rc != OK || st != TASK_DONE)
		return rc == OK ? task_give_up(r, t, st) : rc;
	task_settle(r, t, st);
	task_route(r, t);
	return OK;
}
