#include "rm-agent/at/shape.h"
#include "rm-agent/db/pg.h"

#include "base/hash.h"

#include <treaty/pq.h>

#include <stdlib.h>

/* ---- statements that were prepared here ---- */

struct prepared {
	struct map_node node;
	char *name;
	char *query;
	Oid *types;
	int n_types;
};

struct pq_shape {
	struct map prepared;
};

static void prepared_free(struct prepared *p)
{
	mem_free(&mem_heap, p->name);
	mem_free(&mem_heap, p->query);
	mem_free(&mem_heap, p->types);
	mem_free(&mem_heap, p);
}

static void shape_free(struct treaty_at *at)
{
	struct pq_shape *s = at->shape;
	struct map_node *n = map_next(&s->prepared, NULL);

	while (n) {
		struct prepared *p = CONTAINER_OF(n, struct prepared, node);

		n = map_next(&s->prepared, n);
		map_remove(&s->prepared, &p->node);
		prepared_free(p);
	}
	map_fini(&s->prepared);
	mem_free(&mem_heap, s);
}

static struct pq_shape *shape_of(struct treaty_at *at)
{
	struct pq_shape *s = at->shape;

	if (s)
		return s;
	s = mem_alloc(&mem_heap, sizeof *s);
	if (!s || map_init(&s->prepared, &mem_heap) != OK) {
		mem_free(&mem_heap, s);
		return NULL;
	}
	at->shape = s;
	at->shape_free = shape_free;
	return s;
}

static struct prepared *prepared_find(struct treaty_at *at, const char *name)
{
	struct pq_shape *s = at->shape;
	struct map_node *n =
		s ? map_find(&s->prepared, hash_bytes(3, bytes_of(name)))
		  : NULL;

	for (; n; n = map_find_next(n)) {
		struct prepared *p = CONTAINER_OF(n, struct prepared, node);

		if (strcmp(p->name, name) == 0)
			return p;
	}
	return NULL;
}

static void prepared_forget(struct treaty_at *at, const char *name)
{
	struct pq_shape *s = at->shape;
	struct prepared *p = prepared_find(at, name);

	if (!p)
		return;
	map_remove(&s->prepared, &p->node);
	prepared_free(p);
}

static int prepared_keep(struct treaty_at *at, const char *name,
			 const char *query, int n, const Oid *types)
{
	struct pq_shape *s = shape_of(at);
	struct prepared *p = s ? mem_alloc(&mem_heap, sizeof *p) : NULL;

	if (!p)
		return E_NOMEM;
	p->name = mem_text(&mem_heap, bytes_of(name));
	p->query = mem_text(&mem_heap, bytes_of(query));
	p->n_types = types && n > 0 ? n : 0;
	if (p->n_types)
		p->types = mem_array(&mem_heap, (size_t)n, sizeof *p->types);
	if (!p->name || !p->query || (p->n_types && !p->types)) {
		prepared_free(p);
		return E_NOMEM;
	}
	if (p->n_types)
		memcpy(p->types, types, (size_t)n * sizeof *types);
	prepared_forget(at, name);
	map_insert(&s->prepared, &p->node, hash_bytes(3, bytes_of(name)));
	return OK;
}

/* ---- one call ---- */

struct call {
	struct treaty_at *at;
	PGconn *conn;
	const char *command; /* SQL; NULL for a prepared statement */
	const char *name;    /* prepared statement */
	bool params;         /* by PQexecParams */
	int n;
	const Oid *types;
	const char *const *values;
	const int *lengths;
	const int *formats;
	int result_format;
	PGresult *result;
};

static PGresult *run_native(const struct call *c)
{
	if (c->name)
		return PQexecPrepared(c->conn, c->name, c->n, c->values,
				      c->lengths, c->formats, c->result_format);
	if (c->params)
		return PQexecParams(c->conn, c->command, c->n, c->types,
				    c->values, c->lengths, c->formats,
				    c->result_format);
	return PQexec(c->conn, c->command);
}

static bool failed(const PGresult *r)
{
	ExecStatusType s = PQresultStatus(r);

	return s != PGRES_COMMAND_OK && s != PGRES_TUPLES_OK &&
	       s != PGRES_EMPTY_QUERY;
}

/* The first columns as rows for the engine: all of them text. */
static int take_hidden(const PGresult *r, size_t hidden, struct arena *arena,
		       struct db_result *out)
{
	size_t rows = (size_t)PQntuples(r);

	*out = (struct db_result){ .n_columns = hidden, .n_rows = rows };
	out->values =
		arena_array(arena, rows * hidden + 1, sizeof *out->values);
	if (!out->values)
		return E_NOMEM;
	for (size_t i = 0; i < rows * hidden; i++) {
		int row = (int)(i / hidden), column = (int)(i % hidden);
		struct bytes b = { (uint8_t *)PQgetvalue(r, row, column),
				   (size_t)PQgetlength(r, row, column) };

		out->values[i] =
			(struct value){ VALUE_TEXT, arena_bytes(arena, b) };
		if (!out->values[i].data.data)
			return E_NOMEM;
	}
	return OK;
}

/* The result without its first columns. libpq copies the command's tag. */
static PGresult *without(const PGresult *r, int hidden)
{
	int n = PQnfields(r) - hidden;
	PGresAttDesc *d = mem_array(&mem_heap, (size_t)n + 1, sizeof *d);
	PGresult *out = d ? PQcopyResult(r, 0) : NULL;
	bool ok = out != NULL;

	for (int i = 0; ok && i < n; i++)
		d[i] = (PGresAttDesc){ .name = PQfname(r, i + hidden),
				       .tableid = PQftable(r, i + hidden),
				       .columnid = PQftablecol(r, i + hidden),
				       .format = PQfformat(r, i + hidden),
				       .typid = PQftype(r, i + hidden),
				       .typlen = PQfsize(r, i + hidden),
				       .atttypmod = PQfmod(r, i + hidden) };
	ok = ok && PQsetResultAttrs(out, n, d);
	for (int row = 0; ok && row < PQntuples(r); row++)
		for (int i = 0; ok && i < n; i++) {
			bool null = PQgetisnull(r, row, i + hidden);

			ok = PQsetvalue(
				out, row, i,
				null ? NULL : PQgetvalue(r, row, i + hidden),
				null ? -1 : PQgetlength(r, row, i + hidden));
		}
	mem_free(&mem_heap, d);
	if (ok)
		return out;
	PQclear(out);
	return NULL;
}

static int split(struct call *c, size_t hidden, struct arena *arena,
		 struct at_done *out)
{
	PGresult *rest;
	int rc = take_hidden(c->result, hidden, arena, &out->rows);

	if (rc != OK)
		return rc;
	rest = without(c->result, (int)hidden);
	if (!rest)
		return E_NOMEM;
	PQclear(c->result);
	c->result = rest;
	return OK;
}

static int run(struct at_run *run, struct bytes text, bool rows,
	       struct arena *arena, struct at_done *out)
{
	struct call *c = run->ctx;
	struct bytes native;
	bool was_in_tx = PQtransactionStatus(c->conn) != PQTRANS_IDLE;

	PQclear(c->result);
	c->result = NULL;
	if (text.len) {
		int rc = shape_from_utf8(c->at, text, &native);

		if (rc != OK)
			return rc;
		c->result = PQexecParams(c->conn, (const char *)native.data,
					 c->n, c->types, c->values, c->lengths,
					 c->formats, c->result_format);
	} else {
		c->result = run_native(c);
	}
	if (failed(c->result)) {
		run->native = true;
		return db_native_error(c->at->db, c->result, was_in_tx);
	}
	out->affected = strtoull(PQcmdTuples(c->result), NULL, 10);
	out->matched = out->affected;
	return rows ? split(c, run->hidden, arena, out) : OK;
}

static void drop(struct at_run *run)
{
	struct call *c = run->ctx;

	PQclear(c->result);
	c->result = NULL;
}

/* A binary parameter, by its type. */
static int decode(struct call *c, int i, struct bytes raw, struct value *out)
{
	Oid type = c->types ? c->types[i] : 0;

	if (type == 0)
		return at_fail(c->at, E_UNSUPPORTED,
			       "refused: parameter %d is binary and its type "
			       "is not given",
			       i + 1);
	if (pg_decode(pg_of(c->at->db), type, raw, &c->at->call_arena, out) !=
	    OK)
		return at_fail_db(c->at, E_INVALID, "reading a parameter");
	return OK;
}

static int one_param(struct call *c, int i, struct value *out)
{
	bool binary = c->formats && c->formats[i] == 1;
	const char *v = c->values ? c->values[i] : NULL;

	*out = (struct value){ 0 };
	if (!v)
		return OK;
	if (!binary)
		return shape_text(c->at, VALUE_TEXT, bytes_of(v), out);
	return decode(c, i,
		      (struct bytes){ (const uint8_t *)v,
				      c->lengths ? (size_t)c->lengths[i] : 0 },
		      out);
}

static int protect(struct call *c, const char *sql)
{
	struct at_run r = { .n_params = c->n > 0 ? (size_t)c->n : 0,
			    .split = AT_SPLIT_TEXT,
			    .run = run,
			    .drop = drop,
			    .ctx = c };
	struct value *v =
		arena_array(&c->at->call_arena, r.n_params + 1, sizeof *v);
	int rc = v ? OK : at_fail(c->at, E_NOMEM, "out of memory");

	for (int i = 0; rc == OK && i < c->n; i++)
		rc = one_param(c, i, &v[i]);
	r.params = v;
	if (rc == OK)
		rc = shape_to_utf8(c->at, bytes_of(sql), &r.sql);
	if (rc == OK)
		rc = at_run_statement(c->at, &r);
	/* libpq's text of the failure, before anybody overwrites it. */
	if (rc != OK && r.native)
		return at_fail(c->at, rc, "%s",
			       PQresultErrorMessage(c->result));
	if (rc != OK)
		drop(&r);
	return rc;
}

static PGresult *exec(struct call *c, const char *sql)
{
	int rc;

	if (!at_concerned(c->at)) {
		at_error_clear(c->at);
		at_passed_by(c->at, bytes_of(sql ? sql : ""));
		return run_native(c);
	}
	at_error_clear(c->at);
	rc = protect(c, sql);
	arena_reset(&c->at->call_arena);
	if (rc != OK && !c->result)
		c->result = PQmakeEmptyPGresult(c->conn, PGRES_FATAL_ERROR);
	return c->result;
}

/* ---- the public calls ---- */

PGresult *treaty_PQexec(PGconn *conn, const char *command)
{
	struct call c = { .at = at_find(conn),
			  .conn = conn,
			  .command = command };

	return c.at && command ? exec(&c, command) : PQexec(conn, command);
}

PGresult *treaty_PQexecParams(PGconn *conn, const char *command, int nParams,
			      const Oid *paramTypes,
			      const char *const *paramValues,
			      const int *paramLengths, const int *paramFormats,
			      int resultFormat)
{
	struct call c = { .at = at_find(conn),
			  .conn = conn,
			  .command = command,
			  .params = true,
			  .n = nParams,
			  .types = paramTypes,
			  .values = paramValues,
			  .lengths = paramLengths,
			  .formats = paramFormats,
			  .result_format = resultFormat };

	return c.at && command ? exec(&c, command) : run_native(&c);
}

PGresult *treaty_PQprepare(PGconn *conn, const char *stmtName,
			   const char *query, int nParams,
			   const Oid *paramTypes)
{
	struct treaty_at *at = at_find(conn);
	PGresult *r = PQprepare(conn, stmtName, query, nParams, paramTypes);

	if (!at || !stmtName || !query || failed(r))
		return r;
	at_error_clear(at);
	if (prepared_keep(at, stmtName, query, nParams, paramTypes) == OK)
		return r;
	PQclear(r);
	(void)at_fail(at, E_NOMEM, "out of memory");
	return PQmakeEmptyPGresult(conn, PGRES_FATAL_ERROR);
}

PGresult *treaty_PQexecPrepared(PGconn *conn, const char *stmtName, int nParams,
				const char *const *paramValues,
				const int *paramLengths,
				const int *paramFormats, int resultFormat)
{
	struct call c = { .at = at_find(conn),
			  .conn = conn,
			  .name = stmtName,
			  .n = nParams,
			  .values = paramValues,
			  .lengths = paramLengths,
			  .formats = paramFormats,
			  .result_format = resultFormat };
	struct prepared *p;

	if (!c.at || !stmtName)
		return run_native(&c);
	p = prepared_find(c.at, stmtName);
	if (!p && at_concerned(c.at)) {
		(void)at_fail(c.at, E_UNSUPPORTED,
			      "refused: the statement \"%s\" was not prepared "
			      "by treaty_PQprepare()",
			      stmtName);
		return PQmakeEmptyPGresult(conn, PGRES_FATAL_ERROR);
	}
	if (p && p->n_types >= nParams)
		c.types = p->types;
	return exec(&c, p ? p->query : NULL);
}

const char *treaty_PQerrorMessage(const PGconn *conn)
{
	struct treaty_at *at = at_find(conn);

	if (at && at->error.shown.code != OK)
		return at->error.shown.message;
	return PQerrorMessage(conn);
}

void treaty_PQfinish(PGconn *conn)
{
	treaty_at_unwrap(at_find(conn));
	PQfinish(conn);
}
