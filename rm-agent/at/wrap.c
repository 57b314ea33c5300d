#include "rm-agent/at/dsn.h"
#include "rm-agent/at/engine.h"

#include "base/hash.h"

#include <libpq-fe.h>
#include <pthread.h>

#define SCRIPTS_MAX 2000

/* ---- the registry: native connection -> wrapper ---- */

static pthread_rwlock_t lock = PTHREAD_RWLOCK_INITIALIZER;
static struct map wrapped;

static uint64_t hash_of(const void *native)
{
	return hash_u64(7, (uint64_t)(uintptr_t)native);
}

static struct treaty_at *find_locked(const void *native)
{
	struct map_node *n =
		wrapped.buckets ? map_find(&wrapped, hash_of(native)) : NULL;

	for (; n; n = map_find_next(n)) {
		struct treaty_at *at = CONTAINER_OF(n, struct treaty_at, node);

		if (at->native == native)
			return at;
	}
	return NULL;
}

struct treaty_at *at_find(const void *native)
{
	struct treaty_at *at;

	pthread_rwlock_rdlock(&lock);
	at = find_locked(native);
	pthread_rwlock_unlock(&lock);
	return at;
}

static int registry_add(struct treaty_at *at)
{
	int rc = OK;

	pthread_rwlock_wrlock(&lock);
	if (!wrapped.buckets)
		rc = map_init(&wrapped, &mem_heap);
	if (rc == OK && find_locked(at->native))
		rc = E_STATE;
	if (rc == OK)
		map_insert(&wrapped, &at->node, hash_of(at->native));
	pthread_rwlock_unlock(&lock);
	return rc;
}

static void registry_remove(struct treaty_at *at)
{
	pthread_rwlock_wrlock(&lock);
	map_remove(&wrapped, &at->node);
	/* The last one takes the table along, for leak checkers. */
	if (wrapped.count == 0)
		map_fini(&wrapped);
	if (wrapped.count == 0)
		wrapped = (struct map){ 0 };
	pthread_rwlock_unlock(&lock);
}

/* ---- wrapping ---- */

static void at_fini(struct treaty_at *at)
{
	scripts_fini(&at->scripts);
	targets_fini(&at->targets);
	arena_fini(&at->call_arena);
	arena_fini(&at->local.arena);
	arena_fini(&at->local.key_arena);
	mem_free(at->mem, at->local.saves);
	buf_fini(&at->error.text);
	at_options_fini(&at->opt);
	mem_free(at->mem, at);
}

static enum sql_dialect parser_dialect(enum dialect d)
{
	return d == DIALECT_POSTGRES ? SQL_POSTGRES
	       : d == DIALECT_MYSQL  ? SQL_MYSQL
				     : SQL_SQLITE;
}

static struct treaty_at *at_new(const struct at_link *link, struct db *db,
				const void *native,
				const struct treaty_at_options *options)
{
	struct treaty_at *at = mem_alloc(&mem_heap, sizeof *at);
	int rc;

	if (!at)
		return NULL;
	at->mem = &mem_heap;
	at->link = *link;
	at->db = db;
	at->native = native;
	at->dialect = db_dialect(db);
	at->stale = true;
	at->changes = -1;
	arena_init(&at->call_arena, at->mem, 0);
	arena_init(&at->local.arena, at->mem, 0);
	arena_init(&at->local.key_arena, at->mem, 0);
	buf_init(&at->error.text, at->mem);
	at_error_clear(at);
	rc = scripts_init(&at->scripts, at->mem, parser_dialect(at->dialect),
			  SCRIPTS_MAX);
	if (rc == OK)
		rc = targets_init(&at->targets, at->mem);
	if (rc == OK)
		rc = at_options_init(&at->opt, options);
	if (rc == OK)
		return at;
	at_fini(at);
	return NULL;
}

static int attach(struct treaty_at *at, const struct treaty_at_options *options,
		  const char *dsn)
{
	struct treaty_at_options o =
		options ? *options : (struct treaty_at_options){ 0 };
	struct at_options mine;
	int rc;

	if (!o.dsn)
		o.dsn = dsn;
	rc = at_options_init(&mine, &o);
	if (rc != OK)
		return agent_fail(rc, "out of memory");
	rc = at_resource_get(&at->link, at->db, &mine, &at->resource);
	at_options_fini(&mine); /* empty if it was taken over */
	return rc;
}

int at_wrap(const struct at_link *link, struct db *db, const void *native,
	    const struct treaty_at_options *options, const char *dsn,
	    struct treaty_at **out)
{
	struct treaty_at *at;
	int rc;

	if (db_state(db) != DB_IDLE)
		return agent_fail(E_STATE, "a transaction is open on the "
					   "connection, or it is in use");
	at = at_new(link, db, native, options);
	if (!at)
		return agent_fail(E_NOMEM, "out of memory");
	rc = attach(at, options, dsn);
	if (rc == OK) {
		rc = registry_add(at);
		if (rc == E_STATE)
			(void)agent_fail(rc, "the connection is wrapped "
					     "already");
	}
	if (rc != OK) {
		at_fini(at);
		return rc;
	}
	*out = at;
	return OK;
}

void treaty_at_unwrap(struct treaty_at *at)
{
	if (!at)
		return;
	registry_remove(at);
	if (at->local.images || at->local.unfinished)
		local_abandon(at);
	if (at->shape_free)
		at->shape_free(at);
	db_free(at->db);
	at_fini(at);
}

/* ---- the public calls ---- */

static int finish_wrap(struct treaty *t, struct db *db, const void *native,
		       const struct treaty_at_options *options, struct buf *dsn,
		       int dsn_rc, struct treaty_at **out)
{
	struct at_link link = at_link_to(t);
	bool given = options && options->dsn;
	int rc;

	if (dsn_rc != OK && !given)
		rc = agent_fail(dsn_rc,
				dsn_rc == E_NOMEM
					? "out of memory"
					: "a SQLite database in memory or in "
					  "a temporary file cannot be "
					  "protected");
	else
		rc = at_wrap(&link, db, native, options,
			     given ? NULL : buf_text(dsn), out);
	if (rc != OK)
		db_free(db);
	buf_fini(dsn);
	return rc;
}

static int not_protectable(int rc, const struct db_error *error)
{
	return agent_fail(rc, "this connection cannot be protected: %s",
			  error->message);
}

int treaty_at_wrap_pg(struct treaty *t, struct pg_conn *conn,
		      const struct treaty_at_options *options,
		      struct treaty_at **out)
{
	struct db_error error = { 0 };
	struct db *db;
	struct buf dsn;
	int rc;

	if (!t || !conn || !out)
		return agent_fail(E_INVALID, "an argument is NULL");
	rc = db_of_pg(&db, &mem_heap, conn, &error);
	if (rc != OK)
		return not_protectable(rc, &error);
	buf_init(&dsn, &mem_heap);
	rc = dsn_of_pg(&dsn, conn);
	return finish_wrap(t, db, conn, options, &dsn, rc, out);
}

int treaty_at_wrap_mysql(struct treaty *t, struct st_mysql *conn,
			 const struct treaty_at_options *options,
			 struct treaty_at **out)
{
	struct db_error error = { 0 };
	struct db *db;
	struct buf dsn;
	int rc;

	if (!t || !conn || !out)
		return agent_fail(E_INVALID, "an argument is NULL");
	rc = db_of_mysql(&db, &mem_heap, conn, &error);
	if (rc != OK)
		return not_protectable(rc, &error);
	buf_init(&dsn, &mem_heap);
	rc = dsn_of_mysql(&dsn, conn);
	return finish_wrap(t, db, conn, options, &dsn, rc, out);
}

int treaty_at_wrap_sqlite(struct treaty *t, struct sqlite3 *conn,
			  const struct treaty_at_options *options,
			  struct treaty_at **out)
{
	struct db_error error = { 0 };
	struct db *db;
	struct buf dsn;
	int rc;

	if (!t || !conn || !out)
		return agent_fail(E_INVALID, "an argument is NULL");
	rc = db_of_sqlite(&db, &mem_heap, conn, &error);
	if (rc != OK)
		return not_protectable(rc, &error);
	buf_init(&dsn, &mem_heap);
	rc = dsn_of_sqlite(&dsn, conn);
	return finish_wrap(t, db, conn, options, &dsn, rc, out);
}

int treaty_at_serve(struct treaty *t, const char *dsn,
		    const struct treaty_at_options *options)
{
	struct treaty_at_options o =
		options ? *options : (struct treaty_at_options){ 0 };
	struct at_link link = at_link_to(t);
	struct db_error error = { 0 };
	struct at_resource *r;
	struct at_options mine;
	struct db *db;
	int rc;

	if (!t || !dsn)
		return agent_fail(E_INVALID, "an argument is NULL");
	o.dsn = dsn;
	rc = at_options_init(&mine, &o);
	if (rc != OK)
		return agent_fail(rc, "out of memory");
	rc = db_open(&db, &mem_heap, dsn, &error);
	if (rc != OK) {
		rc = agent_fail(rc, "cannot connect: %s", error.message);
	} else {
		rc = at_resource_get(&link, db, &mine, &r);
		db_free(db);
	}
	at_options_fini(&mine);
	return rc;
}

const char *treaty_at_resource(const struct treaty_at *at)
{
	return at_resource_id(at->resource);
}

const struct treaty_at_error *treaty_at_error(const struct treaty_at *at)
{
	return &at->error.shown;
}

void treaty_at_stats(const struct treaty_at *at, struct treaty_at_stats *out)
{
	*out = at->stats;
	out->undo_rows_deleted = at_resource_deleted(at->resource);
}

bool at_pg_standard_strings(struct db *db)
{
	const char *v =
		PQparameterStatus(db_pg(db), "standard_conforming_strings");

	return v && strcmp(v, "on") == 0;
}
