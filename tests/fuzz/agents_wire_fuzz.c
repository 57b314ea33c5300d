#include "tc/door/agents_target.h"
#include "tc/door/agents_wire.h"
#include "tests/fakes/desk.h"
#include "tests/fuzz/fuzz.h"

/*
 * Messages as a hostile agent may send them, given to a core: it stays whole,
 * and all it says can be sent and understood.
 *
 * Input: for each message peer u8, u16 length, body.
 */

enum { MESSAGES_MAX = 100 };

static void check_sent(const struct msg *m)
{
	struct msg got;
	struct arena a;
	struct buf b;

	arena_init(&a, &mem_heap, 0);
	buf_init(&b, &mem_heap);
	REQUIRE(msg_encode(&b, m) == OK);
	REQUIRE(msg_decode(&got, &a.as_mem, buf_bytes(&b)) == OK);
	REQUIRE(got.type == m->type && got.id == m->id);
	REQUIRE(got.err == m->err && got.branch == m->branch);
	REQUIRE(bytes_equal(got.xid, m->xid));
	buf_fini(&b);
	arena_fini(&a);
}

static void check_said(struct desk *d)
{
	for (size_t i = 0; i < d->n_replies; i++) {
		struct msg m = msg_of_reply(&d->replies[i]);

		check_sent(&m);
	}
	for (size_t i = 0; i < d->n_commands; i++) {
		struct msg m = msg_of_command(&d->commands[i]);

		check_sent(&m);
	}
	desk_clear(d);
}

/* As the door does: what it refuses, the core does not hear. */
static bool allowed(struct arena *a, const struct request *q)
{
	static struct allow_list *list;
	struct buf why;
	int rc;

	buf_init(&why, &a->as_mem);
	if (!list)
		REQUIRE(allow_list_new(&list, &mem_heap,
				       BYTES("http://10.0.0.1"), &why) == OK);
	rc = agents_target_check(list, a, q, &why);
	REQUIRE(rc == OK || rc == E_INVALID || rc == E_LIMIT || rc == E_DENIED);
	REQUIRE(rc == OK || why.len > 0);
	return rc == OK;
}

/* False: the connection would be closed. */
static bool give(struct desk *d, uint64_t peer, struct bytes body)
{
	struct event e;
	struct arena a;
	struct msg m;
	const char *why = NULL;
	bool good = false;
	int rc;

	arena_init(&a, &mem_heap, 0);
	rc = msg_decode(&m, &a.as_mem, body);
	if (rc == OK) {
		rc = event_of_msg(&e, &m, peer, "127.0.0.1:1", &why);
		REQUIRE(rc == OK || (rc == E_INVALID && why));
	}
	if (rc == OK && e.type == EV_REQUEST && !allowed(&a, &e.request)) {
		arena_fini(&a);
		return true;
	}
	if (rc == OK) {
		rc = desk_step(d, e);
		REQUIRE(rc == OK || rc == E_LIMIT);
		good = true;
	}
	arena_fini(&a);
	return good;
}

void fuzz_one(struct bytes in)
{
	struct core_config config = desk_config();
	struct reader r = reader_of(in);
	struct desk *d = desk_new(&config, true);

	for (size_t i = 0; i < MESSAGES_MAX && reader_left(&r) > 0; i++) {
		uint64_t peer = 1 + read_u8(&r) % 3;
		size_t len = read_u16(&r);
		size_t left = reader_left(&r);
		struct bytes body = read_raw(&r, len < left ? len : left);

		if (!give(d, peer, body))
			desk_gone(d, peer);
		check_said(d);
		desk_pass(d, 10);
		check_said(d);
	}
	REQUIRE(desk_crash(d) == OK);
	desk_free(d);
}

/* ---- seeds ---- */

static void put(struct buf *out, uint8_t peer, struct msg m)
{
	struct buf b;

	buf_init(&b, &mem_heap);
	REQUIRE(msg_encode(&b, &m) == OK);
	buf_put_u8(out, peer);
	buf_put_u16(out, (uint16_t)b.len);
	buf_put(out, buf_bytes(&b));
	buf_fini(&b);
}

static void put_beginning(struct buf *b, uint64_t mode)
{
	static const struct bytes list[] = { { (const uint8_t *)"R", 1 } };
	static const struct bytes keys[] = { { (const uint8_t *)"k1", 2 },
					     { (const uint8_t *)"k2", 2 } };

	for (uint8_t peer = 0; peer < 2; peer++)
		put(b, peer,
		    (struct msg){ .type = MSG_HELLO,
				  .application = BYTES("shop"),
				  .instance = peer ? BYTES("b") : BYTES("a"),
				  .list = list,
				  .n_list = 1 });
	put(b, 0, (struct msg){ .type = MSG_IDS, .id = 1, .count = 10 });
	for (uint64_t id = 2; id < 4; id++)
		put(b, 0, (struct msg){ .type = MSG_BEGIN, .id = id });
	put(b, 0,
	    (struct msg){ .type = MSG_REGISTER,
			  .id = 4,
			  .xid = BYTES("tc:1:1"),
			  .mode = mode,
			  .resource = BYTES("R"),
			  .list = keys,
			  .n_list = 2,
			  .client_key = 1 });
	put(b, 1,
	    (struct msg){ .type = MSG_REGISTER,
			  .id = 5,
			  .xid = BYTES("tc:1:2"),
			  .mode = mode,
			  .resource = BYTES("R"),
			  .list = keys,
			  .n_list = 1,
			  .wait_ms = 1000 });
	put(b, 0,
	    (struct msg){ .type = MSG_REPORT,
			  .id = 6,
			  .xid = BYTES("tc:1:1"),
			  .branch = 2,
			  .status = BRANCH_PHASE_ONE_DONE });
}

static void put_end(struct buf *b, enum msg_type type, uint64_t status)
{
	put(b, 0,
	    (struct msg){ .type = type,
			  .id = 7,
			  .xid = BYTES("tc:1:1"),
			  .wait_ms = 50 });
	for (uint64_t n = 1; n < 4; n++)
		put(b, 0,
		    (struct msg){ .type = MSG_BRANCH_DONE,
				  .id = n,
				  .xid = BYTES("tc:1:1"),
				  .branch = n + 1,
				  .status = status,
				  .text = BYTES("why"),
				  .detail = BYTES("{}") });
	put(b, 1,
	    (struct msg){
		    .type = MSG_STATUS, .id = 8, .xid = BYTES("tc:1:1") });
}

/* A message with a check, its delivery, and what goes beside. */
static void put_services(struct buf *b)
{
	static const uint64_t ms[] = { 10, 20 };

	put(b, 0,
	    (struct msg){ .type = MSG_SUBSCRIBE,
			  .id = 20,
			  .name = BYTES("t"),
			  .subscriber = BYTES("s"),
			  .resource = BYTES("R") });
	put(b, 0,
	    (struct msg){ .type = MSG_BEGIN,
			  .id = 21,
			  .kind = KIND_MESSAGE,
			  .check = BYTES("R"),
			  .timeout_ms = 20 });
	put(b, 0,
	    (struct msg){ .type = MSG_REGISTER,
			  .id = 22,
			  .xid = BYTES("tc:1:3"),
			  .mode = MODE_MSG,
			  .resource = BYTES("t"),
			  .topic = true,
			  .deliver_after_ms = 5,
			  .schedule_ms = ms,
			  .n_schedule = 2 });
	put(b, 0,
	    (struct msg){ .type = MSG_REGISTER,
			  .id = 23,
			  .xid = BYTES("tc:1:3"),
			  .mode = MODE_MSG,
			  .resource = BYTES("http://10.0.0.1:80"),
			  .participant = BYTES("{\"commit\":"
					       "\"http://10.0.0.1/\"}") });
	for (uint64_t n = 1; n < 6; n++)
		put(b, 0,
		    (struct msg){ .type = MSG_BRANCH_DONE,
				  .id = n,
				  .xid = BYTES("tc:1:3"),
				  .branch = n / 2,
				  .command = n % 4,
				  .status = n % 2 ? BRANCH_COMMITTED
						  : BRANCH_COMMIT_RETRYABLE,
				  .in_progress = n % 3 == 0 });
	put(b, 1,
	    (struct msg){ .type = MSG_MACHINE_PUT,
			  .id = 23,
			  .text = BYTES("{\"Name\":\"m\",\"StartState\":"
					"\"A\",\"States\":{}}") });
	put(b, 1,
	    (struct msg){ .type = MSG_SAGA_START,
			  .id = 24,
			  .name = BYTES("m"),
			  .business_key = BYTES("k"),
			  .input = BYTES("{}") });
	for (enum msg_type type = MSG_UNSUBSCRIBE; type <= MSG_MACHINE_DROP;
	     type++)
		put(b, 1,
		    (struct msg){ .type = type,
				  .id = 30,
				  .xid = BYTES("tc:1:4"),
				  .name = BYTES("t"),
				  .subscriber = BYTES("s") });
}

void fuzz_seeds(const struct fuzz_sink *sink)
{
	static const uint64_t modes[] = { MODE_AT, MODE_TCC, MODE_XA };
	struct buf b;

	buf_init(&b, &mem_heap);
	put_beginning(&b, MODE_MSG);
	put_services(&b);
	put_end(&b, MSG_COMMIT, BRANCH_COMMITTED);
	fuzz_seed(sink, &b);
	for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
		put_beginning(&b, modes[i]);
		put_end(&b, MSG_COMMIT, BRANCH_COMMITTED);
		fuzz_seed(sink, &b);
		put_beginning(&b, modes[i]);
		put_end(&b, MSG_ROLLBACK, BRANCH_ROLLBACK_RETRYABLE);
		fuzz_seed(sink, &b);
	}
	buf_fini(&b);
}
