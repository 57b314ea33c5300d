#include "tc/core/message_key.h"

#include "base/hash.h"

/*
 * Start: rows come back in any order, and then the work goes on. There is no
 * recovery code besides: what a row says is what a step would have left.
 */

/* ---- rows ---- */

static bool good_id(uint64_t id)
{
	return id > 0 && id <= INT64_MAX;
}

static int load_gtx(struct core *c, const struct row *row)
{
	struct gtx_record r;
	struct gtx *g;
	int rc = record_get_gtx(&r, row->body);

	if (rc != OK)
		return rc;
	if (!(r.status == GTX_BEGIN || gtx_deciding_commit(r.status) ||
	      gtx_deciding_rollback(r.status)))
		return E_CORRUPT;
	rc = gtx_new(&g, c, row->id, r.name, r.application);
	if (rc != OK)
		return rc;
	g->status = r.status;
	g->kind = r.kind;
	g->ordered = r.ordered;
	g->timeout_ms = r.timeout_ms;
	g->began_wall_ms = r.began_wall_ms;
	g->n_branches = r.n_branches;
	g->decided_wall_ms = r.decided_wall_ms;
	rc = message_key_new(c, g, r.business_key);
	if (rc == OK && r.check.len > 0)
		rc = check_new(c, g,
			       &(struct back_check_spec){ r.check,
							  r.participant,
							  r.call_timeout_ms });
	if (rc != OK) {
		message_key_discard(c, g);
		gtx_free(c, g);
		return rc;
	}
	message_key_add(c, g);
	g->stored = true;
	roll_append(&c->roll, row->id, g);
	return OK;
}

static int take_record(struct core *c, struct branch *b,
		       const struct branch_record *r)
{
	b->status = r->status;
	b->job.attempts = (uint32_t)r->attempts;
	b->job.failures = (uint32_t)r->failures;
	b->resolution = r->resolution;
	if (model_dup(&b->values, c->mem, r->values) != OK ||
	    model_dup(&b->error, c->mem, r->error) != OK ||
	    model_dup(&b->detail, c->mem, r->detail) != OK)
		return E_NOMEM;
	if (r->n_lock_keys == 0)
		return OK;
	return lock_set_new(&b->locks, &c->locks, r->lock_keys, r->n_lock_keys);
}

static int load_record(struct core *c, const struct row *row,
		       const struct branch_record *r)
{
	struct branch_spec spec = {
		.id = row->id,
		.mode = r->mode,
		.client_key = r->client_key,
		.resource = r->resource,
		.application = r->application,
		.instance = r->instance,
		.application_data = r->application_data,
		.participant = r->participant,
		.call_timeout_ms = r->call_timeout_ms,
		.delivery = { r->deliver_after_ms, r->schedule, r->topic,
			      r->subscriber },
	};
	struct branch *b;
	int rc = branch_new(&b, c, &spec);

	if (rc != OK)
		return rc;
	rc = take_record(c, b, r);
	if (rc != OK) {
		branch_free(c, b);
		return rc;
	}
	b->stored = true;
	b->seq = row->gtx; /* until attach(): whose it is */
	list_append(&c->orphans, &b->of_gtx);
	map_insert(&c->branches, &b->by_id, hash_u64(c->config.seed, b->id));
	return OK;
}

static int load_branch(struct core *c, const struct row *row)
{
	struct branch_record r;
	int rc = record_get_branch(&r, c->mem, row->body);

	if (rc != OK)
		return rc;
	if (!good_id(row->gtx) || branch_find(c, row->id) ||
	    r.resource.len == 0)
		rc = E_CORRUPT;
	else
		rc = load_record(c, row, &r);
	mem_free(c->mem, (void *)(uintptr_t)r.lock_keys);
	return rc;
}

static int load_key(struct core *c, const struct tombstone_record *r,
		    struct tomb *tomb)
{
	tomb->key = saga_key_new(&c->sagas.keys, tomb->number, r->machine,
				 r->business_key);
	if (!tomb->key)
		return E_NOMEM;
	saga_keys_add(&c->sagas.keys, tomb->key);
	return OK;
}

static int load_tombstone(struct core *c, const struct row *row)
{
	struct tombstone_record r;
	struct tomb *tomb;
	int rc = record_get_tombstone(&r, row->body);

	if (rc != OK)
		return rc;
	if (tombs_find(&c->tombs, row->id))
		return E_CORRUPT;
	tomb = mem_alloc(c->mem, sizeof *tomb);
	if (!tomb)
		return E_NOMEM;
	tomb->number = row->id;
	tomb->status = r.status;
	if (r.business_key.len > 0 && load_key(c, &r, tomb) != OK) {
		mem_free(c->mem, tomb);
		return E_NOMEM;
	}
	tombs_add(&c->tombs, tomb);
	return OK;
}

static int load_meta(struct core *c, const struct row *row)
{
	uint64_t number;
	int rc;

	if (row->id != META_IDS && row->id != META_FIRST)
		return OK; /* of a later version */
	rc = record_get_number(&number, row->body);
	if (rc != OK)
		return rc;
	if (!good_id(number))
		return E_CORRUPT;
	if (row->id == META_IDS)
		c->loaded_end = number;
	else
		c->loaded_first = number;
	return OK;
}

static int load_topic(struct core *c, const struct row *row)
{
	struct subscription what = { .id = row->id };
	struct topic_record r;
	struct subscriber *s;
	struct topic *topic;
	int rc = record_get_topic(&r, row->body);

	if (rc != OK)
		return rc;
	topic = topics_find(&c->topics, r.topic);
	if (topic && topic_find(topic, r.subscriber))
		return E_CORRUPT;
	what.topic = r.topic;
	what.subscriber = r.subscriber;
	what.resource = r.resource;
	what.participant = r.participant;
	return topics_put(&c->topics, &what, &s);
}

int handle_loaded(struct core *c, const struct row *row)
{
	if (!good_id(row->id))
		return E_CORRUPT;
	switch (row->table) {
	case ROW_META:
		return load_meta(c, row);
	case ROW_GTX:
		return load_gtx(c, row);
	case ROW_BRANCH:
		return load_branch(c, row);
	case ROW_TOMBSTONE:
		return load_tombstone(c, row);
	case ROW_SAGA:
		return load_saga(c, row);
	case ROW_MACHINE:
		return load_machine(c, row);
	case ROW_TOPIC:
		return load_topic(c, row);
	default:
		return E_VERSION;
	}
}

/* ---- putting it together ---- */

/* Does the branch's status go with the transaction's? */
static bool fits(const struct gtx *g, const struct branch *b)
{
	switch (b->status) {
	case BRANCH_REGISTERED:
	case BRANCH_PHASE_ONE_DONE:
	case BRANCH_PHASE_ONE_FAILED:
	case BRANCH_RDONLY:
		return true;
	case BRANCH_COMMIT_RETRYABLE:
	case BRANCH_COMMIT_NOTA:
	case BRANCH_COMMIT_UNRETRYABLE:
		return gtx_deciding_commit(g->status);
	case BRANCH_ROLLBACK_RETRYABLE:
	case BRANCH_ROLLBACK_NOTA:
	case BRANCH_ROLLBACK_UNRETRYABLE:
		return gtx_deciding_rollback(g->status);
	case BRANCH_STOP_RETRY:
		return g->status != GTX_BEGIN;
	default:
		return false;
	}
}

/* A commit has given up the locks; else they are the transaction's. */
static bool claim(struct core *c, struct gtx *g, struct branch *b)
{
	if (!b->locks)
		return true;
	if (gtx_deciding_commit(g->status) || branch_finished(b->status)) {
		lock_set_free(b->locks, &c->locks);
		b->locks = NULL;
		return true;
	}
	if (!lock_set_free_for(b->locks, &g->party))
		return false;
	lock_set_claim(b->locks, &c->locks, &g->party);
	return true;
}

static int attach(struct core *c, struct branch *b)
{
	struct gtx *g = gtx_find(c, b->seq);

	if (!g || !fits(g, b) || !claim(c, g, b))
		return E_CORRUPT;
	b->seq = 0; /* durable */
	list_remove(&b->of_gtx);
	branch_join(c, b, g);
	return OK;
}

static void resume(struct core *c, struct gtx *g)
{
	g->began_ms = g->decided_ms = c->now_ms;
	if (g->saga)
		return; /* it is on its list */
	if (g->decided_wall_ms && c->wall_ms > g->decided_wall_ms)
		g->decided_ago_ms = c->wall_ms - g->decided_wall_ms;
	g->party.closing = gtx_deciding_rollback(g->status);
	if (g->n_branches < g->n_listed)
		g->n_branches = g->n_listed;
	if (g->status == GTX_BEGIN)
		timer_set(c, &g->timer, c->now_ms + g->timeout_ms);
	else
		promise_add(c, &g->decision, PROMISE_DECISION, 0);
}

static bool sound_branch(const struct core *c, const struct gtx *g,
			 const struct branch *b)
{
	return ids_gave(&c->ids, b->id) &&
	       (g->kind == KIND_PLAIN || b->mode == MODE_MSG);
}

static bool sound_topics(const struct core *c)
{
	LIST_EACH(node, &c->topics.all)
		LIST_EACH(s, &TOPIC_OF(node)->subscribers)
			if (!ids_gave(&c->ids, SUBSCRIBER_OF(s)->id))
				return false;
	return true;
}

/* A decided transaction has a branch left, else it would have ended; it is hung
 * exactly if one of its branches is; numbers in use have been reserved. */
static bool sound(const struct core *c, const struct gtx *g)
{
	if (!ids_gave(&c->ids, g->party.number) ||
	    tombs_find(&c->tombs, g->party.number))
		return false;
	LIST_EACH(node, &g->branches)
		if (!sound_branch(c, g,
				  CONTAINER_OF(node, struct branch, of_gtx)))
			return false;
	if (g->saga)
		return g->n_listed == 0;
	if (gtx_status_hung((int)g->status) != (g->n_hung > 0))
		return false;
	return g->status == GTX_BEGIN || g->n_open > 0;
}

/* Numbers go on; a new store begins where the configuration says. One that has
 * no first number is of a version that always began with 1. */
static bool start_ids(struct core *c)
{
	uint64_t first = c->loaded_first, end = c->loaded_end;

	if (end == 0 && first != 0)
		return false; /* they are stored together */
	if (end == 0)
		first = end = c->config.first_id;
	if (first == 0)
		first = 1;
	if (end == 0)
		end = 1;
	if (first > end)
		return false;
	ids_init(&c->ids, first, end, c->config.id_block);
	return true;
}

int handle_ready(struct core *c)
{
	int rc;

	if (!start_ids(c))
		return E_CORRUPT;
	if (!roll_sort(&c->roll) || !sound_topics(c))
		return E_CORRUPT;
	rc = sagas_ready(c);
	if (rc != OK)
		return rc;
	LIST_EACH(node, &c->orphans) {
		rc = attach(c, CONTAINER_OF(node, struct branch, of_gtx));

		if (rc != OK)
			return rc;
	}
	for (struct gtx *g = roll_after(&c->roll, 0); g;
	     g = roll_after(&c->roll, g->party.number)) {
		if (!sound(c, g))
			return E_CORRUPT;
		resume(c, g);
	}
	LIST_EACH(node, &c->tombs.by_age)
		CONTAINER_OF(node, struct tomb, by_age)->expires_ms =
			c->now_ms + c->config.tombstone_keep_ms;
	c->command = c->ids.next;
	c->life = hash_u64(c->config.seed, c->ids.next) >> 41 << 40;
	c->ready = true;
	return OK;
}
