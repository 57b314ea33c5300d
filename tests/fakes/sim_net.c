#include "tests/fakes/sim_world.h"

#include "base/hash.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

struct sim_world sim;

void sim_trace(const char *fmt, ...)
{
	char *line = sim.trace[sim.n_trace++ % TRACE_MAX];
	va_list args;
	int n = snprintf(line, 16, "%8" PRIu64 " ", sim.now);

	va_start(args, fmt);
	vsnprintf(line + n, sizeof sim.trace[0] - (size_t)n, fmt, args);
	va_end(args);
}

void sim_print(int sig)
{
	size_t first = sim.n_trace > TRACE_MAX ? sim.n_trace - TRACE_MAX : 0;

	for (size_t i = first; i < sim.n_trace; i++)
		fprintf(stderr, "%s\n", sim.trace[i % TRACE_MAX]);
	fprintf(stderr, "failed with SEED=%" PRIu64 "\n", sim.seed);
	(void)sig;
}

uint64_t sim_dice(uint64_t n)
{
	return random_next(&sim.rng) % n;
}

/* With bad luck of so many in a hundred, while there is chaos. */
bool sim_bad_luck(uint64_t percent)
{
	return sim.chaos && sim_dice(100) < percent;
}

/* ---- memory that fails now and then ---- */

void *sim_alloc(void *ctx, size_t size)
{
	(void)ctx;
	if (sim.fail_memory && sim_bad_luck(1))
		return NULL;
	return calloc(1, size ? size : 1);
}

void sim_free(void *ctx, void *p)
{
	(void)ctx;
	free(p);
}

/* ---- the queue of what will happen ---- */

struct ev *sim_ev_new(enum ev_kind kind)
{
	struct ev *e = calloc(1, sizeof *e);

	REQUIRE(e);
	e->kind = kind;
	e->life = sim.life;
	return e;
}

void sim_ev_at(struct ev *e, uint64_t due)
{
	REQUIRE(heap_reserve(&sim.events, sim.n_events + 1) == OK);
	sim.n_events++;
	heap_set(&sim.events, &e->node, due);
}

struct ev *sim_ev_next(void)
{
	struct heap_node *n = heap_first(&sim.events);

	if (!n)
		return NULL;
	heap_remove(&sim.events, n);
	sim.n_events--;
	return CONTAINER_OF(n, struct ev, node);
}

static void relocate(struct ev *e, const struct ev *from)
{
	/* Borrowed texts point into the event itself. */
	if (from->rq.xid.len)
		e->rq.xid.data = (uint8_t *)e->xid;
	if (from->done.xid.len)
		e->done.xid.data = (uint8_t *)e->xid;
	if (from->rq.resource.data == (const uint8_t *)from->resource)
		e->rq.resource.data = (uint8_t *)e->resource;
	if (from->key.len)
		e->key.data = e->key_data;
}

/* Over the network: late, maybe twice, maybe never. */
void sim_ev_send(struct ev *e)
{
	if (sim_bad_luck(5)) {
		struct ev *twin = sim_ev_new(e->kind);

		*twin = *e;
		twin->node = (struct heap_node){ 0 };
		relocate(twin, e);
		sim_ev_at(twin, sim.now + 1 + sim_dice(2000));
	}
	if (sim_bad_luck(5)) {
		free(e);
		return;
	}
	sim_ev_at(e, sim.now + 1 + sim_dice(sim_bad_luck(5) ? 3000 : 20));
}
