#include "base/json.h"
#include "base/log.h"
#include "tc/door/http.h"
#include "tests/fakes/flaky.h"
#include "tests/fakes/http_world.h"

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cmocka.h>

/*
 * The door over real sockets, with a loop and a clock of the test's own: door
 * and client run in one thread, so nothing here depends on timing.
 */

static struct door door;

static struct http_config small_config(void)
{
	struct http_config config;

	http_config_default(&config);
	config.address = "127.0.0.1:0";
	config.version = "1.2.3";
	config.body_max = 4096;
	config.request_ms = 10000;
	config.reply_ms = 5000;
	config.connections_max = 8;
	return config;
}

static void open_door(const struct http_config *config)
{
	struct buf error;
	int rc;

	buf_init(&error, &mem_heap);
	rc = http_open(&door, &mem_heap, config, &world_port, &error);
	if (rc != OK)
		fail_msg("%s", buf_text(&error));
	buf_fini(&error);
}

static int setup(void **state)
{
	struct http_config config = small_config();

	(void)state;
	log_set_level(LOG_LEVEL_OFF);
	world = (struct world){ .now_ms = 1000, .state = HOST_READY };
	world.gtx[0] = (struct gtx_view){ .number = 12,
					  .status = GTX_ROLLBACK_RETRYING };
	world.n_gtx = 1;
	open_door(&config);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	door.close(door.self);
	log_set_level(LOG_LEVEL_INFO);
	return 0;
}

/* Turns of the loop until nothing moves any more. */
static void turn(void)
{
	for (int idle = 0; idle < 3;) {
		struct pollfd p = { .fd = door.fd, .events = POLLIN };
		bool ready = poll(&p, 1, 1) > 0;

		if (door.process(door.self, world.now_ms) || ready)
			idle = 0;
		else
			idle++;
		door.flush(door.self);
	}
}

static int dial(void)
{
	struct sockaddr_in to = { .sin_family = AF_INET };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	to.sin_port = htons(
		(uint16_t)strtoul(strrchr(door.address, ':') + 1, NULL, 10));
	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
	return fd;
}

static void say(int fd, const char *text)
{
	ssize_t n = send(fd, text, strlen(text), MSG_NOSIGNAL);

	assert_int_equal(n, strlen(text));
	turn();
}

/* What has come back by now; sets *end if the door hung up. */
static const char *heard(int fd, bool *end)
{
	static char text[65536];
	size_t len = 0;
	ssize_t n;

	turn();
	while ((n = recv(fd, text + len, sizeof text - 1 - len, MSG_DONTWAIT)) >
	       0)
		len += (size_t)n;
	if (end)
		*end = n == 0 || (n < 0 && errno == ECONNRESET);
	text[len] = '\0';
	return text;
}

static const char *ask(int fd, const char *text)
{
	say(fd, text);
	return heard(fd, NULL);
}

static bool begins(const char *text, const char *with)
{
	return strncmp(text, with, strlen(with)) == 0;
}

#define HOST "Host: localhost\r\n"
#define JSON "Content-Type: application/json\r\n"

static const char get_health[] = "GET /healthz HTTP/1.1\r\n" HOST "\r\n";
static const char post_retry[] =
	"POST /api/v1/transactions/12/retry HTTP/1.1\r\n" HOST JSON
	"Content-Length: 14\r\n\r\n{\"reason\":\"r\"}";

static void test_requests_share_a_connection(void **state)
{
	int fd = dial();
	const char *text;

	(void)state;
	for (int i = 0; i < 3; i++) {
		text = ask(fd, get_health);
		assert_true(begins(text, "HTTP/1.1 200 "));
		assert_non_null(strstr(text, "\r\n\r\n{\"status\":\"ok\"}"));
		assert_non_null(
			strstr(text, "X-Content-Type-Options: nosniff"));
		assert_non_null(strstr(text, "Cache-Control: no-store"));
		assert_null(strstr(text, "Connection: close"));
	}
	assert_int_equal(door.stats(door.self).accepted, 1);
	assert_int_equal(door.stats(door.self).messages_out, 3);
	close(fd);
	turn();
	assert_int_equal(door.stats(door.self).connections_now, 0);
}

static void test_a_refusal_is_a_problem_document_and_keeps_it_open(void **state)
{
	int fd = dial();
	const char *text = ask(fd, "GET /nowhere HTTP/1.1\r\n" HOST "\r\n");

	(void)state;
	assert_true(begins(text, "HTTP/1.1 404 "));
	assert_non_null(strstr(text, "application/problem+json"));
	text = ask(fd, "PUT /healthz HTTP/1.1\r\n" HOST
		       "Content-Length: 3\r\n\r\nabc");
	assert_true(begins(text, "HTTP/1.1 405 "));
	assert_non_null(strstr(text, "Allow: GET, HEAD\r\n"));
	text = ask(fd, get_health);
	assert_true(begins(text, "HTTP/1.1 200 "));
	close(fd);
}

static void test_head_has_headers_only(void **state)
{
	int fd = dial();
	const char *text = ask(fd, "HEAD /healthz HTTP/1.1\r\n" HOST "\r\n");

	(void)state;
	assert_true(begins(text, "HTTP/1.1 200 "));
	assert_non_null(strstr(text, "Content-Length: 15"));
	assert_null(strstr(text, "status"));
	close(fd);
}

static void test_an_action_waits_for_the_core(void **state)
{
	int fd = dial(), other = dial();
	struct reply reply = { .type = RQ_RETRY,
			       .err = OK,
			       .status = GTX_ROLLBACK_RETRYING };
	const char *text = ask(fd, post_retry);

	(void)state;
	assert_string_equal(text, "");
	assert_int_equal(world.events, 1);
	assert_int_equal(world.request.type, RQ_RETRY);
	assert_true(bytes_equal(world.request.text, BYTES("r")));
	assert_false(door.idle(door.self));
	/* Meanwhile others are served. */
	assert_true(begins(ask(other, get_health), "HTTP/1.1 200 "));
	/* A reply that is somebody else's wakes nobody. */
	reply.id = world.request.id + 1;
	door.reply(door.self, &reply);
	assert_string_equal(heard(fd, NULL), "");
	reply.id = world.request.id;
	door.reply(door.self, &reply);
	assert_true(door.deadline(door.self) <= world.now_ms);
	text = heard(fd, NULL);
	assert_true(begins(text, "HTTP/1.1 200 "));
	assert_non_null(strstr(text, "\"status\":\"RollbackRetrying\""));
	assert_true(door.idle(door.self));
	/* The same reply again finds nobody. */
	door.reply(door.self, &reply);
	assert_string_equal(heard(fd, NULL), "");
	assert_true(begins(ask(fd, get_health), "HTTP/1.1 200 "));
	close(fd);
	close(other);
}

static const char post_message[] =
	"POST /api/v1/messages HTTP/1.1\r\n" HOST JSON
	"Content-Length: 60\r\n\r\n"
	"{\"name\":\"n\",\"submit\":true,\"deliveries\":[{\"to\":"
	"\"msg:stock\"}]}";

static void reply_with(struct reply reply)
{
	reply.type = world.request.type;
	reply.id = world.request.id;
	reply.xid = BYTES("10.0.0.1:8091:7");
	reply.status = GTX_BEGIN;
	door.reply(door.self, &reply);
}

static void test_a_message_is_several_questions(void **state)
{
	static const enum request_type steps[] = { RQ_BEGIN, RQ_REGISTER,
						   RQ_COMMIT };
	int fd = dial();
	const char *text = ask(fd, post_message);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		assert_string_equal(text, "");
		assert_int_equal(world.events, i + 1);
		assert_int_equal(world.request.type, steps[i]);
		reply_with((struct reply){ .branch = 8 });
		/* Not from within the reply: in the flush behind it. */
		assert_int_equal(world.events, i + 1);
		text = heard(fd, NULL);
	}
	assert_true(begins(text, "HTTP/1.1 201 "));
	assert_non_null(strstr(text, "\"branches\":[\"8\"]"));
	assert_true(door.idle(door.self));
	close(fd);
}

static void test_no_memory_between_two_questions_undoes(void **state)
{
	int fd = dial();
	const char *text;

	(void)state;
	say(fd, post_message);
	world.event_error = E_NOMEM;
	reply_with((struct reply){ .err = OK });
	door.flush(door.self);
	/* The registration found no memory: rolling back is asked next. */
	assert_int_equal(world.request.type, RQ_REGISTER);
	assert_int_equal(door.deadline(door.self), 0);
	world.event_error = OK;
	text = heard(fd, NULL);
	assert_int_equal(world.request.type, RQ_ROLLBACK);
	assert_string_equal(text, "");
	reply_with((struct reply){ .err = OK });
	text = heard(fd, NULL);
	assert_true(begins(text, "HTTP/1.1 503 "));
	assert_non_null(strstr(text, "nothing of it is delivered"));
	close(fd);
}

static void test_a_message_may_end_unknown_at_any_step(void **state)
{
	int fd = dial();
	const char *text;

	(void)state;
	say(fd, post_message);
	reply_with((struct reply){ .err = OK });
	(void)heard(fd, NULL);
	assert_int_equal(world.request.type, RQ_REGISTER);
	world.now_ms += 5000;
	text = heard(fd, NULL);
	assert_true(begins(text, "HTTP/1.1 504 "));
	assert_non_null(strstr(text, "\"xid\":\"10.0.0.1:8091:7\""));
	close(fd);
	/* The door may close at any step, too. */
	fd = dial();
	say(fd, post_message);
	reply_with((struct reply){ .err = OK });
	close(fd);
}

static void test_who_waits_longer_is_given_up_later(void **state)
{
	static const char commit[] =
		"POST /api/v1/transactions/12/commit HTTP/1.1\r\n" HOST JSON
		"Content-Length: 16\r\n\r\n{\"wait_ms\":4000}";
	int patient = dial(), other = dial();

	(void)state;
	say(patient, commit);
	world.now_ms += 1000;
	say(other, post_retry);
	assert_int_equal(door.deadline(door.self), 7000);
	world.now_ms = 7000;
	assert_true(begins(heard(other, NULL), "HTTP/1.1 504 "));
	assert_string_equal(heard(patient, NULL), "");
	world.now_ms = 9999;
	assert_string_equal(heard(patient, NULL), "");
	world.now_ms = 10000;
	assert_true(begins(heard(patient, NULL), "HTTP/1.1 504 "));
	close(patient);
	close(other);
}

static void test_no_reply_means_the_outcome_is_unknown(void **state)
{
	struct reply late = { .err = OK };
	int fd = dial();
	const char *text = ask(fd, post_retry);

	(void)state;
	assert_string_equal(text, "");
	assert_int_equal(door.deadline(door.self), 6000);
	world.now_ms = 5999;
	assert_string_equal(heard(fd, NULL), "");
	world.now_ms = 6000;
	text = heard(fd, NULL);
	assert_true(begins(text, "HTTP/1.1 504 "));
	assert_non_null(strstr(text, "outcome_unknown"));
	assert_non_null(strstr(text, "10.0.0.1:8091:12"));
	late.id = world.request.id;
	door.reply(door.self, &late);
	assert_string_equal(heard(fd, NULL), "");
	close(fd);
}

static void test_no_memory_for_a_step_is_said(void **state)
{
	int fd = dial();
	const char *text;

	(void)state;
	world.event_error = E_NOMEM;
	text = ask(fd, post_retry);
	assert_true(begins(text, "HTTP/1.1 503 "));
	assert_non_null(strstr(text, "nothing was done"));
	close(fd);
}

static void test_a_client_that_left_while_waiting_is_forgotten(void **state)
{
	struct reply reply = { .err = OK };
	int fd = dial();

	(void)state;
	say(fd, post_retry);
	close(fd);
	turn();
	reply.id = world.request.id;
	door.reply(door.self, &reply);
	turn();
	assert_int_equal(door.stats(door.self).connections_now, 0);
	assert_true(door.idle(door.self));
}

static void test_a_trickling_client_is_cut_off(void **state)
{
	int fd = dial();
	bool end = false;

	(void)state;
	say(fd, "GET /healthz HT");
	for (int i = 0; i < 9 && !end; i++) {
		world.now_ms += 1000;
		(void)send(fd, "x", 1, MSG_NOSIGNAL);
		(void)heard(fd, &end);
	}
	assert_false(end);
	world.now_ms += 1000;
	(void)heard(fd, &end);
	assert_true(end);
	assert_int_equal(door.stats(door.self).connections_now, 0);
	assert_int_equal(door.stats(door.self).refused, 1);
	close(fd);
}

static void test_a_trickled_body_is_cut_off(void **state)
{
	int fd = dial();
	bool end;

	(void)state;
	say(fd, "POST /api/v1/transactions/12/retry HTTP/1.1\r\n" HOST JSON
		"Content-Length: 14\r\n\r\n{\"rea");
	world.now_ms += 9000;
	say(fd, "s");
	world.now_ms += 1000;
	(void)heard(fd, &end);
	assert_true(end);
	assert_int_equal(world.events, 0);
	close(fd);
}

static void test_an_idle_connection_is_closed_in_the_end(void **state)
{
	int fd = dial();
	bool end;

	(void)state;
	assert_true(begins(ask(fd, get_health), "HTTP/1.1 200 "));
	world.now_ms += 9999;
	assert_true(begins(ask(fd, get_health), "HTTP/1.1 200 "));
	world.now_ms += 10000;
	(void)heard(fd, &end);
	assert_true(end);
	close(fd);
}

static void test_an_oversized_body_is_refused_before_it_comes(void **state)
{
	int fd = dial();
	const char *text = ask(
		fd, "POST /api/v1/transactions/12/retry HTTP/1.1\r\n" HOST JSON
		    "Content-Length: 4097\r\n\r\n");
	bool end;

	(void)state;
	assert_true(begins(text, "HTTP/1.1 413 "));
	(void)heard(fd, &end);
	assert_true(end);
	close(fd);
	fd = dial();
	text = ask(fd,
		   "POST /api/v1/transactions/12/retry HTTP/1.1\r\n" HOST JSON
		   "Transfer-Encoding: chunked\r\n\r\n");
	assert_true(begins(text, "HTTP/1.1 411 "));
	close(fd);
	assert_int_equal(world.events, 0);
}

static void test_garbage_is_answered_or_cut_off_and_harms_nobody(void **state)
{
	static const char *const garbage[] = {
		"\r\n\r\n\r\n",
		"GET\r\n\r\n",
		"GET /healthz HTTP/9.9\r\n" HOST "\r\n",
		"GET http://localhost/healthz HTTP/1.1\r\n" HOST "\r\n",
		"GET /%00healthz HTTP/1.1\r\n" HOST "\r\n",
		"GET /healthz HTTP/1.1\r\n\r\n",
		"POST /api/v1/transactions/12/retry HTTP/1.1\r\n" HOST JSON
		"Content-Length: -1\r\n\r\n",
		"POST /api/v1/transactions/12/retry HTTP/1.1\r\n" HOST JSON
		"Content-Length: 5\r\nContent-Length: 2\r\n\r\n{}abc",
		"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
		"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(garbage); i++) {
		const char *text;
		int fd = dial();

		text = ask(fd, garbage[i]);
		if (begins(text, "HTTP/1.1 2"))
			fail_msg("taken: %s", garbage[i]);
		close(fd);
		turn();
		fd = dial();
		assert_true(begins(ask(fd, get_health), "HTTP/1.1 200 "));
		close(fd);
	}
	assert_int_equal(world.events, 0);
	turn();
	assert_int_equal(door.stats(door.self).connections_now, 0);
}

static void test_a_header_that_never_ends_is_refused(void **state)
{
	int fd = dial();
	char line[1001];
	bool end = false;

	(void)state;
	memset(line, 'a', sizeof line - 1);
	line[1] = ':';
	line[998] = '\r';
	line[999] = '\n';
	line[1000] = '\0';
	(void)send(fd, "GET /healthz HTTP/1.1\r\n", 23, MSG_NOSIGNAL);
	for (int i = 0; i < 100 && !end; i++) {
		(void)send(fd, line, 1000, MSG_NOSIGNAL);
		(void)heard(fd, &end);
	}
	assert_true(end);
	close(fd);
}

static void test_connections_have_a_limit_and_come_back(void **state)
{
	int fds[12];
	size_t served = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
		fds[i] = dial();
		if (begins(ask(fds[i], get_health), "HTTP/1.1 200 "))
			served++;
	}
	assert_int_equal(served, 8);
	assert_true(door.stats(door.self).connections_now <= 8);
	for (size_t i = 0; i < ARRAY_LEN(fds); i++)
		close(fds[i]);
	turn();
	fds[0] = dial();
	assert_true(begins(ask(fds[0], get_health), "HTTP/1.1 200 "));
	close(fds[0]);
}

static void test_draining_takes_nobody_new_but_ends_what_it_has(void **state)
{
	struct reply reply = { .err = OK };
	int fd = dial(), late;
	bool end;

	(void)state;
	say(fd, post_retry);
	door.drain(door.self);
	late = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	{
		struct sockaddr_in to = { .sin_family = AF_INET };

		to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		to.sin_port = htons((uint16_t)strtoul(
			strrchr(door.address, ':') + 1, NULL, 10));
		assert_int_equal(
			connect(late, (struct sockaddr *)&to, sizeof to), -1);
	}
	assert_false(door.idle(door.self));
	reply.id = world.request.id;
	door.reply(door.self, &reply);
	assert_true(begins(heard(fd, &end), "HTTP/1.1 200 "));
	assert_true(door.idle(door.self));
	close(fd);
	close(late);
}

static void test_closing_tells_who_waits_that_it_is_not_known(void **state)
{
	struct http_config config = small_config();
	char text[2048];
	int fd = dial();
	ssize_t n;

	(void)state;
	say(fd, post_retry);
	door.close(door.self);
	n = recv(fd, text, sizeof text - 1, 0);
	assert_true(n > 0);
	text[n] = '\0';
	assert_true(begins(text, "HTTP/1.1 504 "));
	close(fd);
	open_door(&config);
}

static int try_address(const char *address, const char *says)
{
	struct http_config config = small_config();
	struct door other;
	struct buf error;
	int rc;

	config.address = address;
	buf_init(&error, &mem_heap);
	rc = http_open(&other, &mem_heap, &config, &world_port, &error);
	if (rc == OK) {
		assert_true(begins(other.address, says));
		other.close(other.self);
	} else if (!strstr(buf_text(&error), says)) {
		fail_msg("%s: %s", address, buf_text(&error));
	}
	buf_fini(&error);
	return rc;
}

static void test_only_the_loopback_is_listened_on(void **state)
{
	(void)state;
	assert_int_equal(try_address("0.0.0.0:0", "no login"), E_DENIED);
	assert_int_equal(try_address("192.0.2.1:0", "no login"), E_DENIED);
	assert_int_equal(try_address("[::]:0", "no login"), E_DENIED);
	assert_int_equal(try_address("127.0.0.1", "such as"), E_INVALID);
	assert_int_equal(try_address("127.0.0.1:", "such as"), E_INVALID);
	assert_int_equal(try_address("127.0.0.1:70000", "such as"), E_INVALID);
	assert_int_equal(try_address("127.0.0.1:7x", "such as"), E_INVALID);
	assert_int_equal(try_address("example.org:80", "such as"), E_INVALID);
	assert_int_equal(try_address("", "such as"), E_INVALID);
	assert_int_equal(try_address("localhost:0", "127.0.0.1:"), OK);
	assert_int_equal(try_address("127.0.0.2:0", "127.0.0.2:"), OK);
	assert_int_equal(try_address(door.address, "another port"), E_IO);
}

/* Each allocation of ours on the way from opening to closing fails once. */
static void test_no_memory_anywhere_leaks_nothing(void **state)
{
	struct http_config config = small_config();

	(void)state;
	door.close(door.self);
	for (long n = 0;; n++) {
		const char *text = "";
		struct flaky f;
		struct buf error;
		int fd, rc;

		assert_true(n < 200);
		flaky_init(&f, n);
		buf_init(&error, &mem_heap);
		rc = http_open(&door, &f.mem, &config, &world_port, &error);
		buf_fini(&error);
		if (rc == OK) {
			fd = dial();
			text = ask(fd,
				   "GET /api/v1/transactions HTTP/1.1\r\n" HOST
				   "\r\n");
			assert_false(begins(text, "HTTP/1.1 4"));
			close(fd);
			turn();
			door.close(door.self);
		}
		assert_int_equal(f.live, 0);
		if (begins(text, "HTTP/1.1 200 "))
			break;
	}
	open_door(&config);
}

#define DOOR_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		DOOR_TEST(test_requests_share_a_connection),
		DOOR_TEST(
			test_a_refusal_is_a_problem_document_and_keeps_it_open),
		DOOR_TEST(test_head_has_headers_only),
		DOOR_TEST(test_an_action_waits_for_the_core),
		DOOR_TEST(test_a_message_is_several_questions),
		DOOR_TEST(test_no_memory_between_two_questions_undoes),
		DOOR_TEST(test_a_message_may_end_unknown_at_any_step),
		DOOR_TEST(test_who_waits_longer_is_given_up_later),
		DOOR_TEST(test_no_reply_means_the_outcome_is_unknown),
		DOOR_TEST(test_no_memory_for_a_step_is_said),
		DOOR_TEST(test_a_client_that_left_while_waiting_is_forgotten),
		DOOR_TEST(test_a_trickling_client_is_cut_off),
		DOOR_TEST(test_a_trickled_body_is_cut_off),
		DOOR_TEST(test_an_idle_connection_is_closed_in_the_end),
		DOOR_TEST(test_an_oversized_body_is_refused_before_it_comes),
		DOOR_TEST(test_garbage_is_answered_or_cut_off_and_harms_nobody),
		DOOR_TEST(test_a_header_that_never_ends_is_refused),
		DOOR_TEST(test_connections_have_a_limit_and_come_back),
		DOOR_TEST(test_draining_takes_nobody_new_but_ends_what_it_has),
		DOOR_TEST(test_closing_tells_who_waits_that_it_is_not_known),
		DOOR_TEST(test_only_the_loopback_is_listened_on),
		DOOR_TEST(test_no_memory_anywhere_leaks_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
