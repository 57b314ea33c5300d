#include "rm-agent/at/engine.h"

void local_reset(struct treaty_at *at)
{
	struct local *l = &at->local;

	l->open = l->images = l->wrote = false;
	l->synced = l->unfinished = l->by_savepoint = false;
	l->serial = 0;
	l->n_saves = 0;
	arena_reset(&l->arena);
}

void local_abandon(struct treaty_at *at)
{
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
	l->id = ++at->tx_count;
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

static int insert_part(struct treaty_at *at, const struct record_part *part,
		       size_t number)
{
	struct record *r = &at->local.record;
	struct arena *arena = &at->local.arena;
	struct buf ids;
	struct value v[6];
	struct db_result result;
	struct db_stmt stmt = { .params = v, .n_params = 6, .keep = true };
	struct bytes text;
	size_t split;
	int rc;

	buf_init(&ids, &arena->as_mem);
	buf_printf(&ids, "%llu", (unsigned long long)r->branch);
	split = ids.len;
	buf_printf(&ids, "%zu", number);
	if (buf_error(&ids) != OK)
		return at_fail(at, E_NOMEM, "out of memory for the undo row");
	text = buf_bytes(&ids);
	v[0] = (struct value){ VALUE_TEXT, r->xid };
	v[1] = (struct value){ VALUE_INT, { text.data, split } };
	v[2] = (struct value){ VALUE_INT,
			       { text.data + split, text.len - split } };
	v[3] = (struct value){ VALUE_TEXT, part->context };
	v[4] = (struct value){ VALUE_BYTES, part->info };
	v[5] = (struct value){ VALUE_INT, BYTES("0") };
	stmt.sql =
		bytes_of(at_resource_sql(at->resource)->text[UNDO_LOG_INSERT]);
	rc = db_exec(at->db, &stmt, arena, &result);
	if (rc == OK)
		return OK;
	if (db_error(at->db)->class == DB_CONSTRAINT)
		return at_fail(at, E_STATE,
			       "the global transaction %.*s was rolled back "
			       "before this branch committed",
			       (int)r->xid.len, (const char *)r->xid.data);
	return at_fail_db(at, rc, "writing the undo row");
}

static int write_undo(struct treaty_at *at)
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
	for (size_t i = 0; rc == OK && i < parts.n; i++)
		rc = insert_part(at, &parts.parts[i], i + 1);
	return rc;
}

/* The application's own COMMIT in its own shape, or ours. */
static int commit(struct treaty_at *at, struct at_run *run)
{
	struct at_done done = { 0 };
	int rc;

	if (!run) {
		rc = db_commit(at->db);
		/* SQLite: a reader is in the way; it is soon gone. */
		for (int i = 0; rc == E_AGAIN && i < 100; i++) {
			at_sleep_ms(5);
			rc = db_commit(at->db);
		}
	} else {
		rc = run->run(run, BYTES(""), false, &at->local.arena, &done);
		if (rc == E_CLOSED)
			rc = E_UNKNOWN;
	}
	if (rc == E_UNKNOWN)
		return at_fail(at, E_UNKNOWN,
			       "the connection was lost while committing the "
			       "local transaction: it happened or not; roll "
			       "back the global transaction %.*s, which finds "
			       "out",
			       (int)at->local.record.xid.len,
			       (const char *)at->local.record.xid.data);
	if (rc != OK && !(run && run->native))
		return at_fail_db(at, rc, "committing the local transaction");
	return rc;
}

int local_finish(struct treaty_at *at, uint64_t wait_ms, struct at_run *run,
		 struct agent_conflict *c)
{
	struct local *l = &at->local;
	struct treaty_tx *tx = at->link.current(at->link.ctx);
	bool branch_wanted = l->images && l->record.n_items > 0;
	uint64_t branch = 0;
	int rc = OK;

	c->holder[0] = '\0';
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
			rc = write_undo(at);
	}
	if (rc == OK) {
		rc = commit(at, run);
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
