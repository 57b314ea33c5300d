#include "rm-agent/barrier/barrier_rule.h"

#include "rm-agent/agent.h"
#include "rm-agent/barrier/barrier_sql.h"

/*
 * The rule, on whichever database:
 *
 *   insert the origin's row (of a cancel: the try's), with our op as reason
 *   insert our own row
 *
 *   origin inserted      it never ran and, with its row taken, never will
 *   own not inserted     somebody was here: we ourselves (duplicate), or who
 *                        undoes us (suspended); the row's reason says which
 *   else                 run
 *
 * Both inserts meet the unique index, so the second of two local transactions
 * waits there for the end of the first. They are made in one order, origin
 * first, so that two cancels cannot wait for each other.
 */

struct asking {
	struct db *db;
	struct arena arena;
	const char *table;
	struct bytes insert, reason; /* SQL */
};

static const char *table_of(const char *table)
{
	return table ? table : "barrier";
}

/* ---- errors ---- */

static int db_failed(const struct asking *a, int rc, const char *what,
		     const char *gid)
{
	return agent_fail(rc, "barrier in %s, %s%s%s: %s", a->table, what,
			  gid ? " of " : "", gid ? gid : "",
			  rc == E_NOMEM ? "out of memory"
					: db_error(a->db)->message);
}

/* ---- statements ---- */

static struct bytes sql_of(struct asking *a,
			   void (*write)(struct buf *, enum dialect,
					 const char *))
{
	struct buf b;

	buf_init(&b, &a->arena.as_mem);
	write(&b, db_dialect(a->db), a->table);
	return buf_error(&b) == OK ? buf_bytes(&b) : (struct bytes){ 0 };
}

static struct value text(const char *s)
{
	return (struct value){ VALUE_TEXT, bytes_of(s) };
}

/* trans_type, gid, branch_id, op, barrier_id, reason; NULL: no memory. */
static struct value *row_of(struct asking *a, const struct treaty_barrier *b,
			    const char *op, const char *reason)
{
	struct value *v = arena_array(&a->arena, 6, sizeof *v);
	struct buf number;

	buf_init(&number, &a->arena.as_mem);
	buf_printf(&number, "%02u", b->number ? b->number : 1);
	if (!v || buf_error(&number) != OK)
		return NULL;
	v[0] = text(b->trans_type);
	v[1] = text(b->gid);
	v[2] = text(b->branch_id);
	v[3] = text(op);
	v[4] = (struct value){ VALUE_TEXT, buf_bytes(&number) };
	v[5] = text(reason);
	return v;
}

static int asking_init(struct asking *a, struct db *db, const char *table)
{
	a->db = db;
	a->table = table_of(table);
	arena_init(&a->arena, &mem_heap, 4096);
	a->insert = sql_of(a, barrier_sql_insert);
	a->reason = sql_of(a, barrier_sql_reason);
	if (a->insert.len && a->reason.len)
		return OK;
	arena_fini(&a->arena);
	return agent_fail(E_NOMEM, "barrier: out of memory");
}

/* Whose row it is: the reason, by the row's own first values. */
static int read_reason(struct asking *a, const struct value *row,
		       struct bytes *reason)
{
	const struct db_stmt stmt = { .sql = a->reason,
				      .params = row + 1,
				      .n_params = 4 };
	const char *gid = (const char *)row[1].data.data;
	struct db_result r;
	int rc = db_exec(a->db, &stmt, &a->arena, &r);

	if (rc != OK)
		return db_failed(a, rc, "reading the row", gid);
	if (r.n_rows != 1)
		return agent_fail(E_CONFLICT,
				  "barrier in %s: the row of %s was there and "
				  "is gone; run the local transaction again",
				  a->table, gid);
	*reason = db_value(&r, 0, 0).data;
	return OK;
}

/* ---- the rule ---- */

struct inserted {
	bool origin;
	bool own;
};

static int insert_both(struct asking *a, const struct treaty_barrier *b,
		       const struct value **own, struct inserted *out)
{
	const char *origin = barrier_origin(b->op);
	struct db_stmt stmts[2];
	struct db_result done[2];
	size_t n = 0, n_done = 0;
	int rc;

	if (origin)
		stmts[n++] =
			(struct db_stmt){ .sql = a->insert,
					  .params = row_of(a, b, origin, b->op),
					  .n_params = 6 };
	*own = row_of(a, b, b->op, b->op);
	stmts[n++] = (struct db_stmt){ .sql = a->insert,
				       .params = *own,
				       .n_params = 6 };
	if (!*own || !stmts[0].params)
		return agent_fail(E_NOMEM, "barrier: out of memory");
	rc = db_exec_all(a->db, stmts, n, &a->arena, done, &n_done);
	if (rc != OK)
		return db_failed(a, rc, b->op, b->gid);
	out->origin = origin && done[0].affected > 0;
	out->own = done[n - 1].affected > 0;
	return OK;
}

static int judge(struct asking *a, const struct treaty_barrier *b,
		 enum treaty_barrier_verdict *verdict)
{
	struct inserted inserted = { 0 };
	struct bytes reason = { 0 };
	const struct value *own;
	int rc = insert_both(a, b, &own, &inserted);

	if (rc == OK && !inserted.own)
		rc = read_reason(a, own, &reason);
	if (rc != OK)
		return rc;
	if (!inserted.own)
		*verdict = bytes_equal(reason, bytes_of(b->op))
				   ? TREATY_BARRIER_DUPLICATE
				   : TREATY_BARRIER_SUSPENDED;
	else
		*verdict = inserted.origin ? TREATY_BARRIER_EMPTY
					   : TREATY_BARRIER_RUN;
	return OK;
}

/* OK if a local transaction is open (or, on MySQL without autocommit, opens
 * by itself). */
static int need_transaction(struct db *db)
{
	enum db_state state = db_state(db);

	if (state == DB_IN_TX || (state == DB_IDLE && !db_autocommit(db)))
		return OK;
	if (state == DB_GONE)
		return agent_fail(E_CLOSED, "barrier: the connection is lost");
	return agent_fail(E_STATE, "barrier: %s",
			  state == DB_IDLE
				  ? "no local transaction is open; begin one, "
				    "or the row would be committed without "
				    "the work"
			  : state == DB_FAILED
				  ? "the local transaction has failed; roll "
				    "it back"
				  : "the connection is in use by a statement "
				    "or a pipeline");
}

int barrier_call(struct db *db, const struct treaty_barrier *b,
		 enum treaty_barrier_verdict *verdict)
{
	struct asking a;
	int rc = need_transaction(db);

	if (rc == OK)
		rc = asking_init(&a, db, b->table);
	if (rc != OK)
		return rc;
	rc = judge(&a, b, verdict);
	arena_fini(&a.arena);
	return rc;
}

/* ---- the message's question ---- */

static int need_idle(struct db *db, const char *what)
{
	enum db_state state = db_state(db);

	if (state == DB_IDLE)
		return OK;
	if (state == DB_GONE)
		return agent_fail(E_CLOSED, "barrier: the connection is lost");
	return agent_fail(E_STATE,
			  "barrier: a local transaction is open on the "
			  "connection (or it is in use); %s needs one of its "
			  "own",
			  what);
}

/* Within a local transaction of ours. */
static int look(struct asking *a, const struct treaty_barrier *b,
		enum treaty_prepared *out)
{
	const struct value *row = row_of(a, b, b->op, "rollback");
	const struct db_stmt stmt = { .sql = a->insert,
				      .params = row,
				      .n_params = 6 };
	struct db_result done;
	struct bytes reason;
	int rc;

	if (!row)
		return agent_fail(E_NOMEM, "barrier: out of memory");
	rc = db_exec(a->db, &stmt, &a->arena, &done);
	if (rc != OK)
		return db_failed(a, rc, "the question", b->gid);
	rc = read_reason(a, row, &reason);
	if (rc == OK)
		*out = bytes_equal(reason, BYTES("rollback"))
			       ? TREATY_PREPARED_ABORTED
			       : TREATY_PREPARED_COMMITTED;
	return rc;
}

static int ask(struct asking *a, const struct treaty_barrier *b,
	       enum treaty_prepared *out)
{
	enum treaty_prepared found = TREATY_PREPARED_ABORTED;
	int rc = db_begin(a->db);

	if (rc != OK)
		return db_failed(a, rc, "beginning to ask", b->gid);
	rc = look(a, b, &found);
	if (rc == OK) {
		rc = db_commit(a->db);
		if (rc != OK)
			(void)db_failed(a, rc, "the answer", b->gid);
	}
	if (rc == OK)
		*out = found;
	else
		(void)!db_rollback(a->db); /* if it is still open */
	return rc;
}

int barrier_query(struct db *db, const struct treaty_barrier *b,
		  enum treaty_prepared *out)
{
	struct asking a;
	int rc = need_idle(db, "the question");

	if (rc == OK)
		rc = asking_init(&a, db, b->table);
	if (rc != OK)
		return rc;
	rc = ask(&a, b, out);
	arena_fini(&a.arena);
	return rc;
}

/* ---- the table ---- */

/* PostgreSQL's IF NOT EXISTS does not wait for who creates it just now: then
 * it fails, and the second time it is there. */
static int command_twice(struct db *db, const char *sql)
{
	int rc = db_command(db, sql);

	return rc == OK || rc == E_CLOSED ? rc : db_command(db, sql);
}

int barrier_create(struct db *db, const char *table)
{
	struct asking a = { .db = db, .table = table_of(table) };
	struct buf sql;
	int rc = need_idle(db, "creating the table");

	buf_init(&sql, &mem_heap);
	for (unsigned i = 0; rc == OK; i++) {
		buf_clear(&sql);
		if (!barrier_sql_create(&sql, db_dialect(db), a.table, i))
			break;
		rc = buf_error(&sql);
		if (rc == OK)
			rc = command_twice(db, buf_text(&sql));
		if (rc != OK)
			(void)db_failed(&a, rc, "creating it", NULL);
	}
	buf_fini(&sql);
	return rc;
}

int barrier_purge(struct db *db, const char *table, uint64_t older_than_s,
		  uint32_t rows_max, uint64_t *n)
{
	struct asking a = { .db = db, .table = table_of(table) };
	struct db_result done = { 0 };
	struct db_stmt stmt = { 0 };
	struct buf sql;
	int rc = need_idle(db, "the purge");

	if (rc != OK)
		return rc;
	arena_init(&a.arena, &mem_heap, 0);
	buf_init(&sql, &a.arena.as_mem);
	barrier_sql_purge(&sql, db_dialect(db), a.table, older_than_s,
			  rows_max ? rows_max : 10000);
	stmt.sql = buf_bytes(&sql);
	rc = buf_error(&sql);
	if (rc == OK)
		rc = db_exec(db, &stmt, &a.arena, &done);
	if (rc != OK)
		(void)db_failed(&a, rc, "purging", NULL);
	else if (n)
		*n = done.affected;
	arena_fini(&a.arena);
	return rc;
}
