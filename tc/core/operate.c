#include "tc/core/model.h"

#include <inttypes.h>

/*
 * What operators ask for.
 */

static bool undecided(const struct gtx *g)
{
	return g->status == GTX_BEGIN;
}

static int say_no(struct core *c, const struct request *rq, const struct gtx *g,
		  int err, const char *what)
{
	struct answer a = answer_about(rq, err, g);

	a.branch = rq->branch;
	a.what = what;
	return answer_give(c, &a, answer_rests_on(c, g));
}

static enum branch_status taken_up(const struct gtx *g, const struct branch *b)
{
	enum branch_event e = gtx_deciding_rollback(g->status)
				      ? BRANCH_EV_ROLLBACK_TAKEN_UP
				      : BRANCH_EV_COMMIT_TAKEN_UP;

	return branch_hung(b->status) ? branch_rule(b->status, e).next
				      : b->status;
}

/* ---- retry ---- */

static bool is_meant(const struct request *rq, const struct branch *b)
{
	return (rq->branch == 0 || rq->branch == b->id) &&
	       !branch_finished(b->status);
}

/* What the transaction's status will be. */
static enum gtx_status after_retry(const struct gtx *g,
				   const struct request *rq)
{
	size_t hung = g->n_hung;

	LIST_EACH(node, &g->branches) {
		struct branch *b = CONTAINER_OF(node, struct branch, of_gtx);

		hung -= is_meant(rq, b) && branch_hung(b->status);
	}
	return hung == 0 ? gtx_rule(g->status, GTX_EV_TAKEN_UP).next
			 : g->status;
}

static int stage_retry(struct core *c, struct gtx *g, const struct request *rq,
		       enum gtx_status next)
{
	struct bytes why = request_why(c, rq);
	struct gtx_record gr = gtx_record(g);

	LIST_EACH(node, &g->branches) {
		struct branch *b = CONTAINER_OF(node, struct branch, of_gtx);
		struct branch_record r = branch_record(b);

		if (!is_meant(rq, b) || !branch_hung(b->status))
			continue;
		r.status = taken_up(g, b);
		r.failures = 0;
		row_put_branch(c, b, g, &r, false);
	}
	gr.status = next;
	if (next != g->status)
		row_put_gtx(c, g, &gr, false);
	row_history(c,
		    &(struct history){
			    .gtx = g->party.number,
			    .kind = HISTORY_OPERATOR,
			    .branch = rq->branch,
			    .text = fx_printf(&c->fx, "retry asked%s%.*s",
					      why.len ? ": " : "", (int)why.len,
					      (const char *)why.data),
		    });
	return fx_ok(&c->fx) ? OK : E_NOMEM;
}

/* A delivery that only waits for its time is not meant by "all". */
static bool too_early(const struct core *c, const struct request *rq,
		      const struct branch *b)
{
	return rq->branch == 0 && b->job.place == PLACE_DUE &&
	       delivery_rest_ms(c, b) > 0;
}

static void take_up(struct core *c, struct branch *b)
{
	branch_becomes(c, b, taken_up(b->gtx, b));
	b->job.failures = 0;
	if (b->job.place == PLACE_HUNG || b->job.place == PLACE_DUE)
		job_queue(c, &b->job);
}

/* A message in doubt: ask for its outcome again, without a pause. */
static int ask_now(struct core *c, struct gtx *g, const struct request *rq)
{
	struct job *j = &g->check->job;
	struct answer a = answer_about(rq, OK, g);
	int rc = answer_give(c, &a, answer_rests_on(c, g));

	if (rc == OK && j->place == PLACE_DUE)
		job_queue(c, j);
	return rc;
}

int handle_retry(struct core *c, const struct request *rq)
{
	enum gtx_status next;
	struct answer a;
	struct branch *b;
	struct gtx *g;
	int rc = request_gtx(c, rq, &g);

	if (rc != OK || !g)
		return rc;
	if (g->saga)
		return saga_retry(c, rq, g);
	if (check_is_asked(g))
		return ask_now(c, g, rq);
	if (undecided(g))
		return say_no(c, rq, g, E_STATE, "nothing is decided yet");
	b = rq->branch ? branch_find(c, rq->branch) : NULL;
	if (rq->branch && (!b || b->gtx != g))
		return say_no(c, rq, g, E_NOTFOUND, NULL);
	next = after_retry(g, rq);
	rc = stage_retry(c, g, rq, next);
	a = answer_about(rq, OK, g);
	a.status = next;
	a.branch = rq->branch;
	if (rc == OK)
		rc = answer_give(c, &a, answer_rests_on(c, g));
	if (rc != OK)
		return rc;
	LIST_EACH(node, &g->branches) {
		b = CONTAINER_OF(node, struct branch, of_gtx);
		if (is_meant(rq, b) && !too_early(c, rq, b))
			take_up(c, b);
	}
	g->status = next;
	return OK;
}

/* ---- resolve ---- */

static const char *resolution_name(enum resolution r)
{
	return r == RESOLVE_USE_UNDO       ? "write the before image"
	       : r == RESOLVE_KEEP_CURRENT ? "keep the rows as they are"
					   : "write the values given";
}

static int stage_resolve(struct core *c, struct branch *b,
			 const struct request *rq, struct bytes values,
			 enum gtx_status next)
{
	struct gtx *g = b->gtx;
	struct branch_record r = branch_record(b);
	struct gtx_record gr = gtx_record(g);
	struct bytes why = request_why(c, rq);

	r.status = taken_up(g, b);
	r.failures = 0;
	r.resolution = rq->resolution;
	r.values = values;
	row_put_branch(c, b, g, &r, true);
	gr.status = next;
	if (next != g->status)
		row_put_gtx(c, g, &gr, false);
	row_history(c, &(struct history){
			       .gtx = g->party.number,
			       .kind = HISTORY_OPERATOR,
			       .branch = b->id,
			       .text = fx_printf(
				       &c->fx,
				       "branch %" PRIu64 " resolved: %s%s%.*s",
				       b->id, resolution_name(rq->resolution),
				       why.len ? ": " : "", (int)why.len,
				       (const char *)why.data),
		       });
	return fx_ok(&c->fx) ? OK : E_NOMEM;
}

static void commit_resolve(struct core *c, struct branch *b,
			   const struct request *rq, struct bytes values)
{
	model_free_bytes(c->mem, b->values);
	b->values = values;
	b->resolution = rq->resolution;
	b->resolution_unused = true;
	b->seq = row_seq(c);
	job_hold(c, &b->job, row_seq(c));
	take_up(c, b);
	if (b->job.place == PLACE_QUEUED)
		job_queue(c, &b->job); /* now held until it is durable */
}

static int resolve(struct core *c, struct branch *b, const struct request *rq)
{
	struct gtx *g = b->gtx;
	struct request only = { .branch = b->id };
	enum gtx_status next = after_retry(g, &only);
	struct answer a = answer_about(rq, OK, g);
	struct bytes values;
	struct ask *ask;

	if (model_dup(&values, c->mem, rq->text) != OK)
		return E_NOMEM;
	a.branch = b->id;
	a.status = next;
	if (stage_resolve(c, b, rq, values, next) != OK ||
	    answer_stage(c, &a, row_seq(c), 0, &ask) != OK) {
		model_free_bytes(c->mem, values);
		return E_NOMEM;
	}
	commit_resolve(c, b, rq, values);
	g->status = next;
	answer_commit(c, ask);
	return OK;
}

/* Somebody else ended it, against the decision. A person has looked, repaired
 * what there was to repair, and says that it may count as done. */
static int acknowledge(struct core *c, struct branch *b,
		       const struct request *rq)
{
	struct gtx *g = b->gtx;

	if (rq->resolution != RESOLVE_KEEP_CURRENT || rq->text.len > 0)
		return say_no(c, rq, g, E_INVALID,
			      "the heuristic outcome of an XA branch can only "
			      "be acknowledged: keep what is there now");
	if (!g->started || b->status == BRANCH_STOP_RETRY ||
	    !branch_hung(b->status))
		return say_no(c, rq, g, E_STATE,
			      "this branch has no heuristic outcome");
	return resolve(c, b, rq);
}

int handle_resolve(struct core *c, const struct request *rq)
{
	struct branch *b;
	struct gtx *g;
	int rc = request_gtx(c, rq, &g);

	if (rc != OK || !g)
		return rc;
	b = branch_find(c, rq->branch);
	if (!b || b->gtx != g)
		return say_no(c, rq, g, E_NOTFOUND, NULL);
	if ((int)rq->resolution <= RESOLVE_NONE ||
	    rq->resolution > RESOLVE_VALUES)
		return say_no(c, rq, g, E_INVALID, "unknown resolution");
	if (b->mode == MODE_XA)
		return acknowledge(c, b, rq);
	if (b->mode != MODE_AT)
		return say_no(c, rq, g, E_INVALID,
			      "only an AT branch has dirty rows, and only an "
			      "XA branch a heuristic outcome");
	if (rq->text.len > c->config.application_data_max)
		return say_no(c, rq, g, E_LIMIT,
			      "values longer than application_data_max");
	if (!gtx_deciding_rollback(g->status) || branch_finished(b->status))
		return say_no(c, rq, g, E_STATE, "this branch is not undone");
	return resolve(c, b, rq);
}
