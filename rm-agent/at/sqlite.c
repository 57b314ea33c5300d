#include "rm-agent/at/shape.h"

#include "base/hash.h"

#include <treaty/sqlite.h>

#include <pthread.h>

/*
 * A statement that was prepared here is known by its address, with copies of
 * its text and parameters (SQLite cannot be asked for them exactly). The first
 * step of a run goes through the engine, later ones straight to SQLite.
 */

struct lite_stmt {
	struct map_node node;
	struct treaty_at *at;
	sqlite3_stmt *stmt;
	char *text;
	struct value *params;
	size_t n_params;
	bool running;    /* between the first step and the last, or reset */
	int stepped;     /* what the first step of the engine's run gave */
	bool unfinished; /* at_finish_own() is due at its end */
};

static pthread_rwlock_t lock = PTHREAD_RWLOCK_INITIALIZER;
static struct map known;

static uint64_t hash_of(const sqlite3_stmt *stmt)
{
	return hash_u64(9, (uint64_t)(uintptr_t)stmt);
}

static struct lite_stmt *find(const sqlite3_stmt *stmt)
{
	struct lite_stmt *found = NULL;

	pthread_rwlock_rdlock(&lock);
	for (struct map_node *n =
		     known.buckets ? map_find(&known, hash_of(stmt)) : NULL;
	     n && !found; n = map_find_next(n)) {
		struct lite_stmt *s = CONTAINER_OF(n, struct lite_stmt, node);

		if (s->stmt == stmt)
			found = s;
	}
	pthread_rwlock_unlock(&lock);
	return found;
}

static int remember(struct lite_stmt *s)
{
	int rc = OK;

	pthread_rwlock_wrlock(&lock);
	if (!known.buckets)
		rc = map_init(&known, &mem_heap);
	if (rc == OK)
		map_insert(&known, &s->node, hash_of(s->stmt));
	pthread_rwlock_unlock(&lock);
	return rc;
}

static void forget(struct lite_stmt *s)
{
	pthread_rwlock_wrlock(&lock);
	map_remove(&known, &s->node);
	if (known.count == 0) {
		map_fini(&known);
		known = (struct map){ 0 };
	}
	pthread_rwlock_unlock(&lock);
}

static void stmt_free(struct lite_stmt *s)
{
	for (size_t i = 0; i < s->n_params; i++)
		mem_free(&mem_heap, (void *)(uintptr_t)s->params[i].data.data);
	mem_free(&mem_heap, s->params);
	mem_free(&mem_heap, s->text);
	mem_free(&mem_heap, s);
}

/* ---- codes ---- */

static int code_of(int rc)
{
	switch (rc) {
	case OK:
		return SQLITE_OK;
	case E_CONFLICT:
	case E_TIMEOUT:
	case E_DEADLOCK:
		return SQLITE_BUSY;
	case E_UNSUPPORTED:
		return SQLITE_AUTH;
	case E_NOMEM:
		return SQLITE_NOMEM;
	case E_STATE:
	case E_CLOSED:
	case E_UNKNOWN:
		return SQLITE_ABORT;
	default:
		return SQLITE_ERROR;
	}
}

/* ---- preparing and binding ---- */

static struct lite_stmt *stmt_new(struct treaty_at *at, sqlite3_stmt *stmt,
				  const char *sql, const char *end)
{
	struct lite_stmt *s = mem_alloc(&mem_heap, sizeof *s);

	if (!s)
		return NULL;
	s->at = at;
	s->stmt = stmt;
	s->n_params = (size_t)sqlite3_bind_parameter_count(stmt);
	s->params = mem_array(&mem_heap, s->n_params + 1, sizeof *s->params);
	s->text = mem_text(&mem_heap, (struct bytes){ (const uint8_t *)sql,
						      (size_t)(end - sql) });
	if (s->params && s->text && remember(s) == OK)
		return s;
	if (!s->params)
		s->n_params = 0;
	stmt_free(s);
	return NULL;
}

int treaty_sqlite3_prepare_v2(sqlite3 *db, const char *sql, int nbyte,
			      sqlite3_stmt **stmt, const char **tail)
{
	struct treaty_at *at = at_find(db);
	const char *end = NULL;
	int code = sqlite3_prepare_v2(db, sql, nbyte, stmt, &end);

	if (tail)
		*tail = end;
	if (!at || code != SQLITE_OK || !*stmt)
		return code;
	if (stmt_new(at, *stmt, sql, end))
		return SQLITE_OK;
	(void)sqlite3_finalize(*stmt);
	*stmt = NULL;
	return SQLITE_NOMEM;
}

static int keep(sqlite3_stmt *stmt, int i, enum value_type type,
		struct bytes data)
{
	struct lite_stmt *s = find(stmt);
	char *copy;

	if (!s || i < 1 || (size_t)i > s->n_params)
		return SQLITE_OK;
	copy = type == VALUE_NULL ? NULL : mem_text(&mem_heap, data);
	if (type != VALUE_NULL && !copy)
		return SQLITE_NOMEM;
	mem_free(&mem_heap, (void *)(uintptr_t)s->params[i - 1].data.data);
	s->params[i - 1] =
		(struct value){ type,
				{ (uint8_t *)copy, copy ? data.len : 0 } };
	return SQLITE_OK;
}

static int keep_value(struct lite_stmt *s, int i, const struct value *v)
{
	int code = keep(s->stmt, i, v->type, v->data);

	arena_reset(&s->at->call_arena);
	return code;
}

int treaty_sqlite3_bind_null(sqlite3_stmt *stmt, int i)
{
	int code = sqlite3_bind_null(stmt, i);

	return code ? code : keep(stmt, i, VALUE_NULL, BYTES(""));
}

int treaty_sqlite3_bind_int64(sqlite3_stmt *stmt, int i, sqlite3_int64 v)
{
	int code = sqlite3_bind_int64(stmt, i, v);
	struct lite_stmt *s = find(stmt);
	struct value value;

	if (code || !s)
		return code;
	if (shape_int(s->at, v, false, &value) != OK)
		return SQLITE_NOMEM;
	return keep_value(s, i, &value);
}

int treaty_sqlite3_bind_int(sqlite3_stmt *stmt, int i, int v)
{
	return treaty_sqlite3_bind_int64(stmt, i, v);
}

int treaty_sqlite3_bind_double(sqlite3_stmt *stmt, int i, double v)
{
	int code = sqlite3_bind_double(stmt, i, v);
	struct lite_stmt *s = find(stmt);
	struct value value;

	if (code || !s)
		return code;
	if (shape_double(s->at, v, &value) != OK)
		return SQLITE_NOMEM;
	return keep_value(s, i, &value);
}

/* Copied before SQLite may hand the original to `destroy`. */
static int bind_data(sqlite3_stmt *stmt, int i, enum value_type type,
		     const void *data, int len)
{
	size_t n = 0;

	if (!data)
		return keep(stmt, i, VALUE_NULL, BYTES(""));
	if (type == VALUE_TEXT && len < 0)
		n = strlen(data);
	else if (len > 0)
		n = (size_t)len;
	return keep(stmt, i, type, (struct bytes){ data, n });
}

int treaty_sqlite3_bind_text(sqlite3_stmt *stmt, int i, const char *text,
			     int len, void (*destroy)(void *))
{
	int kept = bind_data(stmt, i, VALUE_TEXT, text, len);
	int code = sqlite3_bind_text(stmt, i, text, len, destroy);

	return code ? code : kept;
}

int treaty_sqlite3_bind_blob(sqlite3_stmt *stmt, int i, const void *data,
			     int len, void (*destroy)(void *))
{
	int kept = bind_data(stmt, i, VALUE_BYTES, data, len);
	int code = sqlite3_bind_blob(stmt, i, data, len, destroy);

	return code ? code : kept;
}

int treaty_sqlite3_clear_bindings(sqlite3_stmt *stmt)
{
	struct lite_stmt *s = find(stmt);

	for (size_t i = 0; s && i < s->n_params; i++)
		(void)keep(stmt, (int)i + 1, VALUE_NULL, BYTES(""));
	return sqlite3_clear_bindings(stmt);
}

/* ---- stepping ---- */

/* Rows that the engine wants come from a statement of its own. */
static int run_for_engine(struct at_run *run, struct bytes text,
			  struct arena *arena, struct at_done *out)
{
	struct lite_stmt *s = run->ctx;
	struct db_stmt stmt = { .sql = text,
				.params = run->params,
				.n_params = run->n_params,
				.as = run->as,
				.n_as = run->n_as };
	struct db_result r;
	int rc = db_exec(s->at->db, &stmt, arena, &r);

	if (rc != OK)
		return rc;
	out->rows = r;
	out->affected = out->matched = r.affected;
	out->insert_id = r.last_insert_id;
	s->stepped = SQLITE_DONE;
	return OK;
}

static int run(struct at_run *run, struct bytes text, bool rows,
	       struct arena *arena, struct at_done *out)
{
	struct lite_stmt *s = run->ctx;
	sqlite3 *db = sqlite3_db_handle(s->stmt);
	bool was_in_tx = !sqlite3_get_autocommit(db);
	int rc;

	if (rows || text.len) {
		rc = run_for_engine(run, text, arena, out);
	} else {
		s->stepped = sqlite3_step(s->stmt);
		rc = OK;
		if (s->stepped != SQLITE_DONE && s->stepped != SQLITE_ROW) {
			run->native = true;
			rc = db_native_error(s->at->db, NULL, was_in_tx);
		}
		run->unfinished = s->stepped == SQLITE_ROW &&
				  !sqlite3_stmt_readonly(s->stmt);
		out->affected = out->matched = (uint64_t)sqlite3_changes64(db);
	}
	if (rc == OK) {
		s->at->changes = (int)out->affected;
		s->at->rowid = sqlite3_last_insert_rowid(db);
	}
	return rc;
}

static void drop(struct at_run *run)
{
	struct lite_stmt *s = run->ctx;

	(void)sqlite3_reset(s->stmt);
}

/* What the application would find, had Treaty written nothing of its own. */
static void put_back(struct treaty_at *at, sqlite3 *db)
{
	if (at->rowid)
		sqlite3_set_last_insert_rowid(db, at->rowid);
}

static int finish(struct lite_stmt *s)
{
	struct treaty_at *at = s->at;
	int rc;

	if (!s->unfinished)
		return OK;
	s->unfinished = false;
	rc = at_finish_own(at);
	put_back(at, sqlite3_db_handle(s->stmt));
	return rc;
}

static int first_step(struct lite_stmt *s)
{
	struct treaty_at *at = s->at;
	struct at_run r = { .sql = bytes_of(s->text),
			    .params = s->params,
			    .n_params = s->n_params,
			    .can_return = true,
			    .fixed_text = true,
			    .run = run,
			    .drop = drop,
			    .ctx = s };
	int rc;

	at->rowid = 0;
	rc = at_run_statement(at, &r);
	arena_reset(&at->call_arena);
	put_back(at, sqlite3_db_handle(s->stmt));
	if (rc != OK) {
		int code = r.native ? s->stepped : code_of(rc);

		if (r.native)
			(void)at_fail(at, rc, "%s", db_error(at->db)->message);
		(void)sqlite3_reset(s->stmt);
		return code;
	}
	s->running = s->stepped == SQLITE_ROW;
	s->unfinished = r.unfinished && at->local.unfinished;
	return s->stepped;
}

int treaty_sqlite3_step(sqlite3_stmt *stmt)
{
	struct lite_stmt *s = find(stmt);
	int code;

	if (!s || (!s->running && !at_concerned(s->at))) {
		if (s) {
			at_error_clear(s->at);
			at_passed_by(s->at, bytes_of(s->text));
			s->at->changes = -1;
		}
		return sqlite3_step(stmt);
	}
	if (!s->running) {
		at_error_clear(s->at);
		return first_step(s);
	}
	code = sqlite3_step(stmt);
	if (code == SQLITE_ROW)
		return code;
	s->running = false;
	if (code == SQLITE_DONE) {
		int rc = finish(s);

		if (rc != OK)
			code = code_of(rc);
	}
	return code;
}

int treaty_sqlite3_reset(sqlite3_stmt *stmt)
{
	struct lite_stmt *s = find(stmt);
	int code = sqlite3_reset(stmt);
	int rc;

	if (!s)
		return code;
	s->running = false;
	rc = finish(s);
	return rc != OK ? code_of(rc) : code;
}

int treaty_sqlite3_finalize(sqlite3_stmt *stmt)
{
	struct lite_stmt *s = stmt ? find(stmt) : NULL;
	int code, rc;

	if (!s)
		return sqlite3_finalize(stmt);
	(void)sqlite3_reset(stmt);
	rc = finish(s);
	forget(s);
	stmt_free(s);
	code = sqlite3_finalize(stmt);
	return rc != OK ? code_of(rc) : code;
}

/* ---- the rest ---- */

static int give_row(sqlite3_stmt *stmt,
		    int (*callback)(void *, int, char **, char **), void *ctx)
{
	int n = sqlite3_column_count(stmt);
	char **cells = mem_array(&mem_heap, 2 * (size_t)n + 1, sizeof *cells);
	int stop;

	if (!cells)
		return SQLITE_NOMEM;
	for (int i = 0; i < n; i++) {
		cells[i] = (char *)(uintptr_t)sqlite3_column_text(stmt, i);
		cells[n + i] = (char *)(uintptr_t)sqlite3_column_name(stmt, i);
	}
	stop = callback ? callback(ctx, n, cells, cells + n) : 0;
	mem_free(&mem_heap, cells);
	return stop ? SQLITE_ABORT : SQLITE_OK;
}

static int exec_one(sqlite3_stmt *stmt,
		    int (*callback)(void *, int, char **, char **), void *ctx)
{
	int code, end;

	while ((code = treaty_sqlite3_step(stmt)) == SQLITE_ROW) {
		code = give_row(stmt, callback, ctx);
		if (code != SQLITE_OK)
			break;
	}
	end = treaty_sqlite3_finalize(stmt);
	if (code == SQLITE_DONE)
		code = end;
	return code;
}

int treaty_sqlite3_exec(sqlite3 *db, const char *sql,
			int (*callback)(void *, int, char **, char **),
			void *ctx, char **errmsg)
{
	int code = SQLITE_OK;

	if (!at_find(db))
		return sqlite3_exec(db, sql, callback, ctx, errmsg);
	if (errmsg)
		*errmsg = NULL;
	while (code == SQLITE_OK && sql && *sql) {
		sqlite3_stmt *stmt = NULL;

		code = treaty_sqlite3_prepare_v2(db, sql, -1, &stmt, &sql);
		if (code == SQLITE_OK && stmt)
			code = exec_one(stmt, callback, ctx);
	}
	if (code != SQLITE_OK && errmsg)
		*errmsg = sqlite3_mprintf("%s", treaty_sqlite3_errmsg(db));
	return code;
}

int treaty_sqlite3_changes(sqlite3 *db)
{
	struct treaty_at *at = at_find(db);

	return at && at->changes >= 0 ? at->changes : sqlite3_changes(db);
}

const char *treaty_sqlite3_errmsg(sqlite3 *db)
{
	struct treaty_at *at = at_find(db);

	if (at && at->error.shown.code != OK)
		return at->error.shown.message;
	return sqlite3_errmsg(db);
}

int treaty_sqlite3_close(sqlite3 *db)
{
	treaty_at_unwrap(at_find(db));
	return sqlite3_close(db);
}
