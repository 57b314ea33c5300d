/*
 * A saga from its definition to its end, failing at each allocation once. Every
 * failure must be E_NOMEM, leave nothing behind, and the old state must be as
 * good as before: the same step again, with memory, goes on.
 */

#include "tc/saga/saga.h"
#include "tests/fakes/flaky.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static const char *const part =
	"{\"Name\":\"part\",\"StartState\":\"A\",\"States\":{\"A\":{\"Type\":"
	"\"ServiceTask\",\"ServiceName\":\"s\",\"ServiceMethod\":\"a\","
	"\"Loop\":{\"Parallel\":2,\"Collection\":\"[l]\","
	"\"ElementVariableName\":\"e\",\"ElementIndexName\":\"i\","
	"\"CompletionCondition\":\"[nrOfCompletedInstances] > 2\"},"
	"\"Input\":[{\"e\":\"$.[e]\"}],\"Output\":{\"o\":\"$.#root\"},"
	"\"CompensateState\":\"U\"},\"U\":{\"Type\":\"ServiceTask\","
	"\"ServiceName\":\"s\",\"ServiceMethod\":\"u\",\"Input\":"
	"[\"$.[e]\"]}}}";
static const char *const whole =
	"{\"Name\":\"m\",\"StartState\":\"S\",\"States\":{\"S\":{\"Type\":"
	"\"SubStateMachine\",\"StateMachineName\":\"part\",\"Input\":[{\"l\":"
	"\"$.[l]\"}],\"Output\":{\"r\":\"$.[o]\"},\"Next\":\"P\"},\"P\":{"
	"\"Type\":\"ScriptTask\",\"ScriptContent\":\"[n] * 2\",\"Output\":"
	"{\"n2\":\"$.#root\"},\"Next\":\"C\"},\"C\":{\"Type\":\"Choice\","
	"\"Choices\":[{\"Expression\":\"[n2] == 4\",\"Next\":\"B\"}],"
	"\"Default\":\"F\"},\"B\":{\"Type\":\"ServiceTask\",\"ServiceName\":"
	"\"s\",\"ServiceMethod\":\"b\",\"Retry\":[{\"Exceptions\":[\"busy\"],"
	"\"MaxAttempts\":1}],\"Status\":{\"$Exception{*}\":\"UN\"},\"Catch\":"
	"[{\"Exceptions\":[\"*\"],\"Next\":\"T\"}]},\"T\":{\"Type\":"
	"\"CompensationTrigger\",\"Next\":\"F\"},\"F\":{\"Type\":\"Fail\","
	"\"ErrorCode\":\"E\"}}}";

static const struct saga_def *find(void *ctx, struct bytes name)
{
	return bytes_equal(saga_def_name(ctx), name) ? ctx : NULL;
}

/* Once with what may fail; then, if it did, with what may not. */
static int attempt(const struct saga_def *def, struct bytes *state,
		   uint8_t *kept, const struct mem *flaky,
		   const struct saga_event *e, struct saga_turn *turn)
{
	struct saga_limits limits = saga_limits_default();
	int rc;

	saga_turn_fini(turn);
	saga_turn_init(turn, flaky);
	turn->arena.chunk_size = 1;
	rc = saga_step(def, &limits, *state, e, turn);
	if (rc == E_NOMEM) {
		saga_turn_fini(turn);
		saga_turn_init(turn, &mem_heap);
		assert_int_equal(saga_step(def, &limits, *state, e, turn), OK);
	} else {
		assert_int_equal(rc, OK);
	}
	memcpy(kept, turn->state.data, turn->state.len);
	*state = (struct bytes){ kept, turn->state.len };
	return rc;
}

static int run(const struct saga_def *def, const struct mem *flaky)
{
	struct saga_start start = { .now_ms = 1,
				    .business_key = BYTES("k"),
				    .input = BYTES("{\"n\":2,\"l\":[1,2,3]}") };
	struct saga_limits limits = saga_limits_default();
	struct saga_event e = { .type = SAGA_EV_ANSWER };
	static uint8_t kept[1 << 16];
	struct saga_turn turn;
	struct bytes state;
	int rc, worst;

	saga_turn_init(&turn, flaky);
	rc = worst = saga_begin(def, &limits, &start, &turn);
	if (rc != OK) {
		saga_turn_fini(&turn);
		return rc;
	}
	memcpy(kept, turn.state.data, turn.state.len);
	state = (struct bytes){ kept, turn.state.len };
	e.task = 2; /* the first element */
	while (turn.status <= SAGA_COMPENSATING) {
		e.now_ms = turn.due_ms;
		e.type = turn.n_calls ? SAGA_EV_ANSWER : SAGA_EV_TIME;
		if (turn.n_calls) {
			const struct saga_call *c =
				&turn.calls[turn.n_calls - 1];
			bool b = bytes_equal(c->method, BYTES("b"));

			e.now_ms = 1;
			e.task = c->task;
			e.attempt = c->attempt;
			e.answer = b ? SAGA_REFUSED : SAGA_DONE;
			e.error = b ? BYTES("busy") : (struct bytes){ 0 };
			e.output = BYTES("{\"x\":[1]}");
		}
		rc = attempt(def, &state, kept, flaky, &e, &turn);
		worst = rc != OK ? rc : worst;
	}
	assert_int_equal(turn.status, SAGA_COMPENSATED);
	saga_turn_fini(&turn);
	return worst;
}

static int whole_way(const struct mem *mem)
{
	struct saga_def *inner = NULL, *outer = NULL;
	struct saga_lookup lookup = { find, NULL };
	struct buf why;
	int rc;

	buf_init(&why, mem);
	rc = saga_def_new(&inner, mem, bytes_of(part), NULL, &why);
	lookup.ctx = inner;
	if (rc == OK)
		rc = saga_def_new(&outer, mem, bytes_of(whole), &lookup, &why);
	assert_int_equal(why.len, 0);
	if (rc == OK)
		rc = run(outer, mem);
	saga_def_free(outer);
	saga_def_free(inner);
	buf_fini(&why);
	return rc;
}

static void test_every_failed_allocation_changes_nothing(void **state)
{
	struct flaky f;
	long n = -1;
	int rc;

	(void)state;
	do {
		flaky_init(&f, ++n);
		rc = whole_way(&f.mem);
		if (rc != (f.calls > n ? E_NOMEM : OK))
			fail_msg("allocation %ld: %s", n, err_name(rc));
		assert_int_equal(f.live, 0);
	} while (f.calls > n);
	print_message("%ld allocations\n", n);
	assert_true(n > 500);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_failed_allocation_changes_nothing),
	};

	return cmocka_run_group_tests_name("saga", tests, NULL, NULL);
}
