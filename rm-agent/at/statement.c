#include "rm-agent/at/engine.h"

#include <mysql.h>

/*
 * What to do with a statement: by the parser's verdict, by the global
 * transaction of the thread, by the state of the local one.
 */

/* ---- outside: calls that only pass ---- */

bool at_concerned(struct treaty_at *at)
{
	return at->local.serial || at->opt.respect_global_locks ||
	       at->link.current(at->link.ctx);
}

static bool starts_with(struct bytes sql, const char *word)
{
	size_t n = strlen(word);

	return sql.len >= n &&
	       strncasecmp((const char *)sql.data, word, n) == 0;
}

static struct bytes skip_space(struct bytes sql)
{
	while (sql.len && strchr(" \t\r\n\f\v(;", sql.data[0])) {
		sql.data++;
		sql.len--;
	}
	return sql;
}

static bool starts_with_any(struct bytes sql, const char *const *words)
{
	for (; *words; words++)
		if (starts_with(sql, *words))
			return true;
	return false;
}

void at_passed_by(struct treaty_at *at, struct bytes sql)
{
	static const char *const harmless[] = { "BEGIN", "START", "COMMIT",
						"END", NULL };
	static const char *const nothing[] = { "ROLLBACK", "SAVEPOINT",
					       "RELEASE", NULL };
	static const char *const writes[] = { "INSERT",  "UPDATE", "DELETE",
					      "REPLACE", "WITH",   NULL };

	sql = skip_space(sql);
	if (starts_with(sql, "SELECT")) {
		/* set_config('search_path', …), and functions that write */
		if (memmem(sql.data, sql.len, "set_config", 10))
			at->stale = true;
		return;
	}
	if (starts_with_any(sql, harmless)) {
		at->local.wrote = false;
		return;
	}
	if (starts_with_any(sql, nothing))
		return;
	if (!starts_with_any(sql, writes))
		at->stale = true;
	at->local.wrote =
		db_state(at->db) == DB_IN_TX || !db_autocommit(at->db);
}

/* ---- what the engine knows of the session ---- */

static int read_sql_mode(struct treaty_at *at)
{
	struct sql_options *o = &at->scripts.options;
	struct db_stmt stmt = { .sql = BYTES("SELECT @@sql_mode, VERSION()") };
	struct arena arena;
	struct db_result r;
	int rc;

	arena_init(&arena, at->mem, 0);
	rc = db_exec(at->db, &stmt, &arena, &r);
	if (rc == OK && r.n_rows == 1) {
		struct bytes mode = db_value(&r, 0, 0).data;
		struct bytes version = db_value(&r, 0, 1).data;
		struct reader v = reader_of(version);
		unsigned n[3] = { 0 };

		for (int i = 0; i < 3; i++) {
			uint8_t c;

			while ((c = read_u8(&v)) >= '0' && c <= '9')
				n[i] = n[i] * 10 + (unsigned)(c - '0');
		}
		o->ansi_quotes =
			memmem(mode.data, mode.len, "ANSI_QUOTES", 11) != NULL;
		o->no_backslash_escapes =
			memmem(mode.data, mode.len, "NO_BACKSLASH_ESCAPES",
			       20) != NULL;
		o->mariadb = db_is_mariadb(at->db);
		o->version = n[0] * 10000 + n[1] * 100 + n[2];
	}
	arena_fini(&arena);
	return rc == OK ? OK : at_fail_db(at, rc, "reading sql_mode");
}

/* mysql_select_db() and its like pass by unseen, but the client library
 * notes them. */
static void notice_database(struct treaty_at *at)
{
	struct st_mysql *mysql = db_mysql(at->db);
	const char *now = mysql && mysql->db ? mysql->db : "";

	if (strncmp(now, at->database, sizeof at->database - 1) == 0)
		return;
	memset(at->database, 0, sizeof at->database);
	memcpy(at->database, now, strnlen(now, sizeof at->database - 1));
	at->stale = true;
}

static int refresh(struct treaty_at *at)
{
	int rc = OK;

	if (at->dialect == DIALECT_MYSQL)
		notice_database(at);
	if (!at->stale)
		return OK;
	scripts_clear(&at->scripts);
	targets_clear(&at->targets);
	db_forget_kept(at->db);
	if (at->dialect == DIALECT_MYSQL)
		rc = read_sql_mode(at);
	if (at->dialect == DIALECT_POSTGRES)
		at->scripts.options.backslash_strings =
			!at_pg_standard_strings(at->db);
	if (rc == OK)
		at->stale = false;
	return rc;
}

/* The local transaction as the database sees it. */
static int sync_local(struct treaty_at *at)
{
	struct local *l = &at->local;
	bool lost = l->images && l->record.n_items > 0;

	if (l->unfinished)
		return at_fail(at, E_STATE,
			       "a statement with RETURNING has not been read "
			       "to its end");
	switch (db_state(at->db)) {
	case DB_IDLE:
		if (l->open && lost) {
			local_reset(at);
			return at_fail(at, E_STATE,
				       "the local transaction was ended past "
				       "Treaty: what it committed is not "
				       "protected; roll back the global "
				       "transaction and look");
		}
		if (l->open && l->images)
			local_reset(at);
		l->open = !db_autocommit(at->db);
		return OK;
	case DB_IN_TX:
	case DB_FAILED:
		l->open = true;
		return OK;
	case DB_BUSY:
		return at_fail(at, E_STATE,
			       "the connection has results that were not read");
	default:
		local_reset(at);
		return at_fail(at, E_CLOSED, "the database connection is lost");
	}
}

/* ---- the application's statement as it is ---- */

static int run_plain(struct treaty_at *at, struct at_run *run, const char *what)
{
	struct at_done done = { 0 };
	struct arena arena;
	int rc;

	arena_init(&arena, at->mem, 0);
	rc = run->run(run, BYTES(""), false, &arena, &done);
	arena_fini(&arena);
	if (rc != OK && !run->native)
		return at_fail_db(at, rc, what);
	return rc;
}

static int pass(struct treaty_at *at, struct at_run *run,
		const struct sql_statement *st)
{
	bool stale = st->kind != SQL_READ && st->kind != SQL_EMPTY;
	int rc = run_plain(at, run, "running the statement");

	if (stale)
		at->stale = true;
	return rc;
}

/* ---- transaction control ---- */

static int txn_begin(struct treaty_at *at, struct at_run *run)
{
	int rc;

	if (at->local.open && at->local.images && at->dialect == DIALECT_MYSQL)
		return at_fail(at, E_STATE,
			       "a local transaction is open, BEGIN would "
			       "commit it; commit it first");
	rc = run_plain(at, run, "beginning");
	if (rc == OK)
		at->local.open = true;
	return rc;
}

static int txn_commit(struct treaty_at *at, struct at_run *run)
{
	struct agent_conflict c = { 0 };

	if (db_state(at->db) == DB_FAILED) {
		local_abandon(at);
		return at_fail(at, E_STATE,
			       "a statement of the local transaction failed; "
			       "it is rolled back, not committed");
	}
	return local_finish(at, EXPLICIT_WAIT_MS, run, &c);
}

static int txn_savepoint(struct treaty_at *at, struct at_run *run,
			 const struct sql_txn *txn)
{
	struct bytes name = txn->savepoint.text;
	int rc;

	if (txn->sort == SQL_TXN_SAVEPOINT) {
		rc = at_savepoint(at, name);
		if (rc != OK)
			return rc;
		rc = run_plain(at, run, "setting a savepoint");
		if (rc != OK)
			at_released(at, name);
		else
			at->local.open = true; /* SQLite begins by it */
		return rc;
	}
	rc = run_plain(at, run, "going back to a savepoint");
	if (rc == OK && txn->sort == SQL_TXN_ROLLBACK_TO)
		at_rolled_back_to(at, name);
	if (rc == OK && txn->sort == SQL_TXN_RELEASE)
		at_released(at, name);
	return rc;
}

/* SQLite: releasing the outermost savepoint is a commit. */
static bool release_commits(const struct treaty_at *at,
			    const struct sql_txn *txn)
{
	return at->dialect == DIALECT_SQLITE && txn->sort == SQL_TXN_RELEASE &&
	       at->local.n_saves == 1 && at->local.by_savepoint;
}

static int transaction_control(struct treaty_at *at, struct at_run *run,
			       const struct sql_statement *st)
{
	struct agent_conflict c = { 0 };
	int rc;

	switch (st->txn.sort) {
	case SQL_TXN_BEGIN:
		return txn_begin(at, run);
	case SQL_TXN_COMMIT:
		return txn_commit(at, run);
	case SQL_TXN_ROLLBACK:
		rc = run_plain(at, run, "rolling back");
		local_reset(at);
		return rc;
	case SQL_TXN_SAVEPOINT:
		if (!at->local.open && at->dialect == DIALECT_SQLITE)
			at->local.by_savepoint = true;
		return txn_savepoint(at, run, &st->txn);
	case SQL_TXN_ROLLBACK_TO:
	case SQL_TXN_RELEASE:
		if (release_commits(at, &st->txn))
			return local_finish(at, EXPLICIT_WAIT_MS, run, &c);
		return txn_savepoint(at, run, &st->txn);
	case SQL_TXN_AUTOCOMMIT:
		if (st->txn.autocommit && at->local.images)
			return local_finish(at, EXPLICIT_WAIT_MS, run, &c);
		return run_plain(at, run, "setting autocommit");
	case SQL_TXN_SET:
	case SQL_TXN_SET_LATER:
		return run_plain(at, run, "setting the transaction");
	default:
		return at_fail(at, E_UNSUPPORTED,
			       "refused: two-phase commit by hand inside of a "
			       "global transaction");
	}
}

/* ---- one statement inside of a global transaction ---- */

static bool is_never_undone(enum sql_kind kind)
{
	return kind == SQL_DDL || kind == SQL_TRUNCATE || kind == SQL_BULK ||
	       kind == SQL_CALL || kind == SQL_LOCK_TABLES || kind == SQL_ADMIN;
}

static int refuse(struct treaty_at *at, struct at_run *run,
		  const struct sql_script *script,
		  const struct sql_statement *st)
{
	struct sql_place p = sql_place(script, st->reason_at);

	if (is_never_undone(st->kind) && at->opt.unprotected == TREATY_WARN) {
		LOG_WARN("unprotected statement in a global transaction",
			 LOG_S("kind", sql_kind_name(st->kind)),
			 LOG_S("resource", at_resource_id(at->resource)));
		return pass(at, run, st);
	}
	return at_fail(at, E_UNSUPPORTED,
		       "refused, cannot be undone: %s (line %zu, column %zu)",
		       st->reason ? st->reason : sql_kind_name(st->kind),
		       p.line, p.column);
}

static int protect(struct treaty_at *at, struct at_run *run,
		   const struct sql_script *script,
		   const struct sql_statement *st, struct treaty_tx *tx)
{
	struct work w = {
		.at = at, .tx = tx, .script = script, .st = st, .run = run
	};
	int rc;

	if (st->kind == SQL_SELECT_LOCK)
		return at_protect_read(&w);
	if (!tx) {
		/* Only there because locks are to be respected. */
		if (st->kind == SQL_UPDATE || st->kind == SQL_DELETE ||
		    st->kind == SQL_INSERT || st->kind == SQL_REPLACE)
			return at_protect_read(&w);
		at->local.wrote = at->local.open;
		return run_plain(at, run, "running the statement");
	}
	rc = at->link.check(at->link.ctx, tx);
	if (rc != OK)
		return at_fail_agent(at, rc);
	return at_protect_write(&w);
}

static bool all_read(const struct sql_script *script)
{
	for (size_t i = 0; i < script->n_statements; i++)
		if (script->statements[i].verdict != SQL_PASS ||
		    script->statements[i].kind == SQL_TXN)
			return false;
	return true;
}

/* The transaction of the thread must be that of the local transaction. */
static int check_same(struct treaty_at *at, struct treaty_tx *tx,
		      const struct sql_statement *st)
{
	struct local *l = &at->local;

	if (!l->serial ||
	    (tx && at->link.serial(at->link.ctx, tx) == l->serial))
		return OK;
	if (st->kind == SQL_TXN && st->txn.sort == SQL_TXN_ROLLBACK)
		return OK;
	if (l->record.n_items == 0) {
		l->serial = 0;
		l->images = false;
		return OK;
	}
	return at_fail(at, E_STATE,
		       "the open local transaction belongs to the global "
		       "transaction %.*s, which is not bound to this thread; "
		       "roll it back",
		       (int)l->record.xid.len,
		       (const char *)l->record.xid.data);
}

static int dispatch(struct treaty_at *at, struct at_run *run,
		    const struct sql_script *script)
{
	const struct sql_statement *st = &script->statements[0];
	struct treaty_tx *tx = at->link.current(at->link.ctx);
	int rc = check_same(at, tx, st);

	if (rc != OK)
		return rc;
	if (script->n_statements > 1) {
		if (!tx || all_read(script))
			return pass(at, run, st);
		return at_fail(at, E_UNSUPPORTED,
			       "refused: several statements in one text inside "
			       "of a global transaction; give them one by one");
	}
	if (st->kind == SQL_TXN && st->verdict != SQL_REFUSE)
		return transaction_control(at, run, st);
	if (st->verdict == SQL_PASS)
		return pass(at, run, st);
	if (st->verdict == SQL_PROTECT)
		return protect(at, run, script, st, tx);
	if (!tx)
		return pass(at, run, st);
	return refuse(at, run, script, st);
}

int at_run_statement(struct treaty_at *at, struct at_run *run)
{
	const struct sql_script *script;
	int rc;

	at_error_clear(at);
	rc = sync_local(at);
	if (rc == OK)
		rc = refresh(at);
	if (rc != OK)
		return rc;
	rc = scripts_get(&at->scripts, run->sql, &script, &at->repeated);
	if (rc != OK)
		return at_fail(at, rc, "out of memory for parsing");
	return dispatch(at, run, script);
}

/* ---- local transactions, without SQL ---- */

int at_begin(struct treaty_at *at)
{
	int rc;

	at_error_clear(at);
	rc = sync_local(at);
	if (rc != OK)
		return rc;
	if (at->local.open && db_state(at->db) != DB_IDLE)
		return at_fail(at, E_STATE, "a local transaction is open");
	local_reset(at);
	rc = db_begin(at->db);
	if (rc != OK)
		return at_fail_db(at, rc, "beginning");
	at->local.open = true;
	at->local.synced = true;
	return OK;
}

int at_commit(struct treaty_at *at)
{
	int rc;

	at_error_clear(at);
	rc = sync_local(at);
	if (rc != OK)
		return rc;
	if (!at->local.open)
		return at_fail(at, E_STATE, "no local transaction is open");
	if (db_state(at->db) == DB_IDLE) { /* autocommit is off */
		local_reset(at);
		return OK;
	}
	return txn_commit(at, NULL);
}

int at_rollback(struct treaty_at *at)
{
	int rc;

	at_error_clear(at);
	rc = db_rollback(at->db);
	local_reset(at);
	return rc == OK ? OK : at_fail_db(at, rc, "rolling back");
}
