#include "tc/core/model.h"

/*
 * Branches come in, and row locks with them: at once, or after waiting.
 */

static const char *bad_keys(const struct core *c, const struct request *rq,
			    int *err)
{
	*err = E_LIMIT;
	if (rq->n_lock_keys > c->config.lock_keys_per_branch_max)
		return "more lock keys than lock_keys_per_branch_max";
	*err = E_INVALID;
	for (size_t i = 0; i < rq->n_lock_keys; i++)
		if (rq->lock_keys[i].len == 0)
			return "an empty lock key";
	return NULL;
}

/* Why there is no room for it; NULL if there is. */
static const char *no_room(const struct core *c, const struct gtx *g,
			   const struct lock_set *set)
{
	if (g->n_listed >= c->config.branches_per_gtx_max)
		return "more branches than branches_per_gtx_max";
	if (set && c->locks.n_owned + lock_set_fresh(set) > c->config.locks_max)
		return "more row locks than locks_max";
	return NULL;
}

/* ---- a branch is taken in ---- */

static int stage_branch(struct core *c, struct gtx *g, struct branch *b,
			struct lock_set *set)
{
	struct branch_record r = branch_record(b);
	struct gtx_record gr = gtx_record(g);

	r.lock_keys = set ? set->keys : NULL;
	r.n_lock_keys = set ? set->n : 0;
	if (!g->stored)
		row_put_gtx(c, g, &gr, true);
	row_put_branch(c, b, g, &r, true);
	branch_say(c, g, b, r.n_lock_keys);
	return fx_ok(&c->fx) ? OK : E_NOMEM;
}

/* Nobody stands in the way, there is room, and there are numbers. Takes the
 * set over if it returns OK. */
static int admit(struct core *c, struct gtx *g, const struct request *rq,
		 struct lock_set *set)
{
	struct branch_spec spec = branch_spec(c, g, rq);
	struct answer a = answer_about(rq, OK, g);
	struct branch *b;
	struct ask *ask;
	int rc;

	spec.delivery.schedule = branch_schedule(c, rq);
	rc = fx_ok(&c->fx) ? branch_new(&b, c, &spec) : E_NOMEM;
	if (rc != OK)
		return rc;
	a.branch = b->id;
	rc = stage_branch(c, g, b, set);
	if (rc == OK)
		rc = answer_stage(c, &a, row_seq(c), 0, &ask);
	if (rc != OK) {
		branch_free(c, b);
		return rc;
	}
	b->locks = set;
	if (set)
		lock_set_claim(set, &c->locks, &g->party);
	branch_admit(c, b, g);
	answer_commit(c, ask);
	return OK;
}

/* ---- waiting ---- */

void waiter_free(struct core *c, struct waiter *w)
{
	lock_wait_fini(&w->wait, &c->locks);
	lock_set_free(w->set, &c->locks);
	timer_stop(c, &w->timer);
	list_remove(&w->of_peer);
	list_remove(&w->refused);
	mem_free(c->mem, w->rq);
	mem_free(c->mem, w);
	c->n_timers--;
}

/* It leaves the queue; the answer follows when there is memory for it. */
static void waiter_refuse(struct core *c, struct waiter *w, int err,
			  const char *what)
{
	if (w->wait.party)
		lock_wait_leave(&w->wait, &c->locks);
	timer_stop(c, &w->timer);
	w->answer = answer_about(w->rq, err, w->gtx);
	w->answer.what = what;
	w->gtx = NULL;
	list_append(&c->refused, &w->refused);
	c->n_waiters--;
}

static void name_holder(const struct core *c, struct answer *a,
			const struct lock_party *by, struct bytes key)
{
	const struct gtx *g = CONTAINER_OF(by, struct gtx, party);

	a->holder = by->number;
	a->holder_age_ms = c->now_ms - g->began_ms;
	a->key = key;
}

static void waiter_conflict(struct core *c, struct waiter *w, int err)
{
	struct lock_block block;
	bool blocked =
		lock_set_blocked(w->set, w->wait.party, &w->wait, &block);
	struct lock_party *by = blocked ? block.by : NULL;

	waiter_refuse(c, w, err, NULL);
	if (by)
		name_holder(c, &w->answer, by, w->set->keys[block.key]);
}

static struct waiter *waiter_of(struct lock_wait *wait)
{
	return CONTAINER_OF(wait, struct waiter, wait);
}

/* Refuse the youngest of each cycle that goes through this party. */
static void break_cycles(struct core *c, struct lock_party *party)
{
	struct lock_party *next;
	struct lock_wait *victim;

	while ((victim = lock_wait_cycle(&c->locks, party, &next))) {
		waiter_conflict(c, waiter_of(victim), E_DEADLOCK);
		c->stats.deadlocks++;
	}
}

void waiter_timeout(struct core *c, struct waiter *w)
{
	waiter_conflict(c, w, E_TIMEOUT);
}

void waiters_of_gtx(struct core *c, struct gtx *g)
{
	LIST_EACH(node, &g->party.waits) {
		struct waiter *w = waiter_of(
			CONTAINER_OF(node, struct lock_wait, of_party));

		waiter_refuse(c, w, E_STATE, "no branch can be added any more");
		w->answer.status = g->status;
	}
}

static void refuse_queue(struct core *c, struct lock *l, struct gtx *holder)
{
	LIST_EACH(node, &l->queue) {
		struct lock_slot *slot =
			CONTAINER_OF(node, struct lock_slot, in_queue);
		struct waiter *w = waiter_of(slot->wait);

		if (slot->wait->party == &holder->party)
			continue;
		waiter_refuse(c, w, E_CONFLICT, NULL);
		name_holder(c, &w->answer, &holder->party,
			    (struct bytes){ l->key, l->len });
		c->stats.lock_conflicts++;
	}
}

/* They may hold database rows that the undo needs. */
void waiters_for_gtx(struct core *c, struct gtx *g)
{
	LIST_EACH(node, &g->branches) {
		struct branch *b = CONTAINER_OF(node, struct branch, of_gtx);

		for (size_t i = 0; b->locks && i < b->locks->n; i++)
			refuse_queue(c, b->locks->locks[i], g);
	}
}

void waiters_of_peer(struct core *c, struct peer *p)
{
	LIST_EACH(node, &p->waiters) {
		struct waiter *w = CONTAINER_OF(node, struct waiter, of_peer);

		c->n_waiters -= w->wait.party != NULL;
		waiter_free(c, w);
	}
}

int unit_refused(struct core *c)
{
	struct list *first = list_first(&c->refused);
	struct waiter *w;
	uint64_t rests_on = 0;
	struct gtx *g;

	if (!first)
		return 0;
	w = CONTAINER_OF(first, struct waiter, refused);
	g = gtx_find(c, w->answer.gtx);
	if (w->answer.err == E_STATE && g)
		rests_on = answer_rests_on(c, g);
	if (answer_give(c, &w->answer, rests_on) != OK)
		return E_NOMEM;
	waiter_free(c, w);
	return 1;
}

int unit_grant(struct core *c)
{
	struct lock_wait *wait = lock_wait_grantable(&c->locks);
	struct answer a;
	struct waiter *w;
	struct gtx *g;
	const char *full;
	int rc;

	if (!wait)
		return 0;
	w = waiter_of(wait);
	g = w->gtx;
	full = wait->takes ? no_room(c, g, w->set) : NULL;
	if (full) {
		waiter_refuse(c, w, E_LIMIT, full);
		return 1;
	}
	if (wait->takes && !ids_have(&c->ids, 1))
		return 0; /* they are on their way */
	a = answer_about(w->rq, OK, g);
	rc = wait->takes ? admit(c, g, w->rq, w->set)
			 : answer_give(c, &a, c->commit_seq);
	if (rc != OK)
		return rc;
	c->n_waiters--;
	lock_wait_leave(wait, &c->locks);
	if (wait->takes)
		w->set = NULL; /* the branch has it */
	waiter_free(c, w);
	break_cycles(c, &g->party); /* it may wait for something else, too */
	return 1;
}

static struct waiter *waiter_new(struct core *c, struct gtx *g,
				 const struct request *rq, struct lock_set *set)
{
	struct waiter *w;

	if (timer_reserve(c) != OK)
		return NULL;
	w = mem_alloc(c->mem, sizeof *w);
	if (!w)
		return NULL;
	w->rq = request_dup(c->mem, rq, false);
	if (!w->rq || lock_wait_init(&w->wait, c->mem, set) != OK) {
		mem_free(c->mem, w->rq);
		mem_free(c->mem, w);
		return NULL;
	}
	c->n_timers++;
	w->gtx = g;
	w->since_ms = c->now_ms;
	w->set = set;
	w->timer.kind = TIMER_WAITER;
	list_init(&w->of_peer);
	list_init(&w->refused);
	return w;
}

static void waiter_aim(struct core *c, struct waiter *w,
		       const struct request *rq)
{
	struct peer *p = peers_find(&c->peers, rq->peer);
	uint64_t wait = rq->wait_ms;

	if (wait > c->config.lock_wait_ms_max)
		wait = c->config.lock_wait_ms_max;
	w->rq->peer = rq->peer;
	w->rq->id = rq->id;
	list_remove(&w->of_peer);
	if (p)
		list_append(&p->waiters, &w->of_peer);
	timer_set(c, &w->timer, c->now_ms + wait);
}

/* Takes the set over if it returns OK. */
static int start_waiting(struct core *c, struct gtx *g,
			 const struct request *rq, struct lock_set *set)
{
	struct waiter *w = waiter_new(c, g, rq, set);

	if (!w)
		return E_NOMEM;
	waiter_aim(c, w, rq);
	lock_wait_join(&w->wait, &c->locks, &g->party, rq->type == RQ_REGISTER);
	c->n_waiters++;
	c->stats.lock_waits++;
	break_cycles(c, &g->party);
	return OK;
}

/* ---- requests ---- */

static struct waiter *find_waiter(const struct gtx *g, const struct request *rq)
{
	LIST_EACH(node, &g->party.waits) {
		struct waiter *w = waiter_of(
			CONTAINER_OF(node, struct lock_wait, of_party));

		if (rq->client_key && w->wait.takes &&
		    w->rq->client_key == rq->client_key)
			return w;
	}
	return NULL;
}

/* Somebody stands in the way. */
static int conflict(struct core *c, struct gtx *g, const struct request *rq,
		    struct lock_set *set, const struct lock_block *block)
{
	struct answer a = answer_about(rq, E_CONFLICT, g);

	if (rq->wait_ms > 0 && !block->closing) {
		if (c->n_waiters < c->config.waiters_max)
			return start_waiting(c, g, rq, set);
		a.err = E_LIMIT;
		a.what = "more lock requests wait than waiters_max";
	}
	name_holder(c, &a, block->by, set->keys[block->key]);
	if (answer_give(c, &a, 0) != OK)
		return E_NOMEM;
	c->stats.lock_conflicts++;
	lock_set_free(set, &c->locks);
	return OK;
}

/* The keys are pinned: take them, look at them, wait for them, or say no. */
static int with_set(struct core *c, struct gtx *g, const struct request *rq,
		    struct lock_set *set)
{
	struct answer a = answer_about(rq, OK, g);
	struct lock_block block;
	const char *full;
	int rc;

	if (set && lock_set_blocked(set, &g->party, NULL, &block))
		return conflict(c, g, rq, set, &block);
	full = rq->type == RQ_REGISTER ? no_room(c, g, set) : NULL;
	if (!full && rq->type == RQ_REGISTER) {
		rc = admit(c, g, rq, set);
		if (rc == OK)
			break_cycles(c, &g->party);
		return rc;
	}
	rc = full ? request_refuse(c, rq, g, E_LIMIT, full)
		  : answer_give(c, &a, c->commit_seq);
	if (rc == OK)
		lock_set_free(set, &c->locks);
	return rc;
}

static int with_keys(struct core *c, struct gtx *g, const struct request *rq)
{
	struct lock_set *set = NULL;
	int rc = OK;

	if (rq->n_lock_keys > 0)
		rc = lock_set_new(&set, &c->locks, rq->lock_keys,
				  rq->n_lock_keys);
	if (rc == OK)
		rc = with_set(c, g, rq, set);
	if (rc != OK)
		lock_set_free(set, &c->locks);
	return rc;
}

int handle_register(struct core *c, const struct request *rq)
{
	struct gtx *g;
	struct branch *same;
	struct waiter *waits;
	const char *bad;
	int err, rc = request_gtx(c, rq, &g);

	if (rc != OK || !g)
		return rc;
	if (g->saga)
		return saga_refuse(c, rq, g);
	if (g->status != GTX_BEGIN)
		return request_refuse(c, rq, g, E_STATE,
				      "no branch can be added any more");
	err = branch_check(c, g, rq, &bad);
	if (err == E_NOMEM)
		return err;
	if (err == OK)
		bad = bad_keys(c, rq, &err);
	if (bad)
		return request_refuse(c, rq, g, err, bad);
	same = branch_same(g, rq);
	if (same)
		return branch_repeat(c, g, same, rq);
	waits = find_waiter(g, rq);
	if (waits) {
		waiter_aim(c, waits, rq);
		return OK;
	}
	if (!ids_have(&c->ids, branches_of(c, rq)))
		return request_park(c, rq);
	return rq->topic ? publish(c, g, rq) : with_keys(c, g, rq);
}

int handle_lock_check(struct core *c, const struct request *rq)
{
	struct gtx *g;
	const char *bad;
	int err, rc = request_gtx(c, rq, &g);

	if (rc != OK || !g)
		return rc;
	if (g->saga)
		return saga_refuse(c, rq, g);
	if (g->status != GTX_BEGIN)
		return request_refuse(c, rq, g, E_STATE, "it has been decided");
	bad = bad_keys(c, rq, &err);
	if (bad)
		return request_refuse(c, rq, g, err, bad);
	return with_keys(c, g, rq);
}
