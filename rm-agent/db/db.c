#include "rm-agent/db/driver.h"

/* Our own SQL has few texts for each table; this bounds both sides' memory. */
#define KEPT_LIMIT 128

static const char *const class_names[DB_CLASSES] = {
	[DB_NONE] = "none",
	[DB_DEADLOCK] = "deadlock",
	[DB_LOCK_TIMEOUT] = "lock timeout",
	[DB_SERIALIZATION] = "serialization failure",
	[DB_CONSTRAINT] = "constraint",
	[DB_LOST] = "connection lost",
	[DB_PERMISSION] = "permission",
	[DB_SYNTAX] = "syntax",
	[DB_DATA] = "data",
	[DB_READONLY] = "read-only",
	[DB_FULL] = "full",
	[DB_STALE] = "stale statement",
	[DB_CANCELLED] = "cancelled",
	[DB_IN_USE] = "in use",
	[DB_ABORTED] = "transaction aborted",
	[DB_OTHER] = "other",
};

const char *db_class_name(enum db_class class)
{
	REQUIRE((unsigned)class < DB_CLASSES);
	return class_names[class];
}

/* ---- what drivers share ---- */

int driver_init(struct db *db, const struct driver *driver,
		const struct mem *mem)
{
	db->driver = driver;
	db->mem = mem;
	return kept_init(&db->kept, mem, KEPT_LIMIT);
}

void driver_fini(struct db *db)
{
	kept_fini(&db->kept);
	charset_fini(&db->charset);
}

static void copy_text(char *to, size_t room, const char *from)
{
	size_t len = strlen(from);

	if (len >= room) {
		len = room - 1;
		/* not in the middle of a character */
		while (len > 0 && ((unsigned char)from[len] & 0xc0) == 0x80)
			len--;
	}
	memcpy(to, from, len);
	while (len > 0 && to[len - 1] == '\n')
		len--;
	to[len] = '\0';
}

int error_set(struct db_error *e, int err, enum db_class class,
	      const char *sqlstate, int native, const char *message)
{
	if (!e)
		return err;
	*e = (struct db_error){ .err = err, .class = class, .native = native };
	copy_text(e->sqlstate, sizeof(e->sqlstate), sqlstate ? sqlstate : "");
	copy_text(e->message, sizeof(e->message), message ? message : "");
	return err;
}

int driver_fail(struct db *db, int err, enum db_class class,
		const char *sqlstate, int native, const char *message)
{
	return error_set(&db->error, err, class, sqlstate, native, message);
}

int driver_nomem(struct db *db)
{
	return driver_fail(db, E_NOMEM, DB_OTHER, "", 0, "out of memory");
}

int driver_result(struct db_result *r, struct arena *arena, size_t columns,
		  size_t rows)
{
	if (columns > 0 && rows > SIZE_MAX / columns)
		return E_NOMEM;
	r->n_columns = columns;
	r->n_rows = columns > 0 ? rows : 0;
	r->columns = arena_array(arena, columns + 1, sizeof(*r->columns));
	r->values =
		arena_array(arena, columns * r->n_rows + 1, sizeof(*r->values));
	return r->columns && r->values ? OK : E_NOMEM;
}

void driver_retag(const struct db_stmt *stmt, struct db_result *r)
{
	for (size_t c = 0; c < stmt->n_as && c < r->n_columns; c++) {
		if (stmt->as[c] == VALUE_NULL)
			continue;
		r->columns[c].type = stmt->as[c];
		for (size_t i = 0; i < r->n_rows; i++) {
			struct value *v = &r->values[i * r->n_columns + c];

			if (v->type != VALUE_NULL)
				v->type = stmt->as[c];
		}
	}
}

/* ---- connections ---- */

static bool starts(const char *text, const char *with)
{
	return strncmp(text, with, strlen(with)) == 0;
}

int db_open(struct db **out, const struct mem *mem, const char *dsn,
	    struct db_error *error)
{
	if (starts(dsn, "postgresql://") || starts(dsn, "postgres://"))
		return pg_open(out, mem, dsn, error);
	if (starts(dsn, "mysql://") || starts(dsn, "mariadb://"))
		return my_open(out, mem, dsn, error);
	if (starts(dsn, "sqlite:"))
		return lite_open(out, mem, dsn + strlen("sqlite:"), error);
	return error_set(
		error, E_INVALID, DB_OTHER, "", 0,
		"a DSN starts with postgresql://, mysql:// or sqlite:");
}

void db_forget_kept(struct db *db)
{
	struct kept_stmt *s;

	while ((s = kept_any(&db->kept)) != NULL) {
		if (db->driver->drop)
			db->driver->drop(db, s);
		kept_remove(&db->kept, s);
	}
	db->stale = true;
}

void db_free(struct db *db)
{
	if (!db)
		return;
	db_forget_kept(db);
	db->driver->close(db);
}

enum dialect db_dialect(const struct db *db)
{
	return db->driver->dialect;
}

bool db_is_mariadb(const struct db *db)
{
	return db->mariadb;
}

const struct db_error *db_error(const struct db *db)
{
	return &db->error;
}

int db_native_error(struct db *db, const void *pg_result, bool was_in_tx)
{
	return db->driver->native(db, pg_result, was_in_tx);
}

enum db_state db_state(struct db *db)
{
	return db->driver->state(db);
}

bool db_autocommit(struct db *db)
{
	return !db->driver->autocommit || db->driver->autocommit(db);
}

/* ---- statements ---- */

/* Whether the connection can take a statement now. */
static int free_for(struct db *db, bool even_failed)
{
	enum db_state state = db->driver->state(db);

	if (state == DB_GONE)
		return driver_fail(db, E_CLOSED, DB_LOST, "", 0,
				   "the connection is lost; open another");
	if (state == DB_BUSY)
		return driver_fail(
			db, E_STATE, DB_IN_USE, "", 0,
			"the connection is in use: read all results (or end "
			"the pipeline, COPY or row-by-row mode) first");
	if (state == DB_FAILED && !even_failed)
		return driver_fail(db, E_STATE, DB_ABORTED, "25P02", 0,
				   "the transaction has failed; roll it back");
	if (db->stale && state != DB_FAILED) {
		int rc = db->driver->refresh ? db->driver->refresh(db) : OK;

		if (rc != OK)
			return rc;
		db->stale = false;
	}
	return OK;
}

int db_exec(struct db *db, const struct db_stmt *stmt, struct arena *arena,
	    struct db_result *out)
{
	struct db_result result = { 0 };
	int rc = free_for(db, false);

	if (rc == OK)
		rc = db->driver->exec(db, stmt, arena, &result);
	if (rc != OK)
		return rc;
	driver_retag(stmt, &result);
	*out = result;
	return OK;
}

static int one_by_one(struct db *db, const struct db_stmt *stmts, size_t n,
		      struct arena *arena, struct db_result *results,
		      size_t *done)
{
	for (; *done < n; (*done)++) {
		int rc = db_exec(db, &stmts[*done], arena, &results[*done]);

		if (rc != OK)
			return rc;
	}
	return OK;
}

int db_exec_all(struct db *db, const struct db_stmt *stmts, size_t n,
		struct arena *arena, struct db_result *results, size_t *done)
{
	int rc;

	*done = 0;
	if (n == 1 || !db->driver->exec_all)
		return one_by_one(db, stmts, n, arena, results, done);
	rc = free_for(db, false);
	if (rc != OK || n == 0)
		return rc;
	memset(results, 0, n * sizeof(*results));
	rc = db->driver->exec_all(db, stmts, n, arena, results, done);
	for (size_t i = 0; i < *done; i++)
		driver_retag(&stmts[i], &results[i]);
	return rc;
}

int db_command(struct db *db, const char *sql)
{
	int rc = free_for(db, false);

	return rc == OK ? db->driver->command(db, sql) : rc;
}

int db_to_utf8(struct db *db, struct arena *arena, struct bytes text,
	       struct bytes *out)
{
	int rc = free_for(db, true);

	if (rc == OK)
		rc = charset_to_utf8(&db->charset, arena, text, out);
	return rc == E_INVALID
		       ? driver_fail(db, rc, DB_DATA, "", 0,
				     "text is not in the session's encoding")
		       : rc;
}

int db_identity(struct db *db, struct arena *arena, struct bytes *out)
{
	struct buf b;
	int rc = free_for(db, false);

	if (rc != OK)
		return rc;
	buf_init(&b, &arena->as_mem);
	rc = db->driver->identity(db, &b);
	if (rc == OK && buf_error(&b) != OK)
		rc = driver_nomem(db);
	if (rc == OK)
		*out = buf_bytes(&b);
	return rc;
}

/* ---- transactions ---- */

int db_begin(struct db *db)
{
	if (db->driver->state(db) == DB_IN_TX)
		return driver_fail(db, E_STATE, DB_OTHER, "", 0,
				   "a transaction is open already");
	return db_command(db, db_dialect(db) == DIALECT_SQLITE
				      ? "BEGIN IMMEDIATE"
				      : "BEGIN");
}

int db_commit(struct db *db)
{
	enum db_state state = db->driver->state(db);
	int rc;

	if (state == DB_GONE)
		return driver_fail(db, E_CLOSED, DB_LOST, "", 0,
				   "the connection was lost before COMMIT; "
				   "the database has rolled back");
	if (state == DB_IDLE && db_autocommit(db))
		return driver_fail(db, E_STATE, DB_OTHER, "", 0,
				   "no transaction is open");
	rc = free_for(db, true);
	return rc == OK ? db->driver->commit(db) : rc;
}

static int commit_in_batch(struct db *db, const struct db_stmt *stmts, size_t n,
			   struct arena *arena, size_t *failed)
{
	struct db_stmt *all = arena_array(arena, n + 1, sizeof(*all));
	struct db_result *results = arena_array(arena, n + 1, sizeof(*results));
	int rc;

	*failed = 0;
	if (!all || !results)
		return driver_nomem(db);
	for (size_t i = 0; i < n; i++)
		all[i] = stmts[i];
	all[n].sql = BYTES("COMMIT");
	rc = db_exec_all(db, all, n + 1, arena, results, failed);
	if (rc == OK && strcmp(results[n].tag, "COMMIT") != 0) {
		*failed = n;
		return driver_fail(db, E_STATE, DB_ABORTED, "25P02", 0,
				   "the transaction had failed before; COMMIT "
				   "rolled it back");
	}
	/* COMMIT was on its way together with the rest. */
	if (rc == E_CLOSED)
		rc = db->error.err = E_UNKNOWN;
	return rc;
}

int db_commit_after(struct db *db, const struct db_stmt *stmts, size_t n,
		    struct arena *arena, size_t *failed)
{
	struct db_result result;
	int rc = OK;

	if (db->driver->exec_all && db->driver->state(db) == DB_IN_TX)
		return commit_in_batch(db, stmts, n, arena, failed);
	for (*failed = 0; *failed < n; ++*failed) {
		rc = db_exec(db, &stmts[*failed], arena, &result);
		if (rc != OK)
			return rc;
	}
	return db_commit(db);
}

int db_rollback(struct db *db)
{
	enum db_state state = db->driver->state(db);
	int rc;

	if (state == DB_GONE || (state == DB_IDLE && db_autocommit(db)))
		return OK;
	rc = free_for(db, true);
	if (rc == OK)
		rc = db->driver->command(db, "ROLLBACK");
	return rc == E_CLOSED ? OK : rc;
}

static int savepoint(struct db *db, const char *verb, const char *name)
{
	struct buf sql;
	int rc = free_for(db, true);

	if (rc != OK)
		return rc;
	buf_init(&sql, db->mem);
	buf_printf(&sql, "%s %s", verb, name);
	rc = buf_error(&sql) == OK ? db->driver->command(db, buf_text(&sql))
				   : driver_nomem(db);
	buf_fini(&sql);
	return rc;
}

int db_savepoint(struct db *db, const char *name)
{
	return savepoint(db, "SAVEPOINT", name);
}

int db_rollback_to(struct db *db, const char *name)
{
	return savepoint(db, "ROLLBACK TO SAVEPOINT", name);
}

int db_release(struct db *db, const char *name)
{
	return savepoint(db, "RELEASE SAVEPOINT", name);
}
