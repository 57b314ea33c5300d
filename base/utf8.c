#include "base/utf8.h"

/* How long the character is that begins with this byte, the bits of it that
 * count, and the smallest code that needs so many bytes. */
static size_t lead(uint8_t c, uint32_t *bits, uint32_t *least)
{
	if (c < 0x80) {
		*bits = c;
		*least = 0;
		return 1;
	}
	if (c >= 0xc2 && c <= 0xdf) {
		*bits = c & 0x1fu;
		*least = 0x80;
		return 2;
	}
	if (c >= 0xe0 && c <= 0xef) {
		*bits = c & 0x0fu;
		*least = 0x800;
		return 3;
	}
	if (c >= 0xf0 && c <= 0xf4) {
		*bits = c & 0x07u;
		*least = 0x10000;
		return 4;
	}
	return 0;
}

size_t utf8_decode(struct bytes b, uint32_t *code)
{
	uint32_t value, least;
	size_t n;

	if (b.len == 0)
		return 0;
	n = lead(b.data[0], &value, &least);
	if (n == 0 || n > b.len)
		return 0;
	for (size_t i = 1; i < n; i++) {
		if ((b.data[i] & 0xc0) != 0x80)
			return 0;
		value = value << 6 | (b.data[i] & 0x3fu);
	}
	if (value < least || value > 0x10ffff ||
	    (value >= 0xd800 && value <= 0xdfff))
		return 0;
	*code = value;
	return n;
}

bool utf8_valid(struct bytes b)
{
	while (b.len > 0) {
		uint32_t code;
		size_t n = utf8_decode(b, &code);

		if (n == 0)
			return false;
		b.data += n;
		b.len -= n;
	}
	return true;
}
