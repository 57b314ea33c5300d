#include "rm-agent/transport.h"

#include "base/buf.h"

#include <errno.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <nanomsg/nn.h>
#include <nanomsg/reqrep.h>
#include <nanomsg/tcp.h>

#define ADDRESSES_MAX 16

/* The SP header of a request: its number with the top bit set. The coordinator
 * answers and pushes with the header it likes; our numbers are in the body. */
#define SP_HEADER_LEN 4
#define SP_TOP_BIT    0x80000000u
#define CONTROL_SIZE  NN_CMSG_SPACE(sizeof(size_t) + SP_HEADER_LEN)

/* nanomsg tries again by itself after that long, up to the second. */
#define CONNECT_AGAIN_MS     50
#define CONNECT_AGAIN_MS_MAX 500
/* Room in nanomsg's and the kernel's buffers, so that bursts of commands are
 * not pushed back. */
#define BUFFER_SIZE (4 * 1024 * 1024)

struct transport {
	int socket;
	int endpoint;   /* -1: not connected to anything */
	int receive_fd; /* of the socket: readable when a message is there */
	int send_fd;    /* of the socket: readable when it can send */
	bool watch_send;
	int epoll;
	int wake;
	int wake_call;
	uint64_t connections; /* made so far, as nanomsg counts */
	size_t n_addresses;
	size_t address;
	char *addresses[ADDRESSES_MAX];
};

static bool address_valid(struct bytes a)
{
	const struct bytes tcp = BYTES("tcp://"), ipc = BYTES("ipc://");

	if (a.len >= NN_SOCKADDR_MAX || a.len <= tcp.len)
		return false;
	if (memcmp(a.data, ipc.data, ipc.len) == 0)
		return true;
	return memcmp(a.data, tcp.data, tcp.len) == 0 &&
	       memchr(a.data + tcp.len, ':', a.len - tcp.len);
}

static int add_address(struct transport *t, struct bytes a)
{
	if (t->n_addresses == ADDRESSES_MAX)
		return E_LIMIT;
	if (!address_valid(a))
		return E_INVALID;
	t->addresses[t->n_addresses] = mem_text(&mem_heap, a);
	return t->addresses[t->n_addresses++] ? OK : E_NOMEM;
}

static int split(struct transport *t, const char *text)
{
	int rc = OK;

	while (rc == OK) {
		const char *comma = strchr(text, ',');
		struct bytes a = bytes_of(text);

		if (comma)
			a.len = (size_t)(comma - text);
		rc = add_address(t, a);
		if (!comma)
			break;
		text = comma + 1;
	}
	return rc;
}

static int set(int socket, int level, int option, int value)
{
	int rc = nn_setsockopt(socket, level, option, &value, sizeof value);

	return rc == 0 ? OK : E_IO;
}

static int configure(int socket, size_t message_max)
{
	const int max = (int)(message_max + SP_HEADER_LEN);
	int rc = set(socket, NN_TCP, NN_TCP_NODELAY, 1);

	if (rc == OK)
		rc = set(socket, NN_SOL_SOCKET, NN_RCVMAXSIZE, max);
	if (rc == OK)
		rc = set(socket, NN_SOL_SOCKET, NN_SNDBUF, BUFFER_SIZE);
	if (rc == OK)
		rc = set(socket, NN_SOL_SOCKET, NN_RCVBUF, BUFFER_SIZE);
	if (rc == OK)
		rc = set(socket, NN_SOL_SOCKET, NN_RECONNECT_IVL,
			 CONNECT_AGAIN_MS);
	if (rc == OK)
		rc = set(socket, NN_SOL_SOCKET, NN_RECONNECT_IVL_MAX,
			 CONNECT_AGAIN_MS_MAX);
	return rc;
}

static int watch(struct transport *t, int fd, uint32_t events)
{
	struct epoll_event e = { .events = events, .data.fd = fd };

	return epoll_ctl(t->epoll, EPOLL_CTL_ADD, fd, &e) == 0 ? OK : E_IO;
}

static int option_fd(struct transport *t, int option, int *fd)
{
	size_t size = sizeof *fd;

	return nn_getsockopt(t->socket, NN_SOL_SOCKET, option, fd, &size) == 0
		       ? OK
		       : E_IO;
}

static int watch_all(struct transport *t)
{
	int rc = option_fd(t, NN_RCVFD, &t->receive_fd);

	if (rc == OK)
		rc = option_fd(t, NN_SNDFD, &t->send_fd);
	if (rc == OK)
		rc = watch(t, t->wake, EPOLLIN);
	if (rc == OK)
		rc = watch(t, t->receive_fd, EPOLLIN);
	return rc;
}

static int start(struct transport *t, size_t message_max)
{
	int rc;

	t->epoll = epoll_create1(EPOLL_CLOEXEC);
	t->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	t->wake_call = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	t->socket = nn_socket(AF_SP_RAW, NN_REQ);
	if (t->epoll < 0 || t->wake < 0 || t->wake_call < 0 || t->socket < 0)
		return E_IO;
	rc = configure(t->socket, message_max);
	if (rc == OK)
		rc = watch_all(t);
	if (rc == OK) {
		t->endpoint = nn_connect(t->socket, t->addresses[0]);
		rc = t->endpoint < 0 ? E_INVALID : OK;
	}
	return rc;
}

int transport_open(struct transport **out, const char *addresses,
		   size_t message_max, const char **why)
{
	struct transport *t = mem_alloc(&mem_heap, sizeof *t);
	int rc;

	*why = "out of memory";
	if (!t)
		return E_NOMEM;
	t->socket = t->endpoint = t->epoll = t->wake = t->wake_call = -1;
	rc = split(t, addresses);
	if (rc == E_INVALID || rc == E_LIMIT)
		*why = "an address must be tcp://host:port or ipc:///path, "
		       "at most 127 bytes; at most 16 separated by commas";
	if (rc == OK)
		rc = start(t, message_max);
	if (rc == E_IO)
		*why = "no socket: are file descriptors used up?";
	if (rc == E_INVALID && t->socket >= 0)
		*why = "the network library refuses the address";
	if (rc != OK) {
		transport_close(t);
		return rc == E_LIMIT ? E_INVALID : rc;
	}
	*out = t;
	return OK;
}

void transport_close(struct transport *t)
{
	if (!t)
		return;
	if (t->socket >= 0)
		(void)nn_close(t->socket);
	if (t->epoll >= 0)
		(void)close(t->epoll);
	if (t->wake >= 0)
		(void)close(t->wake);
	if (t->wake_call >= 0)
		(void)close(t->wake_call);
	for (size_t i = 0; i < t->n_addresses; i++)
		mem_free(&mem_heap, t->addresses[i]);
	mem_free(&mem_heap, t);
}

static int err_of_nn(void)
{
	return errno == EAGAIN || errno == EINTR || errno == ETIMEDOUT ? E_AGAIN
								       : E_IO;
}

int transport_send(struct transport *t, struct bytes body, uint32_t id)
{
	const uint32_t sp = id | SP_TOP_BIT;
	const uint8_t header[SP_HEADER_LEN] = { (uint8_t)(sp >> 24),
						(uint8_t)(sp >> 16),
						(uint8_t)(sp >> 8),
						(uint8_t)sp };
	/* nanomsg wants the header's size in front of it. */
	const size_t len = SP_HEADER_LEN;
	union {
		struct nn_cmsghdr head;
		uint8_t room[CONTROL_SIZE];
	} control = { .room = { 0 } };
	uint8_t *p = NN_CMSG_DATA(&control.head);
	struct nn_iovec iov = { .iov_base = (void *)(uintptr_t)body.data,
				.iov_len = body.len };
	struct nn_msghdr m = { .msg_iov = &iov,
			       .msg_iovlen = 1,
			       .msg_control = &control,
			       .msg_controllen = sizeof control };

	control.head.cmsg_len = CONTROL_SIZE;
	control.head.cmsg_level = PROTO_SP;
	control.head.cmsg_type = SP_HDR;
	memcpy(p, &len, sizeof len);
	memcpy(p + sizeof len, header, sizeof header);
	return nn_sendmsg(t->socket, &m, NN_DONTWAIT) >= 0 ? OK : err_of_nn();
}

int transport_receive(struct transport *t, struct bytes *body)
{
	void *data = NULL;
	struct nn_iovec iov = { .iov_base = &data, .iov_len = NN_MSG };
	struct nn_msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };
	int n = nn_recvmsg(t->socket, &m, NN_DONTWAIT);

	if (n < 0)
		return err_of_nn();
	*body = (struct bytes){ data, (size_t)n };
	return OK;
}

void transport_free(struct bytes body)
{
	(void)nn_freemsg((void *)(uintptr_t)body.data);
}

bool transport_renewed(struct transport *t)
{
	uint64_t n =
		nn_get_statistic(t->socket, NN_STAT_ESTABLISHED_CONNECTIONS);
	bool renewed = n != t->connections;

	t->connections = n;
	return renewed;
}

/* nanomsg does not know the endpoint? Then it is gone as well. */
static int disconnect(struct transport *t)
{
	if (t->endpoint >= 0 && nn_shutdown(t->socket, t->endpoint) != 0 &&
	    errno != EINVAL)
		return E_IO;
	t->endpoint = -1;
	return OK;
}

int transport_reconnect(struct transport *t, const char **why)
{
	int rc = disconnect(t);

	if (rc == OK) {
		t->address = (t->address + 1) % t->n_addresses;
		t->endpoint = nn_connect(t->socket, t->addresses[t->address]);
		rc = t->endpoint < 0 ? E_IO : OK;
	}
	if (rc != OK)
		*why = nn_strerror(errno);
	return rc;
}

const char *transport_address(const struct transport *t)
{
	return t->addresses[t->address];
}

/* Level-triggered, and only while there is something to send: a socket that is
 * idle can send nearly always. */
void transport_watch_send(struct transport *t, bool on)
{
	if (on == t->watch_send)
		return;
	if (on && watch(t, t->send_fd, EPOLLIN) != OK)
		return; /* the loop asks again after a while in any case */
	if (!on)
		(void)epoll_ctl(t->epoll, EPOLL_CTL_DEL, t->send_fd, NULL);
	t->watch_send = on;
}

int transport_fd(const struct transport *t)
{
	return t->epoll;
}

void transport_wait(struct transport *t, int timeout_ms)
{
	struct epoll_event events[4];

	(void)epoll_wait(t->epoll, events, ARRAY_LEN(events), timeout_ms);
}

void transport_wake(struct transport *t)
{
	(void)eventfd_write(t->wake, 1);
}

void transport_park(struct transport *t, int timeout_ms)
{
	struct pollfd p = { .fd = t->wake, .events = POLLIN };

	(void)poll(&p, 1, timeout_ms);
}

void transport_awake(struct transport *t)
{
	eventfd_t n;

	(void)eventfd_read(t->wake, &n);
}

void transport_wait_call(struct transport *t, bool watch_send, int timeout_ms)
{
	struct pollfd p[] = {
		{ .fd = t->receive_fd, .events = POLLIN },
		{ .fd = t->wake_call, .events = POLLIN },
		{ .fd = watch_send ? t->send_fd : -1, .events = POLLIN },
	};

	(void)poll(p, ARRAY_LEN(p), timeout_ms);
}

void transport_wake_call(struct transport *t)
{
	(void)eventfd_write(t->wake_call, 1);
}

void transport_awake_call(struct transport *t)
{
	eventfd_t n;

	(void)eventfd_read(t->wake_call, &n);
}
