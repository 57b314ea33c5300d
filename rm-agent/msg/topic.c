#include "rm-agent/msg/target.h"

#include <treaty/msg.h>

static int check(const char *topic, const char *subscriber)
{
	if (topic && topic[0] && subscriber && subscriber[0])
		return OK;
	return agent_fail(E_INVALID, "a topic and its subscriber must have "
				     "names");
}

int treaty_topic_subscribe(struct treaty *t, const char *topic,
			   const char *subscriber, const char *to,
			   const char *headers)
{
	struct target x;
	int rc = check(topic, subscriber);

	if (rc == OK && !to)
		rc = agent_fail(E_INVALID,
				"topic %s, subscriber %s: there is "
				"no target",
				topic, subscriber);
	if (rc != OK)
		return rc;
	target_init(&x);
	rc = target_consumer(&x, to, headers);
	if (rc == OK)
		rc = agent_subscribe(t, bytes_of(topic), bytes_of(subscriber),
				     buf_bytes(&x.resource),
				     buf_bytes(&x.participant));
	target_fini(&x);
	return rc;
}

int treaty_topic_unsubscribe(struct treaty *t, const char *topic,
			     const char *subscriber)
{
	int rc = check(topic, subscriber);

	if (rc == OK)
		rc = agent_unsubscribe(t, bytes_of(topic),
				       bytes_of(subscriber));
	return rc;
}
