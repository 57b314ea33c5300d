#include "tests/fakes/treatyd_proc.h"

#include "base/buf.h"

#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define FLAGS_MAX 32
#define START_MS  20000

static void sleep_ms(long ms)
{
	struct timespec ts = { ms / 1000, ms % 1000 * 1000000 };

	(void)nanosleep(&ts, NULL);
}

static void put(char *to, size_t size, const char *a, const char *b)
{
	struct buf text;

	buf_init(&text, &mem_heap);
	buf_printf(&text, "%s%s", a, b);
	REQUIRE(buf_error(&text) == OK && text.len < size);
	memcpy(to, buf_text(&text), text.len + 1);
	buf_fini(&text);
}

static void read_file(struct buf *out, const char *path)
{
	uint8_t block[4096];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = 0;

	buf_init(out, &mem_heap);
	while (fd >= 0 && (n = read(fd, block, sizeof block)) > 0)
		buf_put(out, (struct bytes){ block, (size_t)n });
	if (fd >= 0)
		(void)close(fd);
}

/* ---- start ---- */

static void make_folder(struct treatyd *d)
{
	const char *tmp = getenv("TMPDIR");

	put(d->dir, sizeof d->dir, tmp && strlen(tmp) < 30 ? tmp : "/tmp",
	    "/treatyd-XXXXXX");
	REQUIRE(mkdtemp(d->dir));
	put(d->data, sizeof d->data, d->dir, "/data");
	put(d->log, sizeof d->log, d->dir, "/log");
}

static _Noreturn void run(const struct treatyd *d, const char **flags)
{
	const char *binary = getenv("TREATYD");
	const char *args[FLAGS_MAX + 8];
	size_t n = 0;
	int fd = open(d->log, O_WRONLY | O_CREAT | O_APPEND, 0600);

	if (fd >= 0) {
		(void)dup2(fd, STDERR_FILENO);
		(void)dup2(fd, STDOUT_FILENO);
	}
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (d->wrapper) {
		args[n++] = "/bin/sh";
		args[n++] = "-c";
		args[n++] = d->wrapper;
		args[n++] = "sh";
	}
	args[n++] = binary ? binary : TREATYD_BINARY;
	while (*flags)
		args[n++] = *flags++;
	args[n] = NULL;
	(void)execv(args[0], (char *const *)(void *)args);
	_exit(127);
}

static bool find_line(const struct buf *text, const char *name, char *out,
		      size_t size)
{
	const char *p = (const char *)text->data;
	size_t left = text->len, n = strlen(name);

	while (left > n) {
		const char *nl = memchr(p, '\n', left);
		size_t len = nl ? (size_t)(nl - p) : left;

		if (len > n && strncmp(p, name, n) == 0 && len - n < size) {
			memcpy(out, p + n, len - n);
			out[len - n] = '\0';
			return true;
		}
		if (!nl)
			return false;
		p += len + 1;
		left -= len + 1;
	}
	return false;
}

/* Ready means: the address file names this very process. */
static bool is_ready(struct treatyd *d)
{
	struct buf text;
	char path[96], pid[32] = "";
	bool ready;

	put(path, sizeof path, d->data, "/address");
	read_file(&text, path);
	ready = find_line(&text, "pid ", pid, sizeof pid) &&
		strtol(pid, NULL, 10) == (long)d->pid &&
		find_line(&text, "agents ", d->agents, sizeof d->agents);
	if (ready)
		(void)find_line(&text, "http ", d->http, sizeof d->http);
	buf_fini(&text);
	return ready;
}

static bool wait_ready(struct treatyd *d)
{
	for (int ms = 0; ms < START_MS; ms += 5) {
		siginfo_t info = { 0 };

		if (is_ready(d))
			return true;
		if (waitid(P_PID, (id_t)d->pid, &info,
			   WEXITED | WNOHANG | WNOWAIT) == 0 &&
		    info.si_pid == d->pid)
			return false;
		sleep_ms(5);
	}
	return false;
}

bool treatyd_start(struct treatyd *d, ...)
{
	const char *flags[FLAGS_MAX + 5] = { "--data-dir", d->data };
	char http[80], agents[80];
	const char *flag;
	size_t n = 2;
	va_list args;

	REQUIRE(d->pid == 0);
	if (d->dir[0] == '\0')
		make_folder(d);
	if (d->agents[0] != '\0') { /* the ports of the life before */
		put(agents, sizeof agents, "--agents-listen=", d->agents);
		put(http, sizeof http, "--http-listen=", d->http);
		flags[n++] = agents;
		flags[n++] = http;
	} else {
		flags[n++] = "--port=0";
	}
	va_start(args, d);
	while (n < FLAGS_MAX && (flag = va_arg(args, const char *)))
		flags[n++] = flag;
	va_end(args);
	flags[n] = NULL;
	d->pid = fork();
	REQUIRE(d->pid >= 0);
	if (d->pid == 0)
		run(d, flags);
	return wait_ready(d);
}

/* ---- end ---- */

int treatyd_wait(struct treatyd *d)
{
	int status = 0;

	if (d->pid == 0)
		return -1;
	REQUIRE(waitpid(d->pid, &status, 0) == d->pid);
	d->pid = 0;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

void treatyd_signal(struct treatyd *d, int signal)
{
	REQUIRE(d->pid > 0 && kill(d->pid, signal) == 0);
}

void treatyd_kill(struct treatyd *d)
{
	if (d->pid == 0)
		return;
	treatyd_signal(d, SIGKILL);
	(void)treatyd_wait(d);
}

int treatyd_stop(struct treatyd *d)
{
	treatyd_signal(d, SIGTERM);
	return treatyd_wait(d);
}

static int remove_one(const char *path, const struct stat *st, int type,
		      struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

void treatyd_remove(struct treatyd *d)
{
	treatyd_kill(d);
	if (d->dir[0] != '\0')
		(void)nftw(d->dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	*d = (struct treatyd){ 0 };
}

/* ---- questions ---- */

bool treatyd_said(const struct treatyd *d, const char *text)
{
	struct buf log;
	bool found;

	read_file(&log, d->log);
	found = strstr(buf_text(&log), text) != NULL;
	buf_fini(&log);
	return found;
}

bool treatyd_says(const struct treatyd *d, const char *text, int ms)
{
	for (int waited = 0; waited <= ms; waited += 10) {
		if (treatyd_said(d, text))
			return true;
		sleep_ms(10);
	}
	return false;
}

static void read_proc(struct buf *out, const struct treatyd *d,
		      const char *name)
{
	struct buf path;

	buf_init(&path, &mem_heap);
	buf_printf(&path, "/proc/%d/%s", (int)d->pid, name);
	read_file(out, buf_text(&path));
	buf_fini(&path);
}

long treatyd_status(const struct treatyd *d, const char *field)
{
	struct buf text;
	char value[64] = "", name[64];
	bool found;

	put(name, sizeof name, field, ":");
	read_proc(&text, d, "status");
	found = find_line(&text, name, value, sizeof value);
	buf_fini(&text);
	return found ? strtol(value, NULL, 10) : 0;
}

long treatyd_cpu_ms(const struct treatyd *d)
{
	struct buf text;
	const char *p;
	char *rest;
	long ticks = 0;

	read_proc(&text, d, "stat");
	p = strrchr(buf_text(&text), ')'); /* the name may hold anything */
	for (int i = 0; p && i < 12; i++)  /* user time is the 14th field */
		p = strchr(p + 1, ' ');
	if (p) {
		ticks = strtol(p, &rest, 10);
		ticks += strtol(rest, NULL, 10);
	}
	buf_fini(&text);
	return ticks * 1000 / sysconf(_SC_CLK_TCK);
}
