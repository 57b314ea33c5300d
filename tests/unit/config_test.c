/* Settings: where they come from, what is refused and how it is said. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <unistd.h>

#include "base/buf.h"
#include "tc/host/config.h"
#include "tc/host/setting.h"
#include "tests/fakes/flaky.h"

struct fixture {
	struct config *c;
	struct buf error;
	char path[32];
	enum config_action action;
};

static int set_up(void **state)
{
	struct fixture *f = mem_alloc(&mem_heap, sizeof *f);

	buf_init(&f->error, &mem_heap);
	memcpy(f->path, "/tmp/treaty-config-XXXXXX", 26);
	(void)close(mkstemp(f->path));
	*state = f;
	return config_new(&f->c, &mem_heap);
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	config_free(f->c);
	buf_fini(&f->error);
	(void)unlink(f->path);
	mem_free(&mem_heap, f);
	return 0;
}

static void write_file(struct fixture *f, struct bytes text)
{
	FILE *file = fopen(f->path, "we");

	assert_non_null(file);
	assert_int_equal(fwrite(text.data, 1, text.len, file), text.len);
	assert_int_equal(fclose(file), 0);
}

/* Flags and environment end with NULL; the file is read if it is not empty. */
static int read_all(struct fixture *f, const char *file, const char **flags,
		    const char **env)
{
	const char *argv[16] = { "treatyd" };
	int argc = 1;

	if (file) {
		write_file(f, bytes_of(file));
		argv[argc++] = "--config";
		argv[argc++] = f->path;
	}
	while (flags && *flags)
		argv[argc++] = *flags++;
	buf_clear(&f->error);
	return config_read(f->c, argc, (char *const *)(const void *)argv,
			   (char *const *)(const void *)env, &f->action,
			   &f->error);
}

#define LIST(...) ((const char *[]){ __VA_ARGS__, NULL })

static void test_a_flag_beats_the_environment_and_that_the_file(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(read_all(f,
				  "retry_max = 1min\nretry_first = 7ms\n"
				  "heartbeat = 3s\n",
				  LIST("--retry-max=3min"),
				  LIST("TREATY_RETRY_MAX=2min", "HOME=/",
				       "TREATY_HEARTBEAT=4s",
				       "TREATY_OF_SOMEBODY_ELSE=1")),
			 OK);
	assert_int_equal(f->c->core.retry_ms_max, 180000);
	assert_int_equal(f->c->agents.heartbeat_ms, 4000);
	assert_int_equal(f->c->core.retry_ms_first, 7);
}

static void test_units_and_words(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(
		read_all(f, NULL,
			 LIST("--message-max", "8MiB", "--log_level=warn",
			      "--drain=0", "--attempts-max=12",
			      "--allow-unauthenticated=yes"),
			 NULL),
		OK);
	assert_int_equal(f->c->agents.message_max, 8 << 20);
	assert_int_equal(f->c->log_level, LOG_LEVEL_WARN);
	assert_int_equal(f->c->drain_ms, 0);
	assert_int_equal(f->c->core.attempts_max, 12);
	assert_true(f->c->agents.allow_unauthenticated);
}

static void assert_refused(struct fixture *f, const char *file,
			   const char **flags, const char **env,
			   const char *says)
{
	int rc = read_all(f, file, flags, env);

	assert_int_not_equal(rc, OK);
	if (!strstr(buf_text(&f->error), says))
		fail_msg("does not say \"%s\": %s", says, buf_text(&f->error));
}

static void test_an_error_names_file_line_key_and_what_is_allowed(void **state)
{
	struct fixture *f = *state;
	struct buf want;

	buf_init(&want, &mem_heap);
	buf_printf(&want,
		   "%s:3: retry_max = soon: allowed is a time from 1ms to 1d",
		   f->path);
	assert_refused(f, "# a comment\n\nretry_max = soon\n", NULL, NULL,
		       buf_text(&want));
	buf_clear(&want);
	buf_printf(&want, "%s:2: unknown setting retry_maximum", f->path);
	assert_refused(f, "retry_max = 1s\nretry_maximum = 1s\n", NULL, NULL,
		       buf_text(&want));
	buf_clear(&want);
	buf_printf(&want, "%s:1: neither a comment", f->path);
	assert_refused(f, "just words\n", NULL, NULL, buf_text(&want));
	buf_clear(&want);
	buf_printf(&want, "%s:2: retry_max is given twice", f->path);
	assert_refused(f, "retry_max = 1s\nretry_max = 2s\n", NULL, NULL,
		       buf_text(&want));
	buf_clear(&want);
	buf_printf(&want, "%s:2: there are no [sections]", f->path);
	assert_refused(f, "[core]\nretry_max = 1s\n", NULL, NULL,
		       buf_text(&want));
	buf_fini(&want);
}

static void test_a_line_that_is_too_long_is_not_cut(void **state)
{
	struct fixture *f = *state;
	struct buf text;

	buf_init(&text, &mem_heap);
	buf_put_text(&text, "log_level = info\nagents_listen = tcp://");
	for (int i = 0; i < 300; i++)
		buf_put_char(&text, 'a');
	buf_put_text(&text, ":1\n");
	assert_refused(f, buf_text(&text), NULL, NULL, ":2: a line longer");
	buf_fini(&text);
}

static void test_what_is_out_of_bounds_or_no_number_is_refused(void **state)
{
	static const char *const bad[] = {
		"--branches-max=0",
		"--branches-max=-1",
		"--branches-max=1.5",
		"--branches-max=",
		"--branches-max=1s",
		"--message-max=1kB",
		"--message-max=99999GiB",
		"--retry-max=10",
		"--retry-max=99999999999999999999d",
		"--attempts-max=99999999999999999999999",
		"--log-level=loud",
		"--allow-unauthenticated=maybe",
		"--port=70000",
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_refused(f, NULL, LIST(bad[i]), NULL, "allowed is");
	assert_refused(f, NULL, LIST("--nonsense=1"), NULL, "--nonsense");
	assert_refused(f, NULL, LIST("file.conf"), NULL, "not a flag");
	assert_refused(f, NULL, LIST("--retry-max"), NULL, "wants a value");
	assert_refused(f, NULL, NULL, LIST("TREATY_RETRY_MAX=x"),
		       "environment");
	assert_refused(f, NULL, LIST("--config=/nowhere/at.all"), NULL,
		       "cannot be read");
}

static void test_values_that_contradict_each_other_are_refused(void **state)
{
	struct fixture *f = *state;

	assert_refused(f, NULL, LIST("--timeout=2h", "--timeout-max=1h"), NULL,
		       "timeout is longer");
	config_free(f->c);
	assert_int_equal(config_new(&f->c, &mem_heap), OK);
	assert_refused(f, NULL, LIST("--retry-first=2h", "--retry-max=1h"),
		       NULL, "retry_first is longer");
	config_free(f->c);
	assert_int_equal(config_new(&f->c, &mem_heap), OK);
	assert_refused(f, NULL, LIST("--output-max=1MiB"), NULL, "output_max");
}

static void test_open_addresses_must_be_wanted(void **state)
{
	struct fixture *f = *state;

	assert_refused(f, NULL, LIST("--agents-listen=tcp://0.0.0.0:1"), NULL,
		       "allow_unauthenticated");
	assert_refused(f, NULL, LIST("--agents-listen=tcp://[::]:1"), NULL,
		       "allow_unauthenticated");
	assert_int_equal(read_all(f, NULL,
				  LIST("--agents-listen=tcp://127.0.0.1:1 "
				       "tcp://[::1]:2  ipc:///tmp/x"),
				  NULL),
			 OK);
	assert_int_equal(f->c->agents.n_addresses, 3);
	assert_string_equal(f->c->agents.addresses[2], "ipc:///tmp/x");
	assert_refused(f, NULL, LIST("--http-listen=0.0.0.0:1"), NULL,
		       "no login yet");
	assert_refused(f, NULL, LIST("--agents-listen= "), NULL,
		       "at least one");
}

static void test_actions_are_known(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(read_all(f, NULL, LIST("--check-config"), NULL), OK);
	assert_int_equal(f->action, CONFIG_CHECK);
	assert_int_equal(read_all(f, NULL, LIST("--print-config"), NULL), OK);
	assert_int_equal(f->action, CONFIG_PRINT);
	assert_int_equal(read_all(f, NULL, LIST("--help"), NULL), OK);
	assert_int_equal(f->action, CONFIG_HELP);
	assert_int_equal(read_all(f, NULL, NULL, NULL), OK);
	assert_int_equal(f->action, CONFIG_RUN);
}

static void test_the_printed_file_reads_back_as_it_was(void **state)
{
	struct fixture *f = *state;
	struct config *other;
	struct buf text, again;

	assert_int_equal(read_all(f, NULL,
				  LIST("--retry-max=90s", "--locks-max=77",
				       "--output-max=5MiB"),
				  NULL),
			 OK);
	buf_init(&text, &mem_heap);
	buf_init(&again, &mem_heap);
	config_print(&text, f->c);
	other = f->c;
	assert_int_equal(config_new(&f->c, &mem_heap), OK);
	assert_int_equal(read_all(f, buf_text(&text), NULL, NULL), OK);
	for (size_t i = 0; i < n_settings; i++)
		assert_true(setting_equal(&settings[i], f->c, other));
	config_print(&again, f->c);
	assert_string_equal(buf_text(&text), buf_text(&again));
	config_free(other);
	buf_fini(&text);
	buf_fini(&again);
}

static void test_each_setting_is_explained_and_has_a_good_default(void **state)
{
	struct fixture *f = *state;

	for (size_t i = 0; i < n_settings; i++) {
		const struct setting *s = &settings[i];
		struct buf text;

		buf_init(&text, &mem_heap);
		assert_true(strlen(s->help) > 8);
		assert_ptr_equal(setting_find(bytes_of(s->name)), s);
		setting_print(&text, f->c, s);
		buf_clear(&f->error);
		assert_int_equal(
			setting_parse(f->c, s, buf_text(&text), &f->error), OK);
		buf_fini(&text);
	}
}

static void test_a_reload_takes_what_may_change_and_names_the_rest(void **state)
{
	struct fixture *f = *state;
	struct config *fresh = f->c;
	struct buf text;

	buf_init(&text, &mem_heap);
	assert_int_equal(
		read_all(f, "locks_max = 9\nmessage_max = 9MiB\n", NULL, NULL),
		OK);
	assert_int_equal(config_new(&f->c, &mem_heap), OK);
	assert_int_equal(config_reload(f->c, fresh, &text), OK);
	assert_int_equal(f->c->core.locks_max, 9);
	assert_int_equal(f->c->agents.message_max, 4 << 20);
	assert_string_equal(buf_text(&text),
			    "locks_max is now 9\n"
			    "message_max stays 4MiB until a restart\n");
	config_free(fresh);
	buf_fini(&text);
}

static void test_targets_may_fill_many_lines(void **state)
{
	struct fixture *f = *state;
	struct buf file;

	buf_init(&file, &mem_heap);
	for (int i = 0; i < 40; i++)
		buf_printf(&file, "http_targets = http://host-%d.example/\n",
			   i);
	buf_put_text(&file, "http_targets = net:10.0.0.0/8 http://b/\n");
	assert_int_equal(read_all(f, buf_text(&file), NULL, NULL), OK);
	assert_non_null(strstr(f->c->http_targets, "http://host-0.example/ "));
	assert_non_null(strstr(f->c->http_targets,
			       " http://host-39.example/ net:10.0.0.0/8"));
	/* What is printed reads back, though it is longer than a line. */
	buf_clear(&file);
	config_print(&file, f->c);
	assert_int_equal(read_all(f, buf_text(&file), NULL, NULL), OK);
	assert_non_null(strstr(f->c->http_targets,
			       " http://host-39.example/ net:10.0.0.0/8"));
	/* Who is asked first replaces all of them. */
	assert_int_equal(read_all(f, buf_text(&file), NULL,
				  LIST("TREATY_HTTP_TARGETS=http://c")),
			 OK);
	assert_string_equal(f->c->http_targets, "http://c");
	buf_fini(&file);
}

static void test_targets_that_make_no_sense_are_refused(void **state)
{
	struct fixture *f = *state;

	assert_refused(f, NULL, LIST("--http-targets=pay.example"), NULL,
		       "http_targets: \"pay.example\": it does not begin with");
	assert_refused(f, NULL, LIST("--http-targets=net:0.0.0.0/0"), NULL,
		       "must lie in one range");
	assert_refused(f, NULL,
		       LIST("--http-targets=", "--calls-max=3",
			    "--calls-per-target-max=4"),
		       NULL, "calls_per_target_max is more than calls_max");
}

static void test_out_of_memory_is_said_and_leaks_nothing(void **state)
{
	struct fixture *f = *state;
	int rc = E_NOMEM;

	write_file(f,
		   BYTES("retry_max = 9s\nagents_listen = ipc:///tmp/x\n"
			 "http_targets = http://a\nhttp_targets = http://b\n"));
	for (long n = 0; rc != OK; n++) {
		const char *argv[] = { "treatyd", "--config", f->path,
				       "--port=9" };
		struct flaky flaky;
		struct config *c;
		enum config_action action;

		assert_true(n < 200);
		flaky_init(&flaky, n);
		buf_clear(&f->error);
		rc = config_new(&c, &flaky.mem);
		if (rc == OK) {
			rc = config_read(c, 4,
					 (char *const *)(const void *)argv,
					 NULL, &action, &f->error);
			config_free(c);
		}
		assert_true(rc == OK || rc == E_NOMEM);
		assert_int_equal(flaky.live, 0);
	}
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(test_a_flag_beats_the_environment_and_that_the_file),
		T(test_units_and_words),
		T(test_an_error_names_file_line_key_and_what_is_allowed),
		T(test_a_line_that_is_too_long_is_not_cut),
		T(test_what_is_out_of_bounds_or_no_number_is_refused),
		T(test_values_that_contradict_each_other_are_refused),
		T(test_open_addresses_must_be_wanted),
		T(test_actions_are_known),
		T(test_the_printed_file_reads_back_as_it_was),
		T(test_each_setting_is_explained_and_has_a_good_default),
		T(test_a_reload_takes_what_may_change_and_names_the_rest),
		T(test_targets_may_fill_many_lines),
		T(test_targets_that_make_no_sense_are_refused),
		T(test_out_of_memory_is_said_and_leaks_nothing),
	};

	return cmocka_run_group_tests_name("config", tests, NULL, NULL);
}
