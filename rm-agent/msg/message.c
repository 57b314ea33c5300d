#include "rm-agent/msg/message.h"

#include "base/json.h"
#include "rm-agent/barrier/barrier_sql.h"
#include "rm-agent/msg/target.h"

/* ---- making ---- */

static int check_options(const struct treaty_msg_options *o)
{
	if (!o || o->size < sizeof *o)
		return agent_fail(E_INVALID, "a message: the size of its "
					     "options is not set");
	if (o->barrier_table && !barrier_table_ok(o->barrier_table))
		return agent_fail(E_INVALID, "a message: its barrier_table is "
					     "not \"name\" or \"schema.name\"");
	if (o->headers && !o->producer)
		return agent_fail(E_INVALID, "a message: headers are for a "
					     "producer, and it has none");
	return OK;
}

static struct treaty_msg *message_new(const struct treaty_msg_options *o)
{
	struct treaty_msg *m = mem_alloc(&mem_heap, sizeof *m);

	if (!m)
		return NULL;
	m->answered_for = o->producer != NULL;
	if (!o->barrier_table)
		return m;
	m->barrier_table = mem_text(&mem_heap, bytes_of(o->barrier_table));
	if (m->barrier_table)
		return m;
	mem_free(&mem_heap, m);
	return NULL;
}

void treaty_msg_free(struct treaty_msg *m)
{
	if (!m)
		return;
	agent_tx_free(m->tx);
	mem_free(&mem_heap, m->barrier_table);
	mem_free(&mem_heap, m);
}

static int begin(struct treaty *t, const struct treaty_msg_options *o,
		 const struct target *producer, struct treaty_msg *m)
{
	const struct agent_message begin = {
		.name = o->name,
		.timeout_ms = o->timeout_ms,
		.check = buf_bytes(&producer->resource),
		.participant = buf_bytes(&producer->participant),
		.ordered = o->ordered,
	};

	return agent_begin_message(t, &begin, &m->tx);
}

int treaty_msg_prepare(struct treaty *t, const struct treaty_msg_options *o,
		       struct treaty_msg **out)
{
	struct treaty_msg *m = NULL;
	struct target producer;
	int rc = check_options(o);

	if (rc != OK)
		return rc;
	target_init(&producer);
	if (o->producer)
		rc = target_producer(&producer, o->producer, o->headers);
	if (rc == OK) {
		m = message_new(o);
		rc = m ? begin(t, o, &producer, m)
		       : agent_fail(E_NOMEM, "a message: out of memory");
	}
	target_fini(&producer);
	if (rc == OK)
		*out = m;
	else
		treaty_msg_free(m);
	return rc;
}

/* ---- deliveries ---- */

static int check_delivery(const struct treaty_msg_delivery *d)
{
	if (!d || d->size < sizeof *d)
		return agent_fail(E_INVALID, "a delivery: its size is not set");
	if (!d->to == !d->topic)
		return agent_fail(E_INVALID, "a delivery goes to a consumer or "
					     "to a topic: one of .to and "
					     ".topic must be given");
	if (d->topic && (!d->topic[0] || d->headers))
		return agent_fail(E_INVALID,
				  d->headers ? "a delivery to a topic: headers "
					       "are the subscribers' own"
					     : "a delivery: the topic has no "
					       "name");
	if (d->payload && !json_valid(bytes_of(d->payload)))
		return agent_fail(E_INVALID,
				  "a payload must be one JSON value in UTF-8, "
				  "not \"%.40s\"",
				  d->payload);
	return OK;
}

static int target_of(struct target *x, const struct treaty_msg_delivery *d)
{
	if (d->to)
		return target_consumer(x, d->to, d->headers);
	buf_put_text(&x->resource, d->topic);
	return buf_error(&x->resource) == OK
		       ? OK
		       : agent_fail(E_NOMEM, "out of memory for a target");
}

static int add_to(struct treaty_tx *tx, const struct treaty_msg_delivery *d,
		  uint64_t *id)
{
	uint64_t branch;
	struct target x;
	int rc;

	target_init(&x);
	rc = target_of(&x, d);
	if (rc == OK) {
		const struct agent_branch b = {
			.mode = MODE_MSG,
			.resource = buf_bytes(&x.resource),
			.participant = buf_bytes(&x.participant),
			.application_data =
				bytes_of(d->payload ? d->payload : "{}"),
			.call_timeout_ms = d->call_timeout_ms,
			.deliver_after_ms = d->deliver_after_ms,
			.schedule_ms = d->schedule_ms,
			.n_schedule = d->n_schedule,
			.topic = d->topic != NULL,
		};

		rc = agent_register(tx, &b, &branch, NULL);
	}
	if (rc == OK && id)
		*id = branch;
	target_fini(&x);
	return rc;
}

int treaty_msg_add(struct treaty_msg *m, const struct treaty_msg_delivery *d,
		   uint64_t *id)
{
	int rc = check_delivery(d);

	if (rc == OK && !m)
		rc = agent_fail(E_INVALID, "there is no message");
	if (rc == OK)
		rc = add_to(m->tx, d, id);
	if (rc == OK)
		m->n++;
	else if (rc == E_UNKNOWN)
		m->doubtful = true;
	return rc;
}

int treaty_msg_send(struct treaty *t, const struct treaty_msg_delivery *d,
		    uint64_t *id)
{
	struct treaty_tx *tx;
	int rc = check_delivery(d);

	if (rc != OK)
		return rc;
	tx = treaty_current(t);
	rc = agent_tx_check(tx);
	return rc == OK ? add_to(tx, d, id) : rc;
}

/* ---- deciding ---- */

const char *treaty_msg_xid(const struct treaty_msg *m)
{
	return m ? treaty_xid(m->tx) : NULL;
}

static int check_deliveries(const struct treaty_msg *m)
{
	if (!m)
		return agent_fail(E_INVALID, "there is no message");
	if (m->doubtful)
		return agent_fail(E_STATE,
				  "message %s: it is not known whether a "
				  "delivery was added; roll back, abort it and "
				  "prepare another",
				  treaty_xid(m->tx));
	if (m->n == 0)
		return agent_fail(E_STATE,
				  "message %s: there is nothing to deliver; "
				  "treaty_msg_add() first",
				  treaty_xid(m->tx));
	return OK;
}

int message_check(const struct treaty_msg *m)
{
	int rc = check_deliveries(m);

	return rc == OK ? agent_tx_check(m->tx) : rc;
}

int treaty_msg_submit(struct treaty_msg *m)
{
	int rc = check_deliveries(m);

	return rc == OK ? treaty_commit(m->tx) : rc;
}

int treaty_msg_abort(struct treaty_msg *m, const char *reason)
{
	if (!m)
		return agent_fail(E_INVALID, "there is no message");
	return treaty_rollback(m->tx, reason);
}

/* ---- at once ---- */

/* Nobody will submit what is in doubt, so it is not sent: no doubt about
 * that. */
static int not_published(struct treaty_msg *m, int rc)
{
	char why[400];
	size_t n = strlen(treaty_last_error());

	n = n < sizeof why ? n : sizeof why - 1;
	memcpy(why, treaty_last_error(), n);
	why[n] = '\0';
	(void)!treaty_msg_abort(m, "it could not be published");
	return agent_fail(rc == E_UNKNOWN ? E_TIMEOUT : rc,
			  "message %s is not sent: %s", treaty_msg_xid(m), why);
}

int treaty_msg_publish(struct treaty *t, const char *name,
		       const struct treaty_msg_delivery *d, char *xid)
{
	const struct treaty_msg_options o = { .size = sizeof o, .name = name };
	struct treaty_msg *m;
	int rc = check_delivery(d);

	if (rc == OK)
		rc = treaty_msg_prepare(t, &o, &m);
	if (rc != OK)
		return rc;
	if (xid)
		memcpy(xid, treaty_msg_xid(m), strlen(treaty_msg_xid(m)) + 1);
	rc = treaty_msg_add(m, d, NULL);
	if (rc == OK)
		rc = treaty_msg_submit(m);
	else
		rc = not_published(m, rc);
	treaty_msg_free(m);
	return rc;
}

/* ---- the barrier ---- */

struct treaty_barrier message_barrier(const struct treaty_msg *m)
{
	struct treaty_barrier b = treaty_barrier_of_message(treaty_xid(m->tx));

	b.table = m->barrier_table;
	return b;
}

int message_judge(const struct treaty_msg *m, int rc,
		  enum treaty_barrier_verdict verdict)
{
	if (rc != OK || verdict == TREATY_BARRIER_RUN)
		return rc;
	if (verdict == TREATY_BARRIER_SUSPENDED)
		return agent_fail(E_ROLLED_BACK,
				  "message %s: the coordinator has asked and "
				  "was told that this local transaction will "
				  "never commit; roll it back (is timeout_ms "
				  "too short?)",
				  treaty_xid(m->tx));
	return agent_fail(E_STATE,
			  "message %s: its row is in the barrier already; a "
			  "message belongs to one local transaction",
			  treaty_xid(m->tx));
}

int treaty_msg_barrier_pg(struct treaty_msg *m, struct pg_conn *conn)
{
	enum treaty_barrier_verdict verdict = TREATY_BARRIER_RUN;
	int rc = message_check(m);

	if (rc == OK) {
		const struct treaty_barrier b = message_barrier(m);

		rc = treaty_barrier_call_pg(conn, &b, &verdict);
		rc = message_judge(m, rc, verdict);
	}
	return rc;
}

int treaty_msg_barrier_mysql(struct treaty_msg *m, struct st_mysql *conn)
{
	enum treaty_barrier_verdict verdict = TREATY_BARRIER_RUN;
	int rc = message_check(m);

	if (rc == OK) {
		const struct treaty_barrier b = message_barrier(m);

		rc = treaty_barrier_call_mysql(conn, &b, &verdict);
		rc = message_judge(m, rc, verdict);
	}
	return rc;
}

int treaty_msg_barrier_sqlite(struct treaty_msg *m, struct sqlite3 *conn)
{
	enum treaty_barrier_verdict verdict = TREATY_BARRIER_RUN;
	int rc = message_check(m);

	if (rc == OK) {
		const struct treaty_barrier b = message_barrier(m);

		rc = treaty_barrier_call_sqlite(conn, &b, &verdict);
		rc = message_judge(m, rc, verdict);
	}
	return rc;
}
