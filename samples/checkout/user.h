#ifndef SAMPLES_CHECKOUT_USER_H
#define SAMPLES_CHECKOUT_USER_H

/*
 * The wallet's modes.
 */

#include "samples/checkout/app.h"

extern const struct mode user_at, user_tcc, user_xa, user_saga, user_msg;

#endif
