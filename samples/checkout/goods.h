#ifndef SAMPLES_CHECKOUT_GOODS_H
#define SAMPLES_CHECKOUT_GOODS_H

/*
 * The shelf's modes.
 */

#include "samples/checkout/app.h"

/* What the picked items cost, as "amount" of the answer, looked up outside any
 * transaction. False after answering why not. */
bool goods_answer_price(struct app *app, struct exchange *x);

extern const struct mode goods_at, goods_tcc, goods_xa, goods_saga, goods_msg,
	goods_delay;

#endif
