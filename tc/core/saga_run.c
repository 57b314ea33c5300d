#include "tc/core/saga_run.h"

#include "tc/core/model.h"

/*
 * One unit of a run: tc/saga makes a turn of an event (saga_run_step), the turn
 * is staged (saga_run_stage) and committed.
 */

/* ---- being ---- */

int saga_run_new(struct saga_run **out, struct core *c, struct machine *machine,
		 struct bytes participant)
{
	struct saga_run *run = mem_alloc(c->mem, sizeof *run);

	if (!run)
		return E_NOMEM;
	run->machine = machine;
	list_init(&run->calls);
	list_init(&run->resumes);
	if (model_dup(&run->participant, c->mem, participant) != OK) {
		mem_free(c->mem, run);
		return E_NOMEM;
	}
	*out = run;
	return OK;
}

void saga_run_free(struct core *c, struct saga_run *run)
{
	if (!run)
		return;
	REQUIRE(list_empty(&run->calls));
	list_remove(&run->resumes);
	model_free_bytes(c->mem, run->state);
	model_free_bytes(c->mem, run->participant);
	model_free_bytes(c->mem, run->error);
	model_free_bytes(c->mem, run->loaded_key);
	mem_free(c->mem, run);
}

void saga_run_retire(struct core *c, struct gtx *g)
{
	LIST_EACH(node, &g->saga->calls)
		call_bury(c, CONTAINER_OF(node, struct call, of_run));
	list_remove(&g->saga->resumes);
}

/* ---- what tc/saga is asked ---- */

static struct saga_limits limits_of(const struct core *c)
{
	const struct core_config *k = &c->config;
	struct saga_policy policy = { .interval_ms = k->retry_ms_first,
				      .rate_permille = 2000,
				      .ceiling_ms = k->retry_ms_max };
	struct saga_limits limits = { .data_max = k->saga_data_max,
				      .tasks_max = k->saga_tasks_max,
				      .ask_again_ms = k->saga_ask_again_ms,
				      .timeout_ms = k->command_timeout_ms,
				      .unknown = policy,
				      .recovery = policy };

	limits.unknown.attempts = k->saga_attempts;
	limits.recovery.attempts = k->attempts_max;
	return limits;
}

uint64_t saga_now(const struct core *c)
{
	return c->now_ms + c->sagas.offset_ms;
}

int saga_run_begin(struct core *c, const struct machine *machine,
		   const struct request *rq)
{
	struct saga_limits limits = limits_of(c);
	struct saga_start start = {
		.now_ms = saga_now(c),
		.business_key = rq->business_key,
		.input = rq->input,
	};

	if (rq->timeout_ms)
		start.deadline_ms = start.now_ms + rq->timeout_ms;
	return saga_begin(machine->def, &limits, &start, &c->sagas.turn);
}

int saga_run_step(struct core *c, const struct gtx *g, struct saga_event *event)
{
	struct saga_limits limits = limits_of(c);

	event->now_ms = saga_now(c);
	return saga_step(g->saga->machine->def, &limits, g->saga->state, event,
			 &c->sagas.turn);
}

/* ---- the transaction's status ---- */

enum gtx_status saga_gtx_status(const struct saga_turn *turn)
{
	switch (turn->status) {
	case SAGA_COMPENSATING:
		if (!turn->backward)
			return GTX_BEGIN; /* of a trigger; it will go on */
		return turn->retrying ? GTX_ROLLBACK_RETRYING : GTX_ROLLBACKING;
	case SAGA_HUNG:
		return turn->backward ? GTX_ROLLBACK_FAILED : GTX_COMMIT_FAILED;
	case SAGA_SUCCEEDED:
		return GTX_COMMITTED;
	case SAGA_FAILED:
	case SAGA_COMPENSATED:
		return GTX_ROLLBACKED;
	default:
		return GTX_BEGIN;
	}
}

static bool has_ended(const struct saga_turn *turn)
{
	return turn->status == SAGA_SUCCEEDED || turn->status == SAGA_FAILED ||
	       turn->status == SAGA_COMPENSATED;
}

/* That a retry follows is no news for anybody who waits. */
static bool is_news(enum gtx_status from, enum gtx_status to)
{
	if (from == GTX_ROLLBACK_RETRYING)
		from = GTX_ROLLBACKING;
	if (to == GTX_ROLLBACK_RETRYING)
		to = GTX_ROLLBACKING;
	return from != to;
}

/* ---- staging ---- */

static int stage_texts(struct core *c, struct saga_move_staged *m)
{
	const struct saga_turn *turn = &c->sagas.turn;
	struct bytes error = { 0 };

	if (turn->error.len > 0)
		error = fx_printf(&c->fx, "%.*s: %.*s", (int)turn->error.len,
				  (const char *)turn->error.data,
				  (int)turn->message.len,
				  (const char *)turn->message.data);
	if (!fx_ok(&c->fx) ||
	    model_dup(&m->error, c->mem,
		      model_cut(error, c->config.text_max)) != OK)
		return E_NOMEM;
	return model_dup(&m->state, c->mem, turn->state);
}

static int stage_calls(struct core *c, struct gtx *g,
		       struct saga_move_staged *m)
{
	const struct saga_turn *turn = &c->sagas.turn;

	for (size_t i = 0; i < turn->n_calls; i++) {
		struct call *call;
		int rc = call_new(&call, c, g, &turn->calls[i]);

		if (rc != OK)
			return rc;
		list_append(&m->calls, &call->of_run);
		saga_say_call(c, call);
	}
	return OK;
}

static int stage_rows(struct core *c, struct gtx *g, struct saga_move_staged *m)
{
	struct gtx_record r = gtx_record(g);

	if (m->news)
		saga_say_status(c, g);
	if (m->ends)
		return ending_stage(c, g, m->next, m->forced, &m->ending);
	r.status = m->next;
	if (!g->stored || m->next != g->status)
		row_put_gtx(c, g, &r, m->forced);
	row_put_saga(c, g, m->next, m->state, m->forced);
	return fx_ok(&c->fx) ? OK : E_NOMEM;
}

/* Was it all heard before? */
static bool is_idle(const struct core *c, const struct gtx *g)
{
	const struct saga_turn *turn = &c->sagas.turn;

	return g->stored && turn->n_calls == 0 &&
	       bytes_equal(turn->state, g->saga->state);
}

int saga_run_stage(struct core *c, struct gtx *g, bool force,
		   struct saga_move_staged *m)
{
	const struct saga_turn *turn = &c->sagas.turn;
	int rc;

	*m = (struct saga_move_staged){ .next = saga_gtx_status(turn) };
	list_init(&m->calls);
	m->idle = !force && is_idle(c, g);
	if (m->idle)
		return OK;
	m->ends = has_ended(turn);
	m->news = !g->stored || is_news(g->status, m->next);
	m->forced = force || turn->n_calls > 0 ||
		    (m->ends ? !list_empty(&g->asks) : m->news);
	rc = stage_texts(c, m);
	if (rc == OK)
		rc = stage_calls(c, g, m);
	if (rc == OK)
		rc = stage_rows(c, g, m);
	if (rc != OK)
		saga_run_discard(c, g, m);
	return rc;
}

void saga_run_discard(struct core *c, struct gtx *g, struct saga_move_staged *m)
{
	LIST_EACH(node, &m->calls) {
		list_remove(node);
		call_free(c, CONTAINER_OF(node, struct call, of_run));
	}
	model_free_bytes(c->mem, m->state);
	model_free_bytes(c->mem, m->error);
	if (m->ending.tomb)
		ending_discard(c, g, &m->ending);
	*m = (struct saga_move_staged){ .idle = true };
	list_init(&m->calls);
}

/* ---- committing ---- */

/* Not sooner than in so many milliseconds. */
static void set_timer(struct core *c, struct gtx *g, uint64_t least_ms)
{
	uint64_t due = c->sagas.turn.due_ms, now = saga_now(c);
	uint64_t in_ms = due > now ? due - now : 0;

	if (due == UINT64_MAX)
		timer_stop(c, &g->timer);
	else
		timer_set(c, &g->timer,
			  c->now_ms + (in_ms > least_ms ? in_ms : least_ms));
}

static void take_state(struct core *c, struct saga_run *run,
		       const struct saga_move_staged *m)
{
	model_free_bytes(c->mem, run->state);
	model_free_bytes(c->mem, run->error);
	run->state = m->state;
	run->error = m->error;
	run->status = c->sagas.turn.status;
	run->backward = c->sagas.turn.backward;
}

static void become(struct core *c, struct gtx *g,
		   const struct saga_move_staged *m)
{
	g->status = m->next;
	g->stored = true;
	if (m->news)
		g->decision_seq = row_seq(c);
	if (m->news && gtx_status_hung((int)m->next)) {
		c->stats.hung++;
		asks_release(c, g, m->next);
	}
}

void saga_run_commit(struct core *c, struct gtx *g, struct saga_move_staged *m)
{
	if (m->idle) {
		set_timer(c, g, 1); /* a time that moves nothing is no loop */
		return;
	}
	take_state(c, g->saga, m);
	calls_give_up(c, g->saga);
	if (m->ends) {
		g->decision_seq = row_seq(c);
		ending_commit(c, g, &m->ending);
		return;
	}
	become(c, g, m);
	set_timer(c, g, 0);
	LIST_EACH(node, &m->calls) {
		struct call *call = CONTAINER_OF(node, struct call, of_run);

		list_remove(node);
		list_append(&g->saga->calls, node);
		if (call->task >= g->saga->tasks)
			g->saga->tasks = call->task + 1;
		job_hold(c, &call->job, row_seq(c));
		job_queue(c, &call->job);
	}
}

/* ---- what happens by itself ---- */

int saga_happens(struct core *c, struct gtx *g, struct saga_event *event)
{
	struct saga_move_staged m;
	int rc = saga_run_step(c, g, event);

	if (rc == OK)
		rc = saga_run_stage(c, g, false, &m);
	if (rc == OK)
		saga_run_commit(c, g, &m);
	return rc;
}

int saga_timer(struct core *c, struct gtx *g)
{
	struct saga_event event = { .type = SAGA_EV_TIME };
	int rc;

	saga_say_silence(c, g);
	rc = fx_ok(&c->fx) ? saga_happens(c, g, &event) : E_NOMEM;
	REQUIRE(rc == OK || rc == E_NOMEM);
	return rc;
}

static int resume_one(struct core *c, struct list *node)
{
	struct saga_run *run = CONTAINER_OF(node, struct saga_run, resumes);
	struct saga_event event = { .type = SAGA_EV_RESUME };
	struct gtx *g = gtx_find(c, run->number);
	int rc;

	REQUIRE(g && g->saga == run);
	rc = saga_happens(c, g, &event);
	REQUIRE(rc == OK || rc == E_NOMEM);
	if (rc != OK)
		return rc;
	list_remove(node);
	return 1;
}

int unit_saga(struct core *c)
{
	struct list *first = list_first(&c->sagas.resumes);

	return first ? resume_one(c, first) : unit_lost_call(c);
}

/* ---- the end ---- */

int saga_ending_stage(struct core *c, struct gtx *g, struct bytes *detail)
{
	const struct machine *machine = g->saga->machine;
	int rc = saga_detail(c, g, &c->sagas.turn, detail);

	if (rc != OK)
		return rc;
	if (g->stored) {
		row_delete_saga(c, g);
		if (machine->owner)
			row_delete_machine(c, machine, false);
	}
	return asks_stage(c, g, *detail);
}

void saga_ending_commit(struct core *c, struct gtx *g, struct tomb *tomb)
{
	struct machine *machine = g->saga->machine;

	tomb->key = g->saga->key;
	g->saga->key = NULL;
	machine->n_runs--;
	if (!machine->owner)
		return;
	machines_remove(&c->sagas.machines, machine);
	list_append(&c->sagas.dead_machines, &machine->dead);
}
