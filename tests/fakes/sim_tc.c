#include "tests/fakes/sim_world.h"

#include "base/hash.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static void take_reply(const struct reply *r)
{
	struct ev *e;

	sim_letter_take(r);
	for (int j = 0; j < JOBS; j++) {
		if (sim.jobs[j].rq != r->id || sim.jobs[j].state == JOB_OVER)
			continue;
		e = sim_ev_new(EVT_TO_JOB);
		e->job = j;
		e->reply = *r;
		snprintf(e->xid, sizeof e->xid, "%.*s", (int)r->xid.len,
			 (const char *)r->xid.data);
		e->reply.xid = e->reply.holder = e->reply.key = e->reply.text =
			(struct bytes){ 0 };
		sim_ev_send(e);
	}
}

static void take_call(const struct command *co)
{
	struct ev *e = sim_ev_new(EVT_TO_ORIGIN);

	e->command = *co;
	snprintf(e->xid, sizeof e->xid, "%.*s", (int)co->xid.len,
		 (const char *)co->xid.data);
	sim_ev_send(e);
}

static void take_command(const struct command *co)
{
	if (peer_is_url(co->peer)) {
		take_call(co);
		return;
	}
	for (int a = 0; a < AGENTS; a++) {
		struct ev *e;

		if (sim.agents[a].peer != co->peer)
			continue;
		e = sim_ev_new(EVT_TO_AGENT);
		e->agent = a;
		e->number = co->peer;
		e->command = *co;
		snprintf(e->xid, sizeof e->xid, "%.*s", (int)co->xid.len,
			 (const char *)co->xid.data);
		sim_ev_send(e);
	}
}

static void plan_wake(void)
{
	uint64_t due = core_deadline(sim.core);
	struct ev *e;

	if (due == UINT64_MAX || (sim.wake && sim.wake <= due))
		return;
	e = sim_ev_new(EVT_CORE_TIME);
	sim.wake = due > sim.now ? due : sim.now;
	sim_ev_at(e, sim.wake);
}

static void take_effects(const struct effects *fx)
{
	sim_store_take(&sim.store, fx);
	for (size_t i = 0; i < fx->n; i++) {
		if (fx->items[i].type == FX_REPLY)
			take_reply(&fx->items[i].reply);
		else if (fx->items[i].type == FX_COMMAND)
			take_command(&fx->items[i].command);
	}
	if (fx->forced) {
		struct ev *e = sim_ev_new(EVT_STORED);

		e->number = fx->seq;
		sim_ev_at(e, sim.now + sim_dice(sim_bad_luck(3) ? 2000 : 10));
	}
}

void sim_count_waits(void)
{
	struct core_stats s = core_stats(sim.core);

	sim.waits += s.lock_waits;
	sim.cycles += s.deadlocks;
}

void sim_crash(const char *why)
{
	/* What was not said to be durable may still have reached the disk. */
	uint64_t ahead = sim.store.seq - sim.store.stored;
	uint64_t kept = sim.store.stored + (ahead ? sim_dice(ahead + 1) : 0);

	sim_trace("crash: %s; stored %" PRIu64 ", kept %" PRIu64 " of %" PRIu64,
		  why, sim.store.stored, kept, sim.store.seq);
	sim.crashes++;
	sim_count_waits();
	core_free(sim.core);
	sim.core = NULL;
	sim_store_apply(&sim.store, kept);
	sim_store_crash(&sim.store);
	sim.life++;
	sim.wake = 0;
	for (int a = 0; a < AGENTS; a++) {
		struct ev *e = sim_ev_new(EVT_CONNECT);

		sim.agents[a].peer = 0;
		e->agent = a;
		sim_ev_at(e, sim.now + 10 + sim_dice(500));
	}
	sim_start();
}

/* Give an event to the core; a crash may follow or come before. */
static int try_step(struct event event)
{
	struct effects fx;
	int rc;

	event.now_ms = sim.now;
	event.wall_ms = 1000000 + sim.now;
	if (!sim.good_clock)
		event.wall_ms += sim_dice(1000000);
	sim.fail_memory = true;
	rc = core_step(sim.core, &event, &fx);
	sim.fail_memory = false;
	core_check(sim.core);
	sim.steps++;
	sim.nomems += rc == E_NOMEM;
	if (rc == OK)
		take_effects(&fx);
	return rc;
}

void sim_step(struct event event)
{
	while (try_step(event) == E_NOMEM)
		if (event.type == EV_REQUEST || event.type == EV_BRANCH_DONE)
			break; /* dropped: they will ask again */
	if (sim.chaos && sim_dice(3000) == 0)
		sim_crash("between steps");
	plan_wake();
}

static void give_rows(void)
{
	struct event e = { .type = EV_LOADED };
	size_t n = sim.store.n_rows;

	/* In any order. */
	for (size_t i = 0; i < n; i++) {
		size_t j = i + (size_t)sim_dice(n - i);
		struct sim_row t = sim.store.rows[i];

		sim.store.rows[i] = sim.store.rows[j];
		sim.store.rows[j] = t;
	}
	for (size_t i = 0; i < n; i++) {
		const struct sim_row *row = &sim.store.rows[i];
		int rc;

		e.row.table = row->table;
		e.row.id = row->id;
		e.row.gtx = row->gtx;
		e.row.body = (struct bytes){ row->body, row->len };
		do
			rc = try_step(e);
		while (rc == E_NOMEM);
		REQUIRE(rc == OK);
	}
}

void sim_start(void)
{
	int rc;

	REQUIRE(core_new(&sim.core, &sim.mem, &sim.config) == OK);
	give_rows();
	do
		rc = try_step((struct event){ .type = EV_READY });
	while (rc == E_NOMEM);
	REQUIRE(rc == OK);
	plan_wake();
}
