#include "samples/checkout/saga.h"
#include "samples/checkout/hold.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* A graph's step gives an object, a machine's state an array of its Input. The
 * work also sees which saga it is. */
static cJSON *what_of(cJSON *input, const char *xid)
{
	cJSON *what =
		cJSON_IsArray(input) ? cJSON_GetArrayItem(input, 0) : input;

	if (cJSON_IsObject(what))
		cJSON_AddStringToObject(what, "xid", xid);
	return what;
}

static bool give_output(const struct saga_part *part,
			struct treaty_saga_call *call, const cJSON *what)
{
	cJSON *out = cJSON_CreateObject();
	char *text = NULL;
	bool ok = part->output(part->app, what, out);

	if (ok)
		text = cJSON_PrintUnformatted(out);
	ok = text && treaty_saga_output(call, text) == TREATY_OK;
	free(text);
	cJSON_Delete(out);
	return ok;
}

static enum treaty_saga_answer answer(const struct saga_part *part,
				      struct treaty_saga_call *call,
				      const cJSON *what, enum barrier_end end,
				      const char *why)
{
	bool undoes = treaty_saga_compensates(call);

	if (end == BARRIER_DONE)
		return undoes || !part->output || give_output(part, call, what)
			       ? TREATY_SAGA_DONE
			       : TREATY_SAGA_UNKNOWN;
	treaty_saga_error(call, end == BARRIER_FAILED ? "failed" : "refused",
			  why);
	return undoes || end == BARRIER_FAILED ? TREATY_SAGA_UNKNOWN
					       : TREATY_SAGA_REFUSED;
}

static enum treaty_saga_answer on_call(void *ctx, struct treaty_saga_call *call)
{
	const struct saga_part *part = ctx;
	bool undoes = treaty_saga_compensates(call);
	cJSON *input = cJSON_Parse(treaty_saga_input(call));
	const cJSON *what = what_of(input, treaty_saga_xid(call));
	char task[24], why[256];
	const struct treaty_barrier barrier = {
		.trans_type = "saga",
		.gid = treaty_saga_xid(call),
		.branch_id = task,
		.op = undoes ? "compensate" : "action",
	};
	enum treaty_saga_answer said;
	enum barrier_end end;

	hold_at(undoes ? "undo" : "action", barrier.gid);
	snprintf(task, sizeof task, "%" PRIu64, treaty_saga_task(call));
	end = barrier_run(part->app, &barrier,
			  undoes ? part->undo : part->action, what, why);
	said = answer(part, call, what, end, why);
	if (undoes)
		hold_at("undo done", barrier.gid);
	cJSON_Delete(input);
	return said;
}

bool saga_offer(struct app *app, struct saga_part *part)
{
	static const struct treaty_saga_service service = {
		.size = sizeof service,
		.on_call = on_call,
	};

	part->app = app;
	if (!barrier_open(app))
		return false;
	if (treaty_saga_service_add(app->treaty, part->service, &service,
				    part) == TREATY_OK)
		return true;
	fprintf(stderr, "%s: %s\n", app->name, treaty_last_error());
	return false;
}
