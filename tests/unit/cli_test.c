#include "tests/fakes/cli_server.h"

/*
 * The treaty command as a process, against the real HTTP door in another
 * process; only the core and the store behind it are told what to say.
 */

/* ---- the world ---- */

static const char difference[] =
	"{\"dirty\":2,\"rows\":[{\"table\":\"stock\",\"key\":{\"id\":\"1\","
	"\"shop\":\"b\\u001b[2Jx\"},\"before\":\"present\","
	"\"after\":\"present\",\"now\":\"present\",\"columns\":["
	"{\"name\":\"amount\",\"type\":\"int\",\"before\":\"10\","
	"\"after\":\"9\",\"now\":\"5\"},"
	"{\"name\":\"note\",\"type\":\"text\",\"before\":null,"
	"\"after\":\"\\u4f60\\u597d\",\"now\":{\"base64\":\"AAE=\"}}],"
	"\"statement\":\"update\",\"seen\":\"9f\","
	"\"reason\":\"somebody wrote it\"}]}";

static const char difference_printed[] =
	"  stock (id = 1, shop = b\\x1b[2Jx): before present, after present, "
	"now present\n"
	"    somebody wrote it\n"
	"    COLUMN  TYPE  BEFORE  AFTER  NOW\n"
	"    amount  int   10      9      5\n"
	"    note    text  NULL    \xe4\xbd\xa0\xe5\xa5\xbd   base64:AAE=\n"
	"  \xe2\x80\xa6 and 1 more dirty rows\n";

static void fill_world(void)
{
	static uint8_t key_bytes[64];
	static struct bytes key;
	struct buf b;

	world = (struct world){ .now_ms = 5000, .state = HOST_READY };
	world.gtx[0] = (struct gtx_view){
		.number = 10,
		.status = GTX_ROLLBACK_RETRYING,
		.name = BYTES("pay\033[31m"),
		.application = BYTES("shop"),
		.age_ms = 850,
		.timeout_ms = 60000,
		.n_branches = 2,
		.n_locks = 3,
		.next_due_ms = 4000,
		.last_error = BYTES("connection refused"),
	};
	world.gtx[1] = world.gtx[0];
	world.gtx[1].number = 11;
	world.gtx[1].status = GTX_ROLLBACK_FAILED;
	world.gtx[1].name = BYTES("checkout");
	world.gtx[1].age_ms = 192000;
	world.gtx[1].began_wall_ms = 1763728496789u;
	world.gtx[1].next_due_ms = UINT64_MAX;
	world.gtx[1].last_error = BYTES("dirty rows");
	world.n_gtx = 2;
	buf_init(&b, &mem_heap);
	lock_key_begin(&b, BYTES("goods"), BYTES("stock"));
	lock_key_value(&b, BYTES("1"));
	memcpy(key_bytes, b.data, b.len);
	key = (struct bytes){ key_bytes, b.len };
	buf_fini(&b);
	world.branches[0] = (struct branch_view){
		.id = 7,
		.mode = MODE_AT,
		.status = BRANCH_ROLLBACK_UNRETRYABLE,
		.resource = BYTES("goods"),
		.application = BYTES("shop"),
		.attempts = 3,
		.next_due_ms = UINT64_MAX,
		.last_error = BYTES("dirty"),
		.detail = bytes_of(difference),
		.lock_keys = &key,
		.n_lock_keys = 1,
	};
	world.n_branches = 1;
	world.lines[0] = (struct history){ .gtx = 11,
					   .wall_ms = 1763728496789u,
					   .text = BYTES("begun") };
	world.n_lines = 1;
	world.archived[0] = (struct archive){ .gtx = 9,
					      .status = GTX_COMMITTED,
					      .name = BYTES("done"),
					      .began_wall_ms = 1000,
					      .ended_wall_ms = 2000,
					      .n_branches = 1 };
	world.n_archived = 1;
	t.reply = (struct reply){ .err = OK, .status = GTX_ROLLBACK_RETRYING };
}

static int setup(void **state)
{
	(void)state;
	find_program();
	fill_world();
	start_server();
	return 0;
}

/* ---- tests ---- */

static void test_a_list_is_a_table_with_the_hung_first(void **state)
{
	(void)state;
	EXPECT(0, "tx list");
	assert_string_equal(
		t.out,
		"XID               STATUS            AGE    NEXT  BRANCHES  "
		"LOCKS  NAME         APPLICATION  LAST ERROR\n"
		"10.0.0.1:8091:11  RollbackFailed    3m12s  -     2         "
		"3      checkout     shop         dirty rows\n"
		"10.0.0.1:8091:10  RollbackRetrying  850ms  4s    2         "
		"3      pay\\x1b[31m  shop         connection refused\n");
	assert_string_equal(t.err, "");
}

static void test_a_list_passes_filters_and_pages(void **state)
{
	(void)state;
	EXPECT(0, "tx list --hung --limit=1 -q");
	assert_string_equal(t.out, "10.0.0.1:8091:11\n");
	EXPECT(0, "tx list --after 0 -n 1");
	EXPECT_IN(t.out, "\nmore: add --after 10\n");
	EXPECT(0, "tx list --after 10 -q");
	assert_string_equal(t.out, "10.0.0.1:8091:11\n");
	EXPECT(0, "tx list --finished");
	EXPECT_IN(t.out, "10.0.0.1:8091:9  Committed  1s ");
	EXPECT(2, "tx list --min-age 5");
	EXPECT_IN(t.err, "treaty: the query's min_age=5 is not valid");
	world.n_gtx = 0;
	restart();
	EXPECT(0, "tx list");
	assert_string_equal(t.out, "no unfinished transactions\n");
	EXPECT(0, "tx list -q");
	assert_string_equal(t.out, "");
}

static void test_json_is_passed_through(void **state)
{
	(void)state;
	EXPECT(0, "tx list --json --limit 1");
	EXPECT_IN(t.out, "{\"transactions\":[{\"xid\":\"10.0.0.1:8091:10\"");
	EXPECT_IN(t.out, "],\"next\":\"10\"}\n");
	EXPECT(0, "--json tx show 11");
	EXPECT_IN(t.out, "\"detail\":{\"dirty\":2");
	EXPECT(3, "tx show 77 --json");
	EXPECT_IN(t.out, "\"code\":\"transaction_not_found\"");
	EXPECT(0, "status --json");
	EXPECT_IN(t.out, "{\"version\":\"1.2.3\"");
}

static void test_show_says_what_is_wrong_and_what_to_do(void **state)
{
	char want[8192];

	(void)state;
	EXPECT(0, "tx show 10.0.0.1:8091:11");
	(void)snprintf(
		want, sizeof want,
		"transaction   10.0.0.1:8091:11\n"
		"status        RollbackFailed (hung: it waits for an "
		"operator)\n"
		"name          checkout\n"
		"application   shop\n"
		"began         2025-11-21T12:34:56.789Z\n"
		"age           3m12s\n"
		"timeout       1m00s\n"
		"last error    dirty rows\n"
		"\n"
		"BRANCH  MODE  STATUS                               RESOURCE  "
		"AT    ATTEMPTS  NEXT  LAST ERROR\n"
		"7       AT    PhaseTwo_RollbackFailed_Unretryable  goods     "
		"shop  3         -     dirty\n"
		"\n"
		"branch 7 locks: stock(1)\n"
		"\n"
		"branch 7 found rows that somebody else has changed; nothing "
		"was overwritten:\n"
		"%s"
		"\n"
		"history\n"
		"  2025-11-21T12:34:56.789Z  begun\n"
		"\n"
		"what you can do\n"
		"  put the values from before the branch back, over the "
		"present "
		"ones:\n"
		"    treaty tx resolve 10.0.0.1:8091:11 7 --use-undo --reason "
		"TEXT\n"
		"  leave the rows as they are now:\n"
		"    treaty tx resolve 10.0.0.1:8091:11 7 --keep-current "
		"--reason TEXT\n"
		"  write other values (a JSON file, see treaty(1)):\n"
		"    treaty tx resolve 10.0.0.1:8091:11 7 --values FILE "
		"--reason TEXT\n"
		"  try again, when the rows are as the branch left them:\n"
		"    treaty tx retry 10.0.0.1:8091:11\n",
		difference_printed);
	assert_string_equal(t.out, want);
}

static void test_show_of_a_finished_one_advises_nothing(void **state)
{
	(void)state;
	EXPECT(0, "tx show 9");
	assert_string_equal(t.out, "transaction   10.0.0.1:8091:9\n"
				   "status        Committed (finished)\n"
				   "name          done\n"
				   "began         1970-01-01T00:00:01.000Z\n"
				   "ended         1970-01-01T00:00:02.000Z\n"
				   "age           1s\n");
}

static void test_a_detail_of_another_make_is_shown_as_it_is(void **state)
{
	(void)state;
	world.branches[0].detail = BYTES("{\"strange\":\"\\u001b]0;x\"}");
	restart();
	EXPECT(0, "tx show 11");
	EXPECT_IN(t.out, "  {\"strange\":\"\\u001b]0;x\"}\n");
	world.branches[0].detail = BYTES("not JSON");
	restart();
	EXPECT(0, "tx show 11");
	EXPECT_IN(t.out, "  \"not JSON\"\n");
}

static void test_retry_asks_the_coordinator(void **state)
{
	struct world w;

	(void)state;
	EXPECT(0, "tx retry 11 --reason 'it\\is \"back\"'");
	assert_string_equal(t.out, "10.0.0.1:8091:11 is taken up again, now "
				   "RollbackRetrying\n");
	assert_true(noted(&w));
	assert_int_equal(w.request.type, RQ_RETRY);
	assert_int_equal(w.request.branch, 0);
	assert_memory_equal(w.text, "it\\is \"back\"", 12);
	EXPECT(0, "tx retry 10.0.0.1:8091:11 -b 7");
	assert_true(noted(&w));
	assert_int_equal(w.request.branch, 7);
}

static void test_refusals_have_their_exit_codes(void **state)
{
	(void)state;
	t.reply.status = GTX_ROLLBACKED;
	restart();
	EXPECT(0, "tx retry 11");
	EXPECT_IN(t.out, "had finished already: Rollbacked\n");
	t.reply.status = GTX_ROLLBACK_FAILED;
	restart();
	EXPECT(0, "tx retry 11 -b 7");
	EXPECT_IN(t.out, "other branches still hang: RollbackFailed\n");
	t.reply = (struct reply){ .err = E_STATE, .status = GTX_COMMITTING };
	restart();
	EXPECT(5, "tx retry 11");
	EXPECT_IN(t.err, "is Committing: refused (wrong state)");
	t.reply.err = E_NOTFOUND;
	restart();
	EXPECT(3, "tx retry 11 --branch 8");
	t.reply.err = E_CLOSED;
	restart();
	EXPECT(1, "tx retry 11");
	EXPECT(3, "tx show 77");
	EXPECT_IN(t.err, "10.0.0.1:8091:77 is not known");
	EXPECT(2, "tx show nonsense/%%20");
	EXPECT_IN(t.err, "\"nonsense/%%20\" is not an xid");
}

static void test_nobody_there_is_said(void **state)
{
	(void)state;
	EXPECT(4, "--server http://127.0.0.1:1/ tx list");
	EXPECT_IN(t.err, "treaty: cannot reach http://127.0.0.1:1: ");
	EXPECT(4, "ping -s http://127.0.0.1:1");
	EXPECT(2, "ping -s 'not a url'");
	EXPECT(2, "ping -s file:///etc/passwd");
	EXPECT_IN(t.err, "is not a server");
}

static void test_resolve_sends_what_was_decided(void **state)
{
	char command[200];
	struct world w;
	FILE *f;

	(void)state;
	EXPECT(0, "tx resolve 11 7 --use-undo --reason r --yes");
	EXPECT_IN(t.out, difference_printed);
	assert_true(noted(&w));
	assert_int_equal(w.request.type, RQ_RESOLVE);
	assert_int_equal(w.request.branch, 7);
	assert_int_equal(w.request.resolution, RESOLVE_USE_UNDO);
	assert_memory_equal(w.reason, "r", 1);
	/* One dirty row is not shown: so it is about all. */
	assert_int_equal(w.request.text.len, 0);
	world.branches[0].detail =
		BYTES("{\"dirty\":1,\"rows\":[{\"table\":\"t\",\"key\":"
		      "{\"id\":\"1\"},\"seen\":\"9f\"}]}");
	restart();
	EXPECT(0, "tx resolve 11 7 --use-undo --reason r --yes");
	assert_true(noted(&w));
	assert_memory_equal(w.text,
			    "{\"rows\":[{\"table\":\"t\",\"key\":{\"id\":"
			    "\"1\"},\"choice\":\"undo\",\"seen\":\"9f\"}]}",
			    w.request.text.len);
	assert_true(w.request.text.len > 60);
	EXPECT(0, "tx resolve 11 7 --keep-current -r r -y");
	assert_true(noted(&w));
	assert_int_equal(w.request.resolution, RESOLVE_KEEP_CURRENT);
	(void)snprintf(command, sizeof command, "/tmp/treaty-cli-%d.json",
		       (int)getpid());
	f = fopen(command, "w");
	assert_non_null(f);
	(void)fputs(" {\"choice\":\"keep\",\"n\":1.50}\n", f);
	(void)fclose(f);
	(void)snprintf(command, sizeof command,
		       "tx resolve 11 7 --values /tmp/treaty-cli-%d.json "
		       "--reason r --yes",
		       (int)getpid());
	EXPECT(0, command);
	assert_true(noted(&w));
	assert_int_equal(w.request.resolution, RESOLVE_VALUES);
	assert_memory_equal(w.text, "{\"choice\":\"keep\",\"n\":1.50}", 26);
	(void)snprintf(command, sizeof command, "/tmp/treaty-cli-%d.json",
		       (int)getpid());
	(void)unlink(command);
	EXPECT(0, "tx resolve 11 7 --values - -r r -y <<X\n{}\nX\n");
}

static void test_resolve_without_clear_orders_does_nothing(void **state)
{
	struct world w;

	(void)state;
	EXPECT(2, "tx resolve 11 7 --use-undo --reason r");
	EXPECT_IN(t.err, "nobody to ask");
	EXPECT(2, "tx resolve 11 7 --use-undo --yes");
	EXPECT_IN(t.err, "--reason TEXT is needed");
	EXPECT(2, "tx resolve 11 7 --reason r --yes");
	EXPECT(2, "tx resolve 11 7 --use-undo --keep-current -r r --yes");
	EXPECT(2, "tx resolve 11 --use-undo -r r --yes");
	EXPECT_IN(t.err, "an argument is missing");
	EXPECT(2, "tx resolve 11 7 --values /nowhere -r r --yes");
	EXPECT(2, "tx resolve 11 7 --values - -r r --yes <<X\n[1]\nX\n");
	EXPECT(3, "tx resolve 11 8 --use-undo -r r --yes");
	EXPECT(3, "tx resolve 77 8 --use-undo -r r --yes");
	assert_false(noted(&w));
}

static void test_resolve_asks_at_a_terminal(void **state)
{
	struct world w;

	(void)state;
	assert_int_equal(
		run_at_terminal("tx resolve 11 7 --use-undo -r r", "no\n"), 1);
	EXPECT_IN(t.out, "Type yes: ");
	EXPECT_IN(t.out, "nothing was done");
	assert_false(noted(&w));
	assert_int_equal(
		run_at_terminal("tx resolve 11 7 --use-undo -r r", "yes\n"), 0);
	EXPECT_IN(t.out, "somebody wrote it");
	assert_true(noted(&w));
	assert_int_equal(w.request.resolution, RESOLVE_USE_UNDO);
}

static void test_colours_are_for_terminals_only(void **state)
{
	(void)state;
	assert_int_equal(run_at_terminal("tx list", ""), 0);
	EXPECT_IN(t.out, "\033[1;31m10.0.0.1:8091:11");
	EXPECT_IN(t.out, "\033[33m10.0.0.1:8091:10");
	assert_null(strstr(t.out, "pay\033"));
	assert_int_equal(run_at_terminal("tx list --no-color", ""), 0);
	assert_null(strchr(t.out, '\033'));
	EXPECT(0, "tx list");
	assert_null(strchr(t.out, '\033'));
}

static void test_status_and_ping_tell_how_it_is(void **state)
{
	(void)state;
	EXPECT(0, "status");
	EXPECT_IN(t.out, "coordinator 10.0.0.1:8091, treatyd 1.2.3, ready, "
			 "up 0ms\n");
	EXPECT_IN(t.out, "  unfinished now         3\n");
	EXPECT_IN(t.out, "  dead letters now       2\n");
	EXPECT_IN(
		t.out,
		"1 transaction waits for an operator: treaty tx list --hung\n");
	EXPECT(0, "ping");
	EXPECT_IN(t.out, " is ready, ");
	world.state = HOST_DRAINING;
	restart();
	EXPECT(1, "ping");
	EXPECT_IN(t.err, "the coordinator is stopping");
}

static void test_each_command_has_its_help(void **state)
{
	static const char *const commands[] = { "tx list",   "tx show",
						"tx retry",  "tx resolve",
						"status",    "ping",
						"completion" };
	char line[100];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
		(void)snprintf(line, sizeof line, "%s --help", commands[i]);
		EXPECT(0, line);
		(void)snprintf(line, sizeof line, "usage: treaty %s",
			       commands[i]);
		EXPECT_IN(t.out, line);
		(void)snprintf(line, sizeof line, "help %s", commands[i]);
		EXPECT(0, line);
	}
	EXPECT(0, "--help");
	EXPECT_IN(t.out, "Exit codes:");
	EXPECT(0, "--version");
	EXPECT_IN(t.out, "treaty 0.");
	EXPECT(2, "");
	EXPECT(2, "tx");
	EXPECT(2, "tx frobnicate");
	EXPECT_IN(t.err, "there is no command \"tx frobnicate\"");
	EXPECT(2, "help frobnicate");
	EXPECT(2, "tx list --frobnicate");
	EXPECT_IN(t.err, "unknown option --frobnicate; see treaty tx list");
	EXPECT(2, "tx list --hung=1");
	EXPECT(2, "tx list --limit");
	EXPECT(2, "tx show");
	EXPECT(2, "tx show 1 2");
}

static void test_bash_completes_commands_options_and_xids(void **state)
{
	static const struct {
		const char *words; /* COMP_WORDS, the last one half typed */
		const char *want;
	} cases[] = {
		{ "treaty t", "tx\ntopic\n" },
		{ "treaty saga sk", "skip\n" },
		{ "treaty saga start --de", "--definition\n--deadline\n" },
		{ "treaty message r", "replay\n" },
		{ "treaty tx re", "retry\nresolve\n" },
		{ "treaty tx list --hu", "--hung\n" },
		{ "treaty tx list --status TimeoutRollbackF",
		  "TimeoutRollbackFailed\n" },
		{ "treaty tx show 10.0.0.1:8091:11", "10.0.0.1:8091:11\n" },
		{ "treaty tx resolve 11 7 --k", "--keep-current\n" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char line[8192];

		(void)snprintf(
			line, sizeof line,
			"completion bash >/tmp/treaty-comp-%d; PATH=$(dirname "
			"'%s'):$PATH bash -c 'source /tmp/treaty-comp-%d; "
			"COMP_WORDS=(%s); "
			"COMP_CWORD=$((${#COMP_WORDS[@]}-1)); _treaty; "
			"printf \"%%s\\n\" \"${COMPREPLY[@]}\"'; "
			"rm /tmp/treaty-comp-%d",
			(int)getpid(), t.program, (int)getpid(), cases[i].words,
			(int)getpid());
		EXPECT(0, line);
		assert_string_equal(t.out, cases[i].want);
	}
	EXPECT(2, "completion fish");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CLI_TEST(test_a_list_is_a_table_with_the_hung_first),
		CLI_TEST(test_a_list_passes_filters_and_pages),
		CLI_TEST(test_json_is_passed_through),
		CLI_TEST(test_show_says_what_is_wrong_and_what_to_do),
		CLI_TEST(test_show_of_a_finished_one_advises_nothing),
		CLI_TEST(test_a_detail_of_another_make_is_shown_as_it_is),
		CLI_TEST(test_retry_asks_the_coordinator),
		CLI_TEST(test_refusals_have_their_exit_codes),
		CLI_TEST(test_nobody_there_is_said),
		CLI_TEST(test_resolve_sends_what_was_decided),
		CLI_TEST(test_resolve_without_clear_orders_does_nothing),
		CLI_TEST(test_resolve_asks_at_a_terminal),
		CLI_TEST(test_colours_are_for_terminals_only),
		CLI_TEST(test_status_and_ping_tell_how_it_is),
		CLI_TEST(test_each_command_has_its_help),
		CLI_TEST(test_bash_completes_commands_options_and_xids),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
