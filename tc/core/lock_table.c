#include "tc/core/lock_table.h"

#include "base/hash.h"
#include "tc/core/lock_wait.h"

/*
 * Invariants, checked by lock_table_check():
 *   I1  no two locks have the same key; each is on the chain of its hash
 *   I2  a lock has an owner exactly when a claimed set holds it
 *   I3  holds <= pins, pins > 0; who waits has pinned what it waits for
 *   I4  n_owned counts the locks that have an owner
 */

int lock_table_init(struct lock_table *t, const struct mem *mem, uint64_t seed)
{
	*t = (struct lock_table){ .mem = mem, .seed = seed };
	list_init(&t->freed);
	list_init(&t->claimed);
	return map_init(&t->by_key, mem);
}

void lock_table_fini(struct lock_table *t)
{
	REQUIRE(t->by_key.count == 0);
	map_fini(&t->by_key);
}

void lock_party_init(struct lock_party *p, uint64_t number)
{
	REQUIRE(number != 0);
	*p = (struct lock_party){ .number = number };
	list_init(&p->waits);
	list_init(&p->claimed);
}

void lock_party_fini(struct lock_party *p)
{
	REQUIRE(p->n_held == 0 && list_empty(&p->waits));
	list_remove(&p->claimed);
}

static struct bytes key_of(const struct lock *l)
{
	return (struct bytes){ l->key, l->len };
}

static struct lock *find(const struct lock_table *t, struct bytes key,
			 uint64_t hash)
{
	struct map_node *n = map_find(&t->by_key, hash);

	for (; n; n = map_find_next(n)) {
		struct lock *l = CONTAINER_OF(n, struct lock, node);

		if (bytes_equal(key_of(l), key))
			return l;
	}
	return NULL;
}

static struct lock *pin(struct lock_table *t, struct bytes key)
{
	uint64_t hash = hash_bytes(t->seed, key);
	struct lock *l = find(t, key, hash);

	REQUIRE(key.len > 0);
	if (!l) {
		l = mem_alloc(t->mem, sizeof *l + key.len);
		if (!l)
			return NULL;
		list_init(&l->queue);
		list_init(&l->freed);
		l->len = key.len;
		memcpy(l->key, key.data, key.len);
		map_insert(&t->by_key, &l->node, hash);
	}
	l->pins++;
	return l;
}

static void unpin(struct lock_table *t, struct lock *l)
{
	REQUIRE(l->pins > l->holds);
	if (--l->pins > 0)
		return;
	REQUIRE(list_empty(&l->queue));
	list_remove(&l->freed);
	map_remove(&t->by_key, &l->node);
	mem_free(t->mem, l);
}

int lock_set_new(struct lock_set **out, struct lock_table *t,
		 const struct bytes keys[], size_t n)
{
	const size_t each = sizeof(struct bytes) + sizeof(struct lock *);
	struct lock_set *s;

	REQUIRE(n > 0 && n < SIZE_MAX / 2 / each);
	s = mem_alloc(t->mem, sizeof *s + n * each);
	if (!s)
		return E_NOMEM;
	s->keys = (struct bytes *)(void *)(s + 1);
	s->locks = (struct lock **)(void *)(s->keys + n);
	t->sets++;
	for (size_t i = 0; i < n; i++) {
		struct lock *l = pin(t, keys[i]);

		if (!l) {
			lock_set_free(s, t);
			return E_NOMEM;
		}
		if (l->made_for == t->sets) {
			unpin(t, l); /* named twice */
			continue;
		}
		l->made_for = t->sets;
		s->locks[s->n] = l;
		s->keys[s->n++] = key_of(l);
	}
	*out = s;
	return OK;
}

void lock_set_free(struct lock_set *s, struct lock_table *t)
{
	if (!s)
		return;
	lock_set_release(s, t);
	for (size_t i = 0; i < s->n; i++)
		unpin(t, s->locks[i]);
	mem_free(t->mem, s);
}

/* Who stands in the way on one key; NULL if nobody. */
static struct lock_party *blocker(const struct lock *l,
				  const struct lock_party *who,
				  const struct lock_wait *self)
{
	if (l->owner)
		return l->owner == who ? NULL : l->owner;
	LIST_EACH(node, &l->queue) {
		struct lock_slot *slot =
			CONTAINER_OF(node, struct lock_slot, in_queue);

		if (slot->wait == self)
			return NULL;
		if (slot->wait->takes && slot->wait->party != who)
			return slot->wait->party;
	}
	return NULL;
}

bool lock_set_blocked(const struct lock_set *s, const struct lock_party *who,
		      const struct lock_wait *self, struct lock_block *block)
{
	bool blocked = false;

	for (size_t i = 0; i < s->n; i++) {
		struct lock *l = s->locks[i];
		struct lock_party *by = blocker(l, who, self);
		bool closing = by && by == l->owner && by->closing;

		if (by && (!blocked || closing))
			*block = (struct lock_block){ by, i, closing };
		blocked |= by != NULL;
		if (closing)
			break;
	}
	return blocked;
}

size_t lock_set_fresh(const struct lock_set *s)
{
	size_t fresh = 0;

	for (size_t i = 0; i < s->n; i++)
		fresh += !s->locks[i]->owner;
	return fresh;
}

bool lock_set_free_for(const struct lock_set *s, const struct lock_party *who)
{
	for (size_t i = 0; i < s->n; i++)
		if (s->locks[i]->owner && s->locks[i]->owner != who)
			return false;
	return true;
}

void lock_set_claim(struct lock_set *s, struct lock_table *t,
		    struct lock_party *who)
{
	REQUIRE(!s->claimed && lock_set_free_for(s, who));
	for (size_t i = 0; i < s->n; i++) {
		struct lock *l = s->locks[i];

		t->n_owned += !l->owner;
		l->owner = who;
		l->holds++;
	}
	who->n_held += s->n;
	s->claimed = true;
	if (!list_empty(&who->waits) && list_empty(&who->claimed))
		list_append(&t->claimed, &who->claimed);
}

void lock_set_release(struct lock_set *s, struct lock_table *t)
{
	if (!s->claimed)
		return;
	for (size_t i = 0; i < s->n; i++) {
		struct lock *l = s->locks[i];

		REQUIRE(l->holds > 0 && l->owner->n_held > 0);
		l->owner->n_held--;
		if (--l->holds > 0)
			continue;
		l->owner = NULL;
		t->n_owned--;
		lock_table_touch(t, l);
	}
	s->claimed = false;
}

void lock_table_touch(struct lock_table *t, struct lock *l)
{
	if (!l->owner && !list_empty(&l->queue) && list_empty(&l->freed))
		list_append(&t->freed, &l->freed);
}

void lock_table_check(const struct lock_table *t)
{
	size_t owned = 0;

	for (struct map_node *n = map_next(&t->by_key, NULL); n;
	     n = map_next(&t->by_key, n)) {
		struct lock *l = CONTAINER_OF(n, struct lock, node);
		size_t waits = 0;

		REQUIRE(n->hash == hash_bytes(t->seed, key_of(l)));
		REQUIRE(find(t, key_of(l), n->hash) == l);     /* I1 */
		REQUIRE((l->owner != NULL) == (l->holds > 0)); /* I2 */
		LIST_EACH(node, &l->queue)
			waits++;
		REQUIRE(l->pins > 0 && l->holds + waits <= l->pins); /* I3 */
		owned += l->owner != NULL;
	}
	REQUIRE(owned == t->n_owned); /* I4 */
}
