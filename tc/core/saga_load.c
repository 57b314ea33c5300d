#include "tc/core/saga_run.h"

#include "tc/core/model.h"

/*
 * Sagas at start, in the end, and their invariants:
 *
 *   S1  a run's machine is there; n_runs counts its runs; one with an owner has
 *       just that run
 *   S2  a run that has not ended has a state; its transaction's status is what
 *       the state means
 *   S3  every call belongs to one run; no two of one task and attempt wait
 *   S4  a key is that of an unfinished run or of a tombstone
 */

void sagas_lists(struct core *c)
{
	struct saga_core *s = &c->sagas;

	list_init(&s->resumes);
	list_init(&s->lost);
	list_init(&s->orphans);
	list_init(&s->dead_calls);
	list_init(&s->dead_machines);
}

int sagas_init(struct core *c)
{
	struct saga_core *s = &c->sagas;

	saga_turn_init(&s->turn, c->mem);
	if (machines_init(&s->machines, c->mem, c->config.seed) != OK)
		return E_NOMEM;
	return saga_keys_init(&s->keys, c->mem, c->config.seed);
}

void sagas_sweep(struct core *c)
{
	LIST_EACH(node, &c->sagas.dead_calls) {
		list_remove(node);
		call_free(c, CONTAINER_OF(node, struct call, dead));
	}
	LIST_EACH(node, &c->sagas.dead_machines) {
		list_remove(node);
		machine_free(&c->sagas.machines,
			     CONTAINER_OF(node, struct machine, dead));
	}
}

void sagas_fini(struct core *c)
{
	struct saga_core *s = &c->sagas;

	LIST_EACH(node, &s->orphans)
		saga_run_free(c, CONTAINER_OF(node, struct saga_run, resumes));
	if (!s->turn.arena.mem)
		return; /* not even begun */
	saga_keys_fini(&s->keys);
	machines_fini(&s->machines);
	saga_turn_fini(&s->turn);
}

/* ---- rows ---- */

int load_machine(struct core *c, const struct row *row)
{
	struct machine_record r;
	int rc = record_get_machine(&r, row->body);

	if (rc != OK)
		return rc;
	if (row->gtx != 0 && row->gtx != row->id)
		return E_CORRUPT;
	return machines_load(&c->sagas.machines, row->id, row->gtx, r.document,
			     r.added_wall_ms);
}

/* Its machine, and so its key's name, is known when all rows are there. */
static int load_run(struct core *c, const struct row *row,
		    const struct saga_record *r)
{
	struct saga_run *run;
	int rc = saga_run_new(&run, c, NULL, r->participant);

	if (rc != OK)
		return rc;
	run->number = row->id;
	run->machine_id = r->machine;
	if (model_dup(&run->state, c->mem, r->state) != OK ||
	    model_dup(&run->loaded_key, c->mem, r->business_key) != OK) {
		saga_run_free(c, run);
		return E_NOMEM;
	}
	list_append(&c->sagas.orphans, &run->resumes);
	return OK;
}

int load_saga(struct core *c, const struct row *row)
{
	struct saga_record r;
	int rc = record_get_saga(&r, row->body);

	if (rc == OK && row->gtx != row->id)
		rc = E_CORRUPT;
	return rc == OK ? load_run(c, row, &r) : rc;
}

/* ---- putting it together ---- */

static int take_key(struct core *c, struct saga_run *run)
{
	struct bytes name = saga_def_name(run->machine->def);

	if (run->loaded_key.len == 0 || run->key)
		return OK;
	if (saga_keys_find(&c->sagas.keys, name, run->loaded_key))
		return E_CORRUPT; /* given twice */
	run->key = saga_key_new(&c->sagas.keys, run->number, name,
				run->loaded_key);
	if (!run->key)
		return E_NOMEM;
	saga_keys_add(&c->sagas.keys, run->key);
	return OK;
}

/* Does this program understand the state, and is it one that goes on? */
static int take_status(struct core *c, struct gtx *g, struct saga_run *run)
{
	struct saga_turn *turn = &c->sagas.turn;
	int rc = saga_look(run->machine->def, run->state, turn);

	if (rc != OK)
		return rc;
	if (turn->status == SAGA_SUCCEEDED || turn->status == SAGA_FAILED ||
	    turn->status == SAGA_COMPENSATED)
		return E_CORRUPT;
	g->status = saga_gtx_status(turn);
	run->status = turn->status;
	run->backward = turn->backward;
	return OK;
}

static int attach(struct core *c, struct saga_run *run)
{
	struct gtx *g = gtx_find(c, run->number);
	struct machine *m = machines_by_id(&c->sagas.machines, run->machine_id);
	int rc;

	if (!g || g->kind != KIND_SAGA || g->saga || !m ||
	    (m->owner != 0 && m->owner != run->number))
		return E_CORRUPT;
	run->machine = m;
	rc = take_key(c, run);
	if (rc == OK)
		rc = take_status(c, g, run);
	if (rc != OK)
		return rc;
	model_free_bytes(c->mem, run->loaded_key);
	run->loaded_key = (struct bytes){ 0 };
	m->n_runs++;
	g->saga = run;
	g->timer.kind = TIMER_SAGA;
	list_remove(&run->resumes);
	list_append(&c->sagas.resumes, &run->resumes);
	return OK;
}

/* Every saga has a run, every machine of a run's own that run. */
static bool complete(const struct core *c)
{
	const struct roll *machines = &c->sagas.machines.by_id;

	for (struct gtx *g = roll_after(&c->roll, 0); g;
	     g = roll_after(&c->roll, g->party.number))
		if (g->kind == KIND_SAGA && !g->saga)
			return false;
	for (struct machine *m = roll_after(machines, 0); m;
	     m = roll_after(machines, m->id))
		if (!ids_gave(&c->ids, m->id) || (m->owner && m->n_runs != 1))
			return false;
	return true;
}

int sagas_ready(struct core *c)
{
	int rc = machines_build(&c->sagas.machines);

	if (rc != OK)
		return rc;
	LIST_EACH(node, &c->sagas.orphans) {
		rc = attach(c, CONTAINER_OF(node, struct saga_run, resumes));
		if (rc != OK)
			return rc;
	}
	c->sagas.offset_ms = c->wall_ms - c->now_ms;
	return complete(c) ? OK : E_CORRUPT;
}

/* ---- invariants ---- */

static void check_call(const struct gtx *g, const struct call *call)
{
	REQUIRE(call->gtx == g && call->job.kind == JOB_CALL); /* S3 */
	job_check(&call->job);
	if (!list_empty(&call->lost))
		REQUIRE(call->job.place == PLACE_NONE);
	if (call->given_up)
		REQUIRE(call->job.place == PLACE_FLIGHT ||
			call->job.place == PLACE_NONE);
	LIST_EACH(node, &g->saga->calls) {
		const struct call *other =
			CONTAINER_OF(node, struct call, of_run);

		REQUIRE(other == call || other->task != call->task ||
			other->attempt != call->attempt); /* S3 */
	}
}

void saga_check(const struct core *c, const struct gtx *g)
{
	const struct saga_run *run = g->saga;

	REQUIRE(run->machine && run->state.len > 0); /* S2 */
	REQUIRE(machines_by_id(&c->sagas.machines, run->machine->id) ==
		run->machine); /* S1 */
	REQUIRE(run->machine->owner == 0 ||
		run->machine->owner == g->party.number);
	REQUIRE(g->n_listed == 0 && list_empty(&g->party.waits));
	REQUIRE(g->stored && !gtx_status_finished((int)g->status));
	REQUIRE(gtx_status_hung((int)g->status) == (run->status == SAGA_HUNG));
	LIST_EACH(node, &run->calls)
		check_call(g, CONTAINER_OF(node, struct call, of_run));
}

static size_t count_runs(const struct core *c, const struct machine *m)
{
	size_t n = 0;

	for (struct gtx *g = roll_after(&c->roll, 0); g;
	     g = roll_after(&c->roll, g->party.number))
		n += g->saga && g->saga->machine == m;
	return n;
}

/* A message's, or a saga's. */
static bool check_key(const struct core *c, const struct gtx *g)
{
	const struct saga_key *key = g->saga ? g->saga->key : g->key;

	REQUIRE(!g->key || g->kind == KIND_MESSAGE);
	if (key) {
		REQUIRE(key->number == g->party.number);
		REQUIRE(saga_keys_find(&c->sagas.keys, key->name, key->key) ==
			key); /* S4 */
	}
	return key != NULL;
}

void sagas_check(const struct core *c)
{
	const struct roll *machines = &c->sagas.machines.by_id;
	size_t keys = 0;

	machines_check(&c->sagas.machines);
	for (struct machine *m = roll_after(machines, 0); m;
	     m = roll_after(machines, m->id)) {
		REQUIRE(m->n_runs == count_runs(c, m)); /* S1 */
		REQUIRE(m->owner == 0 || m->n_runs == 1);
	}
	for (struct gtx *g = roll_after(&c->roll, 0); g;
	     g = roll_after(&c->roll, g->party.number))
		keys += check_key(c, g);
	LIST_EACH(node, &c->tombs.by_age)
		keys += CONTAINER_OF(node, struct tomb, by_age)->key != NULL;
	REQUIRE(keys == c->sagas.keys.map.count); /* S4 */
}
