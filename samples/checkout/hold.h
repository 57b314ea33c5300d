#ifndef SAMPLES_CHECKOUT_HOLD_H
#define SAMPLES_CHECKOUT_HOLD_H

/*
 * A pause just before the decision, so that the demo can break things at a
 * known moment: a checkout with "hold_ms" waits until it is released or the
 * time is over; and breakpoints in the branches.
 */

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stdint.h>

/* Returns true if whoever released it wants the checkout refused. */
bool hold_wait(const char *token, const char *xid, int64_t hold_ms);

/*
 * Breakpoints: hold_arm() makes the next one who passes hold_at() with this name
 * wait, once, as a hold whose token is that name. Until then hold_at() costs
 * nothing. False: too many are armed.
 */
bool hold_arm(const char *point);
void hold_at(const char *point, const char *xid);

/* False if nothing with this token holds. */
bool hold_release(const char *token, bool refuse);

/* An array of {"token", "xid"}. */
cJSON *hold_list(void);

#endif
