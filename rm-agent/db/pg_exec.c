#include "rm-agent/db/pg.h"

#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

/* ---- parameters ---- */

struct args {
	const char **data;
	int *len;
	int *format;
};

/* Text of a value for the server, in the session's encoding. */
static int encode(struct pg_db *p, const struct value *v, struct arena *arena,
		  const char **out, int *len)
{
	struct bytes text;
	int rc = charset_from_utf8(&p->db.charset, arena, v->data, &text);

	if (rc == E_NOMEM)
		return driver_nomem(&p->db);
	if (rc != OK ||
	    memchr(text.data ? text.data : (const uint8_t *)"", 0, text.len))
		return driver_fail(&p->db, E_INVALID, DB_DATA, "", 0,
				   rc == OK ? "PostgreSQL's text cannot hold a "
					      "zero byte"
					    : "a parameter cannot be written "
					      "in the session's encoding");
	*out = arena_text(arena, text);
	*len = (int)text.len;
	return *out ? OK : driver_nomem(&p->db);
}

static int args_of(struct pg_db *p, const struct db_stmt *stmt,
		   struct arena *arena, struct args *a)
{
	size_t n = stmt->n_params;

	if (n > 65535)
		return driver_fail(&p->db, E_LIMIT, DB_OTHER, "", 0,
				   "more than 65535 parameters");
	a->data = arena_array(arena, n + 1, sizeof(*a->data));
	a->len = arena_array(arena, n + 1, sizeof(*a->len));
	a->format = arena_array(arena, n + 1, sizeof(*a->format));
	if (!a->data || !a->len || !a->format)
		return driver_nomem(&p->db);
	for (size_t i = 0; i < n; i++) {
		const struct value *v = &stmt->params[i];
		int rc;

		if (v->type == VALUE_NULL)
			continue;
		if (v->type == VALUE_BYTES) {
			a->format[i] = 1;
			a->len[i] = (int)v->data.len;
			a->data[i] =
				v->data.len ? (const char *)v->data.data : "";
			continue;
		}
		rc = encode(p, v, arena, &a->data[i], &a->len[i]);
		if (rc != OK)
			return rc;
	}
	return OK;
}

/* ---- results ---- */

static int copy_columns(struct pg_db *p, const PGresult *r, struct arena *arena,
			struct db_result *out)
{
	for (size_t c = 0; c < out->n_columns; c++) {
		uint32_t oid = PQftype(r, (int)c);
		const struct pg_type *t;
		int rc = pg_type_find(p, oid, &t);
		struct bytes name = bytes_of(PQfname(r, (int)c));

		if (rc != OK)
			return rc;
		rc = charset_to_utf8(&p->db.charset, arena, name, &name);
		if (rc != OK)
			return driver_nomem(&p->db);
		out->columns[c] = (struct db_column){
			.name = arena_bytes(arena, name),
			.db_type = arena_bytes(arena, bytes_of(t->name)),
			.type = pg_class(oid),
		};
		if (!out->columns[c].name.data || !out->columns[c].db_type.data)
			return driver_nomem(&p->db);
	}
	return OK;
}

static int copy_row(struct pg_db *p, const PGresult *r, int row,
		    struct arena *arena, struct value *values)
{
	for (int c = 0; c < PQnfields(r); c++) {
		struct bytes raw = { (uint8_t *)PQgetvalue(r, row, c),
				     (size_t)PQgetlength(r, row, c) };
		int rc;

		if (PQgetisnull(r, row, c))
			continue;
		rc = pg_decode(p, PQftype(r, c), raw, arena, &values[c]);
		if (rc != OK)
			return rc;
	}
	return OK;
}

static int copy_result(struct pg_db *p, PGresult *r, struct arena *arena,
		       struct db_result *out)
{
	const char *tag = PQcmdStatus(r);
	size_t len = strnlen(tag, sizeof(out->tag) - 1);
	int rc;

	rc = driver_result(out, arena, (size_t)PQnfields(r),
			   (size_t)PQntuples(r));
	if (rc != OK)
		return driver_nomem(&p->db);
	memcpy(out->tag, tag, len);
	out->affected = strtoull(PQcmdTuples(r), NULL, 10);
	out->matched = out->affected;
	rc = copy_columns(p, r, arena, out);
	for (int i = 0; i < PQntuples(r) && rc == OK; i++)
		rc = copy_row(p, r, i, arena,
			      &out->values[(size_t)i * out->n_columns]);
	return rc;
}

static bool good(const PGresult *r)
{
	ExecStatusType s = PQresultStatus(r);

	return s == PGRES_COMMAND_OK || s == PGRES_TUPLES_OK ||
	       s == PGRES_EMPTY_QUERY;
}

/* COPY begun by a statement must be ended, or the connection stays busy. */
static int refuse_copy(struct pg_db *p, PGresult *r)
{
	char *data;

	if (PQresultStatus(r) == PGRES_COPY_OUT)
		while (PQgetCopyData(p->conn, &data, 0) > 0)
			PQfreemem(data);
	else
		(void)PQputCopyEnd(p->conn, "COPY is not possible here");
	for (; r; r = PQgetResult(p->conn))
		PQclear(r);
	return driver_fail(&p->db, E_UNSUPPORTED, DB_OTHER, "", 0,
			   "COPY is not possible here");
}

/* ---- kept statements ---- */

struct name {
	char text[48];
};

/* Unique among all that share a server connection through a pooler. */
static uint64_t next_id(void)
{
	static atomic_uint_fast64_t last;

	return ((uint64_t)getpid() << 40) + ++last;
}

static struct name name_of(const struct kept_stmt *s)
{
	static const char hex[] = "0123456789abcdef";
	struct name name = { "treaty_" };
	char *to = name.text + strlen(name.text);

	for (int shift = 60; shift >= 0; shift -= 4)
		*to++ = hex[s->id >> shift & 15];
	*to = '\0';
	return name;
}

void pg_drop(struct db *db, struct kept_stmt *stmt)
{
	struct pg_db *p = pg_of(db);
	struct buf sql;

	/* In a transaction an error would break it; a closing connection takes
	 * its statements along; a stale one may have lost them. */
	if (db->owned || db->stale ||
	    PQtransactionStatus(p->conn) != PQTRANS_IDLE)
		return;
	buf_init(&sql, db->mem);
	buf_printf(&sql, "DEALLOCATE %s", name_of(stmt).text);
	PQclear(PQexec(p->conn, buf_text(&sql)));
	buf_fini(&sql);
}

/*
 * The kept statement for this SQL. *fresh: it must still be prepared. NULL
 * (with OK) if it is better run without keeping it: nothing can be dropped to
 * make room inside of a transaction.
 */
static int kept_for(struct pg_db *p, const struct db_stmt *stmt,
		    struct kept_stmt **out, bool *fresh)
{
	struct kept_stmt *victim;
	int rc;

	*fresh = false;
	*out = stmt->keep ? kept_find(&p->db.kept, stmt->sql) : NULL;
	if (*out || !stmt->keep)
		return OK;
	victim = kept_victim(&p->db.kept);
	if (victim) {
		if (PQtransactionStatus(p->conn) != PQTRANS_IDLE ||
		    PQpipelineStatus(p->conn) != PQ_PIPELINE_OFF)
			return OK;
		pg_drop(&p->db, victim);
		kept_remove(&p->db.kept, victim);
	}
	rc = kept_add(&p->db.kept, stmt->sql, NULL, out);
	if (rc != OK)
		return driver_nomem(&p->db);
	(*out)->id = next_id();
	*fresh = true;
	return OK;
}

/* ---- one statement ---- */

static int sql_text(struct pg_db *p, const struct db_stmt *stmt,
		    struct arena *arena, const char **out)
{
	struct value v = { VALUE_TEXT, stmt->sql };
	int len;

	return encode(p, &v, arena, out, &len);
}

static int prepare_now(struct pg_db *p, struct kept_stmt *s, const char *sql)
{
	PGresult *r = PQprepare(p->conn, name_of(s).text, sql, 0, NULL);
	int rc = OK;

	if (!good(r)) {
		rc = pg_fail(p, r);
		kept_remove(&p->db.kept, s);
	}
	PQclear(r);
	return rc;
}

static int exec_once(struct pg_db *p, const struct db_stmt *stmt,
		     struct arena *arena, struct db_result *out)
{
	int n = (int)stmt->n_params, rc;
	struct kept_stmt *kept;
	const char *sql;
	struct args a;
	PGresult *r;
	bool fresh;

	rc = args_of(p, stmt, arena, &a);
	if (rc == OK)
		rc = sql_text(p, stmt, arena, &sql);
	if (rc == OK)
		rc = kept_for(p, stmt, &kept, &fresh);
	if (rc == OK && fresh)
		rc = prepare_now(p, kept, sql);
	if (rc != OK)
		return rc;
	if (kept)
		r = PQexecPrepared(p->conn, name_of(kept).text, n, a.data,
				   a.len, a.format, 1);
	else
		r = PQexecParams(p->conn, sql, n, NULL, a.data, a.len, a.format,
				 1);
	switch (PQresultStatus(r)) {
	case PGRES_COPY_IN:
	case PGRES_COPY_OUT:
	case PGRES_COPY_BOTH:
		return refuse_copy(p, r);
	default:
		break;
	}
	rc = good(r) ? copy_result(p, r, arena, out) : pg_fail(p, r);
	PQclear(r);
	return rc;
}

/* The statements that this session is believed to have are not there. */
static void lost_statements(struct pg_db *p)
{
	p->db.stale = true;
	db_forget_kept(&p->db);
}

int pg_exec(struct db *db, const struct db_stmt *stmt, struct arena *arena,
	    struct db_result *out)
{
	struct pg_db *p = pg_of(db);
	bool alone = PQtransactionStatus(p->conn) == PQTRANS_IDLE;
	int rc = exec_once(p, stmt, arena, out);

	if (rc != E_AGAIN || db->error.class != DB_STALE)
		return rc;
	lost_statements(p);
	return alone ? exec_once(p, stmt, arena, out) : rc;
}

/* ---- several in one round trip ---- */

struct step {
	const struct db_stmt *stmt;
	const char *sql;
	struct args args;
	struct kept_stmt *kept;
	bool fresh;
	PGresult *prepared;
	PGresult *result;
};

static int plan(struct pg_db *p, const struct db_stmt *stmts, size_t n,
		struct arena *arena, struct step *steps)
{
	for (size_t i = 0; i < n; i++) {
		struct db_stmt stmt = stmts[i];
		int rc;

		/* Dropping a statement of this very batch must not happen. */
		if (n > p->db.kept.limit / 2)
			stmt.keep = false;
		steps[i].stmt = &stmts[i];
		rc = args_of(p, &stmt, arena, &steps[i].args);
		if (rc == OK)
			rc = sql_text(p, &stmt, arena, &steps[i].sql);
		if (rc == OK)
			rc = kept_for(p, &stmt, &steps[i].kept,
				      &steps[i].fresh);
		if (rc != OK)
			return rc;
	}
	return OK;
}

/* Forget statements that were not prepared after all. */
static void settle(struct pg_db *p, struct step *steps, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (steps[i].fresh && steps[i].kept &&
		    !(steps[i].prepared && good(steps[i].prepared)))
			kept_remove(&p->db.kept, steps[i].kept);
		steps[i].fresh = false;
	}
}

static bool send_step(struct pg_db *p, const struct step *s)
{
	int n = (int)s->stmt->n_params;

	if (s->fresh &&
	    !PQsendPrepare(p->conn, name_of(s->kept).text, s->sql, 0, NULL))
		return false;
	if (s->kept)
		return PQsendQueryPrepared(p->conn, name_of(s->kept).text, n,
					   s->args.data, s->args.len,
					   s->args.format, 1);
	return PQsendQueryParams(p->conn, s->sql, n, NULL, s->args.data,
				 s->args.len, s->args.format, 1);
}

/* Push everything out while taking in what comes, or both sides might wait
 * for the other to read. */
static bool pump(PGconn *conn)
{
	for (;;) {
		struct pollfd fd = { .fd = PQsocket(conn),
				     .events = POLLIN | POLLOUT };
		int left = PQflush(conn);

		if (left <= 0)
			return left == 0;
		if (poll(&fd, 1, -1) > 0 && fd.revents & (POLLIN | POLLHUP) &&
		    !PQconsumeInput(conn))
			return false;
	}
}

/* The result of one command and the NULL that ends it. */
static PGresult *next_result(PGconn *conn)
{
	PGresult *r = PQgetResult(conn), *more;

	while (r && (more = PQgetResult(conn)) != NULL) {
		PQclear(r);
		r = more;
	}
	return r;
}

static void drain(PGconn *conn)
{
	/* Two NULLs in a row mean that nothing is outstanding. */
	for (int nulls = 0; nulls < 2;) {
		PGresult *r = PQgetResult(conn);

		nulls = r ? 0 : nulls + 1;
		if (r && PQresultStatus(r) == PGRES_PIPELINE_SYNC) {
			PQclear(r);
			return;
		}
		PQclear(r);
		if (PQstatus(conn) == CONNECTION_BAD)
			return;
	}
}

static void round_trip(struct pg_db *p, struct step *steps, size_t n)
{
	int blocking = PQisnonblocking(p->conn);
	size_t sent = 0;

	(void)PQsetnonblocking(p->conn, 1);
	while (sent < n && send_step(p, &steps[sent]))
		sent++;
	(void)PQpipelineSync(p->conn);
	(void)pump(p->conn);
	for (size_t i = 0; i < sent; i++) {
		if (steps[i].fresh)
			steps[i].prepared = next_result(p->conn);
		steps[i].result = next_result(p->conn);
	}
	drain(p->conn);
	(void)PQexitPipelineMode(p->conn);
	(void)PQsetnonblocking(p->conn, blocking);
}

/* Turn what came back into results; the first failure ends it. */
static int collect(struct pg_db *p, struct step *steps, size_t n,
		   struct arena *arena, struct db_result *results, size_t *done)
{
	for (*done = 0; *done < n; (*done)++) {
		struct step *s = &steps[*done];
		int rc;

		if (s->prepared && !good(s->prepared))
			return pg_fail(p, s->prepared);
		if (!s->result || !good(s->result))
			return pg_fail(p, s->result);
		rc = copy_result(p, s->result, arena, &results[*done]);
		if (rc != OK)
			return rc;
	}
	return OK;
}

static int all_once(struct pg_db *p, const struct db_stmt *stmts, size_t n,
		    struct arena *arena, struct db_result *results,
		    size_t *done)
{
	struct step *steps = arena_array(arena, n, sizeof(*steps));
	int rc = steps ? plan(p, stmts, n, arena, steps) : driver_nomem(&p->db);

	if (rc == OK && !PQenterPipelineMode(p->conn))
		rc = pg_fail(p, NULL);
	if (rc == OK)
		round_trip(p, steps, n);
	if (steps)
		settle(p, steps, n);
	if (rc == OK)
		rc = collect(p, steps, n, arena, results, done);
	for (size_t i = 0; steps && i < n; i++) {
		PQclear(steps[i].prepared);
		PQclear(steps[i].result);
	}
	return rc;
}

int pg_exec_all(struct db *db, const struct db_stmt *stmts, size_t n,
		struct arena *arena, struct db_result *results, size_t *done)
{
	struct pg_db *p = pg_of(db);
	bool alone = PQtransactionStatus(p->conn) == PQTRANS_IDLE;
	int rc = all_once(p, stmts, n, arena, results, done);

	if (rc != E_AGAIN || db->error.class != DB_STALE)
		return rc;
	lost_statements(p);
	/* Alone they were one transaction, which has been rolled back; but one
	 * that they opened or ended themselves is not ours to repeat. */
	if (!alone || PQtransactionStatus(p->conn) != PQTRANS_IDLE || *done > 0)
		return rc;
	*done = 0;
	return all_once(p, stmts, n, arena, results, done);
}
