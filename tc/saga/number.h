#ifndef TC_SAGA_NUMBER_H
#define TC_SAGA_NUMBER_H

/*
 * Exact arithmetic on the numbers of JSON: fractions of 64-bit integers.
 *
 * Rules
 * -----
 *  - Nothing is rounded. What does not fit is E_LIMIT, never a near miss: a
 *    sum of money that is almost right is wrong.
 *  - den is positive and has no divisor in common with num.
 *
 * Pure values.
 */

#include "base/buf.h"

struct number {
	int64_t num;
	int64_t den;
};

struct number number_of(int64_t n);
/* A number as JSON writes it. E_LIMIT: does not fit. */
MUST_CHECK int number_parse(struct bytes text, struct number *out);
/* As JSON writes it. E_LIMIT: no finite decimal form (1/3). */
MUST_CHECK int number_write(struct number n, struct buf *out);

/* <0, 0, >0; always exact. */
int number_compare(struct number a, struct number b);
/* op is one of + - * / %. E_LIMIT: does not fit; E_INVALID: division by 0, or
 * a remainder of what are no integers. */
MUST_CHECK int number_compute(char op, struct number a, struct number b,
			      struct number *out);
/* floor(n * times); E_LIMIT if negative or too big. */
MUST_CHECK int number_scale(struct number n, uint32_t times, uint64_t *out);

#endif
