#include "tc/core/model.h"

#include "base/hash.h"

int model_dup(struct bytes *out, const struct mem *mem, struct bytes b)
{
	const char *text;

	*out = (struct bytes){ 0 };
	if (b.len == 0)
		return OK;
	text = mem_text(mem, b);
	if (!text)
		return E_NOMEM;
	*out = (struct bytes){ (const uint8_t *)text, b.len };
	return OK;
}

void model_free_bytes(const struct mem *mem, struct bytes b)
{
	mem_free(mem, (void *)(uintptr_t)b.data);
}

struct bytes model_cut(struct bytes b, size_t limit)
{
	if (b.len <= limit)
		return b;
	while (limit > 0 && (b.data[limit] & 0xc0) == 0x80)
		limit--;
	return (struct bytes){ b.data, limit };
}

/* ---- timers ---- */

int timer_reserve(struct core *c)
{
	return heap_reserve(&c->timers, c->n_timers + 1);
}

void timer_set(struct core *c, struct timer *t, uint64_t due_ms)
{
	heap_set(&c->timers, &t->node, due_ms);
}

void timer_stop(struct core *c, struct timer *t)
{
	heap_remove(&c->timers, &t->node);
}

/* ---- transactions ---- */

struct gtx *gtx_find(const struct core *c, uint64_t number)
{
	return roll_find(&c->roll, number);
}

int gtx_new(struct gtx **out, struct core *c, uint64_t number,
	    struct bytes name, struct bytes application)
{
	struct gtx *g;

	if (timer_reserve(c) != OK || roll_reserve(&c->roll) != OK)
		return E_NOMEM;
	g = mem_alloc(c->mem, sizeof *g);
	if (!g)
		return E_NOMEM;
	lock_party_init(&g->party, number);
	list_init(&g->dead);
	list_init(&g->decision.node);
	list_init(&g->branches);
	list_init(&g->asks);
	g->timer.kind = TIMER_GTX;
	c->n_timers++;
	if (model_dup(&g->name, c->mem, name) != OK ||
	    model_dup(&g->application, c->mem, application) != OK) {
		gtx_free(c, g);
		return E_NOMEM;
	}
	*out = g;
	return OK;
}

void gtx_free(struct core *c, struct gtx *g)
{
	timer_stop(c, &g->timer);
	check_free(c, g);
	lock_party_fini(&g->party);
	model_free_bytes(c->mem, g->name);
	model_free_bytes(c->mem, g->application);
	saga_run_free(c, g->saga);
	mem_free(c->mem, g);
	c->n_timers--;
}

/* ---- branches ---- */

static uint64_t branch_hash(const struct core *c, uint64_t id)
{
	return hash_u64(c->config.seed, id);
}

struct branch *branch_find(const struct core *c, uint64_t id)
{
	struct map_node *n = map_find(&c->branches, branch_hash(c, id));

	for (; n; n = map_find_next(n)) {
		struct branch *b = CONTAINER_OF(n, struct branch, by_id);

		if (b->id == id)
			return b;
	}
	return NULL;
}

/* An AT branch only needs the database, a delivery or a compensation only the
 * service: which application it is in is nobody's business. */
static bool branch_for_anyone(enum branch_mode mode)
{
	return mode == MODE_AT || mode == MODE_SAGA || mode == MODE_MSG;
}

static uint8_t *pack(struct bytes *b, uint8_t *to)
{
	if (b->len)
		memcpy(to, b->data, b->len);
	b->data = to;
	return to + b->len;
}

/* One piece of memory with its texts behind it. */
static struct delivery *delivery_new(const struct mem *mem,
				     const struct delivery *spec)
{
	size_t len =
		spec->schedule.len + spec->topic.len + spec->subscriber.len;
	struct delivery *d = mem_alloc(mem, sizeof *d + len);
	uint8_t *to;

	if (!d)
		return NULL;
	*d = *spec;
	to = (uint8_t *)(d + 1);
	to = pack(&d->schedule, to);
	to = pack(&d->topic, to);
	(void)pack(&d->subscriber, to);
	return d;
}

static int copy_spec(struct branch *b, struct core *c,
		     const struct branch_spec *spec)
{
	if (lane_get(&b->job.lane, &c->peers, spec->resource, spec->application,
		     branch_for_anyone(spec->mode)) != OK ||
	    model_dup(&b->job.instance, c->mem, spec->instance) != OK ||
	    model_dup(&b->application_data, c->mem, spec->application_data) !=
		    OK ||
	    model_dup(&b->participant, c->mem, spec->participant) != OK)
		return E_NOMEM;
	if (spec->mode != MODE_MSG)
		return OK;
	b->delivery = delivery_new(c->mem, &spec->delivery);
	return b->delivery ? OK : E_NOMEM;
}

int branch_new(struct branch **out, struct core *c,
	       const struct branch_spec *spec)
{
	struct branch *b;

	b = mem_alloc(c->mem, sizeof *b);
	if (!b)
		return E_NOMEM;
	if (job_init(c, &b->job, JOB_BRANCH) != OK) {
		mem_free(c->mem, b);
		return E_NOMEM;
	}
	b->id = spec->id;
	b->mode = spec->mode;
	b->status = BRANCH_REGISTERED;
	b->client_key = spec->client_key;
	b->job.timeout_ms = spec->call_timeout_ms;
	list_init(&b->of_gtx);
	list_init(&b->dead);
	if (copy_spec(b, c, spec) != OK) {
		branch_free(c, b);
		return E_NOMEM;
	}
	*out = b;
	return OK;
}

void branch_free(struct core *c, struct branch *b)
{
	lock_set_free(b->locks, &c->locks);
	model_free_bytes(c->mem, b->job.instance);
	job_fini(c, &b->job);
	model_free_bytes(c->mem, b->application_data);
	model_free_bytes(c->mem, b->participant);
	mem_free(c->mem, b->delivery);
	model_free_bytes(c->mem, b->error);
	model_free_bytes(c->mem, b->detail);
	model_free_bytes(c->mem, b->values);
	mem_free(c->mem, b);
}

static void count_hung(struct core *c, const struct branch *b, bool more)
{
	if (!branch_hung(b->status))
		return;
	b->gtx->n_hung += more ? 1 : (size_t)-1;
	if (b->mode == MODE_MSG)
		c->n_dead_letters += more ? 1 : (size_t)-1;
}

/* Registration gives ids in order; loading may not. */
void branch_join(struct core *c, struct branch *b, struct gtx *g)
{
	struct list *after = g->branches.prev;

	while (after != &g->branches &&
	       CONTAINER_OF(after, struct branch, of_gtx)->id > b->id)
		after = after->prev;
	b->of_gtx.prev = after;
	b->of_gtx.next = after->next;
	after->next->prev = &b->of_gtx;
	after->next = &b->of_gtx;
	b->gtx = g;
	g->n_listed++;
	g->n_open += !branch_finished(b->status);
	count_hung(c, b, true);
}

void branch_becomes(struct core *c, struct branch *b, enum branch_status next)
{
	count_hung(c, b, false);
	b->status = next;
	count_hung(c, b, true);
}

/* ---- requests that are kept ---- */

static struct bytes *request_keys(struct request *rq, bool with_keys)
{
	struct bytes *keys = (struct bytes *)(void *)(rq + 1);

	if (!with_keys || rq->n_lock_keys == 0) {
		rq->lock_keys = NULL;
		rq->n_lock_keys = 0;
		return keys;
	}
	memcpy(keys, rq->lock_keys, rq->n_lock_keys * sizeof *keys);
	rq->lock_keys = keys;
	return keys;
}

/* Every text of a request, wherever it stands in the struct. */
static const size_t texts[] = {
	offsetof(struct request, xid),
	offsetof(struct request, name),
	offsetof(struct request, application),
	offsetof(struct request, check),
	offsetof(struct request, resource),
	offsetof(struct request, participant),
	offsetof(struct request, application_data),
	offsetof(struct request, text),
	offsetof(struct request, reason),
	offsetof(struct request, version),
	offsetof(struct request, business_key),
	offsetof(struct request, input),
	offsetof(struct request, subscriber),
	offsetof(struct request, actor),
};

static struct bytes *text_of(struct request *rq, size_t i)
{
	return (struct bytes *)(void *)((char *)rq + texts[i]);
}

static size_t texts_len(const struct request *rq, size_t n_keys)
{
	struct request *from = (struct request *)(uintptr_t)rq;
	size_t len = 0;

	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		len += text_of(from, i)->len;
	for (size_t i = 0; i < n_keys; i++)
		len += rq->lock_keys[i].len;
	return len;
}

struct request *request_dup(const struct mem *mem, const struct request *rq,
			    bool with_keys)
{
	size_t n = with_keys ? rq->n_lock_keys : 0;
	size_t len = texts_len(rq, n);
	struct request *copy;
	struct bytes *keys;
	uint64_t *schedule;
	uint8_t *to;

	copy = mem_alloc(mem, sizeof *copy + n * sizeof *keys +
				      rq->n_schedule * sizeof *schedule + len);
	if (!copy)
		return NULL;
	*copy = *rq;
	keys = request_keys(copy, with_keys);
	schedule = (uint64_t *)(void *)(keys + n);
	copy->schedule_ms = rq->n_schedule ? schedule : NULL;
	for (size_t i = 0; i < rq->n_schedule; i++)
		schedule[i] = rq->schedule_ms[i];
	to = (uint8_t *)(schedule + rq->n_schedule);
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		to = pack(text_of(copy, i), to);
	for (size_t i = 0; i < n; i++)
		to = pack(&keys[i], to);
	return copy;
}

/* ---- the end of things ---- */

void gtx_retire(struct core *c, struct gtx *g)
{
	REQUIRE(list_empty(&g->asks) && list_empty(&g->party.waits));
	LIST_EACH(node, &g->branches) {
		struct branch *b = CONTAINER_OF(node, struct branch, of_gtx);

		job_place(c, &b->job, PLACE_NONE);
		lock_set_free(b->locks, &c->locks);
		b->locks = NULL;
		list_remove(&b->job.held.node);
		map_remove(&c->branches, &b->by_id);
		list_append(&c->dead_branches, &b->dead);
	}
	if (g->saga)
		saga_run_retire(c, g);
	timer_stop(c, &g->timer);
	check_stop(c, g);
	list_remove(&g->decision.node);
	list_remove(&g->party.claimed);
	list_append(&c->dead_gtxs, &g->dead);
}

void gtx_bury(struct core *c, struct gtx *g)
{
	roll_remove(&c->roll, g->party.number);
	gtx_retire(c, g);
}

void model_sweep(struct core *c)
{
	sagas_sweep(c);
	LIST_EACH(node, &c->dead_branches)
		branch_free(c, CONTAINER_OF(node, struct branch, dead));
	list_init(&c->dead_branches);
	LIST_EACH(node, &c->dead_gtxs)
		gtx_free(c, CONTAINER_OF(node, struct gtx, dead));
	list_init(&c->dead_gtxs);
	LIST_EACH(node, &c->dead_asks) {
		answer_discard(c, CONTAINER_OF(node, struct ask, of_gtx));
	}
	list_init(&c->dead_asks);
}
