#ifndef TESTS_LIVE_AT_WORLD_H
#define TESTS_LIVE_AT_WORLD_H

/*
 * One database, an ordinary connection of an application to it that is wrapped,
 * another one that looks on, and a desk for a coordinator.
 */

#include "rm-agent/at/engine.h"
#include "tests/fakes/at_desk.h"
#include "tests/live/servers.h"

struct at_world {
	struct at_desk desk;
	enum dialect dialect;
	char dsn[400];
	struct db *eye;  /* reads and sets up, past Treaty */
	struct db *hand; /* owner of the application's connection, see .at */
	void *native;
	struct treaty_at *at;
};

/* Connect to `dsn` and wrap. Fails the test if anything is wrong. */
void world_open(struct at_world *w, const char *dsn,
		const struct treaty_at_options *options);
/* Another connection to the same database, with the same desk. */
void world_open_second(struct at_world *w, const struct at_world *first,
		       const struct treaty_at_options *options);
/* Only try to wrap, with a desk of its own; the code, and the text is that of
 * treaty_last_error(). */
int world_try(const struct at_world *w,
	      const struct treaty_at_options *options);
void world_close(struct at_world *w);
/* Close what world_open_second() opened. */
void world_close_second(struct at_world *w);

/* Run SQL past Treaty; several statements, separated by ";\n". */
void world_sql(struct at_world *w, const char *sql);
/* What a query gives, as text: values separated by |, rows by newlines. Freed
 * by free(). */
char *world_look(struct at_world *w, const char *sql);
int64_t world_count(struct at_world *w, const char *sql);

/* treaty_at_exec() with a message if it fails otherwise than expected. */
void world_exec(struct at_world *w, const char *sql, int expected);

#endif
