#include "rm-agent/agent.h"
#include "rm-agent/barrier/barrier_rule.h"
#include "rm-agent/barrier/barrier_sql.h"

/* The public calls: the same rule for three kinds of connection. */

/* What is to be done with whichever connection. */
struct task {
	enum { CALL, QUERY, CREATE, PURGE } what;
	struct treaty_barrier barrier;
	const char *table;
	enum treaty_barrier_verdict *verdict;
	enum treaty_prepared *prepared;
	uint64_t older_than_s;
	uint32_t rows_max;
	uint64_t *n;
};

static int run(struct db *db, const struct task *k)
{
	switch (k->what) {
	case CALL:
		return barrier_call(db, &k->barrier, k->verdict);
	case QUERY:
		return barrier_query(db, &k->barrier, k->prepared);
	case CREATE:
		return barrier_create(db, k->table);
	case PURGE:
		break;
	}
	return barrier_purge(db, k->table, k->older_than_s, k->rows_max, k->n);
}

#define AGE_MAX (100ull * 366 * 86400)

static int check(const void *conn, const struct task *k)
{
	const char *why = NULL;

	if (!conn)
		why = "there is no connection";
	else if (k->what == CALL || k->what == QUERY)
		(void)!barrier_check(&k->barrier, &why);
	else if (k->table && !barrier_table_ok(k->table))
		why = "its table is not \"name\" or \"schema.name\"";
	else if (k->what == PURGE &&
		 (k->older_than_s == 0 || k->older_than_s > AGE_MAX))
		why = "the age is 0 or above a hundred years";
	return why ? agent_fail(E_INVALID, "barrier: %s", why) : OK;
}

static int finish(int rc, struct db *db, const struct db_error *error,
		  const struct task *k)
{
	if (rc != OK)
		return agent_fail(rc, "barrier: %s", error->message);
	rc = run(db, k);
	db_free(db);
	return rc;
}

static int on_pg(struct pg_conn *conn, const struct task *k)
{
	struct db_error error = { 0 };
	struct db *db = NULL;
	int rc = check(conn, k);

	if (rc != OK)
		return rc;
	rc = db_of_pg(&db, &mem_heap, conn, &error);
	return finish(rc, db, &error, k);
}

static int on_mysql(struct st_mysql *conn, const struct task *k)
{
	struct db_error error = { 0 };
	struct db *db = NULL;
	int rc = check(conn, k);

	if (rc != OK)
		return rc;
	rc = db_of_mysql(&db, &mem_heap, conn, &error);
	return finish(rc, db, &error, k);
}

static int on_sqlite(struct sqlite3 *conn, const struct task *k)
{
	struct db_error error = { 0 };
	struct db *db = NULL;
	int rc = check(conn, k);

	if (rc != OK)
		return rc;
	rc = db_of_sqlite(&db, &mem_heap, conn, &error);
	return finish(rc, db, &error, k);
}

static struct task call_task(const struct treaty_barrier *b,
			     enum treaty_barrier_verdict *verdict)
{
	return (struct task){ .what = CALL, .barrier = *b, .verdict = verdict };
}

int treaty_barrier_call_pg(struct pg_conn *conn, const struct treaty_barrier *b,
			   enum treaty_barrier_verdict *verdict)
{
	const struct task k = call_task(b, verdict);

	return on_pg(conn, &k);
}

int treaty_barrier_call_mysql(struct st_mysql *conn,
			      const struct treaty_barrier *b,
			      enum treaty_barrier_verdict *verdict)
{
	const struct task k = call_task(b, verdict);

	return on_mysql(conn, &k);
}

int treaty_barrier_call_sqlite(struct sqlite3 *conn,
			       const struct treaty_barrier *b,
			       enum treaty_barrier_verdict *verdict)
{
	const struct task k = call_task(b, verdict);

	return on_sqlite(conn, &k);
}

static struct task query_task(const char *table, const char *gid,
			      enum treaty_prepared *out)
{
	struct task k = { .what = QUERY,
			  .barrier = treaty_barrier_of_message(gid),
			  .prepared = out };

	k.barrier.table = table;
	return k;
}

int treaty_barrier_query_prepared_pg(struct pg_conn *conn, const char *table,
				     const char *gid, enum treaty_prepared *out)
{
	const struct task k = query_task(table, gid, out);

	return on_pg(conn, &k);
}

int treaty_barrier_query_prepared_mysql(struct st_mysql *conn,
					const char *table, const char *gid,
					enum treaty_prepared *out)
{
	const struct task k = query_task(table, gid, out);

	return on_mysql(conn, &k);
}

int treaty_barrier_query_prepared_sqlite(struct sqlite3 *conn,
					 const char *table, const char *gid,
					 enum treaty_prepared *out)
{
	const struct task k = query_task(table, gid, out);

	return on_sqlite(conn, &k);
}

int treaty_barrier_create_pg(struct pg_conn *conn, const char *table)
{
	return on_pg(conn, &(struct task){ .what = CREATE, .table = table });
}

int treaty_barrier_create_mysql(struct st_mysql *conn, const char *table)
{
	return on_mysql(conn, &(struct task){ .what = CREATE, .table = table });
}

int treaty_barrier_create_sqlite(struct sqlite3 *conn, const char *table)
{
	return on_sqlite(conn,
			 &(struct task){ .what = CREATE, .table = table });
}

static struct task purge_task(const char *table, uint64_t older_than_s,
			      uint32_t rows_max, uint64_t *n)
{
	return (struct task){ .what = PURGE,
			      .table = table,
			      .older_than_s = older_than_s,
			      .rows_max = rows_max,
			      .n = n };
}

int treaty_barrier_purge_pg(struct pg_conn *conn, const char *table,
			    uint64_t older_than_s, uint32_t rows_max,
			    uint64_t *n)
{
	const struct task k = purge_task(table, older_than_s, rows_max, n);

	return on_pg(conn, &k);
}

int treaty_barrier_purge_mysql(struct st_mysql *conn, const char *table,
			       uint64_t older_than_s, uint32_t rows_max,
			       uint64_t *n)
{
	const struct task k = purge_task(table, older_than_s, rows_max, n);

	return on_mysql(conn, &k);
}

int treaty_barrier_purge_sqlite(struct sqlite3 *conn, const char *table,
				uint64_t older_than_s, uint32_t rows_max,
				uint64_t *n)
{
	const struct task k = purge_task(table, older_than_s, rows_max, n);

	return on_sqlite(conn, &k);
}

const char *treaty_barrier_verdict_text(int verdict)
{
	switch (verdict) {
	case TREATY_BARRIER_RUN:
		return "run";
	case TREATY_BARRIER_DUPLICATE:
		return "duplicate";
	case TREATY_BARRIER_EMPTY:
		return "empty";
	case TREATY_BARRIER_SUSPENDED:
		return "suspended";
	default:
		return "unknown";
	}
}
