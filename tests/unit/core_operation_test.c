/* What somebody who operates asks for: compare-and-set, dry runs, audit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/json.h"
#include "tests/fakes/desk.h"

static int setup(void **state)
{
	struct core_config config = desk_config();
	struct desk *d = desk_new(&config, true);

	desk_peer(d, 1, "app", "i1", "R");
	*state = d;
	return 0;
}

static int teardown(void **state)
{
	desk_free(*state);
	return 0;
}

static const struct reply *answer(struct desk *d, struct request rq)
{
	return desk_reply(d, desk_ask(d, rq));
}

static struct request by_eve(enum request_type type, struct bytes xid)
{
	return (struct request){ .type = type,
				 .xid = xid,
				 .actor = BYTES("user eve"),
				 .reason = BYTES("ticket 7") };
}

static struct gtx_view look(const struct desk *d, uint64_t number)
{
	struct gtx_view v;

	assert_int_equal(core_show(d->core, number, d->now_ms, &v, NULL, NULL),
			 OK);
	return v;
}

static bool has(struct bytes text, const char *part)
{
	size_t n = strlen(part);

	for (size_t i = 0; i + n <= text.len; i++)
		if (memcmp(text.data + i, part, n) == 0)
			return true;
	return false;
}

static void assert_change(const struct reply *r, const char *part)
{
	assert_true(json_valid(r->change));
	if (!has(r->change, part))
		fail_msg("does not say %s: %.*s", part, (int)r->change.len,
			 (const char *)r->change.data);
}

/* One transaction whose rollback hangs. */
static uint64_t hang(struct desk *d, struct bytes *xid)
{
	uint64_t b;

	*xid = desk_begin(d);
	b = desk_register(d, *xid, 1, MODE_AT, "R", "a");
	desk_ask_end(d, *xid, false, 0);
	desk_done(d, desk_command(d, b), BRANCH_ROLLBACK_UNRETRYABLE, "dirty");
	assert_int_equal(desk_status(d, *xid), GTX_ROLLBACK_FAILED);
	return b;
}

/* ---- revision ---- */

static void test_the_revision_follows_the_state_and_not_the_attempts(
	void **state)
{
	struct desk *d = *state;
	struct bytes xid = desk_begin(d);
	uint64_t b = desk_register(d, xid, 1, MODE_TCC, "R", ""), n = b - 1;
	uint64_t begun = look(d, n).revision, decided, failed;

	assert_int_not_equal(begun, 0);
	desk_ask_end(d, xid, true, 0);
	decided = look(d, n).revision;
	assert_int_not_equal(decided, begun);
	desk_done(d, desk_command(d, b), BRANCH_COMMIT_RETRYABLE, "later");
	failed = look(d, n).revision;
	assert_int_not_equal(failed, decided);
	desk_pass(d, 5000);
	desk_done(d, desk_command(d, b), BRANCH_COMMIT_RETRYABLE, "later");
	assert_int_equal(look(d, n).revision, failed);
	assert_int_equal(desk_crash(d), OK);
	assert_int_equal(look(d, n).revision, failed);
}

static void test_the_revision_follows_each_branch(void **state)
{
	struct desk *d = *state;
	struct bytes xid = desk_begin(d);
	uint64_t b1 = desk_register(d, xid, 1, MODE_TCC, "R", ""), n = b1 - 1;
	uint64_t one = look(d, n).revision, two;
	uint64_t b2 = desk_register(d, xid, 1, MODE_TCC, "R", "");

	assert_int_not_equal(look(d, n).revision, one);
	desk_ask_end(d, xid, true, 0);
	desk_done(d, desk_command(d, b1), BRANCH_COMMIT_UNRETRYABLE, "no");
	assert_int_equal(look(d, n).status, GTX_COMMIT_FAILED);
	one = look(d, n).revision;
	desk_done(d, desk_command(d, b2), BRANCH_COMMIT_UNRETRYABLE, "no");
	assert_int_equal(look(d, n).status, GTX_COMMIT_FAILED);
	two = look(d, n).revision;
	assert_int_not_equal(two, one);
}

static void test_what_changed_since_it_was_seen_is_left_alone(void **state)
{
	struct desk *d = *state;
	struct bytes xid;
	uint64_t b = hang(d, &xid);
	struct request rq = by_eve(RQ_RETRY, xid);
	uint64_t now = look(d, b - 1).revision;
	const struct reply *r;
	size_t commands = d->n_commands;

	rq.revision = now + 1;
	r = answer(d, rq);
	assert_int_equal(r->err, E_CONFLICT);
	assert_int_equal(r->revision, now);
	assert_int_equal(r->status, GTX_ROLLBACK_FAILED);
	assert_int_equal(d->n_commands, commands);
	assert_int_equal(d->audits[0].err, E_CONFLICT);
	rq.revision = r->revision;
	r = answer(d, rq);
	assert_int_equal(r->err, OK);
	assert_int_equal(r->revision, look(d, b - 1).revision);
	assert_int_not_equal(r->revision, now);
	assert_int_equal(d->n_commands, commands + 1);
	/* The same once more is not what was seen any more. */
	assert_int_equal(answer(d, rq)->err, E_CONFLICT);
}

/* ---- audit ---- */

static void test_what_an_operator_did_is_durable_before_it_is_answered(
	void **state)
{
	struct desk *d = *state;
	struct bytes xid;
	uint64_t b = hang(d, &xid), id;
	const struct audit *a = &d->audits[0];

	d->auto_store = false;
	id = desk_ask(d, by_eve(RQ_RETRY, xid));
	assert_null(desk_find_reply(d, id));
	assert_int_equal(d->n_audits, 1);
	assert_true(bytes_equal(a->actor, BYTES("user eve")));
	assert_true(bytes_equal(a->action, BYTES("retry")));
	assert_true(bytes_equal(a->reason, BYTES("ticket 7")));
	assert_true(bytes_equal(a->xid, xid));
	assert_int_equal(a->err, OK);
	assert_true(json_valid(a->detail));
	assert_true(has(a->detail, "RollbackFailed"));
	desk_store(d);
	assert_change(
		desk_reply(d, id),
		"{\"before\":{\"status\":\"RollbackFailed\",\"revision\":");
	assert_true(desk_said(d, "retry asked: ticket 7 (user eve)"));
	assert_int_equal(look(d, b - 1).status, GTX_ROLLBACK_RETRYING);
}

static void test_who_operates_says_why(void **state)
{
	struct desk *d = *state;
	struct bytes xid;
	uint64_t b = hang(d, &xid);
	struct request rq = by_eve(RQ_RETRY, xid);
	static char longer[2000];

	rq.reason.len = 0;
	assert_int_equal(answer(d, rq)->err, E_INVALID);
	rq.reason = (struct bytes){ (uint8_t *)longer, sizeof longer };
	assert_int_equal(answer(d, rq)->err, E_LIMIT);
	rq = by_eve(RQ_RETRY, xid);
	rq.actor = (struct bytes){ (uint8_t *)longer, sizeof longer };
	assert_int_equal(answer(d, rq)->err, E_LIMIT);
	assert_int_equal(d->n_audits, 0);
	assert_int_equal(look(d, b - 1).status, GTX_ROLLBACK_FAILED);
	rq = by_eve(RQ_RETRY, xid);
	rq.text = rq.reason; /* where a retry had it before */
	rq.reason.len = 0;
	assert_int_equal(answer(d, rq)->err, OK);
	assert_true(bytes_equal(d->audits[0].reason, BYTES("ticket 7")));
}

static void test_what_was_refused_is_in_the_audit_log_too(void **state)
{
	struct desk *d = *state;
	struct bytes xid;

	hang(d, &xid);
	assert_int_equal(answer(d, by_eve(RQ_COMMIT, xid))->err, E_STATE);
	assert_int_equal(d->n_audits, 1);
	assert_int_equal(d->audits[0].err, E_STATE);
	assert_true(bytes_equal(d->audits[0].action, BYTES("commit")));
	assert_int_equal(
		answer(d, by_eve(RQ_COMMIT, BYTES("tc:1:99999999")))->err,
		E_UNKNOWN);
	assert_int_equal(d->audits[1].err, E_UNKNOWN);
	/* An agent that commits is no operator. */
	assert_int_equal(
		answer(d, (struct request){ .type = RQ_COMMIT, .xid = xid })
			->err,
		E_STATE);
	assert_int_equal(d->n_audits, 2);
}

static void test_an_operator_decides_and_does_not_wait(void **state)
{
	struct desk *d = *state;
	struct bytes xid = desk_begin(d);
	uint64_t b = desk_register(d, xid, 1, MODE_TCC, "R", "");
	struct request rq = by_eve(RQ_COMMIT, xid);
	const struct reply *r;

	rq.wait_ms = 60000;
	r = answer(d, rq);
	assert_int_equal(r->err, OK);
	assert_int_equal(r->status, GTX_COMMITTING);
	assert_change(r, "transaction: Begin -> Committing");
	assert_change(r, "TCC on R, is to be committed");
	desk_done(d, desk_command(d, b), BRANCH_COMMITTED, NULL);
	r = answer(d, rq); /* again, of what has ended */
	assert_int_equal(r->err, OK);
	assert_int_equal(r->status, GTX_COMMITTED);
	assert_int_equal(r->revision, 0);
	assert_change(r, "\"after\":{\"status\":\"Committed\"},\"changes\":[]");
	assert_int_equal(d->n_audits, 2);
}

static void test_topics_and_machines_are_audited_without_a_reason(void **state)
{
	struct desk *d = *state;
	struct request rq = { .type = RQ_SUBSCRIBE,
			      .name = BYTES("paid"),
			      .subscriber = BYTES("mail"),
			      .resource = BYTES("R"),
			      .actor = BYTES("token ci") };

	rq.dry_run = true;
	assert_int_equal(answer(d, rq)->err, OK);
	assert_int_equal(core_stats(d->core).subscribers_now, 0);
	rq.dry_run = false;
	assert_int_equal(answer(d, rq)->err, OK);
	assert_int_equal(core_stats(d->core).subscribers_now, 1);
	assert_int_equal(d->n_audits, 1);
	assert_true(bytes_equal(d->audits[0].detail,
				BYTES("{\"name\":\"paid\",\"subscriber\":"
				      "\"mail\",\"changes\":[]}")));
	assert_int_equal(d->audits[0].xid.len, 0);
}

/* ---- dry runs ---- */

static void test_a_dry_run_says_what_would_be_done_and_does_nothing(
	void **state)
{
	struct desk *d = *state;
	struct bytes xid;
	uint64_t b = hang(d, &xid);
	struct request rq = { .type = RQ_RETRY, .xid = xid, .dry_run = true };
	struct gtx_view before = look(d, b - 1);
	size_t commands = d->n_commands, history = d->n_history;
	size_t changes = d->n_changes;
	const struct reply *r = answer(d, rq);

	assert_int_equal(r->err, OK);
	assert_int_equal(r->status, GTX_ROLLBACK_FAILED);
	assert_int_equal(r->revision, before.revision);
	assert_change(r, "\"after\":{\"status\":\"RollbackRetrying\"}");
	assert_change(r, "transaction: RollbackFailed -> RollbackRetrying");
	assert_change(r, "PhaseTwo_RollbackFailed_Unretryable -> "
			 "PhaseTwo_RollbackFailed_Retryable");
	assert_int_equal(d->n_commands, commands);
	assert_int_equal(d->n_history, history);
	assert_int_equal(d->n_changes, changes);
	assert_int_equal(d->n_audits, 0);
	assert_int_equal(look(d, b - 1).revision, before.revision);
	/* Done for real it says the same. */
	rq = by_eve(RQ_RETRY, xid);
	assert_change(answer(d, rq), "transaction: RollbackFailed -> "
				     "RollbackRetrying");
	assert_int_equal(d->n_commands, commands + 1);
}

static void test_a_dry_run_of_what_is_refused_says_so(void **state)
{
	struct desk *d = *state;
	struct request rq = { .type = RQ_COMMIT, .dry_run = true };
	const struct reply *r;

	hang(d, &rq.xid);
	r = answer(d, rq);
	assert_int_equal(r->err, E_STATE);
	assert_true(has(r->text, "the opposite was decided"));
	assert_int_equal(d->n_audits, 0);
	rq.type = RQ_STATUS; /* what has nothing to try */
	assert_int_equal(answer(d, rq)->err, E_INVALID);
	rq.type = RQ_BEGIN;
	assert_int_equal(answer(d, rq)->err, E_INVALID);
	assert_int_equal(core_stats(d->core).gtx_now, 1);
}

static void test_a_dry_run_of_a_decision_decides_nothing(void **state)
{
	struct desk *d = *state;
	struct bytes xid = desk_begin(d);
	uint64_t b = desk_register(d, xid, 1, MODE_AT, "R", "ab");
	struct request rq = { .type = RQ_ROLLBACK,
			      .xid = xid,
			      .dry_run = true };
	const struct reply *r = answer(d, rq);

	assert_int_equal(r->err, OK);
	assert_int_equal(r->status, GTX_BEGIN);
	assert_change(r, "\"after\":{\"status\":\"Rollbacking\"}");
	assert_change(r, "AT on R, is to be rolled back");
	assert_int_equal(look(d, b - 1).status, GTX_BEGIN);
	assert_int_equal(look(d, b - 1).n_locks, 2);
	assert_null(desk_command(d, b));
	desk_ask_end(d, xid, true, 0); /* the opposite is still possible */
	desk_done(d, desk_command(d, b), BRANCH_COMMITTED, NULL);
	assert_int_equal(desk_status(d, xid), GTX_COMMITTED);
}

static void test_a_long_list_of_changes_is_cut(void **state)
{
	struct desk *d = *state;
	struct bytes xid = desk_begin(d);
	struct request rq = { .type = RQ_COMMIT, .xid = xid, .dry_run = true };

	for (int i = 0; i < 150; i++)
		(void)desk_register(d, xid, 1, MODE_TCC, "R", "");
	/* the decision, the status, and 150 branches */
	assert_change(answer(d, rq), "\"and 52 more\"]");
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_the_revision_follows_the_state_and_not_the_attempts),
		T(test_the_revision_follows_each_branch),
		T(test_what_changed_since_it_was_seen_is_left_alone),
		T(test_what_an_operator_did_is_durable_before_it_is_answered),
		T(test_who_operates_says_why),
		T(test_what_was_refused_is_in_the_audit_log_too),
		T(test_an_operator_decides_and_does_not_wait),
		T(test_topics_and_machines_are_audited_without_a_reason),
		T(test_a_dry_run_says_what_would_be_done_and_does_nothing),
		T(test_a_dry_run_of_what_is_refused_says_so),
		T(test_a_dry_run_of_a_decision_decides_nothing),
		T(test_a_long_list_of_changes_is_cut),
	};

	return cmocka_run_group_tests_name("operations", tests, NULL, NULL);
}
