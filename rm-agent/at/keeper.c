#include "rm-agent/at/resource_impl.h"

#include <signal.h>
#include <time.h>

/*
 * Undo rows that nobody needs any more: of committed branches (soon, many in
 * one statement), defence rows by age, and what a crash has left behind. A
 * row that is not known to be committed is never deleted.
 */

#define FLUSH_MS       50
#define PURGE_MS       (10 * 60 * 1000)
#define PURGE_AGAIN_MS (30 * 1000) /* one that failed */
#define LEFT_OVER_S    60 /* a younger row may belong to a running phase two */
#define LEFT_OVER_MAX  500

int keeper_add(struct at_resource *r, const char *xid, uint64_t branch)
{
	struct committed *c;
	int rc = OK;

	pthread_mutex_lock(&r->lock);
	if (r->n_queue == QUEUE_MAX) {
		rc = E_LIMIT;
	} else {
		c = &r->queue[r->n_queue++];
		memset(c, 0, sizeof *c);
		memcpy(c->xid, xid, strnlen(xid, XID_LEN_MAX));
		c->branch = branch;
	}
	pthread_mutex_unlock(&r->lock);
	return rc;
}

/* ---- deleting ---- */

static bool stopping(struct at_resource *r)
{
	bool yes;

	pthread_mutex_lock(&r->lock);
	yes = r->stopping;
	pthread_mutex_unlock(&r->lock);
	return yes;
}

static struct value number(struct arena *arena, uint64_t n)
{
	struct buf b;

	buf_init(&b, &arena->as_mem);
	buf_printf(&b, "%llu", (unsigned long long)n);
	return (struct value){ VALUE_INT, buf_bytes(&b) };
}

static int delete_rows(struct at_resource *r, struct db *db,
		       const struct committed *rows, size_t n)
{
	struct value *v;
	struct db_result result;
	struct db_stmt stmt = { .n_params = 2 * n };
	struct arena arena;
	struct buf sql;
	int rc = E_NOMEM;

	arena_init(&arena, &mem_heap, 0);
	v = arena_array(&arena, 2 * n, sizeof *v);
	for (size_t i = 0; v && i < n; i++) {
		v[2 * i] = (struct value){ VALUE_TEXT, bytes_of(rows[i].xid) };
		v[2 * i + 1] = number(&arena, rows[i].branch);
	}
	buf_init(&sql, &arena.as_mem);
	undo_log_put_delete(&sql, &r->log, n);
	if (v && buf_error(&sql) == OK) {
		stmt.sql = buf_bytes(&sql);
		stmt.params = v;
		rc = db_exec(db, &stmt, &arena, &result);
	}
	arena_fini(&arena);
	return rc;
}

static size_t batch(struct at_resource *r)
{
	size_t n;

	pthread_mutex_lock(&r->lock);
	n = r->n_queue < UNDO_LOG_DELETE_MAX ? r->n_queue : UNDO_LOG_DELETE_MAX;
	pthread_mutex_unlock(&r->lock);
	return n;
}

/* Only one thread takes from the front, so what batch() saw stays there; the
 * array never moves. */
static void drop_batch(struct at_resource *r, size_t n)
{
	pthread_mutex_lock(&r->lock);
	memmove(r->queue, r->queue + n, (r->n_queue - n) * sizeof *r->queue);
	r->n_queue -= n;
	r->deleted += n;
	pthread_mutex_unlock(&r->lock);
}

int at_resource_flush(struct at_resource *r)
{
	struct db_error error;
	struct db *db;
	size_t n;
	int rc = OK;

	if (batch(r) == 0)
		return OK;
	db = resource_take(r, &error, &rc);
	if (!db)
		return rc;
	pthread_mutex_lock(&r->flushing);
	while (rc == OK && (n = batch(r)) > 0) {
		rc = delete_rows(r, db, r->queue, n);
		if (rc == OK)
			drop_batch(r, n);
	}
	pthread_mutex_unlock(&r->flushing);
	resource_give(r, db);
	return rc;
}

/* ---- purge ---- */

static int purge_defence(struct at_resource *r, struct db *db,
			 struct arena *arena)
{
	struct value v[2] = { number(arena,
				     (uint64_t)r->opt.undo_keep_days * 86400),
			      number(arena, 1000) };
	struct db_stmt stmt = { .sql = bytes_of(r->sql.text[UNDO_LOG_PURGE]),
				.params = v,
				.n_params = 2 };
	struct db_result result;
	int rc;

	do {
		rc = db_exec(db, &stmt, arena, &result);
	} while (rc == OK && result.affected >= 1000);
	return rc;
}

struct left_over {
	size_t skip; /* rows in front that stay */
	bool more;
	size_t unknown; /* of a coordinator whose store was replaced */
	char xid[XID_LEN_MAX + 1]; /* one of them */
};

/* E_NOTFOUND: the coordinator knows nothing of it any more. E_UNKNOWN: and
 * cannot know, as its store was replaced. Either row stays. */
static int ask_committed(const struct at_resource *r, const char *xid,
			 struct left_over *l, bool *committed)
{
	int status = 0;
	int rc = r->link.status(r->link.ctx, xid, &status);

	*committed = rc == OK &&
		     (status == GTX_COMMITTED || status == GTX_COMMITTING ||
		      status == GTX_ASYNC_COMMITTING ||
		      status == GTX_COMMIT_RETRYING);
	if (rc == E_UNKNOWN && l->unknown++ == 0)
		memcpy(l->xid, xid, strlen(xid) + 1);
	return rc == E_NOTFOUND || rc == E_UNKNOWN ? OK : rc;
}

/* The branch of a listed row; false: not one that we have written. */
static bool read_branch(const struct db_result *result, size_t row,
			struct committed *out)
{
	struct bytes xid = db_value(result, row, 0).data;
	struct bytes branch = db_value(result, row, 1).data;

	*out = (struct committed){ .branch = 0 };
	if (xid.len > XID_LEN_MAX)
		return false;
	memcpy(out->xid, xid.data, xid.len);
	for (size_t k = 0; k < branch.len; k++) {
		if (branch.data[k] < '0' || branch.data[k] > '9')
			return false;
		out->branch = out->branch * 10 + branch.data[k] - '0';
	}
	return true;
}

/* Rows in front that must stay are skipped, so that many unfinished
 * transactions do not hide a finished one behind them. A coordinator that
 * does not answer is asked once, not for every row. */
static int purge_some(struct at_resource *r, struct db *db, struct arena *arena,
		      struct left_over *l)
{
	struct value v[2] = { number(arena, LEFT_OVER_S),
			      number(arena, l->skip + LEFT_OVER_MAX) };
	struct db_stmt stmt = { .sql = bytes_of(r->sql.text[UNDO_LOG_LIST_OLD]),
				.params = v,
				.n_params = 2 };
	struct db_result result;
	int rc = db_exec(db, &stmt, arena, &result);

	if (rc != OK)
		return rc;
	l->more = result.n_rows == l->skip + LEFT_OVER_MAX;
	for (size_t i = l->skip; rc == OK && i < result.n_rows; i++) {
		struct committed c;
		bool gone = false;

		if (read_branch(&result, i, &c))
			rc = ask_committed(r, c.xid, l, &gone);
		if (rc == OK && gone)
			rc = delete_rows(r, db, &c, 1);
		l->skip += rc == OK && !gone;
	}
	return rc;
}

static int purge_left_over(struct at_resource *r, struct db *db,
			   struct arena *arena)
{
	struct left_over l = { .more = true };
	int rc = OK;

	while (rc == OK && l.more && !stopping(r)) {
		arena_reset(arena);
		rc = purge_some(r, db, arena, &l);
	}
	if (l.unknown > 0)
		LOG_ERROR("undo rows of a coordinator whose store was replaced "
			  "stay until a person decides",
			  LOG_S("resource", r->id), LOG_U("rows", l.unknown),
			  LOG_S("xid", l.xid));
	return rc;
}

int keeper_purge(struct at_resource *r)
{
	struct db_error error;
	struct arena arena;
	int rc = OK;
	struct db *db = resource_take(r, &error, &rc);

	if (!db)
		return rc;
	arena_init(&arena, &mem_heap, 0);
	rc = purge_defence(r, db, &arena);
	if (rc == OK)
		rc = purge_left_over(r, db, &arena);
	arena_fini(&arena);
	resource_give(r, db);
	return rc;
}

/* ---- the thread ---- */

static void nap(struct at_resource *r, uint64_t ms)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	t.tv_sec += (time_t)(ms / 1000);
	t.tv_nsec += (long)(ms % 1000) * 1000000;
	if (t.tv_nsec >= 1000000000) {
		t.tv_sec++;
		t.tv_nsec -= 1000000000;
	}
	pthread_mutex_lock(&r->lock);
	if (!r->stopping)
		pthread_cond_timedwait(&r->changed, &r->lock, &t);
	pthread_mutex_unlock(&r->lock);
}

static void *keep(void *arg)
{
	struct at_resource *r = arg;
	uint64_t pause_ms = FLUSH_MS, since_purge_ms = PURGE_MS;

	while (!stopping(r)) {
		int rc = at_resource_flush(r);

		if (rc == OK && since_purge_ms >= PURGE_MS) {
			rc = keeper_purge(r);
			since_purge_ms =
				rc == OK ? 0 : PURGE_MS - PURGE_AGAIN_MS;
		}
		if (rc == OK)
			pause_ms = FLUSH_MS;
		else if (pause_ms < 5000)
			pause_ms *= 2;
		if (rc != OK)
			LOG_WARN("deleting undo rows failed, is tried again",
				 LOG_S("resource", r->id),
				 LOG_S("error", err_name(rc)));
		nap(r, pause_ms);
		since_purge_ms += pause_ms;
	}
	return NULL;
}

int keeper_start(struct at_resource *r)
{
	sigset_t every, old;
	int rc;

	if (r->opt.no_thread)
		return OK;
	/* The program's signals are not for our threads. */
	(void)sigfillset(&every);
	(void)pthread_sigmask(SIG_SETMASK, &every, &old);
	rc = pthread_create(&r->thread, NULL, keep, r);
	(void)pthread_sigmask(SIG_SETMASK, &old, NULL);
	r->has_thread = rc == 0;
	return rc == 0 ? OK : E_IO;
}

void keeper_stop(struct at_resource *r)
{
	pthread_mutex_lock(&r->lock);
	r->stopping = true;
	pthread_cond_broadcast(&r->changed);
	pthread_mutex_unlock(&r->lock);
	if (r->has_thread)
		pthread_join(r->thread, NULL);
	r->has_thread = false;
	if (at_resource_flush(r) != OK)
		LOG_WARN("undo rows of committed branches are left for the "
			 "next start",
			 LOG_S("resource", r->id));
}
