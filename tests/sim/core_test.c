#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/heap.h"
#include "base/xid.h"
#include "tests/fakes/sim_bank.h"
#include "tests/fakes/sim_store.h"

/*
 * A whole coordinator, its store, agents with databases and a bad network, in
 * virtual time, from one seed. Any step may be the last before a crash; any
 * message may be lost, doubled or late; memory may run out; agents die. Then
 * all is healed, and within bounded time nothing may be unfinished, no money
 * made or lost, and every answer that was given must be true.
 *
 * SEEDS=n runs seeds 1 … n, SEED=s only that one (with its trace).
 */

#define AGENTS      5
#define JOBS        40
#define CHAOS_MS    60000
#define HEAL_MS     900000
#define RESEND_MS   400
#define TRACE_MAX   300
#define WORKS_MAX   4
#define ACK_WAIT_MS 3000

enum ev_kind {
	EVT_TO_CORE_REQUEST,
	EVT_TO_CORE_DONE,
	EVT_TO_JOB,    /* a reply */
	EVT_TO_AGENT,  /* a command */
	EVT_JOB_TIMER, /* resend, or start */
	EVT_STORED,    /* the disk is as far as .number */
	EVT_CORE_TIME,
	EVT_CONNECT, /* an agent connects */
	EVT_CHAOS,
};

struct ev {
	struct heap_node node;
	enum ev_kind kind;
	uint64_t life; /* of the core, for what dies with it */
	int job, agent;
	uint64_t number;
	struct request rq;
	struct bytes key;
	uint8_t key_data[16];
	char xid[64];
	char resource[16];
	struct reply reply;
	struct command command;
	struct branch_done done;
};

struct agent {
	int db;
	uint64_t peer; /* 0: not connected */
	uint64_t life;
};

enum job_state {
	JOB_BEGIN,
	JOB_LOCAL,
	JOB_REGISTER,
	JOB_REPORT,
	JOB_END,
	JOB_OVER
};

struct job {
	enum job_state state;
	int home; /* agent of the transaction manager */
	char xid[64];
	uint64_t gtx;
	uint64_t rq; /* the request that is open */
	int tries;
	int n, at; /* works */
	struct {
		bool tcc, optional;
		int db, account, agent;
		uint64_t life; /* of the agent that runs it */
		int64_t delta;
		uint64_t branch;
		bool locked;
	} work[WORKS_MAX];
	bool commit;
	int err;
	enum gtx_status answered; /* final or decided status heard */
};

static struct world {
	uint64_t seed, rng, now;
	bool chaos;
	struct core *core;
	struct core_config config;
	struct mem mem;
	bool fail_memory;
	uint64_t life, next_peer, next_rq;
	struct sim_store store;
	struct bank bank;
	struct agent agents[AGENTS];
	struct job jobs[JOBS];
	struct heap events;
	size_t n_events;
	uint64_t wake; /* when a EVT_CORE_TIME is on its way */
	uint64_t crashes, steps, nomems, commits, rollbacks;
	uint64_t waits, cycles;
	char trace[TRACE_MAX][160];
	size_t n_trace;
} w;

static void trace(const char *fmt, ...) PRINTF_LIKE(1, 2);

static void trace(const char *fmt, ...)
{
	char *line = w.trace[w.n_trace++ % TRACE_MAX];
	va_list args;
	int n = snprintf(line, 16, "%8" PRIu64 " ", w.now);

	va_start(args, fmt);
	vsnprintf(line + n, sizeof w.trace[0] - (size_t)n, fmt, args);
	va_end(args);
}

static void print_trace(int sig)
{
	size_t first = w.n_trace > TRACE_MAX ? w.n_trace - TRACE_MAX : 0;

	for (size_t i = first; i < w.n_trace; i++)
		fprintf(stderr, "%s\n", w.trace[i % TRACE_MAX]);
	fprintf(stderr, "failed with SEED=%" PRIu64 "\n", w.seed);
	(void)sig;
}

static uint64_t dice(uint64_t n)
{
	return random_next(&w.rng) % n;
}

/* With bad luck of so many in a hundred, while there is chaos. */
static bool bad_luck(uint64_t percent)
{
	return w.chaos && dice(100) < percent;
}

/* ---- memory that fails now and then ---- */

static void *sim_alloc(void *ctx, size_t size)
{
	(void)ctx;
	if (w.fail_memory && bad_luck(1))
		return NULL;
	return calloc(1, size ? size : 1);
}

static void sim_free(void *ctx, void *p)
{
	(void)ctx;
	free(p);
}

/* ---- the queue of what will happen ---- */

static struct ev *ev_new(enum ev_kind kind)
{
	struct ev *e = calloc(1, sizeof *e);

	REQUIRE(e);
	e->kind = kind;
	e->life = w.life;
	return e;
}

static void ev_at(struct ev *e, uint64_t due)
{
	REQUIRE(heap_reserve(&w.events, w.n_events + 1) == OK);
	w.n_events++;
	heap_set(&w.events, &e->node, due);
}

static struct ev *ev_next(void)
{
	struct heap_node *n = heap_first(&w.events);

	if (!n)
		return NULL;
	heap_remove(&w.events, n);
	w.n_events--;
	return CONTAINER_OF(n, struct ev, node);
}

static void relocate(struct ev *e, const struct ev *from)
{
	/* Borrowed texts point into the event itself. */
	if (from->rq.xid.len)
		e->rq.xid.data = (uint8_t *)e->xid;
	if (from->rq.resource.len)
		e->rq.resource.data = (uint8_t *)e->resource;
	if (from->key.len)
		e->key.data = e->key_data;
}

/* Over the network: late, maybe twice, maybe never. */
static void ev_send(struct ev *e)
{
	if (bad_luck(5)) {
		struct ev *twin = ev_new(e->kind);

		*twin = *e;
		twin->node = (struct heap_node){ 0 };
		relocate(twin, e);
		ev_at(twin, w.now + 1 + dice(2000));
	}
	if (bad_luck(5)) {
		free(e);
		return;
	}
	ev_at(e, w.now + 1 + dice(bad_luck(5) ? 3000 : 20));
}

/* ---- the core and its store ---- */

static void step(struct event event);

static void take_reply(const struct reply *r)
{
	struct ev *e;

	for (int j = 0; j < JOBS; j++) {
		if (w.jobs[j].rq != r->id || w.jobs[j].state == JOB_OVER)
			continue;
		e = ev_new(EVT_TO_JOB);
		e->job = j;
		e->reply = *r;
		snprintf(e->xid, sizeof e->xid, "%.*s", (int)r->xid.len,
			 (const char *)r->xid.data);
		e->reply.xid = e->reply.holder = e->reply.key = e->reply.text =
			(struct bytes){ 0 };
		ev_send(e);
	}
}

static void take_command(const struct command *co)
{
	for (int a = 0; a < AGENTS; a++) {
		struct ev *e;

		if (w.agents[a].peer != co->peer)
			continue;
		e = ev_new(EVT_TO_AGENT);
		e->agent = a;
		e->number = co->peer;
		e->command = *co;
		snprintf(e->xid, sizeof e->xid, "%.*s", (int)co->xid.len,
			 (const char *)co->xid.data);
		ev_send(e);
	}
}

static void plan_wake(void)
{
	uint64_t due = core_deadline(w.core);
	struct ev *e;

	if (due == UINT64_MAX || (w.wake && w.wake <= due))
		return;
	e = ev_new(EVT_CORE_TIME);
	w.wake = due > w.now ? due : w.now;
	ev_at(e, w.wake);
}

static void take_effects(const struct effects *fx)
{
	sim_store_take(&w.store, fx);
	for (size_t i = 0; i < fx->n; i++) {
		if (fx->items[i].type == FX_REPLY)
			take_reply(&fx->items[i].reply);
		else if (fx->items[i].type == FX_COMMAND)
			take_command(&fx->items[i].command);
	}
	if (fx->forced) {
		struct ev *e = ev_new(EVT_STORED);

		e->number = fx->seq;
		ev_at(e, w.now + dice(bad_luck(3) ? 2000 : 10));
	}
}

static void start_core(void);

static void count_waits(void)
{
	struct core_stats s = core_stats(w.core);

	w.waits += s.lock_waits;
	w.cycles += s.deadlocks;
}

static void crash(const char *why)
{
	/* What was not said to be durable may still have reached the disk. */
	uint64_t ahead = w.store.seq - w.store.stored;
	uint64_t kept = w.store.stored + (ahead ? dice(ahead + 1) : 0);

	trace("crash: %s; stored %" PRIu64 ", kept %" PRIu64 " of %" PRIu64,
	      why, w.store.stored, kept, w.store.seq);
	w.crashes++;
	count_waits();
	core_free(w.core);
	w.core = NULL;
	sim_store_apply(&w.store, kept);
	sim_store_crash(&w.store);
	w.life++;
	w.wake = 0;
	for (int a = 0; a < AGENTS; a++) {
		struct ev *e = ev_new(EVT_CONNECT);

		w.agents[a].peer = 0;
		e->agent = a;
		ev_at(e, w.now + 10 + dice(500));
	}
	start_core();
}

/* Give an event to the core; a crash may follow or come before. */
static int try_step(struct event event)
{
	struct effects fx;
	int rc;

	event.now_ms = w.now;
	event.wall_ms = 1000000 + dice(1000000); /* a bad clock */
	w.fail_memory = true;
	rc = core_step(w.core, &event, &fx);
	w.fail_memory = false;
	core_check(w.core);
	w.steps++;
	w.nomems += rc == E_NOMEM;
	if (rc == OK)
		take_effects(&fx);
	return rc;
}

static void step(struct event event)
{
	while (try_step(event) == E_NOMEM)
		if (event.type == EV_REQUEST || event.type == EV_BRANCH_DONE)
			break; /* dropped: they will ask again */
	if (w.chaos && dice(3000) == 0)
		crash("between steps");
	plan_wake();
}

static void give_rows(void)
{
	struct event e = { .type = EV_LOADED };
	size_t n = w.store.n_rows;

	/* In any order. */
	for (size_t i = 0; i < n; i++) {
		size_t j = i + (size_t)dice(n - i);
		struct sim_row t = w.store.rows[i];

		w.store.rows[i] = w.store.rows[j];
		w.store.rows[j] = t;
	}
	for (size_t i = 0; i < n; i++) {
		const struct sim_row *row = &w.store.rows[i];
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

static void start_core(void)
{
	int rc;

	REQUIRE(core_new(&w.core, &w.mem, &w.config) == OK);
	give_rows();
	do
		rc = try_step((struct event){ .type = EV_READY });
	while (rc == E_NOMEM);
	REQUIRE(rc == OK);
	plan_wake();
}

/* ---- jobs: what the services do ---- */

static uint64_t home_peer(const struct job *j)
{
	return w.agents[j->home].peer;
}

static void timer(int job, uint64_t ms)
{
	struct ev *e = ev_new(EVT_JOB_TIMER);

	e->job = job;
	e->number = w.jobs[job].rq;
	ev_at(e, w.now + ms);
}

static struct ev *request(int job, enum request_type type, uint64_t peer)
{
	struct job *j = &w.jobs[job];
	struct ev *e = ev_new(EVT_TO_CORE_REQUEST);

	e->job = job;
	e->rq.type = type;
	e->rq.peer = peer;
	e->rq.id = j->rq;
	memcpy(e->xid, j->xid, sizeof e->xid);
	e->rq.xid = bytes_of(e->xid);
	return e;
}

static void send_register(int job)
{
	struct job *j = &w.jobs[job];
	struct ev *e =
		request(job, RQ_REGISTER, w.agents[j->work[j->at].agent].peer);

	e->rq.mode = j->work[j->at].tcc ? MODE_TCC : MODE_AT;
	snprintf(e->resource, sizeof e->resource, "db%d", j->work[j->at].db);
	e->rq.resource = bytes_of(e->resource);
	e->rq.client_key = (uint64_t)j->at + 1;
	e->rq.wait_ms = dice(3) ? dice(2000) : 0;
	if (!j->work[j->at].tcc) {
		e->key_data[0] = (uint8_t)('a' + j->work[j->at].db);
		e->key_data[1] = (uint8_t)('0' + j->work[j->at].account);
		e->key = (struct bytes){ e->key_data, 2 };
	}
	ev_send(e);
}

static void send_open(int job)
{
	struct job *j = &w.jobs[job];
	struct ev *e;

	j->tries++;
	timer(job, RESEND_MS + dice(200));
	switch (j->state) {
	case JOB_BEGIN:
		e = request(job, RQ_BEGIN, home_peer(j));
		e->rq.xid.len = 0;
		e->rq.timeout_ms = 2000 + dice(8000);
		e->rq.ordered = j->work[0].delta % 5 == 0;
		ev_send(e);
		break;
	case JOB_REGISTER:
		send_register(job);
		break;
	case JOB_REPORT:
		e = request(job, RQ_REPORT,
			    w.agents[j->work[j->at].agent].peer);
		e->rq.branch = j->work[j->at].branch;
		e->rq.report = BRANCH_PHASE_ONE_FAILED;
		ev_send(e);
		break;
	case JOB_END:
		e = request(job, j->commit ? RQ_COMMIT : RQ_ROLLBACK,
			    home_peer(j));
		e->rq.wait_ms = dice(2) ? ACK_WAIT_MS : 0;
		ev_send(e);
		break;
	case JOB_LOCAL:
	case JOB_OVER:
		break;
	}
}

static void next_request(int job, enum job_state state)
{
	struct job *j = &w.jobs[job];

	j->state = state;
	j->tries = 0;
	j->rq = ++w.next_rq;
	send_open(job);
}

static void unlock_row(struct job *j, int i)
{
	if (!j->work[i].locked)
		return;
	j->work[i].locked = false;
	w.bank.row_lock[j->work[i].db][j->work[i].account] = 0;
}

static void end_job(int job, bool commit)
{
	struct job *j = &w.jobs[job];

	for (int i = 0; i < j->n; i++)
		unlock_row(j, i);
	j->commit = commit;
	if (bad_luck(5)) { /* the service died: the time-out decides */
		j->state = JOB_OVER;
		return;
	}
	next_request(job, JOB_END);
}

/* Begin the next piece of work: local update, then registration. */
static void next_work(int job)
{
	struct job *j = &w.jobs[job];
	uint64_t *row;

	if (j->at == j->n) {
		end_job(job, dice(5) != 0);
		return;
	}
	row = &w.bank.row_lock[j->work[j->at].db][j->work[j->at].account];
	if (!j->work[j->at].tcc) {
		if (*row) { /* the database's own lock wait */
			if (j->state != JOB_LOCAL)
				j->tries = 0;
			j->state = JOB_LOCAL;
			j->rq = ++w.next_rq;
			timer(job, 50);
			return;
		}
		*row = (uint64_t)job + 1;
		j->work[j->at].locked = true;
	}
	j->work[j->at].life = w.agents[j->work[j->at].agent].life;
	next_request(job, JOB_REGISTER);
}

static void registered(int job, const struct reply *r)
{
	struct job *j = &w.jobs[job];
	int i = j->at;
	bool done = false;

	j->work[i].branch = r->branch;
	if (j->work[i].life == w.agents[j->work[i].agent].life &&
	    !j->work[i].optional)
		done = bank_do(&w.bank, j->gtx, r->branch, j->work[i].tcc,
			       j->work[i].db, j->work[i].account,
			       j->work[i].delta);
	unlock_row(j, i);
	trace("job %d branch %" PRIu64 " %s", job, r->branch,
	      done ? "done" : "not done");
	if (done) {
		j->at++;
		next_work(job);
	} else if (j->work[i].optional) {
		bank_fail(&w.bank, j->gtx, r->branch, j->work[i].tcc,
			  j->work[i].db);
		next_request(job, JOB_REPORT);
	} else {
		end_job(job, false);
	}
}

static void ended(int job, const struct reply *r)
{
	struct job *j = &w.jobs[job];
	bool yes = r->err == OK;

	trace("job %d %s: %s, %s", job, j->commit ? "commit" : "rollback",
	      err_name(r->err), gtx_status_name((int)r->status));
	j->err = r->err;
	j->answered = r->status;
	j->state = JOB_OVER;
	w.commits += yes && j->commit;
	w.rollbacks += yes && !j->commit;
	if (r->err != OK)
		REQUIRE(r->err == E_STATE || r->err == E_NOTFOUND);
}

static void on_reply(int job, const struct ev *e)
{
	struct job *j = &w.jobs[job];
	const struct reply *r = &e->reply;

	if (r->id != j->rq || j->state == JOB_OVER)
		return;
	switch (j->state) {
	case JOB_BEGIN:
		REQUIRE(r->err == OK);
		memcpy(j->xid, e->xid, sizeof j->xid);
		j->gtx = (uint64_t)strtoull(strrchr(j->xid, ':') + 1, NULL, 10);
		trace("job %d is %s", job, j->xid);
		next_work(job);
		break;
	case JOB_REGISTER:
		if (r->err == OK) {
			registered(job, r);
		} else {
			trace("job %d register: %s", job, err_name(r->err));
			end_job(job, false);
		}
		break;
	case JOB_REPORT:
		if (r->err == OK) {
			j->at++;
			next_work(job);
		} else {
			end_job(job, false);
		}
		break;
	case JOB_END:
		ended(job, r);
		break;
	case JOB_LOCAL:
	case JOB_OVER:
		break;
	}
}

static void on_timer(int job, uint64_t rq)
{
	struct job *j = &w.jobs[job];

	if (j->state == JOB_OVER || rq != j->rq)
		return;
	if (j->state == JOB_LOCAL && j->tries++ < 20) {
		next_work(job);
		return;
	}
	/* Give up, but never on an outcome. */
	if (j->state == JOB_LOCAL || (j->state != JOB_END && j->tries > 12)) {
		if (j->state == JOB_BEGIN)
			j->state = JOB_OVER;
		else
			end_job(job, false);
		return;
	}
	send_open(job);
}

/* ---- agents ---- */

static void connect_agent(int a)
{
	struct event e = { .type = EV_PEER_UP };
	char resource[16], instance[16];
	struct bytes r;

	if (w.agents[a].peer)
		return;
	snprintf(resource, sizeof resource, "db%d", w.agents[a].db);
	snprintf(instance, sizeof instance, "i%d.%d", a, (int)w.agents[a].life);
	r = bytes_of(resource);
	w.agents[a].peer = ++w.next_peer;
	e.up = (struct peer_up){ .peer = w.agents[a].peer,
				 .application = r,
				 .instance = bytes_of(instance),
				 .resources = &r,
				 .n_resources = 1 };
	step(e);
}

static void disconnect_agent(int a, bool dies)
{
	uint64_t peer = w.agents[a].peer;
	struct ev *e = ev_new(EVT_CONNECT);

	e->agent = a;
	ev_at(e, w.now + 5 + dice(dies ? 3000 : 300));
	if (dies) {
		w.agents[a].life++;
		for (int j = 0; j < JOBS; j++) /* its databases roll back */
			for (int i = 0; i < w.jobs[j].n; i++)
				if (w.jobs[j].work[i].agent == a)
					unlock_row(&w.jobs[j], i);
	}
	w.agents[a].peer = 0;
	trace("agent %d %s", a, dies ? "dies" : "disconnects");
	if (peer)
		step((struct event){ .type = EV_PEER_GONE, .peer = peer });
}

static void on_command(const struct ev *e)
{
	const struct command *co = &e->command;
	struct agent *a = &w.agents[e->agent];
	struct ev *answer;
	uint64_t gtx;

	if (a->peer != e->number || bad_luck(3)) /* gone, or it hangs */
		return;
	gtx = (uint64_t)strtoull(strrchr(e->xid, ':') + 1, NULL, 10);
	answer = ev_new(EVT_TO_CORE_DONE);
	answer->done = (struct branch_done){ .peer = a->peer,
					     .command = co->id,
					     .branch = co->branch };
	if (bad_luck(10))
		answer->done.status = co->type == COMMAND_COMMIT
					      ? BRANCH_COMMIT_RETRYABLE
					      : BRANCH_ROLLBACK_RETRYABLE;
	else
		answer->done.status = bank_command(&w.bank, gtx, co->branch,
						   co->mode == MODE_TCC, a->db,
						   co->type == COMMAND_COMMIT);
	trace("branch %" PRIu64 " of %" PRIu64 " attempt %" PRIu32 ": %s",
	      co->branch, gtx, co->attempt,
	      branch_status_name((int)answer->done.status));
	ev_send(answer);
}

static bool connected(uint64_t peer)
{
	for (int a = 0; a < AGENTS; a++)
		if (peer && w.agents[a].peer == peer)
			return true;
	return false;
}

/* ---- the world ---- */

static void on_chaos(void)
{
	if (!w.chaos)
		return;
	ev_at(ev_new(EVT_CHAOS), w.now + 200 + dice(1500));
	switch (dice(6)) {
	case 0:
		crash("power");
		break;
	case 1:
		step((struct event){ .type = EV_STORE_FAILED });
		crash("the store failed");
		break;
	case 2:
	case 3:
		disconnect_agent((int)dice(AGENTS), false);
		break;
	default:
		disconnect_agent((int)dice(AGENTS), true);
		break;
	}
}

static void happen(struct ev *e)
{
	struct event event = { 0 };

	switch (e->kind) {
	case EVT_TO_CORE_REQUEST:
		if (!connected(e->rq.peer))
			break;
		event.type = EV_REQUEST;
		event.request = e->rq;
		if (e->key.len) {
			event.request.lock_keys = &e->key;
			event.request.n_lock_keys = 1;
		}
		step(event);
		break;
	case EVT_TO_CORE_DONE:
		if (!connected(e->done.peer))
			break;
		event.type = EV_BRANCH_DONE;
		event.done = e->done;
		step(event);
		break;
	case EVT_TO_JOB:
		on_reply(e->job, e);
		break;
	case EVT_TO_AGENT:
		on_command(e);
		break;
	case EVT_JOB_TIMER:
		on_timer(e->job, e->number);
		break;
	case EVT_STORED:
		if (e->life != w.life || e->number <= w.store.stored)
			break;
		sim_store_apply(&w.store, e->number);
		step((struct event){ .type = EV_STORED, .seq = e->number });
		break;
	case EVT_CORE_TIME:
		if (e->life != w.life)
			break;
		w.wake = 0;
		step((struct event){ .type = EV_TIME });
		break;
	case EVT_CONNECT:
		connect_agent(e->agent);
		break;
	case EVT_CHAOS:
		on_chaos();
		break;
	}
}

static void plan_job(int job)
{
	struct job *j = &w.jobs[job];
	int64_t amount = 1 + (int64_t)dice(100);
	int from = (int)dice(BANK_DBS);
	int to = (from + 1 + (int)dice(2)) % BANK_DBS;

	j->rq = ++w.next_rq;
	j->home = (int)dice(AGENTS);
	j->n = 2;
	for (int i = 0; i < 2; i++) {
		j->work[i].tcc = dice(4) == 0;
		j->work[i].db = i ? to : from;
		j->work[i].account =
			(int)dice(2) * !j->work[i].tcc + 3 * j->work[i].tcc;
		j->work[i].delta = i ? amount : -amount;
	}
	if (dice(3) == 0) { /* one more that fails, and may */
		j->work[2].optional = true;
		j->work[2].tcc = true;
		j->work[2].db = (int)dice(BANK_DBS);
		j->n = 3;
	}
	for (int i = 0; i < j->n; i++) {
		j->work[i].agent = j->work[i].db;
		if (j->work[i].db + BANK_DBS < AGENTS && dice(2))
			j->work[i].agent += BANK_DBS;
	}
	/* Every other world is crowded. */
	timer(job, dice(w.seed % 2 ? CHAOS_MS : 800));
}

static bool finished(void)
{
	for (int j = 0; j < JOBS; j++)
		if (w.jobs[j].state != JOB_OVER)
			return false;
	return core_stats(w.core).gtx_now == 0;
}

static void run_world(void)
{
	struct ev *e;

	while ((e = ev_next())) {
		w.now = e->node.due;
		if (w.chaos && w.now > CHAOS_MS) {
			trace("healed");
			w.chaos = false;
		}
		happen(e);
		free(e);
		if (w.now > CHAOS_MS && finished())
			return;
		REQUIRE(w.now < CHAOS_MS + HEAL_MS); /* it ends */
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
	REQUIRE(bank_total(&w.bank) == BANK_DBS * BANK_ACCOUNTS * 1000);
	for (const struct work *k = w.bank.works; k; k = k->next)
		REQUIRE(k->state != WORK_DONE); /* all were finished */
	for (int i = 0; i < JOBS; i++) {
		const struct job *j = &w.jobs[i];

		for (int n = 0; j->answered && n < j->n; n++) {
			struct work *k = bank_find(&w.bank, j->work[n].branch);

			if (k && !j->work[n].optional)
				REQUIRE(k->state == promised(j));
		}
		for (int n = 0; j->err == E_NOTFOUND && n < j->n; n++) {
			struct work *k = bank_find(&w.bank, j->work[n].branch);

			REQUIRE(!k || k->state != WORK_COMMITTED);
		}
	}
}

static void configure(void)
{
	core_config_default(&w.config);
	w.config.coordinator = BYTES("tc:1");
	w.config.seed = w.seed;
	w.config.id_block = 64; /* so that blocks end often */
	w.config.command_timeout_ms = 1000;
	w.config.retry_ms_first = 50;
	w.config.retry_ms_max = 2000;
	w.config.in_flight_per_peer_max = 3;
	w.config.tombstones_max = 1000;
}

static void run(uint64_t seed)
{
	struct ev *e;

	memset(&w, 0, sizeof w);
	w.seed = seed;
	w.rng = seed * 7919;
	w.chaos = true;
	w.mem = (struct mem){ sim_alloc, sim_free, NULL };
	configure();
	heap_init(&w.events, &mem_heap);
	bank_init(&w.bank);
	start_core();
	for (int a = 0; a < AGENTS; a++) {
		w.agents[a].db = a % BANK_DBS;
		connect_agent(a);
	}
	for (int j = 0; j < JOBS; j++)
		plan_job(j);
	ev_at(ev_new(EVT_CHAOS), dice(1000));
	run_world();
	audit();
	while ((e = ev_next()))
		free(e);
	count_waits();
	core_free(w.core);
	sim_store_fini(&w.store);
	bank_fini(&w.bank);
	heap_fini(&w.events);
}

static uint64_t number(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);

	return text ? strtoull(text, NULL, 10) : otherwise;
}

static void test_money_is_neither_made_nor_lost(void **state)
{
	uint64_t one = number("SEED", 0), n = number("SEEDS", 150);
	uint64_t steps = 0, crashes = 0, commits = 0, rollbacks = 0;
	uint64_t waits = 0, cycles = 0;

	(void)state;
	signal(SIGABRT, print_trace);
	for (uint64_t seed = one ? one : 1; seed <= (one ? one : n); seed++) {
		run(seed);
		steps += w.steps;
		crashes += w.crashes;
		commits += w.commits;
		rollbacks += w.rollbacks;
		waits += w.waits;
		cycles += w.cycles;
	}
	if (one)
		print_trace(0);
	print_message("%" PRIu64 " steps, %" PRIu64 " crashes, %" PRIu64
		      " commits, %" PRIu64 " rollbacks, %" PRIu64
		      " lock waits, %" PRIu64 " cycles\n",
		      steps, crashes, commits, rollbacks, waits, cycles);
	/* A simulation in which nothing happens proves nothing. */
	assert_true(commits > 0 && rollbacks > 0 && crashes > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_money_is_neither_made_nor_lost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
