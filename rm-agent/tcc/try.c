#include "rm-agent/tcc/operation.h"

#include "rm-agent/handle.h"

/*
 * Phase one. The branch is registered, durably, before try runs; a context that
 * try has changed is durable before try counts as done. A try that failed is
 * not reported as failed: it may have committed something, so its cancel must
 * come.
 */

static struct agent_branch branch_of(const char *action, const char *context)
{
	return (struct agent_branch){
		.mode = MODE_TCC,
		.resource = bytes_of(action),
		.application_data = context_bytes(context),
	};
}

static int register_branch(struct treaty_tx *tx, const char *action,
			   const char *context, uint64_t *branch)
{
	const struct agent_branch b = branch_of(action, context);

	return agent_register(tx, &b, branch, NULL);
}

/* ---- the agent calls try ---- */

/* Without a reason of its own, what a call of ours said last within it may be
 * the reason, and may be something that try has coped with. */
static int try_failed(struct treaty_tcc *op, int rc)
{
	const char *own = op->error[0] ? op->error : NULL;

	if (!own)
		treaty_tcc_error(op, treaty_last_error());
	return agent_fail(rc < 0 ? rc : E_INVALID,
			  "try of %s, branch %s of %s, failed: %s%s%s; roll "
			  "the transaction back",
			  op->action->name, op->branch_text, op->xid,
			  own ? own : treaty_error_text(rc),
			  !own && op->error[0] ? "; the last error in it: "
					       : "",
			  own ? "" : op->error);
}

static int run_try(struct treaty_tcc *op, void *arg)
{
	int rc;

	agent_error_clear();
	callback_enter();
	rc = op->action->a.on_try(op->action->ctx, op, arg);
	callback_leave();
	if (rc != OK)
		return try_failed(op, rc);
	return treaty_tcc_save(op);
}

static int try_in(struct treaty_tx *tx, const struct action *a,
		  const char *context, void *arg)
{
	struct treaty_tcc op;
	uint64_t branch;
	int rc = operation_init(&op, a, OPERATION_TRY, context_bytes(context));

	if (rc != OK)
		return agent_fail(rc, "out of memory for a TCC context");
	op.tx = tx;
	op.xid = treaty_xid(tx);
	rc = register_branch(tx, a->name, context, &branch);
	if (rc == OK) {
		operation_set_branch(&op, branch);
		rc = run_try(&op, arg);
	}
	operation_fini(&op);
	return rc;
}

/* Inside the handle. */
static int try_found(struct treaty *t, const char *name, const char *context,
		     void *arg)
{
	const struct action *a = action_find(t, name);
	struct treaty_tx *tx = treaty_current(t);
	int rc;

	if (!a || !a->a.on_try)
		return agent_fail(E_NOTFOUND,
				  a ? "TCC action %s has no on_try here; use "
				      "treaty_tcc_branch() and call its try "
				      "yourself"
				    : "TCC action %s is not registered with "
				      "this handle",
				  name);
	rc = agent_tx_check(tx);
	return rc == OK ? try_in(tx, a, context, arg) : rc;
}

int treaty_tcc_try(struct treaty *t, const char *action, const char *context,
		   void *arg)
{
	int rc = context_check(context);

	if (rc == OK && !action)
		rc = agent_fail(E_INVALID, "the TCC action is NULL");
	if (rc == OK)
		rc = handle_enter(t);
	if (rc != OK)
		return rc;
	rc = try_found(t, action, context, arg);
	handle_leave(t);
	return rc;
}

/* ---- the application calls try ---- */

static int branch_in(struct treaty *t, const struct agent_branch *b,
		     struct treaty_tcc_branch *out)
{
	struct treaty_tx *tx = treaty_current(t);
	uint64_t branch;
	int rc = agent_tx_check(tx);

	if (rc == OK)
		rc = agent_register(tx, b, &branch, NULL);
	if (rc != OK)
		return rc;
	*out = (struct treaty_tcc_branch){ .id = branch };
	agent_branch_print(out->branch_id, branch);
	memcpy(out->xid, treaty_xid(tx), strlen(treaty_xid(tx)) + 1);
	return OK;
}

int treaty_tcc_branch(struct treaty *t, const char *action, const char *context,
		      struct treaty_tcc_branch *out)
{
	return treaty_tcc_branch_of(t, NULL, action, context, out);
}

int treaty_tcc_branch_of(struct treaty *t, const char *application,
			 const char *action, const char *context,
			 struct treaty_tcc_branch *out)
{
	struct agent_branch b;
	int rc = context_check(context);

	if (rc == OK && (!action || !action[0]))
		rc = agent_fail(E_INVALID, "the TCC action has no name");
	if (rc != OK)
		return rc;
	b = branch_of(action, context);
	b.application = bytes_of(application ? application : "");
	return branch_in(t, &b, out);
}

static int check_urls(const struct treaty_tcc_urls *u)
{
	if (!u || u->size < sizeof *u)
		return agent_fail(E_INVALID, "TCC by URLs: the size is not "
					     "set");
	if (!u->confirm || !u->cancel)
		return agent_fail(E_INVALID, "TCC by URLs: confirm and cancel "
					     "must be given");
	return OK;
}

static int branch_by_urls(struct treaty *t, const struct treaty_tcc_urls *u,
			  const char *context, struct treaty_tcc_branch *out)
{
	const struct agent_urls urls = { .commit = u->confirm,
					 .rollback = u->cancel,
					 .headers = u->headers };
	struct agent_branch b = branch_of(NULL, context);
	struct buf resource, participant;
	int rc;

	buf_init(&resource, &mem_heap);
	buf_init(&participant, &mem_heap);
	rc = agent_target(&urls, &resource, &participant);
	b.resource = buf_bytes(&resource);
	b.participant = buf_bytes(&participant);
	b.call_timeout_ms = u->call_timeout_ms;
	if (rc == OK)
		rc = branch_in(t, &b, out);
	buf_fini(&resource);
	buf_fini(&participant);
	return rc;
}

int treaty_tcc_branch_url(struct treaty *t, const struct treaty_tcc_urls *urls,
			  const char *context, struct treaty_tcc_branch *out)
{
	int rc = check_urls(urls);

	if (rc == OK)
		rc = context_check(context);
	return rc == OK ? branch_by_urls(t, urls, context, out) : rc;
}

int treaty_tcc_branch_save(struct treaty *t,
			   const struct treaty_tcc_branch *branch,
			   const char *context)
{
	struct treaty_tx *tx = treaty_current(t);
	int rc = agent_tx_check(tx);

	if (rc == OK)
		rc = context_check(context);
	if (rc != OK)
		return rc;
	if (strcmp(treaty_xid(tx), branch->xid) != 0)
		return agent_fail(E_STATE,
				  "branch %s belongs to %s, and this thread's "
				  "transaction is %s",
				  branch->branch_id, branch->xid,
				  treaty_xid(tx));
	return agent_report(tx, branch->id, BRANCH_PHASE_ONE_DONE,
			    context_bytes(context));
}
