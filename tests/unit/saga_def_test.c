/* What a definition must not be, each with its path and its reason. */

#include "base/hash.h"
#include "tc/saga/saga.h"
#include "tests/fakes/flaky.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static const char *const machine_head =
	"{\"Name\":\"m\",\"Version\":\"1\",\"StartState\":\"A\",\"States\":{";

static const struct saga_def *find(void *ctx, struct bytes name)
{
	const struct saga_def *def = ctx;

	return def && bytes_equal(saga_def_name(def), name) ? def : NULL;
}

static void says(const char *json, struct saga_def *sub, const char *expected)
{
	struct saga_lookup lookup = { find, sub };
	struct saga_def *def = NULL;
	struct buf why;
	int rc;

	buf_init(&why, &mem_heap);
	rc = saga_def_new(&def, &mem_heap, bytes_of(json), &lookup, &why);
	if (rc == OK && !expected) {
		saga_def_free(def);
	} else if (rc != (expected ? E_INVALID : OK) ||
		   !strstr(buf_text(&why), expected ? expected : "")) {
		fail_msg("%s\n%s: '%s'", json, err_name(rc), buf_text(&why));
	}
	buf_fini(&why);
}

/* Of a machine with these states. */
static void machine_says(const char *states, const char *expected)
{
	struct buf json;

	buf_init(&json, &mem_heap);
	buf_put_text(&json, machine_head);
	for (; *states; states++)
		buf_put_char(&json, (char)(*states == '\'' ? '"' : *states));
	buf_put_text(&json, "}}");
	says(buf_text(&json), NULL, expected);
	buf_fini(&json);
}

static void graph_says(const char *inside, const char *expected)
{
	struct buf json;

	buf_init(&json, &mem_heap);
	buf_put_text(&json, "{\"name\":\"g\",");
	for (; *inside; inside++)
		buf_put_char(&json, (char)(*inside == '\'' ? '"' : *inside));
	buf_put_char(&json, '}');
	says(buf_text(&json), NULL, expected);
	buf_fini(&json);
}

#define SERVICE "'Type':'ServiceTask','ServiceName':'s','ServiceMethod':'m'"

static void test_documents(void **state)
{
	(void)state;
	says("", NULL, "$: this is not JSON");
	says("[]", NULL, "$: an object");
	says("{}", NULL, "$.Name: this key is missing");
	says("{\"Name\":\"m\"}", NULL, "$.States: this key is missing");
	says("{\"Name\":\"m\",\"Nmae\":1}", NULL, "$.Nmae: this key is not");
	says("{\"Name\":3,\"States\":{}}", NULL, "$.Name: this must be a text");
	says("{\"Name\":\"m\",\"Name\":\"m\"}", NULL,
	     "$.Name: this key stands");
	says("{\"Name\":\"m\",\"StartState\":\"A\",\"States\":{}}", NULL,
	     "$.StartState: no state is called 'A'");
	says("{\"Name\":\"m\",\"RecoverStrategy\":\"Up\",\"States\":{}}", NULL,
	     "$.RecoverStrategy: this must be");
	says("{\"Name\":\"m\",\"RecoverStrategy\":\"Forward\","
	     "\"DeadlineSeconds\":1,\"States\":{}}",
	     NULL, "$.DeadlineSeconds: recovery forward");
}

static void test_states(void **state)
{
	(void)state;
	machine_says("'A':{" SERVICE "}", NULL);
	machine_says("'A':3", "$.States.A: an object");
	machine_says("'A':{}", "$.States.A.Type: this key is missing");
	machine_says("'A':{'Type':'Parallel'}", "$.States.A.Type: there is no");
	machine_says("'A':{'Type':'ServiceTask','ServiceName':'s'}",
		     "$.States.A.ServiceMethod: this key is missing");
	machine_says("'A':{" SERVICE ",'next':'B'}",
		     "$.States.A.next: this key is not known");
	machine_says("'A':{" SERVICE ",'Next':'B'}",
		     "$.States.A.Next: no state is called 'B'");
	machine_says("'A':{" SERVICE "},'A':{" SERVICE "}", "stands twice");
	machine_says("'A':{" SERVICE ",'Input':{}}",
		     "$.States.A.Input: this must be an array");
	machine_says("'A':{" SERVICE ",'Input':[{'x':['$.[a']}]}",
		     "$.States.A.Input[0].x[0]: at 4: ] is expected");
	machine_says("'A':{" SERVICE ",'Input':['$Sequence.KEY']}",
		     "$.States.A.Input[0]: a text that begins with $");
	machine_says("'A':{" SERVICE ",'Output':{'x':'$.'}}",
		     "$.States.A.Output.x: at 2: a value");
	machine_says("'A':{" SERVICE ",'Status':{'#root':'OK'}}",
		     "$.States.A.Status.#root: this must be SU");
	machine_says("'A':{" SERVICE ",'Status':{'#rot':'SU'}}",
		     "$.States.A.Status.#rot: at 0: a value");
	machine_says("'A':{" SERVICE ",'Retry':[{'MaxAttempts':1.5}]}",
		     "$.States.A.Retry[0].MaxAttempts: this must be an int");
	machine_says("'A':{" SERVICE ",'Retry':[{'IntervalSeconds':-1}]}",
		     "$.States.A.Retry[0].IntervalSeconds: this number is out");
	machine_says("'A':{" SERVICE ",'Retry':[{'MaxAttempts':4294967296}]}",
		     "$.States.A.Retry[0].MaxAttempts: this number is out");
	machine_says("'A':{" SERVICE ",'Retry':[{'BackoffRate':0.5}]}",
		     "$.States.A.Retry[0]: BackoffRate");
	machine_says("'A':{" SERVICE ",'Catch':[{'Next':'A'}]}",
		     "$.States.A.Catch[0].Exceptions: this key is missing");
	machine_says("'A':{" SERVICE ",'IsAsync':true,'Catch':"
		     "[{'Exceptions':['*'],'Next':'A'}]}",
		     "$.States.A.Catch: an asynchronous");
	machine_says("'A':{" SERVICE ",'Loop':{'Parallel':2}}",
		     "$.States.A.Loop.Collection: this key is missing");
	machine_says("'A':{" SERVICE ",'Loop':{'Parallel':0,'Collection':'x'}}",
		     "$.States.A.Loop: Parallel");
	machine_says("'A':{'Type':'ScriptTask','ScriptType':'groovy',"
		     "'ScriptContent':'1'}",
		     "$.States.A.ScriptType: scripts are");
	machine_says("'A':{'Type':'Choice'}", "$.States.A.Choices: this key");
	machine_says("'A':{'Type':'Choice','Choices':[{'Expression':'1 ==',"
		     "'Next':'A'}]}",
		     "$.States.A.Choices[0].Expression: at 4: a value");
}

static void test_the_whole(void **state)
{
	(void)state;
	machine_says("'A':{" SERVICE "},'B':{" SERVICE "}",
		     "$.States.B: nothing leads here");
	machine_says("'A':{" SERVICE ",'Next':'B'},'B':{" SERVICE
		     ",'Next':'A'}",
		     "$.States.A: an endless loop");
	machine_says("'A':{'Type':'Choice','Choices':[{'Expression':'[a]',"
		     "'Next':'B'}],'Default':'A'},'B':{'Type':'Choice',"
		     "'Choices':[],'Default':'A'}",
		     "$.States.A: an endless loop");
	/* A loop with a way out is a loop that polls. */
	machine_says("'A':{" SERVICE ",'Next':'B'},'B':{'Type':'Choice',"
		     "'Choices':[{'Expression':'[ok]','Next':'C'}],"
		     "'Default':'A'},'C':{'Type':'Succeed'}",
		     NULL);
	machine_says("'A':{" SERVICE ",'CompensateState':'B'},"
		     "'B':{'Type':'Succeed'}",
		     "$.States.A.CompensateState: this must be");
	machine_says("'A':{" SERVICE ",'CompensateState':'B'},"
		     "'B':{'Type':'CompensateSubMachine'}",
		     "$.States.A.CompensateState: only a SubStateMachine");
	machine_says("'A':{" SERVICE ",'CompensateState':'B','Next':'B'},"
		     "'B':{" SERVICE "}",
		     "$.States.A: a compensation cannot be entered");
	machine_says("'A':{" SERVICE ",'CompensateState':'B'},"
		     "'B':{" SERVICE ",'Next':'C'},'C':{'Type':'Succeed'}",
		     "$.States.A.CompensateState: a compensation has no Next");
}

static void test_sub_machines(void **state)
{
	static const char *const outer =
		"{\"Name\":\"m\",\"StartState\":\"A\",\"States\":{\"A\":{"
		"\"Type\":\"SubStateMachine\",\"StateMachineName\":\"%\"}}}";
	struct saga_lookup lookup = { find, NULL };
	struct saga_def *part, *again;
	struct buf json, why;

	(void)state;
	buf_init(&json, &mem_heap);
	buf_init(&why, &mem_heap);
	says(outer, NULL, "$.States.A.StateMachineName: no machine is called");
	says("{\"Name\":\"m\",\"StartState\":\"A\",\"States\":{\"A\":{"
	     "\"Type\":\"SubStateMachine\",\"StateMachineName\":\"m\"}}}",
	     NULL, "$.States.A.StateMachineName: a machine cannot contain");
	/* m in an older version is part of p; m now wants p. */
	assert_int_equal(
		saga_def_new(
			&part, &mem_heap,
			BYTES("{\"Name\":\"m\",\"StartState\":\"A\","
			      "\"States\":{\"A\":{\"Type\":\"Succeed\"}}}"),
			NULL, &why),
		OK);
	lookup.ctx = part;
	assert_int_equal(
		saga_def_new(&again, &mem_heap,
			     BYTES("{\"Name\":\"p\",\"StartState\":\"A\","
				   "\"States\":{\"A\":{\"Type\":"
				   "\"SubStateMachine\",\"StateMachineName\":"
				   "\"m\"}}}"),
			     &lookup, &why),
		OK);
	says("{\"Name\":\"m\",\"StartState\":\"A\",\"States\":{\"A\":{"
	     "\"Type\":\"SubStateMachine\",\"StateMachineName\":\"p\"}}}",
	     again, "'p' contains this machine");
	saga_def_free(again);
	saga_def_free(part);
	buf_fini(&why);
	buf_fini(&json);
}

static void test_graphs(void **state)
{
	(void)state;
	graph_says("'steps':[{'name':'a','action':'x'}]", NULL);
	graph_says("'steps':{}", "$.steps: this must be an array");
	graph_says("'steps':[]", "$.steps: there must be a step");
	graph_says("'steps':[{'action':'x'}]", "$.steps[0].name: this key");
	graph_says("'steps':[{'name':'a'}]", "$.steps[0].action: this key");
	graph_says("'steps':[{'name':'a','action':'x','then':'b'}]",
		   "$.steps[0].then: this key is not known");
	graph_says("'steps':[{'name':'a','action':'x'},"
		   "{'name':'a','action':'x'}]",
		   "$.steps[1]: there are two steps 'a'");
	graph_says("'steps':[{'name':'a','action':'x','after':['b']}]",
		   "$.steps[0].after[0]: no step is called 'b'");
	graph_says("'steps':[{'name':'a','action':'x','after':['b']},"
		   "{'name':'b','action':'x','after':['a']}]",
		   "$.steps[0]: this step waits for itself");
	graph_says("'recovery':'up','steps':[{'name':'a','action':'x'}]",
		   "$.recovery: this must be forward or backward");
	graph_says("'retry':{'rate':0},'steps':[{'name':'a','action':'x'}]",
		   "$.retry: rate is at least 1");
	graph_says("'steps':[{'name':'a','action':'x',"
		   "'compensation_input':1}]",
		   "$.steps[0].compensation_input: there is no compensation");
}

/* Whatever is damaged, the answer is a reason, or a machine that was right. */
static void test_damaged_definitions_are_refused_or_harmless(void **state)
{
	static const char whole[] =
		"{\"Name\":\"m\",\"StartState\":\"A\",\"States\":{\"A\":{"
		"\"Type\":\"ServiceTask\",\"ServiceName\":\"s\","
		"\"ServiceMethod\":\"m\",\"Input\":[{\"a\":\"$.[x] + 1\"}],"
		"\"Output\":{\"o\":\"$.#root\"},\"Loop\":{\"Collection\":"
		"\"[l]\"},\"Retry\":[{\"MaxAttempts\":2}],\"Next\":\"B\","
		"\"CompensateState\":\"C\"},\"C\":{\"Type\":\"ServiceTask\","
		"\"ServiceName\":\"s\",\"ServiceMethod\":\"u\"},\"B\":{"
		"\"Type\":\"Choice\",\"Choices\":[{\"Expression\":\"[a]\","
		"\"Next\":\"D\"}],\"Default\":\"D\"},\"D\":{\"Type\":"
		"\"Succeed\"}}}";
	static const char wild[] = "{}[]\",:$AB 0-.#eN";
	uint64_t seed = 11;
	size_t good = 0;

	(void)state;
	for (int i = 0; i < 40000; i++) {
		char text[sizeof whole];
		struct saga_def *def;
		struct buf why;
		int rc;

		memcpy(text, whole, sizeof whole);
		text[random_next(&seed) % (sizeof whole - 1)] =
			wild[random_next(&seed) % (sizeof wild - 1)];
		buf_init(&why, &mem_heap);
		rc = saga_def_new(&def, &mem_heap, bytes_of(text), NULL, &why);
		if (rc == OK) {
			saga_def_free(def);
			good++;
		} else {
			assert_int_equal(rc, E_INVALID);
			assert_true(why.len > 3);
		}
		buf_fini(&why);
	}
	assert_in_range(good, 100, 20000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_documents),
		cmocka_unit_test(test_states),
		cmocka_unit_test(test_the_whole),
		cmocka_unit_test(test_sub_machines),
		cmocka_unit_test(test_graphs),
		cmocka_unit_test(
			test_damaged_definitions_are_refused_or_harmless),
	};

	return cmocka_run_group_tests_name("saga_def", tests, NULL, NULL);
}
