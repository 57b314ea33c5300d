#include "tests/live/at_world.h"

#include "rm-agent/db/my.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <libpq-fe.h>
#include <mysql.h>
#include <sqlite3.h>

static void must(int rc, const char *what, const char *why)
{
	if (rc != OK)
		fail_msg("%s: %s: %s", what, err_name(rc), why);
}

static struct db *borrow_pg(struct at_world *w)
{
	PGconn *conn = PQconnectdb(w->dsn);
	struct db_error error = { 0 };
	struct db *db;

	if (PQstatus(conn) != CONNECTION_OK)
		fail_msg("%s", PQerrorMessage(conn));
	must(db_of_pg(&db, &mem_heap, conn, &error), "db_of_pg", error.message);
	w->native = conn;
	return db;
}

static struct db *borrow_mysql(struct at_world *w)
{
	MYSQL *conn = mysql_init(NULL);
	struct db_error error = { 0 };
	struct arena arena;
	struct my_dsn d;
	struct db *db;

	arena_init(&arena, &mem_heap, 0);
	must(my_dsn_parse(&arena, w->dsn, &d), "dsn", w->dsn);
	mysql_options(conn, MYSQL_SET_CHARSET_NAME, "utf8mb4");
	if (!mysql_real_connect(conn, d.host, d.user, d.password, d.database,
				d.port, d.socket, 0))
		fail_msg("%s", mysql_error(conn));
	arena_fini(&arena);
	must(db_of_mysql(&db, &mem_heap, conn, &error), "db_of_mysql",
	     error.message);
	w->native = conn;
	return db;
}

static struct db *borrow_sqlite(struct at_world *w)
{
	struct db_error error = { 0 };
	sqlite3 *conn;
	struct db *db;

	char *question = strchr(w->dsn, '?');

	if (question)
		*question = '\0';
	must(sqlite3_open_v2(w->dsn + strlen("sqlite:"), &conn,
			     SQLITE_OPEN_READWRITE, NULL),
	     "sqlite3_open_v2", w->dsn);
	sqlite3_busy_timeout(conn, 2000);
	sqlite3_exec(conn, "PRAGMA foreign_keys = ON", NULL, NULL, NULL);
	must(db_of_sqlite(&db, &mem_heap, conn, &error), "db_of_sqlite",
	     error.message);
	w->native = conn;
	return db;
}

static void borrow(struct at_world *w)
{
	if (w->dialect == DIALECT_POSTGRES)
		w->hand = borrow_pg(w);
	else if (w->dialect == DIALECT_MYSQL)
		w->hand = borrow_mysql(w);
	else
		w->hand = borrow_sqlite(w);
}

static void open_hand(struct at_world *w, struct at_desk *desk,
		      const struct treaty_at_options *options)
{
	struct at_link link = at_desk_link(desk);

	w->dialect = db_dialect(w->eye);
	borrow(w);
	must(at_wrap(&link, w->hand, w->native, options, w->dsn, &w->at),
	     "at_wrap", treaty_last_error());
}

static void open_eye(struct at_world *w)
{
	struct db_error error = { 0 };

	must(db_open(&w->eye, &mem_heap, w->dsn, &error), w->dsn,
	     error.message);
	/* As an application's session is, for comparing what SQL does. */
	if (db_dialect(w->eye) == DIALECT_MYSQL)
		must(db_command(w->eye, "SET SESSION sql_mode = DEFAULT"),
		     "sql_mode", db_error(w->eye)->message);
}

void world_open(struct at_world *w, const char *dsn,
		const struct treaty_at_options *options)
{
	memset(w, 0, sizeof *w);
	at_desk_init(&w->desk);
	REQUIRE(strlen(dsn) < sizeof w->dsn);
	memcpy(w->dsn, dsn, strlen(dsn));
	open_eye(w);
	open_hand(w, &w->desk, options);
}

void world_open_second(struct at_world *w, const struct at_world *first,
		       const struct treaty_at_options *options)
{
	struct at_world *owner = (struct at_world *)(uintptr_t)first;

	memset(w, 0, sizeof *w);
	memcpy(w->dsn, first->dsn, sizeof w->dsn);
	open_eye(w);
	open_hand(w, &owner->desk, options);
}

static void close_native(struct at_world *w)
{
	if (w->dialect == DIALECT_POSTGRES)
		PQfinish(w->native);
	else if (w->dialect == DIALECT_MYSQL)
		mysql_close(w->native);
	else
		assert_int_equal(sqlite3_close(w->native), SQLITE_OK);
}

int world_try(const struct at_world *w, const struct treaty_at_options *options)
{
	struct at_world other = { .dialect = w->dialect };
	struct at_desk desk;
	struct at_link link;
	int rc;

	memcpy(other.dsn, w->dsn, sizeof other.dsn);
	at_desk_init(&desk);
	link = at_desk_link(&desk);
	borrow(&other);
	rc = at_wrap(&link, other.hand, other.native, options, other.dsn,
		     &other.at);
	if (rc == OK)
		treaty_at_unwrap(other.at);
	else
		db_free(other.hand);
	close_native(&other);
	at_desk_fini(&desk);
	return rc;
}

void world_close_second(struct at_world *w)
{
	treaty_at_unwrap(w->at);
	close_native(w);
	db_free(w->eye);
}

void world_close(struct at_world *w)
{
	world_close_second(w);
	at_desk_fini(&w->desk);
}

static void run_one(struct at_world *w, struct bytes sql)
{
	struct db_stmt stmt = { .sql = sql };
	struct db_result r;
	struct arena arena;
	int rc;

	arena_init(&arena, &mem_heap, 0);
	rc = db_exec(w->eye, &stmt, &arena, &r);
	if (rc != OK)
		fail_msg("%.*s: %s", (int)sql.len, (const char *)sql.data,
			 db_error(w->eye)->message);
	arena_fini(&arena);
}

void world_sql(struct at_world *w, const char *sql)
{
	while (*sql) {
		const char *end = strstr(sql, ";\n");
		size_t len = end ? (size_t)(end - sql) : strlen(sql);

		if (len)
			run_one(w, (struct bytes){ (const uint8_t *)sql, len });
		sql += len + (end ? 2 : 0);
	}
}

char *world_look(struct at_world *w, const char *sql)
{
	struct db_stmt stmt = { .sql = bytes_of(sql) };
	struct db_result r;
	struct arena arena;
	struct buf out;
	char *text;

	arena_init(&arena, &mem_heap, 0);
	buf_init(&out, &mem_heap);
	if (db_exec(w->eye, &stmt, &arena, &r) != OK)
		fail_msg("%s: %s", sql, db_error(w->eye)->message);
	for (size_t i = 0; i < r.n_rows; i++) {
		for (size_t c = 0; c < r.n_columns; c++) {
			struct value v = db_value(&r, i, c);

			if (c)
				buf_put_char(&out, '|');
			if (v.type == VALUE_NULL)
				buf_put_text(&out, "NULL");
			else
				buf_put(&out, v.data);
		}
		buf_put_char(&out, '\n');
	}
	text = mem_text(&mem_heap, buf_bytes(&out));
	buf_fini(&out);
	arena_fini(&arena);
	return text;
}

int64_t world_count(struct at_world *w, const char *sql)
{
	char *text = world_look(w, sql);
	int64_t n = strtoll(text, NULL, 10);

	free(text);
	return n;
}

void world_exec(struct at_world *w, const char *sql, int expected)
{
	int rc = treaty_at_exec(w->at, sql, NULL, 0, NULL);

	if (rc != expected)
		fail_msg("%s\n  gave \"%s\" (%s), expected \"%s\"", sql,
			 err_name(rc),
			 rc ? treaty_at_error(w->at)->message : "",
			 err_name(expected));
}
