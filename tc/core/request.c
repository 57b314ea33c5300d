#include "tc/core/message_key.h"

#include "base/xid.h"

#include <inttypes.h>

/*
 * What agents ask for.
 */

/* ---- numbers, and waiting for them ---- */

int request_park(struct core *c, const struct request *rq)
{
	struct parked *p = mem_alloc(c->mem, sizeof *p);

	if (!p)
		return E_NOMEM;
	p->rq = request_dup(c->mem, rq, true);
	if (!p->rq) {
		mem_free(c->mem, p);
		return E_NOMEM;
	}
	list_init(&p->node);
	list_append(&c->parked, &p->node);
	return OK;
}

static struct parked *first_parked(const struct core *c)
{
	struct list *first = list_first(&c->parked);

	return first ? CONTAINER_OF(first, struct parked, node) : NULL;
}

static void parked_free(struct core *c, struct parked *p)
{
	list_remove(&p->node);
	mem_free(c->mem, p->rq);
	mem_free(c->mem, p);
}

static uint64_t numbers_for(const struct core *c, const struct request *rq)
{
	return rq->type == RQ_IDS        ? rq->count
	       : rq->type == RQ_REGISTER ? branches_of(c, rq)
					 : 1;
}

int unit_parked(struct core *c)
{
	struct parked *p = first_parked(c);

	if (!p || !ids_have(&c->ids, numbers_for(c, p->rq)))
		return 0;
	if (handle_request(c, p->rq) != OK)
		return E_NOMEM;
	parked_free(c, p);
	return 1;
}

void parked_of_peer(struct core *c, uint64_t peer)
{
	LIST_EACH(node, &c->parked) {
		struct parked *p = CONTAINER_OF(node, struct parked, node);

		if (p->rq->peer == peer)
			parked_free(c, p);
	}
}

int unit_ids(struct core *c)
{
	struct parked *p = first_parked(c);
	uint64_t end = ids_wanted(&c->ids, p ? numbers_for(c, p->rq) : 1);

	if (end == 0)
		return 0;
	row_put_ids(c, end);
	if (!fx_ok(&c->fx))
		return E_NOMEM;
	ids_ask(&c->ids, end);
	promise_add(c, &c->ids_promise, PROMISE_IDS, row_seq(c));
	return 1;
}

/* ---- finding what is asked about ---- */

int request_deny(struct core *c, const struct request *rq, int err,
		 const char *what)
{
	struct answer a = answer_to(rq, err);

	a.what = what;
	return answer_give(c, &a, 0);
}

/* A saga's end is not forced by itself. As soon as somebody asks it is. */
static int answer_forced(struct core *c, const struct answer *a,
			 struct tomb *tomb)
{
	uint64_t seq = tomb->seq;
	int rc;

	if (tomb->lazy && seq > c->stored) {
		row_put_tombstone(c, tomb->number, tomb->status, tomb->key,
				  true);
		seq = row_seq(c);
	}
	rc = fx_ok(&c->fx) ? answer_give(c, a, seq) : E_NOMEM;
	if (rc == OK) {
		tomb->seq = seq;
		tomb->lazy = false;
	}
	return rc;
}

/* Finished: is this what was asked for? */
int answer_from_tomb(struct core *c, const struct request *rq,
		     struct tomb *tomb)
{
	struct answer a = answer_to(rq, OK);
	bool committed = tomb->status == GTX_COMMITTED;

	a.gtx = tomb->number;
	a.status = tomb->status;
	if (rq->type == RQ_REGISTER || rq->type == RQ_REPORT ||
	    rq->type == RQ_LOCK_CHECK || rq->type == RQ_RESOLVE ||
	    rq->type == RQ_SAGA_MOVE || rq->type == RQ_SAGA_SHOW ||
	    (rq->type == RQ_COMMIT && !committed) ||
	    (rq->type == RQ_ROLLBACK && committed)) {
		a.err = E_STATE;
		a.what = "it has finished";
	}
	a.existed = rq->type == RQ_SAGA_START || rq->type == RQ_BEGIN;
	return answer_forced(c, &a, tomb);
}

int request_refuse(struct core *c, const struct request *rq,
		   const struct gtx *g, int err, const char *what)
{
	struct answer a = answer_about(rq, err, g);

	a.what = what;
	return answer_give(c, &a, answer_rests_on(c, g));
}

int request_gtx(struct core *c, const struct request *rq, struct gtx **out)
{
	struct bytes coordinator;
	struct answer a = answer_to(rq, E_NOTFOUND);
	struct tomb *tomb;
	uint64_t number;

	*out = NULL;
	if (xid_parse(rq->xid, &coordinator, &number) != OK)
		return request_deny(c, rq, E_INVALID, "malformed xid");
	if (!bytes_equal(coordinator, c->config.coordinator))
		return request_deny(c, rq, E_NOTFOUND,
				    "the xid belongs to another coordinator");
	*out = gtx_find(c, number);
	if (*out)
		return OK;
	tomb = tombs_find(&c->tombs, number);
	if (tomb)
		return answer_from_tomb(c, rq, tomb);
	a.gtx = number;
	if (!ids_gave(&c->ids, number))
		a.err = E_UNKNOWN;
	return answer_give(c, &a, 0);
}

/* ---- begin ---- */

static const char *begin_limit(const struct core *c, const struct request *rq)
{
	const struct core_config *k = &c->config;

	if (rq->name.len > k->text_max)
		return "name longer than text_max";
	if (rq->application.len > k->text_max)
		return "application longer than text_max";
	if (rq->business_key.len > k->text_max)
		return "business key longer than text_max";
	if (rq->timeout_ms > k->timeout_ms_max)
		return "timeout longer than timeout_ms_max";
	if (c->roll.count >= k->gtx_max)
		return "more unfinished transactions than gtx_max";
	return NULL;
}

static int check_begin(struct core *c, const struct request *rq,
		       const char **what)
{
	*what = begin_limit(c, rq);
	if (*what)
		return E_LIMIT;
	*what = "what is begun is a transaction or a message";
	if (rq->kind != KIND_PLAIN && rq->kind != KIND_MESSAGE)
		return E_INVALID;
	*what = "only of a message somebody is asked whether it is committed";
	if (rq->check.len > 0 && rq->kind != KIND_MESSAGE)
		return E_INVALID;
	*what = "only a message is begun with a business key";
	if (rq->business_key.len > 0 && rq->kind != KIND_MESSAGE)
		return E_INVALID;
	return target_check(c, rq, rq->check, what);
}

static int begin_gtx(struct gtx **out, struct core *c, const struct request *rq)
{
	const struct peer *p = peers_find(&c->peers, rq->peer);
	const struct back_check_spec check = { rq->check, rq->participant,
					       rq->call_timeout_ms };
	int rc = gtx_new(out, c, c->ids.next, rq->name,
			 p ? p->application : rq->application);

	if (rc != OK)
		return rc;
	rc = message_key_new(c, *out, rq->business_key);
	if (rc == OK && rq->check.len > 0)
		rc = check_new(c, *out, &check);
	if (rc == OK)
		return OK;
	message_key_discard(c, *out);
	gtx_free(c, *out);
	return rc;
}

static int handle_begin(struct core *c, const struct request *rq)
{
	const struct saga_key *known;
	const char *what;
	struct answer a;
	struct gtx *g;
	int rc = check_begin(c, rq, &what);

	if (rc == E_NOMEM)
		return rc;
	if (rc != OK)
		return request_deny(c, rq, rc, what);
	rc = message_key_known(c, rq, &known);
	if (rc != OK || known)
		return rc ? rc : message_key_answer(c, rq, known);
	if (!ids_have(&c->ids, 1))
		return request_park(c, rq);
	rc = begin_gtx(&g, c, rq);
	if (rc != OK)
		return rc;
	g->kind = rq->kind;
	g->status = GTX_BEGIN;
	g->ordered = rq->ordered;
	g->timeout_ms =
		rq->timeout_ms ? rq->timeout_ms : c->config.timeout_ms_default;
	g->began_ms = c->now_ms;
	g->began_wall_ms = c->wall_ms;
	a = answer_about(rq, OK, g);
	rc = answer_give(c, &a, 0);
	if (rc != OK) {
		message_key_discard(c, g);
		gtx_free(c, g);
		return rc;
	}
	REQUIRE(ids_take(&c->ids, 1) == g->party.number);
	roll_add(&c->roll, g->party.number, g);
	message_key_add(c, g);
	timer_set(c, &g->timer, c->now_ms + g->timeout_ms);
	c->stats.begun++;
	c->stats.messages += g->kind == KIND_MESSAGE;
	return OK;
}

/* ---- commit, rollback, status ---- */

/* Decided already: wait for phase two if asked to. */
static int decided_before(struct core *c, struct gtx *g,
			  const struct request *rq)
{
	struct answer a = answer_about(rq, OK, g);
	struct ask *ask;
	int rc =
		answer_stage(c, &a, g->decision_seq, answer_until(c, rq), &ask);

	if (rc == OK)
		answer_commit(c, ask);
	return rc;
}

/* An XA branch that failed has been rolled back by its database: what the
 * others did cannot be committed without it. */
static bool failed_for_all(const struct gtx *g)
{
	LIST_EACH(node, &g->branches) {
		struct branch *b = CONTAINER_OF(node, struct branch, of_gtx);

		if (b->mode == MODE_XA && b->status == BRANCH_PHASE_ONE_FAILED)
			return true;
	}
	return false;
}

static int handle_decision(struct core *c, const struct request *rq)
{
	enum gtx_event event =
		rq->type == RQ_COMMIT ? GTX_EV_COMMIT : GTX_EV_ROLLBACK;
	struct answer a;
	struct gtx *g;
	int rc = request_gtx(c, rq, &g);

	if (rc != OK || !g)
		return rc;
	if (g->saga)
		return event == GTX_EV_COMMIT ? saga_refuse(c, rq, g)
					      : saga_rollback(c, rq, g);
	switch (gtx_rule(g->status, event).verdict) {
	case VERDICT_MOVE:
		if (event == GTX_EV_COMMIT && failed_for_all(g))
			return decide_against(c, g, rq);
		return decide(c, g, event, rq);
	case VERDICT_STAY:
		return decided_before(c, g, rq);
	default:
		a = answer_about(rq, E_STATE, g);
		a.what = "the opposite was decided";
		return answer_give(c, &a, answer_rests_on(c, g));
	}
}

static int handle_status(struct core *c, const struct request *rq)
{
	struct answer a;
	struct gtx *g;
	int rc = request_gtx(c, rq, &g);

	if (rc != OK || !g)
		return rc;
	a = answer_about(rq, OK, g);
	return answer_give(c, &a, answer_rests_on(c, g));
}

/* ---- report ---- */

static bool report_event(enum branch_status report, enum branch_event *out)
{
	switch (report) {
	case BRANCH_PHASE_ONE_DONE:
		*out = BRANCH_EV_DONE;
		return true;
	case BRANCH_PHASE_ONE_FAILED:
		*out = BRANCH_EV_FAILED;
		return true;
	case BRANCH_RDONLY:
		*out = BRANCH_EV_RDONLY;
		return true;
	default:
		return false;
	}
}

static const char *bad_report(const struct core *c, const struct request *rq,
			      int *err)
{
	enum branch_event event;

	*err = E_INVALID;
	if (!report_event(rq->report, &event))
		return "a report is PhaseOne_Done, _Failed or _RDONLY";
	*err = E_LIMIT;
	if (rq->application_data.len > c->config.application_data_max)
		return "application data longer than application_data_max";
	return NULL;
}

/*
 * Is a report to be forced? New application data is: phase two will need it.
 * The end of a branch is, but for AT: should it be forgotten, the branch would
 * get a command for work that was never done. AT finds no undo record then and
 * says done; a TCC confirm or an XA commit would not be so harmless.
 */
static bool forces(const struct branch *b, const struct request *rq,
		   bool finished)
{
	return rq->application_data.len > 0 || (finished && b->mode != MODE_AT);
}

static int report(struct core *c, struct branch *b, const struct request *rq,
		  enum branch_status next)
{
	struct gtx *g = b->gtx;
	struct branch_record r = branch_record(b);
	struct answer a = answer_about(rq, OK, g);
	bool finished = branch_finished(next);
	bool forced = forces(b, rq, finished);
	struct bytes data = { 0 };
	struct ask *ask;

	if (model_dup(&data, c->mem, rq->application_data) != OK)
		return E_NOMEM;
	r.status = next;
	if (data.len)
		r.application_data = data;
	if (finished)
		r.n_lock_keys = 0;
	if (finished || data.len)
		row_put_branch(c, b, g, &r, forced);
	if (finished)
		row_history(c, &(struct history){
				       .gtx = g->party.number,
				       .kind = HISTORY_REPORTED,
				       .branch = b->id,
				       .text = fx_printf(
					       &c->fx, "branch %" PRIu64 ": %s",
					       b->id,
					       branch_status_name((int)next)),
			       });
	a.branch = b->id;
	if (!fx_ok(&c->fx) ||
	    answer_stage(c, &a, forced ? row_seq(c) : b->seq, 0, &ask) != OK) {
		model_free_bytes(c->mem, data);
		return E_NOMEM;
	}
	b->status = next;
	if (forced)
		b->seq = row_seq(c);
	if (data.len) {
		model_free_bytes(c->mem, b->application_data);
		b->application_data = data;
	}
	if (finished) {
		g->n_open--;
		lock_set_free(b->locks, &c->locks);
		b->locks = NULL;
	}
	answer_commit(c, ask);
	return OK;
}

static int handle_report(struct core *c, const struct request *rq)
{
	int err;
	const char *bad = bad_report(c, rq, &err);
	enum branch_event event;
	struct branch_rule rule;
	struct branch *b;
	struct answer a;
	struct gtx *g;
	int rc = request_gtx(c, rq, &g);

	if (rc != OK || !g)
		return rc;
	a = answer_about(rq, err, g);
	a.branch = rq->branch;
	a.what = bad;
	if (bad)
		return answer_give(c, &a, answer_rests_on(c, g));
	b = branch_find(c, rq->branch);
	if (!b || b->gtx != g) {
		a.err = E_NOTFOUND;
		return answer_give(c, &a, answer_rests_on(c, g));
	}
	REQUIRE(report_event(rq->report, &event));
	a.err = E_INVALID;
	a.what = "a delivery has no phase one to be reported";
	if (b->mode == MODE_MSG)
		return answer_give(c, &a, answer_rests_on(c, g));
	a.err = E_STATE;
	a.what = "it has been decided";
	if (g->status != GTX_BEGIN)
		return answer_give(c, &a, answer_rests_on(c, g));
	rule = branch_rule(b->status, event);
	if (rule.verdict != VERDICT_REFUSE &&
	    !(rule.verdict == VERDICT_STAY && branch_finished(b->status)))
		return report(c, b, rq, rule.next);
	a.err = rule.verdict == VERDICT_STAY ? OK : E_STATE;
	a.what = "the branch was reported otherwise before";
	return answer_give(c, &a, b->seq);
}

/* ---- numbers for agents ---- */

static int handle_ids(struct core *c, const struct request *rq)
{
	struct answer a = answer_to(rq, OK);
	int rc;

	if (rq->count == 0)
		return request_deny(c, rq, E_INVALID, "how many numbers?");
	if (rq->count > c->config.id_block)
		return request_deny(c, rq, E_LIMIT,
				    "more numbers than id_block");
	if (!ids_have(&c->ids, rq->count))
		return request_park(c, rq);
	a.first_id = c->ids.next;
	a.count = rq->count;
	rc = answer_give(c, &a, 0);
	if (rc == OK)
		(void)ids_take(&c->ids, rq->count);
	return rc;
}

int handle_plain(struct core *c, const struct request *rq)
{
	switch (rq->type) {
	case RQ_BEGIN:
		return handle_begin(c, rq);
	case RQ_REGISTER:
		return handle_register(c, rq);
	case RQ_REPORT:
		return handle_report(c, rq);
	case RQ_COMMIT:
	case RQ_ROLLBACK:
		return handle_decision(c, rq);
	case RQ_STATUS:
		return handle_status(c, rq);
	case RQ_LOCK_CHECK:
		return handle_lock_check(c, rq);
	case RQ_IDS:
		return handle_ids(c, rq);
	case RQ_RETRY:
		return handle_retry(c, rq);
	case RQ_RESOLVE:
		return handle_resolve(c, rq);
	case RQ_SAGA_START:
		return handle_saga_start(c, rq);
	case RQ_SAGA_MOVE:
		return handle_saga_move(c, rq);
	case RQ_SAGA_SHOW:
		return handle_saga_show(c, rq);
	case RQ_MACHINE_PUT:
		return handle_machine_put(c, rq);
	case RQ_MACHINE_DROP:
		return handle_machine_drop(c, rq);
	case RQ_SUBSCRIBE:
		return handle_subscribe(c, rq);
	case RQ_UNSUBSCRIBE:
		return handle_unsubscribe(c, rq);
	default:
		return request_deny(c, rq, E_INVALID, "unknown request");
	}
}

int handle_request(struct core *c, const struct request *rq)
{
	if (is_operated(rq))
		return operate(c, rq);
	if (rq->dry_run)
		return request_deny(c, rq, E_INVALID,
				    "this cannot be tried without doing it");
	return handle_plain(c, rq);
}
