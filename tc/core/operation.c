#include "tc/core/operation.h"

#include "base/hash.h"
#include "base/json.h"
#include "base/xid.h"
#include "tc/core/model.h"

#include <inttypes.h>

#define CHANGES_MAX 100 /* sentences in one answer */

/* ---- what it is about ---- */

uint64_t gtx_revision(const struct gtx *g)
{
	uint64_t h = hash_u64(g->party.number, (uint64_t)g->status);

	LIST_EACH(node, &g->branches) {
		const struct branch *b =
			CONTAINER_OF(node, struct branch, of_gtx);

		h = hash_u64(h, b->id);
		h = hash_u64(h, (uint64_t)b->status);
		h = hash_u64(h, (uint64_t)b->resolution);
	}
	if (g->saga) {
		h = hash_u64(h, (uint64_t)g->saga->status);
		h = hash_u64(h, g->saga->backward);
		h = hash_u64(h, g->saga->tasks);
	}
	if (check_is_asked(g))
		h = hash_u64(h, 1);
	return h ? h : 1;
}

bool is_operated(const struct request *rq)
{
	switch (rq->type) {
	case RQ_COMMIT:
	case RQ_ROLLBACK:
	case RQ_RETRY:
	case RQ_RESOLVE:
	case RQ_SAGA_MOVE:
		return rq->actor.len > 0 || rq->revision || rq->dry_run;
	case RQ_MACHINE_PUT:
	case RQ_MACHINE_DROP:
	case RQ_SUBSCRIBE:
	case RQ_UNSUBSCRIBE:
		return rq->actor.len > 0 || rq->dry_run;
	default:
		return false;
	}
}

static const char *action_name(enum request_type type)
{
	static const char *const names[RQ_TYPES] = {
		[RQ_COMMIT] = "commit",
		[RQ_ROLLBACK] = "rollback",
		[RQ_RETRY] = "retry",
		[RQ_RESOLVE] = "resolve",
		[RQ_MACHINE_PUT] = "machine_put",
		[RQ_MACHINE_DROP] = "machine_drop",
		[RQ_SUBSCRIBE] = "subscribe",
		[RQ_UNSUBSCRIBE] = "unsubscribe",
	};

	return names[type];
}

/* "saga_forward": which move it is matters. */
static struct bytes action_of(const struct request *rq)
{
	static const char *const moves[] = { "saga_forward", "saga_compensate",
					     "saga_skip" };

	if (rq->type != RQ_SAGA_MOVE)
		return bytes_of(action_name(rq->type));
	if ((int)rq->move < MOVE_FORWARD || rq->move > MOVE_SKIP)
		return BYTES("saga_move");
	return bytes_of(moves[rq->move]);
}

/* Of a commit, rollback or retry .text is the reason, too, and older. */
static struct bytes reason_of(const struct request *rq)
{
	if (rq->reason.len > 0)
		return rq->reason;
	if (rq->type == RQ_ROLLBACK || rq->type == RQ_RETRY ||
	    rq->type == RQ_COMMIT)
		return rq->text;
	return (struct bytes){ 0 };
}

struct bytes request_why(struct core *c, const struct request *rq)
{
	struct bytes why = model_cut(reason_of(rq), c->config.text_max);

	if (rq->actor.len == 0)
		return why;
	return fx_printf(&c->fx, "%.*s (%.*s)", (int)why.len,
			 (const char *)why.data, (int)rq->actor.len,
			 (const char *)rq->actor.data);
}

/* ---- what it would do ---- */

struct sentences {
	struct core *c;
	struct json json;
	size_t n;
};

static void say(struct sentences *s, struct bytes text)
{
	if (s->n++ < CHANGES_MAX)
		json_text(&s->json, NULL, text);
}

/* Another status; a row that only has other details says nothing here. */
static void say_row(struct sentences *s, const struct row *row,
		    const struct gtx *g)
{
	struct fx *fx = &s->c->fx;
	const struct branch *b =
		row->table == ROW_BRANCH ? branch_find(s->c, row->id) : NULL;

	if (b && (int)b->status != row->status)
		say(s, fx_printf(fx, "branch %" PRIu64 ": %s -> %s", b->id,
				 branch_status_name((int)b->status),
				 branch_status_name(row->status)));
	if (row->table == ROW_GTX && (int)g->status != row->status)
		say(s, fx_printf(fx, "transaction: %s -> %s",
				 gtx_status_name((int)g->status),
				 gtx_status_name(row->status)));
	if (row->table == ROW_TOMBSTONE)
		say(s, fx_printf(fx, "transaction: %s -> %s, it has ended",
				 gtx_status_name((int)g->status),
				 gtx_status_name(row->status)));
}

/* What becomes of its branches, where no row of theirs says so. */
static void say_branches(struct sentences *s, const struct request *rq,
			 const struct answer *a, const struct gtx *g)
{
	bool commit = gtx_deciding_commit(a->status);
	bool decides = g->status == GTX_BEGIN && a->status != GTX_BEGIN;

	if (gtx_status_finished((int)a->status) ||
	    !(decides || (rq->type == RQ_RETRY && a->err == OK)))
		return;
	LIST_EACH(node, &g->branches) {
		const struct branch *b =
			CONTAINER_OF(node, struct branch, of_gtx);
		struct bytes name = b->job.lane->resource->name;

		if (branch_finished(b->status) ||
		    (!decides && rq->branch && rq->branch != b->id))
			continue;
		say(s,
		    fx_printf(&s->c->fx,
			      "branch %" PRIu64 ", %s on %.*s, is to be %s%s",
			      b->id, branch_mode_name((int)b->mode),
			      (int)name.len, (const char *)name.data,
			      commit ? "committed" : "rolled back",
			      delivery_rest_ms(s->c, b) ? ", in time" : ""));
	}
}

static void put_changes(struct sentences *s, const struct operation *op,
			const struct answer *a, const struct gtx *g)
{
	struct fx *fx = &s->c->fx;

	json_array(&s->json, "changes");
	for (size_t i = op->mark; g && i < fx->n; i++) {
		const struct effect e = fx->items[i];

		if (e.type == FX_HISTORY)
			say(s, e.history.text);
		else if (e.type == FX_PUT)
			say_row(s, &e.row, g);
	}
	if (g)
		say_branches(s, op->rq, a, g);
	if (s->n > CHANGES_MAX)
		json_text(&s->json, NULL,
			  fx_printf(fx, "and %zu more", s->n - CHANGES_MAX));
	json_end(&s->json);
}

static void put_state(struct json *j, const char *key, enum gtx_status status,
		      const struct gtx *g)
{
	json_object(j, key);
	json_text(j, "status", bytes_of(gtx_status_name((int)status)));
	if (g)
		json_id(j, "revision", gtx_revision(g));
	json_end(j);
}

/* {"before": …, "after": …, "changes": […]} */
static struct bytes change_of(struct core *c, const struct operation *op,
			      const struct answer *a, const struct gtx *g)
{
	struct sentences s = { .c = c };
	struct buf out;

	buf_init(&out, &c->fx.arena.as_mem);
	json_init(&s.json, &out);
	json_object(&s.json, NULL);
	if (op->rq->name.len > 0)
		json_text(&s.json, "name", op->rq->name);
	if (op->rq->version.len > 0)
		json_text(&s.json, "version", op->rq->version);
	if (op->rq->subscriber.len > 0)
		json_text(&s.json, "subscriber", op->rq->subscriber);
	if (a->gtx && a->err != E_NOTFOUND && a->err != E_UNKNOWN) {
		put_state(&s.json, "before", g ? g->status : a->status, g);
		put_state(&s.json, "after", a->status, NULL);
	}
	put_changes(&s, op, a, g);
	json_end(&s.json);
	return fx_take(&c->fx, &out);
}

/* ---- doing it ---- */

static int end_dry(struct core *c, struct operation *op, const struct answer *a,
		   const struct gtx *g)
{
	op->answer = arena_alloc(&c->fx.arena, sizeof *op->answer);
	if (op->answer) {
		*op->answer = *a;
		if (g)
			op->answer->status = g->status;
	}
	return E_NOMEM; /* nothing of it is to be */
}

static void put_audit(struct core *c, const struct request *rq,
		      const struct answer *a)
{
	struct bytes xid = { 0 }, reason = fx_copy(&c->fx, reason_of(rq));
	struct bytes actor = fx_copy(&c->fx, rq->actor);
	struct effect *e;

	if (a->gtx)
		xid = fx_xid(&c->fx, c->config.coordinator, a->gtx);
	e = fx_add(&c->fx, FX_AUDIT);
	e->forced = true;
	e->audit = (struct audit){
		.wall_ms = c->wall_ms,
		.actor = actor,
		.action = action_of(rq),
		.xid = xid,
		.branch = rq->branch,
		.reason = reason,
		.detail = a->change,
		.err = a->err,
	};
}

int operation_note(struct core *c, struct answer *a, uint64_t *rests_on)
{
	struct operation *op = c->operation;
	const struct gtx *g = a->gtx ? gtx_find(c, a->gtx) : NULL;

	if (!fx_ok(&c->fx))
		return E_NOMEM;
	a->operated = true;
	a->change = change_of(c, op, a, g);
	if (!fx_ok(&c->fx))
		return E_NOMEM;
	if (op->rq->dry_run)
		return end_dry(c, op, a, g);
	if (op->rq->actor.len == 0)
		return OK;
	put_audit(c, op->rq, a);
	*rests_on = row_seq(c);
	return fx_ok(&c->fx) ? OK : E_NOMEM;
}

static const char *bad_operation(const struct core *c, const struct request *rq,
				 int *err)
{
	bool about_gtx = rq->type <= RQ_SAGA_MOVE;

	*err = E_LIMIT;
	if (rq->actor.len > c->config.text_max)
		return "actor longer than text_max";
	if (rq->actor.len > 0 && reason_of(rq).len > c->config.text_max)
		return "reason longer than text_max";
	*err = E_INVALID;
	if (about_gtx && rq->actor.len > 0 && !rq->dry_run &&
	    reason_of(rq).len == 0)
		return "who operates says why: the reason is missing";
	return NULL;
}

/* The transaction, if it is there and not what the operator saw. */
static struct gtx *changed(const struct core *c, const struct request *rq)
{
	struct bytes coordinator;
	struct gtx *g;
	uint64_t number;

	if (!rq->revision || xid_parse(rq->xid, &coordinator, &number) != OK ||
	    !bytes_equal(coordinator, c->config.coordinator))
		return NULL;
	g = gtx_find(c, number);
	return g && gtx_revision(g) != rq->revision ? g : NULL;
}

int operate(struct core *c, const struct request *rq)
{
	struct operation op = { .rq = rq, .mark = c->fx.n };
	struct gtx *g = changed(c, rq);
	int err;
	const char *bad = bad_operation(c, rq, &err);
	int rc;

	if (bad)
		return request_deny(c, rq, err, bad);
	c->operation = &op;
	rc = g ? request_refuse(c, rq, g, E_CONFLICT,
				"the transaction has changed since it was "
				"looked at: look again")
	       : handle_plain(c, rq);
	c->operation = NULL;
	if (!op.answer)
		return rc;
	REQUIRE(rc == E_NOMEM);
	fx_undo(&c->fx, op.mark);
	g = gtx_find(c, op.answer->gtx);
	return answer_give(c, op.answer, g ? answer_rests_on(c, g) : 0);
}
