#include "rm-agent/saga/graph.h"
#include "tc/saga/saga.h"
#include "tests/fakes/flaky.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

/* Graphs written in C: what they look like, that the coordinator's own reader
 * takes them, and what is refused before it is asked. */

#define STEP(...)                                                              \
	&(struct treaty_saga_step)                                             \
	{                                                                      \
		.size = sizeof(struct treaty_saga_step), __VA_ARGS__           \
	}

static void assert_says(const char *part)
{
	if (!strstr(treaty_last_error(), part))
		fail_msg("\"%s\" does not say \"%s\"", treaty_last_error(),
			 part);
}

/* What the coordinator says to it; freed by saga_def_free(). */
static struct saga_def *read_back(const char *json)
{
	struct saga_def *def = NULL;
	struct buf why;

	buf_init(&why, &mem_heap);
	if (saga_def_new(&def, &mem_heap, bytes_of(json), NULL, &why) != OK)
		fail_msg("%s\n%s", buf_text(&why), json);
	buf_fini(&why);
	return def;
}

static void want(struct treaty_saga_graph *g, const char *expected)
{
	const char *json;

	if (treaty_saga_graph_json(g, &json) != TREATY_OK)
		fail_msg("%s", treaty_last_error());
	assert_string_equal(json, expected);
	saga_def_free(read_back(json));
}

/* ---- what it looks like ---- */

static void test_a_chain_says_only_what_was_given(void **state)
{
	struct treaty_saga_graph *g = treaty_saga_graph_new("g", NULL);

	(void)state;
	treaty_saga_graph_step(g, STEP(.name = "a", .action = "stock"));
	treaty_saga_graph_step(
		g, STEP(.name = "b", .action = "bank", .compensation = "bank"));
	want(g, "{\"name\":\"g\",\"steps\":["
		"{\"name\":\"a\",\"action\":\"stock\"},"
		"{\"name\":\"b\",\"action\":\"bank\",\"compensation\":"
		"\"bank\"}]}");
	treaty_saga_graph_free(g);
}

static void test_everything_given_is_in_it(void **state)
{
	const struct treaty_saga_retry all = { .interval_ms = 100,
					       .rate_permille = 1500,
					       .ceiling_ms = 5000,
					       .attempts = 3 };
	const struct treaty_saga_retry ever = { .rate_permille = 1000,
						.attempts =
							TREATY_SAGA_FOREVER };
	static const char *const after[] = { "c", "a" };
	struct treaty_saga_graph *g = treaty_saga_graph_new("g", "7");

	(void)state;
	treaty_saga_graph_deadline(g, 60000);
	treaty_saga_graph_retry(g, &ever);
	treaty_saga_graph_step(g, STEP(.name = "a", .action = "x",
				       .compensation = "y",
				       .input = "{\"n\":\"$.[n]\"}",
				       .compensation_input = "[1, 2]",
				       .timeout_ms = 250, .retry = &all));
	treaty_saga_graph_step(g, STEP(.name = "b", .action = "x",
				       .after = after, .n_after = 2));
	treaty_saga_graph_step(g, STEP(.name = "c", .action = "x",
				       .after = after, .n_after = 0));
	want(g, "{\"name\":\"g\",\"version\":\"7\",\"deadline_ms\":60000,"
		"\"retry\":{\"rate\":1.000,\"attempts\":0},\"steps\":["
		"{\"name\":\"a\",\"action\":\"x\",\"compensation\":\"y\","
		"\"input\":{\"n\":\"$.[n]\"},\"compensation_input\":[1, 2],"
		"\"timeout_ms\":250,\"retry\":{\"interval_ms\":100,"
		"\"rate\":1.500,\"ceiling_ms\":5000,\"attempts\":3}},"
		"{\"name\":\"b\",\"action\":\"x\",\"after\":[\"c\",\"a\"]},"
		"{\"name\":\"c\",\"action\":\"x\",\"after\":[]}]}");
	treaty_saga_graph_free(g);
}

static void test_forward_recovery_is_said(void **state)
{
	struct treaty_saga_graph *g = treaty_saga_graph_new("g", "");

	(void)state;
	treaty_saga_graph_recover_forward(g);
	treaty_saga_graph_step(g, STEP(.name = "a", .action = "x"));
	want(g, "{\"name\":\"g\",\"recovery\":\"forward\",\"steps\":["
		"{\"name\":\"a\",\"action\":\"x\"}]}");
	treaty_saga_graph_free(g);
}

static void test_texts_are_escaped(void **state)
{
	static const char *const after[] = { "a\"\\\n\x01", "\xc3\xa4" };
	struct treaty_saga_graph *g = treaty_saga_graph_new("\"g\"\t", "\\");

	(void)state;
	treaty_saga_graph_step(
		g, STEP(.name = "a\"\\\n\x01", .action = "\"", .after = after));
	treaty_saga_graph_step(g, STEP(.name = "\xc3\xa4", .action = "\x7f"));
	treaty_saga_graph_step(g, STEP(.name = "c", .action = "x",
				       .after = after, .n_after = 2));
	want(g, "{\"name\":\"\\\"g\\\"\\t\",\"version\":\"\\\\\",\"steps\":["
		"{\"name\":\"a\\\"\\\\\\n\\u0001\",\"action\":\"\\\"\","
		"\"after\":[]},"
		"{\"name\":\"\xc3\xa4\",\"action\":\"\\u007f\"},"
		"{\"name\":\"c\",\"action\":\"x\",\"after\":["
		"\"a\\\"\\\\\\n\\u0001\",\"\xc3\xa4\"]}]}");
	treaty_saga_graph_free(g);
}

static void test_a_url_may_be_long(void **state)
{
	struct treaty_saga_graph *g = treaty_saga_graph_new("g", NULL);
	static char url[2049];
	const char *json;

	(void)state;
	memset(url, 'u', 2048);
	treaty_saga_graph_step(
		g, STEP(.name = "a", .action = url, .compensation = url));
	assert_int_equal(treaty_saga_graph_json(g, &json), TREATY_OK);
	saga_def_free(read_back(json));
	treaty_saga_graph_free(g);
}

static void test_a_document_may_be_asked_for_again_and_again(void **state)
{
	struct treaty_saga_graph *g = treaty_saga_graph_new("g", NULL);
	static const char *const after[] = { "b" };
	const char *json;

	(void)state;
	assert_int_equal(treaty_saga_graph_json(g, &json), TREATY_E_INVALID);
	assert_says("graph g: it has no step");
	treaty_saga_graph_step(g, STEP(.name = "a", .action = "x",
				       .after = after, .n_after = 1));
	assert_int_equal(treaty_saga_graph_json(g, &json), TREATY_E_INVALID);
	assert_says("graph g: step a: no step is called b");
	treaty_saga_graph_step(g, STEP(.name = "b", .action = "x",
				       .after = after, .n_after = 0));
	for (int i = 0; i < 2; i++)
		want(g, "{\"name\":\"g\",\"steps\":["
			"{\"name\":\"a\",\"action\":\"x\",\"after\":[\"b\"]},"
			"{\"name\":\"b\",\"action\":\"x\",\"after\":[]}]}");
	treaty_saga_graph_free(g);
}

/* ---- it does what it says ---- */

static void test_what_may_run_at_once_is_called_at_once(void **state)
{
	static const char *const both[] = { "a", "b" };
	struct saga_limits limits = saga_limits_default();
	struct saga_start start = { .now_ms = 1 };
	struct treaty_saga_graph *g = treaty_saga_graph_new("g", NULL);
	struct saga_turn turn;
	struct saga_def *def;
	const char *json;

	(void)state;
	treaty_saga_graph_step(g, STEP(.name = "a", .action = "x"));
	treaty_saga_graph_step(g, STEP(.name = "b", .action = "y",
				       .after = both, .n_after = 0));
	treaty_saga_graph_step(g, STEP(.name = "c", .action = "z",
				       .after = both, .n_after = 2));
	assert_int_equal(treaty_saga_graph_json(g, &json), TREATY_OK);
	def = read_back(json);
	saga_turn_init(&turn, &mem_heap);
	assert_int_equal(saga_begin(def, &limits, &start, &turn), OK);
	assert_int_equal(turn.n_calls, 2);
	assert_true(bytes_equal(turn.calls[0].service, BYTES("x")));
	assert_true(bytes_equal(turn.calls[1].service, BYTES("y")));
	saga_turn_fini(&turn);
	saga_def_free(def);
	treaty_saga_graph_free(g);
}

/* ---- what is refused ---- */

static void refused(const struct treaty_saga_step *step, const char *why)
{
	struct treaty_saga_graph *g = treaty_saga_graph_new("g", NULL);
	const char *json = "untouched";

	treaty_saga_graph_step(g, STEP(.name = "first", .action = "x"));
	treaty_saga_graph_step(g, step);
	/* it sticks, and the first one is told */
	treaty_saga_graph_step(g, STEP(.name = "first", .action = "x"));
	for (int i = 0; i < 2; i++) {
		assert_int_equal(treaty_saga_graph_json(g, &json),
				 TREATY_E_INVALID);
		assert_says(why);
	}
	assert_string_equal(json, "untouched");
	treaty_saga_graph_free(g);
}

static void test_a_step_that_makes_no_sense_is_named(void **state)
{
	static const struct treaty_saga_retry shrinks = { .rate_permille =
								  999 };
	static char name[257], url[2050];

	(void)state;
	memset(name, 'n', 256);
	memset(url, 'u', 2049);
	refused(STEP(.action = "x"), "graph g: the name of a step is missing");
	refused(STEP(.name = "\xff", .action = "x"), "is not UTF-8");
	refused(STEP(.name = name, .action = "x"), "longer than 255");
	refused(STEP(.name = "s"), "step s: its action is missing");
	refused(STEP(.name = "s", .action = url), "its action is longer");
	refused(STEP(.name = "s", .action = "\xff"), "its action is not UTF-8");
	refused(STEP(.name = "s", .action = "x", .compensation = ""),
		"step s: its compensation is missing");
	refused(STEP(.name = "s", .action = "x", .compensation_input = "1"),
		"step s: there is no compensation for");
	refused(STEP(.name = "s", .action = "x", .input = "{\"a\":}"),
		"step s: its input is not one JSON value in UTF-8: {\"a\":}");
	refused(STEP(.name = "s", .action = "x", .input = ""),
		"step s: its input is not");
	refused(STEP(.name = "s", .action = "x", .compensation = "x",
		     .compensation_input = "\"\xff\""),
		"step s: its compensation_input is not");
	refused(STEP(.name = "s", .action = "x", .retry = &shrinks),
		"rate_permille is at least 1000, not 999");
	refused(STEP(.name = "first", .action = "x"), "two steps first");
	refused(&(struct treaty_saga_step){ .name = "s", .action = "x" },
		"a step's size is not set");
}

static void refused_whole(struct treaty_saga_graph *g, const char *why)
{
	const char *json;

	treaty_saga_graph_step(g, STEP(.name = "a", .action = "x"));
	assert_int_equal(treaty_saga_graph_json(g, &json), TREATY_E_INVALID);
	assert_says(why);
	treaty_saga_graph_free(g);
}

static void test_a_graph_that_makes_no_sense_is_refused(void **state)
{
	static const struct treaty_saga_retry shrinks = { .rate_permille = 1 };
	struct treaty_saga_graph *g;
	static char deep[200];

	(void)state;
	refused_whole(treaty_saga_graph_new(NULL, NULL), "its name is missing");
	refused_whole(treaty_saga_graph_new("\xc3", NULL), "not UTF-8");
	refused_whole(treaty_saga_graph_new("g", "\xc3"), "its version is not");
	g = treaty_saga_graph_new("g", NULL);
	treaty_saga_graph_retry(g, &shrinks);
	refused_whole(g, "rate_permille");
	g = treaty_saga_graph_new("g", NULL);
	treaty_saga_graph_recover_forward(g);
	treaty_saga_graph_deadline(g, 1);
	refused_whole(g, "recovery forward has no deadline");
	/* valid by itself, too deep inside the document */
	memset(deep, '[', 63);
	memset(deep + 63, ']', 63);
	g = treaty_saga_graph_new("g", NULL);
	treaty_saga_graph_step(g,
			       STEP(.name = "d", .action = "x", .input = deep));
	refused_whole(g, "nested too deeply");
}

static void test_of_several_faults_the_first_is_told(void **state)
{
	static const char *const after[] = { "x", "y" };
	struct treaty_saga_graph *g = treaty_saga_graph_new("g", NULL);
	const char *json;

	(void)state;
	treaty_saga_graph_step(g, STEP(.name = "a", .action = "x",
				       .after = after, .n_after = 2));
	assert_int_equal(treaty_saga_graph_json(g, &json), TREATY_E_INVALID);
	assert_string_equal(treaty_last_error(),
			    "graph g: step a: no step is called x");
	treaty_saga_graph_free(g);
}

static void test_a_graph_that_is_not_there_is_out_of_memory(void **state)
{
	const struct treaty_saga_retry r = { .attempts = 1 };
	const char *json;

	(void)state;
	treaty_saga_graph_step(NULL, STEP(.name = "a", .action = "x"));
	treaty_saga_graph_retry(NULL, &r);
	treaty_saga_graph_deadline(NULL, 1);
	treaty_saga_graph_recover_forward(NULL);
	treaty_saga_graph_free(NULL);
	assert_int_equal(treaty_saga_graph_json(NULL, &json), TREATY_E_NOMEM);
}

/* ---- every allocation fails once ---- */

static int build(const struct mem *mem)
{
	static const struct treaty_saga_retry r = { .rate_permille = 1500 };
	struct treaty_saga_graph *g = graph_new(mem, "graph", "1");
	static const char *const after[] = { "step 0" };
	static char input[400];
	const char *json;
	int rc;

	memset(input, ' ', sizeof input - 2);
	input[0] = '7';
	treaty_saga_graph_retry(g, &r);
	for (int i = 0; i < 30; i++) {
		char name[] = "step 0";

		name[5] = (char)('0' + i);
		treaty_saga_graph_step(
			g, STEP(.name = name, .action = "x", .input = input,
				.retry = &r, .after = after, .n_after = i > 0));
	}
	rc = treaty_saga_graph_json(g, &json);
	if (rc == TREATY_OK)
		saga_def_free(read_back(json));
	treaty_saga_graph_free(g);
	return rc;
}

static void test_out_of_memory_is_told_and_leaves_no_trace(void **state)
{
	int rc = TREATY_E_NOMEM;

	(void)state;
	for (long n = 0; rc != TREATY_OK; n++) {
		struct flaky f;

		assert_true(n < 1000);
		flaky_init(&f, n);
		rc = build(&f.mem);
		assert_true(rc == TREATY_OK || rc == TREATY_E_NOMEM);
		assert_int_equal(f.live, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_chain_says_only_what_was_given),
		cmocka_unit_test(test_everything_given_is_in_it),
		cmocka_unit_test(test_forward_recovery_is_said),
		cmocka_unit_test(test_texts_are_escaped),
		cmocka_unit_test(test_a_url_may_be_long),
		cmocka_unit_test(
			test_a_document_may_be_asked_for_again_and_again),
		cmocka_unit_test(test_what_may_run_at_once_is_called_at_once),
		cmocka_unit_test(test_a_step_that_makes_no_sense_is_named),
		cmocka_unit_test(test_a_graph_that_makes_no_sense_is_refused),
		cmocka_unit_test(test_of_several_faults_the_first_is_told),
		cmocka_unit_test(
			test_a_graph_that_is_not_there_is_out_of_memory),
		cmocka_unit_test(
			test_out_of_memory_is_told_and_leaves_no_trace),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
