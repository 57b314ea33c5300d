#include "tc/host/metrics.h"

#define MS 1000 /* microseconds */
#define S  UINT64_C(1000000)

/* What answers within a machine room, and what takes as long as people do. */
static const uint64_t quick_us[] = {
	50,        100,     250,     500,      1 * MS,   2500,     5 * MS,
	10 * MS,   25 * MS, 50 * MS, 100 * MS, 250 * MS, 500 * MS, 1 * S,
	2500 * MS, 5 * S,   10 * S,  30 * S,   60 * S,
};
static const uint64_t slow_us[] = {
	1 * MS,   5 * MS,   10 * MS,   25 * MS,   50 * MS,   100 * MS, 250 * MS,
	500 * MS, 1 * S,    2500 * MS, 5 * S,     10 * S,    30 * S,   60 * S,
	300 * S,  1800 * S, 3600 * S,  21600 * S, 86400 * S,
};
static const uint64_t rows[] = {
	1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000,
};

#define INIT(histogram, bounds)                                                \
	histogram_init((histogram), (bounds), ARRAY_LEN(bounds))

static void init_histograms(struct metrics *m)
{
	for (int i = 0; i < ASKS; i++)
		INIT(&m->request[i], quick_us);
	for (int i = 0; i < TELLS; i++)
		INIT(&m->command[i], quick_us);
	for (int i = 0; i < 2; i++) {
		INIT(&m->phase_two[i], slow_us);
		INIT(&m->batch[i], quick_us);
	}
	for (int kind = 0; kind < CENSUS_KINDS; kind++)
		for (int i = 0; i < ENDS; i++)
			INIT(&m->end[kind][i], slow_us);
	INIT(&m->batch_rows, rows);
	INIT(&m->sync, quick_us);
	INIT(&m->turn, quick_us);
}

int metrics_init(struct metrics *m, const struct mem *mem)
{
	*m = (struct metrics){ .mem = mem };
	init_histograms(m);
	if (pending_init(&m->requests, mem) == OK &&
	    pending_init(&m->commands, mem) == OK &&
	    pending_init(&m->decisions, mem) == OK)
		return OK;
	metrics_fini(m);
	return E_NOMEM;
}

void metrics_fini(struct metrics *m)
{
	if (!m->mem)
		return;
	pending_fini(&m->requests, m->mem);
	pending_fini(&m->commands, m->mem);
	pending_fini(&m->decisions, m->mem);
	m->mem = NULL;
}

static uint64_t since(uint64_t now, uint64_t then)
{
	return now > then ? now - then : 0;
}

/* ---- turns ---- */

void metrics_turn(struct metrics *m, uint64_t now_us)
{
	m->now_us = now_us;
}

void metrics_turn_end(struct metrics *m, uint64_t now_us)
{
	histogram_add(&m->turn, since(now_us, m->now_us));
}

/* ---- events ---- */

static enum metrics_request asked(const struct request *rq)
{
	bool wait = rq->wait_ms > 0;

	switch (rq->type) {
	case RQ_BEGIN:
		return ASK_BEGIN;
	case RQ_REGISTER:
		return ASK_REGISTER;
	case RQ_REPORT:
		return ASK_REPORT;
	case RQ_COMMIT:
		return wait ? ASK_COMMIT_WAIT : ASK_COMMIT;
	case RQ_ROLLBACK:
		return wait ? ASK_ROLLBACK_WAIT : ASK_ROLLBACK;
	case RQ_STATUS:
		return ASK_STATUS;
	case RQ_LOCK_CHECK:
		return ASK_LOCK_CHECK;
	case RQ_SAGA_START:
		return wait ? ASK_SAGA_START_WAIT : ASK_SAGA_START;
	default:
		return ASK_OTHER;
	}
}

/* Peer and id name a request of an agent; the http door has no peer. */
static void note_request(struct metrics *m, const struct request *rq)
{
	pending_put(&m->requests, rq->peer, rq->id, m->now_us,
		    (unsigned)asked(rq));
}

static void note_done(struct metrics *m, const struct branch_done *done)
{
	uint64_t sent_us;
	unsigned what;

	if (pending_take(&m->commands, 0, done->command, &sent_us, &what))
		histogram_add(&m->command[what], since(m->now_us, sent_us));
}

void metrics_event(struct metrics *m, const struct event *event)
{
	if (event->type == EV_REQUEST)
		note_request(m, &event->request);
	else if (event->type == EV_BRANCH_DONE)
		note_done(m, &event->done);
}

/* ---- effects ---- */

/* The row in which the decision is. Later ones have other statuses. */
static void note_gtx(struct metrics *m, const struct row *row)
{
	switch (row->status) {
	case GTX_COMMITTING:
	case GTX_ASYNC_COMMITTING:
		pending_put(&m->decisions, row->id, 0, m->now_us, 0);
		break;
	case GTX_ROLLBACKING:
	case GTX_TIMEOUT_ROLLBACKING:
		pending_put(&m->decisions, row->id, 0, m->now_us, 1);
		break;
	default:
		break;
	}
}

static enum metrics_outcome outcome(enum gtx_status status)
{
	return status == GTX_COMMITTED            ? END_COMMITTED
	       : status == GTX_TIMEOUT_ROLLBACKED ? END_TIMED_OUT
						  : END_ROLLED_BACK;
}

static void note_end(struct metrics *m, const struct archive *a)
{
	uint64_t decided_us;
	unsigned rollback;

	histogram_add(&m->end[a->kind][outcome(a->status)],
		      since(a->ended_wall_ms, a->began_wall_ms) * MS);
	/* A saga has no second phase, but a way back. */
	if (pending_take(&m->decisions, a->gtx, 0, &decided_us, &rollback) &&
	    a->kind != KIND_SAGA)
		histogram_add(&m->phase_two[rollback],
			      since(m->now_us, decided_us));
}

void metrics_effects(struct metrics *m, const struct effects *fx)
{
	for (size_t i = 0; i < fx->n; i++) {
		const struct effect *e = &fx->items[i];

		if (e->type == FX_PUT && e->row.table == ROW_GTX)
			note_gtx(m, &e->row);
		else if (e->type == FX_ARCHIVE)
			note_end(m, &e->archive);
	}
}

/* ---- the store ---- */

void metrics_batch(struct metrics *m, size_t n_rows, bool durable,
		   uint64_t took_us, const struct store_stats *before,
		   const struct store_stats *after)
{
	histogram_add(&m->batch[durable], took_us);
	histogram_add(&m->batch_rows, n_rows);
	if (after->syncs > before->syncs)
		histogram_add(&m->sync, since(after->sync_us_total,
					      before->sync_us_total));
}

/* ---- what leaves ---- */

static enum metrics_command of_mode(enum branch_mode mode)
{
	switch (mode) {
	case MODE_TCC:
		return TELL_TCC_COMMIT;
	case MODE_XA:
		return TELL_XA_COMMIT;
	case MODE_SAGA:
	case MODE_SAGA_ANNOTATION:
		return TELL_SAGA_COMMIT;
	case MODE_MSG:
		return TELL_MSG_DELIVER;
	case MODE_AT:
		break;
	}
	return TELL_AT_COMMIT;
}

/* In the enum, the rollback of a mode follows its commit. */
static unsigned told(const struct command *c)
{
	switch (c->type) {
	case COMMAND_CHECK:
		return TELL_MSG_CHECK;
	case COMMAND_CALL:
		return c->compensation ? TELL_SAGA_COMPENSATION
				       : TELL_SAGA_CALL;
	case COMMAND_ROLLBACK:
		return of_mode(c->mode) + 1u;
	case COMMAND_COMMIT:
		break;
	}
	return of_mode(c->mode);
}

static void note_reply(struct metrics *m, const struct reply *r,
		       uint64_t now_us)
{
	size_t error = (size_t)-r->err;
	uint64_t at_us;
	unsigned what;

	if (error < METRICS_ERRORS)
		m->replies[error]++;
	if (pending_take(&m->requests, r->peer, r->id, &at_us, &what))
		histogram_add(&m->request[what], since(now_us, at_us));
}

void metrics_out(struct metrics *m, const struct effect *fx, uint64_t now_us)
{
	if (fx->type == FX_REPLY)
		note_reply(m, &fx->reply, now_us);
	else if (fx->type == FX_COMMAND)
		pending_put(&m->commands, 0, fx->command.id, now_us,
			    told(&fx->command));
}
