#ifndef TC_DOOR_STREAM_H
#define TC_DOOR_STREAM_H

/*
 * Listeners and connections of a door: TCP and unix sockets, buffers both
 * ways, limits and timers, one epoll descriptor for all of it.
 *
 * Rules
 * -----
 *  - Nothing blocks. stream_out() only collects; streams_flush() sends.
 *  - Input: one read of at most 64 KiB for each connection and turn, so that a
 *    fast sender starves nobody.
 *  - Output is bounded. A peer with more than half of the bound waiting is not
 *    read from; one that lets it fill up is disconnected.
 *  - Without free descriptors the listeners rest for a moment instead of
 *    spinning; whoever waits in the backlog is accepted later.
 *  - A connection is freed only after .closed was told, and never within a
 *    call of its user: stream_close() just marks it.
 */

#include "base/buf.h"
#include "base/heap.h"

struct streams;
struct stream;

struct stream_options {
	size_t connections_max;
	size_t input_max;  /* bytes of one message and its framing */
	size_t output_max; /* bytes waiting to be sent to one peer */
};

struct stream_user {
	void *ctx;
	/* Somebody connected. An error closes the connection silently. */
	int (*opened)(void *ctx, struct stream *s);
	/* Bytes came. *used says how many were taken off the front. An error
	 * closes the connection. */
	int (*input)(void *ctx, struct stream *s, struct bytes in,
		     size_t *used);
	/* The time set with stream_set_due() has come. */
	void (*due)(void *ctx, struct stream *s);
	/* The last call for this connection; after .opened said OK only. */
	void (*closed)(void *ctx, struct stream *s, const char *why);
};

MUST_CHECK int streams_new(struct streams **out, const struct mem *mem,
			   const struct stream_options *options,
			   const struct stream_user *user);
/* Closes everything, telling .closed. NULL is fine. */
void streams_free(struct streams *s);

/*
 * Listen on "tcp://host:port" (port 0: any free one), "tcp://[v6]:port" or
 * "ipc:///path" (a stale socket file is removed, a live one is not). *bound
 * gets the address as it is, *error a sentence when the result isn't OK.
 * E_INVALID: not such an address; E_IO: cannot be bound; E_NOMEM.
 */
MUST_CHECK int streams_listen(struct streams *s, const char *address,
			      struct buf *bound, struct buf *error);

/* True if other machines could reach the address. */
bool stream_address_is_open(const char *address);

int streams_fd(const struct streams *s);
/* Accept, read and call due timers. True: more is waiting. */
bool streams_process(struct streams *s, uint64_t now_ms);
void streams_flush(struct streams *s);
uint64_t streams_deadline(const struct streams *s);
/* No more new connections. */
void streams_stop(struct streams *s);
/* Nothing waits to be sent. */
bool streams_idle(const struct streams *s);

struct streams_stats {
	uint64_t accepted, refused, closed;
	size_t connections_now;
};

struct streams_stats streams_stats(const struct streams *s);

/* ---- one connection ---- */

void *stream_data(const struct stream *s);
void stream_set_data(struct stream *s, void *data);
/* "127.0.0.1:4711", "unix:pid 42"; for people. */
const char *stream_address(const struct stream *s);
bool stream_is_ipc(const struct stream *s);

/* Where to append what must be sent; it goes with the next flush. Its error,
 * if any, closes the connection then. */
struct buf *stream_out(struct stream *s);
/* Close at the end of the turn; with `send_rest` after what is in the output
 * went out, but not later than the next due time. */
void stream_close(struct stream *s, const char *why, bool send_rest);
bool stream_closing(const struct stream *s);
/* UINT64_MAX: never. */
void stream_set_due(struct stream *s, uint64_t due_ms);

#endif
