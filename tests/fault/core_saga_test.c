#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "tc/core/model.h"
#include "tests/fakes/flaky.h"
#include "tests/fakes/saga_desk.h"

/*
 * Every allocation of a life with sagas fails once. The step that meets it says
 * E_NOMEM and has changed nothing, or does later what followed from the event;
 * in the end everything that was said is the same as without faults.
 */

#define OUTER                                                                  \
	"{\"Name\":\"outer\",\"StartState\":\"S\",\"States\":{\"S\":{"         \
	"\"Type\":\"SubStateMachine\",\"StateMachineName\":\"trip\","          \
	"\"Next\":\"W\"},\"W\":{\"Type\":\"ServiceTask\",\"ServiceName\":"     \
	"\"http://h:1/x\",\"ServiceMethod\":\"m\",\"Next\":\"E\"},"            \
	"\"E\":{\"Type\":\"Succeed\"}}}"

struct scene {
	struct desk *d;
	struct flaky flaky;
	int refused; /* steps that said E_NOMEM */
};

/* The core's state as far as anybody can see it. */
static uint64_t fingerprint(struct desk *d)
{
	struct core_stats s = core_stats(d->core);

	return s.gtx_now + 1000 * s.begun + 1000000 * s.commands +
	       s.committed * 7 + s.rolled_back * 77 + s.peers_now * 777 +
	       s.tombstones_now * 7777 + s.origins_now * 77777 +
	       s.rows_forced * 777777 + core_deadline(d->core);
}

/* Give it until it is taken. */
static void give(struct scene *s, struct event e)
{
	uint64_t before = fingerprint(s->d);
	size_t replies = s->d->n_replies, changes = s->d->n_changes;

	while (desk_step(s->d, e) == E_NOMEM) {
		s->refused++;
		assert_int_equal(fingerprint(s->d), before);
		assert_int_equal(s->d->n_replies, replies);
		assert_int_equal(s->d->n_changes, changes);
		assert_true(s->refused < 3);
	}
	desk_pass(s->d, 20); /* what found no memory is tried again */
}

static const struct reply *ask(struct scene *s, struct request rq)
{
	rq.id = ++s->d->next_id;
	give(s, (struct event){ .type = EV_REQUEST, .request = rq });
	return desk_find_reply(s->d, rq.id);
}

static const struct reply *put(struct scene *s, const char *document)
{
	return ask(s, (struct request){ .type = RQ_MACHINE_PUT,
					.text = bytes_of(document) });
}

static void peer_up(struct scene *s)
{
	struct bytes r[] = { BYTES("saga:book"), BYTES("saga:unbook"),
			     BYTES("saga:fly"), BYTES("saga:unfly") };
	struct event e = { .type = EV_PEER_UP };

	e.up = (struct peer_up){ .peer = 1,
				 .application = BYTES("app"),
				 .instance = BYTES("i"),
				 .resources = r,
				 .n_resources = ARRAY_LEN(r) };
	give(s, e);
}

static void answer(struct scene *s, const char *service, struct branch_done how)
{
	const struct command *co = saga_called(service);
	struct event e = { .type = EV_BRANCH_DONE, .done = how };

	e.done.peer = co->peer;
	e.done.command = co->id;
	e.done.type = COMMAND_CALL;
	e.done.xid = co->xid;
	e.done.branch = co->branch;
	give(s, e);
}

static void done(struct scene *s, const char *service)
{
	answer(s, service,
	       (struct branch_done){ .status = BRANCH_COMMITTED,
				     .detail = BYTES("{\"n\":[1]}") });
}

/* ---- the life ---- */

static void succeeds_with_parts_and_a_url(struct scene *s)
{
	const struct reply *r = ask(
		s, (struct request){ .type = RQ_SAGA_START,
				     .name = BYTES("outer"),
				     .version = BYTES(""),
				     .business_key = BYTES("k"),
				     .input = BYTES("{\"a\":1}"),
				     .participant = BYTES("{\"headers\":{}}"),
				     .application = BYTES("shop"),
				     .wait_ms = 60000 });
	struct bytes xid = saga_called("book")->xid;

	assert_null(r);
	r = ask(s, (struct request){ .type = RQ_SAGA_START,
				     .name = BYTES("outer"),
				     .business_key = BYTES("k"),
				     .wait_ms = 60000 });
	assert_null(r);
	answer(s, "book", (struct branch_done){ .in_progress = true });
	desk_pass(s->d, s->d->config.saga_ask_again_ms);
	done(s, "book");
	answer(s, "fly",
	       (struct branch_done){ .status = BRANCH_COMMITTED,
				     .detail = BYTES("{") });
	desk_pass(s->d, 2000);
	assert_non_null(
		ask(s, (struct request){ .type = RQ_SAGA_SHOW, .xid = xid }));
	done(s, "fly");
	done(s, "http://h:1/x");
	r = ask(s, (struct request){ .type = RQ_SAGA_START,
				     .name = BYTES("outer"),
				     .business_key = BYTES("k") });
	assert_int_equal(r->status, GTX_COMMITTED);
	assert_int_equal(desk_reply(s->d, r->id - 3)->status, GTX_COMMITTED);
	assert_int_equal(desk_reply(s->d, r->id - 2)->existed, true);
}

static void is_compensated_by_an_operator(struct scene *s)
{
	const struct reply *r =
		ask(s, (struct request){ .type = RQ_SAGA_START,
					 .text = BYTES(TRIP),
					 .business_key = BYTES("own"),
					 .input = BYTES("{\"a\":1}") });
	struct bytes xid = r->xid;

	done(s, "book");
	answer(s, "fly",
	       (struct branch_done){ .status = BRANCH_COMMIT_RETRYABLE,
				     .error_name = BYTES("io"),
				     .error = BYTES("lost") });
	r = ask(s, (struct request){ .type = RQ_SAGA_MOVE,
				     .xid = xid,
				     .move = MOVE_COMPENSATE,
				     .reason = BYTES("enough"),
				     .wait_ms = 60000 });
	assert_null(r);
	give(s, (struct event){ .type = EV_PEER_GONE, .peer = 1 });
	desk_pass(s->d, s->d->config.command_timeout_ms);
	peer_up(s);
	desk_pass(s->d, 5000);
	done(s, "unfly");
	answer(s, "unbook",
	       (struct branch_done){ .status = BRANCH_COMMIT_UNRETRYABLE });
	r = ask(s, (struct request){ .type = RQ_RETRY, .xid = xid });
	assert_int_equal(r->err, OK);
	done(s, "unbook");
	r = ask(s, (struct request){ .type = RQ_STATUS, .xid = xid });
	assert_int_equal(r->status, GTX_ROLLBACKED);
}

static void ends_at_once_and_is_forgotten(struct scene *s)
{
	const struct reply *r =
		ask(s, (struct request){ .type = RQ_SAGA_START,
					 .name = BYTES("none"),
					 .business_key = BYTES("a key") });

	assert_int_equal(r->status, GTX_COMMITTED);
	assert_true(r->detail.len > 0);
	assert_int_equal(ask(s, (struct request){ .type = RQ_MACHINE_DROP,
						  .name = BYTES("none") })
				 ->err,
			 OK);
	assert_int_equal(ask(s, (struct request){ .type = RQ_MACHINE_DROP,
						  .name = BYTES("trip"),
						  .version = BYTES("1") })
				 ->err,
			 E_STATE);
	desk_pass(s->d, s->d->config.tombstone_keep_ms + 1000);
	assert_int_equal(core_stats(s->d->core).tombstones_now, 0);
}

static void is_refused(struct scene *s)
{
	assert_int_equal(put(s, "{\"name\":\"x\",\"steps\":[]}")->err,
			 E_INVALID);
	assert_int_equal(put(s, "{\"name\":\"trip\",\"version\":\"1\","
				"\"steps\":[{\"name\":\"a\",\"action\":"
				"\"b\"}]}")
				 ->err,
			 E_CONFLICT);
	assert_true(put(s, TRIP)->existed);
	assert_int_equal(ask(s, (struct request){ .type = RQ_SAGA_START,
						  .name = BYTES("nope") })
				 ->err,
			 E_NOTFOUND);
	assert_int_equal(ask(s, (struct request){ .type = RQ_SAGA_START,
						  .name = BYTES("trip"),
						  .input = BYTES("[]") })
				 ->err,
			 E_INVALID);
}

/* Nobody takes it; then somebody does. */
static void waits_for_an_agent(struct scene *s)
{
	const struct reply *r;
	struct bytes xid;

	give(s, (struct event){ .type = EV_PEER_GONE, .peer = 1 });
	r = ask(s, (struct request){ .type = RQ_SAGA_START,
				     .name = BYTES("trip"),
				     .timeout_ms = 50000 });
	xid = r->xid;
	desk_pass(s->d, 45000);
	assert_int_equal(
		ask(s, (struct request){ .type = RQ_STATUS, .xid = xid })
			->status,
		GTX_BEGIN);
	desk_pass(s->d, 100000);
	peer_up(s);
	desk_pass(s->d, 60000);
	done(s, "unbook");
	assert_int_equal(
		ask(s, (struct request){ .type = RQ_STATUS, .xid = xid })
			->status,
		GTX_ROLLBACKED);
}

static void live(struct scene *s)
{
	saga_desk_use(s->d);
	s->d->auto_store = true;
	give(s, (struct event){ .type = EV_READY });
	peer_up(s);
	assert_int_equal(put(s, TRIP)->err, OK);
	assert_int_equal(put(s, OUTER)->err, OK);
	assert_int_equal(put(s, "{\"Name\":\"none\",\"StartState\":\"A\","
				"\"States\":{\"A\":{\"Type\":\"Succeed\"}}}")
				 ->err,
			 OK);
	is_refused(s);
	succeeds_with_parts_and_a_url(s);
	is_compensated_by_an_operator(s);
	waits_for_an_agent(s);
	ends_at_once_and_is_forgotten(s);
	assert_int_equal(core_stats(s->d->core).gtx_now, 0);
}

static struct core_config small(void)
{
	struct core_config config = desk_config();

	config.id_block = 3; /* so that numbers run out, too */
	config.command_timeout_ms = 5000;
	config.saga_attempts = 0;
	return config;
}

struct traces {
	uint64_t rows;
	size_t replies, commands, history, archives;
};

static struct traces traces_of(const struct desk *d)
{
	return (struct traces){ d->n_taken, d->n_replies, d->n_commands,
				d->n_history, d->n_archives };
}

static bool same(struct traces a, struct traces b)
{
	return a.rows == b.rows && a.replies == b.replies &&
	       a.commands == b.commands && a.history == b.history &&
	       a.archives == b.archives;
}

static struct traces undisturbed(const struct core_config *config)
{
	struct scene s = { 0 };
	struct traces t;

	flaky_init(&s.flaky, -1);
	s.d = desk_new_raw(config, &s.flaky.mem);
	assert_non_null(s.d);
	live(&s);
	t = traces_of(s.d);
	desk_free(s.d);
	return t;
}

static void sweep(bool tight)
{
	struct core_config config = small();
	struct traces want = undisturbed(&config);
	int refused = 0, later = 0;
	long n = 0;

	for (bool met = true; met; n++) {
		struct scene s = { 0 };

		flaky_init(&s.flaky, n);
		s.d = desk_new_raw(&config, &s.flaky.mem);
		if (!s.d) {
			assert_int_equal(s.flaky.live, 0);
			continue;
		}
		if (tight) { /* each text is an allocation of its own */
			s.d->core->fx.arena.chunk_size = 1;
			s.d->core->sagas.turn.arena.chunk_size = 1;
		}
		live(&s);
		assert_true(same(want, traces_of(s.d)));
		met = s.flaky.calls > n;
		refused += s.refused;
		later += met && !s.refused;
		desk_free(s.d);
		assert_int_equal(s.flaky.live, 0);
	}
	print_message("%ld allocations, %d refused, %d done later\n", n,
		      refused, later);
	assert_true(n > 250 && refused > 100 && later > 50);
	assert_true(!tight || n > 1500);
}

static void test_every_allocation_may_fail_once(void **state)
{
	(void)state;
	sweep(false);
	sweep(true);
}

/* ---- loading ---- */

static void many_states(struct scene *s)
{
	saga_desk_use(s->d);
	s->d->auto_store = true;
	give(s, (struct event){ .type = EV_READY });
	desk_store(s->d);
	peer_up(s);
	put(s, TRIP);
	put(s, OUTER);
	ask(s, (struct request){ .type = RQ_SAGA_START,
				 .name = BYTES("outer"),
				 .business_key = BYTES("done") });
	done(s, "book");
	done(s, "fly");
	done(s, "http://h:1/x");
	ask(s, (struct request){ .type = RQ_SAGA_START,
				 .name = BYTES("outer"),
				 .business_key = BYTES("calls") });
	done(s, "book");
	ask(s, (struct request){ .type = RQ_SAGA_START,
				 .text = BYTES(TRIP),
				 .participant = BYTES("{}"),
				 .business_key = BYTES("goes back") });
	done(s, "book");
	answer(s, "fly",
	       (struct branch_done){ .status = BRANCH_COMMIT_UNRETRYABLE });
}

/* True if it found all the memory that it asked for. */
static bool load_all(struct scene *s, const struct core_config *config)
{
	struct event ready = { .type = EV_READY, .now_ms = 5 };
	struct effects fx;
	struct core *core;
	int rc = core_new(&core, &s->flaky.mem, config);

	for (size_t i = 0; rc == OK && i < s->d->n_rows; i++) {
		struct event e = { .type = EV_LOADED };

		e.row.table = s->d->rows[i].table;
		e.row.id = s->d->rows[i].id;
		e.row.gtx = s->d->rows[i].gtx;
		e.row.body = s->d->rows[i].body;
		rc = core_step(core, &e, &fx);
		if (rc == E_NOMEM)
			rc = core_step(core, &e, &fx);
		assert_int_equal(rc, OK);
	}
	if (rc != OK)
		return false;
	rc = core_step(core, &ready, &fx);
	if (rc == E_NOMEM)
		rc = core_step(core, &ready, &fx);
	assert_int_equal(rc, OK);
	core_check(core);
	if (core_deadline(core) == ready.now_ms + 10) { /* it tries again */
		struct event time = { .type = EV_TIME, .now_ms = 15 };

		assert_int_equal(core_step(core, &time, &fx), OK);
		core_check(core);
	}
	assert_int_equal(core_stats(core).gtx_now, 2);
	assert_int_equal(core_stats(core).tombstones_now, 1);
	/* Each run has its call again, and nothing else to wait for. */
	assert_in_range(core_deadline(core), 5 + config->command_timeout_ms,
			15 + config->command_timeout_ms);
	core_free(core);
	return true;
}

static void test_loading_leaves_no_trace_either(void **state)
{
	struct core_config config = small();
	struct scene s = { 0 };
	bool met = true;

	(void)state;
	flaky_init(&s.flaky, -1);
	s.d = desk_new_raw(&config, &s.flaky.mem);
	many_states(&s);
	for (long n = 0; met; n++) {
		long live_before = s.flaky.live;

		s.flaky.calls = 0;
		s.flaky.fail_at = n;
		(void)load_all(&s, &config);
		met = s.flaky.calls > n;
		assert_int_equal(s.flaky.live, live_before);
	}
	s.flaky.fail_at = -1;
	desk_free(s.d);
	assert_int_equal(s.flaky.live, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_allocation_may_fail_once),
		cmocka_unit_test(test_loading_leaves_no_trace_either),
	};

	return cmocka_run_group_tests_name("core saga", tests, NULL, NULL);
}
