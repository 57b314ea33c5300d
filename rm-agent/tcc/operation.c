#include "rm-agent/tcc/operation.h"

#include "base/json.h"

/* What a callback may ask and do. */

static const char *const names[] = { [OPERATION_TRY] = "try",
				     [OPERATION_CONFIRM] = "confirm",
				     [OPERATION_CANCEL] = "cancel" };

/* ---- contexts ---- */

struct bytes context_bytes(const char *context)
{
	return bytes_of(context ? context : "{}");
}

int context_check(const char *context)
{
	if (json_valid(context_bytes(context)))
		return OK;
	return agent_fail(E_INVALID,
			  "a TCC context must be one JSON value in UTF-8, not "
			  "\"%.40s\"",
			  context);
}

/* ---- making ---- */

int operation_init(struct treaty_tcc *op, const struct action *action,
		   enum operation_type type, struct bytes context)
{
	*op = (struct treaty_tcc){ .action = action,
				   .type = type,
				   .attempt = 1 };
	op->context = mem_text(&mem_heap, context);
	return op->context ? OK : E_NOMEM;
}

void operation_fini(struct treaty_tcc *op)
{
	mem_free(&mem_heap, op->context);
}

void operation_set_branch(struct treaty_tcc *op, uint64_t branch)
{
	op->branch = branch;
	agent_branch_print(op->branch_text, branch);
}

/* ---- asking ---- */

const char *treaty_tcc_xid(const struct treaty_tcc *op)
{
	return op->xid;
}

uint64_t treaty_tcc_id(const struct treaty_tcc *op)
{
	return op->branch;
}

const char *treaty_tcc_op(const struct treaty_tcc *op)
{
	return names[op->type];
}

const char *treaty_tcc_action_name(const struct treaty_tcc *op)
{
	return op->action->name;
}

uint64_t treaty_tcc_attempt(const struct treaty_tcc *op)
{
	return op->attempt;
}

const char *treaty_tcc_context(const struct treaty_tcc *op)
{
	return op->context;
}

/* ---- changing ---- */

static int in_try(const struct treaty_tcc *op)
{
	if (op->type == OPERATION_TRY)
		return OK;
	return agent_fail(E_STATE,
			  "branch %s of %s: the context is only changed in "
			  "try, this is %s",
			  op->branch_text, op->xid, names[op->type]);
}

int treaty_tcc_set_context(struct treaty_tcc *op, const char *context)
{
	int rc = in_try(op);
	char *copy;

	if (rc == OK)
		rc = context_check(context);
	if (rc != OK)
		return rc;
	copy = mem_text(&mem_heap, context_bytes(context));
	if (!copy)
		return agent_fail(E_NOMEM, "out of memory for a TCC context");
	op->changed = op->changed || strcmp(copy, op->context) != 0;
	mem_free(&mem_heap, op->context);
	op->context = copy;
	return OK;
}

int treaty_tcc_save(struct treaty_tcc *op)
{
	int rc = in_try(op);

	if (rc != OK || !op->changed)
		return rc;
	rc = agent_report(op->tx, op->branch, BRANCH_PHASE_ONE_DONE,
			  bytes_of(op->context));
	if (rc == OK)
		op->changed = false;
	return rc;
}

void treaty_tcc_error(struct treaty_tcc *op, const char *text)
{
	size_t len = strlen(text);

	if (len >= sizeof op->error) {
		len = sizeof op->error - 1;
		/* not in the middle of a character */
		while (len > 0 && ((unsigned char)text[len] & 0xc0) == 0x80)
			len--;
	}
	memmove(op->error, text, len);
	op->error[len] = '\0';
}

/* ---- the barrier ---- */

static struct treaty_barrier barrier_of(const struct treaty_tcc *op,
					unsigned number)
{
	return (struct treaty_barrier){ .trans_type = "tcc",
					.gid = op->xid,
					.branch_id = op->branch_text,
					.op = names[op->type],
					.number = number,
					.table = op->action->barrier_table };
}

static int noted(struct treaty_tcc *op, int rc)
{
	if (rc != OK)
		treaty_tcc_error(op, treaty_last_error());
	return rc;
}

int treaty_tcc_barrier_pg(struct treaty_tcc *op, struct pg_conn *conn,
			  unsigned number, enum treaty_barrier_verdict *verdict)
{
	const struct treaty_barrier b = barrier_of(op, number);

	return noted(op, treaty_barrier_call_pg(conn, &b, verdict));
}

int treaty_tcc_barrier_mysql(struct treaty_tcc *op, struct st_mysql *conn,
			     unsigned number,
			     enum treaty_barrier_verdict *verdict)
{
	const struct treaty_barrier b = barrier_of(op, number);

	return noted(op, treaty_barrier_call_mysql(conn, &b, verdict));
}

int treaty_tcc_barrier_sqlite(struct treaty_tcc *op, struct sqlite3 *conn,
			      unsigned number,
			      enum treaty_barrier_verdict *verdict)
{
	const struct treaty_barrier b = barrier_of(op, number);

	return noted(op, treaty_barrier_call_sqlite(conn, &b, verdict));
}
