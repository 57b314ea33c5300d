#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "tc/host/metrics.h"
#include "tests/fakes/flaky.h"

/* What the loop tells the metrics, and what they make of it. */

static int setup(void **state)
{
	struct metrics *m = mem_alloc(&mem_heap, sizeof *m);

	*state = m;
	return metrics_init(m, &mem_heap);
}

static int teardown(void **state)
{
	metrics_fini(*state);
	mem_free(&mem_heap, *state);
	return 0;
}

static void ask(struct metrics *m, uint64_t peer, uint64_t id,
		enum request_type type, uint64_t wait_ms)
{
	const struct event ev = { .type = EV_REQUEST,
				  .request = { .type = type,
					       .peer = peer,
					       .id = id,
					       .wait_ms = wait_ms } };

	metrics_event(m, &ev);
}

static void reply(struct metrics *m, uint64_t peer, uint64_t id, int err,
		  uint64_t now_us)
{
	const struct effect fx = {
		.type = FX_REPLY,
		.reply = { .peer = peer, .id = id, .err = err }
	};

	metrics_out(m, &fx, now_us);
}

static void tell(struct metrics *m, const struct command *c, uint64_t now_us)
{
	const struct effect fx = { .type = FX_COMMAND, .command = *c };

	metrics_out(m, &fx, now_us);
}

static void done(struct metrics *m, uint64_t command)
{
	const struct event ev = { .type = EV_BRANCH_DONE,
				  .done = { .command = command } };

	metrics_event(m, &ev);
}

static void effect(struct metrics *m, const struct effect *fx)
{
	const struct effects all = { .items = fx, .n = 1 };

	metrics_effects(m, &all);
}

static void test_a_request_is_measured_until_its_answer_leaves(void **state)
{
	struct metrics *m = *state;

	metrics_turn(m, 1000);
	ask(m, 7, 1, RQ_BEGIN, 0);
	metrics_turn(m, 5000);
	ask(m, 8, 1, RQ_BEGIN, 0); /* another peer's number */
	reply(m, 8, 1, OK, 5300);
	assert_int_equal(histogram_count(&m->request[ASK_BEGIN]), 1);
	assert_int_equal(m->request[ASK_BEGIN].sum, 300);
	reply(m, 7, 1, E_LIMIT, 6000);
	assert_int_equal(m->request[ASK_BEGIN].sum, 5300);
	reply(m, 7, 1, OK, 9000); /* nobody asked */
	assert_int_equal(histogram_count(&m->request[ASK_BEGIN]), 2);
	assert_int_equal(m->replies[-OK], 2);
	assert_int_equal(m->replies[-E_LIMIT], 1);
}

static void test_who_waits_for_the_end_is_measured_apart(void **state)
{
	static const struct {
		enum request_type type;
		uint64_t wait_ms;
		enum metrics_request is;
	} t[] = {
		{ RQ_REGISTER, 100, ASK_REGISTER },
		{ RQ_REPORT, 0, ASK_REPORT },
		{ RQ_COMMIT, 0, ASK_COMMIT },
		{ RQ_COMMIT, 1, ASK_COMMIT_WAIT },
		{ RQ_ROLLBACK, 0, ASK_ROLLBACK },
		{ RQ_ROLLBACK, 1, ASK_ROLLBACK_WAIT },
		{ RQ_STATUS, 0, ASK_STATUS },
		{ RQ_LOCK_CHECK, 9, ASK_LOCK_CHECK },
		{ RQ_SAGA_START, 0, ASK_SAGA_START },
		{ RQ_SAGA_START, 1, ASK_SAGA_START_WAIT },
		{ RQ_RETRY, 0, ASK_OTHER },
	};
	struct metrics *m = *state;

	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		ask(m, 1, 100 + i, t[i].type, t[i].wait_ms);
		reply(m, 1, 100 + i, OK, 1);
		assert_int_equal(histogram_count(&m->request[t[i].is]), 1);
	}
}

static void test_a_command_is_measured_until_its_answer_comes(void **state)
{
	static const struct {
		enum command_type type;
		enum branch_mode mode;
		bool compensation;
		enum metrics_command is;
	} t[] = {
		{ COMMAND_COMMIT, MODE_AT, false, TELL_AT_COMMIT },
		{ COMMAND_ROLLBACK, MODE_AT, false, TELL_AT_ROLLBACK },
		{ COMMAND_COMMIT, MODE_TCC, false, TELL_TCC_COMMIT },
		{ COMMAND_ROLLBACK, MODE_TCC, false, TELL_TCC_ROLLBACK },
		{ COMMAND_COMMIT, MODE_XA, false, TELL_XA_COMMIT },
		{ COMMAND_ROLLBACK, MODE_XA, false, TELL_XA_ROLLBACK },
		{ COMMAND_COMMIT, MODE_SAGA, false, TELL_SAGA_COMMIT },
		{ COMMAND_ROLLBACK, MODE_SAGA, false, TELL_SAGA_ROLLBACK },
		{ COMMAND_COMMIT, MODE_MSG, false, TELL_MSG_DELIVER },
		{ COMMAND_ROLLBACK, MODE_MSG, false, TELL_MSG_ROLLBACK },
		{ COMMAND_CHECK, MODE_AT, false, TELL_MSG_CHECK },
		{ COMMAND_CALL, MODE_AT, false, TELL_SAGA_CALL },
		{ COMMAND_CALL, MODE_AT, true, TELL_SAGA_COMPENSATION },
	};
	struct metrics *m = *state;

	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		const struct command c = { .id = i + 1,
					   .type = t[i].type,
					   .mode = t[i].mode,
					   .compensation = t[i].compensation };

		tell(m, &c, 1000);
		metrics_turn(m, 1700);
		done(m, c.id);
		done(m, c.id); /* said twice */
		assert_int_equal(histogram_count(&m->command[t[i].is]), 1);
		assert_int_equal(m->command[t[i].is].sum, 700);
	}
}

static struct effect row(uint64_t gtx, enum gtx_status status)
{
	return (struct effect){
		.type = FX_PUT,
		.row = { .table = ROW_GTX, .id = gtx, .status = (int)status }
	};
}

static struct effect archive(uint64_t gtx, enum gtx_kind kind,
			     enum gtx_status status)
{
	return (struct effect){ .type = FX_ARCHIVE,
				.archive = { .gtx = gtx,
					     .kind = kind,
					     .status = status,
					     .began_wall_ms = 5000,
					     .ended_wall_ms = 5020 } };
}

static void test_phase_two_is_measured_from_the_decision(void **state)
{
	struct metrics *m = *state;
	struct effect fx;

	metrics_turn(m, 1000);
	fx = row(5, GTX_BEGIN);
	effect(m, &fx);
	metrics_turn(m, 2000);
	fx = row(5, GTX_COMMITTING);
	effect(m, &fx);
	fx = row(6, GTX_TIMEOUT_ROLLBACKING);
	effect(m, &fx);
	metrics_turn(m, 3000);
	fx = row(5, GTX_COMMIT_RETRYING);
	effect(m, &fx);
	metrics_turn(m, 9000);
	fx = archive(5, KIND_PLAIN, GTX_COMMITTED);
	effect(m, &fx);
	fx = archive(6, KIND_PLAIN, GTX_TIMEOUT_ROLLBACKED);
	effect(m, &fx);
	fx = archive(7, KIND_MESSAGE, GTX_ROLLBACKED); /* no branches */
	effect(m, &fx);
	assert_int_equal(histogram_count(&m->phase_two[0]), 1);
	assert_int_equal(m->phase_two[0].sum, 7000);
	assert_int_equal(histogram_count(&m->phase_two[1]), 1);
	assert_int_equal(m->end[KIND_PLAIN][END_COMMITTED].sum, 20000);
	assert_int_equal(m->end[KIND_PLAIN][END_TIMED_OUT].sum, 20000);
	assert_int_equal(m->end[KIND_MESSAGE][END_ROLLED_BACK].sum, 20000);
}

static void test_the_way_back_of_a_saga_is_no_phase_two(void **state)
{
	struct metrics *m = *state;
	struct effect fx = row(5, GTX_ROLLBACKING);

	effect(m, &fx);
	fx = archive(5, KIND_SAGA, GTX_ROLLBACKED);
	effect(m, &fx);
	assert_int_equal(histogram_count(&m->phase_two[1]), 0);
	assert_int_equal(histogram_count(&m->end[KIND_SAGA][END_ROLLED_BACK]),
			 1);
}

static void test_only_batches_with_a_sync_count_as_synced(void **state)
{
	struct metrics *m = *state;
	struct store_stats before = { .syncs = 4, .sync_us_total = 100 };
	struct store_stats after = { .syncs = 5, .sync_us_total = 340 };

	metrics_batch(m, 12, false, 80, &before, &before);
	metrics_batch(m, 30, true, 400, &before, &after);
	assert_int_equal(m->batch[0].sum, 80);
	assert_int_equal(m->batch[1].sum, 400);
	assert_int_equal(m->batch_rows.sum, 42);
	assert_int_equal(histogram_count(&m->sync), 1);
	assert_int_equal(m->sync.sum, 240);
}

static void test_a_turn_is_measured(void **state)
{
	struct metrics *m = *state;

	metrics_turn(m, 500);
	metrics_turn_end(m, 900);
	assert_int_equal(m->turn.sum, 400);
}

/* Ten times as many as there is room for: the oldest are forgotten. */
static void test_what_never_ends_costs_no_more_than_its_place(void **state)
{
	struct metrics *m = *state;
	const uint64_t n = 10 * PENDING_PLACES;
	uint64_t found = 0, at_us;
	unsigned tag;

	for (uint64_t i = 1; i <= n; i++)
		pending_put(&m->requests, i, i, i, 3);
	for (uint64_t i = 1; i <= n; i++) {
		if (!pending_take(&m->requests, i, i, &at_us, &tag))
			continue;
		assert_int_equal(at_us, i);
		assert_int_equal(tag, 3);
		assert_true(i > n / 2);
		found++;
	}
	assert_int_equal(found, PENDING_PLACES);
	assert_int_equal(m->requests.lost, n - PENDING_PLACES);
}

/* As many as are usual find a place. */
static void test_a_thousand_at_once_are_all_measured(void **state)
{
	struct metrics *m = *state;

	for (uint64_t i = 1; i <= 1000; i++)
		ask(m, i % 64 + 1, i, RQ_BEGIN, 0);
	for (uint64_t i = 1; i <= 1000; i++)
		reply(m, i % 64 + 1, i, OK, 10);
	assert_int_equal(histogram_count(&m->request[ASK_BEGIN]), 1000);
	assert_int_equal(m->requests.lost, 0);
}

static void test_the_text_has_what_was_told(void **state)
{
	struct metrics *m = *state;
	struct metrics_facts f = {
		.version = BYTES("1.2.3"),
		.state = HOST_READY,
		.core = { .begun = 17, .locks_now = 4, .waiters_now = 2 },
		.census = { .agents = 3, .oldest_hung_ms = 1500 },
	};
	static const char *const lines[] = {
		"\ntreaty_build_info{version=\"1.2.3\"} 1\n",
		"\ntreaty_state{state=\"ready\"} 1\n",
		"\ntreaty_state{state=\"draining\"} 0\n",
		"\ntreaty_transactions_begun_total 17\n",
		"\ntreaty_locks 4\n",
		"\ntreaty_lock_waiters 2\n",
		"\ntreaty_agents 3\n",
		"\ntreaty_sagas{state=\"forward\"} 5\n",
		"\ntreaty_sagas{state=\"compensating\"} 6\n",
		"\ntreaty_sagas{state=\"hung\"} 7\n",
		"\ntreaty_transactions_hung{status=\"CommitFailed\"} 9\n",
		("\ntreaty_transactions_unfinished{kind=\"saga\","
		 "status=\"CommitFailed\"} 7\n"),
		"\ntreaty_transactions_older{seconds=\"60\"} 8\n",
		"\ntreaty_transaction_oldest_hung_seconds 1.5\n",
		"\ntreaty_http_calls_total 12\n",
		"\ntreaty_door_malformed_total{door=\"agents\"} 11\n",
		"\ntreaty_replies_total{error=\"rolled back\"} 0\n",
	};
	struct buf b;

	f.census.gtx[KIND_SAGA][GTX_BEGIN] = 5;
	f.census.gtx[KIND_SAGA][GTX_ROLLBACKING] = 6;
	f.census.gtx[KIND_SAGA][GTX_COMMIT_FAILED] = 7;
	f.census.gtx[KIND_PLAIN][GTX_COMMIT_FAILED] = 2;
	f.census.older[2] = 8;
	f.doors[DOOR_CALLER].messages_out = 12;
	f.doors[DOOR_AGENTS].malformed = 11;
	buf_init(&b, &mem_heap);
	metrics_write(m, &f, &b);
	assert_int_equal(buf_error(&b), OK);
	for (size_t i = 0; i < ARRAY_LEN(lines); i++)
		if (!strstr(buf_text(&b), lines[i]))
			fail_msg("not there: %s", lines[i]);
	assert_null(strstr(buf_text(&b), "Unknown"));
	assert_null(strstr(buf_text(&b), "(null)"));
	buf_fini(&b);
}

static void test_without_memory_there_are_no_metrics(void **state)
{
	struct metrics m;
	struct flaky f;
	int rc = E_NOMEM;

	(void)state;
	for (long n = 0; rc != OK; n++) {
		flaky_init(&f, n);
		rc = metrics_init(&m, &f.mem);
		if (rc == OK)
			metrics_fini(&m);
		else
			assert_int_equal(rc, E_NOMEM);
		assert_int_equal(f.live, 0);
	}
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_a_request_is_measured_until_its_answer_leaves),
		T(test_who_waits_for_the_end_is_measured_apart),
		T(test_a_command_is_measured_until_its_answer_comes),
		T(test_phase_two_is_measured_from_the_decision),
		T(test_the_way_back_of_a_saga_is_no_phase_two),
		T(test_only_batches_with_a_sync_count_as_synced),
		T(test_a_turn_is_measured),
		T(test_what_never_ends_costs_no_more_than_its_place),
		T(test_a_thousand_at_once_are_all_measured),
		T(test_the_text_has_what_was_told),
		cmocka_unit_test(test_without_memory_there_are_no_metrics),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
