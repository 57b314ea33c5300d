#include "tests/live/servers.h"

#include "base/buf.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* TREATY_SERVERS is the script, TREATY_TEMPLATES where it may keep copies of
 * fresh data folders. Both are paths, given by CMake. */

static void read_line(struct servers *s, char *line)
{
	char *space = strchr(line, ' '), *to = NULL;
	size_t len;

	line[strcspn(line, "\n")] = '\0';
	if (!space)
		return;
	*space++ = '\0';
	if (strcmp(line, "postgresql") == 0)
		to = s->postgresql;
	else if (strcmp(line, "mariadb") == 0)
		to = s->mariadb;
	len = strlen(space);
	if (to && len < sizeof(s->mariadb))
		memcpy(to, space, len + 1);
}

/* The script watches our pid and ends the servers when it is gone. */
static void become_supervisor(struct servers *s, int which, int out, int parent)
{
	const char *argv[8] = { TREATY_SERVERS, "run", s->dir };
	struct buf pid;
	int n = 3;

	buf_init(&pid, &mem_heap);
	buf_printf(&pid, "%d", parent);
	argv[n++] = buf_text(&pid);
	if (which & SERVERS_POSTGRESQL)
		argv[n++] = "postgresql";
	if (which & SERVERS_MARIADB)
		argv[n++] = "mariadb";
	(void)dup2(out, STDOUT_FILENO);
	(void)close(out);
	/* A group of its own: a Ctrl-C ends the test, and that ends us. */
	(void)setpgid(0, 0);
	(void)setenv("TREATY_TEMPLATES", TREATY_TEMPLATES, 1);
	(void)execv(argv[0], (char *const *)(void *)argv);
	_exit(127);
}

int servers_start(struct servers *s, int which)
{
	char line[256] = "";
	int fds[2], self = (int)getpid();
	FILE *in;

	*s = (struct servers){ .dir = "/tmp/treaty-live-XXXXXX" };
	/* The servers run as users of their own and must get through. */
	if (!mkdtemp(s->dir) || chmod(s->dir, 0711) != 0 || pipe(fds) != 0) {
		perror("servers");
		return -1;
	}
	if (which == 0) {
		(void)close(fds[0]);
		(void)close(fds[1]);
		return 0;
	}
	s->supervisor = (int)fork();
	if (s->supervisor == 0) {
		(void)close(fds[0]);
		become_supervisor(s, which, fds[1], self);
	}
	(void)close(fds[1]);
	in = fdopen(fds[0], "r");
	while (in && fgets(line, sizeof(line), in) &&
	       strcmp(line, "ready\n") != 0)
		read_line(s, line);
	if (in)
		(void)fclose(in);
	if (strcmp(line, "ready\n") == 0)
		return 0;
	fprintf(stderr, "servers did not start, see %s\n", s->dir);
	servers_stop(s);
	return -1;
}

static int script(const char *verb, struct servers *s, const char *name)
{
	int status = 0;
	pid_t pid = fork();

	if (pid == 0) {
		(void)dup2(STDERR_FILENO, STDOUT_FILENO);
		(void)execl(TREATY_SERVERS, TREATY_SERVERS, verb, s->dir, name,
			    (char *)NULL);
		_exit(127);
	}
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return pid > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0
									: -1;
}

int servers_kill(struct servers *s, const char *name)
{
	return script("kill", s, name);
}

int servers_again(struct servers *s, const char *name)
{
	return script("start", s, name);
}

static void remove_dir(const char *dir)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		(void)execl("/bin/rm", "rm", "-rf", dir, (char *)NULL);
		_exit(127);
	}
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
}

void servers_stop(struct servers *s)
{
	int status;

	if (s->supervisor > 0) {
		(void)kill(s->supervisor, SIGTERM);
		while (waitpid(s->supervisor, &status, 0) < 0 && errno == EINTR)
			;
		s->supervisor = 0;
	}
	if (strncmp(s->dir, "/tmp/treaty-live-", 17) == 0)
		remove_dir(s->dir);
	s->dir[0] = '\0';
}
