#include "base/buf.h"
#include "base/hash.h"
#include "tests/fakes/http_peer.h"
#include "tests/live/live.h"
#include "tests/live/mover.h"
#include "tests/live/servers.h"

#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/*
 * Sagas with a real treatyd and three real databases. One saga moves the same
 * sum in each of them, so afterwards all three agree or it was not one.
 *
 * The program also is the service that gets killed: saga_test MODE ADDRESS PG
 * MARIADB SQLITE; see serve(). SEED=n repeats the random choices.
 */

static struct servers servers;
static uint64_t seed = 20261121;

#define EACH_KIND(kind)                                                        \
	for (enum cashier_kind kind = 0; kind < CASHIER_KINDS; kind++)

#define SUM "{\"sum\":10}"

#define OKAY(call)                                                             \
	do {                                                                   \
		if ((call) != TREATY_OK)                                       \
			fail_msg("%s: %s", #call, treaty_last_error());        \
	} while (0)

/* ---- the world ---- */

struct world {
	struct treatyd d;
	struct treaty *t;
	struct mover m[CASHIER_KINDS];
	struct mover_story story;
	char dsn[CASHIER_KINDS][200];
};

static void start_daemon(struct world *w)
{
	assert_true(treatyd_start(&w->d, "--retry-first=20ms",
				  "--retry-max=100ms", "--command-timeout=2s",
				  NULL));
}

static struct treaty *open_with(const char *address, uint32_t threads)
{
	struct treaty_options o;
	struct treaty *t;

	treaty_options_init(&o, sizeof o);
	o.address = address;
	o.application = "mover";
	o.threads = threads;
	o.request_timeout_ms = 20000;
	o.rollback_wait_ms = 10000;
	REQUIRE(treaty_open(&t, &o) == TREATY_OK);
	return t;
}

static struct treaty *open_agent(const char *address)
{
	return open_with(address, 4);
}

static void put_dsn(struct world *w)
{
	struct buf file;

	buf_init(&file, &mem_heap);
	buf_printf(&file, "sqlite:%s/wallet.db", servers.dir);
	memcpy(w->dsn[CASHIER_PG], servers.postgresql,
	       sizeof servers.postgresql);
	memcpy(w->dsn[CASHIER_MYSQL], servers.mariadb, sizeof servers.mariadb);
	memcpy(w->dsn[CASHIER_SQLITE], buf_text(&file), file.len + 1);
	buf_fini(&file);
}

/* Everything fresh; no service yet. */
static void world_prepare(struct world *w)
{
	memset(w, 0, sizeof *w);
	put_dsn(w);
	EACH_KIND(kind)
	{
		struct cashier c;

		mover_init(&w->m[kind], kind, w->dsn[kind]);
		w->m[kind].story = &w->story;
		cashier_open(&c, kind, w->dsn[kind]);
		cashier_tables(&c);
		cashier_close(&c);
	}
	start_daemon(w);
	w->t = open_agent(w->d.agents);
}

static void world_open(struct world *w)
{
	world_prepare(w);
	EACH_KIND(kind)
	mover_offer(&w->m[kind], w->t);
}

static void world_close(struct world *w)
{
	assert_int_equal(treaty_close(w->t), TREATY_OK);
	treatyd_remove(&w->d);
}

static void want_arrived(struct world *w, int64_t sum)
{
	EACH_KIND(kind)
	{
		assert_true(mover_conserved(&w->m[kind]));
		assert_int_equal(mover_arrived(&w->m[kind]), sum);
	}
}

/* ---- sagas ---- */

struct plan {
	bool at_once;    /* no step waits for another */
	bool forward;    /* recovery */
	uint32_t rounds; /* so often all three; 0: once */
	uint32_t deadline_ms;
	uint32_t timeout_ms;
	uint32_t retries; /* 0: 100 */
};

static void add_step(struct treaty_saga_graph *g, const struct world *w,
		     const struct plan *p, uint32_t i)
{
	static const char *const none[] = { "" };
	const char *service = w->m[i % CASHIER_KINDS].service;
	char name[] = "step00";

	name[4] = (char)('0' + i / 10);
	name[5] = (char)('0' + i % 10);
	treaty_saga_graph_step(g,
			       &(struct treaty_saga_step){
				       .size = sizeof(struct treaty_saga_step),
				       .name = name,
				       .action = service,
				       .compensation = service,
				       .input = SUM,
				       .timeout_ms = p->timeout_ms,
				       .after = p->at_once ? none : NULL });
}

static struct treaty_saga_graph *graph_of(const struct world *w,
					  const struct plan *p)
{
	const struct treaty_saga_retry retry = {
		.interval_ms = 50,
		.rate_permille = 1000,
		.attempts = p->retries ? p->retries : 100
	};
	struct treaty_saga_graph *g = treaty_saga_graph_new("move", NULL);
	uint32_t rounds = p->rounds ? p->rounds : 1;

	treaty_saga_graph_retry(g, &retry);
	treaty_saga_graph_deadline(g, p->deadline_ms);
	if (p->forward)
		treaty_saga_graph_recover_forward(g);
	for (uint32_t i = 0; i < rounds * CASHIER_KINDS; i++)
		add_step(g, w, p, i);
	return g;
}

static struct treaty_saga_run begin(struct world *w, struct plan p,
				    uint32_t wait_ms)
{
	const struct treaty_saga_options o = { .size = sizeof o,
					       .wait_ms = wait_ms };
	struct treaty_saga_graph *g = graph_of(w, &p);
	struct treaty_saga_run run;

	if (treaty_saga_graph_start(g, w->t, &o, &run) != TREATY_OK)
		fail_msg("%s", treaty_last_error());
	treaty_saga_graph_free(g);
	return run;
}

/* Wait for the end. */
static int settled(struct world *w, const char *xid)
{
	int status = 0;

	if (treaty_saga_status(w->t, xid, 30000, &status) != TREATY_OK)
		fail_msg("%s: %s", xid, treaty_last_error());
	return status;
}

static void run_ends(struct world *w, struct plan p, int status)
{
	struct treaty_saga_run run = begin(w, p, 30000);

	assert_int_equal(run.status, status);
	assert_non_null(run.json);
	assert_int_equal(settled(w, run.xid), status);
	treaty_saga_free(run.json);
}

static void assert_has(const char *text, const char *part)
{
	if (!text || !strstr(text, part))
		fail_msg("%s has no %s", text ? text : "NULL", part);
}

/* ---- the plain ways ---- */

static void test_a_graph_runs_to_its_end(void **state)
{
	struct treaty_saga_run run;
	struct world w;

	(void)state;
	world_open(&w);
	run = begin(&w, (struct plan){ 0 }, 30000);
	assert_int_equal(run.status, TREATY_STATUS_COMMITTED);
	assert_false(run.existed);
	assert_has(run.json, "\"step02\":{\"moved\":10}");
	assert_has(run.json, "\"calls\":[]");
	treaty_saga_free(run.json);
	assert_string_equal(mover_tell(&w.story), "+p +m +s");
	assert_int_equal(w.story.peak, 1);
	want_arrived(&w, 10);
	world_close(&w);
}

static void test_steps_that_wait_for_nobody_run_at_once(void **state)
{
	struct world w;

	(void)state;
	world_open(&w);
	EACH_KIND(kind)
	atomic_store(&w.m[kind].before_ms, 400);
	run_ends(&w, (struct plan){ .at_once = true }, TREATY_STATUS_COMMITTED);
	assert_int_equal(w.story.peak, 3);
	want_arrived(&w, 10);
	world_close(&w);
}

static void test_a_refusal_undoes_in_reverse_order(void **state)
{
	struct treaty_saga_run run;
	struct world w;

	(void)state;
	world_open(&w);
	atomic_store(&w.m[CASHIER_SQLITE].refuse, 1);
	run = begin(&w, (struct plan){ 0 }, 30000);
	assert_int_equal(run.status, TREATY_STATUS_ROLLBACKED);
	assert_has(run.json, "poor");
	treaty_saga_free(run.json);
	assert_string_equal(mover_tell(&w.story), "+p +m -m -p");
	/* refused for sure, so there is nothing to undo */
	assert_int_equal(w.m[CASHIER_SQLITE].compensations, 0);
	want_arrived(&w, 0);
	world_close(&w);
}

static void test_what_is_in_progress_or_unknown_is_asked_again(void **state)
{
	struct world w;

	(void)state;
	world_open(&w);
	atomic_store(&w.m[CASHIER_PG].progress, 1);
	atomic_store(&w.m[CASHIER_MYSQL].fail_before, 3);
	atomic_store(&w.m[CASHIER_SQLITE].fail_after, 3);
	run_ends(&w, (struct plan){ 0 }, TREATY_STATUS_COMMITTED);
	assert_int_equal(w.m[CASHIER_PG].actions, 2);
	assert_int_equal(w.m[CASHIER_MYSQL].actions, 4);
	assert_int_equal(w.m[CASHIER_SQLITE].actions, 4);
	assert_int_equal(
		w.m[CASHIER_SQLITE].verdicts[0][TREATY_BARRIER_DUPLICATE], 3);
	want_arrived(&w, 10);
	world_close(&w);
}

/* It was done, nobody heard so, and the refusal of another attempt is no
 * comfort: it is undone. */
static void test_what_stays_unknown_is_undone(void **state)
{
	struct world w;

	(void)state;
	world_open(&w);
	atomic_store(&w.m[CASHIER_SQLITE].fail_after, 3);
	run_ends(&w, (struct plan){ .retries = 2 }, TREATY_STATUS_ROLLBACKED);
	EACH_KIND(kind)
	assert_int_equal(w.m[kind].verdicts[1][TREATY_BARRIER_RUN], 1);
	want_arrived(&w, 0);
	/* and so is what never happened */
	atomic_store(&w.m[CASHIER_SQLITE].fail_before, 2);
	run_ends(&w, (struct plan){ .retries = 1 }, TREATY_STATUS_ROLLBACKED);
	assert_int_equal(w.m[CASHIER_SQLITE].verdicts[1][TREATY_BARRIER_EMPTY],
			 1);
	want_arrived(&w, 0);
	world_close(&w);
}

static void test_compensations_are_called_until_they_are_done(void **state)
{
	struct treaty_saga_run run;
	struct world w;

	(void)state;
	world_open(&w);
	atomic_store(&w.m[CASHIER_SQLITE].refuse, 1);
	run = begin(&w, (struct plan){ 0 }, 0);
	while (atomic_load(&w.m[CASHIER_SQLITE].actions) == 0)
		live_nap(1);
	atomic_store(&w.m[CASHIER_PG].fail_after, 2);
	assert_int_equal(settled(&w, run.xid), TREATY_STATUS_ROLLBACKED);
	assert_int_equal(w.m[CASHIER_PG].compensations, 3);
	want_arrived(&w, 0);
	world_close(&w);
}

static void test_a_program_without_threads_serves_while_it_waits(void **state)
{
	struct treaty_saga_run run;
	struct world w;

	(void)state;
	world_prepare(&w);
	assert_int_equal(treaty_close(w.t), TREATY_OK);
	w.t = open_with(w.d.agents, 0);
	EACH_KIND(kind)
	mover_offer(&w.m[kind], w.t);
	run_ends(&w, (struct plan){ 0 }, TREATY_STATUS_COMMITTED);
	run = begin(&w, (struct plan){ 0 }, 0);
	assert_int_equal(settled(&w, run.xid), TREATY_STATUS_COMMITTED);
	want_arrived(&w, 20);
	world_close(&w);
}

/* ---- time ---- */

static void test_a_deadline_undoes_what_is_done(void **state)
{
	struct treaty_saga_run run;
	struct world w;

	(void)state;
	world_open(&w);
	atomic_store(&w.m[CASHIER_SQLITE].fail_before, -1);
	run = begin(&w, (struct plan){ .deadline_ms = 1000 }, 0);
	assert_int_equal(run.status, TREATY_STATUS_BEGIN);
	while (atomic_load(&w.m[CASHIER_SQLITE].actions) == 0)
		live_nap(1);
	live_nap(1100);
	atomic_store(&w.m[CASHIER_SQLITE].fail_before, 0);
	assert_int_equal(settled(&w, run.xid), TREATY_STATUS_ROLLBACKED);
	want_arrived(&w, 0);
	assert_int_equal(w.m[CASHIER_PG].verdicts[1][TREATY_BARRIER_RUN], 1);
	world_close(&w);
}

/* The action is slower than its time; its compensation overtakes it by way of
 * another connection. */
static void test_a_late_action_is_kept_out(void **state)
{
	struct treaty_saga_run run;
	struct mover other;
	struct treaty *t;
	struct world w;

	(void)state;
	world_open(&w);
	EACH_KIND(kind)
	{
		struct mover *slow = &w.m[kind];
		int verdict = TREATY_BARRIER_SUSPENDED;

		atomic_store(&slow->before_ms, 4000);
		mover_init(&other, kind, w.dsn[kind]);
		run = begin(&w,
			    (struct plan){ .timeout_ms = 200,
					   .retries = 1,
					   .at_once = true },
			    0);
		while (atomic_load(&slow->actions) == 0)
			live_nap(1);
		live_nap(800);
		t = open_agent(w.d.agents);
		mover_offer(&other, t);
		assert_int_equal(settled(&w, run.xid),
				 TREATY_STATUS_ROLLBACKED);
		assert_int_equal(other.verdicts[1][TREATY_BARRIER_EMPTY], 1);
		assert_int_equal(slow->verdicts[0][verdict], 0);
		for (int i = 0; slow->verdicts[0][verdict] == 0; i++) {
			assert_true(i < 1000);
			live_nap(10);
		}
		assert_int_equal(treaty_close(t), TREATY_OK);
		atomic_store(&slow->before_ms, 0);
		/* the other two were done and undone */
		EACH_KIND(k)
		if (k < kind) {
			assert_true(mover_conserved(&w.m[k]));
		}
	}
	want_arrived(&w, 0);
	world_close(&w);
}

/* ---- keys and versions ---- */

static void test_one_business_key_is_one_run(void **state)
{
	struct treaty_saga_options o = { .size = sizeof o,
					 .business_key = "order-1",
					 .wait_ms = 30000 };
	const struct plan plan = { 0 };
	struct treaty_saga_run first, again;
	struct treaty_saga_graph *g;
	struct world w;

	(void)state;
	world_open(&w);
	g = graph_of(&w, &plan);
	assert_int_equal(treaty_saga_graph_start(g, w.t, &o, &first),
			 TREATY_OK);
	assert_false(first.existed);
	assert_has(first.json, "\"order-1\"");
	assert_int_equal(treaty_saga_graph_start(g, w.t, &o, &again),
			 TREATY_OK);
	assert_true(again.existed);
	assert_string_equal(again.xid, first.xid);
	assert_int_equal(again.status, TREATY_STATUS_COMMITTED);
	treaty_saga_free(again.json);
	/* also after a crash */
	treatyd_kill(&w.d);
	start_daemon(&w);
	assert_int_equal(treaty_saga_graph_start(g, w.t, &o, &again),
			 TREATY_OK);
	assert_true(again.existed);
	assert_string_equal(again.xid, first.xid);
	treaty_saga_free(again.json);
	o.business_key = "order-2";
	assert_int_equal(treaty_saga_graph_start(g, w.t, &o, &again),
			 TREATY_OK);
	assert_false(again.existed);
	treaty_saga_free(again.json);
	treaty_saga_free(first.json);
	treaty_saga_graph_free(g);
	want_arrived(&w, 20);
	world_close(&w);
}

#define TASK(service, more)                                                    \
	"{\"Type\":\"ServiceTask\",\"ServiceName\":\"move." service            \
	"\",\"ServiceMethod\":\"take\",\"CompensateState\":\"un" service       \
	"\",\"Input\":["                                                       \
	"{\"sum\":10}"                                                         \
	"]" more "}"
#define UNDO(service)                                                          \
	"\"un" service                                                         \
	"\":{\"Type\":\"ServiceTask\",\"ServiceName\":\"move." service         \
	"\",\"ServiceMethod\":\"back\",\"Input\":[{\"sum\":10}]}"

static void put(struct world *w, const char *document, const char *name,
		const char *version)
{
	struct treaty_saga_machine m;

	if (treaty_saga_machine_put(w->t, document, &m) != TREATY_OK)
		fail_msg("%s\n%s", treaty_last_error(), document);
	assert_string_equal(m.name, name);
	assert_string_equal(m.version, version);
	assert_false(m.existed);
	assert_int_equal(treaty_saga_machine_put(w->t, document, &m),
			 TREATY_OK);
	assert_true(m.existed);
}

static struct treaty_saga_run start(struct world *w, const char *machine,
				    const char *version, uint32_t wait_ms)
{
	const struct treaty_saga_options o = { .size = sizeof o,
					       .machine = machine,
					       .version = version,
					       .wait_ms = wait_ms };
	struct treaty_saga_run run;

	if (treaty_saga_start(w->t, &o, &run) != TREATY_OK)
		fail_msg("%s", treaty_last_error());
	return run;
}

static void test_runs_keep_the_version_they_began_with(void **state)
{
	static const char one
		[] = "{\"Name\":\"m\",\"Version\":\"1\",\"StartState\":\"A\","
		     "\"States\":{\"A\":" TASK("postgresql", ",\"Next\":\"B\"") ",\"B\":" TASK(
			     "mariadb",
			     "") "," UNDO("postgresql") "," UNDO("mariadb") "}"
									    "}";
	static const char two[] =
		"{\"Name\":\"m\",\"Version\":\"2\",\"StartState\":\"A\","
		"\"States\":{\"A\":" TASK("sqlite", "") "," UNDO("sqlite") "}}";
	struct treaty_saga_run old, young, again;
	struct world w;

	(void)state;
	world_open(&w);
	put(&w, one, "m", "1");
	atomic_store(&w.m[CASHIER_PG].progress, -1);
	old = start(&w, "m", NULL, 0);
	put(&w, two, "m", "2");
	young = start(&w, "m", NULL, 30000);
	assert_int_equal(young.status, TREATY_STATUS_COMMITTED);
	assert_has(young.json, "\"version\":\"2\"");
	again = start(&w, "m", "1", 0);
	assert_int_equal(treaty_saga_machine_drop(w.t, "m", "1"),
			 TREATY_E_STATE);
	treatyd_kill(&w.d);
	start_daemon(&w);
	atomic_store(&w.m[CASHIER_PG].progress, 0);
	assert_int_equal(settled(&w, old.xid), TREATY_STATUS_COMMITTED);
	assert_int_equal(settled(&w, again.xid), TREATY_STATUS_COMMITTED);
	assert_int_equal(mover_arrived(&w.m[CASHIER_PG]), 20);
	assert_int_equal(mover_arrived(&w.m[CASHIER_MYSQL]), 20);
	assert_int_equal(mover_arrived(&w.m[CASHIER_SQLITE]), 10);
	assert_int_equal(treaty_saga_machine_drop(w.t, "m", "1"), TREATY_OK);
	assert_int_equal(treaty_saga_machine_drop(w.t, "m", "1"),
			 TREATY_E_NOTFOUND);
	treaty_saga_free(young.json);
	world_close(&w);
}

static void test_a_document_that_is_wrong_is_told_where(void **state)
{
	static const char wrong[] = "{\"Name\":\"m\",\"StartState\":\"A\","
				    "\"States\":{\"A\":{\"Type\":\"Choice\","
				    "\"Choices\":[],\"Default\":\"B\"}}}";
	struct treaty_saga_options o = { .size = sizeof o,
					 .machine = "nobody" };
	struct treaty_saga_run run;
	struct world w;

	(void)state;
	world_open(&w);
	assert_int_equal(treaty_saga_machine_put(w.t, wrong, NULL),
			 TREATY_E_INVALID);
	assert_has(treaty_last_error(),
		   "$.States.A.Default: no state is called 'B'");
	assert_int_equal(treaty_saga_start(w.t, &o, &run), TREATY_E_NOTFOUND);
	o = (struct treaty_saga_options){ .size = sizeof o, .document = wrong };
	assert_int_equal(treaty_saga_start(w.t, &o, &run), TREATY_E_INVALID);
	assert_has(treaty_last_error(), "$.States.A.Default");
	world_close(&w);
}

static void test_a_sub_machine_is_undone_with_its_parent(void **state)
{
	static const char part[] =
		"{\"Name\":\"part\",\"StartState\":\"A\",\"States\":{"
		"\"A\":" TASK("postgresql", ",\"Next\":\"B\"") ",\"B\":" TASK(
			"mariadb",
			"") "," UNDO("postgresql") "," UNDO("mariadb") "}}";
	static const char whole[] =
		"{\"Name\":\"whole\",\"StartState\":\"S\",\"States\":{\"S\":{"
		"\"Type\":\"SubStateMachine\",\"StateMachineName\":\"part\","
		"\"Next\":\"C\"},\"C\":" TASK("sqlite",
					      "") "," UNDO("sqlite") "}}";
	struct treaty_saga_run run;
	struct world w;

	(void)state;
	world_open(&w);
	put(&w, part, "part", "");
	put(&w, whole, "whole", "");
	run = start(&w, "whole", NULL, 30000);
	assert_int_equal(run.status, TREATY_STATUS_COMMITTED);
	treaty_saga_free(run.json);
	want_arrived(&w, 10);
	atomic_store(&w.m[CASHIER_SQLITE].refuse, 1);
	run = start(&w, "whole", NULL, 30000);
	assert_int_equal(run.status, TREATY_STATUS_ROLLBACKED);
	treaty_saga_free(run.json);
	want_arrived(&w, 10);
	assert_string_equal(mover_tell(&w.story), "+p +m +s +p +m -m -p");
	world_close(&w);
}

/* ---- operators ---- */

static void test_recovery_forward_goes_on_until_it_is_done(void **state)
{
	struct treaty_saga_run run;
	struct world w;

	(void)state;
	world_open(&w);
	atomic_store(&w.m[CASHIER_MYSQL].refuse, -1);
	run = begin(&w, (struct plan){ .forward = true }, 0);
	while (atomic_load(&w.m[CASHIER_MYSQL].actions) < 2)
		live_nap(5);
	treatyd_kill(&w.d);
	start_daemon(&w);
	atomic_store(&w.m[CASHIER_MYSQL].refuse, 0);
	assert_int_equal(settled(&w, run.xid), TREATY_STATUS_COMMITTED);
	want_arrived(&w, 10);
	assert_int_equal(treaty_saga_forward(w.t, run.xid, "again"),
			 TREATY_E_STATE);
	world_close(&w);
}

/* A run that goes forward over a step that never works. */
static struct treaty_saga_run stuck(struct world *w)
{
	struct treaty_saga_run run;
	int was = atomic_load(&w->m[CASHIER_MYSQL].actions);

	atomic_store(&w->m[CASHIER_MYSQL].refuse, -1);
	run = begin(w, (struct plan){ .forward = true }, 0);
	while (atomic_load(&w->m[CASHIER_MYSQL].actions) < was + 2)
		live_nap(5);
	return run;
}

static void test_an_operator_moves_what_fails(void **state)
{
	struct treaty_saga_run run;
	char *json = NULL;
	struct world w;

	(void)state;
	world_open(&w);
	/* by hand: the money is moved past the service */
	run = stuck(&w);
	assert_int_equal(treaty_saga_show(w.t, run.xid, &json), TREATY_OK);
	assert_has(json, "\"path\":[");
	assert_has(json, "poor");
	treaty_saga_free(json);
	while (treaty_saga_skip(w.t, run.xid, TREATY_SAGA_ALL, "by hand") !=
	       TREATY_OK)
		live_nap(5); /* just being called */
	assert_int_equal(settled(&w, run.xid), TREATY_STATUS_COMMITTED);
	assert_int_equal(mover_arrived(&w.m[CASHIER_PG]), 10);
	assert_int_equal(mover_arrived(&w.m[CASHIER_MYSQL]), 0);
	assert_int_equal(mover_arrived(&w.m[CASHIER_SQLITE]), 10);
	/* give up */
	run = stuck(&w);
	assert_int_equal(treaty_saga_compensate(w.t, run.xid, "no more"),
			 TREATY_OK);
	assert_int_equal(settled(&w, run.xid), TREATY_STATUS_ROLLBACKED);
	assert_int_equal(mover_arrived(&w.m[CASHIER_PG]), 10);
	/* it is mended */
	run = stuck(&w);
	atomic_store(&w.m[CASHIER_MYSQL].refuse, 0);
	(void)treaty_saga_forward(w.t, run.xid, "mended");
	assert_int_equal(settled(&w, run.xid), TREATY_STATUS_COMMITTED);
	assert_int_equal(mover_arrived(&w.m[CASHIER_MYSQL]), 10);
	assert_int_equal(treaty_saga_skip(w.t, run.xid, 99, NULL),
			 TREATY_E_STATE);
	assert_int_equal(treaty_saga_compensate(w.t, "no:1:999999", NULL),
			 TREATY_E_NOTFOUND);
	world_close(&w);
}

/* ---- beside other modes ---- */

static int act(struct world *w, enum cashier_kind kind,
	       const struct treaty_saga_branch *branch)
{
	struct treaty_barrier b = treaty_saga_barrier_of(branch);
	enum treaty_barrier_verdict verdict;
	struct cashier c;

	cashier_open(&c, kind, w->dsn[kind]);
	assert_int_equal(cashier_begin(&c), OK);
	assert_int_equal(cashier_barrier(&c, &b, &verdict), OK);
	if (verdict == TREATY_BARRIER_RUN) {
		assert_int_equal(
			cashier_sql(&c, "UPDATE wallet SET balance = balance - "
					"10 WHERE id = 0"),
			OK);
		assert_int_equal(
			cashier_sql(&c, "UPDATE wallet SET balance = balance + "
					"10 WHERE id = 1"),
			OK);
		assert_int_equal(cashier_commit(&c), OK);
	} else {
		cashier_rollback(&c);
	}
	cashier_close(&c);
	return (int)verdict;
}

static struct treaty_tx *begin_plain(struct world *w)
{
	struct treaty_tx *tx;

	if (treaty_begin(w->t, "mixed", 60000, &tx) != TREATY_OK)
		fail_msg("%s", treaty_last_error());
	return tx;
}

static void test_a_branch_is_compensated_if_its_transaction_rolls_back(
	void **state)
{
	struct treaty_saga_branch b[CASHIER_KINDS];
	struct treaty_tx *tx;
	struct world w;

	(void)state;
	world_open(&w);
	for (int commit = 0; commit < 2; commit++) {
		tx = begin_plain(&w);
		EACH_KIND(kind)
		{
			assert_int_equal(treaty_saga_branch(w.t,
							    w.m[kind].service,
							    SUM, &b[kind]),
					 TREATY_OK);
			assert_int_equal(act(&w, kind, &b[kind]),
					 TREATY_BARRIER_RUN);
		}
		assert_int_equal(commit ? treaty_commit(tx)
					: treaty_rollback(tx, "test"),
				 TREATY_OK);
		assert_int_equal(settled(&w, treaty_xid(tx)),
				 commit ? TREATY_STATUS_COMMITTED
					: TREATY_STATUS_ROLLBACKED);
		assert_int_equal(treaty_release(tx), TREATY_OK);
		want_arrived(&w, commit ? 10 : 0);
	}
	EACH_KIND(kind)
	{
		assert_int_equal(w.m[kind].compensations, 1);
		assert_int_equal(w.m[kind].actions, 0);
	}
	world_close(&w);
}

static void test_a_late_action_of_a_branch_is_kept_out(void **state)
{
	struct treaty_saga_branch b;
	struct treaty_tx *tx;
	struct world w;

	(void)state;
	world_open(&w);
	EACH_KIND(kind)
	{
		tx = begin_plain(&w);
		assert_int_equal(
			treaty_saga_branch(w.t, w.m[kind].service, SUM, &b),
			TREATY_OK);
		assert_int_equal(treaty_rollback(tx, "test"), TREATY_OK);
		assert_int_equal(settled(&w, b.xid), TREATY_STATUS_ROLLBACKED);
		assert_int_equal(treaty_release(tx), TREATY_OK);
		assert_int_equal(w.m[kind].verdicts[1][TREATY_BARRIER_EMPTY],
				 1);
		assert_int_equal(act(&w, kind, &b), TREATY_BARRIER_SUSPENDED);
	}
	want_arrived(&w, 0);
	world_close(&w);
}

/* ---- URLs ---- */

struct urls {
	struct http_peer *peer;
	char target[64];
	char flag[96];
	char text[8][96]; /* URLs that were asked for */
	size_t n;
};

static const char *put_text(char *to, size_t size, const char *a, const char *b)
{
	REQUIRE(strlen(a) + strlen(b) < size);
	memcpy(to, a, strlen(a));
	memcpy(to + strlen(a), b, strlen(b) + 1);
	return to;
}

static const char *url(struct urls *u, const char *path)
{
	return put_text(u->text[u->n++], sizeof u->text[0], u->target, path);
}

/* A treatyd that may call it. */
static void urls_open(struct urls *u, struct world *w)
{
	struct buf b;

	memset(u, 0, sizeof *u);
	u->peer = http_peer_start("127.0.0.1");
	buf_init(&b, &mem_heap);
	buf_printf(&b, "http://127.0.0.1:%u", http_peer_port(u->peer));
	put_text(u->target, sizeof u->target, buf_text(&b), "");
	buf_fini(&b);
	put_text(u->flag, sizeof u->flag, "--http-targets=", u->target);
	world_open(w);
	treatyd_kill(&w->d);
	assert_true(treatyd_start(&w->d, "--retry-first=20ms",
				  "--retry-max=100ms", u->flag, NULL));
}

static void last_request_has(struct urls *u, const char *part)
{
	char *text = http_peer_last(u->peer);

	assert_has(text, part);
	mem_free(&mem_heap, text);
}

/* A URL, a service that gets its answer, and a URL. */
static int run_urls(struct world *w, struct urls *u, const char *last,
		    struct treaty_saga_run *run)
{
	const struct treaty_saga_options o = { .size = sizeof o,
					       .wait_ms = 30000,
					       .headers = "{\"Shop\":\"7\"}" };
	struct treaty_saga_graph *g = treaty_saga_graph_new("urls", NULL);
	const struct treaty_saga_step steps[] = {
		{ .size = sizeof steps[0],
		  .name = "a",
		  .action = url(u, "/json/10"),
		  .compensation = url(u, "/s/200?undo=a"),
		  .input = "[1]" },
		{ .size = sizeof steps[0],
		  .name = "b",
		  .action = w->m[CASHIER_PG].service,
		  .compensation = w->m[CASHIER_PG].service,
		  .input = "{\"sum\":\"$.[a]\"}" },
		{ .size = sizeof steps[0], .name = "c", .action = last }
	};
	int rc;

	for (size_t i = 0; i < ARRAY_LEN(steps); i++)
		treaty_saga_graph_step(g, &steps[i]);
	rc = treaty_saga_graph_start(g, w->t, &o, run);
	treaty_saga_graph_free(g);
	return rc;
}

static void test_steps_may_be_urls(void **state)
{
	struct treaty_saga_run run;
	struct world w;
	struct urls u;

	(void)state;
	urls_open(&u, &w);
	OKAY(run_urls(&w, &u, url(&u, "/s/200"), &run));
	assert_int_equal(run.status, TREATY_STATUS_COMMITTED);
	assert_int_equal(mover_arrived(&w.m[CASHIER_PG]), 10);
	last_request_has(&u, "POST /s/200?gid=");
	last_request_has(&u, "&trans_type=saga&branch_id=2&op=action");
	last_request_has(&u, "Shop: 7");
	last_request_has(&u, run.xid);
	treaty_saga_free(run.json);
	OKAY(run_urls(&w, &u, url(&u, "/refuse"), &run));
	assert_int_equal(run.status, TREATY_STATUS_ROLLBACKED);
	assert_has(run.json, "\"error\":\"NoMoney\"");
	assert_int_equal(mover_arrived(&w.m[CASHIER_PG]), 10);
	last_request_has(&u, "POST /s/200?undo=a&gid=");
	last_request_has(&u, "&branch_id=0&op=compensate");
	last_request_has(&u, "[1]");
	treaty_saga_free(run.json);
	assert_int_equal(run_urls(&w, &u, "http://127.0.0.1:1/", &run),
			 TREATY_E_DENIED);
	assert_has(treaty_last_error(), "$.steps[2].action: ");
	assert_has(treaty_last_error(), "http_targets");
	world_close(&w);
	http_peer_stop(u.peer);
}

static void test_a_branch_may_be_undone_by_a_url(void **state)
{
	struct treaty_saga_branch b;
	struct treaty_tx *tx;
	struct world w;
	struct urls u;

	(void)state;
	urls_open(&u, &w);
	tx = begin_plain(&w);
	OKAY(treaty_saga_branch(w.t, url(&u, "/s/200"), "[7]", &b));
	OKAY(treaty_commit(tx));
	assert_int_equal(settled(&w, b.xid), TREATY_STATUS_COMMITTED);
	assert_int_equal(http_peer_requests(u.peer), 0);
	OKAY(treaty_release(tx));
	tx = begin_plain(&w);
	OKAY(treaty_saga_branch(w.t, url(&u, "/s/200"), "[7]", &b));
	OKAY(treaty_rollback(tx, "test"));
	assert_int_equal(settled(&w, b.xid), TREATY_STATUS_ROLLBACKED);
	assert_int_equal(http_peer_requests(u.peer), 1);
	last_request_has(&u, "&op=compensate");
	last_request_has(&u, b.branch_id);
	last_request_has(&u, "[7]");
	assert_int_equal(
		treaty_saga_branch(w.t, "http://127.0.0.1:1/x", NULL, &b),
		TREATY_E_STATE); /* the transaction is over */
	OKAY(treaty_release(tx));
	tx = begin_plain(&w);
	assert_int_equal(
		treaty_saga_branch(w.t, "http://127.0.0.1:1/x", NULL, &b),
		TREATY_E_DENIED);
	assert_has(treaty_last_error(), "http_targets");
	OKAY(treaty_release(tx));
	world_close(&w);
	http_peer_stop(u.peer);
}

/* ---- processes that get killed ---- */

/* Modes: "serve" offers the services, "stall" does not come back from them. */
static _Noreturn void serve(char **argv)
{
	static struct world w;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	w.t = open_agent(argv[2]);
	EACH_KIND(kind)
	{
		mover_init(&w.m[kind], kind, argv[3 + kind]);
		w.m[kind].stall = strcmp(argv[1], "stall") == 0;
		mover_offer(&w.m[kind], w.t);
	}
	for (;;)
		live_nap(1000);
}

struct process {
	pid_t pid;
	int out;
};

static struct process spawn(struct world *w, const char *mode)
{
	char *args[] = { (char *)"saga_test",
			 (char *)(uintptr_t)mode,
			 w->d.agents,
			 w->dsn[0],
			 w->dsn[1],
			 w->dsn[2],
			 NULL };
	struct process p = { 0 };
	int ends[2];

	assert_int_equal(pipe(ends), 0);
	p.pid = fork();
	assert_true(p.pid >= 0);
	if (p.pid == 0) {
		(void)dup2(ends[1], STDOUT_FILENO);
		(void)close(ends[0]);
		(void)close(ends[1]);
		(void)execv("/proc/self/exe", args);
		_exit(127);
	}
	(void)close(ends[1]);
	p.out = ends[0];
	return p;
}

static void wait_stalled(struct process *p)
{
	struct pollfd f = { .fd = p->out, .events = POLLIN };
	char c;

	assert_int_equal(poll(&f, 1, 20000), 1);
	assert_int_equal(read(p->out, &c, 1), 1);
	assert_int_equal(c, 's');
}

static void kill_9(struct process *p)
{
	assert_int_equal(kill(p->pid, SIGKILL), 0);
	assert_int_equal(waitpid(p->pid, NULL, 0), p->pid);
	(void)close(p->out);
}

/* Its work is committed, its answer never came: the next one is told the same
 * task, and its barrier tells that it is done. */
static void test_a_service_killed_in_its_action_is_called_again(void **state)
{
	struct treaty_saga_run run;
	struct process p;
	struct world w;

	(void)state;
	world_prepare(&w);
	p = spawn(&w, "stall");
	run = begin(&w, (struct plan){ 0 }, 0);
	wait_stalled(&p);
	assert_int_equal(mover_arrived(&w.m[CASHIER_PG]), 10);
	kill_9(&p);
	EACH_KIND(kind)
	mover_offer(&w.m[kind], w.t);
	assert_int_equal(settled(&w, run.xid), TREATY_STATUS_COMMITTED);
	assert_int_equal(w.m[CASHIER_PG].verdicts[0][TREATY_BARRIER_DUPLICATE],
			 1);
	assert_int_equal(w.m[CASHIER_PG].verdicts[0][TREATY_BARRIER_RUN], 0);
	want_arrived(&w, 10);
	world_close(&w);
}

static void test_both_killed_in_an_action_and_both_come_back(void **state)
{
	struct treaty_saga_run run;
	struct process p;
	struct world w;

	(void)state;
	world_prepare(&w);
	p = spawn(&w, "stall");
	run = begin(&w, (struct plan){ 0 }, 0);
	wait_stalled(&p);
	treatyd_kill(&w.d);
	kill_9(&p);
	start_daemon(&w);
	p = spawn(&w, "serve");
	assert_int_equal(settled(&w, run.xid), TREATY_STATUS_COMMITTED);
	want_arrived(&w, 10);
	kill_9(&p);
	world_close(&w);
}

/* Start it until it is known to run. */
static void start_surely(struct world *w, const struct plan *p, const char *key,
			 char xid[TREATY_XID_MAX + 1])
{
	const struct treaty_saga_options o = { .size = sizeof o,
					       .business_key = key };
	struct treaty_saga_graph *g = graph_of(w, p);
	struct treaty_saga_run run;

	for (int i = 0; treaty_saga_graph_start(g, w->t, &o, &run) != TREATY_OK;
	     i++) {
		assert_true(i < 100);
		live_nap(20);
	}
	memcpy(xid, run.xid, sizeof run.xid);
	treaty_saga_graph_free(g);
}

#define LONG_RUNS 12

/* Long sagas while treatyd and the services are killed at random moments. Some
 * refuse on the way; all end, and the three databases agree. */
static void kills_at_random(uint64_t *random)
{
	char xids[LONG_RUNS][TREATY_XID_MAX + 1];
	struct plan plan = { .rounds = 4 };
	int committed = 0, rolled_back = 0;
	struct process p;
	struct world w;

	world_prepare(&w);
	EACH_KIND(kind)
	mover_offer(&w.m[kind], w.t);
	p = spawn(&w, "serve");
	/* of the two processes that serve, this one refuses now and then */
	atomic_store(&w.m[CASHIER_MYSQL].fail_after, 10);
	for (int i = 0; i < LONG_RUNS; i++) {
		char key[] = "run 00";

		key[4] = (char)('0' + i / 10);
		key[5] = (char)('0' + i % 10);
		plan.at_once = random_next(random) % 2 == 0;
		if (i % 2 == 0)
			atomic_store(&w.m[CASHIER_SQLITE].refuse, 1);
		start_surely(&w, &plan, key, xids[i]);
		live_nap(random_next(random) % 60);
		if (i % 3 == 2) {
			treatyd_kill(&w.d);
			live_nap(random_next(random) % 50);
			start_daemon(&w);
		}
		if (i % 4 == 3) {
			kill_9(&p);
			p = spawn(&w, "serve");
		}
	}
	for (int i = 0; i < 4; i++) {
		live_nap(random_next(random) % 300);
		treatyd_kill(&w.d);
		start_daemon(&w);
	}
	for (int i = 0; i < LONG_RUNS; i++) {
		int status = settled(&w, xids[i]);

		committed += status == TREATY_STATUS_COMMITTED;
		rolled_back += status == TREATY_STATUS_ROLLBACKED;
	}
	print_message("%d committed, %d rolled back\n", committed, rolled_back);
	assert_int_equal(committed + rolled_back, LONG_RUNS);
	want_arrived(&w, 40 * committed);
	kill_9(&p);
	world_close(&w);
}

static void test_kills_at_random_keep_the_books(void **state)
{
	uint64_t random = seed;

	(void)state;
	for (int i = 0; i < 3; i++)
		kills_at_random(&random);
}

/* ---- the example of the documentation ---- */

static int example(struct world *w, const char *file, const char *pens,
		   const char *order)
{
	char *args[] = { (char *)"saga",           w->d.agents,
			 (char *)(uintptr_t)file,  (char *)(uintptr_t)pens,
			 (char *)(uintptr_t)order, NULL };
	int status = 0;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		(void)execv(EXAMPLE_SAGA, args);
		_exit(127);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void shop_has(struct cashier *c, int pens, int money)
{
	assert_int_equal(
		cashier_number(c, "SELECT n FROM shop WHERE id = 'shelf'"),
		pens);
	assert_int_equal(
		cashier_number(c, "SELECT n FROM shop WHERE id = 'wallet'"),
		money);
}

static void test_the_example_does_what_it_says(void **state)
{
	struct cashier c;
	struct buf file;
	struct world w;

	(void)state;
	world_prepare(&w);
	buf_init(&file, &mem_heap);
	buf_printf(&file, "sqlite:%s/shop.db", servers.dir);
	cashier_open(&c, CASHIER_SQLITE, buf_text(&file));
	assert_int_equal(cashier_sql(&c, "CREATE TABLE shop (id TEXT PRIMARY "
					 "KEY, n INTEGER)"),
			 OK);
	assert_int_equal(cashier_sql(&c, "INSERT INTO shop VALUES ('shelf', "
					 "10), ('wallet', 50)"),
			 OK);
	assert_int_equal(example(&w, buf_text(&file) + 7, "3", "order-1"), 0);
	shop_has(&c, 7, 20);
	/* the same order is the same sale */
	assert_int_equal(example(&w, buf_text(&file) + 7, "3", "order-1"), 0);
	shop_has(&c, 7, 20);
	/* not enough money: the pens go back */
	assert_int_equal(example(&w, buf_text(&file) + 7, "3", "order-2"), 1);
	shop_has(&c, 7, 20);
	assert_int_equal(example(&w, buf_text(&file) + 7, "2", "order-3"), 0);
	shop_has(&c, 5, 0);
	cashier_close(&c);
	buf_fini(&file);
	world_close(&w);
}

static int start_servers(void **state)
{
	(void)state;
	seed = live_seed(seed);
	treaty_set_log(NULL, NULL, TREATY_LOG_ERROR); /* much fails here */
	return servers_start(&servers, SERVERS_POSTGRESQL | SERVERS_MARIADB);
}

static int stop_servers(void **state)
{
	(void)state;
	servers_stop(&servers);
	return 0;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_graph_runs_to_its_end),
		cmocka_unit_test(test_steps_that_wait_for_nobody_run_at_once),
		cmocka_unit_test(test_a_refusal_undoes_in_reverse_order),
		cmocka_unit_test(
			test_what_is_in_progress_or_unknown_is_asked_again),
		cmocka_unit_test(test_what_stays_unknown_is_undone),
		cmocka_unit_test(
			test_compensations_are_called_until_they_are_done),
		cmocka_unit_test(
			test_a_program_without_threads_serves_while_it_waits),
		cmocka_unit_test(test_a_deadline_undoes_what_is_done),
		cmocka_unit_test(test_a_late_action_is_kept_out),
		cmocka_unit_test(test_one_business_key_is_one_run),
		cmocka_unit_test(test_runs_keep_the_version_they_began_with),
		cmocka_unit_test(test_a_document_that_is_wrong_is_told_where),
		cmocka_unit_test(test_a_sub_machine_is_undone_with_its_parent),
		cmocka_unit_test(
			test_recovery_forward_goes_on_until_it_is_done),
		cmocka_unit_test(test_an_operator_moves_what_fails),
		cmocka_unit_test(
			test_a_branch_is_compensated_if_its_transaction_rolls_back),
		cmocka_unit_test(test_a_late_action_of_a_branch_is_kept_out),
		cmocka_unit_test(test_steps_may_be_urls),
		cmocka_unit_test(test_a_branch_may_be_undone_by_a_url),
		cmocka_unit_test(
			test_a_service_killed_in_its_action_is_called_again),
		cmocka_unit_test(
			test_both_killed_in_an_action_and_both_come_back),
		cmocka_unit_test(test_kills_at_random_keep_the_books),
		cmocka_unit_test(test_the_example_does_what_it_says),
	};

	if (argc == 6)
		serve(argv);
	return cmocka_run_group_tests(tests, start_servers, stop_servers);
}
