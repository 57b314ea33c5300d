#ifndef TC_CORE_MODEL_H
#define TC_CORE_MODEL_H

/*
 * What the coordinator is made of: transactions, branches, who waits for what,
 * and the steps that several files share. Private to tc/core.
 *
 * How a step is built
 * -------------------
 *  - A step is one event and then what follows from it, all in *units*. A unit
 *    first stages: it takes all memory it needs and adds its effects. Only when
 *    that worked it changes the state, and that cannot fail.
 *  - The event itself is the first unit; if it finds no memory, core_step()
 *    says E_NOMEM and nothing has happened.
 *  - What follows (a timer that ran out, a lock that came free, a reply whose
 *    row became durable) stands on an intrusive list or heap already, so a unit
 *    that finds no memory stays there and is tried again shortly.
 *  - Memory that effects or views point at is buried, and freed at the start of
 *    the next step.
 */

#include "base/map.h"
#include "tc/core/await.h"
#include "tc/core/branch.h"
#include "tc/core/core.h"
#include "tc/core/fx.h"
#include "tc/core/gtx.h"
#include "tc/core/ids.h"
#include "tc/core/job.h"
#include "tc/core/lock_wait.h"
#include "tc/core/operation.h"
#include "tc/core/peers.h"
#include "tc/core/record.h"
#include "tc/core/roll.h"
#include "tc/core/saga_run.h"
#include "tc/core/tombs.h"
#include "tc/core/topics.h"

/* ROW_META */
#define META_IDS   1 /* the end of the reserved numbers */
#define META_FIRST 2 /* the first number; not there: 1 */

/* What a reply says; its texts are made when it leaves. */
struct answer {
	uint64_t peer;
	uint64_t id;
	enum request_type type;
	int err;
	uint64_t gtx; /* 0: none */
	enum gtx_status status;
	uint64_t branch;
	uint64_t first_id;
	uint64_t count;
	uint64_t holder; /* transaction; 0: none */
	uint64_t holder_age_ms;
	struct bytes key; /* borrowed; only in answers that leave at once */
	/* What is wrong, or which limit: static, or of this step in answers
	 * that leave at once. */
	const char *what;
	/* An ask owns copies of these. */
	struct bytes detail, name, version, change;
	bool existed;
	bool operated; /* with the revision of when it leaves */
};

/* An answer that has to wait. */
struct ask {
	struct promise promise;
	struct list of_gtx; /* on gtx.asks, core.answers or core.dead_asks */
	struct timer timer;
	uint64_t until_ms; /* 0: does not wait for phase two */
	struct answer answer;
};

/* Who says whether a message's local transaction was committed, and how far
 * the asking is (message.c). */
struct back_check {
	struct job job;
	struct gtx *gtx;
	struct bytes participant; /* owned */
	struct bytes error;       /* owned; what the last attempt brought */
};

struct gtx {
	struct lock_party party; /* .number is the transaction's */
	struct list dead;
	enum gtx_status status;
	enum gtx_kind kind;
	struct bytes name;        /* owned */
	struct bytes application; /* owned */
	uint64_t timeout_ms;
	uint64_t began_ms;
	uint64_t began_wall_ms;
	bool ordered;
	bool stored;  /* has a row */
	bool started; /* the decision is durable: phase two runs */
	uint64_t decision_seq;
	uint64_t decided_ms;      /* on the core's clock, */
	uint64_t decided_ago_ms;  /* so long after the decision: a restart */
	uint64_t decided_wall_ms; /* 0: not yet */
	struct back_check *check; /* NULL: nobody is asked */
	struct saga_key *key;     /* of a message; NULL: none (message_key.c) */
	struct promise decision;
	struct timer timer;
	struct list branches; /* by id */
	uint64_t n_branches;  /* registered in all */
	size_t n_listed;      /* on .branches */
	size_t n_open;        /* not finished */
	size_t n_hung;
	struct list asks;
	struct saga_run *saga; /* KIND_SAGA */
};

/* What is particular to a branch of mode MSG; one piece of memory. */
struct delivery {
	uint64_t after_ms;
	struct bytes schedule; /* record_schedule() */
	struct bytes topic;
	struct bytes subscriber;
};

struct branch {
	struct map_node by_id;
	struct list of_gtx;
	struct list dead;
	struct gtx *gtx;
	uint64_t id;
	uint64_t seq; /* of its row */
	bool stored;  /* has a row */
	enum branch_mode mode;
	enum branch_status status;
	uint64_t client_key;
	struct job job;                /* its phase two; .instance is owned */
	struct bytes application_data; /* owned */
	struct bytes participant;      /* owned */
	struct delivery *delivery;     /* NULL: not of mode MSG */
	struct lock_set *locks;        /* NULL: none, or given up */
	struct bytes error;            /* owned */
	struct bytes detail;           /* owned */

	enum resolution resolution;
	struct bytes values;    /* owned */
	bool resolution_unused; /* no command carried it yet */
};

/* A lock request that waits, or waited and must be told that it failed. */
struct waiter {
	struct lock_wait wait;
	struct request *rq; /* owned */
	struct lock_set *set;
	struct gtx *gtx;
	struct timer timer;
	uint64_t since_ms;
	struct list of_peer;
	struct list refused; /* on core.refused */
	struct answer answer;
	struct bytes key; /* of the conflict; borrowed from the set */
};

/* A request that waits for numbers. */
struct parked {
	struct list node;
	struct request *rq; /* owned */
};

struct core {
	const struct mem *mem;
	struct core_config config; /* .coordinator is owned */
	bool ready;
	bool failed; /* the store did */
	uint64_t now_ms;
	uint64_t wall_ms;
	uint64_t retry_ms; /* 0, or when to look at what found no memory */
	uint64_t jitter;
	uint64_t command; /* last one given */
	uint64_t life;    /* in the upper bits of a call's number */

	struct operation *operation; /* under way in this unit, or NULL */

	uint64_t seq;        /* of the last step that had rows */
	uint64_t stored;     /* durable up to here */
	uint64_t commit_seq; /* of the last commit that gave up locks */
	struct fx fx;

	struct roll roll; /* of struct gtx */
	struct map branches;
	struct lock_table locks;
	struct peers peers;
	struct tombs tombs;
	struct topics topics;
	struct ids ids;
	uint64_t loaded_first; /* META_FIRST, META_IDS; 0: no such row */
	uint64_t loaded_end;
	struct promise ids_promise;
	struct heap timers;
	size_t n_timers; /* objects that have one */
	size_t n_waiters;
	size_t n_dead_letters;
	size_t n_jobs[PLACES]; /* but for PLACE_NONE */

	struct list silent;   /* branches without anything to do: job.at */
	struct list promises; /* first come, first kept */
	struct list answers;  /* asks whose time has come */
	struct list refused;  /* waiters to be told */
	struct list parked;
	struct list orphans; /* loading: branches, by .of_gtx */
	struct saga_core sagas;

	struct list dead_gtxs;
	struct list dead_branches;
	struct list dead_asks;

	struct core_stats stats;
};

/* OK or E_INVALID (config.c). */
MUST_CHECK int core_config_check(const struct core_config *config);

/* ---- memory (model.c) ---- */

MUST_CHECK int model_dup(struct bytes *out, const struct mem *mem,
			 struct bytes b);
void model_free_bytes(const struct mem *mem, struct bytes b);
/* Cut at a limit, between UTF-8 characters. */
struct bytes model_cut(struct bytes b, size_t limit);

/* Room for one more timer; then count it. */
MUST_CHECK int timer_reserve(struct core *c);
void timer_set(struct core *c, struct timer *t, uint64_t due_ms);
void timer_stop(struct core *c, struct timer *t);

struct gtx *gtx_find(const struct core *c, uint64_t number);
MUST_CHECK int gtx_new(struct gtx **out, struct core *c, uint64_t number,
		       struct bytes name, struct bytes application);
void gtx_free(struct core *c, struct gtx *g);

struct branch_spec {
	uint64_t id;
	enum branch_mode mode;
	uint64_t client_key;
	struct bytes resource, application, instance, application_data;
	struct bytes participant;
	uint64_t call_timeout_ms;
	struct delivery delivery; /* mode MSG */
};

struct branch *branch_find(const struct core *c, uint64_t id);
/* On no list yet. */
MUST_CHECK int branch_new(struct branch **out, struct core *c,
			  const struct branch_spec *spec);
void branch_free(struct core *c, struct branch *b);
void branch_join(struct core *c, struct branch *b, struct gtx *g);
/* Another status, with what is counted by it. It has joined. */
void branch_becomes(struct core *c, struct branch *b, enum branch_status next);

/* A copy that owns what it points at, freed by mem_free(). NULL: no memory. */
struct request *request_dup(const struct mem *mem, const struct request *rq,
			    bool with_keys);

/* Take a finished transaction out of everything; freed at the next step. */
void gtx_bury(struct core *c, struct gtx *g);
/* The same, but it stays on the roll: for core_free(). */
void gtx_retire(struct core *c, struct gtx *g);
void model_sweep(struct core *c);

/* ---- rows and history (rows.c) ---- */

/* The number that this step's rows will have. */
uint64_t row_seq(const struct core *c);
struct gtx_record gtx_record(const struct gtx *g);
void row_put_gtx(struct core *c, const struct gtx *g,
		 const struct gtx_record *r, bool forced);
void row_delete_gtx(struct core *c, const struct gtx *g);
struct branch_record branch_record(const struct branch *b);
void row_put_branch(struct core *c, const struct branch *b, const struct gtx *g,
		    const struct branch_record *r, bool forced);
void row_delete_branch(struct core *c, const struct branch *b);
void row_put_tombstone(struct core *c, uint64_t number, enum gtx_status status,
		       const struct saga_key *key, bool forced);
void row_delete_tombstone(struct core *c, uint64_t number);
/* Forced. */
void row_put_topic(struct core *c, uint64_t id, const struct topic_record *r);
void row_delete_topic(struct core *c, uint64_t id);
/* With the first number, if it is not stored yet. */
void row_put_ids(struct core *c, uint64_t end);
/* `detail` stays until the next step. */
void row_archive(struct core *c, const struct gtx *g, enum gtx_status status,
		 struct bytes detail);
void row_put_saga(struct core *c, const struct gtx *g, enum gtx_status status,
		  struct bytes state, bool forced);
void row_delete_saga(struct core *c, const struct gtx *g);
void row_put_machine(struct core *c, const struct machine *m, bool forced);
void row_delete_machine(struct core *c, const struct machine *m, bool forced);
/* Its .wall_ms is filled in. */
void row_history(struct core *c, const struct history *line);

/* ---- answers (answer.c) ---- */

struct answer answer_to(const struct request *rq, int err);
struct answer answer_about(const struct request *rq, int err,
			   const struct gtx *g);
/* Give it now if every row up to rests_on is durable and until_ms is 0; else
 * *out is to be committed. OK or E_NOMEM (then the effects are undone by the
 * caller). */
MUST_CHECK int answer_stage(struct core *c, const struct answer *a,
			    uint64_t rests_on, uint64_t until_ms,
			    struct ask **out);
void answer_commit(struct core *c, struct ask *ask); /* NULL is fine */
void answer_discard(struct core *c, struct ask *ask);
/* Stage and commit in one: for units that do nothing else. */
MUST_CHECK int answer_give(struct core *c, const struct answer *a,
			   uint64_t rests_on);
/* How long an answer may wait for phase two; 0: not at all. */
uint64_t answer_until(const struct core *c, const struct request *rq);
/* The row on which what is said about a transaction rests. */
uint64_t answer_rests_on(const struct core *c, const struct gtx *g);
/* Let it wait for the transaction's end; it has .until_ms. */
void ask_attach(struct core *c, struct gtx *g, struct ask *ask);
/* Give everybody who waits this .detail. OK or E_NOMEM: nobody has it. */
MUST_CHECK int asks_stage(struct core *c, struct gtx *g, struct bytes detail);
void asks_discard(struct core *c, struct gtx *g);
/* What is to be told, as soon as what it rests on is durable, to those who wait
 * for a transaction's phase two. */
void asks_release(struct core *c, struct gtx *g, enum gtx_status status);

/* It waited as long as it wanted. */
void ask_timeout(struct core *c, struct ask *ask);

void promise_add(struct core *c, struct promise *p, enum promise_kind kind,
		 uint64_t seq);

/* Units: 1 did something, 0 nothing to do, E_NOMEM. */
MUST_CHECK int unit_promise(struct core *c);
MUST_CHECK int unit_answer(struct core *c);

/* ---- decisions (decide.c) ---- */

/* Commit, roll back or time out. With a request it is answered, else NULL. */
MUST_CHECK int decide(struct core *c, struct gtx *g, enum gtx_event event,
		      const struct request *rq);

/* The answer to a commit that cannot be: E_STATE, and it is rolled back. */
MUST_CHECK int decide_against(struct core *c, struct gtx *g,
			      const struct request *rq);
/* The same without a request; `why` is for the history. */
MUST_CHECK int decide_because(struct core *c, struct gtx *g,
			      enum gtx_event event, struct bytes why);

MUST_CHECK int ending_stage(struct core *c, struct gtx *g,
			    enum gtx_status status, bool forced,
			    struct ending *out);
void ending_discard(struct core *c, struct gtx *g, struct ending *e);
void ending_commit(struct core *c, struct gtx *g, struct ending *e);
/* Tombstones beyond their number or age. */
MUST_CHECK int unit_tombs(struct core *c);

/* ---- targets (target.c) ---- */

/* Can this be told something, with the request's .participant and
 * .call_timeout_ms? OK, E_INVALID or E_LIMIT with *what, or E_NOMEM. */
MUST_CHECK int target_check(struct core *c, const struct request *rq,
			    struct bytes name, const char **what);

/* ---- registration and row locks (register.c) ---- */

MUST_CHECK int handle_register(struct core *c, const struct request *rq);
MUST_CHECK int handle_lock_check(struct core *c, const struct request *rq);
MUST_CHECK int unit_grant(struct core *c);
MUST_CHECK int unit_refused(struct core *c);
void waiter_timeout(struct core *c, struct waiter *w);
void waiters_of_gtx(struct core *c, struct gtx *g);   /* it left Begin */
void waiters_for_gtx(struct core *c, struct gtx *g);  /* it rolls back */
void waiters_of_peer(struct core *c, struct peer *p); /* it is gone */
void waiter_free(struct core *c, struct waiter *w);

/* ---- phase two (phase_two.c) ---- */

extern const struct job_hooks branch_job;
void phase_two_start(struct core *c, struct gtx *g);
/* One branch that has nothing to do is finished. */
MUST_CHECK int unit_silent(struct core *c);
MUST_CHECK int branch_answered(struct core *c, const struct branch_done *done);

/* How long a delivery still has to wait for its time. */
uint64_t delivery_rest_ms(const struct core *c, const struct branch *b);

/* ---- messages (message.c) ---- */

extern const struct job_hooks message_job;
struct back_check_spec {
	struct bytes resource, participant;
	uint64_t call_timeout_ms;
};
/* Give it to g. OK or E_NOMEM. */
MUST_CHECK int check_new(struct core *c, struct gtx *g,
			 const struct back_check_spec *spec);
void check_free(struct core *c, struct gtx *g); /* without one is fine */
/* It is being asked. */
bool check_is_asked(const struct gtx *g);
/* g was decided, or is gone: ask no more. */
void check_stop(struct core *c, struct gtx *g);
/* One unit: ask at once. It has not been decided. */
MUST_CHECK int check_ask(struct core *c, struct gtx *g);
/* TIMER_GTX: too long in Begin. */
MUST_CHECK int gtx_timeout(struct core *c, struct gtx *g);
MUST_CHECK int check_answered(struct core *c, const struct branch_done *done);

/* ---- branches that are asked for (branch_ask.c) ---- */

/* OK; E_INVALID, E_LIMIT or E_STATE with *what; or E_NOMEM. */
MUST_CHECK int branch_check(struct core *c, const struct gtx *g,
			    const struct request *rq, const char **what);
/* All but .delivery.schedule, which branch_schedule() makes for this step. */
struct branch_spec branch_spec(const struct core *c, const struct gtx *g,
			       const struct request *rq);
struct bytes branch_schedule(struct core *c, const struct request *rq);
void branch_say(struct core *c, const struct gtx *g, const struct branch *b,
		size_t n_lock_keys);
/* It has the next number and its row is staged: take it in. */
void branch_admit(struct core *c, struct branch *b, struct gtx *g);
/* The one that this client_key made, or NULL. */
struct branch *branch_same(const struct gtx *g, const struct request *rq);
/* Tell again what was told, or will be. */
MUST_CHECK int branch_repeat(struct core *c, struct gtx *g,
			     const struct branch *b, const struct request *rq);

/* ---- topics (topic_ask.c) ---- */

/* A branch for each subscriber. There are numbers for branches_of(). */
MUST_CHECK int publish(struct core *c, struct gtx *g, const struct request *rq);

MUST_CHECK int handle_subscribe(struct core *c, const struct request *rq);
MUST_CHECK int handle_unsubscribe(struct core *c, const struct request *rq);
/* How many branches a REGISTER will make; at least 1. */
uint64_t branches_of(const struct core *c, const struct request *rq);

/* ---- sagas ---- */

/* On no transaction yet. OK or E_NOMEM. */
MUST_CHECK int saga_run_new(struct saga_run **out, struct core *c,
			    struct machine *machine, struct bytes participant);
void saga_run_free(struct core *c, struct saga_run *run); /* NULL is fine */
/* Its transaction is buried: no call is made any more. */
void saga_run_retire(struct core *c, struct gtx *g);

/* tc/saga's clock. */
uint64_t saga_now(const struct core *c);
enum gtx_status saga_gtx_status(const struct saga_turn *turn);
/* Let tc/saga make core.sagas.turn; its errors. */
MUST_CHECK int saga_run_begin(struct core *c, const struct machine *machine,
			      const struct request *rq);
MUST_CHECK int saga_run_step(struct core *c, const struct gtx *g,
			     struct saga_event *event);
/* Stage that turn, with its rows and history; `force` if somebody is told. OK
 * or E_NOMEM; then commit or discard. */
MUST_CHECK int saga_run_stage(struct core *c, struct gtx *g, bool force,
			      struct saga_move_staged *m);
void saga_run_commit(struct core *c, struct gtx *g, struct saga_move_staged *m);
void saga_run_discard(struct core *c, struct gtx *g,
		      struct saga_move_staged *m);
/* All of it, for what nobody waits for. Errors of tc/saga. */
MUST_CHECK int saga_happens(struct core *c, struct gtx *g,
			    struct saga_event *event);
MUST_CHECK int saga_timer(struct core *c, struct gtx *g);
/* Units: runs that were loaded, calls whose peer went away. */
MUST_CHECK int unit_saga(struct core *c);
MUST_CHECK int unit_lost_call(struct core *c);
/* What an end has in a saga besides. */
MUST_CHECK int saga_ending_stage(struct core *c, struct gtx *g,
				 struct bytes *detail);
void saga_ending_commit(struct core *c, struct gtx *g, struct tomb *tomb);

/* Calls (saga_call.c). */
extern const struct job_hooks call_job;
MUST_CHECK int call_new(struct call **out, struct core *c, struct gtx *g,
			const struct saga_call *from);
void call_free(struct core *c, struct call *call);
/* The same, at the next step. */
void call_bury(struct core *c, struct call *call);
/* Has tc/saga just taken it for lost? */
bool call_is_silent(const struct core *c, const struct call *call);
void calls_give_up(struct core *c, struct saga_run *run);
/* Hears every answer to a COMMAND_CALL, late and repeated ones, too. */
MUST_CHECK int saga_answered(struct core *c, const struct branch_done *done);

/* History, and the whole as JSON in the step's arena (saga_say.c). */
void saga_say_start(struct core *c, const struct gtx *g);
void saga_say_call(struct core *c, const struct call *call);
void saga_say_answer(struct core *c, const struct call *call,
		     const struct saga_event *e);
void saga_say_silence(struct core *c, const struct gtx *g);
void saga_say_status(struct core *c, const struct gtx *g);
void saga_say_move(struct core *c, const struct gtx *g, enum saga_move move,
		   struct bytes reason);
MUST_CHECK int saga_detail(struct core *c, const struct gtx *g,
			   const struct saga_turn *turn, struct bytes *out);

/* Requests (saga_ask.c, machine_ask.c). */
MUST_CHECK int handle_saga_start(struct core *c, const struct request *rq);
MUST_CHECK int handle_saga_move(struct core *c, const struct request *rq);
MUST_CHECK int handle_saga_show(struct core *c, const struct request *rq);
MUST_CHECK int handle_machine_put(struct core *c, const struct request *rq);
MUST_CHECK int handle_machine_drop(struct core *c, const struct request *rq);
/* The same requests as of a plain transaction. */
MUST_CHECK int saga_rollback(struct core *c, const struct request *rq,
			     struct gtx *g);
MUST_CHECK int saga_retry(struct core *c, const struct request *rq,
			  struct gtx *g);
MUST_CHECK int saga_refuse(struct core *c, const struct request *rq,
			   struct gtx *g);

/* Loading (saga_load.c): rows, then all of it at EV_READY. */
MUST_CHECK int load_saga(struct core *c, const struct row *row);
MUST_CHECK int load_machine(struct core *c, const struct row *row);
MUST_CHECK int sagas_ready(struct core *c);
void sagas_lists(struct core *c);
MUST_CHECK int sagas_init(struct core *c);
void sagas_fini(struct core *c); /* after every transaction */
void sagas_sweep(struct core *c);
void sagas_check(const struct core *c);
void saga_check(const struct core *c, const struct gtx *g);

/* ---- requests (request.c, operate.c) ---- */

MUST_CHECK int handle_request(struct core *c, const struct request *rq);
/* The same, whoever asks. */
MUST_CHECK int handle_plain(struct core *c, const struct request *rq);
/* Answers itself if it can't be found. *out NULL: it is answered. */
MUST_CHECK int request_gtx(struct core *c, const struct request *rq,
			   struct gtx **out);
/* The answer is no. `what` as in struct answer. */
MUST_CHECK int request_deny(struct core *c, const struct request *rq, int err,
			    const char *what);
/* About what has finished. */
MUST_CHECK int answer_from_tomb(struct core *c, const struct request *rq,
				struct tomb *tomb);
/* The answer is no. */
MUST_CHECK int request_refuse(struct core *c, const struct request *rq,
			      const struct gtx *g, int err, const char *what);
/* Keep it until there are numbers. */
MUST_CHECK int request_park(struct core *c, const struct request *rq);
MUST_CHECK int handle_retry(struct core *c, const struct request *rq);
MUST_CHECK int handle_resolve(struct core *c, const struct request *rq);
MUST_CHECK int unit_ids(struct core *c);
MUST_CHECK int unit_parked(struct core *c);
void parked_of_peer(struct core *c, uint64_t peer);

/* ---- loading (load.c) ---- */

MUST_CHECK int handle_loaded(struct core *c, const struct row *row);
MUST_CHECK int handle_ready(struct core *c);

#endif
