#include "rm-agent/at/engine.h"

#include <time.h>

uint64_t at_now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

void at_sleep_ms(uint64_t ms)
{
	struct timespec t = { .tv_sec = (time_t)(ms / 1000),
			      .tv_nsec = (long)(ms % 1000) * 1000000 };

	nanosleep(&t, NULL);
}

/* ---- one statement, one try ---- */

static int write_any(struct work *w)
{
	switch (w->st->kind) {
	case SQL_UPDATE:
		return write_update(w);
	case SQL_DELETE:
		return write_delete(w);
	case SQL_INSERT:
	case SQL_REPLACE:
		return write_insert(w);
	default:
		return at_fail(w->at, E_UNSUPPORTED,
			       "refused: %s cannot be undone",
			       sql_kind_name(w->st->kind));
	}
}

/* SQLite begins a transaction without its write lock if the application said
 * plain BEGIN; take it before reading, else the image may be of a state that
 * can no longer be written to. */
static int lock_file(struct treaty_at *at)
{
	int rc;

	if (at->dialect != DIALECT_SQLITE || at->local.synced)
		return OK;
	rc = db_command(at->db, at_resource_sql(at->resource)->touch);
	if (rc != OK)
		return at_fail_db(at, rc, "taking SQLite's write lock");
	at->local.synced = true;
	return OK;
}

static int try_write(struct work *w)
{
	int rc = local_enter(w->at, w->tx);

	w->arena = &w->at->local.arena;
	if (rc == OK && w->at->local.open)
		rc = lock_file(w->at);
	if (rc == OK)
		rc = work_target(w);
	if (rc == OK)
		rc = write_any(w);
	return rc;
}

/* ---- in an explicit local transaction ---- */

/* E_AGAIN is a word between the pieces of the engine. */
static int given_up(struct treaty_at *at, int rc)
{
	if (rc != E_AGAIN)
		return rc;
	at->error.shown.code = E_CONFLICT;
	return E_CONFLICT;
}

static int write_in_tx(struct work *w)
{
	int rc;

	do {
		rc = try_write(w);
	} while (rc == E_AGAIN && !w->ran);
	if (rc == OK || !w->ran)
		return rc;
	if (w->run->native) /* failed by itself and has changed nothing */
		return rc;
	w->run->drop(w->run);
	local_abandon(w->at);
	return given_up(w->at, rc);
}

/* ---- in autocommit: try, and try again ---- */

struct tries {
	uint64_t began_ms;
	uint64_t waited_ms; /* for other global transactions */
	uint32_t n;
	uint64_t back_off_ms;
};

static bool may_retry(const struct treaty_at *at, const struct tries *t)
{
	return t->n < at->opt.retries &&
	       at_now_ms() - t->began_ms < at->opt.retry_for_ms;
}

/* Wait until the keys look free. OK: try again. */
static int wait_for_keys(struct treaty_at *at, struct treaty_tx *tx,
			 struct tries *t)
{
	struct agent_conflict c = { 0 };
	uint64_t start = at_now_ms(), left;
	int rc;

	if (t->waited_ms >= at->opt.lock_wait_ms)
		return E_TIMEOUT;
	left = at->opt.lock_wait_ms - t->waited_ms;
	rc = at->link.lock_check(at->link.ctx, tx,
				 bytes_of(at_resource_id(at->resource)),
				 at->local.keys, at->local.n_keys, left, &c);
	if (rc == E_CONFLICT) /* the holder is rolling back: soon free */
		at_sleep_ms(t->back_off_ms < left ? t->back_off_ms : left);
	t->waited_ms += at_now_ms() - start;
	if (rc == OK || rc == E_CONFLICT)
		return OK;
	return at_fail_conflict(at, rc, &c);
}

/* The database's own conflict, not one of global locks or of the network. */
static bool database_says_again(const struct work *w)
{
	enum db_class class = w->run->native ? w->class : w->at->error.class;

	if (class == DB_DEADLOCK || class == DB_SERIALIZATION)
		return true;
	/* SQLITE_BUSY: somebody else writes; theirs is short. */
	return class == DB_LOCK_TIMEOUT && w->at->dialect == DIALECT_SQLITE;
}

/* OK: try again; else the end. */
static int after_failure(struct work *w, int rc, struct tries *t, bool locks)
{
	struct treaty_at *at = w->at;

	/* Waiting for others is bounded by its time alone. */
	t->n += !locks;
	if (rc != E_AGAIN && !locks && !database_says_again(w))
		return rc;
	if (!may_retry(at, t))
		return given_up(at, rc);
	at->stats.retries++;
	if (w->run->native || w->ran)
		w->run->drop(w->run);
	w->run->native = false;
	if (locks) {
		rc = wait_for_keys(at, w->tx, t);
		if (rc != OK)
			return rc;
	} else if (rc != E_AGAIN) {
		at_sleep_ms(t->back_off_ms);
	}
	if (t->back_off_ms < 200)
		t->back_off_ms *= 2;
	return OK;
}

static int begin_own(struct treaty_at *at)
{
	int rc;

	if (at->dialect == DIALECT_POSTGRES) {
		at->local.begin_due = true;
		return OK;
	}
	rc = db_begin(at->db);
	if (rc == OK)
		at->local.synced = true;
	return rc == OK ? OK : at_fail_db(at, rc, "beginning");
}

/* SQLite: the write lock is ours, so nobody can come to hold a row before the
 * branch is registered. On a conflict not one row was handed out yet. */
static int leave_unfinished(struct work *w, struct agent_conflict *c)
{
	int rc = local_check(w->at, w->tx, c);

	if (rc == OK) {
		w->at->local.unfinished = true; /* see at_finish_own() */
		return OK;
	}
	w->run->drop(w->run);
	w->run->unfinished = false;
	local_abandon(w->at);
	return rc;
}

static int write_alone(struct work *w)
{
	struct treaty_at *at = w->at;
	struct tries tries = { .began_ms = at_now_ms(), .back_off_ms = 4 };

	for (;;) {
		struct agent_conflict c = { 0 };
		bool locks = false;
		int rc;

		w->ran = false;
		at->local.n_keys = 0;
		local_reset(at);
		rc = begin_own(at);
		if (rc == OK) {
			rc = try_write(w);
			if (rc != OK)
				local_abandon(at);
			else if (w->run->unfinished)
				rc = leave_unfinished(w, &c);
			else
				rc = local_finish(at, 0, NULL, &c);
			locks = rc != OK && c.holder[0];
		}
		if (rc == OK || rc == E_UNKNOWN)
			return rc;
		rc = after_failure(w, rc, &tries, locks);
		if (rc != OK) {
			if (w->ran && !w->run->native)
				w->run->drop(w->run);
			return rc;
		}
	}
}

int at_finish_own(struct treaty_at *at)
{
	struct agent_conflict c = { 0 };

	return local_finish(at, EXPLICIT_WAIT_MS, NULL, &c);
}

int at_protect_write(struct work *w)
{
	int rc = w->at->local.open ? write_in_tx(w) : write_alone(w);

	if (rc == OK)
		w->at->stats.statements++;
	return rc;
}
