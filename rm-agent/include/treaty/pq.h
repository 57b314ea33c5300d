#ifndef TREATY_PQ_H
#define TREATY_PQ_H

/*
 * libpq's calls, protected. A program that uses libpq puts treaty_ in front of
 * four names and wraps the connection after opening it:
 *
 *   PGconn *conn = PQconnectdb(…);
 *   treaty_at_wrap_pg(t, conn, NULL, &at);
 *   PGresult *res = treaty_PQexecParams(conn, …);    as PQexecParams
 *
 * Rules
 * -----
 *  - The wrapper is found by the connection's address. A connection that was
 *    never wrapped, and a thread without a global transaction, get libpq's own
 *    call and nothing else.
 *  - BEGIN, COMMIT, ROLLBACK and SAVEPOINT are given as SQL, as ever.
 *  - The result is libpq's own. When Treaty refuses or fails, it is a result
 *    with PGRES_FATAL_ERROR; treaty_PQerrorMessage() and treaty_last_error()
 *    say why (libpq has no way to put a text into a result).
 *  - Several statements in one PQexec string are refused in a global
 *    transaction, except those that read only.
 *  - Pipeline mode, COPY and the asynchronous calls (PQsendQuery, …) are not
 *    wrapped.
 */

#include <treaty/at.h>

#include <libpq-fe.h>

#ifdef __cplusplus
extern "C" {
#endif

TREATY_API PGresult *treaty_PQexec(PGconn *conn, const char *command);

TREATY_API PGresult *treaty_PQexecParams(PGconn *conn, const char *command,
					 int nParams, const Oid *paramTypes,
					 const char *const *paramValues,
					 const int *paramLengths,
					 const int *paramFormats,
					 int resultFormat);

TREATY_API PGresult *treaty_PQprepare(PGconn *conn, const char *stmtName,
				      const char *query, int nParams,
				      const Oid *paramTypes);

TREATY_API PGresult *treaty_PQexecPrepared(PGconn *conn, const char *stmtName,
					   int nParams,
					   const char *const *paramValues,
					   const int *paramLengths,
					   const int *paramFormats,
					   int resultFormat);

/* Why the last call on this connection failed, whoever refused it. Borrowed
 * until the next call. */
TREATY_API const char *treaty_PQerrorMessage(const PGconn *conn);

/* Unwraps, then PQfinish. */
TREATY_API void treaty_PQfinish(PGconn *conn);

#ifdef __cplusplus
}
#endif

#endif
