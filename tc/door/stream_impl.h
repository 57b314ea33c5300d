#ifndef TC_DOOR_STREAM_IMPL_H
#define TC_DOOR_STREAM_IMPL_H

/* What the files of the stream layer share. */

#include "base/list.h"
#include "tc/door/stream.h"

#include <sys/types.h>

/* What an epoll event of ours points at. */
enum watched { WATCH_LISTENER, WATCH_STREAM };

struct watch {
	enum watched what;
	int fd;
};

struct listener {
	struct watch watch;
	struct list link;
	bool ipc;
	struct buf path; /* of the socket file, to be removed */
};

/*
 * How bytes get through a socket. Plain here; TLS has a struct of its own
 * that answers the same: bytes, 0 at the end, -1 with errno (EAGAIN: later).
 */
struct stream_io {
	ssize_t (*read)(struct stream *s, void *p, size_t n);
	ssize_t (*write)(struct stream *s, const void *p, size_t n);
	void (*close)(struct stream *s);
};

struct stream {
	struct watch watch;
	struct list link;  /* of all */
	struct list dirty; /* something to send, or to close */
	struct heap_node timer;
	struct streams *owner;
	const struct stream_io *io;
	void *data;
	bool ipc;
	bool closing;
	bool send_rest;
	bool eof; /* reading or writing failed: nothing can be sent */
	uint32_t events;
	const char *why;
	struct buf address;
	struct buf in;  /* the beginning of a message that is not whole yet */
	struct buf out; /* from .sent on it must still go */
	size_t sent;
};

struct streams {
	const struct mem *mem;
	struct stream_options options;
	struct stream_user user;
	int epoll;
	struct list listeners;
	struct list all;
	struct list dirty;
	struct heap timers;
	struct streams_stats stats;
	uint64_t now_ms;
	uint64_t rest_until_ms; /* listeners are off; 0: they are on */
	uint64_t said_ms;       /* when we last complained about descriptors */
	bool stopped;
	uint8_t *scratch; /* one read */
};

int listener_watch(struct streams *s, struct listener *l, bool on);
void listener_free(struct streams *s, struct listener *l);

#endif
