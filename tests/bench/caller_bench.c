/* Calls per second to an HTTP participant on the same machine, over kept
 * connections and with a new one for each call. */
#include "tc/door/caller.h"
#include "tests/fakes/http_peer.h"

#include <curl/curl.h>
#include <poll.h>
#include <stdio.h>
#include <time.h>

#define SECONDS 3

struct world {
	struct door_port port;
	struct door door;
	struct http_peer *peer;
	char origin[64];
	char document[200];
	uint64_t next, done, failed;
};

static uint64_t clock_ms(void *ctx)
{
	struct timespec ts;

	(void)ctx;
	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static int on_event(void *ctx, struct event *ev)
{
	struct world *w = ctx;

	w->done++;
	w->failed += ev->done.status != BRANCH_COMMITTED;
	return OK;
}

static void send_one(struct world *w)
{
	struct command c = {
		.peer = PEER_URL | 1,
		.id = ++w->next,
		.type = COMMAND_COMMIT,
		.mode = MODE_TCC,
		.xid = BYTES("10.0.0.1:8091:77"),
		.branch = w->next,
		.resource = bytes_of(w->origin),
		.participant = bytes_of(w->document),
		.application_data = BYTES("{\"user\":\"ann\",\"amount\":30}"),
		.timeout_ms = 10000,
	};

	w->door.command(w->door.self, &c);
}

static void turn(struct world *w)
{
	struct pollfd pfd = { w->door.fd, POLLIN, 0 };
	uint64_t now = clock_ms(NULL), due = w->door.deadline(w->door.self);

	(void)poll(&pfd, 1, due > now ? 100 : 0);
	(void)w->door.process(w->door.self, clock_ms(NULL));
}

static void measure(const char *path, size_t at_once)
{
	struct world w = { .next = 0 };
	struct caller_config config;
	struct allow_list *list;
	struct buf text;
	uint64_t began, ms;

	buf_init(&text, &mem_heap);
	w.peer = http_peer_start("127.0.0.1");
	w.port = (struct door_port){ .ctx = &w,
				     .event = on_event,
				     .now_ms = clock_ms };
	(void)snprintf(w.origin, sizeof w.origin, "http://127.0.0.1:%u",
		       http_peer_port(w.peer));
	(void)snprintf(w.document, sizeof w.document, "{\"commit\":\"%s%s\"}",
		       w.origin, path);
	REQUIRE(allow_list_new(&list, &mem_heap, bytes_of(w.origin), &text) ==
		OK);
	w.port.allow_list = list;
	caller_config_default(&config);
	config.calls_per_target_max = at_once;
	REQUIRE(caller_open(&w.door, &mem_heap, &config, &w.port, &text) == OK);
	began = clock_ms(NULL);
	while (clock_ms(NULL) < began + SECONDS * 1000) {
		while (w.next - w.done < at_once)
			send_one(&w);
		turn(&w);
	}
	ms = clock_ms(NULL) - began;
	(void)printf("%-22s %4zu at once: %7.0f calls/s, %zu connections, "
		     "%llu failed\n",
		     path, at_once, (double)w.done * 1000 / (double)ms,
		     http_peer_connections(w.peer),
		     (unsigned long long)w.failed);
	w.door.close(w.door.self);
	http_peer_stop(w.peer);
	allow_list_free(list);
	buf_fini(&text);
}

int main(void)
{
	REQUIRE(curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK);
	measure("/s/200", 1);
	measure("/s/200", 8);
	measure("/s/200", 32);
	measure("/s/200", 128);
	measure("/last", 32); /* closes each connection */
	curl_global_cleanup();
	return 0;
}
