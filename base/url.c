#include "base/url.h"

#define HOST_LEN_MAX  253
#define LABEL_LEN_MAX 63

/* ---- characters ---- */

static uint8_t lower(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? (uint8_t)(c | 0x20) : c;
}

static bool is_digit(uint8_t c)
{
	return c >= '0' && c <= '9';
}

static bool is_plain(uint8_t c)
{
	return is_digit(c) || (lower(c) >= 'a' && lower(c) <= 'z');
}

/* What RFC 3986 leaves unreserved. */
static bool is_unreserved(uint8_t c)
{
	return is_plain(c) || (c != '\0' && strchr("-._~", c));
}

static int hex_digit(uint8_t c)
{
	if (is_digit(c))
		return c - '0';
	c = lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* One character, or what an escape stands for; false at the end. */
static bool next_char(struct bytes *rest, uint8_t *c)
{
	if (rest->len == 0)
		return false;
	*c = *rest->data;
	if (*c == '%' && rest->len >= 3) {
		*c = (uint8_t)(hex_digit(rest->data[1]) << 4 |
			       hex_digit(rest->data[2]));
		rest->data += 2;
		rest->len -= 2;
	}
	rest->data++;
	rest->len--;
	return true;
}

static struct bytes from(struct bytes b, size_t at)
{
	return (struct bytes){ b.data + at, b.len - at };
}

static size_t find(struct bytes b, const char *any)
{
	size_t n = 0;

	while (n < b.len && (b.data[n] == '\0' || !strchr(any, b.data[n])))
		n++;
	return n;
}

static bool starts(struct bytes b, const char *with)
{
	size_t n = strlen(with);

	if (b.len < n)
		return false;
	for (size_t i = 0; i < n; i++)
		if (lower(b.data[i]) != (uint8_t)with[i])
			return false;
	return true;
}

bool url_is_http(struct bytes text)
{
	return starts(text, "http://") || starts(text, "https://");
}

/* ---- host and port ---- */

/* Would some resolver take the name for a number, "0x7f.1" or "2130706433"? */
static bool ends_in_number(struct bytes host)
{
	size_t n = host.len;

	while (n > 0 && host.data[n - 1] != '.')
		n--;
	host = from(host, n);
	if (starts(host, "0x"))
		return true;
	for (size_t i = 0; i < host.len; i++)
		if (!is_digit(host.data[i]))
			return false;
	return true;
}

/* Four numbers up to 255 without leading zeros. */
static bool is_quad(struct bytes host)
{
	size_t at = 0;

	for (int part = 0; part < 4; part++) {
		unsigned v = 0;
		size_t n = 0;

		if (part > 0 && (at == host.len || host.data[at++] != '.'))
			return false;
		while (at < host.len && is_digit(host.data[at]) && n < 4) {
			v = v * 10 + (unsigned)(host.data[at++] - '0');
			n++;
		}
		if (n == 0 || n > 3 || v > 255 ||
		    (n > 1 && host.data[at - n] == '0'))
			return false;
	}
	return at == host.len;
}

static const char *check_label(struct bytes label)
{
	if (label.len == 0 || label.len > LABEL_LEN_MAX)
		return "a part of its host name is empty or too long";
	for (size_t i = 0; i < label.len; i++)
		if (!is_plain(label.data[i]) && label.data[i] != '-' &&
		    label.data[i] != '_')
			return "its host name has a character that is not a "
			       "letter, a digit, '-', '_' or '.'";
	if (label.data[0] == '-' || label.data[label.len - 1] == '-')
		return "a part of its host name begins or ends with '-'";
	return NULL;
}

static const char *check_name(struct url *u)
{
	struct bytes rest = u->host;

	if (rest.len == 0)
		return "it has no host";
	if (rest.len > HOST_LEN_MAX)
		return "its host name is too long";
	for (;;) {
		size_t n = find(rest, ".");
		const char *why = check_label((struct bytes){ rest.data, n });

		if (why)
			return why;
		if (n == rest.len)
			break;
		rest = from(rest, n + 1);
	}
	if (!ends_in_number(u->host))
		return NULL;
	u->v4 = is_quad(u->host);
	return u->v4 ? NULL
		     : "its host is a number; write four decimal ones with "
		       "dots, without leading zeros";
}

/* Up to eight groups of hexadecimal digits, "::" at most once, a dotted quad in
 * the place of the last two. */
static bool is_v6(struct bytes host)
{
	size_t groups = 0;
	bool gap = false;

	if (host.len < 2 || (host.data[0] == ':' && host.data[1] != ':'))
		return false;
	while (host.len > 0) {
		size_t n = find(host, ":");

		if (n == 0) {
			if (gap || host.len < 2 || host.data[1] != ':')
				return false;
			gap = true;
			host = from(host, 2);
			continue;
		}
		if (n == host.len && is_quad((struct bytes){ host.data, n }))
			return gap ? groups <= 5 : groups == 6;
		for (size_t i = 0; i < n; i++)
			if (n > 4 || hex_digit(host.data[i]) < 0)
				return false;
		groups++;
		host = from(host, n);
		if (host.len == 1)
			return false; /* a single colon at the end */
		if (host.len > 0 && host.data[1] != ':')
			host = from(host, 1);
	}
	return gap ? groups <= 7 : groups == 8;
}

static const char *check_port(struct url *u, struct bytes port)
{
	unsigned v = 0;

	for (size_t i = 0; i < port.len && i < 6; i++) {
		if (!is_digit(port.data[i]))
			return "its port is not a number";
		v = v * 10 + (unsigned)(port.data[i] - '0');
	}
	if (port.len == 0 || port.data[0] == '0' || v > 65535)
		return "its port is not a number from 1 to 65535";
	u->port = (uint16_t)v;
	return NULL;
}

static const char *split_v6(struct url *u, struct bytes authority,
			    struct bytes *rest)
{
	size_t n = find(authority, "]");

	if (n == authority.len)
		return "its '[' is never closed";
	u->host = (struct bytes){ authority.data + 1, n - 1 };
	u->v6 = true;
	*rest = from(authority, n + 1);
	if (!is_v6(u->host))
		return "what its brackets hold is not an IPv6 address";
	return NULL;
}

static const char *check_authority(struct url *u, struct bytes authority)
{
	struct bytes rest;
	const char *why;
	size_t n;

	u->port = u->tls ? 443 : 80;
	if (find(authority, "@") < authority.len)
		return "it has a user or password; those have no place in a "
		       "URL";
	if (authority.len > 0 && authority.data[0] == '[') {
		why = split_v6(u, authority, &rest);
	} else {
		n = find(authority, ":");
		u->host = (struct bytes){ authority.data, n };
		rest = from(authority, n);
		why = check_name(u);
	}
	if (why || rest.len == 0)
		return why;
	if (rest.data[0] != ':')
		return "something stands between its host and its path";
	return check_port(u, from(rest, 1));
}

/* ---- path and query ---- */

static const char *check_chars(struct bytes text)
{
	for (size_t i = 0; i < text.len; i++) {
		uint8_t c = text.data[i];

		if (c == '#')
			return "it has a fragment, which is never sent";
		if (c == '%') {
			if (text.len - i < 3 ||
			    hex_digit(text.data[i + 1]) < 0 ||
			    hex_digit(text.data[i + 2]) < 0)
				return "a '%' in it is not followed by two "
				       "hexadecimal digits";
		} else if (!is_unreserved(c) &&
			   (c == '\0' || !strchr("!$&'()*+,;=:@/?", c))) {
			return "it has a character that must be escaped";
		}
	}
	return NULL;
}

/* "." and ".." up to what some server may take for the end of a segment: an
 * escaped slash, a backslash, or parameters behind ';'. */
static const char *check_segments(struct bytes path)
{
	size_t dots = 0, n = 0;
	bool more;

	do {
		uint8_t c = '/';

		more = next_char(&path, &c);
		if (c < ' ' || c == 0x7f)
			return "its path has an escaped control character";
		if (c == '/' || c == '\\' || c == ';') {
			if (n > 0 && n <= 2 && dots == n)
				return "its path has a dot segment";
			dots = n = 0;
		} else {
			n++;
			dots += c == '.';
		}
	} while (more);
	return NULL;
}

static const char *parse(struct url *u)
{
	struct bytes rest = u->text;
	const char *why;
	size_t n;

	if (rest.len > URL_LEN_MAX)
		return "it is longer than 2048 bytes";
	if (!url_is_http(rest))
		return "it does not begin with http:// or https://";
	u->tls = lower(rest.data[4]) == 's';
	rest = from(rest, u->tls ? 8 : 7);
	n = find(rest, "/?#");
	why = check_authority(u, (struct bytes){ rest.data, n });
	rest = from(rest, n);
	if (!why)
		why = check_chars(rest);
	if (why)
		return why;
	n = find(rest, "?");
	u->path = n > 0 ? (struct bytes){ rest.data, n } : BYTES("/");
	if (n < rest.len)
		u->query = from(rest, n + 1);
	return check_segments(u->path);
}

int url_parse(struct url *out, struct bytes text, const char **why)
{
	struct url u = { .text = text };
	const char *wrong = parse(&u);

	if (wrong) {
		if (why)
			*why = wrong;
		return E_INVALID;
	}
	*out = u;
	return OK;
}

/* ---- writing ---- */

void url_put_origin(struct buf *out, const struct url *url)
{
	buf_put_text(out, url->tls ? "https://" : "http://");
	if (url->v6)
		buf_put_char(out, '[');
	for (size_t i = 0; i < url->host.len; i++)
		buf_put_u8(out, lower(url->host.data[i]));
	if (url->v6)
		buf_put_char(out, ']');
	buf_printf(out, ":%u", (unsigned)url->port);
}

bool url_same_origin(const struct url *a, const struct url *b)
{
	if (a->tls != b->tls || a->port != b->port || a->v6 != b->v6 ||
	    a->host.len != b->host.len)
		return false;
	for (size_t i = 0; i < a->host.len; i++)
		if (lower(a->host.data[i]) != lower(b->host.data[i]))
			return false;
	return true;
}

static bool is_named(struct bytes param, const char *name)
{
	uint8_t c = '\0';

	while (next_char(&param, &c) && c != '=') {
		if (*name == '\0' || c != (uint8_t)*name)
			return false;
		name++;
	}
	return *name == '\0';
}

bool url_has_param(const struct url *url, const char *name)
{
	struct bytes rest = url->query;

	for (;;) {
		size_t n = find(rest, "&;");

		if (is_named((struct bytes){ rest.data, n }, name))
			return true;
		if (n == rest.len)
			return false;
		rest = from(rest, n + 1);
	}
}

static void put_escaped(struct buf *out, struct bytes value)
{
	static const char digits[] = "0123456789ABCDEF";

	for (size_t i = 0; i < value.len; i++) {
		uint8_t c = value.data[i];

		if (is_unreserved(c)) {
			buf_put_u8(out, c);
		} else {
			buf_put_char(out, '%');
			buf_put_char(out, digits[c >> 4]);
			buf_put_char(out, digits[c & 15]);
		}
	}
}

void url_put_param(struct buf *out, const char *name, struct bytes value)
{
	struct bytes so_far = buf_bytes(out);
	size_t query = find(so_far, "?") + 1;

	if (query > so_far.len)
		buf_put_char(out, '?');
	else if (query < so_far.len && so_far.data[so_far.len - 1] != '&')
		buf_put_char(out, '&');
	buf_put_text(out, name);
	buf_put_char(out, '=');
	put_escaped(out, value);
}
