/*
 * Tellers behind a bad network, and processes that stand still without being
 * dead. Money moves on as soon as it can, and is neither made nor lost.
 */
#include "base/hash.h"
#include "tests/live/bank.h"
#include "tests/live/wire.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/wait.h>

#include <cmocka.h>

#define PATIENCE_MS 20000

static struct bank bank;
static struct wire wire;

static int start(void **state)
{
	const struct teller_job job = { .transfers = 3, .timeout_ms = 5000 };

	(void)state;
	bank_open(&bank);
	wire_start(&wire, bank.d.agents);
	assert_int_equal(bank_wait(bank_hire(&bank, &job)), 0);
	return 0;
}

static int stop(void **state)
{
	(void)state;
	wire_stop(&wire);
	bank_close(&bank);
	return 0;
}

static pid_t hire_behind_wire(void)
{
	const struct teller_job job = { .transfers = -1,
					.rollbacks = 20,
					.timeout_ms = 2000,
					.agents = wire.address };

	return bank_hire(&bank, &job);
}

static void await_committed(size_t n)
{
	uint64_t end = live_now_ms() + PATIENCE_MS;

	while (bank_committed(&bank) < n) {
		if (live_now_ms() > end)
			fail_msg("no transfer was committed in time");
		live_nap(10);
	}
}

static void await_some_more(void)
{
	await_committed(bank_committed(&bank) + 3);
}

/* ---- partitions ---- */

static void test_work_goes_on_after_each_partition(void **state)
{
	pid_t teller = hire_behind_wire();

	(void)state;
	await_some_more();
	for (int way = 1; way <= 3; way++) { /* up, down, both */
		atomic_store(&wire.c->hold_up, way & 1);
		atomic_store(&wire.c->hold_down, way >> 1);
		live_nap(400);
		/* short: what was held arrives late; long: it is lost */
		if (way == 3)
			live_nap(1700);
		atomic_store(&wire.c->hold_up, 0);
		atomic_store(&wire.c->hold_down, 0);
		await_some_more();
	}
	bank_fire(teller);
	bank_heal(&bank, PATIENCE_MS);
}

/* treatyd has done what it was asked, the answer never arrives. */
static void test_a_lost_answer_is_asked_for_again(void **state)
{
	pid_t teller = hire_behind_wire();

	(void)state;
	await_some_more();
	for (int i = 0; i < 12; i++) {
		atomic_store(&wire.c->hold_down, 1);
		live_nap(30);
		wire_cut(&wire);
		atomic_store(&wire.c->hold_down, 0);
		if (i % 4 == 3)
			await_some_more();
	}
	bank_fire(teller);
	bank_heal(&bank, PATIENCE_MS);
}

/* The connection looks healthy and passes nothing, for ever. */
static void test_a_half_open_connection_is_replaced(void **state)
{
	pid_t teller = hire_behind_wire();
	unsigned links;

	(void)state;
	await_some_more();
	links = atomic_load(&wire.c->links);
	wire_freeze(&wire);
	await_some_more();
	assert_true(atomic_load(&wire.c->links) > links);
	bank_fire(teller);
	wire_cut(&wire);
	bank_heal(&bank, PATIENCE_MS);
}

static void do_harm(uint64_t *random)
{
	switch (random_next(random) % 5) {
	case 0:
		wire_cut(&wire);
		break;
	case 1:
		atomic_store(&wire.c->hold_up, 1);
		break;
	case 2:
		atomic_store(&wire.c->hold_down, 1);
		break;
	case 3:
		atomic_store(&wire.c->refuse, 1);
		wire_cut(&wire);
		break;
	default:
		atomic_store(&wire.c->chop, 7);
		break;
	}
}

static void be_good(void)
{
	atomic_store(&wire.c->hold_up, 0);
	atomic_store(&wire.c->hold_down, 0);
	atomic_store(&wire.c->refuse, 0);
	atomic_store(&wire.c->chop, 0);
}

static void test_money_survives_a_bad_network(void **state)
{
	uint64_t random = live_seed(4711), end = live_now_ms() + 3500;
	pid_t tellers[2] = { hire_behind_wire(), hire_behind_wire() };

	(void)state;
	await_some_more();
	while (live_now_ms() < end) {
		do_harm(&random);
		live_nap(50 + random_next(&random) % 250);
		if (random_next(&random) % 2)
			wire_cut(&wire); /* and what was held is lost */
		be_good();
		live_nap(random_next(&random) % 250);
	}
	await_some_more();
	bank_fire(tellers[0]);
	bank_fire(tellers[1]);
	bank_heal(&bank, PATIENCE_MS);
}

/* ---- standing still ---- */

static void test_a_coordinator_that_stood_still_goes_on(void **state)
{
	pid_t teller = hire_behind_wire();

	(void)state;
	await_some_more();
	treatyd_signal(&bank.d, SIGSTOP);
	live_nap(2000); /* transactions time out, agents give it up */
	treatyd_signal(&bank.d, SIGCONT);
	await_some_more();
	bank_fire(teller);
	bank_heal(&bank, PATIENCE_MS);
}

static void await_stop(pid_t teller)
{
	int status = 0;

	for (int ms = 0; ms < PATIENCE_MS; ms += 5) {
		if (waitpid(teller, &status, WUNTRACED | WNOHANG) == teller) {
			assert_true(WIFSTOPPED(status));
			return;
		}
		live_nap(5);
	}
	fail_msg("the teller did not come to its moment");
}

static void await_rollback(void)
{
	uint64_t before = live_stat(&bank.d, "timed_out");

	while (live_stat(&bank.d, "timed_out") == before)
		live_nap(10);
	live_nap(200); /* for its branches */
}

/*
 * A participant sleeps between two steps until its transaction was rolled back
 * without it, then goes on as if nothing had happened: the late phase one must
 * not stay, the late commit must hear the truth.
 */
static void test_who_slept_through_the_rollback_changes_nothing(void **state)
{
	static const enum moment moments[] = { MOMENT_REGISTERING,
					       MOMENT_REGISTERED,
					       MOMENT_ONE_SIDE_DONE,
					       MOMENT_COMMITTING };
	const struct teller_job serve = { .transfers = 0 };
	pid_t other = bank_hire(&bank, &serve);

	(void)state;
	for (int i = 0; i < 4; i++) {
		const struct teller_job job = { .moment = moments[i],
						.sleeps = true,
						.transfers = 5,
						.timeout_ms = 700 };
		pid_t teller = bank_hire(&bank, &job);

		await_stop(teller);
		await_rollback();
		assert_int_equal(kill(teller, SIGCONT), 0);
		assert_int_equal(bank_wait(teller), 0);
	}
	bank_fire(other);
	bank_heal(&bank, PATIENCE_MS);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_work_goes_on_after_each_partition),
		cmocka_unit_test(test_a_lost_answer_is_asked_for_again),
		cmocka_unit_test(test_a_half_open_connection_is_replaced),
		cmocka_unit_test(test_money_survives_a_bad_network),
		cmocka_unit_test(test_a_coordinator_that_stood_still_goes_on),
		cmocka_unit_test(
			test_who_slept_through_the_rollback_changes_nothing),
	};

	bank_teller(argc, argv);
	return cmocka_run_group_tests_name("fault_network", tests, start, stop);
}
