#ifndef TESTS_FAKES_SIM_WORLD_H
#define TESTS_FAKES_SIM_WORLD_H

/*
 * The world of the simulator: one coordinator with a late store, agents with
 * databases, services that run transactions, and a bad network between them,
 * all from one seed and in virtual time.
 *
 *   sim_net.c     the queue of what will happen, luck, the trace
 *   sim_tc.c      the coordinator, its store, crashes
 *   sim_jobs.c    services: begin, work, commit or roll back, ask again
 *   sim_agents.c  agents: connections, phase two in their databases
 *   sim_letters.c messages: producers, consumers, who is asked
 */

#include "base/heap.h"
#include "tests/fakes/sim_bank.h"
#include "tests/fakes/sim_store.h"

#define AGENTS      5
#define JOBS        40
#define SUBSCRIBERS 2
#define LETTERS     20 /* the first ones subscribe to the topic */
#define CHAOS_MS    60000
#define HEAL_MS     900000
#define RESEND_MS   400
#define TRACE_MAX   300
#define WORKS_MAX   4
#define ACK_WAIT_MS 3000

enum ev_kind {
	EVT_TO_CORE_REQUEST,
	EVT_TO_CORE_DONE,
	EVT_TO_JOB,    /* a reply */
	EVT_TO_AGENT,  /* a command */
	EVT_JOB_TIMER, /* resend, or start */
	EVT_STORED,    /* the disk is as far as .number */
	EVT_CORE_TIME,
	EVT_CONNECT, /* an agent connects */
	EVT_CHAOS,
	EVT_TO_LETTER, /* a reply */
	EVT_LETTER_TIMER,
	EVT_TO_ORIGIN, /* a command to a URL */
	EVT_OPERATOR,
};

struct ev {
	struct heap_node node;
	enum ev_kind kind;
	uint64_t life; /* of the core, for what dies with it */
	int job, agent;
	bool by_http; /* the request is of no agent */
	uint64_t number;
	struct request rq;
	struct bytes key;
	uint8_t key_data[16];
	char xid[64];
	char resource[16];
	struct reply reply;
	struct command command;
	struct branch_done done;
};

struct agent {
	int db;
	uint64_t peer; /* 0: not connected */
	uint64_t life;
};

enum job_state {
	JOB_BEGIN,
	JOB_LOCAL,
	JOB_REGISTER,
	JOB_REPORT,
	JOB_END,
	JOB_OVER
};

struct job {
	enum job_state state;
	int home; /* agent of the transaction manager */
	char xid[64];
	uint64_t gtx;
	uint64_t rq; /* the request that is open */
	int tries;
	int n, at; /* works */
	struct {
		bool tcc, optional;
		int db, account, agent;
		uint64_t life; /* of the agent that runs it */
		int64_t delta;
		uint64_t branch;
		bool locked;
	} work[WORKS_MAX];
	bool commit;
	int err;
	enum gtx_status answered; /* final or decided status heard */
};

enum letter_state {
	LETTER_SUBSCRIBE,
	LETTER_BEGIN,
	LETTER_REGISTER,
	LETTER_LOCAL, /* its own transaction is open */
	LETTER_END,
	LETTER_OVER, /* nobody works on it any more */
};

enum local { LOCAL_OPEN, LOCAL_COMMITTED, LOCAL_ROLLED_BACK };

struct letter { /* a message, as its producer sees it */
	enum letter_state state;
	bool plain; /* a delivery in a plain transaction: nobody is asked */
	int target;
	uint64_t after_ms;
	char xid[64];
	uint64_t gtx;
	uint64_t rq;
	int tries;
	bool saw_subscribers;
	uint64_t first, n; /* branches */
	bool dead;         /* its producer died with the transaction open */
	enum local local;
	uint64_t local_at;
	bool commit; /* what it asks for in the end */
	bool heard;
	int err;
	int delivered[SUBSCRIBERS];
};

struct sim_world {
	uint64_t seed, rng, now;
	bool chaos;
	struct core *core;
	struct core_config config;
	struct mem mem;
	bool fail_memory;
	uint64_t life, next_peer, next_rq;
	struct sim_store store;
	struct bank bank;
	struct agent agents[AGENTS];
	struct job jobs[JOBS];
	struct letter letters[LETTERS];
	bool good_clock; /* the wall clock is right */
	uint64_t delivered, checks, dead_letters;
	struct heap events;
	size_t n_events;
	uint64_t wake; /* when a EVT_CORE_TIME is on its way */
	uint64_t crashes, steps, nomems, commits, rollbacks;
	uint64_t waits, cycles;
	char trace[TRACE_MAX][160];
	size_t n_trace;
};

extern struct sim_world sim;

/* ---- luck and trace ---- */

void sim_trace(const char *fmt, ...) PRINTF_LIKE(1, 2);
void sim_print(int sig);
uint64_t sim_dice(uint64_t n); /* 0 … n - 1 */
/* With bad luck of so many in a hundred, while there is chaos. */
bool sim_bad_luck(uint64_t percent);
void *sim_alloc(void *ctx, size_t size);
void sim_free(void *ctx, void *p);

/* ---- what will happen ---- */

struct ev *sim_ev_new(enum ev_kind kind);
void sim_ev_at(struct ev *e, uint64_t due);
struct ev *sim_ev_next(void); /* NULL: nothing more */
/* Over the network: late, maybe twice, maybe never. */
void sim_ev_send(struct ev *e);

/* ---- the coordinator ---- */

void sim_start(void);
/* Give an event to the core; a crash may follow. */
void sim_step(struct event event);
void sim_crash(const char *why);
void sim_count_waits(void);

/* ---- services and agents ---- */

void sim_job_timer(int job, uint64_t ms);
void sim_unlock_row(struct job *j, int i);
void sim_on_reply(int job, const struct ev *e);
void sim_on_timer(int job, uint64_t rq);
void sim_connect(int agent);
void sim_disconnect(int agent, bool dies);
void sim_on_command(const struct ev *e);
void sim_on_call(const struct ev *e); /* of an origin */
bool sim_connected(uint64_t peer);

/* ---- messages ---- */

void sim_letters_plan(void);
void sim_letter_take(const struct reply *r);
void sim_letter_on_reply(const struct ev *e);
void sim_letter_on_timer(int letter, uint64_t rq);
/* What a consumer, or who is asked, says to this. */
void sim_letter_command(struct branch_done *done, const struct command *co,
			uint64_t gtx);
void sim_letters_operate(void);
bool sim_letters_finished(void);
void sim_letters_audit(void);

#endif
