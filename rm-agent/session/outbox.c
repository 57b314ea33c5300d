#include "rm-agent/session/outbox.h"

#include "base/hash.h"

static uint64_t id_hash(uint64_t id)
{
	return hash_u64(0, id); /* our own numbers: no flood to fear */
}

static struct pending *of_link(struct list *link)
{
	return link ? CONTAINER_OF(link, struct pending, link) : NULL;
}

int outbox_init(struct outbox *o, const struct mem *mem)
{
	*o = (struct outbox){ .mem = mem };
	list_init(&o->fresh);
	list_init(&o->waiting);
	list_init(&o->ended);
	list_init(&o->dones);
	heap_init(&o->due, mem);
	return map_init(&o->by_id, mem);
}

static void pending_free(struct outbox *o, struct pending *p)
{
	o->bytes -= p->body.len;
	list_remove(&p->link);
	buf_fini(&p->body);
	mem_free(o->mem, p);
}

void outbox_fini(struct outbox *o)
{
	struct list *all[] = { &o->fresh, &o->waiting, &o->ended, &o->dones };

	if (!o->mem)
		return;
	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		while (!list_empty(all[i]))
			pending_free(o, of_link(list_first(all[i])));
	heap_fini(&o->due);
	map_fini(&o->by_id);
}

/* A node with its bytes, on no list yet. */
static int stage(struct outbox *o, const struct msg *m, struct pending **out)
{
	struct pending *p = mem_alloc(o->mem, sizeof *p);
	int rc;

	if (!p)
		return E_NOMEM;
	list_init(&p->link);
	buf_init(&p->body, o->mem);
	p->body.limit = o->message_max;
	rc = msg_encode(&p->body, m);
	if (rc == OK && p->body.len > o->bytes_max - o->bytes)
		rc = E_LIMIT;
	if (rc != OK) {
		buf_fini(&p->body);
		mem_free(o->mem, p);
		return rc;
	}
	p->id = m->id;
	p->level = msg_level(m);
	*out = p;
	return OK;
}

int outbox_add(struct outbox *o, const struct msg *m, uint64_t deadline_ms,
	       uint64_t patience_ms, void *tag)
{
	struct pending *p;
	int rc;

	if (o->by_id.count >= o->requests_max)
		return E_LIMIT;
	rc = heap_reserve(&o->due, o->by_id.count + 1);
	if (rc == OK)
		rc = stage(o, m, &p);
	if (rc != OK)
		return rc;
	p->deadline_ms = deadline_ms;
	p->patience_ms = patience_ms;
	p->tag = tag;
	p->queued = true;
	o->bytes += p->body.len;
	map_insert(&o->by_id, &p->by_id, id_hash(p->id));
	heap_set(&o->due, &p->due, deadline_ms);
	list_append(&o->fresh, &p->link);
	return OK;
}

int outbox_add_done(struct outbox *o, const struct msg *m)
{
	struct pending *p;
	int rc;

	if (o->n_dones >= o->dones_max)
		return E_LIMIT;
	rc = stage(o, m, &p);
	if (rc != OK)
		return rc;
	o->bytes += p->body.len;
	o->n_dones++;
	list_append(&o->dones, &p->link);
	return OK;
}

struct pending *outbox_find(const struct outbox *o, uint64_t id)
{
	struct map_node *n = map_find(&o->by_id, id_hash(id));

	for (; n; n = map_find_next(n)) {
		struct pending *p = CONTAINER_OF(n, struct pending, by_id);

		if (p->id == id)
			return p;
	}
	return NULL;
}

struct pending *outbox_first(const struct outbox *o)
{
	struct list *done = list_first(&o->dones);

	return of_link(done ? done : list_first(&o->fresh));
}

/* Wait as long as its patience, at most until the deadline; next time longer,
 * so that a coordinator in trouble is not asked more and more. */
static void wait(struct outbox *o, struct pending *p, uint64_t now_ms)
{
	uint64_t due = now_ms + p->patience_ms;

	if (due > p->deadline_ms)
		due = p->deadline_ms;
	if (p->patience_ms < o->resend_ms_max / 2)
		p->patience_ms *= 2;
	else if (p->patience_ms < o->resend_ms_max)
		p->patience_ms = o->resend_ms_max;
	heap_set(&o->due, &p->due, due);
	p->queued = false;
	list_remove(&p->link);
	list_append(&o->waiting, &p->link);
}

void outbox_sent(struct outbox *o, uint64_t now_ms)
{
	struct pending *p = outbox_first(o);

	REQUIRE(p);
	if (!list_empty(&o->dones)) {
		o->n_dones--;
		pending_free(o, p);
		return;
	}
	p->sent = true;
	wait(o, p, now_ms);
}

void outbox_defer(struct outbox *o, struct pending *p, uint64_t now_ms)
{
	wait(o, p, now_ms);
}

static void queue(struct outbox *o, struct pending *p)
{
	list_remove(&p->link);
	list_append(&o->fresh, &p->link);
	p->queued = true;
	heap_set(&o->due, &p->due, p->deadline_ms);
}

void outbox_doubt(struct outbox *o)
{
	size_t newer = 0;

	for (struct list *l = o->fresh.next; l != &o->fresh; l = l->next)
		newer++;
	while (!list_empty(&o->waiting))
		queue(o, of_link(list_first(&o->waiting)));
	for (; newer > 0; newer--)
		queue(o, of_link(list_first(&o->fresh)));
}

void outbox_time(struct outbox *o, uint64_t now_ms)
{
	struct heap_node *n;

	while ((n = heap_first(&o->due)) && n->due <= now_ms) {
		struct pending *p = CONTAINER_OF(n, struct pending, due);

		if (p->deadline_ms <= now_ms)
			outbox_end(o, p, p->sent ? E_UNKNOWN : E_TIMEOUT);
		else
			queue(o, p);
	}
}

void outbox_end(struct outbox *o, struct pending *p, int err)
{
	map_remove(&o->by_id, &p->by_id);
	heap_remove(&o->due, &p->due);
	list_remove(&p->link);
	list_append(&o->ended, &p->link);
	p->queued = false;
	p->err = err;
}

void outbox_end_all(struct outbox *o, int err_unsent)
{
	struct list *all[] = { &o->fresh, &o->waiting };

	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		while (!list_empty(all[i])) {
			struct pending *p = of_link(list_first(all[i]));

			outbox_end(o, p, p->sent ? E_UNKNOWN : err_unsent);
		}
}

void outbox_forget(struct outbox *o, struct pending *p)
{
	pending_free(o, p);
}

static void refuse_on(struct outbox *o, struct list *head, uint64_t level)
{
	struct list *next;

	for (struct list *l = head->next; l != head; l = next) {
		struct pending *p = of_link(l);

		next = l->next;
		if (p->level > level)
			outbox_end(o, p, p->sent ? E_UNKNOWN : E_VERSION);
	}
}

void outbox_refuse(struct outbox *o, uint64_t level)
{
	refuse_on(o, &o->waiting, level);
	refuse_on(o, &o->fresh, level);
}

static size_t walk(const struct list *head, size_t *bytes)
{
	size_t n = 0;

	for (struct list *l = head->next; l != head; l = l->next, n++)
		*bytes += CONTAINER_OF(l, struct pending, link)->body.len;
	return n;
}

void outbox_check(const struct outbox *o)
{
	size_t bytes = 0, n_fresh, n_waiting;

	n_fresh = walk(&o->fresh, &bytes);
	n_waiting = walk(&o->waiting, &bytes);
	REQUIRE(walk(&o->dones, &bytes) == o->n_dones);
	(void)walk(&o->ended, &bytes);
	REQUIRE(n_fresh + n_waiting == o->by_id.count);
	REQUIRE(o->by_id.count == o->due.count);
	REQUIRE(o->by_id.count <= o->requests_max);
	REQUIRE(bytes == o->bytes && bytes <= o->bytes_max);
	for (struct list *l = o->fresh.next; l != &o->fresh; l = l->next) {
		struct pending *p = CONTAINER_OF(l, struct pending, link);

		REQUIRE(p->queued && p->due.due == p->deadline_ms);
		REQUIRE(outbox_find(o, p->id) == p);
	}
	for (struct list *l = o->waiting.next; l != &o->waiting; l = l->next) {
		struct pending *p = CONTAINER_OF(l, struct pending, link);

		REQUIRE(!p->queued && p->due.due <= p->deadline_ms);
		REQUIRE(outbox_find(o, p->id) == p);
	}
}
