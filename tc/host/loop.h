#ifndef TC_HOST_LOOP_H
#define TC_HOST_LOOP_H

/*
 * The one thread that owns the core, the store and the doors.
 *
 * A turn: wait; let every ready door hand in what arrived; store the rows of
 * all these steps as one batch with one sync; tell the core that they are
 * durable; hand out the answers and commands; send.
 *
 * Rules
 * -----
 *  - Rows that no promise waits for are kept back for `lazy_ms`, then written
 *    without a sync, or earlier with the next forced ones.
 *  - A failed apply is final: nothing more is answered, loop_run() returns.
 *  - While draining no transaction may begin; unfinished ones may end.
 */

#include "tc/door/door.h"
#include "tc/host/config.h"

struct loop;

/* A loop that has nothing to do yet. The configuration is borrowed. OK, E_NOMEM
 * or E_IO. */
MUST_CHECK int loop_new(struct loop **out, const struct mem *mem,
			const struct config *config);
/* Closes the doors, the core and the store. NULL is fine. */
void loop_free(struct loop *l);

/*
 * Take the store, also when it fails, and read every row of it back into a
 * new core. *error says what is wrong and what can be done.
 * E_CORRUPT, E_VERSION, E_CONFLICT, E_IO, E_NOMEM, E_INVALID.
 */
MUST_CHECK int loop_load(struct loop *l, struct store *store,
			 const struct core_config *config, struct buf *error);

/* For doors that are about to be opened. */
struct door_port *loop_port(struct loop *l);
MUST_CHECK int loop_add(struct loop *l, const struct door *door);

/* Watch another descriptor, e.g. of signals. */
MUST_CHECK int loop_watch(struct loop *l, int fd,
			  void (*ready)(void *ctx, int fd), void *ctx);
/* Call `tick` at least that often; 0: never. */
void loop_set_tick(struct loop *l, uint64_t every_ms, void (*tick)(void *ctx),
		   void *ctx);

/* Until drained, stopped or broken. OK, or what broke; *error says it. */
MUST_CHECK int loop_run(struct loop *l, struct buf *error);
/* No new transactions; end when the unfinished ones are through, or after
 * drain_ms. Again: end now. */
void loop_drain(struct loop *l);
/* Take what may change from the configuration that loop_new() was given. */
MUST_CHECK int loop_reconfigure(struct loop *l);

#endif
