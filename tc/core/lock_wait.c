#include "tc/core/lock_wait.h"

int lock_wait_init(struct lock_wait *w, const struct mem *mem,
		   struct lock_set *set)
{
	struct lock_slot *slots = mem_array(mem, set->n, sizeof *slots);

	if (!slots)
		return E_NOMEM;
	*w = (struct lock_wait){ .set = set, .slots = slots };
	list_init(&w->of_party);
	for (size_t i = 0; i < set->n; i++) {
		list_init(&slots[i].in_queue);
		slots[i].wait = w;
	}
	return OK;
}

void lock_wait_fini(struct lock_wait *w, struct lock_table *t)
{
	if (w->party)
		lock_wait_leave(w, t);
	mem_free(t->mem, w->slots);
	*w = (struct lock_wait){ 0 };
}

void lock_wait_join(struct lock_wait *w, struct lock_table *t,
		    struct lock_party *party, bool takes)
{
	REQUIRE(!w->party && party);
	w->party = party;
	w->takes = takes;
	list_append(&party->waits, &w->of_party);
	for (size_t i = 0; i < w->set->n; i++)
		list_append(&w->set->locks[i]->queue, &w->slots[i].in_queue);
	(void)t;
}

void lock_wait_leave(struct lock_wait *w, struct lock_table *t)
{
	REQUIRE(w->party);
	for (size_t i = 0; i < w->set->n; i++) {
		list_remove(&w->slots[i].in_queue);
		lock_table_touch(t, w->set->locks[i]);
	}
	list_remove(&w->of_party);
	w->party = NULL;
}

static struct lock_wait *wait_at(struct list *in_queue)
{
	return CONTAINER_OF(in_queue, struct lock_slot, in_queue)->wait;
}

static bool may_go(const struct lock_wait *w)
{
	struct lock_block block;

	return !lock_set_blocked(w->set, w->party, w, &block);
}

/* The first in the queue that may go on; NULL if there's none. */
static struct lock_wait *first_of_queue(const struct lock *l)
{
	LIST_EACH(node, &l->queue) {
		struct lock_wait *w = wait_at(node);

		if (may_go(w))
			return w;
		if (w->takes)
			return NULL; /* first come, first served */
	}
	return NULL;
}

/* A party that claimed a key need not stand in that key's queue any more. */
static struct lock_wait *first_of_party(const struct lock_party *p)
{
	LIST_EACH(node, &p->waits) {
		struct lock_wait *w =
			CONTAINER_OF(node, struct lock_wait, of_party);

		if (may_go(w))
			return w;
	}
	return NULL;
}

struct lock_wait *lock_wait_grantable(struct lock_table *t)
{
	struct lock_wait *w;

	LIST_EACH(node, &t->claimed) {
		w = first_of_party(
			CONTAINER_OF(node, struct lock_party, claimed));
		if (w)
			return w;
		list_remove(node);
	}
	LIST_EACH(node, &t->freed) {
		w = first_of_queue(CONTAINER_OF(node, struct lock, freed));
		if (w)
			return w;
		list_remove(node);
	}
	return NULL;
}

struct lock_party *lock_wait_for(const struct lock_wait *w, size_t i, int which)
{
	struct lock *l = w->set->locks[i];

	if (l->owner == w->party)
		return NULL; /* it holds this one: the queue does not matter */
	if (which == 0)
		return l->owner;
	for (struct list *node = w->slots[i].in_queue.prev; node != &l->queue;
	     node = node->prev) {
		struct lock_wait *before = wait_at(node);

		if (before->takes && before->party != w->party)
			return before->party;
	}
	return NULL;
}

struct search {
	struct lock_table *t;
	struct lock_party *start;
	struct lock_party *last; /* of the parties still to be looked at */
};

/* Note that `from` waits for `to`. True if that closes a cycle. */
static bool visit(struct search *s, struct lock_party *from,
		  struct lock_party *to, struct lock_wait *via)
{
	if (to == s->start) {
		to->from = from;
		to->via = via;
		return true;
	}
	if (to->mark == s->t->marks)
		return false;
	to->mark = s->t->marks;
	to->from = from;
	to->via = via;
	to->next = NULL;
	s->last->next = to;
	s->last = to;
	return false;
}

/* Look at everybody whom `p` waits for. True if that closes a cycle. */
static bool expand(struct search *s, struct lock_party *p)
{
	LIST_EACH(node, &p->waits) {
		struct lock_wait *w =
			CONTAINER_OF(node, struct lock_wait, of_party);

		for (size_t i = 0; i < w->set->n; i++) {
			for (int which = 0; which < 2; which++) {
				struct lock_party *to =
					lock_wait_for(w, i, which);

				if (to && visit(s, p, to, w))
					return true;
			}
		}
	}
	return false;
}

struct lock_wait *lock_wait_cycle(struct lock_table *t,
				  struct lock_party *start,
				  struct lock_party **next)
{
	struct search s = { t, start, start };
	struct lock_party *p = start;
	struct lock_wait *victim;

	start->mark = ++t->marks;
	start->next = NULL;
	while (p && !expand(&s, p))
		p = p->next;
	if (!p)
		return NULL;
	/* Walk the cycle back: p->from waits for p by p->via. */
	victim = start->via;
	*next = start;
	for (p = start->from; p != start; p = p->from) {
		if (p->via->party->number > victim->party->number) {
			victim = p->via;
			*next = p;
		}
	}
	return victim;
}
