#include "tc/door/http_serve.h"

#include "base/log.h"
#include "tc/door/http_files.h"

#include <sys/socket.h>

/* ---- connections ---- */

void http_conn_expect(struct http_door *d, struct conn *c)
{
	c->due_ms = d->now_ms + d->request_ms;
	list_remove(&c->on);
	list_append(&d->conns, &c->on);
}

static void conn_open(struct http_door *d, struct MHD_Connection *connection,
		      void **context)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(
		connection, MHD_CONNECTION_INFO_CONNECTION_FD);
	struct conn *c = mem_alloc(d->mem, sizeof *c);

	*context = c;
	d->stats.accepted++;
	d->stats.connections_now++;
	if (!c) {
		(void)shutdown(info->connect_fd, SHUT_RDWR);
		return;
	}
	list_init(&c->on);
	c->fd = info->connect_fd;
	http_conn_expect(d, c);
}

void http_on_connection(void *ctx, struct MHD_Connection *connection,
			void **context,
			enum MHD_ConnectionNotificationCode code)
{
	struct http_door *d = ctx;
	struct conn *c = *context;

	if (code == MHD_CONNECTION_NOTIFY_STARTED) {
		conn_open(d, connection, context);
		return;
	}
	d->stats.closed++;
	d->stats.connections_now--;
	if (c)
		list_remove(&c->on);
	mem_free(d->mem, c);
	*context = NULL;
}

static struct conn *conn_of(struct MHD_Connection *connection)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(
		connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

	return info ? info->socket_context : NULL;
}

/* ---- calls ---- */

void *http_on_target(void *ctx, const char *uri,
		     struct MHD_Connection *connection)
{
	struct http_door *d = ctx;
	struct call *call = mem_alloc(d->mem, sizeof *call);

	if (!call)
		return NULL;
	list_init(&call->on);
	call->door = d;
	call->connection = connection;
	call->conn = conn_of(connection);
	arena_init(&call->arena, d->mem, 0);
	buf_init(&call->body, d->mem);
	http_answer_init(&call->answer, d->mem);
	call->http.arena = &call->arena;
	call->http.target = arena_bytes(&call->arena, bytes_of(uri));
	d->stats.messages_in++;
	return call;
}

static void call_free(struct call *call)
{
	struct http_door *d = call->door;

	list_remove(&call->on);
	if (call->state == CALL_ASKED || call->state == CALL_ANSWERED ||
	    call->state == CALL_SENT)
		d->busy--;
	buf_fini(&call->answer.body);
	buf_fini(&call->body);
	arena_fini(&call->arena);
	mem_free(d->mem, call);
}

void http_on_completed(void *ctx, struct MHD_Connection *connection,
		       void **context, enum MHD_RequestTerminationCode code)
{
	struct http_door *d = ctx;
	struct call *call = *context;

	(void)connection;
	(void)code;
	if (!call)
		return;
	if (call->conn)
		http_conn_expect(d, call->conn);
	call_free(call);
	*context = NULL;
}

static struct bytes header(struct call *call, const char *name)
{
	return bytes_of(MHD_lookup_connection_value(call->connection,
						    MHD_HEADER_KIND, name));
}

static void read_headers(struct call *call, const char *method)
{
	struct http_call *http = &call->http;

	http->method = bytes_of(method);
	http->host = header(call, MHD_HTTP_HEADER_HOST);
	http->origin = header(call, "Origin");
	http->content_type = header(call, MHD_HTTP_HEADER_CONTENT_TYPE);
	http->content_length = header(call, MHD_HTTP_HEADER_CONTENT_LENGTH);
	http->idempotency_key = header(call, "Idempotency-Key");
	http->accept_encoding = header(call, MHD_HTTP_HEADER_ACCEPT_ENCODING);
	http->if_none_match = header(call, MHD_HTTP_HEADER_IF_NONE_MATCH);
	http->transfer_encoding =
		header(call, MHD_HTTP_HEADER_TRANSFER_ENCODING);
}

static void add_file_headers(struct MHD_Response *response,
			     const struct http_answer *a)
{
	const char *headers[HTTP_FILE_HEADERS];
	size_t n = http_file_headers(a, headers, ARRAY_LEN(headers));

	for (size_t i = 0; i < n; i += 2)
		(void)MHD_add_response_header(response, headers[i],
					      headers[i + 1]);
}

static void add_api_headers(struct MHD_Response *response,
			    const struct http_answer *a)
{
	static const char *const fixed[][2] = {
		{ "X-Content-Type-Options", "nosniff" },
		{ "Content-Security-Policy",
		  "default-src 'none'; frame-ancestors 'none'" },
		{ "Cross-Origin-Resource-Policy", "same-origin" },
	};

	for (size_t i = 0; i < ARRAY_LEN(fixed); i++)
		(void)MHD_add_response_header(response, fixed[i][0],
					      fixed[i][1]);
	(void)MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL,
				      a->etag ? "no-cache" : "no-store");
	if (a->etag)
		(void)MHD_add_response_header(response, MHD_HTTP_HEADER_ETAG,
					      a->etag);
}

static void add_headers(struct MHD_Response *response,
			const struct http_answer *a)
{
	if (a->file)
		add_file_headers(response, a);
	else
		add_api_headers(response, a);
	(void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE,
				      a->type);
	if (a->allow)
		(void)MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW,
					      a->allow);
}

static struct MHD_Response *response_of(const struct http_answer *a)
{
	struct bytes body = buf_bytes(&a->body);

	if (a->file && a->status == 304)
		body = BYTES("");
	else if (a->file)
		body = a->gzip ? a->file->gzip : a->file->plain;
	/* It only reads what is persistent. */
	return MHD_create_response_from_buffer(body.len, (void *)body.data,
					       MHD_RESPMEM_PERSISTENT);
}

/* Hand the answer to the library. Its body stays ours, until on_completed. */
static enum MHD_Result send_answer(struct call *call)
{
	struct http_answer *a = &call->answer;
	struct MHD_Response *response;
	enum MHD_Result queued;

	if (buf_error(&a->body) != OK)
		return MHD_NO; /* not even room for a problem: hang up */
	response = response_of(a);
	if (!response)
		return MHD_NO;
	add_headers(response, a);
	queued = MHD_queue_response(call->connection, a->status, response);
	MHD_destroy_response(response);
	call->door->stats.messages_out++;
	return queued;
}

/* What operators do is told; services' own business is for debugging. */
static const char *action_name(enum request_type type)
{
	switch (type) {
	case RQ_RETRY:
		return "operator asks for a retry";
	case RQ_RESOLVE:
		return "operator resolves a branch";
	case RQ_SAGA_MOVE:
		return "operator moves a saga";
	case RQ_MACHINE_PUT:
		return "a state machine is put";
	case RQ_MACHINE_DROP:
		return "a state machine is dropped";
	case RQ_SUBSCRIBE:
		return "a subscriber of a topic is put";
	case RQ_UNSUBSCRIBE:
		return "a subscriber of a topic is dropped";
	default:
		return NULL;
	}
}

static void log_action(const struct call *call, const struct request *r)
{
	const char *name = action_name(r->type);

	if (!name) {
		LOG_DEBUG("a service asks", LOG_I("type", r->type),
			  LOG_B("xid", r->xid), LOG_U("request", call->id));
		return;
	}
	LOG_INFO(name, LOG_B("xid", r->xid), LOG_U("branch", r->branch),
		 LOG_B("name", r->name), LOG_I("resolution", r->resolution),
		 LOG_B("reason", r->type == RQ_RETRY ? r->text : r->reason),
		 LOG_U("request", call->id));
}

static void log_answer(const struct call *call, const struct reply *reply)
{
	if (action_name(reply->type))
		LOG_INFO("operator is answered", LOG_B("xid", call->http.xid),
			 LOG_U("request", call->id),
			 LOG_U("http", call->answer.status),
			 LOG_S("status", gtx_status_name((int)reply->status)));
	else
		LOG_DEBUG("a service is answered", LOG_U("request", call->id),
			  LOG_U("http", call->answer.status),
			  LOG_I("err", reply->err));
}

/* Those that asked for more patience stand behind. */
static void wait_for_reply(struct http_door *d, struct call *call)
{
	struct list *last = d->asked.prev;

	while (last != &d->asked &&
	       CONTAINER_OF(last, struct call, on)->due_ms > call->due_ms)
		last = last->prev;
	list_append(last->next, &call->on); /* between the two */
}

bool http_call_replied(struct call *call, const struct reply *reply)
{
	struct http_door *d = call->door;

	list_remove(&call->on);
	if (http_reply(&d->api, &call->http, reply, &call->answer,
		       &call->request) == HTTP_ASKED) {
		list_append(&d->steps, &call->on);
		return false;
	}
	log_answer(call, reply);
	return true;
}

void http_call_ask(struct call *call)
{
	struct http_door *d = call->door;
	struct event event = { .type = EV_REQUEST, .request = call->request };
	struct reply reply = { .type = call->request.type, .err = E_NOMEM };

	call->id = ++d->ids;
	event.request.id = call->id;
	log_action(call, &call->request);
	list_remove(&call->on);
	if (d->port->event(d->port->ctx, &event) == OK)
		wait_for_reply(d, call);
	else if (http_call_replied(call, &reply))
		call->state = CALL_ANSWERED;
}

/* Step the core; the connection sleeps until the answer is there. */
static enum MHD_Result ask(struct call *call)
{
	struct http_door *d = call->door;

	call->state = CALL_ASKED;
	call->due_ms = d->now_ms + d->reply_ms + call->http.wait_ms;
	http_call_ask(call);
	if (call->state == CALL_ANSWERED) {
		call->state = CALL_SENT;
		return send_answer(call);
	}
	if (call->conn)
		list_remove(&call->conn->on);
	MHD_suspend_connection(call->connection);
	return MHD_YES;
}

/* The request is complete. */
static enum MHD_Result serve(struct call *call)
{
	struct http_door *d = call->door;

	call->http.body = buf_bytes(&call->body);
	d->busy++;
	if (http_handle(&d->api, &call->http, &call->answer, &call->request) ==
	    HTTP_ASKED)
		return ask(call);
	call->state = CALL_SENT;
	if (call->conn)
		http_conn_expect(d, call->conn);
	return send_answer(call);
}

/* A body that is not worth reading to its end. */
static bool too_much(const struct call *call)
{
	return http_problem_status(PROBLEM_TOO_LARGE) == call->answer.status ||
	       call->http.transfer_encoding.len > 0;
}

/* The headers are there. Answering now makes the library close the connection;
 * otherwise the body is read first, so that the client surely gets to see the
 * answer and may go on. */
static enum MHD_Result admit(struct call *call, const char *method)
{
	struct http_door *d = call->door;

	call->state = CALL_ADMITTED;
	if (!call->http.target.data)
		return MHD_NO;
	read_headers(call, method);
	if (http_admit(&d->api, &call->http, &call->answer))
		return MHD_YES;
	d->stats.malformed++;
	call->state = CALL_REFUSED;
	return too_much(call) ? send_answer(call) : MHD_YES;
}

static enum MHD_Result take_body(struct call *call, const char *data,
				 size_t *len)
{
	struct bytes part = { (const uint8_t *)data, *len };

	if (call->state == CALL_REFUSED) {
		*len = 0;
		return MHD_YES;
	}
	if (call->state != CALL_ADMITTED ||
	    part.len > call->door->api.body_max - call->body.len)
		return MHD_NO;
	buf_put(&call->body, part);
	*len = 0;
	return buf_error(&call->body) == OK ? MHD_YES : MHD_NO;
}

enum MHD_Result http_on_request(void *ctx, struct MHD_Connection *connection,
				const char *url, const char *method,
				const char *version, const char *data,
				size_t *len, void **context)
{
	struct call *call = *context;

	(void)ctx;
	(void)connection;
	(void)url;
	(void)version;
	if (!call)
		return MHD_NO;
	if (call->state == CALL_NEW)
		return admit(call, method);
	if (*len > 0)
		return take_body(call, data, len);
	switch (call->state) {
	case CALL_ADMITTED:
		return serve(call);
	case CALL_REFUSED:
		return send_answer(call);
	case CALL_ANSWERED:
		call->state = CALL_SENT;
		return send_answer(call);
	case CALL_NEW:
	case CALL_ASKED:
	case CALL_SENT:
		break;
	}
	return MHD_YES;
}
