#include "tc/door/caller_impl.h"

#include "base/log.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <unistd.h>

/*
 * libcurl says which sockets and which time it waits for; our epoll, which is
 * the door's fd, waits for the sockets and the loop for the time. Calls start,
 * end and are handed to the core in process() only: commands arrive while the
 * core must not be stepped.
 */

#define EVENTS_MAX 64
#define RETRY_MS   10

void caller_config_default(struct caller_config *config)
{
	*config = (struct caller_config){
		.version = "unknown",
		.ca_file = "",
		.calls_max = 512,
		.calls_per_target_max = 32,
		.answer_max = 256 * 1024,
		.call_ms_max = 60000,
		.connect_ms = 3000,
	};
}

/* ---- what libcurl waits for ---- */

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *ctx,
		     void *known)
{
	struct caller *c = ctx;
	struct epoll_event ev = { .data.fd = fd };

	(void)easy;
	if (what == CURL_POLL_REMOVE) {
		(void)epoll_ctl(c->epoll, EPOLL_CTL_DEL, fd, NULL);
		return 0;
	}
	if (what & CURL_POLL_IN)
		ev.events |= EPOLLIN;
	if (what & CURL_POLL_OUT)
		ev.events |= EPOLLOUT;
	(void)known;
	if (epoll_ctl(c->epoll, EPOLL_CTL_MOD, fd, &ev) == 0)
		return 0;
	return epoll_ctl(c->epoll, EPOLL_CTL_ADD, fd, &ev) == 0 ? 0 : -1;
}

/* Asked for, as libcurl tells a time only once: one that is kept too early would
 * be lost. */
static void set_timer(struct caller *c)
{
	long wait_ms = -1;

	(void)curl_multi_timeout(c->multi, &wait_ms);
	c->timer_due_ms =
		wait_ms < 0 ? UINT64_MAX : c->now_ms + (uint64_t)wait_ms;
}

static int flags_of(uint32_t events)
{
	int flags = 0;

	if (events & EPOLLIN)
		flags |= CURL_CSELECT_IN;
	if (events & EPOLLOUT)
		flags |= CURL_CSELECT_OUT;
	if (events & (EPOLLERR | EPOLLHUP))
		flags |= CURL_CSELECT_ERR;
	return flags;
}

/* True: more may be waiting. */
static bool run_sockets(struct caller *c)
{
	struct epoll_event events[EVENTS_MAX];
	int n = epoll_wait(c->epoll, events, EVENTS_MAX, 0);
	int running;

	for (int i = 0; i < n; i++)
		(void)curl_multi_socket_action(c->multi, events[i].data.fd,
					       flags_of(events[i].events),
					       &running);
	set_timer(c);
	if (c->timer_due_ms <= c->now_ms)
		(void)curl_multi_socket_action(c->multi, CURL_SOCKET_TIMEOUT, 0,
					       &running);
	return n == EVENTS_MAX;
}

/* ---- calls ---- */

static void end_done(struct caller *c)
{
	CURLMsg *msg;
	int left;

	while ((msg = curl_multi_info_read(c->multi, &left))) {
		CURLcode code = msg->data.result;
		CURL *easy = msg->easy_handle;
		struct call *call = NULL;

		if (msg->msg != CURLMSG_DONE)
			continue;
		(void)curl_easy_getinfo(easy, CURLINFO_PRIVATE, &call);
		(void)curl_multi_remove_handle(c->multi, easy);
		caller_queue_done(c, call, caller_call_opinion(code));
		caller_call_end(call, code);
	}
}

static void start_waiting(struct caller *c)
{
	struct call *call;

	while ((call = caller_queue_late(c)))
		caller_call_fail(call, "no place for the call became free in "
				       "time; others to the same target are "
				       "under way, or too many to all");
	while ((call = caller_queue_next(c))) {
		if (caller_call_start(call) == OK)
			continue;
		caller_queue_done(c, call, TARGET_AS_BEFORE);
		caller_call_fail(call, "the coordinator has no memory for it");
	}
}

/* What came of the calls, to the core. Without memory it is asked again. */
static void hand_in(struct caller *c)
{
	c->retry_due_ms = UINT64_MAX;
	LIST_EACH(node, &c->finished) {
		struct call *call = CONTAINER_OF(node, struct call, on);
		struct event ev = { .type = EV_BRANCH_DONE,
				    .done = call->done };

		if (c->port->event(c->port->ctx, &ev) != OK) {
			c->retry_due_ms = c->now_ms + RETRY_MS;
			return;
		}
		list_remove(&call->on);
		caller_call_put(call);
	}
}

static bool door_process(void *self, uint64_t now_ms)
{
	struct caller *c = self;
	bool more;

	c->now_ms = now_ms;
	start_waiting(c);
	more = run_sockets(c);
	end_done(c);
	start_waiting(c); /* there are free places now */
	hand_in(c);
	set_timer(c);
	return more || c->timer_due_ms <= now_ms;
}

static uint64_t sooner(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t door_deadline(const void *self)
{
	const struct caller *c = self;
	const struct heap_node *late = heap_first(&c->due);
	uint64_t due = sooner(c->timer_due_ms, c->retry_due_ms);

	if (caller_queue_startable(c) ||
	    (!list_empty(&c->finished) && c->retry_due_ms == UINT64_MAX))
		return c->now_ms;
	return late ? sooner(due, late->due) : due;
}

static void door_command(void *self, const struct command *command)
{
	struct caller *c = self;
	struct call *call;

	c->now_ms = c->port->now_ms(c->port->ctx);
	call = caller_call_new(c, command);
	if (call && call->state == CALL_FINISHED)
		return;
	if (call && caller_queue(c, call) == OK)
		return;
	if (call)
		caller_call_put(call);
	LOG_WARN("out of memory: an http participant is called later",
		 LOG_B("xid", command->xid), LOG_U("branch", command->branch));
}

static void door_reply(void *self, const struct reply *reply)
{
	(void)self;
	(void)reply;
}

static void door_flush(void *self)
{
	(void)self;
}

/* Branches that are decided go on being told so. */
static void door_drain(void *self)
{
	(void)self;
}

/* Calls under way may be given up at any time: they are made again. */
static bool door_idle(const void *self)
{
	(void)self;
	return true;
}

static struct door_stats door_stats(const void *self)
{
	return ((const struct caller *)self)->stats;
}

/* ---- closing ---- */

static void free_list(struct list *head)
{
	LIST_EACH(node, head) {
		list_remove(node);
		caller_call_free(CONTAINER_OF(node, struct call, on));
	}
}

static void give_up_calls(struct caller *c)
{
	struct heap_node *node;

	LIST_EACH(on, &c->active) {
		struct call *call = CONTAINER_OF(on, struct call, on);

		(void)curl_multi_remove_handle(c->multi, call->easy);
		caller_queue_done(c, call, TARGET_AS_BEFORE);
		caller_call_free(call);
	}
	while ((node = heap_first(&c->due))) {
		struct call *call = CONTAINER_OF(node, struct call, due);

		caller_queue_leave(c, call);
		caller_call_free(call);
	}
	free_list(&c->finished);
	free_list(&c->idle);
}

static void door_close(void *self)
{
	struct caller *c = self;

	give_up_calls(c);
	if (c->multi)
		(void)curl_multi_cleanup(c->multi);
	curl_slist_free_all(c->resolve);
	if (c->epoll >= 0)
		(void)close(c->epoll);
	caller_queue_fini(c);
	map_fini(&c->targets);
	heap_fini(&c->due);
	buf_fini(&c->user_agent);
	curl_global_cleanup();
	mem_free(c->mem, c);
}

/* ---- opening ---- */

static struct caller *caller_new(const struct mem *mem,
				 const struct caller_config *config,
				 const struct door_port *port)
{
	struct caller *c = mem_alloc(mem, sizeof *c);

	if (!c)
		return NULL;
	c->mem = mem;
	c->port = port;
	c->config = *config;
	c->epoll = -1;
	c->now_ms = port->now_ms(port->ctx);
	c->timer_due_ms = c->retry_due_ms = UINT64_MAX;
	list_init(&c->ready);
	list_init(&c->suspects);
	list_init(&c->active);
	list_init(&c->finished);
	list_init(&c->idle);
	heap_init(&c->due, mem);
	buf_init(&c->user_agent, mem);
	buf_printf(&c->user_agent, "treaty/%s", config->version);
	return c;
}

static int set_up_library(struct caller *c)
{
	long places = (long)c->config.calls_max;

	for (const char *const *r = c->config.resolve; r && *r; r++) {
		struct curl_slist *longer = curl_slist_append(c->resolve, *r);

		if (!longer)
			return E_NOMEM;
		c->resolve = longer;
	}
	c->multi = curl_multi_init();
	if (!c->multi)
		return E_NOMEM;
	if (curl_multi_setopt(c->multi, CURLMOPT_SOCKETFUNCTION, on_socket) ||
	    curl_multi_setopt(c->multi, CURLMOPT_SOCKETDATA, c) ||
	    curl_multi_setopt(c->multi, CURLMOPT_PIPELINING,
			      CURLPIPE_NOTHING) ||
	    curl_multi_setopt(c->multi, CURLMOPT_MAXCONNECTS, places))
		return E_UNSUPPORTED;
	return OK;
}

static int set_up(struct caller *c, struct buf *error)
{
	int rc = buf_error(&c->user_agent);

	while (getrandom(&c->seed, sizeof c->seed, 0) !=
	       (ssize_t)sizeof c->seed)
		;
	if (rc == OK)
		rc = map_init(&c->targets, c->mem);
	if (rc == OK)
		rc = set_up_library(c);
	if (rc == E_UNSUPPORTED) {
		buf_put_text(error, "libcurl is too old or built without what "
				    "is needed to call HTTP participants");
		return E_IO;
	}
	if (rc != OK)
		return rc;
	c->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (c->epoll >= 0)
		return OK;
	buf_printf(error, "an epoll for HTTP participants: %s",
		   strerror(errno));
	return E_IO;
}

int caller_open(struct door *out, const struct mem *mem,
		const struct caller_config *config,
		const struct door_port *port, struct buf *error)
{
	struct caller *c;
	int rc;

	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		return E_NOMEM;
	c = caller_new(mem, config, port);
	if (!c) {
		curl_global_cleanup();
		return E_NOMEM;
	}
	rc = set_up(c, error);
	if (rc != OK) {
		door_close(c);
		return rc;
	}
	*out = (struct door){
		.self = c,
		.number = DOOR_CALLER,
		.name = "caller",
		.address = "",
		.fd = c->epoll,
		.process = door_process,
		.deadline = door_deadline,
		.reply = door_reply,
		.command = door_command,
		.flush = door_flush,
		.drain = door_drain,
		.idle = door_idle,
		.stats = door_stats,
		.close = door_close,
	};
	return OK;
}
