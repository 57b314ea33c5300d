#include "tc/core/model.h"

#include "base/hash.h"

#include <inttypes.h>

/*
 * Commands to branches, and what becomes of them.
 *
 * The job (job.h) tells the participant; here is what its answers mean.
 *
 *   start: BLOCKED behind another branch, or QUEUED
 *   done: NONE, and the next one that was blocked is let go
 *   failed, or no answer: DUE; too often, or never to be done: HUNG
 *   an operator: QUEUED again
 *
 * A command whose peer went away is due again at once and does not count as a
 * failure: a peer that comes and goes must not use up the attempts.
 */

/* ---- order ---- */

static bool rolls_back(const struct gtx *g)
{
	return gtx_deciding_rollback(g->status);
}

static struct branch *branch_at(struct list *node)
{
	return CONTAINER_OF(node, struct branch, of_gtx);
}

/* The next in the order of this decision; NULL at the end. */
static struct branch *next_in_order(const struct gtx *g, struct list *node)
{
	node = rolls_back(g) ? node->prev : node->next;
	return node == &g->branches ? NULL : branch_at(node);
}

/* Undo is a stack for each database: the newest goes first. A stamp on the
 * resource says that a newer one is still to be undone. */
static bool must_wait(struct gtx *g, const struct branch *b, bool *first)
{
	struct resource *r = b->job.lane->resource;

	if (g->ordered) {
		bool wait = !*first;

		*first = false;
		return wait;
	}
	if (!rolls_back(g) || b->mode != MODE_AT)
		return false;
	if (r->stamp == g->party.number)
		return true;
	r->stamp = g->party.number;
	return false;
}

static void unstamp(const struct gtx *g)
{
	LIST_EACH(node, &g->branches)
		branch_at(node)->job.lane->resource->stamp = 0;
}

/* Nothing is to be done on this side of the decision: a saga's step is
 * committed already, a message's delivery is dropped. */
static bool is_silent(const struct branch *b)
{
	return b->mode == (rolls_back(b->gtx) ? MODE_MSG : MODE_SAGA);
}

uint64_t delivery_rest_ms(const struct core *c, const struct branch *b)
{
	const struct gtx *g = b->gtx;
	uint64_t gone = g->decided_ago_ms + (c->now_ms - g->decided_ms);
	uint64_t after = b->delivery ? b->delivery->after_ms : 0;

	return b->job.attempts == 0 && after > gone ? after - gone : 0;
}

/* Nothing is in its way any more. */
static void let_go(struct core *c, struct branch *b)
{
	if (branch_hung(b->status)) {
		job_place(c, &b->job, PLACE_HUNG);
	} else if (is_silent(b)) {
		job_place(c, &b->job, PLACE_SILENT);
		list_append(&c->silent, &b->job.at);
	} else if (delivery_rest_ms(c, b) > 0) {
		job_due(c, &b->job, delivery_rest_ms(c, b));
	} else {
		job_queue(c, &b->job);
	}
}

void phase_two_start(struct core *c, struct gtx *g)
{
	struct branch *b = next_in_order(g, &g->branches);
	bool first = true;

	g->started = true;
	for (; b; b = next_in_order(g, &b->of_gtx)) {
		if (branch_finished(b->status))
			continue;
		if (must_wait(g, b, &first))
			job_place(c, &b->job, PLACE_BLOCKED);
		else
			let_go(c, b);
	}
	unstamp(g);
}

/* b is finished: who waited for it? */
static void unblock(struct core *c, const struct branch *b)
{
	const struct gtx *g = b->gtx;
	struct list *node = (struct list *)(uintptr_t)&b->of_gtx;
	struct branch *next = next_in_order(g, node);

	for (; next; next = next_in_order(g, &next->of_gtx)) {
		if (next->job.place != PLACE_BLOCKED)
			continue;
		if (!g->ordered &&
		    next->job.lane->resource != b->job.lane->resource)
			continue;
		let_go(c, next);
		return;
	}
}

/* ---- sending ---- */

static struct branch *branch_of(const struct job *j)
{
	return CONTAINER_OF((struct job *)(uintptr_t)j, struct branch, job);
}

static void branch_command(struct core *c, const struct job *j,
			   struct command *out)
{
	const struct branch *b = branch_of(j);

	(void)c;
	REQUIRE(b->gtx->started);
	out->type = rolls_back(b->gtx) ? COMMAND_ROLLBACK : COMMAND_COMMIT;
	out->branch = b->id;
	out->mode = b->mode;
	out->application_data = b->application_data;
	out->participant = b->participant;
	out->resolution = b->resolution;
	out->values = b->values;
}

static void branch_sent(struct core *c, struct job *j)
{
	(void)c;
	branch_of(j)->resolution_unused = false;
}

static uint64_t branch_gtx(const struct job *j)
{
	return branch_of(j)->gtx->party.number;
}

/* ---- answers ---- */

struct outcome {
	enum branch_event event;
	enum branch_status next;
	enum gtx_status gtx_next;
	uint32_t failures;
	bool done;
	bool silent;        /* nobody was told */
	bool ends;          /* the transaction, too */
	struct bytes error; /* staged copies */
	struct bytes detail;
	struct ending ending;
};

static bool is_failure(enum branch_event e)
{
	return e != BRANCH_EV_COMMITTED && e != BRANCH_EV_ROLLBACKED;
}

static bool is_never(enum branch_event e)
{
	return e == BRANCH_EV_COMMIT_NEVER || e == BRANCH_EV_ROLLBACK_NEVER;
}

static bool is_later(enum branch_event e)
{
	return e == BRANCH_EV_COMMIT_LATER || e == BRANCH_EV_ROLLBACK_LATER;
}

static size_t schedule_len(const struct branch *b)
{
	return b->delivery ? record_schedule_len(b->delivery->schedule) : 0;
}

/* Failures after which it is given up; 0: never. */
static size_t attempts_max(const struct core *c, const struct branch *b)
{
	return schedule_len(b) ? schedule_len(b) + 1 : c->config.attempts_max;
}

/* Until the next attempt. */
static uint64_t pause(struct core *c, const struct branch *b)
{
	size_t n = schedule_len(b), i = b->job.failures;

	if (n == 0)
		return job_back_off(c, b->job.failures);
	return record_schedule(b->delivery->schedule, i < n ? i - 1 : n - 1);
}

/* What a failure means after so many of them. */
static enum branch_event weigh(const struct core *c, const struct branch *b,
			       enum branch_event e)
{
	size_t max = attempts_max(c, b);
	bool back = rolls_back(b->gtx);

	if (!is_failure(e))
		return e;
	if (is_never(e)) /* a resolution came after this command left */
		return b->resolution_unused ? BRANCH_EV_ROLLBACK_LATER : e;
	if (max > 0 && b->job.failures + 1 >= max)
		return back ? BRANCH_EV_ROLLBACK_GAVE_UP
			    : BRANCH_EV_COMMIT_GAVE_UP;
	return e;
}

/* What it means for the transaction; its status if it means nothing. */
static enum gtx_status gtx_next(const struct branch *b, const struct outcome *o)
{
	const struct gtx *g = b->gtx;
	enum gtx_event e = GTX_EV_RETRYING;

	if (o->ends)
		e = GTX_EV_DONE;
	else if (o->done && branch_hung(b->status) && g->n_hung == 1)
		e = GTX_EV_TAKEN_UP;
	else if (o->done)
		return g->status;
	else if (o->next == BRANCH_STOP_RETRY)
		e = GTX_EV_GAVE_UP;
	else if (branch_hung(o->next))
		e = GTX_EV_FAILED;
	return gtx_rule(g->status, e).next;
}

static void say_outcome(struct core *c, const struct branch *b,
			const struct outcome *o)
{
	const char *name = branch_status_name((int)o->next);
	uint64_t number = b->gtx->party.number;
	struct bytes to = { 0 };

	if (b->mode == MODE_MSG)
		to = b->job.lane->resource->name;
	if (o->silent)
		row_history(
			c, &(struct history){
				   .gtx = number,
				   .kind = HISTORY_DONE,
				   .branch = b->id,
				   .text = fx_printf(&c->fx,
						     "branch %" PRIu64
						     ": %s, nothing to be done",
						     b->id, name),
			   });
	else if (o->done)
		row_history(c,
			    &(struct history){
				    .gtx = number,
				    .kind = HISTORY_DONE,
				    .branch = b->id,
				    .attempt = b->job.attempts,
				    .text = fx_printf(
					    &c->fx,
					    "branch %" PRIu64
					    ": %s, attempt %" PRIu32 "%s%.*s",
					    b->id, name, b->job.attempts,
					    to.len ? ", delivered to " : "",
					    (int)to.len, (const char *)to.data),
			    });
	else
		row_history(
			c,
			&(struct history){
				.gtx = number,
				.kind = branch_hung(o->next) ? HISTORY_HUNG
							     : HISTORY_FAILED,
				.branch = b->id,
				.attempt = b->job.attempts,
				.text = fx_printf(&c->fx,
						  "branch %" PRIu64
						  " attempt %" PRIu32
						  " failed: %s: %.*s",
						  b->id, b->job.attempts, name,
						  (int)o->error.len,
						  (const char *)o->error.data),
			});
}

static int stage_rows(struct core *c, struct branch *b, struct outcome *o)
{
	struct gtx *g = b->gtx;
	struct branch_record r = branch_record(b);
	struct gtx_record gr = gtx_record(g);

	say_outcome(c, b, o);
	if (o->ends)
		return ending_stage(c, g, o->gtx_next, false, &o->ending);
	if (o->done) {
		row_delete_branch(c, b);
	} else {
		r.status = o->next;
		r.failures = o->failures;
		r.error = o->error;
		r.detail = o->detail;
		row_put_branch(c, b, g, &r, false);
	}
	gr.status = o->gtx_next;
	if (o->gtx_next != g->status)
		row_put_gtx(c, g, &gr, false);
	return fx_ok(&c->fx) ? OK : E_NOMEM;
}

static int stage_texts(struct core *c, struct outcome *o, struct bytes error,
		       struct bytes detail)
{
	if (detail.len > c->config.application_data_max)
		detail = BYTES("\"the difference is too long to be kept\"");
	if (model_dup(&o->error, c->mem,
		      model_cut(error, c->config.text_max)) != OK)
		return E_NOMEM;
	if (model_dup(&o->detail, c->mem, detail) == OK)
		return OK;
	model_free_bytes(c->mem, o->error);
	return E_NOMEM;
}

static void take_texts(struct core *c, struct branch *b, struct outcome *o)
{
	model_free_bytes(c->mem, b->error);
	model_free_bytes(c->mem, b->detail);
	b->error = o->error;
	b->detail = o->detail;
}

static void finish_branch(struct core *c, struct branch *b)
{
	job_place(c, &b->job, PLACE_NONE);
	lock_set_free(b->locks, &c->locks);
	b->locks = NULL;
	b->stored = false;
	b->gtx->n_open--;
	unblock(c, b);
}

static void commit_outcome(struct core *c, struct branch *b, struct outcome *o)
{
	struct gtx *g = b->gtx;
	bool was_hung = gtx_status_hung((int)g->status);

	take_texts(c, b, o);
	c->stats.dead_letters += b->mode == MODE_MSG &&
				 !branch_hung(b->status) &&
				 branch_hung(o->next);
	c->stats.delivered += b->mode == MODE_MSG && o->done && !o->silent;
	branch_becomes(c, b, o->next);
	b->job.failures = o->failures;
	b->job.busy = 0;
	g->status = o->gtx_next;
	if (o->done) {
		finish_branch(c, b);
	} else if (branch_hung(b->status)) {
		job_place(c, &b->job, PLACE_HUNG);
	} else {
		job_due(c, &b->job, pause(c, b));
	}
	if (o->ends) {
		ending_commit(c, g, &o->ending);
	} else if (!was_hung && gtx_status_hung((int)g->status)) {
		c->stats.hung++;
		asks_release(c, g, g->status);
	}
}

/* One unit: an attempt ended in this way. */
static int settle(struct core *c, struct branch *b, enum branch_event event,
		  struct bytes error, struct bytes detail)
{
	struct outcome o = { .event = weigh(c, b, event),
			     .silent = b->job.place == PLACE_SILENT };
	struct branch_rule rule = branch_rule(b->status, o.event);
	int rc;

	REQUIRE(rule.verdict != VERDICT_FORBIDDEN);
	o.next = rule.next;
	o.done = branch_finished(o.next);
	o.ends = o.done && b->gtx->n_open == 1;
	o.failures = b->job.failures + is_failure(o.event);
	o.gtx_next = gtx_next(b, &o);
	rc = stage_texts(c, &o, o.done ? BYTES("") : error,
			 o.done ? BYTES("") : detail);
	if (rc != OK)
		return rc;
	rc = stage_rows(c, b, &o);
	if (rc == OK) {
		commit_outcome(c, b, &o);
	} else {
		model_free_bytes(c->mem, o.error);
		model_free_bytes(c->mem, o.detail);
	}
	return rc;
}

int unit_silent(struct core *c)
{
	struct list *first = list_first(&c->silent);
	struct branch *b;
	int rc;

	if (!first)
		return 0;
	b = CONTAINER_OF(first, struct branch, job.at);
	rc = settle(c, b,
		    rolls_back(b->gtx) ? BRANCH_EV_ROLLBACKED
				       : BRANCH_EV_COMMITTED,
		    BYTES(""), BYTES(""));
	return rc == OK ? 1 : rc;
}

/*
 * It is under way: no failure, whatever the limit of attempts is. People see
 * why it waits; no row is worth that.
 */
static int still_busy(struct core *c, struct branch *b, struct bytes text)
{
	const char *colon = text.len ? ": " : "";
	struct bytes error = { 0 };
	struct bytes said;

	text = model_cut(text, c->config.text_max);
	said = fx_printf(&c->fx, "in progress%s%.*s", colon, (int)text.len,
			 (const char *)text.data);
	if (b->job.busy == 0)
		row_history(c, &(struct history){
				       .gtx = b->gtx->party.number,
				       .kind = HISTORY_BUSY,
				       .branch = b->id,
				       .attempt = b->job.attempts,
				       .text = fx_printf(
					       &c->fx,
					       "branch %" PRIu64
					       " attempt %" PRIu32 ": %.*s",
					       b->id, b->job.attempts,
					       (int)said.len,
					       (const char *)said.data),
			       });
	if (!fx_ok(&c->fx) || model_dup(&error, c->mem, said) != OK)
		return E_NOMEM;
	model_free_bytes(c->mem, b->error);
	b->error = error;
	b->job.busy++;
	job_due(c, &b->job, job_back_off(c, b->job.busy));
	return OK;
}

/* A "done" counts whichever attempt it answers; a failure only if it is that
 * of the attempt under way. */
static bool counts(const struct branch *b, const struct branch_done *done,
		   enum branch_event event)
{
	if (branch_finished(b->status))
		return false;
	if (!is_failure(event))
		return true;
	return job_answered_by(&b->job, done);
}

int branch_answered(struct core *c, const struct branch_done *done)
{
	struct branch *b = branch_find(c, done->branch);
	enum branch_event event;

	if (!b || !b->gtx->started)
		return OK;
	event = branch_answer(!rolls_back(b->gtx), done->status);
	if (!counts(b, done, event))
		return OK;
	if (done->in_progress && is_later(event))
		return still_busy(c, b, done->error);
	return settle(c, b, event, done->error, done->detail);
}

static int branch_lost(struct core *c, struct job *j, struct bytes error)
{
	struct branch *b = branch_of(j);
	enum branch_event e =
		branch_answer(!rolls_back(b->gtx), BRANCH_UNKNOWN);

	return settle(c, b, e, error, b->detail);
}

const struct job_hooks branch_job = {
	.command = branch_command,
	.sent = branch_sent,
	.lost = branch_lost,
	.gtx = branch_gtx,
};
