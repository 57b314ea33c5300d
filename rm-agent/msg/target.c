#include "rm-agent/msg/target.h"

#include "base/url.h"

void target_init(struct target *x)
{
	buf_init(&x->resource, &mem_heap);
	buf_init(&x->participant, &mem_heap);
}

void target_fini(struct target *x)
{
	buf_fini(&x->resource);
	buf_fini(&x->participant);
}

static bool begins_with(const char *name, const char *prefix)
{
	return strncmp(name, prefix, strlen(prefix)) == 0;
}

bool msg_name_ok(const char *name)
{
	size_t n = 0;

	for (; name[n]; n++)
		if (n == MSG_NAME_MAX || (unsigned char)name[n] < 0x20 ||
		    name[n] == 0x7f)
			return false;
	return n > 0 && !url_is_http(bytes_of(name)) &&
	       !begins_with(name, CONSUMER_PREFIX) &&
	       !begins_with(name, PRODUCER_PREFIX);
}

char *msg_resource(const char *prefix, const char *name)
{
	char *text = NULL;
	struct buf b;

	buf_init(&b, &mem_heap);
	buf_put_text(&b, prefix);
	buf_put_text(&b, name);
	if (buf_error(&b) == OK)
		text = mem_text(&mem_heap, buf_bytes(&b));
	buf_fini(&b);
	return text;
}

static int by_name(struct target *x, const char *prefix, const char *name,
		   const char *headers)
{
	if (!msg_name_ok(name))
		return agent_fail(E_INVALID,
				  "\"%.150s\" is neither a name of 1 to 123 "
				  "bytes without control characters nor a URL",
				  name);
	if (headers)
		return agent_fail(E_INVALID,
				  "headers are for URLs, and \"%s\" is none",
				  name);
	buf_put_text(&x->resource, prefix);
	buf_put_text(&x->resource, name);
	if (buf_error(&x->resource) == OK)
		return OK;
	return agent_fail(E_NOMEM, "out of memory for a target");
}

int target_consumer(struct target *x, const char *to, const char *headers)
{
	const struct agent_urls urls = { .commit = to, .headers = headers };

	if (url_is_http(bytes_of(to)))
		return agent_target(&urls, &x->resource, &x->participant);
	if (begins_with(to, CONSUMER_PREFIX))
		to += strlen(CONSUMER_PREFIX);
	return by_name(x, CONSUMER_PREFIX, to, headers);
}

int target_producer(struct target *x, const char *producer, const char *headers)
{
	const struct agent_urls urls = { .check = producer,
					 .headers = headers };

	if (url_is_http(bytes_of(producer)))
		return agent_target(&urls, &x->resource, &x->participant);
	return by_name(x, PRODUCER_PREFIX, producer, headers);
}
