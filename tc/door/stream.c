/* Connections: accepting, reading, sending, closing. */
#include "tc/door/stream_impl.h"

#include "base/log.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define READ_MAX        65536
#define EVENTS_MAX      256
#define ACCEPT_MAX      64 /* a turn */
#define REST_MS         200
#define COMPLAIN_MS     10000
#define KEEP_BUF_MAX    65536 /* a larger empty buffer is given back */
#define USER_TIMEOUT_MS 60000

/* ---- plain sockets ---- */

static ssize_t plain_read(struct stream *s, void *p, size_t n)
{
	return recv(s->watch.fd, p, n, 0);
}

static ssize_t plain_write(struct stream *s, const void *p, size_t n)
{
	return send(s->watch.fd, p, n, MSG_NOSIGNAL);
}

static void plain_close(struct stream *s)
{
	(void)close(s->watch.fd);
}

static const struct stream_io plain = { plain_read, plain_write, plain_close };

/* ---- life of a connection ---- */

static void mark_dirty(struct stream *s)
{
	if (list_empty(&s->dirty))
		list_append(&s->owner->dirty, &s->dirty);
}

void stream_close(struct stream *s, const char *why, bool send_rest)
{
	if (!s->closing) {
		s->closing = true;
		s->why = why;
		s->send_rest = send_rest;
	}
	s->send_rest = s->send_rest && send_rest;
	mark_dirty(s);
}

static void watch_events(struct stream *s, uint32_t events)
{
	struct epoll_event ev = { .events = events, .data.ptr = &s->watch };

	if (events == s->events)
		return;
	s->events = events;
	(void)epoll_ctl(s->owner->epoll, EPOLL_CTL_MOD, s->watch.fd, &ev);
}

/* Reading stops while a peer lets its answers pile up. */
static void watch_what_matters(struct stream *s)
{
	size_t waiting = s->out.len - s->sent;
	uint32_t events = waiting > 0 ? EPOLLOUT : 0;

	if (!s->closing && waiting <= s->owner->options.output_max / 2)
		events |= EPOLLIN;
	watch_events(s, events);
}

static void drop(struct stream *s)
{
	struct streams *o = s->owner;

	list_remove(&s->link);
	list_remove(&s->dirty);
	heap_remove(&o->timers, &s->timer);
	(void)epoll_ctl(o->epoll, EPOLL_CTL_DEL, s->watch.fd, NULL);
	s->io->close(s);
	buf_fini(&s->address);
	buf_fini(&s->in);
	buf_fini(&s->out);
	mem_free(o->mem, s);
	o->stats.connections_now--;
}

static void end(struct stream *s)
{
	struct streams *o = s->owner;

	o->stats.closed++;
	o->user.closed(o->user.ctx, s, s->why);
	drop(s);
}

/* ---- accepting ---- */

static void put_address(struct stream *s, const struct sockaddr *sa,
			socklen_t len)
{
	char host[64], port[16];
	struct ucred who;
	socklen_t n = sizeof who;

	if (s->ipc) {
		if (getsockopt(s->watch.fd, SOL_SOCKET, SO_PEERCRED, &who,
			       &n) == 0)
			buf_printf(&s->address, "unix:pid %d", (int)who.pid);
		return;
	}
	if (getnameinfo(sa, len, host, sizeof host, port, sizeof port,
			NI_NUMERICHOST | NI_NUMERICSERV) == 0)
		buf_printf(&s->address, "%s:%s", host, port);
}

static void set_options(int fd)
{
	int on = 1;
	unsigned timeout = USER_TIMEOUT_MS;

	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	(void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
	(void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout,
			 sizeof timeout);
}

static struct stream *make(struct streams *o, int fd, bool ipc)
{
	struct stream *s = mem_alloc(o->mem, sizeof *s);
	struct epoll_event ev = { .events = EPOLLIN };

	if (!s)
		return NULL;
	ev.data.ptr = &s->watch;
	if (heap_reserve(&o->timers, o->stats.connections_now + 1) != OK ||
	    epoll_ctl(o->epoll, EPOLL_CTL_ADD, fd, &ev) != 0) {
		mem_free(o->mem, s);
		return NULL;
	}
	s->watch = (struct watch){ WATCH_STREAM, fd };
	s->events = EPOLLIN;
	s->owner = o;
	s->io = &plain;
	s->ipc = ipc;
	buf_init(&s->address, o->mem);
	buf_init(&s->in, o->mem);
	buf_init(&s->out, o->mem);
	s->out.limit = o->options.output_max;
	list_init(&s->link);
	list_init(&s->dirty);
	list_append(&o->all, &s->link);
	o->stats.connections_now++;
	return s;
}

static void welcome(struct streams *o, int fd, bool ipc,
		    const struct sockaddr *sa, socklen_t len)
{
	struct stream *s;

	if (o->stats.connections_now >= o->options.connections_max) {
		o->stats.refused++;
		(void)close(fd);
		return;
	}
	s = make(o, fd, ipc);
	if (!s) {
		o->stats.refused++;
		(void)close(fd);
		return;
	}
	if (!ipc)
		set_options(fd);
	put_address(s, sa, len);
	(void)buf_text(&s->address); /* NUL behind it */
	o->stats.accepted++;
	if (o->user.opened(o->user.ctx, s) != OK)
		drop(s);
	else if (s->out.len > 0)
		mark_dirty(s);
}

/* No descriptor or memory left: rest, or the loop would spin on a listener
 * that stays readable. */
static void rest(struct streams *o, int error)
{
	o->rest_until_ms = o->now_ms + REST_MS;
	LIST_EACH(l, &o->listeners) {
		(void)listener_watch(o, CONTAINER_OF(l, struct listener, link),
				     false);
	}
	if (o->said_ms != 0 && o->now_ms - o->said_ms < COMPLAIN_MS)
		return;
	o->said_ms = o->now_ms + 1;
	LOG_ERROR("cannot accept connections; raise the limit of open files "
		  "(ulimit -n, LimitNOFILE) or lower connections_max",
		  LOG_S("error", strerror(error)),
		  LOG_U("connections", o->stats.connections_now));
}

static void accept_some(struct streams *o, struct listener *l)
{
	for (int i = 0; i < ACCEPT_MAX; i++) {
		struct sockaddr_storage ss;
		socklen_t len = sizeof ss;
		int fd = accept4(l->watch.fd, (struct sockaddr *)&ss, &len,
				 SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd >= 0) {
			welcome(o, fd, l->ipc, (struct sockaddr *)&ss, len);
			continue;
		}
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS ||
		    errno == ENOMEM)
			rest(o, errno);
		if (errno != ECONNABORTED && errno != EINTR)
			return;
	}
}

static void end_rest(struct streams *o)
{
	if (o->rest_until_ms == 0 || o->now_ms < o->rest_until_ms)
		return;
	o->rest_until_ms = 0;
	LIST_EACH(l, &o->listeners) {
		(void)listener_watch(o, CONTAINER_OF(l, struct listener, link),
				     true);
	}
}

/* ---- reading ---- */

/* Hand bytes to the user; what it leaves is kept for the next time. */
static void feed(struct stream *s, struct bytes in)
{
	struct streams *o = s->owner;
	bool kept = s->in.len > 0;
	size_t used = 0;

	if (kept) {
		buf_put(&s->in, in);
		in = buf_bytes(&s->in);
	}
	if (buf_error(&s->in) != OK ||
	    o->user.input(o->user.ctx, s, in, &used) != OK) {
		stream_close(s, "malformed input", true);
		return;
	}
	REQUIRE(used <= in.len);
	if (kept && used > 0)
		memmove(s->in.data, s->in.data + used, in.len - used);
	if (kept)
		s->in.len = in.len - used;
	else
		buf_put(&s->in,
			(struct bytes){ in.data + used, in.len - used });
	if (buf_error(&s->in) != OK)
		stream_close(s, "out of memory", false);
	else if (s->in.len > o->options.input_max)
		stream_close(s, "message too long", true);
	else if (s->in.len == 0 && s->in.cap > KEEP_BUF_MAX)
		buf_fini(&s->in);
}

static void read_some(struct stream *s)
{
	uint8_t *scratch = s->owner->scratch;
	ssize_t n = s->io->read(s, scratch, READ_MAX);

	if (n > 0) {
		feed(s, (struct bytes){ scratch, (size_t)n });
		if (s->out.len > s->sent)
			mark_dirty(s);
		return;
	}
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	s->eof = true;
	stream_close(s, n == 0 ? "closed by peer" : strerror(errno), false);
}

static void on_stream(struct stream *s, uint32_t events)
{
	if (events & EPOLLOUT)
		mark_dirty(s);
	if (s->closing) {
		if (events & (EPOLLHUP | EPOLLERR))
			stream_close(s, s->why, false);
		return;
	}
	if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
		read_some(s);
}

/* ---- sending ---- */

static void send_some(struct stream *s)
{
	while (s->sent < s->out.len && !s->eof) {
		ssize_t n = s->io->write(s, s->out.data + s->sent,
					 s->out.len - s->sent);

		if (n >= 0) {
			s->sent += (size_t)n;
		} else if (errno == EAGAIN) {
			break;
		} else if (errno != EINTR) {
			s->eof = true;
			stream_close(s, strerror(errno), false);
		}
	}
	if (s->sent == 0)
		return;
	memmove(s->out.data, s->out.data + s->sent, s->out.len - s->sent);
	s->out.len -= s->sent;
	s->sent = 0;
	if (s->out.len == 0 && s->out.cap > KEEP_BUF_MAX) {
		buf_fini(&s->out);
		s->out.limit = s->owner->options.output_max;
	}
}

static void flush(struct stream *s)
{
	int err = s->closing ? OK : buf_error(&s->out);

	if (err != OK)
		stream_close(s,
			     err == E_LIMIT ? "reads its answers too slowly"
					    : "out of memory",
			     false);
	if (!s->closing || s->send_rest)
		send_some(s);
	if (s->closing && (!s->send_rest || s->eof || s->out.len == 0)) {
		end(s);
		return;
	}
	watch_what_matters(s);
	list_remove(&s->dirty);
}

void streams_flush(struct streams *o)
{
	struct list *first;

	while ((first = list_first(&o->dirty)))
		flush(CONTAINER_OF(first, struct stream, dirty));
}

/* ---- a turn ---- */

static void fire_timers(struct streams *o)
{
	struct heap_node *n;

	while ((n = heap_first(&o->timers)) && n->due <= o->now_ms) {
		struct stream *s = CONTAINER_OF(n, struct stream, timer);

		heap_remove(&o->timers, n);
		if (s->closing)
			stream_close(s, s->why, false); /* waited enough */
		else
			o->user.due(o->user.ctx, s);
		if (s->out.len > s->sent)
			mark_dirty(s);
	}
}

bool streams_process(struct streams *o, uint64_t now_ms)
{
	struct epoll_event events[EVENTS_MAX];
	int n;

	o->now_ms = now_ms;
	end_rest(o);
	n = epoll_wait(o->epoll, events, EVENTS_MAX, 0);
	for (int i = 0; i < n; i++) {
		struct watch *w = events[i].data.ptr;

		if (w->what == WATCH_LISTENER)
			accept_some(o, CONTAINER_OF(w, struct listener, watch));
		else
			on_stream(CONTAINER_OF(w, struct stream, watch),
				  events[i].events);
	}
	fire_timers(o);
	return n == EVENTS_MAX;
}

uint64_t streams_deadline(const struct streams *o)
{
	const struct heap_node *n = heap_first(&o->timers);
	uint64_t due = n ? n->due : UINT64_MAX;

	if (o->rest_until_ms != 0 && o->rest_until_ms < due)
		return o->rest_until_ms;
	return due;
}

/* ---- the whole ---- */

int streams_new(struct streams **out, const struct mem *mem,
		const struct stream_options *options,
		const struct stream_user *user)
{
	struct streams *o = mem_alloc(mem, sizeof *o);

	if (!o)
		return E_NOMEM;
	o->mem = mem;
	o->options = *options;
	o->user = *user;
	list_init(&o->listeners);
	list_init(&o->all);
	list_init(&o->dirty);
	heap_init(&o->timers, mem);
	o->scratch = mem_alloc(mem, READ_MAX);
	o->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (!o->scratch || o->epoll < 0) {
		streams_free(o);
		return E_NOMEM;
	}
	*out = o;
	return OK;
}

void streams_stop(struct streams *o)
{
	o->stopped = true;
	o->rest_until_ms = 0;
	LIST_EACH(l, &o->listeners) {
		listener_free(o, CONTAINER_OF(l, struct listener, link));
	}
}

void streams_free(struct streams *o)
{
	if (!o)
		return;
	streams_stop(o);
	LIST_EACH(l, &o->all) {
		struct stream *s = CONTAINER_OF(l, struct stream, link);

		if (!s->closing)
			s->why = "the coordinator stops";
		end(s);
	}
	heap_fini(&o->timers);
	mem_free(o->mem, o->scratch);
	if (o->epoll >= 0)
		(void)close(o->epoll);
	mem_free(o->mem, o);
}

int streams_fd(const struct streams *o)
{
	return o->epoll;
}

bool streams_idle(const struct streams *o)
{
	LIST_EACH(l, &o->all) {
		const struct stream *s = CONTAINER_OF(l, struct stream, link);

		if (s->out.len > s->sent)
			return false;
	}
	return true;
}

struct streams_stats streams_stats(const struct streams *o)
{
	return o->stats;
}

void *stream_data(const struct stream *s)
{
	return s->data;
}

void stream_set_data(struct stream *s, void *data)
{
	s->data = data;
}

const char *stream_address(const struct stream *s)
{
	return s->address.len ? (const char *)s->address.data : "";
}

bool stream_is_ipc(const struct stream *s)
{
	return s->ipc;
}

struct buf *stream_out(struct stream *s)
{
	mark_dirty(s);
	return &s->out;
}

bool stream_closing(const struct stream *s)
{
	return s->closing;
}

void stream_set_due(struct stream *s, uint64_t due_ms)
{
	if (due_ms == UINT64_MAX)
		heap_remove(&s->owner->timers, &s->timer);
	else
		heap_set(&s->owner->timers, &s->timer, due_ms);
}
