#include "tests/fakes/desk.h"
#include "tests/fakes/flaky.h"
#include "tests/fakes/saga_desk.h"
#include "tests/fuzz/fuzz.h"

/*
 * Rows as a damaged store may give them back: they are refused, or the core
 * that they make is whole, works, and can be asked.
 *
 * Input: for each row table u8, id u64, gtx u64, u16 length, body.
 */

enum { ROWS_MAX = 64, TURNS = 20 };

static int load(struct core *c, struct bytes in, struct effects *fx)
{
	struct event e = { .now_ms = 1000, .wall_ms = 2000000 };
	struct reader r = reader_of(in);
	int rc = OK;

	for (size_t i = 0; i < ROWS_MAX && rc == OK && reader_left(&r); i++) {
		size_t len, left;

		e.type = EV_LOADED;
		e.row = (struct row){ .table = (enum row_table)(read_u8(&r) %
								ROW_TABLES) };
		e.row.id = read_u64(&r);
		e.row.gtx = read_u64(&r);
		len = read_u16(&r);
		left = reader_left(&r);
		e.row.body = read_raw(&r, len < left ? len : left);
		rc = core_step(c, &e, fx);
	}
	if (rc != OK)
		return rc;
	e.type = EV_READY;
	return core_step(c, &e, fx);
}

static void seen_branch(void *ctx, struct branch_view b)
{
	size_t *n = ctx;

	REQUIRE((unsigned)b.status < BRANCH_STATUSES);
	++*n;
}

static bool seen_topic(void *ctx, struct topic_view v)
{
	size_t *n = ctx;

	REQUIRE(v.topic.len && v.subscriber.len && v.resource.len);
	++*n;
	return true;
}

static bool seen(void *ctx, struct gtx_view g)
{
	const struct core *c = ctx;
	struct gtx_view again;
	size_t n = 0;

	REQUIRE((unsigned)g.status < GTX_STATUSES);
	REQUIRE(core_show(c, g.number, 1000, &again, seen_branch, &n) == OK);
	REQUIRE(n == g.n_branches);
	REQUIRE(again.number == g.number && again.status == g.status);
	return true;
}

/* Let it do what it wants to do, with a peer and without. */
static void work(struct core *c, struct effects fx)
{
	static const struct bytes resources[] = { { (const uint8_t *)"R", 1 } };
	struct event e = { .now_ms = 1000, .wall_ms = 2000000 };

	for (int turn = 0; turn < TURNS; turn++) {
		e.type = EV_STORED;
		e.seq = fx.seq;
		if (!fx.seq) {
			uint64_t due = core_deadline(c);

			e.type = EV_TIME;
			if (due != UINT64_MAX && due > e.now_ms)
				e.now_ms = due;
		}
		if (turn == TURNS / 2) {
			e.type = EV_PEER_UP;
			e.up = (struct peer_up){ .peer = 1,
						 .application = BYTES("shop"),
						 .instance = BYTES("a"),
						 .resources = resources,
						 .n_resources = 1 };
		}
		REQUIRE(core_step(c, &e, &fx) == OK);
		core_check(c);
	}
}

void fuzz_one(struct bytes in)
{
	static const struct gtx_filter all = { .status = -1, .limit = 100 };
	struct core_config config = desk_config();
	struct effects fx = { 0 };
	struct flaky flaky;
	struct core *c;
	int rc;

	flaky_init(&flaky, -1);
	REQUIRE(core_new(&c, &flaky.mem, &config) == OK);
	rc = load(c, in, &fx);
	REQUIRE(rc == OK || rc == E_CORRUPT || rc == E_VERSION);
	if (rc == OK) {
		core_check(c);
		size_t subscribers = 0;

		core_list(c, &all, 1000, seen, c);
		core_topics(c, seen_topic, &subscribers);
		REQUIRE(subscribers == core_stats(c).subscribers_now);
		work(c, fx);
	}
	core_free(c);
	REQUIRE(flaky.live == 0);
}

/* ---- seeds ---- */

static void put_rows(struct buf *b, const struct desk *d)
{
	for (size_t i = 0; i < d->n_rows; i++) {
		const struct desk_row *row = &d->rows[i];

		buf_put_u8(b, (uint8_t)row->table);
		buf_put_u64(b, row->id);
		buf_put_u64(b, row->gtx);
		buf_put_u16(b, (uint16_t)row->body.len);
		buf_put(b, row->body);
	}
}

/* A desk with transactions in all states that `ends` says. */
static void seed_desk(const struct fuzz_sink *sink, enum branch_mode mode,
		      const char *ends)
{
	struct core_config config = desk_config();
	struct desk *d = desk_new(&config, true);
	struct buf b;

	buf_init(&b, &mem_heap);
	desk_peer(d, 1, "shop", "a", "R");
	for (const char *end = ends; *end; end++) {
		const char key[] = { (char)('a' + (end - ends)), 0 };
		struct bytes xid = desk_begin(d);
		uint64_t id = desk_register(d, xid, 1, mode, "R",
					    mode == MODE_AT ? key : "");

		if (*end != 'B')
			desk_ask_end(d, xid, *end == 'C' || *end == 'c', 0);
		if (*end == 'c' || *end == 'r')
			desk_done(d, desk_command(d, id),
				  *end == 'c' ? BRANCH_COMMITTED
					      : BRANCH_ROLLBACKED,
				  "");
		if (*end == 'H')
			desk_done(d, desk_command(d, id),
				  BRANCH_ROLLBACK_UNRETRYABLE, "dirty");
		put_rows(&b, d);
		fuzz_seed(sink, &b);
	}
	buf_fini(&b);
	desk_free(d);
}

static uint64_t publish(struct desk *d, struct bytes xid)
{
	static const uint64_t schedule[] = { 100, 0 };
	uint64_t id = desk_ask(d, (struct request){ .type = RQ_REGISTER,
						    .xid = xid,
						    .mode = MODE_MSG,
						    .topic = true,
						    .resource = BYTES("T"),
						    .deliver_after_ms = 70,
						    .schedule_ms = schedule,
						    .n_schedule = 2 });

	return desk_reply(d, id)->branch;
}

/* Messages in doubt, submitted, delayed, and as dead letters. */
static void seed_messages(const struct fuzz_sink *sink)
{
	struct core_config config = desk_config();
	struct desk *d = desk_new(&config, true);
	struct request rq = { .type = RQ_SUBSCRIBE,
			      .name = BYTES("T"),
			      .subscriber = BYTES("a"),
			      .resource = BYTES("http://a:80"),
			      .participant = BYTES("{}") };
	struct buf b;

	buf_init(&b, &mem_heap);
	desk_ask(d, rq);
	rq.subscriber = BYTES("b");
	rq.resource = BYTES("R");
	desk_ask(d, rq);
	for (int i = 0; i < 3; i++) {
		uint64_t id = desk_ask(
			d, (struct request){ .type = RQ_BEGIN,
					     .kind = KIND_MESSAGE,
					     .check = BYTES("http://c:80"),
					     .call_timeout_ms = 9 });
		struct bytes xid = desk_reply(d, id)->xid;
		uint64_t branch = publish(d, xid);

		if (i > 0)
			desk_ask_end(d, xid, true, 0);
		if (i > 1) {
			desk_pass(d, 100);
			desk_done(d, desk_command(d, branch),
				  BRANCH_COMMIT_UNRETRYABLE, "no");
		}
		put_rows(&b, d);
		fuzz_seed(sink, &b);
	}
	buf_fini(&b);
	desk_free(d);
}

/* Machines, runs on their way, and one that ended. */
static void seed_sagas(const struct fuzz_sink *sink)
{
	struct core_config config = desk_config();
	struct desk *d = saga_desk_new(&config);
	struct buf b;

	buf_init(&b, &mem_heap);
	saga_agents();
	saga_put(TRIP);
	saga_start("trip", "ended");
	saga_done("book", "1");
	saga_done("fly", "1");
	put_rows(&b, d);
	fuzz_seed(sink, &b);
	saga_start("trip", "calls");
	put_rows(&b, d);
	fuzz_seed(sink, &b);
	desk_ask(d, (struct request){ .type = RQ_SAGA_START,
				      .text = BYTES(TRIP),
				      .participant = BYTES("{}") });
	saga_done("book", "1");
	saga_refused("fly", "full");
	put_rows(&b, d);
	fuzz_seed(sink, &b);
	buf_fini(&b);
	desk_free(d);
}

void fuzz_seeds(const struct fuzz_sink *sink)
{
	seed_sagas(sink);
	seed_desk(sink, MODE_AT, "BCRcrH");
	seed_desk(sink, MODE_TCC, "HrcRCB");
	seed_desk(sink, MODE_XA, "BCR");
	seed_messages(sink);
}
