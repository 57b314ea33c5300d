#ifndef TREATY_AT_H
#define TREATY_AT_H

/*
 * AT mode: SQL on an ordinary database connection becomes a branch of the
 * global transaction that is bound to the calling thread. What the statements
 * changed is kept in the table undo_log beside the data and is undone if the
 * global transaction rolls back.
 *
 * Rules
 * -----
 *  - Open a connection with the database's own library, wrap it once, run SQL
 *    through the calls below or through the native-shaped ones of
 *    <treaty/pq.h>, <treaty/mysql.h> and <treaty/sqlite.h>. SQL that goes past
 *    them is not protected.
 *  - The global transaction is the one of the thread (treaty_begin,
 *    treaty_bind). Without one the calls only pass through.
 *  - A statement that cannot be undone exactly is refused with
 *    TREATY_E_UNSUPPORTED and the reason, and has not run.
 *  - In autocommit each writing statement is one local transaction and one
 *    branch. Between treaty_at_begin() (or BEGIN as SQL) and the commit, all
 *    statements are one branch, registered at the commit.
 *  - A row that another global transaction holds: the statement waits up to
 *    .lock_wait_ms, its local transaction is rolled back, and it is tried again
 *    as .retries and .retry_for_ms say. In an explicit local transaction there
 *    is no second try: it is rolled back and TREATY_E_CONFLICT is returned.
 *  - TREATY_E_UNKNOWN from a commit: the connection was lost while committing.
 *    Nobody knows whether it happened; roll back the global transaction or ask
 *    for its status. Treaty finds out by looking when it undoes the branch.
 *  - A wrapped connection belongs to one thread at a time, like the connection
 *    itself. Arguments are borrowed for the call.
 */

#include <treaty/treaty.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

#ifndef TREATY_API
#define TREATY_API __attribute__((visibility("default")))
#endif

struct treaty_at;
struct treaty_result;

/* Connections, as the native headers call them. */
struct pg_conn;  /* PGconn */
struct st_mysql; /* MYSQL */
struct sqlite3;

/* ---- values ---- */

enum treaty_type {
	TREATY_NULL = 0,
	TREATY_INT = 1,    /* decimal text, any size */
	TREATY_NUMBER = 2, /* exact decimal text: "1.50" */
	TREATY_FLOAT = 3,  /* text that reads back to the same bits */
	TREATY_BOOL = 4,   /* "t" or "f" */
	TREATY_TEXT = 5,   /* UTF-8 */
	TREATY_BYTES = 6,
	TREATY_BIT = 7, /* text of 0 and 1 */
	TREATY_DATE = 8,
	TREATY_TIME = 9,
	TREATY_TIMESTAMP = 10,
	TREATY_TIMESTAMPTZ = 11, /* text in UTC */
	TREATY_JSON = 12,
	TREATY_OTHER = 13, /* the database's own text form */
};

/* A parameter, or a value of a result. With .type TREATY_INT and .data NULL
 * the .number counts; results have .number set for whole numbers that fit. */
struct treaty_value {
	enum treaty_type type;
	const void *data;
	size_t len;
	int64_t number;
};

static inline struct treaty_value treaty_null(void)
{
	struct treaty_value v = { TREATY_NULL, NULL, 0, 0 };
	return v;
}

static inline struct treaty_value treaty_int(int64_t number)
{
	struct treaty_value v = { TREATY_INT, NULL, 0, number };
	return v;
}

/* Text is borrowed; NULL becomes SQL's NULL. */
static inline struct treaty_value treaty_text(const char *text)
{
	struct treaty_value v = { text ? TREATY_TEXT : TREATY_NULL, text,
				  text ? strlen(text) : 0, 0 };
	return v;
}

/* An exact number as text, e.g. "-12.50". */
static inline struct treaty_value treaty_number(const char *text)
{
	struct treaty_value v = { TREATY_NUMBER, text, strlen(text), 0 };
	return v;
}

static inline struct treaty_value treaty_bytes(const void *data, size_t len)
{
	struct treaty_value v = { TREATY_BYTES, data, len, 0 };
	return v;
}

/* ---- wrapping ---- */

enum treaty_policy {
	TREATY_REFUSE = 0,
	TREATY_WARN = 1, /* run it and log a warning */
};

/* All zero is the default of everything. */
struct treaty_at_options {
	/* Name of the resource. NULL: made of the database's own identity, so
	 * that all services on one database share its locks. Give one only if
	 * all of them give the same. */
	const char *resource;
	/* How the agent itself connects for phase two (see treaty_at_wrap_pg).
	 * NULL: taken from the connection. */
	const char *dsn;
	const char *undo_table;    /* NULL: "undo_log" */
	bool no_create_undo_table; /* else it is created if it is missing */
	/* Undo rows of committed branches are deleted by the second phase
	 * itself, not by a thread. For programs whose handle has no threads. */
	bool no_thread;
	/* Also outside a global transaction, rows that a global transaction
	 * holds are not changed, deleted or locked: wait, then
	 * TREATY_E_CONFLICT. An INSERT is rolled back and waits if the key
	 * of its row is held, e.g. by a deletion that may be undone. (Its
	 * primary key; a value of another unique index is not seen.) */
	bool respect_global_locks;
	uint32_t lock_wait_ms;   /* 0: 10 000; 1 is as good as not at all */
	uint32_t retries;        /* of a statement; 0: 10 */
	uint32_t retry_for_ms;   /* for all tries together; 0: 30 000 */
	uint32_t rows_max;       /* rows of one image; 0: 100 000 */
	uint32_t undo_keep_days; /* of defence rows; 0: 7 */
	/* Tables with triggers, rules or cascading foreign keys that change
	 * rows no image can see. */
	enum treaty_policy triggers;
	/* Statements that are never undone but harmless for some: DDL,
	 * TRUNCATE, LOAD/COPY, CALL, in a global transaction. */
	enum treaty_policy unprotected;
};

/*
 * Wrap a connection. The resource is registered with the coordinator; phase
 * two runs on a connection of the agent's own, which .dsn describes:
 * postgresql://…, mysql://user:pass@host:port/db?socket=/path, sqlite:/file.
 * The connection must stay open until treaty_at_unwrap(), and is not closed by
 * it. Wrapping one connection twice is TREATY_E_STATE.
 *
 * TREATY_OK
 * TREATY_E_NOMEM
 * TREATY_E_STATE        wrapped already, or a transaction is open on it
 * TREATY_E_UNSUPPORTED  this connection cannot be protected (in-memory SQLite,
 *                       automatic reconnect, server too old); see
 *                       treaty_last_error()
 * TREATY_E_NOTFOUND     no undo table and not allowed to create it; the text
 *                       holds the statement that does
 * TREATY_E_DENIED       the user of the second phase lacks a right on the undo
 *                       table; the text holds the GRANT
 * TREATY_E_IO, …        the database failed
 */
TREATY_API int treaty_at_wrap_pg(struct treaty *t, struct pg_conn *conn,
				 const struct treaty_at_options *options,
				 struct treaty_at **out);
TREATY_API int treaty_at_wrap_mysql(struct treaty *t, struct st_mysql *conn,
				    const struct treaty_at_options *options,
				    struct treaty_at **out);
TREATY_API int treaty_at_wrap_sqlite(struct treaty *t, struct sqlite3 *conn,
				     const struct treaty_at_options *options,
				     struct treaty_at **out);

/*
 * Only start phase two for a database, e.g. in a service that has just been
 * restarted and has not opened a connection yet: branches that wait for it are
 * finished without waiting for the first request. Wrapping does this too.
 * Codes as above.
 */
TREATY_API int treaty_at_serve(struct treaty *t, const char *dsn,
			       const struct treaty_at_options *options);

/* Forget the connection; an open local transaction of ours is rolled back.
 * Phase two of the resource goes on until treaty_close(). NULL is fine. */
TREATY_API void treaty_at_unwrap(struct treaty_at *at);

/* The resource id. Borrowed until unwrap. */
TREATY_API const char *treaty_at_resource(const struct treaty_at *at);

/* ---- statements ---- */

/*
 * Run one statement. Placeholders are the database's own: $1, $2, … for
 * PostgreSQL, ? for the others (SQLite: also ?1, :name by position).
 * *result (optional) is freed by treaty_result_free().
 *
 * TREATY_OK
 * TREATY_E_UNSUPPORTED  cannot be undone; it has not run
 * TREATY_E_CONFLICT     a row is held by another global transaction, the text
 *                       says which row, by whom and for how long; rolled back
 * TREATY_E_TIMEOUT      the same, after waiting; or the database's lock wait
 * TREATY_E_DEADLOCK     rolled back; the whole may be tried again
 * TREATY_E_STATE        the global transaction is no longer active, or the
 *                       local transaction has failed or belongs to another xid
 * TREATY_E_INVALID      the database refused it: syntax, data, constraint
 * TREATY_E_UNKNOWN      autocommit: the connection was lost while committing
 * TREATY_E_CLOSED, TREATY_E_IO, TREATY_E_NOMEM, TREATY_E_LIMIT, TREATY_E_DENIED
 *
 * treaty_last_error() has the sentence, treaty_at_error() the details.
 */
TREATY_API int treaty_at_exec(struct treaty_at *at, const char *sql,
			      const struct treaty_value *params, size_t n,
			      struct treaty_result **result);

TREATY_API size_t treaty_result_rows(const struct treaty_result *r);
TREATY_API size_t treaty_result_columns(const struct treaty_result *r);
/* Names and values are borrowed until treaty_result_free(). Out of range gives
 * NULL, respectively TREATY_NULL. Data has a NUL behind it. */
TREATY_API const char *treaty_result_name(const struct treaty_result *r,
					  size_t column);
TREATY_API struct treaty_value treaty_result_value(
	const struct treaty_result *r, size_t row, size_t column);
/* The value as a number (0 if it is no integer that fits, or has decimals) and
 * as text (NULL for NULL). */
TREATY_API int64_t treaty_result_int(const struct treaty_result *r, size_t row,
				     size_t column);
TREATY_API const char *treaty_result_text(const struct treaty_result *r,
					  size_t row, size_t column);
/* Rows changed, as the database counts them. */
TREATY_API uint64_t treaty_result_affected(const struct treaty_result *r);
/* MySQL and SQLite; 0 elsewhere. */
TREATY_API uint64_t treaty_result_insert_id(const struct treaty_result *r);
TREATY_API void treaty_result_free(struct treaty_result *r); /* NULL is fine */

/* ---- local transactions of several statements ---- */

/* TREATY_E_STATE if one is open; else as treaty_at_exec(). */
TREATY_API int treaty_at_begin(struct treaty_at *at);
/* Registers the branch, waits for its row locks, writes the undo row, commits.
 * On any code but TREATY_OK and TREATY_E_UNKNOWN it is rolled back. */
TREATY_API int treaty_at_commit(struct treaty_at *at);
TREATY_API int treaty_at_rollback(struct treaty_at *at);

/* Names: letters, digits, underscores. Rolling back to a savepoint also
 * forgets the images taken since. */
TREATY_API int treaty_at_savepoint(struct treaty_at *at, const char *name);
TREATY_API int treaty_at_rollback_to(struct treaty_at *at, const char *name);
TREATY_API int treaty_at_release(struct treaty_at *at, const char *name);

/* ---- what went wrong ---- */

struct treaty_at_error {
	int code; /* TREATY_E_… or TREATY_OK */
	const char
		*message; /* a sentence: what, which xid and row, what next */
	const char *sqlstate; /* of the database, "" if it has none */
	int native;           /* errno of MySQL, result code of SQLite, or 0 */
	const char *holder;   /* CONFLICT, TIMEOUT: xid of who holds the row */
	uint64_t holder_age_ms;
};

/* Of the last call on this connection; borrowed until the next one. */
TREATY_API const struct treaty_at_error *treaty_at_error(
	const struct treaty_at *at);

/* Rows and round trips, for measuring and tests. */
struct treaty_at_stats {
	uint64_t statements; /* that were protected */
	uint64_t branches;
	uint64_t retries;
	uint64_t undo_rows_deleted; /* by phase two, all connections */
};
TREATY_API void treaty_at_stats(const struct treaty_at *at,
				struct treaty_at_stats *out);

#ifdef __cplusplus
}
#endif

#endif
