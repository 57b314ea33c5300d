#include "rm-agent/db/driver.h"

#include <errno.h>
#include <limits.h>
#include <sqlite3.h>
#include <stdlib.h>

#define BUSY_MS 5000 /* on our own connections */

struct lite_db {
	struct db db;
	sqlite3 *conn;
	bool failed; /* SQLite rolled the transaction back by itself */
};

static struct lite_db *lite_of(struct db *db)
{
	return CONTAINER_OF(db, struct lite_db, db);
}

/* ---- errors ---- */

static const struct {
	int code; /* extended ones first */
	int err;
	enum db_class class;
} codes[] = {
	{ SQLITE_BUSY_SNAPSHOT, E_CONFLICT, DB_SERIALIZATION },
	{ SQLITE_LOCKED_SHAREDCACHE, E_TIMEOUT, DB_LOCK_TIMEOUT },
	{ SQLITE_BUSY, E_TIMEOUT, DB_LOCK_TIMEOUT },
	{ SQLITE_LOCKED, E_TIMEOUT, DB_LOCK_TIMEOUT },
	{ SQLITE_CONSTRAINT, E_INVALID, DB_CONSTRAINT },
	{ SQLITE_READONLY, E_UNSUPPORTED, DB_READONLY },
	{ SQLITE_FULL, E_LIMIT, DB_FULL },
	{ SQLITE_PERM, E_DENIED, DB_PERMISSION },
	{ SQLITE_AUTH, E_DENIED, DB_PERMISSION },
	{ SQLITE_INTERRUPT, E_TIMEOUT, DB_CANCELLED },
	{ SQLITE_NOMEM, E_NOMEM, DB_OTHER },
	{ SQLITE_TOOBIG, E_LIMIT, DB_DATA },
	{ SQLITE_MISMATCH, E_INVALID, DB_DATA },
	{ SQLITE_RANGE, E_INVALID, DB_SYNTAX },
	{ SQLITE_ERROR, E_INVALID, DB_SYNTAX },
	{ SQLITE_CORRUPT, E_CORRUPT, DB_OTHER },
	{ SQLITE_NOTADB, E_CORRUPT, DB_OTHER },
	{ SQLITE_CANTOPEN, E_NOTFOUND, DB_OTHER },
};

static int fail_code(struct db_error *e, int code, const char *message)
{
	for (size_t i = 0; i < ARRAY_LEN(codes); i++)
		if (codes[i].code == code || codes[i].code == (code & 0xff))
			return error_set(e, codes[i].err, codes[i].class, "",
					 code, message);
	return error_set(e, E_IO, DB_OTHER, "", code, message);
}

/* was_open: a transaction was open when the statement began. */
static int fail(struct lite_db *l, bool was_open)
{
	if (was_open && sqlite3_get_autocommit(l->conn))
		l->failed = true;
	return fail_code(&l->db.error, sqlite3_extended_errcode(l->conn),
			 sqlite3_errmsg(l->conn));
}

/* ---- values ---- */

static int bind_text(sqlite3_stmt *s, int at, struct bytes data)
{
	const char *text = data.len ? (const char *)data.data : "";

	return sqlite3_bind_text64(s, at, text, data.len, SQLITE_TRANSIENT,
				   SQLITE_UTF8);
}

static int bind_number(sqlite3_stmt *s, int at, const struct value *v,
		       const char *text)
{
	char *end;
	long long i;

	if (v->type == VALUE_FLOAT)
		return sqlite3_bind_double(s, at, double_of(text));
	errno = 0;
	i = strtoll(text, &end, 10);
	if (errno != 0 || *end != '\0' || end == text)
		return bind_text(s, at, v->data);
	return sqlite3_bind_int64(s, at, i);
}

static int bind_one(struct lite_db *l, sqlite3_stmt *s, int at,
		    const struct value *v, struct arena *arena)
{
	const char *text;
	int rc;

	switch (v->type) {
	case VALUE_NULL:
		rc = sqlite3_bind_null(s, at);
		break;
	case VALUE_BYTES:
		rc = v->data.len ? sqlite3_bind_blob64(s, at, v->data.data,
						       v->data.len,
						       SQLITE_TRANSIENT)
				 : sqlite3_bind_zeroblob(s, at, 0);
		break;
	case VALUE_BOOL:
		rc = sqlite3_bind_int(s, at, bytes_equal(v->data, BYTES("t")));
		break;
	case VALUE_INT:
	case VALUE_FLOAT:
		text = arena_text(arena, v->data);
		if (!text)
			return driver_nomem(&l->db);
		rc = bind_number(s, at, v, text);
		break;
	default:
		rc = bind_text(s, at, v->data);
	}
	return rc == SQLITE_OK ? OK : fail(l, false);
}

static int bind_all(struct lite_db *l, sqlite3_stmt *s,
		    const struct db_stmt *stmt, struct arena *arena)
{
	int rc = OK;

	if ((size_t)sqlite3_bind_parameter_count(s) != stmt->n_params)
		return driver_fail(&l->db, E_INVALID, DB_SYNTAX, "", 0,
				   "the number of parameters is not that of "
				   "the placeholders");
	for (size_t i = 0; i < stmt->n_params && rc == OK; i++)
		rc = bind_one(l, s, (int)i + 1, &stmt->params[i], arena);
	return rc;
}

/* E_NOMEM. */
static int copy_value(sqlite3_stmt *s, int c, struct arena *arena,
		      struct value *out)
{
	struct bytes raw = { 0 };
	struct buf b;

	buf_init(&b, &arena->as_mem);
	switch (sqlite3_column_type(s, c)) {
	case SQLITE_NULL:
		return OK;
	case SQLITE_INTEGER:
		out->type = VALUE_INT;
		buf_printf(&b, "%lld", (long long)sqlite3_column_int64(s, c));
		break;
	case SQLITE_FLOAT:
		out->type = VALUE_FLOAT;
		put_double(&b, sqlite3_column_double(s, c));
		break;
	case SQLITE_BLOB:
		out->type = VALUE_BYTES;
		raw.data = sqlite3_column_blob(s, c);
		break;
	default:
		out->type = VALUE_TEXT;
		raw.data = sqlite3_column_text(s, c);
		if (!raw.data)
			return E_NOMEM;
	}
	if (out->type == VALUE_INT || out->type == VALUE_FLOAT) {
		out->data = buf_bytes(&b);
		return buf_error(&b);
	}
	raw.len = (size_t)sqlite3_column_bytes(s, c);
	if (raw.len > 0 && !raw.data)
		return E_NOMEM;
	out->data = arena_bytes(arena, raw);
	return out->data.data ? OK : E_NOMEM;
}

/* ---- statements ---- */

static int describe(sqlite3_stmt *s, struct arena *arena, struct db_result *out)
{
	for (int c = 0; c < (int)out->n_columns; c++) {
		const char *type = sqlite3_column_decltype(s, c);
		struct db_column *column = &out->columns[c];

		column->name =
			arena_bytes(arena, bytes_of(sqlite3_column_name(s, c)));
		column->db_type = arena_bytes(arena, bytes_of(type));
		column->type = VALUE_OTHER;
		if (!column->name.data || !column->db_type.data)
			return E_NOMEM;
		for (size_t i = 0; i < out->n_rows; i++) {
			struct value v = db_value(out, i, (size_t)c);

			if (v.type == VALUE_NULL)
				continue;
			column->type = v.type;
			break;
		}
	}
	return OK;
}

/* Rows pile up in `rows` (struct value, back to back). */
static int step_all(struct lite_db *l, sqlite3_stmt *s, bool was_open,
		    struct arena *arena, struct buf *rows, size_t *n)
{
	int columns = sqlite3_column_count(s), rc;

	while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
		(*n)++;
		for (int c = 0; c < columns; c++) {
			struct value v = { 0 };

			if (copy_value(s, c, arena, &v) != OK)
				return driver_nomem(&l->db);
			buf_put(rows,
				(struct bytes){ (uint8_t *)&v, sizeof(v) });
		}
	}
	return rc == SQLITE_DONE ? OK : fail(l, was_open);
}

static int run(struct lite_db *l, sqlite3_stmt *s, const struct db_stmt *stmt,
	       struct arena *arena, struct db_result *out)
{
	bool was_open = !sqlite3_get_autocommit(l->conn);
	struct buf rows;
	size_t n = 0;
	int rc = bind_all(l, s, stmt, arena);

	buf_init(&rows, l->db.mem);
	if (rc == OK)
		rc = step_all(l, s, was_open, arena, &rows, &n);
	if (rc == OK &&
	    (buf_error(&rows) != OK ||
	     driver_result(out, arena, (size_t)sqlite3_column_count(s), n)))
		rc = driver_nomem(&l->db);
	if (rc == OK) {
		if (rows.len > 0)
			memcpy(out->values, rows.data, rows.len);
		out->affected = sqlite3_stmt_readonly(s)
					? out->n_rows
					: (uint64_t)sqlite3_changes64(l->conn);
		out->matched = out->affected;
		out->last_insert_id =
			(uint64_t)sqlite3_last_insert_rowid(l->conn);
		if (describe(s, arena, out) != OK)
			rc = driver_nomem(&l->db);
	}
	buf_fini(&rows);
	return rc;
}

/* True if nothing but blanks and comments is there. */
static bool nothing_left(struct lite_db *l, const char *tail, const char *end)
{
	sqlite3_stmt *s = NULL;
	int rc = sqlite3_prepare_v2(l->conn, tail, (int)(end - tail), &s, NULL);

	(void)sqlite3_finalize(s);
	return rc == SQLITE_OK && !s;
}

static int prepare(struct lite_db *l, struct bytes sql, bool keep,
		   sqlite3_stmt **out)
{
	const char *text = (const char *)sql.data, *tail;
	sqlite3_stmt *s = NULL;

	if (sql.len > INT_MAX)
		return driver_fail(&l->db, E_LIMIT, DB_DATA, "", 0,
				   "the statement is too long");
	if (sqlite3_prepare_v3(l->conn, text, (int)sql.len,
			       keep ? SQLITE_PREPARE_PERSISTENT : 0, &s, &tail))
		return fail(l, false);
	if (!s || !nothing_left(l, tail, text + sql.len)) {
		(void)sqlite3_finalize(s);
		return driver_fail(&l->db, E_INVALID, DB_SYNTAX, "", 0,
				   s ? "more than one statement"
				     : "no statement");
	}
	*out = s;
	return OK;
}

static void lite_drop(struct db *db, struct kept_stmt *stmt)
{
	(void)db;
	(void)sqlite3_finalize(stmt->handle);
}

static int keep_it(struct lite_db *l, struct bytes sql, sqlite3_stmt *s)
{
	struct kept_stmt *k = kept_victim(&l->db.kept);

	if (k) {
		lite_drop(&l->db, k);
		kept_remove(&l->db.kept, k);
	}
	return kept_add(&l->db.kept, sql, s, &k);
}

static int lite_exec(struct db *db, const struct db_stmt *stmt,
		     struct arena *arena, struct db_result *out)
{
	struct lite_db *l = lite_of(db);
	struct kept_stmt *k =
		stmt->keep ? kept_find(&db->kept, stmt->sql) : NULL;
	sqlite3_stmt *s = k ? k->handle : NULL;
	bool kept = s != NULL;
	int rc = s ? OK : prepare(l, stmt->sql, stmt->keep, &s);

	if (rc != OK)
		return rc;
	if (!kept && stmt->keep)
		kept = keep_it(l, stmt->sql, s) == OK;
	rc = run(l, s, stmt, arena, out);
	(void)sqlite3_reset(s);
	(void)sqlite3_clear_bindings(s);
	if (!kept)
		(void)sqlite3_finalize(s);
	return rc;
}

static int lite_command(struct db *db, const char *sql)
{
	struct lite_db *l = lite_of(db);
	bool was_open = !sqlite3_get_autocommit(l->conn);
	bool rollback = strcmp(sql, "ROLLBACK") == 0;
	sqlite3_stmt *s;
	int rc;

	if (rollback)
		l->failed = false;
	if (rollback && !was_open)
		return OK;
	rc = prepare(l, bytes_of(sql), false, &s);
	if (rc != OK)
		return rc;
	do
		rc = sqlite3_step(s);
	while (rc == SQLITE_ROW);
	rc = rc == SQLITE_DONE ? OK : fail(l, was_open && !rollback);
	(void)sqlite3_finalize(s);
	return rc;
}

static int lite_commit(struct db *db)
{
	struct lite_db *l = lite_of(db);
	struct db_error why;
	int rc;

	if (l->failed) {
		l->failed = false;
		return driver_fail(db, E_STATE, DB_ABORTED, "", 0,
				   "SQLite had rolled back the transaction "
				   "before COMMIT");
	}
	rc = lite_command(db, "COMMIT");
	if (rc == OK)
		return OK;
	why = db->error;
	l->failed = false;
	if (why.class == DB_LOCK_TIMEOUT && !sqlite3_get_autocommit(l->conn)) {
		why.err = E_AGAIN;
	} else {
		/* A sync that failed may still have reached the disk. */
		if ((why.native & 0xff) == SQLITE_IOERR)
			why.err = E_UNKNOWN;
		(void)lite_command(db, "ROLLBACK");
	}
	db->error = why;
	return why.err;
}

static enum db_state lite_state(struct db *db)
{
	struct lite_db *l = lite_of(db);

	if (!sqlite3_get_autocommit(l->conn)) {
		l->failed = false; /* the application has begun another */
		return DB_IN_TX;
	}
	return l->failed ? DB_FAILED : DB_IDLE;
}

/* ---- connections ---- */

static int lite_identity(struct db *db, struct buf *out)
{
	const char *file = sqlite3_db_filename(lite_of(db)->conn, "main");
	char path[PATH_MAX];

	if (!file || !*file)
		return driver_fail(db, E_UNSUPPORTED, DB_OTHER, "", 0,
				   "a temporary or in-memory database cannot "
				   "take part: nobody else can reach it");
	if (!realpath(file, path))
		return driver_fail(db, E_IO, DB_OTHER, "", errno, file);
	buf_printf(out, "sqlite:%s", path);
	return OK;
}

static int lite_native(struct db *db, const void *result, bool was_in_tx)
{
	(void)result;
	return fail(lite_of(db), was_in_tx);
}

static void lite_close(struct db *db)
{
	struct lite_db *l = lite_of(db);

	if (db->owned)
		(void)sqlite3_close_v2(l->conn);
	driver_fini(db);
	mem_free(db->mem, l);
}

static const struct driver lite_driver = {
	.dialect = DIALECT_SQLITE,
	.exec = lite_exec,
	.command = lite_command,
	.commit = lite_commit,
	.state = lite_state,
	.identity = lite_identity,
	.drop = lite_drop,
	.native = lite_native,
	.close = lite_close,
};

int db_of_sqlite(struct db **out, const struct mem *mem, struct sqlite3 *conn,
		 struct db_error *error)
{
	struct lite_db *l = mem_alloc(mem, sizeof(*l));

	if (!l || driver_init(&l->db, &lite_driver, mem) != OK) {
		mem_free(mem, l);
		return error_set(error, E_NOMEM, DB_OTHER, "", 0,
				 "out of memory");
	}
	l->conn = conn;
	*out = &l->db;
	return OK;
}

struct sqlite3 *db_sqlite(const struct db *db)
{
	return db->driver == &lite_driver
		       ? CONTAINER_OF(db, struct lite_db, db)->conn
		       : NULL;
}

static int set_up(sqlite3 *conn)
{
	int rc = sqlite3_extended_result_codes(conn, 1);

	if (rc == SQLITE_OK)
		rc = sqlite3_busy_timeout(conn, BUSY_MS);
	if (rc == SQLITE_OK)
		rc = sqlite3_exec(conn,
				  "PRAGMA synchronous = FULL;"
				  "PRAGMA foreign_keys = ON",
				  NULL, NULL, NULL);
	return rc;
}

int lite_open(struct db **out, const struct mem *mem, const char *path,
	      struct db_error *error)
{
	static const char create[] = "?create=1";
	int flags = SQLITE_OPEN_READWRITE, rc;
	size_t len = strlen(path), tail = sizeof(create) - 1;
	sqlite3 *conn = NULL;
	char *file;

	if (len > tail && strcmp(path + len - tail, create) == 0) {
		flags |= SQLITE_OPEN_CREATE;
		len -= tail;
	}
	file = mem_text(mem, (struct bytes){ (const uint8_t *)path, len });
	if (!file)
		return error_set(error, E_NOMEM, DB_OTHER, "", 0,
				 "out of memory");
	rc = sqlite3_open_v2(file, &conn, flags, NULL);
	mem_free(mem, file);
	if (rc == SQLITE_OK)
		rc = set_up(conn);
	if (rc != SQLITE_OK) {
		rc = fail_code(error,
			       conn ? sqlite3_extended_errcode(conn) : rc,
			       conn ? sqlite3_errmsg(conn) : "out of memory");
		(void)sqlite3_close(conn);
		return rc;
	}
	rc = db_of_sqlite(out, mem, conn, error);
	if (rc == OK)
		(*out)->owned = true;
	else
		(void)sqlite3_close(conn);
	return rc;
}
