/*
 * How fast treatyd is, and how many syncs a transaction costs.
 *
 *   treatyd_bench [seconds for each line]
 *
 * One client thread with many connections; every transaction is begin, n
 * registrations, commit and, pushed, n phase-two commands. Latency is from
 * sending begin to hearing that it is committed. The syncs are counted by
 * treatyd's own file layer and read over HTTP.
 */
#include "tests/fakes/sp_client.h"
#include "tests/fakes/treatyd_proc.h"

#include "base/lock_key.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CONNECTIONS_MAX 64
#define WINDOW_MAX      8
#define SAMPLES_MAX     4000000

struct gtx {
	char xid[64];
	uint64_t began_us;
	int registered;
};

struct connection {
	struct sp_client c;
	struct gtx slots[WINDOW_MAX];
};

struct bench {
	struct treatyd d;
	struct connection all[CONNECTIONS_MAX];
	int epoll;
	int connections, window, branches;
	bool running;
	uint64_t serial;
	struct buf key;
	uint64_t open;
	uint32_t *samples;
	size_t n;
};

static uint64_t now_us(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

/* ---- one transaction after another in each slot ---- */

static void begin(struct bench *b, struct connection *k, size_t slot)
{
	struct msg m = { .type = MSG_BEGIN,
			 .id = slot + 1,
			 .name = BYTES("bench"),
			 .timeout_ms = 60000 };

	k->slots[slot].began_us = now_us();
	k->slots[slot].registered = 0;
	b->open++;
	sp_queue(&k->c, &m);
}

static void go_on(struct bench *b, struct connection *k, size_t slot)
{
	struct gtx *g = &k->slots[slot];
	struct bytes key;
	struct msg m = { .type = MSG_COMMIT,
			 .id = slot + 1,
			 .xid = bytes_of(g->xid) };

	if (g->registered < b->branches) {
		m.type = MSG_REGISTER;
		m.resource = BYTES("db");
		m.client_key = (uint64_t)++g->registered;
		b->serial++;
		buf_clear(&b->key);
		lock_key_begin(&b->key, m.resource, BYTES("accounts"));
		lock_key_value(&b->key, (struct bytes){ (uint8_t *)&b->serial,
							sizeof b->serial });
		key = buf_bytes(&b->key);
		m.list = &key;
		m.n_list = 1;
	}
	sp_queue(&k->c, &m);
}

static void on_reply(struct bench *b, struct connection *k, const struct msg *m)
{
	size_t slot = (size_t)m->id - 1;
	struct gtx *g = &k->slots[slot];

	if (m->err != 0)
		(void)fprintf(stderr, "refused: %.*s\n", (int)m->text.len,
			      (const char *)m->text.data);
	REQUIRE(m->err == 0 && slot < WINDOW_MAX);
	REQUIRE(m->xid.len < sizeof g->xid);
	if (m->xid.len > 0 && g->registered == 0) {
		memcpy(g->xid, m->xid.data, m->xid.len);
		g->xid[m->xid.len] = '\0';
	}
	if (m->status == GTX_BEGIN) {
		go_on(b, k, slot);
		return;
	}
	if (b->n < SAMPLES_MAX)
		b->samples[b->n++] = (uint32_t)(now_us() - g->began_us);
	b->open--;
	if (b->running)
		begin(b, k, slot);
}

static void serve(struct bench *b, struct connection *k, int timeout_ms)
{
	struct msg m;

	while (sp_recv(&k->c, &m, timeout_ms) == OK) {
		struct msg done = { .type = MSG_BRANCH_DONE,
				    .id = m.id,
				    .xid = m.xid,
				    .branch = m.branch,
				    .status = BRANCH_COMMITTED };

		if (m.type == MSG_COMMAND)
			sp_queue(&k->c, &done);
		else if (m.type == MSG_REPLY)
			on_reply(b, k, &m);
		timeout_ms = 0;
	}
	if (k->c.out.len > 0)
		REQUIRE(sp_push(&k->c) == OK);
}

static void connect_all(struct bench *b)
{
	b->epoll = epoll_create1(EPOLL_CLOEXEC);
	REQUIRE(b->epoll >= 0);
	for (int i = 0; i < b->connections; i++) {
		struct connection *k = &b->all[i];
		struct epoll_event ev = { .events = EPOLLIN, .data.ptr = k };

		sp_client_init(&k->c);
		REQUIRE(sp_connect(&k->c, b->d.agents) == OK);
		REQUIRE(sp_hello(&k->c, "bench", "b", "db") == OK);
		REQUIRE(epoll_ctl(b->epoll, EPOLL_CTL_ADD, k->c.fd, &ev) == 0);
	}
}

static void disconnect_all(struct bench *b)
{
	for (int i = 0; i < b->connections; i++)
		sp_client_fini(&b->all[i].c);
	(void)close(b->epoll);
}

static void run_for(struct bench *b, uint64_t us)
{
	struct epoll_event events[CONNECTIONS_MAX];
	uint64_t end = now_us() + us, quiet = UINT64_MAX;

	b->running = true;
	for (int i = 0; i < b->connections; i++) {
		for (int w = 0; w < b->window; w++)
			begin(b, &b->all[i], (size_t)w);
		REQUIRE(sp_push(&b->all[i].c) == OK);
	}
	while (now_us() < quiet) {
		int n = epoll_wait(b->epoll, events, CONNECTIONS_MAX, 50);

		for (int i = 0; i < n; i++)
			serve(b, events[i].data.ptr, 0);
		if (now_us() >= end)
			b->running = false;
		if (b->open == 0 && quiet == UINT64_MAX)
			quiet = now_us() + 100000; /* the last commands */
	}
}

/* ---- numbers ---- */

static int compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

/* One number out of /api/v1/stats. */
static uint64_t stat(const struct treatyd *d, const char *name)
{
	struct sockaddr_in sin = { .sin_family = AF_INET };
	const char *colon = strrchr(d->http, ':'), *at;
	struct buf text, want;
	uint8_t block[4096];
	uint64_t value;
	ssize_t n;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	sin.sin_port = htons((uint16_t)strtoul(colon + 1, NULL, 10));
	REQUIRE(connect(fd, (struct sockaddr *)(void *)&sin, sizeof sin) == 0);
	buf_init(&text, &mem_heap);
	buf_init(&want, &mem_heap);
	buf_printf(&text,
		   "GET /api/v1/stats HTTP/1.1\r\nHost: %s\r\n"
		   "Connection: close\r\n\r\n",
		   d->http);
	REQUIRE(send(fd, text.data, text.len, 0) == (ssize_t)text.len);
	buf_clear(&text);
	while ((n = recv(fd, block, sizeof block, 0)) > 0)
		buf_put(&text, (struct bytes){ block, (size_t)n });
	(void)close(fd);
	buf_printf(&want, "\"%s\":", name);
	at = strstr(buf_text(&text), buf_text(&want));
	REQUIRE(at);
	at += want.len;
	value = strtoull(at + (*at == '"'), NULL, 10);
	buf_fini(&text);
	buf_fini(&want);
	return value;
}

static void measure(struct bench *b, int connections, int window, int branches,
		    uint64_t us)
{
	uint64_t syncs, from;
	long cpu;
	double s;

	b->connections = connections;
	b->window = window;
	b->branches = branches;
	b->n = 0;
	connect_all(b);
	syncs = stat(&b->d, "syncs");
	cpu = treatyd_cpu_ms(&b->d);
	from = now_us();
	run_for(b, us);
	s = (double)(now_us() - from - 100000) / 1e6;
	qsort(b->samples, b->n, sizeof *b->samples, compare);
	printf("%4d x %d  %d branches  %8.0f tx/s  p50 %6u us  p99 %6u us  "
	       "%5.2f syncs/tx  %5.0f us CPU/tx\n",
	       connections, window, branches, (double)b->n / s,
	       b->samples[b->n / 2], b->samples[b->n * 99 / 100],
	       (double)(stat(&b->d, "syncs") - syncs) / (double)b->n,
	       (double)(treatyd_cpu_ms(&b->d) - cpu) * 1000 / (double)b->n);
	(void)fflush(stdout);
	disconnect_all(b);
}

/* Alone and one at a time, so that no transaction shares a sync. */
static void count_syncs(struct bench *b, int branches)
{
	uint64_t before;

	b->connections = b->window = 1;
	b->branches = branches;
	b->n = 0;
	connect_all(b);
	before = stat(&b->d, "syncs");
	for (int i = 0; i < 100; i++) {
		begin(b, &b->all[0], 0);
		REQUIRE(sp_push(&b->all[0].c) == OK);
		while (b->open > 0)
			serve(b, &b->all[0], 1000);
		serve(b, &b->all[0], 40); /* its commands */
	}
	printf("%d branches: %.2f syncs for one transaction alone\n", branches,
	       (double)(stat(&b->d, "syncs") - before) / 100);
	disconnect_all(b);
}

int main(int argc, char *argv[])
{
	static const int shapes[][2] = {
		{ 1, 1 }, { 8, 1 }, { 64, 1 }, { 64, 8 }
	};
	static const int branches[] = { 0, 1, 3 };
	double seconds = argc > 1 ? strtod(argv[1], NULL) : 2;
	struct bench *b = mem_alloc(&mem_heap, sizeof *b);

	REQUIRE(b);
	buf_init(&b->key, &mem_heap);
	b->samples = mem_array(&mem_heap, SAMPLES_MAX, sizeof *b->samples);
	REQUIRE(b->samples);
	REQUIRE(treatyd_start(&b->d, "--transactions-max=10000000",
			      "--locks-max=10000000", NULL));
	for (size_t i = 0; i < ARRAY_LEN(branches); i++)
		count_syncs(b, branches[i]);
	for (size_t i = 0; i < ARRAY_LEN(branches); i++)
		for (size_t s = 0; s < ARRAY_LEN(shapes); s++)
			measure(b, shapes[s][0], shapes[s][1], branches[i],
				(uint64_t)(seconds * 1e6));
	printf("RSS at the end %ld kB\n", treatyd_status(&b->d, "VmRSS"));
	treatyd_remove(&b->d);
	buf_fini(&b->key);
	mem_free(&mem_heap, b->samples);
	mem_free(&mem_heap, b);
	return 0;
}
