#ifndef SAMPLES_CHECKOUT_HOLD_H
#define SAMPLES_CHECKOUT_HOLD_H

/*
 * A pause just before the decision, so that the demo can break things at a
 * known moment: a checkout with "hold_ms" waits until it is released or the
 * time is over.
 */

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stdint.h>

/* Returns true if whoever released it wants the checkout refused. */
bool hold_wait(const char *token, const char *xid, int64_t hold_ms);

/* False if no checkout with this token holds. */
bool hold_release(const char *token, bool refuse);

/* An array of {"token", "xid"}. */
cJSON *hold_list(void);

#endif
