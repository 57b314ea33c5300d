#ifndef TREATY_TREATY_H
#define TREATY_TREATY_H

/*
 * Treaty's agent: global transactions in a program. One handle talks to the
 * coordinator (treatyd); with it a program begins transactions, joins those of
 * others, and runs its part of their second phase.
 *
 *   struct treaty_options o;
 *   treaty_options_init(&o, sizeof o);
 *   o.address = "tcp://127.0.0.1:7090";
 *   o.application = "order";
 *   treaty_open(&t, &o);
 *
 *   treaty_begin(t, "checkout", 30000, &tx);     now bound to this thread
 *   … SQL through <treaty/at.h>, calls of other services with the header
 *     TX_XID: treaty_xid(tx) …
 *   rc = treaty_commit(tx);                      or treaty_rollback(tx)
 *   treaty_release(tx);
 *
 * Rules
 * -----
 *  - A handle is thread-safe. A transaction object is used by one thread at a
 *    time: the one it is bound to, or any if it is bound to none.
 *  - Only who began a transaction ends it. Who joined it releases it.
 *  - Every call returns TREATY_OK or a negative code of enum treaty_error;
 *    treaty_last_error() then has a sentence for people: what happened, to
 *    which transaction, branch or row, who is in the way, what can be done.
 *    On an error, out-parameters are not written, unless said otherwise.
 *  - An outcome is committed, rolled back, or unknown. Unknown
 *    (TREATY_E_UNKNOWN) is never guessed away: ask again, or later.
 *  - Threads: one that reads the network, .threads workers that run phase two
 *    and other callbacks, and one more for AT and XA alone, which goes on when
 *    all callbacks wait. With .threads = 0 there is none at all: the program calls
 *    treaty_process() from its own loop, see there.
 *  - Arguments are borrowed for the call; text is UTF-8 with a NUL behind.
 *  - After fork() the child must not use a handle, nor open another if the
 *    parent had one open (the network library does not survive a fork): fork
 *    first, then open. Such a call is refused with TREATY_E_STATE.
 *  - A handle that was closed is remembered: using it is TREATY_E_CLOSED.
 *  - SIGPIPE is never raised by this library.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#ifndef TREATY_API
#define TREATY_API __attribute__((visibility("default")))
#endif

struct treaty;    /* a connection to the coordinator */
struct treaty_tx; /* a global transaction, begun or joined */

/* ---- errors ---- */

enum treaty_error {
	TREATY_OK = 0,
	TREATY_E_NOMEM = -1,    /* out of memory; nothing changed */
	TREATY_E_LIMIT = -2,    /* a configured limit is reached */
	TREATY_E_CONFLICT = -3, /* another transaction holds the row */
	TREATY_E_INVALID = -4,  /* an argument makes no sense */
	TREATY_E_NOTFOUND = -5, /* the coordinator knows no such transaction */
	TREATY_E_STATE = -6,    /* not allowed now; misuse */
	TREATY_E_CORRUPT = -7,  /* damaged data */
	TREATY_E_IO = -8,       /* network or database failed */
	TREATY_E_TIMEOUT = -9,  /* not in time; nothing was done */
	TREATY_E_UNKNOWN = -10, /* sent, but no answer: may or may not be */
	TREATY_E_UNSUPPORTED = -11, /* cannot be done safely */
	TREATY_E_CLOSED = -12,      /* the handle, or the coordinator, closes */
	TREATY_E_DENIED = -13,      /* the coordinator refuses this program */
	TREATY_E_DEADLOCK = -14,    /* waiting would never end; roll back */
	TREATY_E_DIRTY = -15,       /* a row was changed from outside */
	TREATY_E_VERSION = -16,     /* the coordinator is too old or too new */
	TREATY_E_AGAIN = -17,       /* not now; try again */
	TREATY_E_ROLLED_BACK = -18, /* the transaction is rolled back */
};

/* The version of this library, e.g. "0.1.0". */
TREATY_API const char *treaty_version(void);

/* A short sentence for a code. Never NULL. */
TREATY_API const char *treaty_error_text(int error);

/* The sentence of the calling thread's last failed call; "" if none failed
 * yet. Borrowed until the thread's next call. */
TREATY_API const char *treaty_last_error(void);

/* ---- log ---- */

enum treaty_log_level {
	TREATY_LOG_DEBUG,
	TREATY_LOG_INFO,
	TREATY_LOG_WARN,
	TREATY_LOG_ERROR,
	TREATY_LOG_OFF
};

/*
 * Where the library's log lines (key=value …, a newline at the end) go, for the
 * whole process; the default is standard error from WARN up. NULL puts
 * standard error back. The function may be called by any thread; the line is
 * borrowed for the call. Set it before treaty_open().
 */
TREATY_API void treaty_set_log(void (*log)(void *ctx, const char *line,
					   size_t len),
			       void *ctx, enum treaty_log_level from);

/* ---- opening ---- */

/* What treaty_begin() does on a thread that has a transaction already. */
enum treaty_nesting {
	TREATY_NESTING_REFUSE = 0, /* TREATY_E_STATE */
	/* The outer one is put aside, and is bound again when the inner one
	 * is ended, unbound or released. They are independent. */
	TREATY_NESTING_SUSPEND = 1,
};

struct treaty_options {
	size_t size; /* set by treaty_options_init() */

	/* "tcp://host:port" or "ipc:///path"; several, separated by commas,
	 * are tried in turn. Must be given. */
	const char *address;
	/* Name of this service, the same in all its processes; letters,
	 * digits and -._ , at most 64 bytes. Must be given. */
	const char *application;
	/* Name of this process, unique; NULL: host, pid and a random part. */
	const char *instance;

	/* Workers that run phase two, at most 64. 0: no thread at all. */
	uint32_t threads; /* 2 */
	/* How long a call waits for the coordinator's answer. */
	uint32_t request_timeout_ms; /* 10 000 */
	/* How long a branch waits for rows that another transaction holds,
	 * where nothing else is said. */
	uint32_t lock_wait_ms; /* 10 000 */
	/* How long commit and rollback wait for the second phase; they return
	 * when the outcome is certain even if it still runs. */
	uint32_t commit_wait_ms;   /* 0 */
	uint32_t rollback_wait_ms; /* 3 000 */
	/* treaty_close() waits that long for calls and handlers to end. */
	uint32_t close_wait_ms; /* 5 000 */
	/* A silent connection is asked for a sign of life that often; after
	 * three times that without one it is made anew. */
	uint32_t heartbeat_ms; /* 500 */
	/* Requests under way at once; more is TREATY_E_LIMIT. */
	uint32_t requests_max; /* 10 000 */
	/* Phase-two commands waiting for a worker; the coordinator is told to
	 * come again with more. */
	uint32_t commands_max; /* 1 000 */
	/* Longest message to and from the coordinator; not more than the
	 * coordinator takes. */
	uint32_t message_max; /* 4 MiB */
	/* Numbers that treaty_id_next() fetches at once. */
	uint32_t id_block; /* 1 000 */

	enum treaty_nesting nesting;
};

/* Fill in the defaults above. `size` is sizeof(struct treaty_options), so that
 * a program that was built with an older header goes on to work. */
TREATY_API void treaty_options_init(struct treaty_options *options,
				    size_t size);

/*
 * Open a handle. Does not wait for the coordinator, which may be down: calls
 * wait for it as long as their time-out allows.
 *
 * TREATY_E_INVALID  an option makes no sense; treaty_last_error() names it
 * TREATY_E_STATE    this process was forked from one that had a handle open
 * TREATY_E_NOMEM, TREATY_E_IO
 */
TREATY_API int treaty_open(struct treaty **out,
			   const struct treaty_options *options);

/*
 * Let go. New calls are refused; calls that wait for the coordinator and
 * running phase-two handlers get .close_wait_ms, then the calls are ended with
 * TREATY_E_CLOSED (TREATY_E_UNKNOWN if the request was sent). Undecided transactions are left to the
 * coordinator, which rolls them back at their time-out. treaty_release() of a
 * transaction works afterwards, too. NULL is fine.
 *
 * TREATY_E_TIMEOUT  a handler or call still runs after .close_wait_ms: nothing
 *                   was freed, call it again
 * TREATY_E_STATE    called from a phase-two handler or a hook, or in the child
 *                   of a fork
 * TREATY_E_CLOSED   closed before
 */
TREATY_API int treaty_close(struct treaty *t);

/* True if the coordinator has answered our greeting and has not been silent
 * since. For readiness probes; a call need not ask. */
TREATY_API bool treaty_connected(struct treaty *t);

/* ---- transactions ---- */

/* Seata's status codes of global transactions. */
enum treaty_status {
	TREATY_STATUS_UNKNOWN = 0,
	TREATY_STATUS_BEGIN = 1,
	TREATY_STATUS_COMMITTING = 2,
	TREATY_STATUS_COMMIT_RETRYING = 3,
	TREATY_STATUS_ROLLBACKING = 4,
	TREATY_STATUS_ROLLBACK_RETRYING = 5,
	TREATY_STATUS_TIMEOUT_ROLLBACKING = 6,
	TREATY_STATUS_TIMEOUT_ROLLBACK_RETRYING = 7,
	TREATY_STATUS_ASYNC_COMMITTING = 8,
	TREATY_STATUS_COMMITTED = 9,
	TREATY_STATUS_COMMIT_FAILED = 10, /* waits for an operator */
	TREATY_STATUS_ROLLBACKED = 11,
	TREATY_STATUS_ROLLBACK_FAILED = 12, /* waits for an operator */
	TREATY_STATUS_TIMEOUT_ROLLBACKED = 13,
	TREATY_STATUS_TIMEOUT_ROLLBACK_FAILED = 14, /* waits … */
	TREATY_STATUS_FINISHED = 15,
	TREATY_STATUS_COMMIT_RETRY_TIMEOUT = 16,   /* waits … */
	TREATY_STATUS_ROLLBACK_RETRY_TIMEOUT = 17, /* waits … */
	TREATY_STATUS_DELETING = 18,
	TREATY_STATUS_STOP_COMMIT = 19,
	TREATY_STATUS_STOP_ROLLBACK = 20,
};

/* "Committing", …; "Unknown" for a number that has no name. */
TREATY_API const char *treaty_status_name(int status);

struct treaty_begin_options {
	size_t size;      /* sizeof(struct treaty_begin_options) */
	const char *name; /* what it is for, e.g. "checkout" */
	/* Not committed by then, it is rolled back. 0: the coordinator's
	 * default. */
	uint32_t timeout_ms;
	bool ordered; /* phase two branch by branch, in their order */
	const char *traceparent; /* W3C trace context, or NULL */
};

/*
 * Begin a global transaction and bind it to the calling thread. Ended by
 * treaty_commit() or treaty_rollback(); the object is freed by
 * treaty_release() in any case.
 *
 * TREATY_E_STATE    one is bound to this thread already (see enum
 *                   treaty_nesting), or after fork
 * TREATY_E_TIMEOUT  the coordinator could not be reached in time
 * TREATY_E_INVALID, TREATY_E_LIMIT, TREATY_E_DENIED, TREATY_E_CLOSED,
 * TREATY_E_NOMEM
 */
TREATY_API int treaty_begin(struct treaty *t, const char *name,
			    uint32_t timeout_ms, struct treaty_tx **out);
TREATY_API int treaty_begin_with(struct treaty *t,
				 const struct treaty_begin_options *options,
				 struct treaty_tx **out);

/* The name of the HTTP header that carries an xid from service to service. */
#define TREATY_XID_HEADER "TX_XID"
#define TREATY_XID_MAX    128 /* bytes, without the NUL */

/* TREATY_OK if the text has the form of an xid, "host:port:number"; else
 * TREATY_E_INVALID. Asks nobody. */
TREATY_API int treaty_xid_check(const char *xid);

/*
 * Take part in a transaction that another process (or thread) began, and bind
 * it to the calling thread. Asks nobody: whether it still lives is known when
 * the first branch is registered.
 *
 * TREATY_E_INVALID  not an xid
 * TREATY_E_STATE    as treaty_begin()
 */
TREATY_API int treaty_join(struct treaty *t, const char *xid,
			   struct treaty_tx **out);

/*
 * Commit. The thread's binding ends unless the call was refused as misuse.
 *
 * TREATY_OK             committed: it will be in every branch, whatever happens
 * TREATY_E_ROLLED_BACK  it is (or is being) rolled back; the text says why,
 *                       e.g. timed out
 * TREATY_E_UNKNOWN      sent, but not answered in time. The coordinator knows:
 *                       call again, or treaty_status() later
 * TREATY_E_TIMEOUT      could not even be sent: call again; if nobody does, it
 *                       is rolled back at its time-out
 * TREATY_E_NOTFOUND     the coordinator knows nothing of it: rolled back long
 *                       ago, or begun and lost in a crash with no branch
 * TREATY_E_STATE        misuse: committed or rolled back before, joined and not
 *                       begun here, bound to another thread, after fork
 * TREATY_E_CLOSED, TREATY_E_NOMEM   nothing was done
 */
TREATY_API int treaty_commit(struct treaty_tx *tx);

/*
 * Roll back. `reason` is kept in the transaction's history; NULL is fine.
 *
 * TREATY_OK  it is (or is being) rolled back; treaty_tx_status() says how far
 * TREATY_E_UNKNOWN, TREATY_E_TIMEOUT  not answered, not sent. Nobody will
 *            commit it any more, so it is rolled back at its time-out at the
 *            latest (not if a commit before was TREATY_E_UNKNOWN)
 * TREATY_E_STATE  it is committed; or misuse as above
 */
TREATY_API int treaty_rollback(struct treaty_tx *tx, const char *reason);

/*
 * Free the object and end its binding to the calling thread. One that was begun
 * here and not yet decided is rolled back (the request is sent, nobody waits
 * for the answer). TREATY_E_STATE: bound to another thread; nothing was freed.
 * NULL is fine.
 */
TREATY_API int treaty_release(struct treaty_tx *tx);

/* The xid; borrowed until treaty_release(). */
TREATY_API const char *treaty_xid(const struct treaty_tx *tx);
/* The last status that the coordinator has told; enum treaty_status. */
TREATY_API int treaty_tx_status(const struct treaty_tx *tx);
/* True if it was begun here, false if it was joined. */
TREATY_API bool treaty_tx_began(const struct treaty_tx *tx);

/*
 * Ask the coordinator for the present status of any transaction.
 * TREATY_E_NOTFOUND  it knows nothing of it: finished long ago or never begun
 * TREATY_E_TIMEOUT   no answer
 */
TREATY_API int treaty_status(struct treaty *t, const char *xid, int *status);

/* ---- the thread's transaction ---- */

/*
 * Bind, unbind: a transaction moves from one thread to another by unbinding it
 * here and binding it there; suspend and resume are the same.
 *
 * TREATY_E_STATE  this thread has another one already (see enum
 *                 treaty_nesting), or tx is bound to another thread
 */
TREATY_API int treaty_bind(struct treaty_tx *tx);
/* Returns what was bound, or NULL. */
TREATY_API struct treaty_tx *treaty_unbind(struct treaty *t);
/* What is bound to the calling thread, or NULL. */
TREATY_API struct treaty_tx *treaty_current(struct treaty *t);
/* Its xid for the TX_XID header, or NULL. */
TREATY_API const char *treaty_current_xid(struct treaty *t);

/* ---- ids ---- */

/*
 * The next number of this application: never given twice by one coordinator,
 * whatever the clocks do, roughly ascending, with gaps. Numbers come in blocks
 * from the coordinator; the next block is fetched before one is used up.
 *
 * TREATY_E_TIMEOUT  the block is used up and the coordinator is not reached
 */
TREATY_API int treaty_id_next(struct treaty *t, uint64_t *id);

/* ---- hooks ---- */

enum treaty_step {
	TREATY_STEP_BEGIN,
	TREATY_STEP_COMMIT,
	TREATY_STEP_ROLLBACK,
	TREATY_STEP_REGISTER, /* a branch */
	TREATY_STEP_PHASE_TWO_COMMIT,
	TREATY_STEP_PHASE_TWO_ROLLBACK,
	TREATY_STEP_CHECK, /* was the message's local transaction committed? */
	TREATY_STEP_CALL,  /* a saga's action or compensation */
};

struct treaty_hook_event {
	enum treaty_step step;
	bool after;           /* else before */
	int error;            /* after: what the step returned */
	const char *xid;      /* "" before BEGIN */
	const char *name;     /* BEGIN: of the transaction; else "" */
	const char *resource; /* REGISTER, PHASE_TWO_…; else "" */
	uint64_t branch;      /* PHASE_TWO_…, after REGISTER; else 0 */
	int status; /* COMMIT, ROLLBACK: enum treaty_status; PHASE_TWO_…: of
		     * the branch (Seata's number) */
};

/*
 * Called around each step, on the thread that does it, without a lock held. A
 * negative code from a hook before BEGIN, COMMIT or REGISTER refuses that step:
 * the call returns this code and nothing was done. Elsewhere it is ignored.
 * The event is borrowed for the call. Hooks are called in the order in which
 * they were added, and are never removed.
 */
typedef int (*treaty_hook)(void *ctx, const struct treaty_hook_event *event);

/* TREATY_E_LIMIT: there are 8 already. */
TREATY_API int treaty_hook_add(struct treaty *t, treaty_hook hook, void *ctx);

/* ---- programs with their own loop (.threads = 0) ---- */

/*
 * The descriptor to watch for readability (level-triggered), the time after
 * which treaty_process() wants to be called even so (for poll(): -1 for never),
 * and the call that does what is due without blocking on the network: reads
 * and sends messages, then runs phase-two handlers, at most `handlers` of them
 * (0: none; they stay queued).
 *
 * Calls that wait for an answer read and send by themselves meanwhile.
 * treaty_rollback() and treaty_commit() also run handlers while they wait, but
 * no other call does: a handler must not meet an open local transaction of its
 * own thread.
 *
 * treaty_process() returns TREATY_OK, TREATY_E_AGAIN if handlers are left, or
 * TREATY_E_STATE on a handle that has threads.
 */
TREATY_API int treaty_fd(struct treaty *t);
TREATY_API int treaty_next_deadline(struct treaty *t);
TREATY_API int treaty_process(struct treaty *t, unsigned handlers);

#ifdef __cplusplus
}
#endif

#endif
