#include "rm-agent/xa/gid.h"

#include "base/xid.h"

#include <sodium.h>

#define BASE64_MAX(n) (((n) + 2) / 3 * 4)

_Static_assert(XA_FORMAT > 0 && XA_FORMAT < 0x7fffffff,
	       "MariaDB refuses larger ones as a syntax error");
_Static_assert(10 + 1 + BASE64_MAX(XA_PART_MAX) + 1 + BASE64_MAX(XA_PART_MAX) <
		       XA_TEXT_MAX,
	       "PostgreSQL takes less than 200 bytes");
_Static_assert(XA_BQUAL_MAX <= XA_PART_MAX, "a bqual fits");

static bool number_of(struct bytes text, uint64_t *out)
{
	*out = 0;
	if (text.len == 0 || text.len > 20 ||
	    (text.data[0] == '0' && text.len > 1))
		return false;
	for (size_t i = 0; i < text.len; i++) {
		uint64_t digit = (uint64_t)text.data[i] - '0';

		if (digit > 9 || *out > (UINT64_MAX - digit) / 10)
			return false;
		*out = *out * 10 + digit;
	}
	return true;
}

int xa_gid_make(struct xa_gid *out, struct bytes xid, uint64_t branch,
		uint64_t session)
{
	struct xa_gid gid = { .branch = branch, .session = session };
	struct bytes coordinator;
	uint64_t number;
	struct buf b;
	int rc;

	if (branch == 0 || xid_parse(xid, &coordinator, &number) != OK)
		return E_INVALID;
	if (xid.len > XA_PART_MAX)
		return E_LIMIT;
	memcpy(gid.gtrid, xid.data, xid.len);
	buf_init(&b, &mem_heap);
	buf_printf(&b, "%llu.%llu", (unsigned long long)branch,
		   (unsigned long long)session);
	rc = buf_error(&b);
	if (rc == OK)
		memcpy(gid.bqual, b.data, b.len);
	buf_fini(&b);
	if (rc == OK)
		*out = gid;
	return rc;
}

int xa_gid_of_parts(struct xa_gid *out, uint64_t format, struct bytes gtrid,
		    struct bytes bqual)
{
	const uint8_t *dot =
		bqual.len ? memchr(bqual.data, '.', bqual.len) : NULL;
	struct bytes before, after;
	uint64_t branch, session;

	if (format != XA_FORMAT || !dot)
		return E_INVALID;
	before = (struct bytes){ bqual.data, (size_t)(dot - bqual.data) };
	after = (struct bytes){ dot + 1, bqual.len - before.len - 1 };
	if (!number_of(before, &branch) || !number_of(after, &session))
		return E_INVALID;
	return xa_gid_make(out, gtrid, branch, session);
}

static bool decode(struct bytes text, uint8_t *to, size_t size, size_t *len)
{
	return sodium_base642bin(to, size, (const char *)text.data, text.len,
				 NULL, len, NULL,
				 sodium_base64_VARIANT_ORIGINAL) == 0;
}

int xa_gid_of_text(struct xa_gid *out, struct bytes text)
{
	uint8_t gtrid[XA_PART_MAX], bqual[XA_PART_MAX];
	const uint8_t *end = text.data + text.len, *first, *second;
	struct bytes a, b;
	uint64_t format;

	first = text.len ? memchr(text.data, '_', text.len) : NULL;
	second = first ? memchr(first + 1, '_', (size_t)(end - first - 1))
		       : NULL;
	if (!second ||
	    !number_of((struct bytes){ text.data, (size_t)(first - text.data) },
		       &format))
		return E_INVALID;
	a = (struct bytes){ first + 1, (size_t)(second - first - 1) };
	b = (struct bytes){ second + 1, (size_t)(end - second - 1) };
	if (!decode(a, gtrid, sizeof gtrid, &a.len) ||
	    !decode(b, bqual, sizeof bqual, &b.len))
		return E_INVALID;
	a.data = gtrid;
	b.data = bqual;
	return xa_gid_of_parts(out, format, a, b);
}

static void put_base64(struct buf *out, const char *part)
{
	char text[BASE64_MAX(XA_PART_MAX) + 1];

	sodium_bin2base64(text, sizeof text, (const uint8_t *)part,
			  strlen(part), sodium_base64_VARIANT_ORIGINAL);
	buf_put_text(out, text);
}

void xa_gid_put_text(struct buf *out, const struct xa_gid *gid)
{
	buf_printf(out, "%d_", XA_FORMAT);
	put_base64(out, gid->gtrid);
	buf_put_char(out, '_');
	put_base64(out, gid->bqual);
}

void xa_gid_put_hex(struct buf *out, const char *part)
{
	buf_put_text(out, "X'");
	for (; *part; part++)
		buf_printf(out, "%02X", (unsigned char)*part);
	buf_put_char(out, '\'');
}

void xa_gid_put_parts(struct buf *out, const struct xa_gid *gid)
{
	xa_gid_put_hex(out, gid->gtrid);
	buf_put_char(out, ',');
	xa_gid_put_hex(out, gid->bqual);
	buf_printf(out, ",%d", XA_FORMAT);
}

bool xa_gid_is_of(const struct xa_gid *gid, struct bytes coordinator)
{
	struct bytes mine;
	uint64_t number;

	return xid_parse(bytes_of(gid->gtrid), &mine, &number) == OK &&
	       bytes_equal(mine, coordinator);
}

bool xa_gid_equal(const struct xa_gid *a, const struct xa_gid *b)
{
	return strcmp(a->gtrid, b->gtrid) == 0 &&
	       strcmp(a->bqual, b->bqual) == 0;
}
