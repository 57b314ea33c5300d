#ifndef SAMPLES_CHECKOUT_DATABASE_H
#define SAMPLES_CHECKOUT_DATABASE_H

/*
 * A few connections to one database, shared by the threads of a service.
 *
 * Rules
 * -----
 *  - database_take() waits for a free connection; give it back soon, and never
 *    keep it while another service is called.
 *  - A connection that lost its server, or on which a statement of sql.h
 *    failed, is closed when given back; the next take opens a new one.
 */

#include <stdbool.h>
#include <stddef.h>
#include <treaty/at.h>
#include <treaty/xa.h>

struct database;

enum database_kind { POSTGRESQL, MARIADB, SQLITE };

/* What the connections are for. */
enum database_use {
	DATABASE_AT,    /* SQL by database_exec(), wrapped for AT mode */
	DATABASE_PLAIN, /* SQL by sql_run(), past Treaty */
	DATABASE_XA,    /* the same, between treaty_xa_start() and _end() */
};

struct connection {
	struct treaty_at *at; /* of DATABASE_AT, else NULL */
	struct treaty_xa *xa; /* of DATABASE_XA, else NULL */
	void *native;         /* PGconn, MYSQL or sqlite3 */
	enum database_kind kind;
	bool failed;     /* a statement of sql.h */
	char error[256]; /* why */
};

/*
 * dsn: postgresql://…, mysql://user:pass@host:port/name?socket=/path, or
 * sqlite:/path. Opens one connection and, for DATABASE_AT, runs the statements
 * of `schema` (a NULL-terminated list, or NULL) on it. NULL on failure, which
 * is printed.
 */
struct database *database_open(struct treaty *t, const char *dsn,
			       enum database_use use,
			       const char *const *schema);
void database_close(struct database *d); /* NULL is fine */
enum database_kind database_kind_of(const char *dsn);

/* NULL if the database cannot be reached. */
struct connection *database_take(struct database *d);
void database_give(struct database *d, struct connection *c);

/* treaty_at_exec() with `?` for every database. */
int database_exec(struct connection *c, const char *sql,
		  const struct treaty_value *params, size_t n,
		  struct treaty_result **result);

#endif
