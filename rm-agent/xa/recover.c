#include "rm-agent/xa/resource.h"

#include <signal.h>

/*
 * In-doubt recovery: prepared branches that nobody finishes. They come from
 * agents that died between preparing and telling, and from sessions that went
 * on to prepare after everybody had given them up, any time later. So: look
 * again and again, touch only what is ours and our coordinator's, and only
 * what has been there for a while; do what the coordinator says.
 */

#define PURGE_MS (10 * 60 * 1000)

enum xa_duty xa_duty_of(int rc, int status)
{
	if (rc == E_NOTFOUND) /* by its own coordinator's word */
		return XA_ROLL_BACK;
	if (rc != OK)
		return XA_LEAVE;
	switch (status) {
	case GTX_COMMITTED:
	case GTX_COMMITTING:
	case GTX_COMMIT_RETRYING:
	case GTX_ASYNC_COMMITTING:
		return XA_COMMIT;
	case GTX_ROLLBACKED:
	case GTX_ROLLBACKING:
	case GTX_ROLLBACK_RETRYING:
	case GTX_TIMEOUT_ROLLBACKED:
	case GTX_TIMEOUT_ROLLBACKING:
	case GTX_TIMEOUT_ROLLBACK_RETRYING:
		return XA_ROLL_BACK;
	default: /* undecided, or an operator's */
		return XA_LEAVE;
	}
}

/* ---- what was seen before ---- */

static struct xa_seen *seen_find(struct xa_resource *r,
				 const struct xa_gid *gid)
{
	for (size_t i = 0; i < r->n_seen; i++)
		if (xa_gid_equal(&r->seen[i].gid, gid))
			return &r->seen[i];
	return NULL;
}

/* Since when; a new one beyond the limit has its turn when others are done. */
static uint64_t seen_since(struct xa_resource *r, const struct xa_gid *gid,
			   uint64_t now_ms)
{
	struct xa_seen *s = seen_find(r, gid);

	if (!s && r->n_seen < XA_SEEN_MAX) {
		s = &r->seen[r->n_seen++];
		*s = (struct xa_seen){ .gid = *gid, .since_ms = now_ms };
	}
	if (!s)
		return now_ms;
	s->still = true;
	return s->since_ms;
}

static void seen_forget(struct xa_resource *r)
{
	size_t kept = 0;

	for (size_t i = 0; i < r->n_seen; i++) {
		if (!r->seen[i].still)
			continue;
		r->seen[kept] = r->seen[i];
		r->seen[kept++].still = false;
	}
	r->n_seen = kept;
}

/* ---- one scan ---- */

/* Its coordinator's store was replaced: a person must decide. Said once. */
static void leave_to_people(struct xa_resource *r, const struct xa_gid *gid)
{
	struct xa_seen *s = seen_find(r, gid);

	if (!s || s->told)
		return;
	s->told = true;
	pthread_mutex_lock(&r->lock);
	r->stats.alarms++;
	pthread_mutex_unlock(&r->lock);
	LOG_ERROR("a prepared XA branch stays prepared until a person decides",
		  LOG_S("xid", gid->gtrid), LOG_U("branch", gid->branch),
		  LOG_S("resource", r->id), LOG_S("why", treaty_last_error()));
}

static void settle(struct xa_resource *r, const struct xa_gid *gid)
{
	const struct xa_mark none = { .xact = "" };
	enum branch_status status;
	int verdict = GTX_UNKNOWN;
	enum xa_duty duty;
	struct buf why;
	int rc = agent_verdict(r->t, gid->gtrid, &verdict);

	if (rc == E_UNKNOWN)
		leave_to_people(r, gid);
	duty = xa_duty_of(rc, verdict);
	if (duty == XA_LEAVE)
		return;
	buf_init(&why, &mem_heap);
	status = xa_finish(r, gid, &none, duty == XA_COMMIT, 0, &why);
	if (status == BRANCH_COMMITTED || status == BRANCH_ROLLBACKED) {
		pthread_mutex_lock(&r->lock);
		r->stats.recovered++;
		pthread_mutex_unlock(&r->lock);
	}
	LOG_WARN("recovery met a prepared XA branch", LOG_S("xid", gid->gtrid),
		 LOG_U("branch", gid->branch), LOG_S("resource", r->id),
		 LOG_S("transaction", rc == E_NOTFOUND
					      ? "unknown, so rolled back"
					      : gtx_status_name(verdict)),
		 LOG_S("branch_status", branch_status_name((int)status)),
		 LOG_S("why", buf_text(&why)));
	buf_fini(&why);
}

static bool stopping(struct xa_resource *r)
{
	bool yes;

	pthread_mutex_lock(&r->lock);
	yes = r->stopping;
	pthread_mutex_unlock(&r->lock);
	return yes;
}

static void settle_all(struct xa_resource *r, const struct xa_gid *all,
		       size_t n, struct bytes coordinator)
{
	uint64_t now = xa_now_ms(), oldest_ms = 0, listed = 0;

	for (size_t i = 0; i < n && !stopping(r); i++) {
		uint64_t age_ms;

		if (!xa_gid_is_of(&all[i], coordinator))
			continue;
		age_ms = now - seen_since(r, &all[i], now);
		listed++;
		oldest_ms = age_ms > oldest_ms ? age_ms : oldest_ms;
		if (age_ms >= r->opt.recover_after_ms)
			settle(r, &all[i]);
	}
	seen_forget(r);
	pthread_mutex_lock(&r->lock);
	r->stats.listed = listed;
	r->stats.oldest_ms = oldest_ms;
	pthread_mutex_unlock(&r->lock);
}

static int list_now(struct xa_resource *r, struct arena *arena,
		    struct xa_gid **all, size_t *n)
{
	struct db_error error;
	int rc;
	struct db *db = xa_take(r, &error, &rc);

	if (!db)
		return agent_fail(rc, "recovery cannot connect: %s",
				  error.message);
	rc = r->server->list(db, arena, all, n);
	if (rc != OK)
		rc = xa_fail_db(db, rc, "listing prepared branches");
	xa_give(r, db);
	return rc;
}

int xa_recover_scan(struct xa_resource *r)
{
	char coordinator[XID_LEN_MAX] = "";
	struct xa_gid *all = NULL;
	struct arena arena;
	size_t n = 0;
	int rc;

	/* Without it nothing can be asked, nor told ours from others'. */
	if (!agent_coordinator(r->t, coordinator))
		return agent_fail(E_AGAIN, "no coordinator has answered yet");
	arena_init(&arena, &mem_heap, 0);
	pthread_mutex_lock(&r->scanning);
	rc = list_now(r, &arena, &all, &n);
	if (rc == OK)
		settle_all(r, all, n, bytes_of(coordinator));
	pthread_mutex_unlock(&r->scanning);
	arena_fini(&arena);
	return rc;
}

/* ---- the thread ---- */

static int purge(struct xa_resource *r)
{
	const struct xa_mark mark = { .table = r->table };
	struct db_error error;
	size_t n = 0;
	int rc;
	struct db *db = xa_take(r, &error, &rc);

	if (!db)
		return rc;
	do {
		rc = r->server->purge(db, &mark, r->opt.keep_days, &n);
	} while (rc == OK && n >= 1000 && !stopping(r));
	xa_give(r, db);
	return rc;
}

static void nap(struct xa_resource *r, uint64_t ms)
{
	const uint64_t until_ms = xa_now_ms() + ms;

	pthread_mutex_lock(&r->lock);
	while (!r->stopping && xa_wait_until(r, until_ms))
		;
	pthread_mutex_unlock(&r->lock);
}

static void *recover(void *arg)
{
	struct xa_resource *r = arg;
	uint64_t next_purge_ms = 0;

	while (!stopping(r)) {
		int rc = xa_recover_scan(r);

		if (rc == OK && xa_now_ms() >= next_purge_ms) {
			rc = purge(r);
			next_purge_ms = xa_now_ms() + PURGE_MS;
		}
		if (rc != OK && rc != E_AGAIN && !stopping(r))
			LOG_WARN("recovery could not look, is tried again",
				 LOG_S("resource", r->id),
				 LOG_S("error", treaty_last_error()));
		nap(r, r->opt.recover_every_ms);
	}
	return NULL;
}

int xa_recover_start(struct xa_resource *r)
{
	sigset_t every, old;
	int rc;

	if (r->opt.no_thread)
		return OK;
	(void)sigfillset(&every);
	(void)pthread_sigmask(SIG_SETMASK, &every, &old);
	rc = pthread_create(&r->thread, NULL, recover, r);
	(void)pthread_sigmask(SIG_SETMASK, &old, NULL);
	r->has_thread = rc == 0;
	return rc == 0 ? OK : E_IO;
}

void xa_recover_stop(struct xa_resource *r)
{
	pthread_mutex_lock(&r->lock);
	r->stopping = true;
	pthread_cond_broadcast(&r->changed);
	pthread_mutex_unlock(&r->lock);
	if (r->has_thread)
		pthread_join(r->thread, NULL);
	r->has_thread = false;
}
