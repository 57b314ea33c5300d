#include "tc/core/model.h"

/*
 * One event in, effects out. How a step is built is written in model.h.
 *
 * A unit that found no memory while something followed from an event is tried
 * again RETRY_MS later, or with the next event if that is sooner.
 */

#define RETRY_MS 10

/* ---- beginning and end ---- */

static void init_lists(struct core *c)
{
	sagas_lists(c);
	list_init(&c->silent);
	list_init(&c->promises);
	list_init(&c->answers);
	list_init(&c->refused);
	list_init(&c->parked);
	list_init(&c->orphans);
	list_init(&c->dead_gtxs);
	list_init(&c->dead_branches);
	list_init(&c->dead_asks);
	list_init(&c->ids_promise.node);
}

static int init_parts(struct core *c)
{
	uint64_t seed = c->config.seed;
	struct bytes coordinator = c->config.coordinator;

	c->config.coordinator = (struct bytes){ 0 };
	fx_init(&c->fx, c->mem);
	roll_init(&c->roll, c->mem);
	heap_init(&c->timers, c->mem);
	ids_init(&c->ids, 1, 1, c->config.id_block); /* until EV_READY */
	if (model_dup(&c->config.coordinator, c->mem, coordinator) != OK ||
	    map_init(&c->branches, c->mem) != OK ||
	    lock_table_init(&c->locks, c->mem, seed) != OK ||
	    peers_init(&c->peers, c->mem, seed) != OK ||
	    tombs_init(&c->tombs, c->mem, seed) != OK || sagas_init(c) != OK ||
	    topics_init(&c->topics, c->mem, seed) != OK)
		return E_NOMEM;
	peers_limit(&c->peers, c->config.peers_max,
		    c->config.in_flight_per_peer_max);
	return OK;
}

int core_new(struct core **out, const struct mem *mem,
	     const struct core_config *config)
{
	struct core *c;

	if (core_config_check(config) != OK)
		return E_INVALID;
	c = mem_alloc(mem, sizeof *c);
	if (!c)
		return E_NOMEM;
	c->mem = mem;
	c->config = *config;
	c->jitter = config->seed;
	init_lists(c);
	if (init_parts(c) != OK) {
		core_free(c);
		return E_NOMEM;
	}
	*out = c;
	return OK;
}

static void free_asks(struct core *c, struct list *asks)
{
	LIST_EACH(node, asks) {
		struct ask *ask = CONTAINER_OF(node, struct ask, of_gtx);

		timer_stop(c, &ask->timer);
		list_remove(node);
		answer_discard(c, ask);
	}
}

static void free_promises(struct core *c)
{
	LIST_EACH(node, &c->promises) {
		struct promise *p = CONTAINER_OF(node, struct promise, node);

		list_remove(node);
		if (p->kind == PROMISE_ASK)
			answer_discard(c, CONTAINER_OF(p, struct ask, promise));
	}
}

static void free_waiters(struct core *c, struct gtx *g)
{
	LIST_EACH(node, &g->party.waits)
		waiter_free(c,
			    CONTAINER_OF(node, struct waiter, wait.of_party));
}

/* By index: loading may have stopped before the roll was sorted. */
static struct gtx *gtx_at(const struct core *c, size_t i)
{
	return c->roll.entries[i].item;
}

static void free_gtxs(struct core *c)
{
	for (size_t i = 0; i < c->roll.n; i++)
		if (gtx_at(c, i))
			free_waiters(c, gtx_at(c, i));
	for (size_t i = 0; i < c->roll.n; i++) {
		if (!gtx_at(c, i))
			continue;
		free_asks(c, &gtx_at(c, i)->asks);
		gtx_retire(c, gtx_at(c, i));
	}
}

static void free_orphans(struct core *c)
{
	LIST_EACH(node, &c->orphans) {
		struct branch *b = CONTAINER_OF(node, struct branch, of_gtx);

		list_remove(node);
		map_remove(&c->branches, &b->by_id);
		branch_free(c, b);
	}
}

static void free_all(struct core *c)
{
	free_orphans(c);
	free_promises(c);
	free_asks(c, &c->answers);
	LIST_EACH(node, &c->refused)
		waiter_free(c, CONTAINER_OF(node, struct waiter, refused));
	while (!list_empty(&c->parked)) {
		struct list *node = list_first(&c->parked);
		struct parked *p = CONTAINER_OF(node, struct parked, node);

		list_remove(node);
		mem_free(c->mem, p->rq);
		mem_free(c->mem, p);
	}
	free_gtxs(c);
	model_sweep(c);
}

void core_free(struct core *c)
{
	if (!c)
		return;
	free_all(c);
	sagas_fini(c);
	tombs_fini(&c->tombs);
	topics_fini(&c->topics);
	peers_fini(&c->peers);
	if (c->locks.mem)
		lock_table_fini(&c->locks);
	map_fini(&c->branches);
	heap_fini(&c->timers);
	roll_fini(&c->roll);
	fx_fini(&c->fx);
	model_free_bytes(c->mem, c->config.coordinator);
	mem_free(c->mem, c);
}

int core_reconfigure(struct core *c, const struct core_config *config)
{
	struct core_config fresh = *config;

	fresh.coordinator = c->config.coordinator;
	fresh.seed = c->config.seed;
	fresh.first_id = c->config.first_id;
	if (core_config_check(&fresh) != OK)
		return E_INVALID;
	c->config = fresh;
	c->ids.block = fresh.id_block;
	peers_limit(&c->peers, fresh.peers_max, fresh.in_flight_per_peer_max);
	return OK;
}

/* ---- what follows ---- */

static int unit_timer(struct core *c)
{
	struct heap_node *first = heap_first(&c->timers);
	struct timer *t;
	int rc = OK;

	if (!first || first->due > c->now_ms)
		return 0;
	t = CONTAINER_OF(first, struct timer, node);
	switch (t->kind) {
	case TIMER_GTX:
		rc = gtx_timeout(c, CONTAINER_OF(t, struct gtx, timer));
		break;
	case TIMER_SAGA:
		rc = saga_timer(c, CONTAINER_OF(t, struct gtx, timer));
		break;
	case TIMER_JOB:
		rc = job_timer(c, CONTAINER_OF(t, struct job, timer));
		break;
	case TIMER_WAITER:
		waiter_timeout(c, CONTAINER_OF(t, struct waiter, timer));
		break;
	case TIMER_ASK:
		ask_timeout(c, CONTAINER_OF(t, struct ask, timer));
		break;
	}
	return rc == OK ? 1 : rc;
}

/* Each is done until it has nothing to do; then all again, as one may have
 * made work for another. Grants come before timers: who can have its rows now
 * is not refused because its time is over now. */
static int (*const units[])(struct core *) = {
	unit_promise, unit_ids,  unit_parked, unit_grant,
	unit_timer,   unit_saga, unit_silent, unit_refused,
	unit_answer,  unit_send, unit_tombs,
};

/* True if something was done; false with c->retry_ms set on no memory. */
static bool exhaust(struct core *c, int (*unit)(struct core *))
{
	bool worked = false;

	for (;;) {
		size_t mark = c->fx.n;
		int rc = unit(c);

		if (rc == 0)
			return worked;
		if (rc != 1) {
			REQUIRE(rc == E_NOMEM);
			fx_undo(&c->fx, mark);
			c->retry_ms = c->now_ms + RETRY_MS;
			return false;
		}
		worked = true;
	}
}

static void follow(struct core *c)
{
	bool worked = true;

	c->retry_ms = 0;
	while (worked) {
		worked = false;
		for (size_t i = 0; i < ARRAY_LEN(units); i++) {
			worked |= exhaust(c, units[i]);
			if (c->retry_ms)
				return;
		}
	}
}

/* ---- the step ---- */

static int handle(struct core *c, const struct event *event)
{
	switch (event->type) {
	case EV_LOADED:
		return handle_loaded(c, &event->row);
	case EV_READY:
		return handle_ready(c);
	case EV_PEER_UP:
		return handle_peer_up(c, &event->up);
	case EV_PEER_GONE:
		handle_peer_gone(c, event->peer);
		return OK;
	case EV_REQUEST:
		return handle_request(c, &event->request);
	case EV_BRANCH_DONE:
		return handle_done(c, &event->done);
	case EV_STORED:
		REQUIRE(event->seq <= c->seq);
		if (event->seq > c->stored)
			c->stored = event->seq;
		return OK;
	case EV_STORE_FAILED:
		c->failed = true;
		return OK;
	case EV_TIME:
		return OK;
	default:
		REQUIRE(event->type == EV_TIME); /* no other is left */
		return E_INVALID;
	}
}

/* The store failed: what is on the disk is not known any more. */
static int refuse_all(struct core *c, const struct event *event)
{
	struct answer a;

	if (event->type != EV_REQUEST)
		return OK;
	a = answer_to(&event->request, E_CLOSED);
	a.what = "the coordinator's store failed; it must be restarted";
	return answer_give(c, &a, 0);
}

static void hand_out(struct core *c, struct effects *out)
{
	size_t rows = 0;

	*out = (struct effects){ .items = c->fx.items, .n = c->fx.n };
	for (size_t i = 0; i < c->fx.n; i++) {
		const struct effect *e = &c->fx.items[i];

		if (e->type != FX_PUT && e->type != FX_DELETE &&
		    e->type != FX_AUDIT)
			continue;
		rows++;
		out->forced |= e->forced;
		c->stats.rows_forced += e->forced;
		c->stats.rows_lazy += !e->forced;
	}
	if (rows > 0)
		out->seq = ++c->seq;
}

int core_step(struct core *c, const struct event *event, struct effects *out)
{
	bool loading = event->type == EV_LOADED || event->type == EV_READY;
	uint64_t now_ms = c->now_ms, wall_ms = c->wall_ms;
	int rc;

	REQUIRE(event->now_ms >= c->now_ms);
	REQUIRE(c->ready != loading);
	fx_reset(&c->fx);
	model_sweep(c);
	c->now_ms = event->now_ms;
	c->wall_ms = event->wall_ms;
	rc = c->failed ? refuse_all(c, event) : handle(c, event);
	if (rc != OK) {
		fx_undo(&c->fx, 0);
		c->now_ms = now_ms;
		c->wall_ms = wall_ms;
		return rc;
	}
	if (c->ready && !c->failed)
		follow(c);
	hand_out(c, out);
	return OK;
}

uint64_t core_deadline(const struct core *c)
{
	const struct heap_node *first = heap_first(&c->timers);
	const struct tomb *oldest = tombs_oldest(&c->tombs);
	uint64_t due = first ? first->due : UINT64_MAX;

	if (c->failed || !c->ready)
		return UINT64_MAX;
	if (oldest && oldest->expires_ms < due)
		due = oldest->expires_ms;
	return c->retry_ms ? c->retry_ms : due;
}
