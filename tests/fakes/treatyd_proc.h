#ifndef TESTS_FAKES_TREATYD_PROC_H
#define TESTS_FAKES_TREATYD_PROC_H

/*
 * A treatyd of a test's own: a process in a temporary folder on free ports.
 *
 *   struct treatyd d = { 0 };
 *   treatyd_start(&d, "--lock-wait-max=1s", NULL);
 *   … connect to d.agents (tcp://…), ask d.http (host:port) …
 *   treatyd_kill(&d);            kill -9
 *   treatyd_start(&d, NULL);     again, same folder and ports
 *   treatyd_remove(&d);          kill it and remove the folder
 *
 * Everything ends the test process by REQUIRE when it cannot be done. The
 * binary is $TREATYD, or the one of this build.
 */

#include "base/base.h"

#include <sys/types.h>

struct treatyd {
	pid_t pid;           /* 0: not running */
	char dir[64];        /* its data directory is below */
	char data[80];       /* the data directory */
	char log[80];        /* the file with its log */
	char agents[64];     /* tcp://127.0.0.1:port */
	char http[64];       /* 127.0.0.1:port */
	const char *wrapper; /* e.g. a shell line that ends in exec "$@" */
};

/* Flags end with NULL. Returns when it is ready; true. False if it ended
 * instead: then *exit_code of treatyd_wait() and the log say why. */
bool treatyd_start(struct treatyd *d, ...) __attribute__((sentinel));
void treatyd_kill(struct treatyd *d); /* SIGKILL, and wait for its end */
/* SIGTERM, and wait for its end. Its exit code; -1 if a signal ended it. */
int treatyd_stop(struct treatyd *d);
void treatyd_signal(struct treatyd *d, int signal);
/* Wait for its end. As treatyd_stop(). */
int treatyd_wait(struct treatyd *d);
/* Whether its log has this text (all lives of it). */
bool treatyd_said(const struct treatyd *d, const char *text);
/* The same, waiting up to ms for it. */
bool treatyd_says(const struct treatyd *d, const char *text, int ms);
/* The value of a field in /proc/PID/status, e.g. "VmRSS"; 0 if unknown. */
long treatyd_status(const struct treatyd *d, const char *field);
/* CPU time used so far, ms. */
long treatyd_cpu_ms(const struct treatyd *d);
void treatyd_remove(struct treatyd *d);

#endif
