#include "rm-agent/tx.h"

#include "rm-agent/call.h"

enum ask { ASK_COMMIT, ASK_ROLLBACK, ASKS };

/* Why it may not be asked; NULL: it may. */
static const char *const why_not[TX_STATES][ASKS] = {
	[TX_COMMITTED] = { "it is committed already",
			   "it is committed already" },
	[TX_ROLLED_BACK] = { "it is rolled back already",
			     "it is rolled back already" },
	[TX_ROLLBACK_UNKNOWN] = { "its rollback was asked for before", NULL },
};

enum outcome { OUTCOME_NONE, OUTCOME_COMMIT, OUTCOME_ROLLBACK };

static enum outcome outcome_of(uint64_t status)
{
	static const enum outcome of[GTX_STATUSES] = {
		[GTX_COMMITTING] = OUTCOME_COMMIT,
		[GTX_COMMIT_RETRYING] = OUTCOME_COMMIT,
		[GTX_ASYNC_COMMITTING] = OUTCOME_COMMIT,
		[GTX_COMMITTED] = OUTCOME_COMMIT,
		[GTX_COMMIT_FAILED] = OUTCOME_COMMIT,
		[GTX_COMMIT_RETRY_TIMEOUT] = OUTCOME_COMMIT,
		[GTX_STOP_COMMIT] = OUTCOME_COMMIT,
		[GTX_ROLLBACKING] = OUTCOME_ROLLBACK,
		[GTX_ROLLBACK_RETRYING] = OUTCOME_ROLLBACK,
		[GTX_TIMEOUT_ROLLBACKING] = OUTCOME_ROLLBACK,
		[GTX_TIMEOUT_ROLLBACK_RETRYING] = OUTCOME_ROLLBACK,
		[GTX_ROLLBACKED] = OUTCOME_ROLLBACK,
		[GTX_ROLLBACK_FAILED] = OUTCOME_ROLLBACK,
		[GTX_TIMEOUT_ROLLBACKED] = OUTCOME_ROLLBACK,
		[GTX_TIMEOUT_ROLLBACK_FAILED] = OUTCOME_ROLLBACK,
		[GTX_ROLLBACK_RETRY_TIMEOUT] = OUTCOME_ROLLBACK,
		[GTX_STOP_ROLLBACK] = OUTCOME_ROLLBACK,
	};

	return status < GTX_STATUSES ? of[status] : OUTCOME_NONE;
}

/* ---- begin and join ---- */

static struct treaty_tx *tx_new(struct treaty *t)
{
	static _Atomic uint64_t serials;
	struct treaty_tx *tx = mem_alloc(&mem_heap, sizeof *tx);

	if (tx) {
		tx->t = t;
		tx->status = GTX_BEGIN;
		tx->serial = atomic_fetch_add(&serials, 1) + 1;
	}
	return tx;
}

static int set_xid(struct treaty_tx *tx, struct bytes xid)
{
	struct bytes coordinator;
	uint64_t n;

	if (xid_parse(xid, &coordinator, &n) != OK)
		return E_INVALID;
	memcpy(tx->xid, xid.data, xid.len);
	tx->xid[xid.len] = '\0';
	return OK;
}

static int ask_begin(struct treaty_tx *tx, const struct msg *m)
{
	struct call c = { 0 };
	int rc = call_wait(tx->t, m, tx->t->agent->options.request_timeout_ms,
			   "begin", &c);

	/* One that was begun and never heard of ends by its time-out. */
	if (rc == E_UNKNOWN)
		rc = E_TIMEOUT;
	if (rc == OK && c.reply.err != 0)
		rc = call_refused(&c, "begin", m->name);
	else if (rc == OK && set_xid(tx, c.reply.xid) != OK)
		rc = agent_fail(E_CORRUPT, "begin: the coordinator answered "
					   "with something that is no xid");
	call_fini(&c);
	return rc;
}

/* Its name is m's, which is a C string. */
static int begin(struct treaty *t, const struct msg *m, struct treaty_tx **out)
{
	struct treaty_hook_event e = {
		.step = TREATY_STEP_BEGIN,
		.xid = "",
		.name = m->name.len ? (const char *)m->name.data : "",
		.resource = ""
	};
	struct treaty_tx *tx;
	int rc = hooks_run(t, &e);

	if (rc != OK)
		return rc;
	tx = tx_new(t);
	if (!tx)
		return agent_fail(E_NOMEM, "begin: out of memory");
	tx->began = true;
	tx->message = m->kind != 0;
	rc = ask_begin(tx, m);
	e.after = true;
	e.error = rc;
	e.xid = tx->xid;
	if (rc == OK && !tx->message)
		bind_now(tx);
	(void)hooks_run(t, &e);
	if (rc == OK)
		*out = tx;
	else
		mem_free(&mem_heap, tx);
	return rc;
}

static int begin_plain(struct treaty *t, const struct treaty_begin_options *o,
		       struct treaty_tx **out)
{
	const struct msg m = {
		.type = MSG_BEGIN,
		.name = bytes_of(o->name),
		.timeout_ms = o->timeout_ms,
		.ordered = o->ordered,
		.traceparent = bytes_of(o->traceparent),
	};
	int rc = bind_check(t);

	return rc == OK ? begin(t, &m, out) : rc;
}

#define KIND_MESSAGE 1 /* of enum gtx_kind */

int agent_begin_message(struct treaty *t, const struct agent_message *o,
			struct treaty_tx **out)
{
	const struct msg m = {
		.type = MSG_BEGIN,
		.kind = KIND_MESSAGE,
		.name = bytes_of(o->name),
		.timeout_ms = o->timeout_ms,
		.ordered = o->ordered,
		.check = o->check,
		.participant = o->participant,
		.call_timeout_ms = o->call_timeout_ms,
	};
	int rc = handle_enter(t);

	if (rc != OK)
		return rc;
	rc = begin(t, &m, out);
	handle_leave(t);
	return rc;
}

int treaty_begin_with(struct treaty *t,
		      const struct treaty_begin_options *options,
		      struct treaty_tx **out)
{
	struct treaty_begin_options o = { .size = sizeof o };
	int rc = handle_enter(t);

	if (rc != OK)
		return rc;
	if (options && options->size >= sizeof options->size) {
		memcpy(&o, options,
		       options->size < sizeof o ? options->size : sizeof o);
		rc = begin_plain(t, &o, out);
	} else {
		rc = agent_fail(E_INVALID, "begin: options without a size");
	}
	handle_leave(t);
	return rc;
}

int treaty_begin(struct treaty *t, const char *name, uint32_t timeout_ms,
		 struct treaty_tx **out)
{
	const struct treaty_begin_options o = { .size = sizeof o,
						.name = name,
						.timeout_ms = timeout_ms };

	return treaty_begin_with(t, &o, out);
}

int treaty_xid_check(const char *xid)
{
	struct bytes coordinator;
	uint64_t n;

	if (xid && xid_parse(bytes_of(xid), &coordinator, &n) == OK)
		return OK;
	return agent_fail(E_INVALID, "\"%.*s\" is no xid (host:port:number)",
			  TREATY_XID_MAX, xid ? xid : "");
}

int treaty_join(struct treaty *t, const char *xid, struct treaty_tx **out)
{
	struct treaty_tx *tx;
	int rc = handle_enter(t);

	if (rc != OK)
		return rc;
	rc = treaty_xid_check(xid);
	if (rc == OK)
		rc = bind_check(t);
	if (rc == OK) {
		tx = tx_new(t);
		if (tx) {
			REQUIRE(set_xid(tx, bytes_of(xid)) == OK);
			bind_now(tx);
			*out = tx;
		} else {
			rc = agent_fail(E_NOMEM, "join: out of memory");
		}
	}
	handle_leave(t);
	return rc;
}

/* ---- commit and rollback ---- */

static int check_end(const struct treaty_tx *tx, enum ask ask)
{
	const char *verb = ask == ASK_COMMIT ? "commit" : "rollback";
	int rc = bound_elsewhere(tx);

	if (rc != OK)
		return rc;
	if (!tx->began)
		return agent_fail(E_STATE,
				  "%s of %s: it was joined here; only who "
				  "began it may end it (treaty_release() it)",
				  verb, tx->xid);
	if (why_not[tx->state][ask])
		return agent_fail(E_STATE, "%s of %s: %s", verb, tx->xid,
				  why_not[tx->state][ask]);
	if (ask == ASK_COMMIT && tx->open)
		return agent_fail(E_STATE,
				  "commit of %s: a branch of it is still being "
				  "worked on; end it or roll it back first",
				  tx->xid);
	if (ask == ASK_COMMIT && tx->doomed)
		return agent_fail(E_STATE,
				  "commit of %s: a branch of it could not be "
				  "prepared; it can only be rolled back",
				  tx->xid);
	return OK;
}

/* The coordinator's answer, whatever was asked: what has become of it? */
static enum outcome learn(struct treaty_tx *tx, const struct msg *reply)
{
	enum outcome o = outcome_of(reply->status);

	if (o == OUTCOME_NONE)
		return o;
	tx->status = (int)reply->status;
	tx->state = o == OUTCOME_COMMIT ? TX_COMMITTED : TX_ROLLED_BACK;
	return o;
}

/* Only the coordinator that gave out an xid can say that it knows nothing of
 * it; another one may have been asked after a change of address. */
static bool asked_the_right_one(struct treaty_tx *tx)
{
	struct bytes coordinator;
	uint64_t n;
	bool right;

	REQUIRE(xid_parse(bytes_of(tx->xid), &coordinator, &n) == OK);
	handle_lock(tx->t);
	right = bytes_equal(coordinator, bytes_of(tx->t->agent->coordinator));
	handle_unlock(tx->t);
	return right;
}

static void stays_unknown(struct treaty_tx *tx, enum ask ask)
{
	if (tx->state == TX_ACTIVE)
		tx->state = ask == ASK_COMMIT ? TX_COMMIT_UNKNOWN
					      : TX_ROLLBACK_UNKNOWN;
}

/* Presumed rolled back: what is not known was never decided. Only after a
 * commit that may have been done and forgotten nothing can be presumed. */
static int not_known(struct treaty_tx *tx, enum ask ask)
{
	const char *verb = ask == ASK_COMMIT ? "commit" : "rollback";

	if (!asked_the_right_one(tx)) {
		stays_unknown(tx, ask);
		return agent_fail(E_UNKNOWN,
				  "%s of %s: the coordinator that answers now "
				  "is another one; ask again when the one in "
				  "the xid can be reached",
				  verb, tx->xid);
	}
	if (tx->state == TX_COMMIT_UNKNOWN)
		return agent_fail(E_NOTFOUND,
				  "%s of %s: the coordinator knows nothing of "
				  "it any more; whether the first commit was "
				  "done must be seen from the data",
				  verb, tx->xid);
	tx->state = TX_ROLLED_BACK;
	tx->status = GTX_ROLLBACKED;
	return agent_fail(E_NOTFOUND,
			  "%s of %s: the coordinator knows nothing of it: it "
			  "was rolled back long ago, or the coordinator was "
			  "restarted before the first branch",
			  verb, tx->xid);
}

static int answered(struct treaty_tx *tx, enum ask ask, const struct call *c)
{
	const char *verb = ask == ASK_COMMIT ? "commit" : "rollback";
	enum outcome o = learn(tx, &c->reply);
	const struct bytes text = c->reply.text;

	if (o == OUTCOME_NONE && c->reply.err == (uint64_t)-E_NOTFOUND)
		return not_known(tx, ask);
	if (o == OUTCOME_NONE && c->reply.err == (uint64_t)-E_UNKNOWN)
		stays_unknown(tx, ask);
	if (o == OUTCOME_NONE && c->reply.err != 0)
		return call_refused(c, verb, bytes_of(tx->xid));
	if (o == OUTCOME_NONE)
		return agent_fail(E_UNKNOWN,
				  "%s of %s: the coordinator answered with "
				  "status %s, which decides nothing",
				  verb, tx->xid,
				  gtx_status_name((int)c->reply.status));
	if ((o == OUTCOME_COMMIT) == (ask == ASK_COMMIT))
		return OK;
	return agent_fail(ask == ASK_COMMIT ? E_ROLLED_BACK : E_STATE,
			  "%s of %s: it is %s (%s)%s%.*s", verb, tx->xid,
			  ask == ASK_COMMIT ? "rolled back" : "committed",
			  gtx_status_name(tx->status), text.len ? ": " : "",
			  (int)text.len, (const char *)text.data);
}

/* How long to wait for phase two. */
static uint64_t wait_of(const struct treaty_tx *tx, enum ask ask)
{
	const struct treaty_options *o = &tx->t->agent->options;

	if (ask == ASK_ROLLBACK)
		return o->rollback_wait_ms;
	return tx->message ? 0 : o->commit_wait_ms;
}

static int ask(struct treaty_tx *tx, enum ask ask, const char *reason)
{
	const struct treaty_options *o = &tx->t->agent->options;
	const struct msg m = {
		.type = ask == ASK_COMMIT ? MSG_COMMIT : MSG_ROLLBACK,
		.xid = bytes_of(tx->xid),
		.wait_ms = wait_of(tx, ask),
		.text = bytes_of(reason),
	};
	struct call c = { .handlers = true };
	int rc = call_wait(tx->t, &m, o->request_timeout_ms + m.wait_ms,
			   ask == ASK_COMMIT ? "commit" : "rollback", &c);

	if (rc == OK)
		rc = answered(tx, ask, &c);
	else if (rc == E_UNKNOWN)
		stays_unknown(tx, ask);
	else if (rc != E_UNKNOWN && tx->state == TX_COMMIT_UNKNOWN)
		rc = agent_fail(E_UNKNOWN,
				"%s of %s: could not be asked again (%s); "
				"the commit before may be done",
				ask == ASK_COMMIT ? "commit" : "rollback",
				tx->xid, treaty_error_text(rc));
	call_fini(&c);
	return rc;
}

static int end(struct treaty_tx *tx, enum ask what, const char *reason)
{
	struct treaty_hook_event e = {
		.step = what == ASK_COMMIT ? TREATY_STEP_COMMIT
					   : TREATY_STEP_ROLLBACK,
		.xid = tx->xid,
		.name = "",
		.resource = "",
		.status = tx->status,
	};
	int rc = check_end(tx, what);

	if (rc != OK)
		return rc;
	rc = hooks_run(tx->t, &e);
	if (rc != OK && what == ASK_COMMIT)
		return agent_fail(rc, "commit of %s: a hook refused it",
				  tx->xid);
	rc = ask(tx, what, reason);
	unbind_now(tx);
	e.after = true;
	e.error = rc;
	e.status = tx->status;
	(void)hooks_run(tx->t, &e);
	return rc;
}

int treaty_commit(struct treaty_tx *tx)
{
	int rc;

	if (!tx)
		return agent_fail(E_INVALID, "commit: no transaction");
	rc = handle_enter(tx->t);
	if (rc != OK)
		return rc;
	rc = end(tx, ASK_COMMIT, NULL);
	handle_leave(tx->t);
	return rc;
}

int treaty_rollback(struct treaty_tx *tx, const char *reason)
{
	int rc;

	if (!tx)
		return agent_fail(E_INVALID, "rollback: no transaction");
	rc = handle_enter(tx->t);
	if (rc != OK)
		return rc;
	rc = end(tx, ASK_ROLLBACK, reason);
	/* What nobody knows is rolled back; that is what was asked for. */
	if (rc == E_NOTFOUND && tx->state == TX_ROLLED_BACK)
		rc = OK;
	handle_leave(tx->t);
	return rc;
}

/* A commit that may be done is not called back: it was wanted. */
static void roll_back_later(struct treaty_tx *tx)
{
	const struct msg m = { .type = MSG_ROLLBACK,
			       .xid = bytes_of(tx->xid),
			       .text = BYTES("released undecided") };

	if (!tx->began ||
	    (tx->state != TX_ACTIVE && tx->state != TX_ROLLBACK_UNKNOWN))
		return;
	if (handle_enter(tx->t) != OK)
		return;
	call_forget(tx->t, &m);
	handle_leave(tx->t);
}

void agent_tx_free(struct treaty_tx *tx)
{
	if (!tx)
		return;
	unbind_for_good(tx);
	mem_free(&mem_heap, tx);
}

int treaty_release(struct treaty_tx *tx)
{
	if (!tx)
		return OK;
	if (handle_check_fork(tx->t) != OK || bound_elsewhere(tx) != OK)
		return E_STATE;
	roll_back_later(tx);
	agent_tx_free(tx);
	return OK;
}

/* ---- questions ---- */

const char *treaty_xid(const struct treaty_tx *tx)
{
	return tx ? tx->xid : NULL;
}

int treaty_tx_status(const struct treaty_tx *tx)
{
	return tx ? tx->status : GTX_UNKNOWN;
}

bool treaty_tx_began(const struct treaty_tx *tx)
{
	return tx && tx->began;
}

const char *treaty_status_name(int status)
{
	return gtx_status_name(status);
}

static int ask_status(struct treaty *t, const char *xid, int *status)
{
	const struct msg m = { .type = MSG_STATUS, .xid = bytes_of(xid) };
	struct call c = { 0 };
	int rc = call_wait(t, &m, t->agent->options.request_timeout_ms,
			   "status of", &c);

	if (rc == E_UNKNOWN)
		rc = E_TIMEOUT; /* a question leaves nothing behind */
	if (rc == OK && c.reply.err != 0 && c.reply.status == GTX_UNKNOWN)
		rc = call_refused(&c, "status of", m.xid);
	else if (rc == OK)
		*status = (int)c.reply.status;
	call_fini(&c);
	return rc;
}

int treaty_status(struct treaty *t, const char *xid, int *status)
{
	int rc = handle_enter(t);

	if (rc != OK)
		return rc;
	rc = treaty_xid_check(xid);
	if (rc == OK)
		rc = ask_status(t, xid, status);
	handle_leave(t);
	return rc;
}

/* ---- for the modes ---- */

void agent_tx_open(struct treaty_tx *tx)
{
	tx->open++;
}

void agent_tx_ended(struct treaty_tx *tx, bool voted_no)
{
	REQUIRE(tx->open > 0);
	tx->open--;
	tx->doomed = tx->doomed || voted_no;
}

int agent_verdict(struct treaty *t, const char *xid, int *status)
{
	struct treaty_tx asked = { .t = t };
	int rc = set_xid(&asked, bytes_of(xid));

	if (rc == OK)
		rc = treaty_status(t, xid, status);
	if (rc != E_NOTFOUND)
		return rc;
	/* "Not known" is only presumed abort from who would know. */
	rc = handle_enter(t);
	if (rc != OK)
		return rc;
	rc = asked_the_right_one(&asked) ? E_NOTFOUND : E_UNKNOWN;
	handle_leave(t);
	return rc;
}

bool agent_coordinator(struct treaty *t, char *out)
{
	bool known = false;

	if (handle_enter(t) != OK)
		return false;
	handle_lock(t);
	known = t->agent->coordinator[0] != '\0';
	memcpy(out, t->agent->coordinator, sizeof t->agent->coordinator);
	handle_unlock(t);
	handle_leave(t);
	return known;
}
