#include "samples/checkout/database.h"
#include "samples/checkout/sql.h"

#include <libpq-fe.h>
#include <mysql.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONNECTIONS 8
/* One that is prepared on MariaDB waits for the decision. */
#define XA_CONNECTIONS 32
#define SQL_MAX        1024

struct slot {
	struct connection c;
	bool open;
	bool taken;
};

struct database {
	struct treaty *t;
	char *dsn;
	enum database_use use;
	pthread_mutex_t lock;
	pthread_cond_t given;
	size_t n;
	struct slot slots[XA_CONNECTIONS];
};

static bool starts_with(const char *text, const char *start)
{
	return strncmp(text, start, strlen(start)) == 0;
}

enum database_kind database_kind_of(const char *dsn)
{
	if (starts_with(dsn, "sqlite:"))
		return SQLITE;
	return starts_with(dsn, "mysql:") ? MARIADB : POSTGRESQL;
}

static PGconn *open_pg(const char *dsn)
{
	PGconn *conn = PQconnectdb(dsn);

	if (PQstatus(conn) == CONNECTION_OK)
		return conn;
	fprintf(stderr, "%s\n", PQerrorMessage(conn));
	PQfinish(conn);
	return NULL;
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

static MYSQL *open_mysql(const char *dsn)
{
	char *text = strdup(dsn);
	MYSQL *conn = mysql_init(NULL);
	struct mysql_address a = split_address(text);

	mysql_options(conn, MYSQL_SET_CHARSET_NAME, "utf8mb4");
	if (!mysql_real_connect(conn, a.host, a.user, a.password, a.name,
				a.port ? (unsigned)strtoul(a.port, NULL, 10)
				       : 0,
				a.socket, 0)) {
		fprintf(stderr, "%s\n", mysql_error(conn));
		mysql_close(conn);
		conn = NULL;
	}
	free(text);
	return conn;
}

static sqlite3 *open_sqlite(const char *dsn)
{
	const char *path = dsn + strlen("sqlite:");
	sqlite3 *conn = NULL;

	if (sqlite3_open_v2(path, &conn,
			    SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE |
				    SQLITE_OPEN_FULLMUTEX,
			    NULL) == SQLITE_OK &&
	    sqlite3_busy_timeout(conn, 10000) == SQLITE_OK &&
	    sqlite3_exec(conn, "PRAGMA journal_mode=WAL", NULL, NULL, NULL) ==
		    SQLITE_OK)
		return conn;
	fprintf(stderr, "%s: %s\n", path, sqlite3_errmsg(conn));
	sqlite3_close(conn);
	return NULL;
}

static void close_native(struct connection *c)
{
	if (c->kind == SQLITE)
		sqlite3_close(c->native);
	else if (c->kind == MARIADB)
		mysql_close(c->native);
	else
		PQfinish(c->native);
}

static bool open_native(struct database *d, struct connection *c)
{
	if (c->kind == SQLITE)
		c->native = open_sqlite(d->dsn);
	else if (c->kind == MARIADB)
		c->native = open_mysql(d->dsn);
	else
		c->native = open_pg(d->dsn);
	return c->native != NULL;
}

static bool open_at(struct database *d, struct connection *c)
{
	int rc;

	if (!open_native(d, c))
		return false;
	if (c->kind == SQLITE)
		rc = treaty_at_wrap_sqlite(d->t, c->native, NULL, &c->at);
	else if (c->kind == MARIADB)
		rc = treaty_at_wrap_mysql(d->t, c->native, NULL, &c->at);
	else
		rc = treaty_at_wrap_pg(d->t, c->native, NULL, &c->at);
	if (rc == TREATY_OK)
		return true;
	fprintf(stderr, "%s\n", treaty_last_error());
	close_native(c);
	return false;
}

static bool open_xa(struct database *d, struct connection *c)
{
	if (treaty_xa_connect(d->t, d->dsn, NULL, &c->xa) != TREATY_OK) {
		fprintf(stderr, "%s\n", treaty_last_error());
		return false;
	}
	c->native = c->kind == MARIADB ? (void *)treaty_xa_mysql(c->xa)
				       : (void *)treaty_xa_pg(c->xa);
	return true;
}

static bool open_slot(struct database *d, struct slot *s)
{
	s->c = (struct connection){ .kind = database_kind_of(d->dsn) };
	if (d->use == DATABASE_AT)
		s->open = open_at(d, &s->c);
	else if (d->use == DATABASE_XA)
		s->open = open_xa(d, &s->c);
	else
		s->open = open_native(d, &s->c);
	return s->open;
}

static void close_slot(struct slot *s)
{
	if (!s->open)
		return;
	treaty_at_unwrap(s->c.at);
	if (s->c.xa)
		treaty_xa_close(s->c.xa); /* and the connection with it */
	else
		close_native(&s->c);
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
			       enum database_use use, const char *const *schema)
{
	static const char *const nothing[] = { NULL };
	struct database *d = calloc(1, sizeof *d);

	if (!d)
		return NULL;
	d->t = t;
	d->dsn = strdup(dsn);
	d->use = use;
	d->n = use == DATABASE_XA ? XA_CONNECTIONS : CONNECTIONS;
	pthread_mutex_init(&d->lock, NULL);
	pthread_cond_init(&d->given, NULL);
	if (!d->dsn || !make_schema(d, schema ? schema : nothing)) {
		database_close(d);
		return NULL;
	}
	return d;
}

void database_close(struct database *d)
{
	if (!d)
		return;
	for (size_t i = 0; i < d->n; i++)
		close_slot(&d->slots[i]);
	pthread_cond_destroy(&d->given);
	pthread_mutex_destroy(&d->lock);
	free(d->dsn);
	free(d);
}

/* Rather an open one than one that would have to be opened, and rather that
 * than one that waits for its second phase. */
static int wish(const struct slot *s)
{
	if (!s->open)
		return 2;
	return s->c.xa && treaty_xa_pinned(s->c.xa) ? 1 : 3;
}

static struct slot *free_slot(struct database *d)
{
	struct slot *found = NULL;

	for (size_t i = 0; i < d->n; i++) {
		struct slot *s = &d->slots[i];

		if (!s->taken && (!found || wish(s) > wish(found)))
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

	return c->failed || code == TREATY_E_IO || code == TREATY_E_UNKNOWN ||
	       code == TREATY_E_CLOSED;
}

void database_give(struct database *d, struct connection *c)
{
	struct slot *s =
		(struct slot *)(void *)((char *)c - offsetof(struct slot, c));

	if (s->open && lost(c))
		close_slot(s);
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

	if (c->kind != POSTGRESQL)
		return treaty_at_exec(c->at, sql, params, n, result);
	sql_dollars(text, sizeof text, sql);
	return treaty_at_exec(c->at, text, params, n, result);
}
