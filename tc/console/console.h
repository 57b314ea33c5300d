#ifndef TC_CONSOLE_CONSOLE_H
#define TC_CONSOLE_CONSOLE_H

/*
 * The web console's files, compiled in. They are built from the sources in this
 * folder by npm and vite, and made an array by embed.py.
 *
 * Pure data.
 */

#include "base/base.h"

struct console_file {
	const char *path; /* "/assets/app-1a2b3c.js"; the page is "/" */
	const char *type; /* of its content */
	/* Quoted, of the plain and of the compressed form. */
	const char *etag;
	const char *gzip_etag;
	bool immutable; /* its name changes with its content */
	struct bytes plain;
	struct bytes gzip; /* no bytes: compressing would gain nothing */
};

/* All of them; the page is the first. *n is 0 if treatyd was built without. */
const struct console_file *console_files(size_t *n);

#endif
