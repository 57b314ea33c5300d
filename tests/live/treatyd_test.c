/* treatyd as a process: what it answers, what it refuses, how it stops. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <fcntl.h>
#include <nanomsg/nn.h>
#include <nanomsg/reqrep.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "tests/fakes/sp_client.h"
#include "tests/fakes/treatyd_proc.h"

struct fixture {
	struct treatyd d;
	struct sp_client c;
	char xid[160];
};

static int set_up(void **state)
{
	struct fixture *f = mem_alloc(&mem_heap, sizeof *f);

	sp_client_init(&f->c);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	sp_client_fini(&f->c);
	treatyd_remove(&f->d);
	mem_free(&mem_heap, f);
	return 0;
}

static void sleep_ms(long ms)
{
	struct timespec ts = { ms / 1000, ms % 1000 * 1000000 };

	(void)nanosleep(&ts, NULL);
}

static void join(struct fixture *f)
{
	assert_int_equal(sp_connect(&f->c, f->d.agents), OK);
	assert_int_equal(sp_hello(&f->c, "shop", "shop-1", "db"), OK);
}

static void begin(struct fixture *f)
{
	struct msg m = { .type = MSG_BEGIN,
			 .name = BYTES("buy"),
			 .timeout_ms = 60000 },
		   r;

	assert_int_equal(sp_call(&f->c, &m, &r), OK);
	assert_int_equal(r.err, 0);
	assert_true(r.xid.len < sizeof f->xid);
	memcpy(f->xid, r.xid.data, r.xid.len);
	f->xid[r.xid.len] = '\0';
}

static struct msg call(struct fixture *f, enum msg_type type)
{
	struct msg m = { .type = type, .xid = bytes_of(f->xid) }, r;

	assert_int_equal(sp_call(&f->c, &m, &r), OK);
	return r;
}

static uint64_t add_branch(struct fixture *f, uint64_t key)
{
	struct msg m = { .type = MSG_REGISTER,
			 .xid = bytes_of(f->xid),
			 .mode = MODE_AT,
			 .resource = BYTES("db"),
			 .client_key = key },
		   r;

	assert_int_equal(sp_call(&f->c, &m, &r), OK);
	assert_int_equal(r.err, 0);
	return r.branch;
}

static void await_status(struct fixture *f, uint64_t status)
{
	for (int i = 0; i < 500; i++) {
		if (call(f, MSG_STATUS).status == status)
			return;
		sleep_ms(10);
	}
	assert_int_equal(call(f, MSG_STATUS).status, status);
}

/* ---- its work ---- */

static void test_a_transaction_commits_and_is_remembered(void **state)
{
	struct fixture *f = *state;

	assert_true(treatyd_start(&f->d, NULL));
	join(f);
	begin(f);
	assert_true(add_branch(f, 1) > 0);
	assert_int_equal(call(f, MSG_COMMIT).err, 0);
	await_status(f, GTX_COMMITTED);
	assert_int_equal(call(f, MSG_ROLLBACK).err, -E_STATE);
	treatyd_kill(&f->d);
	assert_true(treatyd_start(&f->d, NULL));
	join(f);
	await_status(f, GTX_COMMITTED);
}

static void test_an_unfinished_transaction_survives_a_kill(void **state)
{
	struct fixture *f = *state;
	uint64_t branch;

	assert_true(treatyd_start(&f->d, NULL));
	join(f);
	begin(f);
	branch = add_branch(f, 7);
	treatyd_kill(&f->d);
	assert_true(treatyd_start(&f->d, NULL));
	join(f);
	assert_int_equal(call(f, MSG_STATUS).status, GTX_BEGIN);
	assert_int_equal(add_branch(f, 7), branch); /* the same one */
	assert_int_equal(call(f, MSG_ROLLBACK).err, 0);
	await_status(f, GTX_ROLLBACKED);
}

static void test_hello_is_wanted_first(void **state)
{
	struct fixture *f = *state;
	struct msg m = { .type = MSG_BEGIN, .id = 77 }, r;

	assert_true(treatyd_start(&f->d, NULL));
	assert_int_equal(sp_connect(&f->c, f->d.agents), OK);
	assert_int_equal(sp_send(&f->c, &m), OK);
	assert_int_equal(sp_recv(&f->c, &r, 2000), OK);
	assert_int_equal(r.type, MSG_HELLO_WANTED);
	assert_int_equal(r.id, 77);
	/* also for an idle agent that did not notice that it is a new one */
	m.type = MSG_PING;
	assert_int_equal(sp_send(&f->c, &m), OK);
	assert_int_equal(sp_recv(&f->c, &r, 2000), OK);
	assert_int_equal(r.type, MSG_HELLO_WANTED);
}

static void test_unix_sockets_work_like_tcp(void **state)
{
	struct fixture *f = *state;
	struct buf flag, address;

	buf_init(&flag, &mem_heap);
	buf_init(&address, &mem_heap);
	assert_true(treatyd_start(&f->d, NULL)); /* makes the folder */
	assert_int_equal(treatyd_stop(&f->d), 0);
	buf_printf(&address, "ipc://%s/sock", f->d.dir);
	buf_printf(&flag, "--agents-listen=%s", buf_text(&address));
	for (int life = 0; life < 2; life++) {
		assert_true(treatyd_start(&f->d, buf_text(&flag), NULL));
		assert_int_equal(sp_connect(&f->c, buf_text(&address)), OK);
		assert_int_equal(sp_hello(&f->c, "a", "i", "db"), OK);
		begin(f);
		(void)add_branch(f, 1);
		assert_int_equal(call(f, MSG_COMMIT).err, 0);
		treatyd_kill(&f->d); /* and leaves a stale socket file */
	}
	buf_fini(&flag);
	buf_fini(&address);
}

/* ---- a real libnanomsg client ---- */

static int nn_open(const char *address)
{
	int s = nn_socket(AF_SP_RAW, NN_REQ), ms = 3000;

	assert_true(s >= 0);
	assert_int_equal(
		nn_setsockopt(s, NN_SOL_SOCKET, NN_RCVTIMEO, &ms, sizeof ms),
		0);
	assert_true(nn_connect(s, address) >= 0);
	return s;
}

/* A raw socket takes the request id in a header of its own. */
static void nn_say(int s, const struct msg *m)
{
	uint8_t id[4] = { 0x80, 0, 0, (uint8_t)m->id };
	char control[64] = { 0 };
	struct nn_cmsghdr *c = (struct nn_cmsghdr *)(void *)control;
	struct nn_msghdr h = { .msg_iovlen = 1 };
	struct nn_iovec iov;
	size_t n = sizeof id;
	struct buf body;

	buf_init(&body, &mem_heap);
	assert_int_equal(msg_encode(&body, m), OK);
	iov = (struct nn_iovec){ body.data, body.len };
	h.msg_iov = &iov;
	h.msg_control = control;
	h.msg_controllen = NN_CMSG_SPACE(sizeof n + sizeof id);
	c->cmsg_len = NN_CMSG_LEN(sizeof n + sizeof id);
	c->cmsg_level = PROTO_SP;
	c->cmsg_type = SP_HDR;
	memcpy(NN_CMSG_DATA(c), &n, sizeof n);
	memcpy(NN_CMSG_DATA(c) + sizeof n, id, sizeof id);
	assert_int_equal(nn_sendmsg(s, &h, 0), (int)body.len);
	buf_fini(&body);
}

/* The answer with this id; pushed commands are counted and answered. */
static struct msg nn_hear(int s, struct arena *arena, uint64_t id,
			  int *commands)
{
	struct msg m = { .type = MSG_COMMAND };

	while (m.type == MSG_COMMAND) {
		struct msg done = { .type = MSG_BRANCH_DONE,
				    .status = BRANCH_COMMITTED };
		void *data;
		int n = nn_recv(s, &data, NN_MSG, 0);
		struct bytes body = { data, (size_t)n };

		assert_true(n > 0);
		assert_int_equal(msg_decode(&m, &arena->as_mem,
					    arena_bytes(arena, body)),
				 OK);
		assert_int_equal(nn_freemsg(data), 0);
		if (m.type != MSG_COMMAND)
			break;
		++*commands;
		done.id = m.id;
		done.xid = m.xid;
		done.branch = m.branch;
		nn_say(s, &done);
	}
	assert_int_equal(m.id, id);
	return m;
}

static void nn_transaction(const char *address)
{
	struct msg hello = { .type = MSG_HELLO,
			     .id = 1,
			     .application = BYTES("nano"),
			     .instance = BYTES("n-1") };
	struct msg m = { .type = MSG_BEGIN, .id = 2, .name = BYTES("x") };
	struct bytes resource = BYTES("db");
	struct arena arena;
	int s = nn_open(address), commands = 0;

	arena_init(&arena, &mem_heap, 0);
	hello.list = &resource;
	hello.n_list = 1;
	nn_say(s, &hello);
	assert_int_equal(nn_hear(s, &arena, 1, &commands).type, MSG_WELCOME);
	nn_say(s, &m);
	m.xid = nn_hear(s, &arena, 2, &commands).xid;
	assert_true(m.xid.len > 0);
	m.type = MSG_REGISTER;
	m.id = 3;
	m.resource = resource;
	nn_say(s, &m);
	assert_int_equal(nn_hear(s, &arena, 3, &commands).err, 0);
	m.type = MSG_COMMIT;
	m.id = 4;
	nn_say(s, &m);
	assert_int_equal(nn_hear(s, &arena, 4, &commands).err, 0);
	m.type = MSG_STATUS;
	for (m.id = 5; m.id < 100; m.id++) {
		nn_say(s, &m);
		if (nn_hear(s, &arena, m.id, &commands).status == GTX_COMMITTED)
			break;
		sleep_ms(10);
	}
	assert_true(m.id < 100);
	assert_int_equal(commands, 1);
	assert_int_equal(nn_close(s), 0);
	arena_fini(&arena);
}

static void test_libnanomsg_can_talk_over_tcp_and_ipc(void **state)
{
	struct fixture *f = *state;
	struct buf flag;
	char path[100];

	assert_true(treatyd_start(&f->d, NULL));
	nn_transaction(f->d.agents);
	assert_int_equal(treatyd_stop(&f->d), 0);
	buf_init(&flag, &mem_heap);
	buf_printf(&flag, "--agents-listen=ipc://%s/sock", f->d.dir);
	assert_true(treatyd_start(&f->d, buf_text(&flag), NULL));
	memcpy(path, buf_text(&flag) + 16, flag.len - 15);
	nn_transaction(path);
	buf_fini(&flag);
}

/* ---- bad clients ---- */

static void test_garbage_is_told_why_and_harms_nobody(void **state)
{
	static const char *const junk[] = {
		"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
		"\0SP\0\0\20\0\0",
	};
	struct fixture *f = *state;
	struct sp_client bad;
	struct msg r;

	assert_true(treatyd_start(&f->d, NULL));
	join(f);
	sp_client_init(&bad);
	for (uint32_t i = 0; i < 300; i++) {
		uint8_t noise[64];
		uint32_t x = i * 2654435761u + 1;

		for (size_t k = 0; k < sizeof noise; k++) {
			x ^= x << 13;
			x ^= x >> 17;
			x ^= x << 5;
			noise[k] = (uint8_t)x;
		}
		if (i % 2) /* a good frame with a bad body */
			memcpy(noise, "\0\0\0\0\0\0\0\64\200\0\0\1", 12);
		assert_int_equal(sp_connect(&bad, f->d.agents), OK);
		assert_int_equal(sp_write(&bad, (struct bytes){ noise, 64 }),
				 OK);
		assert_int_equal(sp_recv(&bad, &r, 5000), OK);
		assert_int_equal(r.type, MSG_BYE);
		assert_true(r.text.len > 10);
		assert_int_equal(sp_recv(&bad, &r, 5000), E_CLOSED);
	}
	for (size_t i = 0; i < ARRAY_LEN(junk); i++) {
		assert_int_equal(sp_connect(&bad, f->d.agents), OK);
		assert_int_equal(
			sp_write(&bad,
				 (struct bytes){ (const uint8_t *)junk[i], 8 }),
			OK);
	}
	begin(f);
	assert_int_equal(call(f, MSG_COMMIT).err, 0);
	sp_client_fini(&bad);
}

static void test_a_huge_length_is_refused_and_not_reserved(void **state)
{
	struct fixture *f = *state;
	struct msg r;

	assert_true(treatyd_start(&f->d, NULL));
	assert_int_equal(sp_connect(&f->c, f->d.agents), OK);
	assert_int_equal(sp_write(&f->c, BYTES("\0\0\0\20\0\0\0\0\200\0\0\1")),
			 OK);
	assert_int_equal(sp_recv(&f->c, &r, 3000), OK);
	assert_int_equal(r.type, MSG_BYE);
	assert_int_equal(r.err, -E_LIMIT);
	assert_true(treatyd_status(&f->d, "VmRSS") < 100000);
}

static void test_a_silent_agent_is_gone_after_three_heartbeats(void **state)
{
	struct fixture *f = *state;
	struct msg ping = { .type = MSG_PING }, r;

	assert_true(treatyd_start(&f->d, "--heartbeat=50ms",
				  "--hello-timeout=100ms", NULL));
	join(f);
	for (int i = 0; i < 8; i++) { /* a ping keeps it alive */
		sleep_ms(50);
		assert_int_equal(sp_send(&f->c, &ping), OK);
		assert_int_equal(sp_recv(&f->c, &r, 1000), OK);
		assert_int_equal(r.type, MSG_PONG);
	}
	assert_int_equal(sp_recv(&f->c, &r, 2000), OK);
	assert_int_equal(r.type, MSG_BYE);
	assert_int_equal(sp_recv(&f->c, &r, 2000), E_CLOSED);
	assert_true(treatyd_says(&f->d, "three heartbeats", 1000));
	/* One that says nothing at all does not even get that long. */
	assert_int_equal(sp_connect(&f->c, f->d.agents), OK);
	assert_int_equal(sp_recv(&f->c, &r, 2000), OK);
	assert_int_equal(r.err, -E_TIMEOUT);
}

static void test_a_slow_reader_is_bounded_and_then_disconnected(void **state)
{
	struct fixture *f = *state;
	struct msg ping = { .type = MSG_PING };
	struct sp_client slow;
	int rc = OK;
	long sent = 0;

	assert_true(treatyd_start(&f->d, "--heartbeat=300ms",
				  "--message-max=2MiB", "--output-max=2MiB",
				  "--application-data-max=1MiB", NULL));
	sp_client_init(&slow);
	assert_int_equal(sp_connect(&slow, f->d.agents), OK);
	assert_int_equal(sp_hello(&slow, "slow", "s", NULL), OK);
	assert_int_equal(fcntl(slow.fd, F_SETFL, O_NONBLOCK), 0);
	for (int round = 0; round < 400 && rc == OK; round++) {
		for (int i = 0; i < 2000; i++)
			sp_queue(&slow, &ping);
		while (slow.out.len > 0 && rc == OK) {
			ssize_t n = write(slow.fd, slow.out.data, slow.out.len);

			if (n < 0)
				break; /* it does not read us any more */
			memmove(slow.out.data, slow.out.data + n,
				slow.out.len - (size_t)n);
			slow.out.len -= (size_t)n;
			sent += n;
		}
		if (slow.out.len > 0)
			break;
	}
	assert_true(sent > 2000000);
	assert_true(treatyd_status(&f->d, "VmRSS") < 100000);
	assert_true(treatyd_says(&f->d, "agent gone", 8000));
	join(f);
	begin(f);
	sp_client_fini(&slow);
}

static void test_a_thousand_agents_fit(void **state)
{
	struct fixture *f = *state;
	static struct sp_client many[1000];
	struct rlimit lim;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &lim), 0);
	if (lim.rlim_cur < 4096)
		lim.rlim_cur = 4096;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &lim), 0);
	assert_true(treatyd_start(&f->d, NULL));
	for (size_t i = 0; i < ARRAY_LEN(many); i++) {
		sp_client_init(&many[i]);
		assert_int_equal(sp_connect(&many[i], f->d.agents), OK);
		assert_int_equal(sp_hello(&many[i], "crowd", "c", NULL), OK);
	}
	for (size_t i = 0; i < ARRAY_LEN(many); i++) {
		struct msg m = { .type = MSG_BEGIN }, r;

		assert_int_equal(sp_call(&many[i], &m, &r), OK);
		assert_int_equal(r.err, 0);
	}
	print_message("1000 agents, RSS %ld kB\n",
		      treatyd_status(&f->d, "VmRSS"));
	assert_true(treatyd_status(&f->d, "VmRSS") < 200000);
	for (size_t i = 0; i < ARRAY_LEN(many); i++)
		sp_client_fini(&many[i]);
	join(f);
	begin(f);
}

static void test_without_descriptors_it_neither_dies_nor_spins(void **state)
{
	struct fixture *f = *state;
	struct sp_client many[100];
	long before;

	f->d.wrapper = "ulimit -n 48; exec \"$@\"";
	assert_true(treatyd_start(&f->d, NULL));
	for (size_t i = 0; i < ARRAY_LEN(many); i++) {
		sp_client_init(&many[i]);
		assert_int_equal(sp_connect(&many[i], f->d.agents), OK);
	}
	assert_true(treatyd_says(&f->d, "raise the limit of open files", 2000));
	before = treatyd_cpu_ms(&f->d);
	sleep_ms(1500);
	assert_true(treatyd_cpu_ms(&f->d) - before < 150);
	for (size_t i = 0; i < ARRAY_LEN(many); i++)
		sp_client_fini(&many[i]);
	sleep_ms(300);
	join(f);
	begin(f);
}

static void test_too_many_connections_are_refused(void **state)
{
	struct fixture *f = *state;
	struct sp_client extra;
	struct msg r;

	assert_true(treatyd_start(&f->d, "--connections-max=1", NULL));
	join(f);
	sp_client_init(&extra);
	assert_int_equal(sp_connect(&extra, f->d.agents), OK);
	assert_int_equal(sp_recv(&extra, &r, 2000), E_CLOSED);
	begin(f);
	sp_client_fini(&extra);
}

static void test_with_nothing_to_do_it_does_nothing(void **state)
{
	struct fixture *f = *state;
	long before;

	assert_true(treatyd_start(&f->d, "--lazy=1min", NULL));
	join(f);
	begin(f);
	(void)add_branch(f, 1);
	assert_int_equal(call(f, MSG_COMMIT).err, 0);
	await_status(f, GTX_COMMITTED);
	begin(f); /* and one that stays open */
	sleep_ms(400);
	before = treatyd_cpu_ms(&f->d);
	sleep_ms(1500);
	assert_true(treatyd_cpu_ms(&f->d) - before <= 30);
}

static void test_too_many_agents_are_told_so(void **state)
{
	struct fixture *f = *state;
	struct msg hello = { .type = MSG_HELLO,
			     .id = 1,
			     .application = BYTES("a"),
			     .instance = BYTES("extra") };
	struct sp_client extra;
	struct msg r;

	assert_true(treatyd_start(&f->d, "--peers-max=1", NULL));
	join(f);
	sp_client_init(&extra);
	assert_int_equal(sp_connect(&extra, f->d.agents), OK);
	assert_int_equal(sp_send(&extra, &hello), OK);
	assert_int_equal(sp_recv(&extra, &r, 2000), OK);
	assert_int_equal(r.type, MSG_BYE);
	assert_int_equal(r.err, -E_LIMIT);
	sp_client_fini(&extra);
	begin(f);
}

/* ---- stopping, reloading, refusing to start ---- */

static void test_sigterm_refuses_begins_and_lets_work_end(void **state)
{
	struct fixture *f = *state;
	struct msg m = { .type = MSG_BEGIN }, r;

	assert_true(treatyd_start(&f->d, "--drain=10s", NULL));
	join(f);
	begin(f);
	(void)add_branch(f, 1);
	treatyd_signal(&f->d, SIGTERM);
	assert_true(treatyd_says(&f->d, "stopping", 2000));
	assert_int_equal(sp_call(&f->c, &m, &r), OK);
	assert_int_equal(r.err, -E_CLOSED);
	assert_int_equal(call(f, MSG_COMMIT).err, 0);
	for (int i = 0; i < 2; i++) /* the command comes; answer it */
		if (sp_recv(&f->c, &r, 1000) == OK && r.type == MSG_COMMAND)
			assert_int_equal(sp_answer(&f->c, &r), OK);
	assert_int_equal(treatyd_wait(&f->d), 0);
}

static void test_sigterm_does_not_wait_for_ever(void **state)
{
	struct fixture *f = *state;

	assert_true(treatyd_start(&f->d, "--drain=100ms", NULL));
	join(f);
	begin(f);
	(void)add_branch(f, 1);
	assert_int_equal(treatyd_stop(&f->d), 0);
	assert_true(treatyd_start(&f->d, NULL));
	join(f);
	assert_int_equal(call(f, MSG_STATUS).status, GTX_BEGIN);
}

/* What treatyd tells systemd, within ms. */
static bool notified(int fd, const char *text, int ms)
{
	char got[512];

	for (int waited = 0; waited < ms; waited += 10) {
		ssize_t n = recv(fd, got, sizeof got - 1, MSG_DONTWAIT);

		if (n > 0) {
			got[n] = '\0';
			if (strstr(got, text))
				return true;
			continue;
		}
		sleep_ms(10);
	}
	return false;
}

static void test_systemd_is_told_when_it_is_ready_and_when_it_ends(void **state)
{
	struct fixture *f = *state;
	struct sockaddr_un sun = { .sun_family = AF_UNIX,
				   .sun_path = "/tmp/treaty-notify-XXXXXX" };
	int fd = mkstemp(sun.sun_path);

	assert_true(fd >= 0);
	(void)close(fd);
	(void)unlink(sun.sun_path);
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)(void *)&sun, sizeof sun),
			 0);
	assert_int_equal(setenv("NOTIFY_SOCKET", sun.sun_path, 1), 0);
	assert_int_equal(setenv("WATCHDOG_USEC", "100000", 1), 0);
	assert_true(treatyd_start(&f->d, NULL));
	assert_true(notified(fd, "READY=1", 2000));
	assert_true(notified(fd, "WATCHDOG=1", 2000));
	treatyd_signal(&f->d, SIGHUP);
	assert_true(notified(fd, "RELOADING=1\nMONOTONIC_USEC=", 2000));
	assert_true(notified(fd, "READY=1", 2000));
	treatyd_signal(&f->d, SIGTERM);
	assert_true(notified(fd, "STOPPING=1", 2000));
	assert_int_equal(treatyd_wait(&f->d), 0);
	(void)unsetenv("NOTIFY_SOCKET");
	(void)unsetenv("WATCHDOG_USEC");
	(void)close(fd);
	(void)unlink(sun.sun_path);
}

static void write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	assert_int_equal(close(fd), 0);
}

static void test_sighup_takes_what_may_change(void **state)
{
	struct fixture *f = *state;
	char path[] = "/tmp/treaty-conf-XXXXXX", flag[64] = "--config=";
	int fd = mkstemp(path);
	struct msg m = { .type = MSG_BEGIN }, r;

	assert_true(fd >= 0);
	(void)close(fd);
	memcpy(flag + 9, path, sizeof path);
	write_text(path, "log_level = info\n");
	assert_true(treatyd_start(&f->d, flag, NULL));
	write_text(path, "transactions_max = 1\nmessage_max = 5MiB\n");
	treatyd_signal(&f->d, SIGHUP);
	assert_true(treatyd_says(&f->d, "transactions_max is now 1", 2000));
	assert_true(treatyd_said(&f->d, "message_max stays 4MiB until a "
					"restart"));
	join(f);
	begin(f);
	assert_int_equal(sp_call(&f->c, &m, &r), OK);
	assert_int_equal(r.err, -E_LIMIT);
	write_text(path, "transactions_max = many\n");
	treatyd_signal(&f->d, SIGHUP);
	assert_true(treatyd_says(&f->d, "not reloaded", 2000));
	write_text(path, "log_level = debug\n");
	treatyd_signal(&f->d, SIGHUP);
	assert_true(treatyd_says(&f->d, "log_level is now debug", 2000));
	begin(f);
	(void)unlink(path);
}

static void assert_refuses(struct fixture *f, const char *flag, int code,
			   const char *says)
{
	assert_false(treatyd_start(&f->d, flag, NULL));
	assert_int_equal(treatyd_wait(&f->d), code);
	if (!treatyd_said(&f->d, says))
		fail_msg("%s: does not say \"%s\"", flag, says);
}

static void test_it_refuses_to_start_with_a_reason(void **state)
{
	struct fixture *f = *state;
	struct treatyd second = { 0 };
	struct buf flag;

	assert_refuses(f, "--agents-listen=tcp://0.0.0.0:0", 2,
		       "allow_unauthenticated = yes");
	assert_refuses(f, "--http-listen=0.0.0.0:0", 2, "no login yet");
	assert_refuses(f, "--retry-max=soon", 2, "a time from");
	assert_refuses(f, "--nonsense=1", 2, "unknown flag --nonsense");
	assert_refuses(f, "--data-dir=/proc/nothing", 1, "--data-dir");
	assert_true(treatyd_start(&f->d, NULL));
	buf_init(&flag, &mem_heap);
	buf_printf(&flag, "--data-dir=%s", f->d.data);
	assert_false(treatyd_start(&second, buf_text(&flag), NULL));
	assert_int_equal(treatyd_wait(&second), 1);
	assert_true(treatyd_said(&second, "another treatyd has it"));
	treatyd_remove(&second);
	assert_int_equal(treatyd_stop(&f->d), 0);
	buf_clear(&flag);
	buf_printf(&flag, "%s/treaty.db", f->d.data);
	write_text(buf_text(&flag), "this is not what it was, not at all, and "
				    "more than a hundred bytes of it, so that "
				    "nobody could take it for a new one.....");
	assert_false(treatyd_start(&f->d, NULL));
	assert_int_equal(treatyd_wait(&f->d), 1);
	assert_true(treatyd_said(&f->d, "not a SQLite file"));
	buf_fini(&flag);
}

static void test_an_open_address_must_be_wanted(void **state)
{
	struct fixture *f = *state;

	assert_true(treatyd_start(&f->d, "--agents-listen=tcp://0.0.0.0:0",
				  "--allow-unauthenticated=yes", NULL));
	assert_true(treatyd_says(&f->d, "agents are not authenticated", 2000));
}

static void test_the_data_directory_is_private(void **state)
{
	struct fixture *f = *state;
	struct stat st;

	assert_true(treatyd_start(&f->d, NULL));
	assert_int_equal(stat(f->d.data, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(test_a_transaction_commits_and_is_remembered),
		T(test_an_unfinished_transaction_survives_a_kill),
		T(test_hello_is_wanted_first),
		T(test_unix_sockets_work_like_tcp),
		T(test_libnanomsg_can_talk_over_tcp_and_ipc),
		T(test_garbage_is_told_why_and_harms_nobody),
		T(test_a_huge_length_is_refused_and_not_reserved),
		T(test_a_silent_agent_is_gone_after_three_heartbeats),
		T(test_a_slow_reader_is_bounded_and_then_disconnected),
		T(test_a_thousand_agents_fit),
		T(test_without_descriptors_it_neither_dies_nor_spins),
		T(test_too_many_connections_are_refused),
		T(test_with_nothing_to_do_it_does_nothing),
		T(test_too_many_agents_are_told_so),
		T(test_sigterm_refuses_begins_and_lets_work_end),
		T(test_sigterm_does_not_wait_for_ever),
		T(test_systemd_is_told_when_it_is_ready_and_when_it_ends),
		T(test_sighup_takes_what_may_change),
		T(test_it_refuses_to_start_with_a_reason),
		T(test_an_open_address_must_be_wanted),
		T(test_the_data_directory_is_private),
	};

	return cmocka_run_group_tests_name("treatyd", tests, NULL, NULL);
}
