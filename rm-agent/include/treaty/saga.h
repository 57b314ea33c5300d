#ifndef TREATY_SAGA_H
#define TREATY_SAGA_H

/*
 * Sagas: a chain or graph of steps, each an action with a compensation that
 * undoes it by a new one (ship / take back, charge / refund). The coordinator
 * drives them: it calls the services, keeps their results, decides, retries,
 * compensates. Who started a saga need not come back.
 *
 *   treaty_saga_service_add(t, "stock", &service, shop);   who does the work
 *
 *   g = treaty_saga_graph_new("checkout", "1");            who wants it done
 *   treaty_saga_graph_step(g, &(struct treaty_saga_step){
 *           .size = sizeof(struct treaty_saga_step), .name = "stock",
 *           .action = "stock", .compensation = "stock" });
 *   treaty_saga_graph_step(g, …);
 *   rc = treaty_saga_graph_start(g, t, &options, &run);
 *
 * Rules
 * -----
 *  - A call comes at least once: after a lost answer, a crash of this process
 *    or of the coordinator it comes again, with the same task. Ask the barrier
 *    first, within the local transaction: it tells a duplicate from a new call,
 *    a compensation of what never ran, and an action that comes too late.
 *  - REFUSED means: not done, and nothing of it will be. What is not certain is
 *    UNKNOWN, and is asked again. If an attempt was UNKNOWN and a later one
 *    refuses, the step is compensated all the same.
 *  - A compensation must succeed in the end, it should not refuse. What it
 *    undoes may never have happened.
 *  - Services, machines and URLs may be mixed: a name that begins with http://
 *    or https:// is called by the coordinator itself (docs/saga.md).
 *  - Callbacks run on the agent's workers or in treaty_process(), one at a time
 *    for a task. They must return: an exception or a longjmp that leaves one
 *    breaks the program. treaty_close() is refused in them.
 *  - Arguments are borrowed for the call; what a callback gets, until it
 *    returns. JSON is one value in UTF-8, its integers of any size.
 */

#include <treaty/barrier.h>
#include <treaty/treaty.h>

#ifdef __cplusplus
extern "C" {
#endif

struct treaty_saga_call;  /* one call of a service, inside its callback */
struct treaty_saga_graph; /* a graph of steps that is being written */

/* ---- services ---- */

enum treaty_saga_answer {
	/* It may be done or not: call again, by the step's retry rules. */
	TREATY_SAGA_UNKNOWN = 0,
	TREATY_SAGA_DONE = 1, /* with an output, see treaty_saga_output() */
	/* Definitely not done. A run's compensation comes again all the same;
	 * that of a branch (treaty_saga_branch()) hangs until an operator has
	 * looked. */
	TREATY_SAGA_REFUSED = 2,
	TREATY_SAGA_IN_PROGRESS = 3, /* ask again a little later; no failure */
};

/* All zero is the default of what need not be given. */
struct treaty_saga_service {
	size_t size; /* sizeof(struct treaty_saga_service) */
	/* Actions and compensations; must be given. */
	enum treaty_saga_answer (*on_call)(void *ctx,
					   struct treaty_saga_call *call);
	const char *barrier_table; /* NULL: "barrier" */
};

/*
 * Offer a service under the name that definitions call it by: "action" and
 * "compensation" of a step, "ServiceName" of a state. The coordinator is told,
 * and calls that wait for it come at once: add when everything that the
 * callback uses is ready. It is offered until treaty_close(), by as many
 * processes as you like, of any application; a call goes to one of them. At
 * most 123 bytes. ctx is yours, and must live as long as the handle.
 *
 * TREATY_E_STATE    this handle offers a service of that name already
 * TREATY_E_INVALID  no callback, or a name that makes no sense
 * TREATY_E_LIMIT, TREATY_E_CLOSED, TREATY_E_NOMEM
 */
TREATY_API int treaty_saga_service_add(
	struct treaty *t, const char *name,
	const struct treaty_saga_service *service, void *ctx);

/* ---- inside a callback ---- */

TREATY_API const char *treaty_saga_xid(const struct treaty_saga_call *call);
/* The same for each attempt; a compensation has that of the action which it
 * undoes. With the xid and "is it a compensation" it is an idempotency key. Of
 * a branch (treaty_saga_branch()) its id. */
TREATY_API uint64_t treaty_saga_task(const struct treaty_saga_call *call);
TREATY_API bool treaty_saga_compensates(const struct treaty_saga_call *call);
/* 1, 2, … as the coordinator counts. */
TREATY_API uint64_t treaty_saga_attempt(const struct treaty_saga_call *call);
TREATY_API const char *treaty_saga_service_name(
	const struct treaty_saga_call *call);
/* "ServiceMethod" of a state; "" in graphs and branches. */
TREATY_API const char *treaty_saga_method(const struct treaty_saga_call *call);
/* JSON. A state machine gives an array of its "Input"; a step of a graph what
 * its "input" says; a branch its payload. */
TREATY_API const char *treaty_saga_input(const struct treaty_saga_call *call);

/*
 * The result, JSON, for TREATY_SAGA_DONE; without it, null. The last call
 * counts. A duplicate is to give the same as the first time: compute it from
 * the input, or keep it in a row of yours.
 * TREATY_E_INVALID (not JSON), TREATY_E_LIMIT (longer than 1 MiB),
 * TREATY_E_NOMEM
 */
TREATY_API int treaty_saga_output(struct treaty_saga_call *call,
				  const char *json);

/* Why not: a name that "Catch" and "Retry" of a machine look for (NULL for
 * none), and a sentence for people (NULL for none). Cut at 128 and 1000 bytes;
 * the last call counts. */
TREATY_API void treaty_saga_error(struct treaty_saga_call *call,
				  const char *name, const char *message);

/*
 * The barrier of this call (trans_type "saga", branch_id its task, op "action"
 * or "compensate"); `number` 1, 2, … if the work has several local
 * transactions. Call it within the local transaction. Verdicts and codes as
 * treaty_barrier_call_pg(); on a failure the text is kept as by
 * treaty_saga_error(), so that returning TREATY_SAGA_UNKNOWN is enough.
 *
 *   RUN        the work, commit, DONE
 *   DUPLICATE  commit, DONE
 *   EMPTY      (of a compensation) commit, DONE
 *   SUSPENDED  (of an action) roll back, REFUSED: it is undone already
 */
TREATY_API int treaty_saga_barrier_pg(struct treaty_saga_call *call,
				      struct pg_conn *conn, unsigned number,
				      enum treaty_barrier_verdict *verdict);
TREATY_API int treaty_saga_barrier_mysql(struct treaty_saga_call *call,
					 struct st_mysql *conn, unsigned number,
					 enum treaty_barrier_verdict *verdict);
TREATY_API int treaty_saga_barrier_sqlite(struct treaty_saga_call *call,
					  struct sqlite3 *conn, unsigned number,
					  enum treaty_barrier_verdict *verdict);

/* ---- machines ---- */

#define TREATY_SAGA_NAME_MAX 255 /* bytes, without the NUL */

struct treaty_saga_machine {
	char name[TREATY_SAGA_NAME_MAX + 1];
	char version[TREATY_SAGA_NAME_MAX + 1];
	bool existed; /* the very same document was there already */
};

/*
 * Give the coordinator a version of a definition: a state machine in Seata's
 * language or a graph of steps, JSON (docs/saga.md has every member). Versions
 * live side by side; runs keep theirs. Sub-machines must be there before. `out`
 * may be NULL.
 *
 * TREATY_E_INVALID   the document is wrong; treaty_last_error() says where and
 *                    why: "$.States.Pay.Next: no state is called 'Shpi'"
 * TREATY_E_CONFLICT  another document has this name and version
 * TREATY_E_DENIED    it has a URL that may not be called (http_targets); or as
 *                    ever
 * TREATY_E_LIMIT, TREATY_E_UNKNOWN (put it again), TREATY_E_TIMEOUT,
 * TREATY_E_CLOSED, TREATY_E_NOMEM
 */
TREATY_API int treaty_saga_machine_put(struct treaty *t, const char *document,
				       struct treaty_saga_machine *out);

/* Take a version away (NULL: the one without a version). TREATY_E_NOTFOUND;
 * TREATY_E_STATE: a run or another machine uses it; else as above. */
TREATY_API int treaty_saga_machine_drop(struct treaty *t, const char *name,
					const char *version);

/* ---- runs ---- */

/* All zero is the default of what need not be given. */
struct treaty_saga_options {
	size_t size; /* sizeof(struct treaty_saga_options) */
	/* A machine that was put, and its version (NULL: the one that was put
	 * last); or a document of this run's own. */
	const char *machine;
	const char *version;
	const char *document;
	/* Starting again with the same key and machine gives the first run.
	 * NULL: one of its own, so that at least a request that is repeated by
	 * this library starts one run. */
	const char *business_key;
	const char *input; /* a JSON object; NULL: {} */
	/* Not at its end by then, it is undone. 0: what the definition says.
	 * Not for recovery forward. */
	uint64_t deadline_ms;
	/* Wait for the end; 0: only for the start. Not longer than the
	 * coordinator allows (reply_wait_max). */
	uint32_t wait_ms;
	const char *headers; /* {"name": "value", …} for URLs; NULL: none */
};

struct treaty_saga_run {
	char xid[TREATY_XID_MAX + 1];
	bool existed; /* the business key was known: this is the first run */
	int status;   /* see treaty_saga_status() */
	/* If it has ended within .wait_ms: what treaty_saga_show() says, with
	 * the data that it leaves. Yours: treaty_saga_free(). Else, and if it
	 * had ended before, NULL. */
	char *json;
};

/*
 * Start a run. TREATY_OK: it is durable and goes to its end, whatever crashes.
 * That it could be started says nothing about how it ends: see run.status.
 *
 * TREATY_E_INVALID   the document or an option is wrong; the text says where
 * TREATY_E_NOTFOUND  no such machine or version
 * TREATY_E_UNKNOWN   sent and not answered. With a business key start it again;
 *                    without one it may run, and cannot be found by its key
 * TREATY_E_LIMIT     too many transactions, or more data than allowed
 * TREATY_E_TIMEOUT (not sent), TREATY_E_CLOSED, TREATY_E_DENIED, TREATY_E_NOMEM
 */
TREATY_API int treaty_saga_start(struct treaty *t,
				 const struct treaty_saga_options *options,
				 struct treaty_saga_run *out);

/*
 * Where a run is. Status as treaty_status() has it:
 *
 *   Begin                              going forward
 *   Committed                          succeeded
 *   Rollbacking, RollbackRetrying      undoing
 *   Rollbacked                         failed, and what was done is undone
 *   CommitFailed, RollbackFailed       hangs on its way forward, or back, until
 *                                      an operator acts (see below)
 *
 * `wait_ms`: wait so long for the end, or until it hangs. `out` is also written
 * if it has not ended by then.
 * TREATY_E_NOTFOUND, TREATY_E_TIMEOUT (no answer), TREATY_E_CLOSED, …
 */
TREATY_API int treaty_saga_status(struct treaty *t, const char *xid,
				  uint32_t wait_ms, int *out);

/* True for Committed and Rollbacked (of a run): nothing more will happen. */
TREATY_API bool treaty_saga_ended(int status);

/*
 * All about a run that has not ended, as JSON: status, machine, version,
 * business_key, data, error, message, path, calls (docs/saga.md). Freed by
 * treaty_saga_free(). What has ended is in the coordinator's archive, for
 * `treaty` and HTTP; its result goes to who waits for it (run.json).
 * TREATY_E_NOTFOUND: no such run, or it has ended.
 */
TREATY_API int treaty_saga_show(struct treaty *t, const char *xid, char **json);
TREATY_API void treaty_saga_free(char *json); /* NULL is fine */

/* ---- operations ---- */

#define TREATY_SAGA_ALL UINT32_MAX

/*
 * What an operator may tell a run; `reason` is kept in its history, NULL is
 * fine.
 *
 *   forward     what hangs or waits is called again now
 *   compensate  give up: undo all that is done
 *   skip        take what fails (this task, or TREATY_SAGA_ALL) as done with
 *               the output null, and go on
 *
 * TREATY_E_STATE     it has ended, or there is nothing to do this to
 * TREATY_E_NOTFOUND  no such run or task
 * TREATY_E_UNKNOWN   sent and not answered: look, then tell it again
 * TREATY_E_TIMEOUT, TREATY_E_CLOSED, TREATY_E_DENIED, TREATY_E_NOMEM
 */
TREATY_API int treaty_saga_forward(struct treaty *t, const char *xid,
				   const char *reason);
TREATY_API int treaty_saga_compensate(struct treaty *t, const char *xid,
				      const char *reason);
TREATY_API int treaty_saga_skip(struct treaty *t, const char *xid,
				uint32_t task, const char *reason);

/* ---- writing a graph ---- */

#define TREATY_SAGA_FOREVER UINT32_MAX

/* How unknown outcomes are retried. 0 of a member: its default. */
struct treaty_saga_retry {
	uint32_t interval_ms; /* before the first retry; 1000 */
	uint32_t
		rate_permille; /* each one later by this; 2000; at least 1000 */
	uint32_t ceiling_ms;   /* 60 000 */
	uint32_t attempts;     /* retries; 5; TREATY_SAGA_FOREVER */
};

/* All zero is the default of what need not be given. */
struct treaty_saga_step {
	size_t size;        /* sizeof(struct treaty_saga_step) */
	const char *name;   /* unique; its result is $.[name] for later steps */
	const char *action; /* a service or a URL; must be given */
	const char *compensation; /* NULL: there is nothing to undo */
	/* JSON in which a text "$.…" is an expression over the data. NULL: all
	 * data. */
	const char *input;
	const char *compensation_input; /* NULL: that of the action */
	/* Names of the steps that must be done before; they may be added
	 * later. NULL: the step that was added before; 0 names: none. */
	const char *const *after;
	size_t n_after;
	uint32_t timeout_ms; /* of a call; 0: the coordinator's default */
	const struct treaty_saga_retry *retry; /* NULL: the graph's */
};

/*
 * An empty graph. Its errors stick: call what you need and look at the end,
 * where treaty_saga_graph_json() or treaty_saga_graph_start() tells the first
 * one. NULL is out of memory, and taken as that by every function below.
 * Belongs to one thread at a time; needs no handle. version may be NULL.
 */
TREATY_API struct treaty_saga_graph *treaty_saga_graph_new(const char *name,
							   const char *version);
TREATY_API void treaty_saga_graph_free(struct treaty_saga_graph *g);

/* Retry what fails for ever instead of undoing. Not with a deadline. */
TREATY_API void treaty_saga_graph_recover_forward(struct treaty_saga_graph *g);
TREATY_API void treaty_saga_graph_deadline(struct treaty_saga_graph *g,
					   uint32_t deadline_ms);
/* Of the steps that have none of their own. */
TREATY_API void treaty_saga_graph_retry(struct treaty_saga_graph *g,
					const struct treaty_saga_retry *retry);
TREATY_API void treaty_saga_graph_step(struct treaty_saga_graph *g,
				       const struct treaty_saga_step *step);

/*
 * The document: what treaty_saga_machine_put(), .document of a start and the
 * HTTP interface take. Borrowed until the graph changes or is freed.
 *
 * TREATY_E_INVALID  a step makes no sense; the text names the step
 * TREATY_E_NOMEM
 */
TREATY_API int treaty_saga_graph_json(struct treaty_saga_graph *g,
				      const char **json);

/* treaty_saga_start() with this graph as the run's own document; options may be
 * NULL, and its .machine, .version and .document must be. Codes of both. */
TREATY_API int treaty_saga_graph_start(
	struct treaty_saga_graph *g, struct treaty *t,
	const struct treaty_saga_options *options, struct treaty_saga_run *out);

/* ---- in a global transaction with other modes ---- */

struct treaty_saga_branch {
	uint64_t id;
	char branch_id[24]; /* the same as text, for the barrier */
	char xid[TREATY_XID_MAX + 1];
};

/*
 * Register a branch of mode Saga in the thread's global transaction, beside
 * those of AT, TCC or XA: if it rolls back, `compensation` (a service or a URL)
 * is called with `payload`; if it commits, nothing is. Durable before it
 * returns: only then do the action, with the barrier of
 * treaty_saga_barrier_of(), which a compensation that came first keeps out.
 * payload: JSON, NULL for {}.
 *
 * TREATY_E_STATE     no global transaction on this thread, or it takes no more
 *                    branches (decided, timed out)
 * TREATY_E_INVALID   the payload is not JSON, or this is no URL to call
 * TREATY_E_DENIED    a URL that the coordinator may not call (http_targets)
 * TREATY_E_NOTFOUND  the coordinator does not know the transaction
 * TREATY_E_UNKNOWN   roll back, do not do the action
 * TREATY_E_LIMIT, TREATY_E_TIMEOUT, TREATY_E_CLOSED, TREATY_E_NOMEM
 */
TREATY_API int treaty_saga_branch(struct treaty *t, const char *compensation,
				  const char *payload,
				  struct treaty_saga_branch *out);

/* Its barrier, for the operation "action". Borrows from the branch. */
static inline struct treaty_barrier treaty_saga_barrier_of(
	const struct treaty_saga_branch *branch)
{
	struct treaty_barrier b = { "saga",   branch->xid, branch->branch_id,
				    "action", 1,           0 };
	return b;
}

#ifdef __cplusplus
}
#endif

#endif
