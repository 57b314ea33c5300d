#ifndef RM_AGENT_XA_SERVER_H
#define RM_AGENT_XA_SERVER_H

/*
 * What XA needs of a database, in the dialects of PostgreSQL and of MySQL and
 * MariaDB.
 *
 * Rules
 * -----
 *  - Connections are those of rm-agent/db; on failure db_error() says why, and
 *    codes are those of db_exec() where nothing else is said.
 *  - "Done" is judged by the answer to the very command (the command tag), not
 *    by the absence of an error. E_UNKNOWN: the connection was lost meanwhile.
 */

#include "rm-agent/db/db.h"
#include "rm-agent/xa/gid.h"
#include "rm-agent/xa/verdict.h"

/* What the trace of a branch is looked up by. */
struct xa_mark {
	char xact[24];     /* PostgreSQL's 64-bit transaction id; "" unknown */
	const char *table; /* MySQL: `schema`.`table` */
};

struct xa_server {
	/* Id of the session: backend pid; start of the server and thread id. */
	int (*session)(struct db *db, uint64_t *out);
	int (*begin)(struct db *db, const struct xa_gid *gid, bool read_only);
	/*
	 * Leave the trace by which the branch is found out about later; fills
	 * mark->xact. *wrote: false if the branch has certainly written nothing.
	 */
	int (*mark)(struct db *db, const struct xa_gid *gid,
		    struct xa_mark *mark, bool *wrote);
	/* On any code but OK and E_UNKNOWN the branch is rolled back, or is so
	 * by undo(). */
	int (*prepare)(struct db *db, const struct xa_gid *gid);
	int (*commit)(struct db *db, const struct xa_gid *gid); /* one phase */
	/* Roll back what is not prepared; fine if there is nothing. */
	int (*undo)(struct db *db, const struct xa_gid *gid);

	/* Phase two. OK and *answer; any other code: later again. */
	int (*finish)(struct db *db, const struct xa_gid *gid, bool commit,
		      enum xa_answer *answer);
	int (*listed)(struct db *db, const struct xa_gid *gid, bool *listed);
	int (*trace)(struct db *db, const struct xa_gid *gid,
		     const struct xa_mark *mark, enum xa_trace *out);
	/* Whether an OK of finish() must be checked by the trace. */
	bool verify;
	/* The preparing session must finish, or be gone first. */
	bool pinned;
	/* Is that session certainly gone? */
	int (*session_gone)(struct db *db, uint64_t session, bool *gone);
	/* End that session, so that others may finish its branch. */
	int (*evict)(struct db *db, uint64_t session);

	/* All branches that are prepared in this database and ours. */
	int (*list)(struct db *db, struct arena *arena, struct xa_gid **out,
		    size_t *n);
	/* Old traces; *n of them. */
	int (*purge)(struct db *db, const struct xa_mark *mark, uint32_t days,
		     size_t *n);
	/* Settings of a connection of the agent's own. */
	int (*set_up)(struct db *db);
};

extern const struct xa_server xa_pg;
extern const struct xa_server xa_my;

/* The server for this dialect; NULL: it does not support XA. */
const struct xa_server *xa_server_of(enum dialect dialect);

/* ---- what must be so before the first branch (gate_pg.c, gate_my.c) ---- */

/*
 * `app` is the application's connection (NULL: none), `own` the agent's. OK, or
 * a code with the text of treaty_last_error() that says what to set.
 */
MUST_CHECK int xa_gate_pg(struct db *app, struct db *own);
MUST_CHECK int xa_gate_my(struct db *own, bool weak_durability);
/* Find or make the table of traces. *out is `schema`.`table`, owned by the
 * caller. */
MUST_CHECK int xa_table_my(struct db *own, const char *name, bool may_create,
			   char **out);

/* ---- shared ---- */

/* Fail with the text of db_error() behind `what`. Returns rc. */
int xa_fail_db(struct db *db, int rc, const char *what);
/* One row of text: the values of a query without parameters, in the arena. */
MUST_CHECK int xa_row(struct db *db, const char *sql, struct arena *arena,
		      const char **values, size_t n);

#endif
