#include "tc/saga/run.h"

/*
 * A loop is one task that stands for all, and one for each element. What to do
 * next is read from the elements each time, so nothing has to be kept in step.
 */

struct count {
	size_t all;
	size_t started;
	size_t active;
	size_t done;
	const struct task *lost; /* the first that failed */
};

int loop_prepare(struct run *r, struct task *t)
{
	struct frame *f = r->frames[t->frame];
	const struct val *list;
	struct expr_scope scope = { .root = f->data };
	struct failure why;
	int rc = data_eval(r, task_def(r, t)->loop->collection, &scope, &list,
			   &why);

	if (rc == OK && list->type != JSON_ARRAY) {
		why.error = BYTES("expression");
		why.message = BYTES("the collection of the loop is no array");
		rc = E_INVALID;
	}
	if (rc == OK)
		rc = data_print(r, list, &t->output, &why);
	if (rc == OK)
		t->st = TASK_LOOP;
	if (rc != E_INVALID)
		return rc;
	t->error = why.error;
	t->message = why.message;
	t->refused = true;
	return task_give_up(r, t, TASK_FAILED);
}

static struct count count_elements(const struct run *r, const struct task *t,
				   const struct val *list)
{
	struct count c = { .all = list->n };

	for (size_t i = t->id + 1; i < r->n_tasks; i++) {
		const struct task *e = r->tasks[i];

		if (e->loop != t->id || e->of != NONE)
			continue;
		c.started++;
		if (task_active(e))
			c.active++;
		else if (e->lost && !c.lost)
			c.lost = e;
		else if (!e->lost)
			c.done++;
	}
	return c;
}

static int add_count(struct run *r, const struct val **root, const char *name,
		     size_t n)
{
	const struct val *v = val_number(r->a, (int64_t)n);

	return v ? val_set(r->a, root, bytes_of(name), v) : E_NOMEM;
}

static int is_complete(struct run *r, const struct task *t,
		       const struct count *c, bool *out, struct failure *why)
{
	const struct loop *loop = task_def(r, t)->loop;
	struct expr_scope scope = { .root = r->frames[t->frame]->data };
	int rc;

	*out = c->done == c->all;
	if (!loop->until || *out || c->done == 0)
		return OK;
	rc = add_count(r, &scope.root, "nrOfInstances", c->all);
	if (rc == OK)
		rc = add_count(r, &scope.root, "nrOfActiveInstances",
			       c->active);
	if (rc == OK)
		rc = add_count(r, &scope.root, "nrOfCompletedInstances",
			       c->done);
	return rc == OK ? data_test(r, loop->until, &scope, out, why) : rc;
}

static int start_element(struct run *r, const struct task *t, size_t index)
{
	struct task *e;
	int rc = run_add_task(r, t->frame, t->state, &e);

	if (rc != OK)
		return rc;
	r->moved = true;
	e->loop = t->id;
	e->index = (uint32_t)index;
	return task_prepare(r, e);
}

/* [name] becomes the list of what each element gave; null where none ran. */
static int collect(struct run *r, const struct task *t, struct bytes name,
		   size_t n, const struct val **out)
{
	struct val *list = arena_alloc(r->a, sizeof *list);

	if (!list)
		return E_NOMEM;
	list->type = JSON_ARRAY;
	list->n = n;
	list->items = arena_array(r->a, n ? n : 1, sizeof *list->items);
	if (!list->items)
		return E_NOMEM;
	for (size_t i = 0; i < n; i++)
		list->items[i] = &val_null;
	for (size_t i = t->id + 1; i < r->n_tasks; i++) {
		const struct task *e = r->tasks[i];
		const struct val *values;
		int rc;

		if (e->loop != t->id || e->output.len == 0)
			continue;
		rc = val_parse(r->a, e->output, &values);
		if (rc != OK || e->index >= n)
			return rc == E_NOMEM ? rc : E_CORRUPT;
		list->items[e->index] = val_member(values, name);
	}
	*out = list;
	return OK;
}

static int finish(struct run *r, struct task *t, size_t n)
{
	const struct form *form = task_def(r, t)->output;
	const struct val *values = &val_null, *list;
	struct failure why;
	int rc = OK;

	for (size_t i = 0; rc == OK && form && i < form->n; i++) {
		rc = collect(r, t, form->keys[i], n, &list);
		if (rc == OK)
			rc = val_set(r->a, &values, form->keys[i], list);
	}
	if (rc == OK)
		rc = data_assign(r, r->frames[t->frame], values, &why);
	if (rc == E_INVALID) {
		t->error = why.error;
		t->message = why.message;
		return task_give_up(r, t, TASK_FAILED);
	}
	if (rc != OK)
		return rc;
	task_settle(r, t, TASK_DONE);
	task_route(r, t);
	return OK;
}

static int stop(struct run *r, struct task *t, const struct failure *why,
		bool refused)
{
	t->error = why->error;
	t->message = why->message;
	t->refused = refused;
	return task_give_up(r, t, TASK_FAILED);
}

static bool has_room(const struct run *r, const struct task *t,
		     const struct count *c)
{
	return c->started < c->all &&
	       c->active < task_def(r, t)->loop->parallel;
}

int loop_advance(struct run *r, struct task *t)
{
	const struct frame *f = r->frames[t->frame];
	struct failure why = { 0 };
	const struct val *list;
	bool complete = false;
	struct count c;
	int rc = val_parse(r->a, t->output, &list);

	if (rc != OK)
		return rc == E_NOMEM ? rc : E_CORRUPT;
	c = count_elements(r, t, list);
	if (f->mode != FRAME_FORWARD) {
		if (c.active == 0)
			task_settle(r, t, TASK_DROPPED);
		return OK;
	}
	if (c.lost) {
		why = (struct failure){ c.lost->error, c.lost->message };
		return c.active == 0 ? stop(r, t, &why, c.lost->refused) : OK;
	}
	rc = is_complete(r, t, &c, &complete, &why);
	if (rc == E_INVALID && c.active == 0)
		return stop(r, t, &why, true);
	if (rc == E_NOMEM)
		return rc;
	if (rc == OK && c.active == 0 && (complete || c.started == c.all))
		return finish(r, t, c.all);
	if (rc == OK && !complete && has_room(r, t, &c)) {
		if (r->n_tasks >= r->limits->tasks_max) {
			frame_fail(r, r->frames[t->frame],
				   (struct failure){ BYTES("limit"),
						     BYTES("too many tasks") });
			return OK;
		}
		return start_element(r, t, c.started);
	}
	return OK;
}
