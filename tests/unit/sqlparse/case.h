#ifndef TESTS_UNIT_SQLPARSE_CASE_H
#define TESTS_UNIT_SQLPARSE_CASE_H

/*
 * One row of the tables: what the parser must say about a text, in one or more
 * dialects.
 */

#include "sqlparse/sql.h"

enum {
	P = 1, /* PostgreSQL */
	M = 2, /* MySQL or MariaDB, nobody says which */
	S = 4, /* SQLite */
	PM = P | M,
	PS = P | S,
	MS = M | S,
	PMS = P | M | S,
	MARIADB = 8,       /* 10.11.19 */
	MYSQL8 = 16,       /* 8.0.36 */
	ANSI_QUOTES = 32,  /* MySQL with this mode */
	NO_BACKSLASH = 64, /* MySQL with NO_BACKSLASH_ESCAPES */
	OLD_STRINGS = 128, /* PostgreSQL, standard_conforming_strings off */
	SERVERS = 8,       /* how many bits */
};

struct sql_case {
	unsigned servers;
	enum sql_kind kind;
	enum sql_verdict verdict;
	const char *table; /* as describe_table() says it */
	const char *text;
	const char *parts; /* as describe() says it */
	const char *why;   /* how the reason begins; NULL: none */
};

/* The dialect and options of servers' n-th bit. */
static inline enum sql_dialect server_options(unsigned bit,
					      struct sql_options *o)
{
	*o = (struct sql_options){ 0 };
	switch (1u << bit) {
	case P:
		return SQL_POSTGRES;
	case S:
		return SQL_SQLITE;
	case OLD_STRINGS:
		o->backslash_strings = true;
		return SQL_POSTGRES;
	case MARIADB:
		o->mariadb = true;
		o->version = 101119;
		break;
	case MYSQL8:
		o->version = 80036;
		break;
	case ANSI_QUOTES:
		o->ansi_quotes = true;
		break;
	case NO_BACKSLASH:
		o->no_backslash_escapes = true;
		break;
	default:
		break;
	}
	return SQL_MYSQL;
}

#include "tests/unit/sqlparse/control_cases.h"
#include "tests/unit/sqlparse/delete_cases.h"

#endif
