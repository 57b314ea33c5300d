#include "rm-agent/saga/service.h"

#include "base/log.h"
#include "rm-agent/barrier/barrier_sql.h"
#include "rm-agent/handle.h"

/* Offered services, and what the coordinator asks of them: calls of sagas, and
 * rollbacks of branches that treaty_saga_branch() has registered. */

/* ---- answers ---- */

/* [of a branch][answer], by the order of the enum; what means nothing is not
 * known. */
static enum branch_status status_of(const struct agent_command *c,
				    enum treaty_saga_answer answer)
{
	static const enum branch_status rows[2][4] = {
		{ [TREATY_SAGA_UNKNOWN] = BRANCH_COMMIT_RETRYABLE,
		  [TREATY_SAGA_DONE] = BRANCH_COMMITTED,
		  [TREATY_SAGA_REFUSED] = BRANCH_COMMIT_UNRETRYABLE,
		  [TREATY_SAGA_IN_PROGRESS] = BRANCH_COMMIT_RETRYABLE },
		{ [TREATY_SAGA_UNKNOWN] = BRANCH_ROLLBACK_RETRYABLE,
		  [TREATY_SAGA_DONE] = BRANCH_ROLLBACKED,
		  [TREATY_SAGA_REFUSED] = BRANCH_ROLLBACK_UNRETRYABLE,
		  [TREATY_SAGA_IN_PROGRESS] = BRANCH_ROLLBACK_RETRYABLE },
	};

	if ((unsigned)answer >= ARRAY_LEN(rows[0]))
		answer = TREATY_SAGA_UNKNOWN;
	return rows[c->type == AGENT_ROLLBACK][answer];
}

static void put_error(struct treaty_saga_call *call,
		      enum treaty_saga_answer answer,
		      struct agent_result *result)
{
	if (answer == TREATY_SAGA_DONE || answer == TREATY_SAGA_IN_PROGRESS)
		return;
	buf_put_text(result->error_name, call->error_name);
	buf_put_text(result->error,
		     call->error[0] ? call->error : "it gave no reason");
	if (answer != TREATY_SAGA_UNKNOWN && answer != TREATY_SAGA_REFUSED)
		buf_printf(result->error,
			   " (it answered %d, which means nothing)",
			   (int)answer);
	LOG_WARN("a call of a service is not done",
		 LOG_S("xid", call->command->xid),
		 LOG_S("service", call->service->resource),
		 LOG_S("method", call->method), LOG_S("task", call->task),
		 LOG_U("attempt", call->command->attempt),
		 LOG_B("error", buf_bytes(result->error)));
}

static void run(void *ctx, const struct agent_command *c,
		struct agent_result *result)
{
	const struct service *service = ctx;
	enum treaty_saga_answer answer;
	struct treaty_saga_call call;

	if (c->type == AGENT_COMMIT) {
		result->status = BRANCH_COMMITTED; /* nothing is to be done */
		return;
	}
	if (service_call_init(&call, service, c) != OK) {
		buf_put_text(result->error, "the agent is out of memory");
		return;
	}
	answer = service->s.on_call(service->ctx, &call);
	result->status = status_of(c, answer);
	result->in_progress = answer == TREATY_SAGA_IN_PROGRESS;
	put_error(&call, answer, result);
	if (answer == TREATY_SAGA_DONE && call.output)
		buf_put_text(result->detail, call.output);
	service_call_fini(&call);
}

/* ---- offering ---- */

static void service_free(void *ctx)
{
	struct service *s = ctx;

	if (!s)
		return;
	mem_free(&mem_heap, s->barrier_table);
	mem_free(&mem_heap, s->resource);
	mem_free(&mem_heap, s);
}

static char *resource_of(const char *name)
{
	char *text = NULL;
	struct buf b;

	buf_init(&b, &mem_heap);
	buf_put_text(&b, SERVICE_PREFIX);
	buf_put_text(&b, name);
	if (buf_error(&b) == OK)
		text = mem_text(&mem_heap, buf_bytes(&b));
	buf_fini(&b);
	return text;
}

static struct service *service_new(const char *name,
				   const struct treaty_saga_service *from,
				   void *ctx)
{
	struct service *s = mem_alloc(&mem_heap, sizeof *s);

	if (!s)
		return NULL;
	s->s = *from;
	s->ctx = ctx;
	s->resource = resource_of(name);
	if (from->barrier_table)
		s->barrier_table =
			mem_text(&mem_heap, bytes_of(from->barrier_table));
	s->s.barrier_table = s->barrier_table;
	if (s->resource && (!from->barrier_table || s->barrier_table))
		return s;
	service_free(s);
	return NULL;
}

bool service_name_ok(const char *name)
{
	size_t n = 0;

	for (; name[n]; n++)
		if (n == SERVICE_NAME_MAX || (unsigned char)name[n] < 0x20 ||
		    name[n] == 0x7f)
			return false;
	return n > 0;
}

static int check(const char *name, const struct treaty_saga_service *s)
{
	if (!name || !service_name_ok(name))
		return agent_fail(E_INVALID, "the name of a saga's service is "
					     "1 to 123 bytes without control "
					     "characters");
	if (!s || s->size < sizeof *s)
		return agent_fail(E_INVALID, "service %s: its size is not set",
				  name);
	if (!s->on_call)
		return agent_fail(E_INVALID,
				  "service %s: on_call must be given", name);
	if (s->barrier_table && !barrier_table_ok(s->barrier_table))
		return agent_fail(E_INVALID,
				  "service %s: its barrier_table is not "
				  "\"name\" or \"schema.name\"",
				  name);
	return OK;
}

static int offer(struct treaty *t, struct service *s)
{
	const struct agent_handler handler = { .run = run,
					       .free = service_free };
	int rc = agent_resource_add(t, bytes_of(s->resource), MODE_SAGA,
				    &handler, s);

	if (rc != OK)
		service_free(s);
	return rc;
}

int treaty_saga_service_add(struct treaty *t, const char *name,
			    const struct treaty_saga_service *service,
			    void *ctx)
{
	struct service *s;
	int rc = check(name, service);

	if (rc == OK)
		rc = handle_enter(t);
	if (rc != OK)
		return rc;
	s = service_new(name, service, ctx);
	rc = s ? offer(t, s)
	       : agent_fail(E_NOMEM, "service %s: out of memory", name);
	handle_leave(t);
	return rc;
}
