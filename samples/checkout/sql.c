#include "samples/checkout/sql.h"

#include <inttypes.h>
#include <libpq-fe.h>
#include <mysql.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SQL_MAX    4096
#define PARAMS_MAX 8

void sql_dollars(char *text, size_t size, const char *sql)
{
	size_t len = 0;
	int number = 0;

	for (; *sql && len < size - 4; sql++) {
		if (*sql == '?')
			len += (size_t)snprintf(text + len, 4, "$%d", ++number);
		else
			text[len++] = *sql;
	}
	text[len] = 0;
}

static bool failed(struct connection *c, const char *why)
{
	snprintf(c->error, sizeof c->error, "%s", why);
	c->error[strcspn(c->error, "\n")] = 0;
	c->failed = true;
	return false;
}

static void keep_column(struct sql_row *row, size_t column, const char *text)
{
	if (column < SQL_COLUMNS)
		snprintf(row->text[column], sizeof row->text[column], "%s",
			 text ? text : "");
}

/* ---- PostgreSQL ---- */

static void read_pg(PGresult *r, struct sql_row *row)
{
	row->changed = strtoull(PQcmdTuples(r), NULL, 10);
	row->found = PQntuples(r) > 0;
	for (int i = 0; row->found && i < PQnfields(r); i++)
		keep_column(row, (size_t)i, PQgetvalue(r, 0, i));
}

static bool run_pg(struct connection *c, const char *sql,
		   const struct treaty_value *params, size_t n,
		   struct sql_row *row)
{
	char text[SQL_MAX], numbers[PARAMS_MAX][24];
	const char *values[PARAMS_MAX];
	PGresult *r;
	bool ok;

	sql_dollars(text, sizeof text, sql);
	for (size_t i = 0; i < n; i++) {
		snprintf(numbers[i], sizeof numbers[i], "%" PRId64,
			 params[i].number);
		values[i] = params[i].data ? params[i].data : numbers[i];
	}
	r = PQexecParams(c->native, text, (int)n, NULL, values, NULL, NULL, 0);
	ok = PQresultStatus(r) == PGRES_COMMAND_OK ||
	     PQresultStatus(r) == PGRES_TUPLES_OK;
	/* COMMIT of a failed transaction "succeeds" as a ROLLBACK. */
	if (ok && strcmp(sql, "COMMIT") == 0)
		ok = strcmp(PQcmdStatus(r), "COMMIT") == 0;
	if (ok)
		read_pg(r, row);
	else
		failed(c, PQerrorMessage(c->native));
	PQclear(r);
	return ok;
}

/* ---- MariaDB, MySQL ---- */

/* A number, or a quoted text; 0 if there is no room. */
static size_t put_value(MYSQL *conn, char *to, size_t room,
			const struct treaty_value *v)
{
	size_t len = 0;

	if (2 * v->len + 24 > room)
		return 0;
	if (!v->data)
		return (size_t)snprintf(to, room, "%" PRId64, v->number);
	to[len++] = '\'';
	len += mysql_real_escape_string(conn, to + len, v->data, v->len);
	to[len++] = '\'';
	return len;
}

/* The statement with its parameters put in; 0 if it is too long. */
static size_t fill_in(MYSQL *conn, char *text, size_t size, const char *sql,
		      const struct treaty_value *params, size_t n)
{
	size_t len = 0, i = 0, put;

	for (; *sql && len < size - 1; sql++) {
		if (*sql != '?' || i == n) {
			text[len++] = *sql;
			continue;
		}
		put = put_value(conn, text + len, size - len, &params[i++]);
		if (!put)
			return 0;
		len += put;
	}
	return *sql ? 0 : len;
}

static void read_mysql(MYSQL *conn, MYSQL_RES *r, struct sql_row *row)
{
	MYSQL_ROW values = r ? mysql_fetch_row(r) : NULL;

	row->changed = r ? 0 : mysql_affected_rows(conn);
	row->found = values != NULL;
	for (unsigned i = 0; values && i < mysql_num_fields(r); i++)
		keep_column(row, i, values[i]);
}

static bool run_mysql(struct connection *c, const char *sql,
		      const struct treaty_value *params, size_t n,
		      struct sql_row *row)
{
	char text[SQL_MAX];
	size_t len = fill_in(c->native, text, sizeof text, sql, params, n);
	MYSQL_RES *r;

	if (!len)
		return failed(c, "the statement is too long");
	if (mysql_real_query(c->native, text, len) != 0)
		return failed(c, mysql_error(c->native));
	r = mysql_store_result(c->native);
	if (!r && mysql_field_count(c->native) > 0)
		return failed(c, mysql_error(c->native));
	read_mysql(c->native, r, row);
	mysql_free_result(r);
	return true;
}

/* ---- SQLite ---- */

static void read_sqlite(sqlite3_stmt *s, struct sql_row *row)
{
	row->found = true;
	for (int i = 0; i < sqlite3_column_count(s); i++)
		keep_column(row, (size_t)i,
			    (const char *)sqlite3_column_text(s, i));
}

static bool run_sqlite(struct connection *c, const char *sql,
		       const struct treaty_value *params, size_t n,
		       struct sql_row *row)
{
	sqlite3_stmt *s = NULL;
	int rc = sqlite3_prepare_v2(c->native, sql, -1, &s, NULL);

	for (size_t i = 0; i < n && rc == SQLITE_OK; i++)
		rc = params[i].data
			     ? sqlite3_bind_text(s, (int)i + 1, params[i].data,
						 (int)params[i].len,
						 SQLITE_TRANSIENT)
			     : sqlite3_bind_int64(s, (int)i + 1,
						  params[i].number);
	if (rc == SQLITE_OK)
		rc = sqlite3_step(s);
	if (rc == SQLITE_ROW)
		read_sqlite(s, row);
	if (rc != SQLITE_ROW && rc != SQLITE_DONE)
		failed(c, sqlite3_errmsg(c->native));
	sqlite3_finalize(s);
	row->changed = (uint64_t)sqlite3_changes(c->native);
	return rc == SQLITE_ROW || rc == SQLITE_DONE;
}

/* ---- all ---- */

bool sql_run(struct connection *c, const char *sql,
	     const struct treaty_value *params, size_t n, struct sql_row *row)
{
	struct sql_row mine;

	row = row ? row : &mine;
	*row = (struct sql_row){ 0 };
	if (n > PARAMS_MAX)
		return failed(c, "too many parameters");
	switch (c->kind) {
	case POSTGRESQL:
		return run_pg(c, sql, params, n, row);
	case MARIADB:
		return run_mysql(c, sql, params, n, row);
	default:
		return run_sqlite(c, sql, params, n, row);
	}
}

int64_t sql_number(const struct sql_row *row)
{
	return strtoll(row->text[0], NULL, 10);
}

bool sql_begin(struct connection *c)
{
	return sql_run(c, c->kind == SQLITE ? "BEGIN IMMEDIATE" : "BEGIN", NULL,
		       0, NULL);
}

bool sql_commit(struct connection *c)
{
	return sql_run(c, "COMMIT", NULL, 0, NULL);
}

void sql_rollback(struct connection *c)
{
	char why[sizeof c->error];

	memcpy(why, c->error, sizeof why);
	sql_run(c, "ROLLBACK", NULL, 0, NULL);
	memcpy(c->error, why, sizeof why);
}
