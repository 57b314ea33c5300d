#include "tests/live/post.h"

#include "base/buf.h"
#include "tests/live/live.h"

#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static void put(char *to, size_t size, const char *a, const char *b)
{
	size_t n = strlen(a), m = strlen(b);

	REQUIRE(n + m < size);
	memcpy(to, a, n);
	memcpy(to + n, b, m + 1);
}

void post_init(struct post *p, enum cashier_kind kind, const char *dsn)
{
	memset(p, 0, sizeof *p);
	p->kind = kind;
	put(p->dsn, sizeof p->dsn, dsn, "");
	put(p->consumer, sizeof p->consumer, "points.",
	    cashier_kind_name(kind));
	put(p->producer, sizeof p->producer, "shop.", cashier_kind_name(kind));
}

/* ---- consuming ---- */

static pthread_mutex_t key_lock = PTHREAD_MUTEX_INITIALIZER;

static void keep_key(struct post *p, const struct treaty_delivery *d)
{
	(void)pthread_mutex_lock(&key_lock);
	put(p->key, sizeof p->key, treaty_delivery_key(d), "");
	(void)pthread_mutex_unlock(&key_lock);
}

static int64_t sum_of(const struct treaty_delivery *d)
{
	const char *at = strstr(treaty_delivery_payload(d), "\"sum\":\"");

	REQUIRE(at);
	return strtoimax(at + strlen("\"sum\":\""), NULL, 10);
}

static int barrier(struct treaty_delivery *d, struct cashier *c,
		   enum treaty_barrier_verdict *verdict)
{
	if (c->kind == CASHIER_PG)
		return treaty_delivery_barrier_pg(d, c->native, 1, verdict);
	if (c->kind == CASHIER_MYSQL)
		return treaty_delivery_barrier_mysql(d, c->native, 1, verdict);
	return treaty_delivery_barrier_sqlite(d, c->native, 1, verdict);
}

static int give(struct post *p, struct treaty_delivery *d, struct cashier *c)
{
	enum treaty_barrier_verdict verdict;
	int rc = barrier(d, c, &verdict);

	if (rc != OK)
		return rc;
	atomic_fetch_add(&p->verdicts[verdict], 1);
	return verdict == TREATY_BARRIER_RUN
		       ? cashier_sql(c,
				     "UPDATE wallet SET balance = balance + "
				     "%" PRId64 " WHERE id = 1",
				     sum_of(d))
		       : OK;
}

static int work(struct post *p, struct treaty_delivery *d)
{
	struct cashier c;
	int rc;

	cashier_open(&c, p->kind, p->dsn);
	rc = cashier_begin(&c);
	if (rc == OK)
		rc = give(p, d, &c);
	if (rc == OK)
		rc = cashier_commit(&c);
	if (rc != OK)
		cashier_rollback(&c);
	cashier_close(&c);
	return rc;
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

static enum treaty_msg_answer on_message(void *ctx, struct treaty_delivery *d)
{
	struct post *p = ctx;

	if (atomic_fetch_add(&p->calls, 1) == 0)
		atomic_store(&p->came_ms, live_now_ms());
	keep_key(p, d);
	if (one_of(&p->say_busy))
		return TREATY_MSG_IN_PROGRESS;
	if (atomic_load(&p->say_refused)) {
		treaty_delivery_error(d, "the account is closed");
		return TREATY_MSG_REFUSED;
	}
	if (work(p, d) != OK)
		return TREATY_MSG_RETRY;
	while (atomic_load(&p->stall))
		(void)poll(NULL, 0, 1000);
	if (one_of(&p->say_retry)) {
		treaty_delivery_error(d, "done, but I say otherwise");
		return TREATY_MSG_RETRY;
	}
	if (p->order)
		atomic_store(&p->clock, atomic_fetch_add(p->order, 1));
	return TREATY_MSG_DONE;
}

void post_consume(struct post *p, struct treaty *t)
{
	const struct treaty_msg_consumer c = { .size = sizeof c,
					       .on_message = on_message };

	REQUIRE(treaty_msg_consumer_add(t, p->consumer, &c, p) == TREATY_OK);
}

void post_produce(struct post *p, struct treaty *t)
{
	const struct treaty_msg_producer producer = { .size = sizeof producer,
						      .dsn = p->dsn };

	REQUIRE(treaty_msg_producer_add(t, p->producer, &producer, NULL) ==
		TREATY_OK);
}

/* ---- producing ---- */

struct treaty_msg_delivery post_delivery(const struct post *p)
{
	return (struct treaty_msg_delivery){
		.size = sizeof(struct treaty_msg_delivery),
		.to = p->consumer,
		.payload = "{\"sum\":\"10\"}",
	};
}

struct treaty_msg *post_prepare(struct post *p, struct treaty *t,
				uint32_t timeout_ms, int64_t sum)
{
	const struct treaty_msg_options o = { .size = sizeof o,
					      .name = "buy",
					      .producer = p->producer,
					      .timeout_ms = timeout_ms };
	struct treaty_msg_delivery d = post_delivery(p);
	struct treaty_msg *m = NULL;
	struct buf payload;

	buf_init(&payload, &mem_heap);
	buf_printf(&payload, "{\"sum\":\"%" PRId64 "\"}", sum);
	d.payload = buf_text(&payload);
	if (treaty_msg_prepare(t, &o, &m) != TREATY_OK ||
	    treaty_msg_add(m, &d, NULL) != TREATY_OK) {
		print_error("%s\n", treaty_last_error());
		treaty_msg_free(m);
		m = NULL;
	}
	buf_fini(&payload);
	return m;
}

int post_pay(struct cashier *c, int64_t sum)
{
	return cashier_sql(c,
			   "UPDATE wallet SET balance = balance - %" PRId64
			   " WHERE id = 0",
			   sum);
}

int post_barrier(struct treaty_msg *m, struct cashier *c)
{
	if (c->kind == CASHIER_PG)
		return treaty_msg_barrier_pg(m, c->native);
	if (c->kind == CASHIER_MYSQL)
		return treaty_msg_barrier_mysql(m, c->native);
	return treaty_msg_barrier_sqlite(m, c->native);
}

struct errand {
	struct cashier *c;
	int64_t sum;
	bool fail;
};

static int pay(const struct errand *e)
{
	int rc = post_pay(e->c, e->sum);

	return rc == OK && e->fail ? TREATY_E_DENIED : rc;
}

static int pay_pg(void *ctx, struct pg_conn *conn)
{
	(void)conn;
	return pay(ctx);
}

static int pay_mysql(void *ctx, struct st_mysql *conn)
{
	(void)conn;
	return pay(ctx);
}

static int pay_sqlite(void *ctx, struct sqlite3 *conn)
{
	(void)conn;
	return pay(ctx);
}

int post_local(struct post *p, struct treaty_msg *m, int64_t sum, bool fail)
{
	struct cashier c;
	struct errand e = { &c, sum, fail };
	int rc;

	cashier_open(&c, p->kind, p->dsn);
	if (p->kind == CASHIER_PG)
		rc = treaty_msg_local_pg(m, c.native, pay_pg, &e);
	else if (p->kind == CASHIER_MYSQL)
		rc = treaty_msg_local_mysql(m, c.native, pay_mysql, &e);
	else
		rc = treaty_msg_local_sqlite(m, c.native, pay_sqlite, &e);
	cashier_close(&c);
	return rc;
}

/* ---- looking ---- */

int64_t post_left(struct post *p)
{
	struct cashier c;
	int64_t n;

	cashier_open(&c, p->kind, p->dsn);
	n = WALLET_START - cashier_balance(&c, 0);
	cashier_close(&c);
	return n;
}

int64_t post_arrived(struct post *p)
{
	struct cashier c;
	int64_t n;

	cashier_open(&c, p->kind, p->dsn);
	n = cashier_balance(&c, 1) - WALLET_START;
	cashier_close(&c);
	return n;
}
