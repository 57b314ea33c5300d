#include "base/arena.h"
#include "tc/saga/expr.h"
#include "tc/saga/saga.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/* What docs/saga.md shows is read by the coordinator's own readers. */

static char page[1 << 16];

static int read_page(void **state)
{
	FILE *f = fopen(SAGA_PAGE, "r");
	size_t n;

	(void)state;
	assert_non_null(f);
	n = fread(page, 1, sizeof page - 1, f);
	(void)fclose(f);
	assert_true(n < sizeof page - 1);
	page[n] = '\0';
	return 0;
}

/* The first indented block below a heading. */
static struct bytes block(const char *heading)
{
	const char *from = strstr(page, heading), *to;

	assert_non_null(from);
	from = strstr(from, "\n    ");
	assert_non_null(from);
	to = from;
	while (strncmp(to, "\n    ", 5) == 0) {
		to = strchr(to + 1, '\n');
		assert_non_null(to);
	}
	return (struct bytes){ (const uint8_t *)from, (size_t)(to - from) };
}

static void test_the_graph_on_the_page_runs(void **state)
{
	const struct saga_limits limits = saga_limits_default();
	const struct saga_start start = {
		.now_ms = 1,
		.input = BYTES("{\"item\":\"pen\",\"n\":3,\"price\":0.1}")
	};
	struct saga_turn turn;
	struct saga_def *def;
	struct buf why;

	(void)state;
	buf_init(&why, &mem_heap);
	if (saga_def_new(&def, &mem_heap, block("\n## Graphs\n"), NULL, &why))
		fail_msg("%s", buf_text(&why));
	saga_turn_init(&turn, &mem_heap);
	assert_int_equal(saga_begin(def, &limits, &start, &turn), OK);
	assert_int_equal(turn.n_calls, 2); /* stock and pay, at once */
	assert_true(bytes_equal(turn.calls[0].input,
				BYTES("{\"item\":\"pen\",\"n\":3}")));
	assert_true(bytes_equal(turn.calls[1].input, BYTES("{\"sum\":0.3}")));
	saga_turn_fini(&turn);
	saga_def_free(def);
	buf_fini(&why);
}

/* It stands in a run that goes on with this answer of task `task`. */
static void answer(const struct saga_def *def, struct saga_turn *turn,
		   uint32_t task, enum saga_answer what, struct bytes output,
		   struct bytes error)
{
	const struct saga_limits limits = saga_limits_default();
	const struct saga_event e = { .type = SAGA_EV_ANSWER,
				      .now_ms = 2,
				      .task = task,
				      .attempt = 1,
				      .answer = what,
				      .output = output,
				      .error = error };
	char *state = mem_text(&mem_heap, turn->state);
	int rc = saga_step(
		def, &limits,
		(struct bytes){ (const uint8_t *)state, turn->state.len }, &e,
		turn);

	mem_free(&mem_heap, state);
	assert_int_equal(rc, OK);
}

static void test_the_machine_on_the_page_runs(void **state)
{
	const struct saga_limits limits = saga_limits_default();
	const struct saga_start start = { .now_ms = 1,
					  .business_key = BYTES("order-1"),
					  .input = BYTES("{\"n\":3}") };
	const struct bytes none = { 0 };
	struct saga_turn turn;
	struct saga_def *def;
	struct buf why;

	(void)state;
	buf_init(&why, &mem_heap);
	if (saga_def_new(&def, &mem_heap, block("\n## State machines\n"), NULL,
			 &why))
		fail_msg("%s", buf_text(&why));
	saga_turn_init(&turn, &mem_heap);
	/* sold */
	assert_int_equal(saga_begin(def, &limits, &start, &turn), OK);
	assert_int_equal(turn.n_calls, 1);
	assert_true(bytes_equal(turn.calls[0].input,
				BYTES("[{\"order\":\"order-1\",\"n\":3}]")));
	answer(def, &turn, 0, SAGA_DONE, BYTES("{\"ok\":true,\"price\":0.1}"),
	       none);
	assert_int_equal(turn.n_calls, 1);
	assert_true(
		bytes_equal(turn.calls[0].input,
			    BYTES("[{\"order\":\"order-1\",\"sum\":0.3}]")));
	answer(def, &turn, turn.calls[0].task, SAGA_DONE, none, none);
	assert_int_equal(turn.status, SAGA_SUCCEEDED);
	/* the stock says no */
	assert_int_equal(saga_begin(def, &limits, &start, &turn), OK);
	answer(def, &turn, 0, SAGA_DONE, BYTES("{\"ok\":false}"), none);
	assert_int_equal(turn.status, SAGA_FAILED);
	assert_true(bytes_equal(turn.error, BYTES("sold_out")));
	/* the bank says no: what was reserved is released */
	assert_int_equal(saga_begin(def, &limits, &start, &turn), OK);
	answer(def, &turn, 0, SAGA_DONE, BYTES("{\"ok\":true,\"price\":1}"),
	       none);
	answer(def, &turn, turn.calls[0].task, SAGA_REFUSED, none,
	       BYTES("NoMoney"));
	assert_int_equal(turn.n_calls, 1);
	assert_true(bytes_equal(turn.calls[0].method, BYTES("release")));
	answer(def, &turn, turn.calls[0].task, SAGA_DONE, none, none);
	assert_int_equal(turn.status, SAGA_COMPENSATED);
	assert_true(bytes_equal(turn.error, BYTES("not_paid")));
	saga_turn_fini(&turn);
	saga_def_free(def);
	buf_fini(&why);
}

static void compiles(struct bytes source)
{
	const struct expr *e;
	struct expr_error why;
	struct arena a;

	arena_init(&a, &mem_heap, 0);
	if (expr_compile(&a, source, &e, &why) != OK)
		fail_msg("%.*s: at %zu: %s", (int)source.len,
			 (const char *)source.data, why.at, why.what);
	arena_fini(&a);
}

/* Those in the block are apart by several blanks. */
static void test_the_expressions_on_the_page_are_right(void **state)
{
	struct bytes b = block("\n## Data and expressions\n");
	size_t n = 0;

	(void)state;
	for (size_t i = 0, at = 0; i <= b.len; i++) {
		bool end = i == b.len || b.data[i] == '\n' ||
			   (b.data[i] == ' ' && i + 1 < b.len &&
			    b.data[i + 1] == ' ');

		if (!end)
			continue;
		while (at < i && (b.data[at] == ' ' || b.data[at] == '\n'))
			at++;
		if (at < i) {
			compiles((struct bytes){ b.data + at, i - at });
			n++;
		}
		at = i;
	}
	assert_in_range(n, 7, 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_graph_on_the_page_runs),
		cmocka_unit_test(test_the_machine_on_the_page_runs),
		cmocka_unit_test(test_the_expressions_on_the_page_are_right),
	};

	return cmocka_run_group_tests(tests, read_page, NULL);
}
