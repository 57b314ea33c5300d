#include "tc/door/http_files.h"

#include <strings.h>

const struct http_route http_file_route = { "GET", "/", false, http_file,
					    NULL };

/* ---- which file ---- */

static bool first_is(const struct target *t, const char *word)
{
	return bytes_equal(t->segments[0], bytes_of(word));
}

static bool is_page(const struct target *t)
{
	return (t->n_segments == 1 && t->segments[0].len == 0) ||
	       first_is(t, "console");
}

bool http_file_path(const struct target *target)
{
	return is_page(target) || first_is(target, "assets") ||
	       (target->n_segments == 1 && first_is(target, "favicon.svg"));
}

/* Is the decoded path the same as this one? A segment never holds a part of
 * another one, so "/assets%2Fx" is not "/assets/x". */
static bool is_path(const struct target *t, const char *path)
{
	struct bytes rest = bytes_of(path);

	for (size_t i = 0; i < t->n_segments; i++) {
		struct bytes part = t->segments[i];

		if (rest.len < part.len + 1 || rest.data[0] != '/' ||
		    !bytes_equal((struct bytes){ rest.data + 1, part.len },
				 part))
			return false;
		rest.data += part.len + 1;
		rest.len -= part.len + 1;
	}
	return rest.len == 0;
}

const struct console_file *http_file_find(const struct console_file *files,
					  size_t n, const struct target *target)
{
	if (is_page(target))
		return n > 0 ? &files[0] : NULL;
	for (size_t i = 0; i < n; i++)
		if (is_path(target, files[i].path))
			return &files[i];
	return NULL;
}

/* ---- what the browser says ---- */

static bool is_blank(uint8_t c)
{
	return c == ' ' || c == '\t';
}

static struct bytes trim(struct bytes b)
{
	while (b.len > 0 && is_blank(b.data[0])) {
		b.data++;
		b.len--;
	}
	while (b.len > 0 && is_blank(b.data[b.len - 1]))
		b.len--;
	return b;
}

/* Cut off the next part of a list, without the blanks around it. */
static struct bytes next_part(struct bytes *rest, char between)
{
	struct bytes part = *rest;
	const uint8_t *end = memchr(rest->data, between, rest->len);

	if (!end) {
		*rest = (struct bytes){ 0 };
		return trim(part);
	}
	part.len = (size_t)(end - rest->data);
	rest->data += part.len + 1;
	rest->len -= part.len + 1;
	return trim(part);
}

/* "q=0", "q=0.0": not wanted at all. */
static bool is_refused(struct bytes parameter)
{
	if (parameter.len < 3 || (parameter.data[0] | 0x20) != 'q' ||
	    parameter.data[1] != '=')
		return false;
	for (size_t i = 2; i < parameter.len; i++)
		if (parameter.data[i] != '0' && parameter.data[i] != '.')
			return false;
	return true;
}

static bool is_word(struct bytes b, const char *word)
{
	return b.len == strlen(word) &&
	       strncasecmp((const char *)b.data, word, b.len) == 0;
}

bool http_takes_gzip(struct bytes accept_encoding)
{
	bool any = false;

	while (accept_encoding.len > 0) {
		struct bytes part = next_part(&accept_encoding, ',');
		struct bytes name = part.len ? next_part(&part, ';') : part;
		bool wanted = !(part.len && is_refused(trim(part)));

		if (is_word(name, "gzip") || is_word(name, "x-gzip"))
			return wanted;
		if (is_word(name, "*"))
			any = wanted;
	}
	return any;
}

bool http_has_tag(struct bytes if_none_match, const char *etag)
{
	while (if_none_match.len > 0) {
		struct bytes tag = next_part(&if_none_match, ',');

		if (bytes_equal(tag, BYTES("*")))
			return true;
		if (tag.len > 2 && tag.data[0] == 'W' && tag.data[1] == '/') {
			tag.data += 2;
			tag.len -= 2;
		}
		if (bytes_equal(tag, bytes_of(etag)))
			return true;
	}
	return false;
}

/* ---- the answer ---- */

enum http_verdict http_file(const struct http_api *api, struct http_call *call,
			    struct http_answer *answer, struct request *request)
{
	size_t n;
	const struct console_file *files = console_files(&n);
	const struct console_file *file =
		http_file_find(files, n, &call->parsed);

	(void)api;
	(void)request;
	if (!file) {
		http_problem(answer, PROBLEM_NOT_FOUND,
			     n == 0 ? "this treatyd was built without the web "
				      "console; the interface begins at "
				      "/api/v1/transactions"
				    : "the console has no such file; its page "
				      "is at /");
		return HTTP_ANSWERED;
	}
	buf_clear(&answer->body);
	answer->file = file;
	answer->gzip =
		file->gzip.len > 0 && http_takes_gzip(call->accept_encoding);
	answer->type = file->type;
	answer->status =
		http_has_tag(call->if_none_match,
			     answer->gzip ? file->gzip_etag : file->etag)
			? 304
			: 200;
	return HTTP_ANSWERED;
}

size_t http_file_headers(const struct http_answer *answer,
			 const char *headers[], size_t size)
{
	static const char *const fixed[] = {
		"X-Content-Type-Options",
		"nosniff",
		"X-Frame-Options",
		"DENY",
		"Referrer-Policy",
		"no-referrer",
		"Cross-Origin-Opener-Policy",
		"same-origin",
		"Cross-Origin-Resource-Policy",
		"same-origin",
		"Permissions-Policy",
		"camera=(), geolocation=(), microphone=(), payment=(), usb=()",
		"Content-Security-Policy",
		("default-src 'self'; base-uri 'none'; object-src 'none'; "
		 "form-action 'self'; frame-ancestors 'none'"),
		"Vary",
		"Accept-Encoding",
	};
	const struct console_file *file = answer->file;
	size_t n = ARRAY_LEN(fixed);

	REQUIRE(size >= HTTP_FILE_HEADERS);
	memcpy(headers, fixed, sizeof fixed);
	headers[n++] = "Cache-Control";
	headers[n++] = file->immutable ? "public, max-age=31536000, immutable"
				       : "no-cache";
	headers[n++] = "ETag";
	headers[n++] = answer->gzip ? file->gzip_etag : file->etag;
	if (answer->gzip) {
		headers[n++] = "Content-Encoding";
		headers[n++] = "gzip";
	}
	return n;
}
