#ifndef TC_DOOR_HTTP_FILES_H
#define TC_DOOR_HTTP_FILES_H

/*
 * The web console over HTTP.
 *
 * Rules
 * -----
 *  - "/" and everything below /console/ is the page: which of its views is
 *    meant is the page's own business, so deep links work. /assets/ and
 *    /favicon.svg are files; nothing is looked up outside of the table.
 *  - The page is asked for anew each time (ETag, 304); what is below /assets/
 *    has its content's hash in its name and is kept for good.
 *  - Nothing is loaded from elsewhere, nothing else may frame it, and no script
 *    runs that is not in the table: the headers say so to the browser.
 *
 * Pure.
 */

#include "tc/door/http_route.h"

/* The route of the console's files; its pattern is not looked at. */
extern const struct http_route http_file_route;

/* Is this path the console's business? */
bool http_file_path(const struct target *target);

/* The one of these files that the path of `target` means; NULL: none. */
const struct console_file *http_file_find(const struct console_file *files,
					  size_t n,
					  const struct target *target);

/* The headers of the answer with a file: name, value, …, NULL. Borrowed from
 * the answer; `size` must be at least HTTP_FILE_HEADERS. */
#define HTTP_FILE_HEADERS 24
size_t http_file_headers(const struct http_answer *answer,
			 const char *headers[], size_t size);

/* Does Accept-Encoding allow gzip? */
bool http_takes_gzip(struct bytes accept_encoding);
/* Does If-None-Match name this tag? */
bool http_has_tag(struct bytes if_none_match, const char *etag);

#endif
