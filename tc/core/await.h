#ifndef TC_CORE_AWAIT_H
#define TC_CORE_AWAIT_H

/*
 * What an object of the core may wait for: a time, or rows to be durable.
 *
 * Rules
 * -----
 *  - A timer's place on the heap is reserved when its owner is made
 *    (timer_reserve), so setting it cannot fail.
 *  - A promise is on one list at a time; it is kept when every row up to .seq
 *    is durable (unit_promise).
 */

#include "base/heap.h"
#include "base/list.h"

enum timer_kind { TIMER_GTX, TIMER_SAGA, TIMER_JOB, TIMER_WAITER, TIMER_ASK };

struct timer {
	struct heap_node node;
	enum timer_kind kind;
};

enum promise_kind {
	PROMISE_ASK,      /* give the answer, or wait for phase two */
	PROMISE_DECISION, /* begin phase two */
	PROMISE_JOB,      /* the command may leave */
	PROMISE_IDS,      /* the numbers may be used */
};

struct promise {
	struct list node; /* on core.promises while it waits */
	uint64_t seq;
	enum promise_kind kind;
};

#endif
