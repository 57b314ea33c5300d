#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tc/core/gtx.h"

/* Which end a status can lead to: 0 both, 'C' commit, 'R', 'T' rollback. */
static char side(int status)
{
	switch (status) {
	case GTX_COMMITTING:
	case GTX_ASYNC_COMMITTING:
	case GTX_COMMIT_RETRYING:
	case GTX_COMMITTED:
	case GTX_COMMIT_FAILED:
	case GTX_COMMIT_RETRY_TIMEOUT:
		return 'C';
	case GTX_ROLLBACKING:
	case GTX_ROLLBACK_RETRYING:
	case GTX_ROLLBACKED:
	case GTX_ROLLBACK_FAILED:
	case GTX_ROLLBACK_RETRY_TIMEOUT:
		return 'R';
	case GTX_TIMEOUT_ROLLBACKING:
	case GTX_TIMEOUT_ROLLBACK_RETRYING:
	case GTX_TIMEOUT_ROLLBACKED:
	case GTX_TIMEOUT_ROLLBACK_FAILED:
		return 'T';
	default:
		return 0;
	}
}

static bool ours(int status)
{
	return status == GTX_BEGIN || side(status);
}

static void walk(void (*each)(int s, int e, struct gtx_rule r))
{
	for (int s = 0; s < GTX_STATUSES; s++)
		for (int e = 0; e < GTX_EVENTS; e++)
			each(s, e,
			     gtx_rule((enum gtx_status)s, (enum gtx_event)e));
}

static void no_crossing(int s, int e, struct gtx_rule r)
{
	(void)e;
	if (r.verdict == VERDICT_MOVE) {
		assert_int_not_equal((int)r.next, s);
		assert_false(gtx_status_finished(s));
		if (side(s))
			assert_int_equal(side((int)r.next), side(s));
		assert_true(side((int)r.next));
	} else {
		assert_int_equal((int)r.next, s);
	}
}

static void test_a_decision_never_changes(void **state)
{
	(void)state;
	walk(no_crossing);
}

static void only_known(int s, int e, struct gtx_rule r)
{
	bool asked = e == GTX_EV_COMMIT || e == GTX_EV_COMMIT_ASYNC ||
		     e == GTX_EV_ROLLBACK || e == GTX_EV_TIMEOUT;
	bool open = side(s) && !gtx_status_finished(s);

	if (!ours(s))
		assert_int_equal(r.verdict, VERDICT_FORBIDDEN);
	else if (asked)
		assert_int_not_equal(r.verdict, VERDICT_FORBIDDEN);
	else
		assert_int_equal(r.verdict != VERDICT_FORBIDDEN, open);
}

static void test_what_is_asked_has_an_answer_and_the_rest_only_in_phase_two(
	void **state)
{
	(void)state;
	walk(only_known);
}

static void yes_or_no(int s, int e, struct gtx_rule r)
{
	if (!side(s))
		return;
	if (e == GTX_EV_COMMIT || e == GTX_EV_COMMIT_ASYNC)
		assert_int_equal(r.verdict, side(s) == 'C' ? VERDICT_STAY
							   : VERDICT_REFUSE);
	if (e == GTX_EV_ROLLBACK)
		assert_int_equal(r.verdict, side(s) == 'C' ? VERDICT_REFUSE
							   : VERDICT_STAY);
	if (e == GTX_EV_TIMEOUT)
		assert_int_equal(r.verdict, VERDICT_STAY);
}

static void test_a_repeat_is_fine_and_the_opposite_is_refused(void **state)
{
	(void)state;
	walk(yes_or_no);
}

static void ends(int s, int e, struct gtx_rule r)
{
	if (e == GTX_EV_DONE && r.verdict != VERDICT_FORBIDDEN) {
		assert_int_equal(r.verdict, VERDICT_MOVE);
		assert_true(gtx_status_finished((int)r.next));
	}
	if ((e == GTX_EV_FAILED || e == GTX_EV_GAVE_UP) &&
	    r.verdict != VERDICT_FORBIDDEN)
		assert_true(gtx_status_hung((int)r.next));
	if (e == GTX_EV_TAKEN_UP && r.verdict != VERDICT_FORBIDDEN)
		assert_false(gtx_status_hung((int)r.next));
	if (e == GTX_EV_RETRYING && r.verdict == VERDICT_STAY)
		assert_true(gtx_status_hung(s) || s == GTX_COMMIT_RETRYING ||
			    s == GTX_ROLLBACK_RETRYING ||
			    s == GTX_TIMEOUT_ROLLBACK_RETRYING);
}

static void test_failures_hang_and_done_is_final(void **state)
{
	(void)state;
	walk(ends);
}

static void test_the_sides_are_told_apart(void **state)
{
	(void)state;
	for (int s = 0; s < GTX_STATUSES; s++) {
		bool open = !gtx_status_finished(s);

		assert_int_equal(gtx_deciding_commit((enum gtx_status)s),
				 open && side(s) == 'C');
		assert_int_equal(gtx_deciding_rollback((enum gtx_status)s),
				 open && (side(s) == 'R' || side(s) == 'T'));
	}
}

/* The edges that Seata's graph has, and how they are spelled here. */
static void test_the_graph_is_that_of_seata(void **state)
{
	static const struct {
		enum gtx_status from;
		enum gtx_event event;
		enum gtx_status to;
	} edges[] = {
		{ GTX_BEGIN, GTX_EV_COMMIT, GTX_COMMITTING },
		{ GTX_BEGIN, GTX_EV_COMMIT_ASYNC, GTX_ASYNC_COMMITTING },
		{ GTX_BEGIN, GTX_EV_ROLLBACK, GTX_ROLLBACKING },
		{ GTX_BEGIN, GTX_EV_TIMEOUT, GTX_TIMEOUT_ROLLBACKING },
		{ GTX_COMMITTING, GTX_EV_RETRYING, GTX_COMMIT_RETRYING },
		{ GTX_COMMITTING, GTX_EV_FAILED, GTX_COMMIT_FAILED },
		{ GTX_COMMIT_RETRYING, GTX_EV_GAVE_UP,
		  GTX_COMMIT_RETRY_TIMEOUT },
		{ GTX_ASYNC_COMMITTING, GTX_EV_DONE, GTX_COMMITTED },
		{ GTX_ROLLBACKING, GTX_EV_RETRYING, GTX_ROLLBACK_RETRYING },
		{ GTX_ROLLBACKING, GTX_EV_FAILED, GTX_ROLLBACK_FAILED },
		{ GTX_ROLLBACK_RETRYING, GTX_EV_GAVE_UP,
		  GTX_ROLLBACK_RETRY_TIMEOUT },
		{ GTX_TIMEOUT_ROLLBACKING, GTX_EV_RETRYING,
		  GTX_TIMEOUT_ROLLBACK_RETRYING },
		{ GTX_TIMEOUT_ROLLBACKING, GTX_EV_FAILED,
		  GTX_TIMEOUT_ROLLBACK_FAILED },
		{ GTX_TIMEOUT_ROLLBACK_RETRYING, GTX_EV_DONE,
		  GTX_TIMEOUT_ROLLBACKED },
		{ GTX_ROLLBACK_FAILED, GTX_EV_TAKEN_UP, GTX_ROLLBACK_RETRYING },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(edges); i++) {
		struct gtx_rule r = gtx_rule(edges[i].from, edges[i].event);

		assert_int_equal(r.verdict, VERDICT_MOVE);
		assert_int_equal(r.next, edges[i].to);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_decision_never_changes),
		cmocka_unit_test(
			test_what_is_asked_has_an_answer_and_the_rest_only_in_phase_two),
		cmocka_unit_test(
			test_a_repeat_is_fine_and_the_opposite_is_refused),
		cmocka_unit_test(test_failures_hang_and_done_is_final),
		cmocka_unit_test(test_the_sides_are_told_apart),
		cmocka_unit_test(test_the_graph_is_that_of_seata),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
