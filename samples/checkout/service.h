#ifndef SAMPLES_CHECKOUT_SERVICE_H
#define SAMPLES_CHECKOUT_SERVICE_H

/*
 * A small JSON-over-HTTP server on libmicrohttpd: what the three services
 * have in common. Nothing here knows of transactions.
 *
 * Rules
 * -----
 *  - A handler runs on a thread of its connection and may block.
 *  - Request bodies are JSON objects of at most 64 KiB.
 */

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct exchange {
	const char *path;
	const cJSON *body; /* the request's JSON object; empty for GET */
	const char *xid;   /* header TX_XID, or NULL */
	void *connection;  /* struct MHD_Connection */
	int status;        /* HTTP status of the answer; starts as 200 */
	cJSON *answer;     /* an empty object to fill */
};

struct route {
	const char *method;
	const char *path; /* exactly, or up to a final '*' */
	void (*handle)(void *app, struct exchange *x);
};

/*
 * Serve on 127.0.0.1:port (0 takes a free one) until SIGTERM or SIGINT. Prints
 * "NAME ready http://127.0.0.1:PORT" when it listens. Returns a program's exit
 * status.
 */
int service_run(const char *name, uint16_t port, const struct route *routes,
		size_t n, void *app);

/* Answer with a status and {"error": text}. */
void answer_error(struct exchange *x, int status, const char *text);
/* Begin the answer anew. */
void answer_forget(struct exchange *x);

/* A member of the request; answers 400 and returns false if it is missing or
 * of another kind. The text is borrowed from the request. */
bool want_text(struct exchange *x, const char *name, const char **out);
bool want_number(struct exchange *x, const char *name, int64_t *out);
/* A member that may be missing. */
int64_t number_or(const struct exchange *x, const char *name, int64_t other);
/* A parameter of the query string, or NULL. */
const char *query_text(const struct exchange *x, const char *name);

/* 64-bit numbers travel as text in JSON when they are ids. */
void put_id(cJSON *object, const char *name, int64_t id);

#endif
