#include "base/hash.h"
#include "rm-agent/agent.h"
#include "tests/fakes/treatyd_proc.h"

#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

/* The agent and the coordinator, both real, in two processes. */

static uint64_t now_ms(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static void nap(unsigned ms)
{
	(void)poll(NULL, 0, (int)ms);
}

struct rig {
	struct treatyd d;
	struct treaty *t;
};

static void rig_open(struct rig *r, unsigned threads)
{
	struct treaty_options o;

	treaty_options_init(&o, sizeof o);
	o.address = r->d.agents;
	o.application = "live";
	o.threads = threads;
	o.request_timeout_ms = 20000;
	o.id_block = 20;
	assert_int_equal(treaty_open(&r->t, &o), TREATY_OK);
}

static void rig_start(struct rig *r, unsigned threads)
{
	*r = (struct rig){ 0 };
	assert_true(treatyd_start(&r->d, NULL, NULL));
	rig_open(r, threads);
}

static void rig_stop(struct rig *r)
{
	assert_int_equal(treaty_close(r->t), TREATY_OK);
	treatyd_remove(&r->d);
}

static void assert_says(const char *part)
{
	if (!strstr(treaty_last_error(), part))
		fail_msg("\"%s\" does not say \"%s\"", treaty_last_error(),
			 part);
}

/* ---- what the other side has done to the branches of a resource ---- */

#define BRANCHES 4096

struct ledger {
	_Atomic int committed[BRANCHES];
	_Atomic int rolled_back[BRANCHES];
	_Atomic unsigned seed;
};

/* The application data is the place in the ledger. Every fifth time it says
 * "later", as a database that is busy would. */
static void ledger_run(void *ctx, const struct agent_command *c,
		       struct agent_result *result)
{
	struct ledger *l = ctx;
	size_t at = strtoul((const char *)c->application_data.data, NULL, 10);

	assert_true(at < BRANCHES);
	if (atomic_fetch_add(&l->seed, 1) % 5 == 4) {
		buf_put_text(result->error, "busy");
		return;
	}
	if (c->type == AGENT_COMMIT) {
		atomic_fetch_add(&l->committed[at], 1);
		result->status = BRANCH_COMMITTED;
	} else {
		atomic_fetch_add(&l->rolled_back[at], 1);
		result->status = BRANCH_ROLLBACKED;
	}
}

static const struct agent_handler ledger_handler = { .run = ledger_run };

static int add_branch(struct treaty_tx *tx, size_t at)
{
	char text[32] = "";
	struct buf b;
	uint64_t id;
	int rc;

	buf_init(&b, &mem_heap);
	buf_printf(&b, "%zu", at);
	memcpy(text, buf_text(&b), b.len + 1);
	buf_fini(&b);
	const struct agent_branch branch = {
		.mode = MODE_TCC,
		.resource = BYTES("ledger"),
		.application_data = { (const uint8_t *)text, strlen(text) + 1 },
	};
	rc = agent_register(tx, &branch, &id, NULL);
	if (rc == OK)
		rc = agent_report(tx, id, BRANCH_PHASE_ONE_DONE,
				  (struct bytes){ 0 });
	return rc;
}

/* ---- kill -9 under load ---- */

#define CALLERS 8
#define EACH    60

enum told { TOLD_NOTHING, TOLD_COMMITTED, TOLD_ROLLED_BACK };

struct caller {
	struct treaty *t;
	size_t first;
	enum told told[EACH];
	_Atomic int done;
};

static enum told one(struct treaty *t, size_t at)
{
	struct treaty_tx *tx;
	enum told told = TOLD_NOTHING;
	int rc;

	/* begun and lost in the crash is a fair answer: then begin again */
	while (treaty_begin(t, "live", 60000, &tx) != TREATY_OK)
		nap(10);
	rc = add_branch(tx, at);
	if (rc == OK && at % 3 != 0)
		rc = treaty_commit(tx);
	else
		rc = treaty_rollback(tx, "test") == TREATY_OK
			     ? TREATY_E_ROLLED_BACK
			     : TREATY_E_UNKNOWN;
	for (int i = 0; rc == TREATY_E_UNKNOWN && i < 20; i++)
		rc = treaty_commit(tx);
	if (rc == TREATY_OK)
		told = TOLD_COMMITTED;
	else if (rc == TREATY_E_ROLLED_BACK || rc == TREATY_E_NOTFOUND)
		told = TOLD_ROLLED_BACK;
	(void)treaty_release(tx);
	return told;
}

static void *call(void *arg)
{
	struct caller *c = arg;

	for (size_t i = 0; i < EACH; i++) {
		c->told[i] = one(c->t, c->first + i);
		atomic_store(&c->done, (int)i + 1);
	}
	return NULL;
}

static int all_done(struct caller *c)
{
	int n = 0;

	for (int i = 0; i < CALLERS; i++)
		n += atomic_load(&c[i].done);
	return n;
}

/* True once everything that was told has happened, and nothing else has. */
static bool ledger_agrees(struct ledger *l, const struct caller *c)
{
	for (size_t i = 0; i < CALLERS; i++)
		for (size_t k = 0; k < EACH; k++) {
			size_t at = c[i].first + k;
			bool committed = atomic_load(&l->committed[at]) > 0;
			bool rolled = atomic_load(&l->rolled_back[at]) > 0;

			/* never both, whenever one looks */
			assert_false(committed && rolled);
			if (c[i].told[k] == TOLD_COMMITTED) {
				assert_false(rolled);
				if (!committed)
					return false;
			}
			if (c[i].told[k] == TOLD_ROLLED_BACK)
				assert_false(committed);
		}
	return true;
}

static void test_a_killed_coordinator_loses_nothing_that_was_told(void **state)
{
	static struct ledger ledger;
	static struct caller callers[CALLERS];
	pthread_t threads[CALLERS];
	uint64_t end;
	int told[3] = { 0 };
	struct rig r;

	(void)state;
	rig_start(&r, 2);
	assert_int_equal(agent_resource_add(r.t, BYTES("ledger"), MODE_TCC,
					    &ledger_handler, &ledger),
			 OK);
	for (size_t i = 0; i < CALLERS; i++) {
		callers[i] = (struct caller){ .t = r.t, .first = i * EACH };
		assert_int_equal(
			pthread_create(&threads[i], NULL, call, &callers[i]),
			0);
	}
	for (int kills = 1; kills <= 3; kills++) {
		while (all_done(callers) < kills * CALLERS * EACH / 4)
			nap(1);
		treatyd_kill(&r.d);
		nap(100);
		assert_true(treatyd_start(&r.d, NULL, NULL));
	}
	for (int i = 0; i < CALLERS; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	end = now_ms() + 30000;
	while (!ledger_agrees(&ledger, callers) && now_ms() < end)
		nap(20);
	assert_true(ledger_agrees(&ledger, callers));
	for (size_t i = 0; i < CALLERS; i++)
		for (size_t k = 0; k < EACH; k++)
			told[callers[i].told[k]]++;
	assert_int_equal(told[TOLD_NOTHING], 0);
	assert_true(told[TOLD_COMMITTED] > CALLERS * EACH / 2);
	assert_true(told[TOLD_ROLLED_BACK] >= CALLERS * EACH / 3);
	rig_stop(&r);
}

static void test_an_idle_agent_is_known_again_within_a_second(void **state)
{
	static struct ledger ledger;
	struct treaty_tx *tx;
	uint64_t begun;
	struct rig r;

	(void)state;
	rig_start(&r, 2);
	assert_int_equal(agent_resource_add(r.t, BYTES("ledger"), MODE_TCC,
					    &ledger_handler, &ledger),
			 OK);
	/* A transaction that will time out while the agent is idle: the new
	 * coordinator needs the agent for its rollback. */
	assert_int_equal(treaty_begin(r.t, "live", 1000, &tx), TREATY_OK);
	assert_int_equal(add_branch(tx, 7), OK);
	treatyd_kill(&r.d);
	assert_true(treatyd_start(&r.d, NULL, NULL));
	begun = now_ms();
	while (atomic_load(&ledger.rolled_back[7]) == 0 &&
	       now_ms() < begun + 10000)
		nap(5);
	/* time-out of one second, then at most one for the agent */
	assert_in_range(now_ms() - begun, 0, 3000);
	assert_int_equal(treaty_commit(tx), TREATY_E_ROLLED_BACK);
	assert_says("Timeout");
	assert_int_equal(treaty_release(tx), TREATY_OK);
	rig_stop(&r);
}

/* ---- locks ---- */

static struct bytes key_of(struct buf *b, const char *row)
{
	buf_init(b, &mem_heap);
	lock_key_begin(b, BYTES("db"), BYTES("goods"));
	lock_key_value(b, bytes_of(row));
	return buf_bytes(b);
}

static int lock_row(struct treaty_tx *tx, struct bytes key, uint64_t wait_ms,
		    struct agent_conflict *conflict)
{
	const struct agent_branch b = { .resource = BYTES("db"),
					.lock_keys = &key,
					.n_lock_keys = 1,
					.wait_ms = wait_ms };
	uint64_t branch;

	return agent_register(tx, &b, &branch, conflict);
}

struct locker {
	struct treaty *t;
	struct treaty_tx *tx;
	struct bytes key;
	_Atomic int rc;
};

static void *lock_slowly(void *arg)
{
	struct locker *l = arg;
	struct agent_conflict conflict;

	(void)treaty_bind(l->tx);
	atomic_store(&l->rc, lock_row(l->tx, l->key, 10000, &conflict));
	(void)treaty_unbind(l->t);
	return NULL;
}

static void test_rows_are_waited_for_and_the_holder_is_named(void **state)
{
	struct agent_conflict conflict;
	struct treaty_tx *a, *b;
	struct locker l;
	struct bytes key;
	pthread_t thread;
	struct rig r;
	struct buf k;

	(void)state;
	rig_start(&r, 2);
	key = key_of(&k, "17");
	assert_int_equal(treaty_begin(r.t, "a", 0, &a), TREATY_OK);
	assert_int_equal(lock_row(a, key, 0, NULL), OK);
	assert_ptr_equal(treaty_unbind(r.t), a);
	assert_int_equal(treaty_begin(r.t, "b", 0, &b), TREATY_OK);
	assert_int_equal(lock_row(b, key, 0, &conflict), E_CONFLICT);
	assert_string_equal(conflict.holder, treaty_xid(a));
	assert_says("goods(17)");
	assert_says(treaty_xid(a));
	assert_int_equal(lock_row(b, key, 100, &conflict), E_TIMEOUT);
	assert_string_equal(conflict.holder, treaty_xid(a));
	assert_int_equal(
		agent_lock_check(r.t, b, BYTES("db"), &key, 1, 0, &conflict),
		E_CONFLICT);
	assert_int_equal(agent_lock_check(r.t, NULL, BYTES("db"), &key, 1, 50,
					  &conflict),
			 E_TIMEOUT);
	assert_string_equal(conflict.holder, treaty_xid(a));

	assert_ptr_equal(treaty_unbind(r.t), b);
	l = (struct locker){ .t = r.t, .tx = b, .key = key, .rc = 1 };
	assert_int_equal(pthread_create(&thread, NULL, lock_slowly, &l), 0);
	nap(100);
	assert_int_equal(atomic_load(&l.rc), 1); /* it waits */
	assert_int_equal(treaty_commit(a), TREATY_OK);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(atomic_load(&l.rc), OK);
	/* nobody serves "db": the commit is decided all the same */
	assert_int_equal(treaty_commit(b), TREATY_OK);
	assert_int_equal(
		agent_lock_check(r.t, NULL, BYTES("db"), &key, 1, 0, &conflict),
		OK);
	assert_int_equal(treaty_release(a), TREATY_OK);
	assert_int_equal(treaty_release(b), TREATY_OK);
	buf_fini(&k);
	rig_stop(&r);
}

static void test_a_deadlock_is_found(void **state)
{
	struct agent_conflict conflict;
	struct treaty_tx *a, *b;
	struct bytes one_key, two_key;
	struct locker l;
	pthread_t thread;
	struct rig r;
	struct buf k1, k2;

	(void)state;
	rig_start(&r, 1);
	one_key = key_of(&k1, "1");
	two_key = key_of(&k2, "2");
	assert_int_equal(treaty_begin(r.t, "a", 0, &a), TREATY_OK);
	assert_int_equal(lock_row(a, one_key, 0, NULL), OK);
	(void)treaty_unbind(r.t);
	assert_int_equal(treaty_begin(r.t, "b", 0, &b), TREATY_OK);
	assert_int_equal(lock_row(b, two_key, 0, NULL), OK);
	l = (struct locker){ .t = r.t, .tx = a, .key = two_key, .rc = 1 };
	assert_int_equal(pthread_create(&thread, NULL, lock_slowly, &l), 0);
	nap(50);
	/* b is the younger one */
	assert_int_equal(lock_row(b, one_key, 10000, &conflict), E_DEADLOCK);
	assert_says("roll this transaction back");
	assert_int_equal(treaty_rollback(b, "deadlock"), TREATY_OK);
	assert_int_equal(treaty_release(b), TREATY_OK);
	assert_int_equal(pthread_join(thread, NULL), 0);
	/* b's rollback has refused whoever waited for it, or its undo (nobody
	 * does it here) still holds the row */
	assert_true(atomic_load(&l.rc) == E_CONFLICT ||
		    atomic_load(&l.rc) == E_TIMEOUT);
	assert_int_equal(treaty_rollback(a, NULL), TREATY_OK);
	assert_int_equal(treaty_release(a), TREATY_OK);
	buf_fini(&k1);
	buf_fini(&k2);
	rig_stop(&r);
}

/* ---- the rest ---- */

static void test_ids_never_repeat_across_a_crash(void **state)
{
	uint64_t last = 0, id;
	struct rig r;

	(void)state;
	rig_start(&r, 1);
	for (int i = 0; i < 200; i++) {
		if (i == 100) {
			treatyd_kill(&r.d);
			assert_true(treatyd_start(&r.d, NULL, NULL));
		}
		assert_int_equal(treaty_id_next(r.t, &id), TREATY_OK);
		assert_true(id > last);
		last = id;
	}
	rig_stop(&r);
}

static void test_what_was_begun_and_lost_is_told(void **state)
{
	struct treaty_tx *tx;
	struct rig r;
	int status;

	(void)state;
	rig_start(&r, 1);
	assert_int_equal(treaty_begin(r.t, "a", 0, &tx), TREATY_OK);
	treatyd_kill(&r.d); /* an empty transaction is not stored */
	assert_true(treatyd_start(&r.d, NULL, NULL));
	assert_int_equal(treaty_commit(tx), TREATY_E_NOTFOUND);
	assert_int_equal(treaty_status(r.t, treaty_xid(tx), &status),
			 TREATY_E_NOTFOUND);
	assert_int_equal(treaty_release(tx), TREATY_OK);
	rig_stop(&r);
}

static void test_a_participant_in_another_process_takes_part(void **state)
{
	static struct ledger ledger;
	struct treaty_tx *tx, *part;
	struct treaty *other = NULL;
	struct rig r, second;
	uint64_t end;

	(void)state;
	rig_start(&r, 1);
	second = r;
	rig_open(&second, 1);
	other = second.t;
	assert_int_equal(agent_resource_add(other, BYTES("ledger"), MODE_TCC,
					    &ledger_handler, &ledger),
			 OK);
	assert_int_equal(treaty_begin(r.t, "a", 0, &tx), TREATY_OK);
	assert_int_equal(treaty_join(other, treaty_current_xid(r.t), &part),
			 TREATY_OK);
	assert_int_equal(add_branch(part, 3), OK);
	assert_int_equal(treaty_commit(part), TREATY_E_STATE);
	assert_int_equal(treaty_release(part), TREATY_OK);
	assert_int_equal(treaty_commit(tx), TREATY_OK);
	end = now_ms() + 5000;
	while (!atomic_load(&ledger.committed[3]) && now_ms() < end)
		nap(2);
	assert_int_equal(atomic_load(&ledger.committed[3]), 1);
	assert_int_equal(treaty_release(tx), TREATY_OK);
	assert_int_equal(treaty_close(other), TREATY_OK);
	rig_stop(&r);
}

static void test_without_threads_a_rollback_runs_its_own_branches(void **state)
{
	static struct ledger ledger;
	struct treaty_tx *tx;
	struct rig r;

	(void)state;
	rig_start(&r, 0);
	assert_int_equal(agent_resource_add(r.t, BYTES("ledger"), MODE_TCC,
					    &ledger_handler, &ledger),
			 OK);
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(treaty_begin(r.t, "a", 0, &tx), TREATY_OK);
		assert_int_equal(add_branch(tx, i), OK);
		assert_int_equal(treaty_rollback(tx, "test"), TREATY_OK);
		assert_int_equal(treaty_tx_status(tx),
				 TREATY_STATUS_ROLLBACKED);
		assert_int_equal(atomic_load(&ledger.rolled_back[i]), 1);
		assert_int_equal(treaty_release(tx), TREATY_OK);
	}
	rig_stop(&r);
}

/* Not a check but a figure, for the log: begin and commit, nothing between. */
static void test_say_how_long_an_empty_transaction_takes(void **state)
{
	struct rig r;

	(void)state;
	for (unsigned threads = 0; threads <= 2; threads += 2) {
		uint64_t begun;

		rig_start(&r, threads);
		begun = now_ms();
		for (int i = 0; i < 1000; i++) {
			struct treaty_tx *tx;

			assert_int_equal(treaty_begin(r.t, "a", 0, &tx),
					 TREATY_OK);
			assert_int_equal(treaty_commit(tx), TREATY_OK);
			assert_int_equal(treaty_release(tx), TREATY_OK);
		}
		print_message("threads=%u: begin + commit %llu us\n", threads,
			      (unsigned long long)(now_ms() - begun));
		rig_stop(&r);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			test_a_killed_coordinator_loses_nothing_that_was_told),
		cmocka_unit_test(
			test_an_idle_agent_is_known_again_within_a_second),
		cmocka_unit_test(
			test_rows_are_waited_for_and_the_holder_is_named),
		cmocka_unit_test(test_a_deadlock_is_found),
		cmocka_unit_test(test_ids_never_repeat_across_a_crash),
		cmocka_unit_test(test_what_was_begun_and_lost_is_told),
		cmocka_unit_test(
			test_a_participant_in_another_process_takes_part),
		cmocka_unit_test(
			test_without_threads_a_rollback_runs_its_own_branches),
		cmocka_unit_test(test_say_how_long_an_empty_transaction_takes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
