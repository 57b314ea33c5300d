#include "base/json.h"
#include "rm-agent/saga/service.h"

/* What a callback may ask and do. */

int service_call_init(struct treaty_saga_call *call,
		      const struct service *service,
		      const struct agent_command *command)
{
	const struct bytes input = command->application_data;

	*call = (struct treaty_saga_call){ .service = service,
					   .command = command };
	call->compensates =
		command->type == AGENT_ROLLBACK || command->compensation;
	agent_branch_print(call->task, command->branch);
	call->method = mem_text(&mem_heap, bytes_of(command->method));
	call->input = mem_text(&mem_heap, input.len > 0 ? input : BYTES("{}"));
	if (call->method && call->input)
		return OK;
	service_call_fini(call);
	return E_NOMEM;
}

void service_call_fini(struct treaty_saga_call *call)
{
	mem_free(&mem_heap, call->method);
	mem_free(&mem_heap, call->input);
	mem_free(&mem_heap, call->output);
}

/* ---- asking ---- */

const char *treaty_saga_xid(const struct treaty_saga_call *call)
{
	return call->command->xid;
}

uint64_t treaty_saga_task(const struct treaty_saga_call *call)
{
	return call->command->branch;
}

bool treaty_saga_compensates(const struct treaty_saga_call *call)
{
	return call->compensates;
}

uint64_t treaty_saga_attempt(const struct treaty_saga_call *call)
{
	return call->command->attempt;
}

const char *treaty_saga_service_name(const struct treaty_saga_call *call)
{
	return call->service->resource + strlen(SERVICE_PREFIX);
}

const char *treaty_saga_method(const struct treaty_saga_call *call)
{
	return call->method;
}

const char *treaty_saga_input(const struct treaty_saga_call *call)
{
	return call->input;
}

/* ---- answering ---- */

int treaty_saga_output(struct treaty_saga_call *call, const char *json)
{
	const struct bytes b = bytes_of(json);
	char *copy;

	if (!json_valid(b))
		return agent_fail(E_INVALID,
				  "service %s: an output must be one JSON "
				  "value in UTF-8, not \"%.40s\"",
				  treaty_saga_service_name(call),
				  json ? json : "");
	if (b.len > SERVICE_OUTPUT_MAX)
		return agent_fail(E_LIMIT,
				  "service %s: an output of %zu bytes; 1 MiB "
				  "at most",
				  treaty_saga_service_name(call), b.len);
	copy = mem_text(&mem_heap, b);
	if (!copy)
		return agent_fail(E_NOMEM, "out of memory for an output");
	mem_free(&mem_heap, call->output);
	call->output = copy;
	return OK;
}

/* Cut where a character ends. */
static void keep(char *to, size_t size, const char *text)
{
	size_t len = strlen(text);

	if (len >= size) {
		len = size - 1;
		while (len > 0 && ((unsigned char)text[len] & 0xc0) == 0x80)
			len--;
	}
	memmove(to, text, len);
	to[len] = '\0';
}

void treaty_saga_error(struct treaty_saga_call *call, const char *name,
		       const char *message)
{
	keep(call->error_name, sizeof call->error_name, name ? name : "");
	keep(call->error, sizeof call->error, message ? message : "");
}

/* ---- the barrier ---- */

static struct treaty_barrier barrier_of(const struct treaty_saga_call *call,
					unsigned number)
{
	return (struct treaty_barrier){ .trans_type = "saga",
					.gid = call->command->xid,
					.branch_id = call->task,
					.op = call->compensates ? "compensate"
								: "action",
					.number = number,
					.table = call->service->barrier_table };
}

static int noted(struct treaty_saga_call *call, int rc)
{
	if (rc != OK)
		treaty_saga_error(call, NULL, treaty_last_error());
	return rc;
}

int treaty_saga_barrier_pg(struct treaty_saga_call *call, struct pg_conn *conn,
			   unsigned number,
			   enum treaty_barrier_verdict *verdict)
{
	const struct treaty_barrier b = barrier_of(call, number);

	return noted(call, treaty_barrier_call_pg(conn, &b, verdict));
}

int treaty_saga_barrier_mysql(struct treaty_saga_call *call,
			      struct st_mysql *conn, unsigned number,
			      enum treaty_barrier_verdict *verdict)
{
	const struct treaty_barrier b = barrier_of(call, number);

	return noted(call, treaty_barrier_call_mysql(conn, &b, verdict));
}

int treaty_saga_barrier_sqlite(struct treaty_saga_call *call,
			       struct sqlite3 *conn, unsigned number,
			       enum treaty_barrier_verdict *verdict)
{
	const struct treaty_barrier b = barrier_of(call, number);

	return noted(call, treaty_barrier_call_sqlite(conn, &b, verdict));
}
