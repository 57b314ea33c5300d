#ifndef RM_AGENT_AT_DSN_H
#define RM_AGENT_AT_DSN_H

/*
 * How the agent itself reaches the database of an application's connection:
 * what the client library knows of it, as a DSN for db_open(). It holds the
 * password; never log it.
 */

#include "base/buf.h"

struct pg_conn;
struct st_mysql;
struct sqlite3;

/* E_NOMEM; E_UNSUPPORTED: it cannot be told (SQLite in memory). */
MUST_CHECK int dsn_of_pg(struct buf *out, struct pg_conn *conn);
MUST_CHECK int dsn_of_mysql(struct buf *out, struct st_mysql *conn);
MUST_CHECK int dsn_of_sqlite(struct buf *out, struct sqlite3 *conn);

#endif
