#ifndef TREATY_MYSQL_H
#define TREATY_MYSQL_H

/*
 * libmysqlclient's (MariaDB Connector/C's) calls, protected. A program puts
 * treaty_ in front of the names below and wraps the connection after opening:
 *
 *   mysql_real_connect(mysql, …);
 *   treaty_at_wrap_mysql(t, mysql, NULL, &at);
 *   if (treaty_mysql_query(mysql, "UPDATE …"))
 *           puts(treaty_mysql_error(mysql));
 *
 * Rules
 * -----
 *  - The wrapper is found by the connection's address. A connection that was
 *    never wrapped, and a thread without a global transaction, get the native
 *    call and nothing else.
 *  - When Treaty refuses or fails, the call returns non-zero (or true) and
 *    treaty_mysql_errno() is TREATY_MYSQL_ERRNO, treaty_mysql_error() the
 *    sentence. Errors of the server have their own number and text.
 *  - A protected statement is followed by statements of Treaty's own, so ask
 *    treaty_mysql_affected_rows(), treaty_mysql_insert_id(),
 *    treaty_mysql_field_count() and treaty_mysql_store_result() instead of the
 *    native ones. For prepared statements the native mysql_stmt_… results are
 *    right.
 *  - mysql_stmt_init, mysql_stmt_bind_result, mysql_stmt_fetch and so on stay
 *    as they are.
 */

#include <treaty/at.h>

#include <mysql.h>

#ifdef __cplusplus
extern "C" {
#endif

#define TREATY_MYSQL_ERRNO 29999u

TREATY_API int treaty_mysql_real_query(MYSQL *mysql, const char *query,
				       unsigned long length);
TREATY_API int treaty_mysql_query(MYSQL *mysql, const char *query);

TREATY_API MYSQL_RES *treaty_mysql_store_result(MYSQL *mysql);
TREATY_API MYSQL_RES *treaty_mysql_use_result(MYSQL *mysql);
TREATY_API unsigned int treaty_mysql_field_count(MYSQL *mysql);
TREATY_API my_ulonglong treaty_mysql_affected_rows(MYSQL *mysql);
TREATY_API my_ulonglong treaty_mysql_insert_id(MYSQL *mysql);
TREATY_API unsigned int treaty_mysql_errno(MYSQL *mysql);
TREATY_API const char *treaty_mysql_error(MYSQL *mysql);

TREATY_API my_bool treaty_mysql_autocommit(MYSQL *mysql, my_bool mode);
TREATY_API my_bool treaty_mysql_commit(MYSQL *mysql);
TREATY_API my_bool treaty_mysql_rollback(MYSQL *mysql);

TREATY_API int treaty_mysql_stmt_prepare(MYSQL_STMT *stmt, const char *query,
					 unsigned long length);
TREATY_API my_bool treaty_mysql_stmt_bind_param(MYSQL_STMT *stmt,
						MYSQL_BIND *bind);
TREATY_API int treaty_mysql_stmt_execute(MYSQL_STMT *stmt);
TREATY_API int treaty_mysql_stmt_store_result(MYSQL_STMT *stmt);
TREATY_API my_bool treaty_mysql_stmt_close(MYSQL_STMT *stmt);
TREATY_API unsigned int treaty_mysql_stmt_errno(MYSQL_STMT *stmt);
TREATY_API const char *treaty_mysql_stmt_error(MYSQL_STMT *stmt);

/* Unwraps, then mysql_close. */
TREATY_API void treaty_mysql_close(MYSQL *mysql);

#ifdef __cplusplus
}
#endif

#endif
