#ifndef SAMPLES_CHECKOUT_GOODS_H
#define SAMPLES_CHECKOUT_GOODS_H

/*
 * The shelf's modes.
 */

#include "samples/checkout/app.h"

extern const struct mode goods_at;

#endif
