#ifndef RM_AGENT_AT_SHAPE_H
#define RM_AGENT_AT_SHAPE_H

/*
 * What the native shapes (pq.c, mysql.c, sqlite.c) share: text in the
 * session's encoding, and statements found by name or address.
 */

#include "rm-agent/at/engine.h"

/* The application's SQL or text in UTF-8, in the arena of the call. */
MUST_CHECK int shape_to_utf8(struct treaty_at *at, struct bytes text,
			     struct bytes *out);
/* The engine's text in the session's encoding, a NUL behind it. */
MUST_CHECK int shape_from_utf8(struct treaty_at *at, struct bytes text,
			       struct bytes *out);
/* A parameter that comes as text. */
MUST_CHECK int shape_text(struct treaty_at *at, enum value_type type,
			  struct bytes text, struct value *out);
/* A double as text that reads back to the same bits. */
MUST_CHECK int shape_double(struct treaty_at *at, double d, struct value *out);
MUST_CHECK int shape_int(struct treaty_at *at, int64_t i, bool is_unsigned,
			 struct value *out);

#endif
