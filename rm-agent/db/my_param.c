#include "rm-agent/db/my.h"

#include <errno.h>
#include <stdlib.h>

static bool is_digits(struct bytes b)
{
	size_t i = b.len > 0 && b.data[0] == '-' ? 1 : 0;

	if (i == b.len)
		return false;
	for (; i < b.len; i++)
		if (b.data[i] < '0' || b.data[i] > '9')
			return false;
	return true;
}

/* As an integer if it is one of 64 bits: '0' would be the year 2000. */
static bool bind_integer(MYSQL_BIND *b, struct arena *arena, const char *text)
{
	bool negative = *text == '-';
	long long *room = arena_alloc(arena, sizeof(*room));
	unsigned long long u = 0;

	if (!room)
		return false;
	errno = 0;
	if (negative)
		*room = strtoll(text, NULL, 10);
	else
		u = strtoull(text, NULL, 10);
	if (errno != 0)
		return false;
	if (!negative)
		memcpy(room, &u, sizeof(u));
	b->buffer_type = MYSQL_TYPE_LONGLONG;
	b->is_unsigned = !negative;
	b->buffer = room;
	return true;
}

static bool bind_double(MYSQL_BIND *b, struct arena *arena, const char *text)
{
	double *room = arena_alloc(arena, sizeof(*room));

	if (!room)
		return false;
	*room = double_of(text);
	b->buffer_type = MYSQL_TYPE_DOUBLE;
	b->buffer = room;
	return true;
}

static int bind_text(struct my_db *m, MYSQL_BIND *b, struct arena *arena,
		     struct bytes data, enum enum_field_types type)
{
	struct bytes text;
	int rc = charset_from_utf8(&m->db.charset, arena, data, &text);

	if (rc == E_NOMEM)
		return driver_nomem(&m->db);
	if (rc != OK)
		return driver_fail(&m->db, E_INVALID, DB_DATA, "", 0,
				   "a parameter cannot be written in the "
				   "session's character_set_client");
	text = arena_bytes(arena, text);
	if (!text.data)
		return driver_nomem(&m->db);
	b->buffer_type = type;
	b->buffer = (void *)(uintptr_t)text.data;
	b->buffer_length = (unsigned long)text.len;
	return OK;
}

static int bind_one(struct my_db *m, MYSQL_BIND *b, struct arena *arena,
		    const struct value *v)
{
	char *text = arena_text(arena, v->data);
	struct bytes data = { (uint8_t *)text, v->data.len };

	if (!text)
		return driver_nomem(&m->db);
	switch (v->type) {
	case VALUE_NULL:
		b->buffer_type = MYSQL_TYPE_NULL;
		return OK;
	case VALUE_BYTES:
		b->buffer_type = MYSQL_TYPE_BLOB;
		b->buffer = text;
		b->buffer_length = (unsigned long)data.len;
		return OK;
	case VALUE_BOOL:
		return bind_integer(b, arena, *text == 't' ? "1" : "0")
			       ? OK
			       : driver_nomem(&m->db);
	case VALUE_INT:
		if (is_digits(data) && bind_integer(b, arena, text))
			return OK;
		break;
	case VALUE_FLOAT:
		if (bind_double(b, arena, text))
			return OK;
		break;
	case VALUE_NUMBER:
		return bind_text(m, b, arena, data, MYSQL_TYPE_NEWDECIMAL);
	default:
		break;
	}
	return bind_text(m, b, arena, data, MYSQL_TYPE_STRING);
}

int my_bind_params(struct my_db *m, const struct db_stmt *stmt,
		   struct arena *arena, MYSQL_BIND **out)
{
	MYSQL_BIND *b = arena_array(arena, stmt->n_params + 1, sizeof(*b));

	if (!b)
		return driver_nomem(&m->db);
	for (size_t i = 0; i < stmt->n_params; i++) {
		int rc = bind_one(m, &b[i], arena, &stmt->params[i]);

		if (rc != OK)
			return rc;
	}
	*out = b;
	return OK;
}
