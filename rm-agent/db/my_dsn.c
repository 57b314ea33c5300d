#include "rm-agent/db/my.h"

#include <stdlib.h>

/* mysql://user:pass@host:port/database?socket=/path */

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* The text with %XX undone; NULL: E_NOMEM. Bad escapes set *bad. */
static char *decode(struct arena *arena, const char *from, size_t len,
		    bool *bad)
{
	char *text =
		arena_text(arena, (struct bytes){ (const uint8_t *)from, len });
	char *to = text;

	for (size_t i = 0; text && i < len; i++) {
		char c = from[i];

		if (c == '%') {
			int high = i + 2 < len ? hex(from[i + 1]) : -1;
			int low = high >= 0 ? hex(from[i + 2]) : -1;

			if (low < 0 || (high == 0 && low == 0)) {
				*bad = true;
				return text;
			}
			c = (char)(high * 16 + low);
			i += 2;
		}
		*to++ = c;
	}
	if (text)
		*to = '\0';
	return text;
}

struct parts {
	struct arena *arena;
	bool bad;
	bool nomem;
};

static char *part(struct parts *p, const char *from, const char *end)
{
	char *text = decode(p->arena, from, (size_t)(end - from), &p->bad);

	p->nomem = p->nomem || !text;
	return text;
}

static void parse_host(struct parts *p, const char *from, const char *end,
		       struct my_dsn *out)
{
	const char *colon = NULL;

	if (from < end && *from == '[') {
		const char *close = memchr(from, ']', (size_t)(end - from));

		if (!close) {
			p->bad = true;
			return;
		}
		out->host = part(p, from + 1, close);
		colon = close + 1 < end ? close + 1 : NULL;
	} else {
		colon = memchr(from, ':', (size_t)(end - from));
		if (colon != from && from < end)
			out->host = part(p, from, colon ? colon : end);
	}
	if (colon) {
		char *stop;
		unsigned long port = strtoul(colon + 1, &stop, 10);

		p->bad = p->bad || *colon != ':' || stop != end || port == 0 ||
			 port > 65535;
		out->port = (unsigned)port;
	}
}

static void parse_query(struct parts *p, const char *from, struct my_dsn *out)
{
	const size_t skip = strlen("socket=");

	if (strncmp(from, "socket=", skip) == 0 && !strchr(from, '&'))
		out->socket = part(p, from + skip, from + strlen(from));
	else
		p->bad = true;
}

int my_dsn_parse(struct arena *arena, const char *dsn, struct my_dsn *out)
{
	struct parts p = { .arena = arena };
	const char *at = strstr(dsn, "://"), *slash, *end, *query;

	*out = (struct my_dsn){ 0 };
	if (!at)
		return E_INVALID;
	dsn = at + 3;
	query = strchr(dsn, '?');
	end = query ? query : dsn + strlen(dsn);
	slash = memchr(dsn, '/', (size_t)(end - dsn));
	if (!slash)
		slash = end;
	at = memrchr(dsn, '@', (size_t)(slash - dsn));
	if (at) {
		const char *colon = memchr(dsn, ':', (size_t)(at - dsn));

		out->user = part(&p, dsn, colon ? colon : at);
		if (colon)
			out->password = part(&p, colon + 1, at);
		dsn = at + 1;
	}
	parse_host(&p, dsn, slash, out);
	if (slash + 1 < end)
		out->database = part(&p, slash + 1, end);
	if (query)
		parse_query(&p, query + 1, out);
	if (p.nomem)
		return E_NOMEM;
	return p.bad ? E_INVALID : OK;
}
