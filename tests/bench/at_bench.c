#include "tests/live/at_world.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

/*
 * What AT costs: the time of a one-row statement by key with Treaty, divided by
 * the time without, and the round trips to the database that each takes. The
 * coordinator is in the process, so its own round trip is not in the figures;
 * phase two is not either.
 */

static struct servers servers;

/* ---- a proxy that counts how often the client begins to speak ---- */

struct proxy {
	int listener, port, target_port;
	_Atomic unsigned long turns;
};

struct pipe_pair {
	struct proxy *proxy;
	int a, b;
};

static void *carry(void *arg)
{
	struct pipe_pair *p = arg;
	struct pollfd fds[2] = { { p->a, POLLIN, 0 }, { p->b, POLLIN, 0 } };
	bool client_spoke = false;
	char data[65536];

	while (poll(fds, 2, -1) > 0)
		for (int i = 0; i < 2; i++) {
			ssize_t n;

			if (!fds[i].revents)
				continue;
			n = read(fds[i].fd, data, sizeof data);
			if (n <= 0 || write(fds[1 - i].fd, data, (size_t)n) < n)
				goto end;
			if (i == 0 && !client_spoke)
				p->proxy->turns++;
			client_spoke = i == 0;
		}
end:
	close(p->a);
	close(p->b);
	free(p);
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
	struct proxy *proxy = arg;

	for (;;) {
		struct pipe_pair *p = calloc(1, sizeof *p);
		struct sockaddr_in to = local(proxy->target_port);
		pthread_t thread;
		int on = 1;

		p->proxy = proxy;
		p->a = accept(proxy->listener, NULL, NULL);
		p->b = socket(AF_INET, SOCK_STREAM, 0);
		if (connect(p->b, (struct sockaddr *)&to, sizeof to) != 0)
			abort();
		setsockopt(p->a, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
		setsockopt(p->b, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
		pthread_create(&thread, NULL, carry, p);
		pthread_detach(thread);
	}
	return NULL;
}

/* dsn with the port of a proxy in place of the server's. */
static void proxy_start(struct proxy *proxy, const char *dsn, char *out,
			size_t room)
{
	struct sockaddr_in here = local(0);
	socklen_t len = sizeof here;
	const char *colon = strstr(dsn, "127.0.0.1:");
	pthread_t thread;
	char *end;

	if (!colon) {
		fprintf(stderr, "no port in %s\n", dsn);
		exit(1);
	}
	colon += strlen("127.0.0.1:");
	proxy->target_port = (int)strtol(colon, &end, 10);
	proxy->listener = socket(AF_INET, SOCK_STREAM, 0);
	if (bind(proxy->listener, (struct sockaddr *)&here, sizeof here) ||
	    listen(proxy->listener, 16) ||
	    getsockname(proxy->listener, (struct sockaddr *)&here, &len))
		abort();
	snprintf(out, room, "%.*s%d%s", (int)(colon - dsn), dsn,
		 ntohs(here.sin_port), end);
	pthread_create(&thread, NULL, accept_all, proxy);
	pthread_detach(thread);
}

/* ---- measuring ---- */

static double now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

struct work_kind {
	const char *name;
	const char *sql[2]; /* with $1 and with ? */
	bool by_key;
};

static const struct work_kind kinds[] = {
	{ "UPDATE by key",
	  { "UPDATE bench SET n = n + 1 WHERE id = $1",
	    "UPDATE bench SET n = n + 1 WHERE id = ?" },
	  true },
	{ "INSERT with key",
	  { "INSERT INTO bench VALUES ($1, 1, 'new')",
	    "INSERT INTO bench VALUES (?, 1, 'new')" },
	  false },
	{ "DELETE by key",
	  { "DELETE FROM bench WHERE id = $1",
	    "DELETE FROM bench WHERE id = ?" },
	  false },
};

static int64_t next_id = 1000;

/* One statement in one global transaction of its own. */
static double run_many(struct at_world *w, const struct work_kind *k, int n,
		       bool protected, int64_t first)
{
	const char *sql = k->sql[w->dialect != DIALECT_POSTGRES];
	double spent = 0;

	for (int i = 0; i < n; i++) {
		struct treaty_value id =
			treaty_int(k->by_key ? i % 100 : first + i);
		struct treaty_tx *tx =
			protected ? at_desk_begin(&w->desk) : NULL;
		double start = now_us();
		int rc = treaty_at_exec(w->at, sql, &id, 1, NULL);

		spent += now_us() - start;
		if (rc != OK) {
			fprintf(stderr, "%s\n", treaty_last_error());
			exit(1);
		}
		if (tx)
			(void)at_desk_commit(&w->desk, tx);
	}
	return spent / n;
}

static void measure(struct at_world *w, const char *name,
		    const struct work_kind *k, const struct proxy *proxy, int n)
{
	unsigned long plain_turns = 0, turns = 0;
	double plain, protected;
	int64_t first = next_id;

	/* DELETE takes what INSERT has left. */
	if (strncmp(k->name, "DELETE", 6) == 0)
		first -= 10 * n;
	else
		next_id += 10 * n;
	(void)run_many(w, k, 20, true, first + 9 * n);
	if (proxy)
		plain_turns = proxy->turns;
	plain = run_many(w, k, n, false, first);
	if (proxy)
		plain_turns = proxy->turns - plain_turns;
	if (proxy)
		turns = proxy->turns;
	protected = run_many(w, k, n, true, first + n);
	if (proxy)
		turns = proxy->turns - turns;
	printf("| %s | %s | %.0f | %.0f | %.2f | %.2f | %.2f |\n", name,
	       k->name, plain, protected, protected / plain,
	       (double)plain_turns / n, (double)turns / n);
	fflush(stdout);
}

static void bench(const char *name, const char *dsn, const char *own,
		  struct proxy *proxy)
{
	/* Undo rows are deleted between the measured statements: a thread that
	 * does it meanwhile would be measured as well. */
	struct treaty_at_options options = { .no_thread = true, .dsn = own };
	struct at_world w;

	world_open(&w, dsn, &options);
	if (w.dialect == DIALECT_SQLITE)
		world_sql(&w, "PRAGMA journal_mode = WAL");
	else
		world_sql(&w, "DROP TABLE IF EXISTS bench");
	world_sql(&w, "CREATE TABLE bench (id int NOT NULL PRIMARY KEY, n int, "
		      "s varchar(200))");
	for (int i = 0; i < 100; i++) {
		char sql[100];

		snprintf(sql, sizeof sql,
			 "INSERT INTO bench VALUES (%d, 0, 'some text')", i);
		world_sql(&w, sql);
	}
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		/* through the proxy only for counting */
		measure(&w, name, &kinds[i], proxy, proxy ? 50 : 500);
	}
	world_close(&w);
}

int main(void)
{
	char pg[300], my[300], lite[300];
	struct proxy pg_proxy = { 0 }, my_proxy = { 0 };

	if (servers_start(&servers, SERVERS_POSTGRESQL | SERVERS_MARIADB))
		return 1;
	printf("| database | statement | plain us | Treaty us | ratio | "
	       "round trips plain | round trips Treaty |\n"
	       "|---|---|---:|---:|---:|---:|---:|\n");
	bench("PostgreSQL", servers.postgresql, NULL, NULL);
	bench("MariaDB", servers.mariadb, NULL, NULL);
	snprintf(lite, sizeof lite, "sqlite:%s/bench.db?create=1", servers.dir);
	bench("SQLite", lite, NULL, NULL);
	proxy_start(&pg_proxy, servers.postgresql, pg, sizeof pg);
	proxy_start(&my_proxy, servers.mariadb, my, sizeof my);
	bench("PostgreSQL (counted)", pg, servers.postgresql, &pg_proxy);
	bench("MariaDB (counted)", my, servers.mariadb, &my_proxy);
	servers_stop(&servers);
	return 0;
}
