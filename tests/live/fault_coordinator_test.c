/*
 * treatyd as a process in trouble: with its disk, its clock, its memory, with
 * thousands of branches that are due at once, with participants that never get
 * better, and with everything coming twice.
 */
#include "base/buf.h"
#include "base/hash.h"
#include "base/xid.h"
#include "rm-agent/agent.h"
#include "tests/fakes/sp_client.h"
#include "tests/live/live.h"
#include "tests/live/trouble/trouble.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#define WAIT_MS 20000

struct fixture {
	struct treatyd d;
	struct sp_client c;
	struct trouble *trouble;
	char file[100];
	char wrapper[400];
};

static int set_up(void **state)
{
	struct fixture *f = mem_alloc(&mem_heap, sizeof *f);
	int fd;

	sp_client_init(&f->c);
	f->c.commit_status = BRANCH_COMMITTED;
	f->c.rollback_status = BRANCH_ROLLBACKED;
	snprintf(f->file, sizeof f->file, "/tmp/treaty-trouble-XXXXXX");
	fd = mkstemp(f->file);
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, sizeof *f->trouble), 0);
	f->trouble = mmap(NULL, sizeof *f->trouble, PROT_READ | PROT_WRITE,
			  MAP_SHARED, fd, 0);
	assert_true(f->trouble != MAP_FAILED);
	close(fd);
	snprintf(f->wrapper, sizeof f->wrapper,
		 "ASAN_OPTIONS=verify_asan_link_order=0 LD_PRELOAD=%s "
		 "TREATY_TROUBLE=%s exec \"$@\"",
		 TROUBLE_LIBRARY, f->file);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	sp_client_fini(&f->c);
	treatyd_remove(&f->d);
	munmap(f->trouble, sizeof *f->trouble);
	unlink(f->file);
	mem_free(&mem_heap, f);
	return 0;
}

static void join_as(struct sp_client *c, const struct treatyd *d,
		    const char *instance, const char *resource)
{
	assert_int_equal(sp_connect(c, d->agents), OK);
	assert_int_equal(sp_hello(c, "shop", instance, resource), OK);
}

static void start(struct fixture *f)
{
	assert_true(treatyd_start(&f->d, "--command-timeout=500ms",
				  "--retry-first=20ms", "--retry-max=100ms",
				  "--attempts-max=0", NULL));
	join_as(&f->c, &f->d, "shop-1", "db");
}

struct tx {
	char xid[XID_LEN_MAX + 1];
	uint64_t branch;
};

static void keep_xid(struct tx *tx, struct bytes xid)
{
	assert_true(xid.len > 0 && xid.len < sizeof tx->xid);
	memset(tx->xid, 0, sizeof tx->xid);
	memcpy(tx->xid, xid.data, xid.len);
}

static struct tx begin(struct sp_client *c, uint64_t timeout_ms)
{
	struct msg m = { .type = MSG_BEGIN,
			 .name = BYTES("buy"),
			 .timeout_ms = timeout_ms },
		   r;
	struct tx tx = { .branch = 0 };

	assert_int_equal(sp_call(c, &m, &r), OK);
	assert_int_equal(r.err, 0);
	keep_xid(&tx, r.xid);
	return tx;
}

/* The answer's error, or the code of a connection that failed. */
static int add_branch(struct sp_client *c, struct tx *tx, const char *resource)
{
	struct msg m = { .type = MSG_REGISTER,
			 .xid = bytes_of(tx->xid),
			 .mode = MODE_AT,
			 .resource = bytes_of(resource),
			 .client_key = 1 },
		   r;
	int rc = sp_call(c, &m, &r);

	if (rc != OK)
		return rc;
	tx->branch = r.branch;
	return -(int)r.err;
}

static struct msg call(struct sp_client *c, const struct tx *tx,
		       enum msg_type type)
{
	struct msg m = { .type = type, .xid = bytes_of(tx->xid) }, r;

	assert_int_equal(sp_call(c, &m, &r), OK);
	return r;
}

static void await_status(struct sp_client *c, const struct tx *tx,
			 uint64_t status)
{
	uint64_t end = live_now_ms() + WAIT_MS;

	while (call(c, tx, MSG_STATUS).status != status) {
		if (live_now_ms() > end)
			fail_msg("%s is %d", tx->xid,
				 (int)call(c, tx, MSG_STATUS).status);
		live_nap(5);
	}
}

static struct tx work(struct sp_client *c)
{
	struct tx tx = begin(c, 600000);

	assert_int_equal(add_branch(c, &tx, "db"), OK);
	return tx;
}

/* ---- the disk ---- */

#define KEPT 5

static void end_by_disk(struct fixture *f)
{
	struct tx kept[KEPT], lost;

	f->d.wrapper = f->wrapper;
	start(f);
	for (int i = 0; i < KEPT; i++)
		kept[i] = work(&f->c);
	lost = begin(&f->c, 600000);
	if (f->trouble->sync_ms == 0) /* marks what to break */
		f->trouble->sync_errno = EIO;
	else
		f->trouble->write_errno = ENOSPC;
	f->trouble->sync_ms = 0;
	assert_int_equal(add_branch(&f->c, &lost, "db"), E_CLOSED);
	assert_int_equal(treatyd_wait(&f->d), 1);
	assert_true(treatyd_said(&f->d, "the store failed"));
	assert_true(treatyd_said(&f->d, "nothing acknowledged is lost"));
	f->trouble->sync_errno = f->trouble->write_errno = 0;
	start(f);
	for (int i = 0; i < KEPT; i++) {
		assert_int_equal(call(&f->c, &kept[i], MSG_STATUS).status,
				 GTX_BEGIN);
		assert_int_equal(call(&f->c, &kept[i], MSG_COMMIT).err, 0);
		await_status(&f->c, &kept[i], GTX_COMMITTED);
	}
}

static void test_a_failed_sync_ends_it_and_loses_nothing(void **state)
{
	end_by_disk(*state);
}

static void test_a_full_disk_ends_it_and_loses_nothing(void **state)
{
	struct fixture *f = *state;

	f->trouble->sync_ms = 1;
	end_by_disk(f);
}

static int enlist(struct treaty_tx *tx)
{
	const struct agent_branch b = { .mode = MODE_TCC,
					.resource = BYTES("elsewhere") };
	uint64_t id;

	return agent_register(tx, &b, &id, NULL);
}

/* Each sync takes longer than three heartbeats of an agent, which must not
 * think for ever that it has to connect anew. */
static void test_a_slow_disk_only_costs_time(void **state)
{
	struct fixture *f = *state;
	struct treaty_options o;
	struct treaty_tx *tx;
	struct treaty *t;

	f->d.wrapper = f->wrapper;
	start(f);
	treaty_options_init(&o, sizeof o);
	o.address = f->d.agents;
	o.application = "slow";
	o.request_timeout_ms = WAIT_MS;
	assert_int_equal(treaty_open(&t, &o), OK);
	assert_int_equal(treaty_begin(t, "slow", 60000, &tx), OK);
	f->trouble->sync_ms = 1800;
	assert_int_equal(enlist(tx), OK);
	assert_int_equal(treaty_commit(tx), OK);
	f->trouble->sync_ms = 0;
	assert_int_equal(treaty_tx_status(tx), GTX_COMMITTING);
	assert_int_equal(treaty_release(tx), OK);
	assert_int_equal(treaty_close(t), OK);
	assert_true(f->trouble->syncs > 1);
}

/* ---- the clock ---- */

static void test_a_clock_that_jumps_decides_nothing(void **state)
{
	static const int64_t jumps[] = { 10LL * 365 * 86400,
					 -20LL * 365 * 86400, -86400, 0 };
	struct fixture *f = *state;
	uint64_t last = 0, number;
	struct tx tx, done, next;

	f->d.wrapper = f->wrapper;
	start(f);
	tx = work(&f->c);
	done = work(&f->c);
	assert_int_equal(call(&f->c, &done, MSG_COMMIT).err, 0);
	await_status(&f->c, &done, GTX_COMMITTED);
	for (int i = 0; i < 8; i++) {
		f->trouble->clock_s = jumps[i % 4];
		live_nap(50);
		if (i % 2) {
			/* also a start with a clock that goes wrong */
			treatyd_kill(&f->d);
			start(f);
		}
		next = begin(&f->c, 600000);
		number = strtoull(strrchr(next.xid, ':') + 1, NULL, 10);
		assert_true(number > last);
		last = number;
		/* not timed out, not forgotten */
		assert_int_equal(call(&f->c, &tx, MSG_STATUS).status,
				 GTX_BEGIN);
		assert_int_equal(call(&f->c, &done, MSG_COMMIT).err, 0);
		assert_int_equal(call(&f->c, &done, MSG_STATUS).status,
				 GTX_COMMITTED);
		next = begin(&f->c, 30);
		assert_int_equal(add_branch(&f->c, &next, "db"), OK);
		await_status(&f->c, &next, GTX_TIMEOUT_ROLLBACKED);
	}
	assert_int_equal(call(&f->c, &tx, MSG_COMMIT).err, 0);
	await_status(&f->c, &tx, GTX_COMMITTED);
}

/* ---- many at once ---- */

#define STORM  5000
#define WINDOW 100

/* Commands are not answered meanwhile: they are due at the next start. */
static void pipeline(struct sp_client *c, struct tx *txs, enum msg_type type)
{
	size_t asked = 0, heard = 0;
	struct msg r;

	while (heard < STORM) {
		for (; asked < STORM && asked < heard + WINDOW; asked++) {
			struct msg m = { .type = type,
					 .id = asked + 1,
					 .xid = bytes_of(txs[asked].xid),
					 .name = BYTES("storm"),
					 .timeout_ms = 600000,
					 .mode = MODE_TCC,
					 .client_key = 1 };

			if (type == MSG_REGISTER)
				m.resource = BYTES("db");
			sp_queue(c, &m);
		}
		if (c->out.len)
			assert_int_equal(sp_push(c), OK);
		assert_int_equal(sp_recv(c, &r, WAIT_MS), OK);
		if (r.type != MSG_REPLY)
			continue;
		assert_int_equal(r.err, 0);
		if (type == MSG_BEGIN)
			keep_xid(&txs[r.id - 1], r.xid);
		heard++;
	}
	c->next_id = STORM + 1;
}

static void test_thousands_due_at_start_are_no_storm(void **state)
{
	static struct tx txs[STORM];
	struct fixture *f = *state;
	struct sp_client other;
	uint64_t begun, slowest = 0;
	size_t others = 0;

	start(f);
	pipeline(&f->c, txs, MSG_BEGIN);
	pipeline(&f->c, txs, MSG_REGISTER);
	pipeline(&f->c, txs, MSG_COMMIT);
	treatyd_kill(&f->d);
	start(f); /* the participant is here, and now answers */
	sp_client_init(&other);
	other.commit_status = BRANCH_COMMITTED;
	join_as(&other, &f->d, "other-1", "other");
	while (live_stat(&f->d, "transactions_now") > 0) {
		uint64_t until = live_now_ms() + 20;
		struct msg m;
		struct tx tx;

		while (live_now_ms() < until && sp_recv(&f->c, &m, 1) == OK)
			if (m.type == MSG_COMMAND)
				assert_int_equal(sp_answer(&f->c, &m), OK);
		begun = live_now_ms();
		tx = begin(&other, 60000);
		assert_int_equal(add_branch(&other, &tx, "other"), OK);
		assert_int_equal(call(&other, &tx, MSG_COMMIT).err, 0);
		await_status(&other, &tx, GTX_COMMITTED);
		if (live_now_ms() - begun > slowest)
			slowest = live_now_ms() - begun;
		others++;
	}
	print_message("%zu others meanwhile, the slowest in %llu ms\n", others,
		      (unsigned long long)slowest);
	assert_true(others > 1);
	assert_true(slowest < 3000);
	for (int i = 0; i < STORM; i += 500)
		await_status(&f->c, &txs[i], GTX_COMMITTED);
	sp_client_fini(&other);
}

/* ---- participants that never get better ---- */

static void test_poison_slows_nobody_else(void **state)
{
	struct fixture *f = *state;
	struct sp_client mute, sorry;
	struct tx tx;

	start(f);
	sp_client_init(&mute);
	sp_client_init(&sorry);
	sorry.commit_status = BRANCH_COMMIT_RETRYABLE;
	join_as(&mute, &f->d, "mute-1", "mute");
	join_as(&sorry, &f->d, "sorry-1", "sorry");
	for (int i = 0; i < 50; i++) {
		tx = begin(&sorry, 600000);
		assert_int_equal(add_branch(&sorry, &tx, "mute"), OK);
		assert_int_equal(call(&sorry, &tx, MSG_COMMIT).err, 0);
		tx = begin(&sorry, 600000);
		assert_int_equal(add_branch(&sorry, &tx, "sorry"), OK);
		assert_int_equal(call(&sorry, &tx, MSG_COMMIT).err, 0);
	}
	for (int i = 0; i < 50; i++) {
		struct msg m;
		uint64_t begun = live_now_ms();

		tx = work(&f->c);
		assert_int_equal(call(&f->c, &tx, MSG_COMMIT).err, 0);
		await_status(&f->c, &tx, GTX_COMMITTED);
		assert_true(live_now_ms() - begun < 3000);
		while (sp_recv(&sorry, &m, 1) == OK)
			if (m.type == MSG_COMMAND)
				assert_int_equal(sp_answer(&sorry, &m), OK);
	}
	assert_int_equal(live_stat(&f->d, "transactions_now"), 100);
	sp_client_fini(&mute);
	sp_client_fini(&sorry);
}

/* ---- commit against the time-out ---- */

#define RACES 200

static void test_a_commit_at_the_time_out_is_one_or_the_other(void **state)
{
	uint64_t random = live_seed(152);
	struct fixture *f = *state;
	int committed = 0;

	start(f);
	for (int i = 0; i < RACES; i++) {
		uint64_t end = GTX_TIMEOUT_ROLLBACKED;
		struct tx tx = begin(&f->c, 8);
		struct msg r;

		/* may be late already, which is an answer, too */
		if (add_branch(&f->c, &tx, "db") == OK)
			live_nap(random_next(&random) % 10);
		r = call(&f->c, &tx, MSG_COMMIT);
		if (r.err == 0)
			end = GTX_COMMITTED;
		else
			assert_int_equal(r.err, -E_STATE);
		committed += r.err == 0;
		await_status(&f->c, &tx, end);
		/* and it stays what it is */
		r = call(&f->c, &tx, MSG_COMMIT);
		assert_int_equal(r.err == 0, end == GTX_COMMITTED);
		r = call(&f->c, &tx, MSG_ROLLBACK);
		assert_int_equal(r.err == 0, end != GTX_COMMITTED);
	}
	print_message("%d of %d committed\n", committed, RACES);
	assert_in_range(committed, 1, RACES - 1);
}

/* ---- everything twice, in the wrong order ---- */

static struct msg hear(struct sp_client *c, enum msg_type type, uint64_t id)
{
	struct msg m;

	do
		assert_int_equal(sp_recv(c, &m, WAIT_MS), OK);
	while (m.type != type || (id && m.id != id));
	return m;
}

static void ask_twice(struct sp_client *c, struct msg *m, struct msg answers[2])
{
	m->id = ++c->next_id;
	assert_int_equal(sp_send(c, m), OK);
	assert_int_equal(sp_send(c, m), OK);
	answers[0] = hear(c, MSG_REPLY, m->id);
	answers[1] = hear(c, MSG_REPLY, m->id);
	c->next_id++;
}

static void test_what_comes_twice_is_done_once(void **state)
{
	struct fixture *f = *state;
	struct msg r[2], command, m = { .type = MSG_REGISTER };
	struct tx tx;
	uint64_t branch;

	start(f);
	tx = begin(&f->c, 60000);
	m.xid = bytes_of(tx.xid);
	m.mode = MODE_TCC;
	m.resource = BYTES("db");
	m.client_key = 5;
	ask_twice(&f->c, &m, r);
	assert_int_equal(r[0].err, 0);
	assert_int_equal(r[0].branch, r[1].branch);
	branch = r[1].branch;
	m = (struct msg){ .type = MSG_COMMIT, .xid = bytes_of(tx.xid) };
	m.id = ++f->c.next_id;
	assert_int_equal(sp_send(&f->c, &m), OK);
	assert_int_equal(sp_send(&f->c, &m), OK);
	command = hear(&f->c, MSG_COMMAND, 0);
	assert_int_equal(command.branch, branch);
	/* phase two is done before phase one was reported, and twice */
	assert_int_equal(sp_answer(&f->c, &command), OK);
	assert_int_equal(sp_answer(&f->c, &command), OK);
	f->c.next_id++;
	m = (struct msg){ .type = MSG_REPORT,
			  .xid = bytes_of(tx.xid),
			  .branch = branch,
			  .status = BRANCH_PHASE_ONE_DONE };
	ask_twice(&f->c, &m, r);
	await_status(&f->c, &tx, GTX_COMMITTED);
	m = (struct msg){ .type = MSG_ROLLBACK, .xid = bytes_of(tx.xid) };
	ask_twice(&f->c, &m, r);
	assert_int_equal(r[0].err, -E_STATE);
	assert_int_equal(r[1].err, -E_STATE);
	assert_int_equal(live_stat(&f->d, "begun"), 1);
	assert_int_equal(live_stat(&f->d, "committed"), 1);
	assert_int_equal(live_stat(&f->d, "branches"), 1);
}

/* ---- a later version ---- */

static void put_frame(struct buf *out, struct bytes body, uint32_t id)
{
	buf_put_u32(out, 0);
	buf_put_u32(out, (uint32_t)body.len + 4);
	buf_put_u32(out, 0x80000000u | id);
	buf_put(out, body);
}

static void test_a_later_version_is_understood_or_told_so(void **state)
{
	struct fixture *f = *state;
	struct msg m = { .type = MSG_BEGIN,
			 .id = 900,
			 .name = BYTES("later"),
			 .timeout_ms = 60000 },
		   r;
	struct buf body, out;
	struct tx tx;

	start(f);
	buf_init(&body, &mem_heap);
	buf_init(&out, &mem_heap);
	assert_int_equal(msg_encode(&body, &m), OK);
	buf_put_u8(&body, 250); /* a field that nobody knows yet */
	buf_put_u32(&body, 5);
	buf_put_text(&body, "hello");
	put_frame(&out, buf_bytes(&body), 900);
	assert_int_equal(sp_write(&f->c, buf_bytes(&out)), OK);
	r = hear(&f->c, MSG_REPLY, 900);
	assert_int_equal(r.err, 0);
	keep_xid(&tx, r.xid);
	assert_int_equal(add_branch(&f->c, &tx, "db"), OK);
	assert_int_equal(call(&f->c, &tx, MSG_COMMIT).err, 0);
	await_status(&f->c, &tx, GTX_COMMITTED);
	/* another main version: refused with its reason */
	buf_clear(&body);
	buf_clear(&out);
	assert_int_equal(msg_encode(&body, &m), OK);
	body.data[0] = MSG_VERSION + 1;
	put_frame(&out, buf_bytes(&body), 901);
	assert_int_equal(sp_write(&f->c, buf_bytes(&out)), OK);
	do
		assert_int_equal(sp_recv(&f->c, &r, WAIT_MS), OK);
	while (r.type != MSG_BYE);
	assert_int_equal(r.err, -E_VERSION);
	assert_true(r.text.len > 0);
	buf_fini(&body);
	buf_fini(&out);
	join_as(&f->c, &f->d, "shop-1", "db");
	await_status(&f->c, &tx, GTX_COMMITTED);
}

/* ---- memory ---- */

#define LOAD_MAX 3000

/* Without an xid if that is where it ends. */
static struct tx begin_or_not(struct sp_client *c)
{
	struct msg m = { .type = MSG_BEGIN, .timeout_ms = 600000 }, r;
	struct tx tx = { .branch = 0 };

	if (sp_call(c, &m, &r) == OK && r.err == 0)
		keep_xid(&tx, r.xid);
	return tx;
}

static void test_without_memory_it_keeps_its_word(void **state)
{
	static uint8_t weight[60000];
	struct fixture *f = *state;
	struct msg m = { .type = MSG_REGISTER, .mode = MODE_TCC }, r;
	static struct tx tx[LOAD_MAX];
	struct tx first;
	int rc = OK, n = 0;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
	skip(); /* such a build takes address space as it likes */
#endif
	start(f);
	first = work(&f->c);
	snprintf(f->wrapper, sizeof f->wrapper, "ulimit -v %ld; exec \"$@\"",
		 treatyd_status(&f->d, "VmSize") + 30000);
	treatyd_kill(&f->d);
	f->d.wrapper = f->wrapper;
	start(f);
	m.resource = BYTES("db");
	m.application_data = (struct bytes){ weight, sizeof weight };
	for (; rc == OK && n < LOAD_MAX; n++) {
		tx[n] = begin_or_not(&f->c);
		m.xid = bytes_of(tx[n].xid);
		m.client_key = 1;
		rc = sp_call(&f->c, &m, &r);
		if (rc == OK && r.err)
			rc = -(int)r.err;
	}
	print_message("%d branches of 60 KB, then: %s\n", n, err_name(rc));
	assert_true(rc == E_NOMEM || rc == E_CLOSED);
	if (rc == E_CLOSED) { /* it was SQLite that had none left */
		assert_int_equal(treatyd_wait(&f->d), 1);
		assert_true(treatyd_said(&f->d, "more memory"));
		assert_true(treatyd_said(&f->d, "nothing acknowledged"));
		f->d.wrapper = NULL;
		start(f);
	}
	assert_int_equal(call(&f->c, &first, MSG_COMMIT).err, 0);
	await_status(&f->c, &first, GTX_COMMITTED);
	for (int i = 0; i < n - 1; i++) /* each that was acknowledged */
		assert_int_equal(call(&f->c, &tx[i], MSG_COMMIT).err, 0);
	assert_true(n > 10);
}

/* ---- operators ---- */

static int post(struct fixture *f, const struct tx *tx, const char *verb,
		const char *body)
{
	char request[300];
	char *answer;
	int code;

	if (strcmp(verb, "retry") == 0)
		snprintf(request, sizeof request,
			 "POST /api/v1/transactions/%s/retry", tx->xid);
	else
		snprintf(request, sizeof request,
			 "POST /api/v1/transactions/%s/branches/%llu/resolve",
			 tx->xid, (unsigned long long)tx->branch);
	answer = live_http(&f->d, request, body);
	code = live_http_code(answer);
	free(answer);
	return code;
}

#define KEEP "{\"resolution\":\"keep_current\",\"reason\":\"counted\"}"
#define UNDO "{\"resolution\":\"use_undo\",\"reason\":\"sure\"}"

static void test_an_operator_may_do_everything_twice(void **state)
{
	struct fixture *f = *state;
	struct msg command, m;
	struct tx tx;

	start(f);
	tx = work(&f->c);
	m = (struct msg){ .type = MSG_ROLLBACK,
			  .id = ++f->c.next_id,
			  .xid = bytes_of(tx.xid) };
	f->c.next_id++;
	assert_int_equal(sp_send(&f->c, &m), OK);
	command = hear(&f->c, MSG_COMMAND, 0);
	f->c.rollback_status = BRANCH_ROLLBACK_UNRETRYABLE;
	assert_int_equal(sp_answer(&f->c, &command), OK);
	await_status(&f->c, &tx, GTX_ROLLBACK_FAILED);
	/* twice at once, then during the attempt that this began */
	assert_int_equal(post(f, &tx, "retry", "{}"), 200);
	assert_int_equal(post(f, &tx, "retry", "{}"), 200);
	assert_int_equal(post(f, &tx, "resolve", KEEP), 200);
	assert_int_equal(post(f, &tx, "resolve", UNDO), 200);
	assert_int_equal(post(f, &tx, "retry", "{}"), 200);
	/* the last word counts, and is said to the participant */
	f->c.rollback_status = BRANCH_ROLLBACKED;
	do
		command = hear(&f->c, MSG_COMMAND, 0);
	while (command.resolution != 1);
	assert_int_equal(sp_answer(&f->c, &command), OK);
	await_status(&f->c, &tx, GTX_ROLLBACKED);
	assert_true(live_quiet(&f->d, WAIT_MS));
	/* finished ones: told so, and nothing moves */
	assert_int_equal(post(f, &tx, "retry", "{}"), 200);
	assert_in_range(post(f, &tx, "resolve", UNDO), 200, 409);
	assert_in_range(post(f, &tx, "resolve", KEEP), 200, 409);
	assert_int_equal(sp_recv(&f->c, &m, 300), E_TIMEOUT);
	await_status(&f->c, &tx, GTX_ROLLBACKED);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_a_failed_sync_ends_it_and_loses_nothing),
		TEST(test_a_full_disk_ends_it_and_loses_nothing),
		TEST(test_a_slow_disk_only_costs_time),
		TEST(test_a_clock_that_jumps_decides_nothing),
		TEST(test_thousands_due_at_start_are_no_storm),
		TEST(test_poison_slows_nobody_else),
		TEST(test_a_commit_at_the_time_out_is_one_or_the_other),
		TEST(test_what_comes_twice_is_done_once),
		TEST(test_a_later_version_is_understood_or_told_so),
		TEST(test_without_memory_it_keeps_its_word),
		TEST(test_an_operator_may_do_everything_twice),
	};

	return cmocka_run_group_tests_name("fault_coordinator", tests, NULL,
					   NULL);
}
