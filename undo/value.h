#ifndef UNDO_VALUE_H
#define UNDO_VALUE_H

/*
 * One value of a column or a parameter, exact and typed, the same for every
 * database.
 *
 * Rules
 * -----
 *  - .data is what the database would accept back without loss: numbers and
 *    times as text, text in UTF-8, bytes raw. Two values of a column are equal
 *    exactly when type and data are equal, so drivers hand out one spelling.
 *  - A struct value borrows its data.
 */

#include "base/base.h"

enum value_type {
	VALUE_NULL = 0,
	VALUE_INT = 1,    /* decimal text, any size */
	VALUE_NUMBER = 2, /* exact decimal text, scale kept: "1.50" */
	VALUE_FLOAT = 3,  /* shortest text that reads back to the same bits */
	VALUE_BOOL = 4,   /* "t" or "f" */
	VALUE_TEXT = 5,
	VALUE_BYTES = 6, /* raw */
	VALUE_BIT = 7,   /* text of 0 and 1 */
	VALUE_DATE = 8,
	VALUE_TIME = 9,
	VALUE_TIMESTAMP = 10,   /* without zone */
	VALUE_TIMESTAMPTZ = 11, /* an instant; text in UTC */
	VALUE_JSON = 12,
	VALUE_OTHER = 13, /* the database's own text form: arrays, ranges, … */
	VALUE_TYPES,      /* how many */
};

struct value {
	enum value_type type;
	struct bytes data; /* empty for VALUE_NULL */
};

bool value_equal(struct value a, struct value b);
/* "null", "int", "number", …: the name in undo records. Never NULL. */
const char *value_type_name(enum value_type type);
/* E_INVALID for a name that value_type_name() never gives. */
MUST_CHECK int value_type_parse(struct bytes name, enum value_type *type);

#endif
