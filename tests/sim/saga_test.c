#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/hash.h"
#include "base/heap.h"
#include "tc/core/record.h"
#include "tc/saga/saga.h"
#include "tc/saga/val.h"
#include "tests/fakes/sim_store.h"

/*
 * Sagas in a whole coordinator, in virtual time, from one seed: a late store,
 * a bad network, participants that crash, answer late, twice or never, refuse,
 * and are in progress; clients that ask again, operators, memory that runs out,
 * clocks that are set. Any step may be the last before a crash, which keeps any
 * number of the steps that were not said to be durable.
 *
 * Then all is healed, and it must hold:
 *   - every run ends, and what was said to be its end is;
 *   - if it committed, everything that its path calls done is done; if not,
 *     nothing is done that was not undone;
 *   - no call left before the state that made it was durable;
 *   - no action left after its own compensation had.
 *
 * SEEDS=n runs seeds 1 … n, SEED=s only that one (with its trace).
 */

enum {
	AGENTS = 3,
	RUNS = 12,
	MACHINES = 6,
	WORKS_MAX = 4000,
	TRACE_MAX = 4000,
	CHAOS_MS = 60000,
	HEAL_MS = 4000000,
};

static const char *const names[MACHINES] = { "line",   "wide",  "ahead",
					     "states", "outer", "loop" };
static const char *const machines[MACHINES] = {
	/* one after another */
	"{\"name\":\"line\",\"steps\":["
	"{\"name\":\"a\",\"action\":\"s0\",\"compensation\":\"u0\"},"
	"{\"name\":\"b\",\"action\":\"s1\",\"compensation\":\"u1\"},"
	"{\"name\":\"c\",\"action\":\"http://web:1/c\",\"compensation\":"
	"\"http://web:1/u\"}]}",
	/* side by side */
	"{\"name\":\"wide\",\"steps\":["
	"{\"name\":\"a\",\"action\":\"s0\",\"compensation\":\"u0\"},"
	"{\"name\":\"b\",\"action\":\"s1\",\"compensation\":\"u1\","
	"\"after\":[]},"
	"{\"name\":\"c\",\"action\":\"s2\",\"compensation\":\"u2\","
	"\"after\":[]},"
	"{\"name\":\"d\",\"action\":\"s0\",\"compensation\":\"u0\","
	"\"after\":[\"a\",\"b\",\"c\"]}]}",
	/* never back */
	"{\"name\":\"ahead\",\"recovery\":\"forward\",\"steps\":["
	"{\"name\":\"a\",\"action\":\"s0\",\"compensation\":\"u0\"},"
	"{\"name\":\"b\",\"action\":\"http://web:2/b\",\"compensation\":"
	"\"u1\"}]}",
	/* a state machine with retries and another way out */
	"{\"Name\":\"states\",\"StartState\":\"A\",\"States\":{"
	"\"A\":{\"Type\":\"ServiceTask\",\"ServiceName\":\"s0\","
	"\"ServiceMethod\":\"m\","
	"\"CompensateState\":\"UA\",\"Next\":\"B\",\"Retry\":[{"
	"\"IntervalSeconds\":1,\"MaxAttempts\":2}]},"
	"\"B\":{\"Type\":\"ServiceTask\",\"ServiceName\":\"s1\","
	"\"ServiceMethod\":\"m\","
	"\"CompensateState\":\"UB\",\"Next\":\"E\",\"TimeoutSeconds\":1,"
	"\"Catch\":[{\"Exceptions\":[\"sold out\"],\"Next\":\"C\"}]},"
	"\"C\":{\"Type\":\"ServiceTask\",\"ServiceName\":\"s2\","
	"\"ServiceMethod\":\"m\","
	"\"CompensateState\":\"UC\",\"Next\":\"E\"},"
	"\"UA\":{\"Type\":\"ServiceTask\",\"ServiceName\":\"u0\","
	"\"ServiceMethod\":\"m\"},"
	"\"UB\":{\"Type\":\"ServiceTask\",\"ServiceName\":\"u1\","
	"\"ServiceMethod\":\"m\"},"
	"\"UC\":{\"Type\":\"ServiceTask\",\"ServiceName\":\"u2\","
	"\"ServiceMethod\":\"m\"},"
	"\"E\":{\"Type\":\"Succeed\"}}}",
	/* a part of another one, and a step of its own */
	"{\"Name\":\"outer\",\"StartState\":\"S\",\"States\":{"
	"\"S\":{\"Type\":\"SubStateMachine\",\"StateMachineName\":"
	"\"states\",\"CompensateState\":\"US\",\"Next\":\"D\"},"
	"\"D\":{\"Type\":\"ServiceTask\",\"ServiceName\":\"s2\","
	"\"ServiceMethod\":\"m\","
	"\"CompensateState\":\"UD\",\"Next\":\"E\"},"
	"\"US\":{\"Type\":\"CompensateSubMachine\"},"
	"\"UD\":{\"Type\":\"ServiceTask\",\"ServiceName\":\"u2\","
	"\"ServiceMethod\":\"m\"},"
	"\"E\":{\"Type\":\"Succeed\"}}}",
	/* a loop */
	"{\"Name\":\"loop\",\"StartState\":\"A\",\"States\":{"
	"\"A\":{\"Type\":\"ServiceTask\",\"ServiceName\":\"s1\","
	"\"ServiceMethod\":\"m\","
	"\"CompensateState\":\"UA\",\"Next\":\"E\",\"Loop\":{"
	"\"Parallel\":2,\"Collection\":\"$.[list]\"}},"
	"\"UA\":{\"Type\":\"ServiceTask\",\"ServiceName\":\"u1\","
	"\"ServiceMethod\":\"m\"},"
	"\"E\":{\"Type\":\"Succeed\"}}}",
};

enum ev_kind {
	EVT_TICK, /* of a run's client */
	EVT_REQUEST,
	EVT_REPLY,
	EVT_COMMAND,
	EVT_DONE,
	EVT_STORED,
	EVT_TIME,
	EVT_CONNECT,
	EVT_CHAOS,
};

struct ev {
	struct heap_node node;
	enum ev_kind kind;
	uint64_t life;
	int who; /* run or agent */
	uint64_t number;
	struct request rq;
	struct reply reply;
	struct command command;
	struct branch_done done;
	char xid[64];
	char text[16];
};

/* What a participant knows about one step of one run: the barrier's rows. */
struct work {
	char xid[64];
	uint64_t branch;
	bool done, undone;
	uint32_t refused; /* this attempt and those before; it stays so */
	bool undo_sent;   /* the coordinator said so */
};

struct client {
	char key[16];
	const char *machine;
	char xid[64];
	uint64_t rq;
	enum gtx_status told; /* its end; 0: not yet */
	struct buf end;       /* the document of it */
	bool skipped;         /* an operator took something as done */
};

static struct world {
	uint64_t seed, rng, now, drift;
	bool chaos, fail_memory;
	struct mem mem;
	struct core *core;
	struct core_config config;
	uint64_t life, next_rq, next_peer, wake;
	struct sim_store store;
	struct heap events;
	size_t n_events;
	uint64_t peers[AGENTS];
	struct client runs[RUNS];
	struct saga_def *defs[MACHINES];
	struct work works[WORKS_MAX];
	size_t n_works;
	size_t crashes, steps, nomems;
	size_t committed, rolled_back, refused, moves, calls;
	char trace[TRACE_MAX][160];
	size_t n_trace;
} w;

/* ---- luck, trace, memory ---- */

static void trace(const char *fmt, ...) PRINTF_LIKE(1, 2);

static void trace(const char *fmt, ...)
{
	char *line = w.trace[w.n_trace++ % TRACE_MAX];
	int n = snprintf(line, 160, "%8" PRIu64 " ", w.now);
	va_list args;

	va_start(args, fmt);
	vsnprintf(line + n, (size_t)(160 - n), fmt, args);
	va_end(args);
}

static void print_trace(int sig)
{
	size_t from = w.n_trace > TRACE_MAX ? w.n_trace - TRACE_MAX : 0;

	(void)sig;
	for (size_t i = from; i < w.n_trace; i++)
		fprintf(stderr, "%s\n", w.trace[i % TRACE_MAX]);
	fprintf(stderr, "SEED=%" PRIu64 "\n", w.seed);
}

static uint64_t dice(uint64_t n)
{
	return random_next(&w.rng) % n;
}

static bool bad_luck(uint64_t percent)
{
	return w.chaos && dice(100) < percent;
}

static void *sim_mem_alloc(void *ctx, size_t size)
{
	(void)ctx;
	if (w.fail_memory && w.chaos && dice(400) == 0)
		return NULL;
	return calloc(1, size ? size : 1);
}

static void sim_mem_free(void *ctx, void *p)
{
	(void)ctx;
	free(p);
}

/* ---- what will happen ---- */

static struct ev *ev_new(enum ev_kind kind)
{
	struct ev *e = calloc(1, sizeof *e);

	REQUIRE(e && heap_reserve(&w.events, w.n_events + 1) == OK);
	w.n_events++;
	e->kind = kind;
	e->life = w.life;
	return e;
}

static void ev_in(struct ev *e, uint64_t ms)
{
	heap_set(&w.events, &e->node, w.now + ms);
}

/* Over the network: late, twice, never. */
static void ev_send(struct ev *e)
{
	struct ev *twice;

	if (bad_luck(10)) {
		w.n_events--;
		free(e);
		return;
	}
	if (bad_luck(10)) {
		twice = ev_new(e->kind);
		e->node = twice->node;
		*twice = *e;
		ev_in(twice, dice(4000));
	}
	ev_in(e, bad_luck(10) ? dice(5000) : 1 + dice(20));
}

/* Texts live in the event; it may have been copied. */
static struct bytes ev_xid(const struct ev *e)
{
	return bytes_of(e->xid);
}

static void set_text(char *to, size_t size, struct bytes b)
{
	REQUIRE(b.len < size);
	memcpy(to, b.data ? (const void *)b.data : "", b.len);
	to[b.len] = '\0';
}

/* ---- is it durable? ---- */

static const struct sim_row *find_row(enum row_table table, uint64_t id)
{
	for (size_t i = 0; i < w.store.n_rows; i++)
		if (w.store.rows[i].table == table && w.store.rows[i].id == id)
			return &w.store.rows[i];
	return NULL;
}

static uint64_t number_of(const char *xid)
{
	return strtoull(strrchr(xid, ':') + 1, NULL, 10);
}

static struct bytes path_of(const struct saga_record *r, struct buf *b)
{
	for (size_t i = 0; i < MACHINES; i++) {
		buf_clear(b);
		if (saga_path(w.defs[i], r->state, &mem_heap, b) == OK)
			return buf_bytes(b);
	}
	REQUIRE(false); /* the state is of no machine */
	return (struct bytes){ 0 };
}

static uint64_t number_in(const struct val *v, const char *key)
{
	const struct val *n = val_member(v, bytes_of(key));

	return n->type == JSON_NUMBER
		       ? strtoull((const char *)n->text.data, NULL, 10)
		       : UINT64_MAX;
}

/* The state on the disk must know of this attempt. */
static void must_be_durable(const struct command *co, const char *xid)
{
	const struct sim_row *row = find_row(ROW_SAGA, number_of(xid));
	struct saga_record r;
	const struct val *path;
	struct arena a;
	struct buf b;
	bool found = false;

	REQUIRE(row);
	REQUIRE(record_get_saga(&r, (struct bytes){ row->body, row->len }) ==
		OK);
	arena_init(&a, &mem_heap, 0);
	buf_init(&b, &mem_heap);
	REQUIRE(val_parse(&a, path_of(&r, &b), &path) == OK);
	for (size_t i = 0; i < path->n; i++) {
		const struct val *t = path->items[i];
		uint64_t of = number_in(t, "of");

		if (co->compensation
			    ? of == co->branch
			    : of == UINT64_MAX &&
				      number_in(t, "task") == co->branch)
			found |= number_in(t, "attempts") >= co->attempt;
	}
	REQUIRE(found);
	buf_fini(&b);
	arena_fini(&a);
}

/* ---- participants ---- */

static struct work *work_of(const char *xid, uint64_t branch)
{
	struct work *k;

	for (size_t i = 0; i < w.n_works; i++)
		if (w.works[i].branch == branch &&
		    strcmp(w.works[i].xid, xid) == 0)
			return &w.works[i];
	REQUIRE(w.n_works < WORKS_MAX);
	k = &w.works[w.n_works++];
	snprintf(k->xid, sizeof k->xid, "%s", xid);
	k->branch = branch;
	return k;
}

static void answer(const struct ev *e, enum branch_status status,
		   bool in_progress)
{
	static const char *const errors[] = { "", "sold out", "no" };
	struct ev *back = ev_new(EVT_DONE);

	back->done = (struct branch_done){
		.peer = e->command.peer,
		.command = e->command.id,
		.type = COMMAND_CALL,
		.branch = e->command.branch,
		.status = status,
		.in_progress = in_progress,
		.error_name = bytes_of(errors[dice(ARRAY_LEN(errors))]),
		.error = BYTES("says the participant"),
		.detail = bad_luck(5) ? BYTES("{") : BYTES("{\"ok\":[1,2]}"),
	};
	memcpy(back->xid, e->xid, sizeof back->xid);
	ev_send(back);
}

static void on_action(const struct ev *e, struct work *k)
{
	bool refuses = w.chaos ? dice(100) < 8 : dice(100) < 2;

	if (k->done || k->undone) {
		answer(e, BRANCH_COMMITTED, false);
		return;
	}
	if (bad_luck(6))
		return; /* it dies before it did anything */
	if (bad_luck(8)) {
		answer(e, BRANCH_COMMIT_RETRYABLE, dice(2));
		return;
	}
	if (refuses || e->command.attempt <= k->refused) {
		if (e->command.attempt > k->refused)
			k->refused = e->command.attempt;
		w.refused++;
		answer(e, BRANCH_COMMIT_UNRETRYABLE, false);
		return;
	}
	k->done = true;
	if (bad_luck(6))
		return; /* it dies behind its local commit */
	answer(e, BRANCH_COMMITTED, false);
}

static void on_undo(const struct ev *e, struct work *k)
{
	if (bad_luck(10)) {
		answer(e,
		       (enum branch_status)dice(BRANCH_STATUSES) ==
				       BRANCH_COMMITTED
			       ? BRANCH_COMMIT_RETRYABLE
			       : BRANCH_COMMIT_UNRETRYABLE,
		       false);
		return;
	}
	k->undone = true; /* also if there was nothing: the barrier */
	if (bad_luck(6))
		return;
	answer(e, BRANCH_COMMITTED, false);
}

static void on_command(const struct ev *e)
{
	struct work *k = work_of(e->xid, e->command.branch);

	if (e->command.compensation)
		on_undo(e, k);
	else
		on_action(e, k);
}

/* ---- the coordinator ---- */

static void take_command(const struct command *co)
{
	struct ev *e = ev_new(EVT_COMMAND);
	struct work *k;

	REQUIRE(co->type == COMMAND_CALL);
	set_text(e->xid, sizeof e->xid, co->xid);
	w.calls++;
	trace("call %s %s %" PRIu64 " attempt %u at %" PRIx64, e->xid,
	      co->compensation ? "undo" : "do", co->branch, co->attempt,
	      co->peer);
	must_be_durable(co, e->xid);
	k = work_of(e->xid, co->branch);
	REQUIRE(co->compensation || !k->undo_sent);
	k->undo_sent |= co->compensation;
	e->command = *co;
	ev_send(e);
}

static void take_reply(const struct reply *r)
{
	for (int i = 0; i < RUNS; i++) {
		struct ev *e;

		if (w.runs[i].rq != r->id)
			continue;
		e = ev_new(EVT_REPLY);
		e->who = i;
		e->reply = *r;
		set_text(e->xid, sizeof e->xid, r->xid);
		ev_send(e);
	}
}

/* The last one counts: an end that a crash took away comes again. */
static void take_archive(const struct archive *a)
{
	const struct val *v;
	struct arena arena;

	arena_init(&arena, &mem_heap, 0);
	REQUIRE(a->kind == KIND_SAGA);
	REQUIRE(val_parse(&arena, a->detail, &v) == OK);
	for (int i = 0; i < RUNS; i++) {
		if (!bytes_equal(val_member(v, BYTES("business_key"))->text,
				 bytes_of(w.runs[i].key)))
			continue;
		buf_clear(&w.runs[i].end);
		buf_put(&w.runs[i].end, a->detail);
	}
	arena_fini(&arena);
}

static void take_effects(const struct effects *fx)
{
	sim_store_take(&w.store, fx);
	for (size_t i = 0; i < fx->n; i++) {
		const struct effect *e = &fx->items[i];

		if (e->type == FX_REPLY)
			take_reply(&e->reply);
		else if (e->type == FX_COMMAND)
			take_command(&e->command);
		else if (e->type == FX_ARCHIVE)
			take_archive(&e->archive);
		else if (e->type == FX_HISTORY)
			trace("%" PRIu64 ": %.*s", e->history.gtx,
			      (int)e->history.text.len,
			      (const char *)e->history.text.data);
	}
	if (fx->forced) {
		struct ev *e = ev_new(EVT_STORED);

		e->number = fx->seq;
		ev_in(e, dice(bad_luck(3) ? 2000 : 10));
	}
}

static int try_step(struct event event)
{
	struct effects fx;
	int rc;

	event.now_ms = w.now;
	event.wall_ms = UINT64_C(1000000000) + w.now + w.drift;
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

static void plan_wake(void)
{
	uint64_t due = core_deadline(w.core);
	struct ev *e;

	if (due == UINT64_MAX || (w.wake && w.wake <= due))
		return;
	e = ev_new(EVT_TIME);
	w.wake = due > w.now ? due : w.now;
	heap_set(&w.events, &e->node, w.wake);
}

static void start(void)
{
	struct event e = { .type = EV_LOADED };
	int rc;

	REQUIRE(core_new(&w.core, &w.mem, &w.config) == OK);
	for (size_t i = 0; i < w.store.n_rows; i++) {
		const struct sim_row *row = &w.store.rows[i];

		e.row.table = row->table;
		e.row.id = row->id;
		e.row.gtx = row->gtx;
		e.row.body = (struct bytes){ row->body, row->len };
		do
			rc = try_step(e);
		while (rc == E_NOMEM);
		REQUIRE(rc == OK);
	}
	do
		rc = try_step((struct event){ .type = EV_READY });
	while (rc == E_NOMEM);
	REQUIRE(rc == OK);
	plan_wake();
}

static void plan_connect(int agent, uint64_t ms)
{
	struct ev *e = ev_new(EVT_CONNECT);

	e->who = agent;
	ev_in(e, ms);
}

static void crash(const char *why)
{
	uint64_t ahead = w.store.seq - w.store.stored;
	uint64_t kept = w.store.stored + (ahead ? dice(ahead + 1) : 0);

	trace("crash: %s; stored %" PRIu64 ", kept %" PRIu64 " of %" PRIu64,
	      why, w.store.stored, kept, w.store.seq);
	w.crashes++;
	core_free(w.core);
	sim_store_apply(&w.store, kept);
	sim_store_crash(&w.store);
	w.life++;
	w.wake = 0;
	w.config.seed = 1 + dice(UINT32_MAX);
	w.drift = dice(20000); /* somebody set the clock */
	for (int i = 0; i < AGENTS; i++) {
		w.peers[i] = 0;
		plan_connect(i, 10 + dice(500));
	}
	start();
}

static void step(struct event event)
{
	while (try_step(event) == E_NOMEM)
		if (event.type == EV_REQUEST || event.type == EV_BRANCH_DONE)
			break; /* dropped: it comes again */
	if (w.chaos && dice(400) == 0)
		crash("between steps");
	plan_wake();
}

static void connect_agent(int agent)
{
	static const struct bytes all[] = {
		{ (const uint8_t *)"saga:s0", 7 },
		{ (const uint8_t *)"saga:s1", 7 },
		{ (const uint8_t *)"saga:s2", 7 },
		{ (const uint8_t *)"saga:u0", 7 },
		{ (const uint8_t *)"saga:u1", 7 },
		{ (const uint8_t *)"saga:u2", 7 },
	};
	struct event e = { .type = EV_PEER_UP };

	if (w.peers[agent])
		return;
	w.peers[agent] = ++w.next_peer;
	e.up = (struct peer_up){ .peer = w.peers[agent],
				 .application = BYTES("shop"),
				 .instance = BYTES("i"),
				 .resources = all + (agent ? 0 : 2),
				 .n_resources = agent ? 6 : 3 };
	step(e);
}

static void disconnect(int agent)
{
	uint64_t peer = w.peers[agent];

	if (!peer)
		return;
	w.peers[agent] = 0;
	plan_connect(agent, dice(10) ? dice(3000) : 40000);
	step((struct event){ .type = EV_PEER_GONE, .peer = peer });
}

/* ---- clients and operators ---- */

static void send_request(int run, struct request rq)
{
	struct ev *e = ev_new(EVT_REQUEST);

	e->rq = rq;
	e->rq.id = w.runs[run].rq = ++w.next_rq;
	e->who = run;
	memcpy(e->xid, w.runs[run].xid, sizeof e->xid);
	ev_send(e);
}

static void operate(int run)
{
	struct client *c = &w.runs[run];
	enum saga_move move = dice(4) ? MOVE_FORWARD : MOVE_COMPENSATE;

	if (dice(12) == 0) {
		move = MOVE_SKIP;
		c->skipped = true;
	}
	w.moves++;
	send_request(run, (struct request){ .type = RQ_SAGA_MOVE,
					    .move = move,
					    .task = UINT32_MAX });
}

static void on_tick(int run)
{
	struct client *c = &w.runs[run];
	struct ev *again = ev_new(EVT_TICK);

	again->who = run;
	if (c->told && !w.chaos) {
		w.n_events--;
		free(again);
		return;
	}
	ev_in(again, 500 + dice(3000));
	if (c->xid[0] && bad_luck(12))
		operate(run);
	else if (c->xid[0] && dice(2))
		send_request(run, (struct request){ .type = RQ_STATUS });
	else
		send_request(run, (struct request){
					  .type = RQ_SAGA_START,
					  .name = bytes_of(c->machine),
					  .business_key = bytes_of(c->key),
					  .input = BYTES("{\"list\":[1,2,3]}"),
					  .wait_ms = dice(2) * 5000 });
}

static void on_reply(const struct ev *e)
{
	struct client *c = &w.runs[e->who];
	const struct reply *r = &e->reply;

	REQUIRE(r->err == OK || r->err == E_STATE || r->err == E_NOTFOUND);
	if (r->err == E_NOTFOUND) { /* only before its start was durable */
		REQUIRE(!c->xid[0] || r->type == RQ_SAGA_MOVE);
		return;
	}
	if (c->xid[0])
		REQUIRE(strcmp(c->xid, e->xid) == 0); /* one key, one run */
	memcpy(c->xid, e->xid, sizeof c->xid);
	if (!gtx_status_finished((int)r->status))
		return;
	REQUIRE(!c->told || c->told == r->status);
	c->told = r->status;
}

/* ---- the world ---- */

static void on_chaos(void)
{
	if (!w.chaos)
		return;
	ev_in(ev_new(EVT_CHAOS), 200 + dice(1500));
	if (dice(6) == 0)
		crash("power");
	else
		disconnect((int)dice(AGENTS));
}

static bool is_connected(uint64_t peer)
{
	for (int i = 0; i < AGENTS; i++)
		if (w.peers[i] == peer)
			return true;
	return peer_is_url(peer);
}

static void happen(struct ev *e)
{
	struct event event = { 0 };

	switch (e->kind) {
	case EVT_TICK:
		on_tick(e->who);
		break;
	case EVT_REQUEST:
		event.type = EV_REQUEST;
		event.request = e->rq;
		event.request.xid = ev_xid(e);
		step(event);
		break;
	case EVT_REPLY:
		on_reply(e);
		break;
	case EVT_COMMAND:
		/* To a connection that is gone nothing comes. */
		if (is_connected(e->command.peer) && e->life == w.life)
			on_command(e);
		break;
	case EVT_DONE: /* also of an earlier life, over a new connection */
		event.type = EV_BRANCH_DONE;
		event.done = e->done;
		event.done.xid = ev_xid(e);
		if (!peer_is_url(e->done.peer) || e->life == w.life)
			step(event);
		break;
	case EVT_STORED:
		if (e->life != w.life || e->number <= w.store.stored)
			break;
		sim_store_apply(&w.store, e->number);
		step((struct event){ .type = EV_STORED, .seq = e->number });
		break;
	case EVT_TIME:
		if (e->life != w.life)
			break;
		w.wake = 0;
		step((struct event){ .type = EV_TIME });
		break;
	case EVT_CONNECT:
		connect_agent(e->who);
		break;
	case EVT_CHAOS:
		on_chaos();
		break;
	}
}

static bool finished(void)
{
	for (int i = 0; i < RUNS; i++)
		if (!w.runs[i].told)
			return false;
	return core_stats(w.core).gtx_now == 0;
}

static struct ev *ev_next(void)
{
	struct heap_node *first = heap_first(&w.events);

	if (!first)
		return NULL;
	heap_remove(&w.events, first);
	w.n_events--;
	return CONTAINER_OF(first, struct ev, node);
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

static bool is_text(const struct val *v, const char *key, const char *text)
{
	return bytes_equal(val_member(v, bytes_of(key))->text, bytes_of(text));
}

/* A state that calls somebody: its name is one letter. A loop's own task calls
 * nobody, its elements do. */
static bool is_service(const struct val *t)
{
	struct bytes state = val_member(t, BYTES("state"))->text;

	if (is_text(t, "machine", "loop") &&
	    number_in(t, "index") == UINT64_MAX)
		return false;
	return state.len == 1 && state.data[0] != 'S' && state.data[0] != 'E';
}

static bool is_undone(const struct val *path, uint64_t task)
{
	for (size_t i = 0; i < path->n; i++)
		if (number_in(path->items[i], "of") == task &&
		    is_text(path->items[i], "is", "done"))
			return true;
	return false;
}

/* What the coordinator believes is what the participants know. */
static void compare_path(const struct client *c)
{
	const struct val *end, *path;
	struct arena a;

	arena_init(&a, &mem_heap, 0);
	REQUIRE(val_parse(&a, buf_bytes(&c->end), &end) == OK);
	path = val_member(end, BYTES("path"));
	REQUIRE(path->n > 0);
	for (size_t i = 0; i < path->n; i++) {
		const struct val *t = path->items[i];
		uint64_t task = number_in(t, "task");
		const struct work *k;

		if (!is_service(t) || !is_text(t, "is", "done") ||
		    number_in(t, "of") != UINT64_MAX)
			continue;
		k = work_of(c->xid, task);
		REQUIRE(k->done);
		REQUIRE(k->undone == is_undone(path, task));
	}
	arena_fini(&a);
}

static void audit(void)
{
	for (int i = 0; i < RUNS; i++) {
		const struct client *c = &w.runs[i];
		size_t stand = 0;

		if (!c->skipped)
			compare_path(c);

		for (size_t k = 0; k < w.n_works; k++)
			stand += strcmp(w.works[k].xid, c->xid) == 0 &&
				 w.works[k].done && !w.works[k].undone;
		trace("run %s %s: %s, %zu stand", c->machine, c->xid,
		      gtx_status_name((int)c->told), stand);
		w.committed += c->told == GTX_COMMITTED;
		w.rolled_back += c->told == GTX_ROLLBACKED;
		REQUIRE(c->skipped || c->told == GTX_COMMITTED || stand == 0);
		REQUIRE(c->skipped || c->told != GTX_COMMITTED || stand > 0);
	}
}

/* ---- one seed ---- */

static const struct saga_def *find_def(void *ctx, struct bytes name)
{
	(void)ctx;
	for (size_t i = 0; i < MACHINES; i++)
		if (w.defs[i] && bytes_equal(saga_def_name(w.defs[i]), name))
			return w.defs[i];
	return NULL;
}

static void define(void)
{
	struct saga_lookup lookup = { find_def, NULL };
	struct buf why;

	buf_init(&why, &mem_heap);
	for (size_t i = 0; i < MACHINES; i++) {
		struct event e = { .type = EV_REQUEST };

		if (saga_def_new(&w.defs[i], &mem_heap, bytes_of(machines[i]),
				 &lookup, &why) != OK)
			fail_msg("%s", buf_text(&why));
		e.request.type = RQ_MACHINE_PUT;
		e.request.id = ++w.next_rq;
		e.request.text = bytes_of(machines[i]);
		REQUIRE(try_step(e) == OK);
		sim_store_apply(&w.store, w.store.seq);
		e = (struct event){ .type = EV_STORED, .seq = w.store.seq };
		REQUIRE(try_step(e) == OK);
	}
	buf_fini(&why);
}

static void configure(void)
{
	core_config_default(&w.config);
	w.config.coordinator = BYTES("tc:1");
	w.config.seed = w.seed;
	w.config.id_block = 16;
	w.config.command_timeout_ms = 1000;
	w.config.retry_ms_first = 50;
	w.config.retry_ms_max = 2000;
	w.config.saga_ask_again_ms = 100;
	w.config.in_flight_per_peer_max = 2;
}

static void run_seed(uint64_t seed)
{
	struct ev *e;

	memset(&w, 0, sizeof w);
	w.seed = seed;
	w.rng = seed * 7919;
	w.mem = (struct mem){ sim_mem_alloc, sim_mem_free, NULL };
	configure();
	heap_init(&w.events, &mem_heap);
	start();
	sim_store_apply(&w.store, w.store.seq);
	REQUIRE(try_step((struct event){ .type = EV_STORED,
					 .seq = w.store.seq }) == OK);
	define();
	w.chaos = true;
	for (int i = 0; i < AGENTS; i++)
		plan_connect(i, dice(100));
	for (int i = 0; i < RUNS; i++) {
		e = ev_new(EVT_TICK);
		e->who = i;
		snprintf(w.runs[i].key, sizeof w.runs[i].key, "k%d", i);
		w.runs[i].machine = names[i % MACHINES];
		buf_init(&w.runs[i].end, &mem_heap);
		ev_in(e, dice(CHAOS_MS / 2));
	}
	ev_in(ev_new(EVT_CHAOS), dice(1000));
	run_world();
	audit();
	while ((e = ev_next()))
		free(e);
	for (int i = 0; i < RUNS; i++)
		buf_fini(&w.runs[i].end);
	core_free(w.core);
	sim_store_fini(&w.store);
	heap_fini(&w.events);
	for (size_t i = MACHINES; i > 0; i--)
		saga_def_free(w.defs[i - 1]);
}

static uint64_t setting(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);

	return text ? strtoull(text, NULL, 10) : otherwise;
}

static void test_every_saga_is_all_done_or_all_undone(void **state)
{
	uint64_t one = setting("SEED", 0), n = setting("SEEDS", 150);
	size_t steps = 0, crashes = 0, committed = 0, back = 0, calls = 0;
	size_t refused = 0, moves = 0, nomems = 0;

	(void)state;
	signal(SIGABRT, print_trace);
	for (uint64_t seed = one ? one : 1; seed <= (one ? one : n); seed++) {
		run_seed(seed);
		steps += w.steps;
		crashes += w.crashes;
		committed += w.committed;
		back += w.rolled_back;
		calls += w.calls;
		refused += w.refused;
		moves += w.moves;
		nomems += w.nomems;
	}
	if (one)
		print_trace(0);
	print_message("%zu steps, %zu crashes, %zu out of memory, %zu calls, "
		      "%zu refusals, %zu operators, %zu committed, %zu rolled "
		      "back\n",
		      steps, crashes, nomems, calls, refused, moves, committed,
		      back);
	assert_true(committed > 0 && back > 0 && crashes > 0 && moves > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_saga_is_all_done_or_all_undone),
	};

	return cmocka_run_group_tests_name("sim saga", tests, NULL, NULL);
}
