#include "tc/core/saga_run.h"

#include "base/json.h"
#include "tc/core/model.h"

/*
 * What is asked about sagas: a start, a move of an operator, a look.
 */

/* No time is longer; sums of them must not overflow. */
#define LONGEST_MS (UINT64_C(1000) * 365 * 24 * 60 * 60 * 1000)

/* ---- waiting for the end ---- */

static bool can_wait(const struct gtx *g)
{
	return !gtx_status_hung((int)g->status);
}

/* The answer, or, if it is to wait, who waits. */
static int stage_answer(struct core *c, const struct request *rq,
			const struct answer *a, bool wait, uint64_t rests_on,
			struct ask **out)
{
	return answer_stage(c, a, rests_on, wait ? answer_until(c, rq) : 0,
			    out);
}

static void commit_answer(struct core *c, struct gtx *g, struct ask *ask)
{
	if (ask && ask->until_ms)
		ask_attach(c, g, ask);
	else
		answer_commit(c, ask);
}

/* Say how it stands, or wait for the end. */
static int answer_now(struct core *c, const struct request *rq, struct gtx *g,
		      struct answer a)
{
	struct ask *ask;
	int rc = stage_answer(c, rq, &a, can_wait(g), answer_rests_on(c, g),
			      &ask);

	if (rc == OK)
		commit_answer(c, g, ask);
	return rc;
}

/* ---- start ---- */

static const char *bad_texts(const struct core *c, const struct request *rq)
{
	const struct core_config *k = &c->config;

	if (rq->name.len > k->text_max || rq->version.len > k->text_max)
		return "machine name or version longer than text_max";
	if (rq->business_key.len > k->text_max)
		return "business key longer than text_max";
	if (rq->application.len > k->text_max)
		return "application longer than text_max";
	if (rq->participant.len > k->participant_max)
		return "participant longer than participant_max";
	if (rq->text.len > k->application_data_max)
		return "document longer than application_data_max";
	if (rq->input.len > k->saga_data_max)
		return "input longer than saga_data_max";
	if (rq->timeout_ms > LONGEST_MS)
		return "timeout longer than a thousand years";
	return NULL;
}

static const char *bad_input(const struct request *rq)
{
	if (rq->name.len == 0 && rq->text.len == 0)
		return "a saga needs the name of a machine or a document";
	if (rq->name.len > 0 && rq->text.len > 0)
		return "a saga has a machine or a document of its own, not "
		       "both";
	if (rq->input.len > 0 &&
	    (!json_valid(rq->input) || json_type(rq->input) != JSON_OBJECT))
		return "the input is no JSON object";
	return NULL;
}

/* The machine that was put; *out NULL: it is answered. */
static int find_machine(struct core *c, const struct request *rq,
			struct machine **out)
{
	const struct machines *ms = &c->sagas.machines;
	struct bytes what;

	*out = rq->version.len ? machines_version(ms, rq->name, rq->version)
			       : machines_newest(ms, rq->name);
	if (*out)
		return OK;
	what = fx_printf(&c->fx, "there is no machine %.*s%s%.*s: put it first",
			 (int)rq->name.len, (const char *)rq->name.data,
			 rq->version.len ? " of version " : "",
			 (int)rq->version.len, (const char *)rq->version.data);
	if (!fx_ok(&c->fx))
		return E_NOMEM;
	return request_deny(c, rq, E_NOTFOUND, (const char *)what.data);
}

/* A run with this key was there before: answer about it. */
static int answer_known(struct core *c, const struct request *rq,
			const struct saga_key *key)
{
	struct gtx *g = gtx_find(c, key->number);
	struct answer a;

	if (!g)
		return answer_from_tomb(c, rq,
					tombs_find(&c->tombs, key->number));
	a = answer_about(rq, OK, g);
	a.existed = true;
	return answer_now(c, rq, g, a);
}

static const struct saga_key *known_key(const struct core *c,
					const struct request *rq,
					struct bytes machine)
{
	if (rq->business_key.len == 0)
		return NULL;
	return saga_keys_find(&c->sagas.keys, machine, rq->business_key);
}

struct begin { /* a run that is staged */
	struct machine *machine;
	bool own;
	struct gtx *g;
	struct saga_move_staged move;
	struct ask *ask;
};

static void discard(struct core *c, struct begin *b)
{
	if (b->g) {
		if (b->g->saga && b->g->saga->key)
			mem_free(c->mem, b->g->saga->key);
		if (b->g->saga)
			b->g->saga->key = NULL;
		gtx_free(c, b->g);
	}
	if (b->own)
		machine_free(&c->sagas.machines, b->machine);
}

static int stage_objects(struct core *c, const struct request *rq,
			 struct begin *b)
{
	const struct peer *p = peers_find(&c->peers, rq->peer);
	struct bytes name = saga_def_name(b->machine->def);
	struct gtx *g;
	int rc = gtx_new(&g, c, c->ids.next, name,
			 p ? p->application : rq->application);

	if (rc != OK)
		return rc;
	b->g = g;
	g->kind = KIND_SAGA;
	g->status = GTX_BEGIN;
	g->timer.kind = TIMER_SAGA;
	g->timeout_ms = rq->timeout_ms;
	g->began_ms = c->now_ms;
	g->began_wall_ms = c->wall_ms;
	rc = saga_run_new(&g->saga, c, b->machine, rq->participant);
	if (rc != OK)
		return rc;
	g->saga->number = g->party.number;
	if (rq->business_key.len == 0)
		return OK;
	g->saga->key = saga_key_new(&c->sagas.keys, g->party.number, name,
				    rq->business_key);
	return g->saga->key ? OK : E_NOMEM;
}

static int stage_begin(struct core *c, const struct request *rq,
		       struct begin *b)
{
	struct answer a;
	int rc;

	saga_say_start(c, b->g);
	rc = saga_run_stage(c, b->g, true, &b->move);
	if (rc != OK)
		return rc;
	if (b->own && !b->move.ends)
		row_put_machine(c, b->machine, true);
	a = answer_about(rq, OK, b->g);
	a.status = b->move.next;
	a.detail = b->move.ending.detail;
	rc = stage_answer(c, rq, &a,
			  !b->move.ends && !gtx_status_hung((int)a.status),
			  row_seq(c), &b->ask);
	if (rc == OK && !fx_ok(&c->fx)) {
		if (b->ask)
			answer_discard(c, b->ask);
		rc = E_NOMEM;
	}
	if (rc != OK)
		saga_run_discard(c, b->g, &b->move);
	return rc;
}

static void commit_begin(struct core *c, struct begin *b)
{
	struct gtx *g = b->g;

	REQUIRE(ids_take(&c->ids, 1) == g->party.number);
	roll_add(&c->roll, g->party.number, g);
	if (b->own) {
		b->machine->seq = row_seq(c);
		machines_add(&c->sagas.machines, b->machine);
	}
	b->machine->n_runs++;
	if (g->saga->key)
		saga_keys_add(&c->sagas.keys, g->saga->key);
	c->stats.begun++;
	saga_run_commit(c, g, &b->move);
	commit_answer(c, g, b->ask);
}

static int begin(struct core *c, const struct request *rq, struct begin *b)
{
	int rc = stage_objects(c, rq, b);

	if (rc == OK)
		rc = saga_run_begin(c, b->machine, rq);
	if (rc == OK)
		rc = stage_begin(c, rq, b);
	if (rc == OK) {
		commit_begin(c, b);
		return OK;
	}
	discard(c, b);
	if (rc == E_LIMIT)
		return request_deny(c, rq, rc,
				    "input longer than "
				    "saga_data_max");
	if (rc == E_INVALID)
		return request_deny(c, rq, rc,
				    rq->timeout_ms
					    ? "a machine that recovers forward "
					      "has no deadline"
					    : "the input has a number or a "
					      "text that cannot be kept");
	return rc;
}

/* With a document of its own: its machine goes with it. */
static int begin_own(struct core *c, const struct request *rq)
{
	struct begin b = { .own = true };
	const struct saga_key *key;
	struct buf why;
	int rc;

	buf_init(&why, &c->fx.arena.as_mem);
	rc = machine_new(&b.machine, &c->sagas.machines, c->ids.next,
			 c->ids.next, rq->text, &why);
	if (rc == E_INVALID && buf_error(&why) == OK)
		return request_deny(c, rq, rc, buf_text(&why));
	if (rc != OK)
		return E_NOMEM;
	b.machine->added_wall_ms = c->wall_ms;
	key = known_key(c, rq, saga_def_name(b.machine->def));
	if (!key)
		return begin(c, rq, &b);
	machine_free(&c->sagas.machines, b.machine);
	return answer_known(c, rq, key);
}

int handle_saga_start(struct core *c, const struct request *rq)
{
	const char *bad = bad_texts(c, rq);
	const struct saga_key *key = known_key(c, rq, rq->name);
	struct begin b = { 0 };
	int rc;

	if (bad)
		return request_deny(c, rq, E_LIMIT, bad);
	bad = bad_input(rq);
	if (bad)
		return request_deny(c, rq, E_INVALID, bad);
	if (rq->name.len > 0 && key)
		return answer_known(c, rq, key);
	if (c->roll.count >= c->config.gtx_max)
		return request_deny(c, rq, E_LIMIT,
				    "more unfinished transactions than "
				    "gtx_max");
	if (!ids_have(&c->ids, 1))
		return request_park(c, rq);
	if (rq->text.len > 0)
		return begin_own(c, rq);
	rc = find_machine(c, rq, &b.machine);
	if (rc != OK || !b.machine)
		return rc;
	return begin(c, rq, &b);
}

/* ---- moves ---- */

static int say_no(struct core *c, const struct request *rq, struct gtx *g,
		  int err, const char *what)
{
	struct answer a = answer_about(rq, err, g);

	a.what = what;
	return answer_give(c, &a, answer_rests_on(c, g));
}

static const char *nothing_to_do(enum saga_move move)
{
	switch (move) {
	case MOVE_FORWARD:
		return "nothing of it is failing, so there is nothing to try "
		       "again";
	case MOVE_SKIP:
		return "nothing of what was named is failing, so there is "
		       "nothing to skip";
	default:
		return "it is being compensated, and nothing of that is "
		       "failing";
	}
}

/* tc/saga has moved; what follows becomes durable before it is answered. */
static int move_and_answer(struct core *c, const struct request *rq,
			   struct gtx *g)
{
	struct saga_move_staged m;
	struct answer a = answer_about(rq, OK, g);
	struct ask *ask;
	int rc = saga_run_stage(c, g, true, &m);

	if (rc != OK)
		return rc;
	a.status = m.next;
	a.detail = m.ending.detail;
	rc = stage_answer(c, rq, &a, !m.ends && !gtx_status_hung((int)m.next),
			  row_seq(c), &ask);
	if (rc != OK) {
		saga_run_discard(c, g, &m);
		return rc;
	}
	saga_run_commit(c, g, &m);
	commit_answer(c, g, ask);
	return OK;
}

static int move(struct core *c, const struct request *rq, struct gtx *g,
		enum saga_move how)
{
	static const enum saga_event_type events[] = {
		[MOVE_FORWARD] = SAGA_EV_FORWARD,
		[MOVE_COMPENSATE] = SAGA_EV_COMPENSATE,
		[MOVE_SKIP] = SAGA_EV_SKIP,
	};
	struct saga_event e = {
		.type = events[how],
		.task = rq->type == RQ_SAGA_MOVE ? rq->task : SAGA_NO_TASK,
		.message = request_why(c, rq),
	};
	int rc;

	if (!list_empty(&g->saga->resumes))
		return E_NOMEM; /* it is not taken up yet */
	rc = saga_run_step(c, g, &e);
	if (rc == E_NOTFOUND)
		return say_no(c, rq, g, E_NOTFOUND,
			      "the saga has no such task");
	if (rc == E_STATE && rq->type == RQ_ROLLBACK)
		return answer_now(c, rq, g, answer_about(rq, OK, g));
	if (rc == E_STATE)
		return say_no(c, rq, g, E_STATE, nothing_to_do(how));
	REQUIRE(rc == OK || rc == E_NOMEM);
	if (rc != OK)
		return rc;
	saga_say_move(c, g, how, e.message);
	return move_and_answer(c, rq, g);
}

int handle_saga_move(struct core *c, const struct request *rq)
{
	struct gtx *g;
	int rc = request_gtx(c, rq, &g);

	if (rc != OK || !g)
		return rc;
	if (!g->saga)
		return say_no(c, rq, g, E_STATE, "it is no saga");
	if ((int)rq->move < MOVE_FORWARD || rq->move > MOVE_SKIP)
		return say_no(c, rq, g, E_INVALID, "unknown move");
	return move(c, rq, g, rq->move);
}

int saga_rollback(struct core *c, const struct request *rq, struct gtx *g)
{
	return move(c, rq, g, MOVE_COMPENSATE);
}

int saga_retry(struct core *c, const struct request *rq, struct gtx *g)
{
	return move(c, rq, g, MOVE_FORWARD);
}

int saga_refuse(struct core *c, const struct request *rq, struct gtx *g)
{
	return say_no(c, rq, g, E_STATE,
		      rq->type == RQ_COMMIT
			      ? "a saga commits by itself when its last step "
				"is done; nobody else can"
			      : "a saga has no branches: its steps are called "
				"by the coordinator");
}

/* ---- looking ---- */

int handle_saga_show(struct core *c, const struct request *rq)
{
	struct saga_turn *turn = &c->sagas.turn;
	struct answer a;
	struct gtx *g;
	int rc = request_gtx(c, rq, &g);

	if (rc != OK || !g)
		return rc;
	if (!g->saga)
		return say_no(c, rq, g, E_STATE, "it is no saga");
	rc = saga_look(g->saga->machine->def, g->saga->state, turn);
	a = answer_about(rq, OK, g);
	if (rc == OK)
		rc = saga_detail(c, g, turn, &a.detail);
	REQUIRE(rc == OK || rc == E_NOMEM);
	return rc == OK ? answer_give(c, &a, answer_rests_on(c, g)) : rc;
}
