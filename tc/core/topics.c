#include "tc/core/topics.h"

#include "base/hash.h"

int topics_init(struct topics *t, const struct mem *mem, uint64_t seed)
{
	*t = (struct topics){ .mem = mem, .seed = seed };
	list_init(&t->all);
	return map_init(&t->by_name, mem);
}

void topics_fini(struct topics *t)
{
	if (!t->mem)
		return;
	while (!list_empty(&t->all)) {
		struct topic *topic = TOPIC_OF(list_first(&t->all));

		topics_drop(t, SUBSCRIBER_OF(list_first(&topic->subscribers)));
	}
	map_fini(&t->by_name);
}

/* ---- finding ---- */

struct topic *topics_find(const struct topics *t, struct bytes name)
{
	struct map_node *n = map_find(&t->by_name, hash_bytes(t->seed, name));

	for (; n; n = map_find_next(n)) {
		struct topic *topic = CONTAINER_OF(n, struct topic, by_name);

		if (bytes_equal(topic->name, name))
			return topic;
	}
	return NULL;
}

struct subscriber *topic_find(const struct topic *topic, struct bytes name)
{
	LIST_EACH(node, &topic->subscribers)
		if (bytes_equal(SUBSCRIBER_OF(node)->name, name))
			return SUBSCRIBER_OF(node);
	return NULL;
}

/* ---- changing ---- */

static int dup(struct bytes *out, const struct mem *mem, struct bytes b)
{
	const char *text = mem_text(mem, b);

	*out = (struct bytes){ (const uint8_t *)text, text ? b.len : 0 };
	return text ? OK : E_NOMEM;
}

static void drop(const struct mem *mem, struct bytes b)
{
	mem_free(mem, (void *)(uintptr_t)b.data);
}

/* In front of `next`. */
static void insert_before(struct list *next, struct list *node)
{
	node->prev = next->prev;
	node->next = next;
	next->prev->next = node;
	next->prev = node;
}

static void topic_free(struct topics *t, struct topic *topic)
{
	drop(t->mem, topic->name);
	mem_free(t->mem, topic);
}

static struct topic *topic_new(struct topics *t, struct bytes name)
{
	struct topic *topic = mem_alloc(t->mem, sizeof *topic);

	if (!topic)
		return NULL;
	list_init(&topic->of_all);
	list_init(&topic->subscribers);
	if (dup(&topic->name, t->mem, name) == OK)
		return topic;
	topic_free(t, topic);
	return NULL;
}

static void subscriber_free(struct topics *t, struct subscriber *s)
{
	drop(t->mem, s->name);
	drop(t->mem, s->resource);
	drop(t->mem, s->participant);
	mem_free(t->mem, s);
}

static struct subscriber *subscriber_new(struct topics *t,
					 const struct subscription *what)
{
	struct subscriber *s = mem_alloc(t->mem, sizeof *s);

	if (!s)
		return NULL;
	list_init(&s->of_topic);
	s->id = what->id;
	if (dup(&s->name, t->mem, what->subscriber) == OK &&
	    dup(&s->resource, t->mem, what->resource) == OK &&
	    dup(&s->participant, t->mem, what->participant) == OK)
		return s;
	subscriber_free(t, s);
	return NULL;
}

static void link_topic(struct topics *t, struct topic *topic)
{
	struct list *next = t->all.next;

	while (next != &t->all &&
	       bytes_compare(TOPIC_OF(next)->name, topic->name) < 0)
		next = next->next;
	insert_before(next, &topic->of_all);
	map_insert(&t->by_name, &topic->by_name,
		   hash_bytes(t->seed, topic->name));
}

static void link_subscriber(struct topics *t, struct topic *topic,
			    struct subscriber *s)
{
	struct list *next = topic->subscribers.next;

	while (next != &topic->subscribers &&
	       bytes_compare(SUBSCRIBER_OF(next)->name, s->name) < 0)
		next = next->next;
	insert_before(next, &s->of_topic);
	s->topic = topic;
	topic->n++;
	t->n_subscribers++;
}

static void replace(struct topics *t, struct subscriber *old,
		    struct subscriber *s)
{
	s->id = old->id;
	s->topic = old->topic;
	insert_before(&old->of_topic, &s->of_topic);
	list_remove(&old->of_topic);
	subscriber_free(t, old);
}

int topics_put(struct topics *t, const struct subscription *what,
	       struct subscriber **out)
{
	struct topic *topic = topics_find(t, what->topic), *fresh = NULL;
	struct subscriber *s = subscriber_new(t, what), *old = NULL;

	if (!s)
		return E_NOMEM;
	if (topic)
		old = topic_find(topic, what->subscriber);
	else
		topic = fresh = topic_new(t, what->topic);
	if (!topic) {
		subscriber_free(t, s);
		return E_NOMEM;
	}
	if (fresh)
		link_topic(t, fresh);
	if (old)
		replace(t, old, s);
	else
		link_subscriber(t, topic, s);
	*out = s;
	return OK;
}

void topics_drop(struct topics *t, struct subscriber *s)
{
	struct topic *topic = s->topic;

	list_remove(&s->of_topic);
	subscriber_free(t, s);
	t->n_subscribers--;
	if (--topic->n > 0)
		return;
	list_remove(&topic->of_all);
	map_remove(&t->by_name, &topic->by_name);
	topic_free(t, topic);
}

/* ---- invariants ---- */

static size_t check_topic(const struct topics *t, const struct topic *topic)
{
	const struct subscriber *last = NULL;
	size_t n = 0;

	REQUIRE(topics_find(t, topic->name) == topic);
	LIST_EACH(node, &topic->subscribers) {
		const struct subscriber *s = SUBSCRIBER_OF(node);

		REQUIRE(s->topic == topic && s->id != 0);
		REQUIRE(!last || bytes_compare(last->name, s->name) < 0);
		last = s;
		n++;
	}
	REQUIRE(n == topic->n && n > 0);
	return n;
}

void topics_check(const struct topics *t)
{
	const struct topic *last = NULL;
	size_t topics = 0, subscribers = 0;

	LIST_EACH(node, &t->all) {
		const struct topic *topic = TOPIC_OF(node);

		REQUIRE(!last || bytes_compare(last->name, topic->name) < 0);
		last = topic;
		topics++;
		subscribers += check_topic(t, topic);
	}
	REQUIRE(topics == t->by_name.count && subscribers == t->n_subscribers);
}
