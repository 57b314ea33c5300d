#include "tests/fakes/at_desk.h"

#include <stdlib.h>
#include <time.h>

static _Thread_local struct treaty_tx *bound;

/* ---- the link ---- */

static struct treaty_tx *current(void *ctx)
{
	(void)ctx;
	return bound;
}

static uint64_t serial(void *ctx, const struct treaty_tx *tx)
{
	(void)ctx;
	return tx->serial;
}

static const char *xid(void *ctx, const struct treaty_tx *tx)
{
	(void)ctx;
	return tx->xid;
}

static int check(void *ctx, struct treaty_tx *tx)
{
	(void)ctx;
	return tx->status == GTX_BEGIN ? OK : E_STATE;
}

static struct at_desk_lock *holder_of(struct at_desk *d, struct bytes key)
{
	for (size_t i = 0; i < d->n_locks; i++)
		if (bytes_equal(d->locks[i].key, key))
			return &d->locks[i];
	return NULL;
}

static void tell(struct at_desk *d, const struct at_desk_lock *l,
		 struct agent_conflict *c)
{
	*c = (struct agent_conflict){ .holder_age_ms = 1 };
	for (size_t i = 0; i < d->n_txs; i++)
		if (d->txs[i].serial == l->serial)
			memcpy(c->holder, d->txs[i].xid, sizeof c->holder);
	if (l->key.len <= sizeof c->key) {
		memcpy(c->key, l->key.data, l->key.len);
		c->key_len = l->key.len;
	}
}

static const struct at_desk_lock *in_the_way(struct at_desk *d, uint64_t who,
					     const struct bytes *keys, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct at_desk_lock *l = holder_of(d, keys[i]);

		if (l && l->serial != who)
			return l;
	}
	return NULL;
}

static int wait_for(struct at_desk *d, uint64_t who, const struct bytes *keys,
		    size_t n, uint64_t wait_ms, struct agent_conflict *c)
{
	const struct at_desk_lock *l;

	for (uint64_t waited = 0;; waited++) {
		l = in_the_way(d, who, keys, n);
		if (!l)
			return OK;
		tell(d, l, c);
		if (waited >= wait_ms)
			return wait_ms ? E_TIMEOUT : E_CONFLICT;
		pthread_mutex_unlock(&d->lock);
		nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
		pthread_mutex_lock(&d->lock);
	}
}

static void add_branch(struct at_desk *d, struct treaty_tx *tx,
		       const struct agent_branch *b, uint64_t *id)
{
	struct at_desk_branch *branch = &d->branches[d->n_branches++];

	REQUIRE(d->n_branches <= AT_DESK_BRANCHES);
	*branch = (struct at_desk_branch){ .id = ++d->next_number,
					   .serial = tx->serial };
	memcpy(branch->resource, b->resource.data, b->resource.len);
	for (size_t i = 0; i < b->n_lock_keys; i++) {
		if (holder_of(d, b->lock_keys[i]))
			continue;
		REQUIRE(d->n_locks < AT_DESK_LOCKS);
		d->locks[d->n_locks++] = (struct at_desk_lock){
			tx->serial,
			branch->id,
			{ (uint8_t *)mem_text(&mem_heap, b->lock_keys[i]),
			  b->lock_keys[i].len }
		};
	}
	*id = branch->id;
}

static int enlist(void *ctx, struct treaty_tx *tx, const struct agent_branch *b,
		  uint64_t *id, struct agent_conflict *c)
{
	struct at_desk *d = ctx;
	int rc;

	c->holder[0] = '\0';
	pthread_mutex_lock(&d->lock);
	d->enlisted++;
	rc = d->enlist_error;
	d->enlist_error = OK;
	if (rc == OK && tx->status != GTX_BEGIN)
		rc = E_STATE;
	if (rc == OK)
		rc = wait_for(d, tx->serial, b->lock_keys, b->n_lock_keys,
			      b->wait_ms, c);
	if (rc == OK)
		add_branch(d, tx, b, id);
	pthread_mutex_unlock(&d->lock);
	if (rc == OK && d->on_enlist)
		d->on_enlist(d->on_enlist_ctx);
	return rc;
}

static void release(struct at_desk *d, uint64_t who, uint64_t branch)
{
	for (size_t i = 0; i < d->n_locks;) {
		struct at_desk_lock *l = &d->locks[i];

		if (l->serial != who || (branch && l->branch != branch)) {
			i++;
			continue;
		}
		free((void *)(uintptr_t)l->key.data);
		*l = d->locks[--d->n_locks];
	}
}

static void failed(void *ctx, struct treaty_tx *tx, uint64_t id)
{
	struct at_desk *d = ctx;

	pthread_mutex_lock(&d->lock);
	for (size_t i = 0; i < d->n_branches; i++)
		if (d->branches[i].id == id)
			d->branches[i].failed = d->branches[i].done = true;
	release(d, tx->serial, id);
	pthread_mutex_unlock(&d->lock);
}

static int lock_check(void *ctx, struct treaty_tx *tx, struct bytes resource,
		      const struct bytes *keys, size_t n, uint64_t wait_ms,
		      struct agent_conflict *c)
{
	struct at_desk *d = ctx;
	int rc;

	(void)resource;
	c->holder[0] = '\0';
	pthread_mutex_lock(&d->lock);
	d->checks++;
	rc = wait_for(d, tx ? tx->serial : 0, keys, n, wait_ms, c);
	pthread_mutex_unlock(&d->lock);
	return rc;
}

static int status(void *ctx, const char *id, int *out)
{
	struct at_desk *d = ctx;

	for (size_t i = 0; i < d->n_txs; i++)
		if (strcmp(d->txs[i].xid, id) == 0) {
			*out = d->txs[i].status;
			return OK;
		}
	return E_NOTFOUND;
}

static int offer(void *ctx, struct bytes resource,
		 const struct agent_handler *handler, void *handler_ctx)
{
	struct at_desk *d = ctx;
	size_t n = d->n_offers++;

	REQUIRE(n < AT_DESK_OFFERS && resource.len < 512);
	memset(&d->offers[n], 0, sizeof d->offers[n]);
	memcpy(d->offers[n].resource, resource.data, resource.len);
	d->offers[n].handler = *handler;
	d->offers[n].ctx = handler_ctx;
	return OK;
}

static void *offered(void *ctx, struct bytes resource)
{
	struct at_desk *d = ctx;

	for (size_t i = 0; i < d->n_offers; i++)
		if (bytes_equal(bytes_of(d->offers[i].resource), resource))
			return d->offers[i].ctx;
	return NULL;
}

struct at_link at_desk_link(struct at_desk *d)
{
	return (struct at_link){ .ctx = d,
				 .current = current,
				 .serial = serial,
				 .xid = xid,
				 .check = check,
				 .enlist = enlist,
				 .failed = failed,
				 .lock_check = lock_check,
				 .status = status,
				 .offer = offer,
				 .offered = offered };
}

/* ---- the coordinator's side ---- */

void at_desk_init(struct at_desk *d)
{
	memset(d, 0, sizeof *d);
	pthread_mutex_init(&d->lock, NULL);
	d->next_number = 1000;
}

void at_desk_withdraw(struct at_desk *d)
{
	for (size_t i = 0; i < d->n_offers; i++)
		d->offers[i].handler.free(d->offers[i].ctx);
	d->n_offers = 0;
}

void at_desk_fini(struct at_desk *d)
{
	at_desk_withdraw(d);
	while (d->n_locks)
		free((void *)(uintptr_t)d->locks[--d->n_locks].key.data);
	pthread_mutex_destroy(&d->lock);
	bound = NULL;
}

struct treaty_tx *at_desk_begin(struct at_desk *d)
{
	struct treaty_tx *tx;
	struct buf b;

	pthread_mutex_lock(&d->lock);
	/* Round and round: tests hold on to a few only. */
	tx = &d->txs[d->next_number % AT_DESK_TXS];
	if (d->n_txs < AT_DESK_TXS)
		d->n_txs = AT_DESK_TXS;
	memset(tx, 0, sizeof *tx);
	tx->serial = ++d->next_number;
	buf_init(&b, &mem_heap);
	buf_printf(&b, "127.0.0.1:7091:%llu", (unsigned long long)tx->serial);
	memcpy(tx->xid, b.data, b.len);
	buf_fini(&b);
	tx->status = GTX_BEGIN;
	pthread_mutex_unlock(&d->lock);
	bound = tx;
	return tx;
}

void at_desk_bind(struct treaty_tx *tx)
{
	bound = tx;
}

static void keep_text(char *to, size_t room, const struct buf *b)
{
	size_t len = b->len < room - 1 ? b->len : room - 1;

	if (len)
		memcpy(to, b->data, len);
	to[len] = '\0';
}

static bool run_branch(struct at_desk *d, struct treaty_tx *tx,
		       struct at_desk_branch *b, enum agent_command_type type,
		       enum agent_resolution resolution, const char *values)
{
	bool commit = type == AGENT_COMMIT;
	struct agent_command c = { .type = type,
				   .xid = tx->xid,
				   .branch = b->id,
				   .resource = b->resource,
				   .attempt = 1,
				   .resolution = resolution,
				   .values = bytes_of(values) };
	struct buf error, detail;
	struct agent_result r = { .status = commit ? BRANCH_COMMIT_RETRYABLE
						   : BRANCH_ROLLBACK_RETRYABLE,
				  .error = &error,
				  .detail = &detail };

	buf_init(&error, &mem_heap);
	buf_init(&detail, &mem_heap);
	for (size_t i = 0; i < d->n_offers; i++)
		if (strcmp(d->offers[i].resource, b->resource) == 0)
			d->offers[i].handler.run(d->offers[i].ctx, &c, &r);
	keep_text(d->error, sizeof d->error, &error);
	keep_text(d->detail, sizeof d->detail, &detail);
	buf_fini(&error);
	buf_fini(&detail);
	return r.status == BRANCH_COMMITTED || r.status == BRANCH_ROLLBACKED;
}

static struct at_desk_branch *branch_by_id(struct at_desk *d, uint64_t id)
{
	for (size_t i = 0; i < d->n_branches; i++)
		if (d->branches[i].id == id)
			return &d->branches[i];
	return NULL;
}

/* The newest branch of a transaction that is older than `before` and not
 * done. */
static bool next_branch(struct at_desk *d, uint64_t serial_wanted,
			uint64_t before, struct at_desk_branch *out)
{
	bool found = false;

	for (size_t i = 0; i < d->n_branches; i++) {
		struct at_desk_branch *b = &d->branches[i];

		if (b->serial != serial_wanted || b->done || b->id >= before ||
		    (found && b->id < out->id))
			continue;
		*out = *b;
		found = true;
	}
	return found;
}

unsigned at_desk_again(struct at_desk *d, struct treaty_tx *tx,
		       enum agent_resolution resolution, const char *values)
{
	enum agent_command_type type =
		tx->status == GTX_COMMITTED ? AGENT_COMMIT : AGENT_ROLLBACK;
	struct at_desk_branch b = { .id = UINT64_MAX };
	unsigned left = 0;

	pthread_mutex_lock(&d->lock);
	while (next_branch(d, tx->serial, b.id, &b)) {
		bool done;

		pthread_mutex_unlock(&d->lock);
		done = run_branch(d, tx, &b, type, resolution, values);
		pthread_mutex_lock(&d->lock);
		left += !done;
		if (!done || !branch_by_id(d, b.id))
			continue;
		branch_by_id(d, b.id)->done = true;
		release(d, tx->serial, b.id);
	}
	pthread_mutex_unlock(&d->lock);
	return left;
}

static unsigned decide(struct at_desk *d, struct treaty_tx *tx, int to)
{
	unsigned left;
	size_t n = 0;

	pthread_mutex_lock(&d->lock);
	tx->status = to;
	if (to == GTX_COMMITTED)
		release(d, tx->serial, 0);
	pthread_mutex_unlock(&d->lock);
	if (bound == tx)
		bound = NULL;
	left = at_desk_again(d, tx, AGENT_RESOLVE_NONE, NULL);
	if (left)
		return left;
	pthread_mutex_lock(&d->lock);
	for (size_t i = 0; i < d->n_branches; i++)
		if (d->branches[i].serial != tx->serial)
			d->branches[n++] = d->branches[i];
	d->n_branches = n;
	pthread_mutex_unlock(&d->lock);
	return 0;
}

unsigned at_desk_commit(struct at_desk *d, struct treaty_tx *tx)
{
	return decide(d, tx, GTX_COMMITTED);
}

unsigned at_desk_rollback(struct at_desk *d, struct treaty_tx *tx)
{
	return decide(d, tx, GTX_ROLLBACKED);
}
