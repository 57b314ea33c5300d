#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

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

static void test_a_commit_ends_in_every_branch(void **state)
{
	struct desk *d = *state;
	struct bytes xid = desk_begin(d);
	uint64_t b1 = desk_register(d, xid, 1, MODE_AT, "R", "ab");
	uint64_t b2 = desk_register(d, xid, 1, MODE_TCC, "R", "");
	uint64_t id = desk_ask_end(d, xid, true, 5000);

	assert_null(desk_find_reply(d, id));
	assert_int_equal(desk_status(d, xid), GTX_COMMITTING);
	assert_int_equal(core_stats(d->core).locks_now, 0);
	desk_done(d, desk_command(d, b1), BRANCH_COMMITTED, NULL);
	assert_null(desk_find_reply(d, id));
	desk_done(d, desk_command(d, b2), BRANCH_COMMITTED, NULL);
	assert_int_equal(desk_reply(d, id)->status, GTX_COMMITTED);
	assert_int_equal(desk_status(d, xid), GTX_COMMITTED);
	assert_int_equal(desk_count(d, ROW_GTX), 0);
	assert_int_equal(desk_count(d, ROW_BRANCH), 0);
	assert_int_equal(desk_count(d, ROW_TOMBSTONE), 1);
}

static void test_a_rollback_undoes_the_newest_first(void **state)
{
	struct desk *d = *state;
	struct bytes xid = desk_begin(d);
	uint64_t b1 = desk_register(d, xid, 1, MODE_AT, "R", "a");
	uint64_t b2 = desk_register(d, xid, 1, MODE_AT, "R", "b");
	uint64_t id = desk_ask_end(d, xid, false, 0);

	assert_int_equal(desk_reply(d, id)->status, GTX_ROLLBACKING);
	assert_null(desk_command(d, b1));
	assert_int_equal(core_stats(d->core).locks_now, 2);
	desk_done(d, desk_command(d, b2), BRANCH_ROLLBACKED, NULL);
	assert_int_equal(core_stats(d->core).locks_now, 1);
	desk_done(d, desk_command(d, b1), BRANCH_ROLLBACKED, NULL);
	assert_int_equal(desk_status(d, xid), GTX_ROLLBACKED);
	assert_int_equal(core_stats(d->core).locks_now, 0);
}

static const struct reply *answer(struct desk *d, struct request rq)
{
	return desk_reply(d, desk_ask(d, rq));
}

static bool mentions(const struct reply *r, const char *what)
{
	return strstr((const char *)r->text.data, what) != NULL;
}

/* ---- what is forced ---- */

static uint64_t forced_by(struct desk *d, int n_branches, bool commit)
{
	uint64_t before = d->forced_steps;
	uint64_t branches[8];
	struct bytes xid = desk_begin(d);

	for (int i = 0; i < n_branches; i++)
		branches[i] = desk_register(d, xid, 1, MODE_AT, "R", "");
	desk_ask_end(d, xid, commit, 0);
	for (int i = n_branches; i-- > 0;)
		desk_done(d, desk_command(d, branches[i]),
			  commit ? BRANCH_COMMITTED : BRANCH_ROLLBACKED, NULL);
	assert_int_equal(desk_status(d, xid),
			 commit ? GTX_COMMITTED : GTX_ROLLBACKED);
	return d->forced_steps - before;
}

static void test_n_branches_force_n_plus_one_steps_and_none_forces_none(
	void **state)
{
	struct desk *d = *state;
	uint64_t rows;

	assert_int_equal(forced_by(d, 0, true), 0);
	assert_int_equal(forced_by(d, 0, false), 0);
	assert_int_equal(forced_by(d, 1, true), 2);
	assert_int_equal(forced_by(d, 1, false), 2);
	assert_int_equal(forced_by(d, 3, true), 4);
	assert_int_equal(forced_by(d, 3, false), 4);
	/* Two rows of the transaction and one of each branch come, as many
	 * go (the decision is the first row again), a tombstone stays. */
	rows = d->n_taken;
	forced_by(d, 3, false);
	assert_int_equal(d->n_taken - rows, 2 + 3 + 3 + 1 + 1);
}

static void test_no_promise_leaves_before_it_is_durable(void **state)
{
	struct desk *d = *state;
	struct bytes xid = desk_begin(d);
	uint64_t reg, end, look, again, opposite;

	d->auto_store = false;
	reg = desk_ask_register(d, xid, 1, MODE_TCC, "R", "", 0, 7);
	again = desk_ask_register(d, xid, 1, MODE_TCC, "R", "", 0, 7);
	assert_null(desk_find_reply(d, reg));
	assert_null(desk_find_reply(d, again));
	desk_store(d);
	assert_int_equal(desk_reply(d, reg)->branch,
			 desk_reply(d, again)->branch);
	end = desk_ask_end(d, xid, true, 0);
	look = desk_ask(d, (struct request){ .type = RQ_STATUS, .xid = xid });
	opposite = desk_ask_end(d, xid, false, 0);
	assert_null(desk_find_reply(d, end));
	assert_null(desk_find_reply(d, look));
	assert_null(desk_find_reply(d, opposite));
	assert_int_equal(d->n_commands, 0);
	desk_store(d);
	assert_int_equal(desk_reply(d, end)->status, GTX_COMMITTING);
	assert_int_equal(desk_reply(d, look)->status, GTX_COMMITTING);
	assert_int_equal(desk_reply(d, opposite)->err, E_STATE);
	assert_int_equal(d->n_commands, 1);
}

static void test_what_was_never_stored_was_never_begun(void **state)
{
	struct desk *d = *state;
	struct bytes xid = desk_begin(d), other;

	assert_int_equal(desk_crash(d), OK);
	assert_int_equal(
		answer(d, (struct request){ .type = RQ_COMMIT, .xid = xid })
			->err,
		E_NOTFOUND);
	other = desk_begin(d); /* and its number is not given again */
	assert_false(bytes_equal(other, xid));
}

/* ---- asking again ---- */

static void test_a_repeated_end_hears_the_truth(void **state)
{
	struct desk *d = *state;
	struct bytes c = desk_begin(d), r = desk_begin(d), e = desk_begin(d);
	uint64_t b = desk_register(d, c, 1, MODE_TCC, "R", "");
	const struct reply *a;

	desk_ask_end(d, c, true, 0);
	assert_int_equal(desk_reply(d, desk_ask_end(d, c, true, 0))->err, OK);
	desk_done(d, desk_command(d, b), BRANCH_COMMITTED, NULL);
	desk_ask_end(d, r, false, 0);
	desk_ask_end(d, e, true, 0);
	for (int again = 0; again < 2; again++) {
		a = desk_reply(d, desk_ask_end(d, c, true, 0));
		assert_int_equal(a->err, OK);
		assert_int_equal(a->status, GTX_COMMITTED);
		a = desk_reply(d, desk_ask_end(d, c, false, 0));
		assert_int_equal(a->err, E_STATE);
		assert_int_equal(a->status, GTX_COMMITTED);
		a = desk_reply(d, desk_ask_end(d, r, false, 0));
		assert_int_equal(a->err, OK);
		assert_int_equal(a->status, GTX_ROLLBACKED);
		a = desk_reply(d, desk_ask_end(d, r, true, 0));
		assert_int_equal(a->err, E_STATE);
		assert_int_equal(a->status, GTX_ROLLBACKED);
		a = desk_reply(d, desk_ask_end(d, e, true, 0));
		assert_int_equal(a->status, GTX_COMMITTED);
		a = desk_reply(
			d, desk_ask_register(d, c, 1, MODE_AT, "R", "", 0, 0));
		assert_int_equal(a->err, E_STATE);
		desk_store(d);
		if (!again)
			assert_int_equal(desk_crash(d), OK);
	}
}

static void test_a_branch_is_the_same_after_a_restart(void **state)
{
	struct desk *d = *state;
	struct bytes xid = desk_begin(d);
	uint64_t id = desk_ask_register(d, xid, 1, MODE_AT, "R", "a", 0, 5);
	uint64_t b = desk_reply(d, id)->branch;
	const struct reply *r;

	assert_int_equal(desk_crash(d), OK);
	id = desk_ask_register(d, xid, 1, MODE_AT, "R", "a", 0, 5);
	assert_int_equal(desk_reply(d, id)->branch, b);
	id = desk_ask_register(d, xid, 1, MODE_AT, "other", "a", 0, 5);
	r = desk_reply(d, id);
	assert_int_equal(r->err, E_INVALID);
	assert_true(mentions(r, "client_key"));
}

static void test_a_branch_comes_only_in_begin(void **state)
{
	struct desk *d = *state;
	struct bytes xid = desk_begin(d);
	uint64_t id;

	desk_register(d, xid, 1, MODE_AT, "R", "a");
	desk_ask_end(d, xid, false, 0);
	id = desk_ask_register(d, xid, 1, MODE_AT, "R", "b", 0, 0);
	assert_int_equal(desk_reply(d, id)->err, E_STATE);
	assert_int_equal(desk_reply(d, id)->status, GTX_ROLLBACKING);
	assert_int_equal(
		answer(d, (struct request){ .type = RQ_LOCK_CHECK, .xid = xid })
			->err,
		E_STATE);
}

/* ---- waiting for phase two ---- */

static void test_a_commit_waits_as_long_as_it_wants(void **state)
{
	struct desk *d = *state;
	struct bytes xid = desk_begin(d);
	uint64_t b = desk_register(d, xid, 1, MODE_TCC, "R", "");
	uint64_t one = desk_ask_end(d, xid, true, 1000);
	uint64_t two = desk_ask_end(d, xid, true, 3000);
	uint64_t now = desk_ask_end(d, xid, true, 0);

	assert_int_equal(desk_reply(d, now)->status, GTX_COMMITTING);
	desk_pass(d, 999);
	assert_null(desk_find_reply(d, one));
	desk_pass(d, 1);
	assert_int_equal(desk_reply(d, one)->status, GTX_COMMITTING);
	assert_null(desk_find_reply(d, two));
	desk_done(d, desk_command(d, b), BRANCH_COMMIT_UNRETRYABLE, "no");
	assert_int_equal(desk_reply(d, two)->status, GTX_COMMIT_FAILED);
	two = desk_ask_end(d, xid, true, 3000); /* hung: nothing to wait for */
	assert_int_equal(desk_reply(d, two)->status, GTX_COMMIT_FAILED);
}

static void test_a_time_out_rolls_back(void **state)
{
	struct desk *d = *state;
	const struct reply *r = answer(
		d, (struct request){ .type = RQ_BEGIN, .timeout_ms = 500 });
	struct bytes xid = r->xid, empty = desk_begin(d);
	uint64_t b = desk_register(d, xid, 1, MODE_AT, "R", "a");

	desk_pass(d, 499);
	assert_int_equal(desk_status(d, xid), GTX_BEGIN);
	desk_pass(d, 1);
	assert_int_equal(desk_status(d, xid), GTX_TIMEOUT_ROLLBACKING);
	assert_true(desk_said(d, "time-out"));
	r = desk_reply(d, desk_ask_end(d, xid, true, 0));
	assert_int_equal(r->err, E_STATE);
	assert_int_equal(desk_reply(d, desk_ask_end(d, xid, false, 0))->err,
			 OK);
	desk_done(d, desk_command(d, b), BRANCH_ROLLBACK_RETRYABLE, "busy");
	assert_int_equal(desk_status(d, xid), GTX_TIMEOUT_ROLLBACK_RETRYING);
	desk_pass(d, 1000);
	desk_done(d, desk_command(d, b), BRANCH_ROLLBACKED, NULL);
	assert_int_equal(desk_status(d, xid), GTX_TIMEOUT_ROLLBACKED);
	desk_pass(d, 60000);
	assert_int_equal(desk_status(d, empty), GTX_TIMEOUT_ROLLBACKED);
}

static void test_the_time_starts_anew_after_a_restart(void **state)
{
	struct desk *d = *state;
	struct bytes xid = desk_begin(d);

	desk_register(d, xid, 1, MODE_AT, "R", "a");
	desk_pass(d, 59000);
	assert_int_equal(desk_crash(d), OK);
	desk_pass(d, 59999);
	assert_int_equal(desk_status(d, xid), GTX_BEGIN);
	desk_pass(d, 1);
	assert_int_equal(desk_status(d, xid), GTX_TIMEOUT_ROLLBACKING);
}

static void test_no_commit_waits_longer_than_allowed(void **state)
{
	struct desk *d = *state;
	struct bytes xid = desk_begin(d);
	uint64_t one, two;

	desk_register(d, xid, 1, MODE_TCC, "R", "");
	one = desk_ask_end(d, xid, true, UINT64_MAX);
	two = desk_ask_end(d, xid, true, UINT64_MAX);
	desk_pass(d, d->config.reply_wait_ms_max - 1);
	assert_null(desk_find_reply(d, one));
	desk_pass(d, 1);
	assert_int_equal(desk_reply(d, one)->status, GTX_COMMIT_RETRYING);
	assert_int_equal(desk_reply(d, two)->status, GTX_COMMIT_RETRYING);
}

/* ---- reports ---- */

static int report(struct desk *d, struct bytes xid, uint64_t branch,
		  enum branch_status status, const char *data)
{
	return answer(d, (struct request){ .type = RQ_REPORT,
					   .xid = xid,
					   .branch = branch,
					   .report = status,
					   .application_data = bytes_of(data) })
		->err;
}

static void test_reports_end_branches_or_bring_data(void **state)
{
	struct desk *d = *state;
	struct bytes xid = desk_begin(d), other = desk_begin(d);
	uint64_t done = desk_register(d, xid, 1, MODE_TCC, "R", "");
	uint64_t id = desk_ask_register(d, xid, 1, MODE_TCC, "R", "", 0, 4);
	uint64_t failed = desk_reply(d, id)->branch;
	uint64_t rdonly = desk_register(d, xid, 1, MODE_XA, "R", "");

	assert_int_equal(report(d, xid, done, BRANCH_PHASE_ONE_DONE, "new"),
			 OK);
	assert_int_equal(report(d, xid, done, BRANCH_PHASE_ONE_DONE, NULL), OK);
	assert_int_equal(report(d, xid, done, BRANCH_PHASE_ONE_FAILED, NULL),
			 E_STATE);
	assert_int_equal(report(d, xid, failed, BRANCH_PHASE_ONE_FAILED, NULL),
			 OK);
	assert_int_equal(report(d, xid, failed, BRANCH_PHASE_ONE_FAILED, NULL),
			 OK);
	assert_int_equal(report(d, xid, failed, BRANCH_PHASE_ONE_DONE, NULL),
			 E_STATE);
	assert_int_equal(report(d, xid, rdonly, BRANCH_RDONLY, NULL), OK);
	assert_int_equal(report(d, xid, done, BRANCH_COMMITTED, NULL),
			 E_INVALID);
	assert_int_equal(report(d, other, done, BRANCH_PHASE_ONE_DONE, NULL),
			 E_NOTFOUND);
	assert_int_equal(report(d, xid, 999999, BRANCH_PHASE_ONE_DONE, NULL),
			 E_NOTFOUND);
	/* A late double of the registration does not bring it back. */
	id = desk_ask_register(d, xid, 1, MODE_TCC, "R", "", 0, 4);
	assert_int_equal(desk_reply(d, id)->err, E_STATE);
	assert_int_equal(desk_crash(d), OK);
	desk_peer(d, 2, "app", "i1", "R");
	id = desk_ask_register(d, xid, 1, MODE_TCC, "R", "", 0, 4);
	assert_int_equal(desk_reply(d, id)->err, E_STATE);
	desk_ask_end(d, xid, true, 0);
	assert_int_equal(d->n_commands, 1); /* only the first has work left */
	assert_true(bytes_equal(d->commands[0].application_data, BYTES("new")));
	assert_int_equal(report(d, xid, done, BRANCH_PHASE_ONE_DONE, NULL),
			 E_STATE);
	desk_done(d, desk_command(d, done), BRANCH_COMMITTED, NULL);
	assert_int_equal(desk_status(d, xid), GTX_COMMITTED);
	assert_int_equal(desk_count(d, ROW_BRANCH), 0);
}

static void test_nothing_left_to_do_ends_with_the_decision(void **state)
{
	struct desk *d = *state;
	struct bytes xid = desk_begin(d);
	uint64_t b = desk_register(d, xid, 1, MODE_XA, "R", "");
	uint64_t id, look, forced;

	report(d, xid, b, BRANCH_RDONLY, NULL);
	d->auto_store = false;
	forced = d->forced_steps;
	id = desk_ask_end(d, xid, true, 5000);
	look = desk_ask(d, (struct request){ .type = RQ_STATUS, .xid = xid });
	assert_null(desk_find_reply(d, id)); /* a row is at stake */
	assert_null(desk_find_reply(d, look));
	desk_store(d);
	assert_int_equal(desk_reply(d, look)->status, GTX_COMMITTED);
	assert_int_equal(desk_reply(d, id)->status, GTX_COMMITTED);
	assert_int_equal(desk_count(d, ROW_GTX) + desk_count(d, ROW_BRANCH), 0);
	assert_int_equal(d->archives[0].n_branches, 1);
	assert_int_equal(d->forced_steps, forced + 1);
}

static void test_a_repeated_report_waits_for_the_disk_as_well(void **state)
{
	struct desk *d = *state;
	struct bytes xid = desk_begin(d);
	uint64_t b = desk_register(d, xid, 1, MODE_TCC, "R", "");
	struct request rq = { .type = RQ_REPORT,
			      .xid = xid,
			      .branch = b,
			      .report = BRANCH_PHASE_ONE_FAILED };
	uint64_t one, two;

	d->auto_store = false;
	one = desk_ask(d, rq);
	two = desk_ask(d, rq);
	assert_null(desk_find_reply(d, one));
	assert_null(desk_find_reply(d, two));
	desk_store(d);
	assert_int_equal(desk_reply(d, one)->err, OK);
	assert_int_equal(desk_reply(d, two)->err, OK);
}

/* ---- limits and nonsense ---- */

static void test_nonsense_is_told_what_is_wrong(void **state)
{
	struct desk *d = *state;
	struct bytes xid = desk_begin(d), empty = { 0 };
	const struct reply *r;
	char big[2000];

	memset(big, 'x', sizeof big);
	r = answer(d, (struct request){ .type = RQ_COMMIT,
					.xid = BYTES("nonsense") });
	assert_int_equal(r->err, E_INVALID);
	r = answer(d, (struct request){ .type = RQ_COMMIT,
					.xid = BYTES("elsewhere:1") });
	assert_int_equal(r->err, E_NOTFOUND);
	assert_true(mentions(r, "another coordinator"));
	r = answer(d, (struct request){ .type = RQ_COMMIT,
					.xid = BYTES("tc:1:99999") });
	assert_int_equal(r->err, E_NOTFOUND);
	assert_true(mentions(r, "tc:1:99999"));
	r = answer(d, (struct request){ .type = RQ_TYPES });
	assert_int_equal(r->err, E_INVALID);
	r = answer(d, (struct request){ .type = RQ_BEGIN,
					.timeout_ms = UINT64_MAX });
	assert_int_equal(r->err, E_LIMIT);
	assert_true(mentions(r, "timeout_ms_max"));
	r = answer(d, (struct request){ .type = RQ_BEGIN,
					.name = { (uint8_t *)big, 2000 } });
	assert_int_equal(r->err, E_LIMIT);
	r = answer(d,
		   (struct request){ .type = RQ_BEGIN,
				     .application = { (uint8_t *)big, 2000 } });
	assert_int_equal(r->err, E_LIMIT);
	r = answer(d, (struct request){ .type = RQ_REGISTER, .xid = xid });
	assert_int_equal(r->err, E_INVALID);
	assert_true(mentions(r, "resource"));
	r = answer(d, (struct request){ .type = RQ_REGISTER,
					.xid = xid,
					.resource = BYTES("R"),
					.mode = (enum branch_mode)9 });
	assert_int_equal(r->err, E_INVALID);
	r = answer(d, (struct request){ .type = RQ_REGISTER,
					.xid = xid,
					.resource = { (uint8_t *)big, 2000 } });
	assert_int_equal(r->err, E_LIMIT);
	r = answer(d, (struct request){ .type = RQ_REGISTER,
					.xid = xid,
					.resource = BYTES("R"),
					.lock_keys = &empty,
					.n_lock_keys = 1 });
	assert_int_equal(r->err, E_INVALID);
	r = answer(d, (struct request){ .type = RQ_LOCK_CHECK,
					.xid = xid,
					.lock_keys = &empty,
					.n_lock_keys = 1 });
	assert_int_equal(r->err, E_INVALID);
	r = answer(d, (struct request){ .type = RQ_IDS });
	assert_int_equal(r->err, E_INVALID);
	r = answer(d, (struct request){ .type = RQ_IDS, .count = UINT64_MAX });
	assert_int_equal(r->err, E_LIMIT);
}

static void test_data_has_a_limit(void **state)
{
	struct core_config config = desk_config();
	struct desk *d;
	struct bytes xid;
	uint64_t b;

	(void)state;
	config.application_data_max = 4;
	config.gtx_max = 1;
	d = desk_new(&config, true);
	xid = desk_begin(d);
	assert_int_equal(answer(d, (struct request){ .type = RQ_BEGIN })->err,
			 E_LIMIT);
	assert_int_equal(answer(d, (struct request){ .type = RQ_REGISTER,
						     .xid = xid,
						     .resource = BYTES("R"),
						     .application_data =
							     BYTES("12345") })
				 ->err,
			 E_LIMIT);
	b = desk_register(d, xid, 0, MODE_AT, "R", "");
	assert_int_equal(report(d, xid, b, BRANCH_PHASE_ONE_DONE, "12345"),
			 E_LIMIT);
	desk_free(d);
}

/* ---- numbers ---- */

static void test_numbers_only_go_up_and_begins_wait_for_them(void **state)
{
	struct core_config config = desk_config();
	uint64_t last = 0;
	struct desk *d;

	(void)state;
	config.id_block = 4;
	d = desk_new(&config, true);
	for (int life = 0; life < 5; life++) {
		for (int i = 0; i < 9; i++) {
			const struct reply *r =
				answer(d, (struct request){ .type = RQ_IDS,
							    .count = 3 });

			assert_int_equal(r->err, OK);
			assert_true(r->first_id > last);
			last = r->first_id + 2;
		}
		assert_int_equal(desk_crash(d), OK);
	}
	d->auto_store = false;
	for (int i = 0; i < 6; i++)
		desk_ask(d, (struct request){ .type = RQ_BEGIN, .peer = 5 });
	assert_true(d->n_replies < 6); /* the rest wait */
	desk_gone(d, 5);
	last = d->n_replies;
	for (int i = 0; i < 3; i++)
		desk_store(d);
	assert_int_equal(d->n_replies, last); /* nobody is there any more */
	for (int i = 0; i < 6; i++)
		desk_ask(d, (struct request){ .type = RQ_BEGIN, .peer = 6 });
	for (int i = 0; i < 4; i++)
		desk_store(d);
	assert_int_equal(d->n_replies, last + 6);
	desk_free(d);
}

/* A store that was wiped begins elsewhere, and says of what it never gave that
 * nobody knows; of its own it knows that what is not there is rolled back. */
static void test_numbers_of_another_life_are_not_presumed_rolled_back(
	void **state)
{
	static const enum request_type all[] = { RQ_STATUS,     RQ_COMMIT,
						 RQ_ROLLBACK,   RQ_REGISTER,
						 RQ_REPORT,     RQ_RETRY,
						 RQ_LOCK_CHECK, RQ_RESOLVE };
	struct core_config config = desk_config();
	struct desk *d;

	(void)state;
	config.first_id = 7000000001;
	config.id_block = 100;
	d = desk_new(&config, true);
	assert_true(bytes_equal(desk_begin(d), BYTES("tc:1:7000000001")));
	for (int life = 0; life < 2; life++) {
		for (size_t i = 0; i < ARRAY_LEN(all); i++) {
			const struct reply *r = answer(
				d, (struct request){
					   .type = all[i],
					   .xid = BYTES("tc:1:6999999999") });

			assert_int_equal(r->err, E_UNKNOWN);
			assert_int_equal(r->status, GTX_UNKNOWN);
			assert_true(mentions(r, "another life"));
			r = answer(d, (struct request){
					      .type = all[i],
					      .xid = BYTES("tc:1:"
							   "7000000901") });
			assert_int_equal(r->err, E_UNKNOWN);
		}
		assert_int_equal(
			answer(d,
			       (struct request){ .type = RQ_STATUS,
						 .xid = BYTES("tc:1:"
							      "7000000099") })
				->err,
			E_NOTFOUND);
		/* A restart goes on, whatever is drawn then. */
		d->config.first_id = 9000000001;
		assert_int_equal(desk_crash(d), OK);
		assert_true(bytes_equal(desk_begin(d),
					life ? BYTES("tc:1:7000000201")
					     : BYTES("tc:1:7000000101")));
	}
	desk_free(d);
}

static void test_registrations_wait_for_numbers_too(void **state)
{
	struct core_config config = desk_config();
	struct bytes t1, t2;
	uint64_t waits, parked;
	struct desk *d;

	(void)state;
	config.id_block = 4;
	d = desk_new(&config, true);
	t1 = desk_begin(d);
	t2 = desk_begin(d);
	desk_register(d, t1, 0, MODE_AT, "R", "a");
	waits = desk_ask_register(d, t2, 0, MODE_AT, "R", "a", 9000, 0);
	d->auto_store = false;
	while (desk_find_reply(
		d, desk_ask(d, (struct request){ .type = RQ_IDS, .count = 1 })))
		;
	parked = desk_ask_register(d, t2, 0, MODE_AT, "R", "b", 0, 0);
	desk_ask_end(d, t1, true, 0); /* the lock is free, but no number is */
	assert_null(desk_find_reply(d, waits));
	for (int i = 0; i < 4; i++)
		desk_store(d);
	assert_int_equal(desk_reply(d, waits)->err, OK);
	assert_int_equal(desk_reply(d, parked)->err, OK);
	assert_true(desk_reply(d, waits)->branch !=
		    desk_reply(d, parked)->branch);
	desk_free(d);
}

/* ---- tombstones ---- */

static void test_tombstones_go_by_number_and_age(void **state)
{
	struct core_config config = desk_config();
	struct bytes xid[4];
	struct desk *d;

	(void)state;
	config.tombstones_max = 2;
	config.tombstone_keep_ms = 1000;
	d = desk_new(&config, true);
	for (int i = 0; i < 4; i++) {
		xid[i] = desk_begin(d);
		desk_ask_end(d, xid[i], true, 0);
	}
	assert_int_equal(core_stats(d->core).tombstones_now, 2);
	assert_int_equal(desk_count(d, ROW_TOMBSTONE), 2);
	assert_int_equal(desk_status(d, xid[3]), GTX_COMMITTED);
	assert_int_equal(desk_status(d, xid[0]), GTX_UNKNOWN);
	assert_int_equal(desk_crash(d), OK);
	assert_int_equal(desk_status(d, xid[3]), GTX_COMMITTED);
	desk_pass(d, 1000);
	assert_int_equal(core_stats(d->core).tombstones_now, 0);
	assert_int_equal(desk_count(d, ROW_TOMBSTONE), 0);
	desk_free(d);
}

/* ---- the store fails ---- */

static void test_a_failed_store_is_final(void **state)
{
	struct desk *d = *state;
	struct bytes xid = desk_begin(d);
	uint64_t end;

	desk_register(d, xid, 1, MODE_AT, "R", "a");
	d->auto_store = false;
	end = desk_ask_end(d, xid, true, 0);
	assert_int_equal(
		desk_step(d, (struct event){ .type = EV_STORE_FAILED }), OK);
	assert_null(desk_find_reply(d, end));
	assert_int_equal(answer(d, (struct request){ .type = RQ_BEGIN })->err,
			 E_CLOSED);
	assert_true(core_deadline(d->core) == UINT64_MAX);
	d->now_ms += 100000;
	desk_step(d, (struct event){ .type = EV_TIME });
	desk_step(d, (struct event){ .type = EV_STORED, .seq = d->seq });
	assert_null(desk_find_reply(d, end));
	assert_int_equal(d->n_commands, 0);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_a_commit_ends_in_every_branch),
		T(test_a_rollback_undoes_the_newest_first),
		T(test_n_branches_force_n_plus_one_steps_and_none_forces_none),
		T(test_no_promise_leaves_before_it_is_durable),
		T(test_what_was_never_stored_was_never_begun),
		T(test_a_repeated_end_hears_the_truth),
		T(test_a_branch_is_the_same_after_a_restart),
		T(test_a_branch_comes_only_in_begin),
		T(test_a_commit_waits_as_long_as_it_wants),
		T(test_a_time_out_rolls_back),
		T(test_no_commit_waits_longer_than_allowed),
		T(test_the_time_starts_anew_after_a_restart),
		T(test_reports_end_branches_or_bring_data),
		T(test_nothing_left_to_do_ends_with_the_decision),
		T(test_a_repeated_report_waits_for_the_disk_as_well),
		T(test_nonsense_is_told_what_is_wrong),
		cmocka_unit_test(test_data_has_a_limit),
		cmocka_unit_test(
			test_numbers_only_go_up_and_begins_wait_for_them),
		cmocka_unit_test(
			test_numbers_of_another_life_are_not_presumed_rolled_back),
		cmocka_unit_test(test_registrations_wait_for_numbers_too),
		cmocka_unit_test(test_tombstones_go_by_number_and_age),
		T(test_a_failed_store_is_final),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
