#include "rm-agent/msg/consumer.h"

#include "base/log.h"
#include "rm-agent/barrier/barrier_sql.h"
#include "rm-agent/handle.h"
#include "rm-agent/msg/target.h"

/* Offered consumers, and the deliveries that come to them. */

static enum branch_status status_of(enum treaty_msg_answer answer)
{
	switch (answer) {
	case TREATY_MSG_DONE:
		return BRANCH_COMMITTED;
	case TREATY_MSG_REFUSED:
		return BRANCH_COMMIT_UNRETRYABLE;
	default:
		return BRANCH_COMMIT_RETRYABLE;
	}
}

static void put_error(const struct treaty_delivery *d,
		      enum treaty_msg_answer answer, struct buf *error)
{
	if (answer == TREATY_MSG_DONE || answer == TREATY_MSG_IN_PROGRESS)
		return;
	buf_printf(error, "%s: %s", d->consumer->resource,
		   d->error[0] ? d->error : "it gave no reason");
	if (answer == TREATY_MSG_REFUSED)
		buf_put_text(error, " (refused for good)");
	else if (answer != TREATY_MSG_RETRY)
		buf_printf(error, " (it answered %d, which means nothing)",
			   (int)answer);
	LOG_WARN("a message is not taken", LOG_S("xid", d->command->xid),
		 LOG_U("branch", d->command->branch),
		 LOG_U("attempt", d->command->attempt),
		 LOG_B("error", buf_bytes(error)));
}

static void deliver(const struct consumer *consumer,
		    const struct agent_command *c, struct agent_result *result)
{
	enum treaty_msg_answer answer;
	struct treaty_delivery d;

	if (delivery_init(&d, consumer, c) != OK) {
		buf_put_text(result->error, "the agent is out of memory");
		return;
	}
	answer = consumer->c.on_message(consumer->ctx, &d);
	result->status = status_of(answer);
	result->in_progress = answer == TREATY_MSG_IN_PROGRESS;
	put_error(&d, answer, result->error);
	delivery_fini(&d);
}

static void run(void *ctx, const struct agent_command *c,
		struct agent_result *result)
{
	const struct consumer *consumer = ctx;

	if (c->type == AGENT_COMMIT)
		deliver(consumer, c, result);
	else if (c->type == AGENT_ROLLBACK)
		result->status = BRANCH_ROLLBACKED; /* it was never sent */
	else
		buf_printf(result->error,
			   "%s is a consumer, it does not know about local "
			   "transactions of a producer",
			   consumer->resource);
}

/* ---- offering ---- */

static void consumer_free(void *ctx)
{
	struct consumer *c = ctx;

	if (!c)
		return;
	mem_free(&mem_heap, c->resource);
	mem_free(&mem_heap, c->barrier_table);
	mem_free(&mem_heap, c);
}

static struct consumer *consumer_new(const char *name,
				     const struct treaty_msg_consumer *from,
				     void *ctx)
{
	struct consumer *c = mem_alloc(&mem_heap, sizeof *c);

	if (!c)
		return NULL;
	c->c = *from;
	c->ctx = ctx;
	c->resource = msg_resource(CONSUMER_PREFIX, name);
	if (from->barrier_table)
		c->barrier_table =
			mem_text(&mem_heap, bytes_of(from->barrier_table));
	if (c->resource && (!from->barrier_table || c->barrier_table))
		return c;
	consumer_free(c);
	return NULL;
}

static int check(const char *name, const struct treaty_msg_consumer *c)
{
	if (!name || !msg_name_ok(name))
		return agent_fail(E_INVALID, "the name of a consumer is 1 to "
					     "123 bytes without control "
					     "characters, and no URL");
	if (!c || c->size < sizeof *c)
		return agent_fail(E_INVALID, "consumer %s: its size is not set",
				  name);
	if (!c->on_message)
		return agent_fail(E_INVALID,
				  "consumer %s: on_message must be given",
				  name);
	if (c->barrier_table && !barrier_table_ok(c->barrier_table))
		return agent_fail(E_INVALID,
				  "consumer %s: its barrier_table is not "
				  "\"name\" or \"schema.name\"",
				  name);
	return OK;
}

static int offer(struct treaty *t, struct consumer *c)
{
	const struct agent_handler handler = { .run = run,
					       .free = consumer_free };
	int rc = agent_resource_add(t, bytes_of(c->resource), MODE_MSG,
				    &handler, c);

	if (rc != OK)
		consumer_free(c);
	return rc;
}

int treaty_msg_consumer_add(struct treaty *t, const char *name,
			    const struct treaty_msg_consumer *consumer,
			    void *ctx)
{
	struct consumer *c;
	int rc = check(name, consumer);

	if (rc == OK)
		rc = handle_enter(t);
	if (rc != OK)
		return rc;
	c = consumer_new(name, consumer, ctx);
	rc = c ? offer(t, c)
	       : agent_fail(E_NOMEM, "consumer %s: out of memory", name);
	handle_leave(t);
	return rc;
}
