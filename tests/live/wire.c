#include "tests/live/wire.h"

#include "base/buf.h"
#include "tests/live/live.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#define LINKS 64
#define BLOCK 65536

struct lane {
	uint8_t data[BLOCK];
	size_t at, len;
};

struct link {
	int fd[2]; /* agent, treatyd; -1: unused */
	bool frozen;
	struct lane lane[2]; /* from the agent, from treatyd */
};

static struct link links[LINKS];

static struct sockaddr_in loopback(uint16_t port)
{
	struct sockaddr_in a = { .sin_family = AF_INET };

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	a.sin_port = htons(port);
	return a;
}

/* With a reset, not an orderly end. */
static void drop(int fd)
{
	struct linger now = { 1, 0 };

	(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
	(void)close(fd);
}

static void link_drop(struct link *l)
{
	drop(l->fd[0]);
	drop(l->fd[1]);
	l->fd[0] = l->fd[1] = -1;
}

static void take_in(struct wire_control *c, int listener, uint16_t port)
{
	struct sockaddr_in to = loopback(port);
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC), up;
	struct link *l = links;

	while (l < links + LINKS && l->fd[0] >= 0)
		l++;
	up = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || up < 0 || l == links + LINKS || atomic_load(&c->refuse) ||
	    connect(up, (struct sockaddr *)&to, sizeof to) != 0) {
		drop(fd);
		drop(up);
		return;
	}
	atomic_fetch_add(&c->links, 1);
	l->fd[0] = fd;
	l->fd[1] = up;
	l->frozen = false;
	l->lane[0].len = l->lane[1].len = 0;
}

/* Read from one side if the lane is empty, write to the other. */
static bool pass(struct link *l, int from, size_t most)
{
	struct lane *lane = &l->lane[from];
	ssize_t n;

	if (lane->len == 0) {
		n = recv(l->fd[from], lane->data, most, MSG_DONTWAIT);
		if (n <= 0)
			return n < 0 && (errno == EAGAIN || errno == EINTR);
		lane->at = 0;
		lane->len = (size_t)n;
	}
	n = send(l->fd[!from], lane->data + lane->at, lane->len,
		 MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	lane->at += (size_t)n;
	lane->len -= (size_t)n;
	return true;
}

static void obey(struct wire_control *c)
{
	bool cut = atomic_load(&c->cuts) != atomic_load(&c->cut);
	bool freeze = atomic_load(&c->freezes) != atomic_load(&c->frozen);

	for (struct link *l = links; l < links + LINKS; l++) {
		if (l->fd[0] < 0)
			continue;
		if (cut)
			link_drop(l);
		else if (freeze)
			l->frozen = true;
	}
	if (cut)
		atomic_store(&c->cut, atomic_load(&c->cuts));
	if (freeze)
		atomic_store(&c->frozen, atomic_load(&c->freezes));
}

static void turn(struct wire_control *c)
{
	int chop = atomic_load(&c->chop);
	size_t most = chop > 0 ? (size_t)chop : BLOCK;

	for (struct link *l = links; l < links + LINKS; l++) {
		if (l->fd[0] < 0 || l->frozen)
			continue;
		if ((!atomic_load(&c->hold_up) && !pass(l, 0, most)) ||
		    (!atomic_load(&c->hold_down) && !pass(l, 1, most)))
			link_drop(l);
	}
}

static _Noreturn void serve(struct wire_control *c, int listener, uint16_t port)
{
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;) {
		struct pollfd p[1 + 2 * LINKS] = { { listener, POLLIN, 0 } };
		nfds_t n = 1;

		obey(c);
		for (struct link *l = links; l < links + LINKS; l++)
			for (int i = 0; l->fd[0] >= 0 && !l->frozen && i < 2;
			     i++)
				if (!atomic_load(i ? &c->hold_down
						   : &c->hold_up))
					p[n++] = (struct pollfd){ l->fd[i],
								  POLLIN, 0 };
		if (poll(p, n, 5) > 0 && p[0].revents)
			take_in(c, listener, port);
		turn(c);
		if (atomic_load(&c->chop))
			live_nap(1);
	}
}

void wire_start(struct wire *w, const char *to)
{
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in here = loopback(0);
	socklen_t len = sizeof here;
	struct buf text;

	w->c = mmap(NULL, sizeof *w->c, PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	REQUIRE(w->c != MAP_FAILED && listener >= 0);
	REQUIRE(bind(listener, (struct sockaddr *)&here, len) == 0);
	REQUIRE(listen(listener, 64) == 0);
	REQUIRE(getsockname(listener, (struct sockaddr *)&here, &len) == 0);
	buf_init(&text, &mem_heap);
	buf_printf(&text, "tcp://127.0.0.1:%u", ntohs(here.sin_port));
	memcpy(w->address, buf_text(&text), text.len + 1);
	buf_fini(&text);
	for (struct link *l = links; l < links + LINKS; l++)
		l->fd[0] = l->fd[1] = -1;
	w->pid = fork();
	REQUIRE(w->pid >= 0);
	if (w->pid == 0)
		serve(w->c, listener,
		      (uint16_t)strtoul(strrchr(to, ':') + 1, NULL, 10));
	(void)close(listener);
}

void wire_stop(struct wire *w)
{
	if (w->pid <= 0)
		return;
	(void)kill(w->pid, SIGKILL);
	(void)waitpid(w->pid, NULL, 0);
	(void)munmap(w->c, sizeof *w->c);
	w->pid = 0;
}

static void await(_Atomic unsigned *asked, _Atomic unsigned *done)
{
	unsigned turn_no = atomic_fetch_add(asked, 1) + 1;

	while (atomic_load(done) != turn_no)
		live_nap(1);
}

void wire_cut(struct wire *w)
{
	await(&w->c->cuts, &w->c->cut);
}

void wire_freeze(struct wire *w)
{
	await(&w->c->freezes, &w->c->frozen);
}
