#include "tc/door/http.h"

#include "base/log.h"
#include "tc/door/http_listen.h"
#include "tc/door/http_serve.h"

#include <unistd.h>

#include <sys/socket.h>

/*
 * libmicrohttpd without a thread: its epoll fd is in the loop's epoll, and
 * MHD_run() does what is due.
 *
 *   conn   one TCP connection. On `conns`, oldest phase first, while the client
 *          has to do something (send a request, take an answer); shut down when
 *          that takes longer than request_ms.
 *   call   one request of it. On `asked` from the step of the core until its
 *          reply, with the connection suspended.
 *
 * The library closes a connection only by itself. shutdown() of the socket
 * makes it see the end of the stream and do so.
 */

#define HEADERS_MAX 16384 /* memory of one connection, by the library */

void http_config_default(struct http_config *config)
{
	*config = (struct http_config){
		.address = HTTP_ADDRESS_DEFAULT,
		.version = "unknown",
		.connections_max = 256,
		.body_max = 1 << 20,
		.request_ms = 30000,
		.reply_ms = 30000,
	};
}

/* ---- what the loop calls ---- */

static void close_late_conns(struct http_door *d)
{
	LIST_EACH(node, &d->conns) {
		struct conn *c = CONTAINER_OF(node, struct conn, on);

		if (c->due_ms > d->now_ms)
			break;
		LOG_INFO("http client too slow, closing",
			 LOG_U("limit_ms", d->request_ms));
		d->stats.refused++;
		(void)shutdown(c->fd, SHUT_RDWR);
		http_conn_expect(d, c); /* the library closes it in this turn */
	}
}

/* Its answer is there: the connection goes on in the next process(). */
static void wake(struct call *call)
{
	struct http_door *d = call->door;

	list_remove(&call->on);
	call->state = CALL_ANSWERED;
	if (call->conn)
		http_conn_expect(d, call->conn);
	MHD_resume_connection(call->connection);
	d->library_due_ms = 0;
}

static void give_up(struct list *calls, uint64_t up_to_ms)
{
	LIST_EACH(node, calls) {
		struct call *call = CONTAINER_OF(node, struct call, on);

		if (call->due_ms > up_to_ms)
			break;
		http_give_up(&call->http, &call->answer);
		wake(call);
	}
}

static bool door_process(void *self, uint64_t now_ms)
{
	struct http_door *d = self;
	MHD_UNSIGNED_LONG_LONG wait_ms;

	d->now_ms = now_ms;
	give_up(&d->asked, now_ms);
	close_late_conns(d);
	(void)MHD_run(d->daemon);
	d->library_due_ms = UINT64_MAX;
	if (MHD_get_timeout(d->daemon, &wait_ms) == MHD_YES)
		d->library_due_ms = now_ms + wait_ms;
	return d->library_due_ms <= now_ms;
}

static uint64_t first_due(const struct http_door *d)
{
	struct list *conn = list_first(&d->conns);
	struct list *call = list_first(&d->asked);
	uint64_t due = UINT64_MAX;

	if (conn)
		due = CONTAINER_OF(conn, struct conn, on)->due_ms;
	if (call && CONTAINER_OF(call, struct call, on)->due_ms < due)
		due = CONTAINER_OF(call, struct call, on)->due_ms;
	return due;
}

static uint64_t door_deadline(const void *self)
{
	const struct http_door *d = self;
	uint64_t due = first_due(d);

	if (!list_empty(&d->steps))
		return 0;
	return d->library_due_ms < due ? d->library_due_ms : due;
}

static void door_reply(void *self, const struct reply *reply)
{
	struct http_door *d = self;

	LIST_EACH(node, &d->asked) {
		struct call *call = CONTAINER_OF(node, struct call, on);

		if (call->id != reply->id)
			continue;
		if (http_call_replied(call, reply))
			wake(call);
		return;
	}
}

/* The http door has no peers that run branches. */
static void door_command(void *self, const struct command *command)
{
	(void)self;
	(void)command;
}

/* Ask what follows from the replies of this turn. Writing is MHD_run()'s
 * business; deadline() says that it is due. */
static void door_flush(void *self)
{
	struct http_door *d = self;

	LIST_EACH(node, &d->steps) {
		struct call *call = CONTAINER_OF(node, struct call, on);

		http_call_ask(call);
		if (call->state == CALL_ANSWERED)
			wake(call);
	}
}

static void stop_listening(struct http_door *d)
{
	if (d->listen_fd >= 0)
		(void)close(d->listen_fd);
	d->listen_fd = -1;
}

static void door_drain(void *self)
{
	struct http_door *d = self;

	if (d->listen_fd >= 0 &&
	    MHD_quiesce_daemon(d->daemon) != MHD_INVALID_SOCKET)
		stop_listening(d);
}

static bool door_idle(const void *self)
{
	return ((const struct http_door *)self)->busy == 0;
}

static struct door_stats door_stats(const void *self)
{
	return ((const struct http_door *)self)->stats;
}

static void door_close(void *self)
{
	struct http_door *d = self;

	door_drain(d);
	/* The library must not be stopped with sleeping connections. */
	give_up(&d->asked, UINT64_MAX);
	give_up(&d->steps, UINT64_MAX);
	(void)MHD_run(d->daemon);
	MHD_stop_daemon(d->daemon);
	stop_listening(d);
	REQUIRE(list_empty(&d->conns) && list_empty(&d->asked) &&
		list_empty(&d->steps));
	mem_free(d->mem, d);
}

/* ---- opening ---- */

static void on_library_error(void *ctx, const char *fmt, va_list args)
	PRINTF_LIKE(2, 0);

static void on_library_error(void *ctx, const char *fmt, va_list args)
{
	const struct http_door *d = ctx;
	struct buf text;

	buf_init(&text, d->mem);
	buf_vprintf(&text, fmt, args);
	while (text.len > 0 && text.data[text.len - 1] == '\n')
		text.len--;
	LOG_DEBUG("libmicrohttpd", LOG_B("text", buf_bytes(&text)));
	buf_fini(&text);
}

static struct MHD_Daemon *start_library(struct http_door *d,
					const struct http_config *config)
{
	/* The library's own time-out only counts silence; ours is first. */
	unsigned silence_s = (unsigned)(config->request_ms / 1000 + 5);

	return MHD_start_daemon(
		MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG, 0,
		NULL, NULL, http_on_request, d, MHD_OPTION_EXTERNAL_LOGGER,
		on_library_error, d, MHD_OPTION_LISTEN_SOCKET, d->listen_fd,
		MHD_OPTION_URI_LOG_CALLBACK, http_on_target, d,
		MHD_OPTION_NOTIFY_COMPLETED, http_on_completed, d,
		MHD_OPTION_NOTIFY_CONNECTION, http_on_connection, d,
		MHD_OPTION_CONNECTION_LIMIT, config->connections_max,
		MHD_OPTION_CONNECTION_TIMEOUT, silence_s,
		MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)HEADERS_MAX,
		MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_END);
}

static struct http_door *door_new(const struct mem *mem,
				  const struct http_config *config,
				  const struct door_port *port)
{
	struct http_door *d = mem_alloc(mem, sizeof *d);
	struct bytes version = bytes_of(config->version);

	if (!d)
		return NULL;
	d->mem = mem;
	d->port = port;
	d->request_ms = config->request_ms ? config->request_ms : 1;
	d->reply_ms = config->reply_ms;
	d->listen_fd = -1;
	d->now_ms = port->now_ms(port->ctx);
	if (version.len > sizeof d->version - 1)
		version.len = sizeof d->version - 1;
	if (version.len > 0)
		memcpy(d->version, version.data, version.len);
	d->api = (struct http_api){ port, d->version, config->body_max,
				    d->now_ms };
	list_init(&d->conns);
	list_init(&d->asked);
	list_init(&d->steps);
	return d;
}

static void fill_door(struct door *out, struct http_door *d)
{
	const union MHD_DaemonInfo *info =
		MHD_get_daemon_info(d->daemon, MHD_DAEMON_INFO_EPOLL_FD);

	REQUIRE(info && info->epoll_fd >= 0);
	*out = (struct door){
		.self = d,
		.number = DOOR_HTTP,
		.name = "http",
		.address = d->address,
		.fd = info->epoll_fd,
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
}

int http_open(struct door *out, const struct mem *mem,
	      const struct http_config *config, const struct door_port *port,
	      struct buf *error)
{
	struct http_door *d = door_new(mem, config, port);
	int rc;

	if (!d)
		return E_NOMEM;
	rc = http_listen(config->address, &d->listen_fd, d->address,
			 sizeof d->address, error);
	if (rc == OK) {
		d->daemon = start_library(d, config);
		if (!d->daemon) {
			buf_printf(error,
				   "the http door on %s could not be started; "
				   "file descriptors or memory may be short",
				   d->address);
			rc = E_IO;
		}
	}
	if (rc != OK) {
		stop_listening(d);
		mem_free(mem, d);
		return rc;
	}
	fill_door(out, d);
	return OK;
}
