#include "tc/core/saga_run.h"

#include "base/url.h"
#include "base/xid.h"
#include "tc/core/model.h"

/*
 * The calls of a run as jobs, and what becomes of them.
 */

/* Attempts of one task that are kept for a late "done". */
#define KEPT_MAX 3

/* ---- being ---- */

/* Who is called: an origin, or the agents' service of this name. */
static struct bytes resource_of(struct core *c, struct bytes service)
{
	struct url url;
	struct buf b;

	if (!url_is_http(service) || url_parse(&url, service, NULL) != OK)
		return fx_printf(&c->fx, "saga:%.*s", (int)service.len,
				 (const char *)service.data);
	buf_init(&b, &c->fx.arena.as_mem);
	url_put_origin(&b, &url);
	return fx_take(&c->fx, &b);
}

static struct bytes put_behind(uint8_t **to, struct bytes b)
{
	struct bytes copy = { *to, b.len };

	if (b.len > 0)
		memcpy(*to, b.data, b.len);
	*to += b.len;
	return copy;
}

static void fill(struct call *call, const struct saga_call *from)
{
	uint8_t *to = (uint8_t *)(call + 1);

	call->task = from->task;
	call->attempt = from->attempt;
	call->of = from->of;
	call->compensation = from->compensation;
	call->step = put_behind(&to, from->step);
	call->service = put_behind(&to, from->service);
	call->method = put_behind(&to, from->method);
	call->input = put_behind(&to, from->input);
	call->job.timeout_ms = from->timeout_ms;
}

int call_new(struct call **out, struct core *c, struct gtx *g,
	     const struct saga_call *from)
{
	size_t len = from->step.len + from->service.len + from->method.len +
		     from->input.len;
	struct bytes resource = resource_of(c, from->service);
	struct call *call;

	if (!fx_ok(&c->fx))
		return E_NOMEM;
	call = mem_alloc(c->mem, sizeof *call + len);
	if (!call)
		return E_NOMEM;
	if (job_init(c, &call->job, JOB_CALL) != OK) {
		mem_free(c->mem, call);
		return E_NOMEM;
	}
	list_init(&call->of_run);
	list_init(&call->dead);
	list_init(&call->lost);
	call->gtx = g;
	fill(call, from);
	if (from->timeout_ms)
		call->lost_ms = saga_now(c) + from->timeout_ms;
	if (lane_get(&call->job.lane, &c->peers, resource, BYTES(""), true) !=
	    OK) {
		call_free(c, call);
		return E_NOMEM;
	}
	*out = call;
	return OK;
}

void call_free(struct core *c, struct call *call)
{
	job_fini(c, &call->job);
	mem_free(c->mem, call);
}

/* Commands of this step may still point at it. */
void call_bury(struct core *c, struct call *call)
{
	job_place(c, &call->job, PLACE_NONE);
	list_remove(&call->job.held.node);
	list_remove(&call->lost);
	list_remove(&call->of_run);
	list_append(&c->sagas.dead_calls, &call->dead);
}

/* ---- over ---- */

static void bury_task(struct core *c, struct saga_run *run, uint32_t task)
{
	LIST_EACH(node, &run->calls) {
		struct call *call = CONTAINER_OF(node, struct call, of_run);

		if (call->task == task)
			call_bury(c, call);
	}
}

/* Keep a few attempts that are not under way any more, the newest ones. */
static void forget(struct core *c, struct saga_run *run, uint32_t task)
{
	size_t n = 0;

	for (struct list *node = run->calls.prev, *before = node->prev;
	     node != &run->calls; node = before, before = node->prev) {
		struct call *call = CONTAINER_OF(node, struct call, of_run);

		if (call->task == task && call->job.place == PLACE_NONE &&
		    list_empty(&call->lost) && ++n > KEPT_MAX)
			call_bury(c, call);
	}
}

bool call_is_silent(const struct core *c, const struct call *call)
{
	return call->job.place != PLACE_NONE && !call->given_up &&
	       call->lost_ms && call->lost_ms <= saga_now(c);
}

/* What tc/saga does not wait for any more need not be said any more. */
void calls_give_up(struct core *c, struct saga_run *run)
{
	LIST_EACH(node, &run->calls) {
		struct call *call = CONTAINER_OF(node, struct call, of_run);

		if (!call_is_silent(c, call))
			continue;
		call->given_up = true;
		if (call->job.place != PLACE_FLIGHT)
			call_bury(c, call); /* it never left */
	}
}

/* ---- as a job ---- */

static const struct call *call_at(const struct job *j)
{
	return CONTAINER_OF((struct job *)(uintptr_t)j, struct call, job);
}

static uint64_t branch_of(const struct call *call)
{
	return call->compensation ? call->of : call->task;
}

static void command_of(struct core *c, const struct job *j, struct command *out)
{
	const struct call *call = call_at(j);

	(void)c;
	out->type = COMMAND_CALL;
	out->branch = branch_of(call);
	out->mode = MODE_SAGA;
	out->application_data = call->input;
	out->attempt = call->attempt;
	out->participant = call->gtx->saga->participant;
	out->service = call->service;
	out->method = call->method;
	out->compensation = call->compensation;
}

/* tc/saga knows by its own clock. */
static int on_lost(struct core *c, struct job *j, struct bytes error)
{
	const struct call *call = call_at(j);

	(void)error;
	job_place(c, j, PLACE_NONE);
	forget(c, call->gtx->saga, call->task);
	return OK;
}

/* It may have been made: to say nothing and call again could turn a refusal of
 * the second call into "was never done". */
static void on_gone(struct core *c, struct job *j)
{
	struct call *call = CONTAINER_OF(j, struct call, job);

	job_place(c, j, PLACE_NONE);
	list_append(&c->sagas.lost, &call->lost);
}

static uint64_t gtx_of(const struct job *j)
{
	return call_at(j)->gtx->party.number;
}

const struct job_hooks call_job = {
	.command = command_of,
	.lost = on_lost,
	.gone = on_gone,
	.gtx = gtx_of,
};

int unit_lost_call(struct core *c)
{
	struct list *first = list_first(&c->sagas.lost);
	struct saga_event event = {
		.type = SAGA_EV_ANSWER,
		.answer = SAGA_UNKNOWN,
		.error = BYTES("connection"),
		.message =
			BYTES("the participant went away before it answered")
	};
	struct call *call;
	struct gtx *g;
	int rc;

	if (!first)
		return 0;
	call = CONTAINER_OF(first, struct call, lost);
	event.task = call->task;
	event.attempt = call->attempt;
	g = call->gtx;
	saga_say_answer(c, call, &event);
	rc = fx_ok(&c->fx) ? saga_happens(c, g, &event) : E_NOMEM;
	REQUIRE(rc == OK || rc == E_NOMEM);
	if (rc != OK)
		return rc;
	if (!list_empty(first)) { /* the run goes on */
		list_remove(first);
		forget(c, g->saga, event.task);
	}
	return 1;
}

/* ---- answers ---- */

static struct call *find_call(const struct saga_run *run,
			      const struct branch_done *done)
{
	LIST_EACH(node, &run->calls) {
		struct call *call = CONTAINER_OF(node, struct call, of_run);

		if (call->job.attempts > 0 &&
		    call->job.command == done->command &&
		    branch_of(call) == done->branch)
			return call;
	}
	return NULL;
}

static struct gtx *run_of_xid(const struct core *c, struct bytes xid)
{
	struct bytes coordinator;
	uint64_t number;
	struct gtx *g;

	if (xid_parse(xid, &coordinator, &number) != OK ||
	    !bytes_equal(coordinator, c->config.coordinator))
		return NULL;
	g = gtx_find(c, number);
	return g && g->saga ? g : NULL;
}

static struct saga_event event_of(const struct core *c, const struct call *call,
				  const struct branch_done *done)
{
	struct saga_event e = {
		.type = SAGA_EV_ANSWER,
		.task = call->task,
		.attempt = call->attempt,
		.answer = SAGA_UNKNOWN,
		.error = model_cut(done->error_name, c->config.text_max),
		.message = model_cut(done->error, c->config.text_max)
	};

	if (done->status == BRANCH_COMMITTED) {
		e.answer = SAGA_DONE;
		e.output = done->detail;
	} else if (done->status == BRANCH_COMMIT_UNRETRYABLE) {
		e.answer = SAGA_REFUSED;
	} else if (done->in_progress) {
		e.answer = SAGA_IN_PROGRESS;
	}
	return e;
}

/* Something is wrong with what it says, so what it did is not known. */
static void distrust(struct saga_event *e, const char *why)
{
	e->answer = SAGA_UNKNOWN;
	e->output = (struct bytes){ 0 };
	e->error = BYTES("output");
	e->message = bytes_of(why);
}

static int answered(struct core *c, struct gtx *g, struct call *call,
		    struct saga_event *e)
{
	struct saga_move_staged m;
	int rc = saga_run_step(c, g, e);

	if (rc == E_INVALID) {
		distrust(e, "the participant said done, with an output that is "
			    "no JSON");
		rc = saga_run_step(c, g, e);
	}
	REQUIRE(rc == OK || rc == E_NOMEM);
	if (rc != OK)
		return rc;
	saga_say_answer(c, call, e);
	rc = fx_ok(&c->fx) ? saga_run_stage(c, g, false, &m) : E_NOMEM;
	if (rc != OK)
		return rc;
	if (e->answer == SAGA_DONE)
		bury_task(c, g->saga, e->task);
	else
		call_bury(c, call);
	saga_run_commit(c, g, &m);
	return OK;
}

int saga_answered(struct core *c, const struct branch_done *done)
{
	struct gtx *g = run_of_xid(c, done->xid);
	struct call *call = g ? find_call(g->saga, done) : NULL;
	struct saga_event e;

	if (!call)
		return OK; /* late, or repeated */
	e = event_of(c, call, done);
	if (e.answer == SAGA_DONE && e.output.len > c->config.saga_data_max)
		distrust(&e, "the participant said done, with an output longer "
			     "than saga_data_max");
	return answered(c, g, call, &e);
}
