#include "tc/core/model.h"

/*
 * Rows and history lines as effects. Bodies are encoded from a record, not
 * from the object: the caller writes down what will be before it is.
 */

uint64_t row_seq(const struct core *c)
{
	return c->seq + 1;
}

static struct row *put(struct core *c, enum row_table table, uint64_t id,
		       struct bytes body, bool forced)
{
	struct effect *e = fx_add(&c->fx, FX_PUT);

	e->forced = forced;
	e->row.table = table;
	e->row.id = id;
	e->row.body = body;
	return &e->row;
}

static void drop(struct core *c, enum row_table table, uint64_t id)
{
	struct effect *e = fx_add(&c->fx, FX_DELETE);

	e->row.table = table;
	e->row.id = id;
}

struct gtx_record gtx_record(const struct gtx *g)
{
	struct gtx_record r = {
		.status = g->status,
		.name = g->name,
		.application = g->application,
		.timeout_ms = g->timeout_ms,
		.began_wall_ms = g->began_wall_ms,
		.n_branches = g->n_branches,
		.ordered = g->ordered,
		.kind = g->kind,
		.decided_wall_ms = g->decided_wall_ms,
	};

	if (g->key)
		r.business_key = g->key->key;
	if (g->check) {
		r.check = g->check->job.lane->resource->name;
		r.participant = g->check->participant;
		r.call_timeout_ms = g->check->job.timeout_ms;
	}
	return r;
}

void row_put_gtx(struct core *c, const struct gtx *g,
		 const struct gtx_record *r, bool forced)
{
	struct buf body;
	struct row *row;

	buf_init(&body, &c->fx.arena.as_mem);
	record_put_gtx(&body, r);
	row = put(c, ROW_GTX, g->party.number, fx_take(&c->fx, &body), forced);
	row->gtx = g->party.number;
	row->status = (int)r->status;
	row->name = g->name;
}

void row_delete_gtx(struct core *c, const struct gtx *g)
{
	drop(c, ROW_GTX, g->party.number);
}

struct branch_record branch_record(const struct branch *b)
{
	static const struct delivery none;
	const struct delivery *d = b->delivery ? b->delivery : &none;

	return (struct branch_record){
		.mode = b->mode,
		.status = b->status,
		.client_key = b->client_key,
		.resource = b->job.lane->resource->name,
		.application = b->job.lane->application,
		.instance = b->job.instance,
		.application_data = b->application_data,
		.participant = b->participant,
		.call_timeout_ms = b->job.timeout_ms,
		.deliver_after_ms = d->after_ms,
		.schedule = d->schedule,
		.topic = d->topic,
		.subscriber = d->subscriber,
		.attempts = b->job.attempts,
		.failures = b->job.failures,
		.resolution = b->resolution,
		.values = b->values,
		.error = b->error,
		.detail = b->detail,
		.lock_keys = b->locks ? b->locks->keys : NULL,
		.n_lock_keys = b->locks ? b->locks->n : 0,
	};
}

void row_put_branch(struct core *c, const struct branch *b, const struct gtx *g,
		    const struct branch_record *r, bool forced)
{
	struct buf body;
	struct row *row;

	buf_init(&body, &c->fx.arena.as_mem);
	record_put_branch(&body, r);
	row = put(c, ROW_BRANCH, b->id, fx_take(&c->fx, &body), forced);
	row->gtx = g->party.number;
	row->status = (int)r->status;
	row->name = b->job.lane->resource->name;
}

void row_delete_branch(struct core *c, const struct branch *b)
{
	drop(c, ROW_BRANCH, b->id);
}

void row_put_tombstone(struct core *c, uint64_t number, enum gtx_status status,
		       const struct saga_key *key, bool forced)
{
	struct tombstone_record r = { .status = status,
				      .ended_wall_ms = c->wall_ms };
	struct buf body;
	struct row *row;

	if (key) {
		r.machine = key->name;
		r.business_key = key->key;
	}
	buf_init(&body, &c->fx.arena.as_mem);
	record_put_tombstone(&body, &r);
	row = put(c, ROW_TOMBSTONE, number, fx_take(&c->fx, &body), forced);
	row->gtx = number;
	row->status = (int)status;
}

void row_delete_tombstone(struct core *c, uint64_t number)
{
	drop(c, ROW_TOMBSTONE, number);
}

static void put_number(struct core *c, uint64_t which, uint64_t number)
{
	struct buf body;

	buf_init(&body, &c->fx.arena.as_mem);
	record_put_number(&body, number);
	put(c, ROW_META, which, fx_take(&c->fx, &body), true);
}

void row_put_topic(struct core *c, uint64_t id, const struct topic_record *r)
{
	struct buf body;
	struct row *row;

	buf_init(&body, &c->fx.arena.as_mem);
	record_put_topic(&body, r);
	row = put(c, ROW_TOPIC, id, fx_take(&c->fx, &body), true);
	row->name = fx_copy(&c->fx, r->topic);
}

void row_delete_topic(struct core *c, uint64_t id)
{
	struct effect *e = fx_add(&c->fx, FX_DELETE);

	e->forced = true;
	e->row.table = ROW_TOPIC;
	e->row.id = id;
}

void row_put_ids(struct core *c, uint64_t end)
{
	if (ids_new(&c->ids))
		put_number(c, META_FIRST, c->ids.first);
	put_number(c, META_IDS, end);
}

void row_put_saga(struct core *c, const struct gtx *g, enum gtx_status status,
		  struct bytes state, bool forced)
{
	const struct saga_run *run = g->saga;
	struct saga_record r = {
		.machine = run->machine->id,
		.state = state,
		.participant = run->participant,
	};
	struct buf body;
	struct row *row;

	if (run->key)
		r.business_key = run->key->key;
	buf_init(&body, &c->fx.arena.as_mem);
	record_put_saga(&body, &r);
	row = put(c, ROW_SAGA, g->party.number, fx_take(&c->fx, &body), forced);
	row->gtx = g->party.number;
	row->status = (int)status;
	row->name = g->name;
}

void row_delete_saga(struct core *c, const struct gtx *g)
{
	drop(c, ROW_SAGA, g->party.number);
}

void row_put_machine(struct core *c, const struct machine *m, bool forced)
{
	struct machine_record r = { .document = m->document,
				    .added_wall_ms = m->added_wall_ms };
	struct buf body;
	struct row *row;

	buf_init(&body, &c->fx.arena.as_mem);
	record_put_machine(&body, &r);
	row = put(c, ROW_MACHINE, m->id, fx_take(&c->fx, &body), forced);
	row->gtx = m->owner;
	row->name = saga_def_name(m->def);
}

void row_delete_machine(struct core *c, const struct machine *m, bool forced)
{
	struct effect *e = fx_add(&c->fx, FX_DELETE);

	e->forced = forced;
	e->row.table = ROW_MACHINE;
	e->row.id = m->id;
}

void row_archive(struct core *c, const struct gtx *g, enum gtx_status status,
		 struct bytes detail)
{
	struct effect *e = fx_add(&c->fx, FX_ARCHIVE);

	e->archive.gtx = g->party.number;
	e->archive.status = status;
	e->archive.name = g->name;
	e->archive.application = g->application;
	e->archive.began_wall_ms = g->began_wall_ms;
	e->archive.ended_wall_ms = c->wall_ms;
	e->archive.n_branches = (uint32_t)g->n_branches;
	e->archive.kind = g->kind;
	e->archive.detail = detail;
}

void row_history(struct core *c, const struct history *line)
{
	struct effect *e = fx_add(&c->fx, FX_HISTORY);

	e->history = *line;
	e->history.wall_ms = c->wall_ms;
}

const char *history_kind_name(int kind)
{
	static const char *const names[HISTORY_KINDS] = {
		[HISTORY_NOTE] = "note",
		[HISTORY_BEGUN] = "begun",
		[HISTORY_REGISTERED] = "registered",
		[HISTORY_REPORTED] = "reported",
		[HISTORY_DECIDED] = "decided",
		[HISTORY_SENT] = "sent",
		[HISTORY_DONE] = "done",
		[HISTORY_BUSY] = "busy",
		[HISTORY_FAILED] = "failed",
		[HISTORY_HUNG] = "hung",
		[HISTORY_OPERATOR] = "operator",
		[HISTORY_ENDED] = "ended",
	};

	return names[kind >= 0 && kind < HISTORY_KINDS ? kind : HISTORY_NOTE];
}
