#include "tc/core/model.h"

#include <inttypes.h>

/*
 * Replies: now if what they say is durable, else when it is.
 *
 * A promise stands in one queue with the number of the row that it rests on.
 * The queue is in order of coming, not of numbers; that can delay a promise
 * behind a later row, never let it out early. Every number in it is that of a
 * step with a forced row, so EV_STORED for it is sure to come.
 */

struct answer answer_to(const struct request *rq, int err)
{
	return (struct answer){
		.peer = rq->peer, .id = rq->id, .type = rq->type, .err = err
	};
}

struct answer answer_about(const struct request *rq, int err,
			   const struct gtx *g)
{
	struct answer a = answer_to(rq, err);

	a.gtx = g->party.number;
	a.status = g->status;
	return a;
}

/* ---- what a reply says to people ---- */

static struct bytes say_conflict(struct fx *fx, const struct answer *a,
				 struct bytes holder)
{
	const char *why =
		a->err == E_DEADLOCK
			? "; waiting would close a cycle: roll back and retry"
		: a->err == E_TIMEOUT ? "; waited as long as asked"
				      : "; try again when it has finished";

	if (holder.len == 0)
		return fx_printf(fx, "no row lock in the time asked for; "
				     "nobody holds it now: try again");
	return fx_printf(
		fx, "row locked by transaction %.*s since %" PRIu64 " ms%s",
		(int)holder.len, (const char *)holder.data, a->holder_age_ms,
		why);
}

static struct bytes say(struct fx *fx, const struct answer *a,
			const struct reply *r)
{
	const char *xid = (const char *)r->xid.data;
	int len = (int)r->xid.len;

	switch (a->err) {
	case OK:
		return (struct bytes){ 0 };
	case E_NOTFOUND:
		if (a->what)
			return fx_printf(fx, "%s", a->what);
		if (a->branch)
			return fx_printf(fx,
					 "transaction %.*s has no branch "
					 "%" PRIu64,
					 len, xid, a->branch);
		return fx_printf(fx,
				 "no transaction %.*s: never begun here, "
				 "rolled back by a restart, or finished long "
				 "ago",
				 len, xid);
	case E_UNKNOWN:
		return fx_printf(fx,
				 "transaction %.*s is of another life of this "
				 "coordinator, whose store was replaced since: "
				 "nothing is known of it, so decide it by hand "
				 "(docs/operations.md, \"A store that was "
				 "replaced\")",
				 len, xid);
	case E_STATE:
		if (!a->gtx)
			return fx_printf(fx, "%s", a->what);
		return fx_printf(fx, "transaction %.*s is %s%s%s", len, xid,
				 gtx_status_name((int)a->status),
				 a->what ? ": " : "", a->what ? a->what : "");
	case E_CONFLICT:
		if (a->what)
			return fx_printf(fx, "%s", a->what);
		return say_conflict(fx, a, r->holder);
	case E_DEADLOCK:
	case E_TIMEOUT:
		return say_conflict(fx, a, r->holder);
	default:
		return fx_printf(fx, "%s",
				 a->what ? a->what : err_name(a->err));
	}
}

static int emit(struct core *c, const struct answer *a)
{
	struct fx *fx = &c->fx;
	struct reply r = {
		.peer = a->peer,
		.id = a->id,
		.type = a->type,
		.err = a->err,
		.status = a->status,
		.branch = a->branch,
		.first_id = a->first_id,
		.count = a->count,
		.holder_age_ms = a->holder_age_ms,
		.detail = a->detail,
		.existed = a->existed,
		.change = a->change,
	};
	const struct gtx *g = a->operated ? gtx_find(c, a->gtx) : NULL;

	if (g)
		r.revision = gtx_revision(g);
	if (a->gtx)
		r.xid = fx_xid(fx, c->config.coordinator, a->gtx);
	if (a->holder)
		r.holder = fx_xid(fx, c->config.coordinator, a->holder);
	r.key = fx_copy(fx, a->key);
	r.name = fx_copy(fx, a->name);
	r.version = fx_copy(fx, a->version);
	r.text = say(fx, a, &r);
	fx_add(fx, FX_REPLY)->reply = r;
	return fx_ok(fx) ? OK : E_NOMEM;
}

/* ---- now or later ---- */

static int own_texts(struct core *c, struct ask *ask, const struct answer *a)
{
	ask->answer = *a;
	ask->answer.key = (struct bytes){ 0 };
	ask->answer.detail = ask->answer.name = ask->answer.version =
		ask->answer.change = (struct bytes){ 0 };
	if (model_dup(&ask->answer.detail, c->mem, a->detail) != OK ||
	    model_dup(&ask->answer.name, c->mem, a->name) != OK ||
	    model_dup(&ask->answer.version, c->mem, a->version) != OK ||
	    model_dup(&ask->answer.change, c->mem, a->change) != OK)
		return E_NOMEM;
	return OK;
}

static int stage(struct core *c, const struct answer *a, uint64_t rests_on,
		 uint64_t until_ms, struct ask **out)
{
	struct ask *ask;

	*out = NULL;
	if (rests_on <= c->stored && until_ms == 0)
		return emit(c, a);
	if (timer_reserve(c) != OK)
		return E_NOMEM;
	ask = mem_alloc(c->mem, sizeof *ask);
	if (!ask)
		return E_NOMEM;
	c->n_timers++;
	if (own_texts(c, ask, a) != OK) {
		answer_discard(c, ask);
		return E_NOMEM;
	}
	ask->promise.seq = rests_on;
	list_init(&ask->promise.node);
	list_init(&ask->of_gtx);
	ask->timer.kind = TIMER_ASK;
	ask->until_ms = until_ms;
	*out = ask;
	return OK;
}

int answer_stage(struct core *c, const struct answer *a, uint64_t rests_on,
		 uint64_t until_ms, struct ask **out)
{
	struct answer full = *a;
	int rc;

	*out = NULL;
	if (!c->operation)
		return stage(c, a, rests_on, until_ms, out);
	rc = operation_note(c, &full, &rests_on);
	return rc == OK ? stage(c, &full, rests_on, 0, out) : rc;
}

void answer_commit(struct core *c, struct ask *ask)
{
	if (ask)
		promise_add(c, &ask->promise, PROMISE_ASK, ask->promise.seq);
}

void answer_discard(struct core *c, struct ask *ask)
{
	model_free_bytes(c->mem, ask->answer.detail);
	model_free_bytes(c->mem, ask->answer.name);
	model_free_bytes(c->mem, ask->answer.version);
	model_free_bytes(c->mem, ask->answer.change);
	c->n_timers--;
	mem_free(c->mem, ask);
}

int answer_give(struct core *c, const struct answer *a, uint64_t rests_on)
{
	struct ask *ask;
	int rc = answer_stage(c, a, rests_on, 0, &ask);

	if (rc == OK)
		answer_commit(c, ask);
	return rc;
}

uint64_t answer_until(const struct core *c, const struct request *rq)
{
	uint64_t wait = rq->wait_ms;

	if (wait > c->config.reply_wait_ms_max)
		wait = c->config.reply_wait_ms_max;
	return wait ? c->now_ms + wait : 0;
}

uint64_t answer_rests_on(const struct core *c, const struct gtx *g)
{
	(void)c;
	return g->decision_seq;
}

void ask_attach(struct core *c, struct gtx *g, struct ask *ask)
{
	list_append(&g->asks, &ask->of_gtx);
	timer_set(c, &ask->timer, ask->until_ms);
}

/* It waits no longer; what it says rests on the transaction's decision. */
static void ask_release(struct core *c, struct gtx *g, struct ask *ask,
			enum gtx_status status)
{
	ask->answer.status = status;
	timer_stop(c, &ask->timer);
	list_remove(&ask->of_gtx);
	if (g->decision_seq <= c->stored) {
		list_append(&c->answers, &ask->of_gtx);
		return;
	}
	ask->until_ms = 0;
	promise_add(c, &ask->promise, PROMISE_ASK, g->decision_seq);
}

void asks_release(struct core *c, struct gtx *g, enum gtx_status status)
{
	LIST_EACH(node, &g->asks)
		ask_release(c, g, CONTAINER_OF(node, struct ask, of_gtx),
			    status);
}

void asks_discard(struct core *c, struct gtx *g)
{
	LIST_EACH(node, &g->asks) {
		struct ask *ask = CONTAINER_OF(node, struct ask, of_gtx);

		model_free_bytes(c->mem, ask->answer.detail);
		ask->answer.detail = (struct bytes){ 0 };
	}
}

int asks_stage(struct core *c, struct gtx *g, struct bytes detail)
{
	LIST_EACH(node, &g->asks) {
		struct ask *ask = CONTAINER_OF(node, struct ask, of_gtx);

		if (model_dup(&ask->answer.detail, c->mem, detail) != OK) {
			asks_discard(c, g);
			return E_NOMEM;
		}
	}
	return OK;
}

void ask_timeout(struct core *c, struct ask *ask)
{
	struct gtx *g = gtx_find(c, ask->answer.gtx);

	REQUIRE(g); /* else it would have been released */
	ask_release(c, g, ask, g->status);
}

/* ---- promises ---- */

void promise_add(struct core *c, struct promise *p, enum promise_kind kind,
		 uint64_t seq)
{
	p->kind = kind;
	p->seq = seq;
	list_append(&c->promises, &p->node);
}

/* Its row is durable. Wait for phase two, or answer now. */
static void keep_ask(struct core *c, struct ask *ask)
{
	struct gtx *g = gtx_find(c, ask->answer.gtx);

	if (ask->until_ms > c->now_ms && g &&
	    !gtx_status_hung((int)g->status)) {
		list_append(&g->asks, &ask->of_gtx);
		timer_set(c, &ask->timer, ask->until_ms);
		return;
	}
	if (ask->until_ms && g)
		ask->answer.status = g->status;
	list_append(&c->answers, &ask->of_gtx);
}

int unit_promise(struct core *c)
{
	struct list *first = list_first(&c->promises);
	struct promise *p;

	if (!first)
		return 0;
	p = CONTAINER_OF(first, struct promise, node);
	if (p->seq > c->stored)
		return 0;
	list_remove(first);
	switch (p->kind) {
	case PROMISE_ASK:
		keep_ask(c, CONTAINER_OF(p, struct ask, promise));
		break;
	case PROMISE_DECISION:
		phase_two_start(c, CONTAINER_OF(p, struct gtx, decision));
		break;
	case PROMISE_JOB:
		job_held(c, CONTAINER_OF(p, struct job, held));
		break;
	case PROMISE_IDS:
		ids_stored(&c->ids);
		break;
	}
	return 1;
}

int unit_answer(struct core *c)
{
	struct list *first = list_first(&c->answers);
	struct ask *ask;

	if (!first)
		return 0;
	ask = CONTAINER_OF(first, struct ask, of_gtx);
	if (emit(c, &ask->answer) != OK)
		return E_NOMEM;
	list_remove(first);
	list_append(&c->dead_asks, first);
	return 1;
}
