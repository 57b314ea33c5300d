#include "rm-agent/at/engine.h"

/*
 * Reads that lock (SELECT … FOR UPDATE), and outside a global transaction
 * writes that respect its locks: lock the rows, ask the coordinator whether
 * they are free, then run the statement. The keys of an INSERT are known when
 * it has run: ask then, and roll it back if one is held.
 */

static bool skips(const struct sql_statement *st)
{
	for (size_t i = 0; i < st->n_locks; i++)
		if (st->locks[i].wait == SQL_SKIP_LOCKED)
			return true;
	return false;
}

static int ask(struct work *w, const struct lock_keys *k,
	       struct agent_conflict *c)
{
	struct treaty_at *at = w->at;
	int rc, keep;

	if (k->n == 0)
		return OK;
	rc = at->link.lock_check(at->link.ctx, w->tx,
				 bytes_of(at_resource_id(at->resource)),
				 k->keys, k->n, 0, c);
	if (rc == OK)
		return OK;
	keep = local_keep_keys(at, k);
	return keep == OK ? at_fail_conflict(at, rc, c) : keep;
}

/* One look at the rows: locks them in the database. */
static int look(struct work *w, struct agent_conflict *c)
{
	struct lock_keys k = { 0 };
	int rc;

	c->holder[0] = '\0';
	rc = lock_keys_init(&k, w->arena,
			    bytes_of(at_resource_id(w->at->resource)));
	if (rc != OK)
		return at_fail(w->at, rc, "out of memory for lock keys");
	rc = read_locked(w, &k);
	if (rc == OK)
		rc = ask(w, &k, c);
	lock_keys_fini(&k);
	return rc;
}

/* The rows that an INSERT has made, and those that were in its way. */
static int look_back(struct work *w, struct agent_conflict *c)
{
	struct lock_keys k = { 0 };
	int rc = lock_keys_init(&k, w->arena,
				bytes_of(at_resource_id(w->at->resource)));

	c->holder[0] = '\0';
	if (rc == OK)
		rc = lock_keys_add(&k, &w->before);
	if (rc == OK)
		rc = lock_keys_add(&k, &w->after);
	if (rc != OK)
		rc = at_fail(w->at, rc, "no lock keys of the rows: %s",
			     err_name(rc));
	else
		rc = ask(w, &k, c);
	lock_keys_fini(&k);
	return rc;
}

static bool inserts(const struct work *w)
{
	return w->st->kind == SQL_INSERT || w->st->kind == SQL_REPLACE;
}

/* The undo record is only there because write_insert() fills one. */
static int insert_and_look(struct work *w, struct agent_conflict *c)
{
	int rc = record_init(&w->at->local.record, w->arena, BYTES("none"), 1);

	if (rc != OK)
		return at_fail(w->at, rc, "out of memory for an image");
	rc = write_insert(w);
	return rc == OK ? look_back(w, c) : rc;
}

static int run_it(struct work *w)
{
	bool pin = w->st->kind == SQL_SELECT_LOCK &&
		   (w->st->tail.len || skips(w->st)) && !w->run->fixed_text;
	struct buf text;
	int rc;

	if (!pin)
		return work_run(w, BYTES(""), false);
	buf_init(&text, &w->arena->as_mem);
	rc = work_pinned_text(w, &text);
	return rc == OK ? work_run(w, buf_bytes(&text), false) : rc;
}

/* How long this local transaction may wait for others: MySQL keeps row locks
 * when it rolls back to a savepoint. */
static uint64_t patience_ms(const struct treaty_at *at)
{
	uint64_t ms = at->opt.lock_wait_ms;

	if (at->local.open && at->dialect == DIALECT_MYSQL &&
	    ms > EXPLICIT_WAIT_MS)
		ms = EXPLICIT_WAIT_MS;
	return ms;
}

static int wait_outside(struct work *w, uint64_t until_ms)
{
	struct treaty_at *at = w->at;
	struct agent_conflict c = { 0 };
	uint64_t now = at_now_ms();
	int rc;

	if (now >= until_ms)
		return E_TIMEOUT;
	rc = at->link.lock_check(
		at->link.ctx, w->tx, bytes_of(at_resource_id(at->resource)),
		at->local.keys, at->local.n_keys, until_ms - now, &c);
	if (rc == OK)
		return OK;
	if (rc == E_CONFLICT) {
		at_sleep_ms(until_ms - now < 10 ? until_ms - now : 10);
		return OK;
	}
	return at_fail_conflict(at, rc, &c);
}

static int step_in(struct treaty_at *at)
{
	int rc = at->local.open ? db_savepoint(at->db, "treaty_read")
				: db_begin(at->db);

	if (!at->local.open)
		local_reset(at);
	return rc == OK ? OK : at_fail_db(at, rc, "locking rows");
}

/* Give the rows back. */
static int step_back(struct treaty_at *at)
{
	int rc;

	if (!at->local.open) {
		local_abandon(at);
		return OK;
	}
	rc = db_rollback_to(at->db, "treaty_read");
	if (rc == OK)
		rc = db_release(at->db, "treaty_read");
	return rc == OK ? OK : at_fail_db(at, rc, "giving locked rows back");
}

static int step_out(struct work *w)
{
	struct treaty_at *at = w->at;
	int rc;

	if (at->local.open && w->st->kind != SQL_SELECT_LOCK)
		at->local.wrote = true;
	if (w->run->unfinished) {
		/* Goes on in at_finish_own(). */
		at->local.unfinished = !at->local.open;
		return OK;
	}
	if (at->local.open) {
		rc = db_release(at->db, "treaty_read");
	} else {
		rc = db_commit(at->db);
		local_reset(at);
	}
	if (rc == E_UNKNOWN)
		return at_fail(at, rc,
			       "the connection was lost while "
			       "committing: it happened or not");
	return rc == OK ? OK : at_fail_db(at, rc, "committing");
}

static int look_and_run(struct work *w, struct agent_conflict *c)
{
	int rc = work_target(w);

	/* What AT never protects, no global transaction can hold a row of. */
	if (rc == E_UNSUPPORTED && inserts(w)) {
		at_error_clear(w->at);
		return run_it(w);
	}
	if (rc == OK && inserts(w))
		return insert_and_look(w, c);
	if (rc == OK)
		rc = look(w, c);
	return rc == OK ? run_it(w) : rc;
}

/* Ready for another try. */
static void drop_result(struct work *w)
{
	if (w->ran)
		w->run->drop(w->run);
	w->ran = false;
	w->run->unfinished = false;
}

int at_protect_read(struct work *w)
{
	struct treaty_at *at = w->at;
	uint64_t until_ms = at_now_ms() + patience_ms(at);

	if (w->st->kind == SQL_SELECT_LOCK && !w->st->one_table)
		return at_fail(at, E_UNSUPPORTED,
			       "refused: it locks rows of several tables, or "
			       "groups them; lock the rows table by table");
	for (;;) {
		struct agent_conflict c = { 0 };
		int rc = step_in(at), back;

		if (rc != OK)
			return rc;
		w->arena = &at->local.arena;
		rc = look_and_run(w, &c);
		if (rc == OK)
			return step_out(w);
		if (w->run->native && at->local.open)
			return rc; /* the application sees and decides */
		back = step_back(at);
		if (w->run->native)
			return rc;
		drop_result(w);
		if (back != OK)
			return back;
		if (rc == E_AGAIN && at_now_ms() < until_ms)
			continue;
		if (rc == E_AGAIN)
			at->error.shown.code = rc = E_CONFLICT;
		if (!c.holder[0])
			return rc;
		back = wait_outside(w, until_ms);
		if (back != OK)
			return back == E_TIMEOUT
				       ? at_fail_conflict(at, back, &c)
				       : back;
	}
}
