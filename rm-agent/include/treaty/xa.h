#ifndef TREATY_XA_H
#define TREATY_XA_H

/*
 * XA mode: a connection's own transaction becomes a branch of the global
 * transaction that is bound to the calling thread. The database keeps it
 * prepared until the coordinator decides. See docs/xa.md.
 *
 *   PGconn *conn = PQconnectdb(…);
 *   treaty_xa_wrap_pg(t, conn, NULL, &xa);      Treaty owns conn from here on
 *
 *   treaty_begin(t, "checkout", 30000, &tx);
 *   treaty_xa_start(xa);
 *   PQexec(conn, "UPDATE …");                   any SQL, natively
 *   rc = treaty_xa_end(xa);                     prepared: a promise
 *   rc == TREATY_OK ? treaty_commit(tx) : treaty_rollback(tx, NULL);
 *   treaty_xa_close(xa);                        instead of PQfinish
 *
 * Rules
 * -----
 *  - Whose connection it is: Treaty's from a successful wrap until
 *    treaty_xa_close(). The program may use it natively whenever
 *    treaty_xa_pinned() is false, and never closes, resets or hands it to a
 *    pool that does.
 *  - MySQL and MariaDB finish a branch on the session that prepared it. From
 *    treaty_xa_end() until phase two the connection is *pinned*: the program
 *    keeps its hands off. treaty_xa_start() waits for it; treaty_xa_wait()
 *    does, too; treaty_xa_close() needs not wait: phase two closes it then.
 *    PostgreSQL's connection is free again as soon as treaty_xa_end() returns.
 *  - Any error of treaty_xa_end() means: this branch will not commit, roll the
 *    global transaction back. treaty_commit() is refused then, and also while
 *    a branch of this process has not been ended (TREATY_E_STATE).
 *  - An error of a statement makes the branch rollback-only. PostgreSQL does
 *    that by itself. MySQL goes on without the failed statement, and the
 *    library sees only the last call's error: call treaty_xa_check() after
 *    each native call (treaty_xa_run() does both).
 *  - No COMMIT, ROLLBACK, DDL or XA statement between start and end.
 *  - One thread at a time for each struct treaty_xa.
 */

#include <treaty/treaty.h>

#ifdef __cplusplus
extern "C" {
#endif

struct treaty_xa;

struct pg_conn;  /* PGconn */
struct st_mysql; /* MYSQL */
struct sqlite3;

/* All zero is the default of everything. */
struct treaty_xa_options {
	/* Name of the resource. NULL: "xa:" and the database's identity. */
	const char *resource;
	/* How the agent itself connects for phase two and recovery, by the same
	 * user. NULL: taken from the connection. */
	const char *dsn;
	/* MySQL, MariaDB: each branch writes a row into this table of the
	 * current database, which tells later whether it was committed. NULL:
	 * "treaty_xa". Created if it is missing and that is allowed. */
	const char *table;
	bool no_create_table;
	/* Accept innodb_flush_log_at_trx_commit and sync_binlog other than 1:
	 * a crash of the server's machine may then lose what was promised. */
	bool weak_durability;
	/* No recovery thread: the program calls treaty_xa_recover(). */
	bool no_thread;
	uint32_t pinned_wait_ms;   /* of treaty_xa_start(); 0: 10 000 */
	uint32_t recover_every_ms; /* 0: 10 000 */
	/* A prepared branch is finished by recovery when it has been seen for
	 * so long and its transaction is decided; 0: 30 000. */
	uint32_t recover_after_ms;
	uint32_t keep_days; /* rows of .table; 0: 7 */
};

/*
 * Take a connection over. The first one to a database opens a connection of
 * the agent's own, looks at the server's version and settings, offers the
 * resource to the coordinator and starts recovery. On an error the connection
 * stays the caller's.
 *
 * TREATY_E_UNSUPPORTED  the server cannot do XA safely as it is set up; the
 *                       text says what to set. Always for SQLite.
 * TREATY_E_DENIED       a right is missing; the text says which
 * TREATY_E_STATE        a transaction is open on it, or autocommit is off
 * TREATY_E_NOTFOUND     .table is missing and may not be created
 * TREATY_E_INVALID      .dsn leads to another database or user
 * TREATY_E_IO, TREATY_E_NOMEM, TREATY_E_CLOSED, TREATY_E_LIMIT
 */
TREATY_API int treaty_xa_wrap_pg(struct treaty *t, struct pg_conn *conn,
				 const struct treaty_xa_options *options,
				 struct treaty_xa **out);
TREATY_API int treaty_xa_wrap_mysql(struct treaty *t, struct st_mysql *conn,
				    const struct treaty_xa_options *options,
				    struct treaty_xa **out);
TREATY_API int treaty_xa_wrap_sqlite(struct treaty *t, struct sqlite3 *conn,
				     const struct treaty_xa_options *options,
				     struct treaty_xa **out);

/* Connect and wrap: "postgresql://…", "mysql://…". Treaty opens and closes it;
 * treaty_xa_pg(), treaty_xa_mysql() give the native handle. */
TREATY_API int treaty_xa_connect(struct treaty *t, const char *dsn,
				 const struct treaty_xa_options *options,
				 struct treaty_xa **out);

/* Only phase two and recovery for a database, e.g. right after a restart. */
TREATY_API int treaty_xa_serve(struct treaty *t, const char *dsn,
			       const struct treaty_xa_options *options);

/* The native handle; NULL if it is of another kind, or pinned. */
TREATY_API struct pg_conn *treaty_xa_pg(struct treaty_xa *xa);
TREATY_API struct st_mysql *treaty_xa_mysql(struct treaty_xa *xa);

/* Let go of the connection. A branch that was not ended is rolled back. A
 * pinned connection is closed after phase two, others now. NULL is fine. */
TREATY_API void treaty_xa_close(struct treaty_xa *xa);

/*
 * Begin a branch of the thread's global transaction. _read_only: the server
 * refuses writes, and treaty_xa_end() commits it at once (its locks go then).
 *
 * TREATY_E_STATE    no global transaction, a branch is open already, a local
 *                   transaction is open, or the coordinator takes no more
 * TREATY_E_TIMEOUT  the connection is still pinned, or the coordinator was not
 *                   reached
 * TREATY_E_LIMIT    the xid is longer than 64 bytes: give the coordinator a
 *                   shorter name
 * TREATY_E_CLOSED   the database connection is lost
 * TREATY_E_UNKNOWN, TREATY_E_NOTFOUND, TREATY_E_DENIED, TREATY_E_NOMEM, …
 */
TREATY_API int treaty_xa_start(struct treaty_xa *xa);
TREATY_API int treaty_xa_start_read_only(struct treaty_xa *xa);

/*
 * End the branch and prepare it. One that has written nothing is committed at
 * once and leaves the coordinator's list (PostgreSQL knows by itself; MySQL
 * only of treaty_xa_start_read_only()).
 *
 * TREATY_OK            prepared: it can be committed whatever crashes
 * TREATY_E_UNKNOWN     the connection was lost while preparing; rolled back by
 *                      the second phase or by recovery, if it was prepared
 * TREATY_E_STATE       rollback-only, or results are pending (then it is still
 *                      open: read them and call again)
 * TREATY_E_CONFLICT    serialization failure; the whole may be tried again
 * TREATY_E_INVALID     a constraint that is checked at the end
 * TREATY_E_UNSUPPORTED what it did can never be prepared (temporary tables,
 *                      LISTEN, …); see docs/xa.md
 * TREATY_E_LIMIT       max_prepared_transactions are in use
 * TREATY_E_ROLLED_BACK the global transaction was rolled back meanwhile
 * TREATY_E_CLOSED, TREATY_E_IO, TREATY_E_TIMEOUT, TREATY_E_NOMEM, …
 */
TREATY_API int treaty_xa_end(struct treaty_xa *xa);

/*
 * End the branch and commit it at once, without preparing. Only for the last
 * one to end of a global transaction whose other branches are all prepared:
 * its commit is the decision. TREATY_OK: committed, call treaty_commit() now;
 * TREATY_E_UNKNOWN: committed or not: call treaty_commit(), the second phase
 * finds out by looking; else as treaty_xa_end().
 */
TREATY_API int treaty_xa_end_one_phase(struct treaty_xa *xa);

/* Roll the open branch back now; the global transaction must be, too. */
TREATY_API int treaty_xa_rollback(struct treaty_xa *xa);

/* Run one statement without parameters, throw its rows away; an error makes the
 * branch rollback-only. Codes of the database, as treaty_at_exec(). */
TREATY_API int treaty_xa_run(struct treaty_xa *xa, const char *sql);
/* MySQL: look at the error of the last native call; if there is one, the branch
 * is rollback-only and TREATY_E_STATE is returned. */
TREATY_API int treaty_xa_check(struct treaty_xa *xa);
/* The branch is rollback-only. */
TREATY_API void treaty_xa_doom(struct treaty_xa *xa, const char *reason);
/* It is not: the program has dealt with the statement's error (MySQL has undone
 * that statement alone). TREATY_E_STATE if phase two has rolled it back. */
TREATY_API int treaty_xa_forgive(struct treaty_xa *xa);

/* True while the connection waits for phase two. */
TREATY_API bool treaty_xa_pinned(struct treaty_xa *xa);
/* Wait until it is not. TREATY_E_TIMEOUT. */
TREATY_API int treaty_xa_wait(struct treaty_xa *xa, uint32_t timeout_ms);

/* Borrowed until close; the gid of the last branch in the form in which the
 * database lists it ("" before the first start). */
TREATY_API const char *treaty_xa_resource(const struct treaty_xa *xa);
TREATY_API const char *treaty_xa_gid(const struct treaty_xa *xa);

struct treaty_xa_stats {
	uint64_t pinned;    /* connections that wait for phase two, now */
	uint64_t prepared;  /* branches, of this process */
	uint64_t read_only; /* committed at once */
	uint64_t finished;  /* by phase two */
	uint64_t recovered; /* by recovery */
	uint64_t listed;    /* of ours, in the last scan */
	uint64_t oldest_ms; /* for how long the oldest of them was seen */
	uint64_t alarms;    /* heuristic outcomes, lost commits, branches of a
			     * store that was replaced */
};
/* Of the resource: all connections of this handle to this database. */
TREATY_API void treaty_xa_stats(struct treaty_xa *xa,
				struct treaty_xa_stats *out);

/* Scan for prepared branches that nobody finishes, now. Codes of the database;
 * TREATY_OK says only that the scan was made. */
TREATY_API int treaty_xa_recover(struct treaty_xa *xa);

#ifdef __cplusplus
}
#endif

#endif
