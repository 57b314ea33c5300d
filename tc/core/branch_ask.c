#include "tc/core/model.h"

#include "base/hash.h"

#include <inttypes.h>

/*
 * What a request for a branch must be, what becomes of it, and what it hears
 * when it comes again.
 */

/* ---- what is wrong with it ---- */

static int check_times(const struct core *c, const struct request *rq,
		       const char **what)
{
	*what = "more times in the schedule than schedule_max";
	if (rq->n_schedule > c->config.schedule_max)
		return E_LIMIT;
	*what = "a delay longer than delay_ms_max";
	if (rq->deliver_after_ms > c->config.delay_ms_max)
		return E_LIMIT;
	for (size_t i = 0; i < rq->n_schedule; i++)
		if (rq->schedule_ms[i] > c->config.delay_ms_max)
			return E_LIMIT;
	return OK;
}

static int check_delivery(const struct core *c, const struct gtx *g,
			  const struct request *rq, const char **what)
{
	bool has = rq->topic || rq->n_schedule > 0 || rq->deliver_after_ms > 0;

	*what = "a message has deliveries only (mode MSG)";
	if (g->kind == KIND_MESSAGE && rq->mode != MODE_MSG)
		return E_INVALID;
	*what = "only a delivery (mode MSG) has a topic, a delay or a schedule";
	if (has && rq->mode != MODE_MSG)
		return E_INVALID;
	*what = "a delivery takes no row locks";
	if (rq->n_lock_keys > 0 && rq->mode == MODE_MSG)
		return E_INVALID;
	return check_times(c, rq, what);
}

int branch_check(struct core *c, const struct gtx *g, const struct request *rq,
		 const char **what)
{
	const struct core_config *k = &c->config;
	int rc;

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
	rc = check_delivery(c, g, rq, what);
	if (rc != OK)
		return rc;
	*what = "topic longer than text_max";
	if (rq->topic && rq->resource.len > k->text_max)
		return E_LIMIT;
	/* A topic is no target: its subscribers were looked at. */
	return target_check(c, rq, rq->topic ? BYTES("topic") : rq->resource,
			    what);
}

/* ---- taking it in ---- */

struct branch_spec branch_spec(const struct core *c, const struct gtx *g,
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
		.delivery.after_ms = rq->deliver_after_ms,
	};

	if (rq->mode == MODE_MSG || rq->mode == MODE_SAGA) {
		spec.application = BYTES(""); /* anybody's */
	} else if (p && (rq->application.len == 0 ||
			 bytes_equal(rq->application, p->application))) {
		spec.application = p->application;
		spec.instance = p->instance;
	} else if (spec.application.len == 0) {
		spec.application = g->application;
	}
	return spec;
}

struct bytes branch_schedule(struct core *c, const struct request *rq)
{
	struct buf b;

	buf_init(&b, &c->fx.arena.as_mem);
	for (size_t i = 0; i < rq->n_schedule; i++)
		buf_put_u64(&b, rq->schedule_ms[i]);
	return fx_take(&c->fx, &b);
}

void branch_say(struct core *c, const struct gtx *g, const struct branch *b,
		size_t n_lock_keys)
{
	struct bytes resource = b->job.lane->resource->name;
	const struct delivery *d = b->delivery;
	struct bytes more;

	if (!d)
		more = fx_printf(&c->fx, "%zu lock keys", n_lock_keys);
	else if (d->topic.len > 0)
		more = fx_printf(&c->fx, "subscriber %.*s of topic %.*s",
				 (int)d->subscriber.len,
				 (const char *)d->subscriber.data,
				 (int)d->topic.len,
				 (const char *)d->topic.data);
	else
		more = BYTES("to be delivered");
	row_history(
		c,
		&(struct history){
			.gtx = g->party.number,
			.kind = HISTORY_REGISTERED,
			.branch = b->id,
			.text = fx_printf(
				&c->fx,
				"register branch %" PRIu64 " %s on %.*s, %.*s",
				b->id, branch_mode_name((int)b->mode),
				(int)resource.len, (const char *)resource.data,
				(int)more.len, (const char *)more.data),
		});
}

void branch_admit(struct core *c, struct branch *b, struct gtx *g)
{
	REQUIRE(ids_take(&c->ids, 1) == b->id);
	b->seq = row_seq(c);
	b->stored = g->stored = true;
	branch_join(c, b, g);
	map_insert(&c->branches, &b->by_id, hash_u64(c->config.seed, b->id));
	g->n_branches++;
	c->stats.branches++;
}

/* ---- the same again ---- */

struct branch *branch_same(const struct gtx *g, const struct request *rq)
{
	LIST_EACH(node, &g->branches) {
		struct branch *b = CONTAINER_OF(node, struct branch, of_gtx);

		if (rq->client_key && b->client_key == rq->client_key)
			return b;
	}
	return NULL;
}

static bool is_for_the_same(const struct branch *b, const struct request *rq)
{
	struct bytes target = b->job.lane->resource->name;

	if (b->delivery && b->delivery->topic.len > 0)
		target = b->delivery->topic;
	return b->mode == rq->mode && bytes_equal(target, rq->resource) &&
	       rq->topic == (b->delivery && b->delivery->topic.len > 0);
}

static uint64_t count_same(const struct gtx *g, uint64_t client_key)
{
	uint64_t n = 0;

	LIST_EACH(node, &g->branches)
		n += CONTAINER_OF(node, struct branch, of_gtx)->client_key ==
		     client_key;
	return n;
}

int branch_repeat(struct core *c, struct gtx *g, const struct branch *b,
		  const struct request *rq)
{
	struct answer a = answer_about(rq, OK, g);

	if (!is_for_the_same(b, rq))
		return request_refuse(c, rq, g, E_INVALID,
				      "client_key was used for another branch");
	if (b->status == BRANCH_PHASE_ONE_FAILED)
		return request_refuse(c, rq, g, E_STATE,
				      "this branch was reported as failed");
	a.branch = b->id;
	a.count = rq->topic ? count_same(g, rq->client_key) : 0;
	return answer_give(c, &a, b->seq);
}
