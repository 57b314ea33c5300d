#include "tc/cli/cli.h"

#include "base/utf8.h"

#include <stdio.h>

void complain(const char *fmt, ...)
{
	struct buf text;
	va_list args;

	buf_init(&text, &mem_heap);
	va_start(args, fmt);
	buf_vprintf(&text, fmt, args);
	va_end(args);
	(void)fprintf(stderr, "treaty: %s\n", buf_text(&text));
	buf_fini(&text);
}

/* Characters that would steer a terminal, or turn the line around. */
static bool steers(uint32_t code)
{
	return code < 0x20 || (code >= 0x7f && code <= 0x9f) ||
	       code == 0x061c || code == 0x200e || code == 0x200f ||
	       (code >= 0x2028 && code <= 0x202e) ||
	       (code >= 0x2066 && code <= 0x2069);
}

void put_safe(struct buf *out, struct bytes text)
{
	while (text.len > 0) {
		uint32_t code;
		size_t n = utf8_decode(text, &code);

		if (n == 0)
			buf_printf(out, "\\x%02x", text.data[0]);
		else if (!steers(code))
			buf_put(out, (struct bytes){ text.data, n });
		else if (code == '\n')
			buf_put_text(out, "\\n");
		else
			buf_printf(out, code < 0x100 ? "\\x%02x" : "\\u%04x",
				   code);
		n = n ? n : 1;
		text.data += n;
		text.len -= n;
	}
}

void put_span(struct buf *out, uint64_t ms)
{
	unsigned long long s = ms / 1000;

	if (ms < 1000)
		buf_printf(out, "%llums", (unsigned long long)ms);
	else if (s < 60)
		buf_printf(out, "%llus", s);
	else if (s < 3600)
		buf_printf(out, "%llum%02llus", s / 60, s % 60);
	else if (s < 86400)
		buf_printf(out, "%lluh%02llum", s / 3600, s / 60 % 60);
	else
		buf_printf(out, "%llud%02lluh", s / 86400, s / 3600 % 24);
}

bool parse_span(const char *text, uint64_t *ms)
{
	static const struct {
		const char *name;
		uint64_t ms;
	} units[] = { { "ms", 1 },
		      { "s", 1000 },
		      { "m", 60000 },
		      { "h", 3600000 },
		      { "d", 86400000 } };
	size_t digits = strspn(text, "0123456789");

	*ms = 0;
	if (digits == 0 || digits > 11)
		return false;
	for (size_t i = 0; i < digits; i++)
		*ms = *ms * 10 + (uint64_t)(text[i] - '0');
	for (size_t i = 0; i < ARRAY_LEN(units); i++) {
		if (strcmp(text + digits, units[i].name) != 0)
			continue;
		*ms *= units[i].ms;
		return *ms <= 365 * units[4].ms;
	}
	return false;
}

/* East Asian wide and emoji take two columns, combining marks none. */
static size_t code_width(uint32_t code)
{
	static const struct {
		uint32_t from, to;
		size_t width;
	} ranges[] = {
		{ 0x300, 0x36f, 0 },     { 0x1100, 0x115f, 2 },
		{ 0x200b, 0x200d, 0 },   { 0x2e80, 0xa4cf, 2 },
		{ 0xac00, 0xd7a3, 2 },   { 0xf900, 0xfaff, 2 },
		{ 0xfe00, 0xfe0f, 0 },   { 0xfe30, 0xfe6f, 2 },
		{ 0xff00, 0xff60, 2 },   { 0xffe0, 0xffe6, 2 },
		{ 0x1f300, 0x1faff, 2 }, { 0x20000, 0x3fffd, 2 },
	};

	for (size_t i = 0; i < ARRAY_LEN(ranges); i++)
		if (code >= ranges[i].from && code <= ranges[i].to)
			return ranges[i].width;
	return 1;
}

size_t text_width(struct bytes text)
{
	size_t width = 0;

	while (text.len > 0) {
		uint32_t code = 0;
		size_t n = utf8_decode(text, &code);

		width += n ? code_width(code) : 1;
		n = n ? n : 1;
		text.data += n;
		text.len -= n;
	}
	return width;
}

void paint(struct cli *c, enum paint paint)
{
	static const char *const codes[] = {
		[PAINT_PLAIN] = "\033[0m",  [PAINT_BOLD] = "\033[1m",
		[PAINT_RED] = "\033[1;31m", [PAINT_YELLOW] = "\033[33m",
		[PAINT_DIM] = "\033[2m",
	};

	if (c->color)
		buf_put_text(&c->out, codes[paint]);
}
