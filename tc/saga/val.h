#ifndef TC_SAGA_VAL_H
#define TC_SAGA_VAL_H

/*
 * A JSON document as a tree, for a saga's data and definitions.
 *
 * Rules
 * -----
 *  - A value never changes once it is made; "setting" a member makes another
 *    object that shares the rest. So any value may stand in several places.
 *  - Numbers keep the text they were written with, so what only passes through
 *    is passed on exactly.
 *  - Values live in the arena that they were made in, or are constants.
 *  - Of members with one name the last counts.
 *
 * Pure.
 */

#include "base/arena.h"
#include "base/json.h"

struct val {
	enum json_type type;
	bool truth;               /* BOOL */
	struct bytes text;        /* TEXT: what it says; NUMBER: as written */
	size_t n;                 /* ARRAY, OBJECT */
	const struct val **items; /* ARRAY, OBJECT */
	struct bytes *keys;       /* OBJECT */
};

extern const struct val val_null, val_true, val_false, val_empty;

/* E_INVALID: not JSON; E_NOMEM. */
MUST_CHECK int val_parse(struct arena *a, struct bytes json,
			 const struct val **out);
void val_write(const struct val *v, struct buf *out);
/* Written into the arena. E_NOMEM. */
MUST_CHECK int val_print(const struct val *v, struct arena *a,
			 struct bytes *out);

/* NULL on no memory. */
const struct val *val_text(struct arena *a, struct bytes text);
const struct val *val_number(struct arena *a, int64_t n);
const struct val *val_array(struct arena *a, size_t n);

/* NULL if it is no object or has no such member. */
const struct val *val_find(const struct val *object, struct bytes key);
/* The same, but null for what isn't there. */
const struct val *val_member(const struct val *object, struct bytes key);
/* The object with this member set; *object may be null (for {}). E_NOMEM. */
MUST_CHECK int val_set(struct arena *a, const struct val **object,
		       struct bytes key, const struct val *value);

/* The same JSON: numbers by value, members in any order. */
bool val_equal(const struct val *a, const struct val *b);

#endif
