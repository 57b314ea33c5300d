#include "rm-agent/call.h"

#include "base/log.h"

/* Without threads several may do the loop's work at once, and one may take away
 * what another one waits for. */
#define SHARED_WAIT_MS 5

static void call_init(struct call *c, struct treaty *t)
{
	c->t = t;
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
	(void)pthread_cond_signal(&c->ended);
}

/* Do the loop's work until the call has ended. Locked. */
static void pump(struct treaty *t, struct call *c)
{
	t->agent->pumping++;
	while (!c->done) {
		uint64_t until;

		loop_turn(t);
		if (c->done)
			break;
		if (c->handlers && runner_waiting(t)) {
			runner_run(t);
			continue;
		}
		until = loop_deadline(t);
		if (t->agent->pumping > 1 &&
		    until > clock_ms() + SHARED_WAIT_MS)
			until = clock_ms() + SHARED_WAIT_MS;
		handle_unlock(t);
		loop_wait(t, until);
		handle_lock(t);
	}
	t->agent->pumping--;
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
		if (!t->agent->threaded)
			pump(t, c);
		while (!c->done)
			(void)pthread_cond_wait(&c->ended, &t->lock);
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
