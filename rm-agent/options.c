#include "rm-agent/options.h"

#include "rm-agent/agent.h"

/* The first header's struct ended with this member; it can't be shorter. */
#define SIZE_MIN (offsetof(struct treaty_options, address) + sizeof(char *))

#define DAY_MS (24u * 60 * 60 * 1000)

static const struct treaty_options defaults = {
	.size = sizeof(struct treaty_options),
	.threads = 2,
	.request_timeout_ms = 10000,
	.lock_wait_ms = 10000,
	.commit_wait_ms = 0,
	.rollback_wait_ms = 3000,
	.close_wait_ms = 5000,
	.heartbeat_ms = 500,
	.requests_max = 10000,
	.commands_max = 1000,
	.message_max = 4u * 1024 * 1024,
	.id_block = 1000,
	.nesting = TREATY_NESTING_REFUSE,
};

void treaty_options_init(struct treaty_options *options, size_t size)
{
	if (!options || size < SIZE_MIN)
		return;
	memset(options, 0, size);
	memcpy(options, &defaults,
	       size < sizeof defaults ? size : sizeof defaults);
	options->size = size;
}

struct range {
	const char *name;
	size_t at;
	uint32_t min;
	uint32_t max;
};

#define AT(member) #member, offsetof(struct treaty_options, member)

static const struct range ranges[] = {
	{ AT(threads), 0, 64 },
	{ AT(request_timeout_ms), 1, DAY_MS },
	{ AT(lock_wait_ms), 0, DAY_MS },
	{ AT(commit_wait_ms), 0, DAY_MS },
	{ AT(rollback_wait_ms), 0, DAY_MS },
	{ AT(close_wait_ms), 0, DAY_MS },
	{ AT(heartbeat_ms), 10, DAY_MS },
	{ AT(requests_max), 1, 1000000 },
	{ AT(commands_max), 1, 1000000 },
	{ AT(message_max), 4096, 1u << 30 },
	{ AT(id_block), 1, 1000000 },
	{ AT(nesting), TREATY_NESTING_REFUSE, TREATY_NESTING_SUSPEND },
};

static int check_ranges(const struct treaty_options *o)
{
	for (size_t i = 0; i < ARRAY_LEN(ranges); i++) {
		const struct range *r = &ranges[i];
		uint32_t v;

		memcpy(&v, (const char *)o + r->at, sizeof v);
		if (v < r->min || v > r->max)
			return agent_fail(E_INVALID,
					  "treaty_open: option %s is %u, must "
					  "be from %u to %u",
					  r->name, v, r->min, r->max);
	}
	return OK;
}

static bool name_valid(const char *name, size_t max)
{
	size_t len = name ? strlen(name) : 0;

	if (len == 0 || len > max)
		return false;
	for (size_t i = 0; i < len; i++) {
		char c = name[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
		      (c >= '0' && c <= '9') || c == '-' || c == '.' ||
		      c == '_'))
			return false;
	}
	return true;
}

int options_take(struct treaty_options *out, const struct treaty_options *given)
{
	if (!given || given->size < SIZE_MIN)
		return agent_fail(E_INVALID,
				  "treaty_open: options are missing, or were "
				  "not set up by treaty_options_init()");
	*out = defaults;
	memcpy(out, given,
	       given->size < sizeof *out ? given->size : sizeof *out);
	out->size = sizeof *out;
	if (!out->address || !*out->address)
		return agent_fail(E_INVALID,
				  "treaty_open: option address is missing, "
				  "e.g. tcp://127.0.0.1:7090");
	if (!name_valid(out->application, 64))
		return agent_fail(E_INVALID,
				  "treaty_open: option application must be 1 "
				  "to 64 letters, digits, or -._");
	if (out->instance && !name_valid(out->instance, 128))
		return agent_fail(E_INVALID,
				  "treaty_open: option instance must be 1 to "
				  "128 letters, digits, or -._");
	return check_ranges(out);
}
