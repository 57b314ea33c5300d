#include "rm-agent/at/link.h"

static struct treaty_tx *current(void *ctx)
{
	return treaty_current(ctx);
}

static uint64_t serial(void *ctx, const struct treaty_tx *tx)
{
	(void)ctx;
	return agent_tx_serial(tx);
}

static const char *xid(void *ctx, const struct treaty_tx *tx)
{
	(void)ctx;
	return treaty_xid(tx);
}

static int check(void *ctx, struct treaty_tx *tx)
{
	(void)ctx;
	return agent_tx_check(tx);
}

static int enlist(void *ctx, struct treaty_tx *tx,
		  const struct agent_branch *branch, uint64_t *branch_id,
		  struct agent_conflict *conflict)
{
	(void)ctx;
	return agent_register(tx, branch, branch_id, conflict);
}

static void failed(void *ctx, struct treaty_tx *tx, uint64_t branch_id)
{
	(void)ctx;
	agent_report_later(tx, branch_id, BRANCH_PHASE_ONE_FAILED);
}

static int lock_check(void *ctx, struct treaty_tx *tx, struct bytes resource,
		      const struct bytes *keys, size_t n_keys, uint64_t wait_ms,
		      struct agent_conflict *conflict)
{
	return agent_lock_check(ctx, tx, resource, keys, n_keys, wait_ms,
				conflict);
}

static int status(void *ctx, const char *id, int *out)
{
	return treaty_status(ctx, id, out);
}

static int offer(void *ctx, struct bytes resource,
		 const struct agent_handler *handler, void *handler_ctx)
{
	return agent_resource_add(ctx, resource, MODE_AT, handler, handler_ctx);
}

static void *offered(void *ctx, struct bytes resource)
{
	return agent_resource_find(ctx, resource);
}

struct at_link at_link_to(struct treaty *t)
{
	return (struct at_link){
		.ctx = t,
		.current = current,
		.serial = serial,
		.xid = xid,
		.check = check,
		.enlist = enlist,
		.failed = failed,
		.lock_check = lock_check,
		.status = status,
		.offer = offer,
		.offered = offered,
	};
}
