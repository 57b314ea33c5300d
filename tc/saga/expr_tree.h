#ifndef TC_SAGA_EXPR_TREE_H
#define TC_SAGA_EXPR_TREE_H

/* A compiled expression, shared by what builds it and what evaluates it. */

#include "tc/saga/expr.h"

enum expr_op {
	EXPR_VALUE, /* value */
	EXPR_ROOT,
	EXPR_MEMBER,    /* left . value (a text) */
	EXPR_INDEX,     /* left [ index ] */
	EXPR_EXCEPTION, /* value (a text) */
	EXPR_NOT,
	EXPR_MINUS,
	EXPR_COMPUTE, /* sign: + - * / % */
	EXPR_EQUAL,
	EXPR_DIFFER,
	EXPR_LESS,
	EXPR_LESS_EQUAL,
	EXPR_MORE,
	EXPR_MORE_EQUAL,
	EXPR_AND,
	EXPR_OR
};

struct expr {
	enum expr_op op;
	char sign;
	size_t at;
	size_t index;
	const struct val *value;
	const struct expr *left;
	const struct expr *right;
};

#endif
