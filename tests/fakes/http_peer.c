#include "tests/fakes/http_peer.h"

#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define REQUEST_MAX 16384
#define KEYS_MAX    64 /* of the first requests */
#define KEY_MAX     256

struct http_peer {
	int fd;
	unsigned port;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t gone;
	bool stopping;
	size_t threads;
	size_t requests, connections, now, most;
	char last[REQUEST_MAX + 1];
	char keys[KEYS_MAX][KEY_MAX];
};

struct conn {
	struct http_peer *peer;
	int fd;
	char in[REQUEST_MAX + 1];
	size_t len;
	bool end;
};

/* ---- bytes ---- */

static bool is_stopping(struct http_peer *p)
{
	bool stopping;

	pthread_mutex_lock(&p->lock);
	stopping = p->stopping;
	pthread_mutex_unlock(&p->lock);
	return stopping;
}

static void nap(long ms)
{
	struct timespec ts = { ms / 1000, ms % 1000 * 1000000 };

	(void)nanosleep(&ts, NULL);
}

static bool put(struct conn *c, const char *text, size_t len)
{
	while (len > 0) {
		ssize_t n = send(c->fd, text, len, MSG_NOSIGNAL);

		if (n <= 0)
			return false;
		text += n;
		len -= (size_t)n;
	}
	return true;
}

static void put_text(struct conn *c, const char *text)
{
	c->end = !put(c, text, strlen(text)) || c->end;
}

/* False: the other side is gone, or we are to stop. */
static bool more(struct conn *c)
{
	struct pollfd pfd = { c->fd, POLLIN, 0 };

	while (!is_stopping(c->peer)) {
		ssize_t n;

		if (poll(&pfd, 1, 20) <= 0)
			continue;
		n = recv(c->fd, c->in + c->len, REQUEST_MAX - c->len, 0);
		if (n <= 0)
			return false;
		c->len += (size_t)n;
		c->in[c->len] = '\0';
		return true;
	}
	return false;
}

/* Until the other side goes. */
static void wait_gone(struct conn *c)
{
	c->len = 0;
	while (more(c))
		c->len = 0;
	c->end = true;
}

/* ---- answers ---- */

static void answer(struct conn *c, int status, const char *type,
		   const char *body)
{
	char head[512];
	int n = snprintf(head, sizeof head,
			 "HTTP/1.1 %d As told\r\nContent-Type: %s\r\n"
			 "Content-Length: %zu\r\n\r\n%s",
			 status, type, strlen(body),
			 strlen(body) < 256 ? body : "");

	REQUIRE(n > 0 && (size_t)n < sizeof head);
	put_text(c, head);
	if (strlen(body) >= 256)
		put_text(c, body);
}

static void slowly(struct conn *c, const char *before)
{
	put_text(c, before);
	while (!c->end && !is_stopping(c->peer)) {
		put_text(c, "x");
		nap(20);
	}
	c->end = true;
}

static void flood(struct conn *c)
{
	put_text(c, "HTTP/1.1 200 OK\r\n");
	while (!c->end && !is_stopping(c->peer))
		put_text(c,
			 "X-More: of this and of that and of everything\r\n");
}

static void huge(struct conn *c, const char *type)
{
	static char much[65536];
	char head[200];

	memset(much, ' ', sizeof much);
	(void)snprintf(head, sizeof head,
		       "HTTP/1.1 200 OK\r\nContent-Type: %s\r\n"
		       "Content-Length: %d\r\n\r\n",
		       type, 64 * 65536);
	put_text(c, head);
	for (int i = 0; i < 64 && !c->end; i++)
		c->end = !put(c, much, sizeof much);
}

static void half(struct conn *c, bool reset)
{
	struct linger now = { 1, 0 };

	put_text(c, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf");
	if (reset) {
		nap(20);
		(void)setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &now,
				 sizeof now);
	}
	c->end = true;
}

static bool is(const char *path, const char *with)
{
	return strncmp(path, with, strlen(with)) == 0;
}

static void act_badly(struct conn *c, const char *path)
{
	if (is(path, "/never"))
		wait_gone(c);
	else if (is(path, "/trickle"))
		slowly(c, "HTTP/1.1 200 OK\r\nX-Long: ");
	else if (is(path, "/drip"))
		slowly(c, "HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n");
	else if (is(path, "/flood"))
		flood(c);
	else if (is(path, "/huge"))
		huge(c, is(path, "/huge/json") ? "application/json"
					       : "text/plain");
	else if (is(path, "/reset"))
		half(c, true);
	else if (is(path, "/cut"))
		half(c, false);
	else if (is(path, "/garbage"))
		put_text(c, "\x01\x02 what is this\r\n\r\n");
	else if (is(path, "/bare"))
		put_text(c, "just a body");
	c->end = true; /* and /close */
}

static void act(struct conn *c, const char *path, const char *body)
{
	if (is(path, "/s/"))
		answer(c, (int)strtol(path + 3, NULL, 10), "text/plain",
		       "as told");
	else if (is(path, "/echo"))
		answer(c, 200, "application/json", body);
	else if (is(path, "/json/"))
		answer(c, 200, "application/json; charset=utf-8", path + 6);
	else if (is(path, "/refuse"))
		answer(c, 409, "application/json",
		       "{\"error\":\"NoMoney\","
		       "\"message\":\"the wallet is empty\"}");
	else if (is(path, "/slow/")) {
		nap(strtol(path + 6, NULL, 10));
		answer(c, 200, "text/plain", "late");
	} else if (is(path, "/redirect"))
		put_text(c, "HTTP/1.1 302 Found\r\nLocation: /s/200\r\n"
			    "Content-Length: 0\r\n\r\n");
	else if (is(path, "/gzip"))
		put_text(c, "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n"
			    "Content-Type: application/json\r\n"
			    "Content-Length: 5\r\n\r\n\x1f\x8b\x08xx");
	else if (is(path, "/continue")) {
		put_text(c, "HTTP/1.1 100 Continue\r\n\r\n");
		answer(c, 200, "text/plain", "gone on");
	} else if (is(path, "/last")) {
		answer(c, 200, "text/plain", "bye");
		c->end = true;
	} else
		act_badly(c, path);
}

/* ---- connections ---- */

static size_t body_length(const char *head)
{
	const char *field = strcasestr(head, "\r\ncontent-length:");

	return field ? (size_t)strtol(field + 17, NULL, 10) : 0;
}

/* One request, whole; its body is behind the head. NULL: no more. */
static char *read_request(struct conn *c)
{
	char *end;

	while (!(end = strstr(c->in, "\r\n\r\n")))
		if (c->len == REQUEST_MAX || !more(c))
			return NULL;
	end += 4;
	while (c->len < (size_t)(end - c->in) + body_length(c->in))
		if (c->len == REQUEST_MAX || !more(c))
			return NULL;
	return end;
}

static void keep_key(char *out, const char *request)
{
	static const char name[] = "\r\nIdempotency-Key: ";
	const char *key = strstr(request, name);
	size_t n;

	if (!key)
		return;
	key += sizeof name - 1;
	n = strcspn(key, "\r");
	REQUIRE(n < KEY_MAX);
	memcpy(out, key, n);
	out[n] = '\0';
}

static void count(struct http_peer *p, const char *request, int by)
{
	pthread_mutex_lock(&p->lock);
	p->now += (size_t)by;
	if (p->now > p->most)
		p->most = p->now;
	if (request) {
		if (p->requests < KEYS_MAX)
			keep_key(p->keys[p->requests], request);
		p->requests++;
		memcpy(p->last, request, strlen(request) + 1);
	}
	pthread_mutex_unlock(&p->lock);
}

static void serve(struct conn *c)
{
	char path[4096], *body;
	const char *from;
	size_t n;

	while (!c->end && (body = read_request(c))) {
		count(c->peer, c->in, 1);
		from = strchr(c->in, ' ');
		n = from ? strcspn(from + 1, " ?") : 0;
		REQUIRE(from && n < sizeof path);
		memcpy(path, from + 1, n);
		path[n] = '\0';
		act(c, path, body);
		count(c->peer, NULL, -1);
		c->len = 0;
		c->in[0] = '\0';
	}
}

static void *run_conn(void *arg)
{
	struct conn *c = arg;
	struct http_peer *p = c->peer;

	serve(c);
	(void)close(c->fd);
	mem_free(&mem_heap, c);
	pthread_mutex_lock(&p->lock);
	p->threads--;
	pthread_cond_signal(&p->gone);
	pthread_mutex_unlock(&p->lock);
	return NULL;
}

static void start_conn(struct http_peer *p, int fd)
{
	struct conn *c = mem_alloc(&mem_heap, sizeof *c);
	pthread_attr_t attr;
	pthread_t thread;

	REQUIRE(c);
	c->peer = p;
	c->fd = fd;
	pthread_mutex_lock(&p->lock);
	p->connections++;
	p->threads++;
	pthread_mutex_unlock(&p->lock);
	REQUIRE(pthread_attr_init(&attr) == 0);
	REQUIRE(pthread_attr_setstacksize(&attr, 262144) == 0);
	REQUIRE(pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED) ==
		0);
	REQUIRE(pthread_create(&thread, &attr, run_conn, c) == 0);
	(void)pthread_attr_destroy(&attr);
}

static void *run_listener(void *arg)
{
	struct http_peer *p = arg;
	struct pollfd pfd = { p->fd, POLLIN, 0 };

	while (!is_stopping(p)) {
		int fd;

		if (poll(&pfd, 1, 20) <= 0)
			continue;
		fd = accept4(p->fd, NULL, NULL, SOCK_CLOEXEC);
		if (fd >= 0)
			start_conn(p, fd);
	}
	return NULL;
}

static void listen_at(struct http_peer *p, const char *address)
{
	struct addrinfo hints = { .ai_flags = AI_NUMERICHOST,
				  .ai_socktype = SOCK_STREAM };
	struct sockaddr_storage at;
	struct addrinfo *found;
	socklen_t len = sizeof at;
	char port[8];

	REQUIRE(getaddrinfo(address, "0", &hints, &found) == 0);
	p->fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	REQUIRE(p->fd >= 0);
	REQUIRE(bind(p->fd, found->ai_addr, found->ai_addrlen) == 0);
	REQUIRE(listen(p->fd, 4096) == 0);
	REQUIRE(getsockname(p->fd, (struct sockaddr *)&at, &len) == 0);
	REQUIRE(getnameinfo((struct sockaddr *)&at, len, NULL, 0, port,
			    sizeof port, NI_NUMERICSERV) == 0);
	p->port = (unsigned)strtoul(port, NULL, 10);
	freeaddrinfo(found);
}

struct http_peer *http_peer_start(const char *address)
{
	struct http_peer *p = mem_alloc(&mem_heap, sizeof *p);

	REQUIRE(p);
	listen_at(p, address);
	REQUIRE(pthread_mutex_init(&p->lock, NULL) == 0);
	REQUIRE(pthread_cond_init(&p->gone, NULL) == 0);
	REQUIRE(pthread_create(&p->thread, NULL, run_listener, p) == 0);
	return p;
}

void http_peer_stop(struct http_peer *p)
{
	pthread_mutex_lock(&p->lock);
	p->stopping = true;
	pthread_mutex_unlock(&p->lock);
	REQUIRE(pthread_join(p->thread, NULL) == 0);
	pthread_mutex_lock(&p->lock);
	while (p->threads > 0)
		pthread_cond_wait(&p->gone, &p->lock);
	pthread_mutex_unlock(&p->lock);
	(void)close(p->fd);
	(void)pthread_mutex_destroy(&p->lock);
	(void)pthread_cond_destroy(&p->gone);
	mem_free(&mem_heap, p);
}

unsigned http_peer_port(const struct http_peer *p)
{
	return p->port;
}

static size_t get(struct http_peer *p, const size_t *field)
{
	size_t n;

	pthread_mutex_lock(&p->lock);
	n = *field;
	pthread_mutex_unlock(&p->lock);
	return n;
}

size_t http_peer_requests(struct http_peer *p)
{
	return get(p, &p->requests);
}

size_t http_peer_connections(struct http_peer *p)
{
	return get(p, &p->connections);
}

size_t http_peer_at_once(struct http_peer *p)
{
	return get(p, &p->most);
}

static char *copy(struct http_peer *p, const char *text)
{
	char *out;

	pthread_mutex_lock(&p->lock);
	out = mem_text(&mem_heap, bytes_of(text));
	pthread_mutex_unlock(&p->lock);
	REQUIRE(out);
	return out;
}

char *http_peer_last(struct http_peer *p)
{
	return copy(p, p->last);
}

char *http_peer_key(struct http_peer *p, size_t n)
{
	return copy(p, n < KEYS_MAX ? p->keys[n] : "");
}
