#include "rm-agent/session/session.h"

#include "base/arena.h"
#include "base/hash.h"
#include "rm-agent/session/greeting.h"
#include "rm-agent/session/outbox.h"

/*
 * Timers, UINT64_MAX for "never":
 *   hello_at  GREETING: the hello is sent again; REFUSED: the first new one
 *   ping_at   READY: nothing was heard for a heartbeat
 *   dead_at   GREETING: no welcome came; READY: the ping was not answered.
 *             New connections do not put it off: they may be made and break for
 *             ever without us.
 */
#define NEVER UINT64_MAX

#define HELLO_MS_MIN 200  /* between two hellos that are not answered */
#define HELLO_MS_MAX 5000 /* … in the end */
/* Without a welcome the connection is replaced after that long at first. Who
 * looks the coordinator's name up needs up to 5 s if a name server is down. */
#define CONNECT_MS_MIN 1000
#define CONNECT_MS_MAX 8000 /* … in the end, less up to a quarter */
#define HEARTBEAT_MIN  10

struct session {
	const struct mem *mem;
	enum session_state state;
	struct outbox outbox;
	char *application;
	char *instance;
	struct buf hello;
	struct buf ping;
	uint64_t hello_id;
	uint64_t last_id;
	uint64_t level; /* READY: what the coordinator understands */
	bool say_hello;
	bool say_ping;
	uint64_t heartbeat_ms; /* asked for */
	uint64_t beat_ms;      /* agreed with the coordinator */
	uint64_t resend_ms_first;
	uint64_t hello_step_ms;
	uint64_t connect_step_ms;
	uint64_t jitter;
	uint64_t hello_at;
	uint64_t ping_at;
	uint64_t dead_at;

	struct arena in; /* of the message that was received last */
	/* outputs that are not taken yet */
	bool reconnect;
	bool has_msg; /* .type is WELCOMED, COMMAND or DONE */
	bool bye;
	struct session_output msg;
	struct session_output said_bye;
	struct bytes refusal; /* text for requests that end by a refusal */
};

static uint64_t smaller(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static bool valid(const struct session_config *c)
{
	return c->application.len > 0 && c->instance.len > 0 &&
	       c->requests_max > 0 && c->bytes_max > 0 && c->message_max > 0 &&
	       c->dones_max > 0 && c->heartbeat_ms > 0 &&
	       c->resend_ms_first > 0 && c->resend_ms_max > 0;
}

/* A hello with a new number, so that a welcome for an older one, which did not
 * know all resources, is not taken for this one's. */
static int make_hello(struct session *s, const struct bytes *ids, size_t n,
		      struct buf *out)
{
	const struct msg m = {
		.type = MSG_HELLO,
		.id = s->last_id + 1,
		.application = bytes_of(s->application),
		.instance = bytes_of(s->instance),
		.level = LEVEL_OURS,
		.list = ids,
		.n_list = n,
	};

	buf_init(out, s->mem);
	out->limit = s->outbox.message_max;
	return msg_encode(out, &m);
}

static void use_hello(struct session *s, struct buf *fresh)
{
	buf_fini(&s->hello);
	s->hello = *fresh;
	s->hello_id = ++s->last_id;
}

int session_new(struct session **out, const struct mem *mem,
		const struct session_config *c, uint64_t now_ms)
{
	struct session *s;
	struct buf hello;
	int rc;

	if (!valid(c))
		return E_INVALID;
	s = mem_alloc(mem, sizeof *s);
	if (!s)
		return E_NOMEM;
	s->mem = mem;
	arena_init(&s->in, mem, 0);
	buf_init(&s->hello, mem);
	buf_init(&s->ping, mem);
	rc = outbox_init(&s->outbox, mem);
	s->outbox.requests_max = c->requests_max;
	s->outbox.dones_max = c->dones_max;
	s->outbox.bytes_max = c->bytes_max;
	s->outbox.message_max = c->message_max;
	s->outbox.resend_ms_max = c->resend_ms_max;
	s->resend_ms_first = c->resend_ms_first;
	s->heartbeat_ms = s->beat_ms = c->heartbeat_ms;
	s->application = mem_text(mem, c->application);
	s->instance = mem_text(mem, c->instance);
	if (!s->application || !s->instance)
		rc = E_NOMEM;
	if (rc == OK) {
		rc = make_hello(s, NULL, 0, &hello);
		use_hello(s, &hello);
	}
	if (rc == OK)
		rc = msg_encode(&s->ping, &(struct msg){ .type = MSG_PING });
	if (rc != OK) {
		session_free(s);
		return rc;
	}
	s->say_hello = true;
	s->hello_step_ms = HELLO_MS_MIN;
	s->connect_step_ms = CONNECT_MS_MIN;
	s->jitter = hash_bytes(0, c->instance);
	s->hello_at = s->ping_at = NEVER;
	s->dead_at = now_ms + s->connect_step_ms;
	*out = s;
	return OK;
}

void session_free(struct session *s)
{
	if (!s)
		return;
	outbox_fini(&s->outbox);
	buf_fini(&s->hello);
	buf_fini(&s->ping);
	arena_fini(&s->in);
	mem_free(s->mem, s->application);
	mem_free(s->mem, s->instance);
	mem_free(s->mem, s);
}

/* ---- the mover ---- */

/* Over a connection that worked until now a hello has as long as a ping. */
static void greet(struct session *s, bool connected, uint64_t now_ms)
{
	uint64_t ms = s->connect_step_ms;

	if (connected && ms < 2 * s->beat_ms)
		ms = 2 * s->beat_ms;
	s->say_hello = true;
	s->say_ping = false;
	s->ping_at = s->hello_at = NEVER;
	if (s->state != SESSION_GREETING || s->dead_at == NEVER)
		s->dead_at = now_ms + ms;
}

static void open_up(struct session *s, uint64_t now_ms)
{
	s->say_hello = false;
	s->hello_step_ms = HELLO_MS_MIN;
	s->connect_step_ms = CONNECT_MS_MIN;
	s->hello_at = s->dead_at = NEVER;
	s->ping_at = now_ms + s->beat_ms;
}

static void retire(struct session *s, uint64_t now_ms)
{
	s->say_hello = s->say_ping = false;
	s->ping_at = s->dead_at = NEVER;
	s->hello_at = now_ms + s->hello_step_ms;
	s->hello_step_ms = smaller(s->hello_step_ms * 2, HELLO_MS_MAX);
}

/* The only place where the state changes. */
static void move(struct session *s, enum session_event event, uint64_t now_ms)
{
	struct session_rule rule = session_rule(s->state, event);
	bool connected = s->state == SESSION_READY &&
			 (event == SESSION_EV_HELLO_WANTED ||
			  event == SESSION_EV_RESOURCES);

	switch (rule.action) {
	case SESSION_FORBIDDEN:
		REQUIRE(rule.action != SESSION_FORBIDDEN);
		break;
	case SESSION_STAY:
		break;
	case SESSION_RENEW:
		greet(s, connected, now_ms);
		outbox_doubt(&s->outbox);
		break;
	case SESSION_DOUBT:
		outbox_doubt(&s->outbox);
		break;
	case SESSION_GREET:
		greet(s, connected, now_ms);
		break;
	case SESSION_OPEN:
		open_up(s, now_ms);
		break;
	case SESSION_RETIRE:
		retire(s, now_ms);
		break;
	}
	s->state = rule.next;
}

/* ---- inputs ---- */

int session_request(struct session *s, const struct msg *m,
		    uint64_t deadline_ms, void *tag, uint64_t now_ms)
{
	struct msg numbered = *m;
	int rc;

	REQUIRE((m->type >= MSG_BEGIN && m->type <= MSG_IDS) ||
		(m->type >= MSG_SUBSCRIBE && m->type <= MSG_MACHINE_DROP));
	REQUIRE(deadline_ms >= now_ms);
	if (s->state == SESSION_READY && msg_level(m) > s->level)
		return E_VERSION;
	numbered.id = s->last_id + 1;
	rc = outbox_add(&s->outbox, &numbered, deadline_ms,
			smaller(m->wait_ms, NEVER / 4) + s->resend_ms_first,
			tag);
	if (rc == OK)
		s->last_id++;
	return rc;
}

int session_done(struct session *s, const struct msg *m)
{
	REQUIRE(m->type == MSG_BRANCH_DONE);
	return outbox_add_done(&s->outbox, m);
}

int session_resources(struct session *s, const struct bytes *ids, size_t n,
		      uint64_t now_ms)
{
	struct buf hello;
	int rc = make_hello(s, ids, n, &hello);

	if (rc != OK) {
		buf_fini(&hello);
		return rc;
	}
	use_hello(s, &hello);
	move(s, SESSION_EV_RESOURCES, now_ms);
	return OK;
}

static void put_msg(struct session *s, enum session_output_type type,
		    const struct msg *m, struct bytes body)
{
	s->has_msg = true;
	s->msg = (struct session_output){ .type = type,
					  .msg = *m,
					  .body = body };
}

static void reply(struct session *s, const struct msg *m, struct bytes body,
		  uint64_t now_ms)
{
	struct pending *p = outbox_find(&s->outbox, m->id);

	if (!p)
		return; /* answered before, or given up */
	if (m->err == (uint64_t)-E_CLOSED) {
		outbox_defer(&s->outbox, p, now_ms);
		return;
	}
	put_msg(s, SESSION_DONE, m, body);
	s->msg.tag = p->tag;
	outbox_end(&s->outbox, p, OK);
	outbox_forget(&s->outbox, p);
}

static void welcome(struct session *s, const struct msg *m, struct bytes body,
		    uint64_t now_ms)
{
	if (m->id != s->hello_id || s->state != SESSION_GREETING)
		return;
	s->beat_ms = s->heartbeat_ms;
	if (m->heartbeat_ms > 0)
		s->beat_ms = smaller(s->beat_ms, m->heartbeat_ms);
	if (s->beat_ms < HEARTBEAT_MIN)
		s->beat_ms = HEARTBEAT_MIN;
	move(s, SESSION_EV_WELCOME, now_ms);
	s->level = m->level;
	outbox_refuse(&s->outbox, s->level);
	put_msg(s, SESSION_WELCOMED, m, body);
}

/* Will saying hello again never help? Unknown codes are not final. */
static bool final(int err)
{
	return err == E_DENIED || err == E_VERSION || err == E_INVALID ||
	       err == E_UNSUPPORTED;
}

static void bye(struct session *s, const struct msg *m, uint64_t now_ms)
{
	int err = m->err <= 1000 ? -(int)m->err : E_CLOSED;

	s->bye = true;
	s->said_bye = (struct session_output){ .type = SESSION_BYE,
					       .err = err,
					       .text = m->text };
	if (final(err)) {
		s->refusal = m->text;
		outbox_end_all(&s->outbox, err);
	}
	move(s, SESSION_EV_BYE, now_ms);
}

int session_receive(struct session *s, struct bytes body, uint64_t now_ms)
{
	struct msg m;
	int rc;

	REQUIRE(!s->has_msg && !s->bye); /* outputs were taken */
	arena_reset(&s->in);
	rc = msg_decode(&m, &s->in.as_mem, body);
	if (rc != OK)
		return rc;
	if (s->state == SESSION_READY) {
		s->say_ping = false;
		s->dead_at = NEVER;
		s->ping_at = now_ms + s->beat_ms;
	}
	if (m.type == MSG_REPLY)
		reply(s, &m, body, now_ms);
	else if (m.type == MSG_COMMAND)
		put_msg(s, SESSION_COMMAND, &m, body);
	else if (m.type == MSG_WELCOME)
		welcome(s, &m, body, now_ms);
	else if (m.type == MSG_HELLO_WANTED)
		move(s, SESSION_EV_HELLO_WANTED, now_ms);
	else if (m.type == MSG_BYE)
		bye(s, &m, now_ms);
	else if (m.type != MSG_PONG)
		return E_INVALID;
	return OK;
}

void session_connected(struct session *s, uint64_t now_ms)
{
	move(s, SESSION_EV_CONNECTED, now_ms);
	s->dead_at = smaller(s->dead_at, now_ms + s->connect_step_ms);
}

/* Agents that lost the same coordinator shall not come all at once. */
static void slow_down(struct session *s)
{
	uint64_t step = smaller(s->connect_step_ms * 2, CONNECT_MS_MAX);

	s->connect_step_ms = step - random_next(&s->jitter) % (step / 4 + 1);
}

void session_time(struct session *s, uint64_t now_ms)
{
	outbox_time(&s->outbox, now_ms);
	if (s->dead_at <= now_ms) {
		s->reconnect = true;
		if (s->state == SESSION_GREETING)
			slow_down(s);
		s->dead_at = NEVER;
		move(s, SESSION_EV_SILENT, now_ms);
	}
	if (s->hello_at <= now_ms)
		move(s, SESSION_EV_DUE, now_ms);
	if (s->ping_at <= now_ms) {
		s->say_ping = true;
		s->ping_at = NEVER;
		s->dead_at = now_ms + 2 * s->beat_ms;
	}
}

void session_end(struct session *s)
{
	outbox_end_all(&s->outbox, E_CLOSED);
}

/* ---- outputs ---- */

static bool take_ended(struct session *s, struct session_output *out)
{
	struct list *link = list_first(&s->outbox.ended);
	struct pending *p;

	if (!link)
		return false;
	p = CONTAINER_OF(link, struct pending, link);
	*out = (struct session_output){ .type = SESSION_DONE,
					.tag = p->tag,
					.err = p->err,
					.text = s->refusal };
	outbox_forget(&s->outbox, p);
	return true;
}

bool session_take(struct session *s, struct session_output *out)
{
	if (s->has_msg) {
		*out = s->msg;
		s->has_msg = false;
		return true;
	}
	if (s->bye) {
		*out = s->said_bye;
		s->bye = false;
		return true;
	}
	if (take_ended(s, out))
		return true;
	s->refusal = (struct bytes){ 0 };
	if (s->reconnect) {
		*out = (struct session_output){ .type = SESSION_RECONNECT };
		s->reconnect = false;
		return true;
	}
	return false;
}

bool session_next(struct session *s, struct bytes *body)
{
	struct pending *p = outbox_first(&s->outbox);

	if (s->say_hello)
		*body = buf_bytes(&s->hello);
	else if (s->state != SESSION_READY)
		return false;
	else if (s->say_ping)
		*body = buf_bytes(&s->ping);
	else if (p)
		*body = buf_bytes(&p->body);
	else
		return false;
	return true;
}

void session_sent(struct session *s, uint64_t now_ms)
{
	if (s->say_hello) {
		s->say_hello = false;
		s->hello_at = now_ms + s->hello_step_ms;
		s->hello_step_ms = smaller(s->hello_step_ms * 2, HELLO_MS_MAX);
	} else if (s->say_ping) {
		s->say_ping = false;
	} else {
		outbox_sent(&s->outbox, now_ms);
	}
}

uint64_t session_deadline(const struct session *s)
{
	const struct heap_node *due = heap_first(&s->outbox.due);
	uint64_t at = smaller(s->hello_at, smaller(s->ping_at, s->dead_at));

	return due ? smaller(at, due->due) : at;
}

enum session_state session_state(const struct session *s)
{
	return s->state;
}

size_t session_pending(const struct session *s)
{
	return s->outbox.by_id.count;
}

void session_check(const struct session *s)
{
	outbox_check(&s->outbox);
	switch (s->state) {
	case SESSION_GREETING:
		REQUIRE(s->say_hello || s->hello_at != NEVER);
		REQUIRE(s->dead_at != NEVER && s->ping_at == NEVER);
		REQUIRE(!s->say_ping);
		break;
	case SESSION_READY:
		REQUIRE(!s->say_hello && s->hello_at == NEVER);
		/* Silence is always noticed. */
		REQUIRE((s->ping_at == NEVER) != (s->dead_at == NEVER));
		REQUIRE(!s->say_ping || s->dead_at != NEVER);
		break;
	case SESSION_REFUSED:
		REQUIRE(!s->say_hello && !s->say_ping);
		REQUIRE(s->hello_at != NEVER && s->dead_at == NEVER);
		break;
	}
}
