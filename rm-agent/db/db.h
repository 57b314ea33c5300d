#ifndef RM_AGENT_DB_DB_H
#define RM_AGENT_DB_DB_H

/*
 * One connection to PostgreSQL, MySQL/MariaDB or SQLite, with the same calls
 * and the same exact typed values whichever it is.
 *
 * Rules
 * -----
 *  - A struct db made by db_of_…() borrows the application's connection: it
 *    changes no setting of the session, and nothing that the application
 *    started on it (a cursor, a pipeline, an unbuffered result) is disturbed:
 *    such a call is refused with E_STATE instead. One made by db_open() owns
 *    its connection, whose session is set up for exact writes (UTF-8, UTC,
 *    strict) and gives up on a lock (2 s, SQLite 5 s).
 *  - Placeholders in SQL are the database's own: $1, $2, … for PostgreSQL,
 *  ? for the others; undo/quote.h spells them and names.
 *  - Results live in the arena that was handed in. SQL and parameters are
 *    borrowed for the call.
 *  - PostgreSQL's values come out in one spelling whatever the session's
 *    settings are (DateStyle, TimeZone, extra_float_digits, bytea_output, …).
 *    On MySQL the character set of results and the time zone of TIMESTAMP are
 *    the session's; for exact values read columns through the expressions of
 *    the catalog, which do not depend on it.
 *  - After a failure db_error() says what happened. A call that failed inside
 *    a transaction may have ended it: ask db_state().
 *  - The outcome of a COMMIT is one of three; E_UNKNOWN is never guessed away.
 *
 * One thread at a time. No call waits longer than the database makes it wait;
 * connections of db_open() give a silent network up.
 */

#include "base/arena.h"
#include "base/dialect.h"
#include "undo/value.h"

struct pg_conn;  /* PGconn */
struct st_mysql; /* MYSQL */
struct sqlite3;

struct db;

/* What kind of failure it was, for deciding what to do next. */
enum db_class {
	DB_NONE = 0,
	DB_DEADLOCK = 1,      /* the database chose us as the victim */
	DB_LOCK_TIMEOUT = 2,  /* somebody holds what we want; SQLITE_BUSY */
	DB_SERIALIZATION = 3, /* run the transaction again */
	DB_CONSTRAINT = 4,    /* unique, foreign key, not null, check */
	DB_LOST = 5,          /* the connection is gone */
	DB_PERMISSION = 6,
	DB_SYNTAX = 7,     /* bad SQL, unknown table or column */
	DB_DATA = 8,       /* a value that the column does not take */
	DB_READONLY = 9,   /* a standby, a read-only transaction or file */
	DB_FULL = 10,      /* disk, memory, connections or slots used up */
	DB_STALE = 11,     /* a prepared statement vanished; run it again */
	DB_CANCELLED = 12, /* statement timeout, KILL QUERY, interrupt */
	DB_IN_USE = 13,    /* results pending, pipeline or COPY active */
	DB_ABORTED = 14,   /* the transaction had failed before */
	DB_OTHER = 15,
	DB_CLASSES,
};

struct db_error {
	int err; /* enum err */
	enum db_class class;
	char sqlstate[6]; /* "" if the database has none */
	int native;       /* errno of MySQL, extended result code of SQLite */
	char message[512];
};

/* Stable word, e.g. "lock timeout". Never NULL. */
const char *db_class_name(enum db_class class);

/* ---- connections ---- */

/*
 * Look at a connection of the application. It must stay open until db_free().
 * OK, E_NOMEM, or E_UNSUPPORTED for one that cannot be protected (automatic
 * reconnect is on, encoding that has no exact counterpart in UTF-8); the
 * reason goes to *error (optional).
 */
MUST_CHECK int db_of_pg(struct db **out, const struct mem *mem,
			struct pg_conn *conn, struct db_error *error);
MUST_CHECK int db_of_mysql(struct db **out, const struct mem *mem,
			   struct st_mysql *conn, struct db_error *error);
MUST_CHECK int db_of_sqlite(struct db **out, const struct mem *mem,
			    struct sqlite3 *conn, struct db_error *error);

/*
 * Connect. The DSN is one of
 *
 *   postgresql://…  postgres://…             everything libpq takes
 *   mysql://user:pass@host:port/database?socket=/path  (also mariadb://;
 *                                            %XX in every part)
 *   sqlite:/path/of/the.db                   (must exist, unless ?create=1)
 *
 * OK, E_NOMEM, E_INVALID (not a DSN), E_IO (cannot connect), E_DENIED,
 * E_NOTFOUND (no such database); *error (optional) says why and never quotes
 * the password.
 */
MUST_CHECK int db_open(struct db **out, const struct mem *mem, const char *dsn,
		       struct db_error *error);

/* Closes what db_open() opened; of a borrowed connection only forgets (its
 * cached statements are closed if it is idle). NULL is fine. */
void db_free(struct db *db);

enum dialect db_dialect(const struct db *db);
bool db_is_mariadb(const struct db *db);
/* The native handle, by kind; NULL if it is another kind. */
struct pg_conn *db_pg(const struct db *db);
struct st_mysql *db_mysql(const struct db *db);
struct sqlite3 *db_sqlite(const struct db *db);

/* What happened in the last call that failed; borrowed until the next call. */
const struct db_error *db_error(const struct db *db);

/*
 * A native call on the connection, made around this layer, has failed: fill
 * db_error() from it and return its code as db_exec() would. It must be told,
 * because some errors end the transaction without the client library noticing.
 * `pg_result` is the PGresult of a libpq call, NULL for the others (and for a
 * connection-level failure of libpq); was_in_tx: whether a transaction was open
 * when the call began (SQLite needs it).
 */
MUST_CHECK int db_native_error(struct db *db, const void *pg_result,
			       bool was_in_tx);

/*
 * A text that names the database itself and not the way to it: kind, server
 * (system identifier, server uuid), database or absolute path of the file.
 * Two DSNs of one database give one text. OK, E_NOMEM, E_UNSUPPORTED (an
 * in-memory SQLite database has no identity), or as db_exec().
 */
MUST_CHECK int db_identity(struct db *db, struct arena *arena,
			   struct bytes *out);

/* ---- state ---- */

enum db_state {
	DB_IDLE = 0,   /* no transaction */
	DB_IN_TX = 1,  /* in a transaction that can go on */
	DB_FAILED = 2, /* in a transaction that can only be rolled back */
	DB_BUSY = 3,   /* the application has results pending; hands off */
	DB_GONE = 4,   /* the connection is lost */
};

/* From what the client library knows; asks the server nothing. */
enum db_state db_state(struct db *db);
/* False if MySQL's autocommit is off: a transaction starts by itself, and
 * DB_IDLE only means that none has started yet. */
bool db_autocommit(struct db *db);

/* ---- statements ---- */

struct db_stmt {
	struct bytes sql;
	const struct value *params;
	size_t n_params;
	/* What to call the values of the first n_as columns that come as text
	 * or bytes, for columns read through an expression (the .read of a
	 * table description); VALUE_NULL leaves a column alone. */
	const enum value_type *as;
	size_t n_as;
	/* Keep it prepared: for SQL of which there are few different texts.
	 * Never for the application's own. */
	bool keep;
};

struct db_column {
	struct bytes name;
	struct bytes db_type; /* the database's name of the type, "" unknown */
	enum value_type type; /* of values that aren't null; SQLite: a guess */
};

struct db_result {
	struct db_column *columns;
	size_t n_columns;
	struct value *values; /* row by row: [row * n_columns + column] */
	size_t n_rows;
	uint64_t affected; /* rows, as the database counts them */
	/* Rows that the condition met: MySQL does not count those that an
	 * UPDATE left as they were. Elsewhere the same as .affected. */
	uint64_t matched;
	uint64_t last_insert_id; /* MySQL, SQLite; else 0 */
	unsigned warnings;       /* MySQL */
	char tag[64];            /* PostgreSQL's command tag, else "" */
};

static inline struct value db_value(const struct db_result *r, size_t row,
				    size_t column)
{
	return r->values[row * r->n_columns + column];
}

/*
 * Run one statement. *out is written only on OK.
 *
 * OK
 * E_NOMEM
 * E_STATE        the connection is in use, or its transaction has failed
 * E_INVALID      the database refused it: syntax, data, constraint
 * E_DEADLOCK     run the transaction again
 * E_TIMEOUT      lock wait, or statement timeout
 * E_CONFLICT     serialization failure: run the transaction again
 * E_AGAIN        a kept statement vanished (DISCARD ALL, reset) inside a
 *                transaction, which has failed now; run it again
 * E_DENIED       permission
 * E_LIMIT        disk full, too many connections
 * E_UNSUPPORTED  read-only; a type that cannot be read exactly
 * E_IO           any other failure of the database
 * E_CLOSED       the connection was lost while running it. Whether it took
 *                effect is not known unless a transaction was open, which is
 *                then rolled back by the database.
 */
MUST_CHECK int db_exec(struct db *db, const struct db_stmt *stmt,
		       struct arena *arena, struct db_result *out);

/*
 * Run several, in order, stopping at the first failure; one round trip on
 * PostgreSQL (pipeline mode), one each on MySQL. results[0..*done) are
 * written. Codes as db_exec(), of the one that failed, stmts[*done].
 * On PostgreSQL outside a transaction, all of them are one transaction.
 */
MUST_CHECK int db_exec_all(struct db *db, const struct db_stmt *stmts, size_t n,
			   struct arena *arena, struct db_result *results,
			   size_t *done);

/* Run SQL without parameters and rows, e.g. SET, SAVEPOINT, XA …; several
 * statements in one string are refused. Codes as db_exec(). */
MUST_CHECK int db_command(struct db *db, const char *sql);

/* The application did something to its session (SET, DISCARD, reset, change
 * of user): statements kept prepared may be gone and settings are read again
 * before the next statement. */
void db_forget_kept(struct db *db);

/* SQL and text values handed to db_exec() are UTF-8, whatever the session's
 * encoding; this turns text that is in the session's encoding (SQL of the
 * application, for a native call) into it. E_INVALID: it is not in that
 * encoding. *out may be `text` itself. E_NOMEM. */
MUST_CHECK int db_to_utf8(struct db *db, struct arena *arena, struct bytes text,
			  struct bytes *out);

/* ---- transactions ---- */

/* E_STATE if one is open already; else as db_exec(). SQLite begins IMMEDIATE,
 * because an upgrade of its lock cannot wait. */
MUST_CHECK int db_begin(struct db *db);

/*
 * OK         committed: the database said so
 * E_UNKNOWN  the connection was lost (or the disk failed) while committing:
 *            it happened or not; look on another connection, don't guess
 * E_AGAIN    SQLite only: busy; the transaction is still open
 * others     not committed and rolled back; codes as db_exec(). E_STATE:
 *            there was nothing to commit, or the transaction had failed (a
 *            COMMIT that PostgreSQL answers with ROLLBACK).
 */
MUST_CHECK int db_commit(struct db *db);

/*
 * Run some statements and then commit; one round trip on PostgreSQL. Codes as
 * db_commit(); if a statement failed, its code as db_exec(), *failed is its
 * place and the transaction is still open. *failed is n if the commit failed.
 */
MUST_CHECK int db_commit_after(struct db *db, const struct db_stmt *stmts,
			       size_t n, struct arena *arena, size_t *failed);

/* OK also when no transaction is open, and when the connection is lost: the
 * database rolls back then. */
MUST_CHECK int db_rollback(struct db *db);

/* Names are of our making: letters, digits and underscores. */
MUST_CHECK int db_savepoint(struct db *db, const char *name);
MUST_CHECK int db_rollback_to(struct db *db, const char *name);
MUST_CHECK int db_release(struct db *db, const char *name);

#endif
