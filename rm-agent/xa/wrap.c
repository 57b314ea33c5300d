#include "rm-agent/xa/resource.h"

#include "rm-agent/at/dsn.h"

/*
 * Taking connections over and letting them go.
 */

static int finish_wrap(struct treaty *t, struct db *db, void *native,
		       const struct treaty_xa_options *options, const char *dsn,
		       struct treaty_xa **out)
{
	struct treaty_xa *xa = mem_alloc(&mem_heap, sizeof *xa);
	struct xa_options mine;
	int rc = xa ? xa_options_init(&mine, options, dsn) : E_NOMEM;

	if (rc != OK) {
		mem_free(&mem_heap, xa);
		return agent_fail(rc, "out of memory");
	}
	list_init(&xa->link);
	xa->db = db;
	xa->native = native;
	rc = xa_resource_get(t, db, &mine, &xa->r);
	if (rc == OK && xa->r->server->session(db, &xa->session) != OK) {
		rc = xa_fail_db(db, E_IO, "asking for the session");
		xa_resource_drop(xa->r);
	}
	xa_options_fini(&mine);
	if (rc != OK) {
		mem_free(&mem_heap, xa);
		return rc;
	}
	pthread_mutex_lock(&xa->r->lock);
	list_append(&xa->r->all, &xa->link);
	pthread_mutex_unlock(&xa->r->lock);
	*out = xa;
	return OK;
}

/* Checks that need no server; consumes db on failure. */
static int wrap(struct treaty *t, struct db *db, void *native,
		const struct treaty_xa_options *options, const char *dsn,
		struct treaty_xa **out)
{
	int rc = OK;

	if (db_state(db) == DB_GONE)
		rc = agent_fail(E_CLOSED, "the database connection is lost");
	else if (db_state(db) != DB_IDLE || !db_autocommit(db))
		rc = agent_fail(E_STATE, "a transaction is open on the "
					 "connection, or autocommit is off");
	if (rc == OK)
		rc = finish_wrap(t, db, native, options, dsn, out);
	if (rc != OK)
		db_free(db);
	return rc;
}

int treaty_xa_wrap_pg(struct treaty *t, struct pg_conn *conn,
		      const struct treaty_xa_options *options,
		      struct treaty_xa **out)
{
	struct db_error error = { 0 };
	struct db *db;
	struct buf dsn;
	int rc;

	if (!t || !conn || !out)
		return agent_fail(E_INVALID, "an argument is NULL");
	rc = db_of_pg(&db, &mem_heap, conn, &error);
	if (rc != OK)
		return agent_fail(rc, "%s", error.message);
	buf_init(&dsn, &mem_heap);
	rc = dsn_of_pg(&dsn, conn);
	if (rc == OK)
		rc = wrap(t, db, conn, options, buf_text(&dsn), out);
	else
		db_free(db);
	buf_fini(&dsn);
	return rc;
}

int treaty_xa_wrap_mysql(struct treaty *t, struct st_mysql *conn,
			 const struct treaty_xa_options *options,
			 struct treaty_xa **out)
{
	struct db_error error = { 0 };
	struct db *db;
	struct buf dsn;
	int rc;

	if (!t || !conn || !out)
		return agent_fail(E_INVALID, "an argument is NULL");
	rc = db_of_mysql(&db, &mem_heap, conn, &error);
	if (rc != OK)
		return agent_fail(rc, "%s", error.message);
	buf_init(&dsn, &mem_heap);
	rc = dsn_of_mysql(&dsn, conn);
	if (rc == OK)
		rc = wrap(t, db, conn, options, buf_text(&dsn), out);
	else
		db_free(db);
	buf_fini(&dsn);
	return rc;
}

static int no_sqlite(void)
{
	return agent_fail(E_UNSUPPORTED, "SQLite does not support XA: a "
					 "transaction cannot be prepared; use "
					 "AT or TCC mode");
}

int treaty_xa_wrap_sqlite(struct treaty *t, struct sqlite3 *conn,
			  const struct treaty_xa_options *options,
			  struct treaty_xa **out)
{
	(void)t;
	(void)conn;
	(void)options;
	(void)out;
	return no_sqlite();
}

int treaty_xa_connect(struct treaty *t, const char *dsn,
		      const struct treaty_xa_options *options,
		      struct treaty_xa **out)
{
	struct db_error error = { 0 };
	struct db *db;
	int rc;

	if (!t || !dsn || !out)
		return agent_fail(E_INVALID, "an argument is NULL");
	if (strncmp(dsn, "sqlite:", 7) == 0)
		return no_sqlite();
	rc = db_open(&db, &mem_heap, dsn, &error);
	if (rc != OK)
		return agent_fail(rc, "cannot connect: %s", error.message);
	return wrap(t, db, NULL, options, dsn, out);
}

int treaty_xa_serve(struct treaty *t, const char *dsn,
		    const struct treaty_xa_options *options)
{
	struct xa_resource *r;
	struct xa_options mine;
	int rc;

	if (!t || !dsn)
		return agent_fail(E_INVALID, "an argument is NULL");
	if (strncmp(dsn, "sqlite:", 7) == 0)
		return no_sqlite();
	rc = xa_options_init(&mine, options, dsn);
	if (rc != OK)
		return agent_fail(rc, "out of memory");
	rc = xa_resource_get(t, NULL, &mine, &r);
	if (rc == OK)
		xa_resource_drop(r);
	xa_options_fini(&mine);
	return rc;
}

void treaty_xa_close(struct treaty_xa *xa)
{
	struct xa_resource *r;
	bool open;

	if (!xa)
		return;
	r = xa->r;
	pthread_mutex_lock(&r->lock);
	open = xa->state == XA_ACTIVE;
	pthread_mutex_unlock(&r->lock);
	/* Pending results keep it from rolling back; closing does it then. */
	if (open)
		(void)!treaty_xa_rollback(xa);
	pthread_mutex_lock(&r->lock);
	/* When the handle is closed nobody is left to finish it here; another
	 * process cannot before this session ends. */
	if (xa->state == XA_FINISHING ||
	    (xa->state == XA_PINNED && !r->stopping)) {
		xa->abandoned = true;
		pthread_mutex_unlock(&r->lock);
		return;
	}
	list_remove(&xa->link);
	pthread_mutex_unlock(&r->lock);
	xa_free(xa);
	xa_resource_drop(r);
}

struct pg_conn *treaty_xa_pg(struct treaty_xa *xa)
{
	return xa && !treaty_xa_pinned(xa) ? db_pg(xa->db) : NULL;
}

struct st_mysql *treaty_xa_mysql(struct treaty_xa *xa)
{
	return xa && !treaty_xa_pinned(xa) ? db_mysql(xa->db) : NULL;
}

const char *treaty_xa_resource(const struct treaty_xa *xa)
{
	return xa->r->id;
}

const char *treaty_xa_gid(const struct treaty_xa *xa)
{
	return xa->text;
}

void treaty_xa_stats(struct treaty_xa *xa, struct treaty_xa_stats *out)
{
	pthread_mutex_lock(&xa->r->lock);
	*out = xa->r->stats;
	pthread_mutex_unlock(&xa->r->lock);
}

int treaty_xa_recover(struct treaty_xa *xa)
{
	if (!xa)
		return agent_fail(E_INVALID, "an argument is NULL");
	return xa_recover_scan(xa->r);
}
