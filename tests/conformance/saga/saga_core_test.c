/*
 * The same cases as saga_test.c through the whole core: the machines are put,
 * the run is started, its calls arrive as commands and are answered as
 * scripted. Once as it is, and once for each event with a crash behind it that
 * loses every row that was not forced.
 *
 * What an operator does to a saga that succeeded ("then") is left out: it is
 * finished, and the core says so.
 */

#include "tc/saga/val.h"
#include "tests/fakes/saga_desk.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define CALLS_MAX  200
#define EVENTS_MAX 1000

struct world {
	const char *file;
	struct arena a;
	const struct val *c; /* the case */
	struct desk *d;
	struct bytes resources[64]; /* of its participants */
	size_t n_resources;
	struct bytes xid;
	uint64_t begun_ms;
	uint64_t forced; /* steps that were, so far */
	size_t events;
	size_t answered; /* of d->commands */
	struct {
		uint64_t branch;
		uint32_t attempt;
		bool compensation;
		const char *text; /* "step" or "undo step" */
		size_t answer;    /* which of its answers */
	} seen[CALLS_MAX];
	size_t n_seen;
	size_t operated;
	bool lazy_refusal; /* one was heard, and is not on the disk yet */
	bool doubt;        /* a crash swallowed a refusal: it may be undone */
};

static const struct val *member(const struct val *v, const char *key)
{
	return val_member(v, bytes_of(key));
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

/* ---- the world ---- */

static void add_resource(struct world *w, struct bytes service)
{
	struct buf b;

	if (service.len == 0)
		return;
	buf_init(&b, &w->a.as_mem);
	buf_printf(&b, "saga:%.*s", (int)service.len,
		   (const char *)service.data);
	assert_in_range(w->n_resources, 0, ARRAY_LEN(w->resources) - 1);
	w->resources[w->n_resources++] = buf_bytes(&b);
}

static void find_services(struct world *w, const struct val *v)
{
	for (size_t i = 0; i < v->n; i++) {
		struct bytes key =
			v->type == JSON_OBJECT ? v->keys[i] : BYTES("");

		if (bytes_equal(key, BYTES("ServiceName")) ||
		    bytes_equal(key, BYTES("action")) ||
		    bytes_equal(key, BYTES("compensation")))
			add_resource(w, v->items[i]->text);
		find_services(w, v->items[i]);
	}
}

static void connect_all(struct world *w)
{
	struct event e = { .type = EV_PEER_UP };

	e.up = (struct peer_up){ .peer = 1 + w->events,
				 .application = BYTES("shop"),
				 .instance = BYTES("i"),
				 .resources = w->resources,
				 .n_resources = w->n_resources };
	assert_int_equal(desk_step(w->d, e), OK);
}

/* Only what is forced reaches the disk. */
static void store(struct world *w)
{
	while (w->d->forced_steps > w->forced) {
		w->forced = w->d->forced_steps;
		w->lazy_refusal = false;
		desk_store(w->d);
	}
	w->events++;
	assert_in_range(w->events, 0, EVENTS_MAX);
}

static void put_all(struct world *w)
{
	const struct val *list = member(w->c, "machines");
	struct bytes json;

	for (size_t i = 0; i < list->n; i++) {
		uint64_t id;

		assert_int_equal(val_print(list->items[i], &w->a, &json), OK);
		id = desk_ask(w->d, (struct request){ .type = RQ_MACHINE_PUT,
						      .text = json });
		store(w);
		if (desk_reply(w->d, id)->err != OK)
			fail_msg("%s: %s", w->file,
				 (const char *)desk_reply(w->d, id)->text.data);
	}
}

static void begin(struct world *w)
{
	const struct val *list = member(w->c, "machines");
	const struct val *last = list->items[list->n - 1];
	const struct val *name = member(last, "Name");
	struct request rq = { .type = RQ_SAGA_START };
	uint64_t id;

	rq.name = name->type == JSON_TEXT ? name->text
					  : member(last, "name")->text;
	rq.business_key = member(w->c, "business_key")->text;
	if (member(w->c, "input")->type == JSON_OBJECT)
		assert_int_equal(
			val_print(member(w->c, "input"), &w->a, &rq.input), OK);
	w->begun_ms = w->d->now_ms;
	id = desk_ask(w->d, rq);
	store(w);
	assert_int_equal(desk_reply(w->d, id)->err, OK);
	w->xid = desk_reply(w->d, id)->xid;
}

static bool is_over(const struct world *w)
{
	return core_stats(w->d->core).gtx_now == 0;
}

/* ---- calls ---- */

static const struct val *look(struct world *w)
{
	uint64_t id = desk_ask(
		w->d, (struct request){ .type = RQ_SAGA_SHOW, .xid = w->xid });

	assert_int_equal(desk_reply(w->d, id)->err, OK);
	return parse(w, desk_reply(w->d, id)->detail);
}

static uint64_t number(const struct val *v)
{
	return strtoull((const char *)v->text.data, NULL, 10);
}

/* The name of the step that is called, as only the run knows it. */
static const char *name_of(struct world *w, const struct command *co)
{
	const struct val *calls = member(look(w), "calls");
	struct buf b;

	buf_init(&b, &w->a.as_mem);
	for (size_t i = 0; i < calls->n; i++) {
		const struct val *v = calls->items[i];
		const struct val *of = member(v, "of");
		bool undo = of->type == JSON_NUMBER;

		if (undo != co->compensation ||
		    number(undo ? of : member(v, "task")) != co->branch)
			continue;
		buf_printf(&b, "%s%.*s", undo ? "undo " : "",
			   (int)member(v, "step")->text.len,
			   (const char *)member(v, "step")->text.data);
		return buf_text(&b);
	}
	fail_msg("%s: nothing of the run calls this", w->file);
	return NULL;
}

/* The same call again is the same to a participant. */
static size_t note(struct world *w, const struct command *co)
{
	const char *name;
	size_t answers = 0;

	for (size_t i = 0; i < w->n_seen; i++)
		if (w->seen[i].branch == co->branch &&
		    w->seen[i].attempt == co->attempt &&
		    w->seen[i].compensation == co->compensation)
			return i;
	name = name_of(w, co);
	for (size_t i = 0; i < w->n_seen; i++)
		answers += strcmp(w->seen[i].text, name) == 0;
	assert_in_range(w->n_seen, 0, CALLS_MAX - 1);
	w->seen[w->n_seen].branch = co->branch;
	w->seen[w->n_seen].attempt = co->attempt;
	w->seen[w->n_seen].compensation = co->compensation;
	w->seen[w->n_seen].text = name;
	w->seen[w->n_seen].answer = answers;
	return w->n_seen++;
}

static struct branch_done scripted(struct world *w, const struct val *a)
{
	struct bytes kind = a->type == JSON_OBJECT ? a->keys[0] : a->text;
	struct branch_done how = { .status = BRANCH_COMMITTED };

	if (bytes_equal(kind, BYTES("refused")))
		how.status = BRANCH_COMMIT_UNRETRYABLE;
	else if (!bytes_equal(kind, BYTES("done")))
		how.status = BRANCH_COMMIT_RETRYABLE;
	how.in_progress = bytes_equal(kind, BYTES("progress"));
	if (a->type != JSON_OBJECT)
		return how;
	if (how.status == BRANCH_COMMITTED)
		assert_int_equal(val_print(a->items[0], &w->a, &how.detail),
				 OK);
	else
		how.error_name = a->items[0]->text;
	return how;
}

static const struct val *answers_to(const struct world *w, size_t seen)
{
	return val_member(member(w->c, "answers"),
			  bytes_of(w->seen[seen].text));
}

static void answer(struct world *w)
{
	const struct command *co = &w->d->commands[w->answered++];
	size_t seen = note(w, co);
	const struct val *list = answers_to(w, seen);
	struct branch_done how = { .status = BRANCH_COMMITTED };

	assert_int_equal(co->type, COMMAND_CALL);
	if (w->seen[seen].answer < list->n) {
		const struct val *a = list->items[w->seen[seen].answer];

		if (bytes_equal(a->text, BYTES("silence")))
			return;
		how = scripted(w, a);
	}
	w->lazy_refusal |=
		!co->compensation && how.status == BRANCH_COMMIT_UNRETRYABLE;
	saga_answer(co, how);
	store(w);
}

/* ---- running ---- */

static bool operate(struct world *w)
{
	const struct val *list = member(w->c, "operator");
	enum saga_move move = MOVE_SKIP;
	struct bytes what;
	uint64_t id;

	if (w->operated >= list->n)
		return false;
	what = list->items[w->operated++]->text;
	if (bytes_equal(what, BYTES("forward")))
		move = MOVE_FORWARD;
	else if (bytes_equal(what, BYTES("compensate")))
		move = MOVE_COMPENSATE;
	id = desk_ask(w->d, (struct request){ .type = RQ_SAGA_MOVE,
					      .xid = w->xid,
					      .move = move,
					      .task = UINT32_MAX });
	store(w);
	assert_int_equal(desk_reply(w->d, id)->err, OK);
	return true;
}

static void crash(struct world *w)
{
	for (size_t i = w->answered; i < w->d->n_commands; i++) {
		const struct val *list =
			answers_to(w, note(w, &w->d->commands[i]));

		for (size_t k = 0; k < list->n; k++) {
			const struct val *a = list->items[k];
			struct bytes kind =
				a->type == JSON_OBJECT ? a->keys[0] : a->text;

			w->doubt |= !w->d->commands[i].compensation &&
				    bytes_equal(kind, BYTES("refused"));
		}
	}
	w->doubt |= w->lazy_refusal;
	w->lazy_refusal = false;
	w->answered = 0;
	assert_int_equal(desk_crash(w->d), OK);
	w->forced = w->d->forced_steps;
	connect_all(w);
	store(w);
}

static void run(struct world *w, size_t crash_at)
{
	size_t first;

	find_services(w, member(w->c, "machines"));
	connect_all(w);
	put_all(w);
	first = w->events;
	begin(w);
	for (;;) {
		uint64_t due = core_deadline(w->d->core);

		if (w->events - first == crash_at) {
			crash(w);
		} else if (is_over(w)) {
			return;
		} else if (w->answered < w->d->n_commands) {
			answer(w);
		} else if (look(w) && due != UINT64_MAX) {
			if (due > w->d->now_ms)
				w->d->now_ms = due;
			assert_int_equal(
				desk_step(w->d,
					  (struct event){ .type = EV_TIME }),
				OK);
			store(w);
		} else if (!operate(w)) {
			return;
		}
	}
}

/* ---- what must come of it ---- */

static const char *end_of(const struct world *w)
{
	const struct val *status = member(w->c, "status");

	return (const char *)status->text.data;
}

static void same_calls(struct world *w)
{
	const struct val *list = member(w->c, "calls");
	bool used[CALLS_MAX] = { false };

	if (!w->doubt && list->n != w->n_seen)
		fail_msg("%s: %zu calls, not %zu", w->file, w->n_seen, list->n);
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

static void same_status(struct world *w, const struct val *end)
{
	struct bytes is = member(end, "status")->text;

	if (!bytes_equal(is, bytes_of(end_of(w))) &&
	    !(w->doubt && bytes_equal(is, BYTES("compensated"))))
		fail_msg("%s: the end is %.*s", w->file, (int)is.len,
			 (const char *)is.data);
}

static void same_data(struct world *w, const struct val *end)
{
	const struct val *data = member(w->c, "data");
	const struct val *now = member(end, "data");

	for (size_t i = 0; i < data->n; i++)
		if (!val_equal(data->items[i], val_member(now, data->keys[i])))
			fail_msg("%s: the data is another", w->file);
}

static void check(struct world *w, bool in_time)
{
	const struct val *ms = member(w->c, "ms");
	const struct val *end =
		is_over(w)
			? parse(w, w->d->archives[w->d->n_archives - 1].detail)
			: look(w);

	assert_true(!is_over(w) || w->d->n_archives > 0);
	same_calls(w);
	if (member(w->c, "then")->type == JSON_TEXT)
		return; /* its end is that of what was left out */
	same_status(w, end);
	same_data(w, end);
	if (in_time && ms->type == JSON_NUMBER &&
	    number(ms) != w->d->now_ms - w->begun_ms)
		fail_msg("%s: it took %llu ms", w->file,
			 (unsigned long long)(w->d->now_ms - w->begun_ms));
}

static struct core_config configure(void)
{
	struct core_config config = desk_config();

	config.saga_attempts = 2;
	config.attempts_max = 3;
	config.retry_ms_first = 1000;
	config.retry_ms_max = 60000;
	return config;
}

/* How many events it had since the start; 0 if it is left out. */
static size_t run_case(const char *file, size_t crash_at)
{
	struct world *w = calloc(1, sizeof *w);
	struct core_config config = configure();
	size_t events = 0;
	char path[512];

	assert_non_null(w);
	w->file = file;
	arena_init(&w->a, &mem_heap, 0);
	snprintf(path, sizeof path, "%s/%s", SAGA_CASES, file);
	w->c = parse(w, slurp(&w->a, path));
	if (member(w->c, "then")->type != JSON_TEXT) {
		w->d = desk_new(&config, false);
		saga_desk_use(w->d);
		w->forced = w->d->forced_steps;
		run(w, crash_at);
		check(w, crash_at == 0);
		events = w->events - member(w->c, "machines")->n;
		desk_free(w->d);
	}
	arena_fini(&w->a);
	free(w);
	return events;
}

static void test_every_machine_ends_as_it_must_in_the_core(void **state)
{
	struct dirent *entry;
	size_t cases = 0, runs = 0;
	DIR *dir = opendir(SAGA_CASES);

	(void)state;
	assert_non_null(dir);
	while ((entry = readdir(dir))) {
		size_t events;

		if (!strstr(entry->d_name, ".json"))
			continue;
		events = run_case(entry->d_name, 0);
		for (size_t at = 1; at < events; at++, runs++)
			(void)run_case(entry->d_name, at);
		cases += events > 0;
	}
	closedir(dir);
	print_message("%zu machines, %zu runs with a crash\n", cases, runs);
	assert_true(cases >= 50);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			test_every_machine_ends_as_it_must_in_the_core),
	};

	return cmocka_run_group_tests_name("saga core", tests, NULL, NULL);
}
