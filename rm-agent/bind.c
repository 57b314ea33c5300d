#include "rm-agent/tx.h"

/*
 * A thread has a list of the transactions that are bound to it, one for each
 * handle. It nearly always has one member.
 */

static _Atomic uint64_t threads;
static _Thread_local uint64_t number;
static _Thread_local struct treaty_tx *bound;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t key;

/* The thread ends: what is bound to it is free for others. */
static void thread_ends(void *first)
{
	for (struct treaty_tx *tx = first; tx; tx = tx->next)
		atomic_store(&tx->bound, 0);
	bound = NULL;
}

static void make_key(void)
{
	REQUIRE(pthread_key_create(&key, thread_ends) == 0);
}

uint64_t thread_number(void)
{
	if (number == 0)
		number = atomic_fetch_add(&threads, 1) + 1;
	return number;
}

static void set_bound(struct treaty_tx *first)
{
	(void)pthread_once(&once, make_key);
	bound = first;
	(void)pthread_setspecific(key, first);
}

struct treaty_tx *bound_find(const struct treaty *t)
{
	struct treaty_tx *tx = bound;

	while (tx && tx->t != t)
		tx = tx->next;
	return tx;
}

static void take_off(struct treaty_tx *tx)
{
	struct treaty_tx **p = &bound;

	while (*p && *p != tx)
		p = &(*p)->next;
	REQUIRE(*p == tx);
	*p = tx->next;
	tx->next = NULL;
	atomic_store(&tx->bound, 0);
	set_bound(bound);
}

static void put_on(struct treaty_tx *tx)
{
	tx->next = bound;
	atomic_store(&tx->bound, thread_number());
	set_bound(tx);
}

int bind_check(const struct treaty *t)
{
	const struct treaty_tx *tx = bound_find(t);

	if (!tx || t->agent->options.nesting == TREATY_NESTING_SUSPEND)
		return OK;
	return agent_fail(E_STATE,
			  "this thread has transaction %s already; end it or "
			  "treaty_unbind() it first (or set the option "
			  "nesting)",
			  tx->xid);
}

void bind_now(struct treaty_tx *tx)
{
	struct treaty_tx *outer = bound_find(tx->t);

	if (outer)
		take_off(outer);
	tx->outer = outer;
	put_on(tx);
}

void unbind_now(struct treaty_tx *tx)
{
	struct treaty_tx *outer = tx->outer;

	if (atomic_load(&tx->bound) != thread_number())
		return;
	take_off(tx);
	tx->outer = NULL;
	if (outer && atomic_load(&outer->bound) == 0)
		put_on(outer);
}

void unbind_for_good(struct treaty_tx *tx)
{
	unbind_now(tx);
	for (struct treaty_tx *b = bound; b; b = b->next)
		for (struct treaty_tx **p = &b->outer; *p; p = &(*p)->outer)
			if (*p == tx) {
				*p = tx->outer;
				return;
			}
}

int bound_elsewhere(const struct treaty_tx *tx)
{
	uint64_t thread = atomic_load(&tx->bound);

	if (thread == 0 || thread == thread_number())
		return OK;
	return agent_fail(E_STATE,
			  "transaction %s is bound to another thread; "
			  "treaty_unbind() it there first",
			  tx->xid);
}

/* ---- public ---- */

int treaty_bind(struct treaty_tx *tx)
{
	int rc;

	if (!tx)
		return agent_fail(E_INVALID, "treaty_bind: no transaction");
	rc = handle_enter(tx->t);
	if (rc != OK)
		return rc;
	rc = bound_elsewhere(tx);
	if (rc == OK && atomic_load(&tx->bound) == 0) {
		rc = bind_check(tx->t);
		if (rc == OK)
			bind_now(tx);
	}
	handle_leave(tx->t);
	return rc;
}

struct treaty_tx *treaty_unbind(struct treaty *t)
{
	struct treaty_tx *tx;

	if (!t || handle_check_fork(t) != OK)
		return NULL;
	tx = bound_find(t);
	if (tx)
		unbind_now(tx);
	return tx;
}

struct treaty_tx *treaty_current(struct treaty *t)
{
	if (!t || handle_check_fork(t) != OK)
		return NULL;
	return bound_find(t);
}

const char *treaty_current_xid(struct treaty *t)
{
	const struct treaty_tx *tx = treaty_current(t);

	return tx ? tx->xid : NULL;
}
