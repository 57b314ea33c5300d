#include "base/log.h"
#include "rm-agent/barrier/barrier_rule.h"
#include "rm-agent/barrier/barrier_sql.h"
#include "rm-agent/handle.h"
#include "rm-agent/msg/target.h"

#include <sqlite3.h>
#include <treaty/msg.h>

/*
 * Answers to the coordinator's question whether a silent producer's local
 * transaction was committed. The barrier's row knows; whatever goes wrong on
 * the way to it means "ask again".
 */

#define LOCK_WAIT_MS 2000 /* for a local transaction that is still open */

struct producer {
	char *resource;
	char *dsn;
	char *barrier_table;
	struct treaty_msg_producer p;
	void *ctx;
};

/* ---- asking ---- */

/* A connection of the application's must not wait for ever. */
static int be_impatient(struct db *db)
{
	switch (db_dialect(db)) {
	case DIALECT_POSTGRES:
		return db_command(db, "SET lock_timeout = '2s'");
	case DIALECT_MYSQL:
		return db_command(db, "SET SESSION innodb_lock_wait_timeout = "
				      "2");
	case DIALECT_SQLITE:
		break;
	}
	(void)sqlite3_busy_timeout(db_sqlite(db), LOCK_WAIT_MS);
	return OK;
}

static int query(const struct producer *p, struct db *db, const char *xid,
		 enum treaty_msg_checked *out)
{
	struct treaty_barrier b = treaty_barrier_of_message(xid);
	enum treaty_prepared prepared;
	int rc;

	b.table = p->barrier_table;
	rc = barrier_query(db, &b, &prepared);
	if (rc == OK)
		*out = prepared == TREATY_PREPARED_COMMITTED
			       ? TREATY_MSG_COMMITTED
			       : TREATY_MSG_NEVER;
	return rc;
}

static int ask_own(const struct producer *p, const char *xid,
		   enum treaty_msg_checked *out)
{
	struct db_error error = { 0 };
	struct db *db = NULL;
	int rc = db_open(&db, &mem_heap, p->dsn, &error);

	if (rc != OK)
		return agent_fail(rc, "the producer's database: %s",
				  error.message);
	rc = query(p, db, xid, out);
	db_free(db);
	return rc;
}

static void *borrow(const struct producer *p, const char *xid)
{
	if (p->p.on_pg)
		return p->p.on_pg(p->ctx, xid);
	if (p->p.on_mysql)
		return p->p.on_mysql(p->ctx, xid);
	return p->p.on_sqlite(p->ctx, xid);
}

static int db_of(const struct producer *p, void *conn, struct db **out,
		 struct db_error *error)
{
	if (p->p.on_pg)
		return db_of_pg(out, &mem_heap, conn, error);
	if (p->p.on_mysql)
		return db_of_mysql(out, &mem_heap, conn, error);
	return db_of_sqlite(out, &mem_heap, conn, error);
}

static int ask_borrowed(const struct producer *p, const char *xid,
			enum treaty_msg_checked *out)
{
	struct db_error error = { 0 };
	struct db *db = NULL;
	void *conn = borrow(p, xid);
	int rc;

	if (!conn)
		return agent_fail(E_AGAIN, "the producer has no connection "
					   "now");
	rc = db_of(p, conn, &db, &error);
	if (rc != OK)
		(void)agent_fail(rc, "%s", error.message);
	if (rc == OK) {
		rc = be_impatient(db);
		if (rc != OK)
			(void)agent_fail(rc, "%s", db_error(db)->message);
	}
	if (rc == OK)
		rc = query(p, db, xid, out);
	db_free(db);
	p->p.on_done(p->ctx, conn);
	return rc;
}

static int ask(const struct producer *p, const char *xid,
	       enum treaty_msg_checked *out)
{
	if (p->p.on_check) {
		*out = p->p.on_check(p->ctx, xid);
		return OK;
	}
	return p->dsn ? ask_own(p, xid, out) : ask_borrowed(p, xid, out);
}

/* ---- answering ---- */

/* Somebody else's local transaction is in the way: it is still open. */
static bool still_open(int rc)
{
	return rc == E_TIMEOUT || rc == E_DEADLOCK || rc == E_CONFLICT ||
	       rc == E_AGAIN;
}

static void answer(const struct producer *p, const char *xid,
		   struct agent_result *result)
{
	enum treaty_msg_checked checked = TREATY_MSG_NOT_KNOWN;
	int rc = ask(p, xid, &checked);

	if (rc == OK && checked == TREATY_MSG_COMMITTED) {
		result->status = BRANCH_COMMITTED;
	} else if (rc == OK && checked == TREATY_MSG_NEVER) {
		result->status = BRANCH_ROLLBACKED;
	} else if (rc == OK) {
		result->in_progress = true;
		buf_put_text(result->error, "the producer does not know yet");
	} else {
		result->in_progress = still_open(rc);
		buf_put_text(result->error, treaty_last_error());
	}
}

static void run(void *ctx, const struct agent_command *c,
		struct agent_result *result)
{
	const struct producer *p = ctx;

	if (c->type != AGENT_CHECK) {
		result->status = c->type == AGENT_COMMIT
					 ? BRANCH_COMMIT_UNRETRYABLE
					 : BRANCH_ROLLBACKED;
		buf_printf(result->error,
			   "%s is a producer, it takes no "
			   "messages",
			   p->resource);
		return;
	}
	answer(p, c->xid, result);
	if (result->error->len)
		LOG_WARN("a message's local transaction is not known to be "
			 "over",
			 LOG_S("xid", c->xid), LOG_S("producer", p->resource),
			 LOG_U("attempt", c->attempt),
			 LOG_B("error", buf_bytes(result->error)));
}

/* ---- offering ---- */

static void producer_free(void *ctx)
{
	struct producer *p = ctx;

	if (!p)
		return;
	mem_free(&mem_heap, p->resource);
	mem_free(&mem_heap, p->dsn);
	mem_free(&mem_heap, p->barrier_table);
	mem_free(&mem_heap, p);
}

/* True if there is nothing to copy, or it is copied. */
static bool copy(char **out, const char *text)
{
	if (!text)
		return true;
	*out = mem_text(&mem_heap, bytes_of(text));
	return *out != NULL;
}

static struct producer *producer_new(const char *name,
				     const struct treaty_msg_producer *from,
				     void *ctx)
{
	struct producer *p = mem_alloc(&mem_heap, sizeof *p);

	if (!p)
		return NULL;
	p->p = *from;
	p->ctx = ctx;
	p->resource = msg_resource(PRODUCER_PREFIX, name);
	if (p->resource && copy(&p->dsn, from->dsn) &&
	    copy(&p->barrier_table, from->barrier_table))
		return p;
	producer_free(p);
	return NULL;
}

static int check(const char *name, const struct treaty_msg_producer *p)
{
	bool lends;

	if (!name || !msg_name_ok(name))
		return agent_fail(E_INVALID, "the name of a producer is 1 to "
					     "123 bytes without control "
					     "characters, and no URL");
	if (!p || p->size < sizeof *p)
		return agent_fail(E_INVALID, "producer %s: its size is not set",
				  name);
	lends = p->on_pg || p->on_mysql || p->on_sqlite;
	if (!!p->dsn + !!p->on_pg + !!p->on_mysql + !!p->on_sqlite +
		    !!p->on_check !=
	    1)
		return agent_fail(E_INVALID,
				  "producer %s: give one of dsn, on_pg, "
				  "on_mysql, on_sqlite and on_check",
				  name);
	if (lends && !p->on_done)
		return agent_fail(E_INVALID,
				  "producer %s: who lends a connection wants "
				  "it back, give on_done",
				  name);
	if (p->barrier_table && !barrier_table_ok(p->barrier_table))
		return agent_fail(E_INVALID,
				  "producer %s: its barrier_table is not "
				  "\"name\" or \"schema.name\"",
				  name);
	return OK;
}

static int offer(struct treaty *t, struct producer *p)
{
	const struct agent_handler handler = { .run = run,
					       .free = producer_free };
	int rc = agent_resource_add(t, bytes_of(p->resource), MODE_MSG,
				    &handler, p);

	if (rc != OK)
		producer_free(p);
	return rc;
}

int treaty_msg_producer_add(struct treaty *t, const char *name,
			    const struct treaty_msg_producer *producer,
			    void *ctx)
{
	struct producer *p;
	int rc = check(name, producer);

	if (rc == OK)
		rc = handle_enter(t);
	if (rc != OK)
		return rc;
	p = producer_new(name, producer, ctx);
	rc = p ? offer(t, p)
	       : agent_fail(E_NOMEM, "producer %s: out of memory", name);
	handle_leave(t);
	return rc;
}
