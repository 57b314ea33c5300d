#ifndef TC_SAGA_EXPR_H
#define TC_SAGA_EXPR_H

/*
 * The language of conditions and mappings: compiled once, then evaluated over
 * JSON values. It has no loop, no call and no assignment, so every expression
 * ends.
 *
 *   [a] == 'x'   [n] > 1   [order].items[0].price * 2 <= [limit]
 *   #root == null   #root.code == 'OK' and not [retried]
 *   $Exception{timeout}   [done] / [all] >= 0.4   true && (!false || [b])
 *
 *   or ||  <  and &&  <  == != < <= > >=  <  + -  <  * / %  <  not ! -  <
 *   .name [name] ['any name'] [0]
 *
 * Rules
 * -----
 *  - [name], or name alone, is a member of the root; #root is the root itself.
 *    What isn't there is null, also below something that isn't there.
 *  - == and != compare any two values: numbers by value (1 == 1.0), objects
 *    whatever their order; values of different types differ.
 *  - < <= > >= order two numbers or two texts (by code point); + - * / % take
 *    numbers and are exact (number.h). Anything else is an error with its
 *    position, and so is an and/or/not of what is neither true nor false.
 *  - and, or leave their right side alone when the left one decides.
 *  - $Exception{name} is true if the step failed with that error; *,
 *    java.lang.Throwable and java.lang.Exception stand for any.
 *
 * Pure.
 */

#include "tc/saga/val.h"

#define EXPR_DEPTH_MAX 64

struct expr; /* lives in the arena that it was compiled into */

struct expr_error {
	size_t at;        /* byte of the source, from 0 */
	const char *what; /* constant */
};

struct expr_scope {
	const struct val *root;
	struct bytes exception; /* name of the error; empty for none */
};

/* E_INVALID: see *why; E_NOMEM. The source is copied. */
MUST_CHECK int expr_compile(struct arena *a, struct bytes source,
			    const struct expr **out, struct expr_error *why);

/* The result lives in `a` or in the scope. E_INVALID: see *why; E_NOMEM. */
MUST_CHECK int expr_eval(const struct expr *e, const struct expr_scope *scope,
			 struct arena *a, const struct val **out,
			 struct expr_error *why);

/* The same for a condition; E_INVALID also if it is neither true nor false. */
MUST_CHECK int expr_test(const struct expr *e, const struct expr_scope *scope,
			 struct arena *a, bool *out, struct expr_error *why);

/* Does an error of this name belong to what `pattern` stands for? */
bool expr_names_error(struct bytes pattern, struct bytes name);

#endif
