#ifndef TC_DOOR_DOOR_H
#define TC_DOOR_DOOR_H

/*
 * What a door and the loop (tc/host/loop.h) know of each other. A door turns
 * what arrives from outside into events, and effects into what leaves.
 *
 * One turn of the loop
 * --------------------
 *   1. process() of each door whose fd is readable or whose deadline came; it
 *      hands in events with port->event().
 *   2. The rows of all these steps are stored, as one batch.
 *   3. reply() and command() for each effect that is addressed to the door.
 *   4. flush() of each door.
 *
 * Rules
 * -----
 *  - Everything runs on the loop's thread and none of it may block.
 *  - reply() and command() are never called from within port->event() or
 *    process(). What they hand over is borrowed for the call.
 *  - A reply or command for a peer that is gone is dropped silently.
 *  - The core and the store may be asked from process(), reply(), command()
 *    and flush(); answers are borrowed until the next port->event().
 *  - The upper 8 bits of a peer's number name its door (door_peer); requests
 *    of the http door have peer 0. The lower ones never repeat in a process.
 */

#include "base/buf.h"
#include "tc/core/core.h"
#include "tc/door/allow_list.h"
#include "tc/store/store.h"

enum door_number { DOOR_HTTP, DOOR_AGENTS, DOOR_SEATA, DOOR_CALLER, DOORS };

enum host_state {
	HOST_LOADING, /* rows are read back; the doors are still closed */
	HOST_READY,
	HOST_DRAINING, /* finishing what is under way, then exit */
};

struct door_stats {
	uint64_t accepted, refused, closed;
	uint64_t messages_in, messages_out;
	uint64_t malformed;
	size_t connections_now;
};

/* What the loop gives to a door. Lives as long as the door. */
struct door_port {
	void *ctx;

	/* Step the core; from process() and flush(). .now_ms and .wall_ms are filled in here. Begins are
	 * answered with E_CLOSED while draining, without the core.
	 * OK, E_NOMEM, or E_LIMIT (EV_PEER_UP: too many): nothing changed,
	 * refuse what was asked. */
	int (*event)(void *ctx, struct event *event);

	/* Monotonic, and milliseconds since 1970; of this turn. */
	uint64_t (*now_ms)(void *ctx);
	uint64_t (*wall_ms)(void *ctx);

	enum host_state (*state)(void *ctx);
	const struct core *(*core)(void *ctx);
	struct store *(*store)(void *ctx);
	/* Of another door; nothing but zeros if it is not open. */
	struct door_stats (*door_stats)(void *ctx, enum door_number door);
	/* Everything that is measured, as Prometheus reads it. */
	void (*metrics)(void *ctx, struct buf *out);
	struct bytes coordinator; /* "host:port" in front of every xid */
	/* Which URLs may be called; SIGHUP puts another one here. NULL: none. */
	const struct allow_list *allow_list;
};

/* What a door is to the loop. `self` is the door's own. */
struct door {
	void *self;
	enum door_number number;
	const char *name;
	const char *address; /* where it listens, for people and DIR/address */
	int fd;              /* readable when process() has something to do */

	/* Read what is there, time out what is late; bounded work. True: more
	 * is waiting, call again without waiting for the fd. */
	bool (*process)(void *self, uint64_t now_ms);
	/* When process() wants to be called even if nothing arrives;
	 * UINT64_MAX: never. */
	uint64_t (*deadline)(const void *self);
	void (*reply)(void *self, const struct reply *reply);
	void (*command)(void *self, const struct command *command);
	/* Write as much as the sockets take. */
	void (*flush)(void *self);
	/* Accept nobody new. */
	void (*drain)(void *self);
	/* Nothing is left to write. */
	bool (*idle)(const void *self);
	struct door_stats (*stats)(const void *self);
	void (*close)(void *self);
};

uint64_t door_peer(enum door_number door, uint64_t serial);
/* DOOR_CALLER for peers that are URLs; DOORS or more for nobody's. */
enum door_number door_of_peer(uint64_t peer);

#endif
