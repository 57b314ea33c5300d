#include "tests/live/wallet.h"

#include "base/buf.h"

#include <poll.h>
#include <stdlib.h>

enum { TRY, CONFIRM, CANCEL };

static int64_t sum_of(const struct treaty_tcc *op)
{
	const char *at = strstr(treaty_tcc_context(op), "\"sum\":\"");

	REQUIRE(at);
	return strtoimax(at + strlen("\"sum\":\""), NULL, 10);
}

static int barrier(struct treaty_tcc *op, struct cashier *c,
		   enum treaty_barrier_verdict *verdict)
{
	if (c->kind == CASHIER_PG)
		return treaty_tcc_barrier_pg(op, c->native, 1, verdict);
	if (c->kind == CASHIER_MYSQL)
		return treaty_tcc_barrier_mysql(op, c->native, 1, verdict);
	return treaty_tcc_barrier_sqlite(op, c->native, 1, verdict);
}

/* ---- the work, after the barrier said run ---- */

static int freeze(struct cashier *c, int64_t sum)
{
	int rc = cashier_sql(c,
			     "UPDATE wallet SET balance = balance - %" PRId64
			     ", frozen = frozen + %" PRId64
			     " WHERE id = 0 AND balance >= %" PRId64,
			     sum, sum, sum);

	return rc == OK && c->affected == 0 ? E_DENIED : rc;
}

static int take(struct cashier *c, int64_t sum)
{
	int rc = cashier_sql(c,
			     "UPDATE wallet SET frozen = frozen - %" PRId64
			     " WHERE id = 0",
			     sum);

	return rc == OK ? cashier_sql(c,
				      "UPDATE wallet SET balance = balance + "
				      "%" PRId64 " WHERE id = 1",
				      sum)
			: rc;
}

static int give_back(struct cashier *c, int64_t sum)
{
	return cashier_sql(c,
			   "UPDATE wallet SET balance = balance + %" PRId64
			   ", frozen = frozen - %" PRId64 " WHERE id = 0",
			   sum, sum);
}

static int in_transaction(struct wallet *w, struct treaty_tcc *op,
			  struct cashier *c, int what)
{
	static int (*const work[])(struct cashier *, int64_t) = {
		[TRY] = freeze, [CONFIRM] = take, [CANCEL] = give_back
	};
	enum treaty_barrier_verdict verdict;
	int rc = barrier(op, c, &verdict);

	if (rc != OK)
		return rc;
	atomic_fetch_add(&w->verdicts[what][verdict], 1);
	if (verdict == TREATY_BARRIER_SUSPENDED)
		return E_STATE;
	return verdict == TREATY_BARRIER_RUN ? work[what](c, sum_of(op)) : OK;
}

static int run(struct wallet *w, struct treaty_tcc *op, int what)
{
	struct cashier c;
	int rc;

	cashier_open(&c, w->kind, w->dsn);
	rc = cashier_begin(&c);
	if (rc == OK)
		rc = in_transaction(w, op, &c, what);
	if (rc == OK)
		rc = cashier_commit(&c);
	if (rc != OK)
		cashier_rollback(&c);
	cashier_close(&c);
	if (rc == E_DENIED)
		treaty_tcc_error(op, "not enough money");
	return rc;
}

/* ---- the callbacks ---- */

static int amend(struct treaty_tcc *op, int how)
{
	int rc = treaty_tcc_set_context(op, "{\"sum\":\"10\",\"ref\":\"77\"}");

	if (rc != OK || how == 1)
		return rc;
	rc = treaty_tcc_save(op);
	if (rc == OK)
		rc = treaty_tcc_set_context(op,
					    "{\"sum\":\"10\",\"ref\":\"78\"}");
	return rc == OK ? E_AGAIN : rc;
}

static int on_try(void *ctx, struct treaty_tcc *op, void *arg)
{
	struct wallet *w = ctx;
	int how = atomic_load(&w->amend);
	int rc;

	(void)arg;
	atomic_fetch_add(&w->tries, 1);
	(void)poll(NULL, 0, atomic_load(&w->before_ms));
	rc = run(w, op, TRY);
	(void)poll(NULL, 0, atomic_load(&w->after_ms));
	return rc == OK && how ? amend(op, how) : rc;
}

static void keep_context(struct wallet *w, const struct treaty_tcc *op)
{
	const char *context = treaty_tcc_context(op);

	REQUIRE(strlen(context) < sizeof w->context);
	memcpy(w->context, context, strlen(context) + 1);
}

/* One less, unless there is none. */
static bool one_of(_Atomic int *n)
{
	int now = atomic_load(n);

	while (now > 0)
		if (atomic_compare_exchange_weak(n, &now, now - 1))
			return true;
	return false;
}

static enum treaty_tcc_outcome phase_two(struct wallet *w,
					 struct treaty_tcc *op, int what)
{
	keep_context(w, op);
	if (atomic_load(&w->say_refused)) {
		treaty_tcc_error(op, "the account is closed");
		return TREATY_TCC_REFUSED;
	}
	if (run(w, op, what) != OK)
		return TREATY_TCC_RETRY;
	if (one_of(&w->say_retry)) {
		treaty_tcc_error(op, "done, but I say otherwise");
		return TREATY_TCC_RETRY;
	}
	return TREATY_TCC_DONE;
}

static enum treaty_tcc_outcome on_confirm(void *ctx, struct treaty_tcc *op)
{
	struct wallet *w = ctx;

	if (w->order)
		atomic_store(&w->clock, atomic_fetch_add(w->order, 1));
	atomic_fetch_add(&w->confirms, 1);
	while (atomic_load(&w->stall))
		(void)poll(NULL, 0, 1000);
	return phase_two(w, op, CONFIRM);
}

static enum treaty_tcc_outcome on_cancel(void *ctx, struct treaty_tcc *op)
{
	struct wallet *w = ctx;

	atomic_fetch_add(&w->cancels, 1);
	return phase_two(w, op, CANCEL);
}

/* ---- for the tests ---- */

static void put(char *to, size_t size, const char *a, const char *b)
{
	size_t n = strlen(a), m = strlen(b);

	REQUIRE(n + m < size);
	memcpy(to, a, n);
	memcpy(to + n, b, m + 1);
}

void wallet_init(struct wallet *w, enum cashier_kind kind, const char *dsn)
{
	memset(w, 0, sizeof *w);
	w->kind = kind;
	put(w->dsn, sizeof w->dsn, dsn, "");
	put(w->action, sizeof w->action, "deduct.", cashier_kind_name(kind));
}

void wallet_offer(struct wallet *w, struct treaty *t, uint32_t attempts_max)
{
	const struct treaty_tcc_action a = { .size = sizeof a,
					     .on_try = on_try,
					     .on_confirm = on_confirm,
					     .on_cancel = on_cancel,
					     .attempts_max = attempts_max };

	REQUIRE(treaty_tcc_register(t, w->action, &a, w) == TREATY_OK);
}

bool wallet_conserved(struct wallet *w)
{
	struct cashier c;
	bool yes;

	cashier_open(&c, w->kind, w->dsn);
	yes = cashier_frozen(&c, 0) == 0 &&
	      cashier_balance(&c, 0) + cashier_balance(&c, 1) ==
		      2 * WALLET_START;
	cashier_close(&c);
	return yes;
}

int64_t wallet_arrived(struct wallet *w)
{
	struct cashier c;
	int64_t n;

	cashier_open(&c, w->kind, w->dsn);
	n = cashier_balance(&c, 1) - WALLET_START;
	cashier_close(&c);
	return n;
}
