/*
 * An agent and treatyd that stand still for longer than three heartbeats, one,
 * the other or both, and networks that pass nothing. Each time work goes on
 * within a few seconds.
 */
#include "tests/live/live.h"
#include "tests/live/wire.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <treaty/treaty.h>

#define HEARTBEAT_MS 150
#define ASLEEP_MS    (6 * HEARTBEAT_MS) /* both sides have given up */
/* Half-open connections are found by three heartbeats; then 1 s, 2 s, … */
#define PATIENCE_MS 6000
#define THREADS     4
#define ROUNDS      4

struct worker {
	pid_t pid;
	_Atomic uint64_t *done; /* transactions, shared with the process */
};

static struct treatyd treatyd;
static struct wire wire;
static uint64_t slowest;

/* ---- a process that does nothing but transactions ---- */

static struct treaty *handle;

static void *transact(void *arg)
{
	_Atomic uint64_t *done = arg;

	for (;;) {
		struct treaty_tx *tx;

		if (treaty_begin(handle, "still", 60000, &tx) != TREATY_OK)
			continue;
		if (treaty_commit(tx) == TREATY_OK)
			atomic_fetch_add(done, 1);
		(void)treaty_release(tx);
	}
	return NULL;
}

static _Noreturn void work(const char *address, _Atomic uint64_t *done)
{
	struct treaty_options o;
	pthread_t thread;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	treaty_options_init(&o, sizeof o);
	o.address = address;
	o.application = "still";
	o.heartbeat_ms = HEARTBEAT_MS;
	o.request_timeout_ms = 1000;
	if (treaty_open(&handle, &o) != TREATY_OK)
		_exit(3);
	for (int i = 1; i < THREADS; i++)
		if (pthread_create(&thread, NULL, transact, done) != 0)
			_exit(4);
	(void)transact(done);
	_exit(5);
}

static void await_more(const struct worker *w)
{
	uint64_t since = live_now_ms(), had = atomic_load(w->done);

	while (atomic_load(w->done) < had + 2 * THREADS) {
		if (live_now_ms() > since + PATIENCE_MS)
			fail_msg("no work for %u ms", PATIENCE_MS);
		live_nap(2);
	}
	if (live_now_ms() - since > slowest)
		slowest = live_now_ms() - since;
}

static struct worker hire(const char *address)
{
	struct worker w = { .done = mmap(NULL, sizeof *w.done,
					 PROT_READ | PROT_WRITE,
					 MAP_SHARED | MAP_ANONYMOUS, -1, 0) };

	assert_true(w.done != MAP_FAILED);
	w.pid = fork();
	assert_true(w.pid >= 0);
	if (w.pid == 0)
		work(address, w.done);
	await_more(&w);
	slowest = 0;
	return w;
}

static void fire(struct worker *w)
{
	print_message("slowest: %u ms\n", (unsigned)slowest);
	(void)kill(w->pid, SIGKILL);
	(void)waitpid(w->pid, NULL, 0);
	(void)munmap((void *)(uintptr_t)w->done, sizeof *w->done);
}

static void stop(const struct worker *w)
{
	int status;

	assert_int_equal(kill(w->pid, SIGSTOP), 0);
	assert_int_equal(waitpid(w->pid, &status, WUNTRACED), w->pid);
	assert_true(WIFSTOPPED(status));
}

static void go_on(const struct worker *w)
{
	assert_int_equal(kill(w->pid, SIGCONT), 0);
}

static int start_all(void **state)
{
	(void)state;
	/* It looks for silence from the hello's time-out on. */
	assert_true(treatyd_start(&treatyd, "--heartbeat=150ms",
				  "--hello-timeout=450ms", NULL));
	wire_start(&wire, treatyd.agents);
	return 0;
}

static int stop_all(void **state)
{
	(void)state;
	wire_stop(&wire);
	treatyd_remove(&treatyd);
	return 0;
}

/* ---- tests ---- */

static void test_an_agent_that_stood_still_goes_on(void **state)
{
	struct worker w = hire(treatyd.agents);

	(void)state;
	for (int i = 0; i < 2 * ROUNDS; i++) {
		uint64_t had = atomic_load(w.done);

		stop(&w);
		live_nap(ASLEEP_MS);
		assert_true(atomic_load(w.done) < had + 1000);
		go_on(&w);
		await_more(&w);
	}
	assert_true(treatyd_says(&treatyd, "three heartbeats", 1000));
	fire(&w);
}

/* What treatyd said last is there, and then the connection is reset. */
static void test_an_agent_that_was_reset_while_it_stood_still_goes_on(
	void **state)
{
	struct worker w = hire(wire.address);

	(void)state;
	for (int i = 0; i < ROUNDS; i++) {
		stop(&w);
		live_nap(i % 2 ? 2 * ASLEEP_MS : 10);
		wire_cut(&wire);
		go_on(&w);
		await_more(&w);
	}
	fire(&w);
}

static void test_a_coordinator_that_stood_still_goes_on(void **state)
{
	struct worker w = hire(treatyd.agents);

	(void)state;
	for (int i = 0; i < ROUNDS; i++) {
		treatyd_signal(&treatyd, SIGSTOP);
		live_nap(ASLEEP_MS);
		treatyd_signal(&treatyd, SIGCONT);
		await_more(&w);
	}
	fire(&w);
}

static void test_both_stood_still(void **state)
{
	struct worker w = hire(treatyd.agents);

	(void)state;
	for (int i = 0; i < ROUNDS; i++) {
		stop(&w);
		live_nap(HEARTBEAT_MS);
		treatyd_signal(&treatyd, SIGSTOP);
		live_nap(ASLEEP_MS);
		if (i % 2)
			go_on(&w);
		else
			treatyd_signal(&treatyd, SIGCONT);
		live_nap(ASLEEP_MS);
		go_on(&w);
		treatyd_signal(&treatyd, SIGCONT);
		await_more(&w);
	}
	fire(&w);
}

/* New connections are made, and pass nothing either. */
static void test_a_black_hole_on_the_way_is_got_out_of(void **state)
{
	struct worker w = hire(wire.address);

	(void)state;
	for (int i = 0; i < ROUNDS; i++) {
		atomic_store(&wire.c->hold_up, i != 1);
		atomic_store(&wire.c->hold_down, i != 2);
		if (i == 3)
			stop(&w);
		live_nap(2 * ASLEEP_MS);
		if (i == 3)
			go_on(&w);
		wire_freeze(&wire); /* and these never will */
		atomic_store(&wire.c->hold_up, 0);
		atomic_store(&wire.c->hold_down, 0);
		await_more(&w);
	}
	fire(&w);
	wire_cut(&wire);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_an_agent_that_stood_still_goes_on),
		cmocka_unit_test(
			test_an_agent_that_was_reset_while_it_stood_still_goes_on),
		cmocka_unit_test(test_a_coordinator_that_stood_still_goes_on),
		cmocka_unit_test(test_both_stood_still),
		cmocka_unit_test(test_a_black_hole_on_the_way_is_got_out_of),
	};

	return cmocka_run_group_tests_name("stand_still", tests, start_all,
					   stop_all);
}
