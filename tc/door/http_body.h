#ifndef TC_DOOR_HTTP_BODY_H
#define TC_DOOR_HTTP_BODY_H

/*
 * The JSON document of a request, read strictly into a struct: what is not
 * known, given twice, of another type or out of bounds is refused, and the
 * answer names the member by its path ("deliveries[2].to"). A misspelt member
 * would be an order that was not given.
 *
 * Rules
 * -----
 *  - null is as if the member were not there.
 *  - What is not there leaves its place in the struct alone.
 *  - Texts are unescaped into the call's arena, and hold no NUL and no half of
 *    a surrogate pair; the rest are views of the body.
 *
 * Pure.
 */

#include "tc/door/http_api.h"

enum field_type {
	FIELD_TEXT,   /* struct bytes; needed: not empty; .max bytes */
	FIELD_NUMBER, /* uint64_t, a whole number up to .max */
	FIELD_FLAG,   /* bool */
	FIELD_OBJECT, /* struct bytes, as it stands there */
	FIELD_LIST,   /* the same; up to .max items */
	FIELD_ANY,    /* the same, of any type */
};

struct field {
	const char *name;
	enum field_type type;
	bool needed;
	uint64_t max;
	size_t at; /* offsetof() in the struct */
};

#define FIELDS_MAX 20

/* Where the document that is read now stands in the body. */
struct body_path {
	const struct body_path *up;
	const char *name; /* NULL: [index] */
	size_t index;
};

/* The call's body; an empty one is an empty object. False: *answer says what
 * is wrong with it. */
bool body_read(struct http_call *call, struct http_answer *answer,
	       const struct field *fields, size_t n, void *out);

/* An object inside of the body, which is valid JSON. */
bool body_read_at(struct http_call *call, struct http_answer *answer,
		  const struct body_path *at, struct bytes object,
		  const struct field *fields, size_t n, void *out);

/* Refuse the member `name` of the object at `at` (NULL: the body; name NULL:
 * `at` itself): "PATH must be WANT". Returns false. */
bool body_refuse(struct http_call *call, struct http_answer *answer,
		 const struct body_path *at, const char *name,
		 const char *want);

/* A problem with this member that is not one of JSON. */
void body_problem(struct http_call *call, struct http_answer *answer,
		  enum http_problem problem, const struct body_path *at,
		  const char *name, const char *detail);

/* The items of a list that was read; NULL if memory ran out (*answer says). */
struct bytes *body_items(struct http_call *call, struct http_answer *answer,
			 struct bytes list, size_t *n);

#define FIELD(struct_, member, type, needed, max)                              \
	{                                                                      \
#member, type, needed, max, offsetof(struct_, member)          \
	}

#endif
