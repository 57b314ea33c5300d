#ifndef BASE_JSON_H
#define BASE_JSON_H

/*
 * Writing JSON into a buffer; asking whether bytes are JSON; reading such bytes
 * value by value without a tree.
 *
 *   json_init(&j, &buf);
 *   json_object(&j, NULL);
 *   json_id(&j, "id", 7);
 *   json_text(&j, "name", BYTES("checkout"));
 *   json_end(&j);                          {"id":"7","name":"checkout"}
 *
 * Rules
 * -----
 *  - `key` is the member's name inside an object, NULL inside an array and for
 *    the outermost value. Keys are plain literals; they are not escaped.
 *  - Ids are 64-bit and travel as strings: most readers of JSON hold numbers
 *    in doubles. json_number() is for what stays below 2^53.
 *  - Text that is not UTF-8 is written with U+FFFD in place of each wrong
 *    byte, so the document is always valid.
 *  - Errors stick in the buffer; ask buf_error() at the end.
 *
 * Pure. One owner at a time.
 */

#include "base/buf.h"

#define JSON_DEPTH_MAX 64

struct json {
	struct buf *out;
	bool comma;   /* something stands before the next value */
	size_t depth; /* open objects and arrays */
	char closes[JSON_DEPTH_MAX]; /* what ends each of them */
};

void json_init(struct json *j, struct buf *out);

void json_object(struct json *j, const char *key);
void json_array(struct json *j, const char *key);
/* Close the innermost object or array. */
void json_end(struct json *j);

void json_text(struct json *j, const char *key, struct bytes text);
/* null for empty text. */
void json_text_or_null(struct json *j, const char *key, struct bytes text);
void json_id(struct json *j, const char *key, uint64_t id);
void json_number(struct json *j, const char *key, uint64_t n);
void json_bool(struct json *j, const char *key, bool value);
void json_null(struct json *j, const char *key);
/* `document` is one JSON value (see json_valid), written as it is. */
void json_raw(struct json *j, const char *key, struct bytes document);

/* A string with its quotes, without any json around it. */
void json_put_text(struct buf *out, struct bytes text);

/* One complete value as RFC 8259 has it, in UTF-8, nested at most
 * JSON_DEPTH_MAX deep, with nothing but blanks around it. */
bool json_valid(struct bytes document);

/* ---- reading what json_valid() said yes to; all views borrow from it ---- */

enum json_type {
	JSON_OBJECT,
	JSON_ARRAY,
	JSON_TEXT,
	JSON_NUMBER,
	JSON_BOOL,
	JSON_NULL
};

enum json_type json_type(struct bytes value);

struct json_walk {
	struct bytes rest;
	bool object;
};

/* The members of an object or an array, one by one: *value as it stands there,
 * *key with its quotes (empty in an array). Anything else has no members. */
void json_walk_init(struct json_walk *w, struct bytes document);
bool json_walk(struct json_walk *w, struct bytes *key, struct bytes *value);

/* Append what a JSON_TEXT value, or a key, says. */
void json_get_text(struct buf *out, struct bytes text);

/* Is json_get_text() exact for this one, and fit for a C string? Not if it has
 * half of a surrogate pair (U+FFFD takes its place), or a NUL. */
bool json_text_whole(struct bytes text);

#endif
