#include "tests/fakes/sp_client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define CALL_MS 5000

void sp_client_init(struct sp_client *c)
{
	*c = (struct sp_client){ .fd = -1,
				 .next_id = 1,
				 .commit_status = BRANCH_COMMITTED,
				 .rollback_status = BRANCH_ROLLBACKED };
	buf_init(&c->in, &mem_heap);
	buf_init(&c->out, &mem_heap);
	arena_init(&c->arena, &mem_heap, 0);
}

void sp_client_fini(struct sp_client *c)
{
	sp_disconnect(c);
	buf_fini(&c->in);
	buf_fini(&c->out);
	arena_fini(&c->arena);
}

void sp_disconnect(struct sp_client *c)
{
	if (c->fd >= 0)
		(void)close(c->fd);
	c->fd = -1;
	c->greeted = false;
	buf_clear(&c->in);
	buf_clear(&c->out);
}

static int connect_tcp(const char *text)
{
	struct sockaddr_in sin = { .sin_family = AF_INET };
	const char *colon = strrchr(text, ':');
	int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -1;
	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	sin.sin_port = htons((uint16_t)strtoul(colon + 1, NULL, 10));
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	if (connect(fd, (struct sockaddr *)(void *)&sin, sizeof sin) == 0)
		return fd;
	(void)close(fd);
	return -1;
}

static int connect_ipc(const char *path)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	REQUIRE(strlen(path) < sizeof sun.sun_path);
	memcpy(sun.sun_path, path, strlen(path) + 1);
	if (fd < 0)
		return -1;
	if (connect(fd, (struct sockaddr *)(void *)&sun, sizeof sun) == 0)
		return fd;
	(void)close(fd);
	return -1;
}

int sp_connect(struct sp_client *c, const char *address)
{
	sp_disconnect(c);
	c->ipc = strncmp(address, "ipc://", 6) == 0;
	c->fd = c->ipc ? connect_ipc(address + 6) : connect_tcp(address);
	if (c->fd < 0)
		return E_IO;
	return sp_write(c, BYTES("\0SP\0\0\60\0\0"));
}

int sp_write(struct sp_client *c, struct bytes raw)
{
	while (raw.len > 0) {
		ssize_t n = send(c->fd, raw.data, raw.len, MSG_NOSIGNAL);

		if (n < 0 && errno != EINTR)
			return E_CLOSED;
		raw.data += n > 0 ? n : 0;
		raw.len -= n > 0 ? (size_t)n : 0;
	}
	return OK;
}

void sp_queue(struct sp_client *c, const struct msg *m)
{
	size_t at;

	if (c->ipc)
		buf_put_u8(&c->out, 1);
	buf_put_u32(&c->out, 0);
	at = c->out.len;
	buf_put_u32(&c->out, 0);
	buf_put_u32(&c->out, 0x80000000u | (uint32_t)m->id);
	REQUIRE(msg_encode(&c->out, m) == OK);
	buf_set_u32(&c->out, at, (uint32_t)(c->out.len - at - 4));
}

int sp_push(struct sp_client *c)
{
	int rc = sp_write(c, buf_bytes(&c->out));

	buf_clear(&c->out);
	return rc;
}

int sp_send(struct sp_client *c, const struct msg *m)
{
	sp_queue(c, m);
	return sp_push(c);
}

/* ---- in ---- */

/* How many bytes the first frame in c->in has; 0: not all there. */
static size_t frame_len(const struct sp_client *c)
{
	struct reader r = reader_of(buf_bytes(&c->in));
	uint64_t len;

	if (c->ipc)
		(void)read_u8(&r);
	len = read_u64(&r);
	if (r.failed || reader_left(&r) < len)
		return 0;
	return c->in.len - reader_left(&r) + (size_t)len;
}

static void drop_front(struct buf *b, size_t n)
{
	memmove(b->data, b->data + n, b->len - n);
	b->len -= n;
}

static bool take_hello(struct sp_client *c)
{
	if (c->greeted || c->in.len < 8)
		return c->greeted;
	REQUIRE(memcmp(c->in.data, "\0SP\0\0\61\0\0", 8) == 0);
	drop_front(&c->in, 8);
	c->greeted = true;
	return true;
}

static int fill(struct sp_client *c, int timeout_ms)
{
	struct pollfd p = { c->fd, POLLIN, 0 };
	uint8_t block[65536];
	ssize_t n;

	if (poll(&p, 1, timeout_ms) <= 0)
		return E_TIMEOUT;
	n = recv(c->fd, block, sizeof block, 0);
	if (n <= 0)
		return E_CLOSED;
	buf_put(&c->in, (struct bytes){ block, (size_t)n });
	return OK;
}

int sp_recv(struct sp_client *c, struct msg *out, int timeout_ms)
{
	struct bytes body;
	size_t head = c->ipc ? 13 : 12, len;
	int rc;

	while (!take_hello(c) || (len = frame_len(c)) == 0) {
		rc = fill(c, timeout_ms);
		if (rc != OK)
			return rc;
	}
	REQUIRE(len > head && c->in.data[head - 4] & 0x80);
	arena_reset(&c->arena);
	body = arena_bytes(&c->arena,
			   (struct bytes){ c->in.data + head, len - head });
	drop_front(&c->in, len);
	return msg_decode(out, &c->arena.as_mem, body);
}

/* ---- talking ---- */

int sp_answer(struct sp_client *c, const struct msg *command)
{
	struct msg done = {
		.type = MSG_BRANCH_DONE,
		.id = command->id,
		.xid = command->xid,
		.branch = command->branch,
		.status = command->command == 0 ? c->commit_status
						: c->rollback_status,
	};

	return sp_send(c, &done);
}

static int wait_for(struct sp_client *c, enum msg_type type, uint64_t id,
		    struct msg *out)
{
	for (;;) {
		int rc = sp_recv(c, out, CALL_MS);

		if (rc != OK || out->type == MSG_BYE)
			return rc == OK ? E_CLOSED : rc;
		if (out->type == type && out->id == id)
			return OK;
		if (out->type == MSG_COMMAND && sp_answer(c, out) != OK)
			return E_CLOSED;
	}
}

int sp_hello(struct sp_client *c, const char *application, const char *instance,
	     const char *resource)
{
	struct bytes list = bytes_of(resource);
	struct msg m = { .type = MSG_HELLO,
			 .id = c->next_id++,
			 .application = bytes_of(application),
			 .instance = bytes_of(instance),
			 .list = &list,
			 .n_list = resource ? 1 : 0 };
	struct msg welcome;
	int rc = sp_send(c, &m);

	return rc == OK ? wait_for(c, MSG_WELCOME, m.id, &welcome) : rc;
}

int sp_call(struct sp_client *c, struct msg *m, struct msg *reply)
{
	int rc;

	m->id = c->next_id++;
	rc = sp_send(c, m);
	return rc == OK ? wait_for(c, MSG_REPLY, m->id, reply) : rc;
}
