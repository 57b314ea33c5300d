#include "samples/checkout/msg.h"
#include "samples/checkout/hold.h"

#include <inttypes.h>
#include <stdio.h>

static enum treaty_msg_answer run(const struct msg_part *part,
				  struct treaty_delivery *d)
{
	cJSON *what = cJSON_Parse(treaty_delivery_payload(d));
	char branch[24], why[256];
	const struct treaty_barrier barrier = { .trans_type = "msg",
						.gid = treaty_delivery_xid(d),
						.branch_id = branch,
						.op = "action" };
	enum barrier_end end;

	/* The work also sees which message it is. */
	cJSON_AddStringToObject(what, "xid", barrier.gid);
	snprintf(branch, sizeof branch, "%" PRIu64, treaty_delivery_id(d));
	end = barrier_run(part->app, &barrier, part->work, what, why);
	if (end != BARRIER_DONE)
		treaty_delivery_error(d, why);
	cJSON_Delete(what);
	if (end == BARRIER_DONE)
		return TREATY_MSG_DONE;
	return end == BARRIER_FAILED ? TREATY_MSG_RETRY : TREATY_MSG_REFUSED;
}

static enum treaty_msg_answer on_message(void *ctx, struct treaty_delivery *d)
{
	const struct msg_part *part = ctx;

	hold_at("delivery", treaty_delivery_xid(d));
	if (!part->ready || part->ready(part->app))
		return run(part, d);
	treaty_delivery_error(d, "out of service");
	return TREATY_MSG_RETRY;
}

static bool fine(const struct app *app, int rc)
{
	if (rc != TREATY_OK)
		fprintf(stderr, "%s: %s\n", app->name, treaty_last_error());
	return rc == TREATY_OK;
}

bool msg_offer(struct app *app, struct msg_part *part)
{
	static const struct treaty_msg_consumer consumer = {
		.size = sizeof consumer,
		.on_message = on_message,
	};

	part->app = app;
	return barrier_open(app) &&
	       fine(app, treaty_msg_consumer_add(app->treaty, part->consumer,
						 &consumer, part));
}

bool msg_subscribe(struct app *app, const char *subscriber, const char *to)
{
	return fine(app, treaty_topic_subscribe(app->treaty, TOPIC_PAID,
						subscriber, to, NULL));
}
