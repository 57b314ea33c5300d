#include "tests/live/mover.h"

#include "base/buf.h"

#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

static int64_t sum_of(const struct treaty_saga_call *call)
{
	const char *at = strstr(treaty_saga_input(call), "\"sum\":");

	REQUIRE(at);
	return strtoimax(at + strlen("\"sum\":"), NULL, 10);
}

/* One less, unless there is none; below 0 there is always one. */
static bool one_of(_Atomic int *n)
{
	int now = atomic_load(n);

	while (now > 0)
		if (atomic_compare_exchange_weak(n, &now, now - 1))
			return true;
	return now < 0;
}

static int barrier(struct treaty_saga_call *call, struct cashier *c,
		   enum treaty_barrier_verdict *verdict)
{
	if (c->kind == CASHIER_PG)
		return treaty_saga_barrier_pg(call, c->native, 1, verdict);
	if (c->kind == CASHIER_MYSQL)
		return treaty_saga_barrier_mysql(call, c->native, 1, verdict);
	return treaty_saga_barrier_sqlite(call, c->native, 1, verdict);
}

/* ---- the work ---- */

static int move(struct cashier *c, int64_t sum)
{
	int rc = cashier_sql(c,
			     "UPDATE wallet SET balance = balance - %" PRId64
			     " WHERE id = 0",
			     sum);

	return rc == OK ? cashier_sql(c,
				      "UPDATE wallet SET balance = balance + "
				      "%" PRId64 " WHERE id = 1",
				      sum)
			: rc;
}

static void note(struct mover *m, bool compensation)
{
	static const char letters[] = { 'p', 'm', 's' };
	int n;

	if (!m->story)
		return;
	n = atomic_fetch_add(&m->story->n, 1);
	REQUIRE(n < MOVER_STORY_MAX);
	m->story->text[n][0] = compensation ? '-' : '+';
	m->story->text[n][1] = letters[m->kind];
}

/* E_STATE: too late; E_DENIED: refused. */
static int in_transaction(struct mover *m, struct treaty_saga_call *call,
			  struct cashier *c)
{
	const bool back = treaty_saga_compensates(call);
	enum treaty_barrier_verdict verdict;
	int64_t sum = sum_of(call);
	int rc = barrier(call, c, &verdict);

	if (rc != OK)
		return rc;
	atomic_fetch_add(&m->verdicts[back][verdict], 1);
	if (verdict == TREATY_BARRIER_SUSPENDED)
		return E_STATE;
	if (verdict != TREATY_BARRIER_RUN)
		return OK;
	if (!back && one_of(&m->refuse))
		return E_DENIED;
	rc = move(c, back ? -sum : sum);
	if (rc == OK)
		note(m, back);
	return rc;
}

static int work(struct mover *m, struct treaty_saga_call *call)
{
	struct cashier c;
	int rc;

	cashier_open(&c, m->kind, m->dsn);
	rc = cashier_begin(&c);
	if (rc == OK)
		rc = in_transaction(m, call, &c);
	if (rc == OK)
		rc = cashier_commit(&c);
	if (rc != OK)
		cashier_rollback(&c);
	cashier_close(&c);
	return rc;
}

/* ---- the callback ---- */

static void stall(void)
{
	(void)!write(STDOUT_FILENO, "s\n", 2);
	for (;;)
		(void)poll(NULL, 0, 1000);
}

static enum treaty_saga_answer answer_of(struct mover *m,
					 struct treaty_saga_call *call, int rc)
{
	if (rc == E_DENIED) {
		treaty_saga_error(call, "poor", "not enough money");
		return TREATY_SAGA_REFUSED;
	}
	if (rc == E_STATE) {
		treaty_saga_error(call, "late", "it is undone already");
		return TREATY_SAGA_REFUSED;
	}
	if (rc != OK || one_of(&m->fail_after))
		return TREATY_SAGA_UNKNOWN;
	REQUIRE(treaty_saga_output(call, "{\"moved\":10}") == TREATY_OK);
	return TREATY_SAGA_DONE;
}

static void enter(struct mover *m)
{
	int now, peak;

	if (!m->story)
		return;
	now = atomic_fetch_add(&m->story->active, 1) + 1;
	peak = atomic_load(&m->story->peak);
	while (now > peak &&
	       !atomic_compare_exchange_weak(&m->story->peak, &peak, now))
		;
}

static enum treaty_saga_answer action(struct mover *m,
				      struct treaty_saga_call *call)
{
	int rc;

	enter(m);
	(void)poll(NULL, 0, atomic_load(&m->before_ms));
	rc = work(m, call);
	if (atomic_load(&m->stall))
		stall();
	(void)poll(NULL, 0, atomic_load(&m->after_ms));
	if (m->story)
		atomic_fetch_sub(&m->story->active, 1);
	return answer_of(m, call, rc);
}

static enum treaty_saga_answer on_call(void *ctx, struct treaty_saga_call *call)
{
	const bool back = treaty_saga_compensates(call);
	struct mover *m = ctx;

	atomic_fetch_add(back ? &m->compensations : &m->actions, 1);
	if (one_of(&m->progress))
		return TREATY_SAGA_IN_PROGRESS;
	if (one_of(&m->fail_before))
		return TREATY_SAGA_UNKNOWN;
	return back ? answer_of(m, call, work(m, call)) : action(m, call);
}

/* ---- for the tests ---- */

void mover_init(struct mover *m, enum cashier_kind kind, const char *dsn)
{
	struct buf b;

	memset(m, 0, sizeof *m);
	m->kind = kind;
	REQUIRE(strlen(dsn) < sizeof m->dsn);
	memcpy(m->dsn, dsn, strlen(dsn) + 1);
	buf_init(&b, &mem_heap);
	buf_printf(&b, "move.%s", cashier_kind_name(kind));
	REQUIRE(b.len < sizeof m->service);
	memcpy(m->service, buf_text(&b), b.len + 1);
	buf_fini(&b);
}

void mover_offer(struct mover *m, struct treaty *t)
{
	const struct treaty_saga_service s = { .size = sizeof s,
					       .on_call = on_call };

	REQUIRE(treaty_saga_service_add(t, m->service, &s, m) == TREATY_OK);
}

bool mover_conserved(struct mover *m)
{
	struct cashier c;
	bool yes;

	cashier_open(&c, m->kind, m->dsn);
	yes = cashier_balance(&c, 0) + cashier_balance(&c, 1) ==
	      2 * WALLET_START;
	cashier_close(&c);
	return yes;
}

int64_t mover_arrived(struct mover *m)
{
	struct cashier c;
	int64_t n;

	cashier_open(&c, m->kind, m->dsn);
	n = cashier_balance(&c, 1) - WALLET_START;
	cashier_close(&c);
	return n;
}

const char *mover_tell(struct mover_story *s)
{
	static char text[MOVER_STORY_MAX * 3 + 1];
	size_t at = 0;

	for (int i = 0; i < atomic_load(&s->n); i++) {
		memcpy(text + at, s->text[i], 2);
		text[at + 2] = ' ';
		at += 3;
	}
	text[at ? at - 1 : 0] = '\0';
	return text;
}
