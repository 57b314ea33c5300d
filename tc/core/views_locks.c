#include "tc/core/model.h"

/*
 * Who holds what, who waits for whom, and who is there: for people. Nothing
 * here changes anything.
 */

static size_t length(const struct list *head)
{
	size_t n = 0;

	LIST_EACH(node, head)
		n++;
	return n;
}

/* ---- locks ---- */

struct lock_walk {
	const struct lock_filter *filter;
	uint64_t now_ms;
	bool (*each)(void *ctx, struct lock_view);
	void *ctx;
	size_t n;
	bool over;
};

static void give_locks(struct lock_walk *walk, const struct branch *b)
{
	const struct gtx *g = b->gtx;
	struct lock_view v = {
		.resource = b->job.lane->resource->name,
		.gtx = g->party.number,
		.branch = b->id,
		.status = g->status,
		.age_ms = walk->now_ms - g->began_ms,
	};

	for (size_t i = 0; i < b->locks->n && !walk->over; i++) {
		v.key = b->locks->keys[i];
		v.n_waiters = length(&b->locks->locks[i]->queue);
		if (walk->filter->waited_for && v.n_waiters == 0)
			continue;
		walk->n++;
		walk->over = !walk->each(walk->ctx, v);
	}
}

static bool is_wanted(const struct lock_filter *f, const struct branch *b)
{
	if (!b->locks)
		return false;
	if (b->gtx->party.number == f->after_gtx && b->id <= f->after_branch)
		return false;
	return f->resource.len == 0 ||
	       bytes_equal(f->resource, b->job.lane->resource->name);
}

static void walk_gtx(struct lock_walk *walk, const struct gtx *g)
{
	LIST_EACH(node, &g->branches) {
		const struct branch *b =
			CONTAINER_OF(node, struct branch, of_gtx);

		if (walk->n >= walk->filter->limit)
			walk->over = true;
		if (walk->over)
			return;
		if (is_wanted(walk->filter, b))
			give_locks(walk, b);
	}
}

size_t core_locks(const struct core *c, const struct lock_filter *filter,
		  uint64_t now_ms, bool (*each)(void *ctx, struct lock_view),
		  void *ctx)
{
	struct lock_walk walk = { filter, now_ms, each, ctx, 0, false };
	struct gtx *g;

	if (filter->waited_for && c->n_waiters == 0)
		return 0;
	g = roll_find(&c->roll, filter->after_gtx);
	if (!g)
		g = roll_after(&c->roll, filter->after_gtx);
	for (; g && !walk.over; g = roll_after(&c->roll, g->party.number))
		walk_gtx(&walk, g);
	return walk.n;
}

/* ---- waits ---- */

static bool give_edges(const struct waiter *w, uint64_t now_ms,
		       bool (*each)(void *ctx, struct wait_view), void *ctx)
{
	uint64_t due = w->timer.node.due;
	struct wait_view v = {
		.waiter = w->gtx->party.number,
		.takes = w->wait.takes,
		.resource = w->rq->resource,
		.waited_ms = now_ms - w->since_ms,
		.left_ms = due > now_ms ? due - now_ms : 0,
	};

	for (size_t i = 0; i < w->set->n; i++) {
		v.key = w->set->keys[i];
		for (int which = 0; which < 2; which++) {
			const struct lock_party *p =
				lock_wait_for(&w->wait, i, which);

			v.held = which == 0;
			v.holder = p ? p->number : 0;
			if (p && !each(ctx, v))
				return false;
		}
	}
	return true;
}

void core_waits(const struct core *c, uint64_t now_ms,
		bool (*each)(void *ctx, struct wait_view), void *ctx)
{
	struct gtx *g = c->n_waiters ? roll_after(&c->roll, 0) : NULL;

	for (; g; g = roll_after(&c->roll, g->party.number)) {
		LIST_EACH(node, &g->party.waits) {
			const struct waiter *w = CONTAINER_OF(
				node, struct waiter, wait.of_party);

			if (!give_edges(w, now_ms, each, ctx))
				return;
		}
	}
}

/* ---- peers ---- */

static bool count_one(void *ctx, struct bytes name)
{
	(void)name;
	++*(size_t *)ctx;
	return true;
}

void core_peers(const struct core *c, bool (*each)(void *ctx, struct peer_view),
		void *ctx)
{
	const struct map *all = &c->peers.by_id;

	for (struct map_node *n = map_next(all, NULL); n;
	     n = map_next(all, n)) {
		const struct peer *p = CONTAINER_OF(n, struct peer, by_id);
		struct peer_view v = {
			.peer = p->id,
			.url = peer_is_url(p->id),
			.application = p->application,
			.instance = p->instance,
			.n_in_flight = p->n_in_flight,
			.n_queued = length(&p->queue),
			.suspect = p->suspect,
		};

		peer_resources(p, count_one, &v.n_resources);
		if (!each(ctx, v))
			return;
	}
}

int core_peer_resources(const struct core *c, uint64_t peer,
			bool (*each)(void *ctx, struct bytes name), void *ctx)
{
	const struct peer *p = peers_find(&c->peers, peer);

	if (!p)
		return E_NOTFOUND;
	peer_resources(p, each, ctx);
	return OK;
}
