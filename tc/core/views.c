#include "tc/core/model.h"

/*
 * Questions that change nothing.
 */

static uint64_t until(const struct timer *t, uint64_t now_ms)
{
	if (t->node.at == 0)
		return UINT64_MAX;
	return t->node.due > now_ms ? t->node.due - now_ms : 0;
}

static struct branch *branch_at(const struct list *node)
{
	return CONTAINER_OF((struct list *)(uintptr_t)node, struct branch,
			    of_gtx);
}

/* What happens next by itself: the time-out, or the earliest branch. */
static uint64_t next_due(const struct gtx *g, uint64_t now_ms)
{
	uint64_t due = until(&g->timer, now_ms);

	if (check_is_asked(g) && g->check->job.place == PLACE_DUE)
		due = until(&g->check->job.timer, now_ms);
	LIST_EACH(node, &g->branches) {
		uint64_t d = until(&branch_at(node)->job.timer, now_ms);

		if (d < due)
			due = d;
	}
	return due;
}

static struct bytes last_error(const struct gtx *g)
{
	struct bytes error = { 0 };

	if (g->saga)
		return g->saga->error;
	LIST_EACH(node, &g->branches)
		if (branch_at(node)->error.len)
			error = branch_at(node)->error;
	return check_is_asked(g) ? g->check->error : error;
}

/* ---- why it is not finished yet ---- */

static const char *why_due(const struct job *j, bool delayed)
{
	return delayed   ? "its delay is not over"
	       : j->busy ? "its participant is busy with it; asked again soon"
			 : "the last attempt failed; the next is due";
}

static const char *why_job(const struct job *j, bool delayed)
{
	switch (j->place) {
	case PLACE_BLOCKED:
		return "another branch must be finished first";
	case PLACE_QUEUED:
		return lane_served(j->lane)
			       ? "its participant has no free place"
			       : "nobody who has this resource is connected";
	case PLACE_FLIGHT:
		return "its participant has not answered yet";
	case PLACE_DUE:
		return why_due(j, delayed);
	case PLACE_HELD:
		return "a resolution is being stored";
	case PLACE_HUNG:
		return "it needs an operator";
	default:
		return NULL;
	}
}

static const char *why_branch(const struct core *c, const struct branch *b)
{
	if (branch_finished(b->status))
		return NULL;
	if (b->gtx->status == GTX_BEGIN)
		return "it is not decided yet";
	if (b->job.place == PLACE_HUNG && b->mode == MODE_MSG)
		return "a dead letter: it is delivered again when an operator "
		       "retries it";
	return why_job(&b->job, delivery_rest_ms(c, b) > 0);
}

static const char *why_check(const struct job *j)
{
	if (j->place == PLACE_QUEUED && !lane_served(j->lane))
		return "its producer is silent, and nobody is connected who "
		       "could say whether it was committed";
	return "its producer is silent; who knows is asked whether it was "
	       "committed";
}

static const char *why_gtx(const struct gtx *g)
{
	if (g->status != GTX_BEGIN)
		return NULL; /* see its branches */
	if (check_is_asked(g))
		return why_check(&g->check->job);
	return "it is not decided yet";
}

static void view_saga(const struct saga_run *run, struct gtx_view *v)
{
	v->machine = saga_def_name(run->machine->def);
	v->version = saga_def_version(run->machine->def);
	if (run->key)
		v->business_key = run->key->key;
}

static struct gtx_view view_of(const struct gtx *g, uint64_t now_ms)
{
	struct gtx_view v = {
		.number = g->party.number,
		.status = g->status,
		.name = g->name,
		.application = g->application,
		.began_wall_ms = g->began_wall_ms,
		.age_ms = now_ms - g->began_ms,
		.timeout_ms = g->timeout_ms,
		.n_branches = g->n_listed,
		.n_locks = g->party.n_held,
		.next_due_ms = next_due(g, now_ms),
		.last_error = last_error(g),
		.kind = g->kind,
		.why = why_gtx(g),
		.revision = gtx_revision(g),
	};

	if (g->saga)
		view_saga(g->saga, &v);
	if (g->check)
		v.check = g->check->job.lane->resource->name;
	return v;
}

/* ---- the list ---- */

static bool contains(struct bytes hay, struct bytes needle)
{
	if (needle.len > hay.len)
		return false;
	for (size_t i = 0; i <= hay.len - needle.len; i++)
		if (memcmp(hay.data + i, needle.data, needle.len) == 0)
			return true;
	return false;
}

static bool on_resource(const struct gtx *g, struct bytes resource)
{
	LIST_EACH(node, &g->branches)
		if (bytes_equal(branch_at(node)->job.lane->resource->name,
				resource))
			return true;
	return false;
}

static bool matches(const struct gtx *g, const struct gtx_filter *f,
		    uint64_t now_ms)
{
	if (f->kinds && !(f->kinds & 1u << g->kind))
		return false;
	if (f->status >= 0 && f->status != (int)g->status)
		return false;
	if (f->hung && !gtx_status_hung((int)g->status))
		return false;
	if (now_ms - g->began_ms < f->age_ms_min)
		return false;
	if (f->text.len && !contains(g->name, f->text) &&
	    !contains(g->application, f->text))
		return false;
	return f->resource.len == 0 || on_resource(g, f->resource);
}

size_t core_list(const struct core *c, const struct gtx_filter *filter,
		 uint64_t now_ms, bool (*each)(void *ctx, struct gtx_view),
		 void *ctx)
{
	struct gtx *g = roll_after(&c->roll, filter->after);
	size_t n = 0;

	for (; g && n < filter->limit;
	     g = roll_after(&c->roll, g->party.number)) {
		if (!matches(g, filter, now_ms))
			continue;
		n++;
		if (!each(ctx, view_of(g, now_ms)))
			break;
	}
	return n;
}

/* ---- one of them ---- */

static struct branch_view view_of_branch(const struct core *c,
					 const struct branch *b,
					 uint64_t now_ms)
{
	struct branch_view v = {
		.id = b->id,
		.mode = b->mode,
		.status = b->status,
		.resource = b->job.lane->resource->name,
		.application = b->job.lane->application,
		.instance = b->job.instance,
		.application_data = b->application_data,
		.attempts = b->job.attempts,
		.next_due_ms = until(&b->job.timer, now_ms),
		.in_flight = b->job.place == PLACE_FLIGHT,
		.last_error = b->error,
		.detail = b->detail,
		.participant = b->participant,
		.failures = b->job.failures,
		.why = why_branch(c, b),
	};

	if (b->delivery) {
		v.topic = b->delivery->topic;
		v.subscriber = b->delivery->subscriber;
		v.deliver_after_ms = b->delivery->after_ms;
		v.n_schedule = record_schedule_len(b->delivery->schedule);
	}

	if (b->locks) {
		v.lock_keys = b->locks->keys;
		v.n_lock_keys = b->locks->n;
	}
	return v;
}

int core_show(const struct core *c, uint64_t number, uint64_t now_ms,
	      struct gtx_view *view,
	      void (*branch)(void *ctx, struct branch_view), void *ctx)
{
	const struct gtx *g = gtx_find(c, number);

	if (!g)
		return E_NOTFOUND;
	*view = view_of(g, now_ms);
	LIST_EACH(node, &g->branches)
		if (branch)
			branch(ctx, view_of_branch(c, branch_at(node), now_ms));
	return OK;
}

bool core_gave(const struct core *c, uint64_t number)
{
	return ids_gave(&c->ids, number);
}

int core_outcome(const struct core *c, uint64_t number, enum gtx_status *status)
{
	const struct tomb *tomb = tombs_find(&c->tombs, number);

	if (!tomb)
		return E_NOTFOUND;
	*status = tomb->status;
	return OK;
}

void core_topics(const struct core *c,
		 bool (*each)(void *ctx, struct topic_view), void *ctx)
{
	LIST_EACH(node, &c->topics.all)
		LIST_EACH(of_topic, &TOPIC_OF(node)->subscribers) {
			const struct subscriber *s = SUBSCRIBER_OF(of_topic);
			struct topic_view v = { s->topic->name, s->name,
						s->resource, s->participant };

			if (!each(ctx, v))
				return;
		}
}

struct core_stats core_stats(const struct core *c)
{
	struct core_stats s = c->stats;

	s.gtx_now = c->roll.count;
	s.locks_now = c->locks.n_owned;
	s.waiters_now = c->n_waiters;
	s.peers_now = c->peers.n_agents;
	s.dead_letters_now = c->n_dead_letters;
	s.subscribers_now = c->topics.n_subscribers;
	s.origins_now = c->peers.by_id.count - c->peers.n_agents;
	s.tombstones_now = tombs_count(&c->tombs);
	return s;
}
