#ifndef RM_AGENT_DB_NUMBER_H
#define RM_AGENT_DB_NUMBER_H

/*
 * Floating point numbers as text and back, whatever locale the application
 * has set (a decimal comma would end up in the database).
 */

#include "base/buf.h"

/* The shortest decimal text that reads back to the same bits; NaN, Infinity,
 * -Infinity. */
void put_double(struct buf *out, double d);
void put_float(struct buf *out, float f);

/* The number that a text of those forms means; 0 for none. */
double double_of(const char *text);

#endif
