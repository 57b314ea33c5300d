#ifndef TREATY_BARRIER_H
#define TREATY_BARRIER_H

/*
 * The barrier: one row in a table beside the business's data decides whether an
 * operation of a branch is to run, has run, or must never run. It works in the
 * business's own local transaction, on the application's own connection, and
 * needs nothing else of Treaty: no handle, no coordinator.
 *
 *   BEGIN
 *   treaty_barrier_call_pg(conn, &(struct treaty_barrier){
 *           .trans_type = "tcc", .gid = xid, .branch_id = "7",
 *           .op = "cancel" }, &verdict);
 *   if (verdict == TREATY_BARRIER_RUN)
 *           UPDATE wallet …
 *   COMMIT, whatever the verdict (SUSPENDED: ROLLBACK)
 *
 * It solves what a network does to compensations:
 *
 *   duplicates   the operation comes again: TREATY_BARRIER_DUPLICATE
 *   empty        a cancel comes and the try never ran: TREATY_BARRIER_EMPTY
 *   suspension   the try comes after its cancel: TREATY_BARRIER_SUSPENDED
 *   both at once the second waits in the database for the first to end
 *
 * Rules
 * -----
 *  - Call it first in the local transaction, before any other row is written
 *    or read, and commit its rows together with the business's. If that
 *    transaction is rolled back, so is the verdict.
 *  - Any code but TREATY_OK: roll the local transaction back and come again
 *    later. treaty_last_error() has the sentence.
 *  - One branch may have several barriers, one for each of its local
 *    transactions: they have the numbers 1, 2, … A number belongs to a piece
 *    of work: the same in the try and its cancel, and when it is tried again.
 *  - The table is laid out as DTM's `barrier` is, and may be shared with it.
 *    It must be in the database (and on MySQL in an engine with transactions)
 *    of the data that it protects.
 *  - Arguments are borrowed for the call. A connection belongs to one thread at
 *    a time, as ever.
 */

#include <treaty/treaty.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Connections, as the native headers call them. */
struct pg_conn;  /* PGconn */
struct st_mysql; /* MYSQL */
struct sqlite3;

/* Which operation of which branch. Texts are visible ASCII without blanks. */
struct treaty_barrier {
	const char *trans_type; /* "tcc", "saga", "msg"; at most 45 bytes */
	const char *gid;        /* the xid; at most 128 */
	const char *branch_id;  /* at most 128 */
	/* "try", "confirm", "cancel"; "action", "compensate"; "rollback" (of
	 * an action); "msg"; or a name of your own, which only stops
	 * duplicates. At most 45 bytes. */
	const char *op;
	unsigned number;   /* 1 … 9999; 0 is 1 */
	const char *table; /* "name" or "schema.name"; NULL: "barrier" */
};

enum treaty_barrier_verdict {
	TREATY_BARRIER_RUN = 1,       /* do the work, commit */
	TREATY_BARRIER_DUPLICATE = 2, /* it is done: skip the work, succeed */
	/* What is to be undone never ran, and never will: skip the work,
	 * COMMIT (that keeps a late try out), succeed. */
	TREATY_BARRIER_EMPTY = 3,
	/* It is undone already: roll back, and fail for good. */
	TREATY_BARRIER_SUSPENDED = 4,
};

/* "run", "duplicate", "empty", "suspended"; "unknown". Never NULL. */
TREATY_API const char *treaty_barrier_verdict_text(int verdict);

/*
 * Ask, within the local transaction that is open on the connection. May wait
 * for another local transaction of the same branch. *verdict is written only on
 * TREATY_OK.
 *
 * TREATY_OK
 * TREATY_E_INVALID      the barrier makes no sense; or there is no such table
 * TREATY_E_STATE        no local transaction is open, it has failed, or the
 *                       connection is in use
 * TREATY_E_TIMEOUT      the database's lock wait (SQLite: busy)
 * TREATY_E_DEADLOCK, TREATY_E_CONFLICT   run the local transaction again
 * TREATY_E_CLOSED       the connection is lost
 * TREATY_E_UNSUPPORTED  MySQL: automatic reconnect is on; a read-only
 *                       connection
 * TREATY_E_DENIED, TREATY_E_LIMIT, TREATY_E_IO, TREATY_E_NOMEM
 */
TREATY_API int treaty_barrier_call_pg(struct pg_conn *conn,
				      const struct treaty_barrier *barrier,
				      enum treaty_barrier_verdict *verdict);
TREATY_API int treaty_barrier_call_mysql(struct st_mysql *conn,
					 const struct treaty_barrier *barrier,
					 enum treaty_barrier_verdict *verdict);
TREATY_API int treaty_barrier_call_sqlite(struct sqlite3 *conn,
					  const struct treaty_barrier *barrier,
					  enum treaty_barrier_verdict *verdict);

/* ---- messages: was the local transaction committed? ---- */

/* The barrier that a message's sender calls in its local transaction. */
static inline struct treaty_barrier treaty_barrier_of_message(const char *gid)
{
	struct treaty_barrier b = { "msg", gid, "00", "msg", 1, 0 };
	return b;
}

enum treaty_prepared {
	TREATY_PREPARED_COMMITTED = 1, /* send the message */
	/* It was rolled back, or never began, and can never commit any more. */
	TREATY_PREPARED_ABORTED = 2,
};

/*
 * Answer the question whether the local transaction with
 * treaty_barrier_of_message(gid) has committed. Definite: while it is open, the
 * call waits for its end; and if it is not there, the call itself keeps it from
 * ever committing. No local transaction may be open on the connection.
 *
 * Codes as above; each but TREATY_OK means: not known, ask again. Among them:
 * TREATY_E_TIMEOUT  it is still open
 * TREATY_E_STATE    a local transaction is open on this connection
 * TREATY_E_UNKNOWN  the connection was lost while committing
 */
TREATY_API int treaty_barrier_query_prepared_pg(struct pg_conn *conn,
						const char *table,
						const char *gid,
						enum treaty_prepared *out);
TREATY_API int treaty_barrier_query_prepared_mysql(struct st_mysql *conn,
						   const char *table,
						   const char *gid,
						   enum treaty_prepared *out);
TREATY_API int treaty_barrier_query_prepared_sqlite(struct sqlite3 *conn,
						    const char *table,
						    const char *gid,
						    enum treaty_prepared *out);

/* ---- the table ---- */

enum treaty_database {
	TREATY_POSTGRESQL = 0,
	TREATY_MYSQL = 1, /* and MariaDB */
	TREATY_SQLITE = 2,
};

/* The statements that create the table "barrier", each ended by ";\n", for
 * your own migrations. NULL for another number. */
TREATY_API const char *treaty_barrier_ddl(int database);

/* Create the table if it is missing (NULL: "barrier"). Several programs may do
 * so at once. No local transaction may be open: TREATY_E_STATE. Codes as
 * above. */
TREATY_API int treaty_barrier_create_pg(struct pg_conn *conn,
					const char *table);
TREATY_API int treaty_barrier_create_mysql(struct st_mysql *conn,
					   const char *table);
TREATY_API int treaty_barrier_create_sqlite(struct sqlite3 *conn,
					    const char *table);

/*
 * Delete at most rows_max rows (0: 10 000) that are older than so many seconds;
 * *n (optional) says how many. Whoever's row is gone may run again: the age
 * must be well beyond the longest time that a transaction can take, hung ones
 * and their repair included. A week is a good age, an hour is not; 0 is
 * TREATY_E_INVALID. Codes as above.
 */
TREATY_API int treaty_barrier_purge_pg(struct pg_conn *conn, const char *table,
				       uint64_t older_than_s, uint32_t rows_max,
				       uint64_t *n);
TREATY_API int treaty_barrier_purge_mysql(struct st_mysql *conn,
					  const char *table,
					  uint64_t older_than_s,
					  uint32_t rows_max, uint64_t *n);
TREATY_API int treaty_barrier_purge_sqlite(struct sqlite3 *conn,
					   const char *table,
					   uint64_t older_than_s,
					   uint32_t rows_max, uint64_t *n);

#ifdef __cplusplus
}
#endif

#endif
