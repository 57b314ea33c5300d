#include "rm-agent/at/engine.h"

#include <sqlite3.h>

void local_reset(struct treaty_at *at)
{
	struct local *l = &at->local;

	l->open = l->images = l->wrote = false;
	l->begin_due = false;
	l->synced = l->unfinished = l->by_savepoint = false;
	l->serial = 0;
	l->n_saves = 0;
	l->id = ++at->tx_count;
	arena_reset(&l->arena);
}

void local_abandon(struct treaty_at *at)
{
	if (at->local.begin_due) { /* nothing has begun */
		local_reset(at);
		return;
	}
	/* A rollback that fails means a lost connection; then the database
	 * rolls back by itself. */
	if (db_rollback(at->db) != OK)
		LOG_WARN("rolling back a local transaction failed",
			 LOG_S("resource", at_resource_id(at->resource)),
			 LOG_S("error", db_error(at->db)->message));
	local_reset(at);
}

int local_enter(struct treaty_at *at, struct treaty_tx *tx)
{
	struct local *l = &at->local;
	uint64_t serial = at->link.serial(at->link.ctx, tx);
	const char *xid = at->link.xid(at->link.ctx, tx);
	int rc;

	if (l->images && l->serial == serial)
		return OK;
	if (l->serial && l->serial != serial)
		return at_fail(at, E_STATE,
			       "the open local transaction belongs to another "
			       "global transaction than %s; end it first",
			       xid);
	if (l->open && l->wrote)
		return at_fail(at, E_STATE,
			       "the open local transaction has written rows "
			       "before %s was bound to this thread, these "
			       "could not be undone; begin the local "
			       "transaction inside of the global one",
			       xid);
	rc = record_init(&l->record, &l->arena, bytes_of(xid), 1);
	if (rc != OK)
		return at_fail(at, rc, "no undo record for %s: %s", xid,
			       err_name(rc));
	l->images = true;
	l->serial = serial;
	return OK;
}

int local_keep_keys(struct treaty_at *at, const struct lock_keys *k)
{
	struct local *l = &at->local;

	l->n_keys = 0;
	arena_reset(&l->key_arena);
	l->keys = arena_array(&l->key_arena, k->n + 1, sizeof *l->keys);
	if (!l->keys)
		return at_fail(at, E_NOMEM, "out of memory for lock keys");
	for (size_t i = 0; i < k->n; i++) {
		l->keys[i] = arena_bytes(&l->key_arena, k->keys[i]);
		if (!l->keys[i].data)
			return at_fail(at, E_NOMEM,
				       "out of memory for lock keys");
	}
	l->n_keys = k->n;
	return OK;
}

/* ---- the end: register, undo rows, commit ---- */

static int collect_keys(struct treaty_at *at, struct lock_keys *k)
{
	struct record *r = &at->local.record;
	int rc = lock_keys_init(k, &at->local.arena,
				bytes_of(at_resource_id(at->resource)));

	for (size_t i = 0; rc == OK && i < r->n_items; i++) {
		rc = lock_keys_add(k, &r->items[i].before);
		if (rc == OK)
			rc = lock_keys_add(k, &r->items[i].after);
	}
	if (rc == E_UNSUPPORTED)
		return at_fail(at, rc,
			       "a key column folds values and the database "
			       "gave no text to lock by");
	return rc == OK ? OK : at_fail(at, rc, "out of memory for lock keys");
}

static bool is_conflict(int rc, const struct agent_conflict *c)
{
	return (rc == E_CONFLICT || rc == E_TIMEOUT || rc == E_DEADLOCK) &&
	       c->holder[0];
}

static int enlist(struct treaty_at *at, struct treaty_tx *tx, uint64_t wait_ms,
		  uint64_t *branch, struct agent_conflict *c)
{
	struct lock_keys k = { 0 };
	struct agent_branch b = { .mode = MODE_AT, .wait_ms = wait_ms };
	int rc = collect_keys(at, &k);

	if (rc == OK) {
		b.resource = bytes_of(at_resource_id(at->resource));
		b.lock_keys = k.keys;
		b.n_lock_keys = k.n;
		rc = at->link.enlist(at->link.ctx, tx, &b, branch, c);
		if (is_conflict(rc, c)) {
			if (local_keep_keys(at, &k) != OK)
				rc = E_NOMEM;
			else
				(void)at_fail_conflict(at, rc, c);
		} else if (rc != OK) {
			/* Here nothing is unknown: it is rolled back. A branch
			 * that the coordinator may have finds nothing to undo. */
			rc = at_fail_agent(at,
					   rc == E_UNKNOWN ? E_TIMEOUT : rc);
		}
	}
	lock_keys_fini(&k);
	return rc;
}

int local_check(struct treaty_at *at, struct treaty_tx *tx,
		struct agent_conflict *c)
{
	struct lock_keys k = { 0 };
	int rc = collect_keys(at, &k);

	if (rc == OK && k.n > 0) {
		rc = at->link.lock_check(at->link.ctx, tx,
					 bytes_of(at_resource_id(at->resource)),
					 k.keys, k.n, 0, c);
		if (is_conflict(rc, c)) {
			if (local_keep_keys(at, &k) != OK)
				rc = E_NOMEM;
			else
				(void)at_fail_conflict(at, rc, c);
		} else if (rc != OK) {
			rc = at_fail_agent(at, rc);
		}
	}
	lock_keys_fini(&k);
	return rc;
}

static int put_number(struct arena *arena, uint64_t n, struct value *out)
{
	struct buf b;

	buf_init(&b, &arena->as_mem);
	buf_printf(&b, "%llu", (unsigned long long)n);
	*out = (struct value){ VALUE_INT, buf_bytes(&b) };
	return buf_error(&b);
}

/* The INSERT of one part of the undo record. */
static int part_stmt(struct treaty_at *at, const struct record_part *part,
		     size_t number, struct db_stmt *out)
{
	struct record *r = &at->local.record;
	struct arena *arena = &at->local.arena;
	struct value *v = arena_array(arena, 6, sizeof *v);
	const struct at_undo_sql *sql = at_resource_sql(at->resource);

	if (!v || put_number(arena, r->branch, &v[1]) != OK ||
	    put_number(arena, number, &v[2]) != OK)
		return at_fail(at, E_NOMEM, "out of memory for the undo row");
	v[0] = (struct value){ VALUE_TEXT, r->xid };
	v[3] = (struct value){ VALUE_TEXT, part->context };
	v[4] = (struct value){ VALUE_BYTES, part->info };
	v[5] = (struct value){ VALUE_INT, BYTES("0") };
	*out = (struct db_stmt){ .sql = bytes_of(sql->text[UNDO_LOG_INSERT]),
				 .params = v,
				 .n_params = 6,
				 .keep = true };
	return OK;
}

/* The statements that write the undo record. */
static int undo_stmts(struct treaty_at *at, struct db_stmt **out, size_t *n)
{
	struct record_limits limits = record_limits_default();
	struct record_parts parts;
	struct buf why;
	int rc;

	buf_init(&why, at->mem);
	rc = record_encode(&at->local.record, &limits, &at->local.arena, &parts,
			   &why);
	if (rc != OK)
		rc = at_fail(at, rc, "the undo record cannot be written: %s",
			     why.len ? buf_text(&why) : err_name(rc));
	buf_fini(&why);
	if (rc != OK)
		return rc;
	*n = parts.n;
	*out = arena_array(&at->local.arena, parts.n + 1, sizeof **out);
	if (!*out)
		return at_fail(at, E_NOMEM, "out of memory for the undo row");
	for (size_t i = 0; rc == OK && i < parts.n; i++)
		rc = part_stmt(at, &parts.parts[i], i + 1, &(*out)[i]);
	return rc;
}

static int undo_failed(struct treaty_at *at, int rc)
{
	struct bytes xid = at->local.record.xid;

	if (db_error(at->db)->class == DB_CONSTRAINT)
		return at_fail(at, E_STATE,
			       "the global transaction %.*s was rolled back "
			       "before this branch committed",
			       (int)xid.len, (const char *)xid.data);
	return at_fail_db(at, rc, "writing the undo row");
}

static int run_stmts(struct treaty_at *at, const struct db_stmt *stmts,
		     size_t n)
{
	struct db_result r;

	for (size_t i = 0; i < n; i++) {
		int rc = db_exec(at->db, &stmts[i], &at->local.arena, &r);

		if (rc != OK)
			return undo_failed(at, rc);
	}
	return OK;
}

static int unknown(struct treaty_at *at)
{
	struct bytes xid = at->local.record.xid;

	if (!at->local.images)
		return at_fail(at, E_UNKNOWN,
			       "the connection was lost while committing: it "
			       "happened or not");

	return at_fail(at, E_UNKNOWN,
		       "the connection was lost while committing the local "
		       "transaction: it happened or not; roll back the global "
		       "transaction %.*s, which finds out",
		       (int)xid.len, (const char *)xid.data);
}

/* Undo rows and our own COMMIT. */
static int commit_own(struct treaty_at *at, const struct db_stmt *stmts,
		      size_t n)
{
	size_t failed = n;
	int rc = db_commit_after(at->db, stmts, n, &at->local.arena, &failed);

	/* SQLite: a reader is in the way; it is soon gone. */
	for (int i = 0; rc == E_AGAIN && failed == n && i < 100; i++) {
		at_sleep_ms(5);
		rc = db_commit(at->db);
	}
	if (rc == E_UNKNOWN)
		return unknown(at);
	if (rc != OK && failed < n)
		return undo_failed(at, rc);
	return rc == OK
		       ? OK
		       : at_fail_db(at, rc, "committing the local transaction");
}

/* Undo rows and the application's COMMIT in its own shape. */
static int commit_theirs(struct treaty_at *at, const struct db_stmt *stmts,
			 size_t n, struct at_run *run)
{
	struct at_done done = { 0 };
	int rc = run_stmts(at, stmts, n);

	if (rc != OK)
		return rc;
	rc = run->run(run, BYTES(""), false, &at->local.arena, &done);
	if (rc == E_CLOSED)
		return unknown(at);
	if (rc != OK && !run->native)
		return at_fail_db(at, rc, "committing the local transaction");
	return rc;
}

int local_finish(struct treaty_at *at, uint64_t wait_ms, struct at_run *run,
		 struct agent_conflict *c)
{
	struct local *l = &at->local;
	struct treaty_tx *tx = at->link.current(at->link.ctx);
	bool branch_wanted = l->images && l->record.n_items > 0;
	struct db_stmt *undo = NULL;
	uint64_t branch = 0;
	size_t n_undo = 0;
	int rc = OK;

	c->holder[0] = '\0';
	if (l->begin_due) { /* nothing was done at all */
		local_reset(at);
		return OK;
	}
	if (branch_wanted) {
		if (!tx || at->link.serial(at->link.ctx, tx) != l->serial)
			rc = at_fail(at, E_STATE,
				     "the local transaction belongs to a "
				     "global transaction that is no longer "
				     "bound to this thread; it is rolled back");
		if (rc == OK)
			rc = enlist(at, tx, wait_ms, &branch, c);
		l->record.branch = branch;
		if (rc == OK)
			rc = undo_stmts(at, &undo, &n_undo);
	}
	if (rc == OK) {
		struct sqlite3 *lite = db_sqlite(at->db);
		int64_t id = lite ? sqlite3_last_insert_rowid(lite) : 0;

		rc = run ? commit_theirs(at, undo, n_undo, run)
			 : commit_own(at, undo, n_undo);
		if (lite) /* the application asks for its own row's */
			sqlite3_set_last_insert_rowid(lite, id);
		if (rc == E_UNKNOWN) {
			local_reset(at);
			return rc;
		}
	}
	if (rc != OK) {
		if (branch)
			at->link.failed(at->link.ctx, tx, branch);
		local_abandon(at);
		return rc;
	}
	at->stats.branches += branch_wanted;
	local_reset(at);
	return OK;
}

/* ---- savepoints ---- */

/* SQL names differ in case only by dialect; that is enough to compare here. */
static bool same_name(const struct savepoint *s, struct bytes name)
{
	return strlen(s->name) == name.len &&
	       strncasecmp(s->name, (const char *)name.data, name.len) == 0;
}

/* Place of the newest savepoint of that name, or n_saves. */
static size_t find_save(const struct local *l, struct bytes name)
{
	for (size_t i = l->n_saves; i > 0; i--)
		if (same_name(&l->saves[i - 1], name))
			return i - 1;
	return l->n_saves;
}

int at_savepoint(struct treaty_at *at, struct bytes name)
{
	struct local *l = &at->local;

	if (name.len == 0 || name.len >= sizeof l->saves->name)
		return at_fail(at, E_LIMIT,
			       "a savepoint's name must have 1 to 63 bytes");
	if (l->n_saves == l->cap_saves) {
		size_t cap = l->cap_saves ? 2 * l->cap_saves : 8;
		struct savepoint *s = mem_array(at->mem, cap, sizeof *s);

		if (!s)
			return at_fail(at, E_NOMEM, "out of memory");
		if (l->n_saves)
			memcpy(s, l->saves, l->n_saves * sizeof *s);
		mem_free(at->mem, l->saves);
		l->saves = s;
		l->cap_saves = cap;
	}
	memset(&l->saves[l->n_saves], 0, sizeof *l->saves);
	memcpy(l->saves[l->n_saves].name, name.data, name.len);
	l->saves[l->n_saves++].n_items = l->images ? l->record.n_items : 0;
	return OK;
}

void at_rolled_back_to(struct treaty_at *at, struct bytes name)
{
	struct local *l = &at->local;
	size_t i = find_save(l, name);

	if (i == l->n_saves)
		return;
	if (l->images)
		record_truncate(&l->record, l->saves[i].n_items);
	l->n_saves = i + 1;
}

void at_released(struct treaty_at *at, struct bytes name)
{
	struct local *l = &at->local;
	size_t i = find_save(l, name);

	if (i < l->n_saves)
		l->n_saves = i;
}
