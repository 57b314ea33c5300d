#include "samples/checkout/tcc.h"

#include <inttypes.h>
#include <stdio.h>

/* One of the three, called by Treaty: `what` is the branch's context. */
static enum barrier_end run(const struct tcc_part *part, struct treaty_tcc *op,
			    barrier_work work)
{
	cJSON *context = cJSON_Parse(treaty_tcc_context(op));
	char branch[24], why[256];
	const struct treaty_barrier barrier = { .trans_type = "tcc",
						.gid = treaty_tcc_xid(op),
						.branch_id = branch,
						.op = treaty_tcc_op(op) };
	enum barrier_end end;

	snprintf(branch, sizeof branch, "%" PRIu64, treaty_tcc_id(op));
	end = barrier_run(part->app, &barrier, work, context, why);
	if (end != BARRIER_DONE)
		treaty_tcc_error(op, why);
	cJSON_Delete(context);
	return end;
}

static int on_try(void *ctx, struct treaty_tcc *op, void *arg)
{
	const struct tcc_part *part = ctx;

	(void)arg;
	switch (run(part, op, part->on_try)) {
	case BARRIER_DONE:
		return TREATY_OK;
	case BARRIER_FAILED:
		return TREATY_E_IO;
	default:
		return TREATY_E_DENIED;
	}
}

/* Whatever was wrong, a confirmation must happen in the end, and so must a
 * cancellation: they are tried again, and an operator can see why. */
static enum treaty_tcc_outcome on_confirm(void *ctx, struct treaty_tcc *op)
{
	const struct tcc_part *part = ctx;

	return run(part, op, part->on_confirm) == BARRIER_DONE
		       ? TREATY_TCC_DONE
		       : TREATY_TCC_RETRY;
}

static enum treaty_tcc_outcome on_cancel(void *ctx, struct treaty_tcc *op)
{
	const struct tcc_part *part = ctx;

	return run(part, op, part->on_cancel) == BARRIER_DONE
		       ? TREATY_TCC_DONE
		       : TREATY_TCC_RETRY;
}

bool tcc_offer(struct app *app, struct tcc_part *part)
{
	static const struct treaty_tcc_action action = {
		.size = sizeof action,
		.on_try = on_try,
		.on_confirm = on_confirm,
		.on_cancel = on_cancel,
	};

	part->app = app;
	if (!barrier_open(app))
		return false;
	if (treaty_tcc_register(app->treaty, part->action, &action, part) ==
	    TREATY_OK)
		return true;
	fprintf(stderr, "%s: %s\n", app->name, treaty_last_error());
	return false;
}

bool tcc_try(struct app *app, struct exchange *x, const struct tcc_part *part)
{
	struct treaty_barrier barrier = { .trans_type = "tcc",
					  .gid = x->xid,
					  .op = "try" };
	char why[256];
	enum barrier_end end;

	if (!want_text(x, "branch", &barrier.branch_id))
		return false;
	if (!x->xid) {
		answer_error(x, 400, "the header TX_XID is missing");
		return false;
	}
	end = barrier_run(app, &barrier, part->on_try, x->body, why);
	barrier_answer(x, end, why);
	return end == BARRIER_DONE;
}
