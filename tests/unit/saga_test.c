/*
 * The contract of a step: what is refused and why, that answers for what is
 * over change nothing, and random graphs with random participants and crashes
 * against what must hold whatever happens.
 */

#include "base/hash.h"
#include "tc/saga/saga.h"
#include "tests/fakes/flaky.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define STEPS_MAX 8

static const char *const two_steps =
	"{\"name\":\"g\",\"deadline_ms\":9000,\"steps\":["
	"{\"name\":\"a\",\"action\":\"x\",\"compensation\":\"y\"},"
	"{\"name\":\"b\",\"action\":\"x\",\"compensation\":\"y\"}]}";

static struct saga_def *define(const char *json)
{
	struct saga_def *def = NULL;
	struct buf why;

	buf_init(&why, &mem_heap);
	if (saga_def_new(&def, &mem_heap, bytes_of(json), NULL, &why) != OK)
		fail_msg("%s", buf_text(&why));
	buf_fini(&why);
	return def;
}

/* A run whose state moves from turn to turn. */
struct flow {
	const struct saga_def *def;
	struct saga_limits limits;
	struct saga_turn turns[2];
	size_t now;
	uint64_t now_ms;
};

static struct saga_turn *turn(struct flow *f)
{
	return &f->turns[f->now];
}

/* Looking at a state tells what the turn that made it did. */
static void look(const struct flow *f)
{
	const struct saga_turn *t = &f->turns[f->now];
	struct saga_turn seen;

	saga_turn_init(&seen, &mem_heap);
	assert_int_equal(saga_look(f->def, t->state, &seen), OK);
	assert_int_equal(seen.status, t->status);
	assert_int_equal(seen.backward, t->backward);
	assert_int_equal(seen.retrying, t->retrying);
	assert_int_equal(seen.due_ms, t->due_ms);
	assert_int_equal(seen.n_calls, 0);
	assert_true(bytes_equal(seen.state, t->state));
	assert_true(bytes_equal(seen.data, t->data));
	assert_true(bytes_equal(seen.error, t->error));
	assert_true(bytes_equal(seen.message, t->message));
	saga_turn_fini(&seen);
}

static int begin(struct flow *f, const struct saga_def *def, const char *input)
{
	struct saga_start start = { .now_ms = 5, .input = bytes_of(input) };

	*f = (struct flow){ .def = def, .now_ms = 5 };
	f->limits = saga_limits_default();
	saga_turn_init(&f->turns[0], &mem_heap);
	saga_turn_init(&f->turns[1], &mem_heap);
	return saga_begin(def, &f->limits, &start, turn(f));
}

static void end(struct flow *f)
{
	saga_turn_fini(&f->turns[0]);
	saga_turn_fini(&f->turns[1]);
}

static int step(struct flow *f, struct saga_event e)
{
	int rc;

	e.now_ms = f->now_ms;
	rc = saga_step(f->def, &f->limits, turn(f)->state, &e,
		       &f->turns[!f->now]);
	if (rc == OK) {
		f->now = !f->now;
		look(f);
	}
	return rc;
}

static int answer(struct flow *f, uint32_t task, uint32_t attempt,
		  enum saga_answer a, const char *output)
{
	return step(f, (struct saga_event){ .type = SAGA_EV_ANSWER,
					    .task = task,
					    .attempt = attempt,
					    .answer = a,
					    .output = bytes_of(output) });
}

static void test_a_start_is_checked(void **state)
{
	struct saga_start late = { .deadline_ms = 7 };
	struct saga_def *def = define(two_steps);
	struct saga_def *forward =
		define("{\"name\":\"g\",\"recovery\":\"forward\",\"steps\":["
		       "{\"name\":\"a\",\"action\":\"x\"}]}");
	struct flow f;

	(void)state;
	assert_int_equal(begin(&f, def, "{"), E_INVALID);
	end(&f);
	assert_int_equal(begin(&f, def, "[]"), E_INVALID);
	end(&f);
	assert_int_equal(begin(&f, def, "{\"a\":1}"), OK);
	assert_int_equal(turn(&f)->due_ms, 9005);
	f.limits.data_max = 4;
	assert_int_equal(saga_begin(forward, &f.limits, &late, turn(&f)),
			 E_INVALID);
	late = (struct saga_start){ .input = BYTES("{\"k\":\"value\"}") };
	assert_int_equal(saga_begin(forward, &f.limits, &late, turn(&f)),
			 E_LIMIT);
	end(&f);
	saga_def_free(forward);
	saga_def_free(def);
}

static void test_answers_are_matched(void **state)
{
	struct saga_def *def = define(two_steps);
	struct flow f;

	(void)state;
	assert_int_equal(begin(&f, def, "{}"), OK);
	assert_int_equal(turn(&f)->n_calls, 1);
	assert_int_equal(answer(&f, 9, 1, SAGA_DONE, ""), E_NOTFOUND);
	assert_int_equal(answer(&f, 0, 0, SAGA_DONE, ""), E_NOTFOUND);
	assert_int_equal(answer(&f, 0, 2, SAGA_DONE, ""), E_NOTFOUND);
	assert_int_equal(answer(&f, 0, 1, SAGA_DONE, "{"), E_INVALID);
	assert_int_equal(answer(&f, 0, 1, SAGA_UNKNOWN, ""), OK);
	assert_int_equal(turn(&f)->n_calls, 0);
	assert_int_equal(turn(&f)->due_ms, 1005);
	f.now_ms = 1005;
	assert_int_equal(step(&f, (struct saga_event){ .type = SAGA_EV_TIME }),
			 OK);
	assert_int_equal(turn(&f)->calls[0].attempt, 2);
	/* A refusal of the first attempt says nothing about the second. */
	assert_int_equal(answer(&f, 0, 1, SAGA_REFUSED, ""), OK);
	assert_int_equal(turn(&f)->status, SAGA_RUNNING);
	assert_int_equal(turn(&f)->n_calls, 0);
	/* That it was done does. */
	assert_int_equal(answer(&f, 0, 1, SAGA_DONE, "1"), OK);
	assert_int_equal(turn(&f)->n_calls, 1);
	assert_int_equal(turn(&f)->calls[0].task, 1);
	assert_int_equal(answer(&f, 0, 2, SAGA_REFUSED, ""), OK);
	assert_int_equal(turn(&f)->status, SAGA_RUNNING);
	assert_int_equal(answer(&f, 1, 1, SAGA_DONE, "2"), OK);
	assert_int_equal(turn(&f)->status, SAGA_SUCCEEDED);
	assert_true(bytes_equal(turn(&f)->data, BYTES("{\"a\":1,\"b\":2}")));
	end(&f);
	saga_def_free(def);
}

static void test_operators_hear_when_there_is_nothing_to_do(void **state)
{
	struct saga_event e = { .type = SAGA_EV_FORWARD, .task = SAGA_NO_TASK };
	struct saga_def *def = define(two_steps);
	struct flow f;

	(void)state;
	assert_int_equal(begin(&f, def, "{}"), OK);
	assert_int_equal(step(&f, e), E_STATE);
	e.type = SAGA_EV_SKIP;
	assert_int_equal(step(&f, e), E_STATE);
	e.task = 4;
	assert_int_equal(step(&f, e), E_NOTFOUND);
	assert_int_equal(answer(&f, 0, 1, SAGA_REFUSED, ""), OK);
	assert_int_equal(turn(&f)->status, SAGA_FAILED);
	e.type = SAGA_EV_COMPENSATE;
	assert_int_equal(step(&f, e), E_STATE);
	end(&f);
	saga_def_free(def);
}

static void test_a_damaged_or_foreign_state_is_refused(void **state)
{
	struct saga_def *def = define(two_steps);
	struct saga_def *other =
		define("{\"name\":\"g\",\"steps\":[{\"name\":\"a\",\"action\":"
		       "\"x\"}]}");
	struct saga_event e = { .type = SAGA_EV_TIME };
	struct saga_turn out;
	uint8_t copy[2048];
	struct flow f;
	size_t len;

	(void)state;
	assert_int_equal(begin(&f, def, "{}"), OK);
	saga_turn_init(&out, &mem_heap);
	len = turn(&f)->state.len;
	assert_in_range(len, 50, sizeof copy);
	assert_int_equal(saga_step(other, &f.limits, turn(&f)->state, &e, &out),
			 E_VERSION);
	for (size_t i = 0; i < len; i++) {
		memcpy(copy, turn(&f)->state.data, len);
		copy[i] ^= 0x10;
		assert_int_equal(saga_step(def, &f.limits,
					   (struct bytes){ copy, len }, &e,
					   &out),
				 i == 0 ? E_VERSION : E_CORRUPT);
		copy[i] ^= 0x10;
		assert_true(saga_step(def, &f.limits, (struct bytes){ copy, i },
				      &e, &out) != OK);
	}
	saga_turn_fini(&out);
	end(&f);
	saga_def_free(other);
	saga_def_free(def);
}

static void test_too_many_tasks_are_a_failure(void **state)
{
	struct saga_def *def = define(
		"{\"Name\":\"m\",\"StartState\":\"A\",\"States\":{\"A\":{"
		"\"Type\":\"ScriptTask\",\"ScriptContent\":\"[a]\",\"Next\":"
		"\"B\"},\"B\":{\"Type\":\"Choice\",\"Choices\":[{"
		"\"Expression\":\"[a] == 1\",\"Next\":\"C\"}],\"Default\":"
		"\"A\"},\"C\":{\"Type\":\"Succeed\"}}}");
	struct flow f;

	(void)state;
	assert_int_equal(begin(&f, def, "{}"), OK);
	assert_int_equal(turn(&f)->status, SAGA_FAILED);
	assert_true(bytes_equal(turn(&f)->error, BYTES("limit")));
	end(&f);
	saga_def_free(def);
}

static void test_the_path_tells_what_happened(void **state)
{
	struct saga_def *def = define(two_steps);
	struct flow f;
	struct buf b;

	(void)state;
	buf_init(&b, &mem_heap);
	assert_int_equal(begin(&f, def, "{}"), OK);
	assert_int_equal(answer(&f, 0, 1, SAGA_DONE, "1"), OK);
	assert_int_equal(answer(&f, 1, 1, SAGA_REFUSED, ""), OK);
	assert_int_equal(saga_path(def, turn(&f)->state, &mem_heap, &b), OK);
	assert_string_equal(
		buf_text(&b),
		"[{\"task\":0,\"machine\":\"g\",\"state\":\"a\",\"is\":"
		"\"done\",\"attempts\":1},{\"task\":1,\"machine\":\"g\","
		"\"state\":\"b\",\"is\":\"refused\",\"attempts\":1,\"error\":"
		"\"refused\",\"message\":\"\"},{\"task\":2,\"machine\":\"g\","
		"\"state\":\"a\",\"of\":0,\"is\":\"calling\",\"attempts\":1}]");
	buf_fini(&b);
	end(&f);
	saga_def_free(def);
}

static void test_a_turn_tells_the_way_and_whether_it_tries_again(void **state)
{
	struct saga_event skip = { .type = SAGA_EV_SKIP, .task = SAGA_NO_TASK };
	struct saga_def *def = define(two_steps);
	struct flow f;

	(void)state;
	assert_int_equal(begin(&f, def, "{}"), OK);
	assert_false(turn(&f)->backward || turn(&f)->retrying);
	assert_int_equal(answer(&f, 0, 1, SAGA_UNKNOWN, ""), OK);
	assert_true(!turn(&f)->backward && turn(&f)->retrying);
	assert_int_equal(answer(&f, 0, 1, SAGA_DONE, "1"), OK);
	assert_false(turn(&f)->backward || turn(&f)->retrying);
	assert_int_equal(answer(&f, 1, 1, SAGA_REFUSED, ""), OK);
	assert_true(turn(&f)->backward && !turn(&f)->retrying);
	f.limits.recovery.attempts = 1;
	assert_int_equal(answer(&f, 2, 1, SAGA_UNKNOWN, ""), OK);
	assert_true(turn(&f)->backward && turn(&f)->retrying);
	f.now_ms = turn(&f)->due_ms;
	assert_int_equal(step(&f, (struct saga_event){ .type = SAGA_EV_TIME }),
			 OK);
	assert_int_equal(answer(&f, 2, 2, SAGA_UNKNOWN, ""), OK);
	assert_int_equal(turn(&f)->status, SAGA_HUNG);
	assert_true(turn(&f)->backward && !turn(&f)->retrying);
	assert_int_equal(step(&f, skip), OK);
	assert_int_equal(turn(&f)->status, SAGA_COMPENSATED);
	end(&f);
	saga_def_free(def);
}

static void test_who_compensates_ends_what_a_trigger_would_let_go_on(
	void **state)
{
	struct saga_event undo = { .type = SAGA_EV_COMPENSATE };
	struct saga_def *def = define(
		"{\"Name\":\"m\",\"StartState\":\"A\",\"States\":{"
		"\"A\":{\"Type\":\"ServiceTask\",\"ServiceName\":\"s\","
		"\"ServiceMethod\":\"a\",\"CompensateState\":\"U\",\"Next\":"
		"\"T\"},"
		"\"T\":{\"Type\":\"CompensationTrigger\",\"Next\":\"C\"},"
		"\"C\":{\"Type\":\"ServiceTask\",\"ServiceName\":\"s\","
		"\"ServiceMethod\":\"c\",\"Next\":\"E\"},"
		"\"U\":{\"Type\":\"ServiceTask\",\"ServiceName\":\"s\","
		"\"ServiceMethod\":\"u\"},\"E\":{\"Type\":\"Succeed\"}}}");
	struct flow f;

	(void)state;
	for (int stop = 0; stop < 2; stop++) {
		uint32_t undoes;

		assert_int_equal(begin(&f, def, "{}"), OK);
		assert_int_equal(answer(&f, 0, 1, SAGA_DONE, ""), OK);
		assert_int_equal(turn(&f)->status, SAGA_COMPENSATING);
		assert_false(turn(&f)->backward);
		undoes = turn(&f)->calls[0].task;
		if (stop) {
			assert_int_equal(step(&f, undo), OK);
			assert_true(turn(&f)->backward);
			assert_int_equal(step(&f, undo), E_STATE);
		}
		assert_int_equal(answer(&f, undoes, 1, SAGA_DONE, ""), OK);
		assert_int_equal(turn(&f)->n_calls, stop ? 0 : 1);
		assert_int_equal(turn(&f)->status,
				 stop ? SAGA_COMPENSATED : SAGA_RUNNING);
		end(&f);
	}
	saga_def_free(def);
}

static bool list_service(void *ctx, struct bytes state, struct bytes service,
			 struct bytes method)
{
	struct buf *b = ctx;

	buf_printf(b, "%.*s %.*s %.*s;", (int)state.len,
		   (const char *)state.data, (int)service.len,
		   (const char *)service.data, (int)method.len,
		   (const char *)method.data);
	return b->len < 30;
}

static void test_a_definition_names_the_services_that_it_calls(void **state)
{
	struct saga_def *def = define(
		"{\"Name\":\"m\",\"StartState\":\"A\",\"States\":{\"A\":{"
		"\"Type\":\"ServiceTask\",\"ServiceName\":\"shop\","
		"\"ServiceMethod\":\"buy\",\"Next\":\"C\"},"
		"\"C\":{\"Type\":\"Succeed\"}}}");
	struct buf b;

	(void)state;
	buf_init(&b, &mem_heap);
	assert_true(saga_def_services(def, list_service, &b));
	assert_string_equal(buf_text(&b), "A shop buy;");
	saga_def_free(def);
	def = define(two_steps);
	buf_clear(&b);
	assert_true(saga_def_services(def, list_service, &b));
	assert_int_equal(b.len, 4 * 5);
	buf_clear(&b);
	buf_put_text(&b, "thirty bytes are too many now;");
	assert_false(saga_def_services(def, list_service, &b));
	buf_fini(&b);
	saga_def_free(def);
}

/* ---- at random ---- */

struct participant {
	bool done;
	bool undone;
	size_t done_at; /* when its done was heard */
};

struct play {
	uint64_t seed;
	size_t n;
	uint32_t after[STEPS_MAX]; /* bits */
	struct participant p[STEPS_MAX];
	struct saga_call calls[64];
	size_t n_calls;
	size_t heard;
	bool forward;
};

static uint64_t dice(struct play *p, uint64_t sides)
{
	return random_next(&p->seed) % sides;
}

static struct saga_def *random_graph(struct play *p)
{
	struct saga_def *def;
	struct buf b;

	p->n = 1 + dice(p, STEPS_MAX);
	p->forward = dice(p, 4) == 0;
	buf_init(&b, &mem_heap);
	buf_printf(&b, "{\"name\":\"g\",\"recovery\":\"%s\",\"steps\":[",
		   p->forward ? "forward" : "backward");
	for (size_t i = 0; i < p->n; i++) {
		const char *comma = "";

		buf_printf(&b, "%s{\"name\":\"%zu\",\"action\":\"do\",",
			   i ? "," : "", i);
		buf_put_text(&b, "\"compensation\":\"undo\",\"after\":[");
		for (size_t k = 0; k < i; k++) {
			if (dice(p, 3) > 0)
				continue;
			buf_printf(&b, "%s\"%zu\"", comma, k);
			comma = ",";
			p->after[i] |= 1u << k;
		}
		buf_put_text(&b, "]}");
	}
	buf_put_text(&b, "]}");
	def = define(buf_text(&b));
	buf_fini(&b);
	return def;
}

static size_t index_of(const struct saga_call *c)
{
	return (size_t)(c->step.data[0] - '0');
}

/* The rules that no call may break, whatever was answered. */
static void check_call(const struct play *p, const struct saga_call *c)
{
	const struct participant *me = &p->p[index_of(c)];

	for (size_t i = 0; i < p->n && !c->compensation; i++) {
		if (p->after[index_of(c)] & 1u << i)
			assert_true(p->p[i].done_at > 0);
		assert_false(p->p[i].undone);
	}
	for (size_t i = 0; i < p->n && c->compensation; i++)
		if (me->done_at > 0 && p->p[i].done_at > me->done_at)
			assert_true(p->p[i].undone);
}

static void collect(struct play *p, const struct saga_turn *t)
{
	for (size_t i = 0; i < t->n_calls; i++) {
		struct saga_call c = t->calls[i];

		check_call(p, &c);
		c.step.data = (const uint8_t *)"01234567" + index_of(&c);
		assert_in_range(p->n_calls, 0, 63);
		p->calls[p->n_calls++] = c;
	}
}

/* What a participant does, and what is heard of it. */
static void participate(struct play *p, struct flow *f)
{
	size_t which = dice(p, p->n_calls);
	struct saga_call c = p->calls[which];
	struct participant *me = &p->p[index_of(&c)];
	enum saga_answer a = SAGA_DONE;
	bool does = dice(p, 8) < 6;

	p->calls[which] = p->calls[--p->n_calls];
	if (c.compensation) {
		if (does)
			me->undone = true;
		a = does ? SAGA_DONE : SAGA_UNKNOWN;
	} else {
		bool before = me->done;

		if (me->done || does)
			me->done = true;
		a = me->done ? SAGA_DONE : (enum saga_answer)(1 + dice(p, 3));
		if (dice(p, 6) == 0)
			a = SAGA_UNKNOWN;
		if (before && dice(p, 4) == 0)
			a = SAGA_REFUSED; /* a naive one: "no money left" */
	}
	if (dice(p, 12) == 0)
		return; /* the answer is lost */
	if (a == SAGA_DONE && !c.compensation && !me->done_at)
		me->done_at = ++p->heard;
	assert_int_equal(answer(f, c.task, c.attempt, a, "1"), OK);
	collect(p, turn(f));
}

static void play(uint64_t seed)
{
	struct play p = { .seed = seed };
	struct saga_def *def = random_graph(&p);
	struct flow f;
	enum saga_status status;

	assert_int_equal(begin(&f, def, "{}"), OK);
	collect(&p, turn(&f));
	while ((status = turn(&f)->status) <= SAGA_COMPENSATING) {
		struct saga_event e = { .type = SAGA_EV_TIME };

		if (dice(&p, 10) == 0) {
			p.n_calls = 0;
			e.type = SAGA_EV_RESUME;
			assert_int_equal(step(&f, e), OK);
			collect(&p, turn(&f));
		} else if (p.n_calls > 0) {
			participate(&p, &f);
		} else {
			assert_true(turn(&f)->due_ms != UINT64_MAX);
			if (turn(&f)->due_ms > f.now_ms)
				f.now_ms = turn(&f)->due_ms;
			assert_int_equal(step(&f, e), OK);
			collect(&p, turn(&f));
		}
	}
	assert_true(!p.forward || status == SAGA_SUCCEEDED);
	for (size_t i = 0; i < p.n; i++) {
		if (status == SAGA_SUCCEEDED)
			assert_true(p.p[i].done && !p.p[i].undone);
		else if (p.p[i].done)
			assert_true(p.p[i].undone);
	}
	end(&f);
	saga_def_free(def);
}

static void test_random_graphs_are_all_done_or_all_undone(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 3000; seed++)
		play(seed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_start_is_checked),
		cmocka_unit_test(test_answers_are_matched),
		cmocka_unit_test(
			test_operators_hear_when_there_is_nothing_to_do),
		cmocka_unit_test(test_a_damaged_or_foreign_state_is_refused),
		cmocka_unit_test(test_too_many_tasks_are_a_failure),
		cmocka_unit_test(test_the_path_tells_what_happened),
		cmocka_unit_test(
			test_a_turn_tells_the_way_and_whether_it_tries_again),
		cmocka_unit_test(
			test_who_compensates_ends_what_a_trigger_would_let_go_on),
		cmocka_unit_test(
			test_a_definition_names_the_services_that_it_calls),
		cmocka_unit_test(test_random_graphs_are_all_done_or_all_undone),
	};

	return cmocka_run_group_tests_name("saga", tests, NULL, NULL);
}
