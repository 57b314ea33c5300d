#ifndef TESTS_FAKES_CLI_SERVER_H
#define TESTS_FAKES_CLI_SERVER_H

#include "base/log.h"
#include "tc/door/http.h"
#include "tests/fakes/http_world.h"

#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <sys/wait.h>

#include <cmocka.h>

/*
 * The treaty command as a process, against the real HTTP door in another
 * process; only the core and the store behind it are told what to say. Include
 * it in one file of a test program only.
 */

static struct {
	pid_t server;
	char url[80];
	char program[4096];
	char out[65536];
	char err[65536];
	struct reply reply;
	int note[2]; /* what the server was asked to do: its requests */
} t;

/* ---- the server ---- */

static inline void serve_forever(int ready)
{
	struct http_config config;
	struct door door;
	struct buf error;
	size_t seen = 0;

	http_config_default(&config);
	config.address = "127.0.0.1:0";
	config.version = "1.2.3";
	config.reply_ms = 5000;
	buf_init(&error, &mem_heap);
	log_set_level(LOG_LEVEL_OFF);
	if (http_open(&door, &mem_heap, &config, &world_port, &error) != OK)
		_exit(1);
	if (write(ready, door.address, strlen(door.address)) < 0)
		_exit(1);
	close(ready);
	for (;;) {
		struct pollfd p = { .fd = door.fd, .events = POLLIN };

		(void)poll(&p, 1,
			   door.deadline(door.self) <= world.now_ms ? 0 : 50);
		while (door.process(door.self, world.now_ms))
			;
		door.flush(door.self);
		if (world.events == seen)
			continue;
		seen = world.events;
		if (write(t.note[1], &world, sizeof world) < 0)
			_exit(1);
		t.reply.id = world.request.id;
		door.reply(door.self, &t.reply);
	}
}

static inline void start_server(void)
{
	char address[64];
	int ready[2];
	ssize_t n;

	assert_int_equal(pipe(ready), 0);
	assert_int_equal(pipe2(t.note, O_NONBLOCK), 0);
	t.server = fork();
	assert_true(t.server >= 0);
	if (t.server == 0) {
		close(ready[0]);
		serve_forever(ready[1]);
	}
	close(ready[1]);
	n = read(ready[0], address, sizeof address - 1);
	assert_true(n > 0);
	address[n] = '\0';
	close(ready[0]);
	(void)snprintf(t.url, sizeof t.url, "http://%s", address);
}

/* The last action that reached the core. */
static inline bool noted(struct world *w)
{
	bool any = false;

	while (read(t.note[0], w, sizeof *w) == (ssize_t)sizeof *w)
		any = true;
	return any;
}

/* ---- the command ---- */

static inline void find_program(void)
{
	ssize_t n = readlink("/proc/self/exe", t.program, 3000);
	char *slash;

	assert_true(n > 0);
	t.program[n] = '\0';
	for (int up = 0; up < 3; up++) {
		slash = strrchr(t.program, '/');
		assert_non_null(slash);
		*slash = '\0';
	}
	memcpy(t.program + strlen(t.program), "/tc/cli/treaty", 15);
	if (access(t.program, X_OK) != 0)
		fail_msg("%s is not built", t.program);
}

static inline void read_all(int out, int err)
{
	struct pollfd fds[] = { { out, POLLIN, 0 }, { err, POLLIN, 0 } };
	char *texts[] = { t.out, t.err };
	size_t lens[] = { 0, 0 };
	int open = 2;

	while (open > 0) {
		assert_true(poll(fds, 2, 20000) > 0);
		for (size_t i = 0; i < 2; i++) {
			ssize_t n;

			if (!fds[i].revents)
				continue;
			n = read(fds[i].fd, texts[i] + lens[i],
				 sizeof t.out - 1 - lens[i]);
			if (n > 0) {
				lens[i] += (size_t)n;
				continue;
			}
			fds[i].fd = -1;
			open--;
		}
	}
	t.out[lens[0]] = t.err[lens[1]] = '\0';
}

static inline void exec_command(const char *line)
{
	char command[8192];

	(void)setenv("TREATY_SERVER", t.url, 1);
	(void)unsetenv("NO_COLOR");
	(void)snprintf(command, sizeof command, "'%s' %s", t.program, line);
	(void)execl("/bin/sh", "sh", "-c", command, NULL);
	_exit(127);
}

/* Run "treaty LINE" by a shell; its exit code, with t.out and t.err. */
static inline int run(const char *line)
{
	int out[2], err[2], status;
	pid_t pid;

	assert_int_equal(pipe(out), 0);
	assert_int_equal(pipe(err), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		int in = open("/dev/null", O_RDONLY);

		(void)dup2(in, 0);
		(void)dup2(out[1], 1);
		(void)dup2(err[1], 2);
		close(out[0]);
		close(err[0]);
		exec_command(line);
	}
	close(out[1]);
	close(err[1]);
	read_all(out[0], err[0]);
	close(out[0]);
	close(err[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

/* The same at a terminal of 60 columns, with `input` typed. */
static inline int run_at_terminal(const char *line, const char *input)
{
	struct winsize size = { .ws_row = 24, .ws_col = 60 };
	size_t len = 0;
	int master, status;
	ssize_t n;
	pid_t pid = forkpty(&master, NULL, NULL, &size);

	assert_true(pid >= 0);
	if (pid == 0)
		exec_command(line);
	if (*input)
		assert_true(write(master, input, strlen(input)) > 0);
	while ((n = read(master, t.out + len, sizeof t.out - 1 - len)) > 0)
		len += (size_t)n;
	t.out[len] = '\0';
	close(master);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

#define EXPECT(code, line)                                                     \
	do {                                                                   \
		int got = run(line);                                           \
		if (got != (code))                                             \
			fail_msg("exit %d: %s%s", got, t.out, t.err);          \
	} while (0)

#define EXPECT_IN(text, part)                                                  \
	do {                                                                   \
		if (!strstr(text, part))                                       \
			fail_msg("no \"%s\" in:\n%s", part, text);             \
	} while (0)

static inline int teardown(void **state)
{
	(void)state;
	close(t.note[0]);
	close(t.note[1]);
	(void)kill(t.server, SIGKILL);
	(void)waitpid(t.server, NULL, 0);
	return 0;
}

static inline int restart(void)
{
	void *none = NULL;

	(void)teardown(&none);
	start_server();
	return 0;
}

#define CLI_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

#endif
