#include "tc/core/model.h"

#include "base/hash.h"

#include <inttypes.h>

/*
 * Branches come in, and row locks with them: at once, or after waiting.
 */

/* ---- what is wrong with a request ---- */

static int check_branch(struct core *c, const struct request *rq,
			const char **what)
{
	const struct core_config *k = &c->config;

	*what = "unknown branch mode";
	if ((int)rq->mode < 0 ||
	    (rq->mode > MODE_SAGA_ANNOTATION && rq->mode != MODE_MSG))
		return E_INVALID;
	*what = "a branch needs a resource";
	if (rq->resource.len == 0)
		return E_INVALID;
	*what = "application longer than text_max";
	if (rq->application.len > k->text_max)
		return E_LIMIT;
	*what = "application data longer than application_data_max";
	if (rq->application_data.len > k->application_data_max)
		return E_LIMIT;
	return target_check(c, rq, rq->resource, what);
}

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

static int refuse(struct core *c, const struct request *rq, const struct gtx *g,
		  int err, const char *what)
{
	struct answer a = answer_about(rq, err, g);

	a.what = what;
	return answer_give(c, &a, answer_rests_on(c, g));
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

static void say_registered(struct core *c, const struct gtx *g,
			   const struct branch *b, const struct lock_set *set)
{
	struct bytes resource = b->job.lane->resource->name;

	row_history(c, g->party.number,
		    fx_printf(&c->fx,
			      "register branch %" PRIu64
			      " %s on %.*s, %zu lock keys",
			      b->id, branch_mode_name((int)b->mode),
			      (int)resource.len, (const char *)resource.data,
			      set ? set->n : 0));
}

static struct branch_spec spec_of(const struct core *c, const struct gtx *g,
				  const struct request *rq)
{
	const struct peer *p = peers_find(&c->peers, rq->peer);
	struct branch_spec spec = {
		.id = c->ids.next,
		.mode = rq->mode,
		.client_key = rq->client_key,
		.resource = rq->resource,
		.application = rq->application,
		.application_data = rq->application_data,
		.participant = rq->participant,
		.call_timeout_ms = rq->call_timeout_ms,
	};

	if (rq->mode == MODE_MSG || rq->mode == MODE_SAGA) {
		spec.application = BYTES("");
	} else if (p && (rq->application.len == 0 ||
			 bytes_equal(rq->application, p->application))) {
		spec.application = p->application;
		spec.instance = p->instance;
	} else if (spec.application.len == 0) {
		spec.application = g->application;
	}
	return spec;
}

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
	say_registered(c, g, b, set);
	return fx_ok(&c->fx) ? OK : E_NOMEM;
}

/* Nobody stands in the way, there is room, and there are numbers. Takes the
 * set over if it returns OK. */
static int admit(struct core *c, struct gtx *g, const struct request *rq,
		 struct lock_set *set)
{
	struct branch_spec spec = spec_of(c, g, rq);
	struct answer a = answer_about(rq, OK, g);
	struct branch *b;
	struct ask *ask;
	int rc = branch_new(&b, c, &spec);

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
	REQUIRE(ids_take(&c->ids, 1) == b->id);
	b->seq = row_seq(c);
	b->stored = g->stored = true;
	b->locks = set;
	if (set)
		lock_set_claim(set, &c->locks, &g->party);
	branch_join(c, b, g);
	map_insert(&c->branches, &b->by_id, hash_u64(c->config.seed, b->id));
	g->n_branches++;
	c->stats.branches++;
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

static struct branch *find_same(const struct gtx *g, const struct request *rq)
{
	LIST_EACH(node, &g->branches) {
		struct branch *b = CONTAINER_OF(node, struct branch, of_gtx);

		if (rq->client_key && b->client_key == rq->client_key)
			return b;
	}
	return NULL;
}

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

/* It was asked before: tell again what was told, or will be. */
static int repeat(struct core *c, struct gtx *g, const struct branch *b,
		  const struct request *rq)
{
	struct answer a = answer_about(rq, OK, g);

	if (b->mode != rq->mode ||
	    !bytes_equal(b->job.lane->resource->name, rq->resource))
		return refuse(c, rq, g, E_INVALID,
			      "client_key was used for another branch");
	if (b->status == BRANCH_PHASE_ONE_FAILED)
		return refuse(c, rq, g, E_STATE,
			      "this branch was reported as failed");
	a.branch = b->id;
	return answer_give(c, &a, b->seq);
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
	rc = full ? refuse(c, rq, g, E_LIMIT, full)
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
		return refuse(c, rq, g, E_STATE,
			      "no branch can be added any more");
	err = check_branch(c, rq, &bad);
	if (err == E_NOMEM)
		return err;
	if (err == OK)
		bad = bad_keys(c, rq, &err);
	if (bad)
		return refuse(c, rq, g, err, bad);
	same = find_same(g, rq);
	if (same)
		return repeat(c, g, same, rq);
	waits = find_waiter(g, rq);
	if (waits) {
		waiter_aim(c, waits, rq);
		return OK;
	}
	if (!ids_have(&c->ids, 1))
		return request_park(c, rq);
	return with_keys(c, g, rq);
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
		return refuse(c, rq, g, E_STATE, "it has been decided");
	bad = bad_keys(c, rq, &err);
	if (bad)
		return refuse(c, rq, g, err, bad);
	return with_keys(c, g, rq);
}
