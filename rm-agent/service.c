#include "rm-agent/call.h"

#include "base/hash.h"

/*
 * Requests that belong to no transaction of this thread: topics, sagas,
 * machines.
 */

/* Ask; on OK the answer is OK, too, and *c has it until call_fini(). */
static int ask(struct treaty *t, const struct msg *m, const char *what,
	       struct bytes about, struct call *c)
{
	uint64_t timeout_ms = t->agent->options.request_timeout_ms + m->wait_ms;
	int rc;

	*c = (struct call){ .handlers = m->wait_ms > 0 };
	rc = call_wait(t, m, timeout_ms, what, c);
	if (rc == OK && c->reply.err != 0)
		rc = call_refused(c, what, about);
	return rc;
}

/* The same for who wants nothing of the answer but its code. */
static int order(struct treaty *t, const struct msg *m, const char *what,
		 struct bytes about)
{
	struct call c;
	int rc = handle_enter(t);

	if (rc != OK)
		return rc;
	rc = ask(t, m, what, about, &c);
	call_fini(&c);
	handle_leave(t);
	return rc;
}

static void give(struct buf *out, struct bytes b)
{
	if (out)
		buf_put(out, b);
}

static int given(const struct buf *out)
{
	if (!out || buf_error(out) == OK)
		return OK;
	return agent_fail(buf_error(out), "the answer of the coordinator: %s",
			  treaty_error_text(buf_error(out)));
}

/* ---- topics ---- */

int agent_subscribe(struct treaty *t, struct bytes topic,
		    struct bytes subscriber, struct bytes resource,
		    struct bytes participant)
{
	const struct msg m = { .type = MSG_SUBSCRIBE,
			       .name = topic,
			       .subscriber = subscriber,
			       .resource = resource,
			       .participant = participant };

	return order(t, &m, "subscribe to", topic);
}

int agent_unsubscribe(struct treaty *t, struct bytes topic,
		      struct bytes subscriber)
{
	const struct msg m = { .type = MSG_UNSUBSCRIBE,
			       .name = topic,
			       .subscriber = subscriber };

	return order(t, &m, "unsubscribe from", topic);
}

/* ---- sagas ---- */

/* 128 random bits: nobody else has it, so a start that is sent again meets the
 * run of the first one. */
static void make_key(struct treaty *t, struct buf *out)
{
	uint64_t high, low;

	handle_lock(t);
	high = random_next(&t->agent->random);
	low = random_next(&t->agent->random);
	handle_unlock(t);
	buf_printf(out, "run-%016llx%016llx", (unsigned long long)high,
		   (unsigned long long)low);
}

static int take_run(const struct msg *reply, struct agent_saga_run *out,
		    struct buf *detail)
{
	if (reply->xid.len == 0 || reply->xid.len > XID_LEN_MAX)
		return agent_fail(E_CORRUPT, "saga: the coordinator answered "
					     "with something that is no xid");
	*out = (struct agent_saga_run){ .status = (int)reply->status,
					.existed = reply->existed };
	memcpy(out->xid, reply->xid.data, reply->xid.len);
	give(detail, reply->detail);
	return given(detail);
}

static int start(struct treaty *t, const struct msg *m,
		 struct agent_saga_run *out, struct buf *detail)
{
	struct bytes about = m->name.len ? m->name : BYTES("a machine");
	struct call c;
	int rc = ask(t, m, "start a saga of", about, &c);

	if (rc == OK)
		rc = take_run(&c.reply, out, detail);
	call_fini(&c);
	return rc;
}

int agent_saga_start(struct treaty *t, const struct agent_saga *s,
		     struct agent_saga_run *out, struct buf *detail)
{
	struct msg m = { .type = MSG_SAGA_START,
			 .name = s->machine,
			 .version = s->version,
			 .text = s->document,
			 .business_key = s->business_key,
			 .input = s->input,
			 .participant = s->participant,
			 .timeout_ms = s->timeout_ms,
			 .wait_ms = s->wait_ms };
	struct buf key;
	int rc = handle_enter(t);

	if (rc != OK)
		return rc;
	buf_init(&key, &mem_heap);
	if (m.business_key.len == 0) {
		make_key(t, &key);
		m.business_key = buf_bytes(&key);
	}
	rc = buf_error(&key) == OK
		     ? start(t, &m, out, detail)
		     : agent_fail(E_NOMEM, "start a saga: out of memory");
	/* A key of our own was there only because we were. */
	if (rc == OK && s->business_key.len == 0)
		out->existed = false;
	buf_fini(&key);
	handle_leave(t);
	return rc;
}

static int ask_run(struct treaty *t, const struct msg *m, const char *what,
		   struct buf *out, int *status)
{
	struct call c;
	int rc = handle_enter(t);

	if (rc != OK)
		return rc;
	rc = ask(t, m, what, m->xid, &c);
	if (rc == OK) {
		give(out, c.reply.detail);
		rc = given(out);
	}
	if (rc == OK && status)
		*status = (int)c.reply.status;
	call_fini(&c);
	handle_leave(t);
	return rc;
}

int agent_saga_move(struct treaty *t, const char *xid,
		    enum agent_saga_move move, uint32_t task,
		    const char *reason, int *status)
{
	const struct msg m = { .type = MSG_SAGA_MOVE,
			       .xid = bytes_of(xid),
			       .move = (uint64_t)move,
			       .task = task,
			       .text = bytes_of(reason) };
	int rc = treaty_xid_check(xid);

	return rc == OK ? ask_run(t, &m, "move saga", NULL, status) : rc;
}

int agent_saga_show(struct treaty *t, const char *xid, struct buf *out,
		    int *status)
{
	const struct msg m = { .type = MSG_SAGA_SHOW, .xid = bytes_of(xid) };
	int rc = treaty_xid_check(xid);

	if (rc == OK)
		rc = ask_run(t, &m, "show saga", out, status);
	return rc == E_UNKNOWN ? E_TIMEOUT : rc; /* only a question */
}

/* ---- machines ---- */

static int put(struct treaty *t, const struct msg *m, struct buf *name,
	       struct buf *version, bool *existed)
{
	struct call c;
	int rc = ask(t, m, "put a state machine", (struct bytes){ 0 }, &c);

	if (rc == OK) {
		give(name, c.reply.name);
		give(version, c.reply.version);
		rc = given(name);
	}
	if (rc == OK)
		rc = given(version);
	if (rc == OK && existed)
		*existed = c.reply.existed;
	call_fini(&c);
	return rc;
}

int agent_machine_put(struct treaty *t, struct bytes document, struct buf *name,
		      struct buf *version, bool *existed)
{
	const struct msg m = { .type = MSG_MACHINE_PUT, .text = document };
	int rc = handle_enter(t);

	if (rc != OK)
		return rc;
	rc = put(t, &m, name, version, existed);
	handle_leave(t);
	return rc;
}

int agent_machine_drop(struct treaty *t, struct bytes name,
		       struct bytes version)
{
	const struct msg m = { .type = MSG_MACHINE_DROP,
			       .name = name,
			       .version = version };

	return order(t, &m, "drop state machine", name);
}
