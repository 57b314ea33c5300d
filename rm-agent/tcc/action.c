#include "rm-agent/tcc/operation.h"

#include "base/log.h"
#include "rm-agent/barrier/barrier_sql.h"
#include "rm-agent/handle.h"

/*
 * Offered actions, and phase two of their branches.
 *
 * The list is of the whole process, for finding the action of a try; phase two
 * gets it from the agent.
 */

static struct list actions = { &actions, &actions };
static pthread_mutex_t actions_lock = PTHREAD_MUTEX_INITIALIZER;

static void lock(void)
{
	REQUIRE(pthread_mutex_lock(&actions_lock) == 0);
}

static void unlock(void)
{
	REQUIRE(pthread_mutex_unlock(&actions_lock) == 0);
}

const struct action *action_find(const struct treaty *t, const char *name)
{
	const struct action *found = NULL;

	lock();
	LIST_EACH(node, &actions) {
		const struct action *a =
			CONTAINER_OF(node, struct action, link);

		if (a->t == t && strcmp(a->name, name) == 0)
			found = a;
	}
	unlock();
	return found;
}

/* ---- phase two ---- */

/* [what][outcome], by the order of the enums. */
static const enum branch_status status_of[2][3] = {
	[AGENT_COMMIT] = { [TREATY_TCC_RETRY] = BRANCH_COMMIT_RETRYABLE,
			   [TREATY_TCC_DONE] = BRANCH_COMMITTED,
			   [TREATY_TCC_REFUSED] = BRANCH_COMMIT_UNRETRYABLE },
	[AGENT_ROLLBACK] = { [TREATY_TCC_RETRY] = BRANCH_ROLLBACK_RETRYABLE,
			     [TREATY_TCC_DONE] = BRANCH_ROLLBACKED,
			     [TREATY_TCC_REFUSED] =
				     BRANCH_ROLLBACK_UNRETRYABLE },
};

static enum treaty_tcc_outcome ask(struct treaty_tcc *op)
{
	const struct treaty_tcc_action *a = &op->action->a;

	return op->type == OPERATION_CONFIRM
		       ? a->on_confirm(op->action->ctx, op)
		       : a->on_cancel(op->action->ctx, op);
}

/* What the callback says, made sense of. */
static enum treaty_tcc_outcome judge(struct treaty_tcc *op, struct buf *error)
{
	const uint64_t max = op->action->a.attempts_max;
	enum treaty_tcc_outcome outcome = ask(op);

	if (outcome == TREATY_TCC_DONE)
		return outcome;
	buf_printf(error, "%s of %s: %s", treaty_tcc_op(op), op->action->name,
		   op->error[0] ? op->error : "it gave no reason");
	if (outcome == TREATY_TCC_REFUSED) {
		buf_put_text(error, " (refused for good)");
		return outcome;
	}
	if (outcome != TREATY_TCC_RETRY)
		buf_printf(error, " (it answered %d, which means nothing)",
			   (int)outcome);
	if (max > 0 && op->attempt >= max) {
		buf_printf(error, " (given up after %llu attempts)",
			   (unsigned long long)op->attempt);
		return TREATY_TCC_REFUSED;
	}
	return TREATY_TCC_RETRY;
}

static void phase_two(void *ctx, const struct agent_command *c,
		      struct agent_result *result)
{
	enum operation_type type =
		c->type == AGENT_COMMIT ? OPERATION_CONFIRM : OPERATION_CANCEL;
	struct treaty_tcc op;

	/* Another program's branch may have none. */
	if (operation_init(&op, ctx, type,
			   c->application_data.len
				   ? c->application_data
				   : context_bytes(NULL)) != OK) {
		buf_put_text(result->error, "the agent is out of memory");
		return;
	}
	op.xid = c->xid;
	op.attempt = c->attempt;
	operation_set_branch(&op, c->branch);
	result->status = status_of[c->type][judge(&op, result->error)];
	if (result->error->len)
		LOG_WARN("phase two is not done", LOG_S("xid", c->xid),
			 LOG_U("branch", c->branch),
			 LOG_U("attempt", c->attempt),
			 LOG_S("status",
			       branch_status_name((int)result->status)),
			 LOG_B("error", buf_bytes(result->error)));
	operation_fini(&op);
}

/* ---- offering ---- */

static void action_free(void *ctx)
{
	struct action *a = ctx;

	if (!a)
		return;
	lock();
	list_remove(&a->link);
	unlock();
	mem_free(&mem_heap, a->barrier_table);
	mem_free(&mem_heap, a->name);
	mem_free(&mem_heap, a);
}

static struct action *action_new(struct treaty *t, const char *name,
				 const struct treaty_tcc_action *from,
				 void *ctx)
{
	struct action *a = mem_alloc(&mem_heap, sizeof *a);

	if (!a)
		return NULL;
	list_init(&a->link);
	a->t = t;
	a->a = *from;
	a->ctx = ctx;
	a->name = mem_text(&mem_heap, bytes_of(name));
	if (from->barrier_table)
		a->barrier_table =
			mem_text(&mem_heap, bytes_of(from->barrier_table));
	a->a.barrier_table = a->barrier_table;
	if (a->name && (!from->barrier_table || a->barrier_table))
		return a;
	action_free(a);
	return NULL;
}

static bool name_ok(const char *name)
{
	size_t n = 0;

	for (; name[n]; n++)
		if (n == TCC_NAME_MAX || (unsigned char)name[n] < 0x20 ||
		    name[n] == 0x7f)
			return false;
	return n > 0;
}

static int check(const char *name, const struct treaty_tcc_action *a)
{
	if (!name || !name_ok(name))
		return agent_fail(E_INVALID, "the name of a TCC action is 1 to "
					     "128 bytes without control "
					     "characters");
	if (!a || a->size < sizeof *a)
		return agent_fail(E_INVALID,
				  "TCC action %s: its size is not set", name);
	if (!a->on_confirm || !a->on_cancel)
		return agent_fail(E_INVALID,
				  "TCC action %s: on_confirm and on_cancel "
				  "must be given",
				  name);
	if (a->barrier_table && !barrier_table_ok(a->barrier_table))
		return agent_fail(E_INVALID,
				  "TCC action %s: its barrier_table is not "
				  "\"name\" or \"schema.name\"",
				  name);
	return OK;
}

static int offer(struct treaty *t, struct action *a)
{
	const struct agent_handler handler = { .run = phase_two,
					       .free = action_free };
	int rc =
		agent_resource_add(t, bytes_of(a->name), MODE_TCC, &handler, a);

	if (rc != OK) {
		action_free(a);
		return rc;
	}
	lock();
	list_append(&actions, &a->link);
	unlock();
	return OK;
}

int treaty_tcc_register(struct treaty *t, const char *name,
			const struct treaty_tcc_action *action, void *ctx)
{
	struct action *a;
	int rc = check(name, action);

	if (rc == OK)
		rc = handle_enter(t);
	if (rc != OK)
		return rc;
	a = action_new(t, name, action, ctx);
	rc = a ? offer(t, a)
	       : agent_fail(E_NOMEM, "TCC action %s: out of memory", name);
	handle_leave(t);
	return rc;
}
