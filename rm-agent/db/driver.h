#ifndef RM_AGENT_DB_DRIVER_H
#define RM_AGENT_DB_DRIVER_H

/*
 * What each of the three drivers does for db.h, and what they share.
 *
 * Rules
 * -----
 *  - A driver's functions are only called when the connection is free: db.c
 *    has asked state() before, except for state(), forget() and close().
 *  - On failure they fill db->error through driver_fail() and return its err.
 */

#include "base/buf.h"
#include "rm-agent/db/charset.h"
#include "rm-agent/db/db.h"
#include "rm-agent/db/kept.h"
#include "rm-agent/db/number.h"

struct driver {
	enum dialect dialect;
	int (*exec)(struct db *db, const struct db_stmt *stmt,
		    struct arena *arena, struct db_result *out);
	/* NULL: one after the other */
	int (*exec_all)(struct db *db, const struct db_stmt *stmts, size_t n,
			struct arena *arena, struct db_result *results,
			size_t *done);
	int (*command)(struct db *db, const char *sql);
	int (*commit)(struct db *db);
	enum db_state (*state)(struct db *db);
	bool (*autocommit)(struct db *db);
	int (*identity)(struct db *db, struct buf *out);
	/* Read again what is kept of the session's settings. */
	int (*refresh)(struct db *db);
	/* Close one kept statement; never fails visibly. */
	void (*drop)(struct db *db, struct kept_stmt *stmt);
	int (*native)(struct db *db, const void *result, bool was_in_tx);
	/* Free the struct; close the connection if it is owned. */
	void (*close)(struct db *db);
};

struct db {
	const struct driver *driver;
	const struct mem *mem;
	bool owned;
	bool mariadb;
	bool stale; /* settings must be read again before the next statement */
	struct kept kept;
	struct charset charset; /* of the session's SQL and text */
	struct db_error error;
};

/* The parts all drivers begin with. E_NOMEM. */
MUST_CHECK int driver_init(struct db *db, const struct driver *driver,
			   const struct mem *mem);
void driver_fini(struct db *db);

/* Record a failure and return err. */
int driver_fail(struct db *db, int err, enum db_class class,
		const char *sqlstate, int native, const char *message);
int driver_nomem(struct db *db);
/* Fill an error that belongs to no connection yet. */
int error_set(struct db_error *e, int err, enum db_class class,
	      const char *sqlstate, int native, const char *message);

/* Room for a result of so many columns and rows. E_NOMEM. */
MUST_CHECK int driver_result(struct db_result *r, struct arena *arena,
			     size_t columns, size_t rows);
/* Give the values the types that the statement asks for. */
void driver_retag(const struct db_stmt *stmt, struct db_result *r);

/* Connect, see db_open(). `dsn` is what stands in db_open(). */
MUST_CHECK int pg_open(struct db **out, const struct mem *mem, const char *dsn,
		       struct db_error *error);
MUST_CHECK int my_open(struct db **out, const struct mem *mem, const char *dsn,
		       struct db_error *error);
MUST_CHECK int lite_open(struct db **out, const struct mem *mem,
			 const char *path, struct db_error *error);

#endif
