#include "tc/core/saga_run.h"

#include "base/json.h"
#include "tc/core/model.h"

#include <inttypes.h>

/*
 * What people read: the story of a run, line by line, and its state as JSON.
 */

static const char *const words[SAGA_STATUSES] = {
	[SAGA_RUNNING] = "running", [SAGA_COMPENSATING] = "compensating",
	[SAGA_HUNG] = "hung",       [SAGA_SUCCEEDED] = "succeeded",
	[SAGA_FAILED] = "failed",   [SAGA_COMPENSATED] = "compensated",
};

static const char *const moves[] = {
	[MOVE_FORWARD] = "forward",
	[MOVE_COMPENSATE] = "compensate",
	[MOVE_SKIP] = "skip",
};

/* ---- the story ---- */

/* For "%.*s". */
#define TEXT(b) (int)(b).len, (const char *)(b).data

static struct bytes label_of(struct core *c, const struct call *call)
{
	if (call->compensation)
		return fx_printf(
			&c->fx,
			"task %" PRIu32 " \"%.*s\" (undoes task %" PRIu32
			") attempt %" PRIu32,
			call->task, TEXT(call->step), call->of, call->attempt);
	return fx_printf(&c->fx, "task %" PRIu32 " \"%.*s\" attempt %" PRIu32,
			 call->task, TEXT(call->step), call->attempt);
}

void saga_say_call(struct core *c, const struct call *call)
{
	struct bytes label = label_of(c, call);

	row_history(c,
		    &(struct history){
			    .gtx = call->gtx->party.number,
			    .kind = HISTORY_SENT,
			    .task = call->task + 1,
			    .attempt = call->attempt,
			    .text = fx_printf(&c->fx, "%.*s: call %.*s%s%.*s",
					      TEXT(label), TEXT(call->service),
					      call->method.len ? "." : "",
					      TEXT(call->method)),
		    });
}

void saga_say_answer(struct core *c, const struct call *call,
		     const struct saga_event *e)
{
	static const char *const says[SAGA_ANSWERS] = {
		[SAGA_DONE] = "done",
		[SAGA_REFUSED] = "refused",
		[SAGA_IN_PROGRESS] = "in progress",
		[SAGA_UNKNOWN] = "not known whether it is done",
	};
	static const enum history_kind kinds[SAGA_ANSWERS] = {
		[SAGA_DONE] = HISTORY_DONE,
		[SAGA_REFUSED] = HISTORY_FAILED,
		[SAGA_IN_PROGRESS] = HISTORY_BUSY,
		[SAGA_UNKNOWN] = HISTORY_FAILED,
	};
	struct bytes label = label_of(c, call);
	bool why = e->error.len + e->message.len > 0 && e->answer != SAGA_DONE;

	row_history(c,
		    &(struct history){
			    .gtx = call->gtx->party.number,
			    .kind = kinds[e->answer],
			    .task = call->task + 1,
			    .attempt = call->attempt,
			    .text = fx_printf(
				    &c->fx, "%.*s: %s%s%.*s%s%.*s", TEXT(label),
				    says[e->answer], why ? ": " : "",
				    why ? (int)e->error.len : 0,
				    (const char *)e->error.data,
				    why && e->error.len && e->message.len ? ": "
									  : "",
				    why ? (int)e->message.len : 0,
				    (const char *)e->message.data),
		    });
}

void saga_say_silence(struct core *c, const struct gtx *g)
{
	LIST_EACH(node, &g->saga->calls) {
		const struct call *call =
			CONTAINER_OF(node, struct call, of_run);
		struct bytes label;

		if (!call_is_silent(c, call))
			continue;
		label = label_of(c, call);
		row_history(c, &(struct history){
				       .gtx = g->party.number,
				       .kind = HISTORY_FAILED,
				       .task = call->task + 1,
				       .attempt = call->attempt,
				       .text = fx_printf(
					       &c->fx, "%.*s: %s", TEXT(label),
					       call->job.place == PLACE_FLIGHT
						       ? "no answer in time"
						       : "nobody was there to "
							 "take it"),
			       });
	}
}

void saga_say_status(struct core *c, const struct gtx *g)
{
	static const enum history_kind kinds[SAGA_STATUSES] = {
		[SAGA_RUNNING] = HISTORY_NOTE,
		[SAGA_COMPENSATING] = HISTORY_DECIDED,
		[SAGA_HUNG] = HISTORY_HUNG,
		[SAGA_SUCCEEDED] = HISTORY_ENDED,
		[SAGA_FAILED] = HISTORY_ENDED,
		[SAGA_COMPENSATED] = HISTORY_ENDED,
	};
	const struct saga_turn *turn = &c->sagas.turn;

	row_history(c, &(struct history){
			       .gtx = g->party.number,
			       .kind = kinds[turn->status],
			       .text = fx_printf(&c->fx, "saga %s%s%.*s%s%.*s",
						 words[turn->status],
						 turn->error.len ? ": " : "",
						 TEXT(turn->error),
						 turn->message.len ? ": " : "",
						 TEXT(turn->message)),
		       });
}

void saga_say_start(struct core *c, const struct gtx *g)
{
	const struct saga_def *def = g->saga->machine->def;
	struct bytes version = saga_def_version(def);
	const struct saga_key *key = g->saga->key;

	row_history(c, &(struct history){
			       .gtx = g->party.number,
			       .kind = HISTORY_BEGUN,
			       .text = fx_printf(
				       &c->fx,
				       "saga begun: machine %.*s%s%.*s%s%s%.*s",
				       TEXT(saga_def_name(def)),
				       version.len ? " version " : "",
				       TEXT(version),
				       g->saga->machine->owner
					       ? ", a document of its own"
					       : "",
				       key ? ", business key " : "",
				       key ? (int)key->key.len : 0,
				       key ? (const char *)key->key.data : ""),
		       });
}

void saga_say_move(struct core *c, const struct gtx *g, enum saga_move move,
		   struct bytes reason)
{
	row_history(c, &(struct history){
			       .gtx = g->party.number,
			       .kind = HISTORY_OPERATOR,
			       .text = fx_printf(&c->fx, "operator: %s%s%.*s",
						 moves[move],
						 reason.len ? ": " : "",
						 TEXT(reason)),
		       });
}

/* ---- as JSON ---- */

static const char *place_of(const struct call *call)
{
	switch (call->job.place) {
	case PLACE_HELD:
		return "being stored";
	case PLACE_QUEUED:
		return "waits for a participant";
	default:
		return "under way";
	}
}

static void put_call(struct json *j, const struct call *call)
{
	json_object(j, NULL);
	json_number(j, "task", call->task);
	json_text(j, "step", call->step);
	if (call->compensation)
		json_number(j, "of", call->of);
	json_number(j, "attempt", call->attempt);
	json_text(j, "service", call->service);
	if (call->method.len)
		json_text(j, "method", call->method);
	json_text(j, "is", bytes_of(place_of(call)));
	json_end(j);
}

/* Those of a run that has ended now still stand there until it is gone. */
static void put_calls(struct json *j, const struct saga_run *run,
		      enum saga_status status)
{
	json_array(j, "calls");
	LIST_EACH(node, &run->calls) {
		const struct call *call =
			CONTAINER_OF(node, struct call, of_run);

		if (status < SAGA_SUCCEEDED && call->job.place != PLACE_NONE &&
		    !call->given_up)
			put_call(j, call);
	}
	json_end(j);
}

static int path_of(struct core *c, const struct saga_def *def,
		   struct bytes state, struct bytes *out)
{
	struct buf b;
	int rc;

	buf_init(&b, &c->fx.arena.as_mem);
	rc = saga_path(def, state, c->mem, &b);
	*out = buf_bytes(&b); /* stays in the arena */
	return rc;
}

int saga_detail(struct core *c, const struct gtx *g,
		const struct saga_turn *turn, struct bytes *out)
{
	const struct saga_run *run = g->saga;
	const struct saga_def *def = run->machine->def;
	struct bytes path;
	struct buf b;
	struct json j;
	int rc = path_of(c, def, turn->state, &path);

	if (rc != OK)
		return rc;
	buf_init(&b, &c->fx.arena.as_mem);
	json_init(&j, &b);
	json_object(&j, NULL);
	json_text(&j, "status", bytes_of(words[turn->status]));
	json_text(&j, "machine", saga_def_name(def));
	json_text_or_null(&j, "version", saga_def_version(def));
	json_text_or_null(&j, "business_key",
			  run->key ? run->key->key : BYTES(""));
	json_raw(&j, "data", turn->data);
	json_text_or_null(&j, "error", turn->error);
	json_text_or_null(&j, "message", turn->message);
	json_raw(&j, "path", path);
	put_calls(&j, run, turn->status);
	json_end(&j);
	*out = fx_take(&c->fx, &b);
	return fx_ok(&c->fx) ? OK : E_NOMEM;
}
