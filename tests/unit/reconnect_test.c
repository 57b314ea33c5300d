#include "base/arena.h"
#include "base/buf.h"
#include "rm-agent/transport.h"
#include "wire/msg.h"

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <dlfcn.h>
#include <nanomsg/nn.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <treaty/treaty.h>

/*
 * Connections that break where it hurts most. The coordinator here is a TCP
 * server in the test's own thread, the agent one without threads, so nothing
 * is read but when the test says so. And a nanomsg that fails when told to.
 */

#define PATIENCE_MS 5000
#define HEADER_LEN  8 /* of a connection, and of a message */

static uint64_t now_ms(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static void nap(int ms)
{
	(void)poll(NULL, 0, ms);
}

/* ---- a nanomsg that fails ---- */

static int connects_to_fail, shutdowns_to_fail, connects, shutdowns;

int nn_connect(int socket, const char *address)
{
	int (*real)(int, const char *);
	void *found = dlsym(RTLD_NEXT, "nn_connect");

	connects++;
	if (connects_to_fail > 0) {
		connects_to_fail--;
		errno = EMFILE;
		return -1;
	}
	memcpy(&real, &found, sizeof real);
	return real(socket, address);
}

int nn_shutdown(int socket, int endpoint)
{
	int (*real)(int, int);
	void *found = dlsym(RTLD_NEXT, "nn_shutdown");

	shutdowns++;
	if (shutdowns_to_fail > 0) {
		shutdowns_to_fail--;
		errno = ENOMEM;
		return -1;
	}
	memcpy(&real, &found, sizeof real);
	return real(socket, endpoint);
}

/* ---- a coordinator that welcomes ---- */

struct server {
	int listener;
	int fd; /* the newest connection, or -1 */
	unsigned accepted;
	char address[64];
	size_t len;
	uint8_t in[4096];
};

static void server_start(struct server *s)
{
	struct sockaddr_in here = { .sin_family = AF_INET };
	socklen_t len = sizeof here;
	struct buf text;

	*s = (struct server){ .fd = -1 };
	connects_to_fail = shutdowns_to_fail = connects = shutdowns = 0;
	here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	s->listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	assert_int_equal(bind(s->listener, (struct sockaddr *)&here, len), 0);
	assert_int_equal(listen(s->listener, 16), 0);
	assert_int_equal(
		getsockname(s->listener, (struct sockaddr *)&here, &len), 0);
	buf_init(&text, &mem_heap);
	buf_printf(&text, "tcp://127.0.0.1:%u", ntohs(here.sin_port));
	memcpy(s->address, buf_text(&text), text.len + 1);
	buf_fini(&text);
}

static void server_drop(struct server *s)
{
	const struct linger now = { 1, 0 };

	if (s->fd < 0)
		return;
	(void)setsockopt(s->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
	(void)close(s->fd);
	s->fd = -1;
	s->len = 0;
}

static void server_stop(struct server *s)
{
	server_drop(s);
	(void)close(s->listener);
}

static void put(struct server *s, const void *data, size_t len)
{
	(void)send(s->fd, data, len, MSG_NOSIGNAL);
}

static void take_in(struct server *s)
{
	static const uint8_t hello[HEADER_LEN] = { 0, 'S', 'P', 0, 0, 0x31 };
	int fd = accept(s->listener, NULL, NULL);

	if (fd < 0)
		return;
	server_drop(s);
	s->fd = fd;
	s->accepted++;
	put(s, hello, sizeof hello);
}

static void say_welcome(struct server *s, const uint8_t *sp, uint64_t id)
{
	const struct msg m = { .type = MSG_WELCOME,
			       .id = id,
			       .level = LEVEL_OURS,
			       .coordinator = BYTES("test:1") };
	uint8_t head[HEADER_LEN + 4] = { 0 };
	struct buf body;

	buf_init(&body, &mem_heap);
	assert_int_equal(msg_encode(&body, &m), OK);
	head[HEADER_LEN - 1] = (uint8_t)(body.len + 4);
	memcpy(head + HEADER_LEN, sp, 4);
	put(s, head, sizeof head);
	put(s, body.data, body.len);
	buf_fini(&body);
}

static void answer(struct server *s, const uint8_t *message, size_t len)
{
	struct arena arena;
	struct msg m;

	arena_init(&arena, &mem_heap, 0);
	assert_int_equal(msg_decode(&m, &arena.as_mem,
				    (struct bytes){ message + 4, len - 4 }),
			 OK);
	if (m.type == MSG_HELLO)
		say_welcome(s, message, m.id);
	arena_fini(&arena);
}

/* Take one connection in, answer one message. */
static void server_step(struct server *s)
{
	size_t at = HEADER_LEN, len; /* behind the connection's header */
	ssize_t n;

	take_in(s);
	n = s->fd < 0 ? -1
		      : recv(s->fd, s->in + s->len, sizeof s->in - s->len,
			     MSG_DONTWAIT);
	if (n > 0)
		s->len += (size_t)n;
	if (s->len < at + HEADER_LEN)
		return;
	len = (size_t)s->in[at + 6] << 8 | s->in[at + 7];
	if (s->len < at + HEADER_LEN + len)
		return;
	answer(s, s->in + at + HEADER_LEN, len);
	s->len -= HEADER_LEN + len;
	memmove(s->in + at, s->in + at + HEADER_LEN + len, s->len - at);
}

/*
 * Three messages at once, of which the agent reads none, then the end. The
 * network library keeps what it has read, takes it for the beginning of the
 * next connection, and since 2 * 29 is no multiple of 8 there is always
 * something left.
 */
static void server_break(struct server *s)
{
	uint8_t messages[3][HEADER_LEN + 21] = { 0 };

	for (int i = 0; i < 3; i++) {
		messages[i][HEADER_LEN - 1] = 21;
		messages[i][HEADER_LEN] = 0x80;
	}
	put(s, messages, sizeof messages);
	nap(50);
	server_drop(s);
	nap(50);
}

/* ---- the agent ---- */

static struct treaty *open_agent(const struct server *s)
{
	struct treaty_options o;
	struct treaty *t;

	treaty_options_init(&o, sizeof o);
	o.address = s->address;
	o.application = "order";
	o.threads = 0;
	o.close_wait_ms = 100;
	assert_int_equal(treaty_open(&t, &o), TREATY_OK);
	return t;
}

static void work(struct server *s, struct treaty *t)
{
	server_step(s);
	assert_int_equal(treaty_process(t, 0), TREATY_OK);
	nap(2);
}

static void await_welcome(struct server *s, struct treaty *t, unsigned after)
{
	uint64_t end = now_ms() + PATIENCE_MS;

	while (s->accepted <= after || !treaty_connected(t)) {
		if (now_ms() > end)
			fail_msg("not welcomed in time; %u connections",
				 s->accepted - after);
		work(s, t);
	}
}

static void test_bytes_of_an_old_connection_do_not_keep_it_out(void **state)
{
	struct server s;
	struct treaty *t;

	(void)state;
	server_start(&s);
	t = open_agent(&s);
	await_welcome(&s, t, 0);
	for (int i = 0; i < 3; i++) {
		unsigned before = s.accepted;

		server_break(&s);
		await_welcome(&s, t, before);
	}
	assert_int_equal(treaty_close(t), TREATY_OK);
	server_stop(&s);
}

static void test_a_library_that_fails_to_connect_is_asked_again(void **state)
{
	struct server s;
	struct treaty *t;
	unsigned before;

	(void)state;
	server_start(&s);
	t = open_agent(&s);
	await_welcome(&s, t, 0);
	before = s.accepted;
	connects_to_fail = 1;
	shutdowns_to_fail = 1;
	server_break(&s);
	/* 1 s, then the shutdown fails; up to 2 s, then the connect; up to 4 */
	for (uint64_t end = now_ms() + 9000; now_ms() < end && connects < 3;)
		work(&s, t);
	assert_int_equal(connects_to_fail + shutdowns_to_fail, 0);
	await_welcome(&s, t, before);
	assert_int_equal(connects, 3);
	assert_int_equal(shutdowns, 2); /* nothing to shut down the 3rd time */
	assert_int_equal(treaty_close(t), TREATY_OK);
	server_stop(&s);
}

static void test_the_transport_says_when_it_cannot_connect(void **state)
{
	const char *why = "";
	struct transport *t;
	struct server s;

	(void)state;
	server_start(&s);
	assert_int_equal(transport_open(&t, s.address, 1024, &why), OK);
	connects_to_fail = 2;
	assert_int_equal(transport_reconnect(t, &why), E_IO);
	assert_true(strlen(why) > 0);
	assert_int_equal(transport_reconnect(t, &why), E_IO);
	assert_int_equal(shutdowns, 1);
	assert_int_equal(transport_reconnect(t, &why), OK);
	/* One that will not go keeps its place: never two at once. */
	shutdowns_to_fail = 1;
	assert_int_equal(transport_reconnect(t, &why), E_IO);
	assert_int_equal(connects, 4);
	assert_int_equal(transport_reconnect(t, &why), OK);
	assert_int_equal(connects, 5);
	assert_int_equal(shutdowns, 3);
	transport_close(t);
	server_stop(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			test_bytes_of_an_old_connection_do_not_keep_it_out),
		cmocka_unit_test(
			test_a_library_that_fails_to_connect_is_asked_again),
		cmocka_unit_test(
			test_the_transport_says_when_it_cannot_connect),
	};

	return cmocka_run_group_tests_name("reconnect", tests, NULL, NULL);
}
