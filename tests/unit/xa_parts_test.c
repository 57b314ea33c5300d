#include "rm-agent/xa/resource.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

/* The pure parts of XA: names of branches, and what facts mean. */

static const char longest[] =
	"abcdefghijklmnopqrstuvwxyzabcdefghijklmnopq.example:7090:12345678";

static struct bytes text_of(struct buf *b, const struct xa_gid *gid)
{
	buf_init(b, &mem_heap);
	xa_gid_put_text(b, gid);
	assert_int_equal(buf_error(b), OK);
	return buf_bytes(b);
}

static void test_a_gid_is_spelled_as_the_jdbc_driver_spells_it(void **state)
{
	struct xa_gid gid, back;
	struct buf b;

	(void)state;
	assert_int_equal(xa_gid_make(&gid, BYTES("h:1:7"), 12, 34), OK);
	assert_true(bytes_equal(text_of(&b, &gid),
				BYTES("1414681689_aDoxOjc=_MTIuMzQ=")));
	assert_int_equal(xa_gid_of_text(&back, buf_bytes(&b)), OK);
	assert_true(xa_gid_equal(&gid, &back));
	assert_int_equal(back.branch, 12);
	assert_int_equal(back.session, 34);
	buf_clear(&b);
	xa_gid_put_parts(&b, &gid);
	assert_string_equal(buf_text(&b),
			    "X'683A313A37',X'31322E3334',1414681689");
	buf_fini(&b);
}

static void test_P9_the_longest_gid_fits_into_199_bytes(void **state)
{
	struct bytes xid = { (const uint8_t *)longest + 1, 64 };
	struct xa_gid gid, back;
	struct buf b;

	(void)state;
	assert_int_equal(sizeof longest - 1, 65);
	assert_int_equal(xa_gid_make(&gid, bytes_of(longest), 1, 1), E_LIMIT);
	assert_int_equal(xa_gid_make(&gid, xid, UINT64_MAX, UINT64_MAX), OK);
	assert_true(text_of(&b, &gid).len < 200);
	assert_int_equal(xa_gid_of_text(&back, buf_bytes(&b)), OK);
	assert_true(xa_gid_equal(&gid, &back));
	buf_fini(&b);
}

static void test_what_is_not_ours_is_not_taken(void **state)
{
	static const char *const foreign[] = {
		"",
		"_",
		"__",
		"1414681689",
		"1414681689_aDoxOjc=",
		"1414681689_aDoxOjc=_",
		"1414681689__MTIuMzQ=",
		"1414681688_aDoxOjc=_MTIuMzQ=",  /* another format */
		"01414681689_aDoxOjc=_MTIuMzQ=", /* the same, misspelled */
		"1414681689_aDoxOjc_MTIuMzQ=",   /* no padding */
		"1414681689_aDoxOjc=_MTIuMzQ=x",
		"1414681689_aDoxOjc=_MTIzNA==",     /* no dot */
		"1414681689_aDoxOjc=_MC4z",         /* branch 0 */
		"1414681689_YWJj_MTIuMzQ=",         /* no xid */
		"1414681689_aDoxOjc=_MTIuMzQ=_abc", /* a fourth part */
	};
	struct xa_gid gid;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(foreign); i++)
		if (xa_gid_of_text(&gid, bytes_of(foreign[i])) == OK)
			fail_msg("\"%s\" was taken", foreign[i]);
	assert_int_equal(xa_gid_of_parts(&gid, XA_FORMAT, BYTES("h:1:7"),
					 BYTES("12.34")),
			 OK);
	assert_int_equal(
		xa_gid_of_parts(&gid, 1, BYTES("h:1:7"), BYTES("12.34")),
		E_INVALID);
	assert_int_equal(xa_gid_of_parts(&gid, XA_FORMAT, BYTES("h:1:7"),
					 BYTES("12.034")),
			 E_INVALID);
	assert_int_equal(xa_gid_of_parts(&gid, XA_FORMAT, BYTES("h:1:7"),
					 BYTES("99999999999999999999.1")),
			 E_INVALID);
}

static void test_a_gid_belongs_to_one_coordinator(void **state)
{
	struct xa_gid gid;

	(void)state;
	assert_int_equal(xa_gid_make(&gid, BYTES("h:10:7"), 1, 1), OK);
	assert_true(xa_gid_is_of(&gid, BYTES("h:10")));
	assert_false(xa_gid_is_of(&gid, BYTES("h:1")));
	assert_false(xa_gid_is_of(&gid, BYTES("h:10:7")));
	assert_false(xa_gid_is_of(&gid, BYTES("")));
}

static void test_data_of_a_branch_reads_back(void **state)
{
	static const char *const bad[] = {
		"",         "xa1",     "xa1 ",
		"xa1 5",    "xa1 5 ",  "xa1 x 1",
		"xa1 5 1x", "xa2 5 1", "xa1 5 1234567890123456789012345"
	};
	struct xa_mark mark;
	uint64_t session;
	struct buf b;

	(void)state;
	buf_init(&b, &mem_heap);
	xa_data_put(&b, 77, "123");
	assert_int_equal(xa_data_get(buf_bytes(&b), &session, &mark), OK);
	assert_int_equal(session, 77);
	assert_string_equal(mark.xact, "123");
	buf_clear(&b);
	xa_data_put(&b, UINT64_MAX, "");
	assert_int_equal(xa_data_get(buf_bytes(&b), &session, &mark), OK);
	assert_true(session == UINT64_MAX);
	assert_string_equal(mark.xact, "");
	buf_fini(&b);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(xa_data_get(bytes_of(bad[i]), &session, &mark),
				 E_CORRUPT);
}

/* ---- verdicts ---- */

static void test_done_is_only_said_on_positive_evidence(void **state)
{
	(void)state;
	for (int answer = 0; answer < XA_ANSWERS; answer++)
		for (int trace = 0; trace < XA_TRACES; trace++)
			for (int listed = 0; listed < 2; listed++) {
				struct xa_verdict v =
					xa_judge(true, (enum xa_answer)answer,
						 listed, (enum xa_trace)trace);

				if (v.status == BRANCH_COMMITTED)
					assert_int_equal(trace,
							 XA_TRACE_COMMITTED);
				else
					assert_true(v.text[0] != '\0');
				v = xa_judge(false, (enum xa_answer)answer,
					     listed, (enum xa_trace)trace);
				if (v.status == BRANCH_ROLLBACKED)
					assert_true(trace == XA_TRACE_NONE ||
						    trace == XA_TRACE_ABORTED);
				else
					assert_true(v.text[0] != '\0');
			}
}

static void test_P4_no_such_transaction_needs_context(void **state)
{
	static const struct {
		bool commit, listed;
		enum xa_trace trace;
		enum branch_status status;
		bool alarm;
	} cases[] = {
		{ true, true, XA_TRACE_NONE, BRANCH_COMMIT_NOTA, false },
		{ true, true, XA_TRACE_COMMITTED, BRANCH_COMMIT_NOTA, false },
		{ true, false, XA_TRACE_COMMITTED, BRANCH_COMMITTED, false },
		{ true, false, XA_TRACE_ABORTED, BRANCH_COMMIT_UNRETRYABLE,
		  true },
		{ true, false, XA_TRACE_NONE, BRANCH_COMMIT_UNRETRYABLE, true },
		{ true, false, XA_TRACE_OPEN, BRANCH_COMMIT_NOTA, true },
		{ false, true, XA_TRACE_OPEN, BRANCH_ROLLBACK_NOTA, false },
		{ false, false, XA_TRACE_NONE, BRANCH_ROLLBACKED, false },
		{ false, false, XA_TRACE_ABORTED, BRANCH_ROLLBACKED, false },
		{ false, false, XA_TRACE_OPEN, BRANCH_ROLLBACK_NOTA, false },
		{ false, false, XA_TRACE_COMMITTED, BRANCH_ROLLBACK_UNRETRYABLE,
		  true },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct xa_verdict v = xa_judge(cases[i].commit, XA_ANSWER_NOTA,
					       cases[i].listed, cases[i].trace);

		assert_int_equal(v.status, cases[i].status);
		assert_int_equal(v.alarm, cases[i].alarm);
	}
}

static void test_an_ok_that_did_nothing_is_an_alarm_and_tried_again(
	void **state)
{
	struct xa_verdict v;

	(void)state;
	v = xa_judge(true, XA_ANSWER_DONE, false, XA_TRACE_OPEN);
	assert_int_equal(v.status, BRANCH_COMMIT_RETRYABLE);
	assert_true(v.alarm);
	v = xa_judge(false, XA_ANSWER_DONE, false, XA_TRACE_OPEN);
	assert_int_equal(v.status, BRANCH_ROLLBACK_RETRYABLE);
	assert_true(v.alarm);
}

static void test_recovery_acts_only_on_the_coordinators_word(void **state)
{
	(void)state;
	assert_int_equal(xa_duty_of(E_NOTFOUND, 0), XA_ROLL_BACK);
	assert_int_equal(xa_duty_of(E_UNKNOWN, GTX_ROLLBACKED), XA_LEAVE);
	assert_int_equal(xa_duty_of(E_TIMEOUT, GTX_COMMITTED), XA_LEAVE);
	assert_int_equal(xa_duty_of(E_CLOSED, GTX_COMMITTED), XA_LEAVE);
	assert_int_equal(xa_duty_of(OK, GTX_UNKNOWN), XA_LEAVE);
	assert_int_equal(xa_duty_of(OK, GTX_BEGIN), XA_LEAVE);
	assert_int_equal(xa_duty_of(OK, GTX_COMMITTED), XA_COMMIT);
	assert_int_equal(xa_duty_of(OK, GTX_COMMIT_RETRYING), XA_COMMIT);
	assert_int_equal(xa_duty_of(OK, GTX_ROLLBACKED), XA_ROLL_BACK);
	assert_int_equal(xa_duty_of(OK, GTX_TIMEOUT_ROLLBACKED), XA_ROLL_BACK);
	assert_int_equal(xa_duty_of(OK, GTX_FINISHED), XA_LEAVE);
	assert_int_equal(xa_duty_of(OK, GTX_COMMIT_FAILED), XA_LEAVE);
	assert_int_equal(xa_duty_of(OK, GTX_ROLLBACK_FAILED), XA_LEAVE);
	assert_int_equal(xa_duty_of(OK, GTX_STOP_COMMIT), XA_LEAVE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			test_a_gid_is_spelled_as_the_jdbc_driver_spells_it),
		cmocka_unit_test(test_P9_the_longest_gid_fits_into_199_bytes),
		cmocka_unit_test(test_what_is_not_ours_is_not_taken),
		cmocka_unit_test(test_a_gid_belongs_to_one_coordinator),
		cmocka_unit_test(test_data_of_a_branch_reads_back),
		cmocka_unit_test(test_done_is_only_said_on_positive_evidence),
		cmocka_unit_test(test_P4_no_such_transaction_needs_context),
		cmocka_unit_test(
			test_an_ok_that_did_nothing_is_an_alarm_and_tried_again),
		cmocka_unit_test(
			test_recovery_acts_only_on_the_coordinators_word),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
