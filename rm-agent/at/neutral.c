#include "rm-agent/at/engine.h"

#include <mysql.h>

/*
 * treaty_at_exec(): the shape of a call that the library runs itself.
 */

struct treaty_result {
	struct arena arena;
	struct db_result rows;
	uint64_t affected;
	uint64_t insert_id;
};

/* ---- values in ---- */

static int convert(struct arena *arena, const struct treaty_value *in,
		   struct value *out)
{
	struct buf b;

	if ((unsigned)in->type >= VALUE_TYPES)
		return E_INVALID;
	*out = (struct value){ (enum value_type)in->type,
			       { in->data, in->len } };
	if (in->type == TREATY_NULL)
		out->data = BYTES("");
	if (in->type != TREATY_INT || in->data)
		return OK;
	buf_init(&b, &arena->as_mem);
	buf_printf(&b, "%lld", (long long)in->number);
	out->data = buf_bytes(&b);
	return buf_error(&b);
}

static int convert_all(struct treaty_at *at, struct arena *arena,
		       const struct treaty_value *in, size_t n,
		       struct value **out)
{
	struct value *v = arena_array(arena, n + 1, sizeof *v);
	int rc = v ? OK : E_NOMEM;

	for (size_t i = 0; rc == OK && i < n; i++) {
		rc = convert(arena, &in[i], &v[i]);
		if (rc == E_INVALID)
			return at_fail(at, rc, "parameter %zu has no type",
				       i + 1);
	}
	if (rc != OK)
		return at_fail(at, rc, "out of memory for parameters");
	*out = v;
	return OK;
}

/* ---- running ---- */

/* The application's part of a result whose first columns are the engine's. */
static int show_rest(struct treaty_result *result, const struct db_result *got,
		     size_t hidden)
{
	struct db_result *rest = &result->rows;
	size_t n = got->n_columns - hidden;

	*rest = *got;
	rest->columns = got->columns + hidden;
	rest->n_columns = n;
	rest->values = arena_array(&result->arena, got->n_rows * n + 1,
				   sizeof *rest->values);
	if (!rest->values)
		return E_NOMEM;
	for (size_t i = 0; i < got->n_rows; i++)
		memcpy(&rest->values[i * n],
		       &got->values[i * got->n_columns + hidden],
		       n * sizeof *rest->values);
	return OK;
}

static int run(struct at_run *r, struct bytes text, bool rows,
	       struct arena *arena, struct at_done *out)
{
	struct treaty_at *at = ((struct treaty_at **)r->ctx)[0];
	struct treaty_result *result = ((struct treaty_result **)r->ctx)[1];
	struct db_stmt stmt = { .sql = text.len ? text : r->sql,
				.params = r->params,
				.n_params = r->n_params,
				.keep = r->keep && at->repeated };
	struct db_result got;
	int rc;

	if (rows) {
		stmt.as = r->as;
		stmt.n_as = r->n_as;
	}
	rc = db_exec(at->db, &stmt, rows && !r->hidden ? arena : &result->arena,
		     &got);
	if (rc != OK)
		return rc;
	out->affected = got.affected;
	out->matched = got.matched;
	out->insert_id = got.last_insert_id;
	result->affected = got.affected;
	result->insert_id = got.last_insert_id;
	result->rows = (struct db_result){ 0 };
	if (rows)
		out->rows = got;
	else
		result->rows = got;
	return rows && r->hidden ? show_rest(result, &got, r->hidden) : OK;
}

static void drop(struct at_run *r)
{
	struct treaty_result *result = ((struct treaty_result **)r->ctx)[1];

	arena_reset(&result->arena);
	result->rows = (struct db_result){ 0 };
}

static bool has_returning(struct db *db)
{
	if (db_dialect(db) != DIALECT_MYSQL)
		return true;
	return db_is_mariadb(db) &&
	       mysql_get_server_version(db_mysql(db)) >= 100500;
}

static int exec(struct treaty_at *at, struct bytes sql, struct value *params,
		size_t n, struct treaty_result *result)
{
	void *ctx[2] = { at, result };
	struct at_run r = { .sql = sql,
			    .params = params,
			    .n_params = n,
			    .can_return = has_returning(at->db),
			    .split = AT_SPLIT_TYPED,
			    .run = run,
			    .drop = drop,
			    .ctx = ctx };
	struct at_done done;
	int rc;

	if (at_concerned(at)) {
		r.keep = true;
		rc = at_run_statement(at, &r);
		if (r.insert_id)
			result->insert_id = r.insert_id;
		return rc;
	}
	at_error_clear(at);
	at_passed_by(at, sql);
	rc = run(&r, BYTES(""), false, &result->arena, &done);
	return rc == OK ? OK : at_fail_db(at, rc, "running the statement");
}

int treaty_at_exec(struct treaty_at *at, const char *sql,
		   const struct treaty_value *params, size_t n,
		   struct treaty_result **out)
{
	struct treaty_result *result;
	struct value *values = NULL;
	int rc;

	if (!at || !sql || (n && !params))
		return agent_fail(E_INVALID, "an argument is NULL");
	result = mem_alloc(at->mem, sizeof *result);
	if (!result)
		return at_fail(at, E_NOMEM, "out of memory");
	arena_init(&result->arena, at->mem, 0);
	rc = convert_all(at, &at->call_arena, params, n, &values);
	if (rc == OK)
		rc = exec(at, bytes_of(sql), values, n, result);
	arena_reset(&at->call_arena);
	if (rc == OK && out)
		*out = result;
	else
		treaty_result_free(result);
	return rc;
}

/* ---- results ---- */

size_t treaty_result_rows(const struct treaty_result *r)
{
	return r ? r->rows.n_rows : 0;
}

size_t treaty_result_columns(const struct treaty_result *r)
{
	return r ? r->rows.n_columns : 0;
}

/* Results are the caller's; only the arena in them grows. */
static const char *text_in(const struct treaty_result *r, struct bytes b)
{
	struct treaty_result *mine = (struct treaty_result *)(uintptr_t)r;

	return arena_text(&mine->arena, b);
}

const char *treaty_result_name(const struct treaty_result *r, size_t column)
{
	if (!r || column >= r->rows.n_columns)
		return NULL;
	return text_in(r, r->rows.columns[column].name);
}

static int64_t to_number(struct value v)
{
	bool minus = v.data.len && v.data.data[0] == '-';
	uint64_t n = 0, limit = (uint64_t)INT64_MAX + minus;

	/* PostgreSQL and MySQL make a sum of integers an exact number. */
	if (v.type != VALUE_INT && v.type != VALUE_NUMBER)
		return 0;
	for (size_t i = minus; i < v.data.len; i++) {
		uint64_t digit = (uint64_t)(v.data.data[i] - '0');

		if (digit > 9 || n > (limit - digit) / 10)
			return 0;
		n = n * 10 + digit;
	}
	return minus ? (int64_t)(0 - n) : (int64_t)n;
}

static struct value value_at(const struct treaty_result *r, size_t row,
			     size_t column)
{
	if (!r || row >= r->rows.n_rows || column >= r->rows.n_columns)
		return (struct value){ 0 };
	return db_value(&r->rows, row, column);
}

struct treaty_value treaty_result_value(const struct treaty_result *r,
					size_t row, size_t column)
{
	struct value v = value_at(r, row, column);
	struct treaty_value out = { .type = (enum treaty_type)v.type,
				    .len = v.data.len,
				    .number = to_number(v) };

	if (v.type != VALUE_NULL)
		out.data = text_in(r, v.data);
	return out;
}

int64_t treaty_result_int(const struct treaty_result *r, size_t row,
			  size_t column)
{
	return to_number(value_at(r, row, column));
}

const char *treaty_result_text(const struct treaty_result *r, size_t row,
			       size_t column)
{
	struct value v = value_at(r, row, column);

	return v.type == VALUE_NULL ? NULL : text_in(r, v.data);
}

uint64_t treaty_result_affected(const struct treaty_result *r)
{
	return r ? r->affected : 0;
}

uint64_t treaty_result_insert_id(const struct treaty_result *r)
{
	return r ? r->insert_id : 0;
}

void treaty_result_free(struct treaty_result *r)
{
	if (!r)
		return;
	arena_fini(&r->arena);
	mem_free(&mem_heap, r);
}

/* ---- local transactions ---- */

int treaty_at_begin(struct treaty_at *at)
{
	return at ? at_begin(at) : agent_fail(E_INVALID, "at is NULL");
}

int treaty_at_commit(struct treaty_at *at)
{
	return at ? at_commit(at) : agent_fail(E_INVALID, "at is NULL");
}

int treaty_at_rollback(struct treaty_at *at)
{
	return at ? at_rollback(at) : agent_fail(E_INVALID, "at is NULL");
}

static bool is_name(const char *name)
{
	size_t n = 0;

	for (; name && name[n]; n++)
		if (!((name[n] >= 'a' && name[n] <= 'z') ||
		      (name[n] >= 'A' && name[n] <= 'Z') || name[n] == '_' ||
		      (n && name[n] >= '0' && name[n] <= '9')))
			return false;
	return n > 0 && n < 64;
}

static int savepoint(struct treaty_at *at, const char *name, const char *verb)
{
	struct buf sql;
	int rc;

	if (!at || !is_name(name))
		return agent_fail(E_INVALID, "not the name of a savepoint");
	buf_init(&sql, &mem_heap);
	buf_printf(&sql, "%s %s", verb, name);
	rc = buf_error(&sql);
	if (rc == OK)
		rc = treaty_at_exec(at, buf_text(&sql), NULL, 0, NULL);
	buf_fini(&sql);
	return rc;
}

int treaty_at_savepoint(struct treaty_at *at, const char *name)
{
	return savepoint(at, name, "SAVEPOINT");
}

int treaty_at_rollback_to(struct treaty_at *at, const char *name)
{
	return savepoint(at, name, "ROLLBACK TO SAVEPOINT");
}

int treaty_at_release(struct treaty_at *at, const char *name)
{
	return savepoint(at, name, "RELEASE SAVEPOINT");
}
