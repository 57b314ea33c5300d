#include "rm-agent/agent.h"
#include "tests/fakes/coordinator.h"

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

/* The agent against a coordinator of the test's own (tests/fakes). */

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
	struct fake_coordinator fake;
	struct treaty_options options;
	struct treaty *t;
};

static void rig_prepare(struct rig *r)
{
	*r = (struct rig){ 0 };
	fake_start(&r->fake);
	treaty_options_init(&r->options, sizeof r->options);
	r->options.address = r->fake.address;
	r->options.application = "order";
	r->options.request_timeout_ms = 5000;
	r->options.heartbeat_ms = 300;
	r->options.close_wait_ms = 300;
}

static void rig_open(struct rig *r)
{
	assert_int_equal(treaty_open(&r->t, &r->options), TREATY_OK);
}

static void rig_start(struct rig *r)
{
	rig_prepare(r);
	rig_open(r);
}

static void rig_stop(struct rig *r)
{
	if (r->t)
		assert_int_equal(treaty_close(r->t), TREATY_OK);
	fake_stop(&r->fake);
}

static void assert_says(const char *part)
{
	if (!strstr(treaty_last_error(), part))
		fail_msg("\"%s\" does not say \"%s\"", treaty_last_error(),
			 part);
}

/* ---- transactions ---- */

static void test_a_transaction_is_begun_carried_and_committed(void **state)
{
	struct treaty_tx *tx;
	struct rig r;
	int status = 0;

	(void)state;
	rig_start(&r);
	assert_null(treaty_current(r.t));
	assert_int_equal(treaty_begin(r.t, "buy", 1000, &tx), TREATY_OK);
	assert_string_equal(treaty_xid(tx), "fake:1:1");
	assert_ptr_equal(treaty_current(r.t), tx);
	assert_string_equal(treaty_current_xid(r.t), "fake:1:1");
	assert_true(treaty_tx_began(tx));
	assert_int_equal(treaty_status(r.t, treaty_xid(tx), &status),
			 TREATY_OK);
	assert_int_equal(status, TREATY_STATUS_BEGIN);
	assert_int_equal(treaty_commit(tx), TREATY_OK);
	assert_int_equal(treaty_tx_status(tx), TREATY_STATUS_COMMITTED);
	assert_null(treaty_current(r.t));
	assert_int_equal(treaty_release(tx), TREATY_OK);

	assert_int_equal(treaty_begin(r.t, "buy", 1000, &tx), TREATY_OK);
	assert_int_equal(treaty_rollback(tx, "no money"), TREATY_OK);
	assert_int_equal(treaty_tx_status(tx), TREATY_STATUS_ROLLBACKED);
	assert_int_equal(treaty_release(tx), TREATY_OK);
	assert_true(treaty_connected(r.t));
	rig_stop(&r);
	assert_int_equal(fake_seen(&r.fake, MSG_COMMIT), 1);
	assert_int_equal(fake_seen(&r.fake, MSG_ROLLBACK), 1);
}

static void test_each_misuse_has_its_clear_error(void **state)
{
	struct treaty_tx *tx, *other, *joined;
	struct rig r;

	(void)state;
	rig_start(&r);
	assert_int_equal(treaty_begin(r.t, "a", 0, &tx), TREATY_OK);
	assert_int_equal(treaty_begin(r.t, "b", 0, &other), TREATY_E_STATE);
	assert_says("has transaction fake:1:1 already");
	assert_int_equal(treaty_join(r.t, "h:1:5", &joined), TREATY_E_STATE);
	assert_int_equal(treaty_commit(tx), TREATY_OK);
	assert_int_equal(treaty_commit(tx), TREATY_E_STATE);
	assert_says("commit of fake:1:1: it is committed already");
	assert_int_equal(treaty_rollback(tx, NULL), TREATY_E_STATE);
	assert_int_equal(treaty_release(tx), TREATY_OK);

	assert_int_equal(treaty_join(r.t, "rubbish", &joined),
			 TREATY_E_INVALID);
	assert_says("\"rubbish\" is no xid");
	assert_int_equal(treaty_join(r.t, "h:1:5", &joined), TREATY_OK);
	assert_false(treaty_tx_began(joined));
	assert_int_equal(treaty_commit(joined), TREATY_E_STATE);
	assert_says("only who began it may end it");
	assert_int_equal(treaty_rollback(joined, NULL), TREATY_E_STATE);
	assert_int_equal(treaty_release(joined), TREATY_OK);

	assert_int_equal(treaty_begin(NULL, "a", 0, &tx), TREATY_E_INVALID);
	assert_int_equal(treaty_commit(NULL), TREATY_E_INVALID);
	assert_int_equal(treaty_release(NULL), TREATY_OK);
	assert_int_equal(treaty_close(NULL), TREATY_OK);
	assert_int_equal(treaty_process(r.t, 0), TREATY_E_STATE);
	assert_int_equal(treaty_status(r.t, "x", NULL), TREATY_E_INVALID);

	assert_int_equal(treaty_begin(r.t, "a", 0, &tx), TREATY_OK);
	assert_int_equal(treaty_close(r.t), TREATY_OK);
	assert_int_equal(treaty_close(r.t), TREATY_E_CLOSED);
	assert_int_equal(treaty_commit(tx), TREATY_E_CLOSED);
	assert_says("no more after treaty_close()");
	assert_int_equal(treaty_begin(r.t, "b", 0, &other), TREATY_E_CLOSED);
	assert_int_equal(treaty_release(tx), TREATY_OK);
	r.t = NULL;
	rig_stop(&r);
	assert_int_equal(fake_seen(&r.fake, MSG_COMMIT), 1);
}

struct elsewhere {
	struct treaty *t;
	struct treaty_tx *tx;
	int rc[4];
};

static void *use_elsewhere(void *arg)
{
	struct elsewhere *e = arg;

	e->rc[0] = treaty_commit(e->tx);
	e->rc[1] = treaty_bind(e->tx);
	e->rc[2] = treaty_release(e->tx);
	e->rc[3] = agent_tx_check(e->tx);
	return NULL;
}

/* Takes it over and ends without unbinding it. */
static void *take_over(void *arg)
{
	struct elsewhere *e = arg;

	e->rc[0] = treaty_bind(e->tx);
	e->rc[1] = treaty_current(e->t) == e->tx;
	return NULL;
}

static void on_thread(void *(*run)(void *), void *arg)
{
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, run, arg), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
}

static void test_a_transaction_belongs_to_the_thread_it_is_bound_to(
	void **state)
{
	struct elsewhere e;
	struct treaty_tx *tx;
	struct rig r;

	(void)state;
	rig_start(&r);
	assert_int_equal(treaty_begin(r.t, "a", 0, &tx), TREATY_OK);
	e = (struct elsewhere){ .t = r.t, .tx = tx };
	on_thread(use_elsewhere, &e);
	for (size_t i = 0; i < ARRAY_LEN(e.rc); i++)
		assert_int_equal(e.rc[i], TREATY_E_STATE);
	assert_ptr_equal(treaty_unbind(r.t), tx);
	assert_null(treaty_unbind(r.t));
	on_thread(take_over, &e);
	assert_int_equal(e.rc[0], TREATY_OK);
	assert_true(e.rc[1]);
	/* that thread has ended, so it is nobody's */
	assert_int_equal(treaty_bind(tx), TREATY_OK);
	assert_int_equal(treaty_bind(tx), TREATY_OK); /* still */
	assert_int_equal(treaty_commit(tx), TREATY_OK);
	assert_int_equal(treaty_release(tx), TREATY_OK);
	rig_stop(&r);
}

static void test_an_inner_transaction_puts_the_outer_one_aside(void **state)
{
	struct treaty_tx *outer, *middle, *inner;
	struct rig r;

	(void)state;
	rig_prepare(&r);
	r.options.nesting = TREATY_NESTING_SUSPEND;
	rig_open(&r);
	assert_int_equal(treaty_begin(r.t, "a", 0, &outer), TREATY_OK);
	assert_int_equal(treaty_begin(r.t, "b", 0, &middle), TREATY_OK);
	assert_int_equal(treaty_begin(r.t, "c", 0, &inner), TREATY_OK);
	assert_ptr_equal(treaty_current(r.t), inner);
	/* one that is put aside may be released: it does not come back */
	assert_int_equal(treaty_release(middle), TREATY_OK);
	assert_int_equal(treaty_commit(inner), TREATY_OK);
	assert_ptr_equal(treaty_current(r.t), outer);
	assert_int_equal(treaty_release(inner), TREATY_OK);
	assert_int_equal(treaty_rollback(outer, NULL), TREATY_OK);
	assert_null(treaty_current(r.t));
	assert_int_equal(treaty_release(outer), TREATY_OK);
	rig_stop(&r);
}

static void test_a_released_undecided_transaction_is_rolled_back(void **state)
{
	struct treaty_tx *tx;
	struct rig r;

	(void)state;
	rig_start(&r);
	assert_int_equal(treaty_begin(r.t, "a", 0, &tx), TREATY_OK);
	assert_int_equal(treaty_release(tx), TREATY_OK);
	assert_null(treaty_current(r.t));
	assert_true(fake_wait(&r.fake, MSG_ROLLBACK, 1, 2000));
	rig_stop(&r);
}

/* ---- outcomes ---- */

struct script {
	enum msg_type type;
	enum fake_verdict verdict;
	struct msg reply;
};

static enum fake_verdict scripted(void *ctx, const struct msg *m,
				  struct msg *reply)
{
	const struct script *s = ctx;

	if (m->type != s->type)
		return FAKE_DEFAULT;
	if (s->verdict == FAKE_REPLY) {
		*reply = s->reply;
		reply->type = MSG_REPLY;
	}
	return s->verdict;
}

static void test_a_commit_that_came_too_late_is_told_apart(void **state)
{
	struct script s = { MSG_COMMIT,
			    FAKE_REPLY,
			    { .err = (uint64_t)-E_STATE,
			      .status = GTX_TIMEOUT_ROLLBACKING,
			      .text = BYTES("timed out after 60000 ms") } };
	struct treaty_tx *tx;
	struct rig r;

	(void)state;
	rig_prepare(&r);
	r.fake.answer = scripted;
	r.fake.ctx = &s;
	rig_open(&r);
	assert_int_equal(treaty_begin(r.t, "a", 0, &tx), TREATY_OK);
	assert_int_equal(treaty_commit(tx), TREATY_E_ROLLED_BACK);
	assert_says("fake:1:1: it is rolled back (TimeoutRollbacking): timed "
		    "out after 60000 ms");
	assert_int_equal(treaty_tx_status(tx),
			 TREATY_STATUS_TIMEOUT_ROLLBACKING);
	assert_int_equal(treaty_commit(tx), TREATY_E_STATE);
	assert_int_equal(treaty_release(tx), TREATY_OK);
	rig_stop(&r);
}

static void test_an_unanswered_commit_is_unknown_and_asked_again(void **state)
{
	struct script s = { MSG_COMMIT, FAKE_SILENCE, { 0 } };
	struct treaty_tx *tx;
	struct rig r;

	(void)state;
	rig_prepare(&r);
	r.fake.answer = scripted;
	r.fake.ctx = &s;
	r.options.request_timeout_ms = 200;
	rig_open(&r);
	assert_int_equal(treaty_begin(r.t, "a", 0, &tx), TREATY_OK);
	assert_int_equal(treaty_commit(tx), TREATY_E_UNKNOWN);
	assert_says("it was sent and may be done");
	fake_mute(&r.fake, true);
	/* never guessed away: released now, nothing would be rolled back */
	assert_int_equal(treaty_commit(tx), TREATY_E_UNKNOWN);
	fake_mute(&r.fake, false);
	s.verdict = FAKE_DEFAULT;
	assert_int_equal(treaty_commit(tx), TREATY_OK);
	assert_int_equal(treaty_release(tx), TREATY_OK);

	s.verdict = FAKE_SILENCE;
	assert_int_equal(treaty_begin(r.t, "a", 0, &tx), TREATY_OK);
	assert_int_equal(treaty_commit(tx), TREATY_E_UNKNOWN);
	fake_stop(&r.fake);
	nap(100);
	/* that it could not be asked again makes it no less unknown */
	assert_int_equal(treaty_commit(tx), TREATY_E_UNKNOWN);
	assert_says("the commit before may be done");
	assert_int_equal(treaty_release(tx), TREATY_OK);
	fake_start(&r.fake);
	r.options.request_timeout_ms = 5000;
	assert_int_equal(treaty_close(r.t), TREATY_OK);
	rig_open(&r);
	assert_int_equal(treaty_begin(r.t, "a", 0, &tx), TREATY_OK);
	assert_int_equal(treaty_rollback(tx, NULL), TREATY_OK);
	assert_int_equal(treaty_release(tx), TREATY_OK);
	assert_int_equal(treaty_close(r.t), TREATY_OK);
	r.options.request_timeout_ms = 200;
	rig_open(&r);
	assert_int_equal(treaty_begin(r.t, "a", 0, &tx), TREATY_OK);
	assert_int_equal(treaty_commit(tx), TREATY_E_UNKNOWN);
	assert_int_equal(treaty_release(tx), TREATY_OK);
	rig_stop(&r);
	assert_int_equal(fake_seen(&r.fake, MSG_ROLLBACK), 1);
}

static void test_what_nobody_knows_is_rolled_back(void **state)
{
	struct script s = { MSG_COMMIT,
			    FAKE_REPLY,
			    { .err = (uint64_t)-E_NOTFOUND } };
	struct treaty_tx *tx;
	struct rig r;

	(void)state;
	rig_prepare(&r);
	r.fake.answer = scripted;
	r.fake.ctx = &s;
	rig_open(&r);
	assert_int_equal(treaty_begin(r.t, "a", 0, &tx), TREATY_OK);
	assert_int_equal(treaty_commit(tx), TREATY_E_NOTFOUND);
	assert_int_equal(treaty_tx_status(tx), TREATY_STATUS_ROLLBACKED);
	assert_int_equal(treaty_release(tx), TREATY_OK);
	s.type = MSG_ROLLBACK;
	assert_int_equal(treaty_begin(r.t, "a", 0, &tx), TREATY_OK);
	assert_int_equal(treaty_rollback(tx, NULL), TREATY_OK);
	assert_int_equal(treaty_release(tx), TREATY_OK);
	rig_stop(&r);
}

/* A coordinator of another name knows nothing of our xid, which says nothing
 * about what the right one has decided. */
static void test_a_stranger_that_knows_nothing_decides_nothing(void **state)
{
	struct script s = { MSG_BEGIN,
			    FAKE_REPLY,
			    { .xid = BYTES("elsewhere:1:7") } };
	struct treaty_tx *tx;
	struct rig r;

	(void)state;
	rig_prepare(&r);
	r.fake.answer = scripted;
	r.fake.ctx = &s;
	rig_open(&r);
	for (int i = 0; i < 2; i++) {
		s.type = MSG_BEGIN;
		s.reply.err = 0;
		assert_int_equal(treaty_begin(r.t, "a", 0, &tx), TREATY_OK);
		assert_string_equal(treaty_xid(tx), "elsewhere:1:7");
		s.type = i == 0 ? MSG_COMMIT : MSG_ROLLBACK;
		s.reply.err = (uint64_t)-E_NOTFOUND;
		assert_int_equal(i == 0 ? treaty_commit(tx)
					: treaty_rollback(tx, NULL),
				 TREATY_E_UNKNOWN);
		assert_says("is another one");
		assert_int_equal(treaty_release(tx), TREATY_OK);
	}
	rig_stop(&r);
}

static void test_without_a_coordinator_nothing_is_claimed(void **state)
{
	struct treaty_tx *tx;
	struct rig r;
	uint64_t begun, id;
	int status;

	(void)state;
	rig_prepare(&r);
	fake_stop(&r.fake);
	r.options.request_timeout_ms = 150;
	rig_open(&r);
	begun = now_ms();
	assert_int_equal(treaty_begin(r.t, "a", 0, &tx), TREATY_E_TIMEOUT);
	assert_in_range(now_ms() - begun, 140, 1500);
	assert_says("no answer from the coordinator within 150 ms");
	assert_null(treaty_current(r.t));
	assert_int_equal(treaty_status(r.t, "h:1:1", &status),
			 TREATY_E_TIMEOUT);
	assert_int_equal(treaty_id_next(r.t, &id), TREATY_E_TIMEOUT);
	assert_false(treaty_connected(r.t));
	fake_start(&r.fake);
	assert_true(fake_wait(&r.fake, MSG_HELLO, 1, 3000));
	assert_int_equal(treaty_begin(r.t, "a", 0, &tx), TREATY_OK);
	assert_int_equal(treaty_commit(tx), TREATY_OK);
	assert_int_equal(treaty_release(tx), TREATY_OK);
	rig_stop(&r);
}

/* ---- restarts ---- */

static void *commit_it(void *arg)
{
	struct elsewhere *e = arg;

	e->rc[0] = treaty_commit(e->tx);
	return NULL;
}

static void test_requests_outlive_a_restart_of_the_coordinator(void **state)
{
	struct script s = { MSG_COMMIT, FAKE_SILENCE, { 0 } };
	struct elsewhere e;
	pthread_t thread;
	struct rig r;

	(void)state;
	rig_prepare(&r);
	r.fake.answer = scripted;
	r.fake.ctx = &s;
	rig_open(&r);
	e.t = r.t;
	assert_int_equal(treaty_begin(r.t, "a", 0, &e.tx), TREATY_OK);
	assert_ptr_equal(treaty_unbind(r.t), e.tx);
	assert_int_equal(pthread_create(&thread, NULL, commit_it, &e), 0);
	assert_true(fake_wait(&r.fake, MSG_COMMIT, 1, 2000));
	fake_stop(&r.fake);
	nap(100);
	s.verdict = FAKE_DEFAULT;
	fake_start(&r.fake);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(e.rc[0], TREATY_OK);
	assert_int_equal(treaty_release(e.tx), TREATY_OK);
	rig_stop(&r);
}

static void test_an_idle_agent_is_known_again_within_a_second(void **state)
{
	struct treaty_tx *tx;
	struct rig r;
	unsigned hellos;
	uint64_t begun;

	(void)state;
	rig_start(&r);
	assert_int_equal(treaty_begin(r.t, "a", 0, &tx), TREATY_OK);
	assert_int_equal(treaty_commit(tx), TREATY_OK);
	assert_int_equal(treaty_release(tx), TREATY_OK);
	fake_stop(&r.fake);
	hellos = fake_seen(&r.fake, MSG_HELLO);
	nap(50);
	begun = now_ms();
	fake_start(&r.fake);
	assert_true(fake_wait(&r.fake, MSG_HELLO, hellos + 1, 3000));
	assert_in_range(now_ms() - begun, 0, 1000);
	rig_stop(&r);
}

static void test_a_silent_coordinator_is_noticed_and_the_next_one_tried(
	void **state)
{
	struct fake_coordinator second = { 0 };
	struct treaty_tx *tx;
	char both[300];
	struct buf b;
	struct rig r;

	(void)state;
	rig_prepare(&r);
	fake_start(&second);
	buf_init(&b, &mem_heap);
	buf_printf(&b, "%s,%s", r.fake.address, second.address);
	memcpy(both, buf_text(&b), b.len + 1);
	buf_fini(&b);
	r.options.address = both;
	r.options.heartbeat_ms = 50;
	rig_open(&r);
	memset(both, 'x', sizeof both); /* the agent keeps nothing of it */
	assert_true(fake_wait(&r.fake, MSG_HELLO, 1, 3000));
	assert_int_equal(fake_seen(&second, MSG_HELLO), 0);
	fake_mute(&r.fake, true);
	assert_int_equal(treaty_begin(r.t, "a", 0, &tx), TREATY_OK);
	assert_true(fake_seen(&second, MSG_BEGIN) > 0);
	assert_int_equal(treaty_commit(tx), TREATY_OK);
	assert_int_equal(treaty_release(tx), TREATY_OK);
	rig_stop(&r);
	fake_stop(&second);
}

/* ---- branches ---- */

static void test_a_conflict_names_row_holder_and_age(void **state)
{
	struct script s = { MSG_REGISTER,
			    FAKE_REPLY,
			    { .err = (uint64_t)-E_TIMEOUT,
			      .holder = BYTES("fake:1:9"),
			      .holder_age_ms = 350 } };
	struct agent_conflict conflict;
	struct treaty_tx *tx;
	struct bytes key;
	uint64_t branch = 0;
	struct buf b;
	struct rig r;

	(void)state;
	buf_init(&b, &mem_heap);
	lock_key_begin(&b, BYTES("db"), BYTES("goods"));
	lock_key_value(&b, BYTES("17"));
	key = s.reply.key = buf_bytes(&b);
	rig_prepare(&r);
	r.fake.answer = scripted;
	r.fake.ctx = &s;
	rig_open(&r);
	assert_int_equal(treaty_begin(r.t, "a", 0, &tx), TREATY_OK);
	const struct agent_branch want = { .resource = BYTES("db"),
					   .lock_keys = &key,
					   .n_lock_keys = 1,
					   .wait_ms = 100 };
	assert_int_equal(agent_register(tx, &want, &branch, &conflict),
			 E_TIMEOUT);
	assert_string_equal(conflict.holder, "fake:1:9");
	assert_true(conflict.holder_age_ms == 350);
	assert_true(bytes_equal(
		(struct bytes){ conflict.key, conflict.key_len }, key));
	assert_says("fake:1:1 wants goods(17), which transaction fake:1:9 "
		    "holds (begun 350 ms ago)");
	s.type = MSG_LOCK_CHECK;
	s.reply.err = (uint64_t)-E_CONFLICT;
	assert_int_equal(
		agent_lock_check(r.t, NULL, BYTES("db"), &key, 1, 0, &conflict),
		E_CONFLICT);
	assert_string_equal(conflict.holder, "fake:1:9");
	/* the transaction that looked is gone again */
	assert_true(fake_wait(&r.fake, MSG_ROLLBACK, 1, 2000));

	assert_int_equal(agent_register(tx, &want, &branch, NULL), OK);
	assert_true(branch == 1);
	assert_true(r.fake.last_client_key != 0);
	assert_int_equal(agent_report(tx, branch, BRANCH_PHASE_ONE_DONE,
				      (struct bytes){ 0 }),
			 OK);
	agent_report_later(tx, branch, BRANCH_PHASE_ONE_FAILED);
	assert_true(fake_wait(&r.fake, MSG_REPORT, 2, 2000));
	assert_int_equal(treaty_commit(tx), TREATY_OK);
	assert_int_equal(agent_register(tx, &want, &branch, &conflict),
			 E_STATE);
	assert_says("is ended");
	assert_int_equal(treaty_release(tx), TREATY_OK);
	buf_fini(&b);
	rig_stop(&r);
}

/* ---- phase two ---- */

struct work {
	struct treaty *t;
	_Atomic int runs;
	_Atomic int at_once;
	_Atomic int at_once_max;
	_Atomic bool hold;
	_Atomic bool freed;
	_Atomic int close_rc;
	_Atomic enum agent_resolution last_resolution;
};

static void work_run(void *ctx, const struct agent_command *c,
		     struct agent_result *result)
{
	struct work *w = ctx;
	int n = atomic_fetch_add(&w->at_once, 1) + 1;

	if (n > atomic_load(&w->at_once_max))
		atomic_store(&w->at_once_max, n);
	w->last_resolution = c->resolution;
	atomic_store(&w->close_rc, treaty_close(w->t));
	atomic_fetch_add(&w->runs, 1);
	while (atomic_load(&w->hold))
		nap(1);
	buf_printf(result->error, "%s %s branch %llu attempt %llu data %.*s",
		   c->type == AGENT_COMMIT ? "commit" : "rollback", c->xid,
		   (unsigned long long)c->branch,
		   (unsigned long long)c->attempt, (int)c->application_data.len,
		   (const char *)c->application_data.data);
	buf_put_text(result->detail, "{}");
	result->status =
		c->type == AGENT_COMMIT ? BRANCH_COMMITTED : BRANCH_ROLLBACKED;
	atomic_fetch_sub(&w->at_once, 1);
}

static void work_free(void *ctx)
{
	struct work *w = ctx;

	assert_false(atomic_load(&w->freed));
	atomic_store(&w->freed, true);
}

static const struct agent_handler worker = { work_run, work_free };

static struct msg order(void)
{
	return (struct msg){ .id = 501,
			     .xid = BYTES("fake:1:7"),
			     .branch = 3,
			     .mode = MODE_TCC,
			     .resource = BYTES("db"),
			     .application_data = BYTES("x=1"),
			     .attempt = 2,
			     .command = AGENT_ROLLBACK };
}

static void rig_serve(struct rig *r, struct work *w)
{
	unsigned hellos = 0;

	w->t = r->t;
	while (fake_seen(&r->fake, MSG_HELLO) == 0)
		nap(1);
	hellos = fake_seen(&r->fake, MSG_HELLO);
	assert_int_equal(
		agent_resource_add(r->t, BYTES("db"), MODE_TCC, &worker, w),
		OK);
	assert_true(fake_wait(&r->fake, MSG_HELLO, hellos + 1, 2000));
}

static void test_a_command_is_run_and_its_end_told(void **state)
{
	struct work w = { 0 };
	struct rig r;
	struct msg m = order();

	(void)state;
	rig_start(&r);
	rig_serve(&r, &w);
	assert_int_equal(r.fake.n_resources, 1);
	assert_ptr_equal(agent_resource_find(r.t, BYTES("db")), &w);
	assert_null(agent_resource_find(r.t, BYTES("db2")));
	assert_int_equal(
		agent_resource_add(r.t, BYTES("db"), MODE_TCC, &worker, &w),
		E_STATE);
	fake_command(&r.fake, order());
	assert_true(fake_wait(&r.fake, MSG_BRANCH_DONE, 1, 2000));
	assert_true(r.fake.done_id == 501);
	assert_int_equal(r.fake.done_status, BRANCH_ROLLBACKED);
	assert_string_equal(r.fake.done_text,
			    "rollback fake:1:7 branch 3 attempt 2 data x=1");
	assert_string_equal(r.fake.done_detail, "{}");
	assert_int_equal(atomic_load(&w.close_rc), TREATY_E_STATE);

	m.resource = BYTES("other");
	m.command = AGENT_COMMIT;
	fake_command(&r.fake, m);
	assert_true(fake_wait(&r.fake, MSG_BRANCH_DONE, 2, 2000));
	assert_int_equal(r.fake.done_status, BRANCH_COMMIT_RETRYABLE);
	m = order();
	m.mode = MODE_AT;
	fake_command(&r.fake, m);
	assert_true(fake_wait(&r.fake, MSG_BRANCH_DONE, 3, 2000));
	assert_int_equal(r.fake.done_status, BRANCH_ROLLBACK_RETRYABLE);
	assert_int_equal(atomic_load(&w.runs), 1);

	assert_int_equal(agent_resource_remove(r.t, BYTES("db")), OK);
	assert_true(atomic_load(&w.freed));
	assert_int_equal(agent_resource_remove(r.t, BYTES("db")), E_NOTFOUND);
	rig_stop(&r);
}

static void test_a_branch_is_never_worked_on_twice_at_once(void **state)
{
	struct work w = { .hold = true };
	struct msg m = order();
	struct rig r;

	(void)state;
	rig_start(&r);
	rig_serve(&r, &w);
	fake_command(&r.fake, m);
	while (atomic_load(&w.runs) == 0)
		nap(1);
	for (int i = 0; i < 5; i++) {
		m.id++;
		m.attempt++;
		fake_command(&r.fake, m);
	}
	/* An operator's decision is not answered by the run without it. */
	m.id = 900;
	m.resolution = AGENT_RESOLVE_USE_UNDO;
	fake_command(&r.fake, m);
	assert_true(fake_wait(&r.fake, MSG_BRANCH_DONE, 1, 2000));
	assert_true(r.fake.done_id == 900);
	assert_int_equal(r.fake.done_status, BRANCH_ROLLBACK_RETRYABLE);
	atomic_store(&w.hold, false);
	assert_true(fake_wait(&r.fake, MSG_BRANCH_DONE, 2, 2000));
	assert_true(r.fake.done_id == 506); /* the newest of the same kind */
	assert_int_equal(r.fake.done_status, BRANCH_ROLLBACKED);
	nap(50);
	assert_int_equal(atomic_load(&w.runs), 1);
	assert_int_equal(atomic_load(&w.at_once_max), 1);
	fake_command(&r.fake, m);
	assert_true(fake_wait(&r.fake, MSG_BRANCH_DONE, 3, 2000));
	assert_int_equal(w.last_resolution, AGENT_RESOLVE_USE_UNDO);
	rig_stop(&r);
	assert_true(atomic_load(&w.freed));
}

static void test_a_full_queue_says_come_again(void **state)
{
	struct work w = { .hold = true };
	struct msg m = order();
	struct rig r;

	(void)state;
	rig_prepare(&r);
	r.options.threads = 1;
	r.options.commands_max = 3;
	rig_open(&r);
	rig_serve(&r, &w);
	for (m.branch = 1; m.branch <= 5; m.branch++)
		fake_command(&r.fake, m);
	assert_true(fake_wait(&r.fake, MSG_BRANCH_DONE, 2, 2000));
	assert_int_equal(r.fake.done_status, BRANCH_ROLLBACK_RETRYABLE);
	assert_non_null(strstr(r.fake.done_text, "commands_max"));
	atomic_store(&w.hold, false);
	assert_true(fake_wait(&r.fake, MSG_BRANCH_DONE, 5, 2000));
	assert_int_equal(atomic_load(&w.runs), 3);
	rig_stop(&r);
}

/* Callbacks may wait for what only this process can do: the end of another
 * transaction's AT branch. */
static void test_callbacks_that_wait_keep_no_at_branch_waiting(void **state)
{
	struct work callbacks = { .hold = true }, w = { 0 };
	struct msg m = order();
	struct rig r;

	(void)state;
	rig_start(&r);
	rig_serve(&r, &callbacks);
	w.t = r.t;
	assert_int_equal(
		agent_resource_add(r.t, BYTES("at"), MODE_AT, &worker, &w), OK);
	for (m.branch = 11; m.branch <= 14; m.branch++)
		fake_command(&r.fake, m);
	while (atomic_load(&callbacks.runs) < 2)
		nap(1);
	m.mode = MODE_AT;
	m.resource = BYTES("at");
	fake_command(&r.fake, m);
	assert_true(fake_wait(&r.fake, MSG_BRANCH_DONE, 1, 2000));
	assert_int_equal(atomic_load(&w.runs), 1);
	nap(50); /* and that is all: two of the callbacks still wait */
	assert_int_equal(atomic_load(&callbacks.runs), 2);
	atomic_store(&callbacks.hold, false);
	assert_true(fake_wait(&r.fake, MSG_BRANCH_DONE, 5, 2000));
	rig_stop(&r);
}

static void test_a_command_that_waits_is_replaced_by_its_repetition(
	void **state)
{
	struct work w = { .hold = true };
	struct msg m = order();
	struct rig r;

	(void)state;
	rig_prepare(&r);
	r.options.threads = 1;
	rig_open(&r);
	rig_serve(&r, &w);
	fake_command(&r.fake, m);
	while (atomic_load(&w.runs) == 0)
		nap(1);
	m.branch = 4;
	for (m.id = 601; m.id <= 605; m.id++)
		fake_command(&r.fake, m);
	nap(50);
	atomic_store(&w.hold, false);
	assert_true(fake_wait(&r.fake, MSG_BRANCH_DONE, 2, 2000));
	nap(50);
	assert_int_equal(fake_seen(&r.fake, MSG_BRANCH_DONE), 2);
	assert_true(r.fake.done_id == 605);
	assert_int_equal(atomic_load(&w.runs), 2);
	rig_stop(&r);
}

static void test_closing_waits_for_handlers_and_frees_nothing_early(
	void **state)
{
	struct work w = { .hold = true };
	struct rig r;

	(void)state;
	rig_start(&r);
	rig_serve(&r, &w);
	fake_command(&r.fake, order());
	while (atomic_load(&w.runs) == 0)
		nap(1);
	assert_int_equal(treaty_close(r.t), TREATY_E_TIMEOUT);
	assert_says("1 phase-two handlers still run");
	assert_false(atomic_load(&w.freed));
	atomic_store(&w.hold, false);
	assert_int_equal(treaty_close(r.t), TREATY_OK);
	assert_true(atomic_load(&w.freed));
	r.t = NULL;
	rig_stop(&r);
}

static void test_closing_ends_calls_that_wait(void **state)
{
	struct script s = { MSG_COMMIT, FAKE_SILENCE, { 0 } };
	struct elsewhere e;
	pthread_t thread;
	struct rig r;

	(void)state;
	rig_prepare(&r);
	r.fake.answer = scripted;
	r.fake.ctx = &s;
	rig_open(&r);
	assert_int_equal(treaty_begin(r.t, "a", 0, &e.tx), TREATY_OK);
	(void)treaty_unbind(r.t);
	assert_int_equal(pthread_create(&thread, NULL, commit_it, &e), 0);
	assert_true(fake_wait(&r.fake, MSG_COMMIT, 1, 2000));
	assert_int_equal(treaty_close(r.t), TREATY_OK);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(e.rc[0], TREATY_E_UNKNOWN);
	assert_int_equal(treaty_release(e.tx), TREATY_OK);
	r.t = NULL;
	rig_stop(&r);
}

/* ---- ids ---- */

#define ID_THREADS 4
#define IDS_EACH   500

struct id_run {
	struct treaty *t;
	uint64_t ids[IDS_EACH];
};

static void *draw_ids(void *arg)
{
	struct id_run *run = arg;

	for (int i = 0; i < IDS_EACH; i++)
		if (treaty_id_next(run->t, &run->ids[i]) != TREATY_OK)
			run->ids[i] = 0;
	return NULL;
}

static int compare_ids(const void *a, const void *b)
{
	const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static void test_ids_are_never_given_twice(void **state)
{
	static struct id_run runs[ID_THREADS];
	static uint64_t every[ID_THREADS * IDS_EACH];
	pthread_t threads[ID_THREADS];
	struct rig r;

	(void)state;
	rig_prepare(&r);
	r.options.id_block = 50;
	rig_open(&r);
	for (int i = 0; i < ID_THREADS; i++) {
		runs[i].t = r.t;
		assert_int_equal(
			pthread_create(&threads[i], NULL, draw_ids, &runs[i]),
			0);
	}
	for (int i = 0; i < ID_THREADS; i++) {
		assert_int_equal(pthread_join(threads[i], NULL), 0);
		memcpy(every + i * IDS_EACH, runs[i].ids, sizeof runs[i].ids);
	}
	qsort(every, ARRAY_LEN(every), sizeof every[0], compare_ids);
	assert_true(every[0] > 0);
	for (size_t i = 1; i < ARRAY_LEN(every); i++)
		assert_true(every[i] != every[i - 1]);
	/* blocks, not numbers: few requests for many ids */
	assert_in_range(fake_seen(&r.fake, MSG_IDS), 40, 300);
	rig_stop(&r);
}

static void draw(struct treaty *t, int n)
{
	uint64_t id;

	while (n-- > 0)
		assert_int_equal(treaty_id_next(t, &id), TREATY_OK);
}

static void test_the_next_ids_are_there_before_they_are_needed(void **state)
{
	struct rig r;

	(void)state;
	rig_prepare(&r);
	r.options.id_block = 50;
	rig_open(&r);
	draw(r.t, 30);
	assert_int_equal(fake_seen(&r.fake, MSG_IDS), 1);
	draw(r.t, 15);
	assert_true(fake_wait(&r.fake, MSG_IDS, 2, 2000));
	nap(20);
	draw(r.t, 50);
	assert_true(fake_wait(&r.fake, MSG_IDS, 3, 2000));
	nap(20);
	fake_mute(&r.fake, true);
	draw(r.t, 50);
	rig_stop(&r);
}

/* ---- hooks ---- */

struct seen_hooks {
	char text[256];
	size_t len;
	enum treaty_step refuse;
	bool refusing;
};

static int note(void *ctx, const struct treaty_hook_event *e)
{
	static const char letters[] = "BCRGcr";
	struct seen_hooks *h = ctx;

	if (h->len + 1 < sizeof h->text)
		h->text[h->len++] = letters[e->step];
	if (h->len + 1 < sizeof h->text)
		h->text[h->len++] = e->after ? '.' : '(';
	return h->refusing && !e->after && e->step == h->refuse
		       ? TREATY_E_DENIED
		       : TREATY_OK;
}

static void test_hooks_surround_each_step_and_may_refuse(void **state)
{
	const struct agent_branch b = { .resource = BYTES("db") };
	struct seen_hooks h = { .refuse = TREATY_STEP_COMMIT };
	struct treaty_tx *tx;
	uint64_t branch;
	struct rig r;

	(void)state;
	rig_start(&r);
	assert_int_equal(treaty_hook_add(r.t, note, &h), TREATY_OK);
	assert_int_equal(treaty_begin(r.t, "a", 0, &tx), TREATY_OK);
	assert_int_equal(agent_register(tx, &b, &branch, NULL), OK);
	h.refusing = true;
	assert_int_equal(treaty_commit(tx), TREATY_E_DENIED);
	assert_says("a hook refused it");
	assert_ptr_equal(treaty_current(r.t), tx); /* nothing was done */
	h.refusing = false;
	assert_int_equal(treaty_rollback(tx, NULL), TREATY_OK);
	assert_string_equal(h.text, "B(B.G(G.C(R(R.");
	assert_int_equal(treaty_release(tx), TREATY_OK);
	for (int i = 0; i < 7; i++)
		assert_int_equal(treaty_hook_add(r.t, note, &h), TREATY_OK);
	assert_int_equal(treaty_hook_add(r.t, note, &h), TREATY_E_LIMIT);
	rig_stop(&r);
	assert_int_equal(fake_seen(&r.fake, MSG_COMMIT), 0);
}

/* ---- without threads ---- */

static void pump_until(struct rig *r, enum msg_type type, unsigned n)
{
	uint64_t end = now_ms() + 3000;

	while (fake_seen(&r->fake, type) < n && now_ms() < end) {
		struct pollfd p = { treaty_fd(r->t), POLLIN, 0 };
		int wait = treaty_next_deadline(r->t);
		int rc;

		(void)poll(&p, 1, wait < 0 || wait > 50 ? 50 : wait);
		rc = treaty_process(r->t, 1);
		assert_true(rc == TREATY_OK || rc == TREATY_E_AGAIN);
	}
	assert_true(fake_seen(&r->fake, type) >= n);
}

static void test_an_idle_descriptor_is_quiet(void **state)
{
	struct treaty_tx *tx;
	struct rig r;
	uint64_t end;
	int turns = 0;

	(void)state;
	rig_prepare(&r);
	r.options.threads = 0;
	rig_open(&r);
	assert_int_equal(treaty_begin(r.t, "a", 0, &tx), TREATY_OK);
	end = now_ms() + 700;
	while (now_ms() < end) {
		struct pollfd p = { treaty_fd(r.t), POLLIN, 0 };

		(void)poll(&p, 1, treaty_next_deadline(r.t));
		assert_int_equal(treaty_process(r.t, 0), TREATY_OK);
		turns++;
	}
	assert_true(fake_seen(&r.fake, MSG_PING) >= 2);
	/* a few for each ping: it comes due, its answer comes */
	assert_in_range(turns, 2, 40);
	assert_int_equal(treaty_commit(tx), TREATY_OK);
	assert_int_equal(treaty_release(tx), TREATY_OK);
	rig_stop(&r);
}

static void test_a_program_with_its_own_loop_needs_no_thread(void **state)
{
	struct treaty_tx *tx;
	struct work w = { 0 };
	struct rig r;
	uint64_t id;

	(void)state;
	rig_prepare(&r);
	r.options.threads = 0;
	rig_open(&r);
	w.t = r.t;
	assert_int_equal(treaty_begin(r.t, "a", 0, &tx), TREATY_OK);
	assert_int_equal(treaty_id_next(r.t, &id), TREATY_OK);
	assert_int_equal(
		agent_resource_add(r.t, BYTES("db"), MODE_TCC, &worker, &w),
		OK);
	pump_until(&r, MSG_HELLO, 2);
	fake_command(&r.fake, order());
	pump_until(&r, MSG_BRANCH_DONE, 1);
	assert_int_equal(atomic_load(&w.runs), 1);

	/* Only the calls that end a transaction run handlers meanwhile. */
	fake_command(&r.fake, order());
	nap(50);
	assert_int_equal(treaty_id_next(r.t, &id), TREATY_OK);
	assert_int_equal(treaty_process(r.t, 0), TREATY_E_AGAIN);
	assert_int_equal(atomic_load(&w.runs), 1);
	assert_int_equal(treaty_next_deadline(r.t), 0);
	assert_int_equal(treaty_rollback(tx, NULL), TREATY_OK);
	assert_int_equal(atomic_load(&w.runs), 2);
	assert_int_equal(treaty_release(tx), TREATY_OK);
	pump_until(&r, MSG_BRANCH_DONE, 2);
	rig_stop(&r);
	assert_true(atomic_load(&w.freed));
}

#define ASKS 3000

struct asker {
	struct treaty *t;
	_Atomic int asked;
	int failures;
	uint64_t longest_ms;
};

static void *ask_often(void *arg)
{
	struct asker *a = arg;
	int status;

	for (int i = 0; i < ASKS; i++) {
		uint64_t begun = now_ms();

		a->failures +=
			treaty_status(a->t, "h:1:1", &status) != TREATY_OK;
		if (now_ms() - begun > a->longest_ms)
			a->longest_ms = now_ms() - begun;
		atomic_fetch_add(&a->asked, 1);
	}
	return NULL;
}

/* The loop of the program takes the answers away that a call waits for. */
static void test_a_call_hears_of_an_answer_that_another_read(void **state)
{
	struct asker a = { 0 };
	pthread_t thread;
	struct rig r;

	(void)state;
	rig_prepare(&r);
	r.options.threads = 0;
	r.options.heartbeat_ms = 20000;
	rig_open(&r);
	a.t = r.t;
	assert_int_equal(pthread_create(&thread, NULL, ask_often, &a), 0);
	while (atomic_load(&a.asked) < ASKS)
		assert_int_equal(treaty_process(r.t, 0), TREATY_OK);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(a.failures, 0);
	/* one that is not woken sleeps until it would ask again */
	assert_in_range(a.longest_ms, 0, 900);
	rig_stop(&r);
}

/* ---- many threads, forks, options ---- */

struct hammer {
	struct treaty *t;
	int failures;
};

static void *hammer_run(void *arg)
{
	struct hammer *h = arg;

	for (int i = 0; i < 200; i++) {
		struct treaty_tx *tx;

		if (treaty_begin(h->t, "h", 0, &tx) != TREATY_OK) {
			h->failures++;
			continue;
		}
		h->failures += treaty_commit(tx) != TREATY_OK;
		h->failures += treaty_release(tx) != TREATY_OK;
	}
	return NULL;
}

static void hammer(unsigned threads_option)
{
	struct hammer h[8];
	pthread_t threads[8];
	struct rig r;

	rig_prepare(&r);
	r.options.threads = threads_option;
	rig_open(&r);
	for (int i = 0; i < 8; i++) {
		h[i] = (struct hammer){ .t = r.t };
		assert_int_equal(
			pthread_create(&threads[i], NULL, hammer_run, &h[i]),
			0);
	}
	for (int i = 0; i < 8; i++) {
		assert_int_equal(pthread_join(threads[i], NULL), 0);
		assert_int_equal(h[i].failures, 0);
	}
	rig_stop(&r);
	assert_true(r.fake.next_xid >= 1600);
}

static void test_many_threads_share_a_handle(void **state)
{
	(void)state;
	hammer(2);
}

static void test_many_threads_share_a_handle_without_threads(void **state)
{
	(void)state;
	hammer(0);
}

static int use_in_child(struct rig *r, struct treaty_tx *tx)
{
	struct treaty_tx *other;
	struct treaty *t;

	if (treaty_current(r->t) != NULL)
		return 1;
	if (treaty_commit(tx) != TREATY_E_STATE)
		return 2;
	if (!strstr(treaty_last_error(), "fork"))
		return 3;
	if (treaty_begin(r->t, "a", 0, &other) != TREATY_E_STATE)
		return 4;
	if (treaty_open(&t, &r->options) != TREATY_E_STATE)
		return 5;
	if (treaty_close(r->t) != TREATY_E_STATE)
		return 6;
	if (treaty_release(tx) != TREATY_E_STATE)
		return 7;
	return 0;
}

static void test_a_forked_child_is_told_to_open_its_own(void **state)
{
	struct treaty_tx *tx;
	struct rig r;
	int status = -1;
	pid_t pid;

	(void)state;
	rig_start(&r);
	assert_int_equal(treaty_begin(r.t, "a", 0, &tx), TREATY_OK);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		_exit(use_in_child(&r, tx));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	assert_int_equal(treaty_commit(tx), TREATY_OK); /* still ours */
	assert_int_equal(treaty_release(tx), TREATY_OK);
	rig_stop(&r);
}

static void assert_option_refused(struct treaty_options o, const char *name)
{
	struct treaty *t = NULL;

	assert_int_equal(treaty_open(&t, &o), TREATY_E_INVALID);
	assert_null(t);
	assert_says(name);
}

static void test_options_that_make_no_sense_are_named(void **state)
{
	struct treaty_options good, o;

	(void)state;
	treaty_options_init(&good, sizeof good);
	good.address = "tcp://127.0.0.1:7090";
	good.application = "order";
	o = good;
	o.address = NULL;
	assert_option_refused(o, "address");
	o.address = "127.0.0.1:7091";
	assert_option_refused(o, "tcp://host:port");
	o.address = "tcp://127.0.0.1:7090,";
	assert_option_refused(o, "tcp://host:port");
	o.address = "tcp://127.0.0.1";
	assert_option_refused(o, "tcp://host:port");
	o = good;
	o.application = "no spaces";
	assert_option_refused(o, "application");
	o = good;
	o.instance = "";
	assert_option_refused(o, "instance");
	o = good;
	o.threads = 65;
	assert_option_refused(o, "threads is 65, must be from 0 to 64");
	o = good;
	o.heartbeat_ms = 0;
	assert_option_refused(o, "heartbeat_ms");
	o = good;
	o.size = 0;
	assert_option_refused(o, "treaty_options_init()");
}

static void test_a_shorter_options_struct_of_an_older_header_works(void **state)
{
	struct treaty_options o;
	struct treaty *t;

	(void)state;
	memset(&o, 0xee, sizeof o); /* what an older program never set */
	treaty_options_init(&o, offsetof(struct treaty_options, heartbeat_ms));
	assert_int_equal(o.heartbeat_ms, 0xeeeeeeeeu);
	o.address = "tcp://127.0.0.1:7090";
	o.application = "order";
	assert_int_equal(treaty_open(&t, &o), TREATY_OK);
	assert_int_equal(treaty_close(t), TREATY_OK);
}

static void test_error_texts_are_sentences(void **state)
{
	(void)state;
	for (int e = 0; e >= -18; e--)
		assert_string_not_equal(treaty_error_text(e),
					"unknown error code");
	assert_string_equal(treaty_error_text(-19), "unknown error code");
	assert_string_equal(treaty_error_text(1), "unknown error code");
	assert_int_equal(agent_fail(E_IO, "%2000d", 7), E_IO);
	assert_int_equal(strlen(treaty_last_error()), 1023);
	agent_error_clear();
	assert_string_equal(treaty_last_error(), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			test_a_transaction_is_begun_carried_and_committed),
		cmocka_unit_test(test_each_misuse_has_its_clear_error),
		cmocka_unit_test(
			test_a_transaction_belongs_to_the_thread_it_is_bound_to),
		cmocka_unit_test(
			test_an_inner_transaction_puts_the_outer_one_aside),
		cmocka_unit_test(
			test_a_released_undecided_transaction_is_rolled_back),
		cmocka_unit_test(
			test_a_commit_that_came_too_late_is_told_apart),
		cmocka_unit_test(
			test_an_unanswered_commit_is_unknown_and_asked_again),
		cmocka_unit_test(test_what_nobody_knows_is_rolled_back),
		cmocka_unit_test(
			test_a_stranger_that_knows_nothing_decides_nothing),
		cmocka_unit_test(test_without_a_coordinator_nothing_is_claimed),
		cmocka_unit_test(
			test_requests_outlive_a_restart_of_the_coordinator),
		cmocka_unit_test(
			test_an_idle_agent_is_known_again_within_a_second),
		cmocka_unit_test(
			test_a_silent_coordinator_is_noticed_and_the_next_one_tried),
		cmocka_unit_test(test_a_conflict_names_row_holder_and_age),
		cmocka_unit_test(test_a_command_is_run_and_its_end_told),
		cmocka_unit_test(
			test_a_branch_is_never_worked_on_twice_at_once),
		cmocka_unit_test(test_a_full_queue_says_come_again),
		cmocka_unit_test(
			test_callbacks_that_wait_keep_no_at_branch_waiting),
		cmocka_unit_test(
			test_a_command_that_waits_is_replaced_by_its_repetition),
		cmocka_unit_test(
			test_closing_waits_for_handlers_and_frees_nothing_early),
		cmocka_unit_test(test_closing_ends_calls_that_wait),
		cmocka_unit_test(test_ids_are_never_given_twice),
		cmocka_unit_test(
			test_the_next_ids_are_there_before_they_are_needed),
		cmocka_unit_test(test_hooks_surround_each_step_and_may_refuse),
		cmocka_unit_test(
			test_a_program_with_its_own_loop_needs_no_thread),
		cmocka_unit_test(test_an_idle_descriptor_is_quiet),
		cmocka_unit_test(
			test_a_call_hears_of_an_answer_that_another_read),
		cmocka_unit_test(test_many_threads_share_a_handle),
		cmocka_unit_test(
			test_many_threads_share_a_handle_without_threads),
		cmocka_unit_test(test_a_forked_child_is_told_to_open_its_own),
		cmocka_unit_test(test_options_that_make_no_sense_are_named),
		cmocka_unit_test(
			test_a_shorter_options_struct_of_an_older_header_works),
		cmocka_unit_test(test_error_texts_are_sentences),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
