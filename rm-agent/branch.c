#include "rm-agent/call.h"
#include "rm-agent/tx.h"

#include "base/hash.h"

int agent_tx_check(struct treaty_tx *tx)
{
	int rc;

	if (!tx)
		return agent_fail(E_STATE, "there is no global transaction");
	rc = handle_check_fork(tx->t);
	if (rc == OK)
		rc = bound_elsewhere(tx);
	if (rc == OK && tx->state != TX_ACTIVE)
		rc = agent_fail(E_STATE,
				"transaction %s is ended, it takes no more "
				"branches",
				tx->xid);
	return rc;
}

struct treaty *agent_of(const struct treaty_tx *tx)
{
	return tx->t;
}

uint64_t agent_tx_serial(const struct treaty_tx *tx)
{
	return tx->serial;
}

uint64_t agent_lock_wait_ms(struct treaty *t)
{
	uint64_t wait_ms;

	if (handle_enter(t) != OK)
		return 0;
	wait_ms = t->agent->options.lock_wait_ms;
	handle_leave(t);
	return wait_ms;
}

/* ---- conflicts ---- */

static void keep_conflict(struct agent_conflict *out, const struct msg *reply)
{
	if (reply->holder.len > 0 && reply->holder.len <= XID_LEN_MAX) {
		memcpy(out->holder, reply->holder.data, reply->holder.len);
		out->holder[reply->holder.len] = '\0';
	}
	if (reply->key.len > 0 && reply->key.len <= AGENT_KEY_MAX) {
		memcpy(out->key, reply->key.data, reply->key.len);
		out->key_len = reply->key.len;
	}
	out->holder_age_ms = reply->holder_age_ms;
}

static const char *advice(int err)
{
	if (err == E_DEADLOCK)
		return "waiting would never end; roll this transaction back "
		       "and begin again";
	if (err == E_TIMEOUT)
		return "it was waited for as long as allowed (lock_wait_ms); "
		       "try again later";
	return "try again, or look at the holder with `treaty tx show`";
}

static int conflicting(const struct msg *reply, const char *xid)
{
	int err = -(int)reply->err;
	struct buf row;

	buf_init(&row, &mem_heap);
	if (reply->key.len > 0)
		lock_key_print(&row, reply->key);
	else
		buf_put_text(&row, "a row");
	(void)agent_fail(err,
			 "%s wants %s, which transaction %.*s holds (begun "
			 "%llu ms ago): %s",
			 xid[0] ? xid : "a statement without a transaction",
			 buf_text(&row), (int)reply->holder.len,
			 (const char *)reply->holder.data,
			 (unsigned long long)reply->holder_age_ms, advice(err));
	buf_fini(&row);
	return err;
}

static bool is_conflict(const struct msg *reply)
{
	return reply->holder.len > 0 && (reply->err == (uint64_t)-E_CONFLICT ||
					 reply->err == (uint64_t)-E_DEADLOCK ||
					 reply->err == (uint64_t)-E_TIMEOUT);
}

/* Ask for locks, with a branch or without. *branch_id may be NULL. */
static int ask_locks(struct treaty *t, const struct msg *m, const char *what,
		     const char *xid, uint64_t *branch_id,
		     struct agent_conflict *conflict)
{
	struct agent_conflict ignored;
	struct call c = { 0 };
	int rc = call_wait(t, m,
			   t->agent->options.request_timeout_ms + m->wait_ms,
			   what, &c);

	if (!conflict)
		conflict = &ignored;
	*conflict = (struct agent_conflict){ 0 };
	if (rc == OK)
		keep_conflict(conflict, &c.reply);
	if (rc == OK && is_conflict(&c.reply))
		rc = conflicting(&c.reply, xid);
	else if (rc == OK && c.reply.err != 0)
		rc = call_refused(&c, what, m->xid);
	else if (rc == OK && branch_id)
		*branch_id = c.reply.branch;
	call_fini(&c);
	return rc;
}

/* ---- branches ---- */

void agent_branch_print(char out[24], uint64_t branch)
{
	char digits[20];
	size_t n = 0;

	do {
		digits[n++] = (char)('0' + branch % 10);
		branch /= 10;
	} while (branch > 0);
	for (size_t i = 0; i < n; i++)
		out[i] = digits[n - 1 - i];
	out[n] = '\0';
}

static uint64_t client_key(struct treaty *t)
{
	uint64_t key;

	handle_lock(t);
	do
		key = random_next(&t->agent->random);
	while (key == 0);
	handle_unlock(t);
	return key;
}

static int hooked_register(struct treaty_tx *tx, const struct agent_branch *b,
			   uint64_t *branch_id, struct agent_conflict *conflict)
{
	const struct msg m = {
		.type = MSG_REGISTER,
		.xid = bytes_of(tx->xid),
		.mode = (uint64_t)b->mode,
		.resource = b->resource,
		.application = b->application,
		.application_data = b->application_data,
		.client_key = client_key(tx->t),
		.wait_ms = b->wait_ms,
		.participant = b->participant,
		.call_timeout_ms = b->call_timeout_ms,
		.deliver_after_ms = b->deliver_after_ms,
		.schedule_ms = b->schedule_ms,
		.n_schedule = b->n_schedule,
		.topic = b->topic,
		.list = b->lock_keys,
		.n_list = b->n_lock_keys,
	};
	char *resource = mem_text(&mem_heap, b->resource);
	struct treaty_hook_event e = { .step = TREATY_STEP_REGISTER,
				       .xid = tx->xid,
				       .name = "",
				       .resource = resource };
	int rc;

	if (!resource)
		return agent_fail(E_NOMEM, "register: out of memory");
	rc = hooks_run(tx->t, &e);
	if (rc == OK) {
		rc = ask_locks(tx->t, &m, "register a branch of", tx->xid,
			       branch_id, conflict);
		e.after = true;
		e.error = rc;
		e.branch = rc == OK ? *branch_id : 0;
		(void)hooks_run(tx->t, &e);
	} else {
		(void)agent_fail(rc,
				 "register a branch of %s: a hook refused "
				 "it",
				 tx->xid);
	}
	mem_free(&mem_heap, resource);
	return rc;
}

int agent_register(struct treaty_tx *tx, const struct agent_branch *branch,
		   uint64_t *branch_id, struct agent_conflict *conflict)
{
	int rc = agent_tx_check(tx);

	if (conflict)
		*conflict = (struct agent_conflict){ 0 };
	if (rc == OK)
		rc = handle_enter(tx->t);
	if (rc != OK)
		return rc;
	rc = hooked_register(tx, branch, branch_id, conflict);
	handle_leave(tx->t);
	return rc;
}

static struct msg report_of(const struct treaty_tx *tx, uint64_t branch_id,
			    enum branch_status status,
			    struct bytes application_data)
{
	return (struct msg){ .type = MSG_REPORT,
			     .xid = bytes_of(tx->xid),
			     .branch = branch_id,
			     .status = (uint64_t)status,
			     .application_data = application_data };
}

int agent_report(struct treaty_tx *tx, uint64_t branch_id,
		 enum branch_status status, struct bytes application_data)
{
	const struct msg m = report_of(tx, branch_id, status, application_data);
	struct call c = { 0 };
	int rc = handle_enter(tx->t);

	if (rc != OK)
		return rc;
	rc = call_wait(tx->t, &m, tx->t->agent->options.request_timeout_ms,
		       "report a branch of", &c);
	if (rc == OK && c.reply.err != 0)
		rc = call_refused(&c, "report a branch of", m.xid);
	call_fini(&c);
	handle_leave(tx->t);
	return rc;
}

void agent_report_later(struct treaty_tx *tx, uint64_t branch_id,
			enum branch_status status)
{
	const struct msg m =
		report_of(tx, branch_id, status, (struct bytes){ 0 });

	if (handle_enter(tx->t) != OK)
		return;
	call_forget(tx->t, &m);
	handle_leave(tx->t);
}

/* Whoever looks needs a place in the queue, and a place has a transaction: one
 * for the time of the look. It has no branch, so it costs no forced write. */
static int look_for_nobody(struct treaty *t, struct msg *m,
			   struct agent_conflict *conflict)
{
	const uint64_t timeout_ms = t->agent->options.request_timeout_ms;
	const struct msg begin = { .type = MSG_BEGIN,
				   .name = BYTES("look at row locks"),
				   .timeout_ms = timeout_ms + m->wait_ms };
	struct msg end = { .type = MSG_ROLLBACK,
			   .text = BYTES("only looked at row locks") };
	struct call c = { 0 };
	int rc = call_wait(t, &begin, timeout_ms, "look at rows", &c);

	if (rc == OK && c.reply.err != 0)
		rc = call_refused(&c, "look at rows", (struct bytes){ 0 });
	if (rc == OK) {
		m->xid = end.xid = c.reply.xid;
		rc = ask_locks(t, m, "check rows for", "", NULL, conflict);
		call_forget(t, &end);
	}
	call_fini(&c);
	return rc;
}

int agent_lock_check(struct treaty *t, struct treaty_tx *tx,
		     struct bytes resource, const struct bytes *lock_keys,
		     size_t n_lock_keys, uint64_t wait_ms,
		     struct agent_conflict *conflict)
{
	struct msg m = {
		.type = MSG_LOCK_CHECK,
		.resource = resource,
		.wait_ms = wait_ms,
		.list = lock_keys,
		.n_list = n_lock_keys,
	};
	int rc = handle_enter(t);

	if (conflict)
		*conflict = (struct agent_conflict){ 0 };
	if (rc != OK)
		return rc;
	if (tx) {
		m.xid = bytes_of(tx->xid);
		rc = ask_locks(t, &m, "check rows for", tx->xid, NULL,
			       conflict);
	} else {
		rc = look_for_nobody(t, &m, conflict);
	}
	if (rc == E_UNKNOWN)
		rc = E_TIMEOUT; /* a question leaves nothing behind */
	handle_leave(t);
	return rc;
}
