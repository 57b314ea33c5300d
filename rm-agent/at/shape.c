#include "rm-agent/at/shape.h"

#include "rm-agent/db/driver.h"

int shape_to_utf8(struct treaty_at *at, struct bytes text, struct bytes *out)
{
	int rc = db_to_utf8(at->db, &at->call_arena, text, out);

	if (rc == OK)
		return OK;
	return at_fail(at, rc,
		       rc == E_INVALID ? "the statement's text is not in the "
					 "session's character set"
				       : "out of memory");
}

int shape_from_utf8(struct treaty_at *at, struct bytes text, struct bytes *out)
{
	int rc =
		charset_from_utf8(&at->db->charset, &at->call_arena, text, out);

	if (rc == OK) {
		*out = arena_bytes(&at->call_arena, *out);
		rc = out->data ? OK : E_NOMEM;
	}
	return rc;
}

int shape_text(struct treaty_at *at, enum value_type type, struct bytes text,
	       struct value *out)
{
	struct bytes utf8;
	int rc = shape_to_utf8(at, text, &utf8);

	if (rc == OK)
		*out = (struct value){ type, utf8 };
	return rc;
}

static int put(struct treaty_at *at, enum value_type type, struct buf *b,
	       struct value *out)
{
	if (buf_error(b) != OK)
		return at_fail(at, E_NOMEM, "out of memory for parameters");
	*out = (struct value){ type, buf_bytes(b) };
	return OK;
}

int shape_double(struct treaty_at *at, double d, struct value *out)
{
	struct buf b;

	buf_init(&b, &at->call_arena.as_mem);
	put_double(&b, d);
	return put(at, VALUE_FLOAT, &b, out);
}

int shape_int(struct treaty_at *at, int64_t i, bool is_unsigned,
	      struct value *out)
{
	struct buf b;

	buf_init(&b, &at->call_arena.as_mem);
	if (is_unsigned)
		buf_printf(&b, "%llu", (unsigned long long)i);
	else
		buf_printf(&b, "%lld", (long long)i);
	return put(at, VALUE_INT, &b, out);
}
