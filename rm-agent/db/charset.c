#include "rm-agent/db/charset.h"

#include <errno.h>
#include <iconv.h>
#include <strings.h>

/* PostgreSQL's and MySQL's names beside those of iconv. MySQL's latin1 is
 * really cp1252, except five bytes that it gives to control characters: those
 * are refused as untranslatable. NULL: bytes are UTF-8 already. */
static const struct {
	const char *name;
	const char *iconv;
} known[] = {
	{ "UTF8", NULL },
	{ "UTF-8", NULL },
	{ "utf8mb4", NULL },
	{ "utf8mb3", NULL },
	{ "ascii", NULL },
	/* No conversion: what the server stores. Checked by the driver. */
	{ "SQL_ASCII", NULL },
	{ "binary", NULL },
	{ "LATIN1", "ISO-8859-1" },
	{ "mysql:latin1", "CP1252" },
	{ "LATIN2", "ISO-8859-2" },
	{ "LATIN3", "ISO-8859-3" },
	{ "LATIN4", "ISO-8859-4" },
	{ "LATIN5", "ISO-8859-9" },
	{ "LATIN6", "ISO-8859-10" },
	{ "LATIN7", "ISO-8859-13" },
	{ "LATIN8", "ISO-8859-14" },
	{ "LATIN9", "ISO-8859-15" },
	{ "LATIN10", "ISO-8859-16" },
	{ "ISO_8859_5", "ISO-8859-5" },
	{ "ISO_8859_7", "ISO-8859-7" },
	{ "WIN1250", "CP1250" },
	{ "WIN1251", "CP1251" },
	{ "WIN1252", "CP1252" },
	{ "WIN1253", "CP1253" },
	{ "WIN1254", "CP1254" },
	{ "WIN1257", "CP1257" },
	{ "cp1250", "CP1250" },
	{ "cp1251", "CP1251" },
	{ "cp1257", "CP1257" },
	{ "KOI8R", "KOI8-R" },
	{ "KOI8U", "KOI8-U" },
};

void charset_fini(struct charset *c)
{
	if (c->to_utf8)
		(void)iconv_close(c->to_utf8);
	if (c->from_utf8)
		(void)iconv_close(c->from_utf8);
	*c = (struct charset){ 0 };
}

static int open_both(struct charset *c, const char *name)
{
	iconv_t to = iconv_open("UTF-8", name);
	iconv_t from = iconv_open(name, "UTF-8");

	if (to == (iconv_t)-1 || from == (iconv_t)-1) {
		if (to != (iconv_t)-1)
			(void)iconv_close(to);
		if (from != (iconv_t)-1)
			(void)iconv_close(from);
		return E_UNSUPPORTED;
	}
	c->to_utf8 = to;
	c->from_utf8 = from;
	return OK;
}

int charset_set(struct charset *c, const char *name)
{
	struct charset next = { 0 };
	size_t len = strlen(name);

	if (len < sizeof(c->name) && strcasecmp(c->name, name) == 0)
		return OK;
	for (size_t i = 0; i < ARRAY_LEN(known); i++) {
		if (strcasecmp(known[i].name, name) != 0)
			continue;
		if (known[i].iconv && open_both(&next, known[i].iconv) != OK)
			return E_UNSUPPORTED;
		memcpy(next.name, name, len);
		charset_fini(c);
		*c = next;
		return OK;
	}
	return E_UNSUPPORTED;
}

static int convert(iconv_t cd, struct arena *arena, struct bytes in,
		   struct bytes *out)
{
	size_t room = in.len * 4 + 4, left = room, n = in.len;
	char *start, *to, *from = (char *)(uintptr_t)in.data;

	if (!cd || in.len == 0) {
		*out = in;
		return OK;
	}
	start = to = arena_alloc(arena, room);
	if (!start)
		return E_NOMEM;
	(void)iconv(cd, NULL, NULL, NULL, NULL);
	if (iconv(cd, &from, &n, &to, &left) != 0)
		return E_INVALID;
	*out = (struct bytes){ (uint8_t *)start, room - left };
	return OK;
}

int charset_to_utf8(struct charset *c, struct arena *arena, struct bytes in,
		    struct bytes *out)
{
	return convert(c->to_utf8, arena, in, out);
}

int charset_from_utf8(struct charset *c, struct arena *arena, struct bytes in,
		      struct bytes *out)
{
	return convert(c->from_utf8, arena, in, out);
}
