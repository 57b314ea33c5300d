#ifndef BASE_LIST_H
#define BASE_LIST_H

/*
 * An intrusive doubly linked list. A head and a node are the same struct; an
 * unlinked node points at itself, so removing twice is harmless.
 */

#include "base/base.h"

struct list {
	struct list *next;
	struct list *prev;
};

static inline void list_init(struct list *l)
{
	l->next = l->prev = l;
}

static inline bool list_empty(const struct list *l)
{
	return l->next == l;
}

static inline void list_remove(struct list *node)
{
	node->prev->next = node->next;
	node->next->prev = node->prev;
	list_init(node);
}

/* Append to the tail. The node must be initialised and on no list. */
static inline void list_append(struct list *head, struct list *node)
{
	node->prev = head->prev;
	node->next = head;
	head->prev->next = node;
	head->prev = node;
}

static inline struct list *list_first(const struct list *head)
{
	return list_empty(head) ? NULL : head->next;
}

/* for (each node; the present one may be removed in the body) */
#define LIST_EACH(node, head)                                                  \
	for (struct list *node = (head)->next, *node##_ = node->next;          \
	     node != (head); node = node##_, node##_ = node->next)

#endif
