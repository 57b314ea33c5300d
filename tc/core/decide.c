#include "tc/core/message_key.h"

#include <inttypes.h>

/*
 * The decision, and the end.
 *
 * Why locks may go in the step that decides to commit, before the decision is
 * durable: rows reach the disk in the order of steps, each step all or none.
 * Who takes the key afterwards does so in a row of this step or a later one.
 * So whenever that row survives a crash the decision does too, and until that
 * row is durable nobody has been told anything (I1: a row that rests on a freed
 * lock never survives the row that freed it). A look (RQ_LOCK_CHECK) leaves no
 * row; its answer rests on the last decision that freed locks (.commit_seq).
 *
 * The same order makes lazy rows safe on the way back: an undone branch's
 * removal is in front of the row of whoever got its lock next.
 */

/* ---- the end ---- */

int ending_stage(struct core *c, struct gtx *g, enum gtx_status status,
		 bool forced, struct ending *out)
{
	*out = (struct ending){ .status = status, .lazy = !forced };
	out->tomb = mem_alloc(c->mem, sizeof *out->tomb);
	if (!out->tomb)
		return E_NOMEM;
	row_put_tombstone(c, g->party.number, status,
			  g->saga ? g->saga->key : message_key_left(g, status),
			  forced);
	LIST_EACH(node, &g->branches) {
		struct branch *b = CONTAINER_OF(node, struct branch, of_gtx);

		if (b->stored)
			row_delete_branch(c, b);
	}
	if (g->stored)
		row_delete_gtx(c, g);
	if (g->saga && saga_ending_stage(c, g, &out->detail) != OK) {
		ending_discard(c, g, out);
		return E_NOMEM;
	}
	row_archive(c, g, status, out->detail);
	if (fx_ok(&c->fx))
		return OK;
	ending_discard(c, g, out);
	return E_NOMEM;
}

void ending_discard(struct core *c, struct gtx *g, struct ending *e)
{
	asks_discard(c, g);
	mem_free(c->mem, e->tomb);
	e->tomb = NULL;
}

static void count_end(struct core *c, enum gtx_status status)
{
	c->stats.committed += status == GTX_COMMITTED;
	c->stats.rolled_back += status != GTX_COMMITTED;
}

void ending_commit(struct core *c, struct gtx *g, struct ending *e)
{
	struct tomb *tomb = e->tomb;

	tomb->number = g->party.number;
	tomb->status = e->status;
	tomb->seq = g->decision_seq;
	tomb->lazy = g->saga && e->lazy;
	if (g->saga)
		saga_ending_commit(c, g, tomb);
	else
		message_key_ending(c, g, tomb);
	tomb->expires_ms = c->now_ms + c->config.tombstone_keep_ms;
	tombs_add(&c->tombs, tomb);
	count_end(c, e->status);
	asks_release(c, g, e->status);
	gtx_bury(c, g);
}

int unit_tombs(struct core *c)
{
	struct tomb *oldest = tombs_oldest(&c->tombs);

	if (!oldest || (tombs_count(&c->tombs) <= c->config.tombstones_max &&
			oldest->expires_ms > c->now_ms))
		return 0;
	row_delete_tombstone(c, oldest->number);
	if (!fx_ok(&c->fx))
		return E_NOMEM;
	saga_keys_drop(&c->sagas.keys, oldest->key);
	tombs_remove(&c->tombs, oldest);
	return 1;
}

/* ---- the decision ---- */

/* Nobody has to wait for its phase two: the work is committed already, or
 * will be done at some time by others. */
static bool commits_later(enum branch_mode mode)
{
	return mode == MODE_AT || mode == MODE_MSG || mode == MODE_SAGA;
}

static bool all_commit_later(const struct gtx *g)
{
	LIST_EACH(node, &g->branches) {
		struct branch *b = CONTAINER_OF(node, struct branch, of_gtx);

		if (!commits_later(b->mode))
			return false;
	}
	return g->n_open > 0;
}

struct decision {
	enum gtx_status status; /* after it */
	bool commit;
	bool ends;                /* nothing is left to do: status is final */
	const struct request *rq; /* to be answered, or NULL */
	const char *refused;      /* the answer is no, because */
	struct bytes why;         /* for the history */
	struct ending ending;
	struct ask *ask;
};

static struct decision plan(const struct gtx *g, enum gtx_event event)
{
	struct decision d = { .commit = event == GTX_EV_COMMIT };
	struct gtx_rule rule;

	if (d.commit && all_commit_later(g))
		event = GTX_EV_COMMIT_ASYNC;
	rule = gtx_rule(g->status, event);
	REQUIRE(rule.verdict == VERDICT_MOVE);
	d.status = rule.next;
	d.ends = g->n_open == 0;
	if (d.ends)
		d.status = gtx_rule(d.status, GTX_EV_DONE).next;
	return d;
}

static void say_decision(struct core *c, const struct gtx *g,
			 const struct decision *d)
{
	const char *what = d->commit ? "commit"
			   : d->status == GTX_TIMEOUT_ROLLBACKING ||
					   d->status == GTX_TIMEOUT_ROLLBACKED
				   ? "rollback after time-out"
				   : "rollback";
	struct bytes why = model_cut(d->why, c->config.text_max);

	row_history(c, &(struct history){
			       .gtx = g->party.number,
			       .kind = HISTORY_DECIDED,
			       .text = fx_printf(
				       &c->fx, "%s decided, %zu branches%s%.*s",
				       what, g->n_open, why.len ? ": " : "",
				       (int)why.len, (const char *)why.data),
		       });
}

static int stage_rows(struct core *c, struct gtx *g, struct decision *d)
{
	struct gtx_record r = gtx_record(g);

	if (d->ends)
		return ending_stage(c, g, d->status, g->stored, &d->ending);
	r.status = d->status;
	r.decided_wall_ms = c->wall_ms;
	row_put_gtx(c, g, &r, true);
	return fx_ok(&c->fx) ? OK : E_NOMEM;
}

static int stage_answer(struct core *c, struct gtx *g, struct decision *d)
{
	struct answer a = answer_about(d->rq, d->refused ? E_STATE : OK, g);
	bool waits = !d->ends && !d->refused;

	a.status = d->status;
	a.what = d->refused;
	return answer_stage(c, &a, g->stored ? row_seq(c) : 0,
			    waits ? answer_until(c, d->rq) : 0, &d->ask);
}

static int stage(struct core *c, struct gtx *g, struct decision *d)
{
	int rc;

	if (g->stored)
		say_decision(c, g, d);
	rc = stage_rows(c, g, d);
	if (rc != OK || !d->rq)
		return rc;
	rc = stage_answer(c, g, d);
	if (rc != OK && d->ends)
		ending_discard(c, g, &d->ending);
	return rc;
}

static void free_locks(struct core *c, struct gtx *g)
{
	LIST_EACH(node, &g->branches) {
		struct branch *b = CONTAINER_OF(node, struct branch, of_gtx);

		if (b->locks)
			c->commit_seq = row_seq(c);
		lock_set_free(b->locks, &c->locks);
		b->locks = NULL;
	}
}

static int carry_out(struct core *c, struct gtx *g, enum gtx_event event,
		     struct decision d)
{
	int rc = stage(c, g, &d);

	if (rc != OK)
		return rc;
	g->status = d.status;
	g->decided_ms = c->now_ms;
	g->decided_ago_ms = 0;
	g->decided_wall_ms = c->wall_ms;
	g->decision_seq = g->stored ? row_seq(c) : 0;
	timer_stop(c, &g->timer);
	check_stop(c, g);
	c->stats.timed_out += event == GTX_EV_TIMEOUT;
	if (d.commit) {
		free_locks(c, g);
	} else {
		g->party.closing = true;
		waiters_for_gtx(c, g);
	}
	waiters_of_gtx(c, g);
	if (d.ends)
		ending_commit(c, g, &d.ending);
	else
		promise_add(c, &g->decision, PROMISE_DECISION, g->decision_seq);
	answer_commit(c, d.ask);
	return OK;
}

int decide(struct core *c, struct gtx *g, enum gtx_event event,
	   const struct request *rq)
{
	struct decision d = plan(g, event);

	d.rq = rq;
	if (rq)
		d.why = request_why(c, rq);
	return carry_out(c, g, event, d);
}

int decide_because(struct core *c, struct gtx *g, enum gtx_event event,
		   struct bytes why)
{
	struct decision d = plan(g, event);

	d.why = why;
	return carry_out(c, g, event, d);
}

int decide_against(struct core *c, struct gtx *g, const struct request *rq)
{
	struct decision d = plan(g, GTX_EV_ROLLBACK);

	d.rq = rq;
	d.refused = "an XA branch failed in phase one, so it cannot be "
		    "committed and is rolled back";
	d.why = BYTES("commit was asked, but an XA branch failed in phase one");
	return carry_out(c, g, GTX_EV_ROLLBACK, d);
}
