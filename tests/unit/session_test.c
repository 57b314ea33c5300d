#include "base/arena.h"
#include "base/hash.h"
#include "rm-agent/session/greeting.h"
#include "rm-agent/session/session.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define HEARTBEAT 500
#define RESEND    1000

struct rig {
	struct session *s;
	struct arena arena; /* of decoded messages */
	uint64_t now;
	struct buf to_agent;
};

static void rig_start(struct rig *r)
{
	const struct session_config c = {
		.application = BYTES("order"),
		.instance = BYTES("order-1"),
		.requests_max = 4,
		.bytes_max = 4096,
		.message_max = 1024,
		.dones_max = 2,
		.heartbeat_ms = HEARTBEAT,
		.resend_ms_first = RESEND,
		.resend_ms_max = 4000,
	};

	*r = (struct rig){ .now = 1000 };
	arena_init(&r->arena, &mem_heap, 0);
	buf_init(&r->to_agent, &mem_heap);
	assert_int_equal(session_new(&r->s, &mem_heap, &c, r->now), OK);
	session_check(r->s);
}

static void rig_stop(struct rig *r)
{
	session_free(r->s);
	arena_fini(&r->arena);
	buf_fini(&r->to_agent);
}

/* The next message that leaves; .type 0 if none does. */
static struct msg sent(struct rig *r)
{
	struct bytes body;
	struct msg m = { 0 };

	session_check(r->s);
	if (!session_next(r->s, &body))
		return m;
	body = arena_bytes(&r->arena, body);
	session_sent(r->s, r->now);
	session_check(r->s);
	assert_int_equal(msg_decode(&m, &r->arena.as_mem, body), OK);
	return m;
}

static void assert_silent(struct rig *r)
{
	assert_int_equal(sent(r).type, 0);
}

static void receive(struct rig *r, struct msg m)
{
	buf_clear(&r->to_agent);
	assert_int_equal(msg_encode(&r->to_agent, &m), OK);
	assert_int_equal(session_receive(r->s, buf_bytes(&r->to_agent), r->now),
			 OK);
	session_check(r->s);
}

/* The next output; .type -1 if there is none. */
static struct session_output taken(struct rig *r)
{
	struct session_output out;

	if (!session_take(r->s, &out))
		out = (struct session_output){
			.type = (enum session_output_type) - 1
		};
	session_check(r->s);
	return out;
}

static void assert_quiet(struct rig *r)
{
	assert_int_equal((int)taken(r).type, -1);
}

static void assert_done(struct rig *r, const void *tag, int err)
{
	struct session_output out = taken(r);

	assert_int_equal(out.type, SESSION_DONE);
	assert_ptr_equal(out.tag, tag);
	assert_int_equal(out.err, err);
}

static void pass(struct rig *r, uint64_t ms)
{
	r->now += ms;
	session_time(r->s, r->now);
	session_check(r->s);
}

static void rig_ready(struct rig *r)
{
	struct msg hello;

	rig_start(r);
	hello = sent(r);
	assert_int_equal(hello.type, MSG_HELLO);
	receive(r, (struct msg){ .type = MSG_WELCOME, .id = hello.id });
	assert_int_equal(taken(r).type, SESSION_WELCOMED);
	assert_quiet(r);
	assert_int_equal(session_state(r->s), SESSION_READY);
}

static int ask(struct rig *r, enum msg_type type, uint64_t wait_ms,
	       uint64_t timeout_ms, void *tag)
{
	const struct msg m = { .type = type,
			       .xid = BYTES("h:1:7"),
			       .wait_ms = wait_ms };
	int rc = session_request(r->s, &m, r->now + timeout_ms, tag, r->now);

	session_check(r->s);
	return rc;
}

static void test_only_a_hello_leaves_before_the_welcome(void **state)
{
	struct msg hello, m;
	struct rig r;
	int tag;

	(void)state;
	rig_start(&r);
	assert_int_equal(ask(&r, MSG_BEGIN, 0, 5000, &tag), OK);
	hello = sent(&r);
	assert_int_equal(hello.type, MSG_HELLO);
	assert_true(bytes_equal(hello.application, BYTES("order")));
	assert_true(bytes_equal(hello.instance, BYTES("order-1")));
	assert_silent(&r);
	receive(&r, (struct msg){ .type = MSG_WELCOME, .id = hello.id });
	assert_int_equal(taken(&r).type, SESSION_WELCOMED);
	m = sent(&r);
	assert_int_equal(m.type, MSG_BEGIN);
	assert_true(bytes_equal(m.xid, BYTES("h:1:7")));
	assert_silent(&r);
	receive(&r, (struct msg){ .type = MSG_REPLY, .id = m.id, .status = 1 });
	assert_done(&r, &tag, OK);
	assert_quiet(&r);
	rig_stop(&r);
}

static void test_a_reply_is_handed_out_once_with_its_contents(void **state)
{
	struct session_output out;
	struct rig r;
	struct msg m;
	int tag;

	(void)state;
	rig_ready(&r);
	assert_int_equal(ask(&r, MSG_COMMIT, 0, 5000, &tag), OK);
	m = sent(&r);
	for (int i = 0; i < 2; i++) {
		receive(&r, (struct msg){ .type = MSG_REPLY,
					  .id = m.id,
					  .err = (uint64_t)-E_STATE,
					  .text = BYTES("timed out") });
		if (i == 1)
			break; /* the duplicate means nothing */
		out = taken(&r);
		assert_int_equal(out.type, SESSION_DONE);
		assert_int_equal(out.err, OK);
		assert_true(out.msg.err == (uint64_t)-E_STATE);
		assert_true(bytes_equal(out.msg.text, BYTES("timed out")));
		assert_true(bytes_equal(out.body, buf_bytes(&r.to_agent)));
	}
	assert_quiet(&r);
	assert_int_equal(session_pending(r.s), 0);
	rig_stop(&r);
}

static void test_hello_wanted_sends_everything_again(void **state)
{
	struct msg a, b, again;
	struct rig r;
	int tags[3];

	(void)state;
	rig_ready(&r);
	assert_int_equal(ask(&r, MSG_BEGIN, 0, 9000, &tags[0]), OK);
	assert_int_equal(ask(&r, MSG_COMMIT, 0, 9000, &tags[1]), OK);
	a = sent(&r);
	b = sent(&r);
	assert_silent(&r);
	receive(&r, (struct msg){ .type = MSG_HELLO_WANTED, .id = a.id });
	receive(&r, (struct msg){ .type = MSG_HELLO_WANTED, .id = b.id });
	assert_int_equal(ask(&r, MSG_STATUS, 0, 9000, &tags[2]), OK);
	receive(&r, (struct msg){ .type = MSG_HELLO_WANTED });
	again = sent(&r);
	assert_int_equal(again.type, MSG_HELLO);
	assert_silent(&r); /* one hello for both, and nothing else yet */
	receive(&r, (struct msg){ .type = MSG_WELCOME, .id = again.id });
	assert_int_equal(taken(&r).type, SESSION_WELCOMED);
	again = sent(&r);
	assert_int_equal(again.type, MSG_BEGIN);
	assert_true(again.id == a.id);
	again = sent(&r);
	assert_int_equal(again.type, MSG_COMMIT);
	assert_true(again.id == b.id);
	assert_int_equal(sent(&r).type, MSG_STATUS); /* in their order */
	assert_silent(&r);
	rig_stop(&r);
}

static void test_an_unanswered_request_is_repeated_ever_more_slowly(
	void **state)
{
	const uint64_t steps[] = { 1000, 2000, 4000, 4000 };
	struct rig r;
	struct msg first;
	int tag;

	(void)state;
	rig_ready(&r);
	assert_int_equal(ask(&r, MSG_COMMIT, 0, 60000, &tag), OK);
	first = sent(&r);
	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		struct msg m;

		/* PONGs keep the connection alive meanwhile */
		for (uint64_t t = 0; t < steps[i] - 1; t += 100) {
			r.now += t + 100 < steps[i] ? 100 : steps[i] - 1 - t;
			receive(&r, (struct msg){ .type = MSG_PONG });
			session_time(r.s, r.now);
		}
		assert_silent(&r);
		pass(&r, 1);
		m = sent(&r);
		assert_int_equal(m.type, MSG_COMMIT);
		assert_true(m.id == first.id);
	}
	rig_stop(&r);
}

static void test_a_request_that_waits_for_locks_is_not_repeated_early(
	void **state)
{
	struct rig r;
	int tag;

	(void)state;
	rig_ready(&r);
	assert_int_equal(ask(&r, MSG_REGISTER, 3000, 60000, &tag), OK);
	assert_int_equal(sent(&r).type, MSG_REGISTER);
	for (int i = 0; i < 39; i++) {
		pass(&r, 100);
		receive(&r, (struct msg){ .type = MSG_PONG });
		assert_silent(&r);
	}
	pass(&r, 100);
	assert_int_equal(sent(&r).type, MSG_REGISTER);
	rig_stop(&r);
}

static void test_the_deadline_tells_never_sent_from_unknown(void **state)
{
	struct rig r;
	int tags[2];

	(void)state;
	rig_ready(&r);
	assert_int_equal(ask(&r, MSG_COMMIT, 0, 300, &tags[0]), OK);
	assert_int_equal(sent(&r).type, MSG_COMMIT);
	assert_int_equal(ask(&r, MSG_COMMIT, 0, 300, &tags[1]), OK);
	assert_true(session_deadline(r.s) == r.now + 300);
	pass(&r, 299);
	assert_quiet(&r);
	pass(&r, 1);
	assert_done(&r, &tags[0], E_UNKNOWN);
	assert_done(&r, &tags[1], E_TIMEOUT);
	assert_quiet(&r);
	assert_silent(&r);
	rig_stop(&r);
}

static void test_a_stopping_coordinator_does_not_end_a_request(void **state)
{
	struct rig r;
	struct msg m;
	int tag;

	(void)state;
	rig_ready(&r);
	assert_int_equal(ask(&r, MSG_COMMIT, 0, 5000, &tag), OK);
	m = sent(&r);
	receive(&r, (struct msg){ .type = MSG_REPLY,
				  .id = m.id,
				  .err = (uint64_t)-E_CLOSED });
	assert_quiet(&r);
	session_connected(r.s, r.now); /* it was started again */
	m = sent(&r);
	assert_int_equal(m.type, MSG_HELLO);
	receive(&r, (struct msg){ .type = MSG_WELCOME, .id = m.id });
	assert_int_equal(taken(&r).type, SESSION_WELCOMED);
	m = sent(&r);
	assert_int_equal(m.type, MSG_COMMIT);
	receive(&r, (struct msg){ .type = MSG_REPLY, .id = m.id });
	assert_done(&r, &tag, OK);
	rig_stop(&r);
}

static void test_silence_is_noticed_by_an_unanswered_ping(void **state)
{
	struct rig r;
	struct msg m;

	(void)state;
	rig_ready(&r);
	assert_true(session_deadline(r.s) == r.now + HEARTBEAT);
	pass(&r, HEARTBEAT);
	assert_int_equal(sent(&r).type, MSG_PING);
	receive(&r, (struct msg){ .type = MSG_PONG });
	pass(&r, HEARTBEAT);
	assert_int_equal(sent(&r).type, MSG_PING);
	pass(&r, 2 * HEARTBEAT - 1);
	assert_quiet(&r);
	pass(&r, 1);
	assert_int_equal(taken(&r).type, SESSION_RECONNECT);
	assert_int_equal(session_state(r.s), SESSION_GREETING);
	m = sent(&r);
	assert_int_equal(m.type, MSG_HELLO);

	/* Also when the hello is answered by nobody, again and again. */
	pass(&r, 1000);
	assert_int_equal(taken(&r).type, SESSION_RECONNECT);
	assert_int_equal(sent(&r).type, MSG_HELLO);
	receive(&r, (struct msg){ .type = MSG_WELCOME, .id = m.id });
	assert_int_equal(taken(&r).type, SESSION_WELCOMED);
	rig_stop(&r);
}

/* When the n-th wish to connect anew comes at most and at least, after the one
 * before. */
static void assert_reconnects(struct rig *r, int n, bool flapping)
{
	uint64_t since = r->now, most = 1000ull << (n < 3 ? n : 3);

	while (r->now - since <= most) {
		struct session_output out = taken(r);

		if ((int)out.type != -1) {
			assert_int_equal(out.type, SESSION_RECONNECT);
			/* two times less a quarter */
			assert_true(r->now - since >= most * 3 / 8);
			return;
		}
		(void)sent(r); /* nobody answers */
		r->now += 50;
		if (flapping && r->now % 500 == 0)
			session_connected(r->s, r->now);
		if (session_deadline(r->s) <= r->now)
			session_time(r->s, r->now);
	}
	fail_msg("no wish %d to connect anew after %u ms", n, (unsigned)most);
}

static void test_without_a_welcome_it_connects_anew_again_and_again(
	void **state)
{
	(void)state;
	for (int flapping = 0; flapping < 2; flapping++) {
		struct rig r;
		struct msg m;

		rig_start(&r);
		for (int n = 0; n < 50; n++)
			assert_reconnects(&r, n, flapping);
		m = sent(&r);
		assert_int_equal(m.type, MSG_HELLO);
		receive(&r, (struct msg){ .type = MSG_WELCOME, .id = m.id });
		assert_int_equal(taken(&r).type, SESSION_WELCOMED);

		/* the next time it is in no less of a hurry */
		session_connected(r.s, r.now);
		assert_reconnects(&r, 0, flapping);
		rig_stop(&r);
	}
}

/* That is not a reason to break a connection of which much is under way. */
static void test_new_resources_leave_a_busy_coordinator_time(void **state)
{
	const struct bytes id = BYTES("db-a");
	struct rig r;

	(void)state;
	rig_ready(&r);
	receive(&r, (struct msg){ .type = MSG_PONG });
	assert_int_equal(session_resources(r.s, &id, 1, r.now), OK);
	assert_int_equal(sent(&r).type, MSG_HELLO);
	pass(&r, 2 * HEARTBEAT - 1);
	assert_quiet(&r);
	pass(&r, 1);
	assert_int_equal(taken(&r).type, SESSION_RECONNECT);
	rig_stop(&r);
}

static void test_agents_do_not_connect_anew_at_the_same_time(void **state)
{
	uint64_t at[2];

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct session_config c = {
			.application = BYTES("order"),
			.instance = i ? BYTES("order-1") : BYTES("order-2"),
			.requests_max = 4,
			.bytes_max = 4096,
			.message_max = 1024,
			.dones_max = 2,
			.heartbeat_ms = HEARTBEAT,
			.resend_ms_first = RESEND,
			.resend_ms_max = 4000,
		};
		struct session_output out;
		struct session *s;

		assert_int_equal(session_new(&s, &mem_heap, &c, 0), OK);
		session_time(s, 1000);
		assert_true(session_take(s, &out));
		at[i] = session_deadline(s);
		session_free(s);
	}
	assert_true(at[0] != at[1]);
}

static void test_an_unanswered_hello_is_repeated(void **state)
{
	struct rig r;

	(void)state;
	rig_start(&r);
	assert_int_equal(sent(&r).type, MSG_HELLO);
	assert_silent(&r);
	pass(&r, 199);
	assert_silent(&r);
	pass(&r, 1);
	assert_int_equal(sent(&r).type, MSG_HELLO);
	pass(&r, 399);
	assert_silent(&r);
	pass(&r, 1);
	assert_int_equal(sent(&r).type, MSG_HELLO);
	rig_stop(&r);
}

static void test_the_coordinator_may_ask_for_a_shorter_heartbeat(void **state)
{
	const uint64_t asked[] = { 0, 100, 100000, 1 };
	const uint64_t got[] = { HEARTBEAT, 100, HEARTBEAT, 10 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(asked); i++) {
		struct rig r;
		struct msg m;

		rig_start(&r);
		m = sent(&r);
		receive(&r, (struct msg){ .type = MSG_WELCOME,
					  .id = m.id,
					  .heartbeat_ms = asked[i] });
		assert_int_equal(taken(&r).type, SESSION_WELCOMED);
		assert_true(session_deadline(r.s) == r.now + got[i]);
		rig_stop(&r);
	}
}

static void test_a_refusal_for_good_ends_requests_and_tries_again_later(
	void **state)
{
	struct session_output out;
	struct rig r;
	int tags[2];

	(void)state;
	rig_ready(&r);
	assert_int_equal(ask(&r, MSG_COMMIT, 0, 5000, &tags[0]), OK);
	assert_int_equal(sent(&r).type, MSG_COMMIT);
	assert_int_equal(ask(&r, MSG_BEGIN, 0, 5000, &tags[1]), OK);
	receive(&r, (struct msg){ .type = MSG_BYE,
				  .err = (uint64_t)-E_DENIED,
				  .text = BYTES("unknown application") });
	out = taken(&r);
	assert_int_equal(out.type, SESSION_BYE);
	assert_int_equal(out.err, E_DENIED);
	out = taken(&r);
	assert_int_equal(out.type, SESSION_DONE);
	assert_ptr_equal(out.tag, &tags[1]);
	assert_int_equal(out.err, E_DENIED);
	assert_true(bytes_equal(out.text, BYTES("unknown application")));
	assert_done(&r, &tags[0], E_UNKNOWN); /* that one had been sent */
	assert_quiet(&r);
	assert_silent(&r);
	assert_int_equal(session_state(r.s), SESSION_REFUSED);
	pass(&r, 400);
	assert_int_equal(sent(&r).type, MSG_HELLO);
	rig_stop(&r);
}

static void test_a_passing_refusal_keeps_requests(void **state)
{
	struct rig r;
	struct msg m;
	int tag;

	(void)state;
	rig_ready(&r);
	assert_int_equal(ask(&r, MSG_COMMIT, 0, 5000, &tag), OK);
	assert_int_equal(sent(&r).type, MSG_COMMIT);
	receive(&r,
		(struct msg){ .type = MSG_BYE, .err = (uint64_t)-E_CLOSED });
	assert_int_equal(taken(&r).type, SESSION_BYE);
	assert_quiet(&r);
	pass(&r, 400);
	m = sent(&r);
	assert_int_equal(m.type, MSG_HELLO);
	receive(&r, (struct msg){ .type = MSG_WELCOME, .id = m.id });
	assert_int_equal(taken(&r).type, SESSION_WELCOMED);
	assert_int_equal(sent(&r).type, MSG_COMMIT);
	rig_stop(&r);
}

static void test_new_resources_are_told_and_disturb_nothing(void **state)
{
	const struct bytes ids[] = { BYTES("db-a"), BYTES("db-b") };
	struct msg old, hello;
	struct rig r;
	int tag;

	(void)state;
	rig_ready(&r);
	assert_int_equal(ask(&r, MSG_REGISTER, 0, 9000, &tag), OK);
	assert_int_equal(sent(&r).type, MSG_REGISTER);
	assert_int_equal(session_resources(r.s, ids, 1, r.now), OK);
	old = sent(&r);
	assert_int_equal(session_resources(r.s, ids, 2, r.now), OK);
	hello = sent(&r);
	assert_int_equal(hello.type, MSG_HELLO);
	assert_int_equal(hello.n_list, 2);
	assert_true(bytes_equal(hello.list[1], BYTES("db-b")));
	/* the answer to the hello with one resource does not count */
	receive(&r, (struct msg){ .type = MSG_WELCOME, .id = old.id });
	assert_quiet(&r);
	assert_int_equal(session_state(r.s), SESSION_GREETING);
	receive(&r, (struct msg){ .type = MSG_WELCOME, .id = hello.id });
	assert_int_equal(taken(&r).type, SESSION_WELCOMED);
	assert_silent(&r); /* the request is still under way */

	/* unless the coordinator does not know us: then it was lost */
	assert_int_equal(session_resources(r.s, ids, 1, r.now), OK);
	receive(&r, (struct msg){ .type = MSG_HELLO_WANTED });
	hello = sent(&r);
	receive(&r, (struct msg){ .type = MSG_WELCOME, .id = hello.id });
	assert_int_equal(taken(&r).type, SESSION_WELCOMED);
	assert_int_equal(sent(&r).type, MSG_REGISTER);
	rig_stop(&r);
}

static void test_a_command_is_handed_up_and_its_end_sent_once(void **state)
{
	const struct msg done = { .type = MSG_BRANCH_DONE,
				  .id = 77,
				  .status = BRANCH_COMMITTED };
	struct session_output out;
	struct rig r;
	struct msg m;

	(void)state;
	rig_ready(&r);
	receive(&r, (struct msg){ .type = MSG_COMMAND,
				  .id = 77,
				  .xid = BYTES("h:1:3"),
				  .branch = 9 });
	out = taken(&r);
	assert_int_equal(out.type, SESSION_COMMAND);
	assert_true(out.msg.branch == 9 && out.msg.id == 77);
	assert_int_equal(session_done(r.s, &done), OK);
	m = sent(&r);
	assert_int_equal(m.type, MSG_BRANCH_DONE);
	assert_true(m.id == 77);
	assert_silent(&r);
	session_connected(r.s, r.now);
	assert_int_equal(sent(&r).type, MSG_HELLO);
	assert_silent(&r);
	assert_int_equal(session_done(r.s, &done), OK);
	assert_int_equal(session_done(r.s, &done), OK);
	assert_int_equal(session_done(r.s, &done), E_LIMIT);
	rig_stop(&r);
}

static void test_what_the_transport_did_not_take_comes_again(void **state)
{
	struct bytes a, b;
	struct rig r;
	int tag;

	(void)state;
	rig_ready(&r);
	assert_int_equal(ask(&r, MSG_COMMIT, 0, 100, &tag), OK);
	assert_true(session_next(r.s, &a));
	assert_true(session_next(r.s, &b));
	assert_ptr_equal(a.data, b.data);
	pass(&r, 100);
	assert_done(&r, &tag, E_TIMEOUT); /* offered, but not sent */
	rig_stop(&r);
}

static void test_everything_has_a_limit(void **state)
{
	static const uint8_t big[1024];
	struct msg m = { .type = MSG_REGISTER,
			 .application_data = { big, sizeof big } };
	struct rig r;

	(void)state;
	rig_ready(&r);
	assert_int_equal(session_request(r.s, &m, r.now, NULL, r.now),
			 E_LIMIT); /* message_max */
	m.application_data.len = 900;
	for (int i = 0; i < 4; i++)
		assert_int_equal(
			session_request(r.s, &m, r.now + 9, NULL, r.now), OK);
	session_check(r.s);
	assert_int_equal(ask(&r, MSG_COMMIT, 0, 9, NULL), E_LIMIT);
	session_end(r.s);
	while (taken(&r).type == SESSION_DONE)
		;
	assert_int_equal(session_pending(r.s), 0);
	/* bytes_max: four of 990 and one more do not fit into 4096 */
	m.application_data.len = 990;
	for (int i = 0; i < 3; i++)
		assert_int_equal(
			session_request(r.s, &m, r.now + 9, NULL, r.now), OK);
	assert_int_equal(
		session_done(r.s, &(struct msg){ .type = MSG_BRANCH_DONE,
						 .detail = { big, 900 } }),
		OK);
	assert_int_equal(session_request(r.s, &m, r.now + 9, NULL, r.now),
			 E_LIMIT);
	session_check(r.s);
	rig_stop(&r);
}

static void test_the_end_ends_everything(void **state)
{
	struct rig r;
	int tags[2];

	(void)state;
	rig_ready(&r);
	assert_int_equal(ask(&r, MSG_COMMIT, 0, 5000, &tags[0]), OK);
	assert_int_equal(sent(&r).type, MSG_COMMIT);
	assert_int_equal(ask(&r, MSG_BEGIN, 0, 5000, &tags[1]), OK);
	session_end(r.s);
	assert_done(&r, &tags[1], E_CLOSED);
	assert_done(&r, &tags[0], E_UNKNOWN);
	assert_quiet(&r);
	rig_stop(&r);
}

static void test_nonsense_is_ignored(void **state)
{
	struct rig r;

	(void)state;
	rig_ready(&r);
	assert_int_equal(session_receive(r.s, BYTES("rubbish"), r.now),
			 E_VERSION);
	assert_int_equal(session_receive(r.s, BYTES("\1"), r.now), E_INVALID);
	buf_clear(&r.to_agent);
	assert_int_equal(
		msg_encode(&r.to_agent, &(struct msg){ .type = MSG_BEGIN }),
		OK);
	assert_int_equal(session_receive(r.s, buf_bytes(&r.to_agent), r.now),
			 E_INVALID);
	receive(&r, (struct msg){ .type = MSG_REPLY, .id = 4711 });
	receive(&r, (struct msg){ .type = MSG_WELCOME, .id = 4711 });
	assert_quiet(&r);
	assert_int_equal(session_state(r.s), SESSION_READY);
	rig_stop(&r);
}

static void test_every_pair_of_the_table_is_as_written(void **state)
{
	static const char *const want[3][SESSION_EVENTS + 1] = {
		/* connected, wanted, welcome, bye, silent, resources, due;
		 * capital: the next state */
		[SESSION_GREETING] = { "rG", "dG", "oR", "xF", "rG", "gG",
				       "gG" },
		[SESSION_READY] = { "rG", "rG", "sR", "xF", "rG", "gG", "--" },
		[SESSION_REFUSED] = { "rG", "sF", "sF", "sF", "--", "sF",
				      "rG" },
	};
	static const char actions[] = "-sdgrox";
	static const char states[] = "GRF";

	(void)state;
	for (int s = 0; s < 3; s++)
		for (int e = 0; e < SESSION_EVENTS; e++) {
			struct session_rule rule = session_rule(
				(enum session_state)s, (enum session_event)e);

			assert_int_equal(actions[rule.action], want[s][e][0]);
			if (rule.action != SESSION_FORBIDDEN)
				assert_int_equal(states[rule.next],
						 want[s][e][1]);
		}
}

/*
 * A lossy, duplicating, delaying network and a coordinator that forgets who is
 * connected now and then. Every request ends once; with a long deadline all
 * end with a reply, which the coordinator made from one execution.
 */
#define N_ASKED 400

struct world {
	struct rig r;
	uint64_t seed;
	bool known; /* the coordinator knows this connection */
	int executed[N_ASKED];
	int ended[N_ASKED];
	uint64_t id_of[N_ASKED];
	int n_asked;
	int n_ended;
	struct buf wire[64]; /* towards the agent, in any order */
	size_t n_wire;
	unsigned loss; /* percent */
};

static bool lost(struct world *w)
{
	return random_next(&w->seed) % 100 < w->loss;
}

static void say(struct world *w, struct msg m)
{
	if (w->n_wire == ARRAY_LEN(w->wire) || lost(w))
		return;
	buf_init(&w->wire[w->n_wire], &mem_heap);
	assert_int_equal(msg_encode(&w->wire[w->n_wire], &m), OK);
	w->n_wire++;
}

static void coordinator(struct world *w, struct msg m)
{
	if (m.type == MSG_HELLO) {
		w->known = true;
		say(w, (struct msg){ .type = MSG_WELCOME, .id = m.id });
		return;
	}
	if (!w->known) {
		say(w, (struct msg){ .type = MSG_HELLO_WANTED, .id = m.id });
		return;
	}
	if (m.type == MSG_PING) {
		say(w, (struct msg){ .type = MSG_PONG, .id = m.id });
		return;
	}
	assert_true(m.count < N_ASKED);
	/* the same number always means the same request */
	assert_true(w->executed[m.count] == 0 || w->id_of[m.count] == m.id);
	w->executed[m.count] = 1;
	w->id_of[m.count] = m.id;
	say(w, (struct msg){
		       .type = MSG_REPLY, .id = m.id, .count = m.count + 1 });
}

static void take_all(struct world *w)
{
	struct session_output out;

	while (session_take(w->r.s, &out)) {
		int i;

		if (out.type == SESSION_RECONNECT)
			w->known = false;
		if (out.type != SESSION_DONE)
			continue;
		i = (int)((int *)out.tag - w->ended);
		assert_int_equal(out.err, OK);
		assert_int_equal((int)out.msg.count, i + 1);
		assert_int_equal(++w->ended[i], 1);
		w->n_ended++;
	}
	session_check(w->r.s);
}

static void deliver(struct world *w)
{
	size_t at = (size_t)(random_next(&w->seed) % w->n_wire);

	assert_int_equal(
		session_receive(w->r.s, buf_bytes(&w->wire[at]), w->r.now), OK);
	take_all(w);
	if (!lost(w)) { /* else it is delivered twice */
		buf_fini(&w->wire[at]);
		w->wire[at] = w->wire[--w->n_wire];
	}
}

static void turn(struct world *w)
{
	const struct msg m = { .type = MSG_REPORT,
			       .count = (uint64_t)w->n_asked };
	struct msg out;

	switch (random_next(&w->seed) % 16) {
	case 0:
		if (w->n_asked < N_ASKED &&
		    session_request(w->r.s, &m, w->r.now + 100000000,
				    &w->ended[w->n_asked], w->r.now) == OK)
			w->n_asked++;
		break;
	case 1:
		if (random_next(&w->seed) % 16 == 0)
			w->known = false; /* it was restarted */
		if (random_next(&w->seed) % 16 == 0)
			session_connected(w->r.s, w->r.now);
		break;
	case 2:
		w->r.now += random_next(&w->seed) % 700;
		if (session_deadline(w->r.s) <= w->r.now)
			session_time(w->r.s, w->r.now);
		take_all(w);
		break;
	case 3:
	case 4:
	case 5:
		if (w->n_wire > 0)
			deliver(w);
		break;
	default:
		out = sent(&w->r);
		if (out.type != 0 && !lost(w))
			coordinator(w, out);
		break;
	}
	arena_reset(&w->r.arena);
}

/* A message's begin would be a plain transaction for a coordinator of the
 * first release. */
static void test_what_an_old_coordinator_would_misread_is_not_sent(void **state)
{
	struct msg begin = { .type = MSG_BEGIN, .kind = 1 };
	struct msg hello;
	struct rig r;
	int a, b;

	(void)state;
	rig_start(&r);
	assert_int_equal(session_request(r.s, &begin, 9000, &a, r.now), OK);
	assert_int_equal(ask(&r, MSG_BEGIN, 0, 5000, &b), OK);
	hello = sent(&r);
	assert_int_equal(hello.level, LEVEL_OURS);
	receive(&r, (struct msg){ .type = MSG_WELCOME, .id = hello.id });
	assert_int_equal(taken(&r).type, SESSION_WELCOMED);
	assert_done(&r, &a, E_VERSION);
	assert_quiet(&r);
	assert_int_equal(sent(&r).kind, 0);
	assert_silent(&r);
	assert_int_equal(session_request(r.s, &begin, 9000, &a, r.now),
			 E_VERSION);

	/* A newer one comes back in its place, and then an older one. */
	session_connected(r.s, r.now);
	hello = sent(&r);
	assert_int_equal(session_request(r.s, &begin, 9000, &a, r.now), OK);
	receive(&r, (struct msg){ .type = MSG_WELCOME,
				  .id = hello.id,
				  .level = LEVEL_OURS + 7 });
	assert_int_equal(taken(&r).type, SESSION_WELCOMED);
	assert_quiet(&r);
	assert_int_equal(sent(&r).kind, 0); /* b once more */
	assert_int_equal(sent(&r).kind, 1);
	session_connected(r.s, r.now);
	hello = sent(&r);
	receive(&r, (struct msg){ .type = MSG_WELCOME, .id = hello.id });
	assert_int_equal(taken(&r).type, SESSION_WELCOMED);
	assert_done(&r, &a, E_UNKNOWN);
	rig_stop(&r);
}

static void test_a_bad_network_only_costs_time(void **state)
{
	(void)state;
	for (unsigned seed = 1; seed <= 20; seed++) {
		struct world w = { .seed = seed, .loss = seed % 4 * 15 };
		int turns = 0;

		rig_start(&w.r);
		while (w.n_ended < N_ASKED) {
			turn(&w);
			if (w.n_asked == N_ASKED)
				w.loss = 0; /* healed */
			assert_true(++turns < 1000000);
		}
		assert_int_equal(session_pending(w.r.s), 0);
		while (w.n_wire > 0)
			buf_fini(&w.wire[--w.n_wire]);
		rig_stop(&w.r);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_only_a_hello_leaves_before_the_welcome),
		cmocka_unit_test(
			test_a_reply_is_handed_out_once_with_its_contents),
		cmocka_unit_test(test_hello_wanted_sends_everything_again),
		cmocka_unit_test(
			test_an_unanswered_request_is_repeated_ever_more_slowly),
		cmocka_unit_test(
			test_a_request_that_waits_for_locks_is_not_repeated_early),
		cmocka_unit_test(
			test_the_deadline_tells_never_sent_from_unknown),
		cmocka_unit_test(
			test_a_stopping_coordinator_does_not_end_a_request),
		cmocka_unit_test(test_silence_is_noticed_by_an_unanswered_ping),
		cmocka_unit_test(
			test_without_a_welcome_it_connects_anew_again_and_again),
		cmocka_unit_test(
			test_new_resources_leave_a_busy_coordinator_time),
		cmocka_unit_test(
			test_agents_do_not_connect_anew_at_the_same_time),
		cmocka_unit_test(test_an_unanswered_hello_is_repeated),
		cmocka_unit_test(
			test_the_coordinator_may_ask_for_a_shorter_heartbeat),
		cmocka_unit_test(
			test_a_refusal_for_good_ends_requests_and_tries_again_later),
		cmocka_unit_test(test_a_passing_refusal_keeps_requests),
		cmocka_unit_test(
			test_new_resources_are_told_and_disturb_nothing),
		cmocka_unit_test(
			test_a_command_is_handed_up_and_its_end_sent_once),
		cmocka_unit_test(
			test_what_the_transport_did_not_take_comes_again),
		cmocka_unit_test(test_everything_has_a_limit),
		cmocka_unit_test(test_the_end_ends_everything),
		cmocka_unit_test(test_nonsense_is_ignored),
		cmocka_unit_test(test_every_pair_of_the_table_is_as_written),
		cmocka_unit_test(
			test_what_an_old_coordinator_would_misread_is_not_sent),
		cmocka_unit_test(test_a_bad_network_only_costs_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
