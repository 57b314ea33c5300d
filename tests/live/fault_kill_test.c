/*
 * Processes are killed with -9 at chosen and at random moments while money
 * moves between three databases. Afterwards nothing is unfinished, no money was
 * made or lost, and everything that somebody was told is true.
 */
#include "base/hash.h"
#include "tests/live/bank.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>

#include <cmocka.h>

#define TELLERS 3

static struct bank bank;

static int open_bank(void **state)
{
	const struct teller_job job = { .transfers = 3, .timeout_ms = 5000 };

	(void)state;
	bank_open(&bank);
	/* Makes the undo tables, too. */
	assert_int_equal(bank_wait(bank_hire(&bank, &job)), 0);
	assert_true(bank_committed(&bank) == 3);
	bank_sql(&bank, 0,
		 "CREATE TRIGGER gate BEFORE DELETE ON undo_log"
		 " BEGIN SELECT undo_written(); END");
	return 0;
}

static int close_bank(void **state)
{
	(void)state;
	bank_close(&bank);
	return 0;
}

/* ---- chosen moments ---- */

static void test_an_agent_may_die_at_any_step(void **state)
{
	(void)state;
	for (int m = MOMENT_BEGUN; m < MOMENTS; m++) {
		const struct teller_job job = { .moment = (enum moment)m,
						.transfers = 300,
						.rollbacks = 50,
						.timeout_ms = 1500 };
		int end = bank_wait(bank_hire(&bank, &job));

		if (end != -SIGKILL)
			fail_msg("%s: ended with %d",
				 moment_name((enum moment)m), end);
	}
	bank_heal(&bank, 15000);
}

/* Within the undo's transaction, in a server. */
static void die_at_gate(int side)
{
	const struct teller_job job = { .transfers = -1,
					.rollbacks = 100,
					.timeout_ms = 1500 };
	pid_t teller;

	bank_gate(&bank, true);
	teller = bank_hire(&bank, &job);
	bank_await_sleeper(&bank, side);
	bank_fire(teller);
	bank_gate(&bank, false);
}

static void test_an_agent_may_die_between_undo_and_undo_row(void **state)
{
	(void)state;
	die_at_gate(1);
	die_at_gate(2);
	bank_heal(&bank, 15000);
}

/* ---- random moments ---- */

static const struct teller_job work = { .transfers = -1,
					.rollbacks = 25,
					.timeout_ms = 2000 };

static void strike(pid_t *tellers, uint64_t *random)
{
	uint64_t who = random_next(random) % 8;
	pid_t *t = &tellers[who % TELLERS];

	if (who >= 6) {
		treatyd_kill(&bank.d);
		live_nap(random_next(random) % 100);
		bank_start_treatyd(&bank);
	} else if (who >= 5) {
		/* stuck, but connected */
		assert_int_equal(kill(*t, SIGSTOP), 0);
		live_nap(200 + random_next(random) % 300);
		assert_int_equal(kill(*t, SIGCONT), 0);
	} else {
		bank_fire(*t);
		*t = bank_hire(&bank, &work);
	}
}

static void test_anybody_may_die_at_any_time(void **state)
{
	uint64_t random = live_seed(20251121), end = live_now_ms() + 4000;
	size_t before = bank_committed(&bank);
	pid_t tellers[TELLERS];

	(void)state;
	for (int i = 0; i < TELLERS; i++)
		tellers[i] = bank_hire(&bank, &work);
	while (live_now_ms() < end) {
		live_nap(150 + random_next(&random) % 500);
		strike(tellers, &random);
	}
	for (int i = 0; i < TELLERS; i++)
		bank_fire(tellers[i]);
	bank_heal(&bank, 15000);
	assert_true(bank_committed(&bank) > before);
}

/* ---- the databases themselves ---- */

static void test_databases_may_crash_under_load(void **state)
{
	size_t before = bank_committed(&bank);
	pid_t tellers[TELLERS];

	(void)state;
	for (int i = 0; i < TELLERS; i++)
		tellers[i] = bank_hire(&bank, &work);
	live_nap(500);
	assert_int_equal(servers_kill(&bank.servers, "postgresql"), 0);
	live_nap(300);
	assert_int_equal(servers_again(&bank.servers, "postgresql"), 0);
	live_nap(500);
	assert_int_equal(servers_kill(&bank.servers, "mariadb"), 0);
	live_nap(300);
	assert_int_equal(servers_again(&bank.servers, "mariadb"), 0);
	live_nap(500);
	for (int i = 0; i < TELLERS; i++)
		bank_fire(tellers[i]);
	bank_heal(&bank, 15000);
	assert_true(bank_committed(&bank) > before);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_an_agent_may_die_at_any_step),
		cmocka_unit_test(
			test_an_agent_may_die_between_undo_and_undo_row),
		cmocka_unit_test(test_anybody_may_die_at_any_time),
		cmocka_unit_test(test_databases_may_crash_under_load),
	};

	bank_teller(argc, argv);
	return cmocka_run_group_tests_name("fault_kill", tests, open_bank,
					   close_bank);
}
