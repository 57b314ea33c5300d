#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/fakes/sim_world.h"

/*
 * A whole coordinator, its store, agents with databases and a bad network, in
 * virtual time, from one seed. Any step may be the last before a crash; any
 * message may be lost, doubled or late; memory may run out; agents die. Then
 * all is healed, and within bounded time nothing may be unfinished, no money
 * made or lost, and every answer that was given must be true. A message whose
 * local transaction was committed is delivered to everybody it was for, one
 * whose local transaction was rolled back to nobody.
 *
 * SEEDS=n runs seeds 1 … n, SEED=s only that one (with its trace).
 */

static void on_chaos(void)
{
	if (!sim.chaos)
		return;
	sim_ev_at(sim_ev_new(EVT_CHAOS), sim.now + 200 + sim_dice(1500));
	switch (sim_dice(6)) {
	case 0:
		sim_crash("power");
		break;
	case 1:
		sim_step((struct event){ .type = EV_STORE_FAILED });
		sim_crash("the store failed");
		break;
	case 2:
	case 3:
		sim_disconnect((int)sim_dice(AGENTS), false);
		break;
	default:
		sim_disconnect((int)sim_dice(AGENTS), true);
		break;
	}
}

static void happen(struct ev *e)
{
	struct event event = { 0 };

	switch (e->kind) {
	case EVT_TO_CORE_REQUEST:
		if (!e->by_http && !sim_connected(e->rq.peer))
			break;
		event.type = EV_REQUEST;
		event.request = e->rq;
		if (e->key.len) {
			event.request.lock_keys = &e->key;
			event.request.n_lock_keys = 1;
		}
		sim_step(event);
		break;
	case EVT_TO_CORE_DONE:
		if (peer_is_url(e->done.peer) ? e->life != sim.life
					      : !sim_connected(e->done.peer))
			break;
		event.type = EV_BRANCH_DONE;
		event.done = e->done;
		sim_step(event);
		break;
	case EVT_TO_JOB:
		sim_on_reply(e->job, e);
		break;
	case EVT_TO_AGENT:
		sim_on_command(e);
		break;
	case EVT_JOB_TIMER:
		sim_on_timer(e->job, e->number);
		break;
	case EVT_STORED:
		if (e->life != sim.life || e->number <= sim.store.stored)
			break;
		sim_store_apply(&sim.store, e->number);
		sim_step((struct event){ .type = EV_STORED, .seq = e->number });
		break;
	case EVT_CORE_TIME:
		if (e->life != sim.life)
			break;
		sim.wake = 0;
		sim_step((struct event){ .type = EV_TIME });
		break;
	case EVT_CONNECT:
		sim_connect(e->agent);
		break;
	case EVT_CHAOS:
		on_chaos();
		break;
	case EVT_TO_LETTER:
		sim_letter_on_reply(e);
		break;
	case EVT_LETTER_TIMER:
		sim_letter_on_timer(e->job, e->number);
		break;
	case EVT_TO_ORIGIN:
		sim_on_call(e);
		break;
	case EVT_OPERATOR:
		sim_letters_operate();
		break;
	}
}

static void plan_job(int job)
{
	struct job *j = &sim.jobs[job];
	int64_t amount = 1 + (int64_t)sim_dice(100);
	int from = (int)sim_dice(BANK_DBS);
	int to = (from + 1 + (int)sim_dice(2)) % BANK_DBS;

	j->rq = ++sim.next_rq;
	j->home = (int)sim_dice(AGENTS);
	j->n = 2;
	for (int i = 0; i < 2; i++) {
		j->work[i].tcc = sim_dice(4) == 0;
		j->work[i].db = i ? to : from;
		j->work[i].account =
			(int)sim_dice(2) * !j->work[i].tcc + 3 * j->work[i].tcc;
		j->work[i].delta = i ? amount : -amount;
	}
	if (sim_dice(3) == 0) { /* one more that fails, and may */
		j->work[2].optional = true;
		j->work[2].tcc = true;
		j->work[2].db = (int)sim_dice(BANK_DBS);
		j->n = 3;
	}
	for (int i = 0; i < j->n; i++) {
		j->work[i].agent = j->work[i].db;
		if (j->work[i].db + BANK_DBS < AGENTS && sim_dice(2))
			j->work[i].agent += BANK_DBS;
	}
	/* Every other world is crowded. */
	sim_job_timer(job, sim_dice(sim.seed % 2 ? CHAOS_MS : 800));
}

static bool finished(void)
{
	for (int j = 0; j < JOBS; j++)
		if (sim.jobs[j].state != JOB_OVER)
			return false;
	return sim_letters_finished() && core_stats(sim.core).gtx_now == 0;
}

/* What does not end, and why. */
static void trace_branch(void *ctx, struct branch_view v)
{
	(void)ctx;
	sim_trace("  branch %" PRIu64 " %s: %s", v.id,
		  branch_status_name((int)v.status), v.why ? v.why : "");
}

static bool trace_gtx(void *ctx, struct gtx_view v)
{
	struct gtx_view again;

	(void)ctx;
	sim_trace("unfinished %" PRIu64 " %s: %s", v.number,
		  gtx_status_name((int)v.status), v.why ? v.why : "");
	(void)!core_show(sim.core, v.number, sim.now, &again, trace_branch,
			 NULL);
	return true;
}

static void trace_unfinished(void)
{
	struct gtx_filter all = { .status = -1, .limit = 10 };

	core_list(sim.core, &all, sim.now, trace_gtx, NULL);
}

static void run_world(void)
{
	struct ev *e;

	while ((e = sim_ev_next())) {
		sim.now = e->node.due;
		if (sim.chaos && sim.now > CHAOS_MS) {
			sim_trace("healed");
			sim.chaos = false;
		}
		happen(e);
		free(e);
		if (sim.now > CHAOS_MS && finished())
			return;
		if (sim.now >= CHAOS_MS + HEAL_MS)
			trace_unfinished();
		REQUIRE(sim.now < CHAOS_MS + HEAL_MS); /* it ends */
	}
	REQUIRE(finished());
}

/* What the answer means for each branch that was done. */
static enum work_state promised(const struct job *j)
{
	bool asked = j->err == OK;

	REQUIRE(asked || j->err == E_STATE);
	return asked == j->commit ? WORK_COMMITTED : WORK_ROLLBACKED;
}

static void audit(void)
{
	sim_letters_audit();
	REQUIRE(bank_total(&sim.bank) == BANK_DBS * BANK_ACCOUNTS * 1000);
	for (const struct work *k = sim.bank.works; k; k = k->next)
		REQUIRE(k->state != WORK_DONE); /* all were finished */
	for (int i = 0; i < JOBS; i++) {
		const struct job *j = &sim.jobs[i];

		for (int n = 0; j->answered && n < j->n; n++) {
			struct work *k =
				bank_find(&sim.bank, j->work[n].branch);

			if (k && !j->work[n].optional)
				REQUIRE(k->state == promised(j));
		}
		for (int n = 0; j->err == E_NOTFOUND && n < j->n; n++) {
			struct work *k =
				bank_find(&sim.bank, j->work[n].branch);

			REQUIRE(!k || k->state != WORK_COMMITTED);
		}
	}
}

static void configure(void)
{
	core_config_default(&sim.config);
	sim.config.coordinator = BYTES("tc:1");
	sim.config.seed = sim.seed;
	sim.config.id_block = 64; /* so that blocks end often */
	sim.config.command_timeout_ms = 1000;
	sim.config.retry_ms_first = 50;
	sim.config.retry_ms_max = 2000;
	sim.config.in_flight_per_peer_max = 3;
	sim.config.tombstones_max = 1000;
}

static void run(uint64_t seed)
{
	struct ev *e;

	memset(&sim, 0, sizeof sim);
	sim.seed = seed;
	sim.rng = seed * 7919;
	sim.chaos = true;
	sim.good_clock = seed % 3 != 0;
	sim.mem = (struct mem){ sim_alloc, sim_free, NULL };
	configure();
	heap_init(&sim.events, &mem_heap);
	bank_init(&sim.bank);
	sim_start();
	for (int a = 0; a < AGENTS; a++) {
		sim.agents[a].db = a % BANK_DBS;
		sim_connect(a);
	}
	for (int j = 0; j < JOBS; j++)
		plan_job(j);
	sim_letters_plan();
	sim_letters_operate();
	sim_ev_at(sim_ev_new(EVT_CHAOS), sim_dice(1000));
	run_world();
	audit();
	while ((e = sim_ev_next()))
		free(e);
	sim_count_waits();
	core_free(sim.core);
	sim_store_fini(&sim.store);
	bank_fini(&sim.bank);
	heap_fini(&sim.events);
}

static uint64_t number(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);

	return text ? strtoull(text, NULL, 10) : otherwise;
}

static void test_money_is_neither_made_nor_lost(void **state)
{
	uint64_t one = number("SEED", 0), n = number("SEEDS", 400);
	uint64_t steps = 0, crashes = 0, commits = 0, rollbacks = 0;
	uint64_t waits = 0, cycles = 0;
	uint64_t delivered = 0, checks = 0, dead = 0;

	(void)state;
	signal(SIGABRT, sim_print);
	for (uint64_t seed = one ? one : 1; seed <= (one ? one : n); seed++) {
		run(seed);
		steps += sim.steps;
		crashes += sim.crashes;
		commits += sim.commits;
		rollbacks += sim.rollbacks;
		waits += sim.waits;
		cycles += sim.cycles;
		delivered += sim.delivered;
		checks += sim.checks;
		dead += sim.dead_letters;
	}
	if (one)
		sim_print(0);
	print_message("%" PRIu64 " steps, %" PRIu64 " crashes, %" PRIu64
		      " commits, %" PRIu64 " rollbacks, %" PRIu64
		      " lock waits, %" PRIu64 " cycles\n",
		      steps, crashes, commits, rollbacks, waits, cycles);
	print_message("%" PRIu64 " deliveries, %" PRIu64 " checks, %" PRIu64
		      " transactions with dead letters\n",
		      delivered, checks, dead);
	/* A simulation in which nothing happens proves nothing. */
	assert_true(commits > 0 && rollbacks > 0 && crashes > 0);
	assert_true(delivered > 0 && checks > 0 && (one || dead > 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_money_is_neither_made_nor_lost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
