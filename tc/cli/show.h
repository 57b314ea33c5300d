#ifndef TC_CLI_SHOW_H
#define TC_CLI_SHOW_H

/*
 * One thing in full, for people.
 */

#include "tc/cli/client.h"

struct showing {
	const char *command; /* "tx show" */
	const char *path;    /* what stands in front of the id */
	void (*print)(struct cli *c, const cJSON *tx);
};

/* The whole command: argv has the id. */
int show_one(struct cli *c, const struct showing *of, int argc, char **argv);

/* Parts of a transaction, as /api/v1/transactions/{xid} gives it. */
void print_head(struct cli *c, const cJSON *tx);
void print_history(struct cli *c, const cJSON *history);
/* "    treaty COMMAND XID", to be copied. */
void put_command(struct cli *c, const char *command, const cJSON *tx);

#endif
