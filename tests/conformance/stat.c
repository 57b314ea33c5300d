#include "tests/conformance/ground.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static int connect_to(const char *address)
{
	const char *colon = strrchr(address, ':');
	struct sockaddr_in to = { .sin_family = AF_INET };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	to.sin_port = htons((uint16_t)strtoul(colon + 1, NULL, 10));
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&to, sizeof to) != 0) {
		(void)close(fd);
		return -1;
	}
	return fd;
}

/* The answer's head and body, up to the room there is. */
static void get(const struct ground *g, const char *path, char *out,
		size_t room)
{
	char ask[200];
	int fd = connect_to(g->treatyd.http);
	size_t len = 0;
	ssize_t n;

	out[0] = '\0';
	if (fd < 0)
		return;
	(void)snprintf(ask, sizeof ask,
		       "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n"
		       "\r\n",
		       path, g->treatyd.http);
	if (write(fd, ask, strlen(ask)) == (ssize_t)strlen(ask))
		while (len + 1 < room &&
		       (n = read(fd, out + len, room - len - 1)) > 0)
			len += (size_t)n;
	out[len] = '\0';
	(void)close(fd);
}

long ground_stat(const struct ground *g, const char *name)
{
	char answer[8192], quoted[64];
	const char *at;

	get(g, "/api/v1/stats", answer, sizeof answer);
	(void)snprintf(quoted, sizeof quoted, "\"%s\":", name);
	at = strstr(answer, quoted);
	return at ? strtol(at + strlen(quoted), NULL, 10) : -1;
}
