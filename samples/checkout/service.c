#include "samples/checkout/service.h"

#include <treaty/treaty.h>

#include <inttypes.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define BODY_MAX 65536

struct service {
	const struct route *routes;
	size_t n;
	void *app;
};

/* The body of one request while it arrives. */
struct upload {
	size_t len;
	bool too_large;
	char data[BODY_MAX + 1];
};

void answer_error(struct exchange *x, int status, const char *text)
{
	x->status = status;
	cJSON_DeleteItemFromObject(x->answer, "error");
	cJSON_AddStringToObject(x->answer, "error", text);
}

void answer_forget(struct exchange *x)
{
	cJSON_Delete(x->answer);
	x->answer = cJSON_CreateObject();
	x->status = 200;
}

bool want_text(struct exchange *x, const char *name, const char **out)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(x->body, name);
	char text[128];

	if (cJSON_IsString(item) && item->valuestring[0]) {
		*out = item->valuestring;
		return true;
	}
	snprintf(text, sizeof text, "\"%s\" must be a text", name);
	answer_error(x, 400, text);
	return false;
}

bool want_number(struct exchange *x, const char *name, int64_t *out)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(x->body, name);
	char text[128];

	if (cJSON_IsNumber(item) && item->valuedouble >= 0 &&
	    item->valuedouble <= 1e15) {
		*out = (int64_t)item->valuedouble;
		return true;
	}
	snprintf(text, sizeof text, "\"%s\" must be a number from 0 to 1e15",
		 name);
	answer_error(x, 400, text);
	return false;
}

int64_t number_or(const struct exchange *x, const char *name, int64_t other)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(x->body, name);

	return cJSON_IsNumber(item) ? (int64_t)item->valuedouble : other;
}

const char *query_text(const struct exchange *x, const char *name)
{
	return MHD_lookup_connection_value(x->connection, MHD_GET_ARGUMENT_KIND,
					   name);
}

void put_id(cJSON *object, const char *name, int64_t id)
{
	char text[32];

	snprintf(text, sizeof text, "%" PRId64, id);
	cJSON_AddStringToObject(object, name, text);
}

static bool route_fits(const struct route *r, const char *method,
		       const char *path)
{
	size_t len = strlen(r->path);

	if (strcmp(r->method, method) != 0)
		return false;
	if (len > 0 && r->path[len - 1] == '*')
		return strncmp(r->path, path, len - 1) == 0;
	return strcmp(r->path, path) == 0;
}

static void dispatch(const struct service *s, const char *method,
		     struct exchange *x)
{
	for (size_t i = 0; i < s->n; i++) {
		if (route_fits(&s->routes[i], method, x->path)) {
			s->routes[i].handle(s->app, x);
			return;
		}
	}
	answer_error(x, 404, "no such thing here");
}

static enum MHD_Result send_answer(struct MHD_Connection *connection,
				   const struct exchange *x)
{
	char *text = cJSON_PrintUnformatted(x->answer);
	struct MHD_Response *response;
	enum MHD_Result queued;

	if (!text)
		return MHD_NO;
	response = MHD_create_response_from_buffer(strlen(text), text,
						   MHD_RESPMEM_MUST_FREE);
	if (!response) {
		free(text);
		return MHD_NO;
	}
	MHD_add_response_header(response, "Content-Type", "application/json");
	queued = MHD_queue_response(connection, (unsigned)x->status, response);
	MHD_destroy_response(response);
	return queued;
}

static enum MHD_Result answer(const struct service *s,
			      struct MHD_Connection *connection,
			      const char *method, const char *path,
			      const struct upload *upload)
{
	cJSON *body =
		upload->len ? cJSON_Parse(upload->data) : cJSON_CreateObject();
	struct exchange x = { .path = path,
			      .body = body,
			      .connection = connection,
			      .status = 200,
			      .answer = cJSON_CreateObject() };
	enum MHD_Result queued;

	x.xid = MHD_lookup_connection_value(connection, MHD_HEADER_KIND,
					    TREATY_XID_HEADER);
	if (upload->too_large)
		answer_error(&x, 413, "the body is too large");
	else if (!cJSON_IsObject(body))
		answer_error(&x, 400, "the body must be a JSON object");
	else
		dispatch(s, method, &x);
	queued = send_answer(connection, &x);
	cJSON_Delete(x.answer);
	cJSON_Delete(body);
	return queued;
}

static enum MHD_Result on_request(void *cls, struct MHD_Connection *connection,
				  const char *path, const char *method,
				  const char *version, const char *data,
				  size_t *size, void **con_cls)
{
	struct upload *upload = *con_cls;

	(void)version;
	if (!upload) {
		*con_cls = calloc(1, sizeof *upload);
		return *con_cls ? MHD_YES : MHD_NO;
	}
	if (*size) {
		if (*size > BODY_MAX - upload->len) {
			upload->too_large = true;
		} else {
			memcpy(upload->data + upload->len, data, *size);
			upload->len += *size;
		}
		*size = 0;
		return MHD_YES;
	}
	return answer(cls, connection, method, path, upload);
}

static void on_completed(void *cls, struct MHD_Connection *connection,
			 void **con_cls, enum MHD_RequestTerminationCode why)
{
	(void)cls;
	(void)connection;
	(void)why;
	free(*con_cls);
}

static void wait_for_the_end(const sigset_t *ends)
{
	int signal_number;

	while (sigwait(ends, &signal_number) != 0)
		;
}

int service_run(const char *name, uint16_t port, const struct route *routes,
		size_t n, void *app)
{
	struct service s = { routes, n, app };
	struct sockaddr_in here = { .sin_family = AF_INET,
				    .sin_port = htons(port),
				    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	const union MHD_DaemonInfo *info;
	struct MHD_Daemon *daemon;
	sigset_t ends;

	sigemptyset(&ends);
	sigaddset(&ends, SIGTERM);
	sigaddset(&ends, SIGINT);
	pthread_sigmask(SIG_BLOCK, &ends, NULL);
	signal(SIGPIPE, SIG_IGN);
	daemon = MHD_start_daemon(
		MHD_USE_THREAD_PER_CONNECTION | MHD_USE_INTERNAL_POLLING_THREAD,
		port, NULL, NULL, on_request, &s, MHD_OPTION_SOCK_ADDR, &here,
		MHD_OPTION_NOTIFY_COMPLETED, on_completed, NULL,
		MHD_OPTION_CONNECTION_LIMIT, 512u, MHD_OPTION_END);
	if (!daemon) {
		fprintf(stderr, "%s: cannot listen on 127.0.0.1:%u\n", name,
			port);
		return 1;
	}
	info = MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_BIND_PORT);
	printf("%s ready http://127.0.0.1:%u\n", name,
	       (unsigned)(info ? info->port : port));
	fflush(stdout);
	wait_for_the_end(&ends);
	MHD_stop_daemon(daemon);
	return 0;
}
