#include "tests/live/at_world.h"

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

/*
 * The application's connection is cut while it commits: before the server has
 * heard COMMIT, or after it has executed it and before its answer arrives. The
 * program cannot tell one from the other, and is told that it cannot; the
 * global transaction can.
 */

static struct servers servers;

/* ---- a proxy that cuts at COMMIT ---- */

enum cut {
	CUT_NEVER,
	CUT_BEFORE, /* the server never hears it */
	CUT_AFTER,  /* the client never hears the answer */
};

static struct {
	int listener, target_port;
	_Atomic int cut;
	bool mysql;
	_Atomic unsigned cuts;
} proxy;

struct ends {
	int client, server;
	bool prepared; /* the next thing that the client says executes it */
};

static bool forward(int from, int to, char *data, size_t room, ssize_t *n)
{
	*n = read(from, data, room);
	return *n > 0 && write(to, data, (size_t)*n) == *n;
}

/* Let the client say the rest of it, and swallow what the server says. */
static void swallow_answer(const struct ends *e)
{
	struct pollfd fds[2] = { { e->client, POLLIN, 0 },
				 { e->server, POLLIN, 0 } };
	char data[65536];
	ssize_t n;

	while (poll(fds, 2, 500) > 0) {
		if (fds[0].revents &&
		    !forward(e->client, e->server, data, sizeof data, &n))
			return;
		if (fds[1].revents && read(e->server, data, sizeof data) <= 0)
			return;
	}
}

/* MySQL's protocol prepares a statement and waits, then executes it. */
static bool says_commit(struct ends *e, const char *data, size_t n)
{
	const char com_stmt_prepare = 0x16;
	bool prepared = e->prepared;

	e->prepared = false;
	if (prepared)
		return true;
	if (!memmem(data, n, "COMMIT", 6))
		return false;
	e->prepared = proxy.mysql && n > 4 && data[4] == com_stmt_prepare;
	return !e->prepared;
}

/* True: it was the moment. */
static bool cut_here(struct ends *e)
{
	char data[65536];
	ssize_t n = recv(e->client, data, sizeof data, MSG_PEEK);
	int cut = proxy.cut;

	if (cut == CUT_NEVER || n <= 0 || !says_commit(e, data, (size_t)n))
		return false;
	proxy.cuts++;
	if (cut == CUT_AFTER)
		swallow_answer(e);
	return true;
}

static void *carry(void *arg)
{
	struct ends *e = arg;
	struct pollfd fds[2] = { { e->client, POLLIN, 0 },
				 { e->server, POLLIN, 0 } };
	char data[65536];
	ssize_t n;

	while (poll(fds, 2, -1) > 0) {
		if (fds[1].revents &&
		    !forward(e->server, e->client, data, sizeof data, &n))
			break;
		if (!fds[0].revents)
			continue;
		if (cut_here(e) ||
		    !forward(e->client, e->server, data, sizeof data, &n))
			break;
	}
	close(e->client);
	close(e->server);
	free(e);
	return NULL;
}

static struct sockaddr_in local(int port)
{
	return (struct sockaddr_in){
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
		.sin_port = htons((uint16_t)port),
	};
}

static void *accept_all(void *arg)
{
	(void)arg;
	for (;;) {
		struct ends *e = calloc(1, sizeof *e);
		struct sockaddr_in to;
		pthread_t thread;

		REQUIRE(e);
		e->client = accept(proxy.listener, NULL, NULL);
		to = local(proxy.target_port);
		e->server = socket(AF_INET, SOCK_STREAM, 0);
		if (e->client < 0 ||
		    connect(e->server, (struct sockaddr *)&to, sizeof to))
			abort();
		pthread_create(&thread, NULL, carry, e);
		pthread_detach(thread);
	}
	return NULL;
}

static void proxy_start(void)
{
	struct sockaddr_in here = local(0);
	pthread_t thread;

	proxy.listener = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(
		bind(proxy.listener, (struct sockaddr *)&here, sizeof here), 0);
	assert_int_equal(listen(proxy.listener, 16), 0);
	pthread_create(&thread, NULL, accept_all, NULL);
	pthread_detach(thread);
}

/* The DSN with the proxy's port in place of the server's. */
static void through_proxy(const char *dsn, char *out, size_t room)
{
	static const char host[] = "127.0.0.1:";
	struct sockaddr_in here;
	socklen_t len = sizeof here;
	const char *port = strstr(dsn, host);
	char *end;

	assert_non_null(port);
	port += strlen(host);
	proxy.target_port = (int)strtol(port, &end, 10);
	assert_int_equal(
		getsockname(proxy.listener, (struct sockaddr *)&here, &len), 0);
	snprintf(out, room, "%.*s%d%s", (int)(port - dsn), dsn,
		 ntohs(here.sin_port), end);
}

/* ---- what the application does ---- */

static void open_each(struct at_world *w, int which)
{
	const char *dsn = which ? servers.mariadb : servers.postgresql;
	const struct treaty_at_options o = { .no_thread = true, .dsn = dsn };
	char via[300];

	proxy.cut = CUT_NEVER;
	proxy.cuts = 0;
	proxy.mysql = which != 0;
	through_proxy(dsn, via, sizeof via);
	world_open(w, via, &o);
	world_sql(w, "DROP TABLE IF EXISTS t;\nDELETE FROM undo_log;\n"
		     "CREATE TABLE t (id int NOT NULL PRIMARY KEY, n int);\n"
		     "INSERT INTO t VALUES (1, 10), (2, 20)");
}

static void alone(struct at_world *w)
{
	world_exec(w, "UPDATE t SET n = n + 100", E_UNKNOWN);
}

static void by_call(struct at_world *w)
{
	assert_int_equal(treaty_at_begin(w->at), OK);
	world_exec(w, "UPDATE t SET n = n + 50", OK);
	world_exec(w, "UPDATE t SET n = n + 50", OK);
	assert_int_equal(treaty_at_commit(w->at), E_UNKNOWN);
}

static void by_sql(struct at_world *w)
{
	world_exec(w, "BEGIN", OK);
	world_exec(w, "UPDATE t SET n = n + 100", OK);
	world_exec(w, "COMMIT", E_UNKNOWN);
}

static void (*const ways[])(struct at_world *w) = { alone, by_call, by_sql };

#define EACH(w)                                                                \
	for (int which = 0; which < 2; which++)                                \
		for (size_t way = 0;                                           \
		     way < ARRAY_LEN(ways) && (open_each(&(w), which), 1);     \
		     way++, world_close(&(w)))

/* The server may still be at it. */
static int64_t sum_becomes(struct at_world *w, int64_t wanted)
{
	int64_t n = 0;

	for (int i = 0; i < 200; i++) {
		n = world_count(w, "SELECT SUM(n) FROM t");
		if (n == wanted)
			break;
		usleep(10000);
	}
	return n;
}

static int64_t undo_rows(struct at_world *w, int status)
{
	char sql[80];

	snprintf(sql, sizeof sql,
		 "SELECT COUNT(*) FROM undo_log WHERE log_status = %d", status);
	return world_count(w, sql);
}

static struct treaty_tx *cut_in(struct at_world *w, size_t way, int cut)
{
	struct treaty_tx *tx = at_desk_begin(&w->desk);

	proxy.cut = cut;
	ways[way](w);
	proxy.cut = CUT_NEVER;
	assert_int_equal(proxy.cuts, 1);
	assert_int_equal(treaty_at_error(w->at)->code, E_UNKNOWN);
	assert_non_null(strstr(treaty_at_error(w->at)->message, tx->xid));
	/* The branch is not reported as failed: it may have happened. */
	assert_int_equal(w->desk.n_branches, 1);
	assert_false(w->desk.branches[0].failed);
	assert_int_equal(w->desk.n_locks, 2);
	world_exec(w, "UPDATE t SET n = 0", E_CLOSED);
	return tx;
}

static void test_an_executed_commit_without_an_answer_is_undone(void **state)
{
	struct at_world w;

	(void)state;
	EACH(w)
	{
		struct treaty_tx *tx = cut_in(&w, way, CUT_AFTER);

		assert_int_equal(sum_becomes(&w, 230), 230);
		assert_int_equal(undo_rows(&w, 0), 1);
		assert_int_equal(at_desk_rollback(&w.desk, tx), 0);
		assert_int_equal(sum_becomes(&w, 30), 30);
		assert_int_equal(undo_rows(&w, 0), 0);
		assert_int_equal(undo_rows(&w, 1), 0);
	}
}

static void test_an_executed_commit_without_an_answer_may_stay(void **state)
{
	struct at_world w;

	(void)state;
	EACH(w)
	{
		struct treaty_tx *tx = cut_in(&w, way, CUT_AFTER);

		assert_int_equal(sum_becomes(&w, 230), 230);
		assert_int_equal(at_desk_commit(&w.desk, tx), 0);
		assert_int_equal(sum_becomes(&w, 230), 230);
		assert_int_equal(undo_rows(&w, 0), 0);
	}
}

static void test_a_commit_that_was_never_heard_is_kept_out(void **state)
{
	struct at_world w;

	(void)state;
	EACH(w)
	{
		struct treaty_tx *tx = cut_in(&w, way, CUT_BEFORE);

		assert_int_equal(sum_becomes(&w, 30), 30);
		assert_int_equal(at_desk_rollback(&w.desk, tx), 0);
		assert_int_equal(sum_becomes(&w, 30), 30);
		assert_int_equal(undo_rows(&w, 0), 0);
		assert_int_equal(undo_rows(&w, 1), 1);
	}
}

static int start(void **state)
{
	(void)state;
	proxy_start();
	return servers_start(&servers, SERVERS_POSTGRESQL | SERVERS_MARIADB);
}

static int stop(void **state)
{
	(void)state;
	servers_stop(&servers);
	return 0;
}

#define T(name) cmocka_unit_test(name)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_an_executed_commit_without_an_answer_is_undone),
		T(test_an_executed_commit_without_an_answer_may_stay),
		T(test_a_commit_that_was_never_heard_is_kept_out),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
