#include "tc/host/loop.h"

#include "base/log.h"
#include "tc/host/loop_log.h"
#include "tc/host/metrics.h"
#include "tc/host/turn.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define WATCHED_MAX 8
#define EVENTS_MAX  16
#define QUIET_MS    200  /* without work; then housekeeping */
#define HOUSE_MS    5000 /* housekeeping also under load */
#define RETRY_MS    10   /* after a step that found no memory */
#define WAIT_MAX_MS 60000
#define ROUNDS_MAX  1000 /* batches a turn, before doors get a chance */
#define CENSUS_MS   1000 /* who asks more often sees the last one again */

struct watched {
	int fd;
	void (*ready)(void *ctx, int fd);
	void *ctx;
};

struct loop {
	const struct mem *mem;
	const struct config *config;
	struct core *core;
	struct store *store;
	uint64_t epoch;
	int epoll;

	struct door_port port;
	struct door doors[DOORS];
	bool has[DOORS];
	bool ready[DOORS]; /* something arrived, or more was waiting */
	struct watched watched[WATCHED_MAX];
	size_t n_watched;

	struct turn turn;
	uint64_t now_ms;
	uint64_t wall_ms;
	bool announce; /* rows up to turn.seq are durable: tell the core */
	uint64_t announce_seq;
	uint64_t retry_due_ms; /* a step found no memory; UINT64_MAX */
	uint64_t quiet_due_ms; /* housekeeping; UINT64_MAX */
	uint64_t house_ms;     /* when it was done last */

	enum host_state state;
	bool closing;
	bool stop;
	uint64_t drain_until_ms;
	uint64_t tick_every_ms, tick_due_ms;
	void (*tick)(void *ctx);
	void *tick_ctx;

	int broken;
	struct buf why;

	uint64_t began_ms;
	struct metrics metrics;
	struct core_census census;
	uint64_t census_due_ms;
};

static uint64_t clock_ms(clockid_t id)
{
	struct timespec ts;

	(void)clock_gettime(id, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static uint64_t clock_us(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

static void read_clocks(struct loop *l)
{
	uint64_t now_us = clock_us();

	l->now_ms = now_us / 1000;
	l->wall_ms = clock_ms(CLOCK_REALTIME);
	metrics_turn(&l->metrics, now_us);
}

static void break_down(struct loop *l, int err, const char *what,
		       const char *why)
{
	if (l->broken)
		return;
	l->broken = err;
	buf_clear(&l->why);
	buf_printf(&l->why, "%s: %s", what, why);
}

/* ---- steps ---- */

static int step(struct loop *l, struct event *ev)
{
	struct effects fx;
	int rc;

	ev->now_ms = l->now_ms;
	ev->wall_ms = l->wall_ms;
	rc = core_step(l->core, ev, &fx);
	if (rc != OK)
		return rc;
	log_effects(l->port.coordinator, &fx);
	metrics_event(&l->metrics, ev);
	metrics_effects(&l->metrics, &fx);
	if (turn_add(&l->turn, &fx, l->now_ms) != OK)
		break_down(l, E_NOMEM, "out of memory",
			   "give the process more, then start again; nothing "
			   "acknowledged is lost");
	return OK;
}

/* A step that nobody can ask again for: try until there's memory. */
static bool step_or_retry(struct loop *l, struct event *ev)
{
	int rc = step(l, ev);

	if (rc == OK)
		return true;
	if (rc == E_NOMEM) {
		l->retry_due_ms = l->now_ms + RETRY_MS;
		LOG_WARN("out of memory: a step has to wait",
			 LOG_U("retry_ms", RETRY_MS));
	} else {
		break_down(l, rc, "the coordinator's core", err_name(rc));
	}
	return false;
}

static void announce(struct loop *l)
{
	struct event ev = { .type = EV_STORED, .seq = l->announce_seq };

	if (l->announce)
		l->announce = !step_or_retry(l, &ev);
}

static void tell_time(struct loop *l)
{
	struct event ev = { .type = EV_TIME };

	if (core_deadline(l->core) <= l->now_ms)
		(void)step_or_retry(l, &ev);
}

/* ---- the store ---- */

static bool batch_is_due(const struct loop *l)
{
	const struct turn *t = &l->turn;

	return t->forced || t->rows.n >= l->config->rows_max ||
	       (t->rows.n > 0 &&
		l->now_ms >= t->oldest_ms + l->config->lazy_ms);
}

static void store_batch(struct loop *l, bool durable)
{
	struct turn *t = &l->turn;
	struct store_stats before = store_stats(l->store), after;
	uint64_t from_us = clock_us();
	int rc = store_apply(l->store, t->rows.items, t->rows.n, l->epoch,
			     durable);

	after = store_stats(l->store);
	metrics_batch(&l->metrics, t->rows.n, durable, clock_us() - from_us,
		      &before, &after);
	if (rc != OK) {
		struct event ev = { .type = EV_STORE_FAILED };

		break_down(l, rc, "the store failed", store_error(l->store));
		(void)step(l, &ev);
		return;
	}
	turn_stored(t);
	if (durable) {
		l->announce = true;
		l->announce_seq = t->seq;
	}
}

/* Store, and step what was waiting for that, until nothing more is due. */
static void settle(struct loop *l)
{
	for (int i = 0; i < ROUNDS_MAX && !l->broken; i++) {
		if (batch_is_due(l))
			store_batch(l, l->turn.forced);
		if (l->broken || !l->announce)
			return;
		announce(l);
	}
}

static void keep_house(struct loop *l)
{
	if (l->now_ms < l->quiet_due_ms)
		return;
	l->house_ms = l->now_ms;
	l->quiet_due_ms =
		store_idle(l->store, l->wall_ms) ? l->now_ms : UINT64_MAX;
}

/* Something happened: wait for quiet, but not for ever. */
static void put_off_house(struct loop *l)
{
	uint64_t latest = l->house_ms + HOUSE_MS;

	l->quiet_due_ms = l->now_ms + QUIET_MS;
	if (l->quiet_due_ms > latest)
		l->quiet_due_ms = latest;
}

/* ---- doors ---- */

static bool process_doors(struct loop *l)
{
	bool more = false;

	for (int d = 0; d < DOORS; d++) {
		const struct door *door = &l->doors[d];

		if (!l->has[d] ||
		    !(l->ready[d] || door->deadline(door->self) <= l->now_ms))
			continue;
		l->ready[d] = door->process(door->self, l->now_ms);
		more = more || l->ready[d];
	}
	return more;
}

static void deliver(struct loop *l)
{
	uint64_t now_us = l->turn.out.n > 0 ? clock_us() : 0;

	for (size_t i = 0; i < l->turn.out.n; i++) {
		const struct effect *fx = &l->turn.out.items[i];
		uint64_t peer = fx->type == FX_REPLY ? fx->reply.peer
						     : fx->command.peer;
		enum door_number d = door_of_peer(peer);

		metrics_out(&l->metrics, fx, now_us);
		if (d >= DOORS || !l->has[d])
			continue;
		if (fx->type == FX_REPLY)
			l->doors[d].reply(l->doors[d].self, &fx->reply);
		else
			l->doors[d].command(l->doors[d].self, &fx->command);
	}
	turn_sent(&l->turn);
	for (int d = 0; d < DOORS; d++)
		if (l->has[d])
			l->doors[d].flush(l->doors[d].self);
}

static bool doors_idle(const struct loop *l)
{
	for (int d = 0; d < DOORS; d++)
		if (l->has[d] && !l->doors[d].idle(l->doors[d].self))
			return false;
	return true;
}

/* ---- what doors may ask ---- */

static int refuse_begin(struct loop *l, const struct request *rq)
{
	const struct reply r = {
		.peer = rq->peer,
		.id = rq->id,
		.type = rq->type,
		.err = E_CLOSED,
		.text = BYTES("the coordinator is stopping; begin again after "
			      "its restart"),
	};

	return turn_reply(&l->turn, &r);
}

static int port_event(void *ctx, struct event *ev)
{
	struct loop *l = ctx;

	if (l->closing || l->broken)
		return OK; /* nothing leaves any more */
	if (l->state == HOST_DRAINING && ev->type == EV_REQUEST &&
	    (ev->request.type == RQ_BEGIN || ev->request.type == RQ_SAGA_START))
		return refuse_begin(l, &ev->request);
	put_off_house(l);
	return step(l, ev);
}

static uint64_t port_now_ms(void *ctx)
{
	return ((struct loop *)ctx)->now_ms;
}

static uint64_t port_wall_ms(void *ctx)
{
	return ((struct loop *)ctx)->wall_ms;
}

static enum host_state port_state(void *ctx)
{
	return ((struct loop *)ctx)->state;
}

static const struct core *port_core(void *ctx)
{
	return ((struct loop *)ctx)->core;
}

static struct store *port_store(void *ctx)
{
	return ((struct loop *)ctx)->store;
}

static struct door_stats port_door_stats(void *ctx, enum door_number door)
{
	const struct loop *l = ctx;

	if (door >= DOORS || !l->has[door])
		return (struct door_stats){ 0 };
	return l->doors[door].stats(l->doors[door].self);
}

static uint64_t cpu_us(void)
{
	struct rusage ru;

	if (getrusage(RUSAGE_SELF, &ru) != 0)
		return 0;
	return (uint64_t)(ru.ru_utime.tv_sec + ru.ru_stime.tv_sec) * 1000000 +
	       (uint64_t)(ru.ru_utime.tv_usec + ru.ru_stime.tv_usec);
}

static void port_metrics(void *ctx, struct buf *out)
{
	struct loop *l = ctx;
	struct metrics_facts facts = {
		.version = BYTES(TREATY_VERSION),
		.state = l->state,
		.uptime_ms = l->now_ms - l->began_ms,
		.cpu_us = cpu_us(),
		.core = core_stats(l->core),
		.store = store_stats(l->store),
	};

	if (l->now_ms >= l->census_due_ms) {
		core_census(l->core, l->wall_ms, &l->census);
		l->census_due_ms = l->now_ms + CENSUS_MS;
	}
	facts.census = l->census;
	for (int d = 0; d < DOORS; d++)
		facts.doors[d] = port_door_stats(l, (enum door_number)d);
	metrics_write(&l->metrics, &facts, out);
}

/* ---- waiting ---- */

static uint64_t sooner(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t next_due(const struct loop *l)
{
	uint64_t due = sooner(core_deadline(l->core), l->quiet_due_ms);

	due = sooner(due, l->retry_due_ms);
	for (int d = 0; d < DOORS; d++)
		if (l->has[d])
			due = sooner(due,
				     l->doors[d].deadline(l->doors[d].self));
	if (l->turn.rows.n > 0)
		due = sooner(due, l->turn.oldest_ms + l->config->lazy_ms);
	if (l->tick)
		due = sooner(due, l->tick_due_ms);
	if (l->state == HOST_DRAINING)
		due = sooner(due, l->drain_until_ms);
	return due;
}

static int wait_ms(const struct loop *l, bool more)
{
	uint64_t due;

	if (more || l->stop || l->turn.out.n > 0 || l->turn.forced)
		return 0;
	due = next_due(l);
	if (due <= l->now_ms)
		return 0;
	return (int)sooner(due - l->now_ms, WAIT_MAX_MS);
}

static int wait_for_work(struct loop *l, bool more)
{
	struct epoll_event events[EVENTS_MAX];
	int n = epoll_wait(l->epoll, events, EVENTS_MAX, wait_ms(l, more));

	if (n < 0 && errno != EINTR)
		return E_IO;
	read_clocks(l);
	for (int i = 0; i < n; i++) {
		uint32_t who = events[i].data.u32;

		if (who < DOORS)
			l->ready[who] = true;
		else
			l->watched[who - DOORS].ready(
				l->watched[who - DOORS].ctx,
				l->watched[who - DOORS].fd);
	}
	return OK;
}

static void run_tick(struct loop *l)
{
	if (!l->tick || l->now_ms < l->tick_due_ms)
		return;
	l->tick_due_ms = l->now_ms + l->tick_every_ms;
	l->tick(l->tick_ctx);
}

/* ---- draining ---- */

void loop_drain(struct loop *l)
{
	if (l->state == HOST_DRAINING) {
		l->drain_until_ms = l->now_ms;
		return;
	}
	l->state = HOST_DRAINING;
	l->drain_until_ms = l->now_ms + l->config->drain_ms;
	for (int d = 0; d < DOORS; d++)
		if (l->has[d])
			l->doors[d].drain(l->doors[d].self);
}

static bool drained(const struct loop *l)
{
	if (l->state != HOST_DRAINING)
		return false;
	if (l->now_ms >= l->drain_until_ms)
		return true;
	return core_stats(l->core).gtx_now == 0 && l->turn.out.n == 0 &&
	       doors_idle(l);
}

/* What was kept back until now goes to the disk before the process ends. */
static void store_rest(struct loop *l)
{
	if (!l->broken && l->turn.rows.n > 0)
		store_batch(l, true);
}

int loop_run(struct loop *l, struct buf *error)
{
	bool more = false;

	l->state = l->state == HOST_LOADING ? HOST_READY : l->state;
	while (!l->broken && !drained(l)) {
		if (wait_for_work(l, more) != OK)
			break_down(l, E_IO, "waiting for work",
				   strerror(errno));
		l->retry_due_ms = UINT64_MAX;
		announce(l);
		more = process_doors(l);
		tell_time(l);
		settle(l);
		if (l->broken)
			break;
		deliver(l);
		keep_house(l);
		run_tick(l);
		metrics_turn_end(&l->metrics, clock_us());
	}
	store_rest(l);
	if (l->broken)
		buf_put(error, buf_bytes(&l->why));
	return l->broken;
}

/* ---- start ---- */

struct loading {
	struct loop *l;
	struct buf *error;
	uint64_t n[ROW_TABLES];
};

static int load_row(void *ctx, const struct row *row)
{
	struct loading *ld = ctx;
	struct event ev = { .type = EV_LOADED, .row = *row };
	int rc = step(ld->l, &ev);

	ld->n[row->table]++;
	if (rc != OK)
		buf_printf(ld->error,
			   "a stored row cannot be taken over (%s): table %d, "
			   "id %llu of transaction %llu; if a newer treatyd "
			   "wrote it start that one, else restore a backup",
			   err_name(rc), (int)row->table,
			   (unsigned long long)row->id,
			   (unsigned long long)row->gtx);
	return rc;
}

static int load_all(struct loop *l, struct buf *error)
{
	struct loading ld = { .l = l, .error = error };
	struct event ready = { .type = EV_READY };
	int rc = store_load(l->store, load_row, &ld, &l->epoch);

	if (rc != OK) {
		if (error->len == 0)
			buf_put_text(error, store_error(l->store));
		return rc;
	}
	rc = step(l, &ready);
	if (rc != OK)
		buf_printf(error, "the coordinator cannot start: %s",
			   err_name(rc));
	LOG_INFO("loaded", LOG_U("epoch", l->epoch),
		 LOG_U("transactions", ld.n[ROW_GTX]),
		 LOG_U("branches", ld.n[ROW_BRANCH]),
		 LOG_U("tombstones", ld.n[ROW_TOMBSTONE]));
	return rc;
}

int loop_load(struct loop *l, struct store *store,
	      const struct core_config *config, struct buf *error)
{
	int rc;

	l->store = store;
	read_clocks(l);
	rc = core_new(&l->core, l->mem, config);
	if (rc != OK) {
		buf_printf(error,
			   "a limit or time of the configuration makes no "
			   "sense: %s",
			   err_name(rc));
		return rc;
	}
	l->port.coordinator = config->coordinator;
	return load_all(l, error);
}

int loop_new(struct loop **out, const struct mem *mem,
	     const struct config *config)
{
	struct loop *l = mem_alloc(mem, sizeof *l);
	int rc;

	if (!l)
		return E_NOMEM;
	l->mem = mem;
	l->config = config;
	l->retry_due_ms = l->quiet_due_ms = UINT64_MAX;
	l->port = (struct door_port){ .ctx = l,
				      .event = port_event,
				      .now_ms = port_now_ms,
				      .wall_ms = port_wall_ms,
				      .state = port_state,
				      .core = port_core,
				      .store = port_store,
				      .door_stats = port_door_stats,
				      .metrics = port_metrics };
	turn_init(&l->turn, mem);
	buf_init(&l->why, mem);
	read_clocks(l);
	l->began_ms = l->now_ms;
	l->epoll = epoll_create1(EPOLL_CLOEXEC);
	rc = l->epoll >= 0 ? metrics_init(&l->metrics, mem) : E_IO;
	if (rc != OK) {
		loop_free(l);
		return rc;
	}
	*out = l;
	return OK;
}

void loop_free(struct loop *l)
{
	if (!l)
		return;
	l->closing = true;
	for (int d = 0; d < DOORS; d++)
		if (l->has[d])
			l->doors[d].close(l->doors[d].self);
	core_free(l->core);
	store_close(l->store);
	turn_fini(&l->turn);
	buf_fini(&l->why);
	metrics_fini(&l->metrics);
	if (l->epoll >= 0)
		(void)close(l->epoll);
	mem_free(l->mem, l);
}

struct door_port *loop_port(struct loop *l)
{
	return &l->port;
}

/* Doors are known by their number, what else is watched by those above. */
static int watch(struct loop *l, int fd, uint32_t who)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.u32 = who };

	return epoll_ctl(l->epoll, EPOLL_CTL_ADD, fd, &ev) == 0 ? OK : E_IO;
}

int loop_add(struct loop *l, const struct door *door)
{
	REQUIRE(door->number < DOORS && !l->has[door->number]);
	l->doors[door->number] = *door;
	l->has[door->number] = true;
	return watch(l, door->fd, (uint32_t)door->number);
}

int loop_watch(struct loop *l, int fd, void (*ready)(void *ctx, int fd),
	       void *ctx)
{
	struct watched *w = &l->watched[l->n_watched];

	if (l->n_watched == WATCHED_MAX)
		return E_LIMIT;
	*w = (struct watched){ fd, ready, ctx };
	return watch(l, fd, (uint32_t)(DOORS + l->n_watched++));
}

void loop_set_tick(struct loop *l, uint64_t every_ms, void (*tick)(void *ctx),
		   void *ctx)
{
	l->tick = every_ms > 0 ? tick : NULL;
	l->tick_ctx = ctx;
	l->tick_every_ms = every_ms;
	l->tick_due_ms = l->now_ms + every_ms;
}

int loop_reconfigure(struct loop *l)
{
	return core_reconfigure(l->core, &l->config->core);
}
