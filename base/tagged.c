#include "base/tagged.h"

void tagged_begin(struct buf *out, uint8_t version)
{
	REQUIRE(version > 0);
	buf_put_u8(out, version);
}

void tagged_put_bytes(struct buf *out, int tag, struct bytes b)
{
	if (b.len == 0)
		return;
	buf_put_u8(out, (uint8_t)tag);
	buf_put_bytes(out, b);
}

void tagged_put_number(struct buf *out, int tag, uint64_t v)
{
	if (v == 0)
		return;
	buf_put_u8(out, (uint8_t)tag);
	buf_put_u32(out, 8);
	buf_put_u64(out, v);
}

int tagged_open(struct reader *r, struct bytes body, uint8_t version_max)
{
	uint8_t version;

	*r = reader_of(body);
	version = read_u8(r);
	if (r->failed || version == 0)
		return E_CORRUPT;
	return version > version_max ? E_VERSION : OK;
}

bool tagged_next(struct reader *r, struct tagged *t)
{
	if (r->failed || reader_left(r) == 0)
		return false;
	t->tag = read_u8(r);
	t->bytes = read_bytes(r);
	return !r->failed;
}

bool tagged_number(const struct tagged *t, uint64_t max, uint64_t *out)
{
	struct reader r = reader_of(t->bytes);
	uint64_t v;

	if (t->bytes.len != 8)
		return false;
	v = read_u64(&r);
	*out = v;
	return v <= max;
}
