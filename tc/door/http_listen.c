#include "tc/door/http_listen.h"

#include <errno.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#define BACKLOG 128

struct place {
	int family;
	struct in_addr v4;
	struct in6_addr v6;
	uint16_t port;
};

static bool parse_port(const char *text, uint16_t *port)
{
	unsigned n = 0;

	if (!*text)
		return false;
	for (; *text; text++) {
		if (*text < '0' || *text > '9')
			return false;
		n = n * 10 + (unsigned)(*text - '0');
		if (n > 65535)
			return false;
	}
	*port = (uint16_t)n;
	return true;
}

static bool parse_place(const char *address, struct place *p)
{
	char host[INET6_ADDRSTRLEN + 2];
	const char *colon = strrchr(address, ':');
	size_t len = colon ? (size_t)(colon - address) : 0;

	if (len == 0 || len >= sizeof host || !parse_port(colon + 1, &p->port))
		return false;
	memcpy(host, address, len);
	host[len] = '\0';
	if (strcmp(host, "localhost") == 0) {
		p->family = AF_INET;
		p->v4.s_addr = htonl(INADDR_LOOPBACK);
		return true;
	}
	if (host[0] == '[' && host[len - 1] == ']') {
		host[len - 1] = '\0';
		p->family = AF_INET6;
		return inet_pton(AF_INET6, host + 1, &p->v6) == 1;
	}
	p->family = AF_INET;
	return inet_pton(AF_INET, host, &p->v4) == 1;
}

static bool is_loopback(const struct place *p)
{
	if (p->family == AF_INET)
		return ntohl(p->v4.s_addr) >> 24 == 127;
	return memcmp(&p->v6, &in6addr_loopback, sizeof p->v6) == 0;
}

static int bind_place(int fd, const struct place *p)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET,
				  .sin_port = htons(p->port),
				  .sin_addr = p->v4 };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6,
				   .sin6_port = htons(p->port),
				   .sin6_addr = p->v6 };

	if (p->family == AF_INET)
		return bind(fd, (struct sockaddr *)&v4, sizeof v4);
	return bind(fd, (struct sockaddr *)&v6, sizeof v6);
}

static int open_socket(const struct place *p)
{
	int fd = socket(p->family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC,
			0);
	int on = 1;

	if (fd < 0)
		return -1;
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
	    bind_place(fd, p) == 0 && listen(fd, BACKLOG) == 0)
		return fd;
	on = errno;
	(void)close(fd);
	errno = on;
	return -1;
}

/* What the system made of port 0. */
static int bound_port(int fd, int family, uint16_t *port)
{
	struct sockaddr_in6 name;
	socklen_t len = sizeof name;

	if (getsockname(fd, (struct sockaddr *)&name, &len) < 0)
		return E_IO;
	if (family == AF_INET)
		*port = ntohs(((struct sockaddr_in *)(void *)&name)->sin_port);
	else
		*port = ntohs(name.sin6_port);
	return OK;
}

static int put_name(const struct place *p, char *name, size_t size)
{
	char host[INET6_ADDRSTRLEN];
	bool v6 = p->family == AF_INET6;
	const void *from = v6 ? (const void *)&p->v6 : (const void *)&p->v4;
	struct buf text;
	int rc = E_IO;

	buf_init(&text, &mem_heap);
	if (inet_ntop(p->family, from, host, sizeof host))
		buf_printf(&text, v6 ? "[%s]:%u" : "%s:%u", host, p->port);
	if (buf_error(&text) == OK && text.len > 0 && text.len < size) {
		memcpy(name, buf_text(&text), text.len + 1);
		rc = OK;
	}
	buf_fini(&text);
	return rc;
}

int http_listen(const char *address, int *fd, char *name, size_t name_size,
		struct buf *error)
{
	struct place place = { .family = AF_INET };
	int s;

	if (!parse_place(address, &place)) {
		buf_printf(error,
			   "\"%s\" is no address for the http door; give one "
			   "such as 127.0.0.1:7091 or [::1]:7091",
			   address);
		return E_INVALID;
	}
	if (!is_loopback(&place)) {
		buf_printf(error,
			   "the http door does not listen on %s: it has no "
			   "login yet, so only 127.0.0.1 and [::1] are "
			   "allowed; from elsewhere use an SSH tunnel",
			   address);
		return E_DENIED;
	}
	s = open_socket(&place);
	if (s < 0 || bound_port(s, place.family, &place.port) != OK ||
	    put_name(&place, name, name_size) != OK) {
		buf_printf(error,
			   "the http door cannot listen on %s: %s; choose "
			   "another port or stop who uses it",
			   address, strerror(errno));
		if (s >= 0)
			(void)close(s);
		return E_IO;
	}
	*fd = s;
	return OK;
}
