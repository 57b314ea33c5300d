#include "tests/fakes/cli_server.h"

/*
 * treaty saga, machine, message, topic.
 */

static void fill_gtx(void)
{
	world.gtx[0] = (struct gtx_view){
		.number = 7,
		.kind = KIND_SAGA,
		.status = GTX_COMMIT_FAILED,
		.name = BYTES("buy"),
		.machine = BYTES("buy"),
		.version = BYTES("1.0"),
		.business_key = BYTES("o-7\033[31m"),
		.age_ms = 850,
		.timeout_ms = 60000,
		.next_due_ms = UINT64_MAX,
		.last_error = BYTES("sold_out: no apples"),
	};
	world.gtx[1] = (struct gtx_view){
		.number = 9,
		.kind = KIND_MESSAGE,
		.status = GTX_COMMIT_FAILED,
		.name = BYTES("order paid"),
		.application = BYTES("shop"),
		.check = BYTES("http://shop:80"),
		.age_ms = 2000,
		.n_branches = 1,
		.next_due_ms = UINT64_MAX,
	};
	world.n_gtx = 2;
	world.branches[0] = (struct branch_view){
		.id = 20,
		.mode = MODE_MSG,
		.status = BRANCH_STOP_RETRY,
		.resource = BYTES("http://stock:80"),
		.topic = BYTES("orders"),
		.attempts = 4,
		.next_due_ms = UINT64_MAX,
		.last_error = BYTES("503"),
	};
	world.n_branches = 1;
}

static int setup(void **state)
{
	static const char *const versions[] = { "1.0", "2.0" };

	(void)state;
	find_program();
	world = (struct world){ .now_ms = 5000, .state = HOST_READY };
	fill_gtx();
	for (size_t i = 0; i < 2; i++)
		world.machines[i] = (struct machine_view){
			.name = BYTES("buy"),
			.version = bytes_of(versions[i]),
			.document = BYTES("{\"Name\":\"b\\u001b\",\"a\":[1,"
					  "\"x\\ty\"]}"),
			.added_wall_ms = 1000,
			.n_runs = i,
		};
	world.n_machines = 2;
	world.topics[0] = (struct topic_view){
		.topic = BYTES("orders"),
		.subscriber = BYTES("stock"),
		.resource = BYTES("http://stock:80"),
		.participant = BYTES("{\"commit\":\"http://stock/in\"}"),
	};
	world.topics[1] = (struct topic_view){
		.topic = BYTES("orders"),
		.subscriber = BYTES("mail"),
		.resource = BYTES("msg:mail"),
	};
	world.n_topics = 2;
	t.reply = (struct reply){ .err = OK,
				  .status = GTX_BEGIN,
				  .xid = BYTES("10.0.0.1:8091:7"),
				  .name = BYTES("buy"),
				  .version = BYTES("2.0") };
	start_server();
	return 0;
}

#define EXPECT_ASKED(w, rq)                                                    \
	do {                                                                   \
		assert_true(noted(&(w)));                                      \
		assert_int_equal((w).request.type, rq);                        \
	} while (0)

/* ---- sagas ---- */

static void test_sagas_are_listed(void **state)
{
	(void)state;
	EXPECT(0, "saga list");
	assert_string_equal(
		t.out,
		"XID              STATUS        AGE    NEXT  MACHINE  VERSION  "
		"KEY          LAST ERROR\n"
		"10.0.0.1:8091:7  CommitFailed  850ms  -     buy      1.0      "
		"o-7\\x1b[31m  sold_out: no apples\n");
	EXPECT(0, "saga list -q");
	assert_string_equal(t.out, "10.0.0.1:8091:7\n");
	EXPECT(0, "saga list --finished");
	assert_string_equal(t.out, "no finished sagas\n");
	EXPECT(2, "saga list --min-age 5");
}

static void test_a_saga_is_shown_with_its_path(void **state)
{
	(void)state;
	t.reply.detail = BYTES(
		"{\"data\":{\"n\":1,\"t\":\"\\u001b\"},\"path\":["
		"{\"task\":0,\"machine\":\"buy\",\"state\":\"take\","
		"\"is\":\"done\",\"attempts\":1},"
		"{\"task\":1,\"machine\":\"buy\",\"state\":\"pay\","
		"\"is\":\"refused\",\"attempts\":3,\"error\":\"short\","
		"\"message\":\"no money\"},"
		"{\"task\":2,\"state\":\"back\",\"of\":0,\"is\":\"running\","
		"\"attempts\":1}]}");
	restart();
	EXPECT(0, "saga show 7");
	EXPECT_IN(t.out, "kind          saga\n");
	EXPECT_IN(t.out, "machine       buy\n"
			 "version       1.0\n"
			 "business key  o-7\\x1b[31m\n");
	EXPECT_IN(t.out,
		  "TASK  STATE  UNDOES  IS       ATTEMPTS  ERROR\n"
		  "0     take           done     1\n"
		  "1     pay            refused  3         short: no money\n"
		  "2     back   0       running  1\n");
	EXPECT_IN(t.out, "data\n  {\"n\":1,\"t\":\"\\u001b\"}\n");
	EXPECT_IN(t.out, "treaty saga compensate 10.0.0.1:8091:7 --reason");
	EXPECT(3, "saga show 9");
	EXPECT(2, "saga show");
}

static void test_a_saga_is_started(void **state)
{
	struct world w;

	(void)state;
	EXPECT(2, "saga start buy --input - </dev/null");
	EXPECT_IN(t.err, "is not a JSON object");
	EXPECT(0, "saga start buy --version 1.0 -k o-7 --deadline 5m -w 2s");
	assert_string_equal(t.out, "10.0.0.1:8091:7 is started, now Begin\n");
	EXPECT_ASKED(w, RQ_SAGA_START);
	assert_string_equal((char *)w.name, "buy");
	assert_string_equal((char *)w.version, "1.0");
	assert_string_equal((char *)w.business_key, "o-7");
	assert_int_equal(w.request.timeout_ms, 300000);
	assert_int_equal(w.request.wait_ms, 2000);
	t.reply.existed = true;
	restart();
	EXPECT(0, "saga start buy -k o-7");
	EXPECT_IN(t.out, "was started before, now Begin\n");
	EXPECT(2, "saga start");
	EXPECT(2, "saga start buy --definition x.json");
	EXPECT(2, "saga start --definition /nowhere/x.json");
	EXPECT(2, "saga start buy --wait 5");
	EXPECT_IN(t.err, "\"5\" is not a time");
	t.reply.err = E_NOTFOUND;
	restart();
	EXPECT(3, "saga start sell");
}

static void test_input_and_definition_come_from_files(void **state)
{
	char line[200];
	struct world w;
	FILE *f = fopen("/tmp/treaty-cli-services.json", "w");

	(void)state;
	assert_non_null(f);
	(void)fputs("{\"n\": 1}\n", f);
	(void)fclose(f);
	(void)snprintf(line, sizeof line,
		       "saga start buy -i /tmp/treaty-cli-services.json");
	EXPECT(0, line);
	EXPECT_ASKED(w, RQ_SAGA_START);
	assert_string_equal((char *)w.input, "{\"n\": 1}");
	(void)snprintf(line, sizeof line,
		       "saga start --definition "
		       "/tmp/treaty-cli-services.json");
	EXPECT(0, line);
	EXPECT_ASKED(w, RQ_SAGA_START);
	assert_string_equal((char *)w.text, "{\"n\": 1}");
	assert_int_equal(w.request.name.len, 0);
	EXPECT(0, "machine put /tmp/treaty-cli-services.json");
	EXPECT_ASKED(w, RQ_MACHINE_PUT);
	assert_string_equal(t.out, "buy, version 2.0 is there now\n");
	(void)remove("/tmp/treaty-cli-services.json");
}

static void test_a_saga_is_moved(void **state)
{
	struct world w;

	(void)state;
	EXPECT(0, "saga forward 7 --reason r");
	assert_string_equal(t.out,
			    "10.0.0.1:8091:7 is taken up again, now Begin\n");
	EXPECT_ASKED(w, RQ_SAGA_MOVE);
	assert_int_equal(w.request.move, MOVE_FORWARD);
	assert_string_equal((char *)w.reason, "r");
	EXPECT(0, "saga compensate 7");
	EXPECT_ASKED(w, RQ_SAGA_MOVE);
	assert_int_equal(w.request.move, MOVE_COMPENSATE);
	EXPECT(0, "saga skip 7 --task 3 --reason r");
	EXPECT_ASKED(w, RQ_SAGA_MOVE);
	assert_int_equal(w.request.move, MOVE_SKIP);
	assert_int_equal(w.request.task, 3);
	EXPECT(2, "saga skip 7 --task 3");
	EXPECT(2, "saga skip 7 --task x --reason r");
	EXPECT(2, "saga forward 7 --task 3");
	EXPECT(2, "saga forward");
	t.reply.err = E_STATE;
	restart();
	EXPECT(5, "saga forward 7");
}

/* ---- machines ---- */

static void test_machines_are_listed_shown_and_dropped(void **state)
{
	struct world w;

	(void)state;
	EXPECT(0, "machine list");
	assert_string_equal(t.out,
			    "NAME  VERSION  RUNS  ADDED\n"
			    "buy   1.0      0     1970-01-01T00:00:01.000Z\n"
			    "buy   2.0      1     1970-01-01T00:00:01.000Z\n");
	EXPECT(0, "machine show buy --version 1.0");
	assert_string_equal(t.out, "{\n  \"Name\": \"b\\u001b\",\n"
				   "  \"a\": [1, \"x\\ty\"]\n}\n");
	EXPECT(3, "machine show sell");
	EXPECT(2, "machine drop buy");
	EXPECT(0, "machine drop buy --version 1.0");
	assert_string_equal(t.out, "buy, version 1.0 is gone\n");
	EXPECT_ASKED(w, RQ_MACHINE_DROP);
	assert_string_equal((char *)w.name, "buy");
	EXPECT(2, "machine put /nowhere");
	t.reply.err = E_STATE;
	restart();
	EXPECT(5, "machine drop buy --version 1.0");
	world.n_machines = 0;
	restart();
	EXPECT(0, "machine list");
	assert_string_equal(t.out, "no state machines\n");
}

/* ---- messages ---- */

static void test_messages_and_dead_letters(void **state)
{
	struct world w;

	(void)state;
	EXPECT(0, "message list");
	assert_string_equal(
		t.out, "XID              STATUS        AGE  NEXT  DELIVERIES  "
		       "NAME        APPLICATION  LAST ERROR\n"
		       "10.0.0.1:8091:9  CommitFailed  2s   -     1           "
		       "order paid  shop\n");
	EXPECT(0, "message show 9");
	EXPECT_IN(t.out, "back-check    http://shop:80\n");
	EXPECT_IN(t.out, "treaty message replay 10.0.0.1:8091:9 20 --reason");
	EXPECT(3, "message show 7");
	EXPECT(0, "message dead");
	assert_string_equal(
		t.out,
		"XID              BRANCH  TO               TOPIC   NAME        "
		"ATTEMPTS  LAST ERROR\n"
		"10.0.0.1:8091:9  20      http://stock:80  orders  order paid  "
		"4         503\n");
	EXPECT(0, "message dead --json -n 1");
	EXPECT_IN(t.out, "{\"dead_letters\":[{");
	EXPECT(0, "message replay 9 20 -r 'stock is back'");
	EXPECT_ASKED(w, RQ_RETRY);
	assert_int_equal(w.request.branch, 20);
	assert_string_equal((char *)w.text, "stock is back");
	EXPECT(3, "message replay 9 21");
	EXPECT(2, "message replay 9");
	world.n_branches = 0;
	restart();
	EXPECT(0, "message dead");
	assert_string_equal(t.out, "no dead letters\n");
}

/* ---- topics ---- */

static void test_topics(void **state)
{
	struct world w;

	(void)state;
	EXPECT(0, "topic list");
	assert_string_equal(t.out, "TOPIC   SUBSCRIBER  TO\n"
				   "orders  stock       http://stock/in\n"
				   "orders  mail        msg:mail\n");
	EXPECT(3, "topic list payments");
	EXPECT(0, "topic subscribe a/b s msg:stock");
	assert_string_equal(t.out, "s gets what is sent to a/b\n");
	EXPECT_ASKED(w, RQ_SUBSCRIBE);
	assert_string_equal((char *)w.name, "a/b");
	assert_string_equal((char *)w.subscriber, "s");
	assert_string_equal((char *)w.resource, "msg:stock");
	EXPECT(5, "topic subscribe a s http://stock/");
	EXPECT_IN(t.err, "http_targets");
	EXPECT(0, "topic unsubscribe a/b s");
	assert_string_equal(t.out, "s no longer gets what is sent to a/b\n");
	EXPECT_ASKED(w, RQ_UNSUBSCRIBE);
	EXPECT(2, "topic subscribe a s");
	world.n_topics = 0;
	restart();
	EXPECT(0, "topic list");
	assert_string_equal(t.out, "nobody has subscribed to anything\n");
}

static void test_each_has_its_help(void **state)
{
	static const char *const commands[] = {
		"saga list",       "saga show",         "saga start",
		"saga forward",    "saga compensate",   "saga skip",
		"machine list",    "machine show",      "machine put",
		"machine drop",    "message list",      "message show",
		"message dead",    "message replay",    "topic list",
		"topic subscribe", "topic unsubscribe",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
		char line[100], want[100];

		(void)snprintf(want, sizeof want, "usage: treaty %s",
			       commands[i]);
		(void)snprintf(line, sizeof line, "%s --help", commands[i]);
		EXPECT(0, line);
		EXPECT_IN(t.out, want);
	}
	EXPECT(2, "saga");
	EXPECT(2, "saga stop");
	EXPECT(0, "topic --help");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CLI_TEST(test_sagas_are_listed),
		CLI_TEST(test_a_saga_is_shown_with_its_path),
		CLI_TEST(test_a_saga_is_started),
		CLI_TEST(test_input_and_definition_come_from_files),
		CLI_TEST(test_a_saga_is_moved),
		CLI_TEST(test_machines_are_listed_shown_and_dropped),
		CLI_TEST(test_messages_and_dead_letters),
		CLI_TEST(test_topics),
		CLI_TEST(test_each_has_its_help),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
