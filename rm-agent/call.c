#include "rm-agent/call.h"

#include "base/log.h"

/*
 * Of the calls that wait for their answers one does the loop's work: it reads
 * the socket itself, so that its answer comes without a hop through another
 * thread, and wakes the others when theirs come. When it has its own it hands
 * the work on to the next that waits; if there is none, the loop's thread (if
 * there is one) sees that it is wanted again.
 */

static void call_init(struct call *c, struct treaty *t)
{
	c->t = t;
	list_init(&c->link);
	c->done = false;
	c->err = OK;
	buf_init(&c->body, &mem_heap);
	arena_init(&c->arena, &mem_heap, 1024);
	REQUIRE(pthread_cond_init(&c->ended, NULL) == 0);
}

void call_fini(struct call *c)
{
	buf_fini(&c->body);
	arena_fini(&c->arena);
	(void)pthread_cond_destroy(&c->ended);
}

/* The message goes when the session goes on, so take a copy. */
static int keep(struct call *c, const struct session_output *end)
{
	struct bytes body = end->err == OK ? end->body : end->text;
	int rc;

	buf_put(&c->body, body);
	rc = buf_error(&c->body);
	if (rc == OK && end->err == OK)
		rc = msg_decode(&c->reply, &c->arena.as_mem,
				buf_bytes(&c->body));
	return rc;
}

void call_end(struct call *c, const struct session_output *end)
{
	if (c->then) {
		c->then(c, end);
		return;
	}
	c->err = end->err;
	/* What was done and could not be understood is unknown. */
	if (keep(c, end) != OK && end->err == OK)
		c->err = E_UNKNOWN;
	c->done = true;
	if (c->t->agent->pump != c)
		(void)pthread_cond_signal(&c->ended);
	else if (c->t->agent->pump_sleeps)
		call_wake(c->t);
}

void call_wake(struct treaty *t)
{
	if (t->agent->pump_woken)
		return;
	t->agent->pump_woken = true;
	transport_wake_call(t->agent->transport);
}

static void sleep_pumping(struct treaty *t)
{
	struct agent *a = t->agent;
	bool watch_send = a->blocked;

	a->pump_until_ms = loop_deadline(t);
	a->pump_sleeps = true;
	handle_unlock(t);
	transport_wait_call(a->transport, watch_send,
			    loop_timeout(a->pump_until_ms));
	handle_lock(t);
	a->pump_sleeps = false;
	if (a->pump_woken)
		transport_awake_call(a->transport);
	a->pump_woken = false;
}

/* Nobody does the loop's work: the next that waits shall. Locked. */
static void hand_on(struct agent *a)
{
	struct list *next = list_first(&a->waiting);

	if (next)
		(void)pthread_cond_signal(
			&CONTAINER_OF(next, struct call, link)->ended);
}

/* Do the loop's work until the call has ended, or (without threads) until there
 * is a handler to run. Locked. */
static void pump(struct treaty *t, const struct call *c)
{
	t->agent->pump = c;
	loop_turn(t);
	while (!c->done && !(c->handlers && runner_waiting(t))) {
		sleep_pumping(t);
		loop_turn(t);
	}
	t->agent->pump = NULL;
	hand_on(t->agent);
}

/* Wait until the call has ended. Locked. */
static void wait(struct treaty *t, struct call *c)
{
	struct agent *a = t->agent;

	c->handlers = c->handlers && !a->threaded;
	while (!c->done) {
		if (c->handlers && runner_waiting(t)) {
			runner_run(t);
		} else if (a->pump) {
			list_append(&a->waiting, &c->link);
			(void)pthread_cond_wait(&c->ended, &t->lock);
			list_remove(&c->link);
		} else {
			pump(t, c);
		}
	}
	/* It may have been this one that the work was handed on to. */
	if (!a->pump)
		hand_on(a);
}

static int failed(const struct call *c, const char *what, struct bytes xid,
		  uint64_t timeout_ms)
{
	const struct buf *b = &c->body;
	const int xid_len = (int)xid.len;

	if (c->err == E_TIMEOUT || c->err == E_UNKNOWN)
		return agent_fail(
			c->err,
			"%s %.*s: no answer from the coordinator within %llu "
			"ms; %s. Is treatyd running, is the address right?",
			what, xid_len, (const char *)xid.data,
			(unsigned long long)timeout_ms,
			c->err == E_TIMEOUT ? "nothing was sent"
					    : "it was sent and may be done");
	if (c->err == E_LIMIT)
		return agent_fail(E_LIMIT,
				  "%s %.*s: too many requests under way, or "
				  "the message is too long (options "
				  "requests_max, message_max)",
				  what, xid_len, (const char *)xid.data);
	if (c->err == E_VERSION && b->len == 0)
		return agent_fail(E_VERSION,
				  "%s %.*s: the coordinator is too old for "
				  "this; nothing was sent. Is treatyd of an "
				  "earlier version than this library?",
				  what, xid_len, (const char *)xid.data);
	if (b->len > 0)
		return agent_fail(c->err, "%s %.*s: %.*s", what, xid_len,
				  (const char *)xid.data, (int)b->len,
				  (const char *)b->data);
	return agent_fail(c->err, "%s %.*s: %s", what, xid_len,
			  (const char *)xid.data, treaty_error_text(c->err));
}

int call_wait(struct treaty *t, const struct msg *m, uint64_t timeout_ms,
	      const char *what, struct call *c)
{
	uint64_t now = clock_ms();

	call_init(c, t);
	handle_lock(t);
	c->err =
		session_request(t->agent->session, m, now + timeout_ms, c, now);
	if (c->err == OK) {
		loop_flush(t);
		wait(t, c);
	}
	handle_unlock(t);
	return c->err == OK ? OK : failed(c, what, m->xid, timeout_ms);
}

int call_later(struct treaty *t, const struct msg *m, uint64_t timeout_ms,
	       struct call *c)
{
	uint64_t now = clock_ms();
	int rc =
		session_request(t->agent->session, m, now + timeout_ms, c, now);

	if (rc == OK)
		loop_flush(t);
	return rc;
}

void call_forget(struct treaty *t, const struct msg *m)
{
	handle_lock(t);
	if (call_later(t, m, t->agent->options.request_timeout_ms, NULL) != OK)
		LOG_DEBUG("a request that nobody waits for was not sent",
			  LOG_B("xid", m->xid));
	handle_unlock(t);
}

int call_refused(const struct call *c, const char *what, struct bytes xid)
{
	const struct msg *m = &c->reply;
	int err = m->err < 1000 ? -(int)m->err : E_UNKNOWN;
	const char *text = m->text.len ? (const char *)m->text.data
				       : treaty_error_text(err);
	int len = (int)(m->text.len ? m->text.len : strlen(text));

	return agent_fail(err, "%s %.*s: %.*s", what, (int)xid.len,
			  (const char *)xid.data, len, text);
}
