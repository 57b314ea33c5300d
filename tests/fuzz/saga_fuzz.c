#include "base/hash.h"
#include "base/json.h"
#include "tc/saga/saga.h"
#include "tests/fuzz/fuzz.h"

#include <dirent.h>
#include <stdio.h>

/*
 * A definition is refused with a reason, or its runs are sound whatever the
 * participants, the clock and operators do: states can be read back, inputs are
 * JSON, what was compensated is never called again, the end is the end. What
 * happens is drawn from the definition's own bytes.
 */

enum { PLAYS = 10, STEPS = 60, CALLS_MAX = 512, TASKS = 64 };

struct play {
	const struct saga_def *def;
	struct saga_limits limits;
	struct saga_turn turn;
	char *state; /* owned: of the last turn */
	size_t state_len;
	uint64_t random;
	uint64_t now_ms;
	struct {
		uint32_t task, attempt;
	} calls[CALLS_MAX];
	size_t n_calls;
	uint32_t undone_by[TASKS]; /* task of its compensation; 0: none */
};

/* ---- what must hold ---- */

static void check_call(struct play *p, const struct saga_call *call)
{
	REQUIRE(json_valid(call->input));
	REQUIRE(call->service.len > 0 && call->attempt > 0);
	REQUIRE(call->task < TASKS);
	if (call->compensation) {
		REQUIRE(call->of < call->task);
		REQUIRE(p->undone_by[call->of] == 0 ||
			p->undone_by[call->of] == call->task);
		p->undone_by[call->of] = call->task;
	} else {
		REQUIRE(p->undone_by[call->task] == 0);
	}
	if (p->n_calls == CALLS_MAX)
		p->n_calls = 0;
	p->calls[p->n_calls].task = call->task;
	p->calls[p->n_calls++].attempt = call->attempt;
}

static bool take_turn(struct play *p)
{
	const struct saga_turn *t = &p->turn;
	struct buf path;

	REQUIRE(t->status < SAGA_STATUSES);
	REQUIRE(json_valid(t->data));
	if (t->status >= SAGA_SUCCEEDED)
		REQUIRE(t->n_calls == 0);
	for (size_t i = 0; i < t->n_calls; i++)
		check_call(p, &t->calls[i]);
	mem_free(&mem_heap, p->state);
	p->state = mem_text(&mem_heap, t->state);
	p->state_len = t->state.len;
	REQUIRE(p->state);
	buf_init(&path, &mem_heap);
	REQUIRE(saga_path(p->def, t->state, &mem_heap, &path) == OK);
	REQUIRE(json_valid(buf_bytes(&path)));
	buf_fini(&path);
	return t->status < SAGA_SUCCEEDED;
}

/* ---- what happens ---- */

static struct bytes an_output(uint64_t n)
{
	static const char *const outputs[] = {
		"",    "true",          "false",
		"7",   "\"OK\"",        "{\"id\":1,\"ok\":true}",
		"[1]", "{\"a\":[1,2]}", "no JSON",
	};

	return bytes_of(outputs[n % ARRAY_LEN(outputs)]);
}

static struct saga_event an_event(struct play *p)
{
	static const char *const errors[] = { "", "busy", "timeout", "x" };
	uint64_t n = random_next(&p->random);
	struct saga_event e = { .now_ms = p->now_ms, .task = SAGA_NO_TASK };

	switch (n % 8) {
	case 0:
		if (p->turn.due_ms != UINT64_MAX && p->turn.due_ms > p->now_ms)
			e.now_ms = p->now_ms = p->turn.due_ms;
		e.type = SAGA_EV_TIME;
		return e;
	case 1:
		e.type = SAGA_EV_RESUME;
		return e;
	case 2:
		e.type = (enum saga_event_type)(SAGA_EV_FORWARD + n / 8 % 3);
		return n / 32 % 8 == 0
			       ? e
			       : (struct saga_event){ .type = SAGA_EV_TIME,
						      .now_ms = p->now_ms };
	default:
		break;
	}
	e.type = SAGA_EV_ANSWER;
	if (p->n_calls > 0) {
		e.task = p->calls[n / 8 % p->n_calls].task;
		e.attempt = p->calls[n / 8 % p->n_calls].attempt;
	}
	e.answer = (enum saga_answer)(n / 4096 % 8 < SAGA_ANSWERS ? n / 4096 % 8
								  : SAGA_DONE);
	e.output = an_output(n / 65536);
	e.error = bytes_of(errors[n / 1048576 % ARRAY_LEN(errors)]);
	return e;
}

static void play(struct play *p)
{
	bool goes_on = take_turn(p);

	for (int i = 0; goes_on && i < STEPS; i++) {
		const struct saga_event e = an_event(p);
		const struct bytes state = { (const uint8_t *)p->state,
					     p->state_len };
		int rc = saga_step(p->def, &p->limits, state, &e, &p->turn);

		REQUIRE(rc == OK || rc == E_NOTFOUND || rc == E_STATE ||
			rc == E_INVALID);
		REQUIRE(rc != E_INVALID || !json_valid(e.output));
		if (rc == OK)
			goes_on = take_turn(p);
		else
			p->turn.due_ms = UINT64_MAX;
		p->now_ms += random_next(&p->random) % 1000;
	}
}

static void run(const struct saga_def *def, struct bytes in, uint64_t draw)
{
	const struct saga_start start = {
		.now_ms = 1000,
		.business_key = BYTES("k"),
		.input = BYTES(
			"{\"n\":5,\"items\":[1,2,3],\"a\":{\"b\":\"x\"}}")
	};
	struct play p = { .def = def,
			  .limits = saga_limits_default(),
			  .random = hash_bytes(draw, in),
			  .now_ms = 1000 };
	int rc;

	p.limits.tasks_max = TASKS / 4; /* compensations are more */
	p.limits.data_max = 4096;
	saga_turn_init(&p.turn, &mem_heap);
	rc = saga_begin(def, &p.limits, &start, &p.turn);
	REQUIRE(rc == OK);
	play(&p);
	mem_free(&mem_heap, p.state);
	saga_turn_fini(&p.turn);
}

/* ---- definitions ---- */

static struct saga_def *part; /* what sub-machines are bound to */

static const struct saga_def *find(void *ctx, struct bytes name)
{
	(void)ctx;
	return bytes_equal(name, saga_def_name(part)) ? part : NULL;
}

static void make_part(void)
{
	struct buf why;

	if (part)
		return;
	buf_init(&why, &mem_heap);
	REQUIRE(saga_def_new(
			&part, &mem_heap,
			BYTES("{\"Name\":\"part\",\"StartState\":\"C\","
			      "\"States\":{\"C\":{\"Type\":\"ServiceTask\","
			      "\"ServiceName\":\"s\",\"ServiceMethod\":\"c\","
			      "\"CompensateState\":\"U\"},\"U\":{\"Type\":"
			      "\"ServiceTask\",\"ServiceName\":\"s\","
			      "\"ServiceMethod\":\"u\"}}}"),
			NULL, &why) == OK);
	buf_fini(&why);
}

void fuzz_one(struct bytes in)
{
	const struct saga_lookup lookup = { find, NULL };
	struct saga_def *def;
	struct buf why;
	int rc;

	make_part();
	buf_init(&why, &mem_heap);
	rc = saga_def_new(&def, &mem_heap, in, &lookup, &why);
	REQUIRE(rc == OK || (rc == E_INVALID && why.len > 0));
	if (rc == OK) {
		for (uint64_t draw = 0; draw < PLAYS; draw++)
			run(def, in, draw);
		saga_def_free(def);
	}
	buf_fini(&why);
}

/* ---- seeds: the machines of the conformance tests ---- */

static void seed_machines(const struct fuzz_sink *sink, struct bytes text)
{
	struct bytes key, list, none, machine;
	struct json_walk members, machines;

	REQUIRE(json_valid(text));
	json_walk_init(&members, text);
	while (json_walk(&members, &key, &list)) {
		if (!bytes_equal(key, BYTES("\"machines\"")))
			continue;
		json_walk_init(&machines, list);
		while (json_walk(&machines, &none, &machine))
			sink->seed(sink->ctx, machine);
	}
}

void fuzz_seeds(const struct fuzz_sink *sink)
{
	DIR *dir = opendir(SAGA_CASES);
	struct dirent *e;

	REQUIRE(dir);
	while ((e = readdir(dir))) {
		static char text[1 << 16];
		struct buf path;
		FILE *f;

		if (!strstr(e->d_name, ".json"))
			continue;
		buf_init(&path, &mem_heap);
		buf_printf(&path, "%s/%s", SAGA_CASES, e->d_name);
		f = fopen(buf_text(&path), "rb");
		REQUIRE(f);
		seed_machines(sink,
			      (struct bytes){ (uint8_t *)text,
					      fread(text, 1, sizeof text, f) });
		(void)fclose(f);
		buf_fini(&path);
	}
	(void)closedir(dir);
}
