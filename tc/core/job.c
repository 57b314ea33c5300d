#include "tc/core/job.h"

#include "base/hash.h"
#include "tc/core/model.h"

#include <inttypes.h>

/* ---- the kinds ---- */

static const struct job_hooks *const hooks[JOB_KINDS] = {
	[JOB_BRANCH] = &branch_job,
	[JOB_CALL] = &call_job,
	[JOB_CHECK] = &message_job,
};

static const struct job_hooks *hooks_of(const struct job *j)
{
	REQUIRE(j->kind < JOB_KINDS && hooks[j->kind]);
	return hooks[j->kind];
}

/* ---- being ---- */

int job_init(struct core *c, struct job *j, enum job_kind kind)
{
	if (timer_reserve(c) != OK)
		return E_NOMEM;
	c->n_timers++;
	j->kind = kind;
	j->timer.kind = TIMER_JOB;
	list_init(&j->at);
	list_init(&j->held.node);
	return OK;
}

void job_fini(struct core *c, struct job *j)
{
	REQUIRE(list_empty(&j->at));
	list_remove(&j->held.node);
	timer_stop(c, &j->timer);
	lane_put(&c->peers, j->lane);
	c->n_timers--;
}

/* ---- places ---- */

/* For core_census(): what has nothing to be told is not counted. */
static void become(struct core *c, struct job *j, enum place place)
{
	if (j->place != PLACE_NONE)
		c->n_jobs[j->place]--;
	if (place != PLACE_NONE)
		c->n_jobs[place]++;
	j->place = place;
}

void job_place(struct core *c, struct job *j, enum place place)
{
	if (j->place == PLACE_FLIGHT) {
		peers_back(&c->peers, j->peer, &j->at);
		j->peer = NULL;
	}
	list_remove(&j->at);
	timer_stop(c, &j->timer);
	become(c, j, place);
}

void job_queue(struct core *c, struct job *j)
{
	bool held = j->rests_on > c->stored;

	job_place(c, j, held ? PLACE_HELD : PLACE_QUEUED);
	if (!held)
		peers_queue(&c->peers, j->lane, j->instance, &j->at);
}

void job_due(struct core *c, struct job *j, uint64_t in_ms)
{
	job_place(c, j, PLACE_DUE);
	timer_set(c, &j->timer, c->now_ms + in_ms);
}

void job_hold(struct core *c, struct job *j, uint64_t seq)
{
	j->rests_on = seq;
	list_remove(&j->held.node);
	promise_add(c, &j->held, PROMISE_JOB, seq);
}

void job_held(struct core *c, struct job *j)
{
	if (j->place == PLACE_HELD)
		job_queue(c, j);
}

bool job_answered_by(const struct job *j, const struct branch_done *done)
{
	return j->place == PLACE_FLIGHT && j->command == done->command;
}

uint64_t job_back_off(struct core *c, uint32_t failures)
{
	uint64_t ms = c->config.retry_ms_first;

	while (failures-- > 1 && ms < c->config.retry_ms_max)
		ms *= 2;
	if (ms > c->config.retry_ms_max)
		ms = c->config.retry_ms_max;
	/* Between half of it and all of it, so that what failed together does
	 * not come back together. */
	return ms - random_next(&c->jitter) % (ms / 2 + 1);
}

/* ---- sending ---- */

/* Of the next command. A late answer to a call of an earlier life must not be
 * taken for one to a call of this life, so their numbers differ. */
static uint64_t next_id(const struct core *c, const struct job *j)
{
	return (c->command + 1) | (j->kind == JOB_CALL ? c->life : 0);
}

static uint64_t patience(const struct core *c, const struct job *j)
{
	return j->timeout_ms ? j->timeout_ms : c->config.command_timeout_ms;
}

static void stage_command(struct core *c, const struct job *j,
			  const struct peer *to)
{
	struct command command = {
		.peer = to->id,
		.id = next_id(c, j),
		.xid = fx_xid(&c->fx, c->config.coordinator,
			      hooks_of(j)->gtx(j)),
		.resource = j->lane->resource->name,
		.attempt = j->attempts + 1,
		.timeout_ms = patience(c, j),
	};

	hooks_of(j)->command(c, j, &command);
	fx_add(&c->fx, FX_COMMAND)->command = command;
}

int unit_send(struct core *c)
{
	struct peer *p;
	struct list *node = peers_next(&c->peers, &p);
	struct job *j;

	if (!node)
		return 0;
	j = CONTAINER_OF(node, struct job, at);
	REQUIRE(j->place == PLACE_QUEUED);
	stage_command(c, j, p);
	if (!fx_ok(&c->fx))
		return E_NOMEM;
	peers_sent(p, node);
	become(c, j, PLACE_FLIGHT);
	j->peer = p;
	j->command = next_id(c, j);
	c->command++;
	c->stats.commands++;
	c->stats.retries += j->attempts > 0;
	j->attempts++;
	timer_set(c, &j->timer, c->now_ms + patience(c, j));
	if (hooks_of(j)->sent)
		hooks_of(j)->sent(c, j);
	return 1;
}

/* ---- answers, and none ---- */

static int pass_on(struct core *c, const struct branch_done *done)
{
	switch (done->type) {
	case COMMAND_COMMIT:
	case COMMAND_ROLLBACK:
		return branch_answered(c, done);
	case COMMAND_CHECK:
		return check_answered(c, done);
	case COMMAND_CALL:
		return saga_answered(c, done);
	default:
		return OK;
	}
}

int handle_done(struct core *c, const struct branch_done *done)
{
	struct peer *p = peers_find(&c->peers, done->peer);
	int rc = pass_on(c, done);

	if (rc == OK && p)
		peers_trust(&c->peers, p); /* it does answer */
	return rc;
}

/* Nobody shall wait in the queue of a peer that does not answer. */
static void drain(struct core *c, struct peer *p)
{
	struct list waiting;

	list_init(&waiting);
	LIST_EACH(node, &p->queue) {
		list_remove(node);
		list_append(&waiting, node);
	}
	LIST_EACH(node, &waiting)
		job_queue(c, CONTAINER_OF(node, struct job, at));
}

static int lost(struct core *c, struct job *j)
{
	struct peer *p = j->peer;
	struct bytes error = fx_printf(
		&c->fx, "no answer within %" PRIu64 " ms", patience(c, j));
	int rc = fx_ok(&c->fx) ? hooks_of(j)->lost(c, j, error) : E_NOMEM;

	if (rc == OK && !p->suspect) {
		peers_suspect(p);
		drain(c, p);
	}
	return rc;
}

int job_timer(struct core *c, struct job *j)
{
	if (j->place == PLACE_FLIGHT)
		return lost(c, j);
	REQUIRE(j->place == PLACE_DUE);
	job_queue(c, j);
	return OK;
}

/* ---- peers ---- */

int handle_peer_up(struct core *c, const struct peer_up *up)
{
	struct peer *p;
	int rc = peers_up(&c->peers, up, &p);

	if (rc == OK)
		drain(c, p); /* it may not have the resources any more */
	return rc;
}

void handle_peer_gone(struct core *c, uint64_t id)
{
	struct peer *p = peers_find(&c->peers, id);

	REQUIRE(!peer_is_url(id));
	parked_of_peer(c, id);
	if (!p)
		return;
	waiters_of_peer(c, p);
	peers_suspect(p); /* gets nothing back */
	drain(c, p);
	LIST_EACH(node, &p->flight) {
		struct job *j = CONTAINER_OF(node, struct job, at);

		if (hooks_of(j)->gone)
			hooks_of(j)->gone(c, j);
		else
			job_queue(c, j);
	}
	peers_gone(&c->peers, p);
}
