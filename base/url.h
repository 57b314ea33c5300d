#ifndef BASE_URL_H
#define BASE_URL_H

/*
 * Absolute URLs of HTTP participants: reading them strictly, naming their
 * origin, adding parameters to their query.
 *
 * Rules
 * -----
 *  - http and https only. No user, password or fragment; nothing that a second
 *    reader could understand in another way: no dot segments, however they are
 *    spelled, no control characters, no broken escapes, no numeric host that
 *    is not a plain dotted quad. What is doubtful is refused, not repaired.
 *  - Names in other alphabets are written as the DNS has them (xn--…).
 *  - An origin has one form only: "http://host:port", lower-case letters, the
 *    port always there, an IPv6 address in brackets.
 *
 * Pure. All views borrow from the text that was read.
 */

#include "base/buf.h"

#define URL_LEN_MAX 2048

struct url {
	struct bytes text; /* all of it */
	bool tls;          /* https */
	bool v6;           /* .host is an IPv6 address */
	bool v4;           /* .host is a dotted quad */
	struct bytes host; /* as written, without brackets */
	uint16_t port;
	struct bytes path;  /* from its first '/'; "/" if there is none */
	struct bytes query; /* behind the '?', may be empty */
};

/* Does it begin with http:// or https://, in any case of letters? Whatever
 * does is a URL that url_parse() must agree with; the rest is another name. */
bool url_is_http(struct bytes text);

/* E_INVALID: *why (if not NULL) becomes a sentence's end, "the port is …". */
MUST_CHECK int url_parse(struct url *out, struct bytes text, const char **why);

/* Append "http://host:port". */
void url_put_origin(struct buf *out, const struct url *url);
bool url_same_origin(const struct url *a, const struct url *b);

/* Has the query a parameter of this name, also an escaped one? */
bool url_has_param(const struct url *url, const char *name);

/* Append "?name=value" or "&name=value" to the URL that is all of `out`.
 * Everything in the value but letters, digits and "-._~" is escaped. */
void url_put_param(struct buf *out, const char *name, struct bytes value);

#endif
