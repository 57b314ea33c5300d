#ifndef TESTS_UNIT_SQLPARSE_CASES_H
#define TESTS_UNIT_SQLPARSE_CASES_H

/*
 * All tables of what the parser must say. The table of statement kinds in docs
 * comes from here too, see sqlparse_cases_test.c.
 */

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
