#ifndef TC_HOST_METRICS_H
#define TC_HOST_METRICS_H

/*
 * How long things take: the loop says what it sees, and GET /metrics shows it.
 * docs/metrics.md explains each of them to people.
 *
 * Rules
 * -----
 *  - The loop's clock is read where a turn begins, where it hands out answers
 *    and commands, and where it ends; not for each request. So a request
 *    arrives when its turn begins, and its answer leaves when all of them do.
 *  - What is under way is remembered in a fixed number of places (pending.h).
 *  - Labels are words of this program, never what somebody sent.
 *
 * No clock in here. One owner at a time.
 */

#include "base/metric.h"
#include "tc/core/core.h"
#include "tc/door/door.h"
#include "tc/host/pending.h"

/* What is asked, for people; *_WAIT: and to be told the end of it. */
enum metrics_request {
	ASK_BEGIN,
	ASK_REGISTER,
	ASK_REPORT,
	ASK_COMMIT,
	ASK_COMMIT_WAIT,
	ASK_ROLLBACK,
	ASK_ROLLBACK_WAIT,
	ASK_STATUS,
	ASK_LOCK_CHECK,
	ASK_SAGA_START,
	ASK_SAGA_START_WAIT,
	ASK_OTHER,
	ASKS, /* how many */
};

/* What a participant is told. */
enum metrics_command {
	TELL_AT_COMMIT,
	TELL_AT_ROLLBACK,
	TELL_TCC_COMMIT,
	TELL_TCC_ROLLBACK,
	TELL_XA_COMMIT,
	TELL_XA_ROLLBACK,
	TELL_SAGA_COMMIT,
	TELL_SAGA_ROLLBACK,
	TELL_SAGA_CALL,
	TELL_SAGA_COMPENSATION,
	TELL_MSG_DELIVER,
	TELL_MSG_ROLLBACK,
	TELL_MSG_CHECK,
	TELLS, /* how many */
};

enum metrics_outcome { END_COMMITTED, END_ROLLED_BACK, END_TIMED_OUT, ENDS };

#define METRICS_ERRORS (1 - E_ROLLED_BACK) /* OK, and all of enum err */

struct metrics {
	const struct mem *mem;
	uint64_t now_us; /* of the turn */

	struct pending requests;
	struct pending commands;
	struct pending decisions;

	struct histogram request[ASKS];
	struct histogram command[TELLS];
	struct histogram phase_two[2]; /* commit, rollback */
	struct histogram end[CENSUS_KINDS][ENDS];
	struct histogram batch[2]; /* without, with a sync */
	struct histogram batch_rows;
	struct histogram sync;
	struct histogram turn;
	uint64_t replies[METRICS_ERRORS]; /* by -err */
};

/* OK or E_NOMEM. */
MUST_CHECK int metrics_init(struct metrics *m, const struct mem *mem);
void metrics_fini(struct metrics *m); /* a zeroed one is fine */

/* A turn begins, and ends. */
void metrics_turn(struct metrics *m, uint64_t now_us);
void metrics_turn_end(struct metrics *m, uint64_t now_us);

/* This was handed to the core, which took it; what it did about that. */
void metrics_event(struct metrics *m, const struct event *event);
void metrics_effects(struct metrics *m, const struct effects *fx);

/* A batch of rows was stored; `before` is what the store said before it. */
void metrics_batch(struct metrics *m, size_t rows, bool durable,
		   uint64_t took_us, const struct store_stats *before,
		   const struct store_stats *after);

/* This leaves now. */
void metrics_out(struct metrics *m, const struct effect *fx, uint64_t now_us);

/* What else is told at a scrape. */
struct metrics_facts {
	struct bytes version;
	enum host_state state;
	uint64_t uptime_ms;
	uint64_t cpu_us; /* of this process */
	struct core_stats core;
	struct core_census census;
	struct store_stats store;
	struct door_stats doors[DOORS];
};

/* All of it, as Prometheus reads it (metrics_text.c). */
void metrics_write(const struct metrics *m, const struct metrics_facts *facts,
		   struct buf *out);

#endif
