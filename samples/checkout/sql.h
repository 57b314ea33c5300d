#ifndef SAMPLES_CHECKOUT_SQL_H
#define SAMPLES_CHECKOUT_SQL_H

/*
 * SQL on a connection as the database's own library runs it: nothing here
 * protects anything. For the modes that bring their own protection.
 *
 * Rules
 * -----
 *  - Statements are written with `?` for every database.
 *  - Each call returns false when the database refused; then c->error says why,
 *    the local transaction is to be rolled back, and the connection is closed
 *    when it is given back.
 */

#include "samples/checkout/database.h"

#define SQL_COLUMNS  4
#define SQL_TEXT_MAX 255

/* What a statement did, and the first row that it found, as text; NULL is
 * empty, and what is too long is cut. */
struct sql_row {
	bool found;
	uint64_t changed;
	char text[SQL_COLUMNS][SQL_TEXT_MAX + 1];
};

/* `row` may be NULL. */
bool sql_run(struct connection *c, const char *sql,
	     const struct treaty_value *params, size_t n, struct sql_row *row);
/* Column 0 as a number; 0 if there is none. */
int64_t sql_number(const struct sql_row *row);

bool sql_begin(struct connection *c); /* SQLite: as the only writer */
bool sql_commit(struct connection *c);
void sql_rollback(struct connection *c);

/* Make text of SQL with $1, $2, … of SQL with `?`; at most size - 1 bytes. */
void sql_dollars(char *text, size_t size, const char *sql);

#endif
