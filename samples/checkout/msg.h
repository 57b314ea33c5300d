#ifndef SAMPLES_CHECKOUT_MSG_H
#define SAMPLES_CHECKOUT_MSG_H

/*
 * Consumers of messages: each delivery is one local transaction with the
 * barrier, so however often it comes, it takes effect once.
 */

#include "samples/checkout/barrier.h"

#include <treaty/msg.h>

/* Who wants to hear of what was paid subscribes to this. */
#define TOPIC_PAID "checkout-paid"

struct msg_part {
	const char *consumer; /* the name that messages are sent to */
	barrier_work work;
	/* Before the barrier: false to be asked again later. NULL: always. */
	bool (*ready)(struct app *app);
	struct app *app; /* set by msg_offer() */
};

/* Take deliveries from now on. The part must live as long as the program.
 * False after printing why not. */
bool msg_offer(struct app *app, struct msg_part *part);

/* Have what is sent to the topic delivered there as well: a consumer's name, or
 * a URL. The same again changes nothing. */
bool msg_subscribe(struct app *app, const char *subscriber, const char *to);

#endif
