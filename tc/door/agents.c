#include "tc/door/agents.h"

#include "base/arena.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/map.h"
#include "tc/door/agents_target.h"
#include "tc/door/agents_wire.h"
#include "tc/door/sp.h"
#include "tc/door/stream.h"

#define FRAMING_MAX  32   /* hello, ipc type, length, id */
#define SILENT_BEATS 3    /* heartbeats until a peer counts as gone */
#define LINGER_MS    2000 /* for a farewell to leave */

struct agents {
	const struct mem *mem;
	const struct door_port *port;
	struct agents_config config;
	struct streams *streams;
	struct map peers;   /* by number */
	struct arena arena; /* of the message at hand */
	struct buf address;
	uint64_t serial;
	uint64_t messages_in, messages_out, malformed;
};

struct agent {
	struct map_node node;
	struct agents *door;
	struct stream *stream;
	struct sp sp;
	uint64_t peer;
	bool up; /* said hello */
	uint64_t heard_ms;
};

static uint64_t now(const struct agents *d)
{
	return d->port->now_ms(d->port->ctx);
}

static struct agent *agent_find(const struct agents *d, uint64_t peer)
{
	struct map_node *n = map_find(&d->peers, hash_u64(0, peer));

	for (; n; n = map_find_next(n)) {
		struct agent *a = CONTAINER_OF(n, struct agent, node);

		if (a->peer == peer)
			return a;
	}
	return NULL;
}

/* ---- out ---- */

static void send_msg(struct agent *a, const struct msg *m)
{
	struct buf *out = stream_out(a->stream);
	size_t begin = sp_put_begin(out, a->sp.transport, m->id);
	int rc = msg_encode(out, m);

	sp_put_end(out, begin);
	a->door->messages_out++;
	if (rc == OK || buf_error(out) != OK)
		return; /* the stream closes by itself when its buffer broke */
	stream_close(a->stream, "an answer could not be encoded", false);
}

static void bye(struct agent *a, int err, const char *why)
{
	struct msg m = { .type = MSG_BYE,
			 .err = (uint64_t)-err,
			 .text = bytes_of(why) };

	if (stream_closing(a->stream))
		return;
	send_msg(a, &m);
	stream_set_due(a->stream, now(a->door) + LINGER_MS);
	stream_close(a->stream, why, true);
}

static void welcome(struct agent *a, uint64_t id)
{
	struct msg m = { .type = MSG_WELCOME,
			 .id = id,
			 .level = LEVEL_OURS,
			 .heartbeat_ms = a->door->config.heartbeat_ms,
			 .coordinator = a->door->port->coordinator };

	send_msg(a, &m);
}

static void answer(struct agent *a, enum msg_type type, uint64_t id)
{
	struct msg m = { .type = type, .id = id };

	send_msg(a, &m);
}

static void refuse(struct agent *a, uint64_t id, int err, struct bytes why)
{
	struct msg m = {
		.type = MSG_REPLY, .id = id, .err = (uint64_t)-err, .text = why
	};

	if (err == E_NOMEM)
		m.text = BYTES("the coordinator is out of memory; ask again "
			       "later");
	send_msg(a, &m);
}

/* ---- in ---- */

static void on_hello(struct agent *a, const struct msg *m, struct event *ev)
{
	struct agents *d = a->door;

	int rc = d->port->event(d->port->ctx, ev);

	if (rc != OK) {
		bye(a, rc,
		    rc == E_LIMIT
			    ? "as many agents as peers_max allows are here"
			    : "the coordinator is out of memory");
		return;
	}
	if (!a->up)
		LOG_INFO("agent connected", LOG_U("peer", a->peer),
			 LOG_B("application", m->application),
			 LOG_B("instance", m->instance),
			 LOG_S("address", stream_address(a->stream)),
			 LOG_U("resources", m->n_list));
	a->up = true;
	welcome(a, m->id);
}

static void on_request(struct agent *a, const struct msg *m, struct event *ev)
{
	struct agents *d = a->door;
	struct buf why;
	int rc;

	buf_init(&why, &d->arena.as_mem);
	rc = agents_target_check(d->port->allow_list, &d->arena, &ev->request,
				 &why);
	if (rc == OK && d->port->event(d->port->ctx, ev) != OK)
		rc = E_NOMEM;
	if (rc != OK)
		refuse(a, m->id, rc, buf_bytes(&why));
}

static int on_msg(struct agent *a, const struct msg *m, const char **why)
{
	struct agents *d = a->door;
	struct event ev;
	int rc;

	/* Also a ping: an agent that did not notice that its connection is a
	 * new one learns it from nothing else while it is idle. */
	if (!a->up && m->type != MSG_HELLO) {
		answer(a, MSG_HELLO_WANTED, m->id);
		return OK;
	}
	if (m->type == MSG_PING) {
		answer(a, MSG_PONG, m->id);
		return OK;
	}
	rc = event_of_msg(&ev, m, a->peer, stream_address(a->stream), why);
	if (rc != OK)
		return rc;
	if (m->type == MSG_HELLO)
		on_hello(a, m, &ev);
	else if (m->type == MSG_BRANCH_DONE)
		(void)d->port->event(d->port->ctx, &ev); /* lost: asked again */
	else
		on_request(a, m, &ev);
	return OK;
}

static const char *why_undecodable(int err)
{
	switch (err) {
	case E_VERSION:
		return "a message of another protocol version";
	case E_LIMIT:
		return "a list longer than allowed";
	case E_NOMEM:
		return "the coordinator is out of memory";
	default:
		return "a message that cannot be decoded";
	}
}

static int on_body(struct agent *a, struct bytes body, const char **why)
{
	struct agents *d = a->door;
	struct msg m;
	int rc;

	arena_reset(&d->arena);
	rc = msg_decode(&m, &d->arena.as_mem, body);
	if (rc != OK) {
		*why = why_undecodable(rc);
		return rc;
	}
	d->messages_in++;
	a->heard_ms = now(d);
	return on_msg(a, &m, why);
}

static int on_input(void *ctx, struct stream *s, struct bytes in, size_t *used)
{
	struct agent *a = stream_data(s);
	struct agents *d = ctx;
	const char *why = "";
	int rc = OK;

	while (rc == OK && !stream_closing(s)) {
		struct bytes body;
		size_t n;

		rc = sp_take(&a->sp, in, &n, &body, &why);
		in.data += n;
		in.len -= n;
		*used += n;
		if (rc == OK)
			rc = on_body(a, body, &why);
	}
	if (rc == OK || rc == E_AGAIN)
		return OK;
	d->malformed++;
	LOG_WARN("malformed input from an agent", LOG_U("peer", a->peer),
		 LOG_S("address", stream_address(s)), LOG_S("error", why));
	bye(a, rc, why);
	return OK;
}

/* ---- coming and going ---- */

static uint64_t silence_ms(const struct agents *d)
{
	return d->config.heartbeat_ms * SILENT_BEATS;
}

static int on_opened(void *ctx, struct stream *s)
{
	struct agents *d = ctx;
	struct agent *a = mem_alloc(d->mem, sizeof *a);

	if (!a)
		return E_NOMEM;
	a->door = d;
	a->stream = s;
	a->peer = door_peer(DOOR_AGENTS, ++d->serial);
	a->heard_ms = now(d);
	sp_init(&a->sp, stream_is_ipc(s) ? SP_IPC : SP_TCP, SP_REQ,
		d->config.message_max);
	map_insert(&d->peers, &a->node, hash_u64(0, a->peer));
	stream_set_data(s, a);
	stream_set_due(s, a->heard_ms + d->config.hello_ms);
	sp_put_hello(stream_out(s), SP_REP);
	return OK;
}

static void on_due(void *ctx, struct stream *s)
{
	struct agent *a = stream_data(s);
	struct agents *d = ctx;
	uint64_t due = a->heard_ms + silence_ms(d);

	if (!a->up)
		bye(a, E_TIMEOUT, "no hello came in time");
	else if (now(d) >= due)
		bye(a, E_TIMEOUT, "silent for three heartbeats");
	else
		stream_set_due(s, due);
}

static void on_closed(void *ctx, struct stream *s, const char *why)
{
	struct agent *a = stream_data(s);
	struct agents *d = ctx;
	struct event ev = { .type = EV_PEER_GONE, .peer = a->peer };

	map_remove(&d->peers, &a->node);
	if (a->up) {
		LOG_INFO("agent gone", LOG_U("peer", a->peer),
			 LOG_S("address", stream_address(s)),
			 LOG_S("reason", why));
		/* Without memory the core learns of it by time-outs. */
		if (d->port->event(d->port->ctx, &ev) != OK)
			LOG_WARN("out of memory: an agent's going could not "
				 "be noted; its commands will time out",
				 LOG_U("peer", a->peer));
	}
	mem_free(d->mem, a);
}

/* ---- the door ---- */

static bool process(void *self, uint64_t now_ms)
{
	return streams_process(((struct agents *)self)->streams, now_ms);
}

static uint64_t deadline(const void *self)
{
	return streams_deadline(((const struct agents *)self)->streams);
}

static void reply(void *self, const struct reply *r)
{
	struct agent *a = agent_find(self, r->peer);
	struct msg m = msg_of_reply(r);

	if (a && !stream_closing(a->stream))
		send_msg(a, &m);
}

static void command(void *self, const struct command *c)
{
	struct agent *a = agent_find(self, c->peer);
	struct msg m = msg_of_command(c);

	if (a && !stream_closing(a->stream))
		send_msg(a, &m);
}

static void flush(void *self)
{
	streams_flush(((struct agents *)self)->streams);
}

static void drain(void *self)
{
	streams_stop(((struct agents *)self)->streams);
}

static bool idle(const void *self)
{
	return streams_idle(((const struct agents *)self)->streams);
}

static struct door_stats stats(const void *self)
{
	const struct agents *d = self;
	struct streams_stats s = streams_stats(d->streams);

	return (struct door_stats){ .accepted = s.accepted,
				    .refused = s.refused,
				    .closed = s.closed,
				    .messages_in = d->messages_in,
				    .messages_out = d->messages_out,
				    .malformed = d->malformed,
				    .connections_now = s.connections_now };
}

static void close_door(void *self)
{
	struct agents *d = self;

	streams_free(d->streams);
	map_fini(&d->peers);
	arena_fini(&d->arena);
	buf_fini(&d->address);
	mem_free(d->mem, d);
}

static int check_address(const struct agents_config *config,
			 const char *address, struct buf *error)
{
	if (config->allow_unauthenticated || !stream_address_is_open(address))
		return OK;
	buf_clear(error);
	buf_printf(error,
		   "refusing to listen on %s: other machines can reach it and "
		   "agents are not authenticated; listen on 127.0.0.1, ::1 or "
		   "ipc://, or set allow_unauthenticated=yes if the network "
		   "itself keeps strangers out",
		   address);
	return E_DENIED;
}

static int listen_all(struct agents *d, struct buf *error)
{
	struct buf bound;
	int rc = OK;

	buf_init(&bound, d->mem);
	for (size_t i = 0; i < d->config.n_addresses && rc == OK; i++) {
		const char *address = d->config.addresses[i];

		rc = check_address(&d->config, address, error);
		if (rc == OK)
			rc = streams_listen(d->streams, address, &bound, error);
		if (i > 0)
			buf_put_char(&d->address, ' ');
		buf_put(&d->address, buf_bytes(&bound));
	}
	buf_fini(&bound);
	return rc == OK ? buf_error(&d->address) : rc;
}

static int make(struct agents **out, const struct mem *mem,
		const struct agents_config *config,
		const struct door_port *port)
{
	struct agents *d = mem_alloc(mem, sizeof *d);
	struct stream_options options = {
		.connections_max = config->connections_max,
		.input_max = config->message_max + FRAMING_MAX,
		.output_max = config->output_max,
	};
	struct stream_user user = { d, on_opened, on_input, on_due, on_closed };
	int rc;

	if (!d)
		return E_NOMEM;
	d->mem = mem;
	d->port = port;
	d->config = *config;
	arena_init(&d->arena, mem, 0);
	buf_init(&d->address, mem);
	rc = map_init(&d->peers, mem);
	if (rc == OK)
		rc = streams_new(&d->streams, mem, &options, &user);
	if (rc == OK)
		*out = d;
	else
		close_door(d);
	return rc;
}

void agents_config_default(struct agents_config *config)
{
	*config = (struct agents_config){
		.connections_max = 10000,
		.message_max = 4 << 20,
		.output_max = 16 << 20,
		.heartbeat_ms = 5000,
		.hello_ms = 5000,
	};
}

int agents_open(struct door *out, const struct mem *mem,
		const struct agents_config *config,
		const struct door_port *port, struct buf *error)
{
	struct agents *d;
	int rc = make(&d, mem, config, port);

	if (rc != OK) {
		buf_clear(error);
		buf_put_text(error, "out of memory");
		return rc;
	}
	rc = listen_all(d, error);
	if (rc != OK) {
		close_door(d);
		return rc;
	}
	*out = (struct door){ .self = d,
			      .number = DOOR_AGENTS,
			      .name = "agents",
			      .address = buf_text(&d->address),
			      .fd = streams_fd(d->streams),
			      .process = process,
			      .deadline = deadline,
			      .reply = reply,
			      .command = command,
			      .flush = flush,
			      .drain = drain,
			      .idle = idle,
			      .stats = stats,
			      .close = close_door };
	return OK;
}
