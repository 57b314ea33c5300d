/*
 * Sagas with scripted participants: each file of tests/conformance/saga names
 * machines, answers, the calls that must be made and the end that must come.
 *
 *   about      what it shows
 *   machines   definitions; the last one is run, the others are its parts
 *   input, business_key
 *   answers    step -> list: "done", {"done": output}, "refused" or
 *              {"refused": error}, "unknown" or {"unknown": error}, "progress",
 *              "silence"; a step without (further) answers says done
 *   operator   what an operator does each time that it hangs (or, when it
 *              does not, "then" at the end): "forward", "compensate", "skip"
 *   calls      "step", "undo step", or ["step", input], in their order
 *   status, data (members that must be there), error, ms (from start to end)
 *
 * Every case is run once as it is, and once for each step with a crash behind
 * it: calls under way are lost, and the state is taken up from its bytes.
 */

#include "tc/saga/saga.h"
#include "tc/saga/val.h"
#include "tests/fakes/flaky.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define MACHINES_MAX 8
#define CALLS_MAX    200
#define STEPS_MAX    1000
#define BEGIN_MS     1000

static const char *const statuses[] = { "running", "compensating",
					"hung",    "succeeded",
					"failed",  "compensated" };

struct world {
	const char *file;
	struct arena a;
	const struct val *c; /* the case */
	struct saga_def *defs[MACHINES_MAX];
	size_t n_defs;
	struct saga_limits limits;

	struct bytes state;
	uint64_t now_ms;
	uint64_t due_ms;
	enum saga_status status;
	size_t steps;
	struct saga_call under_way[CALLS_MAX];
	size_t n_under_way;
	struct {
		uint32_t task;
		uint32_t attempt;
		size_t answer; /* which of its step's */
		const char *text;
		struct bytes input;
	} seen[CALLS_MAX];
	size_t n_seen;
	struct {
		struct bytes step;
		size_t n;
	} used[CALLS_MAX];
	size_t n_used;
	size_t operated;
	bool then_used;
	bool doubt; /* a crash swallowed a refusal: it may be undone */
};

static const struct val *member(const struct val *v, const char *key)
{
	return val_member(v, bytes_of(key));
}

static const char *text_of(struct world *w, struct bytes b)
{
	return arena_text(&w->a, b);
}

static const struct val *parse(struct world *w, struct bytes json)
{
	const struct val *v;

	if (val_parse(&w->a, json, &v) != OK)
		fail_msg("%s: not JSON", w->file);
	return v;
}

static struct bytes slurp(struct arena *a, const char *path)
{
	FILE *f = fopen(path, "rb");
	static char text[1 << 16];
	size_t n;

	assert_non_null(f);
	n = fread(text, 1, sizeof text, f);
	fclose(f);
	return arena_bytes(a, (struct bytes){ (uint8_t *)text, n });
}

/* ---- definitions ---- */

static const struct saga_def *find(void *ctx, struct bytes name)
{
	struct world *w = ctx;

	for (size_t i = w->n_defs; i > 0; i--)
		if (bytes_equal(saga_def_name(w->defs[i - 1]), name))
			return w->defs[i - 1];
	return NULL;
}

static void define(struct world *w)
{
	const struct val *list = member(w->c, "machines");
	struct saga_lookup lookup = { find, w };
	struct bytes json;
	struct buf why;

	assert_in_range(list->n, 1, MACHINES_MAX);
	for (size_t i = 0; i < list->n; i++) {
		buf_init(&why, &mem_heap);
		assert_int_equal(val_print(list->items[i], &w->a, &json), OK);
		if (saga_def_new(&w->defs[i], &mem_heap, json, &lookup, &why) !=
		    OK)
			fail_msg("%s: %s", w->file, buf_text(&why));
		w->n_defs++;
		buf_fini(&why);
	}
}

/* ---- calls ---- */

static size_t answer_of(struct world *w, struct bytes step)
{
	for (size_t i = 0; i < w->n_used; i++)
		if (bytes_equal(w->used[i].step, step))
			return w->used[i].n++;
	assert_in_range(w->n_used, 0, CALLS_MAX - 1);
	w->used[w->n_used].step = arena_bytes(&w->a, step);
	w->used[w->n_used++].n = 1;
	return 0;
}

static const char *name_of(struct world *w, const struct saga_call *c)
{
	struct buf b;

	buf_init(&b, &w->a.as_mem);
	if (c->compensation)
		buf_put_text(&b, "undo ");
	buf_put(&b, c->step);
	return buf_text(&b);
}

/* The same task and attempt again is the same call to a participant. */
static void note_call(struct world *w, const struct saga_call *c)
{
	for (size_t i = 0; i < w->n_seen; i++)
		if (w->seen[i].task == c->task &&
		    w->seen[i].attempt == c->attempt)
			return;
	assert_in_range(w->n_seen, 0, CALLS_MAX - 1);
	w->seen[w->n_seen].task = c->task;
	w->seen[w->n_seen].attempt = c->attempt;
	w->seen[w->n_seen].text = name_of(w, c);
	w->seen[w->n_seen].answer =
		answer_of(w, bytes_of(w->seen[w->n_seen].text));
	w->seen[w->n_seen].input = arena_bytes(&w->a, c->input);
	w->n_seen++;
}

static void take(struct world *w, int rc, const struct saga_turn *turn)
{
	if (rc != OK)
		fail_msg("%s: step %zu: %s", w->file, w->steps, err_name(rc));
	w->steps++;
	assert_in_range(w->steps, 0, STEPS_MAX);
	w->state = arena_bytes(&w->a, turn->state);
	w->status = turn->status;
	w->due_ms = turn->due_ms;
	for (size_t i = 0; i < turn->n_calls; i++) {
		struct saga_call c = turn->calls[i];

		note_call(w, &c);
		c.step = bytes_of(name_of(w, &c));
		assert_in_range(w->n_under_way, 0, CALLS_MAX - 1);
		w->under_way[w->n_under_way++] = c;
	}
}

static void step(struct world *w, struct saga_event *e)
{
	const struct saga_def *def = w->defs[w->n_defs - 1];
	struct saga_turn turn;
	int rc;

	e->now_ms = w->now_ms;
	saga_turn_init(&turn, &mem_heap);
	rc = saga_step(def, &w->limits, w->state, e, &turn);
	take(w, rc, &turn);
	saga_turn_fini(&turn);
}

static void fill_answer(struct world *w, const struct val *a,
			struct saga_event *e)
{
	static const char *const kinds[] = { "done", "refused", "progress",
					     "unknown" };
	struct bytes kind = a->type == JSON_OBJECT ? a->keys[0] : a->text;

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if (bytes_equal(kind, bytes_of(kinds[i])))
			e->answer = (enum saga_answer)i;
	if (a->type != JSON_OBJECT)
		return;
	if (e->answer == SAGA_DONE)
		assert_int_equal(val_print(a->items[0], &w->a, &e->output), OK);
	else
		e->error = a->items[0]->text;
}

static void answer(struct world *w)
{
	struct saga_call c = w->under_way[0];
	struct saga_event e = { .type = SAGA_EV_ANSWER,
				.task = c.task,
				.attempt = c.attempt };
	const struct val *list = val_member(member(w->c, "answers"), c.step);

	w->n_under_way--;
	memmove(w->under_way, w->under_way + 1,
		w->n_under_way * sizeof *w->under_way);
	for (size_t i = 0; i < w->n_seen; i++) {
		if (w->seen[i].task != c.task ||
		    w->seen[i].attempt != c.attempt ||
		    w->seen[i].answer >= list->n)
			continue;
		if (bytes_equal(list->items[w->seen[i].answer]->text,
				BYTES("silence")))
			return;
		fill_answer(w, list->items[w->seen[i].answer], &e);
	}
	step(w, &e);
}

/* ---- running ---- */

static void operate(struct world *w, struct bytes what)
{
	struct saga_event e = { .type = SAGA_EV_SKIP, .task = SAGA_NO_TASK };

	if (bytes_equal(what, BYTES("forward")))
		e.type = SAGA_EV_FORWARD;
	else if (bytes_equal(what, BYTES("compensate")))
		e.type = SAGA_EV_COMPENSATE;
	step(w, &e);
}

static bool operator_acts(struct world *w)
{
	const struct val *list = member(w->c, "operator");
	const struct val *then = member(w->c, "then");

	if (w->status == SAGA_HUNG && w->operated < list->n) {
		operate(w, list->items[w->operated++]->text);
		return true;
	}
	if (w->status != SAGA_SUCCEEDED || then->type != JSON_TEXT ||
	    w->then_used)
		return false;
	w->then_used = true;
	operate(w, then->text);
	return true;
}

/* A crash: nobody hears what was under way. */
static void swallow(struct world *w)
{
	for (size_t i = 0; i < w->n_under_way; i++) {
		const struct saga_call *c = &w->under_way[i];
		const struct val *list =
			val_member(member(w->c, "answers"), c->step);

		for (size_t k = 0; k < list->n; k++) {
			const struct val *a = list->items[k];
			struct bytes kind =
				a->type == JSON_OBJECT ? a->keys[0] : a->text;

			w->doubt |= !c->compensation &&
				    bytes_equal(kind, BYTES("refused"));
		}
	}
	w->n_under_way = 0;
}

static void run(struct world *w, size_t crash_at)
{
	const struct saga_def *def = w->defs[w->n_defs - 1];
	struct saga_event resume = { .type = SAGA_EV_RESUME };
	struct saga_event time = { .type = SAGA_EV_TIME };
	struct saga_start start = {
		.now_ms = BEGIN_MS,
		.business_key = member(w->c, "business_key")->text,
	};
	struct saga_turn turn;
	int rc = OK;

	if (member(w->c, "input")->type == JSON_OBJECT)
		rc = val_print(member(w->c, "input"), &w->a, &start.input);
	assert_int_equal(rc, OK);
	w->now_ms = BEGIN_MS;
	saga_turn_init(&turn, &mem_heap);
	rc = saga_begin(def, &w->limits, &start, &turn);
	take(w, rc, &turn);
	saga_turn_fini(&turn);
	for (;;) {
		if (w->steps == crash_at) {
			swallow(w);
			step(w, &resume);
		} else if (w->n_under_way > 0) {
			answer(w);
		} else if (w->due_ms != UINT64_MAX) {
			if (w->due_ms > w->now_ms)
				w->now_ms = w->due_ms;
			step(w, &time);
		} else if (!operator_acts(w)) {
			return;
		}
	}
}

/* ---- what must come of it ---- */

static void same_calls(struct world *w)
{
	const struct val *list = member(w->c, "calls");

	for (size_t i = 0; i < list->n || i < w->n_seen; i++) {
		const struct val *v = i < list->n ? list->items[i] : &val_null;
		const struct val *name =
			v->type == JSON_ARRAY ? v->items[0] : v;
		const char *made = i < w->n_seen ? w->seen[i].text : "nothing";

		if (!bytes_equal(name->text, bytes_of(made)))
			fail_msg("%s: call %zu is %s, not %s", w->file, i, made,
				 text_of(w, name->text));
		if (v->type == JSON_ARRAY &&
		    !val_equal(v->items[1], parse(w, w->seen[i].input)))
			fail_msg("%s: call %zu has %s", w->file, i,
				 text_of(w, w->seen[i].input));
	}
}

static void same_set(struct world *w)
{
	const struct val *list = member(w->c, "calls");
	bool used[CALLS_MAX] = { false };

	if (!w->doubt)
		assert_int_equal(list->n, w->n_seen);
	for (size_t i = 0; i < w->n_seen; i++) {
		size_t k = 0;

		for (; k < list->n; k++) {
			const struct val *v = list->items[k];

			if (v->type == JSON_ARRAY)
				v = v->items[0];
			if (!used[k] &&
			    bytes_equal(v->text, bytes_of(w->seen[i].text)))
				break;
		}
		if (k < list->n)
			used[k] = true;
		else if (!w->doubt || strncmp(w->seen[i].text, "undo ", 5) != 0)
			fail_msg("%s: %s was called", w->file, w->seen[i].text);
	}
}

static void same_end(struct world *w, bool in_time)
{
	const struct val *data = member(w->c, "data");
	const struct val *ms = member(w->c, "ms");
	const struct val *error = member(w->c, "error");
	struct saga_event e = { .type = SAGA_EV_TIME, .now_ms = w->now_ms };
	struct saga_turn turn;
	const struct val *now;
	struct buf b;

	if (!bytes_equal(member(w->c, "status")->text,
			 bytes_of(statuses[w->status])) &&
	    !(w->doubt && w->status == SAGA_COMPENSATED))
		fail_msg("%s: the end is %s", w->file, statuses[w->status]);
	saga_turn_init(&turn, &mem_heap);
	assert_int_equal(saga_step(w->defs[w->n_defs - 1], &w->limits, w->state,
				   &e, &turn),
			 OK);
	assert_int_equal(turn.n_calls, 0);
	now = parse(w, turn.data);
	for (size_t i = 0; i < data->n; i++)
		if (!val_equal(data->items[i], val_member(now, data->keys[i])))
			fail_msg("%s: data is %s", w->file,
				 text_of(w, turn.data));
	if (!bytes_equal(error->text, turn.error))
		fail_msg("%s: error is '%s': %s", w->file,
			 text_of(w, turn.error), text_of(w, turn.message));
	saga_turn_fini(&turn);
	buf_init(&b, &mem_heap);
	buf_printf(&b, "%llu", (unsigned long long)(w->now_ms - BEGIN_MS));
	if (in_time && ms->type == JSON_NUMBER &&
	    !bytes_equal(ms->text, buf_bytes(&b)))
		fail_msg("%s: it took %s ms", w->file, buf_text(&b));
	buf_fini(&b);
}

static size_t run_case(const char *file, size_t crash_at)
{
	struct world *w = calloc(1, sizeof *w);
	char path[512];
	size_t steps;

	assert_non_null(w);
	w->file = file;
	arena_init(&w->a, &mem_heap, 0);
	snprintf(path, sizeof path, "%s/%s", SAGA_CASES, file);
	w->c = parse(w, slurp(&w->a, path));
	w->limits = saga_limits_default();
	w->limits.unknown.attempts = 2;
	w->limits.recovery.attempts = 3;
	define(w);
	run(w, crash_at);
	if (crash_at == 0)
		same_calls(w);
	else
		same_set(w);
	same_end(w, crash_at == 0);
	steps = w->steps;
	for (size_t i = w->n_defs; i > 0; i--)
		saga_def_free(w->defs[i - 1]);
	arena_fini(&w->a);
	free(w);
	return steps;
}

static void test_every_machine_ends_as_it_must(void **state)
{
	struct dirent *entry;
	size_t cases = 0, runs = 0;
	DIR *dir = opendir(SAGA_CASES);

	(void)state;
	assert_non_null(dir);
	while ((entry = readdir(dir))) {
		size_t steps;

		if (!strstr(entry->d_name, ".json"))
			continue;
		steps = run_case(entry->d_name, 0);
		for (size_t crash = 1; crash < steps; crash++, runs++)
			(void)run_case(entry->d_name, crash);
		cases++;
	}
	closedir(dir);
	print_message("%zu machines, %zu runs with a crash\n", cases, runs);
	assert_true(cases >= 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_machine_ends_as_it_must),
	};

	return cmocka_run_group_tests_name("saga", tests, NULL, NULL);
}
