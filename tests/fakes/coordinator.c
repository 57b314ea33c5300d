#include "tests/fakes/coordinator.h"

#include "base/arena.h"

#include <errno.h>
#include <time.h>
#include <unistd.h>

#include <nanomsg/nn.h>
#include <nanomsg/reqrep.h>

#define HEADER_AT sizeof(size_t) /* in the control data: size, then header */

static void send_msg(struct fake_coordinator *f, const uint8_t *header,
		     size_t header_len, const struct msg *m)
{
	uint8_t control[NN_CMSG_SPACE(sizeof(size_t) + 32)] = { 0 };
	struct nn_cmsghdr *head = (struct nn_cmsghdr *)(void *)control;
	struct nn_msghdr h = { 0 };
	struct nn_iovec iov;
	struct buf b;

	buf_init(&b, &mem_heap);
	REQUIRE(msg_encode(&b, m) == OK);
	iov.iov_base = b.data;
	iov.iov_len = b.len;
	h.msg_iov = &iov;
	h.msg_iovlen = 1;
	h.msg_control = control;
	h.msg_controllen = NN_CMSG_SPACE(sizeof(size_t) + header_len);
	head->cmsg_len = h.msg_controllen;
	head->cmsg_level = PROTO_SP;
	head->cmsg_type = SP_HDR;
	memcpy(NN_CMSG_DATA(head), &header_len, sizeof header_len);
	memcpy(NN_CMSG_DATA(head) + HEADER_AT, header, header_len);
	(void)nn_sendmsg(f->socket, &h, 0);
	buf_fini(&b);
}

static bool is_known(const struct fake_coordinator *f, const uint8_t *header)
{
	uint32_t pipe;

	memcpy(&pipe, header, sizeof pipe);
	for (size_t i = 0; i < f->n_known; i++)
		if (f->known[i] == pipe)
			return true;
	return false;
}

static void keep(char *to, size_t size, struct bytes from)
{
	size_t n = from.len < size ? from.len : size - 1;

	if (n > 0)
		memcpy(to, from.data, n);
	to[n] = '\0';
}

static void hello(struct fake_coordinator *f, const uint8_t *header, size_t len,
		  const struct msg *m)
{
	if (!is_known(f, header)) {
		REQUIRE(f->n_known < ARRAY_LEN(f->known));
		memcpy(&f->known[f->n_known++], header, sizeof(uint32_t));
	}
	memcpy(f->header, header, len);
	f->header_len = len;
	f->n_resources = m->n_list;
	keep(f->instance, sizeof f->instance, m->instance);
}

static struct msg plausible(struct fake_coordinator *f, const struct msg *m,
			    struct buf *xid)
{
	struct msg r = { .type = MSG_REPLY, .xid = m->xid };

	switch (m->type) {
	case MSG_BEGIN:
	case MSG_SAGA_START:
		buf_printf(xid, "fake:1:%llu",
			   (unsigned long long)++f->next_xid);
		r.xid = buf_bytes(xid);
		r.status = GTX_BEGIN;
		break;
	case MSG_REGISTER:
		f->last_client_key = m->client_key;
		r.branch = ++f->next_branch;
		r.status = GTX_BEGIN;
		break;
	case MSG_IDS:
		r.first_id = f->next_id + 1;
		r.count = m->count;
		f->next_id += m->count;
		break;
	case MSG_COMMIT:
		r.status = GTX_COMMITTED;
		break;
	case MSG_ROLLBACK:
		r.status = GTX_ROLLBACKED;
		break;
	default:
		r.status = GTX_BEGIN;
		break;
	}
	return r;
}

static void keep_done(struct fake_coordinator *f, const struct msg *m)
{
	f->done_id = m->id;
	f->done_status = m->status;
	f->done_command = m->command;
	f->done_in_progress = m->in_progress;
	keep(f->done_error_name, sizeof f->done_error_name, m->error_name);
	keep(f->done_text, sizeof f->done_text, m->text);
	keep(f->done_detail, sizeof f->done_detail, m->detail);
}

/* Locked. */
static void handle(struct fake_coordinator *f, const struct msg *m,
		   const uint8_t *header, size_t len)
{
	struct msg r = { .type = MSG_REPLY };
	enum fake_verdict verdict = FAKE_DEFAULT;
	struct buf xid;

	f->seen[m->type]++;
	(void)pthread_cond_broadcast(&f->heard);
	if (m->type == MSG_BRANCH_DONE)
		keep_done(f, m);
	if (f->mute || m->type == MSG_BRANCH_DONE)
		return;
	buf_init(&xid, &mem_heap);
	if (m->type == MSG_HELLO) {
		hello(f, header, len, m);
		r.type = MSG_WELCOME;
		r.level = f->old ? LEVEL_FIRST : LEVEL_OURS;
		r.coordinator = BYTES("fake:1");
	} else if (!is_known(f, header)) {
		r.type = MSG_HELLO_WANTED;
	} else if (m->type == MSG_PING) {
		r.type = MSG_PONG;
	} else {
		if (f->answer)
			verdict = f->answer(f->ctx, m, &r);
		if (verdict == FAKE_DEFAULT)
			r = plausible(f, m, &xid);
	}
	r.id = m->id;
	if (verdict != FAKE_SILENCE)
		send_msg(f, header, len, &r);
	buf_fini(&xid);
}

static void received(struct fake_coordinator *f, struct bytes body,
		     const struct nn_msghdr *h)
{
	const struct nn_cmsghdr *head = h->msg_control;
	const uint8_t *p = NN_CMSG_DATA(head);
	struct arena arena;
	size_t len;
	struct msg m;

	memcpy(&len, p, sizeof len);
	REQUIRE(len >= 8 && len <= 32);
	arena_init(&arena, &mem_heap, 0);
	REQUIRE(msg_decode(&m, &arena.as_mem, body) == OK);
	(void)pthread_mutex_lock(&f->lock);
	handle(f, &m, p + HEADER_AT, len);
	(void)pthread_mutex_unlock(&f->lock);
	arena_fini(&arena);
}

static void *serve(void *arg)
{
	struct fake_coordinator *f = arg;

	for (;;) {
		uint8_t control[256];
		void *data = NULL;
		struct nn_iovec iov = { &data, NN_MSG };
		struct nn_msghdr h = { .msg_iov = &iov,
				       .msg_iovlen = 1,
				       .msg_control = control,
				       .msg_controllen = sizeof control };
		int n = nn_recvmsg(f->socket, &h, 0);

		if (n < 0 && errno == EBADF)
			return NULL;
		if (n < 0)
			continue;
		received(f, (struct bytes){ data, (size_t)n }, &h);
		(void)nn_freemsg(data);
	}
}

void fake_start(struct fake_coordinator *f)
{
	static unsigned number;

	if (!f->address[0]) {
		struct buf b;

		buf_init(&b, &mem_heap);
		buf_printf(&b, "ipc:///tmp/treaty-fake-%ld-%u.sock",
			   (long)getpid(), ++number);
		keep(f->address, sizeof f->address, buf_bytes(&b));
		buf_fini(&b);
		REQUIRE(pthread_mutex_init(&f->lock, NULL) == 0);
		REQUIRE(pthread_cond_init(&f->heard, NULL) == 0);
	}
	f->n_known = 0;
	f->socket = nn_socket(AF_SP_RAW, NN_REP);
	REQUIRE(f->socket >= 0);
	REQUIRE(nn_bind(f->socket, f->address) >= 0);
	REQUIRE(pthread_create(&f->thread, NULL, serve, f) == 0);
}

void fake_stop(struct fake_coordinator *f)
{
	(void)nn_close(f->socket);
	(void)pthread_join(f->thread, NULL);
	(void)unlink(f->address + sizeof "ipc://" - 1);
}

void fake_mute(struct fake_coordinator *f, bool mute)
{
	(void)pthread_mutex_lock(&f->lock);
	f->mute = mute;
	(void)pthread_mutex_unlock(&f->lock);
}

void fake_command(struct fake_coordinator *f, struct msg m)
{
	m.type = MSG_COMMAND;
	(void)pthread_mutex_lock(&f->lock);
	REQUIRE(f->header_len > 0);
	send_msg(f, f->header, f->header_len, &m);
	(void)pthread_mutex_unlock(&f->lock);
}

unsigned fake_seen(struct fake_coordinator *f, enum msg_type type)
{
	unsigned n;

	(void)pthread_mutex_lock(&f->lock);
	n = f->seen[type];
	(void)pthread_mutex_unlock(&f->lock);
	return n;
}

bool fake_wait(struct fake_coordinator *f, enum msg_type type, unsigned n,
	       unsigned timeout_ms)
{
	struct timespec until;
	int rc = 0;
	bool there;

	(void)clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += timeout_ms / 1000 + 1;
	(void)pthread_mutex_lock(&f->lock);
	while (f->seen[type] < n && rc == 0)
		rc = pthread_cond_timedwait(&f->heard, &f->lock, &until);
	there = f->seen[type] >= n;
	(void)pthread_mutex_unlock(&f->lock);
	return there;
}
