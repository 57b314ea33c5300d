#include "rm-agent/at/mysql_shape.h"
#include "rm-agent/db/my.h"

#include "base/hash.h"

#include <pthread.h>

/*
 * Prepared statements of libmysqlclient. Parameters are read from the
 * application's own buffers at each execution. When the engine wants another
 * text (a statement pinned to rows), the application's handle is prepared with
 * that text for one execution, and with its own again for the next.
 */

struct my_stmt {
	struct map_node node;
	MYSQL_STMT *stmt;
	char *text; /* as it came */
	size_t len;
	MYSQL_BIND *binds;
	size_t n_binds;
	bool other_text; /* prepared with a text of the engine's */
	bool stored;     /* its rows are buffered already */
	bool failed;     /* the last execution; number and text below */
	unsigned number;
	char message[512];
};

static pthread_rwlock_t lock = PTHREAD_RWLOCK_INITIALIZER;
static struct map known;

static uint64_t hash_of(const MYSQL_STMT *stmt)
{
	return hash_u64(11, (uint64_t)(uintptr_t)stmt);
}

static struct my_stmt *find(const MYSQL_STMT *stmt)
{
	struct my_stmt *found = NULL;

	pthread_rwlock_rdlock(&lock);
	for (struct map_node *n =
		     known.buckets ? map_find(&known, hash_of(stmt)) : NULL;
	     n && !found; n = map_find_next(n)) {
		struct my_stmt *s = CONTAINER_OF(n, struct my_stmt, node);

		if (s->stmt == stmt)
			found = s;
	}
	pthread_rwlock_unlock(&lock);
	return found;
}

static void stmt_free(struct my_stmt *s)
{
	mem_free(&mem_heap, s->text);
	mem_free(&mem_heap, s->binds);
	mem_free(&mem_heap, s);
}

static void forget(MYSQL_STMT *stmt)
{
	struct my_stmt *s = find(stmt);

	if (!s)
		return;
	pthread_rwlock_wrlock(&lock);
	map_remove(&known, &s->node);
	if (known.count == 0) {
		map_fini(&known);
		known = (struct map){ 0 };
	}
	pthread_rwlock_unlock(&lock);
	stmt_free(s);
}

static int remember(MYSQL_STMT *stmt, const char *query, unsigned long len)
{
	struct my_stmt *s = mem_alloc(&mem_heap, sizeof *s);
	int rc = OK;

	if (!s)
		return E_NOMEM;
	s->stmt = stmt;
	s->len = len;
	s->text = mem_text(&mem_heap,
			   (struct bytes){ (const uint8_t *)query, len });
	s->n_binds = mysql_stmt_param_count(stmt);
	s->binds = mem_array(&mem_heap, s->n_binds + 1, sizeof *s->binds);
	pthread_rwlock_wrlock(&lock);
	if (!s->text || !s->binds)
		rc = E_NOMEM;
	if (rc == OK && !known.buckets)
		rc = map_init(&known, &mem_heap);
	if (rc == OK)
		map_insert(&known, &s->node, hash_of(stmt));
	pthread_rwlock_unlock(&lock);
	if (rc != OK)
		stmt_free(s);
	return rc;
}

/* ---- parameters ---- */

static int put_time(struct treaty_at *at, const MYSQL_BIND *b,
		    struct value *out)
{
	const MYSQL_TIME *t = b->buffer;
	struct buf text;

	buf_init(&text, &at->call_arena.as_mem);
	if (b->buffer_type == MYSQL_TYPE_TIME)
		buf_printf(&text, "%s%02u:%02u:%02u", t->neg ? "-" : "",
			   t->day * 24 + t->hour, t->minute, t->second);
	else
		buf_printf(&text, "%04u-%02u-%02u", t->year, t->month, t->day);
	if (b->buffer_type == MYSQL_TYPE_DATETIME ||
	    b->buffer_type == MYSQL_TYPE_TIMESTAMP)
		buf_printf(&text, " %02u:%02u:%02u", t->hour, t->minute,
			   t->second);
	if (b->buffer_type != MYSQL_TYPE_DATE && t->second_part)
		buf_printf(&text, ".%06lu", t->second_part);
	if (buf_error(&text) != OK)
		return at_fail(at, E_NOMEM, "out of memory");
	*out = (struct value){ VALUE_TEXT, buf_bytes(&text) };
	return OK;
}

static int put_integer(struct treaty_at *at, const MYSQL_BIND *b,
		       struct value *out)
{
	bool u = b->is_unsigned;
	int64_t i;

	switch (b->buffer_type) {
	case MYSQL_TYPE_TINY:
		i = u ? *(uint8_t *)b->buffer : *(int8_t *)b->buffer;
		break;
	case MYSQL_TYPE_SHORT:
	case MYSQL_TYPE_YEAR:
		i = u ? *(uint16_t *)b->buffer : *(int16_t *)b->buffer;
		break;
	case MYSQL_TYPE_LONG:
	case MYSQL_TYPE_INT24:
		i = u ? (int64_t) * (uint32_t *)b->buffer
		      : *(int32_t *)b->buffer;
		break;
	default:
		i = *(int64_t *)b->buffer;
		break;
	}
	return shape_int(at, i, u, out);
}

static struct bytes data_of(const MYSQL_BIND *b)
{
	return (struct bytes){ b->buffer,
			       b->length ? *b->length : b->buffer_length };
}

static int one_param(struct treaty_at *at, const MYSQL_BIND *b,
		     struct value *out)
{
	*out = (struct value){ 0 };
	if (b->buffer_type == MYSQL_TYPE_NULL || (b->is_null && *b->is_null))
		return OK;
	switch (b->buffer_type) {
	case MYSQL_TYPE_TINY:
	case MYSQL_TYPE_SHORT:
	case MYSQL_TYPE_YEAR:
	case MYSQL_TYPE_INT24:
	case MYSQL_TYPE_LONG:
	case MYSQL_TYPE_LONGLONG:
		return put_integer(at, b, out);
	case MYSQL_TYPE_FLOAT:
		return shape_double(at, (double)*(float *)b->buffer, out);
	case MYSQL_TYPE_DOUBLE:
		return shape_double(at, *(double *)b->buffer, out);
	case MYSQL_TYPE_DATE:
	case MYSQL_TYPE_TIME:
	case MYSQL_TYPE_DATETIME:
	case MYSQL_TYPE_TIMESTAMP:
		return put_time(at, b, out);
	case MYSQL_TYPE_TINY_BLOB:
	case MYSQL_TYPE_MEDIUM_BLOB:
	case MYSQL_TYPE_LONG_BLOB:
	case MYSQL_TYPE_BLOB:
	case MYSQL_TYPE_BIT:
		*out = (struct value){ VALUE_BYTES, data_of(b) };
		return OK;
	default:
		return shape_text(at, VALUE_TEXT, data_of(b), out);
	}
}

/* ---- running ---- */

struct call {
	struct treaty_at *at;
	struct my_stmt *s;
};

static int note(struct call *c, struct at_run *run)
{
	MYSQL_STMT *stmt = c->s->stmt;
	const char *message = mysql_stmt_error(stmt);
	size_t len = strnlen(message, sizeof c->s->message - 1);

	run->native = true;
	c->s->number = mysql_stmt_errno(stmt);
	memcpy(c->s->message, message, len);
	c->s->message[len] = '\0';
	return my_fail(my_of(c->at->db), c->s->number,
		       mysql_stmt_sqlstate(stmt), message);
}

static int prepare_as(struct my_stmt *s, struct bytes text, bool other)
{
	if (mysql_stmt_prepare(s->stmt, (const char *)text.data,
			       (unsigned long)text.len))
		return 1;
	s->other_text = other;
	return s->n_binds ? mysql_stmt_bind_param(s->stmt, s->binds) : 0;
}

static int execute(struct my_stmt *s, struct bytes text)
{
	struct bytes own = { (const uint8_t *)s->text, s->len };
	int bad = 0;

	if (text.len)
		bad = prepare_as(s, text, true);
	else if (s->other_text)
		bad = prepare_as(s, own, false);
	if (!bad)
		bad = mysql_stmt_execute(s->stmt);
	if (!bad && mysql_stmt_field_count(s->stmt)) {
		bad = mysql_stmt_store_result(s->stmt);
		s->stored = !bad;
	}
	return bad;
}

/* Rows that the engine wants, read by the driver; the application's handle
 * answers as if it had run. */
static int run_for_engine(struct at_run *run, struct bytes text,
			  struct arena *arena, struct at_done *out)
{
	struct call *c = run->ctx;
	struct db_stmt stmt = { .sql = text,
				.params = run->params,
				.n_params = run->n_params,
				.as = run->as,
				.n_as = run->n_as };
	struct db_result r;
	int rc = db_exec(c->at->db, &stmt, arena, &r);

	if (rc != OK)
		return rc;
	out->rows = r;
	out->affected = out->matched = r.affected;
	out->insert_id = r.last_insert_id;
	c->s->stmt->upsert_status.affected_rows = r.affected;
	return OK;
}

static int run(struct at_run *run, struct bytes text, bool rows,
	       struct arena *arena, struct at_done *out)
{
	struct call *c = run->ctx;
	struct bytes native = { 0 };
	int rc = OK;

	if (rows)
		return run_for_engine(run, text, arena, out);
	if (text.len)
		rc = shape_from_utf8(c->at, text, &native);
	if (rc != OK)
		return rc;
	if (execute(c->s, native) != 0)
		return note(c, run);
	out->affected = mysql_stmt_affected_rows(c->s->stmt);
	out->matched = mysql_shape_matched(c->s->stmt->mysql, out->affected);
	out->insert_id = mysql_stmt_insert_id(c->s->stmt);
	return OK;
}

static void drop(struct at_run *run)
{
	struct call *c = run->ctx;

	(void)mysql_stmt_free_result(c->s->stmt);
	c->s->stored = false;
}

static int protect(struct call *c)
{
	struct my_stmt *s = c->s;
	struct at_run r = { .n_params = s->n_binds,
			    .must_return = mysql_shape_returns(c->at->native),
			    .run = run,
			    .drop = drop,
			    .ctx = c };
	struct value *v =
		arena_array(&c->at->call_arena, s->n_binds + 1, sizeof *v);
	int rc = v ? OK : at_fail(c->at, E_NOMEM, "out of memory");

	for (size_t i = 0; rc == OK && i < s->n_binds; i++)
		rc = one_param(c->at, &s->binds[i], &v[i]);
	r.params = v;
	if (rc == OK)
		rc = shape_to_utf8(
			c->at,
			(struct bytes){ (const uint8_t *)s->text, s->len },
			&r.sql);
	if (rc == OK)
		rc = at_run_statement(c->at, &r);
	arena_reset(&c->at->call_arena);
	if (rc == OK && r.insert_id)
		s->stmt->upsert_status.last_insert_id = r.insert_id;
	if (rc == OK)
		return 0;
	if (!r.native)
		s->number = TREATY_MYSQL_ERRNO;
	else
		(void)at_fail(c->at, rc, "%s", s->message);
	s->failed = true;
	return 1;
}

int treaty_mysql_stmt_execute(MYSQL_STMT *stmt)
{
	struct call c = { .at = at_find(stmt->mysql), .s = find(stmt) };

	if (!c.at || !c.s)
		return mysql_stmt_execute(stmt);
	at_error_clear(c.at);
	c.s->failed = c.s->stored = false;
	if (at_concerned(c.at))
		return protect(&c);
	at_passed_by(c.at,
		     (struct bytes){ (const uint8_t *)c.s->text, c.s->len });
	if (c.s->other_text &&
	    prepare_as(c.s,
		       (struct bytes){ (const uint8_t *)c.s->text, c.s->len },
		       false))
		return 1;
	return mysql_stmt_execute(stmt);
}

int treaty_mysql_stmt_prepare(MYSQL_STMT *stmt, const char *query,
			      unsigned long length)
{
	struct treaty_at *at = at_find(stmt->mysql);

	forget(stmt);
	if (mysql_stmt_prepare(stmt, query, length))
		return 1;
	if (!at || remember(stmt, query, length) == OK)
		return 0;
	(void)at_fail(at, E_NOMEM, "out of memory");
	return 1;
}

my_bool treaty_mysql_stmt_bind_param(MYSQL_STMT *stmt, MYSQL_BIND *bind)
{
	struct my_stmt *s = find(stmt);

	if (s && s->n_binds)
		memcpy(s->binds, bind, s->n_binds * sizeof *bind);
	return mysql_stmt_bind_param(stmt, bind);
}

int treaty_mysql_stmt_store_result(MYSQL_STMT *stmt)
{
	struct my_stmt *s = find(stmt);

	return s && s->stored ? 0 : mysql_stmt_store_result(stmt);
}

my_bool treaty_mysql_stmt_close(MYSQL_STMT *stmt)
{
	forget(stmt);
	return mysql_stmt_close(stmt);
}

unsigned int treaty_mysql_stmt_errno(MYSQL_STMT *stmt)
{
	struct my_stmt *s = find(stmt);

	return s && s->failed ? s->number : mysql_stmt_errno(stmt);
}

const char *treaty_mysql_stmt_error(MYSQL_STMT *stmt)
{
	struct my_stmt *s = find(stmt);
	struct treaty_at *at = at_find(stmt->mysql);

	if (s && s->failed && at && at->error.shown.code != OK)
		return at->error.shown.message;
	return mysql_stmt_error(stmt);
}
