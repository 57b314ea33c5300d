#ifndef TC_CORE_CORE_H
#define TC_CORE_CORE_H

/*
 * The coordinator, without the world.
 *
 * core_step() is told one thing that happened and answers with what must be
 * done about it. It reads no clock, does no I/O, starts no thread and draws no
 * random number: the same events give the same effects, on any machine.
 *
 * Rules
 * -----
 *  - A promise (a reply, a phase-two command) leaves only in the step that
 *    hears EV_STORED for the row it rests on. So the caller may do effects
 *    late and in batches, and a crash between steps loses nothing promised.
 *  - Rows of one step are applied all or none, steps in their order. Rows that
 *    are not `forced` may be applied later, with the next forced ones, or
 *    without waiting for the disk: losing them only means doing work again.
 *  - A failed store is final: after EV_STORE_FAILED every request is refused
 *    with E_CLOSED and nothing else is emitted. Stop, start, load.
 *  - Everything in an event is borrowed for the call. Effects and what they
 *    point at belong to the core until the next core_step().
 *  - One thread. Queries (core_list, core_show, …) may be asked between steps.
 *
 * Locks
 * -----
 *  - All lock keys of a branch or none. A conflicting request waits first-come
 *    until the deadline it named; at once it is refused when the holder is
 *    already rolling back, or when waiting would close a cycle (the youngest
 *    transaction of the cycle is the one that is refused). When a holder
 *    starts to roll back, everybody who waits for it is refused: a waiter may
 *    hold database rows that the undo needs.
 *  - Commit gives locks up at the decision, rollback branch by branch.
 *  - A key that two branches of a transaction named is free when both are done
 *    with it. A key is not overtaken: who asks later stands behind who waits,
 *    even if the key is free. RQ_LOCK_CHECK stands in the queue, too, but holds
 *    up nobody.
 *  - The same REGISTER again (client_key) while it waits keeps its place; the
 *    answer goes to whoever asked last.
 *
 * Phase two
 * ---------
 *  - Each branch has its own due time; nothing waits for a peer that does not
 *    answer. AT branches of one resource are rolled back newest first, one
 *    after another; everything else runs concurrently, unless the transaction
 *    was begun with `ordered`.
 *  - A command goes to the instance that registered the branch, else to any
 *    peer of the same application that has the resource, else (AT) to any peer
 *    that has the resource.
 *  - A peer that let a command time out gets one at a time until it answers,
 *    and what waited for it may go to others.
 *  - Retries back off from retry_ms_first to retry_ms_max with jitter; after
 *    attempts_max (0: never) the branch and its transaction are hung. A command
 *    whose peer went away is due again at once and counts as no failure.
 *  - "In progress" is no failure: it is asked again after a pause, for ever.
 *  - A SAGA branch has nothing to do on commit, a MSG branch nothing on
 *    rollback: they are finished without a command.
 *  - Branches of mode SAGA and MSG, and back-checks, are for any application
 *    that has the resource.
 *  - A branch's "done" counts whichever attempt it answers, a failure only if
 *    it answers the attempt under way.
 *
 * Sagas
 * -----
 *  - A saga is a transaction of kind SAGA that tc/saga decides: Begin while it
 *    goes forward, Rollbacking and RollbackRetrying on the way back, hung as
 *    CommitFailed or RollbackFailed, in the end Committed or Rollbacked. It has
 *    no branches; RQ_COMMIT is refused; RQ_ROLLBACK compensates (OK also if
 *    that is under way); RQ_RETRY is RQ_SAGA_MOVE forward.
 *  - Machines are put once: the same document again is .existed, another one
 *    of that name and version E_CONFLICT. The newest is the one put last;
 *    sub-machines are bound when the outer one is put. One that has runs or is
 *    a part of another cannot be dropped (E_STATE).
 *  - A call leaves when the state that it came with is durable. It goes to an
 *    agent with the resource "saga:SERVICE", or to the origin of a service
 *    that is a URL. Whether it is lost and when it is made again is tc/saga's:
 *    one that waits for a peer, or whose peer went away, ends as "unknown",
 *    never as a refusal. What was not answered before a crash is called again,
 *    with the same task and attempt.
 *  - A finished run is a tombstone here and a JSON document in the archive:
 *    RQ_SAGA_SHOW and RQ_SAGA_MOVE of it answer E_STATE with its true .status
 *    (E_NOTFOUND when it is forgotten). Who waited for the end (.wait_ms) has
 *    the document in .detail.
 *
 * Messages
 * --------
 *  - A message is a transaction of kind MESSAGE: BEGIN and its deliveries
 *    (REGISTER of mode MSG) prepare it, COMMIT submits it, ROLLBACK drops it.
 *    Deliveries may also be branches of a plain transaction.
 *  - A message whose producer is silent for timeout_ms, and that has .check, is
 *    not rolled back: COMMAND_CHECK asks, again and again with back-off, until
 *    the answer is yes or no. One without deliveries is rolled back all the
 *    same: there is nothing to be lost.
 *  - COMMAND_COMMIT of a branch of mode MSG is "deliver": at least once, so
 *    (xid, branch) is the consumer's idempotency key.
 *  - deliver_after_ms counts from the decision; over a restart by the wall
 *    clock, never more than all of it.
 *  - A schedule takes the place of back-off and of attempts_max: the i-th
 *    failure waits for the i-th time of it, the one after the last gives up.
 *    After a restart what failed before is tried at once.
 *  - A hung delivery is a dead letter. RQ_RETRY replays it, with its schedule
 *    from the beginning. A retry of the whole transaction leaves alone what
 *    only waits for its time; of a message in doubt it asks now.
 *
 * Reports
 * -------
 *  - PHASE_ONE_FAILED and RDONLY finish a branch. They are forced (and answered
 *    when durable) but for AT, whose phase two finds nothing to do and says so.
 *    New application data is always forced; PHASE_ONE_DONE alone has no row.
 *  - A transaction with an XA branch that reported PHASE_ONE_FAILED cannot be
 *    committed: COMMIT is answered E_STATE and rolls it back.
 */

#include "base/base.h"
#include "base/status.h"

struct core;

struct core_config {
	struct bytes coordinator; /* "host:port" in front of every xid */
	uint64_t seed;            /* hash seed and jitter; secret, random */
	/* Of a store that has none yet: the first number that it gives; 0: 1.
	 * Drawn at random, so that a coordinator that lost its store does not
	 * give the numbers of its former life again, and knows those. */
	uint64_t first_id;

	size_t gtx_max; /* unfinished transactions */
	size_t branches_per_gtx_max;
	size_t locks_max; /* lock keys held in all */
	size_t lock_keys_per_branch_max;
	size_t waiters_max;    /* lock requests waiting in all */
	size_t tombstones_max; /* outcomes remembered; oldest go first */
	size_t peers_max;
	size_t text_max; /* name, resource, error …, bytes */
	size_t application_data_max;
	size_t saga_data_max;   /* of a run, per machine, as JSON, bytes */
	size_t saga_tasks_max;  /* states entered in one run */
	size_t machines_max;    /* versions of all machines that were put */
	size_t participant_max; /* what the caller of URLs is told, bytes */
	size_t in_flight_per_peer_max;
	size_t schedule_max;    /* times in the schedule of a delivery */
	size_t subscribers_max; /* of all topics */

	uint64_t timeout_ms_default; /* of a transaction */
	uint64_t timeout_ms_max;
	uint64_t lock_wait_ms_max;
	uint64_t reply_wait_ms_max; /* how long commit may wait for phase two */
	uint64_t command_timeout_ms; /* then a command counts as lost */
	uint64_t retry_ms_first;
	uint64_t retry_ms_max;
	/* Failures of one branch, or of one compensation or forward step of a
	 * saga; 0: unlimited */
	uint32_t attempts_max;
	/* Retries of a saga's call of which it is not known whether it is done,
	 * where the definition says nothing; then it is undone. 0: no end */
	uint32_t saga_attempts;
	uint64_t saga_ask_again_ms; /* after a call that is in progress */
	uint64_t delay_ms_max; /* of a delivery, and between its attempts */
	uint64_t tombstone_keep_ms;
	uint64_t id_block; /* numbers reserved by one stored row */
};

/* Sensible values for everything but .coordinator and .seed. */
void core_config_default(struct core_config *config);

/* ---- rows: what the store keeps ---- */

enum row_table {
	ROW_META,      /* id: which setting; body: its value */
	ROW_GTX,       /* id: number of the transaction */
	ROW_BRANCH,    /* id: branch id; gtx: its transaction */
	ROW_TOMBSTONE, /* id: number of a finished transaction */
	ROW_SAGA,      /* id, gtx: number of its transaction; a run's state */
	ROW_MACHINE,   /* id: its own; name: machine; a version of it */
	ROW_TOPIC,     /* id: its own; name: topic; one subscriber of it */
	ROW_TABLES,    /* how many */
};

/* .status and .name only make the store readable for an operator; the core
 * reads nothing but .id, .gtx and .body (versioned) back. */
struct row {
	enum row_table table;
	uint64_t id;
	uint64_t gtx;
	int status;
	struct bytes name; /* transaction name, or resource of a branch */
	struct bytes body;
};

/* ---- what may be asked ---- */

enum request_type {
	RQ_BEGIN,
	RQ_REGISTER, /* a branch, with its lock keys */
	RQ_REPORT,   /* end of a branch's phase one */
	RQ_COMMIT,
	RQ_ROLLBACK,
	RQ_STATUS,
	RQ_LOCK_CHECK,   /* are these rows free for this transaction? */
	RQ_IDS,          /* a block of numbers for the agent's id generator */
	RQ_RETRY,        /* operator: due now; also takes hung ones up again */
	RQ_RESOLVE,      /* operator: what to do about a dirty branch */
	RQ_SAGA_START,   /* begin a run */
	RQ_SAGA_MOVE,    /* operator: forward, compensate, skip */
	RQ_SAGA_SHOW,    /* its state, data and path as JSON, in .detail */
	RQ_MACHINE_PUT,  /* a version of a state machine */
	RQ_MACHINE_DROP, /* one that no run uses */
	RQ_SUBSCRIBE,    /* a subscriber of a topic */
	RQ_UNSUBSCRIBE,
	RQ_TYPES, /* how many */
};

/* What a global transaction is for. */
enum gtx_kind {
	KIND_PLAIN,   /* branches of any mode, decided by who began it */
	KIND_MESSAGE, /* prepared; its deliveries are branches of mode MSG */
	KIND_SAGA,    /* decided by a run of tc/saga; has no branches */
};

enum saga_move { MOVE_FORWARD, MOVE_COMPENSATE, MOVE_SKIP };

/* What an operator decided about an AT branch whose undo met a dirty row. A
 * hung XA branch, which somebody else ended in the database, is acknowledged by
 * KEEP_CURRENT without .text: it counts as done. */
enum resolution {
	RESOLVE_NONE,
	RESOLVE_USE_UNDO,     /* write the before image all the same */
	RESOLVE_KEEP_CURRENT, /* leave the dirty rows as they are */
	/* Write what .text says (JSON, undo/compensate.h). With the two above
	 * .text, if any, says for which rows they were meant. */
	RESOLVE_VALUES,
};

struct request {
	enum request_type type;
	uint64_t peer;    /* who asks; 0: the coordinator's own HTTP door */
	uint64_t id;      /* comes back in the reply; the peer's own number */
	struct bytes xid; /* text; all but BEGIN and IDS */
	uint64_t branch;  /* REPORT, RESOLVE, RETRY (0: all branches) */

	struct bytes name; /* BEGIN */
	/* BEGIN. REGISTER: whose branch it is, if not the peer's own (or if
	 * there is no peer). */
	struct bytes application;
	uint64_t timeout_ms; /* BEGIN; 0: the default */
	bool ordered;        /* BEGIN: phase two in order, one by one */
	enum gtx_kind kind;  /* BEGIN: PLAIN or MESSAGE */
	/* BEGIN of a message: who says whether the local transaction of a
	 * producer that is silent was committed; a target, as .resource.
	 * Asked when .timeout_ms is over. Empty: it is rolled back then. */
	struct bytes check;

	enum branch_mode mode; /* REGISTER */
	/* REGISTER, LOCK_CHECK. What begins with http:// or https:// is the
	 * origin of an HTTP participant (base/url.h): its commands are for the
	 * door that calls URLs (url_peer). */
	struct bytes resource;
	/* REGISTER, BEGIN (for .check), SAGA_START, SUBSCRIBE: what the caller
	 * of URLs must know (tc/door/participant.h: JSON with URLs, headers).
	 * The core keeps it and hands it out. */
	struct bytes participant;
	/* REGISTER, BEGIN: how long a command may take; 0: the default. */
	uint64_t call_timeout_ms;
	/* REGISTER of mode MSG: deliver so long after the commit. */
	uint64_t deliver_after_ms;
	/* REGISTER of mode MSG: when to try again; after the last one it is
	 * given up. NULL: as the configuration says. */
	const uint64_t *schedule_ms;
	size_t n_schedule;
	/* REGISTER of mode MSG: .resource names a topic; one branch for each
	 * of its subscribers. E_NOTFOUND if it has none. */
	bool topic;
	struct bytes application_data; /* REGISTER; REPORT: replaces, if any */
	/* REGISTER: the asker's own number for this branch. The same number on
	 * the same xid again is the same branch: the answer is repeated. */
	uint64_t client_key;
	const struct bytes *lock_keys; /* REGISTER, LOCK_CHECK */
	size_t n_lock_keys;
	uint64_t wait_ms; /* for locks; COMMIT, ROLLBACK: for phase two */

	enum branch_status
		report; /* REPORT: PHASE_ONE_DONE, …_FAILED, RDONLY */
	uint64_t count; /* IDS */
	enum resolution resolution; /* RESOLVE */
	struct bytes
		text; /* RESOLVE: values; ROLLBACK, RETRY: why, for history */
	struct bytes reason; /* RESOLVE, SAGA_MOVE, and with .actor: why */

	/* SAGA_START: .name is the machine and .version its version (empty:
	 * the newest), or .text is a document of its own (name empty).
	 * .business_key with the machine's name is given once: a repeated
	 * start answers with the first run (.existed). .input is a JSON object
	 * or empty, .timeout_ms the run's deadline (0: the machine's), .wait_ms
	 * waits for the end. MACHINE_PUT: .text; the answer has .name, .version
	 * and, if the very same is there already, .existed. MACHINE_DROP: .name,
	 * .version.
	 * BEGIN of a message: .business_key with its name is given once, too: a
	 * repeated begin answers with the first message (.existed, and where it
	 * is), until that was rolled back. */
	struct bytes version;
	struct bytes business_key;
	struct bytes input;
	enum saga_move move; /* SAGA_MOVE */
	uint32_t task; /* SAGA_MOVE: SKIP only this one; UINT32_MAX: all */
	/*
	 * Who asks, if it is a person or a program that operates: "user alice",
	 * "token deploy". COMMIT, ROLLBACK, RETRY, RESOLVE and SAGA_MOVE want a
	 * .reason then (E_INVALID without), are not waited for (.wait_ms), and
	 * are written to the audit log before they are answered, refused ones,
	 * too. So are MACHINE_PUT, …_DROP, SUBSCRIBE and UNSUBSCRIBE.
	 */
	struct bytes actor;
	/* The same five: the gtx_view.revision that the operator saw; 0: any.
	 * If it is another one now: E_CONFLICT, with the present one. */
	uint64_t revision;
	/* All nine: change nothing, and write no audit; what would be answered
	 * is, with .change, and .status as it is. Others: E_INVALID. */
	bool dry_run;
	/* SUBSCRIBE, UNSUBSCRIBE: .name is the topic; .resource the target. The
	 * same subscriber again replaces its target. UNSUBSCRIBE of one that is
	 * not there: E_NOTFOUND. */
	struct bytes subscriber;
};

/*
 * .err says:
 *   OK
 *   E_NOTFOUND    no such transaction or branch (presumed rolled back; a
 *                 finished one is known by its tombstone and answers OK or
 *                 E_STATE with its true status)
 *   E_UNKNOWN     this store never gave such a number: it was replaced by a new
 *                 or an older one since. Nothing may be presumed
 *   E_STATE       not in .status: e.g. commit of one that rolled back
 *   E_CONFLICT    locks: the holder is in .holder, .key, .holder_age_ms;
 *                 an operator's: the transaction has changed, see .revision
 *   E_DEADLOCK    locks: waiting would close a cycle; holder as above
 *   E_TIMEOUT     locks: waited as long as asked; holder as above
 *   E_LIMIT       a limit of the configuration; .text names it
 *   E_INVALID     .text says what is wrong with the request
 *   E_CLOSED      the store failed or the coordinator is stopping
 */
struct reply {
	uint64_t peer;
	uint64_t id;
	enum request_type type;
	int err;
	enum gtx_status status; /* where the transaction is now */
	struct bytes xid;
	uint64_t branch;   /* REGISTER; of a topic: the first one */
	uint64_t first_id; /* IDS: first_id … first_id + count - 1 are yours */
	uint64_t count;    /* also REGISTER of a topic: how many branches */
	struct bytes holder; /* xid */
	struct bytes key;    /* a lock key */
	uint64_t holder_age_ms;
	struct bytes text; /* a sentence for people; empty if OK */
	/* SAGA_SHOW, and of a saga's end: a JSON object with status (a word of
	 * tc/saga), machine, version, business_key, data, error, message, path
	 * (see saga_path) and calls (those under way). */
	struct bytes detail;
	struct bytes name, version; /* MACHINE_PUT */
	bool existed; /* BEGIN, SAGA_START, MACHINE_PUT, SUBSCRIBE */
	/* Of a request with .actor, .revision or .dry_run. What was done, or
	 * would be: {"before": {"status", "revision"}, "after": {"status"},
	 * "changes": [sentences]}; and where the transaction is when this
	 * leaves (0: it is not there any more). */
	struct bytes change;
	uint64_t revision;
};

/* ---- commands: phase two, and what else participants are told ---- */

enum command_type {
	COMMAND_COMMIT, /* of a branch; mode MSG: deliver it */
	COMMAND_ROLLBACK,
	COMMAND_CHECK, /* is the message's local transaction committed? .branch
			* is 0. COMMITTED: yes; ROLLBACKED: no, and never;
			* …RETRYABLE: it is still open */
	COMMAND_CALL,  /* a saga's action or compensation */
};

/* Peers that are not connected to us but called: one for each origin, made by
 * the core when something is registered there, gone with the last of it. They
 * don't count in peers_max; EV_PEER_UP and EV_PEER_GONE are never of them. */
#define PEER_URL (UINT64_C(1) << 63)

static inline bool peer_is_url(uint64_t peer)
{
	return (peer & PEER_URL) != 0;
}

struct command {
	uint64_t peer; /* peer_is_url(): .resource is the origin */
	uint64_t id;   /* of this attempt; comes back in branch_done */
	enum command_type type;
	struct bytes xid;
	uint64_t branch;
	enum branch_mode mode;
	struct bytes resource;
	struct bytes application_data;
	uint32_t attempt; /* 1, 2, … */
	enum resolution resolution;
	struct bytes values;      /* RESOLVE_VALUES */
	struct bytes participant; /* as registered */
	uint64_t timeout_ms;      /* then its answer is not waited for */

	/* CALL: .resource is the service or its origin, .service what the
	 * definition says (a URL for an origin), .application_data the input.
	 * .branch is the task; of a compensation, the task that it undoes. So
	 * (xid, branch, compensation) is the idempotency key. */
	struct bytes service;
	struct bytes method;
	bool compensation;
};

struct branch_done {
	uint64_t peer;
	uint64_t command; /* struct command .id; late answers are known by it */
	enum command_type type; /* of the command */
	struct bytes xid;
	uint64_t branch;
	/* Under way, ask again: no failure. .status is …RETRYABLE. */
	bool in_progress;
	/* COMMITTED, ROLLBACKED: done. …RETRYABLE, …NOTA: later again.
	 * …UNRETRYABLE: hung. Anything else counts as retryable.
	 * CALL: COMMITTED: done, with the output in .detail;
	 * COMMIT_UNRETRYABLE: refused; anything else: not known. */
	enum branch_status status;
	struct bytes error;      /* for people */
	struct bytes error_name; /* CALL: what Catch and Retry look at */
	struct bytes detail; /* JSON: the difference of a dirty row; output */
};

/* ---- peers ---- */

struct peer_up {
	uint64_t peer; /* never 0, never used twice by the door */
	struct bytes application;
	struct bytes instance; /* one process; survives reconnects */
	struct bytes address;  /* for people */
	/* Can run phase two of these. What begins with http:// or https:// is
	 * passed over: origins are called, they are nobody's to offer. */
	const struct bytes *resources;
	size_t n_resources;
};

/* ---- events ---- */

enum event_type {
	EV_LOADED,    /* a row read back at start; any order */
	EV_READY,     /* every row was given; begin work */
	EV_PEER_UP,   /* also when its resources changed: all of them again */
	EV_PEER_GONE, /* its commands count as lost */
	EV_REQUEST,
	EV_BRANCH_DONE,
	EV_STORED,       /* every row up to .seq is durable */
	EV_STORE_FAILED, /* final */
	EV_TIME,         /* core_deadline() has come */
	EV_TYPES,        /* how many */
};

struct event {
	enum event_type type;
	uint64_t now_ms; /* monotonic, never goes back; the core's only clock */
	/* Since 1970; for people. What it decides is how much of a message's
	 * delay was over at a restart, and where the clock of sagas goes on. */
	uint64_t wall_ms;
	union {
		struct row row;          /* LOADED */
		struct peer_up up;       /* PEER_UP */
		uint64_t peer;           /* PEER_GONE */
		struct request request;  /* REQUEST */
		struct branch_done done; /* BRANCH_DONE */
		uint64_t seq;            /* STORED */
	};
};

/* ---- effects ---- */

enum effect_type {
	FX_PUT,    /* insert or replace .row */
	FX_DELETE, /* delete .row (.table and .id) if it is there */
	FX_REPLY,
	FX_COMMAND, /* may be lost; ends in EV_BRANCH_DONE or a time-out */
	FX_HISTORY, /* a line for .history.gtx; lazy, bounded, for people */
	FX_ARCHIVE, /* a finished transaction for the console; lazy */
	FX_AUDIT,   /* what an operator did; counts as a row, forced */
};

/* What a line of a history is about, for programs that draw it. The numbers are
 * in the store's file: new ones come last. */
enum history_kind {
	HISTORY_NOTE,  /* nothing but its text; every line of old stores */
	HISTORY_BEGUN, /* a saga */
	HISTORY_REGISTERED,
	HISTORY_REPORTED, /* end of a branch's phase one */
	HISTORY_DECIDED,  /* of a saga: that it is undone */
	HISTORY_SENT,     /* a saga's call, or the question about a message */
	HISTORY_DONE,
	HISTORY_BUSY,   /* under way; it is asked again */
	HISTORY_FAILED, /* one attempt */
	HISTORY_HUNG,
	HISTORY_OPERATOR,
	HISTORY_ENDED, /* a saga; for others the archive says it */
	HISTORY_KINDS, /* how many */
};

/* One word, "sent"; of a number that is none "note". */
const char *history_kind_name(int kind);

struct history {
	uint64_t gtx;
	uint64_t wall_ms;
	enum history_kind kind;
	uint64_t branch;   /* 0: none */
	uint32_t task;     /* of a saga: its number in the path + 1; 0: none */
	uint32_t attempt;  /* from 1; 0: none */
	struct bytes text; /* "branch 7: PhaseTwo_Rollbacked, attempt 2" */
};

struct audit {
	uint64_t id; /* the store's; in an effect 0 */
	uint64_t wall_ms;
	struct bytes actor;
	struct bytes action; /* one word: "retry", "login", … */
	struct bytes xid;    /* or empty */
	uint64_t branch;     /* 0: none */
	struct bytes reason;
	struct bytes detail; /* JSON: reply .change, or what fits the action */
	int err;             /* what it was answered */
};

struct archive {
	uint64_t gtx;
	enum gtx_status status;
	struct bytes name;
	struct bytes application;
	uint64_t began_wall_ms;
	uint64_t ended_wall_ms;
	uint32_t n_branches;
	enum gtx_kind kind;
	struct bytes detail; /* of a saga: JSON, as RQ_SAGA_SHOW */
};

struct effect {
	enum effect_type type;
	bool forced; /* PUT, AUDIT: a promise waits for it */
	union {
		struct row row;
		struct reply reply;
		struct command command;
		struct history history;
		struct archive archive;
		struct audit audit;
	};
};

struct effects {
	const struct effect *items;
	size_t n;
	/* The number of this step's rows for EV_STORED; 0 if it has none.
	 * Numbers go up by one from 1. */
	uint64_t seq;
	bool forced; /* one of its rows is */
};

/*
 * A core that knows nothing yet: give it EV_LOADED for each stored row, then
 * EV_READY. The configuration is copied; `mem` must outlive the core.
 * OK, E_NOMEM, or E_INVALID: a value of the configuration makes no sense.
 */
MUST_CHECK int core_new(struct core **out, const struct mem *mem,
			const struct core_config *config);
void core_free(struct core *c);

/*
 * OK         *out says what to do
 * E_NOMEM    nothing changed: try the event again, or refuse it
 * E_LIMIT    EV_PEER_UP only: peers_max; the peer stays unknown and gets no
 *            commands
 * E_CORRUPT  EV_LOADED: the row is damaged; EV_READY: the rows contradict each
 *            other (a branch without its transaction, a lock held twice); the
 *            start must stop
 * E_VERSION  EV_LOADED only: written by a newer version; the start must stop
 *
 * Work that only follows from an event (a timer, a lock that came free, a reply
 * whose row became durable) and finds no memory is not lost: it is tried again
 * with the next event, and core_deadline() asks for one soon.
 */
MUST_CHECK int core_step(struct core *c, const struct event *event,
			 struct effects *out);

/* When EV_TIME is next wanted, on the clock of now_ms; UINT64_MAX: never. */
uint64_t core_deadline(const struct core *c);

/* Take limits and times from a new configuration; what exists already stays
 * even above a lowered limit. .coordinator, .seed, .first_id are ignored. */
MUST_CHECK int core_reconfigure(struct core *c,
				const struct core_config *config);

/* ---- questions; results are borrowed until the next step ---- */

struct gtx_view {
	uint64_t number;
	enum gtx_status status;
	struct bytes name;
	struct bytes application;
	uint64_t began_wall_ms;
	uint64_t age_ms;
	uint64_t timeout_ms;
	size_t n_branches;
	size_t n_locks;
	uint64_t next_due_ms; /* from now; UINT64_MAX: nothing is due */
	struct bytes last_error;
	enum gtx_kind kind;
	struct bytes machine, version, business_key; /* of a saga */
	struct bytes check;                          /* of a message */
	const char *why; /* why it is not finished yet, for people; or NULL */
	/* Of its status and those of its branches; of a saga, of where it is:
	 * another state, another number, never 0. Attempts don't count. */
	uint64_t revision;
};

struct branch_view {
	uint64_t id;
	enum branch_mode mode;
	enum branch_status status;
	struct bytes resource;
	struct bytes application;
	struct bytes instance;
	struct bytes application_data;
	uint32_t attempts;
	uint64_t next_due_ms; /* from now; UINT64_MAX: nothing is due */
	bool in_flight;       /* a command waits for its answer */
	struct bytes last_error;
	struct bytes detail; /* JSON, of a dirty row; empty if none */
	const struct bytes *lock_keys;
	size_t n_lock_keys;
	struct bytes participant;
	struct bytes topic, subscriber; /* of a message's delivery, or empty */
	uint32_t failures; /* that count; the schedule's, if it has one */
	size_t n_schedule; /* after so many it is given up; 0: no schedule */
	uint64_t deliver_after_ms;
	const char *why; /* why it is not finished yet, for people; or NULL */
};

struct gtx_filter {
	unsigned kinds;        /* bits 1 << enum gtx_kind; 0: any */
	int status;            /* -1: any */
	bool hung;             /* only those that need an operator */
	struct bytes text;     /* part of name or application; empty: any */
	struct bytes resource; /* has a branch on it; empty: any */
	uint64_t age_ms_min;
	uint64_t after; /* only numbers above: the paging cursor */
	size_t limit;   /* at most this many */
};

/* Unfinished transactions by number, oldest first. Returns how many it gave;
 * the callback ends the walk by returning false. */
size_t core_list(const struct core *c, const struct gtx_filter *filter,
		 uint64_t now_ms, bool (*each)(void *ctx, struct gtx_view),
		 void *ctx);

/* E_NOTFOUND: not among the unfinished ones (see core_outcome). */
MUST_CHECK int core_show(const struct core *c, uint64_t number, uint64_t now_ms,
			 struct gtx_view *view,
			 void (*branch)(void *ctx, struct branch_view),
			 void *ctx);

/* Whether this store may have given out the number. If not, it is of another
 * life of this coordinator, and that it is not found says nothing. */
bool core_gave(const struct core *c, uint64_t number);

/* The outcome that a tombstone remembers. E_NOTFOUND if there is none. */
MUST_CHECK int core_outcome(const struct core *c, uint64_t number,
			    enum gtx_status *status);

struct lock_view {
	struct bytes resource;
	struct bytes key;       /* a lock key, base/lock_key.h */
	uint64_t gtx, branch;   /* who has it */
	enum gtx_status status; /* of the transaction */
	uint64_t age_ms;        /* the same */
	size_t n_waiters;       /* in its queue, looks too */
};

struct lock_filter {
	struct bytes resource; /* empty: any */
	bool waited_for;       /* only those with a queue */
	/* Only branches behind this one, in the order of transactions and then
	 * of branches: the paging cursor. */
	uint64_t after_gtx, after_branch;
	/* No branch is begun after so many keys; the last one is given whole,
	 * so it may be more. */
	size_t limit;
};

/* Row locks, those of the oldest transaction first. A key that two branches of
 * a transaction named comes twice. Returns how many it gave; the callback ends
 * the walk by returning false. */
size_t core_locks(const struct core *c, const struct lock_filter *filter,
		  uint64_t now_ms, bool (*each)(void *ctx, struct lock_view),
		  void *ctx);

struct wait_view {
	uint64_t waiter, holder; /* transactions */
	/* The holder has it; else it wants it, too, and came first. */
	bool held;
	bool takes;            /* the waiter; else it only looks (LOCK_CHECK) */
	struct bytes resource; /* the waiter's */
	struct bytes key;
	uint64_t waited_ms;
	uint64_t left_ms; /* then it is refused */
};

/* Who waits for whom, over which key: the edges of the wait-for graph, oldest
 * waiters first. In each queue the holder and the nearest one before; the
 * others are reached through that one. */
void core_waits(const struct core *c, uint64_t now_ms,
		bool (*each)(void *ctx, struct wait_view), void *ctx);

struct peer_view {
	uint64_t peer;
	bool url; /* an origin that is called; its only resource is its name */
	struct bytes application, instance; /* of an origin empty */
	size_t n_resources;
	size_t n_in_flight; /* commands that wait for its answer */
	size_t n_queued;    /* that wait for a place at just this one */
	bool suspect; /* let a command time out and has not answered since */
};

/* Agents that said hello, and origins that are called; in no order. */
void core_peers(const struct core *c, bool (*each)(void *ctx, struct peer_view),
		void *ctx);
/* What it can run phase two of. E_NOTFOUND. */
MUST_CHECK int core_peer_resources(const struct core *c, uint64_t peer,
				   bool (*each)(void *ctx, struct bytes name),
				   void *ctx);

struct machine_view {
	struct bytes name, version;
	struct bytes document;
	uint64_t added_wall_ms;
	size_t n_runs; /* unfinished */
};

/* Every version of every machine that was put, by name, oldest first. */
void core_machines(const struct core *c,
		   bool (*each)(void *ctx, struct machine_view), void *ctx);

struct topic_view {
	struct bytes topic, subscriber, resource, participant;
};

/* Every subscriber of every topic, by topic and subscriber. */
void core_topics(const struct core *c,
		 bool (*each)(void *ctx, struct topic_view), void *ctx);

struct core_stats {
	uint64_t begun, committed, rolled_back, timed_out, hung;
	uint64_t branches, commands, retries;
	uint64_t lock_conflicts, lock_waits, deadlocks;
	uint64_t rows_forced, rows_lazy;
	size_t gtx_now, locks_now, waiters_now, peers_now, tombstones_now;
	size_t origins_now; /* that are called */
	uint64_t messages;  /* begun */
	uint64_t delivered; /* to one consumer each */
	uint64_t checks;    /* asked */
	uint64_t dead_letters;
	size_t dead_letters_now, subscribers_now;
};

struct core_stats core_stats(const struct core *c);

#define CENSUS_AGES  7
#define CENSUS_KINDS (KIND_SAGA + 1)

/* In seconds: a minute, …, a day. */
extern const uint64_t census_ages_s[CENSUS_AGES];

/* What is unfinished now. Ages are by the wall clock, so they go on over a
 * restart; 0 if there is none. */
struct core_census {
	size_t gtx[CENSUS_KINDS][GTX_STATUSES];
	size_t older[CENSUS_AGES];      /* than census_ages_s[i], since begin */
	size_t hung_older[CENSUS_AGES]; /* of these, hung ones */
	uint64_t oldest_ms;             /* since begin */
	uint64_t oldest_hung_ms;        /* since begin */
	uint64_t oldest_decided_ms;     /* since the decision */

	/* What participants have to be told (tc/core/job.h), by where it is. */
	size_t blocked;   /* something else must be finished first */
	size_t queued;    /* waits for a place at a peer */
	size_t in_flight; /* sent, not answered */
	size_t due;       /* is tried again later, or has its time to come */
	size_t held;      /* waits for its row to be durable */
	size_t hung;      /* waits for an operator */

	size_t agents, agents_suspect;   /* suspect: let a command time out */
	size_t origins, origins_suspect; /* that are called */
	/* Resources for which something waits, that nobody connected has. */
	size_t resources_unserved;
};

/* Walks every unfinished transaction, peer and resource: some milliseconds
 * for 100 000 of them. */
void core_census(const struct core *c, uint64_t wall_ms,
		 struct core_census *out);

/* Walk everything and REQUIRE its invariants. For tests and the simulator. */
void core_check(const struct core *c);

#endif
