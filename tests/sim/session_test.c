#include "base/arena.h"
#include "base/hash.h"
#include "rm-agent/session/session.h"
#include "tc/door/agents_wire.h"
#include "tests/fakes/desk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

/*
 * Three services move money between their accounts in global transactions, each
 * with a session, against one core. One thread, one seed, no clock but ours.
 *
 * Connections break and lose what was under way, with and without telling;
 * messages are late; the coordinator is killed and loses what is not durable;
 * services are killed and come back under another name; transactions time out;
 * phase two says "later". At the end: what was told is what happened, every
 * transaction has all of its effects or none, and no row is left over.
 *
 * The databases here do what AT does: the change and its undo entry at once,
 * rollback only if the account is as the change left it, a defence entry where
 * the rollback comes first.
 */

#define NODES    3
#define ACCOUNTS 3
#define SCRIPTS  30
#define LIVE     6 /* scripts at once */
#define MONEY    1000
#define FIFO_MAX 512

struct fifo {
	struct buf items[FIFO_MAX];
	size_t n;
};

enum undo_state { UNDO_OPEN, UNDO_DONE, UNDO_KEPT, UNDO_DEFENCE };

struct undo {
	uint64_t branch;
	int account;
	int64_t before;
	int64_t after;
	enum undo_state state;
};

struct task {
	uint64_t command;
	uint64_t branch;
	uint64_t type;
	char xid[64];
};

struct node {
	int at;
	struct session *s;
	unsigned lives;
	bool linked;
	uint64_t peer; /* number of the connection; 0: none */
	bool up;       /* said hello on it */
	struct fifo to_core;
	struct fifo to_agent;
	int64_t balance[ACCOUNTS];
	struct undo undos[SCRIPTS * 8];
	size_t n_undos;
	struct task tasks[256];
	size_t n_tasks;
};

enum phase {
	PHASE_IDLE,
	PHASE_BEGIN,
	PHASE_REGISTER,
	PHASE_APPLY,
	PHASE_END,
	PHASE_OVER,
};

enum told { TOLD_NOTHING, TOLD_COMMITTED, TOLD_ROLLED_BACK };

struct script {
	struct world *w;
	enum phase phase;
	int at; /* which of the two branches */
	struct node *node[2];
	int account[2];
	int64_t amount;
	bool commit;
	int asked; /* how often for the end */
	char xid[64];
	uint64_t branch[2];
	enum told told;
};

struct world {
	uint64_t seed;
	bool chaos;
	struct desk *d;
	struct node nodes[NODES];
	struct script scripts[SCRIPTS];
	uint64_t peers;
	struct arena arena;
	int told[3];
	int kills;
};

static uint64_t dice(struct world *w, uint64_t sides)
{
	return random_next(&w->seed) % sides;
}

static bool chance(struct world *w, unsigned percent)
{
	return dice(w, 100) < percent;
}

/* Something bad, only while there is chaos; out of 10 000. */
static bool mishap(struct world *w, unsigned rate)
{
	return w->chaos && dice(w, 10000) < rate;
}

/* ---- the network ---- */

static void fifo_put(struct fifo *f, struct bytes body)
{
	REQUIRE(f->n < FIFO_MAX);
	buf_init(&f->items[f->n], &mem_heap);
	buf_put(&f->items[f->n], body);
	REQUIRE(buf_error(&f->items[f->n]) == OK);
	f->n++;
}

static struct buf fifo_take(struct fifo *f)
{
	struct buf first = f->items[0];

	f->n--;
	memmove(f->items, f->items + 1, f->n * sizeof f->items[0]);
	return first;
}

static void fifo_clear(struct fifo *f)
{
	while (f->n > 0)
		buf_fini(&f->items[--f->n]);
}

static void to_agent(struct world *w, uint64_t peer, struct msg m)
{
	struct buf b;

	for (int i = 0; i < NODES; i++) {
		struct node *n = &w->nodes[i];

		if (n->peer != peer || !n->linked)
			continue;
		buf_init(&b, &mem_heap);
		REQUIRE(msg_encode(&b, &m) == OK);
		fifo_put(&n->to_agent, buf_bytes(&b));
		buf_fini(&b);
	}
}

/* What the core said goes out. */
static void route(struct world *w)
{
	for (size_t i = 0; i < w->d->n_replies; i++)
		to_agent(w, w->d->replies[i].peer,
			 msg_of_reply(&w->d->replies[i]));
	for (size_t i = 0; i < w->d->n_commands; i++)
		to_agent(w, w->d->commands[i].peer,
			 msg_of_command(&w->d->commands[i]));
	desk_clear(w->d);
}

static void unlink_node(struct world *w, struct node *n, bool core_lives)
{
	fifo_clear(&n->to_core);
	fifo_clear(&n->to_agent);
	if (n->linked && n->up && core_lives)
		desk_gone(w->d, n->peer);
	n->linked = n->up = false;
	n->peer = 0;
	route(w);
}

static void link_node(struct world *w, struct node *n)
{
	n->linked = true;
	n->peer = ++w->peers;
	/* The transport notices a new connection, or it does not. */
	if (chance(w, 50))
		session_connected(n->s, w->d->now_ms);
}

/* One message reaches the coordinator; what its door does is done here. */
static void core_receives(struct world *w, struct node *n)
{
	struct buf b = fifo_take(&n->to_core);
	struct event e;
	struct msg m;
	const char *why;

	arena_reset(&w->arena);
	REQUIRE(msg_decode(&m, &w->arena.as_mem, buf_bytes(&b)) == OK);
	if (!n->up && m.type != MSG_HELLO) {
		to_agent(w, n->peer,
			 (struct msg){ .type = MSG_HELLO_WANTED, .id = m.id });
	} else if (m.type == MSG_PING) {
		to_agent(w, n->peer, (struct msg){ .type = MSG_PONG });
	} else {
		REQUIRE(event_of_msg(&e, &m, n->peer, "sim", &why) == OK);
		REQUIRE(desk_step(w->d, e) == OK);
		route(w);
		if (m.type == MSG_HELLO) {
			n->up = true;
			to_agent(w, n->peer,
				 (struct msg){ .type = MSG_WELCOME,
					       .id = m.id });
		}
	}
	buf_fini(&b);
}

/* ---- the databases ---- */

static struct undo *undo_find(struct node *n, uint64_t branch)
{
	for (size_t i = 0; i < n->n_undos; i++)
		if (n->undos[i].branch == branch)
			return &n->undos[i];
	return NULL;
}

static struct undo *undo_add(struct node *n, uint64_t branch)
{
	struct undo *u = &n->undos[n->n_undos++];

	REQUIRE(n->n_undos <= ARRAY_LEN(n->undos));
	*u = (struct undo){ .branch = branch };
	return u;
}

/* Phase one's local commit. False: the rollback was here before. */
static bool apply(struct node *n, uint64_t branch, int account, int64_t amount)
{
	struct undo *u = undo_find(n, branch);

	if (u) {
		assert_int_equal(u->state, UNDO_DEFENCE);
		return false;
	}
	u = undo_add(n, branch);
	u->account = account;
	u->before = n->balance[account];
	u->after = n->balance[account] += amount;
	return true;
}

static enum branch_status phase_two(struct node *n, const struct task *t)
{
	struct undo *u = undo_find(n, t->branch);

	if (t->type == COMMAND_COMMIT) {
		assert_non_null(u);
		assert_true(u->state == UNDO_OPEN || u->state == UNDO_KEPT);
		u->state = UNDO_KEPT;
		return BRANCH_COMMITTED;
	}
	if (!u) {
		undo_add(n, t->branch)->state = UNDO_DEFENCE;
	} else if (u->state == UNDO_OPEN) {
		/* the global lock has kept everybody else away */
		assert_true(n->balance[u->account] == u->after);
		n->balance[u->account] = u->before;
		u->state = UNDO_DONE;
	} else {
		assert_int_not_equal(u->state, UNDO_KEPT);
	}
	return BRANCH_ROLLBACKED;
}

static void run_task(struct world *w, struct node *n)
{
	size_t at = (size_t)dice(w, n->n_tasks);
	struct task t = n->tasks[at];
	struct msg m = { .type = MSG_BRANCH_DONE,
			 .id = t.command,
			 .xid = bytes_of(t.xid),
			 .branch = t.branch };

	n->tasks[at] = n->tasks[--n->n_tasks];
	if (mishap(w, 2000))
		m.status = t.type == COMMAND_COMMIT ? BRANCH_COMMIT_RETRYABLE
						    : BRANCH_ROLLBACK_RETRYABLE;
	else
		m.status = (uint64_t)phase_two(n, &t);
	assert_int_equal(session_done(n->s, &m), OK);
}

static void take_command(struct node *n, const struct msg *m)
{
	struct task *t = &n->tasks[n->n_tasks];

	if (n->n_tasks == ARRAY_LEN(n->tasks))
		return; /* it will come again */
	n->n_tasks++;
	*t = (struct task){ m->id, m->branch, m->command, "" };
	assert_true(m->xid.len < sizeof t->xid);
	memcpy(t->xid, m->xid.data, m->xid.len);
	t->xid[m->xid.len] = '\0';
}

/* ---- the transactions ---- */

static void ask(struct script *c, struct node *n, struct msg m,
		uint64_t timeout_ms, enum phase phase)
{
	uint64_t now = c->w->d->now_ms;

	m.xid = bytes_of(c->xid);
	c->phase = phase;
	assert_int_equal(session_request(n->s, &m, now + timeout_ms, c, now),
			 OK);
}

static void ask_branch(struct script *c)
{
	uint8_t key[2] = { (uint8_t)('a' + c->node[c->at]->at),
			   (uint8_t)('0' + c->account[c->at]) };
	const struct bytes keys[] = { { key, sizeof key } };
	const char *resources[NODES] = { "db0", "db1", "db2" };

	ask(c, c->node[c->at],
	    (struct msg){ .type = MSG_REGISTER,
			  .mode = MODE_AT,
			  .resource = bytes_of(resources[c->node[c->at]->at]),
			  .client_key = random_next(&c->w->seed) | 1,
			  .wait_ms = dice(c->w, 2) * 300,
			  .list = keys,
			  .n_list = 1 },
	    5000, PHASE_REGISTER);
}

static void ask_end(struct script *c)
{
	c->asked++;
	ask(c, c->node[0],
	    (struct msg){ .type = c->commit ? MSG_COMMIT : MSG_ROLLBACK,
			  .wait_ms = dice(c->w, 2) * 500 },
	    3000, PHASE_END);
}

static void give_up(struct script *c)
{
	c->commit = false;
	ask_end(c);
}

static void over(struct script *c, enum told told)
{
	c->phase = PHASE_OVER;
	c->told = told;
	c->w->told[told]++;
}

static bool is_commit(uint64_t status)
{
	return status == GTX_COMMITTING || status == GTX_COMMIT_RETRYING ||
	       status == GTX_ASYNC_COMMITTING || status == GTX_COMMITTED;
}

static bool is_rollback(uint64_t status)
{
	return status == GTX_ROLLBACKING || status == GTX_ROLLBACK_RETRYING ||
	       status == GTX_ROLLBACKED || status == GTX_TIMEOUT_ROLLBACKING ||
	       status == GTX_TIMEOUT_ROLLBACK_RETRYING ||
	       status == GTX_TIMEOUT_ROLLBACKED;
}

static void ended(struct script *c, const struct session_output *out)
{
	if (out->err == OK && is_commit(out->msg.status))
		over(c, TOLD_COMMITTED);
	else if (out->err == OK && (is_rollback(out->msg.status) ||
				    out->msg.err == (uint64_t)-E_NOTFOUND))
		over(c, TOLD_ROLLED_BACK);
	else if (c->asked < 5 && out->err != E_CLOSED)
		ask_end(c);
	else
		over(c, TOLD_NOTHING);
}

static void answered(struct script *c, const struct session_output *out)
{
	bool well = out->err == OK && out->msg.err == 0;

	if (c->phase == PHASE_OVER)
		return; /* who began it was killed */
	if (c->phase == PHASE_BEGIN && well) {
		assert_true(out->msg.xid.len < sizeof c->xid);
		memcpy(c->xid, out->msg.xid.data, out->msg.xid.len);
		ask_branch(c);
	} else if (c->phase == PHASE_BEGIN) {
		over(c, TOLD_NOTHING);
	} else if (c->phase == PHASE_REGISTER && well) {
		c->branch[c->at] = out->msg.branch;
		c->phase = PHASE_APPLY;
	} else if (c->phase == PHASE_REGISTER) {
		give_up(c);
	} else {
		ended(c, out);
	}
}

/* The local commit happens some time after the registration. */
static void apply_now(struct script *c)
{
	int64_t amount = c->at == 0 ? -c->amount : c->amount;

	if (!apply(c->node[c->at], c->branch[c->at], c->account[c->at], amount))
		give_up(c);
	else if (c->at++ == 0)
		ask_branch(c);
	else
		ask_end(c);
}

static void begin(struct world *w, struct script *c)
{
	int first = (int)dice(w, NODES);

	c->w = w;
	c->node[0] = &w->nodes[first];
	c->node[1] = &w->nodes[(first + 1 + (int)dice(w, NODES - 1)) % NODES];
	c->account[0] = (int)dice(w, ACCOUNTS);
	c->account[1] = (int)dice(w, ACCOUNTS);
	c->amount = 1 + (int64_t)dice(w, 50);
	c->commit = chance(w, 75);
	ask(c, c->node[0],
	    (struct msg){ .type = MSG_BEGIN,
			  .timeout_ms = 500 + dice(w, 8000) },
	    3000, PHASE_BEGIN);
}

/* ---- services ---- */

static void take_outputs(struct world *w, struct node *n)
{
	struct session_output out;

	while (session_take(n->s, &out)) {
		if (out.type == SESSION_DONE)
			answered(out.tag, &out);
		else if (out.type == SESSION_COMMAND)
			take_command(n, &out.msg);
		else if (out.type == SESSION_RECONNECT)
			unlink_node(w, n, true);
	}
	session_check(n->s);
}

static void start_node(struct world *w, struct node *n)
{
	const struct bytes resource[] = { bytes_of(n->at == 0   ? "db0"
						   : n->at == 1 ? "db1"
								: "db2") };
	struct session_config c = {
		.application = BYTES("bank"),
		.requests_max = 100,
		.bytes_max = 1 << 20,
		.message_max = 1 << 16,
		.dones_max = 300,
		.heartbeat_ms = 200,
		.resend_ms_first = 300,
		.resend_ms_max = 1000,
	};
	struct buf name;

	buf_init(&name, &mem_heap);
	buf_printf(&name, "node%d-%u", n->at, ++n->lives);
	c.instance = buf_bytes(&name);
	assert_int_equal(session_new(&n->s, &mem_heap, &c, w->d->now_ms), OK);
	assert_int_equal(session_resources(n->s, resource, 1, w->d->now_ms),
			 OK);
	buf_fini(&name);
}

/* kill -9: what it was about to do is not done; its database stays. */
static void kill_node(struct world *w, struct node *n)
{
	struct session_output out;

	unlink_node(w, n, true);
	session_end(n->s);
	while (session_take(n->s, &out)) {
		struct script *c = out.tag;

		if (out.type == SESSION_DONE && c->node[0] == n)
			over(c, TOLD_NOTHING);
		else if (out.type == SESSION_DONE)
			give_up(c);
	}
	session_free(n->s);
	n->n_tasks = 0;
	start_node(w, n);
	for (int i = 0; i < SCRIPTS; i++) {
		struct script *c = &w->scripts[i];

		if (c->phase == PHASE_OVER || c->phase == PHASE_IDLE)
			continue;
		if (c->node[0] == n)
			over(c, TOLD_NOTHING);
		else if (c->phase == PHASE_APPLY && c->node[c->at] == n)
			give_up(c);
	}
	w->kills++;
}

static void kill_core(struct world *w)
{
	assert_int_equal(desk_crash(w->d), OK);
	for (int i = 0; i < NODES; i++)
		unlink_node(w, &w->nodes[i], false);
	route(w);
	w->kills++;
}

/* ---- turns ---- */

static void node_turn(struct world *w, struct node *n)
{
	struct bytes body;

	if (!n->linked && chance(w, 20))
		link_node(w, n);
	if (session_next(n->s, &body) && (n->linked || mishap(w, 1000))) {
		if (n->linked)
			fifo_put(&n->to_core, body);
		session_sent(n->s, w->d->now_ms);
	}
	if (n->to_core.n > 0 && chance(w, 60))
		core_receives(w, n);
	if (n->to_agent.n > 0 && chance(w, 60)) {
		struct buf b = fifo_take(&n->to_agent);

		assert_int_equal(
			session_receive(n->s, buf_bytes(&b), w->d->now_ms), OK);
		take_outputs(w, n);
		buf_fini(&b);
	}
	if (n->n_tasks > 0 && chance(w, 40))
		run_task(w, n);
	if (session_deadline(n->s) <= w->d->now_ms) {
		session_time(n->s, w->d->now_ms);
		take_outputs(w, n);
	}
	if (n->linked && mishap(w, 100))
		unlink_node(w, n, true);
	if (mishap(w, 8))
		kill_node(w, n);
}

static void script_turn(struct world *w)
{
	int live = 0;

	for (int i = 0; i < SCRIPTS; i++) {
		struct script *c = &w->scripts[i];

		if (c->phase == PHASE_OVER)
			continue;
		if (++live > LIVE)
			break;
		if (c->phase == PHASE_IDLE)
			begin(w, c);
		else if (c->phase == PHASE_APPLY && chance(w, 20))
			apply_now(c);
	}
}

static void turn(struct world *w)
{
	desk_pass(w->d, dice(w, 12));
	route(w);
	script_turn(w);
	for (int i = 0; i < NODES; i++)
		node_turn(w, &w->nodes[i]);
	if (w->d->n_changes > 0 && chance(w, 70)) {
		desk_store(w->d);
		route(w);
	}
	if (mishap(w, 10))
		kill_core(w);
}

static bool finished(const struct world *w)
{
	for (int i = 0; i < SCRIPTS; i++)
		if (w->scripts[i].phase != PHASE_OVER)
			return false;
	for (int i = 0; i < NODES; i++)
		if (w->nodes[i].n_tasks > 0)
			return false;
	return w->d->n_changes == 0 && desk_count(w->d, ROW_GTX) == 0 &&
	       desk_count(w->d, ROW_BRANCH) == 0 &&
	       core_stats(w->d->core).gtx_now == 0;
}

/* Is the change of this branch there? */
static bool stands(const struct script *c, int at)
{
	struct undo *u;

	if (c->branch[at] == 0)
		return false;
	u = undo_find(c->node[at], c->branch[at]);
	/* open: it was decided to commit, and forgotten nowhere */
	assert_true(!u || u->state != UNDO_OPEN);
	return u && u->state == UNDO_KEPT;
}

static void check_end(const struct world *w)
{
	int64_t money = 0;

	for (int i = 0; i < SCRIPTS; i++) {
		const struct script *c = &w->scripts[i];
		bool first = stands(c, 0), second = stands(c, 1);

		assert_int_equal(first, second);
		if (c->told == TOLD_COMMITTED)
			assert_true(first);
		if (c->told == TOLD_ROLLED_BACK)
			assert_false(first);
	}
	for (int i = 0; i < NODES; i++)
		for (int k = 0; k < ACCOUNTS; k++)
			money += w->nodes[i].balance[k];
	assert_true(money == NODES * ACCOUNTS * MONEY);
}

static struct world *world_new(uint64_t seed)
{
	struct world *w = calloc(1, sizeof *w);
	struct core_config config = desk_config();

	REQUIRE(w);
	config.retry_ms_first = 50;
	config.retry_ms_max = 400;
	config.command_timeout_ms = 600;
	w->seed = seed;
	w->chaos = true;
	w->d = desk_new(&config, false);
	arena_init(&w->arena, &mem_heap, 0);
	for (int i = 0; i < NODES; i++) {
		w->nodes[i].at = i;
		for (int k = 0; k < ACCOUNTS; k++)
			w->nodes[i].balance[k] = MONEY;
		start_node(w, &w->nodes[i]);
	}
	return w;
}

static void world_free(struct world *w)
{
	for (int i = 0; i < NODES; i++) {
		fifo_clear(&w->nodes[i].to_core);
		fifo_clear(&w->nodes[i].to_agent);
		session_free(w->nodes[i].s);
	}
	arena_fini(&w->arena);
	desk_free(w->d);
	free(w);
}

static void test_what_was_told_is_what_happened(void **state)
{
	const char *only = getenv("SEED");
	uint64_t first = only ? strtoull(only, NULL, 10) : 1;
	uint64_t last = only ? first : 400;
	int told[3] = { 0 }, kills = 0;

	(void)state;
	for (uint64_t seed = first; seed <= last; seed++) {
		struct world *w = world_new(seed);
		int turns = 0;

		while (!finished(w)) {
			turn(w);
			if (++turns > 4000)
				w->chaos = false; /* healed */
			if (turns > 40000)
				fail_msg("SEED=%llu does not come to an end",
					 (unsigned long long)seed);
		}
		check_end(w);
		for (int i = 0; i < 3; i++)
			told[i] += w->told[i];
		kills += w->kills;
		world_free(w);
	}
	print_message("committed %d, rolled back %d, not told %d, kills %d\n",
		      told[TOLD_COMMITTED], told[TOLD_ROLLED_BACK],
		      told[TOLD_NOTHING], kills);
	if (!only) { /* the world is neither idle nor hopeless */
		assert_true(told[TOLD_COMMITTED] > 1000);
		assert_true(told[TOLD_ROLLED_BACK] > 1000);
		assert_true(kills > 400);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_was_told_is_what_happened),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
