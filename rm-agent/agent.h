#ifndef RM_AGENT_AGENT_H
#define RM_AGENT_AGENT_H

/*
 * What the agent offers to the modes (AT, TCC, …) on top of <treaty/treaty.h>:
 * branches, lock checks, and handlers for phase two.
 *
 * Rules
 * -----
 *  - Each call sets the text of treaty_last_error() when it fails. A mode that
 *    fails for its own reasons sets it by agent_fail().
 *  - Codes are those of base.h. E_UNKNOWN: the request was sent and not
 *    answered, the coordinator may have done it. E_TIMEOUT and E_CLOSED from
 *    the transport: it never left. Every request may be made again.
 *  - Handlers run on the agent's workers (or within treaty_process()), never
 *    under a lock of the agent. The commands of one branch never run at the
 *    same time in one process. Any order; any number of times.
 *  - Arguments are borrowed for the call.
 */

#include "base/buf.h"
#include "base/lock_key.h"
#include "base/status.h"
#include "base/xid.h"

#include <treaty/treaty.h>

/* ---- errors ---- */

/* Set the thread's error text and return err. The text is cut at 1 KiB. */
int agent_fail(int err, const char *fmt, ...) PRINTF_LIKE(2, 3);
void agent_error_clear(void);

/* ---- the transaction ---- */

/* OK if branches may be registered by the calling thread: not forked, handle
 * open, not decided yet, bound to this thread or to none. Else E_STATE or
 * E_CLOSED with a text. Asks nobody. */
MUST_CHECK int agent_tx_check(struct treaty_tx *tx);
struct treaty *agent_of(const struct treaty_tx *tx);
/* A number that never changes for a transaction object and differs between
 * objects of the process: for finding out that "the" transaction of a
 * connection is another one now. */
uint64_t agent_tx_serial(const struct treaty_tx *tx);

/* A branch of this process was opened that must be ended before the commit:
 * treaty_commit() is refused until then, and for good if it voted no. By the
 * thread that the transaction is bound to. */
void agent_tx_open(struct treaty_tx *tx);
void agent_tx_ended(struct treaty_tx *tx, bool voted_no);

/* What has become of a transaction, by its own coordinator's word: as
 * treaty_status(), but E_UNKNOWN if the coordinator that answers is not the
 * one that the xid names, or its store was replaced since. So E_NOTFOUND means:
 * rolled back; E_UNKNOWN: nobody knows, and nobody may presume. */
MUST_CHECK int agent_verdict(struct treaty *t, const char *xid, int *status);
/* "host:port" of the coordinator that welcomed us last; out has XID_LEN_MAX
 * bytes. False if there was none yet. */
bool agent_coordinator(struct treaty *t, char *out);

/* .lock_wait_ms of the options. */
uint64_t agent_lock_wait_ms(struct treaty *t);

/* ---- branches ---- */

/* The id in decimal, as barriers want it. */
void agent_branch_print(char out[24], uint64_t branch_id);

#define AGENT_KEY_MAX 512 /* bytes of a lock key that are kept of a conflict */

/* Who is in the way, after E_CONFLICT, E_DEADLOCK or E_TIMEOUT. */
struct agent_conflict {
	char holder[XID_LEN_MAX + 1]; /* xid; "": not known */
	uint8_t key[AGENT_KEY_MAX];   /* lock key, see base/lock_key.h */
	size_t key_len;               /* 0: not known, or longer than that */
	uint64_t holder_age_ms;
};

struct agent_branch {
	enum branch_mode mode;
	struct bytes resource;
	const struct bytes *lock_keys;
	size_t n_lock_keys;
	struct bytes application; /* whose it is; empty: this program's own */
	struct bytes application_data;
	uint64_t wait_ms; /* for locks; 0: refuse at once */

	/* What the caller of URLs must know (JSON): agent_target(). */
	struct bytes participant;
	uint64_t call_timeout_ms;    /* of a command; 0: the default */
	uint64_t deliver_after_ms;   /* MSG: so long after the commit */
	const uint64_t *schedule_ms; /* MSG: pauses between attempts; NULL: */
	size_t n_schedule;           /* as the coordinator is configured */
	bool topic; /* MSG: .resource is a topic, one branch a subscriber */
};

/* Who is to be called by URLs. */
struct agent_urls {
	const char *commit; /* NULL: none */
	const char *rollback;
	const char *check;
	const char *headers; /* JSON object of texts; NULL: none */
};

/*
 * Append the resource and the participant document for these URLs, which must
 * have one origin. E_INVALID with a text that names what is wrong (the
 * coordinator may know more: which URLs it is allowed to call, which headers);
 * E_NOMEM.
 */
MUST_CHECK int agent_target(const struct agent_urls *urls, struct buf *resource,
			    struct buf *participant);

/*
 * Register a branch, with its locks: all or none. *branch is its id.
 * *conflict (optional) is always written; .holder is "" if nobody is in the
 * way.
 *
 * E_CONFLICT  refused at once: somebody holds a row (and wait_ms is 0, or the
 *             holder is rolling back)
 * E_DEADLOCK  waiting would close a cycle: roll back
 * E_TIMEOUT   .holder[0]: waited that long for the row;
 *             else the coordinator was not reached and nothing was sent
 * E_UNKNOWN   sent, no answer: the branch may exist. Roll back what is local;
 *             the coordinator's rollback of the branch must find nothing
 * E_STATE     the transaction takes no more branches (rolled back, timed out,
 *             committed), or misuse
 * E_NOTFOUND  the coordinator does not know the transaction: it is rolled back
 * E_LIMIT, E_INVALID, E_CLOSED, E_DENIED, E_NOMEM
 */
MUST_CHECK int agent_register(struct treaty_tx *tx,
			      const struct agent_branch *branch,
			      uint64_t *branch_id,
			      struct agent_conflict *conflict);

/*
 * Tell the end of a branch's phase one: BRANCH_PHASE_ONE_DONE, …_FAILED or
 * BRANCH_RDONLY. application_data replaces that of the registration, if it is
 * not empty. Works for a transaction that is decided already, too.
 * E_NOTFOUND, E_STATE, E_TIMEOUT, E_UNKNOWN, E_CLOSED, E_NOMEM
 */
MUST_CHECK int agent_report(struct treaty_tx *tx, uint64_t branch_id,
			    enum branch_status status,
			    struct bytes application_data);

/* The same without waiting for the answer; for telling FAILED, where a lost
 * message costs nothing but time. */
void agent_report_later(struct treaty_tx *tx, uint64_t branch_id,
			enum branch_status status);

/*
 * Are these rows free for the transaction (tx NULL: for nobody, i.e. held by
 * none)? Waits up to wait_ms. OK; E_CONFLICT, E_DEADLOCK or E_TIMEOUT with
 * *conflict as agent_register(); else as there.
 */
MUST_CHECK int agent_lock_check(struct treaty *t, struct treaty_tx *tx,
				struct bytes resource,
				const struct bytes *lock_keys,
				size_t n_lock_keys, uint64_t wait_ms,
				struct agent_conflict *conflict);

/* ---- messages, sagas, topics ----
 *
 * Codes of all of them, besides their own: E_TIMEOUT (nothing was sent),
 * E_UNKNOWN (sent, no answer: ask again, or ask what is there), E_VERSION (the
 * coordinator is too old), E_INVALID, E_LIMIT, E_CLOSED, E_DENIED, E_NOMEM.
 */

struct agent_message {
	const char *name;
	uint64_t timeout_ms; /* then .check is asked; 0: the default */
	struct bytes check;  /* a resource or an origin; empty: roll back */
	struct bytes participant;
	uint64_t call_timeout_ms;
	bool ordered; /* deliver one by one, in order of registration */
};

/* Begin a transaction of kind MESSAGE, bound to no thread. It is a transaction
 * object like others: agent_register(), treaty_commit(), treaty_rollback();
 * but commit never waits for the deliveries, and it is freed by
 * agent_tx_free(). E_UNKNOWN does not occur: what was begun and never heard of
 * has no deliveries. */
MUST_CHECK int agent_begin_message(struct treaty *t,
				   const struct agent_message *m,
				   struct treaty_tx **out);
/* Free the object and tell nobody: who began it is silent. */
void agent_tx_free(struct treaty_tx *tx);

/* E_NOTFOUND: unsubscribe: nobody of that name (or a lost answer before). */
MUST_CHECK int agent_subscribe(struct treaty *t, struct bytes topic,
			       struct bytes subscriber, struct bytes resource,
			       struct bytes participant);
MUST_CHECK int agent_unsubscribe(struct treaty *t, struct bytes topic,
				 struct bytes subscriber);

struct agent_saga {
	struct bytes machine;  /* a name, and … */
	struct bytes version;  /* … empty: the newest; or */
	struct bytes document; /* a machine of its own */
	/* Empty: one that nobody else has is made up, so that a request that
	 * is sent again begins no second run. */
	struct bytes business_key;
	struct bytes input; /* a JSON object, or empty */
	/* For the URLs it calls: a document with nothing but headers. */
	struct bytes participant;
	uint64_t timeout_ms; /* 0: the machine's */
	uint64_t wait_ms;    /* for the end; handlers run meanwhile */
};

struct agent_saga_run {
	char xid[XID_LEN_MAX + 1];
	int status; /* enum gtx_status */
	/* A run of this machine and business key was there. After an answer
	 * that was lost it may be ours. */
	bool existed;
};

/* `detail` (optional) gets what agent_saga_show() gives, if the run has ended
 * within .wait_ms. E_NOTFOUND: no such machine or version. */
MUST_CHECK int agent_saga_start(struct treaty *t, const struct agent_saga *s,
				struct agent_saga_run *out, struct buf *detail);

/* enum saga_move of tc/core/core.h. */
enum agent_saga_move {
	AGENT_SAGA_FORWARD,
	AGENT_SAGA_COMPENSATE,
	AGENT_SAGA_SKIP,
};

#define AGENT_TASK_ALL UINT32_MAX

/* `task` counts for SKIP. *status (optional) is where the run is then.
 * E_NOTFOUND, E_STATE */
MUST_CHECK int agent_saga_move(struct treaty *t, const char *xid,
			       enum agent_saga_move move, uint32_t task,
			       const char *reason, int *status);

/* Append its state as JSON: {status, machine, version, business_key, data,
 * error, message, path, calls}. *status (optional) as above. E_NOTFOUND.
 * E_UNKNOWN does not occur. */
MUST_CHECK int agent_saga_show(struct treaty *t, const char *xid,
			       struct buf *out, int *status);

/* Put a version of a machine; its name and version are appended (both
 * optional). *existed (optional): this very document was there. */
MUST_CHECK int agent_machine_put(struct treaty *t, struct bytes document,
				 struct buf *name, struct buf *version,
				 bool *existed);
/* E_STATE: a run uses it; E_NOTFOUND: not there (or a lost answer before). */
MUST_CHECK int agent_machine_drop(struct treaty *t, struct bytes name,
				  struct bytes version);

/* ---- phase two ---- */

/* enum command_type of tc/core/core.h. */
enum agent_command_type {
	AGENT_COMMIT, /* of a branch; mode MSG: a message is delivered */
	AGENT_ROLLBACK,
	AGENT_CHECK, /* is the message's local transaction committed? */
	AGENT_CALL,  /* a saga's action or compensation */
};

/* enum resolution of tc/core/core.h: what an operator has decided. */
enum agent_resolution {
	AGENT_RESOLVE_NONE,
	AGENT_RESOLVE_USE_UNDO,
	AGENT_RESOLVE_KEEP_CURRENT,
	AGENT_RESOLVE_VALUES, /* .values says what to write */
};

struct agent_command {
	enum agent_command_type type;
	const char *xid;
	uint64_t branch;
	enum branch_mode mode;
	const char *resource;
	struct bytes application_data;
	uint64_t attempt; /* 1, 2, … */
	enum agent_resolution resolution;
	struct bytes values;
	struct bytes participant; /* as registered; may be empty */
	uint64_t timeout_ms;      /* then nobody waits any more; 0: unknown */

	/* CALL: .application_data is the input. .branch is the task; of a
	 * compensation, the task that it undoes: so (xid, branch,
	 * compensation) is the same for each attempt. */
	const char *service;
	const char *method;
	bool compensation;
};

/* What a handler answers. */
struct agent_result {
	/* COMMITTED, ROLLBACKED: done. …_RETRYABLE, …_NOTA: again later.
	 * …_UNRETRYABLE: hung.
	 * CHECK: COMMITTED: yes; ROLLBACKED: no, and never; else still open.
	 * CALL: COMMITTED: done; COMMIT_UNRETRYABLE: refused; else not known */
	enum branch_status status;
	bool in_progress;  /* with …_RETRYABLE: under way, it is no failure */
	struct buf *error; /* append: a sentence for people */
	struct buf *detail; /* append: JSON of a dirty row's difference; of a
			     * call: its output */
	struct buf *error_name; /* append: of a call that failed, its kind */
};

struct agent_handler {
	/* Do it and fill *result; its .status is set to "…_RETRYABLE" before
	 * the call. The command is borrowed. May block. A resource of mode MSG
	 * gets COMMIT and CHECK, one of mode SAGA gets COMMIT, ROLLBACK and
	 * CALL, all others get COMMIT and ROLLBACK. */
	void (*run)(void *ctx, const struct agent_command *command,
		    struct agent_result *result);
	/* Called once when the resource is taken away or the handle closes,
	 * after its last run. May be NULL. */
	void (*free)(void *ctx);
};

/*
 * Offer to run phase two of a resource; the coordinator is told. On OK the
 * agent owns ctx (handler.free). E_STATE if the resource is there already,
 * E_LIMIT (4 096 resources), E_CLOSED, E_INVALID, E_NOMEM: ctx stays yours.
 */
MUST_CHECK int agent_resource_add(struct treaty *t, struct bytes resource,
				  enum branch_mode mode,
				  const struct agent_handler *handler,
				  void *ctx);

/* The ctx of a resource, or NULL. The caller knows that it is not removed
 * meanwhile. */
void *agent_resource_find(struct treaty *t, struct bytes resource);

/* Take it away again: the coordinator is told, running commands are waited
 * for, then handler.free is called. E_NOTFOUND; E_STATE from a handler. */
MUST_CHECK int agent_resource_remove(struct treaty *t, struct bytes resource);

#endif
