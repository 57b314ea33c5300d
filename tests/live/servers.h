#ifndef TESTS_LIVE_SERVERS_H
#define TESTS_LIVE_SERVERS_H

/*
 * Real database servers for a test program: thrown away afterwards, also when
 * the program dies. Start them once, in a group setup.
 *
 * A server that is missing or does not start fails the test.
 */

#include <stdbool.h>

struct servers {
	char dir[128];        /* also room for SQLite files */
	char postgresql[160]; /* DSN; "" if not asked for */
	char mariadb[160];
	int supervisor; /* pid of scripts/servers run */
};

enum {
	SERVERS_POSTGRESQL = 1,
	SERVERS_MARIADB = 2,
};

/* Start what is asked for (0: only the folder). 0, or -1 with a word on
 * stderr. */
int servers_start(struct servers *s, int which);
void servers_stop(struct servers *s);

/* kill -9 of one server ("postgresql", "mariadb"), and start it again with its
 * data on its port. 0 or -1. */
int servers_kill(struct servers *s, const char *name);
int servers_again(struct servers *s, const char *name);

#endif
