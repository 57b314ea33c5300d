#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tc/core/branch.h"

enum group { REPORT, COMMIT, ROLLBACK };

static enum group group_of(int event)
{
	if (event <= BRANCH_EV_FAILED)
		return REPORT;
	return event < BRANCH_EV_ROLLBACKED ? COMMIT : ROLLBACK;
}

static bool phase_one(int s)
{
	return s == BRANCH_REGISTERED || s == BRANCH_PHASE_ONE_DONE;
}

/* 'C' or 'R' if a status says which way it goes; 0 if either. */
static char side(int s)
{
	switch (s) {
	case BRANCH_COMMITTED:
	case BRANCH_COMMIT_RETRYABLE:
	case BRANCH_COMMIT_UNRETRYABLE:
	case BRANCH_COMMIT_NOTA:
		return 'C';
	case BRANCH_ROLLBACKED:
	case BRANCH_ROLLBACK_RETRYABLE:
	case BRANCH_ROLLBACK_UNRETRYABLE:
	case BRANCH_ROLLBACK_NOTA:
		return 'R';
	default:
		return 0;
	}
}

static void walk(void (*each)(int s, int e, struct branch_rule r))
{
	for (int s = 0; s < BRANCH_STATUSES; s++)
		for (int e = 0; e < BRANCH_EVENTS; e++)
			each(s, e,
			     branch_rule((enum branch_status)s,
					 (enum branch_event)e));
}

static void one_way(int s, int e, struct branch_rule r)
{
	enum group g = group_of(e);

	if (r.verdict == VERDICT_MOVE) {
		assert_int_not_equal((int)r.next, s);
		assert_false(branch_finished((enum branch_status)s));
		if (side((int)r.next))
			assert_int_equal(side((int)r.next),
					 g == COMMIT ? 'C' : 'R');
	} else {
		assert_int_equal((int)r.next, s);
	}
	if (r.verdict != VERDICT_FORBIDDEN && side(s))
		assert_int_equal(side(s), g == COMMIT   ? 'C'
					  : g == REPORT ? 0
							: 'R');
}

static void test_a_branch_never_goes_both_ways(void **state)
{
	(void)state;
	walk(one_way);
}

static void test_a_command_may_end_any_unfinished_branch(void **state)
{
	(void)state;
	for (int s = 0; s < BRANCH_STATUSES; s++) {
		bool open =
			phase_one(s) || s == BRANCH_STOP_RETRY ||
			(side(s) && !branch_finished((enum branch_status)s));
		struct branch_rule c =
			branch_rule((enum branch_status)s, BRANCH_EV_COMMITTED);
		struct branch_rule r = branch_rule((enum branch_status)s,
						   BRANCH_EV_ROLLBACKED);

		assert_int_equal(c.verdict == VERDICT_MOVE,
				 open && side(s) != 'R');
		assert_int_equal(r.verdict == VERDICT_MOVE,
				 open && side(s) != 'C');
	}
}

static void test_only_an_operator_takes_a_hung_branch_up(void **state)
{
	(void)state;
	for (int s = 0; s < BRANCH_STATUSES; s++) {
		for (int e = 0; e < BRANCH_EVENTS; e++) {
			struct branch_rule r = branch_rule(
				(enum branch_status)s, (enum branch_event)e);
			bool up = e == BRANCH_EV_COMMIT_TAKEN_UP ||
				  e == BRANCH_EV_ROLLBACK_TAKEN_UP;

			if (up && r.verdict != VERDICT_FORBIDDEN)
				assert_true(branch_hung((enum branch_status)s));
			if (branch_hung((enum branch_status)s) &&
			    r.verdict == VERDICT_MOVE)
				assert_true(up || branch_finished(r.next));
		}
	}
}

static void test_reports_only_count_in_phase_one(void **state)
{
	(void)state;
	for (int s = 0; s < BRANCH_STATUSES; s++) {
		for (int e = 0; e <= BRANCH_EV_FAILED; e++) {
			struct branch_rule r = branch_rule(
				(enum branch_status)s, (enum branch_event)e);
			bool known = phase_one(s) || s == BRANCH_RDONLY ||
				     s == BRANCH_PHASE_ONE_FAILED;

			assert_int_equal(r.verdict != VERDICT_FORBIDDEN, known);
		}
	}
	assert_int_equal(
		branch_rule(BRANCH_PHASE_ONE_DONE, BRANCH_EV_FAILED).verdict,
		VERDICT_REFUSE);
}

static void test_an_answer_to_another_question_means_later(void **state)
{
	(void)state;
	for (int s = -1; s <= BRANCH_STATUSES; s++) {
		enum branch_event c =
			branch_answer(true, (enum branch_status)s);
		enum branch_event r =
			branch_answer(false, (enum branch_status)s);

		assert_int_equal(group_of((int)c), COMMIT);
		assert_int_equal(group_of((int)r), ROLLBACK);
		if (side(s) != 'C')
			assert_int_equal(c, BRANCH_EV_COMMIT_LATER);
		if (side(s) != 'R')
			assert_int_equal(r, BRANCH_EV_ROLLBACK_LATER);
	}
	assert_int_equal(branch_answer(true, BRANCH_COMMITTED),
			 BRANCH_EV_COMMITTED);
	assert_int_equal(branch_answer(true, BRANCH_COMMIT_UNRETRYABLE),
			 BRANCH_EV_COMMIT_NEVER);
	assert_int_equal(branch_answer(true, BRANCH_COMMIT_NOTA),
			 BRANCH_EV_COMMIT_NOTA);
	assert_int_equal(branch_answer(false, BRANCH_ROLLBACKED),
			 BRANCH_EV_ROLLBACKED);
	assert_int_equal(branch_answer(false, BRANCH_ROLLBACK_UNRETRYABLE),
			 BRANCH_EV_ROLLBACK_NEVER);
	assert_int_equal(branch_answer(false, BRANCH_ROLLBACK_NOTA),
			 BRANCH_EV_ROLLBACK_NOTA);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_branch_never_goes_both_ways),
		cmocka_unit_test(test_a_command_may_end_any_unfinished_branch),
		cmocka_unit_test(test_only_an_operator_takes_a_hung_branch_up),
		cmocka_unit_test(test_reports_only_count_in_phase_one),
		cmocka_unit_test(
			test_an_answer_to_another_question_means_later),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
