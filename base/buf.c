#include "base/buf.h"

#include <stdio.h>

void buf_init(struct buf *b, const struct mem *mem)
{
	*b = (struct buf){ .mem = mem };
}

void buf_fini(struct buf *b)
{
	mem_free(b->mem, b->data);
	*b = (struct buf){ .mem = b->mem };
}

void buf_clear(struct buf *b)
{
	b->len = 0;
	b->error = OK;
}

int buf_error(const struct buf *b)
{
	return b->error;
}

struct bytes buf_bytes(const struct buf *b)
{
	return (struct bytes){ b->data, b->len };
}

/* Room for n more bytes and a NUL behind them. */
static bool reserve(struct buf *b, size_t n)
{
	size_t cap = b->cap ? b->cap : 64;
	uint8_t *data;

	if (b->error != OK)
		return false;
	if (n > SIZE_MAX / 2 - b->len - 1 ||
	    (b->limit && n > b->limit - b->len)) {
		b->error = E_LIMIT;
		return false;
	}
	if (b->data && b->len + n + 1 <= b->cap)
		return true;
	while (cap < b->len + n + 1)
		cap *= 2;
	data = mem_alloc(b->mem, cap);
	if (!data) {
		b->error = E_NOMEM;
		return false;
	}
	if (b->len)
		memcpy(data, b->data, b->len);
	mem_free(b->mem, b->data);
	b->data = data;
	b->cap = cap;
	return true;
}

const char *buf_text(struct buf *b)
{
	if (!reserve(b, 0))
		return "";
	b->data[b->len] = 0;
	return (const char *)b->data;
}

void buf_put(struct buf *b, struct bytes bytes)
{
	if (!reserve(b, bytes.len))
		return;
	if (bytes.len)
		memcpy(b->data + b->len, bytes.data, bytes.len);
	b->len += bytes.len;
}

void buf_put_text(struct buf *b, const char *text)
{
	buf_put(b, bytes_of(text));
}

void buf_put_char(struct buf *b, char c)
{
	buf_put_u8(b, (uint8_t)c);
}

void buf_put_u8(struct buf *b, uint8_t v)
{
	buf_put(b, (struct bytes){ &v, 1 });
}

void buf_put_u16(struct buf *b, uint16_t v)
{
	uint8_t raw[2] = { (uint8_t)(v >> 8), (uint8_t)v };

	buf_put(b, (struct bytes){ raw, sizeof raw });
}

static void pack_u32(uint8_t raw[4], uint32_t v)
{
	for (int i = 0; i < 4; i++)
		raw[i] = (uint8_t)(v >> (24 - 8 * i));
}

void buf_put_u32(struct buf *b, uint32_t v)
{
	uint8_t raw[4];

	pack_u32(raw, v);
	buf_put(b, (struct bytes){ raw, sizeof raw });
}

void buf_put_u64(struct buf *b, uint64_t v)
{
	buf_put_u32(b, (uint32_t)(v >> 32));
	buf_put_u32(b, (uint32_t)v);
}

void buf_put_bytes(struct buf *b, struct bytes bytes)
{
	if (bytes.len > UINT32_MAX) {
		b->error = E_LIMIT;
		return;
	}
	buf_put_u32(b, (uint32_t)bytes.len);
	buf_put(b, bytes);
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	buf_vprintf(b, fmt, args);
	va_end(args);
}

void buf_vprintf(struct buf *b, const char *fmt, va_list args)
{
	va_list again;
	int n;

	va_copy(again, args);
	n = vsnprintf(NULL, 0, fmt, again);
	va_end(again);
	REQUIRE(n >= 0);
	if (!reserve(b, (size_t)n))
		return;
	(void)vsnprintf((char *)b->data + b->len, (size_t)n + 1, fmt, args);
	b->len += (size_t)n;
}

void buf_set_u32(struct buf *b, size_t at, uint32_t v)
{
	if (b->error != OK)
		return;
	REQUIRE(at <= b->len && b->len - at >= 4);
	pack_u32(b->data + at, v);
}

struct reader reader_of(struct bytes bytes)
{
	/* An empty view may be NULL; give the cursor something to point at. */
	static const uint8_t nothing;
	const uint8_t *p = bytes.len ? bytes.data : &nothing;

	return (struct reader){ p, p + bytes.len, false };
}

size_t reader_left(const struct reader *r)
{
	return (size_t)(r->end - r->p);
}

bool reader_done(const struct reader *r)
{
	return !r->failed && r->p == r->end;
}

struct bytes read_raw(struct reader *r, size_t n)
{
	struct bytes b = { r->p, n };

	if (r->failed || n > reader_left(r)) {
		r->failed = true;
		return (struct bytes){ r->p, 0 };
	}
	r->p += n;
	return b;
}

static uint64_t read_number(struct reader *r, size_t size)
{
	struct bytes raw = read_raw(r, size);
	uint64_t v = 0;

	for (size_t i = 0; i < raw.len; i++)
		v = v << 8 | raw.data[i];
	return v;
}

uint8_t read_u8(struct reader *r)
{
	return (uint8_t)read_number(r, 1);
}

uint16_t read_u16(struct reader *r)
{
	return (uint16_t)read_number(r, 2);
}

uint32_t read_u32(struct reader *r)
{
	return (uint32_t)read_number(r, 4);
}

uint64_t read_u64(struct reader *r)
{
	return read_number(r, 8);
}

struct bytes read_bytes(struct reader *r)
{
	return read_raw(r, read_u32(r));
}
