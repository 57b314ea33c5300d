#include "tests/live/live.h"

#include "base/buf.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

uint64_t live_now_ms(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

void live_nap(uint64_t ms)
{
	struct timespec ts = { (time_t)(ms / 1000),
			       (long)(ms % 1000) * 1000000 };

	(void)nanosleep(&ts, NULL);
}

uint64_t live_seed(uint64_t seed)
{
	const char *text = getenv("SEED");

	if (text)
		seed = strtoull(text, NULL, 0);
	printf("SEED=%llu\n", (unsigned long long)seed);
	(void)fflush(stdout);
	return seed;
}

/* ---- HTTP ---- */

static int dial(const char *address)
{
	struct sockaddr_in to = { .sin_family = AF_INET };
	const char *colon = strrchr(address, ':');
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	REQUIRE(fd >= 0 && colon);
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	to.sin_port = htons((uint16_t)strtoul(colon + 1, NULL, 10));
	if (connect(fd, (struct sockaddr *)&to, sizeof to) == 0)
		return fd;
	(void)close(fd);
	return -1;
}

static bool put(int fd, struct bytes b)
{
	while (b.len > 0) {
		ssize_t n = send(fd, b.data, b.len, MSG_NOSIGNAL);

		if (n <= 0)
			return false;
		b.data += n;
		b.len -= (size_t)n;
	}
	return true;
}

static char *get(int fd)
{
	uint8_t part[16384];
	struct buf in;
	char *text;
	ssize_t n = 0;

	buf_init(&in, &mem_heap);
	do {
		struct pollfd p = { .fd = fd, .events = POLLIN };

		if (n > 0)
			buf_put(&in, (struct bytes){ part, (size_t)n });
		if (poll(&p, 1, 20000) <= 0)
			break;
		n = recv(fd, part, sizeof part, 0);
	} while (n > 0);
	text = in.len ? mem_text(&mem_heap, buf_bytes(&in)) : NULL;
	buf_fini(&in);
	return text;
}

char *live_http(const struct treatyd *d, const char *request, const char *body)
{
	int fd = dial(d->http);
	char *answer = NULL;
	struct buf out;

	if (fd < 0)
		return NULL;
	buf_init(&out, &mem_heap);
	buf_printf(&out, "%s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n",
		   request, d->http);
	if (body)
		buf_printf(&out,
			   "Content-Type: application/json\r\n"
			   "Content-Length: %zu\r\n",
			   strlen(body));
	buf_printf(&out, "\r\n%s", body ? body : "");
	if (put(fd, buf_bytes(&out)))
		answer = get(fd);
	buf_fini(&out);
	(void)close(fd);
	return answer;
}

int live_http_code(const char *answer)
{
	if (!answer || strncmp(answer, "HTTP/1.1 ", 9) != 0)
		return 0;
	return (int)strtol(answer + 9, NULL, 10);
}

uint64_t live_stat(const struct treatyd *d, const char *key)
{
	char *answer = live_http(d, "GET /api/v1/stats", NULL);
	uint64_t value = UINT64_MAX;
	struct buf quoted;
	const char *at;

	buf_init(&quoted, &mem_heap);
	buf_printf(&quoted, "\"%s\":", key);
	at = answer ? strstr(answer, buf_text(&quoted)) : NULL;
	if (at)
		value = strtoull(at + quoted.len, NULL, 10);
	buf_fini(&quoted);
	free(answer);
	return value;
}

bool live_quiet(const struct treatyd *d, uint64_t ms)
{
	uint64_t end = live_now_ms() + ms;

	while (live_stat(d, "transactions_now") != 0) {
		if (live_now_ms() > end)
			return false;
		live_nap(20);
	}
	return true;
}
