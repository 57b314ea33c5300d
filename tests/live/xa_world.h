#ifndef TESTS_LIVE_XA_WORLD_H
#define TESTS_LIVE_XA_WORLD_H

/*
 * One database server, a treatyd, an agent, a wrapped connection, and another
 * connection that looks on. The table t (id, v) has rows 1 to 9 with v = 0.
 */

#include "rm-agent/xa/resource.h"
#include "tests/fakes/treatyd_proc.h"
#include "tests/live/servers.h"

#include <libpq-fe.h>
#include <mysql.h>

struct xa_world {
	struct servers *servers;
	const char *dsn;
	struct treatyd d;
	struct treaty *t;
	struct db *eye;
	struct treaty_xa *xa;
	PGconn *pg; /* of .xa */
	MYSQL *my;
	struct treaty_tx *tx;
};

/* Recovery every 100 ms of what was there for 300 ms. */
extern const struct treaty_xa_options xa_world_options;

void xa_world_open(struct xa_world *w, struct servers *s, bool pg);
void xa_world_close(struct xa_world *w);
/* Only treatyd and the eye; then the agent and its connection. */
void xa_world_prepare(struct xa_world *w, struct servers *s, bool pg);
void xa_world_agent(struct xa_world *w);
void xa_world_handle(struct xa_world *w); /* the agent alone */

PGconn *xa_world_pg(const char *dsn);
MYSQL *xa_world_my(const char *dsn);

/* Past Treaty. */
void xa_sql(struct xa_world *w, const char *sql);
int64_t xa_count(struct xa_world *w, const char *sql);
/* Wait until the query gives this; fails the test after 20 s. */
void xa_until(struct xa_world *w, const char *sql, int64_t n);
/* Branches of ours that the server lists. */
size_t xa_listed(struct xa_world *w);
void xa_until_listed(struct xa_world *w, size_t n);
/* Wait for a status of the transaction. */
void xa_until_status(struct xa_world *w, const char *xid, int status);
void xa_nap(unsigned ms);

/* By the program, natively; must succeed. */
void xa_work(struct xa_world *w, const char *sql);
/* Begin a transaction and a branch in it. */
void xa_begin(struct xa_world *w);
/* Release it; its xid before, for 128 bytes. */
void xa_release(struct xa_world *w);
void xa_ok(int rc, const char *what);
#define OKAY(call) xa_ok((call), #call)
void xa_says(const char *part);

/* A process of its own that opens an agent and a branch that sets v = 5 of row
 * 1, ends it and then: */
enum xa_doom {
	XA_DIES_PREPARED,  /* is killed -9 before it decides */
	XA_DIES_COMMITTED, /* commits, and dies when phase two arrives */
	XA_DIES_ACTIVE,    /* dies before it ends the branch */
};
/* Returns when it is dead. The world must not have an agent yet. */
void xa_child(struct xa_world *w, enum xa_doom doom);

#endif
