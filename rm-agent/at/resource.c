#include "rm-agent/at/resource_impl.h"
#include "undo/quote.h"

const char *at_resource_id(const struct at_resource *r)
{
	return r->id;
}

const struct at_undo_sql *at_resource_sql(const struct at_resource *r)
{
	return &r->sql;
}

uint64_t at_resource_deleted(const struct at_resource *r)
{
	struct at_resource *mine = (struct at_resource *)(uintptr_t)r;
	uint64_t n;

	pthread_mutex_lock(&mine->lock);
	n = mine->deleted;
	pthread_mutex_unlock(&mine->lock);
	return n;
}

/* ---- connections of our own ---- */

struct db *resource_take(struct at_resource *r, struct db_error *error, int *rc)
{
	struct db *db = NULL;

	*rc = OK;
	pthread_mutex_lock(&r->lock);
	if (r->n_pool)
		db = r->pool[--r->n_pool];
	pthread_mutex_unlock(&r->lock);
	if (db)
		return db;
	*error = (struct db_error){ 0 };
	*rc = db_open(&db, &mem_heap, r->opt.dsn, error);
	return *rc == OK ? db : NULL;
}

void resource_give(struct at_resource *r, struct db *db)
{
	bool good = db_state(db) == DB_IDLE;

	pthread_mutex_lock(&r->lock);
	if (good && r->n_pool < POOL_MAX && !r->stopping) {
		r->pool[r->n_pool++] = db;
		db = NULL;
	}
	pthread_mutex_unlock(&r->lock);
	db_free(db);
}

/* ---- making and freeing ---- */

static void resource_free(void *ctx)
{
	struct at_resource *r = ctx;

	if (!r)
		return;
	keeper_stop(r);
	while (r->n_pool)
		db_free(r->pool[--r->n_pool]);
	at_undo_sql_fini(&r->sql);
	at_options_fini(&r->opt);
	mem_free(&mem_heap, r->schema);
	mem_free(&mem_heap, r->id);
	mem_free(&mem_heap, r->queue);
	pthread_mutex_destroy(&r->lock);
	pthread_mutex_destroy(&r->flushing);
	pthread_cond_destroy(&r->changed);
	mem_free(&mem_heap, r);
}

static void init_locks(struct at_resource *r)
{
	pthread_condattr_t attr;

	pthread_mutex_init(&r->lock, NULL);
	pthread_mutex_init(&r->flushing, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&r->changed, &attr);
	pthread_condattr_destroy(&attr);
}

static struct at_resource *resource_new(const struct at_link *link,
					struct bytes id)
{
	struct at_resource *r = mem_alloc(&mem_heap, sizeof *r);

	if (!r)
		return NULL;
	init_locks(r);
	r->link = *link;
	r->id = mem_text(&mem_heap, id);
	r->queue = mem_array(&mem_heap, QUEUE_MAX, sizeof *r->queue);
	if (r->id && r->queue)
		return r;
	resource_free(r);
	return NULL;
}

static int fail_db(struct db *db, int rc, const char *what)
{
	return agent_fail(rc, "%s: %s", what,
			  rc == E_NOMEM ? "out of memory"
					: db_error(db)->message);
}

/* ---- the undo table ---- */

/* In which schema it is, or would be made. */
static int find_schema(struct at_resource *r, struct db *db)
{
	struct value v = { VALUE_TEXT, bytes_of(r->opt.undo_table) };
	struct db_stmt stmt = { .params = &v };
	struct db_result result;
	struct arena arena;
	int rc = OK;

	arena_init(&arena, &mem_heap, 0);
	if (db_dialect(db) == DIALECT_POSTGRES) {
		stmt.sql = BYTES("SELECT COALESCE((SELECT n.nspname FROM "
				 "pg_class c JOIN pg_namespace n ON n.oid = "
				 "c.relnamespace WHERE c.oid = "
				 "to_regclass(quote_ident($1))), "
				 "current_schema())::text");
		stmt.n_params = 1;
	} else if (db_dialect(db) == DIALECT_MYSQL) {
		stmt.sql = BYTES("SELECT DATABASE()");
	} else {
		r->schema = mem_text(&mem_heap, BYTES("main"));
	}
	if (stmt.sql.len)
		rc = db_exec(db, &stmt, &arena, &result);
	if (rc != OK)
		rc = fail_db(db, rc, "looking for the undo table");
	else if (stmt.sql.len && result.n_rows == 1)
		r->schema = mem_text(&mem_heap, db_value(&result, 0, 0).data);
	arena_fini(&arena);
	if (rc == OK && !r->schema)
		return agent_fail(E_NOMEM, "out of memory");
	return rc;
}

static bool table_is_there(struct at_resource *r, struct db *db)
{
	struct db_stmt stmt = { 0 };
	struct db_result result;
	struct arena arena;
	struct buf sql;
	int rc;

	arena_init(&arena, &mem_heap, 0);
	buf_init(&sql, &arena.as_mem);
	buf_put_text(&sql, "SELECT xid, branch_id, part FROM ");
	quote_table(&sql, r->log.dialect, r->log.schema, r->log.name);
	buf_put_text(&sql, " WHERE 1 = 0");
	stmt.sql = buf_bytes(&sql);
	rc = buf_error(&sql) == OK ? db_exec(db, &stmt, &arena, &result)
				   : E_NOMEM;
	arena_fini(&arena);
	return rc == OK;
}

static int make_table(struct at_resource *r, struct db *db)
{
	int rc;

	if (table_is_there(r, db))
		return OK;
	if (!r->opt.create_undo_table)
		return agent_fail(E_NOTFOUND,
				  "there is no usable undo table and it may "
				  "not be created; create it with: %s; %s",
				  r->sql.text[UNDO_LOG_CREATE],
				  r->sql.text[UNDO_LOG_CREATE_INDEX]);
	rc = db_command(db, r->sql.text[UNDO_LOG_CREATE]);
	if (rc == OK && r->sql.text[UNDO_LOG_CREATE_INDEX][0])
		rc = db_command(db, r->sql.text[UNDO_LOG_CREATE_INDEX]);
	/* Another process may have been quicker. */
	if (rc != OK && !table_is_there(r, db))
		return fail_db(db, rc, "creating the undo table");
	return OK;
}

/*
 * May the second phase write the undo table? Without the rights a first phase
 * could commit what no rollback can ever undo. Other troubles, a server that
 * is read-only for now, say, need not keep a program from starting. The
 * statements meet no row: nothing is locked and no trigger of a row runs.
 */
static int check_rights(struct at_resource *r, struct db *db)
{
#define COLUMNS                                                                \
	"xid, branch_id, part, context, rollback_info, log_status, "           \
	"log_created, log_modified"
	static const char *const texts[][2] = {
		{ "SELECT xid FROM ", " WHERE 1 = 0 FOR UPDATE" },
		{ "INSERT INTO ", " (" COLUMNS ") SELECT " COLUMNS " FROM " },
		{ "DELETE FROM ", " WHERE 1 = 0" },
	};
	struct buf name, sql;
	int rc = OK;

	if (db_dialect(db) == DIALECT_SQLITE)
		return OK;
	buf_init(&name, &mem_heap);
	buf_init(&sql, &mem_heap);
	quote_table(&name, r->log.dialect, r->log.schema, r->log.name);
	for (size_t i = 0; rc == OK && i < ARRAY_LEN(texts); i++) {
		buf_clear(&sql);
		buf_printf(&sql, "%s%s%s", texts[i][0], buf_text(&name),
			   texts[i][1]);
		if (i == 1)
			buf_printf(&sql, "%s WHERE 1 = 0", buf_text(&name));
		rc = db_command(db, buf_text(&sql));
	}
	if (rc != OK && db_error(db)->class == DB_PERMISSION)
		rc = agent_fail(E_DENIED,
				"the user of the second phase (see "
				"treaty_at_options.dsn) may not write the undo "
				"table: %s; GRANT SELECT, INSERT, UPDATE, "
				"DELETE ON %s to it",
				db_error(db)->message, buf_text(&name));
	else
		rc = OK;
	buf_fini(&sql);
	buf_fini(&name);
	return rc;
#undef COLUMNS
}

/* ---- getting ---- */

static int same_database(struct db *db, struct db *own)
{
	struct bytes a, b;
	struct arena arena;
	int rc;

	arena_init(&arena, &mem_heap, 0);
	rc = db_identity(db, &arena, &a);
	if (rc == OK)
		rc = db_identity(own, &arena, &b);
	if (rc != OK)
		rc = fail_db(db, rc, "asking which database it is");
	else if (!bytes_equal(a, b))
		rc = agent_fail(E_INVALID,
				".dsn leads to another database than the "
				"connection");
	arena_fini(&arena);
	return rc;
}

static int set_up(struct at_resource *r, struct db *db)
{
	struct db_error error;
	struct db *own;
	int rc = OK;

	own = resource_take(r, &error, &rc);
	if (!own)
		return agent_fail(rc,
				  "the agent cannot connect for the second "
				  "phase (see treaty_at_options.dsn): %s",
				  error.message);
	rc = same_database(db, own);
	if (rc == OK)
		rc = find_schema(r, db);
	if (rc == OK) {
		r->log = (struct undo_log){ .dialect = db_dialect(db),
					    .schema = bytes_of(r->schema),
					    .name = bytes_of(
						    r->opt.undo_table) };
		rc = at_undo_sql_init(&r->sql, &r->log);
		if (rc != OK)
			(void)agent_fail(rc, "out of memory");
	}
	if (rc == OK)
		rc = make_table(r, own);
	if (rc == OK)
		rc = check_rights(r, own);
	resource_give(r, own);
	return rc;
}

static int add(const struct at_link *link, struct db *db, struct bytes id,
	       struct at_options *options, struct at_resource **out)
{
	static const struct agent_handler handler = { phase_two_run,
						      resource_free };
	struct at_resource *r = resource_new(link, id);
	struct at_options given = *options;
	int rc;

	if (!r)
		return agent_fail(E_NOMEM, "out of memory");
	r->opt = given;
	rc = set_up(r, db);
	if (rc == OK)
		rc = keeper_start(r);
	if (rc == OK)
		rc = link->offer(link->ctx, id, &handler, r);
	if (rc != OK) {
		r->opt = (struct at_options){ 0 }; /* stays the caller's */
		r->opt.no_thread = given.no_thread;
		resource_free(r);
		return rc;
	}
	*options = (struct at_options){ 0 };
	*out = r;
	return OK;
}

int at_resource_get(const struct at_link *link, struct db *db,
		    struct at_options *options, struct at_resource **out)
{
	struct arena arena;
	struct bytes id = { 0 };
	int rc = OK;

	arena_init(&arena, &mem_heap, 0);
	if (options->resource)
		id = bytes_of(options->resource);
	else
		rc = db_identity(db, &arena, &id);
	if (rc != OK) {
		rc = fail_db(db, rc, "asking which database it is");
	} else {
		*out = link->offered(link->ctx, id);
		if (!*out)
			rc = add(link, db, id, options, out);
		if (rc == E_STATE) { /* another thread was quicker */
			*out = link->offered(link->ctx, id);
			rc = *out ? OK : E_STATE;
		}
	}
	arena_fini(&arena);
	return rc;
}
