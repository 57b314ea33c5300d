#include "samples/checkout/database.h"

#include <libpq-fe.h>
#include <mysql.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONNECTIONS 8
#define SQL_MAX     1024

struct slot {
	struct connection c;
	bool open;
	bool taken;
};

struct database {
	struct treaty *t;
	char *dsn;
	pthread_mutex_t lock;
	pthread_cond_t given;
	struct slot slots[CONNECTIONS];
};

static bool starts_with(const char *text, const char *start)
{
	return strncmp(text, start, strlen(start)) == 0;
}

static bool open_pg(struct database *d, struct connection *c)
{
	PGconn *conn = PQconnectdb(d->dsn);

	if (PQstatus(conn) != CONNECTION_OK ||
	    treaty_at_wrap_pg(d->t, conn, NULL, &c->at) != TREATY_OK) {
		fprintf(stderr, "%s%s\n", PQerrorMessage(conn),
			treaty_last_error());
		PQfinish(conn);
		return false;
	}
	c->native = conn;
	c->dollar = true;
	return true;
}

/* mysql://user:pass@host:port/name?socket=/path, in place. */
struct mysql_address {
	char *user, *password, *host, *port, *name, *socket;
};

static char *cut(char *text, char at)
{
	char *rest = text ? strchr(text, at) : NULL;

	if (rest)
		*rest++ = 0;
	return rest;
}

static struct mysql_address split_address(char *text)
{
	struct mysql_address a = { 0 };
	char *query, *rest = text + strlen("mysql://");

	query = cut(rest, '?');
	a.name = cut(rest, '/');
	a.host = cut(rest, '@');
	if (a.host) {
		a.user = rest;
		a.password = cut(rest, ':');
	} else {
		a.host = rest;
	}
	a.port = cut(a.host, ':');
	if (query && starts_with(query, "socket="))
		a.socket = query + strlen("socket=");
	return a;
}

static bool open_mysql(struct database *d, struct connection *c)
{
	char *text = strdup(d->dsn);
	MYSQL *conn = mysql_init(NULL);
	struct mysql_address a;
	bool ok = false;

	if (text && conn) {
		a = split_address(text);
		mysql_options(conn, MYSQL_SET_CHARSET_NAME, "utf8mb4");
		ok = mysql_real_connect(
			     conn, a.host, a.user, a.password, a.name,
			     a.port ? (unsigned)strtoul(a.port, NULL, 10) : 0,
			     a.socket, 0) &&
		     treaty_at_wrap_mysql(d->t, conn, NULL, &c->at) ==
			     TREATY_OK;
		if (!ok)
			fprintf(stderr, "%s %s\n", mysql_error(conn),
				treaty_last_error());
	}
	free(text);
	if (!ok) {
		mysql_close(conn);
		return false;
	}
	c->native = conn;
	return true;
}

static bool open_sqlite(struct database *d, struct connection *c)
{
	const char *path = d->dsn + strlen("sqlite:");
	sqlite3 *conn = NULL;

	if (sqlite3_open_v2(path, &conn,
			    SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE |
				    SQLITE_OPEN_FULLMUTEX,
			    NULL) != SQLITE_OK ||
	    sqlite3_busy_timeout(conn, 10000) != SQLITE_OK ||
	    sqlite3_exec(conn, "PRAGMA journal_mode=WAL", NULL, NULL, NULL) !=
		    SQLITE_OK ||
	    treaty_at_wrap_sqlite(d->t, conn, NULL, &c->at) != TREATY_OK) {
		fprintf(stderr, "%s: %s %s\n", path, sqlite3_errmsg(conn),
			treaty_last_error());
		sqlite3_close(conn);
		return false;
	}
	c->native = conn;
	return true;
}

static bool open_slot(struct database *d, struct slot *s)
{
	s->c = (struct connection){ 0 };
	if (starts_with(d->dsn, "sqlite:"))
		s->open = open_sqlite(d, &s->c);
	else if (starts_with(d->dsn, "mysql:"))
		s->open = open_mysql(d, &s->c);
	else
		s->open = open_pg(d, &s->c);
	return s->open;
}

static void close_slot(struct database *d, struct slot *s)
{
	if (!s->open)
		return;
	treaty_at_unwrap(s->c.at);
	if (starts_with(d->dsn, "sqlite:"))
		sqlite3_close(s->c.native);
	else if (starts_with(d->dsn, "mysql:"))
		mysql_close(s->c.native);
	else
		PQfinish(s->c.native);
	s->open = false;
}

static bool make_schema(struct database *d, const char *const *schema)
{
	struct connection *c = database_take(d);
	bool ok = c != NULL;

	for (; ok && *schema; schema++) {
		ok = database_exec(c, *schema, NULL, 0, NULL) == TREATY_OK;
		if (!ok)
			fprintf(stderr, "%s: %s\n", *schema,
				treaty_last_error());
	}
	if (c)
		database_give(d, c);
	return ok;
}

struct database *database_open(struct treaty *t, const char *dsn,
			       const char *const *schema)
{
	struct database *d = calloc(1, sizeof *d);

	if (!d)
		return NULL;
	d->t = t;
	d->dsn = strdup(dsn);
	pthread_mutex_init(&d->lock, NULL);
	pthread_cond_init(&d->given, NULL);
	if (!d->dsn || !make_schema(d, schema)) {
		database_close(d);
		return NULL;
	}
	return d;
}

void database_close(struct database *d)
{
	if (!d)
		return;
	for (size_t i = 0; i < CONNECTIONS; i++)
		close_slot(d, &d->slots[i]);
	pthread_cond_destroy(&d->given);
	pthread_mutex_destroy(&d->lock);
	free(d->dsn);
	free(d);
}

/* An open one before one that would have to be opened. */
static struct slot *free_slot(struct database *d)
{
	struct slot *found = NULL;

	for (size_t i = 0; i < CONNECTIONS; i++) {
		struct slot *s = &d->slots[i];

		if (!s->taken && (!found || (s->open && !found->open)))
			found = s;
	}
	return found;
}

struct connection *database_take(struct database *d)
{
	struct slot *s;

	pthread_mutex_lock(&d->lock);
	while (!(s = free_slot(d)))
		pthread_cond_wait(&d->given, &d->lock);
	s->taken = true;
	pthread_mutex_unlock(&d->lock);
	if (s->open || open_slot(d, s))
		return &s->c;
	database_give(d, &s->c);
	return NULL;
}

/* What this connection's last error says about the connection itself. */
static bool lost(const struct connection *c)
{
	int code = c->at ? treaty_at_error(c->at)->code : TREATY_OK;

	return code == TREATY_E_IO || code == TREATY_E_UNKNOWN ||
	       code == TREATY_E_CLOSED;
}

void database_give(struct database *d, struct connection *c)
{
	struct slot *s =
		(struct slot *)(void *)((char *)c - offsetof(struct slot, c));

	if (s->open && lost(c))
		close_slot(d, s);
	pthread_mutex_lock(&d->lock);
	s->taken = false;
	pthread_cond_signal(&d->given);
	pthread_mutex_unlock(&d->lock);
}

int database_exec(struct connection *c, const char *sql,
		  const struct treaty_value *params, size_t n,
		  struct treaty_result **result)
{
	char text[SQL_MAX];
	size_t len = 0;
	int number = 0;

	if (!c->dollar)
		return treaty_at_exec(c->at, sql, params, n, result);
	for (; *sql && len < sizeof text - 4; sql++) {
		if (*sql == '?')
			len += (size_t)snprintf(text + len, 4, "$%d", ++number);
		else
			text[len++] = *sql;
	}
	text[len] = 0;
	return treaty_at_exec(c->at, text, params, n, result);
}
