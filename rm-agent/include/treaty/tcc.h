#ifndef TREATY_TCC_H
#define TREATY_TCC_H

/*
 * TCC mode: a branch is three operations of the application's own. Try checks
 * and reserves (freeze 30 of the balance); if the global transaction commits,
 * confirm uses what was reserved (take the frozen 30), else cancel gives it
 * back.
 *
 *   treaty_tcc_register(t, "deduct", &action, bank);     once, at the start
 *   treaty_begin(t, "checkout", 10000, &tx);
 *   rc = treaty_tcc_try(t, "deduct", "{\"sum\":\"30\"}", NULL);
 *   rc == TREATY_OK ? treaty_commit(tx) : treaty_rollback(tx, "…");
 *
 * Rules
 * -----
 *  - The branch is registered before try runs. So confirm and cancel come for
 *    every try that can have happened, until they say that they are done: after
 *    a crash, too, in whichever process offers an action of that name.
 *  - They come at least once, and cancel also where try failed, was cut off, or
 *    never ran. Ask the barrier first, within the local transaction
 *    (treaty_tcc_barrier_pg() and its like): it tells which.
 *  - Confirm must be able to succeed whenever try has. What may be refused is
 *    refused in try.
 *  - A context, any JSON value, goes from try to confirm and cancel. Confirm
 *    always sees it as it was at the end of try. Cancel may see an older one
 *    (as it was at the registration or at the last treaty_tcc_save()), if try
 *    did not succeed.
 *  - Callbacks run on any thread: on_try on that of the call, the others on the
 *    agent's workers or in treaty_process(). They must return: an exception or
 *    a longjmp that leaves one breaks the program. treaty_close() is refused
 *    in them, and on_try does not end or unbind the transaction.
 *  - Arguments are borrowed for the call; what a callback gets, until it
 *    returns.
 */

#include <treaty/barrier.h>
#include <treaty/treaty.h>

#ifdef __cplusplus
extern "C" {
#endif

struct treaty_tcc; /* one operation of one branch, inside a callback */

/* ---- actions ---- */

/* What confirm and cancel answer. */
enum treaty_tcc_outcome {
	TREATY_TCC_RETRY = 0, /* not now: come again, with growing intervals */
	TREATY_TCC_DONE = 1,
	/* Never: the transaction hangs until an operator has looked. Nothing
	 * is tried again by itself. */
	TREATY_TCC_REFUSED = 2,
};

/* All zero is the default of what need not be given. */
struct treaty_tcc_action {
	size_t size; /* sizeof(struct treaty_tcc_action) */
	/* TREATY_OK; any other code fails treaty_tcc_try() with it, and the
	 * application rolls back. NULL: this process only confirms and
	 * cancels, or calls its try itself (treaty_tcc_branch()). */
	int (*on_try)(void *ctx, struct treaty_tcc *op, void *arg);
	/* Must be given. */
	enum treaty_tcc_outcome (*on_confirm)(void *ctx, struct treaty_tcc *op);
	enum treaty_tcc_outcome (*on_cancel)(void *ctx, struct treaty_tcc *op);
	/* A TREATY_TCC_RETRY of an attempt with this number or a higher one
	 * counts as refused. 0: retries are only limited by the coordinator
	 * (its setting attempts-max). */
	uint32_t attempts_max;
	const char *barrier_table; /* NULL: "barrier" */
};

/*
 * Offer an action. The coordinator is told, and branches that wait for it come
 * at once: register when everything that the callbacks use is ready. It is
 * offered until treaty_close(). The name is that of the branches' resource:
 * the same in all processes and versions that may have to finish them, at most
 * 128 bytes. ctx is yours, and must live as long as the handle.
 *
 * TREATY_E_STATE    a resource of that name is there already
 * TREATY_E_INVALID  a callback is missing, or a name makes no sense
 * TREATY_E_LIMIT, TREATY_E_CLOSED, TREATY_E_NOMEM
 */
TREATY_API int treaty_tcc_register(struct treaty *t, const char *name,
				   const struct treaty_tcc_action *action,
				   void *ctx);

/* ---- phase one ---- */

/*
 * Register a branch of the thread's global transaction, run the action's try,
 * and store the context if try has changed it. `context` is a JSON value, NULL
 * for {}; `arg` is handed to on_try, for its arguments and its result.
 *
 * TREATY_OK  try succeeded, and its context is durable
 * else       the branch may exist and try may have happened: roll the global
 *            transaction back. (Not with TREATY_E_INVALID or TREATY_E_NOTFOUND
 *            from before the registration; but then, too, there is no try.)
 *
 * TREATY_E_NOTFOUND  no such action here, or it has no try; or the coordinator
 *                    does not know the transaction
 * TREATY_E_INVALID   the context is not JSON
 * TREATY_E_STATE     no global transaction on this thread, or it takes no more
 *                    branches (decided, timed out)
 * TREATY_E_LIMIT     the context is too long (the coordinator's
 *                    application-data-max, 1 MiB)
 * TREATY_E_UNKNOWN, TREATY_E_TIMEOUT, TREATY_E_CLOSED, TREATY_E_DENIED,
 * TREATY_E_NOMEM, and what on_try returned (a positive number as
 * TREATY_E_INVALID)
 */
TREATY_API int treaty_tcc_try(struct treaty *t, const char *action,
			      const char *context, void *arg);

/* A branch whose try the application calls itself. */
struct treaty_tcc_branch {
	uint64_t id;
	char branch_id[24]; /* the same as text, for the barrier */
	char xid[TREATY_XID_MAX + 1];
};

/*
 * Only register. Then do what try is to do, with the barrier of
 * treaty_tcc_barrier_of(). The action may be offered by another process, but
 * of this application: names of actions are an application's own.
 * Codes as treaty_tcc_try(); after TREATY_E_UNKNOWN roll back.
 */
TREATY_API int treaty_tcc_branch(struct treaty *t, const char *action,
				 const char *context,
				 struct treaty_tcc_branch *out);

/*
 * The same for an action that another application offers (its name as in its
 * struct treaty_options; NULL: this one). So the caller of a service registers
 * the service's branch, and the service, which is told the xid and the branch,
 * makes the try: asked twice, or too late, it finds out by the barrier.
 * TREATY_E_VERSION: the coordinator is too old.
 */
TREATY_API int treaty_tcc_branch_of(struct treaty *t, const char *application,
				    const char *action, const char *context,
				    struct treaty_tcc_branch *out);

/* A participant that is no program of ours: the coordinator calls its URLs. */
struct treaty_tcc_urls {
	size_t size; /* sizeof(struct treaty_tcc_urls) */
	/* http:// or https://, both at one server, and such as the
	 * coordinator's configuration allows. They are called with gid,
	 * trans_type, branch_id and op (confirm, cancel) in the query, the
	 * header TX_XID and the context as the body (docs/http-participants.md). */
	const char *confirm;
	const char *cancel;
	const char *headers;      /* JSON object of texts; NULL: none */
	uint32_t call_timeout_ms; /* 0: as the coordinator is configured */
};

/*
 * As treaty_tcc_branch(), for a participant that has URLs. Then call its try
 * yourself, with the xid and the branch. TREATY_E_INVALID: they are no
 * URLs; TREATY_E_DENIED: the coordinator may not call them, the text says why; TREATY_E_VERSION: the coordinator is too old.
 */
TREATY_API int treaty_tcc_branch_url(struct treaty *t,
				     const struct treaty_tcc_urls *urls,
				     const char *context,
				     struct treaty_tcc_branch *out);

/* Replace the context of such a branch, durably, from the thread of the
 * transaction, before it is committed. Codes as treaty_tcc_try(). */
TREATY_API int treaty_tcc_branch_save(struct treaty *t,
				      const struct treaty_tcc_branch *branch,
				      const char *context);

/* Its barrier, for the operation "try". Borrows from the branch. */
static inline struct treaty_barrier treaty_tcc_barrier_of(
	const struct treaty_tcc_branch *branch)
{
	struct treaty_barrier b = { "tcc", branch->xid, branch->branch_id,
				    "try", 1,           0 };
	return b;
}

/* ---- inside a callback ---- */

TREATY_API const char *treaty_tcc_xid(const struct treaty_tcc *op);
TREATY_API uint64_t treaty_tcc_id(const struct treaty_tcc *op);
/* "try", "confirm" or "cancel". */
TREATY_API const char *treaty_tcc_op(const struct treaty_tcc *op);
TREATY_API const char *treaty_tcc_action_name(const struct treaty_tcc *op);
/* 1, 2, … of confirm or cancel, as the coordinator counts; 1 in try. */
TREATY_API uint64_t treaty_tcc_attempt(const struct treaty_tcc *op);

/* The context, JSON; borrowed until it is changed or the callback returns. */
TREATY_API const char *treaty_tcc_context(const struct treaty_tcc *op);

/* In try: change the context. It is stored when try succeeds.
 * TREATY_E_INVALID (not JSON), TREATY_E_STATE (not in try), TREATY_E_NOMEM */
TREATY_API int treaty_tcc_set_context(struct treaty_tcc *op,
				      const char *context);

/* In try: store the context now, so that cancel sees it whatever happens to
 * this process. For what must be known before it is done, e.g. the number of a
 * payment that is asked for at a bank. Codes as treaty_tcc_try(). */
TREATY_API int treaty_tcc_save(struct treaty_tcc *op);

/* Say why: added to the error of treaty_tcc_try(), or kept with the branch for
 * the operator. Cut at 1000 bytes; the last call counts. */
TREATY_API void treaty_tcc_error(struct treaty_tcc *op, const char *text);

/*
 * The barrier of this operation; `number` 1, 2, … if the branch has several
 * local transactions. Call it within the local transaction. Verdicts and codes
 * as treaty_barrier_call_pg(); on a failure the text is also kept as by
 * treaty_tcc_error(), so that returning TREATY_TCC_RETRY is enough.
 */
TREATY_API int treaty_tcc_barrier_pg(struct treaty_tcc *op,
				     struct pg_conn *conn, unsigned number,
				     enum treaty_barrier_verdict *verdict);
TREATY_API int treaty_tcc_barrier_mysql(struct treaty_tcc *op,
					struct st_mysql *conn, unsigned number,
					enum treaty_barrier_verdict *verdict);
TREATY_API int treaty_tcc_barrier_sqlite(struct treaty_tcc *op,
					 struct sqlite3 *conn, unsigned number,
					 enum treaty_barrier_verdict *verdict);

#ifdef __cplusplus
}
#endif

#endif
