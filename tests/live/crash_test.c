/*
 * treatyd is killed at random moments under load, again and again. Nothing
 * that it acknowledged may be lost, and no branch may be told both ways.
 *
 * SEED=n repeats the client's choices (the moments themselves are not ours),
 * LIVES=n sets how often it is killed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>
#include <time.h>

#include "base/buf.h"
#include "base/hash.h"
#include "base/map.h"
#include "base/xid.h"
#include "tests/fakes/sp_client.h"
#include "tests/fakes/treatyd_proc.h"

#define BRANCHES  3
#define GTX_MAX   200000
#define IN_FLIGHT 64
#define SETTLE_MS 20000

enum stage { BEGINNING, REGISTERING, DECIDING, DECIDED, LOST };

struct branch {
	uint64_t id; /* 0: registration not acknowledged */
	bool committed, rolled_back;
};

struct gtx {
	struct map_node node;
	enum stage stage;
	bool commit; /* what we want */
	bool acked;  /* the decision was acknowledged */
	int n;       /* registrations asked for */
	int want;    /* branches */
	char xid[64];
	struct branch branches[BRANCHES];
	uint64_t final;
};

struct load {
	struct treatyd d;
	struct sp_client c;
	struct gtx *all;
	struct map by_xid;
	size_t n;
	size_t in_flight;
	uint64_t random;
	uint64_t commands;
};

static uint64_t now_ms(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* ---- asking ---- */

/* Our request ids say whose and what: index * 8 + step. */
static uint64_t id_of(const struct load *l, const struct gtx *g, uint64_t step)
{
	return (uint64_t)(g - l->all) * 8 + step + 1;
}

static void ask_branch(struct load *l, struct gtx *g)
{
	struct msg m = { .type = MSG_REGISTER,
			 .id = id_of(l, g, 1 + (uint64_t)g->n),
			 .xid = bytes_of(g->xid),
			 .mode = MODE_TCC,
			 .resource = BYTES("db"),
			 .client_key = 1 + (uint64_t)g->n };

	g->n++;
	sp_queue(&l->c, &m);
}

static void ask_decision(struct load *l, struct gtx *g)
{
	struct msg m = { .type = g->commit ? MSG_COMMIT : MSG_ROLLBACK,
			 .id = id_of(l, g, 5),
			 .xid = bytes_of(g->xid) };

	g->stage = DECIDING;
	sp_queue(&l->c, &m);
}

static void begin(struct load *l)
{
	struct gtx *g = &l->all[l->n++];
	struct msg m = { .type = MSG_BEGIN,
			 .id = id_of(l, g, 0),
			 .name = BYTES("load"),
			 .timeout_ms = 600000 };

	assert_true(l->n < GTX_MAX);
	*g = (struct gtx){ .commit = random_next(&l->random) % 4 != 0,
			   .want = (int)(random_next(&l->random) %
					 (BRANCHES + 1)) };
	l->in_flight++;
	sp_queue(&l->c, &m);
}

/* ---- hearing ---- */

static struct gtx *gtx_of_xid(struct load *l, struct bytes xid)
{
	struct map_node *n = map_find(&l->by_xid, hash_bytes(0, xid));

	for (; n; n = map_find_next(n)) {
		struct gtx *g = CONTAINER_OF(n, struct gtx, node);

		if (bytes_equal(bytes_of(g->xid), xid))
			return g;
	}
	return NULL;
}

static void on_command(struct load *l, const struct msg *m)
{
	struct gtx *g = gtx_of_xid(l, m->xid);

	l->commands++;
	assert_non_null(g);
	for (int i = 0; i < BRANCHES; i++) {
		struct branch *b = &g->branches[i];

		if (b->id != m->branch)
			continue;
		b->committed = b->committed || m->command == 0;
		b->rolled_back = b->rolled_back || m->command == 1;
		assert_false(b->committed && b->rolled_back);
	}
	/* Now and then none, and the command counts as lost. */
	if (random_next(&l->random) % 8 != 0)
		(void)!sp_answer(&l->c, m);
}

static void next(struct load *l, struct gtx *g)
{
	if (g->n < g->want)
		ask_branch(l, g);
	else
		ask_decision(l, g);
}

static void on_reply(struct load *l, const struct msg *m)
{
	struct gtx *g = &l->all[(m->id - 1) / 8];
	uint64_t step = (m->id - 1) % 8;

	assert_int_equal(m->err, 0);
	if (step == 0) {
		assert_true(m->xid.len < sizeof g->xid);
		memcpy(g->xid, m->xid.data, m->xid.len);
		map_insert(&l->by_xid, &g->node, hash_bytes(0, m->xid));
		g->stage = REGISTERING;
	} else if (step < 5) {
		g->branches[step - 1].id = m->branch;
	} else {
		g->stage = DECIDED;
		g->acked = true;
		l->in_flight--;
		return;
	}
	next(l, g);
}

/* One message. False: the connection is gone or nothing came. */
static bool hear(struct load *l, int timeout_ms)
{
	struct msg m;

	if (sp_recv(&l->c, &m, timeout_ms) != OK)
		return false;
	if (m.type == MSG_COMMAND)
		on_command(l, &m);
	else if (m.type == MSG_REPLY)
		on_reply(l, &m);
	return true;
}

/* ---- a life ---- */

static void run_until(struct load *l, uint64_t end_ms)
{
	while (now_ms() < end_ms) {
		while (l->in_flight < IN_FLIGHT)
			begin(l);
		if (l->c.out.len > 0)
			assert_int_equal(sp_push(&l->c), OK);
		assert_true(hear(l, 5000));
	}
}

static void give_up_in_flight(struct load *l)
{
	for (size_t i = 0; i < l->n; i++)
		if (l->all[i].stage < DECIDED)
			l->all[i].stage = LOST;
	l->in_flight = 0;
}

static void connect_again(struct load *l)
{
	struct msg hello = { .type = MSG_HELLO,
			     .id = 0,
			     .application = BYTES("load"),
			     .instance = BYTES("load-1"),
			     .n_list = 1 };
	struct bytes resource = BYTES("db");

	hello.list = &resource;
	assert_int_equal(sp_connect(&l->c, l->d.agents), OK);
	assert_int_equal(sp_send(&l->c, &hello), OK);
}

/* ---- judging ---- */

static bool finished(uint64_t status)
{
	return gtx_status_finished((int)status);
}

/* Ask for one transaction; commands are answered meanwhile. */
static struct msg ask(struct load *l, struct gtx *g, enum msg_type type)
{
	struct msg m = { .type = type, .id = 7, .xid = bytes_of(g->xid) }, r;

	assert_int_equal(sp_send(&l->c, &m), OK);
	for (;;) {
		assert_int_equal(sp_recv(&l->c, &r, 5000), OK);
		if (r.type == MSG_COMMAND)
			on_command(l, &r);
		if (r.type == MSG_REPLY && r.id == 7)
			return r;
	}
}

static int n_registered(const struct gtx *g)
{
	int n = 0;

	for (int i = 0; i < BRANCHES; i++)
		n += g->branches[i].id != 0;
	return n;
}

/* Whose answer was lost is decided now; the answer must be definite. */
static void decide_lost(struct load *l, struct gtx *g)
{
	struct msg r;

	if (g->stage != LOST || g->xid[0] == '\0')
		return;
	r = ask(l, g, MSG_ROLLBACK);
	if (r.err == -E_NOTFOUND) /* begin was never stored: fine if alone */
		assert_int_equal(n_registered(g), 0);
	else
		assert_true(r.err == 0 || r.err == -E_STATE);
	g->stage = DECIDED;
}

static void await_end(struct load *l, struct gtx *g)
{
	uint64_t end = now_ms() + SETTLE_MS;
	struct msg r;

	do {
		r = ask(l, g, MSG_STATUS);
		if (r.err == -E_NOTFOUND || finished(r.status))
			break;
		assert_true(now_ms() < end);
		(void)hear(l, 5);
	} while (true);
	if (r.err == -E_NOTFOUND) {
		/* Empty ones need no row; everything else must be known. */
		assert_int_equal(n_registered(g), 0);
		g->final = g->commit ? GTX_COMMITTED : GTX_ROLLBACKED;
	} else {
		g->final = r.status;
	}
}

static void judge(const struct gtx *g)
{
	bool committed = g->final == GTX_COMMITTED;

	if (g->acked)
		assert_int_equal(committed, g->commit);
	for (int i = 0; i < BRANCHES; i++) {
		const struct branch *b = &g->branches[i];

		if (b->id == 0)
			continue;
		assert_int_equal(b->committed, committed);
		assert_int_equal(b->rolled_back, !committed);
	}
}

static uint64_t env_or(const char *name, uint64_t value)
{
	const char *text = getenv(name);

	return text ? strtoull(text, NULL, 0) : value;
}

static void load_init(struct load *l)
{
	l->random = env_or("SEED", 20240229);
	print_message("SEED=%llu\n", (unsigned long long)l->random);
	l->all = mem_array(&mem_heap, GTX_MAX, sizeof *l->all);
	assert_non_null(l->all);
	assert_int_equal(map_init(&l->by_xid, &mem_heap), OK);
	sp_client_init(&l->c);
}

static void load_fini(struct load *l)
{
	sp_client_fini(&l->c);
	treatyd_remove(&l->d);
	map_fini(&l->by_xid);
	mem_free(&mem_heap, l->all);
}

/* Start it a last time, decide what is open, and judge every transaction. */
static void judge_all(struct load *l)
{
	uint64_t acked = 0, committed = 0;

	assert_true(treatyd_start(&l->d, "--command-timeout=200ms",
				  "--retry-first=20ms", "--retry-max=100ms",
				  NULL));
	connect_again(l);
	for (size_t i = 0; i < l->n; i++)
		decide_lost(l, &l->all[i]);
	for (size_t i = 0; i < l->n; i++) {
		struct gtx *g = &l->all[i];

		if (g->xid[0] == '\0')
			continue;
		await_end(l, g);
		judge(g);
		acked += g->acked;
		committed += g->acked && g->commit;
	}
	print_message("%zu transactions, %llu acknowledged (%llu committed), "
		      "%llu commands\n",
		      l->n, (unsigned long long)acked,
		      (unsigned long long)committed,
		      (unsigned long long)l->commands);
	assert_true(acked > 100);
}

static void test_nothing_acknowledged_is_lost_by_kill_9(void **state)
{
	struct load l = { 0 };
	uint64_t lives = env_or("LIVES", 12);

	(void)state;
	load_init(&l);
	for (uint64_t life = 0; life < lives; life++) {
		assert_true(treatyd_start(
			&l.d, "--command-timeout=200ms", "--retry-first=20ms",
			"--retry-max=100ms", "--transactions-max=1000000",
			"--wal-pages-max=200", NULL));
		connect_again(&l);
		run_until(&l, now_ms() + 20 + random_next(&l.random) % 200);
		treatyd_kill(&l.d);
		give_up_in_flight(&l);
	}
	judge_all(&l);
	load_fini(&l);
}

/* A limit on the size of files is a disk that fills up in mid-air. */
static void test_a_full_disk_ends_it_with_a_reason_and_loses_nothing(
	void **state)
{
	struct load l = { 0 };

	(void)state;
	load_init(&l);
	l.d.wrapper = "ulimit -f 3000; exec \"$@\"";
	assert_true(treatyd_start(&l.d, "--transactions-max=1000000", NULL));
	connect_again(&l);
	do {
		while (l.in_flight < IN_FLIGHT)
			begin(&l);
	} while ((l.c.out.len == 0 || sp_push(&l.c) == OK) && hear(&l, 9000));
	assert_int_equal(treatyd_wait(&l.d), 1);
	assert_true(treatyd_said(&l.d, "the store failed"));
	assert_true(treatyd_said(&l.d, "nothing acknowledged is lost"));
	give_up_in_flight(&l);
	l.d.wrapper = NULL;
	judge_all(&l);
	load_fini(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing_acknowledged_is_lost_by_kill_9),
		cmocka_unit_test(
			test_a_full_disk_ends_it_with_a_reason_and_loses_nothing),
	};

	return cmocka_run_group_tests_name("crash", tests, NULL, NULL);
}
