#include "rm-agent/db/pg.h"

#include <arpa/inet.h>

/* The binary forms of the types every PostgreSQL has, by their fixed oids. */

enum {
	BOOL = 16,
	BYTEA = 17,
	CHAR = 18,
	NAME = 19,
	INT8 = 20,
	INT2 = 21,
	INT4 = 23,
	TEXT = 25,
	OID = 26,
	JSON = 114,
	XML = 142,
	POINT = 600,
	LSEG = 601,
	PATH = 602,
	BOX = 603,
	POLYGON = 604,
	LINE = 628,
	CIDR = 650,
	FLOAT4 = 700,
	FLOAT8 = 701,
	UNKNOWN = 705,
	CIRCLE = 718,
	MACADDR8 = 774,
	MONEY = 790,
	MACADDR = 829,
	INET = 869,
	BPCHAR = 1042,
	VARCHAR = 1043,
	DATE = 1082,
	TIME = 1083,
	TIMESTAMP = 1114,
	TIMESTAMPTZ = 1184,
	INTERVAL = 1186,
	TIMETZ = 1266,
	BIT = 1560,
	VARBIT = 1562,
	NUMERIC = 1700,
	UUID = 2950,
	PG_LSN = 3220,
	JSONB = 3802,
	JSONPATH = 4072,
};

static uint32_t u32_at(struct reader *r)
{
	return read_u32(r);
}

static double f8(struct reader *r)
{
	uint64_t bits = read_u64(r);
	double d;

	memcpy(&d, &bits, sizeof(d));
	return d;
}

static float f4(struct reader *r)
{
	uint32_t bits = read_u32(r);
	float f;

	memcpy(&f, &bits, sizeof(f));
	return f;
}

static void put_bool(struct buf *out, struct reader *r)
{
	buf_put_char(out, read_u8(r) ? 't' : 'f');
}

static void put_int8(struct buf *out, struct reader *r)
{
	buf_printf(out, "%lld", (long long)(int64_t)read_u64(r));
}

static void put_int4(struct buf *out, struct reader *r)
{
	buf_printf(out, "%d", (int)(int32_t)u32_at(r));
}

static void put_int2(struct buf *out, struct reader *r)
{
	buf_printf(out, "%d", (int)(int16_t)read_u16(r));
}

static void put_oid(struct buf *out, struct reader *r)
{
	buf_printf(out, "%u", (unsigned)u32_at(r));
}

static void put_text(struct buf *out, struct reader *r)
{
	buf_put(out, read_raw(r, reader_left(r)));
}

/* One byte, of which 0 is spelled as no character. */
static void put_char(struct buf *out, struct reader *r)
{
	uint8_t c = read_u8(r);

	if (c != 0)
		buf_put_u8(out, c);
}

/* One byte of version in front. */
static void put_versioned(struct buf *out, struct reader *r)
{
	if (read_u8(r) != 1)
		r->failed = true;
	put_text(out, r);
}

static void put_hex(struct buf *out, struct reader *r)
{
	buf_put_text(out, "\\x");
	while (reader_left(r) > 0)
		buf_printf(out, "%02x", read_u8(r));
}

static void put_float8(struct buf *out, struct reader *r)
{
	put_double(out, f8(r));
}

static void put_float4(struct buf *out, struct reader *r)
{
	put_float(out, f4(r));
}

/* Two decimals, as under lc_monetary = C, which our own sessions set. */
static void put_money(struct buf *out, struct reader *r)
{
	int64_t v = (int64_t)read_u64(r);
	uint64_t abs = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;

	buf_printf(out, "%s%llu.%02llu", v < 0 ? "-" : "",
		   (unsigned long long)(abs / 100),
		   (unsigned long long)(abs % 100));
}

static void put_numeric_digits(struct buf *out, struct reader digits, int n,
			       int weight, int scale)
{
	int i = 0;

	if (weight < 0)
		buf_put_char(out, '0');
	for (int w = weight; w >= 0; w--, i++) {
		unsigned d = i < n ? read_u16(&digits) : 0;

		buf_printf(out, w == weight ? "%u" : "%04u", d);
	}
	if (scale == 0)
		return;
	buf_put_char(out, '.');
	for (int w = -1; scale > 0; w--) {
		unsigned d = w > weight || i >= n ? 0 : read_u16(&digits);

		if (w <= weight)
			i++;
		for (unsigned unit = 1000; unit > 0 && scale > 0; unit /= 10) {
			buf_put_char(out, (char)('0' + d / unit % 10));
			scale--;
		}
	}
}

/* Digits to the base 10000; .weight is the power of the first. */
static void put_numeric(struct buf *out, struct reader *r)
{
	int n = read_u16(r);
	int weight = (int16_t)read_u16(r);
	unsigned sign = read_u16(r);
	int scale = read_u16(r);
	struct reader digits = *r;

	(void)read_raw(r, (size_t)n * 2);
	switch (sign) {
	case 0xc000:
		buf_put_text(out, "NaN");
		return;
	case 0xd000:
		buf_put_text(out, "Infinity");
		return;
	case 0xf000:
		buf_put_text(out, "-Infinity");
		return;
	case 0x4000:
		buf_put_char(out, '-');
		break;
	case 0:
		break;
	default:
		r->failed = true;
	}
	put_numeric_digits(out, digits, n, n > 0 ? weight : 0, scale);
}

static void put_uuid(struct buf *out, struct reader *r)
{
	for (int i = 0; i < 16; i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			buf_put_char(out, '-');
		buf_printf(out, "%02x", read_u8(r));
	}
}

static void put_mac(struct buf *out, struct reader *r)
{
	const char *between = "";

	while (reader_left(r) > 0) {
		buf_printf(out, "%s%02x", between, read_u8(r));
		between = ":";
	}
}

static void put_inet(struct buf *out, struct reader *r)
{
	uint8_t family = read_u8(r), bits = read_u8(r), cidr = read_u8(r);
	struct bytes addr = read_raw(r, read_u8(r));
	char text[INET6_ADDRSTRLEN];
	int af = family == 2 ? AF_INET : AF_INET6;

	if (r->failed || addr.len != (af == AF_INET ? 4u : 16u)) {
		r->failed = true;
		return;
	}
	buf_put_text(out, inet_ntop(af, addr.data, text, sizeof(text)));
	if (cidr || bits != (af == AF_INET ? 32 : 128))
		buf_printf(out, "/%u", bits);
}

static void put_bits(struct buf *out, struct reader *r)
{
	uint32_t n = u32_at(r);
	struct bytes data = read_raw(r, ((size_t)n + 7) / 8);

	if (r->failed)
		return;
	for (uint32_t i = 0; i < n; i++)
		buf_put_char(out,
			     data.data[i / 8] >> (7 - i % 8) & 1 ? '1' : '0');
}

static void put_lsn(struct buf *out, struct reader *r)
{
	unsigned high = u32_at(r), low = u32_at(r);

	buf_printf(out, "%X/%X", high, low);
}

static void put_date(struct buf *out, struct reader *r)
{
	pg_put_date(out, (int32_t)u32_at(r));
}

static void put_time(struct buf *out, struct reader *r)
{
	pg_put_time(out, (int64_t)read_u64(r));
}

static void put_timetz(struct buf *out, struct reader *r)
{
	int64_t us = (int64_t)read_u64(r);

	pg_put_timetz(out, us, (int32_t)u32_at(r));
}

static void put_timestamp(struct buf *out, struct reader *r)
{
	pg_put_timestamp(out, (int64_t)read_u64(r), false);
}

static void put_timestamptz(struct buf *out, struct reader *r)
{
	pg_put_timestamp(out, (int64_t)read_u64(r), true);
}

static void put_interval(struct buf *out, struct reader *r)
{
	int64_t us = (int64_t)read_u64(r);
	int32_t days = (int32_t)u32_at(r);

	pg_put_interval(out, us, days, (int32_t)u32_at(r));
}

/* ---- geometry ---- */

static void put_point(struct buf *out, struct reader *r)
{
	buf_put_char(out, '(');
	put_double(out, f8(r));
	buf_put_char(out, ',');
	put_double(out, f8(r));
	buf_put_char(out, ')');
}

static void put_points(struct buf *out, struct reader *r, uint32_t n)
{
	for (uint32_t i = 0; i < n && !r->failed; i++) {
		if (i > 0)
			buf_put_char(out, ',');
		put_point(out, r);
	}
}

static void put_lseg(struct buf *out, struct reader *r)
{
	buf_put_char(out, '[');
	put_points(out, r, 2);
	buf_put_char(out, ']');
}

static void put_box(struct buf *out, struct reader *r)
{
	put_points(out, r, 2);
}

static void put_path(struct buf *out, struct reader *r)
{
	bool closed = read_u8(r) != 0;

	buf_put_char(out, closed ? '(' : '[');
	put_points(out, r, u32_at(r));
	buf_put_char(out, closed ? ')' : ']');
}

static void put_polygon(struct buf *out, struct reader *r)
{
	buf_put_char(out, '(');
	put_points(out, r, u32_at(r));
	buf_put_char(out, ')');
}

static void put_line(struct buf *out, struct reader *r)
{
	buf_put_char(out, '{');
	for (int i = 0; i < 3; i++) {
		if (i > 0)
			buf_put_char(out, ',');
		put_double(out, f8(r));
	}
	buf_put_char(out, '}');
}

static void put_circle(struct buf *out, struct reader *r)
{
	buf_put_char(out, '<');
	put_point(out, r);
	buf_put_char(out, ',');
	put_double(out, f8(r));
	buf_put_char(out, '>');
}

static const struct scalar {
	uint32_t oid;
	enum value_type class;
	const char *name;
	void (*put)(struct buf *out, struct reader *r);
} scalars[] = {
	{ INT4, VALUE_INT, "integer", put_int4 },
	{ INT8, VALUE_INT, "bigint", put_int8 },
	{ TEXT, VALUE_TEXT, "text", put_text },
	{ VARCHAR, VALUE_TEXT, "character varying", put_text },
	{ NUMERIC, VALUE_NUMBER, "numeric", put_numeric },
	{ TIMESTAMPTZ, VALUE_TIMESTAMPTZ, "timestamp with time zone",
	  put_timestamptz },
	{ TIMESTAMP, VALUE_TIMESTAMP, "timestamp without time zone",
	  put_timestamp },
	{ BOOL, VALUE_BOOL, "boolean", put_bool },
	{ UUID, VALUE_OTHER, "uuid", put_uuid },
	{ JSONB, VALUE_JSON, "jsonb", put_versioned },
	{ JSON, VALUE_JSON, "json", put_text },
	{ FLOAT8, VALUE_FLOAT, "double precision", put_float8 },
	{ FLOAT4, VALUE_FLOAT, "real", put_float4 },
	{ DATE, VALUE_DATE, "date", put_date },
	{ BYTEA, VALUE_BYTES, "bytea", put_hex },
	{ INT2, VALUE_INT, "smallint", put_int2 },
	{ BPCHAR, VALUE_TEXT, "character", put_text },
	{ TIME, VALUE_TIME, "time without time zone", put_time },
	{ TIMETZ, VALUE_OTHER, "time with time zone", put_timetz },
	{ INTERVAL, VALUE_OTHER, "interval", put_interval },
	{ BIT, VALUE_BIT, "bit", put_bits },
	{ VARBIT, VALUE_BIT, "bit varying", put_bits },
	{ MONEY, VALUE_OTHER, "money", put_money },
	{ INET, VALUE_OTHER, "inet", put_inet },
	{ CIDR, VALUE_OTHER, "cidr", put_inet },
	{ MACADDR, VALUE_OTHER, "macaddr", put_mac },
	{ MACADDR8, VALUE_OTHER, "macaddr8", put_mac },
	{ XML, VALUE_OTHER, "xml", put_text },
	{ POINT, VALUE_OTHER, "point", put_point },
	{ LSEG, VALUE_OTHER, "lseg", put_lseg },
	{ PATH, VALUE_OTHER, "path", put_path },
	{ BOX, VALUE_OTHER, "box", put_box },
	{ POLYGON, VALUE_OTHER, "polygon", put_polygon },
	{ LINE, VALUE_OTHER, "line", put_line },
	{ CIRCLE, VALUE_OTHER, "circle", put_circle },
	{ PG_LSN, VALUE_OTHER, "pg_lsn", put_lsn },
	{ JSONPATH, VALUE_OTHER, "jsonpath", put_versioned },
	{ NAME, VALUE_TEXT, "name", put_text },
	{ CHAR, VALUE_OTHER, "\"char\"", put_char },
	{ OID, VALUE_INT, "oid", put_oid },
	{ UNKNOWN, VALUE_TEXT, "unknown", put_text },
};

static const struct scalar *find(uint32_t oid)
{
	for (size_t i = 0; i < ARRAY_LEN(scalars); i++)
		if (scalars[i].oid == oid)
			return &scalars[i];
	return NULL;
}

enum value_type pg_class(uint32_t oid)
{
	const struct scalar *s = find(oid);

	return s ? s->class : VALUE_OTHER;
}

const char *pg_scalar_name(uint32_t oid)
{
	const struct scalar *s = find(oid);

	return s ? s->name : NULL;
}

int pg_put_scalar(struct buf *out, uint32_t oid, struct bytes raw)
{
	const struct scalar *s = find(oid);
	struct reader r = reader_of(raw);

	REQUIRE(s);
	s->put(out, &r);
	return reader_done(&r) ? OK : E_CORRUPT;
}
