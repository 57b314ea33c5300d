#ifndef TC_CLI_DIFFERENCE_H
#define TC_CLI_DIFFERENCE_H

/*
 * What a dirty branch met, for people: each row with the columns that are not
 * the same before the branch, after it, and now.
 */

#include "tc/cli/client.h"

/* True if the branch (as /api/v1/transactions/{xid} gives it) has one. */
bool has_difference(const cJSON *branch);
void print_difference(struct cli *c, const cJSON *branch);

#endif
