#ifndef TESTS_UNIT_SQLPARSE_CASES_H
#define TESTS_UNIT_SQLPARSE_CASES_H

/*
 * What the parser must say about statements, as tables: one row is one text in
 * one or more dialects. The table of statement kinds in docs comes from here
 * too, see sqlparse_cases_test.c.
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
#include "tests/unit/sqlparse/insert_cases.h"
#include "tests/unit/sqlparse/literal_cases.h"
#include "tests/unit/sqlparse/lock_cases.h"
#include "tests/unit/sqlparse/other_cases.h"
#include "tests/unit/sqlparse/read_cases.h"
#include "tests/unit/sqlparse/update_cases.h"

static const struct {
	const char *title;
	const struct sql_case *cases;
	size_t n;
} all_cases[] = {
	{ "INSERT and REPLACE", insert_cases, ARRAY_LEN(insert_cases) },
	{ "UPDATE", update_cases, ARRAY_LEN(update_cases) },
	{ "DELETE", delete_cases, ARRAY_LEN(delete_cases) },
	{ "literals, names and comments", literal_cases,
	  ARRAY_LEN(literal_cases) },
	{ "SELECT FOR UPDATE", lock_cases, ARRAY_LEN(lock_cases) },
	{ "reads", read_cases, ARRAY_LEN(read_cases) },
	{ "transactions and sessions", control_cases,
	  ARRAY_LEN(control_cases) },
	{ "everything else", other_cases, ARRAY_LEN(other_cases) },
};

#endif
