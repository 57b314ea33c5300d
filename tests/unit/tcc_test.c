#include "rm-agent/agent.h"
#include "rm-agent/tcc/operation.h"
#include "tests/fakes/coordinator.h"

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>

#include <cmocka.h>

/* TCC against a coordinator of the test's own, which keeps what it was told.
 * tests/live/tcc_test.c has the real ones. */

#define KEEP 160

struct rig {
	struct fake_coordinator fake;
	struct treaty *t;
	struct treaty_tx *tx;

	/* What was told; written by the fake's thread before it answers. */
	char registered[KEEP], resource[KEEP], participant[KEEP];
	uint64_t call_timeout_ms;
	_Atomic int registers, reports;
	uint64_t mode;
	char reported[KEEP];
	uint64_t report_status, report_branch;
	int refuse_register, refuse_report; /* enum err */

	/* What the callbacks do and saw. */
	int (*in_try)(struct rig *r, struct treaty_tcc *op);
	enum treaty_tcc_outcome outcome;
	void *arg;
	int registers_in_try, reports_in_try;
	char seen[KEEP], op[16], xid[KEEP], name[KEEP];
	uint64_t branch, attempt;
	int set_context_rc, save_rc, close_rc;
	const char *error;
};

static void keep(char to[KEEP], struct bytes b)
{
	REQUIRE(b.len < KEEP);
	if (b.len > 0)
		memcpy(to, b.data, b.len);
	to[b.len] = '\0';
}

static enum fake_verdict answer(void *ctx, const struct msg *m,
				struct msg *reply)
{
	struct rig *r = ctx;

	if (m->type == MSG_REGISTER) {
		keep(r->registered, m->application_data);
		keep(r->resource, m->resource);
		keep(r->participant, m->participant);
		r->call_timeout_ms = m->call_timeout_ms;
		r->mode = m->mode;
		atomic_fetch_add(&r->registers, 1);
		reply->err = (uint64_t)-r->refuse_register;
		return r->refuse_register ? FAKE_REPLY : FAKE_DEFAULT;
	}
	if (m->type == MSG_REPORT) {
		keep(r->reported, m->application_data);
		r->report_status = m->status;
		r->report_branch = m->branch;
		atomic_fetch_add(&r->reports, 1);
		reply->err = (uint64_t)-r->refuse_report;
		return FAKE_REPLY;
	}
	return FAKE_DEFAULT;
}

/* ---- the action ---- */

static void look(struct rig *r, const struct treaty_tcc *op)
{
	keep(r->seen, bytes_of(treaty_tcc_context(op)));
	keep(r->xid, bytes_of(treaty_tcc_xid(op)));
	keep(r->name, bytes_of(treaty_tcc_action_name(op)));
	memcpy(r->op, treaty_tcc_op(op), strlen(treaty_tcc_op(op)) + 1);
	r->branch = treaty_tcc_id(op);
	r->attempt = treaty_tcc_attempt(op);
}

static int on_try(void *ctx, struct treaty_tcc *op, void *arg)
{
	struct rig *r = ctx;

	look(r, op);
	r->arg = arg;
	r->registers_in_try = atomic_load(&r->registers);
	r->close_rc = treaty_close(r->t);
	return r->in_try ? r->in_try(r, op) : TREATY_OK;
}

static enum treaty_tcc_outcome phase_two(void *ctx, struct treaty_tcc *op)
{
	struct rig *r = ctx;

	look(r, op);
	r->set_context_rc = treaty_tcc_set_context(op, "{}");
	r->save_rc = treaty_tcc_save(op);
	if (r->error)
		treaty_tcc_error(op, r->error);
	return r->outcome;
}

static struct treaty_tcc_action action(void)
{
	return (struct treaty_tcc_action){ .size = sizeof(
						   struct treaty_tcc_action),
					   .on_try = on_try,
					   .on_confirm = phase_two,
					   .on_cancel = phase_two };
}

static void rig_start(struct rig *r, uint32_t attempts_max)
{
	struct treaty_tcc_action a = action();
	struct treaty_options o;

	*r = (struct rig){ .fake = { .answer = answer, .ctx = r } };
	fake_start(&r->fake);
	treaty_options_init(&o, sizeof o);
	o.address = r->fake.address;
	o.application = "order";
	o.request_timeout_ms = 5000;
	assert_int_equal(treaty_open(&r->t, &o), TREATY_OK);
	a.attempts_max = attempts_max;
	assert_int_equal(treaty_tcc_register(r->t, "deduct", &a, r), TREATY_OK);
	assert_int_equal(treaty_begin(r->t, "test", 0, &r->tx), TREATY_OK);
}

static void rig_stop(struct rig *r)
{
	assert_int_equal(treaty_release(r->tx), TREATY_OK);
	assert_int_equal(treaty_close(r->t), TREATY_OK);
	fake_stop(&r->fake);
}

static void assert_says(const char *part)
{
	if (!strstr(treaty_last_error(), part))
		fail_msg("\"%s\" does not say \"%s\"", treaty_last_error(),
			 part);
}

/* ---- phase one ---- */

static void test_the_branch_is_registered_before_try_runs(void **state)
{
	struct rig r;
	int arg;

	(void)state;
	rig_start(&r, 0);
	assert_int_equal(treaty_tcc_try(r.t, "deduct", "{\"a\": 1}", &arg),
			 TREATY_OK);
	assert_int_equal(r.registers_in_try, 1);
	assert_string_equal(r.registered, "{\"a\": 1}");
	assert_string_equal(r.resource, "deduct");
	assert_int_equal(r.mode, MODE_TCC);
	assert_ptr_equal(r.arg, &arg);
	assert_string_equal(r.seen, "{\"a\": 1}");
	assert_string_equal(r.op, "try");
	assert_string_equal(r.name, "deduct");
	assert_string_equal(r.xid, treaty_xid(r.tx));
	assert_int_equal(r.branch, 1);
	assert_int_equal(r.attempt, 1);
	assert_int_equal(r.close_rc, TREATY_E_STATE);
	/* nothing changed, so there is nothing to store */
	assert_int_equal(r.reports, 0);
	assert_int_equal(treaty_tcc_try(r.t, "deduct", NULL, NULL), TREATY_OK);
	assert_string_equal(r.registered, "{}");
	rig_stop(&r);
}

static int change(struct rig *r, struct treaty_tcc *op)
{
	(void)r;
	if (treaty_tcc_set_context(op, "{\"a\":") != TREATY_E_INVALID)
		return TREATY_E_IO;
	return treaty_tcc_set_context(op, "[2]");
}

static void test_a_changed_context_is_stored_before_try_counts(void **state)
{
	struct rig r;

	(void)state;
	rig_start(&r, 0);
	r.in_try = change;
	assert_int_equal(treaty_tcc_try(r.t, "deduct", "[1]", NULL), TREATY_OK);
	assert_int_equal(r.reports, 1);
	assert_string_equal(r.reported, "[2]");
	assert_int_equal(r.report_status, BRANCH_PHASE_ONE_DONE);
	assert_int_equal(r.report_branch, 1);
	/* the same again is no change */
	assert_int_equal(treaty_tcc_try(r.t, "deduct", "[2]", NULL), TREATY_OK);
	assert_int_equal(r.reports, 1);
	/* what cannot be stored is no success */
	r.refuse_report = E_STATE;
	assert_int_equal(treaty_tcc_try(r.t, "deduct", "[1]", NULL),
			 TREATY_E_STATE);
	assert_int_equal(r.reports, 2);
	rig_stop(&r);
}

static int save_twice(struct rig *r, struct treaty_tcc *op)
{
	int rc = treaty_tcc_save(op); /* nothing to store yet */

	r->reports_in_try = atomic_load(&r->reports);
	if (rc == TREATY_OK && r->reports_in_try == 0)
		rc = treaty_tcc_set_context(op, "[2]");
	if (rc == TREATY_OK)
		rc = treaty_tcc_save(op);
	r->reports_in_try = atomic_load(&r->reports);
	if (rc == TREATY_OK)
		rc = treaty_tcc_save(op);
	(void)!treaty_tcc_set_context(op, "[3]");
	treaty_tcc_error(op, "the bank is closed");
	return rc == TREATY_OK ? TREATY_E_AGAIN : rc;
}

static void test_a_failed_try_fails_the_call_and_keeps_what_was_saved(void **s)
{
	struct rig r;

	(void)s;
	rig_start(&r, 0);
	r.in_try = save_twice;
	assert_int_equal(treaty_tcc_try(r.t, "deduct", "[1]", NULL),
			 TREATY_E_AGAIN);
	assert_says("try of deduct, branch 1 of fake:1:1, failed: the bank is "
		    "closed; roll");
	assert_int_equal(r.reports_in_try, 1);
	/* neither its later context nor a "failed": its cancel must come */
	assert_int_equal(r.reports, 1);
	assert_string_equal(r.reported, "[2]");
	rig_stop(&r);
}

static int positive(struct rig *r, struct treaty_tcc *op)
{
	(void)r;
	(void)op;
	return 7;
}

static int quietly(struct rig *r, struct treaty_tcc *op)
{
	(void)op;
	return treaty_begin(r->t, "nested", 0, NULL);
}

static void test_any_code_but_ok_is_a_failure(void **state)
{
	struct rig r;

	(void)state;
	rig_start(&r, 0);
	r.in_try = positive;
	assert_int_equal(treaty_tcc_try(r.t, "deduct", NULL, NULL),
			 TREATY_E_INVALID);
	assert_says("unknown error code");
	/* what a call of ours said within try is not lost */
	r.in_try = quietly;
	assert_true(treaty_tcc_try(r.t, "deduct", NULL, NULL) < 0);
	assert_says("the last error in it: this thread has transaction");
	rig_stop(&r);
}

static void test_without_a_branch_there_is_no_try(void **state)
{
	struct treaty_tx *tx;
	struct rig r;

	(void)state;
	rig_start(&r, 0);
	r.op[0] = '\0';
	r.refuse_register = E_STATE;
	assert_int_equal(treaty_tcc_try(r.t, "deduct", NULL, NULL),
			 TREATY_E_STATE);
	r.refuse_register = 0;
	assert_int_equal(treaty_tcc_try(r.t, "other", NULL, NULL),
			 TREATY_E_NOTFOUND);
	assert_int_equal(treaty_tcc_try(r.t, "deduct", "{\"a\":1}}", NULL),
			 TREATY_E_INVALID);
	assert_int_equal(treaty_tcc_try(r.t, "deduct", "", NULL),
			 TREATY_E_INVALID);
	assert_int_equal(treaty_tcc_try(r.t, NULL, NULL, NULL),
			 TREATY_E_INVALID);
	assert_int_equal(treaty_tcc_try(NULL, "deduct", NULL, NULL),
			 TREATY_E_INVALID);
	tx = treaty_unbind(r.t);
	assert_int_equal(treaty_tcc_try(r.t, "deduct", NULL, NULL),
			 TREATY_E_STATE);
	assert_int_equal(treaty_bind(tx), TREATY_OK);
	assert_string_equal(r.op, "");
	assert_int_equal(r.registers, 1);
	rig_stop(&r);
}

static void test_a_branch_whose_try_is_the_applications(void **state)
{
	struct treaty_tcc_branch branch, other;
	struct treaty_barrier b;
	struct rig r;

	(void)state;
	rig_start(&r, 0);
	assert_int_equal(treaty_tcc_branch(r.t, "elsewhere", "[1]", &branch),
			 TREATY_OK);
	assert_string_equal(r.resource, "elsewhere");
	assert_string_equal(r.registered, "[1]");
	b = treaty_tcc_barrier_of(&branch);
	assert_string_equal(b.trans_type, "tcc");
	assert_string_equal(b.gid, treaty_xid(r.tx));
	assert_string_equal(b.branch_id, "1");
	assert_string_equal(b.op, "try");
	assert_int_equal(treaty_tcc_branch_save(r.t, &branch, "[2]"),
			 TREATY_OK);
	assert_string_equal(r.reported, "[2]");
	assert_int_equal(r.report_branch, 1);
	assert_int_equal(treaty_tcc_branch_save(r.t, &branch, "2]"),
			 TREATY_E_INVALID);
	other = branch;
	other.xid[0] = 'x';
	assert_int_equal(treaty_tcc_branch_save(r.t, &other, "[3]"),
			 TREATY_E_STATE);
	assert_int_equal(treaty_tcc_branch(r.t, "", NULL, &other),
			 TREATY_E_INVALID);
	assert_int_equal(r.reports, 1);
	rig_stop(&r);
}

/* ---- phase two ---- */

static struct msg order(enum agent_command_type type, uint64_t id)
{
	return (struct msg){ .type = MSG_COMMAND,
			     .id = id,
			     .xid = BYTES("fake:1:7"),
			     .branch = 18446744073709551615u,
			     .mode = MODE_TCC,
			     .resource = BYTES("deduct"),
			     .command = type,
			     .attempt = 3,
			     .application_data = BYTES("[1]") };
}

static void test_outcomes_become_the_branchs_status(void **state)
{
	static const struct {
		enum agent_command_type type;
		int outcome;
		enum branch_status status;
		const char *op, *text;
	} rows[] = {
		{ AGENT_COMMIT, TREATY_TCC_DONE, BRANCH_COMMITTED, "confirm",
		  "" },
		{ AGENT_COMMIT, TREATY_TCC_RETRY, BRANCH_COMMIT_RETRYABLE,
		  "confirm", "confirm of deduct: why" },
		{ AGENT_COMMIT, TREATY_TCC_REFUSED, BRANCH_COMMIT_UNRETRYABLE,
		  "confirm", "confirm of deduct: why (refused for good)" },
		{ AGENT_COMMIT, 77, BRANCH_COMMIT_RETRYABLE, "confirm",
		  "confirm of deduct: why (it answered 77, which means "
		  "nothing)" },
		{ AGENT_ROLLBACK, TREATY_TCC_DONE, BRANCH_ROLLBACKED, "cancel",
		  "" },
		{ AGENT_ROLLBACK, TREATY_TCC_RETRY, BRANCH_ROLLBACK_RETRYABLE,
		  "cancel", "cancel of deduct: why" },
		{ AGENT_ROLLBACK, TREATY_TCC_REFUSED,
		  BRANCH_ROLLBACK_UNRETRYABLE, "cancel",
		  "cancel of deduct: why (refused for good)" },
	};
	struct rig r;

	(void)state;
	rig_start(&r, 0);
	r.error = "why";
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		r.outcome = (enum treaty_tcc_outcome)rows[i].outcome;
		fake_command(&r.fake, order(rows[i].type, 100 + i));
		assert_true(fake_wait(&r.fake, MSG_BRANCH_DONE, i + 1, 5000));
		assert_int_equal(r.fake.done_id, 100 + i);
		assert_int_equal(r.fake.done_status, rows[i].status);
		assert_string_equal(r.fake.done_text, rows[i].text);
		assert_string_equal(r.op, rows[i].op);
	}
	assert_string_equal(r.seen, "[1]");
	assert_string_equal(r.xid, "fake:1:7");
	assert_true(r.branch == UINT64_MAX);
	assert_int_equal(r.attempt, 3);
	/* the context belongs to try */
	assert_int_equal(r.set_context_rc, TREATY_E_STATE);
	assert_int_equal(r.save_rc, TREATY_E_STATE);
	assert_int_equal(r.reports, 0);
	rig_stop(&r);
}

static void test_the_actions_limit_ends_the_retries(void **state)
{
	struct msg m = order(AGENT_COMMIT, 1);
	struct rig r;

	(void)state;
	rig_start(&r, 4);
	fake_command(&r.fake, m);
	assert_true(fake_wait(&r.fake, MSG_BRANCH_DONE, 1, 5000));
	assert_int_equal(r.fake.done_status, BRANCH_COMMIT_RETRYABLE);
	assert_string_equal(r.fake.done_text,
			    "confirm of deduct: it gave no reason");
	m.id = 2;
	m.attempt = 4;
	fake_command(&r.fake, m);
	assert_true(fake_wait(&r.fake, MSG_BRANCH_DONE, 2, 5000));
	assert_int_equal(r.fake.done_status, BRANCH_COMMIT_UNRETRYABLE);
	assert_non_null(strstr(r.fake.done_text, "given up after 4 attempts"));
	m.id = 3;
	r.outcome = TREATY_TCC_DONE;
	fake_command(&r.fake, m);
	assert_true(fake_wait(&r.fake, MSG_BRANCH_DONE, 3, 5000));
	assert_int_equal(r.fake.done_status, BRANCH_COMMITTED);
	rig_stop(&r);
}

static void test_a_branch_without_context_has_an_empty_one(void **state)
{
	struct msg m = order(AGENT_ROLLBACK, 1);
	struct rig r;

	(void)state;
	rig_start(&r, 0);
	r.outcome = TREATY_TCC_DONE;
	m.application_data = (struct bytes){ 0 };
	fake_command(&r.fake, m);
	assert_true(fake_wait(&r.fake, MSG_BRANCH_DONE, 1, 5000));
	assert_string_equal(r.seen, "{}");
	rig_stop(&r);
}

static void test_a_long_reason_is_cut_between_characters(void **state)
{
	static char text[1200];
	struct treaty_tcc op = { 0 };

	(void)state;
	for (size_t i = 0; i + 1 < sizeof text; i += 2)
		memcpy(text + i, "\xc3\xa4", 2);
	text[sizeof text - 1] = '\0';
	treaty_tcc_error(&op, text + 1); /* starts in the middle */
	assert_int_equal(strlen(op.error), 999);
	treaty_tcc_error(&op, "short");
	assert_string_equal(op.error, "short");
}

/* ---- offering ---- */

static void test_an_action_that_makes_no_sense_is_refused(void **state)
{
	struct treaty_tcc_action a = action();
	char name[130];
	struct rig r;

	(void)state;
	rig_start(&r, 0);
	assert_int_equal(treaty_tcc_register(r.t, "deduct", &a, &r),
			 TREATY_E_STATE);
	assert_int_equal(treaty_tcc_register(r.t, "", &a, &r),
			 TREATY_E_INVALID);
	assert_int_equal(treaty_tcc_register(r.t, NULL, &a, &r),
			 TREATY_E_INVALID);
	assert_int_equal(treaty_tcc_register(r.t, "a\nb", &a, &r),
			 TREATY_E_INVALID);
	memset(name, 'x', sizeof name);
	name[129] = '\0';
	assert_int_equal(treaty_tcc_register(r.t, name, &a, &r),
			 TREATY_E_INVALID);
	assert_int_equal(treaty_tcc_register(r.t, name + 1, &a, &r), TREATY_OK);
	assert_int_equal(treaty_tcc_register(NULL, "a", &a, &r),
			 TREATY_E_INVALID);
	a.on_cancel = NULL;
	assert_int_equal(treaty_tcc_register(r.t, "a", &a, &r),
			 TREATY_E_INVALID);
	a = action();
	a.barrier_table = "a;b";
	assert_int_equal(treaty_tcc_register(r.t, "a", &a, &r),
			 TREATY_E_INVALID);
	a = action();
	a.size = 0;
	assert_int_equal(treaty_tcc_register(r.t, "a", &a, &r),
			 TREATY_E_INVALID);
	assert_says("size");
	/* without a try it is only for phase two */
	a = action();
	a.on_try = NULL;
	assert_int_equal(treaty_tcc_register(r.t, "two", &a, &r), TREATY_OK);
	assert_int_equal(treaty_tcc_try(r.t, "two", NULL, NULL),
			 TREATY_E_NOTFOUND);
	assert_says("treaty_tcc_branch");
	rig_stop(&r);
	assert_null(action_find(r.t, "deduct"));
}

static void test_two_handles_have_actions_of_their_own(void **state)
{
	struct rig a, b;

	(void)state;
	rig_start(&a, 0);
	rig_start(&b, 0);
	a.op[0] = b.op[0] = '\0';
	assert_int_equal(treaty_tcc_try(b.t, "deduct", NULL, NULL), TREATY_OK);
	assert_string_equal(a.op, "");
	assert_string_equal(b.op, "try");
	rig_stop(&a);
	assert_int_equal(treaty_tcc_try(b.t, "deduct", NULL, NULL), TREATY_OK);
	rig_stop(&b);
}

static void test_branch_ids_are_printed_whole(void **state)
{
	char out[24];

	(void)state;
	agent_branch_print(out, 0);
	assert_string_equal(out, "0");
	agent_branch_print(out, 1090);
	assert_string_equal(out, "1090");
	agent_branch_print(out, UINT64_MAX);
	assert_string_equal(out, "18446744073709551615");
}

static void test_a_branch_may_have_urls_in_place_of_an_action(void **state)
{
	struct treaty_tcc_urls u = { .size = sizeof u,
				     .confirm = "http://Bank:81/confirm",
				     .cancel = "http://bank:81/cancel?x=1",
				     .headers = "{\"k\":\"v\"}",
				     .call_timeout_ms = 700 };
	struct treaty_tcc_branch b;
	struct rig r;

	(void)state;
	rig_start(&r, 0);
	assert_int_equal(treaty_tcc_branch_url(r.t, &u, "[1]", &b), TREATY_OK);
	assert_string_equal(r.resource, "http://bank:81");
	assert_string_equal(r.registered, "[1]");
	assert_string_equal(r.participant,
			    "{\"commit\":\"http://Bank:81/confirm\","
			    "\"rollback\":\"http://bank:81/cancel?x=1\","
			    "\"headers\":{\"k\":\"v\"}}");
	assert_int_equal(r.call_timeout_ms, 700);
	assert_int_equal(r.mode, MODE_TCC);
	assert_int_equal(b.id, 1);
	assert_string_equal(b.branch_id, "1");
	assert_string_equal(b.xid, treaty_xid(r.tx));

	u.cancel = "http://bank:82/cancel";
	assert_int_equal(treaty_tcc_branch_url(r.t, &u, NULL, &b),
			 TREATY_E_INVALID);
	assert_non_null(strstr(treaty_last_error(), "two participants"));
	u.cancel = NULL;
	assert_int_equal(treaty_tcc_branch_url(r.t, &u, NULL, &b),
			 TREATY_E_INVALID);
	u.cancel = "ftp://bank/cancel";
	assert_int_equal(treaty_tcc_branch_url(r.t, &u, NULL, &b),
			 TREATY_E_INVALID);
	u.cancel = u.confirm;
	assert_int_equal(treaty_tcc_branch_url(r.t, &u, "{", &b),
			 TREATY_E_INVALID);
	u.size = 8;
	assert_int_equal(treaty_tcc_branch_url(r.t, &u, NULL, &b),
			 TREATY_E_INVALID);
	assert_int_equal(atomic_load(&r.registers), 1);
	rig_stop(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_branch_is_registered_before_try_runs),
		cmocka_unit_test(
			test_a_changed_context_is_stored_before_try_counts),
		cmocka_unit_test(
			test_a_failed_try_fails_the_call_and_keeps_what_was_saved),
		cmocka_unit_test(test_any_code_but_ok_is_a_failure),
		cmocka_unit_test(test_without_a_branch_there_is_no_try),
		cmocka_unit_test(test_a_branch_whose_try_is_the_applications),
		cmocka_unit_test(test_outcomes_become_the_branchs_status),
		cmocka_unit_test(test_the_actions_limit_ends_the_retries),
		cmocka_unit_test(
			test_a_branch_without_context_has_an_empty_one),
		cmocka_unit_test(test_a_long_reason_is_cut_between_characters),
		cmocka_unit_test(test_an_action_that_makes_no_sense_is_refused),
		cmocka_unit_test(test_two_handles_have_actions_of_their_own),
		cmocka_unit_test(test_branch_ids_are_printed_whole),
		cmocka_unit_test(
			test_a_branch_may_have_urls_in_place_of_an_action),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
