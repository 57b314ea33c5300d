#ifndef TC_CLI_CLIENT_H
#define TC_CLI_CLIENT_H

/*
 * One question to the coordinator's HTTP door, and the exit code that its
 * answer means.
 */

#include "tc/cli/cli.h"

#include <cJSON.h>

struct url {
	struct buf text;
	bool has_query;
	bool drop; /* DELETE it */
};

/* Path segments and parameters are escaped here. */
void url_init(struct url *u, struct cli *c, const char *path);
void url_segment(struct url *u, const char *segment);
void url_param(struct url *u, const char *name, const char *value); /* NULL:
								       none */

struct answer {
	long status; /* 0: none came */
	struct buf body;
	double ms;
	cJSON *json; /* of the body */
};

/*
 * GET, or POST of `body` (JSON) if it is given, or DELETE. EXIT_OK: status 200
 * or 201 and valid JSON. Anything else has been complained about already. answer_free() it in
 * any case.
 */
MUST_CHECK int ask(struct cli *c, struct url *u, const struct buf *body,
		   struct answer *out);
void answer_free(struct answer *a);
/* The body as it came, and a newline. For --json. */
void answer_pass(struct cli *c, const struct answer *a);

/* POST it and say where its transaction is now. */
MUST_CHECK int post(struct cli *c, struct url *u, const struct buf *body);
/* The JSON object in this file, "-" for standard input. EXIT_OK, or EXIT_USAGE
 * after saying what is wrong. */
MUST_CHECK int read_object(const char *file, struct buf *out);

/* ---- reading it; what is not there is "", 0, false ---- */

struct bytes json_string(const cJSON *object, const char *name);
uint64_t json_count(const cJSON *object, const char *name);
bool json_flag(const cJSON *object, const char *name);
bool json_is_null(const cJSON *object, const char *name);
const cJSON *json_member(const cJSON *object, const char *name);

#endif
