#include "rm-agent/xa/resource.h"

#include <libpq-fe.h>
#include <mysql.h>
#include <time.h>

uint64_t xa_now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

bool xa_wait_until(struct xa_resource *r, uint64_t until_ms)
{
	const struct timespec t = { (time_t)(until_ms / 1000),
				    (long)(until_ms % 1000) * 1000000 };

	return pthread_cond_timedwait(&r->changed, &r->lock, &t) == 0 ||
	       xa_now_ms() < until_ms;
}

/* ---- connections of our own ---- */

struct db *xa_take(struct xa_resource *r, struct db_error *error, int *rc)
{
	struct db *db = NULL;

	*rc = OK;
	*error = (struct db_error){ 0 };
	pthread_mutex_lock(&r->lock);
	if (r->n_pool)
		db = r->pool[--r->n_pool];
	pthread_mutex_unlock(&r->lock);
	if (db)
		return db;
	*rc = db_open(&db, &mem_heap, r->opt.dsn, error);
	if (*rc == OK) {
		*rc = r->server->set_up(db);
		if (*rc != OK)
			*error = *db_error(db);
	} else {
		db = NULL;
	}
	if (*rc == OK)
		return db;
	db_free(db);
	return NULL;
}

void xa_give(struct xa_resource *r, struct db *db)
{
	bool good = db_state(db) == DB_IDLE;

	pthread_mutex_lock(&r->lock);
	if (good && r->n_pool < XA_POOL_MAX && !r->stopping) {
		r->pool[r->n_pool++] = db;
		db = NULL;
	}
	pthread_mutex_unlock(&r->lock);
	db_free(db);
}

/* ---- the application's connections ---- */

void xa_free(struct treaty_xa *xa)
{
	const bool is_pg = db_dialect(xa->db) == DIALECT_POSTGRES;

	db_free(xa->db);
	if (xa->native && is_pg)
		PQfinish(xa->native);
	else if (xa->native)
		mysql_close(xa->native);
	mem_free(&mem_heap, xa);
}

bool xa_move(struct treaty_xa *xa, enum xa_state state)
{
	struct xa_resource *r = xa->r;

	if (state == XA_PINNED && xa->state == XA_ENDING)
		r->stats.pinned++;
	if (state == XA_IDLE && xa->state == XA_FINISHING)
		r->stats.pinned--;
	xa->state = state;
	pthread_cond_broadcast(&r->changed);
	if (state != XA_IDLE || !xa->abandoned)
		return true;
	list_remove(&xa->link);
	r->refs--;
	xa_free(xa);
	return false;
}

/* ---- making and freeing ---- */

static void resource_free(struct xa_resource *r)
{
	while (r->n_pool)
		db_free(r->pool[--r->n_pool]);
	xa_options_fini(&r->opt);
	mem_free(&mem_heap, r->id);
	mem_free(&mem_heap, r->table);
	pthread_mutex_destroy(&r->lock);
	pthread_mutex_destroy(&r->scanning);
	pthread_cond_destroy(&r->changed);
	mem_free(&mem_heap, r);
}

void xa_resource_drop(struct xa_resource *r)
{
	bool last;

	pthread_mutex_lock(&r->lock);
	last = --r->refs == 0;
	pthread_mutex_unlock(&r->lock);
	if (last)
		resource_free(r);
}

/* No phase two will come to them in this process; the database keeps what is
 * prepared for the next one. */
static void free_abandoned(struct xa_resource *r)
{
	LIST_EACH(link, &r->all) {
		struct treaty_xa *xa =
			CONTAINER_OF(link, struct treaty_xa, link);

		if (!xa->abandoned)
			continue;
		list_remove(&xa->link);
		r->refs--;
		xa_free(xa);
	}
}

/* The agent takes it away: no handler runs any more. */
static void withdraw(void *ctx)
{
	struct xa_resource *r = ctx;

	xa_recover_stop(r);
	pthread_mutex_lock(&r->lock);
	free_abandoned(r);
	pthread_mutex_unlock(&r->lock);
	xa_resource_drop(r);
}

static void init_locks(struct xa_resource *r)
{
	pthread_condattr_t attr;

	pthread_mutex_init(&r->lock, NULL);
	pthread_mutex_init(&r->scanning, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&r->changed, &attr);
	pthread_condattr_destroy(&attr);
}

static struct xa_resource *resource_new(struct treaty *t,
					const struct xa_server *server,
					struct bytes id)
{
	struct xa_resource *r = mem_alloc(&mem_heap, sizeof *r);

	if (!r)
		return NULL;
	init_locks(r);
	list_init(&r->all);
	r->t = t;
	r->server = server;
	r->refs = 1; /* the agent's */
	r->id = mem_text(&mem_heap, id);
	if (r->id)
		return r;
	resource_free(r);
	return NULL;
}

/* ---- getting ---- */

static int same_database(struct db *app, struct db *own)
{
	struct bytes a, b;
	struct arena arena;
	int rc;

	arena_init(&arena, &mem_heap, 0);
	rc = db_identity(app, &arena, &a);
	if (rc == OK)
		rc = db_identity(own, &arena, &b);
	if (rc != OK)
		rc = xa_fail_db(app, rc, "asking which database it is");
	else if (!bytes_equal(a, b))
		rc = agent_fail(E_INVALID, ".dsn leads to another database "
					   "than the connection");
	arena_fini(&arena);
	return rc;
}

static int gate(struct xa_resource *r, struct db *app, struct db *own)
{
	int rc = app ? same_database(app, own) : OK;

	if (rc != OK)
		return rc;
	if (db_dialect(own) == DIALECT_POSTGRES)
		return xa_gate_pg(app, own);
	rc = xa_gate_my(own, r->opt.weak_durability);
	if (rc == OK)
		rc = xa_table_my(own, r->opt.table, r->opt.may_create,
				 &r->table);
	return rc;
}

static int set_up(struct xa_resource *r, struct db *app)
{
	struct db_error error;
	struct db *own;
	int rc;

	own = xa_take(r, &error, &rc);
	if (!own)
		return agent_fail(rc,
				  "the agent cannot connect for the second "
				  "phase (see treaty_xa_options.dsn): %s",
				  error.message);
	rc = gate(r, app, own);
	xa_give(r, own);
	return rc;
}

static int add(struct treaty *t, struct db *app, struct bytes id,
	       const struct xa_server *server, struct xa_options *options,
	       struct xa_resource **out)
{
	static const struct agent_handler handler = { xa_phase_two, withdraw };
	struct xa_resource *r = resource_new(t, server, id);
	int rc;

	if (!r)
		return agent_fail(E_NOMEM, "out of memory");
	r->opt = *options;
	rc = set_up(r, app);
	if (rc == OK && xa_recover_start(r) != OK)
		rc = agent_fail(E_IO, "no thread for recovery");
	r->refs++; /* the caller's, before the agent may drop its own */
	if (rc == OK)
		rc = agent_resource_add(t, id, MODE_XA, &handler, r);
	if (rc != OK) {
		xa_recover_stop(r);
		r->opt = (struct xa_options){ 0 }; /* stays the caller's */
		resource_free(r);
		return rc;
	}
	*options = (struct xa_options){ 0 };
	*out = r;
	return OK;
}

static struct xa_resource *find(struct treaty *t, struct bytes id)
{
	struct xa_resource *r = agent_resource_find(t, id);

	if (r) {
		pthread_mutex_lock(&r->lock);
		r->refs++;
		pthread_mutex_unlock(&r->lock);
	}
	return r;
}

static int id_of(struct db *any, const struct xa_options *options,
		 struct buf *id)
{
	struct bytes identity;
	struct arena arena;
	int rc = OK;

	if (options->resource) {
		buf_put_text(id, options->resource);
		return buf_error(id);
	}
	arena_init(&arena, &mem_heap, 0);
	rc = db_identity(any, &arena, &identity);
	if (rc == OK) {
		/* AT may serve the same database by its plain identity. */
		buf_put_text(id, "xa:");
		buf_put(id, identity);
		rc = buf_error(id);
	}
	arena_fini(&arena);
	return rc;
}

int xa_resource_get(struct treaty *t, struct db *app,
		    struct xa_options *options, struct xa_resource **out)
{
	struct db_error error = { 0 };
	struct db *any = app;
	struct buf id;
	int rc = OK;

	buf_init(&id, &mem_heap);
	if (!app)
		rc = db_open(&any, &mem_heap, options->dsn, &error);
	if (rc != OK) {
		rc = agent_fail(rc, "cannot connect: %s", error.message);
		any = NULL;
	} else {
		rc = id_of(any, options, &id);
		if (rc != OK)
			rc = xa_fail_db(any, rc, "asking which database it is");
	}
	if (rc == OK) {
		*out = find(t, buf_bytes(&id));
		if (!*out)
			rc = add(t, app, buf_bytes(&id),
				 xa_server_of(db_dialect(any)), options, out);
		if (rc == E_STATE) { /* another thread was quicker */
			*out = find(t, buf_bytes(&id));
			rc = *out ? OK : E_STATE;
		}
	}
	if (any != app)
		db_free(any);
	buf_fini(&id);
	return rc;
}
