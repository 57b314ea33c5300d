#ifndef RM_AGENT_XA_RESOURCE_H
#define RM_AGENT_XA_RESOURCE_H

/*
 * A database that takes part in XA: one for each resource id of a handle,
 * shared by all connections of the application to it, and these connections.
 *
 *   IDLE --start--> ACTIVE --end--> ENDING --prepared--> PINNED
 *    ^                 |               |                   |
 *    '--rollback-------'--voted no-----'<--phase two-- FINISHING
 *
 * (PostgreSQL goes from ENDING to IDLE: a prepared branch has no session.)
 *
 * Rules
 * -----
 *  - The lock guards the states and everything else that is not constant. In
 *    ACTIVE and ENDING the connection is the program's thread's, in FINISHING
 *    the worker's, in PINNED nobody's; it is never used under the lock.
 *  - The resource lives as long as the agent offers it or a connection is
 *    wrapped.
 */

#include "base/list.h"
#include "base/log.h"
#include "rm-agent/agent.h"
#include "rm-agent/xa/server.h"

#include <treaty/xa.h>

#include <pthread.h>

#define XA_POOL_MAX 8    /* idle connections of phase two */
#define XA_SEEN_MAX 1024 /* branches that recovery watches at once */

enum xa_state { XA_IDLE, XA_ACTIVE, XA_ENDING, XA_PINNED, XA_FINISHING };

struct treaty_xa {
	struct list link;
	struct xa_resource *r;
	struct db *db;
	void *native; /* closed by us; NULL: the db owns it */
	uint64_t session;
	enum xa_state state;
	bool abandoned; /* the program let go of it while it was pinned */
	bool read_only;
	bool doomed; /* rollback-only, by the program or an error */
	bool struck; /* phase two has rolled it back already */
	char why[256];
	uint64_t serial; /* of its transaction object, which may be gone */
	struct xa_gid gid;
	struct xa_mark mark;
	char text[XA_TEXT_MAX + 64]; /* the gid as the database lists it */
};

/* The options with every default filled in; text is owned. */
struct xa_options {
	char *resource;
	char *dsn;
	char *table;
	bool may_create;
	bool weak_durability;
	bool no_thread;
	uint32_t pinned_wait_ms;
	uint32_t recover_every_ms;
	uint32_t recover_after_ms;
	uint32_t keep_days;
};

struct xa_seen {
	struct xa_gid gid;
	uint64_t since_ms;
	bool still; /* in the scan under way */
	bool told;  /* that nobody knows what is to become of it */
};

struct xa_resource {
	struct treaty *t;
	const struct xa_server *server;
	struct xa_options opt;
	char *id;
	char *table; /* MySQL: of traces */

	pthread_mutex_t lock;
	pthread_cond_t changed;
	unsigned refs;
	bool stopping;
	struct list all; /* struct treaty_xa */
	struct db *pool[XA_POOL_MAX];
	size_t n_pool;
	struct treaty_xa_stats stats;

	pthread_mutex_t scanning; /* guards .seen; one scan at a time */
	struct xa_seen seen[XA_SEEN_MAX];
	size_t n_seen;
	bool has_thread;
	pthread_t thread;
};

/* `options` may be NULL; `dsn` counts if they have none. E_NOMEM. */
MUST_CHECK int xa_options_init(struct xa_options *out,
			       const struct treaty_xa_options *options,
			       const char *dsn);
void xa_options_fini(struct xa_options *o);

/*
 * The resource of this database: the one that is there, or a new one, gated
 * and offered to the coordinator. Counts one reference. `app` may be NULL.
 * *options is taken over on OK, or left. With the text of treaty_last_error().
 */
MUST_CHECK int xa_resource_get(struct treaty *t, struct db *app,
			       struct xa_options *options,
			       struct xa_resource **out);
void xa_resource_drop(struct xa_resource *r);

/* A connection of our own: an idle one or a new one; NULL: *error, *rc. */
struct db *xa_take(struct xa_resource *r, struct db_error *error, int *rc);
/* Put it back; one that is not idle any more is closed. */
void xa_give(struct xa_resource *r, struct db *db);

/* Close the connection and free it; it is on no list. */
void xa_free(struct treaty_xa *xa);
/* The state has changed. An abandoned connection that is idle is freed, then
 * false is returned. Locked. */
bool xa_move(struct treaty_xa *xa, enum xa_state state);

/* Monotonic. */
uint64_t xa_now_ms(void);
/* Wait on .changed until then. Locked. False: the time has come. */
bool xa_wait_until(struct xa_resource *r, uint64_t until_ms);

/* ---- finish.c ---- */

/* The handler of phase two. */
void xa_phase_two(void *ctx, const struct agent_command *command,
		  struct agent_result *result);
/* Commit or roll back one branch as decided, wherever it is; appends to *why.
 * Returns what a handler answers. attempt: the coordinator's, 0 for recovery. */
enum branch_status xa_finish(struct xa_resource *r, const struct xa_gid *gid,
			     const struct xa_mark *mark, bool commit,
			     uint64_t attempt, struct buf *why);

/* What a branch tells the coordinator for its second phase. */
void xa_data_put(struct buf *out, uint64_t session, const char *xact);
/* E_CORRUPT. */
MUST_CHECK int xa_data_get(struct bytes data, uint64_t *session,
			   struct xa_mark *mark);

/* ---- recover.c ---- */

MUST_CHECK int xa_recover_start(struct xa_resource *r); /* E_IO */
void xa_recover_stop(struct xa_resource *r);
MUST_CHECK int xa_recover_scan(struct xa_resource *r);

enum xa_duty { XA_LEAVE, XA_COMMIT, XA_ROLL_BACK };
/* What is to be done with a branch of a transaction of which its coordinator
 * says this (rc, status of agent_verdict()). */
enum xa_duty xa_duty_of(int rc, int status);

#endif
