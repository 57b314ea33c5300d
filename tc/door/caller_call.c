#include "tc/door/caller_impl.h"

#include "base/log.h"

#include <sys/socket.h>

#define TELL_MS 1000 /* between lines about refused targets */

/* ---- what is refused ---- */

/* Anyone may provoke these, so they must not fill the log. */
static void log_refusal(struct call *call, struct bytes why)
{
	struct caller *c = call->caller;

	c->stats.refused++;
	if (c->told_ms != 0 && c->now_ms < c->told_ms + TELL_MS) {
		c->not_told++;
		return;
	}
	LOG_WARN("http participant not called", LOG_B("xid", call->done.xid),
		 LOG_U("branch", call->done.branch), LOG_B("why", why),
		 LOG_U("not_logged", c->not_told));
	c->told_ms = c->now_ms;
	c->not_told = 0;
}

static bool address_allowed(struct call *call, const struct address *a)
{
	struct buf *why = &call->deny;

	buf_clear(why);
	if (allow_list_address(call->caller->port->allow_list,
			       &call->request.target, a, why) == OK)
		return true;
	log_refusal(call, buf_bytes(why));
	return false;
}

/* A new connection: before anything is sent to the address. */
static curl_socket_t on_open(void *ctx, curlsocktype purpose,
			     struct curl_sockaddr *to)
{
	struct call *call = ctx;
	struct address a;
	int fd;

	if (purpose != CURLSOCKTYPE_IPCXN || address_of(&a, &to->addr) != OK ||
	    !address_allowed(call, &a))
		return CURL_SOCKET_BAD;
	fd = socket(to->family, to->socktype | SOCK_CLOEXEC, to->protocol);
	if (fd < 0)
		return CURL_SOCKET_BAD;
	call->caller->stats.accepted++;
	return fd;
}

/* Before each request, also on a connection that was made when the allow-list
 * was another one. */
static int on_request(void *ctx, char *there, char *here, int port,
		      int own_port)
{
	struct call *call = ctx;
	struct address a;

	(void)here;
	(void)port;
	(void)own_port;
	if (address_parse(&a, bytes_of(there)) != OK ||
	    !address_allowed(call, &a))
		return CURL_PREREQFUNC_ABORT;
	return CURL_PREREQFUNC_OK;
}

/* ---- bodies ---- */

static size_t on_body(char *data, size_t size, size_t n, void *ctx)
{
	struct call *call = ctx;
	size_t len = size * n;
	size_t room = call->caller->config.answer_max - call->body.len;

	if (len > room) {
		call->cut = true;
		buf_put(&call->body,
			(struct bytes){ (const uint8_t *)data, room });
		return 0; /* ends the transfer */
	}
	buf_put(&call->body, (struct bytes){ (const uint8_t *)data, len });
	return buf_error(&call->body) == OK ? len : 0;
}

/* ---- a call's life ---- */

void caller_call_free(struct call *call)
{
	struct caller *c = call->caller;

	if (call->easy)
		curl_easy_cleanup(call->easy);
	curl_slist_free_all(call->headers);
	arena_fini(&call->arena);
	buf_fini(&call->body);
	buf_fini(&call->deny);
	mem_free(c->mem, call);
}

static struct call *make(struct caller *c)
{
	struct call *call = mem_alloc(c->mem, sizeof *call);

	if (!call)
		return NULL;
	call->caller = c;
	list_init(&call->on);
	arena_init(&call->arena, c->mem, 4096);
	buf_init(&call->body, c->mem);
	buf_init(&call->deny, c->mem);
	call->easy = curl_easy_init();
	if (!call->easy) {
		caller_call_free(call);
		return NULL;
	}
	return call;
}

static struct call *take(struct caller *c)
{
	struct list *idle = list_first(&c->idle);

	if (!idle)
		return make(c);
	list_remove(idle);
	c->n_idle--;
	return CONTAINER_OF(idle, struct call, on);
}

void caller_call_put(struct call *call)
{
	struct caller *c = call->caller;

	curl_easy_reset(call->easy);
	curl_slist_free_all(call->headers);
	call->headers = NULL;
	if (c->n_idle >= c->config.calls_max) {
		caller_call_free(call);
		return;
	}
	arena_reset(&call->arena);
	buf_fini(&call->body); /* may have become large */
	buf_init(&call->body, c->mem);
	buf_clear(&call->deny);
	call->cut = false;
	call->error[0] = '\0';
	call->state = CALL_IDLE;
	list_append(&c->idle, &call->on);
	c->n_idle++;
}

static void finish(struct call *call)
{
	call->state = CALL_FINISHED;
	list_append(&call->caller->finished, &call->on);
}

static uint64_t time_for(const struct caller *c, const struct command *command)
{
	uint64_t ms = command->timeout_ms;
	uint64_t less = ms / 8 < 100 ? ms / 8 : 100;

	/* A little less, so that the core hears why instead of nothing. */
	ms -= less;
	return ms == 0 || ms > c->config.call_ms_max ? c->config.call_ms_max
						     : ms;
}

/* What the answer must name. */
static int name(struct call *call, const struct command *command)
{
	struct branch_done *done = &call->done;

	*done = (struct branch_done){
		.peer = command->peer,
		.command = command->id,
		.type = command->type,
		.branch = command->branch,
		.xid = arena_bytes(&call->arena, command->xid),
	};
	call->began_ms = call->caller->now_ms;
	call->due_ms = call->began_ms + time_for(call->caller, command);
	return done->xid.data ? OK : E_NOMEM;
}

static int prepare(struct call *call, const struct command *command)
{
	struct buf why;
	int rc;

	buf_init(&why, &call->arena.as_mem);
	rc = caller_request_make(&call->request, &call->arena, command, &why);
	if (rc == OK)
		rc = allow_list_url(call->caller->port->allow_list,
				    &call->request.target, &why);
	if (rc != E_INVALID && rc != E_DENIED)
		return rc;
	if (buf_error(&why) != OK)
		return E_NOMEM;
	caller_not_called(&call->done, rc == E_INVALID, buf_bytes(&why));
	log_refusal(call, buf_bytes(&why));
	finish(call);
	return OK;
}

struct call *caller_call_new(struct caller *c, const struct command *command)
{
	struct call *call = take(c);
	int rc;

	if (!call)
		return NULL;
	rc = name(call, command);
	if (rc == OK)
		rc = prepare(call, command);
	if (rc == OK)
		return call;
	caller_call_put(call);
	return NULL;
}

/* ---- libcurl ---- */

static int add_header(struct call *call, const char *line)
{
	struct curl_slist *longer = curl_slist_append(call->headers, line);

	if (!longer)
		return E_NOMEM;
	call->headers = longer;
	return OK;
}

static int add_headers(struct call *call)
{
	const struct caller_request *rq = &call->request;
	/* libcurl's own that are not wanted, with nothing behind the colon. */
	int rc = add_header(call, "Expect:");

	if (rc == OK && rq->body.len == 0)
		rc = add_header(call, "Content-Type:");
	for (size_t i = 0; i < rq->n_headers && rc == OK; i++)
		rc = add_header(call, rq->headers[i]);
	return rc;
}

#define SET(option, value)                                                     \
	do {                                                                   \
		if (curl_easy_setopt(easy, option, value) != CURLE_OK)         \
			return E_NOMEM;                                        \
	} while (0)

/* What could make it go elsewhere, or tell it more than the request does. */
static int set_limits(struct call *call, CURL *easy)
{
	const struct caller *c = call->caller;

	SET(CURLOPT_PROTOCOLS_STR, "http,https");
	SET(CURLOPT_FOLLOWLOCATION, 0L);
	SET(CURLOPT_PROXY, "");
	SET(CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
	SET(CURLOPT_PATH_AS_IS, 1L);
	SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	SET(CURLOPT_SSL_VERIFYPEER, 1L);
	SET(CURLOPT_SSL_VERIFYHOST, 2L);
	SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	/* A folder would be trusted beside the file, and read again for each
	 * connection while everything waits; what is in a file is kept. */
	SET(CURLOPT_CAPATH, (char *)NULL);
	if (c->config.ca_file && c->config.ca_file[0] != '\0')
		SET(CURLOPT_CAINFO, c->config.ca_file);
	SET(CURLOPT_NOSIGNAL, 1L);
	/* A resolver's thread that is not through is left to itself. */
	SET(CURLOPT_QUICK_EXIT, 1L);
	if (c->resolve)
		SET(CURLOPT_RESOLVE, c->resolve);
	return OK;
}

static int set_callbacks(struct call *call, CURL *easy)
{
	SET(CURLOPT_PRIVATE, call);
	SET(CURLOPT_ERRORBUFFER, call->error);
	SET(CURLOPT_WRITEFUNCTION, on_body);
	SET(CURLOPT_WRITEDATA, call);
	SET(CURLOPT_OPENSOCKETFUNCTION, on_open);
	SET(CURLOPT_OPENSOCKETDATA, call);
	SET(CURLOPT_PREREQFUNCTION, on_request);
	SET(CURLOPT_PREREQDATA, call);
	return OK;
}

static int set_request(struct call *call, CURL *easy)
{
	const struct caller_request *rq = &call->request;
	struct caller *c = call->caller;
	uint64_t left = call->due_ms - c->now_ms;
	uint64_t connect = c->config.connect_ms;

	SET(CURLOPT_URL, rq->url);
	SET(CURLOPT_USERAGENT, buf_text(&c->user_agent));
	if (!rq->get) {
		SET(CURLOPT_POST, 1L);
		SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)rq->body.len);
		SET(CURLOPT_POSTFIELDS,
		    rq->body.len ? (const char *)rq->body.data : "");
	}
	SET(CURLOPT_TIMEOUT_MS, (long)left);
	SET(CURLOPT_CONNECTTIMEOUT_MS, (long)(connect < left ? connect : left));
	SET(CURLOPT_HTTPHEADER, call->headers);
	return OK;
}

int caller_call_start(struct call *call)
{
	CURL *easy = call->easy;
	int rc;

	REQUIRE(call->due_ms > call->caller->now_ms);
	rc = add_headers(call);
	if (rc == OK)
		rc = set_limits(call, easy);
	if (rc == OK)
		rc = set_callbacks(call, easy);
	if (rc == OK)
		rc = set_request(call, easy);
	if (rc == OK &&
	    curl_multi_add_handle(call->caller->multi, easy) != CURLM_OK)
		rc = E_NOMEM;
	if (rc == OK)
		call->caller->stats.messages_out++;
	return rc;
}

/* ---- what came of it ---- */

static const char *sentence(CURLcode code)
{
	switch (code) {
	case CURLE_COULDNT_RESOLVE_HOST:
		return "its name was not found";
	case CURLE_COULDNT_CONNECT:
		return "no connection";
	case CURLE_OPERATION_TIMEDOUT:
		return "no complete answer in time";
	case CURLE_GOT_NOTHING:
		return "the connection was closed without an answer";
	case CURLE_SEND_ERROR:
	case CURLE_RECV_ERROR:
	case CURLE_PARTIAL_FILE:
		return "the connection broke";
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CACERT_BADFILE:
		return "TLS failed";
	case CURLE_OUT_OF_MEMORY:
	case CURLE_WRITE_ERROR:
		return "the coordinator has no memory for it";
	default:
		return curl_easy_strerror(code);
	}
}

enum opinion caller_call_opinion(CURLcode code)
{
	switch (code) {
	case CURLE_OK:
	case CURLE_WRITE_ERROR:
		return TARGET_ANSWERS;
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_COULDNT_CONNECT:
	case CURLE_OPERATION_TIMEDOUT:
		return TARGET_SUSPECT;
	default:
		return TARGET_AS_BEFORE;
	}
}

static void put_why(struct buf *why, const struct call *call, CURLcode code)
{
	if (call->deny.len > 0 && (code == CURLE_COULDNT_CONNECT ||
				   code == CURLE_ABORTED_BY_CALLBACK)) {
		buf_put(why, buf_bytes(&call->deny));
		return;
	}
	buf_put_text(why, sentence(code));
	if (call->error[0] != '\0')
		buf_printf(why, " (%s)", call->error);
}

/* libcurl calls it a failed write when we have seen enough. */
static bool is_whole(const struct call *call, CURLcode code)
{
	return code == CURLE_OK || (code == CURLE_WRITE_ERROR && call->cut);
}

static void read_answer(struct call *call, struct caller_answer *a)
{
	long http = 0;
	char *type = NULL;

	(void)curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &http);
	(void)curl_easy_getinfo(call->easy, CURLINFO_CONTENT_TYPE, &type);
	*a = (struct caller_answer){ .http = (int)http,
				     .type = bytes_of(type),
				     .body = buf_bytes(&call->body),
				     .cut = call->cut };
}

static void log_end(const struct call *call, int http)
{
	if (!log_wanted(LOG_LEVEL_DEBUG))
		return;
	LOG_DEBUG("http participant called", LOG_B("xid", call->done.xid),
		  LOG_U("branch", call->done.branch),
		  LOG_B("request", call->request.display), LOG_I("http", http),
		  LOG_U("ms", call->caller->now_ms - call->began_ms),
		  LOG_B("error", call->done.error));
}

void caller_call_end(struct call *call, CURLcode code)
{
	struct caller_answer a = { 0 };
	struct buf why;

	buf_init(&why, &call->arena.as_mem);
	if (is_whole(call, code) && buf_error(&call->body) == OK) {
		read_answer(call, &a);
		call->caller->stats.messages_in++;
	} else {
		put_why(&why, call, code);
		a.why = buf_bytes(&why);
		call->caller->stats.malformed++;
	}
	caller_outcome(&call->done, &call->arena, &call->request, &a);
	log_end(call, a.http);
	finish(call);
}

void caller_call_fail(struct call *call, const char *why)
{
	struct caller_answer a = { .why = bytes_of(why) };

	call->caller->stats.malformed++;
	caller_outcome(&call->done, &call->arena, &call->request, &a);
	log_end(call, 0);
	finish(call);
}
