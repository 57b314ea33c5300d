#ifndef UNDO_JSON_H
#define UNDO_JSON_H

/*
 * JSON as undo writes and reads it: exact texts, never a number.
 *
 * Rules
 * -----
 *  - A value is null, or a string if its type is the column's class and its
 *    text is UTF-8 without NUL, or else an object
 *    {"type":"…","text":"…"} or {"type":"…","base64":"…"}, where "type"
 *    is left out if it is the column's class.
 *  - cJSON parses, after json_check() has looked over the text: its NULL then
 *    means that there was no memory.
 */

#include "base/arena.h"
#include "base/buf.h"
#include "undo/value.h"

struct cJSON;

#define JSON_DEPTH_MAX 32

/* True for UTF-8 (no surrogates, no overlong forms) without NUL. */
bool json_is_text(struct bytes b);

/* Escaped, without and with the quotes. Bytes that are not UTF-8 come as
 * U+FFFD: use it for names, not for data. */
void json_put_escaped(struct buf *out, struct bytes text);
void json_put_string(struct buf *out, struct bytes text);
void json_put_value(struct buf *out, enum value_type class, struct value v);
/* The same for bare bytes: "text", or {"base64":"…"}. */
void json_put_bytes(struct buf *out, struct bytes b);

/* OK if the text is one JSON value no deeper than JSON_DEPTH_MAX, else
 * E_INVALID. */
MUST_CHECK int json_check(struct bytes text);
/* json_check(), then parse. E_INVALID, E_NOMEM. Free with cJSON_Delete(). */
MUST_CHECK int json_parse(struct bytes text, struct cJSON **out);

/* Read what json_put_value() wrote. Text is borrowed from the node, what was
 * base64 is the arena's. E_INVALID, E_NOMEM. */
MUST_CHECK int json_get_value(const struct cJSON *node, enum value_type class,
			      struct arena *arena, struct value *out);
MUST_CHECK int json_get_bytes(const struct cJSON *node, struct arena *arena,
			      struct bytes *out);

#endif
