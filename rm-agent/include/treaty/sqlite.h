#ifndef TREATY_SQLITE_H
#define TREATY_SQLITE_H

/*
 * SQLite's calls, protected. A program puts treaty_ in front of the names below
 * and wraps the connection after opening it:
 *
 *   sqlite3_open_v2(…, &db, …);
 *   treaty_at_wrap_sqlite(t, db, NULL, &at);
 *   treaty_sqlite3_prepare_v2(db, "UPDATE …", -1, &stmt, NULL);
 *   treaty_sqlite3_bind_int64(stmt, 1, 42);
 *   rc = treaty_sqlite3_step(stmt);
 *
 * Rules
 * -----
 *  - Statements are found by their address. One that was not prepared here, a
 *    connection that was never wrapped, and a thread without a global
 *    transaction get the native call and nothing else.
 *  - When Treaty refuses or fails, the call returns a code of SQLite:
 *    SQLITE_BUSY for a row that another global transaction holds (waited for
 *    already), SQLITE_AUTH for a statement that cannot be undone,
 *    SQLITE_ABORT, SQLITE_NOMEM or SQLITE_ERROR for the rest.
 *    treaty_sqlite3_errmsg() and treaty_last_error() say why.
 *  - Reading columns (sqlite3_column_…) stays as it is.
 *  - A writing statement with RETURNING, in autocommit: before its first row is
 *    given it is known that no other global transaction holds its rows. The
 *    branch is registered and the statement committed when its last row was
 *    read, or by treaty_sqlite3_reset() or _finalize(). Until then the rows
 *    are a proposal: use them for anything that cannot be taken back only
 *    after SQLITE_DONE from _step(), or SQLITE_OK from _reset() or
 *    _finalize(). Any other code there means that it is rolled back.
 *    (treaty_at_exec() gives rows only when all that is done.)
 *  - Finalize statements before the connection is unwrapped.
 *  - Ask treaty_sqlite3_changes() instead of sqlite3_changes().
 */

#include <treaty/at.h>

#include <sqlite3.h>

#ifdef __cplusplus
extern "C" {
#endif

TREATY_API int treaty_sqlite3_prepare_v2(sqlite3 *db, const char *sql,
					 int nbyte, sqlite3_stmt **stmt,
					 const char **tail);

TREATY_API int treaty_sqlite3_bind_null(sqlite3_stmt *stmt, int i);
TREATY_API int treaty_sqlite3_bind_int(sqlite3_stmt *stmt, int i, int v);
TREATY_API int treaty_sqlite3_bind_int64(sqlite3_stmt *stmt, int i,
					 sqlite3_int64 v);
TREATY_API int treaty_sqlite3_bind_double(sqlite3_stmt *stmt, int i, double v);
TREATY_API int treaty_sqlite3_bind_text(sqlite3_stmt *stmt, int i,
					const char *text, int len,
					void (*destroy)(void *));
TREATY_API int treaty_sqlite3_bind_blob(sqlite3_stmt *stmt, int i,
					const void *data, int len,
					void (*destroy)(void *));
TREATY_API int treaty_sqlite3_clear_bindings(sqlite3_stmt *stmt);

TREATY_API int treaty_sqlite3_step(sqlite3_stmt *stmt);
TREATY_API int treaty_sqlite3_reset(sqlite3_stmt *stmt);
TREATY_API int treaty_sqlite3_finalize(sqlite3_stmt *stmt);

/* As sqlite3_exec; the callback is called row by row. *errmsg is freed by
 * sqlite3_free(). */
TREATY_API int treaty_sqlite3_exec(sqlite3 *db, const char *sql,
				   int (*callback)(void *, int, char **,
						   char **),
				   void *ctx, char **errmsg);

TREATY_API int treaty_sqlite3_changes(sqlite3 *db);
TREATY_API const char *treaty_sqlite3_errmsg(sqlite3 *db);

/* Unwraps, then sqlite3_close. */
TREATY_API int treaty_sqlite3_close(sqlite3 *db);

#ifdef __cplusplus
}
#endif

#endif
