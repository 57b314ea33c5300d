#include "base/arena.h"
#include "base/lock_key.h"
#include "tc/door/sp.h"
#include "tests/fakes/treatyd_proc.h"
#include "wire/msg.h"

#include <cJSON.h>
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <curl/curl.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cmocka.h>

/*
 * A real treatyd, a participant that speaks its wire format by hand, and an
 * operator with libcurl, raw sockets and the treaty command.
 */

#define WAIT_MS 10000

/* ---- sockets ---- */

static int dial(const char *address) /* "127.0.0.1:7091" */
{
	struct sockaddr_in to = { .sin_family = AF_INET };
	const char *colon = strrchr(address, ':');
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0 && colon);
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	to.sin_port = htons((uint16_t)strtoul(colon + 1, NULL, 10));
	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
	return fd;
}

static void send_all(int fd, struct bytes b)
{
	while (b.len > 0) {
		ssize_t n = send(fd, b.data, b.len, MSG_NOSIGNAL);

		assert_true(n > 0);
		b.data += n;
		b.len -= (size_t)n;
	}
}

static uint64_t now_ms(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* ---- a participant ---- */

struct agent {
	int fd;
	struct sp sp;
	struct buf in;
	struct arena arena;
	uint64_t ids;
};

static void agent_send(struct agent *a, const struct msg *m)
{
	struct buf out;
	size_t at;

	buf_init(&out, &mem_heap);
	at = sp_put_begin(&out, SP_TCP, m->id);
	assert_int_equal(msg_encode(&out, m), OK);
	sp_put_end(&out, at);
	send_all(a->fd, buf_bytes(&out));
	buf_fini(&out);
}

static void drop_front(struct buf *b, size_t n)
{
	if (n == 0)
		return;
	memmove(b->data, b->data + n, b->len - n);
	b->len -= n;
}

/* The next message; false if none comes in time. */
static bool agent_next(struct agent *a, struct msg *m, int wait_ms)
{
	for (;;) {
		struct pollfd p = { .fd = a->fd, .events = POLLIN };
		uint8_t part[65536];
		struct bytes body;
		const char *why;
		size_t used = 0;
		ssize_t n;
		int rc = sp_take(&a->sp, buf_bytes(&a->in), &used, &body, &why);

		if (rc == OK) {
			struct bytes copy = arena_bytes(&a->arena, body);

			drop_front(&a->in, used);
			assert_int_equal(msg_decode(m, &a->arena.as_mem, copy),
					 OK);
			return true;
		}
		assert_int_equal(rc, E_AGAIN);
		drop_front(&a->in, used);
		if (poll(&p, 1, wait_ms) <= 0)
			return false;
		n = recv(a->fd, part, sizeof part, 0);
		if (n <= 0)
			return false;
		buf_put(&a->in, (struct bytes){ part, (size_t)n });
	}
}

/* Ask, and skip everything up to the answer. */
static struct msg agent_ask(struct agent *a, struct msg *m)
{
	struct msg reply;

	m->id = ++a->ids;
	agent_send(a, m);
	do
		assert_true(agent_next(a, &reply, WAIT_MS));
	while (reply.id != m->id || reply.type == MSG_COMMAND);
	return reply;
}

static void agent_connect(struct agent *a, const struct treatyd *d)
{
	static const struct bytes resources[] = { { (const uint8_t *)"goods",
						    5 } };
	struct msg hello = { .type = MSG_HELLO,
			     .application = BYTES("shop"),
			     .instance = BYTES("i-1"),
			     .list = resources,
			     .n_list = 1 };
	struct buf out;

	a->fd = dial(d->agents);
	sp_init(&a->sp, SP_TCP, SP_REP, 1 << 20);
	buf_clear(&a->in);
	buf_init(&out, &mem_heap);
	sp_put_hello(&out, SP_REQ);
	send_all(a->fd, buf_bytes(&out));
	buf_fini(&out);
	assert_int_equal(agent_ask(a, &hello).type, MSG_WELCOME);
}

static void agent_open(struct agent *a, const struct treatyd *d)
{
	*a = (struct agent){ .fd = -1 };
	buf_init(&a->in, &mem_heap);
	arena_init(&a->arena, &mem_heap, 0);
	agent_connect(a, d);
}

static void agent_close(struct agent *a)
{
	close(a->fd);
	buf_fini(&a->in);
	arena_fini(&a->arena);
}

static struct msg agent_command(struct agent *a, int wait_ms)
{
	struct msg m;

	for (;;) {
		if (!agent_next(a, &m, wait_ms))
			return (struct msg){ .id = 0 };
		if (m.type == MSG_COMMAND)
			return m;
	}
}

static void agent_done(struct agent *a, const struct msg *command,
		       enum branch_status status, const char *error,
		       const char *detail)
{
	struct msg done = { .type = MSG_BRANCH_DONE,
			    .id = command->id,
			    .xid = command->xid,
			    .branch = command->branch,
			    .status = (uint64_t)status,
			    .text = bytes_of(error),
			    .detail = bytes_of(detail) };

	agent_send(a, &done);
}

/* A transaction with one AT branch, locked and prepared. */
static struct msg agent_begin(struct agent *a, const char *row)
{
	struct msg begin = { .type = MSG_BEGIN, .name = BYTES("checkout") };
	struct msg branch = { .type = MSG_REGISTER,
			      .mode = MODE_AT,
			      .resource = BYTES("goods"),
			      .client_key = 1,
			      .n_list = 1 };
	struct msg begun = agent_ask(a, &begin), registered;
	struct bytes key;
	struct buf b;

	assert_int_equal(begun.err, 0);
	buf_init(&b, &mem_heap);
	lock_key_begin(&b, BYTES("goods"), BYTES("stock"));
	lock_key_value(&b, bytes_of(row));
	key = buf_bytes(&b);
	branch.xid = begun.xid;
	branch.list = &key;
	registered = agent_ask(a, &branch);
	assert_int_equal(registered.err, 0);
	buf_fini(&b);
	begun.branch = registered.branch;
	return begun;
}

static void agent_roll_back(struct agent *a, const struct msg *tx)
{
	struct msg m = { .type = MSG_ROLLBACK, .xid = tx->xid };

	assert_int_equal(agent_ask(a, &m).err, 0);
}

static const char difference[] =
	"{\"dirty\":1,\"rows\":[{\"table\":\"stock\",\"key\":{\"id\":\"1\"},"
	"\"before\":\"present\",\"after\":\"present\",\"now\":\"present\","
	"\"columns\":[{\"name\":\"amount\",\"type\":\"int\","
	"\"before\":\"10\",\"after\":\"9\",\"now\":\"5\"}],"
	"\"statement\":\"update\",\"seen\":\"9f\","
	"\"reason\":\"somebody wrote it\"}]}";

/* ---- an operator ---- */

struct page {
	long status;
	struct buf body;
	cJSON *json;
};

static size_t take(char *data, size_t size, size_t n, void *ctx)
{
	buf_put(ctx, (struct bytes){ (const uint8_t *)data, size * n });
	return size * n;
}

static struct page fetch(const struct treatyd *d, const char *path,
			 const char *body)
{
	struct curl_slist *type =
		curl_slist_append(NULL, "Content-Type: application/json");
	CURL *curl = curl_easy_init();
	struct page p = { .status = 0 };
	char url[512];

	assert_true(curl && type);
	(void)snprintf(url, sizeof url, "http://%s%s", d->http, path);
	buf_init(&p.body, &mem_heap);
	curl_easy_setopt(curl, CURLOPT_URL, url);
	curl_easy_setopt(curl, CURLOPT_HTTPHEADER, type);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, 20000L);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, &p.body);
	if (body)
		curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body);
	assert_int_equal(curl_easy_perform(curl), CURLE_OK);
	curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &p.status);
	curl_easy_cleanup(curl);
	curl_slist_free_all(type);
	p.json = cJSON_Parse(buf_text(&p.body));
	assert_non_null(p.json);
	return p;
}

static void page_free(struct page *p)
{
	cJSON_Delete(p->json);
	buf_fini(&p->body);
}

/* Its status, if the answer contains `text`. */
static long fetch_status(const struct treatyd *d, const char *path,
			 const char *body, const char *text)
{
	struct page p = fetch(d, path, body);
	long status = p.status;

	if (text && !strstr(buf_text(&p.body), text))
		fail_msg("%s: %ld %s", path, status, buf_text(&p.body));
	page_free(&p);
	return status;
}

/* "/api/v1/transactions/XID" and what comes behind. */
static const char *path_of(const struct msg *tx, const char *behind)
{
	static char path[256];

	(void)snprintf(path, sizeof path, "/api/v1/transactions/%.*s%s",
		       (int)tx->xid.len, (const char *)tx->xid.data, behind);
	return path;
}

static const char *branch_path(const struct msg *tx, const char *behind)
{
	char tail[128];

	(void)snprintf(tail, sizeof tail, "/branches/%llu%s",
		       (unsigned long long)tx->branch, behind);
	return path_of(tx, tail);
}

/* Wait until the transaction's page contains this. */
static void await(const struct treatyd *d, const struct msg *tx,
		  const char *text)
{
	uint64_t end = now_ms() + WAIT_MS;

	for (;;) {
		struct page p = fetch(d, path_of(tx, ""), NULL);
		bool there = strstr(buf_text(&p.body), text) != NULL;

		if (!there && now_ms() > end)
			fail_msg("no %s in %s", text, buf_text(&p.body));
		page_free(&p);
		if (there)
			return;
		(void)poll(NULL, 0, 20);
	}
}

/* ---- the fixture ---- */

static struct treatyd d;
static struct agent a;

static int setup(void **state)
{
	(void)state;
	d = (struct treatyd){ 0 };
	if (!treatyd_start(&d, "--retry-first=1h", "--retry-max=1h",
			   "--http-request-timeout=1s", "--http-body-max=4KiB",
			   NULL))
		return -1;
	agent_open(&a, &d);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	agent_close(&a);
	treatyd_remove(&d);
	return 0;
}

/* A transaction whose undo met a dirty row. */
static struct msg make_hung(const char *row)
{
	struct msg tx = agent_begin(&a, row), command;

	agent_roll_back(&a, &tx);
	command = agent_command(&a, WAIT_MS);
	assert_int_equal(command.command, 1);
	agent_done(&a, &command, BRANCH_ROLLBACK_UNRETRYABLE, "dirty row",
		   difference);
	await(&d, &tx, "\"hung\":true");
	return tx;
}

/* ---- tests ---- */

static void test_a_hung_branch_is_seen_and_repaired(void **state)
{
	struct msg tx = make_hung("1"), command;
	struct page p;
	const cJSON *branch, *rows;

	(void)state;
	assert_int_equal(fetch_status(&d, "/api/v1/transactions?hung=true",
				      NULL, "\"status\":\"RollbackFailed\""),
			 200);
	p = fetch(&d, path_of(&tx, ""), NULL);
	branch = cJSON_GetArrayItem(cJSON_GetObjectItem(p.json, "branches"), 0);
	rows = cJSON_GetObjectItem(cJSON_GetObjectItem(branch, "detail"),
				   "rows");
	assert_int_equal(cJSON_GetArraySize(rows), 1);
	assert_string_equal(
		cJSON_GetStringValue(cJSON_GetObjectItem(branch, "last_error")),
		"dirty row");
	assert_string_equal(
		cJSON_GetStringValue(cJSON_GetArrayItem(
			cJSON_GetObjectItem(branch, "lock_keys"), 0)),
		"stock(1)");
	page_free(&p);
	assert_int_equal(fetch_status(&d, branch_path(&tx, "/resolve"),
				      "{\"resolution\":\"use_undo\","
				      "\"reason\":\"stock was counted twice\"}",
				      "\"hung\":false"),
			 200);
	command = agent_command(&a, WAIT_MS);
	assert_true(bytes_equal(command.xid, tx.xid));
	assert_int_equal(command.resolution, 1);
	agent_done(&a, &command, BRANCH_ROLLBACKED, "", "");
	await(&d, &tx, "\"status\":\"Rollbacked\"");
	await(&d, &tx, "stock was counted twice");
	assert_int_equal(fetch_status(&d, "/api/v1/transactions", NULL,
				      "{\"transactions\":[],"),
			 200);
	/* The archive is written a little later than the outcome. */
	await(&d, &tx, "\"name\":\"checkout\"");
	assert_int_equal(fetch_status(&d, "/api/v1/transactions?state=finished",
				      NULL, "\"name\":\"checkout\""),
			 200);
}

static void test_an_answered_resolution_survives_kill_9(void **state)
{
	struct msg tx = make_hung("1"), command;

	(void)state;
	assert_int_equal(
		fetch_status(&d, branch_path(&tx, "/resolve"),
			     "{\"resolution\":\"values\",\"reason\":\"r\","
			     "\"values\":{\"choice\":\"keep\",\"n\":1.50}}",
			     NULL),
		200);
	treatyd_kill(&d);
	assert_true(
		treatyd_start(&d, "--retry-first=1h", "--retry-max=1h", NULL));
	await(&d, &tx, "\"last_error\":\"dirty row\"");
	close(a.fd);
	agent_connect(&a, &d);
	command = agent_command(&a, WAIT_MS);
	assert_true(bytes_equal(command.xid, tx.xid));
	assert_int_equal(command.resolution, 3);
	assert_true(bytes_equal(command.values,
				BYTES("{\"choice\":\"keep\",\"n\":1.50}")));
	agent_done(&a, &command, BRANCH_ROLLBACKED, "", "");
	await(&d, &tx, "\"status\":\"Rollbacked\"");
}

/* What phase two found is written lazily. It survives an orderly end; kill -9
 * may lose it, and then it is found again. */
static void test_what_hangs_hangs_after_a_restart(void **state)
{
	struct msg tx = make_hung("1"), command;

	(void)state;
	assert_int_equal(treatyd_stop(&d), 0);
	assert_true(treatyd_start(&d, NULL, NULL));
	await(&d, &tx, "\"hung\":true");
	await(&d, &tx, "\"reason\":\"somebody wrote it\"");
	await(&d, &tx, "\"lock_keys\":[\"stock(1)\"]");
	close(a.fd);
	agent_connect(&a, &d);
	tx = agent_begin(&a, "2");
	agent_roll_back(&a, &tx);
	command = agent_command(&a, WAIT_MS);
	agent_done(&a, &command, BRANCH_ROLLBACK_UNRETRYABLE, "dirty row",
		   difference);
	treatyd_kill(&d);
	assert_true(treatyd_start(&d, NULL, NULL));
	close(a.fd);
	agent_connect(&a, &d);
	command = agent_command(&a, 500);
	if (command.id)
		agent_done(&a, &command, BRANCH_ROLLBACK_UNRETRYABLE,
			   "dirty row", difference);
	await(&d, &tx, "\"hung\":true");
	await(&d, &tx, "\"reason\":\"somebody wrote it\"");
}

static void test_a_retry_does_not_wait_until_it_is_due(void **state)
{
	struct msg tx = agent_begin(&a, "1"), command;

	(void)state;
	assert_int_equal(fetch_status(&d, path_of(&tx, "/retry"), "{}",
				      "nothing is decided yet"),
			 409);
	agent_roll_back(&a, &tx);
	command = agent_command(&a, WAIT_MS);
	agent_done(&a, &command, BRANCH_ROLLBACK_RETRYABLE, "database is down",
		   "");
	await(&d, &tx, "\"last_error\":\"database is down\"");
	assert_int_equal(fetch_status(&d, path_of(&tx, "/retry"),
				      "{\"reason\":\"it is back\"}",
				      "\"status\":\"Rollback"),
			 200);
	command = agent_command(&a, WAIT_MS);
	assert_true(bytes_equal(command.xid, tx.xid));
	assert_int_equal(command.attempt, 2);
	agent_done(&a, &command, BRANCH_ROLLBACKED, "", "");
	await(&d, &tx, "\"finished\":true");
	await(&d, &tx, "it is back");
	/* Once more, on a finished one: told so, and nothing happens. */
	assert_int_equal(fetch_status(&d, path_of(&tx, "/retry"), "{}",
				      "\"finished\":true"),
			 200);
}

static void test_orders_that_do_not_fit_are_refused(void **state)
{
	struct msg tx = make_hung("1");
	struct msg other = tx;
	char path[80];

	(void)state;
	other.branch += 1000;
	assert_int_equal(fetch_status(&d, branch_path(&other, "/resolve"),
				      "{\"resolution\":\"use_undo\","
				      "\"reason\":\"r\"}",
				      "branch_not_found"),
			 404);
	(void)snprintf(path, sizeof path, "/api/v1/transactions/%llu/retry",
		       (unsigned long long)tx.branch + 10000);
	assert_int_equal(fetch_status(&d, path, "", "transaction_not_found"),
			 404);
	/* Of a store that this one has replaced. */
	assert_int_equal(fetch_status(&d, "/api/v1/transactions/999999/retry",
				      "", "other_life"),
			 410);
	assert_int_equal(fetch_status(&d, branch_path(&tx, "/resolve"),
				      "{\"resolution\":\"use_undo\"}",
				      "\"parameter\":\"reason\""),
			 400);
	await(&d, &tx, "\"hung\":true");
}

static void test_the_command_shows_and_repairs(void **state)
{
	struct msg tx = make_hung("1"), command;
	char line[1024], text[8192];
	size_t n;
	FILE *f;

	(void)state;
	(void)snprintf(line, sizeof line,
		       TREATY_BINARY " -s http://%s tx show %.*s", d.http,
		       (int)tx.xid.len, (const char *)tx.xid.data);
	f = popen(line, "r");
	assert_non_null(f);
	n = fread(text, 1, sizeof text - 1, f);
	text[n] = '\0';
	assert_int_equal(pclose(f), 0);
	assert_non_null(strstr(text, "amount  int   10      9      5\n"));
	assert_non_null(strstr(text, "--use-undo --reason TEXT\n"));
	(void)snprintf(line, sizeof line,
		       TREATY_BINARY " -s http://%s tx resolve %.*s %llu "
				     "--keep-current -r counted -y",
		       d.http, (int)tx.xid.len, (const char *)tx.xid.data,
		       (unsigned long long)tx.branch);
	f = popen(line, "r");
	assert_non_null(f);
	n = fread(text, 1, sizeof text - 1, f);
	text[n] = '\0';
	assert_int_equal(pclose(f), 0);
	assert_non_null(strstr(text, "is taken up again, now Rollback"));
	command = agent_command(&a, WAIT_MS);
	assert_int_equal(command.resolution, 2);
	assert_true(bytes_equal(
		command.values,
		BYTES("{\"rows\":[{\"table\":\"stock\",\"key\":{\"id\":\"1\"},"
		      "\"choice\":\"keep\",\"seen\":\"9f\"}]}")));
	agent_done(&a, &command, BRANCH_ROLLBACKED, "", "");
	await(&d, &tx, "\"finished\":true");
}

static void test_pages_of_many_transactions_join(void **state)
{
	char path[128], next[32] = "0";
	size_t seen = 0, pages = 0;

	(void)state;
	for (int i = 0; i < 25; i++) {
		char row[16];

		(void)snprintf(row, sizeof row, "%d", i);
		(void)agent_begin(&a, row);
	}
	do {
		struct page p;
		const char *cursor;

		(void)snprintf(path, sizeof path,
			       "/api/v1/transactions?limit=10&after=%s", next);
		p = fetch(&d, path, NULL);
		seen += (size_t)cJSON_GetArraySize(
			cJSON_GetObjectItem(p.json, "transactions"));
		cursor = cJSON_GetStringValue(
			cJSON_GetObjectItem(p.json, "next"));
		(void)snprintf(next, sizeof next, "%s", cursor ? cursor : "");
		page_free(&p);
		pages++;
	} while (next[0]);
	assert_int_equal(seen, 25);
	assert_int_equal(pages, 3);
	assert_int_equal(fetch_status(&d, "/api/v1/transactions?resource=goods",
				      NULL, "checkout"),
			 200);
	assert_int_equal(fetch_status(&d, "/api/v1/transactions?resource=x",
				      NULL, "{\"transactions\":[],"),
			 200);
	assert_int_equal(fetch_status(&d, "/api/v1/stats", NULL,
				      "\"transactions_now\":25"),
			 200);
}

/* Whether the other side hangs up within so many milliseconds. */
static bool hangs_up(int fd, int ms)
{
	uint64_t end = now_ms() + (uint64_t)ms;

	while (now_ms() < end) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		char part[4096];

		if (poll(&p, 1, (int)(end - now_ms())) > 0 &&
		    recv(fd, part, sizeof part, 0) <= 0)
			return true;
	}
	return false;
}

static void test_slow_and_broken_clients_harm_nobody(void **state)
{
	static const char *const bad[] = {
		"GET /healthz HT",
		"POST /api/v1/transactions/1/retry HTTP/1.1\r\n"
		"Host: localhost\r\nContent-Type: application/json\r\n"
		"Content-Length: 100\r\n\r\n{\"rea",
		"POST /api/v1/transactions/1/retry HTTP/1.1\r\n"
		"Host: localhost\r\nContent-Type: application/json\r\n"
		"Content-Length: 99999\r\n\r\n",
		"\x16\x03\x01\x02\x00\x01",
		"",
	};
	int fds[ARRAY_LEN(bad)];
	struct msg tx;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		fds[i] = dial(d.http);
		send_all(fds[i], bytes_of(bad[i]));
	}
	assert_int_equal(fetch_status(&d, "/healthz", NULL, "ok"), 200);
	tx = agent_begin(&a, "1");
	await(&d, &tx, "\"status\":\"Begin\"");
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		if (!hangs_up(fds[i], 4000))
			fail_msg("still there: %s", bad[i]);
		close(fds[i]);
	}
	assert_int_equal(fetch_status(&d, "/readyz", NULL, "ok"), 200);
}

static void test_a_foreign_page_reads_and_does_nothing(void **state)
{
	static const char *const asks[][2] = {
		{ "GET /api/v1/transactions HTTP/1.1\r\n"
		  "Host: evil.example\r\nConnection: close\r\n\r\n",
		  "HTTP/1.1 421 " },
		{ "POST /api/v1/transactions/1/retry HTTP/1.1\r\n"
		  "Host: localhost\r\nOrigin: http://evil.example\r\n"
		  "Content-Type: application/json\r\nConnection: close\r\n"
		  "Content-Length: 2\r\n\r\n{}",
		  "HTTP/1.1 403 " },
		{ "POST /api/v1/transactions/1/retry HTTP/1.1\r\n"
		  "Host: localhost\r\nContent-Type: text/plain\r\n"
		  "Connection: close\r\nContent-Length: 2\r\n\r\n{}",
		  "HTTP/1.1 415 " },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(asks); i++) {
		char text[4096];
		int fd = dial(d.http);
		size_t len = 0;
		ssize_t n;

		send_all(fd, bytes_of(asks[i][0]));
		while ((n = recv(fd, text + len, sizeof text - 1 - len, 0)) > 0)
			len += (size_t)n;
		text[len] = '\0';
		if (strncmp(text, asks[i][1], strlen(asks[i][1])) != 0)
			fail_msg("%s\n-> %s", asks[i][0], text);
		close(fd);
	}
}

#define LIVE_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		LIVE_TEST(test_a_hung_branch_is_seen_and_repaired),
		LIVE_TEST(test_an_answered_resolution_survives_kill_9),
		LIVE_TEST(test_what_hangs_hangs_after_a_restart),
		LIVE_TEST(test_a_retry_does_not_wait_until_it_is_due),
		LIVE_TEST(test_orders_that_do_not_fit_are_refused),
		LIVE_TEST(test_the_command_shows_and_repairs),
		LIVE_TEST(test_pages_of_many_transactions_join),
		LIVE_TEST(test_slow_and_broken_clients_harm_nobody),
		LIVE_TEST(test_a_foreign_page_reads_and_does_nothing),
	};

	curl_global_init(CURL_GLOBAL_DEFAULT);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
