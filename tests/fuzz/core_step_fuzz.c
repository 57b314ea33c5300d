#include "tests/fakes/desk.h"
#include "tests/fakes/flaky.h"
#include "tests/fuzz/fuzz.h"

/*
 * Any order of events, with crashes, lost rows and memory that runs out:
 * core_check() holds after each, what is durable can always be loaded, no
 * request is answered twice, and once it was said that a transaction commits
 * nobody is ever told that it rolls back, or the other way round.
 *
 * Input: first byte: bit 0 auto_store; then one operation after another, each
 * a byte and its arguments, a byte each.
 */

enum { OPS_MAX = 200, GTX_MAX = 8, PEERS_MAX = 4, IDS_MAX = OPS_MAX + 1 };

enum fate { FATE_OPEN, FATE_COMMIT, FATE_ROLLBACK };

struct play {
	struct desk *d;
	struct flaky flaky;
	struct reader in;
	struct buf xids[GTX_MAX];
	enum fate fates[GTX_MAX];
	bool sagas[GTX_MAX];
	size_t n_gtx;
	uint64_t peers[PEERS_MAX];
	uint64_t next_peer;
	uint64_t next_id;
	enum request_type asked[IDS_MAX + 1];
	bool answered[IDS_MAX + 1];
	bool dry[IDS_MAX + 1];
	struct command commands[16]; /* the last ones; without texts */
	size_t commanded[16];        /* whose: place in xids */
	size_t n_commands;
};

/* ---- what was said ---- */

static enum fate fate_of(enum gtx_status status)
{
	switch (status) {
	case GTX_COMMITTING:
	case GTX_COMMIT_RETRYING:
	case GTX_ASYNC_COMMITTING:
	case GTX_COMMITTED:
	case GTX_COMMIT_FAILED:
	case GTX_COMMIT_RETRY_TIMEOUT:
	case GTX_STOP_COMMIT:
		return FATE_COMMIT;
	case GTX_ROLLBACKING:
	case GTX_ROLLBACK_RETRYING:
	case GTX_TIMEOUT_ROLLBACKING:
	case GTX_TIMEOUT_ROLLBACK_RETRYING:
	case GTX_ROLLBACKED:
	case GTX_ROLLBACK_FAILED:
	case GTX_TIMEOUT_ROLLBACKED:
	case GTX_TIMEOUT_ROLLBACK_FAILED:
	case GTX_ROLLBACK_RETRY_TIMEOUT:
	case GTX_STOP_ROLLBACK:
		return FATE_ROLLBACK;
	default:
		return FATE_OPEN;
	}
}

static size_t find_xid(const struct play *p, struct bytes xid)
{
	size_t i = 0;

	while (i < p->n_gtx && !bytes_equal(buf_bytes(&p->xids[i]), xid))
		i++;
	return i;
}

static void hear_fate(struct play *p, struct bytes xid, enum fate fate)
{
	size_t i = find_xid(p, xid);

	if (i == p->n_gtx || fate == FATE_OPEN)
		return;
	REQUIRE(p->fates[i] == FATE_OPEN || p->fates[i] == fate);
	p->fates[i] = fate;
}

/* A saga may turn back until it has ended. */
static void hear_status(struct play *p, struct bytes xid,
			enum gtx_status status)
{
	size_t i = find_xid(p, xid);

	if (i < p->n_gtx && (!p->sagas[i] || gtx_status_finished((int)status)))
		hear_fate(p, xid, fate_of(status));
}

static void hear_reply(struct play *p, const struct reply *r)
{
	REQUIRE(r->id >= 1 && r->id <= p->next_id);
	REQUIRE(r->type == p->asked[r->id]);
	REQUIRE(!p->answered[r->id]);
	p->answered[r->id] = true;
	if (p->dry[r->id])
		return; /* nothing was promised */
	REQUIRE(r->err <= OK && r->err >= E_ROLLED_BACK);
	REQUIRE((unsigned)r->status < GTX_STATUSES);
	if (r->type == RQ_BEGIN && r->err == OK && p->n_gtx < GTX_MAX) {
		REQUIRE(find_xid(p, r->xid) == p->n_gtx); /* never again */
		buf_put(&p->xids[p->n_gtx++], r->xid);
	}
	if (r->type == RQ_SAGA_START && r->err == OK && p->n_gtx < GTX_MAX &&
	    find_xid(p, r->xid) == p->n_gtx) {
		p->sagas[p->n_gtx] = true;
		buf_put(&p->xids[p->n_gtx++], r->xid);
	}
	if (r->err == OK || r->err == E_STATE)
		hear_status(p, r->xid, r->status);
	if (r->err == OK && r->type == RQ_COMMIT)
		hear_fate(p, r->xid, FATE_COMMIT);
	if (r->err == OK && r->type == RQ_ROLLBACK)
		hear_fate(p, r->xid, FATE_ROLLBACK);
}

static void hear_command(struct play *p, const struct command *c)
{
	size_t at = p->n_commands++ % ARRAY_LEN(p->commands);

	if (c->type == COMMAND_COMMIT || c->type == COMMAND_ROLLBACK)
		hear_fate(p, c->xid,
			  c->type == COMMAND_COMMIT ? FATE_COMMIT
						    : FATE_ROLLBACK);
	p->commands[at] = *c;
	p->commanded[at] = find_xid(p, c->xid);
}

static void hear(struct play *p)
{
	for (size_t i = 0; i < p->d->n_replies; i++)
		hear_reply(p, &p->d->replies[i]);
	for (size_t i = 0; i < p->d->n_commands; i++)
		hear_command(p, &p->d->commands[i]);
	desk_clear(p->d);
}

/* ---- operations ---- */

static unsigned arg(struct play *p, unsigned below)
{
	return read_u8(&p->in) % below;
}

static struct bytes letters(struct play *p, const char *text)
{
	size_t len = strlen(text), from = arg(p, (unsigned)len);

	return (struct bytes){ (const uint8_t *)text + from,
			       1 + arg(p, (unsigned)(len - from)) };
}

static struct bytes some_xid(struct play *p)
{
	unsigned i = arg(p, GTX_MAX + 1);

	if (i < p->n_gtx)
		return buf_bytes(&p->xids[i]);
	return i == GTX_MAX ? letters(p, "tc:1:18446744073709551616")
	       : p->n_gtx   ? buf_bytes(&p->xids[p->n_gtx - 1])
			    : BYTES("tc:1:1");
}

static uint64_t some_peer(struct play *p)
{
	return p->peers[arg(p, PEERS_MAX)];
}

static void step(struct play *p, struct event e)
{
	unsigned fail = arg(p, 64);
	int rc;

	/* The desk does not expect it of what it steps by itself. */
	if (fail > 0 && fail < 16 && !p->d->auto_store)
		p->flaky.fail_at = p->flaky.calls + (long)fail - 1;
	rc = desk_step(p->d, e);
	p->flaky.fail_at = -1;
	REQUIRE(rc == OK || rc == E_NOMEM ||
		(rc == E_LIMIT && e.type == EV_PEER_UP));
}

/* Sometimes somebody operates. */
static void operated(struct play *p, struct request *rq)
{
	unsigned how = arg(p, 16);

	if (how & 1)
		rq->actor = BYTES("user eve");
	if (how & 2)
		rq->reason = BYTES("why not");
	rq->dry_run = (how & 12) == 4;
	if ((how & 12) == 8)
		rq->revision = 1;
	p->dry[rq->id] = rq->dry_run;
}

static void op_request(struct play *p)
{
	static const uint64_t waits[] = { 0, 1, 100, 5000, UINT64_MAX };
	static const enum branch_mode modes[] = { MODE_AT, MODE_AT, MODE_TCC,
						  MODE_XA, MODE_SAGA };
	struct event e = { .type = EV_REQUEST };
	struct bytes keys[4];
	struct request *rq = &e.request;

	rq->type = (enum request_type)arg(p, RQ_TYPES);
	rq->peer = some_peer(p);
	rq->id = ++p->next_id;
	rq->application = letters(p, "ab");
	if (rq->type != RQ_BEGIN && rq->type != RQ_IDS)
		rq->xid = some_xid(p);
	rq->name = rq->application;
	rq->timeout_ms = waits[arg(p, ARRAY_LEN(waits))];
	rq->wait_ms = waits[arg(p, ARRAY_LEN(waits))];
	rq->ordered = arg(p, 2);
	rq->mode = modes[arg(p, ARRAY_LEN(modes))];
	rq->resource = letters(p, "RS");
	rq->branch = arg(p, 32);
	rq->client_key = arg(p, 4);
	rq->n_lock_keys = arg(p, ARRAY_LEN(keys) + 1);
	rq->lock_keys = keys;
	for (size_t i = 0; i < rq->n_lock_keys; i++)
		keys[i] = letters(p, "ABC");
	rq->report = (enum branch_status)arg(p, BRANCH_STATUSES);
	rq->count = arg(p, 3) ? arg(p, 200) : UINT64_MAX;
	rq->resolution = (enum resolution)arg(p, RESOLVE_VALUES + 1);
	rq->text = BYTES("{}");
	operated(p, rq);
	p->asked[rq->id] = rq->type;
	step(p, e);
}

/* ---- messages ---- */

static struct bytes some_target(struct play *p)
{
	static const char *const targets[] = { "R", "S", "http://r:80",
					       "https://s:443", "http://bad" };

	return bytes_of(targets[arg(p, ARRAY_LEN(targets))]);
}

static void ask_message(struct play *p, struct request *rq)
{
	rq->kind = KIND_MESSAGE;
	rq->check = arg(p, 4) ? some_target(p) : BYTES("");
	rq->timeout_ms = 1 + arg(p, 4) * 1000;
	rq->call_timeout_ms = arg(p, 3) * 500;
	rq->participant = BYTES("{}");
	rq->ordered = arg(p, 2);
	rq->business_key = arg(p, 2) ? letters(p, "KL") : BYTES("");
}

static void ask_delivery(struct play *p, struct request *rq, uint64_t *schedule)
{
	rq->xid = some_xid(p);
	rq->mode = arg(p, 8) ? MODE_MSG : MODE_SAGA;
	rq->topic = arg(p, 2);
	rq->resource = rq->topic ? letters(p, "TU") : some_target(p);
	rq->client_key = arg(p, 4);
	rq->deliver_after_ms = arg(p, 3) * UINT64_C(700);
	rq->n_schedule = arg(p, 4);
	rq->schedule_ms = schedule;
	for (size_t i = 0; i < rq->n_schedule; i++)
		schedule[i] = arg(p, 4) * UINT64_C(100);
	rq->application_data = BYTES("{}");
}

static void ask_topic(struct play *p, struct request *rq)
{
	rq->name = letters(p, "TU");
	rq->subscriber = letters(p, "mno");
	rq->resource = some_target(p);
	rq->participant = arg(p, 2) ? BYTES("{}") : BYTES("");
}

static void op_message(struct play *p)
{
	static const enum request_type types[] = {
		RQ_BEGIN,     RQ_REGISTER,    RQ_REGISTER,
		RQ_SUBSCRIBE, RQ_UNSUBSCRIBE,
	};
	struct event e = { .type = EV_REQUEST };
	struct request *rq = &e.request;
	uint64_t schedule[4];

	rq->type = types[arg(p, ARRAY_LEN(types))];
	rq->id = ++p->next_id;
	rq->peer = some_peer(p);
	if (rq->type == RQ_BEGIN)
		ask_message(p, rq);
	else if (rq->type == RQ_REGISTER)
		ask_delivery(p, rq, schedule);
	else
		ask_topic(p, rq);
	p->asked[rq->id] = rq->type;
	step(p, e);
}

/* ---- sagas ---- */

static const char *const documents[] = {
	"{\"name\":\"g\",\"steps\":["
	"{\"name\":\"1\",\"action\":\"a\",\"compensation\":\"b\"},"
	"{\"name\":\"2\",\"action\":\"b\",\"compensation\":\"a\"}]}",
	"{\"Name\":\"m\",\"StartState\":\"S\",\"States\":{\"S\":{\"Type\":"
	"\"SubStateMachine\",\"StateMachineName\":\"g\",\"Next\":\"E\"},"
	"\"E\":{\"Type\":\"Succeed\"}}}",
	"{\"Name\":\"e\",\"StartState\":\"E\",\"States\":{\"E\":{\"Type\":"
	"\"Succeed\"}}}",
	"{\"name\":\"g\",\"steps\":[{\"name\":\"1\",\"action\":\"c\"}]}",
	"{\"name\":\"u\",\"recovery\":\"forward\",\"steps\":["
	"{\"name\":\"1\",\"action\":\"http://r:80/x\",\"compensation\":"
	"\"a\",\"after\":[]},"
	"{\"name\":\"2\",\"action\":\"b\",\"after\":[]}]}",
	"{",
};

static struct bytes some_document(struct play *p)
{
	return bytes_of(documents[arg(p, ARRAY_LEN(documents))]);
}

static void ask_start(struct play *p, struct request *rq)
{
	static const uint64_t waits[] = { 0, 1, 5000, UINT64_MAX };
	static const char *const inputs[] = { "", "{}", "{\"a\":[1]}", "[]" };

	if (arg(p, 4))
		rq->name = letters(p, "gmeu");
	else
		rq->text = some_document(p);
	if (arg(p, 2))
		rq->business_key = letters(p, "kl");
	rq->input = bytes_of(inputs[arg(p, ARRAY_LEN(inputs))]);
	rq->timeout_ms = waits[arg(p, ARRAY_LEN(waits))];
	rq->wait_ms = waits[arg(p, ARRAY_LEN(waits))];
	rq->participant = BYTES("{}");
}

static void op_saga(struct play *p)
{
	static const enum request_type types[] = {
		RQ_MACHINE_PUT, RQ_MACHINE_DROP, RQ_SAGA_START, RQ_SAGA_START,
		RQ_SAGA_MOVE,   RQ_SAGA_SHOW,    RQ_ROLLBACK,
	};
	struct event e = { .type = EV_REQUEST };
	struct request *rq = &e.request;

	rq->type = types[arg(p, ARRAY_LEN(types))];
	rq->id = ++p->next_id;
	rq->peer = some_peer(p);
	if (rq->type == RQ_MACHINE_PUT) {
		rq->text = some_document(p);
	} else if (rq->type == RQ_MACHINE_DROP) {
		rq->name = letters(p, "gmeu");
	} else if (rq->type == RQ_SAGA_START) {
		ask_start(p, rq);
	} else {
		rq->xid = some_xid(p);
		rq->move = (enum saga_move)arg(p, MOVE_SKIP + 2);
		rq->task = arg(p, 2) ? UINT32_MAX : arg(p, 4);
		rq->reason = rq->text = BYTES("why");
		rq->wait_ms = arg(p, 2) * UINT64_C(5000);
	}
	p->asked[rq->id] = rq->type;
	step(p, e);
}

static void op_peer_up(struct play *p)
{
	struct event e = { .type = EV_PEER_UP };
	struct bytes resources[4];
	unsigned i = arg(p, PEERS_MAX);
	bool again = arg(p, 2);

	if (!p->peers[i] || !again) {
		if (p->peers[i])
			step(p, (struct event){ .type = EV_PEER_GONE,
						.peer = p->peers[i] });
		p->peers[i] = ++p->next_peer;
	}
	e.up.peer = p->peers[i];
	e.up.application = letters(p, "ab");
	e.up.instance = letters(p, "ijk");
	e.up.n_resources = arg(p, 3);
	e.up.resources = resources;
	for (size_t n = 0; n < e.up.n_resources; n++)
		resources[n] = letters(p, "RS");
	resources[e.up.n_resources++] = BYTES("saga:a");
	resources[e.up.n_resources++] = BYTES("saga:b");
	step(p, e);
}

static void op_peer_gone(struct play *p)
{
	unsigned i = arg(p, PEERS_MAX);

	if (!p->peers[i])
		return;
	step(p, (struct event){ .type = EV_PEER_GONE, .peer = p->peers[i] });
	p->peers[i] = 0;
}

static void op_done(struct play *p)
{
	struct event e = { .type = EV_BRANCH_DONE };
	size_t i = arg(p, ARRAY_LEN(p->commands));

	if (p->n_commands == 0)
		return;
	i = (i % p->n_commands) % ARRAY_LEN(p->commands);
	e.done = (struct branch_done){
		.peer = p->commands[i].peer,
		.command = p->commands[i].id,
		.type = p->commands[i].type,
		.xid = p->commanded[i] < p->n_gtx
			       ? buf_bytes(&p->xids[p->commanded[i]])
			       : BYTES("tc:1:1"),
		.branch = p->commands[i].branch,
		.status = (enum branch_status)arg(p, BRANCH_STATUSES),
		.error = BYTES("no"),
		.detail = BYTES("{}"),
	};
	switch (arg(p, 8)) {
	case 0:
		e.done.branch ^= 1;
		break;
	case 7:
		e.done.in_progress = true;
		break;
	default:
		break;
	}
	step(p, e);
}

static void op_time(struct play *p)
{
	static const uint64_t steps[] = { 0, 1, 100, 1000, 20000, 4000000 };
	uint64_t due = core_deadline(p->d->core);

	p->d->now_ms += steps[arg(p, ARRAY_LEN(steps))];
	if (arg(p, 2) && due != UINT64_MAX && due > p->d->now_ms &&
	    due - p->d->now_ms < 100000000)
		p->d->now_ms = due;
	step(p, (struct event){ .type = EV_TIME });
}

static void op_crash(struct play *p)
{
	REQUIRE(desk_crash(p->d) == OK);
	p->n_commands = 0;
	for (size_t i = 0; i < PEERS_MAX; i++)
		p->peers[i] = 0;
}

static void operate(struct play *p)
{
	switch (arg(p, 22)) {
	case 0:
	case 1:
		op_peer_up(p);
		break;
	case 2:
		op_peer_gone(p);
		break;
	case 3:
	case 4:
	case 5:
		op_done(p);
		break;
	case 6:
	case 7:
		desk_store(p->d);
		break;
	case 8:
		op_crash(p);
		break;
	case 9:
	case 10:
		op_time(p);
		break;
	case 16:
	case 17:
	case 18:
		op_message(p);
		break;
	case 19:
	case 20:
	case 21:
		op_saga(p);
		break;
	default:
		op_request(p);
		break;
	}
	hear(p);
}

/* The coordinator as it is after a restart still says the same. */
static void check_end(struct play *p)
{
	struct event e = { .type = EV_REQUEST };

	desk_store(p->d);
	hear(p);
	op_crash(p);
	hear(p);
	e.request.type = RQ_STATUS;
	e.request.id = ++p->next_id;
	e.request.xid = some_xid(p);
	p->asked[p->next_id] = RQ_STATUS;
	REQUIRE(desk_step(p->d, e) == OK);
	hear(p);
	REQUIRE(p->answered[p->next_id]);
}

void fuzz_one(struct bytes in)
{
	struct core_config config = desk_config();
	struct play p = { .in = reader_of(in) };

	flaky_init(&p.flaky, -1);
	for (size_t i = 0; i < GTX_MAX; i++)
		buf_init(&p.xids[i], &mem_heap);
	config.peers_max = 3;
	config.waiters_max = 3;
	config.in_flight_per_peer_max = 2;
	config.attempts_max = 3;
	config.branches_per_gtx_max = 6;
	config.id_block = 4;
	config.tombstones_max = 4;
	config.subscribers_max = 4;
	config.schedule_max = 2;
	config.saga_attempts = 1;
	config.machines_max = 3;
	p.d = desk_new_raw(&config, &p.flaky.mem);
	REQUIRE(p.d);
	p.d->auto_store = arg(&p, 2);
	REQUIRE(desk_step(p.d, (struct event){ .type = EV_READY }) == OK);
	desk_store(p.d);
	for (int i = 0; i < OPS_MAX && reader_left(&p.in) > 0; i++)
		operate(&p);
	check_end(&p);
	desk_free(p.d);
	REQUIRE(p.flaky.live == 0);
	for (size_t i = 0; i < GTX_MAX; i++)
		buf_fini(&p.xids[i]);
}

/* ---- seeds: bytes drawn by chance are operations already ---- */

static void put_ops(struct buf *b, const uint8_t *ops, size_t n)
{
	buf_put(b, (struct bytes){ ops, n });
}

void fuzz_seeds(const struct fuzz_sink *sink)
{
	/* arguments in the order in which the functions above take them */
	static const uint8_t up[] = { 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0 };
	static const uint8_t begin[] = { 15, RQ_BEGIN, 0, 0, 0, 0, 0, 0, 0, 0,
					 0,  0,        0, 0, 0, 1, 1, 0, 0 };
	static const uint8_t add[] = { 15, RQ_REGISTER, 0, 0, 0, 0, 0, 2,
				       0,  0,           0, 0, 0, 0, 1, 0,
				       0,  0,           1, 1, 0, 0 };
	static const uint8_t commit[] = {
		15, RQ_COMMIT, 0, 0, 0, 0, 0, 2, 0, 0,
		0,  0,         0, 0, 0, 0, 1, 1, 0, 0
	};
	static const uint8_t rollback[] = { 15, RQ_ROLLBACK, 0, 0, 0, 0, 0,
					    2,  0,           0, 0, 0, 0, 0,
					    0,  0,           1, 1, 0, 0 };
	static const uint8_t prepare[] = { 16, 0, 0, 1, 2, 0, 0, 0, 0 };
	static const uint8_t subscribe[] = { 16, 3, 0, 0, 0, 0, 0, 2, 1, 0 };
	static const uint8_t publish[] = { 16, 1, 0, 0, 1, 1, 0,
					   0,  1, 1, 2, 1, 2, 0 };
	static const uint8_t machine[] = { 19, 0, 0, 0, 0 };
	static const uint8_t saga[] = {
		19, 2, 0, 1, 0, 0, 1, 0, 0, 1, 0, 2, 0
	};
	static const uint8_t undo[] = { 19, 4, 0, 0, 1, 1, 0, 0 };
	static const uint8_t done[] = { 3, 0, BRANCH_COMMITTED, 1, 0 };
	static const uint8_t failed[] = { 3, 0, BRANCH_ROLLBACK_UNRETRYABLE, 1,
					  0 };
	static const uint8_t store[] = { 6 }, crash[] = { 8 };
	static const uint8_t pass[] = { 9, 3, 1, 0 };
	struct buf b;

	buf_init(&b, &mem_heap);
	for (unsigned n = 0; n < 16; n++) {
		buf_put_u8(&b, (uint8_t)(n & 1));
		put_ops(&b, up, sizeof up);
		for (unsigned i = 0; i < 2; i++) {
			put_ops(&b, begin, sizeof begin);
			put_ops(&b, store, sizeof store);
			put_ops(&b, add, sizeof add);
			put_ops(&b, store, sizeof store);
		}
		if (n & 2)
			put_ops(&b, commit, sizeof commit);
		else
			put_ops(&b, rollback, sizeof rollback);
		if (n & 4)
			put_ops(&b, crash, sizeof crash);
		put_ops(&b, store, sizeof store);
		if (n & 4)
			put_ops(&b, up, sizeof up);
		if (n & 8)
			put_ops(&b, done, sizeof done);
		else
			put_ops(&b, failed, sizeof failed);
		put_ops(&b, pass, sizeof pass);
		put_ops(&b, store, sizeof store);
		fuzz_seed(sink, &b);
		buf_clear(&b);
		buf_put_u8(&b, (uint8_t)(n & 1));
		put_ops(&b, up, sizeof up);
		put_ops(&b, machine, sizeof machine);
		put_ops(&b, store, sizeof store);
		put_ops(&b, saga, sizeof saga);
		put_ops(&b, store, sizeof store);
		put_ops(&b, done, sizeof done);
		if (n & 2)
			put_ops(&b, crash, sizeof crash);
		put_ops(&b, store, sizeof store);
		if (n & 4)
			put_ops(&b, undo, sizeof undo);
		put_ops(&b, up, sizeof up);
		put_ops(&b, pass, sizeof pass);
		put_ops(&b, n & 8 ? done : failed, sizeof done);
		put_ops(&b, store, sizeof store);
		put_ops(&b, done, sizeof done);
		put_ops(&b, store, sizeof store);
		fuzz_seed(sink, &b);
		buf_clear(&b);
		buf_put_u8(&b, (uint8_t)(n & 1));
		put_ops(&b, subscribe, sizeof subscribe);
		put_ops(&b, prepare, sizeof prepare);
		put_ops(&b, store, sizeof store);
		put_ops(&b, publish, sizeof publish);
		put_ops(&b, store, sizeof store);
		if (n & 2)
			put_ops(&b, commit, sizeof commit);
		if (n & 4)
			put_ops(&b, crash, sizeof crash);
		put_ops(&b, pass, sizeof pass);
		put_ops(&b, store, sizeof store);
		if (n & 8)
			put_ops(&b, done, sizeof done);
		put_ops(&b, pass, sizeof pass);
		fuzz_seed(sink, &b);
	}
	buf_fini(&b);
}
