/*
 * treatyd and HTTP participants: branches by URL from begin to the end, with
 * kill -9 in the middle of a call, a configuration that changes, and names that
 * resolve slowly or lead elsewhere all of a sudden.
 */
#include "base/buf.h"
#include "tests/fakes/http_peer.h"
#include "tests/live/live.h"
#include "tests/live/trouble/trouble.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#define WAIT_MS 20000

struct fixture {
	struct treatyd d;
	struct http_peer *peer;
	struct trouble *trouble;
	char file[100];
	char wrapper[400];
	char targets[200]; /* --http-targets=… */
	char xid[160];
};

static int set_up(void **state)
{
	struct fixture *f = mem_alloc(&mem_heap, sizeof *f);
	int fd;

	snprintf(f->file, sizeof f->file, "/tmp/treaty-trouble-XXXXXX");
	fd = mkstemp(f->file);
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, sizeof *f->trouble), 0);
	f->trouble = mmap(NULL, sizeof *f->trouble, PROT_READ | PROT_WRITE,
			  MAP_SHARED, fd, 0);
	assert_true(f->trouble != MAP_FAILED);
	close(fd);
	snprintf(f->wrapper, sizeof f->wrapper,
		 "ASAN_OPTIONS=verify_asan_link_order=0 LD_PRELOAD=%s "
		 "TREATY_TROUBLE=%s exec \"$@\"",
		 TROUBLE_LIBRARY, f->file);
	f->peer = http_peer_start("127.0.0.1");
	snprintf(f->targets, sizeof f->targets,
		 "--http-targets=http://127.0.0.1:%u/",
		 http_peer_port(f->peer));
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	treatyd_remove(&f->d);
	http_peer_stop(f->peer);
	munmap(f->trouble, sizeof *f->trouble);
	unlink(f->file);
	mem_free(&mem_heap, f);
	return 0;
}

static void start(struct fixture *f)
{
	assert_true(treatyd_start(&f->d, f->targets, "--command-timeout=3s",
				  "--retry-first=20ms", "--retry-max=100ms",
				  "--attempts-max=0", NULL));
}

/* ---- REST ---- */

static char *ask(struct fixture *f, int code, const char *body,
		 const char *path, ...)
{
	char request[512], *answer;
	va_list args;

	va_start(args, path);
	(void)vsnprintf(request, sizeof request, path, args);
	va_end(args);
	answer = live_http(&f->d, request, body);
	if (live_http_code(answer) != code)
		fail_msg("%s: %s", request, answer ? answer : "no answer");
	return answer;
}

static void find_text(const char *answer, const char *member, char *out,
		      size_t size)
{
	char name[64];
	const char *p;
	size_t n;

	(void)snprintf(name, sizeof name, "\"%s\":\"", member);
	p = strstr(answer, name);
	assert_non_null(p);
	p += strlen(name);
	n = strcspn(p, "\"");
	assert_true(n < size);
	memcpy(out, p, n);
	out[n] = '\0';
}

static void begin(struct fixture *f)
{
	char *answer = ask(f, 201, "{\"name\":\"checkout\"}",
			   "POST /api/v1/transactions");

	find_text(answer, "xid", f->xid, sizeof f->xid);
	free(answer);
}

/* A TCC branch whose confirm and cancel are at this origin. */
static void add_to(struct fixture *f, int code, const char *origin,
		   const char *confirm, const char *cancel)
{
	char body[600];

	(void)snprintf(body, sizeof body,
		       "{\"mode\":\"TCC\",\"confirm\":\"%s%s\",\"cancel\":"
		       "\"%s%s\",\"data\":{\"amount\":3},\"headers\":"
		       "{\"X-Team\":\"blue\"}}",
		       origin, confirm, origin, cancel);
	free(ask(f, code, body, "POST /api/v1/transactions/%s/branches",
		 f->xid));
}

static void add(struct fixture *f, const char *confirm, const char *cancel)
{
	char origin[64];

	(void)snprintf(origin, sizeof origin, "http://127.0.0.1:%u",
		       http_peer_port(f->peer));
	add_to(f, 201, origin, confirm, cancel);
}

static void decide(struct fixture *f, const char *what)
{
	free(ask(f, 200, "{}", "POST /api/v1/transactions/%s/%s", f->xid,
		 what));
}

static void await_shown(struct fixture *f, const char *text, uint64_t ms)
{
	uint64_t until = live_now_ms() + ms;
	bool shown = false;
	char *answer = NULL;

	while (!shown && live_now_ms() < until) {
		free(answer);
		answer = ask(f, 200, NULL, "GET /api/v1/transactions/%s",
			     f->xid);
		shown = strstr(answer, text) != NULL;
		if (!shown)
			live_nap(20);
	}
	if (!shown)
		fail_msg("no %s in %s", text, answer);
	free(answer);
}

static void await_requests(struct fixture *f, size_t n)
{
	uint64_t until = live_now_ms() + WAIT_MS;

	while (http_peer_requests(f->peer) < n && live_now_ms() < until)
		live_nap(5);
	assert_true(http_peer_requests(f->peer) >= n);
}

/* ---- tests ---- */

static void test_a_commit_confirms_and_a_rollback_cancels(void **state)
{
	struct fixture *f = *state;
	char *last;

	start(f);
	begin(f);
	add(f, "/s/200/confirm", "/s/200/cancel");
	decide(f, "commit");
	await_shown(f, "Committed", WAIT_MS);
	last = http_peer_last(f->peer);
	assert_non_null(strstr(last, "POST /s/200/confirm?gid="));
	assert_non_null(strstr(last, "\r\n\r\n{\"amount\":3}"));
	assert_non_null(strstr(last, "\r\nX-Team: blue\r\n"));
	assert_non_null(strstr(last, f->xid));
	mem_free(&mem_heap, last);
	begin(f);
	add(f, "/s/200/confirm", "/s/200/cancel");
	decide(f, "rollback");
	await_shown(f, "Rollbacked", WAIT_MS);
	last = http_peer_last(f->peer);
	assert_non_null(strstr(last, "POST /s/200/cancel?gid="));
	mem_free(&mem_heap, last);
	assert_int_equal(http_peer_requests(f->peer), 2);
	assert_true(live_stat(&f->d, "calls") == 2);
	assert_true(live_stat(&f->d, "connections_opened") == 1);
}

static void test_what_fails_is_shown_and_tried_again(void **state)
{
	struct fixture *f = *state;

	start(f);
	begin(f);
	add(f, "/s/500", "/s/200");
	decide(f, "commit");
	await_requests(f, 3);
	await_shown(f, "/s/500 answered 500", WAIT_MS);
	begin(f);
	add(f, "/s/409", "/s/200");
	decide(f, "commit");
	await_shown(f, "PhaseTwo_CommitFailed_Unretryable", WAIT_MS);
}

static void test_in_progress_is_asked_again(void **state)
{
	struct fixture *f = *state;

	start(f);
	begin(f);
	add(f, "/s/425", "/s/200");
	decide(f, "commit");
	await_requests(f, 2);
}

static void test_only_listed_urls_can_be_registered(void **state)
{
	struct fixture *f = *state;

	start(f);
	begin(f);
	add_to(f, 403, "http://127.0.0.1:1", "/x", "/y");
	add_to(f, 403, "http://169.254.169.254", "/latest/meta-data", "/y");
	assert_int_equal(http_peer_requests(f->peer), 0);
}

/* The participant has the call and answers it; nobody hears it. */
static void test_a_call_cut_by_kill_9_comes_again_with_its_key(void **state)
{
	struct fixture *f = *state;
	char *first, *second;

	start(f);
	begin(f);
	add(f, "/slow/500", "/s/200");
	decide(f, "commit");
	await_requests(f, 1);
	treatyd_kill(&f->d);
	start(f);
	await_shown(f, "Committed", WAIT_MS);
	assert_int_equal(http_peer_requests(f->peer), 2);
	first = http_peer_key(f->peer, 0);
	second = http_peer_key(f->peer, 1);
	assert_string_equal(first, second);
	assert_non_null(strstr(first, f->xid));
	assert_non_null(strstr(first, "/confirm"));
	mem_free(&mem_heap, first);
	mem_free(&mem_heap, second);
}

static void test_a_stop_does_not_wait_for_a_black_hole(void **state)
{
	struct fixture *f = *state;
	uint64_t began;

	start(f);
	begin(f);
	add(f, "/never", "/s/200");
	decide(f, "commit");
	await_requests(f, 1);
	began = live_now_ms();
	treatyd_signal(&f->d, SIGTERM);
	live_nap(200);
	treatyd_signal(&f->d, SIGTERM); /* the second one: now */
	assert_int_equal(treatyd_wait(&f->d), 0);
	assert_true(live_now_ms() - began < 2000);
	start(f);
	await_requests(f, 2); /* and goes on afterwards */
}

static void write_targets(const char *path, const char *targets)
{
	FILE *file = fopen(path, "we");

	assert_non_null(file);
	assert_true(fprintf(file, "http_targets = %s\n", targets) > 0);
	assert_int_equal(fclose(file), 0);
}

static void test_sighup_takes_other_targets(void **state)
{
	struct fixture *f = *state;
	char path[128], flag[160], other[64];

	start(f); /* makes the folder */
	treatyd_kill(&f->d);
	(void)snprintf(path, sizeof path, "%s/treaty.conf", f->d.dir);
	(void)snprintf(flag, sizeof flag, "--config=%s", path);
	(void)snprintf(other, sizeof other, "http://127.0.0.1:%u/",
		       http_peer_port(f->peer));
	write_targets(path, other);
	assert_true(treatyd_start(&f->d, flag, "--retry-first=20ms",
				  "--retry-max=50ms", "--attempts-max=0",
				  NULL));
	begin(f);
	add(f, "/s/200", "/s/200");
	write_targets(path, "http://elsewhere.example/");
	treatyd_signal(&f->d, SIGHUP);
	assert_true(treatyd_says(&f->d, "http_targets is now http://elsewhere",
				 WAIT_MS));
	decide(f, "commit");
	await_shown(f, "is not allowed: no entry", WAIT_MS);
	assert_true(
		treatyd_says(&f->d, "http participant not called", WAIT_MS));
	assert_int_equal(http_peer_requests(f->peer), 0);
	write_targets(path,
		      "net:1.2.3.4"); /* makes no sense: nothing changes */
	treatyd_signal(&f->d, SIGHUP);
	assert_true(treatyd_says(&f->d, "configuration not reloaded", WAIT_MS));
	write_targets(path, other);
	treatyd_signal(&f->d, SIGHUP);
	await_shown(f, "Committed", WAIT_MS);
}

static void lead_to(struct fixture *f, const char *address)
{
	struct in_addr in;

	assert_int_equal(inet_pton(AF_INET, address, &in), 1);
	f->trouble->address = (int64_t)in.s_addr;
}

static void test_a_name_that_moves_inside_is_not_followed(void **state)
{
	struct fixture *f = *state;
	struct http_peer *good = http_peer_start("127.0.0.2");
	char origin[64];

	(void)snprintf(origin, sizeof origin, "http://pay.fake:%u",
		       http_peer_port(good));
	snprintf(f->targets, sizeof f->targets,
		 "--http-targets=http://*.fake:%u/ net:127.0.0.2",
		 http_peer_port(good));
	f->d.wrapper = f->wrapper;
	lead_to(f, "127.0.0.2");
	start(f);
	begin(f);
	add_to(f, 201, origin, "/s/200", "/s/200");
	decide(f, "commit");
	await_shown(f, "Committed", WAIT_MS);
	assert_int_equal(http_peer_requests(good), 1);
	/* The next time somebody resolves it, it is this machine. */
	lead_to(f, "127.0.0.1");
	treatyd_kill(&f->d);
	start(f);
	begin(f);
	add_to(f, 201, origin, "/s/200", "/s/200");
	decide(f, "commit");
	await_shown(f, "pay.fake leads to 127.0.0.1", WAIT_MS);
	lead_to(f, "169.254.169.254");
	treatyd_kill(&f->d);
	start(f);
	await_shown(f, "pay.fake leads to 169.254.169.254", WAIT_MS);
	assert_int_equal(http_peer_requests(good), 1);
	assert_int_equal(http_peer_connections(f->peer), 0);
	http_peer_stop(good);
}

static void test_a_slow_resolver_holds_up_nobody(void **state)
{
	struct fixture *f = *state;
	char origin[64], slow[160];
	uint64_t began;

	(void)snprintf(origin, sizeof origin, "http://slow.fake:%u",
		       http_peer_port(f->peer));
	snprintf(f->targets, sizeof f->targets,
		 "--http-targets=http://127.0.0.1:%u/ http://*.fake:%u/",
		 http_peer_port(f->peer), http_peer_port(f->peer));
	f->d.wrapper = f->wrapper;
	f->trouble->resolve_ms = 60000;
	assert_true(treatyd_start(&f->d, f->targets, "--command-timeout=1s",
				  "--retry-first=20ms", "--attempts-max=0",
				  NULL));
	begin(f);
	add_to(f, 201, origin, "/s/200", "/s/200");
	decide(f, "commit");
	(void)snprintf(slow, sizeof slow, "%s", f->xid);
	for (int i = 0; i < 200 && f->trouble->resolves == 0; i++)
		live_nap(10);
	assert_true(f->trouble->resolves > 0);
	/* Through several time-outs of that one. */
	for (int i = 0; i < 30; i++) {
		began = live_now_ms();
		begin(f);
		add(f, "/s/200", "/s/200");
		decide(f, "commit");
		await_shown(f, "Committed", WAIT_MS);
		assert_true(live_now_ms() - began < 800);
		live_nap(50);
	}
	(void)snprintf(f->xid, sizeof f->xid, "%s", slow);
	await_shown(f, "no complete answer in time", WAIT_MS);
	/* Nor does a stop wait for the resolver. */
	began = live_now_ms();
	treatyd_signal(&f->d, SIGTERM);
	live_nap(200);
	treatyd_signal(&f->d, SIGTERM);
	assert_int_equal(treatyd_wait(&f->d), 0);
	assert_true(live_now_ms() - began < 2000);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(test_a_commit_confirms_and_a_rollback_cancels),
		T(test_what_fails_is_shown_and_tried_again),
		T(test_in_progress_is_asked_again),
		T(test_only_listed_urls_can_be_registered),
		T(test_a_call_cut_by_kill_9_comes_again_with_its_key),
		T(test_a_stop_does_not_wait_for_a_black_hole),
		T(test_sighup_takes_other_targets),
		T(test_a_name_that_moves_inside_is_not_followed),
		T(test_a_slow_resolver_holds_up_nobody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
