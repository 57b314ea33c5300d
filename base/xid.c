#include "base/xid.h"

#include <inttypes.h>

static bool parse_number(const uint8_t *p, size_t len, uint64_t *number)
{
	uint64_t v = 0;

	if (len == 0 || len > 19 || p[0] == '0')
		return false;
	for (size_t i = 0; i < len; i++) {
		if (p[i] < '0' || p[i] > '9')
			return false;
		v = v * 10 + (uint64_t)(p[i] - '0');
	}
	*number = v;
	return v <= INT64_MAX;
}

int xid_parse(struct bytes text, struct bytes *coordinator, uint64_t *number)
{
	size_t colon = text.len;
	uint64_t v;

	if (text.len > XID_LEN_MAX)
		return E_INVALID;
	while (colon > 0 && text.data[colon - 1] != ':')
		colon--;
	if (colon < 2)
		return E_INVALID;
	if (!parse_number(text.data + colon, text.len - colon, &v))
		return E_INVALID;
	*coordinator = (struct bytes){ text.data, colon - 1 };
	*number = v;
	return OK;
}

void xid_format(struct buf *out, struct bytes coordinator, uint64_t number)
{
	buf_put(out, coordinator);
	buf_printf(out, ":%" PRIu64, number);
}
