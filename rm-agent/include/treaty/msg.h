#ifndef TREATY_MSG_H
#define TREATY_MSG_H

/*
 * Messages: work of others that is to happen if, and only if, a local
 * transaction of this program commits. The coordinator keeps the message and
 * delivers it until the consumer has it; no queue is needed.
 *
 *   treaty_msg_prepare(t, &options, &m);          durable, not sent yet
 *   treaty_msg_add(m, &(struct treaty_msg_delivery){
 *           .size = sizeof(struct treaty_msg_delivery),
 *           .to = "bonus", .payload = "{\"user\":7}" }, NULL);
 *   BEGIN
 *   treaty_msg_barrier_pg(m, conn);               first thing in it
 *   UPDATE wallet …
 *   COMMIT
 *   treaty_msg_submit(m);                         or treaty_msg_abort(m, why)
 *   treaty_msg_free(m);
 *
 * What if this program dies between COMMIT and submit? The coordinator asks
 * who is named as the producer, any process that called
 * treaty_msg_producer_add(). The answer is in the barrier's row, so it is
 * definite: even while the local transaction is open, and even if it never
 * began.
 *
 * Three ways to send
 * ------------------
 *  - as above, or with treaty_msg_local_pg() and its like in one call: with a
 *    local transaction of this program;
 *  - treaty_msg_send(): with a global transaction of this thread (AT, TCC, XA,
 *    Saga branches); delivered if it commits, dropped if not;
 *  - treaty_msg_publish(): at once, tied to nothing.
 *
 * Rules
 * -----
 *  - A delivery comes at least once, and again after a lost answer or a crash.
 *    The barrier of the consumer (treaty_delivery_barrier_pg(), …), within the
 *    consumer's local transaction, makes its effect happen exactly once.
 *  - Deliveries of a message go out at the same time, in any order, to any
 *    process that offers the consumer; with .ordered one after the other.
 *    Different messages have no order.
 *  - A delivery that was refused, or whose schedule is over, is a dead letter:
 *    it hangs, visible, until an operator sends it again (`treaty message
 *    replay`) or gives it up. It is never dropped silently.
 *  - A message object belongs to one thread at a time, and is bound to none.
 *  - Arguments are borrowed for the call, what a callback gets until it
 *    returns. JSON is one value in UTF-8.
 *  - `to` and `producer` are names that treaty_msg_consumer_add() and
 *    treaty_msg_producer_add() offer in any program (over HTTP they are called
 *    "msg:NAME" and "producer:NAME"), or a URL, http:// or https://, which the coordinator calls itself if its
 *    configuration allows it (docs/msg.md).
 *
 * Codes of all calls here besides their own: TREATY_E_TIMEOUT (nothing was
 * sent), TREATY_E_VERSION (the coordinator is too old for messages),
 * TREATY_E_INVALID, TREATY_E_LIMIT, TREATY_E_CLOSED, TREATY_E_DENIED,
 * TREATY_E_NOMEM.
 */

#include <treaty/barrier.h>
#include <treaty/treaty.h>

#ifdef __cplusplus
extern "C" {
#endif

struct treaty_msg;      /* a message that is being prepared */
struct treaty_delivery; /* one that has come, inside the consumer's callback */

/* ---- producing: with a local transaction ---- */

/* All zero is the default of what need not be given. */
struct treaty_msg_options {
	size_t size;      /* sizeof(struct treaty_msg_options) */
	const char *name; /* what it is for; for people */
	/* Who says whether the local transaction was committed, if nothing is
	 * heard until .timeout_ms. NULL: the message is dropped then, so do
	 * not submit late. */
	const char *producer;
	/* For a producer that is a URL: a JSON object of texts. */
	const char *headers;
	/* How long a local transaction normally takes at most. 0: the
	 * coordinator's default (60 s). */
	uint32_t timeout_ms;
	bool ordered; /* one delivery after the other, as they were added */
	const char *barrier_table; /* NULL: "barrier" */
};

/*
 * Begin a message. Nothing of it is sent before it is submitted.
 * TREATY_E_TIMEOUT also if no answer came: it is empty then, and forgotten.
 */
TREATY_API int treaty_msg_prepare(struct treaty *t,
				  const struct treaty_msg_options *options,
				  struct treaty_msg **out);

/* All zero is the default of what need not be given. */
struct treaty_msg_delivery {
	size_t size; /* sizeof(struct treaty_msg_delivery) */
	/* A consumer's name, at most 123 bytes, or a URL; or: */
	const char *to;
	/* A topic: one delivery for each who has subscribed by now. */
	const char *topic;
	const char *payload;       /* JSON; NULL: {} */
	uint64_t deliver_after_ms; /* so long after the commit; 0: at once */
	/* The pauses between attempts; after the last one it is a dead letter.
	 * NULL: growing pauses, as the coordinator is configured. */
	const uint64_t *schedule_ms;
	size_t n_schedule;
	uint32_t call_timeout_ms; /* of an attempt; 0: as it is configured */
	const char *headers;      /* of a URL: a JSON object of texts */
};

/*
 * Add a delivery; it is durable when this returns. *id (optional) is its
 * number; of a topic, that of the first subscriber. Before the local
 * transaction commits: what is added later may come too late.
 *
 * TREATY_E_NOTFOUND  nobody has subscribed to the topic; or the coordinator
 *                    does not know the message any more
 * TREATY_E_INVALID   not JSON, not a URL, …
 * TREATY_E_DENIED    the coordinator may not call this URL; the text says why
 * TREATY_E_STATE     the message is submitted, aborted, or timed out
 * TREATY_E_UNKNOWN   it may be there or not: abort; submit is refused now
 */
TREATY_API int treaty_msg_add(struct treaty_msg *m,
			      const struct treaty_msg_delivery *delivery,
			      uint64_t *id);

/* The message's xid, for logs and for treaty_status(). Borrowed. */
TREATY_API const char *treaty_msg_xid(const struct treaty_msg *m);

/*
 * Tie the message to the local transaction that is open on the connection; the
 * first thing in it. The producer's answer is found by this row. Without it
 * the coordinator would hear "not committed" and drop the message.
 *
 * TREATY_OK             go on, COMMIT, then submit
 * TREATY_E_ROLLED_BACK  the coordinator has asked already, and was told that
 *                       this will not commit: roll back
 * TREATY_E_STATE        the row is there already (called twice, or for another
 *                       local transaction); or no local transaction is open
 * else                  as treaty_barrier_call_pg(): roll back
 */
TREATY_API int treaty_msg_barrier_pg(struct treaty_msg *m,
				     struct pg_conn *conn);
TREATY_API int treaty_msg_barrier_mysql(struct treaty_msg *m,
					struct st_mysql *conn);
TREATY_API int treaty_msg_barrier_sqlite(struct treaty_msg *m,
					 struct sqlite3 *conn);

/*
 * The local transaction is committed: send. Returns when that is durable; the
 * deliveries go on without this program.
 *
 * TREATY_OK             it will be delivered, whatever happens
 * TREATY_E_UNKNOWN, TREATY_E_TIMEOUT  not answered, not sent: submit again, or
 *                       leave it to the producer's answer
 * TREATY_E_ROLLED_BACK  it is dropped: aborted, timed out without a producer,
 *                       or the producer said so
 * TREATY_E_NOTFOUND     the coordinator knows nothing of it: dropped long ago
 * TREATY_E_STATE        misuse: nothing was added, an add is in doubt, it was
 *                       aborted
 */
TREATY_API int treaty_msg_submit(struct treaty_msg *m);

/*
 * The local transaction is rolled back, for certain: drop the message. If it is
 * not certain (COMMIT was not answered) do neither; the producer's answer will
 * decide. `reason` is kept in the history; NULL is fine.
 * TREATY_E_STATE: it is submitted; TREATY_E_UNKNOWN, TREATY_E_TIMEOUT: not
 * answered, not sent; the producer's answer (or the time) drops it.
 */
TREATY_API int treaty_msg_abort(struct treaty_msg *m, const char *reason);

/* Free the object. One that is neither submitted nor aborted is left to the
 * producer's answer; without a producer it is dropped at its time-out. NULL is
 * fine. */
TREATY_API void treaty_msg_free(struct treaty_msg *m);

/*
 * All of it in one call: BEGIN, the barrier, work(ctx, conn), COMMIT, submit;
 * or ROLLBACK, abort. No local transaction may be open on the connection. The
 * message must have a producer and a delivery.
 *
 * TREATY_OK             committed, and it will be delivered (if the submit is
 *                       lost, the producer's answer sees to it)
 * TREATY_E_ROLLED_BACK  the coordinator has given it up already: nothing was
 *                       done
 * TREATY_E_UNKNOWN      the connection was lost in COMMIT: the producer's
 *                       answer will find out, and the message goes with it
 * TREATY_E_STATE        also: work has ended the local transaction; likewise
 * TREATY_E_CORRUPT      it is committed, and the coordinator has dropped the
 *                       message all the same: another barrier table, one that
 *                       was purged too early, a coordinator without its store
 * else                  what work returned (not TREATY_OK), or why the local
 *                       transaction failed: rolled back, the message dropped
 */
TREATY_API int treaty_msg_local_pg(struct treaty_msg *m, struct pg_conn *conn,
				   int (*work)(void *ctx, struct pg_conn *conn),
				   void *ctx);
TREATY_API int treaty_msg_local_mysql(
	struct treaty_msg *m, struct st_mysql *conn,
	int (*work)(void *ctx, struct st_mysql *conn), void *ctx);
TREATY_API int treaty_msg_local_sqlite(
	struct treaty_msg *m, struct sqlite3 *conn,
	int (*work)(void *ctx, struct sqlite3 *conn), void *ctx);

/* ---- answering for a producer ---- */

enum treaty_msg_checked {
	TREATY_MSG_NOT_KNOWN = 0, /* yet: ask again */
	TREATY_MSG_COMMITTED = 1,
	TREATY_MSG_NEVER = 2, /* not committed, and never will be */
};

/* One of .dsn, .on_pg, .on_mysql, .on_sqlite, .on_check is given. */
struct treaty_msg_producer {
	size_t size; /* sizeof(struct treaty_msg_producer) */
	/* The database of the local transactions, as for
	 * treaty_at_resource_add(): the agent opens connections of its own. */
	const char *dsn;
	/* Or give a connection to it, without a local transaction, that nobody
	 * else uses until .on_done (which must be given, too). NULL: not now,
	 * ask again. Its lock wait time-out is set to 2 seconds. */
	struct pg_conn *(*on_pg)(void *ctx, const char *xid);
	struct st_mysql *(*on_mysql)(void *ctx, const char *xid);
	struct sqlite3 *(*on_sqlite)(void *ctx, const char *xid);
	void (*on_done)(void *ctx, void *conn);
	/* Or answer yourself, without a barrier. NEVER must stay true: what
	 * commits after it was said is not delivered. */
	enum treaty_msg_checked (*on_check)(void *ctx, const char *xid);
	const char *barrier_table; /* NULL: "barrier" */
};

/*
 * Answer for messages of this producer, of any process: its names come from
 * treaty_msg_options. Callbacks run on the agent's workers. The answer is
 * never a guess: if the database cannot be asked, it is asked again later.
 * Offered until treaty_close(); ctx is yours and lives as long.
 *
 * TREATY_E_STATE  this handle answers for that name already
 */
TREATY_API int treaty_msg_producer_add(
	struct treaty *t, const char *name,
	const struct treaty_msg_producer *producer, void *ctx);

/* ---- producing: with a global transaction, or with nothing ---- */

/*
 * A delivery of the thread's global transaction: it goes out if and when that
 * commits. TREATY_OK: durable. *id is optional.
 *
 * TREATY_E_STATE    no global transaction on this thread, or it takes no more
 *                   branches
 * TREATY_E_UNKNOWN  it may be there or not: roll back
 * else              as treaty_msg_add()
 */
TREATY_API int treaty_msg_send(struct treaty *t,
			       const struct treaty_msg_delivery *delivery,
			       uint64_t *id);

/*
 * A message of its own, sent at once: prepare, add, submit. `xid` (optional,
 * TREATY_XID_MAX + 1 bytes) is written if it was begun, also on an error.
 *
 * TREATY_OK         it will be delivered
 * TREATY_E_UNKNOWN  it may be sent or not; treaty_status() of the xid tells.
 *                   Publishing again may send it twice, under two xids
 * else              as treaty_msg_add(), treaty_msg_submit(): not sent
 */
TREATY_API int treaty_msg_publish(struct treaty *t, const char *name,
				  const struct treaty_msg_delivery *delivery,
				  char *xid);

/* ---- topics ---- */

/*
 * From now on, messages to the topic go to `to` as well: a consumer's name, or
 * a URL with `headers` (a JSON object of texts, NULL: none). It is durable, and
 * has nothing to do with this process living. The same subscriber again
 * replaces its target; for messages that are prepared already nothing changes.
 * TREATY_E_UNKNOWN: do it again.
 */
TREATY_API int treaty_topic_subscribe(struct treaty *t, const char *topic,
				      const char *subscriber, const char *to,
				      const char *headers);

/* TREATY_E_NOTFOUND: there is none of that name. TREATY_E_UNKNOWN: do it
 * again. */
TREATY_API int treaty_topic_unsubscribe(struct treaty *t, const char *topic,
					const char *subscriber);

/* ---- consuming ---- */

enum treaty_msg_answer {
	TREATY_MSG_RETRY = 0, /* not now: come again, with growing pauses */
	TREATY_MSG_DONE = 1,
	/* Never: it becomes a dead letter, for an operator. */
	TREATY_MSG_REFUSED = 2,
	TREATY_MSG_IN_PROGRESS = 3, /* come again a little later; no failure */
};

struct treaty_msg_consumer {
	size_t size; /* sizeof(struct treaty_msg_consumer) */
	/* Must be given. */
	enum treaty_msg_answer (*on_message)(void *ctx,
					     struct treaty_delivery *d);
	const char *barrier_table; /* NULL: "barrier" */
};

/*
 * Take deliveries to this name, at most 123 bytes. What waits comes at once:
 * add when everything that the callback uses is ready. Offered until
 * treaty_close(), by as many processes as you like, of any application: a
 * delivery goes to one of them. The callback runs on the agent's workers or in
 * treaty_process(); the same delivery never twice at a time in one process. It
 * must return: an exception or a longjmp that leaves it breaks the program.
 * ctx is yours, and lives as long as the handle.
 *
 * TREATY_E_STATE  this handle has a consumer of that name already
 */
TREATY_API int treaty_msg_consumer_add(
	struct treaty *t, const char *name,
	const struct treaty_msg_consumer *consumer, void *ctx);

/* Of the message, or of the global transaction that it was sent in. */
TREATY_API const char *treaty_delivery_xid(const struct treaty_delivery *d);
TREATY_API uint64_t treaty_delivery_id(const struct treaty_delivery *d);
/* "xid/id/action", the same for each attempt and for nothing else; what a URL
 * gets in Idempotency-Key. */
TREATY_API const char *treaty_delivery_key(const struct treaty_delivery *d);
TREATY_API const char *treaty_delivery_consumer(
	const struct treaty_delivery *d);
/* JSON */
TREATY_API const char *treaty_delivery_payload(const struct treaty_delivery *d);
/* 1, 2, … as the coordinator counts. */
TREATY_API uint64_t treaty_delivery_attempt(const struct treaty_delivery *d);

/* Why it is not done; kept with the delivery for the operator. Cut at 1000
 * bytes; the last call counts. */
TREATY_API void treaty_delivery_error(struct treaty_delivery *d,
				      const char *text);

/*
 * The barrier of this delivery (trans_type "msg", its branch, op "action");
 * `number` 1, 2, … if it has several local transactions. Call it first in the
 * local transaction:
 *
 *   RUN        the work, COMMIT, DONE
 *   DUPLICATE  it was done: COMMIT or ROLLBACK, DONE
 *
 * Codes as treaty_barrier_call_pg(): roll back; the text is kept as by
 * treaty_delivery_error(), so that returning TREATY_MSG_RETRY is enough.
 */
TREATY_API int treaty_delivery_barrier_pg(struct treaty_delivery *d,
					  struct pg_conn *conn, unsigned number,
					  enum treaty_barrier_verdict *verdict);
TREATY_API int treaty_delivery_barrier_mysql(
	struct treaty_delivery *d, struct st_mysql *conn, unsigned number,
	enum treaty_barrier_verdict *verdict);
TREATY_API int treaty_delivery_barrier_sqlite(
	struct treaty_delivery *d, struct sqlite3 *conn, unsigned number,
	enum treaty_barrier_verdict *verdict);

#ifdef __cplusplus
}
#endif

#endif
