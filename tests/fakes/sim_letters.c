#include "tests/fakes/sim_world.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/*
 * Messages in the simulator: producers with a local transaction that may die at
 * any moment, and consumers that are called by URL or are agents; they hang, do
 * not know, are busy, refuse, and hear the same message twice.
 *
 * What must hold is said where it is seen: nothing is delivered whose local
 * transaction is not committed, nor before its time; sim_letters_audit() says
 * the rest.
 */

#define ORIGIN_A "http://a:80"
#define ORIGIN_B "http://b:80"
#define TOPIC    "T"

static struct letter *letter_of(uint64_t gtx)
{
	for (int i = 0; i < LETTERS; i++)
		if (gtx && sim.letters[i].gtx == gtx)
			return &sim.letters[i];
	return NULL;
}

static void timer(int letter, uint64_t ms)
{
	struct ev *e = sim_ev_new(EVT_LETTER_TIMER);

	e->job = letter;
	e->number = sim.letters[letter].rq;
	sim_ev_at(e, sim.now + ms);
}

void sim_letters_plan(void)
{
	for (int i = 0; i < LETTERS; i++) {
		struct letter *l = &sim.letters[i];

		l->state = i < SUBSCRIBERS ? LETTER_SUBSCRIBE : LETTER_BEGIN;
		l->rq = ++sim.next_rq;
		l->plain = sim_dice(4) == 0;
		l->target = (int)sim_dice(4);
		l->after_ms = sim_dice(3) ? 0 : sim_dice(4000);
		timer(i, i < SUBSCRIBERS ? 0 : sim_dice(CHAOS_MS));
	}
}

/* ---- what a producer asks ---- */

static struct ev *request(int letter, enum request_type type)
{
	struct letter *l = &sim.letters[letter];
	struct ev *e = sim_ev_new(EVT_TO_CORE_REQUEST);

	e->by_http = true;
	e->rq.type = type;
	e->rq.id = l->rq;
	memcpy(e->xid, l->xid, sizeof e->xid);
	e->rq.xid = bytes_of(e->xid);
	return e;
}

static void send_register(int letter)
{
	static const char *const targets[] = { ORIGIN_A, ORIGIN_B, "msg",
					       TOPIC };
	static const uint64_t schedule[] = { 40, 0, 300 };
	struct letter *l = &sim.letters[letter];
	struct ev *e = request(letter, RQ_REGISTER);

	e->rq.mode = MODE_MSG;
	snprintf(e->resource, sizeof e->resource, "%s", targets[l->target]);
	e->rq.resource = bytes_of(e->resource);
	e->rq.topic = l->target == 3;
	e->rq.client_key = 1;
	e->rq.deliver_after_ms = l->after_ms;
	if (letter % 2) {
		e->rq.schedule_ms = schedule;
		e->rq.n_schedule = ARRAY_LEN(schedule);
	}
	l->saw_subscribers = sim.letters[0].state == LETTER_OVER;
	sim_ev_send(e);
}

static void send_subscribe(int letter)
{
	struct ev *e = request(letter, RQ_SUBSCRIBE);

	e->rq.xid.len = 0;
	e->rq.name = BYTES(TOPIC);
	e->rq.subscriber = letter ? BYTES("two") : BYTES("one");
	e->rq.resource = letter ? BYTES("msg") : BYTES(ORIGIN_A);
	sim_ev_send(e);
}

static void send_begin(int letter)
{
	struct ev *e = request(letter, RQ_BEGIN);

	e->rq.xid.len = 0;
	e->rq.timeout_ms = 500 + sim_dice(3000);
	if (!sim.letters[letter].plain) {
		e->rq.kind = KIND_MESSAGE;
		e->rq.check = sim_dice(2) ? BYTES(ORIGIN_B) : BYTES("msg");
	}
	sim_ev_send(e);
}

static void send_open(int letter)
{
	struct letter *l = &sim.letters[letter];

	l->tries++;
	timer(letter, RESEND_MS + sim_dice(200));
	switch (l->state) {
	case LETTER_SUBSCRIBE:
		send_subscribe(letter);
		break;
	case LETTER_BEGIN:
		send_begin(letter);
		break;
	case LETTER_REGISTER:
		send_register(letter);
		break;
	case LETTER_END:
		sim_ev_send(
			request(letter, l->commit ? RQ_COMMIT : RQ_ROLLBACK));
		break;
	case LETTER_LOCAL:
	case LETTER_OVER:
		break;
	}
}

static void next(int letter, enum letter_state state)
{
	struct letter *l = &sim.letters[letter];

	l->state = state;
	l->tries = 0;
	l->rq = ++sim.next_rq;
	if (state == LETTER_LOCAL)
		timer(letter, sim_dice(sim_dice(3) ? 100 : 6000));
	else
		send_open(letter);
}

/* ---- the producer's own transaction ---- */

static void end_local(int letter, bool commits)
{
	struct letter *l = &sim.letters[letter];

	REQUIRE(l->local == LOCAL_OPEN);
	l->local = commits ? LOCAL_COMMITTED : LOCAL_ROLLED_BACK;
	l->commit = commits;
	l->local_at = sim.now;
	sim_trace("letter %d: local %s", letter,
		  commits ? "commit" : "rollback");
	if (sim_bad_luck(40)) { /* it dies before it can say so */
		l->state = LETTER_OVER;
		return;
	}
	next(letter, LETTER_END);
}

/* ---- what it hears ---- */

static void registered(int letter, const struct reply *r)
{
	struct letter *l = &sim.letters[letter];

	if (r->err != OK) {
		/* Who subscribed and was told so is never forgotten. */
		REQUIRE(r->err != E_NOTFOUND || l->target != 3 ||
			!l->saw_subscribers || r->status != GTX_BEGIN);
		end_local(letter, false);
		return;
	}
	l->first = r->branch;
	l->n = l->target == 3 ? r->count : 1;
	REQUIRE(l->n > 0 && l->n <= SUBSCRIBERS);
	if (sim_bad_luck(15)) { /* it dies; its database will notice */
		l->state = LETTER_OVER;
		l->dead = true;
		return;
	}
	next(letter, LETTER_LOCAL);
}

static void ended(int letter, const struct reply *r)
{
	struct letter *l = &sim.letters[letter];

	sim_trace("letter %d %s: %s, %s", letter,
		  l->commit ? "commit" : "rollback", err_name(r->err),
		  gtx_status_name((int)r->status));
	l->heard = true;
	l->err = r->err;
	l->state = LETTER_OVER;
	/* A message whose local transaction is committed is never refused;
	 * a plain transaction may have timed out. */
	if (l->commit && !l->plain)
		REQUIRE(r->err == OK);
	if (!l->commit && l->n > 0)
		REQUIRE(r->err == OK || r->err == E_NOTFOUND);
}

void sim_letter_on_reply(const struct ev *e)
{
	int letter = e->job;
	struct letter *l = &sim.letters[letter];
	const struct reply *r = &e->reply;

	if (r->id != l->rq)
		return;
	switch (l->state) {
	case LETTER_SUBSCRIBE:
		REQUIRE(r->err == OK);
		l->state = LETTER_OVER;
		break;
	case LETTER_BEGIN:
		REQUIRE(r->err == OK);
		memcpy(l->xid, e->xid, sizeof l->xid);
		l->gtx = (uint64_t)strtoull(strrchr(l->xid, ':') + 1, NULL, 10);
		sim_trace("letter %d is %s", letter, l->xid);
		next(letter, LETTER_REGISTER);
		break;
	case LETTER_REGISTER:
		registered(letter, r);
		break;
	case LETTER_END:
		ended(letter, r);
		break;
	case LETTER_LOCAL:
	case LETTER_OVER:
		break;
	}
}

void sim_letter_on_timer(int letter, uint64_t rq)
{
	struct letter *l = &sim.letters[letter];

	if (l->state == LETTER_OVER || rq != l->rq)
		return;
	if (l->state == LETTER_LOCAL)
		end_local(letter, sim_dice(10) < 7);
	else if (l->state == LETTER_REGISTER && l->tries > 12)
		end_local(letter, false);
	else
		send_open(letter);
}

void sim_letter_take(const struct reply *r)
{
	for (int i = 0; i < LETTERS; i++) {
		struct ev *e;

		if (sim.letters[i].rq != r->id ||
		    sim.letters[i].state == LETTER_OVER)
			continue;
		e = sim_ev_new(EVT_TO_LETTER);
		e->job = i;
		e->reply = *r;
		snprintf(e->xid, sizeof e->xid, "%.*s", (int)r->xid.len,
			 (const char *)r->xid.data);
		sim_ev_send(e);
	}
}

/* ---- consumers, and who is asked ---- */

/* What the producer's barrier says: where it finds nothing it leaves a mark, so
 * that nothing can be committed any more. */
static enum branch_status check(struct letter *l)
{
	if (!l)
		return BRANCH_ROLLBACKED; /* begun, but nobody heard of it */
	if (l->dead && l->local == LOCAL_OPEN)
		l->local = LOCAL_ROLLED_BACK;
	sim.checks++;
	return l->local == LOCAL_COMMITTED     ? BRANCH_COMMITTED
	       : l->local == LOCAL_ROLLED_BACK ? BRANCH_ROLLBACKED
					       : BRANCH_COMMIT_RETRYABLE;
}

static enum branch_status deliver(struct letter *l, uint64_t branch)
{
	REQUIRE(l && branch >= l->first && branch < l->first + l->n);
	REQUIRE(l->local == LOCAL_COMMITTED && l->commit);
	if (sim.good_clock)
		REQUIRE(sim.now >= l->local_at + l->after_ms);
	if (sim_bad_luck(15))
		return BRANCH_COMMIT_UNRETRYABLE;
	l->delivered[branch - l->first]++;
	sim.delivered++;
	return BRANCH_COMMITTED;
}

void sim_letter_command(struct branch_done *done, const struct command *co,
			uint64_t gtx)
{
	struct letter *l = letter_of(gtx);

	done->status = co->type == COMMAND_ROLLBACK ? BRANCH_ROLLBACK_RETRYABLE
						    : BRANCH_COMMIT_RETRYABLE;
	REQUIRE(co->type != COMMAND_ROLLBACK); /* a delivery is just dropped */
	if (sim_bad_luck(10)) {
		done->in_progress = sim_dice(2);
		return;
	}
	done->status =
		co->type == COMMAND_CHECK ? check(l) : deliver(l, co->branch);
}

/* An operator replays dead letters when all is well again. */
static bool replay(void *ctx, struct gtx_view v)
{
	uint64_t *number = ctx;

	*number = v.number;
	sim.dead_letters++;
	return false;
}

void sim_letters_operate(void)
{
	struct gtx_filter filter = { .status = -1, .hung = true, .limit = 1 };
	struct ev *e;

	if (!sim.chaos) {
		struct event event = { .type = EV_REQUEST };
		uint64_t number = 0;
		char xid[64];

		core_list(sim.core, &filter, sim.now, replay, &number);
		snprintf(xid, sizeof xid, "tc:1:%" PRIu64, number);
		event.request = (struct request){ .type = RQ_RETRY,
						  .id = ++sim.next_rq,
						  .xid = bytes_of(xid),
						  .reason = BYTES("well") };
		if (sim_dice(2))
			event.request.actor = BYTES("user eve");
		event.request.dry_run = sim_dice(4) == 0;
		if (number)
			sim_step(event);
	}
	e = sim_ev_new(EVT_OPERATOR);
	sim_ev_at(e, sim.now + 500);
}

/* ---- in the end ---- */

bool sim_letters_finished(void)
{
	for (int i = 0; i < LETTERS; i++)
		if (sim.letters[i].state != LETTER_OVER)
			return false;
	return true;
}

void sim_letters_audit(void)
{
	for (int i = SUBSCRIBERS; i < LETTERS; i++) {
		const struct letter *l = &sim.letters[i];
		bool must = l->plain ? l->heard && l->commit && l->err == OK
				     : l->local == LOCAL_COMMITTED;
		bool may = l->plain ? l->commit && !(l->heard && l->err != OK)
				    : l->local == LOCAL_COMMITTED;

		for (uint64_t n = 0; n < l->n; n++) {
			REQUIRE(!must || l->delivered[n] > 0);
			REQUIRE(may || l->delivered[n] == 0);
		}
	}
	REQUIRE(core_stats(sim.core).dead_letters_now == 0);
	REQUIRE(core_stats(sim.core).subscribers_now == SUBSCRIBERS);
}
