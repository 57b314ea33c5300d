/* The caller against participants that behave well and badly, over real
 * sockets. What treatyd makes of it is in tests/live/http_participant_test.c. */
#include "base/buf.h"
#include "base/log.h"
#include "tc/door/caller.h"
#include "tests/fakes/flaky.h"
#include "tests/fakes/http_peer.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <dirent.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define XID       "10.0.0.1:8091:77"
#define DONES_MAX 2048

struct done {
	uint64_t command;
	enum branch_status status;
	bool in_progress;
	char error[600];
	char error_name[64];
	char detail[256];
	uint64_t ms; /* since the last reset */
};

struct world {
	struct door_port port;
	struct door door;
	bool open;
	struct allow_list *list;
	struct http_peer *peer;
	struct done dones[DONES_MAX];
	size_t n_dones;
	uint64_t next_id;
	uint64_t began_ms;
	int event_error; /* of the next events */
	int events_refused;
	struct mem mem;
	size_t fds; /* open before */
};

static uint64_t clock_ms(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static uint64_t port_now_ms(void *ctx)
{
	(void)ctx;
	return clock_ms();
}

static void keep(char *to, size_t size, struct bytes b)
{
	size_t n = b.len < size - 1 ? b.len : size - 1;

	if (n > 0)
		memcpy(to, b.data, n);
	to[n] = '\0';
}

static int port_event(void *ctx, struct event *ev)
{
	struct world *w = ctx;
	struct done *d = &w->dones[w->n_dones];

	assert_int_equal(ev->type, EV_BRANCH_DONE);
	assert_true(bytes_equal(ev->done.xid, BYTES(XID)));
	assert_int_equal(ev->done.peer, PEER_URL | 3);
	assert_int_equal(ev->done.branch, 5);
	if (w->event_error != OK) {
		w->events_refused++;
		return w->event_error;
	}
	assert_true(w->n_dones < DONES_MAX);
	w->n_dones++;
	*d = (struct done){ .command = ev->done.command,
			    .status = ev->done.status,
			    .in_progress = ev->done.in_progress,
			    .ms = clock_ms() - w->began_ms };
	keep(d->error, sizeof d->error, ev->done.error);
	keep(d->error_name, sizeof d->error_name, ev->done.error_name);
	keep(d->detail, sizeof d->detail, ev->done.detail);
	return OK;
}

static void allow(struct world *w, const char *entries)
{
	struct buf why;

	buf_init(&why, &mem_heap);
	allow_list_free(w->list);
	w->list = NULL;
	assert_int_equal(
		allow_list_new(&w->list, &mem_heap, bytes_of(entries), &why),
		OK);
	w->port.allow_list = w->list;
	buf_fini(&why);
}

static void open_caller(struct world *w, const struct caller_config *config)
{
	struct buf error;

	buf_init(&error, &mem_heap);
	assert_int_equal(
		caller_open(&w->door, &w->mem, config, &w->port, &error), OK);
	assert_int_equal(w->door.number, DOOR_CALLER);
	w->open = true;
	buf_fini(&error);
}

static void allow_peer(struct world *w)
{
	char entry[128];

	(void)snprintf(entry, sizeof entry, "http://127.0.0.1:%u/",
		       http_peer_port(w->peer));
	allow(w, entry);
}

static size_t open_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	size_t n = 0;

	assert_non_null(dir);
	while (readdir(dir))
		n++;
	(void)closedir(dir);
	return n;
}

static int setup(void **state)
{
	size_t fds = open_fds();
	struct world *w = mem_alloc(&mem_heap, sizeof *w);

	w->mem = mem_heap;
	w->fds = fds;
	w->port = (struct door_port){ .ctx = w,
				      .event = port_event,
				      .now_ms = port_now_ms };
	w->peer = http_peer_start("127.0.0.1");
	w->began_ms = clock_ms();
	allow_peer(w);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	if (w->open)
		w->door.close(w->door.self);
	http_peer_stop(w->peer);
	allow_list_free(w->list);
	assert_int_equal(open_fds(), w->fds);
	mem_free(&mem_heap, w);
	return 0;
}

static struct caller_config defaults(void)
{
	struct caller_config config;

	caller_config_default(&config);
	config.version = "test";
	return config;
}

/* ---- calling ---- */

static uint64_t send_to(struct world *w, enum command_type type,
			const char *origin, const char *path,
			uint64_t timeout_ms)
{
	char document[1024], service[256];
	struct command c = {
		.peer = PEER_URL | 3,
		.id = ++w->next_id,
		.type = type,
		.mode = MODE_TCC,
		.xid = BYTES(XID),
		.branch = 5,
		.application_data = BYTES("{\"amount\":3}"),
		.timeout_ms = timeout_ms,
	};

	(void)snprintf(service, sizeof service, "%s%s", origin, path);
	(void)snprintf(document, sizeof document,
		       "{\"commit\":\"%s\",\"rollback\":\"%s\",\"check\":"
		       "\"%s\",\"headers\":{\"X-Team\":\"blue\"}}",
		       service, service, service);
	c.resource = bytes_of(origin);
	c.participant = bytes_of(document);
	c.service = bytes_of(service);
	w->door.command(w->door.self, &c);
	return c.id;
}

static uint64_t send_command(struct world *w, enum command_type type,
			     const char *path, uint64_t timeout_ms)
{
	char origin[128];

	(void)snprintf(origin, sizeof origin, "http://127.0.0.1:%u",
		       http_peer_port(w->peer));
	return send_to(w, type, origin, path, timeout_ms);
}

/* One turn of the loop. */
static void turn(struct world *w, uint64_t until_ms)
{
	struct pollfd pfd = { w->door.fd, POLLIN, 0 };
	uint64_t now = clock_ms(), due = w->door.deadline(w->door.self);

	if (due > until_ms)
		due = until_ms;
	(void)poll(&pfd, 1, due > now ? (int)(due - now) : 0);
	(void)w->door.process(w->door.self, clock_ms());
}

static void run_until(struct world *w, size_t n, uint64_t ms)
{
	uint64_t until = clock_ms() + ms;

	while (w->n_dones < n && clock_ms() < until)
		turn(w, until);
	assert_int_equal(w->n_dones, n);
}

static const struct done *call(struct world *w, enum command_type type,
			       const char *path, uint64_t timeout_ms)
{
	uint64_t id = send_command(w, type, path, timeout_ms);

	run_until(w, w->n_dones + 1, timeout_ms + 3000);
	assert_int_equal(w->dones[w->n_dones - 1].command, id);
	return &w->dones[w->n_dones - 1];
}

static void expect(struct world *w, enum command_type type, const char *path,
		   enum branch_status status, const char *error)
{
	const struct done *d = call(w, type, path, 2000);

	if (d->status != status || !strstr(d->error, error))
		print_error("%s: %d %s\n", path, (int)d->status, d->error);
	assert_int_equal(d->status, status);
	assert_non_null(strstr(d->error, error));
}

/* ---- tests ---- */

static void test_answers_end_commands(void **state)
{
	struct world *w = *state;
	struct caller_config config = defaults();

	open_caller(w, &config);
	expect(w, COMMAND_COMMIT, "/s/200", BRANCH_COMMITTED, "");
	expect(w, COMMAND_COMMIT, "/s/204", BRANCH_COMMITTED, "");
	expect(w, COMMAND_ROLLBACK, "/s/200", BRANCH_ROLLBACKED, "");
	expect(w, COMMAND_COMMIT, "/s/409", BRANCH_COMMIT_UNRETRYABLE,
	       "answered 409 \"as told\"");
	expect(w, COMMAND_ROLLBACK, "/s/409", BRANCH_ROLLBACK_UNRETRYABLE, "");
	expect(w, COMMAND_COMMIT, "/s/500", BRANCH_COMMIT_RETRYABLE,
	       "answered 500");
	expect(w, COMMAND_COMMIT, "/s/404", BRANCH_COMMIT_RETRYABLE, "404");
	expect(w, COMMAND_CHECK, "/s/200", BRANCH_COMMITTED, "");
	expect(w, COMMAND_CHECK, "/s/409", BRANCH_ROLLBACKED, "");
	expect(w, COMMAND_CHECK, "/s/425", BRANCH_COMMIT_RETRYABLE, "425");
	assert_true(w->dones[w->n_dones - 1].in_progress);
	expect(w, COMMAND_COMMIT, "/continue", BRANCH_COMMITTED, "");
}

static void test_the_request_is_what_participants_were_promised(void **state)
{
	struct world *w = *state;
	struct caller_config config = defaults();
	char *last;

	open_caller(w, &config);
	(void)call(w, COMMAND_COMMIT, "/s/200?a=b", 2000);
	last = http_peer_last(w->peer);
	assert_non_null(strstr(last, "POST /s/200?a=b&gid=10.0.0.1%3A8091%3A77"
				     "&trans_type=tcc&branch_id=5&op=confirm "
				     "HTTP/1.1\r\n"));
	assert_non_null(
		strstr(last, "\r\nIdempotency-Key: " XID "/5/confirm\r\n"));
	assert_non_null(strstr(last, "\r\nTX_XID: " XID "\r\n"));
	assert_non_null(strstr(last, "\r\nContent-Type: application/json\r\n"));
	assert_non_null(strstr(last, "\r\nContent-Length: 12\r\n"));
	assert_non_null(strstr(last, "\r\nX-Team: blue\r\n"));
	assert_non_null(strstr(last, "\r\nUser-Agent: treaty/test\r\n"));
	assert_non_null(strstr(last, "\r\n\r\n{\"amount\":3}"));
	assert_null(strstr(last, "Expect"));
	assert_null(strstr(last, "Accept-Encoding"));
	mem_free(&mem_heap, last);
	(void)call(w, COMMAND_CHECK, "/s/200", 2000);
	last = http_peer_last(w->peer);
	assert_non_null(strstr(last, "GET /s/200?gid="));
	assert_non_null(strstr(last, "trans_type=msg&branch_id=5&op=msg "));
	assert_null(strstr(last, "Content-"));
	assert_null(strstr(last, "amount"));
	mem_free(&mem_heap, last);
}

static void test_calls_of_sagas_have_outputs_and_reasons(void **state)
{
	struct world *w = *state;
	struct caller_config config = defaults();
	const struct done *d;

	open_caller(w, &config);
	d = call(w, COMMAND_CALL, "/echo", 2000);
	assert_int_equal(d->status, BRANCH_COMMITTED);
	assert_string_equal(d->detail, "{\"amount\":3}");
	d = call(w, COMMAND_CALL, "/refuse", 2000);
	assert_int_equal(d->status, BRANCH_COMMIT_UNRETRYABLE);
	assert_string_equal(d->error_name, "NoMoney");
	assert_string_equal(d->error, "the wallet is empty");
	d = call(w, COMMAND_CALL, "/json/%7B", 2000);
	assert_int_equal(d->status, BRANCH_COMMIT_RETRYABLE);
	d = call(w, COMMAND_CALL, "/gzip", 2000);
	assert_int_equal(d->status, BRANCH_COMMIT_RETRYABLE);
	d = call(w, COMMAND_CALL, "/s/200", 2000);
	assert_int_equal(d->status, BRANCH_COMMITTED);
	assert_string_equal(d->detail, "");
}

static void test_what_is_no_answer_is_not_taken_for_one(void **state)
{
	struct world *w = *state;
	struct caller_config config = defaults();

	open_caller(w, &config);
	expect(w, COMMAND_COMMIT, "/reset", BRANCH_COMMIT_RETRYABLE,
	       "the connection broke");
	expect(w, COMMAND_COMMIT, "/cut", BRANCH_COMMIT_RETRYABLE,
	       "the connection broke");
	expect(w, COMMAND_ROLLBACK, "/close", BRANCH_ROLLBACK_RETRYABLE,
	       "closed without an answer");
	expect(w, COMMAND_COMMIT, "/garbage", BRANCH_COMMIT_RETRYABLE,
	       "/garbage: ");
	expect(w, COMMAND_COMMIT, "/bare", BRANCH_COMMIT_RETRYABLE, "/bare: ");
	expect(w, COMMAND_COMMIT, "/redirect", BRANCH_COMMIT_RETRYABLE,
	       "answered 302; redirects are not followed");
	assert_int_equal(http_peer_requests(w->peer), 6);
	assert_int_equal(w->door.stats(w->door.self).malformed, 5);
}

static void test_slow_ones_are_given_up_in_time(void **state)
{
	static const char *const paths[] = { "/never", "/trickle", "/drip",
					     "/slow/3000" };
	struct world *w = *state;
	struct caller_config config = defaults();

	open_caller(w, &config);
	for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
		const struct done *d;

		w->began_ms = clock_ms();
		d = call(w, COMMAND_COMMIT, paths[i], 400);
		assert_int_equal(d->status, BRANCH_COMMIT_RETRYABLE);
		assert_non_null(strstr(d->error, "no complete answer in time"));
		/* Before the core would stop waiting. */
		assert_in_range(d->ms, 300, 400);
	}
	/* The configuration's limit counts, too. */
	w->door.close(w->door.self);
	config.call_ms_max = 200;
	open_caller(w, &config);
	w->began_ms = clock_ms();
	assert_in_range(call(w, COMMAND_COMMIT, "/never", 60000)->ms, 180, 400);
	w->began_ms = clock_ms();
	assert_in_range(call(w, COMMAND_COMMIT, "/never", 0)->ms, 180, 400);
}

static void test_large_bodies_are_cut(void **state)
{
	struct world *w = *state;
	struct caller_config config = defaults();

	config.answer_max = 1000;
	open_caller(w, &config);
	expect(w, COMMAND_COMMIT, "/huge", BRANCH_COMMITTED, "");
	expect(w, COMMAND_CALL, "/huge", BRANCH_COMMITTED, "");
	expect(w, COMMAND_CALL, "/huge/json", BRANCH_COMMIT_RETRYABLE,
	       "or too long");
	/* And it is forgotten by whoever uses the same handle. */
	expect(w, COMMAND_CALL, "/json/7", BRANCH_COMMITTED, "");
	assert_string_equal(w->dones[w->n_dones - 1].detail, "7");
	expect(w, COMMAND_COMMIT, "/s/200", BRANCH_COMMITTED, "");
}

static void test_headers_without_end_do_not_fill_the_memory(void **state)
{
	struct world *w = *state;
	struct caller_config config = defaults();
	struct rusage before, after;
	const struct done *d;

	open_caller(w, &config);
	assert_int_equal(getrusage(RUSAGE_SELF, &before), 0);
	d = call(w, COMMAND_COMMIT, "/flood", 2000);
	assert_int_equal(getrusage(RUSAGE_SELF, &after), 0);
	assert_int_equal(d->status, BRANCH_COMMIT_RETRYABLE);
	assert_true(after.ru_maxrss - before.ru_maxrss < 16 * 1024);
}

static void test_participants_may_have_addresses_of_ipv6(void **state)
{
	struct world *w = *state;
	struct caller_config config = defaults();
	struct http_peer *peer = http_peer_start("::1");
	char origin[128];

	(void)snprintf(origin, sizeof origin, "http://[::1]:%u",
		       http_peer_port(peer));
	open_caller(w, &config);
	allow(w, origin);
	for (int i = 0; i < 2; i++)
		(void)send_to(w, COMMAND_COMMIT, origin, "/s/200", 2000);
	run_until(w, 2, 3000);
	assert_int_equal(w->dones[0].status, BRANCH_COMMITTED);
	assert_int_equal(w->dones[1].status, BRANCH_COMMITTED);
	http_peer_stop(peer);
}

/* A port that nobody listens on, or nobody accepts from. */
static int bind_port(int backlog, char *origin, size_t size)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in in = { .sin_family = AF_INET };
	socklen_t len = sizeof in;

	assert_int_equal(inet_pton(AF_INET, "127.0.0.1", &in.sin_addr), 1);
	assert_int_equal(bind(fd, (struct sockaddr *)&in, sizeof in), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&in, &len), 0);
	if (backlog >= 0)
		assert_int_equal(listen(fd, backlog), 0);
	(void)snprintf(origin, size, "http://127.0.0.1:%u",
		       (unsigned)ntohs(in.sin_port));
	return fd;
}

static void test_who_is_not_there_is_said(void **state)
{
	struct world *w = *state;
	struct caller_config config = defaults();
	char origin[128], entries[300];
	int fd = bind_port(-1, origin, sizeof origin);

	(void)snprintf(entries, sizeof entries, "%s http://no.invalid", origin);
	allow(w, entries);
	open_caller(w, &config);
	(void)send_to(w, COMMAND_COMMIT, origin, "/x", 2000);
	run_until(w, 1, 3000);
	assert_int_equal(w->dones[0].status, BRANCH_COMMIT_RETRYABLE);
	assert_non_null(strstr(w->dones[0].error, "no connection"));
	(void)send_to(w, COMMAND_COMMIT, "http://no.invalid", "/x", 30000);
	run_until(w, 2, 31000);
	assert_int_equal(w->dones[1].status, BRANCH_COMMIT_RETRYABLE);
	assert_non_null(strstr(w->dones[1].error, "no.invalid:80/x: "));
	(void)close(fd);
}

static void test_connections_are_used_again(void **state)
{
	struct world *w = *state;
	struct caller_config config = defaults();
	struct door_stats s;

	open_caller(w, &config);
	for (int i = 0; i < 200; i++)
		assert_int_equal(
			call(w, COMMAND_COMMIT, "/s/200", 2000)->status,
			BRANCH_COMMITTED);
	s = w->door.stats(w->door.self);
	assert_int_equal(http_peer_connections(w->peer), 1);
	assert_int_equal(s.accepted, 1);
	assert_int_equal(s.messages_out, 200);
	assert_int_equal(s.messages_in, 200);
	/* One that was closed meanwhile is noticed, not called a failure. */
	for (int i = 0; i < 20; i++)
		assert_int_equal(call(w, COMMAND_COMMIT, "/last", 2000)->status,
				 BRANCH_COMMITTED);
	assert_in_range(http_peer_connections(w->peer), 19, 21);
}

static void test_many_calls_share_the_places(void **state)
{
	struct world *w = *state;
	struct caller_config config = defaults();

	config.calls_max = 8;
	config.calls_per_target_max = 5;
	open_caller(w, &config);
	for (int i = 0; i < 40; i++)
		(void)send_command(w, COMMAND_COMMIT, "/slow/20", 5000);
	run_until(w, 40, 6000);
	for (size_t i = 0; i < 40; i++)
		assert_int_equal(w->dones[i].status, BRANCH_COMMITTED);
	assert_int_equal(http_peer_at_once(w->peer), 5);
	assert_int_equal(http_peer_connections(w->peer), 5);
}

static void test_a_thousand_calls_at_once(void **state)
{
	struct world *w = *state;
	struct caller_config config = defaults();

	config.calls_max = config.calls_per_target_max = 1000;
	open_caller(w, &config);
	for (int i = 0; i < 1000; i++)
		(void)send_command(w, COMMAND_COMMIT, "/slow/500", 30000);
	run_until(w, 1000, 31000);
	for (size_t i = 0; i < 1000; i++)
		assert_int_equal(w->dones[i].status, BRANCH_COMMITTED);
	assert_true(http_peer_at_once(w->peer) > 500);
}

static void test_a_black_hole_holds_up_nobody(void **state)
{
	struct world *w = *state;
	struct caller_config config = defaults();
	struct http_peer *hole = http_peer_start("127.0.0.2");
	char entries[300], origin[64];
	size_t after, late = 0;

	config.calls_max = 12;
	config.calls_per_target_max = 4;
	(void)snprintf(origin, sizeof origin, "http://127.0.0.2:%u",
		       http_peer_port(hole));
	(void)snprintf(entries, sizeof entries, "http://127.0.0.1:%u %s",
		       http_peer_port(w->peer), origin);
	allow(w, entries);
	open_caller(w, &config);
	for (int i = 0; i < 100; i++)
		(void)send_to(w, COMMAND_COMMIT, origin, "/never", 1000);
	w->began_ms = clock_ms();
	for (int i = 0; i < 100; i++)
		(void)send_command(w, COMMAND_COMMIT, "/s/200", 5000);
	run_until(w, 100, 6000);
	for (size_t i = 0; i < 100; i++) {
		assert_int_equal(w->dones[i].status, BRANCH_COMMITTED);
		assert_true(w->dones[i].ms < 800);
	}
	run_until(w, 200, 6000);
	for (size_t i = 100; i < 200; i++) {
		assert_int_equal(w->dones[i].status, BRANCH_COMMIT_RETRYABLE);
		late += strstr(w->dones[i].error, "no place") != NULL;
	}
	/* One may have had its turn in the last moment. */
	assert_in_range(late, 94, 96);
	assert_in_range(http_peer_requests(hole), 4, 6);
	/* From now on it is asked by one at a time, until it answers. */
	after = http_peer_requests(hole);
	for (int i = 0; i < 10; i++)
		(void)send_to(w, COMMAND_COMMIT, origin, "/never", 400);
	run_until(w, 210, 3000);
	assert_in_range(http_peer_requests(hole) - after, 1, 2);
	for (int i = 0; i < 10; i++)
		(void)send_to(w, COMMAND_COMMIT, origin, "/slow/50", 2000);
	run_until(w, 220, 4000);
	for (size_t i = 210; i < 220; i++)
		assert_int_equal(w->dones[i].status, BRANCH_COMMITTED);
	/* Then by as many as before. */
	w->began_ms = clock_ms();
	for (int i = 0; i < 8; i++)
		(void)send_to(w, COMMAND_COMMIT, origin, "/slow/300", 5000);
	run_until(w, 228, 6000);
	assert_true(w->dones[227].ms < 1800);
	http_peer_stop(hole);
}

static void test_targets_take_turns(void **state)
{
	struct world *w = *state;
	struct caller_config config = defaults();
	struct http_peer *other = http_peer_start("127.0.0.2");
	char entries[300], origin[128];
	uint64_t until = clock_ms() + 2000;

	config.calls_max = 4;
	config.calls_per_target_max = 3;
	(void)snprintf(origin, sizeof origin, "http://127.0.0.2:%u",
		       http_peer_port(other));
	(void)snprintf(entries, sizeof entries, "http://127.0.0.1:%u %s",
		       http_peer_port(w->peer), origin);
	allow(w, entries);
	open_caller(w, &config);
	for (int i = 0; i < 10; i++)
		(void)send_command(w, COMMAND_COMMIT, "/slow/400", 9000);
	for (int i = 0; i < 10; i++)
		(void)send_to(w, COMMAND_COMMIT, origin, "/slow/400", 9000);
	while (http_peer_requests(w->peer) + http_peer_requests(other) < 4 &&
	       clock_ms() < until)
		turn(w, clock_ms() + 5);
	assert_int_equal(http_peer_requests(w->peer), 2);
	assert_int_equal(http_peer_requests(other), 2);
	run_until(w, 20, 9000);
	http_peer_stop(other);
}

/* ---- the allow-list ---- */

static void test_nothing_is_called_that_is_not_listed(void **state)
{
	struct world *w = *state;
	struct caller_config config = defaults();

	open_caller(w, &config);
	allow(w, "http://127.0.0.1:1/");
	expect(w, COMMAND_COMMIT, "/s/200", BRANCH_COMMIT_RETRYABLE,
	       "is not allowed");
	expect(w, COMMAND_ROLLBACK, "/s/200", BRANCH_ROLLBACK_RETRYABLE,
	       "http_targets");
	expect(w, COMMAND_CHECK, "/s/200", BRANCH_COMMIT_RETRYABLE, "");
	allow(w, "");
	expect(w, COMMAND_COMMIT, "/s/200", BRANCH_COMMIT_RETRYABLE,
	       "http_targets is empty");
	assert_int_equal(http_peer_connections(w->peer), 0);
	assert_int_equal(w->door.stats(w->door.self).refused, 4);
	allow_peer(w); /* as SIGHUP does */
	expect(w, COMMAND_COMMIT, "/s/200", BRANCH_COMMITTED, "");
}

static void resolve_to(struct world *w, struct caller_config *config,
		       const char *line, const char *entries)
{
	static const char *lines[2];
	static char text[128];

	(void)snprintf(text, sizeof text, line, http_peer_port(w->peer));
	lines[0] = text;
	config->resolve = lines;
	allow(w, entries);
	open_caller(w, config);
}

static void test_a_name_that_leads_inside_is_not_called(void **state)
{
	struct world *w = *state;
	struct caller_config config = defaults();
	char origin[128], entries[300];

	(void)snprintf(origin, sizeof origin, "http://pay.example:%u",
		       http_peer_port(w->peer));
	/* The address is listed for whoever names it, not for names. */
	(void)snprintf(entries, sizeof entries,
		       "%s http://127.0.0.1:%u net:10.0.0.0/8", origin,
		       http_peer_port(w->peer));
	resolve_to(w, &config, "pay.example:%u:127.0.0.1", entries);
	(void)send_to(w, COMMAND_COMMIT, origin, "/s/200", 2000);
	run_until(w, 1, 3000);
	assert_int_equal(w->dones[0].status, BRANCH_COMMIT_RETRYABLE);
	assert_non_null(
		strstr(w->dones[0].error, "pay.example leads to 127.0.0.1"));
	assert_int_equal(http_peer_connections(w->peer), 0);
	/* With its range it may. */
	(void)snprintf(entries, sizeof entries, "%s net:127.0.0.0/8", origin);
	allow(w, entries);
	(void)send_to(w, COMMAND_COMMIT, origin, "/s/200", 2000);
	run_until(w, 2, 3000);
	assert_int_equal(w->dones[1].status, BRANCH_COMMITTED);
	/* And no more without: also over the connection that is there. */
	allow(w, origin);
	(void)send_to(w, COMMAND_COMMIT, origin, "/s/200", 2000);
	run_until(w, 3, 3000);
	assert_int_equal(w->dones[2].status, BRANCH_COMMIT_RETRYABLE);
	assert_non_null(strstr(w->dones[2].error, "leads to 127.0.0.1"));
	assert_int_equal(http_peer_requests(w->peer), 1);
}

static void test_one_good_address_of_several_is_enough(void **state)
{
	struct world *w = *state;
	struct caller_config config = defaults();
	char origin[128], entries[300];

	(void)snprintf(origin, sizeof origin, "http://pay.example:%u",
		       http_peer_port(w->peer));
	(void)snprintf(entries, sizeof entries, "%s net:127.0.0.1", origin);
	resolve_to(w, &config,
		   "pay.example:%u:169.254.169.254,127.0.0.2,127.0.0.1",
		   entries);
	(void)send_to(w, COMMAND_COMMIT, origin, "/s/200", 2000);
	run_until(w, 1, 3000);
	assert_string_equal(w->dones[0].error, "");
	assert_int_equal(w->dones[0].status, BRANCH_COMMITTED);
	assert_int_equal(w->door.stats(w->door.self).accepted, 1);
}

static void test_proxies_of_the_environment_are_not_used(void **state)
{
	struct world *w = *state;
	struct caller_config config = defaults();

	assert_int_equal(setenv("http_proxy", "http://127.0.0.1:1", 1), 0);
	assert_int_equal(setenv("ALL_PROXY", "http://127.0.0.1:1", 1), 0);
	open_caller(w, &config);
	expect(w, COMMAND_COMMIT, "/s/200", BRANCH_COMMITTED, "");
	assert_int_equal(unsetenv("http_proxy"), 0);
	assert_int_equal(unsetenv("ALL_PROXY"), 0);
}

/* ---- lines of the log ---- */

static size_t lines;

static void count_line(void *ctx, struct bytes line)
{
	(void)ctx;
	lines += memmem(line.data, line.len, "not called", 10) != NULL;
}

static void test_refusals_do_not_fill_the_log(void **state)
{
	struct world *w = *state;
	struct caller_config config = defaults();

	open_caller(w, &config);
	allow(w, "");
	lines = 0;
	log_set_level(LOG_LEVEL_WARN);
	log_set_sink(count_line, NULL);
	for (int i = 0; i < 500; i++)
		(void)send_command(w, COMMAND_COMMIT, "/s/200", 2000);
	run_until(w, 500, 3000);
	log_set_sink(NULL, NULL);
	log_set_level(LOG_LEVEL_ERROR);
	assert_in_range(lines, 1, 2);
}

/* ---- memory, and the end ---- */

static void test_a_core_without_memory_is_told_later(void **state)
{
	struct world *w = *state;
	struct caller_config config = defaults();
	uint64_t until;

	open_caller(w, &config);
	w->event_error = E_NOMEM;
	(void)send_command(w, COMMAND_COMMIT, "/s/200", 2000);
	until = clock_ms() + 1000;
	while (w->events_refused < 5 && clock_ms() < until)
		turn(w, until);
	assert_int_equal(w->events_refused, 5);
	w->event_error = OK;
	run_until(w, 1, 1000);
	assert_int_equal(w->dones[0].status, BRANCH_COMMITTED);
	assert_int_equal(http_peer_requests(w->peer), 1);
}

static void test_closing_gives_up_what_is_under_way(void **state)
{
	struct world *w = *state;
	struct caller_config config = defaults();
	uint64_t began;

	config.calls_per_target_max = 3;
	open_caller(w, &config);
	for (int i = 0; i < 10; i++)
		(void)send_command(w, COMMAND_COMMIT, "/never", 30000);
	for (int i = 0; i < 50 && http_peer_requests(w->peer) < 3; i++)
		turn(w, clock_ms() + 20);
	assert_int_equal(http_peer_requests(w->peer), 3);
	allow(w, "");
	(void)send_command(w, COMMAND_COMMIT, "/s/200", 30000); /* refused */
	w->door.drain(w->door.self);
	assert_true(w->door.idle(w->door.self));
	began = clock_ms();
	w->door.close(w->door.self);
	w->open = false;
	assert_true(clock_ms() - began < 500);
	assert_int_equal(w->n_dones, 0);
}

/* libcurl's memory fails, too, at the same n-th allocation. */
static struct flaky curl_heap;
static bool curl_fails;

static bool fails(void)
{
	return curl_fails && curl_heap.fail_at >= 0 &&
	       curl_heap.calls++ >= curl_heap.fail_at &&
	       curl_heap.calls <= curl_heap.fail_at + 1;
}

static void *c_malloc(size_t n)
{
	return fails() ? NULL : malloc(n);
}

static void c_free(void *p)
{
	free(p);
}

static void *c_realloc(void *p, size_t n)
{
	return fails() ? NULL : realloc(p, n);
}

static char *c_strdup(const char *s)
{
	return fails() ? NULL : strdup(s);
}

static void *c_calloc(size_t n, size_t size)
{
	return fails() ? NULL : calloc(n, size);
}

enum { MET_FAILURE = 1, SAYS_DONE = 2, IS_WRONG = 4 };

/* The n-th allocation of a call fails: it is done, or may be tried again, or is
 * lost; never done wrongly, and nothing leaks. */
static int call_failing(struct world *w, long ours, long of_curl)
{
	struct caller_config config = defaults();
	struct flaky f;
	uint64_t until = clock_ms() + 3000;
	bool met;
	int is = 0;

	flaky_init(&f, -1);
	w->mem = f.mem;
	open_caller(w, &config);
	w->n_dones = 0;
	f.fail_at = ours < 0 ? -1 : f.calls + ours;
	curl_heap = (struct flaky){ .fail_at = of_curl };
	curl_fails = of_curl >= 0;
	(void)send_command(w, COMMAND_COMMIT, "/s/200", 3000);
	while (w->n_dones == 0 && clock_ms() < until &&
	       w->door.deadline(w->door.self) != UINT64_MAX)
		turn(w, until);
	curl_fails = false;
	met = ours < 0 ? curl_heap.calls > of_curl : f.calls > f.fail_at;
	w->door.close(w->door.self);
	w->open = false;
	w->mem = mem_heap;
	if (w->n_dones == 1 && w->dones[0].status == BRANCH_COMMITTED)
		is = SAYS_DONE;
	else if (w->n_dones == 1 &&
		 w->dones[0].status != BRANCH_COMMIT_RETRYABLE)
		is = IS_WRONG;
	if (f.live != 0)
		is = IS_WRONG;
	return met ? is | MET_FAILURE : is;
}

static void test_a_failed_allocation_is_no_outcome(void **state)
{
	struct world *w = *state;
	int is = MET_FAILURE;
	long n;

	for (n = 0; is & MET_FAILURE; n++) {
		size_t before = http_peer_requests(w->peer);

		is = call_failing(w, n, -1);
		assert_false(is & IS_WRONG);
		if (is & SAYS_DONE)
			assert_int_equal(http_peer_requests(w->peer),
					 before + 1);
	}
	assert_int_equal(is, SAYS_DONE);
	assert_in_range(n, 4, 200);
}

/* In a process of its own: libcurl 7.88 divides by zero if one of its tables
 * cannot be made. That ends treatyd, which loses nothing; a wrong outcome
 * would. Negative: it crashed. */
static int call_failing_apart(struct world *w, long n)
{
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		(void)signal(SIGFPE, SIG_DFL);
		(void)signal(SIGSEGV, SIG_DFL);
		_exit(40 + call_failing(w, -1, n));
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (!WIFEXITED(status) || WEXITSTATUS(status) < 40)
		return -1;
	return WEXITSTATUS(status) - 40;
}

static void test_a_failed_allocation_of_libcurl_is_no_outcome(void **state)
{
	struct world *w = *state;
	int is = MET_FAILURE, crashes = 0;
	long n;

	for (n = 0; is < 0 || is & MET_FAILURE; n++) {
		size_t before = http_peer_requests(w->peer);

		is = call_failing_apart(w, n);
		crashes += is < 0;
		assert_true(is < 0 || !(is & IS_WRONG));
		if (is > 0 && is & SAYS_DONE)
			assert_true(http_peer_requests(w->peer) > before);
	}
	assert_int_equal(is, SAYS_DONE);
	assert_in_range(n, 50, 2000);
	assert_in_range(crashes, 0, 5);
}

static void test_an_open_without_memory_leaks_nothing(void **state)
{
	struct world *w = *state;
	struct caller_config config = defaults();
	struct buf error;
	int rc = E_NOMEM;

	buf_init(&error, &mem_heap);
	for (long n = 0; rc != OK; n++) {
		struct flaky f;

		flaky_init(&f, n);
		rc = caller_open(&w->door, &f.mem, &config, &w->port, &error);
		assert_true(rc == OK || rc == E_NOMEM);
		if (rc == OK)
			w->door.close(w->door.self);
		assert_int_equal(f.live, 0);
	}
	buf_fini(&error);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_answers_end_commands),
		T(test_the_request_is_what_participants_were_promised),
		T(test_calls_of_sagas_have_outputs_and_reasons),
		T(test_what_is_no_answer_is_not_taken_for_one),
		T(test_slow_ones_are_given_up_in_time),
		T(test_large_bodies_are_cut),
		T(test_headers_without_end_do_not_fill_the_memory),
		T(test_participants_may_have_addresses_of_ipv6),
		T(test_who_is_not_there_is_said),
		T(test_connections_are_used_again),
		T(test_many_calls_share_the_places),
		T(test_a_thousand_calls_at_once),
		T(test_a_black_hole_holds_up_nobody),
		T(test_targets_take_turns),
		T(test_nothing_is_called_that_is_not_listed),
		T(test_a_name_that_leads_inside_is_not_called),
		T(test_one_good_address_of_several_is_enough),
		T(test_proxies_of_the_environment_are_not_used),
		T(test_refusals_do_not_fill_the_log),
		T(test_a_core_without_memory_is_told_later),
		T(test_closing_gives_up_what_is_under_way),
		T(test_an_open_without_memory_leaks_nothing),
		T(test_a_failed_allocation_is_no_outcome),
		T(test_a_failed_allocation_of_libcurl_is_no_outcome),
	};

	log_set_level(LOG_LEVEL_ERROR);
	if (curl_global_init_mem(CURL_GLOBAL_DEFAULT, c_malloc, c_free,
				 c_realloc, c_strdup, c_calloc) != CURLE_OK)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
