#include "base/lock_key.h"

#define NULL_LEN UINT32_MAX

void lock_key_begin(struct buf *out, struct bytes resource, struct bytes table)
{
	buf_put_bytes(out, resource);
	buf_put_bytes(out, table);
}

void lock_key_value(struct buf *out, struct bytes value)
{
	buf_put_bytes(out, value);
}

void lock_key_null(struct buf *out)
{
	buf_put_u32(out, NULL_LEN);
}

/* One value off the cursor; *null says that it was NULL. */
static struct bytes next_value(struct reader *r, bool *null)
{
	uint32_t len = read_u32(r);

	*null = !r->failed && len == NULL_LEN;
	return *null ? (struct bytes){ r->p, 0 } : read_raw(r, len);
}

int lock_key_parse(struct bytes key, struct bytes *resource,
		   struct bytes *table, struct bytes *values)
{
	struct reader r = reader_of(key);
	struct bytes res = read_bytes(&r), tab = read_bytes(&r);
	struct bytes rest = { r.p, reader_left(&r) };
	bool null;

	if (r.failed || rest.len == 0)
		return E_INVALID;
	while (reader_left(&r) > 0 && !r.failed)
		(void)next_value(&r, &null);
	if (r.failed)
		return E_INVALID;
	*resource = res;
	*table = tab;
	*values = rest;
	return OK;
}

static void print_bytes(struct buf *out, struct bytes b)
{
	for (size_t i = 0; i < b.len; i++) {
		uint8_t c = b.data[i];

		if (c < 0x20 || c == 0x7f)
			buf_printf(out, "\\x%02x", c);
		else if (c == '\'' || c == '\\')
			buf_printf(out, "\\%c", c);
		else
			buf_put_u8(out, c);
	}
}

static bool looks_numeric(struct bytes b)
{
	for (size_t i = 0; i < b.len; i++)
		if (!(b.data[i] >= '0' && b.data[i] <= '9') &&
		    !(b.data[i] == '-' && i == 0 && b.len > 1))
			return false;
	return b.len > 0;
}

static void print_value(struct buf *out, struct bytes b, bool null)
{
	if (null) {
		buf_put_text(out, "NULL");
	} else if (looks_numeric(b)) {
		buf_put(out, b);
	} else {
		buf_put_char(out, '\'');
		print_bytes(out, b);
		buf_put_char(out, '\'');
	}
}

void lock_key_print(struct buf *out, struct bytes key)
{
	struct bytes resource, table, values;
	const char *between = "";
	struct reader r;

	if (lock_key_parse(key, &resource, &table, &values) != OK) {
		for (size_t i = 0; i < key.len; i++)
			buf_printf(out, "%02x", key.data[i]);
		return;
	}
	print_bytes(out, table);
	buf_put_char(out, '(');
	r = reader_of(values);
	while (reader_left(&r) > 0) {
		bool null;
		struct bytes value = next_value(&r, &null);

		buf_put_text(out, between);
		print_value(out, value, null);
		between = ", ";
	}
	buf_put_char(out, ')');
}
