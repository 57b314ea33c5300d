#include "base/buf.h"
#include "tests/fakes/http_peer.h"
#include "tests/live/live.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>

#include <cmocka.h>

#include <treaty/msg.h>
#include <treaty/saga.h>
#include <treaty/tcc.h>

/*
 * What a program in C asks of services that have URLs and no library: messages
 * to them, answers of theirs for a producer, TCC and Saga branches. No database
 * is needed.
 */

struct fixture {
	struct treatyd d;
	struct http_peer *peer;
	struct treaty *t;
	char targets[80];
	char origin[64];
	char url[8][120]; /* of at() */
	unsigned n_urls;
	atomic_int taken;
};

static void print(char *out, size_t size, const char *fmt, ...)
	PRINTF_LIKE(3, 4);

static void print(char *out, size_t size, const char *fmt, ...)
{
	struct buf b;
	va_list args;

	buf_init(&b, &mem_heap);
	va_start(args, fmt);
	buf_vprintf(&b, fmt, args);
	va_end(args);
	REQUIRE(b.len < size);
	memcpy(out, buf_text(&b), b.len + 1);
	buf_fini(&b);
}

static int set_up(void **state)
{
	struct fixture *f = mem_alloc(&mem_heap, sizeof *f);
	struct treaty_options o;

	f->peer = http_peer_start("127.0.0.1");
	print(f->origin, sizeof f->origin, "http://127.0.0.1:%u",
	      http_peer_port(f->peer));
	print(f->targets, sizeof f->targets, "--http-targets=%s/", f->origin);
	REQUIRE(treatyd_start(&f->d, f->targets, "--command-timeout=3s",
			      "--retry-first=20ms", "--retry-max=100ms", NULL));
	treaty_options_init(&o, sizeof o);
	o.address = f->d.agents;
	o.application = "shop";
	REQUIRE(treaty_open(&f->t, &o) == TREATY_OK);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;
	int rc = treaty_close(f->t);

	treatyd_remove(&f->d);
	http_peer_stop(f->peer);
	mem_free(&mem_heap, f);
	return rc;
}

static const char *at(struct fixture *f, const char *path)
{
	char *url = f->url[f->n_urls++ % 8];

	print(url, sizeof f->url[0], "%s%s", f->origin, path);
	return url;
}

static int settled(struct fixture *f, const char *xid)
{
	uint64_t end = live_now_ms() + 20000;
	int status = 0;

	do {
		if (treaty_status(f->t, xid, &status) == TREATY_OK &&
		    status >= TREATY_STATUS_COMMITTED)
			break;
		live_nap(5);
	} while (live_now_ms() < end);
	return status;
}

/* The last request that the peer got has this in it. */
static void want_asked(struct fixture *f, const char *text)
{
	char *last = http_peer_last(f->peer);

	if (!strstr(last, text))
		fail_msg("\"%s\" is not in: %s", text, last);
	mem_free(&mem_heap, last);
}

static void want_requests(struct fixture *f, size_t n)
{
	uint64_t end = live_now_ms() + 10000;

	while (http_peer_requests(f->peer) < n && live_now_ms() < end)
		live_nap(5);
	assert_true(http_peer_requests(f->peer) >= n);
}

static struct treaty_msg_delivery to(const char *target)
{
	return (struct treaty_msg_delivery){
		.size = sizeof(struct treaty_msg_delivery),
		.to = target,
		.payload = "{\"sum\":10}"
	};
}

/* ---- messages ---- */

static void test_a_url_takes_a_message(void **state)
{
	struct fixture *f = *state;
	struct treaty_msg_delivery d = to(at(f, "/s/200?shop=1"));
	char xid[TREATY_XID_MAX + 1], key[200];

	d.headers = "{\"X-Team\":\"blue\"}";
	assert_int_equal(treaty_msg_publish(f->t, "gift", &d, xid), TREATY_OK);
	assert_int_equal(settled(f, xid), TREATY_STATUS_COMMITTED);
	want_asked(f, "POST /s/200?shop=1&gid=");
	want_asked(f, "&trans_type=msg&");
	want_asked(f, "op=action");
	want_asked(f, "\r\nX-Team: blue\r\n");
	want_asked(f, "\r\n\r\n{\"sum\":10}");
	print(key, sizeof key, "\r\nIdempotency-Key: %s/", xid);
	want_asked(f, key);
	assert_int_equal(http_peer_requests(f->peer), 1);
}

static void test_a_url_that_refuses_makes_a_dead_letter(void **state)
{
	static const uint64_t ms[] = { 50, 50 };
	struct fixture *f = *state;
	struct treaty_msg_delivery d = to(at(f, "/refuse"));
	char xid[TREATY_XID_MAX + 1];

	assert_int_equal(treaty_msg_publish(f->t, "gift", &d, xid), TREATY_OK);
	assert_int_equal(settled(f, xid), TREATY_STATUS_COMMIT_FAILED);
	assert_int_equal(http_peer_requests(f->peer), 1);
	d = to(at(f, "/s/500"));
	d.schedule_ms = ms;
	d.n_schedule = 2;
	assert_int_equal(treaty_msg_publish(f->t, "gift", &d, xid), TREATY_OK);
	assert_true(settled(f, xid) > TREATY_STATUS_COMMITTED);
	assert_int_equal(http_peer_requests(f->peer), 4);
}

static void test_what_may_not_be_called_is_denied(void **state)
{
	struct treaty_msg_options o = { .size = sizeof o,
					.producer = "http://127.0.0.1:1/c" };
	struct fixture *f = *state;
	struct treaty_msg_delivery d = to("http://127.0.0.1:1/in");
	struct treaty_msg *m = NULL;

	assert_int_equal(treaty_msg_publish(f->t, "gift", &d, NULL),
			 TREATY_E_DENIED);
	assert_non_null(strstr(treaty_last_error(), "http_targets"));
	assert_int_equal(treaty_topic_subscribe(f->t, "sold", "a",
						"http://127.0.0.1:1/in", NULL),
			 TREATY_E_DENIED);
	assert_int_equal(treaty_msg_prepare(f->t, &o, &m), TREATY_E_DENIED);
	assert_null(m);
	d.to = at(f, "/s/200?gid=mine");
	assert_int_equal(treaty_msg_publish(f->t, "gift", &d, NULL),
			 TREATY_E_INVALID);
	d = to(at(f, "/s/200"));
	d.headers = "{\"Host\":\"other\"}";
	assert_int_equal(treaty_msg_publish(f->t, "gift", &d, NULL),
			 TREATY_E_INVALID);
	assert_true(treaty_connected(f->t));
	assert_int_equal(http_peer_requests(f->peer), 0);
}

static enum treaty_msg_answer take(void *ctx, struct treaty_delivery *d)
{
	struct fixture *f = ctx;

	(void)d;
	atomic_fetch_add(&f->taken, 1);
	return TREATY_MSG_DONE;
}

/* Nobody submits, and the producer is a URL. */
static int asked(struct fixture *f, const char *path, bool definite)
{
	const struct treaty_msg_options o = { .size = sizeof o,
					      .producer = at(f, path),
					      .timeout_ms = 200 };
	struct treaty_msg_delivery d = to("points");
	char xid[TREATY_XID_MAX + 1];
	struct treaty_msg *m;
	size_t n = http_peer_requests(f->peer);
	int status = 0;

	assert_int_equal(treaty_msg_prepare(f->t, &o, &m), TREATY_OK);
	assert_int_equal(treaty_msg_add(m, &d, NULL), TREATY_OK);
	memcpy(xid, treaty_msg_xid(m), strlen(treaty_msg_xid(m)) + 1);
	treaty_msg_free(m);
	want_requests(f, definite ? n + 1 : n + 3);
	if (definite) {
		want_asked(f, "GET ");
		want_asked(f, "trans_type=msg");
		want_asked(f, "op=msg");
		want_asked(f, xid);
		return settled(f, xid);
	}
	assert_int_equal(treaty_status(f->t, xid, &status), TREATY_OK);
	return status;
}

static void test_a_url_answers_for_a_producer(void **state)
{
	const struct treaty_msg_consumer c = { .size = sizeof c,
					       .on_message = take };
	struct fixture *f = *state;

	assert_int_equal(treaty_msg_consumer_add(f->t, "points", &c, f),
			 TREATY_OK);
	assert_int_equal(asked(f, "/s/200", true), TREATY_STATUS_COMMITTED);
	assert_int_equal(atomic_load(&f->taken), 1);
	assert_int_equal(asked(f, "/refuse", true), TREATY_STATUS_ROLLBACKED);
	/* No definite answer, no end. */
	assert_int_equal(asked(f, "/s/425", false), TREATY_STATUS_BEGIN);
	assert_int_equal(asked(f, "/s/500", false), TREATY_STATUS_BEGIN);
	assert_int_equal(asked(f, "/cut", false), TREATY_STATUS_BEGIN);
	assert_int_equal(atomic_load(&f->taken), 1);
}

static void test_programs_and_urls_share_a_topic(void **state)
{
	const struct treaty_msg_consumer c = { .size = sizeof c,
					       .on_message = take };
	const struct treaty_msg_delivery d = { .size = sizeof d,
					       .topic = "sold" };
	struct fixture *f = *state;
	char xid[TREATY_XID_MAX + 1];

	assert_int_equal(treaty_msg_consumer_add(f->t, "points", &c, f),
			 TREATY_OK);
	assert_int_equal(
		treaty_topic_subscribe(f->t, "sold", "points", "points", NULL),
		TREATY_OK);
	assert_int_equal(treaty_topic_subscribe(f->t, "sold", "mail",
						at(f, "/s/200/mail"),
						"{\"X-Key\":\"k\"}"),
			 TREATY_OK);
	assert_int_equal(treaty_msg_publish(f->t, "sold", &d, xid), TREATY_OK);
	assert_int_equal(settled(f, xid), TREATY_STATUS_COMMITTED);
	assert_int_equal(atomic_load(&f->taken), 1);
	want_asked(f, "POST /s/200/mail?");
	want_asked(f, "\r\nX-Key: k\r\n");
}

/* ---- branches ---- */

static void test_a_tcc_branch_by_url_is_confirmed_or_cancelled(void **state)
{
	struct fixture *f = *state;
	const struct treaty_tcc_urls u = { .size = sizeof u,
					   .confirm = at(f, "/s/200/yes"),
					   .cancel = at(f, "/s/200/no"),
					   .headers = "{\"X-Team\":\"red\"}" };
	struct treaty_tcc_urls elsewhere = u;
	struct treaty_tcc_branch b;
	struct treaty_tx *tx;

	for (int commit = 0; commit < 2; commit++) {
		assert_int_equal(treaty_begin(f->t, "buy", 10000, &tx),
				 TREATY_OK);
		assert_int_equal(
			treaty_tcc_branch_url(f->t, &u, "{\"n\":3}", &b),
			TREATY_OK);
		assert_int_equal(commit ? treaty_commit(tx)
					: treaty_rollback(tx, NULL),
				 TREATY_OK);
		assert_int_equal(settled(f, b.xid),
				 commit ? TREATY_STATUS_COMMITTED
					: TREATY_STATUS_ROLLBACKED);
		want_asked(f, commit ? "POST /s/200/yes?" : "POST /s/200/no?");
		want_asked(f, commit ? "op=confirm" : "op=cancel");
		want_asked(f, b.branch_id);
		want_asked(f, "\r\n\r\n{\"n\":3}");
		assert_int_equal(treaty_release(tx), TREATY_OK);
	}
	assert_int_equal(treaty_begin(f->t, "buy", 10000, &tx), TREATY_OK);
	elsewhere.confirm = elsewhere.cancel = "http://127.0.0.1:1/";
	assert_int_equal(treaty_tcc_branch_url(f->t, &elsewhere, NULL, &b),
			 TREATY_E_DENIED);
	assert_int_equal(treaty_rollback(tx, NULL), TREATY_OK);
	assert_int_equal(treaty_release(tx), TREATY_OK);
	assert_int_equal(http_peer_requests(f->peer), 2);
}

static void test_a_saga_branch_by_url_is_only_compensated(void **state)
{
	struct fixture *f = *state;
	struct treaty_saga_branch b;
	struct treaty_tx *tx;

	for (int commit = 1; commit >= 0; commit--) {
		assert_int_equal(treaty_begin(f->t, "buy", 10000, &tx),
				 TREATY_OK);
		assert_int_equal(treaty_saga_branch(f->t, at(f, "/s/200/back"),
						    "[1]", &b),
				 TREATY_OK);
		assert_int_equal(commit ? treaty_commit(tx)
					: treaty_rollback(tx, NULL),
				 TREATY_OK);
		assert_int_equal(settled(f, b.xid),
				 commit ? TREATY_STATUS_COMMITTED
					: TREATY_STATUS_ROLLBACKED);
		assert_int_equal(treaty_release(tx), TREATY_OK);
		assert_int_equal(http_peer_requests(f->peer), !commit);
	}
	want_asked(f, "op=compensate");
	want_asked(f, "\r\n\r\n[1]");
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(test_a_url_takes_a_message),
		T(test_a_url_that_refuses_makes_a_dead_letter),
		T(test_what_may_not_be_called_is_denied),
		T(test_a_url_answers_for_a_producer),
		T(test_programs_and_urls_share_a_topic),
		T(test_a_tcc_branch_by_url_is_confirmed_or_cancelled),
		T(test_a_saga_branch_by_url_is_only_compensated),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
