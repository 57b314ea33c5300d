#ifndef TESTS_FAKES_DESK_H
#define TESTS_FAKES_DESK_H

/*
 * A desk at which a test talks to a core: it keeps the clock, remembers the
 * rows (what is durable and what is not yet), and collects what the core said
 * so that a test reads like a protocol trace.
 *
 * With .auto_store every step's rows are durable at once; without, the test
 * calls desk_store(). desk_crash() forgets what is not durable and loads a new
 * core from the rest.
 */

#include "tc/core/core.h"

#define DESK_MAX 4096

struct desk_row {
	enum row_table table;
	uint64_t id;
	uint64_t gtx;
	struct bytes body; /* owned */
};

struct desk_change { /* a put or delete that is not durable yet */
	uint64_t seq;
	bool put;
	struct desk_row row;
};

struct desk {
	struct core *core;
	struct core_config config;
	const struct mem *mem;
	uint64_t now_ms;
	int64_t wall_skew_ms; /* what is wrong with the wall clock */
	bool auto_store;
	uint64_t seq;    /* of the last step with rows */
	uint64_t stored; /* durable up to here */
	uint64_t forced_steps;
	uint64_t n_taken; /* puts and deletes so far */
	uint64_t next_id; /* of requests */

	struct desk_row rows[DESK_MAX]; /* durable */
	size_t n_rows;
	struct desk_change changes[DESK_MAX]; /* not yet */
	size_t n_changes;

	struct reply replies[DESK_MAX]; /* texts are owned copies */
	size_t n_replies;
	struct command commands[DESK_MAX];
	size_t n_commands;
	char *history[DESK_MAX];
	struct history lines[DESK_MAX]; /* without .text */
	size_t n_history;
	struct audit audits[DESK_MAX];
	size_t n_audits;
	struct archive archives[DESK_MAX];
	size_t n_archives;
	void *texts[DESK_MAX * 8]; /* to be freed */
	size_t n_texts;
};

/* A core that is ready; time starts at 1000. */
struct desk *desk_new(const struct core_config *config, bool auto_store);
/* Not ready yet, with memory that may fail; NULL if core_new() failed. */
struct desk *desk_new_raw(const struct core_config *config,
			  const struct mem *mem);
void desk_free(struct desk *d);
struct core_config desk_config(void);

/* Give the event now, collect the effects, check invariants. */
int desk_step(struct desk *d, struct event event);
/* Make everything durable and tell the core. */
void desk_store(struct desk *d);
/* Let time pass and give EV_TIME whenever it is wanted. */
void desk_pass(struct desk *d, uint64_t ms);
/* Throw the core away and load what is durable. OK or what EV_LOADED said. */
int desk_crash(struct desk *d);
/* Rows in this table that are durable. */
size_t desk_count(const struct desk *d, enum row_table table);

void desk_peer(struct desk *d, uint64_t peer, const char *application,
	       const char *instance, const char *resource);
void desk_gone(struct desk *d, uint64_t peer);

/* Ask; the request's .id is chosen here and given back. */
uint64_t desk_ask(struct desk *d, struct request rq);
/* The answer to it, taken off; REQUIREs exactly one unless NULL. */
const struct reply *desk_find_reply(struct desk *d, uint64_t id);
const struct reply *desk_reply(struct desk *d, uint64_t id);
/* Forget what was collected. */
void desk_clear(struct desk *d);

/* Short forms that want OK. Texts live as long as the desk. */
struct bytes desk_begin(struct desk *d);
uint64_t desk_register(struct desk *d, struct bytes xid, uint64_t peer,
		       enum branch_mode mode, const char *resource,
		       const char *keys); /* each letter is a lock key */
uint64_t desk_ask_register(struct desk *d, struct bytes xid, uint64_t peer,
			   enum branch_mode mode, const char *resource,
			   const char *keys, uint64_t wait_ms,
			   uint64_t client_key);
uint64_t desk_ask_end(struct desk *d, struct bytes xid, bool commit,
		      uint64_t wait_ms);
/* The last command for this branch; NULL if there's none. */
const struct command *desk_command(const struct desk *d, uint64_t branch);
void desk_done(struct desk *d, const struct command *command,
	       enum branch_status status, const char *error);
/* What RQ_STATUS says. */
enum gtx_status desk_status(struct desk *d, struct bytes xid);
bool desk_said(const struct desk *d, const char *part); /* in history */
/* The newest line with this part; it REQUIREs one. .text is not kept. */
const struct history *desk_line(const struct desk *d, const char *part);

#endif
