#ifndef TESTS_CONFORMANCE_GROUND_H
#define TESTS_CONFORMANCE_GROUND_H

/*
 * What a case is played on: a real database with known tables, a real treatyd,
 * and three connections.
 *
 *   hand  an application's, wrapped by Treaty
 *   twin  the same kind of connection, past Treaty
 *   eye   sets the tables up and takes snapshots, past Treaty
 *
 * The tables come from schema/NAME.sql: statements, each ended by ";" at the
 * end of a line, then "-- fill: TABLE+…" in front of the statements that empty
 * and fill these tables again, and "-- sequences:" in front of those that set
 * number generators back.
 */

#include "rm-agent/db/db.h"
#include "tests/conformance/cases.h"
#include "tests/fakes/treatyd_proc.h"
#include "tests/live/servers.h"

#define GROUND_FILLS 80

struct ground_fill {
	const char *tables; /* as snapshots name them, + between */
	const char *sql;
};

struct ground {
	enum dialect dialect;
	struct servers servers;
	struct treatyd treatyd;
	struct treaty *treaty;
	char dsn[300];
	struct db *eye;
	void *hand;
	struct treaty_at *at;
	void *twin_native;
	struct db *twin;
	struct arena arena;
	struct ground_fill fills[GROUND_FILLS];
	size_t n_fills;
	const char *sequences;
	struct bytes look; /* the query of a snapshot */
	struct buf pristine;
};

/* Start everything and make the tables. False with a word on stderr. */
bool ground_open(struct ground *g, enum dialect dialect, const char *folder);
void ground_close(struct ground *g);
/* A transaction hangs: forget the coordinator and its undo rows. */
bool ground_renew(struct ground *g);

/*
 * Every row of every table but undo_log, and the names of the tables, as text
 * that differs if one byte of one value does; one line a row, in order.
 */
void ground_look(struct ground *g, struct buf *out);
/* The first differences of two snapshots, for a message. */
void ground_difference(const struct buf *a, const struct buf *b,
		       struct buf *out);
/* Back to the known contents and sequences. `now`: the present content if it
 * is known, else NULL. */
bool ground_reset(struct ground *g, const struct buf *now);

/* SQLite remembers the last insert id of a connection: let hand and twin
 * remember the same. */
void ground_even(struct ground *g);

/* One value of a query by the eye, as a number. */
long ground_count(struct ground *g, const char *sql);
/* One number of the coordinator's statistics; -1: not there. */
long ground_stat(const struct ground *g, const char *name);

/* Split at ";" at the ends of lines; NULL at the end. Takes *rest apart. */
char *next_statement(char **rest);

#endif
