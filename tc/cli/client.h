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
 * GET, or POST of `body` (JSON) if it is given. EXIT_OK: status 200 and valid
 * JSON. Anything else has been complained about already. answer_free() it in
 * any case.
 */
MUST_CHECK int ask(struct cli *c, struct url *u, const struct buf *body,
		   struct answer *out);
void answer_free(struct answer *a);
/* The body as it came, and a newline. For --json. */
void answer_pass(struct cli *c, const struct answer *a);

/* ---- reading it; what is not there is "", 0, false ---- */

struct bytes json_string(const cJSON *object, const char *name);
uint64_t json_count(const cJSON *object, const char *name);
bool json_flag(const cJSON *object, const char *name);
bool json_is_null(const cJSON *object, const char *name);
const cJSON *json_member(const cJSON *object, const char *name);

#endif
