#include "base/arena.h"
#include "rm-agent/agent.h"
#include "tests/fakes/coordinator.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

#include <treaty/msg.h>

/* Messages against a coordinator of the test's own, and a database in a file.
 * tests/live/msg_test.c has the real ones. */

#define KEEP 160

struct rig {
	struct fake_coordinator fake;
	struct treaty *t;

	/* The last message of each type, as bytes; written by the fake's
	 * thread before it answers. */
	struct buf kept[FAKE_TYPES];
	struct arena arena;
	struct msg refusals[FAKE_TYPES]; /* .err: answer with this */
	bool silent[FAKE_TYPES];

	/* What the callbacks do and saw. */
	enum treaty_msg_answer answer;
	enum treaty_msg_checked checked;
	const char *error;
	char xid[KEEP], key[KEEP], consumer[KEEP], payload[KEEP];
	uint64_t id, attempt;
	atomic_int calls, returned;

	char dir[32], file[64];
	sqlite3 *db;
	sqlite3 *lent;
};

static enum fake_verdict answer(void *ctx, const struct msg *m,
				struct msg *reply)
{
	struct rig *r = ctx;

	buf_clear(&r->kept[m->type]);
	REQUIRE(msg_encode(&r->kept[m->type], m) == OK);
	if (r->silent[m->type])
		return FAKE_SILENCE;
	if (!r->refusals[m->type].err)
		return FAKE_DEFAULT;
	*reply = r->refusals[m->type];
	reply->type = MSG_REPLY;
	return FAKE_REPLY;
}

static void rig_start(struct rig *r)
{
	struct treaty_options o;

	*r = (struct rig){ .fake = { .answer = answer, .ctx = r } };
	for (size_t i = 0; i < FAKE_TYPES; i++)
		buf_init(&r->kept[i], &mem_heap);
	arena_init(&r->arena, &mem_heap, 0);
	fake_start(&r->fake);
	treaty_options_init(&o, sizeof o);
	o.address = r->fake.address;
	o.application = "order";
	o.request_timeout_ms = 1000;
	o.commit_wait_ms = 7777;
	assert_int_equal(treaty_open(&r->t, &o), TREATY_OK);
	assert_true(fake_wait(&r->fake, MSG_HELLO, 1, 2000));
}

static void rig_stop(struct rig *r)
{
	assert_int_equal(treaty_close(r->t), TREATY_OK);
	fake_stop(&r->fake);
	for (size_t i = 0; i < FAKE_TYPES; i++)
		buf_fini(&r->kept[i]);
	arena_fini(&r->arena);
	sqlite3_close(r->db);
	if (r->file[0]) {
		(void)unlink(r->file);
		(void)rmdir(r->dir);
	}
}

static struct msg told(struct rig *r, enum msg_type type)
{
	struct msg m = { 0 };

	assert_true(r->kept[type].len > 0);
	assert_int_equal(
		msg_decode(&m, &r->arena.as_mem, buf_bytes(&r->kept[type])),
		OK);
	return m;
}

static void assert_text(struct bytes b, const char *text)
{
	if (!bytes_equal(b, bytes_of(text)))
		fail_msg("\"%.*s\" is not \"%s\"", (int)b.len,
			 (const char *)b.data, text);
}

static void assert_says(const char *part)
{
	if (!strstr(treaty_last_error(), part))
		fail_msg("\"%s\" does not say \"%s\"", treaty_last_error(),
			 part);
}

static struct treaty_msg *prepared(struct rig *r, const char *producer)
{
	const struct treaty_msg_options o = { .size = sizeof o,
					      .name = "bonus",
					      .producer = producer,
					      .timeout_ms = 5000 };
	struct treaty_msg *m;

	assert_int_equal(treaty_msg_prepare(r->t, &o, &m), TREATY_OK);
	return m;
}

static struct treaty_msg_delivery to(const char *name)
{
	return (struct treaty_msg_delivery){
		.size = sizeof(struct treaty_msg_delivery), .to = name
	};
}

/* ---- producing ---- */

static void test_a_message_is_prepared_added_and_submitted(void **state)
{
	static const uint64_t ms[] = { 100, 200 };
	const struct treaty_msg_options o = { .size = sizeof o,
					      .name = "bonus",
					      .producer = "shop",
					      .timeout_ms = 5000,
					      .ordered = true };
	struct treaty_msg_delivery d = to("points");
	struct treaty_msg *m;
	struct msg said;
	struct rig r;
	uint64_t id = 0;

	(void)state;
	rig_start(&r);
	assert_int_equal(treaty_msg_prepare(r.t, &o, &m), TREATY_OK);
	assert_string_equal(treaty_msg_xid(m), "fake:1:1");
	assert_null(treaty_current(r.t));
	said = told(&r, MSG_BEGIN);
	assert_int_equal(said.kind, 1);
	assert_text(said.name, "bonus");
	assert_text(said.check, "producer:shop");
	assert_int_equal(said.participant.len, 0);
	assert_int_equal(said.timeout_ms, 5000);
	assert_true(said.ordered);

	d.payload = "{\"user\":7}";
	d.deliver_after_ms = 60000;
	d.schedule_ms = ms;
	d.n_schedule = 2;
	d.call_timeout_ms = 300;
	assert_int_equal(treaty_msg_add(m, &d, &id), TREATY_OK);
	assert_int_equal(id, 1);
	said = told(&r, MSG_REGISTER);
	assert_text(said.xid, "fake:1:1");
	assert_int_equal(said.mode, MODE_MSG);
	assert_text(said.resource, "msg:points");
	assert_text(said.application_data, "{\"user\":7}");
	assert_int_equal(said.deliver_after_ms, 60000);
	assert_int_equal(said.n_schedule, 2);
	assert_int_equal(said.schedule_ms[1], 200);
	assert_int_equal(said.call_timeout_ms, 300);
	assert_false(said.topic);
	assert_true(said.client_key != 0);

	assert_int_equal(treaty_msg_submit(m), TREATY_OK);
	said = told(&r, MSG_COMMIT);
	assert_text(said.xid, "fake:1:1");
	assert_int_equal(said.wait_ms, 0); /* not for the deliveries */
	treaty_msg_free(m);
	rig_stop(&r);
	assert_int_equal(fake_seen(&r.fake, MSG_ROLLBACK), 0);
}

static void test_urls_and_topics_are_targets_too(void **state)
{
	struct treaty_msg_options o = {
		.size = sizeof o,
		.producer = "http://Shop:8080/check?a=1",
		.headers = "{\"Authorization\":\"Bearer x\"}"
	};
	struct treaty_msg_delivery d = to("https://points.example/in");
	struct treaty_msg *m;
	struct msg said;
	struct rig r;

	(void)state;
	rig_start(&r);
	assert_int_equal(treaty_msg_prepare(r.t, &o, &m), TREATY_OK);
	said = told(&r, MSG_BEGIN);
	assert_text(said.check, "http://shop:8080");
	assert_text(said.participant,
		    "{\"check\":\"http://Shop:8080/check?a=1\",\"headers\":"
		    "{\"Authorization\":\"Bearer x\"}}");
	assert_int_equal(treaty_msg_add(m, &d, NULL), TREATY_OK);
	said = told(&r, MSG_REGISTER);
	assert_text(said.resource, "https://points.example:443");
	assert_text(said.participant,
		    "{\"commit\":\"https://points.example/in\"}");
	assert_text(said.application_data, "{}");
	d.to = "msg:points";
	assert_int_equal(treaty_msg_add(m, &d, NULL), TREATY_OK);
	assert_text(told(&r, MSG_REGISTER).resource, "msg:points");
	d.to = NULL;
	d.topic = "sold";
	assert_int_equal(treaty_msg_add(m, &d, NULL), TREATY_OK);
	said = told(&r, MSG_REGISTER);
	assert_text(said.resource, "sold");
	assert_true(said.topic);
	assert_int_equal(said.participant.len, 0);
	treaty_msg_free(m);
	rig_stop(&r);
}

static void test_what_is_freed_undecided_is_left_to_the_producer(void **state)
{
	struct treaty_msg_delivery d = to("points");
	struct treaty_msg *m;
	struct rig r;

	(void)state;
	rig_start(&r);
	m = prepared(&r, "shop");
	assert_int_equal(treaty_msg_add(m, &d, NULL), TREATY_OK);
	treaty_msg_free(m);
	m = prepared(&r, "shop");
	assert_int_equal(treaty_msg_abort(m, "no money"), TREATY_OK);
	assert_text(told(&r, MSG_ROLLBACK).text, "no money");
	assert_int_equal(treaty_msg_submit(m), TREATY_E_STATE);
	treaty_msg_free(m);
	treaty_msg_free(NULL);
	rig_stop(&r);
	assert_int_equal(fake_seen(&r.fake, MSG_ROLLBACK), 1);
	assert_int_equal(fake_seen(&r.fake, MSG_COMMIT), 0);
}

static void refused(struct rig *r, struct treaty_msg *m,
		    struct treaty_msg_delivery d, const char *part)
{
	assert_int_equal(treaty_msg_add(m, &d, NULL), TREATY_E_INVALID);
	assert_says(part);
	assert_int_equal(fake_seen(&r->fake, MSG_REGISTER), 0);
}

static void test_what_makes_no_sense_is_refused_with_a_reason(void **state)
{
	struct treaty_msg_delivery d;
	struct treaty_msg_options o = { .size = sizeof o };
	struct treaty_msg *m, *none = NULL;
	char longest[130] = { 0 };
	struct rig r;

	(void)state;
	rig_start(&r);
	m = prepared(&r, "shop");
	refused(&r, m, (struct treaty_msg_delivery){ 0 }, "size");
	refused(&r, m, to(NULL), "one of .to and .topic");
	d = to("points");
	d.topic = "t";
	refused(&r, m, d, "one of .to and .topic");
	d = to("points");
	d.payload = "{user:7}";
	refused(&r, m, d, "one JSON value");
	d = to("points");
	d.headers = "{}";
	refused(&r, m, d, "headers are for URLs");
	d = to(NULL);
	d.topic = "";
	refused(&r, m, d, "no name");
	refused(&r, m, to(""), "neither a name");
	refused(&r, m, to("a\nb"), "neither a name");
	memset(longest, 'x', 124);
	refused(&r, m, to(longest), "neither a name");
	refused(&r, m, to("http://user@host/"), "cannot be called");
	d = to("http://host/");
	d.headers = "[1]";
	refused(&r, m, d, "JSON object");

	assert_int_equal(treaty_msg_submit(m), TREATY_E_STATE);
	assert_says("nothing to deliver");
	assert_int_equal(treaty_msg_submit(NULL), TREATY_E_INVALID);
	treaty_msg_free(m);
	assert_int_equal(treaty_msg_prepare(r.t, NULL, &none),
			 TREATY_E_INVALID);
	o.headers = "{}";
	assert_int_equal(treaty_msg_prepare(r.t, &o, &none), TREATY_E_INVALID);
	o = (struct treaty_msg_options){ .size = sizeof o,
					 .barrier_table = "a b" };
	assert_int_equal(treaty_msg_prepare(r.t, &o, &none), TREATY_E_INVALID);
	assert_null(none);
	rig_stop(&r);
}

static void test_an_addition_in_doubt_is_never_submitted(void **state)
{
	struct treaty_msg_delivery d = to("points");
	struct treaty_msg *m;
	struct rig r;

	(void)state;
	rig_start(&r);
	m = prepared(&r, "shop");
	assert_int_equal(treaty_msg_add(m, &d, NULL), TREATY_OK);
	r.silent[MSG_REGISTER] = true;
	assert_int_equal(treaty_msg_add(m, &d, NULL), TREATY_E_UNKNOWN);
	assert_int_equal(treaty_msg_submit(m), TREATY_E_STATE);
	assert_says("not known whether a delivery was added");
	assert_int_equal(treaty_msg_abort(m, NULL), TREATY_OK);
	treaty_msg_free(m);
	rig_stop(&r);
	assert_int_equal(fake_seen(&r.fake, MSG_COMMIT), 0);
}

static void test_an_unanswered_submit_may_be_repeated(void **state)
{
	struct treaty_msg_delivery d = to("points");
	struct treaty_msg *m;
	struct rig r;

	(void)state;
	rig_start(&r);
	m = prepared(&r, "shop");
	assert_int_equal(treaty_msg_add(m, &d, NULL), TREATY_OK);
	r.silent[MSG_COMMIT] = true;
	assert_int_equal(treaty_msg_submit(m), TREATY_E_UNKNOWN);
	assert_int_equal(treaty_msg_add(m, &d, NULL), TREATY_E_STATE);
	r.silent[MSG_COMMIT] = false;
	assert_int_equal(treaty_msg_submit(m), TREATY_OK);
	treaty_msg_free(m);

	m = prepared(&r, "shop");
	assert_int_equal(treaty_msg_add(m, &d, NULL), TREATY_OK);
	r.refusals[MSG_COMMIT] =
		(struct msg){ .err = (uint64_t)-E_STATE,
			      .status = GTX_TIMEOUT_ROLLBACKED };
	assert_int_equal(treaty_msg_submit(m), TREATY_E_ROLLED_BACK);
	treaty_msg_free(m);
	rig_stop(&r);
}

static void test_publish_is_all_of_it_or_nothing(void **state)
{
	struct treaty_msg_delivery d = to("points");
	char xid[TREATY_XID_MAX + 1] = "";
	struct rig r;

	(void)state;
	rig_start(&r);
	assert_int_equal(treaty_msg_publish(r.t, "hi", &d, xid), TREATY_OK);
	assert_string_equal(xid, "fake:1:1");
	assert_int_equal(told(&r, MSG_BEGIN).check.len, 0);
	assert_text(told(&r, MSG_COMMIT).xid, "fake:1:1");

	r.refusals[MSG_REGISTER] =
		(struct msg){ .err = (uint64_t)-E_NOTFOUND,
			      .text = BYTES("nobody has subscribed") };
	assert_int_equal(treaty_msg_publish(r.t, "hi", &d, xid),
			 TREATY_E_NOTFOUND);
	assert_says("nobody has subscribed");
	assert_says("is not sent");
	assert_string_equal(xid, "fake:1:2");
	assert_text(told(&r, MSG_ROLLBACK).xid, "fake:1:2");
	/* It may be added; but nobody will submit it. */
	r.silent[MSG_REGISTER] = true;
	assert_int_equal(treaty_msg_publish(r.t, "hi", &d, NULL),
			 TREATY_E_TIMEOUT);
	assert_text(told(&r, MSG_ROLLBACK).xid, "fake:1:3");
	r.silent[MSG_REGISTER] = false;
	r.refusals[MSG_REGISTER].err = 0;
	r.silent[MSG_COMMIT] = true;
	assert_int_equal(treaty_msg_publish(r.t, "hi", &d, NULL),
			 TREATY_E_UNKNOWN);
	rig_stop(&r);
	assert_int_equal(fake_seen(&r.fake, MSG_ROLLBACK), 2);
}

static void test_send_belongs_to_the_threads_transaction(void **state)
{
	struct treaty_msg_delivery d = to("points");
	struct treaty_tx *tx;
	struct rig r;
	uint64_t id = 0;

	(void)state;
	rig_start(&r);
	assert_int_equal(treaty_msg_send(r.t, &d, &id), TREATY_E_STATE);
	assert_int_equal(treaty_begin(r.t, "buy", 0, &tx), TREATY_OK);
	assert_int_equal(treaty_msg_send(r.t, &d, &id), TREATY_OK);
	assert_int_equal(id, 1);
	assert_text(told(&r, MSG_REGISTER).xid, treaty_xid(tx));
	assert_int_equal(told(&r, MSG_REGISTER).mode, MODE_MSG);
	assert_int_equal(told(&r, MSG_BEGIN).kind, 0);
	assert_int_equal(treaty_commit(tx), TREATY_OK);
	assert_int_equal(treaty_msg_send(r.t, &d, &id), TREATY_E_STATE);
	assert_int_equal(treaty_release(tx), TREATY_OK);
	rig_stop(&r);
}

static void test_an_old_coordinator_gets_no_message(void **state)
{
	const struct treaty_msg_options o = { .size = sizeof o };
	struct treaty_msg_delivery d = to("points");
	struct treaty_tx *tx;
	struct treaty_msg *m = NULL;
	struct rig r;

	(void)state;
	rig_start(&r);
	assert_int_equal(treaty_begin(r.t, "a", 0, &tx), TREATY_OK);
	r.fake.old = true;
	fake_stop(&r.fake);
	fake_start(&r.fake);
	/* Until it is noticed that another one is there. */
	while (treaty_msg_prepare(r.t, &o, &m) != TREATY_E_VERSION)
		;
	assert_says("too old");
	assert_int_equal(treaty_msg_send(r.t, &d, NULL), TREATY_E_VERSION);
	assert_int_equal(treaty_topic_subscribe(r.t, "t", "s", "c", NULL),
			 TREATY_E_VERSION);
	assert_int_equal(treaty_rollback(tx, NULL), TREATY_OK);
	assert_int_equal(treaty_release(tx), TREATY_OK);
	rig_stop(&r);
	assert_int_equal(fake_seen(&r.fake, MSG_SUBSCRIBE), 0);
	assert_int_equal(fake_seen(&r.fake, MSG_REGISTER), 0);
}

static void test_topics_are_told_to_the_coordinator(void **state)
{
	struct msg said;
	struct rig r;

	(void)state;
	rig_start(&r);
	assert_int_equal(
		treaty_topic_subscribe(r.t, "sold", "points", "points", NULL),
		TREATY_OK);
	said = told(&r, MSG_SUBSCRIBE);
	assert_text(said.name, "sold");
	assert_text(said.subscriber, "points");
	assert_text(said.resource, "msg:points");
	assert_int_equal(treaty_topic_subscribe(r.t, "sold", "mail",
						"http://mail/in",
						"{\"k\":\"v\"}"),
			 TREATY_OK);
	said = told(&r, MSG_SUBSCRIBE);
	assert_text(said.resource, "http://mail:80");
	assert_text(said.participant, "{\"commit\":\"http://mail/in\","
				      "\"headers\":{\"k\":\"v\"}}");
	assert_int_equal(treaty_topic_unsubscribe(r.t, "sold", "mail"),
			 TREATY_OK);
	assert_text(told(&r, MSG_UNSUBSCRIBE).subscriber, "mail");
	r.refusals[MSG_UNSUBSCRIBE].err = (uint64_t)-E_NOTFOUND;
	assert_int_equal(treaty_topic_unsubscribe(r.t, "sold", "mail"),
			 TREATY_E_NOTFOUND);
	assert_int_equal(treaty_topic_subscribe(r.t, "", "mail", "m", NULL),
			 TREATY_E_INVALID);
	assert_int_equal(
		treaty_topic_subscribe(r.t, "sold", "mail", NULL, NULL),
		TREATY_E_INVALID);
	rig_stop(&r);
}

/* ---- consuming ---- */

static void keep(char into[KEEP], const char *text)
{
	REQUIRE(strlen(text) < KEEP);
	memcpy(into, text, strlen(text) + 1);
}

static enum treaty_msg_answer on_message(void *ctx, struct treaty_delivery *d)
{
	struct rig *r = ctx;

	keep(r->xid, treaty_delivery_xid(d));
	keep(r->key, treaty_delivery_key(d));
	keep(r->consumer, treaty_delivery_consumer(d));
	keep(r->payload, treaty_delivery_payload(d));
	r->id = treaty_delivery_id(d);
	r->attempt = treaty_delivery_attempt(d);
	if (r->error)
		treaty_delivery_error(d, r->error);
	atomic_fetch_add(&r->calls, 1);
	return r->answer;
}

static void consume(struct rig *r)
{
	const struct treaty_msg_consumer c = { .size = sizeof c,
					       .on_message = on_message };
	unsigned hellos = fake_seen(&r->fake, MSG_HELLO);

	assert_int_equal(treaty_msg_consumer_add(r->t, "points", &c, r),
			 TREATY_OK);
	assert_true(fake_wait(&r->fake, MSG_HELLO, hellos + 1, 2000));
}

static void command(struct rig *r, struct msg m)
{
	unsigned n = fake_seen(&r->fake, MSG_BRANCH_DONE);

	m.id = 500 + n;
	fake_command(&r->fake, m);
	assert_true(fake_wait(&r->fake, MSG_BRANCH_DONE, n + 1, 10000));
	assert_int_equal(r->fake.done_id, m.id);
	assert_int_equal(r->fake.done_command, m.command);
}

static struct msg delivery(uint64_t attempt)
{
	return (struct msg){ .xid = BYTES("fake:1:9"),
			     .branch = 3,
			     .command = AGENT_COMMIT,
			     .mode = MODE_MSG,
			     .resource = BYTES("msg:points"),
			     .application_data = BYTES("[1]"),
			     .attempt = attempt };
}

static void test_each_answer_of_a_consumer_has_its_meaning(void **state)
{
	static const struct {
		enum treaty_msg_answer answer;
		const char *error;
		enum branch_status status;
		bool in_progress;
		const char *text;
	} cases[] = {
		{ TREATY_MSG_DONE, "x", BRANCH_COMMITTED, false, "" },
		{ TREATY_MSG_RETRY, "db is down", BRANCH_COMMIT_RETRYABLE,
		  false, "msg:points: db is down" },
		{ TREATY_MSG_RETRY, NULL, BRANCH_COMMIT_RETRYABLE, false,
		  "msg:points: it gave no reason" },
		{ TREATY_MSG_REFUSED, "no such user", BRANCH_COMMIT_UNRETRYABLE,
		  false, "msg:points: no such user (refused for good)" },
		{ TREATY_MSG_IN_PROGRESS, NULL, BRANCH_COMMIT_RETRYABLE, true,
		  "" },
		{ (enum treaty_msg_answer)9, NULL, BRANCH_COMMIT_RETRYABLE,
		  false,
		  "msg:points: it gave no reason (it answered 9, which means "
		  "nothing)" },
	};
	struct rig r;

	(void)state;
	rig_start(&r);
	consume(&r);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		r.answer = cases[i].answer;
		r.error = cases[i].error;
		command(&r, delivery(i + 1));
		assert_int_equal(r.fake.done_status, cases[i].status);
		assert_int_equal(r.fake.done_in_progress, cases[i].in_progress);
		assert_string_equal(r.fake.done_text, cases[i].text);
		assert_int_equal(r.attempt, i + 1);
	}
	assert_string_equal(r.xid, "fake:1:9");
	assert_string_equal(r.key, "fake:1:9/3/action");
	assert_string_equal(r.consumer, "points");
	assert_string_equal(r.payload, "[1]");
	assert_int_equal(r.id, 3);
	rig_stop(&r);
}

static void test_a_consumer_does_only_what_it_is_for(void **state)
{
	const struct treaty_msg_consumer none = { .size = sizeof none };
	struct treaty_msg_consumer c = { .size = sizeof c,
					 .on_message = on_message };
	struct msg m = delivery(1);
	struct rig r;

	(void)state;
	rig_start(&r);
	consume(&r);
	m.command = AGENT_ROLLBACK;
	command(&r, m);
	assert_int_equal(r.fake.done_status, BRANCH_ROLLBACKED);
	m.command = AGENT_CHECK;
	m.branch = 0;
	m.mode = 0;
	command(&r, m);
	assert_int_equal(r.fake.done_status, BRANCH_COMMIT_RETRYABLE);
	assert_non_null(strstr(r.fake.done_text, "is a consumer"));
	m.command = AGENT_CALL;
	command(&r, m);
	assert_int_equal(r.fake.done_status, BRANCH_COMMIT_RETRYABLE);
	assert_int_equal(atomic_load(&r.calls), 0);
	m = delivery(1);
	m.application_data.len = 0;
	command(&r, m);
	assert_string_equal(r.payload, "{}");

	assert_int_equal(treaty_msg_consumer_add(r.t, "points", &c, &r),
			 TREATY_E_STATE);
	assert_int_equal(treaty_msg_consumer_add(r.t, "p", &none, &r),
			 TREATY_E_INVALID);
	assert_int_equal(treaty_msg_consumer_add(r.t, "http://p", &c, &r),
			 TREATY_E_INVALID);
	assert_int_equal(treaty_msg_consumer_add(r.t, "msg:p", &c, &r),
			 TREATY_E_INVALID);
	assert_int_equal(treaty_msg_consumer_add(r.t, NULL, &c, &r),
			 TREATY_E_INVALID);
	c.barrier_table = "a;b";
	assert_int_equal(treaty_msg_consumer_add(r.t, "p", &c, &r),
			 TREATY_E_INVALID);
	rig_stop(&r);
}

/* ---- answering for a producer ---- */

static void open_file(struct rig *r, bool with_table)
{
	memcpy(r->dir, "/tmp/treaty-msg-XXXXXX", 23);
	assert_non_null(mkdtemp(r->dir));
	(void)snprintf(r->file, sizeof r->file, "%s/shop.db", r->dir);
	assert_int_equal(sqlite3_open(r->file, &r->db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(r->db, "CREATE TABLE sold (id INTEGER)",
				      NULL, NULL, NULL),
			 SQLITE_OK);
	if (with_table)
		assert_int_equal(treaty_barrier_create_sqlite(r->db, NULL),
				 TREATY_OK);
}

static void run_sql(sqlite3 *db, const char *sql)
{
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
}

static void answer_for(struct rig *r, const struct treaty_msg_producer *p)
{
	unsigned hellos = fake_seen(&r->fake, MSG_HELLO);

	assert_int_equal(treaty_msg_producer_add(r->t, "shop", p, r),
			 TREATY_OK);
	assert_true(fake_wait(&r->fake, MSG_HELLO, hellos + 1, 2000));
}

static void check(struct rig *r, const char *xid)
{
	command(r, (struct msg){ .xid = bytes_of(xid),
				 .command = AGENT_CHECK,
				 .resource = BYTES("producer:shop"),
				 .attempt = 1 });
}

static enum treaty_msg_checked on_check(void *ctx, const char *xid)
{
	struct rig *r = ctx;

	keep(r->xid, xid);
	return r->checked;
}

static void test_a_producer_may_answer_itself(void **state)
{
	const struct treaty_msg_producer p = { .size = sizeof p,
					       .on_check = on_check };
	struct rig r;

	(void)state;
	rig_start(&r);
	answer_for(&r, &p);
	r.checked = TREATY_MSG_COMMITTED;
	check(&r, "fake:1:5");
	assert_string_equal(r.xid, "fake:1:5");
	assert_int_equal(r.fake.done_status, BRANCH_COMMITTED);
	r.checked = TREATY_MSG_NEVER;
	check(&r, "fake:1:5");
	assert_int_equal(r.fake.done_status, BRANCH_ROLLBACKED);
	r.checked = TREATY_MSG_NOT_KNOWN;
	check(&r, "fake:1:5");
	assert_int_equal(r.fake.done_status, BRANCH_COMMIT_RETRYABLE);
	assert_true(r.fake.done_in_progress);
	r.checked = (enum treaty_msg_checked)77;
	check(&r, "fake:1:5");
	assert_int_equal(r.fake.done_status, BRANCH_COMMIT_RETRYABLE);
	rig_stop(&r);
}

static void test_the_row_of_the_barrier_answers(void **state)
{
	struct treaty_msg_producer p = { .size = sizeof p };
	struct treaty_msg_delivery d = to("points");
	struct treaty_msg *sold, *late;
	char dsn[96];
	struct rig r;

	(void)state;
	rig_start(&r);
	open_file(&r, true);
	(void)snprintf(dsn, sizeof dsn, "sqlite:%s", r.file);
	p.dsn = dsn;
	answer_for(&r, &p);
	sold = prepared(&r, "shop");
	late = prepared(&r, "shop");
	assert_int_equal(treaty_msg_add(sold, &d, NULL), TREATY_OK);
	assert_int_equal(treaty_msg_add(late, &d, NULL), TREATY_OK);

	assert_int_equal(treaty_msg_barrier_sqlite(sold, r.db),
			 TREATY_E_STATE); /* no local transaction */
	run_sql(r.db, "BEGIN IMMEDIATE");
	assert_int_equal(treaty_msg_barrier_sqlite(sold, r.db), TREATY_OK);
	check(&r, treaty_msg_xid(sold));
	assert_int_equal(r.fake.done_status, BRANCH_COMMIT_RETRYABLE);
	assert_true(r.fake.done_in_progress); /* it is still open */
	run_sql(r.db, "COMMIT");
	check(&r, treaty_msg_xid(sold));
	assert_int_equal(r.fake.done_status, BRANCH_COMMITTED);
	check(&r, treaty_msg_xid(sold));
	assert_int_equal(r.fake.done_status, BRANCH_COMMITTED);
	run_sql(r.db, "BEGIN IMMEDIATE");
	assert_int_equal(treaty_msg_barrier_sqlite(sold, r.db), TREATY_E_STATE);
	assert_says("one local transaction");
	run_sql(r.db, "ROLLBACK");

	check(&r, treaty_msg_xid(late));
	assert_int_equal(r.fake.done_status, BRANCH_ROLLBACKED);
	run_sql(r.db, "BEGIN IMMEDIATE");
	assert_int_equal(treaty_msg_barrier_sqlite(late, r.db),
			 TREATY_E_ROLLED_BACK);
	assert_says("will never commit");
	run_sql(r.db, "ROLLBACK");
	treaty_msg_free(sold);
	treaty_msg_free(late);
	rig_stop(&r);
}

static struct sqlite3 *lend(void *ctx, const char *xid)
{
	struct rig *r = ctx;

	keep(r->xid, xid);
	return r->lent;
}

static void take_back(void *ctx, void *conn)
{
	struct rig *r = ctx;

	REQUIRE(conn == r->lent);
	atomic_fetch_add(&r->returned, 1);
}

static void test_what_cannot_be_asked_is_asked_again(void **state)
{
	const struct treaty_msg_producer p = { .size = sizeof p,
					       .on_sqlite = lend,
					       .on_done = take_back };
	struct rig r;

	(void)state;
	rig_start(&r);
	open_file(&r, false);
	answer_for(&r, &p);
	check(&r, "fake:1:5");
	assert_int_equal(r.fake.done_status, BRANCH_COMMIT_RETRYABLE);
	assert_true(r.fake.done_in_progress);
	assert_int_equal(atomic_load(&r.returned), 0);
	r.lent = r.db; /* has no table yet */
	check(&r, "fake:1:5");
	assert_int_equal(r.fake.done_status, BRANCH_COMMIT_RETRYABLE);
	assert_false(r.fake.done_in_progress);
	assert_non_null(strstr(r.fake.done_text, "barrier"));
	assert_int_equal(atomic_load(&r.returned), 1);
	run_sql(r.db, "BEGIN");
	check(&r, "fake:1:5");
	assert_int_equal(r.fake.done_status, BRANCH_COMMIT_RETRYABLE);
	run_sql(r.db, "ROLLBACK");
	assert_int_equal(treaty_barrier_create_sqlite(r.db, NULL), TREATY_OK);
	check(&r, "fake:1:5");
	assert_int_equal(r.fake.done_status, BRANCH_ROLLBACKED);
	assert_int_equal(atomic_load(&r.returned), 3);
	rig_stop(&r);
}

static void test_a_producer_is_described_in_one_way(void **state)
{
	struct treaty_msg_producer p = { .size = sizeof p };
	struct msg m = delivery(1);
	struct rig r;

	(void)state;
	rig_start(&r);
	assert_int_equal(treaty_msg_producer_add(r.t, "shop", &p, &r),
			 TREATY_E_INVALID);
	p.on_check = on_check;
	p.dsn = "sqlite:x";
	assert_int_equal(treaty_msg_producer_add(r.t, "shop", &p, &r),
			 TREATY_E_INVALID);
	assert_says("give one of");
	p = (struct treaty_msg_producer){ .size = sizeof p, .on_sqlite = lend };
	assert_int_equal(treaty_msg_producer_add(r.t, "shop", &p, &r),
			 TREATY_E_INVALID);
	assert_says("on_done");
	p = (struct treaty_msg_producer){ .size = sizeof p,
					  .on_check = on_check };
	answer_for(&r, &p);
	assert_int_equal(treaty_msg_producer_add(r.t, "shop", &p, &r),
			 TREATY_E_STATE);
	/* The same name as a consumer is somebody else. */
	m.resource = BYTES("producer:shop");
	command(&r, m);
	assert_int_equal(r.fake.done_status, BRANCH_COMMIT_UNRETRYABLE);
	m.command = AGENT_ROLLBACK;
	command(&r, m);
	assert_int_equal(r.fake.done_status, BRANCH_ROLLBACKED);
	rig_stop(&r);
}

/* ---- a local transaction in one call ---- */

static int sell(void *ctx, struct sqlite3 *db)
{
	const char *sql = ctx;

	return sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK
		       ? TREATY_OK
		       : TREATY_E_DENIED;
}

static int count(struct rig *r, const char *sql)
{
	sqlite3_stmt *stmt;
	int n;

	assert_int_equal(sqlite3_prepare_v2(r->db, sql, -1, &stmt, NULL),
			 SQLITE_OK);
	assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
	n = sqlite3_column_int(stmt, 0);
	sqlite3_finalize(stmt);
	return n;
}

static int locally(struct rig *r, const char *producer, const char *sql)
{
	struct treaty_msg_delivery d = to("points");
	struct treaty_msg *m = prepared(r, producer);
	char text[64];
	int rc;

	assert_int_equal(treaty_msg_add(m, &d, NULL), TREATY_OK);
	memcpy(text, sql, strlen(sql) + 1);
	rc = treaty_msg_local_sqlite(m, r->db, sell, text);
	treaty_msg_free(m);
	return rc;
}

#define SELL "INSERT INTO sold VALUES (1)"

static void test_a_local_transaction_and_its_message_are_one(void **state)
{
	struct rig r;

	(void)state;
	rig_start(&r);
	open_file(&r, true);
	assert_int_equal(locally(&r, "shop", SELL), TREATY_OK);
	assert_int_equal(count(&r, "SELECT count(*) FROM sold"), 1);
	assert_int_equal(count(&r, "SELECT count(*) FROM barrier"), 1);
	assert_int_equal(fake_seen(&r.fake, MSG_COMMIT), 1);

	assert_int_equal(locally(&r, "shop", SELL "; nonsense"),
			 TREATY_E_DENIED);
	assert_int_equal(count(&r, "SELECT count(*) FROM sold"), 1);
	assert_int_equal(count(&r, "SELECT count(*) FROM barrier"), 1);
	assert_int_equal(fake_seen(&r.fake, MSG_COMMIT), 1);
	assert_int_equal(fake_seen(&r.fake, MSG_ROLLBACK), 1);

	assert_int_equal(locally(&r, NULL, SELL), TREATY_E_STATE);
	assert_says("no producer");
	run_sql(r.db, "BEGIN");
	assert_int_equal(locally(&r, "shop", SELL), TREATY_E_STATE);
	run_sql(r.db, "ROLLBACK");
	assert_int_equal(count(&r, "SELECT count(*) FROM sold"), 1);
	rig_stop(&r);
	assert_int_equal(fake_seen(&r.fake, MSG_ROLLBACK), 1);
}

/* What is not certain is not aborted. */
static void test_a_message_that_may_be_committed_is_left_alone(void **state)
{
	struct rig r;

	(void)state;
	rig_start(&r);
	open_file(&r, true);
	assert_int_equal(locally(&r, "shop", SELL "; COMMIT"), TREATY_E_STATE);
	assert_says("ended the local transaction");
	assert_int_equal(locally(&r, "shop", SELL "; COMMIT; nonsense"),
			 TREATY_E_STATE);
	assert_int_equal(count(&r, "SELECT count(*) FROM sold"), 2);
	/* It is committed, and the producer will say so. */
	r.silent[MSG_COMMIT] = true;
	assert_int_equal(locally(&r, "shop", SELL), TREATY_OK);
	r.silent[MSG_COMMIT] = false;
	r.refusals[MSG_COMMIT] = (struct msg){ .err = (uint64_t)-E_STATE,
					       .status = GTX_ROLLBACKED };
	assert_int_equal(locally(&r, "shop", SELL), TREATY_E_CORRUPT);
	assert_says("dropped the message");
	rig_stop(&r);
	assert_int_equal(fake_seen(&r.fake, MSG_ROLLBACK), 0);
}

static void test_a_local_transaction_comes_too_late(void **state)
{
	struct treaty_msg_delivery d = to("points");
	enum treaty_prepared out;
	struct treaty_msg *m;
	char sql[] = SELL;
	struct rig r;

	(void)state;
	rig_start(&r);
	open_file(&r, true);
	m = prepared(&r, "shop");
	assert_int_equal(treaty_msg_add(m, &d, NULL), TREATY_OK);
	assert_int_equal(treaty_barrier_query_prepared_sqlite(
				 r.db, NULL, treaty_msg_xid(m), &out),
			 TREATY_OK);
	assert_int_equal(out, TREATY_PREPARED_ABORTED);
	assert_int_equal(treaty_msg_local_sqlite(m, r.db, sell, sql),
			 TREATY_E_ROLLED_BACK);
	assert_int_equal(count(&r, "SELECT count(*) FROM sold"), 0);
	treaty_msg_free(m);
	rig_stop(&r);
	assert_int_equal(fake_seen(&r.fake, MSG_COMMIT), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			test_a_message_is_prepared_added_and_submitted),
		cmocka_unit_test(test_urls_and_topics_are_targets_too),
		cmocka_unit_test(
			test_what_is_freed_undecided_is_left_to_the_producer),
		cmocka_unit_test(
			test_what_makes_no_sense_is_refused_with_a_reason),
		cmocka_unit_test(test_an_addition_in_doubt_is_never_submitted),
		cmocka_unit_test(test_an_unanswered_submit_may_be_repeated),
		cmocka_unit_test(test_publish_is_all_of_it_or_nothing),
		cmocka_unit_test(test_send_belongs_to_the_threads_transaction),
		cmocka_unit_test(test_an_old_coordinator_gets_no_message),
		cmocka_unit_test(test_topics_are_told_to_the_coordinator),
		cmocka_unit_test(
			test_each_answer_of_a_consumer_has_its_meaning),
		cmocka_unit_test(test_a_consumer_does_only_what_it_is_for),
		cmocka_unit_test(test_a_producer_may_answer_itself),
		cmocka_unit_test(test_the_row_of_the_barrier_answers),
		cmocka_unit_test(test_what_cannot_be_asked_is_asked_again),
		cmocka_unit_test(test_a_producer_is_described_in_one_way),
		cmocka_unit_test(
			test_a_local_transaction_and_its_message_are_one),
		cmocka_unit_test(
			test_a_message_that_may_be_committed_is_left_alone),
		cmocka_unit_test(test_a_local_transaction_comes_too_late),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
