#include "tc/door/caller_impl.h"

#include "base/hash.h"

#define SUSPECTS_MAX 1024 /* remembered without a call */

static struct target *find(const struct caller *c, struct bytes origin,
			   uint64_t hash)
{
	struct map_node *node = map_find(&c->targets, hash);

	for (; node; node = map_find_next(node)) {
		struct target *t = CONTAINER_OF(node, struct target, by_origin);

		if (bytes_equal(t->origin, origin))
			return t;
	}
	return NULL;
}

static struct target *get(struct caller *c, struct bytes origin)
{
	uint64_t hash = hash_bytes(c->seed, origin);
	struct target *t = find(c, origin, hash);

	if (t)
		return t;
	t = mem_alloc(c->mem, sizeof *t + origin.len);
	if (!t)
		return NULL;
	memcpy(t + 1, origin.data, origin.len);
	t->origin = (struct bytes){ (const uint8_t *)(t + 1), origin.len };
	list_init(&t->waiting);
	list_init(&t->ready);
	list_init(&t->idle);
	map_insert(&c->targets, &t->by_origin, hash);
	return t;
}

static void forget(struct caller *c, struct target *t)
{
	list_remove(&t->ready);
	list_remove(&t->idle);
	map_remove(&c->targets, &t->by_origin);
	mem_free(c->mem, t);
}

/* The oldest suspect without a call gives way. */
static void remember(struct caller *c, struct target *t)
{
	list_append(&c->suspects, &t->idle);
	if (++c->n_suspects <= SUSPECTS_MAX)
		return;
	c->n_suspects--;
	forget(c, CONTAINER_OF(list_first(&c->suspects), struct target, idle));
}

static size_t places(const struct caller *c, const struct target *t)
{
	return t->suspect ? 1 : c->config.calls_per_target_max;
}

/* Put it where it belongs now. It may be gone then. */
static void settle(struct caller *c, struct target *t)
{
	bool waits = !list_empty(&t->waiting);

	if (!list_empty(&t->idle)) {
		list_remove(&t->idle);
		c->n_suspects--;
	}
	if (!waits || t->n_active >= places(c, t))
		list_remove(&t->ready);
	else if (list_empty(&t->ready))
		list_append(&c->ready, &t->ready);
	if (waits || t->n_active > 0)
		return;
	if (t->suspect)
		remember(c, t);
	else
		forget(c, t);
}

void caller_queue_fini(struct caller *c)
{
	LIST_EACH(node, &c->suspects) {
		c->n_suspects--;
		forget(c, CONTAINER_OF(node, struct target, idle));
	}
	REQUIRE(c->targets.count == 0 && c->n_suspects == 0);
}

int caller_queue(struct caller *c, struct call *call)
{
	struct target *t;

	if (heap_reserve(&c->due, c->due.count + 1) != OK)
		return E_NOMEM;
	t = get(c, call->request.origin);
	if (!t)
		return E_NOMEM;
	call->target = t;
	call->state = CALL_WAITING;
	list_append(&t->waiting, &call->on);
	heap_set(&c->due, &call->due, call->due_ms);
	settle(c, t);
	return OK;
}

bool caller_queue_startable(const struct caller *c)
{
	return !list_empty(&c->ready) && c->n_active < c->config.calls_max;
}

static void leave(struct caller *c, struct call *call)
{
	REQUIRE(call->state == CALL_WAITING);
	heap_remove(&c->due, &call->due);
	list_remove(&call->on);
}

struct call *caller_queue_next(struct caller *c)
{
	struct target *t;
	struct call *call;

	if (!caller_queue_startable(c))
		return NULL;
	t = CONTAINER_OF(list_first(&c->ready), struct target, ready);
	call = CONTAINER_OF(list_first(&t->waiting), struct call, on);
	leave(c, call);
	t->n_active++;
	c->n_active++;
	call->state = CALL_ACTIVE;
	list_append(&c->active, &call->on);
	list_remove(&t->ready); /* and behind the others, if it has more */
	settle(c, t);
	return call;
}

void caller_queue_leave(struct caller *c, struct call *call)
{
	struct target *t = call->target;

	leave(c, call);
	call->target = NULL;
	settle(c, t);
}

struct call *caller_queue_late(struct caller *c)
{
	struct heap_node *node = heap_first(&c->due);
	struct call *call;

	if (!node || node->due > c->now_ms)
		return NULL;
	call = CONTAINER_OF(node, struct call, due);
	caller_queue_leave(c, call);
	return call;
}

void caller_queue_done(struct caller *c, struct call *call,
		       enum opinion opinion)
{
	struct target *t = call->target;

	REQUIRE(call->state == CALL_ACTIVE && t->n_active > 0);
	list_remove(&call->on);
	t->n_active--;
	c->n_active--;
	call->target = NULL;
	if (opinion != TARGET_AS_BEFORE)
		t->suspect = opinion == TARGET_SUSPECT;
	settle(c, t);
}
