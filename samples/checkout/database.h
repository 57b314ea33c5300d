#ifndef SAMPLES_CHECKOUT_DATABASE_H
#define SAMPLES_CHECKOUT_DATABASE_H

/*
 * A few connections to one database, each wrapped for AT mode, shared by the
 * threads of a service. The SQL of the samples is written with `?`.
 *
 * Rules
 * -----
 *  - database_take() waits for a free connection; give it back soon, and never
 *    keep it while another service is called.
 *  - A connection that lost its server is closed when given back; the next
 *    take opens a new one.
 */

#include <stdbool.h>
#include <stddef.h>
#include <treaty/at.h>

struct database;

struct connection {
	struct treaty_at *at;
	void *native; /* PGconn, MYSQL or sqlite3 */
	bool dollar;  /* placeholders are $1, $2, … */
};

/*
 * dsn: postgresql://…, mysql://user:pass@host:port/name?socket=/path, or
 * sqlite:/path. Opens one connection and runs the statements of `schema` (a
 * NULL-terminated list) on it. NULL on failure, which is printed.
 */
struct database *database_open(struct treaty *t, const char *dsn,
			       const char *const *schema);
void database_close(struct database *d); /* NULL is fine */

/* NULL if the database cannot be reached. */
struct connection *database_take(struct database *d);
void database_give(struct database *d, struct connection *c);

/* treaty_at_exec() with `?` for every database. */
int database_exec(struct connection *c, const char *sql,
		  const struct treaty_value *params, size_t n,
		  struct treaty_result **result);

#endif
