#ifndef RM_AGENT_AT_ENGINE_H
#define RM_AGENT_AT_ENGINE_H

/*
 * The AT engine: one statement of the application on a wrapped connection,
 * whatever shape the application's call had.
 *
 * Rules
 * -----
 *  - The shape hands in how to run the statement (struct at_run). The engine
 *    decides whether and when, with its own text or with a changed one, and
 *    takes images around it.
 *  - In autocommit nothing waits for other global transactions while a local
 *    transaction is open: the branch is registered without waiting, on a
 *    conflict the local transaction is rolled back, the wait is outside, then
 *    the statement is tried again. So a waiter never holds database rows (or
 *    SQLite's one write lock) that somebody else's next statement or undo
 *    needs. At the commit of an explicit transaction the wait is short
 *    (EXPLICIT_WAIT_MS), for the same reason.
 *  - Every failure of the engine in an explicit transaction after the
 *    statement has run rolls the local transaction back: it is never left with
 *    a change that has no image.
 *
 * One thread at a time, as the connection.
 */

#include "rm-agent/at/image_sql.h"
#include "rm-agent/at/resource.h"
#include "rm-agent/at/scripts.h"
#include "undo/lock_keys.h"
#include "undo/quote.h"
#include "undo/record.h"

#include "base/log.h"

#include <strings.h>

#define EXPLICIT_WAIT_MS 200

struct at_error {
	struct treaty_at_error shown;
	struct buf text;
	char sqlstate[6];
	char holder[XID_LEN_MAX + 1];
	enum db_class class; /* of the database's error, if it was one */
};

struct savepoint {
	char name[64];
	size_t n_items;
};

/* The local transaction. */
struct local {
	bool open;   /* an explicit one: begun by the application */
	bool images; /* record is in use */
	bool wrote;  /* something unprotected was written in it */
	bool synced; /* SQLite: the write lock is ours */
	/* Ours, left open by a statement that still gives rows. */
	bool unfinished;
	/* PostgreSQL: BEGIN goes with the first statement of ours. */
	bool begin_due;
	bool by_savepoint; /* SQLite: begun by SAVEPOINT */
	uint64_t id;       /* of this connection's local transactions */
	uint64_t serial;   /* of the global transaction; 0: none */
	struct arena arena;
	struct record record;
	struct savepoint *saves;
	size_t n_saves, cap_saves;
	/* Keys that a refused registration or lock check was about; in
	 * key_arena, so that they outlive the rollback. */
	struct arena key_arena;
	struct bytes *keys;
	size_t n_keys;
};

struct treaty_at {
	struct map_node node; /* registry, by the native connection */
	const void *native;
	const struct mem *mem;
	struct at_link link;
	struct at_resource *resource;
	struct at_options opt;
	struct db *db;
	enum dialect dialect;
	struct scripts scripts;
	struct targets targets;
	bool repeated;      /* the present statement's text came before */
	char database[200]; /* MySQL: in which names are looked up */
	bool stale;         /* parser options and targets must be read again */
	struct local local;
	struct arena call_arena; /* of one call: its parameters */
	struct at_error error;
	struct treaty_at_stats stats;
	uint64_t tx_count;
	uint64_t aside_count; /* see returning.c */
	/* SQLite: of the application's last write; -1: ask SQLite. */
	int changes;
	int64_t rowid;
	void *shape; /* what the native shape keeps with the connection */
	void (*shape_free)(struct treaty_at *at);
};

uint64_t at_now_ms(void);
void at_sleep_ms(uint64_t ms);

/* ---- the application's statement ---- */

/* Whether the shape can take the engine's columns out of a result that is
 * otherwise the application's (RETURNING of both). */
enum at_split {
	AT_SPLIT_NO,
	AT_SPLIT_TYPED, /* they come with exact types */
	AT_SPLIT_TEXT,  /* they come as text: ask for text only */
};

struct at_done {
	/* Rows changed as the database counts them, and rows that the
	 * condition met (MySQL counts unchanged rows only there). */
	uint64_t affected;
	uint64_t matched;
	uint64_t insert_id;
	/* Rows of the RETURNING that the engine asked for. */
	struct db_result rows;
};

struct at_run {
	struct bytes sql;
	const struct value *params;
	size_t n_params;
	/* Whether run() can return rows that the engine asked for by a changed
	 * text, and hide them from the application. */
	bool can_return;
	/* It can, but some of what the application may ask for afterwards is
	 * lost; only where nothing else works. */
	bool must_return;
	/* The driver's prepared form is fixed: `text` is never taken. */
	bool fixed_text;
	enum at_split split;
	/* Set by the engine: so many columns in front are its own; the rest is
	 * the application's result. */
	size_t hidden;
	bool keep; /* the shape's own: may be kept prepared */
	/*
	 * Run it: with its own text, or with `text` if that is not empty (same
	 * parameters). `rows`: the text returns rows for the engine, into the
	 * arena. Codes as db_exec(), E_IO for a failure that the native result
	 * describes; then .native is true.
	 */
	int (*run)(struct at_run *run, struct bytes text, bool rows,
		   struct arena *arena, struct at_done *out);
	/* Forget the result: it will run again, or something else failed. */
	void (*drop)(struct at_run *run);
	/* Set by run(): the statement gives rows to the application and cannot
	 * be committed before the last; then at_finish_own() is called. What
	 * it changed is not counted yet. */
	bool unfinished;
	/* MySQL: the first number that the database made up, if RETURNING was
	 * used; the driver does not tell then. */
	uint64_t insert_id;
	/* What to call the columns of rows for the engine; see db_stmt.as. */
	const enum value_type *as;
	size_t n_as;
	bool native; /* the application's own statement failed by itself */
	void *ctx;
};

/* True if the call must go through at_run_statement(): a global transaction is
 * there, a local one of ours is open, or locks are to be respected. */
bool at_concerned(struct treaty_at *at);

/* For calls that pass by: notices text that may change what the engine knows
 * of the session. */
void at_passed_by(struct treaty_at *at, struct bytes sql);

/* Codes as treaty_at_exec(). */
MUST_CHECK int at_run_statement(struct treaty_at *at, struct at_run *run);

/* Commit what was left open by an unfinished statement in autocommit. */
MUST_CHECK int at_finish_own(struct treaty_at *at);

/* ---- local transactions ---- */

MUST_CHECK int at_begin(struct treaty_at *at);
MUST_CHECK int at_commit(struct treaty_at *at);
MUST_CHECK int at_rollback(struct treaty_at *at);
MUST_CHECK int at_savepoint(struct treaty_at *at, struct bytes name);
/* The application has rolled back to it, or will. */
void at_rolled_back_to(struct treaty_at *at, struct bytes name);
void at_released(struct treaty_at *at, struct bytes name);

/* Start images of the local transaction for the thread's global one. */
MUST_CHECK int local_enter(struct treaty_at *at, struct treaty_tx *tx);
/* Register the branch, write the undo rows, commit. Rolls back on failure.
 * c->holder is set if it was refused because of a lock. */
/* run NULL: commit by ourselves, else run it, the application's COMMIT. */
MUST_CHECK int local_finish(struct treaty_at *at, uint64_t wait_ms,
			    struct at_run *run,
			    struct agent_conflict *conflict);
/* Whether the rows of the images are free for `tx`, without taking them. On a
 * conflict the keys are kept and *conflict says who holds one. */
MUST_CHECK int local_check(struct treaty_at *at, struct treaty_tx *tx,
			   struct agent_conflict *conflict);
/* Roll back and forget. */
void local_abandon(struct treaty_at *at);
/* Forget images and keys; the database's transaction is over. */
void local_reset(struct treaty_at *at);
/* Keep copies of the keys for waiting after the rollback. E_NOMEM. */
MUST_CHECK int local_keep_keys(struct treaty_at *at, const struct lock_keys *k);

/* ---- the pieces of a protected statement ---- */

struct work {
	struct treaty_at *at;
	struct treaty_tx *tx;
	const struct sql_script *script;
	const struct sql_statement *st;
	struct at_run *run;
	struct target *target;
	struct arena *arena;
	struct image before;
	struct image after;
	struct at_done done;
	bool *fresh; /* PostgreSQL: which returned rows are new, by place */
	bool ran;    /* the application's statement has run */
	enum db_class class; /* of the failure of the statement itself */
};

/* Find the target and ask whether it can be protected. */
MUST_CHECK int work_target(struct work *w);
/* The local transaction has begun, if it was due. */
MUST_CHECK int at_begun(struct treaty_at *at);
/* The first read of a statement, and work_check_target(). */
MUST_CHECK int work_read_first(struct work *w, const struct db_stmt *stmt,
			       struct image *img);
/* The description of the target is still true; E_AGAIN: it was not, try
 * again. */
MUST_CHECK int work_check_target(struct work *w);
/* Images around the statement, and the statement. E_AGAIN: other rows than
 * those of the before image were changed; roll back and try again. */
MUST_CHECK int write_update(struct work *w);
MUST_CHECK int write_delete(struct work *w);
MUST_CHECK int write_insert(struct work *w);
/* E_UNSUPPORTED: one of the assignments changes a key column. */
MUST_CHECK int write_refuse_key_change(struct work *w,
				       const struct sql_assign *assigns,
				       size_t n);
/* Run the application's statement; see at_run.run. */
MUST_CHECK int work_run(struct work *w, struct bytes text, bool rows);
/* The statement's text with "AND key IN (the rows of .before)". */
MUST_CHECK int work_pinned_text(struct work *w, struct buf *out);
/* Lock keys of what a locking SELECT will lock. */
MUST_CHECK int read_locked(struct work *w, struct lock_keys *keys);

/* Protect a write, in whatever local transaction there is. */
MUST_CHECK int at_protect_write(struct work *w);
/* The same for a SELECT … FOR UPDATE or SHARE. */
MUST_CHECK int at_protect_read(struct work *w);

/* Run an image select; adds the rows to *img, each key once. */
MUST_CHECK int image_read(struct treaty_at *at, const struct db_stmt *stmt,
			  const struct target *t, struct image *img);
/* Rows that came otherwise. */
MUST_CHECK int image_add_rows(struct treaty_at *at, const struct target *t,
			      const struct db_result *r, struct image *img);
/* Read rows again by the keys of `of`. */
MUST_CHECK int image_read_again(struct treaty_at *at, const struct target *t,
				const struct image *of, struct image *img);

/* PostgreSQL: standard_conforming_strings. */
bool at_pg_standard_strings(struct db *db);

/* ---- errors ---- */

/* Set the connection's and the thread's error. Returns code. */
int at_fail(struct treaty_at *at, int code, const char *fmt, ...)
	PRINTF_LIKE(3, 4);
/* From the database's error; `what` was being done. */
int at_fail_db(struct treaty_at *at, int code, const char *what);
/* From a conflict. */
int at_fail_conflict(struct treaty_at *at, int code,
		     const struct agent_conflict *c);
/* A code of the agent, whose text treaty_last_error() holds already. */
int at_fail_agent(struct treaty_at *at, int code);
void at_error_clear(struct treaty_at *at);

/* ---- registry ---- */

/* The wrapper of a native connection, or NULL. */
struct treaty_at *at_find(const void *native);
/* Wrap `db` (taken over on OK). */
MUST_CHECK int at_wrap(const struct at_link *link, struct db *db,
		       const void *native,
		       const struct treaty_at_options *options, const char *dsn,
		       struct treaty_at **out);

#endif
