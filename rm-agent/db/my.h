#ifndef RM_AGENT_DB_MY_H
#define RM_AGENT_DB_MY_H

/*
 * MySQL and MariaDB: what the files of this driver share.
 *
 * Statements go through the binary protocol: the text protocol rounds FLOAT to
 * six digits.
 */

#include "rm-agent/db/driver.h"

#include <mysql.h>

struct my_db {
	struct db db;
	MYSQL *conn;
	struct charset results; /* of text that comes back */
	bool lost;              /* the client library does not tell */
	bool failed;            /* the server rolled the transaction back, which
				   server_status does not show after an error */
	bool rollback_on_timeout;
};

static inline struct my_db *my_of(struct db *db)
{
	return CONTAINER_OF(db, struct my_db, db);
}

/* ---- my_error.c ---- */

/* From an error of the connection or of one of its statements. */
int my_fail(struct my_db *m, unsigned native, const char *sqlstate,
	    const char *message);
/* Whether a failed COMMIT with this error has certainly not committed. */
bool my_surely_rolled_back(enum db_class class);
/* The classes for an error before there is a connection. */
int my_connect_failed(MYSQL *conn, struct db_error *error);

/* ---- my_param.c ---- */

/* What mysql_stmt_bind_param() wants, in the arena. Codes as db_exec(). */
MUST_CHECK int my_bind_params(struct my_db *m, const struct db_stmt *stmt,
			      struct arena *arena, MYSQL_BIND **out);

/* ---- my_exec.c ---- */

int my_exec(struct db *db, const struct db_stmt *stmt, struct arena *arena,
	    struct db_result *out);
/* Through the text protocol, no rows. */
int my_command(struct db *db, const char *sql);
void my_drop(struct db *db, struct kept_stmt *stmt);

/* ---- my_dsn.c ---- */

struct my_dsn {
	char *user, *password, *host, *database, *socket; /* NULL: not given */
	unsigned port;
};

/* E_INVALID or E_NOMEM; parts are of the arena. */
MUST_CHECK int my_dsn_parse(struct arena *arena, const char *dsn,
			    struct my_dsn *out);

#endif
