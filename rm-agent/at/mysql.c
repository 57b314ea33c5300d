#include "rm-agent/at/mysql_shape.h"

/*
 * libmysqlclient's query calls. A protected statement is followed by ones of
 * ours, so its result, counts and error are put aside for the application.
 */

static void shape_free(struct treaty_at *at)
{
	struct mysql_shape *s = at->shape;

	if (s->result)
		mysql_free_result(s->result);
	mem_free(&mem_heap, s);
}

struct mysql_shape *mysql_shape_of(struct treaty_at *at)
{
	struct mysql_shape *s = at->shape;

	if (s)
		return s;
	s = mem_alloc(&mem_heap, sizeof *s);
	at->shape = s;
	if (s)
		at->shape_free = shape_free;
	return s;
}

static struct mysql_shape *shape_of_conn(MYSQL *mysql)
{
	struct treaty_at *at = at_find(mysql);

	return at ? at->shape : NULL;
}

static void clear(struct mysql_shape *s)
{
	if (s->result)
		mysql_free_result(s->result);
	*s = (struct mysql_shape){ 0 };
}

void mysql_shape_failed(struct treaty_at *at, struct mysql_shape *s, int rc,
			bool native, unsigned number, const char *message)
{
	s->aside = true;
	s->number = native ? number : TREATY_MYSQL_ERRNO;
	if (native)
		(void)at_fail(at, rc, "%s", message);
}

/* ---- one call ---- */

struct call {
	struct treaty_at *at;
	struct mysql_shape *shape;
	MYSQL *mysql;
	struct bytes query;
	/* Instead of the query: mysql_commit() and its like. */
	my_bool (*instead)(MYSQL *mysql, my_bool mode);
	my_bool mode;
	unsigned number;
	char message[512];
};

static void keep_message(struct call *c, const char *message)
{
	size_t len = strnlen(message, sizeof c->message - 1);

	memcpy(c->message, message, len);
	c->message[len] = '\0';
}

static int run_native(struct call *c, struct bytes text)
{
	if (c->instead)
		return c->instead(c->mysql, c->mode);
	return mysql_real_query(c->mysql, (const char *)text.data,
				(unsigned long)text.len);
}

/* Rows that the engine wants, read by the driver with exact types. */
static int run_for_engine(struct at_run *run, struct bytes text,
			  struct arena *arena, struct at_done *out)
{
	struct call *c = run->ctx;
	struct db_stmt stmt = { .sql = text, .as = run->as, .n_as = run->n_as };
	struct db_result r;
	int rc = db_exec(c->at->db, &stmt, arena, &r);

	if (rc != OK)
		return rc;
	out->rows = r;
	out->affected = out->matched = r.affected;
	out->insert_id = r.last_insert_id;
	c->shape->affected = r.affected;
	c->shape->insert_id = r.last_insert_id;
	c->shape->field_count = 0;
	return OK;
}

uint64_t mysql_shape_matched(MYSQL *mysql, uint64_t affected)
{
	static const char words[] = "Rows matched: ";
	const char *info = mysql_info(mysql);
	uint64_t n = 0;

	if (!info || strncmp(info, words, sizeof(words) - 1) != 0)
		return affected;
	for (info += sizeof(words) - 1; *info >= '0' && *info <= '9'; info++)
		n = n * 10 + (uint64_t)(*info - '0');
	return n;
}

static int take_result(struct call *c, struct at_done *out)
{
	struct mysql_shape *s = c->shape;

	out->affected = mysql_affected_rows(c->mysql);
	out->matched = mysql_shape_matched(c->mysql, out->affected);
	out->insert_id = mysql_insert_id(c->mysql);
	s->field_count = mysql_field_count(c->mysql);
	if (s->field_count) {
		s->result = mysql_store_result(c->mysql);
		if (!s->result)
			return E_IO;
		out->affected = out->matched = mysql_num_rows(s->result);
	}
	s->affected = out->affected;
	s->insert_id = out->insert_id;
	return OK;
}

static int run(struct at_run *run, struct bytes text, bool rows,
	       struct arena *arena, struct at_done *out)
{
	struct call *c = run->ctx;
	struct bytes native = c->query;
	int rc = OK;

	clear(c->shape);
	if (rows)
		return run_for_engine(run, text, arena, out);
	if (text.len)
		rc = shape_from_utf8(c->at, text, &native);
	if (rc != OK)
		return rc;
	if (run_native(c, native) != 0) {
		run->native = true;
		c->number = mysql_errno(c->mysql);
		keep_message(c, mysql_error(c->mysql));
		return db_native_error(c->at->db, NULL, true);
	}
	return take_result(c, out);
}

static void drop(struct at_run *run)
{
	struct call *c = run->ctx;

	clear(c->shape);
}

bool mysql_shape_returns(const MYSQL *native)
{
	MYSQL *mysql = (MYSQL *)(uintptr_t)native; /* it only looks */

	return mysql_get_server_version(mysql) >= 100500 &&
	       strstr(mysql_get_server_info(mysql), "MariaDB");
}

static int protect(struct call *c, struct bytes sql)
{
	struct at_run r = { .must_return = mysql_shape_returns(c->mysql),
			    .run = run,
			    .drop = drop,
			    .ctx = c };
	int rc = shape_to_utf8(c->at, sql, &r.sql);

	if (rc == OK)
		rc = at_run_statement(c->at, &r);
	arena_reset(&c->at->call_arena);
	if (rc == OK) {
		c->shape->aside = true;
		if (r.insert_id)
			c->shape->insert_id = r.insert_id;
		return 0;
	}
	clear(c->shape);
	mysql_shape_failed(c->at, c->shape, rc, r.native, c->number,
			   c->message);
	return 1;
}

/* SQL is the query itself, or what `instead` means. */
static int exec(struct call *c, struct bytes sql)
{
	at_error_clear(c->at);
	c->shape = mysql_shape_of(c->at);
	if (!c->shape) {
		(void)at_fail(c->at, E_NOMEM, "out of memory");
		return 1;
	}
	clear(c->shape);
	if (at_concerned(c->at))
		return protect(c, sql);
	at_passed_by(c->at, sql);
	return run_native(c, c->query);
}

/* ---- queries ---- */

int treaty_mysql_real_query(MYSQL *mysql, const char *query,
			    unsigned long length)
{
	struct call c = { .at = at_find(mysql), .mysql = mysql };

	if (!c.at || !query)
		return mysql_real_query(mysql, query, length);
	c.query = (struct bytes){ (const uint8_t *)query, length };
	return exec(&c, c.query);
}

int treaty_mysql_query(MYSQL *mysql, const char *query)
{
	return treaty_mysql_real_query(mysql, query, query ? strlen(query) : 0);
}

static my_bool native_commit(MYSQL *mysql, my_bool mode)
{
	(void)mode;
	return mysql_commit(mysql);
}

static my_bool native_rollback(MYSQL *mysql, my_bool mode)
{
	(void)mode;
	return mysql_rollback(mysql);
}

static my_bool native_autocommit(MYSQL *mysql, my_bool mode)
{
	return mysql_autocommit(mysql, mode);
}

static my_bool control(MYSQL *mysql, const char *sql,
		       my_bool (*native)(MYSQL *, my_bool), my_bool mode)
{
	struct call c = { .at = at_find(mysql),
			  .mysql = mysql,
			  .instead = native,
			  .mode = mode };

	if (!c.at)
		return native(mysql, mode);
	return (my_bool)exec(&c, bytes_of(sql));
}

my_bool treaty_mysql_autocommit(MYSQL *mysql, my_bool mode)
{
	return control(mysql,
		       mode ? "SET autocommit = 1" : "SET autocommit = 0",
		       native_autocommit, mode);
}

my_bool treaty_mysql_commit(MYSQL *mysql)
{
	return control(mysql, "COMMIT", native_commit, 0);
}

my_bool treaty_mysql_rollback(MYSQL *mysql)
{
	return control(mysql, "ROLLBACK", native_rollback, 0);
}

/* ---- what came of it ---- */

MYSQL_RES *treaty_mysql_store_result(MYSQL *mysql)
{
	struct mysql_shape *s = shape_of_conn(mysql);
	MYSQL_RES *result;

	if (!s || !s->aside)
		return mysql_store_result(mysql);
	result = s->result;
	s->result = NULL;
	return result;
}

MYSQL_RES *treaty_mysql_use_result(MYSQL *mysql)
{
	struct mysql_shape *s = shape_of_conn(mysql);

	if (!s || !s->aside)
		return mysql_use_result(mysql);
	return treaty_mysql_store_result(mysql);
}

unsigned int treaty_mysql_field_count(MYSQL *mysql)
{
	struct mysql_shape *s = shape_of_conn(mysql);

	return s && s->aside ? s->field_count : mysql_field_count(mysql);
}

my_ulonglong treaty_mysql_affected_rows(MYSQL *mysql)
{
	struct mysql_shape *s = shape_of_conn(mysql);

	if (!s || !s->aside)
		return mysql_affected_rows(mysql);
	return s->number ? (my_ulonglong)-1 : s->affected;
}

my_ulonglong treaty_mysql_insert_id(MYSQL *mysql)
{
	struct mysql_shape *s = shape_of_conn(mysql);

	return s && s->aside ? s->insert_id : mysql_insert_id(mysql);
}

unsigned int treaty_mysql_errno(MYSQL *mysql)
{
	struct mysql_shape *s = shape_of_conn(mysql);

	return s && s->aside ? s->number : mysql_errno(mysql);
}

const char *treaty_mysql_error(MYSQL *mysql)
{
	struct treaty_at *at = at_find(mysql);
	struct mysql_shape *s = at ? at->shape : NULL;

	if (at && at->error.shown.code != OK)
		return at->error.shown.message;
	return s && s->aside ? "" : mysql_error(mysql);
}

void treaty_mysql_close(MYSQL *mysql)
{
	treaty_at_unwrap(at_find(mysql));
	mysql_close(mysql);
}
