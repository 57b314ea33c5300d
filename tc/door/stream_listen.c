/* Addresses and listening sockets. */
#include "tc/door/stream_impl.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG 1024

struct address {
	bool ipc;
	char host[256];
	char port[16];
	char path[sizeof((struct sockaddr_un *)0)->sun_path];
};

static bool copy_text(char *to, size_t size, const char *from, size_t len)
{
	if (len == 0 || len >= size)
		return false;
	memcpy(to, from, len);
	to[len] = '\0';
	return true;
}

static bool port_ok(const char *port)
{
	unsigned n = 0;

	for (const char *p = port; *p; p++) {
		if (*p < '0' || *p > '9')
			return false;
		n = n * 10 + (unsigned)(*p - '0');
		if (n > 65535)
			return false;
	}
	return port[0] != '\0';
}

static bool parse_tcp(const char *text, struct address *a)
{
	const char *colon = strrchr(text, ':');
	const char *host = text;
	size_t len;

	if (!colon ||
	    !copy_text(a->port, sizeof a->port, colon + 1, strlen(colon + 1)))
		return false;
	len = (size_t)(colon - text);
	if (len > 2 && host[0] == '[' && host[len - 1] == ']') {
		host++;
		len -= 2;
	}
	return copy_text(a->host, sizeof a->host, host, len) &&
	       port_ok(a->port);
}

static bool parse(const char *text, struct address *a)
{
	*a = (struct address){ 0 };
	if (strncmp(text, "tcp://", 6) == 0)
		return parse_tcp(text + 6, a);
	if (strncmp(text, "ipc://", 6) != 0)
		return false;
	a->ipc = true;
	return copy_text(a->path, sizeof a->path, text + 6, strlen(text + 6));
}

static bool host_is_local(const struct sockaddr *sa)
{
	const struct sockaddr_in *v4 =
		(const struct sockaddr_in *)(const void *)sa;
	const struct sockaddr_in6 *v6 =
		(const struct sockaddr_in6 *)(const void *)sa;

	if (sa->sa_family == AF_INET)
		return ntohl(v4->sin_addr.s_addr) >> 24 == 127;
	return sa->sa_family == AF_INET6 &&
	       IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr);
}

static int resolve(const struct address *a, struct addrinfo **out)
{
	const struct addrinfo hints = {
		.ai_flags = AI_PASSIVE | AI_NUMERICSERV,
		.ai_socktype = SOCK_STREAM,
	};

	return getaddrinfo(strcmp(a->host, "*") == 0 ? NULL : a->host, a->port,
			   &hints, out);
}

bool stream_address_is_open(const char *address)
{
	struct addrinfo *found;
	struct address a;
	bool open = false;

	if (!parse(address, &a) || a.ipc || resolve(&a, &found) != 0)
		return false;
	for (struct addrinfo *i = found; i; i = i->ai_next)
		open = open || !host_is_local(i->ai_addr);
	freeaddrinfo(found);
	return open;
}

/* ---- sockets ---- */

static int fail(struct buf *error, int err, const char *address,
		const char *what, const char *advice)
{
	buf_clear(error);
	buf_printf(error, "cannot listen on %s: %s; %s", address, what, advice);
	return err;
}

static int bind_tcp(const struct addrinfo *ai)
{
	int on = 1;
	int fd = socket(ai->ai_family,
			SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -1;
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (bind(fd, ai->ai_addr, ai->ai_addrlen) == 0 &&
	    listen(fd, BACKLOG) == 0)
		return fd;
	on = errno;
	(void)close(fd);
	errno = on;
	return -1;
}

static int listen_tcp(const struct address *a, const char *text,
		      struct buf *error, int *fd)
{
	struct addrinfo *found;
	int rc = resolve(a, &found);

	if (rc != 0)
		return fail(error, E_INVALID, text, gai_strerror(rc),
			    "write tcp://host:port with a host that this "
			    "machine knows");
	*fd = bind_tcp(found);
	freeaddrinfo(found);
	if (*fd < 0)
		return fail(error, E_IO, text, strerror(errno),
			    "choose another port or stop who has it");
	return OK;
}

/* A socket file that nobody answers on is a left-over of a killed process. */
static bool is_live(const struct sockaddr_un *sun)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool live;

	if (fd < 0)
		return true;
	live = connect(fd, (const struct sockaddr *)(const void *)sun,
		       sizeof *sun) == 0;
	(void)close(fd);
	return live;
}

static void remove_stale(const struct sockaddr_un *sun)
{
	struct stat st;

	if (lstat(sun->sun_path, &st) == 0 && S_ISSOCK(st.st_mode) &&
	    !is_live(sun))
		(void)unlink(sun->sun_path);
}

static int listen_ipc(const struct address *a, const char *text,
		      struct buf *error, int *out)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return fail(error, E_IO, text, strerror(errno),
			    "raise the limit of open files");
	memcpy(sun.sun_path, a->path, sizeof sun.sun_path);
	remove_stale(&sun);
	/* A path this short cannot be cut; the mode keeps strangers out. */
	if (bind(fd, (struct sockaddr *)(void *)&sun, sizeof sun) != 0 ||
	    chmod(a->path, 0660) != 0 || listen(fd, BACKLOG) != 0) {
		int err = fail(error, E_IO, text, strerror(errno),
			       "check the folder, and that no other process "
			       "listens there");

		(void)close(fd);
		return err;
	}
	*out = fd;
	return OK;
}

static void put_bound(struct buf *out, const struct address *a, int fd)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof ss;
	char host[64], port[16];

	if (a->ipc) {
		buf_printf(out, "ipc://%s", a->path);
		return;
	}
	if (getsockname(fd, (struct sockaddr *)&ss, &len) != 0 ||
	    getnameinfo((struct sockaddr *)&ss, len, host, sizeof host, port,
			sizeof port, NI_NUMERICHOST | NI_NUMERICSERV) != 0)
		return;
	buf_printf(out, strchr(host, ':') ? "tcp://[%s]:%s" : "tcp://%s:%s",
		   host, port);
}

int listener_watch(struct streams *s, struct listener *l, bool on)
{
	struct epoll_event ev = { .events = on ? EPOLLIN : 0,
				  .data.ptr = &l->watch };

	if (epoll_ctl(s->epoll, EPOLL_CTL_MOD, l->watch.fd, &ev) == 0 ||
	    epoll_ctl(s->epoll, EPOLL_CTL_ADD, l->watch.fd, &ev) == 0)
		return OK;
	return E_IO;
}

void listener_free(struct streams *s, struct listener *l)
{
	list_remove(&l->link);
	(void)close(l->watch.fd);
	if (l->path.len > 0)
		(void)unlink(buf_text(&l->path));
	buf_fini(&l->path);
	mem_free(s->mem, l);
}

static int listener_add(struct streams *s, const struct address *a, int fd)
{
	struct listener *l = mem_alloc(s->mem, sizeof *l);

	if (!l) {
		(void)close(fd);
		return E_NOMEM;
	}
	l->watch = (struct watch){ WATCH_LISTENER, fd };
	l->ipc = a->ipc;
	buf_init(&l->path, s->mem);
	list_init(&l->link);
	list_append(&s->listeners, &l->link);
	buf_put_text(&l->path, a->path);
	if (buf_error(&l->path) == OK && listener_watch(s, l, true) == OK)
		return OK;
	listener_free(s, l);
	return E_NOMEM;
}

int streams_listen(struct streams *s, const char *address, struct buf *bound,
		   struct buf *error)
{
	struct address a;
	int fd = -1, rc;

	if (!parse(address, &a))
		return fail(error, E_INVALID, address, "not an address",
			    "write tcp://host:port, tcp://[v6]:port or "
			    "ipc:///path");
	rc = a.ipc ? listen_ipc(&a, address, error, &fd)
		   : listen_tcp(&a, address, error, &fd);
	if (rc != OK)
		return rc;
	buf_clear(bound);
	put_bound(bound, &a, fd);
	rc = listener_add(s, &a, fd);
	if (rc != OK)
		return fail(error, rc, address, "out of memory",
			    "give the process more");
	return buf_error(bound);
}
