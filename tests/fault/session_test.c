#include "base/arena.h"
#include "rm-agent/session/session.h"
#include "tests/fakes/flaky.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/*
 * One conversation with every kind of input, on a heap that fails on its n-th
 * allocation. Whatever fails is tried again at once: nothing may have changed,
 * and the conversation must come to the same end.
 */

struct talk {
	struct flaky *flaky;
	struct session *s;
	int failures;
};

/* True: it failed for lack of memory, do it again. */
static bool again(struct talk *t, int rc)
{
	assert_true(rc == OK || rc == E_NOMEM);
	if (t->s)
		session_check(t->s);
	t->failures += rc == E_NOMEM;
	return rc == E_NOMEM;
}

static void receive(struct talk *t, struct msg m)
{
	struct buf b;

	buf_init(&b, &mem_heap);
	assert_int_equal(msg_encode(&b, &m), OK);
	while (again(t, session_receive(t->s, buf_bytes(&b), 1000)))
		;
	buf_fini(&b);
}

static struct msg sent(struct talk *t, struct arena *a)
{
	struct bytes body;
	struct msg m;

	assert_true(session_next(t->s, &body));
	body = arena_bytes(a, body);
	session_sent(t->s, 1000);
	assert_int_equal(msg_decode(&m, &a->as_mem, body), OK);
	return m;
}

static void converse(struct talk *t, struct arena *a)
{
	const struct bytes keys[] = { BYTES("k1"), BYTES("k2") };
	const struct msg m = { .type = MSG_REGISTER,
			       .list = keys,
			       .n_list = 2 };
	const struct msg done = { .type = MSG_BRANCH_DONE, .id = 5 };
	const struct session_config config = {
		.application = BYTES("order"),
		.instance = BYTES("order-1"),
		.requests_max = 8,
		.bytes_max = 4096,
		.message_max = 1024,
		.dones_max = 4,
		.heartbeat_ms = 500,
		.resend_ms_first = 1000,
		.resend_ms_max = 4000,
	};
	struct session_output out;
	struct msg got;
	int tag;

	while (again(t, session_new(&t->s, &t->flaky->mem, &config, 1000)))
		assert_int_equal(t->flaky->live, 0);
	while (again(t, session_resources(t->s, keys, 2, 1000)))
		;
	while (again(t, session_request(t->s, &m, 9000, &tag, 1000)))
		assert_int_equal(session_pending(t->s), 0);
	got = sent(t, a);
	assert_int_equal(got.type, MSG_HELLO);
	assert_int_equal(got.n_list, 2);
	receive(t, (struct msg){ .type = MSG_WELCOME, .id = got.id });
	assert_true(session_take(t->s, &out));
	receive(t, (struct msg){ .type = MSG_COMMAND,
				 .id = 5,
				 .list = keys,
				 .n_list = 2 });
	assert_true(session_take(t->s, &out));
	assert_int_equal(out.type, SESSION_COMMAND);
	while (again(t, session_done(t->s, &done)))
		;
	assert_int_equal(sent(t, a).type, MSG_BRANCH_DONE);
	got = sent(t, a);
	assert_int_equal(got.type, MSG_REGISTER);
	receive(t, (struct msg){ .type = MSG_REPLY, .id = got.id });
	assert_true(session_take(t->s, &out));
	assert_ptr_equal(out.tag, &tag);
	assert_int_equal(out.err, OK);
	assert_false(session_take(t->s, &out));
}

static void test_a_failed_allocation_changes_nothing(void **state)
{
	int sweeps = 0;

	(void)state;
	for (;; sweeps++) {
		struct flaky f;
		struct talk t = { .flaky = &f };
		struct arena a;

		flaky_init(&f, sweeps);
		arena_init(&a, &mem_heap, 0);
		converse(&t, &a);
		session_free(t.s);
		arena_fini(&a);
		assert_int_equal(f.live, 0);
		if (t.failures == 0)
			break;
	}
	assert_true(sweeps > 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_failed_allocation_changes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
