#include "tests/fakes/saga_desk.h"

#include <stdio.h>
#include <stdlib.h>

static struct desk *d;

struct desk *saga_desk_new(const struct core_config *config)
{
	d = desk_new(config, true);
	return d;
}

void saga_desk_use(struct desk *desk)
{
	d = desk;
}

void saga_agents(void)
{
	static const char *const names[] = { "saga:book", "saga:unbook",
					     "saga:fly", "saga:unfly" };

	for (uint64_t i = 0; i < ARRAY_LEN(names); i++)
		desk_peer(d, i + 1, "shop", "i", names[i]);
}

/* ---- asking ---- */

static const struct reply *ask(struct request rq)
{
	return desk_reply(d, desk_ask(d, rq));
}

const struct reply *saga_put(const char *document)
{
	return ask((struct request){ .type = RQ_MACHINE_PUT,
				     .text = bytes_of(document) });
}

const struct reply *saga_drop(const char *name, const char *version)
{
	return ask((struct request){ .type = RQ_MACHINE_DROP,
				     .name = bytes_of(name),
				     .version = bytes_of(version) });
}

uint64_t saga_ask_start(const char *machine, const char *key, const char *input,
			uint64_t wait_ms)
{
	return desk_ask(d, (struct request){ .type = RQ_SAGA_START,
					     .name = bytes_of(machine),
					     .business_key = bytes_of(key),
					     .input = bytes_of(input),
					     .wait_ms = wait_ms });
}

struct bytes saga_start(const char *machine, const char *key)
{
	uint64_t id = saga_ask_start(machine, key, "{}", 0);
	const struct reply *r = desk_reply(d, id);

	REQUIRE(r->err == OK && !r->existed);
	return r->xid;
}

const struct reply *saga_move(struct bytes xid, enum saga_move move)
{
	return ask((struct request){ .type = RQ_SAGA_MOVE,
				     .xid = xid,
				     .move = move,
				     .task = UINT32_MAX,
				     .reason = BYTES("said Ann") });
}

const char *saga_show(struct bytes xid)
{
	const struct reply *r =
		ask((struct request){ .type = RQ_SAGA_SHOW, .xid = xid });

	REQUIRE(r->err == OK && r->detail.len > 0);
	return (const char *)r->detail.data;
}

/* ---- calls ---- */

const struct command *saga_called(const char *service)
{
	const struct command *co;

	REQUIRE(d->n_commands > 0);
	co = &d->commands[d->n_commands - 1];
	REQUIRE(co->type == COMMAND_CALL);
	if (!bytes_equal(co->service, bytes_of(service)))
		fprintf(stderr, "%.*s is called, not %s\n",
			(int)co->service.len, (const char *)co->service.data,
			service);
	REQUIRE(bytes_equal(co->service, bytes_of(service)));
	return co;
}

void saga_answer(const struct command *co, struct branch_done how)
{
	struct event e = { .type = EV_BRANCH_DONE, .done = how };

	e.done.peer = co->peer;
	e.done.command = co->id;
	e.done.type = COMMAND_CALL;
	e.done.xid = co->xid;
	e.done.branch = co->branch;
	REQUIRE(desk_step(d, e) == OK);
}

void saga_done(const char *service, const char *output)
{
	saga_answer(saga_called(service),
		    (struct branch_done){ .status = BRANCH_COMMITTED,
					  .detail = bytes_of(output) });
}

void saga_refused(const char *service, const char *error)
{
	saga_answer(saga_called(service),
		    (struct branch_done){ .status = BRANCH_COMMIT_UNRETRYABLE,
					  .error_name = bytes_of(error),
					  .error = BYTES("no") });
}

void saga_unknown(const char *service)
{
	saga_answer(saga_called(service),
		    (struct branch_done){ .status = BRANCH_COMMIT_RETRYABLE,
					  .error = BYTES("it broke") });
}

void saga_busy(const char *service)
{
	saga_answer(saga_called(service),
		    (struct branch_done){ .status = BRANCH_COMMIT_RETRYABLE,
					  .in_progress = true });
}

bool saga_has(struct bytes text, const char *part)
{
	return text.data && strstr((const char *)text.data, part);
}
